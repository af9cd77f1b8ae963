// SPDX-License-Identifier: Apache-2.0
// Revalidation: Entra is asked again in the background, once for a session, and its word counts: new roles, or the end.

import assert from 'node:assert/strict';
import test, { after, before, beforeEach, describe } from 'node:test';
import { groups } from '../emulator/tenants.mjs';
import { assertSignIn, inParallel, SESSION_COOKIE, setsSession } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { headerOf } from './lib/echo.mjs';
import { missing, MPM } from './lib/httpd.mjs';
import { startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const MANY = groups.find(({ key }) => key === 'many001').id;
const MINUTE = 60;
const HOUR = 3600;
const OUTAGE = /ENTRA(1050|1052|1054|1055|1100|1106|1110|1323)/;

/** Token requests with a refresh token, since the emulator's reset. */
const refreshes = (site) => site.emu.stats().requests.filter(({ endpoint, grantType }) => endpoint === 'token' && grantType === 'refresh_token').length;

/** The clocks of httpd and of Entra go forward together. */
async function forward(site, seconds) {
  site.httpd.clock.forward(seconds);
  await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
}

/** What the application sees: {status, roles, set}; roles as a sorted list. */
async function look(site, browser) {
  const page = await browser.navigate(site.at('/app/who'), { follow: false });
  const roles = page.status === 200 ? (headerOf(page.json(), 'x-entra-roles')[0] ?? '').split(',').filter(Boolean).sort() : undefined;
  return { status: page.status, roles, set: setsSession(page.response), page };
}

const sessionOf = async (site, browser) => (await browser.fetch(site.at('/.entra/session'), { from: site.at('/page.html') })).json();

describe('revalidation', { skip: missing || noClock }, () => {
  let site;

  before(async () => { site = await startSite({ clock: true }); });
  after(async () => { await site?.stop(); });
  beforeEach(async () => {
    await site.reset();
    await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
  });

  test('a young session asks nobody', async () => {
    const browser = await site.signedIn();
    for (let i = 0; i < 5; i += 1) assert.equal((await look(site, browser)).status, 200);
    await forward(site, 4 * MINUTE);
    assert.equal((await look(site, browser)).status, 200);
    assert.equal(refreshes(site), 0);
  });

  test('a new role arrives with the first request after the answer, in a fresh cookie; the end stays where it was', async () => {
    const browser = await site.signedIn();
    const before = await sessionOf(site, browser);
    const cookie = browser.cookies.all.find(({ name }) => SESSION_COOKIE.test(name)).value;
    await site.emu.control('user', { user: 'ada', set: { roles: ['app.admin', 'app.reader'] } });
    await forward(site, 5 * MINUTE + 1);
    const first = await look(site, browser);
    assert.deepEqual([first.status, first.roles], [200, ['app.reader']], 'the request that is due goes on as it is');
    const renewed = await until('the new role', async () => {
      const seen = await look(site, browser);
      return seen.roles.includes('app.admin') && seen;
    });
    assert.ok(renewed.set, 'with the cookie that carries it');
    assert.notEqual(browser.cookies.all.find(({ name }) => SESSION_COOKIE.test(name)).value, cookie);
    assert.equal(refreshes(site), 1);
    const after = await sessionOf(site, browser);
    assert.equal(after.ends_at, before.ends_at);
    assert.equal(after.signed_in_at, before.signed_in_at);
    assert.equal(refreshes(site), 1, 'and is young again');
  });

  test('a role that was taken away is gone, and its page closed', async () => {
    const guarded = await startSite({ backend: site.backend, clock: true, user: 'root', extra: '<Location "/app/">\n    Require entra-role app.admin\n</Location>' });
    const browser = await guarded.signedIn();
    assert.equal((await look(guarded, browser)).status, 200);
    await guarded.emu.control('user', { user: 'root', set: { roles: ['app.reader'] } });
    await forward(guarded, 6 * MINUTE);
    guarded.httpd.expect(/AH01631/);
    await until('the refusal', async () => (await look(guarded, browser)).status === 403);
    await guarded.stop();
  });

  test('parallel requests of one session cause one question', async () => {
    const browser = await site.signedIn();
    await forward(site, 6 * MINUTE);
    const cookie = browser.cookies.header(new URL(site.at('/')), {});
    const seen = [];
    await inParallel(Array.from({ length: 60 }), 20, async () => { seen.push((await site.httpd.request({ path: '/page.html', headers: { Cookie: cookie } })).status); });
    assert.deepEqual([...new Set(seen)], [200]);
    await until('the answer', () => refreshes(site) === 1);
    await inParallel(Array.from({ length: 60 }), 20, async () => { await site.httpd.request({ path: '/page.html', headers: { Cookie: cookie } }); });
    assert.equal(refreshes(site), 1);
  });

  const refusals = {
    'a disabled account': () => site.emu.control('user', { user: 'ada', set: { enabled: false } }),
    'revoked sessions': () => site.emu.control('revoke', { user: 'ada' }),
    'a new policy that wants more (interaction_required)': () => site.emu.control('user', { user: 'ada', set: { refreshError: { code: 50076, error: 'interaction_required', suberror: 'basic_action' } } }),
    'invalid_grant with a suberror of any kind': () => site.emu.control('user', { user: 'ada', set: { refreshError: { code: 70043, error: 'invalid_grant', suberror: 'something_new' } } }),
    'consent that was withdrawn': () => site.emu.control('user', { user: 'ada', set: { refreshError: { code: 65001, error: 'invalid_grant', suberror: 'consent_required' } } }),
  };
  for (const [name, refuse] of Object.entries(refusals)) {
    test(`${name} ends the session, and its copied cookie stays dead`, async () => {
      const browser = await site.signedIn();
      const cookie = browser.cookies.header(new URL(site.at('/')), {});
      const from = site.httpd.errorLog().length;
      await refuse();
      await forward(site, 6 * MINUTE);
      await until('the end', async () => (await look(site, browser)).status === 302);
      assertSignIn(site, await site.httpd.request({ path: '/page.html', headers: { Accept: 'text/html', Cookie: cookie } }), 'the cookie from before');
      assert.equal((await site.httpd.request({ path: '/.entra/session', headers: { Cookie: cookie } })).status, 401);
      assert.equal(refreshes(site), 1);
      await site.httpd.waitForLog(/ENTRA2081: session ended/, { from });
    });
  }

  const outages = {
    '503': { endpoint: 'token', status: 503 },
    '429 with Retry-After': { endpoint: 'token', status: 429, retryAfter: 20 },
    'a broken connection': { endpoint: 'token', close: true },
  };
  for (const [name, fault] of Object.entries(outages)) {
    test(`${name}: the session lives on, is asked about again, and ends with its grace`, async () => {
      const browser = await site.signedIn();
      const other = await site.signedIn({ user: 'root' });
      // The second, of a try whose answer comes when the clocks have gone on.
      site.httpd.allow(OUTAGE, /ENTRA1265: /);
      await site.emu.control('fault', fault);
      await forward(site, 6 * MINUTE);
      assert.equal((await look(site, browser)).status, 200);
      assert.equal((await look(site, other)).status, 200);
      await until('a try', () => refreshes(site) >= 1);
      await forward(site, 30 * MINUTE);
      assert.equal((await look(site, browser)).status, 200);
      assert.equal((await look(site, other)).status, 200);
      await until('another try', () => refreshes(site) >= 2);
      // One of the two gets its answer in time. A try under way may get it, too, so the roles come first; or it fails when the clock
      // has gone on, and puts the next one off by half a minute.
      await site.emu.control('user', { user: 'ada', set: { roles: ['app.admin'] } });
      await site.emu.control('fault', undefined, 'DELETE');
      await forward(site, 2 * MINUTE);
      await until('the answer', async () => {
        await forward(site, 1);
        return (await look(site, browser)).roles.includes('app.admin');
      });
      await site.emu.control('fault', fault);
      await forward(site, 28 * MINUTE);
      assert.equal((await look(site, browser)).status, 200, 'its grace began anew');
      assertSignIn(site, (await look(site, other)).page.response, 'the other is over: 66 minutes without a word of Entra');
    });
  }

  test('a hanging Entra delays nobody', async () => {
    const browser = await site.signedIn();
    site.httpd.allow(OUTAGE);
    await site.emu.control('fault', { endpoint: 'token', hang: true });
    await forward(site, 6 * MINUTE);
    const began = Date.now();
    for (let i = 0; i < 40; i += 1) assert.equal((await look(site, browser)).status, 200);
    await until('the question', () => site.calls('token') >= 2);
    assert.ok(Date.now() - began < 9000, 'the call itself would take ten seconds');
    assert.equal((await look(site, browser)).status, 200);
  });

  test('a line that moves too slowly is told in the log', { skip: MPM === 'prefork' && 'each of its children has a line of its own' }, async () => {
    const slow = await startSite({ backend: site.backend, clock: true, processes: 1 });
    const browsers = [];
    for (const user of ['ada', 'root', 'nell']) browsers.push(await slow.signedIn({ user }));
    await slow.emu.control('fault', { endpoint: 'token', delayMs: 4000 });
    await forward(slow, 6 * MINUTE);
    for (const browser of browsers) assert.equal((await look(slow, browser)).status, 200);
    await until('the two that are asked about at a time', () => refreshes(slow) === 2);
    await forward(slow, 2 * MINUTE);
    slow.httpd.expect(/ENTRA2087/);
    await slow.httpd.waitForLog(/ENTRA2087: revalidation does not keep up with EntraSessionRevalidate: a session waited 1[2-9]\d s in this process's line, and 0 requests of other sessions found no place/);
    await slow.stop();
  });

  test("this application's own faults end no session", async () => {
    const browser = await site.signedIn();
    site.httpd.expect(/ENTRA1320/);
    await site.emu.control('client', { client_id: (await site.emu.control('client')).clients?.[0]?.id ?? site.client, set: { secrets: [] } });
    await forward(site, 6 * MINUTE);
    assert.equal((await look(site, browser)).status, 200);
    await site.httpd.waitForLog(/ENTRA1320/);
    assert.equal((await look(site, browser)).status, 200);
  });

  const falseTokens = {
    'of another user': [{ set: { oid: '22222222-2222-4000-8000-333333333333' } }, /ENTRA1462/],
    'of another tenant': [{ set: { tid: '2b8e4d10-6f5a-4c3b-9d7e-1a0f9e8d7c6b' } }, /ENTRA12(10|55)/],
    'for another client': [{ set: { aud: '0d9c8b7a-6f5e-4d3c-8b2a-1f0e9d8c7b6a' } }, /ENTRA1258/],
    'without signature': [{ alg: 'none' }, /ENTRA120[14]/],
    'with a forged signature': [{ tamper: 'signature' }, /ENTRA1209/],
    'that has expired': [{ set: { exp: { $now: -4000 }, iat: { $now: -8000 }, nbf: { $now: -8000 } } }, /ENTRA1264/],
    'that is missing': [{ omit: true }, /ENTRA1325/],
  };
  for (const [name, [shape, line]] of Object.entries(falseTokens)) {
    test(`a new ID token ${name} changes nothing and ends nothing`, async () => {
      const browser = await site.signedIn();
      site.httpd.expect(line);
      await site.emu.control('idtoken', { on: 'refresh', ...shape });
      await forward(site, 6 * MINUTE);
      assert.deepEqual((await look(site, browser)).roles, ['app.reader']);
      await site.httpd.waitForLog(line);
      const seen = await look(site, browser);
      assert.deepEqual([seen.status, seen.roles], [200, ['app.reader']]);
    });
  }

  test('each answer brings the refresh token for the next question', async () => {
    const browser = await site.signedIn();
    const given = () => site.emu.stats().secrets.refresh_tokens;
    for (let round = 1; round <= 3; round += 1) {
      const last = given().at(-1);
      await forward(site, 6 * MINUTE);
      assert.equal((await look(site, browser)).status, 200);
      await until('the answer', () => refreshes(site) === round && given().at(-1) !== last);
      await until('it to be taken', async () => (await look(site, browser)).set);
      // Entra leaves the old one alive; here it dies, so only the new one can work.
      await site.emu.control('revoke', { refresh_token: last });
    }
    assert.equal((await look(site, browser)).status, 200);
  });

  test('a question about groups without an answer keeps the old groups and the session', async () => {
    const grouped = await startSite({ backend: site.backend, clock: true, user: 'gus', extra: (server, { emu }) => `EntraGraphURL ${emu.url}\n<Location "/app/">\n    Require entra-group ${MANY}\n</Location>` });
    const browser = await grouped.signedIn();
    const kept = async () => headerOf((await browser.navigate(grouped.at('/app/who'), { follow: false })).json(), 'x-entra-groups')[0];
    const had = await kept();
    assert.ok(had);
    grouped.httpd.expect(/ENTRA1433/);
    await grouped.emu.control('fault', { endpoint: 'graph', status: 503 });
    await forward(grouped, 6 * MINUTE);
    assert.equal(await kept(), had);
    await grouped.httpd.waitForLog(/ENTRA1433/);
    assert.equal(await kept(), had);
    await grouped.stop();
  });

  test('renewed over and over, a session still ends after eight hours', async () => {
    const browser = await site.signedIn();
    const { ends_at: ends } = await sessionOf(site, browser);
    for (let minutes = 0; minutes < 470; minutes += 47) {
      await forward(site, 47 * MINUTE);
      assert.equal((await look(site, browser)).status, 200, `after ${minutes + 47} minutes`);
      await until('the renewal', () => refreshes(site) === minutes / 47 + 1);
      await until('its cookie', async () => (await look(site, browser)).set);
      assert.equal((await sessionOf(site, browser)).ends_at, ends);
    }
    await forward(site, 10 * MINUTE);
    assertSignIn(site, (await look(site, browser)).page.response, 'after eight hours');
  });

  test('a session that rested for longer than interval and grace is over, whatever the idle time', async () => {
    const resting = await startSite({ backend: site.backend, clock: true, directives: { EntraSessionIdleTimeout: 'off', EntraSessionRevalidate: '10m', EntraSessionGrace: '20m' } });
    const browser = await resting.signedIn();
    await forward(resting, 29 * MINUTE);
    assert.equal((await look(resting, browser)).status, 200, 'the first request after a rest is let in, and Entra asked');
    await until('the answer', () => refreshes(resting) === 1);
    await until('its cookie', async () => (await look(resting, browser)).set);
    await forward(resting, 31 * MINUTE);
    assertSignIn(resting, (await look(resting, browser)).page.response, 'nobody knows what became of the user meanwhile');
    await resting.stop();
  });

  test('a clock that is set back signs nobody out, and gives who is dismissed no time: Entra is asked at once', async () => {
    const back = await startSite({ backend: site.backend, clock: true });
    const browser = await back.signedIn();
    const leaver = await back.signedIn({ user: 'root' });
    await forward(back, 40 * MINUTE);
    for (const one of [browser, leaver]) {
      await until('the answer', async () => (await look(back, one)).set);
      await until('the word of then', async () => Date.parse((await sessionOf(back, one)).revalidated_at) > Date.now() + 35 * MINUTE * 1000);
    }
    const asked = refreshes(back);
    await back.emu.control('user', { user: 'ada', set: { roles: ['app.admin'] } });
    await back.emu.control('user', { user: 'root', set: { enabled: false } });
    await forward(back, -35 * MINUTE);
    for (const one of [browser, leaver]) assert.equal((await look(back, one)).status, 200, 'goes on');
    await until('the dismissed user to be out', async () => (await look(back, leaver)).status === 302);
    const seen = await until('the new role', async () => {
      const now = await look(back, browser);
      return now.roles?.includes('app.admin') && now;
    });
    assert.ok(seen.set, 'with its cookie');
    assert.equal(refreshes(back), asked + 2, 'once each');
    for (let i = 0; i < 5; i += 1) assert.equal((await look(back, browser)).status, 200);
    assert.equal(refreshes(back), asked + 2, 'and is young again');
    await back.stop();
  });

  test('without a refresh token a page goes by way of Entra, unseen: new roles, and the same end; a script goes on as it is', async () => {
    const silent = await startSite({ backend: site.backend, clock: true, directives: { EntraScopes: 'none' } });
    const browser = await silent.signedIn();
    const before = await sessionOf(silent, browser);
    await silent.emu.control('user', { user: 'ada', set: { roles: ['app.admin', 'app.reader'] } });
    await forward(silent, 5 * MINUTE + 1);
    const asked = () => silent.emu.stats().requests.filter(({ endpoint }) => endpoint === 'authorize').slice(1);
    for (const headers of [{}, { 'X-Requested-With': 'XMLHttpRequest' }]) {
      const answer = await browser.fetch(silent.at('/app/who'), { from: silent.at('/page.html'), headers });
      assert.deepEqual([answer.status, headerOf(answer.json(), 'x-entra-roles')], [200, ['app.reader']]);
    }
    assert.deepEqual(asked(), []);
    const page = await browser.navigate(silent.at('/app/who?x=1'));
    assert.deepEqual([page.status, page.path], [200, '/app/who?x=1'], page.trace);
    assert.deepEqual(headerOf(page.json(), 'x-entra-roles')[0].split(',').sort(), ['app.admin', 'app.reader'], 'with the role that was added meanwhile');
    assert.deepEqual(asked().map((one) => one.asked.prompt), ['none']);
    const after = await sessionOf(silent, browser);
    assert.deepEqual([after.ends_at, after.signed_in_at], [before.ends_at, before.signed_in_at]);
    assert.ok(after.revalidated_at > before.revalidated_at);
    assert.equal((await look(silent, browser)).status, 200);
    assert.equal(asked().length, 1, 'and is young again');
    assert.equal(refreshes(silent), 0);
    await silent.stop();
  });

  test('EntraSessionRevalidate off asks never', async () => {
    const trusting = await startSite({ backend: site.backend, clock: true, directives: { EntraSessionRevalidate: 'off', EntraSessionIdleTimeout: 'off' } });
    const browser = await trusting.signedIn();
    await forward(trusting, 7 * HOUR);
    assert.equal((await look(trusting, browser)).status, 200);
    assert.equal(refreshes(trusting), 0);
    await trusting.stop();
  });
});
