// SPDX-License-Identifier: Apache-2.0
// Measured data as the tables of docs/performance.md, which stand there between marks.

import { median } from './load.mjs';
import { KINDS } from './servers.mjs';

const KIND_NAMES = Object.keys(KINDS);
const thousands = (number) => Math.round(number).toString().replace(/\B(?=(\d{3})+$)/g, ',');
const percent = (ratio) => `${(100 * ratio).toFixed(1)} %`;
const spread = ({ ratio, least, most }) => `${percent(ratio)} (${(100 * least).toFixed(0)} to ${(100 * most).toFixed(0)})`;
const micros = ({ cpu }) => `${cpu.toFixed(1)} µs`;
const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** Instructions more than without authentication. */
export const more = (counts, kind, name) => counts[kind][name] - counts.none[name];

function instructionRows({ instructions }) {
  const names = ['file', 'proxied', 'opened'];
  return Object.entries(instructions).flatMap(([mpm, counts]) => KIND_NAMES.filter((kind) => counts[kind])
    .map((kind) => [mpm, KINDS[kind].label, ...names.map((name) => (kind === 'none' ? thousands(counts.none[name]) : `+ ${thousands(more(counts, kind, name))}`))]));
}

function throughputRows({ throughput }) {
  return Object.entries(throughput).flatMap(([mpm, { file, proxied }]) => KIND_NAMES.filter((kind) => file[kind]).map((kind) => [
    mpm, KINDS[kind].label, thousands(file[kind].rate), kind === 'none' ? '' : spread(file[kind]), micros(file[kind]),
    thousands(proxied[kind].rate), kind === 'none' ? '' : spread(proxied[kind]), micros(proxied[kind]),
  ]));
}

const scaleRow = (what) => ({ count, rate, cpu, ...ratios }, i) => [`${thousands(count)} ${what}`, thousands(rate), i === 0 ? '' : spread(ratios), micros({ cpu })];

function signInRows({ signIns }) {
  const at = ([count, kib]) => `${(kib / 1024).toFixed(1)} MiB after ${thousands(count)}`;
  return Object.entries(signIns).map(([kind, { rate, count, connections, closed, memory }]) => [
    KINDS[kind].label, thousands(rate), `${thousands(connections)} for ${thousands(count)}`, `${closed.resumed} of ${closed.connections}`, memory.map(at).join(', '),
  ]);
}

const range = (list) => `${(100 * Math.min(...list)).toFixed(0)} to ${(100 * Math.max(...list)).toFixed(0)} %`;

/** What is promised, and what came out; each row says itself whether it holds. */
function figureRows({ instructions, throughput, scale, shapes, signIns, bulkhead }) {
  const counts = instructions.event;
  const last = scale.sessions.at(-1);
  const [before, after] = scale.ended;
  const spent = shapes.map(({ none, entra }) => none.cpu / entra.cpu);
  const { memory, connections, count } = signIns.entra;
  const [[early, little], [late, much]] = [memory[0], memory.at(-1)];
  const held = bulkhead.rounds.map(({ rate, hanging }) => hanging / rate);
  const row = (what, wanted, got, good) => [what, wanted, got, good ? 'yes' : 'no'];
  return [
    row('throughput of a file, event', '97 % of httpd without authentication', percent(throughput.event.file.entra.ratio), throughput.event.file.entra.ratio >= 0.97),
    row('instructions of a request', '20,000 more', `${thousands(more(counts, 'entra', 'file'))} more`, more(counts, 'entra', 'file') <= 20_000),
    row('the same, where the cookie has to be opened', '20,000 more', `${thousands(more(counts, 'entra', 'opened'))} more`, more(counts, 'entra', 'opened') <= 20_000),
    row(`${thousands(last.count)} sessions, against one`, 'no fall', percent(last.ratio), last.ratio >= 0.95),
    row(`${thousands(after.count)} ended sessions, against none, by processor`, 'no fall', percent(before.cpu / after.cpu), before.cpu / after.cpu >= 0.95),
    row('processes and threads, by processor against httpd alone', 'no fall', range(spent), Math.max(...spent) - Math.min(...spent) <= 0.05),
    row('connections to Entra', 'one for each process, not for each sign-in', `${connections} for ${thousands(count)} sign-ins, 8 at once`, connections <= 16),
    row(`memory of a process, ${thousands(early)} to ${thousands(late)} sign-ins`, 'no growth', `${(little / 1024).toFixed(1)} to ${(much / 1024).toFixed(1)} MiB`, much <= little * 1.1),
    row('signed-in users while the provider hangs', '95 % of the requests', percent(median(held)), median(held) >= 0.95),
  ];
}

