"""The payment machine: one attempt to charge. Every state, event, transition and effect is here.

Rule 1  Nothing outside this file changes a payment's state.
Rule 2  This file knows no device, clock, disk or network; `step` is pure.
Rule 3  `None` in TRANSITIONS means "seen too late, ignore"; a missing pair is a bug.
Rule 4  AUTHORISE stands in one row, and never in RECOVERY: no restart and no retry charges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum, auto
from typing import Any, Final

from appliance.domain.errors import Bug, Code
from appliance.domain.facts import Fact, Json, Kind
from appliance.domain.money import Money


class State(StrEnum):
    CREATED = auto()
    AUTHORISING = auto()  # the intent is on disk, its outcome is not
    STOPPING = auto()  # the seller asked to stop; the customer may have tapped already
    DOUBTFUL = auto()  # the terminal fell silent: ask for its last transaction, never charge
    APPROVED = auto()  # money taken
    DECLINED = auto()  # certainly no money moved
    ATTENTION = auto()  # the terminal cannot tell; a person must look


class Effect(StrEnum):
    AUTHORISE = auto()
    ABORT = auto()
    QUERY = auto()


S, F, K = State, Effect, Kind
TRANSITIONS: Final[dict[tuple[State, Kind], tuple[State, tuple[Effect, ...]] | None]] = {
    (S.CREATED, K.STARTED): (S.AUTHORISING, (F.AUTHORISE,)),
    #
    (S.AUTHORISING, K.STOP_ASKED): (S.STOPPING, (F.ABORT,)),
    (S.AUTHORISING, K.ANSWERED): (S.AUTHORISING, ()),
    (S.AUTHORISING, K.APPROVED): (S.APPROVED, ()),
    (S.AUTHORISING, K.DECLINED): (S.DECLINED, ()),
    (S.AUTHORISING, K.DOUBTFUL): (S.DOUBTFUL, (F.QUERY,)),
    #
    (S.STOPPING, K.STOP_ASKED): None,
    (S.STOPPING, K.ANSWERED): (S.STOPPING, ()),
    (S.STOPPING, K.APPROVED): (S.APPROVED, ()),
    (S.STOPPING, K.DECLINED): (S.DECLINED, ()),
    (S.STOPPING, K.DOUBTFUL): (S.DOUBTFUL, (F.QUERY,)),
    #
    (S.DOUBTFUL, K.STOP_ASKED): None,
    (S.DOUBTFUL, K.ANSWERED): (S.DOUBTFUL, ()),
    (S.DOUBTFUL, K.APPROVED): (S.APPROVED, ()),
    (S.DOUBTFUL, K.DECLINED): (S.DECLINED, ()),
    (S.DOUBTFUL, K.DOUBTFUL): (S.DOUBTFUL, (F.QUERY,)),
    (S.DOUBTFUL, K.UNRESOLVED): (S.ATTENTION, ()),
    #
    (S.ATTENTION, K.STOP_ASKED): None,
    (S.ATTENTION, K.ANSWERED): (S.ATTENTION, ()),
    (S.ATTENTION, K.DOUBTFUL): None,
    (S.ATTENTION, K.UNRESOLVED): None,
    (S.ATTENTION, K.APPROVED): (S.APPROVED, ()),  # the terminal came back and remembers
    (S.ATTENTION, K.DECLINED): (S.DECLINED, ()),
    (S.ATTENTION, K.DECIDED_PAID): (S.APPROVED, ()),
    (S.ATTENTION, K.DECIDED_NOT_PAID): (S.DECLINED, ()),
    #
    (S.APPROVED, K.STOP_ASKED): None,
    (S.APPROVED, K.ANSWERED): None,
    (S.APPROVED, K.APPROVED): None,
    (S.APPROVED, K.DECLINED): None,  # what was paid stays paid; a reversal is a payment's opposite
    (S.APPROVED, K.DOUBTFUL): None,
    (S.APPROVED, K.UNRESOLVED): None,
    (S.APPROVED, K.DECIDED_PAID): None,
    (S.APPROVED, K.DECIDED_NOT_PAID): None,
    #
    (S.DECLINED, K.STOP_ASKED): None,
    (S.DECLINED, K.ANSWERED): None,
    (S.DECLINED, K.DECLINED): None,
    (S.DECLINED, K.DOUBTFUL): None,
    (S.DECLINED, K.UNRESOLVED): None,
    (S.DECLINED, K.DECIDED_PAID): None,
    (S.DECLINED, K.DECIDED_NOT_PAID): None,
    (S.DECLINED, K.APPROVED): (S.ATTENTION, ()),  # late money: never swallowed
}
# What a restart does in each state. It asks; it never authorises.
RECOVERY: Final[dict[State, tuple[Effect, ...]]] = {
    S.CREATED: (),
    S.AUTHORISING: (F.QUERY,),
    S.STOPPING: (F.QUERY,),
    S.DOUBTFUL: (F.QUERY,),
    S.APPROVED: (),
    S.DECLINED: (),
    S.ATTENTION: (),
}
_TERMINALS_WORD: Final = frozenset({Kind.APPROVED, Kind.DECLINED})
RUNNING: Final = frozenset({S.AUTHORISING, S.STOPPING, S.DOUBTFUL})
"""The terminal is, or may be, busy with this payment."""

CLEAR_DIGITS_MOST: Final = 10
"""Of a PAN the first six and the last four digits may be seen (PCI DSS 4.0, 3.4.1)."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The terminal's last transaction before the charge: what a recovery compares with.

    receipt_no, trace_no: the terminal's counters, which run from 1; None where it does not tell.
    amount (minor units), date, time: of that transaction, as the terminal states them. Some
    terminals number anew after each end of day, and then the numbers alone tell nothing.

    expires_at: seconds since 1970; of a charge that is a message on its way: from then on whoever
    gets it must not begin it. None where the terminal begins at once or not at all.
    """

    terminal_id: str = ""
    receipt_no: int | None = None
    trace_no: int | None = None
    amount: int | None = None
    date: str = ""
    time: str = ""
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """What the terminal states of an approved payment. The PAN is masked: at most ten digits.

    Raises Bug when a PAN with more than ten digits is put in, however they are grouped: that is a
    leak of ours.
    """

    amount: int  # minor units, as the terminal states them
    currency: str  # ISO 4217 code
    terminal_id: str = ""
    receipt_no: int | None = None
    trace_no: int | None = None
    authorisation: str = ""
    pan: str = ""
    scheme: str = ""
    vu_number: str = ""
    turnover_no: int | None = None
    at: str = ""  # the terminal's own date and time, as it states them

    def __post_init__(self) -> None:
        if sum(character.isdigit() for character in self.pan) > CLEAR_DIGITS_MOST:
            raise Bug("an unmasked card number reached the domain")


def to_json(record: Baseline | Card) -> dict[str, Json]:
    """The record as a fact's body; what is empty is left out."""
    return {key: value for key, value in asdict(record).items() if value not in ("", None)}


