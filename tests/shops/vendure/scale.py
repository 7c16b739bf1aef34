"""`make bench-vendure`: what kiosks cost a Vendure shop, as a table. Nothing here is asserted.

A real Vendure on loopback, with the plugin and without, with many open orders at one pickup point
(copies of one that a customer made, put into its database). Measured are requests, bytes and the
shop's own processor time, for one kiosk and for ten; a hundred are computed from one.

    .venv/bin/python -m tests.shops.vendure.scale [--orders 10 1000 10000] [--seconds 60]
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import random
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import structlog

from appliance.drivers.vendure_session import VendureOptions
from appliance.drivers.vendure_shop import VendureShop as VendureDriver
from appliance.drivers.vendure_watch import POLL_EVERY_S, RESYNC_EVERY_S, RESYNC_WITH_PLUGIN_S
from tests.shops.vendure.shop import VendureShop

PLACE = "scale"
POLLS = 20
KIOSKS = 10
FIRST_ID = 1_000_000
COPIED = {
    "order": "id",
    "order_channels_channel": "orderId",
    "shipping_line": "orderId",
    "order_line": "orderId",  # which points at a shipping line
    "payment": "orderId",
}


class Counting(httpx.BaseTransport):
    """Counts what goes over the line, and when it was asked."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()
        self.bytes = 0
        self.asked: list[float] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(time.monotonic())
        self.bytes += len(request.read())
        response = self._inner.handle_request(request)
        body = response.read()
        self.bytes += len(body)
        stream = httpx.ByteStream(body)
        return httpx.Response(response.status_code, headers=response.headers, stream=stream)

    def close(self) -> None:
        self._inner.close()


@dataclass
class Cost:
    """Of one thing that a kiosk does."""

    requests: float
    bytes: float
    cpu_s: float
    wall_s: float


class Kiosk:
    def __init__(self, shop: VendureShop, number: int) -> None:
        self.line = Counting()
        secret = f"mitte-{number}:secret-{number}"
        options = VendureOptions(shop.url, secret, PLACE, answer_timeout_s=120)
        self.link = VendureDriver(options, self.line, random.Random(number))


def processor(shop: VendureShop) -> float:
    """Seconds of processor time that the shop has used."""
    assert shop.process is not None
    text = Path(f"/proc/{shop.process.pid}/stat").read_text()
    values = text.rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")


def resident(shop: VendureShop) -> float:
    """MiB."""
    assert shop.process is not None
    text = Path(f"/proc/{shop.process.pid}/status").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def seed(shop: VendureShop, template: str, have: int, want: int) -> None:
    """Copies of the template order, from number `have` on."""
    for table, owner in COPIED.items():
        columns = [row["name"] for row in shop.sql(f'PRAGMA table_info("{table}")')]
        chosen = []
        for name in columns:
            if name == owner:
                chosen.append(f"{FIRST_ID} + i")
            elif name == "id":
                chosen.append(f"{FIRST_ID} + i * 10 + id % 10")
            elif name == "code" and table == "order":
                chosen.append("'SEED' || i")
            elif name == "shippingLineId":
                chosen.append(f"{FIRST_ID} + i * 10 + shippingLineId % 10")
            else:
                chosen.append(f'"{name}"')
        names = ", ".join(f'"{name}"' for name in columns)
        shop.sql(
            f"WITH RECURSIVE n(i) AS (SELECT {have} UNION ALL SELECT i + 1 FROM n"
            f" WHERE i + 1 < {want}) INSERT INTO \"{table}\" ({names})"
            f' SELECT {", ".join(chosen)} FROM "{table}", n WHERE "{owner}" = ?',
            template,
        )  # fmt: skip


def cost(shop: VendureShop, kiosk: Kiosk, times: int, etag: str) -> tuple[Cost, str]:
    """Of one look, over so many; with no ETag each is by a kiosk that has just been started."""
    cpu, begun = processor(shop), time.monotonic()
    requests, count = len(kiosk.line.asked), kiosk.line.bytes
    for _ in range(times):
        if etag:  # as kiosks do: the plugin answers two at the same time with one look
            time.sleep(0.6)
        snapshot = kiosk.link.snapshot(etag, 0)
        etag = snapshot.etag if snapshot else etag
    return Cost(
        (len(kiosk.line.asked) - requests) / times,
        (kiosk.line.bytes - count) / times,
        (processor(shop) - cpu) / times,
        (time.monotonic() - begun) / times,
    ), etag


