/* SPDX-License-Identifier: Apache-2.0 */
/* The spoof normaliser: a name that a client sends, and a Connection line that would take our headers off again. Line
 * 1: a header's name; the rest: a Connection line. Invariants: it agrees with a slow reading of the rule; after it no
 * owned name is there, and everything else is. */
#include <strings.h>

#include "httpd/scrub.h"

#include "fuzz.h"

static const char *const owned[] = {"Remote-User", "X-WebAuth-User", "HTTP_OIDC_EMAIL", "X-Ms-*",
                                    "Authorization-Claims"};

static char slow_fold(char c)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9')) {
        return '_';
    }
    return (char)(letter ? c | 0x20 : c);
}

static bool slow_equal(const char *name, size_t len, const char *own, size_t own_len, bool prefix)
{
    bool same = prefix ? len >= own_len : len == own_len;
    for (size_t i = 0; i < own_len && same; i++) {
        same = slow_fold(name[i]) == slow_fold(own[i]);
    }
    return same;
}

static bool slow_owns(const char *name, size_t len)
{
    if (slow_equal(name, len, "x_entra_", 8, true)) {
        return true;
    }
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
        const char *own = strncmp(owned[i], "HTTP_", 5) == 0 ? owned[i] + 5 : owned[i];
        size_t own_len = strcspn(own, "*");
        if (slow_equal(name, len, own, own_len, own[own_len] == '*')) {
            return true;
        }
    }
    return false;
}

static const sso_scrub_t *make(sso_ctx_t *ctx)
{
    apr_array_header_t *names = apr_array_make(ctx->pool, 8, sizeof(const char *));
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
        APR_ARRAY_PUSH(names, const char *) = owned[i];
    }
    return sso_scrub_make(ctx->pool, names);
}

static void check_connection(const char *line, const char *kept)
{
    static const char separators[] = ",; \t\v\f\r\n";
    const char *have = kept == NULL ? "" : kept;
    for (const char *at = line + strspn(line, separators); *at != '\0'; at += strspn(at, separators)) {
        size_t len = strcspn(at, separators);
        if (!slow_owns(at, len)) {
            have += strspn(have, separators);
            fuzz_check(strncmp(have, at, len) == 0);
            have += len;
        }
        at += len;
    }
    fuzz_check(have[strspn(have, separators)] == '\0');
}

FUZZ_TARGET(scrub)
{
    const sso_scrub_t *scrub = make(ctx);
    const char *name = fuzz_line(ctx, &data, &len);
    const char *line = fuzz_line(ctx, &data, &len);
    bool is_owned = slow_owns(name, strlen(name));
    fuzz_check(sso_scrub_owns(scrub, name, strlen(name)) == is_owned);
    if (strcasecmp(name, "Connection") == 0 || *name == '\0') {
        return;
    }
    request_rec r;
    memset(&r, 0, sizeof(r));
    r.pool = ctx->pool;
    r.headers_in = apr_table_make(ctx->pool, 4);
    r.subprocess_env = apr_table_make(ctx->pool, 4);
    apr_table_setn(r.headers_in, name, "planted");
    apr_table_addn(r.headers_in, name, "and again");
    apr_table_setn(r.headers_in, "Connection", line);
    apr_table_setn(r.subprocess_env, apr_pstrcat(ctx->pool, "HTTP_", name, NULL), "planted");
    sso_scrub_subrequest(&r, scrub);
    fuzz_check((apr_table_get(r.headers_in, name) == NULL) == is_owned);
    fuzz_check((apr_table_elts(r.subprocess_env)->nelts == 0) == is_owned);
    check_connection(line, apr_table_get(r.headers_in, "Connection"));
}
