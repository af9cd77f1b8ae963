// SPDX-License-Identifier: Apache-2.0
// A disk of a test's own, small enough to fill, and one that can turn read-only: a tmpfs that is mounted over a folder.

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const run = (program, ...args) => {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
};
const mounted = new Set();
process.on('exit', () => { for (const folder of mounted) spawnSync('umount', ['-l', folder]); });

/** A disk over `folder`, of that owner and mode. */
export function mountDisk(folder, { uid = 0, gid = 0, mode = 0o700, size = '4m' } = {}) {
  mkdirSync(folder, { recursive: true });
  run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'none', folder);
  mounted.add(folder);
  chownSync(folder, uid, gid);
  chmodSync(folder, mode);
  const filler = path.join(folder, 'filler');
  return {
    /** Not a byte is left. */
    fill() {
      for (const size of [1 << 20, 4096]) {
        for (;;) {
          try {
            writeFileSync(filler, Buffer.alloc(size), { flag: 'a' });
          } catch (error) {
            if (error.code !== 'ENOSPC') throw error;
            break;
          }
        }
      }
      if (statSync(filler).size === 0) throw new Error('nothing was filled');
    },
    free() { rmSync(filler, { force: true }); },
    /** From now on nothing can be written, by root neither. The kernel refuses while somebody has a file open for writing. */
    readOnly() { run('mount', '-o', 'remount,ro', folder); },
    writable() { run('mount', '-o', 'remount,rw', folder); },
    unmount() { mounted.delete(folder); run('umount', '-l', folder); },
  };
}

/** A reason to skip, or false: mounting needs rights that not every container gives. */
export const noDisk = (() => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'entra-e2e-disk-'));
  try {
    mountDisk(folder).unmount();
    return false;
  } catch (error) {
    return `no disk can be mounted here: ${error.message.trim()}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
})();
