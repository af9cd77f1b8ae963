// SPDX-License-Identifier: Apache-2.0
// A connection remembers the cookie that it brought last. That saves opening it, and decides nothing: not who asks, nor whether the
// session still counts.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import test, { after, before, describe } from 'node:test';
import { USERS } from './lib/checks.mjs';
import { copyOf } from './lib/cluster.mjs';
import { headerOf } from './lib/echo.mjs';
import { Connection } from './lib/http.mjs';
import { missing } from './lib/httpd.mjs';
import { closeLeftovers, startSite } from './lib/leftovers.mjs';
import { until } from './lib/wait.mjs';

const PROGRAM = { Accept: 'application/json' };

describe('a connection that is kept', { skip: missing }, () => {
  let site;
  let connection;
  const ask = (cookie, path = '/app/who') => connection.request({ path, host: `localhost:${site.httpd.port}`, close: false, headers: { ...PROGRAM, ...(cookie ? { Cookie: cookie } : {}) } });
  /** Whom the application saw, or the status of a refusal. */
  const who = async (cookie) => {
    const answer = await ask(cookie);
    return answer.status === 200 ? headerOf(answer.json(), 'x-entra-user').join() : answer.status;
  };

  before(async () => { site = await startSite({ extra: 'KeepAliveTimeout 60\nMaxKeepAliveRequests 0' }); });
  after(async () => {
    connection?.close();
    await site.stop();
    await closeLeftovers();
  });

  test('two people in turn on it: each is himself, and nobody is who has no cookie, or one with a letter changed', async () => {
    const [ada, root] = [copyOf(await site.signedIn({ user: 'ada' })), copyOf(await site.signedIn({ user: 'root' }))];
    const forged = ada.replace(/.$/, (letter) => (letter === 'A' ? 'B' : 'A'));
    const middle = ada.slice(0, 200) + (ada[200] === 'A' ? 'B' : 'A') + ada.slice(201);
    connection = await Connection.open(site.httpd.port);
    const seen = [];
    const people = [ada, ada, root, ada, null, ada, forged, middle, ada, root, root];
    for (const cookie of people) seen.push(await who(cookie));
    assert.deepEqual(seen, people.map((cookie) => ({ [ada]: USERS.ada, [root]: USERS.root })[cookie] ?? 401));
    connection.close();
  });

  test('requests of two people that are sent at once: each answer is of its own', async () => {
    const cookies = [copyOf(await site.signedIn({ user: 'ada' })), copyOf(await site.signedIn({ user: 'root' }))];
    connection = await Connection.open(site.httpd.port);
    const lines = (cookie) => `GET /app/who HTTP/1.1\r\nHost: localhost:${site.httpd.port}\r\nAccept: application/json\r\nCookie: ${cookie}\r\n\r\n`;
    connection.write(Buffer.from(Array.from({ length: 12 }, (_, i) => lines(cookies[i % 2])).join('')));
    for (let i = 0; i < 12; i += 1) {
      const answer = await connection.response();
      assert.equal(headerOf(answer.json(), 'x-entra-user').join(), [USERS.ada, USERS.root][i % 2], `answer ${i}`);
    }
    connection.close();
  });

  test('a sign-out elsewhere ends the session on it', async () => {
    const browser = await site.signedIn({ user: 'ada' });
    const cookie = copyOf(browser);
    connection = await Connection.open(site.httpd.port);
    for (let i = 0; i < 3; i += 1) assert.equal(await who(cookie), USERS.ada);
    await browser.navigate(site.at('/.entra/logout'), { method: 'POST', body: '', from: site.at('/page.html'), follow: false });
    await until('the end of the session in every process', async () => (await who(cookie)) === 401);
    assert.equal((await ask(cookie)).status, 401);
    connection.close();
  });

  test('a key that is retired ends what it sealed, also where it was opened a moment ago', async () => {
    const cookie = copyOf(await site.signedIn({ user: 'ada' }));
    const old = readFileSync(site.httpd.keyFile, 'utf8');
    const line = `key ${randomBytes(4).toString('hex')} ${randomBytes(32).toString('base64url')} 2026-11-23T15:00:00Z\n`;
    const replace = async (text) => {
      const from = site.httpd.errorLog().length;
      writeFileSync(`${site.httpd.keyFile}.new`, text, { mode: 0o600 });
      renameSync(`${site.httpd.keyFile}.new`, site.httpd.keyFile);
      await site.httpd.waitForLog(/ENTRA2030: \S*cookie\.keys was changed/, { from, timeout: 30_000 });
    };
    connection = await Connection.open(site.httpd.port);
    assert.equal(await who(cookie), USERS.ada);
    await replace(line + old);
    assert.equal(await who(cookie), USERS.ada, 'the old key still opens');
    assert.equal(await who(cookie), USERS.ada);
    await replace(line);
    assert.equal(await who(cookie), 401);
    connection.close();
  });
});
