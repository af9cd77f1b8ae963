// SPDX-License-Identifier: Apache-2.0
// An embedded database that is out of reach for a while: its folder, which holds nothing else, gives way to one with a file that is no
// database. As a whole, so that nobody meets the file without its log.

import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const hiddenOf = (file) => `${path.dirname(file)}.hidden`;
const otherOf = (file) => `${path.dirname(file)}.none`;

export function hideDatabase(file) {
  const other = otherOf(file);
  const none = path.join(other, path.basename(file));
  mkdirSync(other);
  chmodSync(other, 0o777);
  writeFileSync(none, 'no database\n'.repeat(1000));
  chmodSync(none, 0o666);
  renameSync(path.dirname(file), hiddenOf(file));
  renameSync(other, path.dirname(file));
}

export function showDatabase(file) {
  renameSync(path.dirname(file), otherOf(file));
  renameSync(hiddenOf(file), path.dirname(file));
  rmSync(otherOf(file), { recursive: true });
}
