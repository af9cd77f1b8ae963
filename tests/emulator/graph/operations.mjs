// SPDX-License-Identifier: Apache-2.0
// What can be asked of Graph: who I am, what I am in, and which groups there are.

import { userProperties } from '../directory.mjs';
import { isGroup, isSecurityGroup, membershipsOf } from '../membership.mjs';
import { CONSUMERS } from '../tenants.mjs';
import { application, permissionGrants, servicePrincipal } from './applications.mjs';
import { demand, mayAny } from './bearer.mjs';
import { usersDelta } from './delta.mjs';
import { GraphError, badRequest, notFound, unsupported } from './errors.mjs';
import { isEventual, pageOf, pick, readFilter, readOptions, represent } from './query.mjs';

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const CHECKED_IDS = 20;

const READ_SELF = ['User.Read', 'User.ReadWrite', 'User.Read.All', 'Directory.Read.All'];
const READ_USERS = ['User.ReadBasic.All', 'User.Read.All', 'Directory.Read.All'];
const READ_GROUPS = ['GroupMember.Read.All', 'Group.Read.All', 'Directory.Read.All'];

/** The user behind /me. */
function me(caller) {
  if (caller.isApplication) throw new GraphError(400, 'BadRequest', '/me request is only valid with delegated authentication flow.');
  if (!caller.user) throw notFound(caller.oid);
  return caller.user;
}

function memberships(ctx, caller) {
  const user = me(caller);
  if (caller.tenant === CONSUMERS) throw new GraphError(403, 'Authorization_RequestDenied', 'Personal accounts have no directory.');
  return membershipsOf(ctx.emu, user);
}

function readBody(ctx) {
  const type = (ctx.headers['content-type'] ?? '').split(';')[0].trim().toLowerCase();
  try {
    const body = type === 'application/json' ? JSON.parse(ctx.body) : null;
    if (body !== null && typeof body === 'object' && !Array.isArray(body)) return body;
  } catch {
    // Told below, as every body that is no JSON object.
  }
  throw new GraphError(400, 'BadRequest', 'Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.');
}

const context = (ctx, what) => ({ '@odata.context': `${ctx.emu.base}/v1.0/$metadata#${what}` });

const idList = (ctx, ids) => ({ ...context(ctx, 'Collection(Edm.String)'), value: ids });

function checkMemberGroups(ctx, caller) {
  demand(caller, READ_SELF);
  const { groupIds } = readBody(ctx);
  if (!Array.isArray(groupIds)) throw badRequest("The parameter 'groupIds' is missing or no collection.");
  ctx.idsAsked = groupIds.length;
  if (groupIds.length > CHECKED_IDS) throw badRequest(`The collection 'groupIds' holds ${groupIds.length} ids; at most ${CHECKED_IDS} are allowed.`);
  const wrong = groupIds.find((id) => !GUID.test(id));
  if (wrong !== undefined) throw badRequest(`Invalid object identifier '${wrong}'.`);
  const asked = new Set(groupIds.map((id) => id.toLowerCase()));
  return idList(ctx, memberships(ctx, caller).filter((entry) => isGroup(entry) && asked.has(entry.id)).map((entry) => entry.id));
}

/** getMemberGroups gives groups, getMemberObjects also roles and administrative units, unless only security groups are wanted. */
const memberIds = (all) => (ctx, caller) => {
  demand(caller, READ_SELF);
  const { securityEnabledOnly } = readBody(ctx);
  if (typeof securityEnabledOnly !== 'boolean') throw badRequest("The parameter 'securityEnabledOnly' is missing or no Boolean.");
  const found = memberships(ctx, caller).filter(securityEnabledOnly ? isSecurityGroup : all);
  if (found.length > ctx.emu.limits.memberIds) {
    throw new GraphError(400, 'Directory_ResultSizeLimitExceeded', 'The size of the result exceeds the limit.');
  }
  return idList(ctx, found.map((entry) => entry.id));
};

