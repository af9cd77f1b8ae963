// SPDX-License-Identifier: Apache-2.0
// entra-sso register: the commands that it prints are run by a shell, with an az that only writes down what it was told.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after, before, describe } from 'node:test';
import { CERT_CLIENT, CLIENT, CONTOSO } from '../emulator/tenants.mjs';
import { startEmulator } from '../emulator/server.mjs';
import { selfSigned, toPem } from '../emulator/certificate.mjs';
import { generateKeyPairSync } from 'node:crypto';
import { entraSso, noCommand } from './lib/command.mjs';
import { missing, prepareHttpd } from './lib/httpd.mjs';

const ZERO_GUID = '00000000-0000-0000-0000-000000000000';
const PROTECTED = '<Location "/">\n    AuthType Entra\n    Require valid-user\n</Location>';
// Everything that a shell and PowerShell could take for their own.
const HOSTILE = "it's $(touch PWNED) `touch PWNED` ;touch PWNED; \u2018;b\u2019 & | > x #";

const FAKE_AZ = `#!${process.execPath}
const { appendFileSync, readFileSync } = require('node:fs');
const args = process.argv.slice(2);
const at = args.indexOf('--body');
const body = at < 0 ? undefined : args[at + 1].startsWith('@') ? readFileSync(args[at + 1].slice(1), 'utf8') : args[at + 1];
const cert = args.includes('--cert') ? readFileSync(args[args.indexOf('--cert') + 1].slice(1), 'utf8') : undefined;
appendFileSync(process.env.AZ_LOG, JSON.stringify({ args, body, cert }) + '\\n');
const text = args.join(' ');
if (text.includes('--query password')) console.log('made-by-az');
else if (text.startsWith('ad app create')) console.log('11111111-2222-4333-8444-555555555555');
else console.log('id-of-' + args.slice(0, 3).join('-'));
`;

