"""Which papers follow from which facts. A job's id follows from what it is about, so that a
repeated effect cannot queue it twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from appliance.counter.journal import Journal
from appliance.counter.receipts import moment, words, words_without_payment
from appliance.counter.settings import Settings
from appliance.counter.state import Job, State
from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.domain.facts import Draft, Fact, Json, Kind
from appliance.domain.receipt import Heading, as_copy, decline_slip, merchant_slip, payment_receipt


def receipt_job(handover: str) -> str:
    return f"P-{handover}"


def receipt_facts(journal: Journal, handover: str) -> list[Fact]:
    """The facts of the handover's receipt, document first. Empty where there is none, also once
    retention has dropped the document and left what came after it."""
    facts = journal.of_subject(receipt_job(handover))
    return facts if facts and facts[0].kind is Kind.PRINT_QUEUED else []


def queued(job: Job) -> Draft:
    """The fact that opens a print job: the whole document, so that nothing is built again."""
    body: dict[str, Json] = {
        "handover": job.handover,
        "what": job.what,
        "document": job.document.to_json(),
    }
    if job.document.receipt_of:
        body["receipt_of"] = job.document.receipt_of
    return Draft(Kind.PRINT_QUEUED, job.id, body)


def follow_up(
    handover: ho.Handover,
    draft: Draft,
    effects: Sequence[ho.Effect | pay.Effect],
    state: State,
    settings: Settings,
    now: datetime,
) -> Iterator[Job]:
    """The papers that this event of the handover asks for; written in the same transaction."""
    payment = next((p for p in handover.payments if p.id == draft.body.get("payment")), None)
    if payment is None:
        return
    slips = state.slips.get(payment.id, {})
    customer, merchant = slips.get("customer", []), slips.get("merchant", [])
    wording, heading = words(settings.language), _heading(state, settings, now)
    order = handover.order
    is_paid = ho.Effect.PRINT in effects
    if is_paid and state.served(handover.id) is None:
        document = payment_receipt(order, payment.card, customer, heading, wording)
        yield Job(receipt_job(handover.id), handover.id, "receipt", document)
    is_declined = draft.kind is Kind.DECLINED and payment.state is pay.State.DECLINED
    if is_declined and customer and settings.print_declines:
        said = words_without_payment(settings.language, payment.code)
        document = decline_slip(order, customer, "", heading, said)
        yield Job(f"P-{payment.id}-declined", handover.id, "declined", document)
    if (is_paid or is_declined) and merchant and settings.print_merchant_slip:
        document = merchant_slip(order, merchant, heading, wording)
        yield Job(f"P-{payment.id}-merchant", handover.id, "merchant", document)


def receipt_of(
    handover: ho.Handover,
    slips: Mapping[str, Mapping[str, list[str]]],
    state: State,
    settings: Settings,
    now: datetime,
) -> Job:
    """The receipt of what was paid here, for a cash desk that left it to be printed later.
    slips: by payment and kind."""
    paid = next(p for p in handover.payments if p.state is pay.State.APPROVED)
    customer = slips.get(paid.id, {}).get("customer", [])
    heading, wording = _heading(state, settings, now), words(settings.language)
    document = payment_receipt(handover.order, paid.card, customer, heading, wording)
    return Job(receipt_job(handover.id), handover.id, "receipt", document)


def _heading(state: State, settings: Settings, now: datetime) -> Heading:
    seller = state.seller.name if state.seller else ""
    return Heading(settings.heading, settings.counter, seller, moment(now, settings.language))


def on_paper(job: Job, language: str) -> Job:
    """The job as it is to be printed now: what may be on paper already is repeated as a copy."""
    if not job.began:
        return job
    return Job(job.id, job.handover, job.what, as_copy(job.document, words(language)), began=True)
