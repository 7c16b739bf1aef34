#!/usr/bin/env python3
"""Hands a link from this PC to the counter that it is paired with, and opens the result.

    kassa_link.py pair 'https://counter-1.shop.example:8143/pair#CODE' FINGERPRINT
    kassa_link.py 'kassa-api://payNow?order=1042'

The address is what the code on the counter's screen holds; the fingerprint is the SHA-256 of the
counter's certificate, as `journalctl -u kassa-links` on the counter says it. From then on nothing
but that certificate is spoken to, whoever signed it.

Python 3.9 or newer, standard library only. What it keeps is in one file that only this user can
read: $XDG_CONFIG_HOME/kassa/link.json, %APPDATA%\\kassa\\link.json on Windows.

Exit status: 0 done; 65 refused; 69 the counter cannot be reached; 77 not paired; 78 used wrongly.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import ssl
import sys
import time
import webbrowser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ANSWER_S = 45.0
AGAIN_S = 1.0
LONGEST_WAIT_S = 3600.0
LARGEST_ANSWER = 64 * 1024
LONGEST_LINK = 8192
REFUSED, UNREACHABLE, NOT_PAIRED, USAGE = 65, 69, 77, 78


class Stop(Exception):
    """An end with a line for a person. status: the exit status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def settings_file() -> Path:
    base = os.environ.get("APPDATA") if os.name == "nt" else os.environ.get("XDG_CONFIG_HOME")
    return Path(base or Path.home() / ".config") / "kassa" / "link.json"


class Pinned(http.client.HTTPSConnection):
    """A connection to the one certificate with this fingerprint (SHA-256, hex), checked before a
    byte is sent. Names and authorities count for nothing."""

    def __init__(self, host: str, port: int, fingerprint: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__(host, port, timeout=ANSWER_S, context=context)
        self._fingerprint = fingerprint

    def connect(self) -> None:
        super().connect()
        shown = self.sock.getpeercert(binary_form=True)
        found = hashlib.sha256(shown or b"").hexdigest()
        if not hmac.compare_digest(found, self._fingerprint):
            self.close()
            raise Stop(UNREACHABLE, f"another certificate answers: {found}")


class Counter:
    """One counter. token: "" before this PC is paired."""

    def __init__(self, url: str, fingerprint: str, token: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise Stop(USAGE, "the counter's address begins with https://")
        self.origin = f"https://{parts.netloc}"
        self.fingerprint = re.sub("[^0-9a-f]", "", fingerprint.lower())
        if len(self.fingerprint) != 64:
            raise Stop(USAGE, "the fingerprint has 64 hexadecimal digits")
        self._host, self._port = parts.hostname, parts.port or 443
        self._token = token

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """The status, and the answer's JSON or {}. 503 where nobody answers."""
        connection = Pinned(self._host, self._port, self.fingerprint)
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            content = answer.read(LARGEST_ANSWER)
            is_json = answer.headers.get_content_type() == "application/json"
            return answer.status, json.loads(content) if is_json else {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            print(f"the counter does not answer: {error}", file=sys.stderr)
            return 503, {}
        finally:
            connection.close()


def pair(address: str, fingerprint: str) -> None:
    """Pair this PC, and keep what it needs."""
    counter, code = Counter(address, fingerprint), urlsplit(address).fragment
    body = {"code": code, "name": socket.gethostname()[:40] or "PC", "bearer": True}
    status, told = counter.ask("POST", "/pair", body)
    if status != 200:
        raise Stop(REFUSED, "the code counts no longer; let the counter show another")
    kept = {"url": counter.origin, "fingerprint": counter.fingerprint, "token": told["token"]}
    file = settings_file()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump(kept, stream)
    part.replace(file)
    print(f"paired with {counter.origin}")


def paired() -> Counter:
    try:
        kept = json.loads(settings_file().read_text())
        return Counter(kept["url"], kept["fingerprint"], kept["token"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Stop(NOT_PAIRED, "this PC is not paired with a counter") from None


def follow(link: str) -> None:
    """Hand the link over, wait for its result, open the caller's address. The same link again
    finds the same request, so that nothing is lost or done twice by repeating."""
    if not 0 < len(link) <= LONGEST_LINK:
        raise Stop(REFUSED, "no link")
    counter, end, name = paired(), time.monotonic() + LONGEST_WAIT_S, ""
    while time.monotonic() < end:
        if name:
            status, told = counter.ask("GET", f"/link/{name}")
        else:
            # Whoever clicked has answered the browser's question, or allowed it for good.
            status, told = counter.ask("POST", "/link", {"link": link, "confirmed": True})
        if status == 401:
            raise Stop(NOT_PAIRED, "this PC is not paired any more")
        if status in (200, 422):
            address = told["address"]
            if address:
                # From the counter, which has it on its list. Only pages: no other program of this
                # PC is started for somebody else's word.
                if not address.startswith(("https://", "http://")):
                    raise Stop(0, f"{told['outcome']}; the result is for {address.split(':')[0]}")
                webbrowser.open(address)
                return
            if told["outcome"]:
                raise Stop(
                    0 if status == 200 else REFUSED,
                    f"{told['outcome']} {told['code']} {told['text']}".strip(),
                )
            name = told["id"]
        elif status not in (429, 503):
            raise Stop(UNREACHABLE, f"the counter answers {status}")
        time.sleep(AGAIN_S)
    raise Stop(UNREACHABLE, "no result within an hour; the same link again asks for it")


def main(words: list[str]) -> int:
    try:
        if len(words) == 3 and words[0] == "pair":
            pair(words[1], words[2])
        elif len(words) == 1 and not words[0].startswith("-"):
            follow(words[0])
        else:
            print((__doc__ or "").strip(), file=sys.stderr)
            return USAGE
    except Stop as stop:
        print(stop, file=sys.stderr)
        return stop.status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
