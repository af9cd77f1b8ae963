/* SPDX-License-Identifier: Apache-2.0 */
/* The module record: names every hook and its place, and hands over. */
#include "build_config.h"

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_auth.h>
#include <mpm_common.h>

#include "httpd/authz.h"
#include "httpd/carry.h"
#include "httpd/check.h"
#include "httpd/config.h"
#include "httpd/directives.h"
#include "httpd/dump.h"
#include "httpd/hooks.h"
#include "httpd/lifecycle.h"
#include "httpd/metrics.h"
#include "httpd/renewal.h"
#include "httpd/status.h"
#include "httpd/watching.h"

static void register_hooks(apr_pool_t *pool)
{
    /* Configuration: every mistake at configtest already; the dump only there. */
    ap_hook_check_config(sso_config_check, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(sso_config_dump, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(sso_lifecycle_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* Before mod_watchdog starts its threads in a process, since these use what is made here. */
    ap_hook_child_init(sso_lifecycle_child_init, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* In the parent, which may read what the processes may not. */
    ap_hook_monitor(sso_renewal_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(sso_carry_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(sso_watching_ready, NULL, NULL, APR_HOOK_REALLY_LAST);

    /* Before every other module: what a client must not say is gone before anybody can believe it. mod_log_forensic
     * hooks as early, and writes down all that it finds. */
    static const char *const after_us[] = {"mod_log_forensic.c", NULL};
    ap_hook_post_read_request(sso_hook_post_read_request, NULL, after_us, APR_HOOK_REALLY_FIRST);
    /* Before mod_proxy, mod_rewrite and mod_alias: the callback is ours whatever they map. */
    ap_hook_pre_translate_name(sso_hook_translate_name, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(sso_hook_translate_name, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(sso_hook_map_to_storage, NULL, NULL, APR_HOOK_REALLY_FIRST);

    /* Before mod_authz_core asks whether nobody in particular may enter. */
    ap_hook_check_access_ex(sso_hook_access_checker_ex, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authn(sso_hook_check_authn, NULL, NULL, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_CONF);
    /* Before mod_authz_core, whose decision it asks for and explains. */
    ap_hook_check_authz(sso_hook_auth_checker, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    sso_authz_register(pool);
    /* Before mod_headers, so that RequestHeader can build on what we set. */
    ap_hook_fixups(sso_hook_fixups, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* Before mod_proxy's handler. */
    ap_hook_handler(sso_hook_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(sso_metrics_handler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(sso_status_handler, NULL, NULL, APR_HOOK_MIDDLE);
    sso_status_register();
    /* Before every log of requests. */
    ap_hook_log_transaction(sso_hook_log_transaction, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

/* The one symbol that httpd looks up; everything else is hidden. */
extern module entra_sso_module __attribute__((visibility("default")));

AP_DECLARE_MODULE(entra_sso) = {
    STANDARD20_MODULE_STUFF, sso_config_make_dir, sso_config_merge_dir, sso_config_make_server,
    sso_config_merge_server, sso_directives,      register_hooks,       AP_MODULE_FLAG_NONE,
};
