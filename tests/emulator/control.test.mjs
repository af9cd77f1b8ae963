// SPDX-License-Identifier: Apache-2.0
// The control calls: bad tokens, key sets, faults, statistics, and the process as others start it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { selfSigned, toPem } from './certificate.mjs';
import { startEmulator } from './server.mjs';
import { CLIENT, CLIENT_SECRET, CONTOSO, users } from './tenants.mjs';
import { authorize, endpoint, getJson, isGenuine, parts, redeem, refresh, signIn } from './testclient.mjs';

let emu;
before(async () => { emu = await startEmulator({ auto: 'ada' }); });
after(() => emu.close());
beforeEach(() => emu.control('reset', {}));

async function tokenWith(shape) {
  await emu.control('idtoken', shape);
  return (await signIn(emu)).id_token;
}

const claimsWith = async (shape) => parts(await tokenWith(shape)).claims;
const keysNow = async () => (await getJson(endpoint(emu, '/discovery/v2.0/keys'))).keys;
const tokenUrl = () => endpoint(emu, '/oauth2/v2.0/token');

test('claims: set, unset, relative times, literal text, duplicates, padding', async () => {
  const claims = await claimsWith({ set: { aud: [CLIENT, 'x'], exp: { $now: -600 }, iss: `${emu.url}/{tenantid}/v2.0` }, unset: ['oid'] });
  assert.deepEqual(claims.aud, [CLIENT, 'x']);
  assert.ok(claims.exp < Date.now() / 1000 - 500);
  assert.ok(claims.iss.includes('{tenantid}'));
  assert.equal(claims.oid, undefined);
  const payloadOf = async (shape) => Buffer.from((await tokenWith(shape)).split('.')[1], 'base64url').toString();
  assert.match(await payloadOf({ setRaw: { iat: '9223372036854775808' } }), /"iat":9223372036854775808/);
  const doubled = await payloadOf({ duplicate: { sub: 'evil' }, duplicateFirst: { aud: 'evil' } });
  assert.match(doubled, /^\{"aud":"evil",.*"aud":"c1d2e3f4.*"sub":.*,"sub":"evil"\}$/);
  assert.ok((await payloadOf({ pad: 1_000_000 })).length > 1_000_000);
  const raw = await payloadOf({ rawPayload: '[{"exp":{{now+60}},"nonce":"{{nonce}}",{{claims}}}' });
  assert.match(raw, /^\[\{"exp":\d{10},"nonce":"the-nonce","aud":/);
});

test('algorithms: none, HMAC with what is public or shared, and signatures that are real but unwanted', async () => {
  for (const alg of ['none', 'None', 'nOnE']) {
    const token = await tokenWith({ alg });
    assert.ok(token.endsWith('.'));
    assert.equal(parts(token).header.alg, alg);
  }
  const hmac = (token, key) => createHmac('sha256', key).update(token.split('.').slice(0, 2).join('.')).digest('base64url') === token.split('.')[2];
  assert.ok(hmac(await tokenWith({ alg: 'HS256-secret' }), CLIENT_SECRET));
  const [jwk] = await keysNow();
  const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  assert.ok(hmac(await tokenWith({ alg: 'HS256-pubkey' }), pem));
  for (const alg of ['PS256', 'RS384', 'RS512', 'ES256', 'ES384', 'EdDSA', 'HS512-empty', 'XX999']) {
    const token = await tokenWith({ alg });
    assert.equal(parts(token).header.alg, alg.split('-')[0]);
    assert.equal(await isGenuine(emu, token), false);
  }
});

test('keys of tokens: unpublished, impostor, of another issuer, weak, without kid, injected', async () => {
  const published = (await keysNow()).map((key) => key.kid);
  const headerWith = async (shape) => parts(await tokenWith(shape)).header;
  assert.ok(!published.includes((await headerWith({ signWith: 'unpublished' })).kid));
  const impostor = await tokenWith({ signWith: 'impostor' });
  assert.ok(published.includes(parts(impostor).header.kid));
  assert.equal(await isGenuine(emu, impostor), false);
  const other = await tokenWith({ signWith: 'other' });
  assert.equal(parts(other).header.kid, published[2]);
  assert.equal(await isGenuine(emu, other), true);
  assert.equal('kid' in (await headerWith({ headerUnset: ['kid'] })), false);
  assert.equal((await headerWith({ kid: null })).kid, null);
  const random = { kid: '$random' };
  assert.notEqual((await headerWith(random)).kid, (await headerWith(random)).kid);
  assert.deepEqual((await headerWith({ header: { crit: ['exp'], typ: 'at+jwt' } })).crit, ['exp']);
  for (const inject of ['jwk', 'jku', 'x5u', 'x5c']) assert.ok((await headerWith({ inject }))[inject]);
  const token = await tokenWith({ inject: 'jwk' });
  const { header, input, signature } = parts(token);
  assert.ok(verify('sha256', input, createPublicKey({ key: header.jwk, format: 'jwk' }), signature));
  const { kid } = await emu.control('keys', { action: 'publishWeak' });
  assert.equal((await headerWith({ signWith: 'weak' })).kid, kid);
});

test('tampering breaks the signature; raw and omit replace the token; count ends it', async () => {
  for (const tamper of ['signature', 'payload', 'header', 'strip', 'truncate']) {
    assert.equal(await isGenuine(emu, await tokenWith({ tamper })), false, tamper);
  }
  assert.equal(await tokenWith({ raw: 'a.b' }), 'a.b');
  assert.equal(await tokenWith({ omit: true, count: 1 }), undefined);
  assert.ok(await isGenuine(emu, (await signIn(emu)).id_token));
});

test('a shape can wait for the refresh', async () => {
  await emu.control('idtoken', { set: { sub: 'someone else' }, on: 'refresh' });
  const body = await signIn(emu);
  assert.notEqual(parts(body.id_token).claims.sub, 'someone else');
  assert.equal(parts((await refresh(emu, body.refresh_token)).body.id_token).claims.sub, 'someone else');
});

test('access tokens can be bent, and minted without a sign-in', async () => {
  await emu.control('accesstoken', { unset: ['scp', 'roles'], set: { aud: 'api://another' }, count: 1 });
  const scope = `openid api://${CLIENT}/access`;
  const bent = parts((await signIn(emu, { request: { scope }, token: { scope } })).access_token).claims;
  assert.deepEqual([bent.aud, bent.scp, bent.roles], ['api://another', undefined, undefined]);
  const mint = async (body) => (await emu.control('mint', body)).token;
  const access = await mint({ kind: 'access', user: 'root', scopes: ['access'] });
  assert.ok(await isGenuine(emu, access));
  assert.deepEqual([parts(access).claims.scp, parts(access).claims.roles], ['access', ['app.admin', 'app.reader']]);
  assert.equal(parts(await mint({ kind: 'access', user: null })).claims.idtyp, 'app');
  assert.equal(await isGenuine(emu, await mint({ nonce: 'n', shape: { tamper: 'signature' } })), false);
});

test('a mistake in a call is told at once', async () => {
  await assert.rejects(emu.control('idtoken', { signWith: 'nobody' }), /no key 'nobody'/);
  await assert.rejects(emu.control('fault', { endpoint: 'tokn' }), /endpoint is one of/);
  await assert.rejects(emu.control('keys', { action: 'burn' }), /action is one of/);
  const unknown = await fetch(`${emu.url}/_control/nothing`, { method: 'POST' });
  assert.equal(unknown.status, 404);
});

test('roll-over: published and unpublished new keys, old ones dropped', async () => {
  const before_ = (await keysNow()).map((key) => key.kid);
  const { kid } = await emu.control('keys', { action: 'roll', publish: false });
  const early = (await signIn(emu)).id_token;
  assert.equal(parts(early).header.kid, kid);
  assert.equal(await isGenuine(emu, early), false);
  await emu.control('keys', { action: 'publish', kid });
  assert.ok(await isGenuine(emu, early));
  await emu.control('keys', { action: 'roll', drop: true });
  const after_ = (await keysNow()).map((key) => key.kid);
  assert.ok(after_.includes(before_[0]) && !after_.includes(kid));
  assert.ok(await isGenuine(emu, (await signIn(emu)).id_token));
  await emu.control('keys', { action: 'remove', kid: after_[0] });
  assert.equal(await isGenuine(emu, (await signIn(emu)).id_token), false);
});

test('key sets that no honest service publishes', async () => {
  const bodyOf = async (body) => {
    await emu.control('keys', { action: 'raw', ...body });
    return (await fetch(endpoint(emu, '/discovery/v2.0/keys'))).text();
  };
  assert.equal(await bodyOf({ body: '{"keys":"no"}' }), '{"keys":"no"}');
  assert.equal(await bodyOf({ generate: { kind: 'array' } }), '[]');
  assert.equal(await bodyOf({ generate: { kind: 'null' } }), 'null');
  assert.equal((await bodyOf({ generate: { kind: 'deep', size: 10000 } })).match(/\}/g).length, 10000);
  assert.ok((await bodyOf({ generate: { kind: 'huge', size: 5_000_000 } })).length > 5_000_000);
  await emu.control('keys', { action: 'restore' });
  await emu.control('keys', { action: 'duplicate', first: true });
  const [first, second] = await keysNow();
  assert.equal(first.kid, second.kid);
  assert.notEqual(first.n, second.n);
  await emu.control('keys', { action: 'set', kid: '*', set: { use: 'enc' }, unset: ['issuer'] });
  assert.ok((await keysNow()).every((key) => key.use === 'enc' && !('issuer' in key)));
  await emu.control('keys', { action: 'restore' });
  assert.equal((await keysNow()).length >= 3, true);
  const { kid } = await emu.control('keys', { action: 'add', set: { use: 'enc' } });
  assert.equal((await keysNow()).at(-1).kid, kid);
  assert.equal(parts(await tokenWith({ signWith: kid })).header.kid, kid);
});

test('discovery, token and authorize answers can be bent', async () => {
  const discoveryUrl = endpoint(emu, '/v2.0/.well-known/openid-configuration');
  await emu.control('discovery', { set: { issuer: 'https://evil.test/' }, unset: ['jwks_uri'], count: 1 });
  const bent = await getJson(discoveryUrl);
  assert.deepEqual([bent.issuer, bent.jwks_uri], ['https://evil.test/', undefined]);
  assert.equal((await getJson(discoveryUrl)).issuer, `${emu.url}/${CONTOSO}/v2.0`);
  await emu.control('token', { unset: ['id_token'], set: { token_type: 'mac' } });
  const body = await signIn(emu);
  assert.deepEqual([body.id_token, body.token_type], [undefined, 'mac']);
  await emu.control('token', { raw: '{"id_token":', count: 1 });
  await assert.rejects(signIn(emu));
  await emu.control('token', {});
  await emu.control('authorize', { error: 'access_denied', error_description: 'AADSTS65004: declined', error_subcode: 'cancel', count: 1 });
  const denied = (await authorize(emu)).params;
  assert.deepEqual([denied.error, denied.error_subcode, denied.state], ['access_denied', 'cancel', 'the-state']);
  await emu.control('authorize', { set: { state: 'wrong' }, unset: ['session_state'], append: [['code', 'second']] });
  const { params, location } = await authorize(emu);
  assert.deepEqual([params.state, params.session_state], ['wrong', undefined]);
  assert.equal(new URL(location).searchParams.getAll('code').length, 2);
  await emu.control('authorize', { error: 'x', page: true, code: 53003 });
  assert.match((await authorize(emu)).body, /AADSTS53003/);
});

test('faults: status, Retry-After, delay, closed and cut connections, silence', async () => {
  const ask = () => fetch(tokenUrl(), { method: 'POST', body: new URLSearchParams({ grant_type: 'x' }) });
  await emu.control('fault', { endpoint: 'token', status: 503, body: { error: 'temporarily_unavailable' }, retryAfter: 5, count: 1 });
  const unavailable = await ask();
  assert.equal(unavailable.status, 503);
  assert.equal(unavailable.headers.get('retry-after'), '5');
  assert.equal((await unavailable.json()).error, 'temporarily_unavailable');
  assert.equal((await ask()).status, 400);
  await emu.control('fault', { endpoint: 'token', close: true, count: 1 });
  await assert.rejects(ask());
  await emu.control('fault', { endpoint: 'token', cutBody: true, count: 1 });
  await assert.rejects(async () => (await ask()).text());
  await emu.control('fault', { endpoint: 'any', delayMs: 150, count: 1 });
  const start = performance.now();
  assert.equal((await ask()).status, 400);
  assert.ok(performance.now() - start >= 140);
  await emu.control('fault', { endpoint: 'token', hang: true });
  await assert.rejects(fetch(tokenUrl(), { method: 'POST', signal: AbortSignal.timeout(200) }), { name: 'TimeoutError' });
  assert.equal((await emu.control('fault', undefined, 'DELETE')).faults.length, 0);
  assert.equal((await ask()).status, 400);
});

test('statistics: counts, connections, requests without values, and issued secrets', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const get = (path) => new Promise((resolve, reject) => {
    http.get(emu.url + path, { agent }, (res) => { res.resume(); res.on('end', resolve); }).on('error', reject);
  });
  for (let i = 0; i < 3; i += 1) await get(`/${CONTOSO}/discovery/v2.0/keys`);
  let stats = await emu.control('stats');
  assert.equal(stats.endpoints.keys, 3);
  assert.deepEqual([stats.connections.byEndpoint.keys, stats.connections.backChannel], [1, 1]);
  agent.destroy();
  const { params } = await authorize(emu);
  const { body } = await redeem(emu, params.code);
  stats = await getJson(`${emu.url}/_control/stats`);
  assert.deepEqual(stats.secrets.codes, [params.code]);
  assert.deepEqual(stats.secrets.id_tokens, [body.id_token]);
  assert.deepEqual(stats.secrets.access_tokens, [body.access_token]);
  assert.deepEqual(stats.secrets.refresh_tokens, [body.refresh_token]);
  assert.deepEqual(stats.secrets.states, ['the-state']);
  const last = stats.requests.at(-1);
  assert.deepEqual([last.endpoint, last.method, last.status, last.clientAuth], ['token', 'POST', 200, 'client_secret_post']);
  assert.ok(last.form.includes('code'));
  assert.ok(!JSON.stringify(stats.requests).includes(params.code));
  assert.equal(emu.requests.at(-1).endpoint, 'token');
});

test('the loop detector, when it is on', async () => {
  await emu.control('limits', { loopLimit: 4 });
  const { cookie } = await authorize(emu);
  const answers = [];
  for (let i = 0; i < 4; i += 1) answers.push((await authorize(emu, { state: `s${i}` }, { cookie })).params);
  assert.deepEqual(answers.map((params) => params.error), [undefined, undefined, 'invalid_grant', 'invalid_grant']);
  assert.match(answers[3].error_description, /^AADSTS50196/);
});

test('clock and reset', async () => {
  await emu.control('clock', { offsetSeconds: -3600 });
  assert.ok((await claimsWith({ set: { x: 1 } })).exp < Date.now() / 1000 + 60);
  await emu.control('user', { user: 'ada', set: { name: 'Changed' } });
  await emu.control('reset', {});
  const { claims } = parts((await signIn(emu)).id_token);
  assert.equal(claims.name, users[0].name);
  assert.ok(claims.exp > Date.now() / 1000 + 3000);
});

test('broken requests do no harm', async () => {
  const raw = (text) => new Promise((resolve) => {
    const socket = net.connect({ port: emu.port, host: '127.0.0.1' }, () => socket.write(text));
    socket.on('close', resolve).on('error', () => {}).resume();
  });
  await raw('nonsense\r\n\r\n');
  const aborted = fetch(tokenUrl(), { method: 'POST', body: new URLSearchParams({ a: 'b' }), signal: AbortSignal.abort() });
  await assert.rejects(aborted);
  const odd = await fetch(`${emu.url}/%zz/v2.0/.well-known/openid-configuration`);
  assert.equal(odd.status, 400);
  assert.equal((await fetch(`${emu.url}/toString/constructor`)).status, 404);
});

test('over TLS, in a process of its own, ended by SIGTERM', async (t) => {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const now = Math.floor(Date.now() / 1000);
  const cert = toPem(selfSigned({ ...pair, commonName: 'localhost', notBefore: now - 60, notAfter: now + 600 }));
  const tls = { cert, key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) };
  const secure = await startEmulator({ tls });
  t.after(() => secure.close());
  const agent = new https.Agent({ rejectUnauthorized: false });
  const document = await new Promise((resolve, reject) => {
    https.get(`${secure.url}/common/v2.0/.well-known/openid-configuration`, { agent }, (res) => {
      let text = '';
      res.on('data', (chunk) => { text += chunk; }).on('end', () => resolve(JSON.parse(text)));
    }).on('error', reject);
  });
  agent.destroy();
  assert.ok(document.issuer.startsWith('https://127.0.0.1:'));

  const server = fileURLToPath(new URL('server.mjs', import.meta.url));
  const child = spawn(process.execPath, [server, '--auto', 'root', '--quiet'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = [];
  const reader = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await once(reader, 'line');
  const ready = JSON.parse(lines[0]);
  assert.deepEqual([ready.ready, ready.pid], [true, child.pid]);
  assert.equal(parts((await signIn({ url: ready.url })).id_token).claims.name, 'Rosa Root');
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
  assert.equal(lines.length, 1);
});
