"""Cables: bytes on their way in both directions, each piece with its time of arrival.

What can happen to bytes is `mangle`'s: by default a piece arrives whole after a moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from appliance.drivers.lines import LineLost
from appliance.protocols.zvt.framing import Link, SerialLink, SerialTimes, TcpLink
from tests.simulation.kernel import Kernel, Task

TRAVEL_S: Final = 0.002
IN_FLIGHT_MOST: Final = 4096  # what the kernel holds for a device that takes no more

Mangle = Callable[[str, bytes], list[tuple[float, bytes]]]
"""(whose bytes, the bytes) -> (delay in seconds, piece), in the order in which they arrive."""


def unharmed(sender: str, data: bytes) -> list[tuple[float, bytes]]:
    return [(TRAVEL_S, data)]


class End:
    """What arrives at one end, and who waits for it."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._waiting: list[Task] = []
        self._last_s = 0.0
        self.is_woken = False

    def put(self, delay_s: float, data: bytes) -> None:
        """Bytes never overtake each other."""
        at_s = self._last_s = max(self._last_s, self._kernel.now + delay_s)
        self._pieces.append((at_s, data))
        self._kernel.at(at_s, self.stir)

    def take(self, most: int = 4096) -> bytes:
        data = bytearray()
        while self._pieces and self._pieces[0][0] <= self._kernel.now and len(data) < most:
            at_s, piece = self._pieces.popleft()
            room = most - len(data)
            data += piece[:room]
            if piece[room:]:
                self._pieces.appendleft((at_s, piece[room:]))
        return bytes(data)

    def held(self) -> int:
        """Bytes on their way, and those that nobody has taken."""
        return sum(len(piece) for _, piece in self._pieces)

    def clear(self) -> None:
        self._pieces.clear()

    def stir(self) -> None:
        """Whoever waits here is to look again."""
        waiting, self._waiting = self._waiting, []
        for task in waiting:
            self._kernel.wake(task)

    def wait(self, until: float | None) -> None:
        task = self._kernel.current
        assert task is not None
        self._waiting.append(task)
        try:
            self._kernel.park(until)
        finally:
            if task in self._waiting:
                self._waiting.remove(task)


class Wire:
    """generation: of the connection; a new one with each hang-up and each pulled plug."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        self.kernel, self.name = kernel, name
        self.kiosk, self.device = End(kernel), End(kernel)
        self.is_plugged = True
        self.generation = 0
        self.mangle: Mangle = unharmed
        self.harmed_at_s = float("-inf")

    def send(self, sender: str, data: bytes) -> None:
        if not self.is_plugged:
            return
        if self.mangle is not unharmed:
            self.harmed_at_s = self.kernel.now
        far = self.device if sender == "kiosk" else self.kiosk
        for delay_s, piece in self.mangle(sender, data):
            far.put(delay_s, piece)

    def hang_up(self) -> None:
        """Whoever is on it, on either side, has lost the other one, and what was on its way."""
        self.generation += 1
        for end in (self.kiosk, self.device):
            end.clear()
            end.stir()

    def unplug(self) -> None:
        self.is_plugged = False
        self.hang_up()

    def plug(self) -> None:
        self.is_plugged = True
        self.device.stir()


class TerminalLine:
    """drivers.lines.Line over a wire. Raises LineLost where the wire is out."""

    def __init__(self, wire: Wire, *, is_network: bool) -> None:
        if not wire.is_plugged:
            raise LineLost(f"{wire.name}: not there")
        self._wire, self._is_network = wire, is_network
        if is_network:
            wire.hang_up()  # the far end meets a new till
        wire.kiosk.clear()
        wire.kiosk.is_woken = False
        self._generation = wire.generation

    def read(self, until: float) -> bytes:
        end, kernel = self._wire.kiosk, self._wire.kernel
        while True:
            self._check()
            if data := end.take():
                return data
            if end.is_woken:
                end.is_woken = False
                return b""
            if kernel.now >= until:
                return b""
            end.wait(until)

    def write(self, data: bytes, until: float) -> None:
        self._check()
        self._wire.send("kiosk", data)

    def has_moved(self) -> bool:
        return False

    def wake(self) -> None:
        self._wire.kiosk.is_woken = True
        self._wire.kiosk.stir()

    def close(self) -> None:
        """A network tells the far end, after what is on its way; a serial line does not, and
        neither does a machine without power."""
        wire, generation = self._wire, self._generation
        task = wire.kernel.current
        is_dead = task is not None and task.machine is not None and task.machine.is_dead
        if self._is_network and not is_dead:

            def hang_up() -> None:
                if wire.generation == generation:
                    wire.hang_up()

            wire.kernel.at(wire.kernel.now + 2 * TRAVEL_S, hang_up)

    def _check(self) -> None:
        self._wire.kernel.check_alive()
        if self._wire.generation != self._generation:
            raise LineLost("the far end has hung up")


class TerminalPort:
    """simulators.zvt_ports.Port over a wire."""

    def __init__(self, wire: Wire, *, is_network: bool) -> None:
        self._wire, self.is_network = wire, is_network

    @property
    def generation(self) -> int:
        return self._wire.generation

    @generation.setter
    def generation(self, _: int) -> None:
        raise AssertionError("the wire counts")

    @property
    def address(self) -> str:
        return "tcp:192.0.2.1:20007" if self.is_network else "serial:/dev/kassa/terminal"

    def new_link(self, times: SerialTimes) -> Link:
        return TcpLink() if self.is_network else SerialLink(times)

    def files(self) -> list[int]:
        return []

    def read(self) -> bytes:
        return self._wire.device.take()

    def write(self, data: bytes) -> int:
        self._wire.send("device", data)
        return len(data)

    def cut(self) -> None:
        self._wire.unplug()

    def restore(self) -> None:
        self._wire.plug()

    def flap(self) -> None:
        self._wire.hang_up()
