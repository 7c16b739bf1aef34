#!/bin/bash -e
# One disk as our other image has it, from the same program: boot, root, data.
here=$BASE_DIR/kassa
name=$IMG_FILENAME$IMG_SUFFIX
boot=$STAGE_WORK_DIR/boot
arch=arm64
# shellcheck source=image/ids.sh
. "$here/image/ids.sh"

# What was mounted for commands inside of the root is no part of it.
unmount "$ROOTFS_DIR"
for file in kernel8.img kernel_2712.img initramfs8 initramfs_2712 config.txt cmdline.txt; do
    [ -s "$ROOTFS_DIR/boot/firmware/$file" ] || {
        echo "kassa: $file is missing on the boot partition" >&2
        exit 1
    }
done
update_issue "$(basename "$EXPORT_DIR")"
"$here/image/clean.sh" "$ROOTFS_DIR"
rm -rf "$boot"
mv "$ROOTFS_DIR/boot/firmware" "$boot"
mkdir "$ROOTFS_DIR/boot/firmware"
find "$ROOTFS_DIR" "$boot" -newermt "@$SOURCE_DATE_EPOCH" \
    -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# Two kernels with an initramfs each, and room for the next of each beside it.
python3 "$here/image/disk.py" --arch "$arch" --root "$ROOTFS_DIR" --boot "$boot" \
    --work "$STAGE_WORK_DIR" --disk-id "$disk_id" --partitions "${parts[@]}" --boot-mib 512

mkdir -p "$DEPLOY_DIR"
dpkg-query --admindir="$ROOTFS_DIR/var/lib/dpkg" --show \
    --showformat='${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n' \
    >"$STAGE_WORK_DIR/packages.tsv"
python3 "$here/image/sbom.py" --name "$name" --packages "$STAGE_WORK_DIR/packages.tsv" \
    >"$DEPLOY_DIR/$name.spdx.json"
zstd --quiet --force -T0 -9 "$STAGE_WORK_DIR/disk.img" -o "$DEPLOY_DIR/$name.img.zst"
rm "$STAGE_WORK_DIR/disk.img"
