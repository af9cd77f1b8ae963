// SPDX-License-Identifier: Apache-2.0
// Answers as plain objects {status, headers, body}: endpoints return them, the server sends them.

const JSON_TYPE = 'application/json; charset=utf-8';

export const json = (status, value, headers = {}) => text(status, JSON.stringify(value), { 'Content-Type': JSON_TYPE, ...headers });

export const text = (status, body, headers = {}) => ({ status, body, headers: { 'Content-Type': 'text/plain; charset=utf-8', ...headers } });

export const html = (status, body, headers = {}) => text(status, body, {
  'Content-Type': 'text/html; charset=utf-8',
  'Cache-Control': 'no-store, no-cache',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'strict-origin-when-cross-origin',
  ...headers,
});

export const redirect = (location, headers = {}) => text(302, '', { Location: location, 'Cache-Control': 'no-store, no-cache', ...headers });
