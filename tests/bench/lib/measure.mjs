// SPDX-License-Identifier: Apache-2.0
// The measurements, one function each; what they give is plain data for report.mjs and plot.mjs.

import { startCounted } from './instructions.mjs';
import { ASIDE, cookieFile, interleave, load, PINNED } from './load.mjs';
import { FILE, KINDS, PROXIED, cookiesOf, startBackend, startProvider, startServer } from './servers.mjs';
import { endSessions, manySessions } from './sessions.mjs';
import { closedSignIns, manySignIns, whileHanging } from './signins.mjs';

export const MPMS = ['event', 'prefork'];
/** mod_auth_openidc takes so much longer under callgrind that fewer requests are counted as exactly. */
const COUNTS = { none: [100, 500], entra: [100, 500], rivalServer: [10, 40], rivalClient: [10, 40] };
/** More threads in each process than are asked at once: httpd on event closes connections that wait when all of a process are busy. */
const SIZES = { event: { processes: 2, threads: 256, workers: 512 }, prefork: { processes: 32, workers: 64 } };

/** What is started is ended, whatever happens. */
async function using(make, step) {
  const things = [];
  const keep = (thing) => { things.push(thing); return thing; };
  try {
    return await step(await make(keep), keep);
  } finally {
    for (const thing of things.reverse()) await (thing.stop ? thing.stop({ judge: false }) : thing.close());
  }
}

const withAround = (rival, step, options) => using(async (keep) => ({ provider: keep(await startProvider(options)), backend: keep(await startBackend(ASIDE)), rival }), step);

const pinned = (kind, around, mpm, size = SIZES[mpm]) => startServer(kind, around, { mpm, under: PINNED, ...size });

/** Instructions of a request: {kind: {file, proxied, opened}}; opened: of a request whose session the connection does not have yet. */
export async function instructions({ mpm, kinds, rival, targets = ['file', 'proxied', 'opened'], say }) {
  return withAround(rival, async (around) => {
    const all = {};
    for (const kind of kinds) {
      const counted = await startCounted(kind, around, { mpm });
      try {
        // Two people in turn on one connection: each request has to open its cookie.
        const cookies = [await cookiesOf(counted.server), await cookiesOf(counted.server)];
        const ways = { file: { target: FILE, cookies: cookies[0] }, proxied: { target: PROXIED, cookies: cookies[0] }, opened: { target: FILE, cookies } };
        all[kind] = {};
        for (const name of targets) {
          all[kind][name] = await counted.count({ ...ways[name], counts: COUNTS[kind] });
          say(`instructions, ${mpm}, ${KINDS[kind].label}, ${name}: ${all[kind][name]}`);
        }
        all[kind].cookie = cookies[0].length;
      } finally {
        await counted.stop();
      }
    }
    return all;
  });
}

async function startAll(around, mpm, kinds, keep) {
  const servers = [];
  for (const kind of kinds) {
    const server = keep(await pinned(kind, around, mpm));
    servers.push({ server, cookies: cookieFile(await cookiesOf(server)) });
  }
  return servers;
}

/** Requests a second side by side: {file: {kind: …}, proxied: {kind: …}}. */
export async function throughput({ mpm, kinds, rival, rounds, seconds, say }) {
  return withAround(rival, async (around, keep) => {
    const servers = await startAll(around, mpm, kinds, keep);
    const all = {};
    for (const [name, target] of [['file', FILE], ['proxied', PROXIED]]) {
      const seen = await interleave(servers.map(({ server, cookies }) => () => load(server, { target, cookies, seconds })), rounds);
      all[name] = Object.fromEntries(kinds.map((kind, i) => [kind, seen[i]]));
      say(`throughput, ${mpm}, ${name}: ${kinds.map((kind) => `${kind} ${(100 * all[name][kind].ratio).toFixed(1)} %`).join(', ')}`);
    }
    return all;
  });
}

/** The same at several numbers of connections at once: [{at, kind: …}]. */
export async function concurrency({ kinds, rival, steps, rounds, seconds, say }) {
  return withAround(rival, async (around, keep) => {
    const servers = await startAll(around, 'event', kinds, keep);
    const all = [];
    for (const at of steps) {
      const seen = await interleave(servers.map(({ server, cookies }) => () => load(server, { target: FILE, cookies, at, seconds })), rounds);
      all.push({ at, ...Object.fromEntries(kinds.map((kind, i) => [kind, seen[i]])) });
      say(`${at} at once: ${kinds.map((kind, i) => `${kind} ${seen[i].rate.toFixed(0)}`).join(', ')}`);
    }
    return all;
  });
}

