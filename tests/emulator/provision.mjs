// SPDX-License-Identifier: Apache-2.0
// Entra's provisioning service as a SCIM client: what it asks, in which order and in which words. It keeps the ids that the server
// gave, sends only what changed, and believes answers as strictly as Entra does.

import { randomUUID } from 'node:crypto';

const CORE = 'urn:ietf:params:scim:schemas:core:2.0';
export const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
const LIST = 'urn:ietf:params:scim:api:messages:2.0:ListResponse';

/** Attributes of a user of tenants.mjs by Entra's default mapping, with externalId from objectId. */
export function mapUser(user) {
  const mapped = {
    externalId: user.oid,
    userName: user.upn,
    active: user.enabled !== false,
    displayName: user.name,
    'emails[type eq "work"].value': user.email,
    'name.givenName': user.givenName,
    'name.familyName': user.familyName,
    'name.formatted': `${user.givenName} ${user.familyName}`,
    [`${ENTERPRISE}:department`]: user.department,
    [`${ENTERPRISE}:employeeNumber`]: user.employeeId,
    title: user.jobTitle,
    ...user.scim,
  };
  // Null source values are skipped.
  return Object.fromEntries(Object.entries(mapped).filter(([, value]) => value !== undefined && value !== null));
}

/** The body of a POST: paths become nested objects. */
export function createBody(attributes) {
  const body = { schemas: [`${CORE}:User`, ENTERPRISE], meta: { resourceType: 'User' }, roles: [] };
  for (const [path, value] of Object.entries(attributes)) {
    const entry = /^(\w+)\[type eq "(\w+)"\]\.(\w+)$/.exec(path);
    const extension = /^(urn:.*):(\w+)$/.exec(path);
    if (entry) {
      const [, name, type, sub] = entry;
      body[name] = [...(body[name] ?? []), { primary: true, type, [sub]: value }];
    } else if (extension) {
      body[extension[1]] = { ...body[extension[1]], [extension[2]]: value };
    } else if (path.includes('.')) {
      const [name, sub] = path.split('.');
      body[name] = { ...body[name], [sub]: value };
    } else {
      body[path] = value;
    }
  }
  return body;
}

/** The operations of an update in one of the two dialects. */
export function operations(changes, dialect) {
  if (dialect === 'legacy') {
    return Object.entries(changes).map(([path, value]) => ({ op: 'Replace', path, value: typeof value === 'boolean' ? (value ? 'True' : 'False') : value }));
  }
  // aadOptscim062020: small letters, true booleans, simple attributes gathered in one value without a path.
  const paths = Object.entries(changes).filter(([path]) => path.includes('[') || path === 'active');
  const gathered = Object.entries(changes).filter(([path]) => !path.includes('[') && path !== 'active');
  return [...paths.map(([path, value]) => ({ op: 'replace', path, value })), ...(gathered.length ? [{ op: 'replace', value: Object.fromEntries(gathered) }] : [])];
}

export class ProvisioningError extends Error {}

export class Provisioner {
  /** send({ method, path, headers, body }) gives { status, header(name), json() }; path is below the Tenant URL. */
  constructor({ send, token, dialect = 'legacy' }) {
    Object.assign(this, { transport: send, token, dialect });
    this.links = new Map(); // objectId -> { id, sent }
    this.requests = 0;
  }

