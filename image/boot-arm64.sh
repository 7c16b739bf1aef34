#!/bin/sh
# How a Raspberry Pi 4 starts: its firmware reads the boot partition, which Debian's raspi-firmware
# fills each time that a kernel or initramfs is made. Usage: boot-arm64.sh ROOT CMDLINE.
set -eu
root=$1
cmdline=$2

# CMA=0: reserving memory for graphics by hand keeps a Pi 4 from starting, and here nobody can tell
# raspi-firmware that it is one.
cat >"$root/etc/default/raspi-firmware" <<SETTINGS
CMA=0
ROOTPART=$(echo "$cmdline" | sed 's/^root=\([^ ]*\).*/\1/')
CONSOLES="tty0"
SETTINGS
# The last of two contrary words counts: "ro" stands behind raspi-firmware's own "rw".
echo "$cmdline" | sed 's/^root=[^ ]* //' >"$root/etc/default/raspi-extra-cmdline"
cp "${0%/*}/system/config.txt" "$root/etc/default/raspi-firmware-custom"
