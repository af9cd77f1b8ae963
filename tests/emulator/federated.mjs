// SPDX-License-Identifier: Apache-2.0
// Federated identity credentials: assertions of other issuers, and of this one's managed identities, in the place of a secret.

import { createPublicKey } from 'node:crypto';
import { checkTimes } from './assertiontimes.mjs';
import { EntraError } from './errors.mjs';
import { verifySignature } from './jwt.mjs';
import { clusterIssuer, clusterJwks } from './platform/cluster.mjs';
import { EXCHANGE, EXCHANGE_ID } from './platform/identities.mjs';

const issuerOf = (world, known) => known.issuer.replaceAll('{{base}}', world.base);

/** The tenant whose own issuer this is, if it is one. */
const tenantOf = (world, issuer) => world.tenants.find(({ id }) => issuer === `${world.base}/${id}/v2.0`)?.id;

/** One credential matches in all three, exactly, or the first that differs is named. */
function matching(world, client, { iss, sub, aud }) {
  if (client.federated.length === 0) throw new EntraError(70021, [iss]);
  const ofIssuer = client.federated.filter((known) => issuerOf(world, known) === iss);
  if (ofIssuer.length === 0) throw new EntraError(700211, [iss]);
  const ofSubject = ofIssuer.filter((known) => known.subject === sub);
  if (ofSubject.length === 0) throw new EntraError(700213, [sub]);
  const audiences = [aud].flat().map((name) => (name === EXCHANGE_ID && tenantOf(world, iss) ? EXCHANGE : name));
  const found = ofSubject.find((known) => audiences.some((name) => (known.audiences ?? [EXCHANGE]).includes(name)));
  if (!found) throw new EntraError(700212, [aud]);
  return found;
}

/** Keys that the registration brings along, or those that the issuer publishes. */
function jwksOf(world, { jwks, ...known }) {
  if (jwks) return jwks.keys ?? [];
  const issuer = issuerOf(world, known);
  if (issuer === clusterIssuer(world)) return clusterJwks(world);
  if (!tenantOf(world, issuer)) throw new EntraError(50013, [`the keys of the issuer '${issuer}' cannot be fetched`]);
  return world.keys.published.map((key) => ({ ...key.publicKey.export({ format: 'jwk' }), kid: key.kid }));
}

function keysOf(world, credential, kid) {
  if (credential.publicKey) return [createPublicKey(credential.publicKey)];
  const fitting = jwksOf(world, credential).filter((jwk) => kid === undefined || jwk.kid === undefined || jwk.kid === kid);
  return fitting.map((jwk) => createPublicKey({ key: jwk, format: 'jwk' }));
}

/** Of Entra's own tokens only those of user-assigned identities will do, and only within the tenant of the application. */
function checkOwn(world, client, payload) {
  const tenant = tenantOf(world, payload.iss);
  if (!tenant) return;
  if (payload.idtyp !== 'app') throw new EntraError(700229);
  if (tenant !== client.tenant) throw new EntraError(700211, [payload.iss]);
  if (!String(payload.xms_mirid).includes('/userAssignedIdentities/')) throw new EntraError(70021, [payload.iss]);
}

export function checkFederatedAssertion(world, client, jwt) {
  const { header, payload } = jwt;
  const credential = matching(world, client, payload);
  if (header.alg !== 'RS256') throw new EntraError(50027, [`the algorithm '${header.alg}' is not supported`]);
  const good = keysOf(world, credential, header.kid).some((key) => verifySignature('RS256', jwt.input, key, jwt.signature));
  if (!good) throw new EntraError(50013, ['the signature could not be verified']);
  checkOwn(world, client, payload);
  checkTimes(world, payload);
}
