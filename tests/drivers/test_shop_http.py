"""HTTP to a shop, against what no shop should do: real sockets, real bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from appliance.domain.errors import Code, ShopTrouble
from appliance.drivers.kassa_shop import KassaShop, ShopOptions
from appliance.drivers.shop_http import ShopBusy
from appliance.ports import Shop
from appliance.simulators.shop import DemoShop, Fault, ShopFaults
from tests.drivers.far_shop import CALLS, TOKEN, every_call, reply, trouble

# --- what the far end answers -----------------------------------------------------------------


@every_call
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply(b"<html>log in", kind="text/html"), Code.SHOP_NONSENSE),
        (reply(b"{"), Code.SHOP_NONSENSE),
        (reply({}, status="202 Accepted"), Code.SHOP_NONSENSE),
        (reply({}, status="418 Teapot"), Code.SHOP_NONSENSE),
        (reply(b"<html>", status="404 Not Found", kind="text/html"), Code.SHOP_NONSENSE),
        (reply({}, Content_Encoding="gzip"), Code.SHOP_NONSENSE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}", Code.SHOP_NONSENSE),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Code.SHOP_NONSENSE),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n", Code.SHOP_NONSENSE),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 200_000, Code.SHOP_NONSENSE),
        (b"", Code.SHOP_UNREACHABLE),
        (reply({}, status="401 Unauthorized"), Code.SHOP_TOKEN),
        (reply({}, status="403 Forbidden"), Code.SHOP_TOKEN),
        (reply({}, status="429 Too Many"), Code.SHOP_BUSY),
        (reply({}, status="500 Oops"), Code.SHOP_BUSY),
        (reply(b"<html>", status="502 Bad Gateway", kind="text/html"), Code.SHOP_BUSY),
        (reply(b"", status="301 Moved", Location="https://evil.example/"), Code.SHOP_MOVED),
        (reply(b"", status="307 Moved", Location="//x\x7f"), Code.SHOP_NONSENSE),
        (reply(b"", status="302 Found"), Code.SHOP_MOVED),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else str(value),
)  # fmt: skip
def test_each_kind_of_nonsense_has_its_code(
    far: Any, call: Callable[[Shop], object], answer: bytes, code: Code
) -> None:
    def speak(request: bytes, connection: socket.socket) -> bytes:
        connection.sendall(answer)
        return b""  # and hang up

    end, shop = far(speak)
    assert trouble(call, shop).code is code
    assert len(end.requests) == 1, "nothing is repeated, nothing is followed"


@every_call
def test_what_the_shop_says_is_fit_for_a_log(far: Any, call: Callable[[Shop], object]) -> None:
    _, shop = far(reply(b"", status="200 OK", kind="a/b\x9b2J\xad"))
    said = trouble(call, shop)
    assert said.code is Code.SHOP_NONSENSE
    assert said.detail.isprintable()


@every_call
@pytest.mark.parametrize(
    ("stated", "expected"),
    [("7", 7.0), ("0", 0.0), ("999999999", 3600.0), ("-1", None),
     ("Mon, 23 Nov 2026 15:04:05 GMT", None)],
)  # fmt: skip
def test_retry_after_is_told_within_bounds(
    far: Any, call: Callable[[Shop], object], stated: str, expected: float | None
) -> None:
    _, shop = far(reply(status="503 Busy", Retry_After=stated))
    busy = trouble(call, shop)
    assert isinstance(busy, ShopBusy)
    assert busy.retry_after_s == expected


@every_call
def test_nobody_listens(call: Callable[[Shop], object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    shop = KassaShop(ShopOptions(url, TOKEN, "mitte"))
    assert trouble(call, shop).code is Code.SHOP_UNREACHABLE
    shop.close()


def test_an_endless_answer_is_cut_at_the_bound(far: Any) -> None:
    sent = [0]

    def endless(request: bytes, connection: socket.socket) -> bytes:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:  # until the driver hangs up
            connection.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            sent[0] += 0x10000

    _, shop = far(endless, max_body=1_000_000)
    assert trouble(CALLS["snapshot"], shop).code is Code.SHOP_NONSENSE
    assert sent[0] < 30_000_000  # the bound, and what the sockets held


def test_a_length_beyond_the_bound_is_not_waited_for(far: Any) -> None:
    def boast(request: bytes, connection: socket.socket) -> bytes:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n{")
        connection.recv(1)  # nothing more comes from either side but the hanging up
        return b""

    _, shop = far(boast)
    said = trouble(CALLS["snapshot"], shop)
    assert (said.code, "more than" in said.detail) == (Code.SHOP_NONSENSE, True)


@pytest.mark.parametrize("part", ["head", "body"])
def test_an_answer_that_drips_ends_at_the_deadline(far: Any, part: str) -> None:
    """Each byte comes in time, the answer never does: httpx alone would read for hours."""

    def drip(request: bytes, connection: socket.socket) -> bytes:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        if part == "body":
            connection.sendall(b"\r\nContent-Length: 100000\r\n\r\n")
        while True:
            connection.sendall(b"x")
            time.sleep(0.02)

    _, shop = far(drip, connect_timeout_s=0.3, answer_timeout_s=0.3)
    said = trouble(CALLS["order"], shop)
    assert said.code is Code.SHOP_UNREACHABLE
    assert "no whole answer within 0.6 s" in said.detail


def test_after_a_call_was_cut_the_next_one_works(far: Any) -> None:
    good = reply({"orders": []}, ETag='"1"')

    def drip_first(request: bytes, connection: socket.socket) -> bytes:
        while len(end.requests) == 1:
            connection.sendall(b"x")
            time.sleep(0.02)
        return good

    end, shop = far(drip_first, connect_timeout_s=0.3, answer_timeout_s=0.3)
    assert trouble(CALLS["snapshot"], shop).code is Code.SHOP_UNREACHABLE
    assert shop.snapshot("", 0) is not None


def test_silence_ends_at_the_deadline(far: Any) -> None:
    def nothing(request: bytes, connection: socket.socket) -> bytes:
        return connection.recv(1)

    _, shop = far(nothing, connect_timeout_s=0.3, answer_timeout_s=0.3)
    assert trouble(CALLS["claim"], shop).code is Code.SHOP_UNREACHABLE


def test_a_poll_may_take_longer_than_other_answers(far: Any) -> None:
    def later(request: bytes, connection: socket.socket) -> bytes:
        if b"wait=1 " in request:
            time.sleep(0.6)
        return b"HTTP/1.1 304 Not Modified\r\n\r\n"

    _, shop = far(later, connect_timeout_s=0.3, answer_timeout_s=0.3)
    assert shop.snapshot('"x"', 1) is None


def test_each_call_has_its_own_deadline(far: Any) -> None:
    """One thread watches over all of them: a long poll must not make it sleep through a shorter
    call, nor may the deadline of a call that is over end the next one on its line."""

    def answer(request: bytes, connection: socket.socket) -> bytes:
        if b"wait=25 " in request:
            return connection.recv(1)
        if b"wait=1 " in request:
            time.sleep(0.9)
            return b"HTTP/1.1 304 Not Modified\r\n\r\n"
        if b"claim" in request:
            while True:
                connection.sendall(b"x")
                time.sleep(0.02)
        return reply({"orders": []}, ETag='"1"')

    end, shop = far(answer, connect_timeout_s=0.3, answer_timeout_s=0.3)
    assert shop.snapshot("", 0) is not None
    assert shop.snapshot('"x"', 1) is None
    poll = threading.Thread(target=trouble, args=(lambda shop: shop.snapshot('"x"', 25), shop))
    end.came.clear()
    poll.start()
    assert end.came.wait(5.0)
    begun = time.monotonic()
    assert trouble(CALLS["claim"], shop).code is Code.SHOP_UNREACHABLE
    assert time.monotonic() - begun < 5.0
    shop.close()
    poll.join(5.0)
    assert not poll.is_alive()


# --- connections, threads, closing ------------------------------------------------------------


def test_the_connection_is_kept_and_the_token_goes_along(far: Any) -> None:
    end, shop = far(reply({"orders": []}, ETag='"1"'))
    for _ in range(5):
        shop.snapshot("", 0)
    assert end.connections == 1
    for request in end.requests:
        assert request.startswith(b"GET /base/v1/pickup-points/mitte/orders HTTP/1.1\r\n")
        assert b"\r\nAuthorization: Bearer " + TOKEN.encode() in request
        assert b"\r\nAccept-Encoding: identity" in request


def test_after_a_failure_the_next_call_works(far: Any) -> None:
    answers = iter([b"junk\r\n\r\n", reply({"orders": []}, ETag='"1"'), b"HTTP/1.1 200", b""])
    good = reply({"orders": []}, ETag='"1"')
    _, shop = far(
        lambda request, connection: next(answers, good), answer_timeout_s=0.5, connect_timeout_s=0.5
    )
    assert trouble(CALLS["snapshot"], shop).code is Code.SHOP_NONSENSE
    assert shop.snapshot("", 0) is not None
    for _ in range(3):
        with contextlib.suppress(ShopTrouble):
            shop.snapshot("", 0)
    assert shop.snapshot("", 0) is not None


def test_closing_ends_calls_in_progress_and_refuses_new_ones(far: Any) -> None:
    def hold(request: bytes, connection: socket.socket) -> bytes:
        return connection.recv(1)

    end, shop = far(hold)
    ended: list[Code] = []
    poll = threading.Thread(target=lambda: ended.append(trouble(CALLS["poll"], shop).code))
    poll.start()
    assert end.came.wait(10)
    shop.close()
    poll.join(5)  # it was to take 16 s
    assert ended == [Code.SHOP_UNREACHABLE]
    assert trouble(CALLS["order"], shop).code is Code.SHOP_UNREACHABLE
    shop.close()


def test_too_many_calls_at_once_are_refused(far: Any) -> None:
    release = threading.Event()

    def hold(request: bytes, connection: socket.socket) -> bytes:
        release.wait(20)
        return b"HTTP/1.1 304 Not Modified\r\n\r\n"

    end, shop = far(hold, answer_timeout_s=0.3, connect_timeout_s=15.0)
    polls = [threading.Thread(target=lambda: shop.snapshot('"x"', 20)) for _ in range(8)]
    for poll in polls:
        poll.start()
    until = time.monotonic() + 10
    while len(end.requests) < 8 and time.monotonic() < until:
        time.sleep(0.005)
    assert trouble(CALLS["order"], shop).code is Code.SHOP_BUSY
    release.set()
    for poll in polls:
        poll.join(10)


def test_no_proxy_comes_in_by_the_environment(far: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    _, shop = far(reply({"orders": []}, ETag='"1"'))
    assert shop.snapshot("", 0) is not None


# --- the demo shop's faults, as the bench switches them ---------------------------------------


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.DOWN, Code.SHOP_UNREACHABLE),
        (Fault.LOST, Code.SHOP_UNREACHABLE),
        (Fault.ERROR_500, Code.SHOP_BUSY),
        (Fault.UNAVAILABLE_503, Code.SHOP_BUSY),
        (Fault.TOO_MANY_429, Code.SHOP_BUSY),
        (Fault.HTML, Code.SHOP_NONSENSE),
        (Fault.TRUNCATED, Code.SHOP_NONSENSE),
        (Fault.HUGE, Code.SHOP_NONSENSE),
        (Fault.MOVED, Code.SHOP_MOVED),
        (Fault.SLOW, Code.SHOP_UNREACHABLE),
    ],
)
def test_each_fault_of_the_demo_shop_is_seen_for_what_it_is(fault: Fault, code: Code) -> None:
    with DemoShop() as demo:
        options = ShopOptions(
            demo.url, demo.tokens["mitte-1"], "mitte", connect_timeout_s=0.5, answer_timeout_s=1.0
        )
        shop = KassaShop(options)
        demo.faults = ShopFaults(fault, seconds=30.0)
        found = trouble(CALLS["snapshot"], shop)
        assert found.code is code
        if fault in (Fault.UNAVAILABLE_503, Fault.TOO_MANY_429):
            assert isinstance(found, ShopBusy)
            assert found.retry_after_s == 30
        demo.faults = ShopFaults()
        assert shop.snapshot("", 0) is not None
        shop.close()
