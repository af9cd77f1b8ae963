// SPDX-License-Identifier: Apache-2.0
// EntraTenantWatch: whose account was disabled, deleted or had its sign-ins revoked is out within one interval, without a request of
// theirs and without SCIM, at one question to Graph for the whole cluster.

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after, before, describe } from 'node:test';
import { startEmulator } from '../emulator/server.mjs';
import { startEcho } from './lib/echo.mjs';
import { noClock } from './lib/clock.mjs';
import { missing } from './lib/httpd.mjs';
import { CLIENT, CONTOSO, siteConfigtest, startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const INTERVAL = 30;
const ALL_READ = /ENTRA2082: tenant watch: all users of the tenant [0-9a-f-]{36} have been read/;

const deltas = (site) => site.emu.stats().graph.usersDelta?.calls ?? 0;
/** Delta queries so far, of those that reached Graph's code and those that a fault answered. */
const asked = (site) => site.emu.stats().requests.filter(({ path: at }) => at?.includes('/users/delta'));
const refreshes = (site) => site.emu.stats().grants.refresh_token?.calls ?? 0;

async function forward(site, seconds) {
  site.httpd.clock.forward(seconds);
  await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
}

/** One interval goes by, and the turn that it brings is over. */
async function turn(site, { seconds = INTERVAL + 1 } = {}) {
  const before = deltas(site);
  await forward(site, seconds);
  await until(() => `a turn; log:\n${site.httpd.errorLog().slice(-2000)}`, () => deltas(site) > before);
}

const statusOf = async (site, browser) => (await browser.navigate(site.at('/page.html'), { follow: false })).status;
const isOut = (site, browser) => until(() => `the end; log:\n${site.httpd.errorLog().slice(-2000)}`, async () => (await statusOf(site, browser)) === 302);

const client = (set = {}) => ({ id: CLIENT, graphPermissions: ['User.Read.All'], ...set });

/** A site whose tenant is watched, and whose first enumeration is over unless `reads` is false. */
async function watched({ reads = true, directives, clients = [client()], crowd, ...options } = {}) {
  const emu = await startEmulator({ auto: 'ada', config: { clients } });
  if (crowd) await emu.control('crowd', { count: crowd });
  const site = await startSite({
    clock: true,
    emu,
    directives: { EntraTenantWatch: `${INTERVAL}s`, EntraSessionRevalidate: 'off', EntraSessionIdleTimeout: 'off', ...directives },
    extra: `EntraGraphURL ${emu.url}`,
    ...options,
  });
  const { stop } = site;
  site.stop = async (...args) => { try { await stop.apply(site, args); } finally { await emu.close(); } };
  if (reads) await site.httpd.waitForLog(ALL_READ);
  return site;
}

describe('the tenant watch', { skip: missing || noClock }, () => {
  let backend;
  before(async () => { backend = await startEcho(); });
  after(async () => { await backend?.close(); });

  test('a disabled user is out within one interval, and nobody else', async () => {
    const site = await watched({ backend });
    const ada = await site.signedIn();
    const again = await site.signedIn();
    const root = await site.signedIn({ user: 'root' });
    await site.emu.control('event', { user: 'ada', event: 'disable' });
    await turn(site);
    await isOut(site, ada);
    await isOut(site, again);
    assert.equal(await statusOf(site, root), 200);
    assert.equal(refreshes(site), 0);
    await site.httpd.waitForLog(/ENTRA2084: tenant watch: disabled: 2 sessions ended: oid [0-9a-f-]{36}, tid 7f3a1c52-/);
    await site.stop();
  });

  test('revoked sign-ins: sessions from before end, one from after lives, also over further changes', async () => {
    const site = await watched({ backend });
    const before = await site.signedIn();
    await forward(site, 5);
    await site.emu.control('event', { user: 'ada', event: 'revoke' });
    await forward(site, 5);
    const afterwards = await site.signedIn();
    await turn(site);
    await isOut(site, before);
    assert.equal(await statusOf(site, afterwards), 200);
    // Another change of the same user brings the same revocation along.
    await site.emu.control('event', { user: 'ada', event: 'disable' });
    await site.emu.control('event', { user: 'ada', event: 'enable' });
    await turn(site);
    await turn(site);
    assert.equal(await statusOf(site, afterwards), 200);
    assert.match(site.httpd.errorLog(), /ENTRA2084: tenant watch: revoked: 1 sessions ended/);
    await site.stop();
  });

  for (const [name, skew] of Object.entries({ 'a minute behind': -60, 'a minute ahead': 60 })) {
    test(`a clock that is ${name} spares nobody and hits nobody`, async () => {
      const site = await watched({ backend });
      const shift = async (seconds) => { site.httpd.clock.forward(seconds); await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift - skew }); };
      await shift(0);
      const before = await site.signedIn();
      await shift(10);
      await site.emu.control('event', { user: 'ada', event: 'revoke' });
      await shift(10);
      const afterwards = await site.signedIn();
      const turns = deltas(site);
      await shift(INTERVAL + 1);
      await until('a turn', () => deltas(site) > turns);
      await isOut(site, before);
      assert.equal(await statusOf(site, afterwards), 200);
      await site.stop();
    });
  }

  test('a deleted user is out, one in the bin and one that is gone for good', async () => {
    const site = await watched({ backend });
    const ada = await site.signedIn();
    const root = await site.signedIn({ user: 'root' });
    await site.emu.control('event', { user: 'ada', event: 'delete' });
    await site.emu.control('event', { user: 'root', event: 'delete', permanent: true });
    await turn(site);
    await isOut(site, ada);
    await isOut(site, root);
    await until('both lines', () => site.httpd.errorLog().match(/ENTRA2084: tenant watch: deleted/g)?.length === 2);
    await site.stop();
  });

  test('a missing permission is told once and ends nothing; once it is there, those who were disabled before are out', async () => {
    const site = await watched({ backend, reads: false, clients: [client({ graphPermissions: [] })] });
    site.httpd.expect(/ENTRA1470/);
    const ada = await site.signedIn();
    const root = await site.signedIn({ user: 'root' });
    await site.httpd.waitForLog(/ENTRA1470/);
    await site.emu.control('event', { user: 'ada', event: 'disable' });
    for (let i = 0; i < 3; i += 1) {
      await turn(site);
      assert.equal(await statusOf(site, ada), 200);
    }
    assert.equal(site.httpd.errorLog().match(/ENTRA1470/g).length, 1);
    await site.emu.control('client', { client_id: CLIENT, set: { graphPermissions: ['User.Read.All'] } });
    await turn(site);
    await site.httpd.waitForLog(/ENTRA2083: the tenant watch works again/);
    await isOut(site, ada);
    assert.equal(await statusOf(site, root), 200);
    await site.stop();
  });

  test('a tenant of 2,500 users is read page by page, and then asked about changes alone', async () => {
    const site = await watched({ backend, crowd: 2500 });
    const pages = deltas(site);
    assert.ok(pages >= 13, `${pages} pages`);
    const ada = await site.signedIn();
    await turn(site);
    assert.equal(deltas(site), pages + 1);
    await site.emu.control('event', { user: 'ada', event: 'disable' });
    await turn(site);
    assert.equal(deltas(site), pages + 2);
    await isOut(site, ada);
    // One token of the application for all of it.
    assert.equal(site.emu.stats().grants.client_credentials.calls, 1);
    await site.stop();
  });

  test('more pages than one turn reads go on at once where it stopped', async () => {
    const emu = { deltaPageSize: 10 };
    const site = await watched({ backend, reads: false, clients: [client()], crowd: 1200 });
    await site.emu.control('limits', emu);
    await site.httpd.waitForLog(ALL_READ, { timeout: 30_000 });
    await site.emu.control('delta', { expire: true });
    const before = deltas(site);
    await turn(site);
    await until('all pages once more', () => site.httpd.errorLog().match(new RegExp(ALL_READ, 'g')).length === 2, { timeout: 30_000 });
    assert.ok(deltas(site) - before > 120, `${deltas(site) - before} pages`);
    const starts = asked(site).filter(({ query }) => !query?.some((name) => /token/.test(name))).length;
    assert.ok(starts <= 2, `${starts} enumerations began`);
    await site.stop();
  });

  test('an expired link (410): all users are read anew, and who was disabled meanwhile is out', async () => {
    const site = await watched({ backend });
    const ada = await site.signedIn();
    const root = await site.signedIn({ user: 'root' });
    await site.emu.control('event', { user: 'ada', event: 'disable' });
    await site.emu.control('delta', { expire: true });
    await turn(site);
    await isOut(site, ada);
    assert.equal(await statusOf(site, root), 200);
    await site.httpd.waitForLog(/ENTRA2085: tenant watch/);
    const after410 = deltas(site);
    await turn(site);
    assert.equal(deltas(site), after410 + 1);
    await site.stop();
  });

  const failures = {
    '429 with Retry-After': [{ operation: 'usersDelta', status: 429, error: { code: 'TooManyRequests' }, headers: { 'Retry-After': '90' }, count: 1 }, /ENTRA1432/],
    'a link to another host': [{ operation: 'usersDelta', unset: ['@odata.deltaLink'], nextLink: 'https://evil.test/v1.0/users/delta?$skiptoken=x', count: 1 }, /ENTRA1434/],
    'a link to another question': [{ operation: 'usersDelta', unset: ['@odata.deltaLink'], nextLink: '{{base}}/v1.0/users?$skiptoken=x', count: 1 }, /ENTRA1434/],
    'no link at all': [{ operation: 'usersDelta', unset: ['@odata.deltaLink'], count: 1 }, /ENTRA1434/],
    'a page that is no list': [{ operation: 'usersDelta', set: { value: {} }, count: 1 }, /ENTRA1434/],
    'a user without an id': [{ operation: 'usersDelta', add: [{ accountEnabled: false }], count: 1 }, /ENTRA1434/],
    'an outage': [{ operation: 'usersDelta', status: 503, error: { code: 'ServiceUnavailable' }, count: 1 }, /ENTRA1433/],
    'a refused token': [{ operation: 'usersDelta', status: 401, error: { code: 'InvalidAuthenticationToken' }, count: 2 }, /ENTRA1471/],
  };
  for (const [name, [shape, line]] of Object.entries(failures)) {
    test(`${name}: told once, nobody is signed out, and the next turn catches up`, async () => {
      const site = await watched({ backend });
      const ada = await site.signedIn();
      const root = await site.signedIn({ user: 'root' });
      site.httpd.expect(line);
      await site.emu.control('graph', shape);
      await turn(site);
      await site.httpd.waitForLog(line);
      assert.equal(await statusOf(site, ada), 200);
      await site.emu.control('event', { user: 'ada', event: 'disable' });
      if (shape.status === 429) {
        const calls = deltas(site);
        await forward(site, INTERVAL + 1);
        await forward(site, INTERVAL + 1);
        assert.equal(await statusOf(site, ada), 200);
        assert.equal(deltas(site), calls, 'Retry-After is obeyed');
      }
      await turn(site);
      await isOut(site, ada);
      assert.equal(await statusOf(site, root), 200);
      await site.httpd.waitForLog(/ENTRA2083/);
      assert.equal(site.httpd.errorLog().match(new RegExp(line, 'g')).length, 1);
      await site.stop();
    });
  }

  test('a hanging Graph delays neither requests nor the endings of sessions', async () => {
    const site = await watched({ backend });
    const ada = await site.signedIn();
    const root = await site.signedIn({ user: 'root' });
    site.httpd.allow(/ENTRA1052/);
    await site.emu.control('fault', { endpoint: 'graph', hang: true });
    await forward(site, INTERVAL + 1);
    await until('the question', () => site.emu.stats().endpoints.graph > deltas(site));
    const began = Date.now();
    assert.equal((await root.navigate(site.at('/.entra/logout'), { method: 'POST', body: '', from: site.at('/page.html'), follow: false })).status, 302);
    for (let i = 0; i < 20; i += 1) assert.equal(await statusOf(site, ada), 200);
    assert.equal(await statusOf(site, root), 302);
    assert.ok(Date.now() - began < 9000, 'the call itself would take ten seconds');
    await site.emu.control('fault', undefined, 'DELETE');
    await site.stop();
  });

  test('a restart goes on from the kept link, also with what happened while it was down', async () => {
    const site = await watched({ backend });
    const ada = await site.signedIn();
    await site.httpd.halt();
    await site.emu.control('event', { user: 'ada', event: 'disable' });
    const before = deltas(site);
    await site.httpd.start();
    await turn(site);
    await isOut(site, ada);
    await site.httpd.graceful();
    await turn(site);
    const later = asked(site).slice(before);
    assert.ok(later.length >= 2);
    for (const { query } of later) assert.ok(query.includes('$deltatoken'), JSON.stringify(query));
    assert.equal(site.httpd.errorLog().match(new RegExp(ALL_READ, 'g')).length, 1);
    await site.stop();
  });

  test('a link in the database that leads elsewhere gets no token', async () => {
    const site = await watched({ backend });
    const { spawnSync } = await import('node:child_process');
    await site.httpd.halt();
    const sql = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute(\"UPDATE entra_watch SET link = 'https://evil.test/v1.0/users/delta?x=1', claimed_until = 0\")\nc.commit()";
    assert.equal(spawnSync('python3', ['-c', sql, `${site.httpd.stateDir}/database/entra.db`]).status, 0);
    await site.httpd.start();
    await site.httpd.waitForLog(/ENTRA2085/);
    await until('the second enumeration', () => site.httpd.errorLog().match(new RegExp(ALL_READ, 'g')).length === 2);
    await site.stop();
  });

  test('its token is in no line of the log and not in the database', async () => {
    const site = await watched({ backend });
    await turn(site);
    const tokens = site.emu.stats().secrets.access_tokens;
    assert.ok(tokens.length >= 1);
    const places = [site.httpd.errorLog(), ...['entra.db', 'entra.db-wal'].map((file) => readFileSync(`${site.httpd.stateDir}/database/${file}`, 'latin1'))];
    for (const token of tokens) for (const place of places) assert.ok(!place.includes(token.split('.')[1].slice(0, 60)));
    await site.stop();
  });
});

