"""What a stream said so far: the guest's serial console, or the shell beside it."""

from __future__ import annotations

import codecs
import re
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

MOST_CHARACTERS: Final = 1 << 20
"""So much is remembered; of more the oldest goes."""
MOST_FILE_CHARACTERS: Final = 16 << 20
_CHUNK_BYTES: Final = 1 << 16
_SEND_WAIT_S: Final = 10.0


class Ended(Exception):
    """The far end is gone, and what was waited for had not come."""


class Transcript:
    """Reads a connected socket on a thread of its own until `close` or the far end's end.

    file: where all of it is written as well, up to MOST_FILE_CHARACTERS. The socket belongs to the
    transcript from now on.
    """

    def __init__(self, stream: socket.socket, file: Path, name: str) -> None:
        stream.settimeout(_SEND_WAIT_S)  # for sending; who reads goes on
        self._stream = stream
        self._file = file
        self._news = threading.Condition()  # and the lock of what follows
        self._text = ""
        self._dropped = 0  # characters before the text
        self._mark = 0  # up to here it was waited for already; counted from the very beginning
        self._is_over = False
        self._thread = threading.Thread(target=self._read, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Idempotent."""
        with suppress(OSError):  # the far end was quicker
            self._stream.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._thread.join()
        self._stream.close()

    def send(self, data: bytes) -> None:
        """Raises OSError when the far end is gone, TimeoutError when it takes nothing for 10 s."""
        self._stream.sendall(data)

    def wait_for(self, pattern: str, timeout_s: float) -> re.Match[str]:
        """The first match after the last one that was waited for. Lines end in "\\n" alone.

        Raises TimeoutError when it does not come in time, Ended when it cannot come any more.
        """
        wanted = re.compile(pattern, re.MULTILINE)
        until = time.monotonic() + timeout_s
        with self._news:
            while True:
                found = wanted.search(self._text, max(0, self._mark - self._dropped))
                if found:
                    self._mark = self._dropped + found.end()
                    return found
                if self._is_over:
                    raise Ended(f"it ended before {pattern!r} came")
                if not self._news.wait(until - time.monotonic()):
                    raise TimeoutError(f"no {pattern!r} within {timeout_s:g} s")

    def tail(self, characters: int = 4000) -> str:
        """The last that was said."""
        with self._news:
            return self._text[-characters:]

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        written = 0
        with self._file.open("w", encoding="utf-8") as file:
            while data := self._receive():
                text = decoder.decode(data).replace("\r", "")
                if written < MOST_FILE_CHARACTERS:
                    file.write(text)
                    file.flush()
                    written += len(text)
                with self._news:
                    self._text += text
                    surplus = max(0, len(self._text) - MOST_CHARACTERS)
                    self._text = self._text[surplus:]
                    self._dropped += surplus
                    self._news.notify_all()
        with self._news:
            self._is_over = True
            self._news.notify_all()

    def _receive(self) -> bytes:
        while True:
            try:
                return self._stream.recv(_CHUNK_BYTES)
            except TimeoutError:
                continue  # it just says nothing
            except OSError:
                return b""  # reset: the far end was killed
