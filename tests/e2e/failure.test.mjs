// SPDX-License-Identifier: Apache-2.0
// The table of docs/failure.md, row by row, against real processes: what who is signed in notices, and what a new sign-in does.
// Each case has the name of its row; the last test compares the two, both ways.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { groups } from '../emulator/tenants.mjs';
import { assertClosed, assertPage, assertSignIn, inParallel, SESSION_COOKIE, USERS } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { copyOf, startCluster } from './lib/cluster.mjs';
import { PROGRAM, whileAsking } from './lib/crowd.mjs';
import { entraSso, noCommand } from './lib/command.mjs';
import { mountDisk, noDisk } from './lib/disk.mjs';
import { headerOf, startEcho } from './lib/echo.mjs';
import { hostileTargets, JUNK_QUERIES } from './lib/hostile.mjs';
import { CGI_DAEMON, missing, MODULE, MPM } from './lib/httpd.mjs';
import { closeLeftovers, startEmulator } from './lib/leftovers.mjs';
import { startLine } from './lib/line.mjs';
import { noPostgres, startPostgres } from './lib/postgres.mjs';
import { CLIENT, siteConfig, startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const MANUAL = path.resolve(HERE, '../../docs/failure.md');
const MINUTE = 60;
const MANY = groups.find(({ key }) => key === 'many001').id;
/** What a renewal or a sign-in says while Entra is out of order. */
const OUTAGE = /ENTRA(1050|1052|1053|1054|1055|1100|1105|1106|1110|1323)/;
const AWAY = [/ENTRA207[14]: /, /ENTRA144[1-4]: /];
/** Children that were killed, and the daemon of mod_cgid among them. */
const KILLED = [/AH0005[12]/, CGI_DAEMON];
const isRoot = process.getuid() === 0;
const noRoot = isRoot ? false : 'needs root';

// ---- what is asked in every row ----------------------------------------------------------------------------------------

/** Who is signed in goes on: both kinds of page, as the right user, and nobody waits. */
async function assertGoesOn(site, browser, message, again = true) {
  const begin = Date.now();
  for (const target of ['/page.html', '/app/who']) {
    const page = await browser.navigate(site.at(target), { follow: false });
    assert.equal(page.status, 200, `${message}: ${target} ${page.status}\n${site.httpd.errorLog().slice(-2500)}`);
    if (target === '/app/who') assert.deepEqual(headerOf(page.json(), 'x-entra-user'), [USERS.ada], message);
  }
  const took = Date.now() - begin;
  // Who waits for Entra waits each time; a busy machine does not.
  if (took >= 1500 && again) return assertGoesOn(site, browser, message, false);
  assert.ok(took < 1500, `${message}: waited ${took} ms`);
}

/** A new sign-in is told to come later, by a page of ours, and gets nothing. */
async function assertSignInLater(site, number, message, { held, within = 15_000 } = {}) {
  const browser = held ? held.browser : site.browser();
  const begin = Date.now();
  const page = held ? await browser.resume(held.page) : await browser.navigate(site.at('/page.html'));
  assert.ok(Date.now() - begin < within, `${message}: after ${Date.now() - begin} ms`);
  assertPage(site, page.response, 503, number, `${message}\n${page.trace}`);
  assert.match(page.response.header('retry-after') ?? '', /^\d+$/, message);
  assert.ok(!browser.cookies.all.some(({ name }) => SESSION_COOKIE.test(name)), message);
}

const signsIn = async (site) => (await site.browser().navigate(site.at('/page.html')).catch(() => null))?.status === 200;
const answers = async (site) => (await site.httpd.get('/public/').catch(() => null))?.status === 200;
const assertSignsIn = (site, message) => until(`a sign-in: ${message}`, () => signsIn(site), { timeout: 15_000 });
const hold = async (site) => { const browser = site.browser(); return { browser, page: await site.begin(browser) }; };
const refreshes = (site) => site.emu.stats().grants.refresh_token?.calls ?? 0;
const replay = (site, cookie, target = '/page.html') => site.httpd.request({ path: target, headers: { ...PROGRAM, Cookie: cookie } });
const signOut = (site, browser) => browser.navigate(site.at('/.entra/logout'), { method: 'POST', body: '', from: site.at('/page.html'), follow: false });

async function forward(site, seconds) {
  site.httpd.clock.forward(seconds);
  await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
}

async function crowdOf(site, count = 4) {
  const cookies = [];
  for (let i = 0; i < count; i += 1) cookies.push(copyOf(await site.signedIn()));
  return { cookies, ask: (cookie, target) => replay(site, cookie, target) };
}

const backend = missing ? null : await startEcho();
after(async () => { await backend?.close(); await closeLeftovers(); });

/** A site whose Entra is behind a line that can be cut. */
async function startLined(options = {}) {
  const line = await startLine();
  const emu = await startEmulator({ auto: 'ada', publicUrl: line.url });
  line.to(emu.port);
  const site = await startSite({ emu, backend, clock: true, ...options, directives: { EntraOutboundTimeout: '1s 2s', ...options.directives } });
  const stop = site.stop.bind(site);
  site.httpd.allow(OUTAGE);
  return Object.assign(site, { line, async stop() { try { await stop(); } finally { await line.close(); await emu.close(); } } });
}

/** Entra out of order by a fault of the token endpoint: sign-ins come later, sessions go on although they are due, and all is well after it. */
async function tokenOutage(fault, numbers) {
  const site = await startSite({ backend, clock: true, directives: { EntraOutboundTimeout: '1s 2s' } });
  site.httpd.allow(OUTAGE);
  const browser = await site.signedIn();
  await site.emu.control('fault', { endpoint: 'token', ...fault });
  for (let i = 0; i < 3; i += 1) await assertSignInLater(site, numbers, 'a sign-in');
  await forward(site, 6 * MINUTE);
  for (let i = 0; i < 5; i += 1) await assertGoesOn(site, browser, 'due');
  await until('the question', () => refreshes(site) >= 1);
  await forward(site, 40 * MINUTE);
  await assertGoesOn(site, browser, 'within the grace');
  await site.emu.control('user', { user: 'ada', set: { roles: ['app.admin'] } });
  await site.emu.control('fault', undefined, 'DELETE');
  await assertSignsIn(site, 'after it');
  await forward(site, 2 * MINUTE);
  await until('the renewal', async () => headerOf((await browser.navigate(site.at('/app/who'))).json(), 'x-entra-roles')[0] === 'app.admin');
  await site.stop();
}

/** What each endpoint may answer to a query of junk by somebody who has no session. 200: the page "You are signed out", and the one that asks. */
const GARBAGE = {
  callback: [200, 400], login: [302, 400], logout: [200, 400], 'frontchannel-logout': [400], session: [401], resend: [400, 404], 'scim/v2/Users': [401],
};

// ---- the rows ----------------------------------------------------------------------------------------------------------

/** name of the row: a case, [case, reason to skip], or 'file: case' where another suite shows it. */
const ROWS = {
  'Entra is out of reach': [async () => {
    const site = await startLined();
    const browser = await site.signedIn();
    const held = await hold(site);
    await site.line.cut();
    await assertGoesOn(site, browser, 'out of reach');
    await assertSignInLater(site, 1050, 'a sign-in that had begun', { held, within: 4000 });
    assertSignIn(site, (await site.browser().navigate(site.at('/page.html'), { follow: false })).response, 'one begins');
    await forward(site, 6 * MINUTE);
    await assertGoesOn(site, browser, 'due');
    await site.httpd.graceful();
    await assertGoesOn(site, browser, 'after a reload');
    await site.line.mend();
    await assertSignsIn(site, 'back');
    await site.stop();
  }, noClock],

  'Entra hangs': [async () => {
    const site = await startLined({ workers: 16, threads: 16, processes: MPM === 'prefork' ? 16 : 1 });
    const browser = await site.signedIn();
    const held = [];
    for (let i = 0; i < 8; i += 1) held.push(await hold(site));
    site.line.hang();
    const begin = Date.now();
    const all = Promise.all(held.map((one) => assertSignInLater(site, undefined, 'a sign-in', { held: one, within: 6000 })));
    for (let i = 0; i < 10; i += 1) await assertGoesOn(site, browser, 'while sign-ins hang');
    await all;
    assert.ok(Date.now() - begin < 7000);
    await forward(site, 6 * MINUTE);
    for (let i = 0; i < 5; i += 1) await assertGoesOn(site, browser, 'due');
    await site.line.mend();
    await assertSignsIn(site, 'back');
    await site.stop();
  }, noClock],

  'Entra answers 5xx': [() => tokenOutage({ status: 502 }, 1323), noClock],
  'Entra throttles (429)': [() => tokenOutage({ status: 429, retryAfter: 3 }, 1323), noClock],

  'Entra is out of reach at the start of httpd': [async () => {
    const site = await startLined();
    const browser = await site.signedIn();
    await site.httpd.halt();
    await site.line.cut();
    await site.httpd.start();
    await assertGoesOn(site, browser, 'after the start');
    await assertSignInLater(site, undefined, 'a sign-in', { within: 2000 });
    await site.line.mend();
    await assertSignsIn(site, 'by itself');
    await assertGoesOn(site, browser, 'still');
    await site.stop();
  }, noClock],

  'Entra is out of reach for longer than the grace': [async () => {
    const site = await startLined({ directives: { EntraSessionGrace: '30m' } });
    const browser = await site.signedIn();
    await site.line.cut();
    await forward(site, 34 * MINUTE);
    await assertGoesOn(site, browser, 'within 5m and 30m');
    await forward(site, 2 * MINUTE);
    assertSignIn(site, (await browser.navigate(site.at('/page.html'), { follow: false })).response, 'then a new sign-in');
    await site.line.mend();
    assert.equal((await browser.navigate(site.at('/page.html'))).status, 200, 'which works again');
    await site.stop();
  }, noClock],

  'Entra is out of reach for more than a day': [async () => {
    const site = await startLined();
    await site.signedIn();
    await site.line.cut();
    await forward(site, 25 * 60 * MINUTE);
    await assertSignInLater(site, 1106, 'keys of yesterday', { within: 2000 });
    await site.line.mend();
    // A try of the node itself may have met the cut line; the next comes after a minute.
    await forward(site, MINUTE + 1);
    await assertSignsIn(site, 'by itself');
    await site.stop();
  }, noClock],

  'a burst of sign-ins, Entra answers': 'signin.test.mjs: 50 at once right after the start all succeed',

  'Entra rolls its signing keys over': [async () => {
    const site = await startSite({ backend, clock: true });
    const browser = await site.signedIn();
    await site.emu.control('keys', { action: 'roll', drop: true });
    await assertGoesOn(site, browser, 'after it');
    assert.ok(await signsIn(site), 'the first sign-in fetches the new key');
    await site.emu.control('user', { user: 'ada', set: { roles: ['app.admin'] } });
    await forward(site, 6 * MINUTE);
    await assertGoesOn(site, browser, 'due');
    await until('the renewal', async () => headerOf((await browser.navigate(site.at('/app/who'))).json(), 'x-entra-roles')[0] === 'app.admin');
    await site.stop();
  }, noClock],

  'Graph is out of reach, slow, throttles or refuses': [async () => {
    const site = await startSite({ backend, clock: true, directives: { EntraOutboundTimeout: '1s 2s' }, extra: (server, { emu }) => `EntraGraphURL ${emu.url}\n<Location "/app/">\n    Require entra-group ${MANY}\n</Location>` });
    const gus = await site.signedIn({ user: 'gus' });
    const inGroup = async () => (await gus.navigate(site.at('/app/who'), { follow: false })).status;
    assert.equal(await inGroup(), 200);
    for (const [fault, lines] of [[{ close: true }, /ENTRA14[23]\d|ENTRA105\d/], [{ hang: true }, /ENTRA14[23]\d|ENTRA105\d/], [{ status: 429, retryAfter: 1 }, /ENTRA14[23]\d/], [{ status: 403, body: {} }, /ENTRA14[23]\d/]]) {
      site.httpd.allow(lines);
      const name = JSON.stringify(fault);
      await site.emu.control('fault', { endpoint: 'graph', ...fault });
      assert.ok(await signsIn(site), `${name}: ada's token has her groups`);
      await site.as('gus');
      const refused = await site.browser().navigate(site.at('/page.html'));
      await site.as('ada');
      assert.ok([502, 503].includes(refused.status), `${name}: ${refused.status}`);
      assertClosed(refused.response, name);
      await forward(site, 6 * MINUTE);
      const had = refreshes(site);
      const from = site.httpd.errorLog().length;
      assert.equal(await inGroup(), 200, `${name}: due`);
      await until('the question', () => refreshes(site) > had);
      await site.httpd.waitForLog(/tid \d+\] ENTRA1(4[23]|05)\d: /, { from });
      assert.equal(await inGroup(), 200, `${name}: with the groups of before`);
      await site.emu.control('fault', undefined, 'DELETE');
      const then = refreshes(site);
      await forward(site, 6 * MINUTE);
      await until('a renewal', async () => (await inGroup()) === 200 && refreshes(site) > then);
    }
    await site.stop();
  }, noClock],

  'a changed secret, certificate or cookie.keys is no good': 'credentials.test.mjs: keys of cookies and a secret (${source}:) change under a running httpd; bad files change nothing',
  'the certificate is renewed here, but not uploaded yet': 'credentials.test.mjs: a certificate changes: the one before serves until Entra knows the new one, over a reload too',
  "a managed identity's endpoint is out of order": 'credentials.test.mjs: managed identity, ${name}: asked once, asked again when it passes, refused when it does not',

  'the secret or certificate has ended': [async () => {
    const site = await startSite({ backend, clock: true, allowLog: [OUTAGE] });
    const browser = await site.signedIn();
    site.httpd.expect(/ENTRA1320: /);
    await site.emu.control('client', { client_id: CLIENT, set: { secrets: [] } });
    const page = await site.browser().navigate(site.at('/page.html'));
    assertPage(site, page.response, 502, 1320, page.trace);
    await forward(site, 6 * MINUTE);
    await assertGoesOn(site, browser, 'due');
    await until('the question', () => refreshes(site) >= 1);
    await forward(site, 40 * MINUTE);
    await assertGoesOn(site, browser, 'within the grace');
    await site.stop();
  }, noClock],

  'a worker process is killed': async () => {
    const site = await startSite({ backend, processes: MPM === 'prefork' ? 6 : 3, threads: 8, workers: 24, allowLog: [...KILLED, /AH10159: /] });
    const crowd = await crowdOf(site);
    await whileAsking(crowd, async (enough) => {
      for (const pid of site.httpd.children()) {
        process.kill(pid, 'SIGKILL');
        await enough(10);
        await assertSignsIn(site, 'after a kill');
      }
      const children = site.httpd.children();
      for (const pid of children) process.kill(pid, 'SIGKILL');
      await until('others', () => site.httpd.children().length && !site.httpd.children().some((pid) => children.includes(pid)));
      await enough(30);
      await assertSignsIn(site, 'after all were killed');
    });
    await site.stop();
  },

  'a worker process is killed while it waits for Entra': 'faults.test.mjs: killed while Entra holds its answer: who signs in tries again and is in, nobody else notices',
  'the network ends in the middle of an answer of Entra': 'faults.test.mjs: the token request, in every way: a page within the time limit, no session, and all is well after it',
  'random numbers are not to be had': 'faults.test.mjs: random numbers are not to be had: 503 for new sign-ins, who is signed in goes on, and all is well after it',

  'httpd is reloaded': async () => {
    const site = await startSite({ backend, allowLog: [/AH00051/] });
    const crowd = await crowdOf(site);
    const held = await hold(site);
    const seen = await whileAsking(crowd, async (enough) => {
      for (let i = 0; i < 3; i += 1) {
        await site.httpd.graceful();
        await enough(10);
        await assertSignsIn(site, 'after a reload');
      }
    });
    assert.equal(seen.gone, 0, 'every request is answered');
    assert.equal((await held.browser.resume(held.page)).status, 200, 'a sign-in that began before');
    await site.stop();
  },

  'httpd is restarted': async () => {
    const site = await startSite({ backend });
    const crowd = await crowdOf(site);
    const held = await hold(site);
    await whileAsking(crowd, async (enough) => {
      for (let i = 0; i < 3; i += 1) {
        await site.httpd.restart();
        await enough(10);
      }
      await site.httpd.halt();
      await site.httpd.start();
    });
    assert.equal((await held.browser.resume(held.page)).status, 200, 'a sign-in that began before');
    await site.stop();
  },

  'the package is upgraded': async () => {
    // The module's file gives way to another while httpd runs; then as Debian does it: a reload, or stop and start.
    const own = (server) => `LoadModule entra_sso_module "${server.path('module/mod_entra_sso.so')}"\nLogLevel entra_sso:trace8\nEntraStateDirectory "${server.stateDir}"`;
    const site = await startSite({
      withModule: false, files: { 'module/mod_entra_sso.so': { content: readFileSync(MODULE), mode: 0o644 } },
      config: (server, made) => `${own(server)}\n${siteConfig(server, { emu: made.emu, backend })}`, backend,
    });
    const file = site.httpd.path('module/mod_entra_sso.so');
    const upgrade = () => { copyFileSync(MODULE, `${file}.new`); renameSync(`${file}.new`, file); };
    const crowd = await crowdOf(site);
    const held = await hold(site);
    const dead = await site.signedIn();
    const deadCookie = copyOf(dead);
    assert.equal((await signOut(site, dead)).status, 302);
    await whileAsking(crowd, async (enough) => {
      upgrade();
      await enough(10);
      await site.httpd.graceful();
      await enough(10);
      assert.equal((await replay(site, deadCookie)).status, 401, 'after the reload');
      await site.httpd.halt();
      upgrade();
      await site.httpd.start();
      await enough(10);
    });
    assert.equal((await replay(site, deadCookie)).status, 401, 'after stop and start');
    assert.equal((await held.browser.resume(held.page)).status, 200, 'a sign-in that began before');
    await site.stop();
  },

  'a node behind a balancer is lost': [async () => {
    const cluster = await startCluster({ backend });
    const cookies = [];
    for (let i = 0; i < 4; i += 1) cookies.push(copyOf(await cluster.signedIn()));
    const ask = (cookie, target) => cluster.balancer.request({ path: target, host: 'app.test', headers: { ...PROGRAM, Cookie: cookie } });
    await whileAsking({ cookies, ask }, async (enough) => {
      await cluster.kill(cluster.one);
      await enough(50);
      await until('a sign-in', () => cluster.signedIn().catch(() => null), { timeout: 20_000 });
    });
    for (const cookie of cookies) assert.equal((await cluster.onNode(cluster.two, cookie)).status, 200);
    await cluster.one.httpd.start();
    for (const cookie of cookies) assert.equal((await cluster.onNode(cluster.one, cookie)).status, 200);
    await cluster.stop();
  }, noPostgres],

  'the clock is wrong by less than EntraClockSkew': [async () => {
    const site = await startSite({ backend, clock: true });
    const browser = await site.signedIn();
    for (const seconds of [280, -280, 0]) {
      site.httpd.clock.set(seconds);
      await assertGoesOn(site, browser, `${seconds} s`);
      assert.ok(await signsIn(site), `a sign-in at ${seconds} s`);
    }
    await site.stop();
  }, noClock],

  'the clock is wrong by more': [async () => {
    const site = await startSite({ backend, clock: true, expectLog: [/ENTRA1264: /, /ENTRA1265: /, /ENTRA1405: .*clock/] });
    const browser = await site.signedIn();
    const told = async (seconds) => {
      site.httpd.clock.set(seconds);
      const page = await site.browser().navigate(site.at('/page.html'));
      assert.ok(page.status >= 400, `${seconds} s: ${page.trace}`);
      assert.match(page.text, /clock/i, page.text);
      assertClosed(page.response);
    };
    await told(70 * MINUTE);
    site.httpd.clock.set(20 * MINUTE);
    await assertGoesOn(site, browser, 'ahead, within the idle time');
    site.httpd.clock.set(4 * MINUTE);
    await assertGoesOn(site, browser, 'set back, to a moment after its beginning');
    await told(-20 * MINUTE);
    // SECURITY: a session of the future is believed by nobody; its cookie waits.
    assertSignIn(site, (await browser.navigate(site.at('/page.html'), { follow: false })).response, 'behind');
    site.httpd.clock.set(0);
    assert.ok(await signsIn(site), 'once it is right');
    await site.stop();
  }, noClock],

  'the database is away': [async () => {
    const postgres = startPostgres();
    const site = await startSite({ backend, directives: { EntraDatabase: `"pgsql:${postgres.conninfo}"` }, allowLog: AWAY });
    const crowd = await crowdOf(site);
    const leaving = await site.signedIn();
    const cookie = copyOf(leaving);
    const held = await hold(site);
    await whileAsking(crowd, async (enough) => {
      postgres.halt();
      await enough(20);
      await assertSignInLater(site, 1441, 'a sign-in', { held, within: 3000 });
      for (let i = 0; i < 3; i += 1) await assertSignInLater(site, 1441, 'a sign-in', { within: 3000 });
      site.httpd.expect(/ENTRA2074: /);
      assert.equal((await signOut(site, leaving)).status, 302);
      assert.equal((await replay(site, cookie)).status, 401, 'a sign-out counts here at once');
      await site.httpd.graceful();
      assert.equal((await replay(site, cookie)).status, 401, 'and after a reload');
      postgres.start();
      await until('a sign-in', () => signsIn(site));
    });
    await until('the row', () => postgres.sql("SELECT COUNT(*) FROM entra_ended") === '1');
    await site.stop();
    postgres.kill();
  }, noPostgres],

  'the database hangs': [async () => {
    const postgres = startPostgres();
    const site = await startSite({ backend, threads: 24, processes: 2, directives: { EntraDatabase: `"pgsql:${postgres.conninfo}"` }, allowLog: [...AWAY, /ENTRA1054: /, /AH10159/] });
    const browser = await site.signedIn();
    const crowd = await crowdOf(site);
    await whileAsking(crowd, async (enough) => {
      const held = [];
      for (let i = 0; i < 30; i += 1) held.push(await hold(site));
      postgres.freeze();
      // Some wait for their answer, and take no more threads than there are connections; all others are told to come later.
      const pages = [];
      const waiting = Promise.all(held.map(async (one) => { const page = await one.browser.resume(one.page, { timeout: 60_000 }); pages.push(page.status); assertClosed(page.status === 200 ? { rawHead: '', body: Buffer.alloc(0), cookies: [] } : page.response); }));
      await until('the refusals', () => pages.length >= 30 - 2 * 8, { timeout: 20_000 });
      assert.deepEqual([...new Set(pages)], [503]);
      for (let i = 0; i < 5; i += 1) await assertGoesOn(site, browser, 'meanwhile');
      await enough(50);
      postgres.thaw();
      await waiting;
      await assertSignsIn(site, 'after it');
    });
    await site.stop();
    postgres.kill();
  }, noPostgres || (MPM === 'prefork' && 'with prefork a sign-in holds a whole process')],

  'the file of the database is locked for long': async () => {
    const site = await startSite({ backend, allowLog: AWAY });
    const browser = await site.signedIn();
    const crowd = await crowdOf(site);
    const leaving = await site.signedIn();
    const cookie = copyOf(leaving);
    const lock = await lockDatabase(site);
    await whileAsking(crowd, async () => {
      await assertSignInLater(site, 1443, 'a sign-in', { within: 15_000 });
      await assertGoesOn(site, browser, 'meanwhile');
      await signOut(site, leaving);
      assert.equal((await replay(site, cookie)).status, 401, 'a sign-out counts');
      lock.kill();
      await assertSignsIn(site, 'after it');
    });
    await until('the row', () => rowsOf(site, 'SELECT COUNT(*) FROM entra_ended') === '1');
    await site.httpd.restart();
    assert.equal((await replay(site, cookie)).status, 401, 'and was written');
    await site.stop();
  },

  'the file of the database is deleted or replaced': async () => {
    const site = await startSite({ backend, allowLog: AWAY });
    const browser = await site.signedIn();
    const folder = site.httpd.path('state/database');
    const file = path.join(folder, 'entra.db');
    execFileSync('sqlite3', [file, `.backup ${site.httpd.path('yesterday.db')}`]);
    const owner = statSync(file);
    const leaving = await site.signedIn();
    const cookie = copyOf(leaving);
    assert.equal((await signOut(site, leaving)).status, 302);
    const remove = () => { for (const name of readdirSync(folder)) rmSync(path.join(folder, name)); };
    const still = async (message) => {
      await assertGoesOn(site, browser, message);
      await assertSignsIn(site, message);
      assert.equal((await replay(site, cookie)).status, 401, `${message}: what ended here is dead until the next start`);
    };
    remove();
    await still('deleted');
    await site.httpd.graceful();
    await still('deleted, after a reload');
    // Whole at once: nobody makes another in between.
    const yesterday = site.httpd.path('yesterday.db');
    chownSync(yesterday, owner.uid, owner.gid);
    chmodSync(yesterday, 0o600);
    remove();
    renameSync(yesterday, file);
    await still('yesterday\'s in its place');
    await site.stop();
  },

  'the file or the folder of the database cannot be written': [async () => {
    await onDisk(async (site, disk, browser) => {
      // Of root, as after a repair by hand: connections of before write on, new ones cannot.
      const folder = site.httpd.path('state/database');
      const { uid, gid } = statSync(folder);
      chownSync(folder, 0, 0);
      for (const name of readdirSync(folder)) { chownSync(path.join(folder, name), 0, 0); chmodSync(path.join(folder, name), 0o600); }
      site.httpd.allow(...KILLED);
      for (const pid of site.httpd.children()) process.kill(pid, 'SIGKILL');
      await until('an answer', () => answers(site));
      await assertSignInLater(site, undefined, 'of root', { within: 15_000 });
      await assertGoesOn(site, browser, 'of root');
      chownSync(folder, uid, gid);
      for (const name of readdirSync(folder)) chownSync(path.join(folder, name), uid, gid);
      await assertSignsIn(site, 'of its user again');
    });
  }, noDisk || noRoot],

  'the state directory becomes read-only': [async () => {
    const folder = 'state';
    const names = (site) => readdirSync(site.httpd.stateDir).sort();
    await onDisk(async (site, disk, browser) => {
      const leaving = await site.signedIn();
      const cookie = copyOf(leaving);
      await turnReadOnly(site, disk);
      await assertGoesOn(site, browser, 'read-only');
      await assertSignInLater(site, 1443, 'read-only', { within: 15_000 });
      assert.equal((await signOut(site, leaving)).status, 302);
      assert.equal((await replay(site, cookie)).status, 401, 'a sign-out counts here');
      await site.httpd.waitForLog(/ENTRA1419: .*Read-only file system/, { timeout: 20_000 });
      await assertGoesOn(site, browser, 'and is told');
      disk.writable();
      await assertSignsIn(site, 'written again');
      await until('the row', () => rowsOf(site, 'SELECT COUNT(*) FROM entra_ended') === '1', { timeout: 20_000 });
      await site.httpd.halt();
      disk.readOnly();
      await assert.rejects(site.httpd.start(), /ENTRA4072: EntraDatabase: .*\/state\/database\/ is no folder that httpd's children can write to \(its file system is read-only: /);
      disk.writable();
      await site.httpd.start();
      await assertGoesOn(site, browser, 'after a start');
      assert.equal((await replay(site, cookie)).status, 401, 'it was written');
    }, { folder, expectLog: [/ENTRA1419: /] });
    // The database is elsewhere: of what is in the folder, only the key file is needed.
    const database = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-database-'));
    chmodSync(database, 0o777);
    const elsewhere = { EntraDatabase: `"sqlite3:${database}/entra.db"` };
    await onDisk(async (site, disk, browser) => {
      const key = readFileSync(site.httpd.keyFile, 'utf8');
      const had = names(site);
      await site.httpd.halt();
      disk.readOnly();
      await site.httpd.start();
      await assertGoesOn(site, browser, 'after a start');
      await assertSignsIn(site, 'after a start');
      for (const more of [[], ['--prepare']]) {
        const { status, out, err } = await entraSso(site, 'key', 'rotate', ...more);
        assert.equal(status, 1);
        assert.equal(out, '');
        assert.match(err, /ENTRA1045: the key file cannot be made: .*cookie\.keys\.lock: Read-only file system/);
      }
      assert.equal(readFileSync(site.httpd.keyFile, 'utf8'), key);
      assert.deepEqual(names(site), had);
      const leaving = await site.signedIn();
      const cookie = copyOf(leaving);
      assert.equal((await signOut(site, leaving)).status, 302);
      await site.httpd.graceful();
      await assertGoesOn(site, browser, 'after a reload');
      assert.equal((await replay(site, cookie)).status, 401, 'a sign-out is written, and asks nothing of this folder');
      await site.httpd.halt();
      disk.writable();
      unlinkSync(site.httpd.keyFile);
      disk.readOnly();
      await assert.rejects(site.httpd.start(), (error) => {
        assert.match(error.log, /ENTRA1045: the key file cannot be made: .*\/state\/cookie\.keys: Read-only file system/);
        assert.match(error.log, /ENTRA2011: httpd does not start without a good key file/);
        return true;
      });
      disk.writable();
      await site.httpd.start();
      assertSignIn(site, (await browser.navigate(site.at('/page.html'), { follow: false })).response, 'with a new key');
    }, { folder, directives: elsewhere, expectLog: [/ENTRA1045: /, /ENTRA2011: /], allowLog: [...AWAY, /AH00016|AH00020/] });
    rmSync(database, { recursive: true });
  }, noDisk || noRoot || noCommand],

  'the database is away when httpd is started': [async () => {
    const postgres = startPostgres();
    const site = await startSite({ backend, directives: { EntraDatabase: `"pgsql:${postgres.conninfo}"` }, allowLog: AWAY, expectLog: [/ENTRA2070: /] });
    const browser = await site.signedIn();
    const cookie = copyOf(browser);
    await site.httpd.halt();
    postgres.halt();
    await site.httpd.start();
    const waits = await replay(site, cookie);
    assert.equal(waits.status, 503, waits.text);
    assert.match(waits.header('retry-after') ?? '', /^\d+$/);
    assert.deepEqual(waits.cookies, []);
    await assertSignInLater(site, 1441, 'a sign-in', { within: 3000 });
    postgres.start();
    await until('the session to go on', async () => (await replay(site, cookie)).status === 200);
    await assertSignsIn(site, 'after it');
    await site.stop();
    postgres.kill();
  }, noPostgres],

  'the disk of the database is full': [async () => {
    await onDisk(async (site, disk, browser) => {
      const leaving = await site.signedIn();
      const cookie = copyOf(leaving);
      disk.fill();
      await until('the first refusal', async () => !(await signsIn(site)), { timeout: 20_000 });
      await assertSignInLater(site, 1443, 'full', { within: 15_000 });
      await whileAsking({ cookies: [copyOf(browser)], ask: (one, target) => replay(site, one, target) }, async (enough) => { await enough(30); });
      await signOut(site, leaving);
      assert.equal((await replay(site, cookie)).status, 401, 'a sign-out counts here');
      await site.httpd.graceful();
      await assertGoesOn(site, browser, 'after a reload');
      assert.equal((await replay(site, cookie)).status, 401, 'and after a reload');
      disk.free();
      await assertSignsIn(site, 'with room again');
      await until('the row', () => rowsOf(site, 'SELECT COUNT(*) FROM entra_ended') === '1');
      await site.httpd.restart();
      assert.equal((await replay(site, cookie)).status, 401, 'it was written');
      await assertGoesOn(site, browser, 'after a restart');
      disk.fill();
      await site.httpd.restart();
      await assertGoesOn(site, browser, 'after a restart with a full disk');
      assert.equal((await replay(site, cookie)).status, 401, 'nor does it live there');
    });
  }, noDisk || noRoot],

  'cookie.keys lost while httpd runs': async () => {
    const site = await startSite({ backend, expectLog: [/ENTRA2031: /] });
    const browser = await site.signedIn();
    unlinkSync(site.httpd.keyFile);
    await site.httpd.waitForLog(/ENTRA2031: /, { timeout: 20_000 });
    await assertGoesOn(site, browser, 'without the file');
    assert.ok(await signsIn(site), 'a sign-in');
    await site.httpd.restart();
    assertSignIn(site, (await browser.navigate(site.at('/page.html'), { follow: false })).response, 'after the next start');
    assert.ok(existsSync(site.httpd.keyFile));
    await site.stop();
  },

  'cookie.keys damaged before a start or reload': async () => {
    const site = await startSite({ backend, allowLog: [/ENTRA4021|ENTRA2011|ENTRA2031/, /AH00016|AH00020|Configuration Failed/] });
    const browser = await site.signedIn();
    const good = readFileSync(site.httpd.keyFile);
    await site.httpd.halt();
    writeFileSync(site.httpd.keyFile, 'key 12345678 cut-off\n');
    await assert.rejects(site.httpd.start(), /ENTRA4021|ENTRA2011/);
    writeFileSync(site.httpd.keyFile, good);
    await site.httpd.start();
    await assertGoesOn(site, browser, 'mended');
    await site.stop();
  },

  'the browser keeps no cookies': 'signin.test.mjs: no cookies at all: an explanation after three tries, and no code is ever redeemed',

  'Entra or the database is out of reach, in a section with EntraAccessToken': 'accesstoken.test.mjs: Entra is away: 503 for this section alone, and asked again a little later',
  'garbage from a client': async () => {
    const site = await startSite({ backend, processes: 1, threads: 16, workers: 16, directives: { EntraSCIM: 'on', EntraPreservePost: '64k' } });
    const browser = await site.signedIn();
    const cookie = copyOf(browser);
    const children = site.httpd.children(); // prefork makes more after a second
    const resident = () => children.reduce((sum, pid) => sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]), 0);
    const bad = [];
    const judge = (answer, statuses, what) => {
      if (!answer) return;
      if (!statuses.includes(answer.status)) bad.push(`${answer.status} for ${JSON.stringify(what).slice(0, 120)}`);
      assertClosed(answer, what);
    };
    const ask = (options) => site.httpd.request({ ...options, timeout: 20_000 }).catch(() => null);
    const round = async () => {
      const paths = Object.entries(GARBAGE).flatMap(([name, statuses]) => JUNK_QUERIES.map((query) => [`/.entra/${name}?${query}`, statuses]));
      await inParallel(paths.filter(([one]) => !/\s/.test(one)), 8, async ([one, statuses]) => judge(await ask({ path: one }), statuses, one));
      const value = cookie.slice(cookie.indexOf('=') + 1);
      const name = cookie.slice(0, cookie.indexOf('='));
      const values = ['', 'A', 'A'.repeat(3800), value.slice(1), `${value}A`, value.slice(0, -5), '\xff\xfe\x00', '%00', '"', ';;;', ...Array.from({ length: 40 }, (_, i) => `${value.slice(0, i * 7)}B${value.slice(i * 7 + 1)}`)];
      await inParallel(values, 8, async (one) => { if (one !== value) judge(await ask({ path: '/page.html', headers: { Cookie: `${name}=${one}` } }), [400, 401], one); });
      const raw = ['GET /page.html HTTP/1.1\r\nHost: x\r\nCookie: ' + 'a=b; '.repeat(3000) + '\r\n\r\n', `GET /${'%2e'.repeat(2000)} HTTP/1.1\r\nHost: x\r\n\r\n`, '\x16\x03\x01\x02\x00\x01\x00', 'GET', '\r\n'.repeat(500), `POST /.entra/logout HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n`, 'GET /page.html HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n'];
      for (const bytes of raw) judge(await site.httpd.exchange(bytes, { end: true, timeout: 20_000 }).catch(() => null), [400, 403], bytes);
      for (const target of hostileTargets(new URL(site.origin).host).slice(0, 40)) judge(await ask({ path: `/.entra/login?rd=${encodeURIComponent(target)}` }), GARBAGE.login, target);
    };
    await round();
    const before = resident();
    for (let i = 0; i < 2; i += 1) await round();
    assert.deepEqual(bad.slice(0, 5), []);
    assert.ok(children.every((pid) => site.httpd.children().includes(pid)), 'no process died');
    if (!process.env.ENTRA_PRELOAD) assert.ok(resident() < before + 8192, `${before} KB, then ${resident()} KB`);
    await assertGoesOn(site, browser, 'after it');
    site.httpd.allow(/ENTRA|AH0\d{4}/);
    await site.stop();
  },
};

