// SPDX-License-Identifier: Apache-2.0
// The header `Prefer`: changed properties alone, and the size of pages.

import { badRequest } from './errors.mjs';

const LARGEST_PAGE = 999;

const wishes = (ctx) => (ctx.headers.prefer ?? '').split(/[,;]/).map((wish) => wish.trim().toLowerCase()).filter(Boolean);

export const isMinimal = (ctx) => wishes(ctx).includes('return=minimal');

export function pageSizeOf(ctx) {
  const wish = wishes(ctx).find((text) => text.startsWith('odata.maxpagesize='));
  if (!wish) return undefined;
  const size = Number(wish.slice('odata.maxpagesize='.length));
  if (!Number.isInteger(size) || size < 1 || size > LARGEST_PAGE) throw badRequest(`The preference '${wish}' is not valid.`);
  return size;
}

export function preferencesApplied(ctx) {
  const applied = [isMinimal(ctx) && 'return=minimal', pageSizeOf(ctx) && `odata.maxpagesize=${pageSizeOf(ctx)}`].filter(Boolean);
  return applied.length ? { 'Preference-Applied': applied.join(', ') } : {};
}
