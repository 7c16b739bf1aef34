"""The shop link: orders come in by long polling, facts go out by a cursor, answers on demand.

Three threads of its own and a small pool: none of them touches the core but through the loop.
A shop that is away costs waiting with back-off and jitter, never a busy loop, never a lost fact.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from appliance.counter.clock import Clock
from appliance.counter.core import Core
from appliance.counter.journal import Reader
from appliance.counter.outbox import Outbox
from appliance.counter.workers import Loop
from appliance.domain.errors import Code, JournalTrouble, OrderTrouble, ShopTrouble
from appliance.domain.order import Order
from appliance.ports import WELL, Claimed, ClaimRefused, Health, Seller, SellerList, Shop

log = structlog.get_logger()

WAIT_S: Final = 25
SHORTEST_HOLD_S: Final = 3
WHOLE_HOLD_AGAIN_S: Final = 3600.0
POLL_AT_MOST_EVERY_S: Final = 1.0
SELLERS_EVERY_S: Final = 600.0
HEALTH_EVERY_S: Final = 60.0
LOOK_UPS: Final = 2  # at once
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
LONGEST_RETRY_AFTER_S: Final = 300.0


class Backoff:
    """Waits that double from FIRST_WAIT_S to LONGEST_WAIT_S, each spread over its upper half, so
    that forty kiosks do not come back together. A Retry-After of the shop's is honoured."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._wait_s = FIRST_WAIT_S

    def reset(self) -> None:
        self._wait_s = FIRST_WAIT_S

    def next(self, trouble: ShopTrouble) -> float:
        wait_s = self._wait_s * self._chance.uniform(0.5, 1.0)
        self._wait_s = min(self._wait_s * 2, LONGEST_WAIT_S)
        asked = getattr(trouble, "retry_after_s", None) or 0.0
        return max(wait_s, min(float(asked), LONGEST_RETRY_AFTER_S))


