// SPDX-License-Identifier: Apache-2.0
// Debian packages that are unpacked under the build (tests/packages, group "unpack"), or installed.

import { spawn } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../../e2e/lib/wait.mjs';

export const BUILD = path.resolve(process.env.ENTRA_BUILD ?? path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../build'));

/** Where a file of a package is: {name: 'dokuwiki', file: 'usr/share/dokuwiki/doku.php'}; undefined when it is nowhere. */
export function fileOf(name, file) {
  return [path.join(BUILD, 'packages', name, file), path.join('/', file)].find((one) => existsSync(one));
}

/** False, or the reason to skip: the first of these packages that is not there. */
export function absent(...wanted) {
  const gone = wanted.find(([name, file]) => !fileOf(name, file));
  return gone ? `the package ${gone[0]} is not there (tests/run legacy unpacks it)` : false;
}

/** Copies trees of unpacked packages into a folder of the test's own; absolute links lead into the folder, where it has their place. */
export function transplant(root, ...names) {
  for (const name of names) cpSync(path.join(BUILD, 'packages', name), root, { recursive: true, verbatimSymlinks: true });
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const link = path.join(entry.parentPath ?? entry.path, entry.name);
    if (!entry.isSymbolicLink()) continue;
    const inside = path.join(root, readlinkSync(link));
    if (!readlinkSync(link).startsWith('/') || !existsSync(path.dirname(inside))) continue;
    unlinkSync(link);
    symlinkSync(inside, link);
  }
}

export function rewrite(file, pairs) {
  writeFileSync(file, pairs.reduce((text, [from, to]) => text.replaceAll(from, to), readFileSync(file, 'utf8')));
}

export function give(folder, { uid, gid }) {
  if (process.getuid() !== 0) return;
  for (const name of ['.', ...readdirSync(folder, { recursive: true })]) if (!lstatSync(path.join(folder, name)).isSymbolicLink()) chownSync(path.join(folder, name), uid, gid);
}

/** A program of a test that writes to standard error until it is told to end: {log(), waitFor(pattern), close()}. */
export function startProgram(program, args, { env = {}, cwd } = {}) {
  const child = spawn(program, args, { cwd, env: { PATH: process.env.PATH, LANG: 'C.UTF-8', ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  let gone = false;
  const over = new Promise((resolve) => { child.once('exit', () => { gone = true; resolve(); }); });
  process.once('exit', () => { child.kill('SIGKILL'); });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { log += data; });
  child.on('error', (error) => { log += error; gone = true; });
  return {
    log: () => log,
    async waitFor(pattern) {
      await until(() => `${pattern} of ${program}: ${log.slice(-3000)}`, () => {
        if (gone) throw new Error(`${program} ended: ${log}`);
        return pattern.exec(log);
      }, { timeout: 60_000 });
    },
    async close() {
      if (!gone) child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await over;
      clearTimeout(timer);
    },
  };
}

export function temporary(name) {
  const folder = mkdtempSync(path.join(os.tmpdir(), `entra-${name}-`));
  chmodSync(folder, 0o755);
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
