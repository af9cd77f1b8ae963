/* SPDX-License-Identifier: Apache-2.0 */
/* SECURITY: of a purpose and binding of their own, so that nothing else that is sealed here can be taken for one, and
 * no other application's. */
#include "directory/federated.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"

#define TOKEN_VERSION 1

sso_rc sso_federated_make(sso_ctx_t *ctx, const sso_federated_t *federated, const char **ret_token)
{
    const char *sealed;
    sso_writer_t w;
    sso_writer_init(&w, ctx->pool, 1024);
    sso_write_u8(&w, TOKEN_VERSION);
    sso_write_i64(&w, ctx->now + SSO_FEDERATED_LIFE);
    sso_write_text(&w, federated->subject);
    sso_rc rc = sso_seal(ctx, federated->keyring, SSO_PURPOSE_SCIM, federated->binding, w.data, w.len, &sealed);
    if (rc == SSO_OK) {
        *ret_token = apr_pstrcat(ctx->pool, SSO_FEDERATED_MARK, sealed, NULL);
    }
    return rc;
}

const char *sso_federated_read(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (authorization == NULL || apr_cstr_casecmpn(authorization, scheme, sizeof(scheme) - 1) != 0) {
        return NULL;
    }
    const char *token = authorization + sizeof(scheme) - 1;
    token += strspn(token, " ");
    return strncmp(token, SSO_FEDERATED_MARK, strlen(SSO_FEDERATED_MARK)) == 0 ? token : NULL;
}

sso_rc sso_federated_check(sso_ctx_t *ctx, const sso_federated_t *federated, const char *token)
{
    unsigned char *data;
    apr_size_t len;
    sso_reader_t r;
    const char *sealed = token + strlen(SSO_FEDERATED_MARK);
    if (federated->subject == NULL) {
        return sso_fail(ctx, SSO_R_SCIM_TOKEN_UNKNOWN, "a token of scim/token, without EntraSCIMFederated");
    }
    if (sso_open(ctx, federated->keyring, SSO_PURPOSE_SCIM, federated->binding, sealed, strlen(sealed), &data, &len) !=
        SSO_OK) {
        const char *name = sso_reason(ctx->fault.rc)->name;
        sso_fault_clear(ctx);
        return sso_fail(ctx, SSO_R_SCIM_TOKEN_UNKNOWN, "a token of scim/token that does not open (%s)", name);
    }
    sso_reader_init(&r, data, len);
    uint8_t version = sso_read_u8(&r);
    apr_time_t expires = sso_read_i64(&r);
    const char *subject = sso_read_text(&r);
    if (!sso_reader_done(&r) || version != TOKEN_VERSION || expires < 0 || strcmp(subject, federated->subject) != 0) {
        return sso_fail(ctx, SSO_R_SCIM_TOKEN_UNKNOWN, "a token of scim/token for another service");
    }
    if (ctx->now >= expires) {
        return sso_fail(ctx, SSO_R_FEDERATED_EXPIRED, "%" APR_TIME_T_FMT " s ago", apr_time_sec(ctx->now - expires));
    }
    return SSO_OK;
}