describe('the tenant watch of a cluster', { skip: missing || noClock }, () => {
  test('two nodes ask once an interval together, and when one goes the other goes on', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-watch-'));
    chmodSync(folder, 0o777);
    const shared = { serverName: 'https://app.test', names: { 'https://app.test': 'httpd' }, redirectHosts: ['app.test'], directives: { EntraDatabase: `"sqlite3:${path.join(folder, 'entra.db')}"` } };
    const one = await watched(shared);
    const two = await startSite({
      clock: true,
      ...shared,
      emu: one.emu,
      directives: { ...shared.directives, EntraTenantWatch: `${INTERVAL}s`, EntraSessionRevalidate: 'off', EntraSessionIdleTimeout: 'off' },
      extra: `EntraGraphURL ${one.emu.url}`,
      files: { 'state/cookie.keys': { content: readFileSync(one.httpd.keyFile), mode: 0o600 } },
    });
    const both = async (seconds) => { two.httpd.clock.forward(seconds); await forward(one, seconds); };
    const rounds = 4;
    const before = deltas(one);
    for (let i = 1; i <= rounds; i += 1) {
      await both(INTERVAL + 1);
      await until('a turn', () => deltas(one) >= before + i);
      assert.equal(deltas(one), before + i);
    }
    const browser = two.browser();
    assert.equal((await browser.navigate('https://app.test/page.html')).status, 200);
    await one.emu.control('event', { user: 'ada', event: 'disable' });
    await both(INTERVAL + 1);
    await until('the end on the node of the session', async () => (await browser.navigate('https://app.test/page.html', { follow: false })).status === 302);
    assert.equal(deltas(one), before + rounds + 1);
    await one.httpd.halt();
    await both(INTERVAL + 1);
    await until('the other node', () => deltas(one) === before + rounds + 2);
    await two.stop();
    await one.stop();
    rmSync(folder, { recursive: true, force: true });
  });
});

describe('its configuration', { skip: missing }, () => {
  const rows = {
    'an interval of seconds': [{ EntraTenant: CONTOSO, EntraTenantWatch: '29s' }, /ENTRA4088: EntraTenantWatch/],
    'an interval beyond every session': [{ EntraTenant: CONTOSO, EntraTenantWatch: '9h' }, /ENTRA4088: EntraTenantWatch/],
    'several tenants': [{ EntraTenant: 'organizations', EntraAllowedTenants: CONTOSO, EntraTenantWatch: '1m' }, /ENTRA4089: EntraTenantWatch/],
    'personal accounts': [{ EntraTenant: 'consumers', EntraTenantWatch: '1m' }, /ENTRA4089: EntraTenantWatch/],
  };
  for (const [name, [directives, line]] of Object.entries(rows)) {
    test(`${name}: refused at configtest`, () => {
      const { status, output } = siteConfigtest({ directives });
      assert.notEqual(status, 0);
      assert.match(output, line);
    });
  }

  test('off, and usual intervals, are fine', () => {
    for (const value of ['off', '30s', '2m', '8h']) {
      const { status, output } = siteConfigtest({ directives: { EntraTenantWatch: value } });
      assert.equal(status, 0, output);
    }
  });
});
