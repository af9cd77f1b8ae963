// SPDX-License-Identifier: Apache-2.0
// The handlers entra-metrics and entra-status, and the section in mod_status: what moves, what stays over a reload, who may see it.

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before, beforeEach, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { selfSigned, toPem } from '../emulator/certificate.mjs';
import { startEmulator } from '../emulator/server.mjs';
import { noClock } from './lib/clock.mjs';
import { parseExposition } from './lib/exposition.mjs';
import { missing } from './lib/httpd.mjs';
import { noPostgres, startPostgres } from './lib/postgres.mjs';
import { entraSso, makeToken, Scim } from './lib/scim.mjs';
import { CERT_CLIENT, CLIENT, CLIENT_SECRET, CONTOSO } from '../emulator/tenants.mjs';
import { siteFiles, startSite } from './lib/site.mjs';
import { until } from './lib/wait.mjs';

const MONITORING = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../conf.d/monitoring');
/** mod_authz_core's own word on a refusal, beside ours. */
const REFUSED = /AH01631/;
const PROGRAM = { Accept: 'application/json' };

const PAGES = `
ExtendedStatus On
<Location "/-/">
    AuthType None
    Require all granted
</Location>
<Location "/-/metrics">
    SetHandler entra-metrics
</Location>
<Location "/-/status">
    SetHandler entra-status
</Location>
<Location "/-/server">
    SetHandler server-status
</Location>
<Location "/admin/">
    Require entra-role Nobody.Has.This
</Location>
<Location "/admin/metrics">
    SetHandler entra-metrics
</Location>
<Location "/admin/status">
    SetHandler entra-status
</Location>
<Location "/refused">
    Require entra-role Nobody.Has.This
</Location>`;

const options = { directives: { EntraSCIM: 'on' }, modules: ['status'], extra: PAGES };

async function read(site) {
  const answer = await site.httpd.get('/-/metrics');
  assert.equal(answer.status, 200, answer.text);
  return parseExposition(answer.text);
}

/** Lines of "Key: value", each key once. */
function readLines(text) {
  const lines = new Map();
  for (const line of text.trimEnd().split('\n')) {
    const [, key, value] = /^([A-Z][A-Za-z0-9.]*): (.+)$/.exec(line) ?? [];
    assert.ok(key && !lines.has(key), line);
    lines.set(key, value);
  }
  return lines;
}

/** What is on top of the page: [class, who, what]. */
const needsOf = (html) => [...html.matchAll(/<li class="(\w+)"><b>([^<]*)<\/b>([^<]*)<\/li>/g)].map(([, ...parts]) => parts);

/** A page that is well-formed in the one way that matters: no markup but ours, and its style is the one that its policy lets in. */
function assertPage(answer) {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.header('content-type'), 'text/html; charset=utf-8');
  assert.equal(answer.header('cache-control'), 'no-store');
  assert.equal(answer.header('x-content-type-options'), 'nosniff');
  assert.equal(answer.header('x-frame-options'), 'DENY');
  assert.equal(answer.header('referrer-policy'), 'no-referrer');
  const style = /<style>([^<]*)<\/style>/.exec(answer.text)[1];
  const hash = createHash('sha256').update(style).digest('base64');
  assert.equal(answer.header('content-security-policy'), `default-src 'none'; style-src 'sha256-${hash}'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'`);
  assert.match(style, /prefers-color-scheme:dark/);
  const known = new Set('html head meta title style body header h1 span main ul li b section h2 div h3 dl dt dd table tr th td footer p'.split(' '));
  for (const [, name] of answer.text.matchAll(/<\/?([a-zA-Z][^\s>]*)/g)) assert.ok(known.has(name), name);
  assert.doesNotMatch(answer.text, /<[^>]*\s(style|on\w+|src|href)=/i);
}

/** What a step adds: `of(name, labels)` is the difference. */
async function difference(site, step) {
  const before = await read(site);
  await step();
  const then = await read(site);
  return (name, labels) => then.sum(name, labels) - before.sum(name, labels);
}

