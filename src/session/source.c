/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the text of EntraDatabase as libpq would read its part of it, to find mistakes early and passwords always. */
#include "session/source.h"

#include <stdbool.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/limits.h"

/* Three seconds to connect. A peer that no longer acknowledges is given up as fast: else a thread would wait for a
 * server without power for a quarter of an hour. */
#define BOUNDS "connect_timeout=3%stcp_user_timeout=5000%sclient_encoding=UTF8%sfallback_application_name=mod_entra_sso"

static bool is_uri(const char *conninfo)
{
    return strncmp(conninfo, "postgresql://", 13) == 0 || strncmp(conninfo, "postgres://", 11) == 0;
}

/* One "key = value" of a conninfo, as views into it. */
typedef struct {
    const char *key;
    apr_size_t key_len;
    const char *value; /* with its quotes */
    apr_size_t value_len;
} pair_t;

static const char *skip_blanks(const char *at)
{
    while (apr_isspace(*at)) {
        at++;
    }
    return at;
}

/* Behind the value that begins at `at`; NULL when its quote is never closed. */
static const char *value_end(const char *at)
{
    bool quoted = *at == '\'';
    for (at += quoted ? 1 : 0; *at != '\0'; at++) {
        if (*at == '\\' && at[1] != '\0') {
            at++;
        } else if (quoted && *at == '\'') {
            return at + 1;
        } else if (!quoted && apr_isspace(*at)) {
            return at;
        }
    }
    return quoted ? NULL : at;
}

/* Reads the pair at *at and moves *at behind it. NULL when good or at the end (then key is NULL), else what is wrong.
 */
static const char *pair_next(const char **at, pair_t *pair)
{
    const char *text = skip_blanks(*at);
    *at = text;
    pair->key = *text == '\0' ? NULL : text;
    if (pair->key == NULL) {
        return NULL;
    }
    while (apr_islower(*text) || *text == '_') {
        text++;
    }
    pair->key_len = (apr_size_t)(text - pair->key);
    text = skip_blanks(text);
    if (pair->key_len == 0 || *text != '=') {
        return "the connection string is not made of key=value pairs";
    }
    pair->value = skip_blanks(text + 1);
    const char *end = value_end(pair->value);
    if (end == NULL) {
        return "a quote in the connection string is never closed";
    }
    pair->value_len = (apr_size_t)(end - pair->value);
    *at = end;
    return NULL;
}

static const char *conninfo_check(const char *conninfo)
{
    pair_t pair;
    const char *wrong = NULL;
    if (is_uri(conninfo)) {
        return NULL;
    }
    do {
        wrong = pair_next(&conninfo, &pair);
    } while (wrong == NULL && pair.key != NULL);
    return wrong;
}

const char *sso_store_source(apr_pool_t *pool, const char *text, const char **ret_driver, const char **ret_params)
{
    const char *params = strchr(text, ':');
    params = skip_blanks(params == NULL ? "" : params + 1);
    if (strlen(text) > SSO_MAX_SOURCE) {
        return "the text is too long";
    }
    if (strncmp(text, "sqlite3:", 8) == 0) {
        /* A database in memory, or SQLite's URIs: each connection would see another. */
        if (*params == '\0' || *params == ':' || strncmp(params, "file:", 5) == 0) {
            return "no file is named; write sqlite3:FILE";
        }
        *ret_driver = "sqlite3";
    } else if (strncmp(text, "pgsql:", 6) == 0) {
        const char *wrong = conninfo_check(params);
        if (wrong != NULL || *params == '\0') {
            return apr_pstrcat(pool, wrong == NULL ? "no server is named" : wrong,
                               "; write \"pgsql:host=db.example.com dbname=entra user=entra\"", NULL);
        }
        *ret_driver = "pgsql";
    } else {
        return "the database is unknown; write sqlite3:FILE or \"pgsql:host=... dbname=... user=...\"";
    }
    *ret_params = apr_pstrdup(pool, params);
    return NULL;
}

