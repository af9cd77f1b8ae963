// SPDX-License-Identifier: Apache-2.0
// Sign-ins that may not ask, step-up by authentication contexts, and the age of an authentication.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startEmulator } from './server.mjs';
import { CLIENT, OTHER_CLIENT, OTHER_CLIENT_SECRET } from './tenants.mjs';
import { authorize, choose, parts, redeem, refresh, signIn } from './testclient.mjs';

let emu;
before(async () => { emu = await startEmulator({ auto: 'ada' }); });
after(() => emu.close());
beforeEach(() => emu.control('reset', {}));

const silently = async (changes = {}, options) => (await authorize(emu, { prompt: 'none', ...changes }, options)).params;
const claimsOf = async (request, options) => parts((await redeem(emu, (await authorize(emu, request, options)).params.code)).body.id_token).claims;
const wanting = (id, where = 'id_token') => ({ claims: JSON.stringify({ [where]: { acrs: { essential: true, value: id } } }) });

test('prompt=none answers what a test wants, for a user, so many times', async () => {
  assert.ok((await silently()).code);
  const codes = { login_required: 50058, interaction_required: 50076, consent_required: 65001 };
  for (const [error, code] of Object.entries(codes)) {
    await emu.control('silent', { error, user: 'ada', count: 1 });
    const refused = await silently();
    assert.deepEqual([refused.error, refused.state, refused.code], [error, 'the-state', undefined]);
    assert.match(refused.error_description, new RegExp(`^AADSTS${code}: `));
    assert.ok((await silently()).code);
  }
  await emu.control('silent', { error: 'interaction_required', code: 50079, suberror: 'basic_action', user: 'root' });
  assert.ok((await silently()).code);
  await emu.control('auto', { user: 'root' });
  const { error_description: text, error_subcode: subcode } = await silently();
  assert.match(text, /^AADSTS50079: /);
  assert.equal(subcode, 'basic_action');
  assert.ok((await authorize(emu)).params.code);
  await emu.control('silent', undefined, 'DELETE');
  assert.ok((await silently()).code);
  await assert.rejects(emu.control('silent', { error: 'no' }), /error is one of/);
  await assert.rejects(emu.control('silent', { session: 'no' }), /session is one of/);
  await assert.rejects(emu.control('silent', { what: 1 }), /has no 'what'/);
});

test('prompt=none can need a session of this browser', async () => {
  await emu.control('silent', { session: 'required' });
  assert.equal((await silently()).error, 'login_required');
  const { cookie } = await authorize(emu);
  assert.ok((await silently({}, { cookie })).code);
  await emu.control('auto', { user: 'root' });
  assert.equal((await silently({}, { cookie })).error, 'login_required');
  await emu.control('auto', { user: 'ada' });
  await emu.control('signout', {});
  assert.equal((await silently({}, { cookie })).error, 'login_required');
  await emu.control('silent', { session: 'assumed' });
  assert.ok((await silently()).code);
});

test('without auto mode the refusal is of the account that would have answered', async () => {
  await emu.control('auto', { user: null });
  const { cookie } = await choose(emu, await authorize(emu), { user: 'ada' });
  await emu.control('silent', { error: 'consent_required', user: 'ada', count: 1 });
  assert.equal((await silently({}, { cookie })).error, 'consent_required');
  assert.ok((await silently({}, { cookie })).code);
});

test('contexts: any without a policy of the tenant, else those that exist', async () => {
  assert.deepEqual((await claimsOf(wanting('c7'))).acrs, ['c7']);
  await emu.control('contexts', { contexts: { c1: {}, c2: { policy: false } } });
  assert.deepEqual((await claimsOf(wanting('c1'))).acrs, ['c1']);
  assert.deepEqual((await claimsOf(wanting('c2'))).acrs, ['c2']);
  assert.equal((await claimsOf(wanting('c3'))).acrs, undefined);
  const both = { claims: JSON.stringify({ id_token: { acrs: { essential: true, values: ['c1', 'c2'] } } }) };
  assert.deepEqual((await claimsOf(both)).acrs, ['c1', 'c2']);
  await assert.rejects(emu.control('contexts', { contexts: { x: {} } }), /no context/);
  await assert.rejects(emu.control('contexts', { contexts: { c1: { users: ['nobody'] } } }), /no user/);
  await assert.rejects(emu.control('contexts', { contexts: { c1: { user: 'ada' } } }), /has no 'user'/);
});

