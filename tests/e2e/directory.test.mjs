// SPDX-License-Identifier: Apache-2.0
// What the directory decides: who may sign in, groups and attributes, changes that reach open sessions on every node, and tokens for the
// provisioning service without any secret.

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after, before, beforeEach, describe } from 'node:test';
import { CLIENT, groups as known, users as people } from '../emulator/tenants.mjs';
import { hideDatabase, showDatabase } from './lib/aside.mjs';
import { assertPage, SESSION_COOKIE } from './lib/checks.mjs';
import { headerOf } from './lib/echo.mjs';
import { configtest, missing, MPM } from './lib/httpd.mjs';
import { BASE, makeToken, Scim } from './lib/scim.mjs';
import { siteConfig, siteFiles, siteModules, startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const PROGRAM = { Accept: 'application/json' };
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
const CORP = 'urn:ietf:params:scim:schemas:extension:Corp:2.0:User';
const SERVICE = '9d2e5f7a-3333-4000-8000-00000000000a';
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const person = (key) => people.find((user) => user.key === key);
const finance = known.find(({ key }) => key === 'finance').id;
const ada = person('ada');
const copyOf = (browser) => browser.cookies.all.filter(({ name }) => SESSION_COOKIE.test(name)).map(({ name, value }) => `${name}=${value}`).join('; ');
const ADA = { userName: ada.upn, externalId: ada.oid, [ENTERPRISE]: { department: 'Press' }, [CORP]: { folders: ['red', 'blue'] } };

const RULES = `
<Location "/app/payroll/">
  Require entra-group "Payroll readers"
</Location>
<Location "/app/id/">
  Require entra-group 77777777-7777-4777-8777-777777777777
</Location>
<Location "/app/role/">
  Require entra-role clerk
</Location>
<Location "/app/not/">
  <RequireAll>
    Require valid-user
    Require not entra-group "Payroll readers"
  </RequireAll>
</Location>
<Location "/app/press/">
  Require entra-claim scim:department Press
</Location>`;
const DIRECTIVES = { EntraSCIM: 'on', EntraGroupSource: 'scim' };
const LOCATION = `EntraRole clerk "group=Payroll readers"
    EntraRole teller group=77777777-7777-4777-8777-777777777777
    EntraHeader X-Department %{scim:department}
    EntraHeader X-Folders %{scim:${CORP}:folders}
    EntraHeader X-Mail %{scim:emails}`;
const PAYROLL = { displayName: 'Payroll Readers', externalId: '77777777-7777-4777-8777-777777777777' };
const REFUSED_BY_HTTPD = /AH01631/;
// Many requests at once.
const BUSY = /AH00484|AH10159/;

const start = (options = {}) => startSite({ processes: MPM === 'prefork' ? 6 : 2, threads: 8, location: LOCATION, extra: RULES, allowLog: [REFUSED_BY_HTTPD, BUSY], ...options, directives: { ...DIRECTIVES, ...options.directives } });
const ask = (site, cookie, target, host) => site.httpd.request({ path: target, headers: { ...PROGRAM, Cookie: cookie }, ...(host ? { host } : {}) });
const status = async (site, cookie, target, host) => (await ask(site, cookie, target, host)).status;
const remove = (scim, group, id) => scim.patch(`/Groups/${group.id}`, { op: 'Remove', path: 'members', value: [{ value: id }] });
const add = (scim, group, id) => scim.patch(`/Groups/${group.id}`, { op: 'Add', path: 'members', value: [{ value: id }] });

/** True of every one of many requests at once, within two seconds (and the slowness of a busy machine). */
async function everywhere(site, cookie, target, wanted, { host, seconds = 5 } = {}) {
  const begin = process.hrtime.bigint();
  await until(`${target} to be ${wanted}`, async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => status(site, cookie, target, host)));
    return answers.every((answer) => answer === wanted);
  }, { timeout: 15_000 });
  const took = Number(process.hrtime.bigint() - begin) / 1e9;
  assert.ok(took <= seconds, `${took} s`);
}

