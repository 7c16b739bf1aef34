"""Every trap of WooCommerce's REST API that the driver relies on or works around, as one table of
checks that runs against any WooCommerce: the fake of the tests, or a real one.

    python -m tests.contract.woocommerce_real URL CONSUMER_KEY CONSUMER_SECRET

A check makes what it needs (orders, a product) and deletes it. It is for a test shop: an order that
is completed sends its mails.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from appliance.protocols.woocommerce import oauth

ORDERS = "/wp-json/wc/v3/orders"
SOON_S = 1.2
"""Longer than the second in which WooCommerce counts."""


class Shop:
    """A WooCommerce as an owner's key sees it. headers: of the newest answer."""

    def __init__(self, url: str, key: str, secret: str, client: httpx.Client | None = None) -> None:
        self.url, self.key, self.secret = url.rstrip("/"), key, secret
        self._client = client or httpx.Client(timeout=60, trust_env=False)
        self.headers: Mapping[str, str] = {}

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        *,
        how: str = "",
    ) -> tuple[int, Any]:
        """Status and JSON. how: "basic", "oauth", "none", by default what the address asks for."""
        how = how or ("basic" if self.url.startswith("https:") else "oauth")
        pairs, headers = list((query or {}).items()), {}
        if how == "basic":
            pair = f"{self.key}:{self.secret}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        elif how == "oauth":
            pairs = oauth.signed(
                method, self.url + path, pairs, key=self.key, secret=self.secret,
                nonce=secrets.token_hex(16), at_s=int(time.time()),
            )  # fmt: skip
        params = httpx.QueryParams(tuple(pairs))
        said = self._client.request(
            method, self.url + path, params=params, json=body, headers=headers
        )
        self.headers = said.headers
        try:
            return said.status_code, said.json()
        except json.JSONDecodeError:
            return said.status_code, None

    def get(self, order_id: int) -> Any:
        status, found = self.ask("GET", f"{ORDERS}/{order_id}")
        assert status == 200, (status, found)
        return found

    def put(self, order_id: int, **members: Any) -> Any:
        status, found = self.ask("PUT", f"{ORDERS}/{order_id}", body=members)
        assert status == 200, (status, found)
        return found

    def listed(self, **query: str) -> list[int]:
        status, found = self.ask("GET", ORDERS, {"per_page": "100", "_fields": "id"} | query)
        assert status == 200, (status, found)
        return [order["id"] for order in found]

    @contextmanager
    def order(self, **members: Any) -> Iterator[int]:
        body = {
            "status": "processing",
            "payment_method": "cod",
            "billing": {"first_name": "Kassa", "last_name": "Check"},
            "fee_lines": [{"name": "Check", "total": "10.00", "tax_status": "none"}],
            "shipping_lines": [{"method_id": "local_pickup", "method_title": "Check"}],
        } | members
        status, made = self.ask("POST", ORDERS, body=body)
        assert status == 201, (status, made)
        try:
            yield made["id"]
        finally:
            self.ask("DELETE", f"{ORDERS}/{made['id']}", {"force": "true"})

    def now(self) -> datetime:
        """By the shop's clock."""
        self.ask("GET", ORDERS, {"per_page": "1", "_fields": "id"})
        return parsedate_to_datetime(self.headers["date"]).astimezone(UTC)


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


CHECKS: dict[str, Callable[[Shop], None]] = {}


def check(function: Callable[[Shop], None]) -> Callable[[Shop], None]:
    CHECKS[function.__name__] = function
    return function


# --- who asks ---------------------------------------------------------------------------------


@check
def nobody_is_refused(shop: Shop) -> None:
    assert shop.ask("GET", ORDERS, how="none")[0] == 401


@check
def without_tls_only_oauth(shop: Shop) -> None:
    if shop.url.startswith("http:"):
        assert shop.ask("GET", ORDERS, how="basic")[0] == 401
        assert shop.ask("GET", ORDERS, how="oauth")[0] == 200
    else:
        assert shop.ask("GET", ORDERS, how="basic")[0] == 200


@check
def a_wrong_secret_is_refused(shop: Shop) -> None:
    wrong = Shop(shop.url, shop.key, shop.secret + "x", shop._client)
    status, said = wrong.ask("GET", ORDERS)
    assert status == 401
    assert said["code"] == "woocommerce_rest_authentication_error"


@check
def what_is_not_woocommerces_takes_no_key(shop: Shop) -> None:
    """So a driver that asks whether our plugin is there is refused, over TLS, if it is not."""
    status, said = shop.ask("GET", "/wp-json/kassa-no-such/v1/x")
    if shop.url.startswith("https:"):
        assert (status, said["code"]) == (401, "invalid_username")
    else:
        assert (status, said["code"]) == (404, "rest_no_route")
    assert shop.ask("GET", "/wp-json/", {"_fields": "namespaces"}, how="none")[0] == 200


