// SPDX-License-Identifier: Apache-2.0
// Client authentication: secrets, certificate assertions and federated assertions, and how each is refused.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { selfSigned, toPem } from './certificate.mjs';
import { compact, signatureOf } from './jwt.mjs';
import { startEmulator } from './server.mjs';
import { CERT_CLIENT, CLIENT, CLIENT_SECRET } from './tenants.mjs';
import { ASSERTION_TYPE, REDIRECT_URI, assertion, authorize, endpoint, postToken } from './testclient.mjs';

const now = () => Math.floor(Date.now() / 1000);

function newCertificate(bits = 2048, life = 3600, start = -7200) {
  const pair = generateKeyPairSync('rsa', { modulusLength: bits });
  return { ...pair, der: selfSigned({ ...pair, commonName: 'relying party', notBefore: now() + start, notAfter: now() + life }) };
}

const good = newCertificate();
const stranger = newCertificate();
let emu;
let audience;

before(async () => {
  emu = await startEmulator({ auto: 'ada' });
  audience = endpoint(emu, '/oauth2/v2.0/token');
});
after(() => emu.close());
beforeEach(async () => {
  await emu.control('reset', {});
  await emu.control('client', { client_id: CERT_CLIENT, set: { certificates: [toPem(good.der)] } });
});

/** Redeems a fresh code of a client with these credentials; the answer's AADSTS code, or 200. */
async function outcome(clientId, credentials, headers) {
  const { params } = await authorize(emu, { client_id: clientId });
  const form = { client_id: clientId, grant_type: 'authorization_code', code: params.code, redirect_uri: REDIRECT_URI, ...credentials };
  const { status, body } = await postToken(emu, form, { headers });
  if (status === 200) return 200;
  assert.equal(status, body.error === 'invalid_client' ? 401 : 400);
  return body.error_codes[0];
}

const withAssertion = (jwt, type = ASSERTION_TYPE) => outcome(CERT_CLIENT, { client_assertion: jwt, client_assertion_type: type });
const made = (changes = {}) => assertion({ ...good, audience, clientId: CERT_CLIENT, ...changes });

test('secrets: in the form, in Basic, wrong, expired, missing, doubled', async () => {
  const encoded = Buffer.from(`${CLIENT}:${encodeURIComponent(CLIENT_SECRET)}`).toString('base64');
  assert.equal(await outcome(CLIENT, { client_secret: CLIENT_SECRET }), 200);
  assert.equal(await outcome(CLIENT, {}, { authorization: `Basic ${encoded}` }), 200);
  assert.equal(await outcome(CLIENT, { client_id: undefined }, { authorization: `Basic ${encoded}` }), 200);
  assert.equal(await outcome(CLIENT, { client_secret: 'wrong' }), 7000215);
  assert.equal(await outcome(CLIENT, { client_secret: `${CLIENT_SECRET} ` }), 7000215);
  assert.equal(await outcome(CLIENT, {}), 7000218);
  assert.equal(await outcome(CLIENT, { client_secret: CLIENT_SECRET }, { authorization: `Basic ${encoded}` }), 9002313);
  await emu.control('client', { client_id: CLIENT, set: { secrets: [{ value: 'old', expires: now() - 1 }, { value: 'new' }] } });
  assert.equal(await outcome(CLIENT, { client_secret: 'old' }), 7000222);
  assert.equal(await outcome(CLIENT, { client_secret: 'new' }), 200);
});

