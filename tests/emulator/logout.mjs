// SPDX-License-Identifier: Apache-2.0
// Signing out: ends the browser session, calls the applications in hidden frames, and goes back where the request asked.

import { chooseSignOutPage, signedOutPage } from './pages.mjs';
import { isRegistered } from './registration.mjs';
import { redirect } from './reply.mjs';
import { expiredCookie, findSession, sessionCookie } from './sso.mjs';
import { recordSecret } from './stats.mjs';
import { takeShape, userByHint, userByKey } from './world.mjs';

/** The address to go to, or null: Entra has one list of redirect URIs, and no client is named here. */
function returnAddress(emu, params) {
  const uri = params.get('post_logout_redirect_uri');
  if (!uri || !emu.clients.some((client) => isRegistered(emu, client, uri))) return null;
  const shape = takeShape(emu, 'logout');
  const state = params.get('state');
  const back = { ...(state === null ? {} : { state }), ...shape?.set };
  for (const name of shape?.unset ?? []) delete back[name];
  if (Object.keys(back).length === 0) return uri;
  return `${uri}${uri.includes('?') ? '&' : '?'}${new URLSearchParams(back)}`;
}

/** The accounts to sign out: the hinted or chosen one, the only one; null when the user has to say. */
function accountsToEnd(emu, session, params) {
  if (!session) return [];
  const named = userByKey(emu, params.get('user')) ?? userByHint(emu, params.get('logout_hint'));
  const found = named && session.accounts.filter((account) => account.user === named.key);
  if (found?.length) return found;
  return session.accounts.length > 1 ? null : session.accounts;
}

function frameAddress(uri, sid) {
  // No iss: Entra does not send one.
  return `${uri}${uri.includes('?') ? '&' : '?'}sid=${encodeURIComponent(sid)}`;
}

export function logout(ctx) {
  const { emu } = ctx;
  const params = ctx.method === 'POST' ? new URLSearchParams([...ctx.query, ...ctx.form]) : ctx.query;
  const session = findSession(emu, ctx.cookies);
  const ending = accountsToEnd(emu, session, params);
  if (ending === null) {
    const users = session.accounts.map((account) => userByKey(emu, account.user)).filter(Boolean);
    return chooseSignOutPage({ action: ctx.url.pathname, query: params, users });
  }
  recordSecret(emu.stats, 'states', params.get('state'));
  const frames = ending.flatMap((account) => [...account.apps.values()].filter(Boolean).map((uri) => frameAddress(uri, account.sid)));
  const headers = { 'Set-Cookie': endAccounts(emu, session, ending) };
  const next = returnAddress(emu, params);
  if (next && frames.length === 0) return redirect(next, headers);
  return signedOutPage({ frames, next, headers });
}

function endAccounts(emu, session, ending) {
  if (!session) return expiredCookie();
  session.accounts = session.accounts.filter((account) => !ending.includes(account));
  if (session.accounts.length > 0) return sessionCookie(emu, session);
  emu.sessions.delete(session.id);
  return expiredCookie();
}