test('a context that fails open comes back without acrs', async () => {
  await emu.control('contexts', { contexts: { c1: { omit: true } } });
  assert.equal((await claimsOf(wanting('c1'))).acrs, undefined);
});

test('a context that the user cannot satisfy ends on a page, or silently as access_denied', async () => {
  await emu.control('contexts', { contexts: { c1: { users: ['root'] } } });
  const page = await authorize(emu, wanting('c1'));
  assert.deepEqual([page.status, page.location], [400, null]);
  assert.match(page.body, /AADSTS53003/);
  assert.equal((await silently(wanting('c1'))).error, 'access_denied');
  await emu.control('auto', { user: 'root' });
  assert.deepEqual((await claimsOf(wanting('c1'))).acrs, ['c1']);
});

test('a context is satisfied once in a browser session, and silently only then', async () => {
  await emu.control('contexts', { contexts: { c1: {}, c2: { opportunistic: true } } });
  const { cookie, params } = await authorize(emu);
  assert.deepEqual(parts((await redeem(emu, params.code)).body.id_token).claims.acrs, ['c2']);
  assert.equal((await silently(wanting('c1'), { cookie })).error, 'interaction_required');
  assert.deepEqual((await claimsOf(wanting('c1'), { cookie })).acrs.sort(), ['c1', 'c2']);
  assert.deepEqual((await claimsOf({ ...wanting('c1'), prompt: 'none' }, { cookie })).acrs.sort(), ['c1', 'c2']);
});

test('auth_time and acrs are optional claims; acrs comes when asked for all the same', async () => {
  await emu.control('client', { client_id: CLIENT, set: { optionalClaims: ['sid', 'login_hint'] } });
  const { cookie, params } = await authorize(emu, wanting('c1'));
  const body = (await redeem(emu, params.code)).body;
  const { claims } = parts(body.id_token);
  assert.deepEqual([claims.acrs, claims.auth_time], [['c1'], undefined]);
  assert.equal((await claimsOf({}, { cookie })).acrs, undefined);
  assert.deepEqual(parts((await refresh(emu, body.refresh_token)).body.id_token).claims.acrs, ['c1']);
});

test('contexts of an API are in its access token', async () => {
  const scope = `openid api://${CLIENT}/access`;
  const request = { client_id: OTHER_CLIENT, scope, ...wanting('c1', 'access_token') };
  const body = await signIn(emu, { request, token: { client_id: OTHER_CLIENT, client_secret: OTHER_CLIENT_SECRET, scope } });
  assert.deepEqual(parts(body.access_token).claims.acrs, ['c1']);
  const plain = await signIn(emu, { request: { scope }, token: { scope } });
  assert.equal(parts(plain.access_token).claims.acrs, undefined);
});

test('prompt=login and max_age renew auth_time, and nothing else does', async () => {
  await emu.control('auto', { user: 'ada', ageSeconds: 7200 });
  const now = () => Math.floor(Date.now() / 1000);
  const { cookie, params } = await authorize(emu);
  const first = parts((await redeem(emu, params.code)).body.id_token).claims.auth_time;
  assert.ok(first <= now() - 7190);
  assert.equal((await claimsOf({}, { cookie })).auth_time, first);
  assert.equal((await claimsOf({ max_age: '10000' }, { cookie })).auth_time, first);
  assert.equal((await silently({ max_age: '3600' }, { cookie })).error, 'login_required');
  assert.ok((await claimsOf({ max_age: '3600' }, { cookie })).auth_time >= now() - 10);
  await emu.control('clock', { offsetSeconds: 100 });
  assert.ok((await claimsOf({ prompt: 'login' }, { cookie })).auth_time >= now() + 90);
  assert.equal((await silently({ max_age: '0' }, { cookie })).error, 'login_required');
  assert.ok((await claimsOf({ prompt: 'login' })).auth_time >= now() + 90, 'a new session, too');
});

test('what was asked for is on record', async () => {
  await authorize(emu, { prompt: 'none', login_hint: 'ada@contoso.example', domain_hint: 'contoso.example', max_age: '60', ...wanting('c1') });
  const { asked } = emu.requests.at(-1);
  assert.deepEqual([asked.prompt, asked.login_hint, asked.domain_hint, asked.max_age], ['none', 'ada@contoso.example', 'contoso.example', '60']);
  assert.deepEqual([asked.scope, asked.client_id, asked.claims], ['openid profile email offline_access', CLIENT, wanting('c1').claims]);
  assert.deepEqual([asked.state, asked.nonce], [undefined, undefined]);
});
