"""Square Point of Sale API, as pages on Android send it.

    intent:#Intent;action=com.squareup.pos.action.CHARGE;package=com.squareup;
        S.com.squareup.pos.WEB_CALLBACK_URI=…;S.com.squareup.pos.CLIENT_ID=…;
        S.com.squareup.pos.API_VERSION=v2.0;i.com.squareup.pos.TOTAL_AMOUNT=100;
        S.com.squareup.pos.CURRENCY_CODE=EUR;S.com.squareup.pos.TENDER_TYPES=…;
        S.com.squareup.pos.REQUEST_METADATA=…;end                (in one line)

Source: "Mobile Web Technical Reference" (developer.squareup.com, docs/pos-api);
square/point-of-sale-android-sdk, PosApi.java and RealPosClient.java; for the syntax "Android
Intents with Chrome" (developer.chrome.com) and Intent.parseUri of Android: key=value pairs with
percent-encoded values, of which extras begin with the letter of their type (S text, B boolean,
b byte, c character, d double, f float, i int, l long, s short), and "end". "+" is a plus.

Extras, all but the first group ignored: WEB_CALLBACK_URI, API_VERSION (v2.*), TOTAL_AMOUNT (int,
minor units), CURRENCY_CODE, TENDER_TYPES (comma-separated of com.squareup.pos.TENDER_CARD,
…_CARD_ON_FILE, …_CASH, …_OTHER), REQUEST_METADATA (to be repeated: the shop puts the order's number
there); CLIENT_ID, NOTE, CUSTOMER_ID, LOCATION_ID, AUTO_RETURN_TIMEOUT_MS. Before v2.0 the metadata
was STATE and the response another: that version is refused.

Response: a native application gets extras back; a web page, which is all that calls us, gets
WEB_CALLBACK_URI opened with the same names as parameters: CLIENT_TRANSACTION_ID,
SERVER_TRANSACTION_ID and REQUEST_METADATA, or ERROR_CODE, ERROR_DESCRIPTION and REQUEST_METADATA,
each after "com.squareup.pos.". S.browser_fallback_url is no answer: the browser opens it where no
application takes the intent, and removes it where one does.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from appliance.protocols.links import codes, fields
from appliance.protocols.links.address import Pairs, decoded, encoded, fill
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import (
    LONGEST_LINK,
    Act,
    Callbacks,
    Link,
    LinkError,
    Outcome,
    Reason,
    Result,
)
from appliance.protocols.links.signing import Stamp

SCHEME: Final = "intent"

_SPACE: Final = "com.squareup.pos."
_ACTION: Final = f"{_SPACE}action.CHARGE"
_PACKAGE: Final = "com.squareup"
_CARD: Final = f"{_SPACE}TENDER_CARD"
_VERSION: Final = re.compile(r"v2\.[0-9]{1,3}\Z")
_RESPONSE: Final = tuple(
    _SPACE + name
    for name in (
        *("CLIENT_TRANSACTION_ID", "SERVER_TRANSACTION_ID", "REQUEST_METADATA"),
        *("ERROR_CODE", "ERROR_DESCRIPTION"),
    )
)

MOST_EXTRAS: Final = 64
_INTENT: Final = re.compile(r"(?i:intent):(?://)?#Intent;(.*;)?end\Z")
_PIECE: Final = re.compile(r"(?:([SBbcdfils])\.)?([A-Za-z0-9._-]{1,128})=([!-~]*)\Z")


def parse(text: str) -> Link:
    """A request. Raises LinkError."""
    extras = _extras(text)

    def extra(name: str, kind: str = "S") -> str:
        return extras.get(f"{kind}.{_SPACE}{name}", "")

    if extras.get("action") != _ACTION or extras.get("package", _PACKAGE) != _PACKAGE:
        raise LinkError(Reason.MALFORMED, "no action that we know")
    back = fields.callback(extra("WEB_CALLBACK_URI"), "WEB_CALLBACK_URI", _RESPONSE)
    told = Link(Name.SQUARE_ANDROID, Act.SELL, "", "", callbacks=Callbacks(back, back, back))
    with fields.telling(told):
        state = fields.order(extra("REQUEST_METADATA"), "REQUEST_METADATA")
    told = replace(told, order=state, reference=state, back={f"{_SPACE}REQUEST_METADATA": state})
    with fields.telling(told):
        if not _VERSION.match(extra("API_VERSION")):
            raise LinkError(Reason.VERSION, "API_VERSION: none that we know")
        types = extra("TENDER_TYPES")
        if types and _CARD not in types.split(","):
            raise LinkError(Reason.TENDER, "TENDER_TYPES: no cards")
        amount = fields.minor(extra("TOTAL_AMOUNT", "i"), extra("CURRENCY_CODE"), least=1)
        return replace(told, amount=amount)


def _extras(text: str) -> dict[str, str]:
    """The pairs of an intent, without data or selector: names with their type, such as "S.name".
    No name stands twice, not even with two types. Raises LinkError."""
    if len(text) > LONGEST_LINK:
        raise LinkError(Reason.MALFORMED, f"a link longer than {LONGEST_LINK} characters")
    found = _INTENT.match(text)
    if not found:
        raise LinkError(Reason.MALFORMED, "no intent")
    pieces = (found[1] or "").split(";")[:-1]
    if len(pieces) > MOST_EXTRAS:
        raise LinkError(Reason.MALFORMED, f"more than {MOST_EXTRAS} extras")
    extras: dict[str, str] = {}
    names: set[str] = set()
    for piece in pieces:
        pair = _PIECE.match(piece)
        if not pair:
            raise LinkError(Reason.MALFORMED, "an extra without a proper name and =")
        kind, name, value = pair.groups()
        if name in names:
            raise LinkError(Reason.MALFORMED, f"{name}: given twice")
        names.add(name)
        extras[f"{kind}.{name}" if kind else name] = decoded(value, name)
    return extras


def respond(link: Link, result: Result, stamp: Stamp | None = None) -> str | None:
    """The address to open, or None where the caller named none. stamp: the format has no seal."""
    template = fields.chosen(link.callbacks, result.outcome)
    if not template:
        return None
    said: Pairs
    if result.outcome is Outcome.PAID:
        said = (
            (f"{_SPACE}CLIENT_TRANSACTION_ID", result.payment),
            (f"{_SPACE}SERVER_TRANSACTION_ID", result.payment),
        )
    else:
        said = (
            (f"{_SPACE}ERROR_CODE", codes.code(Name.SQUARE_ANDROID, result.reason)),
            (f"{_SPACE}ERROR_DESCRIPTION", codes.words(result)),
        )
    return fill(template, (*said, *link.back.items()))


def build(link: Link) -> str:
    """A request that `parse` reads as `link`."""
    assert link.amount is not None, "a request of this format has an amount"
    extras = (
        ("S", "WEB_CALLBACK_URI", link.callbacks.success),
        ("S", "CLIENT_ID", "kassa"),
        ("S", "API_VERSION", "v2.0"),
        ("i", "TOTAL_AMOUNT", str(link.amount.amount)),
        ("S", "CURRENCY_CODE", link.amount.currency.code),
        ("S", "TENDER_TYPES", _CARD),
        ("S", "REQUEST_METADATA", link.order),
    )
    written = (f"{kind}.{_SPACE}{name}={encoded(value)}" for kind, name, value in extras if value)
    return ";".join(("intent:#Intent", f"action={_ACTION}", f"package={_PACKAGE}", *written, "end"))
