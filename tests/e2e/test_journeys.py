"""Whole journeys in a real browser: the real kiosk process, simulated devices, real bytes.

Each way of working (scanner, touch, keyboard) goes the whole way alone. Screenshots are kept in
build/journeys/.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Page

from appliance.simulators import paper_drawing
from appliance.simulators.escpos_printer import Fault as PrinterFault
from appliance.simulators.shop import Fault as ShopFault
from appliance.simulators.shop import ShopFaults
from appliance.simulators.zvt_faults import AnswerFault, Faults
from tests.rig import Kiosk, Rig, until

pytestmark = pytest.mark.e2e

SHOTS = Path(__file__).parents[2] / "build" / "journeys"
WAIT_MS = 20_000
PLAIN, CODE, PREPAID = "10001", "NL-10001", "NL-10004"


@dataclass
class Counter:
    """The kiosk's page, the devices around it, and the seller's three ways of working."""

    rig: Rig
    kiosk: Kiosk
    page: Page
    name: str

    def at(self, *names: str) -> None:
        wanted = ", ".join(f'#screen[data-page="{name}"]' for name in names)
        self.page.wait_for_selector(wanted, timeout=WAIT_MS)
        # A finger on its way to the old page must not tap the new one: the page waits as well.
        self.page.wait_for_selector("body:not(.settling):not(.asked)", timeout=WAIT_MS)

    def shot(self, what: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{self.name}-{what}.png")

    def tap(self, selector: str) -> None:
        self.page.click(selector, timeout=WAIT_MS)

    def scan(self, text: str) -> None:
        assert self.rig.scanner.scan(text)

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def waits_for_card(self) -> None:
        until(lambda: self.rig.terminal.state()["waits_for"] == "card", "the terminal waits")

    def order(self, number: str = PLAIN) -> dict[str, object]:
        found: dict[str, object] = self.rig.shop.state()["orders"][number]
        return found

    def to_charging(self) -> None:
        self.scan(CODE)
        self.at("order")
        self.scan("KASSA-CONFIRM")
        self.at("charging")
        self.waits_for_card()


@pytest.fixture
def language() -> str:
    return "en"


@pytest.fixture
def counter(
    tmp_path: Path, browser: Browser, language: str, request: pytest.FixtureRequest
) -> Iterator[Counter]:
    settings = f'language = "{language}"\nunknown_ask_s = 30'
    with Rig(tmp_path, counter=settings, customer_s=5.0) as rig, Kiosk(rig) as kiosk:
        until(kiosk.is_well, "all is well")
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(kiosk.origin)
        name = request.node.name.removeprefix("test_").replace("[", "-").replace("]", "")
        made = Counter(rig, kiosk, page, name)
        made.at("idle")
        yield made
        context.close()
        assert errors == []


@pytest.mark.parametrize("language", ["en", "ru", "de", "fr"])
def test_scanner_only(counter: Counter, language: str) -> None:
    """Nothing but the scanner, in every language; the paper is read back."""
    counter.shot("1-idle")
    counter.scan(counter.rig.shop.badges["Anna K."])
    counter.page.wait_for_selector("text=Anna K.", timeout=WAIT_MS)
    counter.scan(CODE)
    counter.at("order")
    counter.shot("2-order")
    counter.scan("KASSA-CONFIRM")
    counter.at("charging")
    counter.waits_for_card()
    counter.shot("3-charging")
    counter.rig.terminal.tap()
    counter.at("hand_over")
    until(lambda: counter.rig.printer.papers, "the receipt")
    counter.shot("4-hand-over")
    counter.scan("KASSA-TICK")
    counter.page.wait_for_selector("#tick-0[aria-pressed='true']", timeout=WAIT_MS)
    counter.scan("KASSA-CONFIRM")
    counter.at("idle")
    until(lambda: counter.order()["handed_over"] == 1, "the shop knows")
    assert counter.order()["due"] == 0
    assert counter.order()["handed_by"] == "Anna K."
    assert len(counter.rig.bank.held()) == 1
    counter.scan("KASSA-DAY")
    counter.at("day")
    counter.scan("KASSA-REPRINT")
    until(lambda: len(counter.rig.printer.papers) >= 3, "receipt, merchant's slip, copy")
    _papers(counter, language)


def _papers(counter: Counter, language: str) -> None:
    receipt, copy = counter.rig.printer.papers[0], counter.rig.printer.papers[-1]
    mark = {"en": "COPY", "ru": "КОПИЯ", "de": "KOPIE", "fr": "COPIE"}[language]
    assert PLAIN in receipt.text()
    assert "Anna K." in receipt.text()
    assert mark not in receipt.text()
    assert copy.text().count(mark) == 2
    assert "?" not in receipt.text()
    assert counter.rig.printer.defects == []
    picture = paper_drawing.png(receipt)
    (SHOTS / f"{counter.name}-receipt.png").write_bytes(picture)
    codes = [found.text for found in zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))]
    assert codes == [CODE]


def test_touch_only(counter: Counter) -> None:
    counter.tap("#keypad-open")
    for key in PLAIN:
        counter.tap(f'#keypad button[data-key="{key}"]')
    counter.shot("1-keypad")
    counter.tap('#keypad button[data-key="Enter"]')
    counter.at("order")
    counter.tap('button[data-action="confirm"]')
    counter.at("charging")
    counter.waits_for_card()
    counter.rig.terminal.insert()
    counter.at("hand_over")
    counter.tap("#tick-0")
    counter.page.wait_for_selector("#tick-0[aria-pressed='true']", timeout=WAIT_MS)
    counter.tap('button[data-action="confirm"]')
    counter.at("idle")
    counter.tap('button[data-action="day"]')
    counter.at("day")
    counter.shot("2-day")
    counter.tap('button[data-action="cancel"]')
    counter.at("idle")
    until(lambda: counter.order()["handed_over"] == 1, "the shop knows")


def test_keyboard_only(counter: Counter) -> None:
    counter.type(CODE)
    counter.at("order")
    counter.page.focus('button[data-action="confirm"]')
    counter.page.keyboard.press("Enter")
    counter.at("charging")
    counter.waits_for_card()
    counter.page.keyboard.press("Escape")
    counter.at("order")  # stopped: nothing was charged
    assert counter.rig.bank.held() == ()
    counter.shot("1-stopped")
    counter.page.focus('button[data-action="confirm"]')
    counter.page.keyboard.press("Enter")
    counter.at("charging")
    counter.waits_for_card()
    counter.rig.terminal.tap()
    counter.at("hand_over")
    counter.page.focus('button[data-action="confirm"]')
    counter.page.keyboard.press("Enter")
    counter.at("idle")
    until(lambda: counter.order()["handed_over"] == 1, "the shop knows")


def test_declined(counter: Counter) -> None:
    counter.to_charging()
    counter.rig.terminal.decline()
    counter.at("order")
    counter.page.wait_for_selector("text=K-PAY-01", timeout=WAIT_MS)
    counter.shot("1-declined")
    assert counter.rig.bank.held() == ()


def test_lost_answer(counter: Counter) -> None:
    """The line dies between the bank's yes and ours: the screen says that it does not know."""
    counter.rig.terminal.faults = Faults(answer=AnswerFault.CUT, busy_after_loss_s=3.0)
    counter.to_charging()
    counter.rig.terminal.tap()
    counter.at("unknown")
    counter.shot("1-unknown")
    counter.at("order", "hand_over", "attention_item")
    counter.shot("2-known")
    is_paid = counter.page.query_selector('#screen[data-page="hand_over"]') is not None
    assert is_paid == (len(counter.rig.bank.held()) == 1)


