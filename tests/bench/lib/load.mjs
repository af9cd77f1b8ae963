// SPDX-License-Identifier: Apache-2.0
// Requests as fast as they are answered, by wrk: how many a second, and how much of a processor each takes of httpd.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SCRIPT = path.join(path.dirname(fileURLToPath(import.meta.url)), 'load.lua');
const run = promisify(execFile);
const cpus = os.availableParallelism();

/** What is measured has a processor of its own; who asks, and the backend, have the others. On a machine with one, all share it. */
export const PINNED = cpus > 1 ? ['taskset', '-c', '0'] : [];
export const ASIDE = cpus > 1 ? ['taskset', '-c', `1-${cpus - 1}`] : [];

const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-bench-load-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** A file of Cookie headers for wrk. */
export function cookieFile(lines) {
  const file = path.join(folder, `cookies-${files += 1}`);
  writeFileSync(file, `${[lines].flat().join('\n')}\n`);
  return file;
}

/** Nanoseconds that all threads of httpd's children have run. */
function timeOf(server) {
  const tasks = server.children().flatMap((pid) => {
    try { return readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}/schedstat`); } catch { return []; }
  });
  return tasks.reduce((sum, file) => {
    try { return sum + Number(readFileSync(file, 'utf8').split(' ')[0]); } catch { return sum; }
  }, 0);
}

/** One round: {rate (requests a second), cpu (microseconds of httpd for each), p50, p99 (milliseconds)}. Fails when a request failed. */
export async function load(server, { target, cookies, at = 16, seconds = 2 }) {
  const args = ['-t1', `-c${at}`, `-d${seconds}s`, '--timeout', '20s', '-s', SCRIPT, `http://127.0.0.1:${server.port}${target}`, '-H', `Host: localhost:${server.port}`, '--', cookies];
  const before = timeOf(server);
  const [program, ...rest] = [...ASIDE, 'wrk', ...args];
  const { stdout } = await run(program, rest, { maxBuffer: 1 << 20 });
  const after = timeOf(server);
  const { requests, micros, refused, broken, p50, p99 } = JSON.parse(stdout.trim().split('\n').at(-1));
  // httpd may close a connection that waits just when the next request is on its way.
  if (refused || broken > requests / 1000 || !requests) throw new Error(`${server.label}, ${target}: of ${requests} requests ${refused} were refused and ${broken} broke\n${server.errorLog().slice(-2000)}`);
  return { rate: requests / (micros / 1e6), cpu: (after - before) / 1000 / requests, p50: p50 / 1000, p99: p99 / 1000 };
}

export const median = (list) => {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/**
 * Rounds of several ways, one after the other within each round, so that whatever else the machine does meets all of them:
 * [{rounds, rate, cpu, p50, p99 (medians), ratio, least, most (against the first way, round by round)}]. `ways`: [() → a round].
 */
export async function interleave(ways, rounds) {
  const seen = ways.map(() => []);
  // What is made at first use is made before it counts.
  for (const way of ways) await way();
  for (let round = 0; round < rounds; round += 1) {
    // Each round begins with another one.
    for (let i = 0; i < ways.length; i += 1) {
      const which = (round + i) % ways.length;
      seen[which].push(await ways[which]());
    }
  }
  return seen.map((list) => {
    const ratios = list.map(({ rate }, i) => rate / seen[0][i].rate);
    const middle = (name) => median(list.map((one) => one[name]));
    return { rounds: list, rate: middle('rate'), cpu: middle('cpu'), p50: middle('p50'), p99: middle('p99'), ratio: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
  });
}
