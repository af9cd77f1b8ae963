/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/seal.c: tampering of every kind, rotation, and each fault of the key file. That opening neither locks
 * nor allocates is shown in test_crypto.c. */
#include "base/seal.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pthread.h>

#include "unit.h"

#include "base/bytes.h"
#include "base/limits.h"

/* ---- files and rings ---- */

static char folder[] = "/tmp/test_seal.XXXXXX";

static int group_setup(void **state)
{
    sso_ctx_t ctx;
    if (unit_group_setup(state) != 0 || !mkdtemp(folder)) {
        return -1;
    }
    sso_ctx_init(&ctx, unit_process_pool, SSO_TEST_NOW);
    return sso_crypto_init(&ctx, unit_process_pool) == SSO_OK ? 0 : -1;
}

static int group_teardown(void **state)
{
    rmdir(folder); /* fails, and shows by its presence, when a test or a maker left a file behind */
    int left = access(folder, F_OK) == 0 ? -1 : 0;
    return unit_group_teardown(state) != 0 ? -1 : left;
}

static apr_status_t file_remove(void *path)
{
    unlink(path);
    return APR_SUCCESS;
}

/* A path in the test's folder; what stands there is removed with the test. */
static const char *path_make(const char *name)
{
    char *path = apr_pstrcat(unit_pool, folder, "/", name, NULL);
    apr_pool_cleanup_register(unit_pool, path, file_remove, apr_pool_cleanup_null);
    return path;
}

