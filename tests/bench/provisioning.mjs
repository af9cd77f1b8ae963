#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// What Entra's provisioning costs: a directory is filled as fast as it goes, then provisioned further at the highest rate that Entra has,
// while users who are signed in ask without a pause. Prints a table (Markdown); ends with 1 when a request failed or an update was lost.
//
// usage: node tests/bench/provisioning.mjs [--database sqlite|pgsql] [--users N] [--groups N] [--rate N] [--seconds N]
//   --users N     users, all of them in the first group (default 10000)
//   --groups N    groups (default 500)
//   --rate N      SCIM requests a second (default 25)
//   --seconds N   of each of the six measured spans: without, with, and so on (default 15)
//
// Needs a build (ENTRA_MODULE names another module) and wrk, which tests/bench/setup installs.

import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { copyOf } from '../e2e/lib/cluster.mjs';
import { inParallel } from '../e2e/lib/checks.mjs';
import { missing } from '../e2e/lib/httpd.mjs';
import { noPostgres, startPostgres } from '../e2e/lib/postgres.mjs';
import { makeToken, Scim } from '../e2e/lib/scim.mjs';
import { startSite } from '../e2e/lib/site.mjs';
import { ASIDE, cookieFile, load, PINNED } from './lib/load.mjs';

const number = (fallback) => ({ type: 'string', default: String(fallback) });
const { values } = parseArgs({ options: { database: { type: 'string', default: 'sqlite' }, users: number(10_000), groups: number(500), rate: number(25), seconds: number(15) } });
const [USERS, GROUPS, RATE, SECONDS] = ['users', 'groups', 'rate', 'seconds'].map((name) => Number(values[name]));
const AT_ONCE = 4;
/** Entra sends members in lots of this size. */
const LOT = 20;

const cannot = missing || (values.database === 'pgsql' && noPostgres);
if (cannot || !['sqlite', 'pgsql'].includes(values.database) || ![USERS, GROUPS, RATE, SECONDS].every((value) => value > 0)) {
  process.stderr.write(`provisioning: ${cannot || 'an argument is wrong; see the head of this file'}\n`);
  process.exit(2);
}

const milliseconds = (begin) => Number(process.hrtime.bigint() - begin) / 1e6;
const percentile = (list, part) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * part))];
const numbered = (count) => Array.from({ length: count }, (_, i) => i + 1);
const person = (i) => ({ externalId: randomUUID(), userName: `user${i}@contoso.example`, displayName: `User ${i}`, active: true });

/** The users and groups, and the members of the first group in lots. */
async function fill(scim) {
  const begin = process.hrtime.bigint();
  const users = [];
  await inParallel(numbered(USERS), AT_ONCE, async (i) => { users[i - 1] = await scim.user(person(i)); });
  const groups = [];
  await inParallel(numbered(GROUPS), AT_ONCE, async (i) => { groups[i - 1] = await scim.group({ externalId: randomUUID(), displayName: `Group ${i}` }); });
  for (let at = 0; at < USERS; at += LOT) await addMembers(scim, groups[0], users.slice(at, at + LOT));
  return { users, groups, rate: (USERS + GROUPS + USERS / LOT) / (milliseconds(begin) / 1000) };
}

async function addMembers(scim, group, users) {
  const answer = await scim.patch(`/Groups/${group.id}`, { op: 'Add', path: 'members', value: users.map(({ id }) => ({ value: id })) });
  if (answer.status !== 204 && answer.status !== 200) throw new Error(`members: ${answer.status} ${answer.text}`);
}

