"""A counter of stubs, all well, of which each test of the doctor breaks one thing."""

import threading
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from appliance.counter.config import parse
from appliance.counter.doctor import Drivers, Finding, Machine, diagnose
from appliance.domain.errors import ShopTrouble, TerminalTrouble
from appliance.domain.payment import Baseline
from appliance.ports import WELL, Seller, SellerList, ShopTraits, Snapshot, TerminalTraits


class StubTerminal:
    """A terminal that only says how it is; charging it would fail the test."""

    health = WELL
    recovers = True
    trouble: TerminalTrouble | None = None
    is_open = False
    closed = 0

    def traits(self):
        return TerminalTraits(self.recovers)

    def connect(self):
        if self.trouble:
            raise self.trouble
        self.is_open = True

    def close(self):
        self.closed += 1

    def check(self):
        return self.health

    def baseline(self):
        return Baseline("52500042", 17, 900)


class StubPrinter:
    health = WELL
    closed = 0

    def check(self):
        return self.health

    def close(self):
        self.closed += 1


class StubScanner:
    trouble: Exception | None = None
    opens = True
    ends = True

    def __init__(self):
        self._closed = threading.Event()

    def run(self, scanned, refused, opened=lambda: None):
        if self.trouble:
            raise self.trouble
        if self.opens:
            opened()
            scanned("KS-SECRET-BADGE")
        self._closed.wait(10)

    def close(self):
        if self.ends:
            self._closed.set()


class StubShop:
    trouble: ShopTrouble | None = None
    malformed: dict[str, str] = {}  # noqa: RUF012 - replaced, never changed
    sellers_list = SellerList("salt", 1, {"00": Seller("1", "Anna")})
    atomic = True
    closed = 0

    def traits(self):
        return ShopTraits(self.atomic)

    def snapshot(self, etag, wait_s):
        assert (etag, wait_s) == ("", 0)  # or it would wait, or be told nothing
        if self.trouble:
            raise self.trouble
        return Snapshot("e1", (), self.malformed)

    def sellers(self):
        return self.sellers_list

    def close(self):
        self.closed += 1


class Bench:
    """A whole counter that is well; each test breaks one thing of it."""

    def __init__(self, tmp_path: Path):
        self.root = tmp_path / "root"
        self.data = tmp_path / "data"
        self.data.mkdir()
        (self.data / "journal.sqlite3").touch()
        devices = self.root / "dev/kassa"
        devices.mkdir(parents=True)
        for name in ("terminal", "printer", "scanner"):
            (devices / name).symlink_to("/dev/null")  # a character device that everybody has
        # Any: these are ports as far as the doctor uses them.
        self.terminal: Any = StubTerminal()
        self.printer: Any = StubPrinter()
        self.scanner: Any = StubScanner()
        self.shop: Any = StubShop()
        self.config = parse(
            "[counter]\nname = 'C'\nrequire_seller = true\n"
            f"data_dir = '{self.data}'\n"
            "[shop]\nurl = 'https://shop.example'\npickup_point = 'p'\ntoken = 't'\n",
            "kassa.toml",
            names={},
            environ={},
        )
        self.drivers = Drivers(
            terminal=lambda: self.terminal,
            printer=lambda: self.printer,
            scanner=lambda: self.scanner,
            shop=lambda: self.shop,
            journal=lambda _: [],
            lock=nullcontext,
        )
        self.machine = Machine(
            root=self.root,
            has_user=lambda name: name == "kassa",
            now=lambda: datetime(2026, 3, 1, tzinfo=UTC),
            free_bytes=lambda _: 10**10,
            resolve=lambda host, port: None,
            dial=lambda host, port: None,
            listen=lambda host, port: None,
        )

    def findings(self) -> list[Finding]:
        found = diagnose(self.config, self.drivers, self.machine)
        for finding in found:
            assert finding.ok or finding.fix, f"no cure: {finding}"
        return found

    def failures(self) -> list[Finding]:
        return [finding for finding in self.findings() if not finding.ok]

    def failure(self) -> Finding:
        (found,) = self.failures()
        return found

    def advice(self) -> Finding:
        findings = self.findings()
        assert all(finding.ok for finding in findings)
        (found,) = [finding for finding in findings if finding.fix]
        return found


def raising(error):
    def make():
        raise error

    return make


def must_not_be_asked():
    pytest.fail("the doctor spoke to a device that the kiosk is using")
