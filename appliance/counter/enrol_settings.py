"""What a desk may make of a kiosk: settings that fit into /etc/kassa, and reach no further.

A desk is believed, and still held to this: its settings name no file but those that the enrolment
itself puts there, and no device outside of /dev.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from appliance.counter import config
from appliance.counter.config_schema import Config, Counter
from appliance.counter.kinds import names
from appliance.domain.errors import ConfigTrouble
from appliance.protocols.enrolment import Settings

SHOP_CA: Final = Path("/etc/kassa/shop-ca.pem")
_FILE: Final = "kassa.toml"
_NO_FILES: Final = (
    ("shop", "token_file"),
    ("shop", "sellers_file"),
    ("links", "keys_file"),
    ("links", "cert_file"),
    ("links", "key_file"),
)


def check(settings: Settings) -> Config:
    """The configuration in these settings. Raises ConfigTrouble with every mistake."""
    with TemporaryDirectory() as folder:
        for _, _, name, content in _credentials(settings):
            (Path(folder) / name).write_text(content, encoding="utf-8")
        lacking: config.SecretsMissing | None = None
        try:
            found = config.parse(
                settings.config, _FILE, names=names(), environ={config.CREDENTIALS: folder}
            )
        except config.SecretsMissing as trouble:  # of a file that the kiosk would not have either
            found, lacking = trouble.config, trouble
    wrong = [*_reaching(found), *_unnamed(found, settings), *_authority(found, settings.shop_ca)]
    if wrong:
        raise ConfigTrouble([f"{_FILE}: {mistake}" for mistake in wrong])
    if lacking:
        raise lacking
    return found


def _credentials(settings: Settings) -> tuple[tuple[str, str, str, str], ...]:
    """Section, key, the credential's name, and what is to be in it; "" for none."""
    return (
        ("shop", "token_credential", "shop-token", settings.token),
        ("terminal", "password_credential", "terminal-password", settings.terminal_password),
        ("links", "keys_credential", "link-keys", settings.link_keys),
    )


def _unnamed(found: Config, settings: Settings) -> list[str]:
    """Credentials that are named and do not come along, or the other way round."""
    return [
        f'[{section}] {key}: is to be "{name}" if the desk has that for the kiosk, and only then'
        for section, key, name, content in _credentials(settings)
        if getattr(getattr(found, section), key) != (name if content else None)
    ]


def _reaching(found: Config) -> list[str]:
    """What a kiosk does not take from afar."""
    wrong = [
        f"[{section}] {key}: the file would not be on the kiosk; delete the key"
        for section, key in _NO_FILES
        if getattr(getattr(found, section), key) is not None
    ]
    if found.counter.data_dir != Counter.__dataclass_fields__["data_dir"].default:
        wrong.append("[counter] data_dir: an enrolled kiosk has one place for its data; delete it")
    for name in ("terminal", "printer", "scanner"):
        address = getattr(found, name).address
        path = Path(address.path)
        is_device = path.is_relative_to("/dev") and ".." not in path.parts
        if address.scheme == "file" or (address.path and not is_device):
            wrong.append(f"[{name}] address: is no device; name one in /dev, or tcp:")
    return wrong


def _authority(found: Config, pem: str) -> list[str]:
    if found.shop.ca_file not in (None, SHOP_CA):
        return [f'[shop] ca_file: write "{SHOP_CA}", where the desk\'s file is put']
    if (found.shop.ca_file is None) != (not pem):
        return ["[shop] ca_file: is to be there if the desk has certificates, and only then"]
    try:
        if pem:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        return ["[shop] ca_file: the desk's certificates are not PEM"]
    return []
