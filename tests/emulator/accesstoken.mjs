// SPDX-License-Identifier: Apache-2.0
// Access tokens: genuine JWTs for an application's own API, of version 1.0 or 2.0, and for Graph tokens that no client can check.

import { randomBytes, randomInt } from 'node:crypto';
import { makeToken } from './forge.mjs';
import { groupClaims, opaqueClaims, pairwiseSub } from './idtoken.mjs';
import { compact, signatureOf } from './jwt.mjs';
import { signingKey } from './keys.mjs';
import { principalOf } from './registration.mjs';
import { GRAPH, apiNamed, identifierUriOf } from './scopes.mjs';
import { seal } from './seal.mjs';
import { recordSecret } from './stats.mjs';
import { nextSerial, takeShape, v1IssuerOf } from './world.mjs';

/** How the client proved who it is: not at all, by a secret, by a key. */
const acrOf = (grant) => ({ none: '0', private_key_jwt: '2' })[grant.clientAuth] ?? '1';

const DEFAULT_SCOPES = ['access_as_user'];
const DEFAULT_GRAPH_SCOPES = ['User.Read'];

/** `.default` stands for everything that is granted. */
function delegatedScopes(api, forGraph, scopes) {
  if (!scopes.includes('.default')) return scopes;
  const all = forGraph ? DEFAULT_GRAPH_SCOPES : api?.exposedScopes ?? DEFAULT_SCOPES;
  return [...scopes.filter((name) => name !== '.default'), ...all];
}

function timesOf(world, lifetime) {
  const now = world.now();
  const issued = now - world.limits.backDateSeconds;
  return { iat: issued, nbf: issued, exp: now + lifetime };
}

/** What names the application: `azp` in version 2.0, `appid` in version 1.0. */
function clientClaims(version, client, grant) {
  const acr = acrOf(grant);
  return version === 1 ? { appid: client.id, appidacr: acr } : { azp: client.id, azpacr: acr };
}

function namesOf(version, user) {
  if (version === 2) return { name: user.name, preferred_username: user.upn };
  const names = { name: user.name, given_name: user.givenName, family_name: user.familyName, unique_name: user.upn, upn: user.acct === 0 ? user.upn : undefined };
  return { acr: '1', amr: ['pwd'], ...Object.fromEntries(Object.entries(names).filter(([, value]) => value !== undefined)) };
}

function applicationClaims(client, forGraph, version, issuer, idtyp) {
  const principal = principalOf(client);
  const roles = (forGraph ? client.graphPermissions : undefined) ?? client.appRoles ?? [];
  return {
    ...(version === 1 ? { idp: issuer } : {}),
    ...(idtyp ? { idtyp: 'app' } : {}),
    oid: principal,
    sub: principal,
    ...(roles.length ? { roles } : {}),
  };
}

function userClaims(world, client, user, { api, version, scopes, grant, idtyp }) {
  const claims = { ...namesOf(version, user), oid: user.oid, sub: pairwiseSub(user, api?.id ?? client.id), scp: scopes.join(' ') };
  if (idtyp === 'all') claims.idtyp = 'user';
  if (user.idp) claims.idp = user.idp;
  if (user.roles.length) claims.roles = user.roles;
  if (grant.accessAcrs?.length) claims.acrs = grant.accessAcrs;
  if (grant.sid) claims.sid = grant.sid;
  return { ...claims, ...groupClaims(world, user, api ?? client) };
}

/**
 * An access token's claims: of a user when `user` is given, else of the application itself. Version and audience
 * are the choice of the API, whichever endpoint was asked.
 */
export function accessTokenClaims(world, client, user, { resource, scopes, lifetime, grant, version: wanted }) {
  const api = apiNamed(world, resource);
  const forGraph = resource === GRAPH;
  const version = wanted ?? api?.requestedAccessTokenVersion ?? (api ? 1 : 2);
  const tid = user?.tenant ?? grant.tid;
  const issuer = version === 1 ? v1IssuerOf(world, tid) : `${world.base}/${tid}/v2.0`;
  const audience = api ? { 1: identifierUriOf(api), 2: api.id }[version] : resource;
  // Graph always says it; an API has to ask for it.
  const idtyp = api ? api.idtyp : 'app';
  const owner = user
    ? userClaims(world, client, user, { api, version, scopes: delegatedScopes(api, forGraph, scopes), grant, idtyp })
    : applicationClaims(client, forGraph, version, issuer, idtyp);
  return {
    aud: audience,
    iss: issuer,
    ...timesOf(world, lifetime),
    ...clientClaims(version, client, grant),
    tid,
    ...opaqueClaims(),
    // Graph's own note of when the token was made, finer than `iat`.
    ...(forGraph ? { aio: seal(world.sealKey, 'aio', { serial: nextSerial(world) }) } : {}),
    ...owner,
    ...(user && grant.cae ? { xms_cc: ['cp1'] } : {}),
    ver: `${version}.0`,
  };
}

/**
 * As with the real ones, the signature of a token for Graph covers something else than what is sent, so a
 * client that checks it fails. Graph itself knows what was signed.
 */
export function signForGraph(world, tenant, claims) {
  const key = signingKey(world.keys, tenant);
  const header = { typ: 'JWT', nonce: randomBytes(32).toString('base64url'), alg: 'RS256', kid: key.kid };
  return compact(JSON.stringify(header), JSON.stringify(claims), (input) => signatureOf('RS256', Buffer.concat([input, Buffer.from('.graph')]), key.privateKey));
}

function secondsOf(world, grant) {
  if (world.limits.accessTokenSeconds) return world.limits.accessTokenSeconds;
  return grant.cae ? randomInt(20 * 3600, 28 * 3600) : randomInt(3600, 5400);
}

/** {token, lifetime} for one resource; `user` null makes an app-only token. */
export function makeAccessToken(world, client, user, grant, { resource, names, openid }) {
  const lifetime = secondsOf(world, grant);
  const forGraph = resource === GRAPH;
  const scopes = forGraph ? [...names, ...openid.filter((name) => name !== 'offline_access')] : names;
  const claims = accessTokenClaims(world, client, user, { resource, scopes, lifetime, grant });
  const shape = forGraph ? null : takeShape(world, 'accesstoken');
  const token = forGraph ? signForGraph(world, claims.tid, claims) : makeToken(world, client, claims.tid, claims, shape ?? {});
  if (typeof token === 'string') recordSecret(world.stats, 'access_tokens', token);
  return { token, lifetime };
}
