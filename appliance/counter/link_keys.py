"""The keys of links, as a file holds them: a key a line, `ID ALGORITHM MATERIAL`.

ALGORITHM is hmac-sha256 (a secret that both sides have), ed25519 (somebody's public key) or
ed25519-private (our own, to sign results with). MATERIAL is base64url. Empty lines and lines that
begin with # count for nothing.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Final

from appliance.protocols.links.signing import Algorithm, Key, KeyUnfit

MOST_KEYS: Final = 64
_ALGORITHMS: Final = {
    "hmac-sha256": (Algorithm.HMAC_SHA256, True),
    "ed25519": (Algorithm.ED25519, False),
    "ed25519-private": (Algorithm.ED25519, True),
}


def read_keys(text: str) -> Mapping[str, Key]:
    """The keys by their ids. Raises ValueError, which names the line and nothing that is in it."""
    keys: dict[str, Key] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 3 or words[1] not in _ALGORITHMS:
            raise ValueError(f"line {number}: write ID, {' or '.join(_ALGORITHMS)}, and the key")
        name, algorithm, material = words
        if name in keys:
            raise ValueError(f"line {number}: there is a key with this id already")
        if len(keys) == MOST_KEYS:
            raise ValueError(f"line {number}: more than {MOST_KEYS} keys")
        try:
            content = urlsafe_b64decode(material + "=" * (-len(material) % 4))
            keys[name] = Key(name, _ALGORITHMS[algorithm][0], content, _ALGORITHMS[algorithm][1])
        except (binascii.Error, KeyUnfit) as error:
            reason = error if isinstance(error, KeyUnfit) else "the key is not base64url"
            raise ValueError(f"line {number}: {reason}") from None
    return keys
