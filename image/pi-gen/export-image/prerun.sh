#!/bin/bash -e
# A copy: the disk is made from a tree that has no boot partition in it and no left-overs, and the
# stage's own must stay whole. Neither a loop device nor a mount is needed then.
rm -rf --one-file-system "$ROOTFS_DIR"
mkdir -p "$ROOTFS_DIR"
rsync -aHAXx --exclude /var/cache/apt/archives "$EXPORT_ROOTFS_DIR/" "$ROOTFS_DIR/"
