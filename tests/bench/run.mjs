#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// What the module costs, beside the same httpd without authentication and with mod_auth_openidc.
//
// usage: node tests/bench/run.mjs [--short] [--only PART,…] [--rounds N] [--seconds N] [--no-page]
//   (nothing)     everything, in a quarter of an hour on a machine that does nothing else: writes the tables and the picture of
//                 docs/performance.md
//   --short       instructions of the module's request alone, judged by bound.json: ends with 1 when there are more
//   --only        instructions, throughput, concurrency, scale, shapes, signIns, bulkhead
//   --rounds N    rounds of each way (7); --seconds N: of each round (2)
//   --sign-ins N  how many (10000)
//   --no-page     writes build/bench.json alone
//
// Installs what it needs, but for --short, which takes what is there (tests/run installs it).

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const REPO = path.resolve(HERE, '../..');
const BUILD = path.resolve(process.env.ENTRA_BUILD ?? path.join(REPO, 'build'));
const PAGE = path.join(REPO, 'docs/performance.md');
const PICTURE = path.join(REPO, 'docs/performance.svg');
const UNPACKED = path.join(BUILD, 'packages/libapache2-mod-auth-openidc');
const RIVAL = path.join(UNPACKED, 'usr/lib/apache2/modules/mod_auth_openidc.so');

const text = (fallback) => ({ type: 'string', default: fallback });
const { values } = parseArgs({
  options: { short: { type: 'boolean' }, only: text(''), rounds: text('7'), seconds: text('2'), 'sign-ins': text('10000'), 'no-page': { type: 'boolean' } },
});
process.env.ENTRA_MODULE ??= path.join(BUILD, '.libs/mod_entra_sso.so');

const measure = await import('./lib/measure.mjs');
const { fill, more } = await import('./lib/report.mjs');
const { draw } = await import('./lib/plot.mjs');
const { httpdInstalled } = await import('../e2e/lib/httpd.mjs');
const began = Date.now();
const say = (line) => process.stderr.write(`${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);

/** The instruction counts that may not grow, each with its bound. True when none has. */
async function judge() {
  const { bounds, tolerance } = JSON.parse(readFileSync(path.join(HERE, 'bound.json'), 'utf8'));
  const counts = await measure.instructions({ mpm: 'prefork', kinds: ['none', 'entra'], targets: Object.keys(bounds), say });
  let good = 0;
  for (const [name, bound] of Object.entries(bounds)) {
    const count = more(counts, 'entra', name);
    const most = Math.round(bound * (1 + tolerance));
    const fits = count <= most;
    good += fits ? 1 : 0;
    process.stdout.write(`${fits ? 'ok' : 'not ok'} - ${name}: ${count} instructions more than without authentication; recorded ${bound}, bound ${most}\n`);
    if (fits && count < bound * (1 - tolerance)) process.stdout.write(`# fewer than recorded: write ${count} into tests/bench/bound.json\n`);
  }
  return good === Object.keys(bounds).length;
}

/** What the figures hang on. */
function machine() {
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))[1];
  const version = execFileSync(httpdInstalled().httpd, ['-v'], { encoding: 'utf8' });
  const changes = gunzipSync(readFileSync(path.join(UNPACKED, 'usr/share/doc/libapache2-mod-auth-openidc/changelog.Debian.gz'))).toString();
  return {
    date: new Date().toISOString().slice(0, 10), cpus: os.cpus().length, model: os.cpus()[0].model.trim(), system,
    httpd: /Apache\/\S+/.exec(version)[0], rival: /\(([^)]+)\)/.exec(changes)[1],
  };
}

const kinds = ['none', 'entra', 'rivalServer', 'rivalClient'];
const [rounds, seconds, signIns] = ['rounds', 'seconds', 'sign-ins'].map((name) => Number(values[name]));
const few = Math.max(1, Math.floor(rounds / 2));
const around = { rival: RIVAL, rounds, seconds, say };

const parts = {
  instructions: async () => Object.fromEntries(await inTurn(measure.MPMS, async (mpm) => [mpm, await measure.instructions({ mpm, kinds, ...around })])),
  throughput: async () => Object.fromEntries(await inTurn(measure.MPMS, async (mpm) => [mpm, await measure.throughput({ mpm, kinds, ...around })])),
  concurrency: () => measure.concurrency({ kinds, steps: [1, 4, 16, 64, 256], ...around, rounds: few }),
  scale: () => measure.sessions({ counts: [1, 100, 10_000, 100_000], ended: 10_000, ...around, rounds: few }),
  shapes: () => measure.shapes({
    list: [
      { mpm: 'event', processes: 1, threads: 16 }, { mpm: 'event', processes: 1, threads: 64 }, { mpm: 'event', processes: 4, threads: 16 }, { mpm: 'event', processes: 8, threads: 32 },
      { mpm: 'prefork', processes: 16 }, { mpm: 'prefork', processes: 64 },
    ],
    ...around, rounds: few,
  }),
  signIns: () => measure.signIns({
    kinds: kinds.slice(1), counts: { entra: signIns, rivalServer: Math.ceil(signIns / 10), rivalClient: Math.ceil(signIns / 10) }, marks: [Math.ceil(signIns / 10)], ...around,
  }),
  bulkhead: () => measure.bulkhead({ ...around, rounds: few }),
};

async function inTurn(list, step) {
  const all = [];
  for (const one of list) all.push(await step(one));
  return all;
}

/** What was measured before stays, so that --only renews a part of the page. */
async function measureAll() {
  const file = path.join(BUILD, 'bench.json');
  const data = values.only && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const chosen = values.only ? values.only.split(',') : Object.keys(parts);
  const unknown = chosen.find((name) => !parts[name]);
  if (unknown) throw new Error(`there is no part ${unknown}; there are ${Object.keys(parts).join(', ')}`);
  data.machine = machine();
  for (const name of chosen) {
    data[name] = await parts[name]();
    writeFileSync(file, JSON.stringify(data));
  }
  return data;
}

if (values.short) {
  process.exitCode = await judge() ? 0 : 1;
} else {
  execFileSync(path.join(HERE, 'setup'), { stdio: 'inherit' });
  const data = await measureAll();
  if (!values['no-page']) {
    writeFileSync(PAGE, fill(readFileSync(PAGE, 'utf8'), data));
    if (data.concurrency && data.instructions) writeFileSync(PICTURE, draw({ concurrency: data.concurrency, instructions: data.instructions.event }));
  }
  say('done');
}
