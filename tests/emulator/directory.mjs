// SPDX-License-Identifier: Apache-2.0
// The directory as Graph shows it: a user's properties, and a journal of their changes for those who follow it.

import { CONTOSO, member } from './tenants.mjs';

/** Sessions from before this time are over; for a user whose were never revoked it is the day the directory began. */
const BEGINNING = Date.UTC(2026, 0, 1) / 1000;

const dateTime = (seconds) => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

export const userProperties = (user) => ({
  id: user.oid,
  displayName: user.name,
  givenName: user.givenName ?? null,
  surname: user.familyName ?? null,
  userPrincipalName: user.upn,
  mail: user.email ?? null,
  userType: user.acct === 1 ? 'Guest' : 'Member',
  accountEnabled: user.enabled,
  signInSessionsValidFromDateTime: dateTime(user.sessionsValidFrom ?? BEGINNING),
});

export const createJournal = () => ({ version: 0, changes: new Map(), removed: [], expiredUpTo: -1 });

/** Makes a change to a user and writes down which properties are others now. */
export function trackUser(world, user, change) {
  const { journal } = world;
  const before = userProperties(user);
  change();
  const changed = Object.entries(userProperties(user)).filter(([name, value]) => before[name] !== value).map(([name]) => name);
  if (changed.length === 0) return;
  journal.version += 1;
  const versions = journal.changes.get(user.oid) ?? {};
  for (const name of changed) versions[name] = journal.version;
  journal.changes.set(user.oid, versions);
}

/** A user who comes, or comes back: everything of it is new. */
export function addUser(world, user) {
  const { journal } = world;
  journal.version += 1;
  const versions = Object.fromEntries(Object.keys(userProperties(user)).map((name) => [name, journal.version]));
  journal.changes.set(user.oid, versions);
  journal.removed = journal.removed.filter((entry) => entry.user !== user);
  world.users.push(user);
}

/** The control call `crowd`: so many more users of a tenant, for lists that are long. */
export function addCrowd(world, { count, tenant = CONTOSO }) {
  if (!Number.isInteger(count) || count < 1) throw new Error('count is a number of users');
  if (!world.tenants.some((known) => known.id === tenant)) throw new Error(`there is no tenant '${tenant}'`);
  const first = world.users.filter((user) => user.key.startsWith('crowd')).length + 1;
  for (let i = first; i < first + count; i += 1) addUser(world, { ...member(`crowd${i}`, 'Crowd', String(i)), tenant, hidden: true });
  return { users: world.users.length };
}

/** `changed` is what Graph calls a user in the bin, `deleted` one that is gone for good. */
export function removeUser(world, user, reason) {
  const { journal } = world;
  journal.version += 1;
  journal.removed = [...journal.removed.filter((entry) => entry.user !== user), { user, reason, version: journal.version }];
  world.users = world.users.filter((known) => known !== user);
}

/** A name of a user that is in the bin. */
export const binnedUser = (world, key) => world.journal.removed.find((entry) => entry.user.key === key && entry.reason === 'changed')?.user;
