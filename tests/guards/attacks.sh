#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tables of attacks and of promises name tests that exist. In docs/attacks.md every row has one, or says that it does not apply, every
# name of its first column stands in the name of one of its tests, and every case of attacks.test.mjs has its row.
. "$(dirname "$0")/common.bash"
# shellcheck disable=SC2034 # for common.bash
reads='^(docs/(attacks|threat-model)\.md|tests/(e2e/[^/]*\.test\.mjs|unit/test_[^/]*\.c|guards/[^/]*\.sh))$'

table=docs/attacks.md
promises=docs/threat-model.md
suite=tests/e2e/attacks.test.mjs

guard() {
    local tests
    mapfile -t tests < <(project_files | grep -E '^tests/(e2e/[^/]*\.test\.mjs|unit/test_[^/]*\.c)$')
    if [ ! -f "$table" ] || [ ! -f "$promises" ]; then echo "$table:1: or $promises is missing"; return 0; fi
    awk -v table="$table" -v suite="$suite" '
    function fault(what) { print FILENAME ":" FNR ": " what }
    # Whether a test of file is called so. A name in backquotes stands for every text in the place of ${...} that the file has.
    function fits(name, pattern, file,    piece, count, i, at, middle) {
        count = split(pattern, piece, /\$\{[^}]*\}/)
        if (count == 1) return name == pattern
        if (index(name, piece[1]) != 1) return 0
        name = substr(name, length(piece[1]) + 1)
        for (i = 2; i <= count; i++) {
            if (i == count) at = length(name) - length(piece[i]) + 1
            else at = index(name, piece[i])
            if (at < 2 || substr(name, at, length(piece[i])) != piece[i]) return 0
            middle = substr(name, 1, at - 1)
            if (index(text[file], middle) == 0) return 0
            name = substr(name, at + length(piece[i]))
        }
        return name == ""
    }
    function exists(file, name,    i, found) {
        for (i = 1; i <= count_of[file]; i++) if (fits(name, test[file, i], file)) { listed[file, i] = found = 1 }
        return found
    }
    # Tests of a row: `e2e/file: name` or `unit/test_file: name`. Collects their names; gives how many.
    function tests_of(cell,    span, count, file, name) {
        names = ""
        count = 0
        while (match(cell, /`(e2e|unit)\/[a-z_]+: [^`]*`/)) {
            span = substr(cell, RSTART + 1, RLENGTH - 2)
            cell = substr(cell, RSTART + RLENGTH)
            file = "tests/" substr(span, 1, index(span, ": ") - 1) (span ~ /^unit/ ? ".c" : ".test.mjs")
            name = substr(span, index(span, ": ") + 2)
            if (!exists(file, name)) fault("there is no test \"" name "\" in " file)
            names = names "\n" tolower(name)
            count++
        }
        return count
    }
    FILENAME ~ /^tests\/e2e\// {
        text[FILENAME] = text[FILENAME] "\n" $0
        if (match($0, /^ *test\(["\047`]/)) {
            quote = substr($0, RLENGTH, 1)
            rest = substr($0, RLENGTH + 1)
            name = ""
            while (rest != "" && substr(rest, 1, 1) != quote) {
                if (substr(rest, 1, 1) == "\\") rest = substr(rest, 2)
                name = name substr(rest, 1, 1)
                rest = substr(rest, 2)
            }
            test[FILENAME, ++count_of[FILENAME]] = name
            place[FILENAME, count_of[FILENAME]] = FNR
        }
        next
    }
    FILENAME ~ /^tests\/unit\// {
        if (match($0, /^static void test_[a-z0-9_]+\(/)) test[FILENAME, ++count_of[FILENAME]] = substr($0, 13, RLENGTH - 13)
        next
    }
    /^\| (After|Promise|Asset|Actor) \|/ { promised = /^\| Promise/ }
    !/^\| / || /^\| (After|Promise|Asset|Actor) \|/ { next }
    {
        columns = split($0, cell, / \| |^\| | \|$/)
        found = tests_of(cell[columns - 1])
    }
    FILENAME != table {
        guards = cell[columns - 1]
        while (match(guards, /`tests\/guards\/[a-z]+\.sh`/)) {
            file = substr(guards, RSTART + 1, RLENGTH - 2)
            guards = substr(guards, RSTART + RLENGTH)
            if ((getline line <file) < 0) fault("there is no " file)
            close(file)
            found++
        }
        if (promised && !found) fault("a promise without a test")
        next
    }
    {
        if (columns != 6) { fault("a row has four cells"); next }
        applies = cell[4] !~ /^Does not apply: ./
        if (applies && !found) fault("a row with neither a test nor \"Does not apply: \"")
        ids = split(cell[2], id, /, /)
        for (i = 1; i <= ids; i++) {
            if (id[i] in seen) fault(id[i] " has a row already")
            seen[id[i]] = 1
            if (found && index(names, tolower(id[i])) == 0) fault("no test of this row is named after " id[i])
        }
        rows++
    }
    END {
        if (rows < 90) print table ":1: only " rows + 0 " rows"
        for (i = 1; i <= count_of[suite]; i++) if (!((suite, i) in listed)) print suite ":" place[suite, i] ": has no row in " table
    }
    ' "${tests[@]}" "$table" "$promises"
}

self_test() {
    # shellcheck disable=SC2016 # Markdown and JavaScript
    local row='| CVE-2000-1 | what | here | `e2e/attacks: CVE-2000-1: planted` |'
    must_report 'a test that does not exist' "^$table:[0-9]+: there is no test \"CVE-2000-1: planted\"" append "$table" "$row"
    must_report 'a row without a test' "^$table:[0-9]+: a row with neither" append "$table" '| CVE-2000-1 | what | here | - |'
    must_accept 'a row that does not apply' append "$table" '| CVE-2000-1 | what | Does not apply: no such thing. | - |'
    must_report 'a name that no test bears' "^$table:[0-9]+: no test of this row is named after CVE-2000-2" \
        eval "append $suite \"test('CVE-2000-1: planted', () => {});\"; append $table '${row/CVE-2000-1 /CVE-2000-1, CVE-2000-2 }'"
    must_accept 'a row with its test' eval "append $suite \"test('CVE-2000-1: planted', () => {});\"; append $table '$row'"
    must_accept 'a name made in a loop' \
        eval "append $suite \"const x = ['CVE-2000-1'];\"; append $suite 'test(\`\${x}: planted\`, () => {});'; append $table '$row'"
    must_report 'a name that no loop makes' "^$table:[0-9]+: there is no test" eval "append $suite 'test(\`\${x}: planted\`, () => {});'; append $table '$row'"
    must_report 'a case without a row' "^$suite:[0-9]+: has no row" append "$suite" "test('planted', () => {});"
    must_report 'a row twice' "^$table:[0-9]+: CVE-2017-6059 has a row already" append "$table" '| CVE-2017-6059 | what | Does not apply: x | - |'
    must_report 'a promise without a test' "^$promises:[0-9]+: a promise without" append "$promises" '| nothing breaks | - |'
    # shellcheck disable=SC2016 # Markdown
    must_report 'a unit test that is gone' "^$promises:[0-9]+: there is no test" append "$promises" '| nothing breaks | `unit/test_url: test_planted` |'
    # shellcheck disable=SC2016 # Markdown
    must_report 'a guard that is gone' "^$promises:[0-9]+: there is no tests/guards/planted" append "$promises" '| nothing breaks | `tests/guards/planted.sh` |'
}

guard_main "$@"
