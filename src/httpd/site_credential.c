/* SPDX-License-Identifier: Apache-2.0 */
/* The credential of a site: read once while the configuration is read, and judged with everything that may be wrong. */
#include "build_config.h"

#include <stdlib.h>
#include <string.h>

#include <http_core.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "entra/secret.h"
#include "httpd/draft.h"
#include "httpd/renewal.h"

static void fill_secret(draft_t *draft, const char *source)
{
    const char *secret;
    bool literal = false;
    if (strncmp(source, "file:", 5) == 0) {
        source = apr_pstrcat(draft->pool, "file:", ap_server_root_relative(draft->pool, source + 5), NULL);
    }
    if (sso_secret_read(&draft->ctx, draft->pool, source, &secret, &literal) != SSO_OK) {
        complain(draft, "ENTRA4004", SSO_SERVER_CLIENT_SECRET,
                 "%s; write file:PATH of a file that only root can read "
                 "(chmod 600), exec:, env: or credential:",
                 fault_text(draft));
        return;
    }
    if (literal) {
        warn(draft, "ENTRA4005", SSO_SERVER_CLIENT_SECRET,
             "the secret itself stands in the configuration; "
             "better put it into a file of mode 0600 and write file:PATH");
    }
    if (sso_is_guid(secret)) {
        warn(draft, "ENTRA2150", SSO_SERVER_CLIENT_SECRET,
             "is a GUID, which is what the portal calls the Secret ID; make a new secret, and copy its Value, which is "
             "shown once");
    }
    draft->site->source.path = sso_secret_path(draft->pool, source);
    draft->site->source.secret = secret;
    draft->site->site.credential = sso_credential_secret(draft->pool, secret);
}

static void judge_end(draft_t *draft, apr_time_t expires)
{
    if (expires < draft->ctx.now) {
        complain(draft, "ENTRA4007", SSO_SERVER_CLIENT_CERTIFICATE,
                 "the certificate expired on %s; make a new one and upload it to "
                 "the app registration",
                 sso_time_print(draft->pool, expires));
    } else if (expires - draft->ctx.now < SSO_WARN_BEFORE_END) {
        warn(draft, "ENTRA4040", SSO_SERVER_CLIENT_CERTIFICATE,
             apr_psprintf(draft->pool,
                          "the certificate expires on %s; make a new one, upload it to the app registration and put it "
                          "in place of this one",
                          sso_time_print(draft->pool, expires)));
    }
}

static void fill_certificate(draft_t *draft, const sso_value_t *value)
{
    sso_credential_source_t *source = &draft->site->source;
    if (sso_certificate_read(&draft->ctx, draft->pool, value->first, value->second, &source->pair, &source->cert) !=
        SSO_OK) {
        complain(draft, "ENTRA4006", SSO_SERVER_CLIENT_CERTIFICATE,
                 "%s; write PEM files: the certificate, and its RSA key that "
                 "only root can read (chmod 600)",
                 fault_text(draft));
        return;
    }
    judge_end(draft, sso_certificate_expires(source->cert));
    source->path = value->first;
    source->key_path = value->second;
    draft->site->site.credential = sso_credential_certificate(draft->pool, source->cert, (sso_sign_alg_t)value->choice);
}

/* App Service, Functions and Container Apps: the platform names the endpoint and a header that proves who asks. */
static bool fill_app_service(draft_t *draft, const char *endpoint, const char *header, sso_managed_config_t *config)
{
    const char *wrong = sso_url_check_local(draft->pool, endpoint, true);
    if (header == NULL) {
        complain(draft, "ENTRA4044", SSO_SERVER_CLIENT_ASSERTION,
                 "IDENTITY_ENDPOINT is set without IDENTITY_HEADER, so this is a machine of Azure Arc, which has no "
                 "user-assigned identity; write EntraClientCertificate instead");
        return false;
    }
    if (wrong != NULL) {
        complain(
            draft, "ENTRA4042", SSO_SERVER_CLIENT_ASSERTION,
            "IDENTITY_ENDPOINT is no endpoint of this platform (%s); leave it as the platform sets it, or unset it",
            wrong);
        return false;
    }
    if (config->identity_id == NULL) {
        complain(draft, "ENTRA4043", SSO_SERVER_CLIENT_ASSERTION,
                 "without a client ID the platform answers for the system-assigned identity, which Entra does not take "
                 "here; write \"managed-identity <client ID of a user-assigned identity>\"");
        return false;
    }
    config->endpoint = endpoint;
    config->header = header;
    return true;
}

