// SPDX-License-Identifier: Apache-2.0
// Continuous access evaluation: events, Graph's claims challenge, and what a refresh that carries it meets.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startEmulator } from './server.mjs';
import { authorize, parts, redeem, refresh, signIn } from './testclient.mjs';

const CP1 = JSON.stringify({ access_token: { xms_cc: { values: ['cp1'] } } });
const SCOPE = 'openid profile offline_access https://graph.microsoft.com/User.Read';

let emu;
before(async () => { emu = await startEmulator({ auto: 'ada' }); });
after(() => emu.close());
beforeEach(() => emu.control('reset', {}));

const capable = (changes = {}) => signIn(emu, { request: { scope: SCOPE, claims: CP1, ...changes } });
const probe = (token, path = '/me?$select=id') => fetch(`${emu.url}/v1.0${path}`, { headers: { authorization: `Bearer ${token}` } });
const happen = (event, more = {}) => emu.control('event', { user: 'ada', event, ...more });

/** The claims of a challenge, as a client reads them. */
async function challengeOf(response) {
  assert.equal(response.status, 401);
  const { error } = await response.json();
  assert.equal(error.code, 'InvalidAuthenticationToken');
  const header = response.headers.get('www-authenticate');
  return Buffer.from(/claims="([^"]+)"/.exec(header)[1], 'base64').toString();
}

test('the challenge is in the documented shape', async () => {
  const { access_token: token } = await capable();
  assert.equal((await probe(token)).status, 200);
  await happen('password');
  const response = await probe(token);
  const header = response.headers.get('www-authenticate');
  assert.match(header, new RegExp(`^Bearer realm="", authorization_uri="${emu.url}/common/oauth2/authorize", error="insufficient_claims", claims="[A-Za-z0-9+/]+=*"$`));
  const claims = await challengeOf(response);
  assert.match(claims, /^\{"access_token":\{"nbf":\{"essential":true, "value":"\d{10}"\}\}\}$/);
  assert.ok(Math.abs(JSON.parse(claims).access_token.nbf.value - Date.now() / 1000) < 30);
});

test('after a change of password a plain refresh succeeds, one with the challenge does not', async () => {
  const { access_token: token, refresh_token: renewal } = await capable();
  await happen('password');
  const claims = await challengeOf(await probe(token));
  const plain = await refresh(emu, renewal);
  assert.equal(plain.status, 200);
  const { status, body } = await refresh(emu, renewal, { claims });
  assert.deepEqual([status, body.error, body.error_codes, body.suberror, body.claims], [400, 'invalid_grant', [50133], 'bad_token', claims]);
  assert.equal((await refresh(emu, plain.body.refresh_token, { claims })).status, 400, 'nor does one with a rotated token');
  const again = await capable({ claims });
  assert.equal((await refresh(emu, again.refresh_token, { claims })).status, 200, 'a new sign-in mends it');
});

test('after a revocation or a disabled account every refresh fails', async () => {
  for (const [event, code] of [['revoke', 50173], ['disable', 50057], ['delete', 50034]]) {
    await emu.control('reset', {});
    const { access_token: token, refresh_token: renewal } = await capable();
    await happen(event);
    const claims = await challengeOf(await probe(token));
    for (const form of [{ claims }, {}]) {
      const { body } = await refresh(emu, renewal, form);
      assert.deepEqual([body.error, body.error_codes], ['invalid_grant', [code]], event);
    }
  }
});

test('the calls user and revoke are events too', async () => {
  const first = await capable();
  await emu.control('user', { user: 'ada', set: { enabled: false } });
  assert.equal((await probe(first.access_token)).status, 401);
  await emu.control('reset', {});
  const second = await capable();
  await emu.control('revoke', { user: 'ada' });
  assert.equal((await probe(second.access_token)).status, 401);
});

