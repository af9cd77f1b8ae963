/* SPDX-License-Identifier: Apache-2.0 */
/* entra-sso check: asks httpd what its configuration comes to, and looks at all that this leads to. Nothing is changed
 * anywhere, and nothing secret is shown. */
#include "command/checking.h"

#include <string.h>

#include "base/bytes.h"
#include "entra/authority.h"

/* What httpd accepts, because it may be meant, and what is hardly ever meant. */
void sso_check_meaning(sso_report_t *report, const sso_description_t *description)
{
    if (!description->protects) {
        sso_report_say(report, SSO_FOUND_WARN, "protection",
                       "Write \"AuthType Entra\" and \"Require valid-user\" into a section; leave it so if a .htaccess "
                       "does",
                       "no section says AuthType Entra, so that nothing is protected here");
    } else if (description->any_tenant) {
        sso_report_say(
            report, SSO_FOUND_WARN, "protection",
            "Name the tenants that may enter in EntraAllowedTenants, or have Require entra-tenant, entra-role "
            "or entra-domain in every section",
            "people of every organization may sign in (EntraAllowedTenants any)");
    } else {
        sso_report_good(report, "protection", "AuthType Entra stands in at least one section");
    }
    if (strcmp(description->overage, "ignore") == 0 && description->groups->nelts > 0 && !description->groups_of_scim) {
        sso_report_say(report, SSO_FOUND_WARN, "groups", "Write \"EntraGroupOverage graph\" or \"deny\"",
                       "with EntraGroupOverage ignore, people in more than 200 groups are in none of those that the "
                       "rules name, also where a rule says not");
    }
}

static void applications_check(sso_command_t *command, sso_report_t *report, const sso_place_t *place)
{
    sso_http_t *http = NULL;
    if (command->options.online && sso_http_make(&command->ctx, command->ctx.pool, NULL, &http) != SSO_OK) {
        sso_report_fault(report, SSO_FOUND_FAULT, "network", &command->ctx);
    }
    for (int i = 0; i < place->descriptions->nelts; i++) {
        const sso_description_t *description = &APR_ARRAY_IDX(place->descriptions, i, sso_description_t);
        sso_credential_t *credential;
        sso_report_turn(report, description->origin);
        sso_check_meaning(report, description);
        sso_check_files(command, report, description, &credential);
        if (http != NULL) {
            sso_check_online(command, report, description, credential, http);
        }
    }
    sso_report_turn(report, NULL);
    sso_check_state(command, report, place);
    sso_check_databases(command, report, place);
}

static const char configuration[] = "configuration";

int sso_command_check(sso_command_t *command)
{
    sso_place_t place;
    sso_report_t report = {.pool = command->ctx.pool, .out = command->out, .json = command->options.json};
    switch (sso_place_ask(command, &place)) {
    case SSO_ASKED_UNABLE:
        return SSO_EXIT_UNABLE;
    case SSO_ASKED_REFUSED:
        sso_report_say(&report, SSO_FOUND_FAULT, configuration,
                       "Each message above names its mend. \"Invalid command 'Entra...'\" says that the module is not "
                       "loaded: a2enmod entra_sso",
                       "httpd does not accept it");
        break;
    case SSO_ASKED_GOOD:
        if (place.descriptions->nelts == 0) {
            sso_report_say(
                &report, SSO_FOUND_FAULT, configuration,
                "Write EntraTenant, EntraClientID and a credential into the virtual host, and AuthType Entra "
                "into a section of it; see conf.d/minimal.conf",
                "httpd accepts it, and it has no application of mod_entra_sso");
            break;
        }
        sso_report_good(&report, configuration, "httpd accepts it; %d virtual host%s use%s Entra",
                        place.descriptions->nelts, place.descriptions->nelts == 1 ? "" : "s",
                        place.descriptions->nelts == 1 ? "s" : "");
        applications_check(command, &report, &place);
        break;
    }
    return sso_report_end(&report) ? SSO_EXIT_DONE : SSO_EXIT_FAILED;
}
