#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Calls that are banned everywhere or outside their one place. `list` says what to use instead.
. "$(dirname "$0")/common.bash"
reads='^src/(base/(clock|json|crypto|result)|entra/secret|httpd/(site|directives)|flow/)'

# Name ("(" behind it: only as a call), the files where it may stand, or -, and what to do instead.
list='
strcpy      -  apr_pstrdup or apr_cpystrn
strcat      -  apr_pstrcat
sprintf     -  apr_psprintf or snprintf
vsprintf    -  apr_pvsprintf or vsnprintf
strtok      -  sso_bytes_* or strcspn
strtok_r    -  sso_bytes_* or strcspn
strtol      -  sso_bytes_*, which sees overflow and rubbish
strtoul     -  sso_bytes_*, which sees overflow and rubbish
strtoll     -  sso_bytes_*, which sees overflow and rubbish
strtoull    -  sso_bytes_*, which sees overflow and rubbish
atoi        -  sso_bytes_*, which sees overflow and rubbish
atol        -  sso_bytes_*, which sees overflow and rubbish
atoll       -  sso_bytes_*, which sees overflow and rubbish
sscanf      -  a parser that knows its limits
alloca      -  a pool
gets        -  a bounded read
gmtime      -  base/clock.h
localtime   -  base/clock.h
ctime       -  base/clock.h
asctime     -  base/clock.h
rand(       -  base/crypto.h
srand(      -  base/crypto.h
random(     -  base/crypto.h
apr_time_now   src/base/clock.c  the moment of the context, or base/clock.h
gettimeofday   src/base/clock.c  the moment of the context, or base/clock.h
clock_gettime  src/base/clock.c  the moment of the context, or base/clock.h
time(          src/base/clock.c  the moment of the context, or base/clock.h
malloc    src/base/json.c,src/entra/jwt.c,src/base/http.c,src/base/crypto.c  a pool
calloc    src/base/json.c,src/entra/jwt.c,src/base/http.c,src/base/crypto.c  a pool
realloc   src/base/json.c,src/entra/jwt.c,src/base/http.c,src/base/crypto.c  a pool
strdup    src/base/json.c,src/entra/jwt.c,src/base/http.c,src/base/crypto.c  a pool
strndup   src/base/json.c,src/entra/jwt.c,src/base/http.c,src/base/crypto.c  a pool
free(     src/base/json.c,src/entra/jwt.c,src/base/http.c,src/base/crypto.c  a pool
getenv         src/httpd/site_credential.c,src/entra/secret.c  an option: nothing reads the environment while serving
secure_getenv  src/httpd/site_credential.c,src/entra/secret.c  an option: nothing reads the environment while serving
ap_regcomp     src/httpd/directives.c  an option that is compiled when it is read
ap_pregcomp    src/httpd/directives.c,src/httpd/authz.c  an option or a line of Require that is compiled when it is read
'

guard() {
    local files
    mapfile -t files < <(module_files)
    awk "$C_AWK"'
    FILENAME == "-" {
        if (NF == 0) next
        name = $1
        call = sub(/\($/, "", name)
        only_call[name] = call
        places[name] = "," $2 ","
        $1 = $2 = ""
        sub(/^ +/, "")
        instead[name] = $0
        next
    }
    FNR == 1 { statement = "" }
    { c_split($0) }
    {
        rest = CODE
        before = ""
        while (match(rest, /[A-Za-z_][A-Za-z0-9_]*/)) {
            name = substr(rest, RSTART, RLENGTH)
            before = before substr(rest, 1, RSTART - 1)
            rest = substr(rest, RSTART + RLENGTH)
            # x->free and x.time are members.
            if (name in instead && index(places[name], "," FILENAME ",") == 0 && before !~ /(->|\.)[ \t]*$/ &&
                (!only_call[name] || rest ~ /^[ \t]*\(/))
                fault(name " is banned here: use " instead[name])
            before = before name
        }
    }
    word(CODE, "memcmp|strn?cmp|strn?casecmp") && tolower(CODE) ~ /(^|[^a-z])(h?mac|tag|secret)s?([^a-z]|$)/ {
        fault("secrets, tags and MACs are compared in constant time: sso_bytes_*")
    }
    # APR prints %zu as it stands, and the compiler does not see it. The C library and what is built upon it know it.
    {
        statement = statement CODE
        if (TEXT ~ /%[-+ #0-9.*]*[zjt][diouxX]/ && !word(statement, "sso_fail|sso_debug|v?snprintf|fprintf"))
            fault("APR does not know %zu, %jd and %td: use APR_SIZE_T_FMT or a cast")
        if (CODE ~ /[;{}][ \t]*$/ || (CODE ~ /^[ \t]*#/ && CODE !~ /\\$/)) statement = ""
    }
    ' - "${files[@]}" <<<"$list"
}

self_test() {
    local name text=() part=()
    for name in strcpy strcat sprintf strtok strtol atoi sscanf alloca gets gmtime localtime ctime rand apr_time_now malloc free getenv \
        ap_regcomp ap_pregcomp; do
        must_report "$name" "^src/flow/planted\.c:1: $name is banned" write src/flow/planted.c "    x = $name(y);"
        text+=("/* $name(y) */ text = \"$name(y)\"; // $name(y)")
        part+=("    x = my_$name(y) + ${name}_of(y);")
    done
    must_accept 'such names in comment and text' write src/flow/planted.c "${text[@]}"
    must_accept 'such names as part of another' write src/flow/planted.c "${part[@]}"
    must_report 'a call behind a comment of two lines' '^src/flow/planted\.c:2: free is banned' write src/flow/planted.c '/* one' '*/ free (y); "a'
    must_report 'malloc handed on' '^src/flow/planted\.c:1: malloc' write src/flow/planted.c 'set_functions(malloc, NULL);'
    must_accept 'a member of that name' write src/flow/planted.c 'x->free(y); x.time (y); int time = 3;'
    must_accept 'the places where they may be' eval 'append src/base/clock.c "apr_time_now();"; append src/base/json.c "free(x);"; \
        append src/base/crypto.c "malloc(1);"; append src/httpd/site.c "getenv(x);"; append src/entra/secret.c "getenv(x);"; \
        append src/httpd/directives.c "ap_regcomp(x); ap_pregcomp(y);"'
    for name in 'memcmp(tag, found, 16)' 'strcmp(client_secret, given)' 'memcmp(x->mac, y, n)' 'strncmp(a, SECRET, 4)' 'memcmp(hmac, b, 3)'; do
        must_report "$name" '^src/flow/planted\.c:1: secrets, tags' write src/flow/planted.c "    if ($name == 0) {"
    done
    must_accept 'a comparison of what is no secret' write src/flow/planted.c 'if (strcmp(stage, "secret") == 0) { /* no tag */'
    must_report '%zu in apr_psprintf' '^src/flow/planted\.c:1: APR does not know' write src/flow/planted.c 'x = apr_psprintf(p, "%zu", n);'
    must_report '%zu on the next line' '^src/flow/planted\.c:2: APR does not know' write src/flow/planted.c 'ap_log_error(a, b,' '"%5zu", n);'
    must_accept '%zu for the C library' write src/flow/planted.c 'return sso_fail(ctx, SSO_R_X,' '"%zu", n);'
}

guard_main "$@"
