// SPDX-License-Identifier: Apache-2.0
// Every mistake in the configuration is named by `httpd -t` with directive, place and mend; every right form passes; credentials of every kind sign in.

import assert from 'node:assert/strict';
import { createSign, generateKeyPairSync, randomUUID } from 'node:crypto';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import test, { after, before, describe } from 'node:test';
import { selfSigned, toPem } from '../emulator/certificate.mjs';
import { CERT_CLIENT, CLIENT_SECRET } from '../emulator/tenants.mjs';
import { assertClosed, assertPage } from './lib/checks.mjs';
import { configtest, httpdInstalled, missing, startHttpd } from './lib/httpd.mjs';
import { closeLeftovers, startSite } from './lib/leftovers.mjs';
import { CLIENT, CONTOSO, entraLines } from './lib/site.mjs';

const GUID = '8d6f4f0e-0000-4000-8000-3a6c2f1b7c11';
const pem = (key) => key.export({ type: 'pkcs8', format: 'pem' });

function makeCertificate({ bits = 2048, days = 300, pair = generateKeyPairSync('rsa', { modulusLength: bits }) } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const cert = toPem(selfSigned({ ...pair, commonName: 'intranet', notBefore: now - 90 * 86400, notAfter: now + days * 86400 }));
  return { cert, key: pem(pair.privateKey), pair };
}

const good = makeCertificate();
const other = makeCertificate();
const old = makeCertificate({ pair: good.pair, days: -1 });
const weak = makeCertificate({ bits: 1024 });
const elliptic = pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);

const secretFile = (content, mode = 0o600) => ({ content, mode });
const FILES = {
  secret: secretFile(`${CLIENT_SECRET}\n`),
  'public-secret': secretFile(`${CLIENT_SECRET}\n`, 0o644),
  'writable-secret': secretFile(`${CLIENT_SECRET}\n`, 0o602),
  empty: secretFile('\n \n'),
  control: secretFile('a\x01b\n'),
  huge: secretFile('x'.repeat(20_000)),
  'both.pem': secretFile(good.cert + good.key),
  'cert.pem': secretFile(good.cert, 0o644),
  'key.pem': secretFile(good.key),
  'public-key.pem': secretFile(good.key, 0o644),
  'public-both.pem': secretFile(good.cert + good.key, 0o644),
  'other-key.pem': secretFile(other.key),
  'old.pem': secretFile(old.cert + old.key),
  'weak.pem': secretFile(weak.cert + weak.key),
  'ec-key.pem': secretFile(elliptic),
  'no.pem': secretFile('no pem at all\n'),
  'ca.pem': secretFile(good.cert, 0o644),
  'private-ca.pem': secretFile(good.cert, 0o600),
  'print.sh': secretFile(`#!/bin/sh\necho ${CLIENT_SECRET}\n`, 0o700),
  'loud.sh': secretFile('#!/bin/sh\nhead -c 100000 /dev/zero | tr "\\0" x\n', 0o700),
  'open/x': 'x',
};

const BASE = { EntraTenant: GUID, EntraClientID: GUID, EntraClientSecret: 'file:secret' };
const PROTECTED = '<Location "/">\n    AuthType Entra\n    Require valid-user\n</Location>';
const linesOf = (directives) => Object.entries(directives).filter(([, value]) => value !== null).flatMap(([name, value]) => [value].flat().map((one) => `${name} ${one}`));

/** `httpd -t` of a virtual host that stands in a file of its own; gives the line of each directive in that file too. */
function judge({ directives = {}, name = 'http://localhost', outer = '', inner = '', files = {}, env, define, host = PROTECTED }) {
  const lines = ['# an included file', '<VirtualHost *:80>', ...(name ? [`    ServerName ${name}`] : []), ...linesOf({ ...BASE, ...directives }).map((line) => `    ${line}`), ...inner.split('\n'), ...host.split('\n'), '</VirtualHost>', ''];
  let folder;
  const { status, output } = configtest({
    env,
    define,
    files: { ...FILES, ...files },
    config: (server) => { folder = server.root; server.file('app.conf', lines.join('\n').replaceAll('ROOT', server.root)); return `${outer.replaceAll('ROOT', server.root)}\nInclude app.conf\n`; },
  });
  const lineOf = (directive) => lines.findIndex((line) => line.trim().startsWith(`${directive} `)) + 1;
  return { status, output: output.replaceAll(folder, 'ROOT'), lineOf };
}

