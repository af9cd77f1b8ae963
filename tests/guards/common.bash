# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Read by the guards. A guard defines two functions and ends with: guard_main "$@"
#   guard       prints a line for each fault, "file:line: what". Runs in the source root. Its code is 0, unless it could not do
#               its work; `skip WHY` leaves it when a tool is missing.
#   self_test   plants faults by must_report, and harmless things by must_accept, in a copy of the tree (of the files that match
#               $reads, when it is set)
set -u -o pipefail
export LC_ALL=C

guards_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SRCDIR=${SRCDIR:-$(cd "$guards_dir/../.." && pwd)}
BUILDDIR=${BUILDDIR:-$SRCDIR/build}
CC=${CC:-cc}

skip() {
    echo "$1"
    exit 77
}

# Every file of the project that people write, from the source root: nothing built, generated, downloaded or of git.
project_files() {
    find . \( -name node_modules -o -name .git -o -name .libs -o -name .deps -o -name autom4te.cache -o -path './_build' \
        -o -path './build' -o -path './build-*' -o -path './debian/.debhelper' -o -path './debian/libapache2-*' -type d \) -prune -o -type f -print |
        sed 's,^\./,,' |
        grep -vxE '(configure~?|config\.(log|status)|libtool|aclocal\.m4|Makefile(\.in)?|(build_)?config\.h(\.in~?)?|stamp-h1|debian/(files|.*debhelper.*|.*\.substvars)|.*\.(l?[ao]|lo|so|log|trs))' |
        sort
}

# The C of the module, headers and tables too.
module_files() { project_files | grep -E '^(src/.*\.(c|h|def)|mod_entra_sso\.c)$'; }

# awk functions for C. c_split(line) sets
#   CODE  without comments, strings and characters emptied      TEXT  without comments      NOTE  the comments alone
# and has to see every line, in order. word(text, re) is whether a whole word of text matches. POSIX awk, for mawk's sake.
# shellcheck disable=SC2034 # the guards use it
C_AWK='
function c_put(piece) { CODE = CODE piece; TEXT = TEXT piece }
function c_split(line,    quote, good) {
    CODE = TEXT = NOTE = ""
    if (FNR == 1) c_inside = 0
    while (line != "") {
        if (c_inside) {
            good = index(line, "*/")
            if (!good) { NOTE = NOTE line; return }
            NOTE = NOTE substr(line, 1, good - 1)
            line = substr(line, good + 2)
            c_inside = 0
            c_put(" ")
            continue
        }
        if (!match(line, /["\047]|\/\*|\/\//)) { c_put(line); return }
        c_put(substr(line, 1, RSTART - 1))
        line = substr(line, RSTART)
        quote = substr(line, 1, 1)
        if (quote == "/") {
            if (substr(line, 2, 1) == "/") { NOTE = NOTE substr(line, 3); return }
            c_inside = 1
            line = substr(line, 3)
            continue
        }
        good = quote == "\"" ? match(line, /^"([^"\\]|\\.)*"/) : match(line, /^\047([^\047\\]|\\.)*\047/)
        if (!good) { c_put(line); return }
        TEXT = TEXT substr(line, 1, RLENGTH)
        CODE = CODE quote quote
        line = substr(line, RLENGTH + 1)
    }
}
function word(text, re) { return text ~ ("(^|[^A-Za-z0-9_])(" re ")([^A-Za-z0-9_]|$)") }
function fault(what) { print FILENAME ":" FNR ": " what }
'

# ---- lists of exceptions: one a line, its first word is the key; # begins a comment ----

# list_entries LIST: "line-number entry..." of each
list_entries() { awk 'NF > 0 && $1 !~ /^#/ { print FNR, $0 }' "$1"; }

# What the list was at the last commit; fails where there is no such thing.
last_committed() { git show "HEAD:./$1" 2>/dev/null; }

# only_shrinks LIST: complains about keys that were not in the list at the last commit.
only_shrinks() {
    local list=$1 old
    old=$(last_committed "$list") || return 0
    awk -v list="$list" '
        NF == 0 || $1 ~ /^#/ { next }
        FILENAME == "-" { known[$1] = 1; next }
        !($1 in known) { print list ":" FNR ": " $1 " is new; this list may only shrink" }
    ' - "$list" <<<"$old"
}

# ---- self-tests ----

self_test_failed=no
self_test_says() {
    echo "self-test: $1"
    self_test_failed=yes
}

# in_copy COMMAND...: runs it in a fresh copy of the tree, then the guard there; sets $found and $code.
in_copy() {
    rm -rf "$work/copy"
    cp -a "$pristine" "$work/copy"
    found='' code=0
    (cd "$work/copy" && "$@") || return 1
    found=$(cd "$work/copy" && SRCDIR=$work/copy guard 2>&1) || code=$?
}

# must_report WHAT FAULT COMMAND...: after COMMAND the guard has to print a line that matches FAULT, and not before.
must_report() {
    local what=$1 pattern=$2
    shift 2
    in_copy "$@" || { self_test_says "cannot plant: $what"; return; }
    # A grep without -q reads all, so that nobody is cut off by a pipe.
    if grep -E -- "$pattern" <<<"$baseline" >/dev/null; then
        self_test_says "reported before it was planted: $what"
    elif ! grep -E -- "$pattern" <<<"$found" >/dev/null; then
        self_test_says "not reported: $what (code $code, first line: $(head -n 1 <<<"$found"))"
    fi
}

# must_accept WHAT COMMAND...: after COMMAND the guard says what it said before.
must_accept() {
    local what=$1
    shift
    in_copy "$@" || { self_test_says "cannot plant: $what"; return; }
    [ "$found" = "$baseline" ] || self_test_says "reported: $what ($(diff <(echo "$baseline") <(echo "$found") | sed -n 2p))"
}

# For COMMAND above.
append() { printf '%s\n' "$2" >>"$1"; }          # append FILE LINE
write() { mkdir -p "$(dirname "$1")" && printf '%s\n' "${@:2}" >"$1"; } # write FILE LINE...
replace() { sed -i "$2" "$1"; }                  # replace FILE SED-SCRIPT

# The guard's word on the copy as it is; a self-test that changes $pristine calls it again.
take_baseline() {
    local code=0
    baseline=$(cd "$pristine" && SRCDIR=$pristine guard 2>&1) || code=$?
    if [ "$code" = 77 ]; then skip "$baseline"; fi
}

self_test_main() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/guard.XXXXXX") || exit 1
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' INT TERM HUP
    pristine=$work/pristine
    mkdir "$pristine"
    (cd "$SRCDIR" && project_files | grep -E "${reads:-.}" | tar -cf - -T -) | tar -xf - -C "$pristine" || exit 1
    take_baseline
    self_test
    [ "$self_test_failed" = no ]
}

guard_main() {
    local found code=0
    if [ "${1:-}" = --self-test ]; then
        self_test_main
        exit
    fi
    cd "$SRCDIR" || exit 1
    [ -f mod_entra_sso.c ] || { echo "there is no mod_entra_sso.c in SRCDIR, $SRCDIR"; exit 1; }
    found=$(guard) || code=$?
    [ -z "$found" ] || printf '%s\n' "$found"
    [ "$code" = 0 ] || { [ -n "$found" ] || echo "the guard could not do its work (code $code)"; exit "$code"; }
    [ -z "$found" ]
    exit
}
