/* SPDX-License-Identifier: Apache-2.0 */
/* From options to a site. Every rule that needs more than one value stands here, each with the sentence that mends it.
 */
#include "build_config.h"

#include "httpd/site.h"

#include <string.h>
#include <unistd.h>

#include <http_core.h>
#include <http_log.h>
#include <http_main.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#include "base/bundle.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/limits.h"
#include "httpd/directives.h"
#include "httpd/draft.h"

extern module entra_sso_module;
APLOG_USE_MODULE(entra_sso);

const char *sso_site_where(apr_pool_t *pool, const server_rec *server)
{
    const char *name = server->server_hostname == NULL ? "the main server" : server->server_hostname;
    if (server->defn_name == NULL) {
        return apr_psprintf(pool, "%s (main server)", name);
    }
    return apr_psprintf(pool, "%s (%s:%u)", name, server->defn_name, server->defn_line_number);
}

/* One mistake: the option, where it was written (or the virtual host where it is missing), what is wrong and the mend.
 */
void sso_draft_complain(sso_draft_t *draft, const char *number, sso_server_option_t option, const char *fmt, ...)
{
    draft->faults++;
    if (draft->quiet) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    const char *text = apr_pvsprintf(draft->pool, fmt, args);
    va_end(args);
    const sso_value_t *value = &draft->config->option[option];
    const char *place = value->set ? apr_psprintf(draft->pool, "%s:%d, ", value->file, value->line) : "";
    ap_log_error(APLOG_MARK, APLOG_EMERG, 0, draft->server, "%s: %s: %s [%sin %s]", number,
                 sso_server_directive(option), text, place, sso_site_where(draft->pool, draft->server));
}

void sso_draft_warn(sso_draft_t *draft, const char *number, sso_server_option_t option, const char *text)
{
    const sso_value_t *value = &draft->config->option[option];
    const char *place = value->set ? apr_psprintf(draft->pool, "%s:%d, ", value->file, value->line) : "";
    if (!draft->quiet) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, draft->server, "%s: %s: %s [%sin %s]", number,
                     sso_server_directive(option), text, place, sso_site_where(draft->pool, draft->server));
    }
}

const sso_value_t *sso_draft_get(const sso_draft_t *draft, sso_server_option_t option)
{
    return &draft->config->option[option];
}

/* The fault of a core call as the text of a complaint. */
const char *sso_draft_fault(sso_draft_t *draft)
{
    const char *text = apr_psprintf(draft->pool, "%s (%s)", sso_reason(draft->ctx.fault.rc)->sentence,
                                    draft->ctx.fault.detail == NULL ? "no detail" : draft->ctx.fault.detail);
    sso_fault_clear(&draft->ctx);
    return text;
}

static void fill_tenant(draft_t *draft)
{
    sso_site_t *site = &draft->site->site;
    const sso_value_t *tenant = get(draft, SSO_SERVER_TENANT);
    const sso_value_t *allowed = get(draft, SSO_SERVER_ALLOWED_TENANTS);
    const sso_cloud_t *cloud = get(draft, SSO_SERVER_CLOUD)->object;
    const sso_value_t *url = get(draft, SSO_SERVER_AUTHORITY);
    draft->site->authority.login_url = url->set ? url->first : cloud->login_url;
    draft->site->authority.policy = &draft->site->policy;
    site->v1_issuer = cloud->v1_issuer;
    if (!tenant->set) {
        complain(draft, "ENTRA4001", SSO_SERVER_TENANT,
                 "is missing; write \"EntraTenant <tenant GUID>\", the Directory (tenant) "
                 "ID of the app registration");
        return;
    }
    draft->site->authority.tenant = tenant->first;
    if (allowed->set) {
        site->any_tenant = allowed->choice == 1;
        site->allowed_tenants = allowed->items;
    } else if (sso_tenant_is_several(tenant->first)) {
        complain(draft, "ENTRA4002", SSO_SERVER_ALLOWED_TENANTS,
                 "is missing; with \"EntraTenant %s\" people of every tenant can "
                 "sign in at Entra: write the GUIDs of those that may enter here, or the word any",
                 tenant->first);
    }
    const char *several = sso_tenant_is_several(tenant->first) ? "%{oid}@%{tid}" : "%{preferred_username}";
    ap_assert(sso_template_parse(draft->pool, several, &draft->site->remote_user) == NULL);
}

