// SPDX-License-Identifier: Apache-2.0
// The session cookie: its flags, its ends, its keys, and what becomes of it in hostile hands and over restarts.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import test, { after, before, beforeEach, describe } from 'node:test';
import { FABRIKAM, OTHER_CLIENT, OTHER_CLIENT_SECRET, users } from '../emulator/tenants.mjs';
import { assertChallenge, assertClosed, assertPage, assertSignIn, LOGIN_COOKIE, SESSION_COOKIE, setNames, setsSession, USERS, whoAmI } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { headerOf } from './lib/echo.mjs';
import { CGI_DAEMON, hasModule, missing, MPM } from './lib/httpd.mjs';
import { CLIENT, CONTOSO, entraLines, siteConfigtest, siteModules, startSite, trySite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const PAGE = { Accept: 'text/html' };
/** The log names this reason, by its number or its sentence. */
const reasons = readFileSync(new URL('../../src/base/reasons.def', import.meta.url), 'utf8');
const says = (log, number) => {
  const [, sentence] = new RegExp(`, ${number}, .*"(.*)"\\)`).exec(reasons);
  return log.includes(`ENTRA${number}`) || log.includes(sentence);
};

const bytesOf = (value) => Buffer.from(value, 'base64url');

/** A page request with exactly this Cookie header. */
const withCookie = (site, cookie, path = '/page.html') => site.httpd.request({ path, headers: { ...PAGE, Cookie: cookie } });

/** The session of a browser as one value: fails when it is in chunks. */
function sessionOf(browser) {
  const found = browser.cookies.all.filter(({ name }) => SESSION_COOKIE.test(name));
  assert.equal(found.length, 1, found.map(({ name }) => name).join());
  return found[0];
}

describe('session cookie', { skip: missing }, () => {
  let site;

  before(async () => { site = await startSite(); });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); });

  describe('flags', () => {
    const linesOf = async (where, browser, url) => {
      const page = await browser.navigate(url);
      assert.equal(page.status, 200, `${page.trace}\n${where.httpd.errorLog().slice(-1500)}`);
      return page.hops.flatMap(({ cookies, url: from }) => (new URL(from).origin === new URL(url).origin ? cookies : []));
    };
    const attributes = (line) => line.split(';').slice(1).map((part) => part.trim().toLowerCase()).sort();

    test('on plain loopback: no prefix, no Secure, everything else', async () => {
      const lines = await linesOf(site, site.browser(), site.at('/page.html'));
      assert.deepEqual([...new Set(setNames(lines).set)].sort(), ['Entra-Login', 'Entra-Session']);
      for (const line of lines) assert.deepEqual(attributes(line), ['httponly', 'path=/', 'samesite=lax'], line.slice(0, 30));
    });

    const https = {
      'ServerName says https': { serverName: 'https://app.test' },
      'ServerName says https and the port': { serverName: 'https://app.test:443' },
      'EntraPublicURL says https': { directives: { EntraPublicURL: 'https://app.test' } },
    };
    for (const [name, options] of Object.entries(https)) {
      test(`${name}: __Host-, Secure, HttpOnly, SameSite=Lax, Path=/, no Domain`, async () => {
        const secure = await startSite({ emu: site.emu, backend: site.backend, names: { 'https://app.test': 'httpd' }, redirectHosts: ['app.test'], ...options });
        const browser = secure.browser();
        const lines = await linesOf(secure, browser, 'https://app.test/page.html?x');
        assert.deepEqual([...new Set(setNames(lines).set)].sort(), ['__Host-Entra-Login', '__Host-Entra-Session']);
        for (const line of lines) assert.deepEqual(attributes(line), ['httponly', 'path=/', 'samesite=lax', 'secure'], line.slice(0, 30));
        assert.deepEqual(browser.cookies.refused, [], 'the browser keeps them all');
        assert.equal(browser.page.url, 'https://app.test/page.html?x');
        await secure.stop();
      });
    }

    test('a public port other than 443 stays in every address', async () => {
      const odd = await startSite({ emu: site.emu, backend: site.backend, names: { 'https://app.test:8443': 'httpd' }, redirectHosts: ['app.test'], serverName: 'https://app.test:8443' });
      const page = await odd.browser().navigate('https://app.test:8443/page.html');
      assert.equal(page.status, 200, page.trace);
      assert.ok(page.hops.every(({ url }) => !url.startsWith('https://app.test/')), page.trace);
      await odd.stop();
    });

    test('X-Forwarded-Proto and its kin change nothing', async () => {
      const browser = site.browser({ headers: { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'evil.test', 'X-Forwarded-Port': '443', Forwarded: 'proto=https;host=evil.test', 'X-Forwarded-Ssl': 'on', 'Front-End-Https': 'on' } });
      const lines = await linesOf(site, browser, site.at('/page.html'));
      assert.ok(lines.every((line) => !/secure/i.test(line) && !line.startsWith('__')));
    });

    test('EntraCookieDomain: __Secure- with Domain for the session, __Host- for the login cookie, and one session over two hosts', async () => {
      const two = (server, s) => ['one', 'two'].map((host) => `
        <VirtualHost 127.0.0.1:${server.port}>
          ServerName https://${host}.corp.test
          ${entraLines(server, s.emu, { EntraCookieDomain: 'corp.test' })}
          <Location "/">
            AuthType Entra
            Require valid-user
          </Location>
          ProxyPass "/app/" "http://127.0.0.1:${s.backend.port}/"
        </VirtualHost>`).join('\n');
      const wide = await startSite({ emu: site.emu, backend: site.backend, config: two, names: { 'https://one.corp.test': 'httpd', 'https://two.corp.test': 'httpd' }, redirectHosts: ['one.corp.test', 'two.corp.test'] });
      const browser = wide.browser();
      const lines = await linesOf(wide, browser, 'https://one.corp.test/page.html');
      assert.deepEqual([...new Set(setNames(lines).set)].sort(), ['__Host-Entra-Login', '__Secure-Entra-Session']);
      assert.deepEqual(attributes(lines.find((line) => line.startsWith('__Secure-'))), ['domain=corp.test', 'httponly', 'path=/', 'samesite=lax', 'secure']);
      const other = await browser.navigate('https://two.corp.test/page.html');
      assert.deepEqual(other.hops.map(({ status }) => status), [200], other.trace);
      const out = await browser.navigate('https://two.corp.test/.entra/logout', { method: 'POST', body: '', from: 'https://two.corp.test/page.html', follow: false });
      assert.equal(out.status, 302);
      assert.ok(browser.cookies.all.every(({ name }) => !SESSION_COOKIE.test(name)), 'ended for both hosts');
      await wide.stop();
    });

    const refusedOrigins = {
      'plain http elsewhere than on loopback': [{ serverName: 'http://app.test' }, /ENTRA4011/],
      'a public URL on plain http': [{ directives: { EntraPublicURL: 'http://app.test' } }, /http/],
      'a public URL with a path': [{ directives: { EntraPublicURL: 'https://app.test/x' } }, /path/],
      'a cookie domain of somebody else': [{ serverName: 'https://app.corp.test', directives: { EntraCookieDomain: 'other.test' } }, /ENTRA4016/],
      'a cookie domain that only ends alike': [{ serverName: 'https://app-corp.test', directives: { EntraCookieDomain: 'corp.test' } }, /ENTRA4016/],
    };
    for (const [name, [options, pattern]] of Object.entries(refusedOrigins)) {
      test(`configtest refuses ${name}`, () => {
        const { status, output } = siteConfigtest(options);
        assert.notEqual(status, 0, output);
        assert.match(output, pattern);
      });
    }
  });

  describe('sealed', () => {
    test('two sign-ins share neither nonce nor bytes', async () => {
      const values = [];
      for (let i = 0; i < 20; i += 1) values.push(bytesOf(sessionOf(await site.signedIn()).value));
      assert.equal(new Set(values.map((value) => value.subarray(5, 17).toString('hex'))).size, 20, 'nonces');
      assert.equal(new Set(values.map((value) => value.subarray(17, 49).toString('hex'))).size, 20, 'ciphertext');
      for (const text of ['ada@', 'contoso', '5b9e7d10']) assert.ok(values.every((value) => !value.includes(text)), 'nothing is readable');
    });

    const refused = async (cookies, what) => {
      const log = await site.httpd.logOf(async () => {
        for (const [name, cookie] of cookies) assertSignIn(site, await withCookie(site, cookie), `${what} ${name}`);
      });
      assert.doesNotMatch(log, /:(warn|error|crit|alert|emerg)\]/, 'no noise at warning or above for what anybody can send');
    };

    test('the genuine cookie opens, so that the refusals below prove something', async () => {
      const { name, value } = sessionOf(await site.signedIn());
      assert.equal((await withCookie(site, `${name}=${value}`)).status, 200);
    });

    test('no flipped bit opens', async () => {
      const { name, value } = sessionOf(await site.signedIn());
      const bytes = bytesOf(value);
      const step = Math.max(1, Math.floor((bytes.length * 8) / 200));
      const cookies = [];
      for (let bit = 0; bit < bytes.length * 8; bit += step) {
        const bent = Buffer.from(bytes);
        bent[bit >> 3] ^= 1 << (bit & 7);
        cookies.push([`bit ${bit}`, `${name}=${bent.toString('base64url')}`]);
      }
      for (let bit = 0; bit < 17 * 8; bit += 3) {
        const bent = Buffer.from(bytes);
        bent[bit >> 3] ^= 1 << (bit & 7);
        cookies.push([`bit ${bit}`, `${name}=${bent.toString('base64url')}`]);
      }
      assert.ok(cookies.length >= 200);
      await refused(cookies, 'flipped');
    });

    test('no shortened cookie opens, down to nothing', async () => {
      const { name, value } = sessionOf(await site.signedIn());
      await refused(Array.from({ length: value.length }, (_, length) => [`${length} characters`, `${name}=${value.slice(0, length)}`]), 'cut to');
    });

    test('the tag cut to 15, 8, 4, 1 and 0 bytes, and all tags of one byte', async () => {
      const { name, value } = sessionOf(await site.signedIn());
      const bytes = bytesOf(value);
      const body = bytes.subarray(0, -16);
      const cookies = [15, 12, 8, 4, 1, 0].map((length) => [`${length} bytes of tag`, `${name}=${bytes.subarray(0, body.length + length).toString('base64url')}`]);
      for (let tag = 0; tag < 256; tag += 1) cookies.push([`tag ${tag}`, `${name}=${Buffer.concat([body, Buffer.from([tag])]).toString('base64url')}`]);
      await refused(cookies, 'tag');
    });

    test('lengthened, padded, of other letters, or pieced together', async () => {
      const [one, two] = [sessionOf(await site.signedIn()), sessionOf(await site.signedIn({ user: 'root' }))];
      const [a, b] = [bytesOf(one.value), bytesOf(two.value)];
      const join = (...parts) => Buffer.concat(parts).toString('base64url');
      const variants = {
        'one byte more': join(a, Buffer.from([0])),
        'one letter more': `${one.value}A`,
        'padding': `${one.value}=`,
        'a blank inside': `${one.value.slice(0, 20)} ${one.value.slice(20)}`,
        'a dot inside': `${one.value.slice(0, 20)}.${one.value.slice(20)}`,
        'plain base64 letters': one.value.replaceAll('-', '+').replaceAll('_', '/') === one.value ? `+${one.value.slice(1)}` : one.value.replaceAll('-', '+').replaceAll('_', '/'),
        'percent-encoded': `%${one.value.charCodeAt(0).toString(16)}${one.value.slice(1)}`,
        'in quotes': `"${one.value}"`,
        'in capitals': one.value.toUpperCase(),
        'head of one and body of another': join(a.subarray(0, 17), b.subarray(17)),
        'body of one and tag of another': join(a.subarray(0, -16), b.subarray(-16)),
        'another version': join(Buffer.from([2]), a.subarray(1)),
        'another key': join(a.subarray(0, 1), Buffer.from([0, 0, 0, 0]), a.subarray(5)),
        'all zero': join(Buffer.alloc(a.length)),
        'random': join(randomBytes(a.length)),
        'format directives': '%s%s%s%n%n',
        'long random': randomBytes(5600).toString('base64url'),
      };
      await refused(Object.entries(variants).map(([name, value]) => [name, `${one.name}=${value}`]), 'variant');
    });

    test('a sealed record of another purpose is no session, and a session no login', async () => {
      const browser = site.browser();
      const held = await site.begin(browser);
      const state = new URL(held.url).searchParams.get('state');
      const login = browser.cookies.value('Entra-Login');
      await refused([['state', `Entra-Session=${state}`], ['login cookie', `Entra-Session=${login}`]], 'as a session:');
      await browser.resume(held);
      const session = browser.cookies.value('Entra-Session');
      const second = await site.begin(browser, site.at('/.entra/login?rd=/page.html'));
      const { pathname, search } = new URL(second.url);
      const response = await withCookie(site, `Entra-Login=${session}`, pathname + search);
      assertSignIn(site, response, 'a session cookie in the place of the login cookie binds nothing');
    });

    test('the cookie header in every odd shape: no crash, no entrance', async () => {
      const children = site.httpd.children();
      const odd = ['', ' ', ';', ';;', '; ;', '=', 'a', '=;=', 'Entra-Session', 'Entra-Session=', 'Entra-Session;', '=Entra-Session', 'Entra-Session==', 'Entra-Session=;Entra-Session=', ';'.repeat(8000), '='.repeat(8000), 'a=b;'.repeat(1900), `Entra-Session=${'A'.repeat(8000)}`,
        'mod_auth_openidc_state_AAA; a=b', 'Entra-Session=%s%n; sid=%s', 'Entra-Session=\x80\xff', '\xff=\xff', 'Entra-Session=\t', 'Entra-Session =x', ' Entra-Session=x', 'entra-session=x', 'Entra-Session="', `a="b; Entra-Session=x; c="`];
      await refused(odd.map((cookie) => [JSON.stringify(cookie.slice(0, 30)), cookie]), 'header');
      assert.ok(children.every((pid) => site.httpd.children().includes(pid)), 'no child died');
    });

    test('the genuine cookie among others still opens, and the others reach the application without it', async () => {
      const { name, value } = sessionOf(await site.signedIn());
      const login = 'Entra-Login=abc';
      for (const [sent, passed] of [[`a=1; ${name}=${value}; b=2`, 'a=1; b=2'], [`${name}=${value}`, undefined], [`${name}=${value};x="y z";`, 'x="y z"'], [`a=1;${login};${name}=${value}`, 'a=1'], [`a=1; __Host-Entra-Session=x; __Secure-Entra-Session-1=y; ${name}=${value}; ENTRA-LOGIN=z`, 'a=1'], [`${name}=${value}; theme=dark; SESSID=Entra`, 'theme=dark; SESSID=Entra']]) {
        const response = await withCookie(site, sent, '/app/x');
        assert.equal(response.status, 200, sent.slice(0, 60));
        assert.deepEqual(headerOf(response.json(), 'cookie'), passed === undefined ? [] : [passed]);
      }
      const cgi = await withCookie(site, `a=1; ${name}=${value}; b=2`, '/cgi/env');
      assert.match(cgi.text, /^HTTP_COOKIE=a=1; b=2$/m);
      assert.ok(!cgi.text.includes(value.slice(0, 40)));
    });

    test("the module's cookies reach no application on open paths either", async () => {
      const open = await startSite({ emu: site.emu, backend: site.backend, extra: '<Location "/app/open/">\n    Require all granted\n</Location>' });
      const response = await withCookie(open, 'Entra-Session=stolen; a=1; Entra-Session-1=x; Entra-Login=y', '/app/open/x');
      assert.equal(response.status, 200);
      assert.deepEqual(headerOf(response.json(), 'cookie'), ['a=1']);
      await open.stop();
    });
  });

  describe('chunks', () => {
    let big;
    const claims = Array.from({ length: 6 }, (_, i) => `big${i}`);

    before(async () => {
      if (missing) return;
      big = await startSite({ emu: site.emu, backend: site.backend, directives: { EntraHeader: claims.map((name, i) => `X-Big-${i} "%{${name}}"`) }, allowLog: [/ENTRA1406:/] });
    });
    after(async () => { await big?.stop(); });

    const random = (length) => randomBytes(length).toString('base64').slice(0, length);
    const give = (sizes) => site.emu.control('user', { user: 'ada', set: { claims: Object.fromEntries(sizes.map((size, i) => [claims[i], random(size)])) } });
    const parts = (browser) => browser.cookies.all.filter(({ name }) => SESSION_COOKIE.test(name));

    test('a large session comes in chunks and opens', async () => {
      await give([3500]);
      const browser = await big.signedIn();
      assert.deepEqual(parts(browser).map(({ name }) => name).sort(), ['Entra-Session', 'Entra-Session-1']);
      assert.match(browser.cookies.value('Entra-Session'), /^2\./);
      assert.deepEqual(browser.cookies.refused, []);
      const page = await browser.navigate(big.at('/app/x'));
      assert.equal(headerOf(page.json(), 'x-big-0')[0].length, 3500);
      assert.deepEqual(headerOf(page.json(), 'cookie'), [], 'no chunk reaches the application');
    });

    test('a smaller session after a larger one takes the spare chunk away', async () => {
      await give([3500]);
      const browser = await big.signedIn();
      assert.equal(parts(browser).length, 2);
      await give([10]);
      await browser.navigate(big.at('/.entra/login?rd=/page.html'));
      assert.deepEqual(parts(browser).map(({ name }) => name), ['Entra-Session']);
      assert.equal(await whoAmI(big, browser), USERS.ada);
      await give([3500]);
      await browser.navigate(big.at('/.entra/login?rd=/page.html'));
      assert.equal(await whoAmI(big, browser), USERS.ada);
    });

    test('signing out ends every chunk', async () => {
      await give([3500]);
      const browser = await big.signedIn();
      await browser.navigate(big.at('/.entra/logout'), { method: 'POST', body: '', from: big.at('/'), follow: false });
      assert.deepEqual(parts(browser), []);
    });

    test('a session that no request could carry is refused with its reason, and locks nobody out', async () => {
      await give([4000, 4000, 4000, 4000]);
      const browser = big.browser();
      const page = await browser.navigate(big.at('/page.html'));
      assertPage(big, page.response, 500, 1406);
      const open = await browser.navigate(big.at('/public/'));
      assert.equal(open.status, 200, 'no cookie of more than LimitRequestFieldSize was set');
    });

    test('the largest session that is given out can be used', async () => {
      let largest = 0;
      for (const size of [3900, 4090]) {
        for (const second of [0, 500, 800, 1000, 1200, 1400, 1700, 2000]) {
          await give([size, second]);
          const browser = big.browser();
          const page = await browser.navigate(big.at('/page.html'));
          if (page.status !== 200) { assertPage(big, page.response, 500, 1406); continue; }
          assert.equal((await browser.navigate(big.at('/app/x'))).status, 200);
          browser.cookies.set('other=1; Path=/', new URL(big.origin));
          assert.equal((await browser.navigate(big.at('/app/x'))).status, 200);
          largest = Math.max(largest, browser.cookies.bytes(big.origin));
        }
      }
      assert.ok(largest > 5000 && largest < 8190, `${largest} bytes`);
    });

    test('the limit is that of the virtual host by which httpd reads, the first of the port', async () => {
      const host = (s, name, lines) => `<VirtualHost 127.0.0.1:${s.port}>\n    ServerName http://${name}:${s.port}\n    ${lines}\n</VirtualHost>\n`;
      for (const [first, own, admitted] of [['', 'LimitRequestFieldSize 16000', false], ['LimitRequestFieldSize 16000', '', false], ['LimitRequestFieldSize 16000', 'LimitRequestFieldSize 16000', true]]) {
        const limited = await startSite({
          emu: site.emu, backend: site.backend, directives: { EntraHeader: claims.map((name, i) => `X-Big-${i} "%{${name}}"`) },
          extra: (s) => host(s, '127.0.0.9', first) + host(s, 'localhost', own), allowLog: [/ENTRA1406:/],
        });
        try {
          await give([4000, 3500]);
          const browser = limited.browser();
          const page = await browser.navigate(limited.at('/page.html'));
          if (admitted) assert.equal(page.status, 200, page.trace);
          else assertPage(limited, page.response, 500, 1406);
          assert.equal((await browser.navigate(limited.at('/public/'))).status, 200, 'nobody is locked out');
        } finally {
          await limited.stop();
        }
      }
    });

    test('chunks of two sessions do not mix, and none may be missing, doubled or out of place', async () => {
      await give([3500]);
      const [one, two] = [await big.signedIn(), await big.signedIn()];
      const part = (browser, i) => browser.cookies.value(i === 0 ? 'Entra-Session' : `Entra-Session-${i}`);
      const good = `Entra-Session=${part(one, 0)}; Entra-Session-1=${part(one, 1)}`;
      assert.equal((await withCookie(big, good)).status, 200);
      assert.equal((await withCookie(big, `Entra-Session-1=${part(one, 1)}; Entra-Session=${part(one, 0)}`)).status, 200, 'in any order');
      const bad = [
        `Entra-Session=${part(one, 0)}; Entra-Session-1=${part(two, 1)}`,
        `Entra-Session=${part(one, 0)}`,
        `Entra-Session-1=${part(one, 1)}`,
        `Entra-Session=${part(one, 1)}; Entra-Session-1=${part(one, 0)}`,
        `Entra-Session=${part(one, 0).replace(/^2\./, '3.')}; Entra-Session-1=${part(one, 1)}`,
        `Entra-Session=${part(one, 0).replace(/^2\./, '')}; Entra-Session-1=${part(one, 1)}`,
        `Entra-Session=${part(one, 0).replace(/^2\./, '1.')}; Entra-Session-1=${part(one, 1)}`,
        `Entra-Session=${part(one, 0)}; Entra-Session-2=${part(one, 1)}`,
        `Entra-Session=${part(one, 0)}; Entra-Session-01=${part(one, 1)}`,
        `Entra-Session=${part(one, 0)}${part(one, 1)}`,
      ];
      for (const [i, cookie] of bad.entries()) assertSignIn(big, await withCookie(big, cookie), `case ${i}`);
    });

    test('counters of chunks that ask for the moon cost nothing', async () => {
      const numbers = ['99999999', '-1', '2147483648', '4294967297', '1e9', '0', '1', '5', '9', '10', '60', '100', 'x', '', ' 2', '+2', '2.2', '0x2', '２'];
      const cookies = [
        ...numbers.map((n) => `Entra-Session=${n}.AAAA; Entra-Session-1=BBBB`),
        ...numbers.map((n) => `Entra-Session-chunks=${n}; Entra-Session_chunks=${n}; Entra-Session=AAAA`),
        ...numbers.map((n) => `Entra-Session=2.AAAA; Entra-Session-${n}=BBBB`),
        `Entra-Session=4.A; ${Array.from({ length: 100 }, (_, i) => `Entra-Session-${i + 1}=B`).join('; ')}`,
        `Entra-Session=2.A; ${'Entra-Session-1=B; '.repeat(300)}`,
        Array.from({ length: 500 }, (_, i) => `Entra-Session-${i}=`).join('; ').slice(0, 8000),
      ];
      const started = Date.now();
      await Promise.all(cookies.map(async (cookie) => assertSignIn(big, await withCookie(big, Buffer.from(cookie).toString('latin1')), cookie.slice(0, 60))));
      assert.ok(Date.now() - started < 12_000, `${Date.now() - started} ms for ${cookies.length} requests`);
    });
  });

  test('the cookie of a usual user stays small: no groups unless they are named, even of 250', async () => {
    for (const user of ['ada', 'gus']) {
      const browser = await site.signedIn({ user });
      assert.ok(sessionOf(browser).value.length < 1000, `${user}: ${sessionOf(browser).value.length}`);
    }
    await site.emu.control('user', { user: 'ada', set: { roles: Array.from({ length: 60 }, (_, i) => `application.role.number.${i}`) } });
    const browser = await site.signedIn();
    assert.ok(browser.cookies.bytes(site.origin) < 6000, `60 roles: ${browser.cookies.bytes(site.origin)} bytes`);
  });

  describe('of another application', () => {
    const vhost = (server, s, name, changes, secret = 'client-secret') => `
      <VirtualHost 127.0.0.1:${server.port}>
        ServerName https://${name}
        ${entraLines(server, s.emu, { EntraClientSecret: `"file:${server.path(secret)}"`, ...changes })}
        <Location "/">
          AuthType Entra
          Require valid-user
        </Location>
      </VirtualHost>`;
    const hosts = ['one.test', 'client.test', 'tenant.test', 'host.test', 'many.test'];
    let several;

    before(async () => {
      if (missing) return;
      several = await startSite({
        emu: site.emu,
        backend: site.backend,
        names: Object.fromEntries(hosts.map((host) => [`https://${host}`, 'httpd'])),
        redirectHosts: hosts,
        files: { 'other-secret': { content: OTHER_CLIENT_SECRET, mode: 0o600 } },
        config: (server, s) => [
          vhost(server, s, 'one.test', {}),
          vhost(server, s, 'client.test', { EntraClientID: OTHER_CLIENT }, 'other-secret'),
          vhost(server, s, 'tenant.test', { EntraTenant: FABRIKAM }),
          vhost(server, s, 'host.test', {}),
          vhost(server, s, 'many.test', { EntraTenant: 'organizations', EntraAllowedTenants: CONTOSO }),
        ].join('\n'),
      });
      assert.ok(CLIENT !== OTHER_CLIENT);
    });
    after(async () => { await several?.stop(); });
    beforeEach(async () => { await site.emu.control('hosts', { redirectHosts: hosts }); });

    test('a session, a login cookie and a state of one virtual host are worth nothing at another with the same key file', async () => {
      const browser = several.browser();
      const held = await browser.navigate('https://one.test/page.html', { stopBefore: (url) => url.includes('/.entra/callback') });
      const { search } = new URL(held.url);
      const login = browser.cookies.value('__Host-Entra-Login');
      const page = await browser.resume(held);
      assert.equal(page.status, 200, page.trace);
      const session = browser.cookies.value('__Host-Entra-Session');
      const ask = (host, path, cookie) => several.httpd.request({ path, headers: { Host: host, ...PAGE, Cookie: cookie } });
      assert.equal((await ask('one.test', '/page.html', `__Host-Entra-Session=${session}`)).status, 200);
      const calls = several.calls('token');
      for (const host of hosts.slice(1)) {
        const log = await several.httpd.logOf(async () => {
          assertSignIn(several, await ask(host, '/page.html', `__Host-Entra-Session=${session}`), host);
          assertPage(several, await ask(host, `/.entra/callback${search}`, `__Host-Entra-Login=${login}; __Host-Entra-Session=${session}`), 400, 1301, host);
        });
        assert.doesNotMatch(log, /:(warn|error|crit)\]/, host);
      }
      assert.equal(several.calls('token'), calls);
      assertSignIn(several, await ask('one.test', '/page.html', `Entra-Session=${session}`), 'under the name of plain loopback');
      assertSignIn(several, await ask('one.test', '/page.html', `__Secure-Entra-Session=${session}`), 'under the name of a domain cookie');
    });

    test('a session of another key file is refused without a word at warning', async () => {
      const other = await site.signedIn();
      const { value } = sessionOf(other);
      const log = await several.httpd.logOf(async () => assertSignIn(several, await several.httpd.request({ path: '/page.html', headers: { Host: 'one.test', ...PAGE, Cookie: `__Host-Entra-Session=${value}` } })));
      assert.doesNotMatch(log, /:(warn|error|crit)\]/);
    });
  });

  describe('the session endpoint', () => {
    const ask = (browser, options) => browser.fetch(site.at('/.entra/session'), options);
    const moment = (value) => (typeof value === 'number' ? value * 1000 : Date.parse(value));

    test('tells who is signed in, and until when', async () => {
      const browser = await site.signedIn();
      const response = await ask(browser);
      assert.equal(response.status, 200);
      assert.match(response.header('content-type'), /^application\/json/);
      assert.match(response.header('cache-control'), /no-store/);
      const told = response.json();
      assert.deepEqual(Object.keys(told).sort(), ['ends_at', 'idle_ends_at', 'name', 'oid', 'revalidated_at', 'roles', 'signed_in_at', 'tid', 'user']);
      assert.equal(told.revalidated_at, told.signed_in_at);
      assert.equal(told.user, USERS.ada);
      assert.equal(told.name, 'Ada Example');
      assert.equal(told.oid, '5b9e7d10-3c44-4a1f-9f2e-6d8a0c1b2e3f');
      assert.equal(told.tid, CONTOSO);
      assert.deepEqual(told.roles, ['app.reader']);
      assert.ok(Math.abs(moment(told.ends_at) - moment(told.signed_in_at) - 8 * 3600_000) < 2000, JSON.stringify(told));
      assert.ok(Math.abs(moment(told.signed_in_at) - Date.now()) < 60_000);
      assert.deepEqual(response.cookies, []);
    });

    test('is 401 with a problem document without a session, and no redirect for a page either', async () => {
      assertChallenge(site, await ask(site.browser()));
      const { response } = await site.browser().navigate(site.at('/.entra/session'), { follow: false });
      assert.equal(response.status, 401);
      assertClosed(response);
    });

    test('is JSON whatever the name of the user', async () => {
      const { name } = users.find(({ key }) => key === 'evil');
      await site.emu.control('user', { user: 'evil', set: { name: name.replaceAll('\0', '') } });
      const browser = await site.signedIn({ user: 'evil' });
      const response = await ask(browser);
      assert.match(response.json().name, /^Eve/);
      assert.doesNotMatch(response.text.trimEnd(), /[\0-\x1f\x7f]/, 'control characters are escaped');
      const greek = await ask(await site.signedIn({ user: 'eleni' }));
      assert.equal(greek.json().name, 'Ελένη Παπαδοπούλου');
      const none = await ask(await site.signedIn({ user: 'noroles' }));
      assert.deepEqual(none.json().roles, []);
    });

    test('takes GET and HEAD at most', async () => {
      const browser = await site.signedIn();
      for (const method of ['POST', 'PUT', 'DELETE', 'FOO']) {
        const response = await ask(browser, { method });
        assert.equal(response.status, 405, method);
        assert.match(response.header('allow'), /GET/);
      }
    });
  });

  describe('restarts', () => {
    test('graceful and full restart keep sessions, sign-ins under way and the login cookie', async () => {
      const one = await startSite({ emu: site.emu, backend: site.backend });
      const browser = await one.signedIn();
      const other = one.browser();
      const held = await one.begin(other);
      const key = readFileSync(one.httpd.keyFile, 'utf8');
      await one.httpd.graceful();
      assert.equal((await browser.navigate(one.at('/page.html'), { follow: false })).status, 200);
      await one.httpd.restart();
      assert.equal((await browser.navigate(one.at('/page.html'), { follow: false })).status, 200);
      assert.equal(readFileSync(one.httpd.keyFile, 'utf8'), key, 'the key file is left alone');
      const page = await other.resume(held);
      assert.equal(page.status, 200, page.trace);
      assert.equal(one.calls('authorize'), 2, 'no sign-in had to begin again');
      await one.stop();
    });

    test('graceful restarts that load other modules around ours, so that it comes to lie elsewhere, keep everything', async () => {
      const one = await startSite({ emu: site.emu, backend: site.backend });
      const browser = await one.signedIn();
      const further = ['rewrite', 'headers', 'include', 'deflate', 'lua', 'dav', 'info', 'status', 'expires'].filter(hasModule);
      for (const count of [further.length, 0, 3, 1, 5]) {
        one.httpd.configure({ modules: [...siteModules, ...further.slice(0, count)] });
        await one.httpd.graceful();
        assert.equal((await browser.navigate(one.at('/page.html'), { follow: false })).status, 200);
        const fetched = one.calls('keys');
        assert.equal((await one.browser().navigate(one.at('/page.html'))).status, 200);
        assert.equal(one.calls('keys'), fetched, 'the keys that were at hand are still at hand');
      }
      await one.stop();
    });

    test('a graceful restart under load fails no request', async () => {
      const one = await startSite({ emu: site.emu, backend: site.backend });
      const browser = await one.signedIn();
      const cookie = browser.cookies.header(new URL(one.origin));
      let stop = false;
      const seen = new Map();
      const load = Array.from({ length: 6 }, async () => {
        while (!stop) {
          const { status } = await withCookie(one, cookie).catch((error) => ({ status: error.message }));
          seen.set(status, (seen.get(status) ?? 0) + 1);
        }
      });
      try {
        for (let i = 0; i < 3; i += 1) await one.httpd.graceful();
      } finally {
        stop = true;
        await Promise.all(load);
      }
      assert.deepEqual([...seen.keys()], [200], JSON.stringify([...seen]));
      await one.stop();
    });

    test('sign-ins during graceful restarts all succeed', async () => {
      const one = await startSite({ emu: site.emu, backend: site.backend });
      let stop = false;
      const failures = [];
      let count = 0;
      const load = Array.from({ length: 3 }, async () => {
        while (!stop) {
          const page = await one.browser().navigate(one.at('/page.html')).catch((error) => ({ status: 0, trace: error.message }));
          count += 1;
          if (page.status !== 200) failures.push(page.trace);
        }
      });
      try {
        for (let i = 0; i < 3; i += 1) await one.httpd.graceful();
      } finally {
        stop = true;
        await Promise.all(load);
      }
      assert.deepEqual(failures, []);
      assert.ok(count > 3);
      await one.stop();
    });

    test('a killed child takes no session with it, and sign-in goes on', async () => {
      const one = await startSite({ emu: site.emu, backend: site.backend, allowLog: [CGI_DAEMON] });
      const browser = await one.signedIn();
      const old = one.httpd.children();
      for (const pid of old) process.kill(pid, 'SIGKILL');
      await until('new children', () => one.httpd.children().length > 0 && one.httpd.children().every((pid) => !old.includes(pid)));
      await until('the page', async () => (await browser.navigate(one.at('/page.html'), { follow: false }).catch(() => ({}))).status === 200);
      assert.equal((await one.browser().navigate(one.at('/page.html'))).status, 200);
      await one.httpd.settled();
      await one.stop();
    });
  });

  describe('key file', () => {
    const newKey = () => ({ id: randomBytes(4).toString('hex'), line(key = randomBytes(32).toString('base64url')) { return `key ${this.id} ${key} ${new Date().toISOString().slice(0, 19)}Z`; } });

    test('is made at the first start: root alone can read it, one random key', async () => {
      const [one, two] = [await startSite({ emu: site.emu, backend: site.backend }), await startSite({ emu: site.emu, backend: site.backend })];
      const stat = statSync(one.httpd.keyFile);
      assert.equal(stat.mode & 0o7777, 0o600);
      assert.equal(stat.uid, process.getuid());
      const key = /^key ([0-9a-f]{8}) ([\w-]{43}) \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m;
      const [a, b] = [one, two].map(({ httpd }) => key.exec(readFileSync(httpd.keyFile, 'utf8')));
      assert.ok(a && b, readFileSync(one.httpd.keyFile, 'utf8').replace(/[\w-]{43}/, '(key)'));
      assert.notEqual(a[2], b[2]);
      assert.ok(!one.httpd.errorLog().includes(a[2]), 'the key stands in no log');
      await one.stop();
      await two.stop();
    });

    test('a new first key seals, the old one still opens; without the old one its sessions end', async () => {
      const one = await startSite({ emu: site.emu, backend: site.backend });
      const browser = await one.signedIn();
      const under = one.browser();
      const held = await one.begin(under);
      const old = readFileSync(one.httpd.keyFile, 'utf8');
      const added = newKey();
      writeFileSync(one.httpd.keyFile, `# rotated\n${added.line()}\n${old}`);
      await one.httpd.graceful();
      assert.equal((await browser.navigate(one.at('/page.html'), { follow: false })).status, 200, 'the old session stays');
      assert.equal((await under.resume(held)).status, 200, 'a sign-in under way goes on');
      assert.equal(one.calls('authorize'), 2);
      const fresh = await one.signedIn();
      assert.equal(bytesOf(sessionOf(fresh).value).subarray(1, 5).toString('hex'), added.id, 'new sessions are sealed by the first key');
      writeFileSync(one.httpd.keyFile, `${readFileSync(one.httpd.keyFile, 'utf8').split('\n').slice(0, 2).join('\n')}\n`);
      await one.httpd.graceful();
      assert.equal((await fresh.navigate(one.at('/page.html'), { follow: false })).status, 200);
      assertSignIn(one, (await browser.navigate(one.at('/page.html'), { follow: false })).response, 'the key of this session has gone');
      assert.equal((await browser.navigate(one.at('/page.html'))).status, 200);
      await one.stop();
    });

    test('a session made on one node opens on another with the same file', async () => {
      const one = await startSite({ emu: site.emu, backend: site.backend, serverName: 'https://app.test', names: { 'https://app.test': 'httpd' }, redirectHosts: ['app.test'] });
      const browser = one.browser();
      assert.equal((await browser.navigate('https://app.test/page.html')).status, 200);
      const two = await startSite({ emu: site.emu, backend: site.backend, serverName: 'https://app.test', files: { 'state/cookie.keys': { content: readFileSync(one.httpd.keyFile), mode: 0o600 } } });
      browser.resolve = { 'https://app.test': two.httpd.port };
      assert.equal((await browser.navigate('https://app.test/page.html', { follow: false })).status, 200);
      await one.stop();
      await two.stop();
    });

    const good = newKey().line();
    const zero = newKey().line(Buffer.alloc(32).toString('base64url'));
    const same = newKey().line(Buffer.alloc(32, 0x41).toString('base64url'));
    const twice = newKey();
    const BAD = {
      'readable by the group': [1042, { content: `${good}\n`, mode: 0o640 }],
      'readable by everyone': [1042, { content: `${good}\n`, mode: 0o604 }],
      'writable by everyone': [1042, { content: `${good}\n`, mode: 0o602 }],
      'empty': [1043, { content: '', mode: 0o600 }],
      'only a comment': [1043, { content: '# nothing\n', mode: 0o600 }],
      'cut in the key': [1043, { content: good.slice(0, 40), mode: 0o600 }],
      'cut in the date': [1043, { content: good.slice(0, -5), mode: 0o600 }],
      'a short key': [1043, { content: newKey().line('c2hvcnQ'), mode: 0o600 }],
      'a long key': [1043, { content: newKey().line(randomBytes(33).toString('base64url')), mode: 0o600 }],
      'an id that is no hex': [1043, { content: good.replace(/key \w{8}/, 'key zzzzzzzz'), mode: 0o600 }],
      'rubbish behind': [1043, { content: `${good}\nrubbish\n`, mode: 0o600 }],
      'binary rubbish': [1043, { content: randomBytes(400), mode: 0o600 }],
      'a NUL inside': [1043, { content: `${good}\n\0\n`, mode: 0o600 }],
      'a megabyte': [1043, { content: `${good}\n`.repeat(15_000), mode: 0o600 }],
      'a key of zeros': [1044, { content: `${zero}\n`, mode: 0o600 }],
      'a key of one letter': [1044, { content: `${same}\n`, mode: 0o600 }],
      'a key of zeros behind a good one': [1044, { content: `${good}\n${zero}\n`, mode: 0o600 }],
      'one key twice': [1044, { content: `${good}\n${good}\n`, mode: 0o600 }],
      'one id with two keys': [[1043, 1044], { content: `${twice.line()}\n${twice.line()}\n`, mode: 0o600 }],
    };
    for (const [name, [number, file]] of Object.entries(BAD)) {
      test(`refused at the start: ${name}`, async () => {
        const { started, status, log } = await trySite({ emu: site.emu, backend: site.backend, files: { 'state/cookie.keys': file } });
        assert.equal(started, false, log);
        assert.notEqual(status, 0);
        assert.ok([number].flat().some((one) => says(log, one)), log);
        assert.ok(!log.includes(good.split(' ')[2]), 'no key in the log');
      });
    }

    test('refused at the start: a folder, and a link to somewhere, in its place', async () => {
      const one = await startSite({ emu: site.emu, backend: site.backend });
      await one.httpd.halt();
      const content = readFileSync(one.httpd.keyFile);
      const attempt = async () => {
        await assert.rejects(one.httpd.start(), (error) => says(error.log, 1041) || says(error.log, 1042));
        writeFileSync(one.httpd.path('logs', 'error.log'), '');
      };
      unlinkSync(one.httpd.keyFile);
      mkdirSync(one.httpd.keyFile, { mode: 0o700 });
      await attempt();
      rmSync(one.httpd.keyFile, { recursive: true });
      one.httpd.file('elsewhere.keys', { content, mode: 0o600 });
      symlinkSync(one.httpd.path('elsewhere.keys'), one.httpd.keyFile);
      await attempt();
      unlinkSync(one.httpd.keyFile);
      writeFileSync(one.httpd.keyFile, content, { mode: 0o600 });
      await one.httpd.start();
      await one.stop();
    });

    test('refused at the start: a state folder that is not there', async () => {
      const { started, log } = await trySite({ emu: site.emu, backend: site.backend, stateDirectory: false, extra: (server) => `EntraStateDirectory "${server.path('nowhere')}"` });
      assert.equal(started, false);
      assert.match(log, /ENTRA\d{4}/);
      assert.match(log, /nowhere/);
    });

    test('a key file that goes bad before a graceful restart does not take the sessions of the running server', async () => {
      const one = await startSite({ emu: site.emu, backend: site.backend });
      const browser = await one.signedIn();
      chmodSync(one.httpd.keyFile, 0o644);
      const before = one.httpd.errorLog().length;
      process.kill(one.httpd.pid, 'SIGUSR1');
      await until('the complaint', () => says(one.httpd.errorLog().slice(before), 1042));
      chmodSync(one.httpd.keyFile, 0o600);
      // httpd itself ends when a module fails after the configuration was read: what matters is that it said why.
      await until('httpd to decide', () => !one.httpd.alive || one.httpd.errorLog().slice(before).includes('resuming normal operations'));
      if (!one.httpd.alive) await one.httpd.start();
      assert.equal((await browser.navigate(one.at('/page.html'), { follow: false })).status, 200, 'and the session is good after the mend');
      await one.stop({ judge: false });
    });
  });

  describe('configuration', () => {
    const REFUSED = {
      'a session of more than 8 hours': [{ EntraSessionMaxAge: '8h1s' }, /8h/],
      'a session of 9 hours': [{ EntraSessionMaxAge: '9h' }, /8h/],
      'a session of 29000 seconds': [{ EntraSessionMaxAge: '29000' }, /8h/],
      'a session of a year': [{ EntraSessionMaxAge: '365d' }, /8h/],
      'a session without end': [{ EntraSessionMaxAge: 'off' }, /EntraSessionMaxAge/],
      'a session of no time': [{ EntraSessionMaxAge: '0' }, /EntraSessionMaxAge/],
      'a session of negative time': [{ EntraSessionMaxAge: '-1h' }, /EntraSessionMaxAge/],
      'a session of a word': [{ EntraSessionMaxAge: 'long' }, /EntraSessionMaxAge/],
      'an idle time of nothing': [{ EntraSessionIdleTimeout: '0' }, /EntraSessionIdleTimeout/],
      'a skew of 11 minutes': [{ EntraClockSkew: '11m' }, /10m/],
    };
    for (const [name, [directives, pattern]] of Object.entries(REFUSED)) {
      test(`refused: ${name}`, () => {
        const { status, output } = siteConfigtest({ directives });
        assert.notEqual(status, 0, output);
        assert.match(output, pattern);
      });
    }
    test('accepted: 8 hours, one second, idle off, skew of 10 minutes', () => {
      for (const directives of [{ EntraSessionMaxAge: '8h' }, { EntraSessionMaxAge: '480m' }, { EntraSessionMaxAge: '1s' }, { EntraSessionIdleTimeout: 'off' }, { EntraClockSkew: '10m' }]) {
        const { status, output } = siteConfigtest({ directives });
        assert.equal(status, 0, output);
      }
    });
  });

  test('a session of two seconds ends after two seconds, however active', async () => {
    const short = await startSite({ emu: site.emu, backend: site.backend, directives: { EntraSessionMaxAge: '2s' } });
    const started = Date.now();
    const browser = await short.signedIn();
    await until('the session to end', async () => (await browser.navigate(short.at('/page.html'), { follow: false })).status === 302, { timeout: 6000 });
    assert.ok(Date.now() - started >= 2000, `ended after ${Date.now() - started} ms`);
    await short.stop();
  });

  test('an idle time of two seconds ends a session that rests, and not one that moves', async () => {
    const short = await startSite({ emu: site.emu, backend: site.backend, directives: { EntraSessionIdleTimeout: '2s' } });
    const [lazy, busy] = [await short.signedIn(), await short.signedIn()];
    const cookie = lazy.cookies.header(new URL(short.origin));
    const deadline = Date.now() + 3000;
    await until('three busy seconds', async () => {
      assert.equal((await busy.navigate(short.at('/page.html'), { follow: false })).status, 200);
      return Date.now() > deadline;
    }, { step: 100 });
    assertSignIn(short, await withCookie(short, cookie), 'the one that rested');
    await short.stop();
  });
});

