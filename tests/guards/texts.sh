#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What every text of the project keeps to: no tabs and no trailing blanks, the licence in the first line, no paths of one
# machine, no words that promise more work.
. "$(dirname "$0")/common.bash"
reads='^(src/base/|tests/(e2e/harness|lib/|unit/local|run|chroot)|Makefile\.am|configure\.ac|quickstart)'

# The words, written so that this file does not say them.
marks='T[O]DO|F[I]XME|X[X]X|H[A]CK'
phrases='not[ ]implemented|for[ ]now|s[i]mplified|p[l]aceholder|s[t]ubbed'

# Code by its name, and scripts by their first line; makefiles need their tabs.
code_files() {
    local files
    mapfile -t files < <(project_files)
    printf '%s\n' "${files[@]}" | grep -E '\.(c|h|def|mjs|sh|bash|awk)$'
    printf '%s\n' "${files[@]}" | grep -vE '\.[a-z]+$' | xargs awk 'FNR == 1 { if (/^#!/ && !/make/) print FILENAME } FNR > 1 { nextfile }'
}

guard() {
    local code texts here
    mapfile -t code < <(code_files | sort -u)
    awk '
    function fault(what) { print FILENAME ":" FNR ": " what }
    FNR == 1 { want = 1; script = /^#!/; if (script) want = 2 }
    FNR == want && !/SPDX-License-Identifier: Apache-2\.0/ { fault("the SPDX line is missing") }
    /\t/ { fault("a tab") }
    /[ \t\r]$/ { fault("a blank at the end") }
    ' "${code[@]}" || return 1
    # A file of one line or none has no second line to look at.
    for here in "${code[@]}"; do [ -s "$here" ] || echo "$here:1: the SPDX line is missing"; done

    mapfile -t texts < <(project_files | grep -vE '(^|/)(package-lock\.json|LICENSE)$|\.png$')
    grep -nHwE "$marks" "${code[@]}" Makefile.am configure.ac tests/unit/local.mk | sed -E "s/^([^:]*:[0-9]+):.*/\1: a word that promises more work/"
    grep -nHiwE "$phrases" "${code[@]}" Makefile.am configure.ac tests/unit/local.mk | sed -E "s/^([^:]*:[0-9]+):.*\<($phrases)\>.*/\1: '\2' promises more work/I"

    # SCIM has a path of the same name as the homes of one system. The home of "newcomer" is in the bare system that tests/chroot makes. [h] keeps this file from matching itself.
    grep -nHIE "(^|[^A-Za-z0-9_.%/-]|-[A-Za-z]|file://)/(home|work|root|Users)/[A-Za-z0-9._-]" "${texts[@]}" |
        grep -vE '^tests/chroot:[0-9]+:.*[^A-Za-z0-9]/[h]ome/newcomer/' |
        grep -vE '^(src/directory/|tests/(e2e|emulator|unit)/|docs/)[^:]*:[0-9]+:.*/[U]sers/' |
        sed -E 's/^([^:]*:[0-9]+):.*/\1: a path of one machine/'
    grep -nHIF -- "$SRCDIR/" "${texts[@]}" | sed -E 's/^([^:]*:[0-9]+):.*/\1: the path of this checkout/'
    return 0
}

self_test() {
    local file=src/base/planted.c spdx='/* SPDX-License-Identifier: Apache-2.0 */' word
    must_report 'a tab' "^$file:2: a tab" write "$file" "$spdx" $'int\tx;'
    must_report 'a blank at the end' "^$file:2: a blank at the end" write "$file" "$spdx" 'int x; '
    must_report 'a DOS line end' "^$file:2: a blank at the end" write "$file" "$spdx" $'int x;\r'
    for file in src/base/planted.c src/base/planted.h src/base/planted.def tests/e2e/planted.mjs tests/lib/planted.sh; do
        must_report "no licence in $file" "^$file:1: the SPDX line is missing" write "$file" 'x' "$spdx"
    done
    must_report 'no licence in a script' '^tests/planted:2: the SPDX line is missing' write tests/planted '#!/bin/bash' 'x'
    must_report 'an empty file' '^src/base/planted\.h:1: the SPDX line is missing' eval ': >src/base/planted.h'
    must_accept 'the tabs of a makefile' write tests/planted '#!/usr/bin/make -f' $'all:\n\ttrue'
    must_accept 'a script with its licence' write tests/planted '#!/bin/bash' '# SPDX-License-Identifier: Apache-2.0' 'x'
    file=src/base/planted.c
    for word in T-ODO F-IXME X-XX H-ACK 'not implem-ented' 'f-or now' 'simp-lified' 'placeh-older' 'stub-bed' 'Not Imple-mented'; do
        must_report "the words ${word/-/}" "^$file:2: .*promises more work" write "$file" "$spdx" "/* ${word/-/} */"
    done
    must_report 'such a word in a script' '^tests/planted:3: a word that promises' write tests/planted '#!/bin/sh' "$spdx" "# T""ODO: x"
    must_accept 'a template of mktemp' write "$file" "$spdx" 'x = "/tmp/a.X''XXXXX";'
    for word in home work root Users; do
        must_report "a path in /$word" "^$file:2: a path of one machine" write "$file" "$spdx" "x = \"/$word/someone/a\";"
        must_report "a path in /$word in prose" '^docs/planted\.md:1: a path of one machine' write docs/planted.md "see /$word/someone/a"
    done
    must_report 'a path behind an option' "^$file:2: a path of one machine" write "$file" "$spdx" "/* -I/$word/someone/a */"
    must_accept 'a path of a URL' write "$file" "$spdx" 'x = "https://example.com/home/a" "/app/desk/b" "$root/home/c";'
    must_report 'the path of the checkout' "^$file:2: the path of this checkout" eval "printf '%s\n' '$spdx' \"\$PWD/x\" >$file"
}

guard_main "$@"
