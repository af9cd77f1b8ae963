/* SPDX-License-Identifier: Apache-2.0 */
/* entra-sso check --online: is there such a tenant, are its keys good, do the clocks agree, is the redirect URI
 * registered, and is the credential taken? Graph is asked in checkgraph.c. Changes nothing at Entra. */
#include "command/look.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/limits.h"
#include "entra/aadsts.h"
#include "entra/oauth.h"

/* Clocks of machines that are kept by NTP are not further apart. */
#define CLOCK_USUAL_S 30
/* A page of Entra's with an error in it. */
#define MAX_PAGE (1024 * 1024)
/* For a challenge whose verifier nobody will ask for: no code comes of it that is redeemed. */
#define ANY_VERIFIER "entra-sso-check-0123456789-0123456789-0123456789"

bool sso_look_may(const sso_look_t *look, const char *const *permissions)
{
    for (int i = 0; look->roles != NULL && i < look->roles->nelts; i++) {
        for (const char *const *permission = permissions; *permission != NULL; permission++) {
            if (strcmp(sso_text_at(look->roles, i), *permission) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* ---- tenant, keys, clock ---- */

static sso_authority_t *authority_make(sso_look_t *look, const char *tenant)
{
    apr_pool_t *pool = look->command->ctx.pool;
    sso_authority_config_t *config = apr_pcalloc(pool, sizeof(*config));
    config->login_url = look->description->login_url;
    config->tenant = tenant;
    config->policy = &look->policy;
    return sso_authority_make(pool, config, apr_pcalloc(pool, sso_authority_shared_size()), look->http);
}

static void clock_look(sso_look_t *look)
{
    sso_ctx_t *ctx = &look->command->ctx;
    const sso_description_t *d = look->description;
    sso_http_response_t response;
    const sso_http_request_t request = {
        .url = apr_pstrcat(ctx->pool, d->login_url, "/", d->tenant, "/v2.0/.well-known/openid-configuration", NULL),
        .policy = &look->policy,
        .max_response = SSO_MAX_METADATA,
    };
    if (sso_http_perform(look->http, ctx, &request, &response) != SSO_OK) {
        sso_fault_clear(ctx); /* it is said of the tenant */
        return;
    }
    if (response.date == 0) {
        sso_report_say(look->report, SSO_FOUND_UNKNOWN, "clock", "Look at what stands between this machine and Entra",
                       "the answer has no Date");
        return;
    }
    int64_t apart = apr_time_sec(sso_clock_now() - response.date);
    const char *mend = "Set this machine's clock, and keep it by NTP (timedatectl set-ntp true)";
    apart = apart < 0 ? -apart : apart;
    if (apart > d->skew_s) {
        sso_report_say(look->report, SSO_FOUND_FAULT, "clock", mend,
                       "this machine and Entra are %d s apart, more than EntraClockSkew (%d s): tokens are refused",
                       (int)apart, (int)d->skew_s);
    } else if (apart > CLOCK_USUAL_S) {
        sso_report_say(look->report, SSO_FOUND_WARN, "clock", mend, "this machine and Entra are %d s apart",
                       (int)apart);
    } else {
        sso_report_good(look->report, "clock", "this machine and Entra are %d s apart", (int)apart);
    }
}

/* Gives the tenant's authority, or NULL when nothing can be had from it. */
static sso_authority_t *tenant_look(sso_look_t *look)
{
    sso_ctx_t *ctx = &look->command->ctx;
    const sso_authority_view_t *view;
    sso_authority_t *authority = authority_make(look, look->description->tenant);
    if (sso_authority_view(ctx, authority, &view) != SSO_OK) {
        bool keys = ctx->fault.rc == SSO_R_KEYS_STATUS || ctx->fault.rc == SSO_R_KEYS_FORMAT ||
                    ctx->fault.rc == SSO_R_KEYS_NONE;
        sso_report_fault(look->report, SSO_FOUND_FAULT, keys ? "signing keys" : "tenant", ctx);
        return NULL;
    }
    look->metadata = view->metadata;
    sso_report_good(look->report, "tenant", "%s is there, issuer %s", look->description->tenant,
                    sso_printable(ctx->pool, view->metadata->issuer));
    sso_report_good(look->report, "signing keys", "%d usable key%s", view->keys->count,
                    view->keys->count == 1 ? "" : "s");
    return authority;
}

/* ---- the redirect URI ---- */

static void redirect_refused(sso_look_t *look, unsigned number)
{
    const sso_description_t *d = look->description;
    const sso_aadsts_t *row = number == 0 ? NULL : sso_aadsts_find(number);
    apr_pool_t *pool = look->report->pool;
    if (number == 0) {
        sso_report_say(
            look->report, SSO_FOUND_UNKNOWN, "redirect URI",
            apr_psprintf(pool, "App registration > Authentication > Web: see that it has exactly %s", d->redirect_uri),
            "Entra's answer does not tell whether %s is registered", d->redirect_uri);
    } else if (number == 50011 || number == 500113 || number == 900971) {
        sso_report_say(look->report, SSO_FOUND_FAULT, "redirect URI",
                       apr_psprintf(pool, "App registration > Authentication > Web > Add URI: %s", d->redirect_uri),
                       "AADSTS%u: %s is not registered", number, d->redirect_uri);
    } else {
        sso_report_say(look->report, SSO_FOUND_FAULT, "sign-in request",
                       row == NULL ? "entra-sso explain, with this number" : row->mend, "AADSTS%u: %s", number,
                       row == NULL ? "Entra refuses it" : row->sentence);
    }
}

/* Entra came back to the redirect URI: it is registered, whatever else there is to say. */
static void redirect_answered(sso_look_t *look, const char *query)
{
    sso_ctx_t *ctx = &look->command->ctx;
    apr_table_t *pairs;
    sso_report_good(look->report, "redirect URI", "%s is registered", look->description->redirect_uri);
    query = apr_pstrmemdup(ctx->pool, query, strcspn(query, "#"));
    if (sso_query_parse(ctx, query, &pairs) != SSO_OK) {
        sso_fault_clear(ctx); /* nothing more can be told */
        return;
    }
    const char *error = apr_table_get(pairs, "error");
    const char *description = apr_table_get(pairs, "error_description");
    unsigned number = description == NULL ? 0 : sso_aadsts_code_from(description, strlen(description));
    /* Without a browser's cookies nobody is signed in, so a request in order is answered with this. */
    if (error == NULL || strcmp(error, "login_required") == 0 || strcmp(error, "interaction_required") == 0) {
        sso_report_good(look->report, "sign-in request", "Entra takes it, with the scopes %s",
                        look->description->scopes);
        return;
    }
    const sso_aadsts_t *row = number == 0 ? NULL : sso_aadsts_find(number);
    row = row == NULL ? sso_aadsts_for_error(error) : row;
    sso_report_say(look->report, SSO_FOUND_FAULT, "sign-in request", row->mend, "%s (%s)", row->sentence,
                   sso_printable(ctx->pool, description == NULL ? error : description));
}

/* Asks for a sign-in without a question. A registered address is answered at that address; else a page is shown. */
static void redirect_look(sso_look_t *look)
{
    sso_ctx_t *ctx = &look->command->ctx;
    const sso_description_t *d = look->description;
    const sso_authorize_t authorize = {.client_id = d->client_id,
                                       .redirect_uri = d->redirect_uri,
                                       .scope = d->scopes,
                                       .state = "entra-sso-check",
                                       .nonce = "entra-sso-check",
                                       .code_verifier = ANY_VERIFIER,
                                       .prompt = "none"};
    const sso_http_request_t request = {.url = sso_authorize_url(ctx->pool, look->metadata, &authorize),
                                        .policy = &look->policy,
                                        .max_response = MAX_PAGE};
    sso_http_response_t response;
    apr_size_t len = strlen(d->redirect_uri);
    if (sso_http_perform(look->http, ctx, &request, &response) != SSO_OK) {
        sso_report_fault(look->report, SSO_FOUND_UNKNOWN, "redirect URI", ctx);
        return;
    }
    const char *location = response.location == NULL ? "" : response.location;
    if (strncmp(location, d->redirect_uri, len) == 0 && location[len] == '?') {
        redirect_answered(look, location + len + 1);
    } else {
        redirect_refused(look, sso_aadsts_code_from(response.body, response.len));
    }
}

/* ---- the credential ---- */

/* The tenant whose token endpoint takes an application's own request. NULL when none is known. */
static const char *tenant_of_token(const sso_description_t *d)
{
    if (sso_tenant_is_several(d->tenant)) {
        return d->allowed_tenants->nelts > 0 ? sso_text_at(d->allowed_tenants, 0) : NULL;
    }
    return sso_tenant_is_consumers(d->tenant) ? NULL : d->tenant;
}

/* What the token says of its bearer. Its signature is Graph's business; it came from Entra itself, and nothing but
 * these lines rests on it. */
static void token_read(sso_look_t *look)
{
    sso_ctx_t *ctx = &look->command->ctx;
    const char *from = strchr(look->access_token, '.');
    const char *to = from == NULL ? NULL : strchr(from + 1, '.');
    const sso_json_t *claims = NULL;
    apr_size_t len;
    unsigned char *text =
        to == NULL ? NULL : sso_base64url_decode(ctx->pool, from + 1, (apr_size_t)(to - from - 1), &len);
    if (text == NULL || sso_json_parse(ctx, ctx->pool, (const char *)text, len, SSO_MAX_JWT, &claims) != SSO_OK) {
        sso_fault_clear(ctx); /* then its permissions are unknown */
        return;
    }
    const sso_json_t *list = sso_json_get(claims, "roles");
    apr_array_header_t *roles = apr_array_make(ctx->pool, 8, sizeof(const char *));
    for (apr_size_t i = 0; i < sso_json_size(list); i++) {
        if (sso_json_text(sso_json_at(list, i)) != NULL) {
            APR_ARRAY_PUSH(roles, const char *) = sso_json_text(sso_json_at(list, i));
        }
    }
    look->roles = roles;
    look->principal = sso_json_get_text(claims, "oid");
}

static void credential_look(sso_look_t *look, sso_authority_t *authority)
{
    static const char subject[] = "credential at Entra";
    sso_ctx_t *ctx = &look->command->ctx;
    const sso_description_t *d = look->description;
    const char *tenant = tenant_of_token(d);
    const sso_authority_view_t *view;
    sso_tokens_t tokens;
    if (look->credential == NULL || tenant == NULL) {
        sso_report_say(look->report, SSO_FOUND_UNKNOWN, subject,
                       look->credential == NULL ? "Mend what is said of the credential above"
                                                : "Name a tenant of yours in EntraAllowedTenants, or sign in once",
                       look->credential == NULL ? "there is none that could be tried"
                                                : "with this EntraTenant there is no tenant in which to try it");
        return;
    }
    authority = strcmp(tenant, d->tenant) == 0 ? authority : authority_make(look, tenant);
    const sso_app_request_t request = {.client_id = d->client_id,
                                       .credential = look->credential,
                                       .scope = apr_pstrcat(ctx->pool, d->graph_url, "/.default", NULL)};
    if (sso_authority_view(ctx, authority, &view) != SSO_OK ||
        sso_app_token(ctx, authority, view->metadata, &request, &tokens) != SSO_OK) {
        sso_report_fault(look->report, SSO_FOUND_FAULT, subject, ctx);
        return;
    }
    sso_report_good(look->report, subject, "Entra takes it, in tenant %s", tenant);
    look->access_token = tokens.access_token;
    token_read(look);
}

/* ---- all of it ---- */

void sso_check_online(sso_command_t *command, sso_report_t *report, const sso_description_t *description,
                      sso_credential_t *credential, sso_http_t *http)
{
    sso_look_t look = {.command = command,
                       .report = report,
                       .description = description,
                       .credential = credential,
                       .http = http,
                       .policy = {.ca_file = description->trusted_ca,
                                  .proxy = description->proxy,
                                  .connect_timeout = apr_time_from_msec(description->connect_ms),
                                  .total_timeout = apr_time_from_msec(description->total_ms)}};
    clock_look(&look);
    sso_authority_t *authority = tenant_look(&look);
    if (authority == NULL) {
        sso_report_say(report, SSO_FOUND_UNKNOWN, "registration", "Mend what is said above, and check again",
                       "nothing else can be asked of Entra");
        return;
    }
    redirect_look(&look);
    credential_look(&look, authority);
    sso_check_graph(&look);
}
