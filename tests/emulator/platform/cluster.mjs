// SPDX-License-Identifier: Apache-2.0
// Another issuer altogether, as a Kubernetes cluster is one: its documents, its keys, and the tokens of service accounts.

import { randomUUID } from 'node:crypto';
import { makeToken } from '../forge.mjs';
import { keyAction } from '../keycontrol.mjs';
import { createKeysOf, publicJwk } from '../keys.mjs';
import { json } from '../reply.mjs';
import { recordSecret } from '../stats.mjs';
import { guidOf } from '../tenants.mjs';
import { EXCHANGE } from './identities.mjs';

export const clusterIssuer = (world) => `${world.base}/_cluster/`;

/** Made when first asked for: most tests need no cluster. */
export function clusterKeys(world) {
  world.clusterKeys ??= createKeysOf(['cluster']);
  return world.clusterKeys;
}

export function clusterConfiguration({ emu }) {
  return json(200, {
    issuer: clusterIssuer(emu),
    jwks_uri: `${clusterIssuer(emu)}openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  });
}

export const clusterJwks = (world) => clusterKeys(world).published.map((key) => {
  const { kty, use, kid, n, e } = publicJwk(key);
  return { use, kty, kid, alg: 'RS256', n, e };
});

export const clusterKeyDocument = ({ emu }) => json(200, { keys: clusterJwks(emu) });

/** The control call `serviceaccount`: what the file of a projected volume holds. */
export function mintServiceAccount(world, { namespace = 'web', name = 'httpd', audience = EXCHANGE, lifetimeSeconds = 3600, shape = {} }) {
  const now = world.now();
  const subject = `system:serviceaccount:${namespace}:${name}`;
  const claims = {
    aud: [audience].flat(),
    exp: now + lifetimeSeconds,
    iat: now,
    iss: clusterIssuer(world),
    jti: randomUUID(),
    'kubernetes.io': { namespace, pod: { name: `${name}-0`, uid: guidOf(`pod:${namespace}/${name}`) }, serviceaccount: { name, uid: guidOf(`serviceaccount:${namespace}/${name}`) } },
    nbf: now,
    sub: subject,
  };
  // The same ways to be bad as every token has, with keys of the cluster.
  const token = makeToken({ base: world.base, now: world.now, keys: clusterKeys(world) }, world.clients[0], null, claims, shape);
  recordSecret(world.stats, 'identity_tokens', token);
  return { token, issuer: clusterIssuer(world), subject, audience };
}

/** The control call `cluster`: its keys, by the actions of `keys`. */
export const clusterAction = (world, call) => ({ issuer: clusterIssuer(world), ...keyAction({ keys: clusterKeys(world) }, call) });
