// SPDX-License-Identifier: Apache-2.0
// Radicale, a calendar server written in Python, behind the proxy: it believes the header X-Remote-User. Its gateway makes one name of
// X-Remote-User and X_Remote_User, so a header that the module did not remove would be somebody else's calendar.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freePort, missing } from '../e2e/lib/httpd.mjs';
import { request } from '../e2e/lib/http.mjs';
import { entraLines, startSite } from '../e2e/lib/site.mjs';
import { until } from '../e2e/lib/wait.mjs';

const PYTHON = process.env.RADICALE_PYTHON ?? '/usr/bin/python3';
const there = spawnSync(PYTHON, ['-c', 'import radicale']).status === 0;
const skip = missing || (there ? false : 'Radicale is not there (package python3-radicale; set RADICALE_PYTHON)');

const PROPFIND = '<?xml version="1.0"?><propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>';
const EVENT = ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//test//EN', 'BEGIN:VEVENT', 'UID:tea', 'DTSTAMP:20260401T000000Z', 'DTSTART:20260401T150000Z', 'SUMMARY:Tea with the auditors', 'END:VEVENT', 'END:VCALENDAR', ''].join('\r\n');

async function startRadicale() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-radicale-'));
  const port = await freePort();
  mkdirSync(path.join(folder, 'collections'));
  writeFileSync(path.join(folder, 'config'), `
[server]
hosts = 127.0.0.1:${port}
[auth]
type = http_x_remote_user
[rights]
type = owner_only
[logging]
level = info
[storage]
filesystem_folder = ${folder}/collections
`);
  const env = { PATH: process.env.PATH, LANG: 'C.UTF-8', HOME: folder };
  const child = spawn(PYTHON, ['-m', 'radicale', '--config', path.join(folder, 'config')], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  let gone = false;
  child.stderr.on('data', (data) => { log += data; });
  child.on('exit', () => { gone = true; });
  const close = async () => {
    child.kill();
    await until('Radicale to end', () => gone);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    // Its own word that it has this port, so that no other server answers for it.
    await until(() => `Radicale to start: ${log}`, () => {
      if (gone) throw new Error(`Radicale ended: ${log}`);
      return log.includes('Radicale server ready');
    });
  } catch (error) {
    if (!gone) await close();
    throw error;
  }
  return { port, close };
}

const configure = (radicale) => (server, site) => `${entraLines(server, site.emu)}
<Location "/">
    AuthType Entra
    Require  valid-user
    EntraHeader X-Remote-User "%{preferred_username}"
</Location>
<Location "/mail-name/">
    EntraHeader X-Remote-User "%{email}"
</Location>
<Location "/open/">
    Require all granted
</Location>
<Location "/pass/">
    EntraUnauthenticated pass
    Require all granted
</Location>
ProxyPass "/mail-name/" "http://127.0.0.1:${radicale.port}/"
ProxyPass "/open/" "http://127.0.0.1:${radicale.port}/"
ProxyPass "/pass/" "http://127.0.0.1:${radicale.port}/"
ProxyPass "/" "http://127.0.0.1:${radicale.port}/"`;

const SPELLINGS = ['X-Remote-User', 'X_Remote_User', 'x_remote-user', 'X.Remote.User', 'X-REMOTE_USER'];
const forged = (user) => Object.fromEntries(SPELLINGS.map((name) => [name, user]));
const principalOf = (response) => /current-user-principal><(?:\w+:)?href>([^<]*)</.exec(response.text)?.[1];

describe('Radicale, a calendar server behind the proxy', { skip }, () => {
  let radicale;
  let site;

  before(async () => {
    radicale = await startRadicale();
    site = await startSite({ config: configure(radicale) });
  });

  after(async () => {
    try {
      await site?.stop();
    } finally {
      await radicale?.close();
    }
  });

  // As clients of calendars do; and not compressed, so that the answers can be read here.
  const send = (browser, target, method, { headers, ...rest } = {}) => browser.fetch(site.at(target), { method, headers: { 'Accept-Encoding': null, ...headers }, ...rest });
  const ask = (browser, target, headers = {}) => send(browser, target, 'PROPFIND', { headers: { Depth: '0', 'Content-Type': 'application/xml', ...headers }, body: PROPFIND });
  const member = (user) => site.signedIn({ user, path: '/.web/' });

  /** What Radicale says to a client without a name, asked directly. */
  const nobody = async () => {
    const answer = await request(radicale.port, { method: 'PROPFIND', headers: { Depth: '0' }, body: PROPFIND });
    assert.equal(principalOf(answer), undefined);
    return [answer.status, undefined];
  };

  test('knows the person who signed in', async () => {
    const ada = await member('ada');
    const answer = await ask(ada, '/');
    assert.equal(answer.status, 207, answer.text);
    assert.equal(principalOf(answer), '/ada%40contoso.example/');
  });

  test('keeps a calendar for its owner alone', async () => {
    const ada = await member('ada');
    const eleni = await member('eleni');
    const calendar = '/ada%40contoso.example/duties/';
    const made = await send(ada, calendar, 'MKCALENDAR');
    assert.equal(made.status, 201, made.text);
    const put = await send(ada, `${calendar}tea.ics`, 'PUT', { headers: { 'Content-Type': 'text/calendar' }, body: EVENT });
    assert.equal(put.status, 201, put.text);
    assert.match((await send(ada, calendar, 'GET')).text, /Tea with the auditors/);
    const peek = await send(eleni, calendar, 'GET', { headers: forged('ada@contoso.example') });
    assert.equal(peek.status, 403, peek.text);
    assert.equal(peek.text.includes('auditors'), false);
  });

  test('never sees a client that is not signed in', async () => {
    const answer = await ask(site.browser(), '/', forged('ada@contoso.example'));
    assert.equal(answer.status, 401);
    assert.match(answer.header('content-type'), /problem\+json/);
  });

  for (const spelling of SPELLINGS) {
    test(`takes no name from the client, spelled ${spelling}`, async () => {
      const eleni = await member('eleni');
      const answer = await ask(eleni, '/', { [spelling]: 'ada@contoso.example' });
      assert.equal(principalOf(answer), '/eleni%40contoso.example/');
    });
  }

  test('takes no name from the client where the person has no such claim', async () => {
    const nora = await member('noroles');
    const answer = await ask(nora, '/mail-name/', forged('ada@contoso.example'));
    assert.deepEqual([answer.status, principalOf(answer)], await nobody(), answer.text);
  });

  for (const place of ['/open/', '/pass/']) {
    test(`takes no name from the client on the open path ${place}`, async () => {
      const answer = await ask(site.browser(), place, forged('ada@contoso.example'));
      assert.deepEqual([answer.status, principalOf(answer)], await nobody(), answer.text);
    });
  }
});
