// SPDX-License-Identifier: Apache-2.0
// The protocol as a client sees it: documents, authorize, tokens, refresh, sign-out.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startEmulator } from './server.mjs';
import { CLIENT, CONSUMERS, CONTOSO, FABRIKAM, OTHER_CLIENT, OTHER_CLIENT_SECRET } from './tenants.mjs';
import {
  REDIRECT_URI, authorize, choose, endpoint, getJson, isGenuine, newVerifier, parts, postToken, redeem, refresh, secretForm, signIn,
} from './testclient.mjs';

let emu;
before(async () => { emu = await startEmulator({ auto: 'ada' }); });
after(() => emu.close());
beforeEach(() => emu.control('reset', {}));

const codeOf = async (request) => (await authorize(emu, request)).params.code;

function assertRefusal(answer, status, error, code) {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  const { body } = answer;
  assert.equal(body.error, error);
  assert.deepEqual(body.error_codes, [code]);
  assert.match(body.error_description, new RegExp(`^AADSTS${code}: .*\\r\\nTrace ID: [0-9a-f-]{36}\\r\\nCorrelation ID: [0-9a-f-]{36}\\r\\nTimestamp: \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\dZ$`));
  assert.match(body.timestamp, /Z$/);
  assert.ok(body.trace_id && body.correlation_id && body.error_uri.endsWith(String(code)));
}

test('discovery by GUID and by domain names the same tenant', async () => {
  for (const name of [CONTOSO, 'contoso.example', 'CONTOSO.onmicrosoft.com']) {
    const response = await fetch(endpoint(emu, '/v2.0/.well-known/openid-configuration', name));
    const document = await response.json();
    assert.equal(document.issuer, `${emu.url}/${CONTOSO}/v2.0`);
    assert.equal(document.token_endpoint, endpoint(emu, '/oauth2/v2.0/token'));
    assert.equal(response.headers.get('cache-control'), 'max-age=86400, private');
    assert.ok(response.headers.get('x-ms-request-id'));
    assert.equal(document.code_challenge_methods_supported, undefined);
  }
});

test('common and organizations have a template issuer, consumers a fixed one', async () => {
  const issuerOf = async (name) => (await getJson(endpoint(emu, '/v2.0/.well-known/openid-configuration', name))).issuer;
  assert.equal(await issuerOf('common'), `${emu.url}/{tenantid}/v2.0`);
  assert.equal(await issuerOf('organizations'), `${emu.url}/{tenantid}/v2.0`);
  assert.equal(await issuerOf('consumers'), `${emu.url}/${CONSUMERS}/v2.0`);
});

test('appid is carried to the key set', async () => {
  const document = await getJson(`${endpoint(emu, '/v2.0/.well-known/openid-configuration')}?appid=${CLIENT}`);
  assert.equal(document.jwks_uri, `${endpoint(emu, '/discovery/v2.0/keys')}?appid=${CLIENT}`);
});

test('an unknown tenant is 400 with AADSTS90002', async () => {
  const response = await fetch(endpoint(emu, '/v2.0/.well-known/openid-configuration', 'nowhere.example'));
  assertRefusal({ status: response.status, body: await response.json() }, 400, 'invalid_request', 90002);
});

test('keys have an issuer each, and the tenant matters to it', async () => {
  const { keys } = await getJson(endpoint(emu, '/discovery/v2.0/keys'));
  const many = await getJson(endpoint(emu, '/discovery/v2.0/keys', 'common'));
  assert.equal(keys.length, 3);
  for (const key of keys) {
    assert.equal(key.kty, 'RSA');
    assert.equal(key.use, 'sig');
    assert.equal(key.e, 'AQAB');
    assert.equal(key.x5t, key.kid);
    assert.equal(key.x5c.length, 1);
    assert.equal(key.alg, undefined);
  }
  assert.deepEqual(keys.map((key) => key.issuer.split('/').at(-2)), [CONTOSO, '{tenantid}', CONSUMERS]);
  assert.deepEqual(many.keys.map((key) => key.issuer.split('/').at(-2)), ['{tenantid}', '{tenantid}', CONSUMERS]);
});

