// SPDX-License-Identifier: Apache-2.0
// A strict reader of Prometheus' text format 0.0.4: it throws where a scraper would refuse or misread the page.

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/;
const VALUE = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/;
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];

const unescapeLabel = (text) => text.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));

function readLabels(text, line) {
  const labels = {};
  let rest = text;
  while (rest !== '') {
    const found = LABEL.exec(rest);
    if (!found) throw new Error(`no labels: ${line}`);
    if (Object.hasOwn(labels, found[1])) throw new Error(`a label twice: ${line}`);
    labels[found[1]] = unescapeLabel(found[2]);
    rest = rest.slice(found[0].length);
    if (found[3] === ',' && rest === '') throw new Error(`a comma at the end: ${line}`);
  }
  return labels;
}

function readSample(line) {
  const found = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`).exec(line);
  if (!found || !VALUE.test(found[3])) throw new Error(`no sample: ${line}`);
  return { name: found[1], labels: readLabels(found[2] ?? '', line), value: Number(found[3].replace('Inf', 'Infinity')) };
}

const baseOf = (name, families) => {
  const base = name.replace(/_(bucket|sum|count)$/, '');
  return families.get(base)?.type === 'histogram' ? base : name;
};

const keyOf = (labels, without) => JSON.stringify(Object.entries(labels).filter(([name]) => name !== without).sort());

/** Buckets grow, end at +Inf, and +Inf is _count. */
function judgeHistogram(name, { samples }) {
  const series = new Map();
  for (const sample of samples) {
    const key = keyOf(sample.labels, 'le');
    const of = series.get(key) ?? series.set(key, { buckets: [] }).get(key);
    if (sample.name === `${name}_bucket`) of.buckets.push([Number(sample.labels.le.replace('Inf', 'Infinity')), sample.value]);
    else of[sample.name.slice(name.length + 1)] = sample.value;
  }
  for (const [key, { buckets, sum, count }] of series) {
    if (sum === undefined || count === undefined || buckets.at(-1)?.[0] !== Infinity) throw new Error(`${name}${key}: a part is missing`);
    buckets.forEach(([le, value], i) => {
      if (i > 0 && (le <= buckets[i - 1][0] || value < buckets[i - 1][1])) throw new Error(`${name}${key}: buckets do not grow`);
    });
    if (buckets.at(-1)[1] !== count) throw new Error(`${name}${key}: +Inf is not _count`);
  }
}

function judgeFamily(name, family) {
  const seen = new Set();
  for (const { name: sample, labels, value } of family.samples) {
    const key = sample + keyOf(labels);
    if (seen.has(key)) throw new Error(`a series twice: ${key}`);
    seen.add(key);
    if (family.type === 'counter' && (!name.endsWith('_total') || !Number.isInteger(value) || value < 0)) throw new Error(`no counter: ${key} ${value}`);
  }
  if (family.type === 'histogram') judgeHistogram(name, family);
}

export class Metrics {
  constructor(families) { this.families = families; }

  names() { return [...this.families.values()].flatMap(({ samples }) => samples.map(({ name }) => name)); }

  find(name, labels = {}) {
    const family = this.families.get(baseOf(name, this.families));
    return (family?.samples ?? []).filter((sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value));
  }

  /** The value of the one series that fits; undefined when there is none. */
  get(name, labels = {}) {
    const found = this.find(name, labels);
    if (found.length > 1) throw new Error(`${name} ${JSON.stringify(labels)}: ${found.length} series`);
    return found[0]?.value;
  }

  /** Of all that fit. */
  sum(name, labels = {}) { return this.find(name, labels).reduce((sum, { value }) => sum + value, 0); }
}

export function parseExposition(text) {
  const families = new Map();
  let current;
  if (!text.endsWith('\n') || /\r/.test(text)) throw new Error('the page does not end with a line feed, or has other ends of lines');
  for (const line of text.slice(0, -1).split('\n')) {
    const help = new RegExp(`^# HELP (${NAME}) (.*)$`).exec(line);
    const type = new RegExp(`^# TYPE (${NAME}) (\\w+)$`).exec(line);
    if (help) {
      if (families.has(help[1])) throw new Error(`a family twice: ${line}`);
      if (/\\(?![\\n])/.test(help[2])) throw new Error(`help is not escaped: ${line}`);
      current = { help: help[2], samples: [] };
      families.set(help[1], current);
    } else if (type) {
      if (families.get(type[1]) !== current || current.type || !TYPES.includes(type[2])) throw new Error(`a type out of place: ${line}`);
      current.type = type[2];
    } else {
      const sample = readSample(line);
      if (families.get(baseOf(sample.name, families)) !== current || !current?.type) throw new Error(`a sample outside of its family: ${line}`);
      current.samples.push(sample);
    }
  }
  for (const [name, family] of families) judgeFamily(name, family);
  return new Metrics(families);
}
