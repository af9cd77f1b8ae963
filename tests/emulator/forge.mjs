// SPDX-License-Identifier: Apache-2.0
// Turns claims into a signed token, and into every kind of bad one that a test can ask for.

import { randomBytes } from 'node:crypto';
import { algorithms, base64url, compact, signatureOf } from './jwt.mjs';
import { findKey, publicJwk, signingKey, spareKey } from './keys.mjs';

const RSA_NAMES = { unpublished: 'unpublished', impostor: 'unpublished', weak: 'weak' };

/** {"$now": -60} anywhere in a value becomes the emulator's time plus that many seconds. */
function resolveTimes(world, value) {
  if (Array.isArray(value)) return value.map((item) => resolveTimes(world, item));
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.$now === 'number') return world.now() + value.$now;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, resolveTimes(world, item)]));
}

/** The payload text: built member by member, because bad tokens need what JSON.stringify would never write. */
function payloadText(world, claims, shape) {
  const shaped = { ...claims, ...resolveTimes(world, shape.set ?? {}) };
  for (const name of shape.unset ?? []) delete shaped[name];
  if (shape.pad) shaped.padding = 'x'.repeat(shape.pad);
  const raw = shape.setRaw ?? {};
  const member = (name, literal) => `${JSON.stringify(name)}:${literal}`;
  const members = Object.entries(shaped).filter(([name]) => !(name in raw)).map(([name, value]) => member(name, JSON.stringify(value)));
  for (const [name, literal] of Object.entries(raw)) members.push(member(name, literal));
  for (const [name, value] of Object.entries(resolveTimes(world, shape.duplicateFirst ?? {}))) members.unshift(member(name, JSON.stringify(value)));
  for (const [name, value] of Object.entries(resolveTimes(world, shape.duplicate ?? {}))) members.push(member(name, JSON.stringify(value)));
  if (typeof shape.rawPayload !== 'string') return `{${members.join(',')}}`;
  return shape.rawPayload
    .replaceAll('{{claims}}', () => members.join(','))
    .replaceAll('{{nonce}}', () => shaped.nonce ?? '')
    .replace(/\{\{now([+-]\d+)?\}\}/g, (_, shift) => String(world.now() + Number(shift ?? 0)));
}

function rsaKeyFor(world, shape, tenant) {
  const name = shape.signWith ?? 'published';
  if (shape.inject) return spareKey(world.keys, 'attacker');
  if (name === 'published') return signingKey(world.keys, tenant);
  if (name === 'other') return world.keys.all.find((key) => key.role === 'consumers');
  if (RSA_NAMES[name]) return spareKey(world.keys, RSA_NAMES[name]);
  const key = findKey(world.keys, name) ?? world.keys.all.find((k) => k.role === name);
  if (!key) throw new Error(`signWith: no key '${name}'`);
  return key;
}

function hmacKey(kind, key, client) {
  switch (kind) {
    case 'secret': return Buffer.from(client.secrets[0]?.value ?? '');
    case 'pubkey': return Buffer.from(key.publicKey.export({ type: 'spki', format: 'pem' }));
    case 'pubkey-der': return key.publicKey.export({ type: 'spki', format: 'der' });
    case 'pubkey-pkcs1': return Buffer.from(key.publicKey.export({ type: 'pkcs1', format: 'pem' }));
    case 'x5c': return Buffer.from(key.der.toString('base64'));
    case 'n': return Buffer.from(publicJwk(key).n, 'base64url');
    case 'empty': return Buffer.alloc(0);
    default: throw new Error(`alg: unknown HMAC key '${kind}'`);
  }
}