static bool fill_imds(draft_t *draft, sso_managed_config_t *config)
{
    /* The variable of Azure's own libraries for a stand-in of IMDS, as the sidecar of a pod. */
    const char *text = getenv("AZURE_POD_IDENTITY_AUTHORITY_HOST");
    if (text != NULL && *text != '\0') {
        char *origin = apr_pstrdup(draft->pool, text);
        apr_size_t len = strlen(origin);
        if (origin[len - 1] == '/') {
            origin[len - 1] = '\0';
        }
        const char *wrong = sso_url_check_local(draft->pool, origin, false);
        if (wrong != NULL) {
            complain(draft, "ENTRA4041", SSO_SERVER_CLIENT_ASSERTION,
                     "AZURE_POD_IDENTITY_AUTHORITY_HOST is no origin of this machine (%s); unset it, and the metadata "
                     "service at 169.254.169.254 is asked",
                     wrong);
            return false;
        }
        config->imds = origin;
    }
    if (config->identity_id == NULL) {
        warn(draft, "ENTRA4045", SSO_SERVER_CLIENT_ASSERTION,
             "without a client ID it is the machine that chooses the identity, and Entra takes only a user-assigned "
             "one; write \"managed-identity <client ID of the identity>\"");
    }
    return true;
}

static void fill_managed(draft_t *draft, const char *identity_id)
{
    const sso_cloud_t *cloud = get(draft, SSO_SERVER_CLOUD)->object;
    const char *endpoint = getenv("IDENTITY_ENDPOINT");
    sso_managed_config_t config = {.identity_id = identity_id, .audience = cloud->exchange_audience};
    bool good = endpoint != NULL ? fill_app_service(draft, endpoint, getenv("IDENTITY_HEADER"), &config)
                                 : fill_imds(draft, &config);
    if (good) {
        draft->site->site.credential = sso_credential_managed_identity(draft->pool, &config);
    }
}

static void fill_assertion(draft_t *draft, const sso_value_t *value)
{
    if (strncmp(value->first, "file:", 5) == 0) {
        draft->site->source.assertion = ap_server_root_relative(draft->pool, value->first + 5);
        draft->site->site.credential = sso_credential_file(draft->pool, draft->site->source.assertion);
        return;
    }
    if (strcmp(value->first, "workload-identity") != 0) {
        fill_managed(draft, value->second);
        return;
    }
    const char *path = getenv("AZURE_FEDERATED_TOKEN_FILE");
    if (path == NULL || *path != '/') {
        complain(draft, "ENTRA4008", SSO_SERVER_CLIENT_ASSERTION,
                 "workload-identity needs AZURE_FEDERATED_TOKEN_FILE in "
                 "httpd's environment; label the pod for workload identity, or write file:PATH");
        return;
    }
    draft->site->source.assertion = apr_pstrdup(draft->pool, path);
    draft->site->site.credential = sso_credential_file(draft->pool, draft->site->source.assertion);
}

void sso_draft_credential(sso_draft_t *draft)
{
    const sso_value_t *secret = get(draft, SSO_SERVER_CLIENT_SECRET);
    const sso_value_t *certificate = get(draft, SSO_SERVER_CLIENT_CERTIFICATE);
    const sso_value_t *assertion = get(draft, SSO_SERVER_CLIENT_ASSERTION);
    int count = (secret->set ? 1 : 0) + (certificate->set ? 1 : 0) + (assertion->set ? 1 : 0);
    if (count != 1) {
        complain(
            draft, "ENTRA4009", count == 0 ? SSO_SERVER_CLIENT_SECRET : SSO_SERVER_CLIENT_CERTIFICATE,
            count == 0
                ? "no credential is given; write one of EntraClientSecret, EntraClientCertificate, EntraClientAssertion"
                : "more than one credential is given; keep one of EntraClientSecret, EntraClientCertificate, "
                  "EntraClientAssertion");
    } else if (secret->set) {
        fill_secret(draft, secret->first);
    } else if (certificate->set) {
        fill_certificate(draft, certificate);
    } else {
        fill_assertion(draft, assertion);
    }
}
