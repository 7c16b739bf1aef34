#!/usr/bin/python3 -I
"""Puts what an enrolled kiosk has got from its desk into /etc/kassa: settings and secrets.

The counter has no right to write there, and leaves it in a folder of its own. This program, run as
root by kassa-enrol.path, takes it once, and only where the kiosk has no settings: whoever had taken
the counter over could otherwise give it others. The settings come last, as they are what makes the
kiosk enrolled; a power cut before them is made good by the next start.

Standard library only, and Python's isolated mode.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

SETTINGS: Final = Path("/etc/kassa")
ANSWER: Final = Path("/var/lib/kassa/enrolment/answer.json")
GROUP: Final = "kassa"
LARGEST: Final = 256 * 1024
CREDENTIAL: Final = "shop-token"
MORE: Final = {"terminal_password": "terminal-password", "link_keys": "link-keys"}
"""Further secrets, which a kiosk may have: as the answer names them, and as credentials."""


class Refused(Exception):
    """Nothing is taken; the text says why, and holds nothing of what was found."""


def answer(file: Path) -> dict[str, str]:
    """What was left. Raises Refused."""
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise Refused("it is no file")
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise Refused(f"it cannot be read ({error.strerror})") from None
    if len(content) > LARGEST:
        raise Refused("it is too large")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise Refused("it is not JSON") from None
    names = ("config", "token", "shop_ca", "desk")
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in names):
        raise Refused("a part is missing")
    more = {name: found.get(name, "") for name in MORE}
    if not all(isinstance(text, str) and text.isascii() for text in more.values()):
        raise Refused("a secret is none")
    return {name: found[name] for name in names} | more


def shop(text: str) -> dict[str, Any]:
    """The section [shop]; nothing where there is none. Raises Refused for what is no TOML."""
    try:
        section = tomllib.loads(text).get("shop", {})
    except (ValueError, RecursionError):
        raise Refused("the settings are no TOML") from None
    return section if isinstance(section, dict) else {}


def is_new(file: Path) -> bool:
    """Whether the kiosk belongs to no shop yet. A file with a mistake is an administrator's."""
    try:
        return "url" not in shop(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return True
    except (Refused, UnicodeDecodeError):
        return False


def put(file: Path, text: str, mode: int, group: str = "") -> None:
    """The file has all of this text, on disk, or is as it was. Raises OSError."""
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(text.encode())
        if group:
            shutil.chown(part, group=group)
        os.fchmod(stream.fileno(), mode)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def take(settings: Path, left: Path, group: str = GROUP) -> None:
    """Take what was left, once. Raises Refused, OSError."""
    found = answer(left)
    file = settings / "kassa.toml"
    if not is_new(file):
        if file.read_bytes() == found["config"].encode():
            return  # the power went between the settings and the end
        raise Refused("this kiosk has settings: `kassa enrol again` gives them up")
    section = shop(found["config"])
    if "url" not in section or section.get("token_credential") != CREDENTIAL:
        raise Refused("the settings name no shop")
    token, desk = found["token"], found["desk"]
    if not (
        token.isascii() and token.isprintable() and 0 < len(token) <= 4096 and " " not in token
    ):
        raise Refused("the token is none")
    if len(desk) != 64 or not set(desk) <= set("0123456789abcdef"):
        raise Refused("the desk has no key")
    credentials = settings / "credentials"
    credentials.mkdir(mode=0o700, exist_ok=True)
    put(credentials / CREDENTIAL, token + "\n", 0o600)
    for name, credential in MORE.items():
        if found[name]:
            put(credentials / credential, found[name].strip() + "\n", 0o600)
    if found["shop_ca"]:
        put(settings / "shop-ca.pem", found["shop_ca"], 0o644)
    put(settings / "enrolment-desk", desk + "\n", 0o644)
    put(file, found["config"], 0o640, group)


def discard(left: Path) -> None:
    """Whatever it is. Raises OSError."""
    if left.is_dir() and not left.is_symlink():
        left.rmdir()  # one with something in it stays, and the unit with it
    else:
        left.unlink(missing_ok=True)


def main(settings: Path = SETTINGS, left: Path = ANSWER, group: str = GROUP) -> int:
    """The exit status: 0 where the kiosk has what was left, 1 where nothing was taken. Raises
    OSError where the disk refuses: what was left stays, and is taken at the next start."""
    try:
        take(settings, left, group)
    except Refused as why:
        print(f"not taken: {why}", file=sys.stderr)
        discard(left)  # or the path unit would call again at once
        return 1
    (settings / "enrol.txt").unlink(missing_ok=True)  # its code is used
    discard(left)
    print("enrolled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