# --- shapes -----------------------------------------------------------------------------------


@check
def an_order_has_the_fields_that_are_read(shop: Shop) -> None:
    with shop.order() as made:
        order = shop.get(made)
        texts = ("number", "status", "currency", "total", "total_tax", "transaction_id")
        assert all(isinstance(order[name], str) for name in (*texts, "customer_note"))
        assert order["date_paid_gmt"] is None
        assert len(order["date_created_gmt"]) == len("2026-01-01T00:00:00")
        for name in ("line_items", "shipping_lines", "fee_lines", "coupon_lines", "tax_lines",
                     "refunds", "meta_data"):  # fmt: skip
            assert isinstance(order[name], list), name
        assert {
            "method_id",
            "method_title",
            "instance_id",
            "total",
            "total_tax",
            "meta_data",
        } <= set(order["shipping_lines"][0])
        assert set(order["billing"]) >= {"first_name", "last_name", "phone", "email", "company"}


@check
def a_line_has_sku_and_ean(shop: Shop) -> None:
    mark = secrets.token_hex(4)
    ean = str(secrets.randbelow(10**13)).zfill(13)
    product = {"name": f"Check {mark}", "regular_price": "5", "sku": mark, "global_unique_id": ean}
    status, made = shop.ask("POST", "/wp-json/wc/v3/products", body=product)
    assert status == 201, made
    try:
        status, found = shop.ask("GET", "/wp-json/wc/v3/products", {"global_unique_id": ean})
        assert [each["id"] for each in found] == [made["id"]]
        line = {"product_id": made["id"], "quantity": 3}
        with shop.order(line_items=[line], fee_lines=[]) as order_id:
            (item,) = shop.get(order_id)["line_items"]
            assert (item["sku"], item["global_unique_id"]) == (mark, ean)
            assert item["quantity"] == 3
            assert isinstance(item["price"], int | float), "the one number among the amounts"
            assert all(isinstance(item[name], str) for name in ("subtotal", "total", "total_tax"))
    finally:
        shop.ask("DELETE", f"/wp-json/wc/v3/products/{made['id']}", {"force": "true"})


@check
def dp_gives_more_digits(shop: Shop) -> None:
    with shop.order() as made:
        status, order = shop.ask("GET", f"{ORDERS}/{made}", {"dp": "6"})
        assert status == 200
        assert order["total"].endswith("0000")
        assert Decimal(order["total"]) == Decimal(shop.get(made)["total"])


@check
def fields_are_left_out(shop: Shop) -> None:
    with shop.order() as made:
        _, order = shop.ask("GET", f"{ORDERS}/{made}", {"_fields": "id,total"})
        assert set(order) == {"id", "total"}


@check
def there_is_no_etag(shop: Shop) -> None:
    with shop.order() as made:
        shop.get(made)
        assert "etag" not in shop.headers


@check
def answers_say_what_time_it_is(shop: Shop) -> None:
    assert abs(shop.now() - datetime.now(UTC)) < timedelta(hours=24)


# --- the list ---------------------------------------------------------------------------------


@check
def pages_are_counted(shop: Shop) -> None:
    with shop.order(), shop.order():
        shop.listed(per_page="1")
        assert int(shop.headers["x-wp-total"]) >= 2
        assert shop.headers["x-wp-totalpages"] == shop.headers["x-wp-total"]


@check
def more_than_a_hundred_is_refused(shop: Shop) -> None:
    status, said = shop.ask("GET", ORDERS, {"per_page": "101"})
    assert (status, said["code"]) == (400, "rest_invalid_param")


@check
def an_unknown_status_is_refused(shop: Shop) -> None:
    status, said = shop.ask("GET", ORDERS, {"status": "processing,no-such"})
    assert (status, said["code"]) == (400, "rest_invalid_param")


@check
def an_unknown_filter_is_ignored(shop: Shop) -> None:
    with shop.order() as made:
        assert made in shop.listed(pickup_location="nowhere", status="processing")


@check
def modified_after_is_strictly_greater_in_whole_seconds(shop: Shop) -> None:
    with shop.order() as made:
        modified = shop.get(made)["date_modified_gmt"]
        moment = datetime.fromisoformat(modified)
        options = {"dates_are_gmt": "true", "orderby": "modified", "order": "desc"}
        assert made not in shop.listed(modified_after=modified, **options)
        assert made in shop.listed(modified_after=stamp(moment - timedelta(seconds=1)), **options)


