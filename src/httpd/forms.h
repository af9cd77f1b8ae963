/* SPDX-License-Identifier: Apache-2.0 */
/* Forms that wait for a sign-in, on the side of httpd: reads the body of one that is to be kept. */
#pragma once

#include "httpd/visit.h"

/* For a request that is about to be sent to sign in and then to come back to `back`: keeps it when it is a form that
 * EntraPreservePost is about, and gives its id; NULL when it is none, or cannot be kept, which is logged. Gives OK, or
 * an HTTP status when the body cannot be read to its end: then there is nobody left to send anywhere. */
int sso_forms_keep(request_rec *r, const sso_visit_t *visit, sso_ctx_t *ctx, const char *back, const char **ret_id);
