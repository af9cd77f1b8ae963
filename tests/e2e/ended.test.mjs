// SPDX-License-Identifier: Apache-2.0
// Ended means ended: sign-out, sign-out everywhere and front-channel logout, against copies of the cookie, in every process, over restarts,
// on another node, and with the database away.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after, before, beforeEach, describe } from 'node:test';
import { hideDatabase, showDatabase } from './lib/aside.mjs';
import { assertChallenge, assertClosed, assertSignIn, SESSION_COOKIE } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { CGI_DAEMON, missing, MPM } from './lib/httpd.mjs';
import { CLIENT, CONTOSO, startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const PAGE = { Accept: 'text/html' };
const PROGRAM = { Accept: 'application/json' };
const SIGNED_OUT = /ENTRA2002: signed out: oid [0-9a-f-]{36}, tid [0-9a-f-]{36}, session [0-9a-f]{8}/;
const ENDED = /ENTRA2073: session ended \((.*?)\): oid ([0-9a-f-]{36}), tid ([0-9a-f-]{36}), session [0-9a-f]{8}/g;

/** The cookies of a browser as somebody else copied them. */
const copyOf = (browser) => browser.cookies.all.filter(({ name }) => SESSION_COOKIE.test(name)).map(({ name, value }) => `${name}=${value}`).join('; ');
const replay = (site, cookie, target = '/page.html', headers = PAGE) => site.httpd.request({ path: target, headers: { ...headers, Cookie: cookie } });

async function assertAlive(site, cookie, message) {
  const response = await replay(site, cookie);
  assert.equal(response.status, 200, `${message}: ${response.status}\n${site.httpd.errorLog().slice(-2000)}`);
}

/** More requests at once than one process takes, so that every process is asked. As a program, which needs nothing of Entra. */
async function assertDead(site, cookie, message, { times = 40 } = {}) {
  const answers = await Promise.all(Array.from({ length: times }, () => replay(site, cookie, '/page.html', PROGRAM)));
  for (const answer of answers) assertChallenge(site, answer, {}, message);
}

/** Out by the site's own form. */
async function signOut(site, browser, query = '?rd=/public/') {
  const out = await browser.navigate(site.at(`/.entra/logout${query}`), { method: 'POST', body: '', from: site.at('/page.html'), follow: false });
  return out;
}

const sidOf = async (site, browser) => (await browser.fetch(site.at('/cgi/sid'), { from: site.at('/page.html') })).text.trim();
const SID = { location: 'EntraEnv ENTRA_SID "%{sid}"', files: { 'cgi/sid': { content: '#!/bin/sh\nprintf \'Content-Type: text/plain\\r\\n\\r\\n\'\necho "$ENTRA_SID"\n', mode: 0o755 } } };

const sqlite = (file, sql) => {
  const script = 'import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=10)\nfor r in c.execute(sys.argv[2]): print("|".join(str(x) for x in r))\nc.commit()';
  const run = spawnSync('python3', ['-c', script, file, sql], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout.trim();
};
/** Ended sessions that nobody has, listed so many seconds ago. */
const fill = (file, count, age) => {
  const script = 'import os, sqlite3, sys, time\nnow = int(time.time() * 1e6)\nc = sqlite3.connect(sys.argv[1], timeout=10)\n'
    + 'c.executemany("INSERT INTO entra_ended (id, keep_until, listed, cause) VALUES (?, ?, ?, ?)", ((os.urandom(16).hex(), now + 8 * 3600 * 10**6, now - int(sys.argv[3]) * 10**6, "test") for _ in range(int(sys.argv[2]))))\nc.commit()';
  const run = spawnSync('python3', ['-c', script, file, String(count), String(age)], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
};
const noPython = spawnSync('python3', ['-c', 'import sqlite3']).status === 0 ? false : 'there is no python3 with sqlite3';

describe('ended sessions', { skip: missing }, () => {
  let site;

  before(async () => { site = await startSite({ ...SID, processes: MPM === 'prefork' ? 6 : 3, threads: 8 }); });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); });

  describe('sign-out', () => {
    test('a copy of the cookie is dead in every process at once, and other sessions live', async () => {
      const browser = await site.signedIn();
      const other = copyOf(await site.signedIn());
      const cookie = copyOf(browser);
      await assertAlive(site, cookie, 'before');
      const log = await site.httpd.logOf(async () => {
        assert.equal((await signOut(site, browser)).status, 302);
        await assertDead(site, cookie, 'a copy');
      });
      assert.match(log, SIGNED_OUT);
      assert.match(log, /ENTRA1412: /);
      // httpd's own word of few idle threads may stand between.
      assert.doesNotMatch(log, /\[entra_sso:(warn|error|crit|alert|emerg)\]/);
      await assertAlive(site, other, 'another session of the same user');
      assertSignIn(site, await replay(site, cookie), 'a page goes to sign in');
    });

    test('a copy has no say: neither at session nor at logout, nor over the others', async () => {
      const browser = await site.signedIn();
      const other = copyOf(await site.signedIn());
      const cookie = copyOf(browser);
      await signOut(site, browser);
      assertChallenge(site, await replay(site, cookie, '/.entra/session', {}));
      const headers = { Cookie: cookie, Origin: site.origin, 'Sec-Fetch-Site': 'same-origin', 'Content-Length': '0' };
      const log = await site.httpd.logOf(async () => {
        const response = await site.httpd.request({ method: 'POST', path: '/.entra/logout?everywhere=1', headers });
        assert.equal(response.status, 302);
      });
      assert.doesNotMatch(log, /ENTRA2002|ENTRA2073/);
      await assertAlive(site, other, 'another session');
    });

    test('it stays dead over a graceful restart, a kill of every child, and a full stop and start', async () => {
      const browser = await site.signedIn();
      const other = copyOf(await site.signedIn());
      const cookie = copyOf(browser);
      await signOut(site, browser);
      await site.httpd.graceful();
      await assertDead(site, cookie, 'after graceful');
      await assertAlive(site, other, 'another after graceful');
      // The daemon of mod_cgid is a child too.
      site.httpd.allow(CGI_DAEMON, /AH00052/);
      const children = site.httpd.children();
      for (const pid of children) process.kill(pid, 'SIGKILL');
      await until('new children', () => site.httpd.children().length > 0 && site.httpd.children().every((pid) => !children.includes(pid)));
      await until('an answer', async () => (await site.httpd.get('/public/').catch(() => null))?.status === 200);
      await assertDead(site, cookie, 'after the kill');
      await assertAlive(site, other, 'another after the kill');
      await site.httpd.halt();
      await site.httpd.start();
      await assertDead(site, cookie, 'after stop and start');
      await assertAlive(site, other, 'another after stop and start');
    });

    test('a cross-site GET asks, and what it shows is true', async () => {
      const browser = await site.signedIn();
      const cookie = copyOf(browser);
      const page = await browser.navigate(site.at('/.entra/logout'), { from: 'https://evil.test/' });
      assert.equal(page.status, 200);
      assert.match(page.text, /Sign out\?/);
      await assertAlive(site, cookie, 'nothing has ended');
    });
  });

  describe('sign-out everywhere', () => {
    test('the page that asks offers it; the button ends all sessions of this user and of nobody else', async () => {
      await site.emu.control('client', { client_id: CLIENT, set: { frontChannelLogoutUri: null } });
      const browser = await site.signedIn({ user: 'root' });
      const copies = [copyOf(browser), copyOf(await site.signedIn({ user: 'root' })), copyOf(await site.signedIn({ user: 'root' }))];
      const gus = copyOf(await site.signedIn({ user: 'gus' }));
      const page = await browser.navigate(site.at('/.entra/logout?everywhere=1&rd=/public/'));
      assert.equal(page.status, 200);
      assert.match(page.text, /Sign out everywhere\?/);
      assert.equal(page.forms.length, 2, page.text);
      for (const cookie of copies) await assertAlive(site, cookie, 'a GET ends nothing');
      let out;
      const log = await site.httpd.logOf(async () => { out = await browser.submit(page, { form: 0 }); });
      assert.equal(out.status, 200, out.trace);
      assert.equal(out.path, '/public/');
      const lines = [...log.matchAll(ENDED)];
      assert.match(log, SIGNED_OUT);
      assert.equal(lines.length, 2, log);
      for (const [, cause, , tid] of lines) assert.deepEqual([cause, tid], ['sign-out everywhere', CONTOSO]);
      for (const cookie of copies) await assertDead(site, cookie, 'everywhere');
      await assertAlive(site, gus, 'another user');
    });

    test('its page has a button for here alone, too', async () => {
      const browser = await site.signedIn();
      const phone = copyOf(await site.signedIn());
      const page = await browser.navigate(site.at('/.entra/logout'), { from: 'https://evil.test/' });
      assert.equal(page.forms.length, 2, page.text);
      assert.match(page.text, /Sign out everywhere/);
      const out = await browser.submit(page, { form: 0 });
      assert.equal(out.status, 200, out.trace);
      await assertAlive(site, phone, 'the other browser');
    });

    test('nobody has nothing to end elsewhere', async () => {
      const page = await site.browser().navigate(site.at('/.entra/logout?everywhere=1'));
      assert.equal(page.forms.length, 1, page.text);
      assert.doesNotMatch(page.text, /everywhere/i);
    });

    test('another site cannot press it', async () => {
      const browser = await site.signedIn();
      const phone = copyOf(await site.signedIn());
      const page = await browser.navigate(site.at('/.entra/logout?everywhere=1'), { method: 'POST', body: '', from: 'https://evil.test/' });
      assert.equal(page.status, 200);
      await assertAlive(site, phone, 'nothing has ended');
    });
  });

  describe('front-channel logout', () => {
    const call = (query, options = {}) => site.httpd.request({ path: `/.entra/frontchannel-logout${query}`, headers: { 'Sec-Fetch-Dest': 'iframe', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Site': 'cross-site', ...options.headers }, method: options.method ?? 'GET' });
    const assertHeard = (response, message) => {
      assert.equal(response.status, 200, `${message}: ${response.text.slice(0, 300)}`);
      assert.equal(response.text, '');
      assert.match(response.header('cache-control'), /no-store/);
      assert.equal(response.header('content-security-policy'), `default-src 'none'; frame-ancestors ${site.emu.url}`);
      assert.equal(response.header('x-frame-options'), undefined);
      assert.deepEqual(response.cookies, []);
    };
    const shape = (response) => JSON.stringify([response.status, response.text, response.rawHeaders.filter(([name]) => name !== 'Date')]);

    test('ends the session of that sid, without any cookie, with or without iss; the answer is the same for a sid of nobody', async () => {
      const shapes = [];
      for (const iss of ['', `&iss=${encodeURIComponent(`${site.emu.url}/${CONTOSO}/v2.0`)}`]) {
        const browser = await site.signedIn();
        const other = copyOf(await site.signedIn());
        const cookie = copyOf(browser);
        const sid = await sidOf(site, browser);
        assert.match(sid, /^[0-9a-f-]{36}$/);
        await assertAlive(site, cookie, 'before');
        const log = await site.httpd.logOf(async () => {
          const response = await call(`?sid=${sid}${iss}`);
          assertHeard(response, iss);
          shapes.push(shape(response));
          await assertDead(site, cookie, 'after the call');
        });
        const [line] = [...log.matchAll(ENDED)];
        assert.deepEqual([line[1], line[3]], ['front-channel logout', CONTOSO]);
        await assertAlive(site, other, 'another session');
        shapes.push(shape(await call(`?sid=${sid}${iss}`)), shape(await call(`?sid=00000000-0000-4000-8000-000000000000${iss}`)));
      }
      assert.equal(new Set(shapes).size, 1, shapes.join('\n'));
    });

    test('the sign-out page of Entra does it: a sign-out in one application ends the session in this one', async () => {
      const browser = await site.signedIn();
      const cookie = copyOf(browser);
      const out = await browser.navigate(`${site.emu.url}/${CONTOSO}/oauth2/v2.0/logout`);
      const [, frame] = /<iframe [^>]*src="([^"]+)"/.exec(out.text) ?? [];
      assert.ok(frame, out.text);
      const answer = await site.httpd.request({ path: new URL(frame.replaceAll('&amp;', '&')).pathname + new URL(frame.replaceAll('&amp;', '&')).search });
      assertHeard(answer, frame);
      await assertDead(site, cookie, 'after the frame');
    });

    test('without the optional claim sid the session_state of the callback stands in', async () => {
      await site.emu.control('idtoken', { unset: ['sid'] });
      const browser = site.browser();
      const held = await site.begin(browser);
      const state = new URL(held.url).searchParams.get('session_state');
      await browser.resume(held);
      const cookie = copyOf(browser);
      await assertAlive(site, cookie, 'before');
      assertHeard(await call(`?sid=${state}`), state);
      await assertDead(site, cookie, 'by session_state');
    });

    const refused = {
      'no sid': ['', 1416],
      'an empty sid': ['?sid=', 1416],
      'a sid with a quote': ["?sid=a'b", 1416],
      'a sid that is too long': [`?sid=${'a'.repeat(65)}`, 1416],
      'another issuer': ['?sid=GOOD&iss=https%3A%2F%2Fevil.test%2Fv2.0', 1417],
      'two sids': ['?sid=GOOD&sid=GOOD', 1011],
    };
    for (const [name, [query, number]] of Object.entries(refused)) {
      test(`${name} is refused and ends nothing`, async () => {
        const browser = await site.signedIn();
        const sid = await sidOf(site, browser);
        const response = await call(query.replaceAll('GOOD', sid));
        assert.equal(response.status, 400, response.text);
        assert.match(response.text, new RegExp(`ENTRA${number}`));
        await assertAlive(site, copyOf(browser), name);
      });
    }

    test('POST is refused', async () => {
      const response = await call('?sid=a', { method: 'POST', headers: { 'Content-Length': '0' } });
      assert.equal(response.status, 405);
      assert.equal(response.header('allow'), 'GET');
    });
  });

  describe('session endpoint', { skip: noClock }, () => {
    test('tells the times; tabs that poll it do not keep a session alive', async () => {
      const own = await startSite({ emu: site.emu, backend: site.backend, clock: true, directives: { EntraSessionIdleTimeout: '10m', EntraSessionRevalidate: 'off' } });
      const browser = await own.signedIn();
      const cookie = copyOf(browser);
      const first = (await replay(own, cookie, '/.entra/session')).json();
      for (const name of ['signed_in_at', 'ends_at', 'idle_ends_at', 'revalidated_at']) assert.match(first[name], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, name);
      assert.equal(first.revalidated_at, first.signed_in_at);
      for (let minute = 1; minute < 10; minute += 1) {
        own.httpd.clock.forward(60);
        const response = await replay(own, cookie, '/.entra/session');
        assert.equal(response.status, 200);
        assert.deepEqual(response.cookies, []);
        assert.deepEqual(response.json(), first);
      }
      own.httpd.clock.forward(90);
      assertChallenge(own, await replay(own, cookie, '/.entra/session', {}));
      await own.stop();
    });
  });
});

describe('several nodes and their database', { skip: missing || noPython }, () => {
  let folder;
  let one;
  let two;
  let file;

  /** Two httpds with one key file and one SQLite file: nodes of a cluster. */
  async function startNodes(options = {}) {
    folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-db-'));
    chmodSync(folder, 0o777);
    file = path.join(folder, 'entra.db');
    const common = { serverName: 'https://app.test', names: { 'https://app.test': 'httpd' }, redirectHosts: ['app.test'], ...SID, ...options };
    common.directives = { EntraDatabase: `"sqlite3:${file}"`, ...options.directives };
    one = await startSite(common);
    two = await startSite({ ...common, emu: one.emu, backend: one.backend, files: { ...SID.files, 'state/cookie.keys': { content: readFileSync(one.httpd.keyFile), mode: 0o600 } } });
  }

  const at = (target) => `https://app.test${target}`;
  const onNode = (node, cookie, target = '/page.html') => node.httpd.request({ path: target, host: 'app.test', headers: { ...PROGRAM, Cookie: cookie } });
  async function signedInAt(node) {
    const browser = node.browser();
    const page = await browser.navigate(at('/page.html'));
    assert.equal(page.status, 200, `${page.trace}\n${node.httpd.errorLog().slice(-2000)}`);
    return browser;
  }
  const signOutAt = (browser) => browser.navigate(at('/.entra/logout'), { method: 'POST', body: '', from: at('/page.html'), follow: false });
  /** Within two seconds, and what a busy machine adds. */
  const isDead = (node, cookie) => until('the node to refuse', async () => (await onNode(node, cookie)).status === 401, { timeout: 5000 });

  beforeEach(async () => { one = two = undefined; });

  async function stopNodes() {
    await two?.stop();
    await one?.stop();
    rmSync(folder, { recursive: true, force: true });
  }

  test('what ends on one node is dead on the other within two seconds', async () => {
    await startNodes();
    const browser = await signedInAt(one);
    const cookie = copyOf(browser);
    assert.equal((await onNode(two, cookie)).status, 200);
    assert.equal((await signOutAt(browser)).status, 302);
    assert.equal((await onNode(one, cookie)).status, 401);
    await isDead(two, cookie);
    // A front-channel call may come to any node.
    const second = await signedInAt(one);
    const copy = copyOf(second);
    const sid = (await onNode(one, copy, '/cgi/sid')).text.trim();
    assert.equal((await two.httpd.request({ path: `/.entra/frontchannel-logout?sid=${sid}`, host: 'app.test' })).status, 200);
    assert.equal((await onNode(two, copy)).status, 401);
    await isDead(one, copy);
    await stopNodes();
  });

  test('with the database away users go on, a sign-out ends here, and is written when it is back', async () => {
    await startNodes();
    const browser = await signedInAt(one);
    const cookie = copyOf(browser);
    const other = copyOf(await signedInAt(one));
    hideDatabase(file);
    for (const node of [one, two]) {
      node.httpd.expect(/ENTRA2071: the database does not answer/);
      await node.httpd.waitForLog(/ENTRA2071:/);
    }
    assert.equal((await onNode(one, cookie)).status, 200);
    assert.equal((await onNode(two, other)).status, 200);
    one.httpd.expect(/ENTRA2074: the session has ended on this node alone/);
    assert.equal((await signOutAt(browser)).status, 302);
    assert.equal((await onNode(one, cookie)).status, 401, 'here at once');
    assert.equal((await onNode(two, cookie)).status, 200, 'the other node cannot know');
    const sid = (await onNode(one, other, '/cgi/sid')).text.trim();
    one.httpd.allow(/ENTRA144\d: /);
    const heard = await one.httpd.request({ path: `/.entra/frontchannel-logout?sid=${sid}`, host: 'app.test' });
    assert.equal(heard.status, 503);
    assert.ok(Number(heard.header('retry-after')) > 0);
    // The table is still there after a reload, the database not.
    await one.httpd.graceful();
    assert.equal((await onNode(one, cookie)).status, 401, 'after a reload');
    assert.equal((await onNode(one, other)).status, 200, 'after a reload');
    showDatabase(file);
    await one.httpd.waitForLog(/ENTRA2072: the database is back; 1 sessions? that ended here meanwhile/);
    await isDead(two, cookie);
    assert.equal((await onNode(two, other)).status, 200);
    for (const node of [one, two]) assert.equal(node.httpd.errorLog().match(/ENTRA2071:/g).length, 1, 'one line');
    assert.equal(sqlite(file, "SELECT COUNT(*) FROM entra_session WHERE ended = 1 AND refresh = ''"), '1', 'the row and its refresh token');
    await stopNodes();
  });

  test('sign-out everywhere with the database away ends nothing and says so', async () => {
    await startNodes();
    const browser = await signedInAt(one);
    const cookie = copyOf(browser);
    one.httpd.expect(/ENTRA1414: /);
    for (const node of [one, two]) node.httpd.expect(/ENTRA2071:/);
    hideDatabase(file);
    for (const node of [one, two]) await node.httpd.waitForLog(/ENTRA2071:/);
    const out = await browser.navigate(at('/.entra/logout?everywhere=1'), { method: 'POST', body: '', from: at('/page.html'), follow: false });
    assert.equal(out.status, 503);
    assert.match(out.text, /You are not signed out yet/);
    assert.match(out.text, /href="\/\.entra\/logout\?rd=[^"]*everywhere=1"/);
    assert.equal((await onNode(one, cookie)).status, 200);
    showDatabase(file);
    for (const node of [one, two]) await node.httpd.waitForLog(/ENTRA2072:/);
    await stopNodes();
  });

  for (const [how, end] of [['stop', (httpd) => httpd.halt()], ['sudden death', (httpd) => httpd.kill()]]) {
    test(`what ended while the database was away stays ended over a ${how} of httpd`, async () => {
      await startNodes();
      const browser = await signedInAt(one);
      const cookie = copyOf(browser);
      const other = copyOf(await signedInAt(one));
      for (const node of [one, two]) node.httpd.allow(/ENTRA207[01]:|AH00098: pid file .* overwritten/);
      hideDatabase(file);
      for (const node of [one, two]) await node.httpd.waitForLog(/ENTRA2071:/);
      one.httpd.expect(/ENTRA2074: the session has ended on this node alone/);
      assert.equal((await signOutAt(browser)).status, 302);
      const kept = () => readdirSync(one.httpd.stateDir).filter((name) => /^ended-[0-9a-f]{16}$/.test(name));
      if (how !== 'stop') await until('the file', () => kept().length === 1, { timeout: 30_000 });
      await end(one.httpd);
      assert.equal(kept().length, 1);
      await one.httpd.start();
      assert.match(one.httpd.errorLog(), /ENTRA2075: 1 sessions ended while the database was away/);
      assert.equal((await onNode(one, cookie)).status, 401, 'before the database is back');
      showDatabase(file);
      await until('the other session to be accepted', async () => (await onNode(one, other)).status === 200);
      assert.equal((await onNode(one, cookie)).status, 401);
      await isDead(two, cookie);
      assert.equal(sqlite(file, "SELECT COUNT(*) FROM entra_session WHERE ended = 1 AND refresh = ''"), '1', 'the row and its refresh token');
      await one.httpd.restart();
      assert.deepEqual(kept(), [], 'nothing waits any more');
      assert.equal((await onNode(one, cookie)).status, 401);
      assert.equal((await onNode(one, other)).status, 200);
      await stopNodes();
    });
  }

  test('a full start without the database accepts no session, keeps its cookie, and goes on by itself when it is back', async () => {
    await startNodes();
    const browser = await signedInAt(one);
    const cookie = copyOf(await signedInAt(one));
    const dead = copyOf(browser);
    await signOutAt(browser);
    await two.httpd.halt();
    hideDatabase(file);
    one.httpd.allow(/ENTRA2071:/);
    two.httpd.expect(/ENTRA2070: the database cannot be read since the start/);
    await two.httpd.start();
    for (const one503 of [await onNode(two, cookie), await onNode(two, dead), await two.httpd.request({ path: '/.entra/session', host: 'app.test', headers: { Cookie: cookie } })]) {
      assert.equal(one503.status, 503, one503.text);
      assert.ok(Number(one503.header('retry-after')) > 0);
      assert.match(one503.text, /ENTRA1413/);
      assert.deepEqual(one503.cookies, []);
      assertClosed(one503);
    }
    showDatabase(file);
    await until('the session to be accepted', async () => (await onNode(two, cookie)).status === 200);
    assert.equal((await onNode(two, dead)).status, 401);
    await two.httpd.waitForLog(/ENTRA2072:/);
    await stopNodes();
  });

  test('the table is filled before the first request is served', async () => {
    await startNodes();
    const browser = await signedInAt(one);
    const cookie = copyOf(browser);
    const live = copyOf(await signedInAt(one));
    await signOutAt(browser);
    for (let round = 0; round < 3; round += 1) {
      await two.httpd.halt();
      const answered = two.httpd.start().then(() => Promise.all(Array.from({ length: 20 }, (_, i) => onNode(two, i % 2 ? cookie : live))));
      (await answered).forEach((answer, i) => assert.equal(answer.status, i % 2 ? 401 : 200));
    }
    assert.doesNotMatch(two.httpd.errorLog(), /ENTRA1413/);
    await stopNodes();
  });

  test('with more ended sessions than the table holds nobody revives and nobody is locked out', async () => {
    await startNodes();
    const browser = await signedInAt(one);
    const dead = copyOf(browser);
    const alive = copyOf(await signedInAt(one));
    await signOutAt(browser);
    await two.httpd.halt();
    fill(file, 300_000, 3600);
    await two.httpd.start();
    assert.equal((await onNode(two, alive)).status, 200);
    assert.equal((await onNode(two, dead)).status, 401);
    // What finds no room in the table is asked of the database.
    const late = await signedInAt(one);
    const copies = [copyOf(late), ...await Promise.all(Array.from({ length: 5 }, async () => copyOf(await signedInAt(one))))];
    for (const copy of copies) assert.equal((await onNode(two, copy)).status, 200);
    const id = sqlite(file, `SELECT id FROM entra_session WHERE ended = 0`).split('\n');
    for (const one of id) sqlite(file, `INSERT INTO entra_ended (id, keep_until, listed, cause) VALUES ('${one}', ${(Date.now() + 8 * 3600e3) * 1000}, ${Date.now() * 1000}, 'test')`);
    for (const copy of copies) await isDead(two, copy);
    const last = copyOf(await signedInAt(one));
    for (const node of [one, two]) node.httpd.allow(/ENTRA2071:/);
    hideDatabase(file);
    await two.httpd.waitForLog(/ENTRA2071:/);
    assert.equal((await onNode(two, last)).status, 503, 'nobody can tell');
    showDatabase(file);
    await until('the session to be accepted again', async () => (await onNode(two, last)).status === 200);
    await stopNodes();
  });

  test('ten thousand ended sessions are learned, and change nothing for the living', async () => {
    await startNodes();
    const cookie = copyOf(await signedInAt(one));
    const now = Date.now() * 1000;
    fill(file, 10_000, 0);
    // The living one becomes the last of them.
    assert.equal((await onNode(two, cookie)).status, 200);
    const id = sqlite(file, 'SELECT id FROM entra_session');
    sqlite(file, `INSERT INTO entra_ended (id, keep_until, listed, cause) VALUES ('${id}', ${now + 8 * 3600e6}, ${Date.now() * 1000}, 'test')`);
    await isDead(two, cookie);
    const alive = copyOf(await signedInAt(one));
    assert.equal((await onNode(two, alive)).status, 200);
    await two.httpd.halt();
    await two.httpd.start();
    assert.equal((await onNode(two, cookie)).status, 401);
    assert.equal((await onNode(two, alive)).status, 200);
    await stopNodes();
  });
});
