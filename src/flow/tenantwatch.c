/* SPDX-License-Identifier: Apache-2.0 */
/* The turns of the tenant watch. Sessions end before the link to the next page is kept: what breaks off between them is
 * read once more, and ending twice is ending once. */
#include "flow/tenantwatch.h"

#include <string.h>

#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_uuid.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "entra/delta.h"
#include "entra/oauth.h"
#include "session/watchrow.h"

/* No page is begun after this, and no turn lasts until the other. */
#define TURN_LASTS apr_time_from_sec(60)
#define TURN_HOLD apr_time_from_sec(180)
/* A token is used until so long before its end; one of unknown life lasts this long. */
#define TOKEN_MARGIN apr_time_from_sec(300)
/* Users of whom Graph told lately, who are looked at again. */
#define TOLD_KEPT 256
/* A sign-in that was under way when its user was disabled has its row by then. */
#define UNDER_WAY apr_time_from_sec(60)
#define CAUSE "tenant watch"
#define ACTOR "entra"

/* Whose sessions ended, and which would have to end if they came later. */
typedef struct {
    char oid[APR_UUID_FORMATTED_LENGTH + 1]; /* "": none */
    const char *why;
    apr_time_t signed_in_before; /* 0: any */
    apr_time_t created_before;
    apr_time_t read;
} told_t;

struct sso_tenantwatch_t {
    const sso_site_t *site;
    char key[SSO_WATCH_KEY_TEXT + 1];
    char tid[APR_UUID_FORMATTED_LENGTH + 1]; /* of the tenant, once it is known */
    told_t told[TOLD_KEPT];
    unsigned told_next;
    volatile apr_uint32_t stopped;
    bool enumerating; /* of all users, in this turn or since one before */
    char token[SSO_MAX_APP_TOKEN];
    apr_time_t token_until; /* 0: there is none */
};

/* A turn under way. */
typedef struct {
    sso_tenantwatch_t *watch;
    sso_tenantwatch_news_t *news;
    apr_time_t began;
    const char *link;    /* the next page */
    const char *reached; /* to be kept: behind the last page that was dealt with; NULL none yet */
    bool from_start;     /* this turn began an enumeration of all users */
    bool done;
    bool asked_anew; /* with a fresh token, after a refusal */
} turn_t;

sso_tenantwatch_t *sso_tenantwatch_make(apr_pool_t *pool, const sso_site_t *site)
{
    sso_tenantwatch_t *watch = apr_pcalloc(pool, sizeof(*watch));
    const sso_authority_config_t *authority = sso_authority_config(site->authority);
    unsigned char digest[SSO_SHA256_BYTES];
    const char *text = apr_pstrcat(pool, "entra-sso watch 1\n", authority->login_url, "\n", authority->tenant, "\n",
                                   site->client_id, "\n", site->graph_url, NULL);
    sso_sha256(text, strlen(text), digest);
    apr_cpystrn(watch->key, sso_hex(pool, digest, SSO_WATCH_KEY_TEXT / 2), sizeof(watch->key));
    watch->site = site;
    sso_wipe_later(pool, watch->token, sizeof(watch->token));
    return watch;
}

void sso_tenantwatch_stop(sso_tenantwatch_t *watch)
{
    apr_atomic_set32(&watch->stopped, 1);
}

/* ---- the application's token ---- */

/* Roles of the application are written into its token, so one from before a permission was granted is of no use. */
static void token_drop(sso_tenantwatch_t *watch)
{
    sso_wipe(watch->token, sizeof(watch->token));
    watch->token_until = 0;
}

/* A token that is too long is asked for anew each time. */
static void token_keep(sso_ctx_t *ctx, sso_tenantwatch_t *watch, const sso_tokens_t *tokens)
{
    apr_size_t len = strlen(tokens->access_token);
    token_drop(watch);
    if (len < sizeof(watch->token)) {
        memcpy(watch->token, tokens->access_token, len + 1);
        watch->token_until = ctx->now + apr_time_from_sec(tokens->expires_in_s) - TOKEN_MARGIN;
    }
}

