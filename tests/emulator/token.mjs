// SPDX-License-Identifier: Apache-2.0
// The token endpoint: codes and refresh tokens become tokens, once the client has proved who it is.

import { createHash } from 'node:crypto';
import { makeAccessToken } from './accesstoken.mjs';
import { authenticateClient } from './clientauth.mjs';
import { readClaims } from './claimsrequest.mjs';
import { EntraError, errorJson } from './errors.mjs';
import { makeToken } from './forge.mjs';
import { idTokenClaims } from './idtoken.mjs';
import { oddBody } from './oddbody.mjs';
import { issueRefreshToken, redeemRefreshToken } from './refresh.mjs';
import { json, text } from './reply.mjs';
import { GRAPH, readScope } from './scopes.mjs';
import { unseal } from './seal.mjs';
import { recordSecret } from './stats.mjs';
import { takeShape, userByKey } from './world.mjs';

const FORM = 'application/x-www-form-urlencoded';
const NO_STORE = { 'Cache-Control': 'no-store, no-cache', Pragma: 'no-cache' };

function checkForm(ctx) {
  const { form, headers, method } = ctx;
  if (method !== 'POST') throw new EntraError(900561, ['POST', method]);
  const type = (headers['content-type'] ?? '').split(';')[0].trim().toLowerCase();
  if (type !== FORM || !form.get('grant_type')) throw new EntraError(900144, ['grant_type']);
  const repeated = [...form.keys()].find((name, i, all) => all.indexOf(name) !== i);
  if (repeated) throw new EntraError(9002313, [`the parameter '${repeated}' is repeated`]);
  if (form.has('resource')) throw new EntraError(901002);
}

function checkVerifier({ challenge, method }, verifier) {
  if (!challenge) {
    if (verifier !== null) throw new EntraError(501481);
    return;
  }
  const made = method === 'S256' ? createHash('sha256').update(verifier ?? '').digest('base64url') : verifier;
  if (made !== challenge) throw new EntraError(501481);
}

function forgetOldCodes(world, life) {
  // Insertion order is age order, so the sweep ends at the first code that could still be redeemed.
  for (const [id, at] of world.usedCodes) {
    if (at + life >= world.now()) break;
    world.usedCodes.delete(id);
  }
}

function redeemCode(ctx, client) {
  const { emu, form, authority } = ctx;
  const code = form.get('code');
  if (!code) throw new EntraError(900144, ['code']);
  recordSecret(emu.stats, 'code_verifiers', form.get('code_verifier'));
  const grant = unseal(emu.sealKey, 'code', code);
  if (!grant) throw new EntraError(70000, ['the code is malformed or not of this service']);
  if (grant.client !== client.id) throw new EntraError(70000, ['the code was issued to another client']);
  if (grant.at + emu.limits.codeSeconds <= emu.now()) throw new EntraError(70008);
  const path = authority.tenant ?? authority.segment;
  if (grant.path !== path) throw new EntraError(700005, [grant.path, path]);
  const redirectUri = form.get('redirect_uri');
  if (redirectUri === null) throw new EntraError(900144, ['redirect_uri']);
  if (redirectUri !== grant.redirectUri) throw new EntraError(500112, [redirectUri, grant.redirectUri]);
  checkVerifier(grant, form.get('code_verifier'));
  if (!userByKey(emu, grant.user)) throw new EntraError(50034, [grant.user]);
  if (emu.usedCodes.has(grant.id)) throw new EntraError(54005);
  forgetOldCodes(emu, emu.limits.codeSeconds);
  emu.usedCodes.set(grant.id, emu.now());
  return { ...grant, kind: 'code' };
}

