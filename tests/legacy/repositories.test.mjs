// SPDX-License-Identifier: Apache-2.0
// Subversion (conf.d/subversion.conf) and gitweb with git (conf.d/gitweb.conf): Debian's own programs, real repositories, real clients.

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { OTHER_CLIENT } from '../emulator/tenants.mjs';
import { httpdInstalled, missing } from '../e2e/lib/httpd.mjs';
import { assertClosedToStrangers, assertSignsOut, startRecipe, textOf } from '../e2e/lib/recipe.mjs';
import { CLIENT } from '../e2e/lib/site.mjs';
import { fileOf, give, temporary } from './lib/packages.mjs';

const has = (program, ...args) => spawnSync(program, args).status === 0;
const svnModule = (name) => [path.join(httpdInstalled().modules, `mod_${name}.so`), fileOf('libapache2-mod-svn', `usr/lib/apache2/modules/mod_${name}.so`)].find((file) => file && existsSync(file));
const noSvn = missing || (has('svnadmin', '--version') && has('svn', '--version') && svnModule('dav_svn') ? false : 'Subversion is not there (packages subversion and libapache2-mod-svn)');
const hasPerl = has('perl', '-MCGI', '-e', '1');
const noGit = missing || (has('git', '--version') && hasPerl && existsSync('/usr/share/gitweb/gitweb.cgi') && existsSync('/usr/lib/git-core/git-http-backend') ? false : 'gitweb is not there (packages git and libcgi-pm-perl)');

/** A program, with the emulator of this process alive meanwhile: {status, out, err}. */
const run = (program, args, env = {}) => new Promise((resolve) => {
  execFile(program, args, { encoding: 'utf8', env: { PATH: process.env.PATH, HOME: '/nonexistent', LANG: 'C.UTF-8', ...env } }, (error, out, err) => resolve({ status: error ? error.code ?? 1 : 0, out, err }));
});

