#!/usr/bin/env bash
# Builds dist/kassa-VERSION-ARCH.img.zst: an SD card or disk that boots into the counter, from Debian's
# packages and ours alone. Usage: image/build-image.sh amd64|arm64, as root.
#
# Neither loop devices nor mounts of images are needed: file systems are made from a tree. The parts
# are kept in build/image/ARCH: disk.img, and beside it the kernel and what it is started with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
arch=${1-}
case $arch in amd64 | arm64) ;; *)
    echo 'usage: image/build-image.sh amd64|arm64' >&2
    exit 2
    ;;
esac
[ "$(id -u)" = 0 ] || {
    echo "image: a root file system has other owners than you: sudo make image ARCH=$arch" >&2
    exit 1
}
suite=trixie
work=$PWD/build/image/$arch
root=$work/root
system=$PWD/image/system
mkdir -p "$work" dist

say() { printf 'image: %s\n' "$*" >&2; }
packages() { sed 's/#.*//; /^[[:space:]]*$/d' "$@"; }

deb=$(ls dist/kassa-kiosk_*_all.deb)
version=${deb#dist/kassa-kiosk_}
version=${version%_all.deb}
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8
. image/ids.sh

# --- Debian, kept between builds ----------------------------------------------------------------

mapfile -t wanted < <(
    {
        packages "$system/packages.txt" "$system/packages-$arch.txt"
        # What ours depends on: names only, as versions are looked at when it is installed.
        dpkg-deb --field "$deb" Depends | tr ',' '\n' | sed 's/[(|].*//; s/:any//; s/ //g'
    } | sort -u
)
bootstrap=(
    mmdebstrap --quiet --format=tar --arch="$arch" --variant=minbase
    --components='main non-free-firmware' --include="$(IFS=,; echo "${wanted[*]}")"
    --aptopt='APT::Install-Recommends "false"'
    --dpkgopt='path-exclude=/usr/share/doc/*'
    --dpkgopt='path-include=/usr/share/doc/*/copyright'
    --dpkgopt='path-exclude=/usr/share/man/*'
    --dpkgopt='path-exclude=/usr/share/info/*'
    --dpkgopt='path-exclude=/usr/share/locale/*'
)
key=$(printf '%s\n' "$suite" "${bootstrap[@]}" | sha256sum | cut -c1-16)
base=$PWD/build/image/base-$arch-$key.tar
if [ ! -e "$base" ] || [ ! -e "$base.since" ]; then
    rm -f "$PWD/build/image/base-$arch-"*.tar*
    date +%s >"$base.since"
    say "fetching ${#wanted[@]} packages of Debian $suite and what they need, for $arch"
    "${bootstrap[@]}" "$suite" "$base.new"
    mv "$base.new" "$base"
fi

# --- the kiosk ------------------------------------------------------------------------------------

say 'laying out the root file system'
rm -rf "$root"
mkdir "$root"
tar --extract --file="$base" --directory="$root" --numeric-owner --exclude='./dev/*'

inside() {
    # Its own mounts, which end with it.
    # shellcheck disable=SC2016  # for the shell in there
    unshare --mount --pid --fork -- sh -ec '
        root=$1; shift
        mount -t proc proc "$root/proc"
        mount -t sysfs -o ro sys "$root/sys"
        mount -t tmpfs dev "$root/dev"
        for node in null zero full random urandom tty; do
            : >"$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"
        done
        ln -s /proc/self/fd "$root/dev/fd"
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" "$@"
    ' inside "$root" "$@"
}

settle_times() {
    # What was made here, and not by Debian, has the time of our commit: two builds are the same.
    find "$@" -newermt "@$(cat "$base.since")" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

# It stays there: an update goes back to it.
releases=/usr/lib/kassa-image/releases
install -D -m 644 -t "$root$releases" "$deb"
inside dpkg --install "$releases/${deb##*/}" >"$work/dpkg.log" 2>&1 || {
    cat "$work/dpkg.log" >&2
    exit 1
}
"$system/lay.sh" "$root" "${parts[@]}"
inside sh /install.sh
rm "$root/install.sh"

cmdline=$(sed "s/@ROOT@/${parts[1]}/" "$system/cmdline.txt")
"image/boot-$arch.sh" "$root" "$cmdline"
settle_times "$root"
# The lists of fonts name the times of their folders. One that does not fit is made anew by each
# program at its start, and thrown away, as the disk is read-only.
inside fc-cache --system-only --really-force
say 'making the initramfs'
inside update-initramfs -u -k all >"$work/initramfs.log" 2>&1 || {
    cat "$work/initramfs.log" >&2
    exit 1
}

image/clean.sh "$root"

# --- boot partition -----------------------------------------------------------------------------

boot=$work/boot
rm -rf "$boot"
mv "$root/boot/firmware" "$boot"
mkdir "$root/boot/firmware"
cp docs/kassa.example.toml "$boot/kassa.toml.example"
cp "$system/boot-README.txt" "$boot/README.txt"
printf '%s\n' "$cmdline" >"$work/cmdline"
cp "$root"/boot/vmlinuz-* "$work/vmlinuz"
cp "$root"/boot/initrd.img-* "$work/initrd"

settle_times "$root" "$boot"

say 'making the disk'
python3 image/disk.py --arch "$arch" --root "$root" --boot "$boot" --work "$work" \
    --disk-id "$disk_id" --partitions "${parts[@]}"

# --- what goes out ------------------------------------------------------------------------------

name=kassa-$version-$arch
rm -f dist/kassa-*-"$arch".img.zst* dist/kassa-*-"$arch".spdx.json
# shellcheck disable=SC2016  # dpkg-query's own words
inside dpkg-query --show --showformat='${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n' \
    >"$work/packages.tsv"
python3 image/sbom.py --name "$name" --packages "$work/packages.tsv" >"dist/$name.spdx.json"
if [ -z "${KASSA_NO_COMPRESSION-}" ]; then
    say 'compressing'
    zstd --quiet --force -T0 -9 "$work/disk.img" -o "dist/$name.img.zst"
    (cd dist && sha256sum "$name.img.zst" "$name.spdx.json" >"$name.img.zst.sha256")
    say "dist/$name.img.zst ($(stat -c %s "dist/$name.img.zst") bytes; on the card $(stat -c %s "$work/disk.img"))"
fi