static void fill_client(draft_t *draft)
{
    const sso_value_t *client = get(draft, SSO_SERVER_CLIENT_ID);
    if (!client->set) {
        complain(draft, "ENTRA4003", SSO_SERVER_CLIENT_ID,
                 "is missing; write \"EntraClientID <GUID>\", the Application (client) ID "
                 "of the app registration");
    }
    draft->site->site.client_id = client->first;
}

/* SECURITY: every tenant can have a group of that name, with whom its administrators please in it. */
static void check_group_names(draft_t *draft)
{
    const sso_site_t *site = &draft->site->site;
    const char *tenant = get(draft, SSO_SERVER_TENANT)->first;
    bool one = site->allowed_tenants != NULL && !site->any_tenant && site->allowed_tenants->nelts == 1;
    if (tenant == NULL || !sso_tenant_is_several(tenant) || one) {
        return;
    }
    for (int i = 0; i < site->groups->referenced->nelts; i++) {
        const char *group = sso_text_at(site->groups->referenced, i);
        if (!sso_is_guid(group)) {
            complain(draft, "ENTRA4022", SSO_SERVER_TENANT,
                     "users of several tenants may sign in, and each tenant can have a group named '%s'; write the "
                     "group's object id",
                     group);
        }
    }
}

static void fill_groups(draft_t *draft)
{
    const sso_cloud_t *cloud = get(draft, SSO_SERVER_CLOUD)->object;
    const sso_value_t *graph = get(draft, SSO_SERVER_GRAPH_URL);
    sso_site_t *site = &draft->site->site;
    draft->site->groups.referenced = draft->config->groups;
    draft->site->groups.all = get(draft, SSO_SERVER_GROUPS)->choice == 1;
    draft->site->groups.overage = (sso_overage_t)get(draft, SSO_SERVER_GROUP_OVERAGE)->choice;
    draft->site->groups.elsewhere = get(draft, SSO_SERVER_GROUP_SOURCE)->choice == 1;
    draft->site->groups.graph_url = graph->set ? graph->first : cloud->graph_url;
    site->groups = &draft->site->groups;
    site->graph_url = draft->site->groups.graph_url;
    check_group_names(draft);
}

/* What ServerName says of scheme and port; without a scheme, port 443 means https. */
static const char *origin_of_server_name(draft_t *draft)
{
    const server_rec *s = draft->server;
    if (s->server_hostname == NULL) {
        return NULL;
    }
    apr_port_t port = s->port;
    if (port == 0 && s->server_scheme == NULL && s->addrs != NULL) {
        port = s->addrs->host_port;
    }
    const char *scheme = s->server_scheme != NULL ? s->server_scheme : (port == 443 ? "https" : "http");
    bool v6 = strchr(s->server_hostname, ':') != NULL && s->server_hostname[0] != '[';
    return apr_psprintf(draft->pool, port == 0 ? "%s://%s%s%s" : "%s://%s%s%s:%u", scheme, v6 ? "[" : "",
                        s->server_hostname, v6 ? "]" : "", (unsigned)port);
}

static void fill_origin(draft_t *draft)
{
    sso_site_t *site = &draft->site->site;
    const sso_value_t *url = get(draft, SSO_SERVER_PUBLIC_URL);
    site->path = get(draft, SSO_SERVER_PATH)->first;
    site->trials = get(draft, SSO_SERVER_TEST_PAGE)->choice == 1;
    site->origin = url->object;
    if (!url->set) {
        const char *why = "ServerName is not set";
        const char *text = origin_of_server_name(draft);
        site->origin = text == NULL ? NULL : sso_origin_parse(draft->pool, text, &why);
        if (site->origin == NULL) {
            complain(draft, "ENTRA4010", SSO_SERVER_PUBLIC_URL,
                     "the public origin cannot be told from ServerName (%s); write "
                     "\"ServerName https://app.example.com\" or \"EntraPublicURL https://app.example.com\"",
                     why);
            return;
        }
    }
    if (strcmp(site->origin->scheme, "https") != 0 && !site->origin->loopback) {
        complain(draft, "ENTRA4011", SSO_SERVER_PUBLIC_URL,
                 "the public origin would be %s, but sign-in over plain http is open to "
                 "everyone on the way; write \"ServerName https://%s\" or EntraPublicURL with https (plain http is for "
                 "localhost alone)",
                 site->origin->text, site->origin->host);
    }
    site->redirect_uri = apr_pstrcat(draft->pool, site->origin->text, site->path, "/callback", NULL);
    if (strlen(site->redirect_uri) > 256) {
        complain(draft, "ENTRA4012", SSO_SERVER_PATH,
                 "the redirect URI %s is longer than the 256 characters that Entra takes", site->redirect_uri);
    }
}

