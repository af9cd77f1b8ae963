// SPDX-License-Identifier: Apache-2.0
// Scopes: which of them are OpenID Connect's own, and which resource the others belong to.

import { EntraError } from './errors.mjs';

export const GRAPH = 'https://graph.microsoft.com';
const OPENID = ['openid', 'profile', 'email', 'offline_access'];
const UNSUPPORTED = ['address', 'phone'];

/** The name of an API, which stands before its scopes and is the audience of version 1.0 tokens. */
export const identifierUriOf = (client) => client.identifierUri ?? `api://${client.id}`;

/** The API that a resource name stands for: its GUID, that behind api://, or its registered name. */
export function apiNamed(world, name) {
  return world.clients.find((client) => [client.id, `api://${client.id}`, identifierUriOf(client)].includes(name));
}

function resourceOf(world, scope, tenant) {
  const slash = scope.lastIndexOf('/');
  const name = scope.slice(0, slash);
  // Under its own name, or where the discovery document says that it is.
  if (slash < 0 || name === GRAPH || name.replace(/^https?:/, '') === world.base.replace(/^https?:/, '')) return GRAPH;
  const client = apiNamed(world, name);
  if (!client) throw new EntraError(500011, [name, tenant]);
  return client.id;
}

/** {scopes, openid, resources: Map of resource to its short scope names}; refuses what names nothing. */
export function readScope(world, text, tenant) {
  const scopes = [...new Set(text.split(' ').filter(Boolean))];
  const bad = scopes.find((scope) => UNSUPPORTED.includes(scope) || !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope));
  if (bad) throw new EntraError(70011, [bad]);
  const resources = new Map();
  for (const scope of scopes.filter((s) => !OPENID.includes(s))) {
    const resource = resourceOf(world, scope, tenant);
    if (!resources.has(resource)) resources.set(resource, []);
    resources.get(resource).push(scope.slice(scope.lastIndexOf('/') + 1));
  }
  for (const names of resources.values()) {
    if (names.includes('.default') && names.length > 1) throw new EntraError(70011, [text]);
  }
  return { scopes, openid: scopes.filter((s) => OPENID.includes(s)), resources };
}
