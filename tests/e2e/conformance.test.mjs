// SPDX-License-Identifier: Apache-2.0
// The OpenID Foundation's tests of relying parties, each under the Foundation's name, against a provider with that fault.
// docs/conformance.md has the table; the last test holds the two together.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before, beforeEach, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FABRIKAM, OTHER_CLIENT } from '../emulator/tenants.mjs';
import { assertChallenge, assertClosed, assertPage, assertSignIn, SESSION_COOKIE, USERS, whoAmI } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { headerOf } from './lib/echo.mjs';
import { missing } from './lib/httpd.mjs';
import { CLIENT, CLIENT_SECRET, CONTOSO, startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const MANUAL = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../docs/conformance.md');
const COLUMNS = ['profile', 'expected', 'does', 'numbers', 'result'];
const PROGRAM = { Accept: 'application/json' };
const MINUTE = 60;

/** Rows of the manual by the name of the case. */
const rows = new Map(readFileSync(MANUAL, 'utf8').split('\n')
  .map((line) => /^\| `(oidcc-client-test[a-z0-9-]*)` \| (.*) \|$/.exec(line))
  .filter(Boolean)
  .map(([, name, rest]) => [name, Object.fromEntries(rest.split(' | ').map((cell, i) => [COLUMNS[i], cell]))]));
const cases = new Set();

/** The numbers of a row: each has to be seen by its case, and no other. */
const numbersOf = (name) => [...(rows.get(name)?.numbers ?? '').matchAll(/\[ENTRA(\d{4})\]/g)].map(([, number]) => number);

function conforms(name, step) {
  cases.add(name);
  test(name, async () => {
    const shown = new Set();
    await step(name, shown);
    assert.deepEqual([...shown].sort(), numbersOf(name).sort(), 'the numbers of the row');
  });
}

const cookieOf = (browser) => browser.cookies.all.filter(({ name }) => SESSION_COOKIE.test(name)).map(({ name, value }) => `${name}=${value}`).join('; ');

describe('relying party tests of the OpenID Foundation', { skip: missing }, () => {
  let site;

  before(async () => { site = await startSite({ allowLog: [/ENTRA1\d\d\d:/], location: 'EntraEnv ENTRA_SID "%{sid}"' }); });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); });

  /** A site that knows no document and no key of the emulator yet. */
  const fresh = (options = {}) => startSite({ emu: site.emu, backend: site.backend, allowLog: [/ENTRA1\d\d\d:/], ...options });

  /** Requests that the emulator saw at this endpoint, since its reset. */
  const seen = (endpoint) => site.emu.stats().requests.filter((request) => request.endpoint === endpoint);

  /** The user is let in, as the right one. */
  async function accepted(name, one = site) {
    const browser = one.browser();
    const page = await browser.navigate(one.at('/page.html'));
    assert.equal(page.status, 200, `${name}: ${page.trace}\n${one.httpd.errorLog().slice(-2500)}`);
    assert.equal(await whoAmI(one, browser), USERS.ada);
    return browser;
  }

  const numberIn = (log) => /:(?:error|warn|info)\].* ENTRA(\d{4}):/.exec(log.split('\n').findLast((line) => /:(?:error|warn|info)\].* ENTRA1[123]\d\d:/.test(line)))?.[1];

  /** The sign-in ends on a page of ours, for one reason, and without a session. */
  async function refused(name, shown, { one = site, status = 502 } = {}) {
    const browser = one.browser();
    let page;
    let log;
    let number;
    // Within a second of a failed try of the node itself a request says 1105 alone.
    await until('a reason', async () => {
      log = await one.httpd.logOf(async () => { page = await browser.navigate(one.at('/page.html')); });
      number = numberIn(log);
      return number !== '1105';
    });
    assert.ok(number, `${name}: ${page.trace}\n${log.slice(-2500)}`);
    shown.add(number);
    assertPage(one, page.response, status, number, name);
    assert.equal(cookieOf(browser), '', 'no session cookie');
    assert.equal(await whoAmI(one, browser), undefined);
  }

  const conformsByRefusing = (name, shape) => conforms(name, async (_, shown) => {
    await site.emu.control('idtoken', shape);
    await refused(name, shown);
    assert.equal(site.calls('token'), 1, 'and does not ask again');
  });

  // What every sign-in of this module asks for; the cases of other flows rest on it.
  async function authorizeQuery(one = site) {
    const { response } = await one.browser().navigate(one.at('/page.html'), { follow: false });
    return assertSignIn(one, response);
  }

  describe('basic', () => {
    conforms('oidcc-client-test', async (name) => {
      const query = await authorizeQuery();
      assert.equal(query.get('response_type'), 'code');
      assert.ok(query.get('scope').split(' ').includes('openid'));
      for (const member of ['nonce', 'state', 'code_challenge']) assert.match(query.get(member), /^[\w-]{20,}$/, member);
      assert.equal(query.get('code_challenge_method'), 'S256');
      await accepted(name);
      const [request] = seen('token');
      assert.equal(request.grantType, 'authorization_code');
      assert.ok(seen('authorize').every(({ query: names }) => !names.includes('access_token')));
    });

    conformsByRefusing('oidcc-client-test-invalid-iss', { set: { iss: 'https://invalid.example/v2.0' } });
    conformsByRefusing('oidcc-client-test-missing-sub', { unset: ['sub'] });
    conformsByRefusing('oidcc-client-test-invalid-aud', { set: { aud: 'https://invalid.example/client' } });
    conformsByRefusing('oidcc-client-test-missing-iat', { unset: ['iat'] });

    conforms('oidcc-client-test-kid-absent-single-jwks', async (name, shown) => {
      const { active, published } = await site.emu.control('keys');
      for (const kid of published.filter((one) => one !== active)) await site.emu.control('keys', { action: 'remove', kid });
      await site.emu.control('keys', { action: 'set', kid: active, unset: ['kid'] });
      await site.emu.control('idtoken', { headerUnset: ['kid'] });
      const nameless = await fresh();
      await refused(name, shown, { one: nameless, status: 503 });
      await nameless.stop();
      // Here the key's name is known, and the token does not say it.
      await refused(name, shown);
    });

    conforms('oidcc-client-test-kid-absent-multiple-jwks', async (name, shown) => {
      assert.ok((await site.emu.control('keys')).published.length > 1);
      await site.emu.control('idtoken', { headerUnset: ['kid'] });
      await refused(name, shown);
    });

    conforms('oidcc-client-test-idtoken-sig-rs256', async (name) => {
      await site.emu.control('idtoken', { alg: 'RS256' });
      await accepted(name);
    });

    conforms('oidcc-client-test-idtoken-sig-none', async (name, shown) => {
      // Without a signature, and with one left on it.
      for (const shape of [{ alg: 'none' }, { alg: 'None' }, { header: { alg: 'none' } }]) {
        await site.emu.control('idtoken', shape);
        await refused(name, shown);
      }
    });

    conformsByRefusing('oidcc-client-test-invalid-sig-rs256', { tamper: 'signature' });

    conforms('oidcc-client-test-userinfo-invalid-sub', async (name) => {
      await accepted(name);
      // A document that names a UserInfo endpoint is not followed there, so its answer cannot mislead.
      assert.deepEqual(seen('unknown'), []);
    });

    conformsByRefusing('oidcc-client-test-nonce-invalid', { set: { nonce: 'AAAAAAAAAAAAAAAAAAAAAA' } });

    conforms('oidcc-client-test-scope-userinfo-claims', async (name) => {
      const browser = await accepted(name);
      const scopes = (await authorizeQuery()).get('scope').split(' ');
      for (const scope of ['openid', 'profile', 'email']) assert.ok(scopes.includes(scope), scope);
      const { headers } = (await browser.navigate(site.at('/app/who'))).json();
      assert.deepEqual(headerOf({ headers }, 'x-entra-name'), ['Ada Example'], 'profile, from the ID token');
      assert.deepEqual(headerOf({ headers }, 'x-entra-email'), ['ada@contoso.example'], 'email, from the ID token');
      assert.deepEqual(seen('unknown'), [], 'and nobody was asked for them');
    });

    conforms('oidcc-client-test-client-secret-basic', async (name) => {
      await accepted(name);
      assert.deepEqual(seen('token').map(({ clientAuth }) => clientAuth), ['client_secret_post']);
      // Stronger than both, where the administrator has a certificate: tests/e2e/assertions.test.mjs and credentials.test.mjs.
      assert.doesNotMatch(site.httpd.errorLog(), new RegExp(CLIENT_SECRET.replaceAll('.', '\\.')));
    });
  });

  describe('config', () => {
    conforms('oidcc-client-test-discovery-openid-config', async (name) => {
      const one = await fresh();
      await until('the document', () => seen('discovery').length > 0);
      assert.match(seen('discovery')[0].path, new RegExp(`^/${CONTOSO}/v2\\.0/\\.well-known/openid-configuration$`));
      // The endpoints of the document are used, and not known by heart.
      await site.emu.control('discovery', { set: { authorization_endpoint: `${site.emu.url}/common/oauth2/v2.0/authorize` } });
      const two = await fresh();
      const { response } = await two.browser().navigate(two.at('/page.html'), { follow: false });
      assert.match(response.location, /\/common\/oauth2\/v2\.0\/authorize\?/);
      await site.emu.control('discovery', undefined, 'DELETE');
      await accepted(name, one);
      await one.stop();
      await two.stop();
    });

    conforms('oidcc-client-test-discovery-jwks-uri-keys', async (name) => {
      const place = `at${Date.now()}`;
      await site.emu.control('discovery', { set: { jwks_uri: `${site.emu.url}/${CONTOSO}/discovery/v2.0/keys?${place}=1` } });
      const one = await fresh();
      await accepted(name, one);
      assert.ok(seen('keys').length > 0 && seen('keys').every(({ query }) => query.includes(place)), JSON.stringify(seen('keys')));
      await one.stop();
    });

    conforms('oidcc-client-test-discovery-issuer-mismatch', async (name, shown) => {
      await site.emu.control('discovery', { set: { issuer: `${site.emu.url}/${FABRIKAM}/v2.0` } });
      const one = await fresh();
      await refused(name, shown, { one, status: 503 });
      assert.equal(site.calls('authorize'), 0, 'nobody is sent to that provider');
      await one.stop();
    });

    conforms('oidcc-client-test-signing-key-rotation', async (name) => {
      const one = await fresh();
      await accepted(name, one);
      const before = site.calls('keys');
      await site.emu.control('keys', { action: 'roll', drop: true });
      await accepted(name, one);
      assert.ok(site.calls('keys') > before, 'the key set was fetched');
      await one.stop();
    });

    conforms('oidcc-client-test-signing-key-rotation-just-before-signing', async (name) => {
      const one = await fresh();
      const browser = one.browser();
      const held = await one.begin(browser);
      await site.emu.control('keys', { action: 'roll', drop: true });
      const page = await browser.resume(held);
      assert.equal(page.status, 200, `${name}: ${page.trace}\n${one.httpd.errorLog().slice(-2500)}`);
      await one.stop();
    });
  });

  describe('logout', () => {
    const signOut = (browser, options = {}) => browser.navigate(site.at('/.entra/logout?rd=/public/'), { method: 'POST', body: '', from: site.at('/page.html'), ...options });
    const isDead = async (cookie, message) => {
      for (let i = 0; i < 8; i += 1) assertChallenge(site, await site.httpd.request({ path: '/page.html', headers: { ...PROGRAM, Cookie: cookie } }), {}, message);
    };
    const withoutFrames = () => site.emu.control('client', { client_id: CLIENT, set: { frontChannelLogoutUri: null } });

    conforms('oidcc-client-test-rp-init-logout', async (name) => {
      await withoutFrames();
      const browser = await accepted(name);
      const cookie = cookieOf(browser);
      const out = await signOut(browser);
      const [asked] = out.visited(/\/oauth2\/v2\.0\/logout/);
      const query = new URL(asked).searchParams;
      assert.equal(query.get('post_logout_redirect_uri'), site.at('/.entra/callback'));
      assert.equal(query.get('client_id'), CLIENT);
      assert.match(query.get('state'), /^[\w-]{40,}$/);
      assert.equal(query.get('id_token_hint'), null, 'no token in an address');
      assert.deepEqual([out.status, out.path], [200, '/public/'], out.trace);
      await isDead(cookie, name);
    });

    for (const [name, shape] of [
      ['oidcc-client-test-rp-init-logout-other-state', { set: { state: 'a-state-of-nobody' } }],
      ['oidcc-client-test-rp-init-logout-no-state', { unset: ['state'] }],
    ]) {
      conforms(name, async () => {
        await withoutFrames();
        const browser = await accepted(name);
        const cookie = cookieOf(browser);
        await site.emu.control('logout', shape);
        const out = await signOut(browser);
        assertPage(site, out.response, 200, undefined, name);
        assert.match(out.text, /You are signed out/);
        assert.equal(new URL(out.url).pathname, '/.entra/callback', out.trace);
        await isDead(cookie, name);
        // The page says it only to somebody for whom it is true.
        const other = await accepted(name);
        const visit = await other.navigate(site.at('/.entra/callback?state=a-state-of-nobody'), { from: 'https://elsewhere.test/', follow: false });
        assert.deepEqual([visit.status, new URL(visit.header('location')).pathname], [302, '/']);
      });
    }

    /** The sign-out page of the provider, whose hidden frames are loaded as a browser loads them: without our cookies. */
    async function loadFrames(page) {
      const frames = [...page.text.matchAll(/<iframe [^>]*src="([^"]+)"/g)].map(([, src]) => new URL(src.replaceAll('&amp;', '&')));
      assert.equal(frames.length, 1, page.text);
      for (const frame of frames) {
        assert.equal(frame.pathname, '/.entra/frontchannel-logout');
        const answer = await site.httpd.request({ path: frame.pathname + frame.search, headers: { 'Sec-Fetch-Dest': 'iframe', 'Sec-Fetch-Site': 'cross-site' } });
        assert.equal(answer.status, 200, answer.text);
        assert.match(answer.header('cache-control'), /no-store/);
      }
    }

    conforms('oidcc-client-test-rp-frontchannel-rpinitlogout', async (name) => {
      const browser = await accepted(name);
      const cookie = cookieOf(browser);
      const out = await signOut(browser);
      await loadFrames(out);
      const back = out.links.find((link) => link.startsWith(site.at('/.entra/callback')));
      assert.ok(back, out.text);
      const end = await browser.navigate(back, { from: out.url });
      assert.deepEqual([end.status, end.path], [200, '/public/'], end.trace);
      await isDead(cookie, name);
    });

    conforms('oidcc-client-test-rp-frontchannel-opinitlogout', async (name) => {
      const browser = await accepted(name);
      const cookie = cookieOf(browser);
      await loadFrames(await browser.navigate(`${site.emu.url}/${CONTOSO}/oauth2/v2.0/logout`));
      await isDead(cookie, name);
      assertSignIn(site, (await browser.navigate(site.at('/page.html'), { follow: false })).response, name);
    });

    conforms('oidcc-client-test-session-management', async (name) => {
      await site.emu.control('discovery', { set: { check_session_iframe: `${site.emu.url}/${CONTOSO}/oauth2/v2.0/checksession` } });
      const one = await fresh();
      const page = await one.browser().navigate(one.at('/page.html'));
      assert.equal(page.status, 200, `${name}: ${page.trace}`);
      assert.deepEqual(seen('unknown'), [], 'no frame of the provider is asked');
      await one.stop();
    });

    // There is no address for logout tokens: whatever is posted, with whatever fault, nobody answers, and nobody is signed out.
    const LOGOUT_EVENT = { 'http://schemas.openid.net/event/backchannel-logout': {} };
    const LOGOUT_TOKENS = {
      'oidcc-client-test-rp-backchannel-rpinitlogout': {},
      'oidcc-client-test-rp-backchannel-rpinitlogout-alg-none': { alg: 'none' },
      'oidcc-client-test-rp-backchannel-rpinitlogout-no-event': { unset: ['events', 'nonce'] },
      'oidcc-client-test-rp-backchannel-rpinitlogout-with-nonce': { set: { events: LOGOUT_EVENT, nonce: 'x' } },
      'oidcc-client-test-rp-backchannel-rpinitlogout-wrong-alg': { alg: 'RS384' },
      'oidcc-client-test-rp-backchannel-rpinitlogout-wrong-aud': { set: { events: LOGOUT_EVENT, aud: 'https://invalid.example/client' } },
      'oidcc-client-test-rp-backchannel-rpinitlogout-wrong-event': { set: { events: { 'https://invalid.example/event': {} } } },
      'oidcc-client-test-rp-backchannel-rpinitlogout-wrong-iss': { set: { events: LOGOUT_EVENT, iss: 'https://invalid.example/v2.0' } },
    };
    for (const [name, shape] of Object.entries(LOGOUT_TOKENS)) {
      conforms(name, async () => {
        const browser = await accepted(name);
        const { token } = await site.emu.control('mint', { kind: 'id', user: 'ada', client_id: CLIENT, shape: { header: { typ: 'logout+jwt' }, set: { events: LOGOUT_EVENT }, unset: ['nonce'], ...shape } });
        for (const place of ['/.entra/backchannel-logout', '/.entra/frontchannel-logout', '/.entra/logout', '/.entra/callback']) {
          const answer = await site.httpd.request({ method: 'POST', path: place, headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: `logout_token=${token}` });
          assert.ok([200, 400, 403, 404, 405].includes(answer.status), `${place}: ${answer.status}`);
          if (answer.status === 200) assert.match(answer.text, /Sign out\?/, `${place} asks somebody who has no session`);
          assertClosed(answer, place);
        }
        assert.equal(await whoAmI(site, browser), USERS.ada, 'still signed in');
      });
    }
  });

  describe('refresh tokens', { skip: noClock }, () => {
    let one;

    before(async () => { one = await startSite({ emu: site.emu, backend: site.backend, clock: true, allowLog: [/ENTRA1\d\d\d:/] }); });
    after(async () => { await one?.stop(); });

    /** A session whose renewal gets a token of this shape. */
    async function renewed(name, shape) {
      await site.emu.control('clock', { offsetSeconds: one.httpd.clock.shift });
      const browser = await one.signedIn();
      if (shape) await site.emu.control('idtoken', { on: 'refresh', ...shape });
      await site.emu.control('user', { user: 'ada', set: { roles: ['app.admin'] } });
      one.httpd.clock.forward(6 * MINUTE);
      await site.emu.control('clock', { offsetSeconds: one.httpd.clock.shift });
      const from = one.httpd.errorLog().length;
      assert.equal((await browser.navigate(one.at('/page.html'), { follow: false })).status, 200);
      return { browser, since: () => one.httpd.errorLog().slice(from) };
    }

    const rolesOf = async (browser) => {
      const page = await browser.navigate(one.at('/app/who'), { follow: false });
      return page.status === 200 ? headerOf(page.json(), 'x-entra-roles')[0] : page.status;
    };

    conforms('oidcc-client-test-refresh-token', async (name) => {
      const { browser } = await renewed(name);
      await until('the new roles', async () => (await rolesOf(browser)) === 'app.admin');
      assert.deepEqual(seen('token').map(({ grantType }) => grantType), ['authorization_code', 'refresh_token']);
    });

    // Entra names people by oid and tid, and makes a sub of them for each client.
    for (const [name, shape] of Object.entries({
      'oidcc-client-test-refresh-token-invalid-issuer': { set: { iss: 'https://invalid.example/v2.0' } },
      'oidcc-client-test-refresh-token-invalid-sub': { set: { sub: 'somebody-else', oid: '11111111-2222-4333-8444-555555555555' } },
      'oidcc-client-test-refresh-token-invalid-aud': { set: { aud: 'https://invalid.example/client' } },
      'oidcc-client-test-refresh-token-invalid-azp': { set: { azp: OTHER_CLIENT } },
    })) {
      conforms(name, async (_, shown) => {
        const { browser, since } = await renewed(name, shape);
        shown.add(await until('the refusal', () => /:error\].* ENTRA(1[24]\d\d):/.exec(since())?.[1]));
        assert.equal(await rolesOf(browser), 'app.reader', 'nothing of that token counts');
      });
    }
  });

  describe('other tests', () => {
    conformsByRefusing('oidcc-client-test-missing-aud', { unset: ['aud'] });
    conformsByRefusing('oidcc-client-test-invalid-sig-hs256', { alg: 'HS256-secret', tamper: 'signature' });
    conformsByRefusing('oidcc-client-test-invalid-sig-es256', { alg: 'ES256', tamper: 'signature' });

    conforms('oidcc-client-test-ignores-unparseable-key-in-jwks', async (name) => {
      for (const set of [{ kty: 'AKP', alg: 'ML-DSA-00', pub: 'AAAA' }, { kty: 'MADE-UP', x: 'AAAA' }]) {
        await site.emu.control('keys', { action: 'add', first: true, set, unset: ['n', 'e', 'x5c', 'x5t'] });
      }
      const one = await fresh();
      await accepted(name, one);
      await one.stop();
    });

    conforms('oidcc-client-test-aggregated-claims', async (name) => {
      const inner = (await site.emu.control('mint', { kind: 'id', user: 'root', client_id: CLIENT })).token;
      await site.emu.control('idtoken', { set: { _claim_names: { roles: 'src1' }, _claim_sources: { src1: { JWT: inner } } } });
      const browser = await accepted(name);
      const { headers } = (await browser.navigate(site.at('/app/who'))).json();
      assert.deepEqual(headerOf({ headers }, 'x-entra-roles'), ['app.reader'], 'no claim comes from a token within the token');
    });

    conforms('oidcc-client-test-distributed-claims', async (name) => {
      await site.emu.control('idtoken', { set: { _claim_names: { roles: 'src1' }, _claim_sources: { src1: { endpoint: `${site.emu.url}/_attacker/keys`, access_token: 'x' } } } });
      await accepted(name);
      assert.equal(site.calls('attacker'), 0, 'no address of a token is called');
    });

    conforms('oidcc-client-test-mtls-endpoint-aliases', async (name) => {
      await site.emu.control('discovery', { set: { mtls_endpoint_aliases: { token_endpoint: `${site.emu.url}/mtls/token` } } });
      const one = await fresh();
      await accepted(name, one);
      assert.deepEqual(seen('unknown'), [], 'client certificates in TLS are not how Entra knows a client');
      await one.stop();
    });

    // UserInfo is not asked, however a token would be sent there.
    for (const name of ['oidcc-client-test-userinfo-bearer-header', 'oidcc-client-test-userinfo-bearer-body', 'oidcc-client-test-userinfo-signed']) {
      conforms(name, async () => {
        await accepted(name);
        assert.deepEqual(seen('unknown'), []);
      });
    }

    // Only the code flow: a token that comes with the browser is not read, so its hashes have nothing to protect.
    for (const [name, shape] of Object.entries({
      'oidcc-client-test-nonce-unless-code-flow': {},
      'oidcc-client-test-missing-chash': { unset: ['c_hash'] },
      'oidcc-client-test-invalid-chash': { set: { c_hash: 'AAAAAAAAAAAAAAAAAAAAAA' } },
      'oidcc-client-test-missing-athash': { unset: ['at_hash'] },
      'oidcc-client-test-invalid-athash': { set: { at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' } },
    })) {
      conforms(name, async () => {
        const query = await authorizeQuery();
        assert.equal(query.get('response_type'), 'code');
        assert.match(query.get('nonce'), /^[\w-]{20,}$/);
        const { token } = await site.emu.control('mint', { kind: 'id', user: 'root', client_id: CLIENT, nonce: query.get('nonce'), shape });
        const browser = site.browser();
        const held = await site.begin(browser);
        // A token of another user beside the code, as of a hybrid answer.
        const page = await browser.navigate(`${held.url}&id_token=${token}`, { from: site.emu.url });
        assert.equal(page.status, 200, page.trace);
        assert.equal(await whoAmI(site, browser), USERS.ada, 'the user of the code');
        const alone = site.browser();
        const begun = await site.begin(alone);
        const without = new URL(begun.url);
        without.searchParams.delete('code');
        without.searchParams.set('id_token', token);
        const { response } = await alone.navigate(without.href, { from: site.emu.url, follow: false });
        assertClosed(response, name);
        assert.equal(cookieOf(alone), '');
      });
    }

    conforms('oidcc-client-test-form-post-error', async (name, shown) => {
      const query = await authorizeQuery();
      assert.equal(query.get('response_mode'), 'query');
      const browser = site.browser();
      const held = await site.begin(browser);
      const { state } = Object.fromEntries(new URL(held.url).searchParams);
      const posted = await browser.navigate(site.at('/.entra/callback'), { method: 'POST', body: new URLSearchParams({ state, error: 'login_required' }).toString(), from: site.emu.url });
      assertPage(site, posted.response, 405, 1304, name);
      shown.add('1304');
      assert.equal(cookieOf(browser), '');
    });

    conforms('oidcc-client-test-3rd-party-init-login', async (name) => {
      const browser = site.browser();
      const query = new URLSearchParams({ iss: `${site.emu.url}/${CONTOSO}/v2.0`, login_hint: 'ada@contoso.example', target_link_uri: 'https://evil.test/' });
      const page = await browser.navigate(site.at(`/.entra/login?${query}`), { from: 'https://portal.test/' });
      assert.equal(page.status, 200, `${name}: ${page.trace}`);
      assert.equal(new URL(page.url).origin, site.origin, 'a target outside of the site is not followed');
      assert.equal(await whoAmI(site, browser), USERS.ada);
      // Whoever is named as issuer, the one provider of the configuration is asked.
      const { response } = await site.browser().navigate(site.at('/.entra/login?iss=https%3A%2F%2Fevil.test%2F'), { from: 'https://evil.test/', follow: false });
      assertSignIn(site, response, name);
    });
  });

  describe('dynamic', () => {
    // The provider and the client are what the administrator configured; neither is found out nor registered.
    for (const name of ['oidcc-client-test-discovery-webfinger-acct', 'oidcc-client-test-discovery-webfinger-url', 'oidcc-client-test-dynamic-registration']) {
      conforms(name, async () => {
        await site.emu.control('discovery', { set: { registration_endpoint: `${site.emu.url}/${CONTOSO}/register` } });
        const one = await fresh();
        await accepted(name, one);
        assert.deepEqual(seen('unknown'), []);
        assert.equal(seen('authorize')[0].asked.client_id, CLIENT);
        await one.stop();
      });
    }

    for (const name of ['oidcc-client-test-request-uri-signed-rs256', 'oidcc-client-test-request-uri-signed-none']) {
      conforms(name, async () => {
        const query = await authorizeQuery();
        for (const member of ['request', 'request_uri']) assert.equal(query.get(member), null, member);
        await accepted(name);
      });
    }
  });
});

test('docs/conformance.md has a row for each case, in full, and no other', () => {
  assert.deepEqual([...rows.keys()].sort(), [...cases].sort());
  for (const [name, row] of rows) {
    for (const column of COLUMNS) assert.ok(row[column], `${name}: ${column}`);
    assert.match(row.result, /^(passes|passes, stricter|passes, by oid|refuses|does not apply)$/, name);
  }
});
