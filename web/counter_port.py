"""What the web layer needs from the counter: this, and nothing else of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from appliance.counter.commands import Answered, Command
from appliance.counter.screen import Screen

if TYPE_CHECKING:
    from appliance.counter.counter import Followed
    from appliance.counter.links import Source
    from appliance.counter.state import Paired
    from appliance.protocols.links.messages import LinkError


class Counter(Protocol):
    """Every call may come from any thread, from many at once.

    stopping: set when the process shuts down; streams end then.
    """

    stopping: threading.Event

    def screen(self) -> Screen:
        """What is on the screen now."""

    def wait(self, seq: int, timeout_s: float) -> int:
        """The current seq: as soon as it differs from `seq`, or after the timeout."""

    def command(self, command: Command) -> Answered:
        """Do what a person asks. A repeat of the same id gets the first answer."""

    def link(self, text: str, source: Source) -> Followed:
        """Take a link, or find the request that it repeats. Raises LinkError for one that is
        refused, Trouble or TimeoutError where nobody can say now whether it was taken."""

    def refusal(self, error: LinkError) -> str | None:
        """The address that tells the caller that its link is refused; None for nowhere."""

    def followed(self, request: str) -> Followed | None:
        """How the request with this id is; None for one that is not known. Raises as `link`."""

    def pair(self, code: str, name: str) -> str:
        """The token of a device that opened the address on the screen. Raises PairingRefused,
        JournalTrouble."""

    def device(self, token: str) -> Paired | None:
        """Whose token this is; None for nobody's."""

    def devices(self) -> tuple[Paired, ...]:
        """All that are paired."""

    def remove_device(self, device: str) -> bool:
        """Its token counts no longer; False where it is not known. Raises JournalTrouble."""

    def heartbeat(self, page: str) -> None:
        """A browser has really drawn this page. See the watchdog."""

    def health(self) -> Mapping[str, object]:
        """As JSON; "status" is "ok", "degraded" or "failing"."""

    def metrics(self) -> bytes:
        """In Prometheus's text format, version 0.0.4."""
