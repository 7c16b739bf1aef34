"""Loaded by schemathesis: what a document says in words, where JSON Schema has none for it."""

from __future__ import annotations

from itertools import count
from typing import Any

import schemathesis

LONGEST_POLL_S = 1
"""A poll may be held for 25 s, and rightly; a search has no time for it."""
_fresh = count(1)


@schemathesis.hook
def map_case(_context: schemathesis.HookContext, case: schemathesis.Case) -> schemathesis.Case:
    if str(case.query.get("wait", "")).isdecimal():
        wait = int(case.query["wait"])
        case.query["wait"] = min(wait, LONGEST_POLL_S) if wait <= 25 else wait
    if case.path == "/v1/facts":
        _made_new(case.body)
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return case
    # "There are no floating-point numbers": to JSON Schema, 1.0 is an integer.
    case.body = exact(case.body)
    if case.path == "/command" and isinstance(case.body, dict):
        argument = case.body.get("argument")
        if isinstance(argument, str):  # "printable characters only"
            case.body["argument"] = "".join(filter(str.isprintable, argument))
    return case


def exact(value: Any) -> Any:
    """The same JSON with whole numbers as integers."""
    if isinstance(value, dict):
        return {name: exact(member) for name, member in value.items()}
    if isinstance(value, list):
        return [exact(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _made_new(body: Any) -> None:
    """Ids that no shop has seen: of a fact that it knows, it looks at nothing but the id."""
    facts = body.get("facts") if isinstance(body, dict) else None
    for fact in facts if isinstance(facts, list) else ():
        if (
            isinstance(fact, dict)
            and isinstance(name := fact.get("id"), str)
            and 0 < len(name) < 60
        ):
            fact["id"] = f"{name}-{next(_fresh)}"
