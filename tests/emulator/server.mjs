// SPDX-License-Identifier: Apache-2.0
// Starts the emulator, from the command line or inside a test, and carries requests to the endpoints.

import { randomUUID } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { control } from './control.mjs';
import { playFault } from './faults.mjs';
import { json } from './reply.mjs';
import { findRoute, runRoute } from './routes.mjs';
import { readCookies } from './sso.mjs';
import { recordGrant, recordRequest, reportStats } from './stats.mjs';
import { createWorld, resolveSegment, userByKey } from './world.mjs';

const HOST = '127.0.0.1';
const CONTROL = '/_control/';
const BODY_LIMIT = 64 * 1024 * 1024;
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

async function readBody(req) {
  const chunks = [];
  let size = 0;
  for await (const chunk of req) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw new Error('the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(req, res, { status, headers, body }) {
  if (res.destroyed) return;
  res.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) });
  res.end(req.method === 'HEAD' ? undefined : body);
}

function correlationOf(req, query, form) {
  const given = query.get('client-request-id') ?? form.get('client-request-id') ?? req.headers['client-request-id'];
  return GUID.test(given ?? '') ? given.toLowerCase() : randomUUID();
}

function contextOf(world, req, url, segment, body) {
  const form = new URLSearchParams(body);
  return {
    emu: world,
    url,
    method: req.method,
    headers: req.headers,
    query: url.searchParams,
    form,
    cookies: readCookies(req.headers.cookie),
    segment,
    authority: segment === undefined ? undefined : resolveSegment(world, segment),
    traceId: randomUUID(),
    correlationId: correlationOf(req, url.searchParams, form),
  };
}

function commonHeaders(ctx, req) {
  const headers = { 'x-ms-request-id': ctx.traceId, 'x-ms-ests-server': '2.1.0 - emulator' };
  if (ctx.emu.base.startsWith('https:')) headers['Strict-Transport-Security'] = 'max-age=31536000; includeSubDomains';
  if (req.headers['return-client-request-id'] === 'true') headers['client-request-id'] = ctx.correlationId;
  return headers;
}

/** One protocol request, from recording it to its answer. */
async function serveProtocol(world, req, res, url) {
  const { route, segment } = findRoute(url.pathname);
  const record = { endpoint: route.endpoint, method: req.method, path: url.pathname, query: [...url.searchParams.keys()], form: [], at: world.now(), connection: req.socket.emulatorId };
  recordRequest(world.stats, req.socket.emulatorId, record);
  const body = await readBody(req);
  const isForm = (req.headers['content-type'] ?? '').includes('application/x-www-form-urlencoded');
  const ctx = contextOf(world, req, url, segment, isForm ? body : '');
  Object.assign(record, { form: [...ctx.form.keys()], grantType: ctx.form.get('grant_type') ?? undefined, correlationId: ctx.correlationId });
  Object.assign(ctx, { record, body });
  const played = await playFault(world, record, req, res);
  if (played === 'handled') {
    record.status = 'fault';
    recordGrant(world.stats, record);
    return;
  }
  const reply = played ?? runRoute(ctx, route);
  record.status = reply.status;
  recordGrant(world.stats, record);
  send(req, res, { ...reply, headers: { ...commonHeaders(ctx, req), ...reply.headers } });
}

async function serve(world, req, res) {
  try {
    const url = new URL(req.url, world.base);
    if (url.pathname.startsWith(CONTROL)) {
      const body = await readBody(req);
      send(req, res, await control(world, req.method, url.pathname.slice(CONTROL.length), body));
      return;
    }
    await serveProtocol(world, req, res, url);
  } catch (error) {
    // Aborted by the client, or a target that is no URL: nobody is there to be told more.
    if (res.headersSent || res.destroyed || req.destroyed) res.destroy();
    else send(req, res, json(400, { error: 'invalid_request', error_description: String(error.message) }));
  }
}

const pemOf = (value) => (String(value).includes('-----BEGIN') ? value : readFileSync(value));

