// SPDX-License-Identifier: Apache-2.0
// The authorize endpoint: finds or asks for the user, and answers with a code or an error.

import { randomUUID } from 'node:crypto';
import { checkAddress, checkRequest } from './authorizerequest.mjs';
import { checkContexts, satisfy } from './contexts.mjs';
import { EntraError, describeError } from './errors.mjs';
import { errorPage, formPostPage, signInPage } from './pages.mjs';
import { checkUser, frontChannelUri } from './registration.mjs';
import { redirect } from './reply.mjs';
import { seal } from './seal.mjs';
import { checkSilent, checkSilentSession } from './silent.mjs';
import { accountOf, findSession, looksLikeLoop, openSession, sessionCookie, signIn } from './sso.mjs';
import { recordSecret } from './stats.mjs';
import { fitsAuthority, nextSerial, takeShape, userByHint, userByKey } from './world.mjs';

function send(ctx, address, fields, headers) {
  const { redirectUri, mode } = address;
  if (mode === 'form_post') {
    const page = formPostPage(redirectUri, fields);
    return { ...page, headers: { ...page.headers, ...headers } };
  }
  const target = /^\w+:\/\/[^/?]+$/.test(redirectUri) ? `${redirectUri}/` : redirectUri;
  const answer = new URLSearchParams(fields).toString();
  if (mode === 'fragment') return redirect(`${target}#${answer}`, headers);
  // Entra ends the address with an empty fragment.
  return redirect(`${target}${target.includes('?') ? '&' : '?'}${answer}#`, headers);
}

function sendError(ctx, address, error) {
  const fields = [['error', error.error], ['error_description', describeError(ctx, error)], ['error_uri', `${ctx.emu.base}/error?code=${error.code}`]];
  if (error.suberror) fields.push(['error_subcode', error.suberror]);
  if (address.state !== undefined) fields.push(['state', address.state]);
  return send(ctx, address, fields);
}

/** What a test asked the next answer to be: an error, an error page, or a bent success. */
function shapedError(ctx, address, shape) {
  if (!shape?.error) return null;
  if (shape.page) return errorPage(ctx, Object.assign(new EntraError(shape.code ?? 53003), shape.error_description && { message: shape.error_description }));
  const names = ['error', 'error_description', 'error_subcode', 'error_uri'];
  const fields = names.filter((name) => shape[name] !== undefined).map((name) => [name, shape[name]]);
  if (address.state !== undefined) fields.push(['state', address.state]);
  return bendAndSend(ctx, address, fields, shape);
}

function bendAndSend(ctx, address, fields, shape, headers) {
  const bent = fields.filter(([name]) => !(name in (shape?.set ?? {})) && !shape?.unset?.includes(name));
  bent.push(...Object.entries(shape?.set ?? {}).map(([name, value]) => [name, String(value)]));
  bent.push(...(shape?.append ?? []));
  return send(ctx, address, bent, headers);
}

function issueCode(ctx, address, request, account, user) {
  const { emu, authority } = ctx;
  const contexts = satisfy(emu, user, account, request.acrs);
  account.apps.set(address.client.id, frontChannelUri(address.client, address.redirectUri));
  const code = seal(emu.sealKey, 'code', {
    id: randomUUID(),
    at: emu.now(),
    client: address.client.id,
    redirectUri: address.redirectUri,
    path: authority.tenant ?? authority.segment,
    user: user.key,
    tid: user.tenant,
    sid: account.sid,
    authTime: account.authTime,
    acrs: contexts.all,
    askedAcrs: contexts.among(request.idAcrs),
    accessAcrs: contexts.among(request.accessAcrs),
    scope: request.scopes,
    nonce: request.nonce,
    challenge: request.challenge,
    method: request.method,
    cae: request.cae,
    signedIn: nextSerial(emu),
  });
  recordSecret(emu.stats, 'codes', code);
  return code;
}

function finish(ctx, address, request, session, account) {
  const user = userByKey(ctx.emu, account.user);
  const silent = request.prompt === 'none';
  const refusal = refusalOf(() => {
    if (!user) throw new EntraError(50034, [account.user]);
    checkUser(address.client, user, ctx.authority, fitsAuthority(user, ctx.authority));
    checkContexts(ctx.emu, user, account, request.acrs, silent);
  });
  if (refusal && silent) {
    refusal.error = refusal.error === 'access_denied' ? refusal.error : 'interaction_required';
    throw refusal;
  }
  const cookie = { 'Set-Cookie': sessionCookie(ctx.emu, session) };
  if (refusal) {
    // A disabled or deleted account never gets a session; the next attempt must be able to choose another one.
    if ([50034, 50057].includes(refusal.code)) session.accounts = session.accounts.filter((known) => known !== account);
    const page = errorPage(ctx, refusal);
    return { ...page, headers: { ...page.headers, ...cookie } };
  }
  const fields = [['code', issueCode(ctx, address, request, account, user)]];
  if (address.state !== undefined) fields.push(['state', address.state]);
  fields.push(['session_state', account.sid]);
  return bendAndSend(ctx, address, fields, takeShape(ctx.emu, 'authorize'), cookie);
}

