// SPDX-License-Identifier: Apache-2.0
// Requests without a session, of every kind: which are sent to sign in, which are told 401, and that none opens anything.

import assert from 'node:assert/strict';
import test, { after, before, beforeEach, describe } from 'node:test';
import { assertChallenge, assertClosed, assertPage, assertSignIn, setsSession, USERS, whoAmI } from './lib/checks.mjs';
import { headerOf, makeFrame, MARKER } from './lib/echo.mjs';
import { missing } from './lib/httpd.mjs';
import { build, Connection } from './lib/http.mjs';
import { SECRET_PAGE, startSite } from './lib/site.mjs';

const NAVIGATE = { 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };
const PAGE = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
const UPGRADE = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13' };

// A page that a browser will show: off to sign in.
const PAGES = {
  'a typed address': { ...NAVIGATE, ...PAGE },
  'a link of this site': { ...NAVIGATE, ...PAGE, 'Sec-Fetch-Site': 'same-origin' },
  'a link of another site': { ...NAVIGATE, ...PAGE, 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-User': '?1' },
  'a navigation that says nothing of text/html': { ...NAVIGATE, Accept: '*/*' },
  'a navigation without Accept': NAVIGATE,
  'a page in an iframe': { ...NAVIGATE, ...PAGE, 'Sec-Fetch-Dest': 'iframe' },
  'a page in a frame': { ...NAVIGATE, ...PAGE, 'Sec-Fetch-Dest': 'frame' },
  'an object': { ...NAVIGATE, 'Sec-Fetch-Dest': 'object' },
  'a page whose mode was lost on the way': { 'Sec-Fetch-Dest': 'document' },
  'an older browser': PAGE,
  'an older browser with text/html last': { Accept: 'image/png, text/html;q=0.1' },
  'an older browser in other letters': { accept: 'text/html' },
  'a part of a page': { ...NAVIGATE, ...PAGE, Range: 'bytes=0-10' },
  'a page with conditions': { ...NAVIGATE, ...PAGE, 'If-None-Match': '*', 'If-Modified-Since': 'Fri, 01 Jan 2100 00:00:00 GMT' },
  'a page with other methods in its headers': { ...NAVIGATE, ...PAGE, 'X-HTTP-Method-Override': 'OPTIONS', 'X-HTTP-Method': 'OPTIONS', 'X-Method-Override': 'HEAD' },
  'a page with Authorization: Basic': { ...NAVIGATE, ...PAGE, Authorization: 'Basic YWRhOnNlY3JldA==' },
  'a page with Authorization: Bearer': { ...NAVIGATE, ...PAGE, Authorization: 'Bearer x.y.z' },
  'a page with a name of its own': { ...NAVIGATE, ...PAGE, 'X-Entra-User': 'root@contoso.example', 'X-Remote-User': 'root', REMOTE_USER: 'root' },
};

// A program's request: 401.
const PROGRAMS = {
  'fetch of this site': { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty', Accept: '*/*' },
  'fetch that wants HTML': { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty', Accept: 'text/html' },
  'fetch in mode same-origin': { 'Sec-Fetch-Mode': 'same-origin', 'Sec-Fetch-Dest': 'empty' },
  'an image': { 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image', Accept: 'image/*' },
  'a script': { 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'script', Accept: '*/*' },
  'a style sheet': { 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'style', Accept: 'text/css' },
  'a font': { 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'font' },
  'a worker': { 'Sec-Fetch-Mode': 'same-origin', 'Sec-Fetch-Dest': 'worker' },
  'a service worker': { 'Sec-Fetch-Mode': 'same-origin', 'Sec-Fetch-Dest': 'serviceworker', 'Service-Worker': 'script' },
  'a service worker of an older browser': { 'Service-Worker': 'script', Accept: 'text/html' },
  'XMLHttpRequest': { 'X-Requested-With': 'XMLHttpRequest', Accept: 'text/html' },
  'a library that says so': { 'X-Requested-With': 'fetch', Accept: 'text/html, */*' },
  'JSON': { Accept: 'application/json' },
  'JSON, then anything': { Accept: 'application/json, text/plain, */*' },
  'an event stream': { Accept: 'text/event-stream' },
  'an event stream by EventSource': { 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty', Accept: 'text/event-stream', 'Cache-Control': 'no-cache' },
  'curl': { Accept: '*/*', 'User-Agent': 'curl/8' },
  'no headers at all': {},
  'a WebSocket': { ...UPGRADE },
  'a WebSocket by a browser': { ...UPGRADE, 'Sec-Fetch-Mode': 'websocket', 'Sec-Fetch-Dest': 'websocket' },
  'a WebSocket that wants HTML': { ...UPGRADE, Accept: 'text/html' },
  'an upgrade to HTTP/2': { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' },
  'a fetch whose mode was lost on the way': { 'Sec-Fetch-Dest': 'empty', Accept: 'text/html' },
  'an invented fetch mode': { 'Sec-Fetch-Mode': 'navigate-x', Accept: 'text/html' },
  'SAML enhanced client': { Accept: 'application/vnd.paos+xml', PAOS: 'ver="urn:liberty:paos:2003-08"' },
  'a health checker': { 'User-Agent': 'kube-probe/1.29' },
  'headers of other gateways': { 'X-Forwarded-Uri': '/public/', 'X-Original-URL': '/public/', 'X-Rewrite-URL': '/public/', 'X-Forwarded-Prefix': '/public', 'X-Forwarded-User': 'root', 'X-Original-URI': '/public/', 'X-Forwarded-Method': 'OPTIONS' },
  'an expectation': { Expect: '100-continue' },
};

const TARGETS = ['/page.html', '/', '/app/x', '/cgi/env', '/nothing-there', '/app/x?access_token=x&_method=GET', '/app/x?path=/public/', '/page.html?x=/public/'];

describe('requests without a session', { skip: missing }, () => {
  let site;

  before(async () => { site = await startSite({ allowLog: [/AH10244: invalid URI path/] }); });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); site.backend.clear(); });

  const ask = (path, headers, options) => site.httpd.request({ path, headers: { Connection: 'close', ...headers }, ...options });
  const untouched = () => assert.equal(site.backend.requests.length + site.backend.upgrades, 0, 'the application was not called');

  for (const [name, headers] of Object.entries(PAGES)) {
    test(`${name} is sent to sign in`, async () => {
      for (const path of TARGETS) assertSignIn(site, await ask(path, headers), `${name} ${path}`);
      untouched();
    });
  }

  for (const [name, headers] of Object.entries(PROGRAMS)) {
    test(`${name} gets 401`, async () => {
      for (const path of TARGETS) assertChallenge(site, await ask(path, headers), {}, `${name} ${path}`);
      untouched();
    });
  }

  describe('methods', () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'REPORT', 'FOO', 'gEt', 'CONNECT', 'TRACE']) {
      test(`${method} by a program opens nothing`, async () => {
        for (const path of ['/page.html', '/app/x']) {
          for (const body of [undefined, '', 'a=1']) {
            const response = await ask(path, { Accept: '*/*', Destination: site.at('/public/x') }, { method, body });
            // httpd itself echoes a TRACE, and refuses CONNECT, before anybody is asked who may enter.
            if (method === 'TRACE') assert.ok([200, 400, 401, 403, 405, 413].includes(response.status), `${method}: ${response.status}`);
            else if (method === 'CONNECT') assert.ok([400, 401, 403, 405].includes(response.status), `${method}: ${response.status}`);
            else assertChallenge(site, response, {}, `${method} ${path}`);
            assertClosed(response, method);
          }
        }
        untouched();
      });
    }

    test('HEAD of a page is sent to sign in, without a body', async () => {
      const response = await ask('/page.html', PAGE, { method: 'HEAD' });
      assertSignIn(site, response);
      const head = await ask('/page.html', {}, { method: 'HEAD' });
      assert.equal(head.status, 401);
      untouched();
    });

    test('a form that navigates is sent to sign in, and comes back to its page', async () => {
      const response = await ask('/app/save', { ...NAVIGATE, ...PAGE, 'Sec-Fetch-Site': 'same-origin', Referer: site.at('/page.html?x=1'), 'Content-Type': 'application/x-www-form-urlencoded' }, { method: 'POST', body: 'a=1' });
      assertSignIn(site, response);
      const browser = site.browser();
      for (const line of response.cookies) browser.cookies.set(line, new URL(site.origin));
      assert.equal((await browser.navigate(response.location)).path, '/page.html?x=1');
    });

    test('a CORS preflight gets 401 and no name goes through with it', async () => {
      const response = await ask('/app/x', { Origin: 'https://evil.test', 'Access-Control-Request-Method': 'POST', 'X-Entra-User': 'root' }, { method: 'OPTIONS' });
      assertChallenge(site, response);
      assert.equal(response.header('access-control-allow-origin'), undefined);
      untouched();
    });

    test('bodies: none, empty, without a type, cut short, in chunks, and of nonsense', async () => {
      const children = site.httpd.children();
      const head = (lines) => `POST /app/x HTTP/1.1\r\nHost: localhost:${site.httpd.port}\r\nConnection: close\r\n${lines}\r\n`;
      const cases = [
        'Content-Length: 0\r\n', 'Content-Length: 0\r\nContent-Type:\r\n', 'Content-Length: 3\r\n\r\na=1', 'Content-Length: 3\r\nContent-Type: \r\n\r\na=1', 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n',
        'Content-Length: 100\r\n\r\na=1', 'Transfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\nzz\r\n', 'Transfer-Encoding: chunked\r\n\r\n3\r\na', 'Content-Length: -1\r\n', 'Content-Length: x\r\n', 'Transfer-Encoding: x\r\n',
        'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      ];
      for (const lines of cases) {
        const [headers, body] = lines.includes('\r\n\r\n') ? [lines.slice(0, lines.indexOf('\r\n\r\n') + 2), lines.slice(lines.indexOf('\r\n\r\n') + 4)] : [lines, ''];
        const all = (await site.httpd.exchange(head(headers) + body, { all: true, end: true })).toString('latin1');
        assert.match(all, /^HTTP\/1\.1 (401|400|408|411|413|501) /, lines);
        assert.ok(!all.includes(MARKER) && !all.includes(SECRET_PAGE), lines);
      }
      assert.ok(children.every((pid) => site.httpd.children().includes(pid)), 'no child died');
      untouched();
    });
  });

  describe('on the wire', () => {
    const all = async (bytes) => (await site.httpd.exchange(bytes, { all: true, end: true })).toString('latin1');
    const host = () => `Host: localhost:${site.httpd.port}\r\n`;

    test('nothing follows our own answer: all bytes up to the end of the connection', async () => {
      const requests = [
        `GET /page.html HTTP/1.1\r\n${host()}Connection: close\r\nAccept: text/html\r\n\r\n`,
        `GET /page.html HTTP/1.1\r\n${host()}Connection: close\r\n\r\n`,
        `POST /page.html HTTP/1.1\r\n${host()}Connection: close\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\nContent-Length: 0\r\n\r\n`,
        `GET /.entra/callback?code=x&state=y HTTP/1.1\r\n${host()}Connection: close\r\nAccept: text/html\r\n\r\n`,
        `GET /.entra/logout HTTP/1.1\r\n${host()}Connection: close\r\nAccept: text/html\r\n\r\n`,
        `GET /.entra/callback HTTP/1.1\r\n${host()}Connection: close\r\nAccept: text/html\r\n\r\n`,
        `GET /app/x HTTP/1.1\r\n${host()}Connection: close\r\nAccept: text/html\r\n\r\n`,
        'GET /page.html HTTP/1.0\r\nAccept: text/html\r\n\r\n',
        'GET /page.html HTTP/1.0\r\n\r\n',
      ];
      for (const bytes of requests) {
        const text = await all(bytes);
        assert.ok(!text.includes(SECRET_PAGE) && !text.includes(MARKER), `${bytes}\n${text}`);
        const [head, body] = [text.slice(0, text.indexOf('\r\n\r\n')), text.slice(text.indexOf('\r\n\r\n') + 4)];
        assert.match(head, /^HTTP\/1\.1 (200|302|400|401|405)/);
        const length = /content-length: (\d+)/i.exec(head)?.[1];
        if (length !== undefined) assert.equal(body.length, Number(length), `${head}\n${body}`);
        if (/<\/html>/.test(body)) assert.match(body, /<\/html>\s*(0\r\n\r\n)?$/);
      }
    });

    test('requests that follow each other on one connection are judged one by one', async () => {
      const user = await site.signedIn();
      const cookie = user.cookies.header(new URL(site.origin));
      const connection = await Connection.open(site.httpd.port);
      const one = (headers, path = '/page.html') => connection.request({ path, host: `localhost:${site.httpd.port}`, close: false, headers: { Accept: 'text/html', ...headers } });
      for (const expected of [302, 200, 302, 200, 302]) {
        const response = await one(expected === 200 ? { Cookie: cookie } : {});
        assert.equal(response.status, expected);
        if (expected !== 200) assertClosed(response);
      }
      connection.close();
    });

    test('pipelined requests are judged one by one', async () => {
      const user = await site.signedIn();
      const cookie = user.cookies.header(new URL(site.origin));
      const options = { path: '/page.html', host: `localhost:${site.httpd.port}`, close: false };
      const connection = await Connection.open(site.httpd.port);
      connection.write(Buffer.concat([build({ ...options, headers: { Cookie: cookie } }), build(options), build({ ...options, headers: { Cookie: cookie } })]));
      assert.deepEqual([(await connection.response()).status, (await connection.response()).status, (await connection.response()).status], [200, 401, 200]);
      connection.close();
    });

    test('a request hidden in a body that nobody read is not carried out', async () => {
      const user = await site.signedIn();
      const hidden = `GET /app/hidden HTTP/1.1\r\n${host()}Cookie: ${user.cookies.header(new URL(site.origin))}\r\n\r\n`;
      site.backend.clear();
      await all(`POST /app/x HTTP/1.1\r\n${host()}Content-Length: ${hidden.length}\r\n\r\n${hidden}`);
      await all(`POST /.entra/callback HTTP/1.1\r\n${host()}Content-Length: ${hidden.length}\r\n\r\n${hidden}`);
      untouched();
    });

    test('an expectation is not met before the refusal', async () => {
      const connection = await Connection.open(site.httpd.port);
      connection.write(build({ method: 'POST', path: '/app/x', host: `localhost:${site.httpd.port}`, headers: { Expect: '100-continue', 'Content-Length': '10' } }));
      const response = await connection.response();
      assert.equal(response.status, 401);
      assert.deepEqual(response.interim, []);
      connection.close();
      untouched();
    });

    test('other spellings of the path lead past nothing', async () => {
      const paths = ['/public/../page.html', '/public/%2e%2e/page.html', '/public/.%2e/page.html', '/public;/../page.html', '/public/..%2fpage.html', '/public%2f..%2fpage.html', '/publicx', '/public', '//page.html', '///page.html', '/./page.html', '/x/../page.html', '/page.html/', '/page.html%00', '/page.html%20', '/PAGE.html', '/page.html;x',
        '/page.html?/public/', '/page.html%3f/public/', '/page.html%23/public/', '/page.html#/public/', '/app/../page.html', '/app//x', '//app/x', '/app;/x', '/app/%2e%2e/page.html', '/APP/x', '/%61pp/x', '/.entra/../page.html', '/.entra/callback/../../page.html', '/.entra/%2e%2e/page.html', '/.entra/session/../../app/x', '/.entra;/page.html', '/%2eentra/../page.html',
        `http://localhost:${0}/page.html`, 'http://evil.test/page.html', 'https://localhost/page.html', '/public/\\..\\page.html', '\\page.html', 'page.html', '*', '/..', '/../page.html', '/public/./../page.html'];
      for (const path of paths) {
        for (const headers of [PAGE, {}]) {
          const response = await ask(path, headers);
          assert.ok([301, 302, 400, 401, 403, 404].includes(response.status), `${path}: ${response.status}`);
          assertClosed(response, path);
        }
      }
      untouched();
      const open = await ask('/public/', {});
      assert.equal(open.status, 200);
      assert.match(open.text, /open-content/);
    });

    test('other spellings of the host lead past nothing', async () => {
      for (const host of ['LOCALHOST', 'localhost.', `localhost:${site.httpd.port}.`, 'localhost:1', 'evil.test', 'localhost, evil.test', '127.0.0.1', '[::1]', 'localhost:abc', '%6cocalhost', 'a@localhost', '']) {
        for (const headers of [{ ...PAGE, Host: host }, { Host: host }]) {
          const response = await ask('/page.html', headers);
          assert.ok([302, 400, 401].includes(response.status), `${host}: ${response.status}`);
          assertClosed(response, host);
        }
      }
      assert.match(await all('GET /page.html HTTP/1.1\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400/);
      assert.match(await all(`GET /page.html HTTP/1.1\r\n${host()}${host()}Connection: close\r\n\r\n`), /^HTTP\/1\.1 (400|302|401)/);
      assert.ok(!(await all('GET /page.html\r\n')).includes(SECRET_PAGE), 'HTTP/0.9');
    });
  });

  describe('the problem document', () => {
    const fetchOf = (headers) => ({ 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty', ...headers });

    test('names the sign-in that comes back to the page the script runs on', async () => {
      const from = { '/page.html?x=1&y=/z': '/page.html?x=1&y=/z', '/': '/' };
      for (const [referer, back] of Object.entries(from)) assertChallenge(site, await ask('/app/api', fetchOf({ Referer: site.at(referer) })), { back }, referer);
      const problem = assertChallenge(site, await ask('/app/api', fetchOf({ Referer: site.at('/app/page?q=%26') })), { back: '/app/page?q=%26' });
      const browser = site.browser();
      assert.equal((await browser.navigate(problem.login)).json().url, '/page?q=%26');
    });

    test('takes no page of another site, and no invented one', async () => {
      for (const referer of ['https://evil.test/x', `${site.origin}.evil.test/x`, 'http://localhost/x', '/page.html', '//evil.test/', 'javascript:alert(1)', `${site.origin}@evil.test/`, `${site.origin}//evil.test`, `${site.origin}/\\evil.test`, `${site.origin}/x"y`, 'x'.repeat(4000)]) {
        const response = await ask('/app/api', fetchOf({ Referer: referer }));
        const { login } = response.json();
        assert.equal(response.status, 401);
        const { origin, pathname, searchParams } = new URL(login);
        assert.equal(origin + pathname, `${site.origin}/.entra/login`, referer);
        assert.ok(/^\/(?![/\\])/.test(searchParams.get('rd')), `${referer} -> ${searchParams.get('rd')}`);
        if (!referer.startsWith(`${site.origin}/x`)) assert.equal(searchParams.get('rd'), '/', referer);
        assert.doesNotMatch(response.header('www-authenticate'), /evil|alert/);
      }
    });

    test('cannot be bent by the path: no header is split, the quotes stay closed', async () => {
      for (const path of ['/app/"x', '/app/%22x', '/app/%0d%0aX-Evil:%201', '/app/a\\b', "/app/'><script>"]) {
        const response = await ask(path, {});
        assert.ok([400, 401].includes(response.status));
        assert.equal(response.header('x-evil'), undefined);
        if (response.status === 401) assert.match(response.header('www-authenticate'), /^Entra login="[^"\\]*"$/);
      }
    });

    test('says the same id as the log', async () => {
      const { id } = assertChallenge(site, await ask('/app/api', {}));
      assert.ok(site.httpd.errorLog().includes(`[id ${id}]`));
    });
  });

  describe('with a session', () => {
    test('the same requests go through', async () => {
      const user = await site.signedIn();
      const cookie = user.cookies.header(new URL(site.origin));
      for (const [name, headers] of Object.entries({ ...PAGES, ...PROGRAMS })) {
        if (headers.Upgrade || headers.Range || headers['If-None-Match']) continue;
        const response = await ask('/app/x', { ...headers, Cookie: cookie });
        assert.equal(response.status, 200, `${name}: ${response.status}`);
        assert.deepEqual(headerOf(response.json(), 'x-entra-user'), [USERS.ada], name);
      }
    });

    test('a WebSocket opens and carries messages', async () => {
      const user = await site.signedIn();
      const connection = await Connection.open(site.httpd.port);
      connection.write(build({ path: '/app/ws', host: `localhost:${site.httpd.port}`, close: false, headers: { ...UPGRADE, Cookie: user.cookies.header(new URL(site.origin)) } }));
      assert.equal((await connection.response()).status, 101);
      assert.deepEqual(headerOf(site.backend.last(), 'x-entra-user'), [USERS.ada]);
      connection.write(makeFrame(1, 'hello', Buffer.from([9, 8, 7, 6])));
      assert.equal((await connection.bytes(7)).subarray(2).toString(), 'hello');
      connection.close();
    });

    test('a part of a file, and a condition, work as ever', async () => {
      const user = await site.signedIn();
      const cookie = user.cookies.header(new URL(site.origin));
      const part = await ask('/page.html', { Cookie: cookie, Range: 'bytes=0-8' });
      assert.equal(part.status, 206);
      assert.equal(part.text, '<!doctype');
      const whole = await ask('/page.html', { Cookie: cookie });
      const again = await ask('/page.html', { Cookie: cookie, 'If-None-Match': whole.header('etag') });
      assert.equal(again.status, 304);
    });

    test('every method reaches the application', async () => {
      const user = await site.signedIn();
      const cookie = user.cookies.header(new URL(site.origin));
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'REPORT']) {
        const response = await ask('/app/x', { Cookie: cookie }, { method, body: 'a=1' });
        assert.equal(response.status, 200, method);
        assert.deepEqual([response.json().method, response.json().body], [method, 'a=1']);
      }
    });

    test('the answer is for this user alone', async () => {
      const user = await site.signedIn();
      for (const path of ['/page.html', '/app/x', '/cgi/env']) {
        const { response } = await user.navigate(site.at(path), { follow: false });
        assert.match(response.all('cache-control').join(), /private|no-store/, path);
      }
      assert.equal((await ask('/public/', {})).header('cache-control'), undefined, 'open pages are left alone');
    });
  });
});

describe('modes and rules', { skip: missing }, () => {
  let site;

  before(async () => {
    site = await startSite({
      modules: ['include', 'rewrite'],
      files: {
        'htdocs/ssi/index.shtml': '<p>outer</p><!--#include virtual="/page.html" -->',
        'htdocs/ssi/open.shtml': '<p>outer</p><!--#include virtual="/public/" -->',
        'htdocs/open/index.html': 'open-index',
        'htdocs/dirindex/readme.txt': 'x',
        'htdocs/inner/index.html': `inner ${SECRET_PAGE}`,
      },
      allowLog: [/AH01630/, /AH01631/, /AH01629/, /ENTRA1503/, /unable to include/],
      extra: (server, { backend }) => `
        <Location "/login/">
          EntraUnauthenticated login
        </Location>
        <Location "/m401/">
          EntraUnauthenticated 401
        </Location>
        <Location "/m403/">
          EntraUnauthenticated 403
        </Location>
        <Location "/pass/">
          EntraUnauthenticated pass
          Require all granted
        </Location>
        <Location "/passuser/">
          EntraUnauthenticated pass
          Require valid-user
        </Location>
        <Location "/only-root/">
          Require user ${USERS.root}
        </Location>
        <Location "/only-ada/">
          Require user ${USERS.ada}
        </Location>
        <Location "/not-ada/">
          <RequireAll>
            Require valid-user
            Require not user ${USERS.ada}
          </RequireAll>
        </Location>
        <Location "/denied/">
          Require all denied
        </Location>
        <Location "/any/">
          <RequireAny>
            Require ip 10.9.8.7
            Require valid-user
          </RequireAny>
        </Location>
        <Location "/any-open/">
          <RequireAny>
            Require ip 127.0.0.1
            Require valid-user
          </RequireAny>
        </Location>
        <Location "/all/">
          <RequireAll>
            Require ip 127.0.0.1
            Require valid-user
          </RequireAll>
        </Location>
        <Location "/all-shut/">
          <RequireAll>
            Require ip 10.9.8.7
            Require valid-user
          </RequireAll>
        </Location>
        <Location "/expr/">
          Require expr "%{REMOTE_USER} == '${USERS.ada}'"
        </Location>
        <Location "/errdoc/">
          Require user nobody
          ErrorDocument 403 "own-403"
          ErrorDocument 401 "own-401"
        </Location>
        <Location "/errpage/">
          Require user nobody
          ErrorDocument 403 /page.html
        </Location>
        <Location "/ssi/">
          Require all granted
        </Location>
        <Directory "${server.docroot}/ssi">
          Options +Includes
          SetOutputFilter INCLUDES
          DirectoryIndex index.shtml
        </Directory>
        <Location "/dirindex/">
          Require all granted
          DirectoryIndex /inner/index.html
        </Location>
        <Location "/rewritten/">
          Require all granted
        </Location>
        RewriteEngine on
        RewriteRule "^/rewritten/(.*)" "/$1" [PT]
        <If "%{REQUEST_URI} =~ m#^/if/#">
          AuthType Entra
          Require user ${USERS.root}
        </If>
        ${['login', 'm401', 'm403', 'pass', 'passuser', 'only-root', 'only-ada', 'not-ada', 'denied', 'any', 'any-open', 'all', 'all-shut', 'expr', 'errdoc', 'errpage', 'if'].map((name) => `ProxyPass "/${name}/" "http://127.0.0.1:${backend.port}/"`).join('\n')}
      `,
    });
  });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); site.backend.clear(); });

  const page = (path) => site.httpd.request({ path, headers: { ...NAVIGATE, ...PAGE } });
  const program = (path) => site.httpd.request({ path, headers: { Accept: 'application/json' } });

  test('login: programs, too, are sent to sign in', async () => {
    assertSignIn(site, await page('/login/x'));
    assertSignIn(site, await program('/login/x'));
  });

  test('401: pages, too, get 401', async () => {
    for (const response of [await page('/m401/x'), await program('/m401/x')]) {
      assert.equal(response.status, 401);
      assert.match(response.header('www-authenticate'), /^Entra login="/);
      assertClosed(response);
    }
    assertChallenge(site, await program('/m401/x'));
  });

  test('403: everybody without a session gets 403, and no invitation', async () => {
    for (const response of [await page('/m403/x'), await program('/m403/x')]) {
      assert.equal(response.status, 403);
      assert.equal(response.header('www-authenticate'), undefined);
      assertClosed(response);
    }
    assertPage(site, await page('/m403/x'), 403, 1505);
  });

  test('in every mode somebody who is signed in gets through', async () => {
    const user = await site.signedIn();
    for (const path of ['/login/x', '/m401/x', '/m403/x', '/passuser/x', '/only-ada/x', '/any/x', '/all/x', '/expr/x']) {
      const answer = await user.navigate(site.at(path), { follow: false });
      assert.equal(answer.status, 200, path);
      assert.deepEqual(headerOf(answer.json(), 'x-entra-user'), [USERS.ada], path);
    }
  });

  test('pass: goes on as nobody without a session, as the user with one, and never as whom the client names', async () => {
    const forged = { 'X-Entra-User': 'root', X_Entra_User: 'root', 'x.entra.user': 'root' };
    const nobody = await site.httpd.request({ path: '/pass/x', headers: { ...PAGE, ...forged } });
    assert.equal(nobody.status, 200);
    assert.deepEqual(nobody.json().headers.filter(([name]) => /entra/i.test(name)), []);
    const user = await site.signedIn();
    const answer = await user.navigate(site.at('/pass/x'), { follow: false, headers: forged });
    assert.deepEqual(headerOf(answer.json(), 'x-entra-user'), [USERS.ada]);
    assert.deepEqual(answer.json().headers.filter(([name]) => /^x[_.]entra/i.test(name)), []);
    assert.deepEqual(headerOf(answer.json(), 'cookie'), []);
  });

  test('pass together with a Require that asks for a user: 401, also for pages, and no loop', async () => {
    for (const response of [await page('/passuser/x'), await program('/passuser/x')]) {
      assert.equal(response.status, 401);
      assertClosed(response);
    }
    assert.equal(site.backend.requests.length, 0);
  });

  describe('a user whom the rules do not admit', () => {
    for (const path of ['/only-root/x', '/not-ada/x', '/all-shut/x', '/denied/x']) {
      test(`${path}: 403 with a page or a problem document, and never a new sign-in`, async () => {
        // What no user could change is refused by httpd itself, with its own page.
        const ours = !['/denied/x', '/all-shut/x'].includes(path);
        const user = await site.signedIn();
        const calls = site.calls('authorize');
        const shown = await user.navigate(site.at(path));
        assert.equal(shown.hops.length, 1, shown.trace);
        assert.equal(shown.status, 403);
        assertClosed(shown.response);
        if (ours) assertPage(site, shown.response, 403, 1502);
        const told = await user.fetch(site.at(path));
        assert.equal(told.status, 403);
        if (ours) {
          assert.match(told.header('content-type'), /^application\/problem\+json/);
          assert.equal(told.json().status, 403);
        }
        for (const response of [shown.response, told]) {
          assert.equal(response.header('www-authenticate'), undefined);
          assert.ok(!setsSession(response));
        }
        assert.equal(site.calls('authorize'), calls);
        assert.equal(site.backend.requests.length, 0);
      });
    }

    test('the page names nobody and no rule', async () => {
      const user = await site.signedIn();
      const { text } = (await user.navigate(site.at('/only-root/x'))).response;
      assert.doesNotMatch(text, /root@|Require/);
    });

    test('the right user is admitted to the same page', async () => {
      const root = await site.signedIn({ user: 'root' });
      for (const path of ['/only-root/x', '/not-ada/x']) assert.equal((await root.navigate(site.at(path))).status, 200, path);
      assert.equal((await root.navigate(site.at('/only-ada/x'))).status, 403);
      assert.equal((await root.navigate(site.at('/expr/x'))).status, 403);
    });
  });

  test('rules that need no user admit without a session, those that need one do not', async () => {
    assert.equal((await program('/any-open/x')).status, 200);
    for (const path of ['/any/x', '/all/x', '/expr/x', '/only-ada/x', '/not-ada/x', '/if/x']) {
      assertSignIn(site, await page(path), path);
      assertChallenge(site, await program(path), {}, path);
    }
    for (const path of ['/denied/x']) {
      const response = await program(path);
      assert.ok([401, 403].includes(response.status));
      assertClosed(response);
    }
  });

  test('rules inside <If> hold', async () => {
    const user = await site.signedIn();
    assert.equal((await user.navigate(site.at('/if/x'))).status, 403);
    const root = await site.signedIn({ user: 'root' });
    assert.equal((await root.navigate(site.at('/if/x'))).status, 200);
  });

  test('an ErrorDocument of the administrator takes the place of our page', async () => {
    const user = await site.signedIn();
    const answer = await user.navigate(site.at('/errdoc/x'));
    assert.equal(answer.status, 403);
    assert.equal(answer.text.trim(), 'own-403');
    const told = await program('/errdoc/x');
    assert.equal(told.status, 401);
    assert.equal(told.text.trim(), 'own-401');
    assert.match(told.header('www-authenticate'), /^Entra login=/);
  });

  test('an ErrorDocument that is itself protected opens nothing and loops nowhere', async () => {
    const anonymous = await page('/errpage/x');
    assertClosed(anonymous);
    const user = await site.signedIn();
    const answer = await user.navigate(site.at('/errpage/x'));
    assert.equal(answer.status, 403);
    assert.equal(answer.hops.length, 1);
  });

  describe('subrequests and internal redirects are judged by the rules of where they lead', () => {
    test('an open SSI page does not include a protected one', async () => {
      const response = await page('/ssi/index.shtml');
      assert.equal(response.status, 200);
      assert.match(response.text, /outer/);
      assertClosed(response);
      const open = await page('/ssi/open.shtml');
      assert.match(open.text, /open-content/);
    });

    test('it does for a user with a session', async () => {
      const user = await site.signedIn();
      const answer = await user.navigate(site.at('/ssi/index.shtml'));
      assert.match(answer.text, new RegExp(SECRET_PAGE));
    });

    test('an open folder whose index lies in a protected place does not show it', async () => {
      const response = await page('/dirindex/');
      assertClosed(response);
      assert.ok([302, 401, 403, 404].includes(response.status), `${response.status}`);
      const user = await site.signedIn();
      const answer = await user.navigate(site.at('/dirindex/'));
      assert.equal(answer.status, 200, answer.trace);
      assert.match(answer.text, /inner/);
    });

    test('a rewrite from an open path to a protected one is judged by the latter', async () => {
      const response = await page('/rewritten/page.html');
      assertSignIn(site, response);
      const user = await site.signedIn();
      assert.equal((await user.navigate(site.at('/rewritten/page.html'))).status, 200);
      assert.equal(await whoAmI(site, user), USERS.ada);
    });
  });
});
