// SPDX-License-Identifier: Apache-2.0
// What httpd's own modules make of a request on its way: subrequests, internal redirects, lists of folders, WebDAV, odd methods. Every
// place is judged by its own rules, a user is the right one everywhere, and nothing is told twice or to somebody else.

import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import test, { after, before, beforeEach, describe } from 'node:test';
import { users } from '../emulator/tenants.mjs';
import { assertChallenge, assertClosed, assertPage, assertSignIn, USERS } from './lib/checks.mjs';
import { headerOf, MARKER } from './lib/echo.mjs';
import { hasModule, missing } from './lib/httpd.mjs';
import { SECRET_PAGE, startSite } from './lib/site.mjs';

const oidOf = (key) => users.find((user) => user.key === key).oid;
const PAGE = { Accept: 'text/html', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };
const PROGRAM = { Accept: 'application/json' };
const SPOOF = [['X-Entra-User', 'spoof-a'], ['x_entra_object_id', 'spoof-b'], ['X.App-User', 'spoof-c']];
const NAMES = '#!/bin/sh\nprintf \'Content-Type: text/plain\\r\\n\\r\\n\'\nenv | grep -E "^(REMOTE_USER|AUTH_TYPE|ENTRA_|HTTP_X_|REDIRECT_|REQUEST_METHOD)"\n';
const NEEDED = ['include', 'rewrite', 'autoindex', 'mime', 'headers', 'remoteip', 'dav', 'dav_fs', 'negotiation', 'allowmethods'];
const absent = NEEDED.filter((name) => !hasModule(name));

