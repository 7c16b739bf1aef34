"""What the machine says of itself: whether its disk is used as an image of ours uses it, and how
its last update went.

The counter cannot see it: its unit has a read-only view of everything but its own folder. So the
image's kassa-storage.timer looks from outside, and leaves what it found in a file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from appliance.domain.errors import Code
from appliance.ports import WELL, Health

STORAGE: Final = Path("/run/kassa-machine/storage")
UPDATE: Final = Path("/var/lib/kassa/update/state.json")
LARGEST_BYTES: Final = 4096


def storage(file: Path = STORAGE) -> Health:
    """Well when the file is empty, or not there: only an image promises anything. Otherwise its
    lines are what is wrong."""
    try:
        with file.open("rb") as stream:
            found = stream.read(LARGEST_BYTES).decode(errors="replace").split("\n")
    except FileNotFoundError:
        return WELL
    except OSError as error:
        return Health(Code.STORAGE, str(error))
    wrong = [line for line in found if line]
    return Health(Code.STORAGE, "; ".join(wrong)) if wrong else WELL


def update(file: Path = UPDATE) -> Health:
    """Well, unless the last update was taken back or failed (kassa-update writes the file)."""
    try:
        with file.open("rb") as stream:
            found = json.loads(stream.read(LARGEST_BYTES))
    except FileNotFoundError:
        return WELL
    except (OSError, ValueError) as error:
        return Health(Code.UPDATE, str(error))
    if not isinstance(found, dict) or found.get("state") not in ("failed", "rolled-back"):
        return WELL
    return Health(Code.UPDATE, f"{found.get('to')}: {found['state']}: {found.get('reason')}")


def health(storage_file: Path = STORAGE, update_file: Path = UPDATE) -> Health:
    """The disk first: it is what the money is on."""
    disk = storage(storage_file)
    return update(update_file) if disk.is_well else disk
