// SPDX-License-Identifier: Apache-2.0
// A small honest OpenID Connect client for tests of the emulator: asks, redeems, and checks signatures by the published keys.

import assert from 'node:assert/strict';
import { createHash, createPublicKey, randomBytes, randomUUID, verify } from 'node:crypto';
import { compact, signatureOf } from './jwt.mjs';
import { CLIENT, CLIENT_SECRET, CONTOSO } from './tenants.mjs';

export const REDIRECT_URI = 'https://127.0.0.1:8443/.entra/callback';
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export const getJson = async (url) => (await fetch(url)).json();

export const endpoint = (emu, path, tenant = CONTOSO) => `${emu.url}/${tenant}${path}`;

export function newVerifier() {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** The parameters of a complete authorize request; undefined removes one. */
export function authorizeUrl(emu, changes = {}, tenant = CONTOSO) {
  const params = {
    client_id: CLIENT, response_type: 'code', redirect_uri: REDIRECT_URI, scope: 'openid profile email offline_access', state: 'the-state', nonce: 'the-nonce', ...changes,
  };
  const present = Object.entries(params).filter(([, value]) => value !== undefined);
  return `${endpoint(emu, '/oauth2/v2.0/authorize', tenant)}?${new URLSearchParams(present)}`;
}

/** {status, location, params, body, cookie} of an authorize request. */
export async function authorize(emu, changes, { tenant, cookie } = {}) {
  const response = await fetch(authorizeUrl(emu, changes, tenant), { redirect: 'manual', headers: cookie ? { cookie } : {} });
  return readAnswer(response);
}

export async function readAnswer(response) {
  const location = response.headers.get('location');
  const params = location ? Object.fromEntries(new URL(location).searchParams) : {};
  const cookie = response.headers.get('set-cookie')?.split(';')[0];
  return { status: response.status, location, params, cookie, headers: response.headers, body: await response.text() };
}

/** Posts the sign-in page's form as a browser would. */
export async function choose(emu, page, fields, { tenant = CONTOSO, cookie } = {}) {
  const request = /name="request" value="([^"]*)"/.exec(page.body)[1].replaceAll('&amp;', '&');
  const response = await fetch(endpoint(emu, '/login', tenant), {
    method: 'POST', redirect: 'manual', headers: cookie ? { cookie } : {}, body: new URLSearchParams({ request, ...fields }),
  });
  return readAnswer(response);
}

export async function postToken(emu, form, { tenant, headers = {} } = {}) {
  const present = Object.entries(form).filter(([, value]) => value !== undefined);
  const response = await fetch(endpoint(emu, '/oauth2/v2.0/token', tenant), { method: 'POST', headers, body: new URLSearchParams(present) });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

export const secretForm = (changes = {}) => ({ client_id: CLIENT, client_secret: CLIENT_SECRET, ...changes });

export function redeem(emu, code, changes = {}, options) {
  return postToken(emu, secretForm({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, ...changes }), options);
}

export function refresh(emu, token, changes = {}, options) {
  return postToken(emu, secretForm({ grant_type: 'refresh_token', refresh_token: token, ...changes }), options);
}

/** A whole sign-in: the token response's body. */
export async function signIn(emu, { request = {}, token = {}, tenant, cookie } = {}) {
  const { params } = await authorize(emu, request, { tenant, cookie });
  assert.ok(params.code, `no code: ${JSON.stringify(params)}`);
  const answer = await redeem(emu, params.code, token, { tenant });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

export function parts(token) {
  const [header, payload, signature] = token.split('.');
  const read = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());
  return { header: read(header), claims: read(payload), input: Buffer.from(`${header}.${payload}`), signature: Buffer.from(signature, 'base64url') };
}

/** Whether the token's RS256 signature fits the published key of its kid. */
export async function isGenuine(emu, token, tenant = CONTOSO) {
  const { header, input, signature } = parts(token);
  const { keys } = await getJson(endpoint(emu, '/discovery/v2.0/keys', tenant));
  const jwk = keys.find((key) => key.kid === header.kid);
  if (!jwk || header.alg !== 'RS256') return false;
  return verify('sha256', input, createPublicKey({ key: jwk, format: 'jwk' }), signature);
}

/** A private_key_jwt of a certificate, with anything in it changed. */
export function assertion({ privateKey, der, audience, clientId, alg = 'PS256', header = {}, claims = {} }) {
  const now = Math.floor(Date.now() / 1000);
  const thumbprint = alg === 'PS256'
    ? { 'x5t#S256': createHash('sha256').update(der).digest('base64url') }
    : { x5t: createHash('sha1').update(der).digest('base64url') };
  const payload = { aud: audience, iss: clientId, sub: clientId, jti: randomUUID(), nbf: now - 60, iat: now, exp: now + 300, ...claims };
  return compact(JSON.stringify({ alg, typ: 'JWT', ...thumbprint, ...header }), JSON.stringify(payload), (input) => signatureOf(alg, input, privateKey));
}