/* "example.com" is a parent of "app.example.com" and of "example.com", not of "badexample.com". */
static bool is_parent_domain(const char *domain, const char *host)
{
    apr_size_t d = strlen(domain);
    apr_size_t h = strlen(host);
    return h >= d && strcmp(host + h - d, domain) == 0 && (h == d || host[h - d - 1] == '.');
}

static bool shares_port(const server_rec *a, const server_rec *b)
{
    for (const server_addr_rec *x = a->addrs; x != NULL; x = x->next) {
        for (const server_addr_rec *y = b->addrs; y != NULL; y = y->next) {
            if (x->host_port == y->host_port || x->host_port == 0 || y->host_port == 0) {
                return true;
            }
        }
    }
    return false;
}

/* How long a header line may be that httpd reads for this server. It reads them before it knows the Host, by the limit
 * of the first virtual host of the address, so the smallest of all that share the port is the one to rely on. */
static int field_limit(const server_rec *server)
{
    int limit = server->limit_req_fieldsize;
    for (const server_rec *s = ap_server_conf; s != NULL; s = s->next) {
        if (s->is_virtual && server->is_virtual && s->limit_req_fieldsize < limit && shares_port(s, server)) {
            limit = s->limit_req_fieldsize;
        }
    }
    return limit > 0 ? limit : DEFAULT_LIMIT_REQUEST_FIELDSIZE;
}

static void fill_session(draft_t *draft)
{
    sso_site_t *site = &draft->site->site;
    const sso_value_t *domain = get(draft, SSO_SERVER_COOKIE_DOMAIN);
    const sso_value_t *skew = get(draft, SSO_SERVER_CLOCK_SKEW);
    site->skew = skew->span;
    if (skew->choice == 1 || skew->span > SSO_MAX_CLOCK_SKEW) {
        complain(draft, "ENTRA4013", SSO_SERVER_CLOCK_SKEW, "may be 10m at most; mend the clock (NTP) instead");
    }
    site->session.skew = site->skew;
    site->session.max_age = get(draft, SSO_SERVER_SESSION_MAX_AGE)->span;
    site->session.idle = get(draft, SSO_SERVER_SESSION_IDLE)->span;
    if (site->session.max_age > SSO_SESSION_CAP || site->session.max_age <= 0) {
        complain(draft, "ENTRA4014", SSO_SERVER_SESSION_MAX_AGE,
                 "must be more than nothing and at most 8h; no session outlives "
                 "8 hours");
    }
    if (site->session.idle <= 0 && get(draft, SSO_SERVER_SESSION_IDLE)->choice == 0) {
        complain(draft, "ENTRA4015", SSO_SERVER_SESSION_IDLE, "must be more than nothing; write off to have none");
    }
    sso_draft_freshness(draft);
    if (domain->set && site->origin != NULL && !is_parent_domain(domain->first, site->origin->host)) {
        complain(draft, "ENTRA4016", SSO_SERVER_COOKIE_DOMAIN, "%s is no parent domain of the public host %s",
                 domain->first, site->origin->host);
    }
    if (site->origin != NULL) {
        sso_cookie_policy_init(draft->pool, strcmp(site->origin->scheme, "https") == 0, domain->first,
                               &site->session.cookies);
    }
    /* Names, separators and the application's own cookies share the line with the session's. */
    int limit = field_limit(draft->server);
    site->session.max_cookie = limit > 1500 ? (apr_size_t)limit - 1200 : 300;
}

static void fill_forms(draft_t *draft)
{
    const sso_value_t *size = get(draft, SSO_SERVER_PRESERVE_POST);
    if (size->size > SSO_MAX_FORM) {
        complain(
            draft, "ENTRA4090", SSO_SERVER_PRESERVE_POST,
            "may be 1m at most, since each form is read whole and kept in the database; write 64k, which is enough "
            "for most");
    } else if (size->size <= 0 && size->choice == 0) {
        complain(draft, "ENTRA4091", SSO_SERVER_PRESERVE_POST, "must be more than nothing; write off to keep no form");
    } else {
        draft->site->site.preserve_post = (apr_size_t)size->size;
    }
}

