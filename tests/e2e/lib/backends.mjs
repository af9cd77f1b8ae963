// SPDX-License-Identifier: Apache-2.0
// Applications behind httpd in every way it can talk to one: FastCGI, SCGI, uwsgi and AJP responders. Each answers with what it got, as JSON.

import { spawn, spawnSync } from 'node:child_process';
import net from 'node:net';
import { freePort } from './httpd.mjs';
import { MARKER } from './echo.mjs';
import { until } from './wait.mjs';

/** A TCP server whose `serve(socket)` is called for each connection. */
async function listen(serve) {
  const open = new Set();
  const state = { requests: [], last: () => state.requests.at(-1), clear() { state.requests.length = 0; } };
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    serve(socket, state);
  });
  await new Promise((resolve, reject) => { server.once('error', reject); server.listen(0, '127.0.0.1', resolve); });
  return Object.assign(state, {
    port: server.address().port,
    async close() {
      const closed = new Promise((resolve) => { server.close(resolve); });
      for (const socket of open) socket.destroy();
      await closed;
    },
  });
}

const answerOf = (seen) => JSON.stringify({ marker: MARKER, ...seen });
const CGI_HEAD = 'Status: 200 OK\r\nContent-Type: application/json\r\n\r\n';

/** Calls `step(data)` with all bytes that came so far; it gives how many it used up, 0 for "more". */
function byPieces(socket, step) {
  let data = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    data = Buffer.concat([data, chunk]);
    for (let used = step(data); used > 0; used = data.length ? step(data) : 0) data = data.subarray(used);
  });
}

// ---- FastCGI ------------------------------------------------------------------------------------------------------------

const FCGI = { BEGIN: 1, END: 3, PARAMS: 4, STDIN: 5, STDOUT: 6 };

function fcgiRecord(type, id, content) {
  const head = Buffer.from([1, type, id >> 8, id & 0xff, content.length >> 8, content.length & 0xff, 0, 0]);
  return Buffer.concat([head, content]);
}

function fcgiPairs(data) {
  const pairs = [];
  let at = 0;
  const length = () => {
    if (data[at] < 0x80) { at += 1; return data[at - 1]; }
    at += 4;
    return data.readUInt32BE(at - 4) & 0x7fffffff;
  };
  while (at < data.length) {
    const name = length();
    const value = length();
    pairs.push([data.toString('latin1', at, at + name), data.toString('latin1', at + name, at + name + value)]);
    at += name + value;
  }
  return pairs;
}

/** A FastCGI responder. Its `vars` are pairs in latin1. */
export function startFastCgi() {
  return listen((socket, state) => {
    const parts = [];
    byPieces(socket, (data) => {
      if (data.length < 8) return 0;
      const size = 8 + data.readUInt16BE(4) + data[6];
      if (data.length < size) return 0;
      const [type, id, content] = [data[1], data.readUInt16BE(2), data.subarray(8, 8 + data.readUInt16BE(4))];
      if (type === FCGI.PARAMS) parts.push(Buffer.from(content));
      if (type === FCGI.STDIN && content.length === 0) {
        const seen = { vars: fcgiPairs(Buffer.concat(parts.splice(0))) };
        state.requests.push(seen);
        const body = Buffer.from(CGI_HEAD + answerOf(seen));
        const records = [];
        for (let at = 0; at < body.length; at += 32000) records.push(fcgiRecord(FCGI.STDOUT, id, body.subarray(at, at + 32000)));
        socket.end(Buffer.concat([...records, fcgiRecord(FCGI.STDOUT, id, Buffer.alloc(0)), fcgiRecord(FCGI.END, id, Buffer.alloc(8))]));
      }
      return size;
    });
  });
}

/** A reason to skip what needs PHP, or false. */
export const noPhp = spawnSync('php-cgi', ['-n', '-v']).status === 0 ? false : 'there is no php-cgi';

/** PHP as FastCGI server; {port, pid, close()}. */
export async function startPhp() {
  const port = await freePort();
  const child = spawn('php-cgi', ['-n', '-d', 'cgi.fix_pathinfo=1', '-b', `127.0.0.1:${port}`], { stdio: 'ignore', env: { PATH: process.env.PATH, PHP_FCGI_CHILDREN: '0', PHP_FCGI_MAX_REQUESTS: '100000' } });
  const over = new Promise((resolve) => { child.once('exit', resolve); });
  process.once('exit', () => { child.kill('SIGKILL'); });
  await until('php-cgi to listen', () => new Promise((resolve) => {
    const probe = net.connect(port, '127.0.0.1', () => { probe.destroy(); resolve(true); });
    probe.on('error', () => resolve(false));
  }));
  return { port, async close() { child.kill('SIGKILL'); await over; } };
}

// ---- SCGI and uwsgi -----------------------------------------------------------------------------------------------------

/** An SCGI responder: a netstring of NUL-terminated names and values. */
export function startScgi() {
  return listen((socket, state) => {
    byPieces(socket, (data) => {
      const colon = data.indexOf(0x3a);
      const length = colon < 0 ? NaN : Number(data.toString('latin1', 0, colon));
      if (!(data.length >= colon + 1 + length + 1)) return 0;
      const words = data.toString('latin1', colon + 1, colon + 1 + length).split('\0').slice(0, -1);
      const vars = [];
      for (let i = 0; i + 1 < words.length; i += 2) vars.push([words[i], words[i + 1]]);
      const seen = { vars, odd: words.length % 2 !== 0 };
      state.requests.push(seen);
      socket.end(CGI_HEAD + answerOf(seen));
      return data.length;
    });
  });
}

