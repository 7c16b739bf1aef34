#!/bin/sh
# Lays the image's own files over a system that has kassa-kiosk, and install.sh, which is to be run
# inside of it next. Usage: lay.sh ROOT BOOT ROOT-PARTITION DATA, the last three being PARTUUIDs.
set -eu
system=${0%/*}
cp -R --no-preserve=ownership "$system/files/." "$1/"
sed -i "s/@BOOT@/$2/; s/@ROOT@/$3/; s/@DATA@/$4/" "$1/etc/fstab"
cp "$system/install.sh" "$1/install.sh"
