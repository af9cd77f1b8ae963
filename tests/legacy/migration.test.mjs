// SPDX-License-Identifier: Apache-2.0
// A move step by step: mod_auth_openidc of Debian and this module in one httpd, one virtual host, each with paths of its own.
// And that the converter and the manual know every directive that the old modules have.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startEmulator } from '../emulator/server.mjs';
import { headerOf } from '../e2e/lib/echo.mjs';
import { httpdInstalled, missing } from '../e2e/lib/httpd.mjs';
import { assertClosedToStrangers, assertSignsOut, startRecipe } from '../e2e/lib/recipe.mjs';
import { CLIENT, CLIENT_SECRET, CONTOSO } from '../e2e/lib/site.mjs';
import { absent, fileOf } from './lib/packages.mjs';

const MODULE = fileOf('libapache2-mod-auth-openidc', 'usr/lib/apache2/modules/mod_auth_openidc.so') ?? path.join(httpdInstalled().modules, 'mod_auth_openidc.so');
const skip = missing || (existsSync(MODULE) ? false : 'mod_auth_openidc is not there (package libapache2-mod-auth-openidc)');
const ADA = 'ada@contoso.example';

// As docs/migration.md shows it: the new path beside the old ones.
const CONFIG = (emu) => `<VirtualHost *:443>
    ServerName            https://app.example.com
    SSLEngine             on
    SSLCertificateFile    "/etc/ssl/app/fullchain.pem"
    SSLCertificateKeyFile "/etc/ssl/app/private.pem"

    OIDCProviderMetadataURL ${emu.url}/${CONTOSO}/v2.0/.well-known/openid-configuration
    OIDCClientID            ${CLIENT}
    OIDCClientSecret        ${CLIENT_SECRET}
    OIDCRedirectURI         https://app.example.com/old/redirect_uri
    OIDCCryptoPassphrase    only-for-this-test
    OIDCScope               "openid email profile"
    OIDCRemoteUserClaim     preferred_username
    # It makes addresses of the port that it listens on, which is not 443 here.
    OIDCXForwardedHeaders   X-Forwarded-Port
    RequestHeader           set X-Forwarded-Port 443 early

    EntraTenant             8d6f4f0e-0000-4000-8000-3a6c2f1b7c11
    EntraClientID           4b1d8c3a-0000-4000-8000-9d2e5f7a6b10
    EntraClientSecret       file:/etc/apache2/entra/client-secret
    EntraEnv                OIDC_CLAIM_preferred_username %{preferred_username}

    <Location "/old/">
        AuthType openid-connect
        Require  valid-user
    </Location>
    <Location "/new/">
        AuthType Entra
        Require  valid-user
        RequestHeader set OIDC_CLAIM_preferred_username "expr=%{reqenv:OIDC_CLAIM_preferred_username}" "expr=-n reqenv('OIDC_CLAIM_preferred_username')"
    </Location>

    ProxyPass "/old/redirect_uri" "!"
    ProxyPass "/" "http://127.0.0.1:8080/"
</VirtualHost>
`;

