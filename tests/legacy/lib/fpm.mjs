// SPDX-License-Identifier: Apache-2.0
// A PHP-FPM of the test's own, on a socket as in the recipes.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { until } from '../../e2e/lib/wait.mjs';
import { BUILD, startProgram, temporary } from './packages.mjs';

function program() {
  for (const folder of [path.join(BUILD, 'packages/php-fpm/usr/sbin'), '/usr/sbin']) {
    const name = existsSync(folder) && readdirSync(folder).find((one) => /^php-fpm[\d.]+$/.test(one));
    if (name) return path.join(folder, name);
  }
  return null;
}

const found = program();
const runs = found && spawnSync(found, ['-n', '-v']).status === 0;

/** False, or why there is none. */
export const noFpm = runs ? false : 'PHP-FPM is not there (tests/run legacy unpacks php-fpm)';

/** {socket, log(), close()}; the workers are of the user that httpd's are. */
export async function startFpm({ user, group }) {
  const folder = temporary('fpm');
  const socket = path.join(folder, 'php.sock');
  const owner = process.getuid() === 0 ? `user = ${user}\ngroup = ${group}\nlisten.owner = ${user}\nlisten.group = ${group}\n` : '';
  writeFileSync(path.join(folder, 'fpm.conf'), `
[global]
error_log = ${path.join(folder, 'log')}
daemonize = no
[www]
listen = ${socket}
listen.mode = 0600
${owner}pm = static
pm.max_children = 2
catch_workers_output = yes
`);
  const version = /php-fpm([\d.]+)$/.exec(found)[1];
  // The extensions of this release, as a package that is installed has them.
  const child = startProgram(found, ['-y', path.join(folder, 'fpm.conf'), '-F'], { env: { PHP_INI_SCAN_DIR: `/etc/php/${version}/mods-available` } });
  await until(() => `PHP-FPM to start: ${child.log()}`, () => existsSync(socket));
  return { socket, ...child };
}
