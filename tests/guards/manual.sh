#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The manual says what the source says: every directive with its default and context, both ways; every file of src in the
# architecture page, both ways; the page of messages; links between pages; directives that the advice on Entra's errors names.
. "$(dirname "$0")/common.bash"
# shellcheck disable=SC2034 # for common.bash
reads='^(src/|docs/|conf\.d/|configure\.ac|mod_entra_sso|[A-Z]+(\.md)?$|tests/(packages|e2e/README|emulator/README))'

options=src/httpd/options.def
directives=docs/directives.md
architecture=docs/architecture.md
advice=(src/entra/aadsts.def src/entra/aadsts.c)

# Lines "directive TAB default TAB context TAB override" of the table; a default of "-" is none.
rows_of_table() {
    local state
    state=$(sed -n 's/^ *\[statedir="\$withval"\], \[statedir=\([^]]*\)\]).*/\1/p' configure.ac)
    # shellcheck disable=SC2016 # awk's own $
    awk -v state="$state" '
    /^(SERVER|DIR)_OPTION\(/ {
        match($0, /"Entra[A-Za-z]*"/)
        name = substr($0, RSTART + 1, RLENGTH - 2)
        rest = substr($0, RSTART + RLENGTH)
        # , KIND, least, most, default, "help"
        match(rest, /^, *[A-Z_]+, *[0-9]+, *[0-9]+, */)
        rest = substr(rest, RLENGTH + 1)
        if (match(rest, /^"[^"]*"/)) value = substr(rest, 2, RLENGTH - 2)
        else if (rest ~ /^SSO_STATE_DIRECTORY,/) value = state
        else value = "-"
        if ($0 ~ /^SERVER_/) { context = "server config, virtual host"; override = "not in .htaccess" }
        else if ($0 ~ /OR_AUTHCFG\)/) { context = "directory, .htaccess"; override = "AuthConfig" }
        else { context = "server config, virtual host, directory"; override = "not in .htaccess" }
        print name "\t" value "\t" context "\t" override
    }' "$options"
}

# The same of the manual; what is missing is empty. "Default" none gives "-".
rows_of_manual() {
    # shellcheck disable=SC2016 # awk's own $
    awk '
    function flush() { if (name != "") print name "\t" value "\t" context "\t" override "\t" line "\t" has }
    /^## / {
        flush()
        name = $2 ~ /^Entra/ && NF == 2 ? $2 : ""
        value = context = override = has = ""
        line = FNR
        next
    }
    name == "" { next }
    /^- \*\*Default:\*\* none/ { value = "-" }
    /^- \*\*Default:\*\* `/ {
        value = $0
        sub(/^- \*\*Default:\*\* `/, "", value)
        sub(/`.*/, "", value)
        if (index(value, name " ") == 1) value = substr(value, length(name) + 2)
        else value = "(not of " name ")"
    }
    /^- \*\*Context:\*\* / { context = $0; sub(/^- \*\*Context:\*\* /, "", context) }
    /^- \*\*Override:\*\* / { override = $0; sub(/^- \*\*Override:\*\* /, "", override) }
    /^- \*\*(Description|Merge):\*\* ./ { has = has $2 }
    /^- \*\*Syntax:\*\* `/ && index($0, "`" name " ") { has = has $2 }
    /^```apache/ { inside = 1; next }
    /^```/ { inside = 0 }
    inside && index($0, name " ") { if (has !~ /Example/) has = has "Example" }
    END { flush() }' "$directives"
}

check_directives() {
    join -t $'\t' -a 1 -a 2 -e '' -o 0,1.2,1.3,1.4,2.2,2.3,2.4,2.5,2.6 \
        <(rows_of_table | sort -t $'\t' -k1,1) <(rows_of_manual | sort -t $'\t' -k1,1) |
        awk -F '\t' -v page="$directives" '
        $2 == "" { print page ":" $8 ": " $1 " is no directive of the table"; next }
        $8 == "" { print page ":1: " $1 " is missing"; next }
        $5 != $2 { print page ":" $8 ": default of " $1 " is " ($2 == "-" ? "none" : $2) ", not " ($5 == "-" ? "none" : $5) }
        $6 != $3 { print page ":" $8 ": context of " $1 " is: " $3 }
        $7 != $4 { print page ":" $8 ": override of " $1 " is: " $4 }
        $9 !~ /Description/ || $9 !~ /Syntax/ || $9 !~ /Merge/ || $9 !~ /Example/ {
            print page ":" $8 ": " $1 " lacks one of description, syntax, merge, example" }'
    # Alphabetical, so that people find them.
    rows_of_manual | cut -f 1 | sort -f -c 2>/dev/null || echo "$directives:1: the directives are not in alphabetical order"
}

check_architecture() {
    local file
    while IFS= read -r file; do
        grep -qF "\`${file#src/}\`" "$architecture" || echo "$architecture:1: $file is not named"
    done < <(module_files | grep '^src/')
    grep -noE '`(base|entra|session|flow|httpd)/[a-z_]+\.(c|h|def)`' "$architecture" | tr -d '`' |
        while IFS=: read -r line file; do
            [ -e "src/$file" ] || echo "$architecture:$line: there is no src/$file"
        done
    # Functions that the page names have to be somewhere in the source.
    grep -noE '`sso_[a-z_]+`' "$architecture" | tr -d '`' | sort -t : -k 2 -u |
        while IFS=: read -r line name; do
            grep -rqw "$name" src mod_entra_sso.c || echo "$architecture:$line: there is no $name in the source"
        done
}

