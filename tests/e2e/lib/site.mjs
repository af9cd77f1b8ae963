// SPDX-License-Identifier: Apache-2.0
// A whole site for a test: Entra emulator, an application behind a proxy, and httpd with a usual protected configuration.

import { after } from 'node:test';
import { CLIENT, CLIENT_SECRET, CONTOSO } from '../../emulator/tenants.mjs';
import { startEmulator } from '../../emulator/server.mjs';
import { Browser } from './browser.mjs';
import { startEcho } from './echo.mjs';
import { configtest, startHttpd, tryStart } from './httpd.mjs';

export { CLIENT, CLIENT_SECRET, CONTOSO };

/** Text that no answer to somebody who is not signed in may contain. */
export const SECRET_PAGE = 'protected-content-4e8d';

const ENV_SCRIPT = '#!/bin/sh\nprintf \'Content-Type: text/plain\\r\\n\\r\\n\'\nenv\n';

export const siteFiles = {
  'client-secret': { content: `${CLIENT_SECRET}\n`, mode: 0o600 },
  'htdocs/index.html': `<!doctype html><title>front</title><p>front ${SECRET_PAGE}</p>\n`,
  'htdocs/page.html': `<!doctype html><title>page</title><p>page ${SECRET_PAGE}</p>\n`,
  'htdocs/public/index.html': '<!doctype html><title>public</title><p>open-content</p>\n',
  'cgi/env': { content: ENV_SCRIPT, mode: 0o755 },
};

export const siteModules = ['proxy', 'proxy_http', 'proxy_wstunnel', 'cgi'];

/** The directives of the application; each can be replaced, and null takes it away. A list stands for several lines. */
export function entraLines(server, emu, changes = {}) {
  const directives = {
    EntraTenant: CONTOSO,
    EntraClientID: CLIENT,
    EntraClientSecret: `"file:${server.path('client-secret')}"`,
    EntraAuthority: emu.url,
    ...changes,
  };
  return Object.entries(directives).filter(([, value]) => value !== null && value !== undefined)
    .flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((one) => `${name} ${one}`)).join('\n');
}

/** `/` protected files, `/app/` proxied, `/public/` open, `/cgi/env` prints its environment. */
export function siteConfig(server, { emu, backend, directives, location = '', extra = '', protect = true }) {
  const guard = protect ? `<Location "/">\n    AuthType Entra\n    Require valid-user\n    ${location}\n</Location>` : '';
  return `
${entraLines(server, emu, directives)}
${guard}
<Location "/public/">
    Require all granted
</Location>
ScriptAlias "/cgi/" "${server.path('cgi')}/"
<Directory "${server.path('cgi')}">
    Require all granted
</Directory>
ProxyPass "/app/" "http://127.0.0.1:${backend.port}/" upgrade=ANY
${typeof extra === 'function' ? extra(server, { emu, backend }) : extra}
`;
}

/** Opens a navigation up to the emulator's answer: page.url is then the callback URL, not yet visited. */
export const isCallback = (url) => new URL(url).pathname.endsWith('/.entra/callback') && /[?&](code|error)=/.test(url);

/** Sites of cases that failed before they stopped theirs: they must not keep the run from ending. */
const open = new Set();
after(async () => { for (const site of open) await site.stop({ judge: false }).catch(() => {}); });

class Site {
  constructor(emu, backend, own) {
    Object.assign(this, { emu, backend, own });
  }

  get url() { return this.httpd.url; }

  get origin() { return this.httpd.origin; }

  at(path) { return this.httpd.origin + path; }

  /** A browser with no cookies that knows this site's names. */
  browser(options = {}) { return new Browser({ ...options, resolve: { ...this.names, ...options.resolve } }); }

  /** A browser that is signed in as `user`. */
  async signedIn({ user, path = '/page.html', ...options } = {}) {
    const browser = this.browser(options);
    const before = user ? this.autoUser : undefined;
    if (user) await this.as(user);
    const page = await browser.navigate(this.at(path));
    if (user && before) await this.as(before);
    if (page.status !== 200) throw new Error(`the sign-in did not work:\n${page.trace}\n${this.httpd.errorLog().slice(-3000)}`);
    return browser;
  }

