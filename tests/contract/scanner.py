"""What every scanner driver owes, whatever it drives. See appliance/ports.py.

A test class inherits ScannerContract and gives a `rig`.
"""

from __future__ import annotations

import os
import queue
import threading
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from appliance.domain.errors import Code, ScannerTrouble
from appliance.ports import Scanner

WAIT_S = 10.0


class ScannerRig(ABC):
    """A driver with the far end that can scan and be pulled out. path: its name, a link."""

    scanner: Scanner
    path: Path

    @abstractmethod
    def scan(self, text: str) -> None:
        """As a person does: not within GLUED_S of the one before."""

    @abstractmethod
    def scan_evil(self) -> None:
        """A barcode with control characters."""

    @abstractmethod
    def pull_out(self) -> None: ...

    @abstractmethod
    def plug_in(self) -> None: ...


class Running:
    """A driver's `run` on a thread of its own, as the counter has it."""

    def __init__(self, scanner: Scanner) -> None:
        self.heard: queue.Queue[tuple[str, str]] = queue.Queue()
        self.ended: queue.Queue[ScannerTrouble | None] = queue.Queue()
        self._scanner = scanner
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._scanner.run(
                lambda text: self.heard.put(("scanned", text)),
                lambda why: self.heard.put(("refused", why)),
                lambda: self.heard.put(("opened", "")),
            )
        except ScannerTrouble as trouble:
            self.ended.put(trouble)
        else:
            self.ended.put(None)

    def next(self) -> tuple[str, str]:
        return self.heard.get(timeout=WAIT_S)

    def end(self) -> ScannerTrouble | None:
        end = self.ended.get(timeout=WAIT_S)
        self._thread.join(WAIT_S)
        return end


class ScannerContract(ABC):
    @pytest.fixture
    @abstractmethod
    def rig(self) -> ScannerRig: ...

    @pytest.fixture
    def running(self, rig):
        running = Running(rig.scanner)
        assert running.next() == ("opened", "")
        yield running
        rig.scanner.close()

    def test_codes_are_heard_in_order(self, rig, running):
        for code in ("A-1", "4820010123456", "KASSA-CONFIRM"):
            rig.scan(code)
            assert running.next() == ("scanned", code)

    def test_control_characters_are_refused_and_the_next_code_is_heard(self, rig, running):
        rig.scan_evil()
        assert running.next()[0] == "refused"
        rig.scan("A-1")
        assert running.next() == ("scanned", "A-1")

    def test_close_ends_it_without_trouble(self, rig, running):
        rig.scanner.close()
        assert running.end() is None
        rig.scanner.close()

    def test_closed_before_it_runs_it_returns_at_once(self, rig):
        rig.scanner.close()
        running = Running(rig.scanner)
        assert running.end() is None

    def test_pulled_out_is_trouble_and_plugged_in_it_runs_again(self, rig, running):
        rig.pull_out()
        trouble = running.end()
        assert trouble is not None
        assert trouble.code is Code.SCANNER_GONE
        absent = Running(rig.scanner).end()
        assert absent is not None
        assert absent.code is Code.SCANNER_GONE
        rig.plug_in()
        again = Running(rig.scanner)
        assert again.next() == ("opened", "")
        rig.scan("A-1")
        assert again.next() == ("scanned", "A-1")
        rig.scanner.close()
        assert again.end() is None

    @pytest.mark.parametrize("scans", [False, True])
    def test_whose_name_leads_elsewhere_is_not_heard_any_more(self, rig, running, scans):
        rig.path.unlink()
        rig.path.symlink_to(os.devnull)
        if scans:
            rig.scan("A-1")
        trouble = running.end()
        assert trouble is not None
        assert trouble.code is Code.SCANNER_GONE
        assert running.heard.empty()

    def test_whose_name_is_taken_away_is_not_heard_any_more(self, rig, running):
        rig.path.unlink()
        trouble = running.end()
        assert trouble is not None
        assert trouble.code is Code.SCANNER_GONE
