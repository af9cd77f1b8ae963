// SPDX-License-Identifier: Apache-2.0
// What a person sees, in a real Chromium: sign-in on the emulator's page, the old application, several tabs, sign-out, the module's own pages.
// Each picture that matters is kept in build/screenshots (or ENTRA_SCREENSHOTS).

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startEmulator } from '../emulator/server.mjs';
import { CONTOSO, users } from '../emulator/tenants.mjs';
import { noClock } from '../e2e/lib/clock.mjs';
import { entraLines, startSite } from '../e2e/lib/site.mjs';
import { startLegacyApp } from '../sample/legacy-app.mjs';
import { SCREENSHOTS, skip, startChromium } from './chromium.mjs';

const PATIENCE = 15_000;

const nameOf = (key) => users.find((user) => user.key === key).name;

let emu;
let app;
let site;
let browser;

const at = (target) => site.at(target);
const applicationUrl = (pattern) => (url) => url.origin === site.origin && pattern.test(url.pathname + url.search);

/** A browser of one person: a fresh profile. `complaints` are console errors of our pages (a breach of a page's policy is one) and script errors. */
async function person(options = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 700 }, ...options });
  context.setDefaultTimeout(PATIENCE);
  const complaints = [];
  context.on('console', (message) => {
    const where = message.page()?.url() ?? '';
    // The emulator calls the front-channel address of the application in a frame, whether or not there is one.
    if (message.type() === 'error' && !where.startsWith(emu.url)) complaints.push(`${where}: ${message.text()}`);
  });
  context.on('weberror', (error) => complaints.push(String(error.error())));
  return {
    context,
    complaints,
    open: async (target) => {
      const page = await context.newPage();
      await page.goto(target.startsWith('http') ? target : at(target));
      return page;
    },
    /** Ends, and insists that no page complained of anything but what is announced. */
    async leave({ announced = [] } = {}) {
      const rest = complaints.filter((line) => !announced.some((pattern) => pattern.test(line)));
      await context.close();
      assert.deepEqual(rest, [], 'the browser console');
    },
  };
}

const picture = (page, name) => page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`), fullPage: true });

const atSignIn = (page) => page.waitForURL((url) => url.origin === emu.url && /\/(authorize|login)$/.test(url.pathname));

async function choose(page, key) {
  await atSignIn(page);
  await page.locator(`button[name=user][value=${key}]`).click();
}

async function signIn(someone, key, target = '/') {
  const page = await someone.open(target);
  await choose(page, key);
  await page.waitForURL((url) => url.href === at(target));
  return page;
}

/** What any page of ours owes to its reader. */
async function assertReadable(page) {
  const facts = await page.evaluate(() => ({
    lang: document.documentElement.lang,
    title: document.title.trim(),
    headings: document.querySelectorAll('h1').length,
    viewport: document.querySelector('meta[name=viewport]')?.content ?? '',
    imagesWithoutText: [...document.images].filter((image) => !image.hasAttribute('alt')).length,
    nameless: [...document.querySelectorAll('a, button')].filter((one) => !(one.innerText.trim() || one.getAttribute('aria-label'))).length,
    fieldsWithoutLabel: [...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter((one) => !one.labels?.length && !one.getAttribute('aria-label')).length,
    scrollsSideways: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    scripts: document.scripts.length,
  }));
  assert.match(facts.lang, /^[a-z]{2}/);
  assert.ok(facts.title, 'a title');
  assert.equal(facts.headings, 1, 'one h1');
  assert.match(facts.viewport, /width=device-width/);
  assert.equal(facts.imagesWithoutText, 0);
  assert.equal(facts.nameless, 0, 'links and buttons have a name');
  assert.equal(facts.fieldsWithoutLabel, 0);
  assert.equal(facts.scrollsSideways, false, 'the page fits');
  assert.equal(facts.scripts, 0, 'our pages work without scripts');
}

/** Lightness of the page's ground and text, 0 to 255, as they were drawn. */
async function shades(page) {
  return page.evaluate(() => {
    const light = (text) => { const [r, g, b] = text.match(/[\d.]+/g).map(Number); return 0.299 * r + 0.587 * g + 0.114 * b; };
    const opaque = (element) => { const color = getComputedStyle(element).backgroundColor; return /, 0\)$|transparent/.test(color) ? null : color; };
    let ground = document.querySelector('h1');
    while (ground && !opaque(ground)) ground = ground.parentElement;
    const canvas = matchMedia('(prefers-color-scheme: dark)').matches ? 'rgb(18, 18, 18)' : 'rgb(255, 255, 255)';
    return { ground: light(ground ? opaque(ground) : canvas), text: light(getComputedStyle(document.querySelector('h1')).color) };
  });
}

describe('a person with a browser', { skip }, () => {
  before(async () => {
    emu = await startEmulator({});
    app = await startLegacyApp();
    site = await startSite({
      emu,
      backend: app,
      config: (server) => `${entraLines(server, emu)}
