// SPDX-License-Identifier: Apache-2.0
// What happens to an account while sessions are open, and who hears of it: refreshes, Graph's claims challenges, its delta queries.

import { addUser, binnedUser, removeUser, trackUser } from './directory.mjs';
import { EntraError } from './errors.mjs';
import { unseal } from './seal.mjs';
import { nextSerial, userByKey } from './world.mjs';

// Events that Graph answers with a claims challenge; `refusal` is what a refresh that carries the challenge meets, if anything.
const CRITICAL = {
  password: { refusal: { code: 50133, suberror: 'bad_token' } },
  mfa: { refusal: { code: 50079, error: 'interaction_required', suberror: 'basic_action' } },
  revoke: {},
  disable: {},
  delete: {},
  // A fresh token is all that it takes.
  policy: {},
};

function needUser(world, key) {
  const user = userByKey(world, key);
  if (!user) throw new Error(`there is no user '${key}'`);
  return user;
}

/** Ended by a change of the password and by a revocation, at Entra as well. */
function endBrowserSessions(world, key) {
  for (const session of world.sessions.values()) session.accounts = session.accounts.filter((account) => account.user !== key);
}

function noteEvent(world, user, kind, { delaySeconds = 0, error } = {}) {
  const refusal = error ?? CRITICAL[kind].refusal;
  const event = { kind, serial: nextSerial(world), at: world.now(), heardFrom: world.now() + delaySeconds, refusal };
  world.events.set(user.oid, [...(world.events.get(user.oid) ?? []), event]);
}

function setEnabled(world, user, enabled) {
  trackUser(world, user, () => { user.enabled = enabled; });
}

function revokeSessions(world, user) {
  // Every grant so far, and none of those that follow.
  world.revokedBefore.set(user.key, world.serial);
  trackUser(world, user, () => { user.sessionsValidFrom = world.now(); });
  endBrowserSessions(world, user.key);
}

function restore(world, key) {
  const user = binnedUser(world, key);
  if (!user) throw new Error(`there is no deleted user '${key}'`);
  addUser(world, user);
  return user;
}

const EVENTS = {
  password: (world, user) => endBrowserSessions(world, user.key),
  mfa: () => {},
  policy: () => {},
  revoke: revokeSessions,
  disable: (world, user) => setEnabled(world, user, false),
  enable: (world, user) => setEnabled(world, user, true),
  delete: (world, user, { permanent = false }) => removeUser(world, user, permanent ? 'deleted' : 'changed'),
};

/** The control call `event`. */
export function happen(world, { user: key, event, ...options }) {
  if (event === 'restore') return { user: restore(world, key), event };
  if (!Object.hasOwn(EVENTS, event ?? '')) throw new Error(`event is one of ${Object.keys(EVENTS).join(', ')}, restore`);
  const user = needUser(world, key);
  EVENTS[event](world, user, options);
  if (CRITICAL[event]) noteEvent(world, user, event, options);
  return { user, event };
}

/** The control call `user`: any member changed. An account that it disables is the same as one that `event` disables. */
export function changeUser(world, { user: key, set = {}, unset = [] }) {
  const user = needUser(world, key);
  const { enabled } = user;
  trackUser(world, user, () => {
    Object.assign(user, set);
    for (const name of unset) delete user[name];
  });
  if (enabled && !user.enabled) noteEvent(world, user, 'disable');
  return { user };
}

/** The control call `revoke`: all of a user, or one refresh token. */
export function revoke(world, { user, refresh_token: token }) {
  const grant = token && unseal(world.sealKey, 'refresh', token);
  if (token && !grant) throw new Error('refresh_token is none of this emulator');
  if (grant) world.revokedTokens.add(grant.id);
  if (user) happen(world, { user, event: 'revoke' });
  return { revoked: user ?? grant?.id };
}

/** The event, if any, for which Graph does not take an access token of this serial any more. */
export function criticalEvent(world, oid, serial) {
  return world.events.get(oid)?.findLast((event) => event.serial > serial && event.heardFrom <= world.now());
}

/**
 * A refresh that carries a challenge's time gets no token when the sign-in behind it is from before something that only
 * another sign-in can mend. Without the challenge nobody looks.
 */
export function checkChallenge(world, user, grant, claims, text) {
  if (claims.notBefore === undefined) return;
  const since = (world.events.get(user.oid) ?? []).filter((event) => event.serial > (grant.signedIn ?? 0) && event.at <= claims.notBefore);
  const { refusal } = since.findLast((event) => event.refusal) ?? {};
  if (refusal) throw new EntraError(refusal.code ?? 50133, [], { claims: text, ...refusal });
}