async function clear(scim) {
  for (const resource of ['Users', 'Groups']) {
    const list = (await scim.get(`/${resource}?attributes=id&count=200`)).json();
    for (const { id } of list.Resources) await scim.send('DELETE', `/${resource}/${id}`);
  }
}

async function refused(site, user, code, number) {
  await site.as(user);
  const browser = site.browser();
  const page = await browser.navigate(site.at('/page.html'));
  assertPage(site, page.response, code, number, `${user}: ${page.trace}`);
  assert.ok(!browser.cookies.all.some(({ name }) => SESSION_COOKIE.test(name)), 'there is no session cookie');
}

describe('the directory at sign-in', { skip: missing }, () => {
  let site;
  let scim;

  before(async () => {
    site = await start();
    scim = new Scim(site, makeToken(site));
  });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); await clear(scim); });

  test('groups, roles by groups, attributes and extensions come from the directory alone', async () => {
    const user = await scim.user({ ...ADA, emails: [{ type: 'work', value: 'ada@corp.example' }] });
    await scim.group({ ...PAYROLL, members: [{ value: user.id }] });
    const browser = await site.signedIn();
    const seen = (await browser.navigate(site.at('/app/payroll/x'))).json();
    assert.deepEqual(headerOf(seen, 'x-department'), ['Press']);
    assert.deepEqual(headerOf(seen, 'x-folders'), ['red,blue']);
    assert.deepEqual(headerOf(seen, 'x-mail'), ['ada@corp.example']);
    assert.deepEqual(headerOf(seen, 'x-entra-groups'), ['Payroll readers,77777777-7777-4777-8777-777777777777']);
    const [roles] = headerOf(seen, 'x-entra-roles');
    // What the configuration reads is offered to Entra.
    assert.deepEqual((await scim.get(`/Schemas/${CORP}`)).json().attributes.map(({ name }) => name), ['folders']);
    assert.ok((await scim.get('/ResourceTypes/User')).json().schemaExtensions.some(({ schema }) => schema === CORP));
    for (const role of ['clerk', 'teller']) assert.ok(roles.split(',').includes(role), `${role}: ${roles}`);
    for (const target of ['/app/id/x', '/app/role/x', '/app/press/x']) assert.equal(await status(site, copyOf(browser), target), 200, target);
    assert.equal(site.calls('graph'), 0);
    const scope = new URL((await site.browser().navigate(site.at('/page.html'), { follow: false })).response.location).searchParams.get('scope');
    assert.doesNotMatch(scope, /User\.Read|Group/);
  });

  test('who is not there signs in, and has nothing of it; the token\'s groups do not count', async () => {
    const cookie = copyOf(await site.signedIn());
    const seen = (await ask(site, cookie, '/app/x')).json();
    for (const name of ['x-department', 'x-entra-groups']) assert.deepEqual(headerOf(seen, name), []);
    for (const target of ['/app/payroll/x', '/app/role/x', '/app/press/x']) assert.equal(await status(site, cookie, target), 403, target);
  });

  test('who signs in unknown leaves a row that Entra matches and takes over, by a PATCH or by a POST', async () => {
    for (const post of [false, true]) {
      await clear(scim);
      const cookie = copyOf(await site.signedIn());
      const [row] = (await scim.filter('Users', `externalId eq "${ada.oid}"`)).json().Resources;
      assert.equal(row.userName, ada.upn);
      assert.equal(row.active, true);
      assert.deepEqual(row['urn:ietf:params:scim:schemas:extension:entra-sso:2.0:User'], { origin: 'jit' });
      assert.equal(await status(site, cookie, '/app/press/x'), 403);
      if (post) {
        const user = await scim.user(ADA);
        assert.equal(user.id, row.id);
        assert.equal(user['urn:ietf:params:scim:schemas:extension:entra-sso:2.0:User'], undefined);
      } else {
        await scim.provisioner().cycle({ users: [{ ...ada, department: 'Press' }], groups: [] });
      }
      assert.equal((await scim.get('/Users')).json().totalResults, 1);
      await everywhere(site, cookie, '/app/press/x', 200);
      // From now on it is a user like any other.
      const again = await scim.send('POST', '/Users', { schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'], ...ADA });
      assert.equal(again.status, 409);
    }
  });

  test('who is disabled does not sign in', async () => {
    await scim.user({ ...ADA, active: 'False' });
    site.httpd.expect(/ENTRA1610/);
    await refused(site, 'ada', 403, 1610);
  });

  test('a value that could become two headers is refused', async () => {
    await scim.user({ ...ADA, [ENTERPRISE]: { department: 'a\r\nX-Evil: 1' } });
    site.httpd.expect(/ENTRA1641/);
    await refused(site, 'ada', 403, 1641);
  });
});

