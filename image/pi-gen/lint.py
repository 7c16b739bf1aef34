"""Finds what breaks pi-gen's rules, as pi-gen itself says nothing of most of it: it skips what it
does not know, and the build passes without it. Prints a line for each finding; ends with 1 if any.

Rules: pi-gen's README.md ("How the build process works") and its build.sh, branch arm64, 2026-06.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
PREPARED: Final = "kassa/"
"""Where image/build-pi-gen.sh lays our folders in a copy of pi-gen."""
THEIRS: Final = ("stage0", "stage1", "stage2")

_ASSIGNMENT: Final = re.compile(r"(?:export )?([A-Z][A-Z0-9_]*)=(.*)")
_STAGE_FILES: Final = {"prerun.sh", "EXPORT_IMAGE"}
_SUB_STAGE: Final = re.compile(r"[0-9]{2}-[a-z0-9-]+")
_STEP: Final = re.compile(
    r"[0-9]{2}-(?:debconf|packages|packages-nr|patches|run\.sh|run-chroot\.sh)"
)
# Debian policy 5.6.7; pi-gen hands the words to apt-get, where "-" behind a name takes it away.
_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_PASSWORDS: Final = re.compile(
    r"\b(?:FIRST_USER_PASS|WPA_PASSWORD)=|\bchpasswd\b|\bmkpasswd\b|\bopenssl\s+passwd\b"
    r"|\b(?:useradd|usermod|adduser)\b.*\s(?:-p|--pass\w*)\b"
    r"|(?<![/\w-])passwd\s+(?!.*(?:-l|--lock)\b)"
)
_ERREXIT: Final = re.compile(r"^set -[a-z]*e", re.MULTILINE)
# A word, and not "${array[0]}" or a part of a longer one.
_OWN_NAME: Final = re.compile(r"\$0\b|\$\{0\b|\bBASH_SOURCE\b")
_STDIN: Final = re.compile(
    r"^\s*(?:while\s+)?(?:IFS=\S*\s+)?read\b|/dev/stdin|^\s*cat\s*(?:-\s*)?(?:$|[|>])"
)
_HOLDS_STDIN: Final = re.compile(r"^\s*(?:\[.*\|\|\s*)?(?:apt-get|apt|dpkg|debconf\S*|sh|bash)\s")
_HIDDEN: Final = re.compile(r"\$\{?ROOTFS_DIR\}?\"?/(?:tmp|run|proc|sys|dev)(?:/|\b)")


def lint(folder: Path) -> list[str]:
    """What is wrong in a folder with config and stages. Raises OSError when it cannot be read."""
    found = list(_lint_config(folder))
    for stage in sorted(path for path in folder.iterdir() if path.is_dir()):
        if stage.name != "__pycache__":
            found += _lint_stage(stage)
    return found


def _lint_config(folder: Path) -> Iterator[str]:
    path = folder / "config"
    if not path.is_file():
        yield f"{path}: there is none"
        return
    settings: dict[str, str] = {}
    yield from _assignments(path, settings)
    yield from _no_passwords(path)
    if not settings.get("IMG_NAME"):
        yield f"{path}: IMG_NAME is not set"
    if settings.get("DISABLE_FIRST_BOOT_USER_RENAME") != "1":
        yield f"{path}: a kiosk would ask for a user's name at its first start"
    if not _COMMIT.fullmatch(settings.get("PI_GEN_COMMIT", "")):
        yield f"{path}: PI_GEN_COMMIT is no full commit id"
    if not settings.get("PI_GEN_TAG"):
        yield f"{path}: PI_GEN_TAG is not set"
    yield from _lint_stage_list(path, settings.get("STAGE_LIST", "").split())
    export = settings.get("EXPORT_CONFIG_DIR")
    if export is not None and not (folder / export.removeprefix(PREPARED)).is_dir():
        yield f"{path}: EXPORT_CONFIG_DIR={export} is not there"


def _lint_stage_list(config: Path, stages: list[str]) -> Iterator[str]:
    if tuple(stages[: len(THEIRS)]) != THEIRS:
        # Stage 1 gives root the password "root", stage 2 takes it away.
        yield f"{config}: STAGE_LIST must begin with {' '.join(THEIRS)}"
    ours = [stage for stage in stages if stage not in THEIRS]
    if not ours or stages[-1] != ours[-1]:
        yield f"{config}: STAGE_LIST must end with a stage of ours"
    for stage in ours:
        folder = config.parent / stage.removeprefix(PREPARED)
        if not stage.startswith(PREPARED) or not folder.is_dir():
            yield f"{config}: STAGE_LIST names {stage}, which is not there"
        elif not (folder / "EXPORT_IMAGE").is_file():
            yield f"{folder}: no EXPORT_IMAGE, so no image would come out"


def _lint_stage(stage: Path) -> Iterator[str]:
    prerun = stage / "prerun.sh"
    if not prerun.is_file():
        yield f"{prerun}: there is none, so the stage would have no root file system"
    for path in sorted(stage.iterdir()):
        if path.is_dir():
            if _SUB_STAGE.fullmatch(path.name):
                yield from _lint_sub_stage(path)
            else:
                yield f"{path}: a step's folder is called NN-name"
        elif path.name not in _STAGE_FILES:
            yield f"{path}: pi-gen does not know this file, or it skips the stage"
        elif path.name == "prerun.sh":
            yield from _lint_script(path)
            if not re.search(
                r"^\s*(?:copy_previous|rsync)\b|\|\| copy_previous", path.read_text(), re.M
            ):
                yield f"{path}: nothing is copied from the stage before"
        else:
            settings: dict[str, str] = {}
            yield from _assignments(path, settings)
            if not settings.get("IMG_SUFFIX"):
                yield f"{path}: IMG_SUFFIX is not set, so the name is that of another image"


def _lint_sub_stage(folder: Path) -> Iterator[str]:
    steps = 0
    for path in sorted(folder.iterdir()):
        if path.name == "files" and path.is_dir():
            continue
        if not _STEP.fullmatch(path.name):
            yield f"{path}: pi-gen does not know this name"
            continue
        steps += 1
        kind = path.name[3:]
        if path.is_dir() != (kind == "patches"):
            yield f"{path}: a folder where a file is meant, or the other way round"
        elif kind == "run.sh":
            yield from _lint_script(path)
        elif kind == "run-chroot.sh":
            yield from _lint_chroot_script(path)
        elif kind.startswith("packages"):
            yield from _lint_packages(path)
    if not steps:
        yield f"{folder}: nothing is done here"


def _lint_script(path: Path) -> Iterator[str]:
    text = path.read_text()
    yield from _lint_shell(path)
    first = text.partition("\n")[0]
    if not first.startswith("#!/bin/bash"):
        # What pi-gen exports are functions of bash.
        yield f"{path}: its first line must be #!/bin/bash -e"
    elif not first.endswith(" -e") and not _ERREXIT.search(text):
        yield f"{path}: it goes on after an error"
    if not path.stat().st_mode & 0o100:
        yield f"{path}: not executable, so pi-gen skips it"
    if _mode_in_git(path) == "100644":
        yield f"{path}: not executable in git's index, so pi-gen skips it elsewhere"
    for number, line in _code(text):
        if _HIDDEN.search(line):
            yield f"{path}:{number}: hidden by a mount as soon as the root is entered"


def _lint_chroot_script(path: Path) -> Iterator[str]:
    """It is the standard input of `bash -e`: it has no name, and who reads from there eats it."""
    text = path.read_text()
    yield from _lint_shell(path)
    if not any(True for _ in _code(text)):
        yield f"{path}: nothing is done here"
    for number, line in _code(text):
        if _OWN_NAME.search(line):
            yield f"{path}:{number}: it comes on standard input and has no name"
        if "<" not in line and (_STDIN.search(line) or _HOLDS_STDIN.search(line)):
            yield f"{path}:{number}: this may read the rest of the script: </dev/null"


def _lint_shell(path: Path) -> Iterator[str]:
    done = subprocess.run(
        ["bash", "-n", str(path)],  # noqa: S607  # as pi-gen's own: wherever it is
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        yield f"{path}: {done.stderr.strip()}"
    yield from _no_passwords(path)


def _lint_packages(path: Path) -> Iterator[str]:
    text = path.read_text()
    if text.count("\n") < 2 and "#" in text:
        # Its sed script joins lines first, and ends where there is no second one.
        yield f"{path}: in a file of one line pi-gen takes a comment for packages"
    names = [word for line in text.splitlines() for word in line.partition("#")[0].split()]
    if not names:
        yield f"{path}: no package"
    for name in sorted(set(names)):
        if not _PACKAGE.fullmatch(name):
            yield f"{path}: {name} is no package's name"
        if names.count(name) > 1:
            yield f"{path}: {name} stands there twice"


def _assignments(path: Path, settings: dict[str, str]) -> Iterator[str]:
    """Fills `settings`. A file that is sourced by root may set names to words, and no more."""
    for number, line in _code(path.read_text()):
        match = _ASSIGNMENT.fullmatch(line)
        try:
            words = shlex.split(match[2], comments=True) if match else []
        except ValueError:
            match = None
            words = []
        if match is None or len(words) > 1 or re.search(r"[$`\\;&|<>()]", _unquoted(line)):
            yield f"{path}:{number}: not a plain NAME=word"
        elif match[1] in settings:
            yield f"{path}:{number}: {match[1]} is set twice"
        else:
            settings[match[1]] = words[0] if words else ""


def _unquoted(line: str) -> str:
    """What a shell would act upon: in double quotes that is $ and `, in single quotes nothing."""
    line = re.sub(r"'[^']*'", "", line)
    return re.sub(r'"[^"]*"', lambda quoted: re.sub(r"[^$`\\]", "", quoted[0]), line)


def _no_passwords(path: Path) -> Iterator[str]:
    for number, line in _code(path.read_text()):
        if _PASSWORDS.search(line):
            yield f"{path}:{number}: a password is set"


def _code(text: str) -> Iterator[tuple[int, str]]:
    """Commands with the number of their first line, without what is empty or a comment."""
    number = 1
    for line in re.split(r"(?<!\\)\n", text):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.replace("\\\n", " ")
        number += line.count("\n") + 1


def _mode_in_git(path: Path) -> str | None:
    """The mode that others get it with; None when git does not know the file, or is not there."""
    try:
        done = subprocess.run(
            ["git", "ls-files", "--stage", "--", path.name],  # noqa: S607  # wherever git is
            cwd=path.parent, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return None
    return done.stdout.split(" ")[0] if done.returncode == 0 and done.stdout else None


def main() -> int:
    found = lint(HERE)
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
