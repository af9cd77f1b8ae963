// SPDX-License-Identifier: Apache-2.0
// A line to a server that can be cut: what stands between httpd and Entra, so that an outage is one of the network.

import net from 'node:net';
import { freePort } from './httpd.mjs';

/**
 * Starts one. Lead it somewhere with `to(port)`; `cut()`: nobody listens any more, `hang()`: bytes go in and nothing comes back, `mend()`.
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
    socket.pipe(other).pipe(socket);
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
    watch(pattern) { watched = pattern; most = 0; },
    most: () => most,
    async cut() {
      const closed = server && new Promise((resolve) => { server.close(resolve); });
      drop();
      server = null;
      await closed;
    },
    hang() { hangs = true; drop(); },
    async mend() { hangs = false; drop(); if (!server) await open(); },
    close: () => line.cut(),
  };
  await open();
  return line;
}
