// SPDX-License-Identifier: Apache-2.0
// Access tokens: genuine JWTs for an application's own API, and for Graph tokens that no client can check.

import { randomBytes, randomInt } from 'node:crypto';
import { makeToken } from './forge.mjs';
import { groupClaims, opaqueClaims, pairwiseSub } from './idtoken.mjs';
import { compact, signatureOf } from './jwt.mjs';
import { signingKey } from './keys.mjs';
import { GRAPH } from './scopes.mjs';
import { recordSecret } from './stats.mjs';
import { takeShape } from './world.mjs';

/** An access token's claims: of a user when `user` is given, else of the application itself. */
export function accessTokenClaims(world, client, user, { audience, scopes, lifetime, grant }) {
  const now = world.now();
  const tenant = user?.tenant ?? grant.tid;
  const claims = {
    aud: audience,
    iss: `${world.base}/${tenant}/v2.0`,
    iat: now - world.limits.backDateSeconds,
    nbf: now - world.limits.backDateSeconds,
    exp: now + lifetime,
    azp: client.id,
    azpacr: '1',
    tid: tenant,
    ...opaqueClaims(),
    ver: '2.0',
  };
  if (!user) return { ...claims, idtyp: 'app', oid: client.id, sub: client.id, roles: client.appRoles ?? [] };
  Object.assign(claims, { oid: user.oid, sub: pairwiseSub(user, client.id), name: user.name, preferred_username: user.upn, scp: scopes.join(' ') });
  if (user.roles.length) claims.roles = user.roles;
  return { ...claims, ...groupClaims(world, user, client), ...(grant.cae ? { xms_cc: ['cp1'] } : {}), ...(grant.sid ? { sid: grant.sid } : {}) };
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
  const claims = accessTokenClaims(world, client, user, { audience: resource, scopes, lifetime, grant });
  const shape = forGraph ? null : takeShape(world, 'accesstoken');
  const token = forGraph ? signForGraph(world, claims.tid, claims) : makeToken(world, client, claims.tid, claims, shape ?? {});
  if (typeof token === 'string') recordSecret(world.stats, 'access_tokens', token);
  return { token, lifetime };
}
