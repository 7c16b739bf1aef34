"""A receipt printer on USB, for a guest in QEMU: our simulated printer behind a USB cable.

    with usb_printer(folder / "printer") as (printer, cable):
        with Machine(folder, Hardware(..., extra=cable.words("printer"))) as machine:
            ...

The guest's usblp makes /dev/usb/lp0 of it. The cable outlives machines, as a printer does.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from appliance.simulators.escpos_printer import EscposPrinterSimulator
from tests.image.hardware import USB_BUS, escaped
from tests.image.usb_device import Transfer, UsbDevice
from tests.image.usb_identity import Identity, port_status
from tests.image.usbredir import Control, Message, RedirError, Stream

_CHUNK_BYTES: Final = 4096
_RECEIVE_BYTES: Final = 1 << 16
_SEND_WAIT_S: Final = 10.0
_ROUND_S: Final = 1.0


@contextmanager
def usb_printer(
    path: Path, identity: Identity | None = None, **options: Any
) -> Iterator[tuple[EscposPrinterSimulator, UsbCable]]:
    """A printer that is plugged in. path: the cable's. options: of the simulator.

    Over USB a printer without power is one whose cable is out as well: set both faults.
    """
    with UsbCable(path, identity or Identity()) as cable:
        printer = EscposPrinterSimulator(cable=cable, **options)
        cable.status = lambda: port_status(printer.state()["faults"])
        with printer:
            yield printer, cable


class UsbCable:
    """A `Cable` of the simulated printers, with the USB device and QEMU at its other end.

    path: a socket that it listens at from `__enter__` on, for one machine at a time. QEMU ends when
    nobody listens there at its start. status: asked for the printer's port status.
    """

    waiting: int | None = None

    def __init__(self, path: Path, identity: Identity) -> None:
        self.path = path
        self.status: Callable[[], int] = lambda: port_status(())
        self._device = UsbDevice(identity)
        self._lock = threading.Lock()  # of the device and of what follows
        self._ends: tuple[socket.socket, socket.socket] | None = None  # the printer's and ours
        self._pulled: list[socket.socket] = []  # for the thread, which may be waiting for them
        self._lying = 0  # bytes that the printer can read at once, and the transfer they are of
        self._lying_of: Transfer | None = None
        self._machine: socket.socket | None = None
        self._stream = Stream()
        self._is_stopping = False
        self._wake_in, self._wake_out = socket.socketpair()
        self._listener = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._run, name="usb-cable", daemon=True)

    def __enter__(self) -> Self:
        """Raises OSError when it cannot listen there."""
        self.path.unlink(missing_ok=True)
        self._listener.bind(str(self.path))
        self._listener.listen(1)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_stopping = True
        self._wake()
        self._thread.join()
        self.unplug()
        self._hang_up()
        for end in (*self._pulled, self._listener, self._wake_in, self._wake_out):
            end.close()
        self.path.unlink()

    def words(self, name: str) -> tuple[str, ...]:
        """For `Hardware.extra`: the device under that name."""
        chardev = f"socket,id={name}-cable,path={escaped(self.path)}"
        device = f"usb-redir,id={name},chardev={name}-cable,bus={USB_BUS}"
        return "-chardev", chardev, "-device", device

    @property
    def defects(self) -> list[str]:
        """What came over the cable that no machine should send; the last hundred."""
        with self._lock:
            return list(self._device.defects)

    def halt(self) -> None:
        """The device stalls what it is sent, until the guest clears that or resets it."""
        with self._lock:
            self._tell(self._device.halt())
            self._lay_ready()

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

    def plug(self) -> None:
        """Idempotent."""
        with self._lock:
            if self._ends is None:
                self._ends = socket.socketpair()
                self._ends[0].setblocking(False)
                self._tell(self._device.plug())
        self._wake()

    def unplug(self) -> None:
        """Idempotent."""
        with self._lock:
            if self._ends is not None:
                self._tell(self._device.unplug())
                self._ends[0].close()
                self._pulled.append(self._ends[1])
                self._ends = None
                self._lying = 0
        self._wake()

    def read(self, size: int) -> bytes:
        with self._lock:
            if self._ends is None:
                return b""
            try:
                data = self._ends[0].recv(size)
            except BlockingIOError:
                return b""  # the guest took it back meanwhile
            self._lying -= len(data)
            self._tell(self._device.took(len(data)))
            self._lay_ready()
            return data

    def _lay_ready(self) -> None:
        """What the printer may take next; no more than the socket is sure to hold."""
        if self._ends is None:
            return
        near, far = self._ends
        head = self._device.head
        if self._lying and head is not self._lying_of:
            near.recv(self._lying)
            self._lying = 0
        if head is not None and not self._lying:
            chunk = head.rest[:_CHUNK_BYTES]
            far.sendall(chunk)
            self._lying, self._lying_of = len(chunk), head

    # --- for the machine, on a thread of its own -------------------------------------------------

    def _wake(self) -> None:
        self._wake_out.send(b"!")

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._is_stopping:
                    return
                while self._pulled:
                    self._pulled.pop().close()
                wanted = [self._wake_in, self._machine or self._listener]
                if self._device.wanted and self._ends is not None:
                    wanted.append(self._ends[1])
            ready, _, _ = select.select(wanted, (), (), _ROUND_S)
            if self._wake_in in ready:
                self._wake_in.recv(_CHUNK_BYTES)
            if self._listener in ready:
                self._let_in()
            elif self._machine in ready:
                self._hear()
            with self._lock:
                # It may have been unplugged, or the machine may have changed its mind.
                if self._ends and self._ends[1] in ready and self._device.wanted:
                    self._tell(self._device.reply(self._ends[1].recv(self._device.wanted)))

    def _let_in(self) -> None:
        machine, _ = self._listener.accept()
        machine.settimeout(_SEND_WAIT_S)
        with self._lock:
            self._machine, self._stream = machine, Stream()
            self._send(self._stream.hello())

    def _hang_up(self) -> None:
        with self._lock:
            self._device.forget()
            self._lay_ready()
            if self._machine is not None:
                self._machine.close()
                self._machine = None
                self._stream = Stream()

    def _hear(self) -> None:
        assert self._machine is not None
        was_open = self._stream.is_open
        try:
            data = self._machine.recv(_RECEIVE_BYTES)
            messages = self._stream.receive(data)
        except OSError:
            data, messages = b"", []  # QEMU was killed
        except RedirError as error:
            self._device.defects.append(str(error))
            data, messages = b"", []
        if not data:
            self._hang_up()
            return
        with self._lock:
            if self._stream.is_open and not was_open and self._ends is not None:
                self._tell(self._device.plug())
        for message in messages:
            # Without the lock: the printer may be asked, which may be reading from here.
            status = self.status() if isinstance(message, Control) else 0
            with self._lock:
                if self._ends is not None:  # else it was sent before the cable was out
                    self._tell(self._device.handle(message, status))
                    self._lay_ready()

    def _tell(self, messages: Sequence[Message]) -> None:
        if self._stream.is_open:
            self._send(b"".join(self._stream.encode(message) for message in messages))

    def _send(self, data: bytes) -> None:
        if self._machine is not None:
            with suppress(OSError):  # a machine that is gone is noticed where it is read from
                self._machine.sendall(data)
