"""A simulated fleet: boxes in all the states that an alert is meant for, told of by the real code.

Each box is a function of time, so that a history of hours takes seconds to tell.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from appliance.counter.commands import Answer
from appliance.counter.machine_metrics import THROTTLED, Machine, measure
from appliance.counter.metrics import Beside, Metrics
from appliance.counter.screen import Action
from appliance.counter.update_state import Update
from appliance.domain.facts import Fact, Kind
from appliance.serve_metrics import figures
from tests.fleet.machines import machine, put

DAY_S = 86_400.0
PROBE = "run/kassa-machine/write-probe"
WELL: dict[str, object] = {
    "status": "ok",
    "code": None,
    "devices": {"terminal": "ok", "printer": "ok", "scanner": "ok", "shop": "ok"},
    "attention": 0,
    "undelivered": 0,
    "handed_over_today": 40,
    "loop_age_s": 0.3,
    "browser_age_s": 4.0,
}


@dataclass(frozen=True)
class Box:
    """One counter and its machine. alerts: what it should cause, and nothing else. health, beside:
    what differs from a healthy counter, given the minutes that passed. files: what differs of its
    machine. clock_s: how far its clock is off. free_bytes: of its data
    partition. is_up, is_reached: the counter, and the box."""

    name: str
    alerts: frozenset[str] = frozenset()
    health: Callable[[float], dict[str, object]] = lambda minutes: {}
    beside: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str | None] = field(default_factory=dict)
    probed_ago_s: float = 60.0
    clock_s: float = 0.0
    free_bytes: int = 8 << 30
    is_up: bool = True
    is_reached: bool = True


def _box(name: str, *alerts: str, **changes: Any) -> Box:
    return Box(name, frozenset(alerts), **changes)


def _devices(**states: str) -> dict[str, object]:
    return {"status": "degraded", "devices": {**dict.fromkeys(WELL["devices"], "ok"), **states}}  # type: ignore[call-overload]


FLEET = (
    _box("well-1"),
    _box("well-2"),
    # Busy, but well: what it has waits for a moment only.
    _box("busy", health=lambda minutes: {"undelivered": int(minutes) % 3}),
    _box("silent", "KassaSilent", is_reached=False),
    _box("down", "KassaCounterDown", is_up=False),
    _box("failing", "KassaCounterDown",
         health=lambda minutes: {"status": "failing", "code": "K-JRN-02"}),
    _box("dark", "KassaScreenDark", health=lambda minutes: {"browser_age_s": 60 * minutes + 400}),
    _box("no-terminal", "KassaDeviceDown", health=lambda minutes: _devices(terminal="K-PAY-02")),
    _box("outbox", "KassaOutboxGrowing", health=lambda minutes: {"undelivered": 5 + int(minutes)}),
    _box("attention", "KassaAttentionWaiting",
         health=lambda minutes: {"status": "degraded", "attention": 2}),
    _box("unknown", "KassaPaymentUnknown", "KassaAttentionWaiting",
         health=lambda minutes: {"attention": 1}, beside={"payments_unknown": 1}),
    _box("paper-low", "KassaPaperLow", beside={"is_paper_low": True}),
    _box("paper-out", "KassaPaperLow", "KassaDeviceDown",
         health=lambda minutes: _devices(printer="K-PRN-02")),
    _box("ext4", "KassaStorageErrors", "KassaStorageMisused",
         files={"sys/fs/ext4/mmcblk0p3/errors_count": "3",
                "run/kassa-machine/storage": "the file system on mmcblk0p3 has errors\n"}),
    _box("slow", "KassaStorageSlow", files={PROBE: "ok 4.20"}),
    _box("unwritable", "KassaStorageSlow", files={PROBE: "failed 0.00"}),
    _box("unprobed", "KassaStorageProbeMissing", probed_ago_s=3 * 3600),
    _box("worn", "KassaStorageWorn",
         files={"sys/block/mmcblk0/device/life_time": "0x0a 0x02"}),
    _box("spent", "KassaStorageWorn", files={"sys/block/mmcblk0/device/pre_eol_info": "0x02"}),
    _box("weak", "KassaUndervoltage", files={THROTTLED[0]: "50005"}),
    _box("was-weak", "KassaUndervoltage", files={THROTTLED[0]: "50000"}),
    _box("full", "KassaStorageFull", free_bytes=100 << 20),
    _box("late", "KassaClockOff", clock_s=-300.0),
    _box("unset", "KassaClockOff", files={"run/systemd/timesync/synchronized": None}),
    _box("expiring", "KassaCertificateExpiring", beside={"certificates": 5 * DAY_S}),
    _box("stuck", "KassaUpdateFailed", beside={"update": Update("failed", 1.0)}),
)  # fmt: skip


class Teller:
    """What one box would tell, at one time after the other. folder: for its machine's files. end:
    the Unix time at which its history ends."""

    def __init__(self, box: Box, folder: Path, end: float) -> None:
        self.box, self._folder, self._end = box, folder, end
        self._metrics = Metrics()
        self._n = 0
        self._probe = "ok 0.03"
        self._files = machine(folder)
        for name, content in box.files.items():
            if name == PROBE:
                self._probe = str(content)
            elif content is None:
                (folder / name).unlink()
            else:
                put(folder, name, content)

    def tell(self, at: float, minutes: float) -> bytes:
        """What it answers at this Unix time."""
        counter = self._counter(minutes) if self.box.is_up else None
        return figures(counter, measure(self._machine(at)))

    def _counter(self, minutes: float) -> bytes:
        metrics, box = self._metrics, self.box
        self._n += 1
        metrics.commands.labels(Action.CONFIRM, Answer.DONE).inc()
        metrics.command_seconds.observe(0.004)
        metrics.charges.inc()
        if self._n % 7 == 0:
            metrics.doubts.inc()
        kinds = (Kind.DECLINED,) if self._n % 5 == 0 else (Kind.APPROVED, Kind.HANDED_OVER)
        metrics.written(Fact(f"F-{self._n}", kind, "H-1", "") for kind in kinds)
        known: dict[str, Any] = {
            "payments_unknown": 0,
            "is_paper_low": False,
            "update": Update("ok", self._end - 10 * DAY_S),
            "certificates": 60 * DAY_S,
            **box.beside,
        }
        known["certificates"] = {"shop": self._end + known["certificates"]}
        return metrics.text({**WELL, **box.health(minutes)}, Beside(**known))

    def _machine(self, at: float) -> Machine:
        probed = at - self.box.probed_ago_s
        put(self._folder, PROBE, f"{self._probe} {probed:.0f}\n")
        return replace(self._files, now=lambda: at + self.box.clock_s, room=self._room)

    def _room(self, folder: Path) -> tuple[int, int]:
        return self.box.free_bytes, 16 << 30


def history(folder: Path, end: float, hours: float, step_s: float) -> Iterator[str]:
    """The whole fleet's past as OpenMetrics lines, `up` included as Prometheus adds it."""
    steps = int(hours * 3600 / step_s)
    for box in FLEET:
        teller = Teller(box, folder / box.name, end)
        for step in range(steps + 1):
            at = end - (steps - step) * step_s
            yield _labelled(f"up {int(box.is_reached)}", box.name, at)
            if not box.is_reached:
                continue
            text = teller.tell(at, step * step_s / 60).decode()
            yield from (
                _labelled(line, box.name, at) for line in text.splitlines() if line[0] != "#"
            )
        shutil.rmtree(folder / box.name, ignore_errors=True)
    yield "# EOF\n"


def _labelled(line: str, instance: str, at: float) -> str:
    """A line of Prometheus's text format with the time, and the labels that a scrape adds."""
    named, _, value = line.rpartition(" ")
    name, _, labels = named.removesuffix("}").partition("{")
    both = ",".join(filter(None, [labels, f'job="kassa",instance="{instance}"']))
    return f"{name}{{{both}}} {value} {at:.3f}\n"
