// SPDX-License-Identifier: Apache-2.0
// EntraAuditLog: one JSON line for each decision, into a file or a program; what is in it, what never is, and what becomes of a line that
// cannot be written.

import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after, before, beforeEach, describe } from 'node:test';
import { startEmulator } from '../emulator/server.mjs';
import { CLIENT, CONTOSO, groups as known, OTHER_CLIENT, users as people } from '../emulator/tenants.mjs';
import { noClock } from './lib/clock.mjs';
import { entraSso, noCommand } from './lib/command.mjs';
import { mountDisk, noDisk } from './lib/disk.mjs';
import { missing, MPM } from './lib/httpd.mjs';
import { makeToken, Scim } from './lib/scim.mjs';
import { entraLines, isCallback, siteConfigtest, startSite, trySite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const person = (key) => people.find((user) => user.key === key);
const ada = person('ada');
const finance = known.find(({ key }) => key === 'finance').id;
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const LOG = 'logs/audit.json';
const SERVICE = '9d2e5f7a-3333-4000-8000-00000000000a';
// The second is of httpd itself, when a graceful restart ends the program of a pipe.
const REFUSED_BY_HTTPD = /AH01(629|63[01])|AH00(167|318|488)/;
// How a test reads Entra's name of a session.
const SID = { location: 'EntraEnv ENTRA_SID "%{sid}"', files: { 'cgi/sid': { content: '#!/bin/sh\nprintf \'Content-Type: text/plain\\r\\n\\r\\n\'\necho "$ENTRA_SID"\n', mode: 0o755 } } };
const MINUTE = 60;

const SECTIONS = `
<Location "/app/admin/">
  Require entra-role app.admin
</Location>
<Location "/app/finance/">
  <RequireAll>
    Require entra-group ${finance}
    Require entra-role app.admin
  </RequireAll>
</Location>
<Location "/app/c1/">
  Require entra-acr c1
</Location>
<Location "/app/api/">
  EntraBearer ${CLIENT}
</Location>`;

/** All lines of a log, each of which must be JSON and have what every line has. */
function read(file) {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  assert.ok(text === '' || text.endsWith('\n'), `the log ends in the middle of a line: ${text.slice(-200)}`);
  return text.split('\n').slice(0, -1).map((line) => {
    const event = JSON.parse(line);
    assert.match(line, /^[\x20-\x7e]+$/);
    assert.ok(line.length < 4096);
    assert.match(event['@timestamp'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    for (const field of ['ecs.version', 'event.action', 'event.module', 'event.kind', 'event.dataset', 'service.name']) assert.equal(typeof event[field], 'string', `${field} in ${line}`);
    assert.match(event['event.outcome'], /^(success|failure)$/);
    assert.ok(event['event.category'].length === 1 && event['event.type'].length >= 1, line);
    return event;
  });
}

const logOf = (site, name = LOG) => read(site.httpd.path(name));
const actionsOf = (events) => events.map((event) => event['event.action']);

/** The events that `step` brought, once there are so many. */
async function eventsOf(site, step, count, name = LOG) {
  const had = logOf(site, name).length;
  const result = await step();
  const events = await until(() => `${count} events; there are ${JSON.stringify(logOf(site, name).slice(had))}\n${site.httpd.errorLog().slice(-1500)}`, () => {
    const added = logOf(site, name).slice(had);
    return added.length >= count && added;
  });
  assert.equal(events.length, count, JSON.stringify(events));
  return Object.assign(events, { result });
}

const start = ({ directives, extra = '', ...options } = {}) => startSite({
  allowLog: [REFUSED_BY_HTTPD],
  ...options,
  directives: { EntraAuditLog: LOG, ...directives },
  extra: (server, parts) => SECTIONS + (typeof extra === 'function' ? extra(server, parts) : extra),
});

/** A disk that can be filled, in a folder of its own. */
function smallDisk() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-audit-'));
  const disk = mountDisk(folder);
  return { folder, fill: () => disk.fill(), free: () => disk.free(), remove() { disk.unmount(); rmSync(folder, { recursive: true }); } };
}

/** Both clocks go forward. */
async function forward(site, seconds) {
  site.httpd.clock.forward(seconds);
  await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
}

const signOut = (site, browser, query = '?rd=/public/') => browser.navigate(site.at(`/.entra/logout${query}`), { method: 'POST', body: '', from: site.at('/page.html'), follow: false });

/** What a log of requests knows of a browser's request, in an event. */
function assertRequest(site, event, method, at) {
  assert.equal(event['source.ip'], '127.0.0.1');
  assert.equal(event['http.request.method'], method);
  assert.equal(event['url.path'], at);
  assert.equal(event['service.name'], site.httpd.origin);
  assert.match(event['user_agent.original'] ?? '', /./);
}

function assertUser(event, user = ada) {
  assert.equal(event['user.id'], user.oid);
  assert.equal(event['user.name'], user.upn);
  assert.equal(event['user.domain'], user.upn.split('@')[1]);
  assert.equal(event['organization.id'], CONTOSO);
}

describe('the audit log', { skip: missing }, () => {
  let site;

  before(async () => { site = await start({ ...SID, processes: MPM === 'prefork' ? 4 : 2 }); });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); });

  test('a sign-in is one line; a request with a session is none', async () => {
    const events = await eventsOf(site, () => site.signedIn(), 1);
    const [event] = events;
    assert.equal(event['event.action'], 'sign-in');
    assert.equal(event['event.outcome'], 'success');
    assert.equal(event['event.code'], 'ENTRA2001');
    assert.deepEqual(event['event.category'], ['authentication']);
    assertUser(event);
    assertRequest(site, event, 'GET', '/.entra/callback');
    assert.match(event['session.id'], /^[0-9a-f]{8}$/);
    assert.match(event['trace.id'], GUID);
    assert.match(site.httpd.errorLog(), new RegExp(`ENTRA2001: signed in: .*session ${event['session.id']} \\[id ${event['trace.id']}\\]`));
    const had = logOf(site).length;
    for (let i = 0; i < 20; i += 1) assert.equal((await events.result.navigate(site.at('/page.html'))).status, 200);
    assert.equal((await site.httpd.request({ path: '/page.html', headers: { Accept: 'application/json' } })).status, 401, 'nobody in particular');
    assert.equal(logOf(site).length, had);
  });

  test('a sign-in that Entra refuses, with its reason and number', async () => {
    await site.emu.control('authorize', { error: 'access_denied', error_description: 'AADSTS50105: not assigned' });
    const [event] = await eventsOf(site, async () => {
      assert.equal((await site.browser().navigate(site.at('/page.html'))).status, 403);
    }, 1);
    assert.equal(event['event.action'], 'sign-in-refused');
    assert.equal(event['event.outcome'], 'failure');
    assert.equal(event['event.code'], 'ENTRA1310');
    assert.equal(event['error.code'], 'AADSTS50105');
    assert.match(event['event.reason'], /Entra refused the sign-in/);
    assert.match(event['trace.id'], /./);
    assert.equal(event['user.id'], undefined);
    assertRequest(site, event, 'GET', '/.entra/callback');
  });

  test('an ID token that is not believed', async () => {
    site.httpd.expect(/ENTRA1258/);
    await site.emu.control('idtoken', { set: { aud: 'someone' } });
    const [event] = await eventsOf(site, () => site.browser().navigate(site.at('/page.html')), 1);
    assert.equal(event['event.action'], 'sign-in-refused');
    assert.equal(event['event.code'], 'ENTRA1258');
  });

  test('an access that is refused, with the rules that said no', async () => {
    const browser = await site.signedIn();
    const [role] = await eventsOf(site, async () => { assert.equal((await browser.navigate(site.at('/app/admin/x?token=hidden'))).status, 403); }, 1);
    assert.equal(role['event.action'], 'access-refused');
    assert.equal(role['event.outcome'], 'failure');
    assert.equal(role['event.code'], 'ENTRA1502');
    assert.equal(role['rule.name'], 'entra-role app.admin');
    assertUser(role);
    assertRequest(site, role, 'GET', '/app/admin/x');
    assert.match(role['session.id'], /^[0-9a-f]{8}$/);
    const [group] = await eventsOf(site, () => browser.navigate(site.at('/app/finance/')), 1);
    assert.match(group['rule.name'], /entra-role app\.admin/);
    assert.equal((await browser.navigate(site.at('/page.html'))).status, 200);
  });

  test('a step-up: the rule that asks for it, and its coming', async () => {
    await site.emu.control('contexts', { contexts: { c1: {} } });
    const browser = await site.signedIn();
    const [asked, came] = await eventsOf(site, async () => { assert.equal((await browser.navigate(site.at('/app/c1/'))).status, 200); }, 2);
    assert.equal(asked['event.action'], 'step-up-required');
    assert.equal(asked['rule.name'], 'entra-acr c1');
    assert.equal(asked['entra.contexts'], 'c1');
    assert.equal(asked['url.path'], '/app/c1/');
    assert.equal(came['event.action'], 'step-up');
    assert.equal(came['event.code'], 'ENTRA2020');
    assert.equal(came['entra.contexts'], 'c1');
    assert.equal(came['session.id'], asked['session.id']);
    assertUser(came);
  });

  test('a sign-out, and sign-out everywhere with each session once', async () => {
    await signOut(site, await site.signedIn(), '?everywhere=1');
    const one = await site.signedIn();
    const [out] = await eventsOf(site, () => signOut(site, one), 1);
    assert.equal(out['event.action'], 'session-ended');
    assert.equal(out['event.reason'], 'sign-out');
    assert.equal(out['event.code'], 'ENTRA2002');
    assert.deepEqual(out['event.type'], ['end']);
    assertUser(out);
    assertRequest(site, out, 'POST', '/.entra/logout');
    const began = logOf(site).length;
    const browsers = [await site.signedIn(), await site.signedIn(), await site.signedIn()];
    const ids = logOf(site).slice(began).map((event) => event['session.id']).sort();
    const all = await eventsOf(site, () => signOut(site, browsers[1], '?everywhere=1'), 3);
    assert.deepEqual(actionsOf(all), ['session-ended', 'session-ended', 'session-ended']);
    assert.deepEqual(all.map((event) => event['session.id']).sort(), ids);
    for (const event of all) {
      assert.equal(event['event.reason'], 'sign-out everywhere');
      assert.equal(event['user.id'], ada.oid);
    }
    // Who has no session any more ends nothing.
    const had = logOf(site).length;
    await signOut(site, browsers[0]);
    assert.equal(logOf(site).length, had);
  });

  test('front-channel logout', async () => {
    const browser = await site.signedIn();
    const { 'session.id': id } = logOf(site).at(-1);
    const sid = (await browser.fetch(site.at('/cgi/sid'), { from: site.at('/page.html') })).text.trim();
    const [event] = await eventsOf(site, async () => {
      assert.equal((await site.httpd.request({ path: `/.entra/frontchannel-logout?sid=${sid}` })).status, 200);
      assert.equal((await site.httpd.request({ path: `/.entra/frontchannel-logout?sid=${sid}` })).status, 200, 'again, which ends nothing');
    }, 1);
    assert.equal(event['event.action'], 'session-ended');
    assert.equal(event['event.reason'], 'front-channel logout');
    assert.equal(event['event.code'], 'ENTRA2073');
    assert.equal(event['session.id'], id);
    assert.equal(event['url.path'], '/.entra/frontchannel-logout');
  });

  test('a bearer token that is refused: none of ours, and one that the rules do not admit', async () => {
    const ask = (token, at) => site.httpd.request({ path: at, headers: { Authorization: `Bearer ${token}`, 'User-Agent': 'robot/1' } });
    const [bad] = await eventsOf(site, async () => { assert.equal((await ask('a.b.c', '/app/api/')).status, 401); }, 1);
    assert.equal(bad['event.action'], 'bearer-refused');
    assert.match(bad['event.code'], /^ENTRA1\d{3}$/);
    assert.equal(bad['user.id'], undefined);
    assert.equal(bad['user_agent.original'], 'robot/1');
    const { token } = await site.emu.control('mint', { kind: 'access', user: null, client_id: OTHER_CLIENT, resource: CLIENT, roles: ['orders.robot'] });
    const [app] = await eventsOf(site, async () => { assert.equal((await ask(token, '/app/api/')).status, 403); }, 1);
    assert.equal(app['event.action'], 'bearer-refused');
    assert.equal(app['event.code'], 'ENTRA1532');
    assert.equal(app['entra.client'], OTHER_CLIENT);
    assert.match(app['rule.name'] ?? app['event.reason'], /entra-app|valid-user/);
  });

  test('hostile names and agents stay one line', async () => {
    const name = `E"v\\e{"event.outcome":"success"}\u202e\u2028😀${'é'.repeat(60)}@contoso.example`;
    await site.emu.control('user', { user: 'ada', set: { upn: name } });
    const agent = `evil\t"\\ ${'\u00e9'.repeat(900)}`;
    const [event] = await eventsOf(site, async () => { assert.equal((await site.browser({ headers: { 'User-Agent': agent } }).navigate(site.at('/page.html'))).status, 200); }, 1);
    assert.equal(event['event.action'], 'sign-in');
    assert.ok(event['user.name'].startsWith('E"v\\e{"event.outcome":"success"}\u202e\u2028😀éé'), event['user.name']);
    assert.match(event['user.name'], /\.\.\.$/);
    assert.equal(event['user.domain'], 'contoso.example');
    assert.ok(event['user_agent.original'].startsWith('evil\t"\\ ') && event['user_agent.original'].endsWith('...'));
    // A path is decoded before it is told: here with a line feed and a quote in it.
    const browser = await site.signedIn();
    const [refused] = await eventsOf(site, () => browser.navigate(site.at('/app/admin/%0a%22%7b%c2%85%ff')), 1);
    assert.equal(refused['event.action'], 'access-refused');
    assert.ok(refused['url.path'].startsWith('/app/admin/\n"{\u0085'), refused['url.path']);
  });

  test('no token, code, cookie, state or query is in it', async () => {
    const browser = site.browser();
    const held = await site.begin(browser, '/page.html?secret=query-4711');
    const code = new URL(held.url).searchParams.get('code');
    const state = new URL(held.url).searchParams.get('state');
    assert.ok(isCallback(held.url) && code && state);
    await eventsOf(site, () => browser.resume(held), 1);
    const cookie = browser.cookies.all.find(({ name }) => /Session/.test(name)).value;
    const text = site.httpd.read(LOG);
    for (const secret of [code, state, cookie.slice(0, 40), 'query-4711', 'eyJ', ...Object.values(site.emu.stats().secrets ?? {}).flat().filter((one) => typeof one === 'string' && one.length > 8)]) {
      assert.ok(!text.includes(secret), `the audit log holds ${secret}`);
    }
  });

  test('the file belongs to root and is closed to others', { skip: process.getuid() !== 0 && 'needs root' }, () => {
    const { mode, uid } = statSync(site.httpd.path(LOG));
    assert.equal(uid, 0);
    assert.equal((mode & 0o777) & ~0o640, 0, (mode & 0o777).toString(8));
  });

  test('processes that write at the same moment never mix lines', async () => {
    const count = 120;
    const had = logOf(site).length;
    await Promise.all(Array.from({ length: count }, (_, i) => site.httpd.request({ path: `/.entra/callback?code=c&state=s${i}`, headers: { Accept: 'text/html', 'User-Agent': `${i} ${'\u00e9'.repeat(400)}` } })));
    const events = await until('all lines', () => { const added = logOf(site).slice(had); return added.length >= count && added; });
    assert.equal(events.length, count);
    const seen = new Set(events.map((event) => event['user_agent.original'].split(' ')[0]));
    assert.equal(seen.size, count, 'each is there once');
  });

  test('a rotated file: a graceful restart goes on in a new one', async () => {
    await eventsOf(site, () => site.signedIn(), 1);
    const rotated = site.httpd.path('logs/audit.1');
    renameSync(site.httpd.path(LOG), rotated);
    const before = read(rotated).length;
    await site.signedIn();
    await until('the old file, until the reload', () => read(rotated).length === before + 1);
    assert.ok(!existsSync(site.httpd.path(LOG)));
    await site.httpd.graceful();
    const events = await eventsOf(site, () => site.signedIn(), 1);
    assert.equal(events[0]['event.action'], 'sign-in');
    assert.equal(read(rotated).length, before + 1);
  });
});

