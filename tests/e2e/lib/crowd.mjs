// SPDX-License-Identifier: Apache-2.0
// A crowd of people who are signed in and ask without a pause, while something is broken under them.

import assert from 'node:assert/strict';
import { HttpError } from './http.mjs';
import { until } from './wait.mjs';

export const PROGRAM = { Accept: 'application/json' };
const CONNECTION = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/** What a request brought: 'good', 'gone' (nobody answered, or a balancer said so: no word of ours), or a text of what else. */
async function outcome(request) {
  let answer;
  try {
    answer = await request;
  } catch (error) {
    if (CONNECTION.has(error.code) || (error instanceof HttpError && /connection ended/.test(error.message))) return 'gone';
    throw error;
  }
  const ended = answer.cookies.filter((line) => /Max-Age=0/i.test(line));
  if (ended.length) return `a cookie is taken away: ${ended[0].slice(0, 60)}`;
  if (answer.status === 200) return 'good';
  return [502, 503].includes(answer.status) && !/ENTRA/.test(answer.text) ? 'gone' : `${answer.status} ${answer.location ?? answer.text.slice(0, 200)}`;
}

/**
 * Runs `step(enough)` while `width` people ask `ask(cookie, path)` in turn with these cookies; `await enough(n)` waits for n more good
 * answers. Gives {good, gone, slowest (ms)}, and fails when anybody was refused.
 */
export async function whileAsking({ ask, cookies, width = 4, paths = ['/page.html', '/app/who'] }, step) {
  const seen = { good: 0, gone: 0, slowest: 0 };
  const others = [];
  let running = true;
  const person = async (first) => {
    for (let round = first; running; round += 1) {
      const path = paths[round % paths.length];
      const begin = Date.now();
      const what = await outcome(ask(cookies[round % cookies.length], path));
      if (what === 'good') seen.slowest = Math.max(seen.slowest, Date.now() - begin);
      if (what in seen) seen[what] += 1;
      else others.push(`${path}: ${what}`);
      if (what === 'gone') await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
  };
  const crowd = Promise.all(Array.from({ length: width }, (_, i) => person(i)));
  const enough = async (count) => {
    const from = seen.good;
    await until(() => `${count} good answers: ${JSON.stringify(seen)} ${others.slice(0, 3)}`, () => seen.good >= from + count, { timeout: 30_000 });
  };
  try {
    await enough(10);
    await step(enough, seen);
    await enough(10);
  } finally {
    running = false;
    await crowd;
  }
  assert.deepEqual(others.slice(0, 5), [], 'nobody is refused');
  return seen;
}
