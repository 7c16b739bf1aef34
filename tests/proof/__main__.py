"""`make proof`: every search for a counter-example, one after the other, and what came of it.

    python -m tests.proof [--effort short|hour|release] [--seed N] [names…]

Ends with 1 when a promise was broken, or when a search could not be made here.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.proof import (
    exhaustive,
    fuzz,
    kills,
    mutation,
    power_cuts,
    properties,
    requests,
    simulation,
)
from tests.proof.result import Result

PROCESSES: Final = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of each search. fuzz_s: for each parser. mutants: only these, or all of them."""

    is_deep: bool
    days: int
    kill_rounds: int
    power_cuts: int
    fuzz_s: float
    requests: int
    mutants: tuple[str, ...]
    mutant_days: int


SHORT_SEED: Final = 1
QUICK_MUTANTS: Final = ("restart-charges", "effect-first", "unknown-is-declined", "cursor-first")
"""Those that are found within a minute, each by another searcher or for another promise."""

EFFORTS: Final[Mapping[str, Effort]] = {
    # For each change: within five minutes on two slow cores.
    "short": Effort(False, 18, 12, 200, 1.0, 10, QUICK_MUTANTS, 12),
    "hour": Effort(True, 330, 400, 3000, 20.0, 60, (), 120),
    # Before a release: ten million steps, ten thousand kills, a hundred million executions.
    "release": Effort(True, 1500, 6000, 6000, 600.0, 400, (), 400),
}


def searches(effort: Effort, seed: int) -> Mapping[str, Callable[[], Result]]:
    """By name, in the order of the table."""
    deeper = {"properties": lambda: properties.search(processes=PROCESSES)}
    return {
        "exhaustive": lambda: exhaustive.search(deep=effort.is_deep),
        "simulation": lambda: simulation.search(days=effort.days, seed=seed, processes=PROCESSES),
        "kills": lambda: kills.search(rounds=effort.kill_rounds, seed=seed),
        "power-cuts": lambda: power_cuts.search(cuts=effort.power_cuts, seed=seed),
        "fuzz": lambda: fuzz.search(
            seconds_each=effort.fuzz_s, runs_each=None, seed=seed, processes=PROCESSES
        ),
        "requests": lambda: requests.search(examples=effort.requests, seed=seed),
        "mutants": lambda: mutation.search(
            days=effort.mutant_days, names=effort.mutants, processes=PROCESSES
        ),
        **(deeper if effort.is_deep else {}),  # the rest of them is what `make test` does
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="make proof", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="only these searches")
    parser.add_argument("--effort", choices=EFFORTS, default="hour")
    parser.add_argument("--seed", type=int, help="default: another each time; 1 for the short form")
    asked = parser.parse_args()
    # What is asked of each change is the same for all: a failure there is the change's own.
    drawn = SHORT_SEED if asked.effort == "short" else int(time.time())
    seed = drawn if asked.seed is None else asked.seed
    every = searches(EFFORTS[asked.effort], seed)
    if unknown := set(asked.names) - set(every):
        parser.error(f"no such search: {', '.join(sorted(unknown))}; known: {', '.join(every)}")
    print(f"proof: effort {asked.effort}, seed {seed}", flush=True)
    results = []
    for name in asked.names or every:
        results.append(every[name]())
        print(f"\n{told(results[-1])}", flush=True)
    failed = [result.name for result in results if result.violations]
    missing = [result.name for result in results if result.missing]
    seconds = sum(result.seconds for result in results)
    print(f"\nproof: {len(results)} searches in {seconds:.0f} s")
    if missing:
        print(f"proof: not made here: {', '.join(missing)}")
    print(f"proof: BROKEN: {', '.join(failed)}" if failed else "proof: no promise was broken")
    return 1 if failed or missing else 0


def told(result: Result) -> str:
    """A search's part of the table, its stories below."""
    lines = [f"{result.name} ({result.seconds:.0f} s)"]
    if result.missing:
        lines.append(f"  NOT MADE: {result.missing}")
    width = max(map(len, result.figures), default=0)
    lines += [f"  {name:<{width}}  {count:>13,}" for name, count in result.figures.items()]
    for number, violation in enumerate(result.violations, 1):
        lines += [f"  violation {number}:", *(f"    {line}" for line in violation.splitlines())]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
