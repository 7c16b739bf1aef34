"""An update that loses its power at every step, and at two: the next starts end with one release
that is whole and works, and the counter is never stopped while it serves."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kassa_updater import files, work
from kassa_updater.box import Broken
from kassa_updater.counter import Look
from kassa_updater.places import Places
from kassa_updater.plan import Before, Plan, Release, Step, load, save
from kassa_updater.work import MOST_TRIES, Work

OLD, NEW = "1.0", "1.1"
STARTS = 12
HEALTHY_S = 60.0


class PowerCut(BaseException):
    """Nothing of ours runs any more: not even a finally may do anything."""


@dataclass
class FakeBox:
    """A machine with a package on it. cuts: at which of its steps the power fails; cut_at: at each
    of this name. sick: releases
    that are unhealthy; dead: that do not start; stuck: that dpkg cannot install."""

    places: Places
    cuts: tuple[int, ...] = ()
    cut_at: str = ""
    sick: frozenset[str] = frozenset()
    dead: frozenset[str] = frozenset()
    stuck: frozenset[str] = frozenset()
    busy_until: float = 0.0
    version: str | None = OLD
    is_up: bool = True
    has_power: bool = True
    steps: int = 0
    clock_s: float = 0.0
    asked_back: bool = False
    stopped_while_busy: bool = False
    done: list[str] = field(default_factory=list)

    def step(self, what: str) -> None:
        if not self.has_power:
            raise PowerCut
        self.steps += 1
        self.done.append(what)
        if self.steps in self.cuts or what == self.cut_at:
            self.has_power = self.is_up = False
            raise PowerCut

    @property
    def runs(self) -> bool:
        return self.is_up and self.version is not None and self.version not in self.dead

    @property
    def is_busy(self) -> bool:
        return self.runs and self.clock_s < self.busy_until

    def installed(self) -> str | None:
        return self.version

    def idle(self, wait_s: float) -> bool:
        self.step("idle")
        if self.is_busy:
            self.clock_s = min(self.busy_until, self.clock_s + wait_s)
        return not self.is_busy

    def look(self) -> Look | None:
        if not self.has_power:
            raise PowerCut
        if not self.runs:
            return None
        assert self.version is not None
        code = "K-APP-02" if self.version in self.sick else None
        status = "failing" if code else "ok"
        return Look(status, code, self.is_busy, self.version, {"terminal": "ok"}, 1.0)

    def journal_holds(self) -> bool:
        self.step("journal")
        return True

    def stop(self) -> None:
        self.step("stop")
        self.stopped_while_busy |= self.is_busy
        self.is_up = False

    def start(self) -> None:
        self.step("start")
        self.is_up = True

    def go_back(self) -> None:
        self.step("go back")
        self.asked_back = True

    def install(self, package: Path, version: str) -> None:
        self.version = None  # half
        self.step(f"unpack {version}")
        if version in self.stuck:
            raise Broken("dpkg: no")
        self.step(f"configure {version}")
        self.version = version
        self.step(f"installed {version}")

    def now(self) -> float:
        return 1.8e9 + self.clock_s

    def monotonic(self) -> float:
        return self.clock_s

    def sleep(self, duration_s: float) -> None:
        self.step("sleep")
        self.clock_s += duration_s

    def boot(self) -> None:
        """The power is back: what the units do, in their order."""
        self.has_power, self.asked_back = True, False
        updater = Work(self.places, self)
        if self.places.plan.exists():
            updater.install()
        self.is_up = True
        self.watch()

    def live(self) -> None:
        """What the command starts."""
        Work(self.places, self).install()
        self.watch()

    def watch(self) -> None:
        Work(self.places, self).watch()
        if self.asked_back:
            self.asked_back = False
            Work(self.places, self).install()
            assert load(self.places.plan) is None


@pytest.fixture(autouse=True)
def files_are_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write of the updater is a step before which, and after which, the power can fail."""

    def around(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*given: Any) -> None:
            box = RUNNING[0]
            box.step(f"before {name}")
            call(*given)
            box.step(f"after {name}")

        return stepped

    for name in ("save", "tell", "remove"):
        monkeypatch.setattr(work, name, around(name, getattr(work, name)))
    # Python's own flushing is not what is tested, and thousands of them take their time.
    monkeypatch.setattr(os, "fsync", lambda _: None)


