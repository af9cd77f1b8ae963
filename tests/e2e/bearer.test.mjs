// SPDX-License-Identifier: Apache-2.0
// Programs with access tokens beside people with sessions: what a token opens, what no token opens, and what the application sees.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { after, before, describe } from 'node:test';
import { GRAPH, identifierUriOf } from '../emulator/scopes.mjs';
import { startEmulator } from '../emulator/server.mjs';
import { CLIENT, clients, CONTOSO, FABRIKAM, groups as known, OTHER_CLIENT, users as people } from '../emulator/tenants.mjs';
import { assertClosed, setsSession } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { headerOf, MARKER, makeFrame } from './lib/echo.mjs';
import { build, Connection } from './lib/http.mjs';
import { missing } from './lib/httpd.mjs';
import { siteConfigtest, startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const readStatus = (pid) => readFileSync(`/proc/${pid}/status`, 'utf8');
const ada = people.find((user) => user.key === 'ada');
const group = (key) => known.find((entry) => entry.key === key).id;
const URI = identifierUriOf(clients[0]);
const SCOPES = ['Orders.Read', 'Orders.Write'];
const REFUSED_BY_HTTPD = /AH01629|AH01631/;
const AUDIENCES = `EntraBearer ${CLIENT} ${URI}`;

/** Sections below /app/, each with its lines. */
const SECTIONS = {
  api: '',
  scope: 'Require entra-claim scp Orders.Read',
  other: 'Require entra-claim scp Orders.Delete',
  role: 'Require entra-role app.reader',
  admin: 'Require entra-role app.admin',
  finance: `Require entra-group ${group('finance')}`,
  notFinance: `<RequireAll>\nRequire valid-user\nRequire not entra-group ${group('finance')}\n</RequireAll>`,
  mapped: `EntraRole accountant group=${group('finance')}\nRequire entra-role accountant`,
  robot: `Require entra-app ${OTHER_CLIENT}`,
  robotOrUser: `Require valid-user\nRequire entra-app ${OTHER_CLIENT}`,
  otherRobot: `Require entra-app ${CLIENT}`,
  robotAll: `<RequireAll>\nRequire entra-role orders.robot\nRequire entra-app ${OTHER_CLIENT}\n</RequireAll>`,
  robotAny: `Require entra-role orders.robot\nRequire entra-app ${OTHER_CLIENT}`,
  robotRole: 'Require entra-role orders.robot',
  robotNot: `<RequireAll>\nRequire entra-app ${OTHER_CLIENT}\nRequire not entra-role orders.banned\n</RequireAll>`,
  // The rule by app is there, but another branch would open: that one is not for applications.
  robotAside: `<RequireAny>\n<RequireAll>\nRequire entra-app ${OTHER_CLIENT}\nRequire entra-role nobody\n</RequireAll>\n<RequireAll>\nRequire method GET\nRequire entra-role orders.robot\n</RequireAll>\n</RequireAny>`,
  robotExpr: `<RequireAll>\nRequire expr true\nRequire valid-user\n</RequireAll>`,
  fresh: 'EntraMaxAuthAge 1h',
  acr: 'Require entra-acr c1',
  drop: 'RequestHeader unset Authorization',
  uri: `EntraBearer ${URI}`,
  none: 'EntraBearer off',
};

const sections = Object.entries(SECTIONS).map(([name, lines]) => `<Location "/app/${name}/">\n${lines}\n</Location>`).join('\n');

const start = (options = {}) => startSite({
  processes: 1,
  threads: 4,
  workers: 4,
  modules: ['headers'],
  location: AUDIENCES,
  extra: sections,
  allowLog: [REFUSED_BY_HTTPD],
  ...options,
});

const mint = async (site, call = {}) => (await site.emu.control('mint', { kind: 'access', client_id: OTHER_CLIENT, resource: CLIENT, scopes: SCOPES, ...call })).token;
const mintApp = (site, call = {}) => mint(site, { user: null, scopes: undefined, roles: ['orders.robot'], ...call });

const ask = (site, path, token, { headers = {}, ...rest } = {}) => site.httpd.request({ path, headers: { Accept: 'text/html', 'Sec-Fetch-Mode': 'navigate', ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }), ...headers }, ...rest });

