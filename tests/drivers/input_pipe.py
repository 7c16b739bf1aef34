"""A keyboard without a kernel: evdev's own device class reading from a pipe.

Real: struct input_event as bytes, evdev's C code that reads and unpacks them, its event objects,
the poll on a file descriptor. Not real: /dev/input/event* itself, EVIOCGRAB, and the error of a
device that was pulled out (a pipe ends, a device says ENODEV).
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from pathlib import Path
from typing import Any

import evdev
from evdev import ecodes

_RECORD = struct.Struct("llHHi")  # struct input_event of a 64-bit kernel
_DOWN, _UP = 1, 0


class PipeDevice(evdev.InputDevice):
    """What evdev makes of a device, without asking the kernel for its name and its keys."""

    def __new__(cls, _descriptor: int) -> Any:
        return object.__new__(cls)

    def __init__(self, descriptor: int) -> None:
        self.fd = descriptor
        self.is_grabbed = False

    def grab(self) -> None:
        self.is_grabbed = True

    def read(self) -> Any:
        events = list(super().read())
        if not events:  # the pipe's end stands for the cable
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return iter(events)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Keyboard:
    """Types on a US keyboard into whatever `open` gave last. path: where its device's name is, as
    long as it is plugged in; it may be made to lead elsewhere."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pipe = path.with_name(f"{path.name}.pipe")
        self._is_in = False
        self.plug_in()
        self._writer: int | None = None
        self.device: PipeDevice | None = None

    def open(self, path: str) -> PipeDevice:
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._writer = os.open(path, os.O_WRONLY)
        self.device = PipeDevice(reader)
        return self.device

    def pull_out(self) -> None:
        if not self._is_in:
            return
        self._is_in = False
        self.path.unlink(missing_ok=True)
        self._pipe.unlink()
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None

    def plug_in(self) -> None:
        os.mkfifo(self._pipe)
        self.path.symlink_to(self._pipe)
        self._is_in = True

    def send(self, *events: tuple[int, int, int]) -> None:
        """Records of (type, code, value), written at once; lost where the device is not open any
        more, as the kernel loses keys that nobody reads."""
        assert self._writer is not None
        with contextlib.suppress(BrokenPipeError):
            os.write(self._writer, b"".join(_RECORD.pack(0, 0, *event) for event in events))

    def press(self, *keys: int) -> None:
        """Hold the first, press the others, let go."""
        first, *rest = keys
        self._key(first, _DOWN)
        for key in rest:
            self._key(key, _DOWN)
            self._key(key, _UP)
        self._key(first, _UP)

    def type(self, text: str, end: int = ecodes.KEY_ENTER) -> None:
        for character in text:
            name = {"-": "MINUS", " ": "SPACE"}.get(character, character.upper())
            key = ecodes.ecodes[f"KEY_{name}"]
            if character.isupper():
                self.press(ecodes.KEY_LEFTSHIFT, key)
            else:
                self.press(key)
        self.press(end)

    def _key(self, key: int, value: int) -> None:
        self.send((ecodes.EV_MSC, ecodes.MSC_SCAN, 458756), (ecodes.EV_KEY, key, value))
        self.send((ecodes.EV_SYN, ecodes.SYN_REPORT, 0))
