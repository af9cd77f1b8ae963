/* SPDX-License-Identifier: Apache-2.0 */
/* The authority's shared memory: one fetcher at a time, killed and torn writers, racing readers, life of views. */
#include "entra/authority.h"

#include "unit.h"

#include <stdatomic.h>

#include <apr_thread_proc.h>

#include "fake_http.h"
#include "fixture.h"
#include "node.h"

/* ---- what happens elsewhere meanwhile ---- */

static sso_authority_t *elsewhere;
static sso_rc elsewhere_rc;

/* Another process's request while the first one is fetching. */
static void another_request(fake_http_t *fake, const char *url)
{
    (void)url;
    fake->during = NULL;
    sso_ctx_t ctx;
    const sso_authority_view_t *view;
    sso_ctx_init(&ctx, unit_pool, SSO_TEST_NOW);
    elsewhere_rc = sso_authority_view(&ctx, elsewhere, &view);
}

/* The fetch never ends for the one who waits: it gives up after the policy's timeout, without a call of its own. */
static void test_sharing_waiting_request_gives_up_after_the_timeout(void **state)
{
    (void)state;
    node_t *node = node_good();
    const sso_authority_view_t *view;
    elsewhere = node_process(node);
    node->fake->during = another_request;
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, node_process(node), &view));
    assert_int_equal(elsewhere_rc, SSO_R_METADATA_NONE);
    assert_int_equal(node->fake->request_count, 2);
}

static void another_token(fake_http_t *fake, const char *url)
{
    (void)url;
    fake->during = NULL;
    sso_ctx_t ctx;
    const sso_authority_view_t *view;
    const sso_key_t *key;
    sso_ctx_init(&ctx, unit_pool, unit_ctx.now);
    elsewhere_rc = sso_authority_key(&ctx, elsewhere, "kid-new", &view, &key);
}

/* A token of a new key, while another worker's fetch for it does not end in time: come back, not "no such key". */
static void test_sharing_new_key_that_another_fetches_is_worth_a_second_try(void **state)
{
    (void)state;
    node_t *node = node_good();
    const sso_authority_view_t *view;
    const sso_key_t *key;
    sso_authority_t *here = node_process(node);
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, here, &view));
    elsewhere = node_process(node);
    node_roll(node, node_jwk(FIXTURE_KEY_A, "kid-new"));
    unit_ctx.now += SEC(61);
    node->fake->during = another_token;
    assert_rc(SSO_OK, sso_authority_key(&unit_ctx, here, "kid-new", &view, &key));
    assert_int_equal(elsewhere_rc, SSO_R_KEYS_BUSY);
}

static void another_tick(fake_http_t *fake, const char *url)
{
    (void)url;
    fake->during = NULL;
    sso_ctx_t ctx;
    sso_ctx_init(&ctx, unit_pool, SSO_TEST_NOW);
    elsewhere_rc = sso_authority_tick(&ctx, elsewhere);
}

static void test_sharing_tick_leaves_a_running_fetch_alone(void **state)
{
    (void)state;
    node_t *node = node_good();
    elsewhere = node_process(node);
    elsewhere_rc = SSO_R_CRYPTO;
    node->fake->during = another_tick;
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, node_process(node)));
    assert_int_equal(elsewhere_rc, SSO_OK);
    assert_int_equal(node->fake->request_count, 2);
}

/* A fetcher was killed: its claim stands in shared memory, but not for ever. */
static void *snapshot;
static const void *snapshot_of;

static void snapshot_take(fake_http_t *fake, const char *url)
{
    (void)url;
    fake->during = NULL;
    memcpy(snapshot, snapshot_of, sso_authority_shared_size());
}

static void test_sharing_claim_of_a_killed_fetcher_expires(void **state)
{
    (void)state;
    node_t *node = node_good(), *after = node_good();
    snapshot = after->shared;
    snapshot_of = node->shared;
    node->fake->during = snapshot_take;
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, node_process(node)));
    /* The other node's memory is as it was in the middle of that fetch. */
    sso_authority_t *authority = node_process(after);
    const sso_authority_view_t *view;
    unit_ctx.now += SEC(5);
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, authority));
    assert_int_equal(after->fake->request_count, 0);
    unit_ctx.now += SEC(10);
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, authority));
    assert_int_equal(after->fake->request_count, 2);
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, authority, &view));
}

/* Every byte of the shared memory but the present copy may be garbage, and the present copy may be damaged: a reader
 * gets a whole copy or none. */
static void test_sharing_torn_copy_is_never_believed(void **state)
{
    (void)state;
    node_t *node = node_good();
    const sso_authority_view_t *view;
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, node_process(node)));
    unsigned char *bytes = node->shared;
    /* The JWKS text in the copy: find kid-A and change its name. */
    apr_size_t size = sso_authority_shared_size();
    bool found = false;
    for (apr_size_t i = 0; i + 5 < size; i++) {
        if (memcmp(bytes + i, "kid-A", 5) == 0) {
            memcpy(bytes + i, "kid-X", 5);
            found = true;
        }
    }
    assert_true(found);
    fake_http_broken(node->fake, "https://", SSO_R_HTTP_CONNECT);
    sso_authority_t *fresh = node_process(node);
    assert_rc(SSO_R_METADATA_NONE, sso_authority_view(&unit_ctx, fresh, &view));
    /* And the background mends it. */
    fake_http_always(node->fake, DISCOVERY, 200, fixture_discovery(unit_pool, FIXTURE_TENANT, FIXTURE_TENANT));
    node_roll(node, node_jwk(FIXTURE_KEY_A, "kid-A"));
    unit_ctx.now += SEC(2);
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, fresh));
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, fresh, &view));
    assert_non_null(sso_keys_find(view->keys, "kid-A"));
}

