// SPDX-License-Identifier: Apache-2.0
// The short form of tests/bench/endurance.mjs: no session is lost or mixed up, none comes back, and nothing is left lying about.

import assert from 'node:assert/strict';
import test, { after, describe } from 'node:test';
import { ENDURE, endure, growth } from './lib/endure.mjs';
import { missing, MPM } from './lib/httpd.mjs';
import { closeLeftovers, startSite } from './lib/leftovers.mjs';

const SIGN_INS = 200;
const REQUESTS = 20_000;
/** KiB: what pools and caches still take so early. A leak of a hundred bytes for each request would be a third of it. */
const GROWN = 6 * 1024;

after(closeLeftovers);

describe('endurance', { skip: missing }, () => {
  test(`${SIGN_INS} sign-ins and ${REQUESTS} requests: every answer is for its own user, and the processes hold no more at the end`, { timeout: 240_000 }, async (t) => {
    const size = MPM === 'prefork' ? { processes: 16, workers: 16 } : { processes: 2, threads: 16, workers: 32 };
    const site = await startSite({ ...ENDURE, ...size, allowLog: [/AH00161: /] });
    const done = await endure(site, { signIns: SIGN_INS, requests: REQUESTS });
    t.diagnostic(JSON.stringify(done.samples.map(({ part, anonymous, files, threads }) => [part, anonymous, files, threads])));
    assert.deepEqual(done.violations, []);
    assert.deepEqual([done.signIns, done.requests], [SIGN_INS, REQUESTS]);
    assert.ok(done.ended >= 5, `${done.ended} sign-outs`);
    if (!process.env.ENTRA_PRELOAD) assert.deepEqual(growth(done, GROWN), []);
    await site.stop();
  });
});
