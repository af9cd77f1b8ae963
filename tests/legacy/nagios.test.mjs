// SPDX-License-Identifier: Apache-2.0
// Nagios 4 as it was written, in C, as CGI, in 1999: it knows its user from REMOTE_USER and grants by name. Nothing in it is changed.
// Its programs come from Debian's package, unpacked (NAGIOS_CGI names the folder), with a configuration and a status file of our own,
// and httpd's is conf.d/nagios.conf.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { missing } from '../e2e/lib/httpd.mjs';
import { assertClosedToStrangers, assertSignsOut, startRecipe } from '../e2e/lib/recipe.mjs';

const BUILD = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../build');
const FOLDERS = [process.env.NAGIOS_CGI, path.join(BUILD, 'packages/nagios4-cgi/usr/lib/cgi-bin/nagios4'), '/usr/lib/cgi-bin/nagios4'];
const programs = FOLDERS.find((folder) => folder && existsSync(path.join(folder, 'status.cgi')));
const skip = missing || (programs ? false : 'the Nagios programs are not there (package nagios4-cgi; set NAGIOS_CGI)');

const OBJECTS = `
define timeperiod {
\ttimeperiod_name\talways
\talias\tAlways
\tmonday\t00:00-24:00
\t}
define command {
\tcommand_name\tping
\tcommand_line\t/bin/true
\t}
define contact {
\tcontact_name\tada@contoso.example
\thost_notification_period\talways
\tservice_notification_period\talways
\thost_notification_commands\tping
\tservice_notification_commands\tping
\t}
define host {
\thost_name\tmail-gateway
\taddress\t192.0.2.25
\tcheck_command\tping
\tcheck_period\talways
\tmax_check_attempts\t3
\tcontacts\tada@contoso.example
\tnotification_period\talways
\t}
`;

const STATUS = (now) => `
info {
\tcreated=${now}
\tversion=4.4.6
\t}
programstatus {
\tprogram_start=${now}
\tnagios_pid=1
\t}
hoststatus {
\thost_name=mail-gateway
\tcurrent_state=0
\thas_been_checked=1
\tlast_check=${now}
\tplugin_output=PING OK
\t}
`;

const PROGRAM = (name) => ({ content: readFileSync(path.join(programs, name)), mode: 0o755 });

/** Who may see what, in the words of the recipe's head. */
function writeConfiguration(server) {
  const file = (name, ...lines) => server.file(`nagios/${name}`, `${lines.join('\n')}\n`);
  const at = (name) => server.path('nagios', name);
  file('nagios.cfg', `object_cache_file=${at('objects.cache')}`, `status_file=${at('status.dat')}`, `log_file=${at('nagios.log')}`);
  file('cgi.cfg', `main_config_file=${at('nagios.cfg')}`, `physical_html_path=${at('html')}`, 'url_html_path=/nagios4', 'use_authentication=1',
    'authorized_for_system_information=root@contoso.example', 'authorized_for_all_hosts=root@contoso.example', 'escape_html_tags=1');
}

const HOSTS = '/nagios4/cgi-bin/status.cgi?host=all&style=hostdetail';
const PROCESS = '/nagios4/cgi-bin/extinfo.cgi?type=0';
const loggedIn = (page) => /Logged in as <i>([^<]*)<\/i>/.exec(page.text)?.[1];

describe('Nagios 4, a CGI program that reads REMOTE_USER', { skip }, () => {
  let site;

  before(async () => {
    site = await startRecipe('nagios', {
      modules: ['env'],
      files: {
        'nagios/programs/status.cgi': PROGRAM('status.cgi'),
        'nagios/programs/extinfo.cgi': PROGRAM('extinfo.cgi'),
        'nagios/objects.cache': OBJECTS,
        'nagios/status.dat': STATUS(Math.floor(Date.now() / 1000)),
        'nagios/nagios.log': '',
        'nagios/html/index.html': '<!doctype html><title>nagios-front-3b9f</title>\n',
        'nagios/style/common.css': 'body { color: black }\n',
      },
      before: (server) => { writeConfiguration(server); return `SetEnv NAGIOS_CGI_CONFIG "${server.path('nagios/cgi.cfg')}"`; },
      replace: (server) => [['/usr/lib/cgi-bin/nagios4', server.path('nagios/programs')], ['/usr/share/nagios4/htdocs', server.path('nagios/html')], ['/etc/nagios4/stylesheets', server.path('nagios/style')]],
    });
  });

  after(() => site?.stop());

  test('sends somebody unknown to the sign-in, and runs nothing for him', async () => {
    await assertClosedToStrangers(site, HOSTS, { leak: 'mail-gateway' });
    await assertClosedToStrangers(site, '/nagios4/index.html', { leak: 'nagios-front' });
    await assertClosedToStrangers(site, '/nagios4/stylesheets/common.css', { leak: 'color' });
  });

  test('is over with the sign-out', async () => {
    const ada = await site.signedIn({ path: HOSTS });
    assert.equal((await ada.navigate(site.at('/nagios4/index.html'))).status, 200);
    await assertSignsOut(site, ada, HOSTS);
  });

  test('greets the person by name and shows the hosts this name is a contact of', async () => {
    const ada = await site.signedIn({ path: HOSTS });
    assert.equal(ada.page.path, HOSTS);
    assert.equal(loggedIn(ada.page), 'ada@contoso.example');
    assert.match(ada.page.text, /mail-gateway/);
    const process = await ada.navigate(site.at(PROCESS));
    assert.match(process.text, /do not have permission to view process information/);
  });

  test('gives an administrator what the configuration of Nagios grants to that name', async () => {
    const rosa = await site.signedIn({ user: 'root', path: PROCESS });
    assert.equal(loggedIn(rosa.page), 'root@contoso.example');
    assert.match(rosa.page.text, /Program Start Time/);
    assert.match((await rosa.navigate(site.at(HOSTS))).text, /mail-gateway/);
  });

  test('shows nothing to a person whom it does not know', async () => {
    const nora = await site.signedIn({ user: 'noroles', path: HOSTS });
    assert.equal(loggedIn(nora.page), 'noroles@contoso.example');
    assert.equal(nora.page.text.includes('mail-gateway'), false);
  });

  test('is not fooled by a name in the request', async () => {
    const nora = await site.signedIn({ user: 'noroles', path: HOSTS });
    const headers = { 'Remote-User': 'root@contoso.example', Remote_User: 'root@contoso.example', 'X-Entra-User': 'root@contoso.example', Authorization: `Basic ${Buffer.from('root@contoso.example:x').toString('base64')}` };
    const page = await nora.navigate(site.at(PROCESS), { headers });
    assert.equal(loggedIn(page), 'noroles@contoso.example');
    assert.match(page.text, /do not have permission to view process information/);
  });
});
