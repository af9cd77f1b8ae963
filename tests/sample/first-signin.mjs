// SPDX-License-Identifier: Apache-2.0
// Signs in once, as a person would on the emulator's page, and shows what the sample application was told.
// usage: first-signin.mjs ORIGIN USER; exits with 1 when the application does not know that user afterwards.

import { Browser } from '../e2e/lib/browser.mjs';
import { users } from '../emulator/tenants.mjs';

const [origin, key] = process.argv.slice(2);
const user = users.find((one) => one.key === key);

function fail(why, page) {
  process.stderr.write(`${why}\n`);
  if (page) process.stderr.write(`${page.trace}\n${page.response?.text.replace(/<style[\s\S]*<\/style>/, '').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').slice(0, 600)}\n`);
  process.exit(1);
}

const browser = new Browser();
const asked = await browser.navigate(`${origin}/`);
const question = asked.forms?.find(({ buttons }) => buttons.some(({ name, value }) => name === 'user' && value === key));
if (!question) fail('The application did not lead to the sign-in page.', asked);
const button = question.buttons.findIndex(({ value }) => value === key);
const arrived = await browser.submit(asked, { form: asked.forms.findIndex(({ action }) => action === question.action), button });
if (arrived.status !== 200 || arrived.url !== `${origin}/`) fail('The sign-in did not lead back to the application.', arrived);

const told = (await browser.fetch(`${origin}/api/me`)).json();
const identity = told.headers.filter(([name]) => /^x-entra-/i.test(name));
if (told.user !== user.upn || told.name !== user.name || told.oid !== user.oid) fail(`The application was told: ${JSON.stringify(identity)}`);

for (const hop of [...asked.hops, ...arrived.hops]) process.stdout.write(`    ${hop.method.padEnd(4)} ${new URL(hop.url).origin}${new URL(hop.url).pathname} -> ${hop.status}\n`);
process.stdout.write(`\nAnd these request headers reached the application, which has no sign-in of its own:\n\n`);
for (const [name, value] of identity) process.stdout.write(`    ${name}: ${value}\n`);
