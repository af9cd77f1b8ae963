// SPDX-License-Identifier: Apache-2.0
// A minute in the life of a cluster: people sign in, browse and sign out, while one thing after another fails under them. Every answer
// is judged: the right user or a documented "later", and nothing for who has signed out.
//
// ENTRA_SOAK: seconds (60). ENTRA_SEED: another order of events (7).

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import test, { after, describe } from 'node:test';
import { SESSION_COOKIE } from './lib/checks.mjs';
import { copyOf, startCluster } from './lib/cluster.mjs';
import { entraSso, noCommand } from './lib/command.mjs';
import { headerOf } from './lib/echo.mjs';
import { HttpError } from './lib/http.mjs';
import { CGI_DAEMON, hasModule, missing } from './lib/httpd.mjs';
import { startLine } from './lib/line.mjs';
import { closeLeftovers, startEmulator } from './lib/leftovers.mjs';
import { noPostgres } from './lib/postgres.mjs';
import { until } from './lib/wait.mjs';

const SECONDS = Number(process.env.ENTRA_SOAK ?? 60);
const SEED = Number(process.env.ENTRA_SEED ?? 7);
const PEOPLE = 8;
/** What ends has ended everywhere after two seconds, and so long after the database came back; and what a busy machine adds. */
const BOUND = 5000;
const BACK = 6000;
const skip = missing || noPostgres || noCommand || (hasModule('lbmethod_byrequests') ? false : 'httpd has no mod_proxy_balancer');

