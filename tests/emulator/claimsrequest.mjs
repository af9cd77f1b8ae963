// SPDX-License-Identifier: Apache-2.0
// The `claims` parameter of authorize and token requests: contexts, what the client can do, and the answer to a challenge.

import { EntraError } from './errors.mjs';

/** What a claims request wants of one claim: its value, or one of its values. */
const valuesOf = (wanted) => [wanted?.values ?? wanted?.value ?? []].flat().filter((value) => typeof value === 'string');

/**
 * {acrs, idAcrs, accessAcrs, cae, notBefore}: contexts by token, whether the client knows claims challenges, and the time from
 * a challenge before which no token is good.
 */
export function readClaims(text) {
  if (!text) return { acrs: [], idAcrs: [], accessAcrs: [], cae: false };
  let claims;
  try {
    claims = JSON.parse(text);
  } catch {
    throw new EntraError(90023, ['the claims parameter is not JSON']);
  }
  const idAcrs = valuesOf(claims?.id_token?.acrs);
  const accessAcrs = valuesOf(claims?.access_token?.acrs);
  const [nbf] = valuesOf(claims?.access_token?.nbf);
  return {
    acrs: [...idAcrs, ...accessAcrs],
    idAcrs,
    accessAcrs,
    cae: valuesOf(claims?.access_token?.xms_cc).includes('cp1'),
    notBefore: /^\d{1,12}$/.test(nbf ?? '') ? Number(nbf) : undefined,
  };
}
