"""Simulated days, one line of JSON for each: what `mutation` runs in a mutated copy of the tree."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

import appliance
import tests
from tests.simulation.story import play_seed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.days", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--days", type=int, default=1, help="a seed each")
    asked = parser.parse_args()
    here = Path.cwd().resolve()
    for package in (appliance, tests):
        if not Path(package.__path__[0]).resolve().is_relative_to(here):
            raise SystemExit(f"{package.__name__} is not the copy's")
    logging.disable(logging.CRITICAL)
    for seed in range(asked.seed, asked.seed + asked.days):
        run = play_seed(str(seed), 1)
        print(json.dumps({"seed": seed, "broken": run.broken}), flush=True)
        if run.broken:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
