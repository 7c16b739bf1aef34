"""docs/monitoring.md against the code: every metric, and no other; labels of few values."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from appliance.serve_metrics import figures
from tests.fleet.boxes import FLEET, Teller
from tests.fleet.prometheus import FLEET as FILES

LABELS = {
    "version", "device", "code", "kind", "action", "answer", "le", "certificate", "state",
    "estimate",
}  # fmt: skip
OF_LISTENER = "kassa_metrics_certificate_expiry_timestamp_seconds"  # see test_serve_metrics.py


def told(folder: Path) -> dict[str, list[dict[str, str]]]:
    """What all boxes of the simulated fleet tell: metric -> the labels of its samples."""
    found: dict[str, list[dict[str, str]]] = {}
    for box in FLEET:
        text = Teller(box, folder / box.name, 1e9).tell(1e9, 5).decode()
        for family in text_string_to_metric_families(text):
            name = family.name + ("_total" if family.type == "counter" else "")
            found.setdefault(name, []).extend(sample.labels for sample in family.samples)
    return found


def documented() -> set[str]:
    text = (FILES.parent / "monitoring.md").read_text()
    return set(re.findall(r"^\| `(kassa_\w+)` \|", text, re.MULTILINE))


def test_every_metric_is_documented_and_no_other(tmp_path: Path) -> None:
    assert documented() == set(told(tmp_path)) | {OF_LISTENER}


def test_names_and_labels_are_as_prometheus_wants_them(tmp_path: Path) -> None:
    for name, samples in told(tmp_path).items():
        assert re.fullmatch(r"kassa_[a-z]+(_[a-z]+)*", name)
        assert not re.search(r"_(s|ms|kb|mb|percent)$", name), "base units"
        for labels in samples:
            assert set(labels) <= LABELS, name
            assert all(re.fullmatch(r"[A-Za-z0-9_.+-]{1,40}", text) for text in labels.values())


def test_rules_and_dashboard_ask_for_what_there_is(tmp_path: Path) -> None:
    names = set(told(tmp_path)) | {OF_LISTENER, "kassa_command_seconds_bucket"}
    for file in ("alerts.yml", "grafana-dashboard.json"):
        asked = set(re.findall(r"\bkassa_[a-z_]+[a-z](?![a-z_(])", (FILES / file).read_text()))
        assert asked - names <= set(), file


def test_without_a_counter_the_machine_is_told_of() -> None:
    assert figures(None, []).count(b"\n") == 3
