/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: text with %{claim} in it, compiled once, rendered from a session record. */
#pragma once

#include <apr_tables.h>

#include "base/result.h"
#include "session/record.h"

typedef struct sso_template_t sso_template_t;

/* Compiles text into pool: "%{claim}", "%{claim.member}", "%%" for a percent sign, all else literal. Returns NULL when
 * good, else what is wrong, for the administrator. */
const char *sso_template_parse(apr_pool_t *pool, const char *text, const sso_template_t **ret_template);

/* Adds the claims that a session must keep for this template, beyond the record's own fields, to names (const char *),
 * each once. */
void sso_template_claims(const sso_template_t *template, apr_array_header_t *names);

/* True when %{email} is in it, which whoever owns the account or its tenant can write as he likes. */
bool sso_template_has_email(const sso_template_t *template);

/* The text for this record; lists joined by separator. NULL as soon as one claim is absent or empty: half a name is
 * worse than none. One lone claim is given in place, without a copy. */
const char *sso_template_render(apr_pool_t *pool, const sso_template_t *template, const sso_record_t *record,
                                const char *separator);
