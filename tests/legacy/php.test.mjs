// SPDX-License-Identifier: Apache-2.0
// PHP under PHP-FPM, as in conf.d/php-fpm.conf, and DokuWiki as Debian packages it, as in conf.d/dokuwiki.conf with the plugin beside it.

import assert from 'node:assert/strict';
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { missing } from '../e2e/lib/httpd.mjs';
import { assertClosedToStrangers, assertSignsOut, startRecipe, textOf } from '../e2e/lib/recipe.mjs';
import { noFpm, startFpm } from './lib/fpm.mjs';
import { absent, give, rewrite, temporary, transplant } from './lib/packages.mjs';

const CONF = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../conf.d');
const SOCKET = '/run/php/php-fpm.sock';
const noWiki = absent(['dokuwiki', 'usr/share/dokuwiki/doku.php'], ['php-phpseclib', 'usr/share/php/phpseclib'], ['libphp-simplepie', 'usr/share/php/simplepie']);

const SCRIPT = `<?php
header('Content-Type: application/json');
$own = array_filter($_SERVER, fn ($name) => str_starts_with($name, 'HTTP_X_ENTRA'), ARRAY_FILTER_USE_KEY);
echo json_encode(['user' => $_SERVER['REMOTE_USER'] ?? null, 'given' => $_SERVER['GIVEN_NAME'] ?? null, 'name' => $_SERVER['ENTRA_NAME'] ?? null, 'headers' => $own]);
`;

const owner = () => {
  const line = ['www-data', 'apache', 'nobody'].map((name) => readFileSync('/etc/passwd', 'utf8').split('\n').find((one) => one.startsWith(`${name}:`))).find(Boolean).split(':');
  const group = readFileSync('/etc/group', 'utf8').split('\n').find((one) => one.split(':')[2] === line[3]).split(':')[0];
  return { user: line[0], group, uid: Number(line[2]), gid: Number(line[3]) };
};

describe('PHP-FPM', { skip: missing || noFpm }, () => {
  let fpm;
  let recipe;

  before(async () => {
    fpm = await startFpm(owner());
    recipe = await startRecipe('php-fpm', { files: { 'htdocs/index.php': SCRIPT }, replace: [[SOCKET, fpm.socket]] });
  });

  after(async () => {
    try {
      await recipe?.stop();
    } finally {
      await fpm?.close();
    }
  });

  test('is closed to strangers', () => assertClosedToStrangers(recipe, '/index.php', { leak: '"user"' }));

  test('finds the user, and no request header of ours', async () => {
    const ada = await recipe.signedIn({ path: '/index.php' });
    assert.deepEqual(ada.page.json(), { user: 'ada', given: 'Ada', name: 'Ada Example', headers: [] });
    const forged = await ada.navigate(recipe.at('/index.php'), { headers: { 'Given-Name': 'Root', Given_Name: 'Root', 'X-Entra-User': 'root', 'Remote-User': 'root' } });
    assert.deepEqual(forged.json(), ada.page.json());
    await assertSignsOut(recipe, ada, '/index.php');
  });

  test('takes nobody of another domain for its own', async () => {
    await recipe.emu.control('auto', { user: 'guest' });
    const page = await recipe.browser().navigate(recipe.at('/index.php'));
    await recipe.emu.control('auto', { user: 'ada' });
    assert.equal(page.status, 403);
    recipe.httpd.expect(/ENTRA1410/);
  });
});

