"""The terminal's thread, on a terminal that hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from appliance.counter.clock import SystemClock
from appliance.counter.workers import TerminalWorker
from appliance.domain.payment import Baseline
from appliance.ports import WELL, Health
from tests.rig import until


class HangingTerminal:
    """Answers each question for its last transaction when it is let."""

    def __init__(self) -> None:
        self.may_answer = threading.Semaphore(0)
        self.asked = 0

    def check(self) -> Health:
        return WELL

    def connect(self) -> None:
        """It is."""

    def close(self) -> None:
        """Nothing is held."""

    def baseline(self) -> Baseline:
        self.asked += 1
        self.may_answer.acquire(timeout=30)
        return Baseline("1")


class Answers:
    """workers.Loop: notes for which handovers the terminal is ready."""

    def __init__(self) -> None:
        self.ready: list[str] = []
        self.charging = self

    def prepared(self, handover: str, result: object) -> None:
        self.ready.append(handover)

    def device(self, name: str, health: Health) -> None:
        """Not of interest."""

    def post(self, event: Callable[[Any], object]) -> None:
        event(self)


@contextmanager
def working(terminal: HangingTerminal, answers: Answers) -> Iterator[TerminalWorker]:
    worker = TerminalWorker(terminal, answers, SystemClock())  # type: ignore[arg-type]
    worker.start()
    try:
        yield worker
    finally:
        terminal.may_answer.release(50)
        assert worker.stop(30)


def test_a_seller_who_tries_again_and_again_fills_no_queue() -> None:
    terminal, answers = HangingTerminal(), Answers()
    with working(terminal, answers) as worker:
        worker.prepare("H-0")
        until(lambda: terminal.asked == 1, "the first is asked for")
        for number in range(1, 40):
            worker.prepare(f"H-{number}")
        terminal.may_answer.release(2)
        until(lambda: answers.ready == ["H-0", "H-39"], "only the newest waited")
        worker.prepare("H-40")
        terminal.may_answer.release()
        until(lambda: answers.ready[-1] == "H-40", "and it goes on")
