/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of values that name files and credentials, and sizes. They only parse: what stands in the files is judged
 * later. */
#include "build_config.h"

#include "httpd/kinds.h"

#include <string.h>

#include <http_core.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "session/source.h"

const char *sso_parse_secret(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)pool, (void)argc;
    value->text = "(secret)";
    return *argv[0] == '\0' ? "the secret's source is empty" : NULL;
}

const char *sso_parse_files(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    value->first = ap_server_root_relative(pool, argv[0]);
    value->second = argc > 1 ? ap_server_root_relative(pool, argv[1]) : NULL;
    return value->first == NULL || (argc > 1 && value->second == NULL) ? "the path is not usable" : NULL;
}

/* One file or two, and as the last word how the key signs. */
const char *sso_parse_certificate(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    const char *last = argv[argc - 1];
    bool older = apr_cstr_casecmp(last, "RS256") == 0;
    bool named = argc > 1 && (older || apr_cstr_casecmp(last, "PS256") == 0);
    int files = named ? argc - 1 : argc;
    if (files > 2) {
        return apr_psprintf(pool, "'%s' is unknown; behind the files stands PS256 or RS256", last);
    }
    value->choice = named && older ? SSO_SIGN_RS256 : SSO_SIGN_PS256;
    return sso_parse_files(pool, files, argv, value);
}

const char *sso_parse_assertion(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)value;
    bool identity = strcmp(argv[0], "managed-identity") == 0;
    if (!identity && strcmp(argv[0], "workload-identity") != 0 && strncmp(argv[0], "file:", 5) != 0) {
        return apr_psprintf(pool, "'%s' is unknown; write workload-identity, managed-identity [client-id] or file:PATH",
                            argv[0]);
    }
    if (argc > 1 && !identity) {
        return "only managed-identity takes a second argument, the identity's client ID";
    }
    return argc > 1 && !sso_is_guid(argv[1]) ? "the managed identity's client ID is a GUID" : NULL;
}

const char *sso_parse_database(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    const char *driver;
    const char *params;
    (void)argc, (void)argv;
    value->first = value->text;
    value->text = sso_source_masked(pool, value->first);
    return sso_store_source(pool, value->first, &driver, &params);
}

const char *sso_parse_size(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    if (apr_cstr_casecmp(argv[0], "off") == 0) {
        value->choice = 1;
        return NULL;
    }
    const char *wrong = sso_size_parse(argv[0], &value->size);
    return wrong == NULL ? NULL
                         : apr_psprintf(pool, "'%s' is no size (%s); write one like 64k, or off", argv[0], wrong);
}

const char *sso_parse_audit(apr_pool_t *pool, int argc, const char *const argv[], sso_value_t *value)
{
    (void)argc;
    if (apr_cstr_casecmp(argv[0], "none") == 0) {
        value->choice = 1;
        return NULL;
    }
    if (sso_has_control(argv[0])) {
        return "a control character stands in it";
    }
    if (*argv[0] == '|') {
        const char *program = argv[0] + strspn(argv[0], "|$ ");
        return *program == '\0' ? "no program stands behind the |" : NULL;
    }
    value->first = ap_server_root_relative(pool, argv[0]);
    return *argv[0] == '\0' || value->first == NULL ? "the path is not usable" : NULL;
}
