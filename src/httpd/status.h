/* SPDX-License-Identifier: Apache-2.0 */
/* `SetHandler entra-status`, for people and with ?auto for machines; and the section in mod_status. */
#pragma once

#include <httpd.h>

/* Handler hook. Who may see it is what the administrator's Require says. */
int sso_status_handler(request_rec *r);

/* mod_status's hook, where that module is there. */
void sso_status_register(void);