/** The scope of this answer: what is asked for at present, which may be less than what was granted. */
function chooseScope(ctx, grant) {
  const { emu, form } = ctx;
  const asked = form.get('scope');
  if (asked !== null && asked.trim() === '') throw new EntraError(28003);
  const segment = ctx.authority.segment;
  const granted = readScope(emu, grant.scope.join(' '), segment);
  const chosen = asked === null ? granted : readScope(emu, asked, segment);
  const missing = chosen.scopes.find((scope) => !grant.scope.includes(scope) && !scope.endsWith('.default'));
  if (missing) throw new EntraError(65001, [grant.client], { error: 'invalid_grant', suberror: 'consent_required' });
  if (asked !== null && chosen.resources.size > 1) throw new EntraError(700022, [[...chosen.resources.keys()].join(', ')]);
  const [resource, names] = chosen.resources.entries().next().value ?? [GRAPH, []];
  return { ...chosen, resource, names };
}

function tokensFor(ctx, client, grant) {
  const { emu } = ctx;
  const user = userByKey(emu, grant.user);
  const scope = chooseScope(ctx, grant);
  const access = makeAccessToken(emu, client, user, grant, scope);
  const body = {
    token_type: 'Bearer',
    scope: scope.scopes.filter((name) => name !== 'offline_access').join(' '),
    expires_in: access.lifetime,
    ext_expires_in: access.lifetime,
    access_token: access.token,
  };
  if (grant.scope.includes('offline_access')) body.refresh_token = issueRefreshToken(emu, client, grant);
  if (scope.openid.includes('openid')) {
    const shape = takeShape(emu, 'idtoken', (s) => !s.on || s.on === 'any' || s.on === grant.kind) ?? undefined;
    const claims = idTokenClaims(emu, client, user, { ...grant, scope: scope.scopes });
    const idToken = makeToken(emu, client, user.tenant, claims, shape);
    if (idToken !== undefined) body.id_token = idToken;
    recordSecret(emu.stats, 'id_tokens', idToken);
  }
  return body;
}

/** Tokens of the application itself, without a user. */
function clientCredentials(ctx, client) {
  const { emu, form, authority } = ctx;
  if (!authority.tenant || authority.segment === 'consumers') throw new EntraError(9001023, ['client_credentials']);
  const { resources } = readScope(emu, form.get('scope') ?? '', authority.segment);
  const [resource, names] = resources.entries().next().value ?? [];
  if (!resource || names[0] !== '.default') throw new EntraError(70011, [form.get('scope') ?? '']);
  const grant = { tid: authority.tenant, clientAuth: ctx.record.clientAuth };
  const access = makeAccessToken(emu, client, null, grant, { resource, names, openid: [] });
  return { token_type: 'Bearer', expires_in: access.lifetime, ext_expires_in: access.lifetime, access_token: access.token };
}

/** What a client can do it says with either request. */
function grantOf(ctx, grant) {
  const { cae } = readClaims(ctx.form.get('claims'));
  return { ...grant, cae: Boolean(grant.cae || cae), clientAuth: ctx.record.clientAuth };
}

function answerFor(ctx) {
  checkForm(ctx);
  const type = ctx.form.get('grant_type');
  const grants = { authorization_code: redeemCode, refresh_token: redeemRefreshToken };
  if (!grants[type] && type !== 'client_credentials') throw new EntraError(70003, [type]);
  const client = authenticateClient(ctx);
  if (type === 'client_credentials') return clientCredentials(ctx, client);
  return tokensFor(ctx, client, grantOf(ctx, grants[type](ctx, client)));
}

function shaped(emu, body) {
  const shape = takeShape(emu, 'token');
  if (!shape) return json(200, body, NO_STORE);
  const headers = { ...NO_STORE, ...shape.headers };
  const odd = oddBody(shape);
  if (odd !== undefined) return text(shape.status ?? 200, odd, { 'Content-Type': 'application/json; charset=utf-8', ...headers });
  const bent = { ...body, ...shape.set };
  for (const name of shape.unset ?? []) delete bent[name];
  return json(shape.status ?? 200, bent, headers);
}

export function token(ctx) {
  try {
    return shaped(ctx.emu, answerFor(ctx));
  } catch (error) {
    if (!(error instanceof EntraError)) throw error;
    const clitelem = { 'x-ms-clitelem': `1,${error.code},0,,` };
    return json(error.status, errorJson(ctx, error), { ...NO_STORE, ...clitelem });
  }
}
