"""KassaShop against what no shop should do: real sockets, real bytes."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from appliance.domain.errors import Bug, Code, ConfigTrouble, OrderTrouble, ShopTrouble
from appliance.domain.facts import Fact, Kind
from appliance.drivers.kassa_shop import FACTS_AT_ONCE, FactRefused, KassaShop, ShopOptions
from appliance.drivers.shop_http import ShopBusy
from appliance.ports import Claimed, ClaimRefused, Shop
from appliance.protocols import shopapi
from appliance.simulators.shop import DemoShop, Fault, ShopFaults

TOKEN = "s3cret-token-of-a-kiosk"
ORDER: dict[str, Any] = {
    "id": "ord-1",
    "number": "1",
    "version": "1",
    "status": "ready",
    "pickup_point": "mitte",
    "currency": "EUR",
    "lines": [{"sku": "A", "name": "A", "quantity": "1", "unit_price": 5, "total": 5}],
    "total": 5,
    "paid": 0,
    "due": 5,
}
FACT = Fact("f-1", Kind.HANDED_OVER, "H-1", "2026-11-23T15:04:05Z", "", {"order": "ord-1"})


class Far:
    """A far end that says what it is told: `answer` gets each request's head and body, and the
    connection; it answers bytes, or speaks itself and answers b""."""

    def __init__(self, answer: Callable[[bytes, socket.socket], bytes]) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/base"
        self.requests: list[bytes] = []
        self.connections = 0
        self.came = threading.Event()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while request := _read_request(connection):
                self.requests.append(request)
                self.came.set()
                answer = self._answer(request, connection)
                if not answer:
                    return
                connection.sendall(answer)

    def close(self) -> None:
        # shutdown wakes the accept; close alone would not
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


def _read_request(connection: socket.socket) -> bytes:
    """Head and body of one request; b"" at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            while len(body) < int(line.split(b":")[1]):
                body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def reply(
    body: bytes | dict[str, Any] = b"",
    status: str = "200 OK",
    kind: str = "application/json",
    **headers: str,
) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(raw)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + raw


@pytest.fixture
def far() -> Iterator[Callable[..., tuple[Far, KassaShop]]]:
    """far(answer, **options) -> the far end and a driver to it."""
    opened: list[Far | KassaShop] = []

    def make(
        answer: bytes | Callable[[bytes, socket.socket], bytes], **options: Any
    ) -> tuple[Far, KassaShop]:
        end = Far(answer if callable(answer) else lambda request, connection: answer)
        shop = KassaShop(ShopOptions(end.url, TOKEN, "mitte", **options))
        opened.extend((shop, end))
        return end, shop

    yield make
    for thing in opened:
        thing.close()


