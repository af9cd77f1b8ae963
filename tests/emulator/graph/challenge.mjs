// SPDX-License-Identifier: Apache-2.0
// Continuous access evaluation: tokens from before a critical event, and the claims challenge that they meet.

import { criticalEvent } from '../events.mjs';
import { unseal } from '../seal.mjs';
import { takeShape } from '../world.mjs';
import { GraphError } from './errors.mjs';

const MEMBERS = ['claims', 'unset', 'reverse', 'before', 'after', 'count'];

/** The control call `challenge`: how the header differs from the usual one. */
export function checkChallengeShape(_, shape) {
  const wrong = Object.keys(shape).find((name) => !MEMBERS.includes(name));
  if (wrong !== undefined) throw new Error(`a shape of challenge has no '${wrong}'; it has ${MEMBERS.join(', ')}`);
}

const claimsOf = (event) => Buffer.from(`{"access_token":{"nbf":{"essential":true, "value":"${event.at}"}}}`).toString('base64');

/** One header line, or several when a shape puts other challenges beside it. */
function headerOf(world, event) {
  const shape = takeShape(world, 'challenge') ?? {};
  const fields = {
    realm: '',
    authorization_uri: `${world.base}/common/oauth2/authorize`,
    error: 'insufficient_claims',
    claims: shape.claims ?? claimsOf(event),
  };
  for (const name of shape.unset ?? []) delete fields[name];
  const pairs = Object.entries(fields).map(([name, value]) => `${name}="${value}"`);
  if (shape.reverse) pairs.reverse();
  const lines = [...(shape.before ?? []), `Bearer ${pairs.join(', ')}`, ...(shape.after ?? [])];
  return lines.length === 1 ? lines[0] : lines;
}

/** Only clients that declared `cp1` are challenged; the tokens of others are good until they expire. */
export function checkCritical(world, claims) {
  if (!claims.xms_cc?.includes('cp1')) return;
  const serial = unseal(world.sealKey, 'aio', String(claims.aio))?.serial ?? 0;
  const event = criticalEvent(world, claims.oid, serial);
  if (!event) return;
  const message = 'Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp';
  throw new GraphError(401, 'InvalidAuthenticationToken', message, { 'WWW-Authenticate': headerOf(world, event) });
}
