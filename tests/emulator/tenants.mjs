// SPDX-License-Identifier: Apache-2.0
// The invented world of the emulator: tenants, client applications, groups and users, free of behaviour so that tests can import it.

import { createHash } from 'node:crypto';

export const CONTOSO = '7f3a1c52-9d0e-4b6a-8c41-2e5d90b7a613';
export const FABRIKAM = '2b8e4d10-6f5a-4c3b-9d7e-1a0f9e8d7c6b';
export const CONSUMERS = '9188040d-6c67-4c5b-b112-36a304b66dad';

export const CLIENT = 'c1d2e3f4-5a6b-4c7d-8e9f-0a1b2c3d4e5f';
export const CLIENT_SECRET = 'S3cret~value.of-the_app';
export const OTHER_CLIENT = '0d9c8b7a-6f5e-4d3c-8b2a-1f0e9d8c7b6a';
export const OTHER_CLIENT_SECRET = 'An0ther~secret.value';
export const CERT_CLIENT = '3e5d7c9b-1a2f-4e6d-9c8b-7a6f5e4d3c2b';

export const tenants = [
  { id: CONTOSO, name: 'Contoso', domains: ['contoso.example', 'contoso.onmicrosoft.com'], region: 'EU' },
  { id: FABRIKAM, name: 'Fabrikam', domains: ['fabrikam.example', 'fabrikam.onmicrosoft.com'], region: 'NA' },
  { id: CONSUMERS, name: 'Personal accounts', domains: ['outlook.example'], region: 'WW' },
];

/** A GUID in version-4 form that is the same in every run, made from a name. */
export function guidOf(name) {
  const hex = createHash('sha256').update(`entra-emulator:${name}`).digest('hex');
  const variant = '89ab'[parseInt(hex[16], 16) % 4];
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, variant + hex.slice(17, 20), hex.slice(20, 32)].join('-');
}

// A member of the directory that people and groups can be in. `memberOf` holds ids, as the `groups` of users do.
const entry = (kind, key, name, more = {}) => ({
  key, id: guidOf(`${kind}:${key}`), kind, name, tenant: CONTOSO, securityEnabled: kind === 'group', memberOf: [], ...more,
});
const group = (key, name, more) => entry('group', key, name, more);

const manyGroups = Array.from({ length: 249 }, (_, i) => {
  const number = String(i + 1).padStart(3, '0');
  return group(`many${number}`, `Project ${number}`);
});

const maxGroups = Array.from({ length: 5000 }, (_, i) => {
  const number = String(i + 1).padStart(4, '0');
  return group(`max${number}`, `Mailing ${number}`);
});

// Groups, and what Graph mixes with them: directory roles and administrative units.
export const groups = [
  group('staff', 'All staff', { id: '0f1e2d3c-4b5a-4968-8776-655443322110' }),
  group('finance', 'Finance'),
  group('intranet', 'Intranet editors'),
  group('engineering', 'Engineering'),
  group('platform', 'Platform team', { memberOf: [guidOf('group:engineering')] }),
  group('oncall', "O'Brien's on-call team", { memberOf: [guidOf('group:platform')] }),
  group('social', 'Social club', { securityEnabled: false }),
  group('twin1', 'Twins'),
  group('twin2', 'TWINS'),
  group('cooks', 'Ärzte & Köche'),
  group('fabfinance', 'Finance', { tenant: FABRIKAM }),
  entry('directoryRole', 'readers', 'Directory Readers'),
  entry('administrativeUnit', 'north', 'North'),
  ...manyGroups,
  ...maxGroups,
];

const groupId = (key) => groups.find((g) => g.key === key).id;

export const member = (key, given, family, more = {}) => ({
  key,
  tenant: CONTOSO,
  oid: guidOf(`user:${key}`),
  name: `${given} ${family}`,
  givenName: given,
  familyName: family,
  upn: `${key}@contoso.example`,
  email: `${key}@contoso.example`,
  acct: 0,
  enabled: true,
  roles: [],
  groups: [],
  ...more,
});

const HOSTILE_NAME = 'Eve\r\nX-Injected: yes "quoted" \'single\' <script>alert(1)</script> \u0000\u0007\u001b[31m\u007f \\ end';

