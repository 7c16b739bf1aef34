"""USB devices that a Linux system makes for itself: gadgets on dummy controllers.

The kernel's dummy_hcd joins a host controller to a device controller, and libcomposite makes any
device of its functions (Documentation/usb/gadget_configfs.rst). So a booted image can be tried with
devices of any make, without help from outside. Needs root and these two modules, which Debian's
kernel has.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

Run = Callable[[str, float], tuple[int, str]]
"""Runs a command of the shell as root within so many seconds; its status and all that it said."""

SLOTS: Final = 4
"""Controllers; each has one port. Slot N is platform-dummy_hcd.N-usb-0:1."""
COMMAND_S: Final = 60.0
APPEARS_S: Final = 60
_GADGETS: Final = "/sys/kernel/config/usb_gadget"


@dataclass(frozen=True, slots=True)
class Function:
    """A part of a device. kind: of the gadget function. settings: its files and what goes in there.
    node: the folder in sysfs that the host has for it, from the interface on."""

    kind: str
    node: str
    settings: dict[str, str | bytes] = field(default_factory=dict)


def _hid(report_bytes: int, descriptor: str, protocol: int = 0) -> Function:
    settings: dict[str, str | bytes] = {
        "protocol": str(protocol),
        "subclass": "1" if protocol else "0",
        "report_length": str(report_bytes),
        "report_desc": bytes.fromhex(descriptor),
    }
    return Function("hid", "0003:*/input/input*/event*", settings)


PRINTER: Final = Function("printer", "usbmisc/lp*")
MODEM: Final = Function("acm", "tty/ttyACM*")
ADAPTER: Final = Function("gser", "ttyUSB*/tty/ttyUSB*")
DISK: Final = Function(
    "mass_storage", "host*/target*/*/block/sd*", {"lun.0/file": "/run/kassa-check.img"}
)
# USB HID 1.11, appendix B.1, with every key of the page up to E7: Power (66) is among them.
KEYBOARD: Final = _hid(
    8,
    "05010906a101 0507 19e029e7 15002501 75019508 8102 95017508 8101"
    " 95067508 150026e700 0507 19002ae700 8100 c0",
    protocol=1,
)
# HID usage tables, page 01: System Power Down, Sleep, Wake Up.
POWER_KEYS: Final = _hid(1, "05010980a101 19812983 15002501 75019503 8102 95017505 8101 c0")
# USB HID 1.11, appendix B.2.
MOUSE: Final = _hid(
    3,
    "05010902a101 0901a100 0509 19012903 15002501 95037501 8102 95017505 8101"
    " 0501 09300931 1581257f 75089502 8106 c0c0",
    protocol=2,
)


@dataclass(frozen=True, slots=True)
class Gadget:
    """A device. slot: 0 … SLOTS - 1, where it is plugged in. serial: "" for none."""

    slot: int
    vendor: int
    product: int
    functions: tuple[Function, ...]
    serial: str = ""

    @property
    def port(self) -> str:
        """ID_PATH up to the device."""
        return f"platform-dummy_hcd.{self.slot}-usb-0:1"

    @property
    def path(self) -> str:
        """The device in sysfs; a pattern, as buses are numbered as they come."""
        return f"/sys/devices/platform/dummy_hcd.{self.slot}/usb*/*-1"


class Machine:
    """A booted system with devices to plug into it."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def ask(self, command: str, timeout_s: float = COMMAND_S) -> tuple[int, str]:
        """Status and output of a command."""
        return self._run(command, timeout_s)

    def sh(self, command: str, timeout_s: float = COMMAND_S) -> str:
        """The output of a command that must succeed, without the last line's end."""
        status, output = self._run(f"set -e\n{command}", timeout_s)
        assert status == 0, f"{command}\n{output}"
        return output.rstrip("\n")

    def until(self, condition: str, what: str) -> None:
        """Waits for a condition of the shell, and then for udev to have done all."""
        self.sh(
            f"for _ in $(seq {APPEARS_S * 5}); do\n"
            f"if {condition}; then udevadm settle --timeout={APPEARS_S}; exit 0; fi\n"
            "sleep 0.2; done\n"
            f"echo {shlex.quote(what)}; exit 1",
            3 * APPEARS_S,
        )

    # --- devices --------------------------------------------------------------------------------

    def plug(self, *gadgets: Gadget) -> None:
        """Plugs devices in, one right after the other, and waits for what they bring."""
        self.sh("\n".join(_made(gadget) for gadget in gadgets))
        self.sh("\n".join(_plugged(gadget) for gadget in gadgets))
        for gadget in gadgets:
            for number in range(len(gadget.functions)):
                self.until(f"ls -d {self._node(gadget, number)} >/dev/null 2>&1", f"{gadget}")

    def unplug(self, *gadgets: Gadget) -> None:
        self.sh("\n".join(f"echo > {_folder(gadget)}/UDC" for gadget in gadgets))
        for gadget in gadgets:
            self.until(f"! ls -d {gadget.path} >/dev/null 2>&1", f"{gadget} is still there")
        self.sh("\n".join(_removed(_folder(gadget)) for gadget in gadgets))

    @contextmanager
    def plugged(self, *gadgets: Gadget) -> Iterator[None]:
        self.plug(*gadgets)
        try:
            yield
        finally:
            self.unplug(*gadgets)

    def node(self, gadget: Gadget, number: int = 0) -> str:
        """The path under /dev of a device's function."""
        folder = self.sh(f"ls -d {self._node(gadget, number)}").splitlines()
        assert len(folder) == 1, folder
        return "/dev/" + self.sh(f"sed -n s/^DEVNAME=//p {folder[0]}/uevent")

    def press(self, number: int, *reports: bytes) -> None:
        """Sends reports from the HID function with this number, counted over all that there are."""
        for report in reports:
            octal = "".join(f"\\{byte:03o}" for byte in report)
            self.sh(f"printf '{octal}' > /dev/hidg{number}")

    @staticmethod
    def _node(gadget: Gadget, number: int) -> str:
        # A modem has two interfaces, all others have one; the first has the node.
        first = sum(2 if part is MODEM else 1 for part in gadget.functions[:number])
        return f"{gadget.path}/*:1.{first:x}/{gadget.functions[number].node}"

    # --- controllers ----------------------------------------------------------------------------

    @contextmanager
    def controllers(self) -> Iterator[None]:
        """SLOTS empty controllers. Only high speed: each has one bus, and one port."""
        self.sh(
            "modprobe -r dummy_hcd 2>/dev/null || true\n"
            f"modprobe dummy_hcd num={SLOTS} is_super_speed=0\n"
            "modprobe libcomposite\n"
            "mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config\n"
            "truncate -s 1M /run/kassa-check.img\n"
            # What an interrupted check left behind.
            f"for gadget in {_GADGETS}/kassa*; do\n"
            f"if [ -d $gadget ]; then\n{_removed('$gadget')}\nfi\ndone"
        )
        try:
            yield
        finally:
            self.sh("rm -f /run/kassa-check.img; modprobe -r dummy_hcd")