test('mfa wants an interaction, policy only a fresh token, and an error can be of the test\'s own', async () => {
  const mfa = await capable();
  await happen('mfa');
  const wanted = await challengeOf(await probe(mfa.access_token));
  const refused = (await refresh(emu, mfa.refresh_token, { claims: wanted })).body;
  assert.deepEqual([refused.error, refused.suberror, refused.claims], ['interaction_required', 'basic_action', wanted]);
  const policy = await capable();
  await happen('policy');
  const claims = await challengeOf(await probe(policy.access_token));
  const renewed = await refresh(emu, policy.refresh_token, { claims });
  assert.equal((await probe(renewed.body.access_token)).status, 200);
  const own = await capable();
  await happen('policy', { error: { code: 53003, error: 'invalid_grant', suberror: 'message_only' } });
  const challenge = await challengeOf(await probe(own.access_token));
  assert.equal((await refresh(emu, own.refresh_token, { claims: challenge })).body.suberror, 'message_only');
});

test('who did not declare cp1 is never challenged; it can be declared at the token endpoint', async () => {
  const { access_token: token, refresh_token: renewal } = await signIn(emu, { request: { scope: SCOPE } });
  assert.equal(parts(token).claims.xms_cc, undefined);
  await happen('password');
  assert.equal((await probe(token)).status, 200);
  const later = await refresh(emu, renewal, { claims: CP1 });
  assert.deepEqual(parts(later.body.access_token).claims.xms_cc, ['cp1']);
  assert.equal((await probe(later.body.access_token)).status, 200);
  await happen('password');
  assert.equal((await probe(later.body.access_token)).status, 401);
  const { token: minted } = await emu.control('mint', { kind: 'access', resource: 'https://graph.microsoft.com', scopes: ['User.Read'], cae: true });
  assert.equal((await probe(minted)).status, 200);
  await happen('password');
  assert.equal((await probe(minted)).status, 401);
});

test('an event is of one user, can take its time, and challenges every question', async () => {
  const { access_token: token } = await capable();
  await emu.control('event', { user: 'root', event: 'password' });
  assert.equal((await probe(token)).status, 200);
  await happen('password', { delaySeconds: 600 });
  assert.equal((await probe(token)).status, 200);
  await emu.control('clock', { offsetSeconds: 601 });
  assert.equal((await probe(token)).status, 401);
  assert.equal((await probe(token, '/me/transitiveMemberOf')).status, 401);
  assert.equal(emu.stats().graph.me.statuses[401], 1);
});

test('the header can be odd', async () => {
  const { access_token: token } = await capable();
  await happen('password');
  const headerWith = async (shape) => {
    await emu.control('challenge', { ...shape, count: 1 });
    return (await probe(token)).headers.get('www-authenticate');
  };
  assert.match(await headerWith({ reverse: true }), /^Bearer claims="[^"]+", error="insufficient_claims", authorization_uri="[^"]+", realm=""$/);
  assert.match(await headerWith({ before: ['Basic realm="x"'], after: ['PoP nonce="y"'] }), /^Basic realm="x", Bearer realm="", .*, PoP nonce="y"$/);
  assert.doesNotMatch(await headerWith({ unset: ['claims'] }), /claims="/);
  assert.match(await headerWith({ claims: '!!!' }), /claims="!!!"/);
  assert.match(await headerWith({}), /error="insufficient_claims"/);
  await assert.rejects(emu.control('challenge', { odd: 1 }), /has no 'odd'/);
});

test('deleted users can neither sign in nor redeem, and come back', async () => {
  const { params } = await authorize(emu);
  await happen('delete');
  const page = await authorize(emu);
  assert.deepEqual([page.location, /AADSTS50034/.test(page.body)], [null, true]);
  assert.equal((await authorize(emu, { prompt: 'none' })).params.error, 'interaction_required');
  assert.deepEqual((await redeem(emu, params.code)).body.error_codes, [50034]);
  await assert.rejects(happen('password'), /no user/);
  await happen('restore');
  assert.ok((await signIn(emu)).id_token);
  await happen('delete', { permanent: true });
  await assert.rejects(happen('restore'), /no deleted user/);
  await assert.rejects(emu.control('event', { user: 'root', event: 'toString' }), /event is one of/);
});
