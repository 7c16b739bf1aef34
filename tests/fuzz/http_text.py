"""A request or an answer as text, in which a fuzzer finds its way: a first line, header lines, an
empty line, the body."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from appliance.simulators.shop.faults import whole

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_NAME: Final = re.compile(rb"[A-Za-z0-9-]{1,40}\Z")
_METHOD: Final = re.compile(r"[A-Z]{1,10}\Z")


@dataclass(frozen=True, slots=True)
class Request:
    """headers: as an HTTP server hands them over, without line ends."""

    method: str
    path: str
    raw_headers: tuple[tuple[str, bytes], ...]
    body: bytes

    def environ(self) -> dict[str, Any]:
        """What a WSGI server makes of it (PEP 3333)."""
        path, _, query = self.path.partition("?")
        path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
        found: dict[str, Any] = {
            "REQUEST_METHOD": self.method if _METHOD.match(self.method) else "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/" + path.removeprefix("/"),
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "CONTENT_LENGTH": str(len(self.body)),
        }  # fmt: skip
        for name, value in self.raw_headers:
            key = name.upper().replace("-", "_")
            if key == "CONTENT_LENGTH":
                continue  # the server has checked it
            found[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value.decode("latin-1")
        return found


def parsed(data: bytes) -> Request:
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, path = first.decode("latin-1").partition(" ")
    headers: list[tuple[str, bytes]] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        value = value.strip()
        if colon and _NAME.match(name) and not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value):
            headers.append((name.decode("ascii"), value))
    return Request(method, path, tuple(headers), body)


@dataclass(frozen=True, slots=True)
class Answered:
    """headers: by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes


def answered(app: WSGIApplication, environ: dict[str, Any]) -> Answered:
    """What the application answers. Test clients would refuse half of the requests themselves."""
    status, headers, body = whole(app, environ)
    return Answered(int(status[:3]), {name.lower(): value for name, value in headers}, body)
