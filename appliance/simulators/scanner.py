"""A barcode scanner in serial mode (CDC-ACM): what it reads, it sends, with an end of line."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from appliance.simulators.cables import PtyCable

AGAIN_S: Final = 0.3
"""From one barcode to the next; no person and no scanner is quicker."""
DECODE_S: Final = 0.08
"""From the trigger to the code's first byte."""
_WRITE_WAIT_S: Final = 2.0


class ScannerSimulator:
    """One simulated scanner behind a symbolic link, as udev would make it.

    suffix: what it adds to each code; "" for one that adds nothing. on_change: called, on the
    caller's thread, after anything that `state` tells has changed. Any thread may call.
    """

    def __init__(
        self,
        path: Path,
        *,
        suffix: str = "\r",
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._cable = PtyCable(path)
        self._suffix = suffix
        self._on_change = on_change
        self._lock = threading.Lock()
        self._last = ""
        self._again_at = float("-inf")

    def __enter__(self) -> ScannerSimulator:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        """Where a driver finds it: "serial:/path"."""
        return self._cable.address

    def start(self) -> None:
        """Raises OSError when the link cannot be made."""
        self.cable_in()

    def close(self) -> None:
        self.cable_out()

    def state(self) -> dict[str, Any]:
        """Everything for a screen, as JSON can hold it."""
        with self._lock:
            is_in = self._cable.descriptor is not None
            return {"address": self.address, "cable": is_in, "last": self._last}

    def scan(self, text: str, *, pause_s: float = 0.0) -> bool:
        """Read this code, whatever characters are in it. pause_s: between two of them.
        False: nobody took it, because the cable is out or its buffer full."""
        time.sleep(max(DECODE_S, self._again_at - time.monotonic()))
        self._last = text
        is_sent = self.send(f"{text}{self._suffix}".encode(), pause_s=pause_s)
        self._on_change()
        return is_sent

    def send(self, data: bytes, *, pause_s: float = 0.0) -> bool:
        """These very bytes, as a broken scanner would. pause_s, and what it returns: as `scan`."""
        until = time.monotonic() + _WRITE_WAIT_S
        pieces = [data[at : at + 1] for at in range(len(data))] if pause_s else [data]
        for number, piece in enumerate(pieces):
            if number:
                time.sleep(pause_s)
                until += pause_s
            while piece:
                with self._lock:
                    sent = self._write(piece, until)
                if not sent:
                    return False
                piece = piece[sent:]
        self._again_at = time.monotonic() + AGAIN_S
        return True

    def _write(self, data: bytes, until: float) -> int:
        descriptor = self._cable.descriptor
        if descriptor is None:
            return 0
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        if not poll.poll(max(0, round((until - time.monotonic()) * 1000))):
            return 0
        try:
            return os.write(descriptor, data)
        except BlockingIOError:
            return 0

    def cable_out(self) -> None:
        """Idempotent."""
        with self._lock:
            self._cable.unplug()
        self._on_change()

    def cable_in(self) -> None:
        """Idempotent. Raises OSError when the link cannot be made."""
        with self._lock:
            self._cable.plug()
        self._on_change()