describe('metrics', { skip: missing }, () => {
  let site;
  let scim;

  before(async () => {
    site = await startSite(options);
    scim = new Scim(site, makeToken(site));
    site.httpd.allow(REFUSED);
  });
  after(async () => { await site?.stop(); });
  beforeEach(() => site.reset());

  test('the page is what a scraper takes', async () => {
    const answer = await site.httpd.get('/-/metrics');
    assert.equal(answer.header('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    assert.equal(answer.header('cache-control'), 'no-store');
    assert.equal(answer.header('x-content-type-options'), 'nosniff');
    const metrics = parseExposition(answer.text);
    for (const [name, { help, type, samples }] of metrics.families) {
      assert.match(name, /^entra_/);
      assert.ok(help.length > 8, name);
      assert.ok(type, name);
      for (const { labels } of samples) if (!/build_info|gate/.test(name)) assert.ok(labels.site === site.origin || labels.site === '', name);
    }
    assert.match(metrics.find('entra_build_info')[0].labels.version, /^\d+\.\d+\.\d+/);
    assert.equal(metrics.get('entra_application_info', { site: site.origin, tenant: CONTOSO, client_id: CLIENT }), 1);
    assert.equal(metrics.get('entra_gate_in_use'), 0);
    assert.ok(metrics.get('entra_gate_limit') > 0);
  });

  test('dashboard and alerts ask for what there is', async () => {
    const metrics = await read(site);
    const dashboard = JSON.parse(readFileSync(path.join(MONITORING, 'grafana-dashboard.json'), 'utf8'));
    const rules = readFileSync(path.join(MONITORING, 'prometheus-alerts.yml'), 'utf8');
    const alerts = [...rules.matchAll(/^ {6}- alert: (\w+)\n((?: {8}.*\n)+)/gm)];
    assert.equal(alerts.length, rules.match(/- alert:/g).length);
    for (const [, name, text] of alerts) {
      for (const part of [/^ {8}expr: \S/m, /^ {10}severity: (?:critical|warning)$/m, /^ {10}summary: "/m, /^ {10}description: "/m]) assert.match(text, part, name);
    }
    const queries = [...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
      ...dashboard.templating.list.map(({ definition }) => definition ?? ''), ...alerts.map(([, , text]) => text.split(/^ {8}labels:/m)[0])];
    const asked = new Set();
    for (const query of queries) {
      for (const [, name, selector] of query.matchAll(/\b(entra_[a-z_]+)(?:\{([^}]*)\})?/g)) {
        const family = metrics.families.get(name) ?? metrics.families.get(name.replace(/_(bucket|sum|count)$/, ''));
        assert.ok(family, name);
        asked.add(name.replace(/_(bucket|sum|count)$/, ''));
        // The label instance is Prometheus' own. What a label is compared with has to be one of its values.
        for (const [, label, how, values] of (selector ?? '').matchAll(/(\w+)(=~?|!=)"([^"]*)"/g)) {
          if (label === 'instance' || values.startsWith('$') || family.samples.length === 0) continue;
          const known = new Set(family.samples.map(({ labels }) => labels[label]));
          if (name === 'entra_faults_total') for (const one of ['client', 'user', 'config', 'provider', 'later', 'internal']) known.add(one);
          for (const one of how === '=~' ? values.split('|') : [values]) assert.ok(known.has(one), `${name}{${label}="${one}"}`);
        }
      }
    }
    // And nothing is left unseen.
    assert.deepEqual([...metrics.families.keys()].filter((name) => !asked.has(name)), ['entra_keys_fetched_timestamp_seconds', 'entra_scim_tokens', 'entra_scim_last_error_timestamp_seconds', 'entra_scim_last_error_number']);
  });

  test('the manual has every metric, and no other', async () => {
    const manual = readFileSync(path.join(MONITORING, '../../docs/status.md'), 'utf8');
    const named = [...new Set(manual.match(/\bentra_[a-z_]+/g))].sort();
    assert.deepEqual(named, [...(await read(site)).families.keys()].sort());
  });

  test('only GET and HEAD are answered', async () => {
    for (const target of ['/-/metrics', '/-/status', '/-/status?auto']) {
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
        const answer = await site.httpd.request({ method, path: target });
        assert.equal(answer.status, 405, `${method} ${target}`);
        assert.match(answer.header('allow'), /\bGET\b/);
        assert.doesNotMatch(answer.text, /entra_|Applications/);
      }
      const head = await site.httpd.request({ method: 'HEAD', path: target });
      assert.equal(head.status, 200);
      assert.equal(head.body.length, 0);
    }
  });

  test('who may see it is what Require says', async () => {
    const browser = await site.signedIn();
    for (const target of ['/admin/metrics', '/admin/status', '/admin/status?auto']) {
      const stranger = await site.httpd.request({ path: target, headers: PROGRAM });
      assert.equal(stranger.status, 401, target);
      const answer = await browser.fetch(site.at(target), { headers: PROGRAM });
      assert.equal(answer.status, 403, target);
      assert.doesNotMatch(answer.text + stranger.text, /entra_signins|EntraSite|Nothing needs|open sessions/);
    }
  });

  test('a sign-in, a refusal and a sign-out count', async () => {
    let browser;
    const signIn = await difference(site, async () => { browser = await site.signedIn(); });
    assert.equal(signIn('entra_signins_started_total', { kind: 'plain' }), 1);
    assert.equal(signIn('entra_signins_total', { result: 'ok' }), 1);
    assert.equal(signIn('entra_signins_total'), 1);
    assert.equal(signIn('entra_outbound_requests_total', { endpoint: 'token', result: 'ok' }), 1);
    assert.equal(signIn('entra_outbound_request_duration_seconds_count', { endpoint: 'token' }), 1);
    assert.ok(signIn('entra_outbound_request_duration_seconds_sum', { endpoint: 'token' }) > 0);

    const refusal = await difference(site, async () => {
      assert.equal((await browser.fetch(site.at('/refused'), { headers: PROGRAM })).status, 403);
    });
    assert.equal(refusal('entra_access_refused_total', { identity: 'session' }), 1);
    assert.equal(refusal('entra_faults_total', { number: 'ENTRA1502', class: 'user' }), 1);

    const signOut = await difference(site, async () => {
      await browser.fetch(site.at('/.entra/logout?rd=/'), { method: 'POST', from: site.at('/page.html') });
    });
    assert.equal(signOut('entra_sessions_ended_total', { cause: 'sign_out' }), 1);
    assert.equal(signOut('entra_sessions_ended_total'), 1);
  });

  test('a request with a session counts nothing', async () => {
    const browser = await site.signedIn();
    const before = (await read(site)).families;
    for (let i = 0; i < 5; i++) assert.equal((await browser.fetch(site.at('/page.html'))).status, 200);
    const then = (await read(site)).families;
    const counters = (families) => JSON.stringify([...families].filter(([, { type }]) => type !== 'gauge'));
    assert.equal(counters(then), counters(before));
  });

  test('a refused sign-in counts by its class', async () => {
    await site.emu.control('authorize', { error: 'access_denied', error_description: 'AADSTS65004: the user declined' });
    const refused = await difference(site, async () => {
      const page = await site.browser().navigate(site.at('/page.html'));
      assert.ok(page.status >= 400, page.trace);
    });
    assert.equal(refused('entra_signins_started_total'), 1);
    assert.equal(refused('entra_signins_total', { result: 'ok' }), 0);
    assert.equal(refused('entra_signins_total'), 1);
    assert.equal(refused('entra_faults_total'), 1);
  });

  test('an outage of Entra is seen at its endpoint', async () => {
    await site.emu.control('fault', { endpoint: 'token', status: 503 });
    site.httpd.allow(/ENTRA1323/);
    const outage = await difference(site, () => site.browser().navigate(site.at('/page.html')));
    assert.equal(outage('entra_outbound_requests_total', { endpoint: 'token', result: 'error' }), 1);
    assert.equal(outage('entra_signins_total', { result: 'later' }), 1);
  });

  test('SCIM counts, and strangers apart from it', async () => {
    const scimRequests = await difference(site, async () => {
      const user = await scim.user({ userName: 'counted@contoso.example' });
      assert.equal((await scim.get(`/Users/${user.id}`)).status, 200);
      assert.equal((await scim.patch(`/Users/${user.id}`, { op: 'Replace', path: 'displayName', value: 'C' })).status, 200);
      assert.equal((await scim.send('DELETE', `/Users/${user.id}`)).status, 204);
      assert.equal((await scim.get(`/Users/${user.id}`)).status, 404);
    });
    site.httpd.allow(/ENTRA2102/);
    const count = (method, status) => scimRequests('entra_scim_requests_total', { method, status });
    assert.deepEqual([count('post', '2xx'), count('read', '2xx'), count('change', '2xx'), count('delete', '2xx'), count('read', '4xx')], [1, 1, 1, 1, 1]);
    const metrics = await read(site);
    const now = Date.now() / 1000;
    assert.ok(Math.abs(metrics.get('entra_scim_last_request_timestamp_seconds') - now) < 60);
    assert.ok(Math.abs(metrics.get('entra_scim_last_error_timestamp_seconds') - now) < 60);
    assert.equal(metrics.get('entra_scim_last_error_number'), 1616);

    const stranger = await difference(site, async () => {
      assert.equal((await new Scim(site, 'entra_scim_0123456789abcdef_' + 'A'.repeat(43)).get('/Users')).status, 401);
    });
    site.httpd.allow(/ENTRA1613/);
    assert.equal(stranger('entra_scim_unauthorized_total'), 1);
    assert.equal((await read(site)).get('entra_scim_last_error_number'), 1616);
  });

  test('a disabled user\'s session ends by SCIM', async () => {
    await site.signedIn();
    const { id } = (await scim.filter('Users', 'userName eq "ada@contoso.example"')).json().Resources[0];
    const ended = await difference(site, () => scim.patch(`/Users/${id}`, { op: 'Replace', path: 'active', value: false }));
    assert.ok(ended('entra_sessions_ended_total', { cause: 'scim' }) >= 1);
    assert.equal((await scim.send('DELETE', `/Users/${id}`)).status, 204);
  });

  test('what the command ends is learned from the database', async () => {
    await site.signedIn({ user: 'gus' });
    const heard = async () => (await read(site)).get('entra_sessions_ended_total', { site: '', cause: 'elsewhere' });
    const had = await heard();
    const { status, err } = entraSso(site, ['sessions', 'revoke', '--user', 'gus@contoso.example']);
    assert.equal(status, 0, err);
    await until('the node has heard of it', async () => (await heard()) === had + 1);
  });

  test('gauges tell what stands', async () => {
    await site.signedIn();
    const metrics = await until('the database was counted', async () => {
      const now = await read(site);
      return now.get('entra_sessions') >= 1 && now;
    }, { timeout: 20000 });
    assert.equal(metrics.get('entra_database_up'), 1);
    assert.ok(metrics.get('entra_signing_keys') >= 1);
    // One authority, and no key that it did not have: fetched once, without a failure.
    assert.equal(metrics.get('entra_key_refreshes_total', { site: site.origin, result: 'ok' }), 1);
    assert.equal(metrics.sum('entra_key_refreshes_total', { result: 'failed' }), 0);
    const age = metrics.get('entra_keys_age_seconds');
    assert.ok(age >= 0 && age < 600, `${age}`);
    assert.ok(Math.abs(metrics.get('entra_keys_fetched_timestamp_seconds') + age - Date.now() / 1000) < 60);
    assert.equal(metrics.get('entra_ended_sessions_capacity'), 1 << 18);
    assert.equal(metrics.get('entra_scim_tokens'), 1);
    const year = 365 * 86400;
    for (const token of ['soonest', 'latest']) assert.ok(Math.abs(metrics.get('entra_scim_token_expiry_timestamp_seconds', { token }) - Date.now() / 1000 - year) < 600);
    assert.equal(metrics.get('entra_credential_expiry_timestamp_seconds'), undefined);
  });

  test('the page for people says what there is', async () => {
    await site.signedIn();
    const answer = await site.httpd.get('/-/status');
    assertPage(answer);
    for (const part of ['Application', 'Entra', 'Sign-ins', 'Revalidation', 'Sessions ended early', 'Provisioning \\(SCIM\\)', 'Database', 'Recent reasons']) {
      assert.match(answer.text, new RegExp(`<h3>${part}</h3>`));
    }
    assert.match(answer.text, new RegExp(`<dt>Tenant</dt><dd>${CONTOSO}</dd><dt>Client ID</dt><dd>${CLIENT}</dd>`));
    assert.match(answer.text, new RegExp(`<h2>${site.origin}</h2>`));
    assert.match(answer.text, /<dt>Credential<\/dt><dd>client secret, [^<]*client-secret<\/dd>/);
    assert.match(answer.text, /<tr><td>token<\/td><td class="n">\d+<\/td><td class="n">\d+<\/td><td class="n">\d+ ms<\/td><td class="n">\d+ ms<\/td><\/tr>/);
    assert.match(answer.text, /<tr><td>ENTRA1502<\/td><td>the Require rules do not let this user in<\/td>/);
    assert.match(answer.text, /<dt>Last error<\/dt><dd>ENTRA1616, /);
    const signIns = Number(/<b>(\d+)<\/b><span>sign-ins<\/span>/.exec(answer.text)[1]);
    const metrics = await read(site);
    assert.equal(signIns, metrics.sum('entra_signins_total', { result: 'ok' }));
  });

  test('the page for machines is lines', async () => {
    const answer = await site.httpd.get('/-/status?auto');
    assert.equal(answer.status, 200);
    assert.equal(answer.header('content-type'), 'text/plain; charset=utf-8');
    assert.equal(answer.header('cache-control'), 'no-store');
    const lines = readLines(answer.text);
    const metrics = await read(site);
    assert.equal(lines.get('EntraSites'), '1');
    assert.equal(lines.get('EntraSite1'), site.origin);
    assert.equal(lines.get('EntraSite1.Tenant'), CONTOSO);
    assert.equal(lines.get('EntraSite1.DatabaseUp'), '1');
    assert.equal(Number(lines.get('EntraSite1.SignIns')), metrics.sum('entra_signins_total', { result: 'ok' }));
    assert.equal(Number(lines.get('EntraSite1.ScimRequests')), metrics.sum('entra_scim_requests_total'));
    assert.equal(lines.get('EntraSite1.ScimLastError'), 'ENTRA1616');
    for (const key of ['KeysFetched', 'ScimTokenExpires', 'ScimLastRequest', 'ScimLastErrorTime']) assert.ok(Date.parse(lines.get(`EntraSite1.${key}`)) > 0, key);
    // Words that only look like it.
    for (const query of ['automatic', 'xauto', 'x=auto']) assert.match((await site.httpd.get(`/-/status?${query}`)).header('content-type'), /html/, query);
    assert.match((await site.httpd.get('/-/status?refresh=5&auto')).header('content-type'), /plain/);
  });

  test('mod_status has a section, in both of its forms', async () => {
    const page = await site.httpd.get('/-/server');
    assert.equal(page.status, 200);
    assert.match(page.text, new RegExp(`<h1>Entra sign-in</h1>[^]*<dt>${site.origin}: \\d+ open sessions, \\d+ sign-ins, \\d+ refused; keys fetched `));
    const lines = await site.httpd.get('/-/server?auto');
    assert.match(lines.text, /^ServerUptimeSeconds: \d+$/m);
    const ours = lines.text.split('\n').filter((line) => line.startsWith('Entra')).join('\n');
    assert.equal(readLines(ours).get('EntraSite1'), site.origin);
  });

  test('a fault that the administrator must mend stands on top', async () => {
    await site.emu.control('fault', { endpoint: 'token', status: 401, body: { error: 'invalid_client', error_description: 'AADSTS7000215: Invalid client secret provided.' } });
    site.httpd.allow(/ENTRA1320/);
    await site.browser().navigate(site.at('/page.html'));
    const needs = needsOf((await site.httpd.get('/-/status')).text);
    assert.ok(needs.some(([kind, who, what]) => kind === 'warn' && who === site.origin && /^ENTRA1320 within the last hour: Entra did not accept/.test(what)), JSON.stringify(needs));
    const lines = readLines((await site.httpd.get('/-/status?auto')).text);
    assert.equal(lines.get('EntraNeeds'), String(needs.length));
    assert.match(lines.get('EntraNeed1'), /^http:\/\/localhost:\d+: /);
  });

  test('counts outlive a reload', async () => {
    const before = await read(site);
    assert.ok(before.sum('entra_signins_total', { result: 'ok' }) > 0);
    await site.httpd.graceful();
    const then = await read(site);
    for (const name of ['entra_signins_total', 'entra_sessions_ended_total', 'entra_scim_requests_total', 'entra_faults_total']) {
      assert.deepEqual(then.find(name), before.find(name), name);
    }
  });

  test('nothing secret stands in them', async () => {
    const pages = await Promise.all(['/-/metrics', '/-/status', '/-/status?auto', '/-/server', '/-/server?auto'].map((target) => site.httpd.get(target)));
    const text = pages.map((page) => page.text).join('\n');
    const secrets = Object.values(site.emu.stats().secrets).flat();
    for (const secret of [...secrets, CLIENT_SECRET]) assert.ok(!text.includes(secret));
    assert.ok(!text.includes(scim.token));
    assert.doesNotMatch(text, /contoso\.example/);
  });
});

