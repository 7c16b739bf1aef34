"""The payment machine by itself: the table is total, silence is no decline, restarts only ask."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.errors import Bug, Code
from appliance.domain.facts import Fact, Json, Kind
from appliance.domain.money import CURRENCIES, Money
from appliance.domain.payment import (
    CLEAR_DIGITS_MOST,
    RECOVERY,
    RUNNING,
    TRANSITIONS,
    Baseline,
    Card,
    Effect,
    Payment,
    State,
    baseline_from,
    card_from,
    step,
    to_json,
)
from tests.domain.strategies import baselines, cards, texts

S, F, K = State, Effect, Kind
AMOUNT: Final = Money(1000, CURRENCIES["EUR"])
PAYMENT_KINDS: Final = frozenset(kind for kind in Kind if kind.startswith("payment."))
DECISIONS: Final = (K.DECIDED_PAID, K.DECIDED_NOT_PAID)
# SLIP is no event of the payment's: a slip says nothing about money.
EVENTS: Final = PAYMENT_KINDS - {K.SLIP}

IMPOSSIBLE: Final[dict[tuple[State, Kind], str]] = {
    **{
        (S.CREATED, kind): "a payment is made and started in one step"
        for kind in EVENTS - {K.STARTED}
    },
    **{(state, K.STARTED): "a payment is started once" for state in S if state is not S.CREATED},
    **{
        (state, K.UNRESOLVED): "a dialogue that ends in doubt is asked about first"
        for state in (S.AUTHORISING, S.STOPPING)
    },
    **{
        (state, kind): "a person decides only what is in attention"
        for state in RUNNING
        for kind in DECISIONS
    },
}


def fact(kind: Kind, seller: str = "", **body: Json) -> Fact:
    return Fact("f", kind, "H-1", "2026-01-01T00:00:00.000Z", seller, body)


def payment(state: State) -> Payment:
    return Payment("p", AMOUNT, state)


@pytest.mark.parametrize("kind", sorted(EVENTS))
@pytest.mark.parametrize("state", State)
def test_each_pair_is_in_the_table_or_impossible_for_a_reason(state: State, kind: Kind) -> None:
    assert ((state, kind) in TRANSITIONS) != ((state, kind) in IMPOSSIBLE)
    assert {kind for _, kind in TRANSITIONS} <= EVENTS


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("state", State)
def test_step_does_what_the_table_says_and_nothing_else(state: State, kind: Kind) -> None:
    before = payment(state)
    if (state, kind) not in TRANSITIONS:
        with pytest.raises(Bug, match="in payment state"):
            step(before, fact(kind))
        return
    row = TRANSITIONS[state, kind]
    after, effects = step(before, fact(kind, card={"amount": 1, "currency": "EUR"}, code="x"))
    if row is None:
        assert (after, effects) == (before, ())
    else:
        assert (after.state, effects) == row
        assert (after.id, after.amount) == (before.id, before.amount)


def test_authorise_stands_in_one_row_and_in_no_recovery() -> None:
    rows = [pair for pair, row in TRANSITIONS.items() if row and F.AUTHORISE in row[1]]
    assert rows == [(S.CREATED, K.STARTED)]
    assert all(F.AUTHORISE not in effects for effects in RECOVERY.values())
    assert set(RECOVERY) == set(State)


def test_a_restart_asks_about_exactly_what_may_be_running() -> None:
    assert {state for state, effects in RECOVERY.items() if effects} == RUNNING
    assert all(RECOVERY[state] == (F.QUERY,) for state in RUNNING)


def test_only_doubt_makes_the_terminal_be_asked_and_only_a_stop_aborts() -> None:
    for (state, kind), row in TRANSITIONS.items():
        for effect in row[1] if row else ():
            if effect is F.QUERY:
                assert (state in RUNNING, kind) == (True, K.DOUBTFUL)
            elif effect is F.ABORT:
                assert (state, kind) == (S.AUTHORISING, K.STOP_ASKED)


def test_money_that_was_taken_stays_taken() -> None:
    assert all(row is None for (state, _), row in TRANSITIONS.items() if state is S.APPROVED)


def test_a_decline_is_left_only_for_attention_and_only_by_an_approval() -> None:
    leaving = {
        kind: row for (state, kind), row in TRANSITIONS.items() if state is S.DECLINED and row
    }
    assert leaving == {K.APPROVED: (S.ATTENTION, ())}


def test_silence_and_a_stop_are_never_a_decline() -> None:
    declining = {kind for (_, kind), row in TRANSITIONS.items() if row and row[0] is S.DECLINED}
    assert declining == {K.DECLINED, K.DECIDED_NOT_PAID}


def test_an_approval_of_a_started_payment_is_never_refused() -> None:
    assert all((state, K.APPROVED) in TRANSITIONS for state in S if state is not S.CREATED)


def test_the_answer_and_the_baseline_are_kept() -> None:
    baseline, card = Baseline("T1", 41, 999), Card(1000, "EUR", receipt_no=42)
    started, effects = step(Payment("p", AMOUNT), fact(K.STARTED, baseline=to_json(baseline)))
    assert (started.baseline, effects) == (baseline, (F.AUTHORISE,))
    answered, _ = step(started, fact(K.ANSWERED, card=to_json(card)))
    assert (answered.card, answered.state) == (card, S.AUTHORISING)
    approved, _ = step(answered, fact(K.APPROVED))
    assert (approved.card, approved.state, approved.is_running) == (card, S.APPROVED, False)


def test_without_a_baseline_there_is_an_empty_one() -> None:
    started, _ = step(Payment("p", AMOUNT), fact(K.STARTED))
    assert started.baseline == Baseline()


@pytest.mark.parametrize(
    ("state", "kind"),
    [(S.AUTHORISING, K.DECLINED), (S.STOPPING, K.DOUBTFUL), (S.DOUBTFUL, K.UNRESOLVED)],
)
def test_why_is_kept(state: State, kind: Kind) -> None:
    after, _ = step(payment(state), fact(kind, code="K-PAY-07", reason="no answer"))
    assert (after.code, after.reason) == ("K-PAY-07", "no answer")


@pytest.mark.parametrize("kind", DECISIONS)
def test_who_decided_is_kept(kind: Kind) -> None:
    after, _ = step(payment(S.ATTENTION), fact(kind, seller="anna"))
    assert after.decided_by == "anna"


def test_late_money_says_so() -> None:
    after, effects = step(
        payment(S.DECLINED), fact(K.APPROVED, card={"amount": 1, "currency": "EUR"})
    )
    assert (after.state, after.code, effects) == (S.ATTENTION, Code.PAYMENT_LATE, ())
    assert after.card == Card(1, "EUR")


@given(st.lists(st.sampled_from(sorted(EVENTS)), max_size=30))
def test_any_walk_keeps_what_was_taken_and_authorises_once(kinds: list[Kind]) -> None:
    current, authorised = Payment("p", AMOUNT), 0
    for kind in kinds:
        before = current
        try:
            current, effects = step(current, fact(kind))
        except Bug:
            continue
        authorised += effects.count(F.AUTHORISE)
        assert before.state is not S.APPROVED or current == before
    assert authorised == (current.state is not S.CREATED)


@given(cards)
def test_a_card_survives_its_fact(card: Card) -> None:
    assert card_from(to_json(card)) == card
    assert None not in to_json(card).values()
    assert "" not in to_json(card).values()


@given(baselines)
def test_a_baseline_survives_its_fact(baseline: Baseline) -> None:
    assert baseline_from(to_json(baseline)) == baseline


def test_what_a_newer_release_wrote_is_passed_over() -> None:
    assert baseline_from({"terminal_id": "T1", "moon": "full"}) == Baseline("T1")


@given(st.text(st.sampled_from("0123456789*•X -/.\n٣"), max_size=40))
def test_no_unmasked_card_number_gets_in_however_it_is_grouped(pan: str) -> None:
    if sum(character.isdigit() for character in pan) > CLEAR_DIGITS_MOST:
        with pytest.raises(Bug, match="unmasked"):
            Card(1, "EUR", pan=pan)
    else:
        assert Card(1, "EUR", pan=pan).pan == pan


@pytest.mark.parametrize(
    "pan", ["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "411111111111"]
)
def test_real_card_numbers_are_refused_and_not_repeated(pan: str) -> None:
    with pytest.raises(Bug) as caught:
        Card(1, "EUR", pan=pan)
    assert pan[:6] not in str(caught.value)


@given(texts)
def test_the_other_fields_are_as_the_terminal_states_them(text: str) -> None:
    assert Card(1, "EUR", scheme=text).scheme == text