const sections = {
  figures: (data) => table(['Figure', 'Wanted', 'Measured', 'Reached'], figureRows(data)),
  instructions: (data) => table(['MPM', 'httpd', 'File', 'Proxied', 'File, another session than before'], instructionRows(data)),
  throughput: (data) => table(['MPM', 'httpd', 'File: requests a second', 'of httpd alone', 'processor for each', 'Proxied: requests a second', 'of httpd alone', 'processor for each'], throughputRows(data)),
  concurrency: ({ concurrency }) => {
    const kinds = KIND_NAMES.filter((kind) => concurrency[0][kind]);
    return table(['Connections at once', ...kinds.map((kind) => KINDS[kind].label)], concurrency.map((step) => [step.at, ...kinds.map((kind) => (kind === 'none' ? thousands(step.none.rate) : `${thousands(step[kind].rate)}, ${percent(step[kind].ratio)}`))]));
  },
  sessions: ({ scale }) => table(['', 'Requests a second', 'of the first row', 'Processor for each'], scale.sessions.map(scaleRow('sessions in turn'))),
  ended: ({ scale }) => table(['', 'Requests a second', 'of the first row', 'Processor for each'], scale.ended.map((one, i) => scaleRow('ended sessions')(i === 0 ? one : { ...one, ratio: one.rate / scale.ended[0].rate, least: one.rate / scale.ended[0].rate, most: one.rate / scale.ended[0].rate }, i))),
  shapes: ({ shapes }) => table(['MPM', 'Processes × threads', 'Without authentication', 'mod_entra_sso', 'of httpd alone'], shapes.map(({ mpm, processes, threads, none, entra }) => [mpm, `${processes} × ${threads}`, micros(none), micros(entra), spread(entra)])),
  signins: (data) => table(['httpd', 'Sign-ins a second', 'Connections to the token endpoint', 'TLS sessions resumed, where the provider closes each connection', 'Memory of a process'], signInRows(data)),
  bulkhead: ({ bulkhead }) => table(['', ''], [
    ['Requests of signed-in users, of those without the fault', bulkhead.rounds.map(({ rate, hanging }) => percent(hanging / rate)).join(', ')],
    ['Threads that wait for the provider', `${bulkhead.may} of ${bulkhead.workers}`],
    ['Further sign-ins: 503 with Retry-After', `${bulkhead.refused} of ${bulkhead.refused}, the slowest after ${bulkhead.slowest} ms`],
  ]),
  machine: ({ machine }) => `Measured on ${machine.date} on ${machine.cpus} × ${machine.model}, ${machine.system}, ${machine.httpd}, mod_auth_openidc ${machine.rival}.`,
};

/** The page with every part that `data` has put between its marks anew. */
export function fill(page, data) {
  let text = page;
  const all = ['instructions', 'throughput', 'scale', 'shapes', 'signIns', 'bulkhead'].every((name) => data[name]);
  const has = { figures: all, instructions: data.instructions, throughput: data.throughput, concurrency: data.concurrency, sessions: data.scale, ended: data.scale, shapes: data.shapes, signins: data.signIns, bulkhead: data.bulkhead, machine: data.machine };
  for (const [name, render] of Object.entries(sections)) {
    if (!has[name]) continue;
    const marks = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- end -->)`);
    if (!marks.test(text)) throw new Error(`the page has no place for ${name}`);
    text = text.replace(marks, (_, begin, end) => `${begin}\n${render(data)}\n\n${end}`);
  }
  return text;
}
