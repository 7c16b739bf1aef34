"""Serial scanners (CDC-ACM, RS-232): bytes to codes.

A code is a line of UTF-8 that ends with CR, LF or both. A barcode can hold any byte: control
characters in it are refused, and so is what is too long, both up to the end of the line. Of a
barcode that holds line ends only the first line is a code.
"""

from __future__ import annotations

from typing import Final, Literal

from appliance.protocols.scans import GLUED, GLUED_S, LONGEST_CODE, REST_S, Refused, Scan, Scanned

_ENDS: Final = b"\r\n"
_CHARACTER_BYTES: Final = 4  # UTF-8, at most

Ends = Literal["line", "gap"]


class LineScan:
    """Takes bytes and times, gives codes. Holds at most one code.

    gap_s: so long a silence breaks a code off. ends: "line", a code ends with CR or LF, and one
    that is broken off is refused with its rest, for half a code may be another order's; "gap",
    for scanners that add no end: silence ends a code. longest: characters of a code.
    """

    def __init__(
        self, *, ends: Ends = "line", gap_s: float = 0.2, longest: int = LONGEST_CODE
    ) -> None:
        self._ends = ends
        self._longest = longest
        self._gap_s = gap_s
        self._code = bytearray()
        self._is_too_long = False
        self._is_rest = False  # of a code that broke off: skipped up to its end
        self._last = 0.0
        self._ended_at = float("-inf")

    def feed(self, data: bytes, now: float) -> list[Scan]:
        """The codes that these bytes complete. now: seconds that only grow."""
        found = self.idle(now)
        if now - self._last >= REST_S:
            self._is_rest = False
        self._last = now
        for byte in data:
            if byte in _ENDS:
                if self._code or self._is_rest:
                    self._ended_at = now
                found += self._end()
            elif self._is_rest:
                continue
            elif not self._code and now - self._ended_at < GLUED_S:
                self._is_rest = True
                found.append(Refused(GLUED))
            elif len(self._code) < self._longest * _CHARACTER_BYTES:
                self._code.append(byte)
            else:
                self._is_too_long = True
        return found

    def idle(self, now: float) -> list[Scan]:
        """What silence until `now` ends. To be called when `deadline` has passed."""
        if not self._code or now - self._last < self._gap_s:
            return []
        if self._ends == "gap":
            return self._end()
        self._reset()
        self._is_rest = True
        return [Refused("broken off: no end of line; does the scanner send CR after each code?")]

    @property
    def deadline(self) -> float | None:
        """When `idle` has something to say; None: not before the next byte."""
        return self._last + self._gap_s if self._code else None

    def _end(self) -> list[Scan]:
        code, is_too_long = bytes(self._code), self._is_too_long
        self._reset()
        if not code:
            return []  # the LF of CR LF, or an empty line
        if is_too_long:
            return [Refused("too long")]
        try:
            text = code.decode("utf-8")
        except UnicodeDecodeError:
            return [Refused("not UTF-8")]
        if len(text) > self._longest:
            return [Refused("too long")]
        if not text.isprintable():
            return [Refused("control characters")]
        return [Scanned(text)]

    def _reset(self) -> None:
        self._code.clear()
        self._is_too_long = self._is_rest = False
