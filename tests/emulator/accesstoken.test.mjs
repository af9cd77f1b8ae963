// SPDX-License-Identifier: Apache-2.0
// Access tokens of an application's own API: both versions, of users and of applications, minted, bent, and what verifies them.

import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { principalOf } from './registration.mjs';
import { startEmulator } from './server.mjs';
import { CLIENT, CONTOSO, OTHER_CLIENT, OTHER_CLIENT_SECRET } from './tenants.mjs';
import { endpoint, getJson, isGenuine, parts, postToken, signIn } from './testclient.mjs';

const V1_ISSUER = `https://sts.windows.net/${CONTOSO}/`;
const OTHER_PRINCIPAL = principalOf({ id: OTHER_CLIENT });

let emu;
before(async () => { emu = await startEmulator({ auto: 'ada' }); });
after(() => emu.close());
beforeEach(() => emu.control('reset', {}));

const setApi = (set) => emu.control('client', { client_id: CLIENT, set });

/** The other application's token for the API of the first, on behalf of the user. */
async function delegated(scope = `openid api://${CLIENT}/access`) {
  const request = { client_id: OTHER_CLIENT, scope };
  const body = await signIn(emu, { request, token: { ...request, client_secret: OTHER_CLIENT_SECRET } });
  return body.access_token;
}

async function appOnly(scope = `api://${CLIENT}/.default`) {
  const form = { client_id: OTHER_CLIENT, client_secret: OTHER_CLIENT_SECRET, grant_type: 'client_credentials', scope };
  const { status, body } = await postToken(emu, form);
  assert.equal(status, 200, JSON.stringify(body));
  return body.access_token;
}

const claimsOf = (token) => parts(token).claims;
const mint = async (call) => (await emu.control('mint', { kind: 'access', ...call })).token;

test('version 2: audience is the GUID of the API, the application is azp', async () => {
  const token = await delegated();
  assert.ok(await isGenuine(emu, token));
  const { header, claims } = parts(token);
  assert.deepEqual(Object.keys(header), ['typ', 'alg', 'kid']);
  assert.deepEqual([claims.aud, claims.iss, claims.ver], [CLIENT, `${emu.url}/${CONTOSO}/v2.0`, '2.0']);
  assert.deepEqual([claims.azp, claims.azpacr, claims.scp, claims.roles], [OTHER_CLIENT, '1', 'access', ['app.reader']]);
  assert.deepEqual([claims.tid, claims.preferred_username, claims.idtyp], [CONTOSO, 'ada@contoso.example', undefined]);
  assert.equal(claims.oid, '5b9e7d10-3c44-4a1f-9f2e-6d8a0c1b2e3f');
  assert.equal(claims.sub, claimsOf((await signIn(emu)).id_token).sub);
  for (const name of ['appid', 'appidacr', 'upn', 'unique_name']) assert.equal(claims[name], undefined, name);
});

test('version 1: issuer of the other host, audience api://, appid, upn, and the key named twice', async () => {
  await setApi({ requestedAccessTokenVersion: 1 });
  const token = await delegated();
  const { header, claims } = parts(token);
  assert.equal(header.x5t, header.kid);
  assert.ok(await isGenuine(emu, token));
  assert.deepEqual([claims.aud, claims.iss, claims.ver], [`api://${CLIENT}`, V1_ISSUER, '1.0']);
  assert.deepEqual([claims.appid, claims.appidacr, claims.scp], [OTHER_CLIENT, '1', 'access']);
  assert.deepEqual([claims.upn, claims.unique_name], ['ada@contoso.example', 'ada@contoso.example']);
  for (const name of ['azp', 'azpacr', 'preferred_username']) assert.equal(claims[name], undefined, name);
  await setApi({ requestedAccessTokenVersion: null, identifierUri: 'api://contoso.example/intranet' });
  const named = claimsOf(await delegated('openid api://contoso.example/intranet/access'));
  assert.deepEqual([named.aud, named.ver], ['api://contoso.example/intranet', '1.0']);
});

test('the issuer of version 1 is a setting', async () => {
  await setApi({ requestedAccessTokenVersion: 1 });
  await emu.control('issuer', { v1: '{{base}}/sts' });
  assert.equal(claimsOf(await delegated()).iss, `${emu.url}/sts/${CONTOSO}/`);
  assert.equal((await getJson(endpoint(emu, '/.well-known/openid-configuration'))).issuer, `${emu.url}/sts/${CONTOSO}/`);
  await assert.rejects(emu.control('issuer', { v1: 'https://sts.example/' }), /without a slash/);
  await emu.control('issuer', { v1: null });
  assert.equal(claimsOf(await delegated()).iss, V1_ISSUER);
  const other = await startEmulator({ config: { v1Issuer: 'https://sts.example' } });
  assert.equal((await getJson(`${other.url}/${CONTOSO}/.well-known/openid-configuration`)).issuer, `https://sts.example/${CONTOSO}/`);
  await other.close();
});