describe('DokuWiki', { skip: missing || noFpm || noWiki }, () => {
  let fpm;
  let recipe;

  before(async () => {
    const people = owner();
    const root = temporary('dokuwiki');
    transplant(root, 'dokuwiki');
    // Its links there lead to what the package leaves to others.
    rmSync(path.join(root, 'usr/share/php'), { recursive: true });
    transplant(root, 'php-phpseclib', 'php-geshi', 'libphp-simplepie');
    const own = (name) => path.join(root, name);
    const moved = ['/etc/dokuwiki', '/var/lib/dokuwiki', '/usr/share/dokuwiki', '/usr/share/php'].map((name) => [name, own(name)]);
    const composer = readdirSync(own('usr/share/dokuwiki/vendor/composer')).filter((name) => name.endsWith('.php')).map((name) => `usr/share/dokuwiki/vendor/composer/${name}`);
    for (const name of ['usr/share/dokuwiki/inc/preload.php', 'usr/share/dokuwiki/inc/load.php', 'etc/dokuwiki/dokuwiki.php', ...composer]) rewrite(own(name), moved);
    cpSync(path.join(CONF, 'dokuwiki/authentra'), own('var/lib/dokuwiki/lib/plugins/authentra'), { recursive: true });
    // The lines of local.php that the head of the recipe shows, and no others.
    const lines = textOf('dokuwiki').split('\n').map((line) => /^# {5}(\$conf.*)$/.exec(line)?.[1]).filter(Boolean);
    assert.equal(lines.length, 4);
    writeFileSync(own('etc/dokuwiki/local.php'), `<?php\n${lines.join('\n')}\n`);
    // In this file DokuWiki writes a dot as %2e.
    writeFileSync(own('var/lib/dokuwiki/acl/acl.auth.php'), '# <?php exit()?>\n* @ALL 0\n* @user 1\n* @app%2ereader 8\nsecret:* @user 0\nsecret:* @app%2ereader 0\n');
    give(own('var/lib/dokuwiki'), people);
    give(own('etc/dokuwiki'), people);
    fpm = await startFpm(people);
    writeFileSync(own('usr/share/dokuwiki/.user.ini'), `include_path = ".:${own('usr/share/php')}"\n`);
    recipe = await startRecipe('dokuwiki', { replace: [[SOCKET, fpm.socket], ['/usr/share/dokuwiki', own('usr/share/dokuwiki')]], before: `<Directory "${root}">\n    Require all granted\n</Directory>` });
  });

  after(async () => {
    try {
      await recipe?.stop();
    } finally {
      await fpm?.close();
    }
  });

  const who = (page) => /class="user">[\s\S]*?<bdi>([^<]*)<\/bdi>/.exec(page.text)?.[1];

  test('is closed to strangers', () => assertClosedToStrangers(recipe, '/doku.php', { leak: 'dokuwiki' }));

  test('greets the user, and asks for no password of its own', async () => {
    const ada = await recipe.signedIn({ path: '/doku.php' });
    assert.equal(who(ada.page), 'Ada Example', ada.page.text.slice(0, 3000));
    assert.equal(/do=login/.test(ada.page.text), false);
    await assertSignsOut(recipe, ada, '/doku.php');
  });

  test('grants by roles', async () => {
    const ada = await recipe.signedIn({ path: '/doku.php' });
    const edit = await ada.navigate(recipe.at('/doku.php?id=notes&do=edit'));
    assert.match(edit.text, /name="wikitext"/);
    const nora = await recipe.signedIn({ user: 'noroles', path: '/doku.php' });
    assert.equal(/name="wikitext"/.test((await nora.navigate(recipe.at('/doku.php?id=notes&do=edit'))).text), false);
    assert.match((await ada.navigate(recipe.at('/doku.php?id=secret:plans&do=edit'))).text, /Permission Denied/);
    const root = await recipe.signedIn({ user: 'root', path: '/doku.php?id=secret:plans&do=edit' });
    assert.match(root.page.text, /name="wikitext"/);
    assert.match((await root.navigate(recipe.at('/doku.php?do=admin'))).text, /do=admin&amp;page=acl/);
  });

  test('believes no header', async () => {
    const nora = await recipe.signedIn({ user: 'noroles', path: '/doku.php' });
    const forged = await nora.navigate(recipe.at('/doku.php?do=admin'), { headers: { 'X-Entra-User': 'root', 'X-Entra-Roles': 'app.admin', 'Entra-Roles': 'app.admin', 'Remote-User': 'root', Authorization: `Basic ${Buffer.from('root:x').toString('base64')}` } });
    assert.equal(who(forged), 'Nora Noroles');
    assert.equal(/page=acl/.test(forged.text), false);
  });

  test('keeps its configuration and data to itself', async () => {
    const ada = await recipe.signedIn({ path: '/doku.php' });
    for (const target of ['/inc/init.php', '/vendor/autoload.php', '/bin/dwpage.php', '/conf/local.php']) {
      assert.notEqual((await ada.navigate(recipe.at(target), { follow: false })).status, 200, target);
    }
    recipe.httpd.allow(/AH01630|AH01071/);
  });
});
