"""What is done wrong on purpose, one thing at a time, to see whether the searchers notice.

One visible table. Each row is a small edit that breaks a promise: what the counter must never do,
done. A mutant that nobody finds is a hole in the checks or in the simulated town, and no praise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Edit:
    """old stands exactly once in the file."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """wrong: what the program now does, in a sentence."""

    name: str
    wrong: str
    edits: tuple[Edit, ...]


def _mutant(name: str, wrong: str, file: str, *pairs: tuple[str, str]) -> Mutant:
    return Mutant(name, wrong, tuple(Edit(f"appliance/{file}", old, new) for old, new in pairs))


PAYMENT: Final = "domain/payment.py"
HANDOVER: Final = "domain/handover.py"
FACTS: Final = "domain/facts.py"
CHARGING: Final = "counter/charging.py"
LEDGER: Final = "counter/ledger.py"
JOURNAL: Final = "counter/journal.py"
LINK: Final = "counter/shoplink.py"
OUTBOX: Final = "counter/outbox.py"
WORKERS: Final = "counter/workers.py"
ZVT: Final = "drivers/zvt.py"
ZVT_PAYMENT: Final = "drivers/zvt_payment.py"
ZVT_SESSION: Final = "drivers/zvt_session.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    # --- the two machines -----------------------------------------------------------------------
    _mutant(
        "restart-charges",
        "a restart charges again what was running",
        PAYMENT,
        ("    S.AUTHORISING: (F.QUERY,),", "    S.AUTHORISING: (F.AUTHORISE,),"),
    ),
    _mutant(
        "restart-forgets-doubt",
        "a restart does not ask about a payment that was in doubt",
        PAYMENT,
        ("    S.DOUBTFUL: (F.QUERY,),", "    S.DOUBTFUL: (),"),
    ),
    _mutant(
        "silence-declines",
        "silence of the terminal counts as declined",
        PAYMENT,
        (
            "(S.AUTHORISING, K.DOUBTFUL): (S.DOUBTFUL, (F.QUERY,)),",
            "(S.AUTHORISING, K.DOUBTFUL): (S.DECLINED, ()),",
        ),
    ),
    _mutant(
        "stop-declines",
        "a wish to stop counts as declined, before the terminal has said a word",
        PAYMENT,
        (
            "(S.AUTHORISING, K.STOP_ASKED): (S.STOPPING, (F.ABORT,)),",
            "(S.AUTHORISING, K.STOP_ASKED): (S.DECLINED, (F.ABORT,)),",
        ),
    ),
    _mutant(
        "late-money-swallowed",
        "an approval after a decline is passed over",
        PAYMENT,
        (
            "(S.DECLINED, K.APPROVED): (S.ATTENTION, ()),  # late money: never swallowed",
            "(S.DECLINED, K.APPROVED): None,",
        ),
    ),
    _mutant(
        "attention-settles-itself",
        "what the terminal cannot tell counts as declined, and no person looks",
        PAYMENT,
        (
            "(S.DOUBTFUL, K.UNRESOLVED): (S.ATTENTION, ()),",
            "(S.DOUBTFUL, K.UNRESOLVED): (S.DECLINED, ()),",
        ),
    ),
    _mutant(
        "money-given-back-by-word",
        "a decline after an approval makes the payment not paid",
        PAYMENT,
        ("(S.APPROVED, K.DECLINED): None,", "(S.APPROVED, K.DECLINED): (S.DECLINED, ()),"),
    ),
    _mutant(
        "card-number-let-in",
        "a card's whole number passes into the domain",
        PAYMENT,
        ("CLEAR_DIGITS_MOST: Final = 10", "CLEAR_DIGITS_MOST: Final = 19"),
    ),
    _mutant(
        "put-back-in-doubt",
        "an order whose payment is in doubt may be put back, and charged again",
        HANDOVER,
        (
            "return all(p.state is pay.State.DECLINED for p in self.payments)",
            "return not self.is_charged_here",
        ),
    ),
    _mutant(
        "second-charge-in-doubt",
        "a second payment may begin while a person has to look at the first",
        HANDOVER,
        (
            "    if not handover.may_be_charged:\n",
            "    if handover.is_charged_here or not handover.order.due:\n",
        ),
    ),
    _mutant(
        "goods-for-doubt",
        "the goods may leave when a payment needs a person",
        HANDOVER,
        (
            "    if pay.State.APPROVED in found:\n",
            "    if found & {pay.State.APPROVED, pay.State.ATTENTION}:\n",
        ),
    ),
    _mutant(
        "other-amount-charged",
        "a charge of less than is due is let through",
        HANDOVER,
        ("if amount != handover.order.due:", "if amount.amount > handover.order.due.amount:"),
    ),
    _mutant(
        "due-taken-for-paid",
        "an order that is due is handed over as one that was paid before",
        HANDOVER,
        ("case Kind.NOTHING_DUE if handover.order.due:", "case Kind.NOTHING_DUE if False:"),
    ),
    # --- facts first ----------------------------------------------------------------------------
    _mutant(
        "unknown-is-declined",
        "an unknown outcome is written down as declined",
        CHARGING,
        (
            "elif isinstance(outcome, Declined):",
            "elif isinstance(outcome, Declined | Unknown):",
        ),
    ),
    _mutant(
        "stop-answered-here",
        "a wish to stop is answered as declined without waiting for the terminal",
        CHARGING,
        (
            '        self.ledger.log("stop")\n',
            '        self.ledger.log("stop")\n'
            "        stopped = Declined(Code.PAYMENT_STOPPED)\n"
            "        self.charged(handover.id, payment_of(handover).id, stopped)\n",
        ),
    ),
    _mutant(
        "disk-trouble-is-declined",
        "a full disk in the middle of a payment is taken for declined",
        WORKERS,
        (
            '            outcome = Unknown(Code.PAYMENT_UNKNOWN, f"the disk: {trouble.detail}")',
            "            outcome = Declined(Code.PAYMENT_DECLINED, trouble.detail)",
        ),
    ),
    _mutant(
        "effect-first",
        "the effects happen before their fact is on disk",
        LEDGER,
        (
            "        self.write([*drafts, *ending, *(printing.queued(job) for job in jobs)])\n",
            "        while effects:\n"
            "            self._do(after, effects.pop(0))\n"
            "        self.write([*drafts, *ending, *(printing.queued(job) for job in jobs)])\n",
        ),
    ),
    _mutant(
        "not-synced",
        "a fact counts as written before the disk has synced it",
        JOURNAL,
        (
            'db.execute("PRAGMA synchronous = FULL")',
            'db.execute("PRAGMA synchronous = NORMAL")',
        ),
    ),
    _mutant(
        "answer-posted",
        "the terminal's result is acknowledged while the loop has yet to write it",
        WORKERS,
        (
            "self._loop.ask(lambda core: core.charging.answered(",
            "self._loop.post(lambda core: core.charging.answered(",
        ),
    ),
    _mutant(
        "acknowledged-first",
        "the driver acknowledges a result, and only then lets it be written",
        ZVT_SESSION,
        (
            "                    answer = self._handler.status(message)\n"
            "                    if answer is not None:\n",
            "                    self._session.send(answers.Accepted())\n"
            "                    answer = self._handler.status(message)\n"
            "                    if isinstance(answer, answers.Refusal):\n",
        ),
    ),
    _mutant(
        "outcome-dropped",
        "an outcome that the full disk did not take is dropped",
        LEDGER,
        ("            self._unwritten.append((handover.id, draft))\n", "            pass\n"),
    ),
    # --- the claim, and what this counter has settled before ------------------------------------
    _mutant(
        "claim-refusal-ignored",
        "an order is charged although the shop refused the claim",
        CHARGING,
        (
            "            draft = self._refusal_draft(handover, result.code, result.detail, "
            "result.order)\n",
            "            draft = self.ledger.draft(handover, Kind.CLAIMED, claim=handover_id)\n",
        ),
    ),
    _mutant(
        "claim-unanswered-counts",
        "an order is charged although the shop did not answer the claim",
        CHARGING,
        (
            "            draft = self._refusal_draft(handover, code, result.detail, None)\n"
            "        follows",
            "            draft = self.ledger.draft(handover, Kind.CLAIMED, claim=handover_id)\n"
            "        follows",
        ),
    ),
    _mutant(
        "settled-here-forgotten",
        "the counter does not look into its own journal for what it has settled before",
        "counter/opening.py",
        (
            "        charged = 0\n        for fact in self.ledger.journal.settled(order.id):\n",
            "        charged = 0\n        for fact in list[Fact]():\n",
        ),
        (
            "from appliance.domain.facts import Json, Kind",
            "from appliance.domain.facts import Fact, Json, Kind",
        ),
    ),
    # --- the shop hears it, once ----------------------------------------------------------------
    _mutant(
        "cursor-first",
        # Alone it heals by itself: the next delivery names a fact that the shop has not got.
        "the cursor moves before the shop has answered, and nobody asks what the shop has",
        OUTBOX,
        ("        self._known = reader.newest_delivered()", '        self._known = ""'),
        (
            "        facts, until = self._reader.undelivered(self._after, LOOKED_AT)\n",
            "        facts, until = self._reader.undelivered(self._after, LOOKED_AT)\n"
            "        self._loop.post(lambda core: core.delivered(until, 0))\n",
        ),
    ),
    _mutant(
        "cursor-after-failure",
        "the cursor moves although the delivery failed",
        OUTBOX,
        (
            "            self._hand_over(facts[start : start + BATCH])\n",
            "            try:\n"
            "                self._hand_over(facts[start : start + BATCH])\n"
            "            except ShopTrouble:\n"
            "                self._after = until\n"
            "                raise\n",
        ),
    ),
    _mutant(
        "restored-shop-left",
        "a shop that was restored from a backup is not told again",
        OUTBOX,
        (
            "            self._after = after = min(self._after, place)\n",
            "            after = self._after\n",
        ),
    ),
    _mutant(
        "outbox-stops",
        "the outbox stops for ever at the first trouble",
        LINK,
        (
            "                self._stop.wait(backoff.next(trouble))\n",
            "                self._stop.wait()\n",
        ),
    ),
    _mutant(
        "ids-repeat",
        "a fact's id is its place alone, which every kiosk gives out anew",
        JOURNAL,
        (
            'return f"{journal}-{seq:08d}-{digest[:ID_HASH_BYTES].hex()}"',
            'return f"{seq:08d}"',
        ),
    ),
    # --- the start ------------------------------------------------------------------------------
    _mutant(
        "replay-skips",
        "a start replays only the oldest of what is open",
        JOURNAL,
        (
            '"SELECT subject FROM open_subject ORDER BY first_seq"',
            '"SELECT subject FROM open_subject ORDER BY first_seq LIMIT 1"',
        ),
    ),
    _mutant(
        "replay-by-wall-clock",
        "facts are replayed in the order of the wall clock",
        JOURNAL,
        ('"subject = ? ORDER BY seq"', '"subject = ? ORDER BY at"'),
    ),
    _mutant(
        "set-aside-closes",
        "paid goods that stay for later are forgotten by the next start",
        FACTS,
        (
            "        Kind.SETTLED,\n        Kind.LINK_ANSWERED,",
            "        Kind.SETTLED,\n        Kind.SET_ASIDE,\n        Kind.LINK_ANSWERED,",
        ),
    ),
    _mutant(
        "torn-log-is-damage",
        "what a power cut tore is taken for damage, and the journal put away",
        "counter/journal_log.py",
        ("if end is None or end == rest[-1]:", "if not rest:"),
    ),
    # --- in doubt -------------------------------------------------------------------------------
    _mutant(
        "silent-driver-declines",
        "the driver takes a terminal that falls silent for a decline",
        ZVT_PAYMENT,
        (
            'return _unknown("the terminal fell silent")',
            "return Declined(Code.PAYMENT_DECLINED)",
        ),
    ),
    _mutant(
        "approved-in-the-middle",
        "a result counts as approved although the line was lost before its completion",
        ZVT,
        (
            '            outcome = Unknown(Code.PAYMENT_UNKNOWN, f"line lost: {lost.detail}")\n',
            '            outcome = Unknown(Code.PAYMENT_UNKNOWN, f"line lost: {lost.detail}")\n'
            "            if handler.answer is not None and handler.answer.result == results.OK:\n"
            "                outcome = Approved(handler._card(handler.answer))\n",
        ),
    ),
    _mutant(
        "broken-off-is-approved",
        "a result counts as approved although the terminal broke off after it",
        ZVT_PAYMENT,
        (
            "if isinstance(ending, answers.Failure) or ending.result() not in (None, results.OK):",
            "if False:",
        ),
    ),
    _mutant(
        "not-asked-is-declined",
        "a terminal that could not be asked, as it was busy or away, is taken not to have charged",
        ZVT,
        (
            'return Unknown(Code.PAYMENT_UNKNOWN, f"not known to be idle: {trouble.detail}")',
            "return Declined(Code.PAYMENT_DECLINED, trouble.detail)",
        ),
    ),
    _mutant(
        "older-booking-counts",
        "the last transaction counts, even if it is the one before the charge",
        ZVT_PAYMENT,
        ("    match age(last, baseline):\n", "    match Age.NEXT:\n"),
    ),
    _mutant(
        "other-amount-accepted",
        "the terminal's approval counts although it states another amount",
        ZVT_PAYMENT,
        (
            "elif self._asked is not None and not is_what_was_asked(status, self._asked):",
            "elif False:",
        ),
    ),
    _mutant(
        "reversal-is-a-payment",
        "a reversal in the terminal's memory is taken for the payment",
        ZVT_PAYMENT,
        ("if last.original_trace_no is not None:", "if False:"),
    ),
    # --- papers ---------------------------------------------------------------------------------
    _mutant(
        "receipt-too-early",
        "the receipt prints as soon as there is a result, and the payment is not yet certain",
        "counter/printing.py",
        (
            "    is_paid = ho.Effect.PRINT in effects\n",
            "    is_paid = draft.kind is Kind.ANSWERED and payment.card is not None\n",
        ),
    ),
    _mutant(
        "copy-unmarked",
        "what may be on paper already is printed again without the word copy",
        "counter/printing.py",
        ("    if not job.began:\n", "    if job.id:\n"),
    ),
    _mutant(
        "reprint-unmarked",
        "a wanted reprint does not say that it is a copy",
        "counter/papers.py",
        (
            'job = replace(replay_job(facts), code="")',
            'job = replace(replay_job(facts), code="", began=False)',
        ),
    ),
    _mutant(
        "begun-too-late",
        "that a paper has begun is written when it is out",
        "drivers/escpos_printer.py",
        (
            "        began()\n        self._is_torn = True\n        try:\n"
            "            self._send_all(line, segments)\n"
            "            self._finish(line, identity)\n",
            "        self._is_torn = True\n        try:\n"
            "            self._send_all(line, segments)\n"
            "            self._finish(line, identity)\n"
            "            began()\n",
        ),
    ),
    _mutant(
        "silent-printer-printed",
        "a paper counts as printed when the printer falls silent",
        WORKERS,
        (
            "            self._failed(job_id, trouble.code, trouble.detail)\n"
            "            return False\n",
            "            if trouble.code is not Code.PRINTER_GONE:\n"
            "                self._failed(job_id, trouble.code, trouble.detail)\n"
            "                return False\n",
        ),
    ),
    _mutant(
        "printed-stays-open",
        "what is printed is printed again by each start",
        FACTS,
        (
            "        Kind.PRINTED,\n        Kind.PRINT_WAIVED,\n        Kind.FACT_SETTLED",
            "        Kind.PRINT_WAIVED,\n        Kind.FACT_SETTLED",
        ),
    ),
    # --- people and secrets ---------------------------------------------------------------------
    _mutant(
        "decided-by-nobody",
        "a decision about a payment is taken without a name",
        CHARGING,
        ("        if self.ledger.needs_seller():\n", "        if not self.ledger:\n"),
    ),
    _mutant(
        "amount-not-compared",
        "the last transaction counts whatever its amount",
        ZVT_PAYMENT,
        (
            "if last.amount is None or not is_what_was_asked(last, asked):",
            "if last.amount is None:",
        ),
    ),
    _mutant(
        "slip-unmasked",
        "a card's number on a terminal's slip reaches the journal as it is",
        "protocols/zvt/pan.py",
        ("    if not hidden:\n        return text\n", "    if text:\n        return text\n"),
    ),
    _mutant(
        "trace-unmasked",
        "the trace of the terminal's line holds card numbers as they came",
        "drivers/zvt_trace.py",
        ('entry["hex"] = redact(apdu).hex()', 'entry["hex"] = apdu.hex()'),
    ),
    _mutant(
        "token-in-the-log",
        "the shop's token stands in a line of the log",
        "drivers/kassa_shop.py",
        (
            "        self._pickup_point = options.pickup_point\n",
            "        self._pickup_point = options.pickup_point\n"
            '        log.info("shop", token=options.token)\n',
        ),
    ),
)
