"""`kassa shop conformance`: does a shop keep the shop API's promises (docs/shop-api.md)?

For whoever builds a shop, in any language: it needs nothing but the installed package. It asks the
shop as a kiosk does, and touches no orders but the two that it is given: the first is claimed and
put back, the second is paid and handed over in the shop's books, with a payment that is made up.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx

from appliance.counter import config_rules
from appliance.domain.errors import Code, ConfigTrouble, ShopTrouble
from appliance.domain.facts import Fact, Json, Kind
from appliance.domain.order import Order, OrderStatus, disagreements
from appliance.drivers.shop_http import Answer, HttpOptions, ShopHttp
from appliance.protocols import shopapi
from appliance.protocols.shopapi import Refusal, ShopApiError

AT_ONCE: Final = 6
ROUNDS: Final = 5
"""So often AT_ONCE claims race for one order: a claim that is no compare and set loses a race."""
SHORT_LEASE_S: Final = 1
LEASE_ENDS_S: Final = 15.0
"""By when a lease of SHORT_LEASE_S must have ended, at the latest."""
LEASE_S: Final = 60
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Subject:
    """The shop that is looked at. claim_order, pay_order: numbers or codes of two test orders that
    are ready and have something due. other_token: of another kiosk of the pickup point, or "".
    proxy: as in HttpOptions."""

    url: str
    token: str = field(repr=False)
    pickup_point: str
    claim_order: str
    pay_order: str
    other_token: str = field(default="", repr=False)
    ca_file: str = ""
    proxy: str = ""
    answer_timeout_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check's result. flaw: what is wrong, and what was promised; "" where all is well.
    is_asked: False where the check could not be made, as flaw says."""

    name: str
    flaw: str = ""
    is_asked: bool = True

    @property
    def is_well(self) -> bool:
        return self.is_asked and not self.flaw


class Broken(Exception):
    """A promise that the shop does not keep."""


class NotAsked(Exception):
    """A check that cannot be made with what was given."""


def conformance(subject: Subject, transport: httpx.BaseTransport | None = None) -> list[Verdict]:
    """Every check in its order. Raises ConfigTrouble for an address, token or proxy that cannot
    be used, and ShopTrouble where the shop cannot be reached at all. transport: see ShopHttp."""
    for token in (subject.token, subject.other_token):
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise ConfigTrouble(["a token has blanks or odd characters"])
    if not subject.token:
        raise ConfigTrouble(["the token is empty"])
    try:
        config_rules.proxy()(subject.proxy)
    except config_rules.Wrong as wrong:
        raise ConfigTrouble([f"the proxy {wrong}"]) from None
    bench = _Bench(subject, transport)
    try:
        return [_verdict(name, check, bench) for name, check in CHECKS.items()]
    finally:
        bench.close()


