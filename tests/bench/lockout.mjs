#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// How long it takes from the moment at which somebody must be out until Apache refuses them: two nodes, one PostgreSQL, the emulator, real
// time. Prints a table (Markdown) of what docs/revalidation.md promises and what was measured; ends with 1 when a bound was passed.
//
// usage: node tests/bench/lockout.mjs [--runs N] [--only WORD]
//   --runs N      measurements of each way (default 10)
//   --only WORD   ways whose name has this word
//
// Needs a build (ENTRA_MODULE names another module), PostgreSQL and its driver of apr-util. Takes about two minutes, and gives up after ten.

import { parseArgs } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import { inParallel } from '../e2e/lib/checks.mjs';
import { copyOf, startCluster } from '../e2e/lib/cluster.mjs';
import { entraSso, noCommand } from '../e2e/lib/command.mjs';
import { missing } from '../e2e/lib/httpd.mjs';
import { noPostgres } from '../e2e/lib/postgres.mjs';
import { CLIENT } from '../e2e/lib/site.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { startEmulator } from '../emulator/server.mjs';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '10' }, only: { type: 'string', default: '' } } });
const RUNS = Number(values.runs);
/** The shortest that the directives take. */
const REVALIDATE = 10;
const WATCH = 30;
/** How often each person asks, in milliseconds: what is added to every measurement. */
const EVERY = 50;
const LIMIT = 600_000;

const cannot = missing || noPostgres || noCommand;
if (cannot || !(RUNS > 0)) {
  process.stderr.write(`lockout: ${cannot || '--runs wants a number'}\n`);
  process.exit(2);
}
setTimeout(() => { process.stderr.write('lockout: not at its end after ten minutes\n'); process.exit(1); }, LIMIT).unref();

const seconds = (begin) => Number(process.hrtime.bigint() - begin) / 1e9;

/** Asks at both nodes without a pause, and gives for each the time from `begin()` until it refused. */
async function timeToRefusal(cluster, cookie, begin, limit) {
  return Promise.all(cluster.nodes.map(async (node) => {
    for (;;) {
      const { status } = await cluster.onNode(node, cookie);
      if (status === 401 && begin()) return seconds(begin());
      if (status !== 200) throw new Error(`a node answered ${status}`);
      if (begin() && seconds(begin()) > limit) throw new Error(`still accepted after ${limit} s`);
      await pause(EVERY);
    }
  }));
}

/** Each way: its bound in seconds, the directives it needs, over how many seconds the runs are spread
 *  (else one after the other), and what puts them out. Another way is another entry. */
const WAYS = [
  {
    name: 'account disabled at Entra, by revalidation', bound: REVALIDATE + 2, stated: 'EntraSessionRevalidate, and 2 s for the other nodes', spread: REVALIDATE,
    directives: { EntraSessionRevalidate: `${REVALIDATE}s` },
    end: (cluster, { user }) => cluster.emu.control('user', { user, set: { enabled: false } }),
  },
  {
    name: 'sessions revoked at Entra, by revalidation', bound: REVALIDATE + 2, stated: 'EntraSessionRevalidate, and 2 s for the other nodes', spread: REVALIDATE,
    directives: { EntraSessionRevalidate: `${REVALIDATE}s` },
    end: (cluster, { user }) => cluster.emu.control('revoke', { user }),
  },
  {
    name: 'account disabled at Entra, by EntraTenantWatch', bound: WATCH + 3, stated: 'EntraTenantWatch, and 2 s for the other nodes', spread: WATCH,
    directives: { EntraTenantWatch: `${WATCH}s`, EntraSessionRevalidate: 'off' }, ready: /ENTRA2082: /,
    end: (cluster, { user }) => cluster.emu.control('user', { user, set: { enabled: false } }),
  },
  { name: 'entra-sso sessions revoke', bound: 2, stated: '2 s', end: async (cluster, { user }) => { await entraSso(cluster.one, 'sessions', 'revoke', '--user', `${user}@contoso.example`); } },
  { name: 'front-channel logout', bound: 2, stated: 'at once at this node, 2 s at the others', end: (cluster, { sid }) => cluster.one.httpd.request({ path: `/.entra/frontchannel-logout?sid=${sid}`, host: 'app.test' }) },
  { name: 'sign-out by the user', bound: 2, stated: 'at once at this node, 2 s at the others', end: (cluster, { browser }) => cluster.signOut(browser) },
];

/** One user of the emulator for each run, so that runs do not end each other's sessions. */
async function people(cluster, from) {
  const all = [];
  for (let i = 1; i <= RUNS; i += 1) {
    const user = `crowd${from + i}`;
    const browser = await cluster.signedIn({ user, node: cluster.one });
    const cookie = copyOf(browser);
    all.push({ user, browser, cookie, sid: await cluster.sidOf(cookie) });
  }
  return all;
}

async function measure(cluster, way, from) {
  const all = await people(cluster, from);
  const times = [];
  const one = async (person, i) => {
    let begin;
    const refused = timeToRefusal(cluster, person.cookie, () => begin, way.bound * 3);
    await pause(way.spread ? (way.spread * 1000 * i) / RUNS : 200 + (1000 * i) / RUNS);
    begin = process.hrtime.bigint();
    await way.end(cluster, person);
    times.push(await refused);
  };
  await inParallel(all, way.spread ? RUNS : 1, one);
  return times;
}

const statistics = (list) => {
  const sorted = [...list].sort((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)], max: sorted.at(-1) };
};
const shown = ({ median, max }) => `${median.toFixed(2)} s, ${max.toFixed(2)} s`;

/** Ways that need the same directives share a cluster. */
async function measureAll(ways, report) {
  const [{ directives, ready }] = ways;
  const emu = await startEmulator({ auto: 'ada', config: { clients: [{ id: CLIENT, graphPermissions: ['User.Read.All'] }] } });
  await emu.control('crowd', { count: RUNS * ways.length });
  const cluster = await startCluster({ emu, directives: { EntraGraphURL: emu.url, ...directives }, logLevel: 'warn entra_sso:info' });
  try {
    if (ready) await until('the watch', () => cluster.nodes.some(({ httpd }) => ready.test(httpd.errorLog())), { timeout: 60_000 });
    for (const [i, way] of ways.entries()) report(way, await measure(cluster, way, i * RUNS));
  } finally {
    await cluster.stop({ judge: false });
    await emu.close();
  }
}

const wanted = WAYS.filter(({ name }) => name.includes(values.only));
const groups = new Map();
for (const way of wanted) {
  const needs = JSON.stringify(way.directives ?? {});
  groups.set(needs, [...(groups.get(needs) ?? []), way]);
}

const rows = ['', '| What happens | Promised | This node: median, longest | The other node: median, longest |', '|---|---|---|---|'];
let passed = true;
for (const ways of groups.values()) {
  await measureAll(ways, (way, times) => {
    const [here, there] = [0, 1].map((i) => statistics(times.map((pair) => pair[i])));
    passed &&= Math.max(here.max, there.max) <= way.bound + EVERY / 1000 + 0.2;
    rows.push(`| ${way.name} | ${way.stated} | ${shown(here)} | ${shown(there)} |`);
    process.stderr.write(`${way.name}: measured\n`);
  });
}
rows.push('', `${RUNS} measurements each; EntraSessionRevalidate ${REVALIDATE}s, EntraTenantWatch ${WATCH}s; each person asks every ${EVERY} ms.`, '');
process.stdout.write(rows.join('\n'), () => process.exit(passed ? 0 : 1));
