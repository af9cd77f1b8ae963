/* SPDX-License-Identifier: Apache-2.0 */
/* Each text has its share of the line, counted as JSON writes it, so that no name can push another field out. */
#include "flow/audit.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

/* The version of the field names. */
#define ECS_VERSION "8.11.0"
#define CUT "..."

/* Shares, in bytes of JSON. Together with the names of the fields they stay within the line. */
#define SHARE_REASON 200
#define SHARE_USER 256
#define SHARE_ID 64
#define SHARE_RULE 400
#define SHARE_ACTOR 128
#define SHARE_METHOD 24
#define SHARE_PATH 400
#define SHARE_AGENT 200
#define SHARE_SERVICE 200
#define SHARE_CONTEXTS 64
#define SHARE_CHANGED 300
#define SHARE_WHAT 32

static const struct {
    const char *name;
    const char *category;
    const char *type;
    bool refused;
} ACTIONS[] = {
    [SSO_AUDIT_SIGN_IN] = {"sign-in", "authentication", "start", false},
    [SSO_AUDIT_SIGN_IN_REFUSED] = {"sign-in-refused", "authentication", "start", true},
    [SSO_AUDIT_STEP_UP] = {"step-up", "authentication", "start", false},
    [SSO_AUDIT_STEP_UP_REQUIRED] = {"step-up-required", "authentication", "info", true},
    [SSO_AUDIT_ACCESS_REFUSED] = {"access-refused", "web", "access", true},
    [SSO_AUDIT_BEARER_REFUSED] = {"bearer-refused", "api", "denied", true},
    [SSO_AUDIT_SESSION_ENDED] = {"session-ended", "session", "end", false},
    [SSO_AUDIT_SCIM_CHANGE] = {"scim-change", "iam", "change", false},
    [SSO_AUDIT_SCIM_REFUSED] = {"scim-refused", "api", "denied", true},
    [SSO_AUDIT_SCIM_TOKEN_ISSUED] = {"scim-token-issued", "iam", "creation", false},
    [SSO_AUDIT_SCIM_TOKEN_MADE] = {"scim-token-made", "configuration", "creation", false},
    [SSO_AUDIT_SCIM_TOKEN_REVOKED] = {"scim-token-revoked", "configuration", "deletion", false},
    [SSO_AUDIT_KEY_ROTATED] = {"key-rotated", "configuration", "change", false},
};

/* ---- bounds ---- */

/* Bytes of the character at text: as many as its first byte announces, if they are there. */
static apr_size_t character_at(const char *text)
{
    unsigned char c = (unsigned char)*text;
    apr_size_t len = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    apr_size_t there = strnlen(text, len);
    return sso_is_utf8(text, there) ? there : 1;
}

/* What JSON makes of it: \uXXXX, or two of them past the first plane. */
static apr_size_t written_as(const char *text, apr_size_t len)
{
    if (len == 1 && *text >= 0x20 && *text < 0x7f) {
        return *text == '"' || *text == '\\' ? 2 : 1;
    }
    return len == 4 ? 12 : 6;
}

/* text, or as much of it as is written in share bytes. */
static const char *bound(apr_pool_t *pool, const char *text, apr_size_t share)
{
    apr_size_t used = 0;
    apr_size_t fits = 0; /* bytes of text that leave room for the mark of a cut */
    apr_size_t at = 0;
    while (text[at] != '\0') {
        apr_size_t len = character_at(text + at);
        used += written_as(text + at, len);
        at += len;
        if (used + strlen(CUT) <= share) {
            fits = at;
        }
        if (used > share) {
            return apr_pstrcat(pool, apr_pstrmemdup(pool, text, fits), CUT, NULL);
        }
    }
    return text;
}

/* A field; none when there is nothing to say. The one control character that JSON leaves as it is goes. */
static void set(sso_json_writer_t *line, apr_pool_t *pool, const char *name, const char *text, apr_size_t share)
{
    if (text == NULL || *text == '\0') {
        return;
    }
    char *copy = apr_pstrdup(pool, bound(pool, text, share));
    for (char *p = strchr(copy, 0x7f); p != NULL; p = strchr(p, 0x7f)) {
        *p = '?';
    }
    sso_json_set_text(line, name, copy);
}

/* ---- parts of the line ---- */

/* RFC 3339 with milliseconds. */
static const char *moment_print(apr_pool_t *pool, apr_time_t now)
{
    const char *seconds = sso_time_print(pool, now);
    return apr_psprintf(pool, "%.*s.%03dZ", (int)strlen(seconds) - 1, seconds, (int)(apr_time_usec(now) / 1000));
}

static bool begins(const char *text, const char *word)
{
    return text != NULL && strncmp(text, word, strlen(word)) == 0;
}

static bool ends(const char *text, const char *word)
{
    apr_size_t len = text == NULL ? 0 : strlen(text);
    return len >= strlen(word) && strcmp(text + len - strlen(word), word) == 0;
}

/* The schema's two words for a change of the directory: of what, and which. */
static void set_change_types(sso_json_writer_t *line, const char *what)
{
    const char *const types[] = {begins(what, "group") ? "group" : "user", ends(what, "created")   ? "creation"
                                                                           : ends(what, "deleted") ? "deletion"
                                                                                                   : "change"};
    sso_json_set_list(line, "event.type", types, 2);
}

