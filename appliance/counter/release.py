"""What this release says of itself: its version, and what it writes into the journal and can read
there. The package carries it as release.json; an update asks the one release whether it could read
what the other writes, as it could not be taken back otherwise (docs/updates.md).

    python -m appliance.counter.release VERSION >release.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from appliance import __version__
from appliance.counter.migrations import MIGRATIONS
from appliance.domain.facts import Kind

FILE: Final = Path(__file__).parents[2] / "release.json"
LARGEST_BYTES: Final = 64 << 10
ONLY_READ: Final[frozenset[Kind]] = frozenset()
"""Kinds of fact that this release can read and does not write yet. A new kind is read by one
release and written by the next: so each can be taken back."""


def about(version: str) -> dict[str, Any]:
    """As JSON, for the package."""
    return {
        "version": version,
        "journal": {
            "schema": len(MIGRATIONS),
            "writes": sorted(kind.value for kind in frozenset(Kind) - ONLY_READ),
            "reads": sorted(kind.value for kind in Kind),
        },
    }


def version(file: Path = FILE) -> str:
    """The package's version, or the program's own where it was not installed as a package."""
    try:
        found = json.loads(file.read_bytes()[:LARGEST_BYTES])
    except FileNotFoundError:
        return __version__
    except (OSError, ValueError):
        return "unknown"  # nothing to stop a counter for; an update takes it for the wrong release
    return str(found.get("version", "unknown")) if isinstance(found, dict) else "unknown"


VERSION: Final = version()
"""As it was at the start: a file that is replaced meanwhile is another release's."""


if __name__ == "__main__":
    json.dump(about(sys.argv[1]), sys.stdout, sort_keys=True)
    sys.stdout.write("\n")
