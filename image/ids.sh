# shellcheck shell=bash
# Identifiers of the disk and of its three partitions (boot, root, data), for $arch. Known beforehand,
# so that two builds are alike; what must differ from box to box is made on the box.
# shellcheck disable=SC2034  # for whoever reads this file
disk_id=4b617373
# shellcheck disable=SC2154
case $arch in
    arm64) parts=("$disk_id-01" "$disk_id-02" "$disk_id-03") ;;
    amd64) parts=(4b617373-6121-4000-8000-00000000000{1,2,3}) ;;
esac
