"""QEMU's control line: commands as JSON, one answer to each, and events in between.

Source: QEMU's "QEMU Machine Protocol Specification" (docs/interop/qmp-spec).
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

ANSWER_WAIT_S: Final = 60.0
"""An emulated machine on a busy computer may take long over a screenshot."""
_MOST_EVENTS: Final = 1000
_LONGEST_LINE_BYTES: Final = 16 << 20


class QmpError(Exception):
    """QEMU refused a command."""


class QmpLost(Exception):
    """QEMU is gone, or speaks no QMP."""


@dataclass(frozen=True, slots=True)
class Event:
    """number: counts all events of this machine, from 1."""

    number: int
    name: str
    data: dict[str, Any]


class Qmp:
    """One connection. Any thread may call; commands go one after the other.

    The socket belongs to it from now on. Raises QmpLost when nobody greets.
    """

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._turn = threading.Lock()  # one command at a time
        self._news = threading.Condition()  # and the lock of what follows
        self._events: deque[Event] = deque(maxlen=_MOST_EVENTS)
        self._seen = 0
        self._is_greeted = False
        self._answers: dict[int, dict[str, Any]] = {}
        self._is_over = False
        self._asked = 0
        self._thread = threading.Thread(target=self._read, name="qmp", daemon=True)
        self._thread.start()
        with self._news:
            self._news.wait_for(lambda: self._is_greeted or self._is_over, ANSWER_WAIT_S)
            is_greeted = self._is_greeted
        if not is_greeted:
            raise QmpLost("QEMU does not greet")
        self.execute("qmp_capabilities")

    def close(self) -> None:
        """Idempotent."""
        with suppress(OSError):  # QEMU was quicker
            self._stream.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._thread.join()
        self._stream.close()

    def execute(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """What QEMU returns. Raises QmpError when it refuses, QmpLost when it is gone, and
        TimeoutError after ANSWER_WAIT_S."""
        with self._turn:
            self._asked += 1
            number = self._asked
            message = {"execute": command, "id": number, "arguments": dict(arguments or {})}
            try:
                self._stream.sendall(json.dumps(message).encode() + b"\n")
            except OSError as error:
                raise QmpLost(f"{command}: {error}") from error
            with self._news:
                self._news.wait_for(lambda: number in self._answers or self._is_over, ANSWER_WAIT_S)
                answer = self._answers.pop(number, None)
                self._answers.clear()  # those of commands that nobody waits for any more
                if answer is None and self._is_over:
                    raise QmpLost(f"{command}: QEMU is gone")
        if answer is None:
            raise TimeoutError(f"{command}: no answer within {ANSWER_WAIT_S:g} s")
        if "error" in answer:
            raise QmpError(f"{command}: {answer['error'].get('desc', answer['error'])}")
        return answer["return"]

    @property
    def last_event(self) -> int:
        """The number of the newest event so far, 0 for none."""
        with self._news:
            return self._seen

    def events(self, after: int = 0) -> list[Event]:
        """Those with a higher number, oldest first; of the last thousand."""
        with self._news:
            return [event for event in self._events if event.number > after]

    def wait_event(self, name: str, timeout_s: float, after: int = 0, **data: Any) -> Event:
        """The first one of that name with a number above `after` whose data hold these items.

        Raises TimeoutError, or QmpLost when QEMU is gone before.
        """
        until = time.monotonic() + timeout_s
        with self._news:
            while True:
                for event in self._events:
                    is_wanted = event.number > after and event.name == name
                    if is_wanted and data.items() <= event.data.items():
                        return event
                if self._is_over:
                    raise QmpLost(f"QEMU ended before {name}")
                if not self._news.wait(until - time.monotonic()):
                    raise TimeoutError(f"no {name} {data or ''} within {timeout_s:g} s")

    def _read(self) -> None:
        with self._stream.makefile("rb") as lines, suppress(OSError):
            while line := lines.readline(_LONGEST_LINE_BYTES):
                try:
                    message = json.loads(line)
                except ValueError:
                    break  # no QMP, or cut off at the end
                with self._news:
                    self._take(message)
                    self._news.notify_all()
        with self._news:
            self._is_over = True
            self._news.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        if "QMP" in message:
            self._is_greeted = True
        elif "event" in message:
            self._seen += 1
            self._events.append(Event(self._seen, message["event"], message.get("data", {})))
        else:
            self._answers[message.get("id", 0)] = message
