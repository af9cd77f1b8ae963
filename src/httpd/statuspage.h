/* SPDX-License-Identifier: Apache-2.0 */
/* The status page as people read it. */
#pragma once

#include <apr_tables.h>
#include <httpd.h>

/* Writes the whole page with its headers; facts of sso_facts_gather, needs of sso_needs_list. */
void sso_statuspage_write(request_rec *r, const apr_array_header_t *facts, const apr_array_header_t *needs);
/* Writes a short section into a page of mod_status. */
void sso_statuspage_section(request_rec *r, const apr_array_header_t *facts, const apr_array_header_t *needs);