class Hold:
    """How long the shop is asked to hold an answer back: WAIT_S seconds, and none after trouble, so
    that it is seen at once when the shop is back. Where that is answered by the first ask, it was
    the silence that something on the way did not bear, such as a proxy: holds are half as long from
    then on, down to SHORTEST_HOLD_S, and whole again after an hour."""

    def __init__(self) -> None:
        self._longest_s = WAIT_S
        self._short_until = 0.0
        self._asked_s = 0
        self._is_in_trouble = False
        self._was_cut_off = False

    def next(self, now: float) -> int:
        """In seconds; now: monotonic."""
        if now >= self._short_until:
            self._longest_s = WAIT_S
        self._asked_s = 0 if self._is_in_trouble else self._longest_s
        return self._asked_s

    def failed(self) -> None:
        """The ask that `next` was called for."""
        self._is_in_trouble, self._was_cut_off = True, self._asked_s > 0

    def answered(self, now: float) -> None:
        if self._was_cut_off:
            self._longest_s = max(self._longest_s // 2, SHORTEST_HOLD_S)
            self._short_until = now + WHOLE_HOLD_AGAIN_S
        self._is_in_trouble = self._was_cut_off = False


class ShopLink:
    """start() begins to poll and to deliver; stop() ends both within a second or so."""

    def __init__(
        self,
        shop: Shop,
        loop: Loop,
        clock: Clock,
        reader: Callable[[], Reader],
        report: Callable[[], Mapping[str, object]],
        chance: random.Random | None = None,
    ) -> None:
        self._shop, self._loop, self._clock = shop, loop, clock
        self._reader, self._report = reader, report
        self._chance = chance or random.Random()  # noqa: S311 - jitter, no secret
        self._parts: dict[str, Health] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._news = threading.Event()
        self._desk = ThreadPoolExecutor(max_workers=2, thread_name_prefix="shop-desk")
        # Of their own: ten product codes scanned while the shop is slow must not hold up a claim.
        self._look_ups = ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="shop-look-up")
        # Not `_lock`: that one is held while the loop is told, and the loop itself comes here.
        self._look_up_lock = threading.Lock()
        self._looking = 0  # how many of them are
        self._wanted: str | None = None  # the code that was scanned last, until it is asked for
        self._threads = [
            threading.Thread(target=self._guard, args=(run,), name=name, daemon=True)
            for name, run in (("shop-poll", self._poll), ("shop-outbox", self._deliver))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, wait_s: float) -> bool:
        self._stop.set()
        self._news.set()
        self._shop.close()
        for pool in (self._desk, self._look_ups):
            pool.shutdown(wait=False, cancel_futures=True)
        for thread in self._threads:
            thread.join(wait_s)
        return not any(thread.is_alive() for thread in self._threads)

    def wake(self) -> None:
        """There may be facts to deliver."""
        self._news.set()

    # --- on demand ----------------------------------------------------------------------------

    def look_up(self, code: str) -> None:
        """Only the code that was scanned last is waited for, so that one scanned before it is
        asked for only if there was a hand free at once."""
        with self._look_up_lock:
            self._wanted = code
            if self._looking == LOOK_UPS:
                return  # the first that is through comes back for it
            self._looking += 1
        try:
            self._look_ups.submit(self._look_up_wanted)
        except RuntimeError:
            return  # the counter is stopping

    def claim(self, handover: str, order: str, version: str, lease_s: int) -> None:
        lost = ShopTrouble(Code.INTERNAL, "the program failed in the middle")
        self._submit(
            lambda: self._claim(handover, order, version, lease_s),
            lambda core: core.charging.claimed(handover, lost),
        )

    def read_fresh(self, handover: str, number: str, lease_s: int) -> None:
        """The order as it is now, for a charge under somebody else's claim."""
        lost = ShopTrouble(Code.INTERNAL, "the program failed in the middle")
        self._submit(
            lambda: self._read_fresh(handover, number, lease_s),
            lambda core: core.charging.claimed(handover, lost),
        )

    def renew(self, handover: str, order: str, version: str, lease_s: int) -> None:
        """Make a claim last longer; nobody waits for the answer."""
        self._submit(lambda: self._renew(handover, order, version, lease_s), lambda core: None)

    def identify(self, badge: str, sellers: SellerList) -> None:
        self._submit(lambda: self._identify(badge, sellers), lambda core: core.identified(None))

    def _look_up_wanted(self) -> None:
        while True:
            with self._look_up_lock:
                code, self._wanted = self._wanted, None
                if code is None or self._stop.is_set():
                    self._looking -= 1
                    return
            try:
                self._look_up(code)
            except Exception:
                log.exception("shop_look_up_failed")
                self._lost(code)

    def _lost(self, code: str) -> None:
        lost = ShopTrouble(Code.INTERNAL, "the program failed in the middle")
        self._loop.post(lambda core: core.opening.looked_up(code, lost))

    def _submit(self, task: Callable[[], None], lost: Callable[[Core], object]) -> None:
        """Do it on the desk. Whatever happens, the core gets one answer: `lost`, if need be."""

        def guarded() -> None:
            try:
                task()
            except Exception:
                log.exception("shop_desk_failed")
                self._loop.post(lost)

        try:
            self._desk.submit(guarded)
        except RuntimeError:
            self._loop.post(lost)  # the desk is closed: the counter is stopping

    def _look_up(self, code: str) -> None:
        result: Order | OrderTrouble | ShopTrouble
        try:
            result = self._shop.order(code)
        except (OrderTrouble, ShopTrouble) as trouble:
            result = trouble
        self._loop.post(lambda core: core.opening.looked_up(code, result))

    def _claim(self, handover: str, order: str, version: str, lease_s: int) -> None:
        result: Claimed | ClaimRefused | ShopTrouble
        try:
            result = self._shop.claim(order, handover, version, lease_s)
        except ShopTrouble as first:
            # The claim carries its id, so that asking again is harmless; a connection that had
            # gone stale between two customers is the usual reason.
            result = first
            if first.code is Code.SHOP_UNREACHABLE:
                try:
                    result = self._shop.claim(order, handover, version, lease_s)
                except ShopTrouble as second:
                    result = second
        self._loop.post(lambda core: core.charging.claimed(handover, result))

    def _read_fresh(self, handover: str, number: str, lease_s: int) -> None:
        result: Claimed | ClaimRefused | ShopTrouble
        try:
            result = Claimed(self._shop.order(number), lease_s)
        except OrderTrouble as trouble:
            result = ClaimRefused(trouble.code, trouble.detail)
        except ShopTrouble as trouble:
            result = trouble
        self._loop.post(lambda core: core.charging.claimed(handover, result))

    def _renew(self, handover: str, order: str, version: str, lease_s: int) -> None:
        try:
            result = self._shop.claim(order, handover, version, lease_s)
            fresh = result.order
            if isinstance(result, ClaimRefused) and fresh is not None and fresh.version != version:
                # The order was changed while the customer pays. What is charged is settled; that
                # nobody else charges it holds for the new version as well.
                result = self._shop.claim(order, handover, fresh.version, lease_s)
        except ShopTrouble as trouble:
            log.warning("claim_not_renewed", handover=handover, code=trouble.code)
            return
        if isinstance(result, ClaimRefused):
            log.warning("claim_not_renewed", handover=handover, code=result.code)

    def _identify(self, badge: str, sellers: SellerList) -> None:
        seller: Seller | None = None
        if sellers.iterations > 0:
            digest = hashlib.pbkdf2_hmac(
                "sha256", badge.encode(), sellers.salt.encode(), sellers.iterations
            )
            seller = sellers.by_hash.get(digest.hex())
        self._loop.post(lambda core: core.identified(seller))

    # --- threads ------------------------------------------------------------------------------

    def _guard(self, run: Callable[[], None]) -> None:
        """A bug in one pass must not end the link: it is logged, and the pass tried again."""
        while not self._stop.is_set():
            try:
                run()
            except Exception:
                log.exception("shop_link_failed")
                self._say(threading.current_thread().name, Health(Code.INTERNAL))
                self._stop.wait(LONGEST_WAIT_S)
                self._say(threading.current_thread().name, WELL)

    def _poll(self) -> None:
        backoff, sellers_backoff = Backoff(self._chance), Backoff(self._chance)
        hold = Hold()
        etag, sellers_at = "", float("-inf")
        while not self._stop.is_set():
            asked_at, wait_s = self._clock.monotonic(), 0.0
            found: ShopTrouble | None = None
            try:
                # The first answer must not wait: the screen is empty until it is there.
                snapshot = self._shop.snapshot(etag, hold.next(asked_at) if etag else 0)
                if etag:
                    # A shop that does not wait, or calls the same orders new ones each time, is
                    # asked once a second, not as fast as it answers.
                    wait_s = POLL_AT_MOST_EVERY_S - (self._clock.monotonic() - asked_at)
                if snapshot is not None:
                    etag = snapshot.etag
                    self._loop.post(lambda core, found=snapshot: core.snapshot(found))  # type: ignore[misc]
                backoff.reset()
                hold.answered(self._clock.monotonic())
            except ShopTrouble as trouble:
                found, wait_s = trouble, backoff.next(trouble)
                hold.failed()
            # Orders that cannot be read are no reason to let nobody sign in, nor vice versa.
            is_talking = found is None or found.code is Code.SHOP_NONSENSE
            if is_talking and self._clock.monotonic() >= sellers_at:
                try:
                    sellers = self._shop.sellers()
                    self._loop.post(lambda core, found=sellers: core.sellers(found))  # type: ignore[misc]
                    sellers_at = self._clock.monotonic() + SELLERS_EVERY_S
                    sellers_backoff.reset()
                    self._say("sellers", WELL)
                except ShopTrouble as trouble:
                    sellers_at = self._clock.monotonic() + sellers_backoff.next(trouble)
                    self._say("sellers", Health(trouble.code, trouble.detail))
            if not self._stop.is_set():
                self._say("orders", Health(found.code, found.detail) if found else WELL)
                self._stop.wait(wait_s)

    def _say(self, part: str, health: Health) -> None:
        """How one part of the link is; the shop is well on the screen when all of them are."""
        with self._lock:
            was = self._parts.get(part, WELL)
            self._parts[part] = health
            worst = next((each for each in self._parts.values() if not each.is_well), WELL)
            if (was.code, was.detail) != (health.code, health.detail):
                say = log.info if health.is_well else log.warning
                say("shop_link", part=part, code=health.code, detail=health.detail)
            self._loop.post(lambda core: core.device("shop", worst))

    def _deliver(self) -> None:
        reader = self._reader()
        try:
            self._deliver_from(Outbox(self._shop, self._loop, reader))
        finally:
            reader.close()

    def _deliver_from(self, outbox: Outbox) -> None:
        backoff = Backoff(self._chance)
        reported_at = self._clock.monotonic()
        while not self._stop.is_set():
            is_time = self._clock.monotonic() - reported_at >= HEALTH_EVERY_S
            if is_time:
                # Before the facts: a shop that does not take those should hear of it all the more.
                self._post_health()
                reported_at = self._clock.monotonic()
            try:
                if is_time:
                    outbox.check()
                is_more = outbox.deliver()
            except ShopTrouble as trouble:
                if not self._stop.is_set():
                    self._say("facts", Health(trouble.code, trouble.detail))
                self._stop.wait(backoff.next(trouble))
                continue
            except JournalTrouble as trouble:
                log.warning("facts_wait_for_the_disk", code=trouble.code)
                self._stop.wait(LONGEST_WAIT_S)
                continue
            backoff.reset()
            if not self._parts.get("facts", WELL).is_well:
                self._say("facts", WELL)
            if not is_more:
                self._news.wait(5.0)
                self._news.clear()

    def _post_health(self) -> None:
        try:
            self._shop.report_health(self._report())
        except ShopTrouble as trouble:
            log.info("health_not_posted", code=trouble.code)
