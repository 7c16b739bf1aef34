#!/usr/bin/env bash
# Prepares the checkout: .venv with hash-checked wheels, and what the tests need from the system.
# Usage: tools/setup.sh demo|check|test|deb|image ARCH|image-test ARCH. `make` calls it; a second run finds its stamps and does nothing.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"
venv=$root/.venv
stamps=$venv/.kassa # a folder; it also says that this .venv is ours to replace

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
    say "$@"
    exit 1
}

# Runs Python so that Ctrl-C ends it without a page of traceback: in a group of its own, which gets
# SIGTERM instead.
quietly() {
    local status=0
    set -m
    "$@" </dev/null &
    set +m
    trap 'kill -TERM -- "-$!" 2>/dev/null; exit 130' INT TERM HUP
    wait "$!" || status=$?
    trap - INT TERM HUP
    return "$status"
}

# --- packages of the system -------------------------------------------------------------------

# How apt may be run here: directly as root, through sudo without a password, or not unasked.
apt_mode() {
    if ! command -v apt-get >/dev/null; then
        echo none
    elif [ "$(id -u)" = 0 ]; then
        echo root
    elif ! command -v sudo >/dev/null; then
        echo none
    elif sudo -n true 2>/dev/null; then
        echo sudo
    else
        echo ask
    fi
}

# apt_install may-ask|no-questions PACKAGE...: true when apt installed them.
apt_install() {
    local questions=$1 mode as_root=() answer
    shift
    mode=$(apt_mode)
    case $mode in
        none) return 1 ;;
        sudo) as_root=(sudo -n) ;;
        ask)
            [ "$questions" = may-ask ] && [ -t 0 ] || return 1
            printf 'setup: install %s with apt (sudo will ask for your password)? [Y/n] ' "$*" >&2
            read -r answer || return 1
            case $answer in [nN]*) return 1 ;; esac
            as_root=(sudo)
            ;;
    esac
    say "installing with apt: $*"
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@")
    local log
    log=$(mktemp)
    # The package lists are fetched only when the first try fails: they are missing or out of date.
    if "${as_root[@]}" "${install[@]}" >"$log" 2>&1 ||
        { "${as_root[@]}" apt-get update -qq >"$log" 2>&1 && "${as_root[@]}" "${install[@]}" >"$log" 2>&1; }; then
        rm -f "$log"
        return 0
    fi
    tail -n 5 "$log" >&2
    rm -f "$log"
    return 1
}

# --- Python -----------------------------------------------------------------------------------

# Version and the two modules that a virtual environment needs; Debian packs those apart.
fitness() {
    "$1" -c '
import sys
if not (3, 11) <= sys.version_info[:2] <= (3, 14):  # as far as the locked wheels go
    sys.exit(1)
try:
    import ensurepip, venv
except ImportError:
    print("no-venv")
else:
    print("ready")
' 2>/dev/null || echo unfit
}

