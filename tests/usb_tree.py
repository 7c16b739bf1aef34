"""A bus of USB devices as files: sysfs, udev's data, and the names under /dev/kassa.

The names are given by the real kassa-role and kassa-link. The rules themselves are tried in a
booted system: tests/udev/guest.py.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.drivers.usb_plugs import UsbPlugs
from appliance.protocols.usb_ids import KEYS, PRINTER_CLASS, SERIAL
from tests.udev.files import FOLDER, HWDB, models

CONTROLLER: Final = "platform-xhci-hcd.1"
_CLASS: Final = {PRINTER_CLASS: "07", SERIAL: "02", KEYS: "03"}
_CAN: Final = {
    PRINTER_CLASS: ["printer"],
    SERIAL: ["terminal", "printer", "scanner", "fiscal"],
    KEYS: ["scanner"],
}
_MODELS: Final = models(HWDB.read_text())


@dataclass(frozen=True)
class Device:
    """One device. nodes: what its interfaces are, in their order. driver: of its serial ports.
    ports: how many an adapter has on its one interface; 0 for a modem-like one."""

    vendor: int
    model: int
    nodes: tuple[str, ...]
    serial: str = ""
    driver: str = "cdc_acm"
    ports: int = 0
    maker: str = ""
    product: str = ""
    ieee1284: str = ""
    is_typing: bool = True  # of its input nodes: a keyboard, and no mouse


EPSON: Final = Device(
    0x04B8, 0x0E28, (PRINTER_CLASS,), ieee1284="MFG:EPSON;CMD:ESC/POS;MDL:TM-T20III;"
)
VERIFONE: Final = Device(0x11CA, 0x0220, (SERIAL, SERIAL), product="V400m")
ADAPTER: Final = Device(0x1A86, 0x7523, (SERIAL,), driver="ch341", ports=1, product="USB Serial")
FOUR_PORTS: Final = Device(0x0403, 0x6011, (SERIAL,), driver="ftdi_sio", ports=4)
SCANNER: Final = Device(0x0C2E, 0x0B61, (KEYS, KEYS), product="1450g")
KEYBOARD: Final = Device(0x046D, 0xC31C, (KEYS, KEYS), product="Keyboard")
MOUSE: Final = Device(0x046D, 0xC077, (KEYS,), product="Mouse", is_typing=False)


class Bus:
    """folder: all of it. devices: the file of roles, which an administrator may write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.devices = folder / "devices"
        self.sys, self.dev, self.udev = folder / "sys", folder / "dev", folder / "udev"
        self.plugged: dict[str, Device] = {}
        self._count = 0
        self._nodes: dict[str, list[Path]] = {}

    @property
    def plugs(self) -> UsbPlugs:
        return UsbPlugs(self.sys, self.dev, self.udev, self.devices)

    def plug(self, port: str, device: Device, *, settles: bool = True) -> None:
        """port: as in 1.3, where the first device of a hub at port 1 would be 1.1. settles: udev
        looks at once."""
        self.plugged[port] = device
        home = self.sys / f"devices/usb3/3-{port}"
        _files(
            home,
            idVendor=f"{device.vendor:04x}\n",
            idProduct=f"{device.model:04x}\n",
            manufacturer=f"{device.maker}\n",
            product=f"{device.product}\n",
        )
        self._nodes[port] = []
        for number, sort in enumerate(device.nodes):
            interface = home / f"3-{port}:1.{number}"
            _files(interface, bInterfaceClass=_CLASS[sort], ieee1284_id=device.ieee1284)
            (interface / "driver").symlink_to(f"/sys/bus/usb/drivers/{device.driver}")
            for serial_port in range(device.ports or 1) if sort == SERIAL else [0]:
                self._nodes[port].append(self._node(interface, sort, device, serial_port))
        if settles:
            self.settle()

    def unplug(self, port: str) -> None:
        del self.plugged[port]
        for entry in self._nodes.pop(port):
            (self.sys / "class" / entry.parent.name / entry.name).unlink()
            (self.udev / f"c{(entry / 'dev').read_text().strip()}").unlink()
        shutil.rmtree(self.sys / f"devices/usb3/3-{port}")
        self.settle()

    def _node(self, interface: Path, sort: str, device: Device, serial_port: int) -> Path:
        number, self._count = self._count, self._count + 1
        if sort == PRINTER_CLASS:
            entry, node = interface / f"usbmisc/lp{number}", f"usb/lp{number}"
        elif sort == KEYS:
            entry, node = interface / f"hid/input/event{number}", f"input/event{number}"
        elif device.ports:
            entry = interface / f"ttyUSB{number}/tty/ttyUSB{number}"
            node = f"ttyUSB{number}"
            _files(entry.parent.parent, port_number=f"{serial_port}\n")
        else:
            entry, node = interface / f"tty/ttyACM{number}", f"ttyACM{number}"
        _files(entry, dev=f"200:{number}\n", uevent=f"MAJOR=200\nDEVNAME={node}\n")
        (entry / "device").symlink_to(entry.parent.parent)
        listed = self.sys / "class" / sort / entry.name
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.symlink_to(entry)
        return entry

    def settle(self) -> None:
        """What udev makes of all that is plugged in, whatever came first."""
        shutil.rmtree(self.dev, ignore_errors=True)
        ranks = self.dev / "kassa/by-rank"
        ranks.mkdir(parents=True)
        for port, device in self.plugged.items():
            typing = 0
            for entry in self._nodes[port]:
                sort = entry.parent.name
                is_keyboard = sort == KEYS and device.is_typing and typing == 0
                typing += sort == KEYS
                self._udev(port, device, entry, sort, is_keyboard=is_keyboard)
        subprocess.run([FOLDER / "kassa-link", self.dev / "kassa"], check=True, timeout=60)

    def _udev(self, at: str, device: Device, entry: Path, sort: str, *, is_keyboard: bool) -> None:
        interface = entry.relative_to(self.sys / f"devices/usb3/3-{at}").parts[0]
        path = f"{CONTROLLER}-usb-0:{interface.removeprefix('3-')}"
        port = path
        if (number := entry / "device/port_number").exists():
            port = f"{path}-port{number.read_text().strip()}"
        told = {
            "ID_BUS": "usb",
            "ID_PATH": path,
            "ID_VENDOR_ID": f"{device.vendor:04x}",
            "ID_MODEL_ID": f"{device.model:04x}",
        }
        if device.serial:
            told["ID_SERIAL_SHORT"] = device.serial
        told |= self._role(port, device, sort, told)
        links = []
        if told.get("KASSA_ROLE") and (sort != KEYS or is_keyboard):
            links.append(f"kassa/by-port/{told['KASSA_ROLE']}-{port}")
            if told["KASSA_RANK"] != "none":
                name = f"{told['KASSA_ROLE']}-{told['KASSA_RANK']}-{port}"
                node = (entry / "uevent").read_text().split("DEVNAME=")[1].strip()
                (self.dev / "kassa/by-rank" / name).symlink_to(f"../../{node}")
        lines = [f"S:{link}" for link in links] + [f"E:{key}={told[key]}" for key in told]
        data = self.udev / f"c{(entry / 'dev').read_text().strip()}"
        data.parent.mkdir(exist_ok=True)
        data.write_text("\n".join(lines) + "\n")

    def _role(self, port: str, device: Device, sort: str, told: dict[str, str]) -> dict[str, str]:
        alias = (
            f"usb:v{device.vendor:04X}p{device.model:04X}d0100dc00dsc00dp00"
            f"ic{_CLASS[sort]}isc02ip00in00"
        )
        role = next((m.role for m in _MODELS if fnmatch.fnmatchcase(alias, m.pattern)), "")
        found = {"KASSA_ROLE": role, "KASSA_RANK": "2"} if role else {}
        if sort == PRINTER_CLASS and role != "printer":
            found = {"KASSA_ROLE": "printer", "KASSA_RANK": "3"}
        if sort == KEYS and role != "scanner":
            found = {}
        if self.devices.exists():
            done = subprocess.run(
                [FOLDER / "kassa-role", port, *_CAN[sort]],
                env={
                    "PATH": os.environ["PATH"],
                    "KASSA_DEVICES": str(self.devices),
                    **told,
                    **({"KASSA_ROLE": found["KASSA_ROLE"]} if found else {}),
                },
                capture_output=True, text=True, check=True, timeout=60,
            )  # fmt: skip
            found |= dict(line.split("=", 1) for line in done.stdout.splitlines())
        return found if found.get("KASSA_ROLE") else {}


def _files(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
