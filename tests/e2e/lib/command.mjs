// SPDX-License-Identifier: Apache-2.0
// The command entra-sso of the build under test, as an administrator calls it at a node.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { MODULE } from './httpd.mjs';

export const COMMAND = path.join(path.dirname(MODULE), '..', 'entra-sso');

/** A reason to skip, or false. */
export const noCommand = existsSync(COMMAND) ? false : 'entra-sso is not built';

/** entra-sso --config of this node: {status, out, err}. The emulator of the test goes on meanwhile. */
export function entraSso(node, ...args) {
  const all = ['--config', node.httpd.configFile, '--httpd', node.httpd.program, ...args];
  return new Promise((resolve, reject) => {
    execFile(COMMAND, all, { encoding: 'utf8', env: { PATH: process.env.PATH, ASAN_OPTIONS: 'detect_leaks=0' } }, (error, out, err) => {
      if (/Sanitizer|runtime error:/.test(err)) reject(new Error(err));
      resolve({ status: error ? error.code : 0, out, err });
    });
  });
}
