"""Links from the kiosk's page, the scanner and the shop's office."""

from __future__ import annotations

import pytest

from appliance.counter.link_gate import LONGEST_LIFE_S
from appliance.counter.links import OPEN_MOST, Source
from appliance.counter.screen import Action, Page
from appliance.domain.errors import Code, JournalTrouble
from appliance.ports import OrderRequest, Snapshot
from appliance.protocols.links.messages import Callbacks
from tests.counter.harness import Bench, order
from tests.counter.links.kit import go_on, link, take


def test_the_kiosks_page_goes_to_the_caller_when_the_goods_have_left(counter: Bench) -> None:
    take(counter, link(counter), Source.KIOSK)
    go_on(counter)
    counter.approve()
    counter.core.links.follow()
    assert counter.screen().leave is None, "there are goods to hand over"
    counter.clock.pass_(300)  # however long that takes
    counter.core.tick()
    counter.do(Action.CONFIRM)
    counter.core.tick()
    leave = counter.screen().leave
    assert leave is not None
    assert leave.address.startswith("https://shop.example/paid?status=paid")
    counter.clock.pass_(60)
    counter.core.tick()
    assert counter.screen().leave is None


def test_a_scanned_link_is_taken_like_a_scanned_order(counter: Bench) -> None:
    counter.orders(order(), order("1043"))
    counter.core.scanned("KO-1043")
    counter.core.scanned(link(counter, key=None, callbacks=Callbacks()))
    focus = counter.core.state.focus
    assert focus is not None
    assert focus.order.number == "1042"
    counter.core.scanned("kassa-api://payNow?order=1042&sig=forged")
    notice = counter.core.state.notice
    assert notice is not None
    assert notice.code is Code.LINK_REFUSED


def test_the_shop_opens_an_order_once(counter: Bench) -> None:
    now = int(counter.clock.now().timestamp())
    wanted = OrderRequest("r-1", "1042", "Counter 1", now + 60)
    others = (
        OrderRequest("r-2", "1042", "Counter 2", now + 60),
        OrderRequest("r-3", "1042", "", now),
    )
    snapshot = Snapshot("e", (order(),), requests=(*others, wanted))
    counter.core.snapshot(snapshot)
    assert counter.page() is Page.ORDER
    assert counter.hands.names() == [], "it opens, and charges nothing"
    counter.do(Action.CANCEL)
    counter.core.snapshot(snapshot)
    assert counter.page() is Page.IDLE
    counter.restart()
    counter.core.snapshot(snapshot)
    assert counter.page() is Page.IDLE


def asked_for(counter: Bench, *numbers: str, life_s: int = 60) -> tuple[OrderRequest, ...]:
    now = int(counter.clock.now().timestamp())
    return tuple(OrderRequest(f"r-{number}", number, "", now + life_s) for number in numbers)


def test_what_the_shop_asks_for_waits_for_room(counter: Bench) -> None:
    """The snapshot does not come again: the poll is answered 304 until something changes."""
    numbers = [str(2000 + number) for number in range(OPEN_MOST + 2)]
    orders = tuple(order(number) for number in numbers)
    counter.core.snapshot(Snapshot("e", orders, requests=asked_for(counter, *numbers)))
    assert len(counter.core.state.links) == OPEN_MOST
    opened = []
    while counter.page() is Page.ORDER:
        assert counter.core.state.focus is not None
        opened.append(counter.core.state.focus.order.number)
        counter.do(Action.CANCEL)
        counter.core.tick()
    assert opened == numbers
    assert counter.core.state.links == {}
    assert counter.core.links._wanted == (), "nothing is kept of what has been opened"


def test_what_the_shop_asks_for_waits_for_the_disk(
    counter: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise JournalTrouble(Code.DISK_FULL, "full")

    requests = asked_for(counter, "1042")
    with monkeypatch.context() as disk:
        disk.setattr(counter.core.journal, "append", full)
        with pytest.raises(JournalTrouble):
            counter.core.snapshot(Snapshot("e", (order(),), requests=requests))
    counter.core.tick()
    assert counter.page() is Page.ORDER


@pytest.mark.parametrize("life_s", [-1, 0, LONGEST_LIFE_S + 1, 10**11])
def test_the_shop_asks_for_now_and_not_for_some_day(counter: Bench, life_s: int) -> None:
    counter.core.snapshot(
        Snapshot("e", (order(),), requests=asked_for(counter, "1042", life_s=life_s))
    )
    assert counter.page() is Page.IDLE
    assert counter.core.state.links == {}
    assert counter.core.links._wanted == ()


def test_what_the_shop_does_not_ask_for_any_more_is_forgotten(counter: Bench) -> None:
    numbers = [str(2000 + number) for number in range(OPEN_MOST + 2)]
    counter.core.snapshot(Snapshot("e", (), requests=asked_for(counter, *numbers)))
    waiting = [request.order for request in counter.core.links._wanted]
    assert waiting == numbers[OPEN_MOST:]
    counter.core.snapshot(Snapshot("f", ()))
    assert not counter.core.links._wanted


def test_who_signs_in_is_asked_for_by_nobody_else(counter: Bench) -> None:
    """A link is no badge: it signs nobody in."""
    take(counter, link(counter))
    assert counter.core.state.seller is None
