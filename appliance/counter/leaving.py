"""A kiosk leaves its counter: for another one (`kassa enrol again`), or for good (`kassa retire`).

It leaves nothing behind that only it knows: while a handover, a payment or a print job is open, or
the shop has not heard of a fact, nothing is given up.
"""

from __future__ import annotations

import os
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Final

from appliance.counter import config_schema
from appliance.counter.enrolling import ANSWER, KEY, PENDING, Places
from appliance.counter.instance import lock_folder
from appliance.counter.journal import Reader
from appliance.domain.facts import Kind

JOURNAL: Final = "journal.sqlite3"


def data_of(places: Places) -> Path:
    """The data folder of this kiosk's settings, also where something else in them is wrong."""
    try:
        found = tomllib.loads(places.config.read_text(encoding="utf-8-sig"))["counter"]["data_dir"]
        return Path(found)
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return Path(str(config_schema.keys("counter")["data_dir"].default))


def unfinished(data: Path) -> list[str]:
    """What is open in this folder's journal, or not delivered, a line each; nothing where there is
    no journal. Raises JournalTrouble."""
    file = data / JOURNAL
    if not file.exists():
        return []
    found = []
    with closing(Reader(file)) as reader:
        for subject in reader.open_subjects():
            facts = reader.of_subject(subject)
            # Devices are open as long as they are paired, or in service: nothing is lost with them.
            if facts and facts[0].kind not in (Kind.DEVICE_PAIRED, Kind.DEVICE_ADOPTED):
                found.append(f"open: {subject}, since {facts[0].at}: {facts[-1].kind}")
        if count := reader.count_undelivered():
            found.append(f"undelivered: {count} facts that the shop has not got yet")
    return found


def give_up(places: Places, *, keep_identity: bool) -> list[str]:
    """Give settings and secrets up, and unless keep_identity says otherwise the kiosk's key and the
    desk that it knows. The journal stays. What is unfinished, and then nothing was given up.

    Settings go last: after a power cut the same call does the rest. Raises JournalTrouble
    (SECOND_INSTANCE while the counter runs), and OSError."""
    data = data_of(places)
    if not (data / JOURNAL).exists():
        _wipe(places, keep_identity=keep_identity)
        return []
    with lock_folder(data):
        if found := unfinished(data):
            return found
        _wipe(places, keep_identity=keep_identity)
        return []


def _wipe(places: Places, *, keep_identity: bool) -> None:
    etc = places.config.parent
    credentials = etc / "credentials"
    files = [*sorted(credentials.iterdir())] if credentials.is_dir() else []
    files += [places.state / ANSWER, places.state / PENDING, places.card]
    files.append(etc / "link-keys")  # where they were before they were a credential
    if not keep_identity:
        files += [places.state / KEY, places.desk, etc / "shop-ca.pem"]
    for file in (*files, places.config):
        try:
            file.unlink()
        except (FileNotFoundError, NotADirectoryError):
            continue
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
