// SPDX-License-Identifier: Apache-2.0
// The platform: tokens of managed identities and service accounts, and their exchange at the token endpoint.

import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { identities } from './platform/identities.mjs';
import { startEmulator } from './server.mjs';
import { CERT_CLIENT, CONTOSO, FABRIKAM } from './tenants.mjs';
import { ASSERTION_TYPE, REDIRECT_URI, authorize, getJson, isGenuine, parts, postToken } from './testclient.mjs';

const EXCHANGE = 'api://AzureADTokenExchange';
const [web, batch, machine] = identities;
const IMDS = { 'api-version': '2018-02-01', resource: EXCHANGE };
const METADATA = { Metadata: 'true' };

let emu;
before(async () => { emu = await startEmulator({ auto: 'ada' }); });
after(() => emu.close());
beforeEach(() => emu.control('reset', {}));

async function get(url, query, headers) {
  const response = await fetch(`${url}?${new URLSearchParams(query)}`, { headers });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: text.startsWith('{') ? JSON.parse(text) : undefined };
}

const imds = (query = {}, headers = METADATA) => get(`${emu.url}/metadata/identity/oauth2/token`, { ...IMDS, ...query }, headers);

async function appService(query = {}, changes = {}) {
  const { environment } = await emu.control('platform');
  const all = { 'api-version': '2019-08-01', resource: EXCHANGE, ...query };
  return get(environment.IDENTITY_ENDPOINT, all, { 'X-IDENTITY-HEADER': environment.IDENTITY_HEADER, ...changes });
}

const trust = (...federated) => emu.control('client', { client_id: CERT_CLIENT, set: { federated } });
const ofIdentity = ({ principalId }) => ({ issuer: `{{base}}/${CONTOSO}/v2.0`, subject: principalId, audiences: [EXCHANGE] });

/** What the token endpoint says to an assertion: 200, or the number. */
async function exchange(assertion) {
  const { params } = await authorize(emu, { client_id: CERT_CLIENT });
  const form = { client_id: CERT_CLIENT, grant_type: 'authorization_code', code: params.code, redirect_uri: REDIRECT_URI };
  const { status, body } = await postToken(emu, { ...form, client_assertion: assertion, client_assertion_type: ASSERTION_TYPE });
  return status === 200 ? 200 : body.error_codes[0];
}

test('IMDS gives a token for the exchange, with numbers as texts', async () => {
  const { status, body } = await imds();
  assert.equal(status, 200);
  for (const name of ['expires_in', 'ext_expires_in', 'expires_on', 'not_before']) assert.match(body[name], /^\d+$/, name);
  assert.equal(typeof body.expires_in, 'string');
  assert.deepEqual([body.resource, body.token_type, body.client_id, body.refresh_token], [EXCHANGE, 'Bearer', web.clientId, '']);
  assert.ok(await isGenuine(emu, body.access_token));
  const { claims } = parts(body.access_token);
  assert.deepEqual([claims.iss, claims.sub, claims.oid, claims.idtyp], [`${emu.url}/${CONTOSO}/v2.0`, web.principalId, web.principalId, 'app']);
  assert.equal(claims.aud, 'fb60f99c-7a34-4190-8149-302f77469936');
  assert.equal(String(claims.exp), body.expires_on);
  assert.equal(emu.stats().endpoints.imds, 1);
  assert.deepEqual(emu.stats().secrets.identity_tokens, [body.access_token]);
});

test('IMDS refuses what it does not know', async () => {
  const refused = async (answer, error) => {
    const { status, body } = await answer;
    assert.deepEqual([status, body.error], [400, error], JSON.stringify(body));
  };
  await refused(imds({}, {}), 'bad_request_102');
  await refused(imds({}, { Metadata: 'True' }), 'bad_request_102');
  await refused(imds({}, { ...METADATA, 'X-Forwarded-For': '10.0.0.1' }), 'bad_request');
  await refused(imds({ 'api-version': '2017-01-01' }), 'bad_request');
  await refused(imds({ resource: '' }), 'invalid_request');
  await refused(imds({ resource: 'https://vault.example' }), 'invalid_resource');
  await refused(imds({ client_id: batch.clientId }), 'invalid_request');
  const posted = await fetch(`${emu.url}/metadata/identity/oauth2/token`, { method: 'POST' });
  assert.equal(posted.status, 405);
});

