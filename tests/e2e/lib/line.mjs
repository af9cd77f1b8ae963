// SPDX-License-Identifier: Apache-2.0
// A line to a server that can be cut: what stands between httpd and Entra, so that an outage is one of the network.

import net from 'node:net';
import { freePort } from './httpd.mjs';

/** Starts one. Lead it somewhere with `to(port)`; `cut()`: nobody listens any more, `hang()`: bytes go in and nothing comes back, `mend()`. */
export async function startLine() {
  const port = await freePort();
  const sockets = new Set();
  let target = 0;
  let hangs = false;
  let server = null;
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
    socket.on('close', () => other.destroy());
    other.on('close', () => socket.destroy());
  };
  const drop = () => { for (const socket of sockets) socket.destroy(); };
  const open = () => new Promise((resolve, reject) => {
    server = net.createServer(carry);
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const line = {
    port,
    url: `http://127.0.0.1:${port}`,
    to(other) { target = other; },
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
