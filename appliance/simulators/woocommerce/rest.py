"""The fake's answers to /wp-json/wc/v3: parameters, pages, errors as WordPress gives them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

from flask import Flask, Request, Response, request

from appliance.simulators.woocommerce import shapes
from appliance.simulators.woocommerce.auth import Gate, Unauthorised
from appliance.simulators.woocommerce.plugin import routes as plugin_routes
from appliance.simulators.woocommerce.store import STATUSES, WooStore, gmt

ORDERBY: Final = ("date", "modified", "id", "include", "title", "slug")
SEARCHED: Final = ("first_name", "last_name", "company", "email", "phone")
MOMENTS: Final = ("after", "before", "modified_after", "modified_before")
JSON_TYPE: Final = "application/json; charset=UTF-8"


class _Invalid(Exception):
    """rest_invalid_param, 400."""


Plugin = Callable[[Request], Response]


def wordpress(
    store: WooStore, gate: Gate, has_plugin: Callable[[], bool], plugin: Plugin | None = None
) -> Flask:
    """has_plugin: whether the Kassa plugin is active now. plugin: what answers for it, by default
    plugin.py."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]

    @app.before_request
    def ask_key() -> Response | None:
        is_ours = request.path.startswith("/wp-json/kassa/v1/") and has_plugin()
        if request.path.startswith("/wp-json/wc/") or is_ours:
            try:
                gate.check(request)
            except Unauthorised as refused:
                return _json(refused.answer, 401)
        elif request.scheme == "https" and "Authorization" in request.headers:
            # WordPress' own application passwords: it knows no user of this name.
            return _error("username", 401)
        elif request.path.startswith("/wp-json/kassa/"):
            return _error("no_route", 404)
        return plugin(request) if is_ours and plugin is not None else None

    @app.after_request
    def finish(response: Response) -> Response:
        # By the shop's clock, which the driver counts leases by.
        at = datetime.fromtimestamp(store.now(), UTC)
        response.headers["Date"] = format_datetime(at, usegmt=True)
        response.headers["X-Robots-Tag"] = "noindex"
        response.headers["Cache-Control"] = "no-cache, must-revalidate, max-age=0"
        return response

    @app.errorhandler(_Invalid)
    def invalid(error: _Invalid) -> Response:
        answer = shapes.error("invalid_param")
        answer["message"] = answer["message"].format(names=str(error))
        answer["data"]["params"] = {str(error): f"{error} is not valid."}
        return _json(answer, 400)

    @app.errorhandler(404)
    @app.errorhandler(405)
    def no_route(_: Exception) -> Response:
        return _error("no_route", 404)

    @app.get("/wp-json/")
    def index() -> Response:
        # Of WordPress, and open to all.
        namespaces = ["oembed/1.0", "wc/v3", "wc/store/v1", "wp/v2"]
        namespaces += ["kassa/v1"] if has_plugin() else []
        return _json(
            {
                "name": "Nordlicht",
                "gmt_offset": 0,
                "timezone_string": str(store.timezone),
                "namespaces": namespaces,
            }
        )

    @app.get("/wp-json/wc/v3/settings/general/woocommerce_currency")
    def currency() -> Response:
        return _json({"id": "woocommerce_currency", "value": store.currency})

    @app.get("/wp-json/wc/v3/orders")
    def orders() -> Response:
        per_page, page = _count("per_page", 10, 100), _count("page", 1, 10**9)
        rows = _chosen(store, request)
        offset = request.args.get("offset", (page - 1) * per_page, type=int)
        digits = request.args.get("dp", type=int)
        shown = [store.get(row["id"], digits) for row in rows[offset : offset + per_page]]
        response = _json([_fields(order) for order in shown if order is not None])
        response.headers["X-WP-Total"] = str(len(rows))
        response.headers["X-WP-TotalPages"] = str(math.ceil(len(rows) / per_page))
        return response

    @app.post("/wp-json/wc/v3/orders")
    def create() -> Response:
        order_id = store.create(_members())
        return _json(_fields(store.get(order_id) or {}), 201)

    @app.get("/wp-json/wc/v3/orders/<int:order_id>")
    def order(order_id: int) -> Response:
        found = store.get(order_id, request.args.get("dp", type=int))
        return _error("invalid_id", 404) if found is None else _json(_fields(found))

    @app.route("/wp-json/wc/v3/orders/<int:order_id>", methods=["PUT", "POST", "PATCH"])
    def update(order_id: int) -> Response:
        members = _members()
        if not store.update(order_id, members):
            answer = shapes.error("invalid_id")
            answer["data"]["status"] = 400
            return _json(answer, 400)
        return _json(_fields(store.get(order_id) or {}))

    @app.delete("/wp-json/wc/v3/orders/<int:order_id>")
    def delete(order_id: int) -> Response:
        found = store.get(order_id)
        if found is None:
            return _error("invalid_id", 404)
        is_forced = request.args.get("force") in ("true", "1")
        (store.delete if is_forced else store.trash)(order_id)
        return _json(found if is_forced else store.get(order_id))

    @app.get("/wp-json/wc/v3/orders/<int:order_id>/notes")
    def notes(order_id: int) -> Response:
        if store.get(order_id) is None:
            return _error("invalid_id", 404)
        kind = request.args.get("type", "any")
        wanted = {"any": (True, False), "customer": (True,), "internal": (False,)}.get(kind)
        if wanted is None:
            raise _Invalid("type")
        return _json([note for note in store.notes(order_id) if note["customer_note"] in wanted])

    @app.post("/wp-json/wc/v3/orders/<int:order_id>/notes")
    def add_note(order_id: int) -> Response:
        if store.get(order_id) is None:
            return _error("invalid_id", 404)
        body = _body()
        is_customers = body.get("customer_note") is True
        return _json(store.add_note(order_id, str(body.get("note", "")), is_customers), 201)

    @app.post("/wp-json/wc/v3/orders/<int:order_id>/refunds")
    def refund(order_id: int) -> Response:
        if store.get(order_id) is None:
            return _error("invalid_id", 404)
        body = _body()
        made = store.refund(order_id, str(body.get("amount", "0")), str(body.get("reason", "")))
        return _error("refund", 500) if made is None else _json(made, 201)

    @app.get("/wp-json/wc/v3/products")
    def products() -> Response:
        ean = request.args.get("global_unique_id", "")
        found = [each for each in store.products() if ean in ("", each["global_unique_id"])]
        return _json(found)

    @app.post("/wp-json/wc/v3/products")
    def add_product() -> Response:
        return _json(store.add_product(_body()), 201)

    @app.delete("/wp-json/wc/v3/products/<int:product_id>")
    def drop_product(product_id: int) -> Response:
        return _json({}) if store.drop_product(product_id) else _error("invalid_id", 404)

    app.register_blueprint(plugin_routes(store), url_prefix="/wp-json/kassa/v1")
    return app