@check
def moments_are_the_shops_own_unless_said(shop: Shop) -> None:
    with shop.order() as made:
        order = shop.get(made)
        for zone, query in (("", {}), ("_gmt", {"dates_are_gmt": "true"})):
            moment = datetime.fromisoformat(order[f"date_modified{zone}"])
            before = stamp(moment - timedelta(seconds=1))
            assert made in shop.listed(modified_after=before, **query)
            assert made not in shop.listed(modified_after=stamp(moment), **query)


@check
def a_list_goes_on_from_a_date_of_creation(shop: Shop) -> None:
    with shop.order() as first, shop.order() as second:
        options = {"orderby": "date", "order": "asc", "dates_are_gmt": "true"}
        created = datetime.fromisoformat(shop.get(second)["date_created_gmt"])
        before = stamp(created - timedelta(seconds=1))
        found = shop.listed(after=before, **options)
        assert second in found
        assert second not in shop.listed(after=stamp(created), **options)
        minute = shop.listed(after=stamp(created - timedelta(seconds=60)), **options)
        both = [each for each in minute if each in (first, second)]
        assert both == [first, second], "equal seconds are in the order of ids"


@check
def any_is_without_the_trash(shop: Shop) -> None:
    with shop.order() as made:
        assert shop.ask("DELETE", f"{ORDERS}/{made}")[0] == 200
        assert made not in shop.listed(status="any")
        assert made not in shop.listed(status="processing")
        assert shop.get(made)["status"] == "trash"


@check
def what_is_gone_is_404_and_cannot_be_written(shop: Shop) -> None:
    with shop.order() as made:
        pass
    status, said = shop.ask("GET", f"{ORDERS}/{made}")
    assert (status, said["code"]) == (404, "woocommerce_rest_shop_order_invalid_id")
    status, said = shop.ask("PUT", f"{ORDERS}/{made}", body={"status": "completed"})
    assert (status, said["code"]) == (400, "woocommerce_rest_shop_order_invalid_id")


@check
def orders_are_read_by_their_ids(shop: Shop) -> None:
    with shop.order() as first, shop.order(), shop.order(status="cancelled") as third:
        found = shop.listed(include=f"{first},{third}", status="any")
        assert sorted(found) == [first, third]


@check
def an_order_is_searched_by_its_number(shop: Shop) -> None:
    with shop.order() as made:
        number = shop.get(made)["number"]
        assert made in shop.listed(search=number, status="any")
        assert made not in shop.listed(search=f"#{number}", status="any")


# --- writing ----------------------------------------------------------------------------------


@check
def set_paid_does_nothing_on_an_order_that_needs_no_payment(shop: Shop) -> None:
    for status in ("processing", "on-hold"):
        with shop.order(status=status) as made:
            said = shop.put(made, set_paid=True)
            assert (said["status"], said["date_paid"]) == (status, None)


@check
def set_paid_works_from_pending(shop: Shop) -> None:
    with shop.order(status="pending", payment_method="bacs") as made:
        said = shop.put(made, set_paid=True, transaction_id="check-1")
        assert said["date_paid"] is not None
        assert said["transaction_id"] == "check-1"
        assert said["status"] in ("processing", "completed")


@check
def completing_sets_both_dates(shop: Shop) -> None:
    with shop.order() as made:
        said = shop.put(made, status="completed", transaction_id="check-2")
        assert said["date_paid_gmt"] is not None
        assert said["date_completed_gmt"] is not None
        assert said["transaction_id"] == "check-2"


@check
def no_change_of_status_is_guarded(shop: Shop) -> None:
    with shop.order() as made:
        for status in ("cancelled", "completed", "cancelled", "processing", "refunded"):
            assert shop.put(made, status=status)["status"] == status