static sso_rc token_get(sso_ctx_t *ctx, turn_t *turn, const char **ret_token)
{
    sso_tenantwatch_t *watch = turn->watch;
    const sso_site_t *site = watch->site;
    const sso_authority_view_t *view;
    sso_tokens_t tokens;
    const sso_app_request_t request = {
        .client_id = site->client_id,
        .credential = site->credential,
        .scope = apr_pstrcat(ctx->pool, site->graph_url, "/.default", NULL),
    };
    if (ctx->now < watch->token_until) {
        /* A copy, since a refusal drops it. */
        char *copy = apr_pstrdup(ctx->pool, watch->token);
        sso_wipe_later(ctx->pool, copy, strlen(copy));
        *ret_token = copy;
        return SSO_OK;
    }
    sso_rc rc = sso_authority_view(ctx, site->authority, &view);
    if (rc == SSO_OK) {
        rc = sso_app_token(ctx, site->authority, view->metadata, &request, &tokens);
    }
    if (rc == SSO_OK) {
        turn->asked_anew = true;
        token_keep(ctx, watch, &tokens);
        *ret_token = tokens.access_token;
    }
    return rc;
}

/* ---- one user ---- */

static sso_rc end_sessions(sso_ctx_t *ctx, turn_t *turn, const sso_store_which_t *which, const char *why)
{
    const sso_site_t *site = turn->watch->site;
    const sso_ending_t ending = {site->store, site->ended};
    apr_array_header_t *ended = apr_array_make(ctx->pool, 1, sizeof(sso_store_ended_t));
    apr_array_header_t *live = apr_array_make(ctx->pool, 1, sizeof(sso_stored_t));
    /* Most users have no session here, and to find that out needs no lock of the database. */
    sso_rc rc = sso_store_list(ctx, site->store, which, 1, live);
    if (rc == SSO_OK && live->nelts > 0) {
        rc = sso_ending_end(ctx, &ending, which, CAUSE, ACTOR, ended);
    }
    if (rc == SSO_OK && ended->nelts > 0) {
        apr_pool_t *pool = turn->news->ended->pool;
        const sso_tenantwatch_ended_t entry = {apr_pstrdup(pool, which->oid), why, ended->nelts,
                                               apr_array_copy(pool, ended)};
        APR_ARRAY_PUSH(turn->news->ended, sso_tenantwatch_ended_t) = entry;
    }
    return rc;
}

/* Of many at once the last stay; revalidation finds the others. */
static void note_told(sso_ctx_t *ctx, turn_t *turn, const sso_store_which_t *which, const char *why)
{
    sso_tenantwatch_t *watch = turn->watch;
    told_t *told = &watch->told[watch->told_next++ % TOLD_KEPT];
    /* A turn may have read for a minute. */
    apr_time_t until = ctx->now + (sso_clock_now() - turn->began) + UNDER_WAY;
    apr_cpystrn(told->oid, which->oid, sizeof(told->oid));
    told->why = why;
    told->signed_in_before = which->signed_in_before;
    told->created_before = which->created_before == 0 ? until : which->created_before;
    told->read = ctx->now;
}

/* SECURITY: Graph tells of a change once, and a session may come to its row after that: a sign-in was under way, or
 * Entra still let an old browser session in. */
static sso_rc look_again(sso_ctx_t *ctx, turn_t *turn)
{
    sso_tenantwatch_t *watch = turn->watch;
    sso_rc rc = SSO_OK;
    turn->news->tid = apr_pstrdup(turn->news->ended->pool, watch->tid);
    for (int i = 0; rc == SSO_OK && i < TOLD_KEPT; i++) {
        told_t *told = &watch->told[i];
        const sso_store_which_t which = {.tid = watch->tid,
                                         .oid = told->oid,
                                         .signed_in_before = told->signed_in_before,
                                         .created_before = told->created_before};
        if (*told->oid == '\0') {
            continue;
        }
        rc = end_sessions(ctx, turn, &which, told->why);
        /* After one look at least, however long the interval is. */
        if (rc == SSO_OK && sso_clock_is_past(told->read, SSO_WATCH_LATENESS, ctx->now)) {
            *told->oid = '\0';
        }
    }
    return rc;
}

