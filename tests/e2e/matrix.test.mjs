// SPDX-License-Identifier: Apache-2.0
// The same questions under every MPM, with the modules loaded in many orders, and over HTTP/2: nobody passes without a session, the
// user is the right one, and nothing that a client claims arrives.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync } from 'node:fs';
import http2 from 'node:http2';
import test, { after, before, describe } from 'node:test';
import { selfSigned, toPem } from '../emulator/certificate.mjs';
import { users } from '../emulator/tenants.mjs';
import { assertClosed, SESSION_COOKIE, shuffled, USERS, whoAmI } from './lib/checks.mjs';
import { CookieJar } from './lib/cookies.mjs';
import { headerOf } from './lib/echo.mjs';
import { freePort, hasModule, missing, MPM, OURS } from './lib/httpd.mjs';
import { closeLeftovers, startEcho, startEmulator } from './lib/leftovers.mjs';
import { entraLines, SECRET_PAGE, siteModules, startSite } from './lib/site.mjs';

const oidOf = (key) => users.find((user) => user.key === key).oid;
const PAGE = { Accept: 'text/html', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };
const SPOOF = [['X-Entra-User', 'spoof-a'], ['x_entra_roles', 'spoof-b'], ['X.Entra-Object_Id', 'spoof-c'], ['Connection', 'close, X-Entra-User']];

// ---- orders of modules ---------------------------------------------------------------------------------------------------

/** Modules that look at requests as early, or as near to who the user is, as ours. */
const NEIGHBOURS = ['rewrite', 'headers', 'proxy', 'remoteip', 'log_forensic', 'auth_basic', 'authn_file', 'setenvif', 'dir', 'alias', 'http2', 'cache', 'session',
  'authn_core', 'authz_core', 'authz_user', 'include', 'negotiation', 'speling', 'unique_id', 'usertrack', 'request', 'vhost_alias'];
/** What needs the functions of another. */
const NEEDS = { proxy_http: 'proxy', proxy_wstunnel: 'proxy', cache_disk: 'cache', session_cookie: 'session' };
const wanted = [...NEIGHBOURS, 'mime', 'env', ...Object.keys(NEEDS)].filter(hasModule);

/** The same order, but that a module comes after what it needs. */
function loadable(names) {
  const order = [];
  const put = (name) => {
    if (order.includes(name)) return;
    if (NEEDS[name]) put(NEEDS[name]);
    order.push(name);
  };
  names.forEach(put);
  return order;
}

const without = (names) => names.filter((name) => name !== OURS);
const beside = (neighbour, after) => (names) => without(names).flatMap((name) => (name !== neighbour ? [name] : after ? [name, OURS] : [OURS, name]));
const ORDERS = {
  'ours last': (names) => [...without(names), OURS],
  'ours first': (names) => [OURS, ...without(names)],
  'all the other way round': (names) => [...names].reverse(),
  'before mod_authn_core and mod_authz_core': (names) => beside('authn_core', false)(without(names).sort((a, b) => /^auth/.test(b) - /^auth/.test(a))),
  ...Object.fromEntries(['rewrite', 'proxy', 'headers'].map((name) => [`just before mod_${name}`, beside(name, false)])),
  ...Object.fromEntries([11, 12, 13, 14, 15].map((seed) => [`by lot ${seed}`, (names) => shuffled(names, seed)])),
};

