#!/bin/bash -e
# Always from stage 2 as it was: a stage that is run again must not find what it did the last time.
rm -rf --one-file-system "$ROOTFS_DIR"
copy_previous
