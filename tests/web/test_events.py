"""The event stream, over a real server with threads."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse

import pytest
from werkzeug.serving import BaseWSGIServer, make_server

from tests.web.fake import FakeCounter
from tests.web.samples import SAMPLES
from web import WebSettings, create_app, events

WAIT_S = 10.0


@dataclass
class Server:
    counter: FakeCounter
    port: int

    @contextmanager
    def stream(self) -> Iterator[HTTPResponse]:
        """The answer to a request for the events."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        connection.request("GET", "/events")
        with closing(connection), connection.getresponse() as response:
            yield response


@pytest.fixture
def server() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        counter = FakeCounter()
        app = create_app(counter, WebSettings(hosts=(f"127.0.0.1:{port}",)))
        running: BaseWSGIServer = make_server(
            "127.0.0.1", port, app, threaded=True, fd=listener.fileno()
        )
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield Server(counter, port)
        counter.stop()
        running.shutdown()
        thread.join(WAIT_S)
        running.server_close()
        assert not thread.is_alive()


def read_until(stream: HTTPResponse, end: bytes) -> bytes:
    """Everything up to `end`, or to the end of the stream."""
    found = b""
    while end not in found and (part := stream.read1(4096)):
        found += part
        assert len(found) < 65536
    return found


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def test_a_change_is_told_with_its_seq_and_nothing_else(server: Server) -> None:
    with server.stream() as stream:
        assert stream.status == 200
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert stream.headers["Cache-Control"] == "no-store"
        first = b"retry: 1000\n\nevent: changed\nid: 1\ndata: 1\n\n"
        assert read_until(stream, b"data: 1\n\n") == first
        for seq in (2, 3):
            assert server.counter.show(SAMPLES["order"]) == seq
            told = f"event: changed\nid: {seq}\ndata: {seq}\n\n".encode()
            assert read_until(stream, told) == told


def test_streams_end_when_the_counter_stops(server: Server) -> None:
    with server.stream() as stream:
        read_until(stream, b"data: 1\n\n")
        server.counter.stop()
        assert read_until(stream, b"never") == b""
    with server.stream() as late:
        assert late.status == 503


def test_there_are_few_streams_and_one_that_is_left_makes_room(server: Server) -> None:
    with ExitStack() as all_but_one, ExitStack() as one:
        for place in range(events.MOST_STREAMS):
            stream = (all_but_one if place else one).enter_context(server.stream())
            read_until(stream, b"data: 1\n\n")
        with server.stream() as refused:
            assert refused.status == 503
        one.close()

        def is_served() -> bool:
            with server.stream() as stream:
                return stream.status == 200

        until(is_served)


def test_silence_is_broken_by_a_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PING_S", 0.05)
    monkeypatch.setattr(events, "_SLICE_S", 0.02)
    told = events.events(FakeCounter(), None)
    assert [next(told) for _ in range(4)] == [
        "retry: 1000\n\n",
        "event: changed\nid: 1\ndata: 1\n\n",
        ": ping\n\n",
        ": ping\n\n",
    ]
    told.close()  # type: ignore[attr-defined]


def test_a_closed_connection_is_seen() -> None:
    ours, theirs = socket.socketpair()
    assert not events.is_gone(None)
    assert not events.is_gone(ours)
    theirs.sendall(b"x")
    assert not events.is_gone(ours)
    ours.recv(1)
    theirs.close()
    assert events.is_gone(ours)
    ours.close()
    assert events.is_gone(ours)
