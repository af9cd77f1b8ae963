/* SPDX-License-Identifier: Apache-2.0 */
/* What a test sign-in shows to be right or wrong, each with the place where it is mended. */
#pragma once

#include "flow/trial.h"

typedef enum { SSO_FINDING_GOOD, SSO_FINDING_NOTE, SSO_FINDING_WRONG } sso_finding_level_t;

/* Texts may hold what came from outside: to be escaped. */
typedef struct {
    sso_finding_level_t level;
    const char *what;
    const char *where; /* NULL: there is nothing to mend */
} sso_finding_t;

/* The findings (sso_finding_t, in ctx->pool) of a trial; the context's fault is what it failed by. */
apr_array_header_t *sso_diagnosis_make(sso_ctx_t *ctx, const sso_site_t *site, const sso_trial_t *trial);
