/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets share. A target is one file, fuzz_<subject>.c: it reads bytes as an outsider would send them, and
 * checks what must hold of whatever came out. It is linked to libFuzzer by tests/fuzz/run, and by the ordinary compiler
 * into replay. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <apr_pools.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include "base/bytes.h"
#include "base/http.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/result.h"

/* 2026-11-23T15:00:00Z: the moment at which every input is read. */
#define FUZZ_NOW_S 1795446000
#define FUZZ_NOW ((apr_time_t)FUZZ_NOW_S * APR_USEC_PER_SEC)

#define FUZZ_LOGIN "https://login.example.com"
#define FUZZ_TENANT "7f3a1c52-9d0e-4b6a-8c41-2e5d90b7a613"
#define FUZZ_CLIENT "c1d2e3f4-5a6b-4c7d-8e9f-0a1b2c3d4e5f"
#define FUZZ_OID "5b9e7d10-3c44-4a1f-9f2e-6d8a0c1b2e3f"
#define FUZZ_ISSUER FUZZ_LOGIN "/" FUZZ_TENANT "/v2.0"
#define FUZZ_NONCE "n-0S6_WzA2Mj"
#define FUZZ_ORIGIN "https://app.example.com"

typedef void fuzz_fn(sso_ctx_t *ctx, const uint8_t *data, size_t len);

/* Gives the input to target, with a context on a pool of its own. What is logged of it must be fit for a log line. */
void fuzz_run(fuzz_fn *target, const uint8_t *data, size_t len);

/* The replay has all targets in one program, so there each has its own name. */
#ifdef FUZZ_REPLAY
#define FUZZ_ENTRY(subject) target_##subject
#else
#define FUZZ_ENTRY(subject) LLVMFuzzerTestOneInput
#endif
#define FUZZ_TARGET(subject)                                                                                           \
    int FUZZ_ENTRY(subject)(const uint8_t *data, size_t len);                                                          \
    static void target(sso_ctx_t *ctx, const uint8_t *data, size_t len);                                               \
    int FUZZ_ENTRY(subject)(const uint8_t *data, size_t len)                                                           \
    {                                                                                                                  \
        fuzz_run(target, data, len);                                                                                   \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static void target(sso_ctx_t *ctx, const uint8_t *data, size_t len)

/* Ends the program unless the invariant holds, whatever NDEBUG says. */
#define fuzz_check(invariant)                                                                                          \
    do {                                                                                                               \
        if (!(invariant)) {                                                                                            \
            fuzz_broken(#invariant, __FILE__, __LINE__);                                                               \
        }                                                                                                              \
    } while (0)
void fuzz_broken(const char *invariant, const char *file, int line) __attribute__((noreturn));

/* The input as text, up to a NUL in it. */
const char *fuzz_text(sso_ctx_t *ctx, const uint8_t *data, size_t len);
/* The next line of an input, without its end; *data and *len move on. At the end an empty text. */
const char *fuzz_line(sso_ctx_t *ctx, const uint8_t **data, size_t *len);
/* The first byte as a choice below count; *data and *len move on. 0 at the end. */
unsigned fuzz_choice(const uint8_t **data, size_t *len, unsigned count);
/* JSON of any outsider, with the levels of SCIM; NULL when it is none. */
const sso_json_t *fuzz_json(sso_ctx_t *ctx, const char *text, size_t len);

/* An outside that answers each call with the same bytes. */
typedef struct {
    sso_http_t face; /* first */
    int status;
    const char *body;
    size_t len;
    int calls;
} fuzz_http_t;
/* Takes the status from the input's first byte, and the body (and challenge, of a 401) from the rest. */
void fuzz_http_init(fuzz_http_t *http, sso_ctx_t *ctx, const uint8_t *data, size_t len);

/* The pool that lives as long as the program, for what is made once. */
apr_pool_t *fuzz_process_pool(void);
