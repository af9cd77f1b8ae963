// SPDX-License-Identifier: Apache-2.0
// Assertions for backends, checked by somebody who has the published keys alone; the headers of App Service; and that a client can say neither.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import test, { after, before, describe } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { users as people } from '../emulator/tenants.mjs';
import { KINDS, startAreas } from './lib/areas.mjs';
import { cgiVars } from './lib/backends.mjs';
import { assertClosed } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { headerOf } from './lib/echo.mjs';
import { Connection } from './lib/http.mjs';
import { hasModule, missing, MPM } from './lib/httpd.mjs';
import { CONTOSO, siteConfigtest, startSite } from './lib/site.mjs';

const MANUAL = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs', 'assertions.md');
const person = (key) => people.find((user) => user.key === key);
const kinds = Object.keys(KINDS);
const KEY_FILE = 'state/cookie.keys';

// ---- a backend's eyes ---------------------------------------------------------------------------------------------------

const json = (part) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
const claimsOf = (token) => json(token.split('.')[1]);
const headerOfToken = (token) => json(token.split('.')[0]);

async function keysOf(site) {
  const answer = await site.httpd.get('/.entra/keys');
  assert.equal(answer.status, 200, answer.text);
  return answer.json().keys;
}

/** The claims, after all checks that the manual asks for. `now` in seconds. */
function check(site, keys, token, now = Date.now() / 1000) {
  assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]{86}$/);
  const [header, claims, signature] = token.split('.');
  assert.deepEqual(Object.keys(json(header)).sort(), ['alg', 'kid', 'typ']);
  assert.equal(json(header).alg, 'ES256');
  assert.equal(json(header).typ, 'JWT');
  const jwk = keys.find((key) => key.kid === json(header).kid);
  assert.ok(jwk, `the key ${json(header).kid} is published`);
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  assert.ok(verify('sha256', Buffer.from(`${header}.${claims}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')), 'the signature');
  const said = json(claims);
  assert.equal(said.iss, `${site.origin}/.entra`);
  assert.equal(said.aud, site.origin);
  assert.equal(said.exp - said.iat, 60);
  assert.equal(said.iat - said.nbf, 5);
  assert.ok(said.nbf <= now && now < said.exp, `${now} is between ${said.nbf} and ${said.exp}`);
  return said;
}

const thumbprint = ({ crv, kty, x, y }) => createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');

const assertionIn = (seen) => {
  const values = seen.header('X-Entra-Assertion');
  assert.equal(values.length, 1, seen.raw);
  return values[0];
};

function principalIn(seen) {
  const [value, ...more] = seen.header('X-MS-CLIENT-PRINCIPAL');
  assert.deepEqual(more, []);
  return JSON.parse(Buffer.from(value, 'base64').toString('utf8'));
}

const cookieOf = (site, browser) => browser.cookies.header(new URL(site.origin), {});

/** Requests as these users, one after the other on one connection; gives what the backend saw as assertion of each. */
async function onOneConnection(site, users, { path: at = '/app/x', between = async () => {} } = {}) {
  const connection = await Connection.open(site.httpd.port);
  try {
    const tokens = [];
    for (const [i, user] of users.entries()) {
      if (i > 0) await between(i);
      const cookie = user ? [['Cookie', cookieOf(site, user)]] : [];
      const response = await connection.request({ path: at, host: `localhost:${site.httpd.port}`, close: false, headers: cookie });
      tokens.push(response.status === 200 ? headerOf(response.json(), 'x-entra-assertion')[0] : response.status);
    }
    return tokens;
  } finally {
    connection.close();
  }
}

const keyLine = (id) => `key ${id} ${randomBytes(32).toString('base64url')} 2026-11-23T15:00:00Z\n`;

/** Programs that read an assertion from the environment, around a block of the manual that stays as it stands. */
const LANGUAGES = {
  python: {
    missing: spawnSync('/usr/bin/python3', ['-c', 'import jwt, cryptography']).status === 0 ? false : 'there is no python3-jwt or python3-cryptography',
    file: 'manual_example.py',
    command: (folder) => ['/usr/bin/python3', ['-c', 'import json, os, sys\nsys.path.insert(0, sys.argv[1])\nimport manual_example\ntry:\n    print(json.dumps(manual_example.user_of(os.environ["ASSERTION"])))\nexcept Exception as e:\n    print("null")\n    print(repr(e), file=sys.stderr)', folder]],
  },
  php: {
    missing: spawnSync('php', ['-n', '-r', 'exit(extension_loaded("openssl") ? 0 : 1);']).status === 0 ? false : 'there is no php with openssl',
    file: 'manual_example.php',
    command: (folder) => ['php', ['-n', '-d', 'display_errors=stderr', '-r', `require '${folder}/manual_example.php'; echo json_encode(entra_user(getenv('ASSERTION')));`]],
  },
  js: {
    missing: false,
    file: 'manual_example.mjs',
    command: (folder) => [process.execPath, ['--input-type=module', '-e', `const { userOf } = await import('${pathToFileURL(path.join(folder, 'manual_example.mjs'))}'); console.log(JSON.stringify(await userOf(process.env.ASSERTION).catch((e) => { console.error(e); return null; })));`]],
  },
};

/** The one block of a language in the manual, byte by byte. */
function blockOf(language) {
  const blocks = [...readFileSync(MANUAL, 'utf8').matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))];
  assert.equal(blocks.length, 1, `the manual has one block of ${language}`);
  return blocks[0][1];
}

async function runManual(language, assertion, origin) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-manual-'));
  try {
    writeFileSync(path.join(folder, LANGUAGES[language].file), blockOf(language));
    const [command, args] = LANGUAGES[language].command(folder);
    const child = spawn(command, args, { env: { PATH: process.env.PATH, ASSERTION: assertion, ENTRA_ORIGIN: origin, PYTHONDONTWRITEBYTECODE: '1' } });
    const [out, err] = [[], []];
    child.stdout.on('data', (data) => out.push(data));
    child.stderr.on('data', (data) => err.push(data));
    await new Promise((resolve, reject) => { child.on('error', reject); child.on('close', resolve); });
    const text = Buffer.concat(out).toString();
    assert.notEqual(text.trim(), '', Buffer.concat(err).toString());
    return { user: JSON.parse(text), errors: Buffer.concat(err).toString() };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// ---- every kind of backend ----------------------------------------------------------------------------------------------

const AREAS = {
  in: 'EntraSignedIdentity on\n    Require valid-user',
  unsigned: 'EntraSignedIdentity off\n    Require valid-user',
  public: 'Require all granted',
  off: 'AuthType None\n    Require all granted',
  pass: 'EntraUnauthenticated pass\n    Require all granted',
  bare: 'EntraHeaders none\n    Require valid-user',
  easy: 'EntraSignedIdentity off\n    EntraHeaders easyauth\n    Require valid-user',
  both: 'EntraHeaders easyauth\n    Require valid-user',
  editors: 'EntraRole editor user=ada@contoso.example\n    Require valid-user',
};

/** What nobody may say, in spellings that some backend or other folds to one name. */
const SPELLINGS = ['X-Entra-Assertion', 'x-entra-assertion', 'X_Entra_Assertion', 'X.Entra.Assertion', 'X-ENTRA_ASSERTION'];
const MS_NAMES = ['X-MS-CLIENT-PRINCIPAL', 'X-MS-CLIENT-PRINCIPAL-ID', 'X-MS-CLIENT-PRINCIPAL-NAME', 'X-MS-CLIENT-PRINCIPAL-IDP', 'X-MS-TOKEN-AAD-ID-TOKEN', 'X-MS-TOKEN-AAD-ACCESS-TOKEN', 'X-MS-TOKEN-AAD-REFRESH-TOKEN', 'X-MS-TOKEN-AAD-EXPIRES-ON'];
const MS_SPELLINGS = MS_NAMES.flatMap((name) => [name, name.toLowerCase(), name.replaceAll('-', '_'), name.replaceAll('-', '.'), name.replace('-', '_').toLowerCase()]);

describe('assertions', { skip: missing }, () => {
  let site;
  let keys;
  const jar = {};

  before(async () => {
    site = await startAreas({
      areas: AREAS,
      directives: { EntraSignedIdentity: 'on' },
      files: {
        'htdocs/ssi/signed.shtml': '<!--#include virtual="/in/cgi/env" -->',
        'htdocs/ssi/unsigned.shtml': '<!--#include virtual="/unsigned/cgi/env" -->',
        'htdocs/ssi/public.shtml': '<!--#include virtual="/public/cgi/env" -->',
        'htdocs/ssi/easy.shtml': '<!--#include virtual="/easy/cgi/env" -->',
        'htdocs/quiet/env.shtml': '<!--#include virtual="/in/cgi/env" -->',
        'htdocs/rw/x.txt': 'x',
      },
      extra: (s) => `
<Directory "${s.docroot}">
    Options +Includes
    AddOutputFilter INCLUDES .shtml
</Directory>
<Location "/quiet/">
    EntraSignedIdentity off
</Location>
<Directory "${s.docroot}/rw">
    RewriteEngine on
    RewriteRule ^signed$ /in/cgi/env [L]
    RewriteRule ^unsigned$ /unsigned/cgi/env [L]
    RewriteRule ^public$ /public/cgi/env [L]
    RewriteRule ^easy$ /easy/cgi/env [L]
</Directory>`,
    });
    // What JSON can say and a C string cannot hold is refused as a whole; the rest of the hostile name comes through.
    await site.emu.control('user', { user: 'evil', set: { name: person('evil').name.replaceAll('\0', '') } });
    for (const user of ['ada', 'root', 'noroles', 'evil', 'haruto']) jar[user] = await site.signedIn({ user, path: '/in/http/x' });
    keys = await keysOf(site);
  });

  after(async () => {
    site?.httpd.allow(/AH01215|AH01630/);
    await site?.stop();
  });

  for (const kind of kinds) {
    test(`${kind}: the assertion verifies, and says who it is`, async () => {
      for (const user of ['ada', 'root', 'noroles', 'haruto']) {
        const { seen } = await site.ask(jar[user], 'in', kind);
        const said = check(site, keys, assertionIn(seen));
        const known = person(user);
        assert.equal(said.sub, `${known.oid}@${known.tenant}`);
        assert.equal(said.oid, known.oid);
        assert.equal(said.tid, known.tenant);
        assert.equal(said.user, known.upn);
        assert.equal(said.preferred_username, known.upn);
        assert.equal(said.name, known.name);
        assert.equal(said.email, known.email || undefined);
        assert.deepEqual(said.roles, known.roles);
        assert.deepEqual(said.groups, []);
        assert.match(said.jti, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
        if (KINDS[kind].vars) assert.equal(seen.variable('HTTP_X_ENTRA_ASSERTION'), assertionIn(seen));
      }
    });

    test(`${kind}: it is there where the section says so and a user is, and nowhere else`, async () => {
      for (const area of Object.keys(AREAS)) {
        const { response, seen } = await site.ask(jar.ada, area, kind);
        assert.equal(response.status, 200, area);
        const signed = ['in', 'pass', 'bare', 'both', 'editors'].includes(area);
        assert.equal(seen.header('X-Entra-Assertion').length, signed ? 1 : 0, area);
        if (signed) check(site, keys, assertionIn(seen));
      }
      for (const area of ['public', 'off', 'pass']) {
        const { response, seen } = await site.ask(null, area, kind);
        assert.equal(response.status, 200, area);
        assert.deepEqual(seen.header('X-Entra-Assertion'), [], area);
      }
    });

    test(`${kind}: what a client sends under this name is gone everywhere`, async () => {
      const forged = (await site.ask(jar.root, 'in', kind)).seen;
      const stolen = assertionIn(forged);
      const headers = SPELLINGS.map((name) => [name, stolen]);
      for (const area of Object.keys(AREAS)) {
        const open = ['public', 'off', 'pass'].includes(area);
        for (const browser of open ? [null, jar.ada] : [jar.ada]) {
          const { response, seen } = await site.ask(browser, area, kind, { headers: [...headers, ['Connection', 'X-Entra-Assertion, x_ms_client_principal']] });
          assert.equal(response.status, 200, area);
          assert.ok(!seen.raw.includes(stolen), `${area}: ${seen.raw}`);
          const signed = browser && ['in', 'pass', 'bare', 'both', 'editors'].includes(area);
          if (signed) assert.equal(check(site, keys, assertionIn(seen)).oid, person('ada').oid, area);
        }
      }
      const refused = await site.ask(null, 'in', kind, { headers });
      assert.equal(refused.response.status, 401);
      assertClosed(refused.response);
    });

    test(`${kind}: easyauth sends App Service's set in the place of ours`, async () => {
      for (const user of ['ada', 'root', 'noroles']) {
        const known = person(user);
        const { seen } = await site.ask(jar[user], 'easy', kind);
        assert.deepEqual(seen.entra, {});
        assert.deepEqual(seen.header('X-MS-CLIENT-PRINCIPAL-ID'), [known.oid]);
        assert.deepEqual(seen.header('X-MS-CLIENT-PRINCIPAL-NAME'), [known.upn]);
        assert.deepEqual(seen.header('X-MS-CLIENT-PRINCIPAL-IDP'), ['aad']);
        const principal = principalIn(seen);
        assert.deepEqual(Object.keys(principal).sort(), ['auth_typ', 'claims', 'name_typ', 'role_typ']);
        const values = (typ) => principal.claims.filter((claim) => claim.typ === typ).map((claim) => claim.val);
        assert.equal(principal.auth_typ, 'aad');
        assert.deepEqual(values(principal.name_typ), [known.upn]);
        assert.deepEqual(values(principal.role_typ), known.roles);
        assert.deepEqual(values('roles'), known.roles);
        assert.deepEqual(values('name'), [known.name]);
        assert.deepEqual(values('http://schemas.microsoft.com/identity/claims/objectidentifier'), [known.oid]);
        assert.deepEqual(values('http://schemas.microsoft.com/identity/claims/tenantid'), [known.tenant]);
        assert.deepEqual(values('http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier'), [known.oid]);
        if (KINDS[kind].user) assert.equal(seen.variable('REMOTE_USER'), known.upn);
        if (KINDS[kind].vars) assert.equal(seen.variable('ENTRA_OID'), known.oid);
        const other = await site.ask(jar[user], 'in', kind);
        for (const name of MS_NAMES) assert.deepEqual(other.seen.header(name), [], name);
      }
    });

    test(`${kind}: a client's X-MS-CLIENT-PRINCIPAL and X-MS-TOKEN-AAD are gone everywhere`, async () => {
      for (const area of Object.keys(AREAS)) {
        const open = ['public', 'off', 'pass'].includes(area);
        for (const browser of open ? [null, jar.ada] : [jar.ada]) {
          const { response, seen } = await site.ask(browser, area, kind, { headers: MS_SPELLINGS.map((name) => [name, 'planted-principal']) });
          assert.equal(response.status, 200, area);
          assert.ok(!seen.raw.includes('planted-principal'), `${area}: ${seen.raw}`);
          const easy = ['easy', 'both'].includes(area);
          assert.deepEqual(seen.header('X-MS-CLIENT-PRINCIPAL-ID'), easy ? [person('ada').oid] : [], area);
        }
      }
    });
  }

  test('both sets: an assertion beside the principal', async () => {
    const { seen } = await site.ask(jar.ada, 'both', 'http');
    assert.deepEqual(Object.keys(seen.entra), ['X_ENTRA_ASSERTION']);
    check(site, keys, assertionIn(seen));
    assert.equal(principalIn(seen).auth_typ, 'aad');
  });

  test('the roles of EntraRole are said in their section, also on one connection', async () => {
    const connection = await Connection.open(site.httpd.port);
    try {
      const ask = async (area) => {
        const response = await connection.request({ path: `/${area}/http/x`, host: `localhost:${site.httpd.port}`, close: false, headers: [['Cookie', cookieOf(site, jar.ada)]] });
        return check(site, keys, headerOf(response.json(), 'x-entra-assertion')[0]).roles;
      };
      assert.deepEqual(await ask('in'), ['app.reader']);
      assert.deepEqual(await ask('editors'), ['app.reader', 'editor']);
      assert.deepEqual(await ask('in'), ['app.reader']);
    } finally {
      connection.close();
    }
  });

  for (const [at, name] of [['/in/http/', 'mod_proxy_http, upgrade=websocket'], ['/in/ws/', 'mod_proxy_wstunnel']]) {
    test(`WebSocket by ${name}: the handshake carries it, and the client's own does not get through`, async () => {
      const { response, seen } = await site.upgrade(jar.ada, at, [['X_Entra-Assertion', 'forged'], ['Connection', 'Upgrade, X-Entra-Assertion']]);
      assert.equal(response.status, 101);
      assert.equal(check(site, keys, assertionIn(seen)).oid, person('ada').oid);
    });
  }

  test('a hostile name is one JSON text, and no second claim', async () => {
    const { seen } = await site.ask(jar.evil, 'in', 'http');
    const said = check(site, keys, assertionIn(seen));
    assert.equal(said.oid, person('evil').oid);
    assert.match(said.name, /"quoted"/);
  });

  test('internal redirects: as the section of their target says', async () => {
    const ask = async (name) => {
      const page = await site.httpd.request({ path: `/rw/${name}`, headers: [['Cookie', cookieOf(site, jar.ada)], ['X-Entra-Assertion', 'forged'], ['X-MS-Client-Principal', 'forged']] });
      assert.equal(page.status, 200, page.text);
      return Object.fromEntries(cgiVars(page));
    };
    check(site, keys, (await ask('signed')).HTTP_X_ENTRA_ASSERTION);
    const unsigned = await ask('unsigned');
    assert.equal(unsigned.HTTP_X_ENTRA_ASSERTION, undefined);
    assert.equal(unsigned.HTTP_X_ENTRA_USER, 'ada@contoso.example');
    assert.equal((await ask('public')).HTTP_X_ENTRA_ASSERTION, undefined);
    const easy = await ask('easy');
    assert.equal(easy.HTTP_X_ENTRA_ASSERTION, undefined);
    assert.equal(easy.HTTP_X_ENTRA_USER, undefined);
    assert.equal(easy.HTTP_X_MS_CLIENT_PRINCIPAL_ID, person('ada').oid);
  });

  test('subrequests: as their own section says, not as that of the page around', async () => {
    const ask = async (page) => {
      const answer = await site.httpd.request({ path: page, headers: [['Cookie', cookieOf(site, jar.ada)]] });
      assert.equal(answer.status, 200, answer.text);
      return Object.fromEntries(cgiVars(answer));
    };
    check(site, keys, (await ask('/ssi/signed.shtml')).HTTP_X_ENTRA_ASSERTION);
    check(site, keys, (await ask('/quiet/env.shtml')).HTTP_X_ENTRA_ASSERTION);
    const unsigned = await ask('/ssi/unsigned.shtml');
    assert.equal(unsigned.HTTP_X_ENTRA_ASSERTION, undefined);
    assert.equal(unsigned.HTTP_X_ENTRA_USER, 'ada@contoso.example');
    const open = await ask('/ssi/public.shtml');
    assert.equal(open.HTTP_X_ENTRA_ASSERTION, undefined);
    assert.equal(open.HTTP_X_ENTRA_USER, undefined);
    const easy = await ask('/ssi/easy.shtml');
    assert.equal(easy.HTTP_X_ENTRA_USER, undefined);
    assert.equal(easy.HTTP_X_MS_CLIENT_PRINCIPAL_NAME, 'ada@contoso.example');
  });

  describe('keys', () => {
    test('GET: a set of public keys that anybody may keep, without a session and without a cookie', async () => {
      const answer = await site.httpd.get('/.entra/keys');
      assert.equal(answer.status, 200);
      assert.match(answer.header('content-type'), /^application\/jwk-set\+json\b/);
      assert.equal(answer.header('cache-control'), 'public, max-age=300');
      assert.equal(answer.header('x-content-type-options'), 'nosniff');
      assert.deepEqual(answer.cookies, []);
      const set = answer.json();
      assert.deepEqual(Object.keys(set), ['keys']);
      assert.equal(set.keys.length, 1);
      for (const key of set.keys) {
        assert.deepEqual(Object.keys(key).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'], 'public members and no others');
        assert.deepEqual([key.kty, key.crv, key.alg, key.use], ['EC', 'P-256', 'ES256', 'sig']);
        assert.equal(key.kid, thumbprint(key));
        assert.equal(createPublicKey({ key, format: 'jwk' }).asymmetricKeyDetails.namedCurve, 'prime256v1');
      }
      // Neither the file's key nor anything else secret of the file is in it.
      const [, , secret] = /^key (\S+) (\S+)/m.exec(site.httpd.read(KEY_FILE));
      assert.equal(secret.length, 43);
      assert.ok(!answer.text.includes(secret));
    });

    test('HEAD has the same head and no body; other methods are 405', async () => {
      const head = await site.httpd.request({ method: 'HEAD', path: '/.entra/keys' });
      assert.equal(head.status, 200);
      assert.match(head.header('content-type'), /^application\/jwk-set\+json\b/);
      assert.equal(head.header('cache-control'), 'public, max-age=300');
      assert.equal(head.body.length, 0);
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND']) {
        const answer = await site.httpd.request({ method, path: '/.entra/keys' });
        assert.equal(answer.status, 405, method);
        assert.deepEqual(answer.header('allow')?.split(/, ?/).sort(), ['GET', 'HEAD'], method);
        assert.match(answer.header('cache-control'), /no-store/);
      }
    });
  });

  describe('the manual', () => {
    for (const [language, { missing: lacks }] of Object.entries(LANGUAGES)) {
      test(`its ${language} accepts a live assertion, and nothing else`, { skip: lacks }, async () => {
        const { seen } = await site.ask(jar.root, 'in', 'http');
        const token = assertionIn(seen);
        const good = await runManual(language, token, site.origin);
        assert.deepEqual(good.user, claimsOf(token), good.errors);
        const [header, claims, signature] = token.split('.');
        const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
        const changed = encode({ ...claimsOf(token), oid: person('ada').oid });
        const bad = {
          'another oid': `${header}.${changed}.${signature}`,
          'another signature': `${header}.${claims}.${signature.slice(0, -4)}${signature.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`,
          'no signature': `${encode({ alg: 'none', typ: 'JWT', kid: headerOfToken(token).kid })}.${claims}.`,
          'an unknown key': `${encode({ ...headerOfToken(token), kid: 'unknown' })}.${claims}.${signature}`,
        };
        for (const [what, forged] of Object.entries(bad)) assert.equal((await runManual(language, forged, site.origin)).user, null, what);
        // Another site with other keys, and this one by another name: neither is meant by the assertion.
        const elsewhere = site.origin.replace('localhost', '127.0.0.1');
        assert.equal((await runManual(language, token, elsewhere)).user, null, 'another origin');
      });
    }
  });

  test('no assertion and no principal stands in the log', async () => {
    const { seen } = await site.ask(jar.ada, 'both', 'http');
    assert.ok(!site.httpd.errorLog().includes(assertionIn(seen)));
    assert.ok(!site.httpd.errorLog().includes(seen.header('X-MS-CLIENT-PRINCIPAL')[0]));
    assert.ok(!site.httpd.accessLog().includes(assertionIn(seen)));
  });
});

