"""x-callback-url 1.0, draft, revision 3 (x-callback-url.com, "1.0 Spec").

    kassa://x-callback-url/pay?order=…&x-source=…&x-success=…&x-error=…&x-cancel=…

The host is x-callback-url; the action, ours to choose, is sell, pay, print or status (Act). The
parameters are those of kassa.py, but x-success, x-error and x-cancel in place of callback; x-source
is the caller's name. Names that begin with "x-" are the specification's: those that it does not
have yet are ignored, other unknown parameters are refused. All are optional, order is not. The seal
is that of kassa.py, and covers the x- parameters as well. "+" is a plus: the draft says "URL
encoded".

Results: x-success and x-cancel are opened with the result of kassa.py, x-error with errorCode (the
Reason) and errorMessage before it; these two are outside the result's seal, which has the same in
reason and text. Who named no x-cancel hears of a cancellation through x-error: the draft knows no
third way, and our caller waits.
"""

from __future__ import annotations

from typing import Final

from appliance.protocols.links import codes, fields, kassa
from appliance.protocols.links.address import Pairs, fill, read
from appliance.protocols.links.address import build as build_address
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import (
    Act,
    Callbacks,
    Link,
    LinkError,
    Outcome,
    Reason,
    Result,
)
from appliance.protocols.links.signing import PARAMETERS, Stamp, read_seal, request_text, sealed

SCHEME: Final = "kassa"

_HOST: Final = "x-callback-url/"
_KNOWN: Final = frozenset({"order", "amount", "currency", "claim", "payment", *PARAMETERS})
_CALLBACKS: Final = ("x-success", "x-error", "x-cancel")
_RESPONSE: Final = (*kassa.RESULT, "errorCode", "errorMessage")


def parse(text: str) -> Link:
    """A request. Raises LinkError."""
    address = read(text)
    if address.scheme != SCHEME or not address.target.startswith(_HOST):
        raise LinkError(Reason.MALFORMED, "no x-callback-url of ours")
    try:
        act = Act(address.target.removeprefix(_HOST))
    except ValueError:
        raise LinkError(Reason.MALFORMED, "no action that we know") from None
    values = dict(address.params)
    callbacks = (fields.callback(values.get(name, ""), name, _RESPONSE) for name in _CALLBACKS)
    told = Link(Name.X_CALLBACK, act, "", "", callbacks=Callbacks(*callbacks))
    with fields.telling(told):
        for name in values:
            if name not in _KNOWN and not name.startswith("x-"):
                raise LinkError(Reason.MALFORMED, f"{name}: no parameter of this format")
        seal = read_seal(values, request_text(address.scheme, address.target, address.params))
    return kassa.wanted(told, values, seal)


def respond(link: Link, result: Result, stamp: Stamp | None = None) -> str | None:
    """The address to open, or None where the caller named none. Raises KeyUnfit."""
    template = fields.chosen(link.callbacks, result.outcome)
    if not template:
        return None
    params: Pairs = kassa.response(link, result, stamp)
    is_cancel = result.outcome is Outcome.CANCELLED and bool(link.callbacks.cancelled)
    if result.reason is not Reason.NONE and not is_cancel:
        code = codes.code(Name.X_CALLBACK, result.reason)
        params = (("errorCode", code), ("errorMessage", codes.words(result)), *params)
    return fill(template, params)


def build(link: Link, stamp: Stamp | None = None, *, source: str = "") -> str:
    """A request that `parse` reads as `link`, with a new seal or none. source: our name."""
    target = _HOST + link.act
    said = (link.callbacks.success, link.callbacks.failure, link.callbacks.cancelled)
    callbacks = (("x-source", source), *zip(_CALLBACKS, said, strict=True))
    params = kassa.asked(link, (), callbacks)
    if stamp:
        params = sealed(params, stamp, lambda all_: request_text(SCHEME, target, all_))
    return build_address(SCHEME, target, params)
