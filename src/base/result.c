/* SPDX-License-Identifier: Apache-2.0 */
/* The table of reasons and the record of the first fault; it never prints a log line on its own. */
#include "base/result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "base/limits.h"

/* A detail or a debug line is a few pieces of cut outside text and words of ours: longer is cut. */
#define MAX_DETAIL 2048

static const sso_reason_t reasons[SSO_RC_COUNT] = {
    [SSO_OK] = {"OK", 0, SSO_CLASS_INTERNAL, 200, SSO_LEVEL_DEBUG, SSO_PAGE_RETRY, "no fault"},
#define REASON(name, number, class, status, level, page, sentence)                                                     \
    [SSO_R_##name] = {#name, number, SSO_CLASS_##class, status, SSO_LEVEL_##level, SSO_PAGE_##page, sentence},
#include "base/reasons.def"
#undef REASON
};

/* SECURITY: a number that is no reason (memory trouble, a bad cast) reads as our own fault, never as good. */
static const sso_reason_t unknown_reason = {
    "UNKNOWN", 1000, SSO_CLASS_INTERNAL, 500, SSO_LEVEL_ERROR, SSO_PAGE_ADMIN, "a fault without a known reason"};

const sso_reason_t *sso_reason(sso_rc rc)
{
    /* Through unsigned, since an enum may be signed and rc may be any number at all. */
    return (unsigned)rc < (unsigned)SSO_RC_COUNT ? &reasons[rc] : &unknown_reason;
}

void sso_ctx_init(sso_ctx_t *ctx, apr_pool_t *pool, apr_time_t now)
{
    memset(ctx, 0, sizeof(*ctx));
    ctx->pool = pool;
    ctx->now = now;
}

/* The C library's printf and not apr_pvsprintf: APR's does not know %zu, which the compiler's check lets
 * pass. */
static const char *print_detail(apr_pool_t *pool, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
static const char *print_detail(apr_pool_t *pool, const char *fmt, va_list args)
{
    char text[MAX_DETAIL];
    if (vsnprintf(text, sizeof(text), fmt, args) < 0) {
        return NULL;
    }
    return apr_pstrdup(pool, text);
}

sso_rc sso_fail_at(sso_ctx_t *ctx, sso_rc rc, const char *file, int line, const char *fmt, ...)
{
    rc = sso_rc_bad(rc);
    /* The first fault is the cause; what callers add on the way up is only its consequence. */
    if (ctx->fault.rc != SSO_OK) {
        return rc;
    }
    ctx->fault.rc = rc;
    ctx->fault.file = file;
    ctx->fault.line = line;
    if (fmt != NULL) {
        va_list args;
        va_start(args, fmt);
        ctx->fault.detail = print_detail(ctx->pool, fmt, args);
        va_end(args);
    }
    return rc;
}

void sso_fault_clear(sso_ctx_t *ctx)
{
    memset(&ctx->fault, 0, sizeof(ctx->fault));
}

void sso_debug_at(sso_ctx_t *ctx, const char *file, int line, const char *fmt, ...)
{
    /* No sink, no work; with one, a buffer on the stack, so that debug lines do not fill the pool. */
    if (ctx->log == NULL) {
        return;
    }
    char text[MAX_DETAIL];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (len >= 0) {
        ctx->log(ctx->log_baton, SSO_LEVEL_DEBUG, file, line, text);
    }
}

const char *sso_printable(apr_pool_t *pool, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    if (text == NULL) {
        return "(none)";
    }
    char out[SSO_MAX_LOGGED + 1];
    apr_size_t len = 0;
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain = c >= 0x20 && c < 0x7f;
        /* An escape that would not fit whole is left out, so that the end is never half a byte. */
        if (len + (plain ? 1 : 4) > SSO_MAX_LOGGED) {
            break;
        }
        if (plain) {
            out[len++] = *p;
        } else {
            out[len++] = '\\';
            out[len++] = 'x';
            out[len++] = digits[c >> 4];
            out[len++] = digits[c & 0x0f];
        }
    }
    return apr_pstrmemdup(pool, out, len);
}

const char *sso_errno_text(apr_pool_t *pool, int err)
{
    char text[128];
    return apr_pstrdup(pool, apr_strerror(APR_FROM_OS_ERROR(err), text, sizeof(text)));
}
