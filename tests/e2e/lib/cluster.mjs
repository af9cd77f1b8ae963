// SPDX-License-Identifier: Apache-2.0
// A cluster: nodes with folders of their own and one key file, one PostgreSQL, and a balancer that sends each request to another node.

import { readFileSync, renameSync } from 'node:fs';
import { SESSION_COOKIE } from './checks.mjs';
import { PROGRAM } from './crowd.mjs';
import { CGI_DAEMON, startHttpd } from './httpd.mjs';
import { startPostgres } from './postgres.mjs';
import { startSite } from './site.mjs';
import { until } from './wait.mjs';

const HOST = 'app.test';
const ORIGIN = `https://${HOST}`;
const SID_SCRIPT = '#!/bin/sh\nprintf \'Content-Type: text/plain\\r\\n\\r\\n\'\necho "$ENTRA_SID"\n';

/** The cookies of a browser as somebody else copied them. */
export const copyOf = (browser) => browser.cookies.all.filter(({ name }) => SESSION_COOKIE.test(name)).map(({ name, value }) => `${name}=${value}`).join('; ');

// A node that is gone is tried again after a second; no stickiness, and no memory of who served whom. A connection is used once:
// one that was kept belongs to a process that may have been killed.
const balancerConfig = (nodes) => `
<Proxy "balancer://nodes">
${nodes.map(({ httpd }) => `    BalancerMember "http://127.0.0.1:${httpd.port}" retry=1 disablereuse=on`).join('\n')}
    ProxySet lbmethod=byrequests
</Proxy>
ProxyPreserveHost On
ProxyTimeout 20
ProxyPass "/" "balancer://nodes/"
`;

class Cluster {
  constructor(nodes, balancer, postgres) {
    Object.assign(this, { nodes, balancer, postgres });
    [this.one, this.two] = nodes;
  }

  get emu() { return this.one.emu; }

  get backend() { return this.one.backend; }

  origin = ORIGIN;

  at(path) { return ORIGIN + path; }

  /** A browser whose requests go to the balancer, or to one node alone. */
  browser(node) { return this.one.browser({ resolve: { [ORIGIN]: (node?.httpd ?? this.balancer).port } }); }

  async signedIn({ user, node } = {}) {
    if (user) await this.one.as(user);
    const browser = this.browser(node);
    const page = await browser.navigate(this.at('/page.html'));
    if (user) await this.one.as(this.one.firstUser);
    if (page.status !== 200) throw new Error(`the sign-in did not work:\n${page.trace}\n${this.nodes.map(({ httpd }) => httpd.errorLog().slice(-1500)).join('\n')}`);
    return browser;
  }

  /** One request with this cookie at one node itself, as a program. */
  onNode(node, cookie, path = '/page.html', headers = PROGRAM) {
    return node.httpd.request({ path, host: HOST, headers: { ...headers, Cookie: cookie } });
  }

  async sidOf(cookie) { return (await this.onNode(this.one, cookie, '/cgi/sid')).text.trim(); }

  signOut(browser, query = '') {
    return browser.navigate(this.at(`/.entra/logout${query}`), { method: 'POST', body: '', from: this.at('/page.html'), follow: false });
  }

  /** The node as by a power cut: every process of it at once. What it leaves in the log is announced. */
  async kill(node) {
    node.httpd.allow(/AH00098: pid file .* overwritten/, CGI_DAEMON);
    process.kill(-node.httpd.pid, 'SIGKILL');
    await until('the node to be gone', () => !node.httpd.alive);
  }

  /** Copies the key file of one node to another, as the manual says: aside, then into its place. */
  copyKeys(from, to) {
    const aside = to.httpd.file('state/new.keys', { content: readFileSync(from.httpd.keyFile), mode: 0o600 });
    renameSync(aside, to.httpd.keyFile);
  }

  async stop({ judge = true } = {}) {
    try {
      await this.balancer.stop({ judge: false });
      for (const node of [...this.nodes].reverse()) await node.stop({ judge });
    } finally {
      this.postgres.kill();
    }
  }
}

/** Starts it. Options are those of startSite, for each node; `count` nodes (2). Skip with noPostgres where there is none. */
export async function startCluster({ count = 2, directives, files, location = '', ...options } = {}) {
  const postgres = startPostgres();
  const nodes = [];
  const common = {
    serverName: ORIGIN,
    redirectHosts: [HOST],
    location: `EntraEnv ENTRA_SID "%{sid}"\n    ${location}`,
    directives: { EntraDatabase: `"pgsql:${postgres.conninfo}"`, ...directives },
    ...options,
  };
  try {
    for (let i = 0; i < count; i += 1) {
      const [first] = nodes;
      const keys = first ? { 'state/cookie.keys': { content: readFileSync(first.httpd.keyFile), mode: 0o600 } } : {};
      const shared = first ? { emu: first.emu, backend: first.backend } : {};
      nodes.push(await startSite({ ...common, ...shared, files: { 'cgi/sid': { content: SID_SCRIPT, mode: 0o755 }, ...keys, ...files } }));
    }
    const balancer = await startHttpd({
      withModule: false,
      mpm: 'event',
      serverName: ORIGIN,
      modules: ['proxy', 'proxy_http', 'proxy_balancer', 'lbmethod_byrequests', 'slotmem_shm'],
      workers: 64,
      threads: 32,
      config: balancerConfig(nodes),
    });
    return new Cluster(nodes, balancer, postgres);
  } catch (error) {
    for (const node of nodes.reverse()) await node.stop({ judge: false }).catch(() => {});
    postgres.kill();
    throw error;
  }
}
