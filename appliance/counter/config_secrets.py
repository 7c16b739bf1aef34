"""The secrets that kassa.toml names: each is in a file of its own, or a credential of systemd's.

What is in one is in no message.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from appliance.counter.config_rules import Secret, Wrong
from appliance.counter.link_keys import read_keys
from appliance.protocols.links.signing import Algorithm, Key

CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what a unit's LoadCredential= names: systemd.exec(5), Credentials."""
DELIVERED: Final = Path("/etc/kassa/credentials")
"""Where our units load them from; one that is not there is handed over empty."""
LARGEST_SECRET: Final = 4096
LARGEST_KEYS: Final = 64 * 1024
_INSTEAD: Final = {
    "token_credential": "token_file",
    "keys_credential": "keys_file",
    "password_credential": "password",
}
"""Keys that name a credential, and what does without systemd."""

STAND_IN_TOKEN: Final = Secret("none:none")
"""Of the form that every kind of shop takes."""


def stand_in_keys(names: Collection[str]) -> Mapping[str, Key]:
    """For whoever only looks at settings: what is signed with these counts nowhere."""
    key = Key("stand-in", Algorithm.HMAC_SHA256, bytes(32), can_sign=True)
    return dict.fromkeys(names, key)


def token(source: str, name: str | Path, environ: Mapping[str, str]) -> Secret:
    """The shop's. source: the key of kassa.toml, one that ends in _file or _credential, and name
    its value. Raises Wrong."""
    what = "the shop's token"
    content = _read(source, name, environ, what, LARGEST_SECRET)
    if not re.fullmatch(rb"[!-~]+", content) or len(content) > LARGEST_SECRET:
        raise Wrong(f"{name} holds no token; put it there as one line of printable ASCII")
    return Secret(content.decode("ascii"))


def password(source: str, name: str, environ: Mapping[str, str]) -> Secret:
    """The terminal's. As `token`."""
    content = _read(source, name, environ, "the terminal's password", LARGEST_SECRET)
    if not re.fullmatch(rb"[0-9]{6}", content):
        raise Wrong(f"{name} holds no password; put it there as six digits")
    return Secret(content.decode("ascii"))


def keys(source: str, name: str | Path, environ: Mapping[str, str]) -> Mapping[str, Key]:
    """Those of links, by their ids. As `token`."""
    content = _read(source, name, environ, "the keys", LARGEST_KEYS)
    try:
        return read_keys(content.decode("ascii"))
    except UnicodeDecodeError:
        raise Wrong(f"{name} is no ASCII text; write a key a line") from None
    except ValueError as error:
        raise Wrong(f"{name}, {error}") from None


def _read(
    source: str, name: str | Path, environ: Mapping[str, str], what: str, largest: int
) -> bytes:
    """The content without white space around it; longer than `largest` where the file is."""
    instead = _INSTEAD.get(source)
    folder, file = environ.get(CREDENTIALS, ""), Path(name)
    cure = f"put {what} there, readable for the group kassa"
    if instead:
        file = Path(folder) / name
        cure = f"start by systemd with LoadCredential={name}:/path, or use {instead}"
        if not folder:
            raise Wrong(f"there is no ${CREDENTIALS}; {cure}")
    try:
        with file.open("rb") as stream:
            content = stream.read(largest + 1).strip()
    except OSError as error:
        raise Wrong(f"{file} cannot be read ({error.strerror}); {cure}") from None
    if instead and not content:
        cure = f"put {what} into {DELIVERED / name}, then restart the service"
        raise Wrong(f"the credential {name} is empty; {cure}")
    return content