test('with several identities IMDS needs a selector', async () => {
  await emu.control('platform', { attached: ['web', 'batch'] });
  const many = await imds();
  assert.equal(many.status, 400);
  assert.match(many.body.error_description, /^Multiple user assigned identities exist/);
  for (const query of [{ client_id: batch.clientId.toUpperCase() }, { object_id: batch.principalId }, { msi_res_id: batch.resourceId }]) {
    assert.equal((await imds(query)).body.client_id, batch.clientId);
  }
  await emu.control('platform', { attached: ['web', 'batch', 'machine'] });
  assert.equal((await imds()).body.client_id, machine.clientId);
  await emu.control('platform', { attached: [] });
  assert.equal((await imds()).body.error_description, 'Identity not found');
  await assert.rejects(emu.control('platform', { attached: ['x'] }), /attached are some of/);
  await assert.rejects(emu.control('platform', { what: 1 }), /has no 'what'/);
});

test('IMDS has outages and odd answers', async () => {
  for (const status of [404, 410, 429, 500]) {
    await emu.control('fault', { endpoint: 'imds', status, count: 1 });
    assert.equal((await imds()).status, status);
  }
  assert.equal((await imds()).status, 200);
  await emu.control('platform', { answer: { set: { expires_on: 12 }, unset: ['access_token'], count: 1 } });
  const { body } = await imds();
  assert.deepEqual([body.expires_on, body.access_token], [12, undefined]);
  await emu.control('platform', { answer: { generate: { kind: 'array' }, count: 1 } });
  assert.equal((await imds()).body, undefined);
  await emu.control('platform', { lifetimeSeconds: 600 });
  assert.equal((await imds()).body.expires_in, '600');
});

test('App Service wants its header, and an identity by name', async () => {
  const { status, body } = await appService({ client_id: web.clientId });
  assert.equal(status, 200);
  assert.deepEqual([body.client_id, body.resource, body.expires_in], [web.clientId, EXCHANGE, undefined]);
  assert.match(body.expires_on, /^\d{10}$/);
  assert.equal((await appService({ client_id: web.clientId }, { 'X-IDENTITY-HEADER': 'wrong' })).status, 401);
  assert.equal((await appService({ client_id: web.clientId, 'api-version': '2017-09-01' })).status, 400);
  assert.equal((await appService({ client_id: web.clientId, resource: 'x' })).status, 400);
  for (const query of [{}, { client_id: batch.clientId }]) {
    const refused = await appService(query);
    assert.equal(refused.status, 400);
    assert.match(refused.body.message, /^No User Assigned or Delegated Managed Identity found/);
  }
  await emu.control('platform', { identityHeader: 'another' });
  assert.equal((await appService({ client_id: web.clientId })).status, 200);
  await emu.control('fault', { endpoint: 'appservice', status: 500, count: 1 });
  assert.equal((await appService({ client_id: web.clientId })).status, 500);
});

test('the token of a user-assigned identity signs the application in', async () => {
  await emu.control('platform', { attached: ['web', 'batch', 'machine'] });
  const tokenOf = async ({ clientId }) => (await imds({ client_id: clientId })).body.access_token;
  const token = await tokenOf(web);
  assert.equal(await exchange(token), 70021);
  await trust(ofIdentity(web));
  assert.equal(await exchange(token), 200);
  assert.equal(await exchange(token), 200, 'it is good until it expires');
  assert.equal(await exchange(await tokenOf(batch)), 700213);
  await trust({ ...ofIdentity(web), audiences: ['api://AzureADTokenExchangeUSGov'] });
  assert.equal(await exchange(token), 700212);
  await trust({ ...ofIdentity(web), issuer: `{{base}}/${FABRIKAM}/v2.0` });
  assert.equal(await exchange(token), 700211);
  await trust(ofIdentity(machine));
  assert.equal(await exchange((await imds()).body.access_token), 70021, 'identities of machines are not taken');
});

