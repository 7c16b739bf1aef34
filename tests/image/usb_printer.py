"""A receipt printer on USB, for a guest in QEMU: our simulated printer behind a USB cable.

    with usb_printer(folder / "printer") as (printer, cable):
        with Machine(folder, Hardware(..., extra=cable.words("printer"))) as machine:
            ...

The guest's usblp makes /dev/usb/lp0 of it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from appliance.simulators.escpos_printer import EscposPrinterSimulator
from tests.image.usb_function import Identity
from tests.image.usb_port import UsbPort
from tests.image.usb_printer_function import EPSON, WELL, PrinterFunction, Transfer, port_status
from tests.image.usbredir import Control, Message

_CHUNK_BYTES: Final = 4096


@contextmanager
def usb_printer(
    path: Path, identity: Identity = EPSON, **options: Any
) -> Iterator[tuple[EscposPrinterSimulator, UsbCable]]:
    """A printer that is plugged in. path: the cable's. options: of the simulator.

    Over USB a printer without power is one whose cable is out as well: set both faults.
    """
    with UsbCable(path, identity) as cable:
        printer = EscposPrinterSimulator(cable=cable, **options)
        cable.status = lambda: port_status(printer.state()["faults"])
        with printer:
            yield printer, cable


class UsbCable(UsbPort[PrinterFunction]):
    """A `Cable` of the simulated printers. status: asked for the printer's port status."""

    waiting: int | None = None

    def __init__(self, path: Path, identity: Identity) -> None:
        super().__init__(path, PrinterFunction(identity))
        self.status: Callable[[], int] = lambda: WELL
        self._ends: tuple[socket.socket, socket.socket] | None = None  # the printer's and ours
        self._pulled: list[socket.socket] = []  # ours of before, until the thread lets go of it
        self._lying = 0  # bytes that the printer can read at once, and the transfer they are of
        self._lying_of: Transfer | None = None

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for end in self._pulled:
            end.close()

    def halt(self) -> None:
        """The device stalls what it is sent, until the guest clears that or resets it."""
        with self._lock:
            self._tell(self._function.halt())
            self._changed()

    # --- for the printer -------------------------------------------------------------------------

    @property
    def address(self) -> str:
        return f"usb:{self.path}"

    @property
    def descriptor(self) -> int | None:
        return None if self._ends is None else self._ends[0].fileno()

    def accept(self) -> None:
        """Nobody waits at a USB cable."""

    def was_flushed(self) -> bool:
        return False  # what a guest takes back is taken away from here at once

    def read(self, size: int) -> bytes:
        with self._lock:
            if self._ends is None:
                return b""
            try:
                data = self._ends[0].recv(size)
            except BlockingIOError:
                return b""  # the guest took it back meanwhile
            self._lying -= len(data)
            self._tell(self._function.took(len(data)))
            self._changed()
            return data

    # --- for the machine -------------------------------------------------------------------------

    def _before(self, message: Message) -> None:
        if isinstance(message, Control):
            # Without the lock: the printer may be asking for it in this moment.
            self._function.port_status = self.status()

    def _changed(self) -> None:
        """What the printer may take next is laid ready; no more than the socket is sure to hold."""
        if self._is_plugged and self._ends is None:
            self._ends = socket.socketpair()
            self._ends[0].setblocking(False)
        elif not self._is_plugged and self._ends is not None:
            self._ends[0].close()
            self._pulled.append(self._ends[1])
            self._ends = None
            self._lying = 0
        if self._ends is None:
            return
        near, far = self._ends
        head = self._function.head
        if self._lying and head is not self._lying_of:
            near.recv(self._lying)
            self._lying = 0
        if head is not None and not self._lying:
            chunk = head.rest[:_CHUNK_BYTES]
            far.sendall(chunk)
            self._lying, self._lying_of = len(chunk), head

    def _listened_to(self) -> list[socket.socket]:
        while self._pulled:
            self._pulled.pop().close()
        return [self._ends[1]] if self._ends and self._function.wanted else []

    def _heard(self, ready: list[socket.socket]) -> None:
        # It may have been unplugged, or the machine may have changed its mind.
        if self._ends and self._ends[1] in ready and self._function.wanted:
            answer = self._ends[1].recv(self._function.wanted)
            self._tell(self._function.reply(answer))