test('a code comes back with state, session_state and an empty fragment', async () => {
  const answer = await authorize(emu);
  assert.equal(answer.status, 302);
  assert.ok(answer.location.startsWith(`${REDIRECT_URI}?code=1.`));
  assert.ok(answer.location.endsWith('#'));
  assert.equal(answer.params.state, 'the-state');
  assert.match(answer.params.session_state, /^[0-9a-f-]{36}$/);
  assert.ok(answer.params.code.length > 500);
});

test('response modes form_post and fragment', async () => {
  const posted = await authorize(emu, { response_mode: 'form_post' });
  assert.equal(posted.status, 200);
  assert.match(posted.body, new RegExp(`<form method="post" action="${REDIRECT_URI}">`));
  assert.match(posted.body, /name="code" value="1\./);
  const fragment = await authorize(emu, { response_mode: 'fragment' });
  assert.ok(fragment.location.startsWith(`${REDIRECT_URI}#code=`));
});

test('state loses its markup', async () => {
  assert.equal((await authorize(emu, { state: 'a<b>c' })).params.state, 'ac');
});

test('an ordinary sign-in gives a genuine ID token with the usual claims', async () => {
  const body = await signIn(emu);
  assert.ok(await isGenuine(emu, body.id_token));
  const { header, claims } = parts(body.id_token);
  assert.deepEqual(Object.keys(header).sort(), ['alg', 'kid', 'typ']);
  assert.equal(claims.aud, CLIENT);
  assert.equal(claims.iss, `${emu.url}/${CONTOSO}/v2.0`);
  assert.equal(claims.nonce, 'the-nonce');
  assert.equal(claims.exp - claims.iat, 3900);
  assert.equal(claims.nbf, claims.iat);
  assert.ok(Math.abs(claims.iat + 300 - Date.now() / 1000) < 30);
  assert.equal(claims.oid, '5b9e7d10-3c44-4a1f-9f2e-6d8a0c1b2e3f');
  assert.equal(claims.groups.length, 3);
  assert.deepEqual([claims.roles, claims.acct, claims.ver, claims.email], [['app.reader'], 0, '2.0', 'ada@contoso.example']);
  assert.ok(claims.sid && claims.login_hint && claims.auth_time && claims.uti);
  assert.equal(body.token_type, 'Bearer');
  assert.equal(body.scope, 'openid profile email');
  assert.ok(body.expires_in >= 3600 && body.expires_in <= 5400);
});

test('session_state is the sid of the token', async () => {
  const { params } = await authorize(emu);
  const { body } = await redeem(emu, params.code);
  assert.equal(parts(body.id_token).claims.sid, params.session_state);
});

test('scopes decide on oid, e-mail, ID token and refresh token', async () => {
  const openidOnly = await signIn(emu, { request: { scope: 'openid' } });
  const { claims } = parts(openidOnly.id_token);
  assert.equal(claims.oid, undefined);
  assert.equal(claims.email, undefined);
  assert.equal(claims.tid, CONTOSO);
  assert.equal(openidOnly.refresh_token, undefined);
  const graphOnly = await signIn(emu, { request: { scope: 'User.Read' } });
  assert.equal(graphOnly.id_token, undefined);
});

test('sub is pairwise', async () => {
  const here = parts((await signIn(emu)).id_token).claims;
  const other = { client_id: OTHER_CLIENT };
  const there = parts((await signIn(emu, { request: other, token: { ...other, client_secret: OTHER_CLIENT_SECRET } })).id_token).claims;
  assert.equal(here.oid, there.oid);
  assert.notEqual(here.sub, there.sub);
});

test('users: overage, guest, no roles, hostile name, personal account', async () => {
  const claimsOf = async (user, tenant) => {
    await emu.control('auto', { user });
    return parts((await signIn(emu, { tenant })).id_token).claims;
  };
  const gus = await claimsOf('gus');
  assert.equal(gus.groups, undefined);
  assert.deepEqual(gus._claim_names, { groups: 'src1' });
  assert.match(gus._claim_sources.src1.endpoint, new RegExp(`/${CONTOSO}/users/${gus.oid}/getMemberObjects$`));
  const guest = await claimsOf('guest');
  assert.equal(guest.acct, 1);
  assert.match(guest.idp, /^https:\/\/sts\.windows\.net\//);
  const noroles = await claimsOf('noroles');
  assert.deepEqual([noroles.roles, noroles.groups, noroles.email], [undefined, undefined, undefined]);
  assert.match((await claimsOf('evil')).name, /\r\n.*<script>.*\u0000/s);
  assert.equal((await claimsOf('haruto')).name, '山田 陽翔');
  const personal = await claimsOf('msa', 'consumers');
  assert.equal(personal.tid, CONSUMERS);
  assert.equal(personal.exp - personal.iat, 86700);
  const fab = await claimsOf('fab', 'organizations');
  assert.deepEqual([fab.tid, fab.email], [FABRIKAM, 'ada@contoso.example']);
});

test('errors in the address are shown and never redirected', async () => {
  const cases = [
    [{ redirect_uri: 'https://evil.test/.entra/callback' }, 50011],
    [{ redirect_uri: 'http://app.contoso.example/.entra/callback' }, 50011],
    [{ redirect_uri: `${REDIRECT_URI}?x=1` }, 50011],
    [{ redirect_uri: 'https://127.0.0.1:8443/.ENTRA/callback' }, 50011],
    [{ redirect_uri: 'https://[::1]:8443/.entra/callback' }, 50011],
    [{ redirect_uri: undefined }, 900971],
    [{ client_id: '11111111-2222-4333-8444-555555555555' }, 700016],
    [{ client_id: undefined }, 900144],
    [{ state: 'x'.repeat(9000) }, 90015],
  ];
  for (const [changes, code] of cases) {
    const answer = await authorize(emu, changes);
    assert.equal(answer.status, 400, String(code));
    assert.equal(answer.location, null);
    assert.match(answer.body, new RegExp(`AADSTS${code}: `));
  }
  const lost = await authorize(emu, {}, { tenant: 'nowhere' });
  assert.match(lost.body, /AADSTS90002: /);
});

test('errors in the rest go back to the application with its state', async () => {
  const cases = [
    [{ response_type: undefined }, 'invalid_request', 900144],
    [{ response_type: 'id_token' }, 'unsupported_response_type', 700054],
    [{ response_type: 'token' }, 'unsupported_response_type', 70005],
    [{ response_mode: 'web_message' }, 'invalid_request', 70007],
    [{ scope: undefined }, 'invalid_request', 900144],
    [{ scope: 'openid phone' }, 'invalid_scope', 70011],
    [{ scope: 'openid api://nothing/read' }, 'invalid_resource', 500011],
    [{ resource: 'https://graph.microsoft.com' }, 'invalid_request', 901002],
    [{ prompt: 'always' }, 'invalid_request', 90023],
    [{ code_challenge: 'short', code_challenge_method: 'S256' }, 'invalid_request', 501491],
    [{ claims: '{' }, 'invalid_request', 90023],
    [{ request_uri: 'https://x.test/' }, 'invalid_request', 90023],
  ];
  for (const [changes, error, code] of cases) {
    const { status, params } = await authorize(emu, changes);
    assert.equal(status, 302, error);
    assert.equal(params.error, error);
    assert.match(params.error_description, new RegExp(`^AADSTS${code}: `));
    assert.equal(params.state, 'the-state');
    assert.equal(params.code, undefined);
  }
});

test('registered hosts come from control, and need https', async () => {
  const ask = (redirect_uri) => authorize(emu, { redirect_uri });
  await emu.control('hosts', { redirectHosts: ['app.contoso.example'] });
  assert.equal((await ask('https://app.contoso.example/.entra/callback')).status, 302);
  assert.equal((await ask('http://app.contoso.example/.entra/callback')).status, 400);
  await emu.control('client', { client_id: CLIENT, set: { redirectPaths: [], redirectUris: ['http://localhost/cb'] } });
  assert.equal((await ask('http://localhost:4711/cb')).status, 302);
  assert.equal((await ask(REDIRECT_URI)).status, 400);
});

test('single-tenant applications are refused on common', async () => {
  await emu.control('client', { client_id: CLIENT, set: { signInAudience: 'AzureADMyOrg' } });
  assert.match((await authorize(emu, {}, { tenant: 'common' })).body, /AADSTS50194/);
  assert.match((await authorize(emu, {}, { tenant: FABRIKAM })).body, /AADSTS700016/);
  assert.equal((await authorize(emu)).status, 302);
});

test('refusals of users: disabled, of another tenant, not assigned', async () => {
  const refused = async (user, code, request) => {
    await emu.control('auto', { user });
    const answer = await authorize(emu, request);
    assert.equal(answer.location, null);
    assert.match(answer.body, new RegExp(`AADSTS${code}: `));
  };
  await refused('dora', 50057);
  await refused('fab', 50020);
  await emu.control('client', { client_id: CLIENT, set: { assignmentRequired: true, assignedUsers: ['root'] } });
  await refused('ada', 50105);
  const silent = await authorize(emu, { prompt: 'none' });
  assert.equal(silent.params.error, 'interaction_required');
});

test('a code works once', async () => {
  const code = await codeOf();
  assert.equal((await redeem(emu, code)).status, 200);
  assertRefusal(await redeem(emu, code), 400, 'invalid_grant', 54005);
});

test('a code is bound to client, redirect URI, tenant path and ten minutes', async () => {
  const other = { client_id: OTHER_CLIENT, client_secret: OTHER_CLIENT_SECRET };
  assertRefusal(await redeem(emu, await codeOf(), other), 400, 'invalid_grant', 70000);
  assertRefusal(await redeem(emu, await codeOf(), { redirect_uri: `${REDIRECT_URI}/` }), 401, 'invalid_client', 500112);
  assertRefusal(await redeem(emu, await codeOf(), {}, { tenant: 'common' }), 400, 'invalid_grant', 700005);
  assertRefusal(await redeem(emu, 'nonsense'), 400, 'invalid_grant', 70000);
  const code = await codeOf();
  await emu.control('clock', { offsetSeconds: 601 });
  assertRefusal(await redeem(emu, code), 400, 'invalid_grant', 70008);
});

test('PKCE is verified', async () => {
  const { verifier, challenge } = newVerifier();
  const request = { code_challenge: challenge, code_challenge_method: 'S256' };
  assert.equal((await redeem(emu, await codeOf(request), { code_verifier: verifier })).status, 200);
  assertRefusal(await redeem(emu, await codeOf(request)), 400, 'invalid_grant', 501481);
  assertRefusal(await redeem(emu, await codeOf(request), { code_verifier: newVerifier().verifier }), 400, 'invalid_grant', 501481);
  assertRefusal(await redeem(emu, await codeOf(request), { code_verifier: challenge }), 400, 'invalid_grant', 501481);
});

test('the token endpoint takes POSTed forms from servers only', async () => {
  const got = await fetch(endpoint(emu, '/oauth2/v2.0/token'));
  assertRefusal({ status: got.status, body: await got.json() }, 400, 'invalid_request', 900561);
  const asJson = await fetch(endpoint(emu, '/oauth2/v2.0/token'), { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"grant_type":"authorization_code"}' });
  assertRefusal({ status: asJson.status, body: await asJson.json() }, 400, 'invalid_request', 900144);
  assertRefusal(await redeem(emu, await codeOf(), {}, { headers: { origin: 'https://127.0.0.1:8443' } }), 400, 'invalid_request', 9002326);
  assertRefusal(await postToken(emu, secretForm({ grant_type: 'password' })), 400, 'unsupported_grant_type', 70003);
  const answer = await redeem(emu, await codeOf(), {}, { headers: { 'client-request-id': CLIENT, 'return-client-request-id': 'true' } });
  assert.equal(answer.headers.get('client-request-id'), CLIENT);
  assert.match(answer.headers.get('cache-control'), /no-store/);
});

test('a refresh token rotates, the old one stays good, and the new ID token has no nonce', async () => {
  const first = await signIn(emu);
  const second = await refresh(emu, first.refresh_token);
  assert.equal(second.status, 200);
  assert.notEqual(second.body.refresh_token, first.refresh_token);
  assert.ok(await isGenuine(emu, second.body.id_token));
  const [before_, after_] = [first, second.body].map((body) => parts(body.id_token).claims);
  assert.equal(after_.nonce, undefined);
  for (const name of ['iss', 'aud', 'sub', 'oid', 'tid', 'sid', 'auth_time']) assert.equal(after_[name], before_[name]);
  assert.equal((await refresh(emu, first.refresh_token)).status, 200);
});

test('a refresh sees new roles, a disabled user, policy, and revocation', async () => {
  const { refresh_token: token } = await signIn(emu);
  await emu.control('user', { user: 'ada', set: { roles: ['app.admin'] } });
  assert.deepEqual(parts((await refresh(emu, token)).body.id_token).claims.roles, ['app.admin']);
  await emu.control('user', { user: 'ada', set: { refreshError: { code: 50076, error: 'interaction_required', suberror: 'basic_action', claims: '{"a":1}' } } });
  const policy = await refresh(emu, token);
  assertRefusal(policy, 400, 'interaction_required', 50076);
  assert.deepEqual([policy.body.suberror, policy.body.claims], ['basic_action', '{"a":1}']);
  await emu.control('user', { user: 'ada', set: { enabled: false }, unset: ['refreshError'] });
  assertRefusal(await refresh(emu, token), 400, 'invalid_grant', 50057);
  await emu.control('user', { user: 'ada', set: { enabled: true } });
  await emu.control('revoke', { user: 'ada' });
  const revoked = await refresh(emu, token);
  assertRefusal(revoked, 400, 'invalid_grant', 50173);
  assert.equal(revoked.body.suberror, 'bad_token');
  assert.equal((await refresh(emu, (await signIn(emu)).refresh_token)).status, 200);
});

test('a refresh token is bound to its client, to 90 days, and to its scope', async () => {
  const { refresh_token: token } = await signIn(emu);
  const other = { client_id: OTHER_CLIENT, client_secret: OTHER_CLIENT_SECRET };
  assert.equal((await refresh(emu, token, other)).body.suberror, 'client_mismatch');
  assertRefusal(await refresh(emu, token, { scope: 'openid Mail.Read' }), 400, 'invalid_grant', 65001);
  await emu.control('revoke', { refresh_token: token });
  assertRefusal(await refresh(emu, token), 400, 'invalid_grant', 50173);
  const { refresh_token: idle } = await signIn(emu);
  await emu.control('clock', { offsetSeconds: 91 * 24 * 3600 });
  assertRefusal(await refresh(emu, idle), 400, 'invalid_grant', 700082);
});

test('the sign-in page lists users, remembers the choice, and asks again when told to', async () => {
  await emu.control('auto', { user: null });
  const page = await authorize(emu);
  assert.equal(page.status, 200);
  assert.match(page.body, /<button name="user" value="ada">/);
  assert.doesNotMatch(page.body, /<script>alert/);
  const signedIn = await choose(emu, page, { user: 'ada' });
  assert.ok(signedIn.params.code);
  const again = await authorize(emu, {}, { cookie: signedIn.cookie });
  assert.equal(again.params.session_state, signedIn.params.session_state);
  assert.ok((await authorize(emu, { prompt: 'none' }, { cookie: signedIn.cookie })).params.code);
  for (const request of [{ prompt: 'login' }, { prompt: 'select_account' }, { login_hint: 'root@contoso.example' }]) {
    assert.equal((await authorize(emu, request, { cookie: signedIn.cookie })).status, 200);
  }
  assert.ok((await authorize(emu, { login_hint: 'ada@contoso.example' }, { cookie: signedIn.cookie })).params.code);
});

test('prompt=none without a session, cancel, and max_age', async () => {
  await emu.control('auto', { user: null });
  assert.equal((await authorize(emu, { prompt: 'none' })).params.error, 'login_required');
  assert.equal((await choose(emu, await authorize(emu), { cancel: '1' })).params.error, 'access_denied');
  const { cookie, params } = await choose(emu, await authorize(emu), { user: 'ada' });
  const authTime = async (code) => parts((await redeem(emu, code)).body.id_token).claims.auth_time;
  const first = await authTime(params.code);
  await emu.control('clock', { offsetSeconds: 100 });
  assert.equal(await authTime((await authorize(emu, { max_age: '3600' }, { cookie })).params.code), first);
  const old = await authorize(emu, { max_age: '60' }, { cookie });
  assert.equal(old.status, 200);
  assert.equal((await authorize(emu, { max_age: '60', prompt: 'none' }, { cookie })).params.error, 'login_required');
  assert.ok(await authTime((await choose(emu, old, { user: 'ada' }, { cookie })).params.code) >= first + 100);
});

test('step-up by claims puts acrs into the token', async () => {
  const claims = JSON.stringify({ id_token: { acrs: { essential: true, value: 'c1' } }, access_token: { xms_cc: { values: ['cp1'] } } });
  const body = await signIn(emu, { request: { claims } });
  assert.deepEqual(parts(body.id_token).claims.acrs, ['c1']);
  assert.ok(body.expires_in > 19 * 3600);
});

test('sign-out calls the applications by sid without iss, then goes back', async () => {
  const { cookie, params } = await authorize(emu);
  const address = (query) => `${endpoint(emu, '/oauth2/v2.0/logout')}?${new URLSearchParams(query)}`;
  const back = 'https://127.0.0.1:8443/signed-out';
  const page = await (await fetch(address({ post_logout_redirect_uri: back, state: 's' }), { headers: { cookie } })).text();
  assert.match(page, new RegExp(`<iframe [^>]*src="https://127\\.0\\.0\\.1:8443/\\.entra/frontchannel-logout\\?sid=${params.session_state}"`));
  assert.match(page, /<a id="next" href="https:\/\/127\.0\.0\.1:8443\/signed-out\?state=s">/);
  const direct = await fetch(address({ post_logout_redirect_uri: back }), { headers: { cookie }, redirect: 'manual' });
  assert.equal(direct.headers.get('location'), back);
  const stays = await fetch(address({ post_logout_redirect_uri: 'https://evil.test/' }), { redirect: 'manual' });
  assert.equal(stays.status, 200);
  assert.doesNotMatch(await stays.text(), /evil\.test/);
});

test('what comes back after sign-out can be changed', async () => {
  const address = `${endpoint(emu, '/oauth2/v2.0/logout')}?${new URLSearchParams({ post_logout_redirect_uri: 'https://127.0.0.1:8443/.entra/callback', state: 's' })}`;
  const back = async () => (await fetch(address, { redirect: 'manual' })).headers.get('location');
  await emu.control('logout', { unset: ['state'], count: 1 });
  assert.equal(await back(), 'https://127.0.0.1:8443/.entra/callback');
  assert.equal(await back(), 'https://127.0.0.1:8443/.entra/callback?state=s');
  await emu.control('logout', { set: { state: 'other' } });
  assert.equal(await back(), 'https://127.0.0.1:8443/.entra/callback?state=other');
  await emu.control('logout', undefined, 'DELETE');
  assert.equal(await back(), 'https://127.0.0.1:8443/.entra/callback?state=s');
});

test('with two accounts signed in, logout_hint chooses', async () => {
  const one = await authorize(emu);
  await emu.control('auto', { user: 'root' });
  const two = await authorize(emu, {}, { cookie: one.cookie });
  const ask = async (query = '') => (await fetch(`${endpoint(emu, '/oauth2/v2.0/logout')}${query}`, { headers: { cookie: one.cookie } })).text();
  assert.match(await ask(), /Which account/);
  const page = await ask('?logout_hint=root@contoso.example');
  assert.ok(page.includes(two.params.session_state) && !page.includes(one.params.session_state));
});

test('access tokens for an own API are genuine, those for Graph are not for checking', async () => {
  const scope = `openid profile api://${CLIENT}/access`;
  const own = await signIn(emu, { request: { scope }, token: { scope } });
  assert.ok(await isGenuine(emu, own.access_token));
  const { claims } = parts(own.access_token);
  assert.deepEqual([claims.aud, claims.scp, claims.azp], [CLIENT, 'access', CLIENT]);
  assert.equal(await isGenuine(emu, (await signIn(emu)).access_token), false);
  const app = await postToken(emu, secretForm({ grant_type: 'client_credentials', scope: `api://${CLIENT}/.default` }));
  assert.equal(parts(app.body.access_token).claims.idtyp, 'app');
  const nowhere = await postToken(emu, secretForm({ grant_type: 'client_credentials', scope: `api://${CLIENT}/.default` }), { tenant: 'common' });
  assertRefusal(nowhere, 400, 'invalid_request', 9001023);
});
