// SPDX-License-Identifier: Apache-2.0
// EntraPreservePost: a form that was sent with a session that had ended, or was not enough, comes back once after the
// sign-in, to its own user, for the same address. And every form that must not.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import test, { after, before, beforeEach, describe } from 'node:test';
import { assertClosed, assertSignIn, LOGIN_COOKIE, SESSION_COOKIE } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { headerOf } from './lib/echo.mjs';
import { missing } from './lib/httpd.mjs';
import { isCallback, siteConfigtest, startSite } from './lib/site.mjs';
import { databaseIsTriedAgain, until } from './lib/wait.mjs';

const noSqlite = spawnSync('sqlite3', ['--version']).status === 0 ? false : 'sqlite3 is not installed';
const skip = missing || noClock || noSqlite;

const FORM = '/app/form?step=2';
const TARGET = '/app/orders?x=1&y=%20z';
const SECTIONS = `
<Location "/app/c1/">
    Require entra-acr c1
</Location>
<Location "/app/login/">
    EntraUnauthenticated login
</Location>`;

// Without revalidation: a token that is asked for in the background while a case moves the clocks would be of the future.
const start = (options = {}) => startSite({ clock: true, extra: SECTIONS, allowLog: [/AH0163[01]/], ...options, directives: { EntraPreservePost: '64k', EntraSessionIdleTimeout: '20m', EntraSessionRevalidate: 'off', ...options.directives } });

/** Time goes on, for httpd and for Entra: usually so far that a session ends by idling. */
async function lapse(site, seconds = 25 * 60) {
  site.httpd.clock.forward(seconds);
  await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
}

/** A browser whose session has ended by idling. */
async function idle(site, user) {
  const browser = await site.signedIn({ user });
  await lapse(site);
  return browser;
}

/** A person sends the form of FORM. */
const send = (site, browser, body, { to = TARGET, ...options } = {}) => browser.navigate(site.at(to), { method: 'POST', body, from: site.at(FORM), ...options });

const isResend = (url) => new URL(url).pathname === '/.entra/resend';

/** The page that asks whether to send the form. Gives its form. */
function assertAsks(site, page, target = TARGET) {
  assert.equal(page.status, 200, page.trace);
  assert.ok(isResend(page.url), page.trace);
  assert.match(page.text, /<h1>Send the form now\?<\/h1>/);
  assert.match(page.header('content-type'), /^text\/html; charset=utf-8/);
  assert.match(page.header('cache-control'), /no-store/);
  assert.equal(page.header('x-frame-options'), 'DENY');
  const policy = page.header('content-security-policy');
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /script|unsafe/);
  assert.doesNotMatch(page.text, /<script/i);
  assert.equal(page.forms.length, 1);
  const [form] = page.forms;
  assert.equal(form.action, site.at(target));
  assert.equal(form.method, 'POST');
  assert.deepEqual(form.buttons, [{ name: undefined, value: '' }]);
  return form;
}

/** What the application got. */
function assertGot(page, body, target = TARGET) {
  assert.equal(page.status, 200, page.trace);
  const seen = page.json();
  assert.equal(seen.method, 'POST');
  assert.equal(seen.url, target.replace('/app', ''));
  assert.equal(seen.body, body);
  assert.equal(seen.headers.find(([name]) => name.toLowerCase() === 'content-type')[1], 'application/x-www-form-urlencoded');
  assert.equal(seen.headers.find(([name]) => name.toLowerCase() === 'content-length')[1], String(Buffer.byteLength(body)));
}

/** The form does not come back: the browser is on the page that it came from. */
function assertLost(site, page, where = FORM) {
  assert.equal(page.status, 200, page.trace);
  assert.equal(page.path, where, page.trace);
  assert.equal(page.json().method, 'GET');
  assert.deepEqual(page.visited(/\/\.entra\/resend/), []);
}

const sql = (site, text) => execFileSync('sqlite3', ['-readonly', site.httpd.path('state', 'database', 'entra.db'), text], { encoding: 'utf8' }).trim();
const waiting = (site) => Number(sql(site, "SELECT COUNT(*) FROM entra_post WHERE sealed <> ''"));
const posts = (site) => site.backend.requests.filter(({ method }) => method === 'POST').length;

/** Exactly these headers, as a program can send them, with the cookies of a browser. */
function raw(site, browser, headers, body) {
  const cookie = browser.cookies.all.filter(({ name }) => SESSION_COOKIE.test(name) || LOGIN_COOKIE.test(name)).map(({ name, value }) => `${name}=${value}`).join('; ');
  return site.httpd.request({ method: 'POST', path: TARGET, headers: { Accept: 'text/html', ...(cookie && { Cookie: cookie }), Referer: site.at(FORM), 'Content-Type': 'application/x-www-form-urlencoded', ...headers }, body });
}

