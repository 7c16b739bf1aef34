"""The screen of a counter that cannot start: it says why, and begins anew by itself."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.counter.clock import SystemClock
from appliance.counter.commands import Answer, Command
from appliance.counter.screen import Action, OutOfOrder, Page
from appliance.counter.stand_in import LINES_SHOWN, StandIn, stamp
from appliance.domain.errors import Code

NEVER_S = 0.01


def stand_in(
    lines: list[str],
    is_over: Callable[[], bool] = lambda: False,
    over: threading.Event | None = None,
) -> StandIn:
    told = over or threading.Event()
    return StandIn(Code.CONFIGURATION, lines, SystemClock(), is_over, told.set)


def test_what_is_wrong_is_on_the_screen() -> None:
    many = [f"kassa.toml:{line}: is wrong" for line in range(1, 12)]
    body = stand_in(many).screen().body
    assert isinstance(body, OutOfOrder)
    assert body.code is Code.CONFIGURATION
    assert body.detail.split("\n") == [*many[:LINES_SHOWN], "… and 3 more"]


def test_nothing_can_be_done_and_it_says_how_it_is() -> None:
    counter = stand_in(["wrong"])
    answered = counter.command(Command("1", Action.SCAN, "NL-1", None))
    assert answered.answer is Answer.NOT_HERE
    assert counter.health()["code"] == "K-CFG-01"
    assert counter.health()["browser_age_s"] is None
    assert b"kassa_status 2.0" in counter.metrics()
    assert b'kassa_trouble{code="K-CFG-01",device="counter"} 1.0' in counter.metrics()
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


def test_it_ends_when_the_trouble_may_be_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.counter.stand_in.LOOK_S", 0.01)
    cured, over = threading.Event(), threading.Event()
    counter = stand_in(["is not there"], cured.is_set, over)
    counter.start()
    assert not over.wait(0.1)
    cured.set()
    assert over.wait(10)
    assert counter.stop(0)
    assert counter.stopping.is_set()