# Prints the Python to use, or fails. Newer ones come after python3: the system's own is the one users know.
find_python() {
    local name
    for name in python3 python3.13 python3.14 python3.12 python3.11; do
        if command -v "$name" >/dev/null && [ "$(fitness "$name")" = "$1" ]; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

choose_python() {
    local bare package
    if find_python ready; then
        return 0
    fi
    if ! bare=$(find_python no-venv); then
        die "Python 3.11 to 3.14 is needed and was not found. Cure on Debian 12 or newer: sudo apt-get install python3 python3-venv"
    fi
    package=python3-venv
    # The system's python3 has its venv in python3-venv, any other in a package with its version.
    [ "${bare##*/}" = python3 ] || package=${bare##*/}-venv
    say "$bare cannot make virtual environments: the package $package is missing."
    apt_install may-ask "$package" || die "Cure: sudo apt-get install $package"
    find_python ready || die "$package is installed, but $bare still cannot make virtual environments."
}

# What the environment was made from; when any of it changes, the environment is made anew.
fingerprint() {
    printf '%s\n' "$root"
    readlink -f "$venv/bin/python" || true # an upgrade of the system may put another version there
    cksum requirements/run.txt requirements/dev.txt tools/setup.sh
}

fresh_venv() {
    local python
    python=$(choose_python)
    if [ -e "$venv" ] && [ ! -d "$stamps" ]; then
        die ".venv was not made by this script. Cure: move it away or remove it, then run again."
    fi
    rm -rf "$venv"
    mkdir -p "$stamps"
    say "creating .venv with $("$python" --version)"
    quietly "$python" -m venv "$venv"

    # The checkout itself: a path file and a starter. `pip install -e` would fetch a build backend.
    "$venv/bin/python" - "$root" <<'PYTHON'
import pathlib, sys, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "kassa.pth").write_text(sys.argv[1] + "\n")
PYTHON
    cat >"$venv/bin/kassa" <<'STARTER'
#!/bin/sh
# -P: a folder named like one of our packages, where the user happens to stand, is not ours.
# Ctrl-C while it still imports ends it without a traceback; commands that listen for it do so later.
exec "$(dirname "$(readlink -f "$0")")/python" -P -c '
import signal, sys
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.argv[0] = "kassa"
from appliance.cli import main
sys.exit(main())' "$@"
STARTER
    chmod +x "$venv/bin/kassa"
    fingerprint >"$stamps/fingerprint"
}

# install_lock run|dev
install_lock() {
    [ ! -e "$stamps/$1" ] || return 0
    say "installing $(grep -c '^[a-z0-9].*==' "requirements/$1.txt") packages from requirements/$1.txt"
    # A user's index, proxy or certificate stays in force; what would put packages elsewhere or
    # change the choice does not. The lock is the whole choice, hence --no-deps.
    (
        unset PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_BUILD_CONSTRAINT PIP_REQUIREMENT \
            PIP_EDITABLE PIP_NO_BINARY PIP_DRY_RUN PIP_IGNORE_INSTALLED PIP_UPGRADE PIP_PLATFORM \
            PIP_PYTHON_VERSION PIP_ABI PIP_IMPLEMENTATION PIP_QUIET PIP_VERBOSE PYTHONHOME PYTHONPATH
        # Set, not unset: this also overrules a configuration file.
        export PIP_USER=0 PIP_CONSTRAINT=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1
        quietly "$venv/bin/python" -m pip install --quiet --no-input --progress-bar off \
            --require-hashes --only-binary :all: --no-deps -r "requirements/$1.txt" &&
            { problems=$("$venv/bin/python" -m pip check) || { echo "$problems" >&2 && false; }; }
    ) || {
        [ $? != 130 ] || exit 130 # Ctrl-C
        die "installing from requirements/$1.txt failed; the reason stands above."
    }
    touch "$stamps/$1"
}

# --- what the tests and the screens need besides Python ---------------------------------------

have_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# The fonts of the screens. Without them a screen looks different but works, so this never fails.
install_fonts() {
    [ ! -e "$stamps/fonts-$1" ] || return 0
    local name missing=()
    if command -v dpkg-query >/dev/null; then
        for name in fonts-inter fonts-dejavu-core; do
            have_package "$name" || missing+=("$name")
        done
        if [ ${#missing[@]} -gt 0 ] && ! apt_install "$1" "${missing[@]}"; then
            say "the screens' fonts are missing and another font stands in. Cure: sudo apt-get install ${missing[*]}"
        fi
    fi
    touch "$stamps/fonts-$1"
}

# A Chromium that really starts. Ubuntu's is a snap, or a stub for one: it cannot read our files.
system_chromium() {
    local name path
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        path=$(command -v "$name") || continue
        case $(readlink -f "$path") in */snap*) continue ;; esac
        if head -c 4096 "$path" | grep -aq 'snap install'; then continue; fi
        if timeout 30 "$path" --version >/dev/null 2>&1; then
            printf '%s\n' "$path"
            return 0
        fi
    done
    return 1
}

# .venv/chromium tells the tests which browser to start; empty means Playwright's own.
install_chromium() {
    local path=
    if [ -e "$venv/chromium" ]; then
        path=$(<"$venv/chromium")
        if [ -z "$path" ] || [ -x "$path" ]; then return 0; fi
    fi
    if ! path=$(system_chromium); then
        path=
        # shellcheck disable=SC1091  # the system's own description, not a script of ours
        if [ "$(. /etc/os-release && echo "${ID:-}")" != ubuntu ] && apt_install may-ask chromium; then
            path=$(system_chromium) || path=
        fi
        if [ -z "$path" ]; then
            say "no Chromium from the system; fetching the one that Playwright brings"
            "$venv/bin/playwright" install chromium >&2 ||
                die "the screens' tests need a browser. Cure: install Chromium or Google Chrome, not as a snap"
        fi
    fi
    printf '%s' "$path" >"$venv/chromium"
}

# wish COMMAND PACKAGE WHAT: what some tests need. Without it those are left out, and say so; this
# never fails.
wish() {
    if [ -e "$stamps/$2" ] || command -v "$1" >/dev/null; then return 0; fi
    if ! apt_install may-ask "$2"; then
        say "$3 need $2 and are left out. Cure: sudo apt-get install $2"
    fi
    touch "$stamps/$2"
}

# The shop's plugin is PHP over MariaDB, and tested so. As `wish`, but of several packages.
wish_php() {
    local packages=(php-cli php-mysql mariadb-server)
    [ ! -e "$stamps/php" ] || return 0
    if ! command -v php >/dev/null || ! php -m | grep -qx mysqli || ! PATH=$PATH:/usr/sbin command -v mariadbd >/dev/null; then
        apt_install may-ask "${packages[@]}" ||
            say "the tests of the WordPress plugin need ${packages[*]} and are left out. Cure: sudo apt-get install ${packages[*]}"
    fi
    touch "$stamps/php"
}

# A Prometheus for the tests of the fleet's rules and dashboard. Debian's package is unpacked and not
# installed: it would start a server of its own.
wish_prometheus() {
    local folder=$venv/prometheus as_root=()
    [ ! -e "$stamps/prometheus" ] || return 0
    if ! { command -v prometheus && command -v promtool; } >/dev/null; then
        say "unpacking Debian's prometheus into .venv"
        rm -rf "$folder"
        mkdir -p "$folder"
        [ "$(apt_mode)" != sudo ] || as_root=(sudo -n)
        (
            cd "$folder"
            { apt-get download -qq prometheus || { "${as_root[@]}" apt-get update -qq && apt-get download -qq prometheus; }; } &&
                dpkg -x prometheus_*.deb . && rm prometheus_*.deb
        ) >/dev/null 2>&1 ||
            say "the tests with a real Prometheus need its package and are left out. Cure: sudo apt-get install prometheus"
    fi
    touch "$stamps/prometheus"
}

install_shellcheck() {
    if [ -x "$venv/bin/shellcheck" ] || command -v shellcheck >/dev/null; then return 0; fi
    apt_install may-ask shellcheck || die "the checks need shellcheck. Cure: sudo apt-get install shellcheck"
}

# need WHAT PACKAGE...: Debian's packages, or the end.
need() {
    local what=$1 name missing=()
    shift
    command -v dpkg-query >/dev/null || die "$what needs Debian or Ubuntu"
    for name in "$@"; do
        have_package "$name" || missing+=("$name")
    done
    [ ${#missing[@]} = 0 ] || apt_install may-ask "${missing[@]}" ||
        die "$what needs more. Cure: sudo apt-get install ${missing[*]}"
}

# A foreign processor's programs run through QEMU, which the kernel must have been told of.
need_foreign() {
    [ "$1" != "$(dpkg --print-architecture)" ] || return 0
    local handlers=/proc/sys/fs/binfmt_misc
    # Mounted before the package comes, which registers itself only then.
    [ -e "$handlers/register" ] || mount -t binfmt_misc binfmt_misc "$handlers" ||
        die "programs for $1 cannot run here: $handlers cannot be mounted"
    need "an image for $1" qemu-user-static binfmt-support
    update-binfmts --enable qemu-aarch64 || die "programs for $1 cannot run here"
}

# ----------------------------------------------------------------------------------------------

usage='usage: tools/setup.sh demo|check|test|deb, or image|image-test amd64|arm64'
case ${1-}:${2-} in
    demo: | check: | test: | deb: | image:a*64 | image-test:a*64) ;;
    *) die "$usage" ;;
esac

if [ ! -x "$venv/bin/python" ] || [ "$(fingerprint)" != "$(cat "$stamps/fingerprint" 2>/dev/null)" ]; then
    fresh_venv
fi
case $1 in
    demo)
        # dev.txt holds all that run.txt does
        [ -e "$stamps/dev" ] || install_lock run
        install_fonts no-questions
        ;;
    check)
        install_lock dev
        install_shellcheck
        wish ansible-lint ansible-lint 'the checks of Ansible'
        ;;
    deb)
        [ -e "$stamps/dev" ] || install_lock run
        need 'the package' build-essential debhelper dh-python dpkg-dev po-debconf
        ;;
    image)
        need 'an image' arch-test cpio dosfstools e2fsprogs fdisk mmdebstrap mtools util-linux zstd
        need_foreign "$2"
        ;;
    image-test)
        case $2 in
            amd64) need 'booting an image' qemu-system-x86 qemu-utils ovmf ;;
            arm64) need 'booting an image' qemu-system-arm qemu-utils qemu-efi-aarch64 ;;
        esac
        need 'working an image' ansible-core lintian mtools openssh-client openssl
        ;;
    test)
        install_lock dev
        install_fonts may-ask
        install_chromium
        [ ! -e /dev/fuse ] || wish fusermount3 fuse3 'the tests with power cuts'
        wish systemd-hwdb udev "the tests of the devices' models"
        wish xdg-open xdg-utils 'the tests of links in a browser'
        wish_php
        wish ansible-playbook ansible-core 'the tests of Ansible'
        wish_prometheus
        # Debian's npm brings its nodejs: 18 on Debian 12, 20 on Debian 13. Both are enough.
        wish npm npm 'the tests with a real Vendure'
        ;;
esac