// ---- connections, time, keys --------------------------------------------------------------------------------------------

describe('assertions in time', { skip: missing || noClock }, () => {
  let site;
  const jar = {};
  const now = () => Date.now() / 1000 + site.httpd.clock.shift;

  before(async () => {
    // Connections outlive the jumps of the clock.
    site = await startSite({ clock: true, location: 'EntraSignedIdentity on', extra: 'KeepAliveTimeout 3600\nTimeout 3600' });
    for (const user of ['ada', 'root']) jar[user] = await site.signedIn({ user, path: '/app/x' });
  });
  after(async () => { await site?.stop(); });

  test('a connection keeps its assertion, and gets a new one while the old is still good', async () => {
    const keys = await keysOf(site);
    const tokens = await onOneConnection(site, [jar.ada, jar.ada, jar.ada, jar.ada], { between: async (i) => { if (i > 1) site.httpd.clock.forward(i === 2 ? 30 : 20); } });
    assert.equal(tokens[1], tokens[0], 'the next request');
    assert.equal(tokens[2], tokens[0], '30 seconds later');
    assert.notEqual(tokens[3], tokens[0], '50 seconds later');
    const said = check(site, keys, tokens[3], now());
    assert.ok(said.iat - claimsOf(tokens[0]).iat >= 50);
    assert.notEqual(said.jti, claimsOf(tokens[0]).jti);
    assert.equal(said.sid, claimsOf(tokens[0]).sid);
  });

  test('whenever one arrives, it has 14 seconds left', async () => {
    const keys = await keysOf(site);
    const tokens = [];
    await onOneConnection(site, Array(20).fill(jar.ada), { between: async () => { site.httpd.clock.forward(7); } }).then((list) => tokens.push(...list));
    const first = claimsOf(tokens[0]).iat;
    for (const [i, token] of tokens.entries()) {
      const moment = first + 7 * i;
      check(site, keys, token, moment);
      assert.ok(claimsOf(token).exp - moment >= 14, `${claimsOf(token).exp - moment} seconds`);
    }
    const different = new Set(tokens).size;
    assert.ok(different >= 3 && different <= 5, `133 seconds took ${different} assertions`);
  });

  test('a clock that goes back makes a new one', async () => {
    const tokens = await onOneConnection(site, [jar.ada, jar.ada], { between: async () => { site.httpd.clock.forward(-20); } });
    assert.ok(claimsOf(tokens[1]).iat < claimsOf(tokens[0]).iat);
    site.httpd.clock.forward(20);
  });

  test('another user on the same connection never gets the first one\'s, in any order', async () => {
    const keys = await keysOf(site);
    const order = [...'aarraraanrnar'];
    const users = { a: jar.ada, r: jar.root, n: null };
    const tokens = await onOneConnection(site, order.map((letter) => users[letter]));
    for (const [i, letter] of order.entries()) {
      if (letter === 'n') assert.ok([302, 401].includes(tokens[i]), `nobody: ${tokens[i]}`);
      else assert.equal(check(site, keys, tokens[i], now()).oid, person(letter === 'a' ? 'ada' : 'root').oid, `request ${i}`);
    }
    assert.notEqual(claimsOf(tokens[0]).sid, claimsOf(tokens[2]).sid);
  });

  test('another session of the same user has an assertion of its own', async () => {
    const second = await site.signedIn({ user: 'ada', path: '/app/x' });
    const [first, other] = await onOneConnection(site, [jar.ada, second]);
    assert.equal(claimsOf(first).oid, claimsOf(other).oid);
    assert.notEqual(claimsOf(first).sid, claimsOf(other).sid);
  });

  test('many users on many connections at once: each its own', async () => {
    const keys = await keysOf(site);
    const run = async (seed) => {
      const order = Array.from({ length: 15 }, (_, i) => ((i * seed) % 3 === 0 ? 'ada' : 'root'));
      const tokens = await onOneConnection(site, order.map((user) => jar[user]));
      for (const [i, user] of order.entries()) assert.equal(check(site, keys, tokens[i], now()).oid, person(user).oid);
    };
    await Promise.all([1, 2, 4, 5, 7, 8].map(run));
  });
});

