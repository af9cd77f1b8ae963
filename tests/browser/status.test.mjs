// SPDX-License-Identifier: Apache-2.0
// The status page as an administrator sees it, in a real Chromium: light, dark, narrow, without a breach of its own policy.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeToken, Scim } from '../e2e/lib/scim.mjs';
import { startSite } from '../e2e/lib/site.mjs';
import { SCREENSHOTS, skip, startChromium } from './chromium.mjs';

describe('the status page', { skip }, () => {
  let site;
  let browser;

  before(async () => {
    site = await startSite({
      directives: { EntraSCIM: 'on' },
      extra: '<Location "/-/status">\n    SetHandler entra-status\n    AuthType None\n    Require all granted\n</Location>\n<Location "/refused">\n    Require entra-role Nobody\n</Location>',
    });
    const scim = new Scim(site, makeToken(site));
    await scim.user({ userName: 'bob@contoso.example' });
    site.httpd.allow(/ENTRA2102|AH01631/);
    const ada = await site.signedIn();
    await ada.fetch(site.at('/refused'), { headers: { Accept: 'application/json' } });
    browser = await startChromium();
  });

  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`can be read, and breaks none of its own rules (${colorScheme})`, async () => {
      const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, colorScheme });
      const complaints = [];
      context.on('console', (message) => { if (message.type() === 'error' && !/favicon/.test(message.location().url)) complaints.push(message.text()); });
      const page = await context.newPage();
      for (const [width, name] of [[1200, ''], [420, '-small']]) {
        await page.setViewportSize({ width, height: 900 });
        await page.goto(site.at('/-/status'));
        const seen = await page.evaluate(() => ({
          ground: getComputedStyle(document.body).backgroundColor,
          headings: document.querySelectorAll('h1').length,
          scripts: document.scripts.length,
          sideways: document.documentElement.scrollWidth > document.documentElement.clientWidth,
          columns: getComputedStyle(document.querySelector('.tiles')).display,
        }));
        const light = Number(seen.ground.match(/\d+/)[0]);
        assert.ok(colorScheme === 'dark' ? light < 60 : light > 220, seen.ground);
        assert.deepEqual([seen.headings, seen.scripts, seen.sideways, seen.columns], [1, 0, false, 'grid'], `${width}`);
        await page.screenshot({ path: path.join(SCREENSHOTS, `9-status-${colorScheme}${name}.png`), fullPage: true });
      }
      await context.close();
      assert.deepEqual(complaints, [], 'the browser console');
    });
  }
});
