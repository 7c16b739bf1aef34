"""A foreign application that is reached by links, played by the test: it sees what the kiosk's page
is to open, and answers with results of its own. Its clock can be set apart from the kiosk's."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, replace

from appliance.counter.link_out import LinkOut
from appliance.domain.money import Money
from appliance.drivers.link_hop import Signer
from appliance.protocols.links import kassa
from appliance.protocols.links.messages import Act, Link, Outcome, Reason, Result
from appliance.protocols.links.signing import Algorithm, Key, Stamp, verify
from tests.counter.harness import Clock

OURS = Key("counter", Algorithm.HMAC_SHA256, b"c" * 32, can_sign=True)
THEIRS = Key("app", Algorithm.HMAC_SHA256, b"a" * 32, can_sign=True)
WAIT_S = 20.0


@dataclass
class TickingClock(Clock):
    """Each look at it takes a second, so that no two moments are the same."""

    def now(self):
        self.pass_(1)
        return super().now()


class FarSide:
    """door: the kiosk's. The page is open, and opens each hop once, as soon as it is shown."""

    def __init__(self, clock: Clock, *, key: Key | None = THEIRS, **options: bool) -> None:
        self.clock, self.key = clock, key
        self.door = LinkOut(clock, {THEIRS.id: THEIRS})
        self.signer = Signer(OURS, THEIRS.id, options.get("accept_unsigned", False), self.now)
        self.links: list[Link] = []
        self.texts: list[str] = []
        self.paid: dict[str, Result] = {}
        self.ahead_s = 0
        self._opened: set[str] = set()
        self._came = threading.Condition()
        self._n = itertools.count(1)
        self.door.listen(self.look)
        self.door.drawn()

    def now(self) -> int:
        return int(self.clock.now().timestamp())

    def look(self) -> None:
        """What the page does with what is shown."""
        leave = self.door.to_open()
        if leave is None or not self.door.is_open() or leave.id in self._opened:
            return
        self._opened.add(leave.id)
        link = kassa.parse(leave.address)
        assert link.seal is not None
        assert verify(OURS, link.seal.text, link.seal.signature)
        with self._came:
            self.texts.append(leave.address)
            self.links.append(link)
            self._came.notify_all()

    def link(self, act: Act, count: int = 1) -> Link:
        """The newest of this act, as soon as so many have come."""
        with self._came:
            came = lambda: [link for link in self.links if link.act is act]  # noqa: E731
            assert self._came.wait_for(lambda: len(came()) >= count, WAIT_S), "no link came"
            return came()[-1]

    def answer(
        self, link: Link, outcome: Outcome, reason: Reason = Reason.NONE, **changes
    ) -> Result:
        """Say so, as a far side does that knows the whole format."""
        result = Result(
            outcome, reason, link.order, self.now() + self.ahead_s, link.amount,
            payment=link.payment,
        )  # fmt: skip
        result = replace(result, **changes)
        self.door.hear(self.text(link, result))
        return result

    def text(self, link: Link, result: Result) -> str:
        stamp = None
        if self.key is not None:
            stamp = Stamp(self.key, f"nonce-{next(self._n):017d}", self.now() + 3600)
        text = kassa.respond(link, result, stamp)
        assert text is not None
        return text

    def take(self, link: Link, amount: Money | None = None) -> Result:
        """The customer pays."""
        return self.answer(
            link, Outcome.PAID, amount=amount or link.amount, scheme="VISA",
            pan="************4711", terminal="52500041", receipt_no="17", trace_no="000042",
        )  # fmt: skip

    def close_page(self) -> None:
        self.clock.pass_(3600)

    def open_page(self) -> None:
        self.door.drawn()
        self.look()
