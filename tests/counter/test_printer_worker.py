"""The printer's thread against printers that break off, without a counter around it."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from appliance.counter import workers
from appliance.counter.state import Job
from appliance.counter.workers import PrinterWorker
from appliance.domain.errors import Code, PrinterTrouble
from appliance.domain.receipt import Document, Text
from appliance.ports import WELL, Health

DOCUMENT = Document((Text("a"),))


class Papers:
    """What the worker asks of the core, at once."""

    def __init__(self, count=1):
        jobs = {
            f"P-{number}": Job(f"P-{number}", "H", "receipt", DOCUMENT) for number in range(count)
        }
        self.state = SimpleNamespace(jobs=jobs)
        self.papers = self
        self.done = []

    def began(self, job_id):
        self._change(job_id, began=True)

    def failed(self, job_id, code):
        self._change(job_id, code=str(code))

    def printed(self, job_id):
        del self.state.jobs[job_id]
        self.done.append(job_id)

    def device(self, *_):
        pass

    def _change(self, job_id, **values):
        job = self.state.jobs[job_id]
        old = {
            name: getattr(job, name)
            for name in ("id", "handover", "what", "document", "began", "code")
        }
        self.state.jobs[job_id] = Job(**(old | values))

    def post(self, event):
        event(self)

    def ask(self, event):
        return event(self)

    def fail(self, what):
        pytest.fail(what)


class Printer:
    """troubles: what each print comes to, after its first byte; then all is well."""

    def __init__(self, *troubles, health=WELL):
        self.troubles, self.health, self.began = list(troubles), health, []

    def check(self):
        return self.health

    def print(self, document, began):
        if not self.health.is_well:
            raise PrinterTrouble(self.health.code, "")
        began()
        self.began.append(time.monotonic())
        if self.troubles:
            raise PrinterTrouble(self.troubles.pop(0), "")

    def close(self):
        pass


def run(printer, papers, condition, wait_s=10.0):
    worker = PrinterWorker(printer, papers, "en")
    for job in list(papers.state.jobs.values()):
        worker.print(job)
    worker.start()
    until = time.monotonic() + wait_s
    try:
        while not condition() and time.monotonic() < until:
            time.sleep(0.005)
    finally:
        assert worker.stop(10.0)


def test_a_paper_that_breaks_off_each_time_does_not_use_up_the_roll(monkeypatch):
    """The printer says that it is well, and the next paper breaks off as well."""
    monkeypatch.setattr(workers, "PRINT_AGAIN_S", 0.02)
    printer, papers = Printer(*[Code.PRINTER_FAULT] * 100), Papers()
    run(printer, papers, lambda: False, wait_s=1.5)
    assert 3 <= len(printer.began) <= 8, "each pause is twice the one before"


def test_a_cause_that_is_seen_and_gone_is_no_reason_to_wait_longer(monkeypatch):
    monkeypatch.setattr(workers, "PRINT_AGAIN_S", 0.02)
    printer, papers = Printer(*[Code.NO_PAPER] * 5), Papers()
    seen = []

    def check():
        # Out of paper when looked at first after each break, well at the second look.
        seen.append(1)
        return Health(Code.NO_PAPER) if len(seen) % 2 else WELL

    monkeypatch.setattr(printer, "check", check)
    started = time.monotonic()
    run(printer, papers, lambda: papers.done)
    assert papers.done == ["P-0"]
    assert time.monotonic() - started < 1.0


def test_a_burst_comes_out_whole_and_in_order(monkeypatch):
    monkeypatch.setattr(workers, "PRINT_AGAIN_S", 0.02)
    printer, papers = Printer(Code.PRINTER_GONE, Code.COVER_OPEN), Papers(6)
    run(printer, papers, lambda: len(papers.done) == 6)
    assert papers.done == [f"P-{number}" for number in range(6)]
    assert len(printer.began) == 8
