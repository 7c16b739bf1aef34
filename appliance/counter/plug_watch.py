"""Looks what is plugged in, again and again, and keeps the file of wishes for root's program.

On a thread of its own: files are read and written here, and the loop waits for neither. What is
written is always all that is wished, so that whatever came between is made good by the next turn.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from appliance.counter.clock import Clock
from appliance.counter.core import Core
from appliance.counter.whole_file import write_whole
from appliance.counter.workers import Loop
from appliance.ports import Plugged, Plugs
from appliance.protocols import role_lines

log = structlog.get_logger()

LOOK_EVERY_S: Final = 2.0
REMIND_AFTER_S, REMIND_MOST_S = 5.0, 300.0
"""When a wish that root has not fulfilled is told again; then ever more rarely, to the latter."""
WISHES: Final = "devices/wanted"
"""Below the data folder; kassa-adopt.path watches it there (image/package)."""
_LARGEST: Final = 4096


class PlugWatch:
    """plugs: who looks. data: the data folder."""

    def __init__(self, plugs: Plugs, loop: Loop, data: Path, clock: Clock) -> None:
        self._plugs, self._loop, self._file = plugs, loop, data / WISHES
        self._clock = clock
        self._remind_at, self._pause_s = float("inf"), REMIND_AFTER_S
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._wanted: tuple[str, ...] | None = None  # None until the journal was read
        self._is_new = False
        self._told: tuple[tuple[Plugged, ...], str] | None = None
        self._thread = threading.Thread(target=self._run, name="plugs", daemon=True)

    def join(self, core: Core) -> None:
        """The core is replayed: its wishes are ours from here on. The loop's thread, before
        `start`. Raises JournalTrouble."""
        core.adopting.wished = self._want
        core.adopting.keep(role_lines.wishes(self._written()))
        core.adopting.start()

    def start(self) -> None:
        self._thread.start()

    def stop(self, wait_s: float) -> bool:
        """False when it did not end within wait_s seconds."""
        self._stop.set()
        self._wake.set()
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def _want(self, lines: tuple[str, ...]) -> None:
        self._wanted = lines
        self._is_new = True
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                self._write()
                self._look()
                self._remind()
            except Exception:
                # Nothing depends on it but what may be confirmed: the next turn tries again.
                log.exception("plugs_failed")
            self._wake.wait(LOOK_EVERY_S)

    def _look(self) -> None:
        found = (self._plugs.look(), self._plugs.roles())
        if found != self._told:
            self._told = found
            self._loop.post(lambda core: core.adopting.seen(*found))

    def _write(self) -> None:
        """Only where it is not so already: root's program runs at each change."""
        if self._wanted is None:
            return
        text = "".join(f"{line}\n" for line in self._wanted)
        if self._written() == text:
            return
        try:
            self._file.parent.mkdir(mode=0o700, exist_ok=True)
            write_whole(self._file, text.encode("ascii"), 0o600)
        except OSError as error:
            log.warning("wishes_not_written", why=str(error))
        else:
            log.info("wishes_written", lines=len(self._wanted))

    def _remind(self) -> None:
        """A change that comes while root's program runs passes systemd unseen."""
        now_s = self._clock.monotonic()
        if self._is_new:
            self._is_new, self._pause_s = False, REMIND_AFTER_S
            self._remind_at = now_s + self._pause_s
        elif now_s >= self._remind_at and not self._is_fulfilled():
            with suppress(OSError):  # it is not there: the next turn writes it
                os.utime(self._file)
            self._pause_s = min(2 * self._pause_s, REMIND_MOST_S)
            self._remind_at = now_s + self._pause_s

    def _is_fulfilled(self) -> bool:
        """Whether the file of roles says what is wished, but for what its administrator says."""
        if self._wanted is None or self._told is None:
            return True
        given = role_lines.read(self._told[1])
        adopted = {line for role, line in given.adopted.items() if role not in given.named}
        wanted = {line for line in self._wanted if line.split(" ")[0] not in given.named}
        return adopted == wanted

    def _written(self) -> str:
        """What is there now; "" for nothing, which wishes nothing."""
        try:
            with self._file.open("rb") as stream:
                return stream.read(_LARGEST).decode("ascii", "replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            log.warning("wishes_not_read", why=str(error))
            return ""
