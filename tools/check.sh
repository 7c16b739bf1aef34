#!/usr/bin/env bash
# All linters, one after the other. Each runs whatever the others found; any finding fails the whole.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
PATH=$PWD/.venv/bin:$PATH

# What git knows or would add: no virtual environment, no build folder.
mapfile -d '' files < <(git ls-files -z --cached --others --exclude-standard)
shell_files=() yaml_files=()
for file in "${files[@]}"; do
    case ${file##*/} in
        *.yml | *.yaml | .yamllint) yaml_files+=("$file") ;;
        *.sh | *.config | *.postinst | *.postrm | *.prerm) shell_files+=("$file") ;;
        *.*) ;;
        *) # no suffix: a script when its first line says so
            first=
            [ ! -f "$file" ] || IFS= read -r first <"$file"
            case $first in '#!'*sh) shell_files+=("$file") ;; esac
            ;;
    esac
done

failed=()
check() {
    local name=$1 started=$SECONDS
    shift
    printf -- '--- %s\n' "$name"
    "$@" || failed+=("$name")
    printf '    %s s\n' $((SECONDS - started))
}

check 'ruff format' ruff format --check --quiet .
check 'ruff check' ruff check --quiet .
check 'mypy' mypy
check 'lint-imports' lint-imports --no-logo
check 'shellcheck' shellcheck --external-sources "${shell_files[@]}"
check 'pi-gen' python3 image/pi-gen/lint.py
[ ${#yaml_files[@]} = 0 ] || check 'yamllint' yamllint --strict "${yaml_files[@]}"
# The system's, with the system's Python: it is not in .venv. -q tells findings, and nothing else.
if command -v ansible-lint >/dev/null; then
    check 'ansible-lint' env --chdir=ansible \
        ansible-lint --offline --profile production --nocolor -q site.yml roles inventories
elif [ -n "${KASSA_CI-}" ]; then
    echo 'check: ansible-lint is missing'
    failed+=('ansible-lint')
else
    echo 'check: NOT CHECKED: ansible, as ansible-lint is missing'
fi

if [ ${#failed[@]} -gt 0 ]; then
    printf 'check: failed: %s\n' "$(IFS=,; echo "${failed[*]}")"
    exit 1
fi
echo 'check: all passed'
