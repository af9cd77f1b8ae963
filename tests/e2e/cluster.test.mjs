// SPDX-License-Identifier: Apache-2.0
// Several nodes behind a balancer, with one PostgreSQL: nobody loses a session that should live, and none that has ended lives.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { after, before, beforeEach, describe } from 'node:test';
import { groups } from '../emulator/tenants.mjs';
import { assertChallenge, inParallel, setsSession, USERS } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { copyOf, startCluster } from './lib/cluster.mjs';
import { entraSso, noCommand } from './lib/command.mjs';
import { PROGRAM, whileAsking } from './lib/crowd.mjs';
import { headerOf } from './lib/echo.mjs';
import { CGI_DAEMON, hasModule, missing, MPM } from './lib/httpd.mjs';
import { noPostgres } from './lib/postgres.mjs';
import { SECRET_PAGE } from './lib/site.mjs';
import { databaseIsTriedAgain, until } from './lib/wait.mjs';

const noBalancer = ['proxy_balancer', 'lbmethod_byrequests', 'slotmem_shm'].every(hasModule) ? false : 'httpd has no mod_proxy_balancer';
const skip = missing || noPostgres || noCommand || noClock || noBalancer;
/** What ends at one node has ended at every other after two seconds; the rest is what a busy machine adds. */
const BOUND = 5;
const NODE_AWAY = /ENTRA2071: the database does not answer/;
const DATABASE_CUT = /ENTRA144[1-4]: /;

/** A crowd at the balancer. */
const asking = (cluster, cookies) => ({ cookies, ask: (cookie, path) => cluster.balancer.request({ path, host: 'app.test', headers: { ...PROGRAM, Cookie: cookie }, timeout: 30_000 }) });

