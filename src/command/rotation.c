/* SPDX-License-Identifier: Apache-2.0 */
/* entra-sso key: rotation of the key file, and its copy to other nodes. */
#include "command/command.h"

#include <unistd.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/rotate.h"

/* No session lives longer than the cap; an hour is for clocks that differ and nodes that reload late. */
#define KEY_KEPT (SSO_SESSION_CAP + apr_time_from_sec(60 * 60))

/* The one key file; several are a matter for --state. */
static const char *key_file(sso_command_t *command, sso_place_t *place)
{
    if (!sso_place_find(command, place)) {
        return NULL;
    }
    if (place->key_files->nelts != 1) {
        sso_command_complain(command, "the configuration has %d state directories; name one with --state",
                             place->key_files->nelts);
        return NULL;
    }
    return sso_text_at(place->key_files, 0);
}

int sso_command_rotate(sso_command_t *command)
{
    sso_ctx_t *ctx = &command->ctx;
    sso_rotation_t rotation;
    sso_place_t place;
    const char *path = key_file(command, &place);
    if (path == NULL) {
        return SSO_EXIT_FAILED;
    }
    bool prepare = command->options.prepare;
    if ((prepare ? sso_keyfile_prepare(ctx, path, &rotation) : sso_keyfile_rotate(ctx, path, KEY_KEPT, &rotation)) !=
        SSO_OK) {
        return sso_command_fault(command);
    }
    sso_audit_event_t event = {
        .action = SSO_AUDIT_KEY_ROTATED,
        .reason = apr_psprintf(ctx->pool, "key %s %s", rotation.id, prepare ? "is prepared" : "seals from now on")};
    sso_auditing_begin(command, &place);
    sso_auditing_write(command, &place, NULL, &event);
    if (prepare) {
        apr_file_printf(command->out,
                        "Key %s %s at the end of %s: it opens, and does not seal yet.\n"
                        "1. Copy the file to every other node (entra-sso key export), and wait until each one's "
                        "error log says that it is in use.\n"
                        "2. Then entra-sso key rotate here, which puts it in front; copy once more.\n",
                        rotation.id, rotation.was_prepared ? "was already" : "is now", path);
        return SSO_EXIT_DONE;
    }
    apr_file_printf(command->out,
                    "Key %s is in front of %s: httpd seals with it within ten seconds (its error log says so).\n"
                    "%d older key%s still open%s, %d %s dropped. Nobody is signed out.\n"
                    "With several nodes: copy the file to each now (entra-sso key export).\n",
                    rotation.id, path, rotation.kept, rotation.kept == 1 ? "" : "s", rotation.kept == 1 ? "s" : "",
                    rotation.dropped, rotation.dropped == 1 ? "was" : "were");
    if (!rotation.was_prepared) {
        apr_file_printf(command->out,
                        "Until a node has it, sessions that others seal with it must sign in again there; "
                        "`key rotate --prepare` first avoids that.\n");
    }
    return SSO_EXIT_DONE;
}

int sso_command_export(sso_command_t *command)
{
    const char *text;
    sso_place_t place;
    const char *path = key_file(command, &place);
    if (path == NULL) {
        return SSO_EXIT_FAILED;
    }
    /* SECURITY: whoever reads these keys can sign in as anyone; a terminal is looked over, scrolled back, recorded. */
    if (isatty(STDOUT_FILENO) == 1 && !command->options.yes) {
        sso_command_complain(command,
                             "the keys are not shown on a terminal; send them to a file or to another node "
                             "(entra-sso key export | ssh NODE 'umask 077; cat >%s.new && mv %s.new %s'), or "
                             "say --yes",
                             path, path, path);
        return SSO_EXIT_FAILED;
    }
    if (sso_keyfile_text(&command->ctx, path, &text) != SSO_OK) {
        return sso_command_fault(command);
    }
    apr_file_printf(command->out, "%s", text);
    return SSO_EXIT_DONE;
}