static void fill_outbound(draft_t *draft)
{
    sso_http_policy_t *policy = &draft->site->policy;
    const sso_value_t *ca = get(draft, SSO_SERVER_TRUSTED_CA);
    const sso_value_t *timeout = get(draft, SSO_SERVER_OUTBOUND_TIMEOUT);
    int count;
    policy->ca_file = ca->first;
    policy->proxy = get(draft, SSO_SERVER_OUTBOUND_PROXY)->first;
    policy->connect_timeout = timeout->span;
    policy->total_timeout = timeout->span2;
    draft->site->site.http_policy = policy;
    const char *wrong = ca->set ? sso_bundle_check(draft->pool, ca->first, &count) : NULL;
    if (wrong != NULL) {
        complain(draft, "ENTRA4018", SSO_SERVER_TRUSTED_CA, "%s; write the path of a PEM bundle of mode 0644", wrong);
    }
}

/* SECURITY: the binding makes a cookie or state of another tenant, client or site a stranger to this one. */
static void fill_binding(draft_t *draft)
{
    sso_site_t *site = &draft->site->site;
    const char *domain = get(draft, SSO_SERVER_COOKIE_DOMAIN)->first;
    const char *text =
        apr_pstrcat(draft->pool, "entra-sso 1\n", draft->site->authority.login_url, "\n", draft->site->authority.tenant,
                    "\n", site->client_id, "\n", domain == NULL ? site->origin->text : domain, NULL);
    sso_sha256(text, strlen(text), site->session.binding);
    site->app = sso_hex(draft->pool, site->session.binding, SSO_SESSION_ID_BYTES);
    draft->site->authority_key =
        apr_pstrcat(draft->pool, draft->site->authority.login_url, " ", draft->site->authority.tenant, " ",
                    draft->site->policy.ca_file == NULL ? "" : draft->site->policy.ca_file, " ",
                    draft->site->policy.proxy == NULL ? "" : draft->site->policy.proxy, NULL);
}

static void check_state_directory(draft_t *draft)
{
    const char *folder = get(draft, SSO_SERVER_STATE_DIRECTORY)->first;
    apr_finfo_t info;
    draft->site->key_file = apr_pstrcat(draft->pool, folder, "/cookie.keys", NULL);
    if (apr_stat(&info, folder, APR_FINFO_TYPE | APR_FINFO_PROT | APR_FINFO_USER, draft->pool) != APR_SUCCESS ||
        info.filetype != APR_DIR) {
        complain(draft, "ENTRA4019", SSO_SERVER_STATE_DIRECTORY,
                 "%s is no folder that can be read; make it with \"install -d -m 0711 "
                 "%s\"",
                 folder, folder);
        return;
    }
    if ((info.protection & APR_FPROT_WWRITE) != 0) {
        complain(draft, "ENTRA4020", SSO_SERVER_STATE_DIRECTORY, "everyone may write to %s; \"chmod 0711 %s\"", folder,
                 folder);
    }
    /* SECURITY: who owns the folder can put a key file of his own there. */
    if ((info.valid & APR_FINFO_USER) != 0 && info.user != 0 && info.user != geteuid()) {
        warn(draft, "ENTRA2151", SSO_SERVER_STATE_DIRECTORY,
             apr_psprintf(draft->pool,
                          "%s belongs to another user than root, who can put keys of his own there and sign in as "
                          "anybody; \"chown root: %s\"",
                          folder, folder));
    }
    sso_keyring_t *ring;
    if (access(draft->site->key_file, F_OK) == 0 &&
        sso_keyring_load(&draft->ctx, draft->pool, draft->site->key_file, &ring) != SSO_OK) {
        /* An ordinary user may test the configuration; only root can judge root's key file. */
        bool not_ours =
            draft->ctx.fault.rc != SSO_R_KEYFILE_FORMAT && draft->ctx.fault.rc != SSO_R_KEYFILE_WEAK && geteuid() != 0;
        const char *text = fault_text(draft);
        if (!not_ours) {
            complain(draft, "ENTRA4021", SSO_SERVER_STATE_DIRECTORY,
                     "%s: %s; restore it from the other nodes or a backup, or "
                     "remove it (everyone signs in anew)",
                     draft->site->key_file, text);
        }
    }
}