<Location "/">
    AuthType Entra
    Require valid-user
</Location>
ProxyPass "/" "http://127.0.0.1:${app.port}/"`,
    });
    // Nobody signs in by himself: the page asks.
    await emu.control('auto', { user: null });
    browser = await startChromium();
  });

  after(async () => {
    await browser?.close();
    try {
      await site?.stop();
    } finally {
      await app?.close();
      await emu?.close();
    }
  });

  test('signs in by choosing an account and lands on the page that was asked for', async () => {
    const ada = await person();
    const page = await ada.open('/holidays?year=2026');
    await atSignIn(page);
    assert.equal(await page.locator('h1').innerText(), 'Sign in');
    await picture(page, '1-sign-in');
    await choose(page, 'ada');
    await page.waitForURL((url) => url.href === at('/holidays?year=2026'));
    assert.equal(await page.locator('#name').innerText(), 'Ada Example');
    await picture(page, '2-application');
    await page.getByRole('link', { name: 'What the server told me' }).click();
    await page.waitForURL((url) => url.pathname === '/received');
    const rows = page.locator('#headers tr.identity');
    assert.match((await rows.allInnerTexts()).join('\n'), /X-Entra-User\s+ada@contoso\.example/);
    await picture(page, '3-what-the-application-receives');
    await ada.leave();
  });

  test('has cookies that no script can read, and an application that sees none of them', async () => {
    const ada = await person();
    const page = await signIn(ada, 'ada');
    const ours = (await ada.context.cookies(site.origin)).filter(({ name }) => /Entra-/.test(name));
    assert.ok(ours.some(({ name }) => name === 'Entra-Session'), 'a session cookie');
    for (const { name, httpOnly, sameSite, path: where } of ours) {
      assert.deepEqual({ httpOnly, sameSite, where }, { httpOnly: true, sameSite: 'Lax', where: '/' }, name);
    }
    assert.doesNotMatch(await page.evaluate(() => document.cookie), /Entra-/);
    const seen = app.requests.flatMap(({ headers }) => headers).filter(([name, value]) => /^cookie$/i.test(name) && /Entra-/.test(value));
    assert.deepEqual(seen, []);
    await ada.leave();
  });

  test('opens a second tab without being asked again', async () => {
    const ada = await person();
    await signIn(ada, 'ada');
    const second = await ada.open('/holidays');
    assert.equal(second.url(), at('/holidays'));
    assert.equal(await second.locator('#name').innerText(), 'Ada Example');
    await ada.leave();
  });

  test('signs in in two tabs that were opened at once, and each lands on its own page', async () => {
    const ada = await person();
    const first = await ada.open('/holidays');
    const second = await ada.open('/received?tab=2');
    await choose(first, 'ada');
    await first.waitForURL((url) => url.href === at('/holidays'));
    await choose(second, 'ada');
    await second.waitForURL((url) => url.href === at('/received?tab=2'));
    assert.equal(await second.locator('#name').innerText(), 'Ada Example');
    await first.reload();
    assert.equal(await first.locator('#name').innerText(), 'Ada Example');
    await ada.leave();
  });

  for (const [key, language] of [['eleni', 'Greek'], ['haruto', 'Japanese']]) {
    test(`has a ${language} name, and it arrives as it is`, async () => {
      const someone = await person();
      const page = await signIn(someone, key);
      assert.equal(await page.locator('#name').innerText(), nameOf(key));
      const session = await page.evaluate(async () => (await fetch('/.entra/session')).json());
      assert.equal(session.name, nameOf(key));
      await picture(page, `4-name-in-${language.toLowerCase()}`);
      await someone.leave();
    });
  }

  test('has a name full of markup and control characters, and no page breaks', async () => {
    const { name } = users.find((user) => user.key === 'evil');
    await emu.control('user', { user: 'evil', set: { name: name.replaceAll('\u0000', '') } });
    const eve = await person();
    const page = await signIn(eve, 'evil', '/received');
    const text = await page.locator('#headers').innerText();
    assert.match(text, /<script>alert\(1\)<\/script>/);
    assert.doesNotMatch(text, /[\u0000-\u0008\u000e-\u001f\u007f]/);
    assert.equal(app.requests.at(-1).headers.some(([name]) => /x-injected/i.test(name)), false);
    await eve.leave();
  });

  test('goes back with the button after the sign-in, and neither an error nor a loop comes of it', async () => {
    const ada = await person();
    const page = await ada.open('/holidays');
    await choose(page, 'ada');
    await page.waitForURL((url) => url.href === at('/holidays'));
    await page.goBack().catch(() => {});
    await page.waitForLoadState();
    if (new URL(page.url()).origin === emu.url) await choose(page, 'ada');
    await page.waitForURL((url) => url.href === at('/holidays'));
    assert.equal(await page.locator('#name').innerText(), 'Ada Example');
    await ada.leave();
  });

  test('comes by another name of the server and ends on the public one, signed in', async () => {
    const ada = await person();
    const page = await ada.open(`http://127.0.0.1:${site.httpd.port}/holidays?year=2026`);
    await choose(page, 'ada');
    await page.waitForURL((url) => url.href === at('/holidays?year=2026'));
    assert.equal(await page.locator('#name').innerText(), 'Ada Example');
    await ada.leave();
  });

  test('signs out in one tab, and a script in the other is told so and where to sign in', async () => {
    const ada = await person();
    const working = await signIn(ada, 'ada');
    await working.waitForFunction(() => document.getElementById('left').textContent === '17 days');
    const leaving = await ada.open('/holidays');
    await leaving.locator('#sign-out').click();
    await atSignIn(leaving);
    await working.bringToFront();
    await working.locator('#count').click();
    await working.waitForFunction(() => document.getElementById('left').textContent === 'not signed in (401)');
    const { body } = JSON.parse(await working.locator('body').getAttribute('data-answer'));
    assert.equal(body.status, 401);
    assert.ok(body.title && body.detail && body.id, 'a problem document');
    assert.equal(new URL(body.login).origin, site.origin);
    assert.equal(new URL(body.login).pathname, '/.entra/login');
    await working.goto(body.login);
    await choose(working, 'ada');
    await working.waitForURL((url) => url.href === at('/'));
    assert.equal(await working.locator('#name').innerText(), 'Ada Example');
    await ada.leave({ announced: [/status of 401/] });
  });

  test('signs out, and the way back to the application leads to the sign-in', async () => {
    const ada = await person();
    const page = await signIn(ada, 'ada', '/holidays');
    await page.locator('#sign-out').click();
    await atSignIn(page);
    assert.equal((await ada.context.cookies(site.origin)).some(({ name, value }) => name === 'Entra-Session' && value), false);
    const again = await ada.open('/holidays');
    await atSignIn(again);
    await ada.leave();
  });

  test('signs out without a page to go to, and is told that it worked', async () => {
    const ada = await person();
    const page = await signIn(ada, 'ada', '/holidays');
    await page.evaluate(() => { window.location.href = '/.entra/logout'; });
    await page.waitForURL(applicationUrl(/^\/\.entra\/callback/));
    assert.match(await page.locator('h1').innerText(), /signed out/i);
    await assertReadable(page);
    await picture(page, '5-signed-out');
    await ada.leave();
  });

  test('is not signed out by a link on another site: it takes a click', async () => {
    const ada = await person();
    const page = await signIn(ada, 'ada', '/holidays');
    const foreign = await ada.open(`${emu.url}/error?code=50058`);
    await foreign.evaluate((target) => { window.location.href = target; }, at('/.entra/logout?rd=/holidays'));
    await foreign.waitForURL(applicationUrl(/^\/\.entra\/logout/));
    await assertReadable(foreign);
    await picture(foreign, '6-sign-out-asks');
    await page.reload();
    assert.equal(await page.locator('#name').innerText(), 'Ada Example');
    await foreign.getByRole('button', { name: 'Sign out', exact: true }).click();
    await atSignIn(foreign);
    await page.reload();
    await atSignIn(page);
    await ada.leave();
  });

  test('signs out at Entra itself, and its hidden frame signs out of the application, with no cookie in it', async () => {
    const ada = await person();
    const page = await signIn(ada, 'ada', '/holidays');
    const cookies = await ada.context.cookies(site.origin);
    const framed = page.context().waitForEvent('request', (request) => request.url().includes('/.entra/frontchannel-logout'));
    const entra = await ada.open(`${emu.url}/${CONTOSO}/oauth2/v2.0/logout`);
    const request = await framed;
    assert.equal((await request.allHeaders()).cookie, undefined);
    const answer = await request.response();
    assert.equal(answer.status(), 200);
    await answer.finished();
    const frame = entra.frames().find((one) => one !== entra.mainFrame());
    assert.match(frame.url(), /^http:\/\/localhost:\d+\/\.entra\/frontchannel-logout\?sid=/, 'the login host may show it');
    const copy = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    const replayed = await site.httpd.request({ path: '/holidays', headers: { Accept: 'application/json', Cookie: copy } });
    assert.equal(replayed.status, 401, 'a copy of the cookie is dead');
    await page.reload();
    await atSignIn(page);
    await ada.leave();
  });

  test('signs out everywhere by the button, and the session in another browser of the same person has ended', async () => {
    const ada = await person();
    const phone = await person();
    const page = await signIn(ada, 'ada', '/holidays');
    await signIn(phone, 'ada', '/holidays');
    const copy = (await phone.context.cookies(site.origin)).map(({ name, value }) => `${name}=${value}`).join('; ');
    const replayed = () => site.httpd.request({ path: '/holidays', headers: { Accept: 'application/json', Cookie: copy } });
    assert.equal((await replayed()).status, 200);
    await page.evaluate(() => { window.location.href = '/.entra/logout?everywhere=1&rd=/holidays'; });
    await page.waitForURL(applicationUrl(/^\/\.entra\/logout/));
    await assertReadable(page);
    await picture(page, '6-sign-out-everywhere-asks');
    await page.getByRole('button', { name: 'Sign out everywhere', exact: true }).click();
    await atSignIn(page);
    assert.equal((await replayed()).status, 401, 'the other browser has no session any more');
    await ada.leave();
    await phone.leave();
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`declines, and gets a page that explains and helps on (${colorScheme})`, async () => {
      site.httpd.allow(/access_denied/);
      const ada = await person({ colorScheme });
      const page = await ada.open('/holidays');
      await atSignIn(page);
      await page.getByRole('button', { name: /cancel/i }).click();
      await page.waitForURL(applicationUrl(/^\/\.entra\/callback/));
      await assertReadable(page);
      const { ground, text } = await shades(page);
      assert.ok(colorScheme === 'dark' ? ground < 80 && text > 160 : ground > 200 && text < 100, `ground ${ground}, text ${text}`);
      const words = await page.locator('body').innerText();
      const id = /\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{16}\b/i.exec(words)?.[0];
      assert.ok(id, `a correlation id in: ${words}`);
      await site.httpd.waitForLog(new RegExp(id));
      await picture(page, `7-error-page-${colorScheme}`);
      await page.setViewportSize({ width: 320, height: 640 });
      await assertReadable(page);
      await picture(page, `7-error-page-${colorScheme}-small`);
      await page.getByRole('link').first().click();
      await choose(page, 'ada');
      await page.waitForURL((url) => url.origin === site.origin && !url.pathname.startsWith('/.entra/'));
      assert.equal(await page.locator('#name').innerText(), 'Ada Example');
      await ada.leave({ announced: [/status of 4\d\d/] });
    });
  }
});

