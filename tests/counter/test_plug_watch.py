"""From the bus to the journal and back to the name under /dev/kassa: real files, the real scripts
of udev's rules, root's real program, and a real journal."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from appliance.counter import plug_watch
from appliance.counter.adopt_rows import rows
from appliance.counter.commands import Answer
from appliance.counter.core import Core
from appliance.counter.plug_watch import WISHES, PlugWatch
from appliance.counter.screen import Action, DeviceList, DeviceRow, DeviceState
from appliance.counter.settings import DeviceSettings, Settings
from tests.counter.harness import EUR, Bench, bench
from tests.image.test_adopt import adopt
from tests.usb_tree import EPSON, SCANNER, Bus

T = TypeVar("T")
WAIT_S = 10.0
LEFT, RIGHT = replace(EPSON, serial="LEFT1"), replace(EPSON, serial="RIGHT2")
USES = {"printer": "usbmisc", "scanner": "input"}
SETTINGS = Settings("Counter 1", "Mitte", "PP1", EUR, devices=DeviceSettings("ask", (), USES))


class Posts:
    """The way to the core; what was posted happens when the test lets it."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[Callable[[Core], object]] = queue.Queue()

    def post(self, event: Callable[[Core], object]) -> None:
        self.waiting.put(event)

    def ask(self, event: Callable[[Core], T]) -> T:
        raise AssertionError("it waits for nobody")

    def fail(self, what: str) -> None:
        raise AssertionError(what)