/* The writer of a new generation dies at its worst moment: readers still have the old one. */
static void test_sharing_writer_that_dies_harms_nobody(void **state)
{
    (void)state;
    node_t *node = node_good();
    const sso_authority_view_t *view;
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, node_process(node)));
    /* Generation 1 is in the second half; the first half is where generation 2 would be written. */
    apr_size_t half = sso_authority_shared_size() / 2;
    memset((unsigned char *)node->shared + 64, 0xa5, half - 128);
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, node_process(node), &view));
    assert_int_equal(view->generation, 1);
    assert_non_null(sso_keys_find(view->keys, "kid-A"));
    unit_ctx.now += SEC(3600);
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, node_process(node)));
    assert_rc(SSO_OK, sso_authority_view(&unit_ctx, node_process(node), &view));
    assert_int_equal(view->generation, 2);
}

/* ---- threads ---- */

#define GENERATIONS 300

/* What the racing threads share: one process writes generations, the other one reads them. */
typedef struct {
    node_t *node;
    sso_authority_t *writer, *reader;
    atomic_bool done;
    atomic_int torn, seen;
} race_t;

/* Generation n says n in its metadata and in its keys. */
static void *APR_THREAD_FUNC race_read(apr_thread_t *thread, void *data)
{
    (void)thread;
    race_t *race = data;
    while (!atomic_load(&race->done)) {
        apr_pool_t *pool;
        sso_ctx_t ctx;
        const sso_authority_view_t *view;
        apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
        sso_ctx_init(&ctx, pool, SSO_TEST_NOW);
        if (sso_authority_view(&ctx, race->reader, &view) == SSO_OK) {
            bool whole = view->keys->count == 1 && strcmp(view->metadata->graph_host, view->keys->keys[0].kid) == 0;
            atomic_fetch_add(&race->torn, whole ? 0 : 1);
            atomic_fetch_add(&race->seen, 1);
        }
        apr_pool_destroy(pool);
    }
    return NULL;
}

static void race_publish(race_t *race, int number)
{
    const char *name = apr_psprintf(unit_pool, "g%d", number);
    const char *host = apr_pstrcat(unit_pool, "\"", name, "\"", NULL);
    race->node->fake->row_count = 0;
    race->node->fake->request_count = 0;
    fake_http_always(race->node->fake, DISCOVERY, 200, fixture_document("msgraph_host", host));
    fake_http_always(race->node->fake, "/keys", 200, fixture_jwks(unit_pool, node_jwk(FIXTURE_KEY_A, name), NULL));
    unit_ctx.now = SSO_TEST_NOW + number * SEC(3600);
    assert_rc(SSO_OK, sso_authority_tick(&unit_ctx, race->writer));
}

static void test_sharing_readers_never_see_half_a_generation(void **state)
{
    (void)state;
    race_t *race = apr_pcalloc(unit_pool, sizeof(*race));
    apr_thread_t *threads[3];
    apr_status_t status;
    race->node = node_good();
    race->writer = node_process(race->node);
    race->reader = node_process(race->node);
    race_publish(race, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(apr_thread_create(&threads[i], NULL, race_read, race, unit_process_pool), APR_SUCCESS);
    }
    for (int i = 1; i < GENERATIONS || atomic_load(&race->seen) == 0; i++) {
        race_publish(race, i);
    }
    atomic_store(&race->done, true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(apr_thread_join(&status, threads[i]), APR_SUCCESS);
    }
    assert_int_equal(atomic_load(&race->torn), 0);
}

/* Views live as long as their contexts, in whatever order contexts and generations end. */
static void test_sharing_view_lives_with_its_context(void **state)
{
    (void)state;
    node_t *node = node_good();
    apr_pool_t *process_pool, *pools[3];
    const sso_authority_view_t *views[3];
    apr_pool_create(&process_pool, unit_pool);
    sso_authority_t *authority = sso_authority_make(process_pool, &node->config, node->shared, &node->fake->face);
    for (int i = 0; i < 3; i++) {
        sso_ctx_t ctx;
        apr_pool_create(&pools[i], unit_pool);
        sso_ctx_init(&ctx, pools[i], SSO_TEST_NOW + i * SEC(3600));
        assert_int_equal(sso_authority_tick(&ctx, authority), SSO_OK);
        assert_int_equal(sso_authority_view(&ctx, authority, &views[i]), SSO_OK);
        assert_int_equal(views[i]->generation, i + 1);
    }
    apr_pool_destroy(pools[1]);
    assert_non_null(sso_keys_find(views[0]->keys, "kid-A"));
    apr_pool_destroy(process_pool);
    assert_non_null(sso_keys_find(views[2]->keys, "kid-A"));
    apr_pool_destroy(pools[2]);
    assert_string_equal(views[0]->metadata->issuer, FIXTURE_ISSUER);
    apr_pool_destroy(pools[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_sharing_waiting_request_gives_up_after_the_timeout),
        unit_test(test_sharing_tick_leaves_a_running_fetch_alone),
        unit_test(test_sharing_new_key_that_another_fetches_is_worth_a_second_try),
        unit_test(test_sharing_claim_of_a_killed_fetcher_expires),
        unit_test(test_sharing_torn_copy_is_never_believed),
        unit_test(test_sharing_writer_that_dies_harms_nobody),
        unit_test(test_sharing_readers_never_see_half_a_generation),
        unit_test(test_sharing_view_lives_with_its_context),
    };
    return fixture_run(tests);
}
