// SPDX-License-Identifier: Apache-2.0
// Many sessions out of one: the cookie of somebody who is signed in, opened with the server's own key, given other ids, and sealed again.
// And sessions that have ended, as rows of the server's database.

import { spawnSync } from 'node:child_process';
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { until } from '../../e2e/lib/wait.mjs';
import { CLIENT, CONTOSO } from '../../emulator/tenants.mjs';

const NAME = /(Entra-Session=)([\w-]+)/;
const HEAD = 17;
const TAG = 16;
/** Behind version and flags of a record. */
const ID = 2;
const ID_BYTES = 16;

/** What src/base/seal.c derives and binds. */
function lockOf(server, provider, sealed) {
  const [, , text] = /^key ([0-9a-f]{8}) ([\w-]{43}) /m.exec(readFileSync(server.keyFile, 'utf8'));
  const key = Buffer.from(hkdfSync('sha256', Buffer.from(text, 'base64url'), Buffer.alloc(0), 'entra-sso session 1', 32));
  const binding = createHash('sha256').update(`entra-sso 1\n${provider.url}\n${CONTOSO}\n${CLIENT}\n${server.origin}`).digest();
  return { key, data: Buffer.concat([sealed.subarray(0, 5), Buffer.of(0), binding]) };
}

/** `count` Cookie headers of sessions that differ in nothing but their ids: {cookies, ids (hexadecimal)}. */
export function manySessions(server, provider, cookie, count) {
  const sealed = Buffer.from(NAME.exec(cookie)[2], 'base64url');
  const { key, data } = lockOf(server, provider, sealed);
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(5, HEAD), { authTagLength: TAG });
  decipher.setAAD(data);
  decipher.setAuthTag(sealed.subarray(-TAG));
  const record = Buffer.concat([decipher.update(sealed.subarray(HEAD, -TAG)), decipher.final()]);
  const ids = [];
  const cookies = Array.from({ length: count }, () => {
    const nonce = randomBytes(12);
    randomBytes(ID_BYTES).copy(record, ID);
    ids.push(record.toString('hex', ID, ID + ID_BYTES));
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(data);
    const body = Buffer.concat([cipher.update(record), cipher.final()]);
    return cookie.replace(NAME, `$1${Buffer.concat([sealed.subarray(0, 5), nonce, body, cipher.getAuthTag()]).toString('base64url')}`);
  });
  return { cookies, ids };
}

const INSERT = `
import sqlite3, sys, time
now = int(time.time() * 1e6)
base = sqlite3.connect(sys.argv[1], timeout=20)
base.executemany("INSERT INTO entra_ended (id, keep_until, listed, cause) VALUES (?, ?, ?, 'logout')",
                 [(line.strip(), now + 8 * 3600 * 1000000, now) for line in sys.stdin])
base.commit()
`;

/** Ends sessions in the server's database, and waits until the server has heard of it: the last one's cookie is refused. */
export async function endSessions(server, { cookies, ids }) {
  const file = path.join(server.stateDir, 'database/entra.db');
  const run = spawnSync('python3', ['-c', INSERT, file], { input: ids.join('\n'), encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`the sessions were not ended: ${run.stderr}`);
  const refused = async () => (await server.request({ path: '/small.txt', headers: { Cookie: cookies.at(-1) } })).status === 401;
  await until('the server to hear of the ended sessions', refused, { timeout: 20_000 });
}