RUNNING: list[FakeBox] = []
COUNT = itertools.count()


def box(folder: Path, **how: Any) -> FakeBox:
    """A machine with the plan of an update from OLD to NEW."""
    places = Places(folder / str(next(COUNT)))
    places.releases.mkdir(parents=True)
    places.told.parent.mkdir(parents=True)
    releases = []
    for version in (NEW, OLD):
        file = places.releases / f"kassa-kiosk_{version}_all.deb"
        file.write_text(version)
        releases.append(Release(file.name, version, files.sha256(file)))
    before = Before(("terminal",), works=True, draws=True, has_journal=True)
    save(places.plan, Plan(Step.INSTALLING, releases[0], releases[1], 600.0, HEALTHY_S, before))
    found = FakeBox(places, **how)
    RUNNING[:] = [found]
    return found


def finish(found: FakeBox) -> None:
    """Until there is no plan; at most so many starts."""
    begin = found.live
    for _ in range(STARTS):
        with contextlib.suppress(PowerCut):
            begin()
        if found.has_power and load(found.places.plan) is None:
            return
        begin = found.boot
    raise AssertionError(f"no end within {STARTS} starts: {found.done}")


def told(found: FakeBox) -> dict[str, Any]:
    state = files.read_json(found.places.told / "state.json")
    assert state is not None
    return state


def check_end(found: FakeBox, versions: set[str]) -> None:
    assert found.version in versions, found.done
    assert found.runs, found.done
    assert not found.stopped_while_busy
    assert told(found)["state"] == ("ok" if found.version == NEW else "rolled-back")
    assert told(found)["version"] == found.version
    assert (found.places.releases / f"kassa-kiosk_{found.version}_all.deb").exists()
    assert (found.places.releases / f"kassa-kiosk_{OLD}_all.deb").exists()