  async send(method, path, body) {
    this.requests += 1;
    const headers = { Authorization: `Bearer ${this.token}`, Accept: 'application/scim+json' };
    if (body !== undefined) headers['Content-Type'] = 'application/scim+json; charset=utf-8';
    return this.transport({ method, path, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  }

  /** Sends, and fails unless the status is one of those. */
  async expect(statuses, method, path, body) {
    const answer = await this.send(method, path, body);
    if (!statuses.includes(answer.status)) throw new ProvisioningError(`${method} ${path}: ${answer.status} ${answer.text}`);
    if (![204, 304].includes(answer.status) && !/^application\/scim\+json\b/.test(answer.header('content-type') ?? '')) {
      throw new ProvisioningError(`${method} ${path}: the answer is of type ${answer.header('content-type')}`);
    }
    return answer;
  }

  /** A query of which Entra takes anything but a ListResponse with Resources for a fault. */
  async query(resource, filter, more = '') {
    // Spaces as '+', quotes as %22: as the .NET client writes them.
    const answer = (await this.expect([200], 'GET', `/${resource}?${more}filter=${encodeURIComponent(filter).replaceAll('%20', '+')}`)).json();
    if (!answer.schemas?.includes(LIST) || !Array.isArray(answer.Resources) || typeof answer.totalResults !== 'number') {
      throw new ProvisioningError(`a query for ${filter} got ${JSON.stringify(answer)}`);
    }
    return answer.Resources;
  }

  async testConnection() {
    const users = await this.query('Users', `userName eq "${randomUUID()}"`);
    const groups = await this.query('Groups', `displayName eq "${randomUUID()}"`, 'excludedAttributes=members&');
    if (users.length || groups.length) throw new ProvisioningError('somebody has a random name');
  }

  /** One user as a cycle treats it: match, else create; then only what changed. */
  async user(user, { dialect = this.dialect } = {}) {
    const attributes = mapUser(user);
    let link = this.links.get(user.oid);
    if (!link) {
      const [found] = await this.query('Users', `userName eq "${attributes.userName}"`);
      if (!found) {
        if (attributes.active === false) return undefined; // a disabled user is not provisioned
        const created = (await this.expect([201], 'POST', '/Users', createBody(attributes))).json();
        if (!created.id || created.userName?.toLowerCase() !== attributes.userName.toLowerCase()) throw new ProvisioningError('the created user has no id or another name');
        this.links.set(user.oid, { id: created.id, sent: attributes });
        return created.id;
      }
      link = { id: found.id, sent: {} };
      this.links.set(user.oid, link);
    }
    const changes = Object.fromEntries(Object.entries(attributes).filter(([path, value]) => link.sent[path] !== value));
    if (Object.keys(changes).length === 0) return link.id;
    await this.expect([200], 'GET', `/Users/${link.id}`);
    await this.expect([200, 204], 'PATCH', `/Users/${link.id}`, { schemas: [PATCH], Operations: operations(changes, dialect) });
    link.sent = attributes;
    return link.id;
  }

  /** One group with the links of its members. */
  async group(group, members) {
    let link = this.links.get(group.id);
    if (!link) {
      const [found] = await this.query('Groups', `displayName eq "${group.displayName}"`, 'excludedAttributes=members&');
      const body = {
        schemas: [`${CORE}:Group`, 'http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group'],
        externalId: group.id, displayName: group.displayName, meta: { resourceType: 'Group' },
      };
      const id = found?.id ?? (await this.expect([201], 'POST', '/Groups', body)).json().id;
      link = { id, name: group.displayName, members: new Set() };
      this.links.set(group.id, link);
    }
    if (link.name !== group.displayName) {
      await this.patchGroup(link.id, [{ op: 'Replace', path: 'displayName', value: group.displayName }]);
      link.name = group.displayName;
    }
    const wanted = new Set(members.map((oid) => this.links.get(oid)?.id).filter(Boolean));
    const added = [...wanted].filter((id) => !link.members.has(id));
    const removed = [...link.members].filter((id) => !wanted.has(id));
    if (added.length) await this.patchGroup(link.id, [{ op: 'Add', path: 'members', value: added.map((value) => ({ $ref: null, value })) }]);
    if (removed.length && this.dialect === 'legacy') await this.patchGroup(link.id, [{ op: 'Remove', path: 'members', value: removed.map((value) => ({ value })) }]);
    else if (removed.length) await this.patchGroup(link.id, removed.map((id) => ({ op: 'remove', path: `members[value eq "${id}"]` })));
    link.members = wanted;
    return link.id;
  }

  async patchGroup(id, list) {
    await this.expect([204], 'PATCH', `/Groups/${id}`, { schemas: [PATCH], Operations: list });
  }

  /** Unassigned, out of scope, disabled, or in the recycle bin: all the same to the server. */
  async disable(user, options) { return this.user({ ...user, enabled: false }, options); }

  /** The manager comes in a pass of its own, once everybody is there. */
  async manager(user, manager) {
    await this.expect([200, 204], 'PATCH', `/Users/${this.links.get(user.oid).id}`, { schemas: [PATCH],
      Operations: [{ op: 'Add', path: `${ENTERPRISE}:manager`, value: this.links.get(manager.oid).id }] });
  }

  /** Purged from the recycle bin. */
  async purge(object) {
    const key = object.oid ?? object.id;
    await this.expect([204, 404], 'DELETE', `/${object.oid ? 'Users' : 'Groups'}/${this.links.get(key).id}`);
    this.links.delete(key);
  }

  /** Test connection, users, groups with members. groups: [{ id, displayName, members: [objectId] }]. */
  async cycle({ users = [], groups = [] }) {
    await this.testConnection();
    for (const user of users) await this.user(user);
    for (const group of groups) await this.group(group, group.members ?? []);
  }

  /** Provision on demand: one user at once, always in the old dialect. */
  async onDemand(user) {
    await this.testConnection();
    return this.user(user, { dialect: 'legacy' });
  }
}
