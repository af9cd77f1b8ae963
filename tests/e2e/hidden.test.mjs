// SPDX-License-Identifier: Apache-2.0
// The authorization code and the cookies in the logs of httpd's own modules: what is refused before any hook of a request, and mod_log_forensic.

import test, { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { exchange } from './lib/http.mjs';
import { hasModule, httpdInstalled, missing } from './lib/httpd.mjs';
import { startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const CODE = 'code=planted-code-5b7e';

describe('what httpd refuses while reading it', { skip: missing }, () => {
  let site;

  before(async () => {
    site = await startSite({
      extra: (server) => `CustomLog logs/all.log "%r|%>r|%U%q|%>U%>q|%{REQUEST_URI}e|%{REDIRECT_QUERY_STRING}e|%{REDIRECT_URL}e|%{agent}i"
ErrorDocument 400 /public/cgi/env
ScriptAlias "/public/cgi/" "${server.path('cgi')}/"`,
      directives: { EntraPath: '/auth/entra' },
      allowLog: [/AH0(1270|1225): Error reading request entity data/],
    });
  });
  after(async () => { await site?.stop(); });

  const HOST = () => `Host: localhost:${site.httpd.port}\r\nConnection: close\r\n`;
  const REFUSED = {
    'a field too long': ['GET', 'HTTP/1.1', () => `${HOST()}Cookie: a=${'x'.repeat(9000)}\r\n`, 400],
    'too many fields': ['GET', 'HTTP/1.1', () => HOST() + 'a: b\r\n'.repeat(200), 400],
    'no Host': ['GET', 'HTTP/1.1', () => 'Connection: close\r\n', 400],
    'a Host that is none': ['GET', 'HTTP/1.1', () => 'Host: a b\r\nConnection: close\r\n', 400],
    'a line that is no field': ['GET', 'HTTP/1.1', () => `${HOST()}no field\r\n`, 400],
    'a coding that nobody knows': ['POST', 'HTTP/1.1', () => `${HOST()}Transfer-Encoding: foo\r\n`, 400],
    'an expectation that nobody meets': ['GET', 'HTTP/1.1', () => `${HOST()}Expect: foo\r\n`, 417],
    'a protocol that is none': ['GET', 'HTTX/1.1', HOST, 400],
  };
  for (const [name, [method, protocol, fields, status]] of Object.entries(REFUSED)) {
    test(`${name}: no code in the log, nor in the page that says so`, async () => {
      const mark = `/auth/entra/callback-${Math.random()}`;
      const response = await exchange(site.httpd.port, Buffer.from(`${method} ${mark}?${CODE}&state=x ${protocol}\r\n${fields()}\r\n`));
      assert.equal(response.status, status);
      assert.doesNotMatch(response.text, /planted-code/);
      await until('the line in both logs', () => site.httpd.accessLog().includes(mark) && site.httpd.read('logs/all.log').includes(mark));
      assert.doesNotMatch(site.httpd.accessLog() + site.httpd.read('logs/all.log'), /planted-code|state=x/);
    });
  }

  test('other addresses keep their query, so that this proves something', async () => {
    const response = await exchange(site.httpd.port, Buffer.from('GET /auth/other?kept=query-1c HTTP/1.1\r\nConnection: close\r\n\r\n'));
    assert.equal(response.status, 400);
    assert.match(response.text, /REDIRECT_QUERY_STRING=kept=query-1c/);
    await until('the line', () => /GET \/auth\/other\?kept=query-1c HTTP\/1\.1/.test(site.httpd.read('logs/all.log')));
  });
});

describe('mod_log_forensic', { skip: missing || (!hasModule('log_forensic') && 'there is no mod_log_forensic') }, () => {
  for (const before_us of [true, false]) {
    test(`loaded ${before_us ? 'before' : 'after'} this module, it writes no code, no cookie of ours and no claimed name`, async () => {
      const site = await startSite({
        modules: before_us ? ['log_forensic'] : [],
        extra: `${before_us ? '' : `LoadModule log_forensic_module "${httpdInstalled().modules}/mod_log_forensic.so"\n`}ForensicLog logs/forensic.log`,
      });
      try {
        const browser = site.browser({ headers: { 'X-Entra-User': 'spoof' } });
        const held = await site.begin(browser);
        const page = await browser.resume(held);
        assert.equal(page.status, 200, page.trace);
        await browser.navigate(site.at('/app/x'));
        const written = site.httpd.read('logs/forensic.log');
        assert.match(written, /GET \/\.entra\/callback HTTP/);
        assert.doesNotMatch(written, /code=|state=|Entra-(Session|Login)|spoof/);
      } finally {
        await site.stop();
      }
    });
  }
});

test('the endpoints of other sites are theirs, where this httpd is a forward proxy as well', { skip: missing || (!hasModule('proxy_http') && 'there is no mod_proxy_http') }, async () => {
  const site = await startSite({ extra: 'ProxyRequests On' });
  try {
    const ask = (url) => exchange(site.httpd.port, Buffer.from(`GET ${url} HTTP/1.1\r\nHost: localhost:${site.httpd.port}\r\nX-Entra-User: spoof\r\nConnection: close\r\n\r\n`));
    const theirs = await ask(`http://127.0.0.1:${site.backend.port}/.entra/callback?kept=1`);
    assert.equal(theirs.status, 200, theirs.text);
    assert.equal(site.backend.last().url, '/.entra/callback?kept=1');
    assert.doesNotMatch(theirs.text, /spoof/);
    const ours = await ask(`${site.origin}/.entra/session`);
    assert.equal(ours.status, 401);
    assert.match(ours.text, /ENTRA1501/);
  } finally {
    await site.stop();
  }
});
