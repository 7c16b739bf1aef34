"""The counter machine, over every state that it can get into (search.py), not over examples."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.domain.errors import Bug
from appliance.domain.facts import Json, Kind
from appliance.domain.handover import RECOVERY, TRANSITIONS, Effect, State
from tests.domain.search import (
    DUE,
    HANDOVER_KINDS,
    PAYMENT_KINDS,
    PREPAID,
    Edge,
    about,
    events,
    fact,
    key,
    search,
    started,
)

S, P, K = State, pay.State, Kind
HANDING_OVER: Final = frozenset({S.TO_HAND_OVER, S.SET_ASIDE, S.DONE})
DECISIONS: Final = (K.DECIDED_PAID, K.DECIDED_NOT_PAID)

# --- the table ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", State)
def test_a_charge_starts_from_a_claim_and_from_nowhere_else(state: State) -> None:
    assert ((state, K.STARTED) in TRANSITIONS) == (state is S.CLAIMED)


def test_the_table_has_no_other_kinds() -> None:
    assert {kind for _, kind in TRANSITIONS} <= {*HANDOVER_KINDS, *PAYMENT_KINDS}


FOLLOWS: Final = frozenset(kind for kind in PAYMENT_KINDS if kind is not K.STARTED)
"""The kinds that move a payment; where they leave the handover follows from its payments."""


@pytest.mark.parametrize("kind", sorted(FOLLOWS - {K.SLIP}))
@pytest.mark.parametrize("state", State)
def test_a_payment_that_was_never_started_is_a_bug(state: State, kind: Kind) -> None:
    with pytest.raises(Bug, match="never started"):
        ho.step(replace(ho.new("H-1", DUE), state=state), fact(kind, payment="H-1-1"))


def test_a_slip_is_paper() -> None:
    for handover in search().handovers.values():
        assert ho.step(handover, fact(K.SLIP, payment="H-1-1")) == (handover, ())


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("state", State)
def test_a_pair_that_is_not_in_the_table_is_a_bug(state: State, kind: Kind) -> None:
    if (state, kind) in TRANSITIONS or kind in FOLLOWS:
        return
    handover = replace(ho.new("H-1", DUE), state=state)
    with pytest.raises(Bug, match="in handover state"):
        ho.step(handover, fact(kind, payment="H-1-1"))


def test_authorise_is_the_payments_alone_and_put_back_a_restarts_alone() -> None:
    asked = {effect for _, effects in TRANSITIONS.values() for effect in effects}
    assert asked == set(Effect) - {Effect.PUT_BACK, Effect.PRINT}
    assert set(RECOVERY) == set(State) - {S.NEW}  # opening is one step: nothing is left new


# --- what holds in every state that can be reached ---------------------------------------------


def ways_to(wrong: Callable[[ho.Handover], bool]) -> list[str]:
    """How to get into the states where something is wrong, shortest first; for the message."""
    found = search()
    bad = [found.paths[place][1] for place, handover in found.handovers.items() if wrong(handover)]
    return [
        " ".join(f"{told.kind}({told.body.get('payment', '')})" for told, _ in path)
        for path in sorted(bad, key=len)[:3]
    ]


def states(handover: ho.Handover) -> set[pay.State]:
    return {payment.state for payment in handover.payments}


def is_running(handover: ho.Handover) -> bool:
    return bool(states(handover) & pay.RUNNING)


def test_the_search_saw_every_state_and_every_row() -> None:
    found = search()
    assert {handover.state for handover in found.handovers.values()} == set(State)
    assert {state for h in found.handovers.values() for state in states(h)} == set(P) - {P.CREATED}
    taken = {(edge.before.state, edge.event[0].kind) for edge in found.edges}
    assert {pair for pair in taken if pair[1] not in FOLLOWS} == set(TRANSITIONS)
    assert {kind for _, kind in taken} >= FOLLOWS


def test_authorise_goes_out_once_for_each_payment_and_never_beside_money_or_doubt() -> None:
    for edge in search().edges:
        check_authorise(edge)


def check_authorise(edge: Edge) -> None:
    count = edge.effects.count(pay.Effect.AUTHORISE)
    assert count == (edge.event[0].kind is K.STARTED)
    if count:
        *older, newest = edge.after.payments
        assert {payment.state for payment in older} <= {P.DECLINED}
        assert (newest.state, newest.amount) == (P.AUTHORISING, edge.before.order.due)
        assert newest.amount
        assert edge.before.state is S.CLAIMED


def test_at_most_one_payment_runs_and_it_is_the_newest() -> None:
    assert not ways_to(lambda h: any(p.is_running for p in h.payments[:-1]))


def test_money_that_was_taken_stays_taken() -> None:
    for edge in search().edges:
        for before, after in zip(edge.before.payments, edge.after.payments, strict=False):
            assert before.state is not P.APPROVED or after == before


def test_every_fact_about_a_payment_can_be_taken_wherever_the_handover_stands() -> None:
    """Above all an approval, which a Bug would lose."""
    for handover in search().handovers.values():
        for payment in handover.payments:
            for kind in PAYMENT_KINDS:
                is_known = kind is K.SLIP or (payment.state, kind) in pay.TRANSITIONS
                if is_known and kind is not K.STARTED:
                    after, _ = ho.step(handover, about(payment.id, kind))
                    (seen,) = (p for p in after.payments if p.id == payment.id)
                    assert kind is not K.APPROVED or seen.state in (P.APPROVED, P.ATTENTION)


def test_what_may_have_been_taken_is_in_sight() -> None:
    """Until a person has settled it: `is_over` is what lets the counter forget a handover."""
    assert not ways_to(lambda h: h.is_over and (is_running(h) or P.ATTENTION in states(h)))


def test_the_handover_is_paying_exactly_while_a_payment_runs() -> None:
    assert not ways_to(lambda h: (h.state is S.PAYING) != is_running(h))


def test_attention_is_about_a_payment_that_needs_it() -> None:
    assert not ways_to(lambda h: h.state is S.ATTENTION and P.ATTENTION not in states(h))


def test_what_may_be_charged_or_put_back_has_taken_nothing() -> None:
    free = {S.NEW, S.OPEN, S.CLAIMING, S.CLAIMED, S.CLOSED}
    assert not ways_to(lambda h: h.state in free and bool(states(h) - {P.DECLINED}))


def test_goods_that_are_due_leave_only_for_money() -> None:
    assert not ways_to(
        lambda h: h.state in HANDING_OVER and bool(h.order.due) and not h.is_charged_here
    )


def test_nothing_due_is_not_taken_for_an_order_that_is_due() -> None:
    claimed = replace(ho.new("H-1", DUE), state=S.CLAIMED)
    with pytest.raises(Bug, match="something is due"):
        ho.step(claimed, fact(K.NOTHING_DUE))
    assert ho.step(replace(claimed, order=PREPAID), fact(K.NOTHING_DUE))[0].state is S.TO_HAND_OVER


def test_the_receipt_is_asked_for_exactly_when_money_lets_the_goods_go() -> None:
    for edge in search().edges:
        goes = edge.after.state is S.TO_HAND_OVER and edge.before.state not in HANDING_OVER
        assert (Effect.PRINT in edge.effects) == (goes and edge.after.is_charged_here)


def test_an_end_can_be_reached_from_everywhere() -> None:
    back: dict[object, set[object]] = defaultdict(set)
    for edge in search().edges:
        back[key(edge.after)].add(key(edge.before))
    reached: set[object] = {place for place, h in search().handovers.items() if h.is_over}
    waiting = list(reached)
    while waiting:
        for place in back[waiting.pop()] - reached:
            reached.add(place)
            waiting.append(place)
    assert reached == set(search().handovers)


def test_a_charged_order_cannot_be_put_back() -> None:
    charged = [h for h in search().handovers.values() if h.is_charged_here]
    assert charged
    for handover in charged:
        with pytest.raises(Bug):
            ho.step(handover, fact(K.PUT_BACK))


def test_state_is_the_replay_of_facts_as_the_journal_keeps_them() -> None:
    for place, (replayed, path) in search().paths.items():
        for told, order in path:
            kept = replace(told, body=json.loads(json.dumps(dict(told.body))))
            replayed, _ = ho.step(replayed, kept, order)
        assert replayed == search().handovers[place]


@given(st.data())
def test_any_walk_keeps_the_rules(data: st.DataObject) -> None:
    """Longer than the search's shortest paths, with more payments, and with all that is kept."""
    handover = ho.new("H-1", data.draw(st.sampled_from([DUE, PREPAID])))
    for _ in range(data.draw(st.integers(1, 40))):
        told = [*events(handover), (started(handover), None)]
        event = data.draw(st.sampled_from(told))
        try:
            after, effects = ho.step(handover, *event)
        except Bug:
            continue
        check_authorise(Edge(handover, event, after, effects))
        assert sum(payment.is_running for payment in after.payments) <= 1
        assert not handover.is_charged_here or after.is_charged_here
        handover = after