/** Read only, so that no file of ours is left behind. */
const rowsOf = (site, sql) => execFileSync('sqlite3', ['-readonly', site.httpd.path('state/database/entra.db'), sql], { encoding: 'utf8' }).trim();

/** Another program has the database for itself, until it is killed. */
async function lockDatabase(site) {
  const script = 'import sqlite3, sys, time\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute("BEGIN IMMEDIATE")\nprint("locked", flush=True)\ntime.sleep(120)';
  const child = spawn('python3', ['-c', script, site.httpd.path('state/database/entra.db')], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (data) => { said += data; });
  await until('the lock', () => said.includes('locked'));
  return child;
}

/** A site whose database, or whole state directory, is on a disk of its own. */
async function onDisk(step, { folder: name = 'state/database', ...options } = {}) {
  let disk;
  const site = await startSite({ backend, allowLog: AWAY, ...options });
  await site.httpd.halt();
  const folder = site.httpd.path(name);
  const { uid, gid, mode } = statSync(folder);
  rmSync(folder, { recursive: true });
  try {
    disk = mountDisk(folder, { uid, gid, mode: mode & 0o777 });
    await site.httpd.start();
    await step(site, disk, await site.signedIn());
    await site.httpd.halt();
  } finally {
    disk?.unmount();
  }
  await site.stop();
}