@check
def complete_and_cancel_at_once_both_say_yes(shop: Shop) -> None:
    with shop.order() as made:
        said: list[int] = []

        def write(status: str) -> None:
            body = {"status": status}
            said.append(shop.ask("PUT", f"{ORDERS}/{made}", body=body)[0])

        threads = [threading.Thread(target=write, args=(s,)) for s in ("completed", "cancelled")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert said == [200, 200]
        assert shop.get(made)["status"] in ("completed", "cancelled")


@check
def a_transaction_id_is_written_over_without_a_word(shop: Shop) -> None:
    with shop.order() as made:
        shop.put(made, transaction_id="first")
        assert shop.put(made, transaction_id="second")["transaction_id"] == "second"


@check
def an_unknown_status_cannot_be_written(shop: Shop) -> None:
    with shop.order() as made:
        status, said = shop.ask("PUT", f"{ORDERS}/{made}", body={"status": "no-such"})
        assert (status, said["code"]) == (400, "rest_invalid_param")


@check
def meta_data_has_one_value_a_key_and_others_stay(shop: Shop) -> None:
    def metas() -> dict[str, Any]:
        found = [entry for entry in shop.get(made)["meta_data"] if "_kassa_" in entry["key"]]
        assert len({entry["key"] for entry in found}) == len(found)
        return {entry["key"]: entry["value"] for entry in found}

    with shop.order() as made:
        shop.put(made, meta_data=[{"key": "_kassa_a", "value": "1"}])
        shop.put(made, meta_data=[{"key": "_kassa_b", "value": '{"x":1,"y":""}'}])
        assert metas() == {"_kassa_a": "1", "_kassa_b": '{"x":1,"y":""}'}
        shop.put(made, meta_data=[{"key": "_kassa_a", "value": "2"}])
        assert metas()["_kassa_a"] == "2"


@check
def marks_written_at_once_do_not_write_over_each_other(shop: Shop) -> None:
    """What keeps two counters apart without our plugin."""
    with shop.order() as made:

        def write(name: str) -> None:
            entry = {"key": f"_kassa_claim_{name}", "value": name}
            shop.put(made, meta_data=[entry])

        threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        found = [each["key"] for each in shop.get(made)["meta_data"] if "_kassa_" in each["key"]]
        assert sorted(found) == [f"_kassa_claim_{name}" for name in "abcd"]


@check
def a_note_changes_no_date_and_is_the_offices(shop: Shop) -> None:
    with shop.order() as made:
        before = shop.get(made)["date_modified_gmt"]
        time.sleep(SOON_S)
        note = {"note": "[kassa check]", "customer_note": False}
        status, said = shop.ask("POST", f"{ORDERS}/{made}/notes", body=note)
        assert status == 201, said
        assert shop.get(made)["date_modified_gmt"] == before
        _, notes = shop.ask("GET", f"{ORDERS}/{made}/notes", {"type": "internal"})
        assert [each["note"] for each in notes].count("[kassa check]") == 1


@check
def meta_data_changes_the_date(shop: Shop) -> None:
    with shop.order() as made:
        before = shop.get(made)["date_modified_gmt"]
        time.sleep(SOON_S)
        shop.put(made, meta_data=[{"key": "_kassa_a", "value": "1"}])
        assert shop.get(made)["date_modified_gmt"] > before


@check
def a_trashed_order_can_still_be_written(shop: Shop) -> None:
    with shop.order() as made:
        shop.ask("DELETE", f"{ORDERS}/{made}")
        said = shop.put(made, meta_data=[{"key": "_kassa_a", "value": "1"}])
        assert said["status"] == "trash"
        assert "_kassa_a" in {entry["key"] for entry in shop.get(made)["meta_data"]}


@check
def a_refund_repeated_is_a_second_refund(shop: Shop) -> None:
    with shop.order() as made:
        refund = {"amount": "4.00", "api_refund": False, "reason": "check"}
        for count in (1, 2):
            assert shop.ask("POST", f"{ORDERS}/{made}/refunds", body=refund)[0] == 201
            totals = [each["total"] for each in shop.get(made)["refunds"]]
            assert totals == ["-4.00"] * count
        assert shop.ask("POST", f"{ORDERS}/{made}/refunds", body=refund)[0] >= 400


@check
def a_location_is_known_by_its_name_alone(shop: Shop) -> None:
    line = {
        "method_id": "pickup_location", "method_title": "Pickup (Check)", "instance_id": "0",
        "total": "0", "meta_data": [{"key": "pickup_location", "value": "Check"}],
    }  # fmt: skip
    with shop.order(shipping_lines=[line]) as made:
        (found,) = shop.get(made)["shipping_lines"]
        assert (found["method_id"], str(found["instance_id"])) == ("pickup_location", "0")
        metas = {entry["key"]: entry["value"] for entry in found["meta_data"]}
        assert metas["pickup_location"] == "Check"


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    flaw: str = ""


def run(shop: Shop, only: str = "") -> Iterator[Outcome]:
    """All checks whose name has `only` in it; a flaw is why it does not hold."""
    for name, function in CHECKS.items():
        if only not in name:
            continue
        try:
            function(shop)
        except (AssertionError, KeyError, ValueError, httpx.HTTPError) as error:
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            line = place.tb_lineno if place is not None else 0
            yield Outcome(name, f"line {line}: {type(error).__name__}: {error}"[:500])
        else:
            yield Outcome(name)
