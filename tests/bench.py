"""`make bench`: how fast the running counter is, as a table. Nothing here is asserted.

The program runs as it does on the box (`kassa run`, durable steps included), on simulated devices
over ptys and a shop on loopback. Each figure is p50 / p95 over RUNS runs; everything is measured
once with an empty journal and once with a journal of a million facts.

    .venv/bin/python -m tests.bench [--runs 200] [--facts 1000000] [--no-browser]
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from appliance.counter.journal import Journal
from appliance.domain.facts import Draft, Json, Kind
from appliance.protocols.shopapi import FactMessage
from tests.rig import Kiosk, Rig, until

FACTS_A_HANDOVER = 12
# What a document begins with (ESC @). Any byte would not do: the driver asks the printer for its
# status before each document and every ten seconds besides.
DOCUMENT = b"\x1b@"
WARM_UP = 5  # runs that do not count
BEATEN = {
    "command → first byte at the terminal": "1.4 / 5.6",
    "print command → first byte at the printer": "2.6 / 7.6",
    "scan → order on the screen": "– / 25",
    "memory, all loaded, PSS": "64",
    "memory, all loaded, as if alone": "64",
    "cold start → first answer": "1000",
}


@dataclass
class Watch:
    """When the first byte arrives at a far end after `arm`; `wants`: only bytes that have these."""

    armed: bool = False
    wants: bytes = b""
    at: float | None = None
    seen: bytearray = field(default_factory=bytearray)

    def arm(self, wants: bytes = b"") -> None:
        self.seen.clear()
        self.at, self.wants, self.armed = None, wants, True

    def feed(self, data: bytes) -> None:
        if not self.armed or not data:
            return
        self.seen += data
        if self.wants in self.seen:
            self.at, self.armed = time.monotonic(), False

    def wait(self) -> float:
        until(lambda: self.at is not None, "the far end has it")
        assert self.at is not None
        return self.at


class Table:
    def __init__(self) -> None:
        self.rows: dict[str, dict[str, str]] = {}

    def times(self, name: str, column: str, seconds: list[float]) -> None:
        values = sorted(1000 * value for value in seconds)
        p95 = values[min(int(len(values) * 0.95), len(values) - 1)]
        self.put(f"{name} [ms]", column, f"{statistics.median(values):.2f} / {p95:.2f}")

    def put(self, name: str, column: str, text: str) -> None:
        self.rows.setdefault(name, {})[column] = text
        print(f"  {name:58} {column:>12}: {text}", flush=True)

    def show(self, columns: list[str]) -> None:
        print()
        print(
            f"| {'figure, p50 / p95':58} | "
            + " | ".join(f"{c:>16}" for c in columns)
            + " | to beat |"
        )
        print("|---|" + "---|" * (len(columns) + 1))
        for name, cells in self.rows.items():
            beaten = next((text for key, text in BEATEN.items() if name.startswith(key)), "")
            print(
                f"| {name:58} | "
                + " | ".join(f"{cells.get(c, ''):>16}" for c in columns)
                + f" | {beaten} |"
            )


def fill(rig: Rig, count: int) -> None:
    """A journal with so many facts of handovers that are over and delivered."""
    path = rig.data / "journal.sqlite3"
    path.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(path, lambda: "2026-01-01T09:00:00.000Z")
    snapshot: Json = {"id": "o", "lines": ["x" * 80] * 4}
    while journal.last < count:
        drafts = []
        for number in range(100):
            subject = f"H-fill-{journal.last + number * FACTS_A_HANDOVER:09d}"
            drafts += [Draft(Kind.OPENED, subject, {"order": subject, "snapshot": snapshot})]
            payment = f"{subject}-1"
            body: dict[str, Json] = {"order": subject, "payment": payment, "amount": 1290}
            drafts += [Draft(Kind.CLAIM_ASKED, subject, body)] * (FACTS_A_HANDOVER - 2)
            drafts += [Draft(Kind.HANDED_OVER, subject, body)]
        journal.append(drafts)
        journal.delivered(journal.last)
    journal.settle()
    # A shop that did not know the newest of them would be told all of them again.
    newest = FactMessage(
        journal.newest_delivered(), "bench.filled", "H-fill", "2026-01-01T09:00:00.000Z"
    )
    journal.close()
    assert rig.shop.store.take_facts("mitte-1", [newest]) is None


@contextmanager
def watched(rig: Rig) -> Iterator[tuple[Watch, Watch, Watch]]:
    """Watches on what the terminal reads, what it writes, and what the printer reads."""
    to_terminal, from_terminal, to_printer = Watch(), Watch(), Watch()
    read, write, os_read = rig.terminal.port.read, rig.terminal.port.write, os.read
    cable: Any = rig.printer._cable

    def terminal_read() -> bytes:
        data = read()
        to_terminal.feed(data)
        return data

    def terminal_write(data: bytes) -> int:
        from_terminal.feed(data)
        return write(data)

    def printer_read(descriptor: int, count: int) -> bytes:
        data = os_read(descriptor, count)
        if descriptor == cable.descriptor:
            to_printer.feed(data)
        return data

    port: Any = rig.terminal.port
    port.read, port.write, os.read = terminal_read, terminal_write, printer_read
    try:
        yield to_terminal, from_terminal, to_printer
    finally:
        port.read, port.write, os.read = read, write, os_read


def handovers(rig: Rig, kiosk: Kiosk, table: Table, column: str, runs: int) -> None:
    """Whole handovers: the approval's way to the paper and to the shop, and the disk's part."""
    command, claimed, to_paper, to_shop, reprint = (list[float]() for _ in range(5))
    told: dict[str, float] = {}
    take = rig.shop.store.take_facts

    def take_facts(who: str, facts: Any, after: Any) -> Any:
        result = take(who, facts, after)
        for fact in facts:
            if fact.kind == "payment.approved":
                told[fact.subject] = time.monotonic()
        return result

    claim_answered: list[float] = []
    claim = rig.shop.store.claim

    def claim_order(*arguments: Any) -> Any:
        result = claim(*arguments)
        claim_answered.append(time.monotonic())
        return result

    store: Any = rig.shop.store
    store.take_facts, store.claim = take_facts, claim_order
    disk_before = 0
    with watched(rig) as (to_terminal, from_terminal, to_printer):
        is_warm = False
        while not is_warm or len(reprint) < runs:
            if not is_warm and len(reprint) == WARM_UP:
                for figures in (command, claimed, to_paper, to_shop, reprint):
                    figures.clear()
                disk_before, is_warm = written(kiosk), True
            order = rig.shop.store.add_random_order("mitte")
            row = rig.shop.state()["orders"][order]
            rig.scanner.scan(row["codes"][0])
            kiosk.at("order", "hand_over")
            if kiosk.page() == "hand_over":  # a sample that was paid online
                kiosk.do("confirm")
                kiosk.at("idle")
                continue
            to_terminal.arm()
            seq = kiosk.seq()
            begun = time.monotonic()
            kiosk.do("confirm", seq=seq)
            command.append(to_terminal.wait() - begun)
            claimed.append(to_terminal.wait() - claim_answered[-1])
            until(lambda: rig.terminal.state()["waits_for"] == "card", "the terminal waits")
            from_terminal.arm(b"\x04\x0f")
            to_printer.arm(DOCUMENT)
            before, known = set(told), len(told)
            rig.terminal.tap()
            approved = from_terminal.wait()
            to_paper.append(to_printer.wait() - approved)
            until(lambda seen=known: len(told) > seen, "the shop knows")  # type: ignore[misc]
            to_shop.append(told[(set(told) - before).pop()] - approved)
            kiosk.at("hand_over")
            until(lambda: kiosk.printed(), "the receipt is printed")
            to_printer.arm(DOCUMENT)
            seq = kiosk.seq()
            begun = time.monotonic()
            kiosk.do("reprint", seq=seq)
            reprint.append(to_printer.wait() - begun)
            until(lambda: kiosk.printed(), "the copy is printed")
            kiosk.do("confirm")
            kiosk.at("idle")
    store.take_facts, store.claim = take, claim
    per_handover = (written(kiosk) - disk_before) / max(len(command), 1)
    table.times("command → first byte at the terminal, claim at the shop included", column, command)
    table.times("claim answered → first byte at the terminal", column, claimed)
    table.times("print command → first byte at the printer", column, reprint)
    table.times("terminal's approval → receipt's first byte", column, to_paper)
    table.times("terminal's approval → fact at the shop", column, to_shop)
    table.put(
        "written to disk per handover with one reprint [KiB]", column, f"{per_handover / 1024:.1f}"
    )


def written(kiosk: Kiosk) -> int:
    """Bytes that the kiosk's processes have caused to be written."""
    total = 0
    for pid in kiosk.pids():
        for line in Path(f"/proc/{pid}/io").read_text().splitlines():
            if line.startswith("write_bytes"):
                total += int(line.split()[1])
    return total


