"""The messages of our own WordPress plugin (docs/shops/woocommerce-plugin)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct

from appliance.protocols.shopapi import write_json
from appliance.protocols.woocommerce.strict import convert, problem_from, read_json

MOST_FACTS: Final = 50
Word = Annotated[str, Meta(max_length=80)]


class Claim(Struct, frozen=True):
    """An answer about a claim. granted: the order is the asker's alone for lease_s seconds.
    holder: the kiosk that has it, where it is another."""

    granted: bool
    lease_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    holder: Word = ""


class Known(Struct, frozen=True):
    """Which facts the plugin has. newest: of this kiosk, or "". has_after: it has the one that was
    named as the one before."""

    newest: Word
    has_after: bool
    known: Annotated[list[Word], Meta(max_length=MOST_FACTS)]


class _Accepted(Struct):
    accepted: Annotated[int, Meta(ge=0, le=MOST_FACTS)]


def claim_message(kiosk: str, claim_id: str, lease_s: int) -> bytes:
    return write_json({"kiosk": kiosk, "claim_id": claim_id, "lease_s": lease_s})


def payment_message(kiosk: str, claim_id: str, payment: str, *, is_open: bool) -> bytes:
    return write_json({"kiosk": kiosk, "claim_id": claim_id, "payment": payment, "open": is_open})


def claim_from(raw: bytes) -> Claim:
    """Raises WooError."""
    return convert(Claim, read_json(raw))


def known_query(kiosk: str, after: str, ids: Iterable[str]) -> list[tuple[str, str]]:
    return [("kiosk", kiosk), ("after", after), ("ids", ",".join(ids))]


def known_from(raw: bytes) -> Known:
    """Raises WooError."""
    return convert(Known, read_json(raw))


def facts_message(kiosk: str, facts: Sequence[tuple[str, str, str]]) -> bytes:
    """facts: id, kind, order id."""
    rows = [{"id": fact, "kind": kind, "order": order} for fact, kind, order in facts]
    return write_json({"kiosk": kiosk, "facts": rows})


def is_absent(status: int, raw: bytes) -> bool:
    """Whether this answer to one of our routes says that there is no plugin.

    Without it nobody looks at WooCommerce's key there. Over TLS WordPress takes it for a user's
    name then, whom it does not know (wp_authenticate_application_password): 401, with a code of
    its own or of some security plugin's. A 401 of WooCommerce's and a 403 of our own route mean
    that the plugin is there, and the key not good enough."""
    code, _ = problem_from(raw)
    if status == 404:
        return code in ("rest_no_route", "")
    return status == 401 and not code.startswith(("woocommerce_", "rest_forbidden"))


def accepted_from(raw: bytes) -> int:
    """Raises WooError."""
    return convert(_Accepted, read_json(raw)).accepted
