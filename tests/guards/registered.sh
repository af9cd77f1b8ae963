#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Nothing lies about unused: every test function is registered, every test program is in local.mk, every source file is in
# Makefile.am and has its test program.
. "$(dirname "$0")/common.bash"
reads='^(src/|tests/unit/|Makefile\.am)'

# Files of src/ without a unit test of their own name, whole folders with / at the end: httpd's half and the command are tested end to end; flow.c
# holds what its callers' tests (signin, signout, access, state) run through.
untested='
src/httpd/
src/command/
src/entra-sso.c
src/flow/flow.c
'

guard() {
    local tests
    mapfile -t tests < <(project_files | grep -E '^tests/unit/[^/]*\.c$')
    awk "$C_AWK"'
    function report(    name) { for (name in line) if (!(name in used)) print file ":" line[name] ": " name "() is not registered" }
    FNR == 1 { report(); split("", line); split("", used); file = FILENAME }
    { c_split($0) }
    {
        rest = CODE
        defined = ""
        if (match(rest, /^static void ([A-Z_]+ )?test_[A-Za-z0-9_]*\(/)) {
            defined = substr(rest, RSTART, RLENGTH - 1)
            sub(/.* /, "", defined)
            if (!(defined in line)) line[defined] = FNR
            rest = substr(rest, RSTART + RLENGTH)
        }
        while (match(rest, /[A-Za-z_][A-Za-z0-9_]*/)) {
            used[substr(rest, RSTART, RLENGTH)] = 1
            rest = substr(rest, RSTART + RLENGTH)
        }
    }
    END { report() }
    ' "${tests[@]}" || return 1

    # First the list of files, then the two makefiles, and at the end what is missing in them.
    project_files | grep -E '^(src/.*\.(c|h|def)|tests/unit/test_[^/]*\.c)$' | awk -v untested="${untested//$'\n'/ }" '
    BEGIN { count = split(untested, entry); for (i = 1; i <= count; i++) exempt[entry[i]] = 1 }
    FILENAME == "-" { there[$1] = 1; order[++files] = $1; next }
    FNR == 1 { list = "" }
    { sub(/#.*/, "") }
    # A list goes on behind a backslash.
    $2 ~ /^\+?=$/ { list = $1 }
    { for (i = 1; i <= NF; i++) named[list, $i] = built[$i] = 1 }
    !/\\$/ { list = "" }
    END {
        for (i = 1; i <= files; i++) {
            file = name = order[i]
            sub(/.*\//, "", name)
            sub(/\.c$/, "", name)
            if (file ~ /^tests\//) {
                # automake takes PROGRAM.c for the source of PROGRAM, unless it is told another.
                sources = "tests_unit_" name "_SOURCES"
                if (!(("UNIT_TESTS", "tests/unit/" name) in named)) print file ":1: is not in UNIT_TESTS of tests/unit/local.mk"
                else if (((sources, "=") in named) && !((sources, file) in named)) print file ":1: is not in " sources
                continue
            }
            if (!(file in built)) print file ":1: is not in Makefile.am"
            if (file !~ /\.c$/) continue
            if (name in owner) print file ":1: " name ".c is the name of " owner[name] " too"
            owner[name] = file
            folder = file
            sub(/[^\/]*$/, "", folder)
            tested = ("tests/unit/test_" name ".c") in there
            if (tested && file in exempt) print file ":1: has its test and needs no exception in tests/guards/registered.sh"
            if (!tested && !(file in exempt) && !(folder in exempt)) print file ":1: has no tests/unit/test_" name ".c"
        }
    }' - Makefile.am tests/unit/local.mk
}

self_test() {
    local test=tests/unit/test_url.c
    must_report 'a test that is not registered' "^$test:[0-9]+: test_planted\(\) is not registered" append "$test" 'static void test_planted(void **state)'
    must_report 'a test that is only declared' "^$test:[0-9]+: test_planted\(\) is not registered" \
        eval "append $test 'static void test_planted(void **state);'; append $test 'static void test_planted(void **state)'"
    must_report 'a test that only a comment registers' "^$test:[0-9]+: test_planted\(\) is not registered" \
        eval "append $test 'static void test_planted(void **state)'; append $test '// cmocka_unit_test(test_planted),'"
    must_report 'a test that another file registers' '^tests/unit/test_planted\.c:1: test_planted\(\) is not registered' \
        eval "write tests/unit/test_planted.c 'static void test_planted(void **state)'; append $test 'cmocka_unit_test(test_planted),'"
    must_accept 'a test that is registered' eval "append $test 'static void test_planted(void **state)'; append $test '    cmocka_unit_test(test_planted),'"
    must_report 'a program that is not run' '^tests/unit/test_planted\.c:1: is not in UNIT_TESTS' write tests/unit/test_planted.c '/* */'
    must_report 'a program of other sources' "^$test:1: is not in tests_unit_test_url_SOURCES" \
        append tests/unit/local.mk 'tests_unit_test_url_SOURCES = tests/unit/other.c'
    must_accept 'a program of several sources' append tests/unit/local.mk "tests_unit_test_url_SOURCES = tests/unit/other.c $test"
    must_report 'a source file that is not built' '^src/flow/planted\.c:1: is not in Makefile\.am' write src/flow/planted.c '/* */'
    must_report 'a source file in a comment only' '^src/flow/planted\.c:1: is not in Makefile\.am' \
        eval 'write src/flow/planted.c "/* */"; append Makefile.am "# src/flow/planted.c"'
    must_report 'a header that is not shipped' '^src/flow/planted\.h:1: is not in Makefile\.am' write src/flow/planted.h '/* */'
    must_report 'a source file without test' '^src/flow/planted\.c:1: has no tests/unit/test_planted\.c' write src/flow/planted.c '/* */'
    must_accept 'a file of httpd without test' eval 'write src/httpd/planted.c "/* */"; append Makefile.am "planted_SOURCES = src/httpd/planted.c"'
    must_report 'one name in two folders' '^src/[a-z]*/url\.c:1: url\.c is the name of src/' write src/flow/url.c '/* */'
    must_report 'an exception that needs none' '^src/flow/flow\.c:1: has its test' write tests/unit/test_flow.c '/* */'
}

guard_main "$@"