function transitiveMemberOf(ctx, caller, [, cast]) {
  demand(caller, [...READ_SELF, ...READ_GROUPS]);
  const options = readOptions(ctx, ['select', 'top', 'count', 'skiptoken']);
  if (cast && !(isEventual(ctx) && options.count)) {
    throw unsupported("A cast needs the header 'ConsistencyLevel: eventual' and the query option '$count=true'.");
  }
  const found = memberships(ctx, caller).filter((entry) => !cast || isGroup(entry));
  const view = { select: options.select, typed: !cast, names: mayAny(caller, READ_GROUPS) };
  const what = cast ? `groups${options.select ? `(${options.select.join(',')})` : ''}` : 'directoryObjects';
  return { ...context(ctx, what), ...pageOf(ctx, options, caller.oid, found, (entry) => represent(entry, view)) };
}

function groups(ctx, caller) {
  demand(caller, READ_GROUPS);
  const options = readOptions(ctx, ['select', 'top', 'count', 'filter', 'skiptoken']);
  const fits = readFilter(options.filter);
  const found = ctx.emu.groups.filter((entry) => isGroup(entry) && entry.tenant === caller.tenant && fits(entry.name));
  const view = { select: options.select, names: true };
  return { ...context(ctx, 'groups'), ...pageOf(ctx, options, `${caller.tenant} ${options.filter ?? ''}`, found, (entry) => represent(entry, view)) };
}

function group(ctx, caller, [, id]) {
  demand(caller, READ_GROUPS);
  const found = ctx.emu.groups.find((entry) => isGroup(entry) && entry.tenant === caller.tenant && entry.id === id.toLowerCase());
  if (!found) throw notFound(id);
  return { ...context(ctx, 'groups/$entity'), ...represent(found, { select: readOptions(ctx, ['select']).select, names: true }) };
}

const showUser = (ctx, user) => ({
  ...context(ctx, 'users/$entity'),
  ...pick(userProperties(user), readOptions(ctx, ['select']).select),
});

function myself(ctx, caller) {
  demand(caller, READ_SELF);
  return showUser(ctx, me(caller));
}

function otherUser(ctx, caller, [, name]) {
  const wanted = name.toLowerCase();
  const user = ctx.emu.users.find((u) => u.tenant === caller.tenant && [u.oid, u.upn.toLowerCase()].includes(wanted));
  demand(caller, user && user === caller.user ? [...READ_SELF, ...READ_USERS] : READ_USERS);
  if (!user) throw notFound(name);
  return showUser(ctx, user);
}

/** The path behind /v1.0; the first that fits answers. */
export const operations = [
  { name: 'checkMemberGroups', method: 'POST', path: /^\/me\/checkMemberGroups$/i, run: checkMemberGroups },
  { name: 'getMemberObjects', method: 'POST', path: /^\/me\/getMemberObjects$/i, run: memberIds(() => true) },
  { name: 'getMemberGroups', method: 'POST', path: /^\/me\/getMemberGroups$/i, run: memberIds(isGroup) },
  { name: 'transitiveMemberOf', method: 'GET', path: /^\/me\/transitiveMemberOf(\/microsoft\.graph\.group)?$/i, run: transitiveMemberOf },
  { name: 'me', method: 'GET', path: /^\/me$/i, run: myself },
  { name: 'groups', method: 'GET', path: /^\/groups$/i, run: groups },
  { name: 'group', method: 'GET', path: /^\/groups\/([^/]+)$/i, run: group },
  { name: 'usersDelta', method: 'GET', path: /^\/users\/delta$/i, run: usersDelta },
  { name: 'application', method: 'GET', path: /^\/applications\(appId='([0-9a-f-]{36})'\)$/i, run: application },
  { name: 'servicePrincipal', method: 'GET', path: /^\/servicePrincipals\(appId='([0-9a-f-]{36})'\)$/i, run: servicePrincipal },
  { name: 'permissionGrants', method: 'GET', path: /^\/oauth2PermissionGrants$/i, run: permissionGrants },
  { name: 'user', method: 'GET', path: /^\/users\/([^/]+)$/i, run: otherUser },
];
