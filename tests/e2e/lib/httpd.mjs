// SPDX-License-Identifier: Apache-2.0
// A real httpd of one test: its own folder and port, started, proved to be ours, restarted, stopped, and its error log judged.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeClock } from './clock.mjs';
import { exchange, request } from './http.mjs';
import { until } from './wait.mjs';

const REPO = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const MPM = process.env.ENTRA_MPM ?? 'event';
export const MODULE = path.resolve(process.env.ENTRA_MODULE ?? path.join(REPO, 'build/.libs/mod_entra_sso.so'));
const SETPRIV = '/usr/bin/setpriv';
const PROBE = 'entra-e2e-probe';
const START_DEADLINE = 30_000;
const STOP_DEADLINE = 20_000;
const isRoot = process.getuid() === 0;
/** What LoadModule calls this module. */
export const OURS = 'entra_sso';
const BASE_MODULES = ['unixd', 'log_config', 'logio', 'watchdog', 'authn_core', 'authz_core', 'authz_host', 'authz_user', 'dir', 'alias'];
// Said by httpd of itself: when a client closes while it is told to end; when the few workers of a test are all busy on a slow machine (one that
// hangs shows in the test); and when children of the last generation are slow to go (graceful() waits for them, and not for ever).
const NOISE = [/AH03092: process_lingering_close/, /AH03093: process_socket: apr_pollset_add failure/, /AH10159: server is within|AH00484: server reached|AH00161: server reached/,
  /AH00485: scoreboard is full|AH03490: scoreboard is full/];
/** mod_cgid, whose daemon is a child as well: for tests that kill children, or reload under load. */
export const CGI_DAEMON = /\[cgid:\w+\]|AH01239|AH10392|AH01243/;
const ALARM = new Set(['warn', 'error', 'crit', 'alert', 'emerg']);

// ---- what is installed --------------------------------------------------------------------------------------------------

let installed = null;

function tryRun(command, args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}

/** {httpd, modules, builtin}: the program, the folder of its modules, and what is compiled in. */
export function httpdInstalled() {
  if (installed) return installed;
  const apxs = [process.env.APXS, 'apxs', 'apxs2'].filter(Boolean);
  const ask = (name) => apxs.map((program) => tryRun(program, ['-q', name])).find(Boolean);
  const folders = [ask('LIBEXECDIR'), '/usr/lib/apache2/modules', '/usr/lib64/httpd/modules'];
  const modules = folders.find((folder) => folder && existsSync(folder));
  const sbin = ask('SBINDIR');
  const named = [process.env.HTTPD, ...['apache2', 'httpd'].flatMap((name) => [sbin && path.join(sbin, name), `/usr/sbin/${name}`])];
  const httpd = named.find((file) => file && existsSync(file));
  if (!httpd || !modules) throw new Error('no httpd is installed: set HTTPD and APXS');
  const builtin = new Set(tryRun(httpd, ['-l']).split('\n').map((line) => /^\s*(?:mod_)?(\w+)\.c$/.exec(line)?.[1]).filter(Boolean));
  installed = { httpd, modules, builtin };
  return installed;
}

/** True when this httpd module can be loaded or is compiled in. */
export function hasModule(name) {
  const { modules, builtin } = httpdInstalled();
  return builtin.has(name) || existsSync(path.join(modules, `mod_${name}.so`));
}

/** A reason to skip the suites, or false. */
export const missing = existsSync(MODULE) ? false : `the module is not built: ${MODULE} (set ENTRA_MODULE)`;

// ---- configuration ------------------------------------------------------------------------------------------------------

function loadLines({ modules: wanted = [], withModule, loadOrder = (names) => names }, mpm) {
  const { modules, builtin } = httpdInstalled();
  const names = [...new Set([`mpm_${mpm}`, ...BASE_MODULES, ...wanted])].map((name) => (name === 'cgi' && mpm !== 'prefork' ? 'cgid' : name))
    .filter((name) => !builtin.has(name));
  const fileOf = (name) => (name === OURS ? MODULE : path.join(modules, `mod_${name}.so`));
  const lines = loadOrder(withModule === false ? names : [...names, OURS]).map((name) => `LoadModule ${name}_module "${fileOf(name)}"`);
  if (names.includes('cgid')) lines.push('ScriptSock cgisock');
  return lines;
}

