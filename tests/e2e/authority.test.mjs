// SPDX-License-Identifier: Apache-2.0
// Entra as seen from a node: who fetches its documents and how often, what its outages mean, TLS, and which tenants may come in.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test, { after, before, beforeEach, describe } from 'node:test';
import { CONSUMERS, FABRIKAM, OTHER_CLIENT, OTHER_CLIENT_SECRET, users as people } from '../emulator/tenants.mjs';
import { assertClosed, assertPage, SESSION_COOKIE, whoAmI } from './lib/checks.mjs';
import { freePort, missing, MPM } from './lib/httpd.mjs';
import { closeLeftovers, startEcho, startEmulator, startSite } from './lib/leftovers.mjs';
import { CONTOSO, entraLines, SECRET_PAGE, siteConfig } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const noOpenssl = spawnSync('openssl', ['version']).status === 0 ? false : 'there is no openssl program';
const MANY = MPM === 'prefork' ? { processes: 6, workers: 12 } : { processes: 4, threads: 4, workers: 16 };

/** An address where nobody listens yet. */
const absent = async () => { const port = await freePort(); return { port, url: `http://127.0.0.1:${port}`, control: async () => ({}), close: async () => {} }; };

describe('documents of the authority', { skip: missing, concurrency: 4 }, () => {
  let backend;
  before(async () => { backend = await startEcho(); });
  after(closeLeftovers);

  test('are read at the start, before anybody asks, once for all processes; and no sign-in reads them again', async () => {
    const site = await startSite({ backend, ...MANY });
    await until('the first fetch', () => site.calls('keys') === 1);
    assert.equal(site.calls('discovery'), 1);
    const pages = await Promise.all(Array.from({ length: 24 }, () => site.browser().navigate(site.at('/page.html'))));
    // A gate of a quarter may ask some to come back.
    assert.ok(pages.filter(({ status }) => status === 200).length >= 3, pages.map(({ status }) => status).join());
    for (let i = 0; i < 12; i += 1) assert.equal((await site.browser().navigate(site.at('/page.html'))).status, 200);
    assert.deepEqual([site.calls('discovery'), site.calls('keys')], [1, 1]);
    site.httpd.allow(/ENTRA1054|AH10159|AH00484|AH00161|AH03490/);
    await site.stop();
  });

  test('virtual hosts of one tenant share them; another tenant has its own', async () => {
    const emu = await startEmulator({ auto: 'ada' });
    const host = (server, name, lines) => `<VirtualHost 127.0.0.1:${server.port}>\nServerName http://${name}:${server.port}\n${lines}\n<Location "/">\nAuthType Entra\nRequire valid-user\n</Location>\n</VirtualHost>`;
    const site = await startSite({
      emu,
      backend,
      ...MANY,
      config: (server) => [
        host(server, 'localhost', entraLines(server, emu)),
        host(server, '127.0.0.1', entraLines(server, emu, { EntraClientID: OTHER_CLIENT, EntraClientSecret: OTHER_CLIENT_SECRET })),
        host(server, '127.0.0.2', entraLines(server, emu, { EntraTenant: FABRIKAM })),
      ].join('\n'),
      allowLog: [/ENTRA4005/],
    });
    await until('both authorities', () => site.calls('keys') >= 2);
    for (const name of ['localhost', '127.0.0.1']) assert.equal((await site.browser().navigate(`http://${name}:${site.httpd.port}/page.html`)).status, 200);
    assert.deepEqual([site.calls('discovery'), site.calls('keys')], [2, 2]);
    await site.stop();
    await emu.close();
  });

  test('a graceful restart keeps keys and sessions: nothing is fetched again, and nobody signs in again', async () => {
    const site = await startSite({ backend });
    const browser = await site.signedIn();
    const before_ = [site.calls('discovery'), site.calls('keys')];
    for (const endpoint of ['discovery', 'keys']) await site.emu.control('fault', { endpoint, status: 503 });
    await site.httpd.graceful();
    assert.equal(await whoAmI(site, browser), 'ada@contoso.example');
    assert.equal((await site.browser().navigate(site.at('/page.html'))).status, 200, 'with the keys of before');
    assert.deepEqual([site.calls('discovery'), site.calls('keys')], before_);
    await site.stop();
  });

  test('a redirect in their place is not followed', async () => {
    const emu = await startEmulator({ auto: 'ada' });
    const elsewhere = await startEcho();
    await emu.control('fault', { endpoint: 'discovery', status: 302, headers: { Location: `${elsewhere.url}/openid-configuration` } });
    const site = await startSite({ emu, backend, expectLog: [/ENTRA1100: /], allowLog: [/ENTRA1105/] });
    assertPage(site, (await site.browser().navigate(site.at('/page.html'))).response, 503);
    assert.equal(elsewhere.requests.length, 0);
    await site.stop();
    await emu.close();
    await elsewhere.close();
  });

  test('an unknown tenant is named, and what to do', async () => {
    const site = await startSite({ backend, directives: { EntraTenant: '11111111-2222-4333-8444-555555555555' }, expectLog: [/ENTRA1101: the authority does not know this tenant: .*EntraTenant|ENTRA1101: /], allowLog: [/ENTRA1105/] });
    await until('the fault in the log', () => /ENTRA1101: .*AADSTS90002/.test(site.httpd.errorLog()));
    const page = await site.browser().navigate(site.at('/page.html'));
    assertPage(site, page.response, 503);
    await site.stop();
  });

  for (const [name, fault] of [['429 with Retry-After', { status: 429, retryAfter: 7 }], ['503', { status: 503 }], ['a broken answer', { cutBody: true }], ['a slow answer', { delayMs: 300 }]]) {
    test(`${name} at the start: heals without a restart`, async () => {
      const emu = await startEmulator({ auto: 'ada' });
      await emu.control('fault', { endpoint: 'discovery', ...fault, count: 1 });
      const site = await startSite({ emu, backend, processes: 2, allowLog: [/ENTRA11\d\d:|ENTRA105\d:/] });
      const children = site.httpd.children();
      await until('a sign-in', async () => (await site.browser().navigate(site.at('/page.html'))).status === 200, { timeout: 15_000, step: 100 });
      assert.ok(children.every((pid) => site.httpd.children().includes(pid)));
      await site.stop();
      await emu.close();
    });
  }
});

