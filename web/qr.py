"""QR codes as SVG (ISO/IEC 18004), drawn by segno."""

from __future__ import annotations

import segno
from markupsafe import Markup


def svg(text: str) -> Markup:
    """The symbol with its quiet zone; it scales to its box. Medium error correction, as it is read
    from a clean screen. Raises segno.DataOverflowError for more than a symbol can hold."""
    symbol = segno.make(text, error="m", micro=False)
    # Numbers and our own colours: nothing of the text is in it.
    return Markup(symbol.svg_inline(omitsize=True, dark="#000", light="#fff"))  # noqa: S704
