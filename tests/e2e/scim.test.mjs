// SPDX-License-Identifier: Apache-2.0
// The SCIM service: Entra's provisioning from the test connection to the purge in both dialects, sessions that end with a user, tokens,
// versions, pages, filters, hostile input.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after, before, beforeEach, describe } from 'node:test';
import { ENTERPRISE } from '../emulator/provision.mjs';
import { groups as tenantGroups, users as tenantUsers } from '../emulator/tenants.mjs';
import { SESSION_COOKIE } from './lib/checks.mjs';
import { Connection } from './lib/http.mjs';
import { missing, MPM } from './lib/httpd.mjs';
import { noPostgres, startPostgres } from './lib/postgres.mjs';
import { assertScimError, BASE, entraSso, ERROR, GROUP, makeToken, Scim, USER } from './lib/scim.mjs';
import { startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const PROGRAM = { Accept: 'application/json' };
const person = (key) => tenantUsers.find((user) => user.key === key);
const ada = person('ada');
const copyOf = (browser) => browser.cookies.all.filter(({ name }) => SESSION_COOKIE.test(name)).map(({ name, value }) => `${name}=${value}`).join('; ');
const replay = (site, cookie) => site.httpd.request({ path: '/page.html', headers: { ...PROGRAM, Cookie: cookie } });
const ON = { EntraSCIM: 'on' };

describe('SCIM', { skip: missing }, () => {
  let site;
  let scim;

  before(async () => {
    site = await startSite({ directives: ON, processes: MPM === 'prefork' ? 6 : 3, threads: 8 });
    scim = new Scim(site, makeToken(site));
    // Users of tests are known by name alone; and a burst takes every worker.
    site.httpd.allow(/ENTRA2102/, /AH10159|AH00484/);
  });
  after(async () => { await site?.stop(); });
  beforeEach(async () => {
    await site.reset();
    for (const resource of ['Users', 'Groups']) {
      for (let left = 1; left > 0;) {
        const list = (await scim.get(`/${resource}?attributes=id&count=200`)).json();
        left = list.Resources.length;
        await Promise.all(list.Resources.map(({ id }) => scim.send('DELETE', `/${resource}/${id}`)));
      }
    }
  });

  describe('Entra\'s provisioning service', () => {
    for (const dialect of ['legacy', 'aadOptscim062020']) {
      test(`from test connection to purge (${dialect})`, async () => {
        const entra = scim.provisioner({ dialect });
        const people = ['ada', 'root', 'nell', 'gus'].map(person);
        const group = { id: tenantGroups[0].id, displayName: 'Payroll readers', members: people.slice(0, 3).map(({ oid }) => oid) };
        await entra.cycle({ users: people, groups: [group] });
        const made = (await scim.filter('Users', `externalId eq "${ada.oid}"`)).json().Resources[0];
        assert.equal(made.userName, ada.upn);
        assert.equal(made.active, true);
        assert.equal(made.emails[0].value, ada.email);
        assert.deepEqual(made.groups.map(({ display }) => display), ['Payroll readers']);
        // Nothing changed: a cycle is the test connection alone.
        const before = entra.requests;
        await entra.cycle({ users: people, groups: [group] });
        assert.equal(entra.requests, before + 2);
        // A change, a manager, on demand in the other dialect, a rename and other members.
        await entra.user({ ...ada, name: 'Ada B. Example', department: 'Ops', email: 'ada.b@contoso.example' });
        await entra.manager(ada, person('root'));
        await entra.onDemand({ ...person('gus'), jobTitle: 'Lead' });
        await entra.cycle({ groups: [{ ...group, displayName: 'Payroll', members: [ada.oid, person('gus').oid] }] });
        const changed = (await scim.get(`/Users/${made.id}`)).json();
        assert.equal(changed.displayName, 'Ada B. Example');
        assert.equal(changed.emails[0].value, 'ada.b@contoso.example');
        assert.equal(changed[ENTERPRISE].department, 'Ops');
        assert.equal(typeof changed[ENTERPRISE].manager.value, 'string');
        assert.deepEqual(changed.groups.map(({ display }) => display), ['Payroll']);
        const [found] = (await scim.filter('Groups', 'displayName eq "payroll"')).json().Resources;
        assert.equal(found.members.length, 2);
        // Disabled, restored, purged.
        await entra.disable(ada);
        const disabled = (await scim.get(`/Users/${made.id}`)).json();
        assert.equal(disabled.active, false);
        assert.deepEqual(disabled.groups.length, 1, 'disabling keeps memberships');
        assert.equal((await scim.filter('Users', `userName eq "${ada.upn}"`)).json().totalResults, 1, 'and stays readable');
        await entra.user(ada);
        assert.equal((await scim.get(`/Users/${made.id}`)).json().active, true);
        await entra.purge(ada);
        assertScimError(await scim.get(`/Users/${made.id}`), 404, undefined);
        assert.equal((await scim.get(`/Groups/${found.id}`)).json().members.length, 1, 'it is out of its groups');
        await entra.purge(group);
        assertScimError(await scim.get(`/Groups/${found.id}`), 404, undefined);
      });
    }

    test('a disabled user in every shape loses the session at once, and its cookie never lives again', async () => {
      const shapes = {
        'Replace "False"': ({ id }) => scim.patch(`/Users/${id}`, { op: 'Replace', path: 'active', value: 'False' }),
        'replace "false"': ({ id }) => scim.patch(`/Users/${id}`, { op: 'replace', path: 'active', value: 'false' }),
        'replace false': ({ id }) => scim.patch(`/Users/${id}`, { op: 'replace', path: 'active', value: false }),
        'Add': ({ id }) => scim.patch(`/Users/${id}`, { op: 'Add', path: 'active', value: 'False' }),
        'without path': ({ id }) => scim.patch(`/Users/${id}`, { op: 'replace', value: { active: false } }),
        'with others': ({ id }) => scim.patch(`/Users/${id}`, { op: 'replace', path: 'title', value: 'x' }, { op: 'Replace', path: 'active', value: [{ value: 'False' }] }),
        'URN': ({ id }) => scim.patch(`/Users/${id}`, { op: 'replace', path: `${USER}:active`, value: false }),
        'PUT': ({ id }) => scim.send('PUT', `/Users/${id}`, { schemas: [USER], externalId: ada.oid, userName: ada.upn, active: false }),
        'DELETE': ({ id }) => scim.send('DELETE', `/Users/${id}`),
      };
      for (const [shape, step] of Object.entries(shapes)) {
        const user = await scim.user({ externalId: ada.oid, userName: ada.upn, active: true });
        const cookie = copyOf(await site.signedIn());
        const other = copyOf(await site.signedIn({ user: 'nell' }));
        assert.equal((await replay(site, cookie)).status, 200, shape);
        const log = await site.httpd.logOf(async () => {
          const answer = await step(user);
          assert.ok([200, 204].includes(answer.status), `${shape}: ${answer.text}`);
          const answers = await Promise.all(Array.from({ length: 20 }, () => replay(site, cookie)));
          for (const one of answers) assert.equal(one.status, 401, shape);
        });
        assert.match(log, /ENTRA2100: SCIM: user (disabled|deleted): [0-9a-f-]{36} \[token [0-9a-f]{16}\]/, shape);
        assert.match(log, new RegExp(`ENTRA2101: session ended \\(SCIM, user (disabled|deleted) [0-9a-f-]{36}\\): oid ${ada.oid}, session [0-9a-f]{8}`), shape);
        assert.doesNotMatch(log, new RegExp(ada.upn), 'no values in the log');
        assert.equal((await replay(site, other)).status, 200, 'somebody else');
        if (shape !== 'DELETE') {
          const page = await site.browser().navigate(site.at('/page.html'));
          assert.equal(page.status, 403, `${shape}: ${page.trace}`);
          assert.match(page.text, /ENTRA1610/);
          await scim.patch(`/Users/${user.id}`, { op: 'Replace', path: 'active', value: 'True' });
          assert.equal((await replay(site, cookie)).status, 401, 'the old cookie stays dead');
          assert.equal((await (await site.signedIn()).navigate(site.at('/page.html'))).status, 200, 'a fresh sign-in works');
          await scim.send('DELETE', `/Users/${user.id}`);
        }
      }
    });

    test('a user that is created disabled, or becomes somebody while disabled, has no session', async () => {
      let cookie = copyOf(await site.signedIn());
      const user = await scim.user({ externalId: ada.oid, userName: ada.upn, active: 'False' });
      assert.strictEqual(user.active, false);
      assert.equal((await replay(site, cookie)).status, 401);
      await scim.send('DELETE', `/Users/${user.id}`);
      cookie = copyOf(await site.signedIn());
      const other = await scim.user({ externalId: randomUUID(), userName: 'somebody@contoso.example', active: false });
      assert.equal((await replay(site, cookie)).status, 200);
      await scim.patch(`/Users/${other.id}`, { op: 'replace', path: 'externalId', value: ada.oid.toUpperCase() });
      assert.equal((await replay(site, cookie)).status, 401);
    });

    test('a sign-in that was under way when the user was disabled brings nothing, also after the user is back', async () => {
      const user = await scim.user({ externalId: ada.oid, userName: ada.upn });
      const browser = site.browser();
      const held = await site.begin(browser);
      await scim.patch(`/Users/${user.id}`, { op: 'Replace', path: 'active', value: 'False' });
      await scim.patch(`/Users/${user.id}`, { op: 'Replace', path: 'active', value: 'True' });
      const log = await site.httpd.logOf(async () => {
        const page = await browser.navigate(held.url, { follow: false });
        assert.equal(page.status, 400);
        assert.equal(copyOf(browser), '');
      });
      assert.match(log, /ENTRA1611: /);
      // Deleted: the same.
      const again = site.browser();
      const late = await site.begin(again);
      await scim.send('DELETE', `/Users/${user.id}`);
      assert.equal((await again.navigate(late.url, { follow: false })).status, 400);
      assert.equal((await site.signedIn()).cookies.all.length > 0, true, 'unknown users may enter');
    });

    test('without object ids a user is known by name, and the log says so', async () => {
      const log = await site.httpd.logOf(async () => {
        const user = await scim.user({ externalId: 'ada', userName: ada.upn.toUpperCase() });
        const cookie = copyOf(await site.signedIn());
        await scim.patch(`/Users/${user.id}`, { op: 'Replace', path: 'active', value: 'False' });
        assert.equal((await replay(site, cookie)).status, 401);
        assert.equal((await site.browser().navigate(site.at('/page.html'))).status, 403);
      });
      assert.ok(/ENTRA2102: SCIM: the externalId of user/.test(log) || /ENTRA2102/.test(site.httpd.errorLog()));
    });
  });

  describe('resources', () => {
    test('what is created is answered whole, and read back the same', async () => {
      const answer = await scim.send('POST', '/Users', {
        schemas: [USER, ENTERPRISE], id: 'mine', meta: { resourceType: 'User', version: 'x' }, externalId: 'e1', userName: 'Grace@contoso.example', active: 'True', title: null, addresses: null,
        emails: [{ primary: 'True', type: 'work', value: 'grace@contoso.example' }], password: 'pw',
        [ENTERPRISE]: { employeeNumber: '7', manager: 'nobody' },
        'urn:ietf:params:scim:schemas:extension:2.0:Metadata:Cost-Centre': '42',
        'urn:ietf:params:scim:schemas:extension:2.0:CustomExtensionName:folders': ['a', 'b'],
      });
      assert.equal(answer.status, 201, answer.text);
      const body = answer.json();
      assert.match(body.id, /^[0-9a-f-]{36}$/);
      assert.equal(answer.header('location'), `${site.origin}${BASE}/Users/${body.id}`);
      assert.equal(body.meta.location, answer.header('location'));
      assert.equal(answer.header('etag'), body.meta.version);
      assert.match(body.meta.version, /^W\/"1"$/);
      assert.match(answer.header('content-type'), /^application\/scim\+json/);
      assert.deepEqual(answer.cookies, []);
      assert.strictEqual(body.active, true);
      assert.strictEqual(body.emails[0].primary, true);
      assert.deepEqual(body[ENTERPRISE].manager.value, 'nobody');
      assert.equal(body['urn:ietf:params:scim:schemas:extension:2.0:Metadata']['Cost-Centre'], '42');
      assert.deepEqual(body['urn:ietf:params:scim:schemas:extension:2.0:CustomExtensionName'].folders, ['a', 'b']);
      assert.ok(body.schemas.includes('urn:ietf:params:scim:schemas:extension:2.0:Metadata'));
      for (const absent of ['password', 'title', 'addresses']) assert.ok(!(absent in body), absent);
      const read = await scim.get(`/Users/${body.id}`);
      assert.deepEqual(read.json(), body);
      const head = await scim.send('HEAD', `/Users/${body.id}`);
      assert.equal(head.status, 200);
      assert.equal(head.body.length, 0);
      assert.equal(head.header('etag'), body.meta.version);
    });

    test('one userName and one object id are one user\'s', async () => {
      const oid = randomUUID();
      await scim.user({ userName: 'Ärger@contoso.example', externalId: oid });
      assertScimError(await scim.send('POST', '/Users', { schemas: [USER], userName: 'ärGER@contoso.example' }), 409, 'uniqueness');
      assertScimError(await scim.send('POST', '/Users', { schemas: [USER], userName: 'other@contoso.example', externalId: oid.toUpperCase() }), 409, 'uniqueness');
      const other = await scim.user({ userName: 'other@contoso.example', externalId: 'nick' });
      await scim.user({ userName: 'third@contoso.example', externalId: 'nick' });
      assertScimError(await scim.patch(`/Users/${other.id}`, { op: 'replace', path: 'userName', value: 'THIRD@contoso.example' }), 409, 'uniqueness');
      assert.equal((await scim.get(`/Users/${other.id}`)).json().userName, 'other@contoso.example');
      // Who changes the name gives the old one back.
      assert.equal((await scim.patch(`/Users/${other.id}`, { op: 'replace', path: 'userName', value: 'OTHER2@contoso.example' })).status, 200);
      await scim.user({ userName: 'other@contoso.example' });
    });

    test('twelve creates of one name at a moment make one user', async () => {
      for (let round = 0; round < 3; round += 1) {
        const answers = await Promise.all(Array.from({ length: 12 }, () => scim.send('POST', '/Users', { schemas: [USER], userName: `same${round}@contoso.example` })));
        assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(11).fill(409)]);
        assert.equal((await scim.filter('Users', `userName eq "SAME${round}@contoso.example"`)).json().totalResults, 1);
      }
    });

    test('members that are added at one moment are all there', async () => {
      const people = await Promise.all(Array.from({ length: 16 }, (_, i) => scim.user({ userName: `member${i}@contoso.example` })));
      const group = await scim.group({ displayName: 'All' });
      const answers = await Promise.all(people.map(({ id }) => scim.patch(`/Groups/${group.id}`, { op: 'Add', path: 'members', value: [{ value: id }] })));
      for (const answer of answers) {
        assert.equal(answer.status, 204, answer.text);
        assert.equal(answer.body.length, 0);
      }
      const all = (await scim.get(`/Groups/${group.id}`)).json();
      assert.deepEqual(all.members.map(({ value }) => value).sort(), people.map(({ id }) => id).sort());
      assert.equal(all.meta.version, 'W/"17"');
    });

    test('all shapes of members', async () => {
      const [u1, u2, u3] = (await Promise.all([1, 2, 3].map((i) => scim.user({ userName: `m${i}@contoso.example` })))).map(({ id }) => id);
      const { id } = await scim.group({ displayName: 'Shapes' });
      const members = async () => ((await scim.get(`/Groups/${id}`)).json().members ?? []).map(({ value }) => value).sort();
      const steps = [
        [[{ op: 'Add', path: 'members', value: [{ value: u1 }, { $ref: null, value: u2 }] }], [u1, u2]],
        [[{ op: 'Add', path: 'members', value: { value: u1 } }], [u1, u2]],
        [[{ op: 'add', value: { members: [{ value: u3 }] } }], [u1, u2, u3]],
        [[{ op: 'Remove', path: 'members', value: [{ value: u1 }] }], [u2, u3]],
        [[{ op: 'Remove', path: 'members', value: [{ $ref: null, value: u1 }] }], [u2, u3]],
        [[{ op: 'remove', path: `members[value eq "${u2}"]` }], [u3]],
        [[{ op: 'Remove', path: 'members', value: [] }], [u3]],
        [[{ op: 'Add', path: 'members', value: [{ value: 'string id 1' }, { value: randomUUID() }] }], [u3]],
        [[{ op: 'Replace', path: 'displayName', value: 'Shapes again' }, { op: 'Add', path: 'members', value: [{ value: u1 }] }], [u1, u3]],
        [[{ op: 'replace', path: 'members', value: [{ value: u2 }] }], [u2]],
        [[{ op: 'remove', path: 'members' }], []],
      ];
      for (const [operations, wanted] of steps) {
        assert.equal((await scim.patch(`/Groups/${id}`, ...operations)).status, 204, JSON.stringify(operations));
        assert.deepEqual(await members(), [...wanted].sort(), JSON.stringify(operations));
      }
      const nested = await scim.group({ displayName: 'Outer', members: [{ value: id }, { value: u1 }] });
      assert.deepEqual(nested.members?.map(({ type }) => type).sort() ?? (await scim.get(`/Groups/${nested.id}`)).json().members.map(({ type }) => type).sort(), ['Group', 'User']);
      const without = (await scim.get(`/Groups/${nested.id}?excludedAttributes=members`)).json();
      assert.ok(!('members' in without));
    });

    test('versions: a stale one changes nothing, a known one is not sent again', async () => {
      const user = await scim.user({ userName: 'v@contoso.example' });
      const target = `/Users/${user.id}`;
      const first = user.meta.version;
      assert.equal((await scim.get(target, { 'If-None-Match': first })).status, 304);
      assert.equal((await scim.send('PATCH', target, { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations: [{ op: 'add', path: 'title', value: 'a' }] }, { 'If-Match': first })).status, 200);
      const put = { schemas: [USER], userName: 'v@contoso.example', title: 'b' };
      assertScimError(await scim.send('PUT', target, put, { 'If-Match': first }), 412, undefined);
      assertScimError(await scim.send('DELETE', target, undefined, { 'If-Match': 'W/"77"' }), 412, undefined);
      assert.equal((await scim.get(target)).json().title, 'a');
      const { version } = (await scim.get(target)).json().meta;
      // Of several who change the same version one is first.
      const races = await Promise.all(Array.from({ length: 6 }, (_, i) => scim.send('PUT', target, { ...put, title: `t${i}` }, { 'If-Match': version })));
      assert.deepEqual(races.map(({ status }) => status).sort(), [200, ...Array(5).fill(412)]);
      assert.equal((await scim.send('PUT', target, put, { 'If-Match': '*' })).status, 200);
      // What changes nothing makes no new version.
      const before = (await scim.get(target)).json().meta.version;
      assert.equal((await scim.patch(target, { op: 'replace', path: 'title', value: 'b' })).status, 200);
      assert.equal((await scim.get(target)).json().meta.version, before);
    });

    test('all operations of a request, or none', async () => {
      const user = await scim.user({ userName: 'atomic@contoso.example', title: 'before' });
      assertScimError(await scim.patch(`/Users/${user.id}`, { op: 'replace', path: 'title', value: 'after' }, { op: 'replace', path: 'nonsense', value: 'x' }), 400, 'invalidPath');
      assert.deepEqual((await scim.get(`/Users/${user.id}`)).json(), (await scim.get(`/Users/${user.id}`)).json());
      assert.equal((await scim.get(`/Users/${user.id}`)).json().title, 'before');
      assert.equal((await scim.get(`/Users/${user.id}`)).json().meta.version, user.meta.version);
      assertScimError(await scim.patch(`/Users/${user.id}`, { op: 'remove', path: 'userName' }), 400, 'invalidValue');
      assertScimError(await scim.patch(`/Users/${user.id}`, { op: 'replace', path: 'id', value: 'x' }), 400, 'mutability');
    });
  });

  describe('lists', () => {
    test('pages by index and by cursor neither repeat nor skip', async () => {
      const names = Array.from({ length: 23 }, (_, i) => `page${i}@contoso.example`);
      for (const userName of names) await scim.user({ userName, title: Number(userName.match(/\d+/)[0]) % 2 ? 'odd' : 'even' });
      for (const filter of ['', '&filter=title%20eq%20%22odd%22', '&filter=active%20eq%20true']) {
        // Of one millisecond, the order is anybody's; but it stays.
        const wanted = (await scim.get(`/Users?count=200${filter}`)).json().Resources.map(({ userName }) => userName);
        assert.deepEqual([...wanted].sort(), names.filter((_, i) => i % 2 || !filter.includes('odd')).sort(), filter);
        const seen = [];
        for (let start = 1; start <= wanted.length; start += 5) {
          const page = (await scim.get(`/Users?startIndex=${start}&count=5${filter}`)).json();
          assert.equal(page.totalResults, wanted.length);
          assert.equal(page.startIndex, start);
          assert.equal(page.itemsPerPage, page.Resources.length);
          seen.push(...page.Resources.map(({ userName }) => userName));
        }
        assert.deepEqual(seen, wanted, filter);
        const walked = [];
        let cursor = '';
        do {
          const page = (await scim.get(`/Users?cursor=${cursor}&count=5${filter}`)).json();
          walked.push(...page.Resources.map(({ userName }) => userName));
          cursor = page.nextCursor;
          if (cursor !== undefined) assert.match(cursor, /^[\w.~-]+$/);
        } while (cursor !== undefined);
        assert.deepEqual(walked, wanted, `cursor ${filter}`);
      }
      const first = (await scim.get('/Users?cursor=&count=5')).json().nextCursor;
      assertScimError(await scim.get(`/Users?cursor=${first}&count=5&filter=title%20eq%20%22odd%22`), 400, 'invalidCursor');
      assertScimError(await scim.get(`/Users?cursor=${first.slice(0, -3)}${first.endsWith('AAA') ? 'BBB' : 'AAA'}&count=5`), 400, 'invalidCursor');
      assertScimError(await scim.get('/Users?cursor=x'), 400, 'invalidCursor');
      const none = (await scim.get('/Users?count=0')).json();
      assert.deepEqual([none.totalResults, none.Resources], [23, []]);
      assert.equal((await scim.get('/Users?count=-5')).json().Resources.length, 0);
      assert.equal((await scim.get('/Users?startIndex=-3&count=2')).json().startIndex, 1);
      assert.equal((await scim.get('/Users?startIndex=100')).json().Resources.length, 0);
      assertScimError(await scim.get('/Users?count=many'), 400, 'invalidValue');
      assertScimError(await scim.get('/Users?count=1&count=2'), 400, 'invalidValue');
    });

    test('filters, with and without an index', async () => {
      const boss = await scim.user({ userName: 'boss@contoso.example', externalId: 'B1', displayName: 'The Boss' });
      const one = await scim.user({ userName: 'O\'Hara@contoso.example', externalId: 'x" or 1=1 --', active: false, emails: [{ type: 'work', value: 'Mixed@Contoso.example' }, { type: 'home', value: 'h@x.example' }], [ENTERPRISE]: { manager: boss.id } });
      const group = await scim.group({ displayName: 'Filter', members: [{ value: one.id }] });
      const users = async (filter) => {
        const answer = await scim.filter('Users', filter);
        assert.equal(answer.status, 200, `${filter}: ${answer.text}`);
        return answer.json().Resources.map(({ id }) => (id === boss.id ? 'boss' : 'one')).sort().join(' ');
      };
      const cases = {
        'userName eq "BOSS@contoso.example"': 'boss', 'externalId eq "B1"': 'boss', 'externalId eq "b1"': '',
        [`id eq "${one.id}"`]: 'one', [`id eq "${one.id.toUpperCase()}"`]: '', 'emails[type eq "work"].value eq "mixed@contoso.EXAMPLE"': 'one',
        'emails[type eq "work" and value eq "mixed@contoso.example"]': 'one', 'emails[type eq "home"].value eq "h@x.example"': 'one',
        [`id eq "${one.id}" and manager eq "${boss.id}"`]: 'one', [`id eq "${boss.id}" and manager eq "${boss.id}"`]: '',
        'externalId eq "x\\" or 1=1 --"': 'one', 'userName eq "o\'hara@contoso.example"': 'one', 'userName sw bos': 'boss', 'displayName co "boss"': 'boss',
        'active eq false': 'one', 'active eq "True"': 'boss', 'not (active eq true)': 'one', 'title pr': '', 'userName pr': 'boss one',
        [`groups.value eq "${group.id}"`]: 'one', 'userName eq "boss@contoso.example" or externalId eq "B1"': 'boss', 'userName eq "boss@contoso.example" and userName eq "x"': '',
        'userName eq "%"': '', 'userName sw "%"': '', 'urn:ietf:params:scim:schemas:extension:Own:2.0:User:tag eq "x"': '', [`meta.created gt "2020-01-01T00:00:00Z"`]: 'boss one',
        [`${USER}:userName eq "boss@contoso.example"`]: 'boss',
      };
      for (const [filter, wanted] of Object.entries(cases)) assert.equal(await users(filter), wanted, filter);
      const groups = async (filter) => (await scim.filter('Groups', filter, '&attributes=id')).json().Resources;
      assert.deepEqual((await groups(`id eq "${group.id}" and members eq "${one.id}"`)), [{ schemas: [GROUP], id: group.id }]);
      assert.deepEqual(await groups(`id eq "${group.id}" and members eq "${boss.id}"`), []);
      assert.equal((await groups(`not (members.value eq "${boss.id}") and displayName sw "fil"`)).length, 1);
      for (const bad of ['nonsense eq "x"', 'userName', 'userName eq', 'userName zz "x"', '(userName eq "x"', 'active gt true', '', `${'('.repeat(500)}userName pr${')'.repeat(500)}`, `userName eq "${'x'.repeat(5000)}"`]) {
        assertScimError(await scim.filter('Users', bad), 400, 'invalidFilter', bad.slice(0, 40));
      }
    });

    test('attributes and excludedAttributes, also of the answers to changes', async () => {
      const answer = await scim.send('POST', '/Users?attributes=userName', { schemas: [USER], userName: 'a@contoso.example', title: 'T', emails: [{ type: 'work', value: 'a@x.example' }] });
      const { id } = answer.json();
      assert.deepEqual(Object.keys(answer.json()).sort(), ['id', 'schemas', 'userName']);
      assert.deepEqual(Object.keys((await scim.get(`/Users/${id}?attributes=emails%5Btype%20eq%20%22work%22%5D`)).json()).sort(), ['emails', 'id', 'schemas']);
      assert.ok(!('title' in (await scim.get(`/Users?excludedAttributes=title,meta`)).json().Resources[0]));
    });

    test('.search, of one kind and of both', async () => {
      await scim.user({ userName: 's1@contoso.example', displayName: 'Search' });
      await scim.group({ displayName: 'Search' });
      const search = (target, more) => scim.send('POST', target, { schemas: ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'], ...more });
      assert.equal((await search('/Users/.search', { filter: 'displayName eq "search"', attributes: ['userName'] })).json().Resources[0].userName, 's1@contoso.example');
      const both = (await search('/.search', { filter: 'displayName eq "search"', count: 10 })).json();
      assert.deepEqual(both.Resources.map(({ meta }) => meta.resourceType), ['User', 'Group']);
      assert.equal(both.totalResults, 2);
      assert.deepEqual((await search('/.search', { filter: 'displayName eq "search"', startIndex: 2, count: 10 })).json().Resources.map(({ meta }) => meta.resourceType), ['Group']);
      assert.equal((await search('/.search', { filter: 'userName eq "s1@contoso.example"' })).json().totalResults, 1, 'groups have no userName');
      assertScimError(await search('/.search', { filter: 'nonsense eq 1' }), 400, 'invalidFilter');
      assertScimError(await search('/Users/.search', { count: 'x' }), 400, 'invalidValue');
      assertScimError(await search('/.search', { cursor: '' }), 400, 'invalidCursor');
    });
  });

  test('bulk: bounded, in order, with references', async () => {
    const bulk = (Operations, more = {}) => scim.send('POST', '/Bulk', { schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'], Operations, ...more });
    const answer = await bulk([
      { method: 'POST', path: '/Users', bulkId: 'u', data: { schemas: [USER], userName: 'bulk@contoso.example' } },
      { method: 'POST', path: '/Groups', bulkId: 'g', data: { schemas: [GROUP], displayName: 'Bulk', members: [{ value: 'bulkId:u' }] } },
      { method: 'PATCH', path: '/Users/bulkId:u', data: { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations: [{ op: 'replace', path: 'title', value: 'x' }] } },
      { method: 'POST', path: '/Users', bulkId: 'again', data: { schemas: [USER], userName: 'BULK@contoso.example' } },
      { method: 'DELETE', path: `/Users/${randomUUID()}` },
      { method: 'PUT', path: '/Users/bulkId:never', data: {} },
    ]);
    assert.equal(answer.status, 200, answer.text);
    const lines = answer.json().Operations;
    assert.deepEqual(lines.map(({ status }) => status), ['201', '201', '200', '409', '404', '400']);
    assert.equal(lines[3].response.scimType, 'uniqueness');
    assert.deepEqual(lines[4].response.schemas, [ERROR]);
    const id = lines[0].location.split('/').at(-1);
    assert.equal((await scim.get(`/Users/${id}`)).json().title, 'x');
    assert.equal((await scim.get(`/Groups/${lines[1].location.split('/').at(-1)}`)).json().members[0].value, id);
    const stopped = (await bulk([{ method: 'DELETE', path: `/Users/${randomUUID()}` }, { method: 'DELETE', path: `/Users/${id}` }], { failOnErrors: 1 })).json();
    assert.equal(stopped.Operations.length, 1);
    assert.equal((await scim.get(`/Users/${id}`)).status, 200);
    assertScimError(await bulk(Array.from({ length: 101 }, () => ({ method: 'DELETE', path: `/Users/${randomUUID()}` }))), 413, undefined);
    assertScimError(await scim.send('POST', '/Bulk', { Operations: [] }), 400, 'invalidSyntax');
    const odd = (await bulk([{ method: 'GET', path: `/Users/${id}` }, { method: 'DELETE', path: '/Nothing/x' }, { method: 'POST', path: '/Users', data: 'x' }, 'x'])).json();
    assert.deepEqual(odd.Operations.map(({ status }) => status), ['400', '400', '400', '400']);
  });

  test('what the service says about itself', async () => {
    const config = (await scim.get('/ServiceProviderConfig')).json();
    assert.deepEqual([config.patch.supported, config.bulk.supported, config.bulk.maxOperations, config.etag.supported, config.pagination.cursor], [true, true, 100, true, true]);
    for (const target of ['/Schemas', '/ResourceTypes']) {
      const list = (await scim.get(`${target}?startIndex=5&count=1`)).json();
      assert.ok(list.Resources.length >= 2, target);
      assert.ok(!JSON.stringify(list).includes(':null'), target);
    }
    assert.equal((await scim.get(`/Schemas/${encodeURIComponent(USER)}`)).json().description, 'User Account');
    assert.equal((await scim.get('/ResourceTypes/Group')).json().endpoint, '/Groups');
    assertScimError(await scim.get('/Schemas/urn:x'), 404, undefined);
    assertScimError(await scim.get('/Schemas?filter=id%20pr'), 403, undefined);
    assertScimError(await scim.get('/Me'), 501, undefined);
    assertScimError(await scim.get('/Nothing'), 404, undefined);
    assertScimError(await scim.get(''), 404, undefined);
    for (const [method, target, allow] of [['DELETE', '/Users', 'GET, HEAD, POST, OPTIONS'], ['POST', '/Schemas', 'GET, HEAD, OPTIONS'], ['GET', '/Bulk', 'POST, OPTIONS'], ['FROB', '/Users', 'GET, HEAD, POST, OPTIONS']]) {
      const answer = await scim.send(method, target);
      assertScimError(answer, 405, undefined, `${method} ${target}`);
      assert.equal(answer.header('allow'), allow);
    }
    const options = await scim.send('OPTIONS', '/Users');
    assert.deepEqual([options.status, options.header('allow')], [204, 'GET, HEAD, POST, OPTIONS']);
  });

  describe('who may', () => {
    const bare = (headers, target = '/Users', method = 'GET') => site.httpd.request({ method, path: BASE + target, headers });
    const assertChallenged = (answer, message) => {
      assertScimError(answer, 401, undefined, message);
      assert.match(answer.header('www-authenticate') ?? '', /^Bearer realm="SCIM"/, message);
      assert.equal(answer.location, undefined, message);
      assert.deepEqual(answer.cookies, [], message);
    };

    test('no token, none of ours, a wrong one: 401, never a redirect, whatever the browser or the session', async () => {
      const cookie = copyOf(await site.signedIn({ user: 'root' }));
      const wrong = scim.token.slice(0, -1) + (scim.token.endsWith('A') ? 'B' : 'A');
      for (const [name, headers] of Object.entries({
        nothing: {}, 'a page': { Accept: 'text/html', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' }, 'a session': { Cookie: cookie, Accept: 'text/html' },
        Basic: { Authorization: 'Basic YTpi' }, empty: { Authorization: 'Bearer ' }, foreign: { Authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' }, wrong: { Authorization: `Bearer ${wrong}` },
        unknown: { Authorization: `Bearer entra_scim_0123456789abcdef_${'A'.repeat(43)}` }, longer: { Authorization: `Bearer ${scim.token}x` }, sql: { Authorization: `Bearer entra_scim_' OR '1'='1` },
      })) {
        site.httpd.allow(/ENTRA1613/);
        assertChallenged(await bare(headers), name);
        assertChallenged(await bare(headers, '/Nothing'), `${name}: what there is is nobody's business`);
      }
      const good = await bare({ Authorization: `bearer ${scim.token}`, Cookie: cookie });
      assert.equal(good.status, 200);
      assert.deepEqual(good.cookies, []);
    });

    test('tokens: a new one ends the old, unless they overlap; revoked; listed with their use', async () => {
      site.httpd.allow(/ENTRA161[345]/);
      const first = scim.token;
      const second = makeToken(site, '--overlap', '1h');
      assert.equal((await bare({ Authorization: `Bearer ${first}` })).status, 200, 'both');
      assert.equal((await bare({ Authorization: `Bearer ${second}` })).status, 200, 'both');
      const third = makeToken(site);
      assertChallenged(await bare({ Authorization: `Bearer ${first}` }), 'the first has ended');
      assertChallenged(await bare({ Authorization: `Bearer ${second}` }), 'and the second');
      assert.match(site.httpd.errorLog(), /ENTRA1614: .*token [0-9a-f]{16}; make one with entra-sso scim-token new/);
      scim.token = third;
      assert.equal((await scim.get('/Users')).status, 200);
      const listed = JSON.parse(entraSso(site, ['scim-token', 'list', '--json']).out);
      assert.equal(listed.length, 3);
      const mine = listed.find(({ id }) => third.includes(id));
      assert.ok(!mine.expired && mine.used && Date.parse(mine.expires) - Date.parse(mine.created) === 365 * 86400_000);
      assert.equal(mine.application, site.origin);
      assert.match(entraSso(site, ['scim-token', 'list']).out, /^ID +CREATED +EXPIRES +LAST USED +APPLICATION\n/);
      assert.doesNotMatch(entraSso(site, ['scim-token', 'list']).out, new RegExp(third.slice(30)));
      assert.equal(entraSso(site, ['scim-token', 'revoke', mine.id]).status, 0);
      assertChallenged(await scim.get('/Users'), 'revoked');
      assert.equal(entraSso(site, ['scim-token', 'revoke', mine.id]).status, 1);
      for (const args of [['scim-token', 'revoke'], ['scim-token', 'new', '--overlap', 'soon'], ['scim-token', 'new', '--overlap', '91d'], ['scim-token', 'list', 'x']]) assert.equal(entraSso(site, args).status, 2, args.join(' '));
      assert.equal(entraSso(site, ['scim-token', 'new', '--app', 'https://nobody.example']).status, 1);
      scim.token = makeToken(site, '--app', site.origin);
      assert.equal((await scim.get('/Users')).status, 200);
    });
  });

  describe('hostile input', () => {
    test('bodies', async () => {
      const post = (body, headers = {}) => scim.send('POST', '/Users', body, headers);
      const deep = `{"schemas":["${USER}"],"userName":"d","x":${'['.repeat(20000)}${']'.repeat(20000)}}`;
      for (const [name, body] of Object.entries({
        nothing: '', 'no JSON': 'x', 'a list': '[]', deep, 'twice the same': '{"userName":"a","userName":"b"}', NUL: '{"userName":"a\\u0000b"}', 'half a surrogate': '{"userName":"\\ud800"}',
        'other letters': '{"userName":"a","USERNAME":"b"}', 'no UTF-8': Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]), trailing: '{"userName":"a"} x',
      })) assertScimError(await post(body), 400, 'invalidSyntax', name);
      assertScimError(await post({ schemas: [USER] }), 400, 'invalidValue', 'no userName');
      assertScimError(await post({ schemas: [USER], userName: 'x'.repeat(600) }), 400, 'invalidValue', 'a long key');
      assertScimError(await post('userName=x', { 'Content-Type': 'application/x-www-form-urlencoded' }), 415, undefined);
      assert.equal((await post({ schemas: [USER], userName: 'json@contoso.example' }, { 'Content-Type': 'application/json; charset=utf-8' })).status, 201);
      const names = ['Remote-User', 'Content-Length', 'X_Entra_User', 'a;DROP TABLE entra_scim_user', '../../etc/passwd'];
      for (const name of names) {
        const answer = await post({ schemas: [USER], userName: `meta-${names.indexOf(name)}@contoso.example`, 'urn:ietf:params:scim:schemas:extension:2.0:Metadata': { [name]: 'v\r\nX-Injected: 1' } });
        assert.ok([201, 400].includes(answer.status), name);
        assert.equal(answer.header('x-injected'), undefined);
      }
      const sql = '\'); DROP TABLE entra_scim_user; --';
      assert.equal((await scim.user({ userName: sql, displayName: sql })).userName, sql);
      assert.equal((await scim.filter('Users', `userName eq "${sql}"`)).json().totalResults, 1);
    });

    test('a large body is refused before it is sent, or when it grows', async () => {
      const connection = await Connection.open(site.httpd.port);
      const head = `POST ${BASE}/Users HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${scim.token}\r\nContent-Type: application/scim+json\r\n`;
      connection.write(`${head}Content-Length: 2000000\r\nExpect: 100-continue\r\n\r\n`);
      const early = await connection.response();
      assertScimError(early, 413, undefined);
      assert.deepEqual(early.interim, [], 'nothing was asked for');
      connection.close();
      const chunked = await Connection.open(site.httpd.port);
      chunked.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
      for (let i = 0; i < 20; i += 1) chunked.write(`10000\r\n${' '.repeat(65536)}\r\n`);
      assertScimError(await chunked.response(), 413, undefined);
      chunked.close();
      const small = JSON.stringify({ schemas: [USER], userName: 'chunked@contoso.example' });
      const good = await Connection.open(site.httpd.port);
      good.write(`${head}Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`);
      good.write(`${small.slice(0, 10).length.toString(16)}\r\n${small.slice(0, 10)}\r\n${small.slice(10).length.toString(16)}\r\n${small.slice(10)}\r\n0\r\n\r\n`);
      assert.equal((await good.response()).status, 201);
      good.close();
      const stranger = await Connection.open(site.httpd.port);
      stranger.write(`POST ${BASE}/Users HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n`);
      const refused = await stranger.response();
      assert.deepEqual([refused.status, refused.interim.length], [401, 0], 'a stranger\'s body is not read');
      stranger.close();
    });

    test('a body that ends early is no request', async () => {
      const connection = await Connection.open(site.httpd.port);
      connection.write(`POST ${BASE}/Users HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${scim.token}\r\nContent-Length: 500\r\n\r\n{"userName":"half`);
      const log = await site.httpd.logOf(async () => {
        connection.end();
        await connection.rest();
      });
      assert.match(log, /ENTRA1629: /);
      assert.equal((await scim.filter('Users', 'userName sw "half"')).json().totalResults, 0);
    });

    test('paths and queries', async () => {
      site.httpd.allow(/AH10244/); // httpd's own no to a bad escape
      for (const target of ['/Users/%00', '/Users/%0D%0AX-Injected:%201', '/Users/\'%20OR%201=1', `/Users/${'x'.repeat(3000)}`, '/Users/a/b', '/Users/', '/users', '/Groups/%zz', '/Users/..%5c', '/Users/%c3%28']) {
        const answer = await scim.get(target);
        assert.ok([400, 404].includes(answer.status), `${target}: ${answer.status}`);
        assert.equal(answer.header('x-injected'), undefined);
        assert.deepEqual(answer.cookies, []);
      }
      assertScimError(await scim.get('/Users?filter=%zz'), 400, 'invalidValue');
      assertScimError(await scim.get('/Users?filter=userName%20eq%20%22%ff%22'), 400, 'invalidValue');
      assertScimError(await scim.get(`/Users?attributes=${'a,'.repeat(1500)}a`), 400, 'invalidValue');
      assert.equal((await scim.get('/Users?aadOptscim062020&unknown=1')).status, 200);
      const host = await site.httpd.request({ path: `${BASE}/Users?count=1`, headers: { Authorization: `Bearer ${scim.token}`, Host: 'evil.example' } });
      assert.ok(!host.text.includes('evil.example'), 'locations are of the configuration');
    });

    test('filters are in no log', async () => {
      await scim.filter('Users', 'userName eq "secret-person@contoso.example"');
      assert.doesNotMatch(site.httpd.read('access.log') + site.httpd.errorLog(), /secret-person/);
    });
  });
});

describe('SCIM and the rest', { skip: missing }, () => {
  test('off is the default: there is nothing, with or without a token', async () => {
    const site = await startSite();
    const answer = await site.httpd.request({ path: `${BASE}/Users`, headers: PROGRAM });
    assert.equal(answer.status, 404);
    await site.stop();
  });

  test('a token of one application is none of another: 403', async () => {
    const host = (server, name) => `<VirtualHost 127.0.0.1:${server.port}>\n ServerName https://${name}.test\n</VirtualHost>`;
    const site = await startSite({ directives: ON, extra: (server) => `${host(server, 'first')}\n${host(server, 'second')}` });
    const choice = entraSso(site, ['scim-token', 'new']);
    assert.equal(choice.status, 1);
    assert.match(choice.err, /name the application that the token is for with --app: .*https:\/\/second\.test/);
    const token = makeToken(site, '--app', 'https://second.test');
    assertScimError(await new Scim(site, token, { host: 'first.test' }).get('/Users'), 403, undefined);
    assert.equal((await new Scim(site, token, { host: 'second.test' }).get('/Users')).status, 200);
    // What one application has, the other does not see.
    const first = new Scim(site, makeToken(site, '--app', 'https://first.test'), { host: 'first.test' });
    const { id } = await first.user({ userName: 'only@contoso.example', externalId: randomUUID() });
    const second = new Scim(site, token, { host: 'second.test' });
    assert.equal((await second.get('/Users')).json().totalResults, 0);
    for (const method of ['GET', 'DELETE']) assertScimError(await second.send(method, `/Users/${id}`), 404, undefined, method);
    await second.user({ userName: 'only@contoso.example', externalId: randomUUID() });
    const group = await second.group({ displayName: 'G', members: [{ value: id }] });
    assert.equal((await second.get(`/Groups/${group.id}`)).json().members.length, 0, 'nobody of another application is a member');
    site.httpd.expect(/ENTRA1615: /);
    await site.stop();
  });

  test('the database away: 503 with Retry-After, and it comes back', async () => {
    const site = await startSite({ directives: ON });
    const scim = new Scim(site, makeToken(site));
    assert.equal((await scim.get('/Users')).status, 200);
    const folder = site.httpd.path('state', 'database');
    site.httpd.allow(/ENTRA144\d: /, /ENTRA207[12]: /);
    renameSync(folder, `${folder}.away`);
    const answer = await scim.send('POST', '/Users', { schemas: [USER], userName: 'x' });
    assertScimError(answer, 503, undefined);
    assert.match(answer.header('retry-after'), /^\d+$/);
    assert.doesNotMatch(answer.text, /sqlite|database\//);
    renameSync(`${folder}.away`, folder);
    await until('the service', async () => (await scim.get('/Users')).status === 200);
    await site.stop();
  });
});

for (const [name, why] of [['SQLite', false], ['PostgreSQL', noPostgres]]) {
  describe(`two nodes and one directory on ${name}`, { skip: missing || why }, () => {
    let one;
    let two;
    let clear;
    let first;
    let second;
    const at = (target) => `https://app.test${target}`;
    const onNode = (node, cookie) => node.httpd.request({ path: '/page.html', host: 'app.test', headers: { ...PROGRAM, Cookie: cookie } });

    before(async () => {
      let database;
      if (name === 'PostgreSQL') {
        const postgres = startPostgres();
        database = `pgsql:${postgres.conninfo}`;
        clear = () => postgres.kill();
      } else {
        const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-scim-'));
        chmodSync(folder, 0o777);
        database = `sqlite3:${path.join(folder, 'entra.db')}`;
        clear = () => rmSync(folder, { recursive: true, force: true });
      }
      const common = { serverName: 'https://app.test', names: { 'https://app.test': 'httpd' }, redirectHosts: ['app.test'], directives: { ...ON, EntraDatabase: `"${database}"` } };
      one = await startSite(common);
      two = await startSite({ ...common, emu: one.emu, backend: one.backend, files: { 'state/cookie.keys': { content: readFileSync(one.httpd.keyFile), mode: 0o600 } } });
      for (const node of [one, two]) node.httpd.allow(/ENTRA2102/, /AH10159|AH00484/);
      const token = makeToken(one);
      first = new Scim(one, token, { host: 'app.test' });
      second = new Scim(two, token, { host: 'app.test' });
    });
    after(async () => {
      await two?.stop();
      await one?.stop();
      clear?.();
    });

    for (const dialect of ['legacy', 'aadOptscim062020']) {
      test(`from test connection to purge, and gone within two seconds on both nodes (${dialect})`, async () => {
        const entra = first.provisioner({ dialect });
        const group = { id: randomUUID(), displayName: `Both (${dialect})`, members: [ada.oid] };
        await entra.cycle({ users: [ada, person('root')], groups: [group] });
        const [user] = (await second.filter('Users', `userName eq "${ada.upn}"`)).json().Resources;
        assert.deepEqual(user.groups.map(({ display }) => display), [group.displayName]);
        const signedIn = async () => {
          const browser = one.browser();
          assert.equal((await browser.navigate(at('/page.html'))).status, 200);
          const cookie = copyOf(browser);
          for (const node of [one, two]) assert.equal((await onNode(node, cookie)).status, 200);
          return cookie;
        };
        const gone = async (cookie) => {
          const begin = process.hrtime.bigint();
          assert.equal((await onNode(one, cookie)).status, 401, 'at once here');
          await until('the other node to refuse', async () => (await onNode(two, cookie)).status === 401);
          assert.ok(Number(process.hrtime.bigint() - begin) / 1e9 <= 5, 'within two seconds there, and what a busy machine adds');
        };
        const cookie = await signedIn();
        await entra.disable(ada);
        await gone(cookie);
        assert.equal((await two.browser().navigate(at('/page.html'))).status, 403, 'a sign-in at the other node');
        await entra.user(ada);
        for (const node of [one, two]) assert.equal((await onNode(node, cookie)).status, 401, 'the old cookie stays dead');
        const again = await signedIn();
        await entra.purge(ada);
        await gone(again);
        assertScimError(await second.get(`/Users/${user.id}`), 404, undefined);
        await entra.purge(group);
      });
    }

    test('creates of one name on both nodes make one user, and no member is lost', async () => {
      const both = (i) => (i % 2 ? first : second);
      for (let round = 0; round < 3; round += 1) {
        const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => both(i).send('POST', '/Users', { schemas: [USER], userName: `Race${round}@contoso.example`, externalId: randomUUID() })));
        assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(11).fill(409)], answers.map(({ text }) => text).join('\n'));
      }
      const people = await Promise.all(Array.from({ length: 12 }, (_, i) => both(i).user({ userName: `crowd${i}@contoso.example` })));
      const groups = await Promise.all(['A', 'B'].map((displayName) => first.group({ displayName })));
      const answers = await Promise.all(people.flatMap(({ id }, i) => groups.map((group, g) => both(i + g).patch(`/Groups/${group.id}`, { op: 'Add', path: 'members', value: [{ value: id }, { value: people[(i + 5) % 12].id }] }))));
      for (const answer of answers) assert.equal(answer.status, 204, answer.text);
      for (const { id } of groups) assert.equal((await first.get(`/Groups/${id}`)).json().members.length, 12);
      // Deleted while they are added to and taken from groups.
      const steps = people.slice(0, 6).flatMap(({ id }, i) => [both(i).send('DELETE', `/Users/${id}`), both(i + 1).patch(`/Groups/${groups[i % 2].id}`, { op: 'Remove', path: 'members', value: people.map((one) => ({ value: one.id })) })]);
      for (const answer of await Promise.all(steps)) assert.equal(answer.status, 204, answer.text);
      for (const { id } of groups) assert.deepEqual((await first.get(`/Groups/${id}`)).json().members, []);
    });

    test('of a disabling and a sign-in at one moment, no session is left', async () => {
      const nell = person('nell');
      const { id } = await first.user({ userName: nell.upn, externalId: nell.oid });
      await one.as('nell');
      for (let round = 0; round < 6; round += 1) {
        await first.patch(`/Users/${id}`, { op: 'Replace', path: 'active', value: 'True' });
        const browser = two.browser();
        const held = await two.begin(browser, at('/page.html'));
        const [, answer] = await Promise.all([browser.navigate(held.url, { follow: false }), first.patch(`/Users/${id}`, { op: 'Replace', path: 'active', value: 'False' })]);
        assert.equal(answer.status, 200, answer.text);
        const cookie = copyOf(browser);
        if (cookie) await until('no session', async () => (await onNode(two, cookie)).status === 401);
      }
    });

    test('pages and filters', async () => {
      for (let i = 0; i < 11; i += 1) await first.user({ userName: `walk${i}@contoso.example`, title: 'walker' });
      const seen = [];
      let cursor = '';
      do {
        // Any node takes the cursor of any other.
        const page = (await (seen.length % 2 ? first : second).get(`/Users?count=5&cursor=${cursor}&filter=title%20eq%20%22walker%22`)).json();
        seen.push(...page.Resources.map(({ userName }) => userName));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      assert.equal(new Set(seen).size, 11);
      for (const filter of ['userName eq "WALK3@contoso.example"', 'userName sw "walk3"', 'not (userName ne "walk3@contoso.example")']) assert.equal((await second.filter('Users', filter)).json().totalResults, 1, filter);
    });
  });
}
