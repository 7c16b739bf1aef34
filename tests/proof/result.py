"""What a search has done, in figures that add up, and the counter-examples that it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Result:
    """One searcher's share of the table that `make proof` prints.

    figures: what was counted, in the order of the table. violations: each a whole story with the
    seed or the bytes that bring it back. missing: why the search could not be made here, or "".
    """

    name: str
    figures: Mapping[str, int] = field(default_factory=dict)
    violations: tuple[str, ...] = ()
    missing: str = ""
    seconds: float = 0.0
