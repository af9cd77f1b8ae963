#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Small on purpose: at most 60 lines a function and 600 a file. Exceptions: size.allowed. Tables (.def) have no bound.
. "$(dirname "$0")/common.bash"
reads='^(src/|mod_entra_sso|tests/guards/size)'

list=tests/guards/size.allowed

sizes() { # "function|file path name line lines"
    local files tags
    mapfile -t files < <(module_files | grep -v '\.def$')
    tags=$(ctags -x --languages=C --langmap=C:.c.h --c-kinds=f --fields=+ne --_xformat='%N %F %n %e' "${files[@]}") || return 1
    awk '{ print "function", $2, $1, $3, NF < 4 ? 0 : $4 - $3 + 1 }' <<<"$tags"
    awk 'FNR == 1 && NR > 1 { print "file", last, "-", 1, lines } { last = FILENAME; lines = FNR } END { print "file", last, "-", 1, lines }' "${files[@]}"
}

guard() {
    ctags --version 2>/dev/null | grep 'Universal Ctags' >/dev/null || skip 'universal-ctags is not installed'
    local found
    found=$(sizes) || return 1
    list_entries "$list" | awk -v list="$list" '
    FILENAME == "-" {
        if ($3 !~ /^[0-9]+$/ || NF < 4) print list ":" $1 ": is not \"file[:function] LINES why\""
        bound[$2] = $3 + 0
        at[$2] = $1
        next
    }
    {
        key = $1 == "file" ? $2 : $2 ":" $3
        usual = $1 == "file" ? 600 : 60
        what = $1 == "file" ? "the file" : $3 "()"
        most = key in bound ? bound[key] : usual
        if (key in bound) {
            seen[key] = 1
            if ($5 <= usual) print list ":" at[key] ": " key " needs no exception any more"
        }
        if ($5 == 0) print $2 ":" $4 ": ctags finds no end of " what
        else if ($5 > most) print $2 ":" $4 ": " what " has " $5 " lines, at most " most
    }
    END { for (key in bound) if (!(key in seen)) print list ":" at[key] ": there is no " key }
    ' - <(printf '%s\n' "$found") || return 1
    only_shrinks "$list"
}

# long_function FILE LINES
long_function() {
    {
        printf 'int planted(void);\nint planted(void)\n{\n'
        awk -v n="$(($2 - 4))" 'BEGIN { for (i = 0; i < n; i++) print "    sso_nothing();" }'
        printf '    return 0;\n}\n'
    } >"$1"
}
long_file() { awk -v n="$2" 'BEGIN { for (i = 0; i < n; i++) print "/* a line */" }' >"$1"; }
exempt() { long_function src/base/planted.c "$1" && append "$list" "src/base/planted.c:planted $2 because"; }

self_test() {
    must_report 'a function of 61 lines' '^src/base/planted\.c:2: planted\(\) has 61 lines' long_function src/base/planted.c 61
    must_report 'a function of 61 lines in a header' '^src/base/planted\.h:2: planted\(\)' long_function src/base/planted.h 61
    must_accept 'a function of 60 lines' long_function src/base/planted.c 60
    must_report 'a file of 601 lines' '^src/base/planted\.c:1: the file has 601 lines' long_file src/base/planted.c 601
    must_accept 'a file of 600 lines' long_file src/base/planted.c 600
    must_accept 'a table of 2000 lines' long_file src/base/planted.def 2000
    # Nothing may be new in the copy's list, whatever this tree's last commit says.
    last_committed() { return 1; }
    must_accept 'an exception that is needed' exempt 70 75
    must_report 'growth beyond an exception' 'planted\(\) has 76 lines, at most 75' exempt 76 75
    must_report 'an exception that is not needed' "^$list:[0-9]+: src/base/planted\.c:planted needs no exception" exempt 60 75
    must_report 'an exception for nothing' "^$list:[0-9]+: there is no src/base/none\.c" append "$list" 'src/base/none.c 700 because'
    must_report 'an exception without a reason' "^$list:[0-9]+: is not" append "$list" 'src/base/none.c 700'
    last_committed() { echo 'src/base/other.c 700 because'; }
    must_report 'a list that grows' "^$list:[0-9]+: src/base/planted\.c:planted is new" exempt 70 75
}

guard_main "$@"
