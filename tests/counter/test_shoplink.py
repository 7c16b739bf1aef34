"""The shop link alone: a shop that is a table of answers, and a loop that only remembers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from appliance.counter import shoplink
from appliance.counter.clock import SystemClock
from appliance.counter.journal import Journal, Reader
from appliance.counter.shoplink import ShopLink
from appliance.domain.errors import Code, OrderTrouble, ShopTrouble
from appliance.domain.facts import Draft, Fact, Kind
from appliance.domain.order import Order
from appliance.ports import (
    Claimed,
    ClaimRefused,
    Health,
    SellerList,
    ShopTraits,
    Snapshot,
)
from tests.counter.harness import order
from tests.rig import until

T = TypeVar("T")


class Core:
    """Whatever the link tells the core, by name."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[Any, ...]]] = []
        self.opening = self.charging = self

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.told.append((name, arguments))

    def all(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for told, arguments in list(self.told) if told == name]

    def shop(self) -> Code | None:
        """How the shop is shown now."""
        health: Health = self.all("device")[-1][1] if self.all("device") else Health()
        return health.code


class Loop:
    def __init__(self) -> None:
        self.core = Core()

    def post(self, event: Callable[[Any], object]) -> None:
        event(self.core)

    def ask(self, event: Callable[[Any], T]) -> T:
        return event(self.core)

    def fail(self, what: str) -> None:
        raise AssertionError(what)


