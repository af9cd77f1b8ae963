#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One vendor, one file: each library is included by its one .c, behind a header that speaks only APR and our types.
. "$(dirname "$0")/common.bash"
reads='^(src/|mod_entra_sso)'

guard() {
    local files
    mapfile -t files < <(module_files)
    awk "$C_AWK"'
    BEGIN {
        home["jansson"] = "src/base/json.c"
        home["cjose"] = "src/entra/jwt.c"
        home["curl"] = "src/base/http.c"
        home["openssl"] = "src/base/crypto.c"
        home["apr_dbd"] = "src/session/database.c"
    }
    { c_split($0) }
    TEXT !~ /^[ \t]*#[ \t]*include/ { next }
    {
        name = TEXT
        sub(/^[ \t]*#[ \t]*include(_next)?[ \t]*["<]/, "", name)
        vendor = name ~ /^jansson[a-z_]*\.h/ ? "jansson" : name ~ /^apr_dbd\.h/ ? "apr_dbd" : name ~ /^(cjose|curl|openssl)\// ? substr(name, 1, index(name, "/") - 1) : ""
        if (vendor == "") next
        if (FILENAME == home[vendor]) seen[vendor] = 1
        else fault(vendor " belongs to " home[vendor] " alone")
    }
    END {
        for (vendor in home) if (!(vendor in seen)) print home[vendor] ":1: does not include " vendor ", whose one file it is"
    }
    ' "${files[@]}"
}

self_test() {
    local header
    for header in jansson.h jansson_config.h cjose/jws.h curl/curl.h openssl/evp.h apr_dbd.h; do
        must_report "$header in a second file" '^src/flow/planted\.c:1: ' write src/flow/planted.c "#include <$header>"
    done
    must_report 'a vendor in a header' '^src/base/json\.h:[0-9]+: jansson' append src/base/json.h '#include <jansson.h>'
    must_report 'a vendor in the other vendor file' '^src/base/crypto\.c:[0-9]+: curl' append src/base/crypto.c '#include "curl/curl.h"'
    must_report 'a vendor that has left its file' '^src/entra/jwt\.c:1: does not include cjose' replace src/entra/jwt.c '/cjose\//d'
    must_accept 'a vendor in a comment' append src/base/url.c '/* #include <curl/curl.h> */'
}

guard_main "$@"
