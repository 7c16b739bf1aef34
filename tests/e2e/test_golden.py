"""The screens as text: what stands where. A change of the look shows as a change of these files.

Words must be the same. Places may differ by TOLERANCE, as fonts differ a little between systems;
without the Inter font they are not compared. `KASSA_GOLDEN=write` renews the files.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import Kiosk
from tests.web.samples import SAMPLES

pytestmark = pytest.mark.e2e

FOLDER = Path(__file__).parent / "golden"
TOLERANCE = 16  # CSS pixels
SEEN = """() => [...document.querySelectorAll(
    `h1, h2, #amount, .owed, .code, .lead, .second, .cell, .box, button, .dev, .steps li,
     .banner, .hint`
)].filter((element) => element.closest("#screen") && element.checkVisibility()).map((element) => {
    const box = element.getBoundingClientRect();
    const text = element.innerText.replace(/\\s+/g, " ").trim();
    const kind = element.tagName.toLowerCase() + "." + element.classList[0];
    const name = element.id ? "#" + element.id : kind;
    return [name, ...[box.x, box.y, box.width, box.height].map(Math.round), text].join(" ");
})"""
LINE = re.compile(r"(\S+) (-?\d+) (-?\d+) (\d+) (\d+) ?(.*)")


def has_inter() -> bool:
    try:
        told = subprocess.run(["fc-match", "Inter"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return False
    return "Inter" in told.stdout


def split(line: str) -> tuple[str, str, tuple[int, ...]]:
    found = LINE.fullmatch(line)
    assert found is not None, line
    return found[1], found[6], tuple(int(number) for number in found.groups()[1:5])


def differences(stored: list[str], shown: list[str], *, with_places: bool) -> list[str]:
    told = []
    if len(stored) != len(shown):
        told.append(f"{len(shown)} elements instead of {len(stored)}")
    for old, new in zip(stored, shown, strict=False):
        (name, text, place), (new_name, new_text, new_place) = split(old), split(new)
        moved = max(abs(a - b) for a, b in zip(place, new_place, strict=True)) > TOLERANCE
        if (name, text) != (new_name, new_text) or (moved and with_places):
            told.append(f"{old!r} is now {new!r}")
    return told


def test_the_screens_are_as_they_were(page: Page, kiosk: Kiosk) -> None:
    page.goto(kiosk.address)
    write = os.environ.get("KASSA_GOLDEN") == "write"
    with_places = has_inter()
    wrong: dict[str, list[str]] = {}
    for name, sample in SAMPLES.items():
        kiosk.show(page, sample)
        shown: list[str] = page.evaluate(SEEN)
        file = FOLDER / f"{name}.txt"
        if write:
            FOLDER.mkdir(exist_ok=True)
            file.write_text("\n".join(shown) + "\n", encoding="utf-8")
        stored = file.read_text(encoding="utf-8").splitlines()
        if told := differences(stored, shown, with_places=with_places):
            wrong[name] = told
    assert wrong == {}
    assert {file.stem for file in FOLDER.glob("*.txt")} == set(SAMPLES)


def test_a_moved_or_reworded_element_is_seen() -> None:
    stored = ["#do-confirm 800 500 400 84 Charge 1 €", "h1.huge 40 90 300 60 Order"]
    assert differences(stored, stored, with_places=True) == []
    nudged = ["#do-confirm 806 494 400 84 Charge 1 €", stored[1]]
    assert differences(stored, nudged, with_places=True) == []
    moved = ["#do-confirm 800 540 400 84 Charge 1 €", stored[1]]
    assert differences(stored, moved, with_places=True)
    assert differences(stored, moved, with_places=False) == []
    assert differences(stored, [stored[0].replace("1 €", "2 €"), stored[1]], with_places=False)
    assert differences(stored, stored[:1], with_places=False)
