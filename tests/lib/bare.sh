# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Read by ../chroot and ../package: a bare Debian in a folder, with the mirror, certificates and npm settings of this machine.
# Expects die (says why, and ends) and $source (the checkout).

# Why no bare system can be made or entered here; nothing when it can.
bare_obstacle() {
    local tool
    [ "$(id -u)" = 0 ] || { echo "needs root"; return; }
    for tool in debootstrap unshare git "$@"; do
        command -v "$tool" >/dev/null || { echo "needs $tool"; return; }
    done
    git -C "$source" rev-parse --git-dir >/dev/null 2>&1 || { echo "needs a checkout of the repository"; return; }
    unshare -m -p -f --kill-child true 2>/dev/null || echo "no namespaces can be made here"
}

# The archive that this machine's apt reads, as one-line entries for a suite. One that the machine does not read itself is looked
# for where its own is.
bare_sources() {
    local suite=$1 own
    own=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v s="$suite" -v own="$own" '
            $2 ~ "^" s "(-(updates|security))?$" { print "deb", $1, $2, $3; found = 1 }
            own != "" && $2 ~ "^" own "(-(updates|security))?$" { other[++n] = "deb " $1 " " s substr($2, length(own) + 1) " " $3 }
            END { if (!found) for (i = 1; i <= n; i++) print other[i] }' | sort -u
}

# bare_make SUITE TAR: the bare system as an archive.
bare_make() {
    local suite=$1 tar=$2 work mirror
    mirror=$(bare_sources "$suite" | awk -v s="$suite" '$3 == s { print $2; exit }')
    [ -n "$mirror" ] || die "this machine's apt has no $suite"
    mkdir -p "$(dirname "$tar")"
    work=$(mktemp -d "$tar.XXXXXX") || die "cannot write beside $tar"
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$work" "$mirror" >"$tar.log" 2>&1 ||
        { tail -5 "$tar.log" >&2; rm -rf "$work"; die "debootstrap failed"; }
    rm -f "$work"/var/cache/apt/archives/*.deb
    tar -C "$work" -cf "$tar.new" . && mv "$tar.new" "$tar" || { rm -rf "$work"; die "cannot write $tar"; }
    rm -rf "$work"
}

# What belongs to the machine's network, not to the software: resolver, archive, own certificate authorities, npm registry.
bare_adapt() {
    local suite=$1 root=$2 key value
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    bare_sources "$suite" >"$root/etc/apt/sources.list"
    if ls /usr/local/share/ca-certificates/*.crt >/dev/null 2>&1; then
        cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/"
        chroot "$root" update-ca-certificates >/dev/null 2>&1 || return 1
    fi
    if command -v npm >/dev/null; then
        for key in registry cafile; do
            value=$(npm config get "$key" 2>/dev/null)
            case $value in ''|null|undefined) ;; *) echo "$key=$value" ;; esac
        done >"$root/etc/npmrc"
    fi
    return 0
}

# bare_copy SOURCE TARGET: the files as they lie in a checkout, without those that git ignores.
bare_copy() {
    mkdir -p "$2" || return 1
    (cd "$1" && git ls-files -co --exclude-standard -z |
        while IFS= read -r -d '' f; do [ ! -e "$f" ] || printf '%s\0' "$f"; done |
        tar --null -T - -cf -) | tar -C "$2" -xf -
}
