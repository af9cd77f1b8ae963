// SPDX-License-Identifier: Apache-2.0
// What is compared: the same httpd with the same file and the same backend, without authentication, with this module, and with
// mod_auth_openidc in both of its forms.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import os from 'node:os';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../../e2e/lib/wait.mjs';
import { CLIENT, CLIENT_SECRET, CONTOSO } from '../../emulator/tenants.mjs';
import { Browser } from '../../e2e/lib/browser.mjs';
import { freePort, startHttpd } from '../../e2e/lib/httpd.mjs';

const REPO = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const EMULATOR = path.join(REPO, 'tests/emulator/server.mjs');
const KIB = 'x'.repeat(1024);
/** A cookie of the application itself, as most have one. */
const OTHER_COOKIES = 'theme=dark; lang=el';

export const FILE = '/small.txt';
export const PROXIED = '/app/small.txt';

/** A folder with a CA and a certificate of it for 127.0.0.1. */
function makeCertificate() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-bench-tls-'));
  const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  writeFileSync(path.join(folder, 'names'), 'subjectAltName=IP:127.0.0.1\n');
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=bench', '-addext', 'basicConstraints=critical,CA:TRUE');
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'host.key', '-out', 'host.csr', '-subj', '/CN=host');
  openssl('x509', '-req', '-in', 'host.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-out', 'host.pem', '-extfile', 'names');
  return folder;
}

/** The emulator in a process of its own, so that it takes no time of who measures. */
export async function startProvider({ user = 'ada', tls = false } = {}) {
  const folder = tls ? makeCertificate() : null;
  const files = tls ? ['--tls-cert', path.join(folder, 'host.pem'), '--tls-key', path.join(folder, 'host.key')] : [];
  const child = spawn(process.execPath, [EMULATOR, '--auto', user, '--quiet', ...files], { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = () => { child.kill(); if (folder) rmSync(folder, { recursive: true, force: true }); };
  process.once('exit', end);
  const [line] = await Promise.race([
    new Promise((resolve) => { createInterface({ input: child.stdout }).once('line', (text) => resolve([text])); }),
    new Promise((_, reject) => { child.once('exit', (code) => reject(new Error(`the emulator ended with ${code}`))); }),
  ]);
  const { url } = JSON.parse(line);
  const { request } = tls ? https : http;
  const call = (name, body, method = body === undefined ? 'GET' : 'POST') => new Promise((resolve, reject) => {
    const asked = request(`${url}/_control/${name}`, { method, rejectUnauthorized: false, agent: false }, async (answer) => {
      const parts = [];
      for await (const part of answer) parts.push(part);
      const text = Buffer.concat(parts).toString();
      if (answer.statusCode === 200) resolve(JSON.parse(text)); else reject(new Error(`the emulator refused ${name}: ${answer.statusCode} ${text}`));
    });
    asked.on('error', reject).end(body && JSON.stringify(body));
  });
  return { url, ca: folder && path.join(folder, 'ca.pem'), control: call, stats: () => call('stats'), close() { process.off('exit', end); end(); } };
}

/** What stands behind the proxy: another httpd, which is faster than the one that is measured. */
export const startBackend = (under) => startHttpd({
  withModule: false, mpm: 'event', processes: 2, threads: 64, workers: 256, under, files: { 'htdocs/small.txt': KIB }, config: 'MaxKeepAliveRequests 0',
});

const entraLines = (server, { provider, lines = '' }) => `
EntraTenant ${CONTOSO}
EntraClientID ${CLIENT}
EntraClientSecret "file:${server.path('client-secret')}"
EntraAuthority ${provider.url}
${provider.ca ? 'EntraTrustedCA "ca.pem"' : ''}
${lines}
`;

const rivalLines = (server, { provider, rival }, type) => `
LoadModule auth_openidc_module "${rival}"
OIDCProviderMetadataURL ${provider.url}/${CONTOSO}/v2.0/.well-known/openid-configuration
OIDCClientID ${CLIENT}
OIDCClientSecret ${CLIENT_SECRET}
OIDCRedirectURI ${server.origin}/.entra/callback
OIDCCryptoPassphrase 5f1c0e9a7b3d
${provider.ca ? 'OIDCSSLValidateServer Off' : ''}
OIDCRemoteUserClaim preferred_username
OIDCScope "openid profile email"
OIDCCookieSameSite On
OIDCCacheType shm
OIDCCacheShmMax 16384
OIDCSessionType ${type}
`;

/** The lines that make a server of each kind, and how its `/` is guarded. */
export const KINDS = {
  none: { label: 'without authentication', lines: () => '', guard: 'Require all granted' },
  entra: { label: 'mod_entra_sso', withModule: true, lines: entraLines, guard: 'AuthType Entra\n    Require valid-user' },
  rivalServer: { label: 'mod_auth_openidc, server cache', lines: (server, around) => rivalLines(server, around, 'server-cache'), guard: 'AuthType openid-connect\n    Require valid-user' },
  rivalClient: { label: 'mod_auth_openidc, client cookie', lines: (server, around) => rivalLines(server, around, 'client-cookie'), guard: 'AuthType openid-connect\n    Require valid-user' },
};

/** A server of one kind. `around`: {provider, backend, rival, lines}; further options go to httpd. */
export async function startServer(kind, around, options = {}) {
  const { label, withModule = false, lines, guard } = KINDS[kind];
  const port = await freePort();
  const server = await startHttpd({
    withModule,
    logLevel: 'warn',
    modules: ['proxy', 'proxy_http'],
    files: { 'client-secret': { content: `${CLIENT_SECRET}\n`, mode: 0o600 }, 'htdocs/small.txt': KIB, ...(around.provider.ca ? { 'ca.pem': readFileSync(around.provider.ca, 'utf8') } : {}) },
    config: (self) => `
MaxKeepAliveRequests 0
KeepAliveTimeout 60
${lines(self, around)}
<Location "/">
    ${guard}
</Location>
<Location "/open/">
    AuthType None
    Require all granted
</Location>
ProxyPass "/app/" "http://127.0.0.1:${around.backend?.port ?? port}/" keepalive=On
`,
    ...options,
  });
  // A sign-in begins as soon as the provider's documents are there.
  if (kind !== 'none') await until(`${label} to begin a sign-in`, async () => (await server.request({ path: FILE, headers: { Accept: 'text/html' }, timeout: 60_000 })).status === 302);
  return Object.assign(server, { kind, label });
}

/** The Cookie header of somebody who is signed in at a server; of nobody in particular where none is needed. */
export async function cookiesOf(server, target = FILE) {
  if (server.kind === 'none') return OTHER_COOKIES;
  const browser = new Browser();
  const page = await browser.navigate(server.origin + target, { timeout: 60_000 });
  if (page.status !== 200) throw new Error(`${server.label}: the sign-in did not work:\n${page.trace}\n${server.errorLog().slice(-3000)}`);
  const [theme, lang] = OTHER_COOKIES.split('; ');
  return `${theme}; ${browser.cookies.header(new URL(server.origin), {})}; ${lang}`;
}
