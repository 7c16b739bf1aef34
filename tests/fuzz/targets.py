"""The one table of all that reads bytes or text from outside. A new parser is a row here, and a
folder of seeds in corpus/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from appliance.counter.config_rules import Wrong
from appliance.domain.errors import ConfigTrouble, JournalTrouble
from appliance.domain.money import MoneyError
from appliance.protocols import enrolment, shopapi, woocommerce
from appliance.protocols.links import (
    kassa,
    paypal_here,
    square_android,
    square_ios,
    sumup,
    x_callback,
)
from appliance.protocols.links.messages import LinkError
from appliance.protocols.shopapi import ShopApiError
from appliance.protocols.zvt.errors import ZvtError
from tests.fuzz import devices, enrol, links, shop, texts, vendure, woo, zvt
from tests.fuzz.target import Target

_SHOP: Final = (ShopApiError,)
_LINK: Final = (LinkError,)
_WOO: Final = (woocommerce.WooError,)

TARGETS: Final[Mapping[str, Target]] = {
    # the terminal
    "zvt-serial": Target(zvt.serial, longest=512, price=3),
    "zvt-serial-times": Target(zvt.serial_times),
    "zvt-tcp": Target(zvt.tcp, longest=512),
    "zvt-message": Target(zvt.message, (ZvtError,)),
    "zvt-fields": Target(zvt.fields_of, (ZvtError,), longest=512, price=2),
    "zvt-container": Target(zvt.container, (ZvtError,), longest=512, price=6),
    "zvt-card-number": Target(zvt.card_number, longest=64, price=10),
    # the printer and the scanners
    "escpos-status": Target(devices.escpos_status),
    "escpos-paper": Target(devices.escpos_paper, price=6),
    "escpos-receipt": Target(devices.receipt, longest=256, price=20),
    "scanner-line": Target(devices.scanner_line),
    "scanner-keys": Target(devices.scanner_keys),
    # the shop
    "shop-orders": Target(shop.orders, _SHOP),
    "shop-order": Target(shop.body(shopapi.order_from, shop.order_message), _SHOP),
    "shop-claim-granted": Target(shop.body(shopapi.claim_granted_from), _SHOP),
    "shop-claim-refused": Target(shop.body(shopapi.claim_refused_from), _SHOP),
    "shop-accepted": Target(shop.body(shopapi.accepted_from, shopapi.accepted_message), _SHOP),
    "shop-fact-refused": Target(shop.body(shopapi.fact_refused_from), _SHOP),
    "shop-sellers": Target(shop.body(shopapi.sellers_from, shopapi.sellers_message), _SHOP),
    "shop-problem": Target(shop.problem),
    "shop-answer": Target(shop.answer),
    "shop-url": Target(texts.shop_url, (Wrong,)),
    # links
    "link-kassa": Target(links.link(kassa.parse, kassa.build), _LINK),
    "link-x-callback": Target(links.link(x_callback.parse, x_callback.build), _LINK),
    "link-paypal-here": Target(links.link(paypal_here.parse, paypal_here.build), _LINK),
    "link-square-ios": Target(links.link(square_ios.parse, square_ios.build), _LINK),
    "link-square-android": Target(links.link(square_android.parse, square_android.build), _LINK),
    "link-sumup": Target(links.link(sumup.parse, sumup.build), _LINK),
    "link-result": Target(links.result, _LINK),
    "link-address": Target(links.address, _LINK, longest=256),
    "woo-order": Target(woo.order, _WOO, longest=4096, price=3),
    "woo-page": Target(woo.page, _WOO, longest=8192, price=5),
    "woo-book": Target(woo.book, _WOO, longest=4096, price=2),
    "woo-message": Target(woo.message, _WOO),
    "vendure-page": Target(vendure.page, _SHOP),
    "vendure-order": Target(vendure.order, _SHOP),
    "vendure-answer": Target(vendure.answer, _SHOP),
    # enrolment: what a kiosk scans, what its desk answers, what a desk is asked
    "enrol-code": Target(enrol.code, (enrolment.EnrolmentError,)),
    "enrol-asked": Target(enrol.asked, _SHOP, price=2),
    "enrol-settings": Target(
        shop.body(enrolment.settings_from, enrolment.settings_message), _SHOP, longest=4096
    ),
    # the demo shop
    "shop-claim-request": Target(
        shop.body(shopapi.claim_request_from, shopapi.claim_request_message), _SHOP
    ),
    "shop-facts": Target(shop.body(shopapi.facts_from, shop.facts_message), _SHOP),
    "shop-health": Target(shop.body(shopapi.health_from, shopapi.write_json), _SHOP),
    "shop-request": Target(shop.request, price=4),
    # the counter itself
    "config": Target(texts.config, (ConfigTrouble,), price=5),
    "amount": Target(texts.amount, (MoneyError,), longest=64),
    "journal-fact": Target(texts.journal_fact, (JournalTrouble,)),
    "journal-log": Target(texts.journal_log_file),
    "web-request": Target(texts.web_request, price=5),
}