describe('the audit log of endings without a request', { skip: missing || noClock }, () => {
  test('revalidation: a dismissed user', async () => {
    const site = await start({ clock: true });
    const browser = await site.signedIn();
    const { 'session.id': id } = logOf(site).at(-1);
    await site.emu.control('event', { user: 'ada', event: 'disable' });
    await forward(site, 5 * MINUTE + 1);
    const [event] = await eventsOf(site, () => browser.navigate(site.at('/page.html'), { follow: false }), 1);
    assert.equal(event['event.action'], 'session-ended');
    assert.match(event['event.reason'], /^revalidation: /);
    assert.equal(event['event.code'], 'ENTRA2081');
    assert.match(event['error.code'], /^AADSTS\d+$/);
    assert.equal(event['session.id'], id);
    assert.equal(event['entra.actor'], 'Entra');
    assert.equal(event['source.ip'], undefined, 'nobody asked for it');
    assertUser(event);
    await site.stop();
  });

  test('revalidation by way of the browser', async () => {
    const site = await start({ clock: true, directives: { EntraScopes: 'none' } });
    const browser = await site.signedIn();
    const { 'session.id': id } = logOf(site).at(-1);
    await site.emu.control('silent', { error: 'login_required' });
    await forward(site, 5 * MINUTE + 1);
    const [event] = await eventsOf(site, () => browser.navigate(site.at('/page.html'), { stopBefore: (url) => /authorize/.test(url) && !/prompt=none/.test(url) }), 1);
    assert.equal(event['event.action'], 'session-ended');
    assert.equal(event['event.reason'], 'revalidation');
    assert.equal(event['event.code'], 'ENTRA2145');
    assert.equal(event['session.id'], id);
    assertUser(event);
    assert.match(site.httpd.errorLog(), new RegExp(`ENTRA2145: session ended, .*session ${id}`));
    await site.stop();
  });

  test('the tenant watch, each session once', async () => {
    const emu = await startEmulator({ auto: 'ada', config: { clients: [{ id: CLIENT, graphPermissions: ['User.Read.All'] }] } });
    const site = await start({ clock: true, emu, directives: { EntraTenantWatch: '30s', EntraSessionRevalidate: 'off' }, extra: `\nEntraGraphURL ${emu.url}\n` });
    await site.httpd.waitForLog(/ENTRA2082/);
    await site.signedIn();
    await site.signedIn();
    const ids = logOf(site).map((event) => event['session.id']).sort();
    await emu.control('event', { user: 'ada', event: 'disable' });
    const events = await eventsOf(site, () => forward(site, 31), 2);
    assert.deepEqual(events.map((event) => event['session.id']).sort(), ids);
    for (const event of events) {
      assert.equal(event['event.action'], 'session-ended');
      assert.equal(event['event.reason'], 'tenant watch: disabled');
      assert.equal(event['event.code'], 'ENTRA2084');
      assert.equal(event['user.id'], ada.oid);
      assert.equal(event['organization.id'], CONTOSO);
    }
    await site.stop();
    await emu.close();
  });
});

