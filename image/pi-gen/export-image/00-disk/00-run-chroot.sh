# shellcheck shell=bash
set -u
# Stage 0 switches this off, so that a build makes each initramfs only once: now, with our boot picture.
sed -i 's/^update_initramfs=.*/update_initramfs=yes/' /etc/initramfs-tools/update-initramfs.conf
update-initramfs -c -k all </dev/null
