"""The real counter in the true world, over every interleaving (exhaustive.py, world_rules.py)."""

from __future__ import annotations

from typing import Final

import pytest

from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.domain.facts import Kind
from tests.domain.exhaustive import QUICK, retell, search, watched
from tests.domain.world import Bounds

P, S, K = pay.State, ho.State, Kind

_NO_SECOND_WORD: Final = "a dialogue or an asking ends with one word, and it is the last one"
_NO_WORD_OF_A_PERSON: Final = "the screen offers a decision in ATTENTION alone"
_NO_ANSWER: Final = "a result is stated within its own dialogue alone"
_NO_STOP: Final = "the screen offers a stop in AUTHORISING alone"
_ASKED_FIRST: Final = (
    "money that comes late: no decision is offered while the terminal is asked, and it is asked"
    " before the next charge"
)
_OTHER_TESTS: Final = "checks and lines have nothing to do with money; the order here has none"
_OTHER_DESKS: Final = "there is no other cash desk here; see tests/counter/links/test_payments.py"
NEVER: Final[dict[tuple[pay.State, Kind], str]] = {
    **dict.fromkeys(((P.APPROVED, kind) for kind in (K.APPROVED, K.DECLINED)), _NO_SECOND_WORD),
    **dict.fromkeys(((P.APPROVED, kind) for kind in (K.DOUBTFUL, K.UNRESOLVED)), _NO_SECOND_WORD),
    **dict.fromkeys(
        ((P.DECLINED, kind) for kind in (K.DECLINED, K.DOUBTFUL, K.UNRESOLVED)), _NO_SECOND_WORD
    ),
    (P.ATTENTION, K.DOUBTFUL): _NO_SECOND_WORD,
    **dict.fromkeys(
        (
            (state, kind)
            for state in (P.APPROVED, P.DECLINED)
            for kind in (K.DECIDED_PAID, K.DECIDED_NOT_PAID)
        ),
        _NO_WORD_OF_A_PERSON,
    ),
    **dict.fromkeys(
        ((state, K.ANSWERED) for state in (P.APPROVED, P.DECLINED, P.ATTENTION, P.DOUBTFUL)),
        _NO_ANSWER,
    ),
    (P.STOPPING, K.STOP_ASKED): _NO_STOP,
    (P.ATTENTION, K.STOP_ASKED): _NO_STOP,
    (P.DECLINED, K.APPROVED): _ASKED_FIRST,
}
"""The rows that no party of this world brings about. They are there all the same: the machine is
sound by itself (test_handover.py), whatever a driver or a screen of tomorrow may say."""
NEVER_OF_A_HANDOVER: Final[dict[tuple[ho.State, Kind], str]] = {
    (S.DONE, K.LEFT_OPEN): _ASKED_FIRST,
    (S.DONE, K.SETTLED): _ASKED_FIRST,
    (S.CLOSED, K.SETTLED): _ASKED_FIRST,
    (S.OPEN, K.GIVEN_BACK): _OTHER_DESKS,
    (S.TO_HAND_OVER, K.GIVEN_BACK): _OTHER_DESKS,
    (S.SERVED, K.LEFT_OPEN): _OTHER_DESKS,
    (S.SERVED, K.SETTLED): _OTHER_DESKS,
    (S.OPEN, K.CHECK_CONFIRMED): _OTHER_TESTS,
    (S.TO_HAND_OVER, K.CHECK_CONFIRMED): _OTHER_TESTS,
    (S.TO_HAND_OVER, K.LINE_TICKED): _OTHER_TESTS,
}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_interleaving_breaks_a_rule_and_none_is_without_an_end() -> None:
    """One test, as the rows are counted over all of the searches."""
    states: set[ho.State] = set()
    of_payments: set[pay.State] = set()
    with watched() as (payments, handovers):
        for name, bounds in QUICK.items():
            desk, found = search(bounds)
            stories = [f"{rule}\n{story}" for rule, story in found.violations.items()]
            assert not stories, "\n\n".join((name, *stories))
            assert found.ends, name
            for view in desk.half.views:
                for served in (*view.served, *view.disk.served):
                    states.add(served.state)
                    of_payments |= {payment.state for payment in served.payments}
    # Opening is one step; and there is no other cash desk.
    assert states == set(S) - {S.NEW, S.SERVED}
    assert of_payments == set(P) - {P.CREATED}  # and so is starting
    assert set(payments) - payments.used == set(NEVER)
    assert set(handovers) - handovers.used == set(NEVER_OF_A_HANDOVER)


def test_a_word_that_waited_for_the_disk_and_comes_again() -> None:
    """The first "not paid" waits for the disk; the terminal, back again, is asked again. With the
    second, the first is written and puts the order back; then the second is written as if that had
    not been, and the order is put back twice: no replay takes that."""
    bounds = Bounds(scans=1, payments=1, troubles=3, changes=0, has_paper=False)
    assert not retell(
        bounds,
        """the kiosk has started
        the seller scans the order
        the seller confirms (order)
        the terminal says that it is ready
        the shop grants the claim
        the kiosk hears what became of the claim
        the kiosk sends the amount to the terminal
        the terminal loses its power
        the kiosk hears nothing more from the terminal
        the kiosk asks for minutes, and the terminal does not answer
        the kiosk finds the terminal gone
        the terminal has power again
        the kiosk finds the terminal there
        the seller cancels (attention_item)
        the disk is full
        asked for its last transaction, the terminal proves: not paid
        the terminal loses its power
        the kiosk finds the terminal gone
        the terminal has power again
        the kiosk finds the terminal there
        there is room on the disk again
        asked for its last transaction, the terminal proves: not paid""",
    )
