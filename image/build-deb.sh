#!/usr/bin/env bash
# Builds dist/kassa-kiosk_VERSION_all.deb: the program, what Debian lacks, and what makes a kiosk.
# Needs what `tools/setup.sh deb` installs. The same commit gives the same bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
work=$root/build/deb
# What Debian 13 does not have; the hash is that of requirements/run.txt.
bundled=(python-escpos)

say() { printf 'deb: %s\n' "$*" >&2; }

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' appliance/__init__.py)
if ! git describe --exact-match --match "v$version" >/dev/null 2>&1; then
    # Between releases: newer than all before, older than the release itself.
    version=$version~dev$(git rev-list --count HEAD)
fi
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

rm -rf "$work"
tree=$work/kassa
mkdir -p "$tree" "$work/wheels" dist

say "kassa-kiosk $version"
# What git knows or would add: no cache, no left-over of a test, no empty folder.
known() { git ls-files -z --cached --others --exclude-standard "$@"; }
known image/package | tar --null --files-from=- --create |
    tar --extract --directory="$tree" --strip-components=2
cat >"$tree/debian/changelog" <<CHANGELOG
kassa ($version) trixie; urgency=medium

  * See release-notes.md beside this file.

 -- Kassa maintainers <maintainers@kassa.invalid>  $(date -Rud "@$SOURCE_DATE_EPOCH")
CHANGELOG

# The simulators and the bench are the demo's, which is how a shop is shown what it gets before it has
# a terminal.
lib=$tree/files/usr/lib/kassa
known appliance web | tar --null --files-from=- --create | tar --extract --directory="$lib"
install -Dm644 -t "$tree/files/usr/lib/udev/rules.d" udev/*.rules
install -Dm644 -t "$tree/files/usr/lib/udev/hwdb.d" udev/*.hwdb
install -Dm644 -t "$tree/files/usr/lib/systemd/system" udev/*.service
install -Dm755 -t "$lib" udev/kassa-devices udev/kassa-link udev/kassa-role
# What an update asks of it (docs/updates.md), and whose signature it takes where nobody says otherwise.
.venv/bin/python -m appliance.counter.release "$version" >"$lib/release.json"
if [ -n "${KASSA_RELEASE_KEYS-}" ]; then
    install -Dm644 -t "$lib/release-keys" "$KASSA_RELEASE_KEYS"/*.pub
fi
install -Dm644 -t "$tree/files/usr/share/kassa" docs/kassa.example.toml
install -Dm644 CHANGELOG.md "$tree/files/usr/share/doc/kassa-kiosk/release-notes.md"

for name in "${bundled[@]}"; do
    # One entry of the lock, with its hashes: pip checks them.
    awk -v name="$name" '$0 ~ "^"name"==" {on=1} on {print} on && !/\\$/ {exit}' \
        requirements/run.txt >>"$work/bundled.txt"
done
say "bundling ${bundled[*]}"
.venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary :all: --dest "$work/wheels" -r "$work/bundled.txt"
for wheel in "$work"/wheels/*.whl; do
    .venv/bin/python -m zipfile -e "$wheel" "$lib/bundled"
done
# Parts that nothing here calls: a command line and what draws it in.
rm -rf "$lib"/bundled/escpos/cli.py "$lib"/bundled/*.dist-info/entry_points.txt

find "$tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
(cd "$tree" && dpkg-buildpackage --build=binary --no-sign --unsigned-changes >"$work/log" 2>&1) || {
    tail -n 30 "$work/log" >&2
    exit 1
}
deb=$work/kassa-kiosk_${version}_all.deb
rm -f dist/kassa-kiosk_*_all.deb
cp "$deb" dist/
say "dist/${deb##*/} ($(stat -c %s "$deb") bytes)"