class FakeShop:
    """Answers what each function says; a call is remembered when it begins."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.holds: list[int] = []
        self.stop = threading.Event()
        self.etag = 0
        self.on_snapshot: Callable[[str], Snapshot | None] = lambda etag: self._unchanged(etag)
        self.on_order: Callable[[str], Order] = lambda code: order()
        self.on_deliver: Callable[[Sequence[Fact]], None] = lambda facts: None
        self.on_sellers: Callable[[], SellerList] = SellerList

    def _unchanged(self, etag: str) -> Snapshot | None:
        if not etag:
            return Snapshot('"1"', ())
        self.stop.wait(25)
        return None

    def traits(self) -> ShopTraits:
        return ShopTraits(atomic_claim=True)

    def snapshot(self, etag: str, wait_s: int) -> Snapshot | None:
        self.calls.append("snapshot")
        self.holds.append(wait_s)
        return self.on_snapshot(etag)

    def order(self, code: str) -> Order:
        self.calls.append(f"order {code}")
        return self.on_order(code)

    def claim(
        self, order_id: str, claim_id: str, version: str, lease_s: int
    ) -> Claimed | ClaimRefused:
        self.calls.append(f"claim {claim_id}")
        return Claimed(order(), lease_s)

    def deliver(self, facts: Sequence[Fact], after: str = "") -> None:
        self.calls.append("deliver")
        self.on_deliver(facts)

    def sellers(self) -> SellerList:
        self.calls.append("sellers")
        return self.on_sellers()

    def report_health(self, report: Mapping[str, object]) -> None:
        self.calls.append("health")

    def close(self) -> None:
        self.stop.set()


class Bench:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.sqlite3"
        self.journal = Journal(self.path, lambda: "2026-11-23T09:00:00Z")
        self.shop, self.loop = FakeShop(), Loop()
        self.core = self.loop.core
        self.link = ShopLink(
            self.shop, self.loop, SystemClock(), lambda: Reader(self.path), lambda: {"status": "ok"}
        )

    def facts(self, *orders: str) -> None:
        for name in orders:
            self.journal.append([Draft(Kind.PUT_BACK, f"H-{name}", {"order": name})])
        self.link.wake()


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    made = Bench(folder)
    try:
        yield made
    finally:
        assert made.link.stop(5.0)
        made.journal.close()


def test_a_renewal_tells_the_core_nothing(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        b.link.start()
        b.link.renew("H-1", "o-1042", "1", 600)
        until(lambda: "claim H-1" in b.shop.calls, "asked")
        b.link.claim("H-2", "o-1042", "1", 600)
        until(lambda: b.core.all("claimed"), "answered")
        assert [arguments[0] for arguments in b.core.all("claimed")] == ["H-2"]


def test_codes_that_the_shop_is_slow_about_hold_up_no_claim(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        go_on = threading.Event()

        def slow(code: str) -> Order:
            assert go_on.wait(10)
            raise OrderTrouble(Code.ORDER_UNKNOWN)

        b.shop.on_order = slow
        b.link.start()
        for number in range(50):
            b.link.look_up(f"C{number}")
        b.link.claim("H-1", "o-1042", "1", 600)
        until(lambda: b.core.all("claimed"), "the claim is answered")
        go_on.set()
        # The one that was scanned last is answered; those that nobody waits for are not asked.
        until(lambda: ("C49",) in [told[:1] for told in b.core.all("looked_up")], "C49")
        assert len([call for call in b.shop.calls if call.startswith("order")]) <= 3


def test_a_shop_whose_orders_are_new_ones_each_time_is_not_asked_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shoplink, "POLL_AT_MOST_EVERY_S", 600.0)
    with bench(tmp_path) as b:
        numbers = iter(range(1_000_000))
        b.shop.on_snapshot = lambda etag: Snapshot(f'"{next(numbers)}"', ())
        b.link.start()
        until(lambda: b.shop.calls.count("snapshot") == 2, "asked, at the start twice")
        assert not b.shop.stop.wait(0.5)
        assert b.shop.calls.count("snapshot") == 2


@pytest.mark.parametrize(
    ("fails", "holds"),
    [
        # Well: only the first ask is answered at once.
        (lambda hold, number: False, [0, 25, 25, 25]),
        # Away: asked without a hold until it is back, and it was not the hold.
        (lambda hold, number: number in (1, 2, 3), [0, 25, 0, 0, 0, 25]),
        # Something on the way ends what is silent for ten seconds; for two.
        (lambda hold, number: hold > 10, [0, 25, 0, 12, 0, 6, 6, 6]),
        (lambda hold, number: hold > 2, [0, 25, 0, 12, 0, 6, 0, 3, 0, 3, 0]),
        # Away from the start.
        (lambda hold, number: number < 2, [0, 0, 0, 25]),
    ],
)
def test_how_long_the_shop_is_asked_to_hold(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fails: Callable[[int, int], bool],
    holds: list[int],
) -> None:
    monkeypatch.setattr(shoplink, "POLL_AT_MOST_EVERY_S", 0.0)
    monkeypatch.setattr(shoplink, "LONGEST_WAIT_S", 0.01)
    monkeypatch.setattr(shoplink, "FIRST_WAIT_S", 0.01)
    with bench(tmp_path) as b:

        def answer(etag: str) -> Snapshot | None:
            number = len(b.shop.holds) - 1
            if number >= len(holds):
                b.shop.stop.wait()
            elif fails(b.shop.holds[-1], number):
                raise ShopTrouble(Code.SHOP_UNREACHABLE, "silence")
            return None if etag else Snapshot('"1"', ())

        b.shop.on_snapshot = answer
        b.link.start()
        until(lambda: len(b.shop.holds) > len(holds), "asked as often")
        assert b.shop.holds[: len(holds)] == holds


def test_a_hold_is_whole_again_after_an_hour() -> None:
    hold = shoplink.Hold()
    assert hold.next(1000.0) == shoplink.WAIT_S
    hold.failed()
    assert hold.next(1001.0) == 0
    hold.answered(1002.0)
    soon = 1002.0 + shoplink.WHOLE_HOLD_AGAIN_S
    assert hold.next(soon - 1) == shoplink.WAIT_S // 2
    hold.answered(soon - 1)
    assert hold.next(soon) == shoplink.WAIT_S


def test_sellers_are_fetched_although_the_orders_cannot_be_read(tmp_path: Path) -> None:
    with bench(tmp_path) as b:

        def unreadable(etag: str) -> Snapshot:
            raise ShopTrouble(Code.SHOP_NONSENSE, "5000 orders")

        b.shop.on_snapshot = unreadable
        b.link.start()
        until(lambda: b.core.all("sellers"), "the sellers are here")
        until(lambda: b.core.shop() is Code.SHOP_NONSENSE, "said so")


def test_orders_are_fetched_although_the_sellers_cannot_be_read(tmp_path: Path) -> None:
    with bench(tmp_path) as b:

        def unreadable() -> SellerList:
            raise ShopTrouble(Code.SHOP_NONSENSE, "no sellers")

        numbers = iter(range(1_000_000))
        b.shop.on_snapshot = lambda etag: Snapshot(f'"{next(numbers)}"', ())
        b.shop.on_sellers = unreadable
        b.link.start()
        until(lambda: b.shop.calls.count("sellers") == 3, "asked again")
        # At its own pace, whatever the sellers' back-off says.
        assert len(b.core.all("snapshot")) >= 3
        assert b.core.shop() is Code.SHOP_NONSENSE
        b.shop.on_sellers = SellerList
        until(lambda: b.core.shop() is None, "well again")


def test_a_shop_that_is_away_is_not_asked_for_its_sellers_as_well(tmp_path: Path) -> None:
    with bench(tmp_path) as b:

        def away(etag: str) -> Snapshot:
            raise ShopTrouble(Code.SHOP_UNREACHABLE, "no answer")

        b.shop.on_snapshot = away
        b.link.start()
        until(lambda: b.core.shop() is Code.SHOP_UNREACHABLE, "said so")
        assert "sellers" not in b.shop.calls


def test_a_fact_that_the_shop_chokes_on_is_shown_and_holds_up_no_other(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        poison = threading.Event()
        taken: list[str] = []

        def deliver(facts: Sequence[Fact]) -> None:
            names = [str(fact.body["order"]) for fact in facts]
            if "bad" in names and not poison.is_set():
                raise ShopTrouble(Code.SHOP_NONSENSE, "HTTP 400")
            taken.extend(names)

        b.shop.on_deliver = deliver
        b.facts("a", "bad", "c")  # before the link looks: it must find all three at once
        b.link.start()
        until(lambda: taken == ["a", "c"], "the others are there")
        until(lambda: b.core.shop() is Code.SHOP_NONSENSE, "said so")
        assert b.core.all("delivered") == []  # the cursor stays: nothing is given up
        b.facts("d")
        until(lambda: "d" in taken, "a later one as well")
        poison.set()
        until(lambda: b.core.all("delivered") == [(4, 4)], "all are there")
        assert sorted(taken) == ["a", "bad", "c", "d"]
        assert b.core.shop() is None


def test_a_shop_that_answers_nonsense_to_every_fact_is_asked_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shoplink, "FIRST_WAIT_S", 600.0)
    with bench(tmp_path) as b:

        def deliver(facts: Sequence[Fact]) -> None:
            raise ShopTrouble(Code.SHOP_NONSENSE, "a page to log in")

        b.shop.on_deliver = deliver
        b.facts(*(f"o{number}" for number in range(60)))
        b.link.start()
        until(lambda: b.core.shop() is Code.SHOP_NONSENSE, "said so")
        assert b.shop.calls.count("deliver") == 3  # all, and two alone


def test_health_is_posted_although_facts_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shoplink, "HEALTH_EVERY_S", 0.0)
    with bench(tmp_path) as b:

        def deliver(facts: Sequence[Fact]) -> None:
            raise ShopTrouble(Code.SHOP_TOKEN, "HTTP 401")

        b.shop.on_deliver = deliver
        b.facts("a")
        b.link.start()
        until(lambda: b.shop.calls.count("health") > 1, "posted")
        until(lambda: b.core.shop() is Code.SHOP_TOKEN, "said so")


def test_a_look_up_that_fails_is_answered_and_the_next_one_is_asked(tmp_path: Path) -> None:
    with bench(tmp_path) as b:

        def broken(code: str) -> Order:
            raise ValueError(code)

        b.shop.on_order = broken
        b.link.start()
        for code in ("C1", "C2", "C3"):
            b.link.look_up(code)
            until(lambda c=code: c in [told[0] for told in b.core.all("looked_up")], code, 5)  # type: ignore[misc]
        assert {told[1].code for told in b.core.all("looked_up")} == {Code.INTERNAL}


def test_a_claim_is_renewed_although_the_order_was_changed(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        asked: list[str] = []

        def claim(
            order_id: str, claim_id: str, version: str, lease_s: int
        ) -> Claimed | ClaimRefused:
            asked.append(version)
            fresh = order(version="2")
            if version == "2":
                return Claimed(fresh, lease_s)
            return ClaimRefused(Code.ORDER_CHANGED, "changed", fresh)

        b.shop.claim = claim  # type: ignore[method-assign]
        b.link.start()
        b.link.renew("H-1", "o-1042", "1", 600)
        until(lambda: asked == ["1", "2"], "renewed")