describe('rotation of the key file', { skip: missing }, () => {
  test('the new key signs, the old one stays published and good, and goes with its line', async () => {
    const site = await startSite({ location: 'EntraSignedIdentity on' });
    try {
      const ada = await site.signedIn({ user: 'ada', path: '/app/x' });
      const before_ = await keysOf(site);
      const [old] = await onOneConnection(site, [ada]);
      check(site, before_, old);
      const oldLines = site.httpd.read(KEY_FILE);
      const fresh = keyLine('0badcafe');
      const rotated = [fresh, oldLines].join('');
      writeFileSync(site.httpd.keyFile, rotated, { mode: 0o600 });
      await site.httpd.graceful();
      const both = await keysOf(site);
      assert.equal(both.length, 2);
      assert.equal(both[1].kid, before_[0].kid, 'the old key is still there');
      assert.equal(check(site, both, old).oid, person('ada').oid, 'and the assertion of before is good');
      const [now] = await onOneConnection(site, [ada]);
      assert.equal(headerOfToken(now).kid, both[0].kid);
      assert.equal(check(site, both, now).oid, person('ada').oid);
      writeFileSync(site.httpd.keyFile, fresh, { mode: 0o600 });
      await site.httpd.graceful();
      const last = await keysOf(site);
      assert.deepEqual(last.map((key) => key.kid), [both[0].kid]);
    } finally {
      await site.stop();
    }
  });

  test('two nodes with one key file sign with one key', async () => {
    const a = await startSite({ location: 'EntraSignedIdentity on' });
    const b = await startSite({ location: 'EntraSignedIdentity on' });
    try {
      assert.notEqual((await keysOf(a))[0].kid, (await keysOf(b))[0].kid);
      writeFileSync(b.httpd.keyFile, a.httpd.read(KEY_FILE), { mode: 0o600 });
      await b.httpd.graceful();
      assert.deepEqual(await keysOf(b), await keysOf(a));
    } finally {
      await a.stop();
      await b.stop();
    }
  });
});