/** 200 from the application; gives what it saw. */
async function opens(site, path, token, options) {
  const response = await ask(site, path, token, options);
  assert.equal(response.status, 200, `${path}: ${response.status} ${response.rawHead}\n${response.text}\n${site.httpd.errorLog().slice(-1500)}`);
  assert.ok(!response.cookies.length, 'no cookie is set');
  const seen = response.json();
  assert.equal(seen.marker, MARKER);
  return seen;
}

const describes = (response) => /error_description="([^"\\]*)"/.exec(response.header('www-authenticate') ?? '')?.[1];

/** The refusal of a token: never a page, a redirect, a cookie or a word from outside; and the application heard nothing. */
async function refuses(site, path, token, status, number, options) {
  const before = site.backend.requests.length;
  const response = await ask(site, path, token, options);
  assert.equal(response.status, status, `${path}: ${response.rawHead}\n${response.text}\n${site.httpd.errorLog().slice(-1500)}`);
  assertClosed(response);
  assert.deepEqual(response.cookies, []);
  assert.equal(response.location, undefined);
  assert.equal(site.backend.requests.length, before, 'the application heard nothing');
  if (options?.method !== 'HEAD') {
    assert.match(response.header('content-type'), /^application\/problem\+json/);
    assert.equal(response.json().status, status);
    if (number) assert.equal(response.json().error, `ENTRA${number}`, response.text);
  }
  const challenge = response.all('www-authenticate');
  if (status === 503) {
    assert.deepEqual(challenge, []);
    assert.match(response.header('retry-after'), /^\d+$/);
  } else {
    const error = status === 401 ? 'invalid_token' : 'insufficient_scope';
    assert.equal(challenge.length, 1);
    assert.match(challenge[0], new RegExp(`^Bearer realm="${site.origin}", error="${error}", error_description="[A-Za-z0-9 ,.:()'-]+"$`));
    assert.ok(describes(response).length > 10);
  }
  if (typeof token === 'string' && token.length > 20) assert.ok(!`${response.rawHead}${response.text}`.includes(token.slice(0, 20)), 'no echo of the token');
  return response;
}

