// SPDX-License-Identifier: Apache-2.0
// `GET /users/delta`: all users page by page, and from then on those alone that changed.

import { userProperties } from '../directory.mjs';
import { seal, unseal } from '../seal.mjs';
import { nextSerial } from '../world.mjs';
import { demand } from './bearer.mjs';
import { GraphError, badRequest } from './errors.mjs';
import { isMinimal, pageSizeOf, preferencesApplied } from './prefer.mjs';
import { readOptions } from './query.mjs';

const READ_CHANGES = ['User.Read.All', 'User.ReadWrite.All', 'Directory.Read.All'];
const MOST_IDS = 50;
const DEFAULT_PAGE = 200;
// Only for who asks for them by name.
const UNUSUAL = ['accountEnabled', 'signInSessionsValidFromDateTime', 'userType'];

function readSelect(select) {
  const known = Object.keys(userProperties({ oid: '' }));
  if (!select) return known.filter((name) => !UNUSUAL.includes(name));
  const wrong = select.find((name) => !known.includes(name));
  if (wrong !== undefined) throw new GraphError(400, 'BadRequest', `Could not find a property named '${wrong}'.`);
  return [...new Set(['id', ...select])];
}

/** A filter can only name users, by their ids. */
function readIds(filter) {
  if (filter === undefined) return null;
  const found = filter.split(/ +or +/i).map((part) => /^id +eq +'([0-9a-f-]{36})'$/i.exec(part.trim())?.[1].toLowerCase());
  if (found.includes(undefined)) throw new GraphError(400, 'BadRequest', `Invalid filter clause: ${filter}`);
  if (found.length > MOST_IDS) throw badRequest(`At most ${MOST_IDS} ids can be followed.`);
  return found;
}

function gone(ctx, select) {
  const query = select ? `$select=${select.join(',')}&$deltatoken=` : '$deltatoken=';
  return new GraphError(410, 'syncStateNotFound', 'Sync state generation not found; enumerate again.', { Location: `${ctx.emu.base}${ctx.url.pathname}?${query}` });
}

/** The state within a link; links end by age, on request, and with the world they were made in. */
function openLink(ctx, caller, kind, token) {
  const { emu } = ctx;
  const state = unseal(emu.sealKey, kind, token);
  if (!state || state.tenant !== caller.tenant) throw badRequest('Badly formed token.');
  const old = state.at + emu.limits.deltaSeconds <= emu.now() || state.serial <= emu.journal.expiredUpTo || state.upTo > emu.journal.version;
  if (old) throw gone(ctx, state.select);
  return state;
}

/** {select, ids, from, upTo, last, size}: changes after version `from` up to `upTo`, users behind `last`; from null is everybody. */
function readState(ctx, caller) {
  const { select, filter, top, skiptoken, deltatoken } = readOptions(ctx, ['select', 'filter', 'top', 'skiptoken', 'deltatoken']);
  const { version } = ctx.emu.journal;
  if (skiptoken !== undefined && deltatoken !== undefined) throw badRequest('A request has one token.');
  if (skiptoken) return openLink(ctx, caller, 'deltaskip', skiptoken);
  if (deltatoken && deltatoken !== 'latest') {
    const state = openLink(ctx, caller, 'delta', deltatoken);
    return { ...state, from: state.upTo, upTo: version, last: '' };
  }
  const size = ctx.url.searchParams.has('$top') ? top : undefined;
  return { tenant: caller.tenant, select: readSelect(select), ids: readIds(filter), from: deltatoken ? version : null, upTo: version, last: '', size };
}

/** The names of a user's selected properties that changed in the state's span; null when it is not to be shown. */
function changedNames(world, state, user) {
  if (state.from === null) return state.select;
  const versions = world.journal.changes.get(user.oid) ?? {};
  const changed = state.select.filter((name) => versions[name] > state.from && versions[name] <= state.upTo);
  return changed.length ? changed : null;
}

function removedEntries(world, state) {
  if (state.from === null) return [];
  return world.journal.removed
    .filter(({ user, version }) => user.tenant === state.tenant && version > state.from && version <= state.upTo)
    .map(({ user, reason }) => ({ id: user.oid, '@removed': { reason } }));
}

function presentEntries(world, state, minimal) {
  const entries = [];
  for (const user of world.users.filter((known) => known.tenant === state.tenant)) {
    const changed = changedNames(world, state, user);
    const shown = minimal ? ['id', ...(changed ?? [])] : state.select;
    if (changed) entries.push(Object.fromEntries(Object.entries(userProperties(user)).filter(([name]) => shown.includes(name))));
  }
  return entries;
}

function linkTo(ctx, kind, name, state) {
  const { emu } = ctx;
  const token = seal(emu.sealKey, kind, { ...state, at: emu.now(), serial: nextSerial(emu) });
  return `${emu.base}${ctx.url.pathname}?${name}=${token}`;
}

export function usersDelta(ctx, caller) {
  demand(caller, READ_CHANGES);
  const { emu } = ctx;
  const state = readState(ctx, caller);
  const size = pageSizeOf(ctx) ?? state.size ?? emu.limits.deltaPageSize ?? DEFAULT_PAGE;
  // In the order of ids, so that a page begins behind a name and not at a number that changes would move.
  const entries = [...presentEntries(emu, state, isMinimal(ctx)), ...removedEntries(emu, state)]
    .filter(({ id }) => id > state.last && (!state.ids || state.ids.includes(id)))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const value = entries.slice(0, size);
  const more = entries.length > size;
  const next = more
    ? { '@odata.nextLink': linkTo(ctx, 'deltaskip', '$skiptoken', { ...state, last: value.at(-1).id, size }) }
    : { '@odata.deltaLink': linkTo(ctx, 'delta', '$deltatoken', { ...state, from: undefined, last: '', size }) };
  ctx.replyHeaders = preferencesApplied(ctx);
  return { '@odata.context': `${emu.base}/v1.0/$metadata#users`, ...next, value };
}

/** The control call `delta`. */
export function expireLinks(world, { expire }) {
  if (expire !== true) throw new Error('expire is true');
  world.journal.expiredUpTo = world.serial;
  return { expired: true };
}