describe('where it is off', { skip: missing }, () => {
  test('no keys, no assertion, no principal; and X-MS-CLIENT-PRINCIPAL of a client is not ours to judge', async () => {
    const site = await startSite();
    try {
      const answer = await site.httpd.get('/.entra/keys');
      assert.equal(answer.status, 404);
      assert.match(answer.header('cache-control'), /no-store/);
      assertClosed(answer);
      const ada = await site.signedIn({ user: 'ada', path: '/app/x' });
      const response = await site.httpd.request({ path: '/app/x', headers: [['Cookie', cookieOf(site, ada)], ['X-Entra-Assertion', 'forged'], ['X-MS-CLIENT-PRINCIPAL', 'as sent']] });
      assert.equal(response.status, 200);
      assert.deepEqual(headerOf(response.json(), 'x-entra-assertion'), []);
      assert.deepEqual(headerOf(response.json(), 'x-ms-client-principal'), ['as sent']);
    } finally {
      await site.stop();
    }
  });

  test('a virtual host without the directive has neither keys nor assertions beside one that has', async () => {
    const site = await startSite({
      extra: (s, { backend }) => `
<VirtualHost *:${s.port}>
    ServerName http://localhost:${s.port}
</VirtualHost>
<VirtualHost *:${s.port}>
    ServerName https://signed.test
    EntraSignedIdentity on
    EntraHeaders easyauth
    ProxyPass "/app/" "http://127.0.0.1:${backend.port}/"
</VirtualHost>`,
    });
    try {
      const keys = (host) => site.httpd.request({ path: '/.entra/keys', host });
      assert.equal((await keys(`localhost:${site.httpd.port}`)).status, 404);
      const signed = await keys('signed.test');
      assert.equal(signed.status, 200);
      assert.equal(signed.json().keys.length, 1);
    } finally {
      await site.stop();
    }
  });
});