KINDS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "good": ({}, {NEW}),
    "sick": ({"sick": frozenset({NEW})}, {OLD}),
    "dead": ({"dead": frozenset({NEW})}, {OLD}),
    "stuck": ({"stuck": frozenset({NEW})}, {OLD}),
    "busy": ({"busy_until": 300.0}, {NEW}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_cut(tmp_path: Path, kind: str) -> None:
    how, versions = KINDS[kind]
    found = box(tmp_path, **how)
    finish(found)
    check_end(found, versions)
    if found.version == OLD:
        assert told(found)["reason"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_at_every_step(tmp_path: Path, kind: str) -> None:
    how, versions = KINDS[kind]
    found = box(tmp_path, **how)
    finish(found)
    steps = found.steps
    assert steps > 15
    for cut in range(1, steps + 1):
        found = box(tmp_path, cuts=(cut,), **how)
        finish(found)
        # Once: it is not given up for a single cut.
        check_end(found, versions)


@pytest.mark.parametrize("kind", ["good", "sick"])
def test_two_cuts(tmp_path: Path, kind: str) -> None:
    how, versions = KINDS[kind]
    for first, after in itertools.product(range(1, 30, 2), range(1, 25, 2)):
        found = box(tmp_path, cuts=(first, first + after), **how)
        finish(found)
        check_end(found, versions)


@given(cuts=st.sets(st.integers(1, 120), max_size=STARTS - 2), kind=st.sampled_from(sorted(KINDS)))
def test_any_cuts(tmp_path_factory: pytest.TempPathFactory, cuts: set[int], kind: str) -> None:
    """Many: then the release before it is an end as well."""
    how, versions = KINDS[kind]
    found = box(tmp_path_factory.getbasetemp(), cuts=tuple(cuts), **how)
    finish(found)
    check_end(found, versions | {OLD})


def test_too_many_cuts_in_one_step_end_with_the_release_before_it(tmp_path: Path) -> None:
    found = box(tmp_path, cut_at=f"configure {NEW}")
    finish(found)
    assert found.done.count(f"configure {NEW}") == MOST_TRIES
    check_end(found, {OLD})
    assert "power cuts" in told(found)["reason"]


def test_too_many_starts_without_an_end_of_the_watch_too(tmp_path: Path) -> None:
    """A release that takes the machine down with it."""
    found = box(tmp_path, cut_at="sleep")
    finish(found)
    assert found.done.count("sleep") == MOST_TRIES
    check_end(found, {OLD})


def test_a_counter_that_stays_busy_is_left_alone(tmp_path: Path) -> None:
    found = box(tmp_path, busy_until=1e9)
    found.live()
    assert "stop" not in found.done
    assert found.version == OLD
    assert load(found.places.plan) is None
    assert not (found.places.told / "state.json").exists()


def test_no_way_back_is_said(tmp_path: Path) -> None:
    found = box(tmp_path, stuck=frozenset({OLD, NEW}))
    finish(found)
    assert told(found)["state"] == "failed"
    assert "no way back" in told(found)["reason"]
    assert found.done.count(f"unpack {OLD}") == MOST_TRIES
    assert found.done[-1] == "start"


def test_a_package_that_changed_on_the_disk_is_not_installed(tmp_path: Path) -> None:
    found = box(tmp_path)
    (found.places.releases / f"kassa-kiosk_{NEW}_all.deb").write_text("rotten")
    finish(found)
    assert f"unpack {NEW}" not in found.done
    check_end(found, {OLD})


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (None, "answer"),
        (Look("ok", None, False, OLD, {"terminal": "ok"}, 1.0), OLD),
        (Look("failing", "K-JRN-03", False, NEW, {"terminal": "ok"}, 1.0), "K-JRN-03"),
        (Look("degraded", None, False, NEW, {"terminal": "K-PAY-02"}, 1.0), "terminal"),
        (Look("ok", None, False, NEW, {}, 1.0), "terminal"),
        (Look("ok", None, False, NEW, {"terminal": "ok"}, None), "screen"),
        (Look("ok", None, False, NEW, {"terminal": "ok"}, 61.0), "screen"),
    ],
)
def test_what_is_not_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: Look | None, why: str
) -> None:
    found = box(tmp_path)
    Work(found.places, found).install()
    monkeypatch.setattr(found, "look", lambda: seen)
    found.watch()
    assert found.version == OLD
    assert why in told(found)["reason"]


def test_what_was_not_well_before_need_not_be(tmp_path: Path) -> None:
    found = box(tmp_path, sick=frozenset({NEW}))
    given = load(found.places.plan)
    assert given is not None
    save(found.places.plan, Plan(Step.INSTALLING, given.target, given.kept, 1.0, HEALTHY_S))
    finish(found)
    check_end(found, {NEW})


def test_a_journal_whose_chain_breaks_is_reason_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = box(tmp_path)
    Work(found.places, found).install()
    monkeypatch.setattr(found, "journal_holds", lambda: False)
    found.watch()
    assert told(found) | {"at": 0} == {
        "state": "rolled-back", "version": OLD, "from": OLD, "to": NEW, "at": 0,
        "reason": "the journal's chain does not hold",
    }  # fmt: skip


def test_a_plan_that_nobody_wrote_starts_the_counter_all_the_same(tmp_path: Path) -> None:
    found = box(tmp_path)
    found.places.plan.write_text(json.dumps({"step": "?"}))
    with pytest.raises(ValueError, match=r"plan\.json|Step"):
        Work(found.places, found).install()
    assert found.is_up


def test_a_link_in_the_way_of_the_word_is_not_followed(tmp_path: Path) -> None:
    found = box(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    found.places.told.symlink_to(elsewhere)
    finish(found)
    assert found.version == NEW
    assert list(elsewhere.iterdir()) == []
