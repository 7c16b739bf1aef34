"""The secrets that systemd hands to services: which, from where, and that each may be absent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "image/package/files/usr/lib/systemd/system"


def credentials(unit: Path, key: str) -> dict[str, str]:
    """What a unit's lines of this key say, by the credential's name."""
    lines = re.findall(rf"^{key}=([^:\n]+):(.*)$", unit.read_text(), re.MULTILINE)
    assert len(lines) == len(dict(lines)), f"{unit.name} names one twice"
    return dict(lines)


WITH_SECRETS = {
    unit.name: credentials(unit, "LoadCredential")
    for unit in UNITS.glob("*.service")
    if "Credential=" in unit.read_text()
}


@pytest.mark.parametrize("name", WITH_SECRETS)
def test_a_file_that_is_not_there_is_an_empty_credential(name: str) -> None:
    """And keeps no service from its start: LoadCredential= alone would."""
    folder = "/etc/kassa/credentials"
    loaded = WITH_SECRETS[name]
    assert loaded == {credential: f"{folder}/{credential}" for credential in loaded}
    assert credentials(UNITS / name, "SetCredential") == dict.fromkeys(loaded, "\\x20")


def test_each_has_one_service_and_the_documentation_says_which() -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    documented = {
        credential: unit
        for names, unit in re.findall(r"^\| (`[^|]+`) \| [^|]+ \| `(kassa[a-z-]*\.service)` \|$",
                                      page, re.MULTILINE)
        for credential in re.findall(r"`([^`]+)`", names)
    }  # fmt: skip
    pairs = [(credential, unit) for unit, loaded in WITH_SECRETS.items() for credential in loaded]
    assert len(pairs) == len(dict(pairs))
    assert documented == dict(pairs)
