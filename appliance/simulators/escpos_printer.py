"""A receipt printer that speaks the real bytes: over a pseudo-terminal or TCP, or from a file.

It behaves as a cheap thermal printer does: real-time commands are obeyed while the rest waits in
a receive buffer; what stops the mechanism (no paper, open cover, cutter) makes it go offline; a
full buffer takes no more; after the cause is gone it goes on with what it has.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from appliance.protocols.escpos.profiles import PROFILES, Profile
from appliance.simulators.cables import Cable, PtyCable, TcpCable
from appliance.simulators.escpos_interpreter import Interpreter
from appliance.simulators.paper import Paper
from appliance.simulators.printer_faults import Fault, is_online, status_byte

__all__ = ["EscposPrinterSimulator", "Fault", "papers_of"]

_DLE_EOT: Final = b"\x10\x04"
_CLEAR: Final = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
# Room that real printers keep past "full", so that a short real-time command still gets through.
_RESERVE_BYTES: Final = 16
_LONGEST_COMMAND_BYTES: Final = 1 << 20
_MOST_PAPERS: Final = 200
_TICK_S: Final = 0.02
_ROUND_WAIT_S: Final = 2.0


def papers_of(data: bytes, profile: str = "generic-80") -> tuple[list[Paper], list[str]]:
    """The papers that these bytes make, and the defects; such as from a file of the file line."""
    interpreter = Interpreter(PROFILES[profile])
    rest = data
    while (command := interpreter.command(rest)) is not None:
        interpreter.execute(command)
        rest = rest[len(command) :]
    if rest:
        interpreter.defect("the data ends inside of a command")
    hanging = [interpreter.hanging()] if interpreter.marks else []
    return interpreter.finished + hanging, interpreter.defects


class EscposPrinterSimulator:
    """One simulated printer; `start` it, or use it as a context manager.

    path: speak over a pseudo-terminal, with this symbolic link to it. port: or over TCP on the
    loopback, 0 for any free port. cable: or over this one. profile: a row of PROFILES.
    buffer_bytes: its receive buffer. line_s: how long a line takes to print. baud: pace of what it
    receives; None: no pace. on_change: called, on its own thread, after anything that `state` tells
    has changed.
    """

    def __init__(
        self,
        *,
        path: Path | None = None,
        port: int | None = None,
        cable: Cable | None = None,
        profile: str = "epson-tm-80",
        buffer_bytes: int = 4096,
        line_s: float = 0.0,
        baud: int | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        if [path, port, cable].count(None) != 2:
            raise ValueError("a simulated printer has one of a path, a port and a cable")
        if cable is None:
            cable = PtyCable(path) if path is not None else TcpCable(port or 0)
        self._cable: Cable = cable
        self.profile: Profile = PROFILES[profile]
        self._buffer_bytes = buffer_bytes
        self._line_s = line_s
        self._bytes_per_s = baud / 10 if baud else None
        self._on_change = on_change
        self._interpreter = Interpreter(self.profile, self._reply, self._kicked)
        self._lock = threading.RLock()
        self._went_round = threading.Condition(self._lock)
        self._rounds = 0
        self._faults: set[Fault] = set()
        self._lines_left: int | None = None
        self._jams_at_cut = False
        self._kicks = 0
        self._buffer = bytearray()  # received, not done yet
        self._held = bytearray()  # may become a real-time command
        self._papers: deque[Paper] = deque(maxlen=_MOST_PAPERS)
        self._busy_until = 0.0
        self._stopping = False
        self._changed = False
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._thread = threading.Thread(target=self._run, name="sim-printer", daemon=True)

    def __enter__(self) -> EscposPrinterSimulator:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Raises OSError when path or port cannot be had."""
        with self._lock:
            self._cable.plug()
        self._thread.start()

    def close(self) -> None:
        with self._lock:
            self._stopping = True
        self._wake()
        self._thread.join()
        self._cable.unplug()
        os.close(self._wake_in)
        os.close(self._wake_out)

    # --- for the one who watches ---------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where a driver finds it: "serial:/path" or "tcp:127.0.0.1:port"."""
        return self._cable.address

    @property
    def papers(self) -> list[Paper]:
        """The last papers that were cut off, oldest first."""
        with self._lock:
            return list(self._papers)

    @property
    def hanging(self) -> Paper:
        """What is printed but not cut off."""
        with self._lock:
            return self._interpreter.hanging()

    @property
    def defects(self) -> list[str]:
        """What a real printer would not have understood, or would have drawn wrongly."""
        with self._lock:
            return list(self._interpreter.defects)

    def state(self) -> dict[str, Any]:
        """Everything for a screen, as JSON can hold it."""
        with self._lock:
            return {
                "address": self.address,
                "profile": self.profile.name,
                "online": self._is_online(),
                "faults": sorted(self._faults),
                "lines_left": self._lines_left,
                "papers": len(self._papers),
                "hanging": self._interpreter.hanging().text() if self._interpreter.marks else "",
                "buffered_bytes": len(self._buffer),
                "drawer_kicks": self._kicks,
                "defects": list(self._interpreter.defects),
            }

    # --- for the one who breaks things -----------------------------------------------------------

    def set_fault(self, fault: Fault, is_on: bool = True) -> None:
        """Make it so, or put it right. Returns when it is."""
        with self._lock:
            if is_on:
                self._faults.add(fault)
            else:
                self._faults.discard(fault)
                if fault is Fault.NO_PAPER:
                    self._lines_left = None
            if fault is Fault.CABLE_OUT:
                self._cable.unplug() if is_on else self._cable.plug()
            if fault is Fault.POWER_OFF and is_on:
                self._buffer.clear()
                self._held.clear()
                self._interpreter.power_cycle()
            self._changed = True
            rounds = self._rounds
        self._wake()
        self._wait_for_round(rounds)

    def load_paper(self, lines: int | None = None) -> None:
        """A new roll; it ends after so many lines, or never. What hung from the old one goes."""
        with self._lock:
            if self._interpreter.marks:
                self._papers.append(self._interpreter.hanging())
                self._interpreter.marks.clear()
            self._faults -= {Fault.NO_PAPER, Fault.NEAR_END}
            self._lines_left = lines
            self._changed = True
        self._wake()

    def jam_next_cut(self) -> None:
        with self._lock:
            self._jams_at_cut = True

    def _wait_for_round(self, rounds: int) -> None:
        """Until its thread has let go of what it waited for: a cable that is pulled under a poll
        is felt at the far end only after that."""
        if not self._thread.is_alive() or threading.current_thread() is self._thread:
            return
        with self._lock:
            self._went_round.wait_for(lambda: self._rounds > rounds, _ROUND_WAIT_S)

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # full: it will wake anyway
            os.write(self._wake_out, b"!")

    # --- its own thread --------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._stopping:
                    return
                self._work()
                wait_s, wanted = self._next()
            self._tell()
            poll = select.poll()
            for descriptor, event in wanted.items():
                poll.register(descriptor, event)
            # Each wait is short: the buffer may have to be looked at without any event.
            found = {descriptor for descriptor, _ in poll.poll(round(wait_s * 1000))}
            with self._lock:
                self._take(found)
                self._rounds += 1
                self._went_round.notify_all()

    def _tell(self) -> None:
        with self._lock:
            changed, self._changed = self._changed, False
        if changed:
            self._on_change()

    def _next(self) -> tuple[float, dict[int, int]]:
        """How long to wait, and for which events of whom."""
        wanted = {self._wake_in: select.POLLIN}
        if self._cable.waiting is not None:
            wanted[self._cable.waiting] = select.POLLIN
        descriptor = self._cable.descriptor
        if descriptor is not None:
            has_room = self._room(descriptor) > 0
            wanted[descriptor] = select.POLLIN if has_room else select.POLLPRI
        is_waiting = bool(self._buffer) or self._bytes_per_s is not None
        return (_TICK_S if is_waiting else 1.0), wanted

    def _room(self, descriptor: int) -> int:
        """How many bytes it takes now."""
        room = self._buffer_bytes - len(self._buffer)
        if room <= 0 and self._is_online() and self._interpreter.command(self._buffer) is None:
            room = 1024  # the rest of a long command goes through, as in a real one
        elif room <= 0:
            waiting = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))[0]
            room = waiting if waiting <= _RESERVE_BYTES else 0
        if self._bytes_per_s is not None:
            room = min(room, max(1, round(self._bytes_per_s * _TICK_S)))
        return room

    def _take(self, found: set[int]) -> None:
        if self._wake_in in found:
            os.read(self._wake_in, 4096)
        if self._cable.waiting in found:
            self._cable.accept()
        descriptor = self._cable.descriptor
        if descriptor is None or descriptor not in found:
            return
        room = self._room(descriptor)
        data = self._cable.read(min(max(room, 0), 4096))
        if self._cable.was_flushed() and room <= 0:
            while self._cable.read(4096):
                pass  # over a real line it would not have come
        elif data and Fault.POWER_OFF not in self._faults:
            if self._bytes_per_s is not None:
                time.sleep(len(data) / self._bytes_per_s)
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        """Real-time commands are obeyed at once, wherever they stand; the rest is buffered."""
        self._held += data
        while self._held:
            start = self._held.find(0x10)
            if start < 0:
                start = len(self._held)
            if start:
                self._buffer += self._held[:start]
                del self._held[:start]
                continue
            length = self._real_time()
            if length is None:
                return
            if not length:
                self._buffer.append(self._held[0])
                length = 1
            del self._held[:length]

    def _real_time(self) -> int | None:
        """Obey the real-time command that stands first; its length, 0 for none, None: not yet."""
        held = bytes(self._held)
        if len(held) < 3 and _DLE_EOT.startswith(held[:2]):
            return None
        if held[:2] == _DLE_EOT and 1 <= held[2] <= 4:
            self._expect_no_open_command()
            self._reply(bytes((status_byte(held[2], self._faults),)))
            return 3
        if len(held) < len(_CLEAR) and _CLEAR.startswith(held):
            return None
        if held.startswith(_CLEAR) and self.profile.clears:
            self._buffer.clear()
            self._interpreter.power_cycle()
            self._reply(b"\x37\x25\x00")
            return len(_CLEAR)
        return 0

    def _expect_no_open_command(self) -> None:
        """Makers warn: a real-time command inside of another one may be taken for its parameter."""
        rest = bytes(self._buffer)
        while (command := self._interpreter.command(rest)) is not None:
            rest = rest[len(command) :]
        if rest and Fault.NO_PAPER not in self._faults:
            self._interpreter.defect(f"DLE EOT inside of {rest[:4].hex(' ')}")

    def _work(self) -> None:
        """The mechanism: what is buffered is done, as far as nothing stops it."""
        while self._is_online() and time.monotonic() >= self._busy_until:
            command = self._interpreter.command(self._buffer)
            if command is None:
                if len(self._buffer) > _LONGEST_COMMAND_BYTES:
                    self._interpreter.defect("a command without end")
                    self._buffer.clear()
                return
            if self._interpreter.feeds(command) and not self._may_feed(command):
                return
            self._interpreter.execute(command)
            del self._buffer[: len(command)]
            if self._interpreter.finished:
                self._papers += self._interpreter.finished
                self._interpreter.finished.clear()
                self._changed = True

    def _may_feed(self, command: bytes) -> bool:
        if self._interpreter.cuts(command) and self._jams_at_cut:
            self._jams_at_cut = False
            self._faults.add(Fault.CUTTER)
        elif self._lines_left == 0:
            self._faults.add(Fault.NO_PAPER)
        else:
            if self._lines_left is not None:
                self._lines_left -= 1
            self._busy_until = time.monotonic() + self._line_s
            return True
        self._changed = True
        return False

    def _is_online(self) -> bool:
        return is_online(self._faults)

    def _reply(self, data: bytes) -> None:
        descriptor = self._cable.descriptor
        if descriptor is None or self._faults & {Fault.SILENT, Fault.POWER_OFF}:
            return
        with suppress(OSError):  # nobody listens: a printer does not mind
            os.write(descriptor, data)

    def _kicked(self) -> None:
        self._kicks += 1
        self._changed = True
