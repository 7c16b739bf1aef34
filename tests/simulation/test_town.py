"""The simulated town: the same seed is the same town, no promise is broken in some of them, and
what once broke one is played again. Each town has a process of its own, as it replaces what the
whole process waits by."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.children import unmeasured
from tests.simulation import story
from tests.simulation.plan import DAY_S, Fault, Plan, Quirk, Trouble, Visit, draw
from tests.simulation.stories import STORIES
from tests.simulation.town import Figures

ROOT: Final = Path(__file__).parents[2]


def sim(*words: str, hash_seed: str = "0") -> str:
    """What `make sim` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *words],
        cwd=ROOT,
        env={**unmeasured(), "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("seed", ["a", "b"])
def test_the_same_seed_gives_the_same_run_byte_for_byte(seed: str) -> None:
    first = sim("--seed", seed, "--story", hash_seed="1")
    assert first == sim("--seed", seed, "--story", hash_seed="2")
    assert "no promise was broken" in first
    assert len(first.splitlines()) > 100


@pytest.mark.parametrize("name", STORIES)
def test_a_story_that_was_told_once_is_not_told_again(name: str) -> None:
    assert "no promise was broken" in sim("--told", name)


# --- plans and stories --------------------------------------------------------------------------


def test_a_plan_follows_from_its_seed_and_days_from_no_other_day() -> None:
    one, two = draw("s", 1), draw("s", 2)
    assert draw("s", 2) == two
    assert two.of_day(0) == one.of_day(0)
    assert two.terms == one.terms
    assert draw("t", 1).events != one.events
    assert all(DAY_S <= event.at_s < 2 * DAY_S for event in two.of_day(1))


def test_every_fault_and_quirk_comes_up() -> None:
    events = [event for seed in range(60) for event in draw(str(seed), 1).events]
    assert {event.fault for event in events if isinstance(event, Trouble)} == set(Fault)
    visits = [event for event in events if isinstance(event, Visit)]
    assert {quirk for visit in visits for quirk in visit.quirks} == set(Quirk)


def run_of(plan: Plan, broken: str) -> story.Run:
    lines = ((event.at_s, "somebody", str(event)) for event in plan.events)
    return story.Run(plan, Figures(), tuple(lines), broken, "")


def test_a_story_is_cut_down_to_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = draw("long", 1)
    needed = {plan.events[3], plan.events[-2]}

    def play(tried: Plan) -> story.Run:
        number = len(tried.events)  # names and numbers may differ from one story to the next
        broken = f"mitte-1 charges order ord-{number} twice" if needed <= set(tried.events) else ""
        return run_of(tried, broken)

    monkeypatch.setattr(story, "play", play)
    short = story.shorten(play(plan))
    assert set(short.plan.events) == needed
    assert "twice" in short.broken


def test_a_shorter_story_about_something_else_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = draw("long", 1)

    def play(tried: Plan) -> story.Run:
        return run_of(tried, "the journal does not verify")

    monkeypatch.setattr(story, "play", play)
    whole = run_of(plan, "mitte-1 charges order ord-1 twice")
    assert story.shorten(whole, most=20).plan == plan


def test_sentences() -> None:
    assert story.tell([(DAY_S + 61.5, "mitte-1", "is dark")]) == [
        "day 2 08:01:01.500  mitte-1 is dark."
    ]
