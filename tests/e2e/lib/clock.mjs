// SPDX-License-Identifier: Apache-2.0
// A wall clock for httpd that a test can move while it runs: eight hours pass in no time. Needs a C compiler.

import { spawnSync } from 'node:child_process';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = path.join(path.dirname(fileURLToPath(import.meta.url)), 'clockshift.c');
const compiler = process.env.CC ?? 'cc';

/** A reason to skip, or false. */
export const noClock = spawnSync(compiler, ['--version']).status === 0 ? false : `there is no C compiler (${compiler}) for the movable clock`;

/** {library, file, set(seconds), shift}: `set` moves the clock of every process that has the library and the file. */
export function makeClock(folder) {
  const library = path.join(folder, 'clockshift.so');
  const built = spawnSync(compiler, ['-shared', '-fPIC', '-O1', '-o', library, SOURCE], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`the movable clock was not built: ${built.stderr}`);
  const file = path.join(folder, 'clock');
  writeFileSync(file, Buffer.alloc(8), { mode: 0o644 });
  const clock = {
    library,
    file,
    shift: 0,
    set(seconds) {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(BigInt(seconds));
      const fd = openSync(file, 'r+');
      writeSync(fd, bytes, 0, 8, 0);
      closeSync(fd);
      clock.shift = seconds;
    },
    forward(seconds) { clock.set(clock.shift + seconds); },
  };
  return clock;
}
