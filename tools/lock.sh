#!/usr/bin/env bash
# Regenerates requirements/*.txt from requirements/*.in, for every supported Python and platform at once.
# Keeps what is locked where it still fits; `tools/lock.sh --upgrade` takes the newest of everything.
set -euo pipefail
cd "$(dirname "$0")/.."

# The resolver is no dependency of ours: it lives and dies with this script.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --only-binary :all: uv

# A lock must say the same whoever makes it: no private index, no local folder of wheels.
for name in $(compgen -e UV_ || true); do unset "$name"; done

for lock in run dev; do
    "$work/venv/bin/uv" pip compile --quiet --no-config \
        --universal --python-version 3.11 --generate-hashes --only-binary :all: \
        --custom-compile-command 'make lock' "$@" \
        --output-file "requirements/$lock.txt" "requirements/$lock.in"
done

if grep -nE '://|^--|^-[ef] ' requirements/run.txt requirements/dev.txt; then
    echo "The lock names an address or an option of this machine (above); it must hold only names and hashes." >&2
    exit 1
fi
