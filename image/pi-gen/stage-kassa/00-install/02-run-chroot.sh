# shellcheck shell=bash
set -u
export DEBIAN_FRONTEND=noninteractive
apt-get install --yes --no-install-recommends /kassa-build/kassa-kiosk.deb </dev/null
