/* SPDX-License-Identifier: Apache-2.0 */
/* entra-sso check: the credential where it lies, and the bundle of CAs. What is wrong for httpd, configtest has said
 * already; here is what it takes without a word. */
#include "command/checking.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_user.h>

#include "base/bundle.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "entra/managed.h"
#include "entra/secret.h"

#define SECRET "credential"

/* ---- who can read a file ---- */

static const char *user_print(apr_pool_t *pool, uid_t uid)
{
    char *name;
    return apr_uid_name_get(&name, uid, pool) == APR_SUCCESS ? name
                                                             : apr_psprintf(pool, "user %lu", (unsigned long)uid);
}

static const char *group_print(apr_pool_t *pool, gid_t gid)
{
    char *name;
    return apr_gid_name_get(&name, gid, pool) == APR_SUCCESS ? name : apr_psprintf(pool, "%lu", (unsigned long)gid);
}

/* SECURITY: what httpd's own user can read, a CGI, a PHP page, or whoever breaks into one, can read. httpd needs it as
 * root alone. */
static void secret_file_check(sso_report_t *report, const sso_description_t *description, const char *path)
{
    struct stat st;
    apr_pool_t *pool = report->pool;
    if (stat(path, &st) != 0) {
        sso_report_say(report, SSO_FOUND_FAULT, "file of the secret",
                       apr_psprintf(pool, "install -m 0600 /dev/stdin %s, and type the secret's Value", path), "%s: %s",
                       path, sso_errno_text(pool, errno));
        return;
    }
    const char *mend = apr_psprintf(pool, "chown root:root %s; chmod 0600 %s", path, path);
    const char *owner = user_print(pool, st.st_uid);
    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        sso_report_say(report, strcmp(owner, description->user) == 0 ? SSO_FOUND_FAULT : SSO_FOUND_WARN,
                       "file of the secret", mend, "%s belongs to %s, so that every program of that user can read it",
                       path, owner);
    } else if ((st.st_mode & (S_IRGRP | S_IWGRP)) != 0) {
        sso_report_say(report, SSO_FOUND_WARN, "file of the secret", mend, "%s can be read by the group %s (mode %04o)",
                       path, group_print(pool, st.st_gid), (unsigned)(st.st_mode & 07777));
    } else {
        sso_report_good(report, "file of the secret", "%s belongs to %s and has mode %04o", path, owner,
                        (unsigned)(st.st_mode & 07777));
    }
}

/* ---- the kinds of credential ---- */

/* The environment of httpd is not this command's, nor is what systemd hands to its service. */
static sso_credential_t *secret_elsewhere(sso_report_t *report, sso_ctx_t *ctx, const char *source)
{
    const char *why = ctx->fault.detail == NULL ? "-" : apr_pstrdup(report->pool, ctx->fault.detail);
    sso_fault_clear(ctx); /* httpd has read it, or configtest would have said so */
    sso_report_say(
        report, SSO_FOUND_UNKNOWN, SECRET,
        "Run this command where the secret is at hand, or keep it in a file of mode 0600 and write file:PATH",
        "the secret is handed to httpd by %s, and not to this command (%s)",
        strncmp(source, "env:", 4) == 0 ? "its environment" : "systemd", why);
    return NULL;
}

static sso_credential_t *secret_check(sso_command_t *command, sso_report_t *report, const sso_description_t *d)
{
    sso_ctx_t *ctx = &command->ctx;
    const char *source = d->credential.source;
    const char *secret;
    bool literal;
    if (source == NULL || strcmp(source, "literal") == 0) {
        sso_report_say(report, SSO_FOUND_WARN, SECRET,
                       "Put the secret into a file of mode 0600 and write \"EntraClientSecret file:PATH\"",
                       "the secret itself stands in the configuration, where backups and support cases take it along; "
                       "it is not tried here");
        return NULL;
    }
    if (sso_secret_read(ctx, ctx->pool, source, &secret, &literal) != SSO_OK) {
        if (strncmp(source, "env:", 4) == 0 || strncmp(source, "credential:", 11) == 0) {
            return secret_elsewhere(report, ctx, source);
        }
        sso_report_fault(report, SSO_FOUND_FAULT, SECRET, ctx);
        return NULL;
    }
    if (d->credential.path != NULL) {
        secret_file_check(report, d, d->credential.path);
    }
    if (sso_is_guid(secret)) {
        sso_report_say(report, SSO_FOUND_FAULT, SECRET,
                       "App registration > Certificates & secrets: make a new secret and copy its Value, which is "
                       "shown once, not its Secret ID",
                       "the secret is a GUID: that is the Secret ID, not the secret's Value");
        return NULL;
    }
    /* A command may have a password among its arguments. */
    sso_report_good(report, SECRET, "a secret, %s",
                    strncmp(source, "exec:", 5) == 0 ? "which a command prints"
                                                     : apr_pstrcat(ctx->pool, "from ", source, NULL));
    return sso_credential_secret(ctx->pool, secret);
}

