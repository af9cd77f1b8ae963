#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The module shows one symbol, entra_sso_module; the core needs none of httpd's.
. "$(dirname "$0")/common.bash"
reads='^mod_entra_sso'

guard() {
    local module=$BUILDDIR/.libs/mod_entra_sso.so core=$BUILDDIR/.libs/libentra.a symbols name
    if [ ! -f "$module" ] || [ ! -f "$core" ]; then
        echo "Makefile.am:1: the build folder has no .libs/mod_entra_sso.so and .libs/libentra.a: run make"
        return 0
    fi
    symbols=$(nm -D --defined-only "$module") || return 1
    symbols=$(awk '{ print $NF }' <<<"$symbols")
    for name in $symbols; do
        [ "$name" = entra_sso_module ] || echo "mod_entra_sso.c:1: the module exports $name"
    done
    grep -x entra_sso_module <<<"$symbols" >/dev/null || echo "mod_entra_sso.c:1: the module does not export entra_sso_module"
    symbols=$(nm -A -u "$core") || return 1
    awk '$NF ~ /^ap_/ { member = $1; sub(/:$/, "", member); sub(/.*:/, "", member); print "Makefile.am:1: " member " of libentra.la needs " $NF }' <<<"$symbols"
}

# build_with CORE MODULE: a build folder from two pieces of C.
build_with() {
    local cc
    read -ra cc <<<"$CC"
    mkdir -p "$BUILDDIR/.libs"
    rm -f "$BUILDDIR"/.libs/*
    echo "$1" | "${cc[@]}" -x c -c -o "$BUILDDIR/core.o" - && ar rc "$BUILDDIR/.libs/libentra.a" "$BUILDDIR/core.o" &&
        echo "$2" | "${cc[@]}" -x c -shared -fPIC -o "$BUILDDIR/.libs/mod_entra_sso.so" -
}

self_test() {
    local BUILDDIR=$work/build good='int entra_sso_module = 1;'
    build_with 'int core;' "$good"
    take_baseline
    [ -z "$baseline" ] || self_test_says "reported though it was good: $baseline"
    must_report 'a second symbol' '^mod_entra_sso\.c:1: the module exports planted$' build_with 'int core;' "$good int planted(void) { return 1; }"
    must_report 'a module without its symbol' '^mod_entra_sso\.c:1: the module does not export entra_sso_module$' build_with 'int core;' 'static int x = 1; int *p(void); '
    must_report "a call of httpd's in the core" '^Makefile\.am:1: core\.o of libentra\.la needs ap_planted$' \
        build_with 'int ap_planted(void); int core(void); int core(void) { return ap_planted(); }' "$good"
    must_accept 'a call of APR in the core' build_with 'int apr_planted(void); int core(void); int core(void) { return apr_planted(); }' "$good"
    must_report 'no build' '^Makefile\.am:1: the build folder has no' rm -r "$BUILDDIR/.libs"
}

guard_main "$@"