test('private_key_jwt: PS256 with x5t#S256 and RS256 with x5t', async () => {
  assert.equal(await withAssertion(made()), 200);
  assert.equal(await withAssertion(made({ alg: 'RS256' })), 200);
  assert.equal(await withAssertion(made({ audience: audience.replace(/\/[0-9a-f-]{36}\//, '/7f3a1c52-9d0e-4b6a-8c41-2e5d90b7a613/') })), 200);
});

test('private_key_jwt: every refusal has its number', async () => {
  const cases = {
    700027: [made({ ...stranger }), made({ ...stranger, der: good.der }), made({ header: { 'x5t#S256': undefined } }), `${made()}A`.replace(/.{9}$/, 'AAAAAAAAA')],
    700023: [made({ audience: `${emu.url}/common/oauth2/v2.0/token` }), made({ audience: undefined })],
    700024: [made({ claims: { exp: now() - 400 } }), made({ claims: { nbf: now() + 400, exp: now() + 900 } })],
    50048: [made({ claims: { sub: CLIENT } })],
    700021: [made({ claims: { iss: CLIENT, sub: CLIENT } })],
    50027: ['a.b', 'x', made({ claims: { exp: undefined } }), made({ claims: { jti: undefined } })],
  };
  for (const [code, assertions] of Object.entries(cases)) {
    for (const [i, jwt] of assertions.entries()) assert.equal(await withAssertion(jwt), Number(code), `${code} case ${i}`);
  }
  assert.equal(await withAssertion(made(), 'urn:wrong'), 900144);
});

test('private_key_jwt: an assertion is good once', async () => {
  const jwt = made();
  assert.equal(await withAssertion(jwt), 200);
  assert.equal(await withAssertion(jwt), 50013);
});

test('private_key_jwt: several certificates at once, each by its own thumbprint', async () => {
  const next = newCertificate();
  await emu.control('client', { client_id: CERT_CLIENT, set: { certificates: [good, next].map(({ der }) => toPem(der)) } });
  for (const alg of ['PS256', 'RS256']) {
    assert.equal(await withAssertion(made({ alg })), 200);
    assert.equal(await withAssertion(made({ ...next, alg })), 200);
    assert.equal(await withAssertion(made({ ...next, der: good.der, alg })), 700027, 'the thumbprint of one, the key of the other');
    assert.equal(await withAssertion(made({ ...stranger, alg })), 700027);
  }
  await emu.control('client', { client_id: CERT_CLIENT, set: { certificates: [toPem(next.der)] } });
  assert.equal(await withAssertion(made()), 700027);
  assert.equal(await withAssertion(made({ alg: 'RS256', header: { alg: 'PS256' } })), 700027, 'signed otherwise than it says');
});

test('a credential can be refused with any number', async () => {
  await emu.control('client', { client_id: CLIENT, set: { credentialError: { code: 50012 } } });
  assert.equal(await outcome(CLIENT, { client_secret: CLIENT_SECRET }), 50012);
});

test('private_key_jwt: weak, expired and early certificates', async () => {
  const weak = newCertificate(1024);
  const expired = newCertificate(2048, -60);
  const early = newCertificate(2048, 7200, 3600);
  await emu.control('client', { client_id: CERT_CLIENT, set: { certificates: [weak, expired, early].map(({ der }) => toPem(der)) } });
  assert.equal(await withAssertion(made({ ...weak })), 50032);
  assert.equal(await withAssertion(made({ ...expired })), 700027);
  assert.equal(await withAssertion(made({ ...early })), 50012);
  const { params } = await authorize(emu, { client_id: CERT_CLIENT });
  const form = { client_id: CERT_CLIENT, grant_type: 'authorization_code', code: params.code, redirect_uri: REDIRECT_URI };
  const { status, body } = await postToken(emu, { ...form, client_assertion: made({ ...expired }), client_assertion_type: ASSERTION_TYPE });
  assert.deepEqual([status, body.error], [401, 'invalid_client']);
  assert.match(body.error_description, /Reason - The key used is expired\., Found key 'Start=\d{4}-.*, End=\d{4}-/);
});

test('federated assertions are matched exactly', async () => {
  const issuer = 'https://oidc.cluster.example/';
  const subject = 'system:serviceaccount:web:httpd';
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwt = (claims = {}, key = privateKey) => {
    const payload = { iss: issuer, sub: subject, aud: ['api://AzureADTokenExchange'], nbf: now(), exp: now() + 600, ...claims };
    return compact('{"alg":"RS256","kid":"k1"}', JSON.stringify(payload), (input) => signatureOf('RS256', input, key));
  };
  assert.equal(await withAssertion(jwt()), 70021);
  const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1' }] };
  await emu.control('client', { client_id: CERT_CLIENT, set: { federated: [{ issuer, subject, jwks }] } });
  assert.equal(await withAssertion(jwt()), 200);
  assert.equal(await withAssertion(jwt({ iss: 'https://oidc.cluster.example' })), 700211);
  assert.equal(await withAssertion(jwt({ sub: 'system:serviceaccount:web:HTTPD' })), 700213);
  assert.equal(await withAssertion(jwt({ aud: 'api://other' })), 700212);
  assert.equal(await withAssertion(jwt({ exp: now() - 400 })), 700024);
  assert.equal(await withAssertion(jwt({}, stranger.privateKey)), 50013);
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  await emu.control('client', { client_id: CERT_CLIENT, set: { federated: [{ issuer, subject, audiences: ['api://other'], publicKey: pem }] } });
  assert.equal(await withAssertion(jwt({ aud: 'api://other' })), 200);
});
