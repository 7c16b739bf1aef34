"""What the answers of a foreign application come to: money taken, certainly not taken, or neither.

An answer counts only if the application's key has signed it. Without a signature it is no word
about money at all, neither a yes nor a no. Whoever may send the kiosk's browser to an address could
say it, and both would cost somebody: goods for a payment that was never taken, or a second charge
after a "declined" that was none. So an unsigned answer never decides. Where the configuration lets
it be heard it only ends the waiting, and a person looks.
"""

from __future__ import annotations

from typing import Final

from appliance.domain.errors import Code
from appliance.domain.payment import Card
from appliance.drivers.link_hop import Signer, Word
from appliance.ports import Approved, Charge, Declined, Outcome, Unknown
from appliance.protocols.links.messages import Outcome as Said
from appliance.protocols.links.messages import Reason, Result

_SETUP: Final = frozenset({Reason.SEAL, Reason.CALLBACK, Reason.MALFORMED, Reason.VERSION})
_OF_THE_LINK: Final = _SETUP | {Reason.NEVER_ASKED, Reason.BUSY}
"""Said of a link and not of a payment: the same link may be there a moment later, and be taken.
It is a no only from when the link counts no more, by the clock of the one who says it."""
_OTHER_AMOUNT: Final = frozenset({Reason.AMOUNT_DIFFERS, Reason.CURRENCY_DIFFERS})
_CODES: Final = {
    Said.CANCELLED: Code.PAYMENT_STOPPED,
    Said.DECLINED: Code.PAYMENT_DECLINED,
}


def judge(charge: Charge, words: tuple[Word, ...], signer: Signer) -> Outcome | None:
    """What all words about this charge come to; None where the last one is yet to come."""
    said = [_verdict(charge, word.result) for word in words if signer.is_signed(word)]
    verdicts = [verdict for verdict in said if verdict is not None]
    for verdict in verdicts:
        if isinstance(verdict, Unknown):
            return verdict
    if len({type(verdict) for verdict in verdicts}) > 1:
        return _contradiction("it says paid, and not paid")
    if verdicts:
        return verdicts[0]
    for word in words:
        if not word.signed_by:
            return _contradiction(f"an answer that nobody signed: {word.result.outcome}")
    return None


def _verdict(charge: Charge, result: Result) -> Outcome | None:
    if (result.payment, result.order) != (charge.payment_id, charge.order):
        return _contradiction("an answer about something else")
    if result.outcome is Said.PAID:
        return _paid(charge, result)
    if result.outcome is Said.PRINTED:
        return _contradiction("an answer to what was not asked")
    if result.reason not in _OTHER_AMOUNT and result.amount not in (None, charge.amount):
        return _contradiction(f"not paid, but of {result.amount}")
    expires_at = charge.baseline.expires_at
    if result.reason in _OF_THE_LINK and (expires_at is None or result.at < expires_at):
        return None
    return Declined(_code(result), result.text or result.code)


def _paid(charge: Charge, result: Result) -> Outcome:
    if result.amount != charge.amount:
        return Unknown(Code.TERMINAL_OTHER_AMOUNT, f"paid: {result.amount}")
    return Approved(
        Card(
            charge.amount.amount,
            charge.amount.currency.code,
            result.terminal,
            _number(result.receipt_no),
            _number(result.trace_no),
            pan=result.pan,
            scheme=result.scheme,
        )
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _code(result: Result) -> Code:
    if result.outcome in _CODES:
        return _CODES[result.outcome]
    if result.reason is Reason.NEVER_ASKED:
        return Code.PAYMENT_STOPPED
    if result.reason is Reason.BUSY:
        return Code.TERMINAL_BUSY
    is_setup = result.reason in _SETUP or result.reason in _OTHER_AMOUNT
    return Code.TERMINAL_SETUP if is_setup else Code.TERMINAL_GONE


def _contradiction(what: str) -> Unknown:
    """Asking again cannot help: a person looks."""
    return Unknown(Code.PAYMENT_UNRESOLVED, what)
