"""The counter, as the listener for devices asks it: one address on loopback, four paths."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from flask import Response

HOST: Final = "127.0.0.1"
ANSWER_S: Final = 40.0  # longer than the counter takes to say that it cannot say
LARGEST_ANSWER: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What the counter said. status 503: nobody knows."""

    status: int
    told: dict[str, Any]

    def response(self) -> Response:
        return Response(json.dumps(self.told), self.status, mimetype="application/json")


UNKNOWN: Final = Answer(503, {"state": "unknown"})


class Upstream:
    """port: the counter's. Safe for many threads: each call has a connection of its own."""

    def __init__(self, port: int) -> None:
        self._port = port

    def listener(self) -> Answer:
        """How devices are to be served."""
        return self._ask("GET", "/listener")

    def pair(self, code: str, name: str) -> Answer:
        return self._ask("POST", "/pair", {"code": code, "name": name})

    def device(self, token: str) -> Answer:
        """Whose token it is."""
        answer = self._ask("POST", "/device", {"token": token})
        return Answer(401, {}) if answer.status == 403 else answer

    def link(self, text: str, token: str, *, confirmed: bool) -> Answer:
        answer = self._ask("POST", "/link", {"link": text, "token": token, "confirmed": confirmed})
        return Answer(401, {}) if answer.status == 403 else answer

    def followed(self, name: str) -> Answer:
        """name: checked to be an id, as it becomes part of a path."""
        return self._ask("GET", f"/link/{name}")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        connection = HTTPConnection(HOST, self._port, timeout=ANSWER_S)
        headers = {"Content-Type": "application/json", "Origin": f"http://{HOST}:{self._port}"}
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            text = answer.read(LARGEST_ANSWER)
            is_json = answer.headers.get_content_type() == "application/json"
            told = json.loads(text) if is_json else {}
            return Answer(answer.status, told if isinstance(told, dict) else {})
        except (OSError, HTTPException, ValueError):
            return UNKNOWN
        finally:
            connection.close()
