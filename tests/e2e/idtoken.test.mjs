// SPDX-License-Identifier: Apache-2.0
// What Entra sends: every bad token is refused for its own reason, every bad document is survived, and a key rollover is not noticed.

import assert from 'node:assert/strict';
import test, { after, before, beforeEach, describe } from 'node:test';
import { startEmulator } from '../emulator/server.mjs';
import { CONSUMERS, FABRIKAM, OTHER_CLIENT, users } from '../emulator/tenants.mjs';
import { assertClosed, assertPage, assertSignIn, LOGIN_COOKIE, SESSION_COOKIE, USERS, whoAmI } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { missing, MPM } from './lib/httpd.mjs';
import { CLIENT, CONTOSO, startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const GUID = '11111111-2222-4333-8444-555555555555';
const nested = (depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

// name of the case: [ENTRA number or numbers that may name it, what the emulator is told about the next ID token]
const REFUSED = {
  // algorithms
  'alg none': [[1201, 1204], { alg: 'none' }],
  'alg nOnE': [[1201, 1204], { alg: 'nOnE' }],
  'alg none with a signature left over': [1204, { header: { alg: 'none' } }],
  'HS256 keyed with the client secret': [1204, { alg: 'HS256-secret' }],
  'HS256 keyed with the public key as PEM': [1204, { alg: 'HS256-pubkey' }],
  'HS256 keyed with the public key as DER': [1204, { alg: 'HS256-pubkey-der' }],
  'HS256 keyed with the public key as PKCS#1': [1204, { alg: 'HS256-pubkey-pkcs1' }],
  'HS256 keyed with the modulus': [1204, { alg: 'HS256-n' }],
  'HS256 keyed with the certificate': [1204, { alg: 'HS256-x5c' }],
  'HS256 keyed with nothing': [1204, { alg: 'HS256-empty' }],
  'HS512 keyed with the client secret': [1204, { alg: 'HS512-secret' }],
  PS256: [1204, { alg: 'PS256' }],
  RS384: [1204, { alg: 'RS384' }],
  RS512: [1204, { alg: 'RS512' }],
  ES256: [1204, { alg: 'ES256' }],
  EdDSA: [1204, { alg: 'EdDSA' }],
  'an invented alg': [1204, { alg: 'RS256X' }],
  'alg in small letters': [1204, { alg: 'rs256' }],
  'alg missing': [1204, { headerUnset: ['alg'] }],
  'alg as a list': [1202, { header: { alg: ['RS256'] } }],
  'alg null': [[1202, 1204], { header: { alg: null } }],
  // keys
  'jwk in the header': [1207, { inject: 'jwk' }],
  'jku in the header': [1207, { inject: 'jku' }],
  'x5u in the header': [1207, { inject: 'x5u' }],
  'x5c in the header': [1207, { inject: 'x5c' }],
  'jwk in the header, under the kid of a real key': [1209, { signWith: 'impostor', inject: undefined }],
  'a key that is not published': [1207, { signWith: 'unpublished' }],
  'the key of personal accounts': [1210, { signWith: 'other' }],
  'a weak key that is not published': [1207, { signWith: 'weak' }],
  'a random kid': [1207, { kid: '$random' }],
  'no kid': [1206, { headerUnset: ['kid'] }],
  'an empty kid': [1206, { kid: '' }],
  'a kid of 300 characters': [1206, { kid: 'k'.repeat(300) }],
  'a kid that is a number': [1202, { kid: 7 }],
  'a kid with a path': [1207, { kid: '../../../../etc/passwd' }],
  'a kid with a line end': [1207, { kid: 'a\r\n[error] forged' }],
  'a kid with format directives': [1207, { kid: '%s%s%n%n' }],
  // header
  'typ of an access token': [1203, { header: { typ: 'at+jwt' } }],
  'typ of a logout token': [1203, { header: { typ: 'logout+jwt' } }],
  'no typ': [1203, { headerUnset: ['typ'] }],
  'typ as a number': [1202, { header: { typ: 1 } }],
  'crit': [1205, { header: { crit: ['exp'] } }],
  'an empty crit': [1205, { header: { crit: [] } }],
  'b64 false': [1205, { header: { b64: false } }],
  'a header that is a list': [1202, { rawHeader: '[]' }],
  'a header that is null': [1202, { rawHeader: 'null' }],
  'a header that is no JSON': [1202, { rawHeader: '{"alg":"RS256",' }],
  'alg twice in the header': [1202, { rawHeader: '{"alg":"none","typ":"JWT","kid":"x","alg":"RS256"}' }],
  'a header of 100 KB': [1200, { header: { pad: 'x'.repeat(100_000) } }],
  // shape
  'the signature changed': [1209, { tamper: 'signature' }],
  'the payload changed': [1209, { tamper: 'payload' }],
  'the header changed': [1209, { tamper: 'header' }],
  'the signature cut off': [[1201, 1209], { tamper: 'strip' }],
  'the signature cut short': [[1201, 1209], { tamper: 'truncate' }],
  'two parts': [1201, { tamper: 'twoParts' }],
  'four parts': [1201, { tamper: 'fourParts' }],
  'base64 padding': [1201, { tamper: 'padding' }],
  'white space around': [1201, { tamper: 'whitespace' }],
  'one letter': [1201, { raw: 'a' }],
  'one dot': [1201, { raw: '.' }],
  'two dots': [1201, { raw: '..' }],
  'letters and dots': [1201, { raw: 'a.b' }],
  'an encrypted token': [1201, { raw: 'a.b.c.d.e' }],
  'no base64url': [1201, { raw: '!!.@@.##' }],
  'a token of 1 MB': [[1053, 1200], { pad: 1_000_000 }],
  'a token of 100 KB': [1200, { pad: 100_000 }],
  // claims as a document
  'claims that are a list': [1212, { rawPayload: '[]' }],
  'claims that are null': [1212, { rawPayload: 'null' }],
  'claims that are no JSON': [1212, { rawPayload: '{{{claims}}' }],
  'claims with rubbish behind': [1212, { rawPayload: '{{{claims}}} x' }],
  'claims nested 10000 deep': [1212, { setRaw: { deep: nested(10_000) } }],
  'a claim twice': [1212, { duplicate: { oid: GUID } }],
  'a claim twice, the wrong one first': [1212, { duplicateFirst: { aud: OTHER_CLIENT } }],
  'the nonce twice': [1212, { duplicate: { nonce: 'x' } }],
  // issuer and tenant
  'no iss': [1252, { unset: ['iss'] }],
  'iss of another tenant': [1255, { set: { iss: `https://login.microsoftonline.com/${FABRIKAM}/v2.0` } }],
  'iss with a literal {tenantid}': [1255, { set: { iss: 'https://login.microsoftonline.com/{tenantid}/v2.0' } }],
  'iss as a list': [1250, { set: { iss: ['x'] } }],
  'an empty iss': [1252, { set: { iss: '' } }],
  'no tid': [1253, { unset: ['tid'] }],
  'tid that is no GUID': [1254, { set: { tid: 'contoso' } }],
  'tid of another tenant than iss': [1255, { set: { tid: FABRIKAM } }],
  'tid of personal accounts': [1255, { set: { tid: CONSUMERS } }],
  'tid as a number': [1250, { set: { tid: 5 } }],
  // audience
  'no aud': [1257, { unset: ['aud'] }],
  'aud of another application': [1258, { set: { aud: OTHER_CLIENT } }],
  'aud of Microsoft Graph': [1258, { set: { aud: '00000003-0000-0000-c000-000000000000' } }],
  'aud with our id as a prefix': [1258, { set: { aud: `${CLIENT}x` } }],
  'aud as api://': [1258, { set: { aud: `api://${CLIENT}` } }],
  'aud of two, ours among them': [1258, { set: { aud: [CLIENT, OTHER_CLIENT] } }],
  'aud as an empty list': [1257, { set: { aud: [] } }],
  'aud as a number': [1250, { set: { aud: 1 } }],
  'azp of another client': [1259, { set: { azp: OTHER_CLIENT } }],
  // subject
  'no sub': [1260, { unset: ['sub'] }],
  'an empty sub': [1260, { set: { sub: '' } }],
  'sub as a number': [1250, { set: { sub: 1 } }],
  'no oid': [1261, { unset: ['oid'] }],
  'oid that is no GUID': [1262, { set: { oid: 'ada' } }],
  'oid as a list': [1250, { set: { oid: [GUID] } }],
  // times
  'no exp': [1263, { unset: ['exp'] }],
  'expired beyond the skew': [1264, { set: { exp: { $now: -301 } } }],
  'expired a year ago': [1264, { set: { exp: { $now: -31536000 } } }],
  'exp as a string': [1250, { set: { exp: '4102444800' } }],
  'exp as 1e300': [[1212, 1250], { setRaw: { exp: '1e300' } }],
  'exp as a fraction': [1250, { setRaw: { exp: '4102444800.5' } }],
  'exp negative': [1250, { set: { exp: -1 } }],
  'exp past 64 bits': [[1212, 1250], { setRaw: { exp: '9223372036854775808' } }],
  'exp at the end of 64 bits': [1250, { setRaw: { exp: '9223372036854775807' } }],
  'exp null': [1250, { set: { exp: null } }],
  'exp true': [1250, { set: { exp: true } }],
  'not valid yet, beyond the skew': [1265, { set: { nbf: { $now: 330 } } }],
  'nbf as a string': [1250, { set: { nbf: '0' } }],
  'no iat': [1266, { unset: ['iat'] }],
  'issued in the future, beyond the skew': [1267, { set: { iat: { $now: 330 } } }],
  'iat at 2^63': [[1212, 1250], { setRaw: { iat: '9223372036854775808' } }],
  // nonce and version
  'no nonce': [1268, { unset: ['nonce'] }],
  'an empty nonce': [1268, { set: { nonce: '' } }],
  'another nonce': [1269, { set: { nonce: 'AAAAAAAAAAAAAAAAAAAAAA' } }],
  'nonce as a list': [1250, { set: { nonce: ['x'] } }],
  'a token of version 1.0': [1251, { set: { ver: '1.0' } }],
  'no ver': [1251, { unset: ['ver'] }],
  'ver as a number': [1250, { set: { ver: 2 } }],
};

// What must go through, so that the table above does not refuse for free.
const ACCEPTED = {
  'an ordinary token': {},
  'expired within the skew': { set: { exp: { $now: -240 } } },
  'not valid yet, within the skew': { set: { nbf: { $now: 240 }, exp: { $now: 3600 } } },
  'issued in the future, within the skew': { set: { iat: { $now: 240 } } },
  'aud as a list of one': { set: { aud: [CLIENT] } },
  'azp of this client': { set: { azp: CLIENT } },
  'exp after 2038': { set: { exp: 4102444800 } },
  'no nbf': { unset: ['nbf'] },
  'unknown members of the header': { header: { cty: 'x', vendor: { a: 1 } } },
  'unknown claims of every type': { set: { a: null, b: true, c: [1, 'x'], d: { e: {} }, f: 1.5 } },
  'a second published key': { signWith: 'secondary' },
};

const pattern = (numbers) => new RegExp(`ENTRA(${[numbers].flat().join('|')}):`);

function shapeIssuers(site, shape) {
  // The emulator is the authority here, so "another tenant's issuer" is one of its own.
  const text = JSON.stringify(shape).replaceAll('https://login.microsoftonline.com', site.emu.url);
  return JSON.parse(text);
}

describe('ID tokens', { skip: missing }, () => {
  let site;

  before(async () => { site = await startSite({ allowLog: [/ENTRA1\d\d\d:/] }); });
  after(async () => { await site?.stop(); });
  beforeEach(async () => { await site.reset(); });

  const attempt = async (shape) => {
    const browser = site.browser();
    await site.emu.control('idtoken', shapeIssuers(site, shape));
    let page;
    const log = await site.httpd.logOf(async () => { page = await browser.navigate(site.at('/page.html')); });
    return { browser, page, log };
  };

  for (const [name, shape] of Object.entries(ACCEPTED)) {
    test(`accepted: ${name}`, async () => {
      const { page } = await attempt(shape);
      assert.equal(page.status, 200, `${page.trace}\n${site.httpd.errorLog().slice(-2000)}`);
    });
  }

  for (const [name, [numbers, shape]] of Object.entries(REFUSED)) {
    test(`refused: ${name}`, async () => {
      const { browser, page, log } = await attempt(shape);
      assert.equal(page.status, 502, `${page.trace}\n${log.slice(-2000)}`);
      const lines = log.split('\n').filter((line) => /ENTRA1[0-9]{3}:/.test(line) && /:(error|warn|info)\]/.test(line) && !/ENTRA14/.test(line));
      assert.match(lines.at(-1) ?? '', pattern(numbers), `${name}:\n${log.slice(-3000)}`);
      assert.equal(lines.filter((line) => pattern(numbers).test(line)).length, 1, `one fault, one line:\n${lines.join('\n')}`);
      assertPage(site, page.response, 502, /ENTRA(\d{4})/.exec(lines.at(-1))[1], name);
      assert.ok(browser.cookies.all.every((cookie) => !SESSION_COOKIE.test(cookie.name)), 'no session cookie');
      assertSignIn(site, (await browser.navigate(site.at('/page.html'), { follow: false })).response, 'not signed in');
      assert.equal(site.calls('token'), 1, 'the token request is not repeated');
      assert.equal(site.calls('attacker'), 0, 'no address from the token was called');
      assert.doesNotMatch(log, /\n\[error\] forged/);
    });
  }

  test('nothing of a refused token is shown', async () => {
    const { page } = await attempt({ set: { aud: '<script>alert("zq")</script>', name: 'zq-name', preferred_username: 'zq-user' } });
    assertPage(site, page.response, 502, 1258);
    assert.doesNotMatch(page.text, /zq/);
  });

  test('a token of another tenant is refused with 403 where several are allowed by name', async () => {
    const several = await startSite({ emu: site.emu, backend: site.backend, directives: { EntraTenant: 'organizations', EntraAllowedTenants: CONTOSO } });
    const good = await several.browser().navigate(several.at('/page.html'));
    assert.equal(good.status, 200, `${good.trace}\n${several.httpd.errorLog().slice(-2000)}`);
    await site.as('fab');
    const page = await several.browser().navigate(several.at('/page.html'));
    assertPage(several, page.response, 403, 1256);
    await several.stop();
  });

  test('a key without an issuer is refused where several tenants are allowed, and taken where one is', async () => {
    await site.emu.control('keys', { action: 'set', kid: '*', unset: ['issuer'] });
    const several = await startSite({ emu: site.emu, backend: site.backend, directives: { EntraTenant: 'organizations', EntraAllowedTenants: 'any' }, expectLog: [/ENTRA1211:/] });
    const page = await several.browser().navigate(several.at('/page.html'));
    assertPage(several, page.response, 502, 1211);
    await several.stop();
    const one = await startSite({ emu: site.emu, backend: site.backend });
    assert.equal((await one.browser().navigate(one.at('/page.html'))).status, 200);
    await one.stop();
  });

  test('the e-mail of a user of one tenant in the token of another makes nobody somebody else', async () => {
    const several = await startSite({ emu: site.emu, backend: site.backend, directives: { EntraTenant: 'organizations', EntraAllowedTenants: 'any' } });
    const names = [];
    for (const user of ['ada', 'fab']) {
      await site.as(user);
      const browser = several.browser();
      await browser.navigate(several.at('/page.html'));
      names.push(await whoAmI(several, browser));
    }
    assert.ok(names.every(Boolean), names.join());
    assert.notEqual(names[0], names[1]);
    assert.match(names[1], new RegExp(`@${FABRIKAM}$`), 'with several tenants the name is oid and tid');
    await several.stop();
  });

  describe('the token response', () => {
    const FAULTS = {
      'no id_token': [1325, 502, { unset: ['id_token'] }],
      'id_token as a number': [[1324, 1325], 502, { set: { id_token: 1 } }],
      'an empty id_token': [[1201, 1325], 502, { set: { id_token: '' } }],
      'a list': [1324, 502, { generate: { kind: 'array' } }],
      'null': [1324, 502, { generate: { kind: 'null' } }],
      'no JSON': [1324, 502, { generate: { kind: 'notjson' } }],
      'nothing': [1324, 502, { generate: { kind: 'empty' } }],
      'nesting 10000 deep': [1324, 502, { generate: { kind: 'deep', size: 10_000 } }],
      '50 MB': [1053, 502, { generate: { kind: 'huge' } }],
      'a NUL byte': [1324, 502, { generate: { kind: 'nul' } }],
      'an error with status 200': [[1322, 1324], 502, { raw: '{"error":"invalid_client"}' }],
      'another token_type': [1324, 502, { set: { token_type: 'mac' } }],
    };
    for (const [name, [numbers, status, shape]] of Object.entries(FAULTS)) {
      test(name, async () => {
        await site.emu.control('token', shape);
        const browser = site.browser();
        const page = await browser.navigate(site.at('/page.html'), { timeout: 30_000 });
        assert.equal(page.status, status, `${page.trace}\n${site.httpd.errorLog().slice(-2000)}`);
        assert.match(site.httpd.errorLog().split('\n').filter((line) => /ENTRA1[23]\d\d:|ENTRA105\d:/.test(line)).at(-1), pattern(numbers));
        assertClosed(page.response);
        assert.ok(browser.cookies.all.every((cookie) => !SESSION_COOKIE.test(cookie.name)));
      });
    }

    const OUTAGES = {
      '500': [1323, 503, { status: 500, body: 'oops' }],
      '429 with Retry-After': [1323, 503, { status: 429, retryAfter: 7, body: { error: 'temporarily_unavailable' } }],
      '503': [1323, 503, { status: 503, body: '<html>' }],
      'connection closed': [[1050, 1055], 503, { close: true }],
      'body cut in the middle': [[1050, 1055, 1324], 503, { cutBody: true }],
      'a redirect': [[1322, 1324, 1323], 502, { status: 302, headers: { Location: 'https://evil.test/' }, body: '' }],
      'invalid_client': [1320, 502, { status: 401, body: { error: 'invalid_client', error_description: 'AADSTS7000215: x', error_codes: [7000215] } }],
      'invalid_scope': [1322, 502, { status: 400, body: { error: 'invalid_scope' } }],
    };
    for (const [name, [numbers, status, fault]] of Object.entries(OUTAGES)) {
      test(`the token endpoint answers: ${name}`, async () => {
        const browser = site.browser();
        const held = await site.begin(browser);
        await site.emu.control('fault', { endpoint: 'token', ...fault });
        const page = await browser.resume(held);
        assert.equal(page.status, status, `${page.trace}\n${site.httpd.errorLog().slice(-2000)}`);
        assert.match(site.httpd.errorLog().split('\n').filter((line) => /ENTRA1[23]\d\d:|ENTRA105\d:/.test(line)).at(-1), pattern(numbers));
        if (status === 503) assert.match(page.header('retry-after') ?? '', /^\d+$/);
        if (fault.retryAfter) assert.equal(page.header('retry-after'), String(fault.retryAfter));
        // libcurl itself repeats a request when a kept connection turns out to be dead before the first byte of an answer.
        assert.ok(site.calls('token') <= (fault.close ? 2 : 1), `the code was sent ${site.calls('token')} times`);
        assertClosed(page.response);
      });
    }

    test('a token endpoint that says nothing ends within the timeout', async () => {
      const slow = await startSite({ emu: site.emu, backend: site.backend, directives: { EntraOutboundTimeout: '1s 2s' }, expectLog: [/ENTRA1052:/] });
      const browser = slow.browser();
      const held = await slow.begin(browser);
      await site.emu.control('fault', { endpoint: 'token', hang: true });
      const started = Date.now();
      const page = await browser.resume(held);
      assertPage(slow, page.response, 503, 1052);
      assert.ok(Date.now() - started < 6000, `${Date.now() - started} ms`);
      assert.ok(page.header('retry-after'));
      await slow.stop();
    });

    test('a code that is refused leads to three fresh sign-ins and then to an explanation', async () => {
      await site.emu.control('fault', { endpoint: 'token', status: 400, body: { error: 'invalid_grant', error_codes: [70008] } });
      const page = await site.browser().navigate(site.at('/page.html'));
      assertPage(site, page.response, 400, 1500);
      assert.equal(site.calls('token'), 3, page.trace);
    });
  });

  describe('signing keys', () => {
    // An emulator of its own: what rolled over here is not known to the server above.
    let site;

    before(async () => {
      if (missing) return;
      site = await startSite({ allowLog: [/ENTRA1\d\d\d:/] });
      // It has its keys now, and asks for none while others are counted.
      await site.signedIn();
    });
    after(async () => { await site?.stop(); });
    beforeEach(async () => { await site.reset(); });

    const fresh = (options = {}) => startSite({ emu: site.emu, backend: site.backend, allowLog: [/ENTRA1\d\d\d:/], ...options });

    test('a rollover in the middle of a sign-in is not noticed', async () => {
      const one = await fresh();
      const browser = one.browser();
      const held = await one.begin(browser);
      await site.emu.control('keys', { action: 'roll', drop: true });
      const page = await browser.resume(held);
      assert.equal(page.status, 200, `${page.trace}\n${one.httpd.errorLog().slice(-2000)}`);
      await one.stop();
    });

    test('a new key that is published beside the old one is found when it is first used', async () => {
      const one = await fresh();
      assert.equal((await one.browser().navigate(one.at('/page.html'))).status, 200);
      await site.emu.control('keys', { action: 'roll' });
      const pages = await Promise.all(Array.from({ length: 8 }, () => one.browser().navigate(one.at('/page.html'))));
      for (const page of pages) assert.equal(page.status, 200, page.trace);
      await one.stop();
    });

    test('a flood of unknown kids causes one fetch', async () => {
      const one = await fresh(MPM === 'prefork' ? { processes: 4 } : {});
      assert.equal((await one.browser().navigate(one.at('/page.html'))).status, 200);
      const before = one.calls('keys');
      await site.emu.control('idtoken', { kid: '$random' });
      for (let i = 0; i < 5; i += 1) {
        const pages = await Promise.all(Array.from({ length: 6 }, () => one.browser().navigate(one.at('/page.html'))));
        for (const page of pages) assert.ok([502, 503].includes(page.status), page.trace);
      }
      assert.ok(one.calls('keys') - before <= 1, `${one.calls('keys') - before} fetches`);
      await one.stop();
    });

    test('after a minute an unknown kid may ask again, and an honest rollover heals', { skip: noClock }, async () => {
      const one = await fresh({ clock: true });
      await site.emu.control('idtoken', { kid: '$random', count: 1 });
      assert.equal((await one.browser().navigate(one.at('/page.html'))).status, 502);
      await site.emu.control('keys', { action: 'roll', drop: true });
      assert.equal((await one.browser().navigate(one.at('/page.html'))).status, 502, 'within the minute nothing is fetched');
      one.httpd.clock.forward(61);
      const page = await one.browser().navigate(one.at('/page.html'));
      assert.equal(page.status, 200, `${page.trace}\n${one.httpd.errorLog().slice(-2000)}`);
      await one.stop();
    });

    test('keys are fetched again after an hour, in the background', { skip: noClock }, async () => {
      const one = await fresh({ clock: true });
      assert.equal((await one.browser().navigate(one.at('/page.html'))).status, 200);
      const before = one.calls('keys');
      one.httpd.clock.forward(3601);
      await until('the hourly fetch', () => one.calls('keys') > before);
      await one.stop();
    });

    test('Entra out of reach: keys serve for a day, then sign-in says so, and heals', { skip: noClock }, async () => {
      const one = await fresh({ clock: true });
      assert.equal((await one.browser().navigate(one.at('/page.html'))).status, 200);
      await site.emu.control('fault', { endpoint: 'discovery', status: 503 });
      await site.emu.control('fault', { endpoint: 'keys', status: 503 });
      one.httpd.clock.set(23 * 3600);
      await site.emu.control('clock', { offsetSeconds: 23 * 3600 });
      const page = await one.browser().navigate(one.at('/page.html'));
      assert.equal(page.status, 200, `${page.trace}\n${one.httpd.errorLog().slice(-2000)}`);
      one.httpd.clock.set(25 * 3600);
      const stale = await one.browser().navigate(one.at('/page.html'));
      assertPage(one, stale.response, 503, 1106);
      assert.ok(stale.header('retry-after'));
      await site.emu.control('fault', undefined, 'DELETE');
      await site.emu.control('clock', { offsetSeconds: 25 * 3600 });
      one.httpd.clock.forward(61);
      await until('sign-in to work again', async () => (await one.browser().navigate(one.at('/page.html'))).status === 200, { timeout: 15_000, step: 200 });
      await one.stop();
    });

    const KEY_SETS = {
      'a published key of 1024 bits': [[1207, 1208], async (s) => { await s.control('keys', { action: 'publishWeak' }); await s.control('idtoken', { signWith: 'weak' }); }],
      'two keys under one kid': [1207, async (s) => { await s.control('keys', { action: 'duplicate' }); }],
      'keys for encryption': [[1105, 1112, 1207], async (s) => { await s.control('keys', { action: 'set', kid: '*', set: { use: 'enc' } }); }],
      'keys that say RS512': [[1105, 1112, 1207], async (s) => { await s.control('keys', { action: 'set', kid: '*', set: { alg: 'RS512' } }); }],
      'keys of another issuer': [1210, async (s) => { await s.control('keys', { action: 'set', kid: '*', set: { issuer: `${s.url}/${FABRIKAM}/v2.0` } }); }],
      'keys that are symmetric': [[1105, 1112, 1207], async (s) => { await s.control('keys', { action: 'set', kid: '*', set: { kty: 'oct', k: 'c2VjcmV0' } }); }],
      'keys with exponent 1': [[1105, 1112, 1207], async (s) => { await s.control('keys', { action: 'set', kid: '*', set: { e: 'AQ' } }); }],
      'a key set of no keys': [[1105, 1112], async (s) => { await s.control('keys', { action: 'raw', body: '{"keys":[]}' }); }],
      'a list for a key set': [[1105, 1111], async (s) => { await s.control('keys', { action: 'raw', body: '[]' }); }],
      'null for a key set': [[1105, 1111], async (s) => { await s.control('keys', { action: 'raw', body: 'null' }); }],
      'keys that are no list': [[1105, 1111], async (s) => { await s.control('keys', { action: 'raw', body: '{"keys":{}}' }); }],
      'entries that are no objects': [[1105, 1112], async (s) => { await s.control('keys', { action: 'raw', body: '{"keys":[1,null,[],"x"]}' }); }],
      'a maintenance page for a key set': [[1105, 1111], async (s) => { await s.control('keys', { action: 'raw', generate: { kind: 'notjson' } }); }],
      'a key set 10000 deep': [[1105, 1111], async (s) => { await s.control('keys', { action: 'raw', generate: { kind: 'deep', size: 10_000 } }); }],
      'a key set of 50 MB': [[1105, 1053], async (s) => { await s.control('keys', { action: 'raw', generate: { kind: 'huge' } }); }],
      'a key set that is not served': [[1105, 1110], async (s) => { await s.control('fault', { endpoint: 'keys', status: 500 }); }],
      'a connection that is closed': [[1050, 1055, 1105], async (s) => { await s.control('fault', { endpoint: 'keys', close: true }); }],
      'a discovery document that is not served': [[1100, 1105], async (s) => { await s.control('fault', { endpoint: 'discovery', status: 500 }); }],
      'a discovery document of another issuer': [[1103, 1105], async (s) => { await s.control('discovery', { set: { issuer: `${s.url}/${FABRIKAM}/v2.0` } }); }],
      'a discovery document without endpoints': [[1102, 1105], async (s) => { await s.control('discovery', { unset: ['token_endpoint'] }); }],
      'a token endpoint elsewhere': [[1104, 1105], async (s) => { await s.control('discovery', { set: { token_endpoint: 'https://evil.test/token' } }); }],
      'keys elsewhere': [[1104, 1105], async (s) => { await s.control('discovery', { set: { jwks_uri: 'https://evil.test/keys' } }); }],
      'an authorize endpoint that is a script': [[1104, 1105], async (s) => { await s.control('discovery', { set: { authorization_endpoint: 'javascript:alert(1)' } }); }],
      'a discovery document of 50 MB': [[1053, 1105], async (s) => { await s.control('discovery', { generate: { kind: 'huge' } }); }],
    };
    // Each heals within some seconds of waiting, so some of them wait together, each with an emulator of its own.
    describe('from the start on', { concurrency: 4 }, () => {
      const all = [];
      const idle = [];
      before(async () => {
        if (missing) return;
        all.push(...await Promise.all(Array.from({ length: 4 }, () => startEmulator({ auto: 'ada' }))));
        idle.push(...all);
      });
      after(async () => { await Promise.all(all.map((emu) => emu.close())); });

      for (const [name, [numbers, bend]] of Object.entries(KEY_SETS)) {
        test(`${name}: nobody gets in, and it heals`, async (t) => {
          const emu = idle.pop();
          t.after(() => idle.push(emu));
          await bend(emu);
          const one = await fresh({ emu, processes: 1 });
          const page = await one.browser().navigate(one.at('/page.html'), { timeout: 30_000 });
          assert.ok([502, 503].includes(page.status), `${page.trace}\n${one.httpd.errorLog().slice(-2000)}`);
          assertClosed(page.response, name);
          assert.match(one.httpd.errorLog(), pattern(numbers));
          const children = one.httpd.children();
          await one.reset();
          if (page.status === 503) await until('sign-in to work again', async () => (await one.browser().navigate(one.at('/page.html'))).status === 200, { timeout: 20_000, step: 200 });
          const now = one.httpd.children();
          assert.ok(children.every((pid) => now.includes(pid)), 'no child died');
          await one.stop();
        });
      }
    });

    test('bad documents after good ones change nothing: the good copy serves on', { skip: noClock }, async () => {
      const one = await fresh({ clock: true });
      assert.equal((await one.browser().navigate(one.at('/page.html'))).status, 200);
      for (const body of ['{"keys":[]}', '[]', '{"keys":']) {
        await site.emu.control('keys', { action: 'raw', body });
        const before = one.calls('keys');
        one.httpd.clock.forward(3700);
        await site.emu.control('clock', { offsetSeconds: one.httpd.clock.shift });
        await until('the fetch of the bad document', () => one.calls('keys') > before);
        const page = await one.browser().navigate(one.at('/page.html'));
        assert.equal(page.status, 200, `${page.trace}\n${one.httpd.errorLog().slice(-2000)}`);
      }
      await one.stop();
    });

    test('Entra away at the start: httpd starts, open pages are served, sign-in gets 503 with Retry-After, and heals by itself', async () => {
      await site.emu.control('fault', { endpoint: 'any', close: true });
      const one = await fresh();
      assert.equal((await one.httpd.get('/public/')).status, 200);
      const page = await one.browser().navigate(one.at('/page.html'));
      assert.equal(page.status, 503, page.trace);
      assert.ok(page.header('retry-after'));
      await site.emu.control('fault', undefined, 'DELETE');
      await until('sign-in to work', async () => (await one.browser().navigate(one.at('/page.html'))).status === 200, { timeout: 15_000, step: 200 });
      await one.stop();
    });
  });

  describe('users', () => {
    test('names in any script, and names full of markup and control characters, reach the application without harm', async () => {
      const { name } = users.find(({ key }) => key === 'evil');
      await site.emu.control('user', { user: 'evil', set: { name: name.replaceAll('\0', '') } });
      for (const user of ['eleni', 'haruto', 'evil', 'guest', 'noroles', 'gus']) {
        const browser = await site.signedIn({ user });
        const page = await browser.navigate(site.at('/app/x'));
        assert.equal(page.status, 200, `${user}: ${page.trace}`);
        const names = page.json().headers.map(([name]) => name.toLowerCase());
        assert.ok(!names.includes('x-injected'), user);
        for (const [name, value] of page.json().headers) assert.doesNotMatch(value, /[\0-\x08\x0a-\x1f\x7f]/, `${user} ${name}`);
        assert.ok(browser.cookies.bytes(site.origin) < 1700, `${user}: ${browser.cookies.bytes(site.origin)} bytes of cookies`);
      }
    });

    test('a NUL in a name ends at no NUL in the application: the name is cleaned, or the token refused', async () => {
      await site.as('evil');
      const browser = site.browser();
      const page = await browser.navigate(site.at('/app/x'));
      if (page.status === 502) {
        assertPage(site, page.response, 502, 1212);
      } else {
        assert.equal(page.status, 200, page.trace);
        for (const [name, value] of page.json().headers) assert.doesNotMatch(value, /[\0-\x08\x0a-\x1f\x7f]/, name);
      }
    });

    test('who is disabled at Entra never comes back with a code', async () => {
      await site.as('dora');
      const page = await site.browser().navigate(site.at('/page.html'));
      assert.equal(new URL(page.url).origin, new URL(site.emu.url).origin);
      assert.equal(site.calls('token'), 0);
    });

    test('the login cookie alone opens nothing', async () => {
      const browser = await site.signedIn();
      browser.cookies.drop(SESSION_COOKIE);
      assert.ok(browser.cookies.all.some(({ name }) => LOGIN_COOKIE.test(name)));
      assertSignIn(site, (await browser.navigate(site.at('/page.html'), { follow: false })).response);
      assert.equal(await whoAmI(site, browser), undefined);
      assert.equal(USERS.ada, 'ada@contoso.example');
    });
  });
});