describe('in the configuration', { skip: missing }, () => {
  const rows = [
    [{ EntraSignedIdentity: 'yes' }, /EntraSignedIdentity: 'yes' is unknown; write one of off, on/],
    [{ EntraSignedIdentity: 'on off' }, /EntraSignedIdentity takes 1 argument/],
    [{ EntraHeaders: 'azure' }, /EntraHeaders: 'azure' is unknown; write one of default, easyauth, none/],
    [{ EntraHeader: 'x-entra-assertion "%{oid}"' }, /EntraHeader: X-Entra-Assertion is what EntraSignedIdentity on signs/],
  ];
  for (const [directives, expected] of rows) {
    test(`${Object.entries(directives)[0].join(' ')} is refused with its mend`, async () => {
      const { status, output } = await siteConfigtest({ directives });
      assert.notEqual(status, 0);
      assert.match(output, expected);
    });
  }

  test('the good ones are taken in a section', async () => {
    for (const location of ['EntraSignedIdentity on', 'EntraSignedIdentity off', 'EntraHeaders easyauth', 'EntraHeaders EASYAUTH\nEntraSignedIdentity ON']) {
      const { status, output } = await siteConfigtest({ location });
      assert.equal(status, 0, `${location}: ${output}`);
    }
  });
});

// ---- HTTP/2: streams of one connection at the same time -----------------------------------------------------------------

