/* SPDX-License-Identifier: Apache-2.0 */
/* Small constructors of requests and answers. */
#include "flow/flow.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"

void sso_answer_init(sso_answer_t *answer, apr_pool_t *pool)
{
    memset(answer, 0, sizeof(*answer));
    answer->cookies = apr_array_make(pool, 4, sizeof(const char *));
    answer->retry_path = "/";
}

void sso_answer_redirect(sso_answer_t *answer, const char *location)
{
    answer->kind = SSO_ANSWER_REDIRECT;
    answer->location = location;
}

void sso_answer_fault(sso_answer_t *answer, const char *retry_path)
{
    answer->kind = SSO_ANSWER_FAULT;
    answer->retry_path = retry_path;
}

const char *sso_request_header(const sso_request_t *request, const char *name)
{
    const char *value = request->header(request->baton, name);
    return value == NULL ? "" : value;
}

bool sso_request_header_is(const sso_request_t *request, const char *name, const char *word)
{
    return apr_cstr_casecmp(sso_request_header(request, name), word) == 0;
}

const char *sso_login_url(apr_pool_t *pool, const sso_site_t *site, const char *return_path, const sso_wishes_t *wishes)
{
    const char *acr = "";
    const char *age = "";
    if (wishes != NULL && wishes->acr != NULL) {
        acr = apr_pstrcat(pool, "&acr=", sso_percent_encode(pool, wishes->acr), NULL);
    }
    if (wishes != NULL && wishes->max_age > 0) {
        age = apr_psprintf(pool, "&max_age=%" APR_TIME_T_FMT, apr_time_sec(wishes->max_age));
    }
    return apr_pstrcat(pool, site->origin->text, site->path, "/login?rd=", sso_percent_encode(pool, return_path), acr,
                       age, NULL);
}