def memory(kiosk: Kiosk) -> int:
    """PSS of all the kiosk's processes, in bytes."""
    total = 0
    for pid in kiosk.pids():
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def alone(kiosk: Kiosk) -> int:
    """What `memory` would be if no other program used Python: PSS charges a page of the
    interpreter to all who share it, and this program, and every other Python here, does."""
    private, shared = 0.0, dict[tuple[str, str], int]()
    for pid in kiosk.pids():
        text = Path(f"/proc/{pid}/smaps").read_text()
        for entry in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", text):
            head, *lines = entry.splitlines()
            sizes = {key: int(value.split()[0]) for key, value in
                     (line.split(":", 1) for line in lines if line.endswith(" kB"))}  # fmt: skip
            resident, anonymous = sizes["Rss"], sizes["Anonymous"]
            # Only the kiosk's own two processes share what is anonymous, so its PSS is right.
            private += sizes["Pss"] * anonymous / resident if resident else 0
            offset, inode = head.split()[2], head.split()[4]
            part = (inode, offset)
            shared[part] = max(shared.get(part, 0), resident - anonymous)
    return round((private + sum(shared.values())) * 1024)


def screen(rig: Rig, kiosk: Kiosk, table: Table, column: str, runs: int) -> None:
    """Scan → order on the screen, in Chromium: to the frame that shows it."""
    from playwright.sync_api import sync_playwright

    from tests.e2e.conftest import chromium

    code = rig.shop.state()["orders"]["10001"]["codes"][0]
    scanned = f"{code}\r".encode()  # without the time in which a scanner decodes
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(kiosk.origin)
        page.evaluate(
            """() => { window.shown = null; const look = () => {
              const s = document.querySelector('[data-page="order"]');
              if (s && !window.shown) requestAnimationFrame(() => {
                window.shown = performance.timeOrigin + performance.now(); });
              if (!s) window.shown = null; };
            new MutationObserver(look).observe(document.documentElement,
              {subtree: true, childList: true, attributes: true}); }"""
        )
        found = []
        for number in range(runs + WARM_UP):
            page.wait_for_selector('[data-page="idle"]')
            page.wait_for_timeout(120)
            begun = time.time() * 1000  # before the scan: the kiosk may be faster than we are
            rig.scanner.send(scanned)
            page.wait_for_selector('[data-page="order"]')
            shown = until(lambda: page.evaluate("window.shown"), "the frame is drawn")
            if number >= WARM_UP:
                found.append((shown - begun) / 1000)
            kiosk.do("cancel")
        browser.close()
    table.times("scan → order on the screen", column, found)


