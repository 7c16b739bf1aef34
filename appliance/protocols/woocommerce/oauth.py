"""OAuth 1.0a, one-legged, HMAC-SHA256: what WooCommerce asks for where there is no TLS.

RFC 5849, section 3.4, with the method HMAC-SHA256 that WooCommerce adds and an empty token, so
that the key of the signature ends in "&". The secret never travels. With TLS, Basic is used.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

METHOD: Final = "HMAC-SHA256"
NAMES: Final = (
    "oauth_consumer_key",
    "oauth_timestamp",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
)
Pairs = Sequence[tuple[str, str]]


def signed(
    method: str, url: str, query: Pairs, *, key: str, secret: str, nonce: str, at_s: int
) -> list[tuple[str, str]]:
    """The query with the five parameters of OAuth. url: without query, as the server knows itself.
    nonce: never used before. at_s: Unix time; WooCommerce allows 15 minutes either way."""
    pairs = [
        *query,
        ("oauth_consumer_key", key),
        ("oauth_nonce", nonce),
        ("oauth_signature_method", METHOD),
        ("oauth_timestamp", str(at_s)),
    ]
    return [*pairs, ("oauth_signature", signature(method, url, pairs, secret))]


def signature(method: str, url: str, pairs: Pairs, secret: str) -> str:
    """RFC 5849, 3.4.1: all parameters but the signature itself, sorted after encoding."""
    encoded = sorted((_quoted(name), _quoted(value)) for name, value in pairs)
    normal = "&".join(f"{name}={value}" for name, value in encoded)
    base = f"{method.upper()}&{_quoted(url)}&{_quoted(normal)}"
    digest = hmac.new(f"{secret}&".encode(), base.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode("ascii")


def _quoted(text: str) -> str:
    return quote(text, safe="~")
