// SPDX-License-Identifier: Apache-2.0
// entra-sso check, explain and the dump of the configuration. What each planted mistake is called is in mistakes.test.mjs.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test, { after, before, describe } from 'node:test';
import { CLIENT, CLIENT_SECRET, CONTOSO } from '../emulator/tenants.mjs';
import { COMMAND, entraSso, noCommand } from './lib/command.mjs';
import { configtest, missing, prepareHttpd } from './lib/httpd.mjs';
import { closeLeftovers, startSite } from './lib/leftovers.mjs';

const explain = (...args) => {
  try {
    return { status: 0, out: execFileSync(COMMAND, ['explain', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ASAN_OPTIONS: 'detect_leaks=0' } }), err: '' };
  } catch (error) {
    return { status: error.status, out: error.stdout, err: error.stderr };
  }
};

const PROTECTED = '<Location "/inner">\n    AuthType Entra\n    Require entra-group Finance\n    EntraRole editor group=Editors\n</Location>';
const hostOf = (lines, protect = PROTECTED) => `<VirtualHost *:80>\nServerName http://localhost\nEntraTenant ${CONTOSO}\nEntraClientID ${CLIENT}\n${lines}\n${protect}\n</VirtualHost>`;
const files = { secret: { content: `${CLIENT_SECRET}\n`, mode: 0o600 } };

describe('entra-sso explain', { skip: noCommand }, () => {
  test('numbers of Entra, of the module, and errors of OAuth', () => {
    const { status, out } = explain('AADSTS7000222', '50011', 'ENTRA1321', 'invalid_client');
    assert.equal(status, 0);
    const [secret, redirect, code, client] = out.split('\n\n');
    assert.match(secret, /^AADSTS7000222\n.*\n {2}who acts: +an administrator\n/s);
    assert.match(redirect, /what to do: .*redirect URI/);
    assert.match(code, /^ENTRA1321\n {2}log line: +Entra did not accept the code or refresh token \(level info\)/);
    assert.match(client, /EntraClientSecret/);
  });

  test('what it does not know: where Entra explains it, and status 1; the others are explained all the same', () => {
    const { status, out, err } = explain('AADSTS999999', 'AADSTS50105', 'ENTRA9998', '\x1b[31m');
    assert.equal(status, 1);
    assert.match(out, /^AADSTS50105\n/);
    assert.match(err, /^entra-sso: AADSTS999999 .* https:\/\/login\.microsoftonline\.com\/error\?code=999999$/m);
    assert.match(err, /^entra-sso: ENTRA9998 is no number of this version/m);
    assert.match(err, /'\\x1b\[31m' is no number/);
  });

  test('without a number it is used wrongly', () => {
    assert.equal(explain().status, 2);
    assert.equal(explain('--online', '50011').status, 2);
  });
});