test('tokens of applications: principal, roles, no scopes, in both versions', async () => {
  await emu.control('client', { client_id: OTHER_CLIENT, set: { appRoles: ['jobs.run'] } });
  const second = claimsOf(await appOnly());
  assert.deepEqual([second.oid, second.sub, second.idtyp], [OTHER_PRINCIPAL, OTHER_PRINCIPAL, 'app']);
  assert.deepEqual([second.aud, second.azp, second.roles, second.scp], [CLIENT, OTHER_CLIENT, ['jobs.run'], undefined]);
  assert.deepEqual([second.name, second.preferred_username, second.groups], [undefined, undefined, undefined]);
  await setApi({ requestedAccessTokenVersion: 1 });
  const first = claimsOf(await appOnly());
  assert.deepEqual([first.aud, first.appid, first.idp, first.iss], [`api://${CLIENT}`, OTHER_CLIENT, V1_ISSUER, V1_ISSUER]);
  assert.deepEqual([first.oid, first.idtyp, first.roles], [OTHER_PRINCIPAL, 'app', ['jobs.run']]);
  await emu.control('client', { client_id: OTHER_CLIENT, unset: ['appRoles'] });
  assert.equal(claimsOf(await appOnly()).roles, undefined);
});

test('idtyp is said of applications, of all, or of none', async () => {
  await setApi({ idtyp: 'all' });
  assert.deepEqual([claimsOf(await delegated()).idtyp, claimsOf(await appOnly()).idtyp], ['user', 'app']);
  await setApi({ idtyp: null });
  assert.deepEqual([claimsOf(await delegated()).idtyp, claimsOf(await appOnly()).idtyp], [undefined, undefined]);
});

test('.default of a user stands for the scopes that the API exposes', async () => {
  assert.equal(claimsOf(await delegated(`openid api://${CLIENT}/.default`)).scp, 'access_as_user');
  await setApi({ exposedScopes: ['read', 'write'] });
  assert.equal(claimsOf(await delegated(`openid api://${CLIENT}/.default`)).scp, 'read write');
});

test('version 1 has a document and a key set of its own', async () => {
  const document = await getJson(endpoint(emu, '/.well-known/openid-configuration', 'contoso.example'));
  assert.equal(document.issuer, V1_ISSUER);
  assert.equal(document.jwks_uri, `${emu.url}/common/discovery/keys`);
  assert.equal(document.token_endpoint, endpoint(emu, '/oauth2/token'));
  assert.equal((await getJson(endpoint(emu, '/.well-known/openid-configuration', 'common'))).issuer, 'https://sts.windows.net/{tenantid}/');
  await setApi({ requestedAccessTokenVersion: 1 });
  const { header, input, signature } = parts(await delegated());
  for (const tenant of ['common', CONTOSO]) {
    const { keys } = await getJson(endpoint(emu, '/discovery/keys', tenant));
    assert.deepEqual(keys.map((key) => [key.issuer, key.x5t === key.kid]), [[undefined, true], [undefined, true], [undefined, true]]);
    const jwk = keys.find((key) => key.kid === header.kid);
    assert.ok(verify('sha256', input, createPublicKey({ key: jwk, format: 'jwk' }), signature));
  }
  await emu.control('discoveryV1', { set: { issuer: 'https://evil.test/' }, count: 1 });
  assert.equal((await getJson(endpoint(emu, '/.well-known/openid-configuration'))).issuer, 'https://evil.test/');
  await emu.control('fault', { endpoint: 'keysV1', status: 503, count: 1 });
  assert.equal((await fetch(endpoint(emu, '/discovery/keys'))).status, 503);
  const { endpoints } = emu.stats();
  assert.deepEqual([endpoints.discoveryV1, endpoints.keysV1, endpoints.discovery], [3, 3, undefined]);
});

test('minted: of a user or an application, of either version, with anything in it changed', async () => {
  const user = await mint({ user: 'root', client_id: OTHER_CLIENT, resource: `api://${CLIENT}`, scopes: ['a', 'b'], version: 1 });
  assert.deepEqual([claimsOf(user).ver, claimsOf(user).aud, claimsOf(user).scp, claimsOf(user).appid], ['1.0', `api://${CLIENT}`, 'a b', OTHER_CLIENT]);
  const app = await mint({ user: null, client_id: OTHER_CLIENT, resource: CLIENT, roles: ['x'], lifetimeSeconds: 60 });
  assert.deepEqual([claimsOf(app).ver, claimsOf(app).roles, claimsOf(app).oid, claimsOf(app).scp], ['2.0', ['x'], OTHER_PRINCIPAL, undefined]);
  assert.ok(claimsOf(app).exp <= Date.now() / 1000 + 61);
  const bent = claimsOf(await mint({ shape: { set: { exp: { $now: -600 }, aud: 'api://x' }, unset: ['tid'] } }));
  assert.deepEqual([bent.aud, bent.tid, bent.exp < Date.now() / 1000 - 500], ['api://x', undefined, true]);
  assert.equal(await isGenuine(emu, await mint({ shape: { tamper: 'signature' } })), false);
  assert.equal(parts(await mint({ shape: { alg: 'none' } })).header.alg, 'none');
  assert.equal(parts(await mint({ shape: { alg: 'HS256-pubkey' } })).header.alg, 'HS256');
  assert.equal(claimsOf(await mint({ resource: 'api://elsewhere' })).aud, 'api://elsewhere');
  await assert.rejects(mint({ version: 3 }), /version is 1 or 2/);
  await assert.rejects(mint({ user: 'nobody' }), /no user/);
  await assert.rejects(emu.control('mint', { kind: 'id', user: null }), /of a user/);
  assert.equal(emu.stats().secrets.access_tokens.includes(user), true);
});
