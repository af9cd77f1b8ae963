// SPDX-License-Identifier: Apache-2.0
// Access tokens for backends: of the right resource, fetched once, kept for its time, and a refusal where there is none.

import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import test, { after, before, beforeEach, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CERT_CLIENT, CLIENT, OTHER_CLIENT, users as people } from '../emulator/tenants.mjs';
import { assertPage, assertSignIn, inParallel } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { headerOf } from './lib/echo.mjs';
import { missing, MPM } from './lib/httpd.mjs';
import { CONTOSO, siteConfig, siteConfigtest, startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const MANUAL = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs', 'access-tokens.md');
const HEADER = 'X-Entra-Access-Token';
const ORDERS = 'api://orders.example.com';
const REPORTS = 'api://reports.example.com';
const MINUTE = 60;
const LIFE = 600;
const ada = people.find((user) => user.key === 'ada');
const PROGRAM = { Accept: 'application/json' };
const NOTHING = 'EntraSessionRevalidate off\nEntraSessionIdleTimeout off';

/** The configuration of the manual, byte by byte but for where the backends listen. */
function manual(backend) {
  const [block, ...more] = [...readFileSync(MANUAL, 'utf8').matchAll(/^```apache\n([\s\S]*?)^```$/gm)].map((found) => found[1]);
  assert.deepEqual(more, []);
  return block.replace(/127\.0\.0\.1:808[123]/g, `127.0.0.1:${backend.port}`);
}

/** The APIs of the manual; a reset of the emulator forgets them. */
async function register(site) {
  await site.emu.control('client', { client_id: OTHER_CLIENT, set: { identifierUri: ORDERS } });
  await site.emu.control('client', { client_id: CERT_CLIENT, set: { identifierUri: REPORTS, exposedScopes: ['Reports.Read', 'Reports.Run'] } });
  await site.emu.control('limits', { accessTokenSeconds: LIFE });
}

async function startWith({ extra = '', ...options } = {}) {
  const site = await startSite({ modules: ['headers'], ...options, extra: (server, { backend }) => `${NOTHING}\n${manual(backend)}\n${extra}` });
  await register(site);
  site.httpd.allow(/AH10159|AH00161/); // httpd's own: few workers, all in use
  return site;
}

const json = (part) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));

/** What the token says, once it fits the keys that Entra publishes. */
async function check(site, token) {
  const [head, claims, signature] = token.split('.');
  const { keys } = await (await fetch(`${site.emu.url}/${CONTOSO}/discovery/v2.0/keys`)).json();
  const key = createPublicKey({ key: keys.find(({ kid }) => kid === json(head).kid), format: 'jwk' });
  assert.ok(verify('RSA-SHA256', Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, 'base64url')), 'the signature');
  return json(claims);
}

const cookieOf = (site, browser) => browser.cookies.header(new URL(site.origin), {});
const get = (site, cookie, at, headers = {}) => site.httpd.request({ path: at, headers: { Cookie: cookie, ...headers } });

/** The one token that the backend saw. */
function tokenOf(response) {
  assert.equal(response.status, 200, response.text);
  const values = headerOf(response.json(), HEADER.toLowerCase());
  assert.equal(values.length, 1, response.text);
  return values[0];
}

const refreshes = (site) => site.emu.stats().requests.filter(({ endpoint, grantType }) => endpoint === 'token' && grantType === 'refresh_token').length;
const processes = (site) => site.httpd.children().length;

async function forward(site, seconds) {
  site.httpd.clock.forward(seconds);
  await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
}

async function problem(response, status, number) {
  assert.equal(response.status, status, response.text);
  assert.equal(response.header('content-type'), 'application/problem+json');
  assert.equal(response.json().error, `ENTRA${number}`);
  return response.json();
}

