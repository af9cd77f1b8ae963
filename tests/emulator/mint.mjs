// SPDX-License-Identifier: Apache-2.0
// The control call `mint`: a token without a sign-in, for tests of what accepts tokens.

import { randomUUID } from 'node:crypto';
import { accessTokenClaims, signForGraph } from './accesstoken.mjs';
import { makeToken } from './forge.mjs';
import { idTokenClaims } from './idtoken.mjs';
import { GRAPH } from './scopes.mjs';
import { recordSecret } from './stats.mjs';
import { userByKey } from './world.mjs';

const KINDS = ['id', 'access'];

/** The members of a call, with their defaults. */
function readCall(world, call) {
  const { kind = 'id', user = 'ada', client_id: id = world.clients[0].id, resource = id } = call;
  if (!KINDS.includes(kind)) throw new Error(`kind is one of ${KINDS.join(', ')}`);
  const client = world.clients.find((c) => c.id === id);
  if (!client) throw new Error(`there is no client '${id}'`);
  const person = user === null ? null : userByKey(world, user);
  if (person === undefined) throw new Error(`there is no user '${user}'`);
  if (kind === 'id' && !person) throw new Error('an ID token is of a user');
  if (![undefined, 1, 2].includes(call.version)) throw new Error('version is 1 or 2');
  return { kind, person, client, resource };
}

/** One for Graph is always a good one; every other takes a shape as the control calls `idtoken` and `accesstoken` do. */
export function mint(world, call) {
  const { kind, person, client, resource } = readCall(world, call);
  const { scopes = [], nonce, lifetimeSeconds = 3600, version, roles, cae, shape = {} } = call;
  const tid = call.tid ?? person?.tenant ?? client.tenant;
  const grant = { tid, nonce, cae, sid: randomUUID(), authTime: world.now(), scope: ['openid', 'profile', 'email'] };
  const claims = kind === 'id'
    ? idTokenClaims(world, client, person, grant)
    : accessTokenClaims(world, client, person, { resource, scopes, lifetime: lifetimeSeconds, grant, version });
  if (roles) claims.roles = roles;
  const forGraph = kind === 'access' && resource === GRAPH;
  const token = forGraph ? signForGraph(world, tid, claims) : makeToken(world, client, tid, claims, shape);
  if (typeof token === 'string') recordSecret(world.stats, kind === 'id' ? 'id_tokens' : 'access_tokens', token);
  return { token, claims };
}
