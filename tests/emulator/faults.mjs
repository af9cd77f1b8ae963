// SPDX-License-Identifier: Apache-2.0
// Outages on request: delays, error statuses, silence and broken connections in front of any endpoint.

import { setTimeout as wait } from 'node:timers/promises';

export const faultEndpoints = ['discovery', 'keys', 'discoveryV1', 'keysV1', 'authorize', 'login', 'token', 'logout', 'graph', 'imds', 'appservice', 'cluster', 'any'];

export function addFault(world, fault) {
  if (!faultEndpoints.includes(fault.endpoint)) throw new Error(`endpoint is one of ${faultEndpoints.join(', ')}`);
  if (fault.path !== undefined && typeof fault.path !== 'string') throw new Error('path is a part of a path');
  world.faults.push({ ...fault });
}

/** A fault may be for one kind of grant only, or for paths with a certain part. */
function fits(fault, { endpoint, grantType, path }) {
  if (![endpoint, 'any'].includes(fault.endpoint)) return false;
  return (fault.grant === undefined || fault.grant === grantType) && (fault.path === undefined || path.includes(fault.path));
}

function takeFault(world, record) {
  const fault = world.faults.find((f) => fits(f, record));
  if (fault && typeof fault.count === 'number' && --fault.count <= 0) world.faults.splice(world.faults.indexOf(fault), 1);
  return fault;
}

function bodyOf(fault) {
  if (fault.body === undefined) return '';
  return typeof fault.body === 'string' ? fault.body : JSON.stringify(fault.body);
}

function headersOf(fault) {
  const headers = { 'Content-Type': typeof fault.body === 'object' ? 'application/json; charset=utf-8' : 'text/html; charset=utf-8', ...fault.headers };
  if (fault.retryAfter !== undefined) headers['Retry-After'] = String(fault.retryAfter);
  return headers;
}

/**
 * Plays the fault that waits for this request, if any.
 * Returns null to go on as usual, a reply to send, or 'handled' when the connection was dealt with.
 */
export async function playFault(world, record, req, res) {
  const fault = takeFault(world, record);
  if (!fault) return null;
  if (fault.delayMs) await wait(fault.delayMs, undefined, { ref: false });
  if (fault.hang) return 'handled';
  if (fault.close) {
    req.socket.destroy();
    return 'handled';
  }
  if (fault.cutBody) {
    // Promises more than it sends: the client sees the connection end in the middle of the body.
    res.writeHead(fault.status ?? 200, { ...headersOf(fault), 'Content-Length': '100000' });
    res.write(bodyOf(fault) || '{"token_type":"Bearer",', () => req.socket.destroy());
    return 'handled';
  }
  if (fault.status === undefined && fault.body === undefined) return null;
  return { status: fault.status ?? 200, headers: headersOf(fault), body: bodyOf(fault) };
}
