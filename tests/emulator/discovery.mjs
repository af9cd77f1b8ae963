// SPDX-License-Identifier: Apache-2.0
// The documents a client reads first: OpenID configuration and key set of an authority.

import { CONSUMERS } from './tenants.mjs';
import { keySet, keySetV1 } from './keys.mjs';
import { json, text } from './reply.mjs';
import { oddBody } from './oddbody.mjs';
import { takeShape, v1IssuerOf } from './world.mjs';

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

/** The document of version 1.0. Its keys have no tenant of their own, as with the real ones. */
export function configurationV1(world, authority, appId) {
  const document = configuration(world, authority, appId);
  const at = (rest) => `${world.base}/${endpointPath(authority)}${rest}`;
  return {
    ...document,
    token_endpoint: at('/oauth2/token'),
    jwks_uri: `${world.base}/common/discovery/keys${appId ? `?appid=${encodeURIComponent(appId)}` : ''}`,
    response_types_supported: ['code', 'id_token', 'code id_token', 'token id_token', 'token'],
    scopes_supported: ['openid'],
    issuer: v1IssuerOf(world, authority.tenant),
    microsoft_multi_refresh_token: true,
    authorization_endpoint: at('/oauth2/authorize'),
    device_authorization_endpoint: at('/oauth2/devicecode'),
    end_session_endpoint: at('/oauth2/logout'),
    check_session_iframe: at('/oauth2/checksession'),
    userinfo_endpoint: at('/openid/userinfo'),
  };
}

function answer(emu, name, document) {
  const shape = takeShape(emu, name);
  const odd = oddBody(shape);
  const headers = { ...CACHE, ...shape?.headers };
  if (odd !== undefined) return text(200, odd, { 'Content-Type': 'application/json; charset=utf-8', ...headers });
  const bent = { ...document, ...shape?.set };
  for (const member of shape?.unset ?? []) delete bent[member];
  return json(200, bent, headers);
}

export const discovery = ({ emu, authority, query }) => answer(emu, 'discovery', configuration(emu, authority, query.get('appid')));

export const discoveryV1 = ({ emu, authority, query }) => answer(emu, 'discoveryV1', configurationV1(emu, authority, query.get('appid')));

function keyAnswer(emu, makeSet) {
  const odd = oddBody(emu.keys.override);
  if (odd !== undefined) return text(200, odd, { 'Content-Type': 'application/json; charset=utf-8', ...CACHE });
  return json(200, makeSet(), CACHE);
}

export const keyDocument = ({ emu, authority }) => keyAnswer(emu, () => keySet(emu.keys, emu.base, authority.tenant));

export const keyDocumentV1 = ({ emu }) => keyAnswer(emu, () => keySetV1(emu.keys, emu.base));
