// SPDX-License-Identifier: Apache-2.0
// Step-up to an authentication context, fresh sign-ins, and what a sign-in asks of Entra: when the browser is sent, what
// comes back counts, and every way in which it must not.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test, { describe } from 'node:test';
import { users as people } from '../emulator/tenants.mjs';
import { assertChallenge, assertClosed, assertPage, assertSignIn, SESSION_COOKIE } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { missing } from './lib/httpd.mjs';
import { CLIENT, isCallback, siteConfig, siteConfigtest, startSite } from './lib/site.mjs';

const oidOf = (key) => people.find((user) => user.key === key).oid;
const NO_CONTEXT = { unset: ['acrs'] };
// httpd's own lines beside ours when Require says no.
const REFUSED_BY_HTTPD = /AH0163[01]/;

const SECTIONS = {
  c1: 'Require entra-acr c1',
  c2: 'Require entra-acr c2',
  either: 'Require entra-acr c7 c1',
  both: '<RequireAll>\nRequire entra-acr c1\nRequire entra-acr c2\n</RequireAll>',
  reader: '<RequireAll>\nRequire entra-acr c1\nRequire entra-role app.reader\n</RequireAll>',
  admin: '<RequireAll>\nRequire entra-acr c1\nRequire entra-role app.admin\n</RequireAll>',
  rolefirst: '<RequireAll>\nRequire entra-role app.admin\nRequire entra-acr c1\n</RequireAll>',
  any: '<RequireAny>\nRequire entra-role app.admin\nRequire entra-acr c1\n</RequireAny>',
  open: '<RequireAny>\nRequire entra-role app.reader\nRequire entra-acr c1\n</RequireAny>',
  nested: '<RequireAny>\n<RequireAll>\nRequire entra-acr c1\nRequire entra-role app.admin\n</RequireAll>\nRequire entra-acr c2\n</RequireAny>',
  not: '<RequireAll>\nRequire valid-user\nRequire not entra-acr c1\n</RequireAll>',
  notothers: '<RequireAll>\n<RequireNone>\nRequire entra-acr c9\n</RequireNone>\nRequire entra-acr c1\n</RequireAll>',
  never: '<RequireAll>\nRequire entra-acr c1\nRequire not entra-acr c1\n</RequireAll>',
  denied: '<RequireAll>\nRequire entra-acr c1\nRequire all denied\n</RequireAll>',
  claim: 'Require entra-claim acrs c1',
  m401: 'Require entra-acr c1\nEntraUnauthenticated 401',
  m403: 'Require entra-acr c1\nEntraUnauthenticated 403',
  mlogin: 'Require entra-acr c1\nEntraUnauthenticated login',
  fresh: 'EntraMaxAuthAge 10m\nRequire valid-user',
  freshc1: 'EntraMaxAuthAge 10m\nRequire entra-acr c1',
  fresh401: 'EntraMaxAuthAge 10m\nEntraUnauthenticated 401\nRequire valid-user',
  fresh403: 'EntraMaxAuthAge 10m\nEntraUnauthenticated 403\nRequire valid-user',
  'fresh/inner': 'Require valid-user',
  'fresh/off': 'EntraMaxAuthAge off\nRequire valid-user',
  'fresh/day': 'EntraMaxAuthAge 1d\nRequire valid-user',
};
const sectionText = (sections) => Object.entries(sections).map(([path, lines]) => `<Location "/app/${path}/">\n${lines}\n</Location>`).join('\n');

const start = ({ sections = SECTIONS, extra = '', ...rest } = {}) => startSite({
  processes: 1, allowLog: [REFUSED_BY_HTTPD], ...rest, extra: (server) => `${sectionText(sections)}\n${typeof extra === 'function' ? extra(server) : extra}`,
});

const go = (site, browser, path, options) => browser.navigate(site.at(`/app/${path}`), options);
/** The authorize requests of a navigation, each as its parameters. */
const asked = (page) => page.visited(/\/authorize\?/).map((url) => new URL(url).searchParams);
const contextsAsked = (page) => asked(page).map((params) => (params.has('claims') ? JSON.parse(params.get('claims')).id_token.acrs.value : null));
const sessionOf = async (site, browser) => (await browser.fetch(site.at('/.entra/session'))).json();
/** Session ids that the log tells of: of the last sign-in or step-up. */
const idsIn = (site) => [...site.httpd.errorLog().matchAll(/ENTRA20(?:01|20): .* session ([0-9a-f]{8})/g)].map(([, id]) => id);
const sessionCookies = (browser) => browser.cookies.all.filter(({ name }) => SESSION_COOKIE.test(name)).map(({ value }) => value).join();
/** Let in, and the application behind it was reached at this path. */
function assertIn(page, url, message = '') {
  assert.equal(page.status, 200, `${message}\n${page.trace}`);
  assert.equal(page.json().url, url, message);
}

