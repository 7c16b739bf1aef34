"""Vendure's answers: what a driver makes of a page, an order, and the word of its plugin."""

from __future__ import annotations

from appliance.protocols import shopapi, vendure
from appliance.protocols.vendure import Op, PickupBy, Scale, books
from tests.fuzz.target import demand

_BY, _SCALE = PickupBy("pickupPoint"), Scale()


def page(data: bytes) -> None:
    found = vendure.page_from(vendure.READ, data, _BY, _SCALE)
    demand({*found.orders, *found.malformed} <= set(found.ids), "an order out of nowhere")
    for order in found.orders.values():
        shopapi.order_to_json(order)  # the journal must be able to keep it
    for number, reason in found.malformed.values():
        demand(number.isprintable() and reason.isprintable(), "not fit for a log")


def order(data: bytes) -> None:
    found = vendure.order_from(vendure.BY_ID, data, _BY, _SCALE)
    if found is None:
        return
    known = books(found.marks)
    for mark in found.marks:
        if mark.op is Op.CLAIM and known.holder(mark.kiosk, mark.id, mark.until_s) == mark.kiosk:
            demand(len(found.marks) > 1, "a claim stands in its own way")
    demand(all(quantity > 0 for quantity in found.unfulfilled.values()), "less than nothing")


def answer(data: bytes) -> None:
    readers = (vendure.look_from, vendure.taken_from, vendure.info_from, vendure.sellers_from)
    documents = (vendure.LOOK, vendure.FACTS, vendure.INFO, vendure.INFO)
    failures = 0
    for document, read in zip(documents, readers, strict=True):
        try:
            read(document, data)
        except shopapi.ShopApiError as error:
            demand(str(error).isprintable(), "not fit for a log")
            failures += 1
    demand(failures or b"null" in data, "one answer to every question")
    vendure.claim_from(vendure.CLAIM, data, _BY, _SCALE)
