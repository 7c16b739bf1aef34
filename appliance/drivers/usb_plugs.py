"""What is plugged in at USB, as the kernel and udev tell it: files are read, no device is opened.

A node counts once udev has looked at it. Its role, its serial number and its port are udev's words,
so that they are the same as in /etc/kassa/devices; the names are the device's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.ports import Plugged
from appliance.protocols import usb_ids
from appliance.protocols.usb_ids import KEYS, PRINTER_CLASS, SERIAL, Said

ROLES: Final = ("terminal", "printer", "scanner", "fiscal")
NODES_MOST: Final = 64
"""Of each sort; a counter has a handful. What is beyond is not looked at."""
LARGEST: Final = 4096
ROLES_LARGEST: Final = 16 * 1024
"""kassa-role's bound."""
_SORTS: Final = {
    PRINTER_CLASS: ("lp",),
    SERIAL: ("ttyACM", "ttyUSB"),
    KEYS: ("event",),
}
_DEEPEST: Final = 32


@dataclass(frozen=True, slots=True)
class UsbPlugs:
    """See the module. sysfs, dev: where those are mounted. udev: its data. devices: the file that
    gives roles."""

    sysfs: Path = Path("/sys")
    dev: Path = Path("/dev")
    udev: Path = Path("/run/udev/data")
    devices: Path = Path("/etc/kassa/devices")

    def look(self) -> tuple[Plugged, ...]:
        """As in `ports.Plugs`."""
        serving = {
            node: role for role in ROLES if (node := _leads_to(self.dev / "kassa" / role)) != ""
        }
        found: list[tuple[str, Plugged]] = []
        for sort in _SORTS:
            for entry in self._nodes(sort):
                with suppress(_Gone):
                    found += self._read(sort, entry, serving)
        return tuple(sorted(_one_of_each(found), key=lambda each: (each.port, each.node)))

    def roles(self) -> str:
        """As in `ports.Plugs`. Of a file that udev would not read no line counts, here as there."""
        text = _text(self.devices, ROLES_LARGEST + 1)
        return text if len(text.encode()) <= ROLES_LARGEST else ""

    def _nodes(self, sort: str) -> list[Path]:
        folder = self.sysfs / "class" / sort
        with suppress(OSError):
            names = [name for name in os.listdir(folder) if name.startswith(_SORTS[sort])]
            return [folder / name for name in sorted(names)[:NODES_MOST]]
        return []

    def _read(
        self, sort: str, entry: Path, serving: dict[str, str]
    ) -> Iterator[tuple[str, Plugged]]:
        """The node with the path of its USB device, if it is one of ours. Raises _Gone."""
        told = self._udev(entry)
        if told.get("ID_BUS") != "usb" or not told.get("ID_PATH"):
            return  # not at USB, or udev is not done with it
        role, port = told.get("KASSA_ROLE", ""), told["ID_PATH"]
        if sort == SERIAL and (number := _text(entry / "device" / "port_number")):
            port = f"{port}-port{number}"
        if sort == KEYS and (role != "scanner" or not told.get("BY_PORT")):
            return  # somebody's keyboard, or the power key of a scanner
        interface, device = _parents(entry)
        said = Said(
            _hex(device / "idVendor"),
            _hex(device / "idProduct"),
            sort,
            _driver(interface),
            _text(device / "manufacturer"),
            _text(device / "product"),
            _text(interface / "ieee1284_id"),
        )
        node = os.path.normpath(self.dev / told.get("DEVNAME", entry.name))
        yield (
            str(device),
            Plugged(
                node,
                sort,
                port,
                f"{said.vendor:04x}:{said.model:04x}",
                told.get("ID_SERIAL_SHORT", ""),
                role,
                serving.get(node, ""),
                usb_ids.name(said),
                usb_ids.is_adapter(said),
                usb_ids.profile(said) if sort == PRINTER_CLASS else "",
            ),
        )

    def _udev(self, entry: Path) -> dict[str, str]:
        """What udev knows of the node; with DEVNAME, and BY_PORT where it has a name of ours. The
        lines are E: for a property and S: for a name below /dev; the file's own name is the
        device's number: systemd, src/libsystemd/sd-device/device-private.c."""
        number = _text(entry / "dev")
        if not number:
            raise _Gone
        found: dict[str, str] = {}
        for line in _text(entry / "uevent").split("\n"):
            if line.startswith("DEVNAME="):
                found["DEVNAME"] = line.removeprefix("DEVNAME=")
        for line in _text(self.udev / f"c{number}").split("\n"):
            if line.startswith("E:"):
                key, _, value = line[2:].partition("=")
                found[key] = value
            elif line.startswith("S:kassa/by-port/"):
                found["BY_PORT"] = line
        return found


class _Gone(Exception):
    """It went while we looked at it."""


def _one_of_each(found: list[tuple[str, Plugged]]) -> Iterator[Plugged]:
    """Of several nodes of one device that udev takes for the same thing, the one that serves, or
    else the first: that is the one which a line for the device means. An adapter's ports are
    devices of their own."""
    best: dict[tuple[str, str, str], Plugged] = {}
    for device, plugged in found:
        own = plugged.role or plugged.node  # what has no role is told apart by its node
        key = (device, plugged.sort, own)
        before = best.get(key)
        if before is None or (not plugged.serves, plugged.port) < (not before.serves, before.port):
            best[key] = plugged
    yield from best.values()


def _parents(entry: Path) -> tuple[Path, Path]:
    """The USB interface and the USB device that a node belongs to. Raises _Gone."""
    interface = device = None
    at = Path(os.path.realpath(entry))
    for _ in range(_DEEPEST):
        if interface is None and (at / "bInterfaceClass").exists():
            interface = at
        if (at / "idVendor").exists():
            device = at
            break
        at = at.parent
    if interface is None or device is None:
        raise _Gone
    return interface, device


def _leads_to(name: Path) -> str:
    """The node that a name under /dev/kassa leads to: by way of by-rank, as kassa-link makes it.
    No further: what the node itself is, is not asked."""
    with suppress(OSError):
        rank = name.parent / os.readlink(name)
        return os.path.normpath(rank.parent / os.readlink(rank))
    return ""


def _driver(interface: Path) -> str:
    with suppress(OSError):
        return os.path.basename(os.readlink(interface / "driver"))
    return ""


def _text(file: Path, most: int = LARGEST) -> str:
    """A small file's text; "" when it cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(most).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _hex(file: Path) -> int:
    try:
        return int(_text(file), 16)
    except ValueError:
        raise _Gone from None
