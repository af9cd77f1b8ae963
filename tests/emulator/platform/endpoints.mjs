// SPDX-License-Identifier: Apache-2.0
// Where a program asks for the token of its managed identity: the metadata service of a virtual machine, and App Service.

import { oddBody } from '../oddbody.mjs';
import { json, text } from '../reply.mjs';
import { takeShape } from '../world.mjs';
import { hasSelector, identityToken, knownResource, selectIdentity } from './identities.mjs';

const NO_STORE = { 'Cache-Control': 'no-store' };
const VERSION = /^\d{4}-\d\d-\d\d$/;
const MANY = 'Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request';
const NONE = 'No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.';

function bent(ctx, body) {
  const shape = takeShape(ctx.emu, 'platform');
  const odd = oddBody(shape);
  const headers = { ...NO_STORE, ...shape?.headers };
  if (odd !== undefined) return text(shape.status ?? 200, odd, { 'Content-Type': 'application/json; charset=utf-8', ...headers });
  const answer = { ...body, ...shape?.set };
  for (const name of shape?.unset ?? []) delete answer[name];
  return json(shape?.status ?? 200, answer, headers);
}

const imdsRefusal = (error, description) => json(400, { error, error_description: description }, NO_STORE);

function imdsFault({ headers, query }) {
  // Both keep out requests that somebody else made the program send.
  if (headers.metadata !== 'true') return ['bad_request_102', 'Required metadata header not specified'];
  if (headers['x-forwarded-for'] !== undefined) return ['bad_request', 'Requests may not come through a proxy'];
  if (!query.has('api-version')) return ['bad_request', "Required query variable 'api-version' is missing"];
  if (!VERSION.test(query.get('api-version')) || query.get('api-version') < '2018-02-01') return ['bad_request', 'Bad api-version'];
  if (!query.get('resource')) return ['invalid_request', "Required query variable 'resource' is missing"];
  if (!knownResource(query.get('resource'))) return ['invalid_resource', `AADSTS500011: The resource '${query.get('resource')}' was not found.`];
  return null;
}

/** The instance metadata service of a virtual machine. All numbers are texts. */
export function imds(ctx) {
  const { emu, query } = ctx;
  if (ctx.method !== 'GET') return json(405, { error: 'method_not_allowed', error_description: 'Only GET' }, NO_STORE);
  const fault = imdsFault(ctx);
  if (fault) return imdsRefusal(...fault);
  const identity = selectIdentity(emu, query);
  if (typeof identity === 'string') return imdsRefusal('invalid_request', identity === 'many' ? MANY : 'Identity not found');
  const { token, issued, expires } = identityToken(emu, identity);
  const seconds = String(expires - emu.now());
  return bent(ctx, {
    access_token: token,
    client_id: identity.clientId,
    refresh_token: '',
    expires_in: seconds,
    ext_expires_in: seconds,
    expires_on: String(expires),
    not_before: String(issued),
    resource: query.get('resource'),
    token_type: 'Bearer',
  });
}

const appServiceRefusal = (ctx, status, message) => json(status, { statusCode: status, message, correlationId: ctx.correlationId }, NO_STORE);

function appServiceFault({ emu, headers, query }) {
  if (headers['x-identity-header'] !== emu.platform.identityHeader) return [401, 'The X-IDENTITY-HEADER is missing or wrong.'];
  if (query.get('api-version') !== '2019-08-01') return [400, 'The api-version is not supported.'];
  if (!knownResource(query.get('resource') ?? '')) return [400, 'The resource is missing or unknown.'];
  return null;
}

/** App Service, Functions and Container Apps: the header is the secret that the environment has. */
export function appService(ctx) {
  const { emu, query } = ctx;
  if (ctx.method !== 'GET') return appServiceRefusal(ctx, 405, 'Only GET.');
  const fault = appServiceFault(ctx);
  if (fault) return appServiceRefusal(ctx, ...fault);
  const identity = selectIdentity(emu, query);
  // Without a selector App Service means the identity of the machine, never the only other one.
  if (typeof identity === 'string' || (identity.userAssigned && !hasSelector(query))) return appServiceRefusal(ctx, 400, NONE);
  const { token, expires } = identityToken(emu, identity);
  return bent(ctx, { access_token: token, client_id: identity.clientId, expires_on: String(expires), resource: query.get('resource'), token_type: 'Bearer' });
}
