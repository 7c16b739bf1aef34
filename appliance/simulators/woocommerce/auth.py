"""Who may ask: Basic over TLS, OAuth 1.0a without it (WC_REST_Authentication)."""

from __future__ import annotations

import base64
import binascii
import hmac
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from flask import Request

from appliance.protocols.woocommerce import oauth
from appliance.simulators.woocommerce import shapes

WINDOW_S: Final = 15 * 60


@dataclass(frozen=True, slots=True)
class ApiKey:
    """permission: "read", "write" or "read_write", as it is chosen when the key is made."""

    secret: str
    permission: str = "read_write"


class Unauthorised(Exception):
    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer["message"])
        self.answer = answer


class Gate:
    """Any thread."""

    def __init__(self, keys: dict[str, ApiKey]) -> None:
        self.keys = keys
        self._nonces: dict[str, float] = {}
        self._lock = threading.Lock()

    def check(self, request: Request) -> None:
        """Raises Unauthorised, whose answer is what WooCommerce says (401)."""
        key = self._basic(request) if request.scheme == "https" else self._oauth(request)
        if key is None:
            raise Unauthorised(shapes.error("cannot_view"))
        is_reading = request.method in ("GET", "HEAD")
        if is_reading and key.permission == "write":
            raise _no("The API key provided does not have read permissions.")
        if not is_reading and key.permission == "read":
            raise _no("The API key provided does not have write permissions.")

    def _basic(self, request: Request) -> ApiKey | None:
        kind, _, words = request.headers.get("Authorization", "").partition(" ")
        if kind != "Basic":
            return None
        try:
            name, _, secret = base64.b64decode(words, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        key = self.keys.get(name)
        if key is not None and not hmac.compare_digest(key.secret.encode(), secret.encode()):
            raise _no("Consumer secret is invalid.")
        return key

    def _oauth(self, request: Request) -> ApiKey | None:
        query = dict(request.args.items(multi=True))
        lacking = [name for name in oauth.NAMES if not query.get(name)]
        if len(lacking) == len(oauth.NAMES):
            return None  # nobody said who asks; Basic is not looked at without TLS
        if lacking:
            raise _no(f"Missing OAuth parameters {', '.join(lacking)}")
        key = self.keys.get(query["oauth_consumer_key"])
        if key is None:
            raise _no("Consumer key is invalid.")
        stated = query.pop("oauth_signature")
        url = request.base_url
        if oauth.signature(request.method, url, list(query.items()), key.secret) != stated:
            raise _no("Invalid signature - provided signature does not match.")
        if abs(time.time() - int(query["oauth_timestamp"])) > WINDOW_S:
            raise _no("Invalid timestamp.")
        with self._lock:
            if query["oauth_nonce"] in self._nonces:
                raise _no("Invalid nonce - nonce has already been used.")
            self._nonces[query["oauth_nonce"]] = time.time()
        return key


def _no(message: str) -> Unauthorised:
    return Unauthorised(shapes.error("authentication") | {"message": message})
