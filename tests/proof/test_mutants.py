"""The table of mutants does not rot: each still fits the program, and still is a program."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.proof.mutants import MUTANTS, Mutant
from tests.proof.mutation import ROOT, mutated


def test_names_are_unique_and_the_table_is_long() -> None:
    assert [name for name, count in Counter(m.name for m in MUTANTS).items() if count > 1] == []
    assert len(MUTANTS) >= 32


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mutant_fits_and_compiles(mutant: Mutant) -> None:
    before = {edit.file: (ROOT / edit.file).read_text("utf-8") for edit in mutant.edits}
    for file, text in mutated(mutant, before).items():
        assert text != before[file]
        compile(text, file, "exec", dont_inherit=True)
