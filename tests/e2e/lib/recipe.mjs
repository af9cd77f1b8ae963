// SPDX-License-Identifier: Apache-2.0
// A configuration of conf.d as it stands, on a real httpd with TLS: only paths, ports, addresses and the ids of tenant and client are
// replaced, and the modules loaded are those that its head names.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after } from 'node:test';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { selfSigned, toPem } from '../../emulator/certificate.mjs';
import { startEmulator } from '../../emulator/server.mjs';
import { CLIENT, CLIENT_SECRET, CONTOSO, FABRIKAM, OTHER_CLIENT, OTHER_CLIENT_SECRET } from '../../emulator/tenants.mjs';
import { Browser } from './browser.mjs';
import { startEcho } from './echo.mjs';
import { freePort, startHttpd } from './httpd.mjs';
import { SECRET_PAGE } from './site.mjs';

const REPO = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/** What the recipes call their things, and what these are here. Of two that fit, the first is taken. */
const IDS = [
  ['8d6f4f0e-0000-4000-8000-3a6c2f1b7c11', CONTOSO],
  ['5e0c7d21-0000-4000-8000-b64f9a2d8e33', FABRIKAM],
  ['4b1d8c3a-0000-4000-8000-9d2e5f7a6b10', CLIENT],
  ['7a2e9f54-0000-4000-8000-c18d3b6e4f22', OTHER_CLIENT],
  ['2c6b8d90-0000-4000-8000-e57a1f3c9d44', CLIENT],
];

const SECRETS = { 'client-secret': CLIENT_SECRET, 'wiki-secret': CLIENT_SECRET, 'tickets-secret': OTHER_CLIENT_SECRET, 'lab-secret': CLIENT_SECRET };

/** Of conf.d by its name alone, any other by its path in the tree. */
export const textOf = (name) => readFileSync(path.join(REPO, name.includes('/') ? name : `conf.d/${name}.conf`), 'utf8');

