// SPDX-License-Identifier: Apache-2.0
// How a client proves who it is at the token endpoint: secret, certificate, or an assertion of a trusted other issuer.

import { X509Certificate, createHash, timingSafeEqual } from 'node:crypto';
import { SKEW, checkTimes } from './assertiontimes.mjs';
import { EntraError } from './errors.mjs';
import { checkFederatedAssertion } from './federated.mjs';
import { readJwt, verifySignature } from './jwt.mjs';
import { findClient } from './registration.mjs';
import { recordSecret } from './stats.mjs';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const MIN_BITS = 2048;

const digest = (text) => createHash('sha256').update(text).digest();
const equal = (a, b) => timingSafeEqual(digest(a), digest(b));

function formDecode(text) {
  try {
    return decodeURIComponent(text.replace(/\+/g, ' '));
  } catch {
    throw new EntraError(9002313, ['the Basic credentials are not URL-encoded']);
  }
}

function basicCredentials(header) {
  const match = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(header ?? '');
  if (!match) return null;
  const [, id, secret] = /^([^:]*):(.*)$/s.exec(Buffer.from(match[1], 'base64').toString()) ?? [];
  if (id === undefined) throw new EntraError(9002313, ['the Basic credentials have no colon']);
  return { id: formDecode(id), secret: formDecode(secret) };
}

function checkSecret(world, client, secret) {
  const found = client.secrets.find((known) => equal(known.value, secret));
  if (!found) throw new EntraError(7000215, [client.id]);
  if (found.expires !== undefined && found.expires <= world.now()) throw new EntraError(7000222, [client.id]);
}

const iso = (seconds) => new Date(seconds * 1000).toISOString();

/** An assertion is good for one request. */
function checkReplay(world, client, { jti, exp }) {
  if (typeof jti !== 'string' || !jti) throw new EntraError(50027, ['jti is missing']);
  const now = world.now();
  for (const [known, until] of world.usedAssertions) {
    if (until < now) world.usedAssertions.delete(known);
  }
  const name = `${client.id} ${jti}`;
  if (world.usedAssertions.has(name)) throw new EntraError(50013, ['its jti was used before']);
  world.usedAssertions.set(name, exp + SKEW);
}

function certificateFor(client, header) {
  const wanted = [['x5t#S256', 'sha256'], ['x5t', 'sha1']].filter(([name]) => header[name] !== undefined);
  if (wanted.length === 0) throw new EntraError(700027, ['no thumbprint of a certificate in the header']);
  for (const pem of client.certificates) {
    const certificate = new X509Certificate(pem);
    const fits = ([name, hash]) => header[name] === createHash(hash).update(certificate.raw).digest('base64url');
    if (wanted.every(fits)) return certificate;
  }
  const [[name]] = wanted;
  throw new EntraError(700027, [`[Reason - The key was not found., ${name} used by client: '${header[name]}']`]);
}

/** Chains are nobody's concern, but a certificate's own time is. */
function checkValidity(world, certificate) {
  const [start, end] = [certificate.validFrom, certificate.validTo].map((text) => Date.parse(text) / 1000);
  if (end <= world.now()) throw new EntraError(700027, [`[Reason - The key used is expired., Found key 'Start=${iso(start)}, End=${iso(end)}']`]);
  if (start > world.now() + SKEW) throw new EntraError(50012, [`the certificate is not valid before ${iso(start)}`]);
}

function checkCertificateAssertion(world, client, jwt, audiences) {
  const { header, payload } = jwt;
  if (!['PS256', 'RS256'].includes(header.alg)) throw new EntraError(50027, [`the algorithm '${header.alg}' is not supported`]);
  const certificate = certificateFor(client, header);
  const key = certificate.publicKey;
  if (key.asymmetricKeyType !== 'rsa') throw new EntraError(700027, ['the certificate has no RSA key']);
  if (key.asymmetricKeyDetails.modulusLength < MIN_BITS) throw new EntraError(50032);
  if (!verifySignature(header.alg, jwt.input, key, jwt.signature)) throw new EntraError(700027, ['the signature does not fit the certificate']);
  checkValidity(world, certificate);
  if (!audiences.includes(payload.aud)) throw new EntraError(700023, [payload.aud, audiences[0]]);
  checkTimes(world, payload);
  checkReplay(world, client, payload);
}

function checkAssertion(ctx, client, type, assertion) {
  const { emu, authority } = ctx;
  recordSecret(emu.stats, 'assertions', assertion);
  if (type !== ASSERTION_TYPE) throw new EntraError(900144, ['client_assertion_type']);
  const jwt = readJwt(assertion);
  if (!jwt) throw new EntraError(50027, ['it is malformed']);
  const { iss, sub } = jwt.payload;
  // Without a thumbprint and with another issuer than the application it can only be a federated credential.
  const own = 'x5t' in jwt.header || 'x5t#S256' in jwt.header || iss === client.id;
  if (!own) return checkFederatedAssertion(emu, client, jwt);
  if (iss !== sub) throw new EntraError(50048, [iss, sub]);
  if (iss !== client.id) throw new EntraError(700021, [iss, client.id]);
  const audiences = [authority.segment, authority.tenant].filter(Boolean).map((path) => `${emu.base}/${path}/oauth2/v2.0/token`);
  return checkCertificateAssertion(emu, client, jwt, audiences);
}

/** The authenticated client and the way it took; throws what Entra answers. */
export function authenticateClient(ctx) {
  const { emu, form, authority, headers } = ctx;
  const basic = basicCredentials(headers.authorization);
  const id = form.get('client_id') ?? basic?.id;
  if (!id) throw new EntraError(900144, ['client_id']);
  if (basic && basic.id !== id) throw new EntraError(9002313, ['two different client ids']);
  const client = findClient(emu, id, authority);
  const secret = form.get('client_secret') ?? basic?.secret;
  const assertion = form.get('client_assertion');
  ctx.record.clientAuth = methodOf(form, basic);
  // The platform is that of the redirect URI: an application's own request has none.
  if (client.platform === 'spa' && form.get('grant_type') !== 'client_credentials') {
    if (!headers.origin) throw new EntraError(9002327);
    if (secret !== undefined || assertion !== null) throw new EntraError(700025, [], { error: 'invalid_client' });
    return client;
  }
  if (headers.origin) throw new EntraError(9002326);
  if ([form.has('client_secret'), Boolean(basic), assertion !== null].filter(Boolean).length > 1) {
    throw new EntraError(9002313, ['several client credentials']);
  }
  if (assertion !== null) checkAssertion(ctx, client, form.get('client_assertion_type'), assertion);
  else if (secret) checkSecret(emu, client, secret);
  else throw new EntraError(7000218);
  if (client.credentialError) throw new EntraError(client.credentialError.code, [client.id], client.credentialError);
  return client;
}

function methodOf(form, basic) {
  if (form.has('client_assertion')) return 'private_key_jwt';
  if (form.has('client_secret')) return 'client_secret_post';
  return basic ? 'client_secret_basic' : 'none';
}
