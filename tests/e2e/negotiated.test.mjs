// SPDX-License-Identifier: Apache-2.0
// Protected files behind an open address: mod_negotiation, FallbackResource and mod_speling look them up by subrequests.

import test, { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { exchange } from './lib/http.mjs';
import { hasModule, missing } from './lib/httpd.mjs';
import { SECRET_PAGE, startSite } from './lib/site.mjs';

const NEEDED = ['negotiation', 'speling', 'mime', 'dir'];

describe('a protected file behind an open address', { skip: missing || (NEEDED.every(hasModule) ? false : `needs ${NEEDED.join(', ')}`) }, () => {
  let site;
  let cookie;

  before(async () => {
    site = await startSite({
      modules: NEEDED,
      files: {
        'mime.types': 'text/html html\n',
        'htdocs/public/views/page.html.en': SECRET_PAGE,
        'htdocs/public/views/page.html.fr': 'ouvert',
        'htdocs/public/views/only.html.en': SECRET_PAGE,
        'htdocs/public/views/map.var': 'URI: only.html.en\nContent-type: text/html\nContent-language: en\n\n',
        'htdocs/public/fallback/hidden.html': SECRET_PAGE,
      },
      extra: (s) => `TypesConfig mime.types
AddLanguage en .en
AddLanguage fr .fr
AddHandler type-map .var
CheckSpelling On
<Directory "${s.docroot}/public/views">
    Options +MultiViews
</Directory>
<Directory "${s.docroot}/public/fallback">
    FallbackResource /public/fallback/hidden.html
</Directory>
<LocationMatch "(\\.en|hidden\\.html)$">
    AuthType Entra
    Require valid-user
</LocationMatch>`,
      allowLog: [/AH00690: /, /AH00687: Negotiation: discovered file/],
    });
    cookie = (await site.signedIn()).cookies.header(new URL(site.origin), {});
  });
  after(async () => { await site?.stop(); });

  const ask = (path, language, more = '') => exchange(site.httpd.port, Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost:${site.httpd.port}\r\nConnection: close\r\nAccept: text/html\r\nAccept-Language: ${language}\r\n${more}\r\n`));

  const ADDRESSES = { '/public/views/page.html': 406, '/public/views/page': 406, '/public/views/only': 404, '/public/views/map.var': 401, '/public/fallback/nothing': 401, '/public/fallback/hiden.html': 401 };
  for (const [path, status] of Object.entries(ADDRESSES)) {
    test(`${path} is not shown without a session, and is with one`, async () => {
      const nobody = await ask(path, 'en', 'X-Entra-User: spoof\r\n');
      assert.equal(nobody.status, status, nobody.text);
      assert.ok(!nobody.text.includes(SECRET_PAGE));
      const ada = await ask(path, 'en', `Cookie: ${cookie}\r\n`);
      assert.equal(ada.status, 200, ada.text);
      assert.ok(ada.text.includes(SECRET_PAGE));
    });
  }

  test('the open variant beside it stays open', async () => {
    const nobody = await ask('/public/views/page.html', 'fr');
    assert.equal(nobody.status, 200);
    assert.match(nobody.text, /ouvert/);
  });
});
