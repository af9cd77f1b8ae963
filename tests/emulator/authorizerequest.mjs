// SPDX-License-Identifier: Apache-2.0
// Reads and checks the parameters of an authorize request.

import { readClaims } from './claimsrequest.mjs';
import { EntraError } from './errors.mjs';
import { checkAudience, findClient, isRegistered } from './registration.mjs';
import { readScope } from './scopes.mjs';

const PROMPTS = ['login', 'none', 'consent', 'select_account'];
const MODES = ['query', 'fragment', 'form_post'];
const LONGEST_QUERY = 8000;

/** Faults in here are shown to the user and never sent to the redirect URI, which is not trusted yet. */
export function checkAddress(ctx, params) {
  const { emu, authority, url } = ctx;
  if (url.search.length > LONGEST_QUERY) throw new EntraError(90015);
  const id = params.get('client_id');
  if (!id) throw new EntraError(900144, ['client_id']);
  const client = findClient(emu, id, authority);
  checkAudience(client, authority);
  const asked = params.get('redirect_uri');
  const redirectUri = asked || client.redirectUris[0];
  if (!redirectUri) throw new EntraError(900971);
  if (params.getAll('redirect_uri').length > 1) throw new EntraError(9002313, ['a parameter is repeated']);
  if (!isRegistered(emu, client, redirectUri)) throw new EntraError(50011, [redirectUri, client.id]);
  const mode = params.get('response_mode');
  return {
    client,
    redirectUri,
    // Markup is cut out of the state, so a client that puts some there does not get its state back.
    state: params.get('state')?.replace(/<[^>]*>/g, ''),
    mode: MODES.includes(mode) ? mode : 'query',
  };
}

function checkNames(params) {
  const repeated = [...params.keys()].find((name, i, all) => all.indexOf(name) !== i);
  if (repeated) throw new EntraError(9002313, [`the parameter '${repeated}' is repeated`]);
  if (params.has('resource')) throw new EntraError(901002);
  for (const name of ['request', 'request_uri']) {
    if (params.has(name)) throw new EntraError(90023, [`the parameter '${name}' is not supported`]);
  }
}

function checkResponse(params) {
  const type = params.get('response_type');
  if (!type) throw new EntraError(900144, ['response_type']);
  if (type !== 'code') throw new EntraError(type.split(' ').includes('id_token') ? 700054 : 70005, [type]);
  const mode = params.get('response_mode');
  if (mode && !MODES.includes(mode)) throw new EntraError(70007, [mode]);
}

function readChallenge(params, client) {
  const challenge = params.get('code_challenge');
  const method = params.get('code_challenge_method') ?? 'plain';
  if (challenge === null) {
    if (client.platform === 'spa') throw new EntraError(9002325);
    return {};
  }
  if (!['S256', 'plain'].includes(method)) throw new EntraError(90023, [`the code_challenge_method '${method}' is not known`]);
  if (!/^[\w.~-]{43,128}$/.test(challenge)) throw new EntraError(501491);
  return { challenge, method };
}

/** Faults in here go back to the application. */
export function checkRequest(ctx, params, client) {
  checkNames(params);
  checkResponse(params);
  const scope = params.get('scope');
  if (!scope) throw new EntraError(900144, ['scope']);
  const { scopes, openid } = readScope(ctx.emu, scope, ctx.authority.segment);
  const prompt = params.get('prompt') || undefined;
  if (prompt && !PROMPTS.includes(prompt)) throw new EntraError(90023, [`the prompt '${prompt}' is not supported`]);
  const maxAge = params.get('max_age');
  if (maxAge !== null && !/^\d+$/.test(maxAge)) throw new EntraError(90023, ['max_age is not a number']);
  return {
    scopes,
    openid,
    prompt,
    maxAge: maxAge === null ? undefined : Number(maxAge),
    hint: params.get('login_hint') || undefined,
    nonce: params.get('nonce') ?? undefined,
    ...readChallenge(params, client),
    ...readClaims(params.get('claims')),
  };
}
