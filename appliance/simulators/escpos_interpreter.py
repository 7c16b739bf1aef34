"""What an ESC/POS printer does with bytes: commands in, marks on paper out.

Written after Epson's command reference, not after our encoder: what it does not know, or what a
printer would draw wrongly, is a defect, and tests expect none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from appliance.protocols.escpos import code128
from appliance.protocols.escpos.profiles import Cut, Profile
from appliance.simulators.paper import (
    LINE_DOTS,
    BarcodeMark,
    Blank,
    Mark,
    Paper,
    QrMark,
    Raster,
    Side,
    Span,
    TextLine,
)

_ESC, _FS, _GS = 0x1B, 0x1C, 0x1D
_LF, _CR, _NUL = 0x0A, 0x0D, 0x00
# Parameters after the two bytes of a command; -1: see _long.
_PARAMETERS: Final = {
    (_ESC, 0x40): 0,  # ESC @ initialise
    (_ESC, 0x21): 1,  # ESC ! print mode
    (_ESC, 0x2D): 1,  # ESC - underline
    (_ESC, 0x32): 0,  # ESC 2 default line spacing
    (_ESC, 0x33): 1,  # ESC 3 line spacing
    (_ESC, 0x45): 1,  # ESC E bold
    (_ESC, 0x4A): 1,  # ESC J feed dots
    (_ESC, 0x4D): 1,  # ESC M font
    (_ESC, 0x52): 1,  # ESC R international set
    (_ESC, 0x61): 1,  # ESC a justification
    (_ESC, 0x64): 1,  # ESC d feed lines
    (_ESC, 0x70): 3,  # ESC p drawer
    (_ESC, 0x74): 1,  # ESC t code page
    (_FS, 0x2E): 0,  # FS . end double-byte mode
    (_GS, 0x21): 1,  # GS ! character size
    (_GS, 0x48): 1,  # GS H text of barcodes
    (_GS, 0x56): -1,  # GS V cut
    (_GS, 0x61): 1,  # GS a automatic status
    (_GS, 0x66): 1,  # GS f font of that text
    (_GS, 0x68): 1,  # GS h height of barcodes
    (_GS, 0x77): 1,  # GS w module width of barcodes
    (_GS, 0x6B): -1,  # GS k barcode
    (_GS, 0x76): -1,  # GS v 0 raster image
    (_GS, 0x28): -1,  # GS ( … with a length of its own
}
_MOST_DEFECTS: Final = 100
_LEVELS: Final = "LMQH"


@dataclass(slots=True)
class _Style:
    """What ESC @ resets."""

    bold: bool = False
    underline: bool = False
    width: int = 1
    height: int = 1
    side: Side = Side.LEFT
    page: int = 0
    barcode_height: int = 162
    barcode_module: int = 3
    barcode_text: int = 0
    qr_model: int = 50
    qr_module: int = 3
    qr_level: str = "L"
    qr_data: bytes = b""


@dataclass(slots=True)
class Interpreter:
    """The printer's program. profile: what it can do.

    reply: where answers to non-real-time commands go. kicked: called when the drawer opens.
    """

    profile: Profile
    reply: Callable[[bytes], None] = lambda _: None
    kicked: Callable[[], None] = lambda: None
    defects: list[str] = field(default_factory=list)
    finished: list[Paper] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    _line: list[Span] = field(default_factory=list)
    _style: _Style = field(default_factory=_Style)

    def command(self, buffer: bytes | bytearray) -> bytes | None:
        """The whole command, or the run of text, that the buffer begins with; None: not yet."""
        if not buffer:
            return None
        first = buffer[0]
        if first not in (_ESC, _FS, _GS):
            if first < 0x20:
                return bytes(buffer[:1])
            end = next((at for at, byte in enumerate(buffer) if byte < 0x20), len(buffer))
            return bytes(buffer[:end])
        if len(buffer) < 2:
            return None
        parameters = _PARAMETERS.get((first, buffer[1]), 0)
        length = _long(buffer) if parameters < 0 else 2 + parameters
        return bytes(buffer[:length]) if length is not None and len(buffer) >= length else None

    def feeds(self, command: bytes) -> bool:
        """Whether it moves paper: what a printer without paper does not begin."""
        if command[0] == _LF:
            return True
        return command[:2] in (b"\x1bd", b"\x1bJ", b"\x1dk", b"\x1dv", b"\x1dV") or (
            command[:3] == b"\x1d(k" and command[6:7] == b"Q"
        )

    def cuts(self, command: bytes) -> bool:
        return command[:2] == b"\x1dV"

    def execute(self, command: bytes) -> None:
        """Do what the command says. Never raises, whatever the bytes."""
        if command[0] >= 0x20:
            self._text(command)
        elif command[0] == _LF:
            self._line_feed()
        elif command[0] == _ESC:
            self._esc(command)
        elif command[0] == _GS:
            self._gs(command)
        elif command != b"\x1c." and command[0] not in (_CR, _NUL):
            self.defect(f"unknown command {command[:4].hex(' ')}")

    def defect(self, what: str) -> None:
        if len(self.defects) < _MOST_DEFECTS:
            self.defects.append(what)

    def hanging(self) -> Paper:
        """What is printed but not cut off."""
        return self._paper(is_cut=False)

    def tear(self) -> None:
        """End the paper here."""
        if self.marks:
            self.finished.append(self._paper(is_cut=True))
            self.marks.clear()

    def power_cycle(self) -> None:
        """Back to how it is switched on; what is on the paper stays there."""
        self._line.clear()
        self._style = _Style()

    def _paper(self, *, is_cut: bool) -> Paper:
        return Paper(self.profile.columns, self.profile.dots, tuple(self.marks), is_cut)

    def _text(self, raw: bytes) -> None:
        pages = {number: name for name, number in self.profile.pages.items()}
        page = pages.get(self._style.page)
        if page is None:
            self.defect(f"unknown code page {self._style.page}")
            page = "cp437"
        text = raw.decode(page, "replace")
        if "\ufffd" in text or "\x7f" in text:
            self.defect(f"bytes without a glyph in {page}: {raw.hex(' ')}")
        style = self._style
        for character in text:
            used = sum(span.columns for span in self._line)
            if used + style.width > self.profile.columns:
                self.defect(f"a line ran over the edge at {character!r}")
                self._line_feed()
            if self._line and self._matches(self._line[-1]):
                last = self._line[-1]
                self._line[-1] = self._span(last.text + character)
            else:
                self._line.append(self._span(character))

    def _span(self, text: str) -> Span:
        style = self._style
        return Span(text, style.bold, style.underline, style.width, style.height)

    def _matches(self, span: Span) -> bool:
        return self._span(span.text) == span

    def _line_feed(self) -> None:
        if self._line:
            self.marks.append(TextLine(tuple(self._line), self._style.side))
            self._line.clear()
        else:
            self.marks.append(Blank(LINE_DOTS))

    def _mark(self, mark: Mark) -> None:
        if self._line:
            self.defect("a symbol or image in the middle of a line")
            self._line_feed()
        self.marks.append(mark)

    def _esc(self, command: bytes) -> None:
        n = command[2] if len(command) > 2 else 0
        style = self._style
        match chr(command[1]):
            case "@":
                if self._line:
                    self.defect("initialised in the middle of a line")
                    self._line.clear()
                self._style = _Style()
            case "!":
                style.bold, style.underline = bool(n & 0x08), bool(n & 0x80)
                style.height, style.width = 1 + bool(n & 0x10), 1 + bool(n & 0x20)
                if n & 0x01:
                    self.defect("font B is not simulated")
            case "-":
                style.underline = n in (1, 2, 49, 50)
            case "E":
                style.bold = bool(n & 1)
            case "a":
                if self._line:
                    self.defect("justification takes effect at a line's beginning only")
                elif n % 48 in (0, 1, 2):
                    style.side = Side(n % 48)
                else:
                    self.defect(f"unknown justification {n}")
            case "t":
                style.page = n
            case "d":
                self._feed_lines(n)
            case "J":
                self._mark(Blank(n))
            case "p":
                self.kicked()
            case "2" | "3" | "M" | "R":
                if command[1:2] in (b"R", b"M") and n not in (0, 48):
                    self.defect(f"not simulated: {command.hex(' ')}")
            case _:
                self.defect(f"unknown command {command[:4].hex(' ')}")

    def _feed_lines(self, count: int) -> None:
        if self._line:
            self._line_feed()
            count = max(0, count - 1)
        self._mark(Blank(count * LINE_DOTS))
        if self.profile.cut is Cut.NONE and count >= 4:
            self.tear()  # somebody tears it off

    def _gs(self, command: bytes) -> None:
        n = command[2] if len(command) > 2 else 0
        style = self._style
        match chr(command[1]):
            case "!":
                style.width, style.height = (n >> 4) + 1, (n & 0x0F) + 1
                if n & 0x88:
                    self.defect(f"character size {n:#x} is out of range")
            case "H":
                style.barcode_text = n % 48
            case "h":
                style.barcode_height = max(n, 1)
            case "w":
                style.barcode_module = n
                if not 2 <= n <= 6:
                    self.defect(f"module width {n} is out of range")
            case "f":
                pass
            case "a":
                if n:
                    self.defect("automatic status is not simulated")
            case "V":
                self._cut()
            case "v":
                self._raster(command)
            case "k":
                self._barcode(command)
            case "(":
                self._parenthesis(command)
            case _:
                self.defect(f"unknown command {command[:4].hex(' ')}")

    def _cut(self) -> None:
        if self._line:
            self.defect("cut in the middle of a line")
            self._line_feed()
        if self.profile.cut is Cut.NONE:
            self.defect("this printer has no cutter")
        self.tear()

    def _raster(self, command: bytes) -> None:
        width = int.from_bytes(command[4:6], "little")
        rows = int.from_bytes(command[6:8], "little")
        if command[2:4] not in (b"0\x00", b"00"):
            self.defect(f"not simulated: {command[:4].hex(' ')}")
        if not width or not rows:
            self.defect(f"an image of {width * 8} by {rows} dots")
            return
        if width * 8 > (self.profile.dots + 7) // 8 * 8:
            self.defect(f"an image of {width * 8} dots on {self.profile.dots}")
        packed = tuple(command[8 + at * width : 8 + (at + 1) * width] for at in range(rows))
        previous = self.marks[-1] if self.marks else None
        if isinstance(previous, Raster) and previous.width_dots == width * 8:
            # Bands of one image stand without a gap.
            packed = previous.rows + packed
            self.marks.pop()
        self._mark(Raster(width * 8, packed, self._style.side))

    def _barcode(self, command: bytes) -> None:
        if command[2] != 73 or not self.profile.native_code128:
            self.defect(f"no such barcode: {command[:4].hex(' ')}")
            return
        try:
            text, symbols = _code128(command[4:])
        except ValueError as error:
            self.defect(f"Code 128: {error}")
            return
        style = self._style
        wide = len(code128.modules(symbols)) * style.barcode_module
        if wide > self.profile.dots:
            # The real one prints nothing then.
            self.defect(f"a barcode of {wide} dots on {self.profile.dots}")
            return
        self._mark(
            BarcodeMark(
                text,
                tuple(symbols),
                style.barcode_module,
                style.barcode_height,
                style.barcode_text in (2, 3),
                style.side,
            )
        )

    def _parenthesis(self, command: bytes) -> None:
        if command[2:3] == b"H" and self.profile.process_id and command[5:7] == b"00":
            self.reply(b"\x37\x22" + command[7:11] + b"\x00")
        elif command[2:3] == b"k" and self.profile.native_qr and command[5:6] == b"1":
            self._qr(command[6] if len(command) > 7 else 0, command[7:])
        else:
            self.defect(f"unknown command {command[:7].hex(' ')}")

    def _qr(self, function: int, data: bytes) -> None:
        style = self._style
        match function:
            case 65:
                style.qr_model = data[0]
            case 67:
                style.qr_module = data[0]
            case 69 if data[0] - 48 in range(4):
                style.qr_level = _LEVELS[data[0] - 48]
            case 80:
                style.qr_data = data[1:]
            case 81 if style.qr_data and style.qr_model == 50 and 1 <= style.qr_module <= 16:
                self._mark(QrMark(style.qr_data, style.qr_module, style.qr_level, style.side))
            case _:
                self.defect(f"QR function {function} with {data[:4].hex(' ')}")


def _long(buffer: bytes | bytearray) -> int | None:
    """The length of a command that tells it itself; None while too little is there to tell."""
    kind = buffer[1]
    if kind == 0x56:  # GS V m, or GS V m n from 65 on
        return None if len(buffer) < 3 else 4 if buffer[2] >= 65 else 3
    if kind == 0x28:  # GS ( x pL pH
        return None if len(buffer) < 5 else 5 + int.from_bytes(buffer[3:5], "little")
    if kind == 0x76:  # GS v 0 m xL xH yL yH
        if len(buffer) < 8:
            return None
        width = int.from_bytes(buffer[4:6], "little")
        return 8 + width * int.from_bytes(buffer[6:8], "little")
    if len(buffer) < 4:  # GS k m n data; function A (m < 65) ends with NUL
        return None
    if buffer[2] >= 65:
        return 4 + buffer[3]
    end = buffer.find(0, 3)
    return None if end < 0 else end + 1


def _code128(data: bytes) -> tuple[str, list[int]]:
    """Text and symbol values of the data of GS k 73. Raises ValueError."""
    parts: list[code128.Run] = []
    at = 0
    while at < len(data):
        if data[at : at + 1] != b"{" or data[at + 1 : at + 2] not in (b"B", b"C"):
            raise ValueError("it begins without a code set, or with one that is not simulated")
        code_set = code128.CodeSet(chr(data[at + 1]))
        at += 2
        text = ""
        while at < len(data) and (data[at : at + 1] != b"{" or data[at : at + 2] == b"{{"):
            if code_set is code128.CodeSet.C:
                if data[at] > 99:
                    raise ValueError("no pair of digits")
                text += f"{data[at]:02}"
                at += 1
            else:
                text += chr(data[at])
                at += 2 if data[at : at + 1] == b"{" else 1
        if not text:
            raise ValueError("an empty run")
        code128.check(text)
        parts.append(code128.Run(code_set, text))
    if not parts:
        raise ValueError("no data")
    return "".join(part.text for part in parts), code128.values(tuple(parts))
