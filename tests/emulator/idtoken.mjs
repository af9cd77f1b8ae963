// SPDX-License-Identifier: Apache-2.0
// The claims of ID tokens, as Entra puts them together for a user, a client and a scope.

import { createHash, randomBytes } from 'node:crypto';
import { claimedGroups } from './membership.mjs';
import { CONSUMERS } from './tenants.mjs';
import { loginHintOf } from './world.mjs';

const GROUP_LIMIT = 200;
const CONSUMER_TOKEN_SECONDS = 86400;

export const pairwiseSub = (user, clientId) => createHash('sha256').update(`${user.tenant}|${user.oid}|${clientId}`).digest('base64url');

function times(world, user) {
  const now = world.now();
  const life = user.tenant === CONSUMERS ? CONSUMER_TOKEN_SECONDS : world.limits.idTokenSeconds;
  const issued = now - world.limits.backDateSeconds;
  return { iat: issued, nbf: issued, exp: now + life };
}

function profileClaims(user, optional) {
  const claims = { name: user.name, preferred_username: user.upn, oid: user.oid };
  if (optional('given_name') && user.givenName) claims.given_name = user.givenName;
  if (optional('family_name') && user.familyName) claims.family_name = user.familyName;
  // Guests have no UPN of their own in a token unless the registration asks for the #EXT# form.
  if (optional('upn') && user.acct === 0 && user.tenant !== CONSUMERS) claims.upn = user.upn;
  return claims;
}

function sessionClaims(grant, user, optional) {
  const claims = {};
  if (optional('sid')) claims.sid = grant.sid;
  if (optional('login_hint')) claims.login_hint = loginHintOf(user);
  if (optional('auth_time')) claims.auth_time = grant.authTime;
  if (optional('acct') && user.tenant !== CONSUMERS) claims.acct = user.acct;
  // Configured, all that are satisfied; else those that the request named.
  const acrs = optional('acrs') ? grant.acrs : grant.askedAcrs;
  if (acrs?.length) claims.acrs = acrs;
  return claims;
}

/** `groups`, or past the limit the pointer to somewhere else and no `groups` at all. */
export function groupClaims(world, user, client) {
  const groups = claimedGroups(world, user, client.groupMembershipClaims);
  if (groups.length === 0) return {};
  if (groups.length <= GROUP_LIMIT) return { groups };
  // The retired Azure AD Graph address is what Entra really sends; a client must not call it.
  const endpoint = `https://graph.windows.net/${user.tenant}/users/${user.oid}/getMemberObjects`;
  return { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint } } };
}

export function idTokenClaims(world, client, user, grant) {
  const scopes = grant.scope;
  const optional = (name) => client.optionalClaims.includes(name);
  const claims = { aud: client.id, iss: `${world.base}/${user.tenant}/v2.0`, ...times(world, user) };
  if (user.idp) claims.idp = user.idp;
  if (scopes.includes('profile')) Object.assign(claims, profileClaims(user, optional));
  if (user.email && (user.acct === 1 || scopes.includes('email'))) claims.email = user.email;
  if (grant.nonce !== undefined) claims.nonce = grant.nonce;
  Object.assign(claims, { sub: pairwiseSub(user, client.id), tid: user.tenant });
  Object.assign(claims, sessionClaims(grant, user, optional));
  if (user.roles.length) claims.roles = user.roles;
  Object.assign(claims, groupClaims(world, user, client));
  return { ...claims, ...user.claims, ...opaqueClaims(), ver: '2.0' };
}

export function opaqueClaims() {
  return {
    aio: `AXQA${randomBytes(40).toString('base64url')}`,
    rh: `1.AXoA${randomBytes(36).toString('base64url')}.`,
    uti: randomBytes(16).toString('base64url'),
  };
}