describe('access tokens for backends', { skip: missing || noClock }, () => {
  let site;
  const one = MPM === 'prefork' ? { processes: 1, workers: 1 } : { processes: 1, threads: 25, workers: 25 };

  before(async () => { site = await startWith({ clock: true, ...one }); });
  after(async () => { await site?.stop(); });
  beforeEach(async () => {
    await site.reset();
    await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
    await register(site);
  });

  test('a sign-in asks for the scopes of all sections, and redeems for one resource', async () => {
    await site.signedIn();
    const { asked } = site.emu.stats().requests.find(({ endpoint }) => endpoint === 'authorize');
    assert.deepEqual(asked.scope.split(' '), ['openid', 'profile', 'email', 'offline_access', `${ORDERS}/Orders.Read`, `${ORDERS}/Orders.Write`, `${REPORTS}/.default`, 'User.Read']);
    assert.equal(site.calls('token'), 1);
  });

  test('each section gets the token of its own resource, which its keys verify', async () => {
    const cookie = cookieOf(site, await site.signedIn());
    const orders = await check(site, tokenOf(await get(site, cookie, '/orders/x')));
    assert.deepEqual([orders.aud, orders.oid, orders.scp.split(' ').sort(), orders.azp], [OTHER_CLIENT, ada.oid, ['Orders.Read', 'Orders.Write'], CLIENT]);
    const response = await get(site, cookie, '/reports/x');
    const reports = await check(site, tokenOf(response));
    assert.deepEqual([reports.aud, reports.oid, reports.scp.split(' ').sort()], [CERT_CLIENT, ada.oid, ['Reports.Read', 'Reports.Run']]);
    assert.deepEqual(headerOf(response.json(), 'authorization'), [`Bearer ${tokenOf(response)}`], 'as the manual has it');
    const graph = json(tokenOf(await get(site, cookie, '/profile/x')).split('.')[1]);
    assert.deepEqual([graph.aud, graph.scp.split(' ')], ['https://graph.microsoft.com', ['User.Read']]);
    assert.deepEqual(headerOf((await get(site, cookie, '/app/x')).json(), HEADER.toLowerCase()), [], 'another section gets none');
    assert.equal(refreshes(site), 3);
  });

  test('a token is kept for its session, and for no other', async () => {
    const [one, two] = [cookieOf(site, await site.signedIn()), cookieOf(site, await site.signedIn({ user: 'root' }))];
    const token = tokenOf(await get(site, one, '/orders/x'));
    for (let i = 0; i < 10; i += 1) assert.equal(tokenOf(await get(site, one, `/orders/${i}`)), token);
    assert.equal(refreshes(site), 1);
    const other = tokenOf(await get(site, two, '/orders/x'));
    assert.notEqual((await check(site, other)).oid, ada.oid);
    assert.equal(tokenOf(await get(site, one, '/orders/x')), token);
    assert.equal(refreshes(site), 2);
  });

  test('a token is used until a minute before its end, and no longer', async () => {
    const cookie = cookieOf(site, await site.signedIn());
    const token = tokenOf(await get(site, cookie, '/orders/x'));
    await forward(site, LIFE - MINUTE - 20);
    assert.equal(tokenOf(await get(site, cookie, '/orders/x')), token);
    await forward(site, 21);
    const next = tokenOf(await get(site, cookie, '/orders/x'));
    assert.notEqual(next, token);
    assert.equal(refreshes(site), 2);
    // The clock goes back: what was kept ahead of time is not believed.
    await forward(site, -LIFE);
    assert.notEqual(tokenOf(await get(site, cookie, '/orders/x')), next);
  });

  test('each fetch goes on with the refresh token that the one before brought', async () => {
    const cookie = cookieOf(site, await site.signedIn());
    for (let round = 0; round < 3; round += 1) {
      const last = site.emu.stats().secrets.refresh_tokens.at(-1);
      await forward(site, LIFE);
      tokenOf(await get(site, cookie, '/orders/x'));
      await site.emu.control('revoke', { refresh_token: last });
    }
    assert.equal(refreshes(site), 3);
  });

  test('parallel first requests ask Entra once', async () => {
    const cookie = cookieOf(site, await site.signedIn());
    const tokens = new Set();
    await inParallel(Array.from({ length: 20 }), 20, async () => { tokens.add(tokenOf(await get(site, cookie, '/orders/x'))); });
    assert.equal(tokens.size, 1);
    assert.equal(refreshes(site), 1);
  });

  test('what a client says under the name is gone, with a token and without', async () => {
    const cookie = cookieOf(site, await site.signedIn());
    for (const name of [HEADER, 'x_entra_access_token', 'X.Entra-Access_Token']) {
      const mine = await get(site, cookie, '/orders/x', { [name]: 'planted', Connection: HEADER });
      assert.notEqual(tokenOf(mine), 'planted');
      assert.doesNotMatch(mine.text, /planted/);
      assert.doesNotMatch((await get(site, cookie, '/app/x', { [name]: 'planted' })).text, /planted/);
    }
  });

  test('TRACE, which would show it to the client, carries none', async () => {
    const cookie = cookieOf(site, await site.signedIn());
    const token = tokenOf(await get(site, cookie, '/orders/x'));
    const seen = site.backend.requests.length;
    for (const headers of [{ 'Max-Forwards': '0' }, {}]) {
      const response = await site.httpd.request({ method: 'TRACE', path: '/orders/x', headers: { Cookie: cookie, ...headers } });
      assert.ok(!response.text.includes(token.slice(0, 60)), response.text);
    }
    assert.ok(!JSON.stringify(site.backend.requests.slice(seen)).includes(token));
  });

  test('who may not enter costs no token', async () => {
    const guarded = await startWith({ ...one, backend: site.backend, extra: '<Location "/orders/">\nRequire entra-role app.admin\n</Location>' });
    guarded.httpd.expect(/AH01631/);
    const browser = await guarded.signedIn();
    assert.equal((await get(guarded, cookieOf(guarded, browser), '/orders/x')).status, 403);
    assert.equal((await guarded.httpd.get('/orders/x', { headers: PROGRAM })).status, 401);
    assert.equal(refreshes(guarded), 0);
    tokenOf(await get(guarded, cookieOf(guarded, browser), '/profile/x'));
    await guarded.stop();
  });

  test('a session that has ended gets none', async () => {
    const browser = await site.signedIn();
    const cookie = cookieOf(site, browser);
    tokenOf(await get(site, cookie, '/orders/x'));
    await browser.fetch(site.at('/.entra/logout'), { from: site.at('/page.html'), method: 'POST' });
    const count = refreshes(site);
    assertSignIn(site, await get(site, cookie, '/orders/x', { Accept: 'text/html' }));
    assert.equal((await get(site, cookie, '/profile/x', PROGRAM)).status, 401);
    assert.equal(refreshes(site), count);
  });

  const refusals = {
    'consent that is missing': { code: 65001, error: 'invalid_grant', suberror: 'consent_required' },
    'a policy of that API': { code: 50076, error: 'interaction_required', suberror: 'basic_action' },
    'revoked sessions': { code: 50173, error: 'invalid_grant', suberror: 'bad_token' },
  };
  for (const [name, shape] of Object.entries(refusals)) {
    test(`${name}: 403 with a way to sign in again, asked once, and the session goes on`, async () => {
      const browser = await site.signedIn();
      const cookie = cookieOf(site, browser);
      site.httpd.expect(/ENTRA1486/);
      await site.emu.control('refresh', shape);
      const seen = site.backend.requests.length;
      const page = await browser.navigate(site.at('/orders/x?a=1'));
      assertPage(site, page.response, 403, 1486);
      await problem(await get(site, cookie, '/orders/y', PROGRAM), 403, 1486);
      assert.equal(site.backend.requests.length, seen, 'the backend saw nothing');
      assert.equal(refreshes(site), 1, 'and Entra one question');
      assert.match(site.httpd.errorLog(), new RegExp(`ENTRA1486: .*AADSTS${shape.code}`));
      assert.equal((await get(site, cookie, '/page.html')).status, 200);
      await site.emu.control('refresh', undefined, 'DELETE');
      const link = page.links.find((href) => href.includes('/.entra/login'));
      const back = await browser.click(page, link);
      assert.equal(back.path, '/orders/x?a=1', back.trace);
      tokenOf(back.response);
    });
  }

  test('Entra is away: 503 for this section alone, and asked again a little later', async () => {
    const cookie = cookieOf(site, await site.signedIn());
    const kept = tokenOf(await get(site, cookie, '/profile/x'));
    site.httpd.expect(/ENTRA1323/);
    await site.emu.control('fault', { endpoint: 'token', status: 503, retryAfter: 7 });
    const response = await get(site, cookie, '/orders/x', PROGRAM);
    await problem(response, 503, 1323);
    assert.equal(response.header('retry-after'), '7');
    const count = refreshes(site);
    assert.equal((await get(site, cookie, '/orders/x', PROGRAM)).status, 503);
    assert.equal(refreshes(site), count, 'not within the time that Entra named');
    assert.equal(tokenOf(await get(site, cookie, '/profile/x')), kept, 'a token that is there is good');
    assert.equal((await get(site, cookie, '/page.html')).status, 200);
    await site.emu.control('fault', undefined, 'DELETE');
    await forward(site, 8);
    tokenOf(await get(site, cookie, '/orders/x'));
  });

  test('a database that is away: 503, and good again when it is back', async () => {
    const own = await startWith({ ...one, clock: true, backend: site.backend });
    const cookie = cookieOf(own, await own.signedIn());
    const folder = own.httpd.path('state', 'database');
    const kept = tokenOf(await get(own, cookie, '/profile/x'));
    renameSync(folder, `${folder}.away`);
    own.httpd.expect(/ENTRA144[13]: /).allow(/ENTRA207[12]: /);
    const response = await get(own, cookie, '/orders/x', PROGRAM);
    assert.equal(response.status, 503, response.text);
    assert.equal(refreshes(own), 1);
    assert.equal(tokenOf(await get(own, cookie, '/profile/x')), kept);
    renameSync(`${folder}.away`, folder);
    await until('a token again', async () => (await get(own, cookie, '/orders/x')).status === 200);
    await own.stop();
  });

  test('what cannot be a header is none: 502', async () => {
    const cookie = cookieOf(site, await site.signedIn());
    site.httpd.expect(/ENTRA1487/);
    const bad = [{ set: { access_token: 'a\r\nX-Entra-User: root' } }, { set: { access_token: 'a b' } }, { set: { access_token: 'x'.repeat(17 * 1024) } }, { unset: ['access_token'] }, { set: { expires_in: 60 } }, { unset: ['expires_in'] }];
    for (const shape of bad) {
      await site.emu.control('token', { ...shape, count: 1 });
      await problem(await get(site, cookie, '/orders/x', PROGRAM), 502, 1487);
      await forward(site, 31);
    }
    await site.emu.control('token', { set: { access_token: 'y'.repeat(16000) }, count: 1 });
    assert.equal(tokenOf(await get(site, cookie, '/orders/x')), 'y'.repeat(16000));
    assert.equal(tokenOf(await get(site, cookie, '/orders/x')).length, 16000);
  });

  test('a scope that does not exist is told to the administrator', async () => {
    const cookie = cookieOf(site, await site.signedIn());
    site.httpd.expect(/ENTRA1322/);
    await site.emu.control('client', { client_id: OTHER_CLIENT, set: { identifierUri: 'api://renamed.example.com' } });
    const response = await get(site, cookie, '/orders/x', PROGRAM);
    await problem(response, 502, 1322);
  });

  test('a session from before the directive signs in again for its consent', async () => {
    await site.emu.control('clock', { offsetSeconds: 0 });
    const config = (lines) => (server) => siteConfig(server, { emu: site.emu, backend: site.backend, extra: `${NOTHING}\n${lines}` });
    const grown = await startSite({ ...one, modules: ['headers'], emu: site.emu, backend: site.backend, config: config('') });
    const browser = await grown.signedIn();
    grown.httpd.allow(/AH10159|AH00161/);
    grown.httpd.configure({ config: config(manual(site.backend)) });
    await grown.httpd.graceful();
    grown.httpd.expect(/ENTRA1486/);
    const page = await browser.navigate(grown.at('/orders/x'));
    assertPage(grown, page.response, 403, 1486);
    tokenOf((await browser.click(page, page.links.find((href) => href.includes('/.entra/login')))).response);
    await grown.stop();
  });

  test('a program with a token of its own gets none', async () => {
    const both = await startWith({ ...one, backend: site.backend, extra: `<Location "/orders/">\nEntraBearer ${CLIENT}\n</Location>` });
    const { token } = await both.emu.control('mint', { kind: 'access', user: 'ada', client_id: OTHER_CLIENT, resource: CLIENT, scopes: ['x'] });
    const response = await both.httpd.get('/orders/x', { headers: { Authorization: `Bearer ${token}`, [HEADER]: 'planted', Cookie: cookieOf(both, await both.signedIn()) } });
    assert.equal(response.status, 200, response.text);
    assert.deepEqual(headerOf(response.json(), HEADER.toLowerCase()), []);
    assert.equal(refreshes(both), 0);
    await both.stop();
  });

  test('no token of any kind is in the log', async () => {
    const cookie = cookieOf(site, await site.signedIn());
    tokenOf(await get(site, cookie, '/orders/x'));
    assert.match(site.httpd.errorLog(), /ENTRA2055: access token of api:\/\/orders\.example\.com fetched/);
    const text = site.httpd.errorLog() + site.httpd.accessLog();
    const { access_tokens: access, refresh_tokens: refresh } = site.emu.stats().secrets;
    assert.ok(access.length >= 2 && refresh.length >= 2);
    for (const secret of [...access, ...refresh]) assert.ok(!text.includes(secret.slice(0, 60)) && !text.includes(secret.slice(-40)));
  });
});