static const char *file_make(const char *name, const void *data, size_t len, mode_t mode)
{
    const char *path = path_make(name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

#define KEY_A "0AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define KEY_B "_wECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define KEY_ZERO "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_ONES "__________________________________________8"
#define WHEN " 2026-11-23T15:00:00Z"
#define LINE_A "key 0000000a " KEY_A WHEN "\n"
#define LINE_B "key 0000000b " KEY_B WHEN "\n"

static sso_keyring_t *ring_make(const char *text)
{
    sso_keyring_t *ring = NULL;
    const char *path = file_make("ring", text, strlen(text), 0600);
    assert_rc(SSO_OK, sso_keyring_load(&unit_ctx, unit_pool, path, &ring));
    return ring;
}

static const unsigned char binding[SSO_BINDING_BYTES] = "this application's own binding.";
static const unsigned char other_binding[SSO_BINDING_BYTES] = "that application's own binding.";

static sso_rc open_text(const sso_keyring_t *ring, const char *text, size_t len)
{
    unsigned char *data = NULL;
    apr_size_t data_len = 0;
    sso_rc rc = sso_open(&unit_ctx, ring, SSO_PURPOSE_SESSION, binding, text, len, &data, &data_len);
    assert_true((rc == SSO_OK) == (data != NULL)); /* results are written on success only */
    sso_fault_clear(&unit_ctx);
    return rc;
}

static sso_rc open_raw(const sso_keyring_t *ring, const unsigned char *raw, size_t len)
{
    const char *text = sso_base64url(unit_pool, raw, len);
    return open_text(ring, text, strlen(text));
}

static const char *seal_text(const sso_keyring_t *ring, const char *data)
{
    const char *text = NULL;
    assert_rc(SSO_OK, sso_seal(&unit_ctx, ring, SSO_PURPOSE_SESSION, binding, data, strlen(data), &text));
    return text;
}

static unsigned char *seal_raw(const sso_keyring_t *ring, const char *data, apr_size_t *ret_len)
{
    const char *text = seal_text(ring, data);
    unsigned char *raw = sso_base64url_decode(unit_pool, text, strlen(text), ret_len);
    assert_non_null(raw);
    return raw;
}

/* ---- records ---- */

static void test_seal_record_opens_to_what_was_sealed(void **state)
{
    (void)state;
    sso_keyring_t *ring = ring_make(LINE_A);
    char data[3000];
    memset(data, 'x', sizeof(data));
    for (size_t len = 0; len <= sizeof(data); len = len * 2 + 1) {
        for (int p = 0; p < SSO_PURPOSE_COUNT; p++) {
            const char *text = NULL;
            unsigned char *opened = NULL;
            apr_size_t opened_len = 99999;
            sso_purpose_t purpose = (sso_purpose_t)p;
            assert_rc(SSO_OK, sso_seal(&unit_ctx, ring, purpose, binding, data, len, &text));
            assert_rc(SSO_OK, sso_open(&unit_ctx, ring, purpose, binding, text, strlen(text), &opened, &opened_len));
            assert_int_equal(opened_len, len);
            assert_memory_equal(opened, data, len);
            assert_int_equal(opened[len], 0);
        }
    }
}

static void test_seal_record_has_the_layout_of_the_header(void **state)
{
    (void)state;
    apr_size_t len = 0;
    const unsigned char *raw = seal_raw(ring_make(LINE_A), "four", &len);
    assert_int_equal(len, SSO_SEAL_OVERHEAD + 4);
    assert_string_equal(sso_hex(unit_pool, raw, 5), "010000000a");
}

/* What a session's key is, and what it authenticates, said once more and by other means: who changes either signs
 * everybody out, and must mean to. */
static void test_seal_record_fits_an_independent_construction(void **state)
{
    (void)state;
    sso_keyring_t *ring = ring_make(LINE_A);
    apr_size_t len = 0, key_len = 0;
    unsigned char *raw = seal_raw(ring, "four", &len);
    unsigned char *master = sso_base64url_decode(unit_pool, KEY_A, 43, &key_len);
    unsigned char key[SSO_KEY_BYTES], aad[38] = {1, 0, 0, 0, 0x0a, SSO_PURPOSE_SESSION}, out[4];
    assert_rc(SSO_OK, sso_derive_key(&unit_ctx, master, "entra-sso session 1", key));
    memcpy(aad + 6, binding, sizeof(binding));
    assert_true(sso_aead_decrypt(key, raw + 5, aad, sizeof(aad), raw + 17, 4, out, raw + 21));
    assert_memory_equal(out, "four", 4);
}

static void test_seal_every_flipped_bit_is_refused(void **state)
{
    (void)state;
    sso_keyring_t *ring = ring_make(LINE_A LINE_B);
    apr_size_t len = 0;
    unsigned char *raw = seal_raw(ring, "twenty bytes of text", &len);
    for (size_t bit = 0; bit < len * 8; bit++) {
        raw[bit / 8] ^= (unsigned char)(1u << (bit % 8));
        sso_rc expected = bit < 8 ? SSO_R_SEAL_FORMAT : bit < 40 ? SSO_R_SEAL_KEY : SSO_R_SEAL_TAG;
        /* One flip makes the other key's id of this one's: then the tag does not fit. */
        if (bit >= 8 && bit < 40 && raw[4] == 0x0b && raw[1] == 0 && raw[2] == 0 && raw[3] == 0) {
            expected = SSO_R_SEAL_TAG;
        }
        assert_int_equal(open_raw(ring, raw, len), expected);
        raw[bit / 8] ^= (unsigned char)(1u << (bit % 8));
    }
    assert_int_equal(open_raw(ring, raw, len), SSO_OK);
}

static void test_seal_every_truncation_is_refused(void **state)
{
    (void)state;
    sso_keyring_t *ring = ring_make(LINE_A);
    apr_size_t len = 0;
    const unsigned char *raw = seal_raw(ring, "twenty bytes of text", &len);
    const char *text = sso_base64url(unit_pool, raw, len);
    for (size_t cut = 1; cut <= len; cut++) {
        assert_int_not_equal(open_raw(ring, raw, len - cut), SSO_OK);
        assert_int_not_equal(open_raw(ring, raw + cut, len - cut), SSO_OK);
    }
    for (size_t n = 0; n < strlen(text); n++) {
        assert_int_not_equal(open_text(ring, text, n), SSO_OK);
    }
}

static void test_seal_added_bytes_are_refused(void **state)
{
    (void)state;
    sso_keyring_t *ring = ring_make(LINE_A);
    const char *text = seal_text(ring, "four");
    static const char *const tails[] = {"A", "AA", "AAA", "AAAA", "=", " ", "\n"};
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        const char *longer = apr_pstrcat(unit_pool, text, tails[i], NULL);
        assert_int_not_equal(open_text(ring, longer, strlen(longer)), SSO_OK);
    }
    assert_int_not_equal(open_text(ring, text, strlen(text) + 1), SSO_OK); /* with its NUL */
}

/* After CVE-2023-37464 of cjose: a tag's length that the sender chooses. */
static void test_seal_short_tag_is_refused(void **state)
{
    (void)state;
    sso_keyring_t *ring = ring_make(LINE_A);
    apr_size_t len = 0;
    unsigned char *raw = seal_raw(ring, "", &len);
    static const size_t tag_lens[] = {0, 1, 4, 8, 12, 15};
    for (size_t i = 0; i < sizeof(tag_lens) / sizeof(tag_lens[0]); i++) {
        size_t short_len = len - SSO_TAG_BYTES + tag_lens[i];
        assert_int_equal(open_raw(ring, raw, short_len), SSO_R_SEAL_FORMAT);
    }
    for (unsigned tag = 0; tag < 256; tag++) {
        raw[len - SSO_TAG_BYTES] = (unsigned char)tag;
        assert_int_equal(open_raw(ring, raw, len - SSO_TAG_BYTES + 1), SSO_R_SEAL_FORMAT);
    }
    /* With data before it, a short tag shifts the place where 16 bytes are read. */
    raw = seal_raw(ring, "twenty bytes of text", &len);
    for (size_t cut = 1; cut <= SSO_TAG_BYTES; cut++) {
        assert_int_equal(open_raw(ring, raw, len - cut), SSO_R_SEAL_TAG);
    }
}

static void test_seal_garbage_is_refused(void **state)
{
    (void)state;
    sso_keyring_t *ring = ring_make(LINE_A);
    static const char *const rows[] = {"", "A", "not base64url!", "AQAAAAo", "....", "\xff\xfe", "%41"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(open_text(ring, rows[i], strlen(rows[i])), SSO_R_SEAL_FORMAT);
    }
}

static void test_seal_other_purpose_is_refused(void **state)
{
    (void)state;
    sso_keyring_t *ring = ring_make(LINE_A);
    for (int made = 0; made < SSO_PURPOSE_COUNT; made++) {
        const char *text = NULL;
        assert_rc(SSO_OK, sso_seal(&unit_ctx, ring, (sso_purpose_t)made, binding, "x", 1, &text));
        for (int used = 0; used < SSO_PURPOSE_COUNT; used++) {
            unsigned char *data = NULL;
            apr_size_t len = 0;
            assert_rc(made == used ? SSO_OK : SSO_R_SEAL_TAG,
                      sso_open(&unit_ctx, ring, (sso_purpose_t)used, binding, text, strlen(text), &data, &len));
        }
    }
}

static void test_seal_other_binding_is_refused(void **state)
{
    (void)state;
    sso_keyring_t *ring = ring_make(LINE_A);
    const char *text = seal_text(ring, "x");
    unsigned char *data = NULL;
    apr_size_t len = 0;
    assert_rc(SSO_R_SEAL_TAG,
              sso_open(&unit_ctx, ring, SSO_PURPOSE_SESSION, other_binding, text, strlen(text), &data, &len));
    assert_null(data);
}

static void test_seal_no_purpose_is_refused(void **state)
{
    (void)state;
    sso_keyring_t *ring = ring_make(LINE_A);
    const char *text = seal_text(ring, "x"), *none = NULL;
    unsigned char *data = NULL;
    apr_size_t len = 0;
    assert_rc(SSO_R_CRYPTO, sso_seal(&unit_ctx, ring, SSO_PURPOSE_COUNT, binding, "x", 1, &none));
    assert_rc(SSO_R_SEAL_FORMAT,
              sso_open(&unit_ctx, ring, SSO_PURPOSE_COUNT, binding, text, strlen(text), &data, &len));
}

static void test_seal_same_data_never_shares_a_nonce(void **state)
{
    (void)state;
    enum { SEALS = 500 };
    sso_keyring_t *ring = ring_make(LINE_A);
    const unsigned char *raws[SEALS];
    for (int i = 0; i < SEALS; i++) {
        apr_size_t len = 0;
        raws[i] = seal_raw(ring, "same", &len);
        for (int j = 0; j < i; j++) {
            assert_memory_not_equal(raws[i] + 5, raws[j] + 5, SSO_NONCE_BYTES);
        }
    }
}

static void test_seal_rotated_ring_opens_old_and_seals_with_first(void **state)
{
    (void)state;
    sso_keyring_t *old = ring_make(LINE_A);
    sso_keyring_t *rotated = ring_make(LINE_B LINE_A);
    sso_keyring_t *dropped = ring_make(LINE_B);
    assert_int_equal(sso_keyring_size(rotated), 2);
    const char *by_old = seal_text(old, "x"), *by_rotated = seal_text(rotated, "x");
    assert_int_equal(open_text(rotated, by_old, strlen(by_old)), SSO_OK);
    assert_int_equal(open_text(dropped, by_rotated, strlen(by_rotated)), SSO_OK);
    assert_int_equal(open_text(dropped, by_old, strlen(by_old)), SSO_R_SEAL_KEY);
    assert_int_equal(open_text(old, by_rotated, strlen(by_rotated)), SSO_R_SEAL_KEY);
    /* The same key under another id is another key: the id is authenticated, too. */
    sso_keyring_t *renamed = ring_make("key 0000000a " KEY_B WHEN "\n");
    assert_int_equal(open_text(renamed, by_old, strlen(by_old)), SSO_R_SEAL_TAG);
}

/* The id of the pair at this place of the ring; "" behind the last. */
static const char *signing_id(const sso_keyring_t *ring, int place)
{
    const sso_signing_key_t *keys[SSO_MAX_RING_KEYS];
    int count = sso_keyring_signing_keys(&unit_ctx, ring, keys);
    assert_int_equal(count, sso_keyring_size(ring));
    return place < count ? sso_signing_key_id(keys[place]) : "";
}

/* Each key of the ring has its own pair, in the ring's order, the same wherever the file is. */
static void test_seal_ring_gives_signing_keys(void **state)
{
    (void)state;
    sso_keyring_t *old = ring_make(LINE_A);
    sso_keyring_t *rotated = ring_make(LINE_B LINE_A);
    const char *a = signing_id(old, 0);
    assert_string_equal(signing_id(old, 1), "");
    assert_string_equal(signing_id(rotated, 1), a);
    assert_string_not_equal(signing_id(rotated, 0), a);
    /* The pair is of the key, whatever its id. */
    assert_string_equal(signing_id(ring_make("key 0000000c " KEY_A WHEN "\n"), 0), a);
}

/* ---- key files ---- */

static void test_keyring_comments_and_spaces_are_allowed(void **state)
{
    (void)state;
    sso_keyring_t *ring =
        ring_make("# a comment\n\n  \t\r\n" LINE_A "  # indented\nkey\t0000000b  " KEY_B WHEN " # rotated");
    assert_int_equal(sso_keyring_size(ring), 2);
    assert_int_equal(sso_keyring_size(ring_make("key 0000000a " KEY_A WHEN)), 1);
}

static void test_keyring_faulty_text_gives_its_reason(void **state)
{
    (void)state;
    static const struct {
        sso_rc rc;
        const char *text;
    } rows[] = {
        {SSO_R_KEYFILE_FORMAT, ""},
        {SSO_R_KEYFILE_FORMAT, "# only a comment\n"},
        {SSO_R_KEYFILE_FORMAT, "key\n"},
        {SSO_R_KEYFILE_FORMAT, "key 0000000a\n"},
        {SSO_R_KEYFILE_FORMAT, "key 0000000a " KEY_A "\n"},
        {SSO_R_KEYFILE_FORMAT, "yek 0000000a " KEY_A WHEN "\n"},
        {SSO_R_KEYFILE_FORMAT, "key 0000000a " KEY_A WHEN " more\n"},
        {SSO_R_KEYFILE_FORMAT, "key 000000a " KEY_A WHEN "\n"},
        {SSO_R_KEYFILE_FORMAT, "key 00000000a " KEY_A WHEN "\n"},
        {SSO_R_KEYFILE_FORMAT, "key 0000000A " KEY_A WHEN "\n"},
        {SSO_R_KEYFILE_FORMAT, "key 0000000g " KEY_A WHEN "\n"},
        {SSO_R_KEYFILE_FORMAT, "key 0000000a " KEY_A "A" WHEN "\n"},
        {SSO_R_KEYFILE_FORMAT, "key 0000000a AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" WHEN "\n"},
        {SSO_R_KEYFILE_FORMAT, "key 0000000a +AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" WHEN "\n"},
        {SSO_R_KEYFILE_FORMAT, "key 0000000a " KEY_A "=" WHEN "\n"},
        {SSO_R_KEYFILE_FORMAT, "key 0000000a " KEY_A " yesterday\n"},
        {SSO_R_KEYFILE_FORMAT, "key 0000000a " KEY_A " 2026-11-23T15:00:00\n"},
        {SSO_R_KEYFILE_FORMAT, LINE_A "nonsense\n"},
        {SSO_R_KEYFILE_WEAK, "key 0000000a " KEY_ZERO WHEN "\n"},
        {SSO_R_KEYFILE_WEAK, LINE_A "key 0000000b " KEY_ONES WHEN "\n"},
        {SSO_R_KEYFILE_WEAK, LINE_A "key 0000000b " KEY_A WHEN "\n"},
        {SSO_R_KEYFILE_WEAK, LINE_A "key 0000000a " KEY_B WHEN "\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sso_keyring_t *ring = NULL;
        const char *path = file_make("faulty", rows[i].text, strlen(rows[i].text), 0600);
        sso_rc rc = sso_keyring_load(&unit_ctx, unit_pool, path, &ring);
        if (rc != rows[i].rc || ring) {
            unit_fail("row %lu gave %s: %s", (unsigned long)i, sso_reason(rc)->name, rows[i].text);
        }
        /* SECURITY: a key must not be in the log, however wrong its line is. */
        assert_null(strstr(unit_ctx.fault.detail, "ECAwQF"));
        sso_fault_clear(&unit_ctx);
    }
}

static void test_keyring_truncated_line_is_refused(void **state)
{
    (void)state;
    size_t whole = strlen(LINE_A) - 1; /* the last line end may be missing */
    for (size_t len = 0; len < whole; len++) {
        sso_keyring_t *ring = NULL;
        const char *path = file_make("cut", LINE_A, len, 0600);
        assert_rc(SSO_R_KEYFILE_FORMAT, sso_keyring_load(&unit_ctx, unit_pool, path, &ring));
    }
}

static void test_keyring_bounds_are_kept(void **state)
{
    (void)state;
    const char *text = "";
    sso_keyring_t *ring = NULL;
    for (int i = 0; i < SSO_MAX_RING_KEYS + 1; i++) {
        if (i == SSO_MAX_RING_KEYS) {
            assert_int_equal(sso_keyring_size(ring_make(text)), SSO_MAX_RING_KEYS);
        }
        unsigned char key[SSO_KEY_BYTES] = {(unsigned char)i, 1};
        text = apr_psprintf(unit_pool, "%skey %08x %s" WHEN "\n", text, (unsigned)i,
                            sso_base64url(unit_pool, key, sizeof(key)));
    }
    const char *path = file_make("many", text, strlen(text), 0600);
    assert_rc(SSO_R_KEYFILE_FORMAT, sso_keyring_load(&unit_ctx, unit_pool, path, &ring));
    size_t room = SSO_MAX_KEYFILE - strlen(LINE_A);
    char *padded = apr_pcalloc(unit_pool, SSO_MAX_KEYFILE + 2);
    memset(padded, ' ', room);
    memcpy(padded + room, LINE_A, strlen(LINE_A));
    assert_int_equal(sso_keyring_size(ring_make(padded)), 1);
    padded[SSO_MAX_KEYFILE] = '\n';
    path = file_make("large", padded, SSO_MAX_KEYFILE + 1, 0600);
    assert_rc(SSO_R_KEYFILE_FORMAT, sso_keyring_load(&unit_ctx, unit_pool, path, &ring));
    path = file_make("nul", LINE_A "\0", sizeof(LINE_A), 0600);
    assert_rc(SSO_R_KEYFILE_FORMAT, sso_keyring_load(&unit_ctx, unit_pool, path, &ring));
}

static sso_rc load(const char *path)
{
    sso_keyring_t *ring = NULL;
    sso_rc rc = sso_keyring_load(&unit_ctx, unit_pool, path, &ring);
    assert_true((rc == SSO_OK) == (ring != NULL));
    return rc;
}

static void test_keyring_file_open_to_others_is_refused(void **state)
{
    (void)state;
    for (mode_t mode = 0600; mode <= 0677; mode++) {
        const char *path = file_make("mode", LINE_A, strlen(LINE_A), mode);
        assert_rc(mode == 0600 ? SSO_OK : SSO_R_KEYFILE_MODE, load(path));
    }
    assert_rc(SSO_OK, load(file_make("mode", LINE_A, strlen(LINE_A), 0400)));
}

static void test_keyring_file_of_another_kind_is_refused(void **state)
{
    (void)state;
    const char *real = file_make("real", LINE_A, strlen(LINE_A), 0600);
    const char *symbolic = path_make("symbolic"), *fifo = path_make("fifo"), *missing = path_make("missing");
    assert_int_equal(symlink(real, symbolic), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_rc(SSO_R_KEYFILE_MODE, load(symbolic));
    assert_rc(SSO_R_KEYFILE_MODE, load(fifo));
    assert_rc(SSO_R_KEYFILE_MODE, load(folder));
    assert_rc(SSO_R_KEYFILE_MISSING, load(missing));
    assert_rc(SSO_R_KEYFILE_ACCESS, load(apr_pstrcat(unit_pool, real, "/below", NULL)));
}

static void test_keyring_file_of_another_user_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip(); /* only root can give a file away */
    }
    const char *path = file_make("given", LINE_A, strlen(LINE_A), 0600);
    assert_int_equal(chown(path, 65534, 65534), 0);
    assert_rc(SSO_R_KEYFILE_MODE, load(path));
}

static void test_keyring_made_file_is_good_and_private(void **state)
{
    (void)state;
    const char *path = path_make("made");
    bool made = false;
    mode_t mask = umask(0);
    sso_rc rc = sso_keyring_make(&unit_ctx, path, &made);
    umask(mask);
    assert_rc(SSO_OK, rc);
    assert_true(made);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_nlink, 1); /* the name aside is gone */
    sso_keyring_t *ring = NULL;
    assert_rc(SSO_OK, sso_keyring_load(&unit_ctx, unit_pool, path, &ring));
    assert_int_equal(sso_keyring_size(ring), 1);
    const char *text = seal_text(ring, "x");
    /* The second maker leaves it alone. */
    assert_rc(SSO_OK, sso_keyring_make(&unit_ctx, path, &made));
    assert_false(made);
    assert_rc(SSO_OK, sso_keyring_load(&unit_ctx, unit_pool, path, &ring));
    assert_int_equal(open_text(ring, text, strlen(text)), SSO_OK);
}

