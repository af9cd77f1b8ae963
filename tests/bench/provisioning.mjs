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

/** The step's answer; how long it took stands in `times` under its name. */
async function timed(times, name, step) {
  const sentAt = process.hrtime.bigint();
  const answer = await step();
  times.push([name, milliseconds(sentAt)]);
  return answer;
}

/** An initial cycle, as fast as it goes: Entra looks for each user and group before it makes it, and sends the first group's members in lots. */
async function fill(scim) {
  const times = [];
  const begin = process.hrtime.bigint();
  const users = [];
  await inParallel(numbered(USERS), AT_ONCE, async (i) => {
    await timed(times, 'look for a user', () => scim.filter('Users', `userName eq "${person(i).userName}"`));
    users[i - 1] = await timed(times, 'make a user', () => scim.user(person(i)));
  });
  const groups = [];
  await inParallel(numbered(GROUPS), AT_ONCE, async (i) => {
    await timed(times, 'look for a group', () => scim.filter('Groups', `displayName eq "Group ${i}"`, '&excludedAttributes=members'));
    groups[i - 1] = await timed(times, 'make a group', () => scim.group({ externalId: randomUUID(), displayName: `Group ${i}` }));
  });
  for (let at = 0; at < USERS; at += LOT) await timed(times, `${LOT} members come`, () => addMembers(scim, groups[0], users.slice(at, at + LOT)));
  return { users, groups, times, rate: times.length / (milliseconds(begin) / 1000) };
}

async function addMembers(scim, group, users) {
  const answer = await scim.patch(`/Groups/${group.id}`, { op: 'Add', path: 'members', value: users.map(({ id }) => ({ value: id })) });
  if (answer.status !== 204 && answer.status !== 200) throw new Error(`members: ${answer.status} ${answer.text}`);
}

/** What an incremental cycle sends, in turn; each gives its answer. `titles`, `members` and `made` are what the directory must have at the end. */
const STEPS = [
  ['find a user', ({ scim, user }) => scim.filter('Users', `userName eq "${user.userName}"`)],
  ['change a user', ({ scim, user, n, titles }) => { titles.set(user.id, `Title ${n}`); return scim.patch(`/Users/${user.id}`, { op: 'Replace', path: 'title', value: `Title ${n}` }); }],
  ['make a user', ({ scim, n, made }) => { made.push(n); return scim.send('POST', '/Users', { schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'], ...person(USERS + n) }); }],
  ['find a group', ({ scim, group }) => scim.filter('Groups', `displayName eq "${group.displayName}"`, '&excludedAttributes=members')],
  ['a member goes', ({ scim, big, user, members }) => { members.delete(user.id); return scim.patch(`/Groups/${big.id}`, { op: 'Remove', path: 'members', value: [{ value: user.id }] }); }],
  ['a member comes', ({ scim, big, user, members }) => { members.add(user.id); return scim.patch(`/Groups/${big.id}`, { op: 'Add', path: 'members', value: [{ value: user.id }] }); }],
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
    waiting.push(timed(state.times, name, () => step({ scim, user, group: groups[n % groups.length], big: groups[0], n, ...state })).then(({ status, text }) => {
      if (status >= 300) state.failures.push(`${name}: ${status} ${text}`);
    }));
  }
  await Promise.all(waiting);
}

/** Signed-in users who ask without a pause for SECONDS: requests a second. From a process of their own: in this one, what the directory is told
 * would keep them waiting. */
const browse = async (site, cookies) => (await load(site.httpd, { target: '/page.html', cookies, at: AT_ONCE, seconds: SECONDS })).rate;

/** What the directory has otherwise than it was told. */
async function lostUpdates(scim, { known, users, groups }, { titles, members, made }) {
  const lost = [];
  const same = (what, stored, wanted) => { if (stored !== wanted) lost.push(`${what}: ${stored} for ${wanted}`); };
  for (const [id, title] of titles) same(id, (await scim.get(`/Users/${id}`)).json().title, title);
  same('users', (await scim.get('/Users?count=0')).json().totalResults, known + users.length + made.length);
  same('groups', (await scim.get('/Groups?count=0')).json().totalResults, groups.length);
  const stored = (await scim.get(`/Groups/${groups[0].id}`)).json().members.map(({ value }) => value);
  same('members', stored.length, members.size);
  for (const id of stored) if (!members.has(id)) lost.push(`member ${id}: not wanted`);
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
  // Who signed in has a row already.
  const known = (await scim.get('/Users?count=0')).json().totalResults;
  const directory = { scim, known, ...await fill(scim) };
  process.stderr.write(`provisioning: filled at ${directory.rate.toFixed(0)} requests a second\n`);
  const state = { sent: 0, times: [], titles: new Map(), members: new Set(directory.users.map(({ id }) => id)), made: [], failures };
  const [without, during] = [[], []];
  for (let turn = 0; turn < 3; turn += 1) {
    without.push(await browse(site, cookies));
    const [rate] = await Promise.all([browse(site, cookies), provision(directory, state)]);
    during.push(rate);
  }
  failures.push(...await lostUpdates(scim, directory, state));
  const sum = (list) => list.reduce((all, value) => all + value, 0);
  const row = (name, list) => `| ${name} | ${list.length} | ${percentile(list, 0.5).toFixed(0)} ms | ${percentile(list, 0.99).toFixed(0)} ms | ${Math.max(...list).toFixed(0)} ms |`;
  const table = (title, times) => [
    '', `| ${title} | Requests | Median | p99 | Longest |`, '|---|---|---|---|---|',
    ...[...new Set(times.map(([name]) => name))].map((name) => row(name, times.filter(([known]) => known === name).map(([, time]) => time))),
    row('all', times.map(([, time]) => time)), ''];
  process.stdout.write([
    ...table(`${values.database}: ${USERS} users, ${GROUPS} groups, filled`, directory.times),
    ...table(`${RATE} requests a second`, state.times),
    `Filled at ${directory.rate.toFixed(0)} requests a second. Requests of signed-in users while it runs: ${(100 * sum(during) / sum(without)).toFixed(1)} % of those without.`,
    `${failures.length} failed or lost.`, ''].join('\n'));
} finally {
  await site.stop({ judge: false });
  postgres?.kill();
}
for (const line of failures.slice(0, 10)) process.stderr.write(`provisioning: ${line}\n`);
process.exitCode = failures.length ? 1 : 0;
