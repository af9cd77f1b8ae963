/* SPDX-License-Identifier: Apache-2.0 */
/* Step-up and fresh sign-ins as comparisons of wishes with a record. What is absent is a no. */
#include "flow/stepup.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "flow/silent.h"

bool sso_wishes_strengthen(const sso_wishes_t *wishes)
{
    return wishes->acr != NULL || wishes->max_age > 0 || sso_wishes_are_silent(wishes);
}

bool sso_auth_is_fresh(const sso_record_t *record, apr_time_t now, apr_interval_time_t max_age,
                       apr_interval_time_t skew)
{
    /* SECURITY: Entra does what max_age asks without saying so in its documentation; only auth_time proves it. */
    return record->auth_time > 0 && record->auth_time <= now + skew && now - record->auth_time <= max_age + skew;
}

bool sso_wishes_are_met(const sso_ctx_t *ctx, const sso_site_t *site, const sso_wishes_t *wishes,
                        const sso_record_t *record)
{
    if (wishes->acr != NULL && !sso_list_has(&record->acrs, wishes->acr)) {
        return false;
    }
    return wishes->max_age <= 0 || sso_auth_is_fresh(record, ctx->now, wishes->max_age, site->skew);
}

static bool is_same_user(const sso_record_t *one, const sso_record_t *other)
{
    return apr_cstr_casecmp(one->oid, other->oid) == 0 && apr_cstr_casecmp(one->tid, other->tid) == 0;
}

sso_rc sso_wishes_check(sso_ctx_t *ctx, const sso_site_t *site, const sso_wishes_t *wishes, const sso_record_t *present,
                        const sso_record_t *record)
{
    /* SECURITY: the session goes on under its id, so whoever comes back must be its owner. */
    if (present != NULL && !is_same_user(present, record)) {
        return sso_fail(ctx, SSO_R_STEPUP_ACCOUNT, "oid %s of tenant %s, the session's is oid %s of tenant %s",
                        record->oid, record->tid, present->oid, present->tid);
    }
    /* SECURITY: fail closed, and no second try by itself: Entra would answer the same for ever. */
    if (wishes->acr != NULL && !sso_list_has(&record->acrs, wishes->acr)) {
        return sso_fail(ctx, SSO_R_STEPUP_MISSING,
                        "%s for oid %s; the tenant needs a Conditional Access policy for this context that covers the "
                        "user, and the registration the optional claim acrs in the ID token",
                        wishes->acr, record->oid);
    }
    if (wishes->max_age <= 0) {
        return SSO_OK;
    }
    if (record->auth_time == 0) {
        return sso_fail(ctx, SSO_R_AUTH_TIME_MISSING,
                        "add the optional claim auth_time for the ID token to the registration (Token configuration)");
    }
    if (!sso_auth_is_fresh(record, ctx->now, wishes->max_age, site->skew)) {
        return sso_fail(ctx, SSO_R_AUTH_TIME_STALE,
                        "%" APR_TIME_T_FMT " s old, at most %" APR_TIME_T_FMT " s were asked for",
                        apr_time_sec(ctx->now - record->auth_time), apr_time_sec(wishes->max_age));
    }
    return SSO_OK;
}

const char *sso_hint_of(const sso_record_t *record)
{
    const char *hint = *record->login_hint != '\0' ? record->login_hint : record->username;
    /* A hint only spares a click: one that is too long for the state is left out. */
    return *hint == '\0' || strlen(hint) > SSO_MAX_HINT ? NULL : hint;
}

static sso_rc parse_acr(sso_ctx_t *ctx, const sso_site_t *site, const char *acr, const char **ret_acr)
{
    for (int i = 0; site->acrs != NULL && i < site->acrs->nelts; i++) {
        if (strcmp(sso_text_at(site->acrs, i), acr) == 0) {
            *ret_acr = sso_text_at(site->acrs, i);
            return SSO_OK;
        }
    }
    return sso_fail(ctx, SSO_R_STEPUP_UNKNOWN, "context %s", sso_printable(ctx->pool, acr));
}

/* Ten years of seconds: more digits than that are nobody's age. */
static sso_rc parse_age(sso_ctx_t *ctx, const char *text, apr_interval_time_t *ret_age)
{
    apr_size_t len = strlen(text);
    apr_int64_t seconds = len > 0 && len <= 9 && strspn(text, "0123456789") == len ? apr_atoi64(text) : 0;
    if (seconds <= 0) {
        return sso_fail(ctx, SSO_R_STEPUP_UNKNOWN, "age %s", sso_printable(ctx->pool, text));
    }
    *ret_age = apr_time_from_sec(seconds);
    return SSO_OK;
}

sso_rc sso_wishes_parse(sso_ctx_t *ctx, const sso_site_t *site, const char *acr, const char *max_age,
                        sso_wishes_t *ret_wishes)
{
    sso_wishes_t wishes = {NULL};
    /* SECURITY: whoever makes the link chooses among the contexts of the configuration, and writes nothing of his own
     * into the claims parameter. An age only makes the sign-in stricter. */
    sso_rc rc = acr == NULL ? SSO_OK : parse_acr(ctx, site, acr, &wishes.acr);
    if (rc == SSO_OK && max_age != NULL) {
        rc = parse_age(ctx, max_age, &wishes.max_age);
    }
    if (rc == SSO_OK) {
        *ret_wishes = wishes;
    }
    return rc;
}

const char *sso_stepup_claims(apr_pool_t *pool, const char *acr)
{
    /* A context has only letters, digits, '.', '_' and '-' (session/entitle.c), so there is nothing to escape. */
    return apr_pstrcat(pool, "{\"id_token\":{\"acrs\":{\"essential\":true,\"value\":\"", acr, "\"}}}", NULL);
}

static int lowest_bit(uint64_t set)
{
    for (int i = 0; i < 64; i++) {
        if ((set >> i & 1) != 0) {
            return i;
        }
    }
    return -1;
}

/* Sets of contexts that are still to be tried, the smaller first. */
typedef struct {
    uint64_t sets[SSO_MAX_SUPPOSITIONS];
    int count;
} queue_t;

/* Adds set with each one of further to it. */
static void queue_add(queue_t *queue, uint64_t set, uint64_t further)
{
    for (int bit = lowest_bit(further); bit >= 0 && queue->count < SSO_MAX_SUPPOSITIONS; bit = lowest_bit(further)) {
        uint64_t larger = set | UINT64_C(1) << bit;
        bool known = false;
        for (int i = 0; i < queue->count; i++) {
            known = known || queue->sets[i] == larger;
        }
        if (!known) {
            queue->sets[queue->count++] = larger;
        }
        further &= further - 1;
    }
}

int sso_stepup_search(sso_stepup_try_fn *attempt, void *baton, uint64_t missing)
{
    queue_t queue = {.count = 0};
    queue_add(&queue, 0, missing);
    /* Rules can stand under "not", and each can need another context, so only asking tells. Bounded, since all rules of
     * the section are asked each time. */
    for (int i = 0; i < queue.count; i++) {
        uint64_t then_missing = 0;
        if (attempt(baton, queue.sets[i], &then_missing)) {
            return lowest_bit(queue.sets[i]);
        }
        queue_add(&queue, queue.sets[i], then_missing & ~queue.sets[i]);
    }
    return -1;
}
