// SPDX-License-Identifier: Apache-2.0
// Refresh: what a new token says, each way to be refused, outages of refreshes alone, and refreshed tokens that differ.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startEmulator } from './server.mjs';
import { CLIENT, groups, users } from './tenants.mjs';
import { endpoint, isGenuine, parts, refresh, secretForm, signIn } from './testclient.mjs';

let emu;
before(async () => { emu = await startEmulator({ auto: 'ada' }); });
after(() => emu.close());
beforeEach(() => emu.control('reset', {}));

const idOf = (key) => groups.find((g) => g.key === key).id;
const refreshed = async (token) => parts((await refresh(emu, token)).body.id_token).claims;

test('each refresh gives another refresh token and a genuine ID token without nonce', async () => {
  const first = await signIn(emu);
  let token = first.refresh_token;
  const seen = new Set([token]);
  for (let i = 0; i < 3; i += 1) {
    const { status, body } = await refresh(emu, token);
    assert.equal(status, 200);
    assert.ok(await isGenuine(emu, body.id_token));
    assert.equal(parts(body.id_token).claims.nonce, undefined);
    token = body.refresh_token;
    seen.add(token);
  }
  assert.equal(seen.size, 4);
});

test('two refreshes with the same token at once both succeed', async () => {
  const { refresh_token: token } = await signIn(emu);
  const answers = await Promise.all([refresh(emu, token), refresh(emu, token)]);
  assert.deepEqual(answers.map((answer) => answer.status), [200, 200]);
  assert.notEqual(answers[0].body.refresh_token, answers[1].body.refresh_token);
});

test('changed roles, groups and names are in the refreshed ID token', async () => {
  const { refresh_token: token } = await signIn(emu);
  await emu.control('user', { user: 'ada', set: { roles: [], groups: [idOf('oncall')], name: 'Ada Other' } });
  const claims = await refreshed(token);
  assert.deepEqual([claims.roles, claims.name], [undefined, 'Ada Other']);
  assert.deepEqual(claims.groups.sort(), ['oncall', 'platform', 'engineering'].map(idOf).sort());
});

test('suberrors and claims are those that a test asks for, for one user, so many times', async () => {
  const { refresh_token: token } = await signIn(emu);
  for (const suberror of ['basic_action', 'additional_action', 'message_only', 'consent_required', 'user_password_expired', 'bad_token', 'token_expired']) {
    await emu.control('refresh', { code: 50076, error: 'invalid_grant', suberror, claims: '{"access_token":{}}', count: 1 });
    const { status, body } = await refresh(emu, token);
    assert.deepEqual([status, body.error, body.suberror, body.claims, body.error_codes], [400, 'invalid_grant', suberror, '{"access_token":{}}', [50076]]);
    assert.equal((await refresh(emu, token)).status, 200);
  }
  await emu.control('refresh', { user: 'root', code: 53003 });
  assert.equal((await refresh(emu, token)).status, 200);
  await emu.control('refresh', { user: 'ada', code: 50055, error: 'user_password_expired', members: { password_change_url: 'https://p.test/' } });
  const expired = (await refresh(emu, token)).body;
  assert.deepEqual([expired.error, expired.password_change_url], ['user_password_expired', 'https://p.test/']);
  await emu.control('refresh', { code: 50076 });
  assert.equal((await refresh(emu, token)).body.error, 'interaction_required');
  await emu.control('refresh', undefined, 'DELETE');
  assert.equal((await refresh(emu, token)).status, 200);
  await assert.rejects(emu.control('refresh', { sub: 'x' }), /has no 'sub'/);
  await assert.rejects(emu.control('refresh', { user: 'nobody' }), /no user/);
  await assert.rejects(emu.control('refresh', { claims: {} }), /claims is a text/);
});

test('outages can be of refreshes alone', async () => {
  const { refresh_token: token } = await signIn(emu);
  await emu.control('fault', { endpoint: 'token', grant: 'refresh_token', status: 429, retryAfter: 7, count: 1 });
  assert.ok((await signIn(emu)).id_token);
  const url = endpoint(emu, '/oauth2/v2.0/token');
  const ask = (signal) => fetch(url, { method: 'POST', signal, body: new URLSearchParams(secretForm({ grant_type: 'refresh_token', refresh_token: token })) });
  const throttled = await ask();
  assert.deepEqual([throttled.status, throttled.headers.get('retry-after')], [429, '7']);
  await emu.control('fault', { endpoint: 'token', grant: 'refresh_token', status: 503, body: { error: 'temporarily_unavailable' }, count: 1 });
  assert.equal((await ask()).status, 503);
  await emu.control('fault', { endpoint: 'token', grant: 'refresh_token', hang: true });
  await assert.rejects(ask(AbortSignal.timeout(2000)), { name: 'TimeoutError' });
  assert.ok((await signIn(emu)).id_token);
  await emu.control('fault', undefined, 'DELETE');
  assert.equal((await ask()).status, 200);
  const { endpoints, grants } = emu.stats();
  assert.equal(endpoints.token, 7);
  assert.deepEqual(grants, {
    authorization_code: { calls: 3, statuses: { 200: 3 } },
    refresh_token: { calls: 4, statuses: { 200: 1, 429: 1, 503: 1, fault: 1 } },
  });
});

test('a fault can be for paths with a certain part', async () => {
  await emu.control('fault', { endpoint: 'any', path: '/contoso.example/', status: 500 });
  const document = (tenant) => fetch(endpoint(emu, '/v2.0/.well-known/openid-configuration', tenant));
  assert.deepEqual([(await document('contoso.example')).status, (await document('fabrikam.example')).status], [500, 200]);
  await assert.rejects(emu.control('fault', { endpoint: 'any', path: 1 }), /path is a part/);
});

test('refreshed ID tokens that differ: missing, unsigned, of another person, with a bad signature', async () => {
  const { refresh_token: token } = await signIn(emu);
  const shaped = async (shape) => {
    await emu.control('idtoken', { ...shape, on: 'refresh', count: 1 });
    const code = await signIn(emu);
    assert.ok(await isGenuine(emu, code.id_token));
    return (await refresh(emu, token)).body.id_token;
  };
  assert.equal(await shaped({ omit: true }), undefined);
  assert.equal(parts(await shaped({ alg: 'none' })).header.alg, 'none');
  const other = parts(await shaped({ set: { oid: users[1].oid, sub: 'x', tid: CLIENT } })).claims;
  assert.deepEqual([other.oid, other.sub, other.tid], [users[1].oid, 'x', CLIENT]);
  assert.equal(await isGenuine(emu, await shaped({ tamper: 'signature' })), false);
  assert.equal((await refresh(emu, token)).status, 200);
});

test('without offline_access or openid there is no refresh token, or no new ID token', async () => {
  assert.equal((await signIn(emu, { request: { scope: 'openid profile' } })).refresh_token, undefined);
  const { refresh_token: token } = await signIn(emu);
  assert.equal((await refresh(emu, token, { scope: 'offline_access' })).body.id_token, undefined);
});
