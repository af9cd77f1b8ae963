// SPDX-License-Identifier: Apache-2.0
// Who is in what: the memberships of a user, direct ones and those that come through groups within groups.

const unknown = (id, user) => ({ id, kind: 'group', name: null, tenant: user.tenant, securityEnabled: true, memberOf: [] });

/** Everything that the user is in: groups, directory roles, administrative units; direct ones first, each once. */
export function membershipsOf(world, user) {
  const byId = new Map(world.groups.map((entry) => [entry.id, entry]));
  const found = new Map();
  const ids = [...user.groups];
  // The list grows while it is walked; what was met before ends the walk of a circle.
  for (const id of ids) {
    if (found.has(id)) continue;
    // A test may give a user any id: then it is a group of which nothing more is known.
    const entry = byId.get(id) ?? unknown(id, user);
    found.set(id, entry);
    ids.push(...entry.memberOf);
  }
  return [...found.values()];
}

export const isGroup = (entry) => entry.kind === 'group';
export const isSecurityGroup = (entry) => isGroup(entry) && entry.securityEnabled;

const CLAIMED = {
  SecurityGroup: (entry) => isSecurityGroup(entry) || entry.kind === 'directoryRole',
  All: (entry) => entry.kind !== 'administrativeUnit',
};

/** The ids that a token's `groups` claim is about, by the registration's groupMembershipClaims. */
export function claimedGroups(world, user, membershipClaims) {
  if (!membershipClaims) return [];
  // Groups that are assigned to the application: direct members only, no nesting.
  if (membershipClaims === 'ApplicationGroup') return user.groups;
  return membershipsOf(world, user).filter(CLAIMED[membershipClaims] ?? CLAIMED.SecurityGroup).map((entry) => entry.id);
}
