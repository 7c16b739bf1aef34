"""The routes of the screen's server."""

from __future__ import annotations

import json
import re
from typing import Final

import structlog
from flask import Flask, Response, abort, make_response, request
from markupsafe import Markup, escape
from werkzeug.exceptions import HTTPException

from appliance.counter.commands import Answer, Command
from appliance.counter.screen import Action, Page, Screen
from web import events, view
from web.counter_port import Counter
from web.render import Renderer
from web.settings import WebSettings
from web.view import Language

_log = structlog.get_logger()

COOKIE: Final = "kassa_language"
ELSEWHERE: Final = "elsewhere"
"""What the page says of itself when it makes room for one that is not ours."""
_YEAR_S: Final = 365 * 24 * 3600
_STATUS: Final = {
    Answer.DONE: 200,
    Answer.STALE: 409,
    Answer.NOT_HERE: 409,
    Answer.BUSY: 503,
}
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_LONGEST_ARGUMENT: Final = 128
_LARGEST_SEQ: Final = 2**53  # what the page's script counts exactly
METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"


def install(app: Flask, counter: Counter, settings: WebSettings, renderer: Renderer) -> None:
    """Give the app its routes."""
    streams = events.Streams()

    def spoken() -> Language:
        chosen = request.cookies.get(COOKIE, "")
        return view.language(chosen if chosen in settings.languages else settings.language)

    def fragment(screen: Screen, status: int = 200) -> Response:
        response = Response(renderer.fragment(screen, spoken()), status, mimetype="text/html")
        response.headers["Vary"] = "Cookie"
        return response

    @app.get("/")
    def page() -> Response:
        response = make_response(renderer.shell(counter.screen(), spoken()))
        response.headers["Vary"] = "Cookie"
        return response

    @app.get("/screen")
    def screen() -> Response:
        return fragment(counter.screen())

    @app.get("/events")
    def stream() -> Response:
        return events.answer(counter, streams)

    @app.post("/command")
    def command() -> Response:
        answered = counter.command(read_command(_fields()))
        response = fragment(answered.screen, _STATUS[answered.answer])
        response.headers["X-Kassa-Answer"] = answered.answer.value
        return response

    @app.post("/heartbeat")
    def heartbeat() -> Response:
        name = _fields().get("page")
        if name not in (*Page, ELSEWHERE):
            abort(400, "page")
        counter.heartbeat(str(name))
        return Response(status=204)

    @app.post("/language")
    def choose() -> Response:
        chosen = _fields().get("language")
        if chosen not in settings.languages:
            abort(400, "language")
        response = Response(status=204)
        response.set_cookie(COOKIE, str(chosen), max_age=_YEAR_S, samesite="Strict", httponly=True)
        return response

    @app.get("/healthz")
    def healthz() -> Response:
        health = dict(counter.health())
        status = 503 if health.get("status") == "failing" else 200
        return Response(json.dumps(health), status, mimetype="application/json")

    @app.get("/display")
    def display() -> Response:
        shown = {
            "rotation": settings.display.rotation,
            "resolution": settings.display.resolution,
            "keyboard": settings.display.keyboard,
            "pages": bool(settings.pages),
        }
        return Response(json.dumps(shown), mimetype="application/json")

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(counter.metrics(), content_type=METRICS)

    @app.get("/commands")
    def commands() -> str:
        return renderer.commands(spoken())

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        response = plain_error(error.code or 500, error.name)
        allowed = error.get_response().headers.get("Allow")
        if allowed:
            response.headers["Allow"] = allowed
        return response

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        _log.error("web.failed", path=request.path, exc_info=error)
        return plain_error(500, "Internal Server Error")


def plain_error(status: int, name: str) -> Response:
    """A page that says what is wrong with the request, and nothing of the inside."""
    title = escape(f"{status} {name}")
    page = Markup(
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{0}</title><h1>{0}</h1>\n'
    )
    return Response(page.format(title), status, mimetype="text/html")


def json_object() -> dict[str, object]:
    """The object that the request's body is, as JSON. Aborts with 400 for anything else."""
    if not request.is_json:
        abort(400, "JSON is expected")
    try:
        body = request.get_json()
    except RecursionError:
        abort(400, "nested too deeply")
    if not isinstance(body, dict):
        abort(400, "an object is expected")
    return body


def _fields() -> dict[str, object]:
    """The fields of the request, sent as JSON or as a form. Aborts with 400 for anything else."""
    if request.is_json:
        return json_object()
    fields: dict[str, object] = dict(request.form)
    seq = request.form.get("seq", "")  # a form has texts only
    if seq.isascii() and seq.isdigit() and len(seq) <= 16:
        fields["seq"] = int(seq)
    elif not seq:
        fields["seq"] = None
    return fields


def read_command(fields: dict[str, object]) -> Command:
    """The command in a request. Aborts with 400 for what is none.

    A scan is about what is on the screen now and needs no seq; everything else does, as it was
    meant for the screen that the person saw.
    """
    action = fields.get("action")
    if not isinstance(action, str) or action not in tuple(Action):
        abort(400, "action")
    name = fields.get("id")
    if not isinstance(name, str) or not _ID.match(name):
        abort(400, "id")
    argument = fields.get("argument", "")
    if (
        not isinstance(argument, str)
        or len(argument) > _LONGEST_ARGUMENT
        or not argument.isprintable()
    ):
        abort(400, "argument")
    seq = _seq(fields.get("seq"))
    if seq is None and action != Action.SCAN:
        abort(400, "seq")
    return Command(name, Action(action), argument, seq)


def _seq(value: object) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= _LARGEST_SEQ:
        abort(400, "seq")
    return value
