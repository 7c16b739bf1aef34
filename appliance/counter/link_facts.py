"""Links and their results as the journal keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.domain.errors import Bug
from appliance.domain.facts import Fact, Json, Kind
from appliance.domain.money import Money
from appliance.protocols.links.messages import Act, Callbacks, Link, Outcome, Reason, Result


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, from its first sight to its answer.

    id: the subject of its facts. signed_by: the id of the key, "" for one that nobody signed.
    source: where it came from, see `Source`. until: seconds since 1970; when it is not begun by
    then it will not be. handover, job: what it came to, "" before that.
    """

    id: str
    link: Link
    signed_by: str
    source: str
    until: int
    handover: str = ""
    job: str = ""
    result: Result | None = None


def replay_link(facts: list[Fact]) -> Asked:
    """A request as its facts make it. Raises Bug for facts that are no request's."""
    asked: Asked | None = None
    for fact in facts:
        body = fact.body
        if fact.kind is Kind.LINK_ASKED:
            asked = Asked(
                fact.subject, link_from(_object(body["link"])), str(body["signed_by"]),
                str(body["source"]), _integer(body["until"]),
            )  # fmt: skip
        elif asked is None:
            raise Bug(f"link {fact.subject} does not begin with its request")
        elif fact.kind is Kind.LINK_OPENED:
            asked = with_opened(asked, str(body.get("handover", "")), str(body.get("job", "")))
        elif fact.kind is Kind.LINK_ANSWERED:
            asked = with_result(asked, result_from(_object(body["result"])))
    if asked is None:
        raise Bug("a link without facts")
    return asked


def with_opened(asked: Asked, handover: str, job: str) -> Asked:
    return Asked(asked.id, asked.link, asked.signed_by, asked.source, asked.until, handover, job)


def with_result(asked: Asked, result: Result) -> Asked:
    return Asked(
        asked.id, asked.link, asked.signed_by, asked.source, asked.until, asked.handover,
        asked.job, result,
    )  # fmt: skip


def link_to(link: Link) -> dict[str, Json]:
    """The request without its seal, which was looked at when it came."""
    found: dict[str, Json] = {
        "dialect": link.dialect, "act": str(link.act), "order": link.order,
        "reference": link.reference, "back": dict(link.back),
        "success": link.callbacks.success, "failure": link.callbacks.failure,
        "cancelled": link.callbacks.cancelled, "claim": link.claim, "payment": link.payment,
    }  # fmt: skip
    return found | _money(link.amount)


def link_from(found: Mapping[str, Json]) -> Link:
    return Link(
        dialect=str(found["dialect"]),
        act=Act(str(found["act"])),
        order=str(found["order"]),
        reference=str(found["reference"]),
        amount=_money_in(found),
        callbacks=Callbacks(*(str(found[name]) for name in ("success", "failure", "cancelled"))),
        back={name: str(value) for name, value in _object(found["back"]).items()},
        claim=str(found["claim"]),
        payment=str(found["payment"]),
    )


_TEXTS = ("order", "code", "text", "payment", "scheme", "pan", "terminal", "receipt_no", "trace_no")


def result_to(result: Result) -> dict[str, Json]:
    found: dict[str, Json] = {name: getattr(result, name) for name in _TEXTS}
    found |= {"outcome": str(result.outcome), "reason": str(result.reason), "at": result.at}
    return found | _money(result.amount)


def result_from(found: Mapping[str, Json]) -> Result:
    return Result(
        outcome=Outcome(str(found["outcome"])),
        reason=Reason(str(found["reason"])),
        at=_integer(found["at"]),
        amount=_money_in(found),
        **{name: str(found[name]) for name in _TEXTS},
    )


def _money(amount: Money | None) -> dict[str, Json]:
    if amount is None:
        return {}
    return {"amount": amount.amount, "currency": amount.currency.code}


def _money_in(found: Mapping[str, Json]) -> Money | None:
    if "amount" not in found:
        return None
    return Money.of(_integer(found["amount"]), str(found["currency"]))


def _integer(value: Json) -> int:
    if type(value) is not int:
        raise Bug(f"an integer was expected in a link's fact, not {value!r}")
    return value


def _object(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise Bug(f"an object was expected in a link's fact, not {value!r}")
    return value
