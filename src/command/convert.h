/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of `entra-sso convert` share: the statements of a configuration, what is known of all of it, and how
 * lines are written. Nothing is read but the one file, nothing is run, and a secret is never written. */
#pragma once

#include "command/command.h"

/* Kind of a statement. */
typedef enum { SSO_LINE_OTHER, SSO_LINE_OPEN, SSO_LINE_CLOSE, SSO_LINE_DIRECTIVE } sso_line_kind_t;

/* A line of the file, with the lines that continue it. */
typedef struct {
    sso_line_kind_t kind;
    int number;                /* of its first line */
    const char *raw;           /* as it stands, line ends included */
    const char *indent;        /* blanks in front */
    const char *name;          /* directive or section, "" for the other kind */
    apr_array_header_t *words; /* const char *, arguments without their quotes */
} sso_line_t;

/* What is said somewhere in the file, and counts elsewhere in it. */
typedef struct {
    const char *client_id;
    const char *host;       /* of the metadata or issuer: login.microsoftonline.com */
    const char *public_key; /* file of OIDCPublicKeyFiles, OIDCPrivateKeyFiles */
    const char *private_key;
    bool key_signs;            /* OIDCProviderTokenEndpointAuth private_key_jwt */
    bool issuer_is_open;       /* OIDCValidateIssuer off */
    bool has_user;             /* OIDCRemoteUserClaim */
    bool has_idle;             /* OIDCSessionInactivityTimeout */
    const char *pass;          /* OIDCPassClaimsAs */
    const char *prefix;        /* OIDCClaimPrefix */
    apr_array_header_t *only;  /* const char *, OIDCWhiteListedClaims; NULL: not given */
    apr_array_header_t *never; /* OIDCBlackListedClaims */
    apr_array_header_t *audiences;
} sso_known_t;

typedef struct {
    sso_command_t *command;
    apr_pool_t *pool;
    const char *file;
    sso_known_t known;
    apr_array_header_t *sections; /* const char *, that are open */
    const sso_line_t *line;
    const char *tenant; /* last that was written */
    int left;           /* how much is left to decide */
} sso_convert_t;

/* ---- confline.c ---- */

/* Splits a text into statements (sso_line_t), at most SSO_MAX_CONVERT_LINES. NULL when good, else what is wrong. */
const char *sso_confline_split(apr_pool_t *pool, const char *text, apr_size_t len, apr_array_header_t **ret_lines);
/* An argument as httpd reads it back: in quotes where it needs them. */
const char *sso_confline_quote(apr_pool_t *pool, const char *word);

/* ---- convert.c ---- */

/* A line of the new configuration, indented like the old one. */
void sso_convert_write(sso_convert_t *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A comment in it. */
void sso_convert_note(sso_convert_t *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A comment, and the same on standard error: something that the administrator has to decide or to do. */
void sso_convert_left(sso_convert_t *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The i-th argument, NULL when there is none. */
const char *sso_convert_word(const sso_convert_t *to, int i);
/* True inside <Location>, <Directory>, <If> and the like. */
bool sso_convert_in_directory(const sso_convert_t *to);

/* ---- carryclient.c, carrysession.c, carryidentity.c, carryrule.c ---- */

/* How one directive is carried over. */
typedef void sso_carry_t(sso_convert_t *to);

sso_carry_t sso_carry_metadata, sso_carry_issuer, sso_carry_validate_issuer, sso_carry_client_id, sso_carry_secret,
    sso_carry_redirect, sso_carry_scope, sso_carry_endpoint_auth, sso_carry_private_key, sso_carry_public_key,
    sso_carry_audience, sso_carry_tls, sso_carry_response_type, sso_carry_proxy, sso_carry_timeout;
sso_carry_t sso_carry_max_duration, sso_carry_idle, sso_carry_cookie_path, sso_carry_same_site,
    sso_carry_unauthenticated, sso_carry_unauthorized, sso_carry_parameters, sso_carry_post, sso_carry_skew,
    sso_carry_delimiter;
sso_carry_t sso_carry_remote_user, sso_carry_user_header, sso_carry_pass, sso_carry_id_token, sso_carry_userinfo,
    sso_carry_access_token;
sso_carry_t sso_carry_auth_type, sso_carry_require, sso_carry_load_module;

/* True when sso_carry_claims() goes on setting this variable of the old module. */
bool sso_carry_is_passed(const sso_convert_t *to, const char *variable);
/* The variables and headers that the application has read so far, once for each application. */
void sso_carry_claims(sso_convert_t *to);

/* ---- convert.def ---- */

/* The row of a directive of mod_auth_openidc, or of httpd where its arguments change; NULL for every other. */
typedef struct {
    const char *name;
    sso_carry_t *carry;  /* NULL: `text` says it all */
    const char *renamed; /* our directive with the same arguments */
    const char *dropped; /* why it is needed no more */
    const char *left;    /* what is to be done in its place */
} sso_convert_row_t;
