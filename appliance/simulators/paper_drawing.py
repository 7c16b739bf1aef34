"""Papers as pictures. One layout for both forms; the unit is the printer's dot.

The symbols are drawn from what was sent (segno for QR codes, our Code 128 table), so that a
scanner reads from the picture what it would read from the paper.
"""

from __future__ import annotations

import html
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import segno

from appliance.protocols.escpos import code128
from appliance.simulators.paper import (
    CELL_HEIGHT_DOTS,
    CELL_WIDTH_DOTS,
    BarcodeMark,
    Blank,
    Paper,
    QrMark,
    Raster,
    Side,
    Span,
    TextLine,
)

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

MARGIN_DOTS: Final = 32  # 4 mm on each side, as on 80 mm paper
_TOP_DOTS: Final = 40
_BOTTOM_DOTS: Final = 48
_TOOTH_DOTS: Final = 8
_PAPER: Final = (252, 250, 244)
_INK: Final = (38, 36, 44)
_DESK: Final = (226, 228, 232)
_BASELINE_DOTS: Final = 19  # in a cell of font A
_FONT_DOTS: Final = 20  # DejaVu Sans Mono is 0.602 em wide: 12 dots
_BOLD_STROKE: Final = 0.6
_QR_LEVELS: Final = {"L": "l", "M": "m", "Q": "q", "H": "h"}
_FONTS: Final = Path("/usr/share/fonts/truetype/dejavu")


@dataclass(frozen=True, slots=True)
class _Box:
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Glyphs:
    x: int
    y: int
    span: Span


_Shape = _Box | _Glyphs


def svg(paper: Paper) -> str:
    """The paper as a picture, one unit a dot: all text is escaped, nothing is loaded."""
    shapes, height = _layout(paper)
    width = paper.dots + 2 * MARGIN_DOTS
    ink, ground = _hex(_INK), _hex(_PAPER)
    outline = " ".join(f"{x},{y}" for x, y in _outline(width, height))
    boxes = "".join(
        f"M{b.x} {b.y}h{b.width}v{b.height}h-{b.width}z" for b in shapes if isinstance(b, _Box)
    )
    words = "\n".join(_svg_text(shape) for shape in shapes if isinstance(shape, _Glyphs))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">\n'
        f'<polygon points="{outline}" fill="{ground}"/>\n'
        f'<path d="{boxes}" fill="{ink}" shape-rendering="crispEdges"/>\n'
        f'<g font-family="DejaVu Sans Mono, Liberation Mono, Consolas, monospace" '
        f'font-size="{_FONT_DOTS}" fill="{ink}">\n{words}\n</g>\n</svg>\n'
    )


def png(paper: Paper) -> bytes:
    """The same with Pillow, one pixel a dot, with enough greys to look like thermal paper."""
    from PIL import Image, ImageDraw

    shapes, height = _layout(paper)
    width = paper.dots + 2 * MARGIN_DOTS
    picture = Image.new("RGB", (width, height), _DESK)
    draw = ImageDraw.Draw(picture)
    draw.polygon(_outline(width, height), fill=_PAPER)
    for shape in shapes:
        if isinstance(shape, _Box):
            right, bottom = shape.x + shape.width - 1, shape.y + shape.height - 1
            draw.rectangle((shape.x, shape.y, right, bottom), fill=_INK)
            continue
        span = shape.span
        mask = Image.new("L", (len(span.text) * CELL_WIDTH_DOTS, CELL_HEIGHT_DOTS), 0)
        if (span.width, span.height) != (1, 1):
            # Drawn large and squeezed, for the edges' sake.
            largest = max(span.width, span.height)
            mask = mask.resize((mask.width * largest, mask.height * largest))
            _write(ImageDraw.Draw(mask), span, largest)
            size = (span.columns * CELL_WIDTH_DOTS, span.height * CELL_HEIGHT_DOTS)
            mask = mask.resize(size)
        else:
            _write(ImageDraw.Draw(mask), span, 1)
        picture.paste(_INK, (shape.x, shape.y), mask)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _layout(paper: Paper) -> tuple[list[_Shape], int]:
    shapes: list[_Shape] = []
    y = _TOP_DOTS
    for mark in paper.marks:
        match mark:
            case Blank(dots):
                y += dots
            case TextLine():
                x = _left(paper, mark.side, mark.columns * CELL_WIDTH_DOTS)
                shapes += _text(mark, x, y)
                y += mark.height_dots
            case QrMark():
                rows = _qr_rows(mark)
                x = _left(paper, mark.side, len(rows) * mark.module_dots)
                shapes += _modules(rows, x, y, mark.module_dots, mark.module_dots)
                y += len(rows) * mark.module_dots
            case Raster(width, packed, side):
                bits = [_unpacked(row, width) for row in packed]
                shapes += _modules(bits, _left(paper, side, width), y, 1, 1)
                y += len(packed)
            case BarcodeMark():
                bars = code128.modules(list(mark.symbols))
                wide = len(bars) * mark.module_dots
                x = _left(paper, mark.side, wide)
                shapes += _modules([bars], x, y, mark.module_dots, mark.height_dots)
                y += mark.height_dots
                if mark.has_text:
                    inset = max(0, wide - len(mark.text) * CELL_WIDTH_DOTS) // 2
                    shapes.append(_Glyphs(x + inset, y + 4, Span(mark.text)))
                    y += CELL_HEIGHT_DOTS + 4
    return shapes, y + _BOTTOM_DOTS


