// SPDX-License-Identifier: Apache-2.0
// Every kind of credential signs in for real, and every file that a credential or a session rests on is renewed without a restart.

import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after, describe } from 'node:test';
import { selfSigned, toPem } from '../emulator/certificate.mjs';
import { identities } from '../emulator/platform/identities.mjs';
import { CERT_CLIENT, CLIENT, CLIENT_SECRET, CONTOSO } from '../emulator/tenants.mjs';
import { assertPage } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { hasModule, missing, MPM } from './lib/httpd.mjs';
import { closeLeftovers, startEmulator, startSite } from './lib/leftovers.mjs';
import { siteConfigtest } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const DAY = 86_400;
const EXCHANGE = 'api://AzureADTokenExchange';
const [web] = identities;
/** The parent looks every ten seconds. */
const LOOK = { timeout: 40_000 };

function makePair({ days = 300 } = {}) {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const now = Math.floor(Date.now() / 1000);
  const cert = toPem(selfSigned({ ...pair, commonName: 'intranet', notBefore: now - 90 * DAY, notAfter: now + days * DAY }));
  const key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
  return { cert, key, both: cert + key };
}

const secretFile = (content, mode = 0o600) => ({ content, mode });

/** As the manual says: aside, then moved into place. */
function replace(site, name, content, mode = 0o600) {
  const target = path.isAbsolute(name) ? name : site.httpd.path(name);
  writeFileSync(`${target}.new`, content, { mode });
  chmodSync(`${target}.new`, mode);
  renameSync(`${target}.new`, target);
}

const tokenRequests = (site) => site.emu.stats().requests.filter(({ endpoint }) => endpoint === 'token');
const lastAssertion = (site) => JSON.parse(Buffer.from(site.emu.stats().secrets.assertions.at(-1).split('.')[0], 'base64url').toString());

async function signsIn(site, what) {
  const page = await site.browser().navigate(site.at('/page.html'));
  assert.equal(page.status, 200, `${what}: ${page.trace}\n${site.httpd.errorLog().slice(-2000)}`);
}

/** What of the log is of these numbers, without what was there before. */
const marker = (site) => { const from = site.httpd.errorLog().length; return (pattern) => site.httpd.waitForLog(pattern, { from, ...LOOK }); };