describe('configuration', { skip: missing }, () => {
  after(closeLeftovers);

  test('the base of all cases below is right, so that the refusals prove something', () => {
    const { status, output } = judge({});
    assert.equal(status, 0, output);
    assert.match(output, /Syntax OK/);
    assert.doesNotMatch(output, /ENTRA/);
  });

  // A value that is wrong in itself: [directive, value, what the message says besides directive and place].
  const VALUES = [
    ['EntraTenant', '""', /takes 1 argument/], ['EntraTenant', 'contoso', /GUID/], ['EntraTenant', 'a..b', /GUID/], ['EntraTenant', 'contoso.example/x', /GUID/], ['EntraTenant', 'common2', /GUID/], ['EntraTenant', '-a.example', /GUID/], ['EntraTenant', `{${GUID}}`, /GUID/], ['EntraTenant', `${GUID} x`, /takes 1 argument/],
    ['EntraAllowedTenants', 'contoso.example', /GUIDs, or the one word any/], ['EntraAllowedTenants', `any ${GUID}`, /GUIDs, or the one word any/], ['EntraAllowedTenants', `${GUID} x`, /'x' is no tenant GUID/], ['EntraAllowedTenants', Array.from({ length: 70 }, (_, i) => GUID.replace(/\d{2}$/, String(10 + i))).join(' '), /at most 64 arguments/],
    ['EntraCloud', 'mars', /write global, usgov or china/],
    ['EntraAuthority', 'login.example', /no absolute http or https URL/], ['EntraAuthority', 'http://login.example', /https is required/], ['EntraAuthority', 'https://login.example/path', /path/], ['EntraAuthority', 'https://u:p@login.example', /user name/], ['EntraAuthority', 'https://login.example?x', /query/], ['EntraAuthority', 'ftp://127.0.0.1', /no absolute http or https URL/], ['EntraAuthority', 'https://login.example:99999', /port/],
    ['EntraGraphURL', 'http://graph.example', /https is required/],
    ['EntraClientID', 'intranet', /no GUID; copy "Application \(client\) ID"/], ['EntraClientID', `{${GUID}}`, /no GUID/],
    ['EntraClientSecret', '""', /takes 1 argument/], ['EntraClientSecret', 'two words', /takes 1 argument/],
    ['EntraClientCertificate', 'a b c', /'c' is unknown; behind the files stands PS256 or RS256/], ['EntraClientCertificate', 'a b c d', /takes at most 3 arguments/],
    ['EntraClientAssertion', 'magic', /write workload-identity, managed-identity \[client-id\] or file:PATH/], ['EntraClientAssertion', `workload-identity ${GUID}`, /only managed-identity/], ['EntraClientAssertion', 'managed-identity x', /is a GUID/],
    ['EntraPublicURL', 'app.example.com', /no absolute http or https URL/], ['EntraPublicURL', 'https://app.example.com/x', /no path/], ['EntraPublicURL', 'https://user@app.example.com', /user name/], ['EntraPublicURL', 'https://app.example.com:0', /port/], ['EntraPublicURL', 'https://2130706433', /IPv4/],
    ['EntraPath', 'entra', /leading slash/], ['EntraPath', '/', /leading slash/], ['EntraPath', '/entra/', /no trailing/], ['EntraPath', '"/a b"', /letters, digits/], ['EntraPath', '//x', /write one like/], ['EntraPath', '/a/../b', /write one like/], ['EntraPath', '/%2eentra', /write one like/], ['EntraPath', `/${'a'.repeat(120)}`, /write one like/],
    ['EntraScopes', "'a\"b'", /no scope/], ['EntraScopes', "'a b'", /no scope/], ['EntraScopes', Array.from({ length: 51 }, (_, i) => `s${i}`).join(' '), /at most 50 arguments/],
    ['EntraOutboundProxy', 'proxy:3128', /write http:\/\/host:port, or none/], ['EntraOutboundProxy', 'https://proxy:3128', /write http:\/\/host:port/], ['EntraOutboundProxy', 'http://u:p@proxy:3128', /write http:\/\/host:port/], ['EntraOutboundProxy', 'socks5://proxy:1', /write http:\/\/host:port/],
    ['EntraOutboundTimeout', '3s', /takes 2 arguments/], ['EntraOutboundTimeout', '3s 1s', /at most 60s/], ['EntraOutboundTimeout', '1s 61s', /at most 60s/], ['EntraOutboundTimeout', '0s 5s', /at least 100ms/], ['EntraOutboundTimeout', '3s ten', /no duration/],
    ['EntraClockSkew', 'x', /no duration .* write one like/], ['EntraClockSkew', '-5m', /no duration/], ['EntraClockSkew', '5 m', /takes 1 argument/],
    ['EntraSessionMaxAge', '8hours', /no duration/], ['EntraSessionIdleTimeout', '99999999999999999999h', /no duration/],
    ['EntraSessionRevalidate', 'often', /no duration/], ['EntraSessionRevalidate', '5 m', /takes 1 argument/], ['EntraSessionGrace', '1hour', /no duration/], ['EntraSessionGrace', '-1h', /no duration/],
    ['EntraCookieDomain', 'localhost', /write one like example\.com/], ['EntraCookieDomain', 'a..b', /write one like/], ['EntraCookieDomain', '"ex ample.com"', /write one like/], ['EntraCookieDomain', 'example.com;', /write one like/],
    ['EntraRemoteUser', '"%"', /%%/], ['EntraRemoteUser', '"%{oid"', /%\{claim\}/], ['EntraRemoteUser', '"%{}"', /empty/], ['EntraRemoteUser', '"%{a b}"', /no name of a claim/], ['EntraRemoteUser', '"%{scim:}"', /no attribute of the directory/], ['EntraRemoteUser', '"%{oid}" "("', /no regular expression/], ['EntraRemoteUser', 'a b c d', /takes at most 3 arguments/], ['EntraRemoteUser', `"%{${'a'.repeat(200)}}"`, /too long/],
    ['EntraHeaders', 'all', /write one of default, easyauth, none/],
    ['EntraHeader', 'X_User "%{oid}"', /letters, digits and '-'/], ['EntraHeader', '"X User" "%{oid}"', /letters, digits and '-'/], ['EntraHeader', '"X:" "%{oid}"', /letters, digits and '-'/], ['EntraHeader', 'X-User', /takes at least 2 arguments/], ['EntraHeader', 'X-User "%{oid}" utf8', /write one of utf-8, latin1, percent, base64/], ['EntraHeader', `X-${'a'.repeat(127)} x`, /longer than 128/],
    ...['Host', 'connection', 'Content-Length', 'Transfer-Encoding', 'TE', 'Trailer', 'Upgrade', 'Cookie', 'Expect', 'Keep-Alive', 'Proxy-Authorization', 'proxy-anything'].map((name) => ['EntraHeader', `${name} "%{oid}"`, /frames the request/]),
    ['EntraEnv', 'A-B "%{oid}"', /letters, digits and '_'/], ['EntraEnv', '"" "%{oid}"', /letters, digits and '_'/], ['EntraEnv', 'A "%{oid"', /%\{claim\}/], ['EntraEnv', `${'A'.repeat(130)} x`, /longer than 128/],
    ['EntraListSeparator', '"\t"', /control character/],
  ];

  for (const [directive, value, pattern] of VALUES) {
    const shown = value.length > 60 ? `${value.slice(0, 60)}…` : value;
    test(`a wrong value is named with its line: ${directive} ${JSON.stringify(shown)}`, () => {
      const { status, output, lineOf } = judge({ directives: { ...(/Client(Cert|Assert)/.test(directive) ? { EntraClientSecret: null } : {}), [directive]: value } });
      assert.notEqual(status, 0, output);
      assert.match(output, new RegExp(`Syntax error on line ${lineOf(directive)} of ROOT/app\\.conf:\n${directive}[: ]`), output);
      assert.match(output, pattern);
    });
  }

  // What only shows together: [name, options, ENTRA number, directive, the mend, whether the line is named]
  const CHECKS = [
    ['no tenant', { directives: { EntraTenant: null } }, 4001, 'EntraTenant', /write "EntraTenant <tenant GUID>"/, false],
    ['several tenants and no list', { directives: { EntraTenant: 'common' } }, 4002, 'EntraAllowedTenants', /write the GUIDs .* or the word any/, false],
    ['several tenants and no list', { directives: { EntraTenant: 'organizations' } }, 4002, 'EntraAllowedTenants', /write the GUIDs/, false],
    ...['organizations', 'common', 'consumers', '9188040D-6c67-4c5b-b112-36a304b66dad'].map((tenant) => [`users named by email with ${tenant}`, { directives: { EntraTenant: tenant, EntraAllowedTenants: GUID, EntraRemoteUser: '"%{email}"' } }, 4023, 'EntraTenant', /%\{email\} \(ROOT\/app\.conf:\d+\), .*write EntraRemoteUser %\{oid\}@%\{tid\}/, true]),
    ['no client', { directives: { EntraClientID: null } }, 4003, 'EntraClientID', /write "EntraClientID <GUID>"/, false],
    ['a secret file that is not there', { directives: { EntraClientSecret: 'file:nowhere' } }, 4004, 'EntraClientSecret', /nowhere cannot be opened: No such file.*chmod 600/, true],
    ['a world-readable secret file', { directives: { EntraClientSecret: 'file:public-secret' } }, 4004, 'EntraClientSecret', /mode 0644.*chmod 600/, true],
    ['a world-writable secret file', { directives: { EntraClientSecret: 'file:writable-secret' } }, 4004, 'EntraClientSecret', /mode 0602/, true],
    ['an empty secret file', { directives: { EntraClientSecret: 'file:empty' } }, 4004, 'EntraClientSecret', /gives nothing/, true],
    ['a secret file with control characters', { directives: { EntraClientSecret: 'file:control' } }, 4004, 'EntraClientSecret', /control characters/, true],
    ['a secret file that is too large', { directives: { EntraClientSecret: 'file:huge' } }, 4004, 'EntraClientSecret', /larger than/, true],
    ['a folder for a secret file', { directives: { EntraClientSecret: 'file:open' } }, 4004, 'EntraClientSecret', /no regular file/, true],
    ['a secret that the environment has not', { directives: { EntraClientSecret: 'env:NOT_THERE' } }, 4004, 'EntraClientSecret', /NOT_THERE/, true],
    ['an empty variable', { directives: { EntraClientSecret: 'env:EMPTY' }, env: { EMPTY: '' } }, 4004, 'EntraClientSecret', /gives nothing/, true],
    ['a credential without systemd', { directives: { EntraClientSecret: 'credential:x' } }, 4004, 'EntraClientSecret', /CREDENTIALS_DIRECTORY/, true],
    ['a credential with a path', { directives: { EntraClientSecret: 'credential:../secret' }, env: { CREDENTIALS_DIRECTORY: '/tmp' } }, 4004, 'EntraClientSecret', /no name of a credential/, true],
    ['a command that fails', { directives: { EntraClientSecret: 'exec:/bin/false' } }, 4004, 'EntraClientSecret', /failed with 1/, true],
    ['a command that is not there', { directives: { EntraClientSecret: 'exec:/nowhere/x' } }, 4004, 'EntraClientSecret', /cannot be started|failed/, true],
    ['a command that writes too much', { directives: { EntraClientSecret: 'exec:ROOT/loud.sh' } }, 4004, 'EntraClientSecret', /too much/, true],
    ['a command without output', { directives: { EntraClientSecret: 'exec:/bin/true' } }, 4004, 'EntraClientSecret', /gives nothing/, true],
    ...[['is not there', 'none.pem', /cannot be opened/], ['is no PEM', 'no.pem', /no certificate/], ['has no key', 'cert.pem', /0644|key/], ['shows its key to everyone', 'cert.pem public-key.pem', /0644/], ['shows its key to everyone, in one file', 'public-both.pem', /0644/], ['has the key of another', 'cert.pem other-key.pem', /not the certificate's|mismatch/], ['has a weak key', 'weak.pem', /1024 bits/], ['has no RSA key', 'cert.pem ec-key.pem', /no RSA key/]]
      .map(([what, files, mend]) => [`a certificate that ${what}`, { directives: { EntraClientSecret: null, EntraClientCertificate: files } }, 4006, 'EntraClientCertificate', mend, true]),
    ['a certificate of the past', { directives: { EntraClientSecret: null, EntraClientCertificate: 'old.pem' } }, 4007, 'EntraClientCertificate', /expired on \d{4}-.*upload it/, true],
    ['workload identity without its variable', { directives: { EntraClientSecret: null, EntraClientAssertion: 'workload-identity' } }, 4008, 'EntraClientAssertion', /AZURE_FEDERATED_TOKEN_FILE.*file:PATH/, true],
    ['workload identity with a relative path', { directives: { EntraClientSecret: null, EntraClientAssertion: 'workload-identity' }, env: { AZURE_FEDERATED_TOKEN_FILE: 'x' } }, 4008, 'EntraClientAssertion', /AZURE_FEDERATED_TOKEN_FILE/, true],
    ['no credential', { directives: { EntraClientSecret: null } }, 4009, 'EntraClientSecret', /write one of/, false],
    ['two credentials', { directives: { EntraClientCertificate: 'both.pem' } }, 4009, 'EntraClientCertificate', /keep one of/, true],
    ['three credentials', { directives: { EntraClientCertificate: 'both.pem', EntraClientAssertion: 'file:secret' } }, 4009, 'EntraClientCertificate', /keep one of/, true],
    ['plain http for a public host', { name: 'http://app.example.com' }, 4011, 'EntraPublicURL', /write "ServerName https:\/\/app\.example\.com"/, false],
    ['no scheme and no port 443', { name: 'app.example.com' }, 4011, 'EntraPublicURL', /plain http/, false],
    ['plain http as public URL', { directives: { EntraPublicURL: 'http://app.example.com' } }, 4011, 'EntraPublicURL', /plain http/, true],
    ['plain http for something that only looks like loopback', { directives: { EntraPublicURL: 'http://localhost.example.com' } }, 4011, 'EntraPublicURL', /plain http/, true],
    ['a redirect URI that is too long', { directives: { EntraPublicURL: `https://${Array.from({ length: 4 }, () => 'a'.repeat(55)).join('.')}.example`, EntraPath: `/${'p'.repeat(40)}` } }, 4012, 'EntraPath', /256 characters/, true],
    ['too large a skew', { directives: { EntraClockSkew: '11m' } }, 4013, 'EntraClockSkew', /10m at most.*NTP/, true],
    ['no skew at all', { directives: { EntraClockSkew: 'off' } }, 4013, 'EntraClockSkew', /10m at most/, true],
    ['more than 8 hours', { directives: { EntraSessionMaxAge: '481m' } }, 4014, 'EntraSessionMaxAge', /at most 8h/, true],
    ['no time at all', { directives: { EntraSessionMaxAge: '0s' } }, 4014, 'EntraSessionMaxAge', /more than nothing/, true],
    ['no end', { directives: { EntraSessionMaxAge: 'off' } }, 4014, 'EntraSessionMaxAge', /at most 8h/, true],
    ['no idle time at all', { directives: { EntraSessionIdleTimeout: '0s' } }, 4015, 'EntraSessionIdleTimeout', /write off to have none/, true],
    ['Entra asked too often', { directives: { EntraSessionRevalidate: '9999ms' } }, 4085, 'EntraSessionRevalidate', /10s at least.*write off to ask never/, true],
    ['Entra asked at each request', { directives: { EntraSessionRevalidate: '0s' } }, 4085, 'EntraSessionRevalidate', /10s at least/, true],
    ['no grace', { directives: { EntraSessionGrace: 'off' } }, 4086, 'EntraSessionGrace', /between 1m and 8h/, true],
    ['too short a grace', { directives: { EntraSessionGrace: '59s' } }, 4086, 'EntraSessionGrace', /between 1m and 8h/, true],
    ['a grace of more than 8 hours', { directives: { EntraSessionGrace: '481m' } }, 4086, 'EntraSessionGrace', /between 1m and 8h/, true],
    ['a foreign cookie domain', { name: 'https://app.example.com', directives: { EntraCookieDomain: 'other.com' } }, 4016, 'EntraCookieDomain', /no parent domain of the public host app\.example\.com/, true],
    ['after 9e1d4d0d: a cookie domain that is only the end of the name', { name: 'https://evil-example.com', directives: { EntraCookieDomain: 'example.com' } }, 4016, 'EntraCookieDomain', /no parent domain/, true],
    ['merged trailers', { inner: 'MergeTrailers on' }, 4017, 'MergeTrailers', /write "MergeTrailers off"/, false],
    ['merged trailers, inherited', { outer: 'MergeTrailers on' }, 4017, 'MergeTrailers', /write "MergeTrailers off"/, false],
    ['a CA file that is not there', { directives: { EntraTrustedCA: 'nowhere.pem' } }, 4018, 'EntraTrustedCA', /mode 0644/, true],
    ['a CA file that the workers cannot read', { directives: { EntraTrustedCA: 'private-ca.pem' } }, 4018, 'EntraTrustedCA', /mode 0644/, true],
    ['a state folder that is not there', { directives: { EntraStateDirectory: 'nowhere' } }, 4019, 'EntraStateDirectory', /install -d -m 0711 ROOT\/nowhere/, true],
    ['a file for a state folder', { directives: { EntraStateDirectory: 'secret' } }, 4019, 'EntraStateDirectory', /no folder/, true],
    ['a key file that is none', { files: { 'state/cookie.keys': secretFile('nonsense\n') } }, 4021, 'EntraStateDirectory', /cookie\.keys.*restore it/, true],
    ['a key file that everyone can read', { files: { 'state/cookie.keys': secretFile('key 00000001 x\n', 0o644) } }, 4021, 'EntraStateDirectory', /0644/, true],
    ['a key file of zeros', { files: { 'state/cookie.keys': secretFile(`key 00000001 ${'A'.repeat(43)} 2026-11-23T15:00:00Z\n`) } }, 4021, 'EntraStateDirectory', /restore it/, true],
    ['an empty key file', { files: { 'state/cookie.keys': secretFile('') } }, 4021, 'EntraStateDirectory', /restore it/, true],
  ];

  for (const [name, options, number, directive, mend, named] of CHECKS) {
    test(`ENTRA${number}: ${name}`, () => {
      const { status, output, lineOf } = judge(options);
      assert.notEqual(status, 0, output);
      const found = output.split('\n').filter((line) => line.includes(`ENTRA${number}: `));
      assert.equal(found.length, 1, output);
      assert.ok(found[0].includes(directive), found[0]);
      assert.match(found[0], mend);
      assert.match(found[0], /\[.*in [\w.-]+ \(ROOT\/app\.conf:2\)\]$/, 'the virtual host is named with its place');
      if (named) assert.match(found[0], new RegExp(`(ROOT/app|ROOT/httpd)\\.conf:${lineOf(directive) || '\\d+'}, in `), 'and the directive with its line');
      assert.ok(!output.includes(CLIENT_SECRET), 'no secret in the message');
    });
  }

  test('ENTRA4020: a state folder in which everyone may write', () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-open-'));
    try {
      const { status, output } = configtest({
        files: FILES,
        config: (server) => { server.file('run.sh', 'x'); return `<VirtualHost *:80>\nServerName http://localhost\n${linesOf(BASE).join('\n')}\nEntraStateDirectory "${folder}/s"\n${PROTECTED}\n</VirtualHost>`; },
      });
      assert.notEqual(status, 0);
      assert.match(output, /ENTRA4019/);
      const open = judge({ directives: { EntraStateDirectory: '/tmp' } });
      assert.notEqual(open.status, 0, open.output);
      assert.match(open.output, /ENTRA4020: EntraStateDirectory: everyone may write to \/tmp; "chmod 0711 \/tmp" \[ROOT\/app\.conf:\d+, in localhost \(ROOT\/app\.conf:2\)\]/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('ENTRA4031: no mod_watchdog, which refreshes the keys', () => {
    const { httpd, builtin } = httpdInstalled();
    const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-watchdog-'));
    try {
      // Debian's httpd has it compiled in: a copy of the program, in which it goes by another name of the same length.
      const program = path.join(folder, 'httpd');
      const bytes = readFileSync(httpd).toString('latin1');
      assert.equal(bytes.includes('mod_watchdog.c'), builtin.has('watchdog'));
      writeFileSync(program, bytes.replaceAll('mod_watchdog.c', 'mod_watchcat.c'), { encoding: 'latin1', mode: 0o700 });
      const judged = (lines) => configtest({ program, files: FILES, loadOrder: (names) => names.filter((name) => name !== 'watchdog'), config: lines.join('\n') });
      const { status, output } = judged([...linesOf(BASE), PROTECTED]);
      assert.notEqual(status, 0, output);
      assert.match(output, /ENTRA4031: mod_watchdog is not loaded, .*write "LoadModule watchdog_module modules\/mod_watchdog\.so"/);
      assert.equal(output.match(/ENTRA4/g).length, 1, output);
      assert.equal(judged([]).status, 0, 'who does not use this module needs none');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('ENTRA4010: a name from which no origin can be told', () => {
    for (const name of ['"bad_host!"', 'https://2130706433']) {
      const { status, output } = judge({ name });
      if (/Syntax error/.test(output)) continue;
      assert.notEqual(status, 0, output);
      assert.match(output, /ENTRA4010: EntraPublicURL: .*write "ServerName https:\/\/app\.example\.com"/);
    }
    assert.match(judge({ name: 'https://2130706433' }).output, /ENTRA4010|Syntax error/);
  });

  describe('users named by email', () => {
    const EMAIL = 'EntraRemoteUser "%{email}"';
    const several = { EntraTenant: 'organizations', EntraAllowedTenants: GUID };
    const section = (line) => `<Location "/mail/">\n${line}\n</Location>`;
    const found = (output, number) => output.split('\n').filter((line) => line.includes(`ENTRA${number}: `));

    test('ENTRA4023: in any template, and in any section, of the virtual host or outside of it', () => {
      for (const [options, place] of [
        [{ inner: 'EntraRemoteUser "%{email}/%{tid}"' }, 'app'],
        [{ inner: 'EntraRemoteUser "x-%{email}" "^x-(.*)$"' }, 'app'],
        [{ inner: section(EMAIL) }, 'app'],
        [{ inner: section(EMAIL), directives: { EntraRemoteUser: '"%{oid}@%{tid}"' } }, 'app'],
        [{ host: `<Location "/">\nAuthType Entra\nRequire valid-user\n<If "true">\n${EMAIL}\n</If>\n</Location>` }, 'app'],
        [{ outer: section(EMAIL) }, 'httpd'],
        [{ outer: EMAIL }, 'httpd'],
      ]) {
        const { status, output } = judge({ ...options, directives: { ...several, ...options.directives } });
        assert.notEqual(status, 0, output);
        assert.equal(found(output, 4023).length, 1, output);
        assert.match(found(output, 4023)[0], new RegExp(`by %\\{email\\} \\(ROOT/${place}\\.conf:\\d+\\)`));
        assert.equal(found(output, 4024).length, 0, output);
      }
    });

    test('ENTRA4024: a warning with one tenant, for each place', () => {
      for (const tenant of [GUID, 'contoso.example']) {
        const { status, output } = judge({ directives: { EntraTenant: tenant }, inner: `${EMAIL}\n${section(EMAIL)}` });
        assert.equal(status, 0, output);
        assert.equal(found(output, 4024).length, 2, output);
        assert.match(found(output, 4024)[0], /EntraTenant: .*by %\{email\} \(ROOT\/app\.conf:\d+\).*better write .*\[ROOT\/app\.conf:\d+, in localhost \(ROOT\/app\.conf:2\)\]$/);
        assert.doesNotMatch(output, /ENTRA4023/);
      }
    });

    test('neither where the virtual host names users otherwise, or email is only handed on', () => {
      for (const options of [
        { outer: EMAIL, inner: 'EntraRemoteUser "%{oid}@%{tid}"' },
        { inner: 'EntraRemoteUser "%{oid}"\nEntraHeader X-Mail "%{email}"\nEntraEnv MAIL "%{email}"' },
        { inner: 'EntraRemoteUser "%%{email}-%{oid}"' },
      ]) {
        for (const directives of [several, {}]) {
          const { status, output } = judge({ ...options, directives });
          assert.equal(status, 0, output);
          assert.doesNotMatch(output, /ENTRA402/);
        }
      }
    });
  });

  test('several mistakes are all reported at once, each with its place', () => {
    const { status, output } = judge({ directives: { EntraTenant: null, EntraClientID: null, EntraClientSecret: 'file:nowhere', EntraClockSkew: '20m', EntraSessionMaxAge: '9h', EntraSessionIdleTimeout: '0s', EntraTrustedCA: 'nowhere', EntraStateDirectory: 'nowhere', EntraCookieDomain: 'other.com' } });
    assert.notEqual(status, 0);
    for (const number of [4001, 4003, 4004, 4013, 4014, 4015, 4016, 4018, 4019]) assert.match(output, new RegExp(`ENTRA${number}: `), String(number));
  });

  test('mistakes of two virtual hosts are told apart', () => {
    const { status, output } = judge({
      directives: { EntraClientID: null },
      outer: `<VirtualHost *:81>\nServerName http://127.0.0.1\nEntraClientID ${GUID}\nEntraClientSecret file:secret\n${PROTECTED}\n</VirtualHost>`,
    });
    assert.notEqual(status, 0);
    const lines = output.split('\n').filter((line) => line.includes('ENTRA4'));
    assert.equal(lines.length, 2, output);
    assert.match(lines.find((line) => line.includes('ENTRA4003')), /in localhost \(ROOT\/app\.conf:2\)/);
    assert.match(lines.find((line) => line.includes('ENTRA4001')), /in 127\.0\.0\.1 \(ROOT\/httpd\.conf:\d+\)/);
  });

  describe('what needs no configuration, and what does', () => {
    const bare = (config, options = {}) => configtest({ files: FILES, config, ...options });

    test('loaded and not used: passes', () => {
      const { status, output } = bare('');
      assert.equal(status, 0, output);
      assert.doesNotMatch(output, /ENTRA/);
    });

    test('defaults of the main server that nobody uses: pass, even when they are not complete', () => {
      for (const config of ['EntraTenant common', `EntraClientID ${GUID}\nEntraClientSecret file:nowhere`, 'EntraSessionMaxAge 9h']) {
        const { status, output } = bare(config);
        assert.equal(status, 0, `${config}\n${output}`);
      }
    });

    test('MergeTrailers is refused where only a .htaccess may say AuthType Entra', () => {
      const server = linesOf(BASE).join('\n');
      for (const [trailers, good] of [['off', true], ['on', false]]) {
        const { status, output } = bare(`${server}\nMergeTrailers ${trailers}`);
        assert.equal(status === 0, good, output);
        assert.equal(/ENTRA4017: .*write "MergeTrailers off"/.test(output), !good, output);
      }
    });

    test('AuthType Entra with nothing configured: refused, in the main server, a virtual host, a nested section, an included file, in any case', () => {
      for (const config of [PROTECTED, PROTECTED.replace('Entra', 'entra'), PROTECTED.replace('Entra', '"ENTRA"'), `<VirtualHost *:80>\nServerName http://localhost\n${PROTECTED}\n</VirtualHost>`, '<VirtualHost *:80>\nServerName http://localhost\n<Directory "/srv">\n<Files "x">\nAuthType Entra\nRequire valid-user\n</Files>\n</Directory>\n</VirtualHost>', '<IfModule entra_sso_module>\n<Location "/x">\n<Limit GET POST>\nRequire valid-user\n</Limit>\nAuthType Entra\n</Location>\n</IfModule>', '<Location "/x">\n<If "%{REQUEST_METHOD} == \'GET\'">\nAuthType Entra\nRequire valid-user\n</If>\n</Location>']) {
        const { status, output } = bare(config);
        assert.notEqual(status, 0, `${config}\n${output}`);
        for (const number of [4001, 4003, 4009]) assert.match(output, new RegExp(`ENTRA${number}: `), config);
      }
    });

    test('only the virtual host that says AuthType Entra is judged', () => {
      const { status, output } = bare(`<VirtualHost *:80>\nServerName http://app.example.com\n</VirtualHost>\n<VirtualHost *:80>\nServerName http://localhost\n${linesOf(BASE).join('\n')}\n${PROTECTED}\n</VirtualHost>`);
      assert.equal(status, 0, output);
      const wrong = bare(`<VirtualHost *:80>\nServerName http://127.0.0.1\n</VirtualHost>\n<VirtualHost *:80>\nServerName http://localhost\n${PROTECTED}\n</VirtualHost>`);
      assert.notEqual(wrong.status, 0);
      assert.match(wrong.output, /in localhost \(/);
      assert.doesNotMatch(wrong.output, /in 127\.0\.0\.1|main server/);
    });

    test('a virtual host with one word of Entra must be complete', () => {
      const { status, output } = bare('<VirtualHost *:80>\nServerName http://localhost\nEntraScopes none\n</VirtualHost>');
      assert.notEqual(status, 0);
      assert.match(output, /ENTRA4001/);
    });

    for (const [section, open] of [['Location', '<Location "/x">'], ['Directory', '<Directory "/x">'], ['Files', '<Files "x">'], ['If', '<If "true">']]) {
      test(`what belongs to the server is refused in <${section}>`, () => {
        for (const [directive, value] of [['EntraTenant', GUID], ['EntraClientID', GUID], ['EntraClientSecret', 'x'], ['EntraPath', '/x'], ['EntraAuthority', 'https://x.example'], ['EntraStateDirectory', '/x'], ['EntraSessionMaxAge', '1h']]) {
          const { status, output } = bare(`${open}\n${directive} ${value}\n</${section}>`);
          assert.notEqual(status, 0);
          assert.match(output, new RegExp(`${directive}:? not allowed (in|here)`), output);
        }
      });
    }

    test('EntraUnauthenticated: only words it knows, with its line', () => {
      const { status, output } = bare('<Location "/x">\nEntraUnauthenticated maybe\n</Location>');
      assert.notEqual(status, 0);
      assert.match(output, /Syntax error on line \d+ of .*\nEntraUnauthenticated: 'maybe' is unknown; write one of auto, login, 401, 403, pass/);
    });

    test('a misspelt directive is unknown', () => {
      const { status, output } = judge({ directives: { EntraTennant: GUID } });
      assert.notEqual(status, 0);
      assert.match(output, /Invalid command 'EntraTennant'/);
    });
  });

  // ---- what is right -------------------------------------------------------------------------------------------------------

  const RIGHT = {
    EntraTenant: [GUID.toUpperCase(), 'contoso.example', 'Contoso.OnMicrosoft.com', 'consumers'],
    EntraAllowedTenants: ['any', 'ANY', GUID, `${GUID} ${GUID.toUpperCase()}`],
    EntraCloud: ['global', 'usgov', 'china'],
    EntraAuthority: ['https://login.example', 'https://login.example/', 'http://127.0.0.1:8080', 'http://localhost:1', 'http://[::1]:8080', 'https://login.example:8443'],
    EntraGraphURL: ['https://graph.example', 'http://127.0.0.1:1'],
    EntraClientID: [GUID.toUpperCase()],
    EntraClientSecret: ['file:secret', '"file:ROOT/secret"', 'env:SECRET', 'credential:secret', '"exec:ROOT/print.sh"', '"exec:/bin/echo two words"', 'the-secret~itself.8Q'],
    EntraPublicURL: ['https://app.example.com', 'https://app.example.com/', 'https://app.example.com:8443', 'HTTPS://App.Example.COM', 'http://localhost:8080', 'http://127.5.6.7', 'http://[::1]:8080', 'https://under_score.example'],
    EntraPath: ['/.entra', '/oidc', '/a/b', '/_x-y.z'],
    EntraScopes: ['none', 'offline_access', 'api://x/y User.Read', 'NONE'],
    EntraTrustedCA: ['ca.pem', '"ROOT/ca.pem"'],
    EntraOutboundProxy: ['http://proxy:3128', 'http://10.0.0.1', 'none', 'http://[::1]:3128'],
    EntraOutboundTimeout: ['3s 10s', '500ms 1s', '1s 60s', '100ms 100ms', '3 10'],
    EntraClockSkew: ['0s', '10m', '600s', '300'],
    EntraSessionMaxAge: ['8h', '480m', '1s', '28800'],
    EntraSessionIdleTimeout: ['off', 'OFF', '1h', '1s', '9h'],
    EntraSessionRevalidate: ['off', 'OFF', '10s', '5m', '9h'],
    EntraSessionGrace: ['1m', '60', '1h', '8h'],
    EntraContinuousAccess: ['on', 'off', 'ON'],
    EntraTenantWatch: ['off', 'OFF', '30s', '1m', '8h'],
    EntraRemoteUser: ['"%{oid}"', '"%{preferred_username}" "^(.*)@contoso\\.example$"', '"%{upn}" "^(.*)@(.*)$" "$2\\\\$1"', '"user-%{oid}-100%%"', '"%{extn.employeeid}"', '"%{http://schemas.example/x}"'],
    EntraHeaders: ['default', 'none', 'None', 'easyauth', 'EasyAuth'],
    EntraSignedIdentity: ['on', 'off', 'ON'],
    EntraHeader: ['X-User "%{oid}"', 'X-User "%{oid}" utf-8', 'X-User "%{name}" latin1', 'X-User "%{name}" PERCENT', 'X-User "%{name}" base64', 'Authorization "Bearer %{oid}"', 'Remote-User "%{upn}"', 'X-Fixed text'],
    EntraEnv: ['USER_OID "%{oid}"', 'x1_Y "%{a.b}"', 'FIXED text'],
    EntraListSeparator: ['","', '";"', '" | "', 'x'],
  };

  for (const [directive, values] of Object.entries(RIGHT)) {
    test(`right forms of ${directive}`, () => {
      for (const value of values) {
        const { status, output } = judge({ directives: { [directive]: value }, env: { SECRET: 'x', CREDENTIALS_DIRECTORY: 'ROOT' } });
        // systemd's folder is known only once the server's is.
        if (value.startsWith('credential:')) { assert.match(output, /credential|ROOT\/secret|cannot be opened/); continue; }
        assert.equal(status, 0, `${directive} ${value}\n${output}`);
        if (value === 'the-secret~itself.8Q') assert.match(output, /ENTRA4005: EntraClientSecret: .*ROOT\/app\.conf:\d+, in localhost \(ROOT\/app\.conf:2\)/);
        else assert.doesNotMatch(output, /ENTRA4/, `${directive} ${value}`);
        assert.ok(!output.includes('the-secret~itself'));
      }
    });
  }

  test('right forms of the other credentials', () => {
    for (const directives of [{ EntraClientCertificate: 'both.pem' }, { EntraClientCertificate: 'cert.pem key.pem' }, { EntraClientAssertion: 'managed-identity' }, { EntraClientAssertion: `managed-identity ${GUID}` }, { EntraClientAssertion: 'file:secret' }]) {
      const { status, output } = judge({ directives: { EntraClientSecret: null, ...directives } });
      assert.equal(status, 0, output);
    }
    const { status, output } = judge({ directives: { EntraClientSecret: null, EntraClientAssertion: 'workload-identity' }, env: { AZURE_FEDERATED_TOKEN_FILE: '/etc/hostname' } });
    assert.equal(status, 0, output);
  });

  test('several tenants, by name or any; a parent domain for cookies; ServerName in its forms', () => {
    for (const options of [
      { directives: { EntraTenant: 'organizations', EntraAllowedTenants: GUID } }, { directives: { EntraTenant: 'common', EntraAllowedTenants: 'any' } },
      { name: 'https://app.example.com', directives: { EntraCookieDomain: 'example.com' } }, { name: 'https://app.example.com', directives: { EntraCookieDomain: '.Example.com' } }, { name: 'https://app.example.com', directives: { EntraCookieDomain: 'app.example.com' } },
      { name: 'https://app.example.com:8443' }, { name: 'app.example.com:443' }, { name: 'app.example.com', directives: { EntraPublicURL: 'https://app.example.com' } }, { name: 'http://127.0.0.1:8080' },
    ]) {
      const { status, output } = judge(options);
      assert.equal(status, 0, `${JSON.stringify(options)}\n${output}`);
    }
  });

  // ---- inheritance and dump ------------------------------------------------------------------------------------------------

  describe('inheritance, as DUMP_ENTRA shows it', () => {
    const dump = (options) => {
      const { status, output } = judge({ ...options, define: ['DUMP_ENTRA'] });
      assert.equal(status, 0, output);
      const hosts = {};
      let at = null;
      for (const line of output.split('\n')) {
        const head = /^VirtualHost (\S+) \((.*)\)$/.exec(line);
        if (head) { at = hosts[head[1]] = { where: head[2] }; continue; }
        const row = /^ {2}(\S.*?) {2,}(.*)$/.exec(line);
        if (at && row) at[row[1]] = row[2].trim().replace(/ {2,}/g, ' | ');
        else if (at && /^ {2}Entra/.test(line)) at[line.trim().split(/ +/)[0]] = line.trim().split(/ +/).slice(1).join(' ');
      }
      return { hosts, output };
    };

    test('values with their origin, defaults, and no secret', () => {
      const { hosts, output } = dump({ directives: { EntraSessionMaxAge: '2h', EntraClientSecret: 'plain-secret-9k' }, outer: `EntraClockSkew 2m\nEntraTenant ${CONTOSO}` });
      const host = hosts['http://localhost'];
      assert.match(host.where, /^ROOT\/app\.conf:2$/);
      assert.match(host.EntraTenant, new RegExp(`^${GUID}.*ROOT/app\\.conf:4$`));
      assert.match(host.EntraClockSkew, /^2m.*ROOT\/httpd\.conf:\d+$/, 'inherited, with the place where it stands');
      assert.match(host.EntraSessionMaxAge, /^2h.*ROOT\/app\.conf:\d+$/);
      assert.match(host.EntraSessionIdleTimeout, /^1h.*default$/);
      assert.match(host.EntraClientSecret, /^\(secret\)/);
      assert.match(host['redirect URI'], /^http:\/\/localhost\/\.entra\/callback$/);
      assert.ok(!output.includes('plain-secret-9k'));
    });

    for (const [kind, inner] of [['certificate', { EntraClientSecret: null, EntraClientCertificate: 'both.pem' }], ['assertion', { EntraClientSecret: null, EntraClientAssertion: 'file:secret' }], ['secret', { EntraClientSecret: 'file:secret' }]]) {
      test(`a ${kind} of a virtual host takes the place of any credential of the main server`, () => {
        const outer = kind === 'secret' ? 'EntraClientCertificate both.pem' : 'EntraClientSecret file:secret';
        const { hosts } = dump({ directives: inner, outer: `EntraTenant ${CONTOSO}\nEntraClientID ${GUID}\n${outer}` });
        const host = hosts['http://localhost'];
        const names = ['EntraClientSecret', 'EntraClientCertificate', 'EntraClientAssertion'];
        assert.deepEqual(names.filter((name) => !host[name].startsWith('(not set)')), [Object.keys(inner).find((name) => inner[name])]);
      });
    }

    // Of the main server, and of a virtual host.
    const PAIRS = {
      EntraTenant: [CONTOSO, GUID], EntraAllowedTenants: [`${GUID}`, `${CONTOSO}`], EntraCloud: ['usgov', 'china'], EntraAuthority: ['https://login.one.example', 'https://login.two.example'],
      EntraGraphURL: ['https://graph.one.example', 'https://graph.two.example'], EntraClientID: [CLIENT, GUID], EntraClientSecret: ['file:secret', 'file:second-secret'],
      EntraClientCertificate: ['both.pem', 'cert.pem key.pem PS256'], EntraClientAssertion: ['file:secret', `managed-identity ${GUID}`], EntraPublicURL: ['https://one.example.com', 'https://two.example.com'],
      EntraPath: ['/one', '/two'], EntraScopes: ['offline_access User.Read', 'none'], EntraTrustedCA: ['ca.pem', 'cert.pem'], EntraOutboundProxy: ['http://127.0.0.1:3128', 'none'],
      EntraOutboundTimeout: ['2s 9s', '1s 5s'], EntraClockSkew: ['2m', '1m'], EntraSessionMaxAge: ['2h', '90m'], EntraSessionIdleTimeout: ['20m', 'off'], EntraSessionRevalidate: ['10m', '1m'],
      EntraSessionGrace: ['30m', '2h'], EntraContinuousAccess: ['on', 'off'], EntraTenantWatch: ['2m', 'off'], EntraGroups: ['all', 'referenced'], EntraGroupOverage: ['deny', 'ignore'],
      EntraGroupSource: ['scim', 'token'], EntraCookieDomain: ['example.com', 'two.example.com'], EntraStateDirectory: ['ROOT/one', 'ROOT/two'], EntraDatabase: ['pgsql:dbname=one', 'pgsql:dbname=two'],
      EntraPreservePost: ['64k', 'off'], EntraTestPage: ['off', 'on'], EntraAuditLog: ['logs/one.json', 'none'], EntraSCIM: ['on', 'off'], EntraSCIMMatch: ['upn', 'oid'], EntraSCIMRequired: ['on', 'off'],
      EntraSCIMFederated: [`${GUID} api://one`, `${CONTOSO} api://two`], EntraRemoteUser: ['%{oid}', '%{upn}'], EntraHeaders: ['none', 'easyauth'], EntraSignedIdentity: ['on', 'off'],
      EntraAccessToken: ['https://one.example.com/.default', 'off'], EntraHeader: ['X-One %{upn}', 'X-Two %{oid}'], EntraEnv: ['ONE %{upn}', 'TWO %{oid}'], EntraRole: ['one user=ada@contoso.example', 'two user=ada@contoso.example'],
      EntraListSeparator: [';', '|'], EntraBearer: ['api://one', 'off'],
    };
    // What one needs beside it to be right.
    const BESIDE = {
      EntraAllowedTenants: { EntraTenant: 'organizations' }, EntraClientCertificate: { EntraClientSecret: null }, EntraClientAssertion: { EntraClientSecret: null },
      EntraGroupSource: { EntraSCIM: 'on' }, EntraSCIMMatch: { EntraSCIM: 'on' }, EntraSCIMRequired: { EntraSCIM: 'on' }, EntraSCIMFederated: { EntraSCIM: 'on' },
    };
    const TEST_PAGE = '<Location "/.entra/test">\nAuthType Entra\nRequire user ada@contoso.example\n</Location>';

    test('every directive that may stand outside of sections is in the list, with two values that differ', () => {
      const table = readFileSync(new URL('../../src/httpd/options.def', import.meta.url), 'utf8');
      const rows = [...table.matchAll(/^(?:SERVER|DIR)_OPTION\(\w+, "(\w+)".*$/gm)].filter(([row]) => !row.includes('OR_AUTHCFG'));
      assert.deepEqual(Object.keys(PAIRS).sort(), rows.map(([, name]) => name).sort());
      for (const [name, [outer, inner]] of Object.entries(PAIRS)) assert.notEqual(outer, inner, name);
    });

    for (const [name, [outer, inner]] of Object.entries(PAIRS)) {
      test(`${name}: a virtual host inherits it, and its own word counts`, () => {
        const beside = { ...BASE, ...BESIDE[name], [name]: null };
        const { hosts, output } = dump({
          files: { 'second-secret': secretFile('another\n'), 'one/x': 'x', 'two/x': 'x' }, name: 'https://own.two.example.com', directives: { ...beside, [name]: inner }, inner: name === 'EntraTestPage' ? TEST_PAGE : '',
          outer: `${name} ${outer}\n<VirtualHost *:81>\nServerName https://heir.example.com\n${linesOf(beside).join('\n')}\n${PROTECTED}\n</VirtualHost>`,
        });
        const shown = (host) => Object.entries(hosts).find(([, { where }]) => host.test(where))?.[1][name];
        const [heir, own] = [shown(/httpd\.conf/), shown(/app\.conf/)];
        if (name === 'EntraClientSecret') assert.deepEqual([heir, own].map((row) => row.split(' ')[0]), ['(secret)', '(secret)']);
        else assert.deepEqual([heir?.startsWith(`${outer} `), own?.startsWith(`${inner} `)], [true, true], `${heir}\n${own}\n${output}`);
        assert.match(heir, /httpd\.conf:\d+$/, 'with the place where it stands');
        assert.match(own, /app\.conf:\d+$/);
      });
    }

    test('a virtual host without a word of Entra has its own origin, and shares nothing with its neighbours', () => {
      const { hosts } = dump({
        directives: { EntraTenant: null, EntraClientID: null, EntraClientSecret: null },
        outer: `${linesOf(BASE).join('\n')}\nEntraAuthority http://127.0.0.1:9\n<VirtualHost *:81>\nServerName http://127.0.0.1:81\n${PROTECTED}\n</VirtualHost>`,
      });
      assert.equal(hosts['http://localhost']['redirect URI'], 'http://localhost/.entra/callback');
      assert.equal(hosts['http://127.0.0.1:81']['redirect URI'], 'http://127.0.0.1:81/.entra/callback');
    });

    test('without the define nothing is shown', () => {
      assert.doesNotMatch(judge({}).output, /redirect URI/);
    });
  });

  test('virtual hosts that inherit everything sign in each at its own origin', async () => {
    const site = await startSite({
      config: (server, made) => `${entraLines(server, made.emu)}\n${['localhost', '127.0.0.1'].map((host) => `<VirtualHost 127.0.0.1:${server.port}>\nServerName http://${host}:${server.port}\n${PROTECTED}\n</VirtualHost>`).join('\n')}`,
    });
    for (const host of ['localhost', '127.0.0.1']) {
      const page = await site.browser().navigate(`http://${host}:${site.httpd.port}/page.html`);
      assert.equal(page.status, 200, page.trace);
      assert.equal(new URL(page.url).hostname, host, page.trace);
      assert.ok(page.visited(/\/\.entra\/callback/).every((url) => new URL(url).hostname === host));
    }
    await site.stop();
  });

  // ---- .htaccess -----------------------------------------------------------------------------------------------------------

  describe('.htaccess', () => {
    const HT = (lines) => `${lines.join('\n')}\n`;
    const files = {
      'htdocs/auth/.htaccess': HT(['AuthType Entra', 'Require valid-user']),
      'htdocs/auth/x.html': '<p>auth-x</p>\n',
      'htdocs/mode/.htaccess': HT(['AuthType Entra', 'EntraUnauthenticated 403', 'Require valid-user']),
      'htdocs/mode/x.html': '<p>mode-x</p>\n',
      ...Object.fromEntries([['EntraTenant', GUID], ['EntraClientSecret', 'x'], ['EntraRemoteUser', 'x'], ['EntraHeaders', 'none'], ['EntraSignedIdentity', 'on'], ['EntraHeader', 'X-A x'], ['EntraEnv', 'A x'], ['EntraListSeparator', ';'], ['EntraPath', '/x']].flatMap(([name, value]) => [[`htdocs/no/${name}/.htaccess`, HT(['AuthType Entra', 'Require valid-user', `${name} ${value}`])], [`htdocs/no/${name}/x.html`, '<p>never</p>\n']])),
      'htdocs/open/.htaccess': HT(['EntraUnauthenticated 403']),
      'htdocs/open/x.html': '<p>open-x</p>\n',
    };
    const override = (server, what) => `<Directory "${server.docroot}">\n    AllowOverride ${what}\n</Directory>`;

    test('AuthType Entra in a configured server protects; EntraUnauthenticated is allowed under AuthConfig, the others are not', async () => {
      const site = await startSite({
        protect: false,
        files,
        extra: (server) => override(server, 'AuthConfig'),
        allowLog: [/ENTRA15\d\d/],
      });
      const nobody = await site.browser().navigate(site.at('/auth/x.html'), { follow: false });
      assert.equal(nobody.status, 302);
      assertClosed(nobody.response);
      const browser = await site.signedIn({ path: '/auth/x.html' });
      assert.match((await browser.navigate(site.at('/auth/x.html'))).text, /auth-x/);
      assert.equal((await site.browser().navigate(site.at('/mode/x.html'), { follow: false })).status, 403);
      for (const name of ['EntraTenant', 'EntraClientSecret', 'EntraRemoteUser', 'EntraHeaders', 'EntraSignedIdentity', 'EntraHeader', 'EntraEnv', 'EntraListSeparator', 'EntraPath']) {
        const refused = await browser.navigate(site.at(`/no/${name}/x.html`), { follow: false });
        assert.equal(refused.status, 500, name);
        assert.doesNotMatch(refused.text, /never/);
        site.httpd.expect(new RegExp(`${name}.* not allowed here`));
      }
      await site.stop();
    });

    test('EntraUnauthenticated is refused where AuthConfig is not allowed', async () => {
      const site = await startSite({ protect: false, files, extra: (server) => override(server, 'FileInfo'), expectLog: [/EntraUnauthenticated not allowed here/] });
      assert.equal((await site.browser().navigate(site.at('/open/x.html'))).status, 500);
      await site.stop();
    });

    test('ENTRA2003: AuthType Entra where nothing is configured is closed', async () => {
      const server = await startHttpd({ files, config: (one) => override(one, 'AuthConfig'), expectLog: [/ENTRA2003: AuthType Entra protects \/auth\/x\.html, but this virtual host has no EntraTenant/] });
      for (const headers of [{}, { 'X-Entra-User': 'admin', Cookie: 'Entra-Session=x' }]) {
        const response = await server.request({ path: '/auth/x.html', headers });
        assert.equal(response.status, 500);
        assert.doesNotMatch(response.text, /auth-x/);
      }
      assert.equal((await server.get('/.entra/login')).status, 404, 'and there are no endpoints');
      await server.stop();
    });

    test('ENTRA2003: nor where the defaults of the main server are not complete', async () => {
      const server = await startHttpd({ files, config: (one) => `EntraTenant ${GUID}\n${override(one, 'AuthConfig')}`, expectLog: [/ENTRA2003/] });
      assert.equal((await server.get('/auth/x.html')).status, 500);
      await server.stop();
    });
  });

  // ---- credentials, for real -----------------------------------------------------------------------------------------------

  describe('credentials sign in', () => {
    let site;
    let folder;
    const jwtKey = generateKeyPairSync('rsa', { modulusLength: 2048 });

    function assertion(claims = {}) {
      const now = Math.floor(Date.now() / 1000);
      const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const input = `${part({ alg: 'RS256', typ: 'JWT', kid: 'k1' })}.${part({ iss: 'https://cluster.example', sub: 'system:serviceaccount:app:web', aud: 'api://AzureADTokenExchange', jti: randomUUID(), iat: now, nbf: now - 10, exp: now + 600, ...claims })}`;
      return `${input}.${createSign('sha256').update(input).sign(jwtKey.privateKey).toString('base64url')}`;
    }

    before(async () => {
      folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-cred-'));
      site = await startSite();
      await site.emu.control('client', { client_id: CERT_CLIENT, set: { certificates: [good.cert] } });
      await site.emu.control('client', { client_id: CLIENT, set: { federated: [{ issuer: 'https://cluster.example', subject: 'system:serviceaccount:app:web', publicKey: jwtKey.publicKey.export({ type: 'spki', format: 'pem' }) }] } });
    });
    after(async () => {
      await site?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    /** A sign-in with this credential at a server of its own; {page, method}. */
    async function signIn(directives, options = {}) {
      const own = await startSite({ emu: site.emu, backend: site.backend, files: FILES, directives, ...options });
      try {
        const page = await own.browser().navigate(own.at('/page.html'));
        const last = site.emu.stats().requests.filter(({ endpoint }) => endpoint === 'token').at(-1);
        if (options.status) assertPage(own, page.response, options.status, options.number);
        return { page, method: last?.clientAuth, log: own.httpd.errorLog() };
      } finally {
        await own.stop();
      }
    }

    for (const [name, directives, options, method] of [
      ['a secret in a file', { EntraClientSecret: 'file:secret' }, {}, 'client_secret_post'],
      ['a secret in a file, with its whole path', { EntraClientSecret: null }, { extra: (server) => `EntraClientSecret "file:${server.path('secret')}"` }, 'client_secret_post'],
      ['a secret in the environment', { EntraClientSecret: 'env:APP_SECRET' }, { env: { APP_SECRET: CLIENT_SECRET } }, 'client_secret_post'],
      ['a secret from a command', { EntraClientSecret: `"exec:/bin/echo ${CLIENT_SECRET}"` }, {}, 'client_secret_post'],
      ['a secret in the configuration', { EntraClientSecret: CLIENT_SECRET }, { allowLog: [/ENTRA4005/] }, 'client_secret_post'],
      ['a certificate with its key in one file', { EntraClientID: CERT_CLIENT, EntraClientSecret: null, EntraClientCertificate: 'both.pem' }, {}, 'private_key_jwt'],
      ['a certificate and a key', { EntraClientID: CERT_CLIENT, EntraClientSecret: null, EntraClientCertificate: 'cert.pem key.pem' }, {}, 'private_key_jwt'],
    ]) {
      test(name, async () => {
        const { page, method: used } = await signIn(directives, options);
        assert.equal(page.status, 200, page.trace);
        assert.equal(used, method);
      });
    }

    test("a secret in systemd's folder", async () => {
      writeFileSync(path.join(folder, 'app-secret'), CLIENT_SECRET, { mode: 0o400 });
      const { page } = await signIn({ EntraClientSecret: 'credential:app-secret' }, { env: { CREDENTIALS_DIRECTORY: folder } });
      assert.equal(page.status, 200, page.trace);
    });

    test('an assertion in a file, read anew for each sign-in', async () => {
      const own = await startSite({ emu: site.emu, backend: site.backend, files: { ...FILES, 'token.jwt': secretFile(assertion(), 0o644) }, directives: { EntraClientSecret: null, EntraClientAssertion: 'file:token.jwt' }, allowLog: [/ENTRA13\d\d/] });
      try {
        assert.equal((await own.browser().navigate(own.at('/page.html'))).status, 200);
        assert.equal(site.emu.stats().requests.filter(({ endpoint }) => endpoint === 'token').at(-1).clientAuth, 'private_key_jwt');
        own.httpd.file('token.jwt', secretFile(assertion({ sub: 'somebody-else' }), 0o644));
        const refused = await own.browser().navigate(own.at('/page.html'));
        assertPage(own, refused.response, 502, 1320);
        rmSync(own.httpd.path('token.jwt'));
        const gone = await own.browser().navigate(own.at('/page.html'));
        assertPage(own, gone.response, 503, 1335);
        own.httpd.file('token.jwt', secretFile(`${assertion()}\n`, 0o644));
        assert.equal((await own.browser().navigate(own.at('/page.html'))).status, 200, 'and it heals');
        assert.ok(!own.httpd.errorLog().includes(readFileSync(own.httpd.path('token.jwt'), 'utf8').trim()));
      } finally {
        await own.stop();
      }
    });

    test('workload identity', async () => {
      const file = path.join(folder, 'federated-token');
      writeFileSync(file, assertion(), { mode: 0o644 });
      rmSync(path.join(folder, 'app-secret'), { force: true });
      const readable = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-wi-'));
      try {
        // The workers read it, so they must get at its folder.
        chmodSync(readable, 0o755);
        copyFileSync(file, path.join(readable, 'token'));
        chmodSync(path.join(readable, 'token'), 0o644);
        const { page, method } = await signIn({ EntraClientSecret: null, EntraClientAssertion: 'workload-identity' }, { env: { AZURE_FEDERATED_TOKEN_FILE: path.join(readable, 'token') } });
        assert.equal(page.status, 200, page.trace);
        assert.equal(method, 'private_key_jwt');
      } finally {
        rmSync(readable, { recursive: true, force: true });
      }
    });

    test('managed identity of an App Service: asked for once, then kept', async () => {
      const asked = [];
      const server = http.createServer((req, res) => {
        asked.push({ url: req.url, header: req.headers['x-identity-header'] });
        res.end(JSON.stringify({ access_token: assertion(), expires_on: String(Math.floor(Date.now() / 1000) + 3600), resource: 'api://AzureADTokenExchange', token_type: 'Bearer' }));
      });
      await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
      try {
        const own = await startSite({ emu: site.emu, backend: site.backend, files: FILES, processes: 1, workers: 16, directives: { EntraClientSecret: null, EntraClientAssertion: `managed-identity ${GUID}` }, env: { IDENTITY_ENDPOINT: `http://127.0.0.1:${server.address().port}/msi/token`, IDENTITY_HEADER: 'the-identity-header' } });
        for (let i = 0; i < 3; i += 1) {
          const page = await own.browser().navigate(own.at('/page.html'));
          assert.equal(page.status, 200, page.trace);
        }
        assert.ok(asked.length >= 1 && asked.length <= own.httpd.children().length, `${asked.length}`);
        const query = new URL(asked[0].url, 'http://x').searchParams;
        assert.equal(asked[0].header, 'the-identity-header');
        assert.equal(query.get('resource'), 'api://AzureADTokenExchange');
        assert.equal(query.get('client_id'), GUID);
        assert.ok(!own.httpd.errorLog().includes('the-identity-header'));
        await own.stop();
      } finally {
        server.closeAllConnections();
        await new Promise((resolve) => { server.close(resolve); });
      }
    });

    test('a wrong secret: a page that says who must act, ENTRA1320 with the mend in the log, and no secret anywhere', async () => {
      const { page, log } = await signIn({ EntraClientSecret: 'env:WRONG' }, { env: { WRONG: 'wrong-secret-77' }, status: 502, number: 1320, expectLog: [/ENTRA1320: .*AADSTS7000215/] });
      assert.match(page.text, /administrator/);
      assert.ok(!log.includes('wrong-secret-77') && !page.text.includes('wrong-secret-77'));
    });

    test('a wrong certificate, a wrong client', async () => {
      const first = await signIn({ EntraClientID: CERT_CLIENT, EntraClientSecret: null, EntraClientCertificate: 'other.pem' }, { files: { ...FILES, 'other.pem': secretFile(other.cert + other.key) }, status: 502, number: 1320, expectLog: [/ENTRA1320: .*AADSTS700027/] });
      assertClosed(first.page.response);
      const second = await signIn({ EntraClientID: GUID }, {});
      assert.equal(second.page.status, 400, 'Entra itself refuses an unknown client');
    });

    test('a secret that is changed takes effect at a graceful restart', async () => {
      const own = await startSite({ emu: site.emu, backend: site.backend, directives: { EntraClientSecret: 'file:rotating' }, files: { rotating: secretFile('not-yet') }, expectLog: [/ENTRA1320/] });
      try {
        assert.equal((await own.browser().navigate(own.at('/page.html'))).status, 502);
        own.httpd.file('rotating', secretFile(CLIENT_SECRET));
        await own.httpd.graceful();
        assert.equal((await own.browser().navigate(own.at('/page.html'))).status, 200);
      } finally {
        await own.stop();
      }
    });
  });
});
