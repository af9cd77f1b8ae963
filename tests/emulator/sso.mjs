// SPDX-License-Identifier: Apache-2.0
// The emulator's own browser sessions: who is signed in, since when, and which applications have to hear of a sign-out.

import { randomBytes, randomUUID } from 'node:crypto';

const COOKIE = 'ESTSAUTH';
const MOST_SESSIONS = 5000;

export function readCookies(header = '') {
  const pairs = header.split(';').map((pair) => pair.trim().split(/=(.*)/s)).filter(([name]) => name);
  return Object.fromEntries(pairs.map(([name, value = '']) => [name, value]));
}

export const findSession = (world, cookies) => world.sessions.get(cookies[COOKIE]);

export function openSession(world) {
  // Without a bound a load test whose clients keep no cookies would fill the memory.
  if (world.sessions.size >= MOST_SESSIONS) world.sessions.delete(world.sessions.keys().next().value);
  const session = { id: randomBytes(24).toString('base64url'), accounts: [], recent: [] };
  world.sessions.set(session.id, session);
  return session;
}

/** SameSite=None is what Entra has, and needs https; on plain http the browser gets Lax. */
export function sessionCookie(world, session) {
  const cross = world.base.startsWith('https:') ? 'SameSite=None; Secure' : 'SameSite=Lax';
  return `${COOKIE}=${session.id}; Path=/; HttpOnly; ${cross}`;
}

export const expiredCookie = () => `${COOKIE}=; Path=/; HttpOnly; Max-Age=0`;

export const accountOf = (session, key) => session?.accounts.find((account) => account.user === key);

/** Signs a user in to the session; a fresh sign-in renews the authentication time, whatever age others start with, and keeps the session id. */
export function signIn(world, session, key, { fresh = true, ageSeconds = 0 } = {}) {
  let account = accountOf(session, key);
  if (!account) {
    account = { user: key, sid: randomUUID(), authTime: world.now() - (fresh ? 0 : ageSeconds), acrs: [], apps: new Map() };
    session.accounts.push(account);
  } else if (fresh) {
    account.authTime = world.now();
  }
  return account;
}

/** Counts equal requests of one browser; true when they are so many that it must be a loop. */
export function looksLikeLoop(world, session, signature) {
  if (!world.limits.loopLimit) return false;
  const since = world.now() - 300;
  session.recent = session.recent.filter((entry) => entry.at > since);
  session.recent.push({ at: world.now(), signature });
  return session.recent.filter((entry) => entry.signature === signature).length >= world.limits.loopLimit;
}
