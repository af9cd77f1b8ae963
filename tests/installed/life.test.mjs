// SPDX-License-Identifier: Apache-2.0
// The life of the Debian package on a machine: install, sign in, upgrade, disable, remove, install again, purge. In this order, and only
// in a system that may be spoilt: tests/package makes one, with a network of its own, and starts this inside.
//
// Environment: PACKAGE, PACKAGE_NEXT: the package, and the same with a higher version.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CLIENT, CLIENT_SECRET, CONTOSO, users } from '../emulator/tenants.mjs';
import { Browser } from '../e2e/lib/browser.mjs';
import { until } from '../e2e/lib/wait.mjs';

const NAME = 'libapache2-mod-entra-sso';
const STATE = '/var/lib/mod_entra_sso';
const KEYS = `${STATE}/cookie.keys`;
const SITE = '/etc/apache2/sites-available/intranet.conf';
const PIDFILE = '/var/run/apache2/apache2.pid';
const ERROR_LOG = '/var/log/apache2/error.log';
const ORIGIN = 'http://localhost';
const { PACKAGE, PACKAGE_NEXT } = process.env;
// Without it, a module of this machine's own life would be taken away.
const missing = PACKAGE && PACKAGE_NEXT && process.env.MAY_BE_SPOILT === 'yes' ? false : 'started by tests/package alone';

/** Runs a command; its output. */
function run(command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${error ?? ''}${stdout}${stderr}`);
  return stdout + stderr;
}

const succeeds = (command, ...args) => spawnSync(command, args).status === 0;
const apt = (...args) => run('apt-get', '-y', '-q', '--no-install-recommends', ...args);
const enabled = () => succeeds('a2query', '-q', '-m', 'entra_sso');
const serverPid = () => (existsSync(PIDFILE) ? readFileSync(PIDFILE, 'utf8').trim() : undefined);
const modeOf = (name) => { const { uid, gid, mode } = statSync(name); return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`; };