def _chosen(store: WooStore, asked: Request) -> list[Any]:
    """The orders that the parameters choose; a parameter that nobody knows chooses nothing away."""
    statuses = [word for word in asked.args.get("status", "any").split(",") if word]
    if any(word not in (*STATUSES, "any", "trash") for word in statuses):
        raise _Invalid("status")
    orderby = asked.args.get("orderby", "date")
    direction = asked.args.get("order", "desc")
    if orderby not in ORDERBY:
        raise _Invalid("orderby")
    if direction not in ("asc", "desc"):
        raise _Invalid("order")
    include = {int(word) for word in asked.args.get("include", "").split(",") if word.isdigit()}
    rows = []
    for row in store.rows():
        is_wanted = row["status"] in statuses or (
            "any" in statuses and row["status"] not in ("trash", "checkout-draft")
        )
        if is_wanted and (not include or row["id"] in include) and _in_time(store, asked, row):
            if (words := asked.args.get("search")) and not _matches(row, words):
                continue
            rows.append(row)
    column = {"date": "created", "modified": "modified"}.get(orderby, "id")
    return sorted(rows, key=lambda r: (r[column], r["id"]), reverse=direction == "desc")


def _in_time(store: WooStore, asked: Request, row: Any) -> bool:
    """Strictly later and strictly earlier, in whole seconds; the shop's own time unless
    dates_are_gmt says otherwise."""
    is_gmt = asked.args.get("dates_are_gmt") in ("true", "1")
    for name in MOMENTS:
        stated = asked.args.get(name)
        if stated is None:
            continue
        try:
            moment = datetime.fromisoformat(stated).strftime("%Y-%m-%dT%H:%M:%S")
        except ValueError:
            raise _Invalid(name) from None
        at = row["modified" if name.startswith("modified") else "created"]
        mine = gmt(at) if is_gmt else store.local(at)
        if not (mine > moment if name.endswith("after") else mine < moment):
            return False
    return True


def _matches(row: Any, words: str) -> bool:
    doc = json.loads(row["doc"])
    texts = [doc["number"], str(doc["id"]), *(doc["billing"][name] for name in SEARCHED)]
    return any(words.lower() in text.lower() for text in texts)


def _count(name: str, default: int, most: int) -> int:
    stated = request.args.get(name, str(default))
    if not stated.isdecimal() or not 1 <= int(stated) <= most:
        raise _Invalid(name)
    return int(stated)


def _body() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise _Invalid("body")
    return body


def _members() -> dict[str, Any]:
    body = _body()
    status = body.get("status")
    if status is not None and status not in STATUSES:
        raise _Invalid("status")
    for name in ("meta_data", "line_items", "shipping_lines", "fee_lines"):
        if not isinstance(body.get(name, []), list):
            raise _Invalid(name)
    return body


def _fields(doc: Mapping[str, Any]) -> Mapping[str, Any]:
    chosen = request.args.get("_fields")
    if chosen is None:
        return doc
    names = {name.strip().partition(".")[0] for name in chosen.split(",")}
    return {name: value for name, value in doc.items() if name in names}


def _error(kind: str, status: int) -> Response:
    return _json(shapes.error(kind), status)


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, content_type=JSON_TYPE)
