"""What paired devices in the shop's network may reach: links in, results out, over HTTPS.

A process of its own, which knows no journal and no device. It asks the counter on loopback, and
every answer to a device is the counter's. Whatever is wrong here can send links and read results,
which charge by themselves only when the shop has signed them; it cannot press a button.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from flask import Flask, Response, abort, render_template, request
from werkzeug.exceptions import HTTPException

from appliance.protocols.links.messages import LONGEST_LINK
from web import LANGUAGES, view
from web.links import words
from web.links.upstream import Answer, Upstream
from web.pages import json_object, plain_error

_log = structlog.get_logger()

COOKIE: Final = "__Host-kassa"
"""The prefix has browsers take it from this origin only, over TLS (RFC 6265bis, 4.1.3.2)."""
_YEAR_S: Final = 365 * 24 * 3600
LARGEST_BODY: Final = 2 * LONGEST_LINK
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_ID: Final = re.compile(r"L-[0-9a-f]{32}(-[0-9]{1,2})?\Z")
_PAGES: Final = frozenset({"home", "pair_page", "open_page"})
"""What a link on another site may lead to: they show, and do nothing by themselves."""
RATE: Final = 20.0
BURST: Final = 60.0
PAIR_RATE: Final = 0.2
PAIR_BURST: Final = 5.0
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address of a page may hold a link
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


@dataclass
class Bucket:
    """So many a second, and a few at once."""

    rate: float
    burst: float
    now: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._left, self._at, self._lock = self.burst, self.now(), threading.Lock()

    def take(self) -> bool:
        with self._lock:
            now = self.now()
            self._left = min(self.burst, self._left + (now - self._at) * self.rate)
            self._at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


def create_app(
    counter: Upstream, public_url: str, *, now: Callable[[], float] = time.monotonic
) -> Flask:
    """The WSGI application. public_url: the one origin under which it is served."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    host = public_url.removeprefix("https://")
    all_requests, pairings = Bucket(RATE, BURST, now), Bucket(PAIR_RATE, PAIR_BURST, now)
    version = secrets.token_hex(4)

    def check() -> None:
        if not all_requests.take():
            abort(429)
        if request.headers.get("Host", "").lower() != host:
            abort(421)  # a name that somebody else has pointed at us
        origin = request.headers.get("Origin")
        if origin is not None and origin != public_url:
            abort(403, "origin")
        is_bearer = "Authorization" in request.headers  # which no other site's page can send
        if request.method == "POST":
            if origin is None and not is_bearer and request.endpoint != "pair":
                abort(403, "no origin")
            if not request.is_json:
                abort(403, "a form")
        is_theirs = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
        if is_theirs and not _is_navigation():
            abort(403, "site")

    def protect(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers[name] = value
        response.headers["Cache-Control"] = "no-store"
        return response

    def page(name: str) -> Response:
        language = request.accept_languages.best_match(LANGUAGES) or "en"
        spoken = view.language(language)
        said = {key: spoken.text(text) for key, text in words.WORDS.items()}
        body = render_template(
            "device.html", page=name, said=said, language=language, version=version
        )
        response = Response(body, mimetype="text/html")
        response.headers["Vary"] = "Accept-Language"
        return response

    @app.get("/")
    def home() -> Response:
        return page("home")

    @app.get("/pair")
    def pair_page() -> Response:
        return page("pair")

    @app.get("/open")
    def open_page() -> Response:
        # The link stands in its own address, where its script reads it. Nobody is asked for a
        # token yet, nothing is done yet: any site may lead here.
        return page("open")

    @app.post("/pair")
    def pair() -> Response:
        if not pairings.take():
            abort(429)
        body = json_object()
        code, name = body.get("code"), body.get("name")
        if not isinstance(code, str) or not isinstance(name, str):
            abort(400, "code, name")
        answer = counter.pair(code, name)
        token = answer.told.get("token")
        if answer.status != 200 or not isinstance(token, str):
            abort(403 if answer.status in (400, 403) else 503)
        if body.get("bearer") is True:  # a program, which keeps it itself
            return Answer(200, {"token": token}).response()
        response = Response(status=204)
        response.set_cookie(
            COOKIE, token, max_age=_YEAR_S, secure=True, httponly=True, samesite="Strict", path="/"
        )
        return response

    @app.get("/me")
    def me() -> Response:
        return counter.device(_token()).response()

    @app.post("/link")
    def link() -> Response:
        body = json_object()
        text, confirmed = body.get("link"), body.get("confirmed") is True
        if not isinstance(text, str):
            abort(400, "link")
        return counter.link(text, _token(), confirmed=confirmed).response()

    @app.get("/link/<name>")
    def followed(name: str) -> Response:
        if not _ID.match(name):
            abort(404)
        known = counter.device(_token())
        return known.response() if known.status != 200 else counter.followed(name).response()

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        return plain_error(error.code or 500, error.name)

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        _log.error("links.failed", path=request.path, exc_info=error)
        return plain_error(500, "Internal Server Error")

    app.before_request(check)
    app.after_request(protect)
    return app


def _token() -> str:
    """The device's, from a program's header or a browser's cookie. Aborts with 401 without one."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    token = given if kind == "Bearer" else request.cookies.get(COOKIE, "") if not kind else ""
    if not _TOKEN.match(token):
        abort(401)
    return token


def _is_navigation() -> bool:
    is_page = request.method == "GET" and request.endpoint in _PAGES
    return is_page and request.headers.get("Sec-Fetch-Mode") == "navigate"
