"""An enrolment code on paper or on a screen: PDF, PNG, a receipt printer's bytes, a terminal."""

from __future__ import annotations

import io
import time
from typing import Final

import segno

from appliance.counter.labels import draw_qr
from appliance.domain.receipt import Align, Document, Qr, Text
from appliance.protocols import pdf
from appliance.protocols.enrolment import EnrolCode
from appliance.protocols.escpos.encode import Encoder
from appliance.protocols.escpos.profiles import PROFILES

_QR_MM: Final = 60.0
"""Modules of more than a millimetre: any 2D scanner reads them at a hand's width."""
_EDGE_MM: Final = 20.0
_PNG_SCALE: Final = 8


def words(code: EnrolCode, kiosk: str) -> list[str]:
    """What stands beside the code."""
    until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(code.expires_at))
    return [kiosk, f"counts once, until {until}", f"desk {code.address}", f"code {code.name}"]


def as_pdf(code: EnrolCode, digits: str, kiosk: str) -> bytes:
    """One page, A4."""
    page = pdf.Page()
    title, *more = words(code, kiosk)
    page.text(_EDGE_MM, _EDGE_MM, title, size=22, bold=True)
    for row, text in enumerate(more):
        page.text(_EDGE_MM, _EDGE_MM + 8 + 6 * row, text, size=11)
    draw_qr(page, _EDGE_MM, _EDGE_MM + 28, digits, _QR_MM)
    lines = ("Scan it at the new kiosk, and then destroy this paper.",)
    for row, text in enumerate(lines):
        page.text(_EDGE_MM, _EDGE_MM + 36 + _QR_MM + 6 * row, text, size=11)
    return pdf.document([page])


def as_png(digits: str) -> bytes:
    """The symbol alone, with its quiet zone."""
    out = io.BytesIO()
    segno.make_qr(digits, error="m").save(out, kind="png", scale=_PNG_SCALE)
    return out.getvalue()


def as_escpos(code: EnrolCode, digits: str, kiosk: str, profile: str) -> bytes:
    """The bytes for a receipt printer of this profile. Raises KeyError for one that is not."""
    title, *more = words(code, kiosk)
    lines = [Text(title, Align.CENTER, bold=True, size=2)]
    lines += [Text(text, Align.CENTER) for text in more]
    return b"".join(Encoder(PROFILES[profile], "").encode(Document((*lines, Qr(digits)))))


def as_text(digits: str) -> str:
    """The symbol for a terminal, dark on light by its own colours."""
    out = io.StringIO()
    segno.make_qr(digits, error="m").terminal(out=out, compact=True)
    return out.getvalue()
