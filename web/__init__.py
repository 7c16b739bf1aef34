"""The kiosk's screen: a small server that draws what the counter says and passes on what people do.

It holds no state of its own; whatever is on the screen is the counter's.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, Response, request, url_for

from web import asked, devices, pages, security, view
from web.counter_port import Counter
from web.render import Renderer
from web.settings import LANGUAGES, Theme, WebSettings

__all__ = ["LANGUAGES", "Counter", "Theme", "WebSettings", "create_app"]


def _wall_clock() -> datetime:
    return datetime.now(UTC)


def create_app(
    counter: Counter, settings: WebSettings, *, now: Callable[[], datetime] = _wall_clock
) -> Flask:
    """The WSGI application. now: the wall time of the clock on the screen."""
    app = Flask(__name__)
    app.config["TEMPLATES_AUTO_RELOAD"] = False
    assert app.static_folder is not None
    version = _fingerprint(Path(app.static_folder))

    def asset(name: str) -> str:
        return url_for("static", filename=name, v=version)

    renderer = Renderer(app.jinja_env, settings, app=secrets.token_hex(4), asset=asset, now=now)
    security.install(app, settings)
    pages.install(app, counter, settings, renderer)
    asked.install(app, counter)
    devices.install(app, counter, settings.listener)

    @app.after_request
    def keep_assets(response: Response) -> Response:
        # The address of an asset changes with its content, so this one never does.
        # As it was sent: reading it as text would fail where it is none.
        if request.endpoint == "static" and request.query_string == b"v=" + version.encode():
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    for code in settings.languages:
        view.language(code)  # read now: the first customer does not wait for it
    return app


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]