describe('session and time', { skip: missing || noClock }, () => {
  let emu;
  let site;
  const HOUR = 3600;

  // The times of the cookie alone: revalidation has a suite of its own.
  before(async () => { site = await startSite({ clock: true, directives: { EntraSessionRevalidate: 'off' }, location: '', extra: '<Location "/denied/">\n    Require user nobody@contoso.example\n</Location>', allowLog: [/ENTRA1405:/, /AH01631: user ada/] }); emu = site.emu; });
  after(async () => { await site?.stop(); });

  /** Moves httpd and Entra together. */
  const at = async (seconds) => {
    site.httpd.clock.set(seconds);
    await emu.control('clock', { offsetSeconds: seconds });
  };
  let base = 0;
  beforeEach(async () => {
    base += 10 * HOUR;
    await at(base);
    await site.as('ada');
    // Entra's keys are fetched anew in the background, within a second or so.
    const before = site.calls('keys');
    await until('fresh keys', () => site.calls('keys') > before, { timeout: 5000 });
  });

  const status = async (browser, path = '/page.html') => (await browser.navigate(site.at(path), { follow: false })).status;

  test('no session outlives 8 hours, however active', async () => {
    const browser = await site.signedIn();
    for (let minutes = 20; minutes < 480; minutes += 20) {
      await at(base + minutes * 60);
      assert.equal(await status(browser), 200, `after ${minutes} minutes`);
    }
    await at(base + 8 * HOUR - 60);
    assert.equal(await status(browser), 200, 'a minute before');
    await at(base + 8 * HOUR + 1);
    assert.equal(await status(browser), 302, 'one second after');
    assert.equal((await browser.navigate(site.at('/page.html'))).status, 200, 'and a new sign-in works');
  });

  test('an old copy of the cookie does not outlive them either', async () => {
    const browser = await site.signedIn();
    const first = browser.cookies.header(new URL(site.origin));
    await at(base + 40 * 60);
    assert.equal((await withCookie(site, first)).status, 200);
    await at(base + 8 * HOUR + 1);
    assertSignIn(site, await withCookie(site, first));
  });

  test('the idle time is an hour from the last request that was let in', async () => {
    const browser = await site.signedIn();
    await at(base + 50 * 60);
    assert.equal(await status(browser), 200);
    await at(base + 105 * 60);
    assert.equal(await status(browser), 200);
    await at(base + 105 * 60 + HOUR + 301);
    assert.equal(await status(browser), 302);
  });

  test('a fresh cookie is set when the last one is five minutes old, and not before', async () => {
    const browser = await site.signedIn();
    await at(base + 290);
    assert.deepEqual((await browser.navigate(site.at('/page.html'), { follow: false })).response.cookies, []);
    await at(base + 310);
    const due = await browser.navigate(site.at('/page.html'), { follow: false });
    assert.ok(setsSession(due.response), 'due');
    assert.deepEqual((await browser.navigate(site.at('/page.html'), { follow: false })).response.cookies, []);
    await at(base + 620);
    const proxied = await browser.navigate(site.at('/app/x'), { follow: false });
    assert.ok(setsSession(proxied.response), 'behind the proxy too');
    await at(base + 930);
    assert.ok(setsSession((await browser.navigate(site.at('/cgi/env'), { follow: false })).response), 'and for CGI');
  });

  test('a fresh cookie never goes into a response that a cache may keep for others', async () => {
    const browser = await site.signedIn();
    await at(base + 310);
    const { response } = await browser.navigate(site.at('/page.html'), { follow: false });
    assert.ok(setsSession(response));
    assert.match(response.header('cache-control') ?? '', /no-store|private|no-cache/, 'a shared cache must not store the cookie');
  });

  test('somebody who is refused and keeps asking stays idle', async () => {
    const browser = await site.signedIn();
    for (let minutes = 10; minutes <= 60; minutes += 10) {
      await at(base + minutes * 60 - 30);
      const page = await browser.navigate(site.at('/denied/x'), { follow: false });
      assert.equal(page.status, 403, `after ${minutes} minutes`);
      assert.deepEqual(page.response.cookies, [], 'no fresh cookie with a refusal');
    }
    await at(base + HOUR + 301);
    assert.equal(await status(browser), 302);
  });

  test('asking the session endpoint keeps nobody signed in', async () => {
    const browser = await site.signedIn();
    for (let minutes = 10; minutes < 60; minutes += 10) {
      await at(base + minutes * 60);
      const response = await browser.fetch(site.at('/.entra/session'));
      assert.equal(response.status, 200);
      assert.deepEqual(response.cookies, []);
    }
    await at(base + HOUR + 301);
    assert.equal((await browser.fetch(site.at('/.entra/session'))).status, 401);
    assert.equal(await status(browser), 302);
  });

  test('a session from the future, beyond the skew, is refused with a word about the clock', async () => {
    const browser = await site.signedIn();
    await at(base - 4 * 60);
    assert.equal(await status(browser), 200, 'within the skew');
    await at(base - 6 * 60);
    assert.equal(await status(browser), 302);
    assert.match(site.httpd.errorLog(), /ENTRA1405:.*clock/);
  });

  test('a shorter maximum takes effect on sessions that are already there; a longer one revives none', async () => {
    const one = await startSite({ clock: true, directives: { EntraSessionMaxAge: '1h', EntraSessionIdleTimeout: 'off', EntraSessionRevalidate: 'off' } });
    const config = (age) => ({ config: (server) => server.read('httpd.conf.base').replace(/EntraSessionMaxAge \w+/, `EntraSessionMaxAge ${age}`) });
    const text = readFileSync(one.httpd.configFile, 'utf8');
    one.httpd.file('httpd.conf.base', text.slice(text.indexOf('EntraTenant')));
    const browser = await one.signedIn();
    const move = async (seconds) => { one.httpd.clock.set(seconds); await one.emu.control('clock', { offsetSeconds: seconds }); };
    await move(20 * 60);
    one.httpd.configure(config('10m'));
    await one.httpd.graceful();
    const page = await browser.navigate(one.at('/page.html'), { follow: false });
    assert.equal(page.status, 302, '20 minutes old under a maximum of 10');
    const second = await one.signedIn();
    await move(25 * 60);
    assert.equal((await second.navigate(one.at('/page.html'), { follow: false })).status, 200);
    one.httpd.configure(config('8h'));
    await one.httpd.graceful();
    await move(40 * 60);
    assert.equal((await second.navigate(one.at('/page.html'), { follow: false })).status, 302, 'made for 10 minutes, it ends after them');
    await one.stop();
  });

  test('idle and revalidation off: seven hours of rest are no end', async () => {
    const one = await startSite({ clock: true, directives: { EntraSessionIdleTimeout: 'off', EntraSessionRevalidate: 'off' } });
    const browser = await one.signedIn();
    const told = (await browser.fetch(one.at('/.entra/session'))).json();
    assert.equal(told.idle_ends_at, undefined);
    one.httpd.clock.set(7 * HOUR);
    const page = await browser.navigate(one.at('/page.html'), { follow: false });
    assert.equal(page.status, 200);
    assert.deepEqual(page.response.cookies, []);
    one.httpd.clock.set(8 * HOUR + 1);
    assert.equal((await browser.navigate(one.at('/page.html'), { follow: false })).status, 302);
    assert.ok(browser.cookies.all.some(({ name }) => LOGIN_COOKIE.test(name)));
    assert.ok(MPM);
    await one.stop();
  });
});