/** The emulator, in a process of its own: this one stands still while apt works. */
async function startEmulator(...args) {
  const server = fileURLToPath(new URL('../emulator/server.mjs', import.meta.url));
  const child = spawn(process.execPath, [server, '--quiet', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  return { url: JSON.parse(line).url, close: () => child.kill() };
}

/** Every name under the folders that a package may touch, apart from what keeps account of packages and of what happens. */
function listing() {
  const unwatched = /^\/(proc|sys|dev|run|tmp|build|var\/(run|tmp|log|cache|lib\/(apt|dpkg|apache2\/(module|site)))|etc\/ld\.so\.cache)(\/|$)/;
  const found = [];
  const walk = (folder) => {
    for (const entry of readdirSync(folder)) {
      const name = path.join(folder, entry);
      if (unwatched.test(name)) continue;
      found.push(name);
      if (lstatSync(name).isDirectory()) walk(name);
    }
  };
  walk('/');
  return found.sort();
}

let emu;
let before;
let browser;
let session;

async function answers() {
  try {
    return (await browser.fetch(`${ORIGIN}/.entra/session`)).status;
  } catch {
    return undefined;
  }
}

/** The session of the first sign-in is there, and is the same one. */
async function assertStillSignedIn() {
  await until('httpd answers', answers);
  const seen = (await browser.fetch(`${ORIGIN}/.entra/session`)).json();
  assert.equal(seen.user, session.user);
  assert.equal(seen.signed_in_at, session.signed_in_at);
  const page = await browser.navigate(`${ORIGIN}/`);
  assert.equal(page.status, 200, page.trace);
  assert.equal(page.hops.length, 1, `a new sign-in: ${page.trace}`);
}

/** What the command knows of live sessions. */
const listed = () => JSON.parse(run('entra-sso', 'sessions', 'list', '--json'));

/** Installs something, and waits until the package's own restart of httpd is over. */
async function installAndRestart(...args) {
  const old = serverPid();
  const said = apt('install', ...args);
  await until('the package restarted httpd', () => serverPid() && serverPid() !== old && answers());
  return said;
}

after(() => {
  emu?.close();
  if (!missing) spawnSync('apache2ctl', ['stop']);
});

test('httpd runs before there is a module', { skip: missing }, async () => {
  before = listing();
  run('/etc/init.d/apache2', 'start');
  await until('httpd has its process', serverPid);
  assert.ok(!enabled());
});

test('the installation enables the module, makes the state directory, and restarts httpd', { skip: missing }, async () => {
  const old = serverPid();
  apt('install', PACKAGE);
  assert.ok(enabled());
  assert.match(run('apache2ctl', '-M'), /entra_sso_module/);
  assert.match(run('apache2ctl', 'configtest'), /^Syntax OK$/m);
  assert.equal(modeOf(STATE), '0:0 711');
  await until('the package restarted httpd', () => serverPid() && serverPid() !== old);
});

test('a module that nobody uses says nothing and makes no file', { skip: missing }, () => {
  assert.doesNotMatch(readFileSync(ERROR_LOG, 'utf8'), /entra_sso:/);
  assert.deepEqual(readdirSync(STATE), []);
});

test('every command of the package has its manual page', { skip: missing }, () => {
  const files = run('dpkg', '-L', NAME).split('\n');
  for (const command of files.filter((name) => /^\/usr\/s?bin\/./.test(name))) {
    assert.ok(files.some((name) => new RegExp(`/man/man[18]/${path.basename(command)}\\.[18]\\.gz$`).test(name)), command);
    assert.ok(succeeds(command, '--help'), `${command} --help`);
  }
});

test('the pages of the manual that the configuration names are there, and none is compressed', { skip: missing }, () => {
  const named = readFileSync('/etc/apache2/mods-available/entra_sso.conf', 'utf8').match(/\/usr\/share\/doc\/\S+/g);
  assert.ok(named.length >= 3);
  for (const name of named) assert.ok(existsSync(name), name);
});

test('a mistake is named by configtest', { skip: missing }, async () => {
  emu = await startEmulator('--auto', 'ada');
  mkdirSync('/etc/apache2/entra', { mode: 0o700 });
  writeFileSync('/etc/apache2/entra/client-secret', CLIENT_SECRET, { mode: 0o600 });
  const site = (tenant) => `LogLevel warn entra_sso:info
<VirtualHost *:80>
    ServerName        ${ORIGIN}
    DocumentRoot      "/var/www/html"
    ${tenant}
    EntraClientID     ${CLIENT}
    EntraClientSecret file:/etc/apache2/entra/client-secret
    EntraAuthority    ${emu.url}
    <Location "/">
        AuthType Entra
        Require  valid-user
    </Location>
</VirtualHost>
`;
  run('a2dissite', '-q', '000-default');
  writeFileSync(SITE, site(''));
  run('a2ensite', '-q', 'intranet');
  const { status, stderr } = spawnSync('apache2ctl', ['configtest'], { encoding: 'utf8' });
  assert.notEqual(status, 0);
  assert.match(stderr, /ENTRA4001: EntraTenant: is missing/);
  writeFileSync(SITE, site(`EntraTenant ${CONTOSO}`));
  assert.match(run('apache2ctl', 'configtest'), /^Syntax OK$/m);
});

test('a person signs in', { skip: missing }, async () => {
  run('apache2ctl', 'graceful');
  browser = new Browser();
  await until('the site asks for a sign-in', async () => (await answers()) === 401);
  const page = await browser.navigate(`${ORIGIN}/`);
  assert.equal(page.status, 200, page.trace);
  assert.equal(page.url, `${ORIGIN}/`);
  session = (await browser.fetch(`${ORIGIN}/.entra/session`)).json();
  assert.equal(session.user, users.find(({ key }) => key === 'ada').upn);
  assert.equal(modeOf(KEYS), '0:0 600');
  assert.deepEqual(listed().map(({ user }) => user), [session.user]);
});

test('an upgrade restarts httpd, and nobody has to sign in again', { skip: missing }, async () => {
  const keys = readFileSync(KEYS);
  await installAndRestart(PACKAGE_NEXT);
  assert.match(run('dpkg-query', '-W', '-f', '${Version}', NAME), /\+next/);
  assert.deepEqual(readFileSync(KEYS), keys);
  assert.equal(modeOf(STATE), '0:0 711');
  await assertStillSignedIn();
  assert.doesNotMatch(readFileSync(ERROR_LOG, 'utf8'), /entra_sso:(warn|error|crit|alert|emerg)\]/);
});

test("an upgrade keeps the administrator's modes and changed files", { skip: missing }, async () => {
  const conf = '/etc/apache2/mods-available/entra_sso.conf';
  const mine = `${readFileSync(conf, 'utf8')}# mine\n`;
  writeFileSync(conf, mine);
  chmodSync(STATE, 0o751);
  await installAndRestart('--reinstall', PACKAGE_NEXT);
  assert.equal(readFileSync(conf, 'utf8'), mine);
  assert.equal(modeOf(STATE), '0:0 751');
  chmodSync(STATE, 0o711);
  await assertStillSignedIn();
});

test('a module that the administrator disabled stays so', { skip: missing }, () => {
  run('a2dissite', '-q', 'intranet');
  run('a2dismod', '-q', 'entra_sso');
  apt('install', '--reinstall', PACKAGE_NEXT);
  assert.ok(!enabled());
  run('a2enmod', '-q', 'entra_sso');
  assert.ok(enabled());
});

test('a removal disables the module, keeps keys and configuration, and leaves an httpd that runs', { skip: missing }, async () => {
  apt('remove', NAME);
  assert.ok(!enabled());
  assert.ok(!existsSync('/usr/lib/apache2/modules/mod_entra_sso.so'));
  assert.ok(existsSync('/etc/apache2/mods-available/entra_sso.load'));
  assert.equal(modeOf(KEYS), '0:0 600');
  assert.match(run('apache2ctl', 'configtest'), /^Syntax OK$/m);
  await until('httpd has its process', serverPid);
});

test('installed again, it knows the sessions of before', { skip: missing }, async () => {
  apt('install', PACKAGE_NEXT);
  assert.ok(enabled());
  run('a2ensite', '-q', 'intranet');
  run('apache2ctl', 'restart');
  await until('the session opens', async () => (await answers()) === 200);
  await assertStillSignedIn();
});

test('the command ends the session', { skip: missing }, async () => {
  assert.equal(listed().length, 1);
  run('entra-sso', 'sessions', 'revoke', '--user', session.user);
  await until('the session is over', async () => (await answers()) === 401);
  assert.deepEqual(listed(), []);
});

test('a purge leaves nothing', { skip: missing }, async () => {
  run('a2dissite', '-q', 'intranet');
  apt('purge', NAME);
  run('a2ensite', '-q', '000-default');
  rmSync(SITE);
  rmSync('/etc/apache2/entra', { recursive: true });
  assert.ok(!existsSync(STATE), 'the keys are still there');
  assert.match(run('apache2ctl', 'configtest'), /^Syntax OK$/m);
  assert.doesNotMatch(run('dpkg-query', '-W', '-f', '${Package} ${db:Status-Status}\n'), new RegExp(`^${NAME} `, 'm'));
  apt('autoremove', '--purge');
  const now = new Set(listing());
  const then = new Set(before);
  assert.deepEqual([...now].filter((name) => !then.has(name)), [], 'left over');
  assert.deepEqual([...then].filter((name) => !now.has(name)), [], 'taken away');
});
