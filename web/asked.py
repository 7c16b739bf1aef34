"""The routes for links: one takes a link, the other tells what has come of it.

Both answer with the same small JSON object. Nothing here opens an address; whoever asked does, if
its browser is still there.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from flask import Flask, Response, abort

from appliance.counter.links import Source
from appliance.domain.errors import Code, Trouble
from appliance.protocols.links import dialects
from appliance.protocols.links.messages import LONGEST_LINK, LinkError, Outcome
from web.counter_port import Counter
from web.pages import json_object

if TYPE_CHECKING:
    from appliance.counter.counter import Followed

LARGEST_BODY: Final = 2 * LONGEST_LINK
"""Bytes: a link in JSON, some of its characters escaped."""
ID: Final = re.compile(r"L-[0-9a-f]{32}(-[0-9]{1,2})?\Z")


def install(app: Flask, counter: Counter) -> None:
    """Give the app these routes."""

    @app.post("/link")
    def link() -> Response:
        body = json_object()
        text, token, confirmed = body.get("link"), body.get("token"), body.get("confirmed", True)
        if not isinstance(text, str) or not isinstance(token, str | None):
            abort(400, "link")
        try:
            if token is not None and counter.device(token) is None:
                abort(403, "device")
            if confirmed is not True and not is_sealed(text):
                return _json(409, state="unconfirmed")
            source = Source.KIOSK if token is None else Source.DEVICE
            return _answer(counter.link(text, source))
        except LinkError as error:
            return _refused(error, counter.refusal(error))
        except (Trouble, TimeoutError) as error:
            return _not_now(error)

    @app.get("/link/<name>")
    def followed(name: str) -> Response:
        if not ID.match(name):
            abort(404)
        try:
            found = counter.followed(name)
        except (Trouble, TimeoutError) as error:
            return _not_now(error)
        return _answer(found) if found else abort(404)


def is_sealed(text: str) -> bool:
    """Whether the counter takes it for somebody's own, and refuses it where it is not. What is not
    sealed may be any page's: on a device a person says first that it is meant."""
    try:
        return dialects.parse(text).seal is not None
    except LinkError:
        return True  # it is refused, which asks nobody


def _answer(followed: Followed) -> Response:
    result = followed.result
    return _json(
        200,
        id=followed.id,
        state=followed.state,
        outcome=result.outcome if result else "",
        reason=result.reason if result else "",
        code=result.code if result else "",
        text=result.text if result else "",
        address=followed.address or "",
    )


def _refused(error: LinkError, address: str | None) -> Response:
    return _json(
        422,
        state="refused",
        outcome=Outcome.REFUSED,
        reason=error.reason,
        code=Code.LINK_REFUSED,
        text=str(error),
        address=address or "",
    )


def _not_now(error: Trouble | TimeoutError) -> Response:
    """Nobody knows yet whether the link was taken: the same one again finds out."""
    code = error.code if isinstance(error, Trouble) else Code.INTERNAL
    return _json(503, state="unknown", code=code)


def _json(status: int, **told: str) -> Response:
    names = ("id", "state", "outcome", "reason", "code", "text", "address")
    body = {name: str(told.get(name, "")) for name in names}
    return Response(json.dumps(body), status, mimetype="application/json")
