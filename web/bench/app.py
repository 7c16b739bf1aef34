"""The bench's pages. It may do anything to the demo, so it listens on loopback and is guarded as
the kiosk's own screen is: known hosts, own origin, a header that no foreign form can send."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import segno
import structlog
from flask import Flask, Response, abort, jsonify, render_template, request

from appliance.simulators import paper_drawing
from appliance.simulators.town import Town
from appliance.simulators.zvt_slips import PAN
from web import code128
from web.bench import actions, link_pages
from web.bench.kiosk import Kiosk
from web.bench.stories import FAULTS, STORIES
from web.bench.view import cards, view
from web.security import refusal
from web.settings import WebSettings

log = structlog.get_logger()

LARGEST_BODY: Final = 4096
MOST_STREAMS: Final = 8
SLICE_S: Final = 1.0
CALM_S: Final = 0.05
"""Between two states on one stream: many small changes become one."""
LONGEST_CODE: Final = 80
LONGEST_QR: Final = 1000
"""Letters of any alphabet: version 40-M holds 2331 bytes (ISO/IEC 18004, table 7)."""
QUIET_MODULES: Final = 10
MODULE_PX: Final = 2
"""A bar this wide is read off a screen from a hand's width."""


@dataclass(slots=True)
class Bench:
    """What the pages show and move. stopping: set when the demo ends; streams end then."""

    town: Town
    kiosk: Kiosk
    kiosk_port: int
    port: int
    language: str
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def kiosk_url(self) -> str:
        return f"http://127.0.0.1:{self.kiosk_port}/"

    def state(self) -> dict[str, Any]:
        return view(self.town, self.kiosk, self.language)


def create_bench(bench: Bench) -> Flask:
    """The application of one bench."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    guarded = WebSettings(hosts=(f"127.0.0.1:{bench.port}", f"localhost:{bench.port}"))
    headers = _headers(bench)
    streams = threading.Semaphore(MOST_STREAMS)

    @app.before_request
    def check() -> None:
        link_pages.allow_links()
        reason, status = refusal(request, guarded)
        if not reason and request.method == "POST":
            is_ours = request.is_json and request.headers.get("X-Kassa") == "bench"
            reason, status = ("", 200) if is_ours else ("form", 403)
        if reason:
            log.warning("bench.refused", reason=reason, path=request.path)
            abort(status)

    @app.after_request
    def protect(response: Response) -> Response:
        for name, value in headers.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    @app.get("/")
    def page() -> str:
        return render_template(
            "bench.html",
            kiosk_url=bench.kiosk_url,
            staff_url=bench.town.staff_url,
            stories=STORIES,
            faults=FAULTS,
            cards=cards(bench.town),
            pan=PAN[-4:],
        )

    @app.get("/state")
    def state() -> Response:
        return jsonify(bench.state())

    @app.get("/events")
    def events() -> Response:
        if bench.stopping.is_set() or not streams.acquire(blocking=False):
            return Response("too many pages\n", 503, {"Retry-After": "5"}, mimetype="text/plain")
        response = Response(_events(bench), mimetype="text/event-stream")
        response.call_on_close(streams.release)
        return response

    @app.post("/do")
    def do() -> tuple[Response, int]:
        try:
            asked = request.get_json()
        except RecursionError:
            abort(400)
        if not isinstance(asked, dict):
            abort(400)
        try:
            wanted = [str(asked.get(name, "")) for name in ("action", "argument")]
            scanned = actions.do(bench.town, bench.kiosk, *wanted)
        except actions.Refused as refused:
            return jsonify(error=str(refused)), 409
        return jsonify(scanned=scanned), 200

    link_pages.install(app, bench)

    @app.get("/paper/<int:number>.svg")
    def paper(number: int) -> Response:
        found = dict(bench.town.papers()).get(number)
        if found is None:
            abort(404)
        return Response(paper_drawing.svg(found), mimetype="image/svg+xml")

    @app.get("/code.svg")
    def code() -> Response:
        text, kind = request.args.get("text", ""), request.args.get("kind", "code128")
        longest = LONGEST_QR if kind == "qr" else LONGEST_CODE
        if not 1 <= len(text) <= longest or not text.isprintable():
            abort(400)
        return Response(_symbol(text, kind), mimetype="image/svg+xml")

    return app


def _events(bench: Bench) -> Iterator[str]:
    """The whole state at once, and again after each change, until the demo ends."""
    yield "retry: 1000\n\n"
    seq, told = -1, ""
    while not bench.stopping.is_set():
        seq = bench.town.wait(seq, SLICE_S)
        state = json.dumps(bench.state())
        if state == told:
            # Also tells whether the browser is gone: then the write fails.
            yield ": ping\n\n"
        else:
            told = state
            yield f"event: state\ndata: {state}\n\n"
        time.sleep(CALM_S)


def _symbol(text: str, kind: str) -> str:
    if kind == "qr":
        stream = io.BytesIO()
        segno.make_qr(text, error="m").save(stream, kind="svg", scale=4, border=4, xmldecl=False)
        return stream.getvalue().decode()
    try:
        symbol = str(code128.svg(text))
    except ValueError:
        abort(400)
    # A picture of its own needs a size and the namespace; in a page it has neither.
    modules = 11 * len(code128.values(text)) + 2 + 2 * QUIET_MODULES
    size = f'xmlns="http://www.w3.org/2000/svg" width="{MODULE_PX * modules}" height="96"'
    return symbol.replace("<svg ", f"<svg {size} ", 1)


def _headers(bench: Bench) -> dict[str, str]:
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "frame-src": f"{bench.kiosk_url} {bench.town.shop.url}/",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }
