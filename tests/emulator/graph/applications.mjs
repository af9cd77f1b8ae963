// SPDX-License-Identifier: Apache-2.0
// What is registered, as Graph shows it: the application, its service principal, and what administrators have consented to.

import { principalOf } from '../registration.mjs';
import { demand } from './bearer.mjs';
import { GraphError, notFound } from './errors.mjs';
import { pick, readOptions } from './query.mjs';

const READ_APPLICATIONS = ['Application.Read.All', 'Application.ReadWrite.All', 'Directory.Read.All'];
const READ_GRANTS = ['DelegatedPermissionGrant.Read.All', 'DelegatedPermissionGrant.ReadWrite.All', 'Directory.Read.All'];
// What every registration of the emulator is consented to, unless the call `graph` takes it away.
const DELEGATED = ['openid', 'profile', 'email', 'offline_access', 'User.Read', 'GroupMember.Read.All'];
const YEAR = 365 * 86_400;

const context = (ctx, what) => ({ '@odata.context': `${ctx.emu.base}/v1.0/$metadata#${what}` });
const uris = (client, platform) => ({ redirectUris: client.platform === platform ? client.redirectUris : [] });
const dateOf = (seconds) => new Date(seconds * 1000).toISOString();

function clientOf(ctx, caller, id) {
  const client = ctx.emu.clients.find((known) => known.id === id.toLowerCase() && known.tenant === caller.tenant);
  if (!client) throw notFound(id);
  return client;
}

function registrationOf(ctx, client) {
  return {
    id: principalOf({ id: `application:${client.id}` }),
    appId: client.id,
    displayName: client.name,
    signInAudience: client.signInAudience,
    web: { ...uris(client, 'web'), logoutUrl: client.frontChannelLogoutUri === 'derive' ? null : client.frontChannelLogoutUri },
    spa: uris(client, 'spa'),
    publicClient: uris(client, 'publicClient'),
    groupMembershipClaims: client.groupMembershipClaims ?? null,
    optionalClaims: { idToken: client.optionalClaims.map((name) => ({ name, essential: false, additionalProperties: client.claimProperties?.[name] ?? [] })) },
    passwordCredentials: client.secrets.map(({ value, expires }) => ({ hint: value.slice(0, 3), endDateTime: dateOf(expires ?? ctx.emu.now() + YEAR), secretText: null })),
  };
}

export function application(ctx, caller, [, id]) {
  demand(caller, READ_APPLICATIONS);
  const client = clientOf(ctx, caller, id);
  return { ...context(ctx, 'applications/$entity'), ...pick(registrationOf(ctx, client), readOptions(ctx, ['select']).select) };
}

export function servicePrincipal(ctx, caller, [, id]) {
  demand(caller, READ_APPLICATIONS);
  const client = clientOf(ctx, caller, id);
  const full = { id: principalOf(client), appId: client.id, displayName: client.name, accountEnabled: client.principalEnabled ?? client.enabled, appRoleAssignmentRequired: client.assignmentRequired };
  return { ...context(ctx, 'servicePrincipals/$entity'), ...pick(full, readOptions(ctx, ['select']).select) };
}

export function permissionGrants(ctx, caller) {
  demand(caller, READ_GRANTS);
  const { filter } = readOptions(ctx, ['filter']);
  const [, principal] = /^clientId +eq +'([0-9a-f-]{36})'$/i.exec(filter ?? '') ?? [];
  if (!principal) throw new GraphError(400, 'BadRequest', `Invalid filter clause: ${filter}`);
  const client = ctx.emu.clients.find((known) => principalOf(known) === principal.toLowerCase() && known.tenant === caller.tenant);
  const scope = DELEGATED.filter((name) => ctx.emu.graphConsent[name] !== false).join(' ');
  const value = client ? [{ clientId: principal, consentType: 'AllPrincipals', principalId: null, scope }] : [];
  return { ...context(ctx, 'oauth2PermissionGrants'), value };
}
