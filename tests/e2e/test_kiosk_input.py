"""The page's script: scanning, typing and tapping; nothing that was meant for another screen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from appliance.counter.commands import Answer
from appliance.counter.screen import (
    Action,
    Idle,
    OrderPage,
    Screen,
)
from tests.e2e.conftest import Kiosk, sent, settled, until
from tests.e2e.test_gallery import LAYOUT, open_kiosk
from tests.web.samples import ONE_OF_EACH, ROWS, SAMPLES
from web import Theme

pytestmark = pytest.mark.e2e

BUTTONS = "#screen button:not(dialog *)"
SETTLED_MS = 1000  # well beyond the moment for which a new page takes no taps
LATER_MS = 600_000  # no test takes so long that the page's clock were there by itself


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_scanner_that_types_works_on_every_page(opened: Page, kiosk: Kiosk, name: str) -> None:
    kiosk.show(opened, SAMPLES[name])
    opened.keyboard.type("KASSA-confirm")
    opened.keyboard.press("Enter")
    until(opened, lambda: bool(kiosk.counter.commands))
    assert sent(kiosk) == [(Action.SCAN, "KASSA-confirm", None)]
    expect(opened.locator("#typed")).to_be_hidden()


def test_a_scan_does_not_press_the_button_that_has_the_focus(opened: Page, kiosk: Kiosk) -> None:
    kiosk.show(opened, SAMPLES["order"])
    opened.focus("#do-confirm")
    opened.keyboard.type("1047")
    opened.keyboard.press("Enter")
    until(opened, lambda: bool(kiosk.counter.commands))
    assert sent(kiosk) == [(Action.SCAN, "1047", None)]


def test_of_a_barcode_with_a_line_end_only_the_first_line_is_typed(
    page: Page, kiosk: Kiosk
) -> None:
    still(page, kiosk)
    page.keyboard.type("NL-1\nKASSA-CONFIRM\n\nx")
    until(page, lambda: bool(kiosk.counter.commands))
    page.clock.run_for(SETTLED_MS)
    page.keyboard.type("NL-2\n")
    until(page, lambda: len(kiosk.counter.commands) == 2)
    assert sent(kiosk) == [(Action.SCAN, "NL-1", None), (Action.SCAN, "NL-2", None)]


def test_enter_on_nothing_does_nothing(opened: Page, kiosk: Kiosk) -> None:
    # Many scanners end a code with two line ends: the second must not charge.
    kiosk.show(opened, SAMPLES["order"])
    for _ in range(3):
        opened.keyboard.press("Enter")
    opened.keyboard.type("1")
    opened.keyboard.press("Enter")
    until(opened, lambda: bool(kiosk.counter.commands))
    assert sent(kiosk) == [(Action.SCAN, "1", None)]


def test_keys_alone_reach_every_button(opened: Page, kiosk: Kiosk) -> None:
    for name in ONE_OF_EACH:
        kiosk.show(opened, SAMPLES[name])
        wanted = set(opened.eval_on_selector_all(BUTTONS, "all => all.map(b => b.id)"))
        opened.evaluate("document.querySelector('main').focus()")
        found = set()
        for _ in range(len(wanted) + 12):
            opened.keyboard.press("Tab")
            found.add(opened.evaluate("document.activeElement.id"))
        assert wanted <= found, name


def test_tab_and_enter_press_a_button_and_escape_cancels(opened: Page, kiosk: Kiosk) -> None:
    seq = kiosk.show(opened, SAMPLES["order"])
    settled(opened)
    opened.focus("#do-confirm")
    opened.keyboard.press("Enter")
    until(opened, lambda: len(kiosk.counter.commands) == 1)
    opened.wait_for_selector("body:not(.asked)")
    opened.keyboard.type("12")
    opened.keyboard.press("Escape")  # what was typed goes first
    opened.keyboard.press("Escape")
    until(opened, lambda: len(kiosk.counter.commands) == 2)
    assert sent(kiosk) == [(Action.CONFIRM, "", seq), (Action.CANCEL, "", seq)]
    kiosk.show(opened, SAMPLES["unknown"])
    opened.keyboard.press("Escape")  # nothing to cancel here
    opened.keyboard.type("9\n")
    until(opened, lambda: len(kiosk.counter.commands) == 3)


def test_a_key_never_presses_the_next_screens_button(page: Page, kiosk: Kiosk) -> None:
    still(page, kiosk)
    kiosk.show(page, SAMPLES["attention-handover"])
    page.clock.run_for(SETTLED_MS)
    settled(page)
    page.focus("#do-confirm")  # hand over now
    kiosk.show(page, SAMPLES["hand-over"])  # its own do-confirm says that the goods are gone
    assert page.evaluate("document.activeElement.tagName") == "MAIN"
    page.focus("#do-confirm")
    for key in ("Enter", "Space"):
        page.keyboard.press(key)  # too soon for anybody to have meant it
    assert sent(kiosk) == []
    page.clock.run_for(SETTLED_MS)
    page.keyboard.press("Enter")
    until(page, lambda: bool(kiosk.counter.commands))
    assert sent(kiosk) == [(Action.CONFIRM, "", kiosk.counter.screen().seq)]


def test_a_double_tap_is_one_command(opened: Page, kiosk: Kiosk) -> None:
    seq = kiosk.show(opened, SAMPLES["order"])
    settled(opened)
    opened.dblclick("#do-confirm")
    opened.wait_for_selector("body:not(.asked)")
    assert (Action.CONFIRM, "", seq) in sent(kiosk)
    ids = [command.id for command in kiosk.counter.commands]
    assert len(set(ids)) == len(ids)
    # Once the screen is another one, the second tap is for a screen that is gone.
    kiosk.counter.commands.clear()
    stale = kiosk.counter.show(SAMPLES["charging"]) - 1
    status = opened.evaluate(
        """async (seq) => (await fetch("/command", {method: "POST",
            headers: {"Content-Type": "application/json"},
            body: JSON.stringify({id: "x", action: "confirm", argument: "", seq})})).status""",
        stale,
    )
    assert (status, kiosk.counter.commands) == (409, [])


def dearer() -> Screen:
    """The order page when the shop has just changed the order."""
    screen = SAMPLES["order"]
    assert isinstance(screen.body, OrderPage)
    order = replace(screen.body.order, version="later")
    return replace(screen, body=replace(screen.body, order=order))


def still(page: Page, kiosk: Kiosk) -> None:
    """Open the kiosk anew with the page's clock in the test's hand: no tap is late by itself."""
    page.clock.install(time=0)
    page.goto(kiosk.address)
    expect(page.locator("#say")).not_to_be_empty()
    page.clock.pause_at(LATER_MS)  # from here on it stands still between two steps of the test


@pytest.mark.parametrize(
    ("before", "after"),
    [("charging", "order"), ("order", "order, dearer")],
    ids=["another page", "the same order for another amount"],
)
def test_a_finger_that_is_down_never_taps_the_next_screen(
    page: Page, kiosk: Kiosk, before: str, after: str
) -> None:
    screens = {**SAMPLES, "order, dearer": dearer()}
    still(page, kiosk)
    kiosk.show(page, screens[before])
    page.clock.run_for(SETTLED_MS)
    settled(page)
    box = page.locator("#do-cancel").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    kiosk.show(page, screens[after])  # its own cancel button is in the same place
    page.mouse.up()
    page.mouse.click(box["x"] + 40, box["y"] + 40)  # too soon for anybody to have meant it
    page.mouse.down()
    page.clock.run_for(SETTLED_MS)
    page.mouse.up()  # came down too soon, and was held
    assert sent(kiosk) == []
    page.click("#do-cancel")
    until(page, lambda: bool(kiosk.counter.commands))
    assert sent(kiosk) == [(Action.CANCEL, "", kiosk.counter.screen().seq)]


def test_a_row_never_turns_into_another_order_under_the_finger(opened: Page, kiosk: Kiosk) -> None:
    idle = SAMPLES["idle"]
    kiosk.show(opened, idle)
    settled(opened)
    opened.hover("#order-o-1042")
    opened.mouse.down()
    kiosk.show(opened, replace(idle, body=Idle(ROWS[1:], 4, 0, True)))
    opened.mouse.up()
    opened.keyboard.type("1\n")
    until(opened, lambda: bool(kiosk.counter.commands))
    assert sent(kiosk) == [(Action.SCAN, "1", None)]


def test_the_key_pad_types_an_order(opened: Page, kiosk: Kiosk) -> None:
    opened.click("#keypad-open")
    for character in "10A":
        opened.click(f'#keypad [data-key="{character}"]')
    opened.click('#keypad [data-key="Backspace"]')
    opened.keyboard.type("4")
    expect(opened.locator("#keypad-code")).to_have_text("104")
    kiosk.show(
        opened, replace(SAMPLES["idle"], handed_over_today=38)
    )  # it stays while lists change
    opened.click("#keypad-enter")
    until(opened, lambda: bool(kiosk.counter.commands))
    assert sent(kiosk) == [(Action.SCAN, "104", None)]
    expect(opened.locator("#keypad")).to_be_hidden()
    opened.click("#keypad-open")
    opened.keyboard.press("Escape")
    expect(opened.locator("#keypad")).to_be_hidden()
    assert len(kiosk.counter.commands) == 1


def test_the_key_pad_types_a_russian_order_too(page: Page, kiosk: Kiosk) -> None:
    open_kiosk(page, kiosk, "ru", (1024, 600), Theme.LIGHT)
    page.click("#keypad-open")
    page.click("#keypad [data-alphabet]:visible")
    assert page.evaluate(LAYOUT) == []
    for character in "МСК":
        page.click(f'#keypad [data-key="{character}"]')
    page.click("#keypad [data-alphabet]:visible")
    for character in "-1B":
        page.click(f'#keypad [data-key="{character}"]')
    page.click("#keypad-enter")
    until(page, lambda: bool(kiosk.counter.commands))
    assert sent(kiosk) == [(Action.SCAN, "МСК-1B", None)]
    open_kiosk(page, kiosk, "fr", (1024, 600), Theme.LIGHT)
    expect(page.locator("#keypad [data-alphabet]")).to_have_count(0)


def type_in_russian(page: Page, keys: dict[str, str]) -> None:
    """What a keyboard with the Russian layout sends: each key's place, and the letter on it."""
    for code, key in keys.items():
        page.evaluate(
            "([code, key]) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', "
            "{ code, key, shiftKey: true, bubbles: true, cancelable: true }))",
            [code, key],
        )


def test_a_russian_keyboard_types_latin_for_a_scanner_and_russian_on_the_key_pad(
    opened: Page, kiosk: Kiosk
) -> None:
    keys = {"KeyV": "М", "KeyC": "С", "KeyR": "К"}
    type_in_russian(opened, keys)
    opened.keyboard.press("Enter")
    until(opened, lambda: len(kiosk.counter.commands) == 1)
    opened.click("#keypad-open")
    type_in_russian(opened, keys)
    expect(opened.locator("#keypad-code")).to_have_text("МСК")
    opened.keyboard.press("Enter")
    until(opened, lambda: len(kiosk.counter.commands) == 2)
    assert [code for _, code, _ in sent(kiosk)] == ["VCR", "МСК"]


def test_a_busy_counter_leaves_the_screen_usable(opened: Page, kiosk: Kiosk) -> None:
    kiosk.counter.answer = Answer.BUSY
    opened.click("#do-day-foot")
    until(opened, lambda: len(kiosk.counter.commands) == 1)
    opened.wait_for_selector("body:not(.asked)")  # the answer is there: the next tap counts
    opened.click("#do-day-foot")
    until(opened, lambda: len(kiosk.counter.commands) == 2)
