# shellcheck shell=bash
set -u
sh /install.sh </dev/null
# It stays there: an update goes back to it.
install -D -m 644 /kassa-build/kassa-kiosk.deb /usr/lib/kassa-image/releases/kassa-kiosk.deb
rm -rf /install.sh /kassa-build
without_lock=$(awk -F: '$2 !~ /^[!*]/ {print $1}' /etc/shadow)
[ -z "$without_lock" ] || {
    echo "kassa: accounts with a password, or with an empty one: $without_lock" >&2
    exit 1
}
