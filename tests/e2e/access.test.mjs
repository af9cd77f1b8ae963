// SPDX-License-Identifier: Apache-2.0
// Who may enter: every Require entra-… alone and in company, EntraRole, what a refusal looks like, and what is no way in.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test, { after, before, describe } from 'node:test';
import { FABRIKAM, groups as known, guidOf, users as people } from '../emulator/tenants.mjs';
import { CGI_ENV, cgiVars } from './lib/backends.mjs';
import { assertClosed, assertPage, assertSignIn } from './lib/checks.mjs';
import { headerOf } from './lib/echo.mjs';
import { missing } from './lib/httpd.mjs';
import { CONTOSO, SECRET_PAGE, siteConfigtest, startSite } from './lib/site.mjs';

const person = (key) => people.find((user) => user.key === key);
const group = (key) => known.find((entry) => entry.key === key).id;
const EVERYONE = ['ada', 'root', 'guest', 'noroles'];
const DENIED_GROUP = `Require not entra-group ${group('finance')}`;

/** Path below /app/: the lines of its section, and who of EVERYONE gets in. */
const RULES = {
  'role': ['Require entra-role app.admin', ['root']],
  'roles': ['Require entra-role app.none app.reader', ['ada', 'root', 'guest']],
  'role-case': ['Require entra-role App.Reader', []],
  'group': [`Require entra-group ${group('finance')}`, ['ada']],
  'group-case': [`Require entra-group ${group('finance').toUpperCase()}`, ['ada']],
  'groups': [`Require entra-group ${group('finance')} ${group('staff')}`, ['ada', 'root']],
  'group-none': [`Require entra-group ${guidOf('group:none')}`, []],
  'claim': ['Require entra-claim dept Support', ['ada']],
  'claim-case': ['Require entra-claim dept support', []],
  'claim-absent': ['Require entra-claim no_such_claim x', []],
  'claim-regex': ['Require entra-claim dept ~ "^S(ales|port)$"', ['ada', 'root']],
  'claim-all': ['Require entra-claim no_such_claim ~ ".*"', []],
  'claim-oid': [`Require entra-claim oid ${person('root').oid}`, ['root']],
  'claim-roles': ['Require entra-claim roles app.admin', ['root']],
  'claim-groups': [`Require entra-claim groups ${group('finance')}`, ['ada']],
  'tenant': [`Require entra-tenant ${CONTOSO.toUpperCase()}`, EVERYONE],
  'other-tenant': [`Require entra-tenant ${FABRIKAM}`, []],
  'domain': ['Require entra-domain Contoso.example', ['ada', 'root', 'noroles']],
  'guest-domain': ['Require entra-domain partner.example', []],
  'all': [`<RequireAll>\nRequire entra-role app.reader\nRequire entra-group ${group('staff')}\nRequire entra-domain contoso.example\n</RequireAll>`, ['ada', 'root']],
  'any': [`<RequireAny>\nRequire entra-role app.admin\nRequire entra-group ${group('finance')}\n</RequireAny>`, ['ada', 'root']],
  'none': [`<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire entra-group ${group('finance')}\nRequire entra-role app.admin\n</RequireNone>\n</RequireAll>`, ['guest', 'noroles']],
  'not': [`<RequireAll>\nRequire valid-user\n${DENIED_GROUP}\n</RequireAll>`, ['root', 'guest', 'noroles']],
  'expr-all': [`<RequireAll>\nRequire entra-role app.reader\nRequire expr "%{REMOTE_USER} =~ /^ada@/"\n</RequireAll>`, ['ada']],
  'expr-any': [`<RequireAny>\nRequire entra-role app.admin\nRequire expr "%{REMOTE_USER} == 'noroles@contoso.example'"\n</RequireAny>`, ['root', 'noroles']],
  'alias': ['Require finance-people', ['ada']],
  'alias-none': ['<RequireAll>\nRequire valid-user\nRequire not finance-people\n</RequireAll>', ['root', 'guest', 'noroles']],
  'alias-map': ['Require mapped-people', ['ada']],
  'mapped': ['Require entra-role site.wide', ['ada', 'root']],
  'mapped-role': ['EntraRole inner role=app.admin\nRequire entra-role inner', ['root']],
  'mapped-user': ['EntraRole inner user=ADA@contoso.example user=grace@partner.example\nRequire entra-role inner', ['ada']],
  'mapped-oid': [`EntraRole inner user=${person('guest').oid} user=${person('ada').oid}@${FABRIKAM}\nRequire entra-role inner`, ['guest']],
  'mapped-claim': ['EntraRole inner claim:dept=Support\nRequire entra-role inner', ['ada']],
  'mapped-map': ['EntraRole inner role=site.wide claim:roles=site.wide\nRequire entra-role inner', []],
};

