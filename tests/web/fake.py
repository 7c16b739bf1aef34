"""A counter that shows what it is told to, and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

from appliance.counter.commands import Answer, Answered, Command
from appliance.counter.counter import Followed
from appliance.counter.links import Source
from appliance.counter.pairing import PairingRefused
from appliance.counter.screen import Screen
from appliance.counter.state import Paired
from appliance.protocols.links.messages import LinkError
from tests.web.samples import SAMPLES

LINK = "L-" + "0" * 32


class FakeCounter:
    """answer: what the next commands get. Like the real one: a stale seq does nothing."""

    def __init__(self, first: Screen = SAMPLES["idle"]) -> None:
        self.stopping = threading.Event()
        self.answer = Answer.DONE
        self.commands: list[Command] = []
        self.beats: list[str] = []
        self.links: list[tuple[str, Source]] = []
        self.taken: Followed | Exception = Followed(LINK, "waiting", None, None)
        self.removed = False
        self.refusal_address: str | None = None
        self.status = "ok"
        self._screen = first
        self._changed = threading.Condition()

    def show(self, screen: Screen) -> int:
        """Put another screen up; its seq."""
        with self._changed:
            self._screen = replace(screen, seq=self._screen.seq + 1)
            self._changed.notify_all()
            return self._screen.seq

    def screen(self) -> Screen:
        return self._screen

    def wait(self, seq: int, timeout_s: float) -> int:
        with self._changed:
            self._changed.wait_for(
                lambda: self._screen.seq != seq or self.stopping.is_set(), timeout_s
            )
            return self._screen.seq

    def command(self, command: Command) -> Answered:
        if command.seq is not None and command.seq != self._screen.seq:
            return Answered(Answer.STALE, self._screen)
        self.commands.append(command)
        return Answered(self.answer, self._screen)

    def link(self, text: str, source: Source) -> Followed:
        self.links.append((text, source))
        if isinstance(self.taken, Exception):
            raise self.taken
        return self.taken

    def refusal(self, error: LinkError) -> str | None:
        return self.refusal_address

    def followed(self, request: str) -> Followed | None:
        if isinstance(self.taken, Exception):
            raise self.taken
        return self.taken if request == self.taken.id else None

    def pair(self, code: str, name: str) -> str:
        if code != "the-code":
            raise PairingRefused
        return "the-token"

    def device(self, token: str) -> Paired | None:
        return self.devices()[0] if token == "the-token" and self.devices() else None

    def devices(self) -> tuple[Paired, ...]:
        return () if self.removed else (Paired("D-1", "Phone", "00", "2025-10-07T12:00:00Z"),)

    def remove_device(self, device: str) -> bool:
        known = device in [each.id for each in self.devices()]
        self.removed |= known
        return known

    def heartbeat(self, page: str) -> None:
        self.beats.append(page)

    def health(self) -> Mapping[str, object]:
        return {"status": self.status, "page": str(self._screen.page)}

    def metrics(self) -> bytes:
        return b"kassa_up 1\n"

    def stop(self) -> None:
        self.stopping.set()
        with self._changed:
            self._changed.notify_all()
