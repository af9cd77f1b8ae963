// SPDX-License-Identifier: Apache-2.0
// Instructions of one request: what callgrind counts for many requests less what it counts for few, in one httpd that runs.

import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Connection } from '../../e2e/lib/http.mjs';
import { startServer } from './servers.mjs';


/** Sends `count` requests, one after the other. `fresh`: each on a connection of its own. */
async function ask(server, { cookies, target, count, fresh = false }) {
  let connection = null;
  for (let i = 0; i < count; i += 1) {
    connection ??= await Connection.open(server.port, { timeout: 60_000 });
    const answer = await connection.request({ path: target, host: `localhost:${server.port}`, close: fresh, headers: [['User-Agent', 'bench'], ['Accept', '*/*'], ['Cookie', cookies[i % cookies.length]]] });
    if (answer.status !== 200) throw new Error(`${server.label}: ${target} gave ${answer.status}\n${server.errorLog().slice(-2000)}`);
    if (fresh) { connection.close(); connection = null; }
  }
  connection?.close();
}

/** Numbers of the files that callgrind has written of a server; it numbers them. */
const dumpsOf = (folder, kind) => readdirSync(folder).map((name) => Number(new RegExp(`^${kind}\\.\\d+\\.(\\d+)$`).exec(name)?.[1] ?? 0)).sort((a, b) => a - b);

const totalOf = (file) => Number(/^totals: (\d+)/m.exec(readFileSync(file, 'utf8'))[1]);

/**
 * A server under callgrind: {server, count(what) → instructions of one request, stop()}. `what`: {target, cookies (one or several, used
 * in turn), fresh, counts: [few, many]}. `profiles`: a folder that keeps callgrind's files.
 */
export async function startCounted(kind, around, { mpm, profiles, ...options } = {}) {
  const folder = profiles ?? mkdtempSync(path.join(os.tmpdir(), 'entra-bench-'));
  chmodSync(folder, 0o777);
  // An OPTIONS makes callgrind write what it has counted, and begin at nought.
  const under = ['valgrind', '--tool=callgrind', '--dump-before=ap_send_http_options', `--callgrind-out-file=${folder}/${kind}.%p`];
  const server = await startServer(kind, around, { mpm, single: true, under, processes: 1, threads: 4, workers: 4, timeout: 120, ...options });
  const dump = async () => {
    const before = dumpsOf(folder, kind).at(-1);
    await server.request({ method: 'OPTIONS', path: '/open/', timeout: 60_000 });
    const number = dumpsOf(folder, kind).at(-1);
    if (number !== before + 1) throw new Error(`callgrind wrote ${number - before} files`);
    return totalOf(path.join(folder, readdirSync(folder).find((name) => name.startsWith(`${kind}.`) && name.endsWith(`.${number}`))));
  };
  const counted = async (what) => {
    await dump();
    await ask(server, what);
    return dump();
  };
  return {
    server,
    async count({ counts: [few, many] = [100, 500], ...what }) {
      const all = { ...what, cookies: [what.cookies].flat() };
      await ask(server, { ...all, count: few });
      const least = await counted({ ...all, count: few });
      return Math.round((await counted({ ...all, count: many }) - least) / (many - few));
    },
    async stop() {
      await server.stop({ judge: false });
      if (!profiles) rmSync(folder, { recursive: true, force: true });
    },
  };
}
