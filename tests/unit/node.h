/* SPDX-License-Identifier: Apache-2.0 */
/* One node: shared memory of an authority, an outside that is well, and as many processes as wanted. Included by tests
 * only, after fake_http.h and fixture.h. */
#pragma once

#include "entra/authority.h"

#define DISCOVERY "openid-configuration"
#define KEYS "/discovery/v2.0/keys"
#define SEC(n) apr_time_from_sec(n)

static const sso_http_policy_t node_policy = {.connect_timeout = 1000, .total_timeout = 30 * 1000};

/* One node: shared memory and an outside that is well. */
typedef struct {
    sso_authority_config_t config;
    void *shared;
    fake_http_t *fake;
} node_t;

static UNIT_MAYBE_UNUSED const char *node_jwk(int role, const char *kid)
{
    return fixture_entra_jwk(unit_pool, role, kid, FIXTURE_ISSUER);
}

static UNIT_MAYBE_UNUSED node_t *node_make(const char *tenant, const char *place)
{
    node_t *node = apr_pcalloc(unit_pool, sizeof(*node));
    node->config.login_url = FIXTURE_LOGIN;
    node->config.tenant = tenant;
    node->config.policy = &node_policy;
    node->shared = apr_pcalloc(unit_pool, sso_authority_shared_size());
    node->fake = fake_http_make(unit_pool);
    fake_http_always(node->fake, DISCOVERY, 200, fixture_discovery(unit_pool, tenant, place));
    fake_http_always(node->fake, KEYS, 200, fixture_jwks(unit_pool, node_jwk(FIXTURE_KEY_A, "kid-A"), NULL));
    return node;
}

static UNIT_MAYBE_UNUSED node_t *node_good(void)
{
    return node_make(FIXTURE_TENANT, FIXTURE_TENANT);
}

/* A process of the node. */
static UNIT_MAYBE_UNUSED sso_authority_t *node_process(node_t *node)
{
    return sso_authority_make(unit_pool, &node->config, node->shared, &node->fake->face);
}

static UNIT_MAYBE_UNUSED void node_roll(node_t *node, const char *jwk)
{
    fake_http_always(node->fake, KEYS, 200, fixture_jwks(unit_pool, jwk, NULL));
}