def _folder(gadget: Gadget) -> str:
    return f"{_GADGETS}/kassa{gadget.slot}"


def _made(gadget: Gadget) -> str:
    folder = _folder(gadget)
    lines = [
        f"mkdir -p {folder}/strings/0x409 {folder}/configs/c.1",
        f"echo {gadget.vendor} > {folder}/idVendor",
        f"echo {gadget.product} > {folder}/idProduct",
        f"echo {shlex.quote(gadget.serial)} > {folder}/strings/0x409/serialnumber",
    ]
    if not gadget.serial:
        lines[0] = f"mkdir -p {folder}/configs/c.1"
        del lines[3]
    for number, function in enumerate(gadget.functions):
        own = f"{folder}/functions/{function.kind}.s{gadget.slot}n{number}"
        lines.append(f"mkdir {own}")
        for name, value in function.settings.items():
            if isinstance(value, bytes):
                octal = "".join(f"\\{byte:03o}" for byte in value)
                lines.append(f"printf '{octal}' > {own}/{name}")
            else:
                lines.append(f"echo {value} > {own}/{name}")
        lines.append(f"ln -s {own} {folder}/configs/c.1/")
    return "\n".join(lines)


def _plugged(gadget: Gadget) -> str:
    return f"echo dummy_udc.{gadget.slot} > {_folder(gadget)}/UDC"


def _removed(folder: str) -> str:
    return (
        f"find {folder}/configs/c.1 -maxdepth 1 -type l -delete\n"
        f"rmdir {folder}/configs/c.1 {folder}/functions/*\n"
        f"[ ! -d {folder}/strings/0x409 ] || rmdir {folder}/strings/0x409\n"
        f"rmdir {folder}"
    )
