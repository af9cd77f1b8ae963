/* SPDX-License-Identifier: Apache-2.0 */
/* The application of one virtual host, made from its configuration: first on paper, then in each process. */
#pragma once

#include "directory/scim.h"
#include "flow/directory.h"
#include "flow/flow.h"
#include "flow/groups.h"
#include "httpd/config.h"
#include "httpd/scrub.h"

/* Where a credential was read from, and what was read: for the parent, which looks after the files. */
typedef struct {
    const char *path;      /* of a secret or a certificate; NULL: of something that is not read again */
    const char *key_path;  /* of a certificate's key, NULL when it stands in path */
    const char *assertion; /* file of an assertion, which the processes read at each use; NULL for other kinds */
    const char *secret;
    sso_pem_pair_t pair;
    const sso_certificate_t *cert; /* NULL: it is a secret */
} sso_credential_source_t;

/* Where the sessions' rows are. */
typedef struct {
    const char *source; /* EntraDatabase, a file's path made absolute; equal for sites that share one */
    const char *driver;
    const char *params;
    const char *folder; /* of the embedded database in the state directory, which we make; NULL else */
} sso_site_database_t;

/* Of httpd/auditlog.c. */
typedef struct sso_audit_t sso_audit_t;

struct sso_site_config_t {
    sso_site_t site; /* the authority joins in each process */
    sso_authority_config_t authority;
    sso_http_policy_t policy;
    const char *authority_key;         /* equal for virtual hosts that share one authority */
    void *authority_shared;            /* its memory on the node */
    const sso_template_t *remote_user; /* default of EntraRemoteUser */
    const sso_scrub_t *scrub;
    sso_group_policy_t groups;
    sso_directory_policy_t directory;
    const char *key_file;
    bool signs;          /* EntraSignedIdentity is on somewhere in it */
    bool forwards;       /* EntraAccessToken stands somewhere in it */
    sso_keyring_t *ring; /* what is in key_file; shared by all sites of that file */
    sso_credential_source_t source;
    sso_site_database_t database;
    void *frontchannel;              /* shared memory of the gate before front-channel logout */
    struct sso_watching_t *watching; /* of the one site whose tenant watch stands for those like it; NULL else */
    const char *unwritten;           /* file of endings that the database does not know; of the one site that stands for
                                        those of its database, NULL else */
    bool unwritten_failed;           /* its fault was told */
    apr_time_t ended_turn;           /* when this process kept up with the ended sessions last */
    sso_scim_t scim;                 /* what site.scim points to; its gate and database join in each process */
    void *scim_gate;                 /* shared memory of the gate before SCIM */
    apr_uint32_t scim_warned;        /* hour of the last warning, in each process */
    const char *audit_name;          /* EntraAuditLog: a file's path, or "|program"; NULL: none */
    sso_audit_t *audit;              /* opened before the processes begin; NULL: none */
    const server_rec *server;
    struct sso_counters_t *counters;      /* of the application, in shared memory */
    struct sso_counters_t *node_counters; /* of what is of no application; the same for all sites */
    sso_gate_t *gate;                     /* of the process: before the outside */
};

/* Makes the site of server from its effective options and puts it into its configuration. Says every mistake on the
 * error log with directive, place and mend, unless quiet; gives the number of mistakes. Reads secrets and certificates,
 * makes nothing on disk. */
int sso_site_prepare(apr_pool_t *pool, const server_rec *server, bool quiet);

/* Makes the key file where it is missing, and loads it; its text is in ctx->pool, wiped with it. SSO_R_KEYFILE_*. Call
 * with the rights of the starting user. */
sso_rc sso_site_load_keys(sso_ctx_t *ctx, apr_pool_t *pool, sso_site_config_t *site,
                          const char **ret_text) SSO_MUST_USE;

/* "app.example.com:443 (file:line)", for messages. */
const char *sso_site_where(apr_pool_t *pool, const server_rec *server);
