#!/bin/sh
# Makes a Debian or Raspberry Pi OS system into a kiosk's image. Run inside of it, as root, with
# kassa-kiosk installed and files/ laid over it: by ../build-image.sh and by the pi-gen stage alike.
# Needs neither network nor a running system.
set -eu

# The one that only ever shows the counter: no login, and no text before it.
systemctl --quiet mask ctrl-alt-del.target getty@tty1.service systemd-machine-id-commit.service \
    systemd-firstboot.service sshd-keygen.service
systemctl --quiet set-default graphical.target
# What would write to a disk or fetch in the background. Updates come from whoever runs the fleet.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer man-db.timer systemd-pstore.service rsync.service \
    NetworkManager-wait-online.service systemd-networkd-wait-online.service \
    NetworkManager-dispatcher.service ModemManager.service avahi-daemon.service bluetooth.service \
    cups.service triggerhappy.service userconfig.service userconf.service rpi-resize.service \
    systemd-random-seed.service systemd-rfkill.service systemd-rfkill.socket \
    systemd-backlight@.service systemd-journal-gatewayd.socket systemd-journal-remote.socket; do
    systemctl --quiet mask "$unit"
done
systemctl --quiet disable wpa_supplicant.service  # NetworkManager starts it where there is a radio
systemctl --quiet enable kassa-grow.service kassa-import.service kassa-storage.timer ssh.service \
    NetworkManager.service systemd-timesyncd.service seatd.service

# No account has a password, and root's home is in memory.
passwd --quiet --lock root
echo kassa >/etc/hostname
printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 kassa\n' >/etc/hosts

# Written at each start, so it is a link into memory. The machine's id is made at each start.
ln -sf /run/NetworkManager/resolv.conf /etc/resolv.conf
: >/etc/machine-id
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub /var/lib/dbus/machine-id

# Where things of the data partition and of memory are mounted.
ln -sfn /data/update /var/lib/kassa-update
mkdir -p /data /boot/firmware /var/lib/kassa /var/lib/kassa-links /etc/kassa /var/lib/NetworkManager \
    /var/lib/systemd/timesync /etc/NetworkManager/system-connections
# Folders that services of systemd make at their start, and cannot here.
mkdir -p /var/lib/systemd/linger /var/lib/systemd/timers /var/lib/systemd/network

if [ -x /usr/sbin/plymouth-set-default-theme ]; then
    plymouth-set-default-theme kassa
fi