static void test_keyring_make_without_folder_is_reported(void **state)
{
    (void)state;
    bool made = true;
    assert_rc(SSO_R_KEYFILE_WRITE, sso_keyring_make(&unit_ctx, path_make("none/made"), &made));
    assert_true(made); /* written on success only */
}

typedef struct {
    const char *path;
    atomic_int *made;
} maker_t;

static void *maker_run(void *baton)
{
    const maker_t *maker = baton;
    apr_pool_t *pool = NULL;
    apr_pool_create(&pool, NULL);
    sso_ctx_t ctx;
    sso_ctx_init(&ctx, pool, SSO_TEST_NOW);
    bool made = false;
    sso_keyring_t *ring = NULL;
    bool good = sso_keyring_make(&ctx, maker->path, &made) == SSO_OK &&
                sso_keyring_load(&ctx, pool, maker->path, &ring) == SSO_OK;
    atomic_fetch_add(maker->made, made ? 1 : 0);
    apr_pool_destroy(pool);
    return good ? baton : NULL;
}

static void test_keyring_of_many_makers_one_wins(void **state)
{
    (void)state;
    atomic_int made = 0;
    maker_t maker = {path_make("raced"), &made};
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, maker_run, &maker), 0);
    }
    for (int i = 0; i < 8; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_non_null(result);
    }
    assert_int_equal(atomic_load(&made), 1);
}

