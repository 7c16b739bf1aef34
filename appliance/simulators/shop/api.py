"""The Kassa shop API (docs/shop-api.yaml) as the demo shop answers it."""

from __future__ import annotations

import hmac
import re
import threading
from collections.abc import Mapping
from functools import cache
from typing import Final

from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from appliance.protocols import shopapi
from appliance.protocols.enrolment import Settings, Verdict, asked_from, settings_message
from appliance.simulators.shop import samples
from appliance.simulators.shop.enrolment import ShopEnrolments
from appliance.simulators.shop.store import Forgotten, Granted, ShopStore

_WAIT: Final = re.compile(r"[0-9]{1,9}\Z")


_ENROLMENT: Final = {
    Verdict.UNKNOWN: (404, "No such code"),
    Verdict.USED: (409, "The code was used"),
    Verdict.EXPIRED: (410, "The code has expired"),
    Verdict.WITHDRAWN: (410, "The code was withdrawn"),
}


def api_app(
    store: ShopStore, stop: threading.Event, enrolments: ShopEnrolments | None = None
) -> Flask:
    """The API alone, as an application. stop: ends the polls that wait. enrolments: of its desk."""
    app = Flask("appliance.simulators.shop", static_url_path="/staff/static")
    app.url_map.merge_slashes = False  # a code may have slashes of its own
    app.register_blueprint(_api(store, stop))
    app.register_blueprint(_desk(enrolments or ShopEnrolments()))
    app.register_error_handler(HTTPException, _no_such_thing)
    return app


def _api(store: ShopStore, stop: threading.Event) -> Blueprint:
    blueprint = Blueprint("api", __name__, url_prefix="/v1")
    sellers = {place.id: _sellers(place.id) for place in samples.PLACES}

    @blueprint.before_request
    def _who() -> Response | None:
        kiosk = _kiosk(request.headers.get("Authorization", ""))
        if kiosk is None:
            answer = _problem(401, "No such token")
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        g.kiosk = kiosk
        wanted = (request.view_args or {}).get("pickup_point")
        if wanted is not None and wanted not in sellers:
            return _problem(404, "No such pickup point", wanted)
        if wanted is not None and wanted != kiosk.pickup_point:
            return _problem(403, "Not this kiosk's pickup point", wanted)
        return None

    @blueprint.errorhandler(shopapi.ShopApiError)
    def _malformed(error: shopapi.ShopApiError) -> Response:
        return _problem(400, "The request cannot be read", str(error))

    @blueprint.get("/pickup-points/<path:pickup_point>/orders")
    def _orders(pickup_point: str) -> Response:
        wait = request.args.get("wait", "0")
        if not _WAIT.match(wait) or int(wait) > shopapi.LONGEST_WAIT_S:
            return _problem(400, "wait is 0 to 25 seconds")
        etag, body = store.snapshot(pickup_point)
        if _has(etag):
            found = store.snapshot_unlike(pickup_point, etag, int(wait), stop)
            if found is None:
                return _tagged(Response(status=304), etag)
            etag, body = found
        return _tagged(_json(body), etag)

    @blueprint.get("/orders/by-code/<path:code>")
    def _by_code(code: str) -> Response:
        order = store.by_code(code)
        if order is None:
            return _problem(404, "No such order", code)
        return _json(shopapi.write_json(order))

    @blueprint.put("/orders/<path:order_id>/claim")
    def _claim(order_id: str) -> Response:
        wanted = shopapi.claim_request_from(request.get_data())
        result = store.claim(order_id, g.kiosk.id, wanted)
        if result is None:
            return _problem(404, "No such order", order_id)
        if isinstance(result, Granted):
            return _json(shopapi.claim_granted_message(result.order, result.lease_s))
        return _problem(409, "The claim is refused", error=result.why, order=result.order)

    @blueprint.post("/facts")
    def _facts() -> Response:
        wanted = shopapi.facts_from(request.get_data())
        refused = store.take_facts(g.kiosk.id, wanted.facts, wanted.after)
        if isinstance(refused, Forgotten):
            return _problem(409, "There is no such fact here", newest=refused.newest)
        if refused is not None:
            fact = refused.answer
            return _problem(422, "A fact is refused", refused=fact.refused, reason=fact.reason)
        return _json(shopapi.accepted_message(len(wanted.facts)))

    @blueprint.get("/pickup-points/<path:pickup_point>/sellers")
    def _staff(pickup_point: str) -> Response:
        etag, body = sellers[pickup_point]
        answer = Response(status=304) if _has(etag) else _json(body)
        return _tagged(answer, etag)

    @blueprint.post("/kiosks/health")
    def _health() -> Response:
        store.keep_health(g.kiosk.id, shopapi.health_from(request.get_data()))
        return Response(status=204)

    return blueprint


def _desk(enrolments: ShopEnrolments) -> Blueprint:
    """The one call without a token: what it is asked proves itself."""
    blueprint = Blueprint("desk", __name__, url_prefix="/v1")

    @blueprint.errorhandler(shopapi.ShopApiError)
    def _malformed(error: shopapi.ShopApiError) -> Response:
        return _problem(400, "The request cannot be read", str(error))

    @blueprint.post("/enrolments/redeem")
    def _redeem() -> Response:
        asked = asked_from(request.get_data())
        found = enrolments.redeem(asked, request.host_url.rstrip("/"))
        if isinstance(found, Settings):
            return _json(settings_message(found))
        status, title = _ENROLMENT[found]
        return _problem(status, title, error=str(found))

    return blueprint


def _no_such_thing(error: HTTPException) -> Response | HTTPException:
    """Errors of the web framework's own, in the API's form."""
    if request.path.startswith("/v1/"):
        answer = _problem(error.code or 500, error.name)
        if allowed := error.get_response().headers.get("Allow"):
            answer.headers["Allow"] = allowed  # RFC 9110, 15.5.6: a 405 must say it
        return answer
    return error


def _kiosk(authorization: str) -> samples.Kiosk | None:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return None
    given = token.strip().encode("utf-8", "replace")
    for kiosk in samples.KIOSKS:
        if hmac.compare_digest(given, kiosk.token.encode()):
            return kiosk
    return None


@cache
def _sellers(pickup_point: str) -> tuple[str, bytes]:
    rows = tuple(
        shopapi.SellerRow(
            staff.id,
            staff.name,
            shopapi.badge_hash(staff.badge, samples.BADGE_SALT, samples.BADGE_ITERATIONS),
        )
        for staff in samples.STAFF
        if pickup_point in staff.pickup_points
    )
    message = shopapi.SellersMessage(samples.BADGE_SALT, samples.BADGE_ITERATIONS, rows)
    return f'"sellers-{pickup_point}-1"', shopapi.sellers_message(message)


def _has(etag: str) -> bool:
    return etag.strip('"') in request.if_none_match


def _tagged(answer: Response, etag: str) -> Response:
    answer.headers["ETag"] = etag
    answer.headers["Cache-Control"] = "no-cache"
    return answer


def _json(body: bytes) -> Response:
    return Response(body, content_type=shopapi.JSON_TYPE)


def _problem(status: int, title: str, detail: str = "", **members: object) -> Response:
    # `object` members are the extension members that docs/shop-api.yaml names.
    extension: Mapping[str, object] = members
    body = shopapi.problem_message(status, title, detail, **extension)
    return Response(body, status, content_type=shopapi.PROBLEM_TYPE)