describe('metrics of several applications', { skip: missing }, () => {
  const days = 20;
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const now = Math.floor(Date.now() / 1000);
  const cert = toPem(selfSigned({ privateKey, publicKey, commonName: 'intranet', notBefore: now - 86400, notAfter: now + days * 86400 }));
  const both = cert + privateKey.export({ type: 'pkcs8', format: 'pem' });
  let site;

  before(async () => {
    site = await startSite({
      ...options,
      directives: {},
      files: { ...siteFiles, 'hostile <b>"\'&.pem': { content: both, mode: 0o600 } },
      // One with a certificate and the first one's origin, one that shares the first one's application, and one without Entra.
      extra: (server, { emu }) => `${PAGES}
<VirtualHost 127.0.0.1:${server.port}>
    ServerName http://other.localhost:${server.port}
    EntraPublicURL ${server.origin}
    EntraTenant ${CONTOSO}
    EntraClientID ${CERT_CLIENT}
    EntraClientCertificate "${server.path('hostile <b>\\"\'&.pem')}"
    EntraAuthority ${emu.url}
</VirtualHost>
<VirtualHost 127.0.0.1:${server.port}>
    ServerName http://same.localhost:${server.port}
    EntraPublicURL ${server.origin}
</VirtualHost>`,
    });
    site.httpd.allow(/ENTRA2032|ENTRA4040/);
  });
  after(async () => { await site?.stop(); });

  test('each has its own series, also with one origin', async () => {
    const metrics = await read(site);
    const sites = metrics.find('entra_application_info').map(({ labels }) => [labels.site, labels.client_id]);
    assert.deepEqual(sites, [[site.origin, CLIENT], [`${site.origin} ${CERT_CLIENT}`, CERT_CLIENT]]);
    assert.equal(metrics.get('entra_credential_expiry_timestamp_seconds'), now + days * 86400);
    assert.equal(metrics.get('entra_scim_users'), undefined);
  });

  test('hostile text of the configuration is text on the page', async () => {
    await until('the keys', async () => (await read(site)).find('entra_keys_age_seconds').length === 2);
    const answer = await site.httpd.get('/-/status');
    assertPage(answer);
    assert.match(answer.text, /certificate, [^<]*\/hostile &lt;b&gt;&quot;'&amp;\.pem/);
    assert.doesNotMatch(answer.text, /<b>"/);
    assert.deepEqual(needsOf(answer.text).map(([kind, who, what]) => [kind, who, what.slice(0, 27)]), [['warn', `${site.origin} ${CERT_CLIENT}`, 'The certificate expires on ']]);
    const lines = readLines((await site.httpd.get('/-/status?auto')).text);
    assert.equal(lines.get('EntraSites'), '2');
    assert.equal(Date.parse(lines.get('EntraSite2.CredentialExpires')) / 1000, now + days * 86400);
  });

  test('without a database the page is there, and says so', { skip: noPostgres }, async () => {
    const postgres = startPostgres();
    const own = await startSite({ ...options, directives: { EntraSCIM: 'on', EntraDatabase: `"pgsql:${postgres.conninfo}"` } });
    try {
      own.httpd.allow(/ENTRA207[12]: /, /ENTRA144[1-4]: /);
      await own.signedIn();
      await until('sessions are counted', async () => (await read(own)).get('entra_sessions') >= 1, { timeout: 20000 });
      postgres.halt();
      const away = await until('the database is away', async () => {
        const metrics = await read(own);
        return metrics.get('entra_database_up') === 0 && metrics;
      }, { timeout: 20000 });
      for (const name of ['entra_sessions', 'entra_scim_users', 'entra_scim_groups', 'entra_scim_tokens']) assert.equal(away.get(name), undefined, name);
      assert.ok(away.sum('entra_database_failures_total') >= 1);
      assert.ok(away.get('entra_signing_keys') >= 1);
      const page = await own.httpd.get('/-/status');
      assertPage(page);
      assert.match(needsOf(page.text)[0].join(' '), /^bad http:\S+ The database does not answer/);
      assert.match(page.text, /<b>\?<\/b><span>open sessions<\/span>/);
      assert.equal(readLines((await own.httpd.get('/-/status?auto')).text).get('EntraSite1.Sessions'), undefined);
      postgres.start();
      await until('the database is back', async () => {
        const metrics = await read(own);
        return metrics.get('entra_database_up') === 1 && metrics.get('entra_sessions') >= 1;
      }, { timeout: 30000 });
    } finally {
      await own.stop();
      postgres.kill();
    }
  });
});

describe('what needs the administrator', { skip: missing || noClock }, () => {
  const HOUR = 3600;
  const DAY = 24 * HOUR;

  test('keys and tokens that grow old are told in time', async () => {
    const emu = await startEmulator({ auto: 'ada' });
    await emu.control('fault', { endpoint: 'any', status: 503 });
    const site = await startSite({ ...options, emu, clock: true, allowLog: [/ENTRA(1100|1106|1110): /] });
    const needs = async () => needsOf((await site.httpd.get('/-/status')).text).map(([kind, , what]) => `${kind} ${what}`);
    const told = (pattern) => until(String(pattern), async () => (await needs()).some((line) => pattern.test(line)), { timeout: 20_000 });
    const forward = async (seconds) => {
      site.httpd.clock.forward(seconds);
      await emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
    };
    try {
      await told(/^warn There is no token for SCIM/);
      await forward(HOUR);
      await told(/^bad Entra's metadata and keys could not be fetched since the start/);

      await emu.control('reset', {});
      await emu.control('clock', { offsetSeconds: site.httpd.clock.shift });
      await until('the keys', async () => (await read(site)).get('entra_keys_age_seconds') !== undefined, { timeout: 20_000 });
      makeToken(site);
      await forward(11);
      await until('nothing', async () => (await needs())[0] === 'good Sign-ins work, as far as this server can tell.', { timeout: 20_000 });

      await emu.control('fault', { endpoint: 'any', status: 503 });
      await forward(3 * HOUR);
      await told(/^warn Entra's keys could not be refreshed for 3 hours/);
      await forward(22 * HOUR);
      await told(/^bad Entra's keys could not be refreshed for 25 hours/);
      await until('a fetch that failed to be counted', async () => (await read(site)).sum('entra_key_refreshes_total', { result: 'failed' }) >= 1, { timeout: 20_000 });
      await forward(340 * DAY);
      await told(/^warn The token for SCIM expires on 20/);
      await forward(30 * DAY);
      await told(/^bad The token for SCIM expired on 20.*provisioning has stopped/);
      const metrics = await read(site);
      assert.equal(metrics.get('entra_scim_tokens'), 0);
      assert.equal(metrics.get('entra_scim_token_expiry_timestamp_seconds', { token: 'soonest' }), undefined);
      assert.ok(metrics.get('entra_scim_token_expiry_timestamp_seconds', { token: 'latest' }) > 0);
    } finally {
      await site.stop();
      await emu.close();
    }
  });
});
