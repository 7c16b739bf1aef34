"""One counter for one data folder: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO, Final

from appliance.counter.config_schema import Config
from appliance.domain.errors import Code, JournalTrouble

LOCK: Final = "kassa.lock"


def lock(config: Config) -> IO[str]:
    """As lock_folder, for the data folder of these settings."""
    return lock_folder(config.counter.data_dir)


def lock_folder(folder: Path) -> IO[str]:
    """Be the only instance on this data folder, as long as the returned file is open.

    Raises JournalTrouble: SECOND_INSTANCE when another one is, DISK_FULL for a folder that cannot
    be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a+")
    except OSError as error:
        raise JournalTrouble(
            Code.DISK_FULL,
            f"{error}; mend [counter] data_dir, or make the folder the kiosk's user's own",
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise JournalTrouble(Code.SECOND_INSTANCE, f"{folder} is in use") from None
    return file
