// SPDX-License-Identifier: Apache-2.0
// JSON Web Signatures: the algorithms, signing of any header and payload text, and reading a compact token apart.

import { constants, createHmac, sign, verify } from 'node:crypto';

const rsa = (hash) => ({ family: 'rsa', hash });
const pss = (hash, saltLength) => ({ family: 'pss', hash, saltLength });
const ec = (hash, curve) => ({ family: 'ec', hash, curve });

export const algorithms = {
  RS256: rsa('sha256'), RS384: rsa('sha384'), RS512: rsa('sha512'),
  PS256: pss('sha256', 32), PS384: pss('sha384', 48), PS512: pss('sha512', 64),
  ES256: ec('sha256', 'prime256v1'), ES384: ec('sha384', 'secp384r1'), ES512: ec('sha512', 'secp521r1'), ES256K: ec('sha256', 'secp256k1'),
  EdDSA: { family: 'ed', hash: null },
  HS256: { family: 'hmac', hash: 'sha256' }, HS384: { family: 'hmac', hash: 'sha384' }, HS512: { family: 'hmac', hash: 'sha512' },
};

export const base64url = (value) => Buffer.from(value).toString('base64url');

/** The signature bytes of `input` under a named algorithm; the key is a KeyObject, or bytes for HMAC. */
export function signatureOf(alg, input, key) {
  const { family, hash, saltLength } = algorithms[alg];
  switch (family) {
    case 'hmac': return createHmac(hash, key).update(input).digest();
    case 'pss': return sign(hash, input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });
    case 'ec': return sign(hash, input, { key, dsaEncoding: 'ieee-p1363' });
    default: return sign(hash, input, key);
  }
}

export function verifySignature(alg, input, key, signature) {
  const { family, hash, saltLength } = algorithms[alg];
  const options = family === 'pss' ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength } : { key, dsaEncoding: 'ieee-p1363' };
  return verify(hash, input, options, signature);
}

/** A compact JWT of header text and payload text, both taken literally. */
export function compact(headerText, payloadText, makeSignature) {
  const input = `${base64url(headerText)}.${base64url(payloadText)}`;
  return `${input}.${base64url(makeSignature(Buffer.from(input)))}`;
}

/** The parts of a compact JWT without any check of its signature, or null when it is none. */
export function readJwt(token) {
  const parts = String(token).split('.');
  if (parts.length !== 3) return null;
  try {
    const [header, payload] = parts.slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')));
    if (!header || !payload || typeof header !== 'object' || typeof payload !== 'object') return null;
    return { header, payload, input: Buffer.from(`${parts[0]}.${parts[1]}`), signature: Buffer.from(parts[2], 'base64url') };
  } catch {
    return null;
  }
}
