"""Stands in for the counter that cannot start: says why on the screen, and ends the program when
that may be over. It opens no journal and no device.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from appliance.counter.clock import Clock
from appliance.counter.commands import Answer, Answered, Command
from appliance.counter.metrics import Metrics
from appliance.counter.release import VERSION
from appliance.counter.screen import OutOfOrder, Page, Screen
from appliance.domain.errors import Code, Trouble

if TYPE_CHECKING:
    from appliance.counter.counter import Followed
    from appliance.counter.links import Source
    from appliance.counter.state import Paired
    from appliance.protocols.links.messages import LinkError

LOOK_S: Final = 2.0
LINES_SHOWN: Final = 8


def stamp(file: Path) -> tuple[int, ...]:
    """Changes when the file does; empty where there is none."""
    try:
        status = os.stat(file)
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns


class StandIn:
    """A counter for the web layer that is out of order. lines: what is wrong, in detail. is_over:
    whether a new start is worth it, asked every two seconds on a thread of its own; then `over` is
    called, once."""

    def __init__(
        self,
        code: Code,
        lines: list[str],
        clock: Clock,
        is_over: Callable[[], bool],
        over: Callable[[], None],
    ) -> None:
        self.stopping = threading.Event()
        self._clock, self._is_over, self._over = clock, is_over, over
        self._code = code
        self._heard: tuple[float, str] | None = None
        more = len(lines) - LINES_SHOWN
        shown = lines[:LINES_SHOWN] + ([f"… and {more} more"] if more > 0 else [])
        self._screen = Screen(
            seq=1,
            page=Page.OUT_OF_ORDER,
            body=OutOfOrder(code, "\n".join(shown)),
            actions=frozenset(),
            at=clock.now().astimezone().isoformat(timespec="seconds"),
            counter="Kassa",
            place="",
            devices=(),
            seller=None,
            seller_required=False,
            notice=None,
            attention=0,
            handed_over_today=0,
            undelivered=0,
        )

    def start(self) -> None:
        threading.Thread(target=self._watch, name="stand-in", daemon=True).start()

    def stop(self, wait_s: float) -> bool:
        """There is nothing to wait for."""
        self.stopping.set()
        return True

    def _watch(self) -> None:
        while not self.stopping.wait(LOOK_S):
            if self._is_over():
                self._over()
                return

    def screen(self) -> Screen:
        return self._screen

    def wait(self, seq: int, timeout_s: float) -> int:
        if seq == self._screen.seq:
            self.stopping.wait(timeout_s)
        return self._screen.seq

    def command(self, command: Command) -> Answered:
        return Answered(Answer.NOT_HERE, self._screen)

    def link(self, text: str, source: Source) -> Followed:
        """Nobody can say what has become of it. Raises Trouble."""
        raise Trouble(self._code)

    def refusal(self, error: LinkError) -> str | None:
        return None

    def followed(self, request: str) -> Followed | None:
        """As `link`."""
        raise Trouble(self._code)

    def pair(self, code: str, name: str) -> str:
        """As `link`."""
        raise Trouble(self._code)

    def device(self, token: str) -> Paired | None:
        """As `link`."""
        raise Trouble(self._code)

    def devices(self) -> tuple[Paired, ...]:
        """As `link`."""
        raise Trouble(self._code)

    def remove_device(self, device: str) -> bool:
        """As `link`."""
        raise Trouble(self._code)

    def heartbeat(self, page: str) -> None:
        self._heard = (self._clock.monotonic(), page[:32])

    def health(self) -> Mapping[str, object]:
        age_s = round(self._clock.monotonic() - self._heard[0], 1) if self._heard else None
        return {
            "status": "failing",
            "version": VERSION,
            "busy": False,  # with no journal and no device there is nothing to be in the middle of
            "code": str(self._code),
            "page": str(self._screen.page),
            "devices": {},
            "browser_age_s": age_s,
            "browser_page": self._heard[1] if self._heard else None,
        }

    def metrics(self) -> bytes:
        return Metrics().text(self.health())
