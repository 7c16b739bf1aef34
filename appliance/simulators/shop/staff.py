"""The demo shop as its staff see it: orders, payments, what the kiosks said; and the buttons
with which an order changes behind a counter's back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import segno
from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from appliance.domain.money import Money
from appliance.domain.order import OrderStatus
from appliance.protocols.shopapi import order_from_json
from appliance.simulators.shop import samples
from appliance.simulators.shop.enrolment import LIFE_S, ShopEnrolments
from appliance.simulators.shop.links import ShopLinks
from appliance.simulators.shop.store import ShopStore

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
SHOWN_FACTS: Final = 60
LONGEST_NAME: Final = 80  # of a counter
STATUS_WORDS: Final = {
    OrderStatus.READY: "ready",
    OrderStatus.NOT_READY: "being packed",
    OrderStatus.HANDED_OVER: "handed over",
    OrderStatus.CANCELLED: "cancelled",
    OrderStatus.EXPIRED: "expired",
}
_CHANGES: Final[dict[str, OrderStatus]] = {
    "cancel": OrderStatus.CANCELLED,
    "expire": OrderStatus.EXPIRED,
    "ready": OrderStatus.READY,
    "unready": OrderStatus.NOT_READY,
}


def staff(
    store: ShopStore,
    state: Callable[[], dict[str, Any]],
    links: ShopLinks,
    enrolments: ShopEnrolments,
) -> Blueprint:
    blueprint = Blueprint(
        "staff", __name__, url_prefix="/staff", template_folder="templates", static_folder="static"
    )
    blueprint.add_app_template_filter(_money, "money")
    blueprint.add_app_template_filter(_clock, "clock")

    @blueprint.before_request
    def _is_ours() -> None:
        # The page has no password, so no other site's page may reach it through the browser.
        if urlsplit(f"//{request.host}").hostname not in {h.strip("[]") for h in LOOPBACK}:
            abort(403)
        origin = request.headers.get("Origin")
        if request.method == "POST" and origin not in (None, request.host_url.rstrip("/")):
            abort(403)

    @blueprint.after_request
    def _policy(answer: Response) -> Response:
        answer.headers["Content-Security-Policy"] = "default-src 'self'; base-uri 'none'"
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @blueprint.get("")
    def _page() -> str:
        return render_template("shop_staff.html", **_view(state(), request.args.get("at", "")))

    @blueprint.get("/part")
    def _part() -> Response | str:
        """The page's changing part, or 204 when it is still that of ?seen=REVISION."""
        view = _view(state(), request.args.get("at", ""))
        if request.args.get("seen") == view["seen"]:
            return Response(status=204)
        return render_template("shop_staff_part.html", **view)

    @blueprint.post("/orders/<path:order_id>/<action>")
    def _act(order_id: str, action: str) -> BaseResponse:
        if action in _CHANGES:
            is_known = store.set_status(order_id, _CHANGES[action])
        elif action == "pay":
            is_known = store.pay_online(order_id)
        elif action == "add-line":
            is_known = store.add_line(order_id)
        elif action == "open":
            counter = request.form.get("counter", "")
            if len(counter) > LONGEST_NAME or not counter.isprintable():
                abort(400)
            is_known = store.want_at_counter(order_id, counter)
        elif action == "touch":
            is_known = store.bump(order_id)
        else:
            abort(404)
        if not is_known:
            abort(404)
        return _back()

    @blueprint.post("/new")
    def _new() -> BaseResponse:
        place = request.form.get("at") or samples.PLACES[0].id
        if place not in {known.id for known in samples.PLACES}:
            abort(404)
        store.add_random_order(place)
        return _back()

    @blueprint.post("/enrol")
    def _enrol() -> str:
        """A code for one of the kiosks, to be scanned there."""
        kiosks = {kiosk.id: kiosk for kiosk in samples.KIOSKS}
        kiosk = kiosks.get(request.form.get("kiosk", ""))
        if kiosk is None:
            abort(404)
        digits = enrolments.make(kiosk, request.host)
        symbol = segno.make_qr(digits, error="m").svg_inline(omitsize=True)
        return render_template(
            "shop_enrol.html",
            shop=samples.SHOP_NAME,
            kiosk=kiosk,
            digits=digits,
            minutes=LIFE_S // 60,
            symbol=Markup(symbol),  # noqa: S704 - drawn from digits, nothing else is in it
        )

    @blueprint.post("/samples")
    def _samples() -> BaseResponse:
        store.add_samples()
        return _back()

    @blueprint.get("/links/<path:number>")
    def _links(number: str) -> str:
        """The links for an order, as a shop's page would have them."""
        found = store.by_code(number)
        if found is None:
            abort(404)
        order = order_from_json(found)
        back = url_for("staff._returned", _external=True)
        return render_template(
            "shop_links.html",
            shop=samples.SHOP_NAME,
            order=order,
            due=_money(order.due.amount, order.due.currency.code),
            links=links.offered(order, back),
        )

    @blueprint.get("/returned")
    def _returned() -> str:
        """Where the browser comes back to."""
        said = links.returned(request.query_string.decode("ascii", "replace"))
        found = store.by_code(said.order) if said.order else None
        order = None if found is None else order_from_json(found)
        return render_template("shop_returned.html", shop=samples.SHOP_NAME, said=said, order=order)

    return blueprint