/* ---- a file that changes while the ring is in use ---- */

#define KEY_C "_gECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define LINE_C "key 0000000c " KEY_C WHEN "\n"

static sso_handoff_t *handoff_make(void)
{
    return apr_pcalloc(unit_pool, sso_handoff_size());
}

static void give(sso_handoff_t *handoff, const char *text)
{
    assert_true(sso_handoff_give(handoff, text, strlen(text)));
}

static const unsigned char follow_binding[SSO_BINDING_BYTES] = {7};

static const char *seal_with(const sso_keyring_t *ring)
{
    const char *text = NULL;
    assert_rc(SSO_OK, sso_seal(&unit_ctx, ring, SSO_PURPOSE_SESSION, follow_binding, "data", 4, &text));
    return text;
}

static sso_rc open_with(const sso_keyring_t *ring, const char *text)
{
    unsigned char *data;
    apr_size_t len;
    return sso_open(&unit_ctx, ring, SSO_PURPOSE_SESSION, follow_binding, text, strlen(text), &data, &len);
}

/* The id of the key that sealed. */
static unsigned char sealer_of(const char *text)
{
    apr_size_t len;
    return sso_base64url_decode(unit_pool, text, strlen(text), &len)[4];
}

static void test_keyring_that_follows_takes_each_new_file(void **state)
{
    (void)state;
    sso_handoff_t *handoff = handoff_make();
    sso_keyring_t *ring = ring_make(LINE_A);
    give(handoff, LINE_A);
    assert_true(sso_keyring_follow(ring, unit_pool, handoff));
    const char *by_a = seal_with(ring);
    assert_int_equal(sealer_of(by_a), 0x0a);
    const void *moment = sso_keyring_moment(&unit_ctx, ring);
    assert_ptr_equal(sso_keyring_moment(&unit_ctx, ring), moment);
    /* Added behind: opens, does not seal. */
    give(handoff, LINE_A LINE_B);
    assert_ptr_not_equal(sso_keyring_moment(&unit_ctx, ring), moment);
    assert_int_equal(sealer_of(seal_with(ring)), 0x0a);
    assert_int_equal(sso_keyring_size(ring), 2);
    const char *by_b = seal_with(ring_make(LINE_B));
    assert_rc(SSO_OK, open_with(ring, by_b));
    /* First: seals; the old one opens. */
    give(handoff, LINE_B LINE_A);
    assert_rc(SSO_OK, open_with(ring, by_a));
    assert_int_equal(sealer_of(seal_with(ring)), 0x0b);
    const sso_signing_key_t *before[SSO_MAX_RING_KEYS], *after[SSO_MAX_RING_KEYS];
    assert_int_equal(sso_keyring_signing_keys(&unit_ctx, ring, before), 2);
    give(handoff, LINE_A LINE_B LINE_C);
    assert_int_equal(sso_keyring_signing_keys(&unit_ctx, ring, after), 3);
    assert_string_equal(sso_signing_key_id(before[0]), sso_signing_key_id(after[1]));
    assert_string_equal(sso_signing_key_id(before[1]), sso_signing_key_id(after[0]));
    /* Removed: opens no more. Two givings at once are one step. */
    give(handoff, LINE_C LINE_B LINE_A);
    give(handoff, LINE_C LINE_B);
    assert_rc(SSO_R_SEAL_KEY, open_with(ring, by_a));
    assert_rc(SSO_OK, open_with(ring, by_b));
    assert_int_equal(sealer_of(seal_with(ring)), 0x0c);
}

