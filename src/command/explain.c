/* SPDX-License-Identifier: Apache-2.0 */
/* entra-sso explain: needs neither a network nor a configuration. */
#include "command/command.h"
#include "command/meaning.h"

int sso_command_explain(sso_command_t *command)
{
    int code = SSO_EXIT_DONE;
    bool any = false;
    for (int i = 0; i < command->options.count; i++) {
        const char *missing = NULL;
        const char *text = sso_meaning(command->ctx.pool, command->options.words[i], &missing);
        if (text == NULL) {
            sso_command_complain(command, "%s", missing);
            code = SSO_EXIT_FAILED;
            continue;
        }
        apr_file_printf(command->out, "%s%s", any ? "\n" : "", text);
        any = true;
    }
    return code;
}
