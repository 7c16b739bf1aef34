"""Bad input at every door of a whole counter: one clear message with a code, nothing lost,
nothing charged that was not to be, and the kiosk goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.counter.commands import Answer, Command
from appliance.counter.counter import Counter
from appliance.counter.screen import Action, OrderPage, Page, Refused
from appliance.domain.errors import Code
from appliance.domain.facts import Kind
from appliance.simulators.shop import Fault as ShopFault
from appliance.simulators.shop import ShopFaults
from appliance.simulators.zvt_faults import AnswerFault, Faults
from tests.rig import Rig, in_process, until

CODE = "NL-10001"
PAN = "5413330089604111"  # what the simulated terminal sends whole, with the fault UNMASKED


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path, counter="unknown_ask_s = 30", trace=True, customer_s=5.0) as made:
        yield made


@pytest.fixture
def counter(rig: Rig) -> Iterator[Counter]:
    with in_process(rig) as made:
        until(lambda: getattr(made.screen().body, "is_fetched", False), "the orders are here")
        until(lambda: len(made.screen().devices) == 4, "all devices are known")
        yield made


_n = iter(range(1_000_000))


def do(counter: Counter, action: Action) -> Answer:
    return counter.command(Command(f"b{next(_n)}", action)).answer


def at(counter: Counter, *pages: Page) -> None:
    until(lambda: counter.screen().page in pages, f"{pages}")


def goes_on(counter: Counter, rig: Rig) -> None:
    """The next customer is served as if nothing had been."""
    rig.terminal.faults, rig.shop.faults = Faults(), ShopFaults()
    if counter.screen().page is not Page.IDLE:
        do(counter, Action.CANCEL)
    at(counter, Page.IDLE)
    before = len(rig.bank.held())
    rig.scanner.scan("NL-10002")
    at(counter, Page.ORDER)

    def charging() -> bool:
        # The shop may still be answering what it was asked while it was ill.
        if counter.screen().page is Page.ORDER:
            do(counter, Action.CONFIRM)
        return counter.screen().page is Page.CHARGING

    until(charging, "charging")
    until(lambda: rig.terminal.state()["waits_for"] == "card", "the terminal waits")
    rig.terminal.tap()
    at(counter, Page.HAND_OVER)
    do(counter, Action.CONFIRM)
    until(lambda: rig.shop.state()["orders"]["10002"]["handed_over"] == 1, "told")
    assert len(rig.bank.held()) == before + 1


SCANS = [
    (b"NL-\x0710001\r\n", Code.SCAN_UNREADABLE),
    (b"\x00\x01\x02\x1b[A\r\n", Code.SCAN_UNREADABLE),
    (b"9" * 10_000 + b"\r\n", Code.SCAN_UNREADABLE),
    (b"\xff\xfe\xfd\r\n", Code.SCAN_UNREADABLE),
    (b"KASSA-CONFIRM\r\n", Code.SCAN_NOT_NOW),
    (b"KS-9999-NONE\r\n", Code.BADGE_UNKNOWN),
]


@pytest.mark.parametrize(("data", "code"), SCANS)
def test_a_bad_scan_is_a_notice(counter: Counter, rig: Rig, data: bytes, code: Code) -> None:
    rig.scanner.send(data)

    def noticed() -> bool:
        notice = counter.screen().notice
        return notice is not None and notice.code is code

    until(noticed, f"the notice {code}")
    assert counter.screen().page is Page.IDLE
    goes_on(counter, rig)


def test_a_barcode_of_another_shop(counter: Counter, rig: Rig) -> None:
    rig.scanner.scan("4006381333931")
    at(counter, Page.REFUSED)
    body = counter.screen().body
    assert isinstance(body, Refused)
    assert body.code is Code.ORDER_UNKNOWN
    goes_on(counter, rig)


def test_scans_during_a_charge_and_two_at_once(counter: Counter, rig: Rig) -> None:
    # One barcode with a line end in it: its second half is nobody's wish.
    rig.scanner.send(b"NL-10002\r\nKASSA-CONFIRM\r\n")
    until(lambda: counter.screen().notice is not None, "told that it was no code")
    at(counter, Page.ORDER)
    rig.scanner.scan("NL-10001")
    until(lambda: len([f for f in rig.facts() if f.kind is Kind.OPENED]) == 2, "both were opened")
    at(counter, Page.ORDER)
    do(counter, Action.CONFIRM)
    at(counter, Page.CHARGING)
    rig.scanner.send(b"NL-10003\r\nNL-10003\r\nKS-1001-7XQ2\r\n")
    until(lambda: counter.screen().notice is not None, "told that it is not now")
    assert counter.screen().page is Page.CHARGING
    opened = [fact for fact in rig.facts() if fact.kind is Kind.OPENED]
    assert len(opened) == 2
    until(lambda: rig.terminal.state()["waits_for"] == "card", "the terminal waits")
    rig.terminal.tap()
    at(counter, Page.HAND_OVER)


# What the seller may see when the shop answers so to the claim. Nothing is ever charged then.
SHOP_FAULTS = {
    ShopFault.DOWN: {Code.OFFLINE_NO_CHARGE},
    ShopFault.ERROR_500: {Code.OFFLINE_NO_CHARGE},
    ShopFault.UNAVAILABLE_503: {Code.OFFLINE_NO_CHARGE},
    ShopFault.TOO_MANY_429: {Code.OFFLINE_NO_CHARGE},
    ShopFault.HTML: {Code.SHOP_NONSENSE},
    ShopFault.TRUNCATED: {Code.SHOP_NONSENSE, Code.OFFLINE_NO_CHARGE},
    ShopFault.HUGE: {Code.SHOP_NONSENSE},
    ShopFault.MOVED: {Code.SHOP_MOVED},
    ShopFault.LOST: {Code.OFFLINE_NO_CHARGE},
}


@pytest.mark.parametrize("fault", SHOP_FAULTS)
def test_a_shop_that_answers_nonsense(counter: Counter, rig: Rig, fault: ShopFault) -> None:
    rig.scanner.scan(CODE)
    at(counter, Page.ORDER)
    rig.shop.faults = ShopFaults(fault=fault)
    do(counter, Action.CONFIRM)

    def refused() -> bool:
        body = counter.screen().body
        return isinstance(body, OrderPage) and body.code in SHOP_FAULTS[fault]

    until(refused, f"one of {SHOP_FAULTS[fault]}")
    assert rig.bank.bookings() == ()
    assert Kind.STARTED not in [fact.kind for fact in rig.facts()]
    goes_on(counter, rig)


@pytest.mark.parametrize("fault", [fault for fault in AnswerFault if fault is not AnswerFault.NONE])
def test_a_terminal_that_sends_nonsense(counter: Counter, rig: Rig, fault: AnswerFault) -> None:
    rig.terminal.faults = Faults(answer=fault)
    rig.scanner.scan(CODE)
    at(counter, Page.ORDER)
    do(counter, Action.CONFIRM)
    at(counter, Page.CHARGING)
    until(lambda: rig.terminal.state()["waits_for"] == "card", "the terminal waits")
    rig.terminal.tap()
    at(counter, Page.HAND_OVER, Page.ORDER, Page.ATTENTION_ITEM)
    page = counter.screen().page
    # Certain words only where the bank agrees; else a person looks.
    if page is Page.HAND_OVER:
        assert len(rig.bank.held()) == 1
        do(counter, Action.CONFIRM)
    elif page is Page.ORDER:
        assert rig.bank.held() == ()
    else:
        item = counter.screen()
        assert item.attention == 1
        do(counter, Action.CANCEL)
    assert len(rig.bank.held()) <= 1
    goes_on(counter, rig)
    for file in (file for file in rig.folder.rglob("*") if file.is_file()):
        content = file.read_bytes()
        assert PAN.encode() not in content, file
        assert bytes.fromhex(PAN) not in content, file


def test_a_terminal_whose_cable_is_out_is_shown_so_while_its_payment_is_in_doubt(
    counter: Counter, rig: Rig
) -> None:
    rig.scanner.scan("NL-10001")
    at(counter, Page.ORDER)
    do(counter, Action.CONFIRM)
    at(counter, Page.CHARGING)
    until(lambda: rig.terminal.state()["waits_for"] == "card", "the terminal waits")
    rig.terminal.cable_out()

    def health() -> Code | None:
        (found,) = (d.health.code for d in counter.screen().devices if d.name == "terminal")
        return found

    until(lambda: health() is Code.TERMINAL_GONE, "the bar says so")
    assert counter.screen().page is Page.UNKNOWN
    rig.terminal.cable_in()
    at(counter, Page.ORDER, Page.HAND_OVER, Page.ATTENTION_ITEM)
    until(lambda: health() is None, "the bar says so")
