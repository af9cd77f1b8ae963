#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every reason of reasons.def is given somewhere in src/ and provoked by a test: SSO_R_NAME in tests/unit/*.c, or its number in
# tests/e2e/*.mjs. Exceptions, with why: reasons.untested.
. "$(dirname "$0")/common.bash"
reads='^(src/|mod_entra_sso|tests/(unit|e2e|guards)/)'

list=tests/guards/reasons.untested

# What the source and the tests name: "used NAME", "unit NAME", "e2e NUMBER".
named() {
    local code tests ends
    mapfile -t code < <(module_files)
    mapfile -t tests < <(project_files | grep -E '^tests/unit/[^/]*\.c$')
    mapfile -t ends < <(project_files | grep -E '^tests/e2e/[^/]*\.mjs$')
    awk "$C_AWK"'
    { c_split($0) }
    {
        rest = CODE
        while (match(rest, /SSO_R_[A-Z0-9_]+/)) {
            print FILENAME ~ /^tests\// ? "unit" : "used", substr(rest, RSTART + 6, RLENGTH - 6)
            rest = substr(rest, RSTART + RLENGTH)
        }
    }' "${code[@]}" ${tests[@]+"${tests[@]}"} || return 1
    [ "${#ends[@]}" -gt 0 ] || return 0
    # The shapes in which these tests write a number: ENTRA1204, ENTRA104[12], the row of a table "name: [1204, ...",
    # "name: [[1202, 1204], ...", and a number beside its HTTP status "400, 1301" or "1310, 403".
    awk '
    function give(text) { if (text ~ /^[1-9][0-9][0-9][0-9]$/) print "e2e", text }
    function each(text,    rest) {
        rest = text
        while (match(rest, /[0-9]+/)) { give(substr(rest, RSTART, RLENGTH)); rest = substr(rest, RSTART + RLENGTH) }
    }
    function find(re,    rest, found) {
        rest = $0
        while (match(rest, re)) {
            found = substr(rest, RSTART, RLENGTH)
            rest = substr(rest, RSTART + RLENGTH)
            each(found) # after that, RSTART is another
        }
    }
    /^[ \t]*(\/\/|\/\*|\*)/ { next }
    {
        find("ENTRA[0-9]+")
        find(": \\[\\[?[0-9]+[],][0-9, ]*")
        find("(^|[^0-9.])[2-5][0-9][0-9], [0-9]+")
        find("[0-9]+, [2-5][0-9][0-9]([^0-9.]|$)")
        rest = $0
        while (match(rest, /ENTRA[0-9]+\[[0-9]+\]/)) {
            stem = digits = substr(rest, RSTART + 5, RLENGTH - 6)
            sub(/\[.*/, "", stem)
            sub(/.*\[/, "", digits)
            for (i = 1; i <= length(digits); i++) give(stem substr(digits, i, 1))
            rest = substr(rest, RSTART + RLENGTH)
        }
    }' "${ends[@]}"
}

guard() {
    local found
    found=$(named) || return 1
    list_entries "$list" | awk -v list="$list" -v table=src/base/reasons.def '
    FILENAME == "-" {
        if (NF < 3) print list ":" $1 ": " $2 " has no reason why it is not tested"
        if ($2 in at) print list ":" $1 ": " $2 " stands twice"
        at[$2] = $1
        next
    }
    $1 == "used" || $1 == "unit" || $1 == "e2e" { named[$1, $2] = 1; next }
    /^REASON\(/ {
        split($0, field, /[(,] */)
        name = field[2]
        known[name] = 1
        if (!(("used", name) in named)) print table ":" FNR ": nothing in src/ gives SSO_R_" name
        tested = (("unit", name) in named) || (("e2e", field[3]) in named)
        if (!tested && !(name in at)) print table ":" FNR ": no test provokes " name " (ENTRA" field[3] ")"
        if (tested && name in at) print list ":" at[name] ": " name " is tested and needs no exception any more"
    }
    END { for (name in at) if (!(name in known)) print list ":" at[name] ": there is no reason " name }
    ' - <(printf '%s\n' "$found") src/base/reasons.def || return 1
    only_shrinks "$list"
}

add_reason() { append src/base/reasons.def 'REASON(PLANTED, 9876, CLIENT, 400, INFO, RETRY, "x")'; }
use_reason() { add_reason && append src/flow/flow.c 'x = SSO_R_PLANTED;'; }
test_reason() { use_reason && append tests/unit/test_url.c 'x = SSO_R_PLANTED;'; }
in_e2e() { use_reason && write tests/e2e/planted.test.mjs "$1"; }

self_test() {
    must_report 'a reason that nothing gives' '^src/base/reasons\.def:[0-9]+: nothing in src/ gives SSO_R_PLANTED$' add_reason
    must_report 'a reason that only a comment gives' 'nothing in src/ gives SSO_R_PLANTED$' eval 'add_reason; append src/flow/flow.c "/* SSO_R_PLANTED */"'
    must_report 'a reason that a longer name gives' 'nothing in src/ gives SSO_R_PLANTED$' eval 'add_reason; append src/flow/flow.c "SSO_R_PLANTED_2"'
    must_report 'a reason without test' '^src/base/reasons\.def:[0-9]+: no test provokes PLANTED \(ENTRA9876\)' use_reason
    must_report 'a reason that a test only mentions' 'no test provokes PLANTED' eval 'use_reason; append tests/unit/test_url.c "/* SSO_R_PLANTED */"'
    must_report 'a number that a test only mentions' 'no test provokes PLANTED' in_e2e '  // ENTRA9876'
    must_report 'a number that is something else' 'no test provokes PLANTED' in_e2e 'wait(9876); for (const n of [800, 9876, 19876])'
    local shape
    must_accept 'a reason with a unit test' test_reason
    for shape in '/ENTRA9876:/' '/ENTRA987[67]/' "'a case': [9876, {}]," "'a case': [[1204, 9876], {}]," 'assertPage(site, page.response, 400, 9876);' \
        "['access_denied', 9876, 403],"; do
        must_accept "a reason with the end-to-end test $shape" in_e2e "$shape"
    done
    last_committed() { return 1; }
    must_accept 'an exception with a reason' eval 'use_reason; append "$list" "PLANTED the clock would have to stop"'
    must_report 'an exception that needs none' "^$list:[0-9]+: PLANTED is tested" eval 'test_reason; append "$list" "PLANTED the clock would have to stop"'
    must_report 'an exception without a reason' "^$list:[0-9]+: PLANTED has no reason" eval 'use_reason; append "$list" PLANTED'
    must_report 'an exception for nothing' "^$list:[0-9]+: there is no reason PLANTED" append "$list" 'PLANTED because'
    last_committed() { echo 'OTHER because'; }
    must_report 'a list that grows' "^$list:[0-9]+: PLANTED is new" eval 'use_reason; append "$list" "PLANTED the clock would have to stop"'
}

guard_main "$@"
