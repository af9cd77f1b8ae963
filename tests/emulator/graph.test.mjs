// SPDX-License-Identifier: Apache-2.0
// Microsoft Graph: who may ask, memberships through nesting, pages, groups by name, and everything that can go wrong on request.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startEmulator } from './server.mjs';
import { CLIENT, CLIENT_SECRET, CONTOSO, groups, guidOf, users } from './tenants.mjs';
import { endpoint, getJson, parts, postToken, secretForm, signIn } from './testclient.mjs';

const GRAPH = 'https://graph.microsoft.com';
const CAST = '/me/transitiveMemberOf/microsoft.graph.group';
const EVENTUAL = { ConsistencyLevel: 'eventual' };
const idOf = (key) => groups.find((g) => g.key === key).id;
const NESTED = ['oncall', 'social', 'readers', 'north', 'platform', 'engineering'].map(idOf);

let emu;
before(async () => { emu = await startEmulator({ auto: 'ada' }); });
after(() => emu.close());
beforeEach(() => emu.control('reset', {}));

const mint = async (user = 'ada', scopes = ['User.Read'], more = {}) => (await emu.control('mint', { kind: 'access', resource: GRAPH, user, scopes, ...more })).token;

/** {status, headers, body} of a request to Graph; a body makes it a POST. */
async function ask(path, { token, body, headers = {}, method } = {}) {
  const bearer = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const json = body === undefined ? {} : { 'Content-Type': 'application/json' };
  const response = await fetch(path.startsWith('http') ? path : `${emu.url}/v1.0${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { ...bearer, ...json, ...headers },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: text.startsWith('{') ? JSON.parse(text) : undefined };
}

async function assertRefused(answer, status, code) {
  const { status: got, body, headers } = await answer;
  assert.equal(got, status, JSON.stringify(body));
  assert.equal(body.error.code, code);
  assert.ok(body.error.message);
  assert.match(body.error.innerError.date, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
  assert.match(body.error.innerError['request-id'], /^[0-9a-f-]{36}$/);
  assert.equal(body.error.innerError['request-id'], headers.get('request-id'));
}

const checkGroups = (token, groupIds) => ask('/me/checkMemberGroups', { token, body: { groupIds } });

async function allPages(path, token, headers = EVENTUAL) {
  const pages = [];
  for (let next = path; next; next = pages.at(-1)['@odata.nextLink']) {
    const { status, body } = await ask(next, { token, headers });
    assert.equal(status, 200, JSON.stringify(body));
    pages.push(body);
  }
  return pages;
}

test('a sign-in that asks for a Graph scope gives a token that Graph takes, at the host of discovery', async () => {
  const { msgraph_host: host } = await getJson(endpoint(emu, '/v2.0/.well-known/openid-configuration'));
  assert.equal(host, new URL(emu.url).host);
  const { access_token: token } = await signIn(emu, { request: { scope: `openid profile ${GRAPH}/User.Read` } });
  const { status, body, headers } = await ask(`http://${host}/v1.0/me/checkMemberGroups`, { token, body: { groupIds: [idOf('finance')] } });
  assert.equal(status, 200);
  assert.deepEqual(body, { '@odata.context': `${emu.url}/v1.0/$metadata#Collection(Edm.String)`, value: [idOf('finance')] });
  assert.match(headers.get('content-type'), /^application\/json/);
});

test('a token of OpenID scopes alone is for Graph and may do nothing there', async () => {
  const { access_token: token } = await signIn(emu);
  assert.equal(parts(token).claims.aud, GRAPH);
  await assertRefused(checkGroups(token, [idOf('finance')]), 403, 'Authorization_RequestDenied');
  await assertRefused(ask('/me', { token }), 403, 'Authorization_RequestDenied');
});

