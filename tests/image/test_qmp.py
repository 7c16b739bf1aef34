"""The control line against a far end that is written out here."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager

import pytest

from tests.image import qmp
from tests.image.qmp import Qmp, QmpError, QmpLost

WAIT_S = 20.0


@contextmanager
def connected(play):
    """play: called for each command with its name and arguments; yields messages to send."""
    near, far = socket.socketpair()

    def serve():
        with far, far.makefile("rwb") as lines:
            lines.write(b'{"QMP": {"version": {}, "capabilities": []}}\n')
            lines.flush()
            for line in lines:
                message = json.loads(line)
                for answer in play(message["execute"], message["arguments"]):
                    if "event" not in answer:
                        answer["id"] = message["id"]
                    lines.write(json.dumps(answer).encode() + b"\n")
                lines.flush()
                if message["execute"] == "quit":
                    return

    thread = threading.Thread(target=serve)
    thread.start()
    line = Qmp(near)
    try:
        yield line
    finally:
        line.close()
        thread.join()


def far_end(command, arguments):
    if command == "echo":
        yield {"event": "BEFORE"}
        yield {"event": "BEFORE", "data": {"device": "a", "more": 1}}
        yield {"return": arguments}
    elif command == "wrong":
        yield {"error": {"class": "GenericError", "desc": "it is refused"}}
    elif command not in ("quit", "silence"):
        yield {"return": {}}


def test_answers_and_events():
    with connected(far_end) as line:
        assert line.execute("echo", {"x": [1, 2]}) == {"x": [1, 2]}
        assert [(event.number, event.name) for event in line.events()] == [
            (1, "BEFORE"),
            (2, "BEFORE"),
        ]
        assert line.last_event == 2
        assert line.wait_event("BEFORE", WAIT_S).number == 1
        assert line.wait_event("BEFORE", WAIT_S, device="a").number == 2
        assert line.wait_event("BEFORE", WAIT_S, after=1).number == 2
        with pytest.raises(TimeoutError):
            line.wait_event("BEFORE", 0.01, after=2)


def test_a_refusal_is_an_error_and_the_line_goes_on():
    with connected(far_end) as line:
        with pytest.raises(QmpError, match="wrong: it is refused"):
            line.execute("wrong")
        assert line.execute("echo", {}) == {}


def test_silence_is_not_waited_out_for_ever(monkeypatch):
    with connected(far_end) as line:
        monkeypatch.setattr(qmp, "ANSWER_WAIT_S", 0.05)
        with pytest.raises(TimeoutError, match="silence"):
            line.execute("silence")


def test_a_far_end_that_goes_is_lost():
    with connected(far_end) as line:
        with pytest.raises(QmpLost):
            line.execute("quit")
        with pytest.raises(QmpLost):
            line.wait_event("NEVER", WAIT_S)
        with pytest.raises(QmpLost):
            line.execute("echo")


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0\n", b'{"QM'])
def test_one_that_speaks_something_else_is_none(greeting):
    near, far = socket.socketpair()
    with near, far:
        far.sendall(greeting)
        far.shutdown(socket.SHUT_WR)
        with pytest.raises(QmpLost):
            Qmp(near)
