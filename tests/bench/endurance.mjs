#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// 10,000 sign-ins beside 1,000,000 requests: every answer is checked to be for its own user, what has ended must stay ended, and over the
// second half memory, descriptors and threads must not grow. Prints a table (Markdown); ends with 1 when something was wrong.
//
// usage: node tests/bench/endurance.mjs [--signins N] [--requests N]
//
// Needs a build (ENTRA_MODULE names another module); ENTRA_MPM as in tests/e2e. About ten minutes on two cores that do nothing else.

import { parseArgs } from 'node:util';
import { ENDURE, endure, growth } from '../e2e/lib/endure.mjs';
import { missing, MPM } from '../e2e/lib/httpd.mjs';
import { startSite } from '../e2e/lib/site.mjs';

const { values } = parseArgs({ options: { signins: { type: 'string', default: '10000' }, requests: { type: 'string', default: '1000000' } } });
const signIns = Number(values.signins);
const requests = Number(values.requests);
if (missing || !(signIns > 0) || !(requests > 0)) {
  process.stderr.write(`endurance: ${missing || '--signins and --requests want numbers'}\n`);
  process.exit(2);
}
/** KiB for all processes: a leak of 20 bytes for each request of the second half is more. */
const GROWN = Math.max(6 * 1024, Math.floor((requests / 2) * 20 / 1024));

const size = MPM === 'prefork' ? { processes: 16, workers: 16 } : { processes: 2, threads: 16, workers: 32 };
const site = await startSite({ ...ENDURE, ...size, allowLog: [/AH00161: /] });
const thousands = (number) => number.toLocaleString('en-US');
let failed = false;
const complain = (text) => { failed = true; console.log(`not so: ${text}`); };
console.log(`${thousands(signIns)} sign-ins, ${thousands(requests)} requests, ${MPM} MPM\n`);
console.log('| Done | After | Sign-ins | Requests | Memory, KiB | Descriptors | Threads |\n|---|---|---|---|---|---|---|');
const tell = ({ samples, signIns: in_, requests: asked }) => {
  const { part, seconds, anonymous, files, threads } = samples.at(-1);
  console.log(`| ${Math.round(part * 100)} % | ${Math.round(seconds)} s | ${thousands(in_)} | ${thousands(asked)} | ${thousands(anonymous)} | ${files} | ${threads} |`);
};
try {
  const done = await endure(site, { signIns, requests, tell });
  console.log(`\n${Math.round(done.requests / done.seconds)} requests and ${(done.signIns / done.seconds).toFixed(1)} sign-ins a second; ${thousands(done.ended)} sessions were ended.`);
  done.violations.forEach(complain);
  growth(done, GROWN).forEach(complain);
  await site.stop();
} catch (error) {
  complain(error.message);
  await site.stop({ judge: false }).catch(() => {});
}
console.log(failed ? '\nnot ok endurance: see above' : '\nok endurance');
process.exit(failed ? 1 : 0);