const orderConfig = (server, { emu, backend }) => `
TypesConfig mime.types
${entraLines(server, emu, { EntraHeader: 'X-App-User "%{oid}"' })}
<Location "/">
    AuthType Entra
    Require valid-user
</Location>
<Location "/public/">
    Require all granted
    Header always set Cache-Control "public, max-age=3600"
</Location>
<Location "/only-root/">
    Require user ${USERS.root}
</Location>
<Location "/basic/">
    AuthType Basic
    AuthName "old"
    AuthBasicProvider file
    AuthUserFile "${server.path('passwords')}"
    Require valid-user
</Location>
RequestHeader set X-Built "expr=%{REMOTE_USER}"
RequestHeader set X-From-Env "%{ENTRA_OID}e"
SetEnvIf X-Entra-User "(.+)" CLAIMED=$1
RequestHeader set X-Claimed "%{CLAIMED}e" env=CLAIMED
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 10.0.0.1
ForensicLog logs/forensic.log
Session On
SessionCookieName app path=/
CacheEnable disk /
CacheRoot "${server.path('cache')}"
CacheHeader on
CacheIgnoreCacheControl On
CacheStoreNoStore On
CookieTracking on
CheckSpelling On
RewriteEngine on
RewriteRule "^/rw/(.*)" "http://127.0.0.1:${backend.port}/rw/$1" [P]
RewriteRule "^/pt/(.*)" "/app/$1" [PT]
RewriteRule "^/public/leads/(.*)" "/app/$1" [PT]
ProxyPass "/app/" "http://127.0.0.1:${backend.port}/"
ProxyPass "/only-root/" "http://127.0.0.1:${backend.port}/"
ProxyPass "/basic/" "http://127.0.0.1:${backend.port}/"
`;

// "old" with the password "secret"; the cache belongs to whom httpd runs as.
const orderFiles = { passwords: 'old:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n', 'mime.types': 'text/html html\n', 'cache/keep': 'x' };

describe('orders of modules and MPMs', { skip: missing }, () => {
  let emu;
  let backend;

  before(async () => {
    emu = await startEmulator({ auto: 'ada' });
    backend = await startEcho();
  });
  after(closeLeftovers);

  const PROTECTED = ['/page.html', '/app/x', '/rw/x', '/pt/x', '/public/leads/x', '/only-root/x', '/page', '/pagee.html'];

  async function smoke(site) {
    const ask = (path, headers = []) => site.httpd.request({ path, headers });
    const nobodyPasses = async (when) => {
      backend.clear();
      for (const path of PROTECTED) {
        for (const more of [[], Object.entries(PAGE)]) {
          const response = await ask(path, [...SPOOF, ['X-Forwarded-For', '127.0.0.1'], ['Authorization', 'Basic b2xkOnNlY3JldA=='], ...more]);
          assert.ok([301, 302, 401, 404].includes(response.status), `${when}: ${path} ${response.status}`);
          assertClosed(response, `${when}: ${path}`);
        }
      }
      assert.equal(backend.requests.length, 0, `${when}: the application was asked`);
    };
    chmodSync(site.httpd.path('cache'), 0o777);
    await nobodyPasses('before');
    for (let i = 0; i < 2; i += 1) assert.equal((await ask('/public/index.html')).status, 200);
    assert.match((await ask('/public/index.html')).header('x-cache') ?? '', /HIT/, 'the cache works');

    const jar = { ada: await site.signedIn({ user: 'ada' }), root: await site.signedIn({ user: 'root' }) };
    for (const user of ['ada', 'root']) {
      const cookie = jar[user].cookies.header(new URL(site.origin), {});
      for (const path of ['/app/x', '/rw/x', '/pt/x', '/public/leads/x', ...(user === 'root' ? ['/only-root/x'] : [])]) {
        const response = await ask(path, [...SPOOF, ['Cookie', cookie]]);
        assert.equal(response.status, 200, `${user} ${path}`);
        const seen = response.json();
        for (const [name, value] of [['x-entra-user', USERS[user]], ['x-built', USERS[user]], ['x-entra-object-id', oidOf(user)], ['x-app-user', oidOf(user)], ['x-from-env', oidOf(user)]]) {
          assert.deepEqual(headerOf(seen, name), [value], `${user} ${path} ${name}, once`);
        }
        assert.doesNotMatch(JSON.stringify(seen), /spoof-|Entra-(Session|Login)/, `${user} ${path}`);
      }
      assert.equal((await ask('/page.html', [['Cookie', cookie]])).text.includes(SECRET_PAGE), true);
    }
    const closed = await ask('/only-root/x', [['Cookie', jar.ada.cookies.header(new URL(site.origin), {})]]);
    assert.equal(closed.status, 403);
    assertClosed(closed);

    // Another AuthType beside ours, with and without our cookie: its user, and nothing of ours.
    assert.equal((await ask('/basic/x', [['Cookie', jar.ada.cookies.header(new URL(site.origin), {})]])).status, 401);
    const basic = await ask('/basic/x', [...SPOOF, ['Authorization', 'Basic b2xkOnNlY3JldA=='], ['Cookie', jar.ada.cookies.header(new URL(site.origin), {})]]);
    assert.equal(basic.status, 200);
    assert.deepEqual(headerOf(basic.json(), 'x-built'), ['old']);
    assert.deepEqual(headerOf(basic.json(), 'x-entra-user'), []);
    assert.doesNotMatch(basic.text, /spoof-|Entra-(Session|Login)/);

    // After them nobody gets what was theirs, from the cache or otherwise.
    await nobodyPasses('after');
    const cookie = jar.ada.cookies.header(new URL(site.origin), {});
    await jar.ada.navigate(site.at('/.entra/logout'), { method: 'POST', body: '', from: site.at('/page.html'), follow: false });
    assertClosed(await ask('/app/x', [['Cookie', cookie]]), 'a copy after sign-out');
    assert.equal(await whoAmI(site, jar.root), USERS.root);
    assert.doesNotMatch(site.httpd.read('logs/forensic.log'), /spoof-|Entra-Session:/);
    assert.match(site.httpd.read('logs/forensic.log'), /\/only-root\/x/, 'it is written');
  }

  const start = (options) => startSite({ emu, backend, modules: wanted, files: orderFiles, config: orderConfig, allowLog: [/AH0163[01]: /, /AH00687/, /AH02645|AH10034|AH00665/, /AH007\d\d/, /AH01630/, /ENTRA1503/, /AH01617|AH01618/], ...options });

  for (const [name, order] of Object.entries(ORDERS)) {
    test(`modules loaded ${name}`, async () => {
      const site = await start({ loadOrder: (names) => loadable(order(names)) });
      await smoke(site);
      await site.stop();
    });
  }

  // The other MPMs than that of this run.
  for (const mpm of ['event', 'worker', 'prefork'].filter((one) => one !== MPM)) {
    test(`the ${mpm} MPM`, { skip: hasModule(`mpm_${mpm}`) ? false : `there is no ${mpm}` }, async () => {
      const site = await start({ mpm });
      await smoke(site);
      await site.httpd.graceful();
      await smoke(site);
      await site.stop();
    });
  }
});

