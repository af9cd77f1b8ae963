/* SPDX-License-Identifier: Apache-2.0 */
/* entra-sso register: prints the commands that make the app registration of a configuration. Runs none of them. */
#include "command/register.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/limits.h"
#include "entra/authority.h"
#include "entra/secret.h"

bool sso_register_is_plain(const char *scope)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return *scope != '\0' && scope[strspn(scope, plain)] == '\0';
}

/* The platform's token says whose it is, and a federated credential has to name exactly that. It is only shown. */
static sso_assertion_source_t assertion_read(sso_ctx_t *ctx, const sso_description_t *description)
{
    const char *token = NULL;
    const sso_json_t *claims = NULL;
    apr_size_t len;
    sso_assertion_source_t source = {NULL, NULL};
    if (strcmp(description->credential.kind, "file") != 0 ||
        sso_secret_file(ctx, ctx->pool, description->credential.path, true, &token) != SSO_OK) {
        sso_fault_clear(ctx); /* then the administrator fills it in */
        return source;
    }
    const char *from = strchr(token, '.');
    const char *to = from == NULL ? NULL : strchr(from + 1, '.');
    unsigned char *text =
        to == NULL ? NULL : sso_base64url_decode(ctx->pool, from + 1, (apr_size_t)(to - from - 1), &len);
    if (text == NULL || sso_json_parse(ctx, ctx->pool, (const char *)text, len, SSO_MAX_JWT, &claims) != SSO_OK) {
        sso_fault_clear(ctx); /* the same */
        return source;
    }
    source.issuer = sso_json_get_text(claims, "iss");
    source.subject = sso_json_get_text(claims, "sub");
    return source;
}

/* Applications with one client share its registration; those without a client yet get one each. */
static bool shares(const sso_description_t *a, const sso_description_t *b)
{
    return a == b || (!sso_wanted_is_zero(a->client_id) && strcmp(a->client_id, b->client_id) == 0 &&
                      strcmp(a->login_url, b->login_url) == 0);
}

static void registration_print(sso_command_t *command, const apr_array_header_t *descriptions)
{
    sso_registering_t registering = {.command = command, .descriptions = descriptions};
    sso_wanted_make(command->ctx.pool, descriptions, &registering.wanted);
    const sso_description_t *first = registering.wanted.first;
    bool several = sso_tenant_is_several(first->tenant) || strcmp(first->tenant, "consumers") == 0;
    registering.tenant = several ? NULL : first->tenant;
    registering.assertion = assertion_read(&command->ctx, first);
    bool both = !command->options.az && !command->options.powershell;
    if (both || command->options.az) {
        sso_register_az(&registering);
    }
    if (both || command->options.powershell) {
        sso_register_powershell(&registering);
    }
}

int sso_command_register(sso_command_t *command)
{
    sso_place_t place;
    sso_asked_t asked = sso_place_ask(command, &place);
    const apr_array_header_t *all = place.descriptions;
    if (asked == SSO_ASKED_REFUSED) {
        sso_command_complain(command, "httpd does not accept the configuration (see above). Before there is a "
                                      "registration, write 00000000-0000-0000-0000-000000000000 as EntraClientID, and "
                                      "any text into the file of the secret");
    } else if (asked == SSO_ASKED_GOOD && all->nelts == 0) {
        sso_command_complain(command, "the configuration has no application of mod_entra_sso");
    }
    for (int i = 0; asked == SSO_ASKED_GOOD && i < all->nelts; i++) {
        const sso_description_t *first = &APR_ARRAY_IDX(all, i, sso_description_t);
        apr_array_header_t *descriptions = apr_array_make(command->ctx.pool, 1, sizeof(const sso_description_t *));
        bool printed = false;
        for (int j = 0; j < all->nelts; j++) {
            const sso_description_t *other = &APR_ARRAY_IDX(all, j, sso_description_t);
            printed = printed || (j < i && shares(first, other));
            if (shares(first, other)) {
                APR_ARRAY_PUSH(descriptions, const sso_description_t *) = other;
            }
        }
        if (!printed) {
            registration_print(command, descriptions);
        }
    }
    return asked == SSO_ASKED_GOOD && all->nelts > 0 ? SSO_EXIT_DONE : SSO_EXIT_FAILED;
}
