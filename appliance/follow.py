"""`kassa link`: what a system runs for a link of ours, with the link as its argument.

It hands the link to the counter of this machine and brings a browser to the counter's page; the
result is that page's business. On the kiosk the session's browser is asked to show it (see
session.py of the package), elsewhere the desktop's.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from appliance.protocols.links.messages import LONGEST_LINK

HOST: Final = "127.0.0.1"
ANSWER_S: Final = 40.0  # longer than the counter takes to say that it cannot say
OPEN_S: Final = 20.0
LARGEST_ANSWER: Final = 64 * 1024
EX_REFUSED, EX_UNAVAILABLE = 65, 69
SOCKET: Final = "kassa-show"
"""In $XDG_RUNTIME_DIR: where the kiosk's session hears which page to show."""


def follow(link: str, port: int) -> int:
    """The exit status: 0 taken, 65 refused, 69 nobody can say. What is not well is a line on
    standard error, without the link: its parameters may be somebody's business."""
    if len(link) > LONGEST_LINK:
        return _say("refused: longer than any link", EX_REFUSED)
    page = f"http://{HOST}:{port}"
    try:
        status, told = call(port, "POST", "/link", {"link": link})
    except (OSError, HTTPException, ValueError) as error:
        return _say(f"the counter does not answer: {error}", EX_UNAVAILABLE)
    told = told if isinstance(told, dict) else {}
    address = str(told.get("address", ""))
    is_page = address.startswith(("https://", "http://"))  # or else some application's
    if status == 200:
        # The same link again, as its result was lost on the way: that is all that is wanted now.
        _show(address if is_page else f"{page}/")
        return 0
    if status == 422:
        if is_page:
            _show(address)  # the caller's own page says why
        return _say(f"{told.get('code')}: refused: {told.get('text')}", EX_REFUSED)
    return _say(f"nobody can say whether it was taken ({status}); try again", EX_UNAVAILABLE)


def call(port: int, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """What the counter of this machine answers: the status, and its JSON or {}. Raises OSError,
    HTTPException, or ValueError for what should be JSON and is not."""
    connection = HTTPConnection(HOST, port, timeout=ANSWER_S)
    headers = {"Content-Type": "application/json", "Origin": f"http://{HOST}:{port}"}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read(LARGEST_ANSWER)
        return answer.status, json.loads(content) if answer.status in (200, 422) else {}
    finally:
        connection.close()


def _show(address: str) -> None:
    """Bring a browser there. Where there is none, the link was taken all the same."""
    session = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / SOCKET
    try:
        if session.is_socket():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.sendto(address.encode(), str(session))
            return
        command = ["xdg-open", address]
        subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=OPEN_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        _say(f"no browser could be opened ({type(error).__name__}); open {address}", 0)


def _say(text: str, status: int) -> int:
    print(text, file=sys.stderr)
    return status
