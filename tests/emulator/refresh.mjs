// SPDX-License-Identifier: Apache-2.0
// Refresh tokens: issuing them, taking them back, and everything for which Entra refuses one.

import { randomUUID } from 'node:crypto';
import { readClaims } from './claimsrequest.mjs';
import { EntraError } from './errors.mjs';
import { checkChallenge } from './events.mjs';
import { seal, unseal } from './seal.mjs';
import { recordSecret } from './stats.mjs';
import { nextSerial, takeShape, userByKey } from './world.mjs';

const SPA_REFRESH_SECONDS = 24 * 3600;

export function issueRefreshToken(world, client, grant) {
  const { user, tid, sid, authTime, acrs, askedAcrs, accessAcrs, cae, scope, signedIn } = grant;
  const token = seal(world.sealKey, 'refresh', {
    id: randomUUID(), serial: nextSerial(world), at: world.now(), client: client.id, user, tid, sid, authTime, acrs, askedAcrs, accessAcrs, cae, scope, signedIn,
  });
  recordSecret(world.stats, 'refresh_tokens', token);
  return token;
}

function checkRefreshable(world, client, grant) {
  const spa = client.platform === 'spa';
  const life = spa ? SPA_REFRESH_SECONDS : world.limits.refreshTokenSeconds;
  if (grant.client !== client.id) throw new EntraError(70000, ['the refresh token was issued to another client'], { suberror: 'client_mismatch' });
  if (grant.at + life <= world.now()) throw new EntraError(spa ? 700084 : 700082, [], { suberror: 'token_expired' });
  const revoked = world.revokedTokens.has(grant.id) || (world.revokedBefore.get(grant.user) ?? 0) >= grant.serial;
  if (revoked) throw new EntraError(50173, [], { suberror: 'bad_token' });
}

/** Policy is looked at again at each refresh: the account as it is now, and what a test wants to be refused. */
function checkOwner(world, grant) {
  const user = userByKey(world, grant.user);
  if (!user) throw new EntraError(50034, [grant.user]);
  if (!user.enabled) throw new EntraError(50057);
  if (user.refreshError) throw new EntraError(user.refreshError.code ?? 50076, [], user.refreshError);
  const shape = takeShape(world, 'refresh', (s) => s.user === undefined || s.user === user.key);
  if (shape) throw new EntraError(shape.code ?? 50076, [], shape);
  return user;
}

export function redeemRefreshToken(ctx, client) {
  const { emu, form, authority } = ctx;
  const token = form.get('refresh_token');
  if (!token) throw new EntraError(900144, ['refresh_token']);
  const grant = unseal(emu.sealKey, 'refresh', token);
  if (!grant) throw new EntraError(70000, ['the refresh token is malformed or not of this service'], { suberror: 'bad_token' });
  checkRefreshable(emu, client, grant);
  if (authority.tenant && authority.tenant !== grant.tid) throw new EntraError(70000, ['the refresh token is of another tenant']);
  const user = checkOwner(emu, grant);
  checkChallenge(emu, user, grant, readClaims(form.get('claims')), form.get('claims'));
  return { ...grant, kind: 'refresh', nonce: undefined };
}

const MEMBERS = ['user', 'code', 'error', 'suberror', 'claims', 'status', 'members', 'count'];

/** The control call `refresh`: how the next refreshes are refused. */
export function checkRefreshShape(world, shape) {
  const wrong = Object.keys(shape).find((name) => !MEMBERS.includes(name));
  if (wrong !== undefined) throw new Error(`a shape of refresh has no '${wrong}'; it has ${MEMBERS.join(', ')}`);
  if (shape.user !== undefined && !userByKey(world, shape.user)) throw new Error(`there is no user '${shape.user}'`);
  if (shape.claims !== undefined && typeof shape.claims !== 'string') throw new Error('claims is a text: JSON within JSON');
}
