"""`make sim SEED=… DAYS=…`: one town, some days, and the story of what went wrong, if anything."""

from __future__ import annotations

import argparse
import logging
import sys
import time

from tests.simulation.plan import draw
from tests.simulation.stories import STORIES
from tests.simulation.story import Run, gist, play, shorten, tell


def main() -> int:
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__)
    parser.add_argument("--seed", default="1", help="any text; the same gives the same town")
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--told", choices=STORIES, help="a story of stories.py instead")
    parser.add_argument("--story", action="store_true", help="tell all that happened")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    started = time.perf_counter()
    run = play(STORIES[asked.told] if asked.told else draw(asked.seed, asked.days))
    seconds = time.perf_counter() - started
    if asked.story:
        print(*tell(run.story), sep="\n")
    _say(run, seconds)
    if not run.broken:
        return 0
    print("\nshrinking …", file=sys.stderr)
    short = shorten(run)
    print(f"\nThe shortest story found, of {len(short.plan.events)} events:")
    print(*gist(short), sep="\n")
    print(f"Then: {short.broken}.")
    return 1


def _say(run: Run, seconds: float) -> None:
    figures = run.figures
    print(
        f"seed {run.plan.seed}: {figures.days} days, {figures.handovers} handovers,"
        f" {figures.charges} charges, {figures.faults} faults, {figures.steps} steps"
    )
    print(f"what happened: {run.digest}")
    print(f"{figures.steps / max(seconds, 1e-9):.0f} steps a second", file=sys.stderr)
    print("no promise was broken" if not run.broken else f"BROKEN: {run.broken}")


if __name__ == "__main__":
    sys.exit(main())
