"""What an emulated computer consists of, and the words that tell QEMU.

Source: QEMU's manual, "Invocation"; `qemu-system-x86_64 -device NAME,help`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from tests.image.shell import PORT_NAME

Arch = Literal["amd64", "arm64"]
PROGRAMS: Final[Mapping[Arch, str]] = {
    "amd64": "qemu-system-x86_64",
    "arm64": "qemu-system-aarch64",
}
USB_BUS: Final = "usb.0"
"""What a device that is plugged in later, or in `extra`, gives as its `bus`."""
SCREEN: Final = "screen"
NETWORK: Final = "network"
SCREEN_PIXELS: Final = (1024, 768)
LOST_KEY: Final = "hid_kbd_queue_full"
"""What QEMU says when one of its keyboards throws a key away."""
_USB_PORTS: Final = 8
_MOST_KEYBOARDS: Final = 2


@dataclass(frozen=True, slots=True)
class Firmware:
    """UEFI in two flash chips. variables: what a new machine's second one holds; each machine
    writes to a copy of its own."""

    code: Path
    variables: Path


DEBIANS_FIRMWARE: Final[Mapping[Arch, Firmware]] = {
    "amd64": Firmware(
        Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
    ),
    "arm64": Firmware(
        Path("/usr/share/AAVMF/AAVMF_CODE.fd"), Path("/usr/share/AAVMF/AAVMF_VARS.fd")
    ),
}
"""Of the packages ovmf and qemu-efi-aarch64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """disk: a path is a raw image that stays as it is, for the machine's writes are thrown away in
    the end; a str is the URI of an NBD server, which gets them. kernel, initrd, append: started
    directly; or else firmware.

    keyboards: their names for `Machine.type`, and their USB serial numbers. At most two: QEMU leads
    keys to a keyboard by the screen that it belongs to, so it can tell the one that belongs to the
    screen from the one that belongs to none, and no more.

    clock: where the machine's own clock stands at power-on; it must know its time zone. forwards:
    ports of this host's loopback to ports of the guest. resets: whether a guest that reboots may;
    if not, that ends the machine. has_shell: a virtio port for `Machine.run`. extra: more words for
    QEMU; a USB device's bus is USB_BUS.
    """

    arch: Arch
    disk: Path | str | None = None
    kernel: Path | None = None
    initrd: Path | None = None
    append: str = ""
    firmware: Firmware | None = None
    memory_mib: int = 2048
    cores: int = 2
    keyboards: Mapping[str, str] = field(default_factory=lambda: {"scanner": "SCAN01"})
    clock: datetime | None = None
    forwards: Mapping[int, int] = field(default_factory=dict)
    has_watchdog: bool = False
    has_shell: bool = False
    resets: bool = True
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.kernel is None) == (self.firmware is None):
            raise ValueError("a machine starts from either a kernel or its firmware")
        if len(self.keyboards) > _MOST_KEYBOARDS:
            raise ValueError("QEMU can tell only two keyboards apart")
        if self.clock is not None and self.clock.tzinfo is None:
            raise ValueError("the clock must know its time zone")

    def screen_of(self, keyboard: str) -> str | None:
        """The screen that a keyboard belongs to. Raises KeyError when there is no such keyboard."""
        if keyboard not in self.keyboards:
            raise KeyError(keyboard)
        return SCREEN if keyboard == next(iter(self.keyboards)) else None

    def keyboard(self, name: str) -> dict[str, str]:
        """Its properties as a device of QEMU. Raises KeyError when there is no such keyboard."""
        wanted = {"serial": self.keyboards[name], "display": self.screen_of(name) or ""}
        # Always in the same socket, as the guest may tell devices by that.
        port = str(1 + list(self.keyboards).index(name))
        return {"driver": "usb-kbd", "id": name, "bus": USB_BUS, "port": port} | {
            key: value for key, value in wanted.items() if value
        }

    def command_line(self, variables: Path, qmp: int, serial: int, shell: int) -> list[str]:
        """variables: the file of the second flash chip. qmp, serial, shell: descriptors of
        connected sockets."""
        width, height = SCREEN_PIXELS
        screen = f"id={SCREEN},xres={width},yres={height}"
        words = [PROGRAMS[self.arch], "-no-user-config", "-nodefaults", "-display", "none"]
        if self.arch == "amd64":
            # Without the old keyboard controller: it would take the keys that go to no screen.
            words += ["-M", "q35,i8042=off,vmport=off", "-cpu", "max"]
            words += ["-device", f"virtio-vga,{screen}"]
        else:
            words += ["-M", "virt", "-cpu", "cortex-a72", "-device", f"virtio-gpu-pci,{screen}"]
        words += ["-accel", "tcg,thread=multi", "-smp", str(self.cores), "-m", str(self.memory_mib)]
        words += ["-chardev", f"socket,id=qmp,fd={qmp}", "-mon", "chardev=qmp,mode=control"]
        words += ["-chardev", f"socket,id=serial,fd={serial}", "-serial", "chardev:serial"]
        words += ["-trace", LOST_KEY, "-device", "virtio-rng-pci"]
        words += ["-device", f"qemu-xhci,id=usb,p2={_USB_PORTS},p3={_USB_PORTS}"]
        for name in self.keyboards:
            words += ["-device", _device(**self.keyboard(name))]
        words += [*self._start(variables), *self._disk(), *self._network()]
        if self.clock is not None:
            words += ["-rtc", f"base={self.clock.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"]
        if self.has_watchdog:
            words += ["-device", "i6300esb", "-action", "watchdog=reset"]
        if self.has_shell:
            words += ["-chardev", f"socket,id=shell,fd={shell}", "-device", "virtio-serial-pci"]
            words += ["-device", f"virtserialport,chardev=shell,name={PORT_NAME}"]
        if not self.resets:
            words += ["-action", "reboot=shutdown"]
        return [*words, *self.extra]

    def _start(self, variables: Path) -> list[str]:
        if self.firmware is not None:
            flash = "if=pflash,format=raw"
            code = f"{flash},unit=0,readonly=on,file={escaped(self.firmware.code)}"
            return ["-drive", code, "-drive", f"{flash},unit=1,file={escaped(variables)}"]
        words = ["-kernel", str(self.kernel), "-append", self.append]
        return words if self.initrd is None else [*words, "-initrd", str(self.initrd)]

    def _disk(self) -> list[str]:
        if self.disk is None:
            return []
        # An image of which nothing is kept need not be synced either.
        kept = "snapshot=on,cache=unsafe" if isinstance(self.disk, Path) else "cache=writeback"
        drive = f"if=none,id=disk,format=raw,discard=unmap,file={escaped(self.disk)},{kept}"
        # Not 0: that is a kernel's that is started directly.
        return ["-drive", drive, "-device", "virtio-blk-pci,drive=disk,bootindex=1"]

    def _network(self) -> list[str]:
        forwards = "".join(
            f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for host, guest in self.forwards.items()
        )
        # Without the card's own boot program: nothing here is started over the network.
        card = f"virtio-net-pci,netdev=user,id={NETWORK},romfile="
        return ["-netdev", f"user,id=user,restrict=off{forwards}", "-device", card]


def _device(driver: str, **properties: str) -> str:
    return ",".join([driver, *(f"{key}={escaped(value)}" for key, value in properties.items())])


def escaped(value: object) -> str:
    """As QEMU wants a value in a list of options: a comma is written twice."""
    return str(value).replace(",", ",,")