/** The disk turns read-only under httpd. As no process may have a file of it open for writing then, they die first, and are made anew after it. */
async function turnReadOnly(site, disk) {
  site.httpd.allow(...KILLED);
  process.kill(site.httpd.pid, 'SIGSTOP');
  try {
    for (const pid of site.httpd.children()) process.kill(pid, 'SIGKILL');
    await until('the disk to be read-only', () => { try { disk.readOnly(); return true; } catch { return false; } });
  } finally {
    process.kill(site.httpd.pid, 'SIGCONT');
  }
  await until('an answer', () => answers(site));
}

describe('what fails', { skip: missing }, () => {
  for (const [name, row] of Object.entries(ROWS)) {
    if (typeof row === 'string') continue;
    const [step, skip = false] = Array.isArray(row) ? row : [row];
    test(name, { skip }, step);
  }
});

const plain = (cell) => cell.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/`/g, '').replace(/ \(ENTRA\d+\)/g, '').trim();

test('the table of the manual has these rows and no others', () => {
  const table = readFileSync(MANUAL, 'utf8').split('\n## ')[0].split('\n').filter((line) => line.startsWith('| ')).map((line) => line.split('|').slice(1, -1).map(plain));
  assert.deepEqual(table[0], ['What fails', 'Who is signed in', 'New sign-ins']);
  assert.deepEqual(table.slice(1).filter(([name]) => !/^-+$/.test(name)).map(([name]) => name).sort(), Object.keys(ROWS).sort());
  for (const row of Object.values(ROWS).filter((one) => typeof one === 'string')) {
    const [file, name] = row.split(/: (.*)/);
    const text = readFileSync(path.join(HERE, file), 'utf8');
    assert.ok(text.includes(`test('${name}`) || text.includes(`test(\`${name}`), `${file} has no case "${name}"`);
  }
});
