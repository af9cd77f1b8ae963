/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of values that are a list of words, or one word instead of all of them. */
#include "build_config.h"

#include "httpd/words.h"

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "flow/apitoken.h"
#include "flow/bearer.h"

const char *sso_words_tenants(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    apr_array_header_t *tenants = apr_array_make(pool, argc, sizeof(const char *));
    value->choice = argc == 1 && apr_cstr_casecmp(argv[0], "any") == 0;
    for (int i = 0; i < argc && !value->choice; i++) {
        if (!sso_is_guid(argv[i])) {
            return apr_psprintf(pool, "'%s' is no tenant GUID; write the GUIDs, or the one word any", argv[i]);
        }
        char *lower = apr_pstrdup(pool, argv[i]);
        ap_str_tolower(lower);
        APR_ARRAY_PUSH(tenants, const char *) = lower;
    }
    value->items = tenants;
    return NULL;
}

const char *sso_words_scopes(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    apr_array_header_t *scopes = apr_array_make(pool, argc, sizeof(const char *));
    for (int i = 0; i < argc && !(argc == 1 && apr_cstr_casecmp(argv[0], "none") == 0); i++) {
        /* RFC 6749 3.3: scope-token. */
        for (const char *p = argv[i]; *p != '\0'; p++) {
            if (*p <= 0x20 || *p >= 0x7f || *p == '"' || *p == '\\') {
                return apr_psprintf(pool, "'%s' is no scope", argv[i]);
            }
        }
        APR_ARRAY_PUSH(scopes, const char *) = argv[i];
    }
    value->items = scopes;
    return NULL;
}

const char *sso_words_audiences(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    apr_array_header_t *words = apr_array_make(pool, argc, sizeof(const char *));
    const sso_audiences_t *audiences = NULL;
    for (int i = 0; i < argc; i++) {
        APR_ARRAY_PUSH(words, const char *) = argv[i];
    }
    bool off = argc == 1 && apr_cstr_casecmp(argv[0], "off") == 0;
    const char *wrong = off ? NULL : sso_audiences_make(pool, words, &audiences);
    value->object = audiences;
    return wrong;
}

const char *sso_words_federated(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    apr_array_header_t *audiences = apr_array_make(pool, argc, sizeof(const char *));
    char *subject = apr_pstrdup(pool, argv[0]);
    ap_str_tolower(subject);
    for (int i = 1; i < argc; i++) {
        if (*argv[i] == '\0' || sso_has_control(argv[i])) {
            return "an audience is empty or holds a control character";
        }
        APR_ARRAY_PUSH(audiences, const char *) = argv[i];
    }
    value->first = subject;
    value->items = audiences;
    return sso_is_guid(subject) ? NULL
                                : apr_psprintf(pool,
                                               "'%s' is no object id; copy \"Object ID\" from the overview of the "
                                               "enterprise application that provisions",
                                               argv[0]);
}

static const char *parse_word(apr_pool_t *pool, const char *text, const char *first, const char *second,
                              sso_value_t *value)
{
    value->choice = apr_cstr_casecmp(text, second) == 0;
    return value->choice == 1 || apr_cstr_casecmp(text, first) == 0
               ? NULL
               : apr_psprintf(pool, "'%s' is unknown; write %s or %s", text, first, second);
}

const char *sso_words_group_source(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    return parse_word(pool, argv[0], "token", "scim", value);
}

const char *sso_words_match(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    return parse_word(pool, argv[0], "oid", "upn", value);
}

const char *sso_words_api(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    const sso_api_t *api = NULL;
    bool off = argc == 1 && apr_cstr_casecmp(argv[0], "off") == 0;
    const char *wrong = off ? NULL : sso_words_scopes(pool, argc, argv, value);
    if (!off && wrong == NULL) {
        wrong = value->items->nelts == 0 ? "'none' is no scope; write off to send no access token"
                                         : sso_api_make(pool, value->items, &api);
    }
    value->items = NULL;
    value->object = api;
    return wrong;
}
