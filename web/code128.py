"""Code 128, code set B, as SVG: what every hand scanner reads without being set up.

ISO/IEC 15417. Each symbol character is eleven modules wide: three bars, three spaces.
"""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

# Widths of bar, space, bar, space, bar, space for the values 0 to 106 (ISO/IEC 15417, table 1).
_TABLE: Final = (
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 "
    "122132 122231 113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 "
    "321221 312212 322112 322211 212123 212321 232121 111323 131123 131321 112313 132113 132311 "
    "211313 231113 231311 112133 112331 132131 113123 113321 133121 313121 211331 231131 213113 "
    "213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 111422 "
    "121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 "
    "241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 "
    "412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412 "
    "211214 211232 2331112"
)
_WIDTHS: Final = tuple(_TABLE.split())
_START_B: Final = 104
_STOP: Final = 106
_QUIET: Final = 10  # modules of white that the standard wants at each side


def values(text: str) -> tuple[int, ...]:
    """The symbol characters of the text, with start, check character and stop.

    text: 1 to 40 printable ASCII characters; raises ValueError for any other.
    """
    if not 1 <= len(text) <= 40 or not all(" " <= character <= "~" for character in text):
        raise ValueError(f"Code 128 B cannot hold {text[:40]!r}")
    data = [ord(character) - 32 for character in text]
    check = (_START_B + sum(place * value for place, value in enumerate(data, 1))) % 103
    return (_START_B, *data, check, _STOP)


def svg(text: str, height: int = 40) -> Markup:
    """The barcode, one unit per module, `height` units high; it scales to its box."""
    x = _QUIET
    path: list[str] = []
    for value in values(text):
        for place, width in enumerate(map(int, _WIDTHS[value])):
            if place % 2 == 0:
                path.append(f"M{x} 0h{width}v{height}h-{width}z")
            x += width
    return Markup(
        '<svg class="barcode" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">'
        '<path d="{}"/></svg>'
    ).format(x + _QUIET, height, "".join(path))
