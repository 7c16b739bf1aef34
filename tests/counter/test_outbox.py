"""The cursor that delivers facts, before a shop that is restored from its backups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.counter.core import Core
from appliance.counter.journal import Journal, Reader
from appliance.counter.outbox import Outbox
from appliance.domain.errors import Code, ShopTrouble
from appliance.domain.facts import Draft, Fact, Kind
from appliance.ports import ShopForgot
from tests.counter.harness import Bench


class ForgetfulShop:
    """Keeps ids, once each; can be saved and restored, and be away."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.backup: list[str] = []
        self.is_away = False
        self.refuses = ""

    def deliver(self, facts: Sequence[Fact], after: str = "") -> None:
        if self.is_away:
            raise ShopTrouble(Code.SHOP_UNREACHABLE, "away")
        if after and after not in self.ids:
            raise ShopForgot(self.ids[-1] if self.ids else "")
        if self.refuses in [fact.id for fact in facts]:
            raise ShopTrouble(Code.SHOP_REFUSES_FACT, "never")
        self.ids += [fact.id for fact in facts if fact.id not in self.ids]


class DirectLoop:
    """workers.Loop without a thread."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def post(self, event: Callable[[Core], object]) -> None:
        event(self._core)

    def ask(self, event: Callable[[Core], Any]) -> Any:
        return event(self._core)

    def fail(self, what: str) -> None:
        raise AssertionError(what)


class World:
    def __init__(self, folder: Path) -> None:
        self.bench = Bench(folder)
        self.shop = ForgetfulShop()
        self.start()

    @property
    def journal(self) -> Journal:
        return self.bench.core.journal

    def start(self) -> None:
        self.reader = Reader(self.bench.path)
        loop = DirectLoop(self.bench.core)
        self.outbox = Outbox(self.shop, loop, self.reader)  # type: ignore[arg-type]

    def restart(self) -> None:
        self.reader.close()
        self.bench.restart()
        self.start()

    def happens(self, count: int) -> None:
        for number in range(count):
            # One that the shop is not told of stands between them.
            drafts = [
                Draft(Kind.CLAIMED, f"H-{number}", {"order": "o"}),
                Draft(Kind.SIGNED_OUT, ""),
            ]
            self.bench.core.ledger.write(drafts)

    def deliver(self) -> None:
        """As the link does: again after each trouble, and now and then it asks."""
        for _ in range(6):
            try:
                self.outbox.check()
                while self.outbox.deliver():
                    pass
            except ShopTrouble:
                continue

    def reported(self) -> list[str]:
        return [fact.id for _, fact in self.reader.facts(limit=10_000) if fact.kind is Kind.CLAIMED]

    def close(self) -> None:
        self.reader.close()
        self.bench.core.journal.close()


STEPS = ("happens", "deliver", "save", "restore", "away", "back", "restart")


@settings(max_examples=30)
@given(steps=st.lists(st.sampled_from(STEPS), max_size=25), count=st.integers(1, 70))
def test_a_restored_shop_is_told_again(tmp_path_factory: Any, steps: list[str], count: int) -> None:
    world = World(tmp_path_factory.mktemp("outbox"))
    shop = world.shop
    for step in steps:
        if step == "happens":
            world.happens(count)
        elif step == "deliver":
            world.deliver()
        elif step == "restart":
            world.restart()
        elif step == "save":
            shop.backup = list(shop.ids)
        elif step == "restore":
            shop.ids = list(shop.backup)
        else:
            shop.is_away = step == "away"
    shop.is_away = False
    world.deliver()
    assert sorted(shop.ids) == sorted(world.reported())
    assert world.bench.core.state.undelivered == 0
    world.close()


def test_a_fact_that_was_refused_is_not_asked_for(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.happens(3)
    world.shop.refuses = world.reported()[-1]
    world.deliver()
    assert world.shop.ids == world.reported()[:2]
    world.journal.settle()
    world.restart()
    world.deliver()  # would raise ShopForgot for ever, was it asked for
    assert world.reader.newest_delivered() == world.reported()[1]
    assert world.bench.core.state.undelivered == 0
    world.close()


def test_a_shop_that_forgets_all_is_told_all(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.happens(120)
    world.deliver()
    world.shop.ids = []
    world.deliver()
    assert world.shop.ids == world.reported()
    world.close()


def test_the_place_of_a_fact(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.happens(2)
    for place, fact in world.reader.facts():
        assert world.reader.place_of(fact.id) == place
    known = world.reported()[0]
    for other in ("", "x", known[:-1] + "?", "0" * 8 + known[8:], f"{world.reader.name}-x-1"):
        assert world.reader.place_of(other) == 0
    world.close()