describe('EntraSCIMRequired', { skip: missing }, () => {
  test('who is not provisioned does not sign in, as a page and as JSON; who is, does', async () => {
    const site = await start({ directives: { EntraSCIMRequired: 'on' } });
    const scim = new Scim(site, makeToken(site));
    site.httpd.expect(/ENTRA1640: the directory does not know this user/);
    await refused(site, 'ada', 403, 1640);
    const user = await scim.user(ADA);
    const browser = await site.signedIn({ user: 'ada' });
    const cookie = copyOf(browser);
    assert.equal(await status(site, cookie, '/page.html'), 200);
    await scim.send('DELETE', `/Users/${user.id}`);
    await everywhere(site, cookie, '/page.html', 401);
    // Known by name alone is not known.
    site.httpd.allow(/ENTRA2102/);
    await scim.user({ userName: ada.upn, externalId: 'ada' });
    await refused(site, 'ada', 403, 1640);
    await site.stop();
  });

  test('with EntraSCIMMatch upn the user name tells who it is', async () => {
    const site = await start({ directives: { EntraSCIMRequired: 'on', EntraSCIMMatch: 'upn' } });
    const scim = new Scim(site, makeToken(site));
    const user = await scim.user({ userName: ada.upn.toUpperCase(), externalId: 'ada' });
    const group = await scim.group({ ...PAYROLL, members: [{ value: user.id }] });
    const cookie = copyOf(await site.signedIn({ user: 'ada' }));
    assert.equal(await status(site, cookie, '/app/payroll/x'), 200);
    await remove(scim, group, user.id);
    await everywhere(site, cookie, '/app/payroll/x', 403);
    // The name is another's: nobody is ada any more, and her session is out.
    site.httpd.allow(/ENTRA1640/);
    assert.equal((await scim.patch(`/Users/${user.id}`, { op: 'Replace', path: 'userName', value: 'other@contoso.example' })).status, 200);
    await everywhere(site, cookie, '/page.html', 401);
    await site.stop();
  });
});

