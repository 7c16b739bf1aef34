"""A whole counter: the disk image in a virtual machine, as an administrator would set it up by
files on the boot partition, with devices of ours at its USB ports and a shop outside.

Nothing is put into the image that a card reader and a text editor could not: what the tests see of
the inside they see as an administrator does, by SSH with a key.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Self

from PIL import Image

from appliance.simulators.bank import Bank
from appliance.simulators.shop.server import DemoShop
from appliance.simulators.zvt_machine import LineOptions
from appliance.simulators.zvt_payments import SimulatorOptions
from appliance.simulators.zvt_terminal import ZvtTerminalSimulator
from tests.image.booted.tls import TlsFront, certificate
from tests.image.hardware import DEBIANS_FIRMWARE, USB_BUS, Arch, Hardware
from tests.image.qemu import Machine
from tests.image.usb_keyboard import UsbKeyboard
from tests.image.usb_printer import usb_printer
from tests.rig import free_port

HOST: Final = "10.0.2.2"
"""This host, as QEMU's user network shows it to the guest: loopback, and nothing else of ours."""
BOOT_S: Final = 600.0
"""Emulated, on a machine that does other things as well."""
SOON_S: Final = 240.0
SCANS: Final = 4
SCAN_S: Final = 30.0
GROUND: Final = (246, 245, 241)
"""The colour of most of an ordinary screen (--ground in kiosk.css)."""
OUT_OF_ORDER: Final = (163, 33, 27)
_BOOT_OFFSET: Final = 4 << 20
_DISK_MIB: Final = 4096
_AGAIN_S: Final = 0.5
_RESTS: Final = 4.0
"""A look by SSH costs an emulated machine a second, which its browser needs more: it has four of
them before the next."""
_LONGEST_REST_S: Final = 10.0
_SSH: Final = 22


class Refused(AssertionError):
    """A command in the guest failed; what it said."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What `make image` left: see image/build-image.sh."""

    folder: Path

    @property
    def arch(self) -> Arch:
        name = self.folder.name
        assert name in ("amd64", "arm64"), name
        return "amd64" if name == "amd64" else "arm64"

    @property
    def disk(self) -> Path:
        return self.folder / "disk.img"

    def start(self, *, by_firmware: bool, more_words: str = "") -> dict[str, Any]:
        """A PC starts as it would; QEMU has no Raspberry Pi 4, so there the kernel of the boot
        partition is started directly, with the words of its cmdline.txt, and more."""
        if by_firmware and self.arch == "amd64" and not more_words:
            return {"firmware": DEBIANS_FIRMWARE[self.arch]}
        words = (self.folder / "cmdline").read_text().strip()
        return {
            "kernel": self.folder / "vmlinuz",
            "initrd": self.folder / "initrd",
            "append": f"{words} {more_words}".rstrip(),
        }


@dataclass
class Outside:
    """What stands around the box, and stays when it is switched off: shop, bank, terminal, printer,
    scanner, and the card that the image is on. config, shop_config: more sections of the counter's
    settings, and more of [shop]. has_settings: the card has them; without, it has only what lets an
    administrator in, and which adapter the terminal hangs on."""

    folder: Path
    parts: Parts
    config: str = ""
    shop_config: str = ""
    terminal_options: dict[str, Any] = field(default_factory=dict)
    has_settings: bool = True
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        enter = self._stack.enter_context
        self.bank = Bank()
        self.shop = enter(DemoShop(str(self.folder / "shop.sqlite3")))
        crt, key = certificate(self.folder, HOST)
        port = int(self.shop.url.rpartition(":")[2])
        self.tls = enter(TlsFront(crt, key, port))
        line = LineOptions("pty", str(self.folder / "terminal"))
        used: dict[str, Any] = {"receipt_no": 41, "trace_no": 41} | self.terminal_options
        self.terminal = enter(
            ZvtTerminalSimulator(SimulatorOptions(line=line, **used), bank=self.bank)
        )
        self.printer, self.printer_cable = enter(
            usb_printer(self.folder / "printer", profile="epson-tm-80")
        )
        self.scanner = enter(UsbKeyboard(self.folder / "scanner"))
        self._make_card(crt)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def card(self) -> Path:
        return self.folder / "card.img"

    @property
    def key(self) -> Path:
        return self.folder / "id"

    def _make_card(self, crt: Path) -> None:
        subprocess.run(["cp", "--sparse=always", self.parts.disk, self.card], check=True)
        with self.card.open("r+b") as card:
            card.truncate(_DISK_MIB << 20)  # larger than the image, as every card is
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True
        )
        self.write_card("authorized_keys", self.key.with_suffix(".pub").read_text())
        self.write_card("firewall.nft", f"add element inet kassa admins_v4 {{ {HOST} }}\n")
        self.write_card("devices", "terminal serial TERM01\n")
        self.authority = crt.read_text()
        if self.has_settings:
            self.write_card("shop-ca.pem", self.authority)
            self.write_card("kassa.toml", self.toml())

    def write_card(self, name: str, text: str) -> None:
        """A file on the boot partition, as any computer writes it."""
        file = self.folder / name
        file.write_text(text)
        image = f"{self.card}@@{_BOOT_OFFSET}"
        subprocess.run(["mcopy", "-o", "-i", image, str(file), f"::/{name}"], check=True)

    @property
    def token(self) -> str:
        """What the shop knows the counter by."""
        return self.shop.tokens["mitte-1"]

    def toml(self, *, by_credential: bool = False) -> str:
        """by_credential: the token is not in it."""
        token = 'token_credential = "shop-token"' if by_credential else f'token = "{self.token}"'
        return f"""
[counter]
name = "Counter 1"
place = "Mitte"
{self.config}
[shop]
url = "https://{HOST}:{self.tls.port}"
{token}
pickup_point = "mitte"
ca_file = "/etc/kassa/shop-ca.pem"
{self.shop_config}
[terminal]
baud = 115200
[printer]
profile = "epson-tm-80"
[log]
format = "text"
"""

    def usb(self) -> tuple[str, ...]:
        """The devices, for `Hardware.extra`."""
        return (
            *self.printer_cable.words("printer"),
            *self.scanner.words("scanner"),
            "-chardev", f"serial,id=line,path={self.folder / 'terminal'}",
            "-device", f"usb-serial,id=terminal,chardev=line,serial=TERM01,bus={USB_BUS}",
        )  # fmt: skip

    def open_orders(self) -> list[dict[str, Any]]:
        orders = self.shop.state()["orders"]
        return [row | {"number": name} for name, row in orders.items() if row["status"] == "ready"]


