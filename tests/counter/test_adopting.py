"""Devices that are plugged in: which are offered, who may confirm them, and what is wished then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.counter.adopt_rows import SETTLE_S, is_terminal_changing
from appliance.counter.adopting import REPLACED_AFTER_S
from appliance.counter.commands import Answer
from appliance.counter.screen import Action, DeviceList, DeviceRow, DeviceState, Idle, Page
from appliance.counter.settings import Adopt, DeviceSettings, Settings
from appliance.domain.errors import Code
from appliance.domain.facts import Kind
from appliance.ports import Plugged, Seller, Unknown
from appliance.protocols.role_lines import MARK
from tests.counter.harness import EUR, Bench, bench

USES = {"terminal": "tty", "printer": "usbmisc", "scanner": "input"}
EPSON, VERIFONE, CH340 = "04b8:0e28", "11ca:0220", "1a86:7523"


def port(at: str) -> str:
    return f"platform-xhci-hcd.1-usb-0:{at}:1.0"


def printer(at: str, serves: str = "", serial: str = "") -> Plugged:
    return Plugged(
        f"/dev/usb/lp{at}", "usbmisc", port(at), EPSON, serial, "printer", serves, "Epson"
    )


def terminal(at: str, serves: str = "", serial: str = "") -> Plugged:
    node = f"/dev/ttyACM{at}"
    return Plugged(node, "tty", port(at), VERIFONE, serial, "terminal", serves, "Verifone")


ADAPTER = Plugged("/dev/ttyUSB0", "tty", port("4"), CH340, "", "", "", "CH340", is_adapter=True)


def settings(adopt: Adopt = "ask", *sellers: str) -> Settings:
    devices = DeviceSettings(adopt, sellers, USES)
    return Settings("Counter 1", "Nevsky 20", "PP1", EUR, devices=devices)


class Wishes:
    """What was wished last."""

    def __init__(self, counter: Bench) -> None:
        self.lines: tuple[str, ...] = ()
        counter.core.adopting.wished = self.hear
        counter.core.adopting.start()

    def hear(self, lines: tuple[str, ...]) -> None:
        self.lines = lines

    @property
    def file(self) -> str:
        """As root's program makes it."""
        return "".join(f"{line} {MARK}\n" for line in self.lines)


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, settings()) as found:
        yield found


def shown(counter: Bench) -> tuple[DeviceRow, ...]:
    if counter.page() is not Page.DEVICES:
        assert counter.do(Action.DEVICES) is Answer.DONE
    body = counter.screen().body
    assert isinstance(body, DeviceList)
    return body.rows


def waiting(counter: Bench) -> tuple[str, ...]:
    body = counter.screen().body
    assert isinstance(body, Idle)
    return body.new


def test_two_printers_of_one_model_are_told_apart_by_port(counter: Bench) -> None:
    wishes = Wishes(counter)
    counter.core.adopting.seen((printer("1.2"), printer("1.4")), "printer ask\n")
    assert waiting(counter) == ("printer",)
    first, second = shown(counter)
    assert [(row.place, row.state) for row in (first, second)] == [
        ("1.2", DeviceState.OFFERED),
        ("1.4", DeviceState.OFFERED),
    ]
    assert counter.do(Action.CONFIRM, second.id) is Answer.DONE
    assert wishes.lines == (f"printer port {port('1.4')} {EPSON}",)
    counter.core.adopting.seen(
        (printer("1.2"), printer("1.4", "printer")), "printer ask\n" + wishes.file
    )
    states = {row.place: (row.state, row.instead_place) for row in shown(counter)}
    assert states == {"1.4": (DeviceState.SERVES, ""), "1.2": (DeviceState.OFFERED, "1.4")}
    counter.do(Action.CANCEL)
    assert waiting(counter) == (), "a spare one is nothing to tell of"


def test_a_confirmation_twice_is_one(counter: Bench) -> None:
    wishes = Wishes(counter)
    counter.core.adopting.seen((printer("1.2", serial="X1234"),), "printer ask\n")
    (row,) = shown(counter)
    counter.do(Action.CONFIRM, row.id)
    counter.do(Action.CONFIRM, row.id)
    assert [row.state for row in shown(counter)] == [DeviceState.COMING]
    kinds = [fact.kind for _, fact in counter.core.journal.facts()]
    assert kinds.count(Kind.DEVICE_ADOPTED) == 1
    assert wishes.lines == (f"printer serial X1234 {EPSON}",)