describe('changes reach open sessions', { skip: missing }, () => {
  let site;
  let scim;

  before(async () => {
    site = await start();
    scim = new Scim(site, makeToken(site));
  });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); await clear(scim); });

  test('a membership gained and lost, also for a copy of the cookie, in every process', async () => {
    const user = await scim.user(ADA);
    const group = await scim.group(PAYROLL);
    const browser = await site.signedIn();
    const cookie = copyOf(browser);
    assert.equal(await status(site, cookie, '/app/payroll/x'), 403);
    await add(scim, group, user.id);
    await everywhere(site, cookie, '/app/payroll/x', 200);
    assert.equal(await status(site, cookie, '/app/role/x'), 200);
    // The browser's cookie is the new one from now on, and serves without a look.
    assert.equal((await browser.navigate(site.at('/app/payroll/x'))).status, 200);
    assert.notEqual(copyOf(browser), cookie);
    await remove(scim, group, user.id);
    await everywhere(site, copyOf(browser), '/app/payroll/x', 403);
    assert.equal(await status(site, cookie, '/app/role/x'), 403);
    assert.equal(site.calls('token'), 1, 'nobody signed in anew');
  });

  test('an attribute, a renamed group, a deleted group', async () => {
    const user = await scim.user(ADA);
    const group = await scim.group({ ...PAYROLL, members: [{ value: user.id }] });
    const cookie = copyOf(await site.signedIn());
    assert.equal(await status(site, cookie, '/app/press/x'), 200);
    await scim.patch(`/Users/${user.id}`, { op: 'Replace', path: `${ENTERPRISE}:department`, value: 'Sales' });
    await everywhere(site, cookie, '/app/press/x', 403);
    assert.deepEqual(headerOf((await ask(site, cookie, '/app/x')).json(), 'x-department'), ['Sales']);
    await scim.patch(`/Groups/${group.id}`, { op: 'Replace', path: 'displayName', value: 'Others' });
    await everywhere(site, cookie, '/app/payroll/x', 403);
    assert.equal(await status(site, cookie, '/app/id/x'), 200, 'the id is the same');
    await scim.send('DELETE', `/Groups/${group.id}`);
    await everywhere(site, cookie, '/app/id/x', 403);
  });

  test('who was unknown becomes known, is disabled, and signs in anew when enabled', async () => {
    const cookie = copyOf(await site.signedIn());
    assert.equal(await status(site, cookie, '/app/press/x'), 403);
    const found = (await scim.filter('Users', `userName eq "${ada.upn}"`)).json().Resources[0];
    const user = found ?? await scim.user(ADA);
    if (found) await scim.patch(`/Users/${found.id}`, { op: 'Add', path: `${ENTERPRISE}:department`, value: 'Press' });
    await everywhere(site, cookie, '/app/press/x', 200);
    await scim.patch(`/Users/${user.id}`, { op: 'Replace', path: 'active', value: 'False' });
    await everywhere(site, cookie, '/page.html', 401);
    await scim.patch(`/Users/${user.id}`, { op: 'replace', path: 'active', value: true });
    assert.equal(await status(site, cookie, '/page.html'), 401, 'the old session stays dead');
    assert.equal(await status(site, copyOf(await site.signedIn()), '/app/press/x'), 200);
  });
});

