// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL of the test's own: in a temporary folder, on a Unix socket alone, as an unprivileged user.

import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const HOME = '/usr/lib/postgresql';
const isRoot = process.getuid() === 0;

/** The newest installed version's programs, or null. */
function programs() {
  if (!existsSync(HOME)) return null;
  const versions = readdirSync(HOME).filter((name) => existsSync(path.join(HOME, name, 'bin/initdb'))).sort((a, b) => Number(a) - Number(b));
  return versions.length ? path.join(HOME, versions.at(-1), 'bin') : null;
}

const hasDriver = ['/usr/lib', '/usr/lib64'].some((lib) => existsSync(lib) &&
  spawnSync('find', [lib, '-maxdepth', '3', '-name', 'apr_dbd_pgsql*.so'], { encoding: 'utf8' }).stdout.trim() !== '');

/** False, or why there is none. */
export const noPostgres = !programs() ? 'PostgreSQL is not installed (Debian: postgresql)' : !hasDriver && 'the driver is not installed (Debian: libaprutil1-dbd-pgsql)';

const running = new Set();
process.on('exit', () => { for (const one of running) one.kill(); });

class Postgres {
  constructor() {
    this.bin = programs();
    this.root = mkdtempSync(path.join(os.tmpdir(), 'entra-pg-'));
    // Everyone on the machine may come to the socket, as httpd's user does.
    chmodSync(this.root, 0o755);
    if (isRoot) {
      const { uid, gid } = this.#owner();
      chownSync(this.root, uid, gid);
    }
    this.#run('initdb', ['-D', this.data, '-A', 'trust', '-U', 'entra', '--no-sync', '-E', 'UTF8', '--locale=C']);
    running.add(this);
  }

  get data() { return path.join(this.root, 'data'); }

  /** What EntraDatabase wants behind pgsql: */
  get conninfo() { return `host=${this.root} user=entra dbname=postgres`; }

  #owner() {
    const [, , uid, gid] = readFileSync('/etc/passwd', 'utf8').split('\n').find((line) => /^nobody:/.test(line)).split(':');
    return { uid: Number(uid), gid: Number(gid) };
  }

  #run(program, args) {
    execFileSync(path.join(this.bin, program), args, { cwd: this.root, stdio: ['ignore', 'ignore', 'pipe'], ...(isRoot ? this.#owner() : {}) });
  }

  start() {
    this.#run('pg_ctl', ['-D', this.data, '-l', path.join(this.root, 'log'), '-w', '-o', `-k ${this.root} -c listen_addresses='' -c fsync=off`, 'start']);
    return this;
  }

  /** As a server that is gone from one moment to the next: all connections are cut. */
  halt() { this.#run('pg_ctl', ['-D', this.data, '-m', 'immediate', '-w', 'stop']); }

  #processes() {
    const leader = readFileSync(path.join(this.data, 'postmaster.pid'), 'utf8').split('\n')[0];
    const children = readFileSync(`/proc/${leader}/task/${leader}/children`, 'utf8').trim().split(' ').filter(Boolean);
    return [leader, ...children].map(Number);
  }

  /** As a server whose disk does not answer: connections stay, and nothing comes back. */
  freeze() {
    this.frozen = this.#processes();
    for (const pid of this.frozen) process.kill(pid, 'SIGSTOP');
  }

  thaw() {
    for (const pid of this.frozen ?? []) try { process.kill(pid, 'SIGCONT'); } catch { /* it has gone */ }
    this.frozen = null;
  }

  /** Rows as text, columns with | between them. */
  sql(text) {
    return execFileSync('psql', ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-h', this.root, '-U', 'entra', 'postgres', '-c', text], { encoding: 'utf8' }).trim();
  }

  kill() {
    running.delete(this);
    this.thaw();
    try { this.halt(); } catch { /* it is halted */ }
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Starts one; kill() ends it and removes its folder. */
export function startPostgres() { return new Postgres().start(); }
