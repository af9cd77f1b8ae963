// SPDX-License-Identifier: Apache-2.0
// prompt=none: the answers of a sign-in that may not ask, as a test wants them.

import { EntraError } from './errors.mjs';
import { accountOf } from './sso.mjs';
import { takeShape, userByKey } from './world.mjs';

const CODES = { login_required: 50058, interaction_required: 50076, consent_required: 65001 };
const MEMBERS = ['user', 'error', 'code', 'suberror', 'count'];
const SESSIONS = ['assumed', 'required'];

function checkShape(world, shape) {
  const wrong = Object.keys(shape).find((name) => !MEMBERS.includes(name));
  if (wrong !== undefined) throw new Error(`a shape of silent has no '${wrong}'; it has ${MEMBERS.join(', ')}, and session`);
  if (shape.user !== undefined && !userByKey(world, shape.user)) throw new Error(`there is no user '${shape.user}'`);
  if (!CODES[shape.error] && shape.code === undefined) throw new Error(`error is one of ${Object.keys(CODES).join(', ')}, or there is a code`);
}

/** The control call: `session` stays until it is changed, the rest is a shape of answers and replaces the one before. */
export function setSilent(world, { session, ...shape }) {
  if (session !== undefined && !SESSIONS.includes(session)) throw new Error(`session is one of ${SESSIONS.join(', ')}`);
  const named = Object.keys(shape).length > 0;
  if (named) checkShape(world, shape);
  if (session !== undefined) world.silentSession = session;
  if (named || session === undefined) world.shapes.silent = named ? { ...shape } : null;
  return { silent: world.shapes.silent, session: world.silentSession };
}

export function clearSilent(world) {
  world.silentSession = 'assumed';
  world.shapes.silent = null;
  return { silent: null, session: world.silentSession };
}

/** Whether the user at the keyboard has a session in this browser, when that is asked for. */
export function checkSilentSession(world, session) {
  if (world.silentSession === 'required' && !accountOf(session, world.auto.user)) throw new EntraError(50058);
}

/** The refusal that waits for this user. */
export function checkSilent(world, client, key) {
  const shape = takeShape(world, 'silent', (s) => s.user === undefined || s.user === key);
  if (shape) throw new EntraError(shape.code ?? CODES[shape.error], [client.id], { error: shape.error, suberror: shape.suberror });
}