describe('bearer', { skip: missing }, () => {
  let site;
  before(async () => { site = await start(); });
  after(async () => { await site?.stop(); });

  test('a user with a token of either version is known as in a session, and no cookie is made', async () => {
    for (const [version, path] of [[2, '/app/api/x'], [1, '/app/api/x'], [1, '/app/uri/x']]) {
      const token = await mint(site, { version });
      const seen = await opens(site, path, token);
      assert.deepEqual(headerOf(seen, 'x-entra-user'), [ada.upn], `version ${version}`);
      assert.deepEqual(headerOf(seen, 'x-entra-object-id'), [ada.oid]);
      assert.deepEqual(headerOf(seen, 'x-entra-tenant-id'), [CONTOSO]);
      assert.deepEqual(headerOf(seen, 'x-entra-roles'), ['app.reader']);
      assert.deepEqual(headerOf(seen, 'x-entra-groups'), [group('finance')]);
      assert.deepEqual(headerOf(seen, 'authorization'), [`Bearer ${token}`], 'a verified token goes on');
    }
  });

  test('forged identity headers are removed beside a token too', async () => {
    const seen = await opens(site, '/app/api/x', await mint(site), { headers: { 'X-Entra-User': 'root@contoso.example', x_entra_roles: 'app.admin', Connection: 'close, X-Entra-User' } });
    assert.deepEqual(headerOf(seen, 'x-entra-user'), [ada.upn]);
    assert.deepEqual(headerOf(seen, 'x-entra-roles'), ['app.reader']);
    assert.deepEqual(headerOf(seen, 'x_entra_roles'), []);
  });

  test('an administrator can take the verified token off', async () => {
    const seen = await opens(site, '/app/drop/x', await mint(site));
    assert.deepEqual(headerOf(seen, 'authorization'), []);
    assert.deepEqual(headerOf(seen, 'x-entra-user'), [ada.upn]);
  });

  test('rules ask a token as they ask a session; a no is 403 insufficient_scope', async () => {
    const token = await mint(site);
    for (const path of ['scope', 'role', 'finance', 'mapped']) await opens(site, `/app/${path}/x`, token);
    for (const path of ['other', 'admin', 'notFinance', 'robot']) await refuses(site, `/app/${path}/x`, token, 403, 1534);
    const one = await mint(site, { scopes: ['Orders.ReadAll'] });
    await refuses(site, '/app/scope/x', one, 403, 1534);
    site.httpd.expect(/ENTRA1534: .*entra-claim scp Orders\.Delete/);
  });

  test('an application alone enters only by Require entra-app', async () => {
    const robot = await mintApp(site);
    const seen = await opens(site, '/app/robot/x', robot);
    assert.deepEqual(headerOf(seen, 'x-entra-user'), [`app:${OTHER_CLIENT}`]);
    assert.deepEqual(headerOf(seen, 'x-entra-roles'), ['orders.robot']);
    for (const path of ['robotOrUser', 'robotAll', 'robotAny', 'robotNot']) await opens(site, `/app/${path}/x`, robot);
    for (const path of ['api', 'otherRobot', 'robotRole', 'robotAside', 'robotExpr', 'scope']) await refuses(site, `/app/${path}/x`, robot, 403, 1532);
    await refuses(site, '/app/robotAll/x', await mintApp(site, { roles: ['orders.reader'] }), 403, 1532);
    await refuses(site, '/app/robotNot/x', await mintApp(site, { roles: ['orders.robot', 'orders.banned'] }), 403, 1532);
    await opens(site, '/app/robot/x', await mintApp(site, { version: 1 }));
    // Without idtyp: its subject is its object.
    await opens(site, '/app/robot/x', await mintApp(site, { shape: { unset: ['idtyp'] } }));
    await refuses(site, '/app/api/x', await mintApp(site, { shape: { unset: ['idtyp'] } }), 403, 1532);
  });

  test('what httpd is asked about an application leaves no line of an error when it enters', async () => {
    const robot = await mintApp(site);
    const log = await site.httpd.logOf(() => opens(site, '/app/robotAny/x', robot));
    assert.doesNotMatch(log, /AH0162|AH0163/);
  });

  test('a token with anything wrong is 401 with its own number, whatever the browser is', async () => {
    const rows = {
      'a wrong type': [1280, { shape: { set: { azp: 7 } } }],
      'another version': [1281, { shape: { set: { ver: '3.0' } } }],
      'no issuer': [1282, { shape: { unset: ['iss'] } }],
      'no tenant': [1283, { shape: { unset: ['tid'] } }],
      'a tenant that is no GUID': [1284, { shape: { set: { tid: 'contoso.example' } } }],
      'another issuer': [1285, { shape: { set: { iss: `https://sts.windows.net/${CONTOSO}/` } } }],
      'another tenant': [1285, { user: 'fab' }],
      'another tenant, version 1': [1285, { user: 'fab', version: 1 }],
      'no audience': [1287, { shape: { unset: ['aud'] } }],
      'another audience': [1288, { resource: OTHER_CLIENT }],
      'an audience of the same API that is not configured': [1288, { shape: { set: { aud: `${URI}/` } } }],
      'two audiences': [1288, { shape: { set: { aud: [CLIENT, URI] } } }],
      'no subject': [1289, { shape: { unset: ['sub'] } }],
      'no object': [1290, { shape: { unset: ['oid'] } }],
      'an object that is no GUID': [1291, { shape: { set: { oid: 'ada' } } }],
      'no end': [1292, { shape: { unset: ['exp'] } }],
      'an end in the past': [1293, { shape: { set: { exp: { $now: -301 } } } }],
      'a beginning in the future': [1294, { shape: { set: { nbf: { $now: 600 } } } }],
      'no moment of issue': [1295, { shape: { unset: ['iat'] } }],
      'issued in the future': [1296, { shape: { set: { iat: { $now: 600 }, nbf: { $now: -300 } } } }],
      'a nonce': [1297, { shape: { set: { nonce: 'x' } } }],
      'no client': [1298, { shape: { unset: ['azp'] } }],
      'neither scopes nor roles': [1299, { user: 'noroles', shape: { unset: ['scp'] } }],
      'alg none': [1531, { shape: { alg: 'none' } }],
      'HS256 with the public key': [1531, { shape: { alg: 'HS256-pubkey' } }],
      'HS256 with the client secret': [1531, { shape: { alg: 'HS256-secret' } }],
      PS256: [1531, { shape: { alg: 'PS256' } }],
      'an unpublished key': [1531, { shape: { signWith: 'unpublished' } }],
      'an impostor': [1531, { shape: { signWith: 'impostor' } }],
      'a key of personal accounts': [1531, { shape: { signWith: 'other' } }],
      'a key in the header': [1531, { shape: { inject: 'jwk' } }],
      'another typ': [1531, { shape: { header: { typ: 'at+jwt' } } }],
      'no typ': [1531, { shape: { headerUnset: ['typ'] } }],
      'a broken signature': [1531, { shape: { tamper: 'signature' } }],
      'an altered payload': [1531, { shape: { tamper: 'payload' } }],
      'a token for Graph': [1531, { resource: GRAPH }],
    };
    for (const [name, [number, call]] of Object.entries(rows)) {
      await refuses(site, '/app/api/x', await mint(site, call), 401, number).catch((error) => { error.message = `${name}: ${error.message}`; throw error; });
    }
    assert.equal(site.calls('attacker'), 0);
    assert.doesNotMatch(site.httpd.errorLog(), /\[entra_sso:(error|warn)[^\n]*ENTRA1[25]/, 'what a client sends is no alarm');
  });

  test('an ID token is no access token: with roles, without a nonce, of the same client', async () => {
    const { token, claims } = await site.emu.control('mint', { kind: 'id', user: 'ada', client_id: CLIENT, shape: { unset: ['nonce'] } });
    assert.equal(claims.aud, CLIENT);
    assert.deepEqual(claims.roles, ['app.reader']);
    await refuses(site, '/app/api/x', token, 401, 1298);
    const { token: fresh } = await site.emu.control('mint', { kind: 'id', user: 'ada', client_id: CLIENT, nonce: 'n' });
    await refuses(site, '/app/api/x', fresh, 401, 1297);
  });

  test('a bad token beside a good session is 401; a good one counts alone, and leaves the session alone', async () => {
    const root = await site.signedIn({ user: 'root', path: '/app/api/x' });
    const cookie = root.cookies.header(new URL(site.origin), {});
    assert.match(cookie, /Entra-Session=/);
    const headers = { Cookie: cookie };
    assert.deepEqual(headerOf(await opens(site, '/app/admin/x', undefined, { headers }), 'x-entra-user'), ['root@contoso.example']);
    await refuses(site, '/app/api/x', 'abc', 401, 1531, { headers });
    await refuses(site, '/app/api/x', await mint(site, { shape: { set: { exp: { $now: -400 } } } }), 401, 1293, { headers });
    const token = await mint(site);
    assert.deepEqual(headerOf(await opens(site, '/app/api/x', token, { headers }), 'x-entra-user'), [ada.upn]);
    await refuses(site, '/app/admin/x', token, 403, 1534, { headers });
    // Not in a section that takes no tokens: there the session counts, and the header is the application's own business.
    const seen = await opens(site, '/app/none/x', 'application-key', { headers });
    assert.deepEqual(headerOf(seen, 'x-entra-user'), ['root@contoso.example']);
    assert.deepEqual(headerOf(seen, 'authorization'), ['Bearer application-key']);
  });

  test('where EntraBearer is off a good token opens nothing', async () => {
    const response = await site.httpd.request({ path: '/app/none/x', headers: { Authorization: `Bearer ${await mint(site)}` } });
    assert.equal(response.status, 401);
    assertClosed(response);
    assert.deepEqual(response.all('www-authenticate').map((line) => line.split(' ')[0]), ['Entra']);
    const page = await ask(site, '/app/none/x', await mint(site));
    assert.equal(page.status, 302);
  });

  test('who brings no token is invited in the way of RFC 6750, without an error', async () => {
    const response = await site.httpd.request({ path: '/app/api/x' });
    assert.equal(response.status, 401);
    assert.match(response.header('content-type'), /problem\+json/);
    assert.deepEqual(response.all('www-authenticate').slice(1), [`Bearer realm="${site.origin}"`]);
    assert.equal((await ask(site, '/app/api/x')).status, 302, 'a person still goes to sign in');
    // A scheme of another's is another's.
    assert.equal((await site.httpd.request({ path: '/app/api/x', headers: { Authorization: 'Basic YWRhOnB3' } })).status, 401);
  });

  test('the scheme in any case; a header in two, joined, folded or half is refused', async () => {
    const token = await mint(site);
    const bad = await mint(site, { user: 'root', shape: { tamper: 'signature' } });
    const send = async (...lines) => {
      const before = site.backend.requests.length;
      const response = await site.httpd.exchange(`GET /app/api/x HTTP/1.1\r\nHost: localhost:${site.httpd.port}\r\nConnection: close\r\n${lines.join('\r\n')}\r\n\r\n`);
      return { status: response.status, heard: site.backend.requests.length - before, error: response.status === 401 ? response.json().error : undefined };
    };
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEARER']) assert.deepEqual(await send(`aUTHORIZATION: ${scheme} ${token}`), { status: 200, heard: 1, error: undefined }, scheme);
    assert.equal((await send(`Authorization: Bearer\r\n ${token}`)).status, 200, 'folded, it is one line');
    const refusals = [
      [`Authorization: Bearer ${token}`, `Authorization: Bearer ${token}`],
      [`Authorization: Bearer ${token}`, `authorization: Bearer ${bad}`],
      [`Authorization: Bearer ${bad}`, `Authorization: Bearer ${token}`],
      [`Authorization: Basic YWRhOnB3`, `Authorization: Bearer ${token}`],
      [`Authorization: Bearer ${token}`, `Authorization: Basic YWRhOnB3`],
      [`Authorization: Bearer ${token},Bearer ${bad}`],
      [`Authorization: Bearer ${token}, Bearer ${bad}`],
      [`Authorization: Bearer ${token} ${bad}`],
      [`Authorization: Bearer ${token}\r\n ${bad}`],
      [`Authorization: Bearer ${token};x=y`],
      [`Authorization: Bearer "${token}"`],
      ['Authorization: Bearer'],
      ['Authorization: Bearer ='],
      [`Authorization: Bearer\t${token}`],
      [`Authorization: Token Bearer ${token}`],
    ];
    for (const lines of refusals) assert.deepEqual(await send(...lines), { status: 401, heard: 0, error: 'ENTRA1530' }, lines.join(' | ').slice(0, 60));
    assert.notEqual((await send(`Authorization : Bearer ${token}`)).status, 200);
  });

  test('nor does an unverified token pass where nobody is asked who he is', async () => {
    await refuses(site, '/public/x', await mint(site, { shape: { tamper: 'signature' } }), 401, 1531);
    assert.notEqual((await ask(site, '/public/x', await mint(site))).status, 401);
  });

  test('all methods, HEAD and a WebSocket; a preflight is as before', async () => {
    const token = await mint(site);
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND', 'OPTIONS']) await opens(site, '/app/api/x', token, { method });
    assert.equal((await ask(site, '/app/api/x', token, { method: 'HEAD' })).status, 200);
    await refuses(site, '/app/api/x', 'abc', 401, null, { method: 'HEAD' });
    const preflight = (path) => site.httpd.request({ path, method: 'OPTIONS', headers: { Origin: 'https://spa.example', 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'authorization' } });
    assert.equal((await preflight('/app/api/x')).status, (await preflight('/app/none/x')).status);
    const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13' };
    const open = async (value) => {
      const connection = await Connection.open(site.httpd.port);
      connection.write(build({ path: '/app/api/ws', host: `localhost:${site.httpd.port}`, close: false, headers: { ...upgrade, Authorization: `Bearer ${value}` } }));
      return { connection, response: await connection.response() };
    };
    const good = await open(token);
    assert.equal(good.response.status, 101);
    good.connection.write(makeFrame(1, 'hello', Buffer.from([1, 2, 3, 4])));
    assert.match((await good.connection.bytes(7)).toString('latin1'), /hello$/);
    good.connection.close();
    const bad = await open('abc');
    assert.equal(bad.response.status, 401);
    bad.connection.close();
  });

  test('groups past what a token holds: rules by group are 403 with a reason, other rules hold', async () => {
    const token = await mint(site, { shape: { unset: ['groups'], set: { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'http://127.0.0.1:9/x' } } } } });
    const calls = site.calls('graph');
    const seen = await opens(site, '/app/scope/x', token);
    assert.deepEqual(headerOf(seen, 'x-entra-groups'), []);
    for (const path of ['finance', 'notFinance', 'mapped']) await refuses(site, `/app/${path}/x`, token, 403, 1533);
    site.httpd.expect(/ENTRA1533/);
    assert.equal(site.calls('graph'), calls);
  });

  test('a fresh sign-in and an authentication context are read from the token, and nobody is sent anywhere for them', async () => {
    await opens(site, '/app/acr/x', await mint(site, { shape: { set: { acrs: ['c1'] } } }));
    const before = site.backend.requests.length;
    const wanted = await ask(site, '/app/acr/x', await mint(site));
    assert.equal(wanted.status, 401, wanted.text);
    assertClosed(wanted);
    assert.equal(wanted.json().error, 'ENTRA1513');
    assert.equal(site.backend.requests.length, before);
    const [, claims] = /^Bearer realm="[^"]+", error="insufficient_claims", claims="([A-Za-z0-9+/=]+)"$/.exec(wanted.header('www-authenticate')) ?? [];
    assert.deepEqual(JSON.parse(Buffer.from(claims, 'base64')), { access_token: { acrs: { essential: true, value: 'c1' } } });
    // A program without a user has nobody to step up.
    await refuses(site, '/app/acr/x', await mint(site, { user: null, roles: ['app.robot'] }), 403);
    await opens(site, '/app/fresh/x', await mint(site, { shape: { set: { auth_time: { $now: -60 } } } }));
    await refuses(site, '/app/fresh/x', await mint(site), 401, 1517);
  });

  test('an answer for a token is not for a shared cache', async () => {
    assert.match((await ask(site, '/app/api/x', await mint(site))).header('cache-control') ?? '', /private/);
  });

  test('no token is in the log, good or bad', async () => {
    const tokens = [await mint(site), await mint(site, { shape: { tamper: 'signature' } }), await mint(site, { resource: OTHER_CLIENT })];
    for (const token of tokens) await ask(site, '/app/api/x', token);
    const log = site.httpd.errorLog();
    for (const token of tokens) for (const part of token.split('.').slice(1)) assert.ok(!log.includes(part.slice(0, 40)), 'a part of a token is in the log');
  });
});

