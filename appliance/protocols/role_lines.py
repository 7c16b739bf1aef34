"""The lines of /etc/kassa/devices, as far as the counter reads them and wishes for them.

The file is root's, and udev's script (udev/kassa-role) is its reader; a wish becomes a line of it
only when root's program (image/package, adopt.py) finds it right: docs/devices.md. A test holds
the three together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from appliance.protocols import usb_ids

ROLES: Final = ("terminal", "printer", "scanner")
"""What can be adopted. A fiscal register has no driver."""
MARK: Final = "# adopted at the counter"
"""How each line ends that root made of a wish; all others are an administrator's."""

_PORT: Final = (
    r"(?:[A-Za-z0-9:._+-]{1,160}-)?usb-0:[1-9][0-9]*(?:\.[1-9][0-9]*){0,6}"
    r"(?::[0-9]{1,3}\.[0-9]{1,3}(?:-port[0-9]{1,3})?)?"
)
_SERIAL: Final = r"[A-Za-z0-9+.:=@_-][A-Za-z0-9#+.:=@_-]{0,126}"
_WISH: Final = re.compile(
    rf"(?P<role>{'|'.join(ROLES)}) (?:(?P<kind>port) {_PORT}|serial {_SERIAL})"
    r" [0-9a-f]{4}:[0-9a-f]{4}",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Given:
    """What the file says. named: the roles that an administrator has given to somebody. adopted:
    role -> its line that was made of a wish, without the mark."""

    named: frozenset[str] = frozenset()
    adopted: Mapping[str, str] = field(default_factory=dict)


NOTHING: Final = Given()


def read(text: str) -> Given:
    """What the file says, whatever is in it."""
    named, adopted = set[str](), dict[str, str]()
    for line in text.split("\n"):
        words = line.split()
        if line.endswith(MARK) and words[0] in ROLES:
            adopted[words[0]] = line.removesuffix(MARK).strip()
        elif words and not words[0].startswith("#") and words[1:2] != ["ask"]:
            # A role that is asked for is given to nobody yet.
            named.add(words[0])
    return Given(frozenset(named), adopted)


def is_wish(line: str) -> bool:
    """Whether root would take this line."""
    return _WISH.fullmatch(line) is not None


def wishes(text: str) -> dict[str, str]:
    """Role -> its line, of a file of wishes; empty where anything in it is wrong."""
    lines = text.splitlines()
    found = {line.split(" ")[0]: line for line in lines if is_wish(line)}
    return found if len(found) == len(lines) else {}


def means(line: str, *, port: str, serial: str, model: str) -> bool:
    """Whether a wished line is for the device with these."""
    return line.split(" ")[1:] in (["serial", serial, model], ["port", port, model])


def short_port(port: str) -> str:
    """The port's number as people can find it: 1.3 of platform-xhci-hcd.1-usb-0:1.3:1.0."""
    return port.rpartition("usb-0:")[2].partition(":")[0]


def places(ports: Iterable[str]) -> dict[str, str]:
    """Port -> what to call it, so that no two are called the same: its number, with interface and
    line where that does not tell it from the others, and with its controller where that neither."""
    names = {port: _names(port) for port in ports}
    count = Counter(name for every in names.values() for name in set(every))
    return {
        port: next((name for name in every if count[name] == 1), port)
        for port, every in names.items()
    }


def _names(port: str) -> tuple[str, ...]:
    """From the shortest to the whole."""
    return short_port(port), port.rpartition("usb-0:")[2], port


def line(role: str, *, port: str, serial: str, model: str, is_shared: bool) -> str:
    """The wish that gives the role to this device and to no other: by its serial number where that
    tells it from all others, else by its port; and by its model. is_shared: another one has that
    number as well."""
    if usb_ids.tells_apart(serial) and not is_shared:
        return f"{role} serial {serial} {model}"
    return f"{role} port {port} {model}"