def test_another_device_that_took_the_port_is_not_confirmed(counter: Bench) -> None:
    wishes = Wishes(counter)
    counter.core.adopting.seen((printer("1.2"),), "printer ask\n")
    (row,) = shown(counter)
    other = replace(printer("1.2"), model="1d90:20f0")
    counter.core.adopting.seen((other,), "printer ask\n")
    body = counter.screen().body
    assert isinstance(body, DeviceList)
    assert body.selected == -1
    assert counter.do(Action.CONFIRM) is Answer.NOT_HERE
    counter.do(Action.NEXT)
    counter.do(Action.CONFIRM, row.id)
    assert wishes.lines == ()


def test_what_was_confirmed_lasts_until_it_is_released(tmp_path: Path) -> None:
    with bench(tmp_path, settings()) as counter:
        counter.core.adopting.seen((printer("1.2"),), "")
        counter.do(Action.CONFIRM, shown(counter)[0].id)
        counter.restart()
        wishes = Wishes(counter)
        assert wishes.lines == (f"printer port {port('1.2')} {EPSON}",)
        counter.core.adopting.seen((), wishes.file)
        (row,) = shown(counter)
        assert row.state is DeviceState.AWAY
        assert counter.do(Action.RELEASE) is Answer.DONE
        assert wishes.file == ""
        counter.restart()
        assert Wishes(counter).lines == ()


def test_an_administrators_line_wins(counter: Bench) -> None:
    counter.core.adopting.seen((printer("1.2"),), "printer serial X\n")
    assert waiting(counter) == ()
    (row,) = shown(counter)
    assert (row.state, row.may_adopt) == (DeviceState.NAMED, False)
    assert counter.do(Action.CONFIRM) is Answer.NOT_HERE


def test_of_an_adapter_a_person_says_what_hangs_on_it(counter: Bench) -> None:
    counter.core.adopting.seen((ADAPTER,), "")
    assert [(row.role, row.name) for row in shown(counter)] == [("terminal", "CH340")]


def test_nothing_is_offered_where_the_policy_is_so(tmp_path: Path) -> None:
    with bench(tmp_path, settings("off")) as counter:
        counter.core.adopting.seen((printer("1.2"),), "")
        assert waiting(counter) == ()
        assert counter.do(Action.DEVICES) is Answer.NOT_HERE


def test_only_the_named_sellers_confirm(tmp_path: Path) -> None:
    with bench(tmp_path, settings("ask", "s2")) as counter:
        wishes = Wishes(counter)
        counter.core.adopting.seen((printer("1.2"),), "")
        row = shown(counter)[0]
        for who, code in ((None, Code.SIGN_IN_FIRST), (Seller("s1", "A"), Code.NOT_ALLOWED)):
            counter.core.state.seller = who
            counter.do(Action.CONFIRM, row.id)
            notice = counter.screen().notice
            assert notice is not None
            assert notice.code is code
        assert wishes.lines == ()
        counter.core.state.seller = Seller("s2", "B")
        counter.do(Action.CONFIRM, row.id)
        assert len(wishes.lines) == 1


def open_payment(counter: Bench, what: str) -> None:
    counter.to_order()
    if what == "claiming":
        counter.do(Action.CONFIRM)
        return
    counter.do(Action.CANCEL)
    counter.to_charging()
    if what != "running":
        counter.end(Unknown(Code.PAYMENT_UNKNOWN, "silence"))
    if what == "a person's":
        counter.end(Unknown(Code.PAYMENT_UNRESOLVED, "cannot tell"))


@pytest.mark.parametrize("what", ["claiming", "running", "in doubt", "a person's"])
def test_the_terminal_stays_while_a_payment_is_open(counter: Bench, what: str) -> None:
    wishes = Wishes(counter)
    seen = (terminal("1.1", "terminal"), terminal("1.2"), printer("1.3"))
    counter.core.adopting.seen(seen, "")
    rows = shown(counter)
    counter.do(Action.CANCEL)
    open_payment(counter, what)
    name = next(row.id for row in rows if row.place == "1.2")
    counter.core.adopting.confirm(name)
    assert wishes.lines == ()
    notice = counter.screen().notice
    assert notice is not None
    assert notice.code is Code.TERMINAL_STAYS
    counter.core.adopting.confirm(next(row.id for row in rows if row.role == "printer"))
    assert len(wishes.lines) == 1, "the printer may be taken into service all the same"


