// SPDX-License-Identifier: Apache-2.0
// The first hour, as somebody who has never seen the project: the package in a bare system, and every command and the site of
// docs/first-hour.md as they stand there. Only the ids, which are the reader's own, are others, and Entra is the emulator. tests/package makes
// the system; it is spoilt afterwards.
//
// Environment: PACKAGE, the package.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { selfSigned, toPem } from '../emulator/certificate.mjs';
import { CLIENT, CLIENT_SECRET, CONTOSO } from '../emulator/tenants.mjs';
import { Browser } from '../e2e/lib/browser.mjs';
import { startTlsFront } from '../e2e/lib/recipe.mjs';
import { until } from '../e2e/lib/wait.mjs';

const ORIGIN = 'https://app.example.com';
const { PACKAGE } = process.env;
const missing = PACKAGE && process.env.MAY_BE_SPOILT === 'yes' ? false : 'started by tests/package alone';

/** The blocks of a section, in the order of the page: {language, text}. */
function blocksOf(title) {
  const page = readFileSync(new URL('../../docs/first-hour.md', import.meta.url), 'utf8');
  const section = page.split(/^## /m).find((text) => text.startsWith(title));
  return [...section.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({ language, text }));
}

/** Runs commands as they are copied into a shell of root; their output. */
function paste(text, input = '') {
  const { status, stdout, stderr } = spawnSync('bash', ['-e', '-c', text], { encoding: 'utf8', input, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  assert.equal(status, 0, `${text}${stdout}${stderr}`);
  return stdout + stderr;
}

/** What the page leaves to the reader: a certificate, and a site to protect. */
function prepareSite() {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const now = Math.floor(Date.now() / 1000);
  mkdirSync('/etc/ssl/app', { recursive: true });
  mkdirSync('/var/www/app', { recursive: true });
  writeFileSync('/etc/ssl/app/fullchain.pem', toPem(selfSigned({ publicKey, privateKey, commonName: 'app.example.com', notBefore: now - 3600, notAfter: now + 86400 })));
  writeFileSync('/etc/ssl/app/private.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync('/var/www/app/index.html', '<!doctype html><p>the protected site</p>\n');
}

async function startEmulator() {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../emulator/server.mjs', import.meta.url)), '--quiet', '--auto', 'ada'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const { url } = JSON.parse((await once(child.stdout, 'data'))[0]);
  const told = await fetch(`${url}/_control/hosts`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ redirectHosts: ['app.example.com'] }) });
  assert.equal(told.status, 200, await told.text());
  return { url, close: () => child.kill() };
}

/** The site is in place of the page's name for it, with the ids of the emulator's registration. */
function writeSite({ text }) {
  const site = text.replace(/(EntraTenant +)\S+/, `$1${CONTOSO}`).replace(/(EntraClientID +)\S+/, `$1${CLIENT}`);
  assert.notEqual(site, text);
  writeFileSync('/etc/apache2/sites-available/app.conf', site);
}

test('the first hour: package, secret, site, checks, a sign-in', { skip: missing }, async () => {
  const emu = await startEmulator();
  let front;
  try {
    paste(`apt-get -y -q install ${PACKAGE}`);
    prepareSite();
    writeFileSync('/etc/apache2/conf-enabled/emulator.conf', `EntraAuthority ${emu.url}\nEntraGraphURL ${emu.url}\n`);
    const [secret, site, enable] = blocksOf('2. Configure Apache');
    assert.deepEqual([secret.language, site.language, enable.language], ['sh', 'apache', 'sh']);
    paste(secret.text, `${CLIENT_SECRET}\n`);
    writeSite(site);
    paste(enable.text);
    paste('/etc/init.d/apache2 start');
    const [configtest, , dump, , check] = blocksOf('3. Test the configuration');
    assert.match(paste(configtest.text), /^Syntax OK$/m);
    const dumped = paste(dump.text);
    for (const line of [`VirtualHost ${ORIGIN} `, `  redirect URI +${ORIGIN}/.entra/callback`]) assert.match(dumped, new RegExp(`^${line}`, 'm'));
    assert.doesNotMatch(dumped, new RegExp(CLIENT_SECRET));
    const checked = paste(check.text);
    assert.doesNotMatch(checked, /^FAIL/m);
    assert.match(checked, /^ok +/m);
    paste(blocksOf('4. Sign in')[0].text);
    front = await startTlsFront(443);
    const browser = new Browser({ resolve: { [ORIGIN]: front.port } });
    await until('the site asks for a sign-in', async () => (await browser.fetch(`${ORIGIN}/.entra/session`).catch(() => ({}))).status === 401);
    const page = await browser.navigate(`${ORIGIN}/`);
    assert.match(page.text, /the protected site/, page.trace);
    assert.equal((await browser.fetch(`${ORIGIN}/.entra/session`)).json().user, 'ada@contoso.example');
    const out = await browser.navigate(`${ORIGIN}/.entra/logout`, { method: 'POST', body: '', from: `${ORIGIN}/`, follow: false });
    assert.equal(out.status, 302, out.text);
    assert.equal((await browser.fetch(`${ORIGIN}/`)).status, 401);
  } finally {
    await front?.close();
    emu.close();
    spawnSync('apache2ctl', ['stop']);
  }
});
