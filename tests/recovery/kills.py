"""Searches for a moment at which a SIGKILL makes the counter charge twice, forget or lie.

One town lives on while its counter dies: the bank, the shop and the printer keep their books. In
each round people serve one order (people.py), and the program is killed once or more often: at
any time, while it starts and recovers, and right around the moments when facts are written. Then
it is left alone, the order comes to its end, and all books must agree (books.py).
"""

from __future__ import annotations

import os
import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from tests.recovery.books import Books
from tests.recovery.nursery import ForkedKiosk, Nursery
from tests.recovery.people import Gone, People
from tests.recovery.weak_mount import WeakMount
from tests.rig import Rig, until

ROUNDS_OF_A_TOWN: Final = 25
COMMITS: Final = ("auto-reverse", "keep")
REVERSALS: Final = ("declined", "reversal", "nothing")
ENDS: Final = ("completion", "abort")
NEW: Final = {"receipt_no": 0, "trace_no": 0}
"""Of a new terminal nobody can tell all: a person has to decide."""
KILLS_MOST: Final = 4
WINDOW_S: Final = 1.0
"""A start and a handover take about so long. Where both end earlier, the kill comes at once."""
T3_S: Final = 0.5
"""How long the terminal waits for an answer of the dead. The standard's 5 s ask nothing more."""
WRITES_MOST: Final = 24
WATCH_S: Final = 0.0003
EARLY: Final = 0.25
FIGURES: Final = (
    "rounds", "kills", "kills at a write", "kills at start", "handovers", "in doubt", "decided",
    "copies", "violations",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """After so many seconds; or, with writes, so long after so many writes to the journal."""

    seconds: float
    writes: int = 0

    @classmethod
    def any(cls, dice: random.Random, *, is_early: bool) -> Moment:
        """is_early: while it starts and recovers, rather."""
        share = EARLY if is_early and dice.random() < 0.7 else 1.0
        if dice.random() < 0.4:
            return cls(dice.random() * WINDOW_S * share)
        most = round(WRITES_MOST * share)
        return cls(dice.choice((0.0, 0.001, 0.01)) * dice.random(), dice.randint(1, most))


class Killer:
    """Waits for the moment on a thread of its own, and then cuts."""

    def __init__(self, log: Path, moment: Moment, cut: Callable[[], None]) -> None:
        self._log, self._moment, self._cut = log, moment, cut
        self._begun, self._hurry = threading.Event(), threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="killer")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """At once now, whatever has happened meanwhile."""
        self._hurry.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def has_begun(self) -> bool:
        return self._begun.is_set()

    def _run(self) -> None:
        end = time.monotonic() + WINDOW_S
        left, last = self._moment.writes, self._state()
        while left and time.monotonic() < end and not self._hurry.is_set():
            if (now := self._state()) != last:
                left, last = left - 1, now
            time.sleep(WATCH_S)
        self._hurry.wait(self._moment.seconds)
        self._begun.set()  # before: whoever meets the dead program then knows why
        try:
            self._cut()
        except Exception as error:  # noqa: BLE001 - raised where it is heard
            self._error = error

    def _state(self) -> tuple[int, int]:
        with suppress(OSError):
            found = os.stat(self._log)
            return found.st_size, found.st_mtime_ns
        return 0, 0


class Town:
    """A rig with a counter that can be cut, for many rounds. is_disk_weak: its data lie on a disk
    of which a cut leaves what a power cut would (weak_disk.py); else a cut is a kill."""

    def __init__(self, folder: Path, dice: random.Random, *, is_disk_weak: bool = False) -> None:
        # What a terminal does with a booking that nobody acknowledged, and remembers of it.
        used: dict[str, Any] = dice.choice(({}, {}, {}, NEW))
        self.rig = Rig(
            folder, counter="unknown_ask_s = 30", customer_s=1.0, commit=dice.choice(COMMITS),
            after_reversal=dice.choice(REVERSALS), decline_ends=dice.choice(ENDS), **used,
        )  # fmt: skip
        self.rig.terminal.t3_s = T3_S
        self._nursery = Nursery()
        self.kiosk = ForkedKiosk(self.rig, self._nursery)
        self._dice = dice
        self._disk: WeakMount | None = None
        if is_disk_weak:
            self.rig.data.mkdir()
            self._disk = WeakMount(self.rig.data)
        self.reading = threading.Lock()
        self.place = 0  # the journal's newest fact that belongs to an earlier round
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._nursery)
        if self._disk is not None:
            self._stack.enter_context(self._disk)
        self._stack.enter_context(self.rig)
        self._stack.callback(self.kiosk.kill)
        self.kiosk.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def log(self) -> Path:
        return self.rig.data / "journal.sqlite3-wal"

    def cut(self) -> None:
        """SIGKILL to the program; returns when it is gone."""
        # Memory that is mapped from a disk without power cannot be read: whoever does, dies.
        with self.reading if self._disk else nullcontext():
            if self._disk is not None:
                self._disk.freeze()
            self.kiosk.kill()
            if self._disk is not None:
                self._disk.restart(self._disk.crash(self._dice))


@dataclass(slots=True)
class Found:
    figures: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(FIGURES, 0)))
    stories: list[str] = field(default_factory=list)


class Broken(Exception):
    """Something that must not be; with all books of the order."""


def play(town: Town, dice: random.Random, figures: Counter[str]) -> None:
    """One order and some kills. Raises Broken."""
    number = town.rig.shop.store.add_random_order("mitte")
    assert number, "the shop is full"
    books = Books(town.rig, number, town.place, town.reading)
    people = People(town.rig, town.kiosk, books, dice)
    try:
        for kill in range(dice.randint(1, KILLS_MOST)):
            moment = Moment.any(dice, is_early=kill > 0)
            with Killer(town.log, moment, town.cut) as killer, suppress(Gone):
                people.serve(killer.has_begun)
            figures["kills"] += 1
            figures["kills at a write"] += moment.writes > 0
            figures["kills at start"] += not people.was_answered
            books.after_a_kill()
            town.kiosk.launch()
            people.begin_anew()
            if people.is_done():
                break
        people.serve(lambda: False)
        until(town.kiosk.is_up, "it answers")
        books.check(town.kiosk)
    except Exception as error:
        raise Broken(f"{traceback.format_exc(limit=-1)}{books.story()}") from error
    town.place = max(books.seen, default=town.place)
    figures.update(books.figures())


def search(folder: Path, *, rounds: int, seed: int, is_disk_weak: bool = False) -> Found:
    """So many rounds. folder: takes the towns. is_disk_weak: with power cuts instead of kills."""
    what = "power cuts of the program" if is_disk_weak else "kills"
    found = Found()
    while (first := found.figures["rounds"]) < rounds:
        home = folder / f"town-{first}"
        home.mkdir()
        dice = random.Random(f"town {seed}/{first}")
        with Town(home, dice, is_disk_weak=is_disk_weak) as town:
            for number in range(first, min(first + ROUNDS_OF_A_TOWN, rounds)):
                found.figures["rounds"] += 1
                try:
                    play(town, random.Random(f"{seed}/{number}"), found.figures)
                except Broken as story:
                    found.figures["violations"] += 1
                    found.stories.append(f"{what}, seed {seed}, round {number}: {story}")
                    break  # what comes of it is not known; another town is
    return found
