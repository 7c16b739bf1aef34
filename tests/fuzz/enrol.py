"""Enrolment: what a kiosk without settings scans, and what a desk is asked by whoever finds it."""

from __future__ import annotations

from appliance.protocols import enrolment
from appliance.protocols.enrolment import Entry, Verdict
from tests.fuzz.target import demand

_ENTRY = Entry(bytes(16), 2**32)


def code(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        found = enrolment.read(text)
    except enrolment.EnrolmentError as error:
        demand(len(str(error)) < 100 and str(error).isprintable(), "unfit for a log")
        raise
    demand(found.url.startswith(("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")),
           "a desk elsewhere without TLS")  # fmt: skip
    digits = "".join(text.split())
    demand(len(digits) <= enrolment.LONGEST, "longer than it may be")


def asked(data: bytes) -> None:
    found = enrolment.asked_from(data)
    demand(len(found.key) == 32 and len(found.id) == 8, "a key of another length")
    # No input here knows the secret: it would have to be in the corpus with a proof of it.
    verdict = enrolment.judge(_ENTRY, found, 0)
    demand(verdict is Verdict.UNKNOWN, "believed without a proof")