/* SECURITY: email is whatever the owner of the account writes, who in a tenant of his own, or with a personal account,
 * is anybody: "ada@contoso.example" of another tenant would be our ada (nOAuth). */
static void judge_email(draft_t *draft, const char *place)
{
    const char *tenant = draft->site->authority.tenant;
    if (tenant == NULL) {
        return;
    }
    if (sso_tenant_is_several(tenant) || sso_tenant_is_consumers(tenant)) {
        complain(draft, "ENTRA4023", SSO_SERVER_TENANT,
                 "%s lets in accounts whose owners can write any email, and EntraRemoteUser names users by %%{email} "
                 "(%s), so anybody could be anybody else; write EntraRemoteUser %%{oid}@%%{tid}",
                 tenant, place);
        return;
    }
    warn(draft, "ENTRA4024", SSO_SERVER_TENANT,
         apr_psprintf(draft->pool,
                      "EntraRemoteUser names users by %%{email} (%s), which Entra does not verify, which can change, "
                      "and which two accounts can have; better write EntraRemoteUser %%{oid}@%%{tid} or "
                      "%%{preferred_username}",
                      place));
}

static void check_emails(draft_t *draft)
{
    const sso_dir_config_t *dir = ap_get_module_config(draft->server->lookup_defaults, &entra_sso_module);
    const sso_value_t *outside = &dir->option[SSO_DIR_REMOTE_USER];
    if (outside->set && sso_template_has_email(((const sso_remote_user_t *)outside->object)->template)) {
        judge_email(draft, apr_psprintf(draft->pool, "%s:%d", outside->file, outside->line));
    }
    for (int i = 0; i < draft->config->emails->nelts; i++) {
        judge_email(draft, sso_text_at(draft->config->emails, i));
    }
}

static void check_contexts(draft_t *draft)
{
    if (draft->config->acrs->nelts > SSO_MAX_ACRS) {
        complain(
            draft, "ENTRA4033", SSO_SERVER_CLIENT_ID,
            "the Require entra-acr lines name %d authentication contexts, and at most %d are possible; remove those "
            "that the tenant does not have",
            draft->config->acrs->nelts, SSO_MAX_ACRS);
    }
}

int sso_site_prepare(apr_pool_t *pool, const server_rec *server, bool quiet)
{
    draft_t draft = {.pool = pool, .server = server, .quiet = quiet};
    draft.config = sso_config_server(server);
    draft.site = apr_pcalloc(pool, sizeof(*draft.site));
    draft.site->server = server;
    draft.site->site.acrs = draft.config->acrs;
    sso_ctx_init(&draft.ctx, pool, sso_clock_now());
    fill_tenant(&draft);
    fill_client(&draft);
    fill_groups(&draft);
    sso_draft_people(&draft);
    sso_draft_scopes(&draft);
    sso_draft_credential(&draft);
    fill_origin(&draft);
    fill_session(&draft);
    fill_forms(&draft);
    fill_outbound(&draft);
    check_state_directory(&draft);
    check_contexts(&draft);
    check_emails(&draft);
    sso_draft_database(&draft);
    sso_draft_audit(&draft);
    if (draft.faults == 0) {
        fill_binding(&draft);
        sso_draft_directory(&draft);
        draft.site->scrub = sso_scrub_make(pool, draft.config->names);
        draft.site->signs = draft.config->signs;
        draft.site->forwards = draft.config->scopes->nelts > 0;
        draft.config->site = draft.site;
    }
    return draft.faults;
}

sso_rc sso_site_load_keys(sso_ctx_t *ctx, apr_pool_t *pool, sso_site_config_t *site, const char **ret_text)
{
    bool made = false;
    const char *text;
    sso_keyring_t *ring;
    sso_rc rc = sso_keyring_make(ctx, site->key_file, &made);
    if (rc == SSO_OK) {
        rc = sso_keyring_read(ctx, ctx->pool, site->key_file, &text);
    }
    if (rc == SSO_OK) {
        rc = sso_keyring_parse(ctx, pool, text, site->key_file, &ring);
    }
    if (rc != SSO_OK) {
        return rc;
    }
    if (made) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, site->server,
                     "ENTRA2010: made the key file %s; copy it to every node of a "
                     "cluster",
                     site->key_file);
    }
    site->site.session.keyring = ring;
    site->ring = ring;
    *ret_text = text;
    return SSO_OK;
}
