/* SPDX-License-Identifier: Apache-2.0 */
/* What the administrator has to do something about, in plain sentences. */
#pragma once

#include <apr_tables.h>

#include "httpd/facts.h"

typedef struct {
    bool urgent;      /* people are kept out, or will be without further notice */
    const char *site; /* whose */
    const char *text; /* one sentence or two, not escaped */
} sso_need_t;

/* sso_need_t, the urgent ones first; of facts, as sso_facts_gather gives them. Empty when all is well. */
const apr_array_header_t *sso_needs_list(request_rec *r, const apr_array_header_t *facts);
