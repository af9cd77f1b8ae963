/* SPDX-License-Identifier: Apache-2.0 */
/* A page without scripts, under a policy that forbids them. Every text goes through the escaper, ours too: then none
 * can be forgotten. */
#include "build_config.h"

#include "httpd/statuspage.h"

#include <string.h>

#include <http_protocol.h>

#include <apr_escape.h>
#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "entra/credential.h"
#include "httpd/facts.h"
#include "httpd/needs.h"

/* How many reasons are shown, the latest first. */
#define REASONS_SHOWN 8

static const char STYLE[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--ground:#f3f4f6;--line:#d8dee4;"
    "--act:#0b57a4;--good:#1a7f37;--goodback:#e6f4ea;--warn:#8a5a00;--warnback:#fff4d6;--bad:#b3261e;--badback:#fdecea}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9ba6b2;--paper:#1c2128;--ground:#0f1318;"
    "--line:#333b44;--act:#78b4f4;--good:#6fdd8b;--goodback:#12301c;--warn:#f0c36a;--warnback:#33290f;--bad:#ff9b92;"
    "--badback:#3b1917}}"
    "*{box-sizing:border-box}body{margin:0;padding:2rem 1.25rem 4rem;background:var(--ground);color:var(--ink);"
    "font:1rem/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}"
    "main,header,footer{max-width:72rem;margin:0 auto}header{display:flex;flex-wrap:wrap;align-items:baseline;"
    "gap:.25rem 1rem;margin-bottom:1rem}h1{margin:0;font-size:1.5rem}"
    ".soft,footer{color:var(--soft);font-size:.875rem}footer{margin-top:2rem}"
    ".needs{margin:0 0 1.5rem;padding:0;list-style:none;display:grid;gap:.5rem}"
    ".needs li{padding:.75rem 1rem;border-radius:.5rem;border-left:.3rem solid}"
    ".good{background:var(--goodback);border-color:var(--good)!important}"
    ".warn{background:var(--warnback);border-color:var(--warn)!important}"
    ".bad{background:var(--badback);border-color:var(--bad)!important}"
    ".needs b{display:block}.good b{color:var(--good)}.warn b{color:var(--warn)}.bad b{color:var(--bad)}"
    "section{background:var(--paper);border:1px solid "
    "var(--line);border-radius:.75rem;padding:1.5rem;margin-bottom:1.5rem}"
    "h2{margin:0;font-size:1.2rem;overflow-wrap:anywhere}h3{margin:0 0 .5rem;font-size:.95rem}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:1rem;margin:1.25rem 0}"
    ".tile{padding:.75rem 1rem;border:1px solid var(--line);border-radius:.5rem}"
    ".tile b{display:block;font-size:1.6rem;line-height:1.2}.tile span{color:var(--soft);font-size:.85rem}"
    ".parts{columns:19rem 3;column-gap:2.5rem}.parts>div{break-inside:avoid;margin-bottom:1.75rem}"
    ".wide{overflow-x:auto}dl+table{margin-top:.75rem}"
    "table{width:100%;border-collapse:collapse;font-size:.875rem}"
    "th,td{padding:.3rem .5rem .3rem 0;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}"
    "th{color:var(--soft);font-weight:500}tr>:last-child{padding-right:0}"
    ".n{text-align:right;white-space:nowrap}.none{color:var(--soft)}"
    "dl{display:grid;grid-template-columns:auto 1fr;gap:.3rem 1rem;margin:0;font-size:.875rem}dt{color:var(--soft)}"
    "dd{margin:0;overflow-wrap:anywhere}";

/* ---- words ---- */

static const char *escape(request_rec *r, const char *text)
{
    return apr_pescape_entity(r->pool, text, 0);
}

static const char *number(request_rec *r, uint64_t value)
{
    return apr_psprintf(r->pool, "%" APR_UINT64_T_FMT, value);
}

/* "3 minutes ago", "in 20 days": in the largest unit of which there are two. */
static const char *distance(request_rec *r, apr_time_t when)
{
    static const struct {
        int seconds;
        const char *name;
    } units[] = {{86400, "days"}, {3600, "hours"}, {60, "minutes"}, {1, "seconds"}};
    bool past = when <= r->request_time;
    int64_t seconds = apr_time_sec(past ? r->request_time - when : when - r->request_time);
    for (apr_size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (seconds >= 2 * units[i].seconds) {
            return apr_psprintf(r->pool, "%s%" APR_INT64_T_FMT " %s%s", past ? "" : "in ", seconds / units[i].seconds,
                                units[i].name, past ? " ago" : "");
        }
    }
    return "now";
}

static const char *moment(request_rec *r, apr_time_t when)
{
    return when == 0 ? "never"
                     : apr_pstrcat(r->pool, sso_time_print(r->pool, when), " (", distance(r, when), ")", NULL);
}

static void put_fact(request_rec *r, const char *name, const char *value)
{
    ap_rvputs(r, "<dt>", escape(r, name), "</dt><dd>", escape(r, value), "</dd>", NULL);
}

static void begin_part(request_rec *r, const char *title)
{
    ap_rvputs(r, "<div><h3>", escape(r, title), "</h3>", NULL);
}

/* ---- parts of an application ---- */

static void put_tile(request_rec *r, const char *value, const char *name)
{
    ap_rvputs(r, "<div class=\"tile\"><b>", escape(r, value), "</b><span>", escape(r, name), "</span></div>", NULL);
}

static uint64_t sum(const sso_facts_t *facts, sso_count_t first, sso_count_t last)
{
    return sso_counters_sum(facts->site->counters, first, last);
}

static void put_tiles(request_rec *r, const sso_facts_t *facts)
{
    ap_rputs("<div class=\"tiles\">", r);
    put_tile(r, facts->known ? number(r, (uint64_t)facts->sessions) : "?", "open sessions");
    put_tile(r, number(r, sum(facts, SSO_COUNT_SIGNIN_OK, SSO_COUNT_SIGNIN_STEPUP)), "sign-ins");
    put_tile(r, number(r, sum(facts, SSO_COUNT_SIGNIN_CLIENT, SSO_COUNT_SIGNIN_INTERNAL)), "sign-ins refused");
    put_tile(r, number(r, sum(facts, SSO_COUNT_REFUSED_SESSION, SSO_COUNT_REFUSED_TOKEN)), "requests refused");
    put_tile(r, number(r, sum(facts, SSO_COUNT_ENDED_SIGNOUT, SSO_COUNT_ENDED_OTHER)), "sessions ended early");
    ap_rputs("</div>", r);
}

static const char *credential_of(request_rec *r, const sso_site_config_t *site)
{
    static const char *const kinds[] = {"client secret", "certificate", "assertion from a file", "managed identity"};
    const char *kind = kinds[sso_credential_kind(site->site.credential)];
    return site->source.path == NULL ? kind : apr_pstrcat(r->pool, kind, ", ", site->source.path, NULL);
}

static void put_application(request_rec *r, const sso_facts_t *facts)
{
    const sso_site_config_t *site = facts->site;
    begin_part(r, "Application");
    ap_rputs("<dl>", r);
    put_fact(r, "Tenant", site->authority.tenant);
    put_fact(r, "Client ID", site->site.client_id);
    put_fact(r, "Redirect URI", site->site.redirect_uri);
    put_fact(r, "Credential", credential_of(r, site));
    put_fact(r, "Expires",
             facts->expires == 0 ? "only Entra knows: see the app registration" : moment(r, facts->expires));
    ap_rputs("</dl></div>", r);
}

static void put_database(request_rec *r, const sso_facts_t *facts)
{
    begin_part(r, "Database");
    ap_rputs("<dl>", r);
    put_fact(r, "State", facts->database_up ? "answers" : "does not answer");
    put_fact(r, "Counted", moment(r, facts->tallied));
    put_fact(r, "Failures", number(r, sum(facts, SSO_COUNT_DATABASE_AWAY, SSO_COUNT_DATABASE_SCHEMA)));
    put_fact(r, "Ended sessions",
             apr_psprintf(r->pool, "%s in memory, of %u places", number(r, (uint64_t)facts->ended), SSO_ENDED_SLOTS));
    ap_rputs("</dl></div>", r);
}

typedef struct {
    sso_count_t count;
    const char *name;
} line_t;

/* Lines that never happened are left out. */
static void put_lines(request_rec *r, const sso_facts_t *facts, const char *title, const line_t *lines, int count)
{
    bool any = false;
    begin_part(r, title);
    ap_rputs("<table>", r);
    for (int i = 0; i < count; i++) {
        uint64_t value = sso_counters_get(facts->site->counters, lines[i].count);
        if (value > 0) {
            any = true;
            ap_rvputs(r, "<tr><td>", escape(r, lines[i].name), "</td><td class=\"n\">", number(r, value), "</td></tr>",
                      NULL);
        }
    }
    ap_rvputs(r, any ? "" : "<tr><td class=\"none\">none so far</td></tr>", "</table></div>", NULL);
}

static void put_signins(request_rec *r, const sso_facts_t *facts)
{
    static const line_t lines[] = {
        {SSO_COUNT_STARTED_PLAIN, "sent to Entra"},
        {SSO_COUNT_STARTED_STEPUP, "sent to Entra for a step-up"},
        {SSO_COUNT_SIGNIN_OK, "signed in"},
        {SSO_COUNT_SIGNIN_STEPUP, "stepped up"},
        {SSO_COUNT_SIGNIN_AGAIN, "began again by themselves"},
        {SSO_COUNT_SIGNIN_CLIENT, "refused: stale or wrong request"},
        {SSO_COUNT_SIGNIN_USER, "refused: this person may not enter"},
        {SSO_COUNT_SIGNIN_CONFIG, "refused: configuration, here or at Entra"},
        {SSO_COUNT_SIGNIN_PROVIDER, "refused: by Entra, or not to be believed"},
        {SSO_COUNT_SIGNIN_LATER, "refused: out of reach or overloaded"},
        {SSO_COUNT_SIGNIN_INTERNAL, "refused: a fault of this server"},
        {SSO_COUNT_BEARER_OK, "access tokens of programs accepted"},
        {SSO_COUNT_BEARER_REFUSED, "access tokens of programs refused"},
    };
    put_lines(r, facts, "Sign-ins", lines, (int)(sizeof(lines) / sizeof(lines[0])));
}

static void put_revalidation(request_rec *r, const sso_facts_t *facts)
{
    static const line_t lines[] = {
        {SSO_COUNT_REVALIDATION_OK, "Entra stands by the session"},
        {SSO_COUNT_REVALIDATION_REFUSED, "Entra does not, and it ended"},
        {SSO_COUNT_REVALIDATION_LATER, "no answer, and it lives on"},
        {SSO_COUNT_SILENT_OK, "by way of the browser: stands by it"},
        {SSO_COUNT_SILENT_REFUSED, "by way of the browser: does not"},
        {SSO_COUNT_SILENT_LATER, "by way of the browser: no answer"},
    };
    put_lines(r, facts, "Revalidation", lines, (int)(sizeof(lines) / sizeof(lines[0])));
}

static void put_endings(request_rec *r, const sso_facts_t *facts)
{
    static const line_t lines[] = {
        {SSO_COUNT_ENDED_SIGNOUT, "signed out"},
        {SSO_COUNT_ENDED_EVERYWHERE, "signed out everywhere"},
        {SSO_COUNT_ENDED_FRONTCHANNEL, "signed out at Entra"},
        {SSO_COUNT_ENDED_REVALIDATION, "revalidation refused"},
        {SSO_COUNT_ENDED_CONTINUOUS, "continuous access refused"},
        {SSO_COUNT_ENDED_WATCH, "tenant watch"},
        {SSO_COUNT_ENDED_SCIM, "disabled or deleted by SCIM"},
        {SSO_COUNT_ENDED_OTHER, "otherwise"},
    };
    put_lines(r, facts, "Sessions ended early", lines, (int)(sizeof(lines) / sizeof(lines[0])));
}

static void put_scim(request_rec *r, const sso_facts_t *facts)
{
    if (!facts->scim) {
        return;
    }
    begin_part(r, "Provisioning (SCIM)");
    ap_rputs("<dl>", r);
    if (facts->known) {
        put_fact(r, "Users",
                 apr_psprintf(r->pool, "%s, %s of them active", number(r, (uint64_t)facts->users),
                              number(r, (uint64_t)facts->active)));
        put_fact(r, "Groups", number(r, (uint64_t)facts->groups));
        put_fact(r, "Tokens", number(r, (uint64_t)facts->tokens));
        put_fact(r, "Last token expires", facts->token_latest == 0 ? "there is none" : moment(r, facts->token_latest));
    }
    put_fact(r, "Requests", number(r, sum(facts, SSO_COUNT_SCIM_READ_2XX, SSO_COUNT_SCIM_DELETE_5XX)));
    put_fact(r, "Without a good token",
             number(r, sum(facts, SSO_COUNT_SCIM_UNAUTHORIZED, SSO_COUNT_SCIM_UNAUTHORIZED)));
    put_fact(r, "Last request", moment(r, facts->scim_request));
    if (facts->scim_error != 0) {
        put_fact(r, "Last error",
                 apr_psprintf(r->pool, "ENTRA%04d, %s", facts->scim_error_number, moment(r, facts->scim_error)));
    }
    ap_rputs("</dl></div>", r);
}

/* The bound of the bucket in which the 95th of 100 lies. */
static const char *within(request_rec *r, const sso_latencies_t *latencies)
{
    uint64_t below = 0;
    for (int i = 0; i < SSO_LATENCY_BUCKETS; i++) {
        below += latencies->buckets[i];
        if (below * 100 >= latencies->count * 95) {
            return apr_psprintf(r->pool, "%" APR_TIME_T_FMT " ms", apr_time_as_msec(sso_latency_bound(i)));
        }
    }
    return "longer than 10 s";
}

static void put_endpoint(request_rec *r, const sso_facts_t *facts, int kind, const char *name)
{
    const int results = SSO_COUNT_OUTBOUND_METADATA_OK - SSO_COUNT_OUTBOUND_OTHER_OK;
    sso_count_t first = (sso_count_t)(SSO_COUNT_OUTBOUND_OTHER_OK + kind * results);
    uint64_t ok = sum(facts, first, first);
    uint64_t all = sum(facts, first, (sso_count_t)((int)first + results - 1));
    sso_latencies_t latencies;
    if (all == 0) {
        return;
    }
    sso_counters_latencies(facts->site->counters, (sso_latency_t)kind, &latencies);
    bool timed = latencies.count > 0;
    ap_rvputs(r, "<tr><td>", escape(r, name), "</td><td class=\"n\">", number(r, ok), "</td><td class=\"n\">",
              number(r, all - ok), "</td><td class=\"n\">",
              !timed ? "-"
                     : apr_psprintf(r->pool, "%" APR_TIME_T_FMT " ms",
                                    apr_time_as_msec(latencies.sum / (apr_interval_time_t)latencies.count)),
              "</td><td class=\"n\">", timed ? within(r, &latencies) : "-", "</td></tr>", NULL);
}

static void put_entra(request_rec *r, const sso_facts_t *facts)
{
    static const struct {
        int kind;
        const char *name;
    } endpoints[] = {{SSO_LATENCY_METADATA, "metadata"},
                     {SSO_LATENCY_KEYS, "keys"},
                     {SSO_LATENCY_TOKEN, "token"},
                     {SSO_LATENCY_GRAPH, "Graph"},
                     {SSO_LATENCY_OTHER, "managed identity"}};
    bool failed = facts->tried > facts->fetched;
    begin_part(r, "Entra");
    ap_rputs("<dl>", r);
    put_fact(r, "Signing keys", apr_itoa(r->pool, facts->keys));
    put_fact(r, "Fetched", moment(r, facts->fetched));
    put_fact(r, "Last try", !failed ? "good" : apr_pstrcat(r->pool, "no good, ", moment(r, facts->tried), NULL));
    ap_rputs("</dl><table><tr><th>Calls</th><th class=\"n\">good</th><th class=\"n\">not</th><th class=\"n\">mean</th>"
             "<th class=\"n\">95 % within</th></tr>",
             r);
    for (apr_size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        put_endpoint(r, facts, endpoints[i].kind, endpoints[i].name);
    }
    ap_rputs("</table></div>", r);
}

/* ---- reasons ---- */

typedef struct {
    sso_rc rc;
    uint64_t many;
    apr_time_t last;
} seen_t;

/* The latest first; one more is put in at its place. Gives how many there are. */
static int put_in(seen_t *seen, int count, const seen_t *one)
{
    int place = count;
    while (place > 0 && seen[place - 1].last < one->last) {
        place--;
    }
    if (place == REASONS_SHOWN) {
        return count;
    }
    count += count < REASONS_SHOWN;
    memmove(seen + place + 1, seen + place, (apr_size_t)(count - 1 - place) * sizeof(*seen));
    seen[place] = *one;
    return count;
}

static void put_reasons(request_rec *r, const sso_facts_t *facts)
{
    seen_t seen[REASONS_SHOWN];
    int count = 0;
    for (int rc = 1; rc < SSO_RC_COUNT; rc++) {
        seen_t one = {.rc = (sso_rc)rc};
        one.many = sso_counters_faults(facts->site->counters, one.rc, &one.last);
        count = one.many > 0 ? put_in(seen, count, &one) : count;
    }
    if (count == 0) {
        return;
    }
    ap_rputs("<div class=\"wide\"><h3>Recent reasons</h3><table><tr><th>Number</th><th>What it is</th><th "
             "class=\"n\">times</th>"
             "<th class=\"n\">last</th></tr>",
             r);
    for (int i = 0; i < count; i++) {
        const sso_reason_t *reason = sso_reason(seen[i].rc);
        ap_rvputs(r, "<tr><td>", apr_psprintf(r->pool, "ENTRA%04d", reason->number), "</td><td>",
                  escape(r, reason->sentence), "</td><td class=\"n\">", number(r, seen[i].many),
                  "</td><td class=\"n\">", escape(r, distance(r, seen[i].last)), "</td></tr>", NULL);
    }
    ap_rputs("</table></div>", r);
}

static void put_site(request_rec *r, const sso_facts_t *facts)
{
    ap_rvputs(r, "<section><h2>", escape(r, facts->label), "</h2>", NULL);
    put_tiles(r, facts);
    ap_rputs("<div class=\"parts\">", r);
    put_application(r, facts);
    put_entra(r, facts);
    put_signins(r, facts);
    put_revalidation(r, facts);
    put_endings(r, facts);
    put_scim(r, facts);
    put_database(r, facts);
    ap_rputs("</div>", r);
    put_reasons(r, facts);
    ap_rputs("</section>\n", r);
}

/* ---- the page ---- */

static void put_needs(request_rec *r, const apr_array_header_t *needs)
{
    ap_rputs("<ul class=\"needs\">", r);
    if (needs->nelts == 0) {
        ap_rputs("<li class=\"good\"><b>Nothing needs you.</b>", r);
        ap_rputs("Sign-ins work, as far as this server can tell.</li>", r);
    }
    for (int i = 0; i < needs->nelts; i++) {
        const sso_need_t *need = &APR_ARRAY_IDX(needs, i, sso_need_t);
        ap_rvputs(r, "<li class=\"", need->urgent ? "bad" : "warn", "\"><b>", escape(r, need->site), "</b>",
                  escape(r, need->text), "</li>", NULL);
    }
    ap_rputs("</ul>\n", r);
}

static void set_headers(request_rec *r)
{
    unsigned char digest[SSO_SHA256_BYTES];
    sso_sha256(STYLE, sizeof(STYLE) - 1, digest);
    apr_table_setn(r->headers_out, "X-Frame-Options", "DENY");
    apr_table_setn(r->headers_out, "Referrer-Policy", "no-referrer");
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   apr_psprintf(r->pool,
                                "default-src 'none'; style-src 'sha256-%s'; form-action 'none'; base-uri 'none'; "
                                "frame-ancestors 'none'",
                                sso_base64(r->pool, digest, sizeof(digest))));
    ap_set_content_type(r, "text/html; charset=utf-8");
}

