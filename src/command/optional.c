/* SPDX-License-Identifier: Apache-2.0 */
/* The list of Entra's documentation, without those of SAML and of access tokens alone. */
#include "command/optional.h"

#include <string.h>

static const char *const optional_claims[] = {
    "acct",
    "auth_time",
    "ctry",
    "email",
    "family_name",
    "fwd",
    "given_name",
    "in_corp",
    "ipaddr",
    "login_hint",
    "onprem_sid",
    "pwd_exp",
    "pwd_url",
    "sid",
    "tenant_ctry",
    "tenant_region_scope",
    "upn",
    "verified_primary_email",
    "verified_secondary_email",
    "vnet",
    "xms_edov",
    "xms_pdl",
    "xms_pl",
    "xms_tpl",
    "ztdid",
};

bool sso_claim_is_optional(const char *claim)
{
    for (size_t i = 0; i < sizeof(optional_claims) / sizeof(optional_claims[0]); i++) {
        if (strcmp(claim, optional_claims[i]) == 0) {
            return true;
        }
    }
    return false;
}