describe('both modules in one httpd', { skip }, () => {
  let recipe;
  let emu;

  before(async () => {
    emu = await startEmulator({ auto: 'ada' });
    await emu.control('client', { client_id: CLIENT, set: { redirectPaths: ['/.entra/callback', '/old/redirect_uri'] } });
    recipe = await startRecipe('both', { emu, text: CONFIG(emu), modules: ['ssl', 'proxy', 'proxy_http', 'headers', 'auth_basic'], before: `LoadModule auth_openidc_module "${MODULE}"` });
  });

  after(async () => {
    try {
      // The emulator speaks plain http and has no UserInfo, which the old module asks.
      recipe?.httpd.allow(/\[auth_openidc:/);
      await recipe?.stop();
    } finally {
      await emu?.close();
    }
  });

  const forged = { 'X-Entra-User': 'root', X_Entra_User: 'root', OIDC_CLAIM_preferred_username: 'root', 'OIDC-CLAIM-preferred-username': 'root' };
  const claims = (page) => page.json().headers.filter(([name]) => /oidc.claim.preferred/i.test(name)).map(([, value]) => value);

  test('a path that has moved is ours: its user, its refusals, its sign-out', async () => {
    await assertClosedToStrangers(recipe, '/new/page');
    const ada = await recipe.signedIn({ path: '/new/page' });
    assert.deepEqual(headerOf(ada.page.json(), 'x-entra-user'), [ADA]);
    assert.deepEqual(claims(ada.page), [ADA], 'the name that the application has read so far');
    const page = await ada.navigate(recipe.at('/new/page'), { headers: forged });
    assert.deepEqual([headerOf(page.json(), 'x-entra-user'), claims(page)], [[ADA], [ADA]]);
    await assertSignsOut(recipe, ada, '/new/page');
  });

  test('a path that has not moved is still theirs, and has no word of ours', async () => {
    const stranger = await recipe.browser().navigate(recipe.at('/old/page'), { follow: false });
    assert.equal(stranger.status, 302);
    assert.equal(new URL(stranger.response.location).searchParams.get('redirect_uri'), 'https://app.example.com/old/redirect_uri');
    const ada = await recipe.signedIn({ path: '/old/page' });
    assert.deepEqual(headerOf(ada.page.json(), 'x-entra-user'), []);
    const page = await ada.navigate(recipe.at('/old/page'), { headers: forged });
    assert.equal(page.status, 200, page.trace);
    assert.deepEqual(headerOf(page.json(), 'x-entra-user'), [], 'what a client says under our name is removed there too');
    assert.equal(claims(page).includes('root'), false);
    assert.deepEqual(claims(page), [ADA]);
  });

  test('a session of one is nothing to the other', async () => {
    const old = await recipe.signedIn({ path: '/old/page' });
    assert.equal((await old.navigate(recipe.at('/new/page'), { follow: false })).status, 302);
    const both = await old.navigate(recipe.at('/new/page'));
    assert.equal(both.status, 200, both.trace);
    await assertSignsOut(recipe, old, '/new/page');
    assert.equal((await old.navigate(recipe.at('/old/page'), { follow: false })).status, 200, 'the other session goes on');
    const fresh = await recipe.signedIn({ path: '/new/page' });
    assert.equal((await fresh.navigate(recipe.at('/old/page'), { follow: false })).status, 302);
  });
});

describe('every directive of an old module has its place', () => {
  const ours = (file) => readFileSync(path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..', file), 'utf8');
  // The names of httpd's table are whole strings of the module.
  const directives = (file, prefix) => [...new Set([...readFileSync(file, 'latin1').matchAll(new RegExp(`(?<=\\0)${prefix}[A-Z][A-Za-z0-9]+(?=\\0)`, 'g'))].map(([name]) => name))].sort();
  const manual = ours('docs/migration.md');
  const notInManual = (names) => names.filter((name) => !new RegExp(`\`${name}[\` ]`).test(manual));

  test('of mod_auth_openidc, in the converter', { skip: existsSync(MODULE) ? false : skip }, () => {
    const names = directives(MODULE, 'OIDC');
    assert.ok(names.length > 100, names.join());
    const rows = new Set([...ours('src/command/convert.def').matchAll(/^[A-Z]+\("(OIDC\w+)"/gm)].map(([, name]) => name));
    assert.deepEqual(names.filter((name) => !rows.has(name)), []);
    assert.deepEqual(notInManual(names), []);
  });

  for (const [title, name, file, prefix, least] of [
    ['mod_auth_mellon', 'libapache2-mod-auth-mellon', 'mod_auth_mellon.so', 'Mellon', 50],
    ['Shibboleth', 'libapache2-mod-shib', 'mod_shib.so', 'Shib', 15],
  ]) {
    const where = `usr/lib/apache2/modules/${file}`;
    test(`of ${title}, in the manual`, { skip: absent([name, where]) }, () => {
      const names = directives(fileOf(name, where), prefix);
      assert.ok(names.length > least, names.join());
      assert.deepEqual(notInManual(names), []);
    });
  }
});
