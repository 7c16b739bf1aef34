"""The configuration as the doctor reads it: a token that is not to be had yet is a finding, so that
the devices can be looked at before the shop has given one."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from appliance.counter import config
from appliance.counter.config_schema import Config
from appliance.counter.doctor_findings import Finding
from appliance.domain.errors import ConfigTrouble

STAND_IN: Final = 'token = "none"'
_OF_TOKEN: Final = re.compile(r":(\d+): \[shop\] (token_(?:file|credential): .+)\Z", re.DOTALL)


def load(
    file: Path, *, names: Mapping[str, Collection[str]], environ: Mapping[str, str] = os.environ
) -> tuple[Config, Finding | None]:
    """As config.load; and where the token alone is missing, the finding that says so: the shop
    cannot be asked then. Raises ConfigTrouble with every mistake otherwise."""
    try:
        return config.load(file, names=names, environ=environ), None
    except ConfigTrouble as trouble:
        found = _OF_TOKEN.search(trouble.mistakes[0])
        if found is None or len(trouble.mistakes) > 1:
            raise
        lines = file.read_text(encoding="utf-8").split("\n")
        lines[int(found[1]) - 1] = STAND_IN
        try:
            stood_in = config.parse("\n".join(lines), str(file), names=names, environ=environ)
        except ConfigTrouble:  # more than the token stands in that line
            raise trouble from None
        what, _, fix = found[2].partition("; ")
        return stood_in, Finding("shop", False, f"{trouble.code}: {what}", fix)
