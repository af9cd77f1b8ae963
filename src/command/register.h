/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of entra-sso register: the same registration, for two tools. */
#pragma once

#include "command/command.h"
#include "command/wanted.h"

/* Who makes the assertions of a federated credential, as far as its file tells; NULL where it does not. */
typedef struct {
    const char *issuer;
    const char *subject;
} sso_assertion_source_t;

typedef struct {
    sso_command_t *command;
    const apr_array_header_t *descriptions; /* const sso_description_t *: they share the registration */
    sso_wanted_t wanted;
    sso_assertion_source_t assertion;
    const char *tenant; /* to log in to; NULL when the configuration names none */
} sso_registering_t;

/* A scope that can stand in a question of these tools: letters, digits, '.', '_' and '-'. */
bool sso_register_is_plain(const char *scope);

/* Each prints commands with comments that say why. */
void sso_register_az(const sso_registering_t *registering);
void sso_register_powershell(const sso_registering_t *registering);
