#!/usr/bin/env bash
# Removes what a build leaves: logs, caches, copies of lists, and times of this minute.
# Usage: image/clean.sh ROOT.
set -euo pipefail
root=${1:?}
rm -rf "$root"/var/log/* "$root"/var/cache/{apt,debconf,ldconfig,man}/* "$root"/var/lib/apt/lists/* \
    "$root"/tmp/* "$root"/var/tmp/* "$root"/run/* "$root"/var/lib/dpkg/*-old \
    "$root"/var/lib/systemd/{catalog/database,random-seed} "$root/etc/"*- "$root"/var/lib/debconf/*-old \
    "$root"/boot/*.old