class Kiosk:
    """One power-on of the box. disk: another one than the card, such as the URI of a disk that
    forgets. devices: QEMU's words for other ones than those outside. listens: ports of the box that
    are to be reached from outside, where its firewall lets one in. more_words: for the kernel.
    Methods wait for what they are about, within bounds, and raise where it fails."""

    def __init__(
        self,
        outside: Outside,
        name: str = "kiosk",
        *,
        disk: Path | str | None = None,
        memory_mib: int = 1024,
        clock: datetime | None = None,
        by_firmware: bool = False,
        devices: tuple[str, ...] | None = None,
        listens: tuple[int, ...] = (),
        more_words: str = "",
        **more: Any,
    ) -> None:
        self.outside = outside
        self.name = name
        self.ports = {port: free_port() for port in (_SSH, *listens)}
        """Of the box, and where this host's loopback has them."""
        self.machine = Machine(
            outside.folder / name,
            Hardware(
                arch=outside.parts.arch,
                disk=disk or outside.card,
                memory_mib=memory_mib,
                clock=clock,
                keyboards={"keyboard": "KBD01"},
                forwards={ours: theirs for theirs, ours in self.ports.items()},
                extra=outside.usb() if devices is None else devices,
                **outside.parts.start(by_firmware=by_firmware, more_words=more_words),
                **more,
            ),
        )
        self.started_at = 0.0

    def __enter__(self) -> Self:
        self.started_at = time.monotonic()
        self.machine.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.machine.__exit__()

    # --- as an administrator -------------------------------------------------------------------

    def ssh(self, command: str, timeout_s: float = SOON_S) -> str:
        """What a command on the box says. Raises Refused for another status than 0."""
        done = self._ssh(command, timeout_s)
        if done.returncode:
            raise Refused(f"{command!r}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def status(self, command: str, timeout_s: float = SOON_S) -> int:
        """The status of a command on the box."""
        return self._ssh(command, timeout_s).returncode

    def answer(self, command: str, timeout_s: float) -> tuple[int, str]:
        """The status of a command on the box, and all that it says."""
        done = self._ssh(command, timeout_s)
        return done.returncode, done.stdout + done.stderr

    def put(self, file: Path, to: str) -> None:
        """Copy a file of this host into the box. Raises Refused."""
        with file.open("rb") as stream:
            done = self._ssh(f"cat >'{to}'", SOON_S, stream)
        if done.returncode:
            raise Refused(f"{file} to {to}: {done.stdout}{done.stderr}")

    def _ssh(
        self, command: str, timeout_s: float, stdin: IO[bytes] | None = None
    ) -> subprocess.CompletedProcess[str]:
        control = self.outside.folder / f"{self.name}.ssh"
        options = {
            "StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "LogLevel": "ERROR",
            "BatchMode": "yes", "ConnectTimeout": "30", "ControlMaster": "auto",
            "ControlPath": str(control), "ControlPersist": "60", "ServerAliveInterval": "10",
        }  # fmt: skip
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return subprocess.run(
            ["ssh", "-F", "/dev/null", "-i", str(self.outside.key), "-p", str(self.ports[_SSH]),
             *words, "root@127.0.0.1", command],
            stdin=stdin or subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s,
            check=False,
        )  # fmt: skip

    def how_to_log_in(self) -> str:
        """For a person at this host."""
        return (
            f"ssh -i {self.outside.key} -p {self.ports[_SSH]} -o StrictHostKeyChecking=no"
            " -o UserKnownHostsFile=/dev/null root@127.0.0.1"
        )

    def get(self, path: str) -> str:
        """What the counter's own server answers, asked from the box itself; "" for no answer."""
        ask = (
            "exec 3<>/dev/tcp/127.0.0.1/8100 && printf 'GET " + path + " HTTP/1.0\\r\\n"
            "Host: 127.0.0.1:8100\\r\\n\\r\\n' >&3 && cat <&3"
        )
        answer = self._ssh(f'bash -c "{ask}"', SOON_S).stdout
        return answer.partition("\r\n\r\n")[2] or answer.partition("\n\n")[2]

    def health(self) -> dict[str, Any]:
        """What /healthz says; empty when the counter does not answer."""
        try:
            found = json.loads(self.get("/healthz") or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    # --- waiting ---------------------------------------------------------------------------------

    def until(self, is_so: Callable[[], Any], what: str, timeout_s: float = SOON_S) -> Any:
        """What `is_so` gives, as soon as it is true."""
        end = time.monotonic() + timeout_s
        while True:
            begin = time.monotonic()
            try:
                if found := is_so():
                    return found
            except (Refused, subprocess.TimeoutExpired):
                pass  # it is on its way up, or down
            if time.monotonic() > end:
                self.screenshot("late")
                log = self._ssh("journalctl -b -u kassa -u kassa-session -n 60 -o cat", SOON_S)
                tail = self.machine.serial_tail(2000)
                # One that got little was starved; one that used little stood still.
                used_s, on_s = self.machine.processor_s, time.monotonic() - self.started_at
                raise AssertionError(
                    f"not within {timeout_s:.0f} s: {what}\n{log.stdout}\n--- serial:\n{tail}"
                    f"\n--- on for {on_s:.0f} s, with {used_s:.0f} s of a processor"
                )
            took_s = time.monotonic() - begin
            time.sleep(max(_AGAIN_S, min(_RESTS * took_s, _LONGEST_REST_S)))

    def wait_up(self) -> None:
        """Until the administrator gets in."""
        self.until(lambda: self.status("true") == 0, "SSH answers", BOOT_S)

    def wait_page(self, page: str, timeout_s: float = SOON_S) -> dict[str, Any]:
        """Until the counter is at this page; how it is then."""
        return self.until(
            lambda: (found := self.health()).get("page") == page and found,
            f"the page {page}",
            timeout_s,
        )

    def wait_well(self, timeout_s: float = BOOT_S) -> dict[str, Any]:
        """Until all devices and the shop are there and the counter is idle."""

        def is_so() -> dict[str, Any] | bool:
            found = self.health()
            devices = found.get("devices", {})
            well = len(devices) == 4 and set(devices.values()) == {"ok"}
            return found if well and found.get("page") == "idle" else False

        return self.until(is_so, "everything is there, and idle", timeout_s)

    def wait_well_but_busy(self, timeout_s: float = SOON_S) -> None:
        """Until all devices and the shop are there, whatever the page."""
        self.until(
            lambda: set(self.health().get("devices", {1: 1}).values()) == {"ok"},
            "everything is there",
            timeout_s,
        )

    def wait_drawn(self, timeout_s: float = BOOT_S) -> dict[str, Any]:
        """Until the browser has drawn within the last seconds."""

        def is_so() -> dict[str, Any] | bool:
            found = self.health()
            age_s = found.get("browser_age_s")
            return found if age_s is not None and age_s < 15 else False

        return self.until(is_so, "the browser draws", timeout_s)

    # --- as a person at the counter ------------------------------------------------------------

    def screenshot(self, name: str) -> Image.Image:
        return self.machine.screenshot(name)

    def scan(self, code: str) -> None:
        self.outside.scanner.type(f"{code}\n")

    def scan_until(self, code: str, is_so: Callable[[], Any], what: str) -> Any:
        """As a seller does: again when nothing comes of it. A busy guest loses keys, and the
        counter refuses the half of a code that is left."""
        for _ in range(SCANS - 1):
            self.scan(code)
            end = time.monotonic() + SCAN_S
            while time.monotonic() < end:
                if found := is_so():
                    return found
                time.sleep(_AGAIN_S)
        self.scan(code)
        return self.until(is_so, what)

    def scan_to(self, code: str, page: str) -> None:
        """Until the counter is at this page."""
        self.scan_until(code, lambda: self.health().get("page") == page, f"the page {page}")

    def scan_to_card(self) -> None:
        """The seller confirms, and the terminal waits for the customer's card."""
        terminal = self.outside.terminal
        self.scan_until(
            "KASSA-CONFIRM",
            lambda: terminal.wait_for(lambda state: state["waits_for"] == "card", 1),
            "the terminal waits for a card",
        )

    def type(self, text: str) -> None:
        """On the seller's keyboard."""
        self.machine.type(text, "keyboard")

    def press(self, *keys: str) -> None:
        self.machine.press(*keys, keyboard="keyboard")
