"""The screen of a kiosk whose configuration has mistakes: it says so, and begins anew by itself."""

import os
import threading
from pathlib import Path

import pytest

from appliance.counter.clock import SystemClock
from appliance.counter.commands import Answer, Command
from appliance.counter.screen import Action, OutOfOrder, Page
from appliance.counter.unset import MISTAKES_SHOWN, UnsetCounter, stamp
from appliance.domain.errors import Code

NEVER_S = 0.01


def unset(file: Path, mistakes: list[str], changed: threading.Event) -> UnsetCounter:
    return UnsetCounter(file, mistakes, SystemClock(), changed.set)


def test_the_mistakes_are_on_the_screen(tmp_path: Path) -> None:
    many = [f"kassa.toml:{line}: is wrong" for line in range(1, 12)]
    body = unset(tmp_path / "kassa.toml", many, threading.Event()).screen().body
    assert isinstance(body, OutOfOrder)
    assert body.code is Code.CONFIGURATION
    assert body.detail.split("\n") == [*many[:MISTAKES_SHOWN], "… and 3 more"]


def test_nothing_can_be_done_and_it_says_how_it_is(tmp_path: Path) -> None:
    counter = unset(tmp_path / "kassa.toml", ["wrong"], threading.Event())
    answered = counter.command(Command("1", Action.SCAN, "NL-1", None))
    assert answered.answer is Answer.NOT_HERE
    assert counter.health()["code"] == "K-CFG-01"
    assert counter.health()["browser_age_s"] is None
    counter.heartbeat(Page.OUT_OF_ORDER)
    assert counter.health()["browser_age_s"] == pytest.approx(0, abs=60)
    assert counter.wait(counter.screen().seq, NEVER_S) == counter.screen().seq


def replaced(file: Path) -> None:
    new = file.with_suffix(".new")
    new.write_text("name = 2")
    os.replace(new, file)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_text("longer than before"),
        replaced,
        Path.unlink,
        lambda file: os.utime(file, ns=(1, 1)),
    ],
)
def test_another_file_has_another_stamp(tmp_path: Path, change) -> None:
    file = tmp_path / "kassa.toml"
    file.write_text("name = 1")
    before = stamp(file)
    assert stamp(file) == before
    change(file)
    assert stamp(file) != before


def test_a_changed_file_is_told_of_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("appliance.counter.unset.LOOK_S", 0.01)
    file, changed = tmp_path / "kassa.toml", threading.Event()
    counter = unset(file, ["is not there"], changed)
    counter.start()
    assert not changed.wait(0.1)
    file.write_text("x")
    assert changed.wait(10)
    assert counter.stop(0)
    assert counter.stopping.is_set()