def together(shop: VendureShop, seconds: float) -> tuple[float, float, list[float]]:
    """Ten kiosks for a while: the shop's processor time and requests per second, and the gaps
    between the polls of each kiosk."""
    kiosks = [Kiosk(shop, number) for number in range(1, KIOSKS + 1)]
    etags = []
    for kiosk in kiosks:
        found = kiosk.link.snapshot("", 0)
        assert found is not None
        etags.append(found.etag)
        kiosk.line.asked.clear()
    until = time.monotonic() + seconds
    cpu = processor(shop)

    def poll(kiosk: Kiosk, etag: str) -> None:
        while (left_s := until - time.monotonic()) >= 1.0:
            kiosk.link.snapshot(etag, int(min(25.0, left_s)))

    threads = [threading.Thread(target=poll, args=pair) for pair in zip(kiosks, etags, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used = processor(shop) - cpu
    asked = [kiosk.line.asked for kiosk in kiosks]
    gaps = [late - early for each in asked for early, late in itertools.pairwise(each)]
    for kiosk in kiosks:
        kiosk.link.close()
    return used / seconds, sum(map(len, asked)) / seconds, [gap for gap in gaps if gap > 0.5]


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def measure(shop: VendureShop, name: str, sizes: list[int], seconds: float) -> None:
    template, have = shop.place(pickup_point=PLACE), 1
    for size in sizes:
        seed(shop, template, have, size)
        have = size
        kiosk = Kiosk(shop, 1)
        kiosk.link.sellers()  # signed in
        full, etag = cost(shop, kiosk, 1, "")
        cost(shop, kiosk, 2, etag)
        idle, _ = cost(shop, kiosk, POLLS if size <= 1000 else 5, etag)
        kiosk.link.close()
        resync_s = RESYNC_WITH_PLUGIN_S if shop.plugin else RESYNC_EVERY_S
        per_s = idle.cpu_s / POLL_EVERY_S + full.cpu_s / resync_s
        ten, spread = "–", "–"
        if seconds:
            cpu, requests, gaps = together(shop, seconds)
            ten = f"{100 * cpu:.1f} ({requests:.1f} /s)"
            spread = f"{min(gaps):.1f} … {max(gaps):.1f}, {statistics.pstdev(gaps):.2f}"
        row(
            name, f"{size:,}",
            f"{idle.requests:g}, {idle.bytes / 1024:.1f}, {1000 * idle.cpu_s:.0f}",
            f"{full.requests:g}, {full.bytes / 1024:,.0f}, {1000 * full.cpu_s:,.0f}",
            f"{100 * per_s:.1f}", ten,
            f"{100 * 100 * per_s:,.0f}", spread, f"{resident(shop):.0f}",
        )  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, nargs="+", default=[10, 1000, 10_000])
    parser.add_argument("--seconds", type=float, default=60.0, help="ten kiosks poll; 0: none")
    parser.add_argument("--plugin", choices=("yes", "no"), nargs="+", default=["yes", "no"])
    chosen = parser.parse_args(arguments)
    print(f"load of this machine: {os.getloadavg()[0]:.1f}\n", flush=True)
    row("shop", "open orders", "an idle poll: requests, KiB, ms of the shop's processor",
        "a full resync: the same", "1 kiosk: % of a processor", "10 kiosks, measured",
        "100 kiosks, computed", "s between polls: range, deviation", "the shop's MiB")  # fmt: skip
    row(*["---"] * 9)
    for plugin in [word == "yes" for word in chosen.plugin]:
        with (
            tempfile.TemporaryDirectory() as folder,
            VendureShop(Path(folder), plugin=plugin) as shop,
        ):
            name = "with the plugin" if plugin else "without"
            measure(shop, name, sorted(chosen.orders), chosen.seconds)
    print(f"\nload of this machine at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
