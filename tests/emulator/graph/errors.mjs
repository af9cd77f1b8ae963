// SPDX-License-Identifier: Apache-2.0
// Failures and answers in Graph's shape.

import { json } from '../reply.mjs';

const TYPE = 'application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8';

export class GraphError extends Error {
  constructor(status, code, message, headers = {}) {
    super(message);
    Object.assign(this, { status, code, headers });
  }
}

export const badRequest = (message) => new GraphError(400, 'Request_BadRequest', message);
export const unsupported = (message) => new GraphError(400, 'Request_UnsupportedQuery', message);
export const notFound = (id) => new GraphError(404, 'Request_ResourceNotFound', `Resource '${id}' does not exist, or is not visible to the caller.`);

export const graphHeaders = (ctx) => ({
  'Content-Type': TYPE,
  'Cache-Control': 'no-cache',
  'OData-Version': '4.0',
  'request-id': ctx.traceId,
  'client-request-id': ctx.correlationId,
  ...ctx.replyHeaders,
});

export function errorReply(ctx, error) {
  const date = new Date(ctx.emu.now() * 1000).toISOString().slice(0, 19);
  const innerError = { date, 'request-id': ctx.traceId, 'client-request-id': ctx.correlationId };
  return json(error.status, { error: { code: error.code, message: error.message, innerError } }, { ...graphHeaders(ctx), ...error.headers });
}