/** A uwsgi responder: a block of lengths, names and values. */
export function startUwsgi() {
  return listen((socket, state) => {
    byPieces(socket, (data) => {
      if (data.length < 4) return 0;
      const size = data.readUInt16LE(1);
      if (data.length < 4 + size) return 0;
      const block = data.subarray(4, 4 + size);
      const words = [];
      for (let at = 0; at + 2 <= block.length;) {
        const length = block.readUInt16LE(at);
        words.push(block.toString('latin1', at + 2, at + 2 + length));
        at += 2 + length;
      }
      const vars = [];
      for (let i = 0; i + 1 < words.length; i += 2) vars.push([words[i], words[i + 1]]);
      const seen = { vars, odd: words.length % 2 !== 0 };
      state.requests.push(seen);
      socket.end(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n${answerOf(seen)}`);
      return data.length;
    });
  });
}

// ---- AJP/1.3 ------------------------------------------------------------------------------------------------------------

const AJP_HEADERS = ['accept', 'accept-charset', 'accept-encoding', 'accept-language', 'authorization', 'connection', 'content-type', 'content-length', 'cookie', 'cookie2', 'host', 'pragma', 'referer', 'user-agent'];
const AJP_ATTRIBUTES = { 1: 'context', 2: 'servlet_path', 3: 'remote_user', 4: 'auth_type', 5: 'query_string', 6: 'jvm_route', 7: 'ssl_cert', 8: 'ssl_cipher', 9: 'ssl_session', 0x0c: 'secret', 0x0d: 'stored_method' };

function ajpForward(data) {
  let at = 1;
  const byte = () => { at += 1; return data[at - 1]; };
  const integer = () => { at += 2; return data.readUInt16BE(at - 2); };
  const string = () => {
    const length = integer();
    if (length === 0xffff) return null;
    at += length + 1;
    return data.toString('latin1', at - length - 1, at - 1);
  };
  const seen = { methodCode: byte(), protocol: string(), url: string(), remoteAddr: string(), remoteHost: string(), serverName: string(), serverPort: integer(), ssl: byte() !== 0 };
  seen.headers = Array.from({ length: integer() }, () => {
    const coded = data.readUInt16BE(at);
    const name = (coded & 0xff00) === 0xa000 ? AJP_HEADERS[(integer() & 0xff) - 1] : string();
    return [name, string()];
  });
  seen.attributes = [];
  for (let code = byte(); code !== 0xff && code !== undefined; code = byte()) {
    if (code === 0x0a) seen.attributes.push([string(), string()]);
    else if (code === 0x0b) seen.attributes.push(['ssl_key_size', integer()]);
    else seen.attributes.push([AJP_ATTRIBUTES[code] ?? `code ${code}`, string()]);
  }
  return seen;
}

function ajpMessage(...parts) {
  const body = Buffer.concat(parts);
  const head = Buffer.from('AB\0\0', 'latin1');
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, body]);
}

const ajpInteger = (value) => Buffer.from([value >> 8, value & 0xff]);
const ajpString = (text) => Buffer.concat([ajpInteger(Buffer.byteLength(text)), Buffer.from(`${text}\0`)]);

function ajpAnswer(socket, seen) {
  const body = Buffer.from(answerOf(seen));
  socket.write(ajpMessage(Buffer.from([4]), ajpInteger(200), ajpString('OK'), ajpInteger(1), ajpString('Content-Type'), ajpString('application/json')));
  for (let from = 0; from < body.length; from += 8000) {
    const part = body.subarray(from, from + 8000);
    socket.write(ajpMessage(Buffer.from([3]), ajpInteger(part.length), part, Buffer.from([0])));
  }
  socket.write(ajpMessage(Buffer.from([5, 1])));
}

/** An AJP responder: `headers` as in HTTP, `attributes` with remote_user and the AJP_… variables. */
export function startAjp() {
  return listen((socket, state) => {
    byPieces(socket, (data) => {
      if (data.length < 4) return 0;
      const size = 4 + data.readUInt16BE(2);
      if (data.length < size) return 0;
      const content = data.subarray(4, size);
      if (content[0] === 10) socket.write(ajpMessage(Buffer.from([9])));
      if (content[0] === 2) {
        const seen = ajpForward(content);
        state.requests.push(seen);
        ajpAnswer(socket, seen);
      }
      return size;
    });
  });
}

// ---- CGI ----------------------------------------------------------------------------------------------------------------

/** A CGI program that prints its environment with NUL between the variables, so that no value can look like another one. */
export const CGI_ENV = { content: '#!/bin/sh\ncat >/dev/null\nprintf \'Content-Type: application/octet-stream\\r\\n\\r\\n\'\nexec env -0\n', mode: 0o755 };

/** The variables of CGI_ENV's answer, as pairs in latin1. */
export const cgiVars = (response) => response.body.toString('latin1').split('\0').filter(Boolean).map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
