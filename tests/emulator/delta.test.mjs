// SPDX-License-Identifier: Apache-2.0
// Graph asked by applications, and its delta query of users: enumeration, changes, removals, expired links.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startEmulator } from './server.mjs';
import { CLIENT, CONTOSO, FABRIKAM, users } from './tenants.mjs';
import { parts, postToken, secretForm } from './testclient.mjs';

const QUERY = '/users/delta?$select=accountEnabled,signInSessionsValidFromDateTime';
const oidOf = (key) => users.find((user) => user.key === key).oid;
const OURS = users.filter((user) => user.tenant === CONTOSO).map((user) => user.oid).sort();

let emu;
let token;
before(async () => { emu = await startEmulator({ auto: 'ada' }); });
after(() => emu.close());
beforeEach(async () => {
  await emu.control('reset', {});
  token = await appToken(['User.Read.All']);
});

async function appToken(graphPermissions, { scope = 'https://graph.microsoft.com/.default', tenant } = {}) {
  await emu.control('client', { client_id: CLIENT, set: { graphPermissions } });
  const { status, body } = await postToken(emu, secretForm({ grant_type: 'client_credentials', scope }), { tenant });
  assert.equal(status, 200, JSON.stringify(body));
  return body.access_token;
}

async function ask(link, { headers = {}, bearer = token } = {}) {
  const response = await fetch(link.startsWith('http') ? link : `${emu.url}/v1.0${link}`, { headers: { authorization: `Bearer ${bearer}`, ...headers } });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** Follows next links to the end: {items, pages, link}. */
async function follow(link, options) {
  const items = [];
  for (let next = link, pages = 1; ; pages += 1) {
    const { status, body } = await ask(next, options);
    assert.equal(status, 200, JSON.stringify(body));
    items.push(...body.value);
    next = body['@odata.nextLink'];
    assert.equal(Boolean(next), !body['@odata.deltaLink']);
    if (!next) return { items, pages, link: body['@odata.deltaLink'] };
  }
}

test('application permissions are in the token, and decide', async () => {
  const { claims } = parts(token);
  assert.deepEqual([claims.roles, claims.idtyp, claims.scp, claims.aud], [['User.Read.All'], 'app', undefined, 'https://graph.microsoft.com']);
  assert.equal((await ask(`/users/${oidOf('root')}?$select=accountEnabled`)).body.accountEnabled, true);
  assert.equal((await ask('/groups')).status, 403);
  assert.equal((await ask('/groups', { bearer: await appToken(['GroupMember.Read.All']) })).status, 200);
  assert.equal((await ask(QUERY, { bearer: await appToken(['GroupMember.Read.All']) })).status, 403);
  assert.equal(parts(await appToken([])).claims.roles, undefined);
  await emu.control('graph', { consent: { 'User.Read.All': false } });
  const refused = await ask(QUERY);
  assert.deepEqual([refused.status, refused.body.error.code], [403, 'Authorization_RequestDenied']);
});

test('the scope may name Graph by the host of the discovery document', async () => {
  const here = await appToken(['User.Read.All'], { scope: `${emu.url}/.default` });
  assert.equal((await ask(QUERY, { bearer: here })).status, 200);
  const https = await appToken(['User.Read.All'], { scope: `${emu.url.replace('http:', 'https:')}/.default` });
  assert.equal((await ask(QUERY, { bearer: https })).status, 200);
});

test('the first round has every user of the tenant, page by page, and ends with a delta link', async () => {
  const { items, pages, link } = await follow(QUERY, { headers: { prefer: 'odata.maxpagesize=4' } });
  assert.deepEqual(items.map((item) => item.id), OURS);
  assert.equal(pages, Math.ceil(OURS.length / 4));
  const dora = items.find((item) => item.id === oidOf('dora'));
  assert.deepEqual(dora, { id: oidOf('dora'), accountEnabled: false, signInSessionsValidFromDateTime: '2026-01-01T00:00:00Z' });
  assert.match(link, /^http:\/\/127\.0\.0\.1:\d+\/v1\.0\/users\/delta\?\$deltatoken=[\w.-]+$/);
  const quiet = await follow(link);
  assert.deepEqual(quiet.items, []);
  const fabrikam = await appToken(['User.Read.All'], { tenant: FABRIKAM });
  assert.deepEqual((await follow(QUERY, { bearer: fabrikam })).items.map((item) => item.id), [oidOf('fab')]);
  assert.equal((await ask(link, { bearer: fabrikam })).status, 400);
});

test('later rounds have changed users alone, each change once', async () => {
  let { link } = await follow(QUERY);
  const round = async () => {
    const found = await follow(link);
    link = found.link;
    return found.items;
  };
  await emu.control('event', { user: 'ada', event: 'disable' });
  await emu.control('event', { user: 'root', event: 'revoke' });
  const items = await round();
  assert.deepEqual(items.map((item) => item.id).sort(), [oidOf('ada'), oidOf('root')].sort());
  assert.equal(items.find((item) => item.id === oidOf('ada')).accountEnabled, false);
  const root = items.find((item) => item.id === oidOf('root'));
  assert.ok(Math.abs(Date.parse(root.signInSessionsValidFromDateTime) - Date.now()) < 30_000);
  assert.match(root.signInSessionsValidFromDateTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.deepEqual(await round(), []);
  await emu.control('event', { user: 'ada', event: 'enable' });
  assert.deepEqual((await round()).map((item) => item.accountEnabled), [true]);
  await emu.control('user', { user: 'ada', set: { roles: ['x'], name: 'Another' } });
  assert.deepEqual(await round(), [], 'nothing that was selected changed');
  await emu.control('user', { user: 'ada', set: { enabled: false } });
  assert.equal((await round()).length, 1);
});

test('removed users are marked, and come back whole', async () => {
  let { link } = await follow(QUERY);
  await emu.control('event', { user: 'ada', event: 'delete' });
  await emu.control('event', { user: 'root', event: 'delete', permanent: true });
  const first = await follow(link);
  const reasons = Object.fromEntries(first.items.map((item) => [item.id, item['@removed']?.reason]));
  assert.deepEqual(reasons, { [oidOf('ada')]: 'changed', [oidOf('root')]: 'deleted' });
  await emu.control('event', { user: 'ada', event: 'restore' });
  link = (await follow(first.link)).items;
  assert.deepEqual(link, [{ id: oidOf('ada'), accountEnabled: true, signInSessionsValidFromDateTime: '2026-01-01T00:00:00Z' }]);
  assert.equal((await follow(QUERY)).items.length, OURS.length - 1);
});

test('return=minimal leaves out what did not change', async () => {
  const { link } = await follow(QUERY);
  await emu.control('event', { user: 'ada', event: 'disable' });
  const full = await ask(link);
  assert.deepEqual(Object.keys(full.body.value[0]).sort(), ['accountEnabled', 'id', 'signInSessionsValidFromDateTime']);
  const minimal = await ask(link, { headers: { Prefer: 'return=minimal, odata.maxpagesize=10' } });
  assert.deepEqual(minimal.body.value, [{ id: oidOf('ada'), accountEnabled: false }]);
  assert.equal(minimal.headers.get('preference-applied'), 'return=minimal, odata.maxpagesize=10');
});

test('latest begins without an enumeration; a filter follows some users', async () => {
  const { items, link } = await follow(`${QUERY}&$deltatoken=latest`);
  assert.deepEqual(items, []);
  await emu.control('event', { user: 'ada', event: 'disable' });
  assert.deepEqual((await follow(link)).items.map((item) => item.id), [oidOf('ada')]);
  const some = await follow(`${QUERY}&$filter=${encodeURIComponent(`id eq '${oidOf('ada')}' or id eq '${oidOf('root')}'`)}`);
  assert.equal(some.items.length, 2);
  await emu.control('event', { user: 'nell', event: 'disable' });
  await emu.control('event', { user: 'root', event: 'disable' });
  assert.deepEqual((await follow(some.link)).items.map((item) => item.id), [oidOf('root')]);
});

test('without $select the properties of interest are not there', async () => {
  const { items } = await follow('/users/delta');
  assert.deepEqual(Object.keys(items[0]).sort(), ['displayName', 'givenName', 'id', 'mail', 'surname', 'userPrincipalName']);
});

test('an expired link is 410 with the address to begin again', async () => {
  const expect = async (link) => {
    const { status, headers, body } = await ask(link);
    assert.deepEqual([status, body.error.code], [410, 'syncStateNotFound']);
    return headers.get('location');
  };
  const { link } = await follow(QUERY);
  await emu.control('delta', { expire: true });
  const location = await expect(link);
  assert.equal(location, `${emu.url}/v1.0/users/delta?$select=id,accountEnabled,signInSessionsValidFromDateTime&$deltatoken=`);
  const again = await follow(location);
  assert.equal(again.items.length, OURS.length);
  assert.deepEqual((await follow(again.link)).items, []);
  await emu.control('clock', { offsetSeconds: 3000 });
  await emu.control('limits', { deltaSeconds: 2000 });
  await expect(again.link);
  await assert.rejects(emu.control('delta', {}), /expire is true/);
});

test('mistakes in the question are refused', async () => {
  const codes = { '?$select=shoeSize': 'BadRequest', '?$filter=displayName eq \'x\'': 'BadRequest', '?$deltatoken=nonsense': 'Request_BadRequest', '?$orderby=id': 'Request_UnsupportedQuery' };
  for (const [query, code] of Object.entries(codes)) {
    const { status, body } = await ask(`/users/delta${query}`);
    assert.deepEqual([status, body.error.code], [400, code], query);
  }
  assert.equal((await ask(QUERY, { headers: { prefer: 'odata.maxpagesize=0' } })).status, 400);
});

test('a change in the middle of an enumeration is in the next round', async () => {
  const options = { headers: { prefer: 'odata.maxpagesize=3' } };
  const first = await ask(QUERY, options);
  await emu.control('event', { user: 'ada', event: 'disable' });
  await emu.control('event', { user: 'nell', event: 'delete' });
  const rest = await follow(first.body['@odata.nextLink'], options);
  const later = await follow(rest.link);
  assert.deepEqual(later.items.map((item) => item.id).sort(), [oidOf('ada'), oidOf('nell')].sort());
});

test('throttling, silence, odd answers, and a crowd', async () => {
  await emu.control('graph', { operation: 'usersDelta', status: 429, error: { code: 'TooManyRequests' }, headers: { 'Retry-After': '3' }, count: 1 });
  const throttled = await ask(QUERY);
  assert.deepEqual([throttled.status, throttled.body.error.code, throttled.headers.get('retry-after')], [429, 'TooManyRequests', '3']);
  await emu.control('fault', { endpoint: 'graph', path: '/users/delta', status: 503, count: 1, body: {} });
  assert.equal((await ask(QUERY)).status, 503);
  await emu.control('graph', { operation: 'usersDelta', unset: ['@odata.deltaLink'], nextLink: 'https://evil.test/', count: 1 });
  assert.equal((await ask(QUERY)).body['@odata.nextLink'], 'https://evil.test/');
  const { link } = await follow(QUERY);
  await emu.control('crowd', { count: 1000 });
  const crowd = await follow(link);
  assert.deepEqual([crowd.items.length, crowd.pages], [1000, 5]);
  assert.equal((await follow(`${QUERY}&$top=999`)).pages, 2);
  assert.equal(emu.stats().graph.usersDelta.statuses[200], 9);
  await assert.rejects(emu.control('crowd', { count: 0 }), /count is a number/);
  await assert.rejects(emu.control('crowd', { count: 1, tenant: 'x' }), /no tenant/);
});