describe('the directory over nodes, restarts and outages', { skip: missing }, () => {
  let folder;
  let file;
  let one;
  let two;
  const HOST = 'app.test';

  beforeEach(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-people-'));
    chmodSync(folder, 0o777);
    file = path.join(folder, 'entra.db');
    const common = { serverName: `https://${HOST}`, names: { [`https://${HOST}`]: 'httpd' }, redirectHosts: [HOST], directives: { EntraDatabase: `"sqlite3:${file}"` } };
    one = await start(common);
    two = await start({ ...common, emu: one.emu, backend: one.backend, files: { 'state/cookie.keys': { content: readFileSync(one.httpd.keyFile), mode: 0o600 } } });
  });
  async function stop() {
    await two?.stop();
    await one?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  async function signedInAt(node) {
    const browser = node.browser();
    const page = await browser.navigate(`https://${HOST}/page.html`);
    assert.equal(page.status, 200, page.trace);
    return copyOf(browser);
  }

  test('a change on one node counts on the other, and after a restart', async () => {
    const scim = new Scim(one, makeToken(one), { host: HOST });
    const user = await scim.user(ADA);
    const group = await scim.group({ ...PAYROLL, members: [{ value: user.id }] });
    const cookie = await signedInAt(one);
    for (const node of [one, two]) assert.equal(await status(node, cookie, '/app/payroll/x', HOST), 200);
    await remove(scim, group, user.id);
    await everywhere(two, cookie, '/app/payroll/x', 403, { host: HOST });
    await everywhere(one, cookie, '/app/payroll/x', 403, { host: HOST });
    // What a new process and a new run know of it, they read.
    await two.httpd.graceful();
    assert.equal(await status(two, cookie, '/app/payroll/x', HOST), 403, 'after a reload');
    await two.httpd.halt();
    await two.httpd.start();
    assert.equal(await status(two, cookie, '/app/payroll/x', HOST), 403, 'after a restart');
    await stop();
  });

  test('with the database away sessions go on with what they have, sign-ins are 503, and changes wait', async () => {
    const scim = new Scim(one, makeToken(one), { host: HOST });
    const user = await scim.user(ADA);
    const group = await scim.group({ ...PAYROLL, members: [{ value: user.id }] });
    const cookie = await signedInAt(one);
    for (const node of [one, two]) {
      node.httpd.expect(/ENTRA2071:/);
      node.httpd.allow(/ENTRA144\d: |ENTRA1642/);
    }
    hideDatabase(file);
    for (const node of [one, two]) await node.httpd.waitForLog(/ENTRA2071:/);
    assert.equal(await status(one, cookie, '/app/payroll/x', HOST), 200);
    assert.equal((await scim.get('/Users')).status, 503);
    const page = await one.browser().navigate(`https://${HOST}/page.html`);
    assert.equal(page.status, 503, page.trace);
    showDatabase(file);
    for (const node of [one, two]) await node.httpd.waitForLog(/ENTRA2072:/);
    await until('SCIM to be back', async () => (await remove(scim, group, user.id)).status === 204);
    for (const node of [one, two]) await everywhere(node, cookie, '/app/payroll/x', 403, { host: HOST });
    await stop();
  });

  test('a change that was heard of and cannot be read leaves a session without groups: 503, never the old right', async () => {
    const scim = new Scim(one, makeToken(one), { host: HOST });
    const user = await scim.user(ADA);
    const group = await scim.group({ ...PAYROLL, members: [{ value: user.id }] });
    const cookie = await signedInAt(one);
    // Another session of hers, which nobody has used since, when the change is known to all.
    const idle = await signedInAt(one);
    for (const node of [one, two]) {
      node.httpd.expect(/ENTRA2071:/);
      node.httpd.allow(/ENTRA144\d: /);
    }
    one.httpd.expect(/ENTRA1642: the directory says something new/);
    await scim.patch(`/Groups/${group.id}`, { op: 'Remove', path: 'members' });
    await everywhere(one, cookie, '/app/payroll/x', 403, { host: HOST });
    hideDatabase(file);
    for (const node of [one, two]) await node.httpd.waitForLog(/ENTRA2071:/);
    const answer = await ask(one, idle, '/app/payroll/x', HOST);
    assert.equal(answer.status, 503, answer.text);
    assert.equal(answer.header('retry-after'), '1');
    assert.match(answer.text, /ENTRA1642/);
    // What she is not in cannot be told either.
    assert.equal(await status(one, idle, '/app/not/x', HOST), 503);
    assert.deepEqual(answer.cookies, []);
    const open = await ask(one, idle, '/app/x', HOST);
    assert.equal(open.status, 200, 'what needs no group goes on');
    assert.deepEqual(headerOf(open.json(), 'x-department'), []);
    showDatabase(file);
    for (const node of [one, two]) await node.httpd.waitForLog(/ENTRA2072:/);
    await everywhere(one, idle, '/app/payroll/x', 403, { host: HOST, seconds: 5 });
    await stop();
  });
});