describe('step-up', { skip: missing }, () => {
  test('a page that needs a context sends to Entra for it, and the browser comes back to the same page and query', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    const held = await go(site, ada, 'c1/x?id=1&q=a%20b', { follow: false });
    const params = assertSignIn(site, held.response);
    assert.equal(params.get('claims'), '{"id_token":{"acrs":{"essential":true,"value":"c1"}}}');
    assert.equal(params.get('max_age'), null);
    assert.equal(params.get('prompt'), null);
    assert.match(params.get('login_hint'), /^O\./, 'the session\'s own account is asked for');
    const page = await go(site, ada, 'c1/x?id=1&q=a%20b');
    assertIn(page, '/c1/x?id=1&q=a%20b');
    assert.equal(page.path, '/app/c1/x?id=1&q=a%20b');
    assert.deepEqual(contextsAsked(page), ['c1']);
    // One refusal, one line of httpd: the question whether a step-up helps is not in the log.
    assert.equal(site.httpd.errorLog().match(/AH01631/g).length, 2);
    // From then on no detour, here and wherever the context is enough.
    for (const path of ['c1/y', 'either/y', 'any/y', 'reader/y']) {
      const again = await go(site, ada, path, { follow: false });
      assertIn(again, `/${path}`);
    }
    site.httpd.expect(/ENTRA2021: \/app\/c1\/x needs a step-up to c1/, /ENTRA2020: stepped up: .* contexts c1 /);
    await site.stop();
  });

  test('the session is the same one: its id, its beginning and its end stay', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    const before = await sessionOf(site, ada);
    const cookie = sessionCookies(ada);
    await site.emu.control('user', { user: 'ada', set: { roles: ['app.reader', 'app.more'] } });
    const { now } = Date;
    const until = now() + 1100;
    while (now() < until) await ada.fetch(site.at('/.entra/session'));
    assertIn(await go(site, ada, 'c1/x'), '/c1/x');
    const after = await sessionOf(site, ada);
    assert.notEqual(sessionCookies(ada), cookie);
    assert.equal(after.signed_in_at, before.signed_in_at);
    assert.equal(after.ends_at, before.ends_at);
    assert.deepEqual(before.roles, ['app.reader']);
    assert.deepEqual(after.roles, ['app.reader', 'app.more'], 'roles are those of the new token');
    assert.deepEqual(idsIn(site), [idsIn(site)[0], idsIn(site)[0]]);
    await site.stop();
  });

  test('who is not signed in signs in first, and steps up then', async () => {
    const site = await start();
    const page = await go(site, site.browser(), 'c1/x?y');
    assertIn(page, '/c1/x?y');
    assert.deepEqual(contextsAsked(page), [null, 'c1']);
    await site.stop();
  });

  test('a context that the sign-in brings by itself needs no step-up', async () => {
    const site = await start();
    await site.emu.control('idtoken', { set: { acrs: ['c1', 'c5'] }, count: 1 });
    const page = await go(site, site.browser(), 'c1/x');
    assertIn(page, '/c1/x');
    assert.equal(asked(page).length, 1);
    await site.stop();
  });

  test('only where it helps: a step-up is asked for when the other rules are content', async () => {
    const site = await start();
    const rows = [
      // path, contexts asked for by ada (app.reader), status in the end
      ['either', ['c1'], 200], ['both', ['c1', 'c2'], 200], ['reader', ['c1'], 200], ['admin', [], 403], ['rolefirst', [], 403], ['any', ['c1'], 200],
      ['open', [], 200], ['nested', ['c2'], 200], ['not', [], 200], ['notothers', ['c1'], 200], ['never', [], 403], ['denied', [], 403], ['claim', [], 403],
    ];
    for (const [path, contexts, status] of rows) {
      await site.emu.control('signout', {});
      const ada = await site.signedIn({ user: 'ada' });
      const page = await go(site, ada, `${path}/x`);
      assert.equal(page.status, status, `${path}: ${page.trace}`);
      assert.deepEqual([...contextsAsked(page)].sort(), [...contexts].sort(), path);
      // What denies everybody is httpd's own no, before anybody is asked for.
      if (status === 403 && path !== 'denied') assertPage(site, page.response, 403, 1502, path);
    }
    // A rule under "not" holds against who has the context.
    const ada = await site.signedIn({ user: 'ada' });
    assertIn(await go(site, ada, 'c1/x'), '/c1/x');
    assert.equal((await go(site, ada, 'not/x', { follow: false })).status, 403);
    const root = await site.signedIn({ user: 'root' });
    const page = await go(site, root, 'any/x', { follow: false });
    assert.equal(page.status, 200, 'an administrator needs none');
    await site.stop();
  });

  test('two contexts of one page are asked for one after the other, though a token names only the one', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    const first = await go(site, ada, 'both/x', { stopBefore: isCallback });
    await site.emu.control('idtoken', { set: { acrs: ['c1'] }, count: 1 });
    const second = await ada.resume(first, { stopBefore: (url) => isCallback(url) && url !== first.url });
    await site.emu.control('idtoken', { set: { acrs: ['c2'] }, count: 1 });
    const page = await ada.resume(second);
    assertIn(page, '/both/x');
    site.httpd.expect(/stepped up: .* contexts c1,c2 /);
    await site.stop();
  });

  test('a token without the context ends in an explanation, and not in one more round', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    const cookie = sessionCookies(ada);
    for (let round = 0; round < 3; round += 1) {
      for (const shape of [NO_CONTEXT, { set: { acrs: [] } }, { set: { acrs: ['c2', 'C1', 'c11'] } }]) {
        await site.emu.control('idtoken', { ...shape, count: 1 });
        const page = await go(site, ada, 'c1/x?keep=1');
        assertPage(site, page.response, 502, 1510, page.trace);
        assert.equal(asked(page).length, 1, page.trace);
        const again = new URL(page.links[0], page.url);
        assert.equal(again.pathname + again.search, '/.entra/login?rd=%2Fapp%2Fc1%2Fx%3Fkeep%3D1&acr=c1');
        assert.equal(sessionCookies(ada), cookie, 'the session is as it was');
      }
    }
    site.httpd.expect(/ENTRA1510: .*Conditional Access policy/);
    // What works, works by the page's own link.
    await site.emu.control('idtoken', { ...NO_CONTEXT, count: 1 });
    const failed = await go(site, ada, 'c1/x?keep=1');
    const page = await ada.click(failed, failed.links[0]);
    assertIn(page, '/c1/x?keep=1');
    await site.stop();
  });

  test('an acrs claim that is none refuses, where the configuration reads it', async () => {
    const site = await start();
    for (const acrs of ['c1', 7, { c1: true }, [['c1']], ['c1', null], ['c1\n']]) {
      await site.emu.control('idtoken', { set: { acrs }, count: 1 });
      const page = await go(site, site.browser(), 'c1/x');
      assertPage(site, page.response, 502, 1411, JSON.stringify(acrs));
    }
    site.httpd.expect(/ENTRA1411: .*acrs/);
    await site.stop();
    const plain = await start({ sections: {} });
    await plain.emu.control('idtoken', { set: { acrs: 'c1' }, count: 1 });
    await plain.signedIn({ user: 'ada' });
    await plain.stop();
  });

  test('a form of a protected page comes back to its page', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    const page = await go(site, ada, 'c1/send', { method: 'POST', body: 'a=1', from: site.at('/app/c1form?x=2') });
    assert.deepEqual(contextsAsked(page), ['c1']);
    assertIn(page, '/c1form?x=2');
    assert.ok(!site.backend.requests.some(({ method, url }) => method === 'POST' || url.startsWith('/c1/')), 'the form was not sent without the context');
    await site.stop();
  });

  test('fetch gets the claims challenge and an address to step up at', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    const login = `${site.origin}/.entra/login?rd=%2Fpage.html%3Fx&acr=c1`;
    for (const [path, method] of [['c1/data', 'GET'], ['c1/data', 'POST'], ['m401/data', 'GET']]) {
      const response = await ada.fetch(site.at(`/app/${path}`), { from: site.at('/page.html?x'), method });
      assert.equal(response.status, 401, path);
      assertClosed(response);
      assert.match(response.header('content-type'), /^application\/problem\+json/);
      const problem = response.json();
      assert.deepEqual(Object.keys(problem).sort(), ['advice', 'detail', 'error', 'id', 'login', 'status', 'title', 'type']);
      assert.equal(problem.login, login);
      assert.equal(problem.error, 'ENTRA1513');
      const [challenge, ...more] = response.all('www-authenticate');
      assert.deepEqual(more, []);
      const claims = /^Bearer realm="", error="insufficient_claims", claims="([A-Za-z0-9+/=]+)"$/.exec(challenge)?.[1];
      assert.equal(Buffer.from(claims, 'base64').toString(), '{"id_token":{"acrs":{"essential":true,"value":"c1"}}}');
    }
    // The same for a program that is not signed in is a sign-in.
    assertChallenge(site, await site.browser().fetch(site.at('/app/c1/data'), { from: site.at('/page.html') }), { back: '/page.html' });
    const page = await ada.navigate(login);
    assert.deepEqual(contextsAsked(page), ['c1']);
    assert.equal(page.path, '/page.html?x');
    assert.equal((await ada.fetch(site.at('/app/c1/data'))).status, 200);
    // Denied for another reason: 403 as ever.
    const denied = await ada.fetch(site.at('/app/admin/data'));
    assert.equal(denied.status, 403);
    assert.equal(denied.json().error, 'ENTRA1502');
    await site.stop();
  });

  test('EntraUnauthenticated says how: 401 page with a link, 403, or always the redirect', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    const page = await go(site, ada, 'm401/x?1');
    assertPage(site, page.response, 401, 1513);
    assert.equal(page.links[0].replace(site.origin, ''), '/.entra/login?rd=%2Fapp%2Fm401%2Fx%3F1&acr=c1');
    assertPage(site, (await go(site, ada, 'm403/x')).response, 403, 1502);
    assertSignIn(site, await ada.fetch(site.at('/app/mlogin/x')));
    assertIn(await ada.click(page, page.links[0]), '/m401/x?1');
    await site.stop();
  });

  test('nobody steps up into another account', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    const cookie = sessionCookies(ada);
    await site.as('root');
    const page = await go(site, ada, 'c1/x');
    assertPage(site, page.response, 403, 1511, page.trace);
    assert.match(page.text, /another account/);
    assert.equal(new URL(page.links[0], page.url).pathname, '/.entra/logout');
    assert.equal(sessionCookies(ada), cookie);
    assert.equal((await sessionOf(site, ada)).oid, oidOf('ada'));
    site.httpd.expect(new RegExp(`ENTRA1511: .*oid ${oidOf('root')} of .* the session's is oid ${oidOf('ada')}`));
    // Another tenant's user of the same object id is another user.
    await site.as('ada');
    await site.emu.control('idtoken', { set: { oid: oidOf('root') }, count: 1 });
    assertPage(site, (await go(site, ada, 'c1/x')).response, 403, 1511);
    assertIn(await go(site, ada, 'c1/x'), '/c1/x');
    await site.stop();
  });

  test('a session that is gone meanwhile: an ordinary new sign-in, also of somebody else', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    const held = await site.begin(ada, '/app/c1/x?a');
    for (const { name } of ada.cookies.all.filter((cookie) => SESSION_COOKIE.test(cookie.name))) ada.cookies.drop(name);
    assertIn(await ada.resume(held), '/c1/x?a');
    assert.equal(new Set(idsIn(site)).size, 2);
    await site.emu.control('signout', {});
    const other = await site.signedIn({ user: 'ada' });
    await site.as('root');
    const switched = await site.begin(other, '/app/c2/x');
    for (const { name } of other.cookies.all.filter((cookie) => SESSION_COOKIE.test(cookie.name))) other.cookies.drop(name);
    assertIn(await other.resume(switched), '/c2/x');
    assert.equal((await sessionOf(site, other)).oid, oidOf('root'));
    await site.stop();
  });

  test('a callback of a step-up that is reloaded lands on its page, and redeems nothing', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    const held = await site.begin(ada, '/app/c1/x?r');
    const tokens = site.calls('token');
    assertIn(await ada.resume(held), '/c1/x?r');
    assert.equal(site.calls('token'), tokens + 1);
    for (let i = 0; i < 3; i += 1) assertIn(await ada.resume(held), '/c1/x?r');
    assert.equal(site.calls('token'), tokens + 1);
    await site.stop();
  });

  test('a step-up is redeemed though the session is younger than its beginning', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    const held = await site.begin(ada, '/app/c1/x');
    await ada.navigate(site.at('/.entra/login?rd=/page.html'));
    const page = await ada.resume(held);
    assertIn(page, '/c1/x');
    assert.equal(asked(page).length, 0, page.trace);
    await site.stop();
  });

  test('two tabs step up at once, to one context and to two', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    const one = await site.begin(ada, '/app/c1/one');
    const two = await site.begin(ada, '/app/c1/two');
    const three = await site.begin(ada, '/app/c2/three');
    const tokens = site.calls('token');
    assertIn(await ada.resume(two), '/c1/two');
    assertIn(await ada.resume(one), '/c1/one');
    assertIn(await ada.resume(three), '/c2/three');
    assert.equal(site.calls('token'), tokens + 2, 'the second tab found the context there');
    for (const path of ['c1/a', 'c2/a', 'both/a']) assertIn(await go(site, ada, path, { follow: false }), `/${path}`);
    await site.stop();
  });

  test('a browser that does not keep the stronger session gets an explanation', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    ada.acceptCookies = (line) => !SESSION_COOKIE.test(line.slice(0, line.indexOf('=')));
    const page = await go(site, ada, 'c1/x');
    assertPage(site, page.response, 400, 1512, page.trace);
    assert.equal(asked(page).length, 2, page.trace);
    site.httpd.expect(/ENTRA1512: .*c1/);
    ada.acceptCookies = () => true;
    assertIn(await ada.click(page, page.links[0]), '/c1/x');
    await site.stop();
  });

  test('login takes the contexts of the configuration, and no word of anybody else', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    for (const acr of ['c3', 'C1', 'c1%20', '', 'c1%22%7D', '%22', 'c1%2Cc2', 'c1%00', 'c1&acr=c2']) {
      const response = await ada.navigate(site.at(`/.entra/login?rd=/app/c1/x&acr=${acr}`), { follow: false });
      assert.equal(response.status, 400, acr);
      assertClosed(response.response);
    }
    site.httpd.expect(/ENTRA1514: .*context c3/);
    for (const [age, status] of [['600', 302], ['0', 400], ['-1', 400], ['1e3', 400], ['', 400], ['9999999999', 400], ['600x', 400]]) {
      const page = await ada.navigate(site.at(`/.entra/login?rd=/page.html&max_age=${age}`), { follow: false });
      assert.equal(page.status, status, age);
      if (status === 302) assert.equal(assertSignIn(site, page.response).get('max_age'), age);
    }
    for (const query of ['prompt=none', 'claims=%7B%7D', 'login_hint=x', 'domain_hint=evil.example', 'acr_values=c3']) {
      const params = assertSignIn(site, (await ada.navigate(site.at(`/.entra/login?rd=/page.html&${query}`), { follow: false })).response, query);
      for (const name of ['prompt', 'claims', 'login_hint', 'domain_hint', 'acr_values']) assert.equal(params.get(name), null, query);
    }
    const params = assertSignIn(site, (await ada.navigate(site.at('/.entra/login?rd=/x&acr=c1&max_age=600'), { follow: false })).response);
    assert.match(params.get('claims'), /"c1"/);
    // Wishes that nobody sealed, and a state in their place.
    const state = params.get('state');
    for (const wishes of ['x', state, '']) {
      const page = await ada.navigate(site.at(`/.entra/login?rd=/x&hop=1&wishes=${encodeURIComponent(wishes)}`), { follow: false });
      assert.equal(page.status, 400, wishes);
    }
    await site.stop();
  });

  test('Entra\'s own refusal of a step-up is a page, and the session goes on', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    await site.emu.control('authorize', { error: 'access_denied', error_description: 'AADSTS53003: Blocked.', count: 1 });
    const page = await go(site, ada, 'c1/x');
    assertPage(site, page.response, 403, 1310, page.trace);
    assertIn(await go(site, ada, 'other'), '/other');
    assertIn(await go(site, ada, 'c1/x'), '/c1/x');
    await site.stop();
  });

  test('a .htaccess asks for contexts that the configuration knows, and for no others', async () => {
    const site = await start({
      extra: '<Directory "/">\nAllowOverride AuthConfig\n</Directory>',
      location: '',
      protect: false,
      files: {
        'htdocs/ht/known/x.html': 'known', 'htdocs/ht/known/.htaccess': 'AuthType Entra\nRequire entra-acr c1\n',
        'htdocs/ht/new/x.html': 'new', 'htdocs/ht/new/.htaccess': 'AuthType Entra\nRequire entra-acr c44\n',
        'htdocs/ht/prompt/x.html': 'prompt', 'htdocs/ht/prompt/.htaccess': 'AuthType Entra\nEntraPrompt login\nEntraMaxAuthAge 5m\nRequire valid-user\n',
      },
    });
    const page = await site.browser().navigate(site.at('/ht/known/x.html'));
    assert.equal(page.text, 'known', page.trace);
    assert.deepEqual(contextsAsked(page), [null, 'c1']);
    assert.equal((await site.browser().navigate(site.at('/ht/new/x.html'))).status, 500);
    site.httpd.expect(/Require entra-acr c44: .*only this \.htaccess/);
    const params = assertSignIn(site, (await site.browser().navigate(site.at('/ht/prompt/x.html'), { follow: false })).response);
    assert.deepEqual([params.get('prompt'), params.get('max_age')], ['login', '300']);
    await site.stop();
  });
});

