"""What a signature says of a release, and whose it is.

A file NAME.sig beside NAME has two lines. The second is the statement, a JSON object; the first is
`kassa-release-1 KEY SIGNATURE`: the id of the key, and in base64 its Ed25519 signature (RFC 8032)
of `kassa-release-1`, a line feed, and the statement as it stands there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

FORMAT: Final = "kassa-release-1"
LARGEST_BYTES: Final = 64 << 10
MOST_KEYS: Final = 16
_KEY_DIGITS: Final = 16
_HEAD: Final = re.compile(rf"{FORMAT} ([0-9a-f]{{{_KEY_DIGITS}}}) ([A-Za-z0-9+/]{{86}}==)")
_VERSION: Final = re.compile(r"[0-9][A-Za-z0-9.+~-]{0,63}")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{1,63}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class Refused(Exception):
    """This may not be installed; its text says why, and what cures it."""


@dataclass(frozen=True, slots=True)
class Journal:
    """schema: the step of the journal's schema that a release brings a file to, and the last one
    that it reads; 0 for what has no journal. writes, reads: kinds of fact."""

    schema: int
    writes: frozenset[str]
    reads: frozenset[str]

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """From JSON. Raises ValueError."""
        schema, writes, reads = (found.get(name) for name in ("schema", "writes", "reads"))
        if type(schema) is not int or schema < 0:
            raise ValueError("schema")
        for kinds in (writes, reads):
            if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
                raise ValueError("kinds of fact")
        return cls(schema, frozenset(writes or ()), frozenset(reads or ()))

    def as_json(self) -> dict[str, Any]:
        return {"schema": self.schema, "writes": sorted(self.writes), "reads": sorted(self.reads)}

    def unread_by(self, other: Journal) -> str:
        """What the other release cannot read of what this one writes; "" for nothing."""
        if self.schema > other.schema:
            return f"schema {self.schema}, and it reads up to {other.schema}"
        return ", ".join(sorted(self.writes - other.reads))


@dataclass(frozen=True, slots=True)
class Statement:
    """name: of the package, or kassa-image-ARCH. sha256: of the whole file."""

    name: str
    version: str
    sha256: str
    journal: Journal

    def line(self) -> bytes:
        """With one spelling."""
        found = asdict(self) | {"journal": self.journal.as_json()}
        return json.dumps(found, sort_keys=True, separators=(",", ":")).encode("ascii")


def _read(line: bytes) -> Statement:
    """Raises ValueError."""
    found = json.loads(line)
    if not isinstance(found, dict) or set(found) != {"name", "version", "sha256", "journal"}:
        raise ValueError("other fields")
    for name, pattern in (("name", _NAME), ("version", _VERSION), ("sha256", _SHA256)):
        if not isinstance(found[name], str) or not pattern.fullmatch(found[name]):
            raise ValueError(name)
    if not isinstance(found["journal"], dict):
        raise ValueError("journal")  # noqa: TRY004 - a value, to whoever reads it
    return Statement(found["name"], found["version"], found["sha256"], Journal.of(found["journal"]))


def _signed(line: bytes) -> bytes:
    return FORMAT.encode("ascii") + b"\n" + line


def key_id(key: Ed25519PublicKey) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of its 32 bytes."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:_KEY_DIGITS]


def sign(statement: Statement, key: Ed25519PrivateKey) -> bytes:
    """The signature's file."""
    line = statement.line()
    signature = base64.b64encode(key.sign(_signed(line))).decode("ascii")
    return f"{FORMAT} {key_id(key.public_key())} {signature}\n".encode("ascii") + line + b"\n"


def verify(signature: bytes, keys: Iterable[Ed25519PublicKey]) -> Statement:
    """What one of these keys has signed. Raises Refused."""
    known = {key_id(key): key for key in keys}
    if not known:
        raise Refused(
            "no release key is known here: put the publisher's into"
            " /etc/kassa/release-keys/NAME.pub"
        )
    if len(signature) > LARGEST_BYTES:
        raise Refused("the signature is too large to be one")
    head, _, rest = signature.partition(b"\n")
    found = _HEAD.fullmatch(head.decode("ascii", "replace"))
    line, end, more = rest.partition(b"\n")
    if not found or not end or more:
        raise Refused(f"the signature is not of the format {FORMAT}, or cut off")
    key = known.get(found[1])
    if key is None:
        raise Refused(f"signed with the key {found[1]}, which is not among {sorted(known)}")
    try:
        key.verify(base64.b64decode(found[2], validate=True), _signed(line))
        # Only now: what nobody has signed is not even parsed.
        return _read(line)
    except (InvalidSignature, binascii.Error):
        raise Refused("the signature does not fit: the file was changed") from None
    except (ValueError, RecursionError) as error:
        raise Refused(f"a signed statement that this release cannot read: {error}") from None


def private_key(pem: bytes) -> Ed25519PrivateKey:
    """From PKCS #8 in PEM, without a passphrase. Raises ValueError, TypeError for one with."""
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")  # noqa: TRY004 - a value, to whoever reads it
    return key


def public_keys(folders: Iterable[Path]) -> list[Ed25519PublicKey]:
    """Of all files *.pub (PEM). Raises Refused for one that is no key: an administrator's mistake
    is not passed over in silence."""
    found = []
    files = [file for folder in folders for file in sorted(folder.glob("*.pub"))]
    for file in files[:MOST_KEYS]:
        try:
            key = load_pem_public_key(file.read_bytes())
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise Refused(f"{file}: no public key: {error}") from None
        if not isinstance(key, Ed25519PublicKey):
            raise Refused(f"{file}: not an Ed25519 key")
        found.append(key)
    return found