/** The modules that the comment at the head names, as httpd calls them. */
export function modulesOf(text) {
  const head = text.slice(0, text.search(/^[^#\n]/m));
  const named = /Beside (?:it|mod_entra_sso): ([\s\S]*)/.exec(head);
  if (!named) throw new Error('the configuration does not say which modules it needs');
  return [...named[1].matchAll(/\bmod_(\w+)/g)].map(([, name]) => name).map((name) => (name === 'cgid' ? 'cgi' : name));
}

let certificate = null;

/** Certificate and key of every host of the recipes, made once. */
function credentials() {
  if (certificate) return certificate;
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const now = Math.floor(Date.now() / 1000);
  const cert = toPem(selfSigned({ publicKey, privateKey, commonName: 'app.example.com', notBefore: now - 3600, notAfter: now + 86400 }));
  certificate = { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
  return certificate;
}

/** A plain port in front of a TLS port: the tests' browser speaks https without TLS. {port, close()} */
export async function startTlsFront(target) {
  const open = new Set();
  const keep = (socket) => { open.add(socket); socket.on('close', () => open.delete(socket)); return socket; };
  const server = net.createServer((socket) => {
    const inner = keep(tls.connect({ port: target, host: '127.0.0.1', rejectUnauthorized: false }));
    keep(socket);
    for (const [one, other] of [[socket, inner], [inner, socket]]) {
      one.on('error', () => other.destroy());
      one.pipe(other);
    }
  });
  await new Promise((resolve, reject) => { server.once('error', reject); server.listen(0, '127.0.0.1', resolve); });
  return {
    port: server.address().port,
    async close() {
      const closed = new Promise((resolve) => { server.close(resolve); });
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

function replaced(text, pairs) {
  let result = text;
  for (const [from, to] of pairs) {
    // A replacement that finds nothing would leave the recipe's own path or port in a test that seems to work.
    assert.ok(result.includes(from), `the recipe has no ${from}`);
    result = result.replaceAll(from, to);
  }
  return result;
}

const running = new Set();
after(async () => { for (const one of running) await one.stop({ judge: false }).catch(() => {}); });

class Recipe {
  fronts = [];

  names = {};

  /** Ports of the virtual hosts, by the recipe's own. */
  ports = {};

  constructor(emu, backend, own) { Object.assign(this, { emu, backend, own }); }

  at(target, origin = this.origin) { return origin + target; }

  calls(endpoint) { return this.emu.stats().endpoints[endpoint] ?? 0; }

  browser(options = {}) { return new Browser({ ...options, resolve: { ...this.names, ...options.resolve } }); }

  async signedIn({ user = 'ada', path: target = '/', origin } = {}) {
    const browser = this.browser();
    await this.emu.control('auto', { user });
    const page = await browser.navigate(this.at(target, origin));
    await this.emu.control('auto', { user: 'ada' });
    if (page.status !== 200) throw new Error(`the sign-in did not work:\n${page.trace}\n${page.text.slice(0, 600)}\n${this.httpd.errorLog().slice(-3000)}`);
    return browser;
  }

  async stop(options) {
    running.delete(this);
    for (const front of this.fronts) await front.close();
    try {
      await this.httpd?.stop(options);
    } finally {
      if (this.own.emu) await this.emu.close();
      if (this.own.backend) await this.backend.close();
    }
  }
}

/** Every `https://host[:port]` of a ServerName leads to the port of its virtual host. */
async function openFronts(recipe, text, ports) {
  for (const [, port, inside] of text.matchAll(/<VirtualHost \*:(\d+)>([\s\S]*?)<\/VirtualHost>/g)) {
    const origin = /^\s*ServerName\s+(https:\/\/\S+)/m.exec(inside)?.[1];
    if (!origin) continue;
    const front = /SSLEngine\s+on/.test(inside) ? await startTlsFront(ports[port]) : { port: ports[port], async close() {} };
    recipe.fronts.push(front);
    recipe.names[origin] = front.port;
    recipe.origin ??= origin;
  }
}

/**
 * Starts conf.d/NAME.conf, or another file by its path. Options: replace (pairs of text of the recipe and what it is here; `(server, recipe) => pairs` too), before (lines of the main
 * server, text or function), files, env, modules (more of them), without (modules that `before` loads), text (instead of the file's; then `modules` are all), emu and backend to share, and those of startHttpd. The backend takes the place of 127.0.0.1:8080.
 */
export async function startRecipe(name, { replace = [], before = '', files, modules = [], without = [], emu, backend, text: given, ...rest } = {}) {
  const text = given ?? textOf(name);
  const own = { emu: !emu, backend: !backend };
  const recipe = new Recipe(emu ?? await startEmulator({ auto: 'ada' }), backend ?? await startEcho(), own);
  running.add(recipe);
  try {
    const numbers = [...new Set([...text.matchAll(/<VirtualHost \*:(\d+)>/g)].map(([, port]) => port))];
    const ports = recipe.ports;
    for (const one of numbers) ports[one] = await freePort();
    await openFronts(recipe, text, ports);
    const hosts = Object.keys(recipe.names).map((origin) => new URL(origin).host);
    await recipe.emu.control('hosts', { redirectHosts: hosts });
    const { cert, key } = credentials();
    const secrets = Object.fromEntries(Object.entries(SECRETS).map(([file, content]) => [`entra/${file}`, { content: `${content}\n`, mode: 0o600 }]));
    recipe.httpd = await startHttpd({
      ...rest,
      modules: [...new Set([...(given ? [] : modulesOf(text)), ...modules])].filter((one) => !without.includes(one)),
      files: { 'htdocs/index.html': `<!doctype html><title>front</title><p>${SECRET_PAGE}</p>\n`, 'tls/cert.pem': cert, 'tls/key.pem': { content: key, mode: 0o600 }, ...secrets, ...files },
      config: (server) => {
        recipe.httpd = server;
        const pairs = typeof replace === 'function' ? replace(server, recipe) : replace;
        const usual = [
          ['/etc/ssl/app/fullchain.pem', server.path('tls/cert.pem')], ['/etc/ssl/app/private.pem', server.path('tls/key.pem')],
          ['/etc/apache2/entra/', `${server.path('entra')}/`], ['/var/www/app', server.docroot], ['/var/lib/mod_entra_sso', server.stateDir],
          ['127.0.0.1:8080', `127.0.0.1:${recipe.backend.port}`], ['@example\\.com', '@contoso\\.example'], ...IDS,
          ...numbers.map((one) => [`*:${one}>`, `127.0.0.1:${ports[one]}>`]),
        ];
        const body = replaced(text, pairs);
        const main = typeof before === 'function' ? before(server, recipe) : before;
        // What mod_ssl warns of is the certificate of the test, made for another name by itself.
        return `${numbers.map((one) => `Listen 127.0.0.1:${ports[one]}`).join('\n')}\n<IfModule ssl_module>\n    LogLevel ssl:error\n</IfModule>\nEntraAuthority ${recipe.emu.url}\n${main}\n${replaced(body, usual.filter(([from]) => body.includes(from)))}`;
      },
    });
    return recipe;
  } catch (error) {
    await recipe.stop({ judge: false }).catch(() => {});
    throw error;
  }
}

/** A recipe for the length of a step; its log is judged. */
export async function withRecipe(name, options, step) {
  const recipe = await startRecipe(name, options);
  try {
    await step(recipe);
  } catch (error) {
    await recipe.stop({ judge: false });
    throw error;
  }
  await recipe.stop();
}

/** Nobody without a session gets in, as a page or as a program. */
export async function assertClosedToStrangers(recipe, target = '/', { origin, leak = SECRET_PAGE, headers } = {}) {
  const page = await recipe.browser().navigate(recipe.at(target, origin), { follow: false, headers });
  assert.equal(page.status, 302, `${target}: ${page.status}\n${page.text.slice(0, 300)}`);
  assert.equal(new URL(page.response.location).origin, new URL(recipe.emu.url).origin);
  assert.equal(new URL(page.response.location).searchParams.get('redirect_uri'), `${origin ?? recipe.origin}/.entra/callback`);
  const program = await recipe.browser().fetch(recipe.at(target, origin), { headers });
  assert.equal(program.status, 401, `${target}: ${program.status}`);
  assert.match(program.header('content-type'), /^application\/problem\+json/);
  for (const answer of [page.response, program]) assert.equal(answer.text.includes(leak), false, 'something of the application in a refusal');
}

/** Signs out as a form of the application does; afterwards the page asks for a sign-in again. */
export async function assertSignsOut(recipe, browser, target = '/', { origin } = {}) {
  const answer = await browser.navigate(recipe.at('/.entra/logout', origin), { method: 'POST', body: '', from: recipe.at(target, origin), follow: false });
  assert.equal(answer.status, 302, answer.text);
  assert.match(answer.response.location, /\/oauth2\/v2\.0\/logout/);
  const next = await browser.navigate(recipe.at(target, origin), { follow: false });
  assert.equal(next.status, 302, `${target} after the sign-out: ${next.status}`);
  assert.match(next.response.location, /\/oauth2\/v2\.0\/authorize/);
}
