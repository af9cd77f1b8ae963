// SPDX-License-Identifier: Apache-2.0
// The tools prove themselves before they judge anything: none of this needs the module.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import test from 'node:test';
import { Browser, formsOf, linksOf } from './lib/browser.mjs';
import { noClock } from './lib/clock.mjs';
import { CookieJar } from './lib/cookies.mjs';
import { headerOf, makeFrame, startEcho } from './lib/echo.mjs';
import { configtest, isClosingDeath, MPM, startHttpd, tryStart } from './lib/httpd.mjs';
import { build, Connection, exchange } from './lib/http.mjs';
import { until } from './lib/wait.mjs';

const plain = (options = {}) => startHttpd({ withModule: false, ...options });

async function withServer(answer, step) {
  const server = net.createServer((socket) => { socket.on('error', () => {}); socket.once('data', () => socket.end(answer)); });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  try {
    return await step(server.address().port);
  } finally {
    server.close();
  }
}

test('a server of its own answers, reloads, restarts and ends', async () => {
  const server = await plain();
  assert.match((await server.get('/')).text, /static-content-front/);
  const before = server.children();
  assert.ok(before.length > 0);
  await server.graceful();
  assert.ok(server.children().every((pid) => !before.includes(pid)), 'the old children are gone');
  server.file('htdocs/later.txt', 'later');
  await server.restart();
  assert.equal((await server.get('/later.txt')).text, 'later');
  await server.waitForAccess(/GET \/later\.txt HTTP\/1\.1" 200/);
  assert.doesNotMatch(server.accessLog(), /OPTIONS \*/, 'own probes do not show');
  const { pid } = server;
  await server.stop();
  assert.throws(() => process.kill(pid, 0), 'the process has gone');
});

test("a death of the MPM's own is told from any other", () => {
  const frames = (...places) => places.map((place, i) => `    #${i} 0x7f4eed9bc180 ${place}`).join('\n');
  const report = (thread, stack) => `==1==ERROR: AddressSanitizer: SEGV on unknown address 0x7f4eea8680a8 (pc 0x1 bp 0x2 sp 0x3 ${thread})\n${stack}\n`;
  const start = ['in ap_run_mpm (/usr/sbin/apache2+0x4384f)', 'in main (/usr/sbin/apache2+0x3b1c1)'];
  const mpm = ' (/usr/lib/apache2/modules/mod_mpm_event.so+0x606b)';
  const read = 'in apr_os_sock_get (/lib/libapr-1.so.0+0x28180)';
  const own = report('T0', frames(read, mpm, mpm, ...start));
  assert.equal(isClosingDeath(own), true);
  assert.equal(isClosingDeath(own + own), false, 'one report');
  assert.equal(isClosingDeath(report('T7', frames(read, mpm, ...start))), false, 'the main thread');
  assert.equal(isClosingDeath(report('T0', frames(read, mpm, 'in sso_hook_handler (mod_entra_sso.so+0x1)', mpm, ...start))), false, 'the MPM alone');
  assert.equal(isClosingDeath(report('T0', frames('in apr_socket_close (/lib/libapr-1.so.0+0x2)', mpm, ...start))), false, 'another place');
  assert.equal(isClosingDeath(own.replace('SEGV', 'heap-use-after-free')), false, 'another fault');
});

test('two servers started at once have a port each', async () => {
  const servers = await Promise.all([plain(), plain(), plain()]);
  assert.equal(new Set(servers.map(({ port }) => port)).size, 3);
  await Promise.all(servers.map((server) => server.stop()));
});

test('a configuration that does not start is told with its log', async () => {
  const { started, log } = await tryStart({ withModule: false, config: 'LoadModule nothing_module /nonexistent.so' });
  assert.equal(started, false);
  assert.match(log, /nonexistent/);
  const { status, output } = configtest({ withModule: false, config: 'NoSuchDirective on' });
  assert.equal(status, 1);
  assert.match(output, /Invalid command 'NoSuchDirective'/);
  assert.equal(configtest({ withModule: false }).status, 0);
});

const noisy = { modules: ['cgi'], files: { 'cgi/noise': { content: '#!/bin/sh\necho planted-noise >&2\nprintf "Content-Type: text/plain\\n\\n"\n', mode: 0o755 } },
  config: (server) => `ScriptAlias /cgi/ "${server.path('cgi')}/"\n<Directory "${server.path('cgi')}">\nRequire all granted\n</Directory>` };

test('an error line that was not announced fails the case, an announced one does not', async () => {
  const careless = await plain(noisy);
  await careless.get('/cgi/noise');
  await assert.rejects(careless.stop(), /not announced: .*planted-noise/);
  const careful = await plain({ ...noisy, expectLog: [/planted-noise/] });
  await careful.get('/cgi/noise');
  await careful.stop();
});

test('an announced line that never came fails the case', async () => {
  const server = await plain({ expectLog: [/never written/] });
  await assert.rejects(server.stop(), /announced, but not there/);
});

test('the death of a child fails the case', { skip: process.env.ENTRA_PRELOAD ? 'a sanitizer takes the signal for itself' : false }, async () => {
  const server = await plain();
  process.kill(server.children()[0], 'SIGSEGV');
  await server.waitForLog(/exit signal/);
  await assert.rejects(server.stop(), /exit signal/);
});

test('the children of a server that crashed go with it', async () => {
  const server = await plain({ processes: 2 });
  const children = server.children();
  process.kill(server.pid, 'SIGKILL');
  const gone = (pid) => { try { process.kill(pid, 0); return false; } catch { return true; } };
  await until('the children to go', () => children.every(gone));
  await server.stop({ judge: false });
});

test('the clock of a server can be moved while it runs', { skip: noClock }, async () => {
  const server = await plain({ clock: true });
  const day = async () => Date.parse((await server.get('/')).header('date'));
  const before = await day();
  server.clock.forward(9 * 3600);
  const after = await day();
  assert.ok(after - before >= 9 * 3600_000 && after - before < 9 * 3600_000 + 60_000, `${after - before} ms`);
  await server.stop();
});

test('the raw client sends bytes as they are given', async () => {
  const backend = await startEcho();
  const bytes = 'GET /a/../b?%zz HTTP/1.1\r\nHost: x\r\nX_Odd.Name:  \xff \r\nx-twice: 1\r\nX-Twice: 2\r\nConnection: close\r\n\r\n';
  const seen = (await exchange(backend.port, bytes)).json();
  assert.equal(seen.url, '/a/../b?%zz');
  assert.deepEqual(seen.headers.slice(0, 4), [['Host', 'x'], ['X_Odd.Name', 'ÿ'], ['x-twice', '1'], ['X-Twice', '2']]);
  assert.equal(build({ path: '/', headers: [['A', 'b'], ['A', 'c']], host: 'h' }).toString(), 'GET / HTTP/1.1\r\nHost: h\r\nA: b\r\nA: c\r\nConnection: close\r\n\r\n');
  await backend.close();
});

test('the raw client reads lengths, chunks, trailers, interim answers and bare endings', async () => {
  const chunked = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-End: 1\r\n\r\n';
  await withServer(chunked, async (port) => {
    const answer = await exchange(port, 'GET / HTTP/1.1\r\n\r\n');
    assert.equal(answer.text, 'abcde');
    assert.deepEqual(answer.trailers, [['X-End', '1']]);
    assert.equal(answer.interim[0].status, 100);
  });
  await withServer('HTTP/1.0 404 Not Found\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n\r\nno length', async (port) => {
    const answer = await exchange(port, 'GET / HTTP/1.0\r\n\r\n');
    assert.equal(answer.status, 404);
    assert.deepEqual(answer.cookies, ['a=1', 'b=2']);
    assert.equal(answer.text, 'no length');
    assert.equal(answer.keepAlive, false);
  });
  await withServer('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort', (port) => assert.rejects(exchange(port, 'GET / HTTP/1.1\r\n\r\n'), /too early/));
  await withServer('garbage\r\n', (port) => assert.rejects(exchange(port, 'GET / HTTP/1.1\r\n\r\n'), /no status line/));
});

test('several requests go over one connection', async () => {
  const backend = await startEcho();
  const connection = await Connection.open(backend.port);
  for (const path of ['/1', '/2', '/3']) assert.equal((await connection.request({ path, host: 'x', close: false })).json().url, path);
  connection.close();
  assert.equal(backend.connections, 1);
  await backend.close();
});

test('the echo answers WebSocket frames', async () => {
  const backend = await startEcho();
  const connection = await Connection.open(backend.port);
  connection.write(build({ path: '/ws', host: 'x', close: false, headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13' } }));
  const answer = await connection.response();
  assert.equal(answer.status, 101);
  assert.equal(answer.header('sec-websocket-accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  connection.write(makeFrame(1, 'hello', Buffer.from([1, 2, 3, 4])));
  assert.equal((await connection.bytes(7)).subarray(2).toString(), 'hello');
  connection.close();
  await backend.close();
});

const at = (text) => new URL(text);

test('the cookie jar keeps what a browser keeps', () => {
  const jar = new CookieJar();
  const kept = (line, url = 'https://app.test/x/y') => { jar.clear(); return jar.set(line, at(url)) !== null; };
  assert.ok(kept('__Host-a=1; Path=/; Secure'));
  assert.ok(!kept('__Host-a=1; Path=/'), '__Host- needs Secure');
  assert.ok(!kept('__Host-a=1; Path=/x; Secure'), '__Host- needs Path=/');
  assert.ok(!kept('__host-a=1; Path=/; Secure; Domain=app.test'), '__Host- has no Domain, in any case');
  assert.ok(!kept('__Secure-a=1'), '__Secure- needs Secure');
  assert.ok(!kept('a=1; Secure', 'http://app.test/'), 'Secure needs https');
  assert.ok(kept('a=1; Secure', 'http://localhost:8080/'), 'loopback counts as secure');
  assert.ok(!kept('a=1; Domain=other.test'));
  assert.ok(!kept('a=1; Domain=app.test.evil'));
  assert.ok(!kept('a=1; SameSite=None'), 'None needs Secure');
  assert.ok(!kept(`a=${'x'.repeat(4096)}`), 'longer than 4096');
  assert.ok(kept(`a=${'x'.repeat(4095)}`));
});

test('the cookie jar sends where a browser sends', () => {
  const jar = new CookieJar();
  jar.set('root=1; Path=/', at('https://app.test/x/y'));
  jar.set('deep=2', at('https://app.test/x/y'));
  jar.set('wide=3; Domain=app.test; Path=/', at('https://www.app.test/'));
  jar.set('tls=4; Path=/; Secure', at('https://app.test/'));
  assert.equal(jar.header(at('https://app.test/x')), 'deep=2; root=1; wide=3; tls=4');
  assert.equal(jar.header(at('https://app.test/xy')), 'root=1; wide=3; tls=4');
  assert.equal(jar.header(at('http://app.test/')), 'root=1; wide=3');
  assert.equal(jar.header(at('https://sub.app.test/')), 'wide=3');
  assert.equal(jar.header(at('https://app.test.evil/')), '');
  jar.set('root=; Path=/; Max-Age=0', at('https://app.test/'));
  jar.set('wide=; Domain=app.test; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT', at('https://app.test/'));
  assert.equal(jar.header(at('https://app.test/')), 'tls=4');
});

test('SameSite holds cookies back from cross-site requests, and lets Lax through a link', () => {
  const jar = new CookieJar();
  for (const mode of ['Lax', 'Strict', 'None']) jar.set(`${mode}=1; Path=/; Secure; SameSite=${mode}`, at('https://app.test/'));
  jar.set('plain=1; Path=/', at('https://app.test/'));
  const sent = (context) => jar.matching(at('https://app.test/'), context).map(({ name }) => name).sort().join();
  assert.equal(sent({}), 'Lax,None,Strict,plain');
  assert.equal(sent({ crossSite: true, lax: true }), 'Lax,None,plain');
  assert.equal(sent({ crossSite: true, lax: false }), 'None');
});

/** Two sites of one backend: http://localhost and http://127.0.0.1. */
async function twoSites(handler) {
  const backend = await startEcho({ handler });
  return { backend, here: `http://localhost:${backend.port}`, there: `http://127.0.0.1:${backend.port}` };
}

test('the browser sends Fetch Metadata, Referer and Origin as Chromium does', async () => {
  const { backend, here, there } = await twoSites();
  const browser = new Browser();
  const sent = async (step) => {
    await step();
    const seen = backend.last();
    return ['Sec-Fetch-Site', 'Sec-Fetch-Mode', 'Sec-Fetch-Dest', 'Sec-Fetch-User', 'Referer', 'Origin'].map((name) => headerOf(seen, name)[0] ?? '-').join(' ');
  };
  assert.equal(await sent(() => browser.navigate(`${here}/typed`)), 'none navigate document ?1 - -');
  assert.equal(await sent(() => browser.navigate(`${here}/b`, { from: `${here}/a?q` })), `same-origin navigate document ?1 ${here}/a?q -`);
  assert.equal(await sent(() => browser.navigate(`${here}/b`, { from: `${there}/a?q` })), `cross-site navigate document ?1 ${there}/ -`);
  assert.equal(await sent(() => browser.navigate(`${here}/b`, { from: `${there}/a`, method: 'POST', body: 'x=1' })), `cross-site navigate document ?1 ${there}/ ${there}`);
  assert.equal(await sent(() => browser.navigate(`${here}/b`, { from: `${here}/a`, method: 'POST', body: 'x=1', referrerPolicy: 'no-referrer' })), 'same-origin navigate document ?1 - null');
  assert.equal(await sent(() => browser.fetch(`${here}/api`)), `same-origin cors empty - ${here}/ -`);
  assert.equal(await sent(() => browser.fetch(`${here}/api`, { from: `${there}/a` })), `cross-site cors empty - ${there}/ ${there}`);
  await backend.close();
});

test('the browser follows redirects, keeps their cookies, and turns POST into GET at 302 but not at 307', async () => {
  const answer = (req, res) => {
    const [, step] = req.url.split('/');
    if (step === 'end') return false;
    const next = { see: [302, '/end'], keep: [307, '/end'], loop: [302, '/loop'] }[step];
    res.writeHead(next[0], { Location: next[1], 'Set-Cookie': `${step}=1; Path=/` });
    res.end();
    return true;
  };
  const { backend, here } = await twoSites(answer);
  const browser = new Browser();
  const seen = (await browser.navigate(`${here}/see`, { method: 'POST', body: 'a=1', from: here })).json();
  assert.equal(seen.method, 'GET');
  assert.deepEqual(headerOf(seen, 'cookie'), ['see=1']);
  assert.equal((await browser.navigate(`${here}/keep`, { method: 'POST', body: 'a=1', from: here })).json().body, 'a=1');
  const looping = await browser.navigate(`${here}/loop`);
  assert.equal(looping.tooMany, true);
  assert.equal(looping.hops.length, 20);
  const held = await browser.navigate(`${here}/see`, { stopBefore: (url) => url.endsWith('/end') });
  assert.equal(held.response, null);
  assert.equal((await browser.resume(held)).json().url, '/end');
  await backend.close();
});

test('Lax cookies come along from another site by link, not by form', async () => {
  const { backend, here, there } = await twoSites();
  const browser = new Browser();
  browser.cookies.set('s=1; Path=/; SameSite=Lax', at(`${here}/`));
  await browser.navigate(`${here}/`, { from: `${there}/` });
  assert.deepEqual(headerOf(backend.last(), 'cookie'), ['s=1']);
  await browser.navigate(`${here}/`, { from: `${there}/`, method: 'POST', body: 'x' });
  assert.deepEqual(headerOf(backend.last(), 'cookie'), []);
  await browser.fetch(`${here}/`, { from: `${there}/`, credentials: 'include' });
  assert.deepEqual(headerOf(backend.last(), 'cookie'), []);
  await backend.close();
});

test('names are mapped to ports, and a name of no test is never called', async () => {
  const backend = await startEcho();
  const browser = new Browser({ resolve: { 'https://app.test': backend.port } });
  const seen = (await browser.navigate('https://app.test/x')).json();
  assert.deepEqual(headerOf(seen, 'host'), ['app.test']);
  await assert.rejects(browser.navigate('https://evil.test/'), /no host of this test/);
  await backend.close();
});

test('forms and links are found in a page', () => {
  const html = '<a href="/x?a=1&amp;b=2">x</a><form method="post" action="/go"><input type="hidden" name="rd" value="&quot;&#x41;"><button name="b" value="1">Go</button></form>';
  const [form] = formsOf(html, 'http://localhost/page');
  assert.deepEqual(form, { action: 'http://localhost/go', method: 'POST', fields: [['rd', '"A']], buttons: [{ name: 'b', value: '1' }] });
  assert.deepEqual(linksOf(html, 'http://localhost/page'), ['http://localhost/x?a=1&b=2']);
});

test(`CGI and proxy work on ${MPM}`, async () => {
  const backend = await startEcho();
  const server = await plain({
    modules: ['cgi', 'proxy', 'proxy_http'],
    files: { 'cgi/env': { content: '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n"\nenv\n', mode: 0o755 } },
    config: (s) => `ScriptAlias /cgi/ "${s.path('cgi')}/"\n<Directory "${s.path('cgi')}">\nRequire all granted\n</Directory>\nProxyPass /app/ http://127.0.0.1:${backend.port}/`,
  });
  assert.match((await server.get('/cgi/env')).text, /REQUEST_URI=\/cgi\/env/);
  assert.equal((await server.get('/app/x?y')).json().url, '/x?y');
  await server.stop();
  await backend.close();
});

test('waiting ends with an explanation', async () => {
  await assert.rejects(until('something that never is', () => false, { timeout: 50 }), /in vain: something that never is/);
});

test('node:http agrees with the raw client', async () => {
  const backend = await startEcho();
  const body = await new Promise((resolve) => { http.get(`${backend.url}/same`, (res) => { let text = ''; res.on('data', (d) => { text += d; }); res.on('end', () => resolve(text)); }); });
  assert.equal(JSON.parse(body).url, '/same');
  await backend.close();
});
