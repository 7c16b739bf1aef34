"""Paired devices: who is one, for how long, and what the journal knows of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.counter.pairing import CODE_S, DEVICES_MOST, DONE_S, TRIES_MOST, PairingRefused
from appliance.counter.screen import Action, Page, Pairing
from appliance.domain.facts import Kind
from tests.counter.harness import Bench, bench
from tests.counter.links.kit import LINKS, SETTINGS

AT = "https://counter-1.shop.example:8143"
WITH = replace(SETTINGS, links=replace(LINKS, devices_at=AT))


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, WITH) as found:
        yield found


def code(counter: Bench) -> str:
    """The one on the screen."""
    body = counter.screen().body
    assert isinstance(body, Pairing)
    address, mark, found = body.address.partition("/pair#")
    assert (address, mark) == (AT, "/pair#")
    return found


def paired(counter: Bench, name: str = "Phone") -> str:
    counter.do(Action.PAIR)
    return counter.core.pairing.pair(code(counter), name)


def test_a_device_is_paired_and_known_again_after_a_restart(tmp_path: Path) -> None:
    with bench(tmp_path, WITH) as counter:
        token = paired(counter, "Anna's\x00 phone")
        assert counter.screen().body == Pairing("", "Anna's phone")
        found = counter.core.pairing.device(token)
        assert found is not None
        assert found.name == "Anna's phone"
        counter.clock.pass_(DONE_S)
        counter.core.tick()
        assert counter.page() is Page.IDLE
    with bench(tmp_path, WITH) as counter:
        assert counter.core.pairing.device(token) == found


def test_neither_token_nor_code_is_in_the_journal(counter: Bench) -> None:
    counter.do(Action.PAIR)
    shown = code(counter)
    token = counter.core.pairing.pair(shown, "Phone")
    assert len(shown) >= 22, "128 bits"
    assert len(token) >= 43, "256 bits"
    facts = [fact for _, fact in counter.core.journal.facts(0, 1000)]
    assert Kind.DEVICE_PAIRED in [fact.kind for fact in facts]
    assert not [fact for fact in facts if token in str(fact) or shown in str(fact)]


def test_a_code_counts_once(counter: Bench) -> None:
    counter.do(Action.PAIR)
    shown = code(counter)
    counter.core.pairing.pair(shown, "Phone")
    with pytest.raises(PairingRefused):
        counter.core.pairing.pair(shown, "Another")
    assert len(counter.core.state.paired) == 1


def test_a_code_counts_for_two_minutes(counter: Bench) -> None:
    counter.do(Action.PAIR)
    shown = code(counter)
    counter.clock.pass_(CODE_S)
    with pytest.raises(PairingRefused):
        counter.core.pairing.pair(shown, "Phone")
    assert counter.page() is Page.IDLE


def test_a_code_counts_only_while_it_is_shown(counter: Bench) -> None:
    counter.do(Action.PAIR)
    shown = code(counter)
    counter.do(Action.CANCEL)
    with pytest.raises(PairingRefused):
        counter.core.pairing.pair(shown, "Phone")


def test_an_older_code_counts_no_longer(counter: Bench) -> None:
    counter.do(Action.PAIR)
    before = code(counter)
    counter.do(Action.CANCEL)
    counter.do(Action.PAIR)
    assert code(counter) != before
    with pytest.raises(PairingRefused):
        counter.core.pairing.pair(before, "Phone")


def test_who_guesses_ends_it(counter: Bench) -> None:
    counter.do(Action.PAIR)
    shown = code(counter)
    for guess in ("", "x", shown[:-1], shown.swapcase(), "ä")[:TRIES_MOST]:
        with pytest.raises(PairingRefused):
            counter.core.pairing.pair(guess, "Phone")
    with pytest.raises(PairingRefused):
        counter.core.pairing.pair(shown, "Phone")
    assert counter.screen().body == Pairing("", "")


def test_without_a_code_on_the_screen_nothing_is_one(counter: Bench) -> None:
    for guess in ("", "x"):
        with pytest.raises(PairingRefused):
            counter.core.pairing.pair(guess, "Phone")
    assert counter.core.pairing.device("") is None


def test_a_removed_device_is_nobody_also_after_a_restart(tmp_path: Path) -> None:
    with bench(tmp_path, WITH) as counter:
        token, other = paired(counter), paired_again(counter)
        found = counter.core.pairing.device(token)
        assert found is not None
        assert counter.core.pairing.remove(found.id)
        assert not counter.core.pairing.remove(found.id)
        assert counter.core.pairing.device(token) is None
    with bench(tmp_path, WITH) as counter:
        assert counter.core.pairing.device(token) is None
        assert counter.core.pairing.device(other) is not None


def paired_again(counter: Bench) -> str:
    counter.do(Action.CANCEL)
    return paired(counter, "Tablet")


def test_devices_are_bounded(counter: Bench) -> None:
    paired(counter)
    for _ in range(DEVICES_MOST - 1):
        paired_again(counter)
    counter.do(Action.CANCEL)
    counter.do(Action.PAIR)
    with pytest.raises(PairingRefused):
        counter.core.pairing.pair(code(counter), "One more")


def test_it_is_not_offered_where_no_device_is_served(tmp_path: Path) -> None:
    with bench(tmp_path, SETTINGS) as counter:
        assert Action.PAIR not in counter.screen().actions


def test_it_needs_a_seller_where_everything_does(tmp_path: Path) -> None:
    with bench(tmp_path, replace(WITH, require_seller=True)) as counter:
        assert Action.PAIR not in counter.screen().actions
