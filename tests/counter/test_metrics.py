"""The counter's figures: what is known and what is not, and how an update went."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from appliance.counter.metrics import NOTHING_BESIDE, Beside, Metrics
from appliance.counter.update_state import NO_UPDATE, OTHER, Update, read
from appliance.domain.facts import Fact, Kind

WELL = {
    "status": "ok",
    "code": None,
    "devices": {"terminal": "ok", "printer": "ok"},
    "attention": 0,
    "undelivered": 3,
    "handed_over_today": 12,
    "loop_age_s": 0.4,
    "browser_age_s": None,
}


def figures(text: bytes) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_what_is_not_known_is_left_out() -> None:
    found = figures(Metrics().text(WELL))
    assert found["kassa_outbox_facts",] == 3
    assert found["kassa_device_up", "printer"] == 1
    absent = ("kassa_browser_age_seconds", "kassa_paper_low", "kassa_payments_unknown",
              "kassa_update_state", "kassa_trouble")  # fmt: skip
    assert [key for key in found if key[0] in absent] == []


def test_all_that_can_be_wrong_at_once() -> None:
    health = {**WELL, "status": "failing", "code": "K-JRN-02",
              "devices": {"printer": "K-PRN-02", "shop": "ok"}}  # fmt: skip
    beside = Beside(2, True, {"shop": 1_800_000_000.0}, Update("failed", 1_790_000_000.0))
    found = figures(Metrics().text(health, beside))
    assert found["kassa_status",] == 2
    assert found["kassa_device_up", "printer"] == 0
    assert found["kassa_trouble", "K-PRN-02", "printer"] == 1
    assert found["kassa_trouble", "K-JRN-02", "counter"] == 1
    assert ("kassa_trouble", "ok", "shop") not in found
    assert found["kassa_payments_unknown",] == 2
    assert found["kassa_paper_low",] == 1
    assert found["kassa_certificate_expiry_timestamp_seconds", "shop"] == 1_800_000_000
    assert found["kassa_update_state", "failed"] == 1
    assert found["kassa_update_timestamp_seconds",] == 1_790_000_000


def test_facts_are_counted_from_nought() -> None:
    metrics = Metrics()
    assert figures(metrics.text(WELL))["kassa_facts_total", "payment.declined"] == 0
    metrics.written([Fact("1", Kind.DECLINED, "H-1", ""), Fact("2", Kind.DECLINED, "H-2", "")])
    assert figures(metrics.text(WELL, NOTHING_BESIDE))["kassa_facts_total", "payment.declined"] == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"state": "ok", "version": "1.4.0", "at": 1764000000}', Update("ok", 1764000000)),
        ('{"state": "failed"}', Update("failed")),
        ('{"state": "PAN 4111", "at": "x"}', Update(OTHER)),
        ('{"state": ["ok"], "at": true}', Update(OTHER)),
        ('{"state": "ok", "at": 1e999}', Update("ok")),
        ("[]", Update(OTHER)),
        ("", Update(OTHER)),
        ("[" * 4000, Update(OTHER)),
        ("\udcff", Update(OTHER)),
    ],
)
def test_how_an_update_went(tmp_path: Path, content: str, expected: Update) -> None:
    (tmp_path / "update").mkdir()
    (tmp_path / "update/state.json").write_bytes(content.encode(errors="surrogateescape"))
    assert read(tmp_path) == expected


def test_without_an_update_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert read(tmp_path) == NO_UPDATE
    (tmp_path / "update/state.json").mkdir(parents=True)
    assert read(tmp_path) == Update(OTHER)
