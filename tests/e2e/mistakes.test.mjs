// SPDX-License-Identifier: Apache-2.0
// Planted mistakes, one a case: each is named by configtest or by `entra-sso check --online`, with what to do about it.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { chmodSync, chownSync } from 'node:fs';
import test, { after, before, describe } from 'node:test';
import { selfSigned, toPem } from '../emulator/certificate.mjs';
import { CERT_CLIENT, CLIENT, CLIENT_SECRET, CONTOSO, FABRIKAM } from '../emulator/tenants.mjs';
import { entraSso, noCommand } from './lib/command.mjs';
import { missing, prepareHttpd } from './lib/httpd.mjs';
import { makeToken, Scim } from './lib/scim.mjs';
import { closeLeftovers, startEmulator, startSite } from './lib/leftovers.mjs';

const isRoot = process.getuid() === 0;
const NOBODY = '4b1d8c3a-0000-4000-8000-9d2e5f7a6b10';
const KEYS = 'key 01020304 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 2026-11-23T15:00:00Z\n';

const pem = (key) => key.export({ type: 'pkcs8', format: 'pem' });

function makeCertificate(days) {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const now = Math.floor(Date.now() / 1000);
  const cert = toPem(selfSigned({ ...pair, commonName: 'app.example.com', notBefore: now - 90 * 86_400, notAfter: now + days * 86_400 }));
  return { cert, key: pem(pair.privateKey) };
}

const good = makeCertificate(300);
const other = makeCertificate(300);
const ending = makeCertificate(10);
const over = makeCertificate(-1);
const secret = (content, mode = 0o600) => ({ content, mode });

const FILES = {
  secret: secret(`${CLIENT_SECRET}\n`),
  'public-secret': secret(`${CLIENT_SECRET}\n`, 0o644),
  'group-secret': secret(`${CLIENT_SECRET}\n`, 0o640),
  'wrong-secret': secret('Wr0ng~secret.value\n'),
  'secret-id': secret(`${NOBODY}\n`),
  empty: secret('\n'),
  'good.pem': secret(good.cert + good.key),
  'mixed.pem': secret(good.cert + other.key),
  'ending.pem': secret(ending.cert + ending.key),
  'over.pem': secret(over.cert + over.key),
  'no.pem': secret('no certificate\n', 0o644),
  'private-ca.pem': secret(good.cert, 0o600),
  'other-ca.pem': secret(other.cert, 0o644),
  rubbish: secret('no token\n'),
  'state/cookie.keys': secret(KEYS),
};

const PROTECTED = '<Location "/">\n    AuthType Entra\n    Require valid-user\n</Location>';
const require = (...lines) => `<Location "/">\n    AuthType Entra\n${lines.map((line) => `    Require ${line}`).join('\n')}\n</Location>`;
const FINANCE = require('entra-group Finance');

let emu;
const setClient = (set, id = CLIENT) => emu.control('client', { client_id: id, set });
const certificate = (file) => ({ EntraClientID: CERT_CLIENT, EntraClientSecret: null, EntraClientCertificate: file });
const reader = (more = {}) => setClient({ graphPermissions: ['Directory.Read.All'], ...more });

/** What is said of a configuration: httpd's words and those of the check. */
async function said({ directives = {}, name = 'https://app.contoso.example', host = PROTECTED, outer = '', files = {}, modules, plant, withModule, args = ['--online'] }) {
  const lines = {
    EntraTenant: CONTOSO, EntraClientID: CLIENT, EntraClientSecret: 'file:secret', EntraAuthority: emu.url, EntraGraphURL: emu.url, ...directives,
  };
  const text = Object.entries(lines).filter(([, value]) => value !== null).map(([directive, value]) => `    ${directive} ${value}`).join('\n');
  const httpd = prepareHttpd({
    files: { ...FILES, ...files }, modules, withModule, config: (server) => `${outer.replaceAll('ROOT', server.root)}\n<VirtualHost *:80>\n    ServerName ${name}\n${text.replaceAll('ROOT', server.root)}\n${host}\n</VirtualHost>`,
  });
  try {
    await plant?.(httpd);
    return await entraSso({ httpd }, 'check', ...args);
  } finally {
    httpd.dispose();
  }
}