describe('step-up by the contexts of a tenant', { skip: missing }, () => {
  const TENANT = { c1: {}, c2: { users: ['root'] }, c7: { omit: true }, c5: { opportunistic: true } };
  const sections = { c1: SECTIONS.c1, c2: SECTIONS.c2, c5: 'Require entra-acr c5', c7: 'Require entra-acr c7' };

  test('a context is had by who may have it; one without a policy, or of other users, is explained', async () => {
    const site = await start({ sections });
    await site.emu.control('contexts', { contexts: TENANT });
    const ada = await site.signedIn({ user: 'ada' });
    assertIn(await go(site, ada, 'c5/x', { follow: false }), '/c5/x', 'the optional claim names it by itself');
    const page = await go(site, ada, 'c1/x');
    assertIn(page, '/c1/x');
    assert.deepEqual(contextsAsked(page), ['c1']);
    const omitted = await go(site, ada, 'c7/x');
    assertPage(site, omitted.response, 502, 1510, omitted.trace);
    site.httpd.expect(/ENTRA1510: .*: c7 for oid/);
    const refused = await go(site, ada, 'c2/x');
    assert.notEqual(refused.status, 200, refused.trace);
    assert.equal(asked(refused).length, 1, refused.trace);
    assertClosed(refused.response);
    const root = await site.signedIn({ user: 'root' });
    await site.as('root');
    assertIn(await go(site, root, 'c2/x'), '/c2/x');
    // What the session has it keeps, though the last token did not name it.
    for (const path of ['c1/y', 'c5/y']) assertIn(await go(site, ada, path, { follow: false }), `/${path}`);
    await site.stop();
  });

  test('without the optional claims in the registration: a context is named when asked for, auth_time never', async () => {
    const site = await start();
    const { clients } = await (await fetch(`${site.emu.url}/_control/client`)).json();
    const own = clients.find(({ id }) => id === CLIENT);
    await site.emu.control('client', { client_id: CLIENT, set: { optionalClaims: own.optionalClaims.filter((name) => !['acrs', 'auth_time'].includes(name)) } });
    await site.emu.control('contexts', { contexts: TENANT });
    const ada = await site.signedIn({ user: 'ada' });
    assertIn(await go(site, ada, 'c1/x'), '/c1/x');
    const page = await go(site, ada, 'fresh/x');
    assertPage(site, page.response, 502, 1515, page.trace);
    site.httpd.expect(/ENTRA1515/);
    await site.stop();
  });
});