/** What an incremental cycle sends, in turn; each gives its answer. `state.titles` is what the directory must have at the end. */
const STEPS = [
  ['find a user', ({ scim, user }) => scim.filter('Users', `userName eq "${user.userName}"`)],
  ['change a user', ({ scim, user, n, titles }) => { titles.set(user.id, `Title ${n}`); return scim.patch(`/Users/${user.id}`, { op: 'Replace', path: 'title', value: `Title ${n}` }); }],
  ['make a user', ({ scim, n }) => scim.send('POST', '/Users', { schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'], ...person(USERS + n) })],
  ['find a group', ({ scim, group }) => scim.filter('Groups', `displayName eq "${group.displayName}"`, '&excludedAttributes=members')],
  ['a member goes', ({ scim, big, user }) => scim.patch(`/Groups/${big.id}`, { op: 'Remove', path: 'members', value: [{ value: user.id }] })],
  ['a member comes', ({ scim, big, user }) => scim.patch(`/Groups/${big.id}`, { op: 'Add', path: 'members', value: [{ value: user.id }] })],
];

/** RATE requests a second for SECONDS, whether or not the ones before are answered. */
async function provision({ scim, users, groups }, state) {
  const waiting = [];
  const begin = process.hrtime.bigint();
  for (let sent = 0; sent < RATE * SECONDS; sent += 1) {
    await pause(Math.max(0, (sent * 1000) / RATE - milliseconds(begin)));
    const n = state.sent;
    state.sent += 1;
    const [name, step] = STEPS[n % STEPS.length];
    const user = users[(n * 7919) % users.length];
    const sentAt = process.hrtime.bigint();
    waiting.push(step({ scim, user, group: groups[n % groups.length], big: groups[0], n, titles: state.titles }).then(({ status, text }) => {
      state.times.push([name, milliseconds(sentAt)]);
      if (status >= 300) state.failures.push(`${name}: ${status} ${text}`);
    }));
  }
  await Promise.all(waiting);
}

/** Signed-in users who ask without a pause for SECONDS: requests a second. From a process of their own: in this one, what the directory is told
 * would keep them waiting. */
const browse = async (site, cookies) => (await load(site.httpd, { target: '/page.html', cookies, at: AT_ONCE, seconds: SECONDS })).rate;

async function lostUpdates(scim, titles) {
  const lost = [];
  for (const [id, title] of titles) {
    const { title: stored } = (await scim.get(`/Users/${id}`)).json();
    if (stored !== title) lost.push(`${id}: ${stored} for ${title}`);
  }
  return lost;
}

// httpd has a processor for itself, as in run.mjs; what this process starts beside it (wrk, PostgreSQL) has the others, as this process has.
if (ASIDE.length) execFileSync('taskset', ['-apc', ASIDE.at(-1), String(process.pid)], { stdio: 'ignore' });
const postgres = values.database === 'pgsql' ? startPostgres() : null;
const site = await startSite({ directives: { EntraSCIM: 'on', ...(postgres ? { EntraDatabase: `"pgsql:${postgres.conninfo}"` } : {}) }, logLevel: 'warn', extra: 'MaxKeepAliveRequests 0', under: PINNED });
const failures = [];
try {
  const cookies = cookieFile(copyOf(await site.signedIn()));
  const scim = new Scim(site, makeToken(site));
  const directory = { scim, ...await fill(scim) };
  process.stderr.write(`provisioning: filled at ${directory.rate.toFixed(0)} requests a second\n`);
  const state = { sent: 0, times: [], titles: new Map(), failures };
  const [without, during] = [[], []];
  for (let turn = 0; turn < 3; turn += 1) {
    without.push(await browse(site, cookies));
    const [rate] = await Promise.all([browse(site, cookies), provision(directory, state)]);
    during.push(rate);
  }
  failures.push(...await lostUpdates(scim, state.titles));
  const sum = (list) => list.reduce((all, value) => all + value, 0);
  const row = (name, list) => `| ${name} | ${list.length} | ${percentile(list, 0.5).toFixed(0)} ms | ${percentile(list, 0.99).toFixed(0)} ms | ${Math.max(...list).toFixed(0)} ms |`;
  process.stdout.write([
    '', `| ${values.database}: ${USERS} users, ${GROUPS} groups, ${RATE} requests a second | Requests | Median | p99 | Longest |`, '|---|---|---|---|---|',
    ...STEPS.map(([name]) => row(name, state.times.filter(([known]) => known === name).map(([, time]) => time))),
    row('all', state.times.map(([, time]) => time)), '',
    `Filled at ${directory.rate.toFixed(0)} requests a second. Requests of signed-in users while it runs: ${(100 * sum(during) / sum(without)).toFixed(1)} % of those without.`,
    `${failures.length} failed or lost.`, ''].join('\n'));
} finally {
  await site.stop({ judge: false });
  postgres?.kill();
}
for (const line of failures.slice(0, 10)) process.stderr.write(`provisioning: ${line}\n`);
process.exitCode = failures.length ? 1 : 0;
