// SPDX-License-Identifier: Apache-2.0
// Hostile answer bodies that are too large or too odd to be sent in through the control calls.

const KINDS = {
  array: () => '[]',
  null: () => 'null',
  string: () => '"text"',
  number: () => '1e999',
  empty: () => '',
  truncated: () => '{"issuer":"http://127.0.0.1',
  notjson: () => '<!doctype html><title>maintenance</title>',
  deep: (size) => `${'{"keys":'.repeat(size ?? 10000)}null${'}'.repeat(size ?? 10000)}`,
  deepArray: (size) => '['.repeat(size ?? 10000) + ']'.repeat(size ?? 10000),
  huge: (size) => `{"keys":[],"padding":"${'x'.repeat(size ?? 50 * 1024 * 1024)}"}`,
  nul: () => '{"keys":[]\u0000}',
};

export const oddKinds = Object.keys(KINDS);

/** The body that a shape asks for literally (`raw`) or by kind (`generate: {kind, size}`); undefined when it asks for neither. */
export function oddBody(shape) {
  if (typeof shape?.raw === 'string') return shape.raw;
  const kind = shape?.generate?.kind;
  if (kind === undefined) return undefined;
  if (!KINDS[kind]) throw new Error(`generate.kind is one of ${oddKinds.join(', ')}`);
  return KINDS[kind](shape.generate.size);
}
