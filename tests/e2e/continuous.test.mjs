// SPDX-License-Identifier: Apache-2.0
// EntraContinuousAccess: a new password ends the session with the next revalidation, because Graph is asked with a token from before it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { after, before, beforeEach, describe } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { assertSignIn, setsSession } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { missing } from './lib/httpd.mjs';
import { CONTOSO, siteConfigtest, startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const MINUTE = 60;
const CAPABLE = { access_token: { xms_cc: { values: ['cp1'] } } };

const refreshes = (site) => site.emu.stats().requests.filter(({ endpoint, grantType }) => endpoint === 'token' && grantType === 'refresh_token').length;
const probes = (site) => site.calls('graph');

/** The clocks of httpd and of Entra go forward together. */
async function forward(site, seconds) {
  site.httpd.clock.forward(seconds);
  await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
}

const statusOf = async (site, browser) => (await browser.navigate(site.at('/page.html'), { follow: false })).status;

/** A revalidation that becomes due, and is over: the session has its answer, or has ended. */
async function revalidated(site, browser, { seconds = 5 * MINUTE + 1 } = {}) {
  const before = refreshes(site);
  await forward(site, seconds);
  await until('the answer', async () => {
    const page = await browser.navigate(site.at('/page.html'), { follow: false });
    return refreshes(site) > before && (page.status === 302 || setsSession(page.response));
  });
}

const ends = (site, browser) => until(() => `the end; log:\n${site.httpd.errorLog().slice(-1500)}`, async () => (await statusOf(site, browser)) === 302);

const continuousSite = (options = {}) => startSite({
  clock: true,
  directives: { EntraContinuousAccess: 'on', ...options.directives },
  extra: (server, { emu }) => `EntraGraphURL ${emu.url}`,
  ...Object.fromEntries(Object.entries(options).filter(([name]) => name !== 'directives')),
});

describe('continuous access', { skip: missing || noClock }, () => {
  let site;

  before(async () => { site = await continuousSite(); });
  after(async () => { await site?.stop(); });
  beforeEach(async () => {
    await site.reset();
    await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
  });

  test('the sign-in says what this client can do, and asks for User.Read', async () => {
    await site.signedIn();
    const { asked } = site.emu.stats().requests.find(({ endpoint }) => endpoint === 'authorize');
    assert.deepEqual(JSON.parse(asked.claims), CAPABLE);
    assert.ok(asked.scope.split(' ').includes('User.Read'), asked.scope);
  });

  test('a new password ends the session with the next revalidation', async () => {
    const browser = await site.signedIn();
    const cookie = browser.cookies.header(new URL(site.at('/')), {});
    await site.emu.control('event', { user: 'ada', event: 'password' });
    await revalidated(site, browser);
    await ends(site, browser);
    assertSignIn(site, await site.httpd.request({ path: '/page.html', headers: { Accept: 'text/html', Cookie: cookie } }), 'a copy of the cookie');
    assert.match(site.httpd.errorLog(), /ENTRA2081: session ended, since Entra does not stand by it: .*AADSTS|ENTRA2081: .*invalid_grant/);
    assert.equal(refreshes(site), 1);
    // The way back is a sign-in like any other.
    assert.equal((await browser.navigate(site.at('/page.html'))).status, 200);
  });

  test('Graph hears of it minutes later: tokens that were refreshed meanwhile do not hide it', async () => {
    const browser = await site.signedIn();
    await revalidated(site, browser);
    await site.emu.control('event', { user: 'ada', event: 'password', delaySeconds: 12 * MINUTE });
    await revalidated(site, browser);
    await revalidated(site, browser);
    assert.equal(await statusOf(site, browser), 200, 'nobody knows yet');
    await forward(site, 6 * MINUTE);
    await ends(site, browser);
  });

  test('without continuous access a new password is not noticed', async () => {
    const plain = await startSite({ backend: site.backend, clock: true, extra: (server, { emu }) => `EntraGraphURL ${emu.url}` });
    const browser = await plain.signedIn();
    await plain.emu.control('event', { user: 'ada', event: 'password' });
    await revalidated(plain, browser);
    await revalidated(plain, browser);
    assert.equal(await statusOf(plain, browser), 200);
    assert.equal(probes(plain), 0);
    const { asked } = plain.emu.stats().requests.find(({ endpoint }) => endpoint === 'authorize');
    assert.equal(asked.claims, undefined);
    await plain.stop();
  });

  for (const [event, number] of Object.entries({ revoke: 'revoked sessions', disable: 'a disabled account', delete: 'a deleted account', mfa: 'a new second factor' })) {
    test(`${number}: the session ends`, async () => {
      const browser = await site.signedIn();
      await site.emu.control('event', { user: 'ada', event });
      await revalidated(site, browser);
      await ends(site, browser);
    });
  }

  test('a policy that a fresh token satisfies ends nothing, and its challenge is answered once', async () => {
    const browser = await site.signedIn();
    await site.emu.control('event', { user: 'ada', event: 'policy' });
    await revalidated(site, browser);
    await revalidated(site, browser);
    assert.equal(await statusOf(site, browser), 200);
    assert.equal(probes(site), 2);
    const { me } = site.emu.stats().graph;
    assert.deepEqual(me.statuses, { 200: 1, 401: 1 });
    // The token that the challenge brought is the one that notices what comes next.
    await site.emu.control('event', { user: 'ada', event: 'password' });
    await revalidated(site, browser);
    await ends(site, browser);
  });

  const spellings = {
    'fields in another order': { reverse: true },
    'other schemes before and after': { before: ['Basic realm="x"', 'Negotiate YWJj=='], after: ['DPoP algs="ES256 RS256"'] },
    'without the usual fields': { unset: ['realm', 'authorization_uri'] },
    'a Bearer challenge of another kind beside it': { before: ['Bearer realm="a, b", error="invalid_token", error_description="\\"quoted\\", and \\\\ more"'] },
  };
  for (const [name, shape] of Object.entries(spellings)) {
    test(`a challenge with ${name} is understood`, async () => {
      const browser = await site.signedIn();
      await site.emu.control('event', { user: 'ada', event: 'password' });
      await site.emu.control('challenge', shape);
      await revalidated(site, browser);
      await ends(site, browser);
    });
  }

  const base64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64');
  const hostile = {
    'no base64': { claims: 'not base64!' },
    'no JSON': { claims: base64('{"access_token":') },
    'a name twice': { claims: base64('{"access_token":{"nbf":{"value":"1"},"nbf":{"value":"2"}}}') },
    'an array': { claims: base64('[1]') },
    'claims of no access token': { claims: base64({ id_token: { sub: { essential: true } } }) },
    'a member that is no object': { claims: base64({ access_token: { nbf: { essential: true } }, userinfo: 1 }) },
    'deep claims': { claims: base64(`{"access_token":${'{"a":'.repeat(100)}1${'}'.repeat(100)}}`) },
    'long claims': { claims: base64({ access_token: { nbf: { value: 'x'.repeat(8000) } } }) },
    'none at all': { unset: ['claims'] },
    'two at once': { before: [`Bearer error="insufficient_claims", claims="${base64({ access_token: { nbf: { value: '1' } } })}"`] },
    'an open quote': { after: ['Bearer realm="'] },
  };
  for (const [name, shape] of Object.entries(hostile)) {
    test(`a malformed challenge (${name}) neither ends the session nor lets it go`, async () => {
      const browser = await site.signedIn();
      site.httpd.expect(/ENTRA1465/);
      await site.emu.control('event', { user: 'ada', event: 'password' });
      await site.emu.control('challenge', shape);
      const from = site.httpd.errorLog().length;
      await forward(site, 5 * MINUTE + 1);
      assert.equal(await statusOf(site, browser), 200);
      await site.httpd.waitForLog(/ENTRA1465/, { from });
      assert.equal(refreshes(site), 0, 'a refresh would have hidden it');
      assert.equal(await statusOf(site, browser), 200);
      await site.emu.control('challenge', undefined, 'DELETE');
      await forward(site, MINUTE);
      await ends(site, browser);
    });
  }

  const outages = {
    'an outage of Graph': [{ endpoint: 'graph', status: 503 }, /ENTRA1433/],
    'a throttling Graph': [{ endpoint: 'graph', status: 429, retryAfter: 20 }, /ENTRA1432/],
    'a consent that is missing': [{ endpoint: 'graph', status: 403 }, /ENTRA1466/],
    'a page of a proxy': [{ endpoint: 'graph', status: 200, body: '<html>' }, /ENTRA1434/],
  };
  for (const [name, [fault, line]] of Object.entries(outages)) {
    test(`${name}: the session lives on, is asked about again, and ends with its grace`, async () => {
      const browser = await site.signedIn();
      site.httpd.expect(line);
      await site.emu.control('fault', fault);
      const from = site.httpd.errorLog().length;
      await forward(site, 5 * MINUTE + 1);
      assert.equal(await statusOf(site, browser), 200);
      await site.httpd.waitForLog(line, { from });
      // The line is there before the thread has let go of the session.
      await pause(100);
      const again = site.httpd.errorLog().length;
      await forward(site, 30 * MINUTE);
      assert.equal(await statusOf(site, browser), 200);
      await site.httpd.waitForLog(line, { from: again });
      await forward(site, 31 * MINUTE);
      assertSignIn(site, (await browser.navigate(site.at('/page.html'), { follow: false })).response, '66 minutes without a word');
    });
  }

  test('a token that Graph no longer takes, for its age or for nobody knows what, is replaced by a refresh', async () => {
    const browser = await site.signedIn();
    for (const status of [401, 404]) {
      await site.emu.control('fault', { endpoint: 'graph', status, count: 1 });
      await revalidated(site, browser);
    }
    const given = site.emu.stats().secrets.access_tokens.length;
    assert.equal(given, 3);
    await revalidated(site, browser);
    assert.equal(await statusOf(site, browser), 200);
  });

  test('neither log nor database nor cookie shows an access token', async () => {
    const browser = await site.signedIn();
    await revalidated(site, browser);
    const tokens = site.emu.stats().secrets.access_tokens;
    assert.ok(tokens.length >= 2);
    const places = [site.httpd.errorLog(), browser.cookies.header(new URL(site.at('/')), {})];
    for (const file of ['entra.db', 'entra.db-wal']) places.push(readFileSync(`${site.httpd.stateDir}/database/${file}`, 'latin1'));
    for (const token of tokens) for (const place of places) assert.ok(!place.includes(token) && !place.includes(token.split('.')[1].slice(0, 60)));
  });
});

describe('its configuration', { skip: missing }, () => {
  const rows = {
    'without revalidation': { EntraContinuousAccess: 'on', EntraSessionRevalidate: 'off' },
    'without refresh tokens': { EntraContinuousAccess: 'on', EntraScopes: 'none' },
  };
  for (const [name, directives] of Object.entries(rows)) {
    test(`${name} it is refused at configtest`, () => {
      const { status, output } = siteConfigtest({ directives: { EntraTenant: CONTOSO, ...directives } });
      assert.notEqual(status, 0);
      assert.match(output, /ENTRA4087: EntraContinuousAccess/);
    });
  }
});
