#!/bin/bash -e
# The boot partition. The firmware's own settings stay, as whoever made this tag tried them.
system=$BASE_DIR/kassa/image/system
boot=$ROOTFS_DIR/boot/firmware
arch=arm64
# shellcheck source=image/ids.sh
. "$BASE_DIR/kassa/image/ids.sh"
# With the console on a serial line, which is the firmware's choice, there would be no boot picture.
echo "console=tty0 $(sed "s/@ROOT@/${parts[1]}/" "$system/cmdline.txt")" >"$boot/cmdline.txt"
{
    printf '\n[all]\n'
    cat "$system/config.txt"
} >>"$boot/config.txt"
# With these, a stock image makes accounts and opens SSH at its first start.
rm -f "$boot"/{ssh,ssh.txt,userconf,userconf.txt,user-data,meta-data,network-config,firstrun.sh}
cp "$system/boot-README.txt" "$boot/README.txt"
cp "$BASE_DIR/kassa/kassa.toml.example" "$boot/"