static void test_keyring_that_follows_keeps_its_keys_when_others_are_no_good(void **state)
{
    (void)state;
    static const char *const bad[] = {"rubbish", "# nothing\n", LINE_A "key", LINE_B LINE_B,
                                      "key 0000000d " KEY_ZERO WHEN "\n"};
    sso_handoff_t *handoff = handoff_make();
    sso_keyring_t *ring = ring_make(LINE_A);
    assert_true(sso_keyring_follow(ring, unit_pool, handoff));
    const char *by_a = seal_with(ring);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        give(handoff, bad[i]);
        assert_int_equal(open_with(ring, by_a), SSO_OK);
        assert_int_equal(unit_ctx.fault.rc, SSO_OK); /* the request knows nothing of it */
        assert_int_equal(sealer_of(seal_with(ring)), 0x0a);
    }
    sso_handoff_clear(handoff);
    assert_rc(SSO_OK, open_with(ring, by_a));
    give(handoff, LINE_B);
    assert_rc(SSO_R_SEAL_KEY, open_with(ring, by_a));
}

static void test_keyring_takes_what_was_handed_before_for_its_own(void **state)
{
    (void)state;
    sso_handoff_t *handoff = handoff_make();
    give(handoff, LINE_B);
    sso_keyring_t *ring = ring_make(LINE_A);
    assert_true(sso_keyring_follow(ring, unit_pool, handoff));
    assert_int_equal(sealer_of(seal_with(ring)), 0x0a);
}