function createServer(world, tls) {
  const options = { maxHeaderSize: 256 * 1024, keepAlive: true };
  const listener = (req, res) => serve(world, req, res);
  const server = tls
    ? https.createServer({ ...options, cert: pemOf(tls.cert), key: pemOf(tls.key), minVersion: 'TLSv1.2' }, listener)
    : http.createServer(options, listener);
  // Longer than any test waits, so that a second connection is the choice of the client.
  server.keepAliveTimeout = 120_000;
  server.headersTimeout = 130_000;
  server.requestTimeout = 0;
  let sockets = 0;
  server.on('connection', (socket) => {
    world.stats.accepted += 1;
    world.stats.open.add(socket);
    socket.on('close', () => world.stats.open.delete(socket));
    socket.on('error', () => socket.destroy());
  });
  // Requests arrive on the TLS socket, which is not the accepted one.
  server.on(tls ? 'secureConnection' : 'connection', (socket) => {
    socket.emulatorId = ++sockets;
    if (tls && socket.isSessionReused()) world.stats.resumed += 1;
  });
  server.on('clientError', (_, socket) => socket.destroy());
  if (tls) server.on('tlsClientError', () => {});
  return server;
}

async function controlInside(world, path, body, method) {
  const name = path.replace(/^\/?(_control\/)?/, '');
  const verb = method ?? (body === undefined ? 'GET' : 'POST');
  const reply = await control(world, verb, name, body === undefined ? '' : JSON.stringify(body));
  const value = JSON.parse(reply.body);
  if (reply.status !== 200) throw new Error(`control ${name}: ${value.error}`);
  return value;
}

/**
 * Starts an emulator in this process.
 * @param options {port, auto, tls: {cert, key} as PEM or file names, config, publicUrl}
 * @returns {url, port, control(path, body, method), requests, stats(), close()}
 */
export async function startEmulator(options = {}) {
  const world = await createWorld(options);
  if (options.auto && !userByKey(world, options.auto)) throw new Error(`there is no user '${options.auto}'`);
  const server = createServer(world, options.tls);
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, HOST, resolve);
  });
  const { port } = server.address();
  const url = `${options.tls ? 'https' : 'http'}://${HOST}:${port}`;
  world.base = (options.publicUrl ?? options.config?.publicUrl ?? url).replace(/\/$/, '');
  return {
    url: world.base,
    port,
    control: (path, body, method) => controlInside(world, path, body, method),
    get requests() { return world.stats.requests; },
    stats: () => reportStats(world.stats),
    async close() {
      const closed = new Promise((resolve) => { server.close(resolve); });
      for (const socket of world.stats.open) socket.destroy();
      await closed;
    },
  };
}

const USAGE = 'usage: server.mjs [--port N] [--tls-cert FILE --tls-key FILE] [--auto USER] [--public-url URL] [--config FILE.json] [--quiet]';

function readOptions() {
  const string = { type: 'string' };
  const { values } = parseArgs({
    options: { port: string, 'tls-cert': string, 'tls-key': string, auto: string, config: string, 'public-url': string, quiet: { type: 'boolean' } },
  });
  if (Boolean(values['tls-cert']) !== Boolean(values['tls-key'])) throw new Error('--tls-cert and --tls-key go together');
  const config = values.config ? JSON.parse(readFileSync(values.config, 'utf8')) : {};
  return {
    port: Number(values.port ?? 0),
    tls: values['tls-cert'] ? { cert: values['tls-cert'], key: values['tls-key'] } : undefined,
    auto: values.auto ?? config.auto,
    publicUrl: values['public-url'],
    config,
    quiet: values.quiet,
  };
}

async function main() {
  let options;
  try {
    options = readOptions();
  } catch (error) {
    process.stderr.write(`${error.message}\n${USAGE}\n`);
    process.exit(2);
  }
  const emulator = await startEmulator(options);
  const stop = () => emulator.close().then(() => process.exit(0));
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.stdout.write(`${JSON.stringify({ ready: true, url: emulator.url, pid: process.pid })}\n`);
  if (!options.quiet) process.stderr.write(`Entra emulator, contoso: ${emulator.url}/contoso.example/v2.0/.well-known/openid-configuration\n`);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
}