describe('the audit log of the directory', { skip: missing || noCommand }, () => {
  let site;
  let scim;

  before(async () => {
    site = await start({ allowLog: [REFUSED_BY_HTTPD, /ENTRA2102/], directives: { EntraSCIM: 'on', EntraSCIMFederated: `${SERVICE} ${CLIENT}` } });
    scim = new Scim(site, makeToken(site));
  });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); });

  test('users and groups: who, what, which attributes, and no value of them', async () => {
    const [made] = await eventsOf(site, () => scim.user({ userName: 'Grace@contoso.example', externalId: person('root').oid, title: 'secret-title', name: { givenName: 'secret-given' } }), 1);
    const user = { id: made['entra.scim.id'] };
    assert.equal(made['event.action'], 'scim-change');
    assert.deepEqual(made['event.type'], ['user', 'creation']);
    assert.deepEqual(made['event.category'], ['iam']);
    assert.equal(made['event.code'], 'ENTRA2100');
    assert.equal(made['entra.scim.operation'], 'user created');
    assert.equal(made['entra.scim.user_name'], 'Grace@contoso.example');
    assert.equal(made['entra.scim.external_id'], person('root').oid);
    assert.equal(made['entra.scim.active'], true);
    assert.equal(made['user.id'], person('root').oid);
    assert.match(made['entra.actor'], /^SCIM token [0-9a-f]{16}$/);
    for (const name of ['userName', 'externalId', 'title', 'name', 'active']) assert.ok(made['entra.scim.changed'].includes(name), name);
    const [changed] = await eventsOf(site, () => scim.patch(`/Users/${user.id}`, { op: 'replace', path: 'title', value: 'another-secret' }), 1);
    assert.equal(changed['entra.scim.operation'], 'user changed');
    assert.deepEqual(changed['entra.scim.changed'], ['title']);
    assert.deepEqual(changed['event.type'], ['user', 'change']);
    const [group] = await eventsOf(site, () => scim.group({ displayName: 'secret-group', members: [{ value: user.id }] }), 1);
    assert.deepEqual(group['event.type'], ['group', 'creation']);
    assert.equal(group['entra.scim.user_name'], undefined);
    assert.equal(group['entra.scim.active'], undefined);
    assert.ok(group['entra.scim.changed'].includes('members'));
    const [members] = await eventsOf(site, () => scim.patch(`/Groups/${group['entra.scim.id']}`, { op: 'remove', path: 'members', value: [{ value: user.id }] }), 1);
    assert.deepEqual(members['entra.scim.changed'], ['members']);
    const [gone] = await eventsOf(site, () => scim.send('DELETE', `/Users/${user.id}`), 1);
    assert.deepEqual(gone['event.type'], ['user', 'deletion']);
    assert.equal(gone['entra.scim.user_name'], 'Grace@contoso.example');
    const text = site.httpd.read(LOG);
    assert.doesNotMatch(text, /secret/);
    assert.ok(!text.includes(scim.token));
  });

  test('what changes nothing, and what reads, is no event', async () => {
    const user = await scim.user({ userName: 'still@contoso.example', title: 'x' });
    const had = logOf(site).length;
    await scim.patch(`/Users/${user.id}`, { op: 'replace', path: 'title', value: 'x' });
    await scim.get(`/Users/${user.id}`);
    await scim.patch(`/Users/${user.id}`, { op: 'replace', path: 'userName', value: '' });
    assert.equal(logOf(site).length, had);
    site.httpd.allow(/ENTRA16\d\d/);
  });

  test('a user who is disabled: the change, then each session with its cause', async () => {
    const user = await scim.user({ userName: ada.upn, externalId: ada.oid });
    await site.signedIn();
    const first = logOf(site).at(-1)['session.id'];
    await site.signedIn();
    const second = logOf(site).at(-1)['session.id'];
    const events = await eventsOf(site, () => scim.patch(`/Users/${user.id}`, { op: 'replace', path: 'active', value: false }), 3);
    assert.deepEqual(actionsOf(events), ['scim-change', 'session-ended', 'session-ended']);
    assert.equal(events[0]['entra.scim.operation'], 'user disabled');
    assert.equal(events[0]['entra.scim.active'], false);
    assert.deepEqual(events[0]['entra.scim.changed'], ['active']);
    assert.deepEqual(events.slice(1).map((event) => event['session.id']).sort(), [first, second].sort());
    for (const event of events.slice(1)) {
      assert.equal(event['event.reason'], 'SCIM: user disabled');
      assert.equal(event['user.id'], ada.oid);
      assert.equal(event['entra.actor'], events[0]['entra.actor']);
    }
    // And who comes back is told why not.
    const [refused] = await eventsOf(site, () => site.browser().navigate(site.at('/page.html')), 1);
    assert.equal(refused['event.action'], 'sign-in-refused');
    assert.equal(refused['event.code'], 'ENTRA1610');
    assertUser(refused);
    await scim.send('DELETE', `/Users/${user.id}`);
  });

  test('a session whose user the directory does not know any more', async () => {
    const other = await start({ directives: { EntraSCIM: 'on', EntraSCIMRequired: 'on', EntraSCIMMatch: 'upn' } });
    other.httpd.allow(/ENTRA1640/);
    const service = new Scim(other, makeToken(other));
    const user = await service.user({ userName: ada.upn });
    const browser = await other.signedIn();
    const { 'session.id': id } = logOf(other).at(-1);
    await service.patch(`/Users/${user.id}`, { op: 'replace', path: 'userName', value: 'somebody.else@contoso.example' });
    const event = await until(() => `the end: ${other.httpd.read(LOG).slice(-2000)}`, async () => {
      await browser.navigate(other.at('/page.html'), { follow: false });
      return logOf(other).find((one) => one['event.action'] === 'session-ended');
    });
    assert.equal(event['session.id'], id);
    assert.equal(event['event.code'], 'ENTRA1640');
    assert.equal(event['entra.actor'], 'the directory');
    assertUser(event);
    assert.equal(logOf(other).filter((one) => one['event.action'] === 'session-ended').length, 1);
    await other.stop();
  });

  test('several changes in one bulk request', async () => {
    const events = await eventsOf(site, () => scim.send('POST', '/Bulk', { schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'],
      Operations: ['b1', 'b2', 'b3'].map((name) => ({ method: 'POST', path: '/Users', bulkId: name, data: { schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'], userName: `${name}@contoso.example` } })) }), 3);
    assert.deepEqual(events.map((event) => event['entra.scim.user_name']), ['b1', 'b2', 'b3'].map((name) => `${name}@contoso.example`));
  });

  test('a SCIM token that is not good; scim/token gives one, and refuses', async () => {
    site.httpd.allow(/ENTRA1(612|613|64[3-8]|318)/);
    const [bad] = await eventsOf(site, async () => { assert.equal((await new Scim(site, 'entra_scim_0000000000000000_x').get('/Users')).status, 401); }, 1);
    assert.equal(bad['event.action'], 'scim-refused');
    assert.equal(bad['event.outcome'], 'failure');
    assert.equal(bad['event.code'], 'ENTRA1613');
    const assertion = async (set) => (await site.emu.control('mint', { kind: 'access', user: null, client_id: CLIENT, resource: CLIENT, version: 2, shape: { set: { sub: SERVICE, oid: SERVICE, aud: CLIENT, ...set } } })).token;
    const post = async (set) => site.httpd.request({ method: 'POST', path: '/.entra/scim/token', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams({ grant_type: 'client_credentials', client_id: CLIENT, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', scope: `${CLIENT}/.default`, client_assertion: await assertion(set) }).toString() });
    const [given] = await eventsOf(site, async () => { assert.equal((await post()).status, 200); }, 1);
    assert.equal(given['event.action'], 'scim-token-issued');
    assert.equal(given['entra.actor'], `service principal ${SERVICE}`);
    const [other] = await eventsOf(site, async () => { assert.equal((await post({ sub: '9d2e5f7a-3333-4000-8000-00000000000b' })).status, 401); }, 1);
    assert.equal(other['event.action'], 'scim-refused');
    assert.equal(other['event.code'], 'ENTRA1646');
    assert.doesNotMatch(site.httpd.read(LOG), /eyJ|entra-fed/);
  });
});

describe('the audit log of administration', { skip: missing || noCommand }, () => {
  let site;

  before(async () => { site = await start({ directives: { EntraSCIM: 'on' } }); });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); });
  const run = async (...args) => {
    const result = await entraSso(site, ...args);
    assert.equal(result.status, 0, result.err);
    return result;
  };

  test('sessions revoke: each session, with who did it', async () => {
    await site.signedIn();
    const first = logOf(site).at(-1)['session.id'];
    await site.signedIn();
    const second = logOf(site).at(-1)['session.id'];
    await site.signedIn({ user: 'root' });
    const events = await eventsOf(site, () => run('sessions', 'revoke', '--user', ada.oid), 2);
    assert.deepEqual(events.map((event) => event['session.id']).sort(), [first, second].sort());
    for (const event of events) {
      assert.equal(event['event.action'], 'session-ended');
      assert.equal(event['event.reason'], 'revoked');
      assert.match(event['entra.actor'], /^entra-sso by \S+$/);
      assertUser(event);
      assert.equal(event['service.name'], site.httpd.origin);
    }
    await eventsOf(site, () => run('sessions', 'revoke', '--all', '--yes'), 1);
  });

  test('scim-token new and revoke: the id, never the token', async () => {
    const events = await eventsOf(site, () => run('scim-token', 'new'), 1);
    const token = events.result.out.trim();
    const [, id, secret] = /^entra_scim_([0-9a-f]{16})_(\S{40,})$/.exec(token);
    assert.equal(events[0]['event.action'], 'scim-token-made');
    assert.match(events[0]['event.reason'], new RegExp(`^SCIM token ${id}, until \\d{4}-.*; 0 older tokens ended$`));
    const [revoked] = await eventsOf(site, () => run('scim-token', 'revoke', id), 1);
    assert.equal(revoked['event.action'], 'scim-token-revoked');
    assert.equal(revoked['event.reason'], `SCIM token ${id}`);
    assert.ok(!site.httpd.read(LOG).includes(secret));
  });

  test('key rotate, and its preparation', async () => {
    const [prepared] = await eventsOf(site, () => run('key', 'rotate', '--prepare'), 1);
    assert.equal(prepared['event.action'], 'key-rotated');
    assert.match(prepared['event.reason'], /^key \S+ is prepared$/);
    const [rotated] = await eventsOf(site, () => run('key', 'rotate'), 1);
    assert.match(rotated['event.reason'], /^key \S+ seals from now on$/);
    const keys = readFileSync(site.httpd.keyFile, 'utf8').match(/[0-9a-f]{64}|[\w-]{43}/g) ?? [];
    for (const key of keys) assert.ok(!site.httpd.read(LOG).includes(key));
  });

  test('an audit log that cannot be written hinders no revocation', { skip: noDisk }, async () => {
    await site.signedIn();
    const file = site.httpd.path(LOG);
    renameSync(file, `${file}.kept`);
    mkdirSync(file);
    try {
      // The command asks httpd, which names the fault; so the folder is put there between the two: a log of another site.
      const result = await entraSso(site, 'sessions', 'revoke', '--user', ada.oid);
      assert.equal(result.status, 1);
      assert.match(result.err, /ENTRA2148|does not accept/);
    } finally {
      rmSync(file, { recursive: true });
      renameSync(`${file}.kept`, file);
    }
    const small = smallDisk();
    const other = await start({ emu: site.emu, backend: site.backend, directives: { EntraAuditLog: `"${small.folder}/audit.json"` } });
    try {
      // Their lines are more than what is left of the file's last page.
      for (let i = 0; i < 12; i += 1) await other.signedIn();
      small.fill();
      const result = await entraSso(other, 'sessions', 'revoke', '--user', ada.oid);
      assert.equal(result.status, 0, result.err);
      assert.match(result.err, /the audit log .*audit\.json cannot be written: /);
    } finally {
      await other.stop();
      small.remove();
    }
  });
});

describe('where the audit log goes', { skip: missing }, () => {
  test('virtual hosts inherit it, have their own, or none', async () => {
    const hosts = ['inherits', 'own', 'none'];
    const lines = { inherits: '', own: 'EntraAuditLog logs/own.json', none: 'EntraAuditLog none' };
    const site = await startSite({
      names: Object.fromEntries(hosts.map((name) => [`https://${name}.test`, 'httpd'])),
      redirectHosts: hosts.map((name) => `${name}.test`),
      config: (server, parts) => `${entraLines(server, parts.emu, { EntraAuditLog: LOG })}
${hosts.map((name) => `<VirtualHost *:${server.port}>
ServerName https://${name}.test
DocumentRoot "${server.docroot}"
${lines[name]}
<Location "/">
AuthType Entra
Require valid-user
</Location>
</VirtualHost>`).join('\n')}`,
    });
    for (const name of hosts) assert.equal((await site.browser().navigate(`https://${name}.test/page.html`)).status, 200, name);
    assert.deepEqual(logOf(site).map((event) => event['service.name']), ['https://inherits.test']);
    assert.deepEqual(logOf(site, 'logs/own.json').map((event) => event['service.name']), ['https://own.test']);
    await site.stop();
  });

  for (const [form, prefix] of [['|', '|'], ['||', '||'], ['|$', '|$']]) {
    test(`a program behind ${form} gets the lines, and a new one after a graceful restart`, async () => {
      const script = '#!/bin/sh\nexec cat >>"$1"\n';
      const site = await start({
        files: { 'bin/collect': { content: script, mode: 0o755 } },
        directives: null,
        extra: (server) => `\nEntraAuditLog "${prefix}${server.path('bin/collect')} ${server.path('logs/piped.json')}"\n`,
      });
      await eventsOf(site, () => site.signedIn(), 1, 'logs/piped.json');
      await site.httpd.graceful();
      await eventsOf(site, () => site.signedIn(), 1, 'logs/piped.json');
      await site.stop();
    });
  }

  test('a program that never reads holds up nobody for long, and is told once', async () => {
    const site = await start({
      files: { 'bin/deaf': { content: '#!/bin/sh\nexec sleep 600\n', mode: 0o755 } },
      directives: null,
      extra: (server) => `\nEntraAuditLog "|${server.path('bin/deaf')}"\n`,
    });
    site.httpd.expect(/ENTRA2140: EntraAuditLog: \|.*bin\/deaf cannot be written to: .* lines are lost so far/);
    // More than any pipe holds.
    const agent = '\u00e9'.repeat(400);
    const ask = () => site.httpd.request({ path: '/.entra/callback?code=c&state=s', headers: { Accept: 'text/html', 'User-Agent': agent } });
    for (let i = 0; i < 400 && !/ENTRA2140/.test(site.httpd.errorLog()); i += 1) await ask();
    const began = Date.now();
    for (let i = 0; i < 5; i += 1) await site.signedIn();
    assert.ok(Date.now() - began < 15_000, `five sign-ins took ${Date.now() - began} ms`);
    assert.equal(site.httpd.errorLog().match(/ENTRA2140/g).length, 1);
    await site.stop();
  });

  test('a full disk: the sign-in goes on, one error line, no half of a line stays in front of the next', { skip: noDisk }, async () => {
    const small = smallDisk();
    const site = await start({ directives: { EntraAuditLog: `"${small.folder}/audit.json"` } });
    try {
      site.httpd.expect(/ENTRA2140: EntraAuditLog: .*audit\.json cannot be written to/, /ENTRA2141: .*is written to again; \d+ lines were lost/);
      await site.signedIn();
      small.fill();
      // What is left of the last page takes a few lines, and then a piece of one.
      for (let i = 0; i < 20; i += 1) await site.signedIn();
      assert.equal(site.httpd.errorLog().match(/ENTRA2140/g).length, 1);
      small.free();
      await site.signedIn();
      await site.signedIn();
      await site.httpd.waitForLog(/ENTRA2141/);
      const lines = readFileSync(`${small.folder}/audit.json`, 'utf8').split('\n').slice(0, -1);
      const broken = lines.filter((line) => { try { JSON.parse(line); return false; } catch { return true; } });
      assert.ok(broken.length <= 1, broken.join('\n'));
      assert.deepEqual(lines.slice(-2).map((line) => JSON.parse(line)['event.action']), ['sign-in', 'sign-in']);
    } finally {
      await site.stop();
      small.remove();
    }
  });
});

describe('what is wrong with EntraAuditLog is named', { skip: missing }, () => {
  const told = (value, options = {}) => siteConfigtest({ directives: { EntraAuditLog: value }, ...options });
  const cases = [
    ['a folder that is not there', 'nowhere/audit.json', /ENTRA2146: EntraAuditLog: .*nowhere\/ is no folder that can be written to; "install -d -m 0750 .*httpd\.conf:\d+, in /],
    ['a folder in the place of a file', 'htdocs', /ENTRA2148: EntraAuditLog: .*htdocs is a folder/],
    ['a program that is not there', '"|/usr/bin/no-such-program x"', /ENTRA2149: EntraAuditLog: \/usr\/bin\/no-such-program cannot be run/],
    ['a program that is not there, without a shell', '"||/usr/bin/no-such-program x"', /ENTRA2149: EntraAuditLog: /],
    ['no program at all', '"| "', /EntraAuditLog: no program stands behind the \|/],
    ['nothing', '""', /EntraAuditLog takes 1 argument/],
    ['two words', 'a b', /EntraAuditLog takes/],
  ];
  for (const [what, value, expected] of cases) {
    test(what, () => {
      const { status, output } = told(value);
      assert.notEqual(status, 0);
      assert.match(output, expected);
    });
  }

  test('a folder that everyone may write to', () => {
    const { status, output } = siteConfigtest({ files: { 'open/x': 'x' }, extra: (server) => { chmodSync(server.path('open'), 0o777); return 'EntraAuditLog open/audit.json'; } });
    assert.notEqual(status, 0);
    assert.match(output, /ENTRA2147: EntraAuditLog: everyone may write to .*open\//);
  });

  test('configtest makes no file and starts no program', () => {
    let root;
    const { status, output } = siteConfigtest({ files: { 'bin/mark': { content: '#!/bin/sh\ntouch "$1"\n', mode: 0o755 } }, keep: true, extra: (server) => { root = server.root; return `EntraAuditLog logs/audit.json\n<VirtualHost *:81>\nServerName http://localhost:81\nEntraAuditLog "|${server.path('bin/mark')} ${server.path('marked')}"\n</VirtualHost>`; } });
    assert.equal(status, 0, output);
    assert.ok(!existsSync(path.join(root, 'logs/audit.json')));
    assert.ok(!existsSync(path.join(root, 'marked')));
    rmSync(root, { recursive: true, force: true });
  });

  test('at the start: a file that cannot be opened ends it', async () => {
    const { started, log } = await trySite({ directives: { EntraAuditLog: '/proc/audit.json' } });
    assert.equal(started, false);
    assert.match(log, /ENTRA214[26]: EntraAuditLog: /);
  });

  test('at the start: a program that ends at once leaves the site as it is', async () => {
    const { started, log } = await trySite({ directives: { EntraAuditLog: '"|no-such-program-in-the-path"' } });
    if (!started) assert.match(log, /ENTRA2143: EntraAuditLog: the program of "\|no-such-program-in-the-path" cannot be started/);
  });
});