# --- after a restart ---------------------------------------------------------------------------


def test_a_restart_never_charges_and_asks_about_whatever_may_run() -> None:
    for handover in search().handovers.values():
        if handover.state is not S.NEW:
            asked = ho.recover(handover)
            assert set(asked) <= {Effect.PUT_BACK, pay.Effect.QUERY}
            assert (pay.Effect.QUERY in asked) == is_running(handover)


def test_what_a_restart_records_can_be_recorded() -> None:
    for handover in search().handovers.values():
        if handover.state is not S.NEW:
            recover(handover)


def recover(handover: ho.Handover) -> None:
    for effect in ho.recover(handover):
        if effect is Effect.PUT_BACK:
            handover, _ = ho.step(handover, fact(K.PUT_BACK))
            assert handover.is_over
        else:
            payment = handover.payments[-1]
            _, effects = ho.step(handover, about(payment.id, K.DOUBTFUL))
            assert effects == (pay.Effect.QUERY,)


# --- what the facts carry ----------------------------------------------------------------------


def test_checks_and_ticks() -> None:
    handover = replace(ho.new("H-1", DUE), state=S.TO_HAND_OVER)
    assert handover.open_checks == ("age",)
    handover, _ = ho.step(handover, fact(K.CHECK_CONFIRMED, check="age"))
    assert handover.open_checks == ()
    ticked, _ = ho.step(handover, fact(K.LINE_TICKED, line=0))
    assert ticked.ticked == {0}
    assert ho.step(ticked, fact(K.LINE_TICKED, line=0))[0].ticked == frozenset()
    wrongs: list[Json] = ["0", None, True, [0]]
    for wrong in wrongs:
        with pytest.raises(Bug, match="integer"):
            ho.step(handover, fact(K.LINE_TICKED, line=wrong))