describe('bearer, redirects inside of httpd', { skip: missing }, () => {
  test('each section that a request comes to judges the token by its own lines', async () => {
    const front = (server) => `<Directory "${server.docroot}/front">
    RewriteEngine On
    RewriteRule "^none$" "/app/none/x"
    RewriteRule "^api$" "/app/api/x"
    RewriteRule "^uri$" "/app/uri/x"
    RewriteRule "^scope$" "/app/scope/x"
    RewriteRule "^robot$" "/app/robot/x"
</Directory>
<Location "/front/dropped/">
    RequestHeader unset Authorization
</Location>
<Directory "${server.docroot}/front/dropped">
    RewriteEngine On
    RewriteRule "^y$" "/app/api/x"
</Directory>`;
    const site = await start({
      modules: ['headers', 'rewrite', 'include'],
      files: { 'htdocs/front/index.txt': 'x', 'htdocs/front/dropped/index.txt': 'x', 'htdocs/parts/page.shtml': '<!--#include virtual="/app/none/a" -->|<!--#include virtual="/app/api/b" -->|<!--#include virtual="/app/none/c" -->', 'htdocs/public/parts/two.shtml': '<!--#include virtual="/app/none/d" -->|<!--#include virtual="/app/none/e" -->' },
      extra: (server) => `${sections}\n${front(server)}\n${['parts', 'public/parts'].map((folder) => `<Directory "${server.docroot}/${folder}">\nOptions +Includes\nSetOutputFilter INCLUDES\n</Directory>`).join('\n')}`,
    });
    const token = await mint(site);
    const root = await site.signedIn({ user: 'root', path: '/app/api/x' });
    const headers = { Cookie: root.cookies.header(new URL(site.origin), {}) };
    for (const path of ['api', 'scope']) {
      assert.deepEqual(headerOf(await opens(site, `/front/${path}`, token), 'x-entra-user'), [ada.upn], path);
      assert.deepEqual(headerOf(await opens(site, `/front/${path}`, token, { headers }), 'x-entra-user'), [ada.upn], path);
    }
    // Another audience; another rule.
    await refuses(site, '/front/uri', token, 401, 1288, { headers });
    await refuses(site, '/front/robot', token, 403, 1534, { headers });
    // A section that takes none: the session counts there, and without one it is closed.
    const before = site.backend.requests.length;
    assert.notEqual((await ask(site, '/front/none', token)).status, 200);
    assert.equal(site.backend.requests.length, before);
    assert.deepEqual(headerOf(await opens(site, '/front/none', token, { headers }), 'x-entra-user'), ['root@contoso.example']);
    // Parts of one page, in turn: nobody's identity reaches into another's section.
    const page = await ask(site, '/parts/page.shtml', token, { headers });
    const users = site.backend.requests.slice(-3).map((seen) => [seen.url, ...headerOf(seen, 'x-entra-user')]);
    assert.equal(page.status, 200);
    assert.deepEqual(users, [['/none/a', 'root@contoso.example'], ['/api/b', ada.upn], ['/none/c', 'root@contoso.example']]);
    // A page that is open to all has opened no session when the first part does: the second still finds it.
    assert.equal((await ask(site, '/public/parts/two.shtml', undefined, { headers })).status, 200);
    assert.deepEqual(site.backend.requests.slice(-2).map((seen) => [seen.url, ...headerOf(seen, 'x-entra-user')]), [['/none/d', 'root@contoso.example'], ['/none/e', 'root@contoso.example']]);
    // What the first section takes off for its application still keeps the session out of the next.
    assert.deepEqual(headerOf(await opens(site, '/front/dropped/y', token, { headers }), 'x-entra-user'), [ada.upn]);
    await site.stop();
  });
});