describe('outages', { skip: missing }, () => {
  let backend;
  before(async () => { backend = await startEcho(); });
  after(closeLeftovers);

  test('nobody listens at the start: httpd starts, pages are served, sign-in gets 503 with Retry-After at once, and heals by itself', async () => {
    const nobody = await absent();
    const site = await startSite({ emu: nobody, backend, ...MANY, expectLog: [/ENTRA1050: /], allowLog: [/ENTRA110\d|ENTRA1054|ENTRA1050/] });
    const children = site.httpd.children();
    assert.equal((await site.httpd.get('/public/')).status, 200);
    const pages = await Promise.all(Array.from({ length: 6 }, () => site.browser().navigate(site.at('/page.html'), { follow: false })));
    for (const page of pages) {
      assert.equal(page.status, 503);
      assert.match(page.header('retry-after'), /^\d+$/);
      assertClosed(page.response);
    }
    site.emu = await startEmulator({ port: nobody.port, auto: 'ada' });
    await until('a sign-in', async () => (await site.browser().navigate(site.at('/page.html'))).status === 200, { timeout: 20_000, step: 100 });
    assert.ok(children.every((pid) => site.httpd.children().includes(pid)), 'without a restart');
    await site.stop();
    await site.emu.close();
  });

  test('goes away later and comes back with other keys: signed-in users notice nothing, sign-in says 503 and then works', async () => {
    const port = await freePort();
    const first = await startEmulator({ port, auto: 'ada' });
    const site = await startSite({ emu: first, backend, expectLog: [/ENTRA10(50|55): /], allowLog: [/ENTRA110\d|ENTRA105\d|ENTRA12\d\d/] });
    const user = await site.signedIn();
    const waiting = site.browser();
    const held = await site.begin(waiting);
    await first.close();

    for (let i = 0; i < 5; i += 1) {
      assert.equal(await whoAmI(site, user), 'ada@contoso.example');
      assert.match((await user.navigate(site.at('/page.html'))).text, new RegExp(SECRET_PAGE));
    }
    const page = await waiting.resume(held);
    assertPage(site, page.response, 503);
    assert.match(page.header('retry-after'), /^\d+$/);
    assert.ok(!waiting.cookies.all.some(({ name }) => SESSION_COOKIE.test(name)));
    const start = await site.browser().navigate(site.at('/page.html'), { follow: false });
    assert.equal(start.status, 302, 'the way to Entra is known: it may be only this node that cannot reach it');
    const out = await user.navigate(site.at('/.entra/logout'), { follow: false });
    assert.equal(out.status, 302, 'and whoever wants to leave can leave');
    assert.equal(await whoAmI(site, user), undefined);

    site.emu = await startEmulator({ port, auto: 'ada' });
    await until('a sign-in', async () => (await site.browser().navigate(site.at('/page.html'))).status === 200, { timeout: 15_000, step: 100 });
    await site.stop();
    await site.emu.close();
  });

  test('a token endpoint that hangs: a quarter of the workers wait, all other sign-ins are told to come later before these end, and pages are served', async () => {
    const size = MPM === 'prefork' ? { processes: 16, workers: 16 } : { processes: 1, threads: 16, workers: 16 };
    const site = await startSite({ backend, ...size, directives: { EntraOutboundTimeout: '500ms 8s' }, expectLog: [/ENTRA1054: /, /ENTRA1052: /] });
    const user = await site.signedIn();
    const held = await Promise.all(Array.from({ length: 12 }, async () => { const browser = site.browser(); return [browser, await site.begin(browser)]; }));
    await site.emu.control('fault', { endpoint: 'token', hang: true });
    const order = [];
    const all = held.map(([browser, page]) => browser.navigate(page.url, { follow: false }).then((result) => {
      const id = /ENTRA(\d{4})/.exec(result.text)?.[1];
      order.push(id);
      assert.equal(result.status, 503, result.text);
      assert.match(result.header('retry-after'), /^\d+$/);
      assertClosed(result.response);
    }));
    await until('the refusals', () => order.length >= 8);
    for (let i = 0; i < 10; i += 1) {
      assert.equal((await user.navigate(site.at('/page.html'))).status, 200);
      order.push('page');
    }
    await Promise.all(all);
    const busy = order.filter((id) => id === '1054').length;
    const hung = order.filter((id) => id === '1052').length;
    assert.ok(hung >= 1 && hung <= 4, `a quarter of 16 at most: ${order}`);
    assert.equal(busy + hung, 12, order.join());
    assert.ok(order.lastIndexOf('1054') < order.indexOf('1052'), `who is refused is refused at once: ${order}`);
    assert.ok(order.lastIndexOf('page') < order.indexOf('1052'), `pages do not wait: ${order}`);

    await site.emu.control('fault', undefined, 'DELETE');
    for (let i = 0; i < 6; i += 1) assert.equal((await site.browser().navigate(site.at('/page.html'))).status, 200, 'the places are free again');
    await site.stop();
  });

  test('a child that is killed while it waits does not keep its place at the gate', { skip: MPM === 'prefork' ? false : 'one process has all places here' }, async () => {
    const site = await startSite({ backend, processes: 8, workers: 8, directives: { EntraOutboundTimeout: '500ms 20s' }, expectLog: [/ENTRA1054: /], allowLog: [/AH00052|AH00051|exit signal/] });
    const held = await Promise.all(Array.from({ length: 4 }, async () => { const browser = site.browser(); return [browser, await site.begin(browser)]; }));
    await site.emu.control('fault', { endpoint: 'token', hang: true });
    const waiting = held.map(([browser, page]) => browser.navigate(page.url, { follow: false }).catch((error) => error));
    await until('two that wait', () => site.calls('token') === 2);
    for (const pid of site.httpd.children()) process.kill(pid, 'SIGKILL');
    await Promise.all(waiting);
    await site.emu.control('fault', undefined, 'DELETE');
    await until('new children', async () => (await site.httpd.get('/public/').catch(() => ({}))).status === 200);
    for (let i = 0; i < 4; i += 1) assert.equal((await site.browser().navigate(site.at('/page.html'))).status, 200);
    await site.stop({ judge: false });
  });

  for (const [name, bend, status, numbers] of [
    ['500', { status: 500, body: 'x' }, 503, '1323'], ['502 with a page', { status: 502, body: '<html>' }, 503, '1323'], ['429', { status: 429, retryAfter: 11 }, 503, '1323'], ['408', { status: 408 }, 503, '1323'],
    ['a connection that ends', { close: true }, 503, '105[05]'], ['half an answer', { cutBody: true }, 503, '105\\d'], ['404', { status: 404, body: 'x' }, 502, '1324'], ['a redirect', { status: 302, headers: { Location: 'https://evil.test/' } }, 502, '1324'], ['204', { status: 204 }, 502, '1324'],
  ]) {
    test(`the token endpoint answers ${name}: ${status}, and the next sign-in is as good as ever`, async () => {
      const site = await shared();
      // Not once: over a connection that was reused, libcurl itself tries a second time.
      await site.emu.control('fault', { endpoint: 'token', ...bend });
      const page = await site.browser().navigate(site.at('/page.html'));
      assert.equal(page.status, status, page.trace);
      assertPage(site, page.response, status);
      assert.match(page.text, new RegExp(`ENTRA${numbers}`));
      if (bend.retryAfter) assert.equal(page.header('retry-after'), String(bend.retryAfter));
      await site.emu.control('fault', undefined, 'DELETE');
      assert.equal((await site.browser().navigate(site.at('/page.html'))).status, 200);
    });
  }

  let one;
  async function shared() {
    one ??= await startSite({ backend, allowLog: [/ENTRA13\d\d|ENTRA105\d/] });
    await one.reset();
    return one;
  }
});