describe('a form that waits', { skip }, () => {
  let site;
  before(async () => { site = await start(); });
  after(async () => { await site?.stop(); });
  // Entra's keys are good for a day, and on a busy machine a day of these cases passes before they are read again.
  beforeEach(async () => {
    if (site.httpd.clock.shift < 8 * 3600) return;
    await site.stop();
    site = await start();
  });

  test('comes back once, to the same address, with the same bytes, and nothing of it is written in clear', async () => {
    const browser = await idle(site, 'ada');
    const body = 'note=planted-form-secret+%C3%A4%0D%0Aline&item=1&item=2&item=1&empty=&send=Send';
    site.backend.clear();
    const held = await send(site, browser, body, { stopBefore: isResend });
    assert.equal(posts(site), 0, 'the application has not seen it');
    assert.equal(waiting(site), 1);
    const folder = site.httpd.path('state', 'database');
    for (const name of readdirSync(folder)) assert.ok(!readFileSync(path.join(folder, name), 'latin1').includes('planted-form-secret'), name);
    const page = await browser.resume(held);
    const form = assertAsks(site, page);
    assert.equal(form.fields.length, 6);
    assert.equal(waiting(site), 0, 'it is gone with its page');
    assert.deepEqual(page.links, [site.at(FORM)], 'the way not to send it');
    assertGot(await browser.submit(page), body);
    assert.equal(posts(site), 1);
    // Neither by its address, nor by the callback's.
    const again = await browser.navigate(page.url);
    assert.equal(again.status, 404);
    assert.match(again.text, /This form is not here any more/);
    assert.deepEqual(again.links, [site.at(FORM)]);
    const reloaded = await browser.navigate(page.visited(/\/\.entra\/callback/)[0] ?? held.hops.find(({ url }) => isCallback(url)).url);
    assert.equal(reloaded.status, 404);
    assert.equal(posts(site), 1);
    const log = `${site.httpd.errorLog()}\n${site.httpd.accessLog()}`;
    assert.match(log, /ENTRA2090: a form of \d+ bytes for \/app\/orders waits/);
    assert.match(log, /ENTRA2091: a form comes back to oid/);
    assert.match(log, /ENTRA1540: /);
    assert.ok(!log.includes('planted-form-secret'));
    const id = new URL(page.url).searchParams.get('id');
    assert.match(id, /^[0-9a-f]{32}$/);
    assert.ok(!log.includes(id), 'neither as an address nor as a Referer');
    assert.equal(headerOf(site.backend.last(), 'referer')[0], `${site.origin}/`);
    assert.equal(headerOf(site.backend.last(), 'origin')[0], site.origin);
  });

  for (const [what, body] of [
    ['one field', 'a=1'],
    ['no field at all', ''],
    ['a thousand fields', Array.from({ length: 1000 }, (_, i) => `field${i % 10}=value+${i}`).join('&')],
    ['names and values that are markup', new URLSearchParams([['"><script>alert(1)</script>', '\'"></form><img src=x onerror=alert(1)>'], ['&amp;&#13;', '&lt;&quot;&#0;'], ['`${x}`', '<!--'], ['</textarea>', ']]>']]).toString()],
    ['names of a form\'s own', 'action=%2F%2Fevil.example&method=GET&submit=x&enctype=text%2Fplain&formaction=x&id=y&rd=%2Fz&_charset_=UTF-8'],
    ['every letter', new URLSearchParams([['ß', 'Ä€😀\u00a0\u2028\ufeff\u0085\u0001\u001f\u007f\t']]).toString()],
    ['lines', 'text=%0D%0A%0D%0Aone%0D%0A++two%0D%0A'],
  ]) {
    test(`comes back byte by byte: ${what}`, async () => {
      const browser = await idle(site, 'ada');
      const page = await send(site, browser, body);
      assertAsks(site, page);
      assertGot(await browser.submit(page), body);
    });
  }

  for (const [what, body] of [
    ['a NUL', 'a=%00'], ['bytes that are no UTF-8', 'a=%E9'], ['a half character', 'a=%C3&b=1'], ['a field without a value', 'a'], ['a lone end of line', 'a=%0A'],
    ['a NUL as it is', 'a=b\0&c=d'], ['another spelling', 'a=%2f'], ['2,001 fields', Array.from({ length: 2001 }, () => 'a=1').join('&')],
  ]) {
    test(`is not kept, since a page could not send it so: ${what}`, async () => {
      const browser = await idle(site, 'ada');
      const log = await site.httpd.logOf(async () => assertLost(site, await send(site, browser, body)));
      assert.match(log, /ENTRA1543: /);
      assert.doesNotMatch(log, /ENTRA2090/);
    });
  }

  test('of a session at its absolute end comes back, too', async () => {
    const browser = await site.signedIn({ user: 'ada' });
    await lapse(site, 9 * 3600);
    const page = await send(site, browser, 'a=1');
    assertAsks(site, page);
    assertGot(await browser.submit(page), 'a=1');
  });

  test('of a session that was ended from another browser comes back, too', async () => {
    const browser = await site.signedIn({ user: 'ada' });
    const other = await site.signedIn({ user: 'ada' });
    await other.navigate(site.at('/.entra/logout?everywhere=1'), { method: 'POST', body: '', from: site.at('/page.html'), follow: false });
    const log = await site.httpd.logOf(async () => {
      const page = await send(site, browser, 'a=1');
      assertAsks(site, page);
      assertGot(await browser.submit(page), 'a=1');
    });
    assert.match(log, /ENTRA1412: /);
    await lapse(site);
  });

  test('of somebody who signed out here is not kept: nobody is known any more', async () => {
    const browser = await site.signedIn({ user: 'ada' });
    await browser.navigate(site.at('/.entra/logout?rd=/page.html'), { method: 'POST', body: '', from: site.at('/page.html'), follow: false });
    const log = await site.httpd.logOf(async () => assertLost(site, await send(site, browser, 'a=1')));
    assert.doesNotMatch(log, /ENTRA2090|ENTRA154/);
  });

  test('is dropped when somebody else signs in, and not even the first user gets it then', async () => {
    const browser = await idle(site, 'ada');
    const held = await send(site, browser, 'a=1', { stopBefore: (url) => url.startsWith(site.emu.url) });
    assert.equal(waiting(site), 1);
    await site.as('gus');
    const log = await site.httpd.logOf(async () => assertLost(site, await browser.resume(held)));
    await site.as('ada');
    assert.match(log, /ENTRA2092: a form is dropped/);
    assert.equal(waiting(site), 0);
  });

  test('is not given to another session, whoever knows its address', async () => {
    const browser = await idle(site, 'ada');
    const held = await send(site, browser, 'a=1', { stopBefore: isResend });
    const gus = await site.signedIn({ user: 'gus' });
    const stranger = site.browser();
    assert.equal((await gus.navigate(held.url)).status, 404);
    assert.equal((await stranger.navigate(held.url)).status, 401);
    // Nor to a script or a prefetch of its own user, which would use it up.
    assert.equal((await browser.fetch(held.url)).status, 404);
    assert.equal((await browser.navigate(held.url, { headers: { 'Sec-Purpose': 'prefetch' } })).status, 404);
    const posted = await browser.navigate(held.url, { method: 'POST', body: '', from: site.at('/') });
    assert.equal(posted.status, 405);
    assert.equal(posted.header('allow'), 'GET');
    assertAsks(site, await browser.resume(held));
  });

  test('two tabs, each with its own', async () => {
    const browser = await idle(site, 'ada');
    const one = await send(site, browser, 'tab=1', { to: '/app/one', stopBefore: isCallback });
    const two = await send(site, browser, 'tab=2', { to: '/app/two', stopBefore: isCallback });
    const second = await browser.resume(two);
    const first = await browser.resume(one);
    assertAsks(site, first, '/app/one');
    assertAsks(site, second, '/app/two');
    assertGot(await browser.submit(first), 'tab=1', '/app/one');
    assertGot(await browser.submit(second), 'tab=2', '/app/two');
  });

  test('over a step-up comes back with the stronger session', async () => {
    const browser = await site.signedIn({ user: 'ada' });
    const page = await send(site, browser, 'a=1', { to: '/app/c1/pay' });
    assertAsks(site, page, '/app/c1/pay');
    assertGot(await browser.submit(page), 'a=1', '/app/c1/pay');
  });

  test('waits a quarter of an hour, and no longer', async () => {
    let browser = await idle(site, 'ada');
    let held = await send(site, browser, 'a=1', { stopBefore: isResend });
    await lapse(site, 14 * 60);
    assertAsks(site, await browser.resume(held));
    browser = await idle(site, 'ada');
    held = await send(site, browser, 'a=1', { stopBefore: isResend });
    await lapse(site, 15 * 60);
    const page = await browser.resume(held);
    assert.equal(page.status, 404);
    // A sign-in that takes longer begins again, and the form is not there any more.
    browser = await idle(site, 'ada');
    held = await send(site, browser, 'a=1', { stopBefore: isCallback });
    await lapse(site, 16 * 60);
    const late = await browser.resume(held);
    assert.equal(late.status, 404, late.trace);
    assert.deepEqual(late.links, [site.at(FORM)]);
  });

  test('is not kept for an unknown visitor', async () => {
    const before = waiting(site);
    const stranger = site.browser();
    const log = await site.httpd.logOf(async () => assertLost(site, await send(site, stranger, 'a=1')));
    assert.doesNotMatch(log, /ENTRA2090|ENTRA154/);
    const forged = await raw(site, { cookies: { all: [{ name: 'Entra-Session', value: 'A'.repeat(300) }] } }, { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate' }, 'a=1');
    assertSignIn(site, forged);
    assert.equal(waiting(site), before);
  });

  test('is not kept without proof that it comes from this site', async () => {
    const browser = await idle(site, 'ada');
    const before = waiting(site);
    const { origin } = site;
    for (const [headers, kept] of [
      [{}, 0], [{ 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', Origin: 'https://evil.example' }, 0], [{ 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'navigate', Origin: origin }, 0],
      [{ 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate' }, 0], [{ Origin: 'null' }, 0], [{ Origin: 'https://evil.example' }, 0], [{ Origin: `${origin}.evil.example` }, 0],
      [{ 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate', Origin: 'https://evil.example' }, 0],
      [{ Origin: origin }, 1], [{ 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate', Origin: 'null' }, 2],
    ]) {
      const log = await site.httpd.logOf(async () => assertSignIn(site, await raw(site, browser, headers, 'a=1'), JSON.stringify(headers)));
      assert.match(log, kept ? /ENTRA2090/ : /ENTRA1544: /, JSON.stringify(headers));
      // The first that is kept sweeps away what is over.
      assert.equal(waiting(site), kept || before, JSON.stringify(headers));
    }
    await lapse(site);
  });

  test('is not kept when it is larger than the bound, announced or not', async () => {
    const browser = await idle(site, 'ada');
    const sent = waiting(site);
    const headers = { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate' };
    const body = `a=${'x'.repeat(64 * 1024 - 2)}`;
    for (const [more, bytes] of [[{}, `${body}y`], [{ 'Transfer-Encoding': 'chunked' }, `10001\r\n${body}y\r\n0\r\n\r\n`], [{ 'Transfer-Encoding': 'chunked' }, `${(300000).toString(16)}\r\n${'a='.padEnd(300000, 'x')}\r\n0\r\n\r\n`]]) {
      const log = await site.httpd.logOf(async () => assertSignIn(site, await raw(site, browser, { ...headers, ...more }, bytes)));
      assert.match(log, /ENTRA1541: /);
    }
    assert.equal(waiting(site), sent);
    assertAsks(site, await send(site, browser, body));
    assertLost(site, await send(site, await idle(site, 'ada'), `${body}y`));
  });

  test('is not kept in another encoding', async () => {
    const browser = await idle(site, 'ada');
    for (const contentType of ['multipart/form-data; boundary=x', 'text/plain', 'application/x-www-form-urlencoded; charset=windows-1252']) {
      const log = await site.httpd.logOf(async () => assertSignIn(site, await raw(site, browser, { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate', 'Content-Type': contentType }, 'a=1')));
      assert.match(log, /ENTRA1542: /);
    }
    const packed = await site.httpd.logOf(async () => assertSignIn(site, await raw(site, browser, { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate', 'Content-Encoding': 'gzip' }, 'a=1')));
    assert.match(packed, /ENTRA1542: /);
    assertLost(site, await send(site, browser, '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n', { contentType: 'multipart/form-data; boundary=x' }));
  });

  test('is not kept for an address that is too long', async () => {
    const browser = await idle(site, 'ada');
    const log = await site.httpd.logOf(async () => assertLost(site, await send(site, browser, 'a=1', { to: `/app/x?${'y'.repeat(3000)}` })));
    assert.match(log, /ENTRA1545: /);
  });

  test('of a script is answered with 401, also where everybody is sent to sign in', async () => {
    const browser = await idle(site, 'ada');
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const answer = await browser.fetch(site.at(TARGET), { method: 'POST', body: 'a=1', headers });
    assert.equal(answer.status, 401);
    assertClosed(answer);
    const log = await site.httpd.logOf(async () => assertSignIn(site, await browser.fetch(site.at('/app/login/x'), { method: 'POST', body: 'a=1', headers })));
    assert.doesNotMatch(log, /ENTRA2090/);
  });

  test('whose body breaks off is an error, and nothing is kept', async () => {
    const browser = await idle(site, 'ada');
    const answer = await raw(site, browser, { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate', 'Transfer-Encoding': 'chunked' }, '5\r\na=123\r\nzz\r\n');
    assert.equal(answer.status, 400);
    assertClosed(answer);
    assertAsks(site, await send(site, browser, 'a=1'));
  });

  test('sent by two at one moment is given to one', async () => {
    const browser = await idle(site, 'ada');
    const held = await send(site, browser, 'a=1', { stopBefore: isResend });
    const pages = await Promise.all(Array.from({ length: 8 }, () => browser.navigate(held.url)));
    assert.deepEqual(pages.map(({ status }) => status).sort(), [200, 404, 404, 404, 404, 404, 404, 404]);
  });
});

describe('forms and their surroundings', { skip }, () => {
  test('without the database the sign-in goes on without the form', async () => {
    const site = await start({ processes: 1 });
    const browser = await idle(site, 'ada');
    const folder = site.httpd.path('state', 'database');
    renameSync(folder, `${folder}.away`);
    site.httpd.expect(/ENTRA144[13]: /);
    site.httpd.allow(/ENTRA2071: /);
    const held = await send(site, browser, 'a=1', { stopBefore: (url) => url.startsWith(site.emu.url) });
    assert.equal(held.hops.length, 1);
    assert.equal(held.hops[0].status, 302);
    renameSync(`${folder}.away`, folder);
    await until('sign-ins work again', async () => (await site.browser().navigate(site.at('/page.html'))).status === 200);
    await databaseIsTriedAgain();
    assertLost(site, await browser.resume(held));
    await site.stop();
  });

  test('a form that is lost again and again ends', async () => {
    const site = await start({ directives: { EntraSessionMaxAge: '30s', EntraSessionIdleTimeout: 'off' } });
    const browser = await site.signedIn({ user: 'ada' });
    let page;
    for (let i = 0; i < 10; i += 1) {
      await lapse(site, 60);
      page = i === 0 ? await send(site, browser, 'a=1') : await browser.submit(page);
      assertAsks(site, page);
    }
    await lapse(site, 60);
    page = await browser.submit(page);
    assert.equal(page.path, '/', page.trace);
    assert.deepEqual(page.visited(/\/\.entra\/resend/), []);
    site.httpd.expect(/ENTRA1546: /);
    // A quarter of an hour later there is room again.
    await lapse(site, 15 * 60);
    assertAsks(site, await send(site, browser, 'a=1'));
    await site.stop();
  });

  test('off by default', async () => {
    const site = await start({ directives: { EntraPreservePost: null } });
    const browser = await idle(site, 'ada');
    assertLost(site, await send(site, browser, 'a=1'));
    assert.equal(waiting(site), 0);
    await site.stop();
  });

  test('a form survives a restart between sending and sign-in', async () => {
    const site = await start();
    const browser = await idle(site, 'ada');
    const held = await send(site, browser, 'a=1', { stopBefore: isCallback });
    await site.httpd.restart();
    const page = await browser.resume(held);
    assertAsks(site, page);
    assertGot(await browser.submit(page), 'a=1');
    await site.stop();
  });
});

describe('the configuration of EntraPreservePost', { skip: missing }, () => {
  test('sizes up to 1m, or off', () => {
    for (const value of ['off', 'Off', '1', '64k', '1m', '1048576']) assert.equal(siteConfigtest({ directives: { EntraPreservePost: value } }).status, 0, value);
  });

  test('a mistake is named with its mend', () => {
    for (const [value, wanted] of [
      ['2m', /ENTRA4090: EntraPreservePost: may be 1m at most.*write 64k/],
      ['1048577', /ENTRA4090: /],
      ['0', /ENTRA4091: EntraPreservePost: must be more than nothing; write off/],
      ['on', /EntraPreservePost: 'on' is no size \(.*\); write one like 64k, or off/],
      ['64x', /EntraPreservePost: '64x' is no size/],
      ['-1', /EntraPreservePost: '-1' is no size/],
    ]) {
      const { status, output } = siteConfigtest({ directives: { EntraPreservePost: value } });
      assert.notEqual(status, 0, value);
      assert.match(output, wanted);
    }
  });
});
