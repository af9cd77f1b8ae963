// SPDX-License-Identifier: Apache-2.0
// Counts of what httpd's threads call, by kind, and whether the module was on the stack. Needs a C compiler and glibc.

import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, ftruncateSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MODULE } from './httpd.mjs';

const SOURCE = path.join(path.dirname(fileURLToPath(import.meta.url)), 'countcalls.c');
const compiler = process.env.CC ?? 'cc';
const CALLS = ['allocate', 'free', 'mutex', 'rwlock', 'semaphore', 'connect', 'send', 'open', 'random', 'served'];
const THREADS = 256;
const HEAD = 2 + CALLS.length;

function reasonToSkip() {
  if (process.env.ENTRA_PRELOAD) return 'a sanitizer has its own allocator';
  if (!process.report?.getReport().header.glibcVersionRuntime) return 'this is no glibc';
  return spawnSync(compiler, ['--version']).status === 0 ? false : `there is no C compiler (${compiler})`;
}

/** A reason to skip, or false. */
export const noCounts = reasonToSkip();

/** Builds the shim in `folder`: {env, counts(), inside(), arm(), disarm(), stacks()}. */
export function makeCounter(folder) {
  const library = path.join(folder, 'countcalls.so');
  const built = spawnSync(compiler, ['-shared', '-fPIC', '-O1', '-fno-builtin', '-o', library, SOURCE, '-ldl'], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`the counter was not built: ${built.stderr}`);
  const file = path.join(folder, 'counts');
  const log = path.join(folder, 'stacks');
  writeFileSync(log, '');
  const fd = openSync(file, 'w+');
  ftruncateSync(fd, (HEAD + THREADS * CALLS.length) * 8);
  for (const name of [file, log]) chmodSync(name, 0o666);
  let armings = 0;
  const read = (from, count) => {
    const bytes = Buffer.alloc(count * 8);
    readSync(fd, bytes, 0, bytes.length, from * 8);
    return Array.from({ length: count }, (_, i) => Number(bytes.readBigInt64LE(i * 8)));
  };
  const write = (at, value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    writeSync(fd, bytes, 0, 8, at * 8);
  };
  const named = (values) => Object.fromEntries(CALLS.map((name, i) => [name, values[i]]));
  return {
    env: { LD_PRELOAD: library, ENTRA_TEST_COUNTS: file, ENTRA_TEST_STACKS: log, ENTRA_TEST_MODULE: MODULE },
    /** Sums over the threads that ever answered a client: a watchdog's own work is not a request's. */
    counts() {
      const sums = CALLS.map(() => 0);
      for (let i = 0; i < THREADS; i += 1) {
        const row = read(HEAD + i * CALLS.length, CALLS.length);
        if (row[CALLS.indexOf('served')] > 0) row.forEach((value, k) => { sums[k] += value; });
      }
      return named(sums);
    },
    /** Calls with the module on the stack, since it was armed. */
    inside: () => named(read(2, CALLS.length)),
    arm() {
      for (let i = 0; i < CALLS.length; i += 1) write(2 + i, 0);
      armings += 1;
      write(0, armings);
    },
    disarm() { write(0, 0); },
    stacks: () => readFileSync(log, 'utf8'),
    close() { closeSync(fd); },
  };
}

/** What was called between two counts. */
export const difference = (before, after) => Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));
