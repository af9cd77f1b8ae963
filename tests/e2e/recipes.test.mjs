// SPDX-License-Identifier: Apache-2.0
// The configurations of conf.d whose applications need no further package: each runs as it stands. Others are in tests/legacy.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import http from 'node:http';
import { describe, test } from 'node:test';
import { groups, OTHER_CLIENT } from '../emulator/tenants.mjs';
import { CGI_ENV, cgiVars } from './lib/backends.mjs';
import { headerOf, makeFrame, startEcho } from './lib/echo.mjs';
import { Connection, request } from './lib/http.mjs';
import { missing } from './lib/httpd.mjs';
import { noPostgres, startPostgres } from './lib/postgres.mjs';
import { assertClosedToStrangers, assertSignsOut, startRecipe, startTlsFront, withRecipe } from './lib/recipe.mjs';
import { CLIENT, SECRET_PAGE } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const ADA = 'ada@contoso.example';
const STAFF = '0f1e2d3c-4b5a-4968-8776-655443322110';
const DRAFTS = groups.find(({ key }) => key === 'finance').id;
const variable = (response, name) => cgiVars(response).find(([known]) => known === name)?.[1];
const basic = (user, password) => ({ Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` });
const account = (user, password) => `${user}:{SHA}${createHash('sha1').update(password).digest('base64')}\n`;

/** A parameter of the authorize requests of a navigation. */
const asked = (page, name) => page.visited(/\/authorize\?/).map((url) => new URL(url).searchParams.get(name));

/** Who the application behind the proxy sees. */
const seen = async (recipe, browser, target, name = 'x-entra-user', origin = undefined) => headerOf((await browser.navigate(recipe.at(target, origin))).json(), name);

describe('the recipes of conf.d', { skip: missing }, () => {
  test('the site of the first hour', async () => {
    const page = readFileSync(new URL('../../docs/first-hour.md', import.meta.url), 'utf8');
    const [, text] = /```apache\n(<VirtualHost[\s\S]*?)```/.exec(page);
    await withRecipe('first-hour', { text, modules: ['ssl'] }, async (recipe) => {
      await assertClosedToStrangers(recipe);
      const ada = await recipe.signedIn();
      assert.equal((await ada.fetch(recipe.at('/.entra/session'))).json().user, ADA);
      await assertSignsOut(recipe, ada);
    });
  });

  test('minimal: a static site', async () => {
    await withRecipe('minimal', {}, async (recipe) => {
      await assertClosedToStrangers(recipe);
      const ada = await recipe.signedIn();
      assert.match(ada.page.text, new RegExp(SECRET_PAGE));
      assert.equal((await ada.fetch(recipe.at('/.entra/session'))).json().user, ADA);
      await assertSignsOut(recipe, ada);
    });
  });

  test('cgi: a CGI program', async () => {
    await withRecipe('cgi', {
      files: { 'programs/env': CGI_ENV },
      replace: (server) => [['/usr/lib/cgi-bin/app', server.path('programs')]],
    }, async (recipe) => {
      await assertClosedToStrangers(recipe, '/cgi-bin/env', { leak: 'REMOTE_USER' });
      const ada = await recipe.signedIn({ path: '/cgi-bin/env' });
      assert.equal(variable(ada.page.response, 'REMOTE_USER'), ADA);
      assert.equal(variable(ada.page.response, 'USER_MAIL'), ADA);
      assert.equal(variable(ada.page.response, 'HTTP_X_ENTRA_USER'), undefined);
      const forged = await ada.navigate(recipe.at('/cgi-bin/env'), { headers: { 'User-Mail': 'root@contoso.example', 'Remote-User': 'root' } });
      assert.equal(variable(forged.response, 'HTTP_USER_MAIL'), undefined);
      assert.equal(variable(forged.response, 'REMOTE_USER'), ADA);
      await assertSignsOut(recipe, ada, '/cgi-bin/env');
    });
  });

  test('monitoring: Prometheus by its address, the administrator by a role, this machine by itself', async () => {
    await withRecipe('monitoring', { replace: [['Administrator', 'app.reader']], expectLog: [/AH01630: /, /AH01631: /] }, async (recipe) => {
      const stranger = recipe.browser();
      assert.equal((await stranger.navigate(recipe.at('/-/metrics'))).status, 403, 'another address than that of Prometheus');
      assert.equal((await stranger.navigate(recipe.at('/-/local-status'))).status, 200);
      assert.equal((await stranger.fetch(recipe.at('/-/status'))).status, 401);
      const ada = await recipe.signedIn();
      const page = await ada.navigate(recipe.at('/-/status'));
      assert.equal(page.status, 200);
      assert.match(page.text, /https:\/\/app\.example\.com/);
      const nora = await recipe.signedIn({ user: 'noroles' });
      assert.equal((await nora.navigate(recipe.at('/-/status'))).status, 403);
    });
    await withRecipe('monitoring', { replace: [['192.0.2.10', '127.0.0.1']] }, async (recipe) => {
      assert.match((await recipe.browser().fetch(recipe.at('/-/metrics'))).text, /^entra_build_info\{/m);
    });
  });

  test('reverse-proxy: an application behind the proxy', async () => {
    await withRecipe('reverse-proxy', {}, async (recipe) => {
      await assertClosedToStrangers(recipe);
      const ada = await recipe.signedIn();
      assert.deepEqual(headerOf(ada.page.json(), 'remote-user'), [ADA]);
      assert.deepEqual(headerOf(ada.page.json(), 'remote-name'), ['Ada%20Example']);
      const open = await recipe.browser().navigate(recipe.at('/healthz'), { headers: { 'Remote-User': 'root' } });
      assert.deepEqual([open.status, headerOf(open.json(), 'remote-user')], [200, []]);
      assert.equal((await recipe.browser().navigate(recipe.at('/api/'), { follow: false })).status, 401);
      await assertSignsOut(recipe, ada);
    });
  });

  test('roles-and-groups: rules by role, group and domain', async () => {
    await withRecipe('roles-and-groups', { replace: [['1a2b3c4d-0000-4000-8000-9e0f1a2b3c4d', DRAFTS], ['entra-domain example.com', 'entra-domain contoso.example']] }, async (recipe) => {
      await assertClosedToStrangers(recipe);
      const ada = await recipe.signedIn();
      assert.match(headerOf(ada.page.json(), 'x-entra-roles')[0], /\beditor\b/);
      assert.equal((await ada.navigate(recipe.at('/admin/'))).status, 403);
      recipe.httpd.expect(/AH01631: user ada@contoso\.example: .*"\/admin\/"/);
      const root = await recipe.signedIn({ user: 'root', path: '/admin/' });
      assert.equal(root.page.status, 200);
      // Editors of the group of drafts get there. Whose group, domain or role is another does not, and gets no further sign-in.
      assert.equal((await ada.navigate(recipe.at('/drafts/'))).json().url, '/drafts/');
      const outside = async (user, set) => {
        await recipe.emu.control('user', { user, set });
        const browser = await recipe.signedIn({ user });
        return [(await browser.navigate(recipe.at('/drafts/'), { follow: false })).status, (await browser.fetch(recipe.at('/.entra/session'))).json().user];
      };
      assert.deepEqual(await outside('root', {}), [403, 'root@contoso.example'], 'an editor who is not in the group');
      assert.deepEqual(await outside('guest', { groups: [STAFF, DRAFTS] }), [403, 'grace@partner.example'], 'an editor of the group, of another domain');
      assert.deepEqual(await outside('eleni', { groups: [DRAFTS] }), [403, 'eleni@contoso.example'], 'of the group and the domain, but no editor');
      recipe.httpd.expect(...['root@contoso', 'grace@partner', 'eleni@contoso'].map((name) => new RegExp(`AH01631: user ${name}\\.example: .*"/drafts/"`)));
      await assertSignsOut(recipe, ada);
    });
  });

  test('bearer: people in a browser, and programs with tokens', async () => {
    await withRecipe('bearer', { replace: [['5c2e9d4b-0000-4000-8000-0e3f6a8b7c21', OTHER_CLIENT]] }, async (recipe) => {
      await assertClosedToStrangers(recipe);
      const ada = await recipe.signedIn();
      assert.equal((await ada.fetch(recipe.at('/api/'))).status, 403);
      recipe.httpd.expect(/AH01631: user ada@contoso\.example: .*"\/api\/"/);
      const call = (token) => recipe.browser().fetch(recipe.at('/api/'), { headers: { Authorization: `Bearer ${token}` } });
      const mint = async (more) => (await recipe.emu.control('mint', { kind: 'access', client_id: OTHER_CLIENT, resource: CLIENT, ...more })).token;
      const granted = await call(await mint({ user: 'ada', scopes: ['Orders.Read'] }));
      assert.deepEqual([granted.status, headerOf(granted.json(), 'x-entra-user'), headerOf(granted.json(), 'authorization')], [200, [ADA], []]);
      const robot = await call(await mint({ user: null, roles: ['orders.robot'] }));
      assert.deepEqual([robot.status, headerOf(robot.json(), 'x-entra-user')], [200, [`app:${OTHER_CLIENT}`]]);
      assert.equal((await call(await mint({ user: 'ada', scopes: ['Other.Read'] }))).status, 403);
      await assertSignsOut(recipe, ada);
    });
  });

  test('step-up: a context for some pages, a fresh sign-in for others', async () => {
    await withRecipe('step-up', {}, async (recipe) => {
      await assertClosedToStrangers(recipe);
      await recipe.emu.control('contexts', { contexts: { c1: {} } });
      const ada = await recipe.signedIn();
      const page = await ada.navigate(recipe.at('/payments/'));
      assert.equal(page.status, 200, page.trace);
      assert.equal(page.visited(/\/authorize\?/).length, 1);
      assert.equal((await ada.navigate(recipe.at('/payments/'), { follow: false })).status, 200);
      assert.equal((await ada.navigate(recipe.at('/payroll/'), { follow: false })).status, 403);
      recipe.httpd.expect(/AH01631: .*"\/payments\/"/, /AH01631: .*"\/payroll\/"/);
      await assertSignsOut(recipe, ada);
      // A sign-in of two hours ago has the context and is made afresh all the same; a program is told so.
      await recipe.emu.control('auto', { user: 'ada', ageSeconds: 7200 });
      const late = recipe.browser();
      assert.equal((await late.navigate(recipe.at('/payments/'))).status, 200);
      const program = await late.fetch(recipe.at('/payments/approve/'));
      assert.deepEqual([program.status, program.json().error], [401, 'ENTRA1517']);
      const approve = await late.navigate(recipe.at('/payments/approve/'));
      assert.deepEqual([approve.status, approve.json().url, asked(approve, 'max_age')], [200, '/payments/approve/', ['600']], approve.trace);
      assert.equal((await late.navigate(recipe.at('/payments/approve/'), { follow: false })).status, 200);
      // At the shared desk the accounts are shown, on other pages they are not; who is signed in works on.
      for (const [target, prompt] of [['/shared-desk/', 'select_account'], ['/', null]]) {
        const page = await recipe.browser().navigate(recipe.at(target), { follow: false });
        assert.equal(new URL(page.response.location).searchParams.get('prompt'), prompt, target);
      }
      await assertClosedToStrangers(recipe, '/shared-desk/');
      assert.equal((await late.navigate(recipe.at('/shared-desk/'), { follow: false })).status, 200);
    });
  });

  test('access-tokens: a token for each backend', async () => {
    const others = [await startEcho(), await startEcho()];
    try {
      await withRecipe('access-tokens', {
        replace: [...others.map((one, i) => [`127.0.0.1:808${i + 1}`, `127.0.0.1:${one.port}`]), ['api://orders.example.com', `api://${OTHER_CLIENT}`], ['api://reports.example.com', `api://${CLIENT}`]],
      }, async (recipe) => {
        await assertClosedToStrangers(recipe);
        const ada = await recipe.signedIn();
        const [orders] = await seen(recipe, ada, '/orders/', 'x-entra-access-token');
        assert.match(orders, /^ey/);
        const reports = (await ada.navigate(recipe.at('/reports/'))).json();
        assert.match(headerOf(reports, 'authorization')[0], /^Bearer ey/);
        assert.deepEqual(headerOf(reports, 'x-entra-access-token'), []);
        assert.deepEqual(await seen(recipe, ada, '/', 'x-entra-access-token'), []);
        await assertSignsOut(recipe, ada);
      });
    } finally {
      for (const one of others) await one.close();
    }
  });

  test('single-page: a script with its API', async () => {
    await withRecipe('single-page', { files: { 'htdocs/manifest.webmanifest': '{"name":"orders"}' } }, async (recipe) => {
      await assertClosedToStrangers(recipe);
      const stranger = recipe.browser();
      const refused = await stranger.fetch(recipe.at('/api/orders'));
      assert.equal(refused.status, 401);
      assert.equal(refused.json().login, `${recipe.origin}/.entra/login?rd=${encodeURIComponent('/')}`);
      assert.equal((await stranger.navigate(recipe.at('/api/orders'), { follow: false })).status, 401);
      assert.equal((await stranger.fetch(recipe.at('/manifest.webmanifest'), { credentials: 'omit' })).status, 200);
      const ada = await recipe.signedIn({ path: '/orders/17' });
      assert.match(ada.page.text, new RegExp(SECRET_PAGE));
      const answer = await ada.fetch(recipe.at('/api/orders'));
      assert.deepEqual([answer.status, headerOf(answer.json(), 'x-entra-user')], [200, [ADA]]);
      assert.equal((await ada.fetch(recipe.at('/api/orders'), { method: 'POST', body: '{}' })).status, 200);
      const sibling = await ada.fetch(recipe.at('/api/orders'), { method: 'POST', body: '{}', from: 'https://blog.example.com/', credentials: 'include' });
      assert.equal(sibling.status, 403);
      const nora = await recipe.signedIn({ user: 'noroles' });
      assert.equal((await nora.fetch(recipe.at('/api/orders'))).status, 403);
      recipe.httpd.expect(/AH01630: .*referer: https:\/\/blog\.example\.com/, /AH01631: user noroles@contoso\.example/);
      await assertSignsOut(recipe, ada);
    });
  });

  test('websocket: a handshake with a session opens, any other does not', async () => {
    await withRecipe('websocket', {}, async (recipe) => {
      await assertClosedToStrangers(recipe);
      const ada = await recipe.signedIn();
      const cookie = ada.cookies.header(new URL(recipe.at('/ws/')), { crossSite: false, lax: true });
      const shake = async (headers) => {
        const connection = await Connection.open(recipe.names[recipe.origin]);
        connection.write(`${['GET /ws/chat HTTP/1.1', 'Host: app.example.com', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...headers].join('\r\n')}\r\n\r\n`);
        return [connection, await connection.response()];
      };
      for (const [headers, status] of [
        [['Origin: https://app.example.com'], 401],
        [[`Cookie: ${cookie}`, 'Origin: https://evil.example'], 403],
        [[`Cookie: ${cookie}`], 403],
      ]) {
        const [connection, answer] = await shake(headers);
        connection.close();
        assert.equal(answer.status, status, headers.join());
      }
      recipe.httpd.expect(/AH01630: client denied/);
      assert.equal(recipe.backend.upgrades, 0);
      const [connection, answer] = await shake([`Cookie: ${cookie}`, 'Origin: https://app.example.com']);
      assert.equal(answer.status, 101);
      assert.deepEqual(headerOf(recipe.backend.last(), 'x-entra-user'), [ADA]);
      connection.write(makeFrame(1, 'hello', Buffer.from([1, 2, 3, 4])));
      assert.deepEqual(await connection.bytes(7), makeFrame(1, 'hello'));
      connection.close();
      await assertSignsOut(recipe, ada);
    });
  });

  test('paths: several applications under paths of one host', async () => {
    const others = [await startEcho(), await startEcho(), await startEcho()];
    try {
      await withRecipe('paths', { replace: others.map((one, i) => [`127.0.0.1:808${i + 1}`, `127.0.0.1:${one.port}`]) }, async (recipe) => {
        for (const target of ['/', '/wiki/', '/tickets/', '/new/']) await assertClosedToStrangers(recipe, target);
        assert.equal((await recipe.browser().navigate(recipe.at('/status/'))).status, 200);
        const ada = await recipe.signedIn({ path: '/wiki/x' });
        assert.deepEqual(headerOf(ada.page.json(), 'x-remote-user'), [ADA]);
        assert.equal(ada.page.json().url, '/x');
        assert.equal((await ada.navigate(recipe.at('/tickets/'))).status, 403);
        recipe.httpd.expect(/AH01631: user ada: .*"\/tickets\/"/);
        const root = await recipe.signedIn({ user: 'root', path: '/tickets/' });
        assert.deepEqual(headerOf(root.page.json(), 'x-entra-user'), ['root']);
        assert.deepEqual(await seen(recipe, root, '/wiki/'), ['root@contoso.example']);
        await assertSignsOut(recipe, ada, '/wiki/');
      });
    } finally {
      for (const one of others) await one.close();
    }
  });

  test('several-applications: hosts with sessions of their own, and two that share one', async () => {
    const echo = await startEcho();
    try {
      const [wiki, tickets, data, plots] = ['wiki', 'tickets', 'data.lab', 'plots.lab'].map((name) => `https://${name}.example.com`);
      await withRecipe('several-applications', { replace: [1, 2, 3, 4].map((i) => [`127.0.0.1:808${i}`, `127.0.0.1:${echo.port}`]) }, async (recipe) => {
        for (const origin of [wiki, tickets, data, plots]) await assertClosedToStrangers(recipe, '/', { origin });
        const ada = await recipe.signedIn({ origin: wiki });
        assert.equal((await ada.navigate(recipe.at('/', tickets), { follow: false })).status, 302);
        assert.equal((await ada.navigate(recipe.at('/', data))).status, 200);
        assert.equal((await ada.navigate(recipe.at('/', plots), { follow: false })).status, 200, 'the session of one laboratory host is good on the other');
        await assertSignsOut(recipe, ada, '/', { origin: plots });
        assert.equal((await ada.navigate(recipe.at('/', data), { follow: false })).status, 302);
        assert.equal((await ada.navigate(recipe.at('/', wiki), { follow: false })).status, 200);
      });
    } finally {
      await echo.close();
    }
  });

  test('several-tenants: people of the listed tenants, and of no other', async () => {
    await withRecipe('several-tenants', {}, async (recipe) => {
      await assertClosedToStrangers(recipe);
      const ada = await recipe.signedIn();
      const fabian = await recipe.signedIn({ user: 'fab' });
      const [one, other] = [ada, fabian].map(({ page }) => headerOf(page.json(), 'x-entra-user')[0]);
      assert.match(one, /^[0-9a-f-]{36}@7f3a1c52-/);
      assert.match(other, /^[0-9a-f-]{36}@2b8e4d10-/);
      assert.deepEqual(headerOf(fabian.page.json(), 'x-display-name'), ['fab@fabrikam.example']);
      await recipe.emu.control('auto', { user: 'msa' });
      const personal = await recipe.browser().navigate(recipe.at('/'));
      assert.notEqual(personal.status, 200);
      assert.equal(personal.text.includes('x-entra-user'), false);
      await recipe.emu.control('auto', { user: 'ada' });
      await assertSignsOut(recipe, ada);
    });
  });

  test('balancer: TLS ends in front of httpd', async () => {
    await withRecipe('balancer', { replace: [['192.0.2.10', '127.0.0.1']] }, async (recipe) => {
      const inner = recipe.names[recipe.origin];
      const { cert, key } = { cert: readFileSync(recipe.httpd.path('tls/cert.pem')), key: readFileSync(recipe.httpd.path('tls/key.pem')) };
      // Passes what it gets on, with the visitor's address; and hostile headers as well.
      const balancer = https.createServer({ cert, key }, (req, res) => {
        const headers = { ...req.headers, 'x-forwarded-for': '203.0.113.7', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http' };
        req.pipe(http.request({ port: inner, host: '127.0.0.1', method: req.method, path: req.url, headers }, (answer) => { res.writeHead(answer.statusCode, answer.rawHeaders); answer.pipe(res); }));
      });
      await new Promise((resolve) => { balancer.listen(0, '127.0.0.1', resolve); });
      try {
        const front = await startTlsFront(balancer.address().port);
        recipe.fronts.push(front);
        recipe.names[recipe.origin] = front.port;
        await assertClosedToStrangers(recipe);
        assert.equal((await recipe.browser().navigate(recipe.at('/healthz'))).status, 200);
        const ada = await recipe.signedIn();
        assert.deepEqual(headerOf(ada.page.json(), 'x-entra-user'), [ADA]);
        assert.deepEqual(headerOf(ada.page.json(), 'x-forwarded-proto'), ['https']);
        assert.match(ada.cookies.all.map(({ name }) => name).join(), /__Host-Entra-Session/);
        await recipe.httpd.waitForAccess(/^203\.0\.113\.7 - ada@contoso\.example .*"GET \/ HTTP\/1\.1" 200/m);
        await assertSignsOut(recipe, ada);
      } finally {
        balancer.closeAllConnections();
        balancer.close();
      }
    });
  });

  test('the site of the Docker image', async () => {
    await withRecipe('packaging/docker/app.conf', {
      replace: (server, recipe) => [['/run/secrets/', `${server.path('entra')}/`], ['http://app:8080/', `http://127.0.0.1:${recipe.backend.port}/`]],
    }, async (recipe) => {
      await assertClosedToStrangers(recipe);
      assert.equal((await recipe.browser().navigate(recipe.at('/healthz'))).status, 200);
      const ada = await recipe.signedIn();
      assert.deepEqual(headerOf(ada.page.json(), 'x-entra-user'), [ADA]);
      await assertSignsOut(recipe, ada);
    });
  });

  test('cluster: a session of one node is good, and ended, on the other', { skip: noPostgres }, async () => {
    const postgres = startPostgres();
    const nodes = [];
    try {
      const replace = [['host=db.example.com dbname=entra user=entra passfile=/etc/apache2/entra/pgpass sslmode=verify-full', postgres.conninfo]];
      const one = await startRecipe('cluster', { replace });
      nodes.push(one);
      const keys = { 'state/cookie.keys': { content: readFileSync(one.httpd.keyFile), mode: 0o600 } };
      const two = await startRecipe('cluster', { replace, files: keys, emu: one.emu, backend: one.backend });
      nodes.push(two);
      await assertClosedToStrangers(one);
      const ada = await one.signedIn();
      const at = (node) => { ada.resolve[one.origin] = node.names[node.origin]; };
      at(two);
      const there = await ada.navigate(two.at('/'), { follow: false });
      assert.deepEqual([there.status, headerOf(there.json(), 'x-entra-user')], [200, [ADA]]);
      const copy = ada.cookies.header(new URL(one.at('/')), { crossSite: false, lax: true });
      await assertSignsOut(two, ada);
      const ask = async () => (await request(one.names[one.origin], { path: '/', headers: { Host: 'app.example.com', Cookie: copy, 'Sec-Fetch-Mode': 'cors' } })).status;
      await until('the first node to know the end of the session', async () => (await ask()) === 401);
    } finally {
      for (const node of nodes.reverse()) await node.stop({ judge: !process.exitCode });
      postgres.kill();
    }
  });

  test('local-accounts: two people get in when Entra cannot be reached', async () => {
    await withRecipe('local-accounts', {
      files: { 'entra/local-accounts': { content: account('anna', 'Correct-1') + account('bert', 'Correct-2'), mode: 0o644 } },
      replace: [['10.20.30.0/24', '127.0.0.0/8']],
    }, async (recipe) => {
      const local = `${recipe.origin}:8443`;
      await assertClosedToStrangers(recipe);
      await assertClosedToStrangers(recipe, '/', { headers: basic('anna', 'Correct-1') });
      const ada = await recipe.signedIn();
      assert.deepEqual(headerOf(ada.page.json(), 'x-remote-user'), [ADA]);
      recipe.httpd.expect(/AH01617: user anna: authentication failure/, /AH01631: user bert: authorization failure/);
      recipe.httpd.allow(/AH01618: user ada/);
      await recipe.emu.control('fault', { endpoint: 'any', status: 503 });
      const forged = { 'X-Remote-User': 'root', X_Remote_User: 'root', 'X-Entra-User': 'root', 'X-Entra-Roles': 'app.admin' };
      const ask = (headers) => recipe.browser().navigate(recipe.at('/', local), { follow: false, headers: { ...forged, ...headers } });
      const stranger = await ask({});
      assert.deepEqual([stranger.status, stranger.header('www-authenticate')], [401, 'Basic realm="Local accounts"']);
      assert.equal((await ask(basic('anna', 'wrong'))).status, 401);
      assert.equal((await ask(basic('bert', 'Correct-2'))).status, 401, 'an account that is not named');
      const anna = await ask(basic('anna', 'Correct-1'));
      assert.equal(anna.status, 200);
      const got = anna.json();
      assert.deepEqual([headerOf(got, 'x-remote-user'), headerOf(got, 'x-entra-user'), headerOf(got, 'x-entra-roles'), headerOf(got, 'authorization')], [['anna'], [], [], []]);
      assert.equal(got.headers.filter(([name]) => /x.?remote.?user/i.test(name)).length, 1);
      // A session of the other port is nothing here.
      assert.equal((await ada.navigate(recipe.at('/', local), { follow: false })).status, 401);
      assert.equal((await ada.navigate(recipe.at('/'), { follow: false })).status, 200, 'who is signed in goes on meanwhile');
    });
  });
});
