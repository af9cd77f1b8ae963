// SPDX-License-Identifier: Apache-2.0
// The control calls under /_control/: how a test bends, breaks and reads the emulator while it runs.

import { setContexts } from './contexts.mjs';
import { addCrowd } from './directory.mjs';
import { changeUser, happen, revoke } from './events.mjs';
import { addFault } from './faults.mjs';
import { checkShape } from './forge.mjs';
import { checkChallengeShape } from './graph/challenge.mjs';
import { expireLinks } from './graph/delta.mjs';
import { changeGroup, clearGraph, getGraph, setGraph } from './graph/shape.mjs';
import { keyAction } from './keycontrol.mjs';
import { mint } from './mint.mjs';
import { oddBody } from './oddbody.mjs';
import { clusterAction, mintServiceAccount } from './platform/cluster.mjs';
import { describePlatform, setPlatform } from './platform/identities.mjs';
import { checkRefreshShape } from './refresh.mjs';
import { json } from './reply.mjs';
import { clearSilent, setSilent } from './silent.mjs';
import { reportStats } from './stats.mjs';
import { resetWorld, setV1Issuer, userByKey } from './world.mjs';

function needUser(world, key) {
  const user = userByKey(world, key);
  if (!user) throw new Error(`there is no user '${key}'`);
  return user;
}

function auto(world, { user = null, ageSeconds = 0 }) {
  if (user !== null) needUser(world, user);
  world.auto = user === null ? null : { user, ageSeconds };
  return { auto: world.auto };
}

/** A shape replaces the one before; an empty one takes it away. */
function setShape(name, check) {
  return (world, shape) => {
    check?.(world, shape);
    world.shapes[name] = Object.keys(shape).length ? shape : null;
    return { [name]: world.shapes[name] };
  };
}

function change(item, { set = {}, unset = [] }) {
  Object.assign(item, set);
  for (const name of unset) delete item[name];
  return item;
}

function changeClient(world, { client_id: id, ...changes }) {
  const client = world.clients.find((c) => c.id === id);
  if (!client) throw new Error(`there is no client '${id}'`);
  return { client: change(client, changes) };
}

function signOutEverywhere(world) {
  world.sessions.clear();
  return {};
}

function faults(world) {
  return { faults: world.faults };
}

function clearFaults(world) {
  world.faults = [];
  return faults(world);
}

const CALLS = {
  'POST auto': auto,
  'POST fault': (world, fault) => { addFault(world, fault); return faults(world); },
  'GET fault': faults,
  'DELETE fault': clearFaults,
  'POST idtoken': setShape('idtoken', checkShape),
  'DELETE idtoken': (world) => setShape('idtoken')(world, {}),
  'POST accesstoken': setShape('accesstoken', checkShape),
  'DELETE accesstoken': (world) => setShape('accesstoken')(world, {}),
  'POST token': setShape('token', (world, shape) => oddBody(shape)),
  'DELETE token': (world) => setShape('token')(world, {}),
  'POST authorize': setShape('authorize'),
  'DELETE authorize': (world) => setShape('authorize')(world, {}),
  'POST logout': setShape('logout'),
  'DELETE logout': (world) => setShape('logout')(world, {}),
  'POST refresh': setShape('refresh', checkRefreshShape),
  'DELETE refresh': (world) => setShape('refresh')(world, {}),
  'POST silent': setSilent,
  'DELETE silent': clearSilent,
  'POST contexts': setContexts,
  'POST discovery': setShape('discovery', (world, shape) => oddBody(shape)),
  'DELETE discovery': (world) => setShape('discovery')(world, {}),
  'POST discoveryV1': setShape('discoveryV1', (world, shape) => oddBody(shape)),
  'DELETE discoveryV1': (world) => setShape('discoveryV1')(world, {}),
  'POST issuer': setV1Issuer,
  'POST graph': setGraph,
  'GET graph': getGraph,
  'DELETE graph': clearGraph,
  'POST group': changeGroup,
  'POST delta': expireLinks,
  'POST crowd': addCrowd,
  'POST platform': setPlatform,
  'GET platform': describePlatform,
  'POST identitytoken': setShape('identitytoken', checkShape),
  'DELETE identitytoken': (world) => setShape('identitytoken')(world, {}),
  'POST serviceaccount': mintServiceAccount,
  'POST cluster': clusterAction,
  'POST keys': keyAction,
  'GET keys': (world) => keyAction(world, { action: 'list' }),
  'POST client': changeClient,
  'GET client': (world) => ({ clients: world.clients }),
  'POST user': changeUser,
  'GET user': (world) => ({ users: world.users }),
  'POST hosts': (world, { redirectHosts }) => { world.redirectHosts = [...redirectHosts]; return { redirectHosts: world.redirectHosts }; },
  'POST limits': (world, limits) => ({ limits: Object.assign(world.limits, limits) }),
  'POST clock': (world, { offsetSeconds = 0 }) => { world.clockOffset = offsetSeconds; return { now: world.now() }; },
  'POST revoke': revoke,
  'POST event': happen,
  'POST challenge': setShape('challenge', checkChallengeShape),
  'DELETE challenge': (world) => setShape('challenge')(world, {}),
  'POST mint': mint,
  'POST signout': signOutEverywhere,
  'GET stats': (world) => reportStats(world.stats),
  'POST reset': (world) => { resetWorld(world); return {}; },
};

export async function control(world, method, name, body) {
  const call = CALLS[`${method} ${name}`];
  if (!call) return json(404, { ok: false, error: `no control call '${method} ${name}'`, calls: Object.keys(CALLS) });
  try {
    const value = body ? JSON.parse(body) : {};
    if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error('the body is a JSON object');
    return json(200, { ok: true, ...await call(world, value) }, { 'Cache-Control': 'no-store' });
  } catch (error) {
    return json(400, { ok: false, error: error.message });
  }
}