describe('a cluster', { skip }, () => {
  let cluster;

  before(async () => { cluster = await startCluster({ clock: true, threads: 16, processes: MPM === 'prefork' ? 6 : 2 }); });
  after(async () => { await cluster?.stop(); });
  beforeEach(async () => {
    await cluster.one.reset();
    await cluster.emu.control('clock', { offsetSeconds: cluster.one.httpd.clock.shift });
  });

  const bothNodes = (check) => Promise.all(cluster.nodes.map(check));
  const refreshes = () => cluster.emu.stats().grants.refresh_token?.calls ?? 0;

  async function assertLives(cookie, message) {
    await bothNodes(async (node) => {
      const answer = await cluster.onNode(node, cookie);
      assert.equal(answer.status, 200, `${message}: ${answer.status}\n${node.httpd.errorLog().slice(-1500)}`);
    });
  }

  /** The seconds until each node refuses this cookie, and that it does so in every process and ever after. */
  async function assertEnds(cookie, message, begin = process.hrtime.bigint()) {
    const took = await bothNodes(async (node) => {
      await until(`the end at a node: ${message}`, async () => (await cluster.onNode(node, cookie)).status === 401, { timeout: 15_000, step: 10 });
      return Number(process.hrtime.bigint() - begin) / 1e9;
    });
    for (const seconds of took) assert.ok(seconds <= BOUND, `${message}: ${seconds} s`);
    await bothNodes(async (node) => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => cluster.onNode(node, cookie)));
      for (const answer of answers) assertChallenge({ origin: cluster.origin }, answer, {}, message);
    });
    return took;
  }

  async function forward(seconds) {
    for (const { httpd } of cluster.nodes) httpd.clock.forward(seconds);
    await cluster.emu.control('clock', { offsetSeconds: cluster.one.httpd.clock.shift });
  }

  const rolesAt = async (node, cookie) => {
    const answer = await cluster.onNode(node, cookie, '/app/who');
    return answer.status === 200 ? headerOf(answer.json(), 'x-entra-roles')[0] : answer.status;
  };

  test('requests go to both nodes, and each knows the session that the other made', async () => {
    const browser = await cluster.signedIn();
    const before = cluster.nodes.map(({ httpd }) => httpd.accessLog().split('\n').length);
    for (let i = 0; i < 12; i += 1) {
      const page = await browser.navigate(cluster.at('/page.html'), { follow: false });
      assert.equal(page.status, 200, page.trace);
      assert.match(page.text, new RegExp(SECRET_PAGE));
      const who = await browser.navigate(cluster.at('/app/who'), { follow: false });
      assert.deepEqual(headerOf(who.json(), 'x-entra-user'), [USERS.ada]);
    }
    for (const [i, { httpd }] of cluster.nodes.entries()) {
      await until('their lines in its log', () => httpd.accessLog().split('\n').length >= before[i] + 8);
    }
    await assertLives(copyOf(browser), 'at each node itself');
  });

  test('sign-ins begin at one node and end at the other, also twenty at once', async () => {
    const [one, two] = cluster.nodes;
    for (const [from, to] of [[one, two], [two, one]]) {
      const browser = cluster.browser(from);
      const held = await one.begin(browser, cluster.at('/page.html?x=1'));
      browser.resolve[cluster.origin] = to.httpd.port;
      const page = await browser.resume(held);
      assert.equal(page.status, 200, page.trace);
      assert.equal(page.path, '/page.html?x=1');
    }
    await inParallel(Array.from({ length: 20 }), 5, async () => { await cluster.signedIn(); });
  });

  test('a node that is killed in the middle of requests costs nobody a session, and takes part again when it is back', async () => {
    const cookies = [];
    for (const node of cluster.nodes) for (let i = 0; i < 3; i += 1) cookies.push(copyOf(await cluster.signedIn({ node })));
    const begun = await cluster.one.begin(cluster.browser(), cluster.at('/page.html?begun'));
    assert.ok(begun.held);
    for (const node of cluster.nodes) {
      const seen = await whileAsking(asking(cluster, cookies), async (enough) => {
        await cluster.kill(node);
        await enough(40);
        const fresh = await until('a sign-in at the node that is left', () => cluster.signedIn().catch(() => null), { timeout: 20_000 });
        cookies.push(copyOf(fresh));
        await node.httpd.start();
        const lines = () => node.httpd.accessLog().split('\n').length;
        const had = lines();
        await until('the balancer to use it again', () => lines() > had + 5, { timeout: 20_000 });
      });
      assert.ok(seen.good > 50, JSON.stringify(seen));
    }
    for (const cookie of cookies) await assertLives(cookie, 'after both were killed and came back');
  });

  test('what ended while a node was dead is refused by its first answer', async () => {
    const browser = await cluster.signedIn();
    const other = copyOf(await cluster.signedIn());
    const cookie = copyOf(browser);
    await cluster.kill(cluster.two);
    const out = await until('the sign-out at the node that is left', async () => {
      const page = await cluster.signOut(browser);
      return page.status === 302 && page;
    });
    assert.ok(out);
    await cluster.two.httpd.start();
    assertChallenge({ origin: cluster.origin }, await cluster.onNode(cluster.two, cookie), {}, 'at once');
    await assertEnds(cookie, 'on both');
    await assertLives(other, 'another session');
  });

  test('PostgreSQL restarts under requests: nobody notices, and sign-ins go on after it', async () => {
    const cookies = [];
    for (let i = 0; i < 4; i += 1) cookies.push(copyOf(await cluster.signedIn()));
    for (const { httpd } of cluster.nodes) httpd.allow(NODE_AWAY, DATABASE_CUT);
    const seen = await whileAsking(asking(cluster, cookies), async (enough) => {
      for (let i = 0; i < 2; i += 1) {
        cluster.postgres.halt();
        await enough(20);
        cluster.postgres.start();
        await until('a sign-in', () => cluster.signedIn().catch(() => null), { timeout: 20_000 });
      }
    });
    assert.equal(seen.gone, 0);
    await databaseIsTriedAgain();
    for (const cookie of cookies) await assertLives(cookie, 'after it');
    // The watch over ended sessions is back as well.
    const browser = await cluster.signedIn();
    const cookie = copyOf(browser);
    await until('the poll', async () => bothNodes(({ httpd }) => httpd.errorLog().lastIndexOf('ENTRA2072:') >= httpd.errorLog().lastIndexOf('ENTRA2071:')).then((all) => all.every(Boolean)));
    const begin = process.hrtime.bigint();
    assert.equal((await cluster.signOut(browser)).status, 302);
    await assertEnds(cookie, 'a sign-out after the restart', begin);
  });

  describe('what ends at one node', () => {
    const ways = {
      'a sign-out at the other node': async ({ browser, from }) => {
        browser.resolve[cluster.origin] = from.httpd.port;
        assert.equal((await cluster.signOut(browser)).status, 302);
      },
      'a sign-out everywhere from another browser': async ({ user }) => {
        const other = await cluster.signedIn({ user });
        const out = await cluster.signOut(other, '?everywhere=1');
        assert.equal(out.status, 302, out.trace);
      },
      'a front-channel call to the other node': async ({ sid, from }) => {
        const heard = await from.httpd.request({ path: `/.entra/frontchannel-logout?sid=${sid}`, host: 'app.test' });
        assert.equal(heard.status, 200);
      },
      'sessions revoke --user': async ({ from, user }) => assert.match((await entraSso(from, 'sessions', 'revoke', '--user', USERS[user])).out, /^Ended [1-9]/),
      'sessions revoke --sid': async ({ from, sid }) => assert.match((await entraSso(from, 'sessions', 'revoke', '--sid', sid)).out, /^Ended 1 session\./),
    };
    for (const [name, end] of Object.entries(ways)) {
      for (const [i, label] of ['one', 'two'].entries()) {
        test(`${name} (at node ${label}) ends it at both within two seconds, and no other`, async () => {
          const from = cluster.nodes[i];
          const browser = await cluster.signedIn({ user: 'root', node: cluster.nodes[1 - i] });
          const other = copyOf(await cluster.signedIn({ user: 'gus' }));
          const cookie = copyOf(browser);
          const sid = await cluster.sidOf(cookie);
          await assertLives(cookie, 'before');
          await end({ browser, from, sid, user: 'root' });
          await assertEnds(cookie, name);
          await assertLives(other, 'another user');
        });
      }
    }

    test('the process that watches for ended sessions may be killed: another takes over, and the bound holds', async () => {
      const { two } = cluster;
      two.httpd.allow(CGI_DAEMON, /AH00052/);
      const children = two.httpd.children();
      for (const pid of children) {
        const browser = await cluster.signedIn({ node: cluster.one });
        const cookie = copyOf(browser);
        process.kill(pid, 'SIGKILL');
        await until('the child to be gone', () => !two.httpd.children().includes(pid));
        await until('an answer', async () => (await cluster.onNode(two, cookie).catch(() => null))?.status === 200);
        const begin = process.hrtime.bigint();
        browser.resolve[cluster.origin] = cluster.one.httpd.port;
        assert.equal((await cluster.signOut(browser)).status, 302);
        await assertEnds(cookie, `after the death of ${children.indexOf(pid) + 1} of ${children.length}`, begin);
      }
    });
  });

  test('the cookie keys roll on both nodes as the manual says, under requests: nobody is signed out, and at the end the new key seals', async () => {
    const [one, two] = cluster.nodes;
    const browser = await cluster.signedIn();
    const cookies = [copyOf(browser), copyOf(await cluster.signedIn()), copyOf(await cluster.signedIn())];
    const keys = (node) => readFileSync(node.httpd.keyFile, 'utf8').split('\n').filter((line) => line.startsWith('key ')).map((line) => line.split(' ')[1]);
    const taken = async (from) => { for (const { httpd } of cluster.nodes) await httpd.waitForLog(/ENTRA2030: /, { from: from.get(httpd), timeout: 20_000 }); };
    const mark = () => new Map(cluster.nodes.map(({ httpd }) => [httpd, httpd.errorLog().length]));
    const [old] = keys(one);
    const sealedBy = (cookie) => Buffer.from(cookie.split('=')[1], 'base64url').subarray(1, 5).toString('hex');
    await whileAsking(asking(cluster, cookies), async () => {
      let from = mark();
      assert.equal((await entraSso(one, 'key', 'rotate', '--prepare')).status, 0);
      cluster.copyKeys(one, two);
      await taken(from);
      cookies.push(copyOf(await cluster.signedIn()));
      from = mark();
      assert.equal((await entraSso(one, 'key', 'rotate')).status, 0);
      await one.httpd.waitForLog(/ENTRA2030: /, { from: from.get(one.httpd), timeout: 20_000 });
      // In this moment the nodes seal with different keys.
      cookies.push(copyOf(await cluster.signedIn({ node: one })), copyOf(await cluster.signedIn({ node: two })));
      await assertLives(cookies.at(-2), 'sealed with the new key');
      await assertLives(cookies.at(-1), 'sealed with the old one');
      cluster.copyKeys(one, two);
      await taken(from);
    });
    assert.deepEqual(keys(two), keys(one));
    const [next] = keys(one);
    assert.notEqual(next, old);
    for (const node of cluster.nodes) assert.equal(sealedBy(copyOf(await cluster.signedIn({ node }))), next);
    for (const cookie of cookies) await assertLives(cookie, 'after the rotation');
    // A session that was sealed with the old key is renewed with what the database has, sealed with the same file.
    await forward(301);
    await assertLives(cookies[0], 'due');
    await until('the renewal', () => refreshes() === 1);
  });

  test("Entra's keys roll over: sessions live on, and sign-ins and renewals succeed at both nodes", async () => {
    const cookies = cluster.nodes.map(() => undefined);
    for (const [i, node] of cluster.nodes.entries()) cookies[i] = copyOf(await cluster.signedIn({ node }));
    await cluster.emu.control('keys', { action: 'roll', drop: true });
    // An unknown key is fetched once a minute at most on a node.
    await forward(61);
    for (const [i, node] of cluster.nodes.entries()) {
      await assertLives(cookies[i], 'a session of before');
      await cluster.signedIn({ node });
    }
    await cluster.emu.control('user', { user: 'ada', set: { roles: ['app.admin'] } });
    await forward(300);
    for (const [i, node] of cluster.nodes.entries()) {
      await until('the renewal', async () => (await rolesAt(node, cookies[i])) === 'app.admin');
    }
  });

  test('a session is asked about once in the whole cluster, and a changed role arrives at both nodes', async () => {
    const count = 6;
    const cookies = [];
    for (let i = 0; i < count; i += 1) cookies.push(copyOf(await cluster.signedIn({ node: cluster.nodes[i % 2] })));
    assert.equal(await rolesAt(cluster.one, cookies[0]), 'app.reader');
    await cluster.emu.control('user', { user: 'ada', set: { roles: ['app.admin'], groups: [groups[0].id] } });
    await forward(301);
    // Copies that never take the fresh cookie: every request of theirs is due, at both nodes and in every process.
    const answers = [];
    await inParallel(Array.from({ length: 20 * count }), 12, async (_, i) => {
      answers.push((await cluster.onNode(cluster.nodes[i % 2], cookies[i % count])).status);
    });
    assert.deepEqual([...new Set(answers)], [200]);
    for (const cookie of cookies) {
      for (const node of cluster.nodes) await until('the role at a node', async () => (await rolesAt(node, cookie)) === 'app.admin', { timeout: 20_000 });
    }
    await inParallel(Array.from({ length: 10 * count }), 12, async (_, i) => { await cluster.onNode(cluster.nodes[i % 2], cookies[i % count]); });
    assert.equal(refreshes(), count, 'one question for each session');
    // A browser gets the answer as a cookie, and the next node believes it.
    const browser = await cluster.signedIn();
    await cluster.emu.control('user', { user: 'ada', set: { roles: ['app.reader'] } });
    await forward(301);
    await until('the role in an answer', async () => {
      const page = await browser.navigate(cluster.at('/app/who'), { follow: false });
      return headerOf(page.json(), 'x-entra-roles')[0] === 'app.reader' && setsSession(page.response);
    });
    const asked = refreshes();
    for (const node of cluster.nodes) assert.equal(await rolesAt(node, copyOf(browser)), 'app.reader');
    assert.equal(refreshes(), asked, 'and it is young there');
  });

  test('a dismissed user is out at both nodes with the renewal that one of them makes', async () => {
    const cookie = copyOf(await cluster.signedIn({ user: 'root', node: cluster.one }));
    const other = copyOf(await cluster.signedIn());
    await cluster.emu.control('user', { user: 'root', set: { enabled: false } });
    await assertLives(cookie, 'before it is due');
    await forward(301);
    assert.equal((await cluster.onNode(cluster.one, cookie)).status, 200, 'the request that is due');
    await until('the refusal', () => refreshes() === 1);
    await assertEnds(cookie, 'revalidation');
    await assertLives(other, 'another user');
    assert.equal(cluster.postgres.sql("SELECT COUNT(*) FROM entra_audit WHERE cause = 'revalidation'"), '1');
  });

  test('a node that dies while it asks Entra does not hold the session for good', async () => {
    const { one, two } = cluster;
    const cookie = copyOf(await cluster.signedIn({ node: one }));
    await cluster.emu.control('user', { user: 'ada', set: { roles: ['app.admin'] } });
    await cluster.emu.control('fault', { endpoint: 'token', grant: 'refresh_token', hang: true, count: 1 });
    // Another session's question of before is not the one that is waited for.
    const questions = () => cluster.emu.stats().requests.filter(({ grantType }) => grantType === 'refresh_token').length;
    const before = questions();
    await forward(301);
    assert.equal((await cluster.onNode(one, cookie)).status, 200);
    await until('the question', () => questions() > before);
    await cluster.kill(one);
    assert.equal((await cluster.onNode(two, cookie)).status, 200, 'goes on at the other node');
    const left = Number(cluster.postgres.sql("SELECT (claimed_until - CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)) / 1000000 FROM entra_session WHERE claim <> '' AND ended = 0"));
    assert.ok(left > 100 && left <= 180, `the claim runs out after 3 minutes: ${left}`);
    // Three minutes later, by the clock of the database: nobody waits for that here.
    cluster.postgres.sql("UPDATE entra_session SET claimed_until = 1 WHERE claim <> '' AND ended = 0");
    await until('the renewal by the other node', async () => (await rolesAt(two, cookie)) === 'app.admin', { timeout: 20_000 });
    await one.httpd.start();
    await assertLives(cookie, 'at both');
  });
});
