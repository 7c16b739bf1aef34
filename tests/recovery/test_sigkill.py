"""The running program, killed with SIGKILL at each step of a handover, and started again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from appliance.counter.journal import Reader
from appliance.domain.errors import JournalTrouble
from appliance.domain.facts import Kind
from appliance.simulators.shop import Fault, ShopFaults
from tests.rig import Kiosk, Rig, until

STEPS = [
    Kind.OPENED, Kind.CLAIM_ASKED, Kind.CLAIMED, Kind.STARTED, Kind.SLIP, Kind.ANSWERED,
    Kind.APPROVED, Kind.PRINT_QUEUED, Kind.PRINT_STARTED, Kind.PRINTED, Kind.HANDED_OVER,
]  # fmt: skip
"""Every kind of fact that the happy path writes."""
CODE, NUMBER = "NL-10001", "10001"


def facts(rig: Rig) -> list[Kind]:
    try:
        reader = Reader(rig.data / "journal.sqlite3")
    except JournalTrouble:
        return []  # it is being made
    try:
        return [fact.kind for _, fact in reader.facts()]
    finally:
        reader.close()


def play(kiosk: Kiosk, rig: Rig, until_kind: Kind | None = None) -> None:
    """One customer, up to the moment when this kind of fact is on disk; else to the end."""

    def reached() -> bool:
        return until_kind is not None and until_kind in facts(rig)

    def past(*pages: str) -> bool:
        """Whether to stop here; waits for one of the pages otherwise."""
        until(lambda: reached() or kiosk.page() in pages, f"one of {pages}")
        return reached()

    until(kiosk.is_well, "all is well")
    if kiosk.page() == "idle":
        rig.scanner.scan(CODE)
    if past("order", "hand_over", "refused"):
        return
    if kiosk.page() == "order":
        kiosk.do("confirm")
        if past("charging"):
            return
        until(lambda: reached() or rig.terminal.state()["waits_for"], "the terminal waits")
        rig.terminal.tap()
        if past("hand_over"):
            return
    if kiosk.page() == "hand_over":
        if until_kind is not Kind.HANDED_OVER:
            until(lambda: reached() or Kind.PRINTED in facts(rig), "printed")
            if reached():
                return
        kiosk.do("confirm")
        past("idle")


@pytest.mark.recovery
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step(tmp_path: Path, step: Kind) -> None:
    with Rig(tmp_path, customer_s=3.0) as rig, Kiosk(rig) as kiosk:
        play(kiosk, rig, step)
        kiosk.kill()
        before = facts(rig)
        kiosk.start()
        # The counter now says of the money what the bank says, whatever was lost; where the
        # terminal cannot tell, a person does.
        until(lambda: kiosk.page() not in ("unknown", "charging", "asking"), "it knows")
        held = len(rig.bank.held())
        if kiosk.page() == "attention_item":
            _decide(kiosk, rig, is_paid=held == 1)
        assert (kiosk.page() == "hand_over") == (held == 1 and Kind.HANDED_OVER not in before)
        play(kiosk, rig)
        _everything_is_told_once(rig, kiosk)


def _decide(kiosk: Kiosk, rig: Rig, *, is_paid: bool) -> None:
    """The seller signs in, since a decision has a name, and reads the terminal's slip."""
    until(lambda: kiosk.health()["devices"].get("shop") == "ok", "the sellers are known")
    rig.scanner.scan(rig.shop.badges["Anna K."])
    until(lambda: "seller.signed_in" in facts(rig), "signed in")
    kiosk.do("decide_paid" if is_paid else "decide_not_paid")
    kiosk.at("hand_over" if is_paid else "order")


def _everything_is_told_once(rig: Rig, kiosk: Kiosk) -> None:
    assert len(rig.bank.held()) == 1
    until(lambda: rig.shop.state()["orders"][NUMBER]["handed_over"] == 1, "handed over, once")
    order = rig.shop.state()["orders"][NUMBER]
    assert len(order["payments"]) == 1
    assert order["due"] == 0
    until(lambda: kiosk.health()["undelivered"] == 0, "all is told")
    assert all(fact["applied"] == 1 for fact in rig.shop.facts())
    # One original receipt; whatever else came out says that it is a copy.
    receipts = until(
        lambda: [p.text() for p in rig.printer.papers if "Authorisation" in p.text()], "a receipt"
    )
    originals = [text for text in receipts if not re.search(r"\bCOPY\b", text)]
    assert len(originals) <= 1
    assert rig.printer.defects == []
    kinds = facts(rig)
    assert kinds.count(Kind.APPROVED) == 1
    assert kinds.count(Kind.HANDED_OVER) == 1


@pytest.mark.recovery
def test_killed_while_the_shop_does_not_answer(tmp_path: Path) -> None:
    """What the shop has committed without saying so is told again, and counts once."""
    with Rig(tmp_path, customer_s=3.0) as rig, Kiosk(rig) as kiosk:
        play(kiosk, rig, Kind.APPROVED)
        rig.shop.faults = ShopFaults(Fault.LOST, path="/facts")
        play(kiosk, rig)
        until(lambda: rig.shop.state()["orders"][NUMBER]["handed_over"] == 1, "committed")
        kiosk.kill()
        rig.shop.faults = ShopFaults()
        kiosk.start()
        until(kiosk.is_well, "all is well")
        _everything_is_told_once(rig, kiosk)


@pytest.mark.recovery
def test_a_tap_on_a_page_of_the_time_before_the_restart_does_nothing(tmp_path: Path) -> None:
    """The page may stand there for a moment longer than the program that drew it."""
    with Rig(tmp_path) as rig, Kiosk(rig) as kiosk:
        play(kiosk, rig, Kind.OPENED)
        kiosk.at("order")
        old = kiosk.seq()
        kiosk.kill()
        kiosk.start()
        until(kiosk.is_well, "all is well")
        rig.scanner.scan("NL-10002")
        kiosk.at("order")
        for seq in (old - 1, old, old + 1, 2**52):
            assert kiosk.do("confirm", seq=seq) == 409
        assert kiosk.page() == "order"
        assert Kind.CLAIM_ASKED not in facts(rig)
        assert kiosk.do("confirm") == 200


@pytest.mark.recovery
def test_a_second_instance_is_refused(tmp_path: Path) -> None:
    with Rig(tmp_path, customer_s=3.0) as rig, Kiosk(rig) as kiosk:
        second = Kiosk(rig)
        second.launch()
        assert second.process is not None
        assert second.process.wait(30) == 69
        assert "K-APP-01" in (rig.folder / "kiosk.log").read_text()
        assert kiosk.page() == "idle"


@pytest.mark.recovery
def test_a_polite_stop_in_mid_charge_waits_for_the_terminal(tmp_path: Path) -> None:
    with Rig(tmp_path, customer_s=3.0) as rig, Kiosk(rig) as kiosk:
        play(kiosk, rig, Kind.STARTED)
        until(lambda: rig.terminal.state()["waits_for"], "the terminal waits")
        assert kiosk.process is not None
        kiosk.process.terminate()
        rig.terminal.tap()
        assert kiosk.process.wait(60) == 0
        assert facts(rig)[-1] in (
            Kind.APPROVED,
            Kind.PRINT_QUEUED,
            Kind.PRINT_STARTED,
            Kind.PRINTED,
        )
        assert len(rig.bank.held()) == 1
