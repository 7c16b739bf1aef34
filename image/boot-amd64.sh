#!/bin/sh
# How a PC starts: UEFI firmware, systemd-boot, one entry. Usage: boot-amd64.sh ROOT CMDLINE.
set -eu
root=$1
cmdline=$2
boot=$root/boot/firmware

install -D -m 644 "$root/usr/lib/systemd/boot/efi/systemd-bootx64.efi" "$boot/EFI/BOOT/BOOTX64.EFI"
mkdir -p "$boot/loader/entries"
printf 'default kassa.conf\ntimeout 0\neditor no\nauto-firmware no\n' >"$boot/loader/loader.conf"
printf 'title Kassa\nlinux /vmlinuz\ninitrd /initrd.img\noptions %s\n' "$cmdline" \
    >"$boot/loader/entries/kassa.conf"

# The newest kernel and its initramfs go to the boot partition each time one of them is made.
mkdir -p "$root/etc/initramfs/post-update.d"
cat >"$root/etc/initramfs/post-update.d/kassa-boot" <<'HOOK'
#!/bin/sh
# Called with the kernel's version and the initramfs that was just made.
set -eu
for pair in "/boot/vmlinuz-$1:vmlinuz" "$2:initrd.img"; do
    cp "${pair%:*}" "/boot/firmware/${pair#*:}.new"
    sync "/boot/firmware/${pair#*:}.new"
    mv "/boot/firmware/${pair#*:}.new" "/boot/firmware/${pair#*:}"
done
HOOK
chmod 755 "$root/etc/initramfs/post-update.d/kassa-boot"
