"""Links at the counter: a request becomes an order on the screen, what comes of that its result.

A request is a fact before anything is done about it, and so is its result; between the two it is
followed, not driven: what it came to is read from the handover, which people and the terminal move.
So a restart, a late word or a person's decision needs no rule of its own here.

Whom to believe was decided before (link_gate.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from appliance.counter import compose, printing
from appliance.counter.charging import Charging
from appliance.counter.ledger import Ledger
from appliance.counter.link_facts import (
    Asked,
    link_to,
    replay_link,
    result_to,
    with_opened,
    with_result,
)
from appliance.counter.link_gate import LONGEST_LIFE_S, Gate
from appliance.counter.opening import Opening
from appliance.counter.papers import Papers
from appliance.counter.screen import Leave, Page
from appliance.counter.state import Place, replay_handover, slips_in
from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.domain.errors import Code
from appliance.domain.facts import Draft, Json, Kind
from appliance.domain.money import Money
from appliance.domain.order import Order
from appliance.ports import OrderRequest
from appliance.protocols.links.messages import Act, Link, LinkError, Outcome, Reason, Result

OPEN_MOST: Final = 8
ATTEMPTS_MOST: Final = 50
"""How often one unsigned link may be tried again after it came to nothing."""
WAIT_S: Final = 300
"""How long a request waits for its turn."""
LEAVE_S: Final = 20.0
"""How long the kiosk's page may take to go where the result is wanted, from the first moment that
nobody is served any more."""


class Source(StrEnum):
    """Where a request came from."""

    KIOSK = "kiosk"  # a page in the kiosk's own browser
    SCAN = "scan"  # the scanner
    DEVICE = "device"  # a paired device in the shop's network
    SHOP = "shop"  # the shop, with the orders


FREE: Final = frozenset({Page.IDLE, Page.REFUSED, Page.ATTENTION, Page.DAY})
"""Pages on which nobody is in the middle of something: a request may open its order there."""

REASONS: Final[dict[Code, Reason]] = {
    Code.ORDER_UNKNOWN: Reason.ORDER_UNKNOWN,
    Code.ORDER_ELSEWHERE: Reason.ORDER_NOT_HERE,
    Code.ORDER_CANCELLED: Reason.ORDER_NOT_HERE,
    Code.ORDER_EXPIRED: Reason.ORDER_NOT_HERE,
    Code.ORDER_HANDED_OVER: Reason.ORDER_NOT_HERE,
    Code.ORDER_SUMS: Reason.ORDER_NOT_HERE,
    Code.ORDER_CURRENCY: Reason.CURRENCY_DIFFERS,
    Code.ORDER_CHANGED: Reason.ORDER_NOT_HERE,
    Code.ORDER_CLAIMED: Reason.ORDER_NOT_HERE,
    Code.ORDER_NOT_READY: Reason.ORDER_NOT_HERE,
    Code.ORDER_MALFORMED: Reason.ORDER_NOT_HERE,
    Code.ORDER_PAID_HERE: Reason.ORDER_NOT_HERE,
    Code.SHOP_UNREACHABLE: Reason.SHOP,
    Code.SHOP_NONSENSE: Reason.SHOP,
    Code.SHOP_TOKEN: Reason.SHOP,
    Code.SHOP_MOVED: Reason.SHOP,
    Code.SHOP_BUSY: Reason.SHOP,
    Code.OFFLINE_NO_CHARGE: Reason.SHOP,
    Code.PAYMENT_DECLINED: Reason.CARD_DECLINED,
    Code.PAYMENT_REVERSED: Reason.CARD_DECLINED,
    Code.PAYMENT_STOPPED: Reason.BY_SELLER,
    Code.PAYMENT_UNRESOLVED: Reason.BY_SELLER,  # a person has decided that it was not taken
    Code.PAYMENT_UNKNOWN: Reason.BY_SELLER,
    Code.TERMINAL_GONE: Reason.TERMINAL,
    Code.TERMINAL_BUSY: Reason.TERMINAL,
    Code.TERMINAL_CURRENCY: Reason.TERMINAL,
    Code.TERMINAL_OTHER_AMOUNT: Reason.TERMINAL,
    Code.TERMINAL_SETUP: Reason.TERMINAL,
    Code.TERMINAL_NONSENSE: Reason.TERMINAL,
    Code.LINK_AMOUNT: Reason.AMOUNT_DIFFERS,
}


def reason_of(code: str) -> Reason:
    """The reason that a link's caller is given for one of our codes."""
    try:
        return REASONS.get(Code(code), Reason.INTERNAL)
    except ValueError:
        return Reason.BY_SELLER


