// SPDX-License-Identifier: Apache-2.0
// Questions that many cases ask, with answers that cannot be had for free.

import assert from 'node:assert/strict';
import { headerOf, MARKER } from './echo.mjs';
import { SECRET_PAGE } from './site.mjs';

export const USERS = { ada: 'ada@contoso.example', root: 'root@contoso.example', gus: 'gus@contoso.example', noroles: 'noroles@contoso.example' };

/** Names of the cookies, whatever their prefix. */
export const SESSION_COOKIE = /Entra-Session(-\d+)?$/;
export const LOGIN_COOKIE = /Entra-Login$/;

/** Cookie names that these Set-Cookie lines set to something, and those that they end. */
export function setNames(lines) {
  const parsed = lines.map((line) => ({ name: line.slice(0, line.indexOf('=')), ends: /Max-Age=0/i.test(line) }));
  return { set: parsed.filter((c) => !c.ends).map((c) => c.name), ended: parsed.filter((c) => c.ends).map((c) => c.name) };
}

export const setsSession = (response) => setNames(response.cookies).set.some((name) => SESSION_COOKIE.test(name));

/** Who the application behind the proxy sees; undefined when the browser is not let through. */
export async function whoAmI(site, browser) {
  const page = await browser.navigate(site.at('/app/who'), { follow: false });
  if (page.status !== 200) return undefined;
  return headerOf(page.json(), 'x-entra-user')[0];
}

/** The refusal opens nothing: no byte of protected content, of file or backend, and no session. */
export function assertClosed(response, message = '') {
  const bytes = `${response.rawHead}\n${response.body.toString('latin1')}`;
  assert.ok(!bytes.includes(SECRET_PAGE), `protected file content in a refusal ${message}`);
  assert.ok(!bytes.includes(MARKER), `backend content in a refusal ${message}`);
  assert.ok(!setsSession(response), `a session cookie in a refusal ${message}`);
}

/** A 302 to the authorize endpoint, and nothing with it. Gives the query of that URL. */
export function assertSignIn(site, response, message = '') {
  assert.equal(response.status, 302, `${message}: status ${response.status}\n${response.text.slice(0, 300)}`);
  const url = new URL(response.location);
  assert.equal(url.origin, new URL(site.emu.url).origin, `${message}: sent to ${url.origin}`);
  assert.match(url.pathname, /\/oauth2\/v2\.0\/authorize$/);
  assertClosed(response, message);
  return url.searchParams;
}

/** A 401 for programs, in the shape that is promised. Gives the problem. */
export function assertChallenge(site, response, { back = '/' } = {}, message = '') {
  assert.equal(response.status, 401, `${message}: status ${response.status} ${response.location ?? ''}`);
  assert.match(response.header('content-type') ?? '', /^application\/problem\+json\b/, message);
  assert.match(response.header('cache-control') ?? '', /no-store/, message);
  assert.equal(response.location, undefined, message);
  const login = `${site.origin}/.entra/login?rd=${encodeURIComponent(back)}`;
  const problem = response.json();
  const names = Object.keys(problem).filter((name) => name !== 'error').sort();
  assert.deepEqual(names, ['advice', 'detail', 'id', 'login', 'status', 'title', 'type'], message);
  if ('error' in problem) assert.match(problem.error, /^ENTRA\d{4}$/, message);
  assert.equal(problem.status, 401);
  for (const name of ['type', 'title', 'detail', 'advice', 'id']) assert.ok(typeof problem[name] === 'string' && problem[name] !== '', `${name} ${message}`);
  assert.equal(decodeURIComponent(problem.login), decodeURIComponent(login), message);
  const challenge = response.all('www-authenticate').find((value) => value.startsWith('Entra '));
  assert.ok(challenge, `WWW-Authenticate: Entra … is there ${message}`);
  assert.equal(decodeURIComponent(/login="([^"]*)"/.exec(challenge)?.[1] ?? ''), decodeURIComponent(login), message);
  assertClosed(response, message);
  return problem;
}

const GUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

/** One of our own pages: never stored, never framed, no script, and its correlation id stands in the log line of this number. */
export function assertPage(site, response, status, number, message = '') {
  assert.equal(response.status, status, `${message}: ${response.text.slice(0, 400)}`);
  assert.match(response.header('content-type') ?? '', /^text\/html/, message);
  assert.match(response.header('cache-control') ?? '', /no-store/, message);
  assert.match(response.header('content-security-policy') ?? '', /default-src 'none'/, message);
  assert.doesNotMatch(response.header('content-security-policy'), /unsafe-inline|unsafe-eval/, message);
  assert.equal(response.header('x-content-type-options'), 'nosniff', message);
  assert.equal(response.header('x-frame-options'), 'DENY', message);
  // With no-referrer a browser would send the form of the page that asks with "Origin: null".
  assert.match(response.header('referrer-policy') ?? '', /<form/i.test(response.text) ? /^same-origin$/ : /^no-referrer$/, message);
  assert.doesNotMatch(response.text, /<script/i, message);
  assertClosed(response, message);
  if (number === undefined) return;
  const lines = site.httpd.errorLog().split('\n').filter((line) => line.includes(`ENTRA${number}:`));
  assert.ok(lines.length > 0, `${message}: ENTRA${number} stands in no line of the log:\n${site.httpd.errorLog().slice(-2500)}`);
  const id = /\[id ([^\]]+)\]/.exec(lines.at(-1))?.[1];
  assert.ok(id, `${message}: the log line has no [id …]: ${lines.at(-1)}`);
  assert.ok(response.text.includes(id), `${message}: the page does not show ${id}:\n${response.text}`);
}

export const correlationOf = (text) => GUID.exec(text)?.[0];

/** Runs `step(item)` for all items, so many at a time. */
export async function inParallel(items, width, step) {
  const rest = [...items.entries()];
  const worker = async () => { for (let next = rest.shift(); next; next = rest.shift()) await step(next[1], next[0]); };
  await Promise.all(Array.from({ length: width }, worker));
}

/** The same order in every run. */
export function shuffled(items, seed = 7) {
  const list = [...items];
  let state = seed;
  for (let i = list.length - 1; i > 0; i -= 1) {
    state = (state * 1103515245 + 12345) % 2147483648;
    const j = state % (i + 1);
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}
