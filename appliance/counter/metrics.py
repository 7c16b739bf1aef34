"""What a Prometheus server can read of the counter. No order, no person, no card in a label.

docs/monitoring.md says what each means; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from appliance import __version__
from appliance.counter.update_state import NO_UPDATE, Update
from appliance.domain.facts import Fact, Kind

_STATUS: Final = {"ok": 0, "degraded": 1, "failing": 2}
_NUMBERS: Final = {
    "attention": ("kassa_attention_items", "Things that only a person can settle."),
    "undelivered": ("kassa_outbox_facts", "Facts that the shop has not got."),
    "handed_over_today": ("kassa_handovers_today", "Orders handed over since midnight."),
    "loop_age_s": ("kassa_loop_age_seconds", "Since the loop last ticked."),
    "browser_age_s": ("kassa_browser_age_seconds", "Since the browser last drew a page."),
}
_NOTHING: Final[Mapping[str, float]] = MappingProxyType({})

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each counter


@dataclass(frozen=True, slots=True)
class Beside:
    """What `health` does not tell. payments_unknown: payments of which nobody can say whether the
    money was taken. is_paper_low: None where no printer says so. certificates: what they are for
    -> their end, in Unix time. update: of the box's software."""

    payments_unknown: int | None = None
    is_paper_low: bool | None = None
    certificates: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    update: Update = NO_UPDATE


NOTHING_BESIDE: Final = Beside()


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
        self._facts = Counter(
            "kassa_facts", "Facts written to the journal, by kind.", ["kind"], registry=registry
        )
        for kind in Kind:  # from nought on: a rate needs a value before the first
            self._facts.labels(kind)

    def written(self, facts: Iterable[Fact]) -> None:
        """These facts are on disk."""
        for fact in facts:
            self._facts.labels(fact.kind).inc()

    def text(self, health: Mapping[str, object], beside: Beside = NOTHING_BESIDE) -> bytes:
        """Prometheus's text format, version 0.0.4. What is not known is left out."""
        return generate_latest(self.registry) + as_text(now(health, beside))


def now(health: Mapping[str, object], beside: Beside) -> list[Metric]:
    """How the counter is at this moment, as families. health: of `Counter.health`, or as much of
    it as is known."""
    found: list[Metric] = [
        _labelled("kassa_build_info", "The program's release.", "version", {__version__: 1}),
        gauge("kassa_status", "0 ok, 1 degraded, 2 failing.", _STATUS[str(health["status"])]),
    ]
    devices = health.get("devices")
    states = devices if isinstance(devices, Mapping) else {}
    ups = {str(name): float(state == "ok") for name, state in states.items()}
    found.append(_labelled("kassa_device_up", "1 when well.", "device", ups))
    trouble = GaugeMetricFamily(
        "kassa_trouble", "1 for each code that is shown now.", labels=["device", "code"]
    )
    for name, state in {**states, "counter": health.get("code") or "ok"}.items():
        if state != "ok":
            trouble.add_metric([str(name), str(state)], 1)
    found.append(trouble)
    for key, (name, text) in _NUMBERS.items():
        value = health.get(key)
        if isinstance(value, int | float):
            found.append(gauge(name, text, value))
    if beside.payments_unknown is not None:
        text = "Payments of which nobody can say whether the money was taken."
        found.append(gauge("kassa_payments_unknown", text, beside.payments_unknown))
    if beside.is_paper_low is not None:
        found.append(
            gauge("kassa_paper_low", "1 when the roll is near its end.", beside.is_paper_low)
        )
    found.append(
        _labelled(
            "kassa_certificate_expiry_timestamp_seconds",
            "When a certificate ends, in Unix time.",
            "certificate",
            beside.certificates,
        )
    )
    update = beside.update
    if update.state:
        text = "1 for how the last update of the box went."
        found.append(_labelled("kassa_update_state", text, "state", {update.state: 1}))
    if update.at is not None:
        text = "When that was, in Unix time."
        found.append(gauge("kassa_update_timestamp_seconds", text, update.at))
    return found


def gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


class _Found(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> list[Metric]:
        return self._families


def as_text(families: Iterable[Metric]) -> bytes:
    """These families, those without a sample left out, in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Found(family for family in families if family.samples))
    return generate_latest(registry)
