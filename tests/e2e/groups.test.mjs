// SPDX-License-Identifier: Apache-2.0
// Groups at sign-in: from the token, by name, past what a token holds; and every way in which Graph can fail to answer.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { CLIENT, groups as known, users as people } from '../emulator/tenants.mjs';
import { assertPage, SESSION_COOKIE } from './lib/checks.mjs';
import { headerOf } from './lib/echo.mjs';
import { missing, MPM } from './lib/httpd.mjs';
import { SECRET_PAGE, startSite } from './lib/site.mjs';

const person = (key) => people.find((user) => user.key === key);
const group = (key) => known.find((entry) => entry.key === key).id;
const FORCED = { unset: ['groups'], set: { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'http://127.0.0.1:9/x' } } } };

/** A section for each name below /app/: its Require lines. */
const sections = (rules) => Object.entries(rules).map(([path, lines]) => `<Location "/app/${path}/">\n${lines}\n</Location>`).join('\n');

// httpd's own line beside ours when Require says no.
const REFUSED_BY_HTTPD = /AH01631/;

const start = ({ rules = {}, ...rest } = {}) => startSite({ processes: 1, allowLog: [REFUSED_BY_HTTPD], ...rest, extra: (server, { emu }) => `EntraGraphURL ${emu.url}\n${sections(rules)}` });

const statusOf = async (site, browser, path) => (await browser.navigate(site.at(`/app/${path}/x`), { follow: false })).status;
const groupsOf = async (site, browser) => (headerOf((await browser.navigate(site.at('/app/x'))).json(), 'x-entra-groups')[0] ?? '').split(',').filter(Boolean);
const graph = (site) => site.emu.stats().graph;
const scopeOf = async (site) => new URL((await site.browser().navigate(site.at('/page.html'), { follow: false })).response.location).searchParams.get('scope').split(' ');

/** From the next sign-in on `user` is in so many groups. */
const member = (site, user, count) => site.emu.control('user', { user, set: { groups: person('max').groups.slice(0, count) } });

/** The sign-in of `user` ends with this number, without a session; the next, once the cause is gone, works. */
async function refused(site, user, status, number, { also = [] } = {}) {
  await site.as(user);
  const browser = site.browser();
  const page = await browser.navigate(site.at('/page.html'));
  assertPage(site, page.response, status, number, `${user}: ${page.trace}`);
  assert.ok(!browser.cookies.all.some(({ name }) => SESSION_COOKIE.test(name)), 'there is no session cookie');
  assert.doesNotMatch(page.text, new RegExp(SECRET_PAGE));
  site.httpd.expect(new RegExp(`ENTRA${number}`), ...also);
  return page.response;
}

