"""A simulated terminal's thread: power, cable, bytes and time. What it says is zvt_terminal.py.

Everything that touches the line runs on the one thread; what others want done is handed to it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from appliance.domain.errors import Bug
from appliance.protocols.zvt import answers, commands, messages
from appliance.protocols.zvt.errors import ZvtError
from appliance.protocols.zvt.framing import SerialTimes, frame
from appliance.simulators.zvt_ports import Port, PtyPort, TcpPort, wait

LARGEST_QUEUE: Final = 64
LONGEST_ORDER_S: Final = 10.0

Sendable = (
    answers.Accepted
    | answers.Refusal
    | answers.StatusInformation
    | answers.IntermediateStatus
    | answers.PrintLine
    | answers.PrintTextBlock
    | answers.Completion
    | answers.Failure
)


class PowerLost(Exception):
    """Unwinds whatever the terminal was at."""


class Stopped(Exception):
    """Ends the thread."""


@dataclass(frozen=True, slots=True)
class LineOptions:
    """line: "pty" or "tcp". path: a stable symbolic link to the pty. port: 0 picks one. The times
    are the standard's, in seconds."""

    line: str = "pty"
    path: str | None = None
    port: int = 0
    serial: SerialTimes = field(default_factory=SerialTimes)
    t3_s: float = 5.0


