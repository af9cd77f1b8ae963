// SPDX-License-Identifier: Apache-2.0
// What is registered for a client: its redirect URIs, its front-channel logout address, who may use it and from which authority.

import { EntraError } from './errors.mjs';
import { CONSUMERS, guidOf } from './tenants.mjs';

const LOOPBACK = ['127.0.0.1', 'localhost'];
const FORBIDDEN = /[!$'(),;#*\s\\]/;

export function findClient(world, id, authority) {
  const client = world.clients.find((c) => c.id === id);
  if (!client) throw new EntraError(700016, [id, authority.segment]);
  if (!client.enabled) throw new EntraError(7000112, [id]);
  return client;
}

/** Whether the application may be used at this authority at all. */
export function checkAudience(client, authority) {
  const { signInAudience, tenant } = client;
  if (signInAudience === 'AzureADMyOrg') {
    if (authority.tenant === null || authority.tenant === CONSUMERS) throw new EntraError(50194, [client.id]);
    if (authority.tenant !== tenant) throw new EntraError(700016, [client.id, authority.segment]);
  }
  if (signInAudience === 'AzureADMultipleOrgs' && authority.tenant === CONSUMERS) throw new EntraError(9002332, [client.id]);
}

/** The object id of the application's service principal, which app-only tokens are about. */
export const principalOf = (client) => client.principalId ?? guidOf(`principal:${client.id}`);

const withoutPort = (uri) => uri.replace(/^(http:\/\/localhost):\d+(?=\/|$)/, '$1');

/** Registered: named as it is in `redirectUris` (on localhost without regard to the port), or made of a registered host and path. */
export function isRegistered(world, client, uri) {
  if (uri.length > 256 || FORBIDDEN.test(uri)) return false;
  if (client.redirectUris.some((known) => known === uri || withoutPort(known) === withoutPort(uri))) return true;
  const parts = /^(https?):\/\/([a-z0-9.-]+)(:\d{1,5})?(\/[^?]*)$/.exec(uri);
  if (!parts) return false;
  const [, scheme, host, , path] = parts;
  if (!client.redirectPaths.some((known) => path.endsWith(known))) return false;
  if (LOOPBACK.includes(host)) return true;
  return scheme === 'https' && [...world.redirectHosts, ...client.redirectHosts].includes(host);
}

export function frontChannelUri(client, redirectUri) {
  if (client.frontChannelLogoutUri !== 'derive') return client.frontChannelLogoutUri;
  return `${new URL(redirectUri).origin}/.entra/frontchannel-logout`;
}

/** Refusals that depend on who signs in. */
export function checkUser(client, user, authority, fits) {
  if (!fits) throw new EntraError(50020, [user.upn, authority.segment]);
  if (!user.enabled) throw new EntraError(50057);
  if (user.signInError) throw new EntraError(user.signInError.code, [], user.signInError);
  if (client.assignmentRequired && !client.assignedUsers.includes(user.key)) throw new EntraError(50105, [user.upn, client.name]);
}
