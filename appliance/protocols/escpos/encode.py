"""A receipt's document to bytes for one kind of printer.

What python-escpos does here: styles, symbols (QR, Code 128), raster images, the cut, the drawer.
What it does not: text. Its "magic encode" takes 2.6 to 8.6 ms for forty lines, prints "?" for what
no code page has, and chooses code pages that clones number differently. A profile's own pages
with our transliteration take well under a millisecond and lose nothing silently.
Importing python-escpos costs 0.3 s and 20 MiB (on a Raspberry Pi more), so it is imported when
the first Encoder is made, which the driver does on the printer's own thread.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final, assert_never

from appliance.domain.receipt import Align, Barcode, Document, Element, Feed, Pair, Qr, Rule, Text
from appliance.protocols.escpos import code128
from appliance.protocols.escpos.layout import pair, wrap
from appliance.protocols.escpos.profiles import Cut, Profile
from appliance.protocols.escpos.status import process_id_request
from appliance.protocols.escpos.transliterate import Charset

_RESET: Final = b"\x1b@"
_NO_AUTOMATIC_STATUS: Final = b"\x1da\x00"  # GS a 0
_AMERICAN: Final = b"\x1bR\x00"  # ESC R 0: [ \ ] { | } ~ are themselves
_NO_DOUBLE_BYTE: Final = b"\x1c."  # FS .
_LEAST_MODULE_DOTS: Final = 2  # thinner ones smear; see also _Job._raster
_MOST_MODULE_DOTS: Final = 6
_QR_PAPER_PERCENT: Final = 55  # how much of the paper's width a QR code takes, where it can
_QR_QUIET_MODULES: Final = 4  # ISO/IEC 18004, on each side
_BARCODE_HEIGHT_DOTS: Final = 80
_BAND_DOTS: Final = 24  # a raster image goes in bands of this height
_BAND_HEAD: Final = b"\x1dv0\x00\x00\x00\x00\x00"  # GS v 0, its mode and its size
_TEAR_OFF_LINES: Final = 4
_LARGEST_SIZE: Final = 8  # GS !
_MOST_FEED: Final = 10
_DLE: Final = 0x10
_QR_LEVEL_M: Final = 1  # as GS ( k counts: L, M, Q, H

_Style = tuple[Align, bool, int]
_AFTER_RESET: Final[_Style] = (Align.LEFT, False, 1)


class Encoder:
    """Turns documents into bytes for a printer of this profile.

    code_page: Python's name of the preferred page, one of the profile's; "" takes its first.
    Raises KeyError for a page that the profile does not have.
    """

    def __init__(self, profile: Profile, code_page: str = "") -> None:
        # Late, for its price; see above.
        from escpos.capabilities import Profile as Capabilities
        from escpos.printer import Dummy

        self.profile = profile
        self._charset = Charset(profile.pages, code_page or next(iter(profile.pages)))
        capabilities = Capabilities(columns=profile.columns)
        # Its own width must be known to python-escpos, or it prints a warning to our stdout.
        capabilities.profile_data = {
            "name": profile.name,
            "media": {"width": {"mm": "Unknown", "pixels": profile.dots}},
            "fonts": {"0": {"columns": profile.columns, "name": "Font A"}},
            "codePages": {"0": "CP437"},
        }
        capabilities.features = {"paperFullCut": True, "paperPartCut": True}
        self._escpos = Dummy(profile=capabilities)

    def encode(
        self,
        document: Document,
        *,
        process_id: bytes | None = None,
        drawer: bool = False,
        cut_first: bool = False,
    ) -> tuple[bytes, ...]:
        """The document as segments, to be sent in this order.

        Each segment is made of whole commands, so a real-time command (DLE EOT) may be sent
        between two of them and nowhere else. process_id: see `process_id_request`; appended last.
        drawer: open the cash drawer (pin 2) first. cut_first: part from what stands on the paper
        already.
        """
        job = _Job(self.profile, self._charset, self._escpos)
        job.begin(drawer=drawer, cut_first=cut_first)
        for element in document.elements:
            job.add(element)
        job.cut()
        if process_id is not None:
            job.emit(process_id_request(process_id))
        return tuple(job.segments)


def ending(profile: Profile) -> bytes:
    """What ends any command of ours that broke off in the middle: as many NULs as the longest
    one, a band of an image, can still wait for. A printer that waits for nothing ignores them, as
    it does all control codes that ESC/POS does not define."""
    return b"\0" * ((profile.dots + 7) // 8 * _BAND_DOTS + len(_BAND_HEAD))


class _Job:
    """One document on its way: the segments so far and the printer's current style."""

    def __init__(self, profile: Profile, charset: Charset, escpos: Any) -> None:
        self.segments: list[bytes] = []
        self._profile = profile
        self._charset = charset
        self._escpos = escpos
        self._style: _Style | None = _AFTER_RESET  # None: python-escpos changed it

    def begin(self, *, drawer: bool, cut_first: bool) -> None:
        reset = _RESET + _NO_AUTOMATIC_STATUS + _AMERICAN
        if self._profile.double_byte:
            reset += _NO_DOUBLE_BYTE
        self.emit(reset + self._charset.select(self._charset.preferred))
        if drawer and self._profile.drawer:
            self._escpos.cashdraw(2)
            self.emit(self._taken())
        if cut_first:
            self.cut()

    def emit(self, segment: bytes) -> None:
        if segment:
            self.segments.append(segment)

    def add(self, element: Element) -> None:
        match element:
            case Text(text, align, bold, size):
                text, size = self._printable(text), _size(size)
                if max(map(len, text.split()), default=0) > self._columns(size):
                    size = 1  # rather small than an order's number in two pieces
                self._lines(wrap(text, self._columns(size)), (align, bold, size))
            case Pair(left, right, bold, size):
                self._pair(self._printable(left), self._printable(right), bold, _size(size))
            case Rule():
                dash = self._printable("─")
                self._lines([dash * self._profile.columns], _AFTER_RESET)
            case Feed(lines):
                self._escpos.print_and_feed(min(max(lines, 1), _MOST_FEED))
                self.emit(self._taken())
            case Qr(text):
                self._qr(text)
            case Barcode(text):
                self._barcode(text)
            case _:
                assert_never(element)

    def cut(self) -> None:
        if self._profile.cut is Cut.FEED_AND_CUT:
            self._escpos.cut(feed=False)  # python-escpos writes GS V 66 0 for this
        elif self._profile.cut is Cut.CUT:
            self._escpos.cut(mode="PART")
        else:
            self._escpos.print_and_feed(_TEAR_OFF_LINES)
        self.emit(self._taken())

    def _taken(self) -> bytes:
        """What python-escpos has made since the last time."""
        made: bytes = self._escpos.output
        self._escpos.clear()
        return made

    def _columns(self, size: int) -> int:
        return self._profile.columns // size

    def _printable(self, text: str) -> str:
        return self._charset.printable(text)

    def _pair(self, left: str, right: str, bold: bool, size: int) -> None:
        if len(right.strip()) > self._columns(size):
            size = 1  # rather small than in two pieces
        self._lines(pair(left, right, self._columns(size)), (Align.LEFT, bold, size))

    def _lines(self, lines: list[str], style: _Style) -> None:
        """One segment for each line, the first with the change of style before it."""
        before = self._change(style)
        for line in lines:
            self.emit(before + self._charset.encode(line) + b"\n")
            before = b""

    def _change(self, style: _Style) -> bytes:
        """The commands that lead to this style from the current one."""
        align, bold, size = style
        known = self._style
        self._escpos.set(
            align=None if known and known[0] is align else align.value,
            bold=None if known and known[1] == bold else bold,
            custom_size=not (known and known[2] == size),
            width=size,
            height=size,
        )
        self._style = style
        return self._taken()

    def _qr(self, text: str) -> None:
        # A control character would be obeyed in real time even inside of a symbol's data.
        text = "".join(char for char in text if unicodedata.category(char) not in {"Cc", "Cs"})
        rows = _qr_rows(text)
        width = len(rows) + 2 * _QR_QUIET_MODULES
        wanted = self._profile.dots * _QR_PAPER_PERCENT // 100 // width
        dots = min(max(wanted, _LEAST_MODULE_DOTS), _MOST_MODULE_DOTS)
        if not rows or width * dots > self._profile.dots:
            self.add(Text(text, Align.CENTER))  # so that it can be typed at least
        elif self._profile.native_qr:
            before = self._change((Align.CENTER, False, 1))
            self._escpos.qr(text, ec=_QR_LEVEL_M, size=dots, native=True)
            self.emit(before + self._taken() + b"\n")
        else:
            self._raster([_wide(row, dots) for row in rows for _ in range(dots)])
            self.emit(b"\n")

    def _barcode(self, text: str) -> None:
        try:
            parts = code128.runs(text)
        except ValueError:
            self._qr(text)
            return
        modules = code128.modules(code128.values(parts))
        # The quiet zones are the paper's own margins.
        dots = min(self._profile.dots // len(modules), _MOST_MODULE_DOTS // 2)
        if dots < _LEAST_MODULE_DOTS:
            self._qr(text)
            self.add(Text(text, Align.CENTER))
            return
        data = _code128_data(parts)
        if self._profile.native_code128 and _DLE not in data:
            before = self._change((Align.CENTER, False, 1))
            # Not barcode(): that prints to our stdout which renderer it uses.
            self._escpos._hw_barcode(
                data.decode("ascii"),
                "CODE128",
                height=_BARCODE_HEIGHT_DOTS,
                width=dots,
                align_ct=False,
                function_type="B",
            )
            self.emit(before + self._taken() + b"\n")
        else:
            self._raster([_wide(modules, dots)] * _BARCODE_HEIGHT_DOTS)
            self.add(Text(text, Align.CENTER))

    def _raster(self, rows: list[list[bool]]) -> None:
        """An image in bands (GS v 0), so that a printer that loses its line in the midst of one
        does not take long for the rest of it what is text already.

        The rows are made of modules of at least two dots, which is why no byte of them is 0x10,
        a single dot: DLE EOT and DLE DC4, which printers obey in real time even inside of an
        image, cannot occur.
        """
        from PIL import Image  # comes with python-escpos, and is as late

        self.emit(self._change((Align.CENTER, False, 1)))
        for top in range(0, len(rows), _BAND_DOTS):
            band = rows[top : top + _BAND_DOTS]
            image = Image.new("L", (len(band[0]), len(band)), 255)
            image.putdata([0 if dot else 255 for row in band for dot in row])
            self._escpos.image(image, impl="bitImageRaster")
            self.emit(self._taken())


def _size(size: int) -> int:
    return min(max(size, 1), _LARGEST_SIZE)


def _qr_rows(text: str) -> list[list[bool]]:
    """A QR code's modules without quiet zone; empty where the text is empty or too long."""
    import segno  # late: most receipts have a barcode

    if not text:
        return []
    try:
        # As the printers do it: level M, bytes in UTF-8.
        code = segno.make_qr(
            text, error="m", mode="byte", encoding="utf-8", boost_error=False, eci=False
        )
    except segno.DataOverflowError:
        return []
    return [[bool(module) for module in row] for row in code.matrix]


def _wide(modules: list[bool], dots: int) -> list[bool]:
    return [module for module in modules for _ in range(dots)]


def _code128_data(parts: tuple[code128.Run, ...]) -> bytes:
    """The data of GS k 73: {B before characters, {C before pairs of digits as one byte each."""
    data = bytearray()
    for part in parts:
        data += b"{" + part.code_set.value.encode()
        if part.code_set is code128.CodeSet.C:
            data += bytes(int(part.text[at : at + 2]) for at in range(0, len(part.text), 2))
        else:
            data += part.text.replace("{", "{{").encode("ascii")
    return bytes(data)
