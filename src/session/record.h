/* SPDX-License-Identifier: Apache-2.0 */
/* The session record: what a session is, its binary form, and all its time rules as pure functions of now. */
#pragma once

#include <stdint.h>

#include <apr_tables.h>

#include "base/result.h"

/* No session outlives this, whatever the configuration or the cookie says. */
#define SSO_SESSION_CAP apr_time_from_sec(8 * 60 * 60)
/* No two clocks are allowed to be further apart. */
#define SSO_MAX_CLOCK_SKEW apr_time_from_sec(10 * 60)
#define SSO_SESSION_ID_BYTES 16

/* A list of texts in its packed form: read in place, never turned into an array. */
typedef struct {
    const unsigned char *data;
    apr_size_t len;
    unsigned count;
} sso_list_t;

/* Packs an array of const char * into pool. */
sso_list_t sso_list_make(apr_pool_t *pool, const apr_array_header_t *items);
/* The items one after the other: *at begins as 0; NULL at the end. Texts live as long as the list. */
const char *sso_list_next(const sso_list_t *list, apr_size_t *at);
/* The items as an array in pool. */
const char *const *sso_list_items(apr_pool_t *pool, const sso_list_t *list, apr_size_t *ret_count);
/* True when one of the items is this text, case and all. */
bool sso_list_has(const sso_list_t *list, const char *text);
/* All items with separator between them; one item is given without a copy, none as NULL. An item that holds the
 * separator would read as two, so it is left out. */
const char *sso_list_join(apr_pool_t *pool, const sso_list_t *list, const char *separator);

/* Texts are never NULL: an absent one is empty. An unpacked record points into the opened bytes, its ids and groups
 * into the pool. */
typedef struct {
    unsigned char id[SSO_SESSION_ID_BYTES];
    apr_time_t created;
    apr_time_t ends; /* created + max age; no code path moves it */
    apr_time_t seen; /* last request that was let in, to the coarseness of sso_record_touch_due */
    apr_time_t revalidated;
    apr_time_t auth_time; /* 0 when Entra named none */
    bool renewable;       /* the store holds a refresh token of it */
    const char *sid;
    const char *tid;
    const char *oid;
    const char *username; /* preferred_username */
    const char *name;
    const char *email;
    const char *login_hint;
    sso_list_t roles;
    sso_list_t groups;
    sso_list_t acrs;   /* authentication contexts that are satisfied, of those that the configuration names */
    sso_list_t claims; /* further claims, packed: name, number of values as text, values ... */
} sso_record_t;

/* The binary form in ctx->pool. SSO_R_SESSION_SIZE when larger than max. */
sso_rc sso_record_pack(sso_ctx_t *ctx, const sso_record_t *record, apr_size_t max, const unsigned char **ret_data,
                       apr_size_t *ret_len) SSO_MUST_USE;
/* Reads the form in place: data must outlive the record. SSO_R_SESSION_FORMAT for anything that pack would not have
 * written, times out of order and a span above the cap among it; but a GUID may stand as a text, too. */
sso_rc sso_record_unpack(sso_ctx_t *ctx, const unsigned char *data, apr_size_t len,
                         sso_record_t *ret_record) SSO_MUST_USE;

/* Bytes of all that a record points to. */
apr_size_t sso_record_room(const sso_record_t *record);
/* A copy whose texts and lists lie in room, of so many bytes: it outlives what record points to. */
void sso_record_copy(const sso_record_t *record, void *room, sso_record_t *ret_copy);

/* Notes a use at now. A beginning by the clock of another node may be ahead of it, and no use is before the beginning.
 */
void sso_record_touch(sso_record_t *record, apr_time_t now);

/* The time rules at ctx->now. max_age shortens what the record says, never lengthens it; idle 0 is off; a record up to
 * skew in the future is another node's clock. Errors: SSO_R_SESSION_OVER, _IDLE, _FUTURE. */
sso_rc sso_record_check(sso_ctx_t *ctx, const sso_record_t *record, apr_interval_time_t max_age,
                        apr_interval_time_t idle, apr_interval_time_t skew) SSO_MUST_USE;
/* How old Entra's word on a session may be. revalidate 0: any age. */
typedef struct {
    apr_interval_time_t revalidate; /* older than this: to be asked again */
    apr_interval_time_t grace;      /* and for so much longer the session lives on without an answer */
} sso_freshness_t;
/* SSO_R_SESSION_STALE when Entra's word is older than both together. */
sso_rc sso_record_check_fresh(sso_ctx_t *ctx, const sso_record_t *record,
                              const sso_freshness_t *freshness) SSO_MUST_USE;
/* True when Entra is to be asked again; also when its word is of further ahead than any clock of a node may be, since
 * then a clock was set back, and nobody knows how old it is. */
bool sso_record_renew_due(const sso_record_t *record, apr_time_t now, const sso_freshness_t *freshness);
/* True when of two words of Entra, by their moments, theirs counts. One from ahead, as above, is older than any other.
 */
bool sso_record_is_younger(apr_time_t theirs, apr_time_t ours, apr_time_t now);
/* Takes what Entra said anew (identity, roles, groups, further claims, the moment) into record. Id, created and ends
 * stay: a renewal moves no end. False, and nothing taken, when renewed is of another session or user. */
bool sso_record_renew(sso_record_t *record, const sso_record_t *renewed);

/* True when seen is old enough to be worth a new cookie: a tenth of the idle time, five minutes at most. */
bool sso_record_touch_due(const sso_record_t *record, apr_time_t now, apr_interval_time_t idle);

/* Adds a further claim to packed (const char *), from which sso_list_make makes a record's claims. */
void sso_claims_add(apr_pool_t *pool, apr_array_header_t *packed, const char *name, const apr_array_header_t *values);

/* Adds the record's further claims to packed, but for those whose name begins with prefix. */
void sso_claims_copy(apr_pool_t *pool, const sso_record_t *record, const char *prefix, apr_array_header_t *packed);

/* Values of a further claim; false when the session does not hold it. */
bool sso_record_claim(const sso_record_t *record, const char *name, sso_list_t *ret_values);