test('of Entra\'s own tokens only genuine app-only ones will do, in their time', async () => {
  await trust(ofIdentity(web));
  const shaped = async (shape) => {
    await emu.control('identitytoken', { ...shape, count: 1 });
    return exchange((await imds()).body.access_token);
  };
  assert.equal(await shaped({ set: { idtyp: 'user' } }), 700229);
  assert.equal(await shaped({ unset: ['idtyp'] }), 700229);
  assert.equal(await shaped({ tamper: 'signature' }), 50013);
  assert.equal(await shaped({ tamper: 'payload' }), 50013);
  assert.equal(await shaped({ signWith: 'impostor' }), 50013);
  assert.equal(await shaped({ alg: 'none' }), 50027);
  assert.equal(await shaped({ set: { exp: { $now: -400 } } }), 700024);
  assert.equal(await shaped({ set: { nbf: { $now: 400 } } }), 700024);
  const { body } = await imds();
  await emu.control('clock', { offsetSeconds: 86400 + 400 });
  assert.equal(await exchange(body.access_token), 700024);
});

test('a cluster is an issuer with documents and keys of its own', async () => {
  const { token, issuer, subject } = await emu.control('serviceaccount', { namespace: 'web', name: 'httpd' });
  const document = await getJson(`${issuer}.well-known/openid-configuration`);
  assert.equal(document.issuer, issuer);
  const { keys } = await getJson(document.jwks_uri);
  const { header, claims, input, signature } = parts(token);
  const jwk = keys.find((key) => key.kid === header.kid);
  assert.ok(verify('sha256', input, createPublicKey({ key: jwk, format: 'jwk' }), signature));
  assert.deepEqual([claims.iss, claims.sub, claims.aud], [issuer, 'system:serviceaccount:web:httpd', [EXCHANGE]]);
  assert.equal(claims.sub, subject);
  assert.equal(claims['kubernetes.io'].namespace, 'web');
});

test('service accounts are verified: issuer, subject, audience, signature, time', async () => {
  const mint = async (call = {}) => (await emu.control('serviceaccount', call)).token;
  const known = { issuer: '{{base}}/_cluster/', subject: 'system:serviceaccount:web:httpd', audiences: [EXCHANGE] };
  await trust(known);
  assert.equal(await exchange(await mint()), 200);
  assert.equal(await exchange(await mint({ name: 'other' })), 700213);
  assert.equal(await exchange(await mint({ audience: 'sts.example' })), 700212);
  assert.equal(await exchange(await mint({ shape: { set: { iss: 'https://oidc.evil.test/' } } })), 700211);
  assert.equal(await exchange(await mint({ shape: { tamper: 'signature' } })), 50013);
  assert.equal(await exchange(await mint({ shape: { signWith: 'unpublished' } })), 50013);
  assert.equal(await exchange(await mint({ shape: { signWith: 'impostor' } })), 50013);
  assert.equal(await exchange(await mint({ lifetimeSeconds: -400 })), 700024);
  await trust({ ...known, issuer: '{{base}}/_cluster' });
  assert.equal(await exchange(await mint()), 700211);
  await trust({ ...known, issuer: 'https://oidc.nowhere.test/' });
  assert.equal(await exchange(await mint({ shape: { set: { iss: 'https://oidc.nowhere.test/' } } })), 50013, 'an issuer that nobody can ask');
});

test('the keys of the cluster roll like others', async () => {
  await trust({ issuer: '{{base}}/_cluster/', subject: 'system:serviceaccount:web:httpd' });
  const old = (await emu.control('serviceaccount', {})).token;
  await emu.control('cluster', { action: 'roll', drop: true });
  assert.equal(await exchange(old), 50013);
  assert.equal(await exchange((await emu.control('serviceaccount', {})).token), 200);
  await emu.control('fault', { endpoint: 'cluster', status: 503, count: 1 });
  assert.equal((await fetch(`${emu.url}/_cluster/openid/v1/jwks`)).status, 503);
});
