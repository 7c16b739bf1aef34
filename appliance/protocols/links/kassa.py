"""Our own links between cash desks, terminals, printers and shops.

    kassa-api://payNow?order=…      the whole of it (Act.SELL)
    pay-api://payNow?order=…        the terminal only (Act.PAY)
    print-api://payNow?order=…      the printer only (Act.PRINT)
    pay-api://paymentStatus?order=…&payment=…  what became of that payment (Act.STATUS)
    web+kassa://payNow?order=…&act=sell|pay|print|status
    kassa-api://paymentResult?…     a result, also as web+kassa

A page can make itself the handler of web+kassa only, as browsers let it register names that begin
with "web+" alone (HTML standard, "Custom scheme handlers"); so that one scheme has all acts.

Request: order; callback (an address, "{response}" in it is where the result goes; in one pair of
brackets, if the caller likes); amount (minor units, digits only) and currency (ISO 4217), both or
none; claim and payment (ids that a cash desk before us has at the shop); the seal of signing.py.
Nothing else: an unknown parameter is refused.

A status is asked for with the payment's id, and answered with the first result of that payment as
soon as there is one; of a payment that nobody has asked for with "refused" and "never_asked".

Result: status (Outcome), order, amount, currency, code (K-…), reason (Reason), text, payment,
scheme, pan (masked), terminal, receipt, trace, ref (the request's nonce, or its order where it had
no seal), at (seconds since 1970, UTC), and the seal. What is empty is left out. The same for every
callback.

A slash after payNow and capital letters make no difference: what passes an address on may take
payNow for a host, write it in lower case and add the slash (Chromium 150 does neither, libraries
do). What is signed has the action in lower case and without a slash, so a seal survives that.
"+" is a plus.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from appliance.protocols.links import fields
from appliance.protocols.links.address import Pairs, fill, read
from appliance.protocols.links.address import build as build_address
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import (
    LONGEST_REFERENCE,
    Act,
    Callbacks,
    Link,
    LinkError,
    Outcome,
    Reason,
    Result,
    Seal,
)
from appliance.protocols.links.signing import (
    PARAMETERS,
    RESULT_ADDRESS,
    Stamp,
    read_seal,
    request_text,
    result_text,
    sealed,
)
from appliance.protocols.zvt.pan import mask_pan, mask_text

WEB: Final = "web+kassa"
ACTS: Final[Mapping[str, Act]] = {
    "kassa-api": Act.SELL,
    "pay-api": Act.PAY,
    "print-api": Act.PRINT,
}
STATUS_SCHEME: Final = "pay-api"
SCHEMES: Final = (*ACTS, WEB)
RESULT_CALLBACK: Final = "kassa-api://paymentResult?{response}"
"""What we give as callback to an application that answers in this format."""

_ACTION: Final = "payNow"
_STATUS: Final = "paymentStatus"
_REQUEST: Final = frozenset(
    {"order", "callback", "amount", "currency", "claim", "payment", *PARAMETERS}
)
RESULT: Final = (
    *("status", "order", "amount", "currency", "code", "reason", "text", "payment", "scheme"),
    *("pan", "terminal", "receipt", "trace", "ref", "at", *PARAMETERS),
)
"""The parameters of a result, in their order."""
_RESULTS: Final = (RESULT_ADDRESS, (WEB, RESULT_ADDRESS[1]))
_DONE: Final = (Outcome.PAID, Outcome.PRINTED)
_PAN: Final = re.compile(r"[0-9*]{0,19}\Z")


# --- requests ---------------------------------------------------------------------------------


def parse(text: str) -> Link:
    """A request. Raises LinkError."""
    address = read(text)
    is_status = (address.scheme, address.target) == (STATUS_SCHEME, _STATUS.lower())
    if not is_status and (address.scheme not in SCHEMES or address.target != _ACTION.lower()):
        raise LinkError(Reason.MALFORMED, "no action that we know")
    values = dict(address.params)
    callback = fields.callback(_unbracketed(values.get("callback", "")), "callback", RESULT)
    told = Link(
        Name.KASSA,
        Act.STATUS if is_status else _act(address.scheme, values),
        "",
        "",
        callbacks=Callbacks(*[callback] * 3),
    )
    with fields.telling(told):
        _refuse_unknown(values, _REQUEST | {"act"} if address.scheme == WEB else _REQUEST)
        seal = read_seal(values, request_text(address.scheme, address.target, address.params))
    return wanted(told, values, seal)


def wanted(told: Link, values: Mapping[str, str], seal: Seal | None) -> Link:
    """`told` with what our own formats have in common. Raises LinkError."""
    told = replace(told, seal=seal, reference=seal.nonce if seal else "")
    with fields.telling(told):
        if told.act is Act.STATUS and "payment" not in values:
            raise LinkError(Reason.MALFORMED, "payment: missing")
        order = fields.order(values.get("order", ""), "order")
        amount = None
        if "amount" in values or "currency" in values:
            amount = fields.minor(values.get("amount", ""), values.get("currency", ""))
        return replace(
            told,
            order=order,
            reference=told.reference or order,
            amount=amount,
            claim=_id(values, "claim"),
            payment=_id(values, "payment"),
        )


def _act(scheme: str, values: Mapping[str, str]) -> Act:
    if scheme != WEB:
        return ACTS[scheme]
    try:
        return Act(values.get("act", ""))
    except ValueError:
        raise LinkError(Reason.MALFORMED, "act: none that we know") from None


def _unbracketed(text: str) -> str:
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def _id(values: Mapping[str, str], name: str) -> str:
    return fields.word(values[name], name, fields.LONGEST_ID) if name in values else ""


def _refuse_unknown(values: Mapping[str, str], known: frozenset[str]) -> None:
    for name in values:
        if name not in known:
            raise LinkError(Reason.MALFORMED, f"{name}: no parameter of this format")


def build(link: Link, stamp: Stamp | None = None, *, web: bool = False) -> str:
    """A request that `parse` reads as `link`, with a new seal or none. web: as web+kassa."""
    scheme, action = WEB, _ACTION
    if not web and link.act is Act.STATUS:
        scheme, action = STATUS_SCHEME, _STATUS
    elif not web:
        scheme = next(name for name, act in ACTS.items() if act is link.act)
    params = asked(
        link, (("act", link.act),) if web else (), (("callback", link.callbacks.success),)
    )
    if stamp:
        params = sealed(params, stamp, lambda all_: request_text(scheme, action.lower(), all_))
    return build_address(scheme, action, params)


def asked(link: Link, first: Pairs, callbacks: Pairs) -> Pairs:
    """The parameters of a request of our own formats, without those that are empty."""
    money = link.amount
    params = (
        *first,
        ("order", link.order),
        ("amount", str(money.amount) if money is not None else ""),
        ("currency", money.currency.code if money is not None else ""),
        ("claim", link.claim),
        ("payment", link.payment),
        *callbacks,
    )
    return tuple((name, value) for name, value in params if value)


# --- results ----------------------------------------------------------------------------------


def is_result(text: str) -> bool:
    """Whether this is meant to be a result, of our own formats, and no request."""
    try:
        address = read(text)
    except LinkError:
        return False
    return (address.scheme, address.target) in _RESULTS


def respond(link: Link, result: Result, stamp: Stamp | None = None) -> str | None:
    """The address to open, or None where the caller named none. Raises KeyUnfit."""
    template = fields.chosen(link.callbacks, result.outcome)
    return fill(template, response(link, result, stamp)) if template else None


def response(link: Link, result: Result, stamp: Stamp | None) -> Pairs:
    """What {response} stands for. Raises KeyUnfit."""
    money = result.amount
    params = (
        ("status", result.outcome),
        ("order", result.order),
        ("amount", str(money.amount) if money is not None else ""),
        ("currency", money.currency.code if money is not None else ""),
        ("code", result.code),
        ("reason", result.reason),
        ("text", fields.shown(result.text, fields.LONGEST_TEXT)),
        ("payment", result.payment),
        ("scheme", fields.shown(result.scheme, fields.LONGEST_ID)),
        ("pan", mask_pan(result.pan)),
        ("terminal", fields.shown(result.terminal, fields.LONGEST_ID)),
        ("receipt", fields.shown(result.receipt_no, fields.LONGEST_ID)),
        ("trace", fields.shown(result.trace_no, fields.LONGEST_ID)),
        ("ref", link.reference),
        ("at", str(result.at)),
    )
    known = tuple((name, str(value)) for name, value in params if value)
    return sealed(known, stamp, result_text) if stamp else known


def parse_result(text: str) -> tuple[Result, str, Seal | None]:
    """A result that came in: the result, its ref, and its seal, which is not verified.

    ref may be "", where the request could not be read. Raises LinkError."""
    address = read(text)
    if (address.scheme, address.target) not in _RESULTS:
        raise LinkError(Reason.MALFORMED, "no action that we know")
    values = dict(address.params)
    _refuse_unknown(values, frozenset(RESULT))
    seal = read_seal(values, result_text(address.params))
    short = {name: _short(values, name) for name in RESULT if name not in PARAMETERS}
    amount = None
    if "amount" in values or "currency" in values:
        amount = fields.minor(short["amount"], short["currency"])
    outcome, reason = _ending(short["status"], short["reason"])
    if not _PAN.match(short["pan"]) or mask_pan(short["pan"]) != short["pan"]:
        raise LinkError(Reason.MALFORMED, "pan: no masked card number")
    result = Result(
        outcome,
        reason,
        short["order"],
        fields.time(short["at"], "at"),
        amount=amount,
        code=short["code"],
        text=mask_text(short["text"]),
        payment=short["payment"],
        scheme=short["scheme"],
        pan=short["pan"],
        terminal=short["terminal"],
        receipt_no=short["receipt"],
        trace_no=short["trace"],
    )
    return result, short["ref"], seal


def _short(values: Mapping[str, str], name: str) -> str:
    longest = {"text": fields.LONGEST_TEXT, "order": LONGEST_REFERENCE, "ref": LONGEST_REFERENCE}
    return fields.word(values.get(name, ""), name, longest.get(name, fields.LONGEST_ID), least=0)


def _ending(status: str, reason: str) -> tuple[Outcome, Reason]:
    try:
        ending = Outcome(status), Reason(reason)
    except ValueError:
        raise LinkError(Reason.MALFORMED, "status or reason: none that we know") from None
    if (ending[0] in _DONE) != (ending[1] is Reason.NONE):
        raise LinkError(Reason.MALFORMED, "status and reason contradict each other")
    return ending
