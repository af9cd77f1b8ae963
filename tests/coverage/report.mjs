// SPDX-License-Identifier: Apache-2.0
// What run measured, as the tables of docs/coverage.md; and the judgement: the core's bound, and an answer for everything that no unit
// test reaches in the files that judge foreign input.
// usage: node report.mjs UNIT.json ALL.json WHICH-END-TO-END-FILES

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const PAGE = path.join(ROOT, 'docs/coverage.md');
const ANSWERED = 'tests/coverage/answered';
const CORE = ['base', 'entra', 'session', 'directory', 'flow'];
const CORE_BOUND = 90;
/** Whatever decides over bytes of somebody else. */
const JUDGES = `base/bytes base/clock base/json base/seal base/url
  directory/barred directory/bulk directory/change directory/cursor directory/entries directory/federated directory/filter directory/match
  directory/operation directory/patch directory/projection directory/resource directory/scim directory/token directory/value
  entra/accesstoken entra/challenge entra/claims entra/delta entra/graph entra/graphcall entra/idtoken entra/jwt entra/keys entra/metadata
  entra/oauth entra/scope entra/secret entra/serviceassertion
  flow/access flow/bearer flow/form flow/frontchannel flow/renew flow/signin flow/signout flow/state flow/stepup
  httpd/scrub
  session/cookie session/entitle session/identity session/record session/row session/session session/template`.split(/\s+/);

const [unitFile, allFile, endToEnd] = process.argv.slice(2);

/** file: {lines: [{line, count, missed, branches}], functions} of one measurement; only lines with code. */
function read(file) {
  const { files } = JSON.parse(readFileSync(file, 'utf8'));
  return new Map(files.filter((one) => one.file.endsWith('.c')).map((one) => [one.file, {
    functions: one.functions.map(({ lineno, name }) => ({ line: lineno, name })).sort((a, b) => a.line - b.line),
    lines: one.lines.filter((line) => !line['gcovr/noncode'] && !line['gcovr/excluded']).map((line) => ({
      line: line.line_number, count: line.count, branches: line.branches.length, missed: line.branches.filter(({ count }) => count === 0).length,
    })),
  }]));
}

const sum = (list, of) => list.reduce((total, one) => total + of(one), 0);
const share = (part, whole) => (whole === 0 ? '-' : (Math.floor((1000 * part) / whole) / 10).toFixed(1));

function figures(files) {
  const lines = files.flatMap((file) => file?.lines ?? []);
  const branches = sum(lines, ({ branches: count }) => count);
  return { lines: lines.length, reached: lines.filter(({ count }) => count > 0).length, branches, taken: branches - sum(lines, ({ missed }) => missed) };
}

const layerOf = (file) => /^src\/([a-z]+)\//.exec(file)?.[1] ?? 'top';
const row = (name, unit, all) => `| ${name} | ${unit.lines} | ${share(unit.reached, unit.lines)} | ${share(unit.taken, unit.branches)} | ${share(all.reached, all.lines)} | ${share(all.taken, all.branches)} |`;

const unit = read(unitFile);
const all = read(allFile);
const names = [...all.keys()].sort();
const complaints = [];

// ---- the bound ----

const ofLayers = (measured, layers) => figures([...measured].filter(([file]) => layers.includes(layerOf(file))).map(([, one]) => one));
for (const layer of CORE) {
  const { lines, reached } = ofLayers(unit, [layer]);
  if (lines === 0 || (100 * reached) / lines < CORE_BOUND) complaints.push(`src/${layer}: ${share(reached, lines)} % of lines by unit tests, ${CORE_BOUND} are wanted`);
}

// ---- the answers: file | function | the beginning of a line, or * | why ----

