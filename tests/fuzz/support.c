/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets share. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include <apr_general.h>

#include "base/crypto.h"

static apr_pool_t *process_pool;

apr_pool_t *fuzz_process_pool(void)
{
    if (process_pool == NULL) {
        sso_ctx_t ctx;
        fuzz_check(apr_initialize() == APR_SUCCESS);
        fuzz_check(apr_pool_create(&process_pool, NULL) == APR_SUCCESS);
        sso_ctx_init(&ctx, process_pool, FUZZ_NOW);
        fuzz_check(sso_crypto_init(&ctx, process_pool) == SSO_OK);
    }
    return process_pool;
}

void fuzz_broken(const char *invariant, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, invariant);
    abort();
}

/* SECURITY: no byte of a stranger's may begin a line of its own in a log. */
static void log_check(void *baton, sso_level_t level, const char *file, int line, const char *text)
{
    (void)baton, (void)level, (void)file, (void)line;
    fuzz_check(!sso_has_control(text));
}

void fuzz_run(fuzz_fn *target, const uint8_t *data, size_t len)
{
    sso_ctx_t ctx;
    apr_pool_t *pool;
    fuzz_check(apr_pool_create(&pool, fuzz_process_pool()) == APR_SUCCESS);
    sso_ctx_init(&ctx, pool, FUZZ_NOW);
    ctx.log = log_check;
    target(&ctx, data, len);
    fuzz_check(ctx.fault.detail == NULL || !sso_has_control(ctx.fault.detail));
    fuzz_check(ctx.fault.oauth_error == NULL || !sso_has_control(ctx.fault.oauth_error));
    fuzz_check(ctx.fault.correlation_id == NULL || !sso_has_control(ctx.fault.correlation_id));
    apr_pool_destroy(pool);
}

const char *fuzz_text(sso_ctx_t *ctx, const uint8_t *data, size_t len)
{
    /* Not as long as the input when a NUL stands in it: then its end is the end. */
    return apr_pstrmemdup(ctx->pool, len > 0 ? (const char *)data : "",
                          strnlen(len > 0 ? (const char *)data : "", len));
}

const char *fuzz_line(sso_ctx_t *ctx, const uint8_t **data, size_t *len)
{
    const uint8_t *end = *len > 0 ? memchr(*data, '\n', *len) : NULL;
    size_t line_len = end != NULL ? (size_t)(end - *data) : *len;
    size_t used = end != NULL ? line_len + 1 : line_len;
    const char *line = fuzz_text(ctx, *data, line_len);
    *data += used;
    *len -= used;
    return line;
}

unsigned fuzz_choice(const uint8_t **data, size_t *len, unsigned count)
{
    if (*len == 0) {
        return 0;
    }
    unsigned byte = **data;
    (*data)++;
    (*len)--;
    /* '0' is 0, so that seeds can be written by hand. */
    return (byte - '0') % count;
}

const sso_json_t *fuzz_json(sso_ctx_t *ctx, const char *text, size_t len)
{
    const sso_json_t *value = NULL;
    if (sso_json_parse_deep(ctx, ctx->pool, text, len, SSO_MAX_SCIM_BODY, SSO_MAX_SCIM_DEPTH, &value) != SSO_OK) {
        sso_fault_clear(ctx);
        return NULL;
    }
    return value;
}

static sso_rc http_perform(sso_http_t *http, sso_ctx_t *ctx, const sso_http_request_t *request,
                           sso_http_response_t *ret)
{
    fuzz_http_t *fake = (fuzz_http_t *)http;
    fake->calls++;
    if (fake->len > request->max_response) {
        return sso_fail(ctx, SSO_R_HTTP_SIZE, "an answer of %" APR_SIZE_T_FMT " bytes", fake->len);
    }
    memset(ret, 0, sizeof(*ret));
    ret->status = fake->status;
    ret->body = apr_pstrmemdup(ctx->pool, fake->body, fake->len);
    ret->len = fake->len;
    ret->date = FUZZ_NOW;
    ret->challenge = fake->status == 401 ? fuzz_text(ctx, (const uint8_t *)fake->body, fake->len) : NULL;
    return SSO_OK;
}

void fuzz_http_init(fuzz_http_t *http, sso_ctx_t *ctx, const uint8_t *data, size_t len)
{
    static const int statuses[] = {200, 400, 401, 403, 404, 410, 429, 500};
    memset(http, 0, sizeof(*http));
    http->face.perform = http_perform;
    http->status = statuses[fuzz_choice(&data, &len, 8)];
    http->body = apr_pstrmemdup(ctx->pool, len > 0 ? (const char *)data : "", len);
    http->len = len;
}
