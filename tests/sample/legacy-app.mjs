// SPDX-License-Identifier: Apache-2.0
// A sample of what the module is made for: an old intranet application without any login of its own. It believes the request headers
// that the web server in front of it sets, and shows all it was sent, so that one sees what reaches an application.

import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { realpathSync } from 'node:fs';
import { parseArgs } from 'node:util';

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text) => String(text).replace(/[&<>"']/g, (c) => ENTITIES[c]);

/** Node reads header bytes as latin1; what Apache sends is UTF-8. */
const decode = (value) => Buffer.from(value, 'latin1').toString('utf8');

const ALLOWANCE = 30;
const HOLIDAYS = [['Easter', '3 April', '6 April', 2], ['Summer', '13 July', '24 July', 10], ['A long weekend', '2 October', '2 October', 1]];
const PAGES = { '/': 'Start', '/holidays': 'My holidays', '/received': 'What the server told me' };

function headersOf(req) {
  const pairs = [];
  for (let i = 0; i < req.rawHeaders.length; i += 2) pairs.push([req.rawHeaders[i], decode(req.rawHeaders[i + 1])]);
  return pairs;
}

function personOf(headers) {
  const value = (name) => headers.find(([known]) => known.toLowerCase() === name)?.[1] ?? '';
  return {
    user: value('x-entra-user'),
    name: value('x-entra-name'),
    email: value('x-entra-email'),
    oid: value('x-entra-object-id'),
    tid: value('x-entra-tenant-id'),
    roles: value('x-entra-roles').split(',').filter(Boolean),
  };
}

const STYLE = `
body { margin: 0; background: #d4d0c8; color: #000; font: 13px Tahoma, "DejaVu Sans", Verdana, sans-serif; }
.bar { background: #000080; color: #fff; padding: 6px 10px; font-weight: bold; }
.bar span { float: right; font-weight: normal; }
h1 { font-size: 18px; margin: 0 0 10px; }
h2 { font-size: 14px; margin: 16px 0 6px; }
nav { padding: 6px 10px; border-bottom: 2px groove #fff; }
nav a { margin-right: 14px; color: #000080; }
main { background: #fff; border: 2px inset #fff; margin: 10px; padding: 12px; }
table { border-collapse: collapse; }
th, td { border: 1px solid #808080; padding: 3px 8px; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { background: #d4d0c8; font-weight: normal; }
.identity td { background: #ffffcc; }
footer { padding: 0 12px 8px; color: #404040; font-size: 11px; }`;

const row = ([name, value], mark = false) => `<tr${mark ? ' class="identity"' : ''}><th scope="row">${escape(name)}</th><td>${escape(value)}</td></tr>`;

function start(person) {
  const facts = [['User', person.user], ['Name', person.name], ['E-mail', person.email], ['Roles', person.roles.join(', ') || 'none']];
  return `<h1>Welcome, <span id="name">${escape(person.name || person.user)}</span></h1>
<p>You are known to this application as <strong id="user">${escape(person.user)}</strong>. It has never asked you for a password.</p>
<table>${facts.map((fact) => row(fact)).join('\n')}</table>
<h2>Days left this year</h2>
<p><span id="left">?</span> <button id="count" type="button">Count again</button></p>
<script>
document.getElementById('count').onclick = function () {
  fetch('/api/me').then(function (answer) {
    return answer.json().then(function (body) {
      document.getElementById('left').textContent = answer.ok ? body.left + ' days' : 'not signed in (' + answer.status + ')';
      document.body.setAttribute('data-answer', JSON.stringify({ status: answer.status, body: body }));
    });
  });
};
document.getElementById('count').onclick();
</script>`;
}

function holidays(person) {
  const lines = HOLIDAYS.map((cells) => `<tr>${cells.map((cell) => `<td>${escape(cell)}</td>`).join('')}</tr>`).join('\n');
  const approver = person.roles.includes('app.admin') ? '<p id="approver">You may approve the holidays of others.</p>' : '';
  return `<h1>Holidays of <span id="name">${escape(person.name || person.user)}</span></h1>
<table><tr><th scope="col">What</th><th scope="col">From</th><th scope="col">To</th><th scope="col">Days</th></tr>
${lines}</table>
${approver}`;
}

function received(person, headers) {
  const isIdentity = (name) => /^(x-entra-|x-remote-user$)/i.test(name);
  const sorted = [...headers].sort(([a], [b]) => Number(isIdentity(b)) - Number(isIdentity(a)));
  return `<h1>What the server told me</h1>
<p>Every header of this request. The coloured ones say who <span id="name">${escape(person.name || person.user)}</span> is.</p>
<table id="headers">${sorted.map((pair) => row(pair, isIdentity(pair[0]))).join('\n')}</table>`;
}

const CONTENT = { '/': start, '/holidays': holidays, '/received': received };

function page(path, person, headers) {
  const links = Object.entries(PAGES).map(([target, title]) => `<a href="${target}">${title}</a>`).join('');
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${PAGES[path]} - Holiday planner</title>
<link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body>
<div class="bar">Holiday planner 2.3<span>${escape(person.user || 'nobody')}</span></div>
<nav>${links}<a id="sign-out" href="/.entra/logout?rd=/">Sign out</a></nav>
<main>
${CONTENT[path](person, headers)}
</main>
<footer>Best viewed at 1024 x 768. Written in 2004; knows its users from the web server alone.</footer>
</body>
</html>
`;
}

function answer(req) {
  const path = new URL(req.url, 'http://application').pathname;
  const headers = headersOf(req);
  const person = personOf(headers);
  const taken = HOLIDAYS.reduce((days, [, , , count]) => days + count, 0);
  if (path === '/api/me') return { status: 200, type: 'application/json', body: JSON.stringify({ ...person, left: ALLOWANCE - taken, headers }) };
  if (Object.hasOwn(CONTENT, path)) return { status: 200, type: 'text/html; charset=utf-8', body: page(path, person, headers) };
  return { status: 404, type: 'text/plain', body: 'There is no such page.\n' };
}

/** Starts the application on loopback: {port, url, requests: [{method, url, headers}], close()}. */
export async function startLegacyApp({ port = 0 } = {}) {
  const requests = [];
  const server = http.createServer((req, res) => {
    req.resume();
    requests.push({ method: req.method, url: req.url, headers: headersOf(req) });
    if (requests.length > 200) requests.shift();
    const { status, type, body } = answer(req);
    res.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
    res.end(req.method === 'HEAD' ? undefined : body);
  });
  await new Promise((resolve, reject) => { server.once('error', reject); server.listen(port, '127.0.0.1', resolve); });
  const url = `http://127.0.0.1:${server.address().port}`;
  const close = () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); });
  return { port: server.address().port, url, requests, close };
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } });
  const app = await startLegacyApp({ port: Number(values.port) });
  process.stdout.write(`${app.url}/\n`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => app.close().then(() => process.exit(0)));
}