describe('step-up and the end of the session', { skip: missing || noClock }, () => {
  test('stepping up shortly before the end does not move it', async () => {
    const site = await start({ clock: true, directives: { EntraSessionIdleTimeout: 'off', EntraSessionRevalidate: 'off' } });
    const pass = async (seconds) => {
      site.httpd.clock.forward(seconds);
      await site.emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
    };
    const ada = await site.signedIn({ user: 'ada' });
    await pass(4 * 3600);
    const first = await go(site, ada, 'c1/x');
    assertIn(first, '/c1/x');
    assert.deepEqual(contextsAsked(first), ['c1']);
    await pass(4 * 3600 - 120);
    const second = await go(site, ada, 'c2/x');
    assertIn(second, '/c2/x');
    assert.deepEqual(contextsAsked(second), ['c2']);
    await pass(150);
    assertSignIn(site, (await go(site, ada, 'c1/x', { follow: false })).response);
    site.httpd.expect(/ENTRA1403/);
    await site.stop();
  });
});

describe('step-up in unusual places', { skip: missing }, () => {
  test('a virtual host keeps the contexts that the main server\'s sections name', async () => {
    const site = await startSite({
      processes: 1,
      allowLog: [REFUSED_BY_HTTPD],
      config: (server, { emu, backend }) => `<Location "/app/main/">\nRequire entra-acr c5\n</Location>
<VirtualHost *:${server.port}>\nServerName http://localhost:${server.port}\n${siteConfig(server, { emu, backend, location: 'AuthMerging And' })}\n</VirtualHost>`,
    });
    const page = await go(site, site.browser(), 'main/x');
    assertIn(page, '/main/x');
    assert.deepEqual(contextsAsked(page), [null, 'c5']);
    await site.stop();
  });

  test('a front controller and an ErrorDocument', async () => {
    const site = await start({
      modules: ['rewrite'],
      files: { 'htdocs/front/c.html': 'front-controller', 'htdocs/step.html': 'own-page' },
      extra: (server) => `<Directory "${server.docroot}/front">\nRewriteEngine on\nRewriteCond %{REQUEST_URI} !c\\.html$\nRewriteRule . /front/c.html [L]\n</Directory>
<Location "/front/c.html">\nRequire entra-acr c1\n</Location>
<Location "/app/own/">\nRequire entra-acr c1\nEntraUnauthenticated 401\nErrorDocument 401 "own %{ENV:ENTRA_ERROR}"\n</Location>`,
    });
    const ada = await site.signedIn({ user: 'ada' });
    const own = await go(site, ada, 'own/x');
    assert.deepEqual([own.status, own.text], [401, 'own ENTRA1513']);
    assert.match(own.header('www-authenticate'), /^Bearer realm="", error="insufficient_claims"/);
    const page = await ada.navigate(site.at('/front/some/where?x=1'));
    assert.equal(page.text, 'front-controller', page.trace);
    assert.equal(page.path, '/front/some/where?x=1');
    assert.deepEqual(contextsAsked(page), ['c1']);
    await site.stop();
  });

  test('another user by Basic has no contexts, and is not sent to step up', async () => {
    const site = await start({
      modules: ['auth_basic', 'authn_file'],
      files: { users: `ada:{SHA}${createHash('sha1').update('pass word').digest('base64')}\n` },
      extra: (server) => `<Location "/app/basic/">\nAuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile "${server.path('users')}"\nRequire entra-acr c1\n</Location>`,
    });
    const ada = await site.signedIn({ user: 'ada' });
    assertIn(await go(site, ada, 'c1/x'), '/c1/x');
    const page = await go(site, ada, 'basic/x', { headers: { Authorization: `Basic ${Buffer.from('ada:pass word').toString('base64')}` }, follow: false });
    assert.equal(page.status, 401);
    assert.match(page.header('www-authenticate'), /^Basic /);
    site.httpd.expect(/AH01629/);
    await site.stop();
  });
});

