// SPDX-License-Identifier: Apache-2.0
// Which path is which endpoint.

import { authorize, login } from './authorize.mjs';
import { discovery, discoveryV1, keyDocument, keyDocumentV1 } from './discovery.mjs';
import { EntraError, errorJson, sentenceOf } from './errors.mjs';
import { graph } from './graph/graph.mjs';
import { publicJwk, spareKey } from './keys.mjs';
import { logout } from './logout.mjs';
import { codePage, errorPage } from './pages.mjs';
import { clusterConfiguration, clusterKeyDocument } from './platform/cluster.mjs';
import { appService, imds } from './platform/endpoints.mjs';
import { json, text } from './reply.mjs';
import { token } from './token.mjs';
import { toPem } from './certificate.mjs';

// `page`: failures are pages for people; elsewhere they are JSON for programs.
const TENANT_ROUTES = {
  '/v2.0/.well-known/openid-configuration': { endpoint: 'discovery', handle: discovery, methods: ['GET', 'HEAD'] },
  '/discovery/v2.0/keys': { endpoint: 'keys', handle: keyDocument, methods: ['GET', 'HEAD'] },
  '/.well-known/openid-configuration': { endpoint: 'discoveryV1', handle: discoveryV1, methods: ['GET', 'HEAD'] },
  '/discovery/keys': { endpoint: 'keysV1', handle: keyDocumentV1, methods: ['GET', 'HEAD'] },
  '/oauth2/v2.0/authorize': { endpoint: 'authorize', handle: authorize, page: true },
  '/login': { endpoint: 'login', handle: login, page: true, methods: ['POST'] },
  '/oauth2/v2.0/token': { endpoint: 'token', handle: token },
  '/oauth2/v2.0/logout': { endpoint: 'logout', handle: logout, page: true, methods: ['GET', 'POST'] },
};

const FIXED_ROUTES = {
  '/error': { endpoint: 'error', handle: ({ query }) => codePage(query.get('code') ?? '', sentenceOf(query.get('code'))) },
  // What the machine offers that an application runs on.
  '/metadata/identity/oauth2/token': { endpoint: 'imds', handle: imds },
  '/msi/token': { endpoint: 'appservice', handle: appService },
  '/_cluster/.well-known/openid-configuration': { endpoint: 'cluster', handle: clusterConfiguration },
  '/_cluster/openid/v1/jwks': { endpoint: 'cluster', handle: clusterKeyDocument },
  // Where forged `jku` and `x5u` headers point to; a client that comes here has taken the bait.
  '/_attacker/keys': { endpoint: 'attacker', handle: ({ emu }) => json(200, { keys: [publicJwk(spareKey(emu.keys, 'attacker'))] }) },
  '/_attacker/certificate': { endpoint: 'attacker', handle: ({ emu }) => text(200, toPem(spareKey(emu.keys, 'attacker').der)) },
};

// Microsoft Graph has paths of its own behind this.
const GRAPH_ROUTE = { endpoint: 'graph', handle: graph };
const GRAPH_PATH = '/v1.0/';

const NOT_FOUND = { endpoint: 'unknown', handle: () => text(404, 'Not found\n') };

/** {route, segment}: what answers this path. */
export function findRoute(pathname) {
  if (pathname.startsWith(GRAPH_PATH)) return { route: GRAPH_ROUTE };
  if (FIXED_ROUTES[pathname]) return { route: FIXED_ROUTES[pathname] };
  const [, segment, rest] = /^\/([^/]+)(\/.*)$/.exec(pathname) ?? [];
  const route = Object.hasOwn(TENANT_ROUTES, rest ?? '') ? TENANT_ROUTES[rest] : undefined;
  return route ? { route, segment: decodeURIComponent(segment) } : { route: NOT_FOUND };
}

export function refuse(ctx, route, error) {
  return route.page ? errorPage(ctx, error) : json(error.status, errorJson(ctx, error));
}

export function runRoute(ctx, route) {
  if (ctx.segment !== undefined && !ctx.authority) return refuse(ctx, route, new EntraError(90002, [ctx.segment]));
  if (route.methods && !route.methods.includes(ctx.method)) return refuse(ctx, route, new EntraError(900561, [route.methods.join(' and '), ctx.method]));
  return route.handle(ctx);
}
