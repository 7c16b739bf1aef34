"""What the driver makes of a terminal's words: its own code, asked for one word at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from appliance.drivers.zvt_payment import PaymentHandler
from appliance.drivers.zvt_session import Silence
from appliance.ports import Approved, Declined, Outcome, Prompt, Slip, Unknown
from appliance.protocols.zvt.answers import Completion, StatusInformation
from tests.domain.world import ASKED, TERMINAL_ID, Last

_STOPPED: Final = 0x6C


@cache
def status_of(last: Last) -> StatusInformation:
    return StatusInformation(
        result=0 if last.is_ok else _STOPPED,
        amount=ASKED.amount if last.is_ours else 1,
        currency=978,
        receipt_no=last.number,
        trace_no=last.number,
        original_trace_no=last.original,
        terminal_id=TERMINAL_ID,
    )


class _Noted:
    """What the driver says of a result before it acknowledges it."""

    def __init__(self) -> None:
        self.said: list[Approved | Declined] = []

    def prompt(self, prompt: Prompt, text: str) -> None:
        """Words."""

    def answered(self, outcome: Approved | Declined) -> None:
        self.said.append(outcome)

    def slip(self, kind: Slip, lines: Sequence[str]) -> None:
        """Paper."""


@cache
def said_of(last: Last) -> Approved | Declined:
    noted = _Noted()
    PaymentHandler(noted, ASKED, TERMINAL_ID).status(status_of(last))
    return noted.said[0]


@cache
def outcome_of(heard: tuple[Last, ...], end: Completion | None) -> Outcome:
    handler = PaymentHandler(_Noted(), ASKED, TERMINAL_ID)
    for last in heard:
        handler.status(status_of(last))
    return handler.outcome(end or Silence(was_accepted=True))


def word_of(outcome: Outcome) -> str:
    return {Approved: "paid", Declined: "not paid", Unknown: "nothing"}[type(outcome)]
