"""As much of PDF 1.4 (ISO 32000-1) as labels need: text in Helvetica, and filled rectangles.

Every reader has Helvetica (9.6.2.2), so no font is embedded. Its characters are those of Windows'
code page 1252; others are transliterated, as on receipts.
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import Final

from appliance.protocols.escpos.transliterate import Charset

A4_MM: Final = (210.0, 297.0)
_POINTS_A_MM: Final = 72 / 25.4
_WIN_ANSI: Final = "cp1252"


@cache
def _charset() -> Charset:
    return Charset({_WIN_ANSI: 0}, _WIN_ANSI)


class Page:
    """A page that is drawn on. Places are in mm from the upper left corner, sizes of text in
    points; y of a text is its base line."""

    def __init__(self, size_mm: tuple[float, float] = A4_MM) -> None:
        self.size_mm = size_mm
        self._drawn: list[bytes] = []

    def text(
        self, x_mm: float, y_mm: float, text: str, *, size: float = 9, bold: bool = False
    ) -> None:
        shown = _charset().printable(text).encode(_WIN_ANSI, "replace")
        # 7.3.4.2: what would end the string or change its meaning.
        for character in (b"\\", b"(", b")"):
            shown = shown.replace(character, b"\\" + character)
        font = b"F2" if bold else b"F1"
        place = f"{_points(x_mm)} {self._up(y_mm)}".encode()
        self._drawn.append(
            b"BT /%b %b Tf %b Td (%b) Tj ET" % (font, f"{size:g}".encode(), place, shown)
        )

    def box(self, x_mm: float, y_mm: float, width_mm: float, height_mm: float) -> None:
        """A black rectangle; its upper left corner is at x, y."""
        low = self._up(y_mm + height_mm)
        size = f"{_points(width_mm)} {_points(height_mm)}"
        self._drawn.append(f"{_points(x_mm)} {low} {size} re f".encode())

    def content(self) -> bytes:
        return b"\n".join(self._drawn)

    def _up(self, y_mm: float) -> str:
        return _points(self.size_mm[1] - y_mm)


def document(pages: list[Page]) -> bytes:
    """The file (7.5): header, objects, cross-reference table, trailer. At least one page."""
    assert pages, "a document has a page"
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(pages)))
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        font.format("Helvetica").encode(),
        font.format("Helvetica-Bold").encode(),
    ]
    for number, page in enumerate(pages):
        width, height = (_points(side) for side in page.size_mm)
        stream = zlib.compress(page.content())
        objects.append(
            (
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}]"
                " /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >>"
                f" /Contents {6 + 2 * number} 0 R >>"
            ).encode()
        )
        head = f"<< /Length {len(stream)} /Filter /FlateDecode >>\nstream\n".encode()
        objects.append(head + stream + b"\nendstream")
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")  # 7.5.2: four bytes above 127
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(objects) + 1)
    out += b"startxref\n%d\n%%%%EOF\n" % table
    return bytes(out)


def _points(mm: float) -> str:
    return f"{mm * _POINTS_A_MM:.3f}"