// ---- HTTP/2 -----------------------------------------------------------------------------------------------------------------

const noHttp2 = MPM === 'prefork' ? 'mod_http2 wants threads' : ['ssl', 'http2'].every(hasModule) ? false : 'there is no mod_ssl or no mod_http2';

/** Somebody with cookies who speaks HTTP/2 over TLS. Redirects to the emulator are followed there. */
class Http2User {
  cookies = new CookieJar();

  constructor(client, origin) { Object.assign(this, { client, origin }); }

  ask(path, { method = 'GET', headers = {}, body } = {}) {
    const url = new URL(path, this.origin);
    return new Promise((resolve, reject) => {
      const cookie = this.cookies.header(url, {});
      const stream = this.client.request({ ':method': method, ':path': url.pathname + url.search, ':authority': url.host, ':scheme': 'https', ...(cookie ? { cookie } : {}), ...headers });
      const parts = [];
      let head;
      stream.on('response', (one) => { head = one; });
      stream.on('data', (part) => parts.push(part));
      stream.on('error', reject);
      stream.on('end', () => {
        for (const line of head['set-cookie'] ?? []) this.cookies.set(line, url);
        const text = Buffer.concat(parts).toString('latin1');
        resolve({ status: head[':status'], head, location: head.location, text, json: () => JSON.parse(text) });
      });
      stream.end(body);
    });
  }

