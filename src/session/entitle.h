/* SPDX-License-Identifier: Apache-2.0 */
/* Who may enter: the rules of `Require entra-…` and the conditions of EntraRole, as pure questions to a session record.
 */
#pragma once

#include <apr_tables.h>

#include "base/result.h"
#include "session/record.h"

typedef enum {
    SSO_RULE_ROLE,   /* one of these roles */
    SSO_RULE_GROUP,  /* member of one of these groups, by name or object id */
    SSO_RULE_CLAIM,  /* the claim has one of these values, or one that fits the expression */
    SSO_RULE_TENANT, /* signed in through one of these tenants */
    SSO_RULE_DOMAIN, /* the user name is of one of these domains, in a tenant that verified it */
    SSO_RULE_ACR,    /* one of these authentication contexts is satisfied */
    SSO_RULE_APP     /* one of these applications, by its own token: not asked of a record, see sso_rule_names */
} sso_rule_kind_t;

/* Regular expressions are the caller's library: true when text fits. Must neither lock nor allocate outside pools. */
typedef struct {
    bool (*fits)(const void *expression, const char *text);
    const void *expression;
} sso_matcher_t;

/* One condition. Immutable; made while the configuration is read. */
typedef struct sso_rule_t sso_rule_t;

/* Makes a rule of words (const char *). For SSO_RULE_CLAIM the first word is the claim's name; with matcher the rest is
 * its expression. Returns NULL when good, else what is wrong, for the administrator. */
const char *sso_rule_make(apr_pool_t *pool, sso_rule_kind_t kind, const apr_array_header_t *words,
                          const sso_matcher_t *matcher, const sso_rule_t **ret_rule);

/* One EntraRole line: the role and the rules, any of which grants it. */
typedef struct {
    const char *role;
    const apr_array_header_t *rules; /* const sso_rule_t * */
} sso_role_map_t;

/* Reads "group=…", "role=…", "user=…", "claim:NAME=…". NULL when good. `role=` means a role of the token. */
const char *sso_role_map_make(apr_pool_t *pool, const char *role, const apr_array_header_t *conditions,
                              const sso_role_map_t **ret_map);

/* Names of claims, of groups and of authentication contexts that a session must keep so that the rule can be asked. */
void sso_rule_claims(const sso_rule_t *rule, apr_array_header_t *names);
void sso_rule_groups(const sso_rule_t *rule, apr_array_header_t *groups);
void sso_rule_acrs(const sso_rule_t *rule, apr_array_header_t *acrs);

/* The roles of a session here: those of the token, then those that maps (const sso_role_map_t *, may be NULL) give,
 * each once. Without maps the record's own list, no copy. */
sso_list_t sso_roles_of(apr_pool_t *pool, const sso_record_t *record, const apr_array_header_t *maps);

/* The answer; roles is what sso_roles_of gave. What the record does not hold is a no. */
bool sso_rule_holds(const sso_rule_t *rule, const sso_record_t *record, const sso_list_t *roles);

/* SSO_RULE_APP: the application is one of those that the rule names. */
bool sso_rule_names(const sso_rule_t *rule, const char *client);
/* The answer hangs on groups that may be unknown: a rule by group, or by a role that one of maps (may be NULL) gives
 * for a group. */
bool sso_rule_needs_groups(const sso_rule_t *rule, const apr_array_header_t *maps);
