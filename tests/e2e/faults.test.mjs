// SPDX-License-Identifier: Apache-2.0
// Things that break in the middle: processes killed while they wait for Entra, a network that ends in every phase of every call, random
// numbers that are not to be had, a clock that jumps between two steps. What fails as a whole is in failure.test.mjs.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after, before, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assertClosed, assertPage, assertSignIn, USERS, whoAmI } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { copyOf } from './lib/cluster.mjs';
import { headerOf, startEcho } from './lib/echo.mjs';
import { CGI_DAEMON, missing, MPM } from './lib/httpd.mjs';
import { closeLeftovers, startEmulator, startSite } from './lib/leftovers.mjs';
import { startLine } from './lib/line.mjs';
import { SECRET_PAGE } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const MINUTE = 60;
const KILLED = [/AH0005[12]|AH10159/, CGI_DAEMON];
/** What a call that breaks says, in a sign-in or a renewal. */
const BROKEN = /ENTRA(1022|1050|1052|1053|1054|1055|1100|1102|1105|1110|1111|1322|1323|1324|142\d|143\d): /;
const WAYS = ['reset', 'line', 'head', 'body', 'swallow', 'drip'];
const noOpenssl = spawnSync('openssl', ['version']).status === 0 ? false : 'there is no openssl for certificates';

const backend = missing ? null : await startEcho();
after(async () => { await backend?.close(); await closeLeftovers(); });

const begun = async (site) => { const browser = site.browser(); return { browser, page: await site.begin(browser) }; };
const tokenCalls = (site, grant) => site.emu.stats().grants[grant]?.calls ?? 0;
const killAll = (site) => { for (const pid of site.httpd.children()) process.kill(pid, 'SIGKILL'); };
const signsIn = async (site, user = 'ada') => (await site.signedIn({ user }).catch(() => null)) !== null;

/** A site whose Entra is behind a line. `spoil` is done to the line before httpd starts. */
async function startLined({ tls, spoil, ...options } = {}) {
  const line = await startLine();
  const publicUrl = tls ? line.url.replace('http:', 'https:') : line.url;
  const emu = await startEmulator({ auto: 'ada', publicUrl, ...(tls ? { tls } : {}) });
  line.to(emu.port);
  if (spoil) line.spoil(...spoil);
  const site = await startSite({ emu, backend, ...options, directives: { EntraOutboundTimeout: '500ms 1s', ...options.directives } });
  const stop = site.stop.bind(site);
  site.httpd.allow(BROKEN);
  return Object.assign(site, { line, async stop() { try { await stop(); } finally { await line.close(); await emu.close(); } } });
}

async function forward(site, seconds) {
  site.httpd.clock.forward(seconds);
  await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
}

