"""A whole computer that runs an image: QEMU as a child of the test, emulated and so rather slow.

with Machine(folder, Hardware(arch="amd64", disk=image, firmware=firmware)) as machine:
    machine.wait_for("login:", timeout_s=300)
    machine.type("kassa:1:demo:101\\n", "scanner")
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Self

from PIL import Image

from tests.children import TIED
from tests.image.hardware import LOST_KEY, NETWORK, SCREEN, USB_BUS, Hardware
from tests.image.keys import keys_of
from tests.image.qmp import Event, Qmp, QmpError, QmpLost
from tests.image.shell import Shell
from tests.image.transcript import Ended, Transcript

_TAIL_CHARACTERS: Final = 4000
_UNPLUG_WAIT_S: Final = 30.0
_KEY_PAUSE_S: Final = 0.02
"""QEMU's keyboard remembers 16 changes of a key, and the guest fetches them every 8 ms or so."""


class MachineError(Exception):
    """What went wrong, with the last that the guest's console and QEMU said."""


class Machine:
    """One power-on, from `__enter__` on. folder: where all its files are: the serial log, QEMU's
    own words, screenshots. All methods raise MachineError; any thread may call them."""

    def __init__(self, folder: Path, hardware: Hardware) -> None:
        self.folder = folder
        self.hardware = hardware
        self._said = folder / "qemu.txt"
        self._lost_keys = 0
        self._gone: set[str] = set()  # what is unplugged at present
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as undo:
            undo.push(self.__exit__)
            self._start()
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _start(self) -> None:
        variables = self.folder / "uefi-variables.fd"
        if self.hardware.firmware is not None:
            shutil.copyfile(self.hardware.firmware.variables, variables)
        ours, theirs = zip(*(socket.socketpair() for _ in range(3)), strict=True)
        for end in ours:
            self._closing.callback(end.close)
        numbers = [end.fileno() for end in theirs]
        try:
            with self._said.open("wb") as said:
                self._process = subprocess.Popen(
                    [*TIED, *self.hardware.command_line(variables, *numbers)],
                    stdin=subprocess.DEVNULL, stdout=said, stderr=said, pass_fds=numbers,
                    env={"PATH": "/usr/bin:/bin", "TMPDIR": str(self.folder)},
                )  # fmt: skip
        finally:
            for end in theirs:
                end.close()
        qmp, serial, shell = ours
        self._serial = Transcript(serial, self.folder / "serial.txt", "guest-serial")
        self._closing.callback(self._serial.close)
        self._shell = Shell(shell, self.folder / "shell.txt")
        self._closing.callback(self._shell.close)
        self._closing.callback(self.power_off)
        with self._explained():
            self._qmp = Qmp(qmp)
        self._closing.callback(self._qmp.close)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, Ended, QmpError, QmpLost) as error:  # TimeoutError is an OSError
            said = self._said.read_text(errors="replace")[-_TAIL_CHARACTERS:]
            tail = self._serial.tail(_TAIL_CHARACTERS)
            raise MachineError(
                f"{error}\n--- QEMU said:\n{said}\n--- the end of the serial log:\n{tail}"
            ) from error

    # --- its power -------------------------------------------------------------------------------

    @property
    def is_on(self) -> bool:
        return self._process.poll() is None

    @property
    def processor_s(self) -> float:
        """How much of this host's processors it has had, in seconds: the 14th and 15th fields of
        proc_pid_stat(5). Raises OSError for one that is off."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def power_off(self) -> None:
        """The plug is pulled: QEMU is killed. What it had written is in this host's hands; a disk
        that forgets is an NBD server that is cut first. Idempotent."""
        self._process.kill()
        self._process.wait()

    def press_power_button(self) -> None:
        self.qmp("system_powerdown")

    def wait_off(self, timeout_s: float) -> None:
        """Until the guest has switched the machine off."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            with self._explained():
                raise TimeoutError(f"still on after {timeout_s:g} s") from None

    # --- its consoles ----------------------------------------------------------------------------

    def wait_for(self, pattern: str, timeout_s: float) -> str:
        """What matches first on the serial console, after the last one that was waited for."""
        with self._explained():
            return self._serial.wait_for(pattern, timeout_s)[0]

    def say(self, text: str) -> None:
        """Type on the serial console."""
        with self._explained():
            self._serial.send(text.encode())

    def serial_tail(self, characters: int = _TAIL_CHARACTERS) -> str:
        return self._serial.tail(characters)

    def wait_shell(self, timeout_s: float) -> None:
        """Until the shell that the test's overlay starts in the guest answers."""
        with self._explained():
            self._shell.wait_ready(timeout_s)

    def run(self, command: str, timeout_s: float = 60.0) -> tuple[int, str]:
        """A command in that shell: its exit status and its output; see `Shell.run`."""
        with self._explained():
            return self._shell.run(command, timeout_s)

    # --- what can be seen and typed --------------------------------------------------------------

    def screenshot(self, name: str = "screen") -> Image.Image:
        """What is on the screen, which is also kept in the folder under that name."""
        file = self.folder / f"{name}.png"
        self.qmp("screendump", filename=str(file), device=SCREEN, format="png")
        with self._explained(), Image.open(file) as image:
            return image.convert("RGB")

    def type(self, text: str, keyboard: str, pause_s: float = _KEY_PAUSE_S) -> None:
        """On one of QEMU's own keyboards. Raises ValueError for what a US keyboard cannot type,
        before a key is pressed, and MachineError when a key was lost: in a busy guest `UsbKeyboard`
        is the surer one."""
        for keys in [keys_of(character) for character in text]:
            self.press(*keys, keyboard=keyboard, pause_s=pause_s)

    def press(self, *keys: str, keyboard: str, pause_s: float = _KEY_PAUSE_S) -> None:
        """Hold them all, then let go; by QEMU's names, such as "ctrl", "ret", "f1". pause_s: after
        each change. Raises KeyError when there is no such keyboard, ValueError when it is out."""
        screen = self.hardware.screen_of(keyboard)
        if keyboard in self._gone:
            # QEMU would give the keys to the other one.
            raise ValueError(f"the keyboard {keyboard} is unplugged")
        where = {} if screen is None else {"device": screen}
        for is_down, key in [(True, key) for key in keys] + [(False, key) for key in keys[::-1]]:
            data = {"down": is_down, "key": {"type": "qcode", "data": key}}
            self.qmp("input-send-event", **where, events=[{"type": "key", "data": data}])
            time.sleep(pause_s)
        lost = self._said.read_bytes().count(LOST_KEY.encode())
        if lost > self._lost_keys:
            self._lost_keys = lost
            raise MachineError("the guest fetches keys more slowly than they were typed")

    # --- its cables ------------------------------------------------------------------------------

    def plug(self, driver: str, name: str, **properties: Any) -> None:
        """A new USB device, by QEMU's driver and its properties. name: for `unplug`."""
        self.qmp("device_add", driver=driver, id=name, **{"bus": USB_BUS} | properties)

    def unplug(self, name: str) -> None:
        """Any device that was given a name. Returns when it is gone."""
        before = self._qmp.last_event
        self.qmp("device_del", id=name)
        self.wait_event("DEVICE_DELETED", _UNPLUG_WAIT_S, before, device=name)
        self._gone.add(name)

    def plug_keyboard(self, name: str) -> None:
        """The keyboard of that name again, after `unplug`."""
        self.qmp("device_add", **self.hardware.keyboard(name))
        self._gone.discard(name)

    def set_network(self, is_up: bool) -> None:
        """The network cable: whether it is in. The guest sees it as a link that is up or down."""
        self.qmp("set_link", name=NETWORK, up=is_up)

    # --- QEMU itself -----------------------------------------------------------------------------

    def qmp(self, command: str, **arguments: Any) -> Any:
        """What QEMU answers."""
        with self._explained():
            return self._qmp.execute(command, arguments)

    @property
    def last_event(self) -> int:
        """The number of the newest event of QEMU's, 0 for none."""
        return self._qmp.last_event

    def events(self, after: int = 0) -> list[Event]:
        """QEMU's events with a higher number; of the last thousand."""
        return self._qmp.events(after)

    def wait_event(self, name: str, timeout_s: float, after: int = 0, **data: Any) -> Event:
        """The first one of that name with a number above `after` whose data hold these items."""
        with self._explained():
            return self._qmp.wait_event(name, timeout_s, after, **data)
