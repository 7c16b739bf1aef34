"""What a Prometheus server can read of the counter. No order, no person, no card in a label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_STATUS: Final = {"ok": 0, "degraded": 1, "failing": 2}


class Metrics:
    """A registry of its own, so that two counters in one process (tests) do not meet."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.registry = registry
        self.commands = Counter(
            "kassa_commands", "Commands by action and answer.", ["action", "answer"],
            registry=registry,
        )  # fmt: skip
        self.charges = Counter("kassa_charges", "Amounts sent to the terminal.", registry=registry)
        self.doubts = Counter(
            "kassa_doubts", "Times the terminal was asked for its last transaction.",
            registry=registry,
        )  # fmt: skip
        self.command_seconds = Histogram(
            "kassa_command_seconds", "From a command to its answer, durable steps included.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2), registry=registry,
        )  # fmt: skip
        self._status = Gauge("kassa_status", "0 ok, 1 degraded, 2 failing.", registry=registry)
        self._device = Gauge("kassa_device_up", "1 when well.", ["device"], registry=registry)
        self._numbers = {
            name: Gauge(f"kassa_{name}", help_text, registry=registry)
            for name, help_text in (
                ("attention", "Things that only a person can settle."),
                ("undelivered", "Facts that the shop has not got."),
                ("handed_over_today", "Orders handed over since midnight."),
                ("loop_age_s", "Seconds since the loop last ticked."),
                ("browser_age_s", "Seconds since the browser last drew a page."),
            )
        }

    def text(self, health: Mapping[str, object]) -> bytes:
        """Prometheus's text format, version 0.0.4."""
        self._status.set(_STATUS[str(health["status"])])
        devices = health["devices"]
        if isinstance(devices, Mapping):
            for name, state in devices.items():
                self._device.labels(name).set(state == "ok")
        for name, gauge in self._numbers.items():
            value = health[name]
            gauge.set(value if isinstance(value, int | float) else -1)
        return generate_latest(self.registry)
