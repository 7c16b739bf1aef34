"""A machine's USB port with a device of ours in it; behind the socket is QEMU's `usb-redir`."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Generic, Self, TypeVar

from tests.image.hardware import USB_BUS, escaped
from tests.image.usb_function import UsbFunction
from tests.image.usbredir import Message, RedirError, Stream

_RECEIVE_BYTES: Final = 1 << 16
_SEND_WAIT_S: Final = 10.0
_ROUND_S: Final = 1.0

Function = TypeVar("Function", bound=UsbFunction)


class UsbPort(Generic[Function]):
    """path: a socket that it listens at from `__enter__` on, for one machine at a time. QEMU ends
    when nobody listens there at its start. The device outlives machines, as a real one does.
    """

    def __init__(self, path: Path, function: Function) -> None:
        self.path = path
        self._function = function
        self._lock = threading.Lock()  # of the function and of what follows
        self._is_plugged = False
        self._machine: socket.socket | None = None
        self._stream = Stream()
        self._is_stopping = False
        self._wake_in, self._wake_out = socket.socketpair()
        self._listener = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._run, name="usb-port", daemon=True)

    def __enter__(self) -> Self:
        """Raises OSError when it cannot listen there."""
        self.path.unlink(missing_ok=True)
        self._listener.bind(str(self.path))
        self._listener.listen(1)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()
        with self._lock:
            self._is_stopping = True
        self._wake()
        self._thread.join()
        self._hang_up()
        for end in (self._listener, self._wake_in, self._wake_out):
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
            return list(self._function.defects)

    def plug(self) -> None:
        """Idempotent."""
        with self._lock:
            if not self._is_plugged:
                self._is_plugged = True
                self._tell(self._function.plug())
                self._changed()
        self._wake()

    def unplug(self) -> None:
        """Idempotent."""
        with self._lock:
            if self._is_plugged:
                self._is_plugged = False
                self._tell(self._function.unplug())
                self._changed()
        self._wake()

    # --- what more a device may do; with the lock held, where nothing else is said ---------------

    def _changed(self) -> None:
        """It was plugged or unplugged, or the machine has said something."""

    def _before(self, message: Message) -> None:
        """The message is about to be handled. Without the lock."""

    def _listened_to(self) -> list[socket.socket]:
        """What wakes the thread besides. They are closed by nobody but the thread."""
        return []

    def _heard(self, ready: list[socket.socket]) -> None:
        """These of them can be read."""

    # --- for the machine, on a thread of its own -------------------------------------------------

    def _wake(self) -> None:
        self._wake_out.send(b"!")

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._is_stopping:
                    return
                besides = self._listened_to()
                wanted = [self._wake_in, self._machine or self._listener, *besides]
            ready, _, _ = select.select(wanted, (), (), _ROUND_S)
            if self._wake_in in ready:
                self._wake_in.recv(_RECEIVE_BYTES)
            if self._listener in ready:
                self._let_in()
            elif self._machine in ready:
                self._hear()
            with self._lock:
                self._heard([end for end in besides if end in ready])

    def _let_in(self) -> None:
        machine, _ = self._listener.accept()
        machine.settimeout(_SEND_WAIT_S)
        with self._lock:
            self._machine, self._stream = machine, Stream()
            self._send(self._stream.hello())

    def _hang_up(self) -> None:
        with self._lock:
            self._function.forget()
            self._changed()
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
            self._function.defects.append(str(error))
            data, messages = b"", []
        if not data:
            self._hang_up()
            return
        with self._lock:
            if self._stream.is_open and not was_open and self._is_plugged:
                self._tell(self._function.plug())
        for message in messages:
            self._before(message)
            with self._lock:
                if self._is_plugged:  # else it was sent before the cable was out
                    self._tell(self._function.handle(message))
                    self._changed()

    def _tell(self, messages: Sequence[Message]) -> None:
        """With the lock held."""
        if self._stream.is_open:
            self._send(b"".join(self._stream.encode(message) for message in messages))

    def _send(self, data: bytes) -> None:
        if self._machine is not None:
            with suppress(OSError):  # a machine that is gone is noticed where it is read from
                self._machine.sendall(data)
