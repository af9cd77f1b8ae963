// SPDX-License-Identifier: Apache-2.0
// The configurations of the manual's topic pages: each runs as it stands there, and lets in and refuses whom the page says.

import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { CLIENT, groups, OTHER_CLIENT, users } from '../emulator/tenants.mjs';
import { headerOf } from './lib/echo.mjs';
import { missing } from './lib/httpd.mjs';
import { assertClosedToStrangers, withRecipe } from './lib/recipe.mjs';

const ADA = 'ada@contoso.example';
const person = (key) => users.find((user) => user.key === key);
const upnOf = (key) => person(key).upn;
const group = (key) => groups.find((entry) => entry.key === key).id;

const blocksOf = (page) => [...readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8').matchAll(/^```apache\n([\s\S]*?)^```/gm)].map(([, text]) => text);

/** What is no site by itself, in the smallest one. */
const siteOf = (block) => (block.includes('<VirtualHost') ? block : `<VirtualHost *:443>
    ServerName        https://app.example.com
    EntraTenant       8d6f4f0e-0000-4000-8000-3a6c2f1b7c11
    EntraClientID     4b1d8c3a-0000-4000-8000-9d2e5f7a6b10
    EntraClientSecret file:/etc/apache2/entra/client-secret
    <Location "/">
        AuthType Entra
        Require  valid-user
    </Location>
${block}
${block.includes('ProxyPass') ? '' : 'ProxyPass "/" "http://127.0.0.1:8080/"'}
</VirtualHost>
`);

/** A page of somebody who signs in for it; the application is reached, or never hears of it. */
async function visit(recipe, user, target, status, { ageSeconds = 0, nameOf = upnOf } = {}) {
  const [browser, before] = [recipe.browser(), recipe.backend.requests.length];
  await recipe.emu.control('auto', { user, ageSeconds });
  const page = await browser.navigate(recipe.at(target));
  await recipe.emu.control('auto', { user: 'ada' });
  assert.equal(page.status, status, `${user}, ${target}\n${page.trace}\n${page.text.slice(0, 400)}`);
  if (status === 200) {
    assert.deepEqual([page.json().url, headerOf(page.json(), 'x-entra-user')], [target, [nameOf(user)]]);
  } else {
    assert.equal(recipe.backend.requests.length, before, `${user}, ${target}: the application was asked`);
    if (status === 403) recipe.httpd.expect(new RegExp(`AH01631: user ${nameOf(user)}: .*"${target}"`));
  }
  return { browser, page, asked: page.visited(/\/authorize\?/).map((url) => new URL(url).searchParams) };
}

const change = (recipe, user, set) => recipe.emu.control('user', { user, set });
const rolesIn = ({ page }) => headerOf(page.json(), 'x-entra-roles').join();
const call = (recipe, token, target = '/api/') => recipe.browser().fetch(recipe.at(target), { headers: { Authorization: `Bearer ${token}` } });
const mint = async (recipe, more) => (await recipe.emu.control('mint', { kind: 'access', client_id: OTHER_CLIENT, resource: CLIENT, ...more })).token;

/** page: {name of a case: [a line of its block, what stands for the page's own, the case]}. */
const PAGES = {
  'access.md': {
    'several rules at once': [/<Location "\/press\/">/, {
      modules: ['headers'],
      // The hours are those of the machine of the test.
      replace: [['10.0.0.0/8', '127.0.0.0/8'], ['-ge 7 ', '-ge 0 '], ['-lt 19"', '-lt 24"'], ['1a2b3c4d-0000-4000-8000-9e0f1a2b3c4d', group('finance')]],
    }, async (recipe) => {
      await visit(recipe, 'root', '/press/', 403);
      for (const user of ['root', 'ada']) await change(recipe, user, { roles: ['press.editor'] });
      await visit(recipe, 'root', '/press/', 200);
      await visit(recipe, 'ada', '/press/', 403);
    }],
    'roles of the registration': [/Require {2}entra-role app\.reader app\.admin/, {}, async (recipe) => {
      await visit(recipe, 'noroles', '/', 403);
      await visit(recipe, 'ada', '/', 200);
      await visit(recipe, 'ada', '/admin/', 403);
      await visit(recipe, 'root', '/admin/', 200);
    }],
    'roles of the application': [/EntraRole editor/, {}, async (recipe) => {
      await visit(recipe, 'noroles', '/', 403);
      assert.match(rolesIn(await visit(recipe, 'ada', '/', 200)), /^app\.reader,(editor,admin|admin,editor)$/);
      await change(recipe, 'ada', { groups: [] });
      assert.equal(rolesIn(await visit(recipe, 'ada', '/', 200)), 'app.reader,admin');
      await change(recipe, 'root', { groups: [] });
      assert.equal(rolesIn(await visit(recipe, 'root', '/', 200)), 'app.admin,app.reader,admin');
      await recipe.emu.control('idtoken', { set: { department: 'Press' }, count: 1 });
      assert.equal(rolesIn(await visit(recipe, 'noroles', '/', 200)), 'editor');
    }],
    groups: [/entra-group .* "Board members"/, { replace: [['Board members', 'Intranet editors']] }, async (recipe) => {
      await visit(recipe, 'nell', '/', 403);
      await visit(recipe, 'root', '/', 200);
      await visit(recipe, 'guest', '/', 200);
    }],
    'several tenants': [/EntraAllowedTenants/, {}, async (recipe) => {
      await change(recipe, 'fab', { roles: ['app.admin'] });
      // Of several tenants nobody's name is his alone.
      const named = { nameOf: (user) => `${person(user).oid}@${person(user).tenant}` };
      await visit(recipe, 'fab', '/', 200, named);
      await visit(recipe, 'fab', '/admin/', 403, named);
      await visit(recipe, 'ada', '/admin/', 403, named);
      await visit(recipe, 'root', '/admin/', 200, named);
    }],
  },
  'step-up.md': {
    'a context': [/<Location "\/payments\/">/, {}, async (recipe) => {
      await recipe.emu.control('contexts', { contexts: { c1: {} } });
      const { browser, asked } = await visit(recipe, 'ada', '/payments/', 200);
      assert.deepEqual(asked.map((params) => params.has('claims')), [false, true]);
      assert.equal((await browser.navigate(recipe.at('/payments/'), { follow: false })).status, 200);
      await recipe.emu.control('contexts', { contexts: {} });
      const { page } = await visit(recipe, 'root', '/payments/', 502);
      assert.match(page.text, /ENTRA1510/);
      recipe.httpd.expect(/ENTRA1510/, /AH01631: .*"\/payments\/"/);
    }],
    'only where it helps': [/<Location "\/payroll\/">/, {}, async (recipe) => {
      await recipe.emu.control('contexts', { contexts: { c1: {}, c2: {} } });
      assert.equal((await visit(recipe, 'ada', '/payroll/', 403)).asked.length, 1, 'no detour that would not help');
      await change(recipe, 'root', { roles: ['payroll.clerk'] });
      assert.equal((await visit(recipe, 'root', '/payroll/', 200)).asked.length, 2);
      assert.equal((await visit(recipe, 'root', '/reports/', 200)).asked.length, 2);
      recipe.httpd.expect(/AH01631: user root@.*"\/payroll\/"/, /AH01631: user root@.*"\/reports\/"/);
      await change(recipe, 'ada', { roles: ['reports.robot'] });
      assert.equal((await visit(recipe, 'ada', '/reports/', 200)).asked.length, 1, 'no detour for who needs none');
    }],
    'a fresh sign-in': [/EntraMaxAuthAge/, {}, async (recipe) => {
      const { browser } = await visit(recipe, 'ada', '/', 200, { ageSeconds: 7200 });
      const program = await browser.fetch(recipe.at('/payments/approve/'));
      assert.deepEqual([program.status, program.json().error], [401, 'ENTRA1517']);
      const page = await browser.navigate(recipe.at('/payments/approve/'));
      assert.deepEqual([page.status, page.json().url], [200, '/payments/approve/']);
      assert.deepEqual(page.visited(/\/authorize\?/).map((url) => new URL(url).searchParams.get('max_age')), ['600']);
    }],
  },
  'bearer.md': {
    'people and programs': [/<VirtualHost/, { replace: [['5c2e9d4b-0000-4000-8000-0e3f6a8b7c21', OTHER_CLIENT]] }, async (recipe) => {
      await visit(recipe, 'ada', '/', 200);
      await visit(recipe, 'ada', '/api/', 403);
      await change(recipe, 'root', { roles: ['orders.reader'] });
      await visit(recipe, 'root', '/api/', 200);
      const scoped = await mint(recipe, { user: 'ada', scopes: ['Orders.Read'] });
      const granted = await call(recipe, scoped);
      assert.deepEqual([granted.status, headerOf(granted.json(), 'x-entra-user'), headerOf(granted.json(), 'authorization')], [200, [ADA], [`Bearer ${scoped}`]]);
      const robot = await call(recipe, await mint(recipe, { user: null, roles: ['orders.robot'] }));
      assert.deepEqual([robot.status, headerOf(robot.json(), 'x-entra-user')], [200, [`app:${OTHER_CLIENT}`]]);
      for (const [more, status] of [[{ user: 'ada', scopes: ['Other.Read'] }, 403], [{ user: null, roles: ['orders.reader'] }, 403]]) {
        assert.equal((await call(recipe, await mint(recipe, more))).status, status, JSON.stringify(more));
      }
      recipe.httpd.expect(/AH01631: user \(null\): .*"\/api\/"/);
    }],
    'the token taken off': [/RequestHeader unset Authorization/, { modules: ['headers'] }, async (recipe) => {
      const token = await mint(recipe, { user: 'ada', scopes: ['Orders.Read'] });
      const granted = await call(recipe, token);
      assert.deepEqual([granted.status, headerOf(granted.json(), 'x-entra-user'), headerOf(granted.json(), 'authorization')], [200, [ADA], []]);
      assert.equal((await call(recipe, `${token}x`)).status, 401);
      assert.equal((await call(recipe, token, '/')).status, 401, 'where EntraBearer is off');
    }],
  },
  'assertions.md': {
    'a signed assertion': [/EntraSignedIdentity on/, {}, async (recipe) => {
      const { browser } = await visit(recipe, 'ada', '/', 200);
      const page = await browser.navigate(recipe.at('/'), { headers: { 'X-Entra-Assertion': 'forged' } });
      const [assertion, ...more] = headerOf(page.json(), 'x-entra-assertion');
      assert.deepEqual(more, []);
      const [header, claims, signature] = assertion.split('.');
      const read = (part) => JSON.parse(Buffer.from(part, 'base64url'));
      const { keys } = (await recipe.browser().fetch(recipe.at('/.entra/keys'))).json();
      const key = createPublicKey({ key: keys.find(({ kid }) => kid === read(header).kid), format: 'jwk' });
      assert.ok(verify('sha256', Buffer.from(`${header}.${claims}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')));
      const { iss, aud, user } = read(claims);
      assert.deepEqual([iss, aud, user], [`${recipe.origin}/.entra`, recipe.origin, ADA]);
    }],
    'the headers of App Service': [/EntraHeaders easyauth/, {}, async (recipe) => {
      const browser = await recipe.signedIn();
      const { headers } = (await browser.navigate(recipe.at('/'), { headers: { 'X-MS-CLIENT-PRINCIPAL-NAME': 'root', 'X-MS-TOKEN-AAD-ID-TOKEN': 'forged' } })).json();
      const sent = Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
      assert.deepEqual(headers.map(([name]) => name.toLowerCase()).filter((name) => /^x-(ms|entra)-/.test(name)).sort(),
        ['x-ms-client-principal', 'x-ms-client-principal-id', 'x-ms-client-principal-idp', 'x-ms-client-principal-name']);
      assert.deepEqual([sent['x-ms-client-principal-id'], sent['x-ms-client-principal-idp'], sent['x-ms-client-principal-name']], [person('ada').oid, 'aad', ADA]);
      assert.equal(JSON.parse(Buffer.from(sent['x-ms-client-principal'], 'base64')).auth_typ, 'aad');
    }],
  },
};

for (const [page, cases] of Object.entries(PAGES)) {
  describe(`the configurations of docs/${page}`, { skip: missing }, () => {
    const blocks = blocksOf(page);

    test('each is run', () => {
      const markers = Object.values(cases).map(([marker]) => marker);
      for (const marker of markers) assert.equal(blocks.filter((block) => marker.test(block)).length, 1, `blocks with ${marker}`);
      for (const block of blocks) assert.equal(markers.filter((marker) => marker.test(block)).length, 1, `no case, or several, run\n${block}`);
    });

    for (const [name, [marker, { modules = [], ...options }, step]] of Object.entries(cases)) {
      test(name, async () => {
        const block = blocks.find((text) => marker.test(text));
        assert.ok(block, `docs/${page} has no block with ${marker}`);
        const before = (server, recipe) => `EntraGraphURL ${recipe.emu.url}`;
        await withRecipe(`${page}: ${name}`, { text: siteOf(block), modules: ['proxy', 'proxy_http', ...modules], before, ...options }, async (recipe) => {
          await assertClosedToStrangers(recipe, '/', { leak: '"headers"' });
          await step(recipe);
        });
      });
    }
  });
}
