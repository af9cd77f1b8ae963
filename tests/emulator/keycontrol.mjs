// SPDX-License-Identifier: Apache-2.0
// The actions of the control call `keys`: rolling keys over, and publishing key sets that no honest service would.

import { findKey, newRsaKey, restoreKeys, rollKeys, spareKey } from './keys.mjs';
import { oddBody } from './oddbody.mjs';

function need(keys, kid) {
  const key = findKey(keys, kid);
  if (!key) throw new Error(`there is no key '${kid}'`);
  return key;
}

const insert = (keys, key, first) => (first ? keys.published.unshift(key) : keys.published.push(key));

const ACTIONS = {
  list: () => undefined,

  roll: (keys, options) => rollKeys(keys, options).kid,

  publish: (keys, { kid, first }) => {
    const key = need(keys, kid);
    if (!keys.published.includes(key)) insert(keys, key, first);
    return kid;
  },

  /** A further key, published, that signs only when it is named. */
  add: (keys, { bits = 2048, set = {}, unset = [], first, issuer }) => {
    const key = newRsaKey('added', bits, issuer);
    Object.assign(key, { set, unset });
    insert(keys, key, first);
    return key.kid;
  },

  /** Takes a key out of the published set; the emulator may still sign with it. */
  remove: (keys, { kid }) => {
    keys.published = keys.published.filter((key) => key.kid !== kid);
    return kid;
  },

  sign: (keys, { kid }) => {
    keys.active = need(keys, kid);
    return kid;
  },

  publishWeak: (keys) => {
    const key = spareKey(keys, 'weak');
    if (!keys.published.includes(key)) keys.published.push(key);
    return key.kid;
  },

  /** Changes the published form of one key, or of all with kid "*". */
  set: (keys, { kid, set = {}, unset = [] }) => {
    const targets = kid === '*' ? keys.published : [need(keys, kid)];
    for (const key of targets) Object.assign(key, { set: { ...key.set, ...set }, unset: [...key.unset, ...unset] });
    return kid;
  },

  /** A second key under the kid of another one. */
  duplicate: (keys, { kid = keys.active.kid, first = false }) => {
    const twin = newRsaKey('duplicate');
    twin.set = { kid, x5t: kid };
    insert(keys, twin, first);
    return kid;
  },

  raw: (keys, { body, generate }) => {
    const override = body === undefined ? { generate } : { raw: body };
    if (oddBody(override) === undefined) throw new Error('raw needs body or generate');
    keys.override = override;
    return undefined;
  },

  restore: (keys) => {
    restoreKeys(keys);
    return undefined;
  },
};

export function keyAction(world, { action, ...options }) {
  if (!Object.hasOwn(ACTIONS, action ?? '')) throw new Error(`action is one of ${Object.keys(ACTIONS).join(', ')}`);
  const { keys } = world;
  const kid = ACTIONS[action](keys, options);
  return { kid, active: keys.active.kid, published: keys.published.map((key) => key.set.kid ?? key.kid), roles: rolesOf(keys) };
}

function rolesOf(keys) {
  return Object.fromEntries([...keys.all, ...keys.spare.values()].filter((key) => key.kid && key.role).map((key) => [key.role, key.kid]));
}
