// SPDX-License-Identifier: Apache-2.0
// The signing keys of the emulator: making them, publishing them as a key set, rolling them over, and publishing them wrongly on request.

import { createHash, generateKeyPair, generateKeyPairSync } from 'node:crypto';
import { promisify } from 'node:util';
import { selfSigned } from './certificate.mjs';
import { CONSUMERS } from './tenants.mjs';

const YEAR = 365 * 24 * 3600;
const makePair = promisify(generateKeyPair);

function describeKey(role, { publicKey, privateKey }, issuer) {
  const now = Math.floor(Date.now() / 1000);
  const der = selfSigned({ publicKey, privateKey, commonName: 'accounts.emulator.example', notBefore: now - 3600, notAfter: now + 5 * YEAR });
  const thumbprint = createHash('sha1').update(der).digest('base64url');
  return { role, kid: thumbprint, der, publicKey, privateKey, issuer, set: {}, unset: [] };
}

/**
 * Issuer of a key: 'tenant' shows the tenant of the key set in its place and a literal {tenantid} in the
 * many-tenant sets, 'template' is always literal, a GUID is that tenant for good.
 */
export async function createKeys() {
  const roles = [['primary', 'tenant'], ['secondary', 'template'], ['consumers', CONSUMERS]];
  const pairs = await Promise.all(roles.map(() => makePair('rsa', { modulusLength: 2048 })));
  const all = roles.map(([role, issuer], i) => describeKey(role, pairs[i], issuer));
  return { all, published: [...all], active: all[0], usual: all[0], override: null, spare: new Map() };
}

/** A smaller set, made at once. */
export function createKeysOf(roles) {
  const all = roles.map((role) => newRsaKey(role));
  return { all, published: [...all], active: all[0], usual: all[0], override: null, spare: new Map() };
}

/** A key that is made when it is first asked for: unpublished, attacker, weak, or one per elliptic curve. */
export function spareKey(keys, name) {
  if (!keys.spare.has(name)) keys.spare.set(name, makeSpare(name));
  return keys.spare.get(name);
}

function makeSpare(name) {
  if (name === 'ed25519') return { kid: null, ...generateKeyPairSync('ed25519') };
  if (name.startsWith('ec:')) return { kid: null, ...generateKeyPairSync('ec', { namedCurve: name.slice(3) }) };
  return newRsaKey(name, name === 'weak' ? 1024 : 2048);
}

export function newRsaKey(role, bits = 2048, issuer = 'tenant') {
  return describeKey(role, generateKeyPairSync('rsa', { modulusLength: bits }), issuer);
}

export function findKey(keys, kid) {
  return [...keys.published, ...keys.all, ...keys.spare.values()].find((key) => key.kid === kid);
}

/** The key that signs for a tenant: personal accounts have their own. */
export function signingKey(keys, tenant) {
  return tenant === CONSUMERS ? keys.all.find((key) => key.role === 'consumers') : keys.active;
}

export function publicJwk(key) {
  const { n, e } = key.publicKey.export({ format: 'jwk' });
  return { kty: 'RSA', use: 'sig', kid: key.kid, x5t: key.kid, n, e, x5c: [key.der.toString('base64')] };
}

function publishedJwk(key, base, segmentTenant) {
  const place = { tenant: segmentTenant ?? '{tenantid}', template: '{tenantid}' }[key.issuer] ?? key.issuer;
  const jwk = { ...publicJwk(key), cloud_instance_name: 'microsoftonline.com', issuer: `${base}/${place}/v2.0`, ...key.set };
  for (const name of key.unset) delete jwk[name];
  return jwk;
}

/** The key set of a tenant; without one (common, organizations) the issuers are templates. */
export function keySet(keys, base, segmentTenant) {
  return { keys: keys.published.map((key) => publishedJwk(key, base, segmentTenant)) };
}

/** The key set of version 1.0: the same keys, which name no issuer. */
export function keySetV1(keys, base) {
  const { keys: published } = keySet(keys, base, null);
  return { keys: published.map(({ issuer, cloud_instance_name: cloud, ...jwk }) => jwk) };
}

/** Publishes the ordinary keys again, as they were made, and forgets everything that was bent. */
export function restoreKeys(keys) {
  keys.override = null;
  keys.published = [...keys.all];
  keys.active = keys.usual;
  for (const key of keys.all) Object.assign(key, { set: {}, unset: [] });
}

export function rollKeys(keys, { publish = true, drop = false } = {}) {
  const fresh = newRsaKey(`rolled-${keys.all.length}`);
  const old = keys.usual;
  keys.all.unshift(fresh);
  keys.active = fresh;
  keys.usual = fresh;
  if (publish) keys.published.unshift(fresh);
  if (drop) {
    keys.published = keys.published.filter((key) => key !== old);
    keys.all = keys.all.filter((key) => key !== old);
  }
  return fresh;
}