def test_no_paper(counter: Counter) -> None:
    counter.rig.printer.set_fault(PrinterFault.NO_PAPER)
    counter.to_charging()
    counter.rig.terminal.tap()
    counter.at("no_receipt")
    counter.page.wait_for_selector("text=K-PRN-02", timeout=WAIT_MS)
    counter.shot("1-no-paper")
    counter.rig.printer.load_paper()
    counter.at("hand_over")
    until(lambda: counter.rig.printer.papers, "it printed by itself")


def test_network_gone(counter: Counter) -> None:
    """Without the shop nothing is charged; what was charged before is told later."""
    counter.rig.shop.stop()
    counter.scan(CODE)
    counter.at("order")
    counter.scan("KASSA-CONFIRM")
    counter.page.wait_for_selector("text=K-SHP-06", timeout=WAIT_MS)
    counter.shot("1-offline")
    assert counter.rig.terminal.state()["waits_for"] != "card"
    counter.rig.shop.start()
    # Not by the scanner again: the same command twice within half a second is a double read.
    counter.tap('button[data-action="confirm"]')
    counter.at("charging")


def test_shop_gone_after_the_charge(counter: Counter) -> None:
    counter.to_charging()
    counter.rig.shop.faults = ShopFaults(fault=ShopFault.DOWN)
    counter.rig.terminal.tap()
    counter.at("hand_over")
    counter.scan("KASSA-CONFIRM")
    counter.at("idle")
    assert counter.order()["handed_over"] == 0
    counter.shot("1-waits")
    counter.rig.shop.faults = ShopFaults()
    until(lambda: counter.order()["handed_over"] == 1, "told later")


def test_paid_online(counter: Counter) -> None:
    counter.scan(PREPAID)
    counter.at("hand_over")
    counter.shot("1-paid-online")
    counter.scan("KASSA-CONFIRM")
    counter.at("idle")
    assert counter.rig.bank.bookings() == ()


REFUSED = {
    "NL-10010": "K-ORD-03",
    "NL-10011": "K-ORD-04",
    "NL-10012": "K-ORD-10",
    "NL-10013": "K-ORD-06",
    "NL-10014": "K-ORD-07",
    "NL-10015": "K-ORD-05",
    "NL-20001": "K-ORD-02",
    "no such order": "K-ORD-01",
}


def test_what_cannot_be_served(counter: Counter) -> None:
    for code, said in REFUSED.items():
        counter.scan(code)
        counter.at("refused")
        counter.page.wait_for_selector(f"text={said}", timeout=WAIT_MS)
        counter.shot(said)
        counter.scan("KASSA-CANCEL")
        counter.at("idle")


def test_a_stale_button_does_nothing(counter: Counter) -> None:
    """The page was left behind (a frozen browser, a double tap): its button is refused."""
    seq = int(counter.page.get_attribute("#screen", "data-seq") or "")
    counter.to_charging()
    counter.rig.terminal.tap()
    counter.at("hand_over")
    assert counter.kiosk.do("confirm", seq=seq) == 409
    assert counter.page.query_selector('#screen[data-page="hand_over"]')
    counter.page.dblclick('button[data-action="confirm"]')
    counter.at("idle")
    until(lambda: counter.order()["handed_over"] == 1, "once")


def test_the_program_is_gone_and_comes_back(counter: Counter) -> None:
    counter.to_charging()
    counter.kiosk.kill()
    counter.page.wait_for_selector("#gone:not([hidden])", timeout=WAIT_MS)
    counter.shot("1-gone")
    counter.kiosk.start()
    counter.page.wait_for_selector("#gone", state="hidden", timeout=WAIT_MS)
    counter.at("order", "attention_item")
    assert counter.rig.bank.held() == ()
