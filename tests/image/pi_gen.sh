#!/usr/bin/env bash
# Runs a stage and the export as pi-gen (branch arm64, 2026-06) would, after a stage 2 that is there
# already: the same order, the same environment, the same way into the root. What fetches is left out.
# Usage: pi_gen.sh TREE WORK. TREE is what image/build-pi-gen.sh --prepare made; WORK has stage2/rootfs.
# Wants namespaces of its own for mounts and processes (unshare --mount --pid --fork), as root.
set -e
BASE_DIR=$1
export BASE_DIR
WORK_DIR=$2
export WORK_DIR
cd "$BASE_DIR"
# shellcheck source=image/pi-gen/config
source config

export IMG_NAME IMG_DATE IMG_FILENAME RELEASE PI_GEN_RELEASE PI_GEN_REPO
export FIRST_USER_NAME FIRST_USER_PASS DISABLE_FIRST_BOOT_USER_RENAME ENABLE_SSH TARGET_HOSTNAME
export ARCH=arm64 DEPLOY_DIR=$BASE_DIR/deploy LOG_FILE=$WORK_DIR/build.log
export STAGE STAGE_DIR STAGE_WORK_DIR ROOTFS_DIR PREV_ROOTFS_DIR IMG_SUFFIX EXPORT_DIR EXPORT_ROOTFS_DIR

log() { echo "[$(date +%T)] $*" | tee -a "$LOG_FILE"; }
unmount() {
    awk -v top="$1" 'index($2 "/", top "/") == 1 {print $2}' /proc/mounts | sort -r |
        xargs --no-run-if-empty --max-args=1 umount
}
copy_previous() {
    [ -d "$PREV_ROOTFS_DIR" ]
    mkdir -p "$ROOTFS_DIR"
    rsync -aHAXx --exclude var/cache/apt/archives "$PREV_ROOTFS_DIR/" "$ROOTFS_DIR/"
}
# Unlike there, devices are only those that a program may always use: nothing here may touch the host's.
# shellcheck disable=SC2120
on_chroot() {
    local node
    if ! mountpoint -q "$ROOTFS_DIR/proc"; then
        mount -t proc proc "$ROOTFS_DIR/proc"
        mount -t tmpfs dev "$ROOTFS_DIR/dev"
        for node in null zero full random urandom tty; do
            : >"$ROOTFS_DIR/dev/$node"
            mount --bind "/dev/$node" "$ROOTFS_DIR/dev/$node"
        done
        ln -s /proc/self/fd "$ROOTFS_DIR/dev/fd"
        mkdir "$ROOTFS_DIR/dev/pts"
        mount -t devpts devpts "$ROOTFS_DIR/dev/pts"
        mount -t sysfs -o ro sys "$ROOTFS_DIR/sys"
        mount -t tmpfs run "$ROOTFS_DIR/run"
        mount -t tmpfs tmp "$ROOTFS_DIR/tmp"
    fi
    capsh --drop=cap_setfcap "--chroot=$ROOTFS_DIR/" -- -e "$@"
}
update_issue() { echo "$PI_GEN_RELEASE $IMG_DATE, $1" >"$ROOTFS_DIR/etc/rpi-issue"; }
export -f log unmount copy_previous on_chroot update_issue

# install LIST WORDS...: words are apt-get's.
install_list() {
    local names list=$1
    shift
    names=$(sed 's/#.*//' "$list" | tr -s '[:space:]' ' ')
    # shellcheck disable=SC2119  # its words come from a stage's own scripts
    on_chroot <<<"apt-get install $* -y $names"
}

run_step() {
    [ ! -f "$1-packages-nr" ] || install_list "$1-packages-nr" --no-install-recommends
    [ ! -f "$1-packages" ] || install_list "$1-packages"
    if [ -x "$1-run.sh" ]; then
        log "$PWD/$1-run.sh"
        "./$1-run.sh"
    fi
    if [ -f "$1-run-chroot.sh" ]; then
        log "$PWD/$1-run-chroot.sh"
        # shellcheck disable=SC2119
        on_chroot <"$1-run-chroot.sh"
    fi
}

run_stage() {
    local folder number
    STAGE=$(basename "$STAGE_DIR")
    STAGE_WORK_DIR=$WORK_DIR/$STAGE
    ROOTFS_DIR=$STAGE_WORK_DIR/rootfs
    mkdir -p "$STAGE_WORK_DIR"
    cd "$STAGE_DIR"
    unmount "$STAGE_WORK_DIR"
    log "$STAGE_DIR"
    [ ! -x prerun.sh ] || ./prerun.sh
    for folder in "$STAGE_DIR"/*/; do
        cd "$folder"
        for number in {00..99}; do
            run_step "$number"
        done
    done
    unmount "$STAGE_WORK_DIR"
    PREV_ROOTFS_DIR=$ROOTFS_DIR
    cd "$BASE_DIR"
}

# Stage 2 is there. Its words are split as pi-gen splits them.
PREV_ROOTFS_DIR=$WORK_DIR/stage2/rootfs
export_dirs=()
for STAGE_DIR in $STAGE_LIST; do
    STAGE_DIR=$(realpath "$STAGE_DIR")
    case $STAGE_DIR in "$BASE_DIR"/stage[012]) continue ;; esac
    run_stage
    [ ! -f "$STAGE_DIR/EXPORT_IMAGE" ] || export_dirs+=("$STAGE_DIR")
done
EXPORT_CONFIG_DIR=$(realpath "$EXPORT_CONFIG_DIR")
for EXPORT_DIR in "${export_dirs[@]}"; do
    STAGE_DIR=$EXPORT_CONFIG_DIR
    # shellcheck source=image/pi-gen/stage-kassa/EXPORT_IMAGE
    source "$EXPORT_DIR/EXPORT_IMAGE"
    EXPORT_ROOTFS_DIR=$WORK_DIR/$(basename "$EXPORT_DIR")/rootfs
    run_stage
done
