// SPDX-License-Identifier: Apache-2.0
// ./quickstart as a newcomer runs it: with --check, and until Ctrl-C.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { until } from '../e2e/lib/wait.mjs';

const QUICKSTART = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../quickstart');

/** The status for a browser, or why there is none. */
const statusOf = (url) => new Promise((resolve) => { get(url, { headers: { Accept: 'text/html' } }, (answer) => { answer.resume(); resolve(answer.statusCode); }).on('error', ({ code }) => resolve(code)); });

/** A folder for what the quickstart makes, open to httpd's children as /tmp is. */
function place() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-newcomer-'));
  chmodSync(folder, 0o755);
  return folder;
}

/** A process and all that it has started, by number. */
function family(pid) {
  const file = `/proc/${pid}/task/${pid}/children`;
  const children = existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).map(Number) : [];
  return [pid, ...children.flatMap(family)];
}

test('--check signs in once, and leaves nothing behind', () => {
  const folder = place();
  const { status, stdout, stderr } = spawnSync(QUICKSTART, ['--check'], { encoding: 'utf8', env: { ...process.env, TMPDIR: folder } });
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /ada@contoso\.example/);
  assert.deepEqual(readdirSync(folder), []);
  rmSync(folder, { recursive: true });
});

test('Ctrl-C ends all that it started, and nothing else', async () => {
  const folder = place();
  const bystander = spawn('sleep', ['600']);
  const quickstart = spawn(QUICKSTART, [], { env: { ...process.env, TMPDIR: folder }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [quickstart.stdout, quickstart.stderr]) stream.on('data', (data) => { said += data; });
  const ended = new Promise((resolve) => { quickstart.on('exit', resolve); });
  try {
    await until(() => `the application; said:\n${said}`, () => /Ctrl-C ends it all/.test(said) || quickstart.exitCode !== null, { timeout: 120_000 });
    const [, address] = /^Open (http:\S+)/m.exec(said) ?? assert.fail(said);
    assert.equal(await statusOf(address), 302);
    const started = family(quickstart.pid);
    assert.ok(started.length > 4, 'the emulator, the application, httpd and its children');
    quickstart.kill('SIGINT');
    assert.equal(await ended, 130, said);
    await until('all of it to be gone', () => !started.some((pid) => existsSync(`/proc/${pid}`)));
    assert.equal(await statusOf(address), 'ECONNREFUSED');
    assert.deepEqual(readdirSync(folder), []);
    assert.equal(bystander.exitCode, null);
    assert.ok(existsSync(`/proc/${bystander.pid}`), 'what was not its own lives');
  } finally {
    quickstart.kill('SIGTERM');
    bystander.kill();
    rmSync(folder, { recursive: true, force: true });
  }
});
