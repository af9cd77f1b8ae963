#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The page of recipes, the configurations and the tests are one: every configuration of conf.d is in the page and run by a test; every
# block of the page stands so in the file that its section links first; what the Dockerfile copies is in the tree.
. "$(dirname "$0")/common.bash"
# shellcheck disable=SC2034 # for common.bash
reads='^(conf\.d/|docs/recipes\.md$|packaging/docker/|tests/(e2e|legacy)/.*\.test\.mjs$)'

page=docs/recipes.md

check_blocks() {
    # shellcheck disable=SC2016 # awk's own $
    awk -v page="$page" '
    function trim(s) { gsub(/^[ \t]+|[ \t]+$/, "", s); return s }
    # The lines of a file, trimmed, with marks between them.
    function content(name,    line, all) {
        if (name in files) return files[name]
        all = "\001"
        while ((getline line < name) > 0) all = all trim(line) "\001"
        close(name)
        files[name] = all
        return all
    }
    /^## / { file = "" }
    file == "" && match($0, /conf\.d\/[a-z-]+\.conf/) { file = substr($0, RSTART, RLENGTH) }
    /^```apache(conf)?$/ { inside = 1; block = "\001"; first = FNR; next }
    /^```/ && inside {
        inside = 0
        if (file == "") print page ":" first ": a block of no configuration"
        else if (!index(content(file), block)) print page ":" first ": this is not in " file
        next
    }
    inside { block = block trim($0) "\001" }' "$page"
}

guard() {
    local file name
    check_blocks
    for file in conf.d/*.conf; do
        name=$(basename "$file" .conf)
        grep -qF "(../conf.d/$name.conf)" "$page" || echo "$page:1: $file is not in the page"
        grep -qE "(withRecipe|startRecipe)\('$name'" tests/e2e/*.test.mjs tests/legacy/*.test.mjs || echo "$file:1: no test runs it"
    done
    # The first word behind COPY, unless it comes from another stage.
    awk '$1 == "COPY" && $2 !~ /^--/ { print FNR, $2 }' packaging/docker/Dockerfile | while read -r line name; do
        [ -e "$name" ] || echo "packaging/docker/Dockerfile:$line: there is no $name"
    done
}

self_test() {
    must_report 'a block that differs' '^docs/recipes\.md:[0-9]+: this is not in conf\.d/cgi\.conf' replace conf.d/cgi.conf 's/USER_MAIL/USER_POST/'
    must_report 'a block of no file' 'a block of no configuration' append "$page" $'## X\n\n```apache\nEntraCloud usgov\n```'
    must_report 'a configuration that is not shown' 'conf\.d/planted\.conf is not in the page' write conf.d/planted.conf '# x'
    must_report 'a configuration that is not run' '^conf\.d/planted\.conf:1: no test runs it' write conf.d/planted.conf '# x'
    must_report 'a test that went' '^conf\.d/cgi\.conf:1: no test runs it' replace tests/e2e/recipes.test.mjs "/withRecipe('cgi'/d"
    must_report 'a file that is not there' 'there is no packaging/docker/none' append packaging/docker/Dockerfile 'COPY packaging/docker/none /x'
    must_accept 'another comment in a configuration' append conf.d/cgi.conf '# x'
}

guard_main "$@"
