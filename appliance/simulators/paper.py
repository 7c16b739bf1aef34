"""What stands on a piece of paper that the simulated printer has cut off."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

CELL_WIDTH_DOTS = 12  # font A
CELL_HEIGHT_DOTS = 24
LINE_DOTS = 30  # the line feed that printers start with


class Side(Enum):
    LEFT = 0
    CENTER = 1
    RIGHT = 2


@dataclass(frozen=True, slots=True)
class Span:
    """Characters in one style. width and height: 1 to 8 times."""

    text: str
    bold: bool = False
    underline: bool = False
    width: int = 1
    height: int = 1

    @property
    def columns(self) -> int:
        return len(self.text) * self.width


@dataclass(frozen=True, slots=True)
class TextLine:
    spans: tuple[Span, ...]
    side: Side = Side.LEFT

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)

    @property
    def columns(self) -> int:
        return sum(span.columns for span in self.spans)

    @property
    def height_dots(self) -> int:
        tallest = max((span.height for span in self.spans), default=1)
        return LINE_DOTS + (tallest - 1) * CELL_HEIGHT_DOTS


@dataclass(frozen=True, slots=True)
class QrMark:
    """A QR code that the printer makes itself. level: L, M, Q or H."""

    data: bytes
    module_dots: int
    level: str
    side: Side = Side.LEFT


@dataclass(frozen=True, slots=True)
class BarcodeMark:
    """A Code 128 that the printer makes itself. symbols: all values, with check and stop."""

    text: str
    symbols: tuple[int, ...]
    module_dots: int
    height_dots: int
    has_text: bool
    side: Side = Side.LEFT


@dataclass(frozen=True, slots=True)
class Raster:
    """A bit image; the rows are packed, highest bit first, 1 is black."""

    width_dots: int
    rows: tuple[bytes, ...]
    side: Side = Side.LEFT


@dataclass(frozen=True, slots=True)
class Blank:
    """Paper that was only fed."""

    dots: int


Mark = TextLine | QrMark | BarcodeMark | Raster | Blank


@dataclass(frozen=True, slots=True)
class Paper:
    """One piece, from cut to cut. is_cut: False when it hangs out unfinished."""

    columns: int
    dots: int
    marks: tuple[Mark, ...] = field(default=())
    is_cut: bool = True

    @property
    def lines(self) -> list[str]:
        """The text alone, line by line, without blanks at the ends."""
        return [mark.text.strip() for mark in self.marks if isinstance(mark, TextLine)]

    @property
    def qr_texts(self) -> list[str]:
        return [m.data.decode("utf-8", "replace") for m in self.marks if isinstance(m, QrMark)]

    @property
    def barcodes(self) -> list[str]:
        return [mark.text for mark in self.marks if isinstance(mark, BarcodeMark)]

    def text(self) -> str:
        """The paper in characters: aligned text, symbols in brackets, a line of - at the cut."""
        out: list[str] = []
        for mark in self.marks:
            match mark:
                case TextLine(side=side):
                    room = max(0, self.columns - mark.columns)
                    before = {Side.LEFT: 0, Side.CENTER: room // 2, Side.RIGHT: room}[side]
                    out.append((" " * before + mark.text).rstrip())
                case QrMark(data):
                    out.append(f"[QR {data.decode('utf-8', 'replace')}]".center(self.columns))
                case BarcodeMark(text):
                    out.append(f"[Code 128 {text}]".center(self.columns))
                case Raster(width, rows):
                    out.append(f"[image {width}x{len(rows)}]".center(self.columns))
                case Blank(dots):
                    out += [""] * (dots // LINE_DOTS)
        end = "8<".center(self.columns, "-") if self.is_cut else "~" * self.columns
        return "\n".join([line.rstrip() for line in out] + [end]) + "\n"
