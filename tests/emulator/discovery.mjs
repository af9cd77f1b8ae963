// SPDX-License-Identifier: Apache-2.0
// The documents a client reads first: OpenID configuration and key set of an authority.

import { CONSUMERS } from './tenants.mjs';
import { keySet } from './keys.mjs';
import { json, text } from './reply.mjs';
import { oddBody } from './oddbody.mjs';
import { takeShape } from './world.mjs';

const CACHE = { 'Cache-Control': 'max-age=86400, private' };

/** A domain is another name of a tenant, and its endpoints show the GUID; the words for account kinds stay. */
const endpointPath = ({ segment, tenant }) => (segment === 'consumers' ? segment : tenant ?? segment);

export function configuration(world, authority, appId) {
  const base = world.base;
  const path = endpointPath(authority);
  const at = (rest) => `${base}/${path}${rest}`;
  const tenant = world.tenants.find((t) => t.id === authority.tenant);
  return {
    token_endpoint: at('/oauth2/v2.0/token'),
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
    jwks_uri: at('/discovery/v2.0/keys') + (appId ? `?appid=${encodeURIComponent(appId)}` : ''),
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: `${base}/${authority.tenant ?? '{tenantid}'}/v2.0`,
    request_uri_parameter_supported: false,
    userinfo_endpoint: `${base}/oidc/userinfo`,
    authorization_endpoint: at('/oauth2/v2.0/authorize'),
    device_authorization_endpoint: at('/oauth2/v2.0/devicecode'),
    http_logout_supported: true,
    frontchannel_logout_supported: true,
    end_session_endpoint: at('/oauth2/v2.0/logout'),
    claims_supported: ['sub', 'iss', 'cloud_instance_name', 'cloud_instance_host_name', 'cloud_graph_host_name', 'msgraph_host',
      'aud', 'exp', 'iat', 'auth_time', 'acr', 'nonce', 'preferred_username', 'name', 'tid', 'ver', 'at_hash', 'c_hash', 'email'],
    kerberos_endpoint: at('/kerberos'),
    tenant_region_scope: authority.tenant === CONSUMERS ? null : tenant?.region ?? null,
    cloud_instance_name: 'microsoftonline.com',
    cloud_graph_host_name: 'graph.windows.net',
    // A client that follows this must end up here and not on the Internet.
    msgraph_host: new URL(base).host,
    rbac_url: `${base}/rbac`,
  };
}

export function discovery({ emu, authority, query }) {
  const shape = takeShape(emu, 'discovery');
  const odd = oddBody(shape);
  const headers = { ...CACHE, ...shape?.headers };
  if (odd !== undefined) return text(200, odd, { 'Content-Type': 'application/json; charset=utf-8', ...headers });
  const document = { ...configuration(emu, authority, query.get('appid')), ...shape?.set };
  for (const name of shape?.unset ?? []) delete document[name];
  return json(200, document, headers);
}

export function keyDocument({ emu, authority }) {
  const odd = oddBody(emu.keys.override);
  if (odd !== undefined) return text(200, odd, { 'Content-Type': 'application/json; charset=utf-8', ...CACHE });
  return json(200, keySet(emu.keys, emu.base, authority.tenant), CACHE);
}
