// SPDX-License-Identifier: Apache-2.0
// The application behind the proxy: answers every request with what it got, as JSON, and echoes WebSocket frames.

import { createHash } from 'node:crypto';
import http from 'node:http';

const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
export const MARKER = 'backend-content-7b1f';

function pairsOf(rawHeaders) {
  const pairs = [];
  for (let i = 0; i < rawHeaders.length; i += 2) pairs.push([rawHeaders[i], rawHeaders[i + 1]]);
  return pairs;
}

/** Splits off one frame: {opcode, payload, size}, or null while it is incomplete. */
function readFrame(data) {
  if (data.length < 2) return null;
  const masked = (data[1] & 0x80) !== 0;
  let length = data[1] & 0x7f;
  let at = 2;
  if (length === 126) {
    if (data.length < 4) return null;
    length = data.readUInt16BE(2);
    at = 4;
  } else if (length === 127) {
    throw new Error('frames of 64 KB and more are not echoed');
  }
  const mask = masked ? data.subarray(at, at + 4) : null;
  if (masked) at += 4;
  if (data.length < at + length) return null;
  const payload = Buffer.from(data.subarray(at, at + length));
  if (mask) for (let i = 0; i < payload.length; i += 1) payload[i] ^= mask[i % 4];
  return { opcode: data[0] & 0x0f, payload, size: at + length };
}

export function makeFrame(opcode, payload, mask) {
  const bytes = Buffer.from(payload);
  const head = bytes.length < 126 ? Buffer.from([0x80 | opcode, bytes.length]) : Buffer.from([0x80 | opcode, 126, bytes.length >> 8, bytes.length & 0xff]);
  if (!mask) return Buffer.concat([head, bytes]);
  head[1] |= 0x80;
  for (let i = 0; i < bytes.length; i += 1) bytes[i] ^= mask[i % 4];
  return Buffer.concat([head, mask, bytes]);
}

function echoFrames(socket, head) {
  let data = head;
  const step = () => {
    for (let frame = readFrame(data); frame; frame = readFrame(data)) {
      data = data.subarray(frame.size);
      if (frame.opcode === 8) { socket.end(makeFrame(8, frame.payload)); return; }
      socket.write(makeFrame(frame.opcode === 9 ? 10 : frame.opcode, frame.payload));
    }
  };
  socket.on('data', (chunk) => { data = Buffer.concat([data, chunk]); step(); });
  socket.on('end', () => socket.end());
  socket.on('error', () => socket.destroy());
  step();
}

/**
 * Starts the backend. `handler(req, res, seen)` may answer instead; true from it means it did.
 * @returns {port, url, requests, connections, upgrades, last(), clear(), close()}
 */
export async function startEcho({ handler } = {}) {
  const state = { requests: [], connections: 0, upgrades: 0 };
  const open = new Set();
  const record = (req) => {
    const seen = { method: req.method, url: req.url, version: req.httpVersion, headers: pairsOf(req.rawHeaders), body: '' };
    state.requests.push(seen);
    return seen;
  };
  const server = http.createServer({ maxHeaderSize: 256 * 1024, insecureHTTPParser: true }, async (req, res) => {
    const seen = record(req);
    const parts = [];
    try {
      for await (const part of req) parts.push(part);
    } catch {
      return;
    }
    seen.body = Buffer.concat(parts).toString('latin1');
    if (handler && await handler(req, res, seen)) return;
    const body = JSON.stringify({ marker: MARKER, ...seen });
    res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
    res.end(req.method === 'HEAD' ? undefined : body);
  });
  server.on('upgrade', (req, socket, head) => {
    record(req);
    state.upgrades += 1;
    const accept = createHash('sha1').update(`${req.headers['sec-websocket-key'] ?? ''}${MAGIC}`).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    echoFrames(socket, head);
  });
  server.on('connection', (socket) => {
    state.connections += 1;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
  });
  await new Promise((resolve, reject) => { server.once('error', reject); server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  return Object.assign(state, {
    port,
    url: `http://127.0.0.1:${port}`,
    last: () => state.requests.at(-1),
    clear() { state.requests.length = 0; state.connections = 0; state.upgrades = 0; },
    async close() {
      const closed = new Promise((resolve) => { server.close(resolve); });
      for (const socket of open) socket.destroy();
      await closed;
    },
  });
}

/** Values of a header in what the echo saw, by name without regard to case. */
export const headerOf = (seen, name) => seen.headers.filter(([known]) => known.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
