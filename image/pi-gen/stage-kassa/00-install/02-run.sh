#!/bin/bash -e
# Not in /tmp or /run: while something runs inside of the root, those are others.
there=$ROOTFS_DIR/kassa-build
install -d -m 700 "$there"
install -m 644 "$BASE_DIR/kassa/kassa-kiosk.deb" files/unwanted.txt "$there/"
cat "$BASE_DIR"/kassa/image/system/packages{,-raspios}.txt | sed 's/#.*//; /^[[:space:]]*$/d' >"$there/wanted"
echo kassa-kiosk >>"$there/wanted"