const readIfThere = (file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** Sizes of a threaded MPM. */
function mpmSize({ processes = 2, threads = 16, workers }) {
  return { processes, threads, workers: Math.max(workers ?? threads * processes, threads) };
}

function mpmLines(mpm, options) {
  if (mpm === 'prefork') {
    const { processes = 4, workers = 16 } = options;
    return [`StartServers ${processes}`, `ServerLimit ${workers}`, `MaxRequestWorkers ${workers}`, 'MinSpareServers 2', `MaxSpareServers ${workers}`];
  }
  const { processes, threads, workers } = mpmSize(options);
  return [
    `ServerLimit ${Math.ceil(workers / threads)}`, `StartServers ${processes}`, `ThreadsPerChild ${threads}`, `ThreadLimit ${threads}`,
    `MaxRequestWorkers ${workers}`, `MinSpareThreads ${threads * (processes - 1) + 1}`, `MaxSpareThreads ${workers + threads}`,
  ];
}

function configText(context, options) {
  const { root, port } = context;
  const user = isRoot ? [`User ${context.user}`, `Group ${context.group}`] : [];
  return [
    `ServerRoot "${root}"`,
    'DefaultRuntimeDir run',
    'PidFile run/httpd.pid',
    'Mutex file:run default',
    ...loadLines(options, context.mpm),
    ...mpmLines(context.mpm, options),
    ...user,
    ...(options.listen ?? [port]).map((one) => `Listen 127.0.0.1:${one}`),
    `ServerName ${options.serverName ?? context.origin}`,
    'AcceptFilter http none',
    'KeepAliveTimeout 5',
    `Timeout ${options.timeout ?? 20}`,
    'ErrorLog logs/error.log',
    `LogLevel ${options.logLevel ?? (options.withModule === false ? 'warn' : 'warn entra_sso:trace8')}`,
    'GlobalLog logs/access.log "%h %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-Agent}i\\" %q"',
    'DocumentRoot htdocs',
    '<Directory "htdocs">',
    '    Require all granted',
    '</Directory>',
    ...(options.stateDirectory === false || options.withModule === false ? [] : [`EntraStateDirectory "${context.stateDir}"`]),
    typeof options.config === 'function' ? options.config(context) : options.config ?? '',
    '',
  ].join('\n').replace('<Directory "htdocs">', `<Directory "${context.docroot}">`);
}

// ---- folder and port ----------------------------------------------------------------------------------------------------

const free = (port) => new Promise((resolve) => {
  const probe = net.createServer();
  probe.once('error', () => resolve(false));
  probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
});

const SLICE = 500;
let slice = null;
let drawn = 0;

/** Of the test files that run at one time each has its own range, held by its first port, and draws each port once: what is given up for a moment nobody takes. */
async function ownSlice() {
  const first = randomBytes(1).readUInt8() % 20;
  for (let i = 0; i < 20; i += 1) {
    const port = 20_000 + ((first + i) % 20) * SLICE;
    const guard = net.createServer();
    const held = await new Promise((resolve) => { guard.once('error', () => resolve(false)); guard.listen(port, '127.0.0.1', () => resolve(true)); });
    if (held) { guard.unref(); return port; }
  }
  throw new Error('no range of ports is free');
}

/** A free port below the range from which outgoing connections take theirs, so that it is still ours after a restart. */
export async function freePort() {
  slice ??= ownSlice();
  for (let i = 0; i < 200; i += 1) {
    drawn += 1;
    const port = (await slice) + 1 + (drawn % (SLICE - 1));
    if (await free(port)) return port;
  }
  throw new Error('no free port was found');
}

function putFile(root, name, value) {
  const { content, mode = 0o644 } = typeof value === 'string' || Buffer.isBuffer(value) ? { content: value } : value;
  const file = path.join(root, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

function makeRoot(files) {
  const root = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-'));
  chmodSync(root, 0o755);
  for (const name of ['htdocs', 'logs', 'run', 'cgi', 'sanitizer']) mkdirSync(path.join(root, name));
  chmodSync(path.join(root, 'sanitizer'), 0o777);
  if (isRoot) chownSync(path.join(root, 'run'), unprivileged().uid, unprivileged().gid);
  mkdirSync(path.join(root, 'state'), { mode: 0o711 });
  putFile(root, 'htdocs/index.html', '<!doctype html><title>front</title><p>static-content-front</p>\n');
  for (const [name, value] of Object.entries(files ?? {})) putFile(root, name, value);
  return root;
}

let nobody = null;

function unprivileged() {
  if (nobody) return nobody;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':'));
  const entry = ['www-data', 'apache', 'nobody'].map((name) => lines.find(([known]) => known === name)).find(Boolean);
  const groups = readFileSync('/etc/group', 'utf8').split('\n').map((line) => line.split(':'));
  nobody = { user: entry[0], uid: Number(entry[2]), gid: Number(entry[3]), group: groups.find((g) => g[2] === entry[3])[0] };
  return nobody;
}

function environment({ root, clock }, extra) {
  const env = { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C', TZ: 'UTC', ...extra };
  for (const name of ['GCOV_PREFIX', 'GCOV_PREFIX_STRIP', 'LLVM_PROFILE_FILE']) if (process.env[name]) env[name] = process.env[name];
  const preload = [process.env.ENTRA_PRELOAD, clock?.library].filter(Boolean);
  if (preload.length) env.LD_PRELOAD = preload.join(' ');
  if (clock) env.ENTRA_TEST_CLOCK = clock.file;
  if (!process.env.ENTRA_PRELOAD) return env;
  const given = process.env.ASAN_OPTIONS ? `:${process.env.ASAN_OPTIONS}` : '';
  env.ASAN_OPTIONS = `detect_leaks=0:verify_asan_link_order=0:log_path=${root}/sanitizer/report${given}`;
  env.TSAN_OPTIONS = `log_path=${root}/sanitizer/report${process.env.TSAN_OPTIONS ? `:${process.env.TSAN_OPTIONS}` : ''}`;
  env.UBSAN_OPTIONS = process.env.UBSAN_OPTIONS ?? `print_stacktrace=1:log_path=${root}/sanitizer/report`;
  return env;
}

// ---- one server ---------------------------------------------------------------------------------------------------------

const running = new Set();
process.on('exit', () => {
  for (const server of running) {
    try { process.kill(server.pid, 'SIGTERM'); } catch { /* it has gone by itself */ }
    if (!server.keep) rmSync(server.root, { recursive: true, force: true });
  }
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

export class StartError extends Error {
  constructor(message, { status, log }) {
    super(`${message}\n${log}`);
    Object.assign(this, { status, log });
  }
}

function killGroup(leader) {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}

class Httpd {
  #options;

  #process = null;

  #exited = null;

  /** What was logged while it ended, each time. */
  #endings = [];

  #expected;

  #allowed;

  #threads = '';

  #program;

  constructor(options) {
    this.#options = options;
    this.#expected = [...(options.expectLog ?? [])];
    this.#allowed = [...(options.allowLog ?? [])];
    this.mpm = options.mpm ?? MPM;
    this.keep = options.keep ?? Boolean(process.env.ENTRA_KEEP);
    this.root = makeRoot(options.files);
    this.host = options.host ?? 'localhost';
    if (options.clock) this.clock = makeClock(this.root);
  }

  path(...names) { return path.join(this.root, ...names); }

  get origin() { return `http://${this.host}:${this.port}`; }

  get url() { return this.origin; }

  get docroot() { return this.path('htdocs'); }

  get stateDir() { return this.path('state'); }

  get keyFile() { return this.path('state', 'cookie.keys'); }

  get configFile() { return this.path('httpd.conf'); }

  get pid() { return this.#process?.pid; }

  get user() { return unprivileged().user; }

  get group() { return unprivileged().group; }

  get alive() { return this.#process !== null && this.#exited === null; }

  /** Its processes; the programs behind its pipes are none of them. */
  children() {
    const name = (pid) => readIfThere(`/proc/${pid}/comm`);
    return readIfThere(`/proc/${this.pid}/task/${this.pid}/children`).trim().split(' ').filter((pid) => pid && name(pid) === name(this.pid)).map(Number);
  }

  file(name, value) { return putFile(this.root, name, value); }

  /**
   * The program that a command asks for this server's configuration: a sanitizer's module needs the preload there, too.
   * Its script is written once: while one command executes it, the kernel lets nobody write it.
   */
  get program() {
    const { httpd } = httpdInstalled();
    if (!process.env.ENTRA_PRELOAD) return httpd;
    this.#program ??= this.file('httpd-asked', { content: `#!/bin/sh\nLD_PRELOAD='${process.env.ENTRA_PRELOAD}' ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0 exec ${httpd} "$@"\n`, mode: 0o755 });
    return this.#program;
  }

  read(name) { return existsSync(this.path(name)) ? readFileSync(this.path(name), 'utf8') : ''; }

  /** Writes the configuration again, with changes to the options it was started with; takes effect at the next (re)start. */
  configure(changes = {}) {
    Object.assign(this.#options, changes);
    writeFileSync(this.configFile, configText(this, this.#options));
  }

  /** Announces a line of the error log (any level) that must be there when the server stops. */
  expect(...patterns) { this.#expected.push(...patterns); return this; }

  /** Announces a line that may be there. */
  allow(...patterns) { this.#allowed.push(...patterns); return this; }

  errorLog() { return this.read('logs/error.log'); }

  /** Lines of the access log, without the harness's own probes. */
  accessLog() { return this.read('logs/access.log').split('\n').filter((line) => line && !line.includes(PROBE)).join('\n'); }

  /** What was added to the error log while `step` ran. */
  async logOf(step) {
    const before = this.errorLog().length;
    await step();
    return this.errorLog().slice(before);
  }

  async waitForLog(pattern, { from = 0, timeout } = {}) {
    return until(() => `${pattern} in the error log; its end:\n${this.errorLog().slice(-3000)}`, () => pattern.exec(this.errorLog().slice(from)), { timeout });
  }

  /** A line of the access log is written after its answer went out. */
  async waitForAccess(pattern, { timeout } = {}) {
    return until(() => `${pattern} in the access log:\n${this.accessLog().slice(-2000)}`, () => pattern.exec(this.accessLog()), { timeout });
  }

  get(target = '/', options = {}) { return this.request({ path: target, ...options }); }

  /** One raw request on a connection of its own. */
  request(options = {}) { return request(options.port ?? this.port, { host: `${this.host}:${this.port}`, ...options }); }

  exchange(bytes, options) { return exchange(this.port, bytes, options); }

  async start() {
    for (let attempt = 1; ; attempt += 1) {
      if (!this.portFixed) this.port = await freePort();
      this.configure();
      try {
        await this.#run();
        this.portFixed = true;
        return this;
      } catch (error) {
        if (attempt >= 5 || !/AH00072|Address already in use/.test(error.log ?? '')) throw error;
        writeFileSync(this.path('logs/error.log'), '');
      }
    }
  }

  async #run() {
    const { httpd } = httpdInstalled();
    const args = ['-d', this.root, '-f', this.configFile, this.#options.single ? '-X' : '-DFOREGROUND', ...(this.#options.define ?? []).map((name) => `-D${name}`)];
    // gcov's counters are written by root and by the worker's user alike.
    const under = [...(process.env.ENTRA_COVERAGE ? ['/bin/sh', '-c', 'umask 0; exec "$@"', 'sh'] : []), ...(this.#options.under ?? [])];
    const line = [...under, httpd, ...args];
    // Where it can be had: the server ends with this process, even when that is killed.
    const [program, ...rest] = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'TERM', ...line] : line;
    this.#exited = null;
    this.stderr = '';
    // In a session of its own: at its end prefork sends SIGTERM to its whole process group.
    const child = spawn(program, rest, { detached: true, cwd: this.root, env: environment(this, this.#options.env), stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = child;
    running.add(this);
    // A case that fails leaves its server behind; the end of this process takes it away.
    child.unref();
    child.stderr.unref();
    child.stderr.on('data', (data) => { this.stderr += data; });
    child.on('error', (error) => { this.#exited = { error }; });
    child.on('exit', (code, signal) => {
      this.#exited = { code, signal };
      running.delete(this);
      // A parent that crashed leaves its children behind: the group is ours alone.
      if (signal || code) killGroup(child.pid);
    });
    await this.#answers();
  }

  /** Ready is: a request that nobody else could have sent stands in this server's own access log. */
  async #answers() {
    const nonce = `${PROBE}/${randomBytes(8).toString('hex')}`;
    const probe = `OPTIONS * HTTP/1.0\r\nUser-Agent: ${nonce}\r\n\r\n`;
    let asked = false;
    try {
      await until('httpd to answer', async () => {
        if (this.#exited) throw new StartError(`httpd did not start: ${this.#ending()}`, { status: this.#exited.code, log: this.stderr + this.errorLog() });
        if (!asked) asked = await exchange(this.port, probe, { method: 'OPTIONS', timeout: 5000 }).then(() => true, () => false);
        return asked && this.#settled() && this.read('logs/access.log').includes(nonce);
      }, { timeout: START_DEADLINE });
    } catch (error) {
      if (error instanceof StartError) throw error;
      await this.#end('SIGKILL');
      throw new StartError(error.message, { log: this.stderr + this.errorLog() });
    }
  }

  /** No child has come or gone for a while, and all are whole: after some were killed. */
  async settled() {
    let known = '';
    let since = Date.now();
    await until('httpd to come to rest', () => {
      const now = this.children().join();
      if (now !== known) [known, since] = [now, Date.now()];
      return now !== '' && Date.now() - since > 2500 && this.#settled();
    }, { timeout: START_DEADLINE });
  }

  /** Every child has its threads: httpd's own ones crash when they are told to end before that. */
  #settled() {
    if (this.mpm === 'prefork' || this.#options.single) return true;
    if (!this.errorLog().includes('resuming normal operations')) return false;
    const threads = (pid) => Number(/^Threads:\s+(\d+)/m.exec(readIfThere(`/proc/${pid}/status`))?.[1] ?? 0);
    const children = this.children();
    const counts = children.map(threads);
    // Watchdogs count too, so "enough" alone is not "all": no new one came since the last look.
    const rest = counts.join() === this.#threads;
    this.#threads = counts.join();
    if (!rest) return false;
    const ready = counts.filter((count) => count > mpmSize(this.#options).threads).length;
    // The daemon of mod_cgid is a child without threads.
    const daemons = this.read('httpd.conf').includes('LoadModule cgid_module') ? 1 : 0;
    return ready >= 1 && children.length - ready <= daemons;
  }

  /** How it ended, with what a sanitizer had to say. */
  #ending() {
    const { code, signal, error } = this.#exited;
    return [error?.message ?? signal ?? `status ${code}`, ...Object.values(this.#reports())].join('\n');
  }

  /** What sanitizers wrote, by file. */
  #reports() {
    const names = existsSync(this.path('sanitizer')) ? readdirSync(this.path('sanitizer')) : [];
    return Object.fromEntries(names.map((name) => [name, this.read(`sanitizer/${name}`)]));
  }

  async #end(signal) {
    if (this.#exited || !this.#process) return;
    const from = this.errorLog().length;
    // The hard way means the whole group: it is ours alone.
    process.kill(signal === 'SIGKILL' ? -this.pid : this.pid, signal);
    try {
      await until('httpd to end', () => this.#exited, { timeout: STOP_DEADLINE });
    } catch (error) {
      process.kill(-this.pid, 'SIGKILL');
      throw error;
    }
    this.#endings.push(this.errorLog().slice(from));
  }

  #generations() { return this.errorLog().split('resuming normal operations').length - 1; }

  /** A graceful restart, finished: the new children serve and the old ones have gone. */
  async graceful() {
    const before = this.#generations();
    const old = this.children();
    process.kill(this.pid, 'SIGUSR1');
    await until(() => `the new generation; log:\n${this.errorLog().slice(-2000)}`, () => {
      if (this.#exited) throw new StartError(`httpd ended at a graceful restart: ${this.#ending()}`, { status: this.#exited.code, log: this.stderr + this.errorLog() });
      return this.#generations() > before;
    }, { timeout: START_DEADLINE });
    await until('the old children to go', () => !this.children().some((pid) => old.includes(pid)), { timeout: START_DEADLINE });
    await this.#answers();
  }

  /** Stop and start in the same folder on the same port. */
  async restart() {
    await this.#end('SIGTERM');
    await this.start();
  }

  /** Stops without judging, e.g. in order to change files before start(). */
  async halt() { await this.#end('SIGTERM'); }

  /** The same by a death without a word, of parent and children. */
  async kill() { await this.#end('SIGKILL'); }

  /** Stops, then judges the log: every announced line is there, and none of warning or above that was not announced. */
  async stop({ judge = true } = {}) {
    try {
      await this.#end('SIGTERM');
      if (judge) this.judge();
    } finally {
      running.delete(this);
      if (!this.keep) rmSync(this.root, { recursive: true, force: true });
    }
  }

  judge() {
    const log = this.errorLog();
    // Without a sanitizer this line is all that is told of isClosingDeath().
    const ending = this.mpm === 'prefork' ? '' : this.#endings.join('');
    const shutdown = ending.split('\n').filter((line) => /AH0005[12]: child pid \d+ exit signal Segmentation fault/.test(line));
    const reports = this.#reports();
    const faulty = Object.entries(reports).filter(([, text]) => this.mpm === 'prefork' || !isClosingDeath(text));
    // What AddressSanitizer says on the way of such a death, in each process one line.
    if (faulty.length < Object.keys(reports).length) shutdown.push('AddressSanitizer:DEADLYSIGNAL');
    const lines = `${log}\n${this.stderr}`.split('\n').filter((line) => line && !shutdown.includes(line));
    const faults = [];
    // A clock that moves between a due request and the thread that is to ask makes a wait that nobody had.
    const known = [...NOISE, ...(this.clock ? [/ENTRA2087: /] : []), ...this.#expected, ...this.#allowed];
    for (const line of lines) {
      const level = /^\[[^\]]*\] \[[\w-]*:(\w+)\]/.exec(line)?.[1];
      // A line without a level is no line of httpd: the C library's or a script's last words.
      const bad = level === undefined || ALARM.has(level) || /exit signal|AddressSanitizer|runtime error:|LeakSanitizer|ThreadSanitizer/.test(line);
      if (bad && !known.some((pattern) => pattern.test(line))) faults.push(`not announced: ${line}`);
    }
    for (const pattern of this.#expected) if (!lines.some((line) => pattern.test(line))) faults.push(`announced, but not there: ${pattern}`);
    for (const [, text] of faulty) faults.push(`sanitizer: ${text}`);
    if (faults.length) throw new Error(`the error log of ${this.root}:\n${faults.join('\n')}`);
  }
}

/**
 * A death of httpd's threaded MPMs themselves: at SIGTERM their main thread closes the sockets that workers are about to give up, and the
 * worker can be the faster one (close_worker_sockets of mpm_event). It happens once in some hundred stops on a busy machine. True for
 * AddressSanitizer's report of just this: one invalid read, in apr_os_sock_get of the main thread, with the MPM and nothing else above it.
 */
export function isClosingDeath(report) {
  const frames = report.split('\n').filter((line) => /^ +#\d+ /.test(line));
  const own = frames.findIndex((line) => / in ap_run_mpm /.test(line));
  return report.split('ERROR: AddressSanitizer').length === 2 && /: SEGV on unknown address .* T0\)/.test(report)
    && own > 1 && / in apr_os_sock_get /.test(frames[0]) && frames.slice(1, own).every((line) => /\/mod_mpm_(event|worker)\.so\+/.test(line));
}

/**
 * Starts httpd. Options: config (text, or a function of the server that has root, port, origin, docroot, stateDir …), mpm, modules,
 * files {name: text | {content, mode}}, processes, threads, workers, logLevel, serverName, host, listen, env, define, timeout,
 * stateDirectory: false, withModule: false, single: true (one process, no master), under ([program, argument…] that runs httpd), clock: true (server.clock.forward(seconds) moves its wall clock), expectLog, allowLog, keep.
 */
export async function startHttpd(options = {}) {
  const server = new Httpd({ ...options });
  try {
    return await server.start();
  } catch (error) {
    if (!server.keep) rmSync(server.root, { recursive: true, force: true });
    throw error;
  }
}

/** Starts a server that ought to refuse: {started, status, log}. One that starts after all is stopped. */
export async function tryStart(options = {}) {
  try {
    const server = await startHttpd(options);
    const log = server.errorLog();
    await server.stop({ judge: false });
    return { started: true, status: 0, log };
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return { started: false, status: error.status, log: error.log };
  }
}

/** A server with its folder and its configuration that is never started, for commands that only read them. Call dispose() at the end. */
export function prepareHttpd(options = {}) {
  const server = new Httpd({ ...options });
  server.port = options.port ?? 20_000;
  server.configure();
  server.dispose = () => { if (!server.keep) rmSync(server.root, { recursive: true, force: true }); };
  return server;
}

/** httpd -t: {status, output}. */
export function configtest(options = {}) {
  const { httpd } = httpdInstalled();
  const server = new Httpd({ ...(typeof options === 'string' ? { config: options } : options) });
  server.port = 20_000;
  try {
    server.configure();
    const args = ['-t', '-d', server.root, '-f', server.configFile, ...(options.define ?? []).map((name) => `-D${name}`)];
    const run = spawnSync(options.program ?? httpd, args, { encoding: 'utf8', cwd: server.root, env: environment(server, options.env), timeout: START_DEADLINE });
    return { status: run.status, output: `${run.stdout}${run.stderr}${server.errorLog()}` };
  } finally {
    if (!server.keep) rmSync(server.root, { recursive: true, force: true });
  }
}
