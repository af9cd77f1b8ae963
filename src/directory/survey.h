/* SPDX-License-Identifier: Apache-2.0 */
/* How many people and groups an application's directory has, and of how many it knows who they are in Entra. */
#pragma once

#include "base/result.h"
#include "session/store.h"

typedef struct {
    int users;       /* those who only signed in once do not count */
    int without_oid; /* users whose externalId is no GUID */
    int groups;
} sso_survey_t;

/* SSO_R_STORE_*. */
sso_rc sso_survey(sso_ctx_t *ctx, sso_store_t *store, const char *app, sso_survey_t *ret_survey) SSO_MUST_USE;