test('tokens: missing, malformed, tampered, expired, of another audience or signature', async () => {
  const good = await mint();
  const [header, payload, signature] = good.split('.');
  const claims = { ...parts(good).claims, scp: 'Directory.Read.All' };
  const forged = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`;
  const own = (await emu.control('mint', { kind: 'access', user: 'ada', scopes: ['User.Read'], shape: {} })).token;
  const published = (await emu.control('mint', { kind: 'access', user: 'ada', scopes: ['User.Read'], shape: { set: { aud: GRAPH } } })).token;
  const other = (await emu.control('mint', { kind: 'access', user: 'ada', shape: { set: { aud: GRAPH, scp: 'User.Read' }, signWith: 'unpublished' } })).token;
  for (const token of [undefined, 'x', 'a.b.c', forged, `${header}.${payload}.`, `${good}x`, own, published, other]) {
    const answer = await ask('/me', { token });
    await assertRefused(answer, 401, 'InvalidAuthenticationToken');
    assert.match(answer.headers.get('www-authenticate'), /^Bearer realm=""/);
  }
  await assertRefused(ask('/me', { headers: { Authorization: `Basic ${good}` } }), 401, 'InvalidAuthenticationToken');
  assert.equal((await ask('/me', { token: good })).status, 200);
  await emu.control('clock', { offsetSeconds: 3600 });
  await assertRefused(ask('/me', { token: good }), 401, 'InvalidAuthenticationToken');
});

test('keys that are rolled go on to be good for what they signed', async () => {
  const token = await mint();
  await emu.control('keys', { action: 'roll' });
  assert.equal((await ask('/me', { token })).status, 200);
  assert.equal((await ask('/me', { token: await mint() })).status, 200);
});

test('permissions: ids by User.Read, names and groups by GroupMember.Read.All', async () => {
  const self = await mint('ada', ['User.Read']);
  const directory = await mint('ada', ['GroupMember.Read.All']);
  for (const path of ['/me/getMemberObjects', '/me/getMemberGroups']) {
    assert.equal((await ask(path, { token: self, body: { securityEnabledOnly: true } })).status, 200);
    await assertRefused(ask(path, { token: directory, body: { securityEnabledOnly: true } }), 403, 'Authorization_RequestDenied');
  }
  for (const path of ['/groups', `/groups/${idOf('finance')}`]) {
    await assertRefused(ask(path, { token: self }), 403, 'Authorization_RequestDenied');
    assert.equal((await ask(path, { token: directory })).status, 200);
  }
  const first = async (token) => (await ask('/me/transitiveMemberOf', { token })).body.value[0];
  assert.deepEqual([(await first(self)).displayName, (await first(self)).id], [null, idOf('staff')]);
  assert.equal((await first(directory)).displayName, 'All staff');
});

test('consent can be taken away and given back, permission by permission', async () => {
  const token = await mint('ada', ['User.Read', 'GroupMember.Read.All']);
  const finance = "/groups?$filter=displayName eq 'Finance'";
  await emu.control('graph', { consent: { 'GroupMember.Read.All': false } });
  await assertRefused(ask(finance, { token }), 403, 'Authorization_RequestDenied');
  assert.equal((await checkGroups(token, [])).status, 200);
  await emu.control('graph', { consent: { 'GroupMember.Read.All': true, 'User.Read': false } });
  assert.equal((await ask(finance, { token })).status, 200);
  await assertRefused(checkGroups(token, []), 403, 'Authorization_RequestDenied');
  assert.deepEqual((await emu.control('graph')).consent, { 'GroupMember.Read.All': true, 'User.Read': false });
  await emu.control('graph', undefined, 'DELETE');
  assert.equal((await checkGroups(token, [])).status, 200);
});

test('an application has no /me, and asks by its roles', async () => {
  await emu.control('client', { client_id: 'c1d2e3f4-5a6b-4c7d-8e9f-0a1b2c3d4e5f', set: { appRoles: ['GroupMember.Read.All'] } });
  const answer = await postToken(emu, secretForm({ grant_type: 'client_credentials', scope: `${GRAPH}/.default` }));
  const token = answer.body.access_token;
  assert.equal((await ask(`/groups/${idOf('finance')}`, { token })).body.displayName, 'Finance');
  await assertRefused(ask(`/users/${users[0].oid}`, { token }), 403, 'Authorization_RequestDenied');
  await emu.control('client', { client_id: 'c1d2e3f4-5a6b-4c7d-8e9f-0a1b2c3d4e5f', set: { appRoles: ['User.Read.All'] } });
  await assertRefused(ask('/me', { token: await mint(null) }), 400, 'BadRequest');
});

test('checkMemberGroups sees through nesting, ignores case and strangers, and takes 20 ids', async () => {
  const token = await mint('nell');
  const { body } = await checkGroups(token, [idOf('engineering').toUpperCase(), idOf('finance'), idOf('social'), idOf('readers'), guidOf('nowhere')]);
  assert.deepEqual(body.value.sort(), [idOf('engineering'), idOf('social')].sort());
  const many = (count) => Array.from({ length: count }, (_, i) => guidOf(`x${i}`));
  assert.deepEqual((await checkGroups(token, many(20))).body.value, []);
  await assertRefused(checkGroups(token, many(21)), 400, 'Request_BadRequest');
  await assertRefused(checkGroups(token, ['Finance']), 400, 'Request_BadRequest');
  await assertRefused(ask('/me/checkMemberGroups', { token, body: {} }), 400, 'Request_BadRequest');
  for (const wrong of ['', 'null', '[]', '{"groupIds":']) await assertRefused(ask('/me/checkMemberGroups', { token, body: wrong }), 400, 'BadRequest');
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  await assertRefused(ask('/me/checkMemberGroups', { token, body: '{"groupIds":[]}', headers: form }), 400, 'BadRequest');
  await assertRefused(ask('/me/checkMemberGroups', { token }), 405, 'Request_BadRequest');
});

test('getMemberObjects and getMemberGroups: security only, everything, and too much', async () => {
  const token = await mint('nell');
  const ids = async (name, securityEnabledOnly) => (await ask(`/me/${name}`, { token, body: { securityEnabledOnly } })).body.value.sort();
  const keys = (...names) => names.map(idOf).sort();
  assert.deepEqual(await ids('getMemberObjects', true), keys('oncall', 'platform', 'engineering'));
  assert.deepEqual(await ids('getMemberObjects', false), [...NESTED].sort());
  assert.deepEqual(await ids('getMemberGroups', true), keys('oncall', 'platform', 'engineering'));
  assert.deepEqual(await ids('getMemberGroups', false), keys('oncall', 'platform', 'engineering', 'social'));
  await assertRefused(ask('/me/getMemberGroups', { token, body: {} }), 400, 'Request_BadRequest');
  await emu.control('limits', { memberIds: 3 });
  await assertRefused(ask('/me/getMemberGroups', { token, body: { securityEnabledOnly: false } }), 400, 'Directory_ResultSizeLimitExceeded');
});

test('transitiveMemberOf mixes in roles and units; the cast gives groups and has its price', async () => {
  const token = await mint('nell', ['User.Read', 'GroupMember.Read.All']);
  const plain = (await ask('/me/transitiveMemberOf?$select=id,displayName', { token })).body;
  assert.deepEqual(plain.value.map((item) => item.id), NESTED);
  assert.deepEqual(plain.value[0], { '@odata.type': '#microsoft.graph.group', id: NESTED[0], displayName: "O'Brien's on-call team" });
  assert.deepEqual(new Set(plain.value.map((item) => item['@odata.type'].split('.').at(-1))), new Set(['group', 'directoryRole', 'administrativeUnit']));
  const cast = (await ask(`${CAST}?$select=id&$count=true`, { token, headers: EVENTUAL })).body;
  assert.deepEqual(cast['@odata.count'], 4);
  assert.deepEqual(cast.value, ['oncall', 'social', 'platform', 'engineering'].map((key) => ({ id: idOf(key) })));
  await assertRefused(ask(`${CAST}?$select=id&$count=true`, { token }), 400, 'Request_UnsupportedQuery');
  await assertRefused(ask(`${CAST}?$select=id`, { token, headers: EVENTUAL }), 400, 'Request_UnsupportedQuery');
  const silent = (await ask('/me/transitiveMemberOf?$count=true', { token })).body;
  assert.equal('@odata.count' in silent, false);
});

test('query options are checked', async () => {
  const token = await mint();
  for (const top of ['0', '1000', '-1', 'x', '']) await assertRefused(ask(`/me/transitiveMemberOf?$top=${top}`, { token }), 400, 'Request_BadRequest');
  for (const query of ['$search="x"', '$orderby=id', '$expand=members', '$x=1']) {
    await assertRefused(ask(`/me/transitiveMemberOf?${query}`, { token }), 400, 'Request_UnsupportedQuery');
  }
  await assertRefused(ask('/me/transitiveMemberOf?$top=1&$top=2', { token }), 400, 'Request_BadRequest');
  await assertRefused(ask('/me/transitiveMemberOf?$count=yes', { token }), 400, 'Request_BadRequest');
  await assertRefused(ask('/me?$select=id,shoeSize', { token }), 400, 'BadRequest');
  await assertRefused(ask('/me/transitiveMemberOf?$skiptoken=1.AXoAx', { token }), 400, 'Directory_ExpiredPageToken');
  await assertRefused(ask('/me/photo', { token }), 400, 'BadRequest');
});

test('5000 groups come page by page, with the header each time, and only to their owner', async () => {
  const token = await mint('max');
  const pages = await allPages(`${CAST}?$select=id&$top=999&$count=true`, token);
  assert.deepEqual(pages.map((page) => page.value.length), [999, 999, 999, 999, 999, 5]);
  assert.deepEqual(pages.map((page) => page['@odata.count']), [5000, undefined, undefined, undefined, undefined, undefined]);
  assert.equal(new Set(pages.flatMap((page) => page.value.map((item) => item.id))).size, 5000);
  const next = pages[0]['@odata.nextLink'];
  assert.ok(next.startsWith(`${emu.url}/v1.0${CAST}?$select=id&$top=999&$count=true&$skiptoken=`));
  await assertRefused(ask(next, { token }), 400, 'Request_UnsupportedQuery');
  await assertRefused(ask(next, { token: await mint('ada'), headers: EVENTUAL }), 400, 'Directory_ExpiredPageToken');
  assert.equal((await ask('/me/transitiveMemberOf', { token })).body.value.length, 100);
  assert.equal((await emu.control('stats')).graph.transitiveMemberOf.calls, 9);
});

test('groups are found by name, in the caller\'s tenant, whatever the case', async () => {
  const token = await mint('ada', ['GroupMember.Read.All']);
  const named = async (filter) => (await ask(`/groups?$filter=${encodeURIComponent(filter)}&$select=id,displayName`, { token })).body.value;
  assert.deepEqual(await named("displayName eq 'finance'"), [{ id: idOf('finance'), displayName: 'Finance' }]);
  assert.deepEqual(await named("displayName eq 'O''Brien''s on-call team'"), [{ id: idOf('oncall'), displayName: "O'Brien's on-call team" }]);
  assert.deepEqual(await named("displayName eq 'ärzte & köche'"), [{ id: idOf('cooks'), displayName: 'Ärzte & Köche' }]);
  assert.deepEqual((await named("displayName eq 'Twins'")).map((item) => item.id), [idOf('twin1'), idOf('twin2')]);
  assert.deepEqual(await named("displayName eq 'Nobody'"), []);
  assert.deepEqual(await named("displayName eq 'North'"), []);
  assert.equal((await named("startswith(displayName,'Project 01')")).length, 10);
  const all = await allPages("/groups?$filter=startswith(displayName,'mailing')&$top=999", token, {});
  assert.equal(all.flatMap((page) => page.value).length, 5000);
  for (const filter of ["displayName eq 'O'Brien'", "displayName ne 'x'", 'id eq 7', "displayName eq 'x' or displayName eq 'y'", '']) {
    await assertRefused(ask(`/groups?$filter=${encodeURIComponent(filter)}`, { token }), 400, 'BadRequest');
  }
  const fab = await mint('fab', ['GroupMember.Read.All']);
  assert.deepEqual((await ask("/groups?$filter=displayName eq 'Finance'&$select=id", { token: fab })).body.value, [{ id: idOf('fabfinance') }]);
});

test('a group by id, me, and users', async () => {
  const token = await mint('ada', ['User.Read', 'GroupMember.Read.All']);
  const group = (await ask(`/groups/${idOf('social').toUpperCase()}`, { token })).body;
  assert.deepEqual([group.displayName, group.securityEnabled, group.groupTypes], ['Social club', false, ['Unified']]);
  await assertRefused(ask(`/groups/${guidOf('nowhere')}`, { token }), 404, 'Request_ResourceNotFound');
  await assertRefused(ask(`/groups/${idOf('fabfinance')}`, { token }), 404, 'Request_ResourceNotFound');
  const me = (await ask('/me?$select=id,mail', { token })).body;
  assert.deepEqual([me.id, me.mail, me.displayName], [users[0].oid, 'ada@contoso.example', undefined]);
  assert.equal((await ask(`/users/${users[0].oid}`, { token })).body.displayName, 'Ada Example');
  await assertRefused(ask(`/users/${users[1].oid}`, { token }), 403, 'Authorization_RequestDenied');
  const reader = await mint('ada', ['User.Read.All']);
  assert.equal((await ask('/users/root@contoso.example', { token: reader })).body.id, users[1].oid);
  await assertRefused(ask(`/users/${guidOf('nobody')}`, { token: reader }), 404, 'Request_ResourceNotFound');
  await assertRefused(checkGroups(await mint('msa'), []), 403, 'Authorization_RequestDenied');
});

test('tokens name nested groups too, and leave the claim out past 200', async () => {
  const claimsOf = async (user) => {
    await emu.control('auto', { user });
    return parts((await signIn(emu)).id_token).claims;
  };
  assert.deepEqual((await claimsOf('nell')).groups, ['oncall', 'readers', 'platform', 'engineering'].map(idOf));
  const max = await claimsOf('max');
  assert.deepEqual([max.groups, max._claim_names], [undefined, { groups: 'src1' }]);
  await emu.control('client', { client_id: 'c1d2e3f4-5a6b-4c7d-8e9f-0a1b2c3d4e5f', set: { groupMembershipClaims: 'All' } });
  assert.ok((await claimsOf('nell')).groups.includes(idOf('social')));
});

test('groups can be changed: renamed, nested otherwise, in a circle', async () => {
  const token = await mint('nell', ['GroupMember.Read.All', 'User.Read']);
  await emu.control('group', { group: 'engineering', set: { name: 'Builders', memberOf: [idOf('oncall'), idOf('finance')] } });
  assert.deepEqual((await checkGroups(token, [idOf('finance')])).body.value, [idOf('finance')]);
  assert.equal((await ask("/groups?$filter=displayName eq 'Engineering'", { token })).body.value.length, 0);
  await emu.control('user', { user: 'nell', set: { groups: [guidOf('unheard of')] } });
  assert.deepEqual((await checkGroups(token, [guidOf('unheard of')])).body.value, [guidOf('unheard of')]);
  await assert.rejects(emu.control('group', { group: 'nowhere' }), /there is no group/);
});

test('answers can be bent', async () => {
  const token = await mint('max', ['User.Read', 'GroupMember.Read.All']);
  const check = () => checkGroups(token, [idOf('max0001')]);
  const cast = async () => (await ask(`${CAST}?$select=id&$top=1&$count=true`, { token, headers: EVENTUAL })).body;
  await emu.control('graph', { operation: 'checkMemberGroups', add: [idOf('finance')], count: 1 });
  assert.equal((await cast()).value.length, 1);
  assert.deepEqual((await check()).body.value, [idOf('max0001'), idOf('finance')]);
  assert.deepEqual((await check()).body.value, [idOf('max0001')]);
  await emu.control('graph', { nextLink: 'https://evil.example/v1.0/me' });
  assert.equal((await cast())['@odata.nextLink'], 'https://evil.example/v1.0/me');
  await emu.control('graph', { nextLink: '{{base}}/beta/me' });
  assert.equal((await cast())['@odata.nextLink'], `${emu.url}/beta/me`);
  await emu.control('graph', { nextLink: '{{self}}' });
  assert.equal((await cast())['@odata.nextLink'], `${emu.url}/v1.0${CAST}?$select=id&$top=1&$count=true`);
  await emu.control('graph', { raw: '[]', headers: { 'X-Odd': '1' } });
  const raw = await check();
  assert.deepEqual([raw.status, raw.text, raw.headers.get('x-odd')], [200, '[]', '1']);
  await emu.control('graph', { generate: { kind: 'huge', size: 1_000_000 } });
  assert.ok((await check()).text.length > 1_000_000);
  await emu.control('graph', { set: { value: [7] }, unset: ['@odata.context'] });
  assert.deepEqual((await check()).body, { value: [7] });
  await emu.control('graph', { operation: 'groups', duplicate: true });
  const twins = (await ask("/groups?$filter=displayName eq 'Finance'", { token })).body.value;
  assert.deepEqual(twins.map((item) => item.displayName), ['Finance', 'Finance']);
  assert.notEqual(twins[0].id, twins[1].id);
  await emu.control('graph', { status: 429, error: { code: 'TooManyRequests' }, headers: { 'Retry-After': '7' }, skip: 1, count: 1 });
  assert.equal((await check()).status, 200);
  const busy = await check();
  await assertRefusedShape(busy);
  assert.equal((await check()).status, 200);
  await emu.control('graph', {});
  assert.equal((await emu.control('graph')).graph, null);
  await assert.rejects(emu.control('graph', { operation: 'photo' }), /operation is one of/);
  await assert.rejects(emu.control('graph', { nextlink: 'x' }), /has no 'nextlink'/);
  await assert.rejects(emu.control('graph', { generate: { kind: 'x' } }), /generate.kind/);
});

function assertRefusedShape(answer) {
  assert.deepEqual([answer.status, answer.body.error.code, answer.headers.get('retry-after')], [429, 'TooManyRequests', '7']);
}

test('outages: throttling, errors, delay, silence, broken connections', async () => {
  const token = await mint();
  const check = () => checkGroups(token, []);
  await emu.control('fault', { endpoint: 'graph', status: 429, retryAfter: 9, count: 1 });
  const busy = await check();
  assert.deepEqual([busy.status, busy.headers.get('retry-after')], [429, '9']);
  await emu.control('fault', { endpoint: 'graph', status: 503, body: { error: { code: 'serviceNotAvailable' } }, count: 1 });
  assert.equal((await check()).status, 503);
  await emu.control('fault', { endpoint: 'graph', delayMs: 150, count: 1 });
  const from = Date.now();
  assert.equal((await check()).status, 200);
  assert.ok(Date.now() - from >= 140);
  for (const kind of ['close', 'cutBody']) {
    await emu.control('fault', { endpoint: 'graph', [kind]: true, count: 1 });
    await assert.rejects(check());
  }
  await emu.control('fault', { endpoint: 'graph', hang: true, count: 1 });
  await assert.rejects(fetch(`${emu.url}/v1.0/me`, { signal: AbortSignal.timeout(200) }));
  assert.equal((await check()).status, 200);
  assert.equal((await signIn(emu)).token_type, 'Bearer');
});

test('statistics tell who asked what', async () => {
  const token = await mint();
  await checkGroups(token, [idOf('finance'), idOf('staff')]);
  await checkGroups(token, []);
  await checkGroups('x', []);
  await ask('/nothing', { token });
  const stats = await emu.control('stats');
  assert.deepEqual(stats.graph, {
    checkMemberGroups: { calls: 3, ids: 2, statuses: { 200: 2, 401: 1 } },
    unknown: { calls: 1, ids: 0, statuses: { 400: 1 } },
  });
  assert.equal(stats.endpoints.graph, 4);
  assert.ok(stats.connections.byEndpoint.graph >= 1);
  const { operation, ids, status, path, method } = stats.requests[0];
  assert.deepEqual({ operation, ids, status, path, method }, { operation: 'checkMemberGroups', ids: 2, status: 200, path: '/v1.0/me/checkMemberGroups', method: 'POST' });
  assert.equal(JSON.stringify(stats.requests).includes(token), false);
  await emu.control('reset', {});
  assert.deepEqual((await emu.control('stats')).graph, {});
  assert.equal((await getJson(endpoint(emu, '/v2.0/.well-known/openid-configuration', CONTOSO))).msgraph_host, new URL(emu.url).host);
});

test('an application reads its own registration, its service principal and what was consented to, with the permission alone', async () => {
  const { body: { access_token: none } } = await postToken(emu, secretForm({ grant_type: 'client_credentials', scope: `${GRAPH}/.default` }));
  await assertRefused(ask(`/applications(appId='${CLIENT}')`, { token: none }), 403, 'Authorization_RequestDenied');
  await emu.control('client', { client_id: CLIENT, set: { graphPermissions: ['Directory.Read.All'], redirectUris: ['https://a.example/.entra/callback'], platform: 'web', claimProperties: { sid: ['x'] } } });
  const { body: { access_token: token } } = await postToken(emu, secretForm({ grant_type: 'client_credentials', scope: `${GRAPH}/.default` }));
  const { body: registration } = await ask(`/applications(appId='${CLIENT}')?$select=appId,web,spa,optionalClaims,passwordCredentials`, { token });
  assert.equal(registration.appId, CLIENT);
  assert.deepEqual(registration.web.redirectUris, ['https://a.example/.entra/callback']);
  assert.deepEqual(registration.spa.redirectUris, []);
  assert.deepEqual(registration.optionalClaims.idToken.find(({ name }) => name === 'sid').additionalProperties, ['x']);
  assert.equal(registration.passwordCredentials[0].hint, CLIENT_SECRET.slice(0, 3));
  assert.ok(!JSON.stringify(registration).includes(CLIENT_SECRET));
  assert.equal(registration.groupMembershipClaims, undefined, 'only what was selected');
  await assertRefused(ask(`/applications(appId='${guidOf('nobody')}')`, { token }), 404, 'Request_ResourceNotFound');
  const { body: principal } = await ask(`/servicePrincipals(appId='${CLIENT}')`, { token });
  assert.equal(principal.accountEnabled, true);
  const grants = async () => (await ask(`/oauth2PermissionGrants?$filter=${encodeURIComponent(`clientId eq '${principal.id}'`)}`, { token })).body.value[0].scope;
  assert.match(await grants(), /\bGroupMember\.Read\.All\b/);
  await emu.control('graph', { consent: { 'GroupMember.Read.All': false } });
  assert.doesNotMatch(await grants(), /GroupMember\.Read\.All/);
  await assertRefused(ask('/oauth2PermissionGrants', { token }), 400, 'BadRequest');
});
