"""A dialogue as JSON lines, free of card numbers and passwords, and its replay as a line.

{"ms": 1204, "dir": "tx", "hex": "0601…"}: tx is till -> terminal, ms a monotonic clock's; one
APDU a line, without serial frames. {"ms": …, "dir": "open"} and "close" stand between them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from appliance.domain.errors import Bug
from appliance.drivers.lines import LineLost
from appliance.protocols.zvt.apdu import ApduReader
from appliance.protocols.zvt.messages import redact

LARGEST_FILE: Final = 4 * 1024 * 1024
"""Bytes; then the file becomes `<name>.1`, in place of the one before."""

Direction = Literal["tx", "rx", "open", "close"]


class Trace:
    """Appends to a file; without a path it does nothing. A full disk ends the trace, not the
    payment."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None

    def write(self, direction: Direction, now: float, apdu: bytes = b"") -> None:
        """now: monotonic seconds."""
        if self._path is None:
            return
        entry: dict[str, int | str] = {"ms": round(now * 1000), "dir": direction}
        if apdu:
            entry["hex"] = redact(apdu).hex()
        try:
            if self._path.exists() and self._path.stat().st_size > LARGEST_FILE:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
            with self._path.open("a", encoding="ascii") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError:
            self._path = None


class ReplayLine:
    """The terminal's side of a trace, as a TCP line with a clock of its own.

    It says what the terminal said, each time when the till has said what it said then, and
    otherwise nothing: silence passes as fast as the till waits, if the till is given `clock` and
    `sleep`. A till that says something else than in the record loses the line.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._entries: list[tuple[str, bytes]] = []
        for line in lines:
            entry = json.loads(line)
            if entry["dir"] in ("tx", "rx"):
                self._entries.append((entry["dir"], bytes.fromhex(entry["hex"])))
        self._at = 0
        self._now = 0.0
        self._reader = ApduReader()

    @property
    def is_at_end(self) -> bool:
        """All of the record was used."""
        return self._at == len(self._entries)

    def clock(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds

    def read(self, until: float) -> bytes:
        if self.is_at_end or self._entries[self._at][0] != "rx":
            self._now = max(self._now, until)
            return b""
        self._at += 1
        return self._entries[self._at - 1][1]

    def write(self, data: bytes, until: float) -> None:
        for apdu in self._reader.feed(data):
            if self.is_at_end or self._entries[self._at] != ("tx", redact(apdu)):
                raise LineLost("the till says something else than in the record", len(data))
            self._at += 1
        if self._reader.error is not None:
            raise Bug("the till says no ZVT")

    def has_moved(self) -> bool:
        return False

    def wake(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """The record goes on with the next line that is opened."""
