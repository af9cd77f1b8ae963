#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every configuration that the manual shows must be one that httpd takes without a word from the module: all of conf.d and of the Docker image, and
# every fenced ```apache block of the pages. A block with <VirtualHost in it, or with the first line "# complete", stands alone;
# any other is put into a virtual host that is right without it. The paths of the examples become files of this test's own.
# Skipped where there is no httpd or openssl, or the module is not built.
. "$(dirname "$0")/common.bash"
# shellcheck disable=SC2034 # for common.bash
reads='^(conf\.d/|packaging/docker/|docs/.*\.md$|[A-Z]+\.md$)'

module=$BUILDDIR/.libs/mod_entra_sso.so
only='' # the self-test's one file

first_of() {
    local name
    for name in "$@"; do
        PATH=$PATH:/usr/sbin:/usr/local/apache2/bin command -v "$name" && return 0
    done
    return 1
}

find_tools() {
    local apxs
    httpd=$(first_of apache2 httpd) || skip "there is no apache2 or httpd"
    [ -f "$module" ] || skip "the module is not built: $module"
    command -v openssl >/dev/null || skip "there is no openssl to make a certificate with"
    if apxs=$(first_of apxs2 apxs); then
        modules=$("$apxs" -q LIBEXECDIR)
    else
        for modules in /usr/lib/apache2/modules /usr/lib64/httpd/modules /usr/local/apache2/modules; do
            [ ! -d "$modules" ] || break
        done
    fi
    [ -d "$modules" ] || skip "httpd's modules were not found"
}

# ---- what the examples speak of ----

make_files() {
    local name
    umask 077
    mkdir "$place/state" "$place/entra" "$place/credentials" "$place/htdocs" "$place/logs" || return 1
    for name in entra/client-secret entra/wiki-secret entra/tickets-secret entra/lab-secret credentials/entra-client-secret; do
        echo "$ENTRA_CLIENT_SECRET" >"$place/$name"
    done
    openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=app.example.com -keyout "$place/entra/client-key.pem" \
        -out "$place/entra/client-cert.pem" 2>"$place/openssl.log" || { cat "$place/openssl.log"; return 1; }
    cat "$place/entra/client-cert.pem" "$place/entra/client-key.pem" >"$place/entra/client.pem"
    # shellcheck disable=SC2016 # the script's own $
    printf '%s\n' '#!/bin/sh' 'echo "$ENTRA_CLIENT_SECRET"' >"$place/entra-secret"
    chmod 700 "$place/entra-secret"
    cp "$place/entra/client-cert.pem" "$place/ca.pem"
    chmod 644 "$place/ca.pem"
}

# Modules that the examples use, as far as httpd has not built them in.
load_lines() {
    local name builtin
    builtin=$("$httpd" -l) || return 1
    for name in mpm_event unixd log_config authn_core authz_core authz_user authz_host alias dir mime env setenvif headers \
        rewrite socache_shmcb ssl cgid proxy proxy_http proxy_fcgi proxy_ajp proxy_wstunnel watchdog auth_basic authn_file remoteip \
        dav dav_svn authz_svn; do
        [ "$name" != mpm_event ] || ! grep -qE '^ *(event|worker|prefork)\.c' <<<"$builtin" || continue
        if ! grep -qE "^ *(mod_)?$name\.c" <<<"$builtin" && [ -f "$modules/mod_$name.so" ]; then
            echo "LoadModule ${name}_module \"$modules/mod_$name.so\""
        fi
    done
}

with_own_paths() {
    sed -e "s|^\\( *LoadModule  *entra_sso_module\\) .*|\\1 \"$module\"|" \
        -e "s|/etc/apache2/entra/|$place/entra/|g" \
        -e "s|/etc/ssl/app/fullchain.pem|$place/entra/client-cert.pem|g" \
        -e "s|/etc/ssl/app/private.pem|$place/entra/client-key.pem|g" \
        -e "s|/etc/ssl/certs/ca-certificates.crt|$place/ca.pem|g" \
        -e "s|/usr/local/sbin/entra-secret|$place/entra-secret|g" \
        -e "s|/var/lib/mod_entra_sso|$place/state|g" -e "s|/var/log/apache2/|$place/logs/|g" \
        -e "s|/run/secrets/|$place/entra/|g" \
        -e "s|/var/www/[a-z]*|$place/htdocs|g"
}

# ---- one configuration ----

# needs_more FILE: whether its head names a module that is not here; its own test runs it then, where the module is.
needs_more() {
    local name
    for name in $(sed -n '/^[^#]/q; /Beside/,$p' "$1" | grep -oE 'mod_[a-z_]+' | sed 's/^mod_//' | grep -vx entra_sso); do
        [ -f "$modules/mod_$name.so" ] || "$httpd" -l | grep -qE "^ *(mod_)?$name\.c" || return 0
    done
    return 1
}