void sso_statuspage_write(request_rec *r, const apr_array_header_t *facts, const apr_array_header_t *needs)
{
    set_headers(r);
    ap_rvputs(
        r,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Entra sign-in: status</title>"
        "<style>",
        STYLE,
        "</style></head>\n<body><header><h1>Entra sign-in</h1><span class=\"soft\">mod_entra_sso " SSO_VERSION ", ",
        escape(r, sso_time_print(r->pool, r->request_time)), "</span></header>\n<main>", NULL);
    put_needs(r, needs);
    for (int i = 0; i < facts->nelts; i++) {
        put_site(r, &APR_ARRAY_IDX(facts, i, sso_facts_t));
    }
    if (facts->nelts == 0) {
        ap_rputs("<section><h2>No application</h2><p>No virtual host of this server has EntraTenant and "
                 "EntraClientID.</p></section>\n",
                 r);
    }
    ap_rputs("</main><footer>Counted by this node since it was started; numbers of the database are ten seconds old at "
             "most.</footer></body></html>\n",
             r);
}

void sso_statuspage_section(request_rec *r, const apr_array_header_t *facts, const apr_array_header_t *needs)
{
    ap_rputs("<hr />\n<h1>Entra sign-in</h1>\n", r);
    for (int i = 0; i < needs->nelts; i++) {
        const sso_need_t *need = &APR_ARRAY_IDX(needs, i, sso_need_t);
        ap_rvputs(r, "<p><b>", escape(r, need->site), ":</b> ", escape(r, need->text), "</p>\n", NULL);
    }
    ap_rputs("<dl>\n", r);
    for (int i = 0; i < facts->nelts; i++) {
        const sso_facts_t *of = &APR_ARRAY_IDX(facts, i, sso_facts_t);
        ap_rvputs(r, "<dt>", escape(r, of->label), ": ",
                  of->known ? number(r, (uint64_t)of->sessions) : "unknown number of", " open sessions, ",
                  number(r, sum(of, SSO_COUNT_SIGNIN_OK, SSO_COUNT_SIGNIN_STEPUP)), " sign-ins, ",
                  number(r, sum(of, SSO_COUNT_SIGNIN_CLIENT, SSO_COUNT_SIGNIN_INTERNAL)), " refused; keys fetched ",
                  of->fetched == 0 ? "never" : distance(r, of->fetched), "</dt>\n", NULL);
    }
    ap_rputs("</dl>\n", r);
}
