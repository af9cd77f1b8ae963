// SPDX-License-Identifier: Apache-2.0
// Authentication contexts of Conditional Access: which there are, who can satisfy them, and what a token says of them.

import { EntraError } from './errors.mjs';
import { userByKey } from './world.mjs';

const MEMBERS = ['policy', 'users', 'omit', 'opportunistic'];
const ID = /^c[1-9]\d?$/;

function checkContext(world, id, context) {
  if (!ID.test(id)) throw new Error(`'${id}' is no context: they are c1 to c99`);
  const wrong = Object.keys(context).find((name) => !MEMBERS.includes(name));
  if (wrong !== undefined) throw new Error(`a context has no '${wrong}'; it has ${MEMBERS.join(', ')}`);
  const stranger = (context.users ?? []).find((key) => !userByKey(world, key));
  if (stranger !== undefined) throw new Error(`there is no user '${stranger}'`);
}

/** The control call: `contexts` replaces those before, null has every context there, without a question. */
export function setContexts(world, { contexts = null }) {
  for (const [id, context] of Object.entries(contexts ?? {})) checkContext(world, id, context);
  world.contexts = contexts;
  return { contexts };
}

const canSatisfy = (context, user) => !context.users || context.users.includes(user.key);

/** satisfied: at once, when nothing stands in the way; possible: after a question to the user; refused; absent: no word of it. */
function judge(world, user, account, id) {
  if (world.contexts === null) return 'satisfied';
  const context = world.contexts[id];
  // Neither a context that the tenant does not have nor one that fails open stops a sign-in.
  if (!context || context.omit) return 'absent';
  if (context.policy === false || account.acrs.includes(id)) return 'satisfied';
  return canSatisfy(context, user) ? 'possible' : 'refused';
}

/** Refuses a request whose contexts the user cannot satisfy, or not without a question when none may be asked. */
export function checkContexts(world, user, account, asked, silent) {
  const found = asked.map((id) => judge(world, user, account, id));
  if (found.includes('refused')) throw new EntraError(53003);
  if (silent && found.includes('possible')) throw new EntraError(50076);
}

/** Satisfied from now on in this browser session: what was asked for, and what policy adds by itself. */
export function satisfy(world, user, account, asked) {
  const added = Object.entries(world.contexts ?? {}).filter(([, context]) => context.opportunistic && canSatisfy(context, user)).map(([id]) => id);
  const met = [...asked, ...added].filter((id) => judge(world, user, account, id) !== 'absent');
  account.acrs = [...new Set([...account.acrs, ...met])];
  const shown = (ids) => ids.filter((id) => account.acrs.includes(id) && !world.contexts?.[id]?.omit);
  return { all: shown(account.acrs), among: (ids) => shown(ids) };
}