static sso_rc take_user(sso_ctx_t *ctx, turn_t *turn, const sso_delta_user_t *user)
{
    sso_store_which_t which = {.tid = turn->news->tid, .oid = user->id};
    if (user->removed || user->disabled) {
        const char *why = user->removed ? "deleted" : "disabled";
        /* In an enumeration they are nearly all from long ago. */
        if (!turn->watch->enumerating) {
            note_told(ctx, turn, &which, why);
        }
        return end_sessions(ctx, turn, &which, why);
    }
    /* No live session is older than the cap, so an older revocation has nothing left to end: of a large tenant's first
     * enumeration these are nearly all. */
    if (user->valid_from == 0 || user->valid_from < ctx->now - SSO_SESSION_CAP - SSO_WATCH_LATENESS) {
        return SSO_OK;
    }
    /* Entra tells the moment in seconds, of a sign-in too: the same second is not before. Who came long after it has
     * passed Entra since. */
    which.signed_in_before = user->valid_from - apr_time_usec(user->valid_from);
    which.created_before = user->valid_from + SSO_WATCH_LATENESS;
    if (which.created_before > ctx->now) {
        note_told(ctx, turn, &which, "revoked");
    }
    return end_sessions(ctx, turn, &which, "revoked");
}

/* ---- pages ---- */

static sso_rc take_page(sso_ctx_t *ctx, turn_t *turn, const sso_delta_page_t *page)
{
    for (int i = 0; i < page->users->nelts; i++) {
        sso_rc rc = take_user(ctx, turn, &APR_ARRAY_IDX(page->users, i, sso_delta_user_t));
        if (rc != SSO_OK) {
            return rc;
        }
    }
    turn->news->pages++;
    turn->news->users += page->users->nelts;
    turn->link = apr_pstrdup(turn->news->ended->pool, page->link);
    turn->reached = turn->link;
    turn->done = page->last;
    return SSO_OK;
}

/* From the beginning: what Graph forgot, or the database kept wrongly. */
static void begin_anew(sso_ctx_t *ctx, turn_t *turn, const sso_graph_t *graph)
{
    sso_fault_clear(ctx);
    turn->link = sso_delta_start(ctx, graph);
    /* Even when this fails as well, the old link is not tried again. */
    turn->reached = "";
    turn->from_start = true;
    turn->watch->enumerating = true;
    turn->news->restarted = true;
}

/* One page in a pool of its own: a turn may read a whole tenant. */
static sso_rc read_page(sso_ctx_t *ctx, turn_t *turn, const sso_graph_t *graph)
{
    sso_ctx_t step = *ctx;
    sso_delta_page_t page;
    apr_pool_create(&step.pool, ctx->pool);
    sso_rc rc = sso_delta_page(&step, graph, turn->link, &page);
    if (rc == SSO_OK) {
        rc = take_page(&step, turn, &page);
    }
    ctx->fault = step.fault;
    ctx->fault.detail = step.fault.detail == NULL ? NULL : apr_pstrdup(ctx->pool, step.fault.detail);
    ctx->fault.correlation_id = apr_pstrdup(ctx->pool, step.fault.correlation_id);
    apr_pool_destroy(step.pool);
    return rc;
}

/* What a refusal of a page means for the turn. True: go on. */
static bool recover(sso_ctx_t *ctx, turn_t *turn, sso_graph_t *graph, sso_rc rc)
{
    if (rc == SSO_R_WATCH_EXPIRED && !turn->from_start) {
        begin_anew(ctx, turn, graph);
        return true;
    }
    if (rc != SSO_R_WATCH_TOKEN && rc != SSO_R_WATCH_CONSENT) {
        return false;
    }
    token_drop(turn->watch);
    if (turn->asked_anew) {
        return false;
    }
    sso_fault_clear(ctx);
    /* When this fails, its own reason is the better one. */
    return token_get(ctx, turn, &graph->access_token) == SSO_OK;
}

static sso_rc read_pages(sso_ctx_t *ctx, turn_t *turn, sso_graph_t *graph)
{
    for (int page = 0; page < SSO_MAX_WATCH_PAGES && !turn->done; page++) {
        if (page > 0 && (apr_atomic_read32(&turn->watch->stopped) != 0 || sso_clock_now() - turn->began > TURN_LASTS)) {
            break;
        }
        sso_rc rc = read_page(ctx, turn, graph);
        if (rc != SSO_OK && !recover(ctx, turn, graph, rc)) {
            return ctx->fault.rc;
        }
    }
    turn->news->enumerated = turn->done && turn->watch->enumerating;
    turn->watch->enumerating = !turn->done && turn->watch->enumerating;
    return SSO_OK;
}