describe('bearer, what is remembered', { skip: missing }, () => {
  test('a token is checked once; then neither keys nor Entra are asked', async () => {
    const site = await start();
    const token = await mint(site);
    await opens(site, '/app/api/x', token);
    await site.emu.control('fault', { endpoint: 'any', close: true });
    const before = ['keys', 'discovery'].map((name) => site.calls(name));
    const connections = site.emu.stats().connections.accepted;
    for (let i = 0; i < 50; i += 1) await opens(site, '/app/api/x', token);
    assert.deepEqual(['keys', 'discovery'].map((name) => site.calls(name)), before);
    assert.equal(site.emu.stats().connections.accepted, connections);
    await site.stop();
  });

  test('keys that roll over keep tokens; keys that vanish end them', { skip: noClock }, async () => {
    const site = await start({ clock: true });
    const token = await mint(site, { lifetimeSeconds: 6 * 3600 });
    await opens(site, '/app/api/x', token);
    await site.emu.control('keys', { action: 'roll' });
    const younger = await mint(site, { lifetimeSeconds: 6 * 3600 });
    await opens(site, '/app/api/x', younger);
    await opens(site, '/app/api/x', token);
    await site.emu.control('keys', { action: 'remove', kid: JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid });
    await opens(site, '/app/api/x', token);
    const fetches = site.calls('keys');
    site.httpd.clock.forward(3601);
    await until('the hourly fetch', () => site.calls('keys') > fetches);
    await until('the refusal', async () => (await ask(site, '/app/api/x', token)).status === 401);
    await refuses(site, '/app/api/x', token, 401, 1531);
    await opens(site, '/app/api/x', younger);
    await site.stop();
  });

  test('a remembered token ends when it expires', { skip: noClock }, async () => {
    const site = await start({ clock: true });
    const token = await mint(site, { lifetimeSeconds: 600 });
    await opens(site, '/app/api/x', token);
    site.httpd.clock.forward(890);
    await opens(site, '/app/api/x', token);
    site.httpd.clock.forward(20);
    await refuses(site, '/app/api/x', token, 401, 1293);
    await site.stop();
  });

  test('a flood of tokens, good and bad, does not make a process grow', async () => {
    const site = await start({ logLevel: 'warn' });
    const memory = () => Math.max(...site.httpd.children().map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readStatus(pid))?.[1] ?? 0)));
    const flood = async (count) => {
      for (let i = 0; i < count; i += 1) {
        const token = await mint(site);
        assert.equal((await ask(site, '/app/api/x', token)).status, 200);
        assert.equal((await ask(site, '/app/api/x', `${token.slice(0, -4)}${token.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`)).status, 401);
      }
    };
    await flood(1100); // past the 1024 places
    const full = memory();
    await flood(600);
    assert.ok(full > 1000, `${full} kB`);
    // A sanitizer holds freed memory back for a while.
    assert.ok(process.env.ENTRA_PRELOAD || memory() - full < 3000, `${full} kB, then ${memory()} kB`);
    await site.stop();
  });

  test('the same in prefork and with several processes', async () => {
    for (const mpm of ['prefork', 'event']) {
      const site = await start({ mpm, processes: 3, ...(mpm === 'prefork' ? { threads: undefined, workers: 3 } : { threads: 4, workers: 12 }), allowLog: [REFUSED_BY_HTTPD, /AH10159|AH00484/] });
      const token = await mint(site);
      for (let i = 0; i < 12; i += 1) await opens(site, '/app/api/x', token);
      await refuses(site, '/app/api/x', 'abc', 401, 1531);
      await site.stop();
    }
  });
});

