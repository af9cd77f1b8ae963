// SPDX-License-Identifier: Apache-2.0
// entra-sso convert: what becomes of configurations of mod_auth_openidc, and that the result is a site that works.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { COMMAND, noCommand } from './lib/command.mjs';
import { headerOf } from './lib/echo.mjs';
import { configtest, missing } from './lib/httpd.mjs';
import { assertClosedToStrangers, assertSignsOut, startRecipe } from './lib/recipe.mjs';

const SAMPLES = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../vectors/convert');
const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-convert-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The command in the folder of the samples, so that its messages have short names. */
const convert = (...args) => new Promise((resolve) => {
  execFile(COMMAND, ['convert', ...args], { cwd: SAMPLES, encoding: 'utf8', maxBuffer: 64 << 20, env: { PATH: process.env.PATH, ASAN_OPTIONS: 'detect_leaks=0' } }, (error, out, err) => resolve({ status: error ? error.code : 0, signal: error?.signal ?? null, out, err }));
});

function fileOf(name, content) {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

const samples = readdirSync(SAMPLES).filter((name) => name.endsWith('.conf')).map((name) => name.replace(/\.conf$/, ''));

describe('entra-sso convert', { skip: noCommand }, () => {
  test('there are samples', () => assert.ok(samples.length >= 15, samples.join()));

  for (const name of samples) {
    test(`converts ${name}`, async () => {
      const { status, out, err } = await convert(`${name}.conf`);
      if (process.env.ENTRA_WRITE) for (const [kind, text] of [['out', out], ['err', err]]) writeFileSync(path.join(SAMPLES, `${name}.${kind}`), text);
      assert.equal(out, readFileSync(path.join(SAMPLES, `${name}.out`), 'utf8'));
      assert.equal(err, readFileSync(path.join(SAMPLES, `${name}.err`), 'utf8'));
      assert.equal(status, err === '' ? 0 : 1);
      assert.equal(/never-show-this-secret/.test(out + err), false, 'a secret in the output');
      // Every directive of the other module is gone; comments speak of them.
      assert.deepEqual(out.split('\n').filter((line) => /^\s*OIDC/i.test(line) && !/left-alone/.test(line)), []);
    });
  }

  test('what is a configuration of ours already is copied byte by byte', async () => {
    const text = readFileSync(path.resolve(SAMPLES, '../../../conf.d/single-page.conf'), 'utf8');
    const { status, out, err } = await convert(fileOf('ours.conf', text));
    assert.deepEqual([status, out, err], [0, text, '']);
  });

  test('converting twice changes nothing more', async () => {
    for (const name of samples) {
      const once = (await convert(`${name}.conf`)).out;
      assert.equal((await convert(fileOf('once.conf', once))).out, once.replaceAll(/^( *)(Include .*)$/gm, '$1# convert, to decide: Include is not followed: convert that file as well, if it speaks of OIDC\n$1$2').replaceAll(/^(.*OIDC_access_token.e|ErrorDocument 401.*)$/gm, (line) => `# convert, to decide: the next line speaks of ${/access/.test(line) ? 'OIDC_access_token' : 'OIDC_ERROR'}, which is not set any more\n${line}`), name);
    }
  });

  test('a replacement means what it meant', async () => {
    const { out } = await convert('users.conf');
    assert.ok(out.includes('"$2\\\\\\$1"'), out);
  });

  test('a file that cannot be read, or is none, is refused with the reason', async () => {
    for (const [args, status, said] of [
      [['/nonexistent/a.conf'], 1, /No such file/],
      [['/tmp'], 1, /no regular file/],
      [['/dev/zero'], 1, /no regular file/],
      [[fileOf('zero.conf', 'OIDCScope x\0y\n')], 1, /zero byte/],
      [[fileOf('large.conf', '# x\n'.repeat(300_000))], 1, /larger than/],
      [[fileOf('lines.conf', '\n'.repeat(60_000))], 1, /too many lines/],
      [[fileOf('words.conf', `Require user ${'a '.repeat(600)}\n`)], 1, /line 1 has too many words/],
      [[], 2, /the file is missing/],
      [['a.conf', 'b.conf'], 2, /too many words/],
      [['--all', 'usual.conf'], 2, /does not take/],
    ]) {
      const { status: code, out, err } = await convert(...args);
      assert.deepEqual([code, out], [status, ''], args.join(' '));
      assert.match(err, said);
    }
  });

  test('broken files crash nothing', async () => {
    const text = Buffer.from(samples.map((name) => readFileSync(path.join(SAMPLES, `${name}.conf`), 'latin1')).join('\n'), 'latin1');
    let seed = 7;
    const random = (below) => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % below; };
    const jobs = Array.from({ length: 80 }, (_, i) => {
      const bytes = Buffer.from(text.subarray(0, i % 3 ? text.length : random(text.length)));
      for (let n = 0; n < 40; n += 1) if (bytes.length) bytes[random(bytes.length)] = '\\"\'<>#\n\r \t%{}~:=&$\x01\xff'.charCodeAt(random(20));
      return bytes;
    });
    for (const [i, bytes] of jobs.entries()) {
      const { status, signal } = await convert(fileOf('broken.conf', bytes));
      assert.ok(signal === null && (status === 0 || status === 1), `job ${i}: ${status} ${signal}`);
    }
  });
});