class LinkDesk:
    """All requests of this counter."""

    def __init__(
        self,
        ledger: Ledger,
        opening: Opening,
        charging: Charging,
        papers: Papers,
    ) -> None:
        self.ledger = ledger
        self._opening, self._charging, self._papers = opening, charging, papers
        self._gate = Gate(ledger.settings.links, self._now)
        self._asking = ""  # the request whose order the shop is being asked for
        self._wanted: tuple[OrderRequest, ...] = ()  # the shop's, of its newest snapshot

    # --- what is asked ----------------------------------------------------------------------------

    def take(self, text: str, source: Source) -> Asked:
        """Take a link, or find the request that it repeats, with its result if there is one.
        Raises LinkError for one that is not believed or understood, that was used before for
        something else, or when too many wait; JournalTrouble."""
        admitted = self._gate.admit(text)
        link, signed_by = admitted.link, admitted.signed_by
        subject, known = self._known(link, signed_by)
        if known is not None:
            return known
        if admitted.is_late:
            raise LinkError(Reason.SEAL, "the link has expired", link)
        if link.payment.startswith(f"H-{self.ledger.journal.name}-"):
            raise LinkError(Reason.SEAL, "that payment is our own", link)
        if link.act is Act.STATUS:
            self._refuse_another_keys(link, signed_by)
            if waiting := self._asked_about(link, signed_by):
                return waiting
        return self._ask(subject, link, signed_by, source)

    def wanted(self, requests: Sequence[OrderRequest]) -> None:
        """All orders that the shop wants to be opened now. It opens them and charges nothing; each
        request once and for good, however often the shop repeats it."""
        us = ("", self.ledger.settings.counter)
        self._wanted = tuple(each for each in requests if each.counter in us)
        self._take_wanted()

    def _take_wanted(self) -> None:
        """Take those for which there is room. The others are kept: the shop does not send again
        what has not changed. Raises JournalTrouble."""
        left = []
        for request in self._wanted:
            if not 0 < request.expires_at - self._now() <= LONGEST_LIFE_S:
                continue
            link = Link("shop", Act.SELL, request.order, request.id)
            subject = f"L-{_identity(link, Source.SHOP)}"
            if self.find(subject):
                continue
            if len(self.ledger.state.links) < OPEN_MOST and not self.ledger.is_behind:
                self._ask(subject, link, Source.SHOP, Source.SHOP, request.expires_at)
            else:
                left.append(request)
        self._wanted = tuple(left)

    def address(self, asked: Asked) -> str | None:
        """Where the caller hears of the result; None before there is one, or for nowhere."""
        return self._gate.address(asked)

    def refusal(self, error: LinkError) -> str | None:
        """Where the caller hears that its link is refused; None for nowhere."""
        return self._gate.refusal(error)

    def _ask(
        self,
        subject: str,
        link: Link,
        signed_by: str,
        source: Source,
        expires_at: int | None = None,
    ) -> Asked:
        # Of those who ask about a payment there is one for each that is open: see _asked_about.
        waiting = sum(
            asked.link.act is not Act.STATUS for asked in self.ledger.state.links.values()
        )
        if link.act is not Act.STATUS and waiting >= OPEN_MOST:
            raise LinkError(Reason.BUSY, "too many requests wait", link)
        expires_at = link.seal.expires_at if link.seal else expires_at
        until = self._now() + WAIT_S
        until = until if expires_at is None else min(until, expires_at)
        body: dict[str, Json] = {
            "link": link_to(link), "signed_by": signed_by, "source": str(source), "until": until,
        }  # fmt: skip
        self.ledger.write([Draft(Kind.LINK_ASKED, subject, body)])
        asked = Asked(subject, replace(link, seal=None), signed_by, str(source), until)
        self.ledger.state.links[subject] = asked
        self.follow()
        return self.find(subject) or asked

    def find(self, subject: str) -> Asked | None:
        """The request with this id; None for one that is not known, or not any more."""
        if asked := self.ledger.state.links.get(subject):
            return asked
        facts = self.ledger.journal.of_subject(subject)
        return replay_link(facts) if facts and facts[0].kind is Kind.LINK_ASKED else None

    def _known(self, link: Link, signed_by: str) -> tuple[str, Asked | None]:
        """The id of a request, and the one that has it already. What is signed is asked once for
        good. What is not may be asked again when it came to nothing: the next click is a new try,
        which the order itself keeps from charging twice."""
        base = f"L-{_identity(link, signed_by)}"
        for attempt in range(1, ATTEMPTS_MOST + 1):
            subject = base if attempt == 1 else f"{base}-{attempt}"
            known = self.find(subject)
            if known is None:
                return subject, None
            if known.result is not None and known.result.reason is Reason.NEVER_ASKED:
                return subject, known  # its caller was told so, and counts on it
            if signed_by and replace(link, seal=None, reference=known.link.reference) != known.link:
                raise LinkError(Reason.SEAL, "it was used for something else before", link)
            is_final = known.result is not None and known.result.outcome not in (
                Outcome.PAID,
                Outcome.PRINTED,
            )
            if signed_by or not is_final:
                return subject, known
        raise LinkError(Reason.BUSY, "the same link was tried too often", link)

    # --- what comes of it ---------------------------------------------------------------------

    def follow(self) -> None:
        """After each event: what has become of the requests, and whose turn it is."""
        state = self.ledger.state
        if not state.links or self.ledger.is_behind:
            return
        for asked in list(state.links.values()):
            if asked.handover:
                self._follow_handover(asked)
            elif asked.job:
                self._follow_job(asked)
            elif asked.link.act is Act.STATUS:
                self._follow_payment(asked)
            elif asked.id == self._asking:
                self._follow_asking(asked)
            elif self._now() >= asked.until:
                self._end(asked, Outcome.CANCELLED, Reason.TIMED_OUT)
        for asked in list(state.links.values()):
            if not asked.handover and not asked.job and self._is_its_turn(asked):
                self._begin(asked)

    def _is_its_turn(self, asked: Asked) -> bool:
        ledger = self.ledger
        if asked.link.act is Act.STATUS:
            return False  # it starts nothing
        if asked.link.act is Act.PRINT:
            return True
        if self._asking or (ledger.settings.require_seller and ledger.state.seller is None):
            return False
        focus, page = ledger.state.focus, compose.page(ledger.state)
        if asked.source == Source.SCAN and page is Page.ORDER:
            return True  # as any other scan, which the seller has in the hand
        return page in FREE and (focus is None or focus.state is not ho.State.OPEN)

    def _begin(self, asked: Asked) -> None:
        if asked.link.act is Act.PRINT:
            self._print(asked)
            return
        self._asking = asked.id
        self._opening.open_code(asked.link.order)
        self._follow_asking(asked)

    def _follow_asking(self, asked: Asked) -> None:
        """Whether the order is on the screen by now, or why not."""
        place, focus, code = self.ledger.state.place, self.ledger.state.focus, asked.link.order
        if focus is not None and _is(focus.order, code):
            self._asking = ""
            self._tie(asked, focus)
        elif place.page is Page.ASKING and place.about == code:
            pass
        elif place.page is Page.REFUSED and place.code is not None and _is_about(place, code):
            self._asking = ""
            self._end(asked, Outcome.REFUSED, reason_of(place.code), place.code, order=place.order)
        else:
            self._asking = ""
            self._end(asked, Outcome.CANCELLED, Reason.BY_SELLER)

    def _tie(self, asked: Asked, handover: ho.Handover) -> None:
        """From here on the handover tells what becomes of the request."""
        due, stated = handover.order.due, asked.link.amount
        is_untouched = handover.state is ho.State.OPEN and not handover.payments
        if asked.link.act is Act.PAY and not is_untouched:
            # Somebody serves it here, or it is paid: another cash desk must not count on it.
            code = Code.ORDER_PAID_HERE
            self._end(asked, Outcome.REFUSED, reason_of(code), code, order=handover.order)
            return
        if stated is not None and stated != due and not handover.is_charged_here:
            if is_untouched:
                draft = self.ledger.draft(handover, Kind.PUT_BACK, why=str(Code.LINK_AMOUNT))
                self.ledger.record(handover, draft)
                detail = f"{stated} / {due}"
                self._opening.refuse(
                    Code.LINK_AMOUNT, handover.order.number, detail, handover.order
                )
            is_same = stated.currency == due.currency
            reason = Reason.AMOUNT_DIFFERS if is_same else Reason.CURRENCY_DIFFERS
            self._end(asked, Outcome.REFUSED, reason, Code.LINK_AMOUNT, order=handover.order)
            return
        self.ledger.write([Draft(Kind.LINK_OPENED, asked.id, {"handover": handover.id})])
        asked = with_opened(asked, handover.id, "")
        self.ledger.state.links[asked.id] = asked
        is_callers = asked.signed_by and asked.source != Source.SHOP
        starts = is_callers and self.ledger.settings.links.start_by_themselves
        if starts and is_untouched and handover.may_be_charged and not handover.open_checks:
            self._charging.charge(handover)
        self._follow_handover(asked)

    def _follow_handover(self, asked: Asked) -> None:
        state = self.ledger.state
        handover = state.handovers.get(asked.handover) or replay_handover(
            self.ledger.journal.of_subject(asked.handover)
        )
        if asked.link.act is Act.PAY:
            handover = self._give_back(asked, handover)
        is_settled = handover.state in ho.HANDING_OVER and not handover.order.due
        if handover.is_charged_here or is_settled:
            self._end(asked, Outcome.PAID, Reason.NONE, handover=handover)
        elif handover.is_over:
            self._end_unpaid(asked, handover)

    def _give_back(self, asked: Asked, handover: ho.Handover) -> ho.Handover:
        """A payment that was all that was asked for ends with its outcome: the goods and the
        receipt are the caller's. One attempt: the next one is the caller's to ask for."""
        is_paid = handover.state is ho.State.TO_HAND_OVER
        is_declined = handover.state is ho.State.OPEN and handover.payment is not None
        if not (is_paid or is_declined):
            return handover
        is_here = self.ledger.state.place.handover == handover.id
        number = handover.order.number
        handover = self.ledger.record(
            handover, self.ledger.draft(handover, Kind.GIVEN_BACK, number=number)
        )
        if is_here:
            self.ledger.go(Place())
        return handover

    def _end_unpaid(self, asked: Asked, handover: ho.Handover) -> None:
        """Put back: the last attempt's own word where there was one, else why it was put back."""
        if payment := handover.payment:
            reason = reason_of(payment.code)
            is_stopped = reason is Reason.BY_SELLER
            outcome = Outcome.CANCELLED if is_stopped else Outcome.DECLINED
            self._end(asked, outcome, reason, payment.code, payment.reason, handover=handover)
            return
        why = next(
            (
                str(fact.body.get("why", ""))
                for fact in reversed(self.ledger.journal.of_subject(handover.id))
                if fact.kind is Kind.PUT_BACK
            ),
            "",
        )
        if why == "left alone":
            self._end(asked, Outcome.CANCELLED, Reason.TIMED_OUT, handover=handover)
        elif why in tuple(Code):
            self._end(asked, Outcome.REFUSED, reason_of(why), why, handover=handover)
        else:
            self._end(asked, Outcome.CANCELLED, Reason.BY_SELLER, handover=handover)

    # --- what became of a payment -----------------------------------------------------------------

    def _asked_about(self, link: Link, signed_by: str) -> Asked | None:
        """Who waits already to hear of this payment: a second question changes nothing."""
        for asked in self.ledger.state.links.values():
            same = (asked.link.act, asked.link.payment, asked.signed_by)
            if same == (Act.STATUS, link.payment, signed_by):
                return asked
        return None

    def _refuse_another_keys(self, link: Link, signed_by: str) -> None:
        """A cash desk with a new key must not hear "never asked" of what it asked for with the old
        one. Raises LinkError."""
        for key_id in self.ledger.settings.links.keys:
            if key_id != signed_by and self.find(_payment_of(link, key_id)):
                raise LinkError(Reason.SEAL, "that payment was asked for with another key", link)

    def _follow_payment(self, asked: Asked) -> None:
        """The first result of the payment, once there is one. Of a payment that was never asked
        for that is a fact as well: its link may still be on its way through a slow browser, and
        must come to nothing when it is here, as its caller counts on what we say now."""
        subject = _payment_of(asked.link, asked.signed_by)
        found = self.find(subject)
        if found is None:
            payment = replace(asked.link, act=Act.PAY, reference=asked.link.payment)
            body: dict[str, Json] = {
                "link": link_to(payment), "signed_by": asked.signed_by, "source": asked.source,
                "until": self._now(),
            }  # fmt: skip
            result = self._result(payment, Outcome.REFUSED, Reason.NEVER_ASKED)
            self.ledger.write(
                [
                    Draft(Kind.LINK_ASKED, subject, body),
                    Draft(Kind.LINK_ANSWERED, subject, {"result": result_to(result)}),
                ]
            )
            self._answer(asked, result)
        elif found.result is not None:
            self._answer(asked, replace(found.result, at=self._now()))

    # --- paper ------------------------------------------------------------------------------------

    def _print(self, asked: Asked) -> None:
        """The receipt of what was paid here for this order, or its copy."""
        handover = self._paid(asked.link.order)
        if handover is None:
            self._end(asked, Outcome.REFUSED, Reason.NOT_PAID, Code.NO_RECEIPT)
            return
        job = printing.receipt_job(handover.id)
        if job not in self.ledger.state.jobs:
            if printing.receipt_facts(self.ledger.journal, handover.id):
                self._papers.reprint(handover.id)
            else:
                slips = slips_in(self.ledger.journal.of_subject(handover.id))
                document = printing.receipt_of(
                    handover,
                    slips,
                    self.ledger.state,
                    self.ledger.settings,
                    self.ledger.clock.now(),
                )
                self.ledger.write([printing.queued(document)])
                self.ledger.enqueue(document)
        self.ledger.write([Draft(Kind.LINK_OPENED, asked.id, {"job": job})])
        self.ledger.state.links[asked.id] = with_opened(asked, "", job)

    def _paid(self, code: str) -> ho.Handover | None:
        """The newest handover of this order that was paid here."""
        for handover in reversed(self.ledger.state.handovers.values()):
            if _is(handover.order, code) and handover.is_charged_here:
                return handover
        if subject := self.ledger.journal.ended(code):
            handover = replay_handover(self.ledger.journal.of_subject(subject))
            return handover if handover.is_charged_here else None
        return None

    def _follow_job(self, asked: Asked) -> None:
        job = self.ledger.state.jobs.get(asked.job)
        if job is None:
            kinds = [fact.kind for fact in self.ledger.journal.of_subject(asked.job)]
            is_printed = bool(kinds) and kinds[-1] is Kind.PRINTED
            if is_printed:
                self._end(asked, Outcome.PRINTED, Reason.NONE)
            else:
                self._end(asked, Outcome.CANCELLED, Reason.BY_SELLER)
        elif self._now() >= asked.until:
            # It prints when the printer can again; the caller need not wait for that.
            self._end(asked, Outcome.REFUSED, Reason.PRINTER, job.code)

    # --- the result -------------------------------------------------------------------------------

    def _end(
        self,
        asked: Asked,
        outcome: Outcome,
        reason: Reason,
        code: str = "",
        text: str = "",
        *,
        order: Order | None = None,
        handover: ho.Handover | None = None,
    ) -> None:
        """How it ended, in our words."""
        result = replace(self._result(asked.link, outcome, reason), code=code, text=text)
        order = handover.order if handover else order
        if order is not None:
            result = replace(result, order=order.number, amount=order.due)
        if handover is not None and outcome is Outcome.PAID:
            result = _with_payment(result, handover)
        self._answer(asked, result)

    def _result(self, link: Link, outcome: Outcome, reason: Reason) -> Result:
        """A result that says which payment it is about, whatever became of it: who asked for it by
        its id can count on nothing less."""
        return Result(
            outcome, reason, link.order, self._now(), amount=link.amount, payment=link.payment
        )

    def _answer(self, asked: Asked, result: Result) -> None:
        """The result, on disk before anybody hears of it."""
        self.ledger.write([Draft(Kind.LINK_ANSWERED, asked.id, {"result": result_to(result)})])
        del self.ledger.state.links[asked.id]
        asked = with_result(asked, result)
        if asked.source == Source.KIOSK and (address := self.address(asked)):
            leave = Leave(asked.id, address)
            self.ledger.state.leave = (leave, None)

    def tick(self) -> None:
        """Once a second: what time alone brings about."""
        state = self.ledger.state
        if state.leave is not None and compose.page(state) is Page.IDLE:
            now, (leave, until) = self.ledger.clock.monotonic(), state.leave
            if until is None:
                state.leave = (leave, now + LEAVE_S)
            elif now >= until:
                state.leave = None
        self._take_wanted()
        self.follow()

    def _now(self) -> int:
        return int(self.ledger.clock.now().timestamp())


