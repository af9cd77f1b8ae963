// SPDX-License-Identifier: Apache-2.0
// Waiting for an event with a deadline. Nothing in the tests sleeps for a fixed time, unless the time itself is what is promised.

import { setTimeout as pause } from 'node:timers/promises';

const STEP = 20;

/** Asks `probe` until it gives something true; throws with `what` when the deadline passes. */
export async function until(what, probe, { timeout = 10_000, step = STEP } = {}) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() >= deadline) throw new Error(`waited ${timeout} ms in vain: ${typeof what === 'function' ? what() : what}`);
    await pause(step);
  }
}

/** After an outage of the database each process leaves it alone for a second (docs/failure.md); then all of them ask again. */
export const databaseIsTriedAgain = () => pause(1_200);