/* ---- a turn ---- */

static sso_rc ask(sso_ctx_t *ctx, turn_t *turn, const char *kept)
{
    const sso_site_t *site = turn->watch->site;
    const sso_authority_view_t *view;
    sso_graph_t graph = {
        .http = sso_authority_http(site->authority),
        .policy = site->http_policy,
        .graph_url = site->graph_url,
    };
    sso_rc rc = sso_authority_view(ctx, site->authority, &view);
    if (rc != SSO_OK) {
        return rc;
    }
    turn->news->tid = sso_authority_tenant_guid(site->authority, view);
    if (turn->news->tid == NULL) {
        return sso_fail(ctx, SSO_R_METADATA_TENANT, "the tenant watch needs one tenant");
    }
    apr_cpystrn(turn->watch->tid, turn->news->tid, sizeof(turn->watch->tid));
    rc = token_get(ctx, turn, &graph.access_token);
    if (rc != SSO_OK) {
        return rc;
    }
    turn->link = kept;
    if (*kept == '\0') {
        turn->link = sso_delta_start(ctx, &graph);
        turn->from_start = true;
        turn->watch->enumerating = true;
    } else if (!sso_delta_is_link(ctx->pool, &graph, kept)) {
        begin_anew(ctx, turn, &graph);
    }
    return read_pages(ctx, turn, &graph);
}

/* Gives the turn back. The fault of the turn, if there is one, stays the context's. */
static void give_back(sso_ctx_t *ctx, turn_t *turn, const char *claim)
{
    const sso_site_t *site = turn->watch->site;
    const sso_fault_t cause = ctx->fault;
    apr_interval_time_t wait = apr_time_from_sec(cause.retry_after_s);
    bool more = cause.rc == SSO_OK && !turn->done;
    bool kept = false;
    sso_fault_clear(ctx);
    sso_rc rc = sso_watchrow_release(ctx, site->store, turn->watch->key, claim, turn->reached, more ? 0 : site->watch,
                                     wait, &kept);
    if (rc == SSO_OK && !kept) {
        (void)sso_fail(ctx, SSO_R_WATCH_LOST, "after %d pages", turn->news->pages);
    }
    if (cause.rc != SSO_OK) {
        ctx->fault = cause;
    }
    turn->news->wait = more ? 0 : wait > site->watch ? wait : site->watch - (sso_clock_now() - turn->began);
}

sso_rc sso_tenantwatch_turn(sso_ctx_t *ctx, sso_tenantwatch_t *watch, sso_tenantwatch_news_t *ret_news)
{
    const sso_site_t *site = watch->site;
    sso_watchrow_turn_t row;
    turn_t turn = {.watch = watch, .news = ret_news, .began = sso_clock_now()};
    memset(ret_news, 0, sizeof(*ret_news));
    ret_news->ended = apr_array_make(ctx->pool, 4, sizeof(sso_tenantwatch_ended_t));
    ret_news->wait = site->watch;
    sso_rc rc =
        site->store == NULL ? sso_fail(ctx, SSO_R_STORE_AWAY, "this process has no store") : look_again(ctx, &turn);
    rc = rc == SSO_OK ? sso_watchrow_claim(ctx, site->store, watch->key, TURN_HOLD, &row) : rc;
    if (rc != SSO_OK) {
        return rc;
    }
    if (row.claim == NULL) {
        /* Who has the turn may die with it, so it is looked at again within an interval. */
        ret_news->wait = row.wait < site->watch ? row.wait : site->watch;
        return SSO_OK;
    }
    ret_news->ours = true;
    if (ask(ctx, &turn, row.link) != SSO_OK && apr_atomic_read32(&watch->stopped) != 0) {
        /* Broken off by the end of the process: no fault of Graph's, and another process goes on at once. */
        sso_fault_clear(ctx);
        ret_news->ours = false;
    }
    give_back(ctx, &turn, row.claim);
    return ctx->fault.rc;
}
