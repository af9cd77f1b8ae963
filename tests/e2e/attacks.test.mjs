// SPDX-License-Identifier: Apache-2.0
// Published attacks on gateways of this kind, replayed. docs/attacks.md has the table; each case bears the names of its row.

import assert from 'node:assert/strict';
import { createCipheriv, createHmac, createPublicKey, generateKeyPairSync, randomBytes, randomUUID, sign, verify } from 'node:crypto';
import test, { after, before, beforeEach, describe } from 'node:test';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { startEmulator } from '../emulator/server.mjs';
import { FABRIKAM, groups, OTHER_CLIENT, OTHER_CLIENT_SECRET, users } from '../emulator/tenants.mjs';
import { GRAPH } from '../emulator/scopes.mjs';
import { backendRequests, KINDS, startAreas } from './lib/areas.mjs';
import { assertChallenge, assertClosed, assertPage, assertSignIn, inParallel, SESSION_COOKIE, setNames, setsSession, USERS, whoAmI } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { headerOf, startEcho } from './lib/echo.mjs';
import { hostileTargets } from './lib/hostile.mjs';
import { Connection, exchange } from './lib/http.mjs';
import { httpdInstalled, missing, startHttpd } from './lib/httpd.mjs';
import { assertScimError, makeToken, Scim } from './lib/scim.mjs';
import { CLIENT, CONTOSO, entraLines, SECRET_PAGE, siteConfigtest, siteFiles, startSite, trySite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const PAGE = { Accept: 'text/html' };
const MINUTE = 60;
const person = (key) => users.find((user) => user.key === key);
const group = (key) => groups.find((entry) => entry.key === key).id;
const MANY = group('many001');
const cookieOf = (site, browser) => browser.cookies.header(new URL(site.origin), {});
const sessionCookie = (browser) => browser.cookies.all.find(({ name }) => SESSION_COOKIE.test(name));
const base64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A request as it stands, by nobody or by somebody. */
const ask = (site, path, headers = [], { browser, ...options } = {}) => site.httpd.request({
  path, headers: [...(Array.isArray(headers) ? headers : Object.entries(headers)), ...(browser ? [['Cookie', cookieOf(site, browser)]] : [])], ...options,
});

/** What the application saw of it. */
async function seenBy(site, path, headers, options) {
  const response = await ask(site, path, headers, options);
  assert.equal(response.status, 200, `${path}: ${response.rawHead}\n${response.text.slice(0, 500)}`);
  return response.json();
}

/** A request that opens nothing, whatever answers it. */
function assertShut(site, response, message) {
  assert.ok([301, 302, 400, 401, 403, 404, 405, 413, 501].includes(response.status), `${message}: ${response.status}`);
  assertClosed(response, message);
  assert.equal(site.backend.requests.length, 0, `${message}: the application was asked`);
}

/** All ways to write a name that backends of one kind or another take for the same. */
const spellings = (name) => [name, name.toUpperCase(), name.toLowerCase(), ...['_', '.', '~', '!', '*', '\'', '+', '^', '|', '`', '#', '$', '%', '&'].flatMap((sign) => [name.replaceAll('-', sign), name.replace('-', sign), name.toLowerCase().replaceAll('-', sign)])];

/** A sign-in whose ID token has this shape ends without a session, with this number in the log. */
async function refusesToken(site, name, shape, number) {
  await site.emu.control('idtoken', { ...shape, count: 1 });
  const browser = site.browser();
  let page;
  const log = await site.httpd.logOf(async () => { page = await browser.navigate(site.at('/page.html')); });
  assert.equal(page.status, 502, `${name}: ${page.trace}`);
  assertClosed(page.response, name);
  assert.equal(sessionCookie(browser), undefined, name);
  if (number) assert.match(log, new RegExp(`ENTRA(${[number].flat().join('|')}):`), `${name}:\n${log.slice(-1500)}`);
}

/** What a browser makes of a Location: a page of this site. */
function assertStays(site, location, message) {
  assert.doesNotMatch(location, /[\0-\x20\x7f\\]/, message);
  const url = new URL(location, site.origin);
  assert.equal(url.origin, site.origin, `${message}: ${location}`);
  assert.ok(!url.pathname.startsWith('//'), `${message}: ${location}`);
}

/** Where the browser is sent after the sign-in that begins with this answer. */
async function landing(site, start, message, browser = site.browser()) {
  assertSignIn(site, start, message);
  for (const line of start.cookies) browser.cookies.set(line, new URL(site.origin));
  const held = await browser.navigate(start.location, { stopBefore: (url) => url.includes('/.entra/callback') });
  const landed = await browser.navigate(held.url, { follow: false });
  assert.equal(landed.status, 302, `${message}: ${landed.text.slice(0, 300)}`);
  return landed.response.location;
}

/** Whatever the target, sign-in and sign-out end on this site. */
async function targetsStay(site, targets) {
  for (const target of targets.map((one) => one.replaceAll('HOST', `localhost:${site.httpd.port}`))) {
    for (const encoded of [encodeURIComponent(target), target]) {
      const rd = encoded.replaceAll(/[\0-\x20\x7f#]/g, encodeURIComponent);
      const browser = site.browser();
      const start = await ask(site, `/.entra/login?rd=${Buffer.from(rd).toString('latin1')}`, PAGE);
      if (start.status !== 400) {
        assertStays(site, await landing(site, start, target, browser), target);
      }
      const out = await ask(site, `/.entra/logout?rd=${Buffer.from(rd).toString('latin1')}`, PAGE);
      if (out.status === 302) assert.equal(new URL(out.location).origin, new URL(site.emu.url).origin, target);
      else assert.ok([200, 400].includes(out.status), `${target}: ${out.status}`);
      if (out.status !== 302) continue;
      const back = await browser.navigate(out.location, { stopBefore: (url) => url.startsWith(site.origin) });
      const last = await browser.navigate(back.url, { follow: false });
      if (last.status === 302) assertStays(site, last.response.location, target);
      else assert.equal(last.status, 200, target);
    }
  }
}

const SECTIONS = `
<Location "/app/pass/">
    EntraUnauthenticated pass
    Require all granted
</Location>
<Location "/app/open/">
    AuthType None
    Require all granted
</Location>
<Location "/app/api/">
    EntraBearer ${CLIENT}
</Location>
<Location "/app/admin/">
    Require entra-role app.admin
</Location>
<Location "/app/domain/">
    Require entra-domain contoso.example
</Location>
<Location "/app/signed/">
    EntraSignedIdentity on
</Location>
<Location "/public/lead/">
    ErrorDocument 404 /page.html
</Location>`;

describe('published attacks', { skip: missing }, () => {
  let site;
  let ada;
  let noroles;
  let pids;

  before(async () => {
    site = await startSite({
      modules: ['headers'],
      directives: { EntraPreservePost: '64k', EntraHeader: ['X-Remote-User "%{preferred_username}"', 'X-Dept "%{dept}"'] },
      extra: SECTIONS,
      files: { 'htdocs/app.txt': SECRET_PAGE },
      allowLog: [/ENTRA1\d\d\d:/, /AH0163[01]/, /AH10244|AH00026|AH02429|AH00127|AH00135|AH00566|AH10508|AH03490|AH01629|AH01095/],
    });
    ada = await site.signedIn();
    noroles = await site.signedIn({ user: 'noroles' });
    pids = site.httpd.children();
  });
  after(async () => {
    if (site) assert.ok(pids.every((pid) => site.httpd.children().includes(pid)), 'no attack took a child with it');
    await site?.stop();
  });
  beforeEach(async () => {
    await site.reset();
    site.backend.clear();
  });

  const mint = async (call = {}) => (await site.emu.control('mint', { kind: 'access', client_id: OTHER_CLIENT, resource: CLIENT, scopes: ['Orders.Read'], ...call })).token;
  const bearer = (token, path = '/app/api/x') => ask(site, path, [['Authorization', `Bearer ${token}`]]);
  const raw = (line, headers = [], host = `localhost:${site.httpd.port}`) => exchange(site.httpd.port, Buffer.from(`${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`, 'latin1'), { method: line.split(' ')[0] });

  describe('tokens', () => {
    test('algorithm confusion: none, HMAC keyed with what is public or with the secret, and every algorithm but RS256', async () => {
      for (const alg of ['none', 'None', 'HS256-secret', 'HS256-pubkey', 'HS256-pubkey-der', 'HS256-n', 'HS256-x5c', 'HS256-empty', 'HS512-pubkey', 'PS256', 'RS512', 'ES256', 'EdDSA', 'RS256X']) {
        await refusesToken(site, alg, { alg }, [1201, 1204]);
      }
    });

    test('key injection: jwk, jku, x5u and x5c in the header are never used or called', async () => {
      for (const inject of ['jwk', 'jku', 'x5u', 'x5c']) await refusesToken(site, inject, { inject }, 1207);
      assert.equal(site.calls('attacker'), 0);
    });

    test('wrong addressee, go-authcrunch 429779c: the right key is not enough, and each fault has its own number', async () => {
      const issuer = (tenant) => `${site.emu.url}/${tenant}/v2.0`;
      await refusesToken(site, 'another application', { set: { aud: OTHER_CLIENT } }, 1258);
      await refusesToken(site, 'two applications', { set: { aud: [CLIENT, OTHER_CLIENT] } }, 1258);
      await refusesToken(site, 'issued to another', { set: { azp: OTHER_CLIENT } }, 1259);
      await refusesToken(site, 'another issuer', { set: { iss: issuer(FABRIKAM) } }, 1255);
      await refusesToken(site, 'the template', { set: { iss: issuer('{tenantid}') } }, 1255);
      await refusesToken(site, 'another tenant', { set: { tid: FABRIKAM } }, 1255);
      await refusesToken(site, 'both', { set: { tid: FABRIKAM, iss: issuer(FABRIKAM) } }, [1210, 1255, 1256]);
    });

    test('nonce replay: the ID token of one sign-in is worth nothing in another', async () => {
      const other = await site.begin(site.browser());
      const nonce = new URL(other.hops.at(-1).url).searchParams.get('nonce');
      await refusesToken(site, 'of another sign-in', { set: { nonce } }, [1268, 1269, 1270]);
      await refusesToken(site, 'missing', { unset: ['nonce'] }, [1268, 1269, 1270]);
    });

    test('exp 1e300 and other times that are none', async () => {
      for (const exp of ['1e300', '-1', '"4102444800"', '4102444800.5', '9223372036854775808', '9223372036854775807', '-9223372036854775808', 'null', 'true', '[]']) await refusesToken(site, exp, { setRaw: { exp } }, [1212, 1250, 1264]);
      for (const iat of ['9223372036854775807', '1e300', '"0"']) await refusesToken(site, iat, { setRaw: { iat } }, [1212, 1250, 1267]);
      // Past 2038 is a time like another.
      await site.emu.control('idtoken', { set: { exp: 4102444800 }, count: 1 });
      assert.equal((await site.browser().navigate(site.at('/page.html'))).status, 200);
    });

    test('malformed JWT: what is no token is refused before it is logged or read', async () => {
      for (const text of ['a', '.', '..', '...', 'a.b', 'a.b.c', '!!.@@.##', 'e30.e30.', '\u0000.\u0000.\u0000', '%s.%n.%s', '='.repeat(99)]) await refusesToken(site, text, { raw: text });
      await refusesToken(site, '1 MB', { pad: 1_000_000 });
    });

    test('kid flood: a thousand unknown keys cause one fetch at most', async () => {
      const fetched = site.calls('keys');
      await site.emu.control('idtoken', { kid: '$random' });
      await inParallel(Array.from({ length: 40 }), 4, async () => {
        const page = await site.browser().navigate(site.at('/page.html'));
        assert.ok([502, 503].includes(page.status), page.trace);
      });
      // A bearer token costs an attacker nothing at all.
      const tokens = await Promise.all(Array.from({ length: 50 }, () => mint({ shape: { kid: '$random' } })));
      await inParallel(Array.from({ length: 1000 }, (_, i) => tokens[i % 50]), 4, async (token) => { assert.equal((await bearer(token)).status, 401); });
      assert.ok(site.calls('keys') - fetched <= 1, `${site.calls('keys') - fetched} fetches`);
    });

    test('oversized JSON: lists, null, 10,000 levels, 50 MB and double members from Entra end a sign-in and nothing else', async () => {
      const replies = [...['array', 'null', 'string', 'empty', 'truncated', 'notjson', 'deep', 'deepArray', 'huge', 'nul'].map((kind) => ({ generate: { kind } })), { raw: '{"token_type":"Bearer","id_token":"a","id_token":"b","access_token":"c"}' }];
      for (const reply of replies) {
        await site.emu.control('token', { ...reply, count: 1 });
        const page = await site.browser().navigate(site.at('/page.html'));
        assert.ok([502, 503].includes(page.status), `${JSON.stringify(reply)}: ${page.trace}`);
        assertClosed(page.response, JSON.stringify(reply));
      }
      assert.equal((await site.browser().navigate(site.at('/page.html'))).status, 200, 'and the next one works');
    });

    test('cjose header rules: crit, b64, no alg, kid null, and a member twice', async () => {
      const shapes = [[{ header: { crit: ['exp'] } }, 1205], [{ header: { crit: ['b64'], b64: false } }, 1205], [{ header: { b64: false } }, 1205], [{ headerUnset: ['alg'] }, 1204], [{ header: { alg: null } }, [1202, 1204]], [{ kid: null }, [1202, 1206]], [{ rawHeader: '{"alg":"none","typ":"JWT","kid":"{{kid}}","alg":"RS256"}' }, 1202], [{ rawHeader: '{"alg":"RS256","alg":"none","typ":"JWT","kid":"{{kid}}"}' }, 1202]];
      for (const [shape, number] of shapes) await refusesToken(site, JSON.stringify(shape), shape, number);
    });

    test('CVE-2026-53939: a token or cookie encrypted with a key of zeros is none', async () => {
      const jwe = (alg) => {
        const head = base64({ alg, enc: 'A128CBC-HS256', cty: 'JWT' });
        const cek = Buffer.alloc(32);
        const iv = randomBytes(16);
        const cipher = createCipheriv('aes-128-cbc', cek.subarray(16), iv);
        const text = Buffer.concat([cipher.update(JSON.stringify({ sub: 'x', oid: person('root').oid, tid: CONTOSO, aud: CLIENT })), cipher.final()]);
        const length = Buffer.alloc(8);
        length.writeBigUInt64BE(BigInt(head.length * 8));
        const tag = createHmac('sha256', cek.subarray(0, 16)).update(Buffer.concat([Buffer.from(head), iv, text, length])).digest().subarray(0, 16);
        return [head, randomBytes(256).toString('base64url'), iv.toString('base64url'), text.toString('base64url'), tag.toString('base64url')].join('.');
      };
      for (const alg of ['RSA-OAEP', 'RSA1_5', 'A128KW', 'dir', 'ECDH-ES']) {
        await refusesToken(site, alg, { raw: jwe(alg) }, 1201);
        assertSignIn(site, await ask(site, '/page.html', { ...PAGE, Cookie: `Entra-Session=${jwe(alg)}` }), alg);
        assert.equal((await bearer(jwe(alg))).status, 401);
      }
    });

    test('GHSA-wcvh-g65p-v576: a token of the same keys for another API, or of another issuer, is none', async () => {
      assert.equal((await bearer(await mint())).status, 200, 'a good one is taken, so that this proves something');
      for (const call of [{ resource: OTHER_CLIENT }, { shape: { set: { iss: `${site.emu.url}/${FABRIKAM}/v2.0` } } }, { shape: { set: { aud: 'https://evil.test' } } }, { user: 'fab' }, { shape: { unset: ['aud'] } }]) {
        const response = await bearer(await mint(call));
        assert.equal(response.status, 401, JSON.stringify(call));
        assertClosed(response);
      }
    });

    test('bearer confusion: tokens for Graph, without scope or role, ID tokens, and applications without a rule', async () => {
      const { token: id } = await site.emu.control('mint', { kind: 'id', user: 'ada', client_id: CLIENT, nonce: 'n' });
      for (const [token, status] of [[await mint({ resource: GRAPH }), 401], [await mint({ user: 'noroles', shape: { unset: ['scp'] } }), 401], [id, 401], [await mint({ user: null, scopes: undefined, roles: ['x'] }), 403]]) {
        const response = await bearer(token);
        assert.equal(response.status, status, response.text);
        assertClosed(response);
      }
    });
  });

  describe('sign-in', () => {
    test('code replay: a code is good once, and in the browser and sign-in that asked for it', async () => {
      const browser = site.browser();
      const held = await site.begin(browser);
      await browser.resume(held);
      browser.cookies.drop(SESSION_COOKIE);
      const again = await browser.navigate(held.url, { follow: false });
      assert.ok(!setsSession(again.response), 'the code was used');
      assertClosed(again.response);
      // The code of one person in the sign-in of another: PKCE binds it to the verifier in the sealed state.
      const victim = await site.begin(site.browser());
      const thief = site.browser();
      const own = new URL((await site.begin(thief)).url);
      own.searchParams.set('code', new URL(victim.url).searchParams.get('code'));
      const stolen = await thief.navigate(own.href, { follow: false });
      assert.ok(!setsSession(stolen.response));
      assert.equal(await whoAmI(site, thief), undefined);
    });

    test('cookie replay: a cookie that was copied before the sign-out opens nothing after it', async () => {
      const browser = await site.signedIn();
      const copied = cookieOf(site, browser);
      assert.equal((await ask(site, '/page.html', { Cookie: copied })).status, 200);
      await browser.navigate(site.at('/.entra/logout'), { method: 'POST', body: '', from: site.at('/page.html'), follow: false });
      for (let i = 0; i < 20; i += 1) assertSignIn(site, await ask(site, '/page.html', { ...PAGE, Cookie: copied }));
    });

    test('580b70ac: session fixation, a planted session is not the one that the victim gets', async () => {
      const attacker = await site.signedIn({ user: 'root' });
      const planted = sessionCookie(attacker).value;
      const victim = site.browser();
      victim.cookies.plant('Entra-Session', planted, site.origin);
      victim.cookies.plant('Entra-Login', 'A'.repeat(40), site.origin);
      await victim.navigate(site.at('/.entra/login?rd=/page.html'));
      assert.notEqual(sessionCookie(victim).value, planted);
      assert.equal(await whoAmI(site, victim), USERS.ada);
      attacker.cookies.plant('Entra-Session', planted, site.origin);
      assert.equal(await whoAmI(site, attacker), USERS.root, 'what was planted is still the session of the attacker alone');
    });

    test('duplicate response parameters (parameter pollution) are refused, and no code is sent', async () => {
      for (const doubled of ['code', 'state', 'error', 'iss', 'session_state', 'id_token', 'x']) {
        const browser = site.browser();
        const held = await site.begin(browser);
        const page = await browser.navigate(`${held.url}&${doubled}=a&${doubled}=b`, { follow: false });
        assertPage(site, page.response, 400, 1011, doubled);
      }
      assertShut(site, await ask(site, '/.entra/callback?state=a&state=b&code=x&code=y', PAGE), 'both twice');
      assert.equal(site.calls('token'), 0);
    });

    test('error-page scripting: nothing of what Entra or the address says stands in a page', async () => {
      const script = '"><script>alert(1)</script><img src=x onerror=alert(1)>';
      await site.emu.control('authorize', { error: script, error_description: `AADSTS50105: ${script}`, count: 1 });
      const told = await site.browser().navigate(site.at('/page.html'));
      await site.emu.control('fault', { endpoint: 'token', status: 400, body: { error: script, error_description: script, suberror: script, correlation_id: script }, count: 1 });
      const redeemed = await site.browser().navigate(site.at('/page.html'));
      const encoded = encodeURIComponent(script);
      const direct = await Promise.all([`callback?error=${encoded}&error_description=${encoded}&state=${encoded}`, `callback?code=x&state=${encoded}`, `login?rd=${encoded}&rd=${encoded}`, `${encoded}`, `logout?rd=${encoded}`, `frontchannel-logout?sid=${encoded}`].map((path) => ask(site, `/.entra/${path}`, PAGE)));
      for (const response of [told.response, redeemed.response, ...direct]) {
        assert.doesNotMatch(response.text, /<script|onerror|alert\(1\)/);
        assert.match(response.header('content-security-policy') ?? "default-src 'none'", /default-src 'none'/);
      }
    });

    test('GHSA-f24x-5g9q-753f: what says signed out has cleared the cookie on the wire, and what does not has not', async () => {
      const browser = await site.signedIn({ user: 'root' });
      const old = cookieOf(site, browser);
      const question = await browser.navigate(site.at('/.entra/logout'), { from: 'https://evil.test/', follow: false });
      assert.equal(question.status, 200);
      assert.match(question.text, /Sign out\?/);
      assert.equal(await whoAmI(site, browser), USERS.root);
      const { response } = await browser.navigate(site.at('/.entra/logout'), { method: 'POST', body: '', from: site.at('/page.html'), follow: false });
      assert.ok(setNames(response.cookies).ended.includes('Entra-Session'), response.rawHead);
      assertSignIn(site, await ask(site, '/page.html', { ...PAGE, Cookie: old }), 'the old cookie, by the back button or not');
      await browser.navigate(site.at('/page.html'));
      assert.equal(await whoAmI(site, browser), USERS.ada, 'and the next person is the next person');
    });

    test('deflate bomb: a cookie or state that would inflate is only a wrong text', async () => {
      const bombs = [gzipSync(Buffer.alloc(4_000_000)), deflateRawSync(Buffer.alloc(4_000_000))].map((bytes) => bytes.toString('base64url').slice(0, 5400));
      for (const bomb of bombs) {
        const began = process.hrtime.bigint();
        assertSignIn(site, await ask(site, '/page.html', { ...PAGE, Cookie: `Entra-Session=${bomb.slice(0, 3700)}; Entra-Session-1=${bomb.slice(3700)}` }));
        assert.equal((await ask(site, `/.entra/callback?code=x&state=${bomb}`, PAGE)).status, 400);
        assert.ok(process.hrtime.bigint() - began < 5_000_000_000n);
      }
    });

    test('bee6c167: there is no back-channel logout that a token without iat or jti could be sent to', async () => {
      for (const path of ['/.entra/backchannel-logout', '/.entra/logout?logout=backchannel', '/.entra/callback?logout=backchannel', '/.entra/frontchannel-logout']) {
        for (const token of [`${base64({ alg: 'none' })}.${base64({ sid: 'x', events: {} })}.`, 'a.b.c', '']) {
          const response = await ask(site, path, { Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' }, { method: 'POST', body: `logout_token=${token}`, browser: ada });
          assert.ok([400, 403, 404, 405].includes(response.status) || /Sign out\?/.test(response.text), `${path}: ${response.status}`);
        }
      }
      assert.equal(await whoAmI(site, ada), USERS.ada);
    });

    test('18ced21a: there is no address under EntraPath that shows or resets counters', async () => {
      for (const path of ['metrics', 'status', 'metrics/', 'info', 'introspect']) {
        for (const method of ['GET', 'POST']) assert.equal((await ask(site, `/.entra/${path}?reset=${'A'.repeat(200)}`, PAGE, { method, browser: ada })).status, 404, path);
      }
    });
  });

  describe('forms', () => {
    // Whoever was signed in and whose session has ended: only then a form is kept.
    const ended = async () => {
      const browser = await site.signedIn();
      const lines = cookieOf(site, browser);
      await ask(site, '/.entra/logout', { Cookie: lines, Origin: site.origin, 'Sec-Fetch-Site': 'same-origin' }, { method: 'POST', body: '' });
      return browser;
    };
    const post = (browser, path, more) => exchange(site.httpd.port, `POST ${path} HTTP/1.1\r\nHost: localhost:${site.httpd.port}\r\nConnection: close\r\nAccept: text/html\r\nOrigin: ${site.origin}\r\nReferer: ${site.at('/app/form')}\r\nCookie: ${cookieOf(site, browser)}\r\n${more}`, { method: 'POST' });
    const URLENCODED = 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b';

    for (const [row, heads] of Object.entries({
      'CVE-2021-20718': ['Content-Length: 3\r\n\r\na=b', 'Content-Type:\r\nContent-Length: 3\r\n\r\na=b', 'Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n'],
      'CVE-2025-3891': ['Content-Length: 0\r\n\r\n', 'Content-Length: 0\r\nContent-Type:\r\n\r\n', 'Content-Length: 0\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', '\r\n'],
    })) {
      test(`${row}: POST with an odd head while forms are kept is a sign-in, and no child dies`, async () => {
        const browser = await ended();
        for (const head of heads) {
          assertSignIn(site, await post(browser, '/app/save', head), head);
          assertSignIn(site, await post(site.browser(), '/app/save', head), head);
        }
      });
    }

    test('CVE-2021-32792: markup in the address of a kept form is no markup on the page that gives it back', async () => {
      for (const query of ["x='onfocus='alert(1)", 'x=%27></form><script>alert(1)</script>', "x='></form><script>alert(1)</script>", 'x="autofocus/onfocus="alert(1)']) {
        const browser = await ended();
        const first = await post(browser, `/app/save?${query}`, URLENCODED);
        assertSignIn(site, first, query);
        for (const line of first.cookies) browser.cookies.set(line, new URL(site.origin));
        const page = await browser.navigate(first.location);
        assert.equal(page.status, 200, page.trace);
        assert.match(page.url, /\/\.entra\/resend/, page.trace);
        assert.equal(page.forms.length, 1);
        // Values stand in double quotes; without them no quote, no handler and no other tag is left.
        const bare = page.text.replaceAll(/="[^"<>]*"/g, '');
        for (const [tag] of bare.matchAll(/<[^>]*>/g)) assert.match(tag, /^<[/!]?(\w+)( \w+)*>$/, page.text);
        assert.doesNotMatch(bare, /<(script|img|svg)|<\w+[^>]* on\w+/i, page.text);
        assert.equal(new URL(page.forms[0].action).origin, site.origin);
        assert.match(page.header('content-security-policy'), /default-src 'none'/);
        assert.doesNotMatch(page.header('content-security-policy'), /unsafe|script/);
      }
    });
  });

  describe('return targets', () => {
    const ROWS = {
      'CVE-2019-3877': ['https:%5c%5cevil.test/', 'https:\\\\evil.test/', '/%5cevil.test', '/\\evil.test'],
      'CVE-2019-13038': ['http:www.evil.test', 'https:evil.test', 'HTTP:evil.test', 'http:/evil.test'],
      'CVE-2021-3639': ['///evil.test/x', '////evil.test', '//evil.test/%2f..'],
      'GHSA-qqxw, GHSA-j7px, GHSA-5m6c': ['/\\evil.test', '/\t/evil.test', '/%09/evil.test', '//evil.test', '/.evil.test', 'https://HOST@evil.test', '/%0a/evil.test', '/\\/evil.test'],
      'GHSA-4mf2': ['https://evilHOST', 'https://HOST.evil.test', 'http://HOST.evil.test/', 'https://evil.test.HOST'],
    };
    for (const [row, targets] of Object.entries(ROWS)) {
      test(`${row}: a target after sign-in or sign-out never leaves the site`, () => targetsStay(site, targets));
    }

    test('open redirect: every string of the list, encoded and raw, before and after Entra', () => targetsStay(site, hostileTargets(`localhost:${site.httpd.port}`).filter((one) => one.length < 200)));

    test('open redirect: strings of 8 KB, before and after Entra, and as the page itself', async () => {
      const host = `localhost:${site.httpd.port}`;
      const long = (size, text, rest = '') => `${text}${'x'.repeat(size - text.length - rest.length)}${rest}`;
      // The last two are paths of this site: nothing but the length is against them.
      const targets = [['//', '.evil.test'], ['https://', '.evil.test/'], [`https://${host}@`, '.evil.test'], ['https:', '.evil.test'], ['/%5C', '.evil.test'], ['/', '//evil.test'], ['evil.test/'], ['/?', '&u=//evil.test'], ['/']];
      // Longer than a request line of httpd may be, and just as long as fits.
      for (const size of [8192, 8100]) {
        const given = [...targets.map((parts) => long(size, ...parts)), '+'.repeat(size)];
        const paths = [...given.flatMap((one) => [[`/.entra/login?rd=${one}`, '/'], [`/.entra/logout?rd=${one}`]]),
          // A page whose query is too long to be kept is opened without it.
          [long(size, '/app/'), '/'], [long(size, '/app/x?', '&u=//evil.test'), '/app/x']];
        for (const [path, end] of paths) {
          const what = `${size} bytes of ${path.slice(0, 40)}`;
          const start = await ask(site, path, PAGE);
          if (size === 8192) assert.equal(start.status, 414, what);
          else if (end) assert.equal(await landing(site, start, what), site.origin + end, what);
          else assert.deepEqual([start.status, start.location], [200, undefined], what);
        }
      }
    });

    test('GHSA-5m6w: headers of proxies change neither redirect URI nor cookie flags', async () => {
      const plain = assertSignIn(site, await ask(site, '/page.html', PAGE));
      for (const name of ['X-Forwarded-Proto', 'X_Forwarded_Proto', 'X-Forwarded-Host', 'X_Forwarded_Host', 'X-Forwarded-Port', 'X-Forwarded-Prefix', 'Forwarded', 'X-Host', 'X-Original-Host', 'X-HTTP-Host-Override', 'Front-End-Https']) {
        for (const value of ['https', 'evil.test', 'host=evil.test;proto=https', '8443', 'on']) {
          const response = await ask(site, '/page.html', [['Accept', 'text/html'], [name, value]]);
          assert.equal(assertSignIn(site, response, name).get('redirect_uri'), plain.get('redirect_uri'));
          for (const line of response.cookies) assert.doesNotMatch(line, /; *secure|^__|domain=/i, name);
        }
      }
    });
  });

  describe('headers of identity', () => {
    const CLAIMS = ['X-Entra-User', 'X-Entra-Roles', 'X-Entra-Groups', 'X-Entra-Email', 'X-Remote-User', 'X-Dept'];
    const quiet = async (headers, message, paths = ['/app/x', '/app/pass/x', '/app/open/x']) => {
      for (const path of paths) {
        for (const browser of path === '/app/x' ? [noroles] : [noroles, undefined]) {
          const response = await ask(site, path, headers, { browser });
          if (response.status === 400) continue;
          assert.equal(response.status, 200, `${message} ${path}`);
          assert.doesNotMatch(JSON.stringify(response.json().headers), /spoof/, `${message} ${path}`);
        }
      }
    };

    for (const [row, sign] of Object.entries({ 'CVE-2025-64484': '_', 'CVE-2026-54763': '_', 'CVE-2026-88011': '.~!*+^|#$%&' })) {
      test(`${row}: a name with ${sign === '_' ? 'an underscore' : 'a dot or another sign'} in the place of a dash is the same name`, async () => {
        for (const name of CLAIMS) {
          for (const one of sign) for (const spelt of [name.replaceAll('-', one), name.replace('-', one), name.toLowerCase().replaceAll('-', one), name.toUpperCase().replaceAll('-', one)]) await quiet([[spelt, 'spoof']], spelt);
        }
      });
    }

    test('configured names: those of EntraHeader are ours in every spelling, with and without a session', async () => {
      await quiet(['X-Dept', 'X-Remote-User'].flatMap(spellings).map((name) => [name, 'spoof']), 'all at once');
      for (const name of spellings('X-Dept')) await quiet([[name, 'spoof']], name, ['/app/pass/x']);
    });

    test('CVE-2026-30851: a header is removed though the user has no such claim to put in its place', async () => {
      for (const name of ['X-Entra-Groups', 'X-Entra-Roles', 'X-Entra-Email', 'X-Dept']) {
        const seen = await seenBy(site, '/app/x', [[name, 'admins']], { browser: noroles });
        assert.deepEqual(headerOf(seen, name), [], name);
      }
    });

    for (const row of ['CVE-2024-45410', 'CVE-2025-48865']) {
      test(`${row}: Connection does not take identity headers off behind our back`, async () => {
        for (const value of ['close, X-Entra-User', 'X-Entra-User', 'X-Remote-User, X-Entra-User, X-Forwarded-For', 'close; X-Entra-User', 'keep-alive, x_entra_user', 'close X-Entra-User']) {
          const seen = await seenBy(site, '/app/x', [['Connection', value]], { browser: ada });
          assert.deepEqual(headerOf(seen, 'X-Entra-User'), [USERS.ada], value);
          assert.deepEqual(headerOf(seen, 'X-Remote-User'), [USERS.ada], value);
        }
      });
    }

    test('c450a33a: OPTIONS and the addresses of the module itself are scrubbed like all others', async () => {
      const forged = [['Origin', 'https://evil.test'], ['Access-Control-Request-Method', 'GET'], ['X-Entra-User', 'spoof'], ['x_entra_roles', 'spoof']];
      for (const path of ['/app/pass/x', '/app/open/x']) {
        const seen = await seenBy(site, path, forged, { method: 'OPTIONS' });
        assert.doesNotMatch(JSON.stringify(seen.headers), /spoof/);
      }
      site.backend.clear();
      assertChallenge(site, await ask(site, '/app/x', forged, { method: 'OPTIONS' }));
      for (const path of ['callback', 'login', 'logout', 'session', 'keys', 'frontchannel-logout']) assert.ok([400, 401, 405].includes((await ask(site, `/.entra/${path}`, forged, { method: 'OPTIONS' })).status), path);
      assert.equal(site.backend.requests.length, 0);
    });

    test('05509a5d: CRLF and request splitting, a name of a person with line ends is one value on one line', async () => {
      const split = 'Eve\r\nX-Entra-Roles: app.admin\r\n\r\nGET /app/admin/x HTTP/1.1\r\nHost: x\r\n\r\n';
      for (const name of [split, 'a\rX-Entra-Roles: app.admin', 'a\nX-Entra-Roles: app.admin', 'a\u0000b', 'a\u0085X-Entra-Roles: app.admin', '\u2028X-Entra-Roles: app.admin', '嘊嘍X-Entra-Roles: app.admin']) {
        await site.emu.control('user', { user: 'ada', set: { name, email: `x@contoso.example${name}` } });
        const browser = site.browser();
        const page = await browser.navigate(site.at('/app/x'));
        if (page.status !== 200) { assertClosed(page.response, name); continue; }
        site.backend.clear();
        const seen = await seenBy(site, '/app/x', [], { browser });
        assert.equal(site.backend.requests.length, 1, 'one request is one request');
        assert.deepEqual(headerOf(seen, 'X-Entra-Roles'), ['app.reader'], JSON.stringify(name));
        assert.equal(headerOf(seen, 'X-Entra-Name').length, 1);
        assert.doesNotMatch(headerOf(seen, 'X-Entra-Name')[0], /[\0-\x1f\x7f]/);
      }
    });

    test('Authorization: Basic of a client is nobody\'s name beside the name of the session', async () => {
      const basic = [['Authorization', `Basic ${Buffer.from('root@contoso.example:x').toString('base64')}`]];
      assertShut(site, await ask(site, '/app/x', basic), 'without a session');
      const seen = await seenBy(site, '/app/x', basic, { browser: ada });
      assert.deepEqual(headerOf(seen, 'X-Entra-User'), [USERS.ada]);
      const env = await ask(site, '/cgi/env', basic, { browser: ada });
      assert.match(env.text, /^REMOTE_USER=ada@contoso\.example$/m);
      assert.match(env.text, /^AUTH_TYPE=Entra$/m);
      assert.doesNotMatch(env.text, /root@|HTTP_AUTHORIZATION/);
    });

    test('ALBeast: a self-made assertion does not come through, and does not verify with the keys of this site', async () => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const claims = { iss: site.origin, aud: site.origin, sub: 'x', user: 'root@contoso.example', exp: Math.floor(Date.now() / 1000) + 60 };
      const input = `${base64({ alg: 'ES256', typ: 'JWT', kid: 'mine' })}.${base64(claims)}`;
      const forged = `${input}.${sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
      const { keys } = (await ask(site, '/.entra/keys')).json();
      const verifies = (token) => {
        const [head, body, signature] = token.split('.');
        const { kid } = JSON.parse(Buffer.from(head, 'base64url'));
        const key = keys.find((one) => one.kid === kid);
        return Boolean(key) && verify('sha256', Buffer.from(`${head}.${body}`), { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
      };
      const seen = await seenBy(site, '/app/signed/x', [['X-Entra-Assertion', forged], ['x_entra_assertion', forged]], { browser: ada });
      const got = headerOf(seen, 'X-Entra-Assertion');
      assert.equal(got.length, 1);
      assert.ok(verifies(got[0]) && !verifies(forged));
      const underRealKid = `${base64({ alg: 'ES256', typ: 'JWT', kid: keys[0].kid })}.${forged.split('.').slice(1).join('.')}`;
      assert.ok(!verifies(underRealKid));
      assert.equal(JSON.parse(Buffer.from(got[0].split('.')[1], 'base64url')).aud, site.origin);
      assert.doesNotMatch(JSON.stringify((await seenBy(site, '/app/pass/x', [['X-Entra-Assertion', forged]])).headers), /ssertion/);
    });
  });

  describe('requests', () => {
    const shut = async (line, headers, host) => assertShut(site, await raw(line, headers, host), `${line} ${JSON.stringify(headers ?? '')} ${host ?? ''}`);

    test('streaming and odd Accept: no header chooses who answers', async () => {
      for (const headers of [[['Accept', 'text/event-stream']], [['Upgrade', 'websocket'], ['Connection', 'Upgrade']], [['Expect', '100-continue']], [['Range', 'bytes=0-9']], [['X-HTTP-Method-Override', 'OPTIONS']], [['Service-Worker', 'script']], [['If-None-Match', '*']], [['Max-Forwards', '0']], [['Accept', `${'a/b,'.repeat(1500)}*/*`]]]) {
        for (const path of ['/app/x', '/page.html', '/cgi/env']) await shut(`GET ${path}`, headers);
      }
    });

    test('CVE-2019-3878: PAOS headers do not switch the question off on a path behind mod_proxy', async () => {
      for (const headers of [[['Accept', 'application/vnd.paos+xml'], ['PAOS', 'ver="urn:liberty:paos:2003-08"']], [['Accept', 'text/html, application/vnd.paos+xml'], ['PAOS', 'ver="urn:liberty:paos:2003-08";"urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp"']]]) {
        for (const [method, path] of [['GET', '/app/x'], ['POST', '/app/x'], ['OPTIONS', '/app/x'], ['GET', '/page.html']]) await shut(`${method} ${path}`, headers);
      }
    });

    for (const row of ['CVE-2025-54576', 'GHSA-7rh7']) {
      test(`${row}: a public path in the query opens nothing`, async () => {
        for (const path of ['/app/x?x=/public/', '/page.html?/public/', '/app/secret?path=/app/open/x', '/page.html?x=/.entra/session', '/app/x?%2fpublic%2f']) await shut(`GET ${path}`);
      });
    }

    for (const row of ['CVE-2026-40575', 'CVE-2026-76835', 'GHSA-6384']) {
      test(`${row}: what a client says of its address is not its address`, async () => {
        for (const name of ['X-Forwarded-Uri', 'X-Original-URL', 'X-Original-URI', 'X-Rewrite-URL', 'X-Forwarded-Prefix', 'X-Forwarded-Path', 'X-Envoy-Original-Path', 'X-Auth-Request-Redirect', 'X-Forwarded-Method']) {
          for (const value of ['/public/', '/app/open/x', 'OPTIONS']) for (const path of ['/app/x', '/page.html']) await shut(`GET ${path}`, [[name, value], ['X-Forwarded-For', '127.0.0.1']]);
        }
      });
    }

    for (const row of ['CVE-2026-34457', 'GHSA-5hvv']) {
      test(`${row}: the name of a health checker opens nothing`, async () => {
        for (const agent of ['kube-probe/1.29', 'GoogleHC/1.0', 'ELB-HealthChecker/2.0', 'Azure Traffic Manager Endpoint Monitor', '']) for (const path of ['/app/x', '/page.html', '/']) await shut(`GET ${path}`, [['User-Agent', agent]]);
      });
    }

    test('GHSA-pxq7-h93f-9jrg: a fragment, raw or encoded, does not end the path that is judged', async () => {
      for (const path of ['/app/x#/public/', '/app/x%23/public/', '/app#/app/open/x', '/page.html#/public/', '/page.html%23/public/', '/app/%23/../x']) await shut(`GET ${path}`);
    });

    for (const row of ['go-authcrunch c320a62', 'GHSA-6jwx']) {
      test(`${row}: the path that is judged is the path that is served`, async () => {
        for (const path of ['/public/../app/x', '/public/%2e%2e/app/x', '/public/.%2e/page.html', '/public;/../app/x', '/public/..;/app/x', '//app/x', '/app//x', '/public%2f..%2fapp/x', '/app/open/../x', '/app/open/%2e%2e/x', '/app/open%2f..%2fx', '/app/opened', '/publicity', '/%61pp/x', '/./app/x', '/.entra/../app/x', '/.entra/session/../../app/x', '/page%2ehtml', '//page.html', '/\\app/x']) await shut(`GET ${path}`);
      });
    }

    test('CVE-2020-14359: any method is asked who it is', async () => {
      for (const method of ['gEt', 'FOO', 'PROPFIND', 'OPTIONS', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'MKCOL', 'LOCK', 'GETS', 'REPORT']) for (const path of ['/app/x', '/page.html']) await shut(`${method} ${path}`, [['Content-Length', '0']]);
    });

    test('CVE-2022-29226: a token that nobody verified opens nothing and is not passed on', async () => {
      for (const headers of [[['Authorization', 'Bearer x']], [['Authorization', `Bearer ${base64({ alg: 'none' })}.${base64({ oid: 'x' })}.`]], [['X-Access-Token', 'x']], [['Cookie', 'access_token=x; IdToken=x; BearerToken=x']]]) {
        for (const path of ['/app/x', '/app/x?access_token=x', '/app/api/x', '/app/api/x?access_token=x']) await shut(`GET ${path}`, headers);
      }
      // With a session, in a section that takes no tokens, Authorization is between the client and the application, and makes nobody; where tokens are
      // taken, a bad one is refused in spite of the session.
      const bad = [['Authorization', 'Bearer x']];
      const seen = await seenBy(site, '/app/x', bad, { browser: ada });
      assert.deepEqual(headerOf(seen, 'authorization'), ['Bearer x']);
      assert.deepEqual(headerOf(seen, 'x-entra-user'), [USERS.ada]);
      site.backend.clear();
      const refused = await ask(site, '/app/api/x', bad, { browser: ada });
      assert.equal(refused.status, 401);
      assertShut(site, refused, 'a bad token beside a session');
    });

    test('CVE-2026-48794: the host in other letters, with a dot or a port, is no other rule', async () => {
      for (const host of [`LocalHost:${site.httpd.port}`, `localhost.:${site.httpd.port}`, 'LOCALHOST', 'localhost:1', '127.0.0.1', 'evil.test', '']) for (const path of ['/app/x', '/page.html']) await shut(`GET ${path}`, [], host);
    });

    test('CVE-2016-2145: a body that ends early is an error and no crash', async () => {
      for (const path of ['/.entra/callback', '/.entra/logout', '/app/save']) {
        for (const sent of ['', 'a', 'SAMLResponse=PHNhbWw']) {
          const connection = await Connection.open(site.httpd.port);
          connection.write(`POST ${path} HTTP/1.1\r\nHost: localhost:${site.httpd.port}\r\nAccept: text/html\r\nCookie: ${cookieOf(site, noroles)}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n${sent}`);
          connection.end();
          const answer = await connection.response({ method: 'POST' }).catch((error) => error);
          if (!(answer instanceof Error)) assert.ok(answer.status >= 200 && answer.status < 600 && !setsSession(answer));
          connection.close();
        }
      }
    });

    test('CVE-2016-2146: a body of 5 GB is refused before it is read', async () => {
      for (const path of ['/.entra/callback', '/.entra/login', '/.entra/resend', '/.entra/frontchannel-logout', '/.entra/keys']) {
        const connection = await Connection.open(site.httpd.port);
        connection.write(`POST ${path} HTTP/1.1\r\nHost: localhost:${site.httpd.port}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000000000\r\n\r\n${'x'.repeat(1000)}`);
        const answer = await connection.response({ method: 'POST' });
        assert.ok([403, 405, 413].includes(answer.status), `${path}: ${answer.status}`);
        connection.close();
      }
    });
  });

  describe('cookies', () => {
    const plain = (cookie, path = '/page.html') => ask(site, path, { ...PAGE, Cookie: cookie });

    test('CVE-2023-37464: a tag that was cut is no tag, whatever its length', async () => {
      const bytes = Buffer.from(sessionCookie(ada).value, 'base64url');
      const body = bytes.subarray(0, -16);
      const forged = [15, 12, 8, 4, 1, 0].map((length) => bytes.subarray(0, body.length + length));
      for (let tag = 0; tag < 256; tag += 1) forged.push(Buffer.concat([body, Buffer.from([tag])]));
      for (const value of forged) assertSignIn(site, await plain(`Entra-Session=${value.toString('base64url')}`));
      assert.equal((await plain(`Entra-Session=${bytes.toString('base64url')}`)).status, 200, 'the whole one opens');
    });

    test('gatekeeper 2.9.3: a forged session beside a good one of somebody else is nobody', async () => {
      const bytes = Buffer.from(sessionCookie(ada).value, 'base64url');
      const other = Buffer.from(sessionCookie(noroles).value, 'base64url');
      const login = `Entra-Login=${noroles.cookies.value('Entra-Login')}`;
      for (const forged of [Buffer.concat([bytes.subarray(0, 17), other.subarray(17)]), Buffer.concat([bytes.subarray(0, -16), other.subarray(-16)]), Buffer.concat([bytes.subarray(0, 40), Buffer.from([bytes[40] ^ 1]), bytes.subarray(41)])]) {
        for (const cookie of [`Entra-Session=${forged.toString('base64url')}`, `Entra-Session=${forged.toString('base64url')}; ${login}`]) assertSignIn(site, await plain(cookie));
      }
      const unsigned = [base64({ alg: 'none' }), base64({ preferred_username: USERS.root, oid: person('root').oid, tid: CONTOSO }), ''].join('.');
      assertSignIn(site, await plain(`Entra-Session=${unsigned}; ${login}`));
    });

    test('CVE-2014-8566: bytes beyond every field of a cookie are only a wrong cookie', async () => {
      for (const value of ['A'.repeat(7900), '\xff\xfe\x80', `${'A'.repeat(3800)}; Entra-Session-1=${'B'.repeat(3800)}`, `4.${'A'.repeat(3000)}`, '"', '%00', 'A', '']) {
        assertSignIn(site, await plain(`Entra-Session=${value}`), value.slice(0, 20));
        assertSignIn(site, await plain(`Entra-Login=${value}`), value.slice(0, 20));
      }
    });

    test('CVE-2014-8567: signing out without a session, or with one that is none, is no error', async () => {
      for (const cookie of [null, 'Entra-Session=', `Entra-Session=${'A'.repeat(500)}`, 'a=b']) {
        const headers = [['Origin', site.origin], ['Accept', 'text/html'], ...(cookie ? [['Cookie', cookie]] : [])];
        for (const method of ['GET', 'POST']) assert.ok([200, 302].includes((await ask(site, '/.entra/logout', headers, { method, ...(method === 'POST' ? { body: '' } : {}) })).status));
        assert.ok([400, 200].includes((await ask(site, '/.entra/frontchannel-logout?sid=a', headers)).status));
      }
    });
  });

  describe('people', () => {
    for (const row of ['CVE-2026-40574', 'GHSA-c5c4']) {
      test(`${row}: a name with two @, a line end, or a foreign domain in front is not of the domain`, async () => {
        for (const upn of ['eve@evil.test@contoso.example', 'eve@contoso.example@evil.test', 'eve@evil.test\n@contoso.example', 'eve@contoso.example\n', '@contoso.example', 'contoso.example', 'eve@xcontoso.example', 'eve@contoso.example.evil.test']) {
          await site.emu.control('user', { user: 'fab', set: { tenant: CONTOSO, upn, email: 'root@contoso.example' } });
          await site.as('fab');
          const page = await site.browser().navigate(site.at('/app/domain/x'));
          assert.ok([403, 502].includes(page.status), `${JSON.stringify(upn)}: ${page.trace}`);
          assertClosed(page.response, upn);
        }
        await site.reset();
        assert.equal((await site.browser().navigate(site.at('/app/domain/x'))).status, 200, 'a real one is');
      });
    }

    test('GHSA-c5c4: an email that is a list ends in a name or in a refusal, and never in a right', async () => {
      await site.emu.control('user', { user: 'noroles', set: { claims: { email: ['root@contoso.example', 'x'] } } });
      await site.as('noroles');
      const page = await site.browser().navigate(site.at('/app/admin/x'));
      assert.ok([403, 502].includes(page.status), page.trace);
      const browser = site.browser();
      const own = await browser.navigate(site.at('/app/x'));
      assert.ok([200, 502].includes(own.status), own.trace);
      if (own.status === 200) assert.deepEqual([headerOf(own.json(), 'x-entra-user'), headerOf(own.json(), 'x-entra-email')], [[USERS.noroles], []]);
    });

    test('Entra front-channel logout: by sid without a cookie or iss, and nobody else by a wrong sid or issuer', async () => {
      const probe = await startSite({ emu: site.emu, backend: site.backend, directives: { EntraEnv: 'ENTRA_SID "%{sid}"' } });
      const [one, two] = [await probe.signedIn(), await probe.signedIn()];
      const [first, second] = [cookieOf(probe, one), cookieOf(probe, two)];
      const sid = /^ENTRA_SID=(.+)$/m.exec((await ask(probe, '/cgi/env', { Cookie: first })).text)[1];
      for (const query of ['sid=00000000-0000-4000-8000-000000000000', `sid=${sid}&iss=${encodeURIComponent(`${site.emu.url}/${FABRIKAM}/v2.0`)}`, `sid=${sid}&iss=https%3A%2F%2Fevil.test`, `sid=${sid.slice(0, -1)}`, 'sid=%25', `sid=${sid}&sid=${sid}`]) {
        assert.ok([200, 400].includes((await ask(probe, `/.entra/frontchannel-logout?${query}`)).status));
        assert.equal((await ask(probe, '/page.html', { Cookie: first })).status, 200, query);
      }
      const heard = await ask(probe, `/.entra/frontchannel-logout?sid=${sid}`);
      assert.equal(heard.status, 200);
      assert.match(heard.header('cache-control'), /no-store/);
      assert.equal(heard.header('x-frame-options'), undefined, 'Entra shows it in a frame');
      assertSignIn(probe, await ask(probe, '/page.html', { ...PAGE, Cookie: first }));
      assert.equal((await ask(probe, '/page.html', { Cookie: second })).status, 200);
      probe.httpd.allow(/ENTRA14\d\d/);
      await probe.stop();
    });
  });
});

describe('published attacks over several hosts', { skip: missing }, () => {
  const hosts = ['one.test', 'client.test', 'tenant.test', 'many.test'];
  let site;
  before(async () => {
    const vhost = (server, made, name, changes, secret = 'client-secret') => `
      <VirtualHost 127.0.0.1:${server.port}>
        ServerName https://${name}
        ${entraLines(server, made.emu, { EntraClientSecret: `"file:${server.path(secret)}"`, ...changes })}
        <Location "/">
          AuthType Entra
          Require valid-user
        </Location>
        ProxyPass "/app/" "http://127.0.0.1:${made.backend.port}/"
      </VirtualHost>`;
    site = await startSite({
      names: Object.fromEntries(hosts.map((host) => [`https://${host}`, 'httpd'])),
      redirectHosts: hosts,
      files: { 'other-secret': { content: OTHER_CLIENT_SECRET, mode: 0o600 } },
      allowLog: [/ENTRA1\d\d\d:/],
      config: (server, made) => [
        vhost(server, made, 'one.test', {}),
        vhost(server, made, 'client.test', { EntraClientID: OTHER_CLIENT }, 'other-secret'),
        vhost(server, made, 'tenant.test', { EntraTenant: FABRIKAM }),
        vhost(server, made, 'many.test', { EntraTenant: 'organizations', EntraAllowedTenants: 'any' }),
      ].join('\n'),
    });
  });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); });

  const at = (host, path, headers) => site.httpd.request({ path, headers: { Host: host, ...PAGE, ...headers } });
  const signedIn = async (host, user) => {
    if (user) await site.as(user);
    const browser = site.browser();
    const page = await browser.navigate(`https://${host}/app/x`);
    assert.equal(page.status, 200, page.trace);
    return { value: browser.cookies.value('__Host-Entra-Session'), name: headerOf(page.json(), 'x-entra-user')[0], browser };
  };

  for (const [row, others] of Object.entries({ 'GHSA-gwg9-pmp9-m6wv': hosts.slice(1), 'lua-resty-openidc #526': ['client.test', 'tenant.test'] })) {
    test(`${row}: what was got at one application is worth nothing at another with the same keys and store`, async () => {
      const { value } = await signedIn('one.test');
      assert.equal((await at('one.test', '/page.html', { Cookie: `__Host-Entra-Session=${value}` })).status, 200);
      for (const host of others) assertSignIn(site, await at(host, '/page.html', { Cookie: `__Host-Entra-Session=${value}` }), host);
    });
  }

  test('CVE-2026-49283: mix-up, a code of one provider or application brought to the callback of another', async () => {
    const browser = site.browser();
    const held = await browser.navigate('https://one.test/page.html', { stopBefore: (url) => url.includes('/.entra/callback') });
    const { search } = new URL(held.url);
    const login = browser.cookies.value('__Host-Entra-Login');
    const calls = site.calls('token');
    for (const host of hosts.slice(1)) {
      const response = await at(host, `/.entra/callback${search}`, { Cookie: `__Host-Entra-Login=${login}` });
      assert.equal(response.status, 400, host);
      assertClosed(response, host);
    }
    assert.equal(site.calls('token'), calls, 'the code was sent nowhere');
    // At its own callback it goes where the configuration says, whatever issuer the answer names, and the ID token decides.
    await site.emu.control('authorize', { set: { iss: 'https://evil.test/v2.0' } });
    const own = await signedIn('one.test');
    assert.equal(own.name, USERS.ada);
    assert.equal(site.calls('token'), calls + 1);
  });

  test('nOAuth: the e-mail address of a victim in the token of another tenant is not the victim', async () => {
    await site.emu.control('user', { user: 'fab', set: { email: 'ada@contoso.example' } });
    const ada = await signedIn('many.test', 'ada');
    const fab = await signedIn('many.test', 'fab');
    assert.notEqual(ada.name, fab.name);
    assert.equal(fab.name, `${person('fab').oid}@${FABRIKAM}`);
    await site.as('fab');
    const page = await site.browser().navigate('https://one.test/app/x');
    assert.notEqual(page.status, 200, 'one tenant is one tenant');
  });

  test('9e1d4d0d: a host that only ends like ours gets neither cookie nor redirect', async () => {
    for (const [serverName, domain] of [['https://app-corp.test', 'corp.test'], ['https://evilcorp.test', 'corp.test'], ['https://app.corp.test', 'test.corp.test'], ['https://app.corp.test', 'orp.test']]) {
      const { status, output } = siteConfigtest({ serverName, directives: { EntraCookieDomain: domain } });
      assert.notEqual(status, 0, output);
      assert.match(output, /ENTRA4016/);
    }
    for (const host of ['evil-one.test', 'evilone.test', 'one.test.evil.test']) {
      const response = await at(host, '/page.html');
      assert.equal(response.status, 302);
      assert.ok(['https://one.test', new URL(site.emu.url).origin].includes(new URL(response.location).origin), response.location);
      for (const line of response.cookies) assert.doesNotMatch(line, /domain=/i);
    }
  });
});

describe('published attacks and time', { skip: missing || noClock }, () => {
  let site;
  before(async () => {
    site = await startSite({
      clock: true,
      extra: (server, { emu }) => `
EntraGraphURL ${emu.url}
<Location "/app/staff/">
    Require entra-group ${group('staff')}
</Location>
<Location "/app/many/">
    Require entra-group ${MANY}
</Location>
<Location "/app/nobody/">
    Require user nobody@contoso.example
</Location>`,
      allowLog: [/ENTRA1\d\d\d:/, /AH0163[01]/],
    });
  });
  after(async () => { await site?.stop(); });
  beforeEach(async () => {
    await site.reset();
    await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
  });

  const forward = async (seconds) => {
    site.httpd.clock.forward(seconds);
    await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
  };
  const refreshes = () => site.emu.stats().requests.filter(({ endpoint, grantType }) => endpoint === 'token' && grantType === 'refresh_token').length;
  const status = async (browser, path = '/app/x') => (await browser.navigate(site.at(path), { follow: false })).status;

  test('refreshed id_token: a forged, foreign or expired one changes no session', async () => {
    for (const [shape, number] of [[{ tamper: 'signature' }, 1209], [{ alg: 'none' }, '1201|1204'], [{ set: { oid: randomUUID() } }, 1462], [{ set: { aud: OTHER_CLIENT } }, 1258], [{ set: { iss: 'https://evil.test' } }, 1255]]) {
      const browser = await site.signedIn();
      await site.emu.control('idtoken', { on: 'refresh', ...shape });
      await forward(6 * MINUTE);
      const from = site.httpd.errorLog().length;
      assert.equal(await status(browser), 200);
      await until('the judgement', () => new RegExp(`ENTRA(${number}):`).test(site.httpd.errorLog().slice(from)));
      assert.equal(await whoAmI(site, browser), USERS.ada, JSON.stringify(shape));
      await site.reset();
      await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
    }
  });

  test('ended, then saved: a session that ends while its renewal is under way stays ended', async () => {
    const browser = await site.signedIn();
    const copied = cookieOf(site, browser);
    await site.emu.control('fault', { endpoint: 'token', grant: 'refresh_token', delayMs: 700 });
    await forward(6 * MINUTE);
    assert.equal(await status(browser), 200);
    await until('the question', () => refreshes() >= 1);
    await browser.navigate(site.at('/.entra/logout'), { method: 'POST', body: '', from: site.at('/page.html'), follow: false });
    const out = await ask(site, '/page.html', { ...PAGE, Cookie: copied });
    assertSignIn(site, out);
    const answered = Date.now() + 1500;
    await until('the answer to have come', async () => {
      const late = await ask(site, '/page.html', { ...PAGE, Cookie: copied });
      assertSignIn(site, late);
      assert.ok(!setsSession(late));
      return Date.now() > answered;
    });
  });

  test('denied and idle: a user who is refused keeps asking, and ends by idling', async () => {
    const idle = await startSite({ emu: site.emu, backend: site.backend, clock: true, directives: { EntraSessionRevalidate: 'off' }, extra: '<Location "/app/nobody/">\nRequire user nobody@contoso.example\n</Location>', allowLog: [/AH0163[01]/, /ENTRA1\d\d\d/] });
    await site.emu.control('clock', { offsetSeconds: 0 });
    const browser = await idle.signedIn();
    for (let i = 0; i < 6; i += 1) {
      idle.httpd.clock.forward(10 * MINUTE);
      const { response } = await browser.navigate(idle.at('/app/nobody/x'), { follow: false });
      assert.ok(!setsSession(response), 'no fresh cookie with a refusal');
    }
    idle.httpd.clock.forward(6 * MINUTE);
    assert.equal((await browser.navigate(idle.at('/app/x'), { follow: false })).status, 302);
    await idle.stop();
  });

  test('CVE-2021-41230: out of the group, the next revalidation closes the page', async () => {
    const browser = await site.signedIn();
    assert.equal(await status(browser, '/app/staff/x'), 200);
    await site.emu.control('user', { user: 'ada', set: { groups: [] } });
    await forward(6 * MINUTE);
    await until('the refusal', async () => await status(browser, '/app/staff/x') === 403);
  });

  test('oauth2-proxy #3230: 250 groups, admitted by one, and still so after a refresh and while Graph fails', async () => {
    const browser = await site.signedIn({ user: 'gus' });
    assert.equal(await status(browser, '/app/many/x'), 200);
    await forward(6 * MINUTE);
    assert.equal(await status(browser, '/app/many/x'), 200);
    await until('the refresh', () => refreshes() >= 1);
    for (let i = 0; i < 5; i += 1) assert.equal(await status(browser, '/app/many/x'), 200);
    await site.emu.control('fault', { endpoint: 'graph', status: 429, retryAfter: 5 });
    await forward(6 * MINUTE);
    assert.equal(await status(browser, '/app/many/x'), 200);
    await site.httpd.waitForLog(/ENTRA143[23]: /);
    assert.equal(await status(browser, '/app/many/x'), 200, 'the old groups within the grace, with a line in the log');
  });

  test('lua-resty-openidc #33, #190, #334, #430, #539: large sessions, refresh races and several tenants end in no loop', async () => {
    await site.emu.control('user', { user: 'ada', set: { roles: Array.from({ length: 40 }, (_, i) => `role.${i}.${'x'.repeat(80)}`) } });
    const browser = site.browser();
    const page = await browser.navigate(site.at('/app/x'));
    assert.equal(page.status, 200, page.trace);
    assert.ok(browser.cookies.all.filter(({ name }) => SESSION_COOKIE.test(name)).length > 1, 'more than 4 KB, in chunks');
    assert.deepEqual(browser.cookies.refused, []);
    assert.equal(await status(browser), 200);
    await forward(6 * MINUTE);
    const before = refreshes();
    const cookie = cookieOf(site, browser);
    await inParallel(Array.from({ length: 40 }), 10, async () => { assert.equal((await ask(site, '/app/x', { Cookie: cookie })).status, 200); });
    await until('the refresh', () => refreshes() > before);
    assert.equal(refreshes(), before + 1, 'one refresh for all');
  });
});

describe('published attacks and the server', { skip: missing }, () => {
  test('CVE-2026-52845: no kind of backend takes a folded name for identity', async () => {
    const site = await startAreas({ directives: { EntraHeader: ['X-Remote-User "%{preferred_username}"', 'Remote-Groups "%{groups}"'] } });
    try {
      const noroles = await site.signedIn({ user: 'noroles', path: '/in/http/x' });
      const names = ['Remote_Groups', 'Remote.Groups', 'X_Entra_Groups', 'X.Entra.Groups', 'X_Entra_Roles', 'x-entra_roles', 'X_Remote_User', 'X.Remote.User', 'X_ENTRA_USER'];
      for (const kind of Object.keys(KINDS)) {
        for (const area of ['in', 'pass', 'public', 'off']) {
          const { response, seen } = await site.ask(area === 'in' ? noroles : null, area, kind, { headers: names.map((name) => [name, 'admins']) });
          assert.equal(response.status, 200, `${kind} ${area}`);
          assert.doesNotMatch(seen.raw, /admins/, `${kind} ${area}`);
          if (KINDS[kind].vars) for (const name of ['REMOTE_USER', 'REMOTE_GROUPS', 'HTTP_REMOTE_GROUPS', 'HTTP_X_ENTRA_GROUPS', 'HTTP_X_REMOTE_USER']) assert.notEqual(seen.variable(name), 'admins');
        }
        const many = names.slice(0, 3);
        for (const name of many) {
          const { seen } = await site.ask(noroles, 'in', kind, { headers: [[name, 'admins']] });
          assert.doesNotMatch(seen.raw, /admins/, `${kind} ${name}`);
        }
      }
      assert.ok(backendRequests(site).length > 0);
    } finally {
      site.httpd.allow(/AH01215|AH02429/);
      await site.stop();
    }
  });

  test('CVE-2019-3878: nor where mod_proxy is loaded after this module', async () => {
    const emu = await startEmulator({ auto: 'ada' });
    const backend = await startEcho();
    const load = (name) => `LoadModule ${name}_module "${httpdInstalled().modules}/mod_${name}.so"`;
    const httpd = await startHttpd({
      files: siteFiles,
      config: (server) => `${load('proxy')}\n${load('proxy_http')}\n${entraLines(server, emu)}
<Location "/">
    AuthType Entra
    Require valid-user
</Location>
ProxyPass "/app/" "http://127.0.0.1:${backend.port}/"`,
    });
    try {
      for (const headers of [{ Accept: 'application/vnd.paos+xml', PAOS: 'ver="urn:liberty:paos:2003-08"' }, { Accept: 'text/html' }, {}]) {
        for (const method of ['GET', 'POST', 'OPTIONS']) {
          const response = await httpd.request({ method, path: '/app/x', headers });
          assert.ok([302, 401].includes(response.status), `${method}: ${response.status}`);
          assertClosed(response);
        }
      }
      assert.equal(backend.requests.length, 0);
    } finally {
      await httpd.stop();
      await emu.close();
      await backend.close();
    }
  });

  test('mod_auth_mellon issue #36: a graceful restart under load answers no request with 500, and keeps sessions', async () => {
    const site = await startSite();
    const browser = await site.signedIn();
    const cookie = cookieOf(site, browser);
    let stop = false;
    const seen = new Map();
    const load = Array.from({ length: 6 }, async () => {
      while (!stop) {
        const { status } = await ask(site, '/page.html', { Cookie: cookie }).catch((error) => ({ status: error.message }));
        seen.set(status, (seen.get(status) ?? 0) + 1);
      }
    });
    try {
      for (let i = 0; i < 2; i += 1) await site.httpd.graceful();
    } finally {
      stop = true;
      await Promise.all(load);
    }
    assert.deepEqual([...seen.keys()], [200], JSON.stringify([...seen]));
    await site.stop();
  });

  test('no default key: a key that is missing is made at random, one that anybody could know is refused', async () => {
    const emu = { url: 'http://127.0.0.1:9', close: async () => {} };
    const line = (key) => `key 0a1b2c3d ${key} 2026-01-01T00:00:00Z\n`;
    const files = { short: [line('c2hvcnQ'), 0o600], zero: [line(Buffer.alloc(32).toString('base64url')), 0o600], repeated: [line(Buffer.alloc(32, 0x61).toString('base64url')), 0o600], readable: [line(randomBytes(32).toString('base64url')), 0o644], empty: ['', 0o600] };
    for (const [name, [content, mode]] of Object.entries(files)) {
      const { started, log } = await trySite({ emu, backend: { port: 9 }, files: { 'state/cookie.keys': { content, mode } } }).catch((error) => ({ started: undefined, log: error.message }));
      assert.equal(started, false, `${name}: ${log}`);
      assert.match(log, /ENTRA104[1-4]|cookie\.keys/, name);
    }
    const keys = [];
    for (let i = 0; i < 2; i += 1) {
      const site = await startSite();
      keys.push(site.httpd.read('state/cookie.keys'));
      await site.stop();
    }
    assert.match(keys[0], /^key [0-9a-f]{8} [\w-]{43}/m);
    assert.notEqual(keys[0], keys[1]);
  });

  test('Pomerium #1605: without a tenant, or with many and no list, httpd does not start', () => {
    for (const directives of [{ EntraTenant: null }, { EntraTenant: 'organizations' }, { EntraTenant: 'common' }]) {
      const { status, output } = siteConfigtest({ directives });
      assert.notEqual(status, 0, output);
      assert.match(output, /EntraTenant|EntraAllowedTenants/);
    }
    assert.equal(siteConfigtest({ directives: { EntraTenant: 'organizations', EntraAllowedTenants: CONTOSO } }).status, 0);
  });
});

describe('attacks on the directory', { skip: missing }, () => {
  const ADA = { externalId: person('ada').oid, userName: person('ada').upn };

  for (const [name, directives] of Object.entries({ 'EntraSCIM alone': {}, 'EntraSCIMRequired': { EntraSCIMRequired: 'on' }, 'groups of the directory': { EntraGroupSource: 'scim' } })) {
    test(`SCIM and access tokens (${name}): a token of a user who was disabled or deleted opens nothing, however well it is remembered`, async () => {
      const site = await startSite({ directives: { EntraSCIM: 'on', ...directives }, location: `EntraBearer ${CLIENT}`, processes: 2, threads: 8, allowLog: [/ENTRA1\d\d\d:/, /AH10159|AH00484/] });
      const scim = new Scim(site, makeToken(site));
      const { token } = await site.emu.control('mint', { kind: 'access', user: 'ada', client_id: OTHER_CLIENT, resource: CLIENT, scopes: ['Orders.Read'] });
      const { token: other } = await site.emu.control('mint', { kind: 'access', user: 'root', client_id: OTHER_CLIENT, resource: CLIENT, scopes: ['Orders.Read'] });
      if (directives.EntraSCIMRequired) await scim.user({ externalId: person('root').oid, userName: person('root').upn });
      // In every process, as a person and as a program.
      const all = (bearer) => Promise.all(Array.from({ length: 24 }, () => ask(site, '/app/x', { Authorization: `Bearer ${bearer}` })));
      for (const step of [({ id }) => scim.patch(`/Users/${id}`, { op: 'Replace', path: 'active', value: 'False' }), ({ id }) => scim.send('DELETE', `/Users/${id}`)]) {
        const user = await scim.user(ADA);
        await until('keys in every process', async () => (await all(token)).every(({ status }) => status === 200));
        for (const answer of await all(token)) assert.equal(answer.status, 200, answer.text);
        site.backend.clear();
        await step(user);
        const deleted = (await scim.get(`/Users/${user.id}`)).status === 404;
        // Who is deleted is unknown, and may enter as before where the directory does not have to know everybody.
        const wanted = deleted && !directives.EntraSCIMRequired ? [200] : [401, 403];
        await until('every process to have heard', async () => (await all(token)).every(({ status }) => wanted.includes(status)));
        site.backend.clear();
        const answers = await all(token);
        for (const answer of answers) assert.ok(wanted.includes(answer.status), `${answer.status}`);
        if (!wanted.includes(200)) {
          for (const answer of answers) assertClosed(answer);
          assert.equal(site.backend.requests.length, 0, 'the application is not asked');
        }
        for (const answer of await all(other)) assert.equal(answer.status, 200, 'somebody else');
        if (deleted) continue;
        await scim.patch(`/Users/${user.id}`, { op: 'Replace', path: 'active', value: 'True' });
        await until('the user to be back', async () => (await all(token)).every(({ status }) => status === 200));
        await scim.send('DELETE', `/Users/${user.id}`);
      }
      await site.stop();
    });
  }
});
