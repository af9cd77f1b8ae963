// SPDX-License-Identifier: Apache-2.0
// The Chromium of these tests, and where their pictures go.

import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { missing } from '../e2e/lib/httpd.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
export const SCREENSHOTS = process.env.ENTRA_SCREENSHOTS ?? path.resolve(HERE, '../../build/screenshots');
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];

/** Why these tests cannot run; false when they can. */
export const skip = missing || (existsSync(CHROMIUM) ? false : `there is no ${CHROMIUM} (set CHROMIUM)`);

/** A browser; there is a folder for its pictures. */
export function startChromium() {
  mkdirSync(SCREENSHOTS, { recursive: true });
  return chromium.launch({ executablePath: CHROMIUM, args: ARGS });
}