describe('processes that are killed in the middle', { skip: missing }, () => {
  test('killed while Entra holds its answer: who signs in tries again and is in, nobody else notices', async () => {
    const site = await startSite({ backend, processes: MPM === 'prefork' ? 8 : 2, threads: 8, workers: 16, allowLog: [...KILLED, BROKEN] });
    const signedIn = await site.signedIn();
    const held = [];
    for (let i = 0; i < 4; i += 1) held.push(await begun(site));
    await site.emu.control('fault', { endpoint: 'token', grant: 'authorization_code', hang: true });
    const had = tokenCalls(site, 'authorization_code');
    const answers = held.map(({ browser, page }) => browser.resume(page).then((answer) => answer.status, () => 'no answer'));
    await until('the codes to be at Entra', () => tokenCalls(site, 'authorization_code') >= had + 2);
    killAll(site);
    await until('other processes', () => site.httpd.children().length > 0 && site.httpd.get('/public/').then(({ status }) => status === 200, () => false));
    for (const status of await Promise.all(answers)) assert.ok(['no answer', 503].includes(status), `a sign-in that was under way: ${status}`);
    assert.equal(await whoAmI(site, signedIn), USERS.ada, 'who is signed in');
    await site.emu.control('fault', undefined, 'DELETE');
    for (const { browser, page } of held) {
      // The same callback once more, as a browser does it, or the page from the start.
      const again = await browser.resume(page);
      const last = again.status === 200 ? again : await browser.navigate(site.at('/page.html'));
      assert.equal(last.status, 200, last.trace);
      assert.match(last.text, new RegExp(SECRET_PAGE));
      assert.equal(await whoAmI(site, browser), USERS.ada);
    }
    await site.stop();
  });

  test('killed behind a code that Entra took: the code is used up, and the next sign-in works', async () => {
    const site = await startLined({ processes: MPM === 'prefork' ? 6 : 2, threads: 8, workers: 16, allowLog: KILLED, directives: { EntraOutboundTimeout: '2s 20s' } });
    const held = await begun(site);
    site.line.spoil(/POST .*\/token /, 'swallow');
    const answer = held.browser.resume(held.page).then(({ status }) => status, () => 'no answer');
    await until('an answer that was lost', () => site.line.spoilt() > 0);
    killAll(site);
    assert.equal(await answer, 'no answer');
    await site.line.mend();
    await until('other processes', () => site.httpd.get('/public/').then(({ status }) => status === 200, () => false));
    site.httpd.allow(/ENTRA13\d\d: /);
    const again = await held.browser.resume(held.page);
    if (again.status !== 200) assertClosed(again.response, 'a used code');
    const last = again.status === 200 ? again : await held.browser.navigate(site.at('/page.html'));
    assert.equal(last.status, 200, last.trace);
    await site.stop();
  });

  test('killed in the middle of a renewal: the session goes on, and is renewed once the claim on it has ended', { skip: noClock }, async () => {
    const site = await startSite({ backend, clock: true, processes: MPM === 'prefork' ? 6 : 2, threads: 8, workers: 16, allowLog: [...KILLED, BROKEN] });
    const browsers = [await site.signedIn(), await site.signedIn({ user: 'root' })];
    const cookies = browsers.map(copyOf);
    await site.emu.control('fault', { endpoint: 'token', grant: 'refresh_token', hang: true });
    await forward(site, 6 * MINUTE);
    await until('the questions', async () => {
      for (const browser of browsers) assert.notEqual(await whoAmI(site, browser), undefined);
      return tokenCalls(site, 'refresh_token') >= 2;
    });
    killAll(site);
    await until('other processes', () => site.httpd.get('/public/').then(({ status }) => status === 200, () => false));
    await site.emu.control('fault', undefined, 'DELETE');
    const had = tokenCalls(site, 'refresh_token');
    for (const [i, cookie] of cookies.entries()) {
      const page = await site.httpd.request({ path: '/app/who', headers: { Cookie: cookie, Accept: 'application/json' } });
      assert.deepEqual(headerOf(page.json(), 'x-entra-user'), [[USERS.ada, USERS.root][i]], 'goes on');
    }
    await site.emu.control('user', { user: 'ada', set: { roles: ['app.admin'] } });
    // The claim of a process that died ends after three minutes.
    await forward(site, 4 * MINUTE);
    await until('the renewal of both', async () => {
      for (const browser of browsers) await whoAmI(site, browser);
      return tokenCalls(site, 'refresh_token') >= had + 2;
    });
    await until('its result', async () => headerOf((await browsers[0].navigate(site.at('/app/who'))).json(), 'x-entra-roles')[0] === 'app.admin');
    await site.stop();
  });
});

