/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the request's headers. Backends of the CGI family fold names, so we fold them the same way before we
 * compare. */
#include "build_config.h"

#include "httpd/scrub.h"

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/bytes.h"

#define OWN_PREFIX "x_entra_"

struct sso_scrub_t {
    bool begins[256];         /* bytes that an owned name can begin with, before folding: most headers end here */
    const char *const *names; /* folded, sorted */
    int count;
    apr_size_t longest;
    const apr_array_header_t *prefixes; /* const char *, folded */
};

static char fold(char c)
{
    return apr_isalnum(c) ? (char)apr_tolower(c) : '_';
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void note_first(sso_scrub_t *scrub, const char *folded)
{
    for (int byte = 0; byte < 256; byte++) {
        /* An empty prefix, "*" alone, begins everything. */
        scrub->begins[byte] = scrub->begins[byte] || *folded == '\0' || fold((char)byte) == *folded;
    }
}

const sso_scrub_t *sso_scrub_make(apr_pool_t *pool, const apr_array_header_t *names)
{
    sso_scrub_t *scrub = apr_pcalloc(pool, sizeof(*scrub));
    const char **folded = apr_pcalloc(pool, ((apr_size_t)names->nelts + 1) * sizeof(*folded));
    apr_array_header_t *prefixes = apr_array_make(pool, 3, sizeof(const char *));
    APR_ARRAY_PUSH(prefixes, const char *) = OWN_PREFIX;
    for (int i = 0; i < names->nelts; i++) {
        char *name = apr_pstrdup(pool, sso_text_at(names, i));
        apr_size_t end = strcspn(name, "*");
        bool prefix = name[end] != '\0';
        name[end] = '\0';
        for (char *p = name; *p != '\0'; p++) {
            *p = fold(*p);
        }
        if (prefix) {
            APR_ARRAY_PUSH(prefixes, const char *) = name;
            continue;
        }
        /* A CGI variable HTTP_X is made of the request header X, after ours and over it. */
        folded[scrub->count] = strncmp(name, "http_", 5) == 0 ? name + 5 : name;
        apr_size_t len = strlen(folded[scrub->count]);
        scrub->longest = len > scrub->longest ? len : scrub->longest;
        scrub->count++;
    }
    for (int i = 0; i < scrub->count; i++) {
        note_first(scrub, folded[i]);
    }
    for (int i = 0; i < prefixes->nelts; i++) {
        note_first(scrub, sso_text_at(prefixes, i));
    }
    qsort(folded, (size_t)scrub->count, sizeof(*folded), compare);
    scrub->names = folded;
    scrub->prefixes = prefixes;
    return scrub;
}

static bool has_owned_prefix(const sso_scrub_t *scrub, const char *folded)
{
    for (int i = 0; i < scrub->prefixes->nelts; i++) {
        const char *prefix = sso_text_at(scrub->prefixes, i);
        if (strncmp(folded, prefix, strlen(prefix)) == 0) {
            return true;
        }
    }
    return false;
}

bool sso_scrub_owns(const sso_scrub_t *scrub, const char *name, apr_size_t len)
{
    char folded[SSO_MAX_OWNED_NAME + 1];
    const char *key = folded;
    if (len == 0 || !scrub->begins[(unsigned char)*name]) {
        return false;
    }
    /* A configured name is never longer, and a prefix much shorter. */
    apr_size_t kept = len < SSO_MAX_OWNED_NAME ? len : SSO_MAX_OWNED_NAME;
    for (apr_size_t i = 0; i < kept; i++) {
        folded[i] = fold(name[i]);
    }
    folded[kept] = '\0';
    if (has_owned_prefix(scrub, folded)) {
        return true;
    }
    return len <= scrub->longest &&
           bsearch(&key, scrub->names, (size_t)scrub->count, sizeof(*scrub->names), compare) != NULL;
}

/* SECURITY: mod_proxy takes ';' and white space for separators of a Connection line as well (ap_get_token), so they are
 * here. */
static const char SEPARATORS[] = ",; \t\v\f\r\n";

/* Moves *at to the next token and gives its length; 0 at the end. */
static apr_size_t next_token(const char **at)
{
    *at += strspn(*at, SEPARATORS);
    return strcspn(*at, SEPARATORS);
}

static bool names_owned(const sso_scrub_t *scrub, const char *value)
{
    const char *token = value;
    for (apr_size_t len; (len = next_token(&token)) > 0; token += len) {
        if (sso_scrub_owns(scrub, token, len)) {
            return true;
        }
    }
    return false;
}

/* Takes the tokens that name owned headers out of Connection. The line may be as long as httpd lets a request's head
 * be, so it is copied once: what is kept has one separator where there was one at least. */
static void scrub_connection(request_rec *r, const sso_scrub_t *scrub)
{
    const char *value = apr_table_get(r->headers_in, "Connection");
    if (value == NULL || !names_owned(scrub, value)) {
        return;
    }
    char *kept = apr_palloc(r->pool, strlen(value) + 1);
    char *end = kept;
    for (apr_size_t len; (len = next_token(&value)) > 0; value += len) {
        if (!sso_scrub_owns(scrub, value, len)) {
            if (end != kept) {
                *end++ = ',';
            }
            memcpy(end, value, len);
            end += len;
        }
    }
    *end = '\0';
    if (end == kept) {
        apr_table_unset(r->headers_in, "Connection");
    } else {
        apr_table_setn(r->headers_in, "Connection", kept);
    }
}

/* Takes out of table what begins with prefix and goes on with an owned name. */
static void scrub_table(apr_pool_t *pool, const sso_scrub_t *scrub, const char *prefix, apr_table_t *table)
{
    const apr_array_header_t *pairs = apr_table_elts(table);
    const apr_table_entry_t *entry = (const void *)pairs->elts;
    apr_size_t skip = strlen(prefix);
    /* Unsetting moves the entries behind, so the names are collected first; there are none in an honest request. */
    apr_array_header_t *found = NULL;
    for (int i = 0; i < pairs->nelts; i++) {
        const char *key = entry[i].key;
        if (strncmp(key, prefix, skip) == 0 && sso_scrub_owns(scrub, key + skip, strlen(key + skip))) {
            found = found == NULL ? apr_array_make(pool, 4, sizeof(const char *)) : found;
            APR_ARRAY_PUSH(found, const char *) = key;
        }
    }
    for (const char **name; found != NULL && (name = apr_array_pop(found)) != NULL;) {
        apr_table_unset(table, *name);
    }
}

void sso_scrub_request(request_rec *r, const sso_scrub_t *scrub)
{
    scrub_table(r->pool, scrub, "", r->headers_in);
    scrub_connection(r, scrub);
}

void sso_scrub_subrequest(request_rec *r, const sso_scrub_t *scrub)
{
    sso_scrub_request(r, scrub);
    /* mod_include makes the variables of a page before those of what it includes, which begin as a copy. */
    scrub_table(r->pool, scrub, "HTTP_", r->subprocess_env);
}
