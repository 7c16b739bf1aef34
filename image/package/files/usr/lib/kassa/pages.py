#!/usr/bin/python3 -I
"""Lets the kiosk's browser show the shop's pages: those of `[links] pages` in kassa.toml.

The packaged policies block every address but the counter's, and the session may speak to this
machine only. This program, run as root before each start of the session, writes into /run what
lifts both for the pages that are named, and removes it where none is. Chromium finds its part
through a link in /etc/chromium/policies/managed, whose name makes it win over kassa.json.

Standard library only, and Python's isolated mode. It reads a file that an administrator wrote;
whatever is wrong there is the counter's to say, and opens nothing here.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

SETTINGS: Final = Path("/etc/kassa/kassa.toml")
POLICY: Final = Path("/run/kassa-pages/policy.json")
DROP_IN: Final = Path("/run/systemd/system/kassa-session.service.d/50-pages.conf")
LARGEST: Final = 64 * 1024
MOST: Final = 32
COUNTER: Final = ("http://127.0.0.1:8100", "http://localhost:8100")
SCHEMES: Final = (
    "kassa-api", "pay-api", "print-api", "kassa", "web+kassa",
    "paypalhere", "square-commerce-v1", "sumupmerchant",
)  # fmt: skip
_ORIGIN: Final = re.compile(
    r"(https?)://(\[[0-9a-f:]+\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(:[0-9]{1,5})?"
)
_PROXY: Final = re.compile(
    r"http://(?:\[[0-9a-f:]+\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?):[0-9]{1,5}"
)
NETWORK: Final = "[Service]\nIPAddressDeny=\nIPAddressAllow=any\n"


def origins(content: dict[str, Any], key: str) -> list[str]:
    """The origins in this list of [links]; nothing of a list that is not one."""
    section = content.get("links")
    found = section.get(key) if isinstance(section, dict) else None
    texts = (
        [each.lower() for each in found if isinstance(each, str)] if isinstance(found, list) else []
    )
    return [each for each in texts if _ORIGIN.fullmatch(each)][:MOST]


def proxy(content: dict[str, Any]) -> str:
    """[shop] proxy, by which the shop's pages are reached as its API is; "" for none."""
    section = content.get("shop")
    found = section.get("proxy") if isinstance(section, dict) else None
    return found if isinstance(found, str) and _PROXY.fullmatch(found) else ""


def alone(origin: str) -> str:
    """As Chromium's URL filters write one host: without the dot its sub-domains would count too."""
    found = _ORIGIN.fullmatch(origin)
    if found is None:
        raise ValueError(origin)
    scheme, host, port = found.groups()
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        host = f".{host}"
    return f"{scheme}://{host}{port or ''}"


def policy(pages: list[str], results: list[str], proxy: str = "") -> dict[str, Any]:
    """Chromium's policies. pages: may be shown, and may start our links without a question.
    results: may be shown, as that is where results go. proxy: for all but this machine, which
    Chromium never asks a proxy for (net/docs/proxy.md, "Implicit bypass rules")."""
    way = {"ProxyMode": "fixed_servers", "ProxyServer": proxy} if proxy else {"ProxyMode": "direct"}
    shown = dict.fromkeys(alone(each) for each in [*pages, *results])
    return {
        "URLAllowlist": [*COUNTER, *shown, *(f"{scheme}:*" for scheme in SCHEMES)],
        "AutoLaunchProtocolsFromOrigins": [
            {"protocol": scheme, "allowed_origins": pages} for scheme in SCHEMES
        ],
        # What a link starts is our own program and no other; see mimeapps.list.
        "ExternalProtocolDialogShowAlwaysOpenCheckbox": False,
        "ProxySettings": way,
    }


def read(file: Path) -> dict[str, Any]:
    """The settings; empty where they cannot be read."""
    try:
        with file.open("rb") as stream:
            text = stream.read(LARGEST)
        # What is larger is no kassa.toml; cut off, it is not TOML or says what it says.
        return tomllib.loads(text.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        print(f"{file}: {type(error).__name__}; no pages", file=sys.stderr)
        return {}


def main(settings: Path = SETTINGS, written: Path = POLICY, drop_in: Path = DROP_IN) -> None:
    """Write both, or remove both."""
    content = read(settings)
    pages = origins(content, "pages")
    if not pages:
        for file in (written, drop_in):
            file.unlink(missing_ok=True)
        return
    for file, text in (
        (
            written,
            json.dumps(policy(pages, origins(content, "return_to"), proxy(content)), indent=1),
        ),
        (drop_in, NETWORK),
    ):
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        file.write_text(text, encoding="ascii")
        file.chmod(0o644)
    print(f"pages: {', '.join(pages)}", file=sys.stderr)


if __name__ == "__main__":
    main()
