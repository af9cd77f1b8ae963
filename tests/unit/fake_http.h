/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted outside: rows of answers by URL, a record of every request, and failure of the n-th call. Included by
 * tests only, after unit.h. */
#pragma once

#include <string.h>

#include "base/bytes.h"
#include "base/http.h"

#define FAKE_ROWS_MAX 64
#define FAKE_REQUESTS_MAX 4096

typedef struct {
    const char *match; /* substring of the URL */
    sso_rc rc;         /* not SSO_OK: the call fails so, without an answer */
    int status;
    const char *body;
    int retry_after_s;
    apr_time_t date;
    const char *challenge;
    bool always; /* else once */
    bool used;
} fake_row_t;

typedef struct {
    const char *url;
    const char *body; /* NULL for GET */
    const char *content_type;
    const apr_table_t *headers;
    apr_size_t max_response;
    bool direct, ungated;
} fake_request_t;

typedef struct fake_http_t {
    sso_http_t face; /* first */
    apr_pool_t *pool;
    fake_row_t rows[FAKE_ROWS_MAX];
    int row_count;
    fake_request_t requests[FAKE_REQUESTS_MAX];
    int request_count;
    int fail_at; /* the call of this number, from 1, fails with SSO_R_HTTP_CONNECT; 0 none */
    /* Runs before a call is answered: for what happens elsewhere meanwhile. May be NULL. */
    void (*during)(struct fake_http_t *fake, const char *url);
} fake_http_t;

/* Rows that answer once come first, in the order of adding; then the newest row that answers always. */
static UNIT_MAYBE_UNUSED fake_row_t *fake_http_find(fake_http_t *fake, const char *url)
{
    fake_row_t *found = NULL;
    for (int i = 0; i < fake->row_count; i++) {
        fake_row_t *row = &fake->rows[i];
        if (strstr(url, row->match) == NULL || row->used) {
            continue;
        }
        if (!row->always) {
            row->used = true;
            return row;
        }
        found = row;
    }
    return found;
}

static void UNIT_MAYBE_UNUSED fake_http_record(fake_http_t *fake, const sso_http_request_t *request)
{
    assert_true(fake->request_count < FAKE_REQUESTS_MAX);
    fake_request_t *kept = &fake->requests[fake->request_count++];
    kept->url = apr_pstrdup(fake->pool, request->url);
    kept->body = apr_pstrdup(fake->pool, request->body);
    kept->content_type = apr_pstrdup(fake->pool, request->content_type);
    kept->headers =
        request->headers == NULL ? apr_table_make(fake->pool, 0) : apr_table_clone(fake->pool, request->headers);
    kept->max_response = request->max_response;
    kept->direct = request->direct;
    kept->ungated = request->ungated;
}

static sso_rc UNIT_MAYBE_UNUSED fake_http_perform(sso_http_t *http, sso_ctx_t *ctx, const sso_http_request_t *request,
                                                  sso_http_response_t *ret_response)
{
    fake_http_t *fake = (fake_http_t *)http;
    fake_http_record(fake, request);
    if (fake->during != NULL) {
        fake->during(fake, request->url);
    }
    if (fake->fail_at == fake->request_count) {
        return sso_fail(ctx, SSO_R_HTTP_CONNECT, "the fake fails call %d", fake->fail_at);
    }
    const fake_row_t *row = fake_http_find(fake, request->url);
    if (row == NULL) {
        return sso_fail(ctx, SSO_R_HTTP_FAILED, "the fake has no answer for %s", request->url);
    }
    if (row->rc != SSO_OK) {
        return sso_fail(ctx, row->rc, "the fake was told so");
    }
    apr_size_t len = strlen(row->body);
    if (len > request->max_response) {
        return sso_fail(ctx, SSO_R_HTTP_SIZE, "%" APR_SIZE_T_FMT " bytes", len);
    }
    sso_http_response_t response = {
        .status = row->status,
        .body = apr_pstrmemdup(ctx->pool, row->body, len),
        .len = len,
        .retry_after_s = row->retry_after_s,
        .date = row->date,
        .challenge = row->challenge,
    };
    *ret_response = response;
    return SSO_OK;
}

/* Everything lives in pool. */
static UNIT_MAYBE_UNUSED fake_http_t *fake_http_make(apr_pool_t *pool)
{
    fake_http_t *fake = apr_pcalloc(pool, sizeof(*fake));
    fake->face.perform = fake_http_perform;
    fake->pool = pool;
    return fake;
}

static UNIT_MAYBE_UNUSED fake_row_t *fake_http_row(fake_http_t *fake, const char *match, int status, const char *body)
{
    assert_true(fake->row_count < FAKE_ROWS_MAX);
    fake_row_t *row = &fake->rows[fake->row_count++];
    row->match = match;
    row->status = status;
    row->body = body;
    return row;
}

/* The next call of such a URL is answered so. The row may be changed further. */
static UNIT_MAYBE_UNUSED fake_row_t *fake_http_once(fake_http_t *fake, const char *match, int status, const char *body)
{
    return fake_http_row(fake, match, status, body);
}

/* All calls of such a URL are answered so, until another such row is added. */
static UNIT_MAYBE_UNUSED fake_row_t *fake_http_always(fake_http_t *fake, const char *match, int status,
                                                      const char *body)
{
    fake_row_t *row = fake_http_row(fake, match, status, body);
    row->always = true;
    return row;
}

/* All calls of such a URL fail with rc. */
static UNIT_MAYBE_UNUSED fake_row_t *fake_http_broken(fake_http_t *fake, const char *match, sso_rc rc)
{
    fake_row_t *row = fake_http_always(fake, match, 0, "");
    row->rc = rc;
    return row;
}

static int UNIT_MAYBE_UNUSED fake_http_count(const fake_http_t *fake, const char *match)
{
    int count = 0;
    for (int i = 0; i < fake->request_count; i++) {
        count += strstr(fake->requests[i].url, match) != NULL ? 1 : 0;
    }
    return count;
}

static UNIT_MAYBE_UNUSED const fake_request_t *fake_http_last(const fake_http_t *fake)
{
    assert_true(fake->request_count > 0);
    return &fake->requests[fake->request_count - 1];
}

/* A field of a request's form, decoded; NULL when absent. Fails the test when it stands twice. */
static UNIT_MAYBE_UNUSED const char *fake_http_field(const fake_request_t *request, const char *name)
{
    apr_table_t *pairs;
    const char *value;
    assert_non_null(request->body);
    assert_int_equal(sso_query_parse(&unit_ctx, request->body, &pairs), SSO_OK);
    assert_int_equal(sso_query_one(&unit_ctx, pairs, name, &value), SSO_OK);
    return value;
}
