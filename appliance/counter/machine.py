"""What the machine says of itself: whether its disk is used as an image of ours uses it.

The counter cannot see it: its unit has a read-only view of everything but its own folder. So the
image's kassa-storage.timer looks from outside, and leaves what it found in a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from appliance.domain.errors import Code
from appliance.ports import WELL, Health

STORAGE: Final = Path("/run/kassa-machine/storage")
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