export const users = [
  member('ada', 'Ada', 'Example', {
    oid: '5b9e7d10-3c44-4a1f-9f2e-6d8a0c1b2e3f',
    roles: ['app.reader'],
    groups: ['staff', 'finance', 'intranet'].map(groupId),
    note: 'an ordinary user, three groups',
  }),
  member('root', 'Rosa', 'Root', { roles: ['app.admin', 'app.reader'], groups: ['staff'].map(groupId), note: 'an administrator' }),
  member('gus', 'Gus', 'Groups', {
    roles: ['app.reader'],
    groups: ['staff', ...manyGroups.map((g) => g.key)].map(groupId),
    note: '250 groups: overage',
  }),
  member('nell', 'Nell', 'Nested', {
    roles: ['app.reader'],
    groups: ['oncall', 'social', 'readers', 'north'].map(groupId),
    note: 'groups within groups, a role and an administrative unit',
  }),
  member('max', 'Max', 'Groups', { roles: ['app.reader'], groups: maxGroups.map((g) => g.id), note: '5000 groups' }),
  member('guest', 'Grace', 'Guest', {
    upn: 'grace@partner.example',
    email: 'grace@partner.example',
    acct: 1,
    idp: `https://sts.windows.net/${guidOf('tenant:partner')}/`,
    roles: ['app.reader'],
    groups: ['intranet'].map(groupId),
    note: 'a B2B guest',
  }),
  member('dora', 'Dora', 'Disabled', { enabled: false, roles: ['app.reader'], note: 'a disabled account' }),
  member('noroles', 'Nora', 'Noroles', { email: null, note: 'no roles, no groups, no e-mail' }),
  member('eleni', 'Ελένη', 'Παπαδοπούλου', { roles: ['app.reader'], groups: ['staff'].map(groupId), note: 'a Greek name' }),
  member('haruto', '陽翔', '山田', { name: '山田 陽翔', roles: ['app.reader'], groups: ['staff'].map(groupId), note: 'a Japanese name' }),
  member('evil', 'Eve', 'Evil', { name: HOSTILE_NAME, roles: ['app.reader'], note: 'a name full of control characters and markup' }),
  member('fab', 'Fabian', 'Fabrikam', {
    tenant: FABRIKAM,
    upn: 'fab@fabrikam.example',
    email: 'ada@contoso.example',
    roles: ['app.reader'],
    note: 'another tenant, but with the e-mail address of ada',
  }),
  member('msa', 'Mila', 'Personal', {
    tenant: CONSUMERS,
    oid: '00000000-0000-0000-1b2c-3d4e5f607182',
    upn: 'mila@outlook.example',
    email: 'mila@outlook.example',
    note: 'a personal account',
  }),
];

const OPTIONAL_CLAIMS = ['sid', 'login_hint', 'auth_time', 'acct', 'email', 'upn', 'given_name', 'family_name', 'acrs'];

const client = (id, name, secret) => ({
  id,
  name,
  tenant: CONTOSO,
  enabled: true,
  // Also AzureADMyOrg (single tenant) and AzureADandPersonalMicrosoftAccount.
  signInAudience: 'AzureADandPersonalMicrosoftAccount',
  platform: 'web',
  secrets: secret ? [{ value: secret }] : [],
  certificates: [],
  federated: [],
  redirectUris: [],
  // Every loopback origin, and every https origin of `redirectHosts`, is registered with every path that ends like this.
  redirectPaths: ['/.entra/callback', '/signed-out'],
  redirectHosts: [],
  // 'derive': the origin of the redirect URI in use, with /.entra/frontchannel-logout.
  frontChannelLogoutUri: 'derive',
  optionalClaims: OPTIONAL_CLAIMS,
  groupMembershipClaims: 'SecurityGroup',
  // As an API: the version of its access tokens, the scopes behind `.default`, and whom `idtyp` is said of ('app', 'all', null).
  requestedAccessTokenVersion: 2,
  exposedScopes: ['access_as_user'],
  idtyp: 'app',
  assignmentRequired: false,
  assignedUsers: [],
});

export const clients = [
  client(CLIENT, 'Intranet', CLIENT_SECRET),
  client(OTHER_CLIENT, 'Other application', OTHER_CLIENT_SECRET),
  client(CERT_CLIENT, 'Application with a certificate', null),
];