describe('groups', { skip: missing }, () => {
  test('groups by id come from the token, and Graph is not asked', async () => {
    const site = await start({ rules: { finance: `Require entra-group ${group('finance')}`, staff: `Require entra-group ${group('staff').toUpperCase()}` } });
    const ada = await site.signedIn({ user: 'ada' });
    assert.equal(await statusOf(site, ada, 'finance'), 200);
    assert.equal(await statusOf(site, ada, 'staff'), 200);
    const root = await site.signedIn({ user: 'root' });
    assert.equal(await statusOf(site, root, 'finance'), 403);
    // What the configuration names, in its spelling, and no more.
    assert.deepEqual(await groupsOf(site, ada), [group('finance'), group('staff').toUpperCase()]);
    assert.equal(site.calls('graph'), 0);
    await site.stop();
  });

  test('permissions of Graph are asked for only where they are needed', async () => {
    for (const [rules, directives, scopes] of [
      [{}, {}, []],
      [{ a: `Require entra-group ${group('staff')}` }, {}, ['User.Read']],
      [{ a: `Require entra-group ${group('staff')}` }, { EntraGroupOverage: 'deny' }, []],
      [{ a: 'Require entra-group Finance' }, { EntraGroupOverage: 'ignore' }, ['GroupMember.Read.All']],
      [{ a: 'EntraRole a group=Finance\nRequire entra-role a' }, {}, ['User.Read', 'GroupMember.Read.All']],
      [{}, { EntraGroups: 'all' }, ['User.Read']],
    ]) {
      const site = await start({ rules, directives });
      const asked = (await scopeOf(site)).map((scope) => scope.replace(/^https:.*\//, '')).filter((scope) => /\./.test(scope));
      assert.deepEqual(asked, scopes, JSON.stringify([rules, directives]));
      await site.stop();
    }
  });

  test('a name is looked up once for many sign-ins, in any case, with quotes and beyond ASCII', async () => {
    const rules = { finance: 'Require entra-group finance', oncall: `Require entra-group "O'Brien's on-call team"`, cooks: 'Require entra-group "Ärzte & Köche"', none: 'Require entra-group "No such group"' };
    // A name is known to one process.
    const site = await start({ rules, ...(MPM === 'prefork' ? { workers: 1 } : {}) });
    for (const user of ['ada', 'root', 'nell', 'ada']) {
      const browser = await site.signedIn({ user });
      assert.equal(await statusOf(site, browser, 'finance'), user === 'ada' ? 200 : 403, user);
      assert.equal(await statusOf(site, browser, 'oncall'), user === 'nell' ? 200 : 403, user);
      assert.equal(await statusOf(site, browser, 'cooks'), 403, user);
      assert.equal(await statusOf(site, browser, 'none'), 403, user);
    }
    assert.equal(graph(site).groups.calls, 4);
    assert.equal(graph(site).checkMemberGroups?.calls ?? 0, 0);
    await site.stop();
  });

  test('who is in 250 or 5000 groups comes in by the one that counts', async () => {
    const site = await start({ rules: { gus: `Require entra-group ${group('many200')}`, max: `Require entra-group ${group('max4711')}`, finance: 'Require entra-group Finance', staff: 'Require entra-group "All staff"' } });
    const gus = await site.signedIn({ user: 'gus' });
    const max = await site.signedIn({ user: 'max' });
    assert.deepEqual(await Promise.all(['gus', 'max', 'finance', 'staff'].map((path) => statusOf(site, gus, path))), [200, 403, 403, 200]);
    assert.deepEqual(await Promise.all(['gus', 'max', 'finance', 'staff'].map((path) => statusOf(site, max, path))), [403, 200, 403, 403]);
    assert.deepEqual(await groupsOf(site, max), [group('max4711')]);
    const bytes = max.cookies.all.filter(({ name }) => SESSION_COOKIE.test(name)).reduce((sum, { value }) => sum + value.length, 0);
    assert.ok(bytes > 100 && bytes < 1500, `${bytes} bytes of cookie`);
    assert.equal(graph(site).checkMemberGroups.calls, 2);
    assert.equal(graph(site).checkMemberGroups.ids, 8);
    await site.stop();
  });

  test('more than 20 named groups are asked for in calls of 20, and those of each call count', async () => {
    const others = Array.from({ length: 44 }, (_, i) => group(`max${String(i + 1).padStart(4, '0')}`));
    // One of his groups in the first call, the middle of the second, and the last place of the third.
    const named = [group('staff'), ...others.slice(0, 29), group('many100'), ...others.slice(29), group('many200')];
    const site = await start({ rules: { named: `Require entra-group ${named.join(' ')}`, ...Object.fromEntries(named.map((id, i) => [`n${i}`, `Require entra-group ${id}`])) } });
    const gus = await site.signedIn({ user: 'gus' });
    assert.deepEqual(await groupsOf(site, gus), [group('staff'), group('many100'), group('many200')]);
    for (const [i] of named.entries()) assert.equal(await statusOf(site, gus, `n${i}`), [0, 30, 46].includes(i) ? 200 : 403, `the group at ${i}`);
    assert.equal(await statusOf(site, gus, 'named'), 200);
    const asked = graph(site).checkMemberGroups;
    assert.deepEqual([asked.calls, asked.ids], [3, named.length]);
    await site.stop();
  });

  test('both forms of overage are understood, and the address in the token is not followed', async () => {
    const site = await start({ rules: { finance: `Require entra-group ${group('finance')}` } });
    for (const shape of [FORCED, { unset: ['groups'], set: { hasgroups: true } }]) {
      await site.emu.control('idtoken', { ...shape, count: 1 });
      const calls = site.calls('graph');
      const ada = await site.signedIn({ user: 'ada' });
      assert.equal(await statusOf(site, ada, 'finance'), 200);
      assert.equal(site.calls('graph'), calls + 1);
    }
    await site.stop();
  });

  test('EntraGroups all gives every group, nested ones too, and neither roles nor units', async () => {
    const site = await start({ directives: { EntraGroups: 'all' } });
    await site.emu.control('idtoken', FORCED);
    const nell = await groupsOf(site, await site.signedIn({ user: 'nell' }));
    assert.deepEqual(nell.sort(), ['oncall', 'platform', 'engineering', 'social'].map(group).sort());
    assert.deepEqual((await groupsOf(site, await site.signedIn({ user: 'ada' }))).sort(), [...person('ada').groups].sort());
    assert.deepEqual(await groupsOf(site, await site.signedIn({ user: 'noroles' })), []);
    // 5000 ids are no cookie: the sign-in says so, and does not cut them. Every page was read before.
    const { calls } = graph(site).transitiveMemberOf;
    await refused(site, 'max', 500, 1406);
    assert.equal(graph(site).transitiveMemberOf.calls, calls + 6);
    // What the manual says of the default.
    await member(site, 'root', 290);
    assert.equal((await groupsOf(site, await site.signedIn({ user: 'root' }))).length, 290);
    await member(site, 'root', 320);
    await refused(site, 'root', 500, 1406);
    await site.stop();
  });

  test('EntraGroups all has 250 groups, and more where httpd reads headers that are long enough', async () => {
    const plain = await start({ directives: { EntraGroups: 'all' } });
    assert.deepEqual((await groupsOf(plain, await plain.signedIn({ user: 'gus' }))).sort(), [...person('gus').groups].sort());
    await plain.stop();
    const site = await start({ directives: { EntraGroups: 'all', LimitRequestFieldSize: 16380 }, rules: { last: `Require entra-group ${group('many249')}` } });
    const gus = await site.signedIn({ user: 'gus' });
    assert.deepEqual((await groupsOf(site, gus)).sort(), [...person('gus').groups].sort());
    assert.equal(await statusOf(site, gus, 'last'), 200);
    assert.equal(graph(site).transitiveMemberOf.calls, 1);
    // The application's own server takes no more than 16 KB of headers.
    await member(site, 'root', 400);
    assert.equal((await groupsOf(site, await site.signedIn({ user: 'root' }))).length, 400);
    await member(site, 'root', 680);
    await site.signedIn({ user: 'root' });
    await member(site, 'root', 720);
    await refused(site, 'root', 500, 1406);
    await site.stop();
  });

  test('EntraGroupOverage deny and ignore', async () => {
    const rules = { staff: `Require entra-group ${group('staff')}` };
    const deny = await start({ rules, directives: { EntraGroupOverage: 'deny' } });
    await refused(deny, 'gus', 403, 1420);
    assert.equal(await statusOf(deny, await deny.signedIn({ user: 'ada' }), 'staff'), 200);
    assert.equal(deny.calls('graph'), 0);
    await deny.stop();
    const ignore = await start({ rules, directives: { EntraGroupOverage: 'ignore' } });
    const gus = await ignore.signedIn({ user: 'gus' });
    assert.equal(await statusOf(ignore, gus, 'staff'), 403);
    assert.equal(ignore.calls('graph'), 0);
    await ignore.stop();
  });

  test('a user without groups, and one whose registration sends none, has none', async () => {
    const site = await start({ rules: { staff: `Require entra-group ${group('staff')}`, name: 'Require entra-group Finance' } });
    const nora = await site.signedIn({ user: 'noroles' });
    await site.emu.control('client', { client_id: CLIENT, set: { groupMembershipClaims: null } });
    const ada = await site.signedIn({ user: 'ada' });
    for (const browser of [nora, ada]) {
      assert.equal(await statusOf(site, browser, 'staff'), 403);
      assert.equal(await statusOf(site, browser, 'name'), 403);
    }
    assert.equal(site.calls('graph'), 0);
    await site.stop();
  });

  test('out of the group: the next sign-in knows', async () => {
    const site = await start({ rules: { finance: `Require entra-group ${group('finance')}` } });
    assert.equal(await statusOf(site, await site.signedIn({ user: 'ada' }), 'finance'), 200);
    await site.emu.control('user', { user: 'ada', set: { groups: [group('staff')] } });
    assert.equal(await statusOf(site, await site.signedIn({ user: 'ada' }), 'finance'), 403);
    await site.stop();
  });
});

// ---- failures -----------------------------------------------------------------------------------------------------------

const FAULTS = {
  'throttled': [{ endpoint: 'graph', status: 429, retryAfter: 7 }, 503, 1432, 'retry-after'],
  'failing': [{ endpoint: 'graph', status: 500 }, 503, 1433],
  'unavailable': [{ endpoint: 'graph', status: 503 }, 503, 1433],
  'refusing the token': [{ endpoint: 'graph', status: 401, body: { error: { code: 'InvalidAuthenticationToken' } } }, 502, 1431],
  'refusing': [{ endpoint: 'graph', status: 403, body: { error: { code: 'Authorization_RequestDenied' } } }, 502, 1430],
  'silent': [{ endpoint: 'graph', hang: true }, 503, 1052],
  'closing': [{ endpoint: 'graph', close: true }, 503, 1055],
};
const SHAPES = {
  'that is no JSON': [{ generate: { kind: 'notjson' } }, 502, 1434],
  'without a list': [{ unset: ['value'] }, 502, 1434],
  'with a stranger in it': [{ add: [group('cooks')] }, 502, 1434],
  'of fifty megabytes': [{ generate: { kind: 'huge' } }, 503, '(?:1053|1434)'],
  'that is very deep': [{ generate: { kind: 'deep' } }, 502, 1434],
};

describe('groups: Graph fails', { skip: missing }, () => {
  test('every failure at a question of membership ends the sign-in, and the next one works', async () => {
    const site = await start({ rules: { staff: `Require entra-group ${group('staff')}` }, directives: { EntraOutboundTimeout: '500ms 1s' } });
    for (const [name, [fault, status, number, header]] of Object.entries(FAULTS)) {
      await site.emu.control('fault', { ...fault });
      const response = await refused(site, 'gus', status, number);
      if (header) assert.equal(response.header(header), '7', name);
      // Whose groups stand in the token does not notice.
      assert.equal(await statusOf(site, await site.signedIn({ user: 'ada' }), 'staff'), 200, name);
      await site.emu.control('fault', undefined, 'DELETE');
      assert.equal(await statusOf(site, await site.signedIn({ user: 'gus' }), 'staff'), 200, name);
    }
    for (const [name, [shape, status, number]] of Object.entries(SHAPES)) {
      await site.emu.control('graph', { operation: 'checkMemberGroups', ...shape, count: 1 });
      await site.as('gus');
      const browser = site.browser();
      const page = await browser.navigate(site.at('/page.html'));
      assert.ok(page.status === status || page.status === 502, `an answer ${name}: ${page.status}`);
      site.httpd.expect(new RegExp(`ENTRA${number}`));
      assert.ok(!browser.cookies.all.some((cookie) => SESSION_COOKIE.test(cookie.name)), name);
    }
    await site.stop();
  });

  test('without consent to names nobody who has groups comes in, and without consent to membership nobody with too many', async () => {
    const names = await start({ rules: { a: 'Require entra-group Finance' } });
    await names.emu.control('graph', { consent: { 'GroupMember.Read.All': false } });
    await refused(names, 'ada', 502, 1430);
    assert.ok(await names.signedIn({ user: 'noroles' }));
    await names.emu.control('graph', undefined, 'DELETE');
    assert.equal(await statusOf(names, await names.signedIn({ user: 'ada' }), 'a'), 200);
    await names.stop();
    const own = await start({ rules: { a: `Require entra-group ${group('staff')}` } });
    await own.emu.control('graph', { consent: { 'User.Read': false } });
    await refused(own, 'gus', 502, 1430);
    assert.equal(await statusOf(own, await own.signedIn({ user: 'ada' }), 'a'), 200);
    await own.stop();
  });

  test('a name that two groups have ends the sign-in of everybody with groups', async () => {
    const site = await start({ rules: { a: 'Require entra-group Twins' } });
    await refused(site, 'ada', 502, 1435);
    await site.stop();
  });

  test('the groups claim as a text ends the sign-in', async () => {
    const site = await start({ rules: { a: `Require entra-group ${group('staff')}` } });
    await site.emu.control('idtoken', { set: { groups: group('staff') }, count: 1 });
    await refused(site, 'ada', 502, 1421);
    await site.stop();
  });

  test('a next page elsewhere is not asked for, and ends the sign-in', async () => {
    const site = await start({ directives: { EntraGroups: 'all' } });
    await site.emu.control('idtoken', FORCED);
    await site.emu.control('graph', { operation: 'transitiveMemberOf', nextLink: 'http://127.0.0.1:9/v1.0/me', count: 1 });
    await refused(site, 'nell', 502, 1434);
    await site.stop();
  });

  test('no log line has the access token', async () => {
    const site = await start({ rules: { a: 'Require entra-group Finance' } });
    await site.emu.control('fault', { endpoint: 'graph', status: 401, count: 1 });
    await refused(site, 'ada', 502, 1431);
    await site.signedIn({ user: 'ada' });
    await site.signedIn({ user: 'gus' });
    for (const token of site.emu.stats().secrets.access_tokens) assert.ok(!site.httpd.errorLog().includes(token.slice(0, 60)));
    await site.stop();
  });
});
