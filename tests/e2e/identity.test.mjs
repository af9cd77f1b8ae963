// SPDX-License-Identifier: Apache-2.0
// What the application gets, over every kind of backend: names and values, and nothing that a client only claims.

import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import http2 from 'node:http2';
import test, { after, before, beforeEach, describe } from 'node:test';
import { users as people } from '../emulator/tenants.mjs';
import { AREAS, backendRequests, KINDS, startAreas, startBackends } from './lib/areas.mjs';
import { CGI_ENV, cgiVars } from './lib/backends.mjs';
import { assertClosed } from './lib/checks.mjs';
import { MARKER, startEcho } from './lib/echo.mjs';
import { exchange } from './lib/http.mjs';
import { hasModule, missing, MPM } from './lib/httpd.mjs';
import { CLIENT, CONTOSO, SECRET_PAGE, entraLines, startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const person = (key) => people.find((user) => user.key === key);
// What JSON can say and a C string cannot hold is refused as a whole; the rest of the hostile name comes through.
const EVIL = person('evil').name.replaceAll('\0', '');
const latin1 = (text) => Buffer.from(text, 'utf8').toString('latin1');
const kinds = Object.keys(KINDS);

/** The default set of a user, as a backend should see it. */
function expectedOf(key) {
  const user = person(key);
  return {
    X_ENTRA_USER: user.upn,
    X_ENTRA_NAME: latin1(user.name),
    ...(user.email ? { X_ENTRA_EMAIL: user.email } : {}),
    X_ENTRA_OBJECT_ID: user.oid,
    X_ENTRA_TENANT_ID: user.tenant,
    ...(user.roles.length ? { X_ENTRA_ROLES: user.roles.join(',') } : {}),
  };
}

const VARIABLES = { X_ENTRA_NAME: 'ENTRA_NAME', X_ENTRA_EMAIL: 'ENTRA_EMAIL', X_ENTRA_OBJECT_ID: 'ENTRA_OID', X_ENTRA_TENANT_ID: 'ENTRA_TID', X_ENTRA_ROLES: 'ENTRA_ROLES' };
const SCRIPT = { content: CGI_ENV.content, mode: 0o755 };

describe('identity', { skip: missing }, () => {
  let backends;
  let site;
  const jar = {};

  before(async () => {
    backends = await startBackends();
    const backend = await startEcho({ handler: (req, res, seen) => { seen.trailers = req.rawTrailers; return false; } });
    site = await startAreas({
      backends,
      backend,
      modules: ['log_config', ...(hasModule('dav_fs') ? ['dav', 'dav_fs'] : [])],
      directives: {
        // Of the whole server; of some Location; variables, one of which is the shape of a header.
        EntraHeader: ['X-Remote-User "%{preferred_username}"', 'X-Never-There "%{no_such_claim}"'],
        EntraEnv: ['APP_USER "%{oid}@%{tid}"', 'HTTP_X_FROM_ENV "%{no_such_claim}"'],
      },
      files: {
        'htdocs/open/plain.html': '<p>open-content</p>\n',
        'htdocs/open/ssi.shtml': '<p>before</p><!--#include virtual="/page.html" --><p>after</p>\n',
        'htdocs/open/inner.shtml': '<!--#include virtual="/in/cgi/env" -->\n',
        'htdocs/open/dix/x.txt': 'x',
        'htdocs/open/rw/x.txt': 'x',
        'htdocs/open/fall/x.txt': 'x',
        'htdocs/open/act/x.foo': 'x',
        'htdocs/open/list/visible.txt': 'x',
        'htdocs/open/list/hidden/protected.txt': `${SECRET_PAGE}\n`,
        'htdocs/front/front.cgi': SCRIPT,
        'htdocs/fall/front.cgi': SCRIPT,
        'htdocs/dix/index.cgi': SCRIPT,
        'htdocs/act/x.foo': 'x',
        'htdocs/env.shtml': '<!--#echo var="REMOTE_USER" encoding="none" -->|<!--#echo var="ENTRA_OID" encoding="none" -->\n',
        'dav/open/a.txt': 'dav-open\n',
        'dav/secret/s.txt': `${SECRET_PAGE}\n`,
      },
      extra: (s, ports) => `
EntraEnv ENV_NAME "%{name}"
<Directory "${s.docroot}">
    Options +ExecCGI +Includes +Indexes +FollowSymLinks
    AddHandler cgi-script .cgi
    AddOutputFilter INCLUDES .shtml
</Directory>
<Location "/open/">
    AuthType None
    Require all granted
</Location>
<Location "/open/list/hidden/">
    AuthType Entra
    Require valid-user
</Location>
<Directory "${s.docroot}/open/dix">
    DirectoryIndex /page.html
</Directory>
<Directory "${s.docroot}/open/rw">
    RewriteEngine on
    RewriteRule ^file$ /page.html [L]
    RewriteRule ^script$ /in/cgi/env [L]
    RewriteRule ^other$ /public/cgi/env [L]
</Directory>
<Directory "${s.docroot}/open/fall">
    FallbackResource /page.html
</Directory>
<Directory "${s.docroot}/open/act">
    AddHandler to-protected .foo
    Action to-protected /in/cgi/env
</Directory>
<Location "/open/ed/">
    ErrorDocument 404 /page.html
</Location>
<Location "/open/ed2/">
    ErrorDocument 404 /public/cgi/env
</Location>
<Location "/public/ed/">
    ErrorDocument 404 /in/cgi/env
</Location>
<Directory "${s.docroot}/front">
    RewriteEngine on
    RewriteCond %{REQUEST_URI} !/front\\.cgi
    RewriteRule ^(.*)$ front.cgi/$1 [L]
    ErrorDocument 404 /front/front.cgi
</Directory>
<Directory "${s.docroot}/fall">
    FallbackResource /fall/front.cgi
</Directory>
<Directory "${s.docroot}/dix">
    DirectoryIndex index.cgi
</Directory>
<Directory "${s.docroot}/act">
    AddHandler to-front .foo
    Action to-front /fall/front.cgi
</Directory>
<Location "/in/http/dept/">
    EntraHeader X-Dept "%{name}"
</Location>
<Location "/in/http/hdr/">
    RequestHeader set X-From-Expr "expr=%{REMOTE_USER}"
    RequestHeader set X-From-Env "%{ENTRA_OID}e"
    RequestHeader set X-Roles "expr=%{HTTP:X-Entra-Roles}"
</Location>
<Location "/in/http/only-ada/">
    Require expr "%{REMOTE_USER} == 'ada@contoso.example'"
</Location>
<Location "/in/http/only-readers/">
    Require expr "%{REMOTE_USER} != '' && reqenv('ENTRA_ROLES') =~ /(^|,)app\\.reader(,|$)/"
</Location>
<Location "/in/http/only-env/">
    Require env ENTRA_OID
</Location>
<Location "/in/http/users/">
    Require user ada@contoso.example root@contoso.example
</Location>
CustomLog logs/identity.log "%u|%{ENTRA_OID}e|%{APP_USER}e|%{X-Entra-User}i|%{Cookie}i|%U"
${hasModule('dav_fs') ? `
DavLockDB "${s.path('run')}/dav"
Alias "/dav/" "${s.path('dav')}/"
<Directory "${s.path('dav')}">
    Dav On
</Directory>
<Location "/dav/open/">
    AuthType None
    Require all granted
</Location>
<Location "/dav/secret/">
    AuthType Entra
    Require valid-user
</Location>` : ''}
`,
    });
    site.ownBackend = backend;
    await site.emu.control('user', { user: 'evil', set: { name: EVIL } });
    for (const user of ['ada', 'root', 'noroles', 'eleni', 'haruto', 'evil']) jar[user] = await site.signedIn({ user, path: '/in/http/x' });
  });

  after(async () => {
    // Requests that are meant to be refused by httpd itself.
    site?.httpd.allow(/AH01629|subrequest setup returned 401|AH00026|AH02429|AH01630|AH01631|AH00135|AH10508|AH00127|AH00128|AH01276|AH02559|AH00130|AH00566|AH01797|AH03490|AH00524|AH02811|AH01215|AH00670|AH10244/);
    try {
      await site?.stop();
    } finally {
      await site?.ownBackend.close();
      await backends?.close();
    }
  });

  beforeEach(() => { site.backend.clear(); backends.clear(); });

  describe('names and values', () => {
    for (const kind of kinds) {
      test(`${kind}: an ordinary user`, async () => {
        const { seen } = await site.ask(jar.ada, 'in', kind);
        assert.deepEqual(seen.entra, expectedOf('ada'));
        if (KINDS[kind].user) assert.equal(seen.variable('REMOTE_USER'), 'ada@contoso.example');
        if (KINDS[kind].vars) {
          for (const [header, variable] of Object.entries(VARIABLES)) assert.equal(seen.variable(variable), expectedOf('ada')[header], variable);
          assert.equal(seen.variable('AUTH_TYPE'), 'Entra');
          assert.equal(seen.variable('ENTRA_GROUPS'), undefined);
          assert.equal(seen.variable('APP_USER'), `${person('ada').oid}@${CONTOSO}`);
        }
        assert.deepEqual(seen.header('X-Remote-User'), ['ada@contoso.example']);
      });

      test(`${kind}: what a user has not leaves no header and no variable`, async () => {
        const { seen } = await site.ask(jar.noroles, 'in', kind);
        assert.deepEqual(seen.entra, expectedOf('noroles'));
        assert.deepEqual(Object.keys(seen.entra).sort(), ['X_ENTRA_NAME', 'X_ENTRA_OBJECT_ID', 'X_ENTRA_TENANT_ID', 'X_ENTRA_USER']);
        for (const name of ['ENTRA_EMAIL', 'ENTRA_ROLES', 'ENTRA_GROUPS', 'HTTP_X_FROM_ENV']) assert.equal(seen.variable(name), undefined, name);
        assert.deepEqual(seen.header('X-Never-There'), []);
      });

      test(`${kind}: several roles are a list`, async () => {
        const { seen } = await site.ask(jar.root, 'in', kind);
        assert.deepEqual(seen.header('X-Entra-Roles'), ['app.admin,app.reader']);
        if (KINDS[kind].vars) assert.equal(seen.variable('ENTRA_ROLES'), 'app.admin,app.reader');
      });

      for (const user of ['eleni', 'haruto']) {
        test(`${kind}: the name of ${user}, byte by byte`, async () => {
          const { seen } = await site.ask(jar[user], 'in', kind);
          assert.deepEqual(seen.entra, expectedOf(user));
          if (KINDS[kind].vars) assert.equal(seen.variable('ENV_NAME'), latin1(person(user).name));
        });
      }

      test(`${kind}: a hostile name is one value on one line, and adds no header`, async () => {
        const { seen } = await site.ask(jar.evil, 'in', kind);
        const [name] = seen.header('X-Entra-Name');
        assert.match(name, /^Eve {2}X-Injected: yes "quoted" 'single' <script>alert\(1\)<\/script> {3}\[31m {2}\\ end$/);
        assert.doesNotMatch(name, /[\x00-\x1f\x7f]/);
        assert.deepEqual(seen.header('X-Injected'), []);
        assert.deepEqual(Object.keys(seen.entra).sort(), Object.keys(expectedOf('evil')).sort());
        const usual = (await site.ask(jar.ada, 'in', kind)).seen;
        assert.deepEqual(seen.headers.map(([known]) => known).sort(), usual.headers.map(([known]) => known).sort(), 'the same headers as for anybody');
        if (KINDS[kind].vars) {
          assert.equal(seen.variable('ENTRA_NAME'), name);
          assert.equal(seen.variable('ENV_NAME'), name);
          assert.deepEqual(seen.vars.map(([known]) => known).sort(), usual.vars.map(([known]) => known).sort(), 'the same variables as for anybody');
        }
      });

      test(`${kind}: identity goes where a sign-in is asked for and where pass says so, and nowhere else`, async () => {
        for (const area of Object.keys(AREAS)) {
          const { response, seen } = await site.ask(jar.ada, area, kind);
          assert.equal(response.status, 200, `${area} ${response.text}`);
          const known = area === 'in' || area === 'pass';
          assert.deepEqual(seen.entra, known ? expectedOf('ada') : {}, area);
          assert.deepEqual(seen.header('X-Remote-User'), known ? ['ada@contoso.example'] : [], area);
          assert.equal(seen.variable('REMOTE_USER'), known && KINDS[kind].user ? 'ada@contoso.example' : undefined, area);
          if (!known) assert.ok(!seen.raw.includes('ada@contoso'), `${area}: ${seen.raw}`);
        }
      });

      test(`${kind}: nobody without a session`, async () => {
        const refused = await site.ask(null, 'in', kind);
        assert.equal(refused.response.status, 401);
        assertClosed(refused.response);
        for (const area of ['public', 'off', 'pass']) {
          const { response, seen } = await site.ask(null, area, kind);
          assert.equal(response.status, 200, area);
          assert.deepEqual(seen.entra, {}, area);
          assert.equal(seen.variable('REMOTE_USER'), undefined);
          assert.equal(seen.variable('AUTH_TYPE'), undefined);
        }
      });
    }

    for (const [path, name] of [['/in/http/', 'mod_proxy_http, upgrade=websocket'], ['/in/ws/', 'mod_proxy_wstunnel']]) {
      test(`WebSocket by ${name}: the handshake carries the identity, and nobody gets one without a session`, async () => {
        const { response, seen } = await site.upgrade(jar.ada, path);
        assert.equal(response.status, 101);
        assert.deepEqual(seen.entra, expectedOf('ada'));
        const evil = await site.upgrade(jar.evil, path);
        assert.deepEqual(evil.seen.header('X-Injected'), []);
        const count = site.backend.upgrades;
        const refused = await site.upgrade(null, path);
        assert.equal(refused.response.status, 401);
        assert.equal(site.backend.upgrades, count);
      });
    }

    test('SSI sees it', async () => {
      const page = await jar.ada.navigate(site.at('/env.shtml'));
      assert.equal(page.text.trim(), `ada@contoso.example|${person('ada').oid}`);
    });

    test('the access log: %u, variables and headers; our cookies are not in the Cookie field', async () => {
      await jar.ada.fetch(site.at('/in/http/logged'), { headers: { Cookie: `theme=dark; ${jar.ada.cookies.header(new URL(site.origin), {})}; lang=el` }, credentials: 'omit' });
      await site.httpd.request({ path: '/in/http/logged-nobody' });
      const lines = () => site.httpd.read('logs/identity.log').split('\n');
      // A line is written after the answer.
      await until('both lines', () => lines().some((line) => line.endsWith('logged-nobody')) && lines().some((line) => line.endsWith('/in/http/logged')));
      const mine = lines().find((line) => line.endsWith('/in/http/logged'));
      assert.equal(mine, `ada@contoso.example|${person('ada').oid}|${person('ada').oid}@${CONTOSO}|ada@contoso.example|theme=dark; lang=el|/in/http/logged`);
      assert.equal(lines().find((line) => line.endsWith('logged-nobody')), '-|-|-|-|-|/in/http/logged-nobody');
    });

    test('RequestHeader can build upon it', async () => {
      const page = await jar.ada.navigate(site.at('/in/http/hdr/x'));
      const header = (name) => page.json().headers.find(([known]) => known === name)?.[1];
      assert.equal(header('X-From-Expr'), 'ada@contoso.example');
      assert.equal(header('X-From-Env'), person('ada').oid);
      assert.equal(header('X-Roles'), 'app.reader');
    });

    test('Require user, and Require expr with REMOTE_USER and variables, decide by it', async () => {
      const status = async (user, path) => (await jar[user].navigate(site.at(path), { follow: false })).status;
      assert.deepEqual([await status('ada', '/in/http/only-ada/'), await status('root', '/in/http/only-ada/')], [200, 403]);
      assert.deepEqual([await status('ada', '/in/http/only-readers/'), await status('noroles', '/in/http/only-readers/')], [200, 403]);
      assert.deepEqual([await status('root', '/in/http/users/'), await status('eleni', '/in/http/users/')], [200, 403]);
      for (const path of ['/in/http/only-ada/', '/in/http/only-readers/', '/in/http/users/']) {
        const nobody = await site.browser().navigate(site.at(path), { follow: false });
        assert.equal(nobody.status, 302, `${path}: who has no session may sign in`);
      }
    });

    test('Require env with a variable of ours is never open to somebody without a session', async () => {
      const nobody = await site.httpd.request({ path: '/in/http/only-env/', headers: { 'Entra-OID': 'x', ENTRA_OID: 'x', 'X-Entra-Object-Id': 'x' } });
      assert.ok([401, 403].includes(nobody.status), `${nobody.status}`);
      assertClosed(nobody);
    });
  });

  describe('cookies', () => {
    const OURS = ['Entra-Session=x', 'Entra-Session-1=y', 'Entra-Session-2=y', 'Entra-Session-3=y', 'Entra-Session-9=y', '__Host-Entra-Session=z', '__Host-Entra-Session-1=z', '__Secure-Entra-Session=z', '__Secure-Entra-Session-3=z', 'Entra-Login=l', '__Host-Entra-Login=l', '__Secure-Entra-Login=l', 'entra-session=case', '__HOST-ENTRA-LOGIN=case', 'Entra-Session', 'Entra-Session='];
    const own = 'theme="dark mode, wide"; a=1; b==2=; c; _x=%3B%00; d=\xe9; lang=el';

    for (const kind of kinds) {
      test(`${kind}: none of ours, all others byte for byte, with and without a session`, async () => {
        const mixed = own.split('; ').flatMap((pair, i) => [pair, OURS[i * 2], OURS[i * 2 + 1]]).filter(Boolean).join('; ');
        for (const area of Object.keys(AREAS)) {
          for (const user of area === 'in' ? [jar.ada] : [jar.ada, null]) {
            const session = user ? `${user.cookies.header(new URL(site.origin), {})}; ` : '';
            const { response, seen } = await site.ask(null, area, kind, { headers: [['Cookie', session + mixed]] });
            assert.equal(response.status, 200, area);
            assert.deepEqual(seen.header('Cookie'), [own], area);
            assert.doesNotMatch(seen.raw, /Entra-(Session|Login)/i, area);
          }
        }
      });

      test(`${kind}: no Cookie header when only ours were there`, async () => {
        for (const area of ['in', 'public', 'pass']) {
          const { seen } = await site.ask(jar.ada, area, kind);
          assert.deepEqual(seen.header('Cookie'), [], area);
        }
      });
    }

    test('cookies without any of ours are not touched at all', async () => {
      for (const cookie of ['a=1;b=2', 'a=1;  b=2 ; c', ';;', 'a', '=', '; a=1', 'a=1; Entra=2; EntraSession=3; Entra_Session=4', 'x="a;b"']) {
        const { seen } = await site.ask(null, 'public', 'http', { headers: [['Cookie', cookie]] });
        assert.deepEqual(seen.header('Cookie'), [cookie]);
      }
    });

    test('two Cookie lines: ours goes, whichever line it is on, and the session is found', async () => {
      const session = jar.ada.cookies.header(new URL(site.origin), {});
      for (const lines of [[session, 'a=1'], ['a=1', session], ['a=1', `b=2; ${session}`]]) {
        const { response, seen } = await site.ask(null, 'public', 'http', { headers: lines.map((line) => ['Cookie', line]) });
        assert.equal(response.status, 200);
        assert.doesNotMatch(seen.raw, /Entra-(Session|Login)/i, JSON.stringify(lines));
      }
    });

    test('the obsolete Cookie2 line carries nothing to the backend', async () => {
      const session = jar.ada.cookies.header(new URL(site.origin), {});
      const { response, seen } = await site.ask(jar.ada, 'in', 'http', { headers: [['Cookie2', `$Version="1"; ${session}`], ['X-Control', 'kept']] });
      assert.equal(response.status, 200);
      assert.doesNotMatch(seen.raw, /Entra-(Session|Login)|Cookie2/i);
      assert.match(seen.raw, /kept/);
    });
  });

  // ---- what a client claims ----------------------------------------------------------------------------------------------

  describe('spoofing', () => {
    const NAMES = ['X-Entra-User', 'X-Entra-Name', 'X-Entra-Email', 'X-Entra-Object-Id', 'X-Entra-Tenant-Id', 'X-Entra-Roles', 'X-Entra-Groups', 'X-Entra-Assertion', 'X-Entra-Something-New', 'X-Remote-User', 'X-Never-There', 'X-Dept', 'App-User', 'X-From-Env', 'Env-Name'];

    function spellings(name) {
      const swapCase = [...name].map((c, i) => (i % 2 ? c.toUpperCase() : c.toLowerCase())).join('');
      const others = [...'_.~!#$%&\'*+^`|'].map((sign) => name.replaceAll('-', sign));
      const mixed = name.replace('-', '_');
      const last = name.slice(0, name.lastIndexOf('-')) + name.slice(name.lastIndexOf('-')).replace('-', '.');
      return [...new Set([name, name.toLowerCase(), name.toUpperCase(), swapCase, ...others, mixed, mixed.toUpperCase(), last, name.replaceAll('-', '_').toUpperCase()])];
    }

    const ALL = NAMES.flatMap((name) => spellings(name).map((spelling, i) => [spelling, `spoof-${name}-${i}`]));
    const KEPT = [['X-Control', 'control-kept'], ['Authorization', 'Basic c3Bvb2Y6bm90'], ['X-Forwarded-User', 'kept-1'], ['X-Entra', 'kept-2'], ['XEntraUser', 'kept-3'], ['Not-X-Entra-User', 'kept-4'], ['X-Remote-Users', 'kept-5'], ['Remote-User', 'kept-6']];
    const batches = [];
    for (let i = 0; i < ALL.length; i += 80) batches.push(ALL.slice(i, i + 80));

    function check(seen, { kind, user }) {
      const at = seen.raw.indexOf('spoof-');
      assert.equal(at, -1, seen.raw.slice(Math.max(0, at - 100), at + 60));
      assert.deepEqual(seen.entra, user ? expectedOf(user) : {});
      for (const [name, value] of KEPT) {
        // Names with other signs than the dash, and Authorization in the CGI family, are httpd's own business.
        if (kind === 'http' || !/Authorization/.test(name)) assert.deepEqual(seen.header(name), [value], name);
      }
    }

    for (const kind of kinds) {
      test(`${kind}: every owned name in every spelling is gone, others stay`, async () => {
        for (const [area, user] of [['in', 'ada'], ['in', 'noroles'], ['pass', 'noroles'], ['pass', null], ['public', null], ['public', 'ada'], ['off', null], ['off', 'noroles']]) {
          for (const batch of batches) {
            const { response, seen } = await site.ask(user && jar[user], area, kind, { headers: [...batch, ...KEPT] });
            assert.equal(response.status, 200, `${area} ${user}`);
            check(seen, { kind, user: area === 'in' || area === 'pass' ? user : null });
          }
        }
      });
    }

    test('one by one, so that no spelling hides another', async () => {
      for (const [name, value] of ALL) {
        for (const [area, user] of [['in', 'noroles'], ['public', null]]) {
          const { response, seen } = await site.ask(user && jar[user], area, 'http', { headers: [[name, value]] });
          assert.equal(response.status, 200, name);
          assert.doesNotMatch(seen.raw, /spoof-/, `${name} in ${area}`);
        }
      }
    });

    test('a name on several lines', async () => {
      for (const name of NAMES) {
        const { seen } = await site.ask(jar.noroles, 'in', 'http', { headers: [[name, 'spoof-1'], [name.toLowerCase(), 'spoof-2'], [name.replaceAll('-', '_'), 'spoof-3'], [name, 'spoof-4']] });
        assert.doesNotMatch(seen.raw, /spoof-/, name);
        assert.deepEqual(seen.entra, expectedOf('noroles'));
      }
    });

    for (const path of ['/in/http/', '/in/ws/']) {
      test(`WebSocket ${path}: every owned name in every spelling is gone`, async () => {
        for (const batch of batches) {
          const { response, seen } = await site.upgrade(jar.noroles, path, batch);
          assert.equal(response.status, 101);
          assert.doesNotMatch(seen.raw, /spoof-/);
          assert.deepEqual(seen.entra, expectedOf('noroles'));
        }
      });
    }

    test('any method: a header claimed is a header removed', async () => {
      for (const method of ['OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'REPORT', 'MERGE', 'HEAD', 'LOCK', 'M-SEARCH']) {
        for (const [area, user] of [['in', 'noroles'], ['public', null], ['pass', null]]) {
          site.backend.clear();
          const cors = method === 'OPTIONS' ? [['Origin', 'https://evil.test'], ['Access-Control-Request-Method', 'PUT']] : [];
          const { response } = await site.ask(user && jar[user], area, 'http', { method, headers: [...ALL.slice(0, 60), ...cors], ...(/POST|PUT|PATCH/.test(method) ? { body: 'x=1' } : {}) });
          assert.equal(response.status, 200, `${method} ${area}`);
          const seen = JSON.stringify(site.backend.last());
          assert.equal(site.backend.last().method, method);
          assert.doesNotMatch(seen, /spoof-/, `${method} ${area}`);
        }
      }
    });

    test('any method, even an invented one', async () => {
      for (const method of ['FOO', 'gEt', 'X-Y']) {
        for (const [area, user] of [['in', 'noroles'], ['public', null], ['pass', null]]) {
          const { response, seen } = await site.ask(user && jar[user], area, 'fcgi', { method, headers: ALL.slice(0, 60) });
          assert.equal(response.status, 200, `${method} ${area}`);
          assert.equal(seen.variable('REQUEST_METHOD'), method);
          assert.doesNotMatch(seen.raw, /spoof-/, `${method} ${area}`);
        }
      }
    });

    test('TRACE shows the request without our cookies', async () => {
      const { response } = await site.ask(jar.ada, 'public', 'cgi', { method: 'TRACE', headers: [['X-Entra-User', 'spoof-trace'], ['X-Control', 'kept']] });
      assert.equal(response.status, 200);
      assert.match(response.text, /X-Control: kept/);
      assert.doesNotMatch(response.text, /spoof-|Entra-(Session|Login)/);
    });

    test('names that hide behind folded lines, blanks and control bytes', async () => {
      const cookie = jar.noroles.cookies.header(new URL(site.origin), {});
      for (const line of ['X-Entra-User:\r\n spoof-fold', 'X-Entra-User: a\r\n\tspoof-fold', 'X-Entra-User : spoof-blank', ' X-Entra-User: spoof-lead', 'X-Control: a\r\n X-Entra-Roles: spoof-in-value', 'X-Entra-User\r\n : spoof', 'X-Entra-User\t: spoof', 'X Entra User: spoof', 'X-Entra-User\0: spoof', 'X-Entra-User:: spoof', ': spoof', 'X-Entra-User\x0b: spoof', 'X-\xe9Entra-User: spoof', 'x\x01entra_user: spoof', 'X-Entra-Roles: a\rX-Entra-User: spoof', 'X-Entra-Roles: a\nX-Entra-User: spoof']) {
        site.backend.clear();
        const response = await exchange(site.httpd.port, Buffer.from(`GET /in/http/x HTTP/1.1\r\nHost: localhost:${site.httpd.port}\r\nConnection: close\r\nCookie: ${cookie}\r\n${line}\r\n\r\n`, 'latin1'));
        assert.ok([200, 400].includes(response.status), `${JSON.stringify(line)}: ${response.status}`);
        for (const { headers } of site.backend.requests) {
          const claimed = headers.filter(([name, value]) => /spoof/.test(value) && !/^x-control$/i.test(name));
          assert.deepEqual(claimed, [], JSON.stringify(line));
        }
      }
    });

    test('trailers of a chunked body', async () => {
      const cookie = jar.noroles.cookies.header(new URL(site.origin), {});
      for (const path of ['/in/http/x', '/public/http/x', '/in/fcgi/x', '/in/cgi/env']) {
        site.backend.clear();
        const response = await exchange(site.httpd.port, `POST ${path} HTTP/1.1\r\nHost: localhost:${site.httpd.port}\r\nConnection: close\r\nCookie: ${cookie}\r\nTE: trailers\r\nTrailer: X-Entra-Roles, X_Entra_User\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Entra-Roles: spoof-trailer\r\nX_Entra_User: spoof-trailer\r\nX-Remote-User: spoof-trailer\r\n\r\n`);
        assert.equal(response.status, 200, path);
        assert.ok(!response.body.includes('spoof-'), path);
        assert.doesNotMatch(JSON.stringify(site.backend.requests), /spoof-/, path);
      }
    });

    for (const kind of ['http', 'ajp', 'fcgi', 'scgi', 'uwsgi', 'cgi']) {
      test(`${kind}: Connection cannot take our headers off again`, async () => {
        const many = Array.from({ length: 14 }, (_, i) => String.fromCharCode(97 + i));
        for (const value of ['X-Entra-User', 'close, X-Entra-User', 'X-Entra-User, close', 'close,X-Entra-User,X-Entra-Name', 'x-entra-user', 'close; X-Entra-User', 'close;X-Remote-User;X-Entra-Roles', 'close X-Entra-User', 'close\tX-Remote-User X-Entra-Object-Id', ',;, X-Entra-Tenant-Id ;,', 'X_Entra_User', '"X-Entra-User"', 'X-Entra-User;q=1', [...many, 'X-Entra-User'].join(';'), [...many, 'X-Entra-User'].join(','), 'keep-alive, Upgrade, X-Entra-Email', 'X-Entra-User='] ) {
          for (const lines of [[['Connection', value]], [['Connection', 'close'], ['Connection', value]]]) {
            const { response, seen } = await site.ask(jar.ada, 'in', kind, { headers: lines });
            assert.equal(response.status, 200, value);
            assert.deepEqual(seen.entra, expectedOf('ada'), `Connection: ${value}`);
            assert.deepEqual(seen.header('X-Remote-User'), ['ada@contoso.example'], `Connection: ${value}`);
          }
        }
        for (const name of ['Proxy-Connection', 'Keep-Alive', 'TE', 'Trailer', 'Upgrade', 'Proxy-Authorization']) {
          const { seen } = await site.ask(jar.ada, 'in', kind, { headers: [[name, 'X-Entra-User, X-Remote-User']] });
          assert.deepEqual(seen.entra, expectedOf('ada'), name);
        }
      });
    }

    test('WebSocket: nor at an upgrade', async () => {
      for (const value of ['Upgrade, X-Entra-User', 'Upgrade;X-Entra-User', 'X-Entra-User Upgrade']) {
        for (const path of ['/in/http/', '/in/ws/']) {
          const { response, seen } = await site.upgrade(jar.ada, path, [['Connection', value]]);
          if (response.status === 101) assert.deepEqual(seen.entra, expectedOf('ada'), value);
        }
      }
    });

    test('a Connection line with thousands of words costs nothing', async () => {
      const long = `close,${'a,'.repeat(4000)}X-Entra-User`;
      const { response, seen } = await site.ask(jar.ada, 'in', 'http', { headers: [['Connection', long]] });
      assert.equal(response.status, 200);
      assert.deepEqual(seen.entra, expectedOf('ada'));
    });

    test('the paths of the module itself reach no backend, whatever is claimed', async () => {
      for (const path of ['/.entra/session', '/.entra/login?rd=/', '/.entra/logout', '/.entra/callback?code=x&state=y', '/.entra/nothing']) {
        const response = await site.httpd.request({ path, headers: ALL.slice(0, 80) });
        assert.ok(!response.text.includes('spoof-'), path);
        if (path === '/.entra/session') assert.equal(response.status, 401);
      }
      assert.equal(backendRequests(site).length, 0);
    });

    test('internal redirects and subrequests: DirectoryIndex, mod_rewrite, ErrorDocument, SSI, Action', async () => {
      for (const path of ['/open/rw/other', '/open/ed2/none', '/dix/', '/front/x', '/fall/x', '/act/x.foo', '/open/rw/script', '/open/inner.shtml', '/public/ed/none']) {
        for (const user of [jar.noroles, null]) {
          const cookie = user?.cookies.header(new URL(site.origin), {});
          for (const batch of batches) {
            const response = await site.httpd.request({ path, headers: [...batch, ...(cookie ? [['Cookie', cookie]] : [])] });
            assert.ok(!response.body.includes('spoof-'), `${path}: ${response.text.slice(0, 300)}`);
          }
        }
      }
    });

    test('HTTP/2', { skip: MPM === 'prefork' ? 'mod_http2 wants threads' : !hasModule('http2') && 'there is no mod_http2' }, async () => {
      const h2 = await startAreas({ emu: site.emu, backend: site.backend, backends, modules: ['http2'], extra: () => 'Protocols h2c http/1.1\n' });
      const browser = await h2.signedIn({ user: 'noroles', path: '/in/http/x' });
      const client = http2.connect(h2.origin.replace('localhost', '127.0.0.1'));
      const ask = (path, headers) => new Promise((resolve, reject) => {
        const stream = client.request({ ':path': path, ':authority': `localhost:${h2.httpd.port}`, ...headers });
        const parts = [];
        let status;
        stream.on('response', (head) => { status = head[':status']; });
        stream.on('data', (part) => parts.push(part));
        stream.on('end', () => resolve({ status, text: Buffer.concat(parts).toString('latin1') }));
        stream.on('error', reject);
        stream.end();
      });
      try {
        const cookie = browser.cookies.header(new URL(h2.origin), {});
        const claims = Object.fromEntries(ALL.map(([name, value]) => [name.toLowerCase(), value]).slice(0, 80));
        const nobody = await ask('/in/http/x', claims);
        assert.equal(nobody.status, 401);
        for (const path of ['/in/http/x', '/public/http/x', '/in/cgi/env', '/in/fcgi/x']) {
          const answer = await ask(path, { ...claims, cookie });
          assert.equal(answer.status, 200, path);
          assert.ok(!answer.text.includes('spoof-'), path);
          assert.ok(!/Entra-(Session|Login)/.test(answer.text), path);
        }
        const seen = JSON.parse((await ask('/in/http/x', { cookie: [cookie, 'a=1'] })).text);
        assert.deepEqual(seen.headers.filter(([name]) => name === 'X-Entra-User'), [['X-Entra-User', 'noroles@contoso.example']]);
        assert.deepEqual(seen.headers.filter(([name]) => /^cookie$/i.test(name)).map(([, value]) => value), ['a=1']);
        const offer = (path, line) => exchange(h2.httpd.port, Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost:${h2.httpd.port}\r\n${line}Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n`));
        const upgraded = await offer('/in/http/x', `Cookie: ${cookie}\r\n`);
        assert.equal(upgraded.status, 200, 'a session survives the offer to upgrade');
        assert.match(upgraded.text, /noroles@contoso\.example/);
        assert.equal((await offer('/.entra/callback?code=x&state=y', '')).status, 400, 'and so does the query of the callback');
      } finally {
        client.destroy();
        await h2.stop();
      }
    });

    test('where the protocol is lax: names with blanks and signs', async () => {
      const lax = await startAreas({ emu: site.emu, backend: site.backend, backends, extra: () => 'HttpProtocolOptions Unsafe\n' });
      try {
        const browser = await lax.signedIn({ user: 'noroles', path: '/in/http/x' });
        for (const name of ['X Entra User', 'X-Entra-User ', 'X(Entra)User', 'X/Entra/User', 'X@Entra@User', 'X Entra Roles', 'X,Entra,Roles', 'X\xe4Entra\xe4Roles', 'X"Entra"User', 'X{Entra}Roles']) {
          for (const [area, user] of [['in', browser], ['public', null]]) {
            for (const kind of ['http', 'cgi', 'fcgi', 'uwsgi', 'ajp']) {
              const { response, seen } = await lax.ask(user, area, kind, { headers: [[name, 'spoof-lax']] });
              assert.ok([200, 400].includes(response.status), `${name}: ${response.status}`);
              if (seen) assert.doesNotMatch(seen.raw, /spoof-/, `${kind} ${JSON.stringify(name)}`);
            }
          }
        }
      } finally {
        lax.httpd.allow(/./);
        await lax.stop();
      }
    });
  });

  // ---- internal redirects and subrequests --------------------------------------------------------------------------------

  describe('internal redirects and subrequests', () => {
    const LEADS = ['/open/dix/', '/open/rw/file', '/open/rw/script', '/open/fall/none', '/open/ed/none', '/open/act/x.foo', '/open/ssi.shtml', '/open/inner.shtml', '/public/ed/none'];

    for (const path of LEADS) {
      test(`after GHSA-98m5-m556-8684: ${path} leads from an open place to a protected one, and opens nothing without a session`, async () => {
        for (const headers of [{}, { Cookie: 'Entra-Session=' }, { Cookie: `Entra-Session=${'A'.repeat(500)}` }, { 'X-Entra-User': 'admin', Accept: 'text/html', 'Sec-Fetch-Mode': 'navigate' }]) {
          const response = await site.httpd.request({ path, headers });
          assertClosed(response, `${path} ${response.status}`);
          assert.doesNotMatch(response.body.toString('latin1'), /REMOTE_USER=|ENTRA_OID=|SCRIPT_NAME=/, `${path}: the protected script ran`);
        }
      });

      test(`and ${path} works with one`, async () => {
        const page = await jar.ada.navigate(site.at(path), { follow: false });
        const text = page.response.body.toString('latin1');
        if (/script|act|inner|public/.test(path)) assert.match(text, /REMOTE_USER=ada@contoso\.example/, `${page.status} ${text}`);
        else assert.match(text, new RegExp(SECRET_PAGE), `${page.status} ${text}`);
      });
    }

    for (const path of ['/front/some/page', '/fall/some/page', '/dix/', '/act/x.foo', '/front/front.cgi']) {
      test(`a front controller at ${path} gets the whole identity`, async () => {
        const response = await jar.ada.fetch(site.at(path));
        const vars = Object.fromEntries(cgiVars(response));
        for (const [name, value] of Object.entries(expectedOf('ada'))) assert.equal(vars[`HTTP_${name}`], value, name);
        for (const [header, variable] of Object.entries(VARIABLES)) assert.equal(vars[variable], expectedOf('ada')[header], variable);
        assert.equal(vars.REMOTE_USER, 'ada@contoso.example');
        assert.equal(vars.APP_USER, `${person('ada').oid}@${CONTOSO}`);
        assert.equal(vars.HTTP_X_REMOTE_USER, 'ada@contoso.example');
        assert.equal(vars.HTTP_COOKIE, undefined);
        const nobody = await site.httpd.request({ path });
        assert.equal(nobody.status, 401);
        assert.doesNotMatch(nobody.text, /SCRIPT_NAME/);
      });
    }

    test('from a protected place to an open one: the open one is told nothing', async () => {
      const response = await jar.ada.fetch(site.at('/open/rw/other'));
      const vars = Object.fromEntries(cgiVars(response));
      assert.equal(vars.REMOTE_USER, undefined);
      assert.equal(vars.HTTP_X_ENTRA_USER, undefined);
      assert.equal(vars.ENTRA_OID, undefined);
    });

    test('mod_autoindex does not show what the visitor may not open', async () => {
      const list = async (browser) => (await browser.navigate(site.at('/open/list/'), { follow: false })).text;
      const nobody = await list(site.browser());
      assert.match(nobody, /visible\.txt/);
      assert.doesNotMatch(nobody, /hidden/);
      assert.match(await list(jar.ada), /hidden/);
      const inside = await site.httpd.request({ path: '/open/list/hidden/' });
      assert.equal(inside.status, 401);
    });

    test('WebDAV: COPY and MOVE ask at the destination too', { skip: !hasModule('dav_fs') && 'there is no mod_dav_fs' }, async () => {
      const at = (name) => `http://localhost:${site.httpd.port}${name}`;
      for (const [method, from, to] of [['COPY', '/dav/secret/s.txt', '/dav/open/stolen.txt'], ['MOVE', '/dav/secret/s.txt', '/dav/open/stolen.txt'], ['COPY', '/dav/open/a.txt', '/dav/secret/planted.txt'], ['MOVE', '/dav/open/a.txt', '/dav/secret/s.txt'], ['COPY', '/dav/open/a.txt', '/dav/secret/s.txt']]) {
        const response = await site.httpd.request({ method, path: from, headers: { Destination: at(to), Overwrite: 'T' } });
        assert.ok([401, 403, 409, 412, 502].includes(response.status), `${method} ${from} ${to}: ${response.status}`);
        assert.equal(site.httpd.read('dav/secret/s.txt'), `${SECRET_PAGE}\n`);
        assert.equal(site.httpd.read('dav/secret/planted.txt'), '');
        assert.equal(site.httpd.read('dav/open/stolen.txt'), '');
        assert.equal(site.httpd.read('dav/open/a.txt'), 'dav-open\n');
      }
    });
  });

  // ---- path tricks -------------------------------------------------------------------------------------------------------

  describe('a request for something protected is one, however it is dressed (attacks.md G 5 to 11)', () => {
    const raw = (line, headers = [], host = `localhost:${site.httpd.port}`) => exchange(site.httpd.port, Buffer.from(`${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`, 'latin1'), { method: line.split(' ')[0] });

    function closed(response, message) {
      assert.ok([301, 302, 400, 401, 403, 404, 405, 501].includes(response.status), `${message}: ${response.status}`);
      assertClosed(response, message);
      assert.equal(backendRequests(site).length, 0, `${message}: the backend was asked`);
    }

    const FORGED = ['/public/http/x', '/', '/open/plain.html', '/.entra/session'];
    for (const header of ['X-Forwarded-Uri', 'X-Original-URL', 'X-Original-URI', 'X-Rewrite-URL', 'X-Forwarded-Prefix', 'X-Forwarded-Path', 'X-Accel-Redirect', 'X-Sendfile', 'Referer', 'Origin', 'X-Forwarded-For', 'X-Real-IP', 'Forwarded', 'Via', 'X-Envoy-Original-Path', 'X-Script-Name', 'Script-Name', 'Destination']) {
      test(`row 5, ${header} says a public path`, async () => {
        for (const value of [...FORGED, 'for=127.0.0.1;proto=https', '127.0.0.1']) closed(await raw('GET /in/http/x', [[header, value]]), `${header}: ${value}`);
      });
    }

    test('row 6, the public path in the query; row 7, behind a # or %23', async () => {
      for (const target of ['/in/http/x?x=/public/http/x', '/in/http/x?/public/http/x', '/in/http/x?path=/.entra/session', '/in/http/x#/public/http/x', '/in/http/x%23/public/http/x', '/in/http/x%3f/public/http/', '/in/http/%23/../x']) closed(await raw(`GET ${target}`), target);
    });

    test('row 8, by the name of a health checker', async () => {
      for (const agent of ['kube-probe/1.29', 'GoogleHC/1.0', 'ELB-HealthChecker/2.0', 'Googlebot/2.1', 'curl/8', '']) closed(await raw('GET /in/http/x', [['User-Agent', agent]]), agent);
    });

    test('row 9, by another spelling of the path', async () => {
      for (const target of ['/public/../in/http/x', '/public/%2e%2e/in/http/x', '/public/.%2e/in/http/x', '/public;/../in/http/x', '/public/;x/../../in/http/x', '//in/http/x', '/in//http//x', '///in/http/x', '/./in/http/x', '/in/./http/x', '/public/http/../../in/http/x', '/public/http/%2e%2e/%2e%2e/in/http/x', '/public%2f..%2fin/http/x', '/%69n/http/x', '/in%2fhttp/x', '/in/http%2fx', '/publicity', '/public', '/.entra/../in/http/x', '/.entra/%2e%2e/in/http/x', '/.entra/session/../../in/http/x', '/%2e%2e/in/http/x', '/in/http/x/.', '/in/http/x/', '/in/http/x;jsessionid=1', `http://localhost:${site.httpd.port}/in/http/x`, 'http://evil.test/in/http/x', '/\\in/http/x', '/in/http/x%00', '/in/http/x%0d%0a', '/page.html', '//page.html', '/public/../page.html', '/%70age.html', '/page.html/', '/page.html/x', '/page.html;x', '/open/../page.html', '/open/%2e%2e/page.html', '/open/..;/page.html']) {
        const response = await raw(`GET ${target}`);
        closed(response, target);
      }
    });

    test('row 10, by another spelling of the host', async () => {
      for (const host of [`LOCALHOST:${site.httpd.port}`, 'localhost.', 'localhost', '127.0.0.1', 'evil.test', 'localhost:1', '[::1]', '', 'a'.repeat(300), 'localhost:443', '*', '_default_']) closed(await raw('GET /in/http/x', [], host), host);
      const old = await exchange(site.httpd.port, 'GET /in/http/x HTTP/1.0\r\n\r\n');
      closed(old, 'HTTP/1.0 without Host');
      const twice = await raw('GET /in/http/x', [['Host', 'public.test']]);
      closed(twice, 'two hosts');
    });

    test('row 11, by any method', async () => {
      for (const method of ['gEt', 'get', 'FOO', 'PROPFIND', 'OPTIONS', 'POST', 'PUT', 'DELETE', 'PATCH', 'CONNECT', 'LOCK', 'MOVE', 'HEAD', 'BASELINE-CONTROL', 'M-SEARCH', '\x01']) {
        for (const target of ['/in/http/x', '/page.html', '/in/cgi/env']) closed(await raw(`${method} ${target}`, method === 'POST' ? [['Content-Length', '0']] : []), method);
      }
      for (const override of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', '_method']) closed(await raw('GET /in/http/x', [[override, 'OPTIONS']]), override);
    });

    test('row 12, Authorization and access_token open nothing; row 17, nor PAOS, nor any other odd Accept', async () => {
      for (const headers of [[['Authorization', 'Bearer x']], [['Authorization', 'Basic YWRhOng=']], [['Authorization', 'Negotiate x']], [['X-Access-Token', 'x']], [['Accept', 'application/vnd.paos+xml'], ['PAOS', 'ver="urn:liberty:paos:2003-08"']], [['Accept', 'text/event-stream']], [['Expect', '100-continue']], [['Range', 'bytes=0-5']], [['If-None-Match', '*']], [['If-Modified-Since', 'Thu, 01 Jan 2099 00:00:00 GMT']], [['Upgrade', 'h2c'], ['Connection', 'Upgrade, HTTP2-Settings'], ['HTTP2-Settings', 'AAMAAABkAAQAoAAAAAIAAAAA']], [['Service-Worker', 'script']], [['Purpose', 'prefetch']], [['Max-Forwards', '0']]]) {
        for (const target of ['/in/http/x', '/in/http/x?access_token=x', '/page.html']) closed(await raw(`GET ${target}`, headers), JSON.stringify(headers));
      }
    });

    test('a session opens all of these that are real pages, so the refusals prove something', async () => {
      for (const target of ['/public/../in/http/x', '//in/http/x', '/%69n/http/x', '/in//http//x', '/page.html?x=/public/']) {
        const response = await jar.ada.fetch(site.at('/').slice(0, -1) + target.replace('/public/..', ''));
        assert.equal(response.status, 200, target);
      }
    });

    test('an open site with a protected part: the part is closed by any spelling of its path', async () => {
      const open = await startSite({
        emu: site.emu,
        backend: site.backend,
        config: (server, made) => `${entraLines(server, made.emu)}\n<Location "/app">\n    AuthType Entra\n    Require valid-user\n</Location>\nProxyPass "/" "http://127.0.0.1:${made.backend.port}/"\n`,
      });
      try {
        const ask = (target) => exchange(open.httpd.port, `GET ${target} HTTP/1.1\r\nHost: localhost:${open.httpd.port}\r\nConnection: close\r\n\r\n`);
        assert.equal((await ask('/health')).status, 200);
        assert.equal((await ask('/application')).status, 200, 'a prefix ends at a segment');
        for (const target of ['/app', '/app/', '/app/x', '/app?x', '//app', '///app/x', '/./app', '/health/../app', '/health/%2e%2e/app', '/health/%2E./app', '/%61pp', '/a%70%70/x', '/health;/../app', '/app/../app/x', '/app/./x', `http://localhost:${open.httpd.port}/app`]) {
          site.backend.clear();
          const response = await ask(target);
          assert.ok([401, 400, 404].includes(response.status), `${target}: ${response.status}`);
          assertClosed(response, target);
          assert.equal(site.backend.requests.length, 0, target);
        }
      } finally {
        open.httpd.allow(/AH10244|AH00026/);
        await open.stop();
      }
    });
  });
});

// ---- caches ------------------------------------------------------------------------------------------------------------------

describe('a cache in this httpd', { skip: missing || (hasModule('cache_disk') ? false : 'there is no mod_cache_disk') }, () => {
  for (const quick of ['On', 'Off']) {
    test(`CacheQuickHandler ${quick}: keeps nothing that was made for a session, whatever Cache-Control the application or mod_headers sets`, async () => {
      const backend = await startEcho({
        handler: (req, res) => {
          const cc = new URL(req.url, 'http://x').searchParams.get('cc');
          res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': SECRET_PAGE.length, 'Last-Modified': new Date(Date.now() - 36e5).toUTCString(), Expires: new Date(Date.now() + 36e5).toUTCString(), ...(cc ? { 'Cache-Control': cc } : {}) });
          res.end(SECRET_PAGE);
          return true;
        },
      });
      const site = await startSite({
        backend,
        modules: ['cache', 'cache_disk', 'headers'],
        files: { 'htdocs/static/a.html': SECRET_PAGE, 'htdocs/always/a.html': SECRET_PAGE, 'htdocs/public/cached.html': 'open-content', 'cache/x': 'x' },
        extra: (s) => `
CacheRoot "${s.path('cache')}"
CacheEnable disk /
CacheQuickHandler ${quick}
CacheHeader on
<Location "/static/">
    Header set Cache-Control "public, max-age=3600"
</Location>
<Location "/always/">
    Header always set Cache-Control "public, max-age=3600"
</Location>
<Location "/public/">
    Header set Cache-Control "public, max-age=3600"
</Location>`,
        allowLog: [/cache/],
      });
      try {
        chmodSync(site.httpd.path('cache'), 0o777);
        const browser = await site.signedIn();
        // The cache works at all.
        for (let i = 0; i < 2; i += 1) await site.httpd.get('/public/cached.html');
        assert.match((await site.httpd.get('/public/cached.html')).header('x-cache') ?? '', /HIT/);
        for (const path of ['/page.html', '/static/a.html', '/always/a.html', '/app/x?cc=public,max-age=600', '/app/y?cc=s-maxage=600', '/app/z', '/app/v?cc=must-revalidate,max-age=60', '/app/w?cc=no-store']) {
          for (let i = 0; i < 2; i += 1) {
            const page = await browser.navigate(site.at(path));
            assert.equal(page.status, 200, path);
            assert.doesNotMatch(page.header('x-cache') ?? '', /HIT/, path);
            if (!path.startsWith('/always')) assert.match(page.response.all('cache-control').join(), /private/, path);
            if (path.endsWith('no-store')) assert.match(page.response.all('cache-control').join(), /no-store/, 'the word of the application stays');
          }
          const nobody = await site.httpd.get(path);
          assert.equal(nobody.status, 401, path);
          assertClosed(nobody, path);
        }
      } finally {
        await site.stop();
        await backend.close();
      }
    });
  }
});

describe('a cache in this httpd that is told to keep all it can', { skip: missing || (hasModule('cache_disk') ? false : 'there is no mod_cache_disk') }, () => {
  for (const quick of ['On', 'Off']) {
    test(`CacheQuickHandler ${quick}: keeps neither what a session got nor an answer of the module itself`, async () => {
      const site = await startSite({
        modules: ['cache', 'cache_disk'],
        files: { 'cache/x': 'x' },
        extra: (s) => `
CacheRoot "${s.path('cache')}"
CacheEnable disk /
CacheQuickHandler ${quick}
CacheHeader on
CacheStoreNoStore On
CacheStorePrivate On
CacheIgnoreNoLastMod On
CacheIgnoreCacheControl On
CacheDefaultExpire 600
CacheMinExpire 600`,
        allowLog: [/cache/],
      });
      try {
        chmodSync(site.httpd.path('cache'), 0o777);
        const browser = await site.signedIn();
        for (let i = 0; i < 2; i += 1) await site.httpd.get('/public/index.html');
        assert.match((await site.httpd.get('/public/index.html')).header('x-cache') ?? '', /HIT/, 'the cache works at all');
        for (const [path, status] of [['/.entra/session', 401], ['/page.html', 401], ['/app/x', 401], ['/.entra/logout', 200]]) {
          const page = await browser.navigate(site.at(path), { from: 'https://elsewhere.test/' });
          assert.equal(page.status, 200, page.trace);
          for (let i = 0; i < 2; i += 1) {
            const nobody = await site.httpd.get(path);
            assert.equal(nobody.status, status, path);
            assert.doesNotMatch(nobody.header('x-cache') ?? '', /HIT/, path);
            assert.doesNotMatch(nobody.text, /ada@contoso/, path);
          }
        }
      } finally {
        await site.stop();
      }
    });
  }
});

// ---- configuration of the identity ---------------------------------------------------------------------------------------

describe('configuration of the identity', { skip: missing }, () => {
  let backends;
  let site;
  const jar = {};
  const JOSE = 'José Ñandú-Œuvre';

  before(async () => {
    backends = await startBackends();
    site = await startAreas({
      backends,
      directives: { EntraHeader: 'X-Level "server"', EntraRemoteUser: '"%{oid}"' },
      expectLog: [/ENTRA4024: EntraTenant: .*%\{email\}/],
      extra: (s, ports) => {
        const place = (path, lines) => `<Location "/in/http/${path}/">\n    ${lines.join('\n    ')}\n</Location>`;
        const both = (path, lines) => `${place(path, lines)}\n<Location "/in/fcgi/${path}/">\n    ${lines.join('\n    ')}\n</Location>`;
        return [
          place('none', ['EntraHeaders none', 'EntraHeader X-Own "%{oid}"']),
          place('none/again', ['EntraHeaders default']),
          both('list', ['EntraListSeparator " | "']),
          both('enc', ['EntraHeader X-Utf8 "%{name}" utf-8', 'EntraHeader X-Latin1 "%{name}" latin1', 'EntraHeader X-Percent "%{name}" percent', 'EntraHeader X-Base64 "%{name}" base64', 'EntraHeader X-Mixed "<%{name}> 100%% %{oid}"']),
          both('env', ['EntraEnv DEPT "%{extn.dept}"', 'EntraEnv MEMBER "%{address.city}"', 'EntraEnv NUMBER "%{level}"', 'EntraEnv YES "%{yes}"', 'EntraEnv BOTH "%{oid}/%{no_such_claim}"', 'EntraEnv LIST "%{list}"', 'EntraEnv DEEP "%{address.geo}"']),
          both('local', ['EntraRemoteUser "%{preferred_username}" "^([^@]+)@"']),
          both('swap', ['EntraRemoteUser "%{preferred_username}" "^([^@]+)@(.+)$" "$2/$1"']),
          both('whole', ['EntraRemoteUser "%{preferred_username}" "^[^@]+"']),
          both('nomatch', ['EntraRemoteUser "%{preferred_username}" "^nobody$"']),
          both('mail', ['EntraRemoteUser "%{email}"']),
          both('empty', ['EntraRemoteUser "%{preferred_username}" "^x?"']),
          both('half', ['EntraRemoteUser "%{name}" "^(.)"']),
          place('outer', ['EntraHeader X-Level "outer"', 'EntraHeader X-Outer "%{oid}"', 'EntraEnv PLACE outer']),
          place('outer/inner', ['EntraHeader X-Level "inner"', 'EntraHeader X-Inner "%{oid}"']),
          place('outer/gone', ['EntraHeader X-Level "%{no_such_claim}"']),
          place('default', ['EntraHeader X-Entra-User "%{tid}"']),
          `<VirtualHost 127.0.0.1:${s.port}>
    ServerName http://127.0.0.2:${s.port}
    EntraHeader X-Level "vhost"
    EntraHeader X-Only-Two "%{oid}"
    EntraRemoteUser "%{preferred_username}"
    ProxyPass "/" "http://127.0.0.1:${ports.http}/"
</VirtualHost>
<VirtualHost 127.0.0.1:${s.port}>
    ServerName http://127.0.0.3:${s.port}
    EntraHeaders none
    <Location "/deep">
        EntraHeader X-Level "vhost-location"
    </Location>
    ProxyPass "/" "http://127.0.0.1:${ports.http}/"
</VirtualHost>
<VirtualHost 127.0.0.1:${s.port}>
    ServerName http://localhost:${s.port}
</VirtualHost>`,
        ].join('\n');
      },
    });
    await site.emu.control('user', { user: 'guest', set: { name: JOSE } });
    await site.emu.control('user', { user: 'evil', set: { name: EVIL } });
    const callbacks = ['127.0.0.2', '127.0.0.3'].map((host) => `http://${host}:${site.httpd.port}/.entra/callback`);
    await site.emu.control('client', { client_id: CLIENT, set: { redirectUris: callbacks } });
    await site.emu.control('user', { user: 'root', set: { claims: { 'extn.dept': ['x', 'ÿ y'], address: { city: 'Αθήνα', geo: { a: 1 } }, level: 42, yes: true, list: ['a', 1, false, null, { b: 1 }, 'c'] } } });
    for (const user of ['ada', 'root', 'noroles', 'eleni', 'haruto', 'evil', 'guest']) jar[user] = await site.signedIn({ user, path: '/in/http/x' });
  });

  after(async () => { try { await site?.stop(); } finally { await backends?.close(); } });
  beforeEach(() => { site.backend.clear(); backends.clear(); });

  const at = async (user, kind, path) => {
    const url = `/in/${kind}/${path}`;
    const response = await site.httpd.request({ path: url, headers: { Cookie: jar[user].cookies.header(new URL(site.origin), {}) } });
    return { response, seen: response.status === 200 ? KINDS[kind].seen(response) : null };
  };

  test('the server decides the user name where nothing else does', async () => {
    const { seen } = await at('ada', 'fcgi', 'x');
    assert.equal(seen.variable('REMOTE_USER'), person('ada').oid);
    assert.deepEqual(seen.header('X-Entra-User'), [person('ada').oid]);
    assert.deepEqual(seen.header('X-Level'), ['server']);
  });

  for (const [path, user, expected] of [
    ['local', 'ada', 'ada'], ['swap', 'ada', 'contoso.example/ada'], ['whole', 'ada', 'ada'], ['mail', 'ada', 'ada@contoso.example'],
  ]) {
    test(`EntraRemoteUser: ${path} gives ${expected}`, async () => {
      for (const kind of ['http', 'fcgi']) {
        const { seen } = await at(user, kind, `${path}/x`);
        assert.deepEqual(seen.header('X-Entra-User'), [expected]);
        if (kind === 'fcgi') assert.equal(seen.variable('REMOTE_USER'), expected);
      }
      const session = await jar[user].fetch(site.at('/.entra/session'));
      assert.equal(session.json().user, person(user).oid, 'the session endpoint has its own place');
    });
  }

  for (const [path, user] of [['nomatch', 'ada'], ['mail', 'noroles'], ['empty', 'ada']]) {
    test(`EntraRemoteUser: ${path} gives no name, and so no access`, async () => {
      const log = await site.httpd.logOf(async () => {
        for (const kind of ['http', 'fcgi']) {
          const { response } = await at(user, kind, `${path}/x`);
          assert.equal(response.status, 403);
          assertClosed(response);
        }
      });
      assert.match(log, /ENTRA1410: .*EntraRemoteUser.*\[id [^\]]+\]/);
      assert.equal(backendRequests(site).length, 0);
      site.httpd.expect(/ENTRA1410:/);
    });
  }

  test('EntraRemoteUser: an expression that cuts a letter in half does no harm', async () => {
    const { response, seen } = await at('eleni', 'fcgi', 'half/x');
    if (response.status === 200) assert.ok(seen.variable('REMOTE_USER').length <= 2);
    else assert.equal(response.status, 403);
    site.httpd.allow(/ENTRA1410:/);
  });

  test('EntraHeaders none takes the default set away, and nothing else; an inner section brings it back', async () => {
    const { seen } = await at('ada', 'http', 'none/x');
    assert.deepEqual(seen.entra, {});
    assert.deepEqual(seen.header('X-Own'), [person('ada').oid]);
    assert.deepEqual(seen.header('X-Level'), ['server']);
    const again = (await at('ada', 'http', 'none/again/x')).seen;
    assert.deepEqual(again.header('X-Entra-Email'), ['ada@contoso.example']);
  });

  test('EntraListSeparator', async () => {
    const { seen } = await at('root', 'fcgi', 'list/x');
    assert.deepEqual(seen.header('X-Entra-Roles'), ['app.admin | app.reader']);
    assert.equal(seen.variable('ENTRA_ROLES'), 'app.admin | app.reader');
    assert.deepEqual((await at('root', 'http', 'list/x')).seen.header('X-Entra-Roles'), ['app.admin | app.reader']);
  });

  for (const user of ['ada', 'eleni', 'haruto', 'guest', 'evil']) {
    test(`EntraHeader in every encoding: ${user}`, async () => {
      // What is left of a name once its control characters are spaces.
      const name = ({ guest: JOSE, evil: EVIL }[user] ?? person(user).name).replace(/[\x00-\x1f\x7f]/g, ' ');
      const asLatin1 = [...name].map((c) => (c.codePointAt(0) < 256 ? c : '?')).join('');
      for (const kind of ['http', 'fcgi']) {
        const { seen } = await at(user, kind, 'enc/x');
        const [utf8] = seen.header('X-Utf8');
        if (user === 'evil') assert.equal(utf8.replace(/ +/g, ' '), name.replace(/ +/g, ' '));
        else assert.equal(utf8, latin1(name));
        const exact = Buffer.from(utf8, 'latin1').toString('utf8');
        if (user !== 'evil') assert.deepEqual(seen.header('X-Latin1'), [asLatin1]);
        assert.equal(decodeURIComponent(seen.header('X-Percent')[0]), exact);
        assert.match(seen.header('X-Percent')[0], /^[A-Za-z0-9._~%-]+$/);
        assert.equal(Buffer.from(seen.header('X-Base64')[0], 'base64').toString('utf8'), exact);
        assert.deepEqual(seen.header('X-Mixed'), [`<${utf8}> 100% ${person(user).oid}`]);
        for (const one of ['X-Utf8', 'X-Latin1', 'X-Percent', 'X-Base64', 'X-Mixed']) assert.doesNotMatch(seen.header(one)[0], /[\x00-\x1f\x7f]/, one);
        assert.deepEqual(seen.header('X-Injected'), []);
      }
    });
  }

  test('EntraEnv: claims with a dot, members, numbers, truth values, lists; half a template is none', async () => {
    const { seen } = await at('root', 'fcgi', 'env/x');
    assert.equal(seen.variable('DEPT'), latin1('x,ÿ y'));
    assert.equal(seen.variable('MEMBER'), latin1('Αθήνα'));
    assert.equal(seen.variable('NUMBER'), '42');
    assert.equal(seen.variable('YES'), 'true');
    assert.equal(seen.variable('LIST'), 'a,1,false,c');
    assert.equal(seen.variable('BOTH'), undefined);
    assert.equal(seen.variable('DEEP'), undefined);
    const none = (await at('ada', 'fcgi', 'env/x')).seen;
    for (const name of ['DEPT', 'MEMBER', 'NUMBER', 'YES', 'LIST', 'BOTH', 'DEEP']) assert.equal(none.variable(name), undefined, name);
  });

  test('inheritance: server, Location, Location within it; an inner line of the same name counts', async () => {
    const outer = (await at('ada', 'http', 'outer/x')).seen;
    assert.deepEqual([outer.header('X-Level'), outer.header('X-Outer').length, outer.header('X-Inner').length], [['outer'], 1, 0]);
    const inner = (await at('ada', 'http', 'outer/inner/x')).seen;
    assert.deepEqual([inner.header('X-Level'), inner.header('X-Outer').length, inner.header('X-Inner').length], [['inner'], 1, 1]);
    assert.deepEqual((await at('ada', 'http', 'outer/gone/x')).seen.header('X-Level'), [], 'an inner line without a value takes the outer one away');
    assert.deepEqual((await at('ada', 'http', 'default/x')).seen.header('X-Entra-User'), [CONTOSO], 'one value, the configured one');
  });

  test('virtual hosts have their own, and inherit the rest', async () => {
    const visit = async (host, path) => {
      const browser = site.browser({ resolve: { [host]: site.httpd.port } });
      await site.as('ada');
      const page = await browser.navigate(`http://${host}:${site.httpd.port}${path}`);
      assert.equal(page.status, 200, page.trace);
      const header = (name) => page.json().headers.filter(([known]) => known.toLowerCase() === name).map(([, value]) => value);
      return { header, browser };
    };
    const two = await visit('127.0.0.2', '/x');
    assert.deepEqual([two.header('x-level'), two.header('x-only-two'), two.header('x-entra-user')], [['vhost'], [person('ada').oid], ['ada@contoso.example']]);
    const three = await visit('127.0.0.3', '/deep');
    assert.deepEqual([three.header('x-level'), three.header('x-entra-user')], [['vhost-location'], []]);
    assert.deepEqual((await visit('127.0.0.3', '/flat')).header('x-level'), ['server']);
  });

  test('after CVE-2017-6807: a session of one virtual host is none at another', async () => {
    const cookie = jar.ada.cookies.header(new URL(site.origin), {});
    for (const host of ['127.0.0.2', '127.0.0.3']) {
      const response = await site.httpd.request({ path: '/x', headers: { Host: `${host}:${site.httpd.port}`, Cookie: cookie } });
      assert.equal(response.status, 401, host);
      assertClosed(response);
    }
    assert.equal((await site.httpd.request({ path: '/in/http/x', headers: { Host: `localhost:${site.httpd.port}`, Cookie: cookie } })).status, 200);
  });

  test('a name that any section of the server sets is owned everywhere in it', async () => {
    for (const name of ['X-Own', 'X_Inner', 'x.outer', 'DEPT', 'Place']) {
      const { seen } = await site.ask(null, 'public', 'http', { headers: [[name, 'spoof-1']] });
      assert.doesNotMatch(seen.raw, /spoof-/, name);
    }
  });

  test('a user name with control characters, or that begins or ends with a blank, is no user name', async () => {
    for (const upn of ['ada@contoso.example\r\nX-Entra-User: root', 'root@contoso.example\n', ' root@contoso.example', 'ada\u0000@contoso.example', 'ada\u0085@x', 'ada\u007f@x']) {
      await site.emu.control('user', { user: 'fab', set: { tenant: CONTOSO, upn } });
      await site.as('fab');
      const browser = site.browser();
      const page = await browser.navigate(site.at('/in/http/x'));
      assert.equal(page.status, 502, `${JSON.stringify(upn)}\n${page.trace}`);
      assertClosed(page.response);
      assert.ok(!browser.cookies.all.some(({ name }) => /Entra-Session/.test(name)));
    }
    site.httpd.expect(/ENTRA1411:/);
    site.httpd.allow(/ENTRA1212:|ENTRA1022:/);
    await site.reset();
  });
});
