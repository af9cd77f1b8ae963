// SPDX-License-Identifier: Apache-2.0
// Sign-ins and requests of many people for long: every answer is checked to be for its own user, what has ended stays ended, and what
// the processes hold is looked at on the way.

import net from 'node:net';
import { readdirSync, readFileSync } from 'node:fs';
import { copyOf } from './cluster.mjs';

/** People; each has several sessions in the end. */
const PEOPLE = 200;
/** Connections that ask, and requests that lie on one at a time. */
const CONNECTIONS = 6;
const PIPELINED = 20;
/** Sign-ins that go on at once. */
const SIGNERS = 4;
/** One sign-in of so many ends the session of before. */
const LEAVES = 10;
/** One request of so many has the cookie of a session that has ended. */
const DEAD = 50;

/** The site's lines for it: the answer says for whom it is. */
export const ENDURE = {
  modules: ['headers'],
  extra: 'Header always set X-Seen-User "expr=%{REMOTE_USER}"\nKeepAlive On\nMaxKeepAliveRequests 0',
  logLevel: 'warn',
};

const nameOf = (user) => `${user}@contoso.example`;

/** What one process holds: {anonymous (KiB), files, threads}; null when it has gone. */
function sizeOf(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const number = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)[1]);
    return { anonymous: number('RssAnon'), files: readdirSync(`/proc/${pid}/fd`).length, threads: number('Threads') };
  } catch {
    return null;
  }
}

/** The sum over parent and children, with the processes' ids. */
export function holds(site) {
  const pids = [site.httpd.pid, ...site.httpd.children()];
  const sizes = pids.map(sizeOf).filter(Boolean);
  const sum = (name) => sizes.reduce((total, one) => total + one[name], 0);
  return { pids: pids.join(' '), anonymous: sum('anonymous'), files: sum('files'), threads: sum('threads') };
}

/** A connection that is asked by whole answers: `ask([{cookie}])` gives [{status, user}] in the same order. */
class Pipe {
  #rest = Buffer.alloc(0);

  #waiting = null;

