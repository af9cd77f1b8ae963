// SPDX-License-Identifier: Apache-2.0
// Waiting for an event with a deadline. Nothing in the tests sleeps for a fixed time.

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
