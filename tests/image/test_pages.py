"""The shop's pages in the kiosk's browser: what is opened, and that nothing else is."""

from __future__ import annotations

import configparser
import json
from pathlib import Path

import pytest

from appliance.follow import SOCKET
from appliance.protocols.links.dialects import SCHEMES
from tests.image.script import load
from tests.image.test_session import session

ROOT = Path(__file__).parents[2] / "image/package/files"
SCRIPT = ROOT / "usr/lib/kassa/pages.py"
MANAGED = ROOT / "etc/chromium/policies/managed"
OURS = ["http://127.0.0.1:8100", "http://localhost:8100"]


pages = load(SCRIPT)


def written(tmp_path: Path, text: str) -> dict[str, object] | None:
    """The policy for this kassa.toml; None where the session stays as it was."""
    settings = tmp_path / "kassa.toml"
    settings.write_text(text)
    policy, drop_in = tmp_path / "run/policy.json", tmp_path / "unit.d/50-pages.conf"
    pages.main(settings, policy, drop_in)
    assert policy.exists() == drop_in.exists()
    if not policy.exists():
        return None
    found: dict[str, object] = json.loads(policy.read_text())
    return found


def test_a_page_and_where_results_go_may_be_shown(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        '[links]\npages = ["https://shop.example"]\n'
        'return_to = ["https://pay.shop.example:8443", "https://192.0.2.1", "kassa-api:"]\n',
    )
    assert found is not None
    # The dot keeps their sub-domains out; an address has none.
    assert found["URLAllowlist"] == [
        *OURS, "https://.shop.example", "https://.pay.shop.example:8443", "https://192.0.2.1",
        *(f"{scheme}:*" for scheme in pages.SCHEMES),
    ]  # fmt: skip
    launched = found["AutoLaunchProtocolsFromOrigins"]
    assert launched == [
        {"protocol": scheme, "allowed_origins": ["https://shop.example"]}
        for scheme in pages.SCHEMES
    ]


@pytest.mark.parametrize(
    ("shop", "way"),
    [
        ("", {"ProxyMode": "direct"}),
        ("proxy = ''", {"ProxyMode": "direct"}),
        ("proxy = 7", {"ProxyMode": "direct"}),
        ("proxy = 'http://a.example:80;direct://'", {"ProxyMode": "direct"}),
        (
            "proxy = 'http://proxy.example:3128'",
            {"ProxyMode": "fixed_servers", "ProxyServer": "http://proxy.example:3128"},
        ),
    ],
)
def test_they_are_reached_by_the_proxy_that_the_shop_is(
    tmp_path: Path, shop: str, way: dict[str, str]
) -> None:
    found = written(tmp_path, f'[shop]\n{shop}\n[links]\npages = ["https://shop.example"]\n')
    assert found is not None
    assert found["ProxySettings"] == way


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[links]\n",
        "[links]\npages = []\n",
        "[links]\npages = 'https://shop.example'\n",
        "[links]\npages = ['*', 'https://*', 'https://a/b', 'file:///etc', 'https://', 7]\n",
        "[links]\npages = ['https://shop.example\\u0000', 'chrome://settings', 'https://a b']\n",
        "links = 7\n",
        "not toml",
        '[links]\nreturn_to = ["https://shop.example"]\n',
    ],
)
def test_anything_else_opens_nothing_and_takes_back_what_was_open(
    tmp_path: Path, text: str
) -> None:
    assert written(tmp_path, '[links]\npages = ["https://shop.example"]\n') is not None
    assert written(tmp_path, text) is None


def test_the_link_to_the_policy_wins_over_the_packaged_file() -> None:
    """Chromium reads the folder's files by name; of the same policy the last one counts."""
    link = MANAGED / "kassa.pages.json"
    assert link.readlink() == pages.POLICY
    assert sorted(file.name for file in MANAGED.iterdir())[-1] == link.name
    packaged = json.loads((MANAGED / "kassa.json").read_text())
    assert packaged["URLAllowlist"] == list(pages.COUNTER)


def test_every_scheme_has_its_handler() -> None:
    """All but intent:, which only Android's browsers know."""
    schemes = set(SCHEMES) - {"intent"}
    assert set(pages.SCHEMES) == schemes
    types = {f"x-scheme-handler/{scheme}" for scheme in schemes}
    desktop = configparser.ConfigParser(interpolation=None)
    desktop.read(ROOT / "usr/share/applications/kassa-link.desktop")
    entry = desktop["Desktop Entry"]
    assert set(entry["MimeType"].rstrip(";").split(";")) == types
    assert entry["Exec"] == "/usr/bin/kassa link %u"
    defaults = configparser.ConfigParser(delimiters="=")
    defaults.read(ROOT / "usr/lib/kassa/session/mimeapps.list")
    assert set(defaults["Default Applications"]) == types
    assert set(defaults["Default Applications"].values()) == {"kassa-link.desktop"}


def test_the_session_listens_where_the_command_speaks() -> None:
    assert session.SOCKET == SOCKET
