"""Links taken apart and built, for a shop's developer. Pure; the keys are the demo's."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance.counter.link_gate import LONGEST_LIFE_S
from appliance.protocols.links import (
    dialects,
    fields,
    kassa,
    paypal_here,
    square_android,
    square_ios,
    sumup,
    x_callback,
)
from appliance.protocols.links.address import origin, query_of, read
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import (
    Act,
    Callbacks,
    Link,
    LinkError,
    Outcome,
    Reason,
    Result,
    Seal,
)
from appliance.protocols.links.signing import Key, Stamp, verify
from appliance.simulators.shop.links import LinkKeys

LIFE_S: Final = 600
_ENDS: Final = (
    (Outcome.PAID, Reason.NONE),
    (Outcome.CANCELLED, Reason.BY_SELLER),
    (Outcome.DECLINED, Reason.CARD_DECLINED),
    (Outcome.REFUSED, Reason.ORDER_NOT_HERE),
)
_PRINT_ENDS: Final = ((Outcome.PRINTED, Reason.NONE), (Outcome.REFUSED, Reason.NOT_PAID))
_CARD: Final = {"scheme": "Visa", "pan": "************0119", "payment": "H-example-1"}

FORMATS: Final[Mapping[str, str]] = {
    "kassa": "kassa-api, pay-api, print-api",
    "web+kassa": "web+kassa",
    Name.X_CALLBACK: "x-callback-url",
    Name.PAYPAL_HERE: "PayPal Here",
    Name.SQUARE_IOS: "Square, iOS",
    Name.SQUARE_ANDROID: "Square, Android",
    Name.SUMUP_IOS: "SumUp, iOS",
    Name.SUMUP_ANDROID: "SumUp, Android",
}
SIGNED: Final = ("kassa", "web+kassa", Name.X_CALLBACK)
_FOREIGN: Final[Mapping[str, Callable[[Link], str]]] = {
    Name.PAYPAL_HERE: paypal_here.build,
    Name.SQUARE_IOS: square_ios.build,
    Name.SQUARE_ANDROID: square_android.build,
    Name.SUMUP_IOS: sumup.build,
    Name.SUMUP_ANDROID: sumup.build,
}


@dataclass(frozen=True, slots=True)
class Workshop:
    """return_to: where results may go. now: seconds since 1970, UTC."""

    keys: LinkKeys
    return_to: tuple[str, ...]
    now: Callable[[], int]

    # --- taken apart --------------------------------------------------------------------------

    def inspect(self, text: str) -> dict[str, Any]:
        """What Kassa understands of a link, or of an address that brings a result: "kind" is
        request, result or nothing; "rows" what it says; "seal" and "signed" how it is sealed, and
        over what; "answers" what would be answered, and when; "error" what is wrong."""
        text = text.strip()
        if self._is_result(text):
            return self._inspect_result(text)
        try:
            link = dialects.parse(text)
        except LinkError as error:
            return self._told("nothing", error=f"{error.reason}: {error}", link=error.link)
        rows = [
            ("format", link.dialect),
            ("asks to", link.act),
            ("order", link.order),
            ("amount", str(link.amount) if link.amount is not None else ""),
            ("what a repeat has alike", link.reference),
            ("claim", link.claim),
            ("payment", link.payment),
            *(("callback", address) for address in link.callbacks.all),
        ]
        return self._told("request", rows, self._judge(link.seal, self.keys.shop), link.seal, link)

    def _is_result(self, text: str) -> bool:
        scheme, _, rest = text.partition("://")
        return scheme.lower() in ("http", "https") or rest.lower().startswith("paymentresult")

    def _inspect_result(self, text: str) -> dict[str, Any]:
        """An address of somebody's own has parameters of its own, which are none of the result."""
        query = text.partition("?")[2].partition("#")[0]
        try:
            params = read(f"kassa-api://paymentResult?{query}").params
            ours = query_of(pair for pair in params if pair[0] in kassa.RESULT)
            _, _, seal = kassa.parse_result(f"kassa-api://paymentResult?{ours}")
        except LinkError as error:
            return self._told("nothing", error=f"{error.reason}: {error}")
        rows = [pair for pair in params if pair[0] in kassa.RESULT]
        return self._told("result", rows, self._judge(seal, self.keys.counter), seal)

    def _judge(self, seal: Seal | None, key: Key) -> str:
        if seal is None:
            return "It has no seal."
        if seal.key_id != key.id:
            return f"The key {seal.key_id} is not known here; the demo's is {key.id}."
        if not verify(key, seal.text, seal.signature):
            return "The seal does not hold."
        left_s = seal.expires_at - self.now()
        if left_s <= 0:
            return "The seal holds, but it has expired."
        if left_s > LONGEST_LIFE_S:
            return "The seal holds, but it expires too late: a day ahead is the most."
        return f"The seal holds, for another {left_s} s."

    def _told(
        self,
        kind: str,
        rows: list[tuple[str, str]] | tuple[tuple[str, str], ...] = (),
        says: str = "",
        seal: Seal | None = None,
        link: Link | None = None,
        *,
        error: str = "",
    ) -> dict[str, Any]:
        return {
            "kind": kind,
            "rows": [[name, str(value)] for name, value in rows if value],
            "seal": says,
            "signed": seal.text.decode("ascii") if seal else "",
            "answers": self._answers(link, is_understood=not error) if link else [],
            "error": error,
        }

    def _answers(self, link: Link, *, is_understood: bool) -> list[dict[str, str]]:
        """Each end that the request may have. A link that is refused at the door is answered
        without a seal."""
        ends = _PRINT_ENDS if link.act is Act.PRINT else _ENDS
        stamp = Stamp(self.keys.counter, secrets.token_hex(16), self.now() + LONGEST_LIFE_S)
        found = []
        for outcome, reason in ends if is_understood else ((Outcome.REFUSED, Reason.MALFORMED),):
            card = _CARD if outcome is Outcome.PAID else {}
            result = Result(outcome, reason, link.order, self.now(), link.amount, **card)
            address = dialects.respond(link, result, stamp if is_understood else None) or ""
            if address and origin(address) not in self.return_to:
                address = "none: return_to does not have " + origin(address)
            found.append({"outcome": str(outcome), "address": address or "none: no callback"})
        return found

    # --- built --------------------------------------------------------------------------------

    def build(self, form: Mapping[str, str]) -> str:
        """A link from a form: format (of FORMATS), act, order, amount (a decimal) and currency,
        callback, signed ("yes" or not). Raises LinkError for what makes no link."""
        wanted, back = form.get("format", ""), form.get("callback", "")
        if wanted not in FORMATS:
            raise LinkError(Reason.MALFORMED, "format: none that we know")
        if form.get("act", "sell") not in tuple(Act):
            raise LinkError(Reason.MALFORMED, "act: none that we know")
        amount = None
        if form.get("amount"):
            amount = fields.decimal(form["amount"], form.get("currency", ""))
        elif wanted in _FOREIGN:
            raise LinkError(Reason.AMOUNT_MALFORMED, "this format needs an amount")
        dialect = wanted if wanted in tuple(Name) else Name.KASSA
        act = Act(form.get("act", "sell"))
        link = Link(dialect, act, form.get("order", ""), "", amount, Callbacks(back, back, back))
        stamp = None
        if form.get("signed") == "yes":
            stamp = Stamp(self.keys.shop, secrets.token_urlsafe(24), self.now() + LIFE_S)
        if wanted in _FOREIGN:
            text = _FOREIGN[wanted](link)
        elif wanted == Name.X_CALLBACK:
            text = x_callback.build(link, stamp)
        else:
            text = kassa.build(link, stamp, web=wanted == "web+kassa")
        dialects.parse(text)
        return text