describe('Subversion', { skip: noSvn }, () => {
  let recipe;

  before(async () => {
    const place = temporary('svn');
    execFileSync('svnadmin', ['create', path.join(place, 'project')]);
    execFileSync('svn', ['mkdir', '-q', '-m', 'begin', `file://${place}/project/trunk`, `file://${place}/project/private`]);
    const text = path.join(place, 'plan.txt');
    writeFileSync(text, 'plan-of-the-project-52af\n');
    execFileSync('svn', ['import', '-q', '-m', 'a plan', text, `file://${place}/project/trunk/plan.txt`]);
    chmodSync(place, 0o755);
    give(path.join(place, 'project'), { uid: Number(execFileSync('id', ['-u', 'www-data'], { encoding: 'utf8' })), gid: Number(execFileSync('id', ['-g', 'www-data'], { encoding: 'utf8' })) });
    // The modules lie where the package was unpacked.
    const text2 = ['dav_svn', 'authz_svn'].map((name) => `LoadModule ${name}_module "${svnModule(name)}"`).join('\n');
    recipe = await startRecipe('subversion', {
      modules: ['dav'],
      without: ['dav_svn', 'authz_svn'],
      before: text2,
      replace: [['/srv/svn', place]],
      files: {
        'entra/svn-access': { content: '[project:/]\nada@contoso.example = r\nbuild-robot = rw\n[project:/private]\nada@contoso.example =\nbuild-robot = rw\n', mode: 0o644 },
        'entra/svn-users': { content: ['build-robot:Robots-1', 'intruder:Intruder-1'].map((line) => line.split(':')).map(([name, word]) => `${name}:{SHA}${createHash('sha1').update(word).digest('base64')}\n`).join(''), mode: 0o644 },
      },
    });
  });

  after(() => recipe?.stop());

  const PLAN = '/svn/project/trunk/plan.txt';
  const svn = (user, password, ...args) => run('svn', [...args, '--non-interactive', '--no-auth-cache', '--username', user, '--password', password, '--trust-server-cert-failures=unknown-ca,cn-mismatch,expired,not-yet-valid,other', '--config-dir', recipe.httpd.path('svn')]);
  const clientUrl = () => `https://127.0.0.1:${recipe.ports['443']}/svn-client/project`;

  test('is closed to strangers', () => assertClosedToStrangers(recipe, PLAN, { leak: 'plan-of' }));

  test('shows a person what the access file grants to that name', async () => {
    const ada = await recipe.signedIn({ path: PLAN });
    assert.match(ada.page.text, /plan-of-the-project-52af/);
    assert.equal((await ada.navigate(recipe.at('/svn/project/private/'), { follow: false })).status, 403);
    const put = await ada.fetch(recipe.at('/svn/project/trunk/new.txt'), { method: 'PUT', body: 'x' });
    assert.notEqual(put.status, 201);
    await recipe.emu.control('auto', { user: 'noroles' });
    assert.equal((await recipe.browser().navigate(recipe.at(PLAN))).status, 403);
    await recipe.emu.control('auto', { user: 'ada' });
    recipe.httpd.allow(/AH01631|AH01630|\[dav:|\[authz_svn:/);
    await assertSignsOut(recipe, ada, PLAN);
  });

  test('lets the named account of a client commit, and no other', async () => {
    const text = recipe.httpd.file('new.txt', 'made-by-the-robot\n');
    const made = await svn('build-robot', 'Robots-1', 'import', '-m', 'by the robot', text, `${clientUrl()}/trunk/robot.txt`);
    assert.equal(made.status, 0, made.err);
    const read = await svn('build-robot', 'Robots-1', 'cat', `${clientUrl()}/trunk/robot.txt`);
    assert.equal(read.out, 'made-by-the-robot\n');
    assert.notEqual((await svn('build-robot', 'wrong', 'cat', `${clientUrl()}/trunk/plan.txt`)).status, 0);
    assert.notEqual((await svn('intruder', 'Intruder-1', 'cat', `${clientUrl()}/trunk/plan.txt`)).status, 0);
    recipe.httpd.expect(/AH01617: user build-robot/, /Access denied: 'intruder'/);
  });
});

/** The lines of /etc/gitweb.conf that the head of the recipe shows. */
const gitwebConf = () => textOf('gitweb').split('# git has no browser')[0].split('\n').map((line) => /^# {5}(.*)$/.exec(line)?.[1]).filter((line) => line !== undefined);

describe('gitweb and git', { skip: noGit }, () => {
  let recipe;

  before(async () => {
    const place = temporary('git');
    const git = (...args) => execFileSync('git', args, { env: { PATH: process.env.PATH, HOME: place, GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@example.com', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@example.com' }, stdio: ['ignore', 'pipe', 'ignore'] });
    for (const name of ['project', 'vault']) {
      const work = path.join(place, `work-${name}`);
      git('init', '-q', '-b', 'main', work);
      writeFileSync(path.join(work, 'README'), `readme-of-${name}-8d21\n`);
      git('-C', work, 'add', 'README');
      git('-C', work, 'commit', '-q', '-m', `begin ${name}`);
      mkdirSync(path.join(place, 'srv'), { recursive: true });
      git('clone', '-q', '--bare', work, path.join(place, `srv/${name}.git`));
    }
    writeFileSync(path.join(place, 'srv/vault.git/members'), 'root@contoso.example\n');
    const conf = path.join(place, 'gitweb.conf');
    const lines = gitwebConf().map((line) => line.replace('/srv/git', path.join(place, 'srv')));
    assert.ok(lines.length >= 7, 'the head of the recipe shows the configuration of gitweb');
    writeFileSync(conf, `${lines.join('\n')}\n1;\n`);
    recipe = await startRecipe('gitweb', {
      modules: ['env'],
      // The repositories belong to root here; git asks for that.
      before: 'SetEnv GIT_CONFIG_COUNT 1\nSetEnv GIT_CONFIG_KEY_0 safe.directory\nSetEnv GIT_CONFIG_VALUE_0 *\n<Directory "/usr/share/gitweb">\n    Require all granted\n</Directory>\n<Directory "/usr/lib/git-core">\n    Require all granted\n</Directory>',
      replace: [['"/etc/gitweb.conf"', `"${conf}"`], ['GIT_PROJECT_ROOT "/srv/git"', `GIT_PROJECT_ROOT "${path.join(place, 'srv')}"`]],
    });
  });

  after(() => recipe?.stop());

  test('is closed to strangers', () => assertClosedToStrangers(recipe, '/gitweb.cgi', { leak: 'project.git' }));

  test('shows a person the projects of that name', async () => {
    const ada = await recipe.signedIn({ path: '/gitweb.cgi' });
    assert.match(ada.page.text, /project\.git/);
    assert.equal(/vault\.git/.test(ada.page.text), false);
    assert.notEqual((await ada.navigate(recipe.at('/gitweb.cgi?p=vault.git;a=summary'))).status, 200);
    const root = await recipe.signedIn({ user: 'root', path: '/gitweb.cgi?p=vault.git;a=summary' });
    assert.match(root.page.text, /begin vault/);
    await assertSignsOut(recipe, ada, '/gitweb.cgi');
  });

  test('lets git clone with an access token, and not without', async () => {
    const mint = async (more) => (await recipe.emu.control('mint', { kind: 'access', client_id: OTHER_CLIENT, resource: CLIENT, ...more })).token;
    const clone = (token, name) => run('git', ['-c', 'http.sslVerify=false', ...(token ? ['-c', `http.extraHeader=Authorization: Bearer ${token}`] : []), 'clone', '-q', `https://127.0.0.1:${recipe.ports['443']}/git/project.git`, recipe.httpd.path(name)], { GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1' });
    const good = await clone(await mint({ user: 'ada', scopes: ['access_as_user'] }), 'clone');
    assert.equal(good.status, 0, good.err);
    assert.equal(recipe.httpd.read('clone/README'), 'readme-of-project-8d21\n');
    assert.notEqual((await clone(null, 'none')).status, 0);
    assert.notEqual((await clone(await mint({ user: 'noroles', scopes: ['Other.Read'] }), 'other')).status, 0);
    recipe.httpd.allow(/AH01631/, /AH01215/);
  });
});
