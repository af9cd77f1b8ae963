#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One log number, one place, one meaning: the numbers of reasons.def and the ENTRAnnnn of the source are four digits and unique.
# ENTRA1000 is reserved for good.
. "$(dirname "$0")/common.bash"
reads='^(src/|mod_entra_sso)'

guard() {
    local files
    mapfile -t files < <(module_files)
    awk "$C_AWK"'
    # number is text: 0999 and 999 are not the same.
    function take(number) {
        if (number !~ /^[1-9][0-9][0-9][0-9]$/) fault("number " number " has not four digits")
        if (number == "1000") fault("number 1000 is reserved")
        if (number in place) fault("number " number " is taken by " place[number])
        else place[number] = FILENAME ":" FNR
    }
    { c_split($0) }
    FILENAME == "src/base/reasons.def" && TEXT ~ /[^ \t]/ {
        if (TEXT !~ /^REASON\([A-Z0-9_]+, [0-9]+, /) { fault("a row does not begin with REASON(NAME, number, "); next }
        rows++
        number = TEXT
        sub(/^[^,]*, /, "", number)
        sub(/,.*/, "", number)
        take(number)
    }
    {
        rest = TEXT
        while (match(rest, /ENTRA[0-9]+/)) {
            take(substr(rest, RSTART + 5, RLENGTH - 5) "")
            rest = substr(rest, RSTART + RLENGTH)
        }
    }
    END { if (rows == 0) print "src/base/reasons.def:1: has no reasons" }
    ' "${files[@]}"
}

self_test() {
    local reasons=src/base/reasons.def first
    first=$(sed -n 's/^REASON([A-Z0-9_]*, \([0-9]*\),.*/\1/p' "$pristine/$reasons" | head -n 1)
    must_report 'a number of two reasons' "^$reasons:[0-9]+: number $first is taken" append "$reasons" "REASON(PLANTED, $first, CLIENT, 400, INFO, RETRY, \"x\")"
    must_report 'a literal of a reason' "^src/httpd/planted\.c:1: number $first is taken by $reasons" write src/httpd/planted.c "log(\"ENTRA$first: x\");"
    must_report 'a literal twice' '^src/httpd/planted\.c:2: number 9876 is taken by src/httpd/planted\.c:1' \
        write src/httpd/planted.c 'log("ENTRA9876: x");' 'log("ENTRA9876: y");'
    must_report 'a literal twice in one line' '^src/httpd/planted\.c:1: number 9876' write src/httpd/planted.c 'log("ENTRA9876 ENTRA9876");'
    must_report 'a literal of three digits' '^src/httpd/planted\.c:1: number 987 ' write src/httpd/planted.c 'log("ENTRA987: x");'
    must_report 'a literal of five digits' '^src/httpd/planted\.c:1: number 98765 ' write src/httpd/planted.c 'log("ENTRA98765: x");'
    must_report 'a literal that begins with 0' '^src/httpd/planted\.c:1: number 0987 ' write src/httpd/planted.c 'log("ENTRA0987: x");'
    must_report 'a reason of five digits' "^$reasons:[0-9]+: number 10000 " append "$reasons" 'REASON(PLANTED, 10000, CLIENT, 400, INFO, RETRY, "x")'
    must_report 'a reason of number 1000' "^$reasons:[0-9]+: number 1000 is reserved" append "$reasons" 'REASON(PLANTED, 1000, CLIENT, 400, INFO, RETRY, "x")'
    must_report 'a literal 1000' '^src/httpd/planted\.c:1: number 1000 is reserved' write src/httpd/planted.c 'log("ENTRA1000: x");'
    must_report 'a row of another form' "^$reasons:[0-9]+: a row" append "$reasons" 'REASON (PLANTED, 9876)'
    must_report 'a table without rows' "^$reasons:1: has no reasons" write "$reasons" '/* nothing */'
    must_accept 'numbers in comments, and a format' write src/httpd/planted.c "/* ENTRA$first */ print(\"ENTRA%04d\");"
}

guard_main "$@"