class Machine:
    """Power, cable and line. Subclasses serve in `serve`, and wait only by `step`.

    step_s: it looks around so often, whatever it waits for."""

    step_s = 0.25

    def __init__(self, options: LineOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.powered = True
        self.cable = True
        self.is_silent = False
        self.naks_left = 0
        self.t3_s = options.t3_s
        self.inbox: deque[messages.Message] = deque(maxlen=LARGEST_QUEUE)
        self._options = options
        self.port = self.new_port(options)
        self._link = self.port.new_link(options.serial)
        self._generation = self.port.generation
        self._orders: deque[tuple[Callable[[], None], threading.Event]] = deque()
        self._wake = -1  # while it runs: to be written to when there is an order
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)

    def new_port(self, options: LineOptions) -> Port:
        return TcpPort(options.port) if options.line == "tcp" else PtyPort(options.path)

    @property
    def address(self) -> str:
        """As the driver's options take it. Without `path`, a pty's changes with each replug."""
        return self.port.address

    # --- any thread

    def start(self) -> None:
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and closes the line."""

        def stop() -> None:
            self._stopping = True

        self.order(stop)
        self._thread.join(LONGEST_ORDER_S)
        if self._thread.is_alive():
            raise Bug("the simulated terminal does not stop")
        os.close(self._wake)

    def order(self, action: Callable[[], None]) -> None:
        """Run on the terminal's thread, and wait until it is done."""
        if threading.current_thread() is self._thread or not self._thread.is_alive():
            action()
            return
        done = threading.Event()
        self._orders.append((action, done))
        os.eventfd_write(self._wake, 1)
        if not done.wait(LONGEST_ORDER_S):
            raise Bug("the simulated terminal is stuck")

    def pull_plug(self) -> None:
        """Power off in the middle of whatever it is at."""

        def pull() -> None:
            self.powered = False
            if self.port.is_network:  # a serial line falls silent, a network port closes
                self.port.cut()

        self.order(pull)

    def plug_in(self) -> None:
        def plug() -> None:
            self.powered = True
            if self.cable:
                self.port.restore()

        self.order(plug)

    def cable_out(self) -> None:
        """The till loses the line; the terminal goes on without it."""

        def out() -> None:
            self.cable = False
            self.port.cut()
            self.changed()

        self.order(out)

    def cable_in(self) -> None:
        def back() -> None:
            self.cable = True
            if self.powered or not self.port.is_network:
                self.port.restore()
            self.changed()

        self.order(back)

    # --- the terminal's thread

    def serve(self) -> None:
        """Run until PowerLost or Stopped."""
        raise NotImplementedError

    def changed(self) -> None:
        """Something that `state` shows is different."""

    def power_changed(self) -> None:
        """The plug was pulled or put in."""

    def _run(self) -> None:
        try:
            while True:
                try:
                    self.serve()
                except PowerLost:
                    self.power_changed()
                    self._stay_off()
                    self.power_changed()
        except Stopped:
            pass
        finally:
            self.port.cut()
            self._stopping = True
            self._run_orders()

    def _stay_off(self) -> None:
        while not self.powered:
            self._wait_once(self.step_s)
            if not self.powered:
                self.port.read()  # a dead terminal's line swallows what comes
        self._new_link()

    def _new_link(self) -> None:
        self._link = self.port.new_link(self._options.serial)
        self._generation = self.port.generation
        self.inbox.clear()

    def _run_orders(self) -> None:
        while self._orders:
            action, done = self._orders.popleft()
            action()
            done.set()

    def _wait_once(self, timeout_s: float) -> None:
        wait([self._wake, *self.port.files()], timeout_s)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        self._run_orders()
        if self._stopping:
            raise Stopped

    def step(self, until: float) -> None:
        """Wait for something to happen, at the longest until then, and read it in."""
        deadline = None if self.is_silent else self._link.deadline()
        due = min(until, deadline or until, self.clock() + self.step_s)
        self._wait_once(max(0.0, due - self.clock()))
        if not self.powered:
            raise PowerLost
        data = self.port.read()
        if self.port.generation != self._generation:
            self._new_link()
        if self.is_silent:
            return
        now = self.clock()
        if self.naks_left and data[:2] == b"\x10\x02" and not self.port.is_network:
            self.naks_left -= 1
            self.port.write(b"\x15")
            return
        try:
            for raw in self._link.receive(data, now):
                self.inbox.append(messages.decode(raw))
            if not data:
                self._link.tick(now)
        except ZvtError:
            self._new_link()  # the till talks nonsense, or not at all
        self._flush()

    def _flush(self) -> None:
        output = self._link.take_output()
        if output and not self.is_silent:
            self.port.write(output)

    @property
    def generation(self) -> int:
        return self.port.generation

    def send(self, message: Sendable) -> None:
        self._link.send(message.encode(), self.clock())
        self._flush()

    def exchange(self, message: Sendable) -> answers.Accepted | answers.Refusal | None:
        """Send, and wait T3 for the till's answer; None when there is none."""
        generation, until = self.generation, self.clock() + self.t3_s
        self.take_inbox()
        self.send(message)
        return self.await_answer(generation, until)

    def await_answer(
        self, generation: int, until: float
    ) -> answers.Accepted | answers.Refusal | None:
        while self.generation == generation and self.clock() < until:
            while self.inbox:
                answer = self.inbox.popleft()
                if isinstance(answer, answers.Accepted | answers.Refusal):
                    return answer
                self.meanwhile(answer)
            self.step(until)
        return None

    def meanwhile(self, message: messages.Message) -> None:
        """A command that comes while another one runs."""
        self.send(answers.Refusal(0x9C))

    def pause(self, seconds: float) -> None:
        """Be busy for so long."""
        until = self.clock() + seconds
        while self.clock() < until:
            self.take_inbox()
            self.step(until)

    def take_inbox(self) -> None:
        """Answer what came in while the terminal is busy; late acknowledgements are dropped."""
        while self.inbox:
            message = self.inbox.popleft()
            if not isinstance(message, answers.Accepted | answers.Refusal):
                self.meanwhile(message)

    def next_command(self) -> commands.Command:
        """Wait for the till's next command."""
        while True:
            while self.inbox:
                message = self.inbox.popleft()
                if isinstance(message, commands.Command):
                    return message
            self.step(self.clock() + self.step_s)

    # --- broken lines

    def send_raw(self, data: bytes) -> None:
        """Bytes past the protocol; those that nobody takes within a second are lost."""
        until = self.clock() + 1.0
        while data and self.clock() < until:
            taken = self.port.write(data)
            data = data[taken:]
            if not taken:
                self._wait_once(0.005)

    def on_the_wire(self, message: Sendable) -> bytes:
        """The bytes of a message on this kind of line."""
        raw = message.encode()
        return frame(raw) if not self.port.is_network else raw