describe('credentials', { skip: missing, concurrency: 2 }, () => {
  after(closeLeftovers);

  // ---- every kind ------------------------------------------------------------------------------------------------------------

  describe('each kind signs in', () => {
    const pair = makePair();

    const withCertificate = (lines) => startSite({ directives: { EntraClientID: CERT_CLIENT, EntraClientSecret: null, EntraClientCertificate: lines }, files: { 'both.pem': secretFile(pair.both), 'cert.pem': secretFile(pair.cert, 0o644), 'key.pem': secretFile(pair.key) } });

    for (const [lines, alg, thumbprint] of [
      ['both.pem', 'PS256', 'x5t#S256'],
      ['cert.pem key.pem', 'PS256', 'x5t#S256'],
      ['cert.pem key.pem PS256', 'PS256', 'x5t#S256'],
      ['cert.pem key.pem RS256', 'RS256', 'x5t'],
      ['both.pem rs256', 'RS256', 'x5t'],
    ]) {
      test(`EntraClientCertificate ${lines}: ${alg} with ${thumbprint}`, async () => {
        const site = await withCertificate(lines);
        await site.emu.control('client', { client_id: CERT_CLIENT, set: { certificates: [pair.cert] } });
        await signsIn(site, lines);
        const header = lastAssertion(site);
        assert.deepEqual(Object.keys(header).sort(), ['alg', 'typ', thumbprint].sort());
        assert.equal(header.alg, alg);
        assert.equal(tokenRequests(site).length, 1);
        const [assertion] = site.emu.stats().secrets.assertions;
        assert.ok(!site.httpd.errorLog().includes(assertion.split('.')[2]));
        await site.stop();
      });
    }

    test('workload identity: the token of the cluster, read at each use', async () => {
      const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-wi-'));
      chmodSync(folder, 0o755);
      const file = path.join(folder, 'azure-identity-token');
      try {
        writeFileSync(file, 'not yet', { mode: 0o644 });
        const site = await startSite({ directives: { EntraClientSecret: null, EntraClientAssertion: 'workload-identity' }, env: { AZURE_FEDERATED_TOKEN_FILE: file } });
        const account = (changes = {}) => site.emu.control('serviceaccount', { namespace: 'web', name: 'httpd', audience: EXCHANGE, ...changes });
        const { token, issuer, subject } = await account();
        await site.emu.control('client', { client_id: CLIENT, set: { federated: [{ issuer, subject, audiences: [EXCHANGE] }] } });
        site.httpd.expect(/ENTRA1335: .*azure-identity-token holds no token/, /ENTRA1335: .*cannot be opened/, /ENTRA1335: .*gives nothing/, /ENTRA1320: .*AADSTS700024/, /ENTRA1320: .*AADSTS700213/);
        const refused = async (status, number) => assertPage(site, (await site.browser().navigate(site.at('/page.html'))).response, status, number);
        await refused(503, 1335);
        replace(site, file, `\n ${token} \n`, 0o644);
        await signsIn(site, 'with white space around the token');
        assert.equal(tokenRequests(site).at(-1).clientAuth, 'private_key_jwt');
        replace(site, file, (await account({ lifetimeSeconds: -3600 })).token, 0o644);
        await refused(502, 1320);
        replace(site, file, (await account({ name: 'another' })).token, 0o644);
        await refused(502, 1320);
        replace(site, file, '\n', 0o644);
        await refused(503, 1335);
        rmSync(file);
        await refused(503, 1335);
        const { token: fresh } = await account();
        replace(site, file, fresh, 0o644);
        await signsIn(site, 'and it heals');
        for (const secret of [token, fresh]) assert.ok(!site.httpd.errorLog().includes(secret.split('.')[2]));
        await site.stop();
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });

    for (const name of ['imds', 'appservice']) {
      test(`managed identity, ${name}: asked once, asked again when it passes, refused when it does not`, { skip: noClock }, async () => {
        const emu = await startEmulator({ auto: 'ada' });
        const { environment } = await emu.control('platform');
        await emu.control('client', { client_id: CLIENT, set: { federated: [{ issuer: `${emu.url}/${CONTOSO}/v2.0`, subject: web.principalId, audiences: [EXCHANGE] }] } });
        const site = await startSite({
          emu,
          env: name === 'imds' ? { AZURE_POD_IDENTITY_AUTHORITY_HOST: `${emu.url}/` } : environment,
          clock: true,
          mpm: hasModule('mpm_event') ? 'event' : MPM,
          processes: 1,
          threads: 8,
          workers: 8,
          directives: { EntraClientSecret: null, EntraClientAssertion: `managed-identity ${web.clientId}`, EntraOutboundTimeout: '2s 4s' },
        });
        const asked = () => emu.stats().endpoints[name] ?? 0;
        // Soon after a failure it is left alone; so the clock moves on before each try.
        const refused = async (status, number) => {
          site.httpd.clock.forward(6);
          const page = await site.browser().navigate(site.at('/page.html'));
          assertPage(site, page.response, status, number);
          return page.response;
        };
        for (const answer of [{ set: { access_token: 7 } }, { set: { access_token: 'x'.repeat(70_000) } }, { unset: ['access_token'] }, { raw: '<html>' }]) {
          await emu.control('platform', { answer });
          await refused(503, 1334);
        }
        await emu.control('platform', { answer: { generate: { kind: 'huge', size: 2_000_000 } } });
        await refused(502, 1053);
        await emu.control('platform', { answer: {} });
        await emu.control('fault', { endpoint: name, status: 400, body: { error: 'invalid_request', error_description: 'Identity not found' } });
        await refused(503, 1334);
        await emu.control('fault', undefined, 'DELETE');
        const before = asked();
        await emu.control('fault', { endpoint: name, status: 500 });
        const later = await refused(503, 1336);
        assert.match(later.header('retry-after') ?? '', /^\d+$/);
        assert.ok(asked() - before >= 2, 'it was asked again before the sign-in was refused');
        assertPage(site, (await site.browser().navigate(site.at('/page.html'))).response, 503, 1336);
        await emu.control('fault', undefined, 'DELETE');
        await emu.control('fault', { endpoint: name, status: 410, count: 1 });
        site.httpd.clock.forward(6);
        await signsIn(site, 'after 410 "Gone", which passes');
        const count = asked();
        for (let i = 0; i < 3; i += 1) await signsIn(site, 'with the token that is kept');
        assert.equal(asked(), count, 'it is not asked again while the token lives');
        const log = site.httpd.errorLog();
        assert.match(log, /ENTRA1334: .*answers 400, error invalid_request: Identity not found/);
        assert.match(log, /ENTRA1336: .*it answers 500/);
        for (const token of emu.stats().secrets.identity_tokens) assert.ok(!log.includes(token.split('.')[2]));
        assert.ok(!log.includes(environment.IDENTITY_HEADER));
        site.httpd.expect(/ENTRA1334: /, /ENTRA1053: /, /ENTRA1336: /);
        await site.stop();
        await emu.close();
      });
    }
  });

  // ---- the manual ------------------------------------------------------------------------------------------------------------

  test('every configuration of the manual signs in as it stands', async () => {
    const page = readFileSync(new URL('../../docs/credentials.md', import.meta.url), 'utf8');
    const blocks = [...page.matchAll(/```apache\n([^]*?)```/g)].map(([, block]) => block.trim());
    assert.deepEqual(blocks.map((block) => block.split(/[\s:]/, 2).join(' ')).sort(), [
      'EntraClientAssertion file', 'EntraClientAssertion managed-identity', 'EntraClientAssertion workload-identity',
      'EntraClientCertificate /etc/apache2/entra/client-cert.pem', 'EntraClientCertificate /etc/apache2/entra/client-cert.pem',
      'EntraClientSecret "exec', 'EntraClientSecret credential', 'EntraClientSecret env', 'EntraClientSecret file',
    ]);
    const pair = makePair();
    const emu = await startEmulator({ auto: 'ada' });
    const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-manual-'));
    try {
      chmodSync(folder, 0o755);
      const { token, issuer, subject } = await emu.control('serviceaccount', { namespace: 'web', name: 'httpd', audience: EXCHANGE });
      const trusted = [{ issuer, subject, audiences: [EXCHANGE] }, { issuer: `${emu.url}/${CONTOSO}/v2.0`, subject: web.principalId, audiences: [EXCHANGE] }];
      await emu.control('client', { client_id: CLIENT, set: { certificates: [pair.cert], federated: trusted } });
      for (const [name, content, mode] of [
        ['client-secret', `${CLIENT_SECRET}\n`, 0o600], ['client-cert.pem', pair.cert, 0o644], ['client-key.pem', pair.key, 0o600],
        ['entra-secret', `#!/bin/sh\n[ "$1" = intranet ] && echo '${CLIENT_SECRET}'\n`, 0o700], ['entra-client-secret', CLIENT_SECRET, 0o600],
        ['entra', token, 0o644], ['azure-identity-token', token, 0o644],
      ]) {
        writeFileSync(path.join(folder, name), content, { mode });
        chmodSync(path.join(folder, name), mode);
      }
      for (const block of blocks) {
        const lines = block.replaceAll(/(\/etc\/apache2\/entra|\/usr\/local\/sbin|\/var\/run\/secrets\/tokens)\//g, `${folder}/`)
          .replace('7a2e9f54-0000-4000-8000-c18d3b6e4f22', web.clientId);
        const site = await startSite({
          emu,
          directives: { EntraClientSecret: null },
          extra: lines,
          env: { ENTRA_CLIENT_SECRET: CLIENT_SECRET, CREDENTIALS_DIRECTORY: folder, AZURE_FEDERATED_TOKEN_FILE: path.join(folder, 'azure-identity-token'), AZURE_POD_IDENTITY_AUTHORITY_HOST: emu.url },
        });
        await signsIn(site, block);
        await site.stop();
      }
    } finally {
      await emu.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  // ---- the configuration -----------------------------------------------------------------------------------------------------

  describe('mistakes are named', () => {
    const ASSERTION = (rest) => ({ EntraClientSecret: null, EntraClientAssertion: `managed-identity${rest}` });
    const SERVICE = { IDENTITY_ENDPOINT: 'http://169.254.129.2:8081/msi/token', IDENTITY_HEADER: 'x' };
    for (const [what, number, env, directives, mend] of [
      ['a stand-in of IMDS on another machine', 4041, { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://10.0.0.1' }, ASSERTION(` ${web.clientId}`), /unset it/],
      ['a stand-in of IMDS with a path', 4041, { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1/x' }, ASSERTION(` ${web.clientId}`), /a path is not allowed/],
      ['an endpoint on another machine', 4042, { ...SERVICE, IDENTITY_ENDPOINT: 'https://evil.example/msi/token' }, ASSERTION(` ${web.clientId}`), /loopback or link-local/],
      ['App Service without a client ID', 4043, SERVICE, ASSERTION(''), /user-assigned identity/],
      ['Azure Arc', 4044, { IDENTITY_ENDPOINT: 'http://127.0.0.1:40342/metadata/identity/oauth2/token' }, ASSERTION(` ${web.clientId}`), /write EntraClientCertificate/],
    ]) {
      test(`ENTRA${number}: ${what}`, () => {
        const { status, output } = siteConfigtest({ directives, env });
        assert.notEqual(status, 0, output);
        assert.match(output, new RegExp(`ENTRA${number}: EntraClientAssertion: .*${mend.source}.* in localhost|ENTRA${number}: EntraClientAssertion: .*${mend.source}`));
      });
    }

    test('right environments pass; without a client ID IMDS is a warning', () => {
      for (const [env, rest, warning] of [[SERVICE, ` ${web.clientId}`, false], [{ AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://169.254.169.254/' }, ` ${web.clientId}`, false], [{}, '', true]]) {
        const { status, output } = siteConfigtest({ directives: ASSERTION(rest), env });
        assert.equal(status, 0, output);
        assert.equal(/ENTRA4045: EntraClientAssertion: /.test(output), warning, output);
      }
    });

    test('a third word that is no algorithm; a certificate that ends soon', () => {
      const soon = makePair({ days: 20 });
      const later = makePair({ days: 40 });
      const files = { 'soon.pem': secretFile(soon.both), 'later.pem': secretFile(later.both) };
      const judge = (value) => siteConfigtest({ files, directives: { EntraClientSecret: null, EntraClientCertificate: value } });
      for (const value of ['soon.pem soon.pem ES256', 'soon.pem soon.pem soon.pem']) {
        const { status, output } = judge(value);
        assert.notEqual(status, 0);
        assert.match(output, /EntraClientCertificate.*PS256 or RS256/);
      }
      const { status, output } = judge('soon.pem');
      assert.equal(status, 0, output);
      assert.match(output, /ENTRA4040: EntraClientCertificate: the certificate expires on \d{4}-\d\d-\d\dT.*upload it/);
      assert.doesNotMatch(judge('later.pem').output, /ENTRA40/);
    });
  });

  // ---- renewal without a restart ---------------------------------------------------------------------------------------------

  const newKey = () => ({ id: randomBytes(4).toString('hex'), line() { return `key ${this.id} ${randomBytes(32).toString('base64url')} ${new Date().toISOString().slice(0, 19)}Z\n`; } });
  const sealerOf = (browser) => Buffer.from(browser.cookies.all.find(({ name }) => name.endsWith('Entra-Session')).value, 'base64url').subarray(1, 5).toString('hex');

  for (const [mpm, source] of [['event', 'file'], ['prefork', 'credential']]) {
    describe(`renewal, ${mpm}`, { skip: hasModule(`mpm_${mpm}`) ? false : `there is no ${mpm}` }, () => {
      test(`keys of cookies and a secret (${source}:) change under a running httpd; bad files change nothing`, async () => {
        const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-secret-'));
        const secret = path.join(folder, 'app-secret');
        writeFileSync(secret, CLIENT_SECRET, { mode: 0o600 });
        try {
          const site = await startSite({
            mpm,
            env: { CREDENTIALS_DIRECTORY: folder },
            directives: { EntraClientSecret: source === 'file' ? `"file:${secret}"` : 'credential:app-secret' },
          });
          const { pid } = site.httpd;
          const children = site.httpd.children();
          const old = await site.signedIn();
          const under = site.browser();
          const held = await site.begin(under);

          // 1. A new first key, and another secret: here and at Entra.
          const file = readFileSync(site.httpd.keyFile, 'utf8');
          const added = newKey();
          const line = added.line();
          let wait = marker(site);
          replace(site, site.httpd.keyFile, `# rotated\n${line}${file}`);
          replace(site, secret, 'another~secret.2');
          await site.emu.control('client', { client_id: CLIENT, set: { secrets: [{ value: 'another~secret.2' }] } });
          await Promise.all([wait(/ENTRA2030: \S*cookie\.keys was changed/), wait(/ENTRA2030: \S*app-secret was changed/)]);
          for (let i = 0; i < 8; i += 1) assert.equal((await old.navigate(site.at('/page.html'), { follow: false })).status, 200, 'the session under the old key goes on');
          assert.equal((await under.resume(held)).status, 200, 'a sign-in under way goes on, with the new secret');
          const fresh = await site.signedIn();
          assert.equal(sealerOf(fresh), added.id, 'new sessions are sealed by the new key');
          assert.notEqual(sealerOf(old), added.id);

          // A process that is born now has them too, although its parent read another file at the start.
          if (mpm === 'prefork') {
            const killed = site.httpd.children();
            for (const child of killed) process.kill(child, 'SIGKILL');
            await until('new children', () => { const now = site.httpd.children(); return now.length > 0 && now.every((child) => !killed.includes(child)); });
            await until('the page', async () => (await fresh.navigate(site.at('/page.html'), { follow: false }).catch(() => ({}))).status === 200);
            await signsIn(site, 'in a new process, with the new secret');
          }

          // 2. What is no good is told once, and changes nothing.
          site.httpd.expect(/ENTRA2031: \S*cookie\.keys was changed, but cannot be used: .*ENTRA1043/, /ENTRA2031: \S*app-secret was changed, but cannot be used: .*ENTRA1331.*0644/);
          wait = marker(site);
          replace(site, site.httpd.keyFile, `${line}rubbish\n`);
          replace(site, secret, 'a-secret-for-everyone', 0o644);
          await Promise.all([wait(/ENTRA2031: \S*cookie\.keys/), wait(/ENTRA2031: \S*app-secret/)]);
          assert.equal((await old.navigate(site.at('/page.html'), { follow: false })).status, 200);
          await signsIn(site, 'with the last good secret');

          // 3. The old key removed; the secret as it was.
          wait = marker(site);
          replace(site, site.httpd.keyFile, line);
          replace(site, secret, 'another~secret.2\n');
          await Promise.all([wait(/ENTRA2030: \S*cookie\.keys/), wait(/ENTRA2036: \S*app-secret is good again/)]);
          assert.equal((await fresh.navigate(site.at('/page.html'), { follow: false })).status, 200);
          for (let i = 0; i < 4; i += 1) assert.equal((await old.navigate(site.at('/page.html'), { follow: false })).status, 302, 'the key of this session has gone');
          await signsIn(site, 'anew');

          const log = site.httpd.errorLog();
          assert.equal(log.match(/ENTRA2031/g).length, 2, 'each once');
          for (const text of ['another~secret.2', 'a-secret-for-everyone', line.split(' ')[2]]) assert.ok(!log.includes(text));
          assert.equal(site.httpd.pid, pid);
          if (mpm !== 'prefork') assert.ok(site.httpd.children().some((child) => children.includes(child)), 'the processes are those of the start');
          await site.stop();
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      });

      test('a certificate changes: the one before serves until Entra knows the new one, over a reload too', async () => {
        const [first, second, third] = [makePair(), makePair(), makePair()];
        const site = await startSite({ mpm, directives: { EntraClientID: CERT_CLIENT, EntraClientSecret: null, EntraClientCertificate: 'cert.pem key.pem' }, files: { 'cert.pem': secretFile(first.cert, 0o644), 'key.pem': secretFile(first.key) } });
        const registered = (...pairs) => site.emu.control('client', { client_id: CERT_CLIENT, set: { certificates: pairs.map(({ cert }) => cert) } });
        const put = ({ cert, key }) => { replace(site, 'key.pem', key); replace(site, 'cert.pem', cert, 0o644); };
        /** Statuses of the token requests of one sign-in. */
        const statuses = async (what) => {
          const before = tokenRequests(site).length;
          await signsIn(site, what);
          return tokenRequests(site).slice(before).map(({ status }) => status);
        };
        await registered(first);
        assert.deepEqual(await statuses('the first one'), [200]);

        // 1. New here, unknown at Entra.
        site.httpd.expect(/ENTRA2034: Entra does not know the new certificate in \S*cert\.pem.*upload/);
        site.httpd.allow(/ENTRA2031: \S*cert\.pem was changed, but cannot be used: .*not the certificate's/); // caught between the two files
        let wait = marker(site);
        put(second);
        await wait(/ENTRA2030: \S*cert\.pem was changed/);
        assert.deepEqual(await statuses('with the one before'), [401, 200]);
        assert.deepEqual(await statuses('which comes first for a while'), [200]);
        await wait(/ENTRA2034: /);

        // 2. Known at Entra, where the old one is gone.
        await registered(second);
        assert.deepEqual(await statuses('with the new one, after the old one was refused'), [401, 200]);
        assert.deepEqual(await statuses('with the new one'), [200]);

        // 3. A third one, unknown, and httpd reloaded at once, as renewal tools do.
        put(third);
        await site.httpd.graceful();
        assert.deepEqual(await statuses('after the reload, with the one before'), [401, 200]);
        await registered(second, third);

        // 4. One that has ended is not taken.
        site.httpd.expect(/ENTRA2031: \S*cert\.pem was changed, but cannot be used: .*expired on/);
        wait = marker(site);
        put(makePair({ days: -1 }));
        await wait(/ENTRA2031: \S*cert\.pem.*expired on/);
        assert.equal((await statuses('with what was there before')).at(-1), 200);
        await site.stop();
      });
    });
  }

  test('the end of a certificate is told thirty days ahead, once a day, and when it has come', { skip: noClock }, async () => {
    const pair = makePair({ days: 40 });
    const site = await startSite({ clock: true, directives: { EntraClientID: CERT_CLIENT, EntraClientSecret: null, EntraClientCertificate: 'both.pem' }, files: { 'both.pem': secretFile(pair.both) } });
    const told = (number) => (site.httpd.errorLog().match(new RegExp(`ENTRA${number}`, 'g')) ?? []).length;
    assert.equal(told(2032), 0);
    // Its clock does not move alone: Entra is out of reach for one that is days ahead, which is not the subject here.
    site.httpd.allow(/ENTRA1[01]\d\d: /);
    site.httpd.expect(/ENTRA2032: the certificate in \S*both\.pem expires on \d{4}-.*upload it/, /ENTRA2033: the certificate in \S*both\.pem expired on \d{4}-/);
    site.httpd.clock.forward(11 * DAY);
    await until('the first warning', () => told(2032) === 1, LOOK);
    site.httpd.clock.forward(DAY + 60);
    await until('the second warning', () => told(2032) === 2, LOOK);
    site.httpd.clock.forward(29 * DAY);
    await until('the end', () => told(2033) === 1, LOOK);
    assert.equal(told(2032), 2, 'a day has one warning');
    await site.stop();
  });
});
