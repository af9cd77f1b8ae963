// SPDX-License-Identifier: Apache-2.0
// Microsoft Graph behind /v1.0: finds the question, checks who asks, answers, and keeps count.

import { recordGraph } from '../stats.mjs';
import { authenticate } from './bearer.mjs';
import { GraphError, errorReply } from './errors.mjs';
import { operations } from './operations.mjs';
import { shapedReply } from './shape.mjs';

const ROOT = '/v1.0';

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** {operation, match} of a path; the method is judged later, as a path of another method is not an unknown one. */
function find(ctx) {
  const path = decode(ctx.url.pathname).slice(ROOT.length);
  for (const operation of operations) {
    const match = operation.path.exec(path);
    if (match) return { operation, match };
  }
  return { path };
}

function answer(ctx, { operation, match, path }) {
  const caller = authenticate(ctx);
  if (!operation) throw new GraphError(400, 'BadRequest', `Resource not found for the segment '${path.split('/')[1]}'.`);
  if (ctx.method !== operation.method) throw new GraphError(405, 'Request_BadRequest', 'Specified HTTP method is not allowed for the request target.');
  return operation.run(ctx, caller, match);
}

export function graph(ctx) {
  const found = find(ctx);
  const name = found.operation?.name ?? 'unknown';
  let reply;
  try {
    reply = shapedReply(ctx, name, answer(ctx, found));
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    reply = errorReply(ctx, error);
  }
  Object.assign(ctx.record, { operation: name, ids: ctx.idsAsked });
  recordGraph(ctx.emu.stats, name, reply.status, ctx.idsAsked);
  return reply;
}
