#!/bin/bash -e
arch=arm64
# shellcheck source=image/ids.sh
. "$BASE_DIR/kassa/image/ids.sh"
"$BASE_DIR/kassa/image/system/lay.sh" "$ROOTFS_DIR" "${parts[@]}"
