"""The configuration as the doctor reads it: secrets that are not to be had yet are findings, so
that the devices can be looked at before the shop has given a token or keys."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from appliance.counter import config
from appliance.counter.config_lines import find_lines
from appliance.counter.config_schema import SECTIONS, Config
from appliance.counter.doctor_findings import Finding
from appliance.domain.errors import ConfigTrouble

STAND_IN: Final = 'token = "none:none"'  # of the form that every kind of shop takes
_OF_SECRET: Final = re.compile(
    r":(\d+): \[(shop|links)\] ((?:token|keys)_(?:file|credential): .+)\Z", re.DOTALL
)


def load(
    file: Path, *, names: Mapping[str, Collection[str]], environ: Mapping[str, str] = os.environ
) -> tuple[Config, dict[str, Finding]]:
    """As config.load; and where only secrets are missing, the findings that say so, by "shop" and
    "links": neither can be looked at then. Raises ConfigTrouble with every mistake otherwise."""
    try:
        return config.load(file, names=names, environ=environ), {}
    except ConfigTrouble as trouble:
        found = [_OF_SECRET.search(mistake) for mistake in trouble.mistakes]
        secrets = [secret for secret in found if secret is not None]
        if len(secrets) != len(found):
            raise
        text = file.read_text(encoding="utf-8")
        missing: dict[str, Finding] = {}
        for secret in secrets:
            line, section, words = int(secret[1]), secret[2], secret[3]
            what, _, fix = words.partition("; ")
            missing[section] = Finding(section, False, f"{trouble.code}: {what}", fix)
            text = _without_links(text) if section == "links" else _with_token(text, line)
        try:
            return config.parse(text, str(file), names=names, environ=environ), missing
        except ConfigTrouble:  # more than the secret stands in that line
            raise trouble from None


def _with_token(text: str, line: int) -> str:
    lines = text.split("\n")
    lines[line - 1] = STAND_IN
    return "\n".join(lines)


def _without_links(text: str) -> str:
    """The text with an empty [links], line for line as before: without keys much of it is wrong."""
    lines, places = text.split("\n"), find_lines(text)
    first = places.of("links")
    ends = [places.of(section) - 1 for section in SECTIONS if places.of(section) > first]
    last = min(ends, default=len(lines))
    return "\n".join([*lines[:first], *[""] * (last - first), *lines[last:]])
