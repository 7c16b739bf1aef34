"""Driver for a payment application that is reached by links: pay-api://payNow.

What it promises:

1. One link for each charge, signed, that counts for two minutes. It is never made a second time;
   a page that opens the same link again asks for the same payment.
2. Only a signed answer about this very payment is an outcome: see pay_words.py. Silence is Unknown.
3. Asking what became of a payment starts nothing: pay-api://paymentStatus. That it was never asked
   for means "not charged" only once the link has expired by the application's own clock, as until
   then it may be on its way.
4. Until when the link counts stands in the baseline, which is on disk before the link leaves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from appliance.domain.errors import Bug, Code, TerminalTrouble
from appliance.domain.money import Money
from appliance.domain.payment import Baseline, Card
from appliance.drivers.link_hop import CALLBACK, LIFE_S, Door, Purpose, Signer, Word
from appliance.drivers.pay_words import judge
from appliance.ports import (
    WELL,
    Approved,
    Charge,
    Declined,
    Health,
    Outcome,
    Prompt,
    TerminalObserver,
    TerminalTraits,
    Unknown,
)
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import Act, Link

log = structlog.get_logger()

SHORTEST_S: Final = 20
"""A link with less left would expire under the hands of a slow browser."""
LOOK_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class PayLinkOptions:
    """currency: ISO 4217 code. knows_status: the application answers pay-api://paymentStatus.
    answer_s: how long one payment may take. ask_s: how long one question waits for its answer,
    which whoever asks does again and again."""

    signer: Signer
    currency: str = "EUR"
    knows_status: bool = False
    answer_s: float = 180.0
    ask_s: float = 10.0


class PayLink:
    """A Terminal (see ports). clock: monotonic seconds."""

    def __init__(
        self, options: PayLinkOptions, door: Door, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._options, self._door, self._clock = options, door, clock
        self._signer = options.signer
        self._is_connected = False
        self._is_stopped = False
        self._question: tuple[str, float] = ("", 0.0)  # about which payment, until when it counts
        self._waited_out: tuple[Word, ...] = ()  # said too early to count, and waited for since

    def traits(self) -> TerminalTraits:
        if self._options.knows_status:
            return TerminalTraits(True, "pay-api: asks what became of a payment (paymentStatus)")
        return TerminalTraits(
            False, "pay-api: the application is not asked what became of a payment"
        )

    # --- the way there

    def connect(self) -> None:
        self._is_connected = False
        self._require_page()
        self._is_connected = True

    def close(self) -> None:
        self._is_connected = False

    def check(self) -> Health:
        try:
            self.connect()
        except TerminalTrouble as trouble:
            return Health(trouble.code, trouble.detail)
        return WELL

    def _require_page(self) -> None:
        if not self._door.is_open():
            raise TerminalTrouble(Code.TERMINAL_GONE, "no page of the kiosk is open to open a link")

    def baseline(self) -> Baseline:
        if not self._is_connected:
            raise TerminalTrouble(Code.TERMINAL_GONE, "not connected")
        self._require_page()
        return Baseline(expires_at=self._signer.now() + LIFE_S)

    # --- money

    def authorise(self, charge: Charge, observer: TerminalObserver) -> Outcome:
        if charge.amount.amount <= 0 or not charge.order:
            raise Bug(f"a charge of {charge.amount} for order {charge.order!r}")
        if charge.amount.currency.code != self._options.currency:
            raise TerminalTrouble(Code.TERMINAL_CURRENCY, f"set to {self._options.currency}")
        if not self._is_connected:
            raise TerminalTrouble(Code.TERMINAL_GONE, "not connected")
        self._require_page()
        expires_at = self._fresh(charge)
        self._is_stopped = False
        is_settled = False
        try:
            self._door.show(self._signer.hop(Purpose.PAY, _payment(charge), expires_at))
            observer.prompt(Prompt.WAIT, "")
            outcome = self._await(charge, self._options.answer_s, expires_at=expires_at)
            if isinstance(outcome, Approved | Declined):
                observer.answered(outcome)
                is_settled = True
        finally:
            self._door.hide(Purpose.PAY)
            self._is_connected = is_settled
        return self._end(charge, outcome)

    def _fresh(self, charge: Charge) -> int:
        """Until when the link counts, as it is on disk. Raises TerminalTrouble when so little of
        that is left that it makes no sense to begin, or when the clock was set meanwhile."""
        expires_at = charge.baseline.expires_at
        if expires_at is None or not SHORTEST_S <= expires_at - self._signer.now() <= LIFE_S:
            raise TerminalTrouble(
                Code.TERMINAL_BUSY, "it took too long to begin, or the clock was set"
            )
        return expires_at

    def _await(
        self,
        charge: Charge,
        wait_s: float,
        *,
        expires_at: int | None = None,
        ends_with_any: bool = False,
    ) -> Outcome:
        """The application's answer, or Unknown after wait_s seconds. expires_at: until when at
        most there is something to wait for once the seller wants to stop. ends_with_any: any new
        word ends the waiting, one that settles nothing as well."""
        until = self._clock() + wait_s
        known = words = self._door.words(charge.payment_id)
        while True:
            outcome = judge(charge, words, self._signer)
            if outcome is not None:
                return outcome
            if self._door.is_closing():
                return Unknown(Code.PAYMENT_UNKNOWN, "the kiosk ends")
            left_s = until - self._clock()
            has_expired = expires_at is not None and self._signer.now() >= expires_at
            is_news = ends_with_any and words != known
            if left_s <= 0 or is_news or (self._is_stopped and has_expired):
                return Unknown(Code.PAYMENT_UNKNOWN, "no answer came back")
            words = self._door.wait(charge.payment_id, words, min(left_s, LOOK_S))

    def _end(self, charge: Charge, outcome: Outcome) -> Outcome:
        log.info("pay_link.outcome", payment=charge.payment_id, outcome=type(outcome).__name__)
        if not isinstance(outcome, Unknown):
            self._door.forget(charge.payment_id)
        return outcome

    def abort(self) -> None:
        """There is no link that stops a payment. A page that has not opened ours yet will not any
        more; where the customer stands already, the application's word is waited for."""
        self._is_stopped = True
        self._door.hide(Purpose.PAY)

    def last_transaction(self, charge: Charge, observer: TerminalObserver) -> Outcome:
        outcome = judge(charge, self._door.words(charge.payment_id), self._signer)
        if outcome is None:
            outcome = self._ask(charge)
        self._is_connected = self._door.is_open()
        return self._end(charge, outcome)

    def _ask(self, charge: Charge) -> Outcome:
        expires_at = charge.baseline.expires_at
        if not self._options.knows_status:
            # The answer to the link itself may still come, as long as that counts.
            if expires_at is not None and self._signer.now() < expires_at:
                return self._await(charge, self._options.ask_s)
            return Unknown(Code.PAYMENT_UNRESOLVED, "no answer came, and none can be asked for")
        if early_s := self._early_by(charge):
            outcome = self._await(charge, early_s)
            self._question = ("", 0.0)  # it is to be asked anew: now its answer counts
            return outcome
        about, until = self._question
        if about != charge.payment_id or self._clock() >= until:
            hop = self._signer.hop(Purpose.PAY, _status(charge), self._signer.now() + LIFE_S)
            until = self._clock() + LIFE_S
            self._question = (charge.payment_id, until)
            self._door.show(hop)
        wait_s = min(self._options.ask_s, until - self._clock())
        outcome = self._await(charge, wait_s, ends_with_any=True)
        if not isinstance(outcome, Unknown) or outcome.code != Code.PAYMENT_UNKNOWN:
            self._door.hide(Purpose.PAY)
            self._question = ("", 0.0)
        return outcome

    def _early_by(self, charge: Charge) -> float:
        """For how long, in seconds, what the application has said of the link does not count yet,
        by its own clock; 0 where it has said nothing that was not waited for before."""
        words = self._door.words(charge.payment_id)
        said = [w for w in words if self._signer.is_signed(w) and w not in self._waited_out]
        if not said:
            return 0.0
        self._waited_out = words
        left_s = (charge.baseline.expires_at or 0) - max(word.result.at for word in said)
        return min(max(left_s, 0) + LOOK_S, self._options.ask_s)

    def reverse(self, card: Card, observer: TerminalObserver) -> Outcome:
        return Declined(Code.PAYMENT_DECLINED, "no link takes a booking back")

    def refund(self, amount: Money, observer: TerminalObserver) -> Outcome:
        return Declined(Code.PAYMENT_DECLINED, "no link refunds")

    def end_of_day(self, observer: TerminalObserver) -> Outcome:
        return Declined(Code.PAYMENT_DECLINED, "no link ends the day")


def _payment(charge: Charge) -> Link:
    return Link(
        Name.KASSA,
        Act.PAY,
        charge.order,
        "",
        charge.amount,
        CALLBACK,
        claim=charge.claim,
        payment=charge.payment_id,
    )


def _status(charge: Charge) -> Link:
    return Link(
        Name.KASSA, Act.STATUS, charge.order, "", charge.amount, CALLBACK, payment=charge.payment_id
    )