describe('bearer, Entra out of reach', { skip: missing }, () => {
  test('without keys a token is 503 with Retry-After, and 200 once they are there', async () => {
    const emu = await startEmulator({ auto: 'ada' });
    try {
      await emu.control('fault', { endpoint: 'discovery', status: 503 });
      const site = await start({ emu, allowLog: [REFUSED_BY_HTTPD, /ENTRA110[05]/] });
      const token = await mint(site);
      await refuses(site, '/app/api/x', token, 503, null);
      await emu.control('fault', undefined, 'DELETE');
      await until('keys', async () => (await ask(site, '/app/api/x', token)).status === 200);
      await site.stop();
    } finally {
      await emu.close();
    }
  });
});

describe('bearer, several tenants', { skip: missing }, () => {
  test('users of allowed tenants enter with either version, and have names that no two share', async () => {
    const site = await start({ directives: { EntraTenant: 'organizations', EntraAllowedTenants: `${CONTOSO} ${FABRIKAM}` } });
    for (const version of [1, 2]) {
      for (const [user, tid] of [['ada', CONTOSO], ['fab', FABRIKAM]]) {
        const seen = await opens(site, '/app/api/x', await mint(site, { user, version }));
        assert.deepEqual(headerOf(seen, 'x-entra-user'), [`${people.find(({ key }) => key === user).oid}@${tid}`]);
      }
      await refuses(site, '/app/api/x', await mint(site, { version, shape: { set: { tid: FABRIKAM } } }), 401, 1285);
    }
    await site.stop();
    const one = await start({ directives: { EntraTenant: 'organizations', EntraAllowedTenants: CONTOSO } });
    await opens(one, '/app/api/x', await mint(one));
    for (const version of [1, 2]) await refuses(one, '/app/api/x', await mint(one, { user: 'fab', version }), 401, 1286);
    await one.stop();
  });
});