def report(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as text: a line each, and one to sum them up."""
    width = max(len(verdict.name) for verdict in verdicts)
    lines = []
    for verdict in verdicts:
        mark = "ok" if verdict.is_well else "FAIL" if verdict.is_asked else "note"
        lines.append(f"{mark:<4}  {verdict.name:<{width}}  {verdict.flaw}".rstrip())
    broken = sum(verdict.is_asked and not verdict.is_well for verdict in verdicts)
    left_out = sum(not verdict.is_asked for verdict in verdicts)
    said = f"{broken} of {len(verdicts)} fail" if broken else "the shop keeps its promises"
    return "\n".join([*lines, f"{said}; {left_out} not asked" if left_out else said]) + "\n"


def _verdict(name: str, check: Callable[[_Bench], None], bench: _Bench) -> Verdict:
    try:
        check(bench)
    except NotAsked as reason:
        return Verdict(name, str(reason), is_asked=False)
    except (Broken, ShopApiError) as broken:
        return Verdict(name, shopapi.one_line(str(broken)))
    except ShopTrouble as trouble:
        if trouble.code is Code.SHOP_UNREACHABLE and not bench.has_answered:
            raise
        return Verdict(name, shopapi.one_line(f"{trouble.code}: {trouble.detail}"))
    return Verdict(name)


class _Bench:
    """The shop as the checks see it. Ids are new in every run: a shop knows facts for good."""

    def __init__(self, subject: Subject, transport: httpx.BaseTransport | None) -> None:
        self.subject = subject
        self.run = f"conformance-{secrets.token_hex(6)}"
        self.has_answered = False
        self._transport = transport
        self._links: dict[str, ShopHttp] = {}
        self._lock = threading.Lock()
        self._number = 0

    def close(self) -> None:
        for link in self._links.values():
            link.close()

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        token: str | None = None,
        etag: str = "",
        wait_s: float = 0.0,
    ) -> Answer:
        token = self.subject.token if token is None else token
        headers = {"If-None-Match": etag} if etag else None
        answer = self._link(token).call(method, path, headers=headers, body=body, wait_s=wait_s)
        self.has_answered = True
        return answer

    def _link(self, token: str) -> ShopHttp:
        subject = self.subject
        with self._lock:
            if token not in self._links:
                options = HttpOptions(
                    subject.url,
                    answer_timeout_s=subject.answer_timeout_s,
                    ca_file=subject.ca_file,
                    proxy=subject.proxy,
                )
                headers = {"Accept": shopapi.JSON_TYPE}
                if token:
                    headers["Authorization"] = f"Bearer {token}"
                self._links[token] = ShopHttp(options, headers, self._transport)
            return self._links[token]

    def name(self, what: str) -> str:
        """A new id."""
        with self._lock:
            self._number += 1
            return f"{self.run}-{what}-{self._number}"

    # --- the API --------------------------------------------------------------------------------

    def orders(self, etag: str = "", wait_s: int = 0) -> tuple[str, tuple[Order, ...] | None]:
        path = shopapi.orders_path(self.subject.pickup_point)
        if etag:
            path += f"?wait={wait_s}"
        answer = self.call("GET", path, etag=etag, wait_s=wait_s)
        if answer.status == 304 and etag:
            return etag, None
        found = _read(answer, 200, shopapi.orders_from)
        fresh = answer.headers.get("etag", "")
        if not fresh:
            raise Broken("the snapshot has no ETag, so every poll would carry all orders")
        if found.malformed:
            number, reason = next(iter(found.malformed.items()))
            raise Broken(f"order {number} cannot be read: {reason}")
        return fresh, found.orders

    def order(self, code: str) -> Order:
        return _read(self.call("GET", shopapi.by_code_path(code)), 200, shopapi.order_from)

    def claim(
        self,
        order: Order,
        claim_id: str,
        *,
        version: str = "",
        lease_s: int = LEASE_S,
        pickup_point: str = "",
        token: str | None = None,
    ) -> Answer:
        request = shopapi.ClaimRequest(
            claim_id,
            version or order.version,
            lease_s,
            pickup_point or self.subject.pickup_point,
        )
        body = shopapi.claim_request_message(request)
        return self.call("PUT", shopapi.claim_path(order.id), body, token=token)

    def facts(self, *facts: Fact, after: str = "") -> Answer:
        return self.call("POST", shopapi.FACTS_PATH, shopapi.facts_message(facts, after))

    def take(self, *facts: Fact, after: str = "") -> None:
        accepted = _read(self.facts(*facts, after=after), 200, shopapi.accepted_from)
        if accepted != len(facts):
            raise Broken(f"accepted {accepted} of {len(facts)} facts, new and known ones alike")

    def fact(self, order: Order, kind: Kind | str, claim: str, **body: Json) -> Fact:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        about: dict[str, Json] = {"order": order.id, "claim": claim}
        # A kind that no shop knows is a text like any other on the wire.
        return Fact(self.name("fact"), kind, claim, at, "", about | body)  # type: ignore[arg-type]

    def payable(self, code: str) -> Order:
        """A test order as it is now. Raises Broken where it cannot serve as one."""
        order = self.order(code)
        if order.pickup_point != self.subject.pickup_point:
            raise Broken(f"test order {code} is of another pickup point, {order.pickup_point}")
        if order.status is not OrderStatus.READY or order.due.amount <= 0:
            said = f"test order {code} is {order.status} with {order.due} due"
            raise Broken(f"{said}: give one that is ready and has something due")
        return order

    def put_back(self, order: Order, claim: str) -> None:
        self.take(self.fact(order, Kind.PUT_BACK, claim))


def _read(answer: Answer, status: int, read: Callable[[bytes], T]) -> T:
    if answer.status != status:
        said = shopapi.problem_text(answer.body) or answer.media_type or "nothing"
        raise Broken(f"HTTP {answer.status} where {status} is promised: {said}")
    wanted = shopapi.JSON_TYPE if status < 400 else shopapi.PROBLEM_TYPE
    if answer.media_type != wanted:
        raise Broken(f"HTTP {status} as {answer.media_type or 'nothing'} instead of {wanted}")
    return read(answer.body)


def _problem(answer: Answer, status: int) -> None:
    _read(answer, status, lambda _: None)


def _refused(answer: Answer, *reasons: Refusal) -> shopapi.ClaimRefusal:
    refusal = _read(answer, 409, shopapi.claim_refused_from)
    if refusal.error not in reasons:
        raise Broken(f"the claim is refused as {refusal.error} instead of {reasons[0]}")
    return refusal


def _granted(answer: Answer, order: Order, lease_s: int = LEASE_S) -> None:
    fresh, granted_s = _read(answer, 200, shopapi.claim_granted_from)
    if fresh.id != order.id:
        raise Broken("the claim is answered with another order")
    if fresh.version != order.version:
        raise Broken("a claim changed the version, so that the next claim is refused as changed")
    if granted_s > lease_s:
        raise Broken(f"a lease of {granted_s} s was granted where {lease_s} s were asked for")


# --- the checks ---------------------------------------------------------------------------------


def _token(bench: _Bench) -> None:
    path = shopapi.orders_path(bench.subject.pickup_point)
    for token, words in (("", "no token"), (f"{bench.run}-wrong", "a wrong token")):
        try:
            answer = bench.call("GET", path, token=token)
        except ShopTrouble as trouble:
            if trouble.code is not Code.SHOP_TOKEN:
                raise
            bench.has_answered = True
        else:
            raise Broken(f"HTTP {answer.status} for {words}, where 401 is promised")


def _snapshot(bench: _Bench) -> None:
    etag, orders = bench.orders()
    found = {order.id: order for order in orders or ()}
    for code in (bench.subject.claim_order, bench.subject.pay_order):
        order = bench.payable(code)
        if order.id not in found:
            raise Broken(f"test order {code} is ready and not among the open orders")
        if flaws := disagreements(found[order.id]):
            raise Broken(f"order {code}: {flaws[0]}")
        if found[order.id] != order:
            raise Broken(f"order {code} is another one by its code than in the snapshot")
    again, unchanged = bench.orders(etag)
    if unchanged is not None or again != etag:
        raise Broken("unchanged orders are sent again where 304 is promised to their ETag")
    if bench.orders(etag, wait_s=1)[1] is not None:
        raise Broken("a poll that waits ends with orders that have not changed")


def _codes(bench: _Bench) -> None:
    for number in (bench.subject.claim_order, bench.subject.pay_order):
        order = bench.order(number)
        for code in (order.number, *order.codes):
            if bench.order(code) != order:
                raise Broken(f"{code} does not lead to order {order.number}")


def _unknown_codes(bench: _Bench) -> None:
    for code in (bench.run, f"{bench.run}/a", f"{bench.run} ?x=1#ж%2F"):
        answer = bench.call("GET", shopapi.by_code_path(code))
        if answer.status == 404 and answer.media_type != shopapi.PROBLEM_TYPE:
            raise Broken(
                f"404 for {code!r} comes as {answer.media_type or 'nothing'}: without"
                f" {shopapi.PROBLEM_TYPE} a kiosk takes it for a wrong address"
            )
        _problem(answer, 404)


def _one_claim(bench: _Bench) -> None:
    order = bench.payable(bench.subject.claim_order)
    tokens = [bench.subject.token, bench.subject.other_token or bench.subject.token]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(ROUNDS):
            claims = [bench.name("claim") for _ in range(AT_ONCE)]
            line_up = threading.Barrier(AT_ONCE)

            def ask(number: int, claims: list[str] = claims, line_up: Any = line_up) -> Answer:
                line_up.wait(60)
                return bench.claim(order, claims[number], token=tokens[number % 2])

            answers = list(pool.map(ask, range(AT_ONCE)))
            won = [number for number, answer in enumerate(answers) if answer.status == 200]
            for number in won:
                _release(bench, order, claims[number], tokens[number % 2])
            if len(won) != 1:
                raise Broken(f"{len(won)} of {AT_ONCE} claims at the same time were granted, not 1")
            _granted(answers[won[0]], order)
            for number, answer in enumerate(answers):
                if number not in won:
                    _refused(answer, Refusal.CLAIMED)


def _release(bench: _Bench, order: Order, claim: str, token: str) -> None:
    body = shopapi.facts_message([bench.fact(order, Kind.PUT_BACK, claim)])
    answer = bench.call("POST", shopapi.FACTS_PATH, body, token=token)
    _read(answer, 200, shopapi.accepted_from)


def _renewal(bench: _Bench) -> None:
    order, claim = bench.payable(bench.subject.claim_order), bench.name("claim")
    try:
        for _ in range(2):
            _granted(bench.claim(order, claim), order)
        _refused(bench.claim(order, bench.name("claim")), Refusal.CLAIMED)
    finally:
        bench.put_back(order, claim)
    # What was put back is free at once, for whoever comes.
    claim = bench.name("claim")
    _granted(bench.claim(order, claim), order)
    bench.put_back(order, claim)


def _two_kiosks(bench: _Bench) -> None:
    """Claim ids are each kiosk's own."""
    if not bench.subject.other_token:
        raise NotAsked("give the token of another kiosk of this pickup point: --other-token-file")
    order, claim = bench.payable(bench.subject.claim_order), bench.name("claim")
    other = bench.subject.other_token
    try:
        _granted(bench.claim(order, claim), order)
        _refused(bench.claim(order, claim, token=other), Refusal.CLAIMED)
        _release(bench, order, claim, other)
        _refused(bench.claim(order, claim, token=other), Refusal.CLAIMED)
    finally:
        bench.put_back(order, claim)


def _lease(bench: _Bench) -> None:
    order, claim = bench.payable(bench.subject.claim_order), bench.name("claim")
    _granted(bench.claim(order, claim, lease_s=SHORT_LEASE_S), order, SHORT_LEASE_S)
    other = bench.name("claim")
    _granted(_until_granted(bench, order, other), order)
    bench.put_back(order, other)


def _until_granted(bench: _Bench, order: Order, claim: str) -> Answer:
    """The answer to a claim that waits for a lease to end."""
    until = time.monotonic() + LEASE_ENDS_S
    while True:
        answer = bench.claim(order, claim)
        if answer.status == 200 or time.monotonic() > until:
            return answer
        _refused(answer, Refusal.CLAIMED)
        time.sleep(0.3)


def _open_payment(bench: _Bench) -> None:
    """Whose payment runs keeps the order, lease or not."""
    order, claim = bench.payable(bench.subject.claim_order), bench.name("claim")
    payment = bench.name("payment")
    _granted(bench.claim(order, claim, lease_s=SHORT_LEASE_S), order, SHORT_LEASE_S)
    told: dict[str, Json] = {"payment": payment, "amount": order.due.amount}
    told["currency"] = order.due.currency.code
    bench.take(bench.fact(order, Kind.STARTED, claim, **told))
    try:
        until = time.monotonic() + 3 * SHORT_LEASE_S
        while time.monotonic() < until:
            _refused(bench.claim(order, bench.name("claim")), Refusal.CLAIMED)
            time.sleep(0.3)
    finally:
        bench.take(bench.fact(order, Kind.DECLINED, claim, payment=payment, code="K-PAY-01"))
    other = bench.name("claim")
    _granted(_until_granted(bench, order, other), order)
    bench.put_back(order, other)


def _refusals(bench: _Bench) -> None:
    order = bench.payable(bench.subject.claim_order)
    old = bench.claim(order, bench.name("claim"), version=f"{order.version}-old"[:80])
    refusal = _refused(old, Refusal.CHANGED)
    if refusal.order != order:
        raise Broken("a claim that is refused as changed does not carry the order as it is now")
    elsewhere = bench.claim(order, bench.name("claim"), pickup_point=bench.run)
    _refused(elsewhere, Refusal.ELSEWHERE)
    unknown = shopapi.ClaimRequest("c", "1", LEASE_S, bench.subject.pickup_point)
    body = shopapi.claim_request_message(unknown)
    _problem(bench.call("PUT", shopapi.claim_path(bench.run), body), 404)


def _facts_once(bench: _Bench) -> None:
    order = bench.payable(bench.subject.claim_order)
    first = bench.fact(order, Kind.NOTHING_DUE, bench.run)
    strange = bench.fact(order, f"{bench.run}.of-tomorrow", bench.run)
    for batch in ((), (first,), (first,), (first, strange), (strange,)):
        bench.take(*batch)
    if bench.order(order.number).version != order.version:
        raise Broken("a fact that changes nothing changed the order's version")


def _facts_refused(bench: _Bench) -> None:
    order = bench.payable(bench.subject.claim_order)
    good = bench.fact(order, Kind.NOTHING_DUE, bench.run)
    paid = bench.fact(order, Kind.APPROVED, bench.run, payment=bench.name("payment"), amount=1)
    bad = Fact(paid.id, paid.kind, paid.subject, paid.at, "", {**paid.body, "order": bench.run})
    refusal = _read(bench.facts(good, bad), 422, shopapi.fact_refused_from)
    if refusal.refused != bad.id:
        raise Broken(f"422 names {refusal.refused} instead of the fact that cannot be taken")
    answer = bench.facts(after=good.id)
    if answer.status == 200:
        raise Broken("facts of a request that was refused with 422 were kept")
    _read(answer, 409, shopapi.forgotten_from)


def _forgotten(bench: _Bench) -> None:
    order = bench.payable(bench.subject.claim_order)
    told, later = (bench.fact(order, Kind.NOTHING_DUE, bench.run) for _ in range(2))
    bench.take(told)
    bench.take(after=told.id)
    for facts in ((), (later,)):
        newest = _read(bench.facts(*facts, after=bench.run), 409, shopapi.forgotten_from)
        if newest != told.id:
            raise Broken(f"newest is {newest or 'empty'} instead of the fact that was told last")
    if bench.facts(after=later.id).status == 200:
        raise Broken("a fact was kept although the one before it is not there")
    bench.take(later, after=told.id)


def _paid(bench: _Bench) -> None:
    """The second test order is paid and handed over, each once whatever is repeated."""
    order, claim = bench.payable(bench.subject.pay_order), bench.name("claim")
    etag, _ = bench.orders()
    _granted(bench.claim(order, claim), order)
    told: dict[str, Json] = {"payment": bench.name("payment"), "amount": order.due.amount}
    told |= {"currency": order.due.currency.code, "card": {"receipt_no": 1, "scheme": "TEST"}}
    bench.take(bench.fact(order, Kind.STARTED, claim, **told))
    approved = bench.fact(order, Kind.APPROVED, claim, **told)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for taken in [pool.submit(bench.take, approved) for _ in range(AT_ONCE)]:
            taken.result()
    _is_paid(bench, order, "a fact that came several times, some at the same time")
    bench.take(bench.fact(order, Kind.DECIDED_PAID, claim, **told))
    _is_paid(bench, order, "two facts about one payment")
    if bench.order(order.number).version == order.version:
        raise Broken("a payment left the order's version as it was")
    fresh, orders = bench.orders(etag)
    if orders is None or fresh == etag:
        raise Broken("an order was paid, and the old ETag of the open orders still holds")
    etag = fresh
    handed_over = bench.fact(order, Kind.HANDED_OVER, claim)
    for _ in range(2):
        bench.take(handed_over)
    status = bench.order(order.number).status
    if status is not OrderStatus.HANDED_OVER:
        raise Broken(f"what was handed over is {status}")
    _, orders = bench.orders(etag)
    if orders is None or order.id in {each.id for each in orders}:
        raise Broken("what was handed over is still among the open orders")
    _refused(bench.claim(bench.order(order.number), bench.name("claim")), Refusal.HANDED_OVER)


def _is_paid(bench: _Bench, before: Order, what: str) -> None:
    now = bench.order(before.number)
    if now.paid.amount != before.paid.amount + before.due.amount:
        raise Broken(f"{before.due} was paid and {now.paid} is booked, after {what}")


def _sellers(bench: _Bench) -> None:
    path = shopapi.sellers_path(bench.subject.pickup_point)
    _read(bench.call("GET", path), 200, shopapi.sellers_from)


def _health(bench: _Bench) -> None:
    body = shopapi.write_json({"version": "conformance", "up_s": 1.5, "devices": {"printer": None}})
    answer = bench.call("POST", shopapi.HEALTH_PATH, body)
    if answer.status != 204:
        raise Broken(f"HTTP {answer.status} where 204 is promised")


def _nonsense(bench: _Bench) -> None:
    """What cannot be read is the kiosk's fault, 4xx: a 5xx would come again for ever."""
    for body in (b"{", b'{"facts":{}}', b"[]"):
        answer = bench.call("POST", shopapi.FACTS_PATH, body)
        if not 400 <= answer.status < 500:
            raise Broken(f"HTTP {answer.status} for a request that cannot be read, not 400")


CHECKS: Final[dict[str, Callable[[_Bench], None]]] = {
    "tokens are asked for": _token,
    "the snapshot and its ETag": _snapshot,
    "orders by their codes": _codes,
    "unknown codes": _unknown_codes,
    "of many claims one": _one_claim,
    "a claim is repeated and put back": _renewal,
    "each kiosk has its own claims": _two_kiosks,
    "a lease ends": _lease,
    "an open payment holds the order": _open_payment,
    "claims that are refused": _refusals,
    "facts are known by their ids": _facts_once,
    "facts that are refused": _facts_refused,
    "what was forgotten is found out": _forgotten,
    "paid and handed over, once": _paid,
    "sellers": _sellers,
    "a kiosk's health": _health,
    "requests that cannot be read": _nonsense,
}
