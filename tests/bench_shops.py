"""What a counter asks of a WooCommerce shop: requests and bytes, idle and when it reads all anew.

`make bench-shops` prints the table that docs/shops/woocommerce.md has. Requests and bytes are
counted at the fake, whose answers have the real one's fields; the time that a real server takes is
not measured here. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from appliance.drivers.woocommerce_poll import RESYNC_S
from appliance.drivers.woocommerce_shop import WooCommerceShop, WooOptions
from appliance.simulators.woocommerce import FakeWoo
from appliance.simulators.woocommerce.samples import HAFEN, MITTE, blocks, line, order

KIOSKS = (1, 10, 100)
POLL_S = 10.0
EMPTY_POLL_CPU_S = 0.030
"""Of a real server, for a poll without changes: measured on WooCommerce, docs/shops/woocommerce.md.
"""


@contextmanager
def link(fake: FakeWoo, poll_s: float = 0.01) -> Iterator[WooCommerceShop]:
    options = WooOptions(fake.url, "ck_mitte1:cs_mitte1", MITTE, "Counter 1", poll_s=poll_s)
    shop = WooCommerceShop(options)
    try:
        yield shop
    finally:
        shop.close()


def asked(fake: FakeWoo, since: int) -> tuple[int, int]:
    """Requests and bytes of answers."""
    new = fake.requests[since:]
    return len(new), sum(size for _, _, size in new)


def costs(count: int) -> tuple[tuple[int, int], tuple[int, int], int, tuple[int, int]]:
    """Of so many open orders: reading all at the start, an idle poll, a poll with one change, and
    the list that is read again every few minutes."""
    clock = [1_785_000_000.0]
    with FakeWoo(clock=lambda: clock[0]) as fake:
        mug, tea = line("Becher Nordlicht", "12.90", 2, sku="MUG-02"), line("Tee", "7.49", 3)
        for number in range(count):
            clock[0] += 20
            fake.store.create(order(blocks(MITTE if number % 10 == 0 else HAFEN), mug, tea))
        clock[0] += 3600
        with link(fake) as shop:
            shop.traits()
            first = shop.snapshot("", 0)
            assert first is not None
            since = len(fake.requests)
            assert shop.snapshot("", 0) is not None
            everything = asked(fake, since)
            since = len(fake.requests)
            time.sleep(0.02)
            assert shop.snapshot(first.etag, 0) is None
            idle = asked(fake, since)
            fake.store.update(13, {"status": "cancelled"})
            since = len(fake.requests)
            time.sleep(0.02)
            assert shop.snapshot(first.etag, 5) is not None
            change = asked(fake, since)[1]
            since = len(fake.requests)
            shop._open._resync_at = 0.0
            time.sleep(0.02)
            shop.snapshot(first.etag, 0)
            return everything, idle, change, asked(fake, since)


def spread(kiosks: int, poll_s: float, seconds: float) -> tuple[list[float], int, float]:
    """Intervals between the polls of each of so many counters that start at once; and of the
    second half of the time the busiest tenth of a poll's interval against the mean."""
    with FakeWoo() as fake:
        at: list[list[float]] = [[] for _ in range(kiosks)]
        until = time.monotonic() + seconds

        def run(number: int) -> None:
            with link(fake, poll_s) as shop:
                shop._plugin.is_there()
                ask = shop._open._http.ask

                def noted(*words: object, **more: object) -> object:
                    at[number].append(time.monotonic())
                    return ask(*words, **more)  # type: ignore[arg-type]

                shop._open._http.ask = noted  # type: ignore[method-assign,assignment]
                snapshot = shop.snapshot("", 0)
                while snapshot is not None and time.monotonic() < until:
                    shop.snapshot(snapshot.etag, 1)

        threads = [threading.Thread(target=run, args=(n,)) for n in range(kiosks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    gaps = [b - a for each in at for a, b in itertools.pairwise(each)]
    window = poll_s / 10
    half = until - seconds / 2
    late = sorted(moment for each in at for moment in each if half <= moment < until)
    busiest = max(sum(1 for m in late if a <= m < a + window) for a in late)
    return gaps, busiest, len(late) / (seconds / 2) * window


def main(arguments: list[str] | None = None) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, nargs="*", default=[10, 1000, 10_000])
    parser.add_argument("--kiosks", type=int, default=20, help="at once, for the spread")
    parser.add_argument("--seconds", type=float, default=20.0)
    chosen = parser.parse_args(arguments)
    print("| open orders | idle poll | poll with a change | at the start | every 5 minutes |")
    print("|---|---|---|---|---|")
    rows = []
    for count in chosen.orders:
        everything, idle, change, again = costs(count)
        rows.append((count, again, idle))
        print(
            f"| {count:,} | {idle[0]} request, {idle[1]} B | {change / 1000:.1f} KB |"
            f" {everything[0]} requests, {everything[1] / 1000:,.0f} KB |"
            f" {again[0]} requests, {again[1] / 1000:,.0f} KB |",
            flush=True,
        )
    print("\n| open orders | counters | requests a minute | bytes an hour | idle polls, CPU |")
    print("|---|---|---|---|---|")
    for count, (requests, size), idle in rows:
        for kiosks in KIOSKS:
            per_minute = kiosks * (60 / POLL_S + requests * 60 / RESYNC_S)
            per_hour = kiosks * (idle[1] * 3600 / POLL_S + size * 3600 / RESYNC_S)
            load = kiosks / POLL_S * EMPTY_POLL_CPU_S
            print(
                f"| {count:,} | {kiosks} | {per_minute:,.0f} | {per_hour / 1e6:,.1f} MB |"
                f" {load:.1%} of a core |"
            )
    gaps, busiest, mean = spread(chosen.kiosks, 0.5, chosen.seconds)
    print(
        f"\n{chosen.kiosks} counters that start at once, poll_s = 0.5, {chosen.seconds:g} s: "
        f"{len(gaps)} intervals of {min(gaps):.2f} to {max(gaps):.2f} s, median "
        f"{statistics.median(gaps):.2f} s; busiest tenth of an interval {busiest} polls, "
        f"mean {mean:.1f}"
    )


if __name__ == "__main__":
    main()
