#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every header compiles alone; those of the core without httpd's headers in reach.
. "$(dirname "$0")/common.bash"
reads='^src/(base/(url|result|reasons)|httpd/scrub\.h)'

# The value of a variable of the built Makefile.
setting() { sed -n "s/^$1 = *//p" "$BUILDDIR/Makefile"; }

guard() {
    local cc flags httpd headers header group out code
    [ -f "$BUILDDIR/Makefile" ] || { echo "Makefile:1: there is none in the build folder: run configure"; return 0; }
    read -ra cc <<<"$CC"
    read -ra flags <<<"$(setting APR_CPPFLAGS)"
    read -ra httpd <<<"$(setting HTTPD_CPPFLAGS)"
    out=$(mktemp -d "${TMPDIR:-/tmp}/headers.XXXXXX") || return 1
    # shellcheck disable=SC2064 # the folder as it is now
    trap "rm -rf '$out'" EXIT
    mkdir "$out/core" "$out/httpd"
    mapfile -t headers < <(project_files | grep -E '^src/.*\.h$')
    for header in "${headers[@]}"; do
        group=core
        if [[ $header = src/httpd/* ]]; then group=httpd; fi
        # Not the header itself: `#pragma once` in the file that is compiled is a warning that cannot be switched off.
        echo "#include \"${header#src/}\"" >"$out/$group/$(tr / _ <<<"${header#src/}").c"
    done
    flags=(-std=gnu11 -fsyntax-only -Werror=implicit-function-declaration -I src -I "$BUILDDIR" "${flags[@]}")
    for group in core httpd; do
        [ "$group" = core ] || flags+=("${httpd[@]}")
        code=0
        find "$out/$group" -name '*.c' -print0 |
            xargs -0 -r -n 5 -P "$(nproc)" "${cc[@]}" "${flags[@]}" -x c >"$out/said" 2>&1 || code=$?
        if [ "$code" != 0 ]; then
            grep -E ' (fatal )?error: ' "$out/said" | sed "s,^$out/[a-z]*/,," | sort -u || head -n 1 "$out/said"
        fi
    done
}

self_test() {
    must_report 'a type that is not included' "^src/base/planted\.h:1:.*unknown type name" write src/base/planted.h 'size_t planted(void);'
    must_report 'a function that is not declared' '^src/base/planted\.h:1:.*implicit declaration' \
        write src/base/planted.h 'static inline int planted(void) { return strange(); }'
    must_report 'a header that is not there' '^src/base/planted\.h:1:.*none\.h' write src/base/planted.h '#include "base/none.h"'
    must_report "httpd's header in the core" '^src/flow/planted\.h:1:.*httpd\.h' write src/flow/planted.h '#include <httpd.h>'
    must_accept "httpd's header in src/httpd" write src/httpd/planted.h '#pragma once' '#include <httpd.h>' 'int planted(request_rec *r);'
    must_accept 'a header that stands alone' write src/base/planted.h '#pragma once' '#include "base/url.h"' 'size_t planted(void);'
    local BUILDDIR=$work/none
    must_report 'no build' '^Makefile:1: there is none' true
}

guard_main "$@"
