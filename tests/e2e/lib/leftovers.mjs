// SPDX-License-Identifier: Apache-2.0
// Sites, emulators and backends of which a failed case can leave none behind: an open one would keep the test process alive.

import { startEmulator as makeEmulator } from '../../emulator/server.mjs';
import { startEcho as makeEcho } from './echo.mjs';
import { startSite as makeSite } from './site.mjs';

const open = new Map();

/** Notes `thing`, whose method `name` ends it, until that was called. */
function watch(thing, name) {
  const end = thing[name].bind(thing);
  thing[name] = async (...args) => {
    open.delete(thing);
    return end(...args);
  };
  open.set(thing, () => thing[name]({ judge: false }));
  return thing;
}

export const startSite = async (options) => watch(await makeSite(options), 'stop');
export const startEmulator = async (options) => watch(await makeEmulator(options), 'close');
export const startEcho = async (options) => watch(await makeEcho(options), 'close');

/** For after(): ends what is still there, sites first. */
export async function closeLeftovers() {
  for (const end of [...open.values()].reverse()) await end().catch(() => {});
}
