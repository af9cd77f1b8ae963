// SPDX-License-Identifier: Apache-2.0
// The pages people see: choosing an account, an error that is not sent back to the application, signing out.

import { describeError } from './errors.mjs';
import { html } from './reply.mjs';

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (value) => String(value).replace(/[&<>"']/g, (c) => ESCAPES[c]).replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '\ufffd');

const STYLE = `
:root { color-scheme: light dark; --ground: #f3f5f8; --card: #fff; --ink: #16202c; --soft: #556273; --line: #d5dbe3; --accent: #0b5cad; --mark: #eef4fb; }
@media (prefers-color-scheme: dark) { :root { --ground: #10151c; --card: #1a212b; --ink: #e9eef5; --soft: #a3b0c0; --line: #364252; --accent: #7db8f7; --mark: #223044; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 28rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 2rem; }
h1 { margin: 0 0 .25rem; font-size: 1.4rem; line-height: 1.3; }
h2 { margin: 1.5rem 0 .5rem; font-size: .95rem; color: var(--soft); }
p { margin: .5rem 0; overflow-wrap: anywhere; }
p.last { margin-top: 1.5rem; }
.soft { color: var(--soft); font-size: .9rem; }
ul { list-style: none; margin: 0; padding: 0; display: grid; gap: .5rem; }
button { font: inherit; cursor: pointer; border-radius: .5rem; border: 1px solid var(--line); background: transparent; color: inherit; padding: .6rem .9rem; }
li button { width: 100%; text-align: start; overflow-wrap: anywhere; }
button span { display: block; }
button .soft { line-height: 1.35; }
button:hover { background: var(--mark); border-color: var(--accent); }
button:focus-visible, a:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
a { color: var(--accent); }
dl { display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; font-size: .9rem; margin: 1rem 0 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 1.5rem; border-top: 1px solid var(--line); padding-top: .75rem; }
iframe { display: none; }`;

function page(title, content, { status = 200, headers = {}, frames = false, script = '' } = {}) {
  // No form-action: a browser applies it to the redirect that follows the form, too.
  const policy = `default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'${frames ? '; frame-src *' : ''}${script ? "; script-src 'unsafe-inline'" : ''}`;
  const body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${STYLE}
</style>
</head>
<body>
<main>
${content}
<footer class="soft">Entra emulator. A test tool: nothing here is real.</footer>
</main>
${script ? `<script>${script}</script>` : ''}
</body>
</html>
`;
  return html(status, body, { 'Content-Security-Policy': policy, ...headers });
}

function userButton(user, signedIn) {
  const state = signedIn ? 'Signed in' : user.note ?? '';
  return `<li><button name="user" value="${escape(user.key)}"><span>${escape(user.name)}</span>`
    + `<span class="soft">${escape(user.upn)}${state ? ` · ${escape(state)}` : ''}</span></button></li>`;
}

function userList(heading, users, signedIn) {
  if (users.length === 0) return '';
  return `<h2>${heading}</h2>\n<ul>\n${users.map((user) => userButton(user, signedIn)).join('\n')}\n</ul>`;
}

/** The account page. `request` is the authorize request as a query string, which comes back with the choice. */
export function signInPage({ action, request, clientName, authorityName, signedIn, here, elsewhere, hint }) {
  const fresh = (users) => users.filter((user) => !signedIn.includes(user));
  return page('Sign in', `<h1>Sign in</h1>
<p class="soft">to ${escape(clientName)}, directory ${escape(authorityName)}</p>
${hint ? `<p>The application suggests <strong>${escape(hint)}</strong>.</p>` : ''}
<form method="post" action="${escape(action)}">
<input type="hidden" name="request" value="${escape(request)}">
${userList('Signed in here', signedIn, true)}
${userList('Accounts of this directory', fresh(here), false)}
${userList('Accounts of other directories', fresh(elsewhere), false)}
<p class="last"><button name="cancel" value="1">Cancel and go back</button></p>
</form>`);
}

export function errorPage(ctx, error) {
  const [text] = describeError(ctx, error).split('\r\n');
  return page('Sign-in is not possible', `<h1>Sorry, but we cannot sign you in</h1>
<p>${escape(text)}</p>
<dl>
<dt>Request Id</dt><dd>${escape(ctx.traceId)}</dd>
<dt>Correlation Id</dt><dd>${escape(ctx.correlationId)}</dd>
<dt>Timestamp</dt><dd>${new Date(ctx.emu.now() * 1000).toISOString()}</dd>
</dl>`, { status: error.status === 401 ? 400 : error.status });
}

/** A page that posts the response to the application by itself (response_mode=form_post). */
export function formPostPage(action, fields) {
  const inputs = fields.map(([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`).join('\n');
  return page('Working', `<h1>Working</h1>
<form method="post" action="${escape(action)}">
${inputs}
<noscript><p>Press the button to go on.</p></noscript>
<p><button>Continue</button></p>
</form>`, { script: 'document.forms[0].submit();' });
}

const LEAVE = `
const frames = [...document.querySelectorAll('iframe')].map((f) => new Promise((done) => { f.onload = done; f.onerror = done; }));
const limit = new Promise((done) => setTimeout(done, 3000));
Promise.race([Promise.all(frames), limit]).then(() => { const next = document.getElementById('next'); if (next) location.replace(next.href); });`;

/** Calls the applications in hidden frames, then goes on. The script has to run before a frame can have loaded, so it is inline. */
export function signedOutPage({ frames, next, headers }) {
  const iframes = frames.map((src) => `<iframe title="" aria-hidden="true" src="${escape(src)}"></iframe>`).join('\n');
  const onward = next ? `<p><a id="next" href="${escape(next)}">Go on</a></p>` : '<p>It is a good idea to close all browser windows.</p>';
  return page('Signed out', `<h1>You signed out of your account</h1>\n${onward}\n${iframes}`, { headers, frames: true, script: frames.length ? LEAVE : '' });
}

export function chooseSignOutPage({ action, query, users }) {
  const fields = [...query].map(([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`).join('\n');
  return page('Sign out', `<h1>Which account do you want to sign out of?</h1>
<form method="post" action="${escape(action)}">
${fields}
${userList('Signed in here', users, true)}
</form>`);
}

export function codePage(code, sentence) {
  return page('Error code', `<h1>AADSTS${escape(code)}</h1>\n<p>${escape(sentence ?? 'This code is not known to the emulator.')}</p>`, { status: sentence ? 200 : 404 });
}