describe('a network that ends in every phase', { skip: missing }, () => {
  for (const [what, pattern] of [['the discovery document', /GET .*openid-configuration/], ['the keys', /GET .*\/keys/]]) {
    for (const how of WAYS) {
      test(`${what}, ${how}: sign-ins are told to come later, and work by themselves afterwards`, async () => {
        const site = await startLined({ spoil: [pattern, how] });
        await until('an answer that was spoilt', () => site.line.spoilt() > 0);
        const page = await site.browser().navigate(site.at('/page.html'));
        assertPage(site, page.response, 503, undefined, page.trace);
        assert.match(page.response.header('retry-after') ?? '', /^\d+$/);
        assertClosed(page.response);
        await site.line.mend();
        await until('a sign-in', () => signsIn(site), { timeout: 15_000 });
        await site.stop();
      });
    }
  }

  test('the token request, in every way: a page within the time limit, no session, and all is well after it', async () => {
    const site = await startLined();
    const signedIn = await site.signedIn();
    for (const how of WAYS) {
      const { browser, page } = await begun(site);
      site.line.spoil(/POST .*\/token /, how);
      const begin = Date.now();
      const answer = await browser.resume(page);
      assert.ok(Date.now() - begin < 4000, `${how}: after ${Date.now() - begin} ms`);
      assert.ok([502, 503].includes(answer.status), `${how}: ${answer.status}`);
      assert.match(answer.text, /ENTRA1\d\d\d/, how);
      assertClosed(answer.response, how);
      assert.ok(site.line.spoilt() > 0, how);
      assert.equal(await whoAmI(site, signedIn), USERS.ada, how);
      await site.line.mend();
      await until(`a sign-in after ${how}`, () => signsIn(site), { timeout: 10_000 });
    }
    await site.stop();
  });

  test('the question to Graph, in every way: no session without groups, and all is well after it', async () => {
    const site = await startLined({ extra: (_, { emu }) => `EntraGraphURL ${emu.url}\n<Location "/app/">\n    Require entra-group 00000000-0000-4000-8000-00000000dead\n</Location>` });
    for (const how of WAYS) {
      site.line.spoil(/(GET|POST) \/(v1\.0|beta)\//, how);
      await site.as('gus');
      const page = await site.browser().navigate(site.at('/page.html'));
      assert.ok([502, 503].includes(page.status), `${how}: ${page.status}\n${page.trace}`);
      assertClosed(page.response, how);
      assert.ok(site.line.spoilt() > 0, how);
      await site.line.mend();
      await until(`a sign-in after ${how}`, () => signsIn(site, 'gus'), { timeout: 10_000 });
    }
    await site.stop();
  });

  describe('over TLS', { skip: noOpenssl }, () => {
    let folder;
    const file = (name) => path.join(folder, name);
    before(() => {
      folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-cut-'));
      const openssl = (...args) => assert.equal(spawnSync('openssl', args, { cwd: folder }).status, 0);
      openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=ca', '-addext', 'subjectAltName=IP:127.0.0.1');
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    // In the server's first record, in its certificate, and behind the handshake: in its tickets or the answer.
    for (const bytes of [0, 3, 60, 700, 1600, 2400]) {
      test(`cut after ${bytes} bytes of the other side: later, then by itself`, async () => {
        const tls = { cert: file('ca.pem'), key: file('ca.key') };
        const site = await startLined({ tls, spoil: [bytes], files: { 'ca.pem': readFileSync(tls.cert, 'utf8') }, directives: { EntraTrustedCA: 'ca.pem' }, allowLog: [/ENTRA1051: /] });
        await until('a connection that was cut', () => site.line.spoilt() > 0);
        const page = await site.browser().navigate(site.at('/page.html'));
        assertPage(site, page.response, 503, undefined, page.trace);
        assertClosed(page.response);
        await site.line.mend();
        await until('a sign-in to begin', async () => {
          const first = await site.browser().navigate(site.at('/page.html'), { follow: false });
          return first.status === 302 && first.response.location.startsWith(site.emu.url);
        }, { timeout: 15_000 });
        await site.stop();
      });
    }
  });
});

describe('no random numbers', { skip: missing || noClock || (process.env.ENTRA_PRELOAD ? 'a sanitizer stands before the library' : false) }, () => {
  test('random numbers are not to be had: 503 for new sign-ins, who is signed in goes on, and all is well after it', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-random-'));
    const library = path.join(folder, 'norandom.so');
    const mark = path.join(folder, 'none');
    const built = spawnSync(process.env.CC ?? 'cc', ['-shared', '-fPIC', '-O1', '-o', library, path.join(HERE, 'lib/norandom.c'), '-ldl'], { encoding: 'utf8' });
    assert.equal(built.status, 0, built.stderr);
    spawnSync('chmod', ['-R', 'a+rX', folder]);
    const site = await startSite({ backend, env: { LD_PRELOAD: library, ENTRA_TEST_NO_RANDOM: mark } });
    const signedIn = await site.signedIn();
    const held = await begun(site);
    writeFileSync(mark, '', { mode: 0o644 });
    site.httpd.expect(/ENTRA1001: the system's random numbers are not available/);
    for (let i = 0; i < 3; i += 1) {
      const page = await site.browser().navigate(site.at('/page.html'));
      assertPage(site, page.response, 503, 1001, page.trace);
      assertClosed(page.response);
      assert.deepEqual(page.response.cookies, [], 'no state is made of anything else');
    }
    const late = await held.browser.resume(held.page);
    assert.equal(late.status, 503, late.trace);
    assertClosed(late.response, 'a sign-in that had begun');
    assert.equal(await whoAmI(site, signedIn), USERS.ada, 'who is signed in');
    rmSync(mark);
    await site.signedIn();
    await site.stop();
    rmSync(folder, { recursive: true, force: true });
  });
});

describe('a clock that jumps between two steps', { skip: missing || noClock }, () => {
  test('forward or back while the user is at Entra: within the skew the sign-in ends, beyond it a new one begins or a page says why', async () => {
    const site = await startSite({ backend, clock: true, allowLog: [/ENTRA1\d\d\d: /] });
    for (const seconds of [0, 200, -200]) {
      const { browser, page } = await begun(site);
      site.httpd.clock.forward(seconds);
      assert.equal((await browser.resume(page)).status, 200, `${seconds} s`);
      site.httpd.clock.set(0);
    }
    for (const seconds of [2 * 60 * MINUTE, -2 * 60 * MINUTE]) {
      const { browser, page } = await begun(site);
      site.httpd.clock.forward(seconds);
      const answer = await browser.resume(page, { follow: false });
      assert.ok(answer.status === 302 || answer.status >= 400, `${seconds} s: ${answer.status}`);
      if (answer.status === 302) assertSignIn(site, answer.response, `${seconds} s`);
      else assertClosed(answer.response, `${seconds} s`);
      site.httpd.clock.set(0);
      await until('a sign-in with the right time', () => signsIn(site));
    }
    await site.stop();
  });
});
