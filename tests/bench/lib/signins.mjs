// SPDX-License-Identifier: Apache-2.0
// Whole sign-ins, many at once: what they cost, how many connections the provider sees, and what stays of them in memory.

import http from 'node:http';
import https from 'node:https';
import { readFileSync } from 'node:fs';
import { until } from '../../e2e/lib/wait.mjs';
import { load } from './load.mjs';
import { FILE } from './servers.mjs';

const AT_ONCE = 8;

/** `step` for `count` people, AT_ONCE at a time: what each gave. */
async function inParallel(count, step) {
  const gave = [];
  let next = 0;
  const worker = async () => { while (next < count) { const i = next; next += 1; gave[i] = await step(i); } };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return gave;
}

/** What a person's browser keeps open, for all people together. */
function makeClient() {
  const agents = { 'http:': new http.Agent({ keepAlive: true, maxSockets: AT_ONCE }), 'https:': new https.Agent({ keepAlive: true, maxSockets: AT_ONCE, rejectUnauthorized: false }) };
  const get = (url, cookies = {}) => new Promise((resolve, reject) => {
    const { protocol, host, hostname } = new URL(url);
    const header = Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { Host: host, Accept: 'text/html', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document', ...(header ? { Cookie: header } : {}) };
    const options = { agent: agents[protocol], headers, host: hostname === 'localhost' ? '127.0.0.1' : hostname, timeout: 30_000 };
    const { get: send } = protocol === 'https:' ? https : http;
    send(url, options, (answer) => {
      for (const line of answer.headers['set-cookie'] ?? []) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        if (value === '') delete cookies[name]; else cookies[name] = value;
      }
      answer.resume().on('end', () => resolve({ status: answer.statusCode, location: answer.headers.location?.replace(/#$/, ''), after: answer.headers['retry-after'] }));
    }).on('error', reject);
  });
  return { get, close() { for (const agent of Object.values(agents)) agent.destroy(); } };
}

/** Up to the callback, which is not opened yet: {callback, cookies}. */
async function comeBack(client, server) {
  const cookies = {};
  const start = await client.get(server.origin + FILE, cookies);
  const authorize = await client.get(start.location);
  return { callback: authorize.location, cookies };
}

async function signIn(client, server) {
  const { callback, cookies } = await comeBack(client, server);
  const back = await client.get(callback, cookies);
  const page = await client.get(back.location, cookies);
  if (page.status !== 200) throw new Error(`${server.label}: a sign-in ended with ${page.status}\n${server.errorLog().slice(-2000)}`);
}

/** Kibibytes that each child has of its own and in share, the mean. */
export function memoryOf(server) {
  const sizes = server.children().map((pid) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]));
  return sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
}

/**
 * `count` sign-ins: {rate (a second), connections (to the provider's back channel), calls (of its
 * token endpoint), memory [[sign-ins, KiB of a process]…]}. Memory is looked at after `marks` sign-ins.
 */
export async function manySignIns(server, provider, { count, marks = [] }) {
  const client = makeClient();
  try {
    // What is made at first use is there, and every process has signed somebody in.
    await inParallel(64, () => signIn(client, server));
    await provider.control('reset', {});
    await provider.control('auto', { user: 'ada' });
    const memory = [];
    let spent = 0;
    let done = 0;
    for (const mark of [...marks.filter((one) => one < count), count]) {
      const begin = process.hrtime.bigint();
      await inParallel(mark - done, () => signIn(client, server));
      spent += Number(process.hrtime.bigint() - begin) / 1e9;
      done = mark;
      memory.push([done, memoryOf(server)]);
    }
    const { connections, endpoints } = await provider.stats();
    return { rate: count / spent, connections: connections.byEndpoint.token, calls: endpoints.token, memory };
  } finally {
    client.close();
  }
}

/** Sign-ins while the provider closes each connection after its answer: {connections, resumed}, of its token endpoint. */
export async function closedSignIns(server, provider, count) {
  const client = makeClient();
  try {
    await provider.control('token', { headers: { Connection: 'close' } });
    await inParallel(AT_ONCE, () => signIn(client, server));
    const before = await provider.stats();
    await inParallel(count, () => signIn(client, server));
    const { connections } = await provider.stats();
    await provider.control('token', undefined, 'DELETE');
    return { connections: connections.byEndpoint.token - before.connections.byEndpoint.token, resumed: connections.resumed - before.connections.resumed };
  } finally {
    client.close();
  }
}

/** The callback of somebody, on a connection of its own: {status, after (Retry-After), took (milliseconds)}. */
async function arrive(server, { callback, cookies }) {
  const own = makeClient();
  const begin = Date.now();
  try {
    return { ...await own.get(callback, cookies), took: Date.now() - begin };
  } finally {
    own.close();
  }
}

/** Sign-ins at a provider that hangs: {held (promises of those that wait), late: answers to those who came when it was known}. */
async function hangUp(server, provider, client, may) {
  const first = await inParallel(may * 2, () => comeBack(client, server));
  const second = await inParallel(may, () => comeBack(client, server));
  await provider.control('fault', { endpoint: 'token', hang: true });
  let answered = 0;
  const held = first.map((person) => arrive(server, person).finally(() => { answered += 1; }));
  await until('as many to wait as may, and the others to be refused', () => answered >= may, { timeout: 8_000 });
  return { held, late: await inParallel(may, (i) => arrive(server, second[i])) };
}

/**
 * The same load of people who are signed in, without and with a provider that hangs while more people come back from it than may wait:
 * {rounds: [{rate, hanging}], refused, slowest (milliseconds until a 503)}. `may`: how many may wait.
 */
export async function whileHanging(server, provider, { cookies, may, rounds, seconds }) {
  const client = makeClient();
  const seen = { rounds: [], refused: 0, slowest: 0, may };
  try {
    for (let round = 0; round < rounds; round += 1) {
      const { rate } = await load(server, { target: FILE, cookies, seconds });
      const { held, late } = await hangUp(server, provider, client, may);
      const hanging = await load(server, { target: FILE, cookies, seconds });
      seen.rounds.push({ rate, hanging: hanging.rate });
      const odd = late.find(({ status, after }) => status !== 503 || !after);
      if (odd) throw new Error(`a sign-in beyond those that may wait got ${JSON.stringify(odd)}`);
      seen.refused += late.length;
      seen.slowest = Math.max(seen.slowest, ...late.map(({ took }) => took));
      await Promise.all(held);
      await provider.control('fault', undefined, 'DELETE');
    }
  } finally {
    client.close();
  }
  return seen;
}