const config = (s, { backend }) => `
TypesConfig mime.types
EntraHeader X-App-User "%{oid}"
TraceEnable extended
# Closed by folder, so that <Files> and .htaccess come after it; addresses without a folder by <LocationMatch>.
<Directory "${s.docroot}">
    AuthType Entra
    Require valid-user
    Options +ExecCGI +Includes +Indexes +FollowSymLinks
    AddHandler cgi-script .cgi
    AddOutputFilter INCLUDES .shtml
    AllowOverride None
</Directory>
<LocationMatch "^/(app|in/p|ahead|env)/">
    AuthType Entra
    Require valid-user
</LocationMatch>
<Directory "${s.docroot}/open">
    AuthType None
    Require all granted
</Directory>
# Files of their own rules within an open folder.
<Directory "${s.docroot}/open/list">
    <Files "for-all-*">
        AuthType Entra
        Require valid-user
    </Files>
    <Files "for-root-*">
        AuthType Entra
        Require user ${USERS.root}
    </Files>
</Directory>
<Directory "${s.docroot}/open/list/for-all-folder">
    AuthType Entra
    Require valid-user
</Directory>
<Directory "${s.docroot}/ht">
    AllowOverride AuthConfig Indexes
</Directory>
<Directory "${s.docroot}/open/ht">
    AllowOverride AuthConfig
</Directory>
# mod_rewrite
RewriteEngine on
RewriteRule "^/open/p/(.*)" "http://127.0.0.1:${backend.port}/open/$1" [P]
RewriteRule "^/in/p/(.*)" "http://127.0.0.1:${backend.port}/in/$1" [P]
RewriteRule "^/open/pt/(.*)" "/app/$1" [PT]
RewriteRule "^/in/pt/(.*)" "/open/p-app/$1" [PT]
RewriteCond "%{LA-U:REMOTE_USER}" "=${USERS.root}"
RewriteRule "^/ahead/" "/app/is-root" [PT]
RewriteCond "%{LA-U:REMOTE_USER}" "!=${USERS.root}"
RewriteRule "^/ahead/" "/app/is-not-root" [PT]
RewriteRule "^/env/(.*)" "/app/$1" [PT,E=REMOTE_USER:spoof-env,E=ENTRA_OID:spoof-env]
<Directory "${s.docroot}/open/rw">
    RewriteEngine on
    RewriteRule "^chain$" "/open/rw/second" [L]
    RewriteRule "^second$" "/open/rw/third" [L]
    RewriteRule "^third$" "/page.html" [L]
    RewriteRule "^out$" "/page.html" [R=302,L]
    RewriteRule "^p$" "http://127.0.0.1:${backend.port}/open/rw" [P]
</Directory>
ProxyPass "/open/p-app/" "http://127.0.0.1:${backend.port}/"
# mod_dir
<Directory "${s.docroot}/open/index">
    DirectoryIndex /page.html
</Directory>
<Directory "${s.docroot}/open/two">
    DirectoryIndex /page.html index.txt
</Directory>
<Directory "${s.docroot}/open/back">
    FallbackResource /page.html
</Directory>
RedirectMatch "^/open/moved/$" "/open/ht/x.html"
<Directory "${s.docroot}/in/index">
    DirectoryIndex names.cgi
</Directory>
<Directory "${s.docroot}/in/back">
    FallbackResource /in/back/names.cgi
</Directory>
# ErrorDocument
<Location "/open/err/local/">
    ErrorDocument 404 /page.html
</Location>
<Location "/open/err/open/">
    ErrorDocument 404 /open/names.cgi
</Location>
<Location "/in/err/">
    ErrorDocument 404 /in/names.cgi
    ErrorDocument 403 http://127.0.0.1:${backend.port}/elsewhere
    ErrorDocument 401 /open/sorry.html
</Location>
<Location "/in/err/root/">
    Require user ${USERS.root}
</Location>
# The address that httpd takes a client for is no proof of anything here, unless the administrator said so.
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 10.0.0.1
<Location "/app/inside/">
    <RequireAny>
        Require ip 10.9.8.7
        Require user ${USERS.root}
    </RequireAny>
</Location>
<If "%{QUERY_STRING} =~ /guard/ && %{REQUEST_URI} =~ m#^/open/#">
    AuthType Entra
    Require valid-user
</If>
# WebDAV
DavLockDB "${s.path('locks')}/dav"
Alias "/dav/" "${s.path('dav')}/"
<Directory "${s.path('dav')}">
    Dav On
    DirectoryIndex disabled
    Options +Indexes
    Require all granted
</Directory>
<Location "/dav/">
    AuthType Entra
    Require valid-user
</Location>
<Location "/dav/readers/">
    <LimitExcept GET HEAD OPTIONS PROPFIND>
        Require user ${USERS.root}
    </LimitExcept>
    <Limit GET HEAD OPTIONS PROPFIND>
        Require valid-user
    </Limit>
</Location>
`;

