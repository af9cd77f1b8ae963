// SPDX-License-Identifier: Apache-2.0
// The state of one running emulator: its data, clock, switches and records, and how they are put back to the start.

import { randomBytes } from 'node:crypto';
import * as data from './tenants.mjs';
import { createJournal } from './directory.mjs';
import { createKeys, restoreKeys } from './keys.mjs';
import { createPlatform } from './platform/identities.mjs';
import { createStats } from './stats.mjs';

const LIMITS = {
  codeSeconds: 600,
  idTokenSeconds: 3600,
  backDateSeconds: 300,
  refreshTokenSeconds: 90 * 24 * 3600,
  // Entra's loop detector, 15 there; off here because tests repeat requests on purpose.
  loopLimit: 0,
  // As many ids as getMemberGroups and getMemberObjects give at most.
  memberIds: 11000,
  // How long a delta link of users is good.
  deltaSeconds: 7 * 24 * 3600,
};

// The issuer of version 1.0 tokens is this, the tenant and a slash; the host has no other use.
const V1_ISSUER = 'https://sts.windows.net';

export async function createWorld(options) {
  const world = {
    options,
    base: null,
    keys: await createKeys(),
    sealKey: randomBytes(32),
    // Outlives a reset, as the grants do that carry it.
    serial: 0,
    usedCodes: new Map(),
    usedAssertions: new Map(),
    now: () => Math.floor(Date.now() / 1000) + world.clockOffset,
  };
  resetWorld(world);
  return world;
}

/** Everything back to its start values; the signing keys stay, so a client's cached keys remain good. */
export function resetWorld(world) {
  const { config = {}, auto = null } = world.options;
  const copy = structuredClone({ tenants: data.tenants, clients: data.clients, users: data.users });
  // Thousands, hence copied flat; control calls replace members and change none within.
  copy.groups = data.groups.map((group) => ({ ...group }));
  Object.assign(world, copy, {
    clockOffset: 0,
    limits: { ...LIMITS, ...config.limits },
    auto: auto ? { user: auto } : null,
    redirectHosts: [...(config.redirectHosts ?? [])],
    v1Issuer: config.v1Issuer ?? V1_ISSUER,
    silentSession: 'assumed',
    contexts: null,
    platform: createPlatform(),
    journal: createJournal(),
    // By object id, what happened to the account.
    events: new Map(),
    sessions: new Map(),
    revokedBefore: new Map(),
    revokedTokens: new Set(),
    faults: [],
    shapes: { idtoken: null, accesstoken: null, token: null, refresh: null, silent: null, challenge: null, identitytoken: null, platform: null, authorize: null, logout: null, discovery: null, discoveryV1: null, graph: null },
    graphConsent: {},
    // Kept by reference from socket to request record, hence replaced as a whole.
    stats: createStats(world.stats),
  });
  merge(world.clients, config.clients, 'id');
  merge(world.users, config.users, 'key');
  restoreKeys(world.keys);
  if (world.clusterKeys) restoreKeys(world.clusterKeys);
}

function merge(list, changes = [], key) {
  for (const change of changes) {
    const found = list.find((item) => item[key] === change[key]);
    if (found) Object.assign(found, change);
    else list.push({ ...structuredClone(list[0]), ...change });
  }
}

const MANY = { common: null, organizations: null };

/** What a path segment stands for: {segment, tenant} with tenant null for the many-tenant ones; undefined when unknown. */
export function resolveSegment(world, segment) {
  const name = segment.toLowerCase();
  if (name in MANY) return { segment: name, tenant: null };
  if (name === 'consumers') return { segment: name, tenant: data.CONSUMERS };
  const tenant = world.tenants.find((t) => t.id === name || t.domains.includes(name));
  return tenant && { segment: name, tenant: tenant.id };
}

/** Whether this user can sign in at this authority. A guest needs the tenant to be named. */
export function fitsAuthority(user, authority) {
  if (authority.tenant) return user.tenant === authority.tenant;
  if (user.acct === 1) return false;
  return authority.segment === 'common' || user.tenant !== data.CONSUMERS;
}

/** The issuer of version 1.0; tenant null gives the template of the many-tenant documents. */
export const v1IssuerOf = (world, tenant) => `${world.v1Issuer.replaceAll('{{base}}', world.base)}/${tenant ?? '{tenantid}'}/`;

/** The control call for it: null puts the usual one back. */
export function setV1Issuer(world, { v1 = null }) {
  if (v1 !== null && (typeof v1 !== 'string' || v1.endsWith('/'))) throw new Error('v1 is an address without a slash at its end');
  world.v1Issuer = v1 ?? world.options.config?.v1Issuer ?? V1_ISSUER;
  return { v1: v1IssuerOf(world, null) };
}

/** Grants and events carry a rising number, because a token of the second of a revocation may be older or younger than it. */
export function nextSerial(world) {
  world.serial += 1;
  return world.serial;
}

export const userByKey = (world, key) => world.users.find((user) => user.key === key);

export function userByHint(world, hint) {
  if (!hint) return undefined;
  const wanted = hint.toLowerCase();
  return world.users.find((user) => [user.key, user.upn, user.email].some((name) => name?.toLowerCase() === wanted)
    || loginHintOf(user) === hint);
}

export const loginHintOf = (user) => `O.${Buffer.from(`\n${user.oid.length}${user.oid}:${user.upn}`).toString('base64url')}`;

/** Takes a shape that applies to the next answer, and counts it down. */
export function takeShape(world, name, accept = () => true) {
  const shape = world.shapes[name];
  if (!shape || !accept(shape)) return null;
  if (typeof shape.count === 'number' && --shape.count <= 0) world.shapes[name] = null;
  return shape;
}
