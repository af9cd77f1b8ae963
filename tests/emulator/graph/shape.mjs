// SPDX-License-Identifier: Apache-2.0
// Graph's answers bent on request, and permissions that are taken away.

import { randomUUID } from 'node:crypto';
import { oddBody } from '../oddbody.mjs';
import { json, text } from '../reply.mjs';
import { takeShape } from '../world.mjs';
import { GraphError, errorReply, graphHeaders } from './errors.mjs';
import { operations } from './operations.mjs';

const MEMBERS = ['operation', 'skip', 'count', 'raw', 'generate', 'status', 'headers', 'error', 'set', 'unset', 'add', 'duplicate', 'nextLink'];

function checkShape(shape) {
  const wrong = Object.keys(shape).find((name) => !MEMBERS.includes(name));
  if (wrong !== undefined) throw new Error(`a shape of graph has no '${wrong}'; it has ${MEMBERS.join(', ')}, and consent`);
  const names = operations.map((operation) => operation.name);
  if (shape.operation !== undefined && !names.includes(shape.operation)) throw new Error(`operation is one of ${names.join(', ')}`);
  if (shape.add !== undefined && !Array.isArray(shape.add)) throw new Error('add is an array');
  oddBody(shape);
}

const state = (world) => ({ graph: world.shapes.graph, consent: world.graphConsent });

/** The control call: `consent` is kept until reset or DELETE, the rest is the shape of answers and replaces the one before. */
export function setGraph(world, { consent, ...shape }) {
  checkShape(shape);
  if (consent !== undefined) Object.assign(world.graphConsent, consent);
  if (Object.keys(shape).length || consent === undefined) world.shapes.graph = Object.keys(shape).length ? { ...shape } : null;
  return state(world);
}

export const getGraph = state;

export function clearGraph(world) {
  Object.assign(world, { graphConsent: {} });
  world.shapes.graph = null;
  return state(world);
}

/** The control call for a group: `group` is its key or id. */
export function changeGroup(world, { group, set = {}, unset = [] }) {
  const found = world.groups.find((entry) => entry.key === group || entry.id === group);
  if (!found) throw new Error(`there is no group '${group}'`);
  Object.assign(found, set);
  for (const name of unset) delete found[name];
  return { group: found };
}

function takeGraphShape(world, operation) {
  const shape = world.shapes.graph;
  if (!shape || (shape.operation && shape.operation !== operation)) return null;
  if (shape.skip > 0) {
    shape.skip -= 1;
    return null;
  }
  return takeShape(world, 'graph');
}

/** Each item once more, under another id: names are not unique in a directory. */
const doubled = (items) => items.flatMap((item) => [item, typeof item === 'string' ? item : { ...item, id: randomUUID() }]);

function bend(ctx, answer, shape) {
  const bent = { ...answer, ...shape.set };
  if (shape.duplicate) bent.value = doubled(bent.value);
  if (shape.add) bent.value = [...bent.value, ...shape.add];
  if (shape.nextLink !== undefined) {
    const self = ctx.emu.base + ctx.url.pathname + ctx.url.search;
    bent['@odata.nextLink'] = typeof shape.nextLink === 'string' ? shape.nextLink.replaceAll('{{base}}', ctx.emu.base).replaceAll('{{self}}', self) : shape.nextLink;
  }
  for (const name of shape.unset ?? []) delete bent[name];
  return bent;
}

/** The reply for a good answer. */
export function shapedReply(ctx, operation, answer) {
  const shape = takeGraphShape(ctx.emu, operation);
  if (!shape) return json(200, answer, graphHeaders(ctx));
  const headers = { ...graphHeaders(ctx), ...shape.headers };
  if (shape.error) return errorReply(ctx, new GraphError(shape.status ?? 400, shape.error.code, shape.error.message ?? '', shape.headers));
  const odd = oddBody(shape);
  return odd !== undefined ? text(shape.status ?? 200, odd, headers) : json(shape.status ?? 200, bend(ctx, answer, shape), headers);
}
