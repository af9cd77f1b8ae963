/* SPDX-License-Identifier: Apache-2.0 */
/* Cookie text: never looks inside a sealed value. */
#include "session/cookie.h"

#include <string.h>

#include <apr_strings.h>

#include "base/limits.h"

#define SESSION_NAME "Entra-Session"
#define LOGIN_NAME "Entra-Login"
#define DASH_AT 5 /* in both, and far rarer than their letters */

void sso_cookie_policy_init(apr_pool_t *pool, bool https, const char *domain, sso_cookie_policy_t *ret_policy)
{
    const char *prefix = !https ? "" : (domain != NULL ? "__Secure-" : "__Host-");
    ret_policy->session = apr_pstrcat(pool, prefix, SESSION_NAME, NULL);
    ret_policy->login = apr_pstrcat(pool, https ? "__Host-" : "", LOGIN_NAME, NULL);
    ret_policy->domain = domain;
    ret_policy->secure = https;
}

/* One name=value pair of a Cookie header, as a view. */
typedef struct {
    const char *begin; /* of the pair, white space before it left out */
    const char *end;
    const char *name_end;
    const char *value; /* NULL when there is no '=' */
} pair_t;

static bool next_pair(const char **at, pair_t *pair)
{
    const char *p = *at;
    while (*p == ' ' || *p == '\t' || *p == ';') {
        p++;
    }
    if (*p == '\0') {
        return false;
    }
    const char *semicolon = strchr(p, ';');
    pair->begin = p;
    pair->end = semicolon != NULL ? semicolon : p + strlen(p);
    *at = pair->end;
    while (pair->end > pair->begin && (pair->end[-1] == ' ' || pair->end[-1] == '\t')) {
        pair->end--;
    }
    const char *equals = memchr(pair->begin, '=', (apr_size_t)(pair->end - pair->begin));
    pair->name_end = equals != NULL ? equals : pair->end;
    pair->value = equals != NULL ? equals + 1 : NULL;
    return true;
}

/* SECURITY: by substring and without regard to case or prefix, so that neither two Cookie lines that httpd joined with
 * a comma nor a cookie of a sibling application can carry one of ours to the backend. */
static bool holds_ours(const pair_t *pair)
{
    const char *p = pair->begin;
    while ((p = memchr(p, '-', (apr_size_t)(pair->end - p))) != NULL) {
        const char *name = p - DASH_AT;
        p++;
        if (name >= pair->begin && (strncasecmp(name, SESSION_NAME, sizeof(SESSION_NAME) - 1) == 0 ||
                                    strncasecmp(name, LOGIN_NAME, sizeof(LOGIN_NAME) - 1) == 0)) {
            return true;
        }
    }
    return false;
}

/* The chunk number that a pair's name says: 0 for the bare name, 1.. for name-1.., else -1. */
static int chunk_of(const pair_t *pair, const char *name)
{
    apr_size_t have = (apr_size_t)(pair->name_end - pair->begin);
    apr_size_t len = *pair->begin == *name ? strlen(name) : SIZE_MAX; /* most cookies are others' */
    if (have < len || strncmp(pair->begin, name, len) != 0) {
        return -1;
    }
    if (have == len) {
        return 0;
    }
    const char *suffix = pair->begin + len;
    if (have == len + 2 && suffix[0] == '-' && suffix[1] >= '1' && suffix[1] < '0' + SSO_MAX_COOKIE_CHUNKS) {
        return suffix[1] - '0';
    }
    return -1;
}

/* A session of n chunks begins with "n." in its first cookie; '.' is no letter of base64url. */
static int chunks_announced(const pair_t *first)
{
    if (first->end - first->value >= 2 && first->value[1] == '.') {
        int n = first->value[0] - '0';
        return n >= 2 && n <= SSO_MAX_COOKIE_CHUNKS ? n : -1;
    }
    return 1;
}

static void join_session(apr_pool_t *pool, const pair_t *parts, sso_cookies_t *cookies)
{
    if (parts[0].value == NULL) {
        cookies->broken = cookies->session_parts != 0;
        return;
    }
    int count = chunks_announced(&parts[0]);
    apr_size_t total = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].value == NULL || parts[i].end - parts[i].value > SSO_COOKIE_CHUNK + 2) {
            count = -1;
        } else {
            total += (apr_size_t)(parts[i].end - parts[i].value);
        }
    }
    if (count < 1) {
        cookies->broken = true;
        return;
    }
    if (count == 1) {
        /* The usual case: a view into the header, no copy. */
        cookies->session = parts[0].value;
        cookies->session_len = total;
        return;
    }
    char *text = apr_palloc(pool, total + 1);
    char *end = text;
    for (int i = 0; i < count; i++) {
        const char *from = parts[i].value + (i == 0 ? 2 : 0);
        apr_size_t len = (apr_size_t)(parts[i].end - from);
        memcpy(end, from, len);
        end += len;
    }
    *end = '\0';
    cookies->session = text;
    cookies->session_len = (apr_size_t)(end - text);
}

