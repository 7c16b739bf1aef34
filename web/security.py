"""Who may talk to the screen's server: its own page, in the browser of this machine.

The server listens on loopback, and that alone protects nothing: any page in that browser can send
requests there. So the Host must be one of ours (a name that an attacker rebinds to 127.0.0.1 is
not), what another site's page starts is refused (Fetch metadata), and what changes something must
come from our own origin in a form that no foreign form can send.
"""

from __future__ import annotations

from typing import Final

import structlog
from flask import Flask, Request, Response, abort, request

from web import asked
from web.settings import WebSettings

_log = structlog.get_logger()

LARGEST_BODY: Final = 4096
"""Bytes of a request's body; a command has about 200."""
_PAGES: Final = frozenset({"page", "commands"})
"""What a person may be led to from elsewhere; it shows, and does nothing."""


def install(app: Flask, settings: WebSettings) -> None:
    """Check every request, and put the headers on every answer."""
    headers = _headers(settings)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY

    def check() -> None:
        if request.endpoint == "link":
            request.max_content_length = asked.LARGEST_BODY
        reason, status = refusal(request, settings)
        if reason:
            _log.warning("web.refused", reason=reason, path=request.path)
            abort(status)

    def protect(response: Response) -> Response:
        for name, value in headers.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.before_request(check)
    app.after_request(protect)


def refusal(asked: Request, settings: WebSettings) -> tuple[str, int]:
    """Why the request is not served, with the HTTP status; "" where it is."""
    host = asked.headers.get("Host", "")
    if host not in settings.hosts:
        return "host", 421
    origin = asked.headers.get("Origin")
    site = asked.headers.get("Sec-Fetch-Site")
    # The scheme is not checked: whoever serves the right host over TLS in front of us may.
    ours = origin is not None and origin in (f"http://{host}", f"https://{host}")
    if origin is not None and not ours:
        return "origin", 403
    if asked.method not in ("GET", "HEAD", "OPTIONS"):
        if not ours and site != "same-origin":
            return "no origin", 403
        # A foreign form cannot send either of these, and a foreign script has to ask us first.
        if not asked.is_json and "X-Kassa" not in asked.headers:
            return "form", 403
    if site in ("cross-site", "same-site") and not _is_navigation(asked):
        return "site", 403
    return "", 200


def _is_navigation(asked: Request) -> bool:
    return (
        asked.headers.get("Sec-Fetch-Mode") == "navigate"
        and asked.method == "GET"
        and asked.endpoint in _PAGES
    )


def _headers(settings: WebSettings) -> dict[str, str]:
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": " ".join(settings.frame_ancestors) or "'none'",
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), "
        "payment=(), usb=(), serial=()",
    }
    if not settings.frame_ancestors:
        headers["X-Frame-Options"] = "DENY"
    return headers
