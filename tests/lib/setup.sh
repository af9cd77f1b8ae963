# SPDX-License-Identifier: Apache-2.0
# Read by ../../quickstart and ../run: installs what is missing, and builds. Sets nothing up for good: packages are all that stays.
# Expects $root (the repository) and $logs (a folder); the functions write their long output there and say what went wrong.

say() { printf '%s\n' "$*"; }

die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Runs a command with its output in a file; shows the end of it when the command fails.
logged() {
    local file=$1
    shift
    if ! "$@" >>"$file" 2>&1 </dev/null; then
        say "failed: $*" >&2
        tail -n 25 "$file" >&2
        say "(all of it: $file)" >&2
        return 1
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "packages have to be installed: run this as root, or install sudo"
    fi
}

packages_of() {
    local group
    for group in "$@"; do
        awk -v group="$group" '$1 == group { for (i = 2; i <= NF; i++) print $i }' "$root/tests/packages"
    done
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Newest that the archive has, once a run: an old list names versions that are no longer there.
apt_updated=no
apt_update() {
    [ "$apt_updated" = no ] || return 0
    logged "$logs/apt.log" as_root apt-get update || say "apt-get update failed; going on with the lists that are there" >&2
    apt_updated=yes
}

# Adds packages; never removes or restarts anything of the machine.
apt_install() {
    command -v apt-get >/dev/null || die "this needs Debian 12 or newer, or these packages by another name: $*"
    say "installing: $*"
    apt_update
    logged "$logs/apt.log" as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get install -y --no-install-recommends --no-remove "$@" || die "the packages could not be installed"
}

# Installs what is missing of these groups.
install_groups() {
    local name missing=()
    for name in $(packages_of "$@"); do
        is_installed "$name" || missing+=("$name")
    done
    [ "${#missing[@]}" = 0 ] || apt_install "${missing[@]}"
}

# PostgreSQL, of which the tests start their own: on a machine that has none, its package shall not make one that starts by itself.
install_database() {
    local conf=/etc/postgresql-common/createcluster.conf
    if ! is_installed postgresql && ! is_installed postgresql-common; then
        apt_install postgresql-common
        as_root sed -i 's/^#* *create_main_cluster.*/create_main_cluster = false/' "$conf" || die "$conf cannot be changed"
    fi
    install_groups database
}

# A node that is there stays, whatever its origin.
ensure_node() {
    local major
    command -v node >/dev/null || apt_install nodejs
    major=$(node -p 'process.versions.node.split(".")[0]') || die "node does not run"
    [ "$major" -ge 18 ] || die "node is version $major, the emulator needs 18 or newer"
}

ensure_npm() {
    command -v npm >/dev/null || apt_install npm
}

# The package behind a name that is empty and depends on the one of this release, as php-fpm does on php8.2-fpm; else the name.
package_behind() {
    case $1 in
    php-fpm) apt-cache depends "$1" | awk '$1 == "Depends:" { print $2; exit }' ;;
    *) echo "$1" ;;
    esac
}

# unpack_packages FOLDER GROUP: downloads the packages of a group and lays their files out under FOLDER/packages/NAME.
unpack_packages() {
    local name target=$1/packages file
    for name in $(packages_of "$2"); do
        [ ! -e "$target/$name/.done" ] || continue
        apt_update
        rm -rf "${target:?}/$name" "$target/download"
        mkdir -p "$target/download" "$target/$name"
        (cd "$target/download" && logged "$logs/apt.log" apt-get download "$(package_behind "$name")") || return 1
        file=$(echo "$target"/download/*.deb)
        dpkg-deb -x "$file" "$target/$name"
        rm -rf "$target/download"
        touch "$target/$name/.done"
    done
}

# configure and make in a folder of its own: build_in FOLDER [configure's arguments]. Configures again when the arguments are others.
build_in() {
    local where=$1
    shift
    [ -x "$root/configure" ] || (cd "$root" && logged "$logs/build.log" autoreconf -fi) || return 1
    mkdir -p "$where"
    if [ ! -f "$where/Makefile" ] || [ "$(cat "$where/.configured" 2>/dev/null)" != "configure $*" ]; then
        rm -f "$where/.configured"
        (cd "$where" && logged "$logs/build.log" "$root/configure" "$@") || return 1
        [ ! -d "$where/.libs" ] || logged "$logs/build.log" make -C "$where" clean || return 1
        echo "configure $*" >"$where/.configured"
    fi
    logged "$logs/build.log" make -C "$where" -j"$(nproc)"
}
