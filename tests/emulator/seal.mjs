// SPDX-License-Identifier: Apache-2.0
// Codes and refresh tokens as sealed records: the emulator stores nothing per sign-in, so its memory stays flat however long it runs.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

// Real codes and refresh tokens start like this and are this long, about.
const PREFIX = '1.AXoA';
const USUAL_BYTES = 560;

export function seal(key, kind, record) {
  const text = Buffer.from(JSON.stringify(record));
  const padded = Buffer.concat([text, Buffer.alloc(Math.max(0, USUAL_BYTES - text.length), ' ')]);
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(kind));
  const sealed = Buffer.concat([nonce, cipher.update(padded), cipher.final(), cipher.getAuthTag()]);
  return PREFIX + sealed.toString('base64url');
}

/** The record, or null when the text is not one of this kind. */
export function unseal(key, kind, text) {
  if (!text.startsWith(PREFIX) || !/^[\w-]{40,}$/.test(text.slice(PREFIX.length))) return null;
  const sealed = Buffer.from(text.slice(PREFIX.length), 'base64url');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12)).setAAD(Buffer.from(kind));
    decipher.setAuthTag(sealed.subarray(-16));
    return JSON.parse(Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString());
  } catch {
    return null;
  }
}
