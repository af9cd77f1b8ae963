// SPDX-License-Identifier: Apache-2.0
// A self-signed X.509 certificate around an RSA key, written as DER by hand so that the emulator needs no other program.

import { randomBytes, sign } from 'node:crypto';

const SEQUENCE = 0x30;
const SET = 0x31;
const SHA256_WITH_RSA = Buffer.from('06092a864886f70d01010b', 'hex');
const COMMON_NAME = Buffer.from('0603550403', 'hex');
const NULL = Buffer.from('0500', 'hex');

function element(tag, ...contents) {
  const body = Buffer.concat(contents);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const hex = body.length.toString(16);
  const length = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}

function positiveInteger(bytes) {
  const value = Buffer.from(bytes);
  // A leading bit of one would make it negative, a leading zero byte would not be minimal.
  value[0] = (value[0] & 0x7f) | 0x40;
  return element(0x02, value);
}

function utcTime(seconds) {
  const digits = new Date(seconds * 1000).toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return element(0x17, Buffer.from(`${digits}Z`));
}

/** DER of a certificate for `publicKey`, signed by `privateKey`, with times in seconds. */
export function selfSigned({ publicKey, privateKey, commonName, notBefore, notAfter }) {
  const algorithm = element(SEQUENCE, SHA256_WITH_RSA, NULL);
  const name = element(SEQUENCE, element(SET, element(SEQUENCE, COMMON_NAME, element(0x0c, Buffer.from(commonName)))));
  const body = element(
    SEQUENCE,
    element(0xa0, element(0x02, Buffer.from([2]))),
    positiveInteger(randomBytes(16)),
    algorithm,
    name,
    element(SEQUENCE, utcTime(notBefore), utcTime(notAfter)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  return element(SEQUENCE, body, algorithm, element(0x03, Buffer.from([0]), sign('sha256', body, privateKey)));
}

export function toPem(der) {
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END CERTIFICATE-----\n`;
}
