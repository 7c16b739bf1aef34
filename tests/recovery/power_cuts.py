"""Searches for a power cut that makes the journal forget what it has promised.

A writer's life (journal_writer.py) is taped by the disk below it (weak_disk.py). The tape is then
cut at many places, each as a disk may have been left there, and the journal is opened on what
would be found: the cheap way to cut a thousand times. How the life itself ends is one of the
cuts, and the next life begins on what it left, so that recovery is taped, and cut, as well.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.children import Child
from tests.recovery.journal_writer import NAME, OVER, Weakened
from tests.recovery.promises import Promises, PutAside
from tests.recovery.weak_disk import Disk, Image, Op
from tests.recovery.weak_mount import WeakMount

LIVES_OF_ONE: Final = 8
"""After so many a journal is begun anew: that is a moment to be cut as well."""
CUTS_OF_ONE: Final = 30
DAMAGED_EVERY: Final = 6
"""Of so many lives one begins with damage."""
LOG_LEAST: Final = 4096
"""A shorter log may hold no transaction yet."""
LONGEST: Final = 6_000
"""Changes of the disk in one life: enough for SQLite to move its log into the file."""
KEPT: Final = Path("build/power_cuts")
"""Takes what was found where a promise was broken."""
STORIES_MOST: Final = 20
FIGURES: Final = (
    "lives", "cuts", "cuts while opening", "commits acknowledged", "checkpoints", "put aside",
    "lost or damaged",
)  # fmt: skip


class Writer(Child):
    """The process of journal_writer.py."""

    def __init__(self, folder: Path) -> None:
        super().__init__("tests.recovery.journal_writer", str(folder))

    def live(self, seed: int, weakened: str) -> str:
        """One life, until the power goes; what went wrong beside that, or ""."""
        said = ""
        for line in self.tell(seed, weakened):
            if line.strip() == OVER:
                return said
            said += line
        raise AssertionError(f"the writer is gone: {said}")


@dataclass(slots=True)
class Found:
    """Counters of what was done, by name; of broken promises the stories."""

    figures: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(FIGURES, 0)))
    stories: list[str] = field(default_factory=list)

    def broken(self, story: str) -> None:
        self.figures["lost or damaged"] += 1
        if len(self.stories) < STORIES_MOST:
            self.stories.append(story)


def search(
    folder: Path, *, cuts: int, seed: int, is_strict: bool = False, weakened: str = Weakened.NOT,
    until_found: bool = False,
) -> Found:  # fmt: skip
    """Cut so often. folder: takes the mount. until_found: the first story is enough."""
    mount = folder / "disk"
    mount.mkdir()
    found = Found()
    image: Image = {}
    promises = Promises()
    with WeakMount(mount, is_strict=is_strict) as disk, Writer(mount) as writer:
        life = 0
        while found.figures["cuts"] < cuts and not (until_found and found.stories):
            dice = random.Random(f"{seed}/{life}")
            story = f"power cuts, seed {seed}, {'strict, ' if is_strict else ''}life {life}"
            if life % LIVES_OF_ONE == 0:
                image, promises = {}, Promises()
            is_damaged = life % DAMAGED_EVERY == DAMAGED_EVERY - 1 and NAME in image
            begun, kept = (damaged(image, dice) if is_damaged else image), promises
            share = dice.choice((dice.random(), 1 - dice.random() / 8))  # short lives, and long
            disk.restart(begun, freeze_after=int(LONGEST**share))
            if said := writer.live(dice.randrange(1 << 30), weakened):
                found.broken(f"{story}: {said}")
            disk.freeze()
            if is_damaged:
                parts = [begun[name] for name in (NAME, f"{NAME}-wal") if begun.get(name)]
                _cut(disk.tape(), begun, PutAside(parts), found, dice, story, is_strict)
            else:
                _cut(disk.tape(), begun, kept, found, dice, story, is_strict)
                image = disk.crash(dice)
            life += 1
    found.figures["lives"] = life
    return found


def damaged(image: Image, dice: random.Random) -> Image:
    """The files with a head that no power cut would have left so: the log's, if there is one."""
    log = f"{NAME}-wal"
    name = log if len(image.get(log, b"")) > LOG_LEAST else NAME
    return image | {name: dice.randbytes(16) + image[name][16:]}


def _cut(
    tape: list[Op], image: Image, promises: Promises | PutAside, found: Found,
    dice: random.Random, story: str, is_strict: bool,
) -> None:  # fmt: skip
    """Play the tape, cut it at some places, and leave the promises as of its end."""
    disk = Disk(image, is_strict=is_strict)
    promises.new_life()
    opened = next((at for at, op in enumerate(tape) if op[0] == "tell"), len(tape))
    places = Counter(_places(tape, opened, dice))
    for at in range(len(tape) + 1):
        for number in range(places[at]):
            promises.hear(disk.told)
            found.figures["cuts"] += 1
            found.figures["cuts while opening"] += at <= opened
            left = disk.crash(dice)
            if broken := _broken(left, promises):
                kept = KEPT / f"{story.replace(', ', ' ').replace(' ', '-')}-{at}-{number}"
                _write(kept, left)
                what = "; ".join(broken)
                found.broken(f"{story}, before change {at + 1} of {len(tape)}: {what} ({kept})")
        if at < len(tape):
            is_checkpoint = at > opened and tape[at] == ("sync", disk.names.get(NAME))
            found.figures["checkpoints"] += is_checkpoint
            disk.do(tape[at])
    promises.hear(disk.told)
    found.figures["put aside"] += isinstance(promises, PutAside)
    found.figures["commits acknowledged"] += sum('"facts"' in text for text in disk.told)


def _places(tape: list[Op], opened: int, dice: random.Random) -> list[int]:
    """Where to cut: anywhere, while it is being opened, when it was, around syncs and renames."""
    syncs = [at for at, op in enumerate(tape) if op[0].startswith("sync")] or [0]
    renames = [at for at, op in enumerate(tape) if op[0] == "rename"] or [0]
    return [
        dice.choice((
            dice.randrange(len(tape) + 1), dice.randrange(opened + 1),
            dice.choice(syncs), dice.choice(syncs) + 1, dice.choice(renames) + 1,
            min(opened + 1, len(tape)),
        ))
        for _ in range(CUTS_OF_ONE)
    ]  # fmt: skip


def _broken(image: Image, promises: Promises | PutAside) -> list[str]:
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.path.isdir(memory) else None) as name:
        folder = Path(name)
        _write(folder, image)
        try:
            return list(promises.broken(folder / NAME))
        except Exception as error:  # noqa: BLE001 - that it cannot be opened is a find too
            return [f"{type(error).__name__}: {error}"]


def _write(folder: Path, image: Image) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in image.items():
        (folder / name).write_bytes(content)