class Box:
    """A counter that looks at a bus, with root's program and udev when the test lets them."""

    def __init__(self, folder: Path, counter: Bench) -> None:
        (folder / "bus").mkdir()
        self.bus = Bus(folder / "bus")
        self.data, self.counter = folder, counter
        self.wishes = folder / WISHES
        self._begin()

    def _begin(self) -> None:
        self.posts = Posts()
        self.watch = PlugWatch(self.bus.plugs, self.posts, self.data, self.counter.clock)
        self.watch.join(self.counter.core)
        self.watch.start()

    def restart(self) -> None:
        assert self.watch.stop(WAIT_S)
        self.counter.restart()
        self._begin()

    def until(self, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < until, "it never came"
            try:
                self.posts.waiting.get(timeout=0.05)(self.counter.core)
            except queue.Empty:
                continue

    def root(self) -> None:
        """kassa-adopt.service, and udev after it."""
        if adopt.adopt(self.wishes, self.bus.devices):
            self.bus.settle()

    def rows(self) -> dict[str, DeviceRow]:
        """By place."""
        core = self.counter.core
        return {row.place: row for row in rows(core.state, core.ledger.settings.devices)}

    def state(self, place: str) -> DeviceState | None:
        row = self.rows().get(place)
        return row.state if row else None

    def wished(self) -> list[str]:
        return self.wishes.read_text().splitlines() if self.wishes.exists() else []

    def serving(self) -> str:
        """Which printer the name leads to."""
        name = self.bus.dev / "kassa/printer"
        return os.path.realpath(name) if name.is_symlink() else ""


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    monkeypatch.setattr(plug_watch, "LOOK_EVERY_S", 0.02)
    with bench(tmp_path, SETTINGS) as counter:
        box = Box(tmp_path, counter)
        box.bus.devices.write_text("printer ask\n")
        yield box
        assert box.watch.stop(WAIT_S)


def confirm(box: Box, place: str, action: Action = Action.CONFIRM) -> None:
    core = box.counter.core
    if not isinstance(box.counter.screen().body, DeviceList):
        assert box.counter.do(Action.DEVICES) is Answer.DONE
    assert box.counter.do(Action.OPEN, box.rows()[place].id) is Answer.DONE
    assert action in core.actions()
    assert box.counter.do(action) is Answer.DONE


def test_from_the_plug_to_the_name_and_from_one_printer_to_the_other(box: Box) -> None:
    box.bus.plug("1.1", LEFT)
    box.bus.plug("1.2", RIGHT)
    box.until(lambda: set(box.rows()) == {"1.1", "1.2"})
    assert box.serving() == "", "nobody has confirmed one"
    names: dict[str, str] = {}
    for place, serial in (("1.2", "RIGHT2"), ("1.1", "LEFT1"), ("1.2", "RIGHT2")):
        confirm(box, place)
        wish = f"printer serial {serial} 04b8:0e28"
        box.until(lambda wish=wish: box.wished() == [wish])  # type: ignore[misc]
        assert box.wishes.stat().st_mode & 0o777 == 0o600
        box.root()
        box.until(lambda place=place: box.state(place) is DeviceState.SERVES)  # type: ignore[misc]
        assert names.setdefault(place, box.serving()) == box.serving() != ""
    assert len(set(names.values())) == 2
    confirm(box, "1.2", Action.RELEASE)
    box.until(lambda: box.wished() == [])
    box.root()
    box.until(lambda: box.state("1.2") is DeviceState.OFFERED)
    assert box.serving() == ""
    assert box.bus.devices.read_text() == "printer ask\n"


def test_a_power_cut_between_the_fact_and_the_wish_is_made_good(box: Box) -> None:
    box.bus.plug("1.1", LEFT)
    box.until(lambda: "1.1" in box.rows())
    assert box.watch.stop(WAIT_S)  # nobody writes the wish any more
    confirm(box, "1.1")
    assert box.wished() == []
    box.restart()
    box.until(lambda: box.wished() == ["printer serial LEFT1 04b8:0e28"])
    box.root()
    box.until(lambda: box.state("1.1") is DeviceState.SERVES)


def test_a_wish_that_somebody_wrote_by_hand_is_replaced(box: Box) -> None:
    box.bus.plug("1.1", LEFT)
    box.bus.plug("1.3", SCANNER)
    box.until(lambda: "1.1" in box.rows())
    box.wishes.parent.mkdir(exist_ok=True)
    box.wishes.write_text("scanner serial X1 0c2e:0b61\n")
    confirm(box, "1.1")
    box.until(lambda: box.wished() == ["printer serial LEFT1 04b8:0e28"])


def test_an_administrators_line_wins_over_a_confirmation(box: Box) -> None:
    box.bus.plug("1.1", LEFT)
    box.bus.plug("1.2", RIGHT)
    box.until(lambda: "1.1" in box.rows())
    confirm(box, "1.1")
    box.until(lambda: bool(box.wished()))
    box.bus.devices.write_text("printer serial RIGHT2\n")
    box.root()
    box.bus.settle()
    box.until(lambda: box.state("1.2") is DeviceState.SERVES)
    assert box.state("1.1") is DeviceState.NAMED
    assert box.bus.devices.read_text() == "printer serial RIGHT2\n"


def test_a_device_that_is_pulled_out_is_away_and_comes_back_by_itself(box: Box) -> None:
    box.bus.plug("1.1", LEFT)
    box.until(lambda: "1.1" in box.rows())
    confirm(box, "1.1")
    box.until(lambda: bool(box.wished()))
    box.root()
    box.until(lambda: box.state("1.1") is DeviceState.SERVES)
    box.bus.unplug("1.1")
    box.until(lambda: box.state("") is DeviceState.AWAY)
    box.bus.plug("3", LEFT)  # its number goes with it, whatever the port
    box.until(lambda: box.state("3") is DeviceState.SERVES)


def test_a_folder_that_cannot_be_written_is_tried_again(box: Box) -> None:
    box.bus.plug("1.1", LEFT)
    box.until(lambda: "1.1" in box.rows())
    box.wishes.parent.write_text("in the way")
    confirm(box, "1.1")
    time.sleep(0.2)  # some turns
    box.wishes.parent.unlink()
    box.until(lambda: box.wished() == ["printer serial LEFT1 04b8:0e28"])


def test_a_wish_that_root_did_not_notice_is_told_again_ever_more_rarely(box: Box) -> None:
    box.bus.plug("1.1", LEFT)
    box.until(lambda: "1.1" in box.rows())
    confirm(box, "1.1")
    box.until(lambda: bool(box.wished()))
    time.sleep(0.2)  # it has been told, and the time is counted from there
    told, waited = box.wishes.stat().st_mtime_ns, []
    for pause_s in (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0):
        box.counter.clock.pass_(pause_s - 0.5)
        time.sleep(0.1)  # some turns
        waited.append(box.wishes.stat().st_mtime_ns == told)
        box.counter.clock.pass_(0.5)
        box.until(lambda: box.wishes.stat().st_mtime_ns != told)  # noqa: B023
        told = box.wishes.stat().st_mtime_ns
    assert all(waited)
    box.root()
    box.until(lambda: box.state("1.1") is DeviceState.SERVES)
    box.counter.clock.pass_(1000.0)
    time.sleep(0.2)
    assert box.wishes.stat().st_mtime_ns == told, "it is fulfilled"


def test_what_an_administrator_has_named_is_not_told_again(box: Box) -> None:
    box.bus.plug("1.1", LEFT)
    box.until(lambda: "1.1" in box.rows())
    confirm(box, "1.1")
    box.until(lambda: bool(box.wished()))
    box.bus.devices.write_text("printer serial RIGHT2\n")
    box.until(lambda: box.state("1.1") is DeviceState.NAMED)
    told = box.wishes.stat().st_mtime_ns
    box.counter.clock.pass_(1000.0)
    time.sleep(0.2)
    assert box.wishes.stat().st_mtime_ns == told
