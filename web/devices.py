"""The routes for paired devices: for the process that faces them (web/links), and `kassa devices`.

They are on loopback as all others; a device's token is checked here, as only the counter knows it.
"""

from __future__ import annotations

import json
from typing import Final

from flask import Flask, Response, abort

from appliance.counter.pairing import PairingRefused
from appliance.counter.state import Paired
from appliance.domain.errors import Code, Trouble
from web.counter_port import Counter
from web.pages import json_object
from web.settings import Listener

LONGEST: Final = 128
"""Characters of a code, a token, a name or an id."""


def install(app: Flask, counter: Counter, listener: Listener | None) -> None:
    """Give the app these routes."""

    @app.get("/listener")
    def told() -> Response:
        if listener is None:
            abort(503)
        return _json(
            listen=listener.listen,
            public_url=listener.public_url,
            cert_file=listener.cert_file,
            key_file=listener.key_file,
        )

    @app.post("/pair")
    def pair() -> Response:
        code, name = _text("code"), _text("name")
        try:
            return _json(token=counter.pair(code, name))
        except PairingRefused:
            abort(403, "pairing")

    @app.post("/device")
    def device() -> Response:
        found = counter.device(_text("token"))
        return _device(found) if found else abort(403, "device")

    @app.get("/devices")
    def devices() -> Response:
        found = [{"id": each.id, "name": each.name, "at": each.at} for each in counter.devices()]
        return Response(json.dumps(found), mimetype="application/json")

    @app.post("/devices/remove")
    def remove() -> Response:
        if not counter.remove_device(_text("id")):
            abort(404)
        return Response(status=204)

    def not_now(error: Exception) -> Response:
        code = error.code if isinstance(error, Trouble) else Code.INTERNAL
        return Response(json.dumps({"code": code}), 503, mimetype="application/json")

    app.register_error_handler(Trouble, not_now)
    app.register_error_handler(TimeoutError, not_now)


def _device(paired: Paired) -> Response:
    return _json(id=paired.id, name=paired.name)


def _text(name: str) -> str:
    found = json_object().get(name)
    if not isinstance(found, str) or not 1 <= len(found) <= LONGEST:
        abort(400, name)
    return found


def _json(**told: str) -> Response:
    return Response(json.dumps(told), mimetype="application/json")
