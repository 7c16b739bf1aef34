"""What can be said of a screenshot without guessing."""

from __future__ import annotations

from typing import Final

from PIL import Image, ImageChops

Rgb = tuple[int, int, int]
TOLERANCE: Final = 8
"""How far each of red, green and blue may be off: as much as smooth edges and rounding need."""


def flat_colour(image: Image.Image, tolerance: int = TOLERANCE) -> Rgb | None:
    """The one colour that all of it has, as a screen that shows nothing; None: it has more."""
    colour = _pixel(image)
    return colour if contains_colour(image, colour, 1.0, tolerance) else None


def contains_colour(image: Image.Image, rgb: Rgb, share: float, tolerance: int = TOLERANCE) -> bool:
    """Whether at least that share of all pixels, 0 to 1, has this colour."""
    plain = Image.new("RGB", image.size, rgb)
    return 1 - changed_share(image, plain, tolerance) >= share


def changed_share(one: Image.Image, other: Image.Image, tolerance: int = TOLERANCE) -> float:
    """Which share of the pixels differs, 0 to 1. Images of different sizes differ wholly."""
    if one.size != other.size:
        return 1.0
    difference = ImageChops.difference(one.convert("RGB"), other.convert("RGB"))
    red, green, blue = difference.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    histogram = most.histogram()
    return sum(histogram[tolerance + 1 :]) / sum(histogram)


def resembles(
    one: Image.Image, other: Image.Image, changed: float = 0.0, tolerance: int = TOLERANCE
) -> bool:
    """Whether no more than that share of the pixels differs, such as for a clock that goes on."""
    return changed_share(one, other, tolerance) <= changed


def _pixel(image: Image.Image) -> Rgb:
    red, green, blue = image.convert("RGB").crop((0, 0, 1, 1)).tobytes()
    return red, green, blue