describe('entra-sso register', { skip: missing || noCommand }, () => {
  let emu;
  let folder;
  before(async () => {
    emu = await startEmulator({ auto: 'ada' });
    folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-az-'));
    writeFileSync(path.join(folder, 'az'), FAKE_AZ, { mode: 0o755 });
    writeFileSync(path.join(folder, 'entra-sso'), '#!/bin/sh\necho entra_scim_made-by-the-command\n', { mode: 0o755 });
  });
  after(async () => {
    await emu.close();
    rmSync(folder, { recursive: true });
  });

  /** {out, err, status} of the command for this configuration; `run` makes the shell run the part for az: {calls, written}. */
  async function register({ directives = {}, host = PROTECTED, extra = '', files = {}, args = [], run = false, secret = 'secret' }) {
    const lines = { EntraTenant: CONTOSO, EntraClientID: CLIENT, EntraClientSecret: 'file:secret', ...directives };
    const text = Object.entries(lines).filter(([, value]) => value !== null).map(([name, value]) => `    ${name} ${value}`).join('\n');
    const httpd = prepareHttpd({
      files: { secret: { content: 'old\n', mode: 0o600 }, ...files },
      config: () => `<VirtualHost *:80>\n    ServerName https://app.contoso.example\n${text}\n${host}\n</VirtualHost>\n${extra}`,
    });
    try {
      const said = await entraSso({ httpd }, 'register', ...args);
      if (!run) return said;
      const log = path.join(folder, 'log');
      writeFileSync(log, '');
      const shell = spawnSync('sh', ['-eu'], { cwd: folder, input: said.out, encoding: 'utf8', env: { PATH: `${folder}:${process.env.PATH}`, AZ_LOG: log } });
      assert.equal(shell.status, 0, shell.stderr);
      const calls = readFileSync(log, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
      return { ...said, calls, written: readFileSync(httpd.path(secret), 'utf8'), left: existsSync(path.join(folder, 'PWNED')), shown: shell.stdout };
    } finally {
      httpd.dispose();
    }
  }

  const callOf = (calls, ...words) => calls.find(({ args }) => words.every((word) => args.includes(word)));
  const bodyOf = (calls, part) => JSON.parse(calls.find(({ args, body }) => body && args.some((arg) => arg.includes(part))).body);

  test('az makes the registration that the configuration needs, and puts the secret where it is read', async () => {
    const { calls, written, status } = await register({
      args: ['--az'], run: true,
      directives: { EntraTenantWatch: '5m', EntraRemoteUser: '"%{upn}"' },
      host: '<Location "/">\n    AuthType Entra\n    Require entra-group Finance\n</Location>',
    });
    assert.equal(status, 0);
    const body = bodyOf(calls, '/v1.0/applications/');
    assert.deepEqual(body.web.redirectUris, ['https://app.contoso.example/.entra/callback']);
    assert.equal(body.web.logoutUrl, 'https://app.contoso.example/.entra/frontchannel-logout');
    assert.equal(body.groupMembershipClaims, 'SecurityGroup');
    assert.ok(body.optionalClaims.idToken.some(({ name }) => name === 'upn'));
    const asked = calls.filter(({ args }) => args[0] === 'ad' && args[1] === 'sp' && args.includes('--query')).map(({ args }) => args[args.indexOf('--query') + 1]);
    for (const name of ['openid', 'offline_access', 'User.Read', 'GroupMember.Read.All']) assert.ok(asked.includes(`oauth2PermissionScopes[?value=='${name}'].id | [0]`), name);
    assert.ok(asked.includes("appRoles[?value=='User.Read.All'].id | [0]"));
    assert.ok(callOf(calls, 'permission', 'admin-consent'));
    assert.ok(callOf(calls, 'login', CONTOSO));
    assert.deepEqual(bodyOf(calls, '/servicePrincipals/'), { appRoleAssignmentRequired: true });
    assert.equal(written, 'made-by-az\n');
    assert.ok(!callOf(calls, 'create', '--sign-in-audience'), 'the registration is there already');
  });

  test('zeros for the client make a new registration and says its ID', async () => {
    const { calls, shown, out } = await register({ args: ['--az'], run: true, directives: { EntraClientID: ZERO_GUID } });
    assert.deepEqual(callOf(calls, 'create', '--sign-in-audience').args.slice(3, 7), ['--display-name', 'app.contoso.example', '--sign-in-audience', 'AzureADMyOrg']);
    assert.match(shown, /^EntraClientID 11111111-2222-4333-8444-555555555555$/m);
    assert.match(out, /^# The registration\. Write its ID as EntraClientID\.$/m);
  });

  test('hostile values stay one word, for the shell', async () => {
    const name = `${HOSTILE}"x`;
    const { calls, written, left, out } = await register({
      args: ['--az'], run: true, secret: name,
      directives: { EntraClientSecret: `'file:${name.replaceAll("'", "\\'")}'`, EntraScopes: "offline_access 'api://x$(touch-PWNED)`y`/it;z'" },
      files: { [name]: { content: 'old\n', mode: 0o600 } },
    });
    assert.equal(written, 'made-by-az\n', out);
    assert.equal(left, false, 'nothing of it was run');
    assert.ok(calls.some(({ args }) => args.includes('api://x$(touch-PWNED)`y`')), JSON.stringify(calls));
    assert.match(out, /^# Look for this one under API permissions: it;z$/m);
  });

  test('hostile values stay one string, for PowerShell', async () => {
    const name = `${HOSTILE}x`;
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const now = Math.floor(Date.now() / 1000);
    const cert = toPem(selfSigned({ ...pair, commonName: 'x', notBefore: now - 60, notAfter: now + 86_400 * 300 }));
    const { out, err } = await register({
      args: ['--powershell'],
      directives: { EntraClientID: CERT_CLIENT, EntraClientSecret: null, EntraClientCertificate: `'${name.replaceAll("'", "\\'")}'` },
      files: { [name]: { content: cert + pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), mode: 0o600 } },
    });
    const line = out.split('\n').find((one) => one.startsWith('$certificate = '));
    assert.ok(line, out + err);
    // PowerShell's rule: a quote of any of the five kinds ends the string, unless it is doubled.
    const literal = /::new\('((?:[^'\u2018-\u201b]|(['\u2018-\u201b])\2)*)'\)$/u.exec(line);
    assert.ok(literal, line);
    assert.ok(literal[0].slice(7, -2).replaceAll(/(['\u2018-\u201b])\1/gu, '$1').endsWith(`/${name}`), literal[0]);
  });

  test('a certificate goes without its key', async () => {
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const now = Math.floor(Date.now() / 1000);
    const cert = toPem(selfSigned({ ...pair, commonName: 'x', notBefore: now - 60, notAfter: now + 86_400 * 300 }));
    const both = { content: cert + pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), mode: 0o600 };
    const { calls } = await register({ args: ['--az'], run: true, directives: { EntraClientSecret: null, EntraClientCertificate: 'both.pem' }, files: { 'both.pem': both } });
    const sent = calls.find(({ cert: text }) => text !== undefined).cert;
    assert.match(sent, /BEGIN CERTIFICATE/);
    assert.doesNotMatch(sent, /PRIVATE KEY/);
  });

  test('a federated credential has issuer and subject of the token that is there', async () => {
    const { token, issuer, subject } = await emu.control('serviceaccount', { namespace: 'web', name: 'httpd' });
    const { calls, out } = await register({
      args: ['--az'], run: true, directives: { EntraClientSecret: null, EntraClientAssertion: 'file:token' }, files: { token: { content: token, mode: 0o600 } },
    });
    const { args } = callOf(calls, 'federated-credential', 'create');
    assert.deepEqual(JSON.parse(args[args.indexOf('--parameters') + 1]), { name: 'httpd', issuer, subject, audiences: ['api://AzureADTokenExchange'] });
    assert.ok(!out.includes(token));
  });

  test('a managed identity, and a secret that httpd has from elsewhere', async () => {
    const identity = '8d6f4f0e-0000-4000-8000-3a6c2f1b7c11';
    const { calls } = await register({ args: ['--az'], run: true, directives: { EntraClientSecret: null, EntraClientAssertion: `managed-identity ${identity}` } });
    const { args } = callOf(calls, 'federated-credential', 'create');
    const credential = JSON.parse(args[args.indexOf('--parameters') + 1]);
    assert.equal(credential.issuer, `https://login.microsoftonline.com/${CONTOSO}/v2.0`);
    assert.equal(credential.subject, 'id-of-ad-sp-show', 'the object id that az gives for the identity');
    assert.ok(callOf(calls, 'show', identity));
    const { shown } = await register({ args: ['--az'], run: true, directives: { EntraClientSecret: 'exec:/bin/hostname' } });
    assert.match(shown, /^made-by-az$/m, 'shown once, since no file is named');
  });

  test('provisioning has an enterprise application of its own; the token is on no command line', async () => {
    const { calls } = await register({ args: ['--az'], run: true, directives: { EntraSCIM: 'on' } });
    const secrets = bodyOf(calls, '/synchronization/secrets');
    assert.deepEqual(secrets.value, [{ key: 'BaseAddress', value: 'https://app.contoso.example/.entra/scim/v2' }, { key: 'SecretToken', value: 'entra_scim_made-by-the-command' }]);
    assert.ok(!calls.some(({ args }) => args.some((arg) => arg.includes('made-by-the-command'))));
  });

  test('virtual hosts of one client are one registration, with all addresses; others have their own', async () => {
    const second = `<VirtualHost *:81>\nServerName https://b.contoso.example\nEntraTenant ${CONTOSO}\nEntraClientID ${CLIENT}\nEntraClientSecret file:secret\n${PROTECTED}\n</VirtualHost>\n`;
    const third = second.replaceAll('b.contoso', 'c.contoso').replace(CLIENT, CERT_CLIENT).replace('*:81', '*:82');
    const { out } = await register({ args: ['--az'], extra: second + third });
    assert.equal(out.split('# ---- Azure CLI').length - 1, 2);
    const lists = [...out.matchAll(/"redirectUris":(\[[^\]]*\])/g)].map(([, list]) => JSON.parse(list).map((uri) => new URL(uri).hostname).sort());
    assert.deepEqual(lists.sort((a, b) => b.length - a.length), [['app.contoso.example', 'b.contoso.example'], ['c.contoso.example']]);
  });

  test('both tools without an option; a configuration that httpd refuses, and one without an application, are status 1', async () => {
    const { out, status } = await register({});
    assert.equal(status, 0);
    assert.match(out, /^# ---- Azure CLI/m);
    assert.match(out, /^# ---- Microsoft Graph PowerShell/m);
    const refused = await register({ directives: { EntraClientID: null } });
    assert.equal(refused.status, 1);
    assert.match(refused.err, /ENTRA4003/);
    assert.match(refused.err, /write 00000000-0000-0000-0000-000000000000 as EntraClientID/);
    assert.equal((await register({ args: ['x'] })).status, 2);
  });
});
