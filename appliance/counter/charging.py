"""From the seller's "charge" to money that is certainly taken, certainly not, or in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from appliance.counter import adopt_rows
from appliance.counter.clock import local
from appliance.counter.ledger import REASON_MOST, Ledger, payment_of
from appliance.counter.opening import TOO_LARGE, Opening, is_too_large
from appliance.counter.state import Dialogue, replay_handover
from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.domain.errors import Bug, Code, ShopTrouble, TerminalTrouble, Trouble
from appliance.domain.facts import Draft, Json, Kind
from appliance.domain.order import Order
from appliance.ports import (
    Approved,
    Claimed,
    ClaimRefused,
    Declined,
    Outcome,
    Prompt,
    Slip,
    Unknown,
)
from appliance.protocols.links.messages import Outcome as Said
from appliance.protocols.links.messages import Result
from appliance.protocols.shopapi import Refusal, order_to_json

log = structlog.get_logger()

CLAIM_S: Final = 180.0  # longer than the shop's deadlines, and than asking a busy terminal
RENEWALS_A_LEASE: Final = 4


class Charging:
    """The claim at the shop, the dialogue with the terminal, and what becomes of it."""

    def __init__(self, ledger: Ledger, opening: Opening) -> None:
        self.ledger = ledger
        self._opening = opening
        self._prepared: tuple[str, pay.Baseline | TerminalTrouble | None] = ("", None)
        self._answer: tuple[str, Claimed | ClaimRefused | ShopTrouble] | None = None
        self._granted_s = ledger.settings.lease_s  # by the newest claim
        ledger.on_query = self._query

    def charge(self, handover: ho.Handover) -> None:
        if self.ledger.settings.require_seller and self.ledger.state.seller is None:
            self.ledger.notice(Code.SIGN_IN_FIRST)
        elif handover.open_checks:
            self.ledger.notice(Code.CHECKS_OPEN, handover.open_checks[0])
        elif handover.order.is_prepaid:
            self._opening.ask_claim(handover)
        elif self._is_terminal_changing():
            self.ledger.notice(Code.TERMINAL_CHANGES)
        elif handover.may_be_charged:
            self._prepared = ("", None)
            self._opening.ask_claim(handover)
            self.ledger.hands.prepare(handover.id)
        else:
            raise Bug("charging was offered for an order that must not be charged")

    def _is_terminal_changing(self) -> bool:
        ledger = self.ledger
        now_s = ledger.clock.monotonic()
        return adopt_rows.is_terminal_changing(ledger.state, ledger.settings.devices, now_s)

    def claimed(self, handover_id: str, result: Claimed | ClaimRefused | ShopTrouble) -> None:
        """The shop's answer to the claim: it decides. Kept until it could be written."""
        self._answer = (handover_id, result)
        self.ledger.catch_up()
        handover = self.ledger.state.handovers.get(handover_id)
        if handover is not None and handover.state is ho.State.CLAIMING:
            self._claimed(handover, handover_id, result)
        self._answer = None

    def _claimed(
        self,
        handover: ho.Handover,
        handover_id: str,
        result: Claimed | ClaimRefused | ShopTrouble,
    ) -> None:
        order = handover.order
        if isinstance(result, Claimed):
            fresh, code, detail = result.order, None, ""
            if fresh.id != order.id:
                code, detail, fresh = Code.SHOP_NONSENSE, "a claim of another order", order
            elif refused := self._opening.refusal(fresh):
                code, detail = refused
            elif fresh.due != order.due or fresh.version != order.version:
                code = Code.ORDER_CHANGED
            if code is None:
                self._granted_s = result.lease_s
                self.ledger.state.is_offline.discard(handover_id)
                draft = self.ledger.draft(handover, Kind.CLAIMED, claim=handover_id)
            else:
                draft = self._refusal_draft(handover, code, detail, fresh)
        elif isinstance(result, ClaimRefused):
            draft = self._refusal_draft(handover, result.code, result.detail, result.order)
        elif refused := self._opening.refusal(order):
            draft = self._refusal_draft(handover, *refused, None)
        elif self.ledger.settings.offline_limit is not None and _may_be_offline(result):
            if order.due.amount < self.ledger.settings.offline_limit:
                self.ledger.state.is_offline.add(handover_id)
                draft = self.ledger.draft(handover, Kind.CLAIMED, claim=handover_id, offline=True)
            else:
                draft = self._refusal_draft(handover, Code.OFFLINE_NO_CHARGE, result.detail, None)
        else:
            code = Code.OFFLINE_NO_CHARGE if _may_be_offline(result) else result.code
            draft = self._refusal_draft(handover, code, result.detail, None)
        follows = self._settle(handover) if draft.kind is Kind.CLAIMED else []
        handover = self.ledger.record(handover, draft, *follows)
        if handover.state is ho.State.OPEN:
            self._after_refusal(handover)

    def _refusal_draft(
        self, handover: ho.Handover, code: Code, detail: str, fresh: Order | None
    ) -> Draft:
        if fresh is not None and is_too_large(fresh):
            code, detail, fresh = Code.ORDER_MALFORMED, TOO_LARGE, None
        body: dict[str, Json] = {"code": str(code), "reason": detail[:REASON_MOST]}
        if fresh is not None and fresh != handover.order:
            body["snapshot"] = order_to_json(fresh)
        return self.ledger.draft(handover, Kind.CLAIM_REFUSED, **body)

    def _after_refusal(self, handover: ho.Handover) -> None:
        """An order that no counter may serve leaves the order screen for a refusal."""
        if refused := self._opening.refusal(handover.order):
            self.ledger.record(
                handover, self.ledger.draft(handover, Kind.PUT_BACK, why=str(refused[0]))
            )
            detail = _said_by_shop(handover, refused[0]) or refused[1]
            self._opening.refuse(refused[0], handover.order.number, detail, handover.order)

    def _settle(self, handover: ho.Handover) -> list[Draft]:
        """What follows from a claim in the same breath: the terminal's turn, or nobody's. Where
        the terminal has not been heard of yet, `prepared` goes on with it."""
        if handover.order.is_prepaid:
            return [self.ledger.draft(handover, Kind.NOTHING_DUE, claim=handover.id)]
        if not handover.may_be_charged:
            raise Bug("claimed an order that must not be charged")
        return self._start(handover)

    def prepared(self, handover_id: str, result: pay.Baseline | TerminalTrouble) -> None:
        """The terminal is there, or not; asked for at the same time as the claim."""
        self._prepared = (handover_id, result)
        self.ledger.catch_up()
        handover = self.ledger.state.handovers.get(handover_id)
        if handover is not None and handover.state is ho.State.CLAIMED:
            self.ledger.record(handover, *self._start(handover))

    def tick(self) -> None:
        """What the disk did not take is tried again, and nobody waits for ever for an answer."""
        if self._answer is not None:
            self.claimed(*self._answer)
        ledger, focus = self.ledger, self.ledger.state.focus
        if focus is None or focus.state not in (ho.State.CLAIMING, ho.State.CLAIMED):
            return
        if focus.state is ho.State.CLAIMED and (drafts := self._start(focus)):
            ledger.record(focus, *drafts)
        elif ledger.clock.monotonic() - ledger.state.asked_at >= CLAIM_S:
            is_shop = focus.state is ho.State.CLAIMING
            code = Code.SHOP_UNREACHABLE if is_shop else Code.TERMINAL_BUSY
            ledger.record(focus, self._refusal_draft(focus, code, "no answer in time", None))

    def renew_claim(self) -> None:
        """A dialogue has no end but the terminal's, and being in doubt has its own time: no other
        counter may get the order while the money may be on its way, however long that takes. The
        answer changes nothing any more; a shop that cannot be asked is asked again."""
        ledger, running = self.ledger, self.ledger.state.running()
        now, lease_s = ledger.clock.monotonic(), ledger.settings.lease_s
        # A shop may grant less than it was asked for.
        shortest_s = min(self._granted_s, lease_s)
        if running is None or ledger.is_claimed_by_caller(running):
            return
        if now - ledger.state.asked_at >= shortest_s / RENEWALS_A_LEASE:
            ledger.state.asked_at = now
            order = running.order
            ledger.hands.renew(running.id, order.id, order.version, lease_s)

    def _start(self, handover: ho.Handover) -> list[Draft]:
        """The intent to charge, if it is known by now whether the terminal can take part: it
        goes to disk, and only then the amount to the terminal."""
        prepared_for, result = self._prepared
        if prepared_for != handover.id or result is None:
            return []
        if (forbidden := self._forbidden(handover)) is not None:
            return [self._refusal_draft(handover, *forbidden, None)]
        if isinstance(result, TerminalTrouble):
            return [self._refusal_draft(handover, result.code, result.detail, None)]
        due = handover.order.due
        body: dict[str, Json] = {
            "claim": handover.id,
            "payment": self.ledger.next_payment(handover),
            "amount": due.amount,
            "currency": due.currency.code,
            "baseline": pay.to_json(result),
        }
        self.ledger.state.dialogue = Dialogue()
        self.ledger.log("sent", str(due))
        self.ledger.state.last_started = str(body["payment"])
        return [self.ledger.draft(handover, Kind.STARTED, **body)]

    def _forbidden(self, handover: ho.Handover) -> tuple[Code, str] | None:
        """The last gate before the terminal, on every path: the same order may have been charged,
        or may be in doubt, under another handover, and outcomes may still wait for the disk."""
        ledger, order = self.ledger, handover.order
        if ledger.is_behind:
            return Code.DISK_FULL, ""
        if self._is_terminal_changing():
            return Code.TERMINAL_CHANGES, ""
        for other in ledger.state.handovers.values():
            if other.id != handover.id and other.order.id == order.id and not other.may_be_put_back:
                return Code.ORDER_PAID_HERE, order.number
        return self._opening.refusal(order)

    def stop(self, handover: ho.Handover) -> None:
        self.ledger.record(
            handover, self.ledger.draft(handover, Kind.STOP_ASKED, payment_of(handover))
        )
        self.ledger.log("stop")

    def prompted(self, prompt: Prompt, words: str) -> None:
        """What the customer now sees on the terminal."""
        dialogue = self.ledger.state.dialogue
        if (dialogue.prompt, dialogue.words) != (prompt, words):
            dialogue.prompt, dialogue.words = prompt, words[:120]
            self.ledger.log("terminal", words[:120] or prompt)

    def asked(self, what: str, text: str) -> None:
        """A step of the recovery, for the log on the screen."""
        self.ledger.log(what, text[:120])

    def answered(self, handover_id: str, payment_id: str, outcome: Approved | Declined) -> None:
        """The terminal's result, on disk before it is acknowledged. Raises JournalTrouble when
        it cannot be written: then the terminal must not be told that it was heard."""
        handover, payment = self.ledger.of(handover_id, payment_id)
        self.ledger.record(
            handover, self.ledger.draft(handover, Kind.ANSWERED, payment, **_body(outcome))
        )

    def slip(self, handover_id: str, payment_id: str, kind: Slip, lines: Sequence[str]) -> None:
        """A slip of the terminal's, on disk before it is acknowledged. Raises JournalTrouble."""
        handover, payment = self.ledger.of(handover_id, payment_id)
        body: dict[str, Json] = {"slip": str(kind), "lines": list(lines[:200])}
        draft = self.ledger.draft(handover, Kind.SLIP, payment, **body)
        self.ledger.record(handover, draft)
        self.ledger.state.slips.setdefault(payment_id, {})[str(kind)] = list(lines[:200])

    def charged(self, handover_id: str, payment_id: str, outcome: Outcome) -> None:
        """The end of the terminal's dialogue, or of a recovery. Never lost: when the disk is
        full it is kept and written as soon as it can be."""
        handover, payment = self.ledger.of(handover_id, payment_id)
        # A dialogue that ends unknown is asked about; an asking that does, is a person's case.
        kind = Kind.DOUBTFUL
        if isinstance(outcome, Approved):
            kind = Kind.APPROVED
        elif isinstance(outcome, Declined):
            kind = Kind.DECLINED
        elif payment.state not in (pay.State.AUTHORISING, pay.State.STOPPING):
            kind = Kind.UNRESOLVED
        self.ledger.state.asking.discard(payment_id)
        self.ledger.keep(handover, self.ledger.draft(handover, kind, payment, **_body(outcome)))

    def _query(self, handover: ho.Handover, payment: pay.Payment) -> None:
        seconds = self.ledger.settings.unknown_ask_s
        until = self.ledger.clock.now() + timedelta(seconds=seconds)
        self.ledger.state.dialogue.ask_until = local(until)
        self.ledger.log("lost", payment.reason)
        self._ask(handover, payment, seconds)

    def _ask(self, handover: ho.Handover, payment: pay.Payment, seconds: float) -> None:
        self.ledger.state.asking.add(payment.id)
        charge = self.ledger.charge_of(handover, payment)
        self.ledger.hands.query(handover.id, charge, seconds)

    def terminal_is_back(self) -> None:
        """The terminal answers again: what it could not say before, it may say now. Only while
        no later charge has overwritten its memory."""
        state = self.ledger.state
        for handover in state.handovers.values():
            payment = handover.payment
            if (
                payment is not None
                and payment.id == state.last_started
                and payment.state is pay.State.ATTENTION
                and payment.code == Code.PAYMENT_UNKNOWN
            ):
                self._ask(handover, payment, 0)

    def heard(self, result: Result) -> None:
        """An application has said, beside any dialogue, what became of a payment. Of one that a
        person has before them, or that was told to be not paid, the terminal's thread makes what
        is to be made of it; for any other it waits already, or is asked later."""
        found = self._payment(result.payment)
        if found is None:
            log.warning("answer_of_no_payment", payment=result.payment)
            return
        handover, payment = found
        is_late_money = payment.state is pay.State.DECLINED and result.outcome is Said.PAID
        if payment.id not in self.ledger.state.asking and (
            payment.state is pay.State.ATTENTION or is_late_money
        ):
            self._ask(handover, payment, 0)

    def _payment(self, payment_id: str) -> tuple[ho.Handover, pay.Payment] | None:
        """The payment with this id, of an open handover or of one that is over. The payments of
        another cash desk are known as long as they are open: their ids are not ours."""
        handovers = list(self.ledger.state.handovers.values())
        if facts := self.ledger.journal.of_subject(payment_id.rpartition("-")[0]):
            handovers += [replay_handover(facts)] if facts[0].kind is Kind.OPENED else []
        for handover in handovers:
            for payment in handover.payments:
                if payment.id == payment_id:
                    return handover, payment
        return None

    def decide(self, handover: ho.Handover, *, is_paid: bool) -> None:
        if self.ledger.needs_seller():
            self.ledger.notice(Code.SIGN_IN_FIRST)
            return
        unsettled = [p for p in handover.payments if p.state is pay.State.ATTENTION]
        kind = Kind.DECIDED_PAID if is_paid else Kind.DECIDED_NOT_PAID
        handover = self.ledger.record(handover, self.ledger.draft(handover, kind, unsettled[-1]))
        self.ledger.follow(handover.id)


def _said_by_shop(handover: ho.Handover, code: Code) -> str:
    """Where the order waits, as the shop calls the place, if its refusal says so. Of a shop that
    says nothing the driver repeats the refusal's key, which is no name."""
    is_named = code is Code.ORDER_ELSEWHERE and handover.code == code
    return handover.reason if is_named and handover.reason not in tuple(Refusal) else ""


def _may_be_offline(trouble: Trouble) -> bool:
    """Whether this trouble is of the kind that a policy for the time without shop is about."""
    return trouble.code in (Code.SHOP_UNREACHABLE, Code.SHOP_BUSY)


def _body(outcome: Outcome) -> dict[str, Json]:
    match outcome:
        case Approved(card=card):
            return {"card": pay.to_json(card)}
        case Declined(code=code, text=text):
            return {"code": str(code), "reason": text[:REASON_MOST]}
        case Unknown(code=code, reason=reason):
            return {"code": str(code), "reason": reason[:REASON_MOST]}