CALLS: dict[str, Callable[[Shop], object]] = {
    "snapshot": lambda shop: shop.snapshot("", 0),
    "poll": lambda shop: shop.snapshot('"x"', 1),
    "order": lambda shop: shop.order("NL-1"),
    "claim": lambda shop: shop.claim("ord-1", "H-1", "1", 600),
    "deliver": lambda shop: shop.deliver([FACT]),
    "sellers": lambda shop: shop.sellers(),
    "health": lambda shop: shop.report_health({}),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


def trouble(call: Callable[[Shop], object], shop: Shop) -> ShopTrouble:
    with structlog.testing.capture_logs() as logs, pytest.raises(ShopTrouble) as caught:
        call(shop)
    for shown in (str(caught.value), repr(caught.value), repr(shop), str(logs)):
        assert TOKEN not in shown
    assert caught.value.detail.isprintable()
    return caught.value


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


# --- what the answers mean --------------------------------------------------------------------


@pytest.mark.parametrize("etag", [None, "", "bare", '"a b"', '"' + "x" * 300 + '"'])
def test_a_snapshot_without_a_usable_etag_is_nonsense(far: Any, etag: str | None) -> None:
    headers = {} if etag is None else {"ETag": etag}
    _, shop = far(reply({"orders": []}, **headers))
    assert trouble(CALLS["snapshot"], shop).code is Code.SHOP_NONSENSE


def test_a_304_that_was_not_asked_for_is_nonsense(far: Any) -> None:
    _, shop = far(b"HTTP/1.1 304 Not Modified\r\n\r\n")
    for name in ("snapshot", "order", "claim", "deliver", "sellers"):
        assert trouble(CALLS[name], shop).code is Code.SHOP_NONSENSE


def test_a_malformed_order_is_named_and_the_rest_is_there(far: Any) -> None:
    _, shop = far(
        reply({"orders": [ORDER, ORDER | {"id": "x", "number": "2", "due": 1.5}]}, ETag='"1"')
    )
    snapshot = shop.snapshot("", 0)
    assert [order.id for order in snapshot.orders] == ["ord-1"]
    assert snapshot.malformed == {"2": "due: expected int, got float"}


def test_a_malformed_order_by_its_code(far: Any) -> None:
    for body, said in (
        (ORDER | {"total": "5"}, "total: expected int, got str"),
        (b"[]", "expected object, got array"),
    ):
        _, shop = far(reply(body))
        with pytest.raises(OrderTrouble) as caught:
            shop.order("1")
        assert caught.value.code is Code.ORDER_MALFORMED
        assert caught.value.detail == said


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("claimed", Code.ORDER_CLAIMED),
        ("changed", Code.ORDER_CHANGED),
        ("paid", Code.ORDER_CHANGED),
        ("cancelled", Code.ORDER_CANCELLED),
        ("expired", Code.ORDER_EXPIRED),
        ("handed_over", Code.ORDER_HANDED_OVER),
        ("not_ready", Code.ORDER_NOT_READY),
        ("elsewhere", Code.ORDER_ELSEWHERE),
    ],
)
def test_each_refusal_has_its_code(far: Any, error: str, code: Code) -> None:
    body = {"title": "no", "error": error, "order": ORDER}
    _, shop = far(reply(body, status="409 Conflict", kind="application/problem+json"))
    refused = shop.claim("ord-1", "H-1", "1", 600)
    assert refused == ClaimRefused(code, error, shopapi.order_from_json(ORDER))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"order": ORDER | {"version": "2"}, "lease_s": 600}, Code.ORDER_CHANGED),
        ({"order": ORDER | {"due": "x"}, "lease_s": 600}, Code.ORDER_MALFORMED),
    ],
)
def test_a_grant_of_something_else_is_no_grant(
    far: Any, answer: dict[str, Any], code: Code
) -> None:
    _, shop = far(reply(answer))
    refused = shop.claim("ord-1", "H-1", "1", 600)
    assert isinstance(refused, ClaimRefused)
    assert refused.code is code


@pytest.mark.parametrize(
    "answer",
    [
        reply({"order": ORDER | {"id": "ord-2"}, "lease_s": 600}),
        reply({"order": ORDER, "lease_s": 0}),
        reply({"order": ORDER}),
        reply({"error": "mood"}, status="409 Conflict"),
        reply(b"<html>", status="409 Conflict"),
    ],
)
def test_a_claim_answered_with_nonsense(far: Any, answer: bytes) -> None:
    _, shop = far(answer)
    assert trouble(CALLS["claim"], shop).code is Code.SHOP_NONSENSE


def test_the_claim_says_what_the_seller_saw(far: Any) -> None:
    end, shop = far(reply({"order": ORDER, "lease_s": 60}))
    claimed = shop.claim("ord-1", "H-1", "1", 600)
    assert claimed == Claimed(shopapi.order_from_json(ORDER), 60)
    head, _, body = end.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /base/v1/orders/ord-1/claim HTTP/1.1\r\n")
    expected = shopapi.ClaimRequest("H-1", "1", 600, "mitte")
    assert shopapi.claim_request_from(body) == expected