// ---- what configtest refuses or warns of, in its own words: [name, what is planted, message, mend] ----------------------------

const AT_CONFIGTEST = [
  ['no tenant', { directives: { EntraTenant: null } }, /ENTRA4001: EntraTenant: is missing/, /write "EntraTenant <tenant GUID>"/],
  ['a tenant that is none', { directives: { EntraTenant: 'contoso' } }, /EntraTenant: .*neither a tenant GUID/, /nor a domain, nor organizations/],
  ['people of every tenant, without a list', { directives: { EntraTenant: 'common' } }, /ENTRA4002: EntraAllowedTenants/, /write the GUIDs/],
  ['no client', { directives: { EntraClientID: null } }, /ENTRA4003: EntraClientID/, /write "EntraClientID <GUID>"/],
  ['the name of the application for its ID', { directives: { EntraClientID: 'intranet' } }, /EntraClientID: 'intranet' is no GUID/, /copy "Application \(client\) ID"/],
  ['a secret file that is not there', { directives: { EntraClientSecret: 'file:nowhere' } }, /ENTRA4004: .*nowhere cannot be opened/, /chmod 600/],
  ['a secret that everyone can read', { directives: { EntraClientSecret: 'file:public-secret' } }, /ENTRA4004: .*mode 0644/, /chmod 600/],
  ['an empty secret file', { directives: { EntraClientSecret: 'file:empty' } }, /ENTRA4004: .*gives nothing/, /write file:PATH/],
  ['the Secret ID for the secret, at configtest already', { directives: { EntraClientSecret: 'file:secret-id' } }, /ENTRA2150: EntraClientSecret: is a GUID/, /copy its Value/],
  ['a state directory of httpd\'s user, at configtest already', { plant: ({ stateDir }) => chownSync(stateDir, 33, 33), only: isRoot }, /ENTRA2151: EntraStateDirectory: .* belongs to another user than root/, /"chown root: /],
  ['no credential', { directives: { EntraClientSecret: null } }, /ENTRA4009: .*no credential/, /write one of EntraClientSecret/],
  ['two credentials', { directives: { EntraClientCertificate: 'good.pem' } }, /ENTRA4009: .*more than one credential/, /keep one of/],
  ['the key of another certificate', { directives: certificate('mixed.pem') }, /ENTRA4006: EntraClientCertificate/, /write PEM files/],
  ['a certificate that is over', { directives: certificate('over.pem') }, /ENTRA4007: .*expired on/, /make a new one and upload it/],
  ['workload identity without its platform', { directives: { EntraClientSecret: null, EntraClientAssertion: 'workload-identity' } }, /ENTRA4008: .*AZURE_FEDERATED_TOKEN_FILE/, /label the pod/],
  ['plain http', { name: 'http://app.contoso.example' }, /ENTRA4011: .*plain http/, /write "ServerName https:/],
  ['sessions of nine hours', { directives: { EntraSessionMaxAge: '9h' } }, /ENTRA4014: EntraSessionMaxAge/, /at most 8h/],
  ['a cookie for another domain', { directives: { EntraCookieDomain: 'other.example' } }, /ENTRA4016: .*other\.example is no parent domain/, /of the public host app\.contoso\.example/],
  ['trailers that are merged', { outer: 'MergeTrailers on' }, /ENTRA4017: MergeTrailers is on/, /write "MergeTrailers off"/],
  ['a CA bundle that only root can read', { directives: { EntraTrustedCA: 'private-ca.pem' } }, /ENTRA4018: .*no file that everyone can read/, /mode 0644/],
  ['a CA bundle without a certificate', { directives: { EntraTrustedCA: 'no.pem' } }, /ENTRA4018: .*holds no PEM certificate/, /PEM bundle/],
  ['a state directory that is not there', { directives: { EntraStateDirectory: 'nowhere' } }, /ENTRA4019: .*no folder/, /install -d -m 0711/],
  ['a state directory that everyone may write to', { plant: ({ stateDir }) => chmodSync(stateDir, 0o777) }, /ENTRA4020: .*everyone may write/, /chmod 0711/],
  ['a key file that was cut', { files: { 'state/cookie.keys': secret(KEYS.slice(0, 30)) } }, /ENTRA4021: .*cookie\.keys/, /restore it from the other nodes/],
  ['a key file that everyone can read', { files: { 'state/cookie.keys': secret(KEYS, 0o644) } }, /ENTRA4021: .*mode 0644/, /restore it/],
  ['a group by name where tenants are many', { directives: { EntraTenant: 'organizations', EntraAllowedTenants: 'any' }, host: FINANCE }, /ENTRA4022: .*each tenant can have a group named 'Finance'/, /write the group's object id/],
  ['users named by email where tenants are many', { directives: { EntraTenant: 'organizations', EntraAllowedTenants: 'any', EntraRemoteUser: '"%{email}"' } }, /ENTRA4023: EntraTenant: .*by %\{email\}/, /write EntraRemoteUser %\{oid\}@%\{tid\}/],
  ['users named by email', { directives: { EntraRemoteUser: '"%{email}"' } }, /ENTRA4024: EntraTenant: .*by %\{email\}/, /better write EntraRemoteUser %\{oid\}@%\{tid\}/],
  ['a misspelt directive', { directives: { EntraTennant: CONTOSO } }, /Invalid command 'EntraTennant'/, /perhaps misspelled/],
  ['AuthType Entra without Require', { host: '<Location "/">\n    AuthType Entra\n</Location>' }, /ENTRA4032: AuthType Entra without a Require protects nothing/, /write "Require valid-user"/],
  ['EntraBearer without AuthType Entra', { host: '<Location "/">\n    Require all granted\n    EntraBearer api://x\n</Location>' }, /ENTRA4050: EntraBearer without AuthType Entra/, /write "AuthType Entra"/],
  ['Require entra-app without EntraBearer', { host: require(`entra-app ${NOBODY}`) }, /ENTRA4051: Require entra-app lets nobody in/, /write "EntraBearer/],
  ['an attribute of a directory that is off', { directives: { EntraRemoteUser: '"%{scim:department}"' } }, /ENTRA4110: EntraSCIM/, /write "EntraSCIM on"/],
  ['EntraSCIMRequired without EntraSCIM', { directives: { EntraSCIMRequired: 'on' } }, /ENTRA4112: EntraSCIMRequired/, /write "EntraSCIM on" too/],
  ['the secret in the configuration', { directives: { EntraClientSecret: `"${CLIENT_SECRET}"` } }, /ENTRA4005: EntraClientSecret/, /put it into a file of mode 0600/],
  ['a tenant watch for many tenants', { directives: { EntraTenant: 'organizations', EntraAllowedTenants: CONTOSO, EntraTenantWatch: '5m' } }, /ENTRA4089: EntraTenantWatch/, /write the tenant's GUID/],
  ['a database where httpd may not write', { directives: { EntraDatabase: '"sqlite3:ROOT/entra.db"' }, only: isRoot }, /ENTRA4072: .*no folder that httpd's children can write to/, /install -d -o/],
];

// ---- what httpd accepts: [name, what is planted, word, subject, sentence, mend] -----------------------------------------------

const AT_CHECK = [
  ['the module is not loaded', { withModule: false }, 'FAIL', 'configuration', /httpd does not accept it/, /the module is not loaded: a2enmod entra_sso/],
  ['nothing is configured', { directives: Object.fromEntries(['EntraTenant', 'EntraClientID', 'EntraClientSecret', 'EntraAuthority', 'EntraGraphURL'].map((name) => [name, null])), host: '' }, 'FAIL', 'configuration', /no application of mod_entra_sso/, /Write EntraTenant, EntraClientID and a credential/],
  ['nothing is protected', { host: '' }, 'warn', 'protection', /no section says AuthType Entra/, /Write "AuthType Entra" and "Require valid-user"/],
  ['people of any tenant', { directives: { EntraTenant: 'organizations', EntraAllowedTenants: 'any' } }, 'warn', 'protection', /every organization may sign in/, /EntraAllowedTenants/],
  ['overage that is ignored', { host: FINANCE, directives: { EntraGroupOverage: 'ignore' } }, 'warn', 'groups', /more than 200 groups are in none/, /EntraGroupOverage graph/],
  ['a secret that a group can read', { directives: { EntraClientSecret: 'file:group-secret' } }, 'warn', 'file of the secret', /can be read by the group \w+ \(mode 0640\)/, /chmod 0600/],
  ['a secret that is httpd\'s own', { plant: (httpd) => chownSync(httpd.path('secret'), 33, 33), only: isRoot }, 'FAIL', 'file of the secret', /belongs to www-data/, /chown root:root/],
  ['the Secret ID for the secret', { directives: { EntraClientSecret: 'file:secret-id' } }, 'FAIL', 'credential', /that is the Secret ID, not the secret's Value/, /copy its Value/],
  ['a certificate near its end', { directives: certificate('ending.pem') }, 'warn', 'credential', /the certificate ends on .*, in (9|10) days/, /upload it to the app registration/],
  ['an assertion file that is not there', { directives: { EntraClientSecret: null, EntraClientAssertion: 'file:nowhere' } }, 'FAIL', 'credential', /nowhere cannot be opened/, /^Make the source readable for root; /],
  ['an assertion file that holds none', { directives: { EntraClientSecret: null, EntraClientAssertion: 'file:rubbish' } }, 'FAIL', 'credential', /rubbish holds no token/, /AZURE_FEDERATED_TOKEN_FILE/],
  ['a state directory of httpd\'s user', { plant: ({ stateDir }) => chownSync(stateDir, 33, 33), only: isRoot }, 'FAIL', 'state directory', /others than root may write/, /chown root:root .*chmod 0711/],
  ['a key file that was not copied', { directives: { EntraStateDirectory: 'other' }, files: { 'other/x': 'x' } }, 'warn', 'key file', /is not there yet/, /copy it from the first one \(entra-sso key export\)/],

  ['a tenant that is not there', { directives: { EntraTenant: NOBODY } }, 'FAIL', 'tenant', /Entra does not know this tenant|tenant .*status 400/, /tenant GUID|EntraTenant/],
  ['the tenant of somebody else', { directives: { EntraTenant: FABRIKAM }, emulator: () => setClient({ signInAudience: 'AzureADMyOrg' }) }, 'FAIL', 'sign-in request', /AADSTS700016/, /EntraClientID|tenant/],
  ['a client that is not there', { directives: { EntraClientID: NOBODY } }, 'FAIL', 'credential at Entra', /AADSTS700016/, /EntraClientID|client ID/],
  ['an application that is disabled', { emulator: () => setClient({ enabled: false }) }, 'FAIL', 'credential at Entra', /AADSTS7000112/, /Enabled for users to sign-in/],
  ['a redirect URI that is not registered', { emulator: () => emu.control('hosts', { redirectHosts: [] }) }, 'FAIL', 'redirect URI', /AADSTS50011: https:\/\/app\.contoso\.example\/\.entra\/callback is not registered/, /Web > Add URI: https:\/\/app\.contoso\.example\/\.entra\/callback/],
  ['a redirect URI on another path', { directives: { EntraPath: '/sso' } }, 'FAIL', 'redirect URI', /AADSTS50011: .*\/sso\/callback is not registered/, /Add URI: .*\/sso\/callback/],
  ['a redirect URI in other letters', { directives: { EntraPath: '/.Entra' } }, 'FAIL', 'redirect URI', /AADSTS50011/, /Add URI: .*\/\.Entra\/callback/],
  ['a wrong secret', { directives: { EntraClientSecret: 'file:wrong-secret' } }, 'FAIL', 'credential at Entra', /AADSTS7000215/, /Value/],
  ['a secret that has expired', { emulator: () => setClient({ secrets: [{ value: CLIENT_SECRET, expires: 1_700_000_000 }] }) }, 'FAIL', 'credential at Entra', /AADSTS7000222/, /new (client )?secret/],
  ['a secret near its end', { emulator: () => reader({ secrets: [{ value: CLIENT_SECRET, expires: Math.floor(Date.now() / 1000) + 5 * 86_400 }] }) }, 'warn', 'end of the secret', /the secret ends on .*in [45] days/, /New client secret/],
  ['a certificate that was not uploaded', { directives: certificate('good.pem') }, 'FAIL', 'credential at Entra', /AADSTS700027/, /upload/i],
  ['a federated credential for another subject', { directives: { EntraClientID: CERT_CLIENT, EntraClientSecret: null, EntraClientAssertion: 'file:token' }, emulator: () => setClient({ federated: [{ issuer: `${emu.url}/_cluster/`, subject: 'system:serviceaccount:web:other', audiences: ['api://AzureADTokenExchange'] }] }, CERT_CLIENT), plant: async (httpd) => { httpd.file('token', secret((await emu.control('serviceaccount', { namespace: 'web', name: 'httpd' })).token)); } }, 'FAIL', 'credential at Entra', /AADSTS70021/, /federated credential|subject/i],
  ['a misspelt scope', { directives: { EntraScopes: 'api://nowhere/read' } }, 'FAIL', 'sign-in request', /AADSTS500011/, /EntraScopes/],
  ['a clock that is wrong', { emulator: () => emu.control('discovery', { headers: { Date: new Date(Date.now() + 3_600_000).toUTCString() } }) }, 'FAIL', 'clock', /3[56]\d\d s apart, more than EntraClockSkew \(300 s\)/, /NTP/],
  ['a clock that goes wrong', { emulator: () => emu.control('discovery', { headers: { Date: new Date(Date.now() - 120_000).toUTCString() } }) }, 'warn', 'clock', /1[1-5]\d s apart/, /NTP/],
  ['keys that are none', { emulator: () => emu.control('keys', { action: 'raw', body: '{"keys":[]}' }) }, 'FAIL', 'signing keys', /ENTRA1112/, /EntraTenant|EntraAuthority/],
  ['somebody else in Entra\'s place', { emulator: () => emu.control('discovery', { set: { issuer: 'https://login.evil.example/x/v2.0' } }) }, 'FAIL', 'tenant', /ENTRA1103/, /EntraAuthority/],
  ['no way to Entra', { directives: { EntraAuthority: 'http://127.0.0.1:9' } }, 'FAIL', 'tenant', /ENTRA1050/, /DNS, firewall and EntraOutboundProxy/],
  ['a proxy that is not there', { directives: { EntraAuthority: 'https://login.contoso.example', EntraOutboundProxy: 'http://127.0.0.1:9' } }, 'FAIL', 'tenant', /ENTRA1050/, /EntraOutboundProxy/],
  ['a CA bundle that does not fit', { tls: true, directives: { EntraTrustedCA: 'other-ca.pem' } }, 'FAIL', 'tenant', /ENTRA1051/, /EntraTrustedCA/],
  ['a single-tenant registration for many', { directives: { EntraTenant: 'organizations', EntraAllowedTenants: CONTOSO }, emulator: () => reader({ signInAudience: 'AzureADMyOrg' }) }, 'FAIL', 'sign-in request', /AADSTS50194/, /EntraTenant|tenant GUID/],
  ['the platform of a single-page application', { emulator: () => reader({ platform: 'spa', redirectUris: ['https://app.contoso.example/.entra/callback'] }) }, 'FAIL', 'platform', /registered under Single-page application/, /add it under Web/],
  ['a front-channel logout URL that is missing', { emulator: () => reader() }, 'warn', 'front-channel logout', /does not reach this one/, /Front-channel logout URL: https:\/\/app\.contoso\.example\/\.entra\/frontchannel-logout/],
  ['no groups claim', { host: FINANCE, emulator: () => reader({ groupMembershipClaims: null }) }, 'FAIL', 'groups claim', /puts none into tokens/, /Add groups claim/],
  ['a groups claim of names', { host: FINANCE, emulator: () => reader({ optionalClaims: ['groups', 'sid'], claimProperties: { groups: ['sam_account_name'] } }) }, 'FAIL', 'groups claim', /names of groups/, /Group ID/],
  ['a claim that ID tokens do not have', { directives: { EntraRemoteUser: '"%{upn}"' }, emulator: () => reader({ optionalClaims: ['sid'] }) }, 'FAIL', 'optional claims', /do not have: upn/, /Add optional claim > ID > upn/],
  ['a group that is not there', { host: require('entra-group "Accounts receivable"'), emulator: () => reader() }, 'FAIL', 'groups named', /no group 'Accounts receivable'/, /Correct the name or object id/],
  ['a group\'s object id that is not there', { host: require(`entra-group ${NOBODY}`), emulator: () => reader() }, 'FAIL', 'groups named', new RegExp(`no group '${NOBODY}'`), /Correct the name or object id/],
  ['a group\'s name that two have', { host: require('entra-group Twins'), emulator: () => reader() }, 'FAIL', 'groups named', /ENTRA1435/, /object id/],
  ['consent that nobody gave', { host: FINANCE, emulator: () => reader().then(() => emu.control('graph', { consent: { 'GroupMember.Read.All': false } })) }, 'FAIL', 'Graph consent', /nobody has consented .*GroupMember\.Read\.All/, /Delegated permissions > GroupMember\.Read\.All, then Grant admin consent/],
  ['a tenant watch without permission', { directives: { EntraTenantWatch: '5m' } }, 'FAIL', 'tenant watch', /lacks User\.Read\.All/, /Application permissions > User\.Read\.All, then Grant admin consent/],
  ['an enterprise application that is disabled', { emulator: () => reader({ principalEnabled: false }) }, 'FAIL', 'enterprise application', /it is disabled/, /Enabled for users to sign-in = Yes/],
  ['an enterprise application for everybody', { emulator: () => reader() }, 'warn', 'enterprise application', /assigned or not/, /Assignment required = Yes/],
];

/** The line of that word and subject whose sentence fits, with the line below it. */
function findingOf(out, word, subject, sentence) {
  const lines = out.split('\n');
  const at = lines.findIndex((line) => line.startsWith(`${word.padEnd(8)} ${subject}: `) && sentence.test(line));
  return at < 0 ? null : { line: lines[at], mend: /^ {9}mend: (.*)$/.exec(lines[at + 1] ?? '')?.[1] };
}

describe('planted mistakes', { skip: missing || noCommand }, () => {
  let plain;
  before(async () => {
    plain = await startEmulator({ auto: 'ada', config: { redirectHosts: ['app.contoso.example'] } });
    emu = plain;
  });
  after(closeLeftovers);

  test('the base of all cases is right, so that what is found is what was planted', async () => {
    await emu.control('reset', {});
    const { status, out, err } = await said({});
    assert.equal(status, 0, out + err);
    assert.doesNotMatch(out, /^(FAIL|warn) +(?! |database)/m);
    assert.doesNotMatch(err, /ENTRA\d{4}/);
  });

  test('there are more than forty', () => {
    assert.ok(AT_CONFIGTEST.length + AT_CHECK.length > 70);
    const names = [...AT_CONFIGTEST, ...AT_CHECK].map(([name]) => name);
    assert.equal(new Set(names).size, names.length);
  });

  for (const [name, planted, message, mend] of AT_CONFIGTEST) {
    test(`configtest: ${name}`, { skip: planted.only === false && 'needs root' }, async () => {
      await emu.control('reset', {});
      const { err, out } = await said({ ...planted, args: [] });
      const line = err.split('\n').find((one) => message.test(one));
      assert.ok(line, `${err}\n${out}`);
      assert.match(line, mend);
      assert.ok(!`${err}${out}`.includes(CLIENT_SECRET), 'no secret');
    });
  }

  for (const [name, planted, word, subject, sentence, mend] of AT_CHECK) {
    test(`check: ${name}`, { skip: planted.only === false && 'needs root' }, async () => {
      if (planted.tls) emu = await startEmulator({ auto: 'ada', tls: good });
      try {
        await emu.control('reset', {});
        await planted.emulator?.();
        const { status, out, err } = await said(planted);
        const found = findingOf(out, word, subject, sentence);
        assert.ok(found, `${out}\n${err}`);
        assert.match(found.mend ?? '', mend);
        if (word === 'FAIL') assert.equal(status, 1, out);
        assert.ok(!`${err}${out}`.includes(CLIENT_SECRET), 'no secret');
        assert.doesNotMatch(`${err}${out}`, /eyJ/, 'no token');
      } finally {
        if (planted.tls) await emu.close();
        emu = plain;
      }
    });
  }
});

// ---- what only the database tells -------------------------------------------------------------------------------------------------

const SQL = 'import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=10)\nc.execute(sys.argv[2])\nc.commit()';
const noPython = spawnSync('python3', ['-c', 'import sqlite3']).status === 0 ? false : 'there is no python3 with sqlite3';

describe('planted mistakes of the directory and its database', { skip: missing || noCommand || noPython }, () => {
  let site;
  const sql = (text) => execFileSync('python3', ['-c', SQL, site.httpd.path('state/database/entra.db'), text]);
  const look = async () => (await entraSso(site, 'check')).out;
  const DAY = 86_400_000_000;
  const expires = (days) => sql(`UPDATE entra_scim_token SET expires = ${Date.now() * 1000 + days * DAY}`);

  before(async () => {
    site = await startSite({ directives: { EntraSCIM: 'on' } });
    await site.signedIn({ user: 'ada' });
  });
  after(closeLeftovers);

  function assertFound(out, word, subject, sentence, mend) {
    const found = findingOf(out, word, subject, sentence);
    assert.ok(found, out);
    assert.match(found.mend, mend);
  }

  test('no SCIM token, and nobody provisioned', async () => {
    const out = await look();
    assertFound(out, 'FAIL', 'SCIM token', /there is none/, /entra-sso scim-token new/);
    assertFound(out, 'warn', 'SCIM mapping', /nobody is provisioned yet/, /assign users and groups/);
  });

  test('a SCIM token that nobody uses, that ends soon, that is over', async () => {
    const token = makeToken(site);
    assertFound(await look(), 'warn', 'SCIM token', /was never used/, /Test Connection/);
    assert.equal((await new Scim(site, token).get('/Users')).status, 200);
    assert.match(await look(), /^ok {7}SCIM token: good until \d{4}-.*in 36\d days$/m);
    expires(10);
    assertFound(await look(), 'warn', 'SCIM token', /expires on .*in (9|10) days/, /scim-token new/);
    expires(-1);
    assertFound(await look(), 'FAIL', 'SCIM token', /has expired: provisioning has stopped/, /Secret Token/);
    expires(300);
  });

  test("Entra's default mapping of externalId", async () => {
    const scim = new Scim(site, makeToken(site));
    await scim.user({ userName: 'bea@contoso.example', externalId: randomUUID() });
    assert.match(await look(), /^ok {7}SCIM mapping: 1 users? and 0 groups, each user with an object id$/m);
    await scim.user({ userName: 'bob@contoso.example', externalId: 'bob' });
    assertFound(await look(), 'FAIL', 'SCIM mapping', /1 of 2 users have an externalId that is no object id/, /map objectId to externalId/);
  });

  test('tables of a newer version are named, and left alone', async () => {
    sql('UPDATE entra_schema SET version = 99, least = 99');
    try {
      assertFound(await look(), 'FAIL', 'database', /ENTRA1445|newer/, /^Bring this node up to the version of the others\. To go back for good, restore the database from before the upgrade/);
    } finally {
      sql('UPDATE entra_schema SET version = 4, least = 1');
    }
  });
});
