"""The bench's page for links: one is taken apart or built, and given to the counter."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from flask import Flask, Response, abort, jsonify, render_template, request

from appliance.protocols.links.messages import LONGEST_LINK, Act, LinkError
from web.bench.links import FORMATS, SIGNED, Workshop

if TYPE_CHECKING:
    from web.bench.app import Bench

LARGEST_BODY: Final = 2 * LONGEST_LINK
_ID: Final = re.compile(r"L-[0-9a-f]{32}(-[0-9]{1,2})?\Z")
_ENDPOINTS: Final = frozenset({"read_link", "build_link", "send_link"})


def install(app: Flask, bench: Bench) -> None:
    """Give the app these routes. Who may use them has been checked before."""
    shop = bench.town.shop.url
    workshop = Workshop(bench.town.link_keys, (shop,), lambda: int(time.time()))

    @app.get("/links")
    def links() -> str:
        return render_template(
            "links.html",
            formats=FORMATS,
            signed=SIGNED,
            acts=[str(act) for act in Act],
            order=next((order.number for order in bench.town.orders()), ""),
            currency=bench.town.currency.code,
            back=f"{shop}/staff/returned?{{response}}",
        )

    @app.post("/links/read")
    def read_link() -> Response:
        return jsonify(workshop.inspect(_fields().get("link", "")))

    @app.post("/links/build")
    def build_link() -> tuple[Response, int]:
        try:
            return jsonify(link=workshop.build(_fields())), 200
        except LinkError as error:
            return jsonify(error=str(error)), 422

    @app.post("/links/send")
    def send_link() -> tuple[Response, int]:
        return _told(bench.kiosk.link(_fields().get("link", "")))

    @app.get("/links/sent/<name>")
    def sent_link(name: str) -> tuple[Response, int]:
        return _told(bench.kiosk.followed(name)) if _ID.match(name) else abort(404)


def allow_links() -> None:
    """Before the body is read: a link is longer than a click."""
    if request.endpoint in _ENDPOINTS:
        request.max_content_length = LARGEST_BODY


def _fields() -> dict[str, str]:
    try:
        body = request.get_json()
    except RecursionError:
        abort(400)
    if not isinstance(body, dict):
        abort(400)
    return {str(name): value for name, value in body.items() if isinstance(value, str)}


def _told(answer: dict[str, object]) -> tuple[Response, int]:
    if not answer:
        return jsonify(error="The counter does not answer"), 503
    return jsonify(answer), 200
