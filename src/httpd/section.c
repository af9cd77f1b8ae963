/* SPDX-License-Identifier: Apache-2.0 */
/* Between the sections of the configuration and flow/stepup.c. Nothing here lets anybody in: it only finds out which
 * refusal is the helpful one. */
#include "build_config.h"

#include "httpd/section.h"

#include <string.h>

#include <http_config.h>
#include <http_log.h>
#include <http_request.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "flow/access.h"
#include "flow/silent.h"
#include "flow/stepup.h"

void sso_section_wishes(request_rec *r, sso_wishes_t *ret_wishes)
{
    const sso_dir_config_t *dir = sso_config_dir(r);
    sso_wishes_t wishes = {
        .max_age = dir->option[SSO_DIR_MAX_AUTH_AGE].span,
        .prompt = dir->option[SSO_DIR_PROMPT].first,
        .login_hint = dir->option[SSO_DIR_LOGIN_HINT].first,
        .domain_hint = dir->option[SSO_DIR_DOMAIN_HINT].first,
    };
    *ret_wishes = wishes;
}

bool sso_section_is_fresh(request_rec *r, const sso_visit_t *visit, sso_wishes_t *ret_wishes)
{
    apr_interval_time_t max_age = sso_config_dir(r)->option[SSO_DIR_MAX_AUTH_AGE].span;
    if (max_age <= 0 || sso_auth_is_fresh(&visit->record, r->request_time, max_age, visit->site->site.skew)) {
        return true;
    }
    /* Nobody is to choose an account here: it must be the session's. */
    sso_wishes_t wishes = {.max_age = max_age, .login_hint = sso_hint_of(&visit->record)};
    *ret_wishes = wishes;
    return false;
}

bool sso_section_is_silent(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, sso_wishes_t *ret_wishes)
{
    int mode = sso_config_dir(r)->option[SSO_DIR_UNAUTHENTICATED].choice;
    sso_request_t request;
    /* Before anything else, since nearly every session has a refresh token. */
    if (visit->record.renewable || (mode != SSO_UNAUTH_AUTO && mode != SSO_UNAUTH_LOGIN)) {
        return false;
    }
    sso_visit_request(r, visit, &request);
    return sso_silent_is_due(ctx, &visit->site->site, &request, &visit->record, ret_wishes);
}

static uint64_t mask_of(const apr_array_header_t *contexts, const char *context)
{
    for (int i = 0; contexts != NULL && i < contexts->nelts && i < SSO_MAX_ACRS; i++) {
        if (strcmp(sso_text_at(contexts, i), context) == 0) {
            return UINT64_C(1) << i;
        }
    }
    return 0;
}

void sso_section_note(request_rec *r, sso_visit_t *visit, const sso_rule_t *rule)
{
    apr_array_header_t *wanted = apr_array_make(r->pool, 2, sizeof(const char *));
    sso_rule_acrs(rule, wanted);
    for (int i = 0; i < wanted->nelts; i++) {
        visit->missing |= mask_of(visit->site->site.acrs, sso_text_at(wanted, i));
    }
}

/* The session with the supposed contexts beside its own. */
static void suppose(request_rec *r, const sso_visit_t *visit, uint64_t supposed, sso_record_t *record)
{
    const apr_array_header_t *contexts = visit->site->site.acrs;
    apr_array_header_t *acrs = apr_array_make(r->pool, contexts->nelts, sizeof(const char *));
    for (int i = 0; i < contexts->nelts; i++) {
        const char *context = sso_text_at(contexts, i);
        if ((supposed & mask_of(contexts, context)) != 0 || sso_list_has(&visit->record.acrs, context)) {
            APR_ARRAY_PUSH(acrs, const char *) = context;
        }
    }
    *record = visit->record;
    record->acrs = sso_list_make(r->pool, acrs);
}

/* Asks the Require lines once more. What httpd says of a refusal it has said once: these are only questions. */
static int ask_quietly(request_rec *r, sso_visit_t *visit)
{
    static const struct ap_logconf quiet = {NULL, APLOG_EMERG};
    const struct ap_logconf *log = r->log;
    const char *grounds = visit->grounds;
    r->log = &quiet;
    visit->asking_others = true;
    int status = ap_run_auth_checker(r);
    visit->asking_others = false;
    r->log = log;
    visit->grounds = grounds;
    return status;
}

typedef struct {
    request_rec *r;
    sso_visit_t *visit;
} trial_t;

static bool ask_again(void *baton, uint64_t supposed, uint64_t *ret_missing)
{
    const trial_t *trial = baton;
    sso_visit_t *visit = trial->visit;
    sso_record_t record;
    suppose(trial->r, visit, supposed, &record);
    visit->missing = 0;
    visit->supposed = &record;
    int status = ask_quietly(trial->r, visit);
    visit->supposed = NULL;
    *ret_missing = visit->missing;
    return status == OK;
}

bool sso_section_stepup_helps(request_rec *r, sso_visit_t *visit, sso_wishes_t *ret_wishes)
{
    trial_t trial = {r, visit};
    if (visit->missing == 0) {
        return false;
    }
    int context = sso_stepup_search(ask_again, &trial, visit->missing);
    if (context < 0) {
        return false;
    }
    sso_wishes_t wishes = {.acr = sso_text_at(visit->site->site.acrs, context),
                           .login_hint = sso_hint_of(&visit->record)};
    *ret_wishes = wishes;
    return true;
}

void sso_section_ask_held(request_rec *r, sso_visit_t *visit)
{
    uint64_t missing = visit->missing;
    visit->held = NULL;
    visit->asking_held = true;
    (void)ask_quietly(r, visit);
    visit->asking_held = false;
    visit->missing = missing;
    if (visit->held != NULL) {
        visit->grounds = visit->grounds == NULL ? apr_pstrcat(r->pool, "holds: ", visit->held, NULL)
                                                : apr_pstrcat(r->pool, visit->grounds, "; holds: ", visit->held, NULL);
    }
    visit->held = NULL;
}
