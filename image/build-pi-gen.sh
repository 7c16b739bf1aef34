#!/usr/bin/env bash
# Builds dist/kassa-VERSION-raspios.img.zst: an SD card for a Raspberry Pi 4 or 5, from Raspberry Pi OS
# and our package. Usage: image/build-pi-gen.sh [--prepare DIR].
#
# pi-gen, Raspberry Pi's own tool, does it in Docker (image/pi-gen/README.md). With --prepare our parts
# are only laid into DIR, which holds a copy of pi-gen; nothing is fetched and nothing is built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'pi-gen: %s\n' "$*" >&2; }
die() {
    say "$@"
    exit 1
}

python3 image/pi-gen/lint.py || die 'the stage breaks rules of pi-gen; nothing was built'
# shellcheck source=image/pi-gen/config
. image/pi-gen/config

debs=(dist/kassa-kiosk_*_all.deb)
[ -e "${debs[0]}" ] && [ ${#debs[@]} = 1 ] || die 'one package must be in dist/: make deb'
version=${debs[0]#dist/kassa-kiosk_}
version=${version%_all.deb}
name=kassa-$version-raspios
epoch=$(git log -1 --format=%ct)

# prepare DIR: lays our stage, the package and image/ into a copy of pi-gen, as kassa/.
prepare() {
    local tree=$1
    [ -x "$tree/build-docker.sh" ] && [ -d "$tree/stage2" ] && [ -f "$tree/Dockerfile" ] ||
        die "$tree is no copy of pi-gen"
    rm -rf "$tree/kassa"
    mkdir -p "$tree/kassa/image"
    # The lists of packages are links to those of our other image.
    cp -RL image/pi-gen/stage-kassa image/pi-gen/export-image "$tree/kassa/"
    cp -R image/system image/disk.py image/sbom.py image/ids.sh image/clean.sh "$tree/kassa/image/"
    cp "${debs[0]}" "$tree/kassa/kassa-kiosk.deb"
    cp docs/kassa.example.toml "$tree/kassa/kassa.toml.example"
    # As they are in the image, whatever the umask of whoever checked this out.
    chmod -R u=rwX,go=rX "$tree/kassa"
    # Only our own image goes out, not Raspberry Pi OS Lite as well.
    touch "$tree/stage2/SKIP_IMAGES"
    (
        umask 077
        {
            cat image/pi-gen/config
            printf 'IMG_FILENAME=%s\nIMG_DATE=%s\n' "kassa-$version" "$(date -ud "@$epoch" +%F)"
            printf 'export SOURCE_DATE_EPOCH=%s\n' "$epoch"
            # Random, known to nobody, and gone with its user before an image is made.
            printf 'FIRST_USER_PASS=%s\n' "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
        } >"$tree/config"
    )
    # What makes our disk, in the container that pi-gen builds in.
    grep -q '^# kassa$' "$tree/Dockerfile" || cat >>"$tree/Dockerfile" <<'DOCKERFILE'

# kassa
RUN apt-get -y update && apt-get -y install --no-install-recommends \
    dosfstools e2fsprogs fdisk mtools python3 rsync zstd && rm -rf /var/lib/apt/lists/*
DOCKERFILE
}

case ${1-} in
    --prepare)
        prepare "${2:?"--prepare needs a folder"}"
        exit
        ;;
    '') ;;
    *) die 'usage: image/build-pi-gen.sh [--prepare DIR]' ;;
esac

tree=$PWD/build/pi-gen
case $tree in *[[:space:]]*) die 'pi-gen cannot work in a folder with a space in its name' ;; esac
rm -rf "$tree"
say "fetching $PI_GEN_TAG"
git -c advice.detachedHead=false clone --quiet --depth 1 --branch "$PI_GEN_TAG" "$PI_GEN_REPO" "$tree"
commit=$(git -C "$tree" rev-parse --verify 'HEAD^{commit}')
[ "$commit" = "$PI_GEN_COMMIT" ] || {
    rm -rf "$tree"
    die "$PI_GEN_TAG is not the commit that we know: $commit, not $PI_GEN_COMMIT"
}
prepare "$tree"

say 'building in Docker; this takes an hour or more'
(cd "$tree" && CONTAINER_NAME=kassa_pi_gen ./build-docker.sh)
[ -s "$tree/deploy/$name.img.zst" ] || die "no image came out: see $tree/deploy/build-docker.log"
rm -f dist/kassa-*-raspios.*
cp "$tree/deploy/$name.img.zst" "$tree/deploy/$name.spdx.json" dist/
(cd dist && sha256sum "$name.img.zst" "$name.spdx.json" >"$name.img.zst.sha256")
say "dist/$name.img.zst ($(stat -c %s "dist/$name.img.zst") bytes)"