describe('HTTP/2', { skip: missing || (MPM === 'prefork' && 'mod_http2 needs threads') || (!hasModule('http2') && 'there is no mod_http2') }, () => {
  test('many streams of two users on one connection: each gets its own', async () => {
    const site = await startSite({ modules: ['http2'], location: 'EntraSignedIdentity on', extra: 'Protocols h2c http/1.1' });
    const [ada, root] = [await site.signedIn({ user: 'ada', path: '/app/x' }), await site.signedIn({ user: 'root', path: '/app/x' })];
    const keys = await keysOf(site);
    const session = http2.connect(`http://127.0.0.1:${site.httpd.port}`);
    try {
      await Promise.all(Array.from({ length: 60 }, (_, i) => new Promise((resolve, reject) => {
        const [browser, user] = i % 2 === 0 ? [ada, 'ada'] : [root, 'root'];
        const stream = session.request({ ':path': `/app/${i}`, ':authority': `localhost:${site.httpd.port}`, cookie: cookieOf(site, browser) });
        let text = '';
        stream.on('data', (data) => { text += data; });
        stream.on('error', reject);
        stream.on('end', () => {
          try {
            assert.equal(check(site, keys, headerOf(JSON.parse(text), 'x-entra-assertion')[0]).oid, person(user).oid);
            resolve();
          } catch (error) { reject(error); }
        });
        stream.end();
      })));
    } finally {
      session.close();
      await site.stop();
    }
  });
});
