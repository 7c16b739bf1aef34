"""How a fact is told in a story."""

from __future__ import annotations

from typing import Final

from appliance.domain.facts import Fact, Kind

_WORDS: Final[dict[Kind, str]] = {
    Kind.OPENED: "opens {order}",
    Kind.CHECK_CONFIRMED: "notes a check of {order}",
    Kind.LINE_TICKED: "notes a line of {order}",
    Kind.CLAIM_ASKED: "asks the shop for {order}",
    Kind.CLAIMED: "has {order} for itself",
    Kind.CLAIM_REFUSED: "does not get {order}: {code}",
    Kind.NOTHING_DUE: "notes that nothing is due for {order}",
    Kind.SET_ASIDE: "sets {order} aside",
    Kind.RESUMED: "goes on with {order}",
    Kind.HANDED_OVER: "notes that {order} is handed over",
    Kind.PUT_BACK: "puts {order} back",
    Kind.LEFT_OPEN: "leaves a payment of {order} open",
    Kind.SETTLED: "has settled {order}",
    Kind.STARTED: "notes that a payment for {order} begins",
    Kind.STOP_ASKED: "is asked to stop the payment for {order}",
    Kind.ANSWERED: "notes the terminal's answer for {order}",
    Kind.SLIP: "keeps a slip for {order}",
    Kind.DOUBTFUL: "is in doubt about {order}: {reason}",
    Kind.APPROVED: "says that {order} is paid",
    Kind.DECLINED: "says that {order} is not paid: {code} {reason}",
    Kind.UNRESOLVED: "leaves {order} to a person: {reason}",
    Kind.DECIDED_PAID: "has a person say that {order} is paid",
    Kind.DECIDED_NOT_PAID: "has a person say that {order} is not paid",
    Kind.PRINT_QUEUED: "has a paper to print",
    Kind.PRINT_STARTED: "begins to print",
    Kind.PRINT_FAILED: "cannot print: {code}",
    Kind.PRINTED: "has printed",
    Kind.PRINT_WAIVED: "goes on without a paper",
    Kind.SIGNED_IN: "has a seller sign in",
    Kind.SIGNED_OUT: "signs the seller out",
    Kind.FACT_REFUSED: "is told that the shop does not take a fact",
    Kind.FACT_SETTLED: "is told that the shop's office knows",
    Kind.JOURNAL_SET_ASIDE: "sets a damaged journal aside",
    Kind.JOURNAL_ACKNOWLEDGED: "is told that somebody knows of the journal",
}


def told(fact: Fact) -> str:
    about = {name: str(fact.body.get(name, "")) for name in ("code", "reason")}
    order = f"order {fact.body['order']}" if fact.body.get("order") else "an order"
    return _WORDS[fact.kind].format(order=order, **about).rstrip(": ")
