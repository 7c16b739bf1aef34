"""What can be seen of the counter: on its disk, on its screen, in its memory.

Two of its states that look alike here, and have the same rest of memory (counter_half.py), are one.
"""

from __future__ import annotations

from typing import NamedTuple

from appliance.counter import compose
from appliance.counter.screen import Action, Page
from appliance.counter.settings import Settings
from appliance.counter.state import State, replay_handover
from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.domain.facts import Fact, Kind
from appliance.domain.money import CURRENCIES
from tests.domain.memory_journal import MemoryJournal

SETTINGS = Settings("1", "", "mitte", CURRENCIES["EUR"])


class Paid(NamedTuple):
    """A payment as the facts make it."""

    id: str
    state: pay.State
    code: str
    decided_by: str
    last_before: int | None  # the terminal's number before it
    has_card: bool


class Served(NamedTuple):
    """A handover as the facts make it."""

    id: str
    state: ho.State
    version: str
    is_due: bool
    code: str
    claim: str
    payments: tuple[Paid, ...]
    is_over: bool


class Paper(NamedTuple):
    """A print job as the facts make it."""

    job: str
    queued: int
    began: bool
    last: Kind


class Disk(NamedTuple):
    """What is durable, as far as it can matter later."""

    served: tuple[Served, ...]
    open: tuple[str, ...]
    papers: tuple[Paper, ...]
    settled: tuple[tuple[Kind, str], ...]
    written: frozenset[tuple[Kind, str]]  # answers and slips, by payment
    newest_charge: str
    is_full: bool


class View(NamedTuple):
    """A state of the counter, as the rest of the world may see it."""

    disk: Disk
    is_on: bool
    served: tuple[Served, ...] = ()  # as it remembers them
    jobs: tuple[tuple[str, bool], ...] = ()  # id, began
    page: Page = Page.IDLE
    focus: str = ""
    actions: frozenset[Action] = frozenset()
    items: tuple[str, ...] = ()
    is_terminal_well: bool = False
    signed_in: bool = False
    is_behind: bool = False


def view_of(disk: Disk, state: State, *, is_behind: bool) -> View:
    well = state.devices.get("terminal")
    return View(
        disk,
        is_on=True,
        served=tuple(served_of(h) for h in state.handovers.values()),
        jobs=tuple((job.id, job.began) for job in state.jobs.values()),
        page=compose.page(state),
        focus=state.place.handover,
        actions=compose.actions(state, SETTINGS),
        items=tuple(item.handover for item in compose.attention_items(state)),
        is_terminal_well=well is not None and well.is_well,
        signed_in=state.seller is not None,
        is_behind=is_behind or state.fault is not None,
    )


def served_of(handover: ho.Handover) -> Served:
    payments = tuple(
        Paid(p.id, p.state, p.code, p.decided_by, p.baseline.receipt_no, p.card is not None)
        for p in handover.payments
    )
    order = handover.order
    return Served(
        handover.id, handover.state, order.version, bool(order.due), handover.code,
        handover.claim, payments, handover.is_over,
    )  # fmt: skip


def disk_of(journal: MemoryJournal, is_full: bool) -> Disk:
    by_subject: dict[str, list[Fact]] = {}
    for fact in journal.facts:
        by_subject.setdefault(fact.subject, []).append(fact)
    served, papers = [], []
    for subject, facts in by_subject.items():
        if subject.startswith("H-"):
            served.append(served_of(replay_handover(facts)))
        elif subject.startswith("P-"):
            kinds = [fact.kind for fact in facts]
            queued, began = kinds.count(Kind.PRINT_QUEUED), Kind.PRINT_STARTED in kinds
            papers.append(Paper(subject, queued, began, kinds[-1]))
    return Disk(
        served=tuple(served),
        open=tuple(journal.open_subjects()),
        papers=tuple(papers),
        settled=tuple((f.kind, str(f.body.get("payment", ""))) for f in journal.settled("o-1")),
        written=frozenset(
            (fact.kind, str(fact.body["payment"]))
            for fact in journal.facts
            if fact.kind in (Kind.ANSWERED, Kind.SLIP)
        ),
        newest_charge=journal.newest_charge(),
        is_full=is_full,
    )
