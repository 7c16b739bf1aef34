"""Facts and errors: small, but the journal and the runbook build on them."""

from __future__ import annotations

import re

import pytest

from appliance.domain.errors import (
    Bug,
    Code,
    ConfigTrouble,
    JournalTrouble,
    KassaError,
    OrderTrouble,
    PrinterTrouble,
    ProtocolError,
    ScannerTrouble,
    ShopTrouble,
    TerminalTrouble,
    Trouble,
)
from appliance.domain.facts import CLOSES, NO_BODY, OPENS, REPORTED, Draft, Fact, Kind


def test_no_kind_both_opens_and_closes() -> None:
    assert not OPENS & CLOSES


def test_every_sort_of_subject_that_opens_can_close() -> None:
    sorts = {kind.split(".")[0] for kind in CLOSES}
    # An approval belongs to its handover, which the handover's own kinds close.
    assert {kind.split(".")[0] for kind in OPENS} - {"payment"} == sorts


def test_the_shop_is_told_every_outcome_of_a_payment_and_of_a_handover() -> None:
    outcomes = {Kind.APPROVED, Kind.DECLINED, Kind.UNRESOLVED}
    outcomes |= {Kind.DECIDED_PAID, Kind.DECIDED_NOT_PAID}
    assert outcomes | {Kind.STARTED, Kind.HANDED_OVER, Kind.PUT_BACK, Kind.CLAIMED} <= REPORTED


def test_a_body_that_is_shared_cannot_be_written_to() -> None:
    assert Draft(Kind.OPENED, "H-1").body is Fact("f", Kind.OPENED, "H-1", "").body is NO_BODY
    with pytest.raises(TypeError):
        NO_BODY["a"] = 1  # type: ignore[index]


def test_codes_are_well_formed_and_each_stands_for_one_thing() -> None:
    values = [code.value for code in Code]
    assert len(set(values)) == len(Code.__members__) == len(values)
    assert all(re.fullmatch(r"K-[A-Z]{3}-\d{2}", value) for value in values)


@pytest.mark.parametrize(
    "trouble",
    [OrderTrouble, ShopTrouble, TerminalTrouble, PrinterTrouble, ScannerTrouble, JournalTrouble],
)
def test_a_trouble_has_its_code_and_detail(trouble: type[Trouble]) -> None:
    raised = trouble(Code.NO_PAPER, "roll 1")
    assert (raised.code, raised.detail, str(raised)) == (
        Code.NO_PAPER,
        "roll 1",
        "K-PRN-02: roll 1",
    )
    assert str(trouble(Code.NO_PAPER)) == "K-PRN-02"


def test_a_configuration_names_every_mistake() -> None:
    raised = ConfigTrouble(["one", "two"])
    assert (raised.code, raised.mistakes) == (Code.CONFIGURATION, ["one", "two"])
    assert raised.detail == "one\ntwo"


def test_ours_and_theirs_are_never_mixed() -> None:
    assert not issubclass(Bug, Trouble)
    assert not issubclass(Trouble, Bug)
    assert all(issubclass(kind, KassaError) for kind in (Bug, Trouble, ProtocolError))