typedef struct {
    const sso_keyring_t *ring;
    atomic_bool *end;
    bool good;
} follower_t;

/* Seals and opens all the time: a record that was sealed a moment ago always opens, as no key is removed here. */
static void *follower_run(void *data)
{
    follower_t *follower = data;
    follower->good = true;
    while (!atomic_load(follower->end)) {
        apr_pool_t *pool;
        sso_ctx_t ctx;
        const char *text;
        unsigned char *opened;
        apr_size_t len;
        apr_pool_create(&pool, NULL);
        sso_ctx_init(&ctx, pool, SSO_TEST_NOW);
        bool good = sso_seal(&ctx, follower->ring, SSO_PURPOSE_SESSION, follow_binding, "data", 4, &text) == SSO_OK &&
                    sso_open(&ctx, follower->ring, SSO_PURPOSE_SESSION, follow_binding, text, strlen(text), &opened,
                             &len) == SSO_OK &&
                    len == 4;
        follower->good = follower->good && good;
        apr_pool_destroy(pool);
    }
    return NULL;
}

static void test_keyring_threads_go_on_while_files_change(void **state)
{
    (void)state;
    static const char *const files[] = {LINE_A LINE_B LINE_C, LINE_B LINE_A LINE_C, LINE_C LINE_B LINE_A};
    sso_handoff_t *handoff = handoff_make();
    sso_keyring_t *ring = ring_make(files[0]);
    assert_true(sso_keyring_follow(ring, unit_pool, handoff));
    atomic_bool end = false;
    pthread_t threads[4];
    follower_t followers[4];
    for (int i = 0; i < 4; i++) {
        followers[i] = (follower_t){.ring = ring, .end = &end};
        assert_int_equal(pthread_create(&threads[i], NULL, follower_run, &followers[i]), 0);
    }
    for (int i = 0; i < 200; i++) {
        give(handoff, files[i % 3]);
        usleep(500);
    }
    atomic_store(&end, true);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_true(followers[i].good);
    }
    give(handoff, files[1]);
    assert_int_equal(sealer_of(seal_with(ring)), 0x0b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_seal_record_opens_to_what_was_sealed),
        unit_test(test_seal_record_has_the_layout_of_the_header),
        unit_test(test_seal_record_fits_an_independent_construction),
        unit_test(test_seal_every_flipped_bit_is_refused),
        unit_test(test_seal_every_truncation_is_refused),
        unit_test(test_seal_added_bytes_are_refused),
        unit_test(test_seal_short_tag_is_refused),
        unit_test(test_seal_garbage_is_refused),
        unit_test(test_seal_other_purpose_is_refused),
        unit_test(test_seal_other_binding_is_refused),
        unit_test(test_seal_no_purpose_is_refused),
        unit_test(test_seal_same_data_never_shares_a_nonce),
        unit_test(test_seal_rotated_ring_opens_old_and_seals_with_first),
        unit_test(test_seal_ring_gives_signing_keys),
        unit_test(test_keyring_that_follows_takes_each_new_file),
        unit_test(test_keyring_that_follows_keeps_its_keys_when_others_are_no_good),
        unit_test(test_keyring_takes_what_was_handed_before_for_its_own),
        unit_test(test_keyring_threads_go_on_while_files_change),
        unit_test(test_keyring_comments_and_spaces_are_allowed),
        unit_test(test_keyring_faulty_text_gives_its_reason),
        unit_test(test_keyring_truncated_line_is_refused),
        unit_test(test_keyring_bounds_are_kept),
        unit_test(test_keyring_file_open_to_others_is_refused),
        unit_test(test_keyring_file_of_another_kind_is_refused),
        unit_test(test_keyring_file_of_another_user_is_refused),
        unit_test(test_keyring_made_file_is_good_and_private),
        unit_test(test_keyring_make_without_folder_is_reported),
        unit_test(test_keyring_of_many_makers_one_wins),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
