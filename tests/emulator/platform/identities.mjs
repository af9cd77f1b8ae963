// SPDX-License-Identifier: Apache-2.0
// Managed identities of the machine that an application runs on, and the tokens that the platform gives it for them.

import { makeToken } from '../forge.mjs';
import { opaqueClaims } from '../idtoken.mjs';
import { recordSecret } from '../stats.mjs';
import { CONTOSO, guidOf } from '../tenants.mjs';
import { takeShape } from '../world.mjs';

// By either name the same resource: the token says the GUID, whatever was asked for.
export const EXCHANGE = 'api://AzureADTokenExchange';
export const EXCHANGE_ID = 'fb60f99c-7a34-4190-8149-302f77469936';
const RESOURCES = [EXCHANGE, EXCHANGE_ID];

const GROUP = `/subscriptions/${guidOf('subscription')}/resourcegroups/web/providers`;

const identity = (name, userAssigned) => ({
  name,
  userAssigned,
  clientId: guidOf(`identity-client:${name}`),
  principalId: guidOf(`identity:${name}`),
  tenant: CONTOSO,
  resourceId: `${GROUP}/${userAssigned ? 'Microsoft.ManagedIdentity/userAssignedIdentities' : 'Microsoft.Compute/virtualMachines'}/${name}`,
});

export const identities = [identity('web', true), identity('batch', true), identity('machine', false)];

export const createPlatform = () => ({
  attached: ['web'],
  identityHeader: guidOf('identity-header').toUpperCase(),
  lifetimeSeconds: 24 * 3600,
});

const SELECTORS = { client_id: 'clientId', object_id: 'principalId', principal_id: 'principalId', msi_res_id: 'resourceId', mi_res_id: 'resourceId' };

export const hasSelector = (query) => Object.keys(SELECTORS).some((name) => query.has(name));

/** The identity that a request means: 'unknown' for a selector that fits none, 'many' without one among several, else the identity. */
export function selectIdentity(world, query) {
  const attached = identities.filter(({ name }) => world.platform.attached.includes(name));
  const selector = Object.keys(SELECTORS).find((name) => query.has(name));
  if (selector) {
    const wanted = query.get(selector).toLowerCase();
    return attached.find((known) => known.userAssigned && known[SELECTORS[selector]].toLowerCase() === wanted) ?? 'unknown';
  }
  const system = attached.find((known) => !known.userAssigned);
  if (system) return system;
  return attached.length > 1 ? 'many' : attached[0] ?? 'unknown';
}

export const knownResource = (resource) => RESOURCES.includes(resource);

/** {token, issued, expires}: an app-only token of the tenant, for the exchange. */
export function identityToken(world, { clientId, principalId, tenant, resourceId }) {
  const issued = world.now() - world.limits.backDateSeconds;
  const expires = world.now() + world.platform.lifetimeSeconds;
  const claims = {
    aud: EXCHANGE_ID,
    iss: `${world.base}/${tenant}/v2.0`,
    iat: issued,
    nbf: issued,
    exp: expires,
    azp: clientId,
    azpacr: '2',
    idtyp: 'app',
    oid: principalId,
    sub: principalId,
    tid: tenant,
    ...opaqueClaims(),
    ver: '2.0',
    xms_mirid: resourceId,
  };
  const token = makeToken(world, world.clients[0], tenant, claims, takeShape(world, 'identitytoken') ?? {});
  recordSecret(world.stats, 'identity_tokens', token);
  return { token, issued, expires };
}

const MEMBERS = ['attached', 'identityHeader', 'lifetimeSeconds', 'answer'];

/** The control call `platform`. */
export function setPlatform(world, { answer, ...changes }) {
  const wrong = Object.keys(changes).find((name) => !MEMBERS.includes(name));
  if (wrong !== undefined) throw new Error(`the platform has no '${wrong}'; it has ${MEMBERS.join(', ')}`);
  const names = identities.map(({ name }) => name);
  const stranger = (changes.attached ?? []).find((name) => !names.includes(name));
  if (stranger !== undefined) throw new Error(`attached are some of ${names.join(', ')}`);
  Object.assign(world.platform, changes);
  if (answer !== undefined) world.shapes.platform = answer;
  return describePlatform(world);
}

/** Where an application finds the platform, as its environment would say. */
export const describePlatform = (world) => ({
  ...world.platform,
  identities,
  imds: `${world.base}/metadata/identity/oauth2/token`,
  environment: { IDENTITY_ENDPOINT: `${world.base}/msi/token`, IDENTITY_HEADER: world.platform.identityHeader },
});
