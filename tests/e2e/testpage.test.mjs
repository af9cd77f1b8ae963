// SPDX-License-Identifier: Apache-2.0
// EntraTestPage: who gets to the administrator's test sign-in, what it shows, what it finds wrong, and that it changes nothing.

import assert from 'node:assert/strict';
import test, { after, before, beforeEach, describe } from 'node:test';
import { CLIENT, CONTOSO, groups as known, users as people } from '../emulator/tenants.mjs';
import { assertClosed, SESSION_COOKIE } from './lib/checks.mjs';
import { missing } from './lib/httpd.mjs';
import { isCallback, siteConfigtest, startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const person = (key) => people.find((user) => user.key === key);
const finance = known.find(({ key }) => key === 'finance').id;
const PAGE = '/.entra/test';
const REFUSED_BY_HTTPD = /AH01(629|63[01])/;
const GUARD = (lines = `Require user ${person('root').upn}`) => `<Location "${PAGE}">\n    AuthType Entra\n    ${lines}\n</Location>`;

const start = ({ directives, guard = GUARD(), extra = '', ...options } = {}) => startSite({
  allowLog: [REFUSED_BY_HTTPD],
  user: 'root',
  ...options,
  directives: { EntraTestPage: 'on', ...directives },
  extra: (server, { emu }) => `${guard}\n${extra}\nEntraGraphURL ${emu.url}\n`,
});

const sessionOf = (browser) => browser.cookies.all.filter(({ name }) => SESSION_COOKIE.test(name)).map(({ value }) => value).join();
/** Text of a page, as a person reads it. */
const unescape = (text) => text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&quot;|&#34;/g, '"').replace(/&#39;/g, "'").replace(/&amp;/g, '&');
/** The rows of all tables: {name: value}. */
const rowsOf = (page) => Object.fromEntries([...page.text.matchAll(/<tr><th>(.*?)<\/th><td><bdi>(.*?)<\/bdi><\/td><\/tr>/gs)].map(([, name, value]) => [unescape(name), unescape(value)]));
const findingsOf = (page) => [...page.text.matchAll(/<li class="(good|note|wrong)"><b>\w+<\/b>(.*?)(?:<small>Where: (.*?)<\/small>)?<\/li>/gs)].map(([, level, what, where]) => ({ level, what: unescape(what), where: where && unescape(where) }));

const open = (site, browser, options) => browser.navigate(site.at(PAGE), options);
/** The report of a test sign-in. */
async function report(site, browser, { query = '', ...options } = {}) {
  return browser.navigate(site.at(`${PAGE}${query}`), { method: 'POST', body: '', from: site.at(PAGE), ...options });
}

function assertSafe(page) {
  const policy = page.response.header('content-security-policy');
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|script-src/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.equal(page.response.header('cache-control'), 'no-store');
  assert.equal(page.response.header('x-frame-options'), 'DENY');
  assert.doesNotMatch(page.text, /<script|javascript:|onerror=|\son\w+=/i);
  assert.doesNotMatch(page.text, /eyJ[\w-]{20,}\.[\w-]{20,}\./, 'a token is on the page');
}

const wrong = (page) => findingsOf(page).filter(({ level }) => level === 'wrong');
const found = (page, what) => findingsOf(page).find((finding) => what.test(finding.what));

describe('the test page', { skip: missing }, () => {
  let site;

  before(async () => {
    site = await start({
      location: `EntraHeader X-Department %{department}\n    EntraEnv ENTRA_STREET %{street}\n    EntraRole chief role=app.admin`,
      extra: `<Location "/app/finance/">\nRequire entra-group ${finance}\n</Location>`,
    });
  });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); });

  test('whom the Require names gets it, after a sign-in that comes back to it', async () => {
    const browser = site.browser();
    const page = await open(site, browser);
    assert.equal(page.status, 200, page.trace);
    assert.equal(page.path, PAGE);
    assert.match(page.text, /<h1>Test sign-in<\/h1>/);
    assertSafe(page);
    const rows = rowsOf(page);
    assert.equal(rows.REMOTE_USER, person('root').upn);
    assert.equal(rows['X-Entra-Object-Id'], person('root').oid);
    assert.equal(rows['object id'], person('root').oid);
    assert.equal(rows['tenant id'], CONTOSO);
    assert.match(rows['ends at the latest'], /^\d{4}-\d\d-\d\dT/);
    assert.match(rows['roles of the token'], /app\.admin/);
    assert.equal(rows['refresh token'], 'kept');
  });

  test('anybody else is refused, without a word of it', async () => {
    const browser = site.browser();
    await site.as('ada');
    const page = await open(site, browser);
    assert.equal(page.status, 403);
    assert.doesNotMatch(page.text, /Test sign-in|REMOTE_USER/);
    const sent = await report(site, browser);
    assert.equal(sent.status, 403);
    assert.equal(sent.visited(/authorize/).length, 0);
    const nobody = await site.httpd.request({ path: PAGE, headers: { Accept: 'application/json' } });
    assertClosed(nobody);
    assert.equal(nobody.status, 401);
  });

  test('a test shows the claims and the header, what the application gets, and the session that would be', async () => {
    const browser = await site.signedIn();
    const page = await report(site, browser);
    assert.equal(page.status, 200, page.trace);
    assert.match(page.text, /<h1>The test sign-in worked<\/h1>/);
    assertSafe(page);
    const rows = rowsOf(page);
    assert.equal(rows['header: alg'], 'RS256');
    assert.match(rows['header: kid'], /./);
    assert.equal(rows.aud, CLIENT);
    assert.equal(rows.oid, person('root').oid);
    assert.equal(rows.preferred_username, person('root').upn);
    assert.match(rows.exp, /^\d+ \(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)$/);
    assert.equal(rows.REMOTE_USER, person('root').upn);
    assert.match(rows['X-Entra-Roles'], /chief/, 'a role that EntraRole gives');
    assert.match(page.text, /Redirect URI: <code>http:\/\/localhost:\d+\/\.entra\/callback</);
    assert.ok(found(page, /Entra came back/), page.text);
    assert.equal(found(page, /Entra came back/).level, 'good');
    assert.equal(found(page, /refresh token/).level, 'good');
    assert.equal(found(page, /clocks .* agree/).level, 'good');
    assert.equal(found(page, /The session takes \d+ bytes in 1 cookie\./).level, 'good');
  });

  test('a test makes no session and changes none: no cookie, no row, no sign-in in the log', async () => {
    const browser = await site.signedIn();
    const cookie = sessionOf(browser);
    let page;
    const log = await site.httpd.logOf(async () => { page = await report(site, browser); });
    assert.equal(page.status, 200);
    assert.equal(sessionOf(browser), cookie);
    assert.ok(page.hops.every(({ response }) => !(response?.cookies ?? []).some((line) => SESSION_COOKIE.test(line.split('=')[0]))));
    assert.doesNotMatch(log, /ENTRA2001|ENTRA2020/);
    assert.equal((await browser.navigate(site.at('/page.html'))).status, 200);
    for (let i = 0; i < 5; i += 1) assert.equal((await report(site, browser)).status, 200, 'not a loop');
  });

  test('another account: Entra asks which, the report is of that one, and the session stays', async () => {
    const browser = await site.signedIn();
    await site.as('ada');
    const page = await report(site, browser, { query: '?account=other' });
    assert.match(page.visited(/\/authorize\?/)[0], /prompt=select_account/);
    assert.equal(rowsOf(page).oid, person('ada').oid);
    assert.equal(rowsOf(page).REMOTE_USER, person('ada').upn);
    assert.match((await browser.fetch(site.at('/.entra/session'))).text, new RegExp(person('root').oid));
  });

  test('HEAD has no body; other methods are refused', async () => {
    const browser = await site.signedIn();
    const cookie = browser.cookies.all.map(({ name, value }) => `${name}=${value}`).join('; ');
    const head = await site.httpd.request({ method: 'HEAD', path: PAGE, headers: { Cookie: cookie } });
    assert.equal(head.status, 200);
    assert.equal(head.text, '');
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const answer = await site.httpd.request({ method, path: PAGE, headers: { Cookie: cookie } });
      assert.equal(answer.status, 405, method);
      assert.equal(answer.header('allow'), 'GET, HEAD, POST');
    }
  });

  test('no groups claim though a Require asks for groups; a claim of a template that is not there', async () => {
    const browser = await site.signedIn();
    await site.emu.control('idtoken', { unset: ['groups', 'department', 'email', 'name'] });
    const page = await report(site, browser);
    const groups = found(page, /no groups claim/);
    assert.equal(groups.level, 'wrong');
    assert.match(groups.where, /App registrations > .* > Token configuration > Add groups claim/);
    for (const name of ['department', 'street']) {
      const finding = found(page, new RegExp(`names the claim ${name} `));
      assert.equal(finding.level, 'wrong', name);
      assert.match(finding.where, /Token configuration > Add optional claim/);
    }
    assert.match(found(page, /no email, so X-Entra-Email/).where, /API permissions/);
    assert.ok(found(page, /no name, so X-Entra-Name/));
  });

  test('overage, no roles, no refresh token', async () => {
    const browser = await site.signedIn();
    await site.emu.control('idtoken', { unset: ['groups', 'roles'], set: { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://graph.windows.net/x' } } } });
    await site.emu.control('token', { unset: ['refresh_token'] });
    const page = await report(site, browser);
    assert.match(page.text, /<h1>The test sign-in worked<\/h1>/);
    const overage = found(page, /more groups than a token holds/);
    assert.equal(overage.level, 'note');
    assert.match(overage.where, /Groups assigned to the application/);
    assert.match(found(page, /no app roles/).where, /App roles/);
    assert.match(found(page, /no refresh token/).where, /offline_access/);
    assert.equal(rowsOf(page)['refresh token'], 'none');
  });

  test('a sign-in that Entra refuses is reported with its number and the mend, not as an error page', async () => {
    const browser = await site.signedIn();
    await site.emu.control('authorize', { error: 'access_denied', error_description: 'AADSTS50105: not assigned' });
    const page = await report(site, browser);
    assert.equal(page.status, 200);
    assert.match(page.text, /<h1>The test sign-in failed<\/h1>/);
    const [first] = wrong(page);
    assert.match(first.what, /The sign-in failed\. ENTRA1310: /);
    assert.match(first.where, /./);
    assert.ok(found(page, /AADSTS50105/));
    assert.match(site.httpd.errorLog(), /ENTRA1310: .*AADSTS50105/);
    assertSafe(page);
  });

  test('a token that is not believed shows no claim', async () => {
    const browser = await site.signedIn();
    site.httpd.expect(/ENTRA1209/);
    await site.emu.control('idtoken', { tamper: 'signature', set: { planted: 'not-to-be-believed' } });
    const page = await report(site, browser);
    assert.match(wrong(page)[0].what, /ENTRA1209/);
    assert.doesNotMatch(page.text, /not-to-be-believed/);
    assert.match(page.text, /none that can be believed/);
    assert.doesNotMatch(page.text, /What the application gets/);
  });

  test('hostile claims are text', async () => {
    const browser = await site.signedIn();
    const evil = '</bdi></td><script>alert(1)</script>"\'&amp;\u202e';
    await site.emu.control('idtoken', { set: { name: evil, [evil]: { [evil]: [evil] }, long: 'x'.repeat(9000), deep: [[[[1]]]], none: null, yes: true } });
    const page = await report(site, browser);
    assert.equal(page.status, 200, page.text);
    assertSafe(page);
    assert.equal(rowsOf(page).name, evil);
    assert.equal(rowsOf(page).deep, '[[[[1]]]]');
    assert.equal(rowsOf(page).yes, 'true');
    assert.ok(page.text.includes('&lt;script&gt;alert(1)&lt;/script&gt;'));
  });

  test('the same state and checks as any sign-in: another browser, an altered state, no session, a code twice', async () => {
    const browser = await site.signedIn();
    const held = await report(site, browser, { stopBefore: isCallback });
    const stranger = site.browser();
    const page = await stranger.navigate(held.url);
    assert.doesNotMatch(page.text, /The test sign-in/, 'another browser');
    assert.equal(site.calls('token'), 1 + 1, 'the code of the test was not redeemed for it, but one of its own');
    const altered = new URL(held.url);
    const state = altered.searchParams.get('state');
    altered.searchParams.set('state', `${state.slice(0, -3)}${state.endsWith('AAA') ? 'BBB' : 'AAA'}`);
    assert.equal((await browser.navigate(altered.href)).status, 400);
    const first = await browser.resume(held);
    assert.match(first.text, /The test sign-in worked/);
    const again = await browser.navigate(held.url);
    assert.match(again.text, /The test sign-in failed/);
    assert.match(wrong(again)[0].what, /ENTRA1321/);
    const late = await report(site, browser, { stopBefore: isCallback });
    for (const { name } of browser.cookies.all.filter((cookie) => SESSION_COOKIE.test(cookie.name))) browser.cookies.drop(name);
    const back = await browser.resume(late);
    assert.equal(back.path, PAGE, 'without a session it begins with one');
    assert.match(back.text, /<h1>Test sign-in<\/h1>/);
  });

  test('the log has no secret of it', async () => {
    const browser = await site.signedIn();
    const log = await site.httpd.logOf(() => report(site, browser));
    assert.doesNotMatch(log, /eyJ|code=[\w.-]{10}/);
    assert.doesNotMatch(site.httpd.accessLog().split('\n').at(-1), /code=/);
  });
});

describe('the test page is for administrators alone', { skip: missing }, () => {
  test('off, as it is without a word: there is nothing', async () => {
    for (const directives of [{ EntraTestPage: null }, { EntraTestPage: 'off' }]) {
      const site = await start({ directives });
      const browser = await site.signedIn();
      const page = await open(site, browser);
      assert.equal(page.status, 404);
      assert.equal((await report(site, browser)).status, 404);
      await site.stop();
    }
  });

  test('on without a Require of its own: configtest names it', () => {
    const cases = [
      ['', false], [`<Location "/.entra">\nRequire valid-user\n</Location>`, false], [`<Location "${PAGE}">\nAuthType Entra\n</Location>`, false],
      [`<Location "/x/.entra/test">\nRequire valid-user\n</Location>`, false], [`<Directory "/">\nRequire all granted\n</Directory>`, false], [GUARD('Require all granted'), false],
      [GUARD(), true], [`<Location ${PAGE}>\nAuthType Entra\nRequire entra-role app.admin\n</Location>`, true],
      [GUARD('<RequireAny>\nRequire entra-role app.admin\nRequire user x\n</RequireAny>'), true],
    ];
    for (const [extra, good] of cases) {
      const { status, output } = siteConfigtest({ directives: { EntraTestPage: 'on' }, extra });
      assert.equal(status === 0, good, `${extra}\n${output}`);
      if (!good) assert.match(output, /ENTRA2144: EntraTestPage on needs a Require of its own.*<Location "\/\.entra\/test">.*\[in /);
    }
    assert.equal(siteConfigtest({ directives: { EntraTestPage: 'on', EntraPath: '/sso' }, extra: GUARD() }).status !== 0, true, 'another EntraPath');
    assert.equal(siteConfigtest({ directives: { EntraTestPage: 'on', EntraPath: '/sso' }, extra: GUARD().replace(PAGE, '/sso/test') }).status, 0);
  });

  test('a Require of another virtual host is none', () => {
    const { status, output } = siteConfigtest({ directives: { EntraTestPage: 'on' }, extra: `<VirtualHost *:81>\nServerName http://localhost:81\n${GUARD()}\n</VirtualHost>` });
    assert.notEqual(status, 0);
    assert.match(output, /ENTRA2144/);
  });

  for (const [what, lines] of [['a Require that asks for no user', 'Require ip 127.0.0.1'], ['another AuthType', 'AuthType None\n    Require method GET POST']]) {
    test(`${what} opens it to nobody`, async () => {
      const site = await start({ guard: `<Location "${PAGE}">\n    AuthType Entra\n    ${lines}\n</Location>` });
      site.httpd.expect(/ENTRA1720/);
      for (const browser of [site.browser(), await site.signedIn()]) {
        const page = await open(site, browser);
        assert.equal(page.status, 403);
        assert.match(page.text, /ENTRA1720/);
        assert.equal((await report(site, browser)).status, 403);
      }
      await site.stop();
    });
  }

  test('a test that comes back after the page was switched off', async () => {
    const site = await start();
    const browser = await site.signedIn();
    const held = await report(site, browser, { stopBefore: isCallback });
    site.httpd.configure({ config: site.httpd.read('httpd.conf').split('\n').filter((line) => /^Entra(?!TestPage|StateDirectory)/.test(line)).concat('<Location "/">\nAuthType Entra\nRequire valid-user\n</Location>').join('\n') });
    await site.httpd.graceful();
    const page = await browser.resume(held);
    assert.equal(page.status, 404);
    assert.match(page.text, /ENTRA1721/);
    await until('the line', () => /ENTRA1721/.test(site.httpd.errorLog()));
    await site.stop();
  });
});