describe('DUMP_ENTRA', { skip: missing }, () => {
  const dump = (lines, define = 'DUMP_ENTRA', more = {}) => configtest({ files, define: [define], config: () => hostOf(lines), ...more });

  test('shows what follows, where the credential is, and the sections with their rules', () => {
    const { status, output } = dump('EntraClientSecret file:secret\nEntraSCIM on\nEntraRemoteUser "%{oid}"');
    assert.equal(status, 0, output);
    assert.match(output, /^ {2}front-channel logout +http:\/\/localhost\/\.entra\/frontchannel-logout$/m);
    assert.match(output, /^ {2}credential +secret from file:\/\S+\/secret$/m);
    assert.match(output, /^ {2}groups named +Finance, Editors$/m);
    assert.match(output, /^ {2}scopes +openid profile email offline_access .*GroupMember\.Read\.All$/m);
    assert.match(output, /^ {2}SCIM +http:\/\/localhost\/\.entra\/scim\/v2$/m);
    assert.match(output, /^ {2}EntraRemoteUser +%\{oid\} +\S+:\d+$/m, 'a directive of sections that stands in the virtual host');
    assert.match(output, /^ {2}protected +<Location "\/inner"> \(\S+:\d+\)\n +Require entra-group Finance\n +EntraRole editor group=Editors$/m);
  });

  test('says nothing secret, of no kind of source', () => {
    for (const [lines, shown, hidden] of [
      ['EntraClientSecret plain-secret-7q', /credential +secret, written into the configuration itself/, 'plain-secret-7q'],
      ['EntraClientSecret "exec:/bin/echo plain-secret-7q"', /credential +secret from exec:\/bin\/echo \.\.\./, 'plain-secret-7q'],
      ['EntraClientSecret env:SECRET_OF_MINE', /credential +secret from env:SECRET_OF_MINE/, 'plain-secret-7q'],
    ]) {
      const { status, output } = dump(lines, 'DUMP_ENTRA', { env: { SECRET_OF_MINE: 'plain-secret-7q' } });
      assert.equal(status, 0, output);
      assert.match(output, shown);
      assert.ok(!output.includes(hidden), output);
    }
    const literal = dump('EntraClientSecret plain-secret-7q', 'DUMP_ENTRA_DATABASE');
    assert.match(literal.output, /"source":"literal"/);
    assert.ok(!literal.output.includes('plain-secret-7q'), 'nor for the command');
  });

  test('a virtual host in which nothing is protected says so', () => {
    const { output } = configtest({ files, define: ['DUMP_ENTRA'], config: () => hostOf('EntraClientSecret file:secret', '') });
    assert.match(output, /^ {2}protected +nothing here; a \.htaccess may say AuthType Entra$/m);
  });
});

describe('entra-sso check', { skip: missing || noCommand }, () => {
  after(closeLeftovers);
  let site;
  before(async () => {
    site = await startSite();
    await site.signedIn({ user: 'ada' });
  });

  test('a good configuration: every line is ok, and nothing is secret', async () => {
    const { status, out } = await entraSso(site, 'check');
    assert.equal(status, 0, out);
    for (const subject of ['configuration', 'protection', 'file of the secret', 'credential', 'state directory', 'key file', 'database']) {
      assert.match(out, new RegExp(`^ok {7}${subject}: `, 'm'), out);
    }
    assert.match(out, /^\d+ ok, 0 to look at, 0 wrong, 0 unknown$/m);
    assert.ok(!out.includes(CLIENT_SECRET));
  });

  test('as JSON, an object a line', async () => {
    const { status, out } = await entraSso(site, 'check', '--json');
    assert.equal(status, 0);
    const findings = out.trim().split('\n').map((line) => JSON.parse(line));
    assert.ok(findings.every(({ found }) => found === 'ok'), out);
    assert.deepEqual([...new Set(findings.map(({ application }) => application))], [undefined, site.origin]);
  });

  test('httpd that cannot be run is no fault of the configuration: status 3', async () => {
    const { status, err } = await entraSso(site, '--httpd', '/nowhere/httpd', 'check');
    assert.equal(status, 3, err);
    assert.match(err, /\/nowhere\/httpd cannot be run; name httpd's program with --httpd/);
  });

  test('what httpd refuses: its own words, and status 1', async () => {
    const httpd = prepareHttpd({ files, config: () => hostOf('EntraClientSecret file:nowhere') });
    const { status, out, err } = await entraSso({ httpd }, 'check');
    httpd.dispose();
    assert.equal(status, 1);
    assert.match(err, /ENTRA4004: EntraClientSecret: .*chmod 600/);
    assert.match(out, /^FAIL {5}configuration: httpd does not accept it\n {9}mend: /m);
  });

  test('wrong usage', async () => {
    for (const args of [['check', 'x'], ['check', '--yes'], ['--state', '/x', 'check']]) assert.equal((await entraSso(site, ...args)).status, 2, args.join(' '));
  });
});
