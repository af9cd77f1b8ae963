#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Calls go downward only: which layer may include which, every include of ours with its folder, and httpd's headers only in
# src/httpd and mod_entra_sso.c. src/*.c and src/command are the command: it may use all but httpd, and nobody uses it.
. "$(dirname "$0")/common.bash"
reads='^(src/|mod_entra_sso)'

guard() {
    local files
    mapfile -t files < <(module_files)
    awk "$C_AWK"'
    BEGIN {
        may["base"] = " base "
        may["entra"] = " base entra "
        may["session"] = " base entra session "
        may["directory"] = " base session directory "
        may["flow"] = " base entra session directory flow "
        may["httpd"] = " base entra session directory flow httpd "
        may["command"] = " base entra session directory flow command "
        may["module"] = may["httpd"]
    }
    FNR == 1 {
        parts = split(FILENAME, part, "/")
        layer = part[1] != "src" ? "module" : parts == 2 ? "command" : part[2]
        if (!(layer in may)) fault("src/" layer " is no layer that tests/guards/layers.sh knows")
    }
    { c_split($0) }
    TEXT !~ /^[ \t]*#[ \t]*include/ || !(layer in may) { next }
    {
        name = TEXT
        sub(/^[ \t]*#[ \t]*include(_next)?[ \t]*/, "", name)
        quote = substr(name, 1, 1)
        if (quote != "\"" && quote != "<") { fault("an include by macro hides what it includes"); next }
        name = substr(name, 2)
        sub(/[">].*/, "", name)
        last = name
        sub(/.*\//, "", last)
        folder = index(name, "/") ? substr(name, 1, index(name, "/") - 1) : ""
    }
    last ~ /^(httpd|scoreboard|mpm_common|unixd|os|(http|ap|mod|util)_[a-z0-9_]*)\.h$/ && !(quote == "\"" && folder in may) {
        if (layer != "httpd" && layer != "module") { fault("httpd header " name " outside src/httpd"); next }
    }
    quote == "<" {
        if (folder in may) fault("write our own " name " in quotes")
        next
    }
    name == "build_config.h" { next }
    folder == "" { fault("write " name " with its folder; headers of others stand in <>"); next }
    !(folder in may) || folder == "module" || name ~ /\/\.\.?\// { fault(name " is in no layer"); next }
    index(may[layer], " " folder " ") == 0 { fault(layer " may not include " name); next }
    layer == "session" && folder == "entra" && name !~ /\.h$/ { fault("session may use types of entra only, not " name) }
    ' "${files[@]}"
}

self_test() {
    local pair
    for pair in base:entra base:session base:flow base:httpd entra:session entra:flow entra:directory session:flow \
        session:directory session:httpd directory:entra directory:flow flow:httpd; do
        must_report "${pair%:*} includes ${pair#*:}" "^src/${pair%:*}/planted\.c:2: ${pair%:*} may not include ${pair#*:}/x\.h" \
            write "src/${pair%:*}/planted.c" '/* planted */' "#include \"${pair#*:}/x.h\""
    done
    must_report 'a command includes httpd/' '^src/planted\.c:1: ' write src/planted.c '#include "httpd/site.h"'
    must_report 'flow includes the command' '^src/flow/planted\.c:1: flow may not include' write src/flow/planted.c '#include "command/command.h"'
    must_report 'a header includes upward' '^src/base/planted\.h:1: ' write src/base/planted.h '#include "flow/flow.h"'
    must_report 'session includes a table of entra' '^src/session/planted\.c:1: ' write src/session/planted.c '#include "entra/aadsts.def"'
    must_report 'an include without folder' '^src/base/planted\.c:1: ' write src/base/planted.c '#include "seal.h"'
    must_report 'an include by a path upward' '^src/base/planted\.c:1: ' write src/base/planted.c ' #  include "../flow/flow.h"'
    must_report 'a path upward behind a layer' '^src/base/planted\.c:1: ' write src/base/planted.c '#include "base/../flow/flow.h"'
    must_report 'our own header in <>' '^src/base/planted\.c:1: ' write src/base/planted.c '#include <base/seal.h>'
    must_report 'an include by macro' '^src/base/planted\.c:1: ' write src/base/planted.c '#include FLOW'
    must_report 'an unknown layer' '^src/odd/planted\.c:1: src/odd is no layer' write src/odd/planted.c '#include "base/seal.h"'
    local header
    for header in httpd.h http_log.h ap_mpm.h mod_auth.h util_script.h scoreboard.h apache2/http_core.h; do
        must_report "httpd's $header in flow" '^src/flow/planted\.c:1: httpd header' write src/flow/planted.c "#include <$header>"
    done
    must_accept 'what is allowed' write src/flow/planted.c '#include "build_config.h"' '#include "flow/flow.h"' \
        '#include <apr_strings.h>' '#include "base/http.h" /* ours */' '#include "session/record.h"' '/* #include "httpd/site.h" */'
    must_accept "httpd's headers in src/httpd" write src/httpd/planted.c '#include <httpd.h>' '#include "httpd/site.h"'
}

guard_main "$@"