  constructor(port) {
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.on('data', (data) => { this.#rest = this.#rest.length ? Buffer.concat([this.#rest, data]) : data; this.#take(); });
    for (const event of ['error', 'close']) this.socket.on(event, (error) => this.#waiting?.reject(error instanceof Error ? error : new Error('a connection ended')));
  }

  #take() {
    const { count, answers, resolve } = this.#waiting;
    for (let head; answers.length < count && (head = this.#rest.indexOf('\r\n\r\n')) >= 0;) {
      const text = this.#rest.toString('latin1', 0, head);
      const length = Number(/\r\nContent-Length: (\d+)/i.exec(text)?.[1]);
      if (!Number.isInteger(length)) { this.#waiting.reject(new Error(`an answer without a length: ${text}`)); return; }
      if (this.#rest.length < head + 4 + length) return;
      answers.push({ status: Number(text.slice(9, 12)), user: /\r\nX-Seen-User: ([^\r]*)/i.exec(text)?.[1] ?? '' });
      this.#rest = this.#rest.subarray(head + 4 + length);
    }
    if (answers.length === count) resolve(answers);
  }

  ask(host, cookies) {
    return new Promise((resolve, reject) => {
      this.#waiting = { count: cookies.length, answers: [], resolve, reject };
      this.socket.write(cookies.map((cookie) => `GET /page.html HTTP/1.1\r\nHost: ${host}\r\nAccept: application/json\r\nCookie: ${cookie}\r\n\r\n`).join(''));
    });
  }

  close() { this.socket.destroy(); }
}

/**
 * `signIns` sign-ins beside `requests` requests. Gives {signIns, requests, ended, violations, samples, seconds}: a violation is an answer that is
 * not for its own user, a session that was lost, or one that came back after its end. `tell(done)` is called at each sample.
 */
export async function endure(site, { signIns, requests, samples = 10, tell = () => {} }) {
  const live = [];
  const dead = [];
  const done = { signIns: 0, requests: 0, ended: 0, violations: [], samples: [] };
  const begin = Date.now();
  const accuse = (text) => { if (done.violations.length < 20) done.violations.push(text); };
  let keyboard = Promise.resolve();
  let begun = 0;
  let asked = 0;
  const places = Math.min(PEOPLE * 2, Math.ceil(signIns / 2));
  /** Answers that are still to come: what ends meanwhile may show in them or not. */
  const underWay = new Set();
  await site.emu.control('crowd', { count: PEOPLE });

  /** The emulator has one keyboard: who sits at it goes up to the callback; the rest is done beside the others. */
  const atKeyboard = (step) => {
    const turn = keyboard.then(step);
    keyboard = turn.catch(() => {});
    return turn;
  };

  const signIn = async (index) => {
    const user = `crowd${(index % PEOPLE) + 1}`;
    const browser = site.browser();
    const held = await atKeyboard(async () => {
      await site.as(user);
      return site.begin(browser);
    });
    const page = await browser.resume(held);
    const seen = page.response.header('x-seen-user');
    if (page.status !== 200 || seen !== nameOf(user)) accuse(`a sign-in of ${user}: ${page.status}, for ${seen}`);
    const place = index % places;
    const before = live[place];
    live[place] = { cookie: copyOf(browser), name: nameOf(user), browser: index % LEAVES === 0 ? browser : null };
    if (before?.browser) {
      await Promise.allSettled(underWay);
      const out = await before.browser.navigate(site.at('/.entra/logout'), { method: 'POST', body: '', from: site.at('/page.html'), follow: false });
      if (out.status !== 302) accuse(`a sign-out: ${out.status}`);
      done.ended += 1;
      dead[done.ended % 100] = before.cookie;
    }
    done.signIns += 1;
  };

  const signer = async () => { while (begun < signIns) await signIn(begun++); };

  /** Requests wait for sign-ins, so that both end together. */
  const mayAsk = () => asked / requests <= done.signIns / signIns || done.signIns === signIns;
  const asker = async (number) => {
    const pipe = new Pipe(site.httpd.port);
    try {
      for (let turn = number; asked < requests; turn += 1) {
        if (live.length < SIGNERS || !mayAsk()) { await new Promise((resolve) => { setTimeout(resolve, 2); }); continue; }
        const count = Math.min(PIPELINED, requests - asked);
        asked += count;
        const people = Array.from({ length: count }, (_, i) => {
          if (dead.length && (turn * PIPELINED + i) % DEAD === 0) return { cookie: dead.filter(Boolean)[turn % dead.filter(Boolean).length], name: null };
          const filled = live.filter(Boolean);
          return filled[(turn * 7919 + i * 31 + number) % filled.length];
        });
        const coming = pipe.ask(`localhost:${site.httpd.port}`, people.map(({ cookie }) => cookie));
        underWay.add(coming);
        const answers = await coming;
        underWay.delete(coming);
        answers.forEach(({ status, user }, i) => {
          const { name } = people[i];
          if (name === null ? status !== 401 || user !== '' : status !== 200 || user !== name) accuse(`${name ?? 'a session that has ended'} got ${status}, for "${user}"`);
        });
        done.requests += count;
      }
    } finally {
      pipe.close();
    }
  };

  const sampler = async () => {
    for (let i = 1; i <= samples; i += 1) {
      while (done.requests < (requests * i) / samples) await new Promise((resolve) => { setTimeout(resolve, 20); });
      done.samples.push({ part: i / samples, seconds: (Date.now() - begin) / 1000, ...holds(site) });
      tell(done);
    }
  };

  await Promise.all([...Array.from({ length: SIGNERS }, signer), ...Array.from({ length: CONNECTIONS }, (_, i) => asker(i)), sampler()]);
  done.seconds = (Date.now() - begin) / 1000;
  return done;
}

/** Why the second half was not flat: [] when it was. `grown`: KiB that it may have more at its end. */
export function growth({ samples }, grown) {
  const middle = samples.find(({ part }) => part >= 0.5);
  const last = samples.at(-1);
  const said = [];
  if (middle.pids !== last.pids) said.push(`other processes: ${middle.pids}, then ${last.pids}`);
  if (last.threads !== middle.threads) said.push(`threads: ${middle.threads}, then ${last.threads}`);
  if (Math.abs(last.files - middle.files) > 2 * (CONNECTIONS + SIGNERS)) said.push(`descriptors: ${middle.files}, then ${last.files}`);
  if (last.anonymous - middle.anonymous > grown) said.push(`memory: ${middle.anonymous} KiB, then ${last.anonymous}`);
  return said;
}
