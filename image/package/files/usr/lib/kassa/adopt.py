#!/usr/bin/python3 -I
"""Gives the devices that were confirmed at the counter their roles: what the counter wants, from a
file of its own, becomes lines of /etc/kassa/devices.

The counter may not write there, and root does not believe it: a file that is not exactly what
docs/devices.md says is not taken at all. An administrator's line wins: of a role that one names,
nothing is adopted. Run as root by kassa-adopt.path, and once at each start.

Standard library only, and Python's isolated mode.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Final

WANTED: Final = Path("/var/lib/kassa/devices/wanted")
DEVICES: Final = Path("/etc/kassa/devices")
APPLY: Final = "/usr/lib/kassa/kassa-devices"
APPLY_S: Final = 45.0
LARGEST_WANTED: Final = 2048
ROLES: Final = ("terminal", "printer", "scanner")
LARGEST: Final = 16 * 1024
MOST_LINES: Final = 64
"""kassa-role's bounds: a file beyond them gives no role to anyone."""
MARK: Final = "# adopted at the counter"
"""How each of our lines ends; all others are an administrator's, and stay as they are."""

_PORT: Final = (
    r"port (?:[A-Za-z0-9:._+-]{1,160}-)?usb-0:[1-9][0-9]*(?:\.[1-9][0-9]*){0,6}"
    r"(?::[0-9]{1,3}\.[0-9]{1,3}(?:-port[0-9]{1,3})?)?"
)
_SERIAL: Final = r"serial [A-Za-z0-9+.:=@_-][A-Za-z0-9#+.:=@_-]{0,126}"
_LINE: Final = re.compile(
    rf"({'|'.join(ROLES)}) (?:{_PORT}|{_SERIAL}) [0-9a-f]{{4}}:[0-9a-f]{{4}}", re.ASCII
)


class Refused(Exception):
    """Nothing is changed; its text says why, and repeats nothing of what was read."""


def content(file: Path, largest: int) -> str:
    """What a regular file holds, and no link's target: whoever owns its folder can put anything
    there. Raises Refused, and FileNotFoundError."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}") from None
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Refused(f"{file}: is no file")
        read = stream.read(largest + 1)
    if len(read) > largest:
        raise Refused(f"{file}: has more than {largest} bytes")
    try:
        return read.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{file}: is not UTF-8") from None


def wanted_lines(text: str) -> dict[str, str]:
    """Role -> its line. Raises Refused for a text with anything else in it."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None or match[1] in found:
            raise Refused(f"line {number}: no role with a device, or a role twice")
        found[match[1]] = line
    return found


def merged(devices: str, wanted: dict[str, str]) -> str:
    """The file with these adopted lines in the place of earlier ones. Raises Refused when
    kassa-role would not read it."""
    lines = devices.removesuffix("\n").split("\n") if devices else []
    theirs = [line for line in lines if not line.endswith(MARK)]
    # A role that is asked for is given to nobody yet.
    named = {words[0] for line in theirs if (words := line.split()) and words[1:2] != ["ask"]}
    ours = [f"{line} {MARK}" for role, line in sorted(wanted.items()) if role not in named]
    text = "".join(f"{line}\n" for line in [*theirs, *ours])
    if len(text.encode()) > LARGEST or text.count("\n") > MOST_LINES:
        raise Refused("the file of roles would be too large")
    return text


def write(file: Path, text: str) -> None:
    """In the place of the old one, and on the disk. The folder keeps it from who shall not read."""
    new = file.with_name(f".{file.name}.new")
    with new.open("w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), 0o644)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def adopt(wanted: Path = WANTED, devices: Path = DEVICES) -> bool:
    """Whether the file of roles is another one now. Raises Refused, OSError."""
    try:
        lines = wanted_lines(content(wanted, LARGEST_WANTED))
    except FileNotFoundError:
        return False  # nothing was ever confirmed here
    try:
        before = content(devices, LARGEST)
    except FileNotFoundError:
        before = ""
    after = merged(before, lines)
    if after == before:
        return False
    write(devices, after)
    return True


def main() -> int:
    try:
        is_new = adopt()
    except (Refused, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if is_new:
        subprocess.run([APPLY], check=True, timeout=APPLY_S)
        print("the devices have new roles", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