describe('places', { skip: missing || (absent.length ? `there is no mod_${absent.join(', mod_')}` : false) }, () => {
  let site;
  const jar = {};
  const cookieOf = (user) => (user ? [['Cookie', jar[user].cookies.header(new URL(site.origin), {})]] : []);
  const ask = (path, user, headers = {}, options = {}) => site.httpd.request({ path, headers: [...cookieOf(user), ...(Array.isArray(headers) ? headers : Object.entries(headers))], ...options });

  before(async () => {
    site = await startSite({
      protect: false,
      modules: NEEDED,
      files: {
        'mime.types': 'text/html html shtml\ntext/plain txt\n',
        'htdocs/open/list/plain.txt': 'x',
        'htdocs/open/list/for-all-name.txt': SECRET_PAGE,
        'htdocs/open/list/for-root-name.txt': SECRET_PAGE,
        'htdocs/open/list/for-all-folder/x.txt': SECRET_PAGE,
        'htdocs/open/names.cgi': { content: NAMES, mode: 0o755 },
        'htdocs/open/sorry.html': 'sorry',
        'htdocs/open/ssi.shtml': '<p>before</p><!--#include virtual="/page.html" --><!--#include virtual="/in/names.cgi" --><!--#include virtual="/open/names.cgi" --><p>after</p>',
        'htdocs/open/rw/x': 'x',
        'htdocs/open/index/x': 'x',
        'htdocs/open/two/index.txt': 'second-choice',
        'htdocs/open/back/x': 'x',
        'htdocs/open/ht/.htaccess': `AuthType Entra\nRequire user ${USERS.ada}\n`,
        'htdocs/open/ht/x.html': SECRET_PAGE,
        'htdocs/ht/.htaccess': 'AuthType Entra\nRequire valid-user\nEntraUnauthenticated 403\n',
        'htdocs/ht/x.html': SECRET_PAGE,
        'htdocs/in/.htaccess': 'Require all granted\nAuthType None\n',
        'htdocs/in/names.cgi': { content: NAMES, mode: 0o755 },
        'htdocs/in/index/names.cgi': { content: NAMES, mode: 0o755 },
        'htdocs/in/back/names.cgi': { content: NAMES, mode: 0o755 },
        'htdocs/in/ssi.shtml': '<!--#include virtual="/in/names.cgi" --><hr><!--#include virtual="/open/names.cgi" -->',
        'dav/readers/r.txt': 'readable\n',
        'dav/a.txt': `${SECRET_PAGE}\n`,
      },
      extra: config,
      allowLog: [/AH0163[01]: /, /AH01629/, /unable to include/, /subrequest setup returned/, /AH01276/, /AH01797/, /ENTRA1503/, /AH0058[0-9]/, /AH006\d\d/, /\[dav:/],
    });
    // httpd's user writes in these.
    for (const name of ['dav', 'dav/readers', 'locks']) {
      if (!existsSync(site.httpd.path(name))) mkdirSync(site.httpd.path(name));
      chmodSync(site.httpd.path(name), 0o777);
    }
    for (const name of readdirSync(site.httpd.path('dav'))) if (name.endsWith('.txt')) chmodSync(site.httpd.path('dav', name), 0o666);
    for (const user of ['ada', 'root', 'noroles']) jar[user] = await site.signedIn({ user });
  });
  after(async () => { await site?.stop(); });
  beforeEach(() => { site.backend.clear(); });

  /** The names that a script was told, each once: {REMOTE_USER: 'ada@contoso.example', …}. */
  function told(text, message) {
    const pairs = text.split('\n').map((line) => /^([A-Z_]+)=(.*)$/.exec(line)).filter(Boolean).map(([, name, value]) => [name, value]);
    const names = pairs.map(([name]) => name).filter((name) => name !== 'REQUEST_METHOD');
    assert.deepEqual(names, [...new Set(names)], `${message}: nothing twice`);
    assert.doesNotMatch(text, /spoof-/, message);
    return Object.fromEntries(pairs);
  }

  function assertToldOf(user, text, message) {
    const names = told(text, message);
    assert.equal(names.REMOTE_USER, USERS[user], `${message}: ${text}`);
    assert.equal(names.HTTP_X_ENTRA_USER, USERS[user], message);
    assert.equal(names.HTTP_X_ENTRA_OBJECT_ID, oidOf(user), message);
    assert.equal(names.HTTP_X_APP_USER, oidOf(user), message);
    assert.equal(names.ENTRA_OID, oidOf(user), message);
  }

  function assertToldOfNobody(text, message) {
    const names = told(text, message);
    for (const name of Object.keys(names)) assert.doesNotMatch(name, /^(REDIRECT_)?(REMOTE_USER|AUTH_TYPE|ENTRA_|HTTP_X_)/, `${message}: ${text}`);
  }

  function assertSeenAs(user, response, message) {
    assert.equal(response.status, 200, `${message}: ${response.status} ${response.text.slice(0, 200)}`);
    const seen = response.json();
    for (const [name, value] of [['x-entra-user', USERS[user]], ['x-entra-object-id', oidOf(user)], ['x-app-user', oidOf(user)]]) assert.deepEqual(headerOf(seen, name), [value], `${message}: ${name}, once`);
    assert.doesNotMatch(response.text, /spoof-|Entra-(Session|Login)/, message);
  }

  const assertSeenAsNobody = (response, message) => {
    assert.equal(response.status, 200, message);
    assert.doesNotMatch(JSON.stringify(response.json().headers), /x-entra-|x-app-user|spoof-/i, message);
  };

  // ---- lists of folders ----------------------------------------------------------------------------------------------------

  describe('mod_autoindex', () => {
    test('a list shows each visitor the files that this visitor may open, and no others', async () => {
      for (const [user, shown, hidden] of [[null, [], ['for-all-name', 'for-root-name', 'for-all-folder']], ['ada', ['for-all-name', 'for-all-folder'], ['for-root-name']], ['root', ['for-all-name', 'for-root-name', 'for-all-folder'], []]]) {
        for (const path of ['/open/list/', '/open/list/?C=M;O=D', '/open/list/?F=2;P=for-*']) {
          const { status, text } = await ask(path, user, SPOOF);
          assert.equal(status, 200);
          if (!path.includes('P=')) assert.match(text, /plain\.txt/);
          for (const name of shown) assert.ok(text.includes(name), `${user} ${path} sees ${name}`);
          for (const name of hidden) assert.ok(!text.includes(name), `${user} ${path} does not see ${name}`);
        }
      }
    });

    test('asking for such a file is judged as the list was', async () => {
      assertSignIn(site, await ask('/open/list/for-all-name.txt', null, PAGE));
      assertChallenge(site, await ask('/open/list/for-root-name.txt', null, PROGRAM));
      assert.equal((await ask('/open/list/for-all-name.txt', 'ada')).status, 200);
      assertPage(site, await ask('/open/list/for-root-name.txt', 'ada', PAGE), 403);
      assert.equal((await ask('/open/list/for-root-name.txt', 'root')).status, 200);
    });

    test('a list of a protected folder is for who may enter it', async () => {
      assertSignIn(site, await ask('/in/', null, PAGE));
      assert.match((await ask('/in/', 'ada')).text, /names\.cgi/);
    });
  });

  // ---- mod_dir -----------------------------------------------------------------------------------------------------------

  describe('mod_dir', () => {
    test('an index or a fallback that lies in a protected place is not shown: 401 to everybody without a session', async () => {
      // Such an address has no sign-in: it is open itself, and what lies behind it is looked up on the side.
      for (const path of ['/open/index/', '/open/back/none']) {
        for (const headers of [PAGE, PROGRAM, SPOOF]) {
          const response = await ask(path, null, headers);
          assert.equal(response.status, 401, path);
          assert.equal(response.location, undefined);
          assertClosed(response, path);
        }
        const mine = await ask(path, 'ada');
        assert.equal(mine.status, 200, path);
        assert.ok(mine.text.includes(SECRET_PAGE));
      }
    });

    test('a redirect in the place of such an index leads to the sign-in, and back to the file', async () => {
      const page = await site.browser().navigate(site.at('/open/moved/'));
      assert.deepEqual([page.status, page.path], [200, '/open/ht/x.html'], page.trace);
    });

    test('of two indexes the open one is shown to who may not see the other', async () => {
      const nobody = await ask('/open/two/', null, PAGE);
      assert.equal(nobody.status, 200);
      assert.match(nobody.text, /second-choice/);
      assert.ok((await ask('/open/two/', 'ada')).text.includes(SECRET_PAGE));
    });

    test('within a protected place index and fallback lead to a sign-in, and get the whole identity, once', async () => {
      for (const path of ['/in/index/', '/in/back/some/page']) {
        assertSignIn(site, await ask(path, null, PAGE), path);
        assertToldOf('ada', (await ask(path, 'ada', SPOOF)).text, path);
      }
    });

    test('a folder without its slash tells nobody that it is there', async () => {
      for (const path of ['/in', '/in/index', '/nothing']) assertSignIn(site, await ask(path, null, PAGE), path);
      assert.equal((await ask('/in/index', 'ada')).status, 301);
      assert.equal((await ask('/nothing', 'ada')).status, 404);
    });
  });

  // ---- mod_rewrite and mod_include -----------------------------------------------------------------------------------------

  describe('mod_rewrite', () => {
    test('[P] is judged by the address that was asked for', async () => {
      assertSeenAsNobody(await ask('/open/p/x', 'ada', SPOOF), 'open');
      assertSignIn(site, await ask('/in/p/x', null, PAGE));
      assertSeenAs('ada', await ask('/in/p/x', 'ada', SPOOF), '[P]');
      assertSeenAsNobody(await ask('/open/rw/p', null, SPOOF), 'in a folder');
    });

    test('[PT] is judged by the address that it leads to', async () => {
      assertSignIn(site, await ask('/open/pt/x', null, PAGE));
      assertSeenAs('ada', await ask('/open/pt/x', 'ada', SPOOF), '[PT]');
      assertSeenAsNobody(await ask('/in/pt/x', 'ada', SPOOF), 'to an open address');
    });

    test('a chain of internal redirects from an open folder ends at the sign-in, or with the page', async () => {
      const nobody = await ask('/open/rw/chain', null, PAGE);
      assertSignIn(site, nobody);
      const page = await ask('/open/rw/chain', 'ada', SPOOF);
      assert.equal(page.status, 200);
      assert.ok(page.text.includes(SECRET_PAGE));
      assert.equal((await ask('/open/rw/out', null, PAGE)).location, site.at('/page.html'));
    });

    test('a look ahead (LA-U) finds the user of the session, and nobody whom a header names', async () => {
      for (const [user, path] of [['root', '/is-root'], ['ada', '/is-not-root']]) {
        const response = await ask('/ahead/x', user, SPOOF);
        assertSeenAs(user, response, user);
        assert.equal(response.json().url, path);
      }
      assertClosed(await ask('/ahead/x', null, [['X-Entra-User', USERS.root], ['X-Entra-Session', USERS.root]]));
      assert.equal(site.backend.requests.length, 2);
    });

    test('variables that a rule sets under our names are ours in the end', async () => {
      assertSeenAs('ada', await ask('/env/x', 'ada'), 'E=');
      assertClosed(await ask('/env/x', null));
    });
  });

  test('mod_include: each part is judged by its own place, and told what its place is told', async () => {
    const nobody = await ask('/open/ssi.shtml', null, SPOOF);
    assert.match(nobody.text, /before[\s\S]*after/);
    assertClosed(nobody);
    assertToldOfNobody(nobody.text, 'nobody');
    const mine = await ask('/open/ssi.shtml', 'ada', SPOOF);
    assert.ok(mine.text.includes(SECRET_PAGE));
    assertToldOf('ada', mine.text, 'the protected part alone');
    const [own, open] = (await ask('/in/ssi.shtml', 'root', SPOOF)).text.split('<hr>');
    assertToldOf('root', own, 'within a protected page');
    // mod_include hands on the variables of the page that includes; the headers are those of the open place.
    for (const [name, value] of Object.entries(told(open, 'open within protected'))) {
      assert.doesNotMatch(name, /^HTTP_X_/);
      if (name === 'REMOTE_USER') assert.equal(value, USERS.root);
    }
  });

  // ---- errors --------------------------------------------------------------------------------------------------------------

  describe('ErrorDocument', () => {
    test('of an open place that lies in a protected one: a plain 401 in its place, or the page', async () => {
      const nobody = await ask('/open/err/local/none', null, PAGE);
      assert.ok([401, 404].includes(nobody.status), `${nobody.status}`);
      assert.equal(nobody.location, undefined);
      assertClosed(nobody);
      const mine = await ask('/open/err/local/none', 'ada');
      assert.equal(mine.status, 404);
      assert.ok(mine.text.includes(SECRET_PAGE));
    });

    test('of an open place that is open is told nothing', async () => {
      assertToldOfNobody((await ask('/open/err/open/none', 'ada', SPOOF)).text, 'open');
    });

    test('of a protected place', async () => {
      assertSignIn(site, await ask('/in/err/none', null, PAGE));
      const refused = await ask('/in/err/none', null, PROGRAM);
      assert.deepEqual([refused.status, refused.text], [401, 'sorry']);
      const mine = await ask('/in/err/none', 'ada', SPOOF);
      assert.equal(mine.status, 404);
      assertToldOf('ada', mine.text, '404');
    });

    test('at another server: the browser is sent there with nothing of the user', async () => {
      const response = await ask('/in/err/root/x', 'ada', PAGE);
      assert.equal(response.status, 302);
      assert.equal(response.location, `http://127.0.0.1:${site.backend.port}/elsewhere`);
      assert.doesNotMatch(response.rawHead, new RegExp(`${USERS.ada}|${oidOf('ada')}`));
      assertClosed(response);
    });
  });

  // ---- where the rules stand ---------------------------------------------------------------------------------------------

  describe('.htaccess', () => {
    test('AuthType Entra and Require in an open place close it', async () => {
      assertSignIn(site, await ask('/open/ht/x.html', null, PAGE));
      assert.equal((await ask('/open/ht/x.html', 'ada')).status, 200);
      assertPage(site, await ask('/open/ht/x.html', 'root', PAGE), 403);
    });

    test('directives of a section hold there', async () => {
      const response = await ask('/ht/x.html', null, PAGE);
      assert.equal(response.status, 403);
      assertClosed(response);
      assert.equal((await ask('/ht/x.html', 'ada')).status, 200);
    });

    test('where AllowOverride is None nobody opens a place with one', async () => {
      assertSignIn(site, await ask('/in/names.cgi', null, PAGE));
      assert.equal((await ask('/in/.htaccess', 'ada')).status, 200, 'it is only a file here');
    });
  });

  test('<If> closes what is open otherwise', async () => {
    assertToldOfNobody((await ask('/open/names.cgi', 'ada', SPOOF)).text, 'without the condition');
    assertSignIn(site, await ask('/open/names.cgi?guard', null, PAGE));
    assertToldOf('ada', (await ask('/open/names.cgi?guard', 'ada', SPOOF)).text, 'with it');
  });

  test('mod_remoteip: the address that a client claims opens nothing', async () => {
    for (const claim of ['10.9.8.7', '10.9.8.7, 10.0.0.1', '10.0.0.1']) {
      assertClosed(await ask('/app/inside/x', null, { 'X-Forwarded-For': claim }), claim);
      assert.equal((await ask('/app/inside/x', 'ada', { 'X-Forwarded-For': claim })).status, 403, claim);
    }
    assertSeenAs('root', await ask('/app/inside/x', 'root', [['X-Forwarded-For', '10.9.8.7'], ...SPOOF]), 'root');
  });

  // ---- methods -----------------------------------------------------------------------------------------------------------

  describe('methods', () => {
    test('HEAD says what GET says, without the body', async () => {
      const [get, head] = [await ask('/page.html', 'ada'), await ask('/page.html', 'ada', {}, { method: 'HEAD' })];
      assert.deepEqual([head.status, head.header('content-length'), head.text], [200, get.header('content-length'), '']);
      assertSignIn(site, await ask('/page.html', null, PAGE, { method: 'HEAD' }));
    });

    for (const method of ['FOO', 'gEt', 'X-Y']) {
      test(`${method}, which nobody knows: 401 for nobody, the user's own for the user`, async () => {
        assertChallenge(site, await ask('/in/names.cgi', null, [...Object.entries(PAGE), ...SPOOF], { method }));
        const { text } = await ask('/in/names.cgi', 'ada', SPOOF, { method });
        assertToldOf('ada', text, method);
        assert.equal(told(text).REQUEST_METHOD, method);
      });
    }

    for (const method of ['OPTIONS', 'PUT', 'DELETE', 'PATCH', 'PROPFIND', 'REPORT', 'M-SEARCH']) {
      test(`${method}: 401 for nobody, the user's own for the user`, async () => {
        assertChallenge(site, await ask('/app/x', null, [...Object.entries(PROGRAM), ...SPOOF], { method }));
        assert.equal(site.backend.requests.length, 0);
        assertSeenAs('ada', await ask('/app/x', 'ada', SPOOF, { method, body: 'a=1' }), method);
        assert.equal(site.backend.last().method, method);
      });
    }

    test('TRACE shows the client nothing that the application is told, of httpd and of a backend', async () => {
      for (const path of ['/page.html', '/app/x', '/in/names.cgi', '/in/p/x']) {
        for (const more of [[], [['Max-Forwards', '0']]]) {
          const response = await ask(path, 'ada', [...SPOOF, ['X-Control', 'kept'], ...more], { method: 'TRACE' });
          assert.equal(response.status, 200, `${path}: ${response.status}`);
          assert.match(response.text, /X-Control|x-control/, path);
          assert.doesNotMatch(response.text, new RegExp(`x-entra|x-app-user|${USERS.ada}|${oidOf('ada')}|spoof-|Entra-(Session|Login)`, 'i'), path);
          const nobody = await ask(path, null, [...SPOOF, ...more], { method: 'TRACE' });
          assert.ok([200, 401].includes(nobody.status), `${path}: ${nobody.status}`);
          assert.doesNotMatch(nobody.text, new RegExp(`${MARKER}|spoof-`), path);
        }
      }
    });

    test('CONNECT is nobody\'s way in', async () => {
      for (const user of [null, 'ada']) {
        const response = await site.httpd.request({ method: 'CONNECT', path: `127.0.0.1:${site.backend.port}`, headers: cookieOf(user) });
        assert.ok([400, 401, 405].includes(response.status), `${response.status}`);
      }
      assert.equal(site.backend.requests.length, 0);
    });
  });

  // ---- WebDAV ------------------------------------------------------------------------------------------------------------

  describe('mod_dav', () => {
    const dav = (method, path, user, headers = {}, body) => ask(path, user, headers, { method, body });
    const destination = (path) => ({ Destination: `http://localhost:${site.httpd.port}${path}`, Overwrite: 'T' });
    const lockBody = '<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>x</D:owner></D:lockinfo>';
    const file = (name) => site.httpd.read(`dav/${name}`);

    test('without a session every action is a 401 for a program, and nothing is changed', async () => {
      for (const [method, headers, body] of [['PUT', {}, 'planted'], ['DELETE', {}], ['MKCOL', {}], ['PROPFIND', { Depth: '1' }], ['PROPPATCH', {}, '<a/>'], ['COPY', destination('/dav/copied.txt')], ['MOVE', destination('/dav/moved.txt')], ['LOCK', {}, lockBody], ['UNLOCK', { 'Lock-Token': '<opaquelocktoken:x>' }], ['OPTIONS', {}]]) {
        for (const path of ['/dav/a.txt', '/dav/new.txt', '/dav/readers/r.txt']) assertChallenge(site, await dav(method, path, null, { Accept: '*/*', ...headers }, body), {}, `${method} ${path}`);
        // A method that no form and no link has is no visit of a person, whatever it says of itself.
        if (method !== 'OPTIONS') assertChallenge(site, await dav(method, '/dav/a.txt', null, { ...PAGE, ...headers }, body), {}, `${method} as a page`);
      }
      assert.equal(file('a.txt'), `${SECRET_PAGE}\n`);
      assert.deepEqual(readdirSync(site.httpd.path('dav')).sort(), ['.DAV', 'a.txt', 'readers'].filter((name) => name !== '.DAV' || existsSync(site.httpd.path('dav/.DAV'))));
    });

    test('a user with a session works: files, folders, properties, copies', async () => {
      const wanted = [
        ['PUT', '/dav/one.txt', 201, {}, 'one'], ['GET', '/dav/one.txt', 200], ['PUT', '/dav/one.txt', 204, {}, 'one more'], ['MKCOL', '/dav/folder/', 201],
        ['PROPFIND', '/dav/', 207, { Depth: '1' }], ['COPY', '/dav/one.txt', 201, destination('/dav/folder/two.txt')], ['MOVE', '/dav/folder/two.txt', 201, destination('/dav/three.txt')],
        ['OPTIONS', '/dav/', 200], ['DELETE', '/dav/folder/', 204], ['GET', '/dav/three.txt', 200], ['DELETE', '/dav/three.txt', 204], ['DELETE', '/dav/one.txt', 204],
      ];
      for (const [method, path, status, headers, body] of wanted) {
        const response = await dav(method, path, 'ada', headers, body);
        assert.equal(response.status, status, `${method} ${path}: ${response.status} ${response.text.slice(0, 300)}`);
        if (method === 'PROPFIND') assert.match(response.text, /one\.txt/);
        if (method === 'OPTIONS') assert.match(response.header('dav'), /1,2/);
      }
    });

    test('a lock of one user holds against another, and is given back', async () => {
      assert.equal((await dav('PUT', '/dav/locked.txt', 'ada', {}, 'mine')).status, 201);
      const lock = await dav('LOCK', '/dav/locked.txt', 'ada', { Timeout: 'Second-60', 'Content-Type': 'application/xml' }, lockBody);
      assert.equal(lock.status, 200, lock.text);
      const token = lock.header('lock-token');
      for (const [user, status] of [['root', 423], [null, 401]]) {
        assert.equal((await dav('PUT', '/dav/locked.txt', user, {}, 'theirs')).status, status);
        assert.equal((await dav('DELETE', '/dav/locked.txt', user)).status, status);
      }
      // httpd knows by name who locked: another user who has the token is still another user.
      assert.ok([403, 423].includes((await dav('PUT', '/dav/locked.txt', 'root', { If: `(${token})` }, 'theirs')).status));
      assert.equal(file('locked.txt'), 'mine');
      assert.equal((await dav('PUT', '/dav/locked.txt', 'ada', { If: `(${token})` }, 'mine again')).status, 204);
      assert.equal((await dav('UNLOCK', '/dav/locked.txt', 'ada', { 'Lock-Token': token })).status, 204);
      assert.equal((await dav('DELETE', '/dav/locked.txt', 'root')).status, 204);
    });

    test('rules for the methods that write hold at source and destination', async () => {
      assert.equal((await dav('GET', '/dav/readers/r.txt', 'ada')).text, 'readable\n');
      for (const [method, path, headers, body] of [['PUT', '/dav/readers/r.txt', {}, 'x'], ['DELETE', '/dav/readers/r.txt'], ['MOVE', '/dav/readers/r.txt', destination('/dav/stolen.txt')], ['COPY', '/dav/a.txt', destination('/dav/readers/planted.txt')], ['MOVE', '/dav/a.txt', destination('/dav/readers/r.txt')], ['LOCK', '/dav/readers/r.txt', {}, lockBody]]) {
        const response = await dav(method, path, 'ada', headers, body);
        assert.ok([403, 401].includes(response.status), `${method} ${path}: ${response.status}`);
      }
      assert.equal(file('readers/r.txt'), 'readable\n');
      assert.equal(file('readers/planted.txt'), '');
      assert.equal(file('a.txt'), `${SECRET_PAGE}\n`);
      assert.equal((await dav('PUT', '/dav/readers/new.txt', 'root', {}, 'x')).status, 201);
      assert.equal((await dav('DELETE', '/dav/readers/new.txt', 'root')).status, 204);
    });
  });
});
