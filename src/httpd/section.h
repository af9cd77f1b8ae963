/* SPDX-License-Identifier: Apache-2.0 */
/* Step-up and fresh sign-ins in httpd's terms: what a section wishes, whether a step-up would let a refused request in.
 */
#pragma once

#include <httpd.h>

#include "httpd/visit.h"

/* What a sign-in that begins in this section asks for. */
void sso_section_wishes(request_rec *r, sso_wishes_t *ret_wishes);

/* False when EntraMaxAuthAge of this section wants a fresher sign-in than the session's; *ret_wishes then asks for one.
 */
bool sso_section_is_fresh(request_rec *r, const sso_visit_t *visit, sso_wishes_t *ret_wishes);

/* True when this page is to go by way of Entra without a word, since the session cannot be renewed otherwise. */
bool sso_section_is_silent(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, sso_wishes_t *ret_wishes);

/* For a request that the Require lines just refused: true when one with a further authentication context would be let
 * in; *ret_wishes then asks for it. The lines are asked again for that, without a word in the log. */
bool sso_section_stepup_helps(request_rec *r, sso_visit_t *visit, sso_wishes_t *ret_wishes);

/* For a request that the Require lines refused: adds to its grounds the rules that hold, since with "not" these are the
 * reason. The lines are asked again for that, too. */
void sso_section_ask_held(request_rec *r, sso_visit_t *visit);

/* Notes for sso_section_stepup_helps that rule said no to the record that was asked about. */
void sso_section_note(request_rec *r, sso_visit_t *visit, const sso_rule_t *rule);
