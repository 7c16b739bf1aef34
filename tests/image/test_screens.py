"""Judging screenshots."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.image.screens import changed_share, contains_colour, flat_colour, resembles

WHITE, BLACK, ALMOST, RED = (255, 255, 255), (0, 0, 0), (250, 255, 252), (200, 0, 0)
SIZE = (40, 25)


def image(ground, *boxes):
    picture = Image.new("RGB", SIZE, ground)
    for colour, box in boxes:
        picture.paste(colour, box)
    return picture


@pytest.mark.parametrize("colour", [WHITE, BLACK, RED])
def test_a_screen_that_shows_nothing(colour):
    assert flat_colour(image(colour)) == colour
    assert flat_colour(image(colour, ((9, 99, 9), (7, 7, 8, 8)))) is None


def test_almost_the_same_colour_is_the_same():
    assert flat_colour(image(WHITE, (ALMOST, (0, 0, 20, 20)))) is not None
    assert flat_colour(image(WHITE, (ALMOST, (0, 0, 20, 20))), tolerance=2) is None


def test_a_share_of_a_colour():
    quarter = image(WHITE, (RED, (0, 0, 20, 12)), (RED, (0, 12, 10, 13)))
    assert contains_colour(quarter, RED, 0.25)
    assert not contains_colour(quarter, RED, 0.251)
    assert contains_colour(quarter, WHITE, 0.75)
    assert not contains_colour(quarter, BLACK, 0.001)


def test_what_has_changed():
    before, after = image(WHITE), image(WHITE, (RED, (0, 0, 10, 10)))
    assert changed_share(before, after) == 0.1
    assert resembles(before, after, changed=0.1)
    assert not resembles(before, after, changed=0.09)
    assert resembles(before, image(ALMOST))
    assert not resembles(before, image(WHITE).resize((25, 40)), changed=0.99)