/* Appends a pair to the header that is built for the backend. */
static char *keep_pair(char *rest, char *end, const pair_t *pair)
{
    if (end != rest) {
        *end++ = ';';
        *end++ = ' ';
    }
    apr_size_t len = (apr_size_t)(pair->end - pair->begin);
    memcpy(end, pair->begin, len);
    return end + len;
}

/* Takes a pair that is the module's own, or has its name. The first of a name counts. */
static bool take_pair(apr_pool_t *pool, const sso_cookie_policy_t *policy, const pair_t *pair, pair_t *parts,
                      sso_cookies_t *cookies)
{
    int chunk = chunk_of(pair, policy->session);
    bool login = chunk < 0 && chunk_of(pair, policy->login) == 0;
    if (chunk >= 0 && pair->value != NULL && parts[chunk].value == NULL) {
        parts[chunk] = *pair;
        cookies->session_parts |= 1u << chunk;
    } else if (login && pair->value != NULL && cookies->login == NULL) {
        cookies->login = apr_pstrmemdup(pool, pair->value, (apr_size_t)(pair->end - pair->value));
    }
    return chunk >= 0 || login || holds_ours(pair);
}

void sso_cookie_read(apr_pool_t *pool, const sso_cookie_policy_t *policy, const char *header,
                     sso_cookies_t *ret_cookies)
{
    pair_t parts[SSO_MAX_COOKIE_CHUNKS];
    memset(parts, 0, sizeof(parts));
    memset(ret_cookies, 0, sizeof(*ret_cookies));
    ret_cookies->rest = header;
    if (header == NULL) {
        return;
    }
    /* A pair is written with at most the two bytes that stood before it, and one more for a lone ';'. */
    char *rest = apr_palloc(pool, 2 * strlen(header) + 2);
    char *end = rest;
    bool any = false;
    const char *at = header;
    pair_t pair;
    while (next_pair(&at, &pair)) {
        if (take_pair(pool, policy, &pair, parts, ret_cookies)) {
            any = true;
        } else {
            end = keep_pair(rest, end, &pair);
        }
    }
    join_session(pool, parts, ret_cookies);
    if (any) {
        *end = '\0';
        ret_cookies->rest = end == rest ? NULL : rest;
    }
}

static const char *cookie_line(apr_pool_t *pool, const sso_cookie_policy_t *policy, const char *name, const char *value,
                               const char *domain, bool end)
{
    return apr_pstrcat(pool, name, "=", value, "; Path=/", domain != NULL ? "; Domain=" : "",
                       domain != NULL ? domain : "", policy->secure ? "; Secure" : "", "; HttpOnly; SameSite=Lax",
                       end ? "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" : "", NULL);
}

static void add_line(apr_array_header_t *lines, const char *line)
{
    APR_ARRAY_PUSH(lines, const char *) = line;
}

static const char *chunk_name(apr_pool_t *pool, const sso_cookie_policy_t *policy, unsigned chunk)
{
    return chunk == 0 ? policy->session : apr_psprintf(pool, "%s-%u", policy->session, chunk);
}

bool sso_cookie_set_session(apr_pool_t *pool, const sso_cookie_policy_t *policy, const char *sealed,
                            unsigned sent_parts, apr_array_header_t *lines)
{
    apr_size_t len = strlen(sealed);
    unsigned count = (unsigned)((len + SSO_COOKIE_CHUNK - 1) / SSO_COOKIE_CHUNK);
    if (count > SSO_MAX_COOKIE_CHUNKS) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        apr_size_t from = (apr_size_t)i * SSO_COOKIE_CHUNK;
        apr_size_t part = len - from < SSO_COOKIE_CHUNK ? len - from : SSO_COOKIE_CHUNK;
        const char *value = apr_pstrmemdup(pool, sealed + from, part);
        if (i == 0 && count > 1) {
            value = apr_psprintf(pool, "%u.%s", count, value);
        }
        add_line(lines, cookie_line(pool, policy, chunk_name(pool, policy, i), value, policy->domain, false));
    }
    sso_cookie_end_session(pool, policy, sent_parts & ~((1u << count) - 1u), lines);
    return true;
}

void sso_cookie_end_session(apr_pool_t *pool, const sso_cookie_policy_t *policy, unsigned sent_parts,
                            apr_array_header_t *lines)
{
    for (unsigned i = 0; i < SSO_MAX_COOKIE_CHUNKS; i++) {
        if ((sent_parts & (1u << i)) != 0) {
            add_line(lines, cookie_line(pool, policy, chunk_name(pool, policy, i), "", policy->domain, true));
        }
    }
}

void sso_cookie_set_login(apr_pool_t *pool, const sso_cookie_policy_t *policy, const char *sealed,
                          apr_array_header_t *lines)
{
    add_line(lines, cookie_line(pool, policy, policy->login, sealed, NULL, false));
}

void sso_cookie_end_login(apr_pool_t *pool, const sso_cookie_policy_t *policy, apr_array_header_t *lines)
{
    add_line(lines, cookie_line(pool, policy, policy->login, "", NULL, true));
}