describe('EntraMaxAuthAge', { skip: missing }, () => {
  const old = (site, user = 'ada', ageSeconds = 7200) => site.emu.control('auto', { user, ageSeconds });

  test('a sign-in that is old at Entra is made afresh, within the same session, and back on the same page', async () => {
    const site = await start();
    await old(site);
    const ada = await site.signedIn({});
    const before = await sessionOf(site, ada);
    const page = await go(site, ada, 'fresh/x?1=2');
    assertIn(page, '/fresh/x?1=2');
    assert.deepEqual(asked(page).map((params) => [params.get('max_age'), params.get('claims')]), [['600', null]]);
    assert.match(asked(page)[0].get('login_hint'), /^O\./);
    assertIn(await go(site, ada, 'fresh/y', { follow: false }), '/fresh/y');
    assert.equal((await sessionOf(site, ada)).ends_at, before.ends_at);
    assert.equal(new Set(idsIn(site)).size, 1);
    await site.stop();
  });

  test('who signs in there first is asked for a fresh sign-in at once', async () => {
    const site = await start();
    await old(site);
    const page = await go(site, site.browser(), 'fresh/x');
    assertIn(page, '/fresh/x');
    assert.deepEqual(asked(page).map((params) => params.get('max_age')), ['600']);
    // And not for one where the sign-in is fresh enough.
    await site.emu.control('signout', {});
    const other = await site.signedIn({ user: 'ada' });
    assertIn(await go(site, other, 'fresh/x', { follow: false }), '/fresh/x');
    await site.stop();
  });

  test('the bound is the age and the skew, and not a minute more', async () => {
    const site = await start({ directives: { EntraClockSkew: '2m' } });
    for (const [age, status] of [[600, 200], [690, 200], [750, 302], [7200, 302]]) {
      await old(site, 'ada', age);
      const ada = await site.signedIn({});
      assert.equal((await go(site, ada, 'fresh/x', { follow: false })).status, status, `${age} s`);
      assert.equal((await go(site, ada, 'fresh/off/x', { follow: false })).status, 200, 'off takes it away');
      assert.equal((await go(site, ada, 'fresh/day/x', { follow: false })).status, 200, 'an inner section may be milder');
      assert.equal((await go(site, ada, 'fresh/inner/x', { follow: false })).status, status, 'an inner section inherits');
    }
    await site.stop();
  });

  test('without auth_time nothing is fresh: explained, not repeated', async () => {
    const site = await start();
    await site.emu.control('idtoken', { unset: ['auth_time'] });
    const ada = await site.signedIn({ user: 'ada' });
    const cookie = sessionCookies(ada);
    for (const browser of [ada, ada, site.browser()]) {
      const page = await go(site, browser, 'fresh/x');
      assertPage(site, page.response, 502, 1515, page.trace);
      assert.equal(asked(page).length, 1, page.trace);
    }
    assert.equal(sessionCookies(ada), cookie);
    site.httpd.expect(/ENTRA1515: .*optional claim auth_time/);
    await site.stop();
  });

  test('an auth_time that is older than asked, or of tomorrow, is not believed', async () => {
    const site = await start();
    const ada = await site.signedIn({ user: 'ada' });
    for (const seconds of [-7200, 7200]) {
      await site.emu.control('idtoken', { set: { auth_time: { $now: seconds } } });
      const browser = seconds < 0 ? site.browser() : ada;
      const page = await browser.navigate(site.at('/.entra/login?rd=/app/fresh/x&max_age=600'), { stopBefore: (url) => url.endsWith('/app/fresh/x') });
      if (browser === ada) {
        // The session is fresh already, so the callback needs no code.
        assert.ok(page.held, page.trace);
        continue;
      }
      assertPage(site, page.response, 502, 1516, page.trace);
    }
    const future = await go(site, site.browser(), 'fresh/x');
    assertPage(site, future.response, 502, 1516, future.trace);
    site.httpd.expect(/ENTRA1516/);
    await site.stop();
  });

  test('fetch gets 401 with an address that asks for a fresh sign-in; the sections\' mode counts', async () => {
    const site = await start();
    await old(site);
    const ada = await site.signedIn({});
    const response = await ada.fetch(site.at('/app/fresh/data'), { from: site.at('/page.html') });
    assert.equal(response.status, 401);
    assert.equal(response.json().error, 'ENTRA1517');
    assert.equal(response.json().login, `${site.origin}/.entra/login?rd=%2Fpage.html&max_age=600`);
    assert.equal(response.header('www-authenticate'), `Entra login="${response.json().login}"`);
    const page = await go(site, ada, 'fresh401/x');
    assertPage(site, page.response, 401, 1517);
    assertPage(site, (await go(site, ada, 'fresh403/x')).response, 403, 1505);
    assert.equal((await ada.navigate(response.json().login)).path, '/page.html');
    assert.equal((await ada.fetch(site.at('/app/fresh/data'))).status, 200);
    await site.stop();
  });

  test('together with a context: both are asked for, and both are had', async () => {
    const site = await start();
    await old(site);
    const ada = await site.signedIn({});
    const page = await go(site, ada, 'freshc1/x');
    assertIn(page, '/freshc1/x');
    assert.deepEqual(asked(page).map((params) => [params.get('max_age'), params.has('claims')]), [['600', false], [null, true]]);
    await site.stop();
  });

  test('another account is refused, and a lost cookie ends in an explanation', async () => {
    const site = await start();
    await old(site);
    const ada = await site.signedIn({});
    await site.as('root');
    const page = await go(site, ada, 'fresh/x');
    assertPage(site, page.response, 403, 1511, page.trace);
    await site.as('ada');
    ada.acceptCookies = (line) => !SESSION_COOKIE.test(line.slice(0, line.indexOf('=')));
    const lost = await go(site, ada, 'fresh/x');
    assertPage(site, lost.response, 400, 1512, lost.trace);
    site.httpd.expect(/ENTRA1512: .*fresh sign-in/);
    await site.stop();
  });
});