/** {alg for the header, sign: bytes -> signature} for a requested algorithm, an invented one included. */
function signer(world, requested, rsaKey, client) {
  if (/^none$/i.test(requested)) return { alg: requested, sign: () => Buffer.alloc(0) };
  const hmac = /^(HS\d+)-(.+)$/.exec(requested);
  if (hmac) {
    const key = hmacKey(hmac[2], rsaKey, client);
    return { alg: hmac[1], sign: (input) => signatureOf(hmac[1], input, key) };
  }
  const known = algorithms[requested];
  if (!known) return { alg: requested, sign: (input) => signatureOf('RS256', input, rsaKey.privateKey) };
  if (known.family === 'hmac') return { alg: requested, sign: (input) => signatureOf(requested, input, hmacKey('secret', rsaKey, client)) };
  const spare = { ec: `ec:${known.curve}`, ed: 'ed25519' }[known.family];
  const privateKey = spare ? spareKey(world.keys, spare).privateKey : rsaKey.privateKey;
  return { alg: requested, sign: (input) => signatureOf(requested, input, privateKey) };
}

function injectedHeader(world, kind, key) {
  const { kid, kty, n, e } = publicJwk(key);
  switch (kind) {
    case undefined: return {};
    case 'jwk': return { jwk: { kty, n, e, kid, use: 'sig', alg: 'RS256' } };
    case 'jku': return { jku: `${world.base}/_attacker/keys` };
    case 'x5u': return { x5u: `${world.base}/_attacker/certificate` };
    case 'x5c': return { x5c: [key.der.toString('base64')], x5t: key.kid };
    default: throw new Error('inject is one of jwk, jku, x5u, x5c');
  }
}

function headerText(world, shape, { alg, key, tenant, version }) {
  if (typeof shape.rawHeader === 'string') return shape.rawHeader.replaceAll('{{kid}}', () => key.kid);
  const kid = shape.signWith === 'impostor' ? signingKey(world.keys, tenant).kid : key.kid;
  // Version 1.0 names the key twice.
  const header = { typ: 'JWT', alg, ...(version === '1.0' ? { x5t: kid } : {}), kid, ...injectedHeader(world, shape.inject, key), ...shape.header };
  if ('kid' in shape) header.kid = shape.kid === '$random' ? randomBytes(20).toString('base64url') : shape.kid;
  for (const name of shape.headerUnset ?? []) delete header[name];
  return JSON.stringify(header);
}

function tampered(token, how) {
  const [header, payload, signature] = token.split('.');
  switch (how) {
    case undefined: return token;
    case 'signature': {
      const bytes = Buffer.from(signature, 'base64url');
      bytes[bytes.length >> 1] ^= 1;
      return `${header}.${payload}.${base64url(bytes)}`;
    }
    case 'payload': {
      const text = Buffer.from(payload, 'base64url').toString().replace(/\}$/, ',"roles":["app.admin"]}');
      return `${header}.${base64url(text)}.${signature}`;
    }
    case 'header': {
      const text = Buffer.from(header, 'base64url').toString().replace(/\}$/, ',"x":1}');
      return `${base64url(text)}.${payload}.${signature}`;
    }
    case 'strip': return `${header}.${payload}.`;
    case 'truncate': return `${header}.${payload}.${signature.slice(0, -8)}`;
    case 'twoParts': return `${header}.${payload}`;
    case 'fourParts': return `${token}.${signature}`;
    case 'padding': return [header, payload, signature].map((part) => part + '='.repeat((4 - (part.length % 4)) % 4)).join('.');
    case 'whitespace': return ` ${token}\n`;
    default: throw new Error(`tamper: '${how}' is not known`);
  }
}

/** The token for these claims; undefined when the shape leaves it out. */
export function makeToken(world, client, tenant, claims, shape = {}) {
  if (shape.omit) return undefined;
  if ('raw' in shape) return shape.raw;
  const key = rsaKeyFor(world, shape, tenant);
  const { alg, sign } = signer(world, shape.alg ?? 'RS256', key, client);
  const token = compact(headerText(world, shape, { alg, key, tenant, version: claims.ver }), payloadText(world, claims, shape), sign);
  return tampered(token, shape.tamper);
}

/** A dry run of a shape, so that a mistake in it is told to the test and not to the client under test. */
export function checkShape(world, shape) {
  makeToken(world, world.clients[0], world.tenants[0].id, { nonce: '' }, shape);
}