# judge NAME FILE: FILE behind the usual beginning of a server's configuration.
judge() {
    local answer code=0
    {
        cat "$place/load.conf"
        grep -q '^ *LoadModule  *entra_sso_module' "$2" || echo "LoadModule entra_sso_module \"$module\""
        printf '%s\n' "ServerRoot \"$place\"" "DefaultRuntimeDir \"$place\"" "Mutex file:$place default" 'Listen 127.0.0.1:1' \
            'ServerName localhost' "ErrorLog \"$place/error.log\"" "DocumentRoot \"$place/htdocs\"" \
            "EntraStateDirectory \"$place/state\""
        with_own_paths <"$2"
    } >"$place/httpd.conf"
    answer=$("$httpd" -t -f "$place/httpd.conf" 2>&1) || code=$?
    # Not even a warning of the module: what the manual shows is what it recommends.
    if [ "$code" != 0 ] || grep -q 'ENTRA[0-9]' <<<"$answer"; then
        echo "$1: httpd does not take this configuration: $(grep -vx 'Syntax OK' <<<"$answer" | tr -s '\n' ' ')"
    fi
}

# A virtual host that is right, with the block inside it.
around() {
    cat <<'HOST'
<VirtualHost *:443>
    ServerName    https://app.example.com
    EntraTenant   8d6f4f0e-0000-4000-8000-3a6c2f1b7c11
    EntraClientID 4b1d8c3a-0000-4000-8000-9d2e5f7a6b10
HOST
    grep -qE '^ *EntraClient(Secret|Certificate|Assertion)' "$1" ||
        echo '    EntraClientSecret file:/etc/apache2/entra/client-secret'
    printf '%s\n' '    <Location "/">' '        AuthType Entra' '        Require  valid-user' '    </Location>'
    cat "$1"
    echo '</VirtualHost>'
}

# The fenced blocks of a page, each as a file block.LINE.
cut_page() {
    rm -f "$place"/block.*
    awk -v place="$place" '
        /^ *```apache *$/ { inside = 1; file = place "/block." FNR; printf "" > file; next }
        /^ *```/          { if (inside) close(file); inside = 0; next }
        inside            { print > file }' "$1"
}

judge_page() {
    local block
    cut_page "$1"
    for block in "$place"/block.*; do
        [ -e "$block" ] || continue
        if grep -q '<VirtualHost' "$block" || head -n 1 "$block" | grep -q '^ *# complete'; then
            judge "$1:${block##*.}" "$block"
        else
            around "$block" >"$place/whole"
            judge "$1:${block##*.}" "$place/whole"
        fi
    done
}

# In a subshell of its own, so that the folder goes with it.
guard() (
    find_tools
    place=$(mktemp -d "${TMPDIR:-/tmp}/entra-conf.XXXXXX") || exit 1
    trap 'rm -rf "$place"' EXIT
    export ENTRA_CLIENT_SECRET='S3cret~for.this_test-only' CREDENTIALS_DIRECTORY=$place/credentials
    export AZURE_FEDERATED_TOKEN_FILE=/var/run/secrets/azure/tokens/azure-identity-token
    make_files && load_lines >"$place/load.conf" || exit 1
    for file in ${only:-conf.d/*.conf packaging/docker/*.conf *.md docs/*.md}; do
        case $file in
        *.md) judge_page "$file" ;;
        *) needs_more "$file" || judge "$file" "$file" ;;
        esac
    done
)

self_test() {
    only=conf.d/minimal.conf
    must_report 'a tenant that is none' '^conf\.d/minimal\.conf: .*EntraTenant' replace "$only" 's/EntraTenant .*/EntraTenant nonsense!/'
    must_report 'a directive that is none' '^conf\.d/minimal\.conf: .*EntraPlanted' append "$only" 'EntraPlanted all'
    must_report 'a mistake over several directives' '^conf\.d/minimal\.conf: .*ENTRA4003' replace "$only" '/EntraClientID/d'
    must_report 'a warning of the module' '^conf\.d/minimal\.conf: .*ENTRA4005' replace "$only" 's/file:.*client-secret/the~secret/'
    must_accept 'a comment' append "$only" '# EntraGroups all'
    must_accept 'a module that is not here' replace "$only" 's/^# Beside it: /# Beside it: mod_nowhere, /; s/EntraTenant .*/EntraTenant nonsense!/'
    only=docs/planted.md
    must_report 'a block of a page' '^docs/planted\.md:3: .*EntraCloud' write "$only" '# x' '' '```apache' 'EntraCloud mars' '```'
    must_report 'a complete block' '^docs/planted\.md:1: .*ENTRA4001' write "$only" '```apache' '# complete' '<Location "/">' \
        'AuthType Entra' 'Require valid-user' '</Location>' '```'
    must_accept 'good blocks' write "$only" '```apache' 'EntraCloud usgov' '```' '```' 'EntraCloud mars' '```'
}

guard_main "$@"
