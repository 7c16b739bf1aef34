"""[metrics] of kassa.toml, for the process that serves the figures: it may not read the rest, and
serves also while another section has a mistake."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.counter import config_schema as schema
from appliance.counter.config import LARGEST_FILE
from appliance.counter.config_rules import Wrong
from appliance.domain.errors import ConfigTrouble

SECTIONS: Final = ("web", "metrics")


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """web: where the counter answers. metrics: how its figures are served."""

    web: schema.Web
    metrics: schema.Metrics


def read(file: Path) -> MetricsSettings:
    """What this kassa.toml, or an extract of one, says of them. Raises ConfigTrouble."""
    try:
        with file.open("rb") as stream:
            content = tomllib.loads(stream.read(LARGEST_FILE).decode("utf-8-sig"))
    except OSError as error:
        raise ConfigTrouble([f"{file}: cannot be read ({error.strerror})"]) from None
    except (ValueError, RecursionError):
        raise ConfigTrouble([f"{file}: is not TOML; kassa doctor says where"]) from None
    mistakes: list[str] = []
    values = {name: _section(file, name, content.get(name, {}), mistakes) for name in SECTIONS}
    if mistakes:
        raise ConfigTrouble(mistakes)
    found = MetricsSettings(schema.Web(**values["web"]), schema.Metrics(**values["metrics"]))
    if (found.metrics.cert_file is None) != (found.metrics.key_file is None):
        raise ConfigTrouble([f"{file}: [metrics] cert_file: give cert_file and key_file, or none"])
    return found


def _section(file: Path, section: str, given: object, mistakes: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if not isinstance(given, Mapping):
        mistakes.append(f"{file}: [{section}] must be a section")
        return values
    for name, key in schema.keys(section).items():
        if name not in given:
            values[name] = key.default
            continue
        try:
            values[name] = key.rule(given[name])
        except Wrong as wrong:
            mistakes.append(f"{file}: [{section}] {name}: {wrong}")
    return values


def extract(settings: MetricsSettings) -> str:
    """These settings as a kassa.toml without anything else."""
    web, metrics = settings.web, settings.metrics
    lines = ["[web]", f"host = {json.dumps(web.host)}", f"port = {web.port}", "[metrics]"]
    for name in schema.keys("metrics"):
        value = getattr(metrics, name)
        if value is not None:
            lines.append(f"{name} = {json.dumps(str(value))}")
    return "\n".join(lines) + "\n"