def commits(folder: Path, table: Table, column: str, runs: int) -> None:
    """What one durable step costs on this disk at the least. A command to the terminal has two of
    them before its first byte (claim asked; claimed and started), a copy one (queued), and from
    the approval to its receipt there are five; peers, whose figures are to be beaten, have none."""
    found = []
    database = sqlite3.connect(folder / "commits.sqlite3", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE fact (body TEXT)")
    for _ in range(runs):
        begun = time.monotonic()
        database.execute("INSERT INTO fact VALUES (?)", ("x" * 500,))
        found.append(time.monotonic() - begun)
    database.close()
    table.times("for comparison: one synced commit on this disk", column, found)


def processor(kiosk: Kiosk) -> float:
    """Seconds of processor time that the kiosk has used."""
    ticks = 0
    for pid in kiosk.pids():
        values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(values[11]) + int(values[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def cold_start(kiosk: Kiosk, table: Table, column: str, runs: int) -> None:
    found, used = [], []
    for _ in range(runs):
        kiosk.kill()
        begun = time.monotonic()
        kiosk.start()
        found.append(time.monotonic() - begun)
        used.append(processor(kiosk))
    table.times(f"cold start → first answer ({runs} runs)", column, found)
    # The same whatever else this machine does, so this is where growth would show.
    table.times("processor time of that", column, used)


def measure(table: Table, column: str, facts: int, chosen: argparse.Namespace) -> None:
    print(f"\n{column}; load of this machine: {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        with Rig(folder) as rig:
            if facts:
                fill(rig, facts)
            with Kiosk(rig) as kiosk:
                until(kiosk.is_well, "all is well")
                handovers(rig, kiosk, table, column, chosen.runs)
                if not chosen.no_browser:
                    screen(rig, kiosk, table, column, chosen.runs)
                table.put("memory, all loaded, PSS [MiB]", column, f"{memory(kiosk) / 2**20:.1f}")
                table.put(
                    "memory, all loaded, as if alone [MiB]", column, f"{alone(kiosk) / 2**20:.1f}"
                )
                cold_start(kiosk, table, column, chosen.starts)
                commits(folder, table, column, chosen.runs)
    print(f"  load of this machine at the end: {os.getloadavg()[0]:.1f}", flush=True)


def main(arguments: list[str] | None = None) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--facts", type=int, default=1_000_000)
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--folder", help="where the data is put: a real disk, not a tmpfs")
    chosen = parser.parse_args(arguments)
    table = Table()
    columns = ["empty journal"]
    measure(table, columns[0], 0, chosen)
    if chosen.facts:
        columns.append(f"{chosen.facts:,} facts")
        measure(table, columns[1], chosen.facts, chosen)
    table.show(columns)


if __name__ == "__main__":
    main()
