// SPDX-License-Identifier: Apache-2.0
// A line to a server that can be cut: what stands between httpd and Entra, so that an outage is one of the network.

import net from 'node:net';
import { freePort } from './httpd.mjs';

/** How an answer goes wrong: what of its bytes `pass` on, and what becomes of the connection then. */
const SPOILT = {
  /** Reset, before a byte of the answer. */
  reset: (socket) => { socket.resetAndDestroy(); },
  /** The request arrives, its answer never does. */
  swallow: () => {},
  /** Ended in the middle of the status line, of the headers, of the body: after so many bytes, or that part of them. */
  line: (socket, data) => socket.end(data.subarray(0, 10)),
  head: (socket, data) => socket.end(data.subarray(0, Math.floor(data.indexOf('\r\n\r\n') / 2))),
  body: (socket, data) => socket.end(data.subarray(0, data.indexOf('\r\n\r\n') + 40)),
  /** A byte at a time, for longer than anybody waits. */
  drip: (socket, data) => {
    let at = 0;
    const timer = setInterval(() => { if (at < data.length && !socket.destroyed) socket.write(data.subarray(at, at += 1)); else clearInterval(timer); }, 50);
    timer.unref();
  },
};

/**
 * Starts one. Lead it somewhere with `to(port)`; `cut()`: nobody listens any more, `hang()`: bytes go in and nothing comes back, `mend()`.
 * `spoil(pattern, how)`: answers to requests with such bytes go wrong by `how` of SPOILT, or end after that number of bytes, whatever is asked;
 * `spoilt()` tells how many did.
 * `watch(pattern)` counts how many requests with such bytes wait for their answers at one moment; `most()` tells the most there were.
 */
export async function startLine() {
  const port = await freePort();
  const sockets = new Set();
  let target = 0;
  let hangs = false;
  let server = null;
  let watched = null;
  let waiting = 0;
  let most = 0;
  let spoiling = null;
  let spoiled = 0;
  const keep = (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    return socket;
  };
  const carry = (socket) => {
    keep(socket);
    if (hangs) { socket.resume(); return; }
    const other = keep(net.connect(target, '127.0.0.1'));
    socket.pipe(other);
    // Of the request that was seen last, until its answer has begun.
    let how = null;
    let dropped = false;
    let passed = 0;
    socket.on('data', (data) => { if (spoiling?.pattern?.test(data.toString('latin1'))) how = spoiling.how; });
    other.on('data', (data) => {
      const count = typeof spoiling?.how === 'number' ? spoiling.how : Infinity;
      if (dropped) return;
      if (!how && passed + data.length < count) { passed += data.length; socket.write(data); return; }
      dropped = true;
      spoiled += 1;
      if (how) SPOILT[how](socket, data);
      else socket.end(data.subarray(0, count - passed));
    });
    // One request at a time on a connection, and its answer ends it.
    let asked = false;
    const answered = () => { if (asked) waiting -= 1; asked = false; };
    socket.on('data', (data) => {
      if (asked || !watched?.test(data.toString('latin1'))) return;
      asked = true;
      waiting += 1;
      most = Math.max(most, waiting);
    });
    other.on('data', answered);
    socket.on('close', () => { answered(); other.destroy(); });
    other.on('close', () => socket.destroy());
  };
  const drop = () => { for (const socket of sockets) socket.destroy(); };
  const open = () => new Promise((resolve, reject) => {
    server = net.createServer(carry);
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
    // A case that fails leaves it behind, and the run ends all the same.
    server.unref();
  });
  const line = {
    port,
    url: `http://127.0.0.1:${port}`,
    to(other) { target = other; },
    spoil(pattern, how) { spoiling = typeof pattern === 'number' ? { how: pattern } : { pattern, how }; spoiled = 0; drop(); },
    spoilt: () => spoiled,
    watch(pattern) { watched = pattern; most = 0; },
    most: () => most,
    async cut() {
      const closed = server && new Promise((resolve) => { server.close(resolve); });
      drop();
      server = null;
      await closed;
    },
    hang() { hangs = true; drop(); },
    async mend() { hangs = false; spoiling = null; drop(); if (!server) await open(); },
    close: () => line.cut(),
  };
  await open();
  return line;
}