  /** Opens a page as a person does, through the sign-in. */
  async open(path, options = {}) {
    let answer = await this.ask(path, { ...options, headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'none', ...options.headers } });
    for (let hops = 0; answer.location !== undefined && hops < 6; hops += 1) {
      const away = new URL(answer.location, this.origin);
      if (away.origin === this.origin) {
        answer = await this.ask(away.href, { headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' } });
      } else {
        const there = await fetch(away, { redirect: 'manual' });
        answer = { location: there.headers.get('location') ?? undefined, status: there.status, text: await there.text() };
      }
    }
    return answer;
  }
}

describe('HTTP/2 over TLS', { skip: missing || noHttp2 }, () => {
  let site;
  let tls;
  let origin;
  const clients = [];

  before(async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const now = Math.floor(Date.now() / 1000);
    const certificate = toPem(selfSigned({ publicKey, privateKey, commonName: 'localhost', notBefore: now - 60, notAfter: now + 86400 }));
    tls = await freePort();
    origin = `https://localhost:${tls}`;
    site = await startSite({
      modules: ['ssl', 'http2', 'headers', 'rewrite'],
      allowLog: [/AH01882: Init: this version of mod_ssl was compiled against/, /AH01873: Init: Session Cache is not configured/],
      files: { 'tls/cert.pem': certificate, 'tls/key.pem': { content: privateKey.export({ type: 'pkcs8', format: 'pem' }), mode: 0o600 } },
      config: (server, { emu, backend }) => `
Listen 127.0.0.1:${tls}
H2MaxSessionStreams 120
<VirtualHost 127.0.0.1:${tls}>
    ServerName ${origin}
    Protocols h2 http/1.1
    SSLEngine on
    SSLCertificateFile "${server.path('tls/cert.pem')}"
    SSLCertificateKeyFile "${server.path('tls/key.pem')}"
    ${entraLines(server, emu, { EntraSignedIdentity: 'on' })}
    <Location "/">
        AuthType Entra
        Require valid-user
    </Location>
    <Location "/public/">
        Require all granted
    </Location>
    RequestHeader set X-Built "expr=%{REMOTE_USER}"
    ProxyPass "/app/" "http://127.0.0.1:${backend.port}/"
    ProxyPass "/public/app/" "http://127.0.0.1:${backend.port}/"
</VirtualHost>
`,
    });
  });
  after(async () => {
    for (const client of clients) client.destroy();
    await site?.stop();
  });

  async function connect() {
    const client = http2.connect(origin, { rejectUnauthorized: false });
    clients.push(client);
    client.on('error', () => {});
    await new Promise((resolve, reject) => { client.once('connect', resolve); client.once('error', reject); });
    assert.equal(client.alpnProtocol, 'h2');
    return client;
  }

  async function signedIn(user, client) {
    await site.as(user);
    const person = new Http2User(client ?? await connect(), origin);
    const page = await person.open('/page.html');
    assert.equal(page.status, 200, `${user}: ${page.status} ${page.text.slice(0, 300)}\n${site.httpd.errorLog().slice(-2000)}`);
    assert.match(page.text, new RegExp(SECRET_PAGE));
    await site.as('ada');
    return person;
  }

  /** The answer of the application tells of this user alone: every header, and the assertion. */
  function assertSeenAs(answer, user, message) {
    assert.equal(answer.status, 200, `${message}: ${answer.status}`);
    const seen = answer.json();
    for (const [name, value] of [['x-entra-user', USERS[user]], ['x-built', USERS[user]], ['x-entra-object-id', oidOf(user)]]) assert.deepEqual(headerOf(seen, name), [value], `${message}: ${name}`);
    const [, payload] = headerOf(seen, 'x-entra-assertion')[0].split('.');
    const said = Buffer.from(payload, 'base64url').toString('utf8');
    assert.ok(said.includes(oidOf(user)), `${message}: ${said}`);
    for (const other of Object.keys(USERS).filter((one) => one !== user)) assert.ok(!said.includes(oidOf(other)), `${message}: ${said}`);
    assert.doesNotMatch(answer.text, /spoof-|Entra-(Session|Login)/, message);
  }

  test('a whole sign-in, the cookies of https, the endpoints, a form, and the sign-out', async () => {
    const person = await signedIn('ada');
    assert.deepEqual(person.cookies.all.map(({ name }) => name).filter((name) => SESSION_COOKIE.test(name)), ['__Host-Entra-Session']);
    assertSeenAs(await person.ask('/app/x', { headers: { 'x-entra-user': 'spoof-a', x_entra_roles: 'spoof-b' } }), 'ada', 'GET');
    const posted = await person.ask('/app/form', { method: 'POST', body: 'a=1&b=2', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
    assertSeenAs(posted, 'ada', 'POST');
    assert.deepEqual([posted.json().method, posted.json().body], ['POST', 'a=1&b=2']);
    const session = await person.ask('/.entra/session');
    assert.equal(session.json().user, USERS.ada);
    const cookie = person.cookies.header(new URL(origin), {});
    const copy = () => new Http2User(person.client, origin).ask('/app/x', { headers: { cookie, accept: 'application/json' } });
    assert.equal((await copy()).status, 200);
    const out = await person.ask('/.entra/logout', { method: 'POST', headers: { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate', origin } });
    assert.equal(out.status, 302);
    assert.match(out.location, /\/oauth2\/v2\.0\/logout\?/);
    for (let i = 0; i < 8; i += 1) assert.equal((await copy()).status, 401, 'a copy of the cookie is dead');
    assert.equal((await person.ask('/.entra/session', { headers: { accept: 'application/json' } })).status, 401);
  });

  test('nobody passes, whatever the headers say', async () => {
    const nobody = new Http2User(await connect(), origin);
    site.backend.clear();
    for (const headers of [{}, { 'x-entra-user': 'spoof-a' }, { cookie: '__Host-Entra-Session=AAAA' }, { 'x-forwarded-uri': '/public/' }, { accept: 'text/html', 'sec-fetch-mode': 'navigate' }]) {
      for (const [path, method] of [['/page.html', 'GET'], ['/app/x', 'GET'], ['/app/x', 'POST'], ['/app/x', 'OPTIONS'], ['/app/x', 'FOO'], ['/page.html', 'HEAD'], ['/PAGE.html', 'GET'], ['//page.html', 'GET'], ['/public/../page.html', 'GET'], ['/public/%2e%2e/app/x', 'GET']]) {
        const answer = await nobody.ask(path, { method, headers });
        assert.ok([302, 400, 401, 404].includes(answer.status), `${method} ${path}: ${answer.status}`);
        assert.ok(!answer.text.includes(SECRET_PAGE), path);
      }
    }
    assert.equal(site.backend.requests.length, 0);
    const open = await nobody.ask('/public/app/x', { headers: { 'x-entra-user': 'spoof-a', 'x-entra-assertion': 'spoof-b' } });
    assert.equal(open.status, 200);
    assert.doesNotMatch(open.text, /spoof-|x-entra-/i);
  });

  test('100 streams at once of several users on one connection: each gets its own identity', async () => {
    const names = ['ada', 'root', 'gus', 'noroles'];
    const jar = {};
    for (const user of names) jar[user] = (await signedIn(user)).cookies.header(new URL(origin), {});
    const client = await connect();
    const shared = new Http2User(client, origin);
    shared.cookies.set = () => null;
    for (let round = 0; round < 4; round += 1) {
      const asked = shuffled(Array.from({ length: 100 }, (_, i) => (i % 5 === 4 ? null : names[i % 5])), round + 1);
      const answers = await Promise.all(asked.map((user, i) => shared.ask(`/app/${i}`, { headers: { ...(user ? { cookie: jar[user] } : {}), accept: 'application/json', 'x-entra-user': 'spoof-a' } })));
      answers.forEach((answer, i) => {
        if (asked[i] === null) assert.equal(answer.status, 401, `stream ${i}`);
        else assertSeenAs(answer, asked[i], `stream ${i}`);
      });
    }
    // And several connections, each with everybody on it.
    const many = await Promise.all(Array.from({ length: 4 }, connect));
    await Promise.all(many.map(async (one, n) => {
      const person = new Http2User(one, origin);
      person.cookies.set = () => null;
      const asked = shuffled(Array.from({ length: 60 }, (_, i) => names[i % 4]), n + 9);
      const answers = await Promise.all(asked.map((user) => person.ask('/app/x', { headers: { cookie: jar[user] } })));
      answers.forEach((answer, i) => assertSeenAs(answer, asked[i], `connection ${n}, stream ${i}`));
    }));
  });

  test('HTTP/2 without TLS is not spoken where it is not configured', async () => {
    const response = await site.httpd.request({ path: '/', headers: { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAoAAAAAIAAAAA' } });
    assert.notEqual(response.status, 101);
  });
});