describe('a converted site', { skip: missing || noCommand }, () => {
  test('is taken by httpd, and signs people in', async () => {
    const { out } = await convert('usual.conf');
    const text = out.replace(/^LoadModule.*\n/m, '').replace('<VirtualHost *:443>', '<VirtualHost *:443>\n    SSLEngine on\n    SSLCertificateFile "/etc/ssl/app/fullchain.pem"\n    SSLCertificateKeyFile "/etc/ssl/app/private.pem"').replace('ServerName app.example.com', 'ServerName https://app.example.com');
    const recipe = await startRecipe('usual', { text, modules: ['ssl', 'proxy', 'proxy_http', 'headers'] });
    try {
      await assertClosedToStrangers(recipe);
      const ada = await recipe.signedIn();
      const got = ada.page.json();
      // The old names, with the old values; and nothing of what a client says under them.
      for (const [name, value] of [['oidc_claim_preferred_username', 'ada@contoso.example'], ['oidc_claim_name', 'Ada Example'], ['oidc_claim_roles', 'app.reader']]) assert.deepEqual(headerOf(got, name), [value]);
      const forged = (await ada.navigate(recipe.at('/'), { headers: { OIDC_CLAIM_name: 'Root', 'OIDC-CLAIM-email': 'root@contoso.example', 'oidc.claim.roles': 'app.admin' } })).json();
      const names = ({ headers }) => headers.filter(([name]) => /oidc.claim/i.test(name)).sort();
      assert.deepEqual(names(forged), names(got));
      await assertSignsOut(recipe, ada);
    } finally {
      await recipe.stop();
    }
  });

  test('has rules that httpd takes, and that close where something could not be carried over', async () => {
    const { out } = await convert('rules.conf');
    const recipe = await startRecipe('rules', {
      text: `<VirtualHost *:443>\n    ServerName https://app.example.com\n    SSLEngine on\n    SSLCertificateFile "/etc/ssl/app/fullchain.pem"\n    SSLCertificateKeyFile "/etc/ssl/app/private.pem"
    EntraTenant 8d6f4f0e-0000-4000-8000-3a6c2f1b7c11\n    EntraClientID 4b1d8c3a-0000-4000-8000-9d2e5f7a6b10\n    EntraClientSecret file:/etc/apache2/entra/client-secret\n    EntraGroupOverage ignore\n${out.replace('Require entra-group "All staff"', '')}
    ProxyPass "/" "http://127.0.0.1:8080/"\n</VirtualHost>\n`,
      modules: ['ssl', 'proxy', 'proxy_http'],
    });
    try {
      const ada = await recipe.signedIn();
      const status = async (target) => (await ada.navigate(recipe.at(target), { follow: false })).status;
      assert.deepEqual([await status('/'), await status('/all/'), await status('/none/'), await status('/jq/')], [200, 403, 403, 403]);
      recipe.httpd.expect(/AH0163[01]/);
    } finally {
      await recipe.stop();
    }
  });

  test('each sample alone is taken by httpd, where it is whole', async () => {
    for (const name of ['actions', 'parameters', 'outbound']) {
      const { out } = await convert(`${name}.conf`);
      const { output } = configtest({ modules: ['ssl', 'headers'], config: `EntraTenant 8d6f4f0e-0000-4000-8000-3a6c2f1b7c11\n${out}` });
      assert.match(output, /Syntax OK/, `${name}: ${output}`);
    }
  });
});