describe('tokens for the provisioning service without a secret', { skip: missing }, () => {
  let site;

  before(async () => {
    site = await start({ directives: { EntraSCIMFederated: `${SERVICE.toUpperCase()} api://${CLIENT} ${CLIENT}` } });
    site.httpd.allow(/ENTRA1(64[3-8]|61[23]|318)/);
  });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); });

  const assertion = async (set = {}, call = {}) => (await site.emu.control('mint', { kind: 'access', user: null, client_id: CLIENT, resource: CLIENT, version: 2, ...call, shape: { set: { sub: SERVICE, oid: SERVICE, aud: CLIENT, ...set }, ...call.shape } })).token;
  const form = (fields) => new URLSearchParams({ grant_type: 'client_credentials', client_id: CLIENT, client_assertion_type: ASSERTION, scope: `${CLIENT}/.default`, ...fields }).toString();
  const post = (body, headers = {}) => site.httpd.request({ method: 'POST', path: '/.entra/scim/token', body, headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers } });
  const exchange = async (set, call) => post(form({ client_assertion: await assertion(set, call) }));

  function assertError(answer, code, error, message) {
    assert.equal(answer.status, code, `${message} ${answer.text}`);
    assert.match(answer.header('content-type'), /^application\/json/, message);
    assert.equal(answer.json().error, error, message);
    assert.ok(answer.json().error_description, message);
    assert.equal(answer.header('cache-control'), 'no-store', message);
    assert.deepEqual(answer.cookies, [], message);
  }

  test('Entra\'s assertion becomes a token of an hour, with which it provisions', async () => {
    const log = await site.httpd.logOf(async () => {
      const answer = await exchange();
      assert.equal(answer.status, 200, answer.text);
      const { access_token: token, token_type: type, expires_in: life } = answer.json();
      assert.equal(type, 'Bearer');
      assert.equal(life, 3600);
      assert.equal(answer.header('cache-control'), 'no-store');
      const scim = new Scim(site, token);
      const entra = scim.provisioner();
      await entra.cycle({ users: [ada], groups: [] });
      assert.equal((await scim.filter('Users', `externalId eq "${ada.oid}"`)).json().totalResults, 1);
      for (const suffix of ['x', '']) {
        const broken = token.slice(0, suffix ? undefined : -4) + suffix;
        const refusal = await site.httpd.request({ path: `${BASE}/Users`, headers: { Authorization: `Bearer ${broken}` } });
        assert.equal(refusal.status, 401);
        assert.match(refusal.header('www-authenticate'), /^Bearer/);
      }
      // It opens nothing else.
      assert.equal((await site.httpd.request({ path: '/page.html', headers: { ...PROGRAM, Authorization: `Bearer ${token}` } })).status, 401);
    });
    assert.match(log, new RegExp(`ENTRA2121: a token for the directory was given to service principal ${SERVICE}`));
    assert.match(log, /\[token federated\]/);
    assert.doesNotMatch(log, /eyJ|entra-fed\./);
  });

  test('a second use of an assertion, another service, audience, tenant, key, time: 401', async () => {
    const body = form({ client_assertion: await assertion() });
    assert.equal((await post(body)).status, 200);
    assertError(await post(body), 401, 'invalid_client', 'replay');
    assertError(await exchange({ sub: '9d2e5f7a-3333-4000-8000-00000000000b' }), 401, 'invalid_client', 'another service');
    assertError(await exchange({ aud: 'api://other' }), 401, 'invalid_client', 'another audience');
    assertError(await exchange({ tid: '11111111-1111-4111-8111-111111111111' }), 401, 'invalid_client', 'another tenant');
    assertError(await exchange({ exp: { $now: -600 } }), 401, 'invalid_client', 'expired');
    assertError(await exchange({ nbf: { $now: 600 } }), 401, 'invalid_client', 'not yet');
    for (const shape of [{ signWith: 'unpublished' }, { signWith: 'impostor' }, { alg: 'none' }, { alg: 'HS256-pubkey' }, { tamper: 'signature' }, { tamper: 'payload' }]) {
      assertError(await exchange({}, { shape }), 401, 'invalid_client', JSON.stringify(shape));
    }
  });

  test('what is no such form: 400; another method: 405; nothing is redirected', async () => {
    const good = { client_assertion: await assertion() };
    assertError(await post(form({ ...good, grant_type: 'password' })), 400, 'unsupported_grant_type', 'grant');
    assertError(await post(form({ ...good, client_assertion_type: 'x' })), 400, 'invalid_request', 'type');
    assertError(await post(form({})), 400, 'invalid_request', 'no assertion');
    assertError(await post(''), 400, 'invalid_request', 'no body');
    assertError(await post(`${form(good)}&grant_type=client_credentials`), 400, 'invalid_request', 'twice');
    assertError(await post(form(good), { 'Content-Type': 'application/json' }), 400, 'invalid_request', 'media type');
    assertError(await post(`x=${'y'.repeat(100_000)}`), 400, 'invalid_request', 'too large');
    const get = await site.httpd.request({ path: '/.entra/scim/token' });
    assert.equal(get.status, 405);
    assert.equal(get.header('allow'), 'POST');
  });

  test('without EntraSCIMFederated there is no such endpoint', async () => {
    const other = await start();
    other.httpd.allow(/ENTRA1\d\d\d/);
    assert.equal((await other.httpd.request({ method: 'POST', path: '/.entra/scim/token', body: 'a=b' })).status, 404);
    await other.stop();
  });
});