# Relative links of the pages: the file, and the heading behind '#'.
check_links() {
    local page line target file anchor
    for page in *.md docs/*.md; do
        grep -noE '\]\([^)]*\)' "$page" | while IFS=: read -r line target; do
            target=${target#*'('}
            target=${target%')'}
            case $target in http:* | https:* | mailto:*) continue ;; esac
            file=${target%%'#'*}
            anchor=${target#"$file"}
            anchor=${anchor#'#'}
            if [ -z "$file" ]; then file=$page; else file=$(dirname "$page")/$file; fi
            if [ ! -e "$file" ]; then
                echo "$page:$line: there is no $target"
            elif [ -n "$anchor" ] && ! headings "$file" | grep -qxF "$anchor"; then
                echo "$page:$line: $target has no such heading"
            fi
        done
    done
}

# The anchors of a page's headings, as repository hosts make them.
headings() {
    awk '/^```/ { inside = !inside } !inside && /^#+ / { sub(/^#+ +/, ""); print }' "$1" |
        tr '[:upper:]' '[:lower:]' | sed -e 's/[^a-z0-9 _-]//g' -e 's/ /-/g'
}

# The page of migration has every directive that the converter knows.
check_migration() {
    local line name
    awk -F '"' '/^[A-Z]+\("OIDC/ { print FNR, $2 }' src/command/convert.def |
        while read -r line name; do
            grep -qE "\`$name[\` ]" docs/migration.md || echo "src/command/convert.def:$line: $name is not in docs/migration.md"
        done
}

# What administrators are told to do about Entra's errors names directives that exist.
check_advice() {
    local file line name names
    names=$(rows_of_table | cut -f 1)
    grep -HnowE 'Entra[A-Z][A-Za-z]+' "${advice[@]}" | while IFS=: read -r file line name; do
        grep -qxF "$name" <<<"$names" || echo "$file:$line: $name is no directive"
    done
}

check_messages() { bash docs/make-messages --check 2>&1 | sed 's|^docs/make-messages: |docs/messages.md:1: |'; }

parts='check_directives check_architecture check_advice check_messages check_links check_migration'

guard() {
    local part
    for part in $parts; do "$part"; done
}

# Each fault concerns one part; the others need not be looked at again.
self_test() {
    local all=$parts
    parts=check_directives
    must_report 'a directive without an entry' 'EntraPlanted is missing' append "$options" \
        'SERVER_OPTION(PLANTED, "EntraPlanted", TEXT, 1, 1, NULL, "planted")'
    must_report 'an entry without a directive' 'EntraPlanted is no directive' append "$directives" '## EntraPlanted'
    must_report 'another default' 'default of EntraSessionMaxAge is 7h' replace "$options" 's/, "8h",/, "7h",/'
    must_report 'a default that came' 'default of EntraCookieDomain' replace "$options" '/COOKIE_DOMAIN/s/NULL/"a.example"/'
    must_report 'another folder of the state' 'default of EntraStateDirectory' replace configure.ac 's|statedir=/var/lib/[a-z_]*|statedir=/srv/x|'
    must_report 'another context' 'context of EntraHeaders' replace "$options" '/"EntraHeaders"/s/RSRC_CONF | ACCESS_CONF/OR_AUTHCFG/'
    must_report 'no syntax' 'EntraCloud lacks' replace "$directives" '/Syntax.*EntraCloud/d'
    must_report 'no example' 'EntraCloud lacks' replace "$directives" '/^EntraCloud usgov/d'
    parts=check_architecture
    must_report 'a file that is not named' 'src/base/planted\.c is not named' write src/base/planted.c '/* planted */'
    must_report 'a file that is not there' 'there is no src/base/planted\.c' append "$architecture" 'See `base/planted.c`.'
    must_report 'a function that is not there' 'there is no sso_planted' append "$architecture" 'See `sso_planted`.'
    parts=check_advice
    must_report 'advice that names no directive' 'aadsts\.def:[0-9]+: EntraPlanted is no directive' replace "${advice[0]}" \
        '0,/EntraScopes/s//EntraPlanted/'
    must_report 'such advice on an OAuth error' 'aadsts\.c:[0-9]+: EntraPlanted is no directive' replace "${advice[1]}" \
        '0,/EntraScopes/s//EntraPlanted/'
    must_report 'a directive that went' 'EntraScopes is no directive' replace "$options" '/"EntraScopes"/d'
    parts=check_messages
    must_report 'a stale page of messages' 'is stale' replace src/base/reasons.def 's/"there is no session"/"there is none"/'
    must_report 'a number without a note' 'ENTRA1999 has no line' append src/base/reasons.def \
        'REASON(PLANTED, 1999, CLIENT, 400, INFO, REQUEST, "planted")'
    must_report 'a note without a number' '1999, the source has not' append docs/messages.notes '1999 | a | b'
    parts=check_migration
    must_report 'a directive of the converter' 'OIDCPlanted is not in docs/migration\.md' append src/command/convert.def 'DROP("OIDCPlanted", "x")'
    parts=check_links
    must_report 'a broken link' 'there is no nowhere\.md' append docs/index.md '[x](nowhere.md)'
    must_report 'a broken heading' 'has no such heading' append docs/index.md '[x](sessions.md#nowhere)'
    parts=$all
    must_accept 'advice that names a directive' replace "${advice[0]}" '0,/EntraScopes/s//EntraPath/'
    must_accept 'good links' append docs/index.md '[x](sessions.md#keys) [y](https://example.com/nowhere.md)'
}

guard_main "$@"