static void set_event(sso_json_writer_t *line, apr_pool_t *pool, const sso_audit_event_t *event)
{
    sso_json_set_text(line, "event.kind", "event");
    sso_json_set_text(line, "event.module", "entra_sso");
    sso_json_set_text(line, "event.dataset", "entra_sso.audit");
    sso_json_set_text(line, "event.action", ACTIONS[event->action].name);
    sso_json_set_list(line, "event.category", &ACTIONS[event->action].category, 1);
    if (event->change != NULL) {
        set_change_types(line, event->change->what);
    } else {
        sso_json_set_list(line, "event.type", &ACTIONS[event->action].type, 1);
    }
    sso_json_set_text(line, "event.outcome", ACTIONS[event->action].refused ? "failure" : "success");
    if (event->code != 0) {
        sso_json_set_text(line, "event.code", apr_psprintf(pool, "ENTRA%04d", event->code));
    }
    set(line, pool, "event.reason", event->reason, SHARE_REASON);
    if (event->aadsts != 0) {
        sso_json_set_text(line, "error.code", apr_psprintf(pool, "AADSTS%u", event->aadsts));
    }
}

/* What stands behind the last @ of a user name. */
static const char *domain_of(const char *user_name)
{
    const char *at = user_name == NULL ? NULL : strrchr(user_name, '@');
    return at == NULL ? NULL : at + 1;
}

static void set_user(sso_json_writer_t *line, apr_pool_t *pool, const sso_audit_event_t *event)
{
    set(line, pool, "user.id", event->oid, SHARE_ID);
    set(line, pool, "user.name", event->user_name, SHARE_USER);
    set(line, pool, "user.domain", domain_of(event->user_name), SHARE_USER / 2);
    set(line, pool, "organization.id", event->tid, SHARE_ID);
    if (event->session != NULL) {
        /* As in the error log: enough to find the session again, and too little to guess its id. */
        sso_json_set_text(line, "session.id", sso_hex(pool, event->session, 4));
    }
    set(line, pool, "rule.name", event->rule, SHARE_RULE);
    set(line, pool, "entra.contexts", event->contexts, SHARE_CONTEXTS);
    set(line, pool, "entra.client", event->client, SHARE_ID);
    set(line, pool, "entra.actor", event->actor, SHARE_ACTOR);
}

static void set_request(sso_json_writer_t *line, apr_pool_t *pool, const sso_audit_event_t *event)
{
    set(line, pool, "source.ip", event->ip, SHARE_ID);
    set(line, pool, "http.request.method", event->method, SHARE_METHOD);
    set(line, pool, "url.path", event->path, SHARE_PATH);
    set(line, pool, "user_agent.original", event->agent, SHARE_AGENT);
    set(line, pool, "service.name", event->service, SHARE_SERVICE);
    set(line, pool, "trace.id", event->trace, SHARE_ID);
}

/* As many of the names as their share has room for. */
static void set_names(sso_json_writer_t *line, apr_pool_t *pool, const apr_array_header_t *names)
{
    const char *shown[SSO_MAX_AUDIT_NAMES];
    apr_size_t count = 0;
    apr_size_t used = 0;
    for (int i = 0; i < names->nelts && count < SSO_MAX_AUDIT_NAMES; i++) {
        const char *name = bound(pool, sso_text_at(names, i), SHARE_ID);
        for (const char *p = name; *p != '\0'; p += character_at(p)) {
            used += written_as(p, character_at(p));
        }
        used += strlen("\"\",");
        if (used > SHARE_CHANGED) {
            break;
        }
        shown[count++] = name;
    }
    sso_json_set_list(line, "entra.scim.changed", shown, count);
}

static void set_change(sso_json_writer_t *line, apr_pool_t *pool, const sso_audit_change_t *change)
{
    set(line, pool, "entra.scim.operation", change->what, SHARE_WHAT);
    set(line, pool, "entra.scim.id", change->id, SHARE_ID);
    set(line, pool, "entra.scim.user_name", change->user_name, SHARE_USER);
    set(line, pool, "entra.scim.external_id", change->external_id, SHARE_USER / 2);
    if (change->tells_active) {
        sso_json_set_bool(line, "entra.scim.active", change->active);
    }
    if (change->changed != NULL && change->changed->nelts > 0) {
        set_names(line, pool, change->changed);
    }
}

const char *sso_audit_line(apr_pool_t *pool, const sso_audit_event_t *event, apr_time_t now)
{
    sso_json_writer_t *line = sso_json_object_make(pool);
    sso_json_set_text(line, "@timestamp", moment_print(pool, now));
    sso_json_set_text(line, "ecs.version", ECS_VERSION);
    set_event(line, pool, event);
    set_user(line, pool, event);
    set_request(line, pool, event);
    if (event->change != NULL) {
        set_change(line, pool, event->change);
    }
    /* SECURITY: the writer leaves nothing but printable ASCII, so that a name ends no line and says nothing to a
     * terminal. */
    return apr_pstrcat(pool, sso_json_print(pool, line), "\n", NULL);
}
