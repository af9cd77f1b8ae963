// SPDX-License-Identifier: Apache-2.0
// What people, programs and logs get when something goes wrong; and the published faults of others, one case each.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import test, { after, before, beforeEach, describe } from 'node:test';
import { EntraError, sentenceOf } from '../emulator/errors.mjs';
import { unescapeHtml } from './lib/browser.mjs';
import { CGI_ENV, cgiVars } from './lib/backends.mjs';
import { assertClosed, assertPage, assertSignIn, LOGIN_COOKIE, SESSION_COOKIE, whoAmI } from './lib/checks.mjs';
import { Connection, exchange } from './lib/http.mjs';
import { missing } from './lib/httpd.mjs';
import { CLIENT, CLIENT_SECRET, isCallback, SECRET_PAGE, startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Rows of aadsts.def by number: {actor, sentence, advice, mend}. */
function readTable() {
  const source = readFileSync(new URL('../../src/entra/aadsts.def', import.meta.url), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const rows = new Map();
  for (const [, number, actor, rest] of source.matchAll(/AADSTS\((\d+), (\w+),([\s\S]*?)\)(?=\s*(?:AADSTS\(|$))/g)) {
    const texts = rest.split(/"\s*,\s*"/).map((text) => text.replace(/"\s*"/g, '').replace(/^\s*"|"\s*$/g, ''));
    rows.set(Number(number), { actor, sentence: texts[0], advice: texts[1], mend: texts[2] });
  }
  return rows;
}

const AADSTS = readTable();

/** A page of ours as a person with a screen reader and a strict browser would meet it. Gives its texts. */
function inspect(response, message = '') {
  const html = response.text;
  assert.match(response.header('content-type'), /^text\/html; charset=utf-8$/i, message);
  assert.match(html, /^<!DOCTYPE html>\n<html lang="en">/, message);
  assert.ok(html.endsWith('</html>\n'), `nothing follows the page ${message}`);
  assert.equal(html.split('</html>').length, 2, message);
  if (response.header('content-length')) assert.equal(Number(response.header('content-length')), response.body.length);
  const title = unescapeHtml(/<title>([^<]*)<\/title>/.exec(html)?.[1] ?? '');
  const heads = [...html.matchAll(/<h1>([^<]*)<\/h1>/g)].map(([, text]) => unescapeHtml(text));
  assert.ok(title.length > 3, message);
  assert.deepEqual(heads, [title], `one h1 ${message}`);
  assert.match(html, /<meta charset="utf-8">/);
  assert.match(html, /<meta name="viewport"/);
  assert.equal([...html.matchAll(/<main[ >]/g)].length, 1, message);
  assert.doesNotMatch(html, /<(script|iframe|object|embed|img|link|base|svg|input)\b/i, message);
  assert.doesNotMatch(html, /\son\w+\s*=|\sstyle\s*=|javascript:|\ssrc\s*=/i, message);
  const styles = [...html.matchAll(/<style>([\s\S]*?)<\/style>/g)].map(([, text]) => text);
  const csp = response.header('content-security-policy');
  for (const style of styles) assert.ok(csp.includes(`'sha256-${createHash('sha256').update(style).digest('base64')}'`), `the style's hash is in the policy ${message}`);
  assert.equal(styles.length, 1);
  const directives = Object.fromEntries(csp.split(';').map((part) => part.trim().split(/ (.*)/)));
  assert.equal(directives['default-src'], "'none'");
  assert.equal(directives['base-uri'], "'none'");
  assert.equal(directives['frame-ancestors'], "'none'");
  assert.match(directives['style-src'], /^'sha256-[\w+/=]+'$/);
  assert.ok(directives['form-action'], message);
  assert.doesNotMatch(csp, /unsafe|\*/);
  assert.equal(response.all('content-security-policy').length, 1);
  assert.equal(response.header('cache-control'), 'no-store');
  // A form of ours is recognised by its Origin, which no-referrer would take away.
  assert.equal(response.header('referrer-policy'), /<form/.test(html) ? 'same-origin' : 'no-referrer');
  assert.equal(response.header('x-content-type-options'), 'nosniff');
  assert.equal(response.header('x-frame-options'), 'DENY');
  for (const [, control, inside] of html.matchAll(/<(a|button)\b[^>]*>([^<]*)<\//g)) assert.ok(inside.trim(), `${control} has a text`);
  const details = Object.fromEntries([...html.matchAll(/<dt>([^<]*)<\/dt><dd>([^<]*)<\/dd>/g)].map(([, name, value]) => [name, unescapeHtml(value)]));
  assertClosed(response, message);
  const paragraphs = [...html.matchAll(/<p>([^<]+)<\/p>/g)].map(([, text]) => unescapeHtml(text));
  return { title, paragraphs, details, html };
}

const lineOf = (log, number) => log.split('\n').filter((line) => line.includes(`ENTRA${number}:`)).at(-1);

describe('error pages', { skip: missing }, () => {
  let site;
  let children;
  let ada;

  before(async () => {
    site = await startSite({
      modules: ['headers', 'status', 'include', 'mime', 'filter', 'rewrite'],
      files: { 'mime.types': 'text/html html shtml\n', 'cgi/env': CGI_ENV },
      extra: () => `
TypesConfig mime.types
ExtendedStatus On
<Location "/server-status">
    SetHandler server-status
    AuthType None
    Require all granted
</Location>
<Location "/app/only-root/">
    Require user root@contoso.example
</Location>
<Location "/app/401/">
    EntraUnauthenticated 401
</Location>
<Location "/app/403/">
    EntraUnauthenticated 403
</Location>
<Location "/app/login/">
    EntraUnauthenticated login
</Location>
<Location "/app/noname/">
    EntraRemoteUser "%{preferred_username}" "^nobody$"
</Location>
<Location "/app/pass/">
    EntraUnauthenticated pass
    Require all granted
</Location>
<Location "/app/pass-user/">
    EntraUnauthenticated pass
</Location>
CustomLog logs/all.log "%h %u %r %q %U %f %{Cookie}i %{Referer}i %{User-Agent}i %{ENTRA_OID}e %m %H"
`,
      allowLog: [/ENTRA\d{4}:/, /AH01630|AH01631|AH02811|AH00128|AH10244|AH00127|AH00566|AH01629|AH00026|AH00524|AH00135|AH00525/],
    });
    children = site.httpd.children();
    ada = await site.signedIn({ user: 'ada' });
  });

  after(async () => {
    try {
      if (site) assert.ok(children.every((pid) => site.httpd.children().includes(pid)), 'no child was lost');
    } finally {
      await site?.stop();
    }
  });
  beforeEach(async () => { await site.reset(); site.backend.clear(); });

  const callback = (query, options = {}) => site.browser().navigate(`${site.at('/.entra/callback')}?${query}`, { follow: false, ...options });

  /** A sign-in whose answer the emulator was told to bend. */
  async function failedSignIn(path = '/page.html') {
    const browser = site.browser();
    const page = await browser.navigate(site.at(path));
    return { browser, page };
  }

  // name: [how, status, ENTRA number, title's word]
  const PAGES = {
    'a state that is none of ours': [() => callback('code=x&state=y'), 400, 1301],
    'no state': [() => callback('code=x'), 400, 1300],
    'a parameter twice': [() => callback('code=x&state=y&state=z'), 400, 1011],
    'a malformed query': [() => callback('code=%zz&state=y'), 400, 1010],
    'a wrong method': [() => site.browser().navigate(site.at('/.entra/callback'), { method: 'POST', body: 'a=b', follow: false }), 405, 1304],
    'an unknown path': [() => site.browser().navigate(site.at('/.entra/nothing')), 404, 1504],
    'not signed in where a 401 is wanted': [() => site.browser().navigate(site.at('/app/401/'), { follow: false }), 401, 1501],
    'not signed in where a 403 is wanted': [() => site.browser().navigate(site.at('/app/403/'), { follow: false }), 403, 1505],
    'pass that cannot be': [() => site.browser().navigate(site.at('/app/pass-user/'), { follow: false }), 401, 1503],
    'not allowed in': [() => ada.navigate(site.at('/app/only-root/'), { follow: false }), 403, 1502],
    'without a usable name': [() => ada.navigate(site.at('/app/noname/'), { follow: false }), 403, 1410],
    'denied at Entra': [async () => { await site.emu.control('authorize', { error: 'access_denied', error_description: 'AADSTS65004: x' }); return (await failedSignIn()).page; }, 403, 1310],
    'a fault of the registration': [async () => { await site.emu.control('authorize', { error: 'invalid_scope', error_description: 'AADSTS70011: x' }); return (await failedSignIn()).page; }, 502, 1311],
    'Entra asks to come later': [async () => { await site.emu.control('authorize', { error: 'temporarily_unavailable' }); return (await failedSignIn()).page; }, 503, 1312],
    'a wrong credential': [async () => { await site.emu.control('fault', { endpoint: 'token', status: 401, body: { error: 'invalid_client', error_description: 'AADSTS7000215: x', error_codes: [7000215] } }); return (await failedSignIn()).page; }, 502, 1320],
    'a token endpoint that fails': [async () => { await site.emu.control('fault', { endpoint: 'token', status: 503, retryAfter: 17 }); return (await failedSignIn()).page; }, 503, 1323],
    'a connection that breaks': [async () => { await site.emu.control('fault', { endpoint: 'token', close: true }); return (await failedSignIn()).page; }, 503, 1055],
    'no JSON from the token endpoint': [async () => { await site.emu.control('token', { raw: '<html>' }); return (await failedSignIn()).page; }, 502, 1324],
    'an ID token for somebody else': [async () => { await site.emu.control('idtoken', { set: { aud: 'x' } }); return (await failedSignIn()).page; }, 502, 1258],
    'an ID token of the past': [async () => { await site.emu.control('idtoken', { set: { exp: { $now: -7200 } } }); return (await failedSignIn()).page; }, 502, 1264],
    'a code refused again and again': [async () => { await site.emu.control('fault', { endpoint: 'token', status: 400, body: { error: 'invalid_grant', error_description: 'AADSTS54005: x', error_codes: [54005] } }); return (await failedSignIn()).page; }, 400, 1500],
  };

  for (const [name, [how, status, number]] of Object.entries(PAGES)) {
    test(`${name}: a page of status ${status}, with ENTRA${number}`, async () => {
      const log = await site.httpd.logOf(async () => {
        const page = await how();
        assert.equal(page.status, status, page.trace);
        const { details, paragraphs, html } = inspect(page.response, name);
        assertPage(site, page.response, status, number, name);
        assert.match(details.Error, new RegExp(`^ENTRA${number}( / AADSTS\\d+)?$`));
        assert.match(details.Time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
        assert.ok(paragraphs.length >= 2, 'a sentence and what to do');
        assert.doesNotMatch(paragraphs.join(' '), /ENTRA\d|AADSTS|token|nonce|kid|JSON|state/i, 'plain words');
        if (status === 503) assert.match(page.header('retry-after'), /^[1-9]\d*$/);
        if (status === 405) assert.ok(page.header('allow'));
        if (status === 401) assert.match(page.header('www-authenticate'), /^Entra login="http/);
        assert.equal(html.split(details['Correlation id']).length, 2);
      });
      const line = lineOf(log, number);
      assert.match(line, /\[id [^\]]+\]/);
    });
  }

  test('the id of a page is the one that went to Entra, once a code was sent there', async () => {
    await site.emu.control('idtoken', { set: { aud: 'x' } });
    const { page } = await failedSignIn();
    const { details } = inspect(page.response);
    assert.match(details['Correlation id'], GUID);
    assert.equal(site.emu.stats().requests.filter(({ endpoint }) => endpoint === 'token').at(-1).correlationId, details['Correlation id']);
  });

  test("Retry-After is Entra's, where it said one", async () => {
    await site.emu.control('fault', { endpoint: 'token', status: 429, retryAfter: 33 });
    const { page } = await failedSignIn();
    assert.equal(page.status, 503);
    assert.equal(page.header('retry-after'), '33');
  });

  test('"try again" leads to a sign-in that works', async () => {
    await site.emu.control('idtoken', { set: { aud: 'x' }, count: 1 });
    const { browser, page } = await failedSignIn('/page.html?x=1');
    const again = await browser.click(page, page.links[0]);
    assert.equal(again.status, 200, again.trace);
    assert.equal(again.path, '/page.html?x=1');
  });

  test('the pages that say sign out? and signed out are pages like the others', async () => {
    const confirm = await ada.navigate(site.at('/.entra/logout?rd=/page.html'), { from: 'https://evil.test/', follow: false });
    assert.equal(confirm.status, 200);
    inspect(confirm.response);
    // One to sign out here, one everywhere.
    assert.deepEqual(confirm.forms.map(({ method }) => method), ['POST', 'POST']);
    const goodbye = await callback('');
    assert.equal(goodbye.status, 200);
    inspect(goodbye.response);
  });

  // ---- what Entra says ----------------------------------------------------------------------------------------------------

  describe('AADSTS numbers', () => {
    test('the table was read, and has 60 rows at least', () => { assert.ok(AADSTS.size >= 60, `${AADSTS.size}`); });

    const CODES = [50011, 50020, 50057, 50058, 50076, 50105, 53003, 65001, 65004, 70011, 700016, 90002, 16000, 50173, 50194, 500011, 900144, 90015, 7000112, 53000, 50053, 50055, 50079, 50126];
    for (const code of CODES) {
      const row = AADSTS.get(code);
      test(`AADSTS${code} at authorize: its own sentence, and the mend in the log alone`, { skip: row ? false : 'not in the table' }, async () => {
        const error = sentenceOf(code) ? new EntraError(code).error : 'invalid_request';
        await site.emu.control('authorize', { error, error_description: `AADSTS${code}: Some text by Entra. Trace ID: 1 Correlation ID: 11112222-3333-4444-8555-666677778888 Timestamp: x` });
        const log = await site.httpd.logOf(async () => {
          const { page } = await failedSignIn();
          assert.ok([403, 502, 503].includes(page.status), page.trace);
          const { details, paragraphs } = inspect(page.response);
          assert.ok(details.Error.endsWith(` / AADSTS${code}`), details.Error);
          assert.deepEqual(paragraphs.slice(0, 2), [row.sentence, row.advice]);
          assert.ok(!page.text.includes(row.mend) && !page.text.includes('Some text by Entra'), 'not on the page');
        });
        const line = lineOf(log, /ENTRA(13\d\d):/.exec(log)[1]);
        assert.ok(line.includes(`AADSTS${code}`) && line.includes(row.mend), line);
        assert.ok(line.includes('11112222-3333-4444-8555-666677778888'), "Entra's own correlation id is in the log");
      });
    }

    test('every other row of the table: its own page, and its mend in the log', async () => {
      for (const [code, row] of AADSTS) {
        if (CODES.includes(code)) continue;
        await site.emu.control('authorize', { error: 'invalid_request', error_description: `AADSTS${code}: Some text by Entra.`, count: 1 });
        const log = await site.httpd.logOf(async () => {
          const { page } = await failedSignIn();
          const { details, paragraphs } = inspect(page.response, `AADSTS${code}`);
          assert.ok(details.Error.endsWith(` / AADSTS${code}`), details.Error);
          assert.deepEqual(paragraphs.slice(0, 2), [row.sentence, row.advice], `AADSTS${code}`);
          assert.ok(!page.text.includes(row.mend), `AADSTS${code}`);
        });
        assert.ok(log.includes(`AADSTS${code}: ${row.mend}`), log);
      }
    });

    for (const code of [7000215, 7000222, 700016, 700027, 50012, 700024, 500112, 9002313, 70000, 28002, 700025, 7000218]) {
      const row = AADSTS.get(code);
      test(`AADSTS${code} at the token endpoint`, { skip: row ? false : 'not in the table' }, async () => {
        const error = sentenceOf(code) ? new EntraError(code).error : 'invalid_client';
        const named = error === 'invalid_grant' ? 'invalid_client' : error;
        await site.emu.control('fault', { endpoint: 'token', status: 401, body: { error: named, error_description: `AADSTS${code}: Some text`, error_codes: [code], correlation_id: '11112222-3333-4444-8555-666677778888' } });
        const log = await site.httpd.logOf(async () => {
          const { page } = await failedSignIn();
          assert.equal(page.status, 502, page.trace);
          const { details, paragraphs } = inspect(page.response);
          assert.ok(details.Error.endsWith(` / AADSTS${code}`), details.Error);
          assert.deepEqual(paragraphs.slice(0, 2), [row.sentence, row.advice]);
        });
        assert.ok(log.includes(row.mend));
        assert.ok(log.includes('11112222-3333-4444-8555-666677778888'));
      });
    }

    test('an unknown number, a huge one, none at all: the sentence of the error', async () => {
      for (const description of ['AADSTS999999: x', 'AADSTS99999999999999999999: x', 'AADSTS', 'no number', '', 'aadsts50011: x', `AADSTS50011${'0'.repeat(300)}`]) {
        await site.emu.control('authorize', { error: 'access_denied', error_description: description });
        const { page } = await failedSignIn();
        assert.equal(page.status, 403);
        const { paragraphs } = inspect(page.response);
        assert.equal(paragraphs[0], 'The sign-in was cancelled, or access was not allowed.', description);
      }
    });

    test('no program branches on the number: a denied user stays denied whatever AADSTS it says', async () => {
      await site.emu.control('authorize', { error: 'access_denied', error_description: 'AADSTS90033: temporarily unavailable' });
      assert.equal((await failedSignIn()).page.status, 403);
      await site.emu.control('authorize', { error: 'server_error', error_description: 'AADSTS65004: declined' });
      assert.equal((await failedSignIn()).page.status, 503);
    });
  });

  // ---- nothing unescaped ---------------------------------------------------------------------------------------------------

  describe('nothing from outside is shown', () => {
    const MARKUP = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', '\'-alert(1)-\'', '</style><script>x</script>', '&lt;script&gt;', '{{7*7}}', '\u2028<b>', '<!--', ']]>', '\x1b[31m'];

    test('error, error_description, error_subcode, error_uri and state with markup', async () => {
      for (const text of MARKUP) {
        await site.emu.control('authorize', { error: text.startsWith('\x1b') ? 'x' : text, error_description: `AADSTS1: ${text}`, error_subcode: text, error_uri: `javascript:${text}` });
        const { page } = await failedSignIn();
        assert.ok([400, 403, 502, 503].includes(page.status), page.trace);
        inspect(page.response, text);
        assert.ok(!page.text.includes(text), text);
      }
    });

    test('what the token endpoint says', async () => {
      for (const text of MARKUP) {
        await site.emu.control('fault', { endpoint: 'token', status: 400, body: { error: text, error_description: text, suberror: text, correlation_id: text, trace_id: text }, count: 1 });
        const { page } = await failedSignIn();
        assert.equal(page.status, 502, page.trace);
        inspect(page.response, text);
        assert.ok(!page.text.includes(text), text);
      }
    });

    test('parameters and paths with markup', async () => {
      for (const text of MARKUP) {
        const encoded = encodeURIComponent(text);
        const raw = Buffer.from(text, 'utf8').toString('latin1').replace(/ /g, '+').replace(/[\x00-\x1f]/g, '');
        for (const path of [`/.entra/callback?${encoded}`, `/.entra/callback?error=${encoded}&state=${encoded}`, `/.entra/callback?code=${encoded}&state=${encoded}`, `/.entra/${encoded}`, `/.entra/login/${encoded}`, `/.entra/logout?rd=/${encoded}`, `/.entra/login?rd=/${encoded}&rd=x`, `/.entra/callback?${raw}`, `/.entra/"><${raw}`, `/.entra/logout?rd=/"><${raw}`, `/app/401/${encoded}?${raw}`, `/app/403/"><${raw}`]) {
          const response = await exchange(site.httpd.port, Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost:${site.httpd.port}\r\nConnection: close\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: cross-site\r\nReferer: http://localhost:${site.httpd.port}/"><script>\r\n\r\n`, 'latin1'));
          assert.ok(response.status >= 200 && response.status < 500, path);
          // httpd's own page for a line that is no request is not ours to judge.
          if (response.header('content-security-policy') === undefined) { assert.ok([400, 302, 404].includes(response.status), `${path} ${response.status}`); continue; }
          inspect(response, path);
          assert.ok(!response.text.includes(text) && !response.text.includes(raw), path);
        }
      }
    });

    test('a Location or Set-Cookie is never split', async () => {
      for (const rd of ['/x%0d%0aSet-Cookie:%20evil=1', '/x%0aLocation:%20//evil.test', '/%E5%98%8A%E5%98%8DSet-Cookie:evil=1', '/x\r\n']) {
        const page = await site.browser().navigate(`${site.at('/.entra/login')}?rd=${encodeURIComponent(rd)}`, { follow: false });
        assert.equal(page.response.cookies.filter((line) => /evil/.test(line)).length, 0);
        assert.equal(page.response.all('location').length, 1);
      }
    });
  });

  // ---- programs -----------------------------------------------------------------------------------------------------------

  describe('programs get JSON', () => {
    const problemOf = (response, status, message) => {
      assert.equal(response.status, status, message);
      assert.match(response.header('content-type'), /^application\/problem\+json\b/, message);
      assert.equal(response.header('cache-control'), 'no-store');
      assert.equal(response.header('x-content-type-options'), 'nosniff');
      const problem = response.json();
      assert.equal(problem.type, 'about:blank');
      assert.equal(problem.status, status);
      for (const name of ['title', 'detail', 'id']) assert.ok(typeof problem[name] === 'string' && problem[name], `${name} ${message}`);
      assertClosed(response, message);
      return problem;
    };

    const ask = (path, options) => site.browser().fetch(site.at(path), options);

    test('each kind of refusal', async () => {
      for (const [path, status, number] of [['/app/x', 401, 1501], ['/app/401/', 401, 1501], ['/app/403/', 403, 1505], ['/app/pass-user/', 401, 1503], ['/.entra/nothing', 404, 1504], ['/.entra/session', 401, 1501], ['/.entra/callback?code=x&state=y', 400, 1301], ['/.entra/callback?code=x&state=y&state=z', 400, 1011]]) {
        const log = await site.httpd.logOf(async () => {
          const problem = problemOf(await ask(path), status, path);
          assert.equal(problem.login !== undefined, status === 401, path);
        });
        assert.match(log, new RegExp(`ENTRA${number}:`), path);
      }
      problemOf(await ada.fetch(site.at('/app/only-root/x')), 403, 'signed in, not allowed');
      const wrong = await ask('/.entra/callback', { method: 'POST', body: 'x' });
      problemOf(wrong, 405, 'method');
      assert.equal(wrong.header('allow'), 'GET');
    });

    test('the id of the problem is in the log', async () => {
      let problem;
      const log = await site.httpd.logOf(async () => { problem = problemOf(await ada.fetch(site.at('/app/only-root/x')), 403); });
      assert.ok(lineOf(log, 1502).includes(`[id ${problem.id}]`), log);
    });

    test('HEAD gets the status and no body; OPTIONS gets 401', async () => {
      const head = await site.httpd.request({ method: 'HEAD', path: '/app/x' });
      assert.equal(head.status, 401);
      assert.equal(head.body.length, 0);
      problemOf(await site.httpd.request({ method: 'OPTIONS', path: '/app/x', headers: { Origin: 'https://evil.test', 'Access-Control-Request-Method': 'GET' } }), 401);
    });

    test('no header for other origins is ever added', async () => {
      const response = await ask('/app/x', { from: 'https://evil.test/', mode: 'cors' });
      assert.equal(response.header('access-control-allow-origin'), undefined);
    });
  });

  // ---- ErrorDocument ------------------------------------------------------------------------------------------------------

  describe('ErrorDocument', () => {
    let own;
    const SSI = '<p>own <!--#echo var="REDIRECT_ENTRA_ERROR" --> <!--#echo var="REDIRECT_ENTRA_ERROR_ID" --> <!--#echo var="REDIRECT_ENTRA_ERROR_TEXT" --></p>\n';

    before(async () => {
      own = await startSite({
        emu: site.emu,
        backend: site.backend,
        modules: ['include', 'mime', 'filter', 'headers'],
        files: { 'mime.types': 'text/html html shtml\n', 'cgi/env': CGI_ENV, 'htdocs/public/401.html': '<p>own-401</p>\n', 'htdocs/public/e.shtml': SSI, 'htdocs/closed/403.html': '<p>own-403-closed</p>\n' },
        extra: (s) => `
TypesConfig mime.types
<Directory "${s.docroot}/public">
    Options +Includes
    AddOutputFilter INCLUDES .shtml
</Directory>
ErrorDocument 401 /public/401.html
ErrorDocument 502 /public/e.shtml
ErrorDocument 503 "later, please"
ErrorDocument 400 /public/cgi/env
ScriptAlias "/public/cgi/" "${s.path('cgi')}/"
<Location "/app/401/">
    EntraUnauthenticated 401
</Location>
<Location "/app/403/">
    EntraUnauthenticated 403
    ErrorDocument 403 "no entry"
</Location>
<Location "/app/only-root/">
    Require user root@contoso.example
    ErrorDocument 403 /closed/403.html
</Location>
<Location "/app/closed-401/">
    EntraUnauthenticated 401
    ErrorDocument 401 /closed/403.html
</Location>
<Location "/app/out/">
    EntraUnauthenticated 403
    ErrorDocument 403 https://elsewhere.test/help
</Location>`,
        allowLog: [/ENTRA\d{4}:/, /AH01631/],
      });
    });
    after(async () => { await own?.stop(); });
    const nav = (path, browser = own.browser()) => browser.navigate(own.at(path), { follow: false });

    test('401 by a local page, for people and programs, with the challenge still there', async () => {
      for (const page of [await nav('/app/401/'), await own.browser().fetch(own.at('/app/401/'))]) {
        assert.equal(page.status, 401);
        assert.equal(page.text, '<p>own-401</p>\n');
        assert.match(page.header('www-authenticate'), /^Entra login="/);
        assert.match(page.header('cache-control'), /no-store/);
      }
    });

    test('403 by a text', async () => {
      const page = await nav('/app/403/');
      assert.equal(page.status, 403);
      assert.equal(page.text.trim(), 'no entry');
    });

    test('403 by a page that is itself protected: who is signed in sees it', async () => {
      const browser = await own.signedIn({ user: 'ada' });
      const page = await nav('/app/only-root/x', browser);
      assert.equal(page.status, 403);
      assert.equal(page.text, '<p>own-403-closed</p>\n');
    });

    test('401 by a page that is itself protected: neither a loop nor a sign-in nor the page', async () => {
      const page = await nav('/app/closed-401/x');
      assert.equal(page.status, 401);
      assert.doesNotMatch(page.text, /own-403-closed/);
    });

    test('403 by a page elsewhere', async () => {
      const page = await nav('/app/out/x');
      assert.equal(page.status, 302);
      assert.equal(page.response.location, 'https://elsewhere.test/help');
    });

    test('502 by SSI with what we know: number, sentence, and the id of the log', async () => {
      await site.emu.control('authorize', { error: 'invalid_scope', error_description: 'AADSTS70011: x' });
      let page;
      const log = await own.httpd.logOf(async () => { page = await own.browser().navigate(own.at('/page.html')); });
      assert.equal(page.status, 502);
      const [, number, id, text] = /own (\S+) (\S+) (.+)<\/p>/.exec(page.text);
      assert.equal(number, 'ENTRA1311');
      assert.ok(lineOf(log, 1311).includes(`[id ${id}]`), log);
      assert.equal(unescapeHtml(text), AADSTS.get(70011).sentence);
    });

    test('503 by a text, with Retry-After', async () => {
      await site.emu.control('fault', { endpoint: 'token', status: 503 });
      const page = await own.browser().navigate(own.at('/page.html'));
      assert.equal(page.status, 503);
      assert.equal(page.text.trim(), 'later, please');
      assert.match(page.header('retry-after'), /^\d+$/);
    });

    test('400 at the callback by a CGI program: it sees neither the code nor the state', async () => {
      const page = await nav('/.entra/callback?code=planted-code-1234&state=planted-state-5678');
      assert.equal(page.status, 400);
      const vars = Object.fromEntries(cgiVars(page.response));
      assert.equal(vars.REDIRECT_ENTRA_ERROR, 'ENTRA1301');
      assert.doesNotMatch(JSON.stringify(vars), /planted-/);
    });

    test('a failed sign-in leaves no session behind an ErrorDocument either', async () => {
      await site.emu.control('idtoken', { set: { aud: 'x' } });
      const browser = own.browser();
      const page = await browser.navigate(own.at('/page.html'));
      assert.equal(page.status, 502);
      assert.ok(!browser.cookies.all.some(({ name }) => SESSION_COOKIE.test(name)));
      assert.ok(page.response.cookies.every((line) => !SESSION_COOKIE.test(line.split('=')[0])));
    });
  });

  // ---- logs ---------------------------------------------------------------------------------------------------------------

  describe('logs', () => {
    test('secret in logs: good and bad sign-ins at trace8, and no secret in any log', async () => {
      const planted = new Map([['client secret', CLIENT_SECRET]]);
      const note = (browser) => { for (const { name, value } of browser.cookies.all) if (/Entra/.test(name)) planted.set(`cookie ${name} ${value.slice(0, 6)}`, value); };
      const flows = [
        null,
        () => site.emu.control('idtoken', { set: { aud: 'x' }, count: 1 }),
        () => site.emu.control('idtoken', { tamper: 'signature', count: 1 }),
        () => site.emu.control('idtoken', { set: { nonce: 'wrong-nonce' }, count: 1 }),
        () => site.emu.control('idtoken', { raw: 'aaa.bbb.ccc-planted-token', count: 1 }),
        () => site.emu.control('token', { set: { token_type: 'planted-type', expires_in: 'soon' }, count: 1 }),
        () => site.emu.control('token', { raw: '{"id_token":"planted-raw-token"', count: 1 }),
        () => site.emu.control('fault', { endpoint: 'token', status: 500, body: 'planted-error-body', count: 1 }),
        () => site.emu.control('fault', { endpoint: 'token', close: true, count: 1 }),
        () => site.emu.control('fault', { endpoint: 'token', status: 400, body: { error: 'invalid_grant' }, count: 1 }),
        () => site.emu.control('authorize', { error: 'access_denied', error_description: 'AADSTS65004: x', count: 1 }),
      ];
      for (const bend of flows) {
        await bend?.();
        const browser = site.browser();
        const held = await site.begin(browser);
        note(browser);
        const [code, state] = ['code', 'state'].map((name) => new URL(held.url).searchParams.get(name));
        if (code) planted.set(`code ${code.slice(0, 6)}`, code);
        if (state) planted.set(`state ${state.slice(0, 6)}`, state);
        const page = await browser.resume(held);
        note(browser);
        // Again, as a reload and in another browser, and with bytes changed.
        await browser.navigate(held.url, { follow: false });
        await site.browser().navigate(held.url, { follow: false });
        if (code && state) await site.browser().navigate(held.url.replace(state, `${state.slice(0, -2)}AA`), { follow: false });
        await browser.navigate(site.at('/app/x'), { follow: false, from: held.url, referrerPolicy: 'no-referrer' });
        await browser.navigate(site.at('/.entra/logout'), { follow: false });
        note(browser);
        for (const hop of page.hops) for (const line of hop.cookies) if (/Entra/.test(line)) planted.set(`set ${line.slice(0, 30)}`, line.slice(line.indexOf('=') + 1, line.indexOf(';')));
      }
      const secrets = site.emu.stats().secrets;
      for (const [kind, values] of Object.entries(secrets)) for (const value of values) planted.set(`${kind} ${value.slice(0, 8)}`, value);
      assert.ok(secrets.codes.length >= 8 && secrets.id_tokens.length >= 2 && secrets.code_verifiers.length >= 5 && secrets.states.length >= 8 && planted.size > 50, `${planted.size}`);
      const logs = { error: site.httpd.errorLog(), access: site.httpd.accessLog(), all: site.httpd.read('logs/all.log') };
      assert.ok(logs.access.includes('/.entra/callback') && logs.all.includes('/.entra/callback'));
      for (const [kind, value] of planted) {
        if (value.length < 12) continue;
        for (const [name, text] of Object.entries(logs)) {
          for (const form of [value, encodeURIComponent(value), value.slice(0, 40)]) assert.ok(!text.includes(form), `${kind} stands in the ${name} log`);
        }
      }
      assert.doesNotMatch(logs.error, /planted-(token|raw-token)/);
    });

    test('mod_status shows no code while a sign-in waits', async () => {
      const browser = site.browser();
      const held = await site.begin(browser);
      const code = new URL(held.url).searchParams.get('code');
      await site.emu.control('fault', { endpoint: 'token', delayMs: 1500, count: 1 });
      const waiting = browser.resume(held);
      const shown = await until('the sign-in to be in the status page', async () => {
        const text = (await site.httpd.get('/server-status')).text;
        return text.includes('/.entra/callback') && text;
      });
      assert.ok(!shown.includes(code.slice(0, 20)));
      assert.doesNotMatch(shown, /code=|state=/);
      assert.equal((await waiting).status, 200);
    });

    test('log injection: no control byte, and no line that somebody else wrote', async () => {
      for (const nul of ['', '\0']) await inject(`x\r\n[Mon Nov 23 00:00:00.000000 2026] [entra_sso:info] [pid 1:tid 1] ENTRA2001: signed in: FAKE \x1b[31m\x07${nul}\x7f\x9b`);
    });

    async function inject(EVIL) {
      const before = [site.httpd.errorLog().length, site.httpd.accessLog().length];
      await site.emu.control('authorize', { error: EVIL, error_description: `AADSTS1: ${EVIL}` });
      await failedSignIn();
      await site.reset();
      await site.emu.control('fault', { endpoint: 'token', status: 400, body: { error: EVIL, error_description: EVIL, suberror: EVIL }, count: 1 });
      await failedSignIn();
      await site.emu.control('idtoken', { header: { kid: EVIL }, count: 1 });
      await failedSignIn();
      await site.emu.control('idtoken', { set: { aud: EVIL, iss: EVIL }, count: 1 });
      await failedSignIn();
      await site.emu.control('discovery', { set: { issuer: EVIL }, count: 1 });
      const encoded = encodeURIComponent(EVIL.replace('\x9b', 'x'));
      for (const path of [`/.entra/callback?error=${encoded}&state=x`, `/.entra/callback?${encoded}=1&${encoded}=2&code=1&state=2`, `/.entra/${encoded}`, `/app/only-root/${encoded.replaceAll('%00', '')}`, `/.entra/login?rd=${encoded}&rd=${encoded}`, `/.entra/session?${encoded}`]) await ada.navigate(site.at(path), { follow: false });
      for (const header of ['User-Agent', 'Referer', 'Cookie', 'Origin', 'X-Forwarded-For', 'Sec-Fetch-Mode', 'Accept']) {
        await site.httpd.request({ path: '/.entra/nothing', headers: [[header, 'x\x1b[31m\x7f\x9bENTRA2001: signed in: FAKE']] }).catch(() => null);
      }
      await site.httpd.request({ method: 'E\x1bVIL', path: '/.entra/login' }).catch(() => null);
      for (const [name, text] of [['error', site.httpd.errorLog().slice(before[0])], ['access', site.httpd.accessLog().slice(before[1])]]) {
        const found = /[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]/.exec(text);
        assert.equal(found, null, `${name}: ${found && JSON.stringify(text.slice(found.index - 60, found.index + 20))}`);
        assert.doesNotMatch(text, /^\[[^\]]*\] \[entra_sso:info\] \[pid [^\]]*\] (\[client [^\]]*\] )?ENTRA2001: signed in: FAKE/m);
        if (name === 'error') for (const line of text.split('\n').filter(Boolean)) assert.match(line, /^\[\w{3} \w{3} \d\d [\d:.]+ \d{4}\] \[[\w-]*:\w+\] \[pid/, 'each line is of httpd');
      }
    }

    test('one fault is one line', async () => {
      const log = await site.httpd.logOf(async () => { await callback('code=x&state=y'); });
      assert.equal(log.split('\n').filter((line) => /ENTRA1\d\d\d:/.test(line) && !/ENTRA1400/.test(line)).length, 1, log);
    });
  });

  // ---- the published faults of others --------------------------------------------------------------------------------------

  describe('after the published faults of mod_auth_openidc (attacks.md B and D)', () => {
    const raw = (bytes, options) => exchange(site.httpd.port, Buffer.from(bytes.replaceAll('HOST', `localhost:${site.httpd.port}`), 'latin1'), options);
    const get = (path, headers = '') => raw(`GET ${path} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nAccept: text/html\r\n${headers}\r\n`);

    test('CVE-2017-6059: the error page shows nothing of the query', async () => {
      const response = await get('/.entra/callback?Your+account+is+blocked,+call+555');
      assert.ok([200, 400].includes(response.status));
      assert.doesNotMatch(response.text, /blocked|555/);
      inspect(response);
    });

    for (const row of ['CVE-2017-6062', 'CVE-2017-6413']) {
      test(`${row}: where nobody must sign in, the backend sees no identity that a client claims`, async () => {
        for (const [path, method, more] of [['/app/pass/x', 'GET', ''], ['/app/pass/x', 'OPTIONS', 'Origin: https://evil.test\r\n'], ['/app/pass/x', 'GET', 'Authorization: Bearer x\r\n'], ['/app/pass/x', 'GET', 'Authorization: Basic eDp5\r\n']]) {
          const response = await raw(`${method} ${path} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nX-Entra-User: admin\r\nx_entra_object_id: admin\r\nX.Entra.Roles: admin\r\n${more}\r\n`);
          assert.equal(response.status, 200);
          assert.doesNotMatch(JSON.stringify(site.backend.last().headers), /admin/);
        }
      });
    }

    test('CVE-2019-1010247, f8c17f75, fe289383: foreign parameters are not reflected and lead nowhere', async () => {
      for (const query of ['session=iframe_rp&poll=1;alert(1)', "session=iframe_rp&poll='-alert(1)-'", "login_uri=https://x/'-alert(1)-'", 'session=iframe_rp&login_uri=https://evil.test', 'info=json', 'jwks=', 'webfinger=x', 'request_uri=x']) {
        for (const path of ['callback', 'login', 'session', 'logout']) {
          const response = await get(`/.entra/${path}?${query}`);
          assert.doesNotMatch(response.text, /alert\(1\)|evil\.test/, `${path} ${query}`);
          assert.doesNotMatch(response.location ?? '', /evil\.test|alert/, `${path} ${query}`);
        }
      }
    });

    // What a browser makes of a Location: after its own rules it must be a page of this site.
    const staysHere = (location) => {
      assert.doesNotMatch(location, /[\0-\x20\x7f\\]/);
      const url = new URL(location, site.origin);
      assert.equal(url.origin, site.origin, location);
      assert.ok(!url.pathname.startsWith('//'), location);
    };
    const LOGOUT = {
      'CVE-2019-14857': ['http://HOST///evil.test/', '///evil.test', 'https:///evil.test', 'https://HOST///evil.test/'],
      'CVE-2019-20479': ['/\\evil.test', '/%5Cevil.test', '/%5c%5cevil.test', '\\\\evil.test'],
      'CVE-2021-32786': ['https://evil.test\\@HOST/', 'https://evil.test%5c@HOST/', 'https:\\\\evil.test', 'https://evil.test\\.HOST/', 'http://HOST\\@evil.test/', 'http://HOST@evil.test/'],
      'CVE-2022-23527': ['/\t/evil.test', '/%09/evil.test', '/%2F/evil.test', '/%2f%2fevil.test', '/HTTP://evil.test', '/https:evil.test'],
    };
    for (const [row, targets] of Object.entries(LOGOUT)) {
      test(`${row}: a target after logout never leaves the site`, async () => {
        for (const target of targets.map((one) => one.replaceAll('HOST', `localhost:${site.httpd.port}`))) {
          for (const encoded of [encodeURIComponent(target), encodeURIComponent(encodeURIComponent(target))]) {
            const browser = site.browser();
            const page = await browser.navigate(`${site.at('/.entra/logout')}?rd=${encoded}`, { follow: false });
            assert.equal(page.status, 302);
            assert.equal(new URL(page.response.location).origin, new URL(site.emu.url).origin);
            // The way back from Entra.
            const back = await browser.navigate(page.response.location, { from: site.origin, stopBefore: (url) => url.startsWith(site.origin) });
            const last = await browser.navigate(back.url, { follow: false });
            if (last.status === 302) staysHere(last.response.location);
            else assert.equal(last.status, 200);
          }
        }
      });
    }

    test('CVE-2021-20718 and CVE-2025-3891: POST without Content-Type, with and without a body', async () => {
      for (const head of ['Content-Length: 3\r\n\r\nabc', 'Content-Length: 0\r\n\r\n', 'Content-Length: 0\r\nContent-Type:\r\n\r\n', 'Content-Type: \r\nContent-Length: 3\r\n\r\nabc', '\r\n', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n']) {
        for (const accept of ['Accept: text/html\r\n', '']) {
          const response = await raw(`POST /app/x HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n${accept}${head}`, { method: 'POST' });
          if (accept) assertSignIn(site, response, head);
          else assert.equal(response.status, 401);
        }
      }
    });

    test('CVE-2021-32785: format strings in cookies, state and sid are only letters', async () => {
      for (const text of ['%s%s%s%n%n', '%25s%25n', '%p'.repeat(100), '%1$n', '%*d']) {
        assert.equal((await get('/app/x', `Cookie: Entra-Session=${text}; Entra-Login=${text}\r\n`)).status, 302);
        assert.ok([200, 400].includes((await get(`/.entra/callback?code=${encodeURIComponent(text)}&state=${encodeURIComponent(text)}&sid=${encodeURIComponent(text)}`)).status));
      }
    });

    test('CVE-2021-32791: every sealed cookie has its own nonce, and each record one purpose', async () => {
      const seen = new Set();
      const xored = [];
      for (let i = 0; i < 6; i += 1) {
        const browser = await site.signedIn();
        const bytes = Buffer.from(browser.cookies.value('Entra-Session'), 'base64url');
        // version 1, key id 4, then 12 bytes of nonce
        seen.add(bytes.subarray(5, 17).toString('hex'));
        xored.push(bytes.subarray(17));
      }
      assert.equal(seen.size, 6);
      const same = xored[0].filter((byte, i) => byte === xored[1][i]).length;
      assert.ok(same < xored[0].length / 8, 'two texts of one user share no key stream');
      const browser = site.browser();
      const held = await site.begin(browser);
      const state = new URL(held.url).searchParams.get('state');
      for (const value of [state, browser.cookies.value('Entra-Login')]) assert.equal((await get('/app/x', `Cookie: Entra-Session=${value}\r\n`)).status, 302);
      const session = ada.cookies.value('Entra-Session');
      assert.equal((await callback(`code=x&state=${session}`)).status, 400);
    });

    test('CVE-2021-32792: a POST to a page with markup in its address shows none of it', async () => {
      for (const query of ["x='onfocus='alert(1)", "x='></form><script>", 'x="><script>alert(1)</script>']) {
        const response = await raw(`POST /app/401/?${query} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nAccept: text/html\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b`, { method: 'POST' });
        assert.equal(response.status, 401);
        inspect(response);
        assert.doesNotMatch(response.text, /alert|onfocus/);
      }
    });

    test('CVE-2021-39191, b6c39bbd, 5b4b4b16: sign-in started by a third party goes to no target and asks for no scope of its choice', async () => {
      for (const query of ['iss=https://evil.test/&target_link_uri=https://evil.test/', 'iss=', 'iss=&x', 'iss', `iss=${encodeURIComponent(site.emu.url)}&target_link_uri=https://evil.test/`, 'iss=&scopes=Mail.Read&auth_request_params=prompt%3Dnone']) {
        for (const path of ['callback', 'login']) {
          const response = await get(`/.entra/${path}?${query}`);
          assert.doesNotMatch(`${response.rawHead}${response.text}`, /evil\.test|Mail\.Read/, `${path} ${query}`);
          assert.ok([200, 302, 400].includes(response.status));
          if (response.status === 302) assert.deepEqual(assertSignIn(site, response).get('scope').split(' ').sort(), ['email', 'offline_access', 'openid', 'profile']);
        }
      }
    });

    test('3106f250: parameters of the request to Entra cannot be added from outside', async () => {
      const usual = [...assertSignIn(site, await get('/page.html')).keys()].sort();
      for (const query of ['rd=/x&redirect_uri=https://evil.test/&client_id=x&prompt=none&scope=x&state=x&response_mode=form_post', 'rd=/x%26prompt=none%26client_id=x', 'rd=/x%23&prompt=none']) {
        const parameters = assertSignIn(site, await get(`/.entra/login?${query}`));
        assert.deepEqual([...parameters.keys()].sort(), usual, query);
        assert.equal(parameters.get('client_id'), CLIENT);
        assert.equal(parameters.get('redirect_uri'), `${site.origin}/.entra/callback`);
      }
    });

    test('CVE-2023-28625: Cookie headers of every odd shape', async () => {
      for (const cookie of ['', ' ', ';', ';;', '; ;', '=', 'a', ';'.repeat(8000), '=;'.repeat(4000), 'a;'.repeat(4000), ',', ' ;=', 'Entra-Session', 'Entra-Session;', 'Entra-Session;=']) {
        const response = await get('/app/x', `Cookie:${cookie === '' ? '' : ` ${cookie}`}\r\n`);
        assert.equal(response.status, 302, JSON.stringify(cookie.slice(0, 20)));
        const open = await get('/public/', `Cookie:${cookie === '' ? '' : ` ${cookie}`}\r\n`);
        assert.equal(open.status, 200);
      }
    });

    test('state cookie without "=", and CVE-2014-8566/8567 of Mellon: bytes beyond every field', async () => {
      for (const cookie of ['Entra-Login; a=b', 'Entra-Login_AAA; a=b', `Entra-Login=${'A'.repeat(7900)}`, `Entra-Session=${'A'.repeat(7900)}`, `Entra-Session=\xff\xfe\x80`, 'Entra-Session="quoted"', `Entra-Session=4.${'A'.repeat(3000)}; Entra-Session-1=${'B'.repeat(3000)}`]) {
        assert.equal((await get('/app/x', `Cookie: ${cookie}\r\n`)).status, 302, cookie.slice(0, 40));
        assert.ok([200, 302, 403].includes((await raw(`POST /.entra/logout HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nOrigin: http://HOST\r\nContent-Length: 0\r\nCookie: ${cookie}\r\n\r\n`, { method: 'POST' })).status));
      }
    });

    test('CVE-2024-24814: counters of chunks', async () => {
      for (const count of ['99999999', '-1', '2147483648', '1e9', '0', '00000004', '4', '3']) {
        const pairs = [`Entra-Session=${count}.AAAA`, `Entra-Session-chunks=${count}`, `Entra-Session_chunks=${count}`, `Entra-Session-${count}=AAAA`];
        for (const cookie of [...pairs, pairs.join('; ')]) assert.equal((await get('/app/x', `Cookie: ${cookie}\r\n`)).status, 302);
      }
      const answers = await Promise.all(Array.from({ length: 60 }, () => get('/app/x', 'Cookie: Entra-Session=99999999.A\r\n')));
      assert.ok(answers.every(({ status }) => status === 302));
    });

    test('CVE-2025-31492: nothing protected follows any page or redirect of ours', async () => {
      for (const path of ['/page.html', '/app/x', '/cgi/env', '/app/401/x', '/app/403/x', '/app/pass-user/x']) {
        for (const method of ['GET', 'POST', 'PUT', 'OPTIONS', 'HEAD']) {
          for (const accept of ['text/html', '*/*', 'application/json']) {
            const bytes = await raw(`${method} ${path} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nAccept: ${accept}\r\nContent-Length: 0\r\n\r\n`, { all: true });
            const text = bytes.toString('latin1');
            assert.match(text, /^HTTP\/1\.1 (302|401|403) /, `${method} ${path} ${accept}`);
            assert.ok(!text.includes(SECRET_PAGE) && !/backend-content|REMOTE_ADDR=/.test(text), `${method} ${path}`);
            assert.equal(text.split('HTTP/1.1 ').length, 2, 'one answer');
            const [head, ...rest] = text.split('\r\n\r\n');
            const length = /content-length: (\d+)/i.exec(head);
            if (length && method !== 'HEAD') assert.equal(rest.join('\r\n\r\n').length, Number(length[1]));
          }
        }
      }
      assert.equal(site.backend.requests.length, 0);
    });

    test('GHSA-j3g4-73w8-p842: what Entra says is never run or read as a secret source', async () => {
      const marker = site.httpd.path('run', 'executed');
      await site.emu.control('user', { user: 'ada', set: { name: `exec:/usr/bin/touch ${marker}`, email: 'file:/etc/passwd' } });
      const browser = await site.signedIn({ path: '/app/x' });
      const seen = Object.fromEntries((await browser.navigate(site.at('/app/x'))).json().headers);
      assert.equal(seen['X-Entra-Email'], 'file:/etc/passwd');
      assert.equal(site.httpd.read('run/executed'), '');
    });

    test('53c14d9b: markup in the path of a page that could show its address', async () => {
      const response = await raw('GET /.entra/"><script>alert(1)</script> HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nAccept: text/html\r\n\r\n');
      assert.ok([400, 404].includes(response.status));
      assert.doesNotMatch(response.text, /<script>alert/);
    });

    test('query of separators only', async () => {
      for (const query of ['&', '&&&', '=', '=&=', '?', '#', '%', '&=&', ';', ';;=']) {
        for (const path of ['callback', 'login', 'logout', 'session']) assert.ok([200, 302, 400, 401].includes((await get(`/.entra/${path}?${query}`)).status), `${path}?${query}`);
      }
    });

    test('c6f41e2b: nobody ends a session of somebody else by a guess', async () => {
      for (const query of ['logout=get&sid=guess&iss=x', 'sid=guess', `logout=https://evil.test`, 'logout=backchannel&logout_token=a.b.c']) {
        await get(`/.entra/callback?${query}`);
        await get(`/.entra/logout?${query}`);
        await get(`/.entra/frontchannel-logout?${query}`);
      }
      assert.equal(await whoAmI(site, ada), 'ada@contoso.example');
    });

    test('</pre><script> in a name: the session endpoint is JSON and stays JSON', async () => {
      await site.emu.control('user', { user: 'ada', set: { name: '</pre><script>alert(1)</script>' } });
      const browser = await site.signedIn();
      const page = await browser.navigate(site.at('/.entra/session'));
      assert.match(page.header('content-type'), /^application\/json/);
      assert.equal(page.header('x-content-type-options'), 'nosniff');
      assert.equal(page.json().name, '</pre><script>alert(1)</script>');
    });

    test('CVE-2016-2145/2146 of Mellon: a body that ends early, and one of 5 GB, at the callback', async () => {
      const early = await Connection.open(site.httpd.port);
      early.write(`POST /.entra/callback HTTP/1.1\r\nHost: localhost:${site.httpd.port}\r\nAccept: text/html\r\nContent-Length: 1000\r\n\r\nabc`);
      early.end();
      const answer = await early.response({ method: 'POST' }).catch((error) => error);
      assert.ok(answer instanceof Error || [400, 405].includes(answer.status));
      early.close();
      const huge = await Connection.open(site.httpd.port);
      huge.write(`POST /.entra/callback HTTP/1.1\r\nHost: localhost:${site.httpd.port}\r\nAccept: text/html\r\nConnection: close\r\nContent-Length: 5000000000\r\n\r\n${'x'.repeat(1000)}`);
      assert.ok([405, 413].includes((await huge.response({ method: 'POST' })).status), 'before the body is read');
      huge.close();
    });

    test('D: the session of a person who signs in again is a new one, and its id is in no cookie of before', async () => {
      const browser = await site.signedIn();
      const planted = browser.cookies.value('Entra-Session');
      const victim = site.browser();
      victim.cookies.plant('Entra-Session', planted, site.origin);
      await site.as('root');
      await victim.navigate(site.at('/.entra/login?rd=/page.html'));
      assert.notEqual(victim.cookies.value('Entra-Session'), planted);
      assert.equal(await whoAmI(site, victim), 'root@contoso.example');
      assert.equal(await whoAmI(site, browser), 'ada@contoso.example');
    });
  });

  test('cookies that were ended are ended for every prefix and name the browser sent', async () => {
    const browser = await site.signedIn();
    const page = await browser.navigate(site.at('/.entra/logout'), { follow: false });
    for (const line of page.response.cookies) assert.match(line, /Max-Age=0/);
    assert.ok(!browser.cookies.all.some(({ name }) => SESSION_COOKIE.test(name) || LOGIN_COOKIE.test(name)));
    assert.ok(!isCallback(page.url));
  });
});