def _left(paper: Paper, side: Side, width: int) -> int:
    room = max(0, paper.dots - width)
    return MARGIN_DOTS + {Side.LEFT: 0, Side.CENTER: room // 2, Side.RIGHT: room}[side]


def _text(line: TextLine, x: int, y: int) -> Iterator[_Shape]:
    bottom = y + max((span.height for span in line.spans), default=1) * CELL_HEIGHT_DOTS
    for span in line.spans:
        top = bottom - span.height * CELL_HEIGHT_DOTS
        width = span.columns * CELL_WIDTH_DOTS
        if set(span.text) == {"─"}:
            yield _Box(x, top + CELL_HEIGHT_DOTS // 2, width, 2)
        else:
            yield _Glyphs(x, top, span)
        if span.underline:
            yield _Box(x, bottom - 1, width, 1)
        x += width


def _modules(
    rows: Sequence[Sequence[bool]], x: int, y: int, width: int, height: int
) -> Iterator[_Box]:
    """Runs of black modules as boxes."""
    for number, row in enumerate(rows):
        start: int | None = None
        for at, dark in enumerate([*row, False]):
            if dark and start is None:
                start = at
            elif not dark and start is not None:
                yield _Box(x + start * width, y + number * height, (at - start) * width, height)
                start = None


def _qr_rows(mark: QrMark) -> list[list[bool]]:
    code = segno.make_qr(mark.data, error=_QR_LEVELS[mark.level], mode="byte", boost_error=False)
    return [[bool(module) for module in row] for row in code.matrix]


def _unpacked(row: bytes, width: int) -> list[bool]:
    return [bool(row[at // 8] >> (7 - at % 8) & 1) for at in range(width)]


def _outline(width: int, height: int) -> list[tuple[int, int]]:
    """The paper's edge: straight sides, teeth where it was cut."""
    top = [
        (x, _TOOTH_DOTS if number % 2 else 0)
        for number, x in enumerate(range(0, width + 1, _TOOTH_DOTS))
    ]
    bottom = [(x, height - 1 - y) for x, y in reversed(top)]
    return [*top, *bottom]


def _svg_text(shape: _Glyphs) -> str:
    span = shape.span
    y = shape.y + _BASELINE_DOTS * span.height
    bold = f' font-weight="bold" stroke-width="{_BOLD_STROKE}"' if span.bold else ""
    return (
        f'<text transform="translate({shape.x} {y}) scale({span.width} {span.height})" '
        f'textLength="{len(span.text) * CELL_WIDTH_DOTS}" lengthAdjust="spacingAndGlyphs" '
        f'xml:space="preserve"{bold}>{html.escape(span.text)}</text>'
    )


def _write(draw: object, span: Span, scale: int) -> None:
    """Each character in its own cell, so that columns are exact whatever the font."""
    from PIL.ImageDraw import ImageDraw

    assert isinstance(draw, ImageDraw)
    font = _font(span.bold, _FONT_DOTS * scale)
    for column, character in enumerate(span.text):
        at = (column * CELL_WIDTH_DOTS * scale, _BASELINE_DOTS * scale)
        draw.text(at, character, font=font, fill=255, anchor="ls")


@cache
def _font(bold: bool, size: int) -> FreeTypeFont | ImageFont:
    """DejaVu Sans Mono, which has all characters of the code pages; else Pillow's own font."""
    from PIL import ImageFont

    path = _FONTS / ("DejaVuSansMono-Bold.ttf" if bold else "DejaVuSansMono.ttf")
    if path.exists():
        return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


def _hex(colour: tuple[int, int, int]) -> str:
    return "#" + bytes(colour).hex()
