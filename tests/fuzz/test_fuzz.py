"""Every parser under hostile bytes: what is kept, what chance makes of it, and a little of what
`make proof` does for hours."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz import mutate, planted, run
from tests.fuzz.target import FOLDER, PLANTED, Target, Violation, attempt, content, demand, kept
from tests.fuzz.targets import TARGETS
from tests.proof import fuzz

BY_CHANCE = 3000
"""Inputs of a parser that costs little; see Target.price."""
LARGEST_CORPUS = 300 * 1024
FUZZED = ("zvt-message", "web-request")
RUNS = 1000
"""Enough to see that the fuzzer runs; the search itself is `make proof`."""

needs_atheris = pytest.mark.skipif(bool(run.missing()), reason=run.missing())


# --- the table --------------------------------------------------------------------------------


def test_every_target_has_its_seeds() -> None:
    folders = {folder.name for folder in (FOLDER / "corpus").iterdir()}
    assert folders == set(TARGETS)
    assert {folder.name for folder in (FOLDER / "regressions").iterdir()} <= set(TARGETS)
    files = [
        file for folder in ("corpus", "regressions") for file in (FOLDER / folder).rglob("*.*")
    ]
    assert sum(file.stat().st_size for file in files) < LARGEST_CORPUS
    assert all(len(kept(name)) >= 1 for name in TARGETS)


def test_hexadecimal_files_may_have_remarks(tmp_path: Path) -> None:
    file = tmp_path / "a.hex"
    file.write_text("# an end of day\n06 50\n03 00 00 00  # the password\n")
    assert content(file) == b"\x06\x50\x03\x00\x00\x00"


def test_only_its_own_errors_are_a_parsers_right() -> None:
    def check(data: bytes) -> None:
        demand(data != b"wrong", "a wrong answer")
        raise {b"own": ValueError, b"odd": KeyError}[data]

    target = Target(check, (ValueError,))
    attempt(target, b"own")
    with pytest.raises(KeyError):
        attempt(target, b"odd")
    with pytest.raises(Violation):
        attempt(target, b"wrong")


# --- on every machine -------------------------------------------------------------------------


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_kept_and_what_chance_makes_of_it(name: str) -> None:
    target, inputs = TARGETS[name], kept(name)
    for file, data in inputs.items():
        try:
            attempt(target, data)
        except Exception as error:
            error.add_note(f"with {file}")
            raise
    # Seeded by the name alone: the same on every run.
    chance = random.Random(name)
    fresh = mutate.inputs(list(inputs.values()), chance, target.longest)
    for data in islice(fresh, BY_CHANCE // target.price):
        try:
            attempt(target, data)
        except Exception as error:
            error.add_note(f"python -m tests.fuzz.run {name} --input {data.hex()}")
            raise


# --- where the fuzzer is ----------------------------------------------------------------------


@needs_atheris
def test_a_planted_mistake_is_found() -> None:
    found = run.fuzz(PLANTED, runs=200_000)
    assert [data[:3] for data in found.failed] == [planted.MAGIC]
    assert "KeyError" in found.story
    assert f"--input {planted.MAGIC.hex()}" in found.story
    with pytest.raises(KeyError):
        attempt(planted.TARGET, found.failed[0])


@needs_atheris
def test_a_short_search_finds_nothing() -> None:
    result = fuzz.search(seconds_each=None, runs_each=RUNS, seed=1, names=FUZZED)
    assert result.violations == ()
    assert not result.missing
    assert list(result.figures) == ["executions", *FUZZED]
    assert all(result.figures[name] >= RUNS for name in FUZZED)
    assert result.figures["executions"] == sum(result.figures[name] for name in FUZZED)


def test_a_machine_without_the_fuzzer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "find_spec", lambda _: None)
    result = fuzz.search(seconds_each=1, runs_each=None, seed=1)
    assert "atheris" in result.missing
    assert result.violations == ()
