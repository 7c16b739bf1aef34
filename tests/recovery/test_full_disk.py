"""A disk that takes no more bytes, under the running program: nothing is charged, nothing is
lost, and it goes on by itself when there is room again."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.domain.facts import Kind
from tests.rig import Kiosk, Rig, until

pytestmark = pytest.mark.recovery
CODE = "NL-10001"


@contextmanager
def full(kiosk: Kiosk) -> Iterator[None]:
    """No file of the kiosk's may grow: what a full disk is to a program."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    for pid in kiosk.pids():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        for pid in kiosk.pids():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)


def test_at_the_scan(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig, Kiosk(rig) as kiosk:
        until(kiosk.is_well, "all is well")
        with full(kiosk):
            rig.scanner.scan(CODE)
            kiosk.at("out_of_order")
            assert kiosk.health()["code"] == "K-JRN-02"
            assert kiosk.health()["status"] == "failing"
        kiosk.at("idle")
        assert b"K-JRN-02" in kiosk.request("GET", "/screen")[1]  # why the scan did nothing
        rig.scanner.scan(CODE)
        kiosk.at("order")
        assert rig.facts()[-1].kind is Kind.OPENED


def test_between_the_tap_and_the_answer(tmp_path: Path) -> None:
    """The terminal's answer cannot be kept, so it is not acknowledged, and the terminal takes the
    booking back; the counter says "not paid" only once it knows that."""
    with Rig(tmp_path) as rig, Kiosk(rig) as kiosk:
        until(kiosk.is_well, "all is well")
        rig.scanner.scan(CODE)
        kiosk.at("order")
        kiosk.do("confirm")
        kiosk.at("charging")
        until(lambda: rig.terminal.state()["waits_for"] == "card", "the terminal waits")
        with full(kiosk):
            rig.terminal.tap()
            until(lambda: rig.bank.bookings(), "the bank booked it")
            until(lambda: not rig.terminal.state()["busy"], "the terminal is through with it")
            # The payment keeps the screen; whoever watches the counter hears of the disk.
            assert kiosk.page() in ("charging", "unknown")
            until(lambda: kiosk.health()["code"] == "K-JRN-02", "said to whoever watches")
            assert kiosk.health()["status"] == "failing"
        kiosk.at("order", "hand_over", "attention_item")
        assert (kiosk.page() == "hand_over") == (len(rig.bank.held()) == 1)
        assert kiosk.page() != "order" or rig.bank.held() == ()
        kinds = [fact.kind for fact in rig.facts()]
        assert kinds.count(Kind.STARTED) == 1
