// SPDX-License-Identifier: Apache-2.0
// Signing in, from the first request to the page: tabs, reloads, strangers' callbacks, browsers without cookies, and targets that lead away.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test, { after, before, beforeEach, describe } from 'node:test';
import { assertClosed, assertPage, assertSignIn, inParallel, LOGIN_COOKIE, SESSION_COOKIE, setsSession, shuffled, whoAmI, USERS } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { hostileTargets, JUNK_QUERIES, LEGITIMATE, VECTOR_ORIGIN, vectorTargets } from './lib/hostile.mjs';
import { missing, MPM } from './lib/httpd.mjs';
import { CLIENT, CONTOSO, isCallback, SECRET_PAGE, startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const PAGE = { Accept: 'text/html' };
const callbackOf = (site, parameters) => `${site.origin}/.entra/callback?${new URLSearchParams(parameters)}`;

describe('sign-in', { skip: missing }, () => {
  let site;

  // Workers enough for a quarter of them to carry 30 sign-ins at once.
  before(async () => { site = await startSite({ processes: 2, threads: 80, workers: 160 }); });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); });

  test('three lines of configuration are enough', async () => {
    const small = await startSite({
      emu: site.emu,
      backend: site.backend,
      config: (server) => `
        <VirtualHost 127.0.0.1:${server.port}>
          ServerName        ${server.origin}
          EntraAuthority    ${site.emu.url}
          EntraTenant       ${CONTOSO}
          EntraClientID     ${CLIENT}
          EntraClientSecret "file:${server.path('client-secret')}"
          <Location "/">
            AuthType Entra
            Require  valid-user
          </Location>
          ProxyPass "/" "http://127.0.0.1:${site.backend.port}/"
        </VirtualHost>`,
    });
    const browser = small.browser();
    const page = await browser.navigate(small.at('/legacy/start?x=1'));
    assert.equal(page.status, 200, page.trace);
    assert.equal(page.json().url, '/legacy/start?x=1');
    assert.deepEqual(page.hops.map(({ status }) => status), [302, 302, 302, 200], page.trace);
    await small.stop();
  });

  test('without the Require the page is open, so what follows proves something', async () => {
    const open = await startSite({ emu: site.emu, backend: site.backend, protect: false });
    const page = await open.browser().navigate(open.at('/page.html'));
    assert.equal(page.hops.length, 1);
    assert.match(page.text, new RegExp(SECRET_PAGE));
    await open.stop();
  });

  test('the request to Entra says what it must', async () => {
    const browser = site.browser();
    const first = await browser.navigate(site.at('/page.html'), { follow: false });
    const query = assertSignIn(site, first.response);
    assert.equal(query.get('client_id'), CLIENT);
    assert.equal(query.get('response_type'), 'code');
    assert.equal(query.get('response_mode'), 'query');
    assert.equal(query.get('redirect_uri'), `${site.origin}/.entra/callback`);
    assert.deepEqual(query.get('scope').split(' ').sort(), ['email', 'offline_access', 'openid', 'profile']);
    assert.equal(query.get('code_challenge_method'), 'S256');
    assert.match(query.get('code_challenge'), /^[\w-]{43}$/);
    assert.ok(query.get('nonce').length >= 20 && query.get('state').length > 100);
    assert.equal([...query.keys()].length, new Set(query.keys()).size, 'no parameter twice');
    assert.ok(first.response.location.length < 4096, `${first.response.location.length} bytes`);
    assert.match(first.header('cache-control') ?? '', /no-store/);
  });

  test('state, nonce and challenge are new each time', async () => {
    const browser = site.browser();
    const seen = { state: new Set(), nonce: new Set(), code_challenge: new Set() };
    for (let i = 0; i < 20; i += 1) {
      const { response } = await browser.navigate(site.at('/page.html'), { follow: false });
      for (const name of Object.keys(seen)) seen[name].add(new URL(response.location).searchParams.get(name));
    }
    for (const [name, values] of Object.entries(seen)) assert.equal(values.size, 20, name);
  });

  test('PKCE is sent, and the verifier fits the challenge', async () => {
    const browser = site.browser();
    const held = await site.begin(browser);
    const challenge = new URL(held.hops.at(-1).url).searchParams.get('code_challenge');
    await browser.resume(held);
    const [verifier] = site.emu.stats().secrets.code_verifiers;
    assert.equal(createHash('sha256').update(verifier).digest('base64url'), challenge);
    assert.ok(verifier.length >= 43 && verifier.length <= 128);
  });

  for (const target of ['/page.html', '/page.html?', '/page.html?x=1&y=2', '/app/a/b;p=1?q=a%26b&&x=%0d%0aEvil:1', '/app/%E2%82%AC%20/x?u=http://evil.test/', '/app/x?rd=/y&code=1&state=2&error=3', '/app/?//evil.test', '/app/q?%zz=%', '/app/a.b~c_d-e!$&\'()*+,;=:@']) {
    test(`path and query survive: ${target}`, async () => {
      const page = await site.browser().navigate(site.at(target));
      assert.equal(page.status, 200, page.trace);
      const landed = page.hops.at(-1).url;
      assert.equal(landed, new URL(target, site.origin).href, page.trace);
      if (target.startsWith('/app/')) assert.equal(page.json().url, target.slice(4));
    });
  }

  test('a query too long for the state is left out, the path stays', async () => {
    const page = await site.browser().navigate(site.at(`/page.html?${'x'.repeat(3000)}`));
    assert.equal(page.status, 200, page.trace);
    assert.equal(page.path, '/page.html');
  });

  test('a path too long for the state ends at the front page', async () => {
    const page = await site.browser().navigate(site.at(`/app/${'x'.repeat(3000)}`));
    assert.equal(page.status, 200, page.trace);
    assert.equal(page.path, '/');
  });

  test('a form that needs a sign-in comes back to the page it stood on', async () => {
    const browser = site.browser();
    const page = await browser.navigate(site.at('/app/save'), { method: 'POST', body: 'a=1', from: site.at('/page.html?x') });
    assert.equal(page.status, 200, page.trace);
    assert.equal(page.path, '/page.html?x', page.trace);
    const foreign = site.browser();
    const other = await foreign.navigate(site.at('/app/save'), { method: 'POST', body: 'a=1', from: 'https://evil.test/form' });
    assert.equal(other.path, '/', other.trace);
    assert.ok(site.backend.requests.every(({ method }) => method !== 'POST'), 'no form reached the application');
  });

  describe('tabs', () => {
    const paths = Array.from({ length: 30 }, (_, i) => `/app/tab/${i}?n=${i}`);

    const check = (browser, pages) => {
      for (const [path, page] of pages) {
        assert.equal(page.status, 200, `${path}\n${page.trace}`);
        assert.equal(page.json().url, path.slice(4), `${path}\n${page.trace}`);
      }
      const bytes = browser.cookies.bytes(site.origin);
      assert.ok(browser.cookies.all.filter(({ domain }) => domain === 'localhost').length <= 2, 'two cookies, not one per tab');
      assert.ok(bytes < 1500, `${bytes} bytes of cookies`);
    };

    test('30 tabs opened at once without cookies and finished in random order each land on their own page', async () => {
      const browser = site.browser();
      const held = await Promise.all(paths.map((path) => site.begin(browser, path)));
      assert.ok(held.every((page) => isCallback(page.url)));
      assert.ok(browser.cookies.bytes(site.origin) < 400, 'what piles up in the browser while it is away');
      const pages = [];
      for (const [i, page] of shuffled([...held.entries()])) pages.push([paths[i], await browser.resume(page)]);
      check(browser, pages);
    });

    test('30 tabs opened one after the other and finished all at once each land on their own page', async () => {
      const browser = site.browser();
      const held = [];
      for (const path of paths) held.push(await site.begin(browser, path));
      const pages = await Promise.all(shuffled([...held.entries()]).map(async ([i, page]) => [paths[i], await browser.resume(page)]));
      check(browser, pages);
    });

    test('a tab that finishes after another one has signed in redeems nothing', async () => {
      const browser = site.browser();
      const [first, second] = [await site.begin(browser, '/app/1'), await site.begin(browser, '/app/2')];
      await browser.resume(first);
      const calls = site.calls('token');
      const page = await browser.resume(second);
      assert.equal(page.json().url, '/2');
      assert.equal(site.calls('token'), calls);
    });
  });

  describe('the callback again', () => {
    test('a reload with a session goes to the page, and the code is not sent again', async () => {
      const browser = site.browser();
      const held = await site.begin(browser, '/page.html?x');
      await browser.resume(held);
      assert.equal(site.calls('token'), 1);
      for (let i = 0; i < 3; i += 1) {
        const page = await browser.navigate(held.url);
        assert.equal(page.path, '/page.html?x');
        assert.deepEqual(page.hops.map(({ status }) => status), [302, 200]);
      }
      assert.equal(site.calls('token'), 1);
      assert.equal(site.calls('authorize'), 1);
    });

    test('the back button without a session signs in afresh and lands on the page', async () => {
      const browser = site.browser();
      const held = await site.begin(browser, '/page.html?x');
      await browser.resume(held);
      browser.cookies.drop(SESSION_COOKIE);
      const page = await browser.navigate(held.url);
      assert.equal(page.status, 200, page.trace);
      assert.equal(page.path, '/page.html?x');
      assert.equal(site.calls('authorize'), 2, page.trace);
    });

    test('the back button after all cookies went signs in afresh and lands on the page', async () => {
      const browser = site.browser();
      const held = await site.begin(browser, '/page.html?x');
      await browser.resume(held);
      browser.cookies.clear();
      const calls = site.calls('token');
      const page = await browser.navigate(held.url);
      assert.equal(page.path, '/page.html?x', page.trace);
      assert.equal(site.calls('token'), calls + 1, 'the old code was not sent');
    });

    test('a second sign-in gets a new session id: what was planted before does not become the user', async () => {
      const attacker = await site.signedIn({ user: 'noroles' });
      const planted = attacker.cookies.get('Entra-Session');
      const victim = site.browser();
      const held = await site.begin(victim);
      victim.cookies.set(planted.line, new URL(site.origin));
      victim.cookies.drop(LOGIN_COOKIE);
      await victim.navigate(site.at('/.entra/login?rd=/page.html'));
      assert.equal(await whoAmI(site, victim), USERS.ada);
      assert.equal(await whoAmI(site, attacker), USERS.noroles);
      assert.notEqual(victim.cookies.value('Entra-Session'), planted.value);
      assert.ok(held);
    });
  });

  describe('a state that is not good', () => {
    const open = async (change, path = '/page.html?x') => {
      const browser = site.browser();
      const held = await site.begin(browser, path);
      const url = new URL(held.url);
      const changed = change(url.searchParams.get('state'));
      if (changed === null) url.searchParams.delete('state'); else url.searchParams.set('state', changed);
      return { browser, page: await browser.navigate(url.href, { follow: false }) };
    };

    test('tampered: an explanation with a link and no automatic restart', async () => {
      const flip = (text, at) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
      for (const at of [0, 1, 5, 6, 22, 40, 80]) {
        const { page } = await open((state) => flip(state, at));
        assertPage(site, page.response, 400, 1301, `position ${at}`);
        assert.ok(page.links.some((href) => href.startsWith(`${site.origin}/`)), page.text);
      }
      assert.equal(site.calls('token'), 0);
    });

    test('truncated, lengthened, empty, missing, of another purpose', async () => {
      for (const change of [(s) => s.slice(0, -1), (s) => s.slice(0, 10), (s) => `${s}A`, (s) => `${s}=`, (s) => ` ${s}`, (s) => `${s.slice(0, 9)}.${s.slice(9)}`, () => 'x']) {
        const { page } = await open(change);
        assertPage(site, page.response, 400, 1301, String(change));
      }
      for (const change of [() => '', () => null]) assertPage(site, (await open(change)).page.response, 400, 1300, String(change));
      const other = await site.signedIn();
      for (const name of ['Entra-Session', 'Entra-Login']) assertPage(site, (await open(() => other.cookies.value(name))).page.response, 400, 1301, name);
      assert.equal(site.calls('token'), 1, 'only the sign-in that was meant to');
    });

    test('the page of a bad state shows nothing that came from outside', async () => {
      const page = await site.browser().navigate(callbackOf(site, { code: 'reflected-code-zq', state: '<script>reflected-state-zq</script>' }), { follow: false });
      assertPage(site, page.response, 400, 1301);
      assert.doesNotMatch(page.text, /reflected|zq/);
    });
  });

  describe('strangers', () => {
    test("login CSRF: an attacker's callback in a clean browser is not redeemed; the victim signs in as itself", async () => {
      await site.as('root');
      const attacker = site.browser();
      const trap = await site.begin(attacker, '/app/trap');
      await site.as('ada');
      const victim = site.browser();
      const first = await victim.navigate(trap.url, { follow: false, from: 'https://evil.test/' });
      assertSignIn(site, first.response, 'the callback of another browser');
      assert.equal(site.calls('token'), 0, "the attacker's code was not sent");
      const page = await victim.navigate(trap.url, { from: 'https://evil.test/' });
      assert.equal(page.status, 200, page.trace);
      assert.equal(await whoAmI(site, victim), USERS.ada);
    });

    test("login CSRF: nor in a browser that is itself on its way to Entra", async () => {
      await site.as('root');
      const trap = await site.begin(site.browser(), '/app/trap');
      await site.as('ada');
      const victim = site.browser();
      await site.begin(victim, '/page.html');
      const first = await victim.navigate(trap.url, { follow: false });
      assertSignIn(site, first.response);
      assert.equal(site.calls('token'), 0);
      await victim.navigate(trap.url);
      assert.equal(await whoAmI(site, victim), USERS.ada);
    });

    test("login CSRF: nor does it replace the session of somebody who is signed in", async () => {
      const victim = await site.signedIn();
      await site.as('root');
      const trap = await site.begin(site.browser(), '/app/trap');
      await site.as('ada');
      const calls = site.calls('token');
      await victim.navigate(trap.url, { from: 'https://evil.test/' });
      assert.equal(await whoAmI(site, victim), USERS.ada);
      assert.ok(site.calls('token') <= calls + 1, 'at most its own fresh sign-in');
    });

    test('a stolen code put into an own state is refused by PKCE, and nobody becomes its owner', async () => {
      await site.as('root');
      const victim = await site.begin(site.browser());
      await site.as('ada');
      const thief = site.browser();
      const own = await site.begin(thief);
      const url = new URL(own.url);
      url.searchParams.set('code', new URL(victim.url).searchParams.get('code'));
      const page = await thief.navigate(url.href);
      assert.equal(page.status, 200, page.trace);
      assert.equal(await whoAmI(site, thief), USERS.ada);
    });

    test('a callback URL is good once: in the same browser, without its session, the code is refused and a fresh sign-in follows', async () => {
      const browser = site.browser();
      const held = await site.begin(browser);
      await browser.resume(held);
      browser.cookies.drop(SESSION_COOKIE);
      const first = await browser.navigate(held.url, { follow: false });
      assertSignIn(site, first.response);
      assert.ok(!setsSession(first.response));
    });
  });

  describe('browsers without cookies', () => {
    test('no cookies at all: an explanation after three tries, and no code is ever redeemed', async () => {
      site.httpd.expect(/ENTRA1500/);
      const page = await site.browser({ acceptCookies: false }).navigate(site.at('/page.html'));
      assertPage(site, page.response, 400, 1500);
      assert.equal(site.calls('authorize'), 3, page.trace);
      assert.equal(site.calls('token'), 0);
      assert.match(page.text, /cookie/i);
    });

    test('a browser that drops the session cookie: an explanation after three sign-ins', async () => {
      site.httpd.expect(/ENTRA1500/);
      const browser = site.browser({ acceptCookies: (line) => !line.includes('Entra-Session') });
      const page = await browser.navigate(site.at('/page.html'));
      assertPage(site, page.response, 400, 1500);
      assert.equal(site.calls('token'), 3, page.trace);
    });

    test('"try again" works once the browser keeps cookies', async () => {
      site.httpd.expect(/ENTRA1500/);
      const browser = site.browser({ acceptCookies: (line) => !line.includes('Entra-Session') });
      const stuck = await browser.navigate(site.at('/page.html?again'));
      assert.equal(stuck.status, 400, stuck.trace);
      browser.acceptCookies = () => true;
      const link = stuck.links.find((href) => href.startsWith(site.origin));
      assert.ok(link, stuck.text);
      const page = await browser.click(stuck, link);
      assert.equal(page.status, 200, page.trace);
      assert.equal(page.path, '/page.html?again');
    });

    test('a browser whose login cookie is lost on the way still gets in', async () => {
      const browser = site.browser();
      const held = await site.begin(browser);
      browser.cookies.clear();
      const page = await browser.resume(held);
      assert.equal(page.status, 200, page.trace);
    });
  });

  describe('return targets', () => {
    const stays = (page, target) => {
      for (const { url, location } of page.hops) {
        const to = location === undefined ? url : new URL(location, url).href;
        const { origin } = new URL(to);
        assert.ok(origin === site.origin || origin === new URL(site.emu.url).origin, `${JSON.stringify(target)} leads to ${to}\n${page.trace}`);
      }
      const last = new URL(page.url);
      assert.equal(last.origin, site.origin, `${JSON.stringify(target)} ends at ${page.url}`);
      assert.ok(!/^\/[/\\]/.test(last.pathname), `${JSON.stringify(target)} ends at ${page.url}`);
      for (const { response } of page.hops) assert.ok(!/[\0-\x1f\x7f\\]/.test(response.location ?? ''), JSON.stringify(target));
      assert.ok(page.hops.every(({ cookies }) => cookies.every((line) => /Entra-|ESTS/i.test(line) || !line.startsWith('x='))), 'no header was split');
    };

    const visit = async (query, target) => {
      const browser = site.browser();
      const page = await browser.navigate(`${site.origin}/.entra/login?${query}`);
      if (page.status === 400 && page.hops.length === 1) return; // malformed as a query: refused at once
      stays(page, target);
    };

    test('login?rd= never leaves the site, whatever the target, encoded', async () => {
      const targets = hostileTargets(new URL(site.origin).host).filter((target) => target.length < 7000 && !/[\ud800-\udfff]/.test(target));
      assert.ok(targets.length >= 60, `${targets.length} targets`);
      await inParallel(targets, 8, (target) => visit(`rd=${encodeURIComponent(target)}`, target));
    });

    test('login?rd= never leaves the site, whatever the target, as raw bytes', async () => {
      const targets = hostileTargets(new URL(site.origin).host).filter((target) => target.length < 7000);
      await inParallel(targets, 8, async (target) => {
        const bytes = Buffer.from(target, 'utf8').toString('latin1');
        const { response } = { response: await site.httpd.request({ path: `/.entra/login?rd=${bytes.replaceAll(/[\0\r\n ]/g, '%20')}` }) };
        if (response.status === 400) return;
        assertSignIn(site, response, target);
        const browser = site.browser();
        for (const line of response.cookies) browser.cookies.set(line, new URL(site.origin));
        stays(await browser.navigate(response.location), target);
      });
    });

    test('login?rd= gives for every row of the vectors exactly what they say', { skip: vectorTargets() ? false : 'no tests/vectors/return-targets.txt' }, async () => {
      const rows = vectorTargets();
      const { host } = new URL(VECTOR_ORIGIN);
      const named = await startSite({ emu: site.emu, backend: site.backend, serverName: VECTOR_ORIGIN, names: { [VECTOR_ORIGIN]: 'httpd' }, redirectHosts: [host] });
      assert.equal((await named.browser().navigate(`${VECTOR_ORIGIN}/page.html`)).status, 200);
      const percent = (bytes) => [...Buffer.from(bytes, 'latin1')].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
      await inParallel(rows, 8, async ({ target, expected }) => {
        const browser = named.browser();
        const held = await browser.navigate(`${VECTOR_ORIGIN}/.entra/login?rd=${percent(target)}`, { stopBefore: isCallback });
        const page = await browser.navigate(held.url, { follow: false });
        // Our own endpoints are no pages to come back to.
        const wanted = VECTOR_ORIGIN + (/^\/\.entra[/?]/.test(expected) ? '/' : expected);
        assert.equal(page.response.location, wanted, `rd=${JSON.stringify(target)}`);
      });
      await named.stop();
      await site.reset();
    });

    test('what is a path of this site comes through', async () => {
      for (const target of LEGITIMATE) {
        const page = await site.browser().navigate(`${site.origin}/.entra/login?rd=${encodeURIComponent(target)}`);
        assert.equal(page.url, new URL(target, site.origin).href, page.trace);
      }
      const absolute = await site.browser().navigate(`${site.origin}/.entra/login?rd=${encodeURIComponent(`${site.origin}/page.html?x`)}`);
      assert.equal(absolute.path, '/page.html?x', 'an absolute URL of exactly this origin');
    });

    test('a request whose own path is hostile comes back to this site', async () => {
      for (const path of ['//evil.test/', '//evil.test/%2e%2e', '/\\evil.test', '///evil.test', '/;/evil.test', '/.//evil.test', 'http://evil.test/', 'https://evil.test//evil.test/']) {
        const response = await site.httpd.request({ path, headers: { Accept: 'text/html', 'Sec-Fetch-Mode': 'navigate' } });
        assert.ok([301, 302, 400, 401, 403, 404].includes(response.status), `${path}: ${response.status}`);
        assertClosed(response, path);
        if (response.status !== 302) continue;
        const browser = site.browser();
        for (const line of response.cookies) browser.cookies.set(line, new URL(site.origin));
        const page = await browser.navigate(response.location);
        for (const { location } of page.hops) if (location) assert.doesNotMatch(new URL(location, site.origin).hostname, /evil/, `${path}\n${page.trace}`);
      }
    });

    test('login?rd= twice, and rd with something beside it', async () => {
      const twice = await site.httpd.get('/.entra/login?rd=/a&rd=/b', { headers: PAGE });
      assertPage(site, twice, 400, 1011);
      const beside = await site.browser().navigate(`${site.origin}/.entra/login?scopes=x&rd=/page.html&prompt=none&client_id=y&auth_request_params=z`);
      assert.equal(beside.path, '/page.html', beside.trace);
      const { searchParams } = new URL(beside.hops[0].location);
      assert.equal(searchParams.get('client_id'), CLIENT);
      assert.equal(searchParams.get('prompt'), null);
    });
  });

  describe('the callback endpoint', () => {
    test('other methods than GET get 405 with Allow, and redeem nothing', async () => {
      for (const method of ['HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'FOO', 'get']) {
        const browser = site.browser();
        const held = await site.begin(browser);
        const { pathname, search } = new URL(held.url);
        const response = await site.httpd.request({ method, path: pathname + search, headers: { Cookie: browser.cookies.header(new URL(site.origin)) } });
        assert.equal(response.status, 405, method);
        assert.equal(response.header('allow'), 'GET', method);
        assertClosed(response, method);
      }
      assert.equal(site.calls('token'), 0);
    });

    test('a parameter that stands twice is refused', async () => {
      for (const doubled of ['code', 'state', 'error', 'session_state', 'other']) {
        const browser = site.browser();
        const held = await site.begin(browser);
        const url = `${held.url}&${doubled}=a&${doubled}=b`;
        const page = await browser.navigate(url, { follow: false });
        assertPage(site, page.response, 400, 1011, doubled);
      }
      assert.equal(site.calls('token'), 0);
    });

    test('junk: no crash, no redirect off the site, no reflection, and the children live on', async () => {
      const children = site.httpd.children();
      for (const query of JUNK_QUERIES) {
        const response = await site.httpd.request({ path: `/.entra/callback?${query}` });
        assert.ok([200, 302, 400, 414].includes(response.status), `${query.slice(0, 60)}: ${response.status}`);
        if (response.location) assert.ok(response.location.startsWith(site.origin), response.location);
        assertClosed(response, query.slice(0, 60));
        assert.doesNotMatch(response.text, /alert|account is blocked|evil\.test/i, query.slice(0, 60));
      }
      for (const query of JUNK_QUERIES) {
        for (const endpoint of ['login', 'logout', 'session', 'nothing']) {
          const response = await site.httpd.request({ path: `/.entra/${endpoint}?${query}` });
          assert.ok([200, 302, 400, 401, 404, 414].includes(response.status), `${endpoint}?${query.slice(0, 60)}: ${response.status}`);
          assert.doesNotMatch(response.text, /alert\(|account is blocked/i);
        }
      }
      assert.equal(site.calls('token'), 0);
      assert.ok(children.every((pid) => site.httpd.children().includes(pid)), 'no child died');
    });

    test('error and code together, or neither with a state, are refused or say goodbye', async () => {
      const browser = site.browser();
      const held = await site.begin(browser);
      const both = await browser.navigate(`${held.url}&error=x`, { follow: false });
      assertPage(site, both.response, 400, 1305);
      assert.equal(site.calls('token'), 0);
    });

    for (const [error, number, status] of [['access_denied', 1310, 403], ['login_required', 1310, 403], ['consent_required', 1310, 403], ['invalid_request', 1311, 502], ['unauthorized_client', 1311, 502], ['made_up', 1311, 502], ['server_error', 1312, 503], ['temporarily_unavailable', 1312, 503]]) {
      test(`Entra answers ${error}: a page of status ${status} with ENTRA${number}`, async () => {
        site.httpd.allow(new RegExp(`ENTRA${number}`));
        await site.emu.control('authorize', { error, error_description: `AADSTS50105: told <script>alert(1)</script>\r\nTrace ID: x`, count: 1 });
        const page = await site.browser().navigate(site.at('/page.html'));
        assertPage(site, page.response, status, number);
        assert.doesNotMatch(page.text, /<script|told/, 'the description is not shown');
        if (status === 503) assert.ok(page.header('retry-after'), 'Retry-After');
      });
    }

    test('an error for another browser shows no error page, but a fresh sign-in', async () => {
      await site.emu.control('authorize', { error: 'access_denied', count: 1 });
      const held = await site.begin(site.browser());
      const page = await site.browser().navigate(held.url, { follow: false });
      assertSignIn(site, page.response);
    });

    test('code, tokens and verifier stand in no log at trace8, nor in Location or Referer', async () => {
      const browser = site.browser();
      const page = await browser.navigate(site.at('/app/x'));
      assert.equal(page.status, 200, page.trace);
      const { secrets } = site.emu.stats();
      const planted = ['codes', 'id_tokens', 'access_tokens', 'refresh_tokens', 'code_verifiers', 'nonces'].flatMap((kind) => secrets[kind].map((value) => [kind, value]));
      assert.ok(planted.length >= 5, `${planted.map(([kind]) => kind)}`);
      for (const cookie of browser.cookies.all.filter(({ name }) => /Entra/.test(name))) planted.push([cookie.name, cookie.value]);
      planted.push(['client secret', 'S3cret~value.of-the_app']);
      await site.httpd.waitForAccess(/"GET \/\.entra\/callback HTTP\/1\.1" 302/);
      await site.httpd.waitForAccess(/"GET \/app\/x HTTP\/1\.1" 200/);
      const logs = { error: site.httpd.errorLog(), access: site.httpd.accessLog() };
      for (const [kind, value] of planted) {
        for (const [name, text] of Object.entries(logs)) {
          assert.ok(!text.includes(value), `${kind} stands in the ${name} log`);
          assert.ok(!text.includes(encodeURIComponent(value)), `${kind} stands, encoded, in the ${name} log`);
        }
      }
      const toPage = page.hops.at(-2);
      assert.ok(!toPage.location.includes('code='));
      assert.equal(toPage.response.header('referrer-policy'), 'no-referrer');
      assert.doesNotMatch(JSON.stringify(site.backend.requests), /\.entra\/callback/, 'the application sees no callback URL');
    });
  });

  describe('endpoints answer whatever else is configured', () => {
    const setups = {
      'ProxyPass of everything': (server, s) => ({ extra: `ProxyPass "/" "http://127.0.0.1:${s.backend.port}/"` }),
      'Require all denied': () => ({ extra: '<Location "/.entra">\n    Require all denied\n</Location>' }),
      'a rewrite of everything to the backend': (server, s) => ({ extra: `RewriteEngine on\nRewriteRule "^/(.*)" "http://127.0.0.1:${s.backend.port}/rewritten/$1" [P]`, modules: ['rewrite'] }),
      'a rewrite that forbids': () => ({ extra: 'RewriteEngine on\nRewriteRule "^/\\.entra" "-" [F]', modules: ['rewrite'] }),
      'a rewrite inside <Location> to the backend': (server, s) => ({ extra: `<Location "/">\n    RewriteEngine on\n    RewriteRule "^" "http://127.0.0.1:${s.backend.port}/rewritten" [P]\n</Location>`, modules: ['rewrite'] }),
      'a Redirect of everything': () => ({ extra: 'Redirect "/" "https://elsewhere.test/"' }),
      'Basic authentication on everything': () => ({ extra: '<Location "/">\n    AuthType Basic\n    AuthName x\n    AuthBasicProvider file\n    AuthUserFile /nonexistent\n    Require valid-user\n</Location>', modules: ['auth_basic', 'authn_file'] }),
      'SetHandler on everything': () => ({ extra: '<Location "/">\n    SetHandler server-status\n</Location>', modules: ['status'] }),
      'an Alias and dot-file protection': (server) => ({ extra: `Alias "/.entra" "${server?.docroot ?? '/nonexistent'}/public"\n<DirectoryMatch "/\\.">\n    Require all denied\n</DirectoryMatch>` }),
    };
    for (const [name, setup] of Object.entries(setups)) {
      test(name, async () => {
        const { modules, extra } = setup(null, site);
        const odd = await startSite({ emu: site.emu, backend: site.backend, modules, extra });
        site.backend.clear();
        assertSignIn(odd, await odd.httpd.get('/.entra/login?rd=/x'), 'login');
        assertPage(odd, await odd.httpd.get('/.entra/callback?code=x&state=y', { headers: PAGE }), 400, 1301);
        assert.equal((await odd.httpd.get('/.entra/session')).status, 401);
        assert.equal((await odd.httpd.get('/.entra/nothing')).status, 404);
        assert.equal((await odd.httpd.get('/.entra/logout')).status, 200);
        assert.equal(site.backend.requests.length, 0, 'nothing of it reached the application');
        await odd.stop();
      });
    }
  });

  describe('what the administrator forbids or sends elsewhere for a <Location> that covers EntraPath goes for the endpoints too', () => {
    const setups = {
      'a rewrite that forbids': [403, '<Location "/">\n    RewriteEngine on\n    RewriteRule "^" "-" [F]\n</Location>', ['rewrite']],
      'a Redirect': [302, '<Location "/">\n    Redirect "https://elsewhere.test/"\n</Location>', []],
      'Deny from all': [403, '<Location "/">\n    Order allow,deny\n    Deny from all\n</Location>', ['access_compat']],
      'AllowMethods POST': [405, '<Location "/">\n    AllowMethods POST\n</Location>', ['allowmethods']],
    };
    for (const [name, [status, extra, modules]] of Object.entries(setups)) {
      test(name, async () => {
        const odd = await startSite({ emu: site.emu, backend: site.backend, modules, extra, allowLog: [/AH01797/, /AH01623/] });
        site.backend.clear();
        for (const path of ['/.entra/login?rd=/x', '/.entra/callback?code=x&state=y', '/.entra/session']) {
          const response = await odd.httpd.get(path);
          assert.equal(response.status, status, path);
          assert.deepEqual(response.cookies ?? [], [], path);
          if (status === 302) assert.ok(response.location.startsWith('https://elsewhere.test/') && !/code=x/.test(response.location), response.location);
        }
        assert.equal(site.backend.requests.length, 0, 'nothing of it reached the application');
        await odd.stop();
      });
    }
  });

  test('every answer of an endpoint is never stored and leaks no Referer', async () => {
    for (const path of ['/.entra/login?rd=/', '/.entra/callback', '/.entra/callback?x=1', '/.entra/logout', '/.entra/session', '/.entra/nothing', '/.entra/', '/.entra']) {
      const response = await site.httpd.get(path);
      assert.match(response.header('cache-control') ?? '', /no-store/, path);
      assert.equal(response.header('referrer-policy'), path === '/.entra/logout' ? 'same-origin' : 'no-referrer', path);
    }
  });

  test('an unknown path under EntraPath is 404, and a longer name beside it is an ordinary page', async () => {
    for (const path of ['/.entra/nothing', '/.entra/callback/x', '/.entra/login/', '/.entra/Callback', '/.entra/scim/v2/Users', '/.entra//session', '/.entra/./session', '/.entra/%73ession', '/.entra/x/../session', '/.entra/session;x', '/.entra/../.entra/session']) {
      const response = await site.httpd.get(path);
      assert.equal(response.status, 404, path);
      assert.match(response.text, /ENTRA1504/, path);
    }
    assertSignIn(site, await site.httpd.get('/.entrance', { headers: { Accept: 'text/html' } }), 'beside');
  });

  test('EntraPath moves all endpoints', async () => {
    const moved = await startSite({ emu: site.emu, backend: site.backend, directives: { EntraPath: '/sso/here' } });
    const first = await moved.browser().navigate(moved.at('/page.html'), { follow: false });
    assert.equal(new URL(first.response.location).searchParams.get('redirect_uri'), `${moved.origin}/sso/here/callback`);
    await site.emu.control('client', { client_id: CLIENT, set: { redirectPaths: ['/sso/here/callback'] } });
    const page = await moved.browser().navigate(moved.at('/page.html'));
    assert.equal(page.status, 200, page.trace);
    assertSignIn(moved, await moved.httpd.get('/.entra/session', { headers: { Accept: 'text/html' } }), 'the old place is an ordinary page');
    await moved.stop();
  });

  test('another name of the same server goes to the public origin first', async () => {
    const browser = site.browser({ resolve: { 'alias.test': site.httpd.port } });
    const page = await browser.navigate(`http://alias.test:${site.httpd.port}/page.html?x=1`);
    assert.equal(page.status, 200, page.trace);
    assert.equal(page.url, `${site.origin}/page.html?x=1`);
    assert.ok(page.hops[0].location.startsWith(`${site.origin}/.entra/login?rd=`), page.trace);
    assert.ok(browser.history.every(({ url, status }) => !url.includes('alias.test') || status === 302));
    assert.ok(browser.cookies.all.every(({ domain }) => domain !== 'alias.test'), 'no cookie under the alias');
  });

  test('hostile Host headers never choose where the browser goes', async () => {
    for (const host of ['evil.test', 'evil.test:80', `localhost.evil.test:${site.httpd.port}`, 'LOCALHOST', `localhost.:${site.httpd.port}`, 'user@localhost', '[::1]', '']) {
      for (const extra of [{}, { 'X-Forwarded-Host': 'evil.test', 'X-Forwarded-Proto': 'https', Forwarded: 'host=evil.test', X_Forwarded_Host: 'evil.test' }]) {
        const response = await site.httpd.request({ path: '/page.html', headers: { Host: host, Accept: 'text/html', ...extra } });
        if (response.status === 400) continue;
        assert.equal(response.status, 302, `${host}: ${response.status}`);
        const to = new URL(response.location);
        assert.ok([site.origin, new URL(site.emu.url).origin].includes(to.origin), `${host} -> ${to}`);
        assert.equal(to.searchParams.get('redirect_uri') ?? `${site.origin}/.entra/callback`, `${site.origin}/.entra/callback`);
        assertClosed(response, host);
      }
    }
  });

  describe('signing out', () => {
    const direct = () => site.emu.control('client', { client_id: CLIENT, set: { frontChannelLogoutUri: null } });
    const isOut = async (browser) => (await browser.navigate(site.at('/page.html'), { follow: false })).status === 302;

    test('POST from this site ends the session here and at Entra, and comes back to rd', async () => {
      await direct();
      const browser = await site.signedIn();
      const page = await browser.navigate(site.at('/.entra/logout?rd=/public/'), { method: 'POST', body: '', from: site.at('/page.html') });
      assert.equal(page.url, site.at('/public/'), page.trace);
      assert.ok(browser.cookies.all.every(({ name }) => !/Entra-/.test(name)), 'no cookie is left');
      const call = new URL(page.hops[0].location);
      assert.match(call.pathname, /\/oauth2\/v2\.0\/logout$/);
      assert.equal(call.searchParams.get('post_logout_redirect_uri'), `${site.origin}/.entra/callback`);
      assert.ok(call.searchParams.get('logout_hint'), 'logout_hint');
      assert.ok(call.searchParams.get('state'), 'state');
      assert.ok(await isOut(browser));
    });

    test('without rd it ends at the page that says so', async () => {
      await direct();
      const browser = await site.signedIn();
      const page = await browser.navigate(site.at('/.entra/logout'), { method: 'POST', body: '', from: site.at('/page.html') });
      assertPage(site, page.response, 200);
      assert.match(page.text, /signed out/i);
      assert.equal(new URL(page.url).pathname, '/.entra/callback');
    });

    const proofs = {
      'GET by a link of this site': (browser) => browser.navigate(site.at('/.entra/logout'), { from: site.at('/page.html'), follow: false }),
      'GET typed by the user': (browser) => browser.navigate(site.at('/.entra/logout'), { follow: false }),
      'GET without Fetch Metadata, with a Referer of this site': (browser) => browser.navigate(site.at('/.entra/logout'), { from: site.at('/page.html'), headers: { 'Sec-Fetch-Site': null, 'Sec-Fetch-Mode': null }, follow: false }),
      'POST without Fetch Metadata, with our Origin': (browser) => browser.navigate(site.at('/.entra/logout'), { method: 'POST', body: '', from: site.at('/x'), headers: { 'Sec-Fetch-Site': null, 'Sec-Fetch-Mode': null }, follow: false }),
    };
    for (const [name, step] of Object.entries(proofs)) {
      test(`${name} signs out`, async () => {
        const browser = await site.signedIn();
        const page = await step(browser);
        assert.equal(page.status, 302, page.text);
        assert.ok(await isOut(browser));
      });
    }

    const forgeries = {
      'GET by a link of another site': (browser) => browser.navigate(site.at('/.entra/logout'), { from: 'https://evil.test/', follow: false }),
      'GET from a sibling site': (browser) => browser.navigate(site.at('/.entra/logout'), { from: site.at('/x'), headers: { 'Sec-Fetch-Site': 'same-site' }, follow: false }),
      'GET as an image': (browser) => browser.fetch(site.at('/.entra/logout'), { from: 'https://evil.test/', mode: 'no-cors', dest: 'image', credentials: 'include' }),
      'GET without any proof': (browser) => browser.navigate(site.at('/.entra/logout'), { headers: { 'Sec-Fetch-Site': null, 'Sec-Fetch-Mode': null }, follow: false }),
      'GET with a foreign Referer and no Fetch Metadata': (browser) => browser.navigate(site.at('/.entra/logout'), { from: 'https://evil.test/', headers: { 'Sec-Fetch-Site': null, Referer: 'https://evil.test/' }, follow: false }),
      'POST by a form of another site': (browser) => browser.navigate(site.at('/.entra/logout'), { method: 'POST', body: '', from: 'https://evil.test/', follow: false }),
      'POST with Origin null': (browser) => browser.navigate(site.at('/.entra/logout'), { method: 'POST', body: '', headers: { 'Sec-Fetch-Site': null, Origin: 'null' }, follow: false }),
      'POST with an Origin that only begins like ours': (browser) => browser.navigate(site.at('/.entra/logout'), { method: 'POST', body: '', headers: { 'Sec-Fetch-Site': null, Origin: `${site.origin}.evil.test` }, follow: false }),
    };
    for (const [name, step] of Object.entries(forgeries)) {
      test(`${name} asks for a click and ends nothing`, async () => {
        const browser = await site.signedIn();
        const page = await step(browser);
        assert.equal(page.status, 200, page.text);
        const response = page.response ?? page;
        assertPage(site, response, 200);
        assert.deepEqual(response.cookies, []);
        assert.match(response.text, /<form[^>]*method="?post/i);
        assert.equal(await isOut(browser), false, 'still signed in');
      });
    }

    for (const [name, headers] of Object.entries({ 'a browser with Fetch Metadata': {}, 'a browser without': { 'Sec-Fetch-Site': null, 'Sec-Fetch-Mode': null, 'Sec-Fetch-Dest': null, 'Sec-Fetch-User': null } })) {
      test(`the click on the page that asks signs out and keeps rd: ${name}`, async () => {
        await direct();
        const browser = await site.signedIn();
        browser.headers = headers;
        const asked = await browser.navigate(site.at('/.entra/logout?rd=/public/'), { from: 'https://evil.test/' });
        assert.equal(asked.status, 200);
        const page = await browser.submit(asked);
        assert.equal(page.url, site.at('/public/'), page.trace);
        assert.ok(await isOut(browser));
      });
    }

    test('rd of logout never leaves the site', async () => {
      await direct();
      const targets = hostileTargets(new URL(site.origin).host).filter((target) => target.length < 3000 && !/[\ud800-\udfff]/.test(target));
      await inParallel(targets, 8, async (target) => {
        const browser = site.browser();
        const page = await browser.navigate(`${site.origin}/.entra/logout?rd=${encodeURIComponent(target)}`, { method: 'POST', body: '', from: site.at('/'), stopBefore: (url) => new URL(url).origin === site.origin && !new URL(url).pathname.startsWith('/.entra/') });
        for (const { url, location } of page.hops) {
          const to = new URL(location ?? url, url);
          assert.ok([site.origin, new URL(site.emu.url).origin].includes(to.origin), `${JSON.stringify(target)} -> ${to}`);
        }
        assert.ok(!/^\/[/\\]/.test(new URL(page.url).pathname), `${JSON.stringify(target)} -> ${page.url}`);
      });
    });

    test('a sign-out state is no sign-in state, and an attacker cannot choose where it leads', async () => {
      await direct();
      const browser = await site.signedIn();
      const { response } = await browser.navigate(site.at('/.entra/logout?rd=/public/'), { method: 'POST', body: '', from: site.at('/'), follow: false });
      const state = new URL(response.location).searchParams.get('state');
      const page = await site.browser().navigate(callbackOf(site, { code: 'x', state }), { follow: false });
      assert.notEqual(page.status, 200);
      assert.equal(site.calls('token'), 1, 'the sign-in alone');
      assert.ok(!setsSession(page.response));
    });

    test('Entra out of reach keeps nobody signed in', async () => {
      const browser = await site.signedIn();
      await site.emu.control('fault', { endpoint: 'any', close: true });
      const page = await browser.navigate(site.at('/.entra/logout'), { method: 'POST', body: '', from: site.at('/'), follow: false });
      assert.ok([200, 302].includes(page.status));
      assert.ok(browser.cookies.all.every(({ name }) => !SESSION_COOKIE.test(name)));
    });

    test('signing out without a session is no error', async () => {
      const page = await site.browser().navigate(site.at('/.entra/logout'), { method: 'POST', body: '', from: site.at('/'), follow: false });
      assert.equal(page.status, 302);
    });

    test('other methods than GET and POST get 405', async () => {
      for (const method of ['HEAD', 'PUT', 'DELETE', 'OPTIONS', 'FOO']) {
        const response = await site.httpd.request({ method, path: '/.entra/logout' });
        assert.equal(response.status, 405, method);
        assert.equal(response.header('allow'), 'GET, POST', method);
      }
    });
  });

  test('an ErrorDocument of the administrator takes the place of our page and is told what happened', async () => {
    const own = await startSite({
      emu: site.emu,
      backend: site.backend,
      files: { 'cgi/oops': { content: '#!/bin/sh\nprintf \'Content-Type: text/plain\\r\\n\\r\\n\'\necho "own-error-page"\nenv\n', mode: 0o755 } },
      extra: 'ErrorDocument 400 /cgi/oops\n<Location "/cgi/oops">\n    Require all granted\n</Location>',
    });
    const response = await own.httpd.get('/.entra/callback?code=x&state=y');
    assert.equal(response.status, 400);
    assert.match(response.text, /own-error-page/);
    assert.match(response.text, /ENTRA_ERROR=ENTRA1301\n/);
    assert.match(response.text, /ENTRA_ERROR_TEXT=\S/);
    const id = /ENTRA_ERROR_ID=(\S+)/.exec(response.text)?.[1];
    assert.ok(own.httpd.errorLog().includes(`[id ${id}]`), 'the id stands in the log');
    await own.stop();
  });
});

describe('sign-in and time', { skip: missing || noClock }, () => {
  test('a state older than 15 minutes leads to a fresh sign-in that lands on the same page', async () => {
    const site = await startSite({ clock: true });
    const browser = site.browser();
    const held = await site.begin(browser, '/page.html?x');
    site.httpd.clock.set(15 * 60 + 1);
    await site.emu.control('clock', { offsetSeconds: 15 * 60 + 1 });
    const first = await browser.navigate(held.url, { follow: false });
    assertSignIn(site, first.response);
    assert.equal(site.calls('token'), 0, 'its code was not sent');
    const page = await browser.navigate(held.url);
    assert.equal(page.status, 200, page.trace);
    assert.equal(page.path, '/page.html?x');
    await site.stop();
  });

  test('a state of 14 minutes is still good', async () => {
    const site = await startSite({ clock: true });
    await site.emu.control('limits', { codeSeconds: 3600 });
    const browser = site.browser();
    const held = await site.begin(browser, '/page.html?x');
    site.httpd.clock.set(14 * 60);
    await site.emu.control('clock', { offsetSeconds: 14 * 60 });
    const page = await browser.resume(held);
    assert.equal(page.status, 200, page.trace);
    assert.equal(site.calls('authorize'), 1);
    await site.stop();
  });

  test('an expired state that only ever expires again ends in an explanation', async () => {
    const site = await startSite({ clock: true, expectLog: [/ENTRA1500/] });
    const browser = site.browser();
    let held = await site.begin(browser);
    for (let i = 0; i < 2; i += 1) {
      site.httpd.clock.forward(16 * 60);
      held = await browser.navigate(held.url, { stopBefore: (url) => isCallback(url) && url !== held.url });
      assert.ok(isCallback(held.url), held.trace);
    }
    site.httpd.clock.forward(16 * 60);
    const page = await browser.navigate(held.url);
    assertPage(site, page.response, 400, 1500);
    await site.stop();
  });

  test('three sign-ins in more than two minutes are no loop', async () => {
    const site = await startSite({ clock: true });
    const browser = site.browser();
    for (let i = 0; i < 5; i += 1) {
      const page = await browser.navigate(site.at('/page.html'));
      assert.equal(page.status, 200, page.trace);
      browser.cookies.drop(SESSION_COOKIE);
      site.httpd.clock.forward(61);
      await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
    }
    await site.stop();
  });
});

describe('many sign-ins', { skip: missing }, () => {
  const size = MPM === 'prefork' ? { processes: 60, workers: 220 } : { processes: 2, threads: 110, workers: 220 };

  test('50 at once all succeed', async () => {
    const site = await startSite(size);
    await site.signedIn();
    const pages = await Promise.all(Array.from({ length: 50 }, (_, i) => site.browser().navigate(site.at(`/app/n/${i}`))));
    for (const [i, page] of pages.entries()) {
      assert.equal(page.status, 200, page.trace);
      assert.equal(page.json().url, `/n/${i}`);
    }
    assert.equal(site.calls('token'), 51);
    await site.stop();
  });

  test('50 at once right after the start all succeed, at the latest after the wait that a 503 asks for', async () => {
    const site = await startSite({ ...size, allowLog: [/ENTRA1105/] });
    const statuses = [];
    await Promise.all(Array.from({ length: 50 }, (_, i) => until('a sign-in', async () => {
      const page = await site.browser().navigate(site.at(`/app/n/${i}`));
      statuses.push(page.status);
      if (page.status === 503) assert.match(page.header('retry-after') ?? '', /^\d+$/);
      else assert.equal(page.status, 200, page.trace);
      return page.status === 200;
    }, { step: 300 })));
    assert.equal(statuses.filter((status) => status === 200).length, 50);
    await site.stop();
  });

  test('in the steady state a worker process keeps one connection to Entra', async () => {
    const site = await startSite({ ...(MPM === 'prefork' ? { processes: 2, workers: 2 } : { processes: 2, threads: 16, workers: 32 }) });
    for (let i = 0; i < 40; i += 1) {
      const page = await site.browser().navigate(site.at('/page.html'));
      assert.equal(page.status, 200, page.trace);
    }
    const { connections, endpoints } = site.emu.stats();
    assert.equal(endpoints.token, 40);
    assert.ok(connections.byEndpoint.token <= 2, `${connections.byEndpoint.token} connections for 40 token requests of 2 processes`);
    await site.stop();
  });

  test('more sign-ins than a quarter of the workers get 503 with Retry-After at once while Entra is slow; signed-in users notice nothing', async () => {
    const site = await startSite({ ...(MPM === 'prefork' ? { processes: 16, workers: 16 } : { processes: 1, threads: 16, workers: 16 }), expectLog: [/ENTRA1054/] });
    const user = await site.signedIn();
    const held = await Promise.all(Array.from({ length: 12 }, async () => { const browser = site.browser(); return [browser, await site.begin(browser)]; }));
    await site.emu.control('fault', { endpoint: 'token', delayMs: 6000 });
    const started = Date.now();
    const waiting = held.map(([browser, page]) => browser.navigate(page.url, { follow: false }).then((result) => ({ result, after: Date.now() - started })));
    const page = await user.navigate(site.at('/page.html'));
    assert.equal(page.status, 200);
    assert.ok(Date.now() - started < 5000, 'a signed-in user waits for nobody');
    const answers = await Promise.all(waiting);
    const busy = answers.filter(({ result }) => result.status === 503);
    const served = answers.filter(({ result }) => result.status === 302);
    assert.equal(busy.length + served.length, 12, answers.map(({ result }) => result.status).join());
    assert.ok(served.length >= 1 && served.length <= 4, `${served.length} waited, a quarter of 16 may`);
    for (const { result, after: ms } of busy) {
      assert.ok(result.header('retry-after'), 'Retry-After');
      assert.ok(ms < 5000, `${ms} ms for "at once"`);
      assertClosed(result.response);
    }
    await site.stop();
  });
});
