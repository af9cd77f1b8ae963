// SPDX-License-Identifier: Apache-2.0
// The picture of docs/performance.md: how many requests are answered, at one connection to 256, and what a request costs.

const WIDTH = 880;
const HEIGHT = 400;
const LEFT = { x: 64, y: 76, width: 330, height: 250 };
const RIGHT = { x: 500, y: 76, width: 340 };
const COLORS = { none: 'base', entra: 'ours', rivalServer: 'other', rivalClient: 'last' };
const NAMES = { none: 'no authentication', entra: 'mod_entra_sso', rivalServer: 'mod_auth_openidc, server cache', rivalClient: 'mod_auth_openidc, client cookie' };
const STYLE = `
    text { font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f; }
    .title { font-weight: 600; font-size: 15px; }
    .quiet { fill: #6e7781; font-size: 12px; }
    .grid { stroke: #d0d7de; stroke-width: 1; }
    .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
    .base { --c: #6e7781; } .ours { --c: #0969da; } .other { --c: #bc4c00; } .last { --c: #8250df; }
    .line { stroke: var(--c); } .dot, .bar { fill: var(--c); } .name { fill: var(--c); font-weight: 600; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; } .quiet { fill: #8d96a0; } .grid { stroke: #3d444d; }
      .base { --c: #9198a1; } .ours { --c: #4493f8; } .other { --c: #f0883e; } .last { --c: #ab7df8; }
    }`;

const number = (value) => Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ',');
const tag = (name, attributes, inside) => `<${name}${Object.entries(attributes).map(([key, value]) => ` ${key}="${typeof value === 'number' ? Number(value.toFixed(1)) : value}"`).join('')}${inside === undefined ? '/>' : `>${inside}</${name}>`}`;
const text = (x, y, words, attributes = {}) => tag('text', { x, y, ...attributes }, words);

/** Round numbers from 0 to one not below `most`, four to eight of them. */
function scale(most) {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  const step = [1, 2, 2.5, 5].map((part) => part * power).filter((one) => one * 4 <= most).at(-1);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => i * step);
}

/** Labels at the right end of the lines, moved apart where they would stand over each other. */
function spreadOut(places, gap) {
  const sorted = [...places].sort((a, b) => a.y - b.y);
  for (let i = 1; i < sorted.length; i += 1) sorted[i].y = Math.max(sorted[i].y, sorted[i - 1].y + gap);
  return places;
}

/** What both functions below draw in: {kinds, ticks, px(connections), py(rate)}. */
function plane(steps) {
  const { x, y, width, height } = LEFT;
  const kinds = Object.keys(COLORS).filter((kind) => steps[0][kind]);
  const ticks = scale(Math.max(...steps.flatMap((step) => kinds.map((kind) => step[kind].rate))));
  const [first, last] = [steps[0], steps.at(-1)].map(({ at }) => Math.log2(at));
  return { kinds, ticks, px: (at) => x + (width * (Math.log2(at) - first)) / (last - first), py: (rate) => y + height - (height * rate) / ticks.at(-1) };
}

function lines(steps) {
  const { x, y, width, height } = LEFT;
  const { kinds, ticks, px, py } = plane(steps);
  const grid = ticks.map((rate) => tag('line', { class: 'grid', x1: x, x2: x + width, y1: py(rate), y2: py(rate) })
    + text(x - 8, py(rate) + 4, number(rate), { class: 'quiet', 'text-anchor': 'end' }));
  const below = steps.map(({ at }) => text(px(at), y + height + 20, at, { class: 'quiet', 'text-anchor': 'middle' }));
  const curves = kinds.map((kind) => tag('g', { class: COLORS[kind] },
    tag('polyline', { class: 'line', points: steps.map((step) => `${px(step.at).toFixed(1)},${py(step[kind].rate).toFixed(1)}`).join(' ') })
    + steps.map((step) => tag('circle', { class: 'dot', cx: px(step.at), cy: py(step[kind].rate), r: 3 })).join('')));
  return [
    text(x - 48, 28, 'Requests a second, one processor', { class: 'title' }), text(x - 48, 48, 'a file of 1 KiB, event, by connections at once', { class: 'quiet' }),
    ...grid, ...below, ...curves, text(x + width / 2, y + height + 44, 'connections at once', { class: 'quiet', 'text-anchor': 'middle' }),
  ];
}

function bars(counts) {
  const { x, y, width } = RIGHT;
  const kinds = Object.keys(COLORS).filter((kind) => counts[kind]);
  const most = Math.max(...kinds.map((kind) => counts[kind].file));
  const all = kinds.flatMap((kind, i) => {
    const at = y + 12 + i * 62;
    const value = counts[kind].file;
    return [tag('g', { class: COLORS[kind] }, text(x, at, NAMES[kind], { class: 'name' })
      + tag('rect', { class: 'bar', x, y: at + 8, width: Math.max(2, ((width - 90) * value) / most), height: 16, rx: 2 })
      + text(x + Math.max(2, ((width - 90) * value) / most) + 8, at + 21, number(value)))];
  });
  return [text(x, 28, 'Instructions of a request', { class: 'title' }), text(x, 48, 'of a user who is signed in; callgrind', { class: 'quiet' }), ...all];
}

/** Short names at the lines' ends, in the colours of the long ones beside the bars. */
function names(steps) {
  const { kinds, py } = plane(steps);
  const short = { none: 'none', entra: 'ours', rivalServer: 'cache', rivalClient: 'cookie' };
  const places = kinds.map((kind) => ({ kind, y: py(steps.at(-1)[kind].rate) + 4 }));
  return spreadOut(places, 15).map(({ kind, y }) => tag('g', { class: COLORS[kind] }, text(LEFT.x + LEFT.width + 8, y, short[kind], { class: 'name' })));
}

export function draw({ concurrency, instructions }) {
  const inside = [...lines(concurrency), ...names(concurrency), ...bars(instructions)];
  return `<!-- SPDX-License-Identifier: Apache-2.0, made by tests/bench/run.mjs -->
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Requests a second by connections at once, and instructions of a request, of httpd without authentication, with mod_entra_sso and with mod_auth_openidc">
  <style>${STYLE}
  </style>
  ${inside.join('\n  ')}
</svg>
`;
}
