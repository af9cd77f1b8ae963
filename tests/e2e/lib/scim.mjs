// SPDX-License-Identifier: Apache-2.0
// A SCIM client for tests, and the token that the command makes.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { Provisioner } from '../../emulator/provision.mjs';
import { COMMAND } from './command.mjs';

export const BASE = '/.entra/scim/v2';
export const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
export const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
export const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
export const ERROR = 'urn:ietf:params:scim:api:messages:2.0:Error';

/** entra-sso with this site's configuration. */
export function entraSso(site, args) {
  const result = spawnSync(COMMAND, ['--config', site.httpd.path('httpd.conf'), '--httpd', site.httpd.program, ...args],
    { encoding: 'utf8', env: { PATH: process.env.PATH, ASAN_OPTIONS: 'detect_leaks=0' } });
  return { status: result.status, out: result.stdout, err: result.stderr };
}

export function makeToken(site, ...args) {
  const { status, out, err } = entraSso(site, ['scim-token', 'new', ...args]);
  assert.equal(status, 0, err);
  assert.match(out, /^entra_scim_[0-9a-f]{16}_[\w-]{43}\n$/);
  return out.trim();
}

export class Scim {
  constructor(site, token, { host } = {}) { Object.assign(this, { site, token, host }); }

  /** A request below the service; body is turned into JSON unless it is a text. */
  async send(method, target, body, headers = {}) {
    const all = { Authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { 'Content-Type': 'application/scim+json' }), ...headers };
    return this.site.httpd.request({ method, path: BASE + target, headers: all, ...(this.host ? { host: this.host } : {}),
      ...(body === undefined ? {} : { body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) }) });
  }

  get(target, headers) { return this.send('GET', target, undefined, headers); }

  filter(resource, text, more = '') { return this.get(`/${resource}?filter=${encodeURIComponent(text)}${more}`); }

  patch(target, ...operations) { return this.send('PATCH', target, { schemas: [PATCH], Operations: operations }); }

  /** Makes a user; gives it. */
  async user(attributes) {
    const answer = await this.send('POST', '/Users', { schemas: [USER], ...attributes });
    assert.equal(answer.status, 201, answer.text);
    return answer.json();
  }

  async group(attributes) {
    const answer = await this.send('POST', '/Groups', { schemas: [GROUP], ...attributes });
    assert.equal(answer.status, 201, answer.text);
    return answer.json();
  }

  provisioner(options) {
    return new Provisioner({ token: this.token, send: ({ method, path: target, headers, body }) => this.site.httpd.request({ method, path: BASE + target, headers, ...(this.host ? { host: this.host } : {}), ...(body === undefined ? {} : { body }) }), ...options });
  }
}

/** A fault of SCIM in its promised shape. */
export function assertScimError(answer, status, scimType, message = '') {
  assert.equal(answer.status, status, `${message} ${answer.text}`);
  assert.match(answer.header('content-type') ?? '', /^application\/scim\+json\b/, message);
  const body = answer.json();
  assert.deepEqual(body.schemas, [ERROR], message);
  assert.equal(body.status, String(status), message);
  assert.equal(body.scimType, scimType, `${message} ${answer.text}`);
  assert.ok(body.detail.length > 0, message);
  assert.doesNotMatch(answer.text, /SELECT|INSERT|\/src\/|\.c:|entra_scim_/, message);
}
