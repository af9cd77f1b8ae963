// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 over a plain socket: what is given goes out byte by byte, nothing is normalised, folded, followed or decoded.

import net from 'node:net';

const DEADLINE = 15_000;

export class HttpError extends Error {}

/** What came back. Header names keep their case in rawHeaders; `header` and `all` look them up without regard to it. */
export class Response {
  constructor({ version, status, reason, rawHeaders, body = Buffer.alloc(0), chunked = false, keepAlive = false, trailers = [] }) {
    Object.assign(this, { version, status, reason, rawHeaders, body, chunked, keepAlive, trailers });
  }

  all(name) {
    const wanted = name.toLowerCase();
    return this.rawHeaders.filter(([known]) => known.toLowerCase() === wanted).map(([, value]) => value);
  }

  /** The first value, or undefined. */
  header(name) { return this.all(name)[0]; }

  get text() { return this.body.toString('utf8'); }

  json() { return JSON.parse(this.text); }

  get location() { return this.header('location'); }

  get cookies() { return this.all('set-cookie'); }

  /** Bytes of status line and head, as they came. */
  get head() { return this.rawHead; }
}

/** One TCP connection. Write what you like, then ask for the answers one by one. */
export class Connection {
  static async open(port, { host = '127.0.0.1', timeout = DEADLINE } = {}) {
    const socket = net.connect({ port, host, allowHalfOpen: true });
    socket.setNoDelay(true);
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => { socket.destroy(); reject(new HttpError('the connection was not accepted in time')); }, timeout);
      socket.once('connect', () => { clearTimeout(timer); resolve(); });
      socket.once('error', (error) => { clearTimeout(timer); reject(error); });
    });
    return new Connection(socket, timeout);
  }

  #data = Buffer.alloc(0);

  #ended = false;

  #failure = null;

  #wake = null;

  constructor(socket, timeout) {
    this.socket = socket;
    this.timeout = timeout;
    socket.removeAllListeners('error');
    socket.on('data', (chunk) => { this.#data = this.#data.length ? Buffer.concat([this.#data, chunk]) : chunk; this.#wake?.(); });
    socket.on('end', () => { this.#ended = true; this.#wake?.(); });
    socket.on('close', () => { this.#ended = true; this.#wake?.(); });
    socket.on('error', (error) => { this.#failure = error; this.#ended = true; this.#wake?.(); });
  }

  /** Strings go out as latin1, so that "\xff" is one byte. */
  write(bytes) {
    if (!this.socket.destroyed && this.socket.writable) this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  end() { this.socket.end(); return this; }

  close() { this.socket.destroy(); }

  /** The other side has closed, after everything that was read so far. */
  get ended() { return this.#ended && this.#data.length === 0; }

  async #until(found, deadline) {
    for (;;) {
      const at = found(this.#data);
      if (at !== null) return at;
      if (this.#ended) return null;
      const left = deadline - Date.now();
      if (left <= 0) throw new HttpError(`no complete answer in time; so far: ${JSON.stringify(this.#data.toString('latin1').slice(0, 300))}`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => { clearTimeout(timer); resolve(); };
      });
      this.#wake = null;
    }
  }

  #take(count) {
    const taken = this.#data.subarray(0, count);
    this.#data = this.#data.subarray(count);
    return taken;
  }

  async #line(deadline) {
    const at = await this.#until((data) => { const i = data.indexOf('\n'); return i < 0 ? null : i; }, deadline);
    if (at === null) throw new HttpError(`the connection ended in the middle of a head: ${this.#failure?.message ?? 'closed'}`);
    return this.#take(at + 1).toString('latin1').replace(/\r?\n$/, '');
  }

  async #exactly(count, deadline) {
    const at = await this.#until((data) => (data.length >= count ? count : null), deadline);
    if (at === null) throw new HttpError(`the connection ended ${count - this.#data.length} bytes too early`);
    return this.#take(count);
  }

  /** Everything until the other side closes. */
  async rest() {
    await this.#until(() => null, Date.now() + this.timeout);
    return this.#take(this.#data.length);
  }

  /** At least `count` bytes, e.g. of an upgraded connection. */
  async bytes(count) { return this.#exactly(count, Date.now() + this.timeout); }

  async #headers(deadline) {
    const list = [];
    for (;;) {
      const line = await this.#line(deadline);
      if (line === '') return list;
      const at = line.indexOf(':');
      list.push(at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1).trim()]);
    }
  }

  async #chunks(deadline) {
    const parts = [];
    for (;;) {
      const size = parseInt(await this.#line(deadline), 16);
      if (Number.isNaN(size)) throw new HttpError('a chunk has no size');
      if (size === 0) return { body: Buffer.concat(parts), trailers: await this.#headers(deadline) };
      parts.push(Buffer.from(await this.#exactly(size, deadline)));
      await this.#line(deadline);
    }
  }

  /** The next answer. `method` of the request, since HEAD has no body. 1xx other than 101 are passed over, and kept in `interim`. */
  async response({ method = 'GET' } = {}) {
    const deadline = Date.now() + this.timeout;
    const interim = [];
    for (;;) {
      const statusLine = await this.#line(deadline);
      const match = /^HTTP\/(\d\.\d) (\d{3}) ?(.*)$/.exec(statusLine);
      if (!match) throw new HttpError(`this is no status line: ${JSON.stringify(statusLine.slice(0, 200))}`);
      const rawHeaders = await this.#headers(deadline);
      const found = new Response({ version: match[1], status: Number(match[2]), reason: match[3], rawHeaders });
      found.rawHead = [statusLine, ...rawHeaders.map(([name, value]) => `${name}: ${value}`)].join('\r\n');
      if (found.status >= 100 && found.status < 200 && found.status !== 101) { interim.push(found); continue; }
      found.interim = interim;
      await this.#body(found, method, deadline);
      return found;
    }
  }

  async #body(found, method, deadline) {
    const connection = (found.header('connection') ?? '').toLowerCase();
    found.keepAlive = found.version === '1.1' ? !connection.includes('close') : connection.includes('keep-alive');
    if (method === 'HEAD' || found.status === 101 || found.status === 204 || found.status === 304) return;
    found.chunked = /chunked/i.test(found.header('transfer-encoding') ?? '');
    if (found.chunked) {
      Object.assign(found, await this.#chunks(deadline));
    } else if (found.header('content-length') !== undefined) {
      found.body = Buffer.from(await this.#exactly(Number(found.header('content-length')), deadline));
    } else {
      found.keepAlive = false;
      found.body = Buffer.from(await this.rest());
    }
  }

  /** Sends a request built by `build` and reads its answer on this connection. */
  async request(options) {
    this.write(build(options));
    return this.response({ method: options.method });
  }
}

const pairs = (headers) => (Array.isArray(headers) ? headers : Object.entries(headers ?? {}))
  .flatMap(([name, value]) => (Array.isArray(value) ? value.map((item) => [name, item]) : [[name, value]]))
  .filter(([, value]) => value !== undefined && value !== null);

/** Request bytes. Host is added unless it is named (null leaves it out), Content-Length when there is a body. */
export function build({ method = 'GET', path = '/', version = '1.1', host, headers = [], body, close = true }) {
  const given = Array.isArray(headers) ? headers : Object.entries(headers);
  const named = (name) => given.some(([known]) => known.toLowerCase() === name);
  const lines = pairs(headers);
  if (!named('host') && host !== undefined) lines.unshift(['Host', host]);
  if (close && !named('connection')) lines.push(['Connection', 'close']);
  const payload = body === undefined ? Buffer.alloc(0) : Buffer.isBuffer(body) ? body : Buffer.from(body, 'utf8');
  if (body !== undefined && !named('content-length') && !named('transfer-encoding')) lines.push(['Content-Length', payload.length]);
  const head = `${method} ${path} HTTP/${version}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), payload]);
}

/** One request on a connection of its own. */
export async function request(port, options = {}) {
  const connection = await Connection.open(port, options.timeout ? { timeout: options.timeout } : {});
  try {
    return await connection.request({ host: `localhost:${port}`, ...options });
  } finally {
    connection.close();
  }
}

/** Exactly these bytes, then the answer (or, with `all`, everything until the other side closes). */
export async function exchange(port, bytes, { method = 'GET', timeout, all = false, end = false } = {}) {
  const connection = await Connection.open(port, timeout ? { timeout } : {});
  try {
    connection.write(bytes);
    if (end) connection.end();
    return all ? await connection.rest() : await connection.response({ method });
  } finally {
    connection.close();
  }
}
