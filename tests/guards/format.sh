#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The C of src/, tests/unit/ and mod_entra_sso.c is as clang-format 14 writes it (other versions differ: skipped). Tables (.def)
# stay outside, and what stands under "clang-format off". Files that are not there yet: format.pending.
. "$(dirname "$0")/common.bash"
reads='^(src/base/url|tests/guards/format|\.clang-format)'

list=tests/guards/format.pending

formatter() {
    local name
    for name in clang-format-14 clang-format; do
        if "$name" --version 2>/dev/null | grep -E 'version 14\.' >/dev/null; then
            echo "$name"
            return 0
        fi
    done
    return 1
}

guard() {
    local tool files said
    tool=$(formatter) || skip 'clang-format 14 is not installed'
    mapfile -t files < <(project_files | grep -E '^((src|tests/(unit|fuzz))/.*\.[ch]|mod_entra_sso\.c)$')
    # Its code is 0 with --dry-run whatever it finds; anything else is trouble of its own.
    said=$(printf '%s\n' "${files[@]}" | xargs -n 12 -P "$(nproc)" "$tool" --dry-run --style=file 2>&1) || { echo "$said"; return 1; }
    list_entries "$list" | awk -v list="$list" '
    FILENAME == "-" { pending[$2] = 1; at[$2] = $1; next }
    / code should be clang-formatted / {
        split($1, place, ":")
        file = place[1]
        if (!(file in first) || place[2] + 0 < first[file]) first[file] = place[2] + 0
        lines[file] += !((file, place[2]) in seen)
        seen[file, place[2]] = 1
    }
    END {
        for (file in first) if (!(file in pending)) print file ":" first[file] ": is not as clang-format writes it, in " lines[file] " places"
        for (file in pending) if (!(file in first)) print list ":" at[file] ": " file " is formatted or gone; take it off the list"
    }
    ' - <(printf '%s\n' "$said") || return 1
    only_shrinks "$list"
}

bad='int  planted(void);'
bad_file() { write src/base/planted.c "$bad"; }

self_test() {
    : >"$pristine/$list"
    last_committed() { return 1; }
    take_baseline
    must_report 'a file of another form' '^src/base/planted\.c:1: is not as clang-format' bad_file
    must_report 'a test of another form' '^tests/unit/planted\.h:1: ' write tests/unit/planted.h "$bad"
    must_report 'the place in the file' '^src/base/planted\.c:3: .* in 1 places' write src/base/planted.c '/* a */' 'int x;' "$bad"
    must_accept 'what is under clang-format off' write src/base/planted.c '/* clang-format off */' "$bad"
    must_accept 'a table' write src/base/planted.def "$bad"
    must_accept 'a file on the list' eval 'bad_file; append "$list" src/base/planted.c'
    must_report 'a formatted file on the list' "^$list:1: src/base/planted\.c is formatted" \
        eval 'write src/base/planted.c "int planted(void);"; append "$list" src/base/planted.c'
    must_report 'a file on the list that is gone' "^$list:1: src/base/planted\.c is formatted or gone" append "$list" src/base/planted.c
    last_committed() { echo src/base/other.c; }
    must_report 'a list that grows' "^$list:1: src/base/planted\.c is new" eval 'bad_file; append "$list" src/base/planted.c'
}

guard_main "$@"