function refusalOf(check) {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof EntraError) return error;
    throw error;
  }
}

/** An age of 0 is too old even within the same second: it asks for a sign-in in any case. */
function tooOld(ctx, { maxAge }, account) {
  return maxAge !== undefined && (maxAge === 0 || ctx.emu.now() - account.authTime > maxAge);
}

/** Without a page: the user that a test chose is at the keyboard and does what is asked. */
function autoSignIn(ctx, request, session) {
  const { user, ageSeconds } = ctx.emu.auto;
  if (request.prompt === 'none') checkSilentSession(ctx.emu, session);
  const account = signIn(ctx.emu, session, user, { fresh: request.prompt === 'login', ageSeconds });
  if (tooOld(ctx, request, account)) {
    if (request.prompt === 'none') throw new EntraError(50058);
    account.authTime = ctx.emu.now();
  }
  return account;
}

/** The one signed-in account that can answer without a question, or undefined. */
function silentAccount(ctx, request, session) {
  const usable = session.accounts.filter((account) => {
    const user = userByKey(ctx.emu, account.user);
    return user && fitsAuthority(user, ctx.authority) && !tooOld(ctx, request, account);
  });
  const hinted = userByHint(ctx.emu, request.hint);
  if (request.hint) return usable.find((account) => account.user === hinted?.key);
  return usable.length === 1 ? usable[0] : undefined;
}

function askForUser(ctx, params, address, request, session) {
  const { emu, authority } = ctx;
  const users = emu.users.filter((user) => !user.hidden);
  return signInPage({
    action: `/${authority.segment}/login`,
    request: params.toString(),
    clientName: address.client.name,
    authorityName: emu.tenants.find((t) => t.id === authority.tenant)?.name ?? authority.segment,
    signedIn: users.filter((user) => accountOf(session, user.key) && request.prompt !== 'login'),
    here: users.filter((user) => fitsAuthority(user, authority)),
    elsewhere: users.filter((user) => !fitsAuthority(user, authority)),
    hint: request.hint,
  });
}

function decide(ctx, params, address, request) {
  const { emu } = ctx;
  const session = findSession(emu, ctx.cookies) ?? openSession(emu);
  const signature = ['client_id', 'redirect_uri', 'scope', 'response_type', 'response_mode', 'login_hint'].map((name) => params.get(name)).join(' ');
  if (looksLikeLoop(emu, session, signature)) throw new EntraError(50196);
  if (emu.auto) {
    if (request.prompt === 'none') checkSilent(emu, address.client, emu.auto.user);
    return finish(ctx, address, request, session, autoSignIn(ctx, request, session));
  }
  const ask = ['login', 'select_account'].includes(request.prompt);
  const account = ask ? undefined : silentAccount(ctx, request, session);
  if (request.prompt === 'none') {
    checkSilent(emu, address.client, account?.user);
    if (!account) throw new EntraError(50058);
  }
  return account ? finish(ctx, address, request, session, account) : askForUser(ctx, params, address, request, session);
}

/** Runs one step of the endpoint with the rule on where failures go: to a page until the redirect URI is known to be good. */
function answer(ctx, params, step) {
  let address;
  try {
    address = checkAddress(ctx, params);
    recordSecret(ctx.emu.stats, 'states', address.state);
    recordSecret(ctx.emu.stats, 'nonces', params.get('nonce'));
    return step(address);
  } catch (error) {
    if (!(error instanceof EntraError)) throw error;
    return address ? sendError(ctx, address, error) : errorPage(ctx, error);
  }
}

const TOLD = ['client_id', 'scope', 'response_mode', 'prompt', 'login_hint', 'domain_hint', 'max_age', 'claims'];

export function authorize(ctx) {
  const params = ctx.method === 'POST' ? ctx.form : ctx.query;
  ctx.record.asked = Object.fromEntries(TOLD.filter((name) => params.has(name)).map((name) => [name, params.get(name)]));
  if (!['GET', 'POST'].includes(ctx.method)) return errorPage(ctx, new EntraError(900561, ['GET and POST', ctx.method]));
  return answer(ctx, params, (address) => {
    const request = checkRequest(ctx, params, address.client);
    if (ctx.emu.shapes.authorize?.error) return shapedError(ctx, address, takeShape(ctx.emu, 'authorize'));
    return decide(ctx, params, address, request);
  });
}

/** The form of the account page. */
export function login(ctx) {
  const params = new URLSearchParams(ctx.form.get('request') ?? '');
  return answer(ctx, params, (address) => {
    const request = checkRequest(ctx, params, address.client);
    if (ctx.form.has('cancel')) throw new EntraError(65004);
    const user = userByKey(ctx.emu, ctx.form.get('user'));
    if (!user) throw new EntraError(90023, ['no such account']);
    const session = findSession(ctx.emu, ctx.cookies) ?? openSession(ctx.emu);
    const known = accountOf(session, user.key);
    // Choosing a tile of a signed-in account asks for no password; a login that was demanded does.
    const fresh = !known || request.prompt === 'login' || tooOld(ctx, request, known);
    return finish(ctx, address, request, session, signIn(ctx.emu, session, user.key, { fresh }));
  });
}