def test_no_charge_while_the_terminal_changes(counter: Bench) -> None:
    wishes = Wishes(counter)

    def is_changing() -> bool:
        now_s = counter.clock.monotonic()
        return is_terminal_changing(counter.core.state, counter.settings.devices, now_s)

    old, new = terminal("1.1", "terminal"), terminal("1.2")
    counter.core.adopting.seen((old, new), "")
    assert not is_changing()
    row = next(row for row in shown(counter) if row.place == "1.2")
    counter.do(Action.CONFIRM, row.id)
    counter.do(Action.CANCEL)
    counter.to_order()
    counter.do(Action.CONFIRM)
    assert counter.page() is Page.ORDER
    assert "prepare" not in counter.hands.names()
    counter.core.adopting.seen((old, new), wishes.file)
    assert is_changing(), "its name does not lead there yet"
    now = (replace(old, serves=""), replace(new, serves="terminal"))
    counter.core.adopting.seen(now, wishes.file)
    assert not is_changing()
    counter.do(Action.CONFIRM)
    assert "prepare" in counter.hands.names()
    counter.core.state.handovers.clear()
    counter.core.adopting.release(row.id)
    assert is_changing()
    counter.core.adopting.seen(now, "")
    assert is_changing()
    counter.clock.pass_(SETTLE_S)
    assert not is_changing()


def test_a_replaced_device_goes_on_by_itself_where_the_policy_is_so(tmp_path: Path) -> None:
    for adopt, goes_on in (("ask", False), ("replace", True)):
        folder = tmp_path / adopt
        folder.mkdir()
        with bench(folder, settings(adopt)) as counter:  # type: ignore[arg-type]
            wishes = Wishes(counter)
            spare = printer("2")
            counter.core.adopting.seen((printer("1.2"), spare), "")
            row = next(row for row in shown(counter) if row.place == "1.2")
            counter.do(Action.CONFIRM, row.id)
            before = wishes.lines
            counter.core.adopting.seen((printer("1.2", "printer"), spare), wishes.file)
            counter.core.tick()
            counter.core.adopting.seen((spare,), wishes.file)
            counter.clock.pass_(REPLACED_AFTER_S)
            counter.core.tick()
            counter.clock.pass_(REPLACED_AFTER_S)
            counter.core.tick()
            assert wishes.lines == before, "what was beside it is no replacement"
            counter.core.adopting.seen((spare, printer("1.3")), wishes.file)
            counter.core.tick()
            assert (wishes.lines == (f"printer port {port('1.3')} {EPSON}",)) == goes_on


def test_what_serves_for_years_does_not_keep_all_facts(counter: Bench) -> None:
    wishes = Wishes(counter)
    counter.core.adopting.seen((printer("1.2"),), "")
    counter.do(Action.CONFIRM, shown(counter)[0].id)
    before, lines = counter.core.state.adopted["printer"], wishes.lines
    counter.clock.pass_(250 * 24 * 3600)
    counter.core.new_day()
    after = counter.core.state.adopted["printer"]
    assert (after.line, after.id != before.id) == (before.line, True)
    assert counter.core.journal.open_subjects() == [after.id]
    counter.restart()
    assert Wishes(counter).lines == lines


def test_a_twin_with_the_same_number_is_another_device(counter: Bench) -> None:
    """It is offered by its port, and while it is there the one that serves is not in doubt."""
    wishes = Wishes(counter)
    counter.core.adopting.seen((terminal("1.2", serial="V1234567"),), "")
    (row,) = shown(counter)
    counter.do(Action.CONFIRM, row.id)
    assert wishes.lines == (f"terminal serial V1234567 {VERIFONE}",)
    both = (terminal("1.2", "terminal", "V1234567"), terminal("1.4", serial="V1234567"))
    counter.core.adopting.seen(both, wishes.file)
    counter.clock.pass_(SETTLE_S)
    now_s = counter.clock.monotonic()
    assert not is_terminal_changing(counter.core.state, counter.settings.devices, now_s)
    ours, twin = sorted(shown(counter), key=lambda row: row.place)
    assert (ours.state, ours.may_release) == (DeviceState.SERVES, True)
    assert (twin.state, twin.may_adopt, twin.may_release) == (DeviceState.OFFERED, True, False)
    counter.do(Action.OPEN, twin.id)
    counter.do(Action.CONFIRM, twin.id)
    assert wishes.lines == (f"terminal port {port('1.4')} {VERIFONE}",)
    assert is_terminal_changing(counter.core.state, counter.settings.devices, now_s)


def test_what_would_take_anothers_place_is_not_marked_before_what_is_missing(
    counter: Bench,
) -> None:
    seen = (terminal("1", "terminal"), terminal("2"), printer("3"))
    counter.core.adopting.seen(seen, "printer ask\n")
    rows = {row.id: row for row in shown(counter)}
    assert rows[counter.core.state.place.about].role == "printer"
    counter.do(Action.CANCEL)
    counter.core.adopting.seen((*seen[:2], printer("3", "printer")), "")
    rows = {row.id: row for row in shown(counter)}
    marked = rows[counter.core.state.place.about]
    assert (marked.role, marked.place) == ("terminal", "2")
