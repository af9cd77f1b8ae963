#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each number of the configuration, ENTRA4nnn, which is no reason of reasons.def, is looked for by a test: tests/unit/*.c or
# tests/e2e/*.mjs.
. "$(dirname "$0")/common.bash"
reads='^(src/|mod_entra_sso|tests/(unit|e2e|guards)/)'

# Those that no test can provoke, "NUMBER why".
untested='
4030 an OpenSSL without AES-256-GCM or SHA-256 would have to be built
'

guard() {
    local code tests
    mapfile -t code < <(module_files)
    mapfile -t tests < <(project_files | grep -E '^tests/(unit/[^/]*\.c|e2e/[^/]*\.mjs)$')
    # The shapes in which tests write a number: ENTRA4001, the row of a table "4111: [..." and the element of one, "..., 4001, '...",
    # "..., 4041, {..." or "..., 4044, NAME...".
    awk -v self=tests/guards/complaints.sh:1 "$C_AWK"'
    function each(re, digits,    rest, number) {
        rest = TEXT
        while (match(rest, re)) {
            number = substr(rest, RSTART + digits, 4)
            rest = substr(rest, RSTART + RLENGTH)
            if (ours) { if (!(number in place)) place[number] = FILENAME ":" FNR }
            else tested[number] = 1
        }
    }
    FILENAME == "-" {
        if (NF > 0) excused[$1] = 1
        if (NF == 1) print self ": " $1 " has no reason why it is not tested"
        next
    }
    { ours = FILENAME !~ /^tests\// }
    !ours && /^[ \t]*(\/\/|\/\*|\*)/ { next }
    # A regular expression of JavaScript may hold quotes and slashes.
    FILENAME ~ /\.mjs$/ { TEXT = $0 }
    FILENAME !~ /\.mjs$/ { c_split($0) }
    { each("ENTRA4[0-9][0-9][0-9]", 5) }
    !ours { each(", 4[0-9][0-9][0-9], [{A-Z\047]", 2); each("  4[0-9][0-9][0-9]: \\[", 2) }
    END {
        for (number in place) {
            if (!(number in tested) && !(number in excused)) print place[number] ": no test looks for ENTRA" number
            if (number in tested && number in excused) print self ": " number " is tested and needs no exception any more"
        }
        for (number in excused) if (!(number in place)) print self ": there is no ENTRA" number
    }' - "${code[@]}" ${tests[@]+"${tests[@]}"} <<<"$untested"
}

planted() { append src/httpd/check.c 'x = "ENTRA4987: x";'; }
in_test() { planted && write "tests/$1" "$2"; }

self_test() {
    must_report 'a number without test' '^src/httpd/check\.c:[0-9]+: no test looks for ENTRA4987$' planted
    must_report 'a number that a test only mentions' 'no test looks for ENTRA4987$' in_test e2e/planted.test.mjs '  // ENTRA4987'
    must_report 'a number that a unit test only mentions' 'no test looks for ENTRA4987$' in_test unit/test_planted.c '/* ENTRA4987 */'
    must_report 'a number that is something else' 'no test looks for ENTRA4987$' in_test e2e/planted.test.mjs 'wait(4987); f(14987, 4987)'
    must_accept 'a number in a comment of the source' append src/httpd/check.c '/* ENTRA4987 */'
    local shape
    for shape in '/ENTRA4987: /' "}, 4987, 'EntraTenant', /x/]," "['x', 4987, { A: '' }]," "['x', 4987, SERVED]," "    4987: [{}, /x/],"; do
        must_accept "a number with the end-to-end test $shape" in_test e2e/planted.test.mjs "$shape"
    done
    must_accept 'a number with a unit test' in_test unit/test_planted.c 'x = "ENTRA4987";'
    must_report 'an exception that needs none' '4030 is tested' write tests/e2e/planted.test.mjs '/ENTRA4030/'
    untested=
    must_report 'an exception that is gone' '^src/httpd/check\.c:[0-9]+: no test looks for ENTRA4030$' true
    untested='4030 why'$'\n''4987 why'
    must_report 'an exception for nothing' 'there is no ENTRA4987$' true
    untested='4030'
    must_report 'an exception without a reason' '4030 has no reason' true
}

guard_main "$@"
