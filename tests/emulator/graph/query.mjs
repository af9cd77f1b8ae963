// SPDX-License-Identifier: Apache-2.0
// OData as far as it is needed: query options, filters, properties, and collections page by page.

import { seal, unseal } from '../seal.mjs';
import { GraphError, badRequest, unsupported } from './errors.mjs';

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 999;
const TYPES = { group: '#microsoft.graph.group', directoryRole: '#microsoft.graph.directoryRole', administrativeUnit: '#microsoft.graph.administrativeUnit' };

/** The reader of an index that is a little late, which some questions need: a header, and $count beside it. */
export const isEventual = (ctx) => (ctx.headers.consistencylevel ?? '').toLowerCase() === 'eventual';

function readTop(text) {
  if (text === undefined) return DEFAULT_PAGE;
  if (!/^\d{1,9}$/.test(text) || Number(text) < 1 || Number(text) > LARGEST_PAGE) {
    throw badRequest(`Invalid page size specified: '${text}'. Must be between 1 and ${LARGEST_PAGE} inclusive.`);
  }
  return Number(text);
}

/** {select, top, count, filter, skiptoken, deltatoken}; refuses what is not among the allowed ones, or stands twice. */
export function readOptions(ctx, allowed) {
  const options = {};
  for (const [name, value] of ctx.query) {
    if (!name.startsWith('$')) continue;
    const key = name.slice(1);
    if (!allowed.includes(key)) throw unsupported(`The query option '${name}' is not supported here.`);
    if (key in options) throw badRequest(`Query option '${name}' was specified more than once.`);
    options[key] = value;
  }
  const { select, top, count, filter, skiptoken, deltatoken } = options;
  if (count !== undefined && !['true', 'false'].includes(count)) throw badRequest(`Invalid value '${count}' for $count.`);
  return { select: select?.split(',').map((name) => name.trim()), top: readTop(top), count: count === 'true', filter, skiptoken, deltatoken };
}

const literal = (text) => text.replaceAll("''", "'").toLowerCase();

/** A $filter as a function of a name: `displayName eq '...'` and `startswith(displayName,'...')`, without case, as Graph's. */
export function readFilter(text) {
  if (text === undefined) return () => true;
  const [, exact] = /^displayName +eq +'((?:[^']|'')*)'$/i.exec(text) ?? [];
  if (exact !== undefined) return (name) => name?.toLowerCase() === literal(exact);
  const [, start] = /^startswith\( *displayName *, *'((?:[^']|'')*)' *\)$/i.exec(text) ?? [];
  if (start !== undefined) return (name) => Boolean(name?.toLowerCase().startsWith(literal(start)));
  throw new GraphError(400, 'BadRequest', `Invalid filter clause: ${text}`);
}

/** Without $select all members; an unknown name is an error. */
export function pick(full, select) {
  if (!select) return full;
  const wrong = select.find((name) => !(name in full));
  if (wrong !== undefined) throw new GraphError(400, 'BadRequest', `Could not find a property named '${wrong}'.`);
  return Object.fromEntries(Object.entries(full).filter(([name]) => select.includes(name)));
}

/** A member of the directory. Who may only see ids gets null for the rest. */
export function represent(entry, { select, typed, names }) {
  const shown = (value) => (names ? value : null);
  const full = {
    id: entry.id,
    displayName: shown(entry.name),
    description: null,
    mailEnabled: shown(entry.kind === 'group' && !entry.securityEnabled),
    securityEnabled: shown(entry.securityEnabled),
    groupTypes: names && entry.kind === 'group' && !entry.securityEnabled ? ['Unified'] : [],
    onPremisesSamAccountName: null,
  };
  const picked = pick(full, select);
  return typed ? { '@odata.type': TYPES[entry.kind], ...picked } : picked;
}

function readOffset(ctx, skiptoken, owner) {
  if (skiptoken === undefined) return 0;
  const record = unseal(ctx.emu.sealKey, 'skiptoken', skiptoken);
  if (record?.path !== ctx.url.pathname || record.owner !== owner) {
    throw new GraphError(400, 'Directory_ExpiredPageToken', 'The page token is malformed, expired, or of another question.');
  }
  return record.offset;
}

/** The same question again, with the place where its next page begins. */
function linkTo(ctx, offset, owner) {
  const kept = ctx.url.search.slice(1).split('&').filter((pair) => pair && !/^(\$|%24)skiptoken=/i.test(pair));
  const token = seal(ctx.emu.sealKey, 'skiptoken', { path: ctx.url.pathname, owner, offset });
  return `${ctx.emu.base}${ctx.url.pathname}?${[...kept, `$skiptoken=${token}`].join('&')}`;
}

/** One page of a collection; the count stands on the first page only, and not at all without the header. */
export function pageOf(ctx, options, owner, entries, show) {
  const from = readOffset(ctx, options.skiptoken, owner);
  const to = from + options.top;
  const page = {};
  if (options.count && isEventual(ctx) && from === 0) page['@odata.count'] = entries.length;
  if (to < entries.length) page['@odata.nextLink'] = linkTo(ctx, to, owner);
  return { ...page, value: entries.slice(from, to).map(show) };
}