def test_a_refused_fact_is_named(far: Any) -> None:
    body = {"title": "no", "refused": "f-1", "reason": "no such\norder"}
    _, shop = far(reply(body, status="422 Unprocessable", kind="application/problem+json"))
    refused = trouble(CALLS["deliver"], shop)
    assert refused.code is Code.SHOP_NONSENSE, "a reason has one line"
    body["reason"] = "no such order"
    _, shop = far(reply(body, status="422 Unprocessable", kind="application/problem+json"))
    refused = trouble(CALLS["deliver"], shop)
    assert isinstance(refused, FactRefused)
    assert (refused.code, refused.fact_id) == (Code.SHOP_REFUSES_FACT, "f-1")
    assert refused.detail == "f-1: no such order"


@pytest.mark.parametrize(
    "answer",
    [
        reply({"accepted": 0}),
        reply({"accepted": 2}),
        reply({}),
        reply({"refused": "another"}, status="422 Unprocessable"),
        reply(b"", status="204 No Content"),
    ],
)
def test_facts_are_delivered_only_when_the_shop_says_so(far: Any, answer: bytes) -> None:
    _, shop = far(answer)
    assert trouble(CALLS["deliver"], shop).code is Code.SHOP_NONSENSE


def test_many_facts_go_in_several_requests_in_order(far: Any) -> None:
    def count(request: bytes, connection: socket.socket) -> bytes:
        return reply({"accepted": len(shopapi.facts_from(request.partition(b"\r\n\r\n")[2]).facts)})

    end, shop = far(count)
    facts = [Fact(f"f-{n}", Kind.CLAIMED, "H", "2026-11-23") for n in range(2 * FACTS_AT_ONCE + 1)]
    shop.deliver(facts)
    sent = [
        fact.id
        for request in end.requests
        for fact in shopapi.facts_from(request.partition(b"\r\n\r\n")[2]).facts
    ]
    assert sent == [fact.id for fact in facts]
    assert len(end.requests) == 3
    shop.deliver([])
    assert len(end.requests) == 3


def test_a_report_that_is_no_json_is_our_bug(far: Any) -> None:
    _, shop = far(reply(b"", status="204 No Content"))
    for report in ({"a": object()}, {"a": float("nan")}):
        with pytest.raises(Bug):
            shop.report_health(report)


# --- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "token", "pickup_point"),
    [
        ("", TOKEN, "mitte"),
        ("shop.example", TOKEN, "mitte"),
        ("ftp://shop.example", TOKEN, "mitte"),
        ("https://", TOKEN, "mitte"),
        ("https://shop.example:0", TOKEN, "mitte"),
        ("https://shop.example:99999", TOKEN, "mitte"),
        ("https://me:hunter2@shop.example", TOKEN, "mitte"),
        ("https://shop.example/?a", TOKEN, "mitte"),
        ("https://shop.example/#a", TOKEN, "mitte"),
        ("https://shop.example/ü", TOKEN, "mitte"),
        ("http://shop.example", TOKEN, "mitte"),
        ("http://192.168.0.9", TOKEN, "mitte"),
        ("https://shop.example", "", "mitte"),
        ("https://shop.example", "a b", "mitte"),
        ("https://shop.example", "a\r\nX: y", "mitte"),
        ("https://shop.example", TOKEN, ""),
        ("https://shop.example", TOKEN, "x" * 81),
        ("https://shop.example", TOKEN, ".."),
    ],
)
def test_options_that_cannot_be_used(url: str, token: str, pickup_point: str) -> None:
    options = ShopOptions(url, token, pickup_point)
    with pytest.raises(ConfigTrouble) as caught:
        KassaShop(options)
    for secret in (TOKEN, "hunter2", "X: y"):
        assert secret not in caught.value.detail


@pytest.mark.parametrize(
    "url", ["https://shop.example/base/", "http://[::1]:8080", "http://localhost"]
)
def test_options_that_can_be_used(url: str) -> None:
    options = ShopOptions(url, TOKEN, "mitte")
    assert TOKEN not in repr(options)
    KassaShop(options).close()
    KassaShop(ShopOptions("http://shop.example", TOKEN, "mitte", allow_http=True)).close()


def test_a_file_of_certificates_that_is_none() -> None:
    options = ShopOptions("https://shop.example", TOKEN, "mitte", ca_file=__file__)
    with pytest.raises(ConfigTrouble):
        KassaShop(options)


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
