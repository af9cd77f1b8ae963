// SPDX-License-Identifier: Apache-2.0
// Many sessions that become due at one moment: Entra is asked by two threads of a process at most, and nobody waits for that.

import assert from 'node:assert/strict';
import test, { after, describe } from 'node:test';
import { inParallel } from './lib/checks.mjs';
import { noClock } from './lib/clock.mjs';
import { copyOf } from './lib/cluster.mjs';
import { PROGRAM } from './lib/crowd.mjs';
import { missing, MPM } from './lib/httpd.mjs';
import { closeLeftovers, startEmulator } from './lib/leftovers.mjs';
import { startLine } from './lib/line.mjs';
import { startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const SESSIONS = 300;
/** Of httpd/revalidation.c. */
const THREADS = 2;

after(closeLeftovers);

describe('many sessions due at once', { skip: missing || noClock }, () => {
  test(`${SESSIONS} sessions: Entra is never asked more at once than there are threads, all requests are answered at once, and each is asked about once`, async () => {
    const line = await startLine();
    const emu = await startEmulator({ auto: 'ada', publicUrl: line.url });
    line.to(emu.port);
    const processes = MPM === 'prefork' ? 8 : 2;
    const size = MPM === 'prefork' ? { workers: processes } : { threads: 16, workers: 32 };
    const site = await startSite({ emu, clock: true, processes, ...size, allowLog: [/AH00161: server reached MaxRequestWorkers/] });
    const cookies = [];
    await inParallel(Array.from({ length: SESSIONS }), 2, async () => { cookies.push(copyOf(await site.signedIn())); });
    const calls = () => emu.stats().grants.refresh_token?.calls ?? 0;
    // Each answer takes a while, as at the real one, so that questions that came in a flood would be seen together.
    await emu.control('fault', { endpoint: 'token', grant: 'refresh_token', delayMs: 15 });
    site.httpd.clock.forward(301);
    await emu.control('clock', { offsetSeconds: 301 });
    line.watch(/grant_type=refresh_token/);
    const slowest = { ms: 0 };
    const bad = [];
    const round = () => inParallel(cookies, 8, async (cookie) => {
      const begin = Date.now();
      const { status } = await site.httpd.request({ path: '/page.html', headers: { ...PROGRAM, Cookie: cookie } });
      slowest.ms = Math.max(slowest.ms, Date.now() - begin);
      if (status !== 200) bad.push(status);
    });
    await round();
    assert.ok(calls() < SESSIONS, 'they are still being asked about');
    await until(() => `${calls()} of ${SESSIONS}`, async () => { await round(); return calls() >= SESSIONS; }, { timeout: 60_000 });
    await round();
    assert.deepEqual(bad, []);
    assert.equal(calls(), SESSIONS);
    assert.ok(line.most() >= 1 && line.most() <= THREADS * processes, `${line.most()} at once`);
    assert.ok(slowest.ms < 2000, `a request took ${slowest.ms} ms`);
    await site.stop();
    await line.close();
    await emu.close();
  });
});