/** Numbers from 0 to 1, the same for the same seed. */
function randomOf(seed) {
  let state = (seed * 2654435761) % 4294967296;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

const isConnection = (error) => ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(error.code) || (error instanceof HttpError && /connection ended|no complete answer/.test(error.message));
/** The balancer's word that a node did not answer. */
const isGone = ({ status, text }) => [502, 503].includes(status) && !/ENTRA/.test(text);
/** What a sign-in may be told while something is out of order. A live session is never told so: no node starts without its database here. */
const isLater = (answer) => answer.status === 503 || isGone(answer);

after(closeLeftovers);

class Soak {
  counts = { pages: 0, signIns: 0, later: 0, ended: 0, replays: 0, faults: {} };

  violations = [];

  /** {cookie, at, how}: of sessions that have ended. */
  dead = [];

  databaseDown = false;

  databaseBack = 0;

  running = true;

  constructor(cluster, line, emu) {
    Object.assign(this, { cluster, line, emu, random: randomOf(SEED), signing: Promise.resolve() });
  }

  pick(list) { return list[Math.floor(this.random() * list.length)]; }

  accuse(text) { this.violations.push(`${((Date.now() - this.begin) / 1000).toFixed(1)} s, during ${this.fault ?? 'peace'}: ${text}`); }

  // ---- people ----

  /** The emulator has one keyboard. */
  signIn(person) {
    const turn = this.signing.then(async () => {
      await this.emu.control('auto', { user: person.user });
      const browser = this.cluster.browser();
      const page = await browser.navigate(this.cluster.at('/app/who'));
      return { browser, page };
    });
    this.signing = turn.catch(() => {});
    return turn;
  }

  async arrive(person) {
    let came;
    try {
      came = await this.signIn(person);
    } catch (error) {
      if (!isConnection(error)) throw error;
      this.counts.later += 1;
      await pause(100);
      return;
    }
    const { browser, page } = came;
    if (page.status === 200) {
      person.browser = browser;
      this.counts.signIns += 1;
      this.judgeUser(person, page);
    } else if (isLater(page.response)) {
      this.counts.later += 1;
      await pause(100);
    } else {
      this.accuse(`a sign-in of ${person.user}: ${page.status}\n${page.trace}\n${page.text.slice(0, 300)}`);
    }
  }

  judgeUser(person, page) {
    const seen = headerOf(page.json(), 'x-entra-user')[0];
    if (seen !== `${person.user}@contoso.example`) this.accuse(`${person.user} is taken for ${seen}`);
  }

  async browse(person) {
    // Over the balancer, or at a node itself.
    const way = this.pick([this.cluster.balancer.port, this.cluster.balancer.port, ...this.cluster.nodes.map(({ httpd }) => httpd.port)]);
    person.browser.resolve[this.cluster.origin] = way;
    let page;
    try {
      page = await person.browser.navigate(this.cluster.at('/app/who'), { follow: false });
    } catch (error) {
      if (!isConnection(error)) throw error;
      this.counts.later += 1;
      return;
    }
    if (page.status === 200) {
      this.counts.pages += 1;
      this.judgeUser(person, page);
    } else if (isGone(page.response)) {
      this.counts.later += 1;
    } else {
      this.accuse(`${person.user} is refused: ${page.status} ${page.response.location ?? page.text.slice(0, 200)}`);
      person.browser = null;
      return;
    }
    if (!person.browser.cookies.all.some(({ name }) => SESSION_COOKIE.test(name))) this.accuse(`${person.user} lost the cookie with a ${page.status}`);
  }

  /** Ends the session of a person; what nobody can tell the outcome of is judged no more. */
  async leave(person) {
    const { browser } = person;
    const cookie = copyOf(browser);
    person.browser = null;
    const how = this.pick(['sign-out', 'sign-out', 'front-channel', 'revoke']);
    const node = this.pick(this.cluster.nodes);
    try {
      if (how === 'sign-out') {
        browser.resolve[this.cluster.origin] = this.cluster.balancer.port;
        if ((await this.cluster.signOut(browser)).status !== 302) return;
      } else if (how === 'front-channel') {
        const asked = await this.cluster.onNode(node, cookie, '/cgi/sid');
        if (asked.status !== 200) return;
        const answer = await node.httpd.request({ path: `/.entra/frontchannel-logout?sid=${asked.text.trim()}`, host: 'app.test' });
        if (answer.status !== 200) return;
      } else if ((await entraSso(node, 'sessions', 'revoke', '--user', `${person.user}@contoso.example`)).status !== 0) {
        return;
      }
    } catch (error) {
      if (!isConnection(error)) throw error;
      return;
    }
    this.counts.ended += 1;
    this.dead.push({ cookie, how, at: Date.now() });
  }

  async live(person) {
    while (this.running) {
      if (!person.browser) await this.arrive(person);
      else if (this.random() < 0.06) await this.leave(person);
      else await this.browse(person);
      await pause(15);
    }
  }

  // ---- somebody with copies of cookies ----

  /** The moment from which an ended session must be dead everywhere. */
  deadline({ at }) {
    if (this.databaseDown) return Infinity;
    return at < this.databaseBack ? Math.max(at + BOUND, this.databaseBack + BACK) : at + BOUND;
  }

  async replay(one) {
    for (const node of this.cluster.nodes) {
      const due = this.deadline(one);
      const begin = Date.now();
      const answer = await this.cluster.onNode(node, one.cookie).catch((error) => { if (!isConnection(error)) throw error; return null; });
      if (answer) this.counts.replays += 1;
      // Judged by what was known when it was asked, and only if nothing changed meanwhile.
      if (answer?.status === 200 && begin > due && begin > this.deadline(one)) this.accuse(`ended by ${one.how} ${begin - one.at} ms ago, and accepted`);
    }
  }

  async thief() {
    while (this.running) {
      if (this.dead.length) await this.replay(this.random() < 0.5 ? this.dead.at(-1) : this.pick(this.dead));
      await pause(20);
    }
  }

  // ---- what fails ----

  async database(step) {
    this.databaseDown = true;
    this.cluster.postgres.halt();
    try {
      await step();
    } finally {
      this.cluster.postgres.start();
      this.databaseBack = Date.now();
      this.databaseDown = false;
    }
    // What ended meanwhile is written before the next fault comes.
    await pause(BACK);
  }

  async rotate() {
    const [one, two] = this.cluster.nodes;
    const taken = async (nodes, marks) => { for (const { httpd } of nodes) await httpd.waitForLog(/ENTRA2030: /, { from: marks.get(httpd), timeout: 25_000 }); };
    const mark = () => new Map(this.cluster.nodes.map(({ httpd }) => [httpd, httpd.errorLog().length]));
    let marks = mark();
    await entraSso(one, 'key', 'rotate', '--prepare');
    this.cluster.copyKeys(one, two);
    await taken([one, two], marks);
    marks = mark();
    await entraSso(one, 'key', 'rotate');
    this.cluster.copyKeys(one, two);
    await taken([one, two], marks);
  }

  faults() {
    const { cluster, line } = this;
    const a = () => this.pick(cluster.nodes);
    const while_ = () => pause(500 + this.random() * 1500);
    return {
      'a node is killed': async () => { const node = a(); await cluster.kill(node); await while_(); await node.httpd.start(); },
      'a child is killed': async () => { const { httpd } = a(); process.kill(this.pick(httpd.children()), 'SIGKILL'); await while_(); },
      'a node is reloaded': async () => { await a().httpd.graceful(); },
      'a node is restarted': async () => { await a().httpd.restart(); },
      'the database is restarted': () => this.database(async () => {}),
      'the database is away': () => this.database(while_),
      'Entra is cut off': async () => { await line.cut(); await while_(); await line.mend(); },
      'Entra hangs': async () => { line.hang(); await while_(); await line.mend(); },
      'Entra answers 503': async () => { await this.emu.control('fault', { endpoint: 'token', status: 503 }); await while_(); await this.emu.control('fault', undefined, 'DELETE'); },
    };
  }

  async trouble() {
    const all = Object.entries(this.faults());
    const once = [["Entra's keys roll over", () => this.emu.control('keys', { action: 'roll' })], ['the cookie keys roll', () => this.rotate()]];
    const until_ = this.begin + SECONDS * 1000;
    // Each kind once, in an order by the seed; then as they come.
    const order = [...all, ...once].map((one) => [this.random(), one]).sort(([x], [y]) => x - y).map(([, one]) => one);
    while (Date.now() < until_ || order.length) {
      const [name, fault] = order.shift() ?? this.pick(all);
      this.fault = name;
      this.counts.faults[name] = (this.counts.faults[name] ?? 0) + 1;
      await fault();
      await pause(200);
    }
    this.fault = undefined;
  }

  async run(users) {
    this.begin = Date.now();
    this.people = users.map((user) => ({ user, browser: null }));
    const crowd = Promise.all([...this.people.map((person) => this.live(person)), this.thief()]);
    try {
      await Promise.race([this.trouble(), crowd]);
    } finally {
      this.running = false;
    }
    await crowd;
    await until('the last ones to be dead', () => this.dead.every((one) => Date.now() > this.deadline(one)));
  }
}

describe('a minute of faults', { skip }, () => {
  test(`${PEOPLE} people for ${SECONDS} s (seed ${SEED}): nobody is signed out by a fault, and nobody who has ended comes back`, { timeout: (SECONDS + 240) * 1000 }, async (t) => {
    const line = await startLine();
    const emu = await startEmulator({ auto: 'ada', publicUrl: line.url });
    line.to(emu.port);
    await emu.control('crowd', { count: PEOPLE });
    const cluster = await startCluster({ emu, directives: { EntraSessionRevalidate: '10s', EntraOutboundTimeout: '500ms 1s' }, threads: 16, processes: 2 });
    const soak = new Soak(cluster, line, emu);
    // Everything here is a fault that is told; what may not be there is a crash.
    for (const { httpd } of cluster.nodes) httpd.allow(/ENTRA(10|11|13|14|20)\d\d: /, /AH0005[12]: child pid \d+ exit signal Killed/, /AH10159|AH00485/, CGI_DAEMON);
    await soak.run(Array.from({ length: PEOPLE }, (_, i) => `crowd${i + 1}`));
    t.diagnostic(JSON.stringify(soak.counts));
    assert.deepEqual(soak.violations.slice(0, 10), [], `${soak.violations.length} violations`);
    for (const { cookie, how } of soak.dead) for (const node of cluster.nodes) assert.equal((await cluster.onNode(node, cookie)).status, 401, how);
    for (const { user, browser } of soak.people.filter((one) => one.browser)) {
      for (const node of cluster.nodes) assert.equal((await cluster.onNode(node, copyOf(browser))).status, 200, user);
    }
    const { pages, signIns, ended, replays } = soak.counts;
    assert.ok(pages > SECONDS * 10 && signIns > SECONDS / 4 && ended > SECONDS / 6 && replays > SECONDS * 5, JSON.stringify(soak.counts));
    await cluster.stop();
    await line.close();
    await emu.close();
  });
});