describe('prompt and hints', { skip: missing }, () => {
  const HINTS = {
    login: 'EntraPrompt login',
    choose: 'EntraPrompt select_account\nEntraDomainHint contoso.example',
    consent: 'EntraPrompt consent',
    hint: 'EntraLoginHint ada@contoso.example\nEntraDomainHint organizations',
    'hint/inner': 'EntraMaxAuthAge 2h',
    'hint/off': 'EntraLoginHint off\nEntraDomainHint off',
    'hint/choose': 'EntraPrompt select_account',
    'choose/hint': 'EntraLoginHint bob@contoso.example',
    'login/off': 'EntraPrompt off',
    'login/c1': 'Require entra-acr c1',
  };
  const wishes = async (site, path) => {
    const params = assertSignIn(site, (await go(site, site.browser(), `${path}/x`, { follow: false })).response, path);
    return ['prompt', 'login_hint', 'domain_hint', 'max_age'].map((name) => params.get(name));
  };

  test('they go into the authorize request of a sign-in that begins there, and are inherited', async () => {
    const site = await start({ sections: HINTS });
    for (const [path, expected] of Object.entries({
      none: [null, null, null, null],
      login: ['login', null, null, null],
      choose: ['select_account', null, 'contoso.example', null],
      consent: ['consent', null, null, null],
      hint: [null, 'ada@contoso.example', 'organizations', null],
      'hint/inner': [null, 'ada@contoso.example', 'organizations', '7200'],
      'hint/off': [null, null, null, null],
      'hint/choose': ['select_account', null, 'organizations', null],
      'choose/hint': [null, 'bob@contoso.example', 'contoso.example', null],
      'login/off': [null, null, null, null],
    })) assert.deepEqual(await wishes(site, path), expected, path);
    await site.stop();
  });

  test('a step-up names the session\'s account and has no prompt', async () => {
    const site = await start({ sections: HINTS });
    const page = await go(site, site.browser(), 'login/c1/x');
    assertIn(page, '/login/c1/x');
    assert.deepEqual(asked(page).map((params) => [params.get('prompt'), params.has('claims'), params.has('login_hint')]), [['login', false, false], [null, true, true]]);
    await site.stop();
  });

  test('they survive a sign-in that begins again, and the way to the public origin', async () => {
    const site = await start({ sections: HINTS });
    const browser = site.browser();
    const held = await site.begin(browser, '/app/login/x');
    browser.cookies.clear();
    const again = await browser.resume(held, { stopBefore: (url) => isCallback(url) && url !== held.url });
    assert.deepEqual(asked(again).map((params) => params.get('prompt')), ['login'], again.trace);
    const page = await site.browser().navigate(`http://127.0.0.1:${site.httpd.port}/app/hint/inner/x?q`, { stopBefore: isCallback });
    assert.equal(page.visited(/\/login\?rd=.*&hop=1&wishes=/).length, 1, page.trace);
    assert.doesNotMatch(decodeURIComponent(page.visited(/hop=1/)[0]), /ada@|contoso/, 'sealed');
    assert.deepEqual(asked(page).map((params) => [params.get('login_hint'), params.get('domain_hint'), params.get('max_age')]), [['ada@contoso.example', 'organizations', '7200']]);
    await site.stop();
  });

  test('what may not be written is said at configtest, with the mend', async () => {
    for (const [lines, mend] of [
      ['EntraPrompt none', /EntraPrompt: none would forbid .* write off/],
      ['EntraPrompt create', /EntraPrompt: 'create' is unknown; write one of login, select_account, consent, off/],
      ['EntraLoginHint ada@contoso.example\nEntraPrompt select_account', /EntraPrompt: .*EntraLoginHint.*remove one of the two/],
      ['EntraPrompt select_account\nEntraLoginHint ada@contoso.example', /EntraLoginHint: .*EntraPrompt select_account.*remove one of the two/],
      [`EntraLoginHint ${'a'.repeat(257)}`, /EntraLoginHint: the hint is empty, longer than 256/],
      ['EntraLoginHint "a\tb"', /EntraLoginHint: .*control character/],
      ['EntraDomainHint nodots', /EntraDomainHint: 'nodots' is no domain; write one like example\.com/],
      ['EntraMaxAuthAge 30s', /EntraMaxAuthAge: must be at least 1m/],
      ['EntraMaxAuthAge 400d', /EntraMaxAuthAge: .*at most 365d/],
      ['EntraMaxAuthAge soon', /EntraMaxAuthAge: 'soon' is no duration/],
      ['Require entra-acr', /Require entra-acr : at least one value/],
      ['Require entra-acr c1"', /Require entra-acr .*is no id of an authentication context/],
      [`Require entra-acr ${'c'.repeat(33)}`, /is no id of an authentication context/],
      [`Require entra-acr ${Array.from({ length: 65 }, (_, i) => `c${i}`).join(' ')}`, /ENTRA4033: .*65 authentication contexts, and at most 64/],
    ]) {
      const { status, output } = await siteConfigtest({ location: lines });
      assert.notEqual(status, 0, lines);
      assert.match(output, mend, lines);
    }
    const { status, output } = await siteConfigtest({ location: 'EntraPrompt login\nEntraLoginHint ada@contoso.example\nEntraDomainHint consumers\nEntraMaxAuthAge 1m\nRequire entra-acr c1 c99' });
    assert.equal(status, 0, output);
  });
});