def _identity(link: Link, signed_by: str) -> str:
    """What is the same in a repeat of a request. A cash desk's payment is asked for once whatever
    the nonce: its id is what the shop books by."""
    parts: tuple[str, ...]
    if signed_by and link.act is Act.PAY and link.payment:
        parts = ("payment", signed_by, link.payment)
    elif signed_by:
        parts = ("signed", signed_by, link.seal.nonce if link.seal else link.reference)
    else:
        parts = ("unsigned", link.dialect, str(link.act), link.reference, link.order)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _payment_of(link: Link, signed_by: str) -> str:
    """The id of the request for the payment that a status asks about."""
    return f"L-{_identity(replace(link, act=Act.PAY), signed_by)}"


def _is(order: Order, code: str) -> bool:
    return code in (*order.codes, order.number)


def _is_about(place: Place, code: str) -> bool:
    return place.about == code or (place.order is not None and _is(place.order, code))


def _with_payment(result: Result, handover: ho.Handover) -> Result:
    """With what the terminal said of the payment that took the money; nothing was taken here
    where the shop had it all before."""
    paid = [p for p in handover.payments if p.state is pay.State.APPROVED]
    if not paid:
        return replace(result, amount=Money(0, handover.order.due.currency))
    payment = paid[-1]
    result = replace(result, amount=payment.amount, payment=payment.id)
    card = payment.card
    if card is None:
        return result  # a person has read the terminal's slip
    return replace(
        result,
        scheme=card.scheme,
        pan=card.pan,
        terminal=card.terminal_id,
        receipt_no="" if card.receipt_no is None else str(card.receipt_no),
        trace_no="" if card.trace_no is None else str(card.trace_no),
    )