  /** Who signs in at the emulator from now on, without a page. */
  async as(user) {
    await this.emu.control('auto', { user });
    this.autoUser = user;
  }

  /** Begins a sign-in and holds it before the callback is opened. */
  begin(browser, path = '/page.html', options = {}) { return browser.navigate(path.startsWith('http') ? path : this.at(path), { stopBefore: isCallback, ...options }); }

  /** Calls that the emulator saw at an endpoint since its last reset. */
  calls(endpoint) { return this.emu.stats().endpoints[endpoint] ?? 0; }

  /** The emulator as it was at the start, with the same user at the keyboard. */
  async reset() {
    await this.emu.control('reset', {});
    await this.as(this.firstUser);
    if (this.redirectHosts) await this.emu.control('hosts', { redirectHosts: this.redirectHosts });
  }

  async stop(options) {
    open.delete(this);
    try {
      await this.httpd?.stop(options);
    } finally {
      if (this.own.emu) await this.emu.close();
      if (this.own.backend) await this.backend.close();
    }
  }
}

/**
 * Starts emulator, backend and httpd. Options of httpd (httpd.mjs) go through; further: user (ada), directives {Entra…: value},
 * location (lines inside <Location "/">), extra (lines at the end), protect: false, config(server, site) for a configuration of one's
 * own, emu, backend (to share), names {'https://app.test': 'httpd'}, redirectHosts ['app.test'].
 */
export async function startSite(options = {}) {
  const { user = 'ada', emu: sharedEmu, backend: sharedBackend, names = {}, redirectHosts, config, files, modules, ...rest } = options;
  const own = { emu: !sharedEmu, backend: !sharedBackend };
  const emu = sharedEmu ?? await startEmulator({ auto: user });
  const backend = sharedBackend ?? await startEcho();
  const site = new Site(emu, backend, own);
  open.add(site);
  Object.assign(site, { firstUser: user, autoUser: user, redirectHosts });
  try {
    await site.as(user);
    if (redirectHosts) await emu.control('hosts', { redirectHosts });
    site.httpd = await startHttpd({
      ...rest,
      modules: [...siteModules, ...(modules ?? [])],
      files: { ...siteFiles, ...files },
      config: (server) => (config ? config(server, site) : siteConfig(server, { ...rest, emu, backend })),
    });
    site.names = Object.fromEntries(Object.entries(names).map(([name, port]) => [name, port === 'httpd' ? site.httpd.port : port]));
    return site;
  } catch (error) {
    await site.stop({ judge: false });
    throw error;
  }
}

/** Like startSite, for a configuration that must be refused at start: {started, status, log}. */
export async function trySite(options = {}) {
  const { emu: sharedEmu, backend: sharedBackend, config, files, modules, user = 'ada', ...rest } = options;
  const emu = sharedEmu ?? await startEmulator({ auto: user });
  const backend = sharedBackend ?? await startEcho();
  try {
    return await tryStart({
      ...rest,
      modules: [...siteModules, ...(modules ?? [])],
      files: { ...siteFiles, ...files },
      config: (server) => (config ? config(server, { emu, backend }) : siteConfig(server, { ...rest, emu, backend })),
    });
  } finally {
    if (!sharedEmu) await emu.close();
    if (!sharedBackend) await backend.close();
  }
}

/** httpd -t of a site's configuration: {status, output}. No emulator is asked. */
export function siteConfigtest({ directives, location, extra, config, modules, files, ...rest } = {}) {
  const emu = { url: 'http://127.0.0.1:9' };
  const backend = { port: 9 };
  return configtest({
    ...rest,
    modules: [...siteModules, ...(modules ?? [])],
    files: { ...siteFiles, ...files },
    config: (server) => (config ? config(server, { emu, backend }) : siteConfig(server, { emu, backend, directives, location, extra })),
  });
}
