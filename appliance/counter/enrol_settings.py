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

CREDENTIAL: Final = "shop-token"
SHOP_CA: Final = Path("/etc/kassa/shop-ca.pem")
_FILE: Final = "kassa.toml"
_NO_FILES: Final = (
    ("shop", "token_file"),
    ("shop", "sellers_file"),
    ("terminal", "password_credential"),
    ("links", "keys_file"),
    ("links", "keys_credential"),
    ("links", "cert_file"),
    ("links", "key_file"),
)


def check(settings: Settings) -> Config:
    """The configuration in these settings. Raises ConfigTrouble with every mistake."""
    with TemporaryDirectory() as folder:
        (Path(folder) / CREDENTIAL).write_text(settings.token, encoding="utf-8")
        lacking: config.SecretsMissing | None = None
        try:
            found = config.parse(
                settings.config, _FILE, names=names(), environ={config.CREDENTIALS: folder}
            )
        except config.SecretsMissing as trouble:  # of a file that the kiosk would not have either
            found, lacking = trouble.config, trouble
    if wrong := [*_reaching(found), *_authority(found, settings.shop_ca)]:
        raise ConfigTrouble([f"{_FILE}: {mistake}" for mistake in wrong])
    if lacking:
        raise lacking
    return found


def _reaching(found: Config) -> list[str]:
    """What a kiosk does not take from afar."""
    wrong = [
        f"[{section}] {key}: the file would not be on the kiosk; delete the key"
        for section, key in _NO_FILES
        if getattr(getattr(found, section), key) is not None
    ]
    if found.shop.token_credential != CREDENTIAL:
        wrong.append(f'[shop] token: write token_credential = "{CREDENTIAL}" instead of a token')
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
