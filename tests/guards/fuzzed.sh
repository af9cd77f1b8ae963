#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every reader of foreign bytes is fuzzed, or docs/fuzzing.md says why not; every target is built, has a corpus, and stands in docs/fuzzing.md.
. "$(dirname "$0")/common.bash"
reads='^(src/|mod_entra_sso|tests/fuzz/|docs/fuzzing\.md)'

# What a function that reads something is called.
readers='sso_([a-z0-9_]*_)?(parse|read|open|unpack|unseal|decode|redeem|code_from)(_[a-z0-9_]*)?\('
doc=docs/fuzzing.md
makefile=tests/fuzz/local.mk

guard() {
    local file subject folder
    [ -f "$doc" ] || { echo "$doc:1: is missing"; return 0; }
    # Headers tell the functions that others call. The command reads nothing but its words, and files as the core does.
    while IFS= read -r file; do
        file=${file#src/}
        grep -E "(^|[^a-z/])${file%.h}\.c\`" "$doc" >/dev/null || echo "src/$file:1: reads something, and $doc names no target of ${file%.h}.c, nor why there is none"
    done < <(grep -lE "$readers" src/*/*.h | grep -v "^src/command/")
    # What the document names is there.
    grep -oE '`[a-z]+/[a-z_]+\.c`' "$doc" | tr -d '`' | sort -u | while IFS= read -r file; do
        [ -f "src/$file" ] || echo "$doc:1: there is no src/$file"
    done
    while IFS= read -r subject; do
        folder=tests/fuzz/corpus/$subject
        [ -f "tests/fuzz/fuzz_$subject.c" ] || echo "tests/fuzz/targets.def:1: there is no tests/fuzz/fuzz_$subject.c"
        [ -n "$(ls "$folder" 2>/dev/null)" ] || echo "tests/fuzz/targets.def:1: $folder has no file"
        grep -E "^\| \`$subject\` \|" "$doc" >/dev/null || echo "$doc:1: has no row of the target $subject"
        grep -F "tests/fuzz/fuzz_$subject.c" "$makefile" >/dev/null || echo "$makefile:1: does not build $subject"
    done < <(sed -n 's/^TARGET(\(.*\))$/\1/p' tests/fuzz/targets.def)
    for file in tests/fuzz/fuzz_*.c; do
        subject=${file##*/fuzz_}
        grep -x "TARGET(${subject%.c})" tests/fuzz/targets.def >/dev/null || echo "$file:1: is not in tests/fuzz/targets.def"
    done
    for folder in tests/fuzz/corpus/*/; do
        subject=$(basename "$folder")
        [ -f "tests/fuzz/fuzz_$subject.c" ] || echo "$folder:1: is the corpus of no target"
    done
}

self_test() {
    must_report 'a reader without a target' '^src/base/planted\.h:1: reads something' write src/base/planted.h 'bool sso_planted_parse(const char *text);'
    must_accept 'a header that reads nothing' write src/base/planted.h 'bool sso_planted_print(const char *text);'
    must_accept 'a name that only begins like one' write src/base/planted.h 'bool sso_planted_is_openid(const char *text);'
    must_report 'a target that is not listed' '^tests/fuzz/fuzz_planted\.c:1: is not in' write tests/fuzz/fuzz_planted.c '/* */'
    must_report 'a target without its file' 'there is no tests/fuzz/fuzz_planted\.c' append tests/fuzz/targets.def 'TARGET(planted)'
    must_report 'a target that is not in the document' '^docs/fuzzing\.md:1: has no row of the target planted' append tests/fuzz/targets.def 'TARGET(planted)'
    must_report 'a target that is not built' '^tests/fuzz/local\.mk:1: does not build jwt' replace tests/fuzz/local.mk '/fuzz_jwt/d'
    must_report 'an empty corpus' 'tests/fuzz/corpus/jwt has no file' rm -r tests/fuzz/corpus/jwt
    must_report 'a corpus of nothing' '^tests/fuzz/corpus/planted/:1: is the corpus of no target' write tests/fuzz/corpus/planted/seed 'x'
    must_report 'a file that is gone' '^docs/fuzzing\.md:1: there is no src/entra/jwt\.c' rm src/entra/jwt.c
}

guard_main "$@"