describe('configuration of the directory', { skip: missing }, () => {
  const judge = (directives, { location = '', extra = '' } = {}) => configtest({
    files: siteFiles, modules: siteModules,
    config: (server) => siteConfig(server, { emu: { url: 'http://127.0.0.1:9' }, backend: { port: 9 }, directives, location, extra }),
  });
  const cases = {
    4110: [{}, { location: 'EntraHeader X-A %{scim:department}' }, /EntraSCIM: is off, but scim:department is named .*write "EntraSCIM on"/],
    4111: [{ EntraGroupSource: 'scim' }, {}, /EntraGroupSource: scim is where groups are read, but EntraSCIM is off/],
    4112: [{ EntraSCIMRequired: 'on' }, {}, /EntraSCIMRequired: on admits .*write "EntraSCIM on" too/],
    4113: [{ EntraSCIMFederated: SERVICE }, {}, /EntraSCIMFederated: .*write "EntraSCIM on" too/],
    4114: [{ EntraSCIM: 'on', EntraSCIMMatch: 'upn', EntraTenant: 'organizations', EntraAllowedTenants: 'any' }, {}, /EntraSCIMMatch: upn knows people by their user names/],
    4115: [{ EntraSCIM: 'on', EntraSCIMFederated: SERVICE, EntraTenant: 'organizations', EntraAllowedTenants: 'any' }, {}, /EntraSCIMFederated: the service that provisions is of one tenant/],
    4116: [{ EntraSCIM: 'on' }, { extra: '<Location "/app/">\nRequire entra-claim scim:departmant Press\n</Location>' }, /EntraSCIM: users of the directory have no attribute 'departmant'/],
  };
  for (const [number, [directives, more, mend]] of Object.entries(cases)) {
    test(`ENTRA${number}`, () => {
      const { status: code, output } = judge(directives, more);
      assert.notEqual(code, 0, output);
      assert.match(output, new RegExp(`ENTRA${number}: `));
      assert.match(output, mend);
    });
  }

  test('words that are none', () => {
    for (const [name, value, wrong] of [
      ['EntraSCIMMatch', 'mail', /'mail' is unknown; write oid or upn/],
      ['EntraGroupSource', 'graph', /'graph' is unknown; write token or scim/],
      ['EntraSCIMFederated', 'Entra', /'Entra' is no object id; copy "Object ID"/],
      ['EntraSCIMRequired', 'yes', /'yes' is unknown/],
    ]) {
      const { status: code, output } = judge({ EntraSCIM: 'on', [name]: value });
      assert.notEqual(code, 0, output);
      assert.match(output, wrong);
    }
    assert.match(judge({ EntraSCIM: 'on' }, { location: 'EntraHeader X-A %{scim:}' }).output, /names no attribute of the directory/);
  });

  test('all of it together is good', () => {
    const { status: code, output } = judge({ EntraSCIM: 'on', EntraSCIMMatch: 'OID', EntraSCIMRequired: 'on', EntraGroupSource: 'scim', EntraSCIMFederated: SERVICE }, { location: LOCATION });
    assert.equal(code, 0, output);
  });
});