test('every process keeps its own', { skip: missing }, async () => {
  const site = await startWith(MPM === 'prefork' ? { processes: 4, workers: 48 } : { processes: 2, threads: 12, workers: 48 });
  const cookie = cookieOf(site, await site.signedIn());
  const ask = () => inParallel(Array.from({ length: 60 }), 12, async () => { await check(site, tokenOf(await get(site, cookie, '/orders/x'))); });
  await ask();
  const count = refreshes(site);
  assert.ok(count >= 1 && count <= processes(site) + 1, `${count} fetches of ${processes(site)} processes`);
  await until('no process to ask any more', async () => {
    const already = refreshes(site);
    await ask();
    return refreshes(site) === already;
  });
  await site.stop();
});

describe('EntraAccessToken in the configuration', { skip: missing }, () => {
  const configure = (lines, directives = {}) => siteConfigtest({ directives, extra: `<Location "/orders/">\n${lines}\n</Location>` });
  const good = {
    'scopes of one API': 'EntraAccessToken api://a/x api://a/y',
    'Graph in both spellings': 'EntraAccessToken User.Read https://graph.microsoft.com/Mail.Read',
    '.default': 'EntraAccessToken api://a/.default',
    off: 'EntraAccessToken off',
  };
  for (const [name, line] of Object.entries(good)) {
    test(`${name} is taken`, () => {
      const { status, output } = configure(line);
      assert.equal(status, 0, output);
      assert.doesNotMatch(output, /ENTRA/);
    });
  }
  const bad = [
    ['EntraAccessToken api://a/x api://b/y', /EntraAccessToken: 'api:\/\/a\/x' and 'api:\/\/b\/y' are scopes of two resources/],
    ['EntraAccessToken User.Read api://b/y', /are scopes of two resources/],
    ['EntraAccessToken offline_access', /'offline_access' is no scope of a resource/],
    ['EntraAccessToken openid api://a/x', /'openid' is no scope of a resource/],
    ['EntraAccessToken api://a/x api://a/.default', /'api:\/\/a\/\.default' stands for all scopes/],
    ['EntraAccessToken none', /write off to send no access token/],
    ['EntraAccessToken "a b"', /'a b' is no scope/],
    ['EntraAccessToken', /at least 1 argument/],
    ['EntraHeader X-Entra-Access-Token %{name}', /is what EntraAccessToken sends/],
    ['EntraAccessToken api://a/x', /ENTRA4065: EntraScopes.*api:\/\/a\/x.*offline_access/, { EntraScopes: 'none' }],
    ['EntraAccessToken api://a/.default', /ENTRA4066: EntraScopes.*api:\/\/a\/x/, { EntraScopes: 'offline_access api://a/x' }],
    [`EntraAccessToken api://a/${'x'.repeat(1200)}`, /ENTRA4067: EntraScopes/],
  ];
  for (const [line, message, directives] of bad) {
    test(`${line.slice(0, 60)}${directives ? ` with EntraScopes ${directives.EntraScopes}` : ''} is refused`, () => {
      const { status, output } = configure(line, directives);
      assert.notEqual(status, 0);
      assert.match(output, message);
    });
  }

  test('without AuthType Entra a warning says that it does nothing', () => {
    const { output } = siteConfigtest({ config: () => 'EntraAccessToken api://a/x\n' });
    assert.match(output, /ENTRA4068/);
  });

  test('sign-ins with scopes of two resources in EntraScopes redeem for one', async () => {
    const site = await startSite({ directives: { EntraScopes: `offline_access api://${OTHER_CLIENT}/a api://${CERT_CLIENT}/b` } });
    await site.signedIn();
    await site.stop();
  });

  test('beside EntraContinuousAccess a sign-in redeems for Graph, which is asked then', async () => {
    const site = await startSite({
      directives: { EntraScopes: `offline_access api://${OTHER_CLIENT}/a`, EntraContinuousAccess: 'on' },
      extra: (server, { emu, backend }) => `EntraGraphURL ${emu.url}\nProxyPass "/orders/" "http://127.0.0.1:${backend.port}/"\n<Location "/orders/">\nEntraAccessToken api://${CERT_CLIENT}/b\n</Location>`,
    });
    const browser = await site.signedIn();
    const { asked } = site.emu.stats().requests.find(({ endpoint }) => endpoint === 'authorize');
    assert.match(asked.scope, / User\.Read /);
    assert.equal((await check(site, tokenOf(await get(site, cookieOf(site, browser), '/orders/x')))).aud, CERT_CLIENT);
    await site.stop();
  });
});
