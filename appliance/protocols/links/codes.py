"""What each format says for each of our reasons: one table.

Where a format has no word for a reason, its most general one for "certainly not charged" stands.

Sources. Square, iOS: square/SquarePointOfSaleSDK-iOS, NSError+SCCAPIAdditions.m, and "Mobile Web
Technical Reference" of developer.squareup.com. Square, Android: the same reference, and
square/point-of-sale-android-sdk, PosApi.java; they disagree on one code, which is
com.squareup.pos.UNSUPPORTED_API_VERSION in the SDK and has ERROR_ before it in the reference. Web
pages follow the reference, so do we. Pages have also been seen to handle codes without
com.squareup.pos.ERROR_, such as TRANSACTION_CANCELED; nothing of Square's documents that. SumUp:
sumup/sumup-ios-url-scheme and sumup/sumup-android-api, README.md. PayPal Here:
paypal/here-sideloader-api-samples, docs/README.md: there is one value for everything that is not a
payment.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from appliance.protocols.links.fields import LONGEST_TEXT, shown
from appliance.protocols.links.messages import Reason, Result


class Name(StrEnum):
    """Of a dialect: Link.dialect."""

    KASSA = "kassa"
    X_CALLBACK = "x-callback"
    PAYPAL_HERE = "paypal-here"
    SQUARE_IOS = "square-ios"
    SQUARE_ANDROID = "square-android"
    SUMUP_IOS = "sumup-ios"
    SUMUP_ANDROID = "sumup-android"


_ANDROID: Final = "com.squareup.pos.ERROR_"

_COLUMNS: Final = (Name.SQUARE_IOS, Name.SQUARE_ANDROID, Name.SUMUP_IOS, Name.SUMUP_ANDROID)
# fmt: off
_ROWS: Final[Mapping[Reason, tuple[str, str, str, str]]] = {
    # error_code, ERROR_CODE without its beginning, smp-status, smp-failure-cause
    Reason.NONE:             ("", "", "success", ""),
    Reason.MALFORMED:        ("data_invalid", "INVALID_REQUEST", "failed", "invalid-param"),
    Reason.VERSION:          ("unsupported_api_version", "UNSUPPORTED_API_VERSION", "failed",
                              "invalid-param"),
    Reason.TENDER:           ("unsupported_tender_type", "INVALID_REQUEST", "failed",
                              "invalid-param"),
    Reason.SEAL:             ("client_not_authorized_for_user", "UNAUTHORIZED_CLIENT_ID", "failed",
                              "invalid-token"),
    Reason.CALLBACK:         ("data_invalid", "INVALID_REQUEST", "failed", "invalid-param"),
    Reason.ORDER_UNKNOWN:    ("data_invalid", "INVALID_REQUEST", "failed", "invalid-param"),
    Reason.ORDER_NOT_HERE:   ("could_not_perform", "INVALID_REQUEST", "failed", "invalid-param"),
    Reason.AMOUNT_MALFORMED: ("amount_invalid_format", "INVALID_REQUEST", "failed",
                              "invalid-param"),
    Reason.AMOUNT_TOO_SMALL: ("amount_too_small", "INVALID_REQUEST", "failed", "invalid-param"),
    Reason.AMOUNT_TOO_LARGE: ("amount_too_large", "INVALID_REQUEST", "failed", "invalid-param"),
    Reason.AMOUNT_DIFFERS:   ("data_invalid", "INVALID_REQUEST", "failed", "invalid-param"),
    Reason.CURRENCY_DIFFERS: ("currency_code_mismatch", "INVALID_REQUEST", "failed",
                              "invalid-param"),
    Reason.NOT_PAID:         ("could_not_perform", "UNEXPECTED", "failed", "transaction-failed"),
    Reason.NEVER_ASKED:      ("could_not_perform", "INVALID_REQUEST", "failed", "invalid-param"),
    Reason.BUSY:             ("could_not_perform", "TRANSACTION_ALREADY_IN_PROGRESS",
                              "invalidstate", "transaction-failed"),
    Reason.BY_SELLER:        ("payment_canceled", "TRANSACTION_CANCELED", "failed",
                              "transaction-failed"),
    Reason.TIMED_OUT:        ("payment_canceled", "TRANSACTION_CANCELED", "failed",
                              "transaction-failed"),
    # Square's applications let the seller try again; who gives up has cancelled.
    Reason.CARD_DECLINED:    ("payment_canceled", "TRANSACTION_CANCELED", "failed",
                              "transaction-failed"),
    Reason.TERMINAL:         ("could_not_perform", "UNEXPECTED", "invalidstate",
                              "transaction-failed"),
    Reason.PRINTER:          ("could_not_perform", "UNEXPECTED", "invalidstate",
                              "transaction-failed"),
    Reason.SHOP:             ("no_network_connection", "NO_NETWORK", "invalidstate",
                              "transaction-failed"),
    Reason.INTERNAL:         ("could_not_perform", "UNEXPECTED", "invalidstate",
                              "transaction-failed"),
}
# fmt: on

WORDS: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.NONE: "Done.",
        Reason.MALFORMED: "The request could not be understood.",
        Reason.VERSION: "This version of the format is not supported.",
        Reason.TENDER: "The request does not allow payment by card.",
        Reason.SEAL: "The request is not signed as it must be, or its signature no longer counts.",
        Reason.CALLBACK: "The address to return to is not allowed.",
        Reason.ORDER_UNKNOWN: "The shop does not know this order.",
        Reason.ORDER_NOT_HERE: "The order cannot be handled at this counter.",
        Reason.AMOUNT_MALFORMED: "The amount is missing or malformed.",
        Reason.AMOUNT_TOO_SMALL: "The amount is too small.",
        Reason.AMOUNT_TOO_LARGE: "The amount is too large.",
        Reason.AMOUNT_DIFFERS: "The amount is not what the order says.",
        Reason.CURRENCY_DIFFERS: "The currency is not that of the order.",
        Reason.NOT_PAID: "The order is not paid.",
        Reason.NEVER_ASKED: "This payment was never asked for.",
        Reason.BUSY: "The counter is busy.",
        Reason.BY_SELLER: "The seller cancelled it.",
        Reason.TIMED_OUT: "Nobody confirmed it in time.",
        Reason.CARD_DECLINED: "The card was declined.",
        Reason.TERMINAL: "The card terminal could not take part.",
        Reason.PRINTER: "The printer could not print.",
        Reason.SHOP: "The shop could not be reached.",
        Reason.INTERNAL: "Something went wrong at the counter.",
    }
)
"""For a format that wants a message, where the result has none. English."""


def code(name: Name, reason: Reason) -> str:
    """What the format says for this reason; "" where it says nothing, as for Reason.NONE. Our own
    formats say the reason itself. PayPal Here has no reasons."""
    match name:
        case Name.KASSA | Name.X_CALLBACK:
            return reason
        case Name.PAYPAL_HERE:
            return ""
    said = _ROWS[reason][_COLUMNS.index(name)]
    return _ANDROID + said if said and name is Name.SQUARE_ANDROID else said


def words(result: Result) -> str:
    """The result's text, or what stands for it."""
    return shown(result.text, LONGEST_TEXT) or WORDS[result.reason]