static sso_credential_t *certificate_check(sso_command_t *command, sso_report_t *report, const sso_description_t *d)
{
    sso_ctx_t *ctx = &command->ctx;
    sso_pem_pair_t pair;
    const sso_certificate_t *certificate;
    if (sso_certificate_read(ctx, ctx->pool, d->credential.path, d->credential.key_path, &pair, &certificate) !=
        SSO_OK) {
        sso_report_fault(report, SSO_FOUND_FAULT, SECRET, ctx);
        return NULL;
    }
    secret_file_check(report, d, d->credential.key_path == NULL ? d->credential.path : d->credential.key_path);
    apr_time_t ends = sso_certificate_expires(certificate);
    if (ends - ctx->now < SSO_CHECK_BEFORE_END) {
        sso_report_say(
            report, ends < ctx->now ? SSO_FOUND_FAULT : SSO_FOUND_WARN, SECRET,
            "Make a new certificate, upload it to the app registration, and put it in the place of this one; "
            "httpd takes it up by itself",
            ends < ctx->now ? "the certificate ended on %s" : "the certificate ends on %s",
            sso_report_until(ctx->pool, ctx->now, ends));
    } else {
        sso_report_good(report, SECRET, "a certificate with its key, good until %s",
                        sso_report_until(ctx->pool, ctx->now, ends));
    }
    return sso_credential_certificate(ctx->pool, certificate, d->credential.rs256 ? SSO_SIGN_RS256 : SSO_SIGN_PS256);
}

static sso_credential_t *assertion_check(sso_command_t *command, sso_report_t *report, const sso_description_t *d)
{
    sso_ctx_t *ctx = &command->ctx;
    const char *text;
    if (sso_secret_file(ctx, ctx->pool, d->credential.path, true, &text) != SSO_OK) {
        sso_report_fault(report, SSO_FOUND_FAULT, SECRET, ctx);
        return NULL;
    }
    if (!sso_assertion_is_plausible(text)) {
        sso_report_say(report, SSO_FOUND_FAULT, SECRET,
                       "Name the file into which the platform writes its token (AZURE_FEDERATED_TOKEN_FILE)",
                       "%s holds no token", d->credential.path);
        return NULL;
    }
    sso_report_good(report, SECRET, "an assertion of the platform, from %s", d->credential.path);
    return sso_credential_file(ctx->pool, d->credential.path);
}

static sso_credential_t *identity_check(sso_command_t *command, sso_report_t *report, const sso_description_t *d)
{
    const sso_managed_config_t config = {.identity_id = d->credential.identity, .audience = d->credential.audience};
    sso_report_good(report, SECRET, "a managed identity%s%s", d->credential.identity == NULL ? "" : " ",
                    d->credential.identity == NULL ? ", of the machine's choice" : d->credential.identity);
    return sso_credential_managed_identity(command->ctx.pool, &config);
}

static void bundle_check(sso_report_t *report, const sso_description_t *d)
{
    int count;
    if (d->trusted_ca == NULL) {
        return;
    }
    const char *wrong = sso_bundle_check(report->pool, d->trusted_ca, &count);
    if (wrong != NULL) {
        sso_report_say(report, SSO_FOUND_FAULT, "CA bundle", "Write the path of a PEM bundle of mode 0644", "%s",
                       wrong);
    } else {
        sso_report_good(report, "CA bundle", "%s has %d certificate%s", d->trusted_ca, count, count == 1 ? "" : "s");
    }
}

void sso_check_files(sso_command_t *command, sso_report_t *report, const sso_description_t *description,
                     sso_credential_t **ret_credential)
{
    static const struct {
        const char *kind;
        sso_credential_t *(*check)(sso_command_t *command, sso_report_t *report, const sso_description_t *d);
    } kinds[] = {
        {"secret", secret_check},
        {"certificate", certificate_check},
        {"file", assertion_check},
        {"managed-identity", identity_check},
    };
    *ret_credential = NULL;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(description->credential.kind, kinds[i].kind) == 0) {
            *ret_credential = kinds[i].check(command, report, description);
        }
    }
    bundle_check(report, description);
}