def baseline_from(body: Mapping[str, Json]) -> Baseline:
    return Baseline(**_known(Baseline, body))


def card_from(body: Mapping[str, Json]) -> Card:
    return Card(**_known(Card, body))


def _known(kind: type[Baseline | Card], body: Mapping[str, Json]) -> dict[str, Any]:
    # A newer release may have written more than this one knows.
    names = {field.name for field in fields(kind)}
    return {key: value for key, value in body.items() if key in names}


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to charge `amount`. `code` and `reason` say why it is where it is."""

    id: str
    amount: Money
    state: State = State.CREATED
    baseline: Baseline = Baseline()
    card: Card | None = None
    code: str = ""
    reason: str = ""
    decided_by: str = ""

    @property
    def is_running(self) -> bool:
        return self.state in RUNNING


def step(payment: Payment, fact: Fact) -> tuple[Payment, tuple[Effect, ...]]:
    """What the fact makes of the payment, and what is now to be done in the world.

    Raises Bug for a pair that TRANSITIONS does not have.
    """
    try:
        row = TRANSITIONS[payment.state, fact.kind]
    except KeyError:
        raise Bug(f"{fact.kind} in payment state {payment.state}") from None
    # Money that came after a no was said twice over; the terminal has no third word on it.
    is_contradiction = payment.code == Code.PAYMENT_LATE and fact.kind in _TERMINALS_WORD
    if row is None or is_contradiction:
        return payment, ()
    state, effects = row
    changes: dict[str, Any] = {"state": state}
    body = fact.body
    if fact.kind is Kind.STARTED:
        baseline = body.get("baseline")
        changes["baseline"] = baseline_from(baseline if isinstance(baseline, dict) else {})
    card = body.get("card")
    if isinstance(card, dict):
        changes["card"] = card_from(card)
    if fact.kind in (Kind.DECLINED, Kind.DOUBTFUL, Kind.UNRESOLVED):
        changes["code"] = str(body.get("code", ""))
        changes["reason"] = str(body.get("reason", ""))
    if fact.kind in (Kind.DECIDED_PAID, Kind.DECIDED_NOT_PAID):
        changes["decided_by"] = fact.seller
    if state is State.ATTENTION and fact.kind is Kind.APPROVED:
        changes["code"] = str(Code.PAYMENT_LATE)
    return replace(payment, **changes), effects