/** One server, more and more sessions, then ended ones: {sessions: [{count, …}], ended: [{count, …}]}, each against one session. */
export async function sessions({ counts, ended, rounds, seconds, say }) {
  return withAround(null, async ({ provider, backend }, keep) => {
    const server = keep(await pinned('entra', { provider, backend }, 'event'));
    const cookie = await cookiesOf(server);
    const crowd = manySessions(server, provider, cookie, Math.max(...counts) + ended);
    const way = (lines) => { const cookies = cookieFile(lines); return () => load(server, { target: FILE, cookies, at: 64, seconds }); };
    // Those that end are not asked for.
    const living = (count) => way(count === 1 ? cookie : crowd.cookies.slice(ended, ended + count));
    const many = await interleave(counts.map(living), rounds);
    say(`sessions: ${counts.map((count, i) => `${count}: ${(100 * many[i].ratio).toFixed(1)} %`).join(', ')}`);
    const step = living(counts.find((count) => count > 1));
    const [before] = await interleave([step], rounds);
    await endSessions(server, { cookies: crowd.cookies.slice(0, ended), ids: crowd.ids.slice(0, ended) });
    const [after] = await interleave([step], rounds);
    say(`${ended} ended sessions: ${after.cpu.toFixed(1)} µs for ${before.cpu.toFixed(1)} µs`);
    return { sessions: counts.map((count, i) => ({ count, ...many[i] })), ended: [{ count: 0, ...before }, { count: ended, ...after }] };
  });
}

/** The module against none, in servers of several shapes: [{mpm, processes, threads, none, entra}]. */
export async function shapes({ list, rounds, seconds, say }) {
  return withAround(null, async (around) => {
    const all = [];
    for (const { mpm, processes, threads = 1 } of list) {
      const size = { processes, ...(mpm === 'prefork' ? { workers: processes } : { threads, workers: processes * threads }) };
      await using(async (keep) => {
        const servers = [];
        for (const kind of ['none', 'entra']) {
          const server = keep(await pinned(kind, around, mpm, size));
          servers.push({ server, cookies: cookieFile(await cookiesOf(server)) });
        }
        return servers;
      }, async (servers) => {
        const [none, entra] = await interleave(servers.map(({ server, cookies }) => () => load(server, { target: FILE, cookies, at: 8, seconds })), rounds);
        all.push({ mpm, processes, threads, none, entra });
        say(`${mpm}, ${processes} x ${threads}: ${(100 * entra.ratio).toFixed(1)} %, ${entra.cpu.toFixed(1)} µs for ${none.cpu.toFixed(1)} µs`);
      });
    }
    return all;
  });
}

/** Sign-ins over TLS: {kind: {rate, connections, calls, memory, closed}}. */
export async function signIns({ kinds, rival, counts, marks, say }) {
  return withAround(rival, async (around) => {
    const all = {};
    for (const kind of kinds) {
      await using(async (keep) => keep(await startServer(kind, around, { mpm: 'event', processes: 2, threads: 16, workers: 32 })), async (server) => {
        all[kind] = { count: counts[kind], ...await manySignIns(server, around.provider, { count: counts[kind], marks }), closed: await closedSignIns(server, around.provider, 40) };
        const { rate, connections, closed, memory } = all[kind];
        say(`sign-ins, ${KINDS[kind].label}: ${rate.toFixed(0)} a second, ${connections} connections for ${counts[kind]}, ${closed.resumed} of ${closed.connections} resumed, ${memory.map(([n, kib]) => `${kib.toFixed(0)} KiB at ${n}`).join(', ')}`);
      });
    }
    return all;
  }, { tls: true });
}

/** Signed-in users while the provider hangs. */
export async function bulkhead({ rounds, seconds, say }) {
  return withAround(null, async ({ provider, backend }, keep) => {
    const size = { processes: 2, threads: 16, workers: 32 };
    const server = keep(await pinned('entra', { provider, backend }, 'event', size));
    const seen = await whileHanging(server, provider, { cookies: cookieFile(await cookiesOf(server)), may: size.workers / 4, rounds, seconds });
    say(`a provider that hangs: ${seen.rounds.map(({ rate, hanging }) => `${((100 * hanging) / rate).toFixed(1)} %`).join(', ')}; ${seen.refused} refused within ${seen.slowest} ms`);
    return { ...seen, workers: size.workers };
  });
}
