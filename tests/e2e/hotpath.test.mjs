// SPDX-License-Identifier: Apache-2.0
// A request with a session costs no heap, no lock, no file and no call to anybody: counted in a running httpd.

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { describe } from 'node:test';
import { difference, makeCounter, noCounts } from './lib/callcount.mjs';
import { Connection } from './lib/http.mjs';
import { hasModule, missing } from './lib/httpd.mjs';
import { startSite } from './lib/site.mjs';

const REQUESTS = 200;

for (const mpm of ['prefork', 'event']) {
  describe(`calls of a request, ${mpm}`, { skip: missing || noCounts || (hasModule(`mpm_${mpm}`) ? false : `there is no ${mpm}`) }, () => {
    test('a session costs nothing that a request without protection does not cost', async () => {
      const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-count-'));
      chmodSync(folder, 0o755);
      const counter = makeCounter(folder);
      const site = await startSite({
        mpm,
        // One process that serves.
        ...(mpm === 'event' ? { processes: 1, threads: 4, workers: 4 } : { processes: 1, workers: 1 }),
        env: counter.env,
        logLevel: 'warn',
        files: { 'htdocs/open/page.html': '<p>open</p>\n', 'htdocs/closed/page.html': '<p>shut</p>\n', 'htdocs/pass/page.html': '<p>pass</p>\n', 'htdocs/token/page.html': '<p>token</p>\n' },
        directives: {
          EntraHeader: ['X-Remote-User "%{preferred_username}"', 'X-Name64 "%{name}" base64', 'X-NameP "%{name}" percent', 'X-Dept "%{extn.dept}"'],
          EntraEnv: ['WHO "%{oid}@%{tid}"'],
          EntraRole: ['staff group=0f1e2d3c-4b5a-4968-8776-655443322110 role=app.admin', 'contoso claim:preferred_username=root@contoso.example'],
        },
        location: 'EntraRemoteUser "%{preferred_username}" "^([^@]+)@"',
        extra: () => `
MaxKeepAliveRequests 0
<Location "/closed/">
    <RequireAll>
        Require valid-user
        Require entra-role contoso staff
        Require entra-tenant 7f3a1c52-9d0e-4b6a-8c41-2e5d90b7a613
        Require entra-claim preferred_username ~ "^root@"
    </RequireAll>
</Location>
<Location "/open/">
    AuthType None
    Require all granted
</Location>
<Location "/token/">
    EntraAccessToken User.Read
</Location>
<Location "/pass/">
    EntraUnauthenticated pass
    Require all granted
</Location>`,
      });
      try {
        const browser = await site.signedIn({ user: 'root', path: '/closed/page.html' });
        const cookie = `theme=dark; ${browser.cookies.header(new URL(site.origin), {})}; lang=el`;
        const connection = await Connection.open(site.httpd.port);
        const run = async (name, { headers = [['Cookie', cookie]], requests = REQUESTS, status = 200 } = {}) => {
          const before = counter.counts();
          for (let i = 0; i < requests; i += 1) {
            const response = await connection.request({ path: name, host: `localhost:${site.httpd.port}`, close: false, headers });
            assert.equal(response.status, status, name);
          }
          return difference(before, counter.counts());
        };
        // The access token is fetched here; from then on it is in memory.
        for (const name of ['/open/page.html', '/closed/page.html', '/pass/page.html', '/token/page.html']) await run(name);

        counter.arm();
        const closed = await run('/closed/page.html');
        const pass = await run('/pass/page.html');
        const token = await run('/token/page.html');
        counter.disarm();
        const inside = counter.inside();
        const open = await run('/open/page.html');
        connection.close();

        assert.ok(open.served >= REQUESTS && closed.served >= REQUESTS, `${JSON.stringify(open)} ${JSON.stringify(closed)}`);
        // Exact: nothing is called while the module is on the stack.
        for (const [kind, count] of Object.entries(inside)) assert.equal(count, 0, `${count} calls of kind ${kind} from inside the module in ${3 * REQUESTS} requests\n${counter.stacks()}`);
        // And as a whole. On event the listener and its queues take locks as the connection's timing has it, for any request.
        for (const [name, counts] of [['closed', closed], ['pass', pass], ['token', token]]) {
          for (const kind of ['allocate', 'free', 'mutex', 'rwlock', 'semaphore', 'connect', 'send', 'open', 'random'].filter((one) => mpm === 'prefork' || one !== 'mutex')) {
            const more = counts[kind] - open[kind];
            const allowed = mpm === 'event' && ['allocate', 'free'].includes(kind) ? REQUESTS / 20 : 0;
            assert.ok(more <= allowed, `${name}: ${more} more calls of kind ${kind} in ${REQUESTS} requests (open: ${JSON.stringify(open)}, ${name}: ${JSON.stringify(counts)})`);
          }
        }

        // The counter does see the module: the start of a sign-in takes a lock and random bytes.
        counter.arm();
        const other = await Connection.open(site.httpd.port);
        const start = await other.request({ path: '/closed/page.html', host: `localhost:${site.httpd.port}`, headers: [['Accept', 'text/html']] });
        other.close();
        assert.equal(start.status, 302);
        counter.disarm();
        assert.ok(counter.inside().mutex > 0, `${JSON.stringify(counter.inside())}`);
      } finally {
        counter.close();
        await site.stop({ judge: false });
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });
}