describe('a person who sends a form after the session has ended', { skip: skip || noClock }, () => {
  const FORM = `<!doctype html><html lang="en"><meta charset="utf-8"><title>An order</title><h1>An order</h1>
<form method="post" action="/app/orders?x=1"><input name="what" value="caf\u00e9 &amp; &quot;tea&quot;"><textarea name="note"></textarea>
<select name="pick" multiple><option selected>1</option><option selected>2</option></select><button name="go" value="Send it">Send it</button></form></html>`;
  const NOTE = 'one <b>line</b>\n  two \u{1f600}~*\n';
  const BODY = 'what=caf%C3%A9+%26+%22tea%22&note=one+%3Cb%3Eline%3C%2Fb%3E%0D%0A++two+%F0%9F%98%80%7E*%0D%0A&pick=1&pick=2&go=Send+it';
  let own;

  before(async () => {
    own = await startSite({ clock: true, directives: { EntraPreservePost: '64k' }, files: { 'htdocs/form.html': FORM } });
    emu = own.emu;
    browser = await startChromium();
  });

  after(async () => {
    await browser?.close();
    await own?.stop();
  });

  test('signs in, is asked, and the application gets what was typed, once', async () => {
    const ada = await person();
    const page = await ada.open(own.at('/form.html'));
    await page.waitForURL(own.at('/form.html'));
    await page.locator('textarea').fill(NOTE);
    // Lunch.
    own.httpd.clock.forward(2 * 3600);
    await emu.control('clock', { offsetSeconds: own.httpd.clock.shift });
    own.backend.clear();
    await page.getByRole('button').click();
    await page.waitForURL((url) => url.pathname === '/.entra/resend');
    assert.equal(await page.locator('h1').innerText(), 'Send the form now?');
    await assertReadable(page);
    await picture(page, '8-send-the-form-now');
    const sent = () => own.backend.requests.filter(({ method }) => method === 'POST');
    assert.equal(sent().length, 0);
    await page.getByRole('button', { name: 'Send' }).click();
    await page.waitForURL(own.at('/app/orders?x=1'));
    assert.equal(sent().length, 1);
    assert.equal(sent()[0].url, '/orders?x=1');
    assert.equal(sent()[0].body, BODY);
    // Back: the page is not kept by the browser, and the form is gone.
    await page.goBack();
    await page.waitForURL((url) => url.pathname === '/.entra/resend');
    assert.match(await page.locator('h1').innerText(), /not here any more/);
    await picture(page, '8-form-is-gone');
    assert.equal(sent().length, 1);
    await ada.leave({ announced: [/status of 404/] });
  });
});