static bool is_secret_key(const char *key, apr_size_t len)
{
    return (len == 8 && strncmp(key, "password", 8) == 0) || (len == 11 && strncmp(key, "sslpassword", 11) == 0);
}

/* SECURITY: what cannot be read is not shown at all. */
static const char *pairs_mask(apr_pool_t *pool, const char *conninfo)
{
    const char *out = "";
    pair_t pair;
    for (;;) {
        const char *wrong = pair_next(&conninfo, &pair);
        if (wrong != NULL) {
            return "(unreadable)";
        }
        if (pair.key == NULL) {
            return out;
        }
        bool secret = is_secret_key(pair.key, pair.key_len);
        out = apr_pstrcat(pool, out, *out == '\0' ? "" : " ", apr_pstrmemdup(pool, pair.key, pair.key_len), "=",
                          secret ? "***" : apr_pstrmemdup(pool, pair.value, pair.value_len), NULL);
    }
}

/* scheme://user:PASSWORD@host/name?password=PASSWORD&... */
static const char *uri_mask(apr_pool_t *pool, const char *uri)
{
    const char *authority = strstr(uri, "://") + 3;
    apr_size_t authority_len = strcspn(authority, "/?#");
    const char *host = authority;
    /* The last @: a password may hold one that was not encoded. */
    for (apr_size_t i = 0; i < authority_len; i++) {
        host = authority[i] == '@' ? authority + i : host;
    }
    const char *colon = memchr(authority, ':', (apr_size_t)(host - authority));
    const char *out = apr_pstrmemdup(pool, uri, (apr_size_t)(authority - uri));
    out = colon == NULL
              ? apr_pstrcat(pool, out, apr_pstrmemdup(pool, authority, (apr_size_t)(host - authority)), NULL)
              : apr_pstrcat(pool, out, apr_pstrmemdup(pool, authority, (apr_size_t)(colon - authority)), ":***", NULL);
    const char *query = strchr(host, '?');
    if (query == NULL) {
        return apr_pstrcat(pool, out, host, NULL);
    }
    out = apr_pstrcat(pool, out, apr_pstrmemdup(pool, host, (apr_size_t)(query - host)), NULL);
    while (*query != '\0') {
        apr_size_t len = 1 + strcspn(query + 1, "&");
        apr_size_t key_len = strcspn(query + 1, "=&");
        out = is_secret_key(query + 1, key_len)
                  ? apr_pstrcat(pool, out, apr_pstrmemdup(pool, query, 1 + key_len), "=***", NULL)
                  : apr_pstrcat(pool, out, apr_pstrmemdup(pool, query, len), NULL);
        query += len;
    }
    return out;
}

const char *sso_source_masked(apr_pool_t *pool, const char *text)
{
    if (strncmp(text, "pgsql:", 6) != 0) {
        return text;
    }
    const char *conninfo = skip_blanks(text + 6);
    return apr_pstrcat(pool, "pgsql:", is_uri(conninfo) ? uri_mask(pool, conninfo) : pairs_mask(pool, conninfo), NULL);
}

const char *sso_source_bounded(apr_pool_t *pool, const char *conninfo)
{
    /* libpq takes the last of two: ours stand first. */
    if (!is_uri(conninfo)) {
        return apr_pstrcat(pool, apr_psprintf(pool, BOUNDS, " ", " ", " "), " ", conninfo, NULL);
    }
    const char *query = strchr(conninfo, '?');
    const char *bounds = apr_psprintf(pool, BOUNDS, "&", "&", "&");
    if (query == NULL) {
        return apr_pstrcat(pool, conninfo, "?", bounds, NULL);
    }
    return apr_pstrcat(pool, apr_pstrmemdup(pool, conninfo, (apr_size_t)(query - conninfo)), "?", bounds,
                       query[1] == '\0' ? "" : "&", query + 1, NULL);
}
