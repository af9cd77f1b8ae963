// SPDX-License-Identifier: Apache-2.0
// Who asks Graph: the access token of the request, checked in full, and the permissions that it gives.

import { readJwt, verifySignature } from '../jwt.mjs';
import { GRAPH } from '../scopes.mjs';
import { checkCritical } from './challenge.mjs';
import { GraphError } from './errors.mjs';

const GRAPH_ID = '00000003-0000-0000-c000-000000000000';
const AUDIENCES = [GRAPH, GRAPH_ID];

function invalid(world, message) {
  const challenge = `Bearer realm="", authorization_uri="${world.base}/common/oauth2/authorize", client_id="${GRAPH_ID}"`;
  return new GraphError(401, 'InvalidAuthenticationToken', message, { 'WWW-Authenticate': challenge });
}

/** What Graph knows and no client does: which bytes the signature of its tokens covers. */
function isSigned(world, { header, input, signature }) {
  const key = world.keys.all.find((k) => k.kid === header.kid);
  return header.alg === 'RS256' && Boolean(key)
    && verifySignature('RS256', Buffer.concat([input, Buffer.from('.graph')]), key.publicKey, signature);
}

function checkToken(world, text) {
  const token = readJwt(text);
  if (!token) throw invalid(world, 'The access token is malformed.');
  const { payload } = token;
  if (!AUDIENCES.includes(payload.aud)) throw invalid(world, 'The access token is for another audience.');
  if (!isSigned(world, token)) throw invalid(world, "The signature of the access token is wrong.");
  if (payload.iss !== `${world.base}/${payload.tid}/v2.0`) throw invalid(world, 'The access token is of another issuer.');
  if (typeof payload.exp !== 'number' || payload.exp <= world.now()) throw invalid(world, 'Lifetime validation failed, the token is expired.');
  if (payload.nbf > world.now()) throw invalid(world, 'Lifetime validation failed, the token is not valid yet.');
  return payload;
}

/** {tenant, user, permissions}: user is undefined for an application's own token, and for a user who is gone. */
export function authenticate({ emu, headers }) {
  const [, scheme, text] = /^(\S+) +(\S+)$/.exec(headers.authorization ?? '') ?? [];
  if (scheme?.toLowerCase() !== 'bearer') throw invalid(emu, 'The access token is empty.');
  const claims = checkToken(emu, text);
  checkCritical(emu, claims);
  const isApplication = claims.idtyp === 'app';
  const granted = isApplication ? claims.roles ?? [] : String(claims.scp ?? '').split(' ');
  return {
    tenant: claims.tid,
    isApplication,
    oid: claims.oid,
    user: isApplication ? undefined : emu.users.find((user) => user.oid === claims.oid && user.tenant === claims.tid),
    permissions: granted.filter((name) => emu.graphConsent[name] !== false),
  };
}

export const mayAny = (caller, permissions) => permissions.some((name) => caller.permissions.includes(name));

export function demand(caller, permissions) {
  if (!mayAny(caller, permissions)) throw new GraphError(403, 'Authorization_RequestDenied', 'Insufficient privileges to complete the operation.');
}
