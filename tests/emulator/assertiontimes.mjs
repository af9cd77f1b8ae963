// SPDX-License-Identifier: Apache-2.0
// When a client assertion is good.

import { EntraError } from './errors.mjs';

export const SKEW = 300;

const iso = (seconds) => (Number.isFinite(seconds) ? new Date(seconds * 1000).toISOString() : String(seconds));

export function checkTimes(world, { nbf, exp }) {
  const now = world.now();
  if (typeof exp !== 'number') throw new EntraError(50027, ['exp is missing']);
  const early = nbf !== undefined && !(typeof nbf === 'number' && nbf <= now + SKEW);
  if (early || exp <= now - SKEW) throw new EntraError(700024, [iso(now), `${iso(nbf)} to ${iso(exp)}`]);
}