@pytest.mark.parametrize("kind", [K.CLAIMED, K.CLAIM_REFUSED])
def test_the_fresh_order_replaces_the_old_one(kind: Kind) -> None:
    claiming = replace(ho.new("H-1", DUE), state=S.CLAIMING)
    told = fact(kind, claim="c-1", code="K-ORD-08", reason="it changed")
    after, _ = ho.step(claiming, told, PREPAID)
    assert (after.order, after.code, after.reason) == (PREPAID, "K-ORD-08", "it changed")
    assert after.claim == ("c-1" if kind is K.CLAIMED else "")
    assert ho.step(claiming, told)[0].order == DUE


def claimed() -> ho.Handover:
    return replace(ho.new("H-1", DUE), state=S.CLAIMED, claim="c-1")


@pytest.mark.parametrize(("amount", "code"), [(999, "EUR"), (1001, "EUR"), (1000, "RUB")])
def test_a_charge_is_the_amount_due_to_the_cent(amount: int, code: str) -> None:
    with pytest.raises(Bug, match="not the amount due"):
        ho.step(claimed(), started(claimed(), amount, code))


@pytest.mark.parametrize("amount", ["1000", 1000.0, True, None])
def test_an_amount_is_an_integer(amount: object) -> None:
    with pytest.raises(Bug, match="integer"):
        ho.step(claimed(), started(claimed(), amount))  # type: ignore[arg-type]


def test_what_is_paid_before_is_not_charged() -> None:
    with pytest.raises(Bug, match="second charge"):
        ho.step(replace(claimed(), order=PREPAID), started(claimed(), 0))


@pytest.mark.parametrize("state", [state for state in P if state is not P.DECLINED])
def test_a_second_charge_is_a_bug_whatever_the_first_may_be(state: pay.State) -> None:
    first = pay.Payment("H-1-1", DUE.due, state)
    with pytest.raises(Bug, match="second charge"):
        ho.step(replace(claimed(), payments=(first,)), started(claimed()))


def test_after_a_decline_it_may_be_charged_again() -> None:
    declined = replace(claimed(), payments=(pay.Payment("H-1-1", DUE.due, P.DECLINED),))
    after, effects = ho.step(declined, started(declined))
    assert effects == (pay.Effect.AUTHORISE,)
    assert [payment.id for payment in after.payments] == ["H-1-1", "H-1-2"]