def _back() -> BaseResponse:
    return redirect(url_for("staff._page", at=request.form.get("at") or None), 303)


def _view(state: Mapping[str, Any], place: str) -> dict[str, Any]:
    """What the templates show, of one pickup point or ("") of all."""
    orders = [
        {"number": number, "status_words": STATUS_WORDS[OrderStatus(order["status"])], **order}
        for number, order in state["orders"].items()
        if place in ("", order["pickup_point"])
    ]
    numbers = {order["id"]: number for number, order in state["orders"].items()}
    facts = [
        {**fact, "number": numbers.get(fact["body"].get("order", ""), ""), "words": _words(fact)}
        for fact in state["facts"][:SHOWN_FACTS]
    ]
    health = [
        {"kiosk": kiosk, "at": row["at"], "words": json.dumps(row["report"], ensure_ascii=False)}
        for kiosk, row in state["health"].items()
    ]
    leases = sum(1 for order in orders if order["claim"])
    return {
        "shop": samples.SHOP_NAME,
        "places": samples.PLACES,
        "at": place,
        # A lease runs out without a change of the books: look anew while there is one.
        "seen": f"{state['revision']}-{leases}",
        "orders": orders,
        "facts": facts,
        "health": health,
        "counters": _counters(state["health"]),
        "kiosks": [kiosk.id for kiosk in samples.KIOSKS if place in ("", kiosk.pickup_point)],
        "open_count": sum(1 for order in orders if order["status"] == OrderStatus.READY),
        "trouble_count": sum(1 for order in orders if order["unresolved"] or order["flag"]),
        "is_down": state["fault"] != "none",
        "fault": state["fault"],
    }


def _counters(health: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names of the counters that have reported, by pickup point; only where there is a choice:
    a lone one needs no name."""
    found: dict[str, list[str]] = {}
    for kiosk in samples.KIOSKS:
        name = health.get(kiosk.id, {}).get("report", {}).get("counter")
        if isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable():
            found.setdefault(kiosk.pickup_point, []).append(name)
    return {place: names for place, names in found.items() if len(names) > 1}


def _words(fact: Mapping[str, Any]) -> str:
    """A fact's body in one line: what matters of it to the shop's office."""
    body = fact["body"]
    said = []
    if isinstance(body.get("amount"), int) and isinstance(body.get("currency"), str):
        said.append(_money(body["amount"], body["currency"]))
    card = body.get("card")
    if isinstance(card, dict):
        said += [str(card[key]) for key in ("scheme", "pan", "authorisation") if key in card]
    said += [str(body[key]) for key in ("code", "reason", "why") if body.get(key)]
    return " · ".join(said)[:200]


def _money(amount: int, code: str) -> str:
    """12 345.60 EUR; a thin space keeps thousands apart."""
    return f"{Money.of(amount, code).decimal():,f}".replace(",", "\u2009") + f"\u00a0{code}"


def _clock(at: str) -> str:
    """The time of day in an ISO 8601 text."""
    return at[11:19] if len(at) >= 19 else at
