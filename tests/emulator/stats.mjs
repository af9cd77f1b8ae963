// SPDX-License-Identifier: Apache-2.0
// What the emulator saw: counts, connections, the last requests, and the secrets it issued, so that a test can search logs for them.

const KEPT = 200;
const SECRET_KINDS = ['codes', 'id_tokens', 'access_tokens', 'refresh_tokens', 'assertions', 'identity_tokens', 'code_verifiers', 'nonces', 'states'];
const BACK_CHANNEL = ['discovery', 'keys', 'discoveryV1', 'keysV1', 'token', 'graph'];

export function createStats(previous) {
  return {
    accepted: 0,
    resumed: 0,
    // Sockets outlive a reset: what is open is carried over, what was used starts again.
    open: previous?.open ?? new Set(),
    used: new Set(),
    byEndpoint: {},
    endpoints: {},
    graph: {},
    grants: {},
    requests: [],
    secrets: Object.fromEntries(SECRET_KINDS.map((kind) => [kind, []])),
  };
}

function keep(list, item) {
  list.push(item);
  if (list.length > KEPT) list.shift();
}

export function recordRequest(stats, socketId, record) {
  stats.endpoints[record.endpoint] = (stats.endpoints[record.endpoint] ?? 0) + 1;
  stats.used.add(socketId);
  (stats.byEndpoint[record.endpoint] ??= new Set()).add(socketId);
  keep(stats.requests, record);
}

/** A question that reached Graph: how often each was asked, about how many groups, and how it ended. */
export function recordGraph(stats, operation, status, ids = 0) {
  const counts = (stats.graph[operation] ??= { calls: 0, ids: 0, statuses: {} });
  counts.calls += 1;
  counts.ids += ids;
  counts.statuses[status] = (counts.statuses[status] ?? 0) + 1;
}

/** A request at the token endpoint: codes, refreshes and applications' own tokens are counted apart, with how they ended. */
export function recordGrant(stats, { endpoint, grantType, status }) {
  if (endpoint !== 'token' || grantType === undefined) return;
  const counts = (stats.grants[grantType] ??= { calls: 0, statuses: {} });
  counts.calls += 1;
  counts.statuses[status] = (counts.statuses[status] ?? 0) + 1;
}

export function recordSecret(stats, kind, value) {
  if (value) keep(stats.secrets[kind], value);
}

const unionSize = (sets) => new Set(sets.flatMap((set) => [...(set ?? [])])).size;

export function reportStats(stats) {
  const byEndpoint = Object.fromEntries(Object.entries(stats.byEndpoint).map(([name, set]) => [name, set.size]));
  return {
    endpoints: { ...stats.endpoints },
    graph: structuredClone(stats.graph),
    grants: structuredClone(stats.grants),
    connections: {
      accepted: stats.accepted,
      resumed: stats.resumed,
      open: stats.open.size,
      used: stats.used.size,
      backChannel: unionSize(BACK_CHANNEL.map((name) => stats.byEndpoint[name])),
      byEndpoint,
    },
    requests: stats.requests,
    secrets: stats.secrets,
  };
}