describe('bearer, configuration', { skip: missing }, () => {
  test('audiences that are none are refused with a mend', async () => {
    for (const [line, said] of [
      ['EntraBearer orders', /'orders' is no audience; write the API's client ID/],
      ['EntraBearer https://graph.microsoft.com', /is no audience/],
      ['EntraBearer 00000003-0000-0000-c000-000000000000', /API of Microsoft's/],
      ['EntraBearer "api://a b"', /character that no URI has/],
      ['EntraBearer', /EntraBearer/],
      ['Require entra-app orders', /'orders' is no client ID/],
      ['Require entra-app', /at least one value/],
    ]) {
      const { status, output } = await siteConfigtest({ location: line });
      assert.notEqual(status, 0, line);
      assert.match(output, said, line);
    }
  });

  test('lines that do nothing are named, and those that do are not', async () => {
    const alone = await siteConfigtest({ location: `Require entra-app ${CLIENT}` });
    assert.equal(alone.status, 0);
    assert.match(alone.output, /ENTRA4051: .*EntraBearer/);
    const good = await siteConfigtest({ location: `${AUDIENCES}\nRequire entra-app ${CLIENT}` });
    assert.equal(good.status, 0);
    assert.doesNotMatch(good.output, /ENTRA40/);
    const without = await siteConfigtest({ config: (server, { emu, backend }) => `${AUDIENCES}\nProxyPass "/app/" "http://127.0.0.1:${backend.port}/"\n# ${emu.url} ${server.port}` });
    assert.match(without.output, /ENTRA4050: EntraBearer without AuthType Entra/);
  });
});