const sourceOf = (file) => readFileSync(path.join(ROOT, file), 'utf8').split('\n').map((line) => line.trim());
const answers = readFileSync(path.join(ROOT, ANSWERED), 'utf8').split('\n').flatMap((text, i) => {
  if (/^\s*(#|$)/.test(text)) return [];
  const [file, name, start, why] = text.split(' | ').map((part) => part.trim());
  if (!why) complaints.push(`${ANSWERED}:${i + 1}: is not "file | function | beginning of the line | why"`);
  return [{ at: i + 1, file: `src/${file}`, name, start, used: 0 }];
});

function judge(file) {
  const measured = unit.get(file);
  if (!measured) { complaints.push(`${file}: was not measured`); return; }
  const source = sourceOf(file);
  const functionAt = (line) => measured.functions.filter((one) => one.line <= line).at(-1)?.name ?? '';
  for (const { line, count, missed } of measured.lines) {
    if (count > 0 && missed === 0) continue;
    const text = source[line - 1];
    const name = functionAt(line);
    const answer = answers.find((one) => one.file === file && one.name === name && (one.start === '*' || text.startsWith(one.start)));
    if (answer) answer.used += 1;
    else complaints.push(`${file}:${line}: ${count === 0 ? 'is not reached' : `${missed} of its ways are not taken`}, and has no answer: ${name} | ${text}`);
  }
}

for (const name of JUDGES) judge(`src/${name}.c`);
for (const { at, file, name, start } of answers) {
  // What threads and processes do at once is reached in some runs; so an answer is stale when its line is gone, not when it was reached.
  const there = existsSync(path.join(ROOT, file)) && (unit.get(file)?.functions.some((one) => one.name === name) ?? false) &&
    (start === '*' || sourceOf(file).some((line) => line.startsWith(start)));
  if (!there) complaints.push(`${ANSWERED}:${at}: there is no such line any more`);
}
for (const { at, used } of answers) if (used === 0) console.log(`note: ${ANSWERED}:${at} is reached by a unit test now`);

// ---- the tables ----

const layers = [...new Set(names.map(layerOf))].sort();
const HEAD = ['lines', 'unit: lines %', 'unit: branches %', 'all: lines %', 'all: branches %'];
const head = (first) => [`| ${[first, ...HEAD].join(' | ')} |`, `|${'---|'.repeat(HEAD.length + 1)}`];
const tables = [
  `Beside the unit tests: ${endToEnd === 'none' ? 'nothing' : endToEnd === 'all' ? 'every file of `tests/e2e`' : `of \`tests/e2e\` ${endToEnd.split(/\s+/).join(', ')}`}.`,
  '',
  ...head('Layer'),
  ...layers.map((layer) => row(layer === 'top' ? '`mod_entra_sso.c`, `entra-sso.c`' : `\`src/${layer}\``, ofLayers(unit, [layer]), ofLayers(all, [layer]))),
  row('the core', ofLayers(unit, CORE), ofLayers(all, CORE)),
  '',
  ...head('File'),
  ...names.map((file) => row(`\`${file.replace(/^src\//, '')}\``, figures([unit.get(file)]), figures([all.get(file)]))),
];
const page = readFileSync(PAGE, 'utf8');
const [before, after] = ['<!-- measured: begin, by tests/coverage/run -->', '<!-- measured: end -->'];
const parts = page.split(before);
if (parts.length !== 2 || !parts[1].includes(after)) complaints.push('docs/coverage.md: has no marks to write between');
else writeFileSync(PAGE, `${parts[0]}${before}\n${tables.join('\n')}\n${after}${parts[1].split(after)[1]}`);

for (const line of complaints) console.log(line);
const core = ofLayers(unit, CORE);
console.log(`${complaints.length === 0 ? 'ok' : 'not ok'} coverage${complaints.length === 0 ? '' : `: ${complaints.length} complaints`}`);
console.log(`   the core by unit tests: ${share(core.reached, core.lines)} % of lines, ${share(core.taken, core.branches)} % of branches`);
process.exitCode = complaints.length === 0 ? 0 : 1;