const sections = () => Object.entries(RULES).map(([path, [lines]]) => `<Location "/app/${path}/">\n${lines}\n</Location>`).join('\n');

const SHA = (text) => `{SHA}${createHash('sha1').update(text).digest('base64')}`;
const BASIC = (user) => ({ Authorization: `Basic ${Buffer.from(`${user}:pass word`).toString('base64')}` });
const basicLines = (server) => `AuthType Basic\nAuthName "x"\nAuthBasicProvider file\nAuthUserFile "${server.path('users')}"`;
// Beside a rule of its own among ours, httpd says so itself.
const REFUSED_BY_HTTPD = /AH01629|AH01631/;
const ENTRIES = ['d1', 'd2', 'd3', 'd4', 'd5', 'd6', 'd7', 'd8'];
const HT = (...lines) => `${lines.join('\n')}\n`;
const WHOM_TO_ASK = 'ask the administrator of this application for access';
const rolesOf = (page) => (headerOf(page.json(), 'x-entra-roles')[0] ?? '').split(',').filter(Boolean);

describe('access', { skip: missing }, () => {
  let site;
  const browsers = {};

  before(async () => {
    site = await startSite({
      modules: ['auth_basic', 'authn_file', 'autoindex', 'include', 'mime', 'filter'],
      // Without it what a .htaccess asks would be replaced by what this section asks.
      location: 'AuthMerging And',
      directives: { EntraRole: `site.wide group=${group('staff')} claim:none=x` },
      files: {
        users: `ada@contoso.example:${SHA('pass word')}\n`,
        'mime.types': 'text/html html shtml\n',
        'htdocs/ht/known/.htaccess': HT('AuthType Entra', `Require entra-group ${group('finance')}`),
        'htdocs/ht/role/.htaccess': HT('AuthType Entra', 'Require entra-role app.admin'),
        'htdocs/ht/domain/.htaccess': HT('AuthType Entra', 'Require entra-domain contoso.example'),
        'htdocs/ht/new-group/.htaccess': HT('AuthType Entra', `Require entra-group ${group('intranet')}`),
        'htdocs/ht/new-claim/.htaccess': HT('AuthType Entra', 'Require entra-claim sub x'),
        ...Object.fromEntries(['known', 'role', 'domain', 'new-group', 'new-claim'].map((name) => [`htdocs/ht/${name}/x.html`, `<p>${SECRET_PAGE}</p>\n`])),
        'htdocs/ssi/both.shtml': `${'<!--#include virtual="/cgi/left/env" -->|<!--#include virtual="/cgi/wing/env" -->|'.repeat(4)}\n`,
        ...Object.fromEntries(ENTRIES.map((name) => [`htdocs/idx/${name}/x.html`, '<p>x</p>\n'])),
        'cgi/left/env': CGI_ENV,
        'cgi/wing/env': CGI_ENV,
      },
      extra: (server) => `
TypesConfig mime.types
<AuthzProviderAlias entra-group finance-people "${group('finance')}">
</AuthzProviderAlias>
<AuthzProviderAlias entra-role mapped-people "aliased">
    EntraRole aliased group=${group('finance')}
</AuthzProviderAlias>
${sections()}
<Location "/app/maps/">
    EntraRole outer group=${group('staff')}
    EntraRole app.reader group=${group('staff')}
</Location>
<Location "/app/maps/in/">
    EntraRole inner group=${group('staff')}
    EntraRole nobody group=${guidOf('group:none')}
</Location>
<Location "/app/basic/">
    ${basicLines(server)}
    Require entra-role app.reader
</Location>
<Location "/app/basic-any/">
    ${basicLines(server)}
    <RequireAny>
        Require entra-role app.reader
        Require entra-group ${group('staff')}
        Require entra-claim dept Support
        Require entra-tenant ${CONTOSO}
        Require entra-domain contoso.example
    </RequireAny>
</Location>
<Location "/app/basic-user/">
    ${basicLines(server)}
    <RequireAny>
        Require entra-role app.admin
        Require valid-user
    </RequireAny>
</Location>
<Location "/app/open-but/">
    AuthMerging Off
    <RequireAll>
        Require all granted
        ${DENIED_GROUP}
    </RequireAll>
</Location>
<Directory "${server.docroot}/ht">
    AllowOverride AuthConfig
</Directory>
<Directory "${server.docroot}/ssi">
    Options +Includes
    AddOutputFilter INCLUDES .shtml
</Directory>
<Directory "${server.docroot}/idx">
    Options +Indexes
</Directory>
${ENTRIES.map((name, i) => `<Directory "${server.docroot}/idx/${name}">\nEntraRole ${i % 2 ? 'wing' : 'left'} group=${group('staff')}\nRequire entra-role left\n</Directory>`).join('\n')}
<Location "/cgi/left/">
    EntraRole left group=${group('staff')}
</Location>
<Location "/cgi/wing/">
    EntraRole wing group=${group('staff')}
</Location>
`,
    });
    await site.emu.control('user', { user: 'ada', set: { claims: { dept: ['Sales', 'Support'] } } });
    await site.emu.control('user', { user: 'root', set: { claims: { dept: 'Sales' } } });
    site.httpd.allow(REFUSED_BY_HTTPD);
    for (const user of EVERYONE) browsers[user] = await site.signedIn({ user });
  });

  after(async () => { await site?.stop(); });

  for (const [path, [lines, admitted]] of Object.entries(RULES)) {
    test(`${lines.replaceAll(/\s+/g, ' ').slice(0, 100)}: ${admitted.join(', ') || 'nobody'}`, async () => {
      for (const user of EVERYONE) {
        const page = await browsers[user].navigate(site.at(`/app/${path}/x`), { follow: false });
        assert.equal(page.status, admitted.includes(user) ? 200 : 403, `${user} at ${path}: ${page.text.slice(0, 300)}`);
        if (!admitted.includes(user)) assertClosed(page.response, `${user} at ${path}`);
      }
      const nobody = await site.browser().navigate(site.at(`/app/${path}/x`), { follow: false });
      assertSignIn(site, nobody.response, path);
    });
  }

  test('a refusal is a 403 page that begins no sign-in, and the log has the rule and the user', async () => {
    const asked = site.calls('authorize');
    let page;
    const log = await site.httpd.logOf(async () => { page = await browsers.ada.navigate(site.at('/app/role/x?a=1')); });
    assertPage(site, page.response, 403, 1502);
    assert.ok(page.text.includes(WHOM_TO_ASK), page.text);
    assert.equal(page.hops.length, 1);
    assert.equal(page.response.header('www-authenticate'), undefined);
    assert.equal(page.response.cookies.length, 0);
    assert.equal(site.calls('authorize'), asked);
    const line = log.split('\n').find((text) => text.includes('ENTRA1502'));
    assert.match(line, /entra-role app\.admin/);
    assert.ok(line.includes(person('ada').oid), line);
    assert.ok(line.includes('/app/role/x'), line);
  });

  test('every rule that said no is in the log line', async () => {
    const log = await site.httpd.logOf(() => browsers.noroles.navigate(site.at('/app/any/x')));
    const line = log.split('\n').find((text) => text.includes('ENTRA1502'));
    assert.ok(line.includes(`entra-role app.admin; entra-group ${group('finance')}`), line);
  });

  test('a rule behind "not" that holds is in the log line', async () => {
    const log = await site.httpd.logOf(() => browsers.root.navigate(site.at('/app/none/x')));
    const line = log.split('\n').find((text) => text.includes('ENTRA1502'));
    assert.match(line, /holds: [^;]*entra-role app\.admin/);
  });

  test('a program gets the refusal as JSON', async () => {
    const response = await browsers.ada.fetch(site.at('/app/role/x'));
    assert.equal(response.status, 403);
    assert.match(response.header('content-type'), /^application\/problem\+json\b/);
    assert.equal(response.json().status, 403);
    assert.equal(response.json().detail, 'You are signed in, but your account is not allowed to open this page.');
    assert.match(response.json().advice, /^If you need it, ask the administrator of this application for access/);
    assert.equal(response.header('www-authenticate'), undefined);
    assertClosed(response);
  });

  test('the roles of EntraRole go to the application, inherited from server to section', async () => {
    const at = async (path) => rolesOf(await browsers.ada.navigate(site.at(path)));
    assert.deepEqual(await at('/app/x'), ['app.reader', 'site.wide']);
    assert.deepEqual(await at('/app/maps/x'), ['app.reader', 'site.wide', 'outer']);
    assert.deepEqual(await at('/app/maps/in/x'), ['app.reader', 'site.wide', 'outer', 'inner']);
    const guest = await browsers.guest.navigate(site.at('/app/maps/in/x'));
    assert.deepEqual(rolesOf(guest), ['app.reader']);
    const env = await browsers.ada.navigate(site.at('/cgi/left/env'));
    assert.deepEqual(cgiVars(env.response).find(([name]) => name === 'ENTRA_ROLES')[1].split(','), ['app.reader', 'site.wide', 'left']);
  });

  test('roles that one part of a page has are not those of the next', async () => {
    const page = await browsers.ada.navigate(site.at('/ssi/both.shtml'));
    assert.equal(page.status, 200);
    const parts = page.text.split('|').map((part) => /ENTRA_ROLES=([^\0]*)/.exec(part)?.[1]).filter(Boolean);
    assert.deepEqual(parts, Array.from({ length: 4 }, () => ['app.reader,site.wide,left', 'app.reader,site.wide,wing']).flat());
  });

  test('a list of a folder shows what its reader may enter, by the roles of each entry alone', async () => {
    const page = await browsers.ada.navigate(site.at('/idx/'));
    assert.equal(page.status, 200);
    const listed = ENTRIES.filter((name) => page.text.includes(`href="${name}/"`));
    assert.deepEqual(listed, ENTRIES.filter((_, i) => i % 2 === 0));
  });

  test('whom another module signed in has none of the rights of the session cookie', async () => {
    for (const path of ['basic', 'basic-any']) {
      const page = await browsers.ada.navigate(site.at(`/app/${path}/x`), { headers: BASIC('ada@contoso.example'), follow: false });
      assert.equal(page.status, 401, path);
      assert.match(page.response.header('www-authenticate'), /^Basic /);
      assertClosed(page.response, path);
    }
    const page = await browsers.root.navigate(site.at('/app/basic-user/x'), { headers: BASIC('ada@contoso.example') });
    assert.equal(page.status, 200);
    assert.deepEqual(rolesOf(page), []);
    const none = await browsers.ada.navigate(site.at('/app/basic/x'), { follow: false });
    assert.equal(none.status, 401);
  });

  test('a rule with not alone does not ask for a sign-in', async () => {
    // httpd's own rule: what is not denied and stands beside "all granted" is open, so the manual asks for valid-user beside it.
    assert.equal((await site.browser().navigate(site.at('/app/open-but/x'), { follow: false })).status, 200);
  });

  test('a .htaccess can ask for what sessions keep', async () => {
    const status = async (user, name) => (await browsers[user].navigate(site.at(`/ht/${name}/x.html`), { follow: false })).status;
    assert.equal(await status('ada', 'known'), 200);
    assert.equal(await status('root', 'known'), 403);
    assert.equal(await status('root', 'role'), 200);
    assert.equal(await status('ada', 'role'), 403);
    assert.equal(await status('ada', 'domain'), 200);
    assert.equal(await status('guest', 'domain'), 403);
  });

  test('a .htaccess that asks for what no session keeps is an error, again and again', async () => {
    for (let i = 0; i < 10; i++) {
      for (const name of ['new-group', 'new-claim']) {
        const page = await browsers.ada.navigate(site.at(`/ht/${name}/x.html`), { follow: false });
        assert.equal(page.status, 500);
        assertClosed(page.response);
      }
    }
    site.httpd.expect(/\.htaccess: Require entra-group .* no session keeps .*server's configuration/, /\.htaccess: Require entra-claim sub x: no session keeps 'sub'/);
    assert.ok((await site.signedIn({ user: 'root' })).cookies);
  });
});

// ---- configurations that are refused ------------------------------------------------------------------------------------

const inSection = (lines) => `<Location "/x/">\nAuthType Entra\n${lines}\n</Location>`;
const WRONG = {
  'Require entra-role': /entra-role .*at least one value/,
  'Require entra-role ""': /entra-role "".*empty/,
  'Require entra-claim': /entra-claim .*name of a claim/,
  'Require entra-claim dept': /entra-claim dept: at least one value/,
  'Require entra-claim dept ~ "("': /entra-claim dept ~ .*'\(' is no regular expression/,
  'Require entra-claim dept ~ a b': /entra-claim dept ~ a b: .*in quotes/,
  'Require entra-claim dept ~': /entra-claim dept ~: .*one expression/,
  'Require entra-claim email ada@contoso.example': /entra-claim email .*decides nothing; use/,
  'Require entra-claim email ~ ^ada': /entra-claim email .*decides nothing; use/,
  'Require entra-tenant contoso.example': /entra-tenant .*'contoso\.example' is no tenant GUID/,
  'Require entra-domain *.contoso.example': /entra-domain .* is no domain; write one like example\.com/,
  'Require entra-domain ada@contoso.example': /entra-domain .* is no domain; write one like example\.com/,
  'EntraRole': /EntraRole.*(takes|role)/,
  'EntraRole admin': /EntraRole takes at least 2/,
  'EntraRole admin Finance': /EntraRole: 'Finance' is no condition; write group=, role=, user= or claim:NAME=/,
  'EntraRole admin claim:email=ada@contoso.example': /EntraRole: email .*decides nothing/,
  'EntraRole group=Finance admin': /EntraRole: the role comes first/,
};

describe('access: configtest', { skip: missing }, () => {
  for (const [line, mend] of Object.entries(WRONG)) {
    test(`${line} is refused with its place and its mend`, () => {
      const { status, output } = siteConfigtest({ extra: inSection(`${line}\n${line.startsWith('Require') ? '' : 'Require valid-user'}`) });
      assert.notEqual(status, 0, output);
      assert.match(output, /Syntax error on line \d+ of /);
      assert.match(output.replaceAll('\n', ' '), mend);
    });
  }

  test('group names are refused where users of several tenants may sign in', () => {
    const tenants = { EntraTenant: 'organizations', EntraAllowedTenants: `${CONTOSO} ${FABRIKAM}` };
    const extra = inSection('Require entra-group "Finance people"');
    const { status, output } = siteConfigtest({ directives: tenants, extra });
    assert.notEqual(status, 0);
    assert.match(output, /ENTRA4022: .*'Finance people'.*object id/);
    assert.equal(siteConfigtest({ directives: { ...tenants, EntraAllowedTenants: CONTOSO }, extra }).status, 0);
    assert.equal(siteConfigtest({ directives: tenants, extra: inSection(`Require entra-group ${group('finance')}`) }).status, 0);
  });

  test('a virtual host with rules and no directive of its own is right', () => {
    const { status, output } = siteConfigtest({ extra: `<VirtualHost *:1>\nServerName https://b.test\n${inSection('Require entra-role a\nRequire entra-group x')}\n</VirtualHost>` });
    assert.equal(status, 0, output);
  });
});

// ---- several tenants ----------------------------------------------------------------------------------------------------

const TRAPS = `
<Location "/app/user/">
    Require user ada@contoso.example
</Location>
<Location "/app/domain/">
    Require entra-domain contoso.example
</Location>
<Location "/app/map/">
    EntraRole admin user=ada@contoso.example user=${person('ada').oid}
    Require entra-role admin
</Location>
<Location "/app/tenant/">
    Require entra-tenant ${CONTOSO}
</Location>
`;

describe('access: several tenants', { skip: missing }, () => {
  test("the e-mail address of ada opens nothing of hers to a user of another tenant", async () => {
    const site = await startSite({ user: 'fab', directives: { EntraTenant: 'organizations', EntraAllowedTenants: `${CONTOSO} ${FABRIKAM}` }, extra: TRAPS });
    site.httpd.allow(REFUSED_BY_HTTPD);
    const fab = await site.signedIn({ user: 'fab' });
    const ada = await site.signedIn({ user: 'ada' });
    const seen = (await fab.navigate(site.at('/app/x'))).json();
    assert.deepEqual(headerOf(seen, 'x-entra-user'), [`${person('fab').oid}@${FABRIKAM}`]);
    assert.deepEqual(headerOf(seen, 'x-entra-email'), ['ada@contoso.example']);
    for (const path of ['user', 'domain', 'map', 'tenant']) {
      assert.equal((await fab.navigate(site.at(`/app/${path}/x`), { follow: false })).status, 403, path);
      assert.equal((await ada.navigate(site.at(`/app/${path}/x`), { follow: false })).status, path === 'user' ? 403 : 200, path);
    }
    await site.stop();
  });

  test('a tenant that is not on the list has no session at all', async () => {
    const site = await startSite({ user: 'fab', directives: { EntraTenant: 'organizations', EntraAllowedTenants: CONTOSO }, extra: TRAPS });
    const browser = site.browser();
    const page = await browser.navigate(site.at('/page.html'));
    assertPage(site, page.response, 403, 1256);
    site.httpd.allow(/ENTRA1256/);
    await site.stop();
  });

  test('a personal account with the name of a member is not that member', async () => {
    const site = await startSite({ user: 'msa', directives: { EntraTenant: 'common', EntraAllowedTenants: 'any' }, extra: TRAPS });
    site.httpd.allow(REFUSED_BY_HTTPD);
    await site.emu.control('user', { user: 'msa', set: { upn: 'ada@contoso.example', email: 'ada@contoso.example' } });
    const browser = await site.signedIn();
    for (const path of ['user', 'domain', 'map', 'tenant']) assert.equal((await browser.navigate(site.at(`/app/${path}/x`), { follow: false })).status, 403, path);
    await site.stop();
  });
});
