"""The rules and the dashboard on a real Prometheus that holds a simulated fleet's last hours."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fleet import boxes
from tests.fleet.prometheus import FLEET, Server, prometheus, promtool

HOURS, STEP_S = 1.6, 240.0  # no coarser: what is older than five minutes counts as gone
ROOT = FLEET.parents[1]
RULES: list[dict[str, Any]] = yaml.safe_load((FLEET / "alerts.yml").read_text())["groups"][0][
    "rules"
]
DASHBOARD: dict[str, Any] = json.loads((FLEET / "grafana-dashboard.json").read_text())
QUERIES = [
    (panel["title"], target["expr"])
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", ())
]


@dataclass(frozen=True)
class Seen:
    """A server, and the Unix time at which its data ends."""

    server: Server
    end: float


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("fleet")
    end = float(int(time.time()))
    with (folder / "history").open("w") as file:
        file.writelines(boxes.history(folder / "boxes", end, HOURS, STEP_S))
    promtool("tsdb", "create-blocks-from", "openmetrics", folder / "history", folder / "data")
    rules = f"global: {{ evaluation_interval: 1s }}\nrule_files: ['{FLEET / 'alerts.yml'}']\n"
    with prometheus(folder, rules) as server:
        yield Seen(server, end)


# --- the rules ------------------------------------------------------------------------------------


def test_promtool_finds_nothing_wrong() -> None:
    promtool("check", "rules", "--lint-fatal", "alerts.yml")
    promtool("check", "config", "prometheus.yml")
    promtool("test", "rules", "alerts_test.yml")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_for_the_boxes_it_is_meant_for_and_no_others(
    seen: Seen, rule: dict[str, Any]
) -> None:
    name = rule["alert"]
    meant = {box.name for box in boxes.FLEET if name in box.alerts}
    assert meant, "no box of the simulated fleet is for it"
    found = seen.server.query(rule["expr"], seen.end)
    assert {sample["metric"]["instance"] for sample in found} == meant


def test_a_server_of_our_settings_loads_the_rules(seen: Seen) -> None:
    groups = seen.server.ask("rules", type="alert")["groups"]
    assert [rule["name"] for group in groups for rule in group["rules"]] == [
        rule["alert"] for rule in RULES
    ]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_names_its_page(rule: dict[str, Any]) -> None:
    page = ROOT / rule["annotations"]["runbook"]
    assert page.is_file()
    index = (ROOT / "docs/runbook/README.md").read_text()
    row = next(line for line in index.splitlines() if f"`{rule['alert']}`" in line)
    assert f"({page.name})" in row
    title = page.read_text().splitlines()[0].removeprefix("# ")
    assert f"[{title.rpartition(': ')[2]}]" in row
    if page.name.startswith("alert-"):
        assert f"`{rule['alert']}`" in page.read_text()


def test_no_page_is_without_its_alert() -> None:
    pages = {page.name for page in (ROOT / "docs/runbook").glob("alert-*.md")}
    assert pages <= {Path(rule["annotations"]["runbook"]).name for rule in RULES}
    for page in pages:
        text = (ROOT / "docs/runbook" / page).read_text()
        parts = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert parts == ["What it says", "The counter, by itself", "IT", "The money"]
        named = set(re.findall(r"`(Kassa[A-Za-z]+)`", text))
        assert named <= {rule["alert"] for rule in RULES}


# --- the dashboard --------------------------------------------------------------------------------


def filled_in(expression: str) -> str:
    """The query as Grafana sends it for all boxes."""
    text = expression.replace("$__rate_interval", "10m").replace("$instance", ".*")
    assert "$" not in text
    return text


@pytest.mark.parametrize(("title", "expression"), QUERIES, ids=lambda text: text[:40])
def test_each_query_of_the_dashboard_finds_data(seen: Seen, title: str, expression: str) -> None:
    if "ALERTS" in expression:  # of a running server, not of the history
        found = _until_found(seen.server, filled_in(expression))
    else:
        found = seen.server.query(filled_in(expression), seen.end)
    assert found, title
    assert not any(sample["value"][1] == "NaN" for sample in found)


def _until_found(server: Server, expression: str) -> list[dict[str, Any]]:
    end = time.monotonic() + 60
    while not (found := server.query(expression)) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def test_the_dashboard_can_be_imported() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert [entry["name"] for entry in DASHBOARD["__inputs"]] == ["DS_PROMETHEUS"]
    for panel in DASHBOARD["panels"]:
        for part in (panel, *panel.get("targets", ())):
            if panel["type"] != "row":
                assert part["datasource"]["uid"] == "${DS_PROMETHEUS}"
    taken = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(taken)) == len(taken), "two panels in one place"
    assert max(x for x, _ in taken) < 24
