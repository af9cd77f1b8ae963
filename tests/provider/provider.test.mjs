// SPDX-License-Identifier: Apache-2.0
// Sign-in through a provider that others wrote and that is certified for OpenID Connect: the module and our own emulator could agree on
// the same mistake, this one would not.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Browser } from '../e2e/lib/browser.mjs';
import { headerOf, startEcho } from '../e2e/lib/echo.mjs';
import { missing, startHttpd } from '../e2e/lib/httpd.mjs';
import { ACCOUNT, CLIENT, SECRET, TENANT, startProvider } from './provider.mjs';

let provider;
let echo;

async function startSite(secret, options = {}) {
  const httpd = await startHttpd({
    modules: ['proxy', 'proxy_http'],
    files: { 'client-secret': { content: secret, mode: 0o600 } },
    ...options,
    config: (server) => `
EntraTenant       ${TENANT}
EntraClientID     ${CLIENT}
EntraClientSecret "file:${server.path('client-secret')}"
EntraAuthority    ${provider.authority}
<Location "/">
    AuthType Entra
    Require  valid-user
</Location>
ProxyPass "/" "http://127.0.0.1:${echo.port}/"`,
  });
  provider.register(`${httpd.origin}/.entra/callback`);
  return httpd;
}

const refusals = () => provider.requests.filter(({ error, status }) => error || status >= 400);
const lastTokenCall = () => provider.requests.filter(({ path }) => path?.endsWith('/token')).at(-1);

describe('a certified provider', { skip: missing }, () => {
  let httpd;

  before(async () => {
    provider = await startProvider();
    echo = await startEcho();
    httpd = await startSite(SECRET);
  });

  after(async () => {
    try {
      await httpd?.stop();
    } finally {
      await echo?.close();
      await provider?.close();
    }
  });

  const signedIn = async () => {
    const browser = new Browser();
    const page = await browser.navigate(`${httpd.origin}/timesheet?week=12`);
    assert.equal(page.status, 200, page.trace);
    return { browser, page };
  };

  test('signs a person in, and the application is told who it is', async () => {
    const { page } = await signedIn();
    assert.equal(page.path, '/timesheet?week=12');
    const seen = page.json();
    const values = Object.fromEntries(['User', 'Name', 'Email', 'Object-Id', 'Tenant-Id'].map((name) => [name, headerOf(seen, `X-Entra-${name}`)]));
    assert.deepEqual(values, {
      User: [ACCOUNT.preferred_username], Name: [ACCOUNT.name], Email: [ACCOUNT.email], 'Object-Id': [ACCOUNT.oid], 'Tenant-Id': [TENANT],
    });
    assert.deepEqual(refusals(), []);
    assert.equal(lastTokenCall().status, 200);
  });

  test('finds nothing to object to in what the module asks for', async () => {
    const { page } = await signedIn();
    const [authorize] = page.visited(/\/v2\.0\/auth\?/);
    const query = new URL(authorize).searchParams;
    assert.equal(query.get('code_challenge_method'), 'S256');
    assert.equal(query.get('response_type'), 'code');
    assert.ok(query.get('nonce') && query.get('state'));
    assert.equal(query.has('client_secret'), false);
  });

  test('has a session whose end is known', async () => {
    const { browser } = await signedIn();
    const session = (await browser.fetch(`${httpd.origin}/.entra/session`)).json();
    assert.equal(session.user, ACCOUNT.preferred_username);
    assert.equal(session.oid, ACCOUNT.oid);
  });

  test('changes its signing key: sessions go on, and the next sign-in works', async () => {
    const before = await signedIn();
    provider.rotateKey({ forget: true });
    assert.equal((await before.browser.navigate(`${httpd.origin}/again`)).path, '/again');
    const { page } = await signedIn();
    assert.equal(page.path, '/timesheet?week=12');
  });

  test('signs the person out, and sends the browser back', async () => {
    const { browser } = await signedIn();
    const leaving = await browser.navigate(`${httpd.origin}/.entra/logout?rd=/goodbye`, {
      method: 'POST', body: '', from: `${httpd.origin}/timesheet`, stopBefore: (url) => url.includes('/session/end'),
    });
    assert.equal(new URL(leaving.url).searchParams.get('post_logout_redirect_uri'), `${httpd.origin}/.entra/callback`);
    const question = await browser.resume(leaving);
    assert.equal(question.status, 200, question.trace);
    const onward = await browser.submit(question, { fields: { logout: 'yes' }, follow: false });
    assert.match(onward.response.location ?? '', /\/\.entra\/callback\?state=/, 'the provider knows who asked, and where to go');
    const returned = await browser.navigate(onward.response.location, { from: question.url, stopBefore: (url) => url.includes('/v2.0/auth?') });
    assert.deepEqual(returned.visited(/\/goodbye$/), [`${httpd.origin}/goodbye`]);
    assert.equal((await browser.fetch(`${httpd.origin}/.entra/session`)).status, 401);
  });

  test('refuses a wrong secret: nobody is signed in, and the log says why', async () => {
    const wrong = await startSite('a-wrong-secret', { expectLog: [/ENTRA\d{4}: .*invalid_client/] });
    const browser = new Browser();
    const page = await browser.navigate(`${wrong.origin}/timesheet`);
    assert.ok(page.status >= 500, page.trace);
    assert.equal(browser.cookies.get('Entra-Session'), undefined);
    assert.equal(lastTokenCall().status, 401);
    assert.equal(page.text.includes('a-wrong-secret'), false);
    await wrong.stop();
  });
});