describe('TLS to the authority', { skip: missing || noOpenssl, concurrency: 4 }, () => {
  let folder;
  let backend;
  const files = {};

  const openssl = (...args) => {
    const run = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    assert.equal(run.status, 0, run.stderr);
  };

  /** A certificate of `ca` for these names. */
  function issue(name, ca, names) {
    writeFileSync(path.join(folder, `${name}.ext`), `subjectAltName=${names}\n`);
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-CAcreateserial', '-days', '2', '-out', `${name}.pem`, '-extfile', `${name}.ext`);
    return { cert: path.join(folder, `${name}.pem`), key: path.join(folder, `${name}.key`) };
  }

  before(async () => {
    backend = await startEcho();
    folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-tls-'));
    for (const ca of ['ca', 'other-ca']) openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', `${ca}.key`, '-out', `${ca}.pem`, '-subj', `/CN=${ca}`, '-addext', 'basicConstraints=critical,CA:TRUE');
    files.good = issue('good', 'ca', 'IP:127.0.0.1,DNS:localhost');
    files.wrongHost = issue('wrong-host', 'ca', 'DNS:login.example');
  });
  after(async () => {
    await closeLeftovers();
    rmSync(folder, { recursive: true, force: true });
  });

  const ca = (name) => ({ [`${name}.pem`]: readFileSync(path.join(folder, `${name}.pem`), 'utf8') });
  // The test browser speaks no TLS: where the emulator is asked by a browser, a plain client does it.
  const start = (site) => site.browser().navigate(site.at('/page.html'), { follow: false });

  test('a certificate of EntraTrustedCA is taken', async () => {
    const emu = await startEmulator({ auto: 'ada', tls: files.good });
    const site = await startSite({ emu, backend, files: ca('ca'), directives: { EntraTrustedCA: 'ca.pem' } });
    await until('the documents', () => site.calls('keys') === 1);
    const page = await start(site);
    assert.equal(page.status, 302);
    assert.ok(page.response.location.startsWith(`${emu.url}/${CONTOSO}/oauth2/v2.0/authorize?`));
    await site.stop();
    await emu.close();
  });

  for (const [name, tls, trusted] of [['a certificate of another CA', 'good', 'other-ca'], ['a certificate that no system trusts', 'good', null], ['a certificate for another host', 'wrongHost', 'ca']]) {
    test(`${name} is refused: ENTRA1051, 503, and no secret is sent`, async () => {
      const emu = await startEmulator({ auto: 'ada', tls: files[tls] });
      const site = await startSite({ emu, backend, files: trusted ? ca(trusted) : {}, directives: trusted ? { EntraTrustedCA: `${trusted}.pem` } : {}, expectLog: [/ENTRA1051: the other side's TLS certificate was not accepted: 127\.0\.0\.1/], allowLog: [/ENTRA1105/] });
      await until('the refusal', () => /ENTRA1051:/.test(site.httpd.errorLog()));
      const page = await start(site);
      assertPage(site, page.response, 503);
      assert.equal(site.calls('discovery'), 0);
      assert.equal(site.calls('token'), 0);
      await site.stop();
      await emu.close();
    });
  }

  test('a whole sign-in over TLS, by one connection for each process', async (t) => {
    const emu = await startEmulator({ auto: 'ada', tls: files.good });
    t.after(() => emu.close());
    const site = await startSite({ emu, backend, processes: 1, ...(MPM === 'prefork' ? { workers: 1, allowLog: [/AH00161/] } : { threads: 16, workers: 16 }), files: ca('ca'), directives: { EntraTrustedCA: 'ca.pem' }, allowLog: [/AH00161/] });
    const agent = new https.Agent({ rejectUnauthorized: false, keepAlive: true });
    const authorize = (url) => new Promise((resolve, reject) => { https.get(url, { agent }, (res) => { res.resume(); resolve(res.headers.location); }).on('error', reject); });
    for (let i = 0; i < 6; i += 1) {
      const browser = site.browser();
      const first = await browser.navigate(site.at('/page.html'), { follow: false });
      const back = await authorize(first.response.location);
      const page = await browser.navigate(back.replace(/#$/, ''));
      assert.equal(page.status, 200, page.trace);
      assert.match(page.text, new RegExp(SECRET_PAGE));
    }
    assert.equal(site.calls('token'), 6);
    const { connections } = emu.stats();
    assert.ok(connections.byEndpoint.token <= 2, `${connections.byEndpoint.token} connections for 6 codes`);
    agent.destroy();
    await site.stop();
  });

  test('EntraOutboundProxy carries it; a proxy of the environment is not asked', async () => {
    const emu = await startEmulator({ auto: 'ada', tls: files.good });
    const asked = [];
    const tunnels = new Set();
    const proxy = http.createServer((req, res) => { asked.push(`${req.method} ${req.url}`); res.writeHead(500).end(); });
    proxy.on('connect', (req, socket, head) => {
      asked.push(`CONNECT ${req.url}`);
      const [, port] = req.url.split(':');
      const far = net.connect(Number(port), '127.0.0.1', () => { socket.write('HTTP/1.1 200 OK\r\n\r\n'); far.write(head); far.pipe(socket); socket.pipe(far); });
      for (const end of [socket, far]) { tunnels.add(end); end.on('error', () => end.destroy()); end.on('close', () => { tunnels.delete(end); socket.destroy(); far.destroy(); }); }
    });
    await new Promise((resolve) => { proxy.listen(0, '127.0.0.1', resolve); });
    const address = `http://127.0.0.1:${proxy.address().port}`;
    try {
      const through = await startSite({ emu, backend, files: ca('ca'), directives: { EntraTrustedCA: 'ca.pem', EntraOutboundProxy: address } });
      await until('the documents', () => through.calls('keys') === 1);
      assert.equal(asked[0], `CONNECT 127.0.0.1:${emu.port}`);
      assert.equal((await start(through)).status, 302);
      await through.stop();
      asked.length = 0;
      await emu.control('reset', {});
      const env = Object.fromEntries(['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'].map((name) => [name, address]));
      const without = await startSite({ emu, backend, files: ca('ca'), directives: { EntraTrustedCA: 'ca.pem' }, env: { ...env, CURL_CA_BUNDLE: '/nowhere', SSL_CERT_FILE: '/nowhere' } });
      await until('the documents', () => without.calls('keys') === 1);
      assert.deepEqual(asked, []);
      await without.stop();
    } finally {
      for (const end of tunnels) end.destroy();
      proxy.closeAllConnections();
      await new Promise((resolve) => { proxy.close(resolve); });
      await emu.close();
    }
  });
});

describe('tenants', { skip: missing }, () => {
  let emu;
  let backend;
  before(async () => { [emu, backend] = await Promise.all([startEmulator({ auto: 'ada' }), startEcho()]); });
  after(closeLeftovers);
  beforeEach(async () => { await emu.control('reset', {}); });

  const make = (directives, options = {}) => startSite({ emu, backend, directives, ...options });
  const enter = async (site, user) => {
    await site.as(user);
    const browser = site.browser();
    const page = await browser.navigate(site.at('/app/who'));
    return { page, browser, headers: page.status === 200 ? Object.fromEntries(page.json().headers) : {} };
  };
  const person = (key) => people.find((user) => user.key === key);

  for (const authority of ['organizations', 'common']) {
    test(`${authority} with a list: who is on it comes in, named by oid and tenant; another is refused with 403 and no session`, async () => {
      const site = await make({ EntraTenant: authority, EntraAllowedTenants: CONTOSO.toUpperCase() }, { allowLog: [/ENTRA1256/] });
      const ada = await enter(site, 'ada');
      assert.equal(ada.page.status, 200, ada.page.trace);
      assert.equal(ada.headers['X-Entra-User'], `${person('ada').oid}@${CONTOSO}`);
      const fab = await enter(site, 'fab');
      assertPage(site, fab.page.response, 403, 1256);
      assert.ok(!fab.browser.cookies.all.some(({ name }) => SESSION_COOKIE.test(name)));
      await site.stop();
    });
  }

  test('organizations with any: both tenants come in, and the e-mail address of one is not the identity of the other', async () => {
    const site = await make({ EntraTenant: 'organizations', EntraAllowedTenants: 'any' });
    const ada = await enter(site, 'ada');
    const fab = await enter(site, 'fab');
    assert.deepEqual([ada.page.status, fab.page.status], [200, 200]);
    assert.equal(fab.headers['X-Entra-Email'], ada.headers['X-Entra-Email']);
    assert.notEqual(fab.headers['X-Entra-User'], ada.headers['X-Entra-User']);
    assert.equal(fab.headers['X-Entra-User'], `${person('fab').oid}@${FABRIKAM}`);
    await site.stop();
  });

  test('common with a list of two; personal accounts are a tenant like another', async () => {
    const site = await make({ EntraTenant: 'common', EntraAllowedTenants: `${FABRIKAM} ${CONSUMERS}` }, { allowLog: [/ENTRA1256/] });
    assert.equal((await enter(site, 'fab')).page.status, 200);
    assert.equal((await enter(site, 'msa')).page.status, 200);
    assert.equal((await enter(site, 'ada')).page.status, 403);
    await site.stop();
  });

  test('consumers', async () => {
    const site = await make({ EntraTenant: 'consumers' });
    const { page, headers } = await enter(site, 'msa');
    assert.equal(page.status, 200, page.trace);
    assert.equal(headers['X-Entra-Tenant-Id'], CONSUMERS);
    await site.stop();
  });

  test('a tenant given as a domain is the tenant behind it, and no other', async () => {
    const site = await make({ EntraTenant: 'Contoso.Example' }, { allowLog: [/ENTRA12\d\d/] });
    const { page, headers } = await enter(site, 'ada');
    assert.equal(page.status, 200, page.trace);
    assert.equal(headers['X-Entra-Tenant-Id'], CONTOSO);
    assert.equal(headers['X-Entra-User'], 'ada@contoso.example');
    await emu.control('idtoken', { set: { tid: FABRIKAM, iss: `${emu.url}/${FABRIKAM}/v2.0` } });
    const forged = await enter(site, 'ada');
    assert.ok([403, 502].includes(forged.page.status));
    assertClosed(forged.page.response);
    await emu.control('idtoken', { set: { tid: FABRIKAM } });
    assert.ok([403, 502].includes((await enter(site, 'ada')).page.status));
    await site.stop();
  });

  test('one tenant: a token of another tenant, with the signature of the same keys, is refused', async () => {
    const site = await make({}, { allowLog: [/ENTRA12\d\d/] });
    for (const set of [{ tid: FABRIKAM, iss: `${emu.url}/${FABRIKAM}/v2.0` }, { tid: FABRIKAM }, { iss: `${emu.url}/${FABRIKAM}/v2.0` }, { iss: `${emu.url}/{tenantid}/v2.0` }]) {
      await emu.control('idtoken', { set });
      const { page } = await enter(site, 'ada');
      assert.ok([403, 502].includes(page.status), JSON.stringify(set));
      assertClosed(page.response);
    }
    await site.stop();
  });

  test('a session made under one list of tenants, or one tenant, is none under another', async () => {
    const site = await make({ EntraTenant: 'organizations', EntraAllowedTenants: 'any' }, { allowLog: [/ENTRA1256/] });
    const { browser } = await enter(site, 'fab');
    assert.ok(await whoAmI(site, browser));
    site.httpd.configure({ config: (server) => siteConfig(server, { emu, backend, directives: { EntraTenant: CONTOSO } }) });
    await site.httpd.graceful();
    assert.equal(await whoAmI(site, browser), undefined, 'of another tenant now');
    await site.stop();
  });

  test('a tenant taken off the list: its sessions end with the next request', async () => {
    const site = await make({ EntraTenant: 'organizations', EntraAllowedTenants: `${CONTOSO} ${FABRIKAM}` }, { allowLog: [/ENTRA1256/] });
    const { browser } = await enter(site, 'fab');
    assert.ok(await whoAmI(site, browser));
    const ada = await enter(site, 'ada');
    site.httpd.configure({ config: (server) => siteConfig(server, { emu, backend, directives: { EntraTenant: 'organizations', EntraAllowedTenants: CONTOSO } }) });
    await site.httpd.graceful();
    assert.equal(await whoAmI(site, browser), undefined);
    assert.ok(await whoAmI(site, ada.browser), 'the others stay');
    assert.equal((await enter(site, 'fab')).page.status, 403);
    await site.stop();
  });
});
