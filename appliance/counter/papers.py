"""What becomes of a print job, and a wanted reprint."""

from __future__ import annotations

from dataclasses import replace

from appliance.counter import printing
from appliance.counter.ledger import Ledger
from appliance.counter.state import replay_job
from appliance.domain import handover as ho
from appliance.domain.errors import Code, KassaError
from appliance.domain.facts import Draft, Kind


class WantedNoLonger(KassaError):
    """A person went on without this paper before its first byte had left."""


class Papers:
    """The print jobs, as the printer's thread reports them."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def began(self, job_id: str) -> None:
        """Before the first byte: from here on a repeat is a copy. Raises JournalTrouble, and
        WantedNoLonger for a job that was waived meanwhile."""
        job = self.ledger.state.jobs.get(job_id)
        if job is None:
            raise WantedNoLonger(job_id)
        if not job.began:
            self.ledger.write([Draft(Kind.PRINT_STARTED, job_id)])
            self.ledger.state.jobs[job_id] = replace(job, began=True)
        self.ledger.receipt(job, "printing")

    def printed(self, job_id: str) -> None:
        """The whole document is out."""
        if job := self.ledger.state.jobs.get(job_id):
            self.ledger.keep_job(Draft(Kind.PRINTED, job_id))
            self.ledger.receipt(job, "printed")

    def failed(self, job_id: str, code: Code) -> None:
        """It does not print now; the printer's thread tries again when the cause is gone."""
        job = self.ledger.state.jobs.get(job_id)
        if job and job.code != code:
            self.ledger.keep_job(Draft(Kind.PRINT_FAILED, job_id, {"code": str(code)}))
            self.ledger.state.jobs[job_id] = replace(job, code=str(code))
            self.ledger.receipt(job, "failed")

    def waive(self, handover: ho.Handover) -> None:
        for job in [j for j in self.ledger.state.jobs.values() if j.handover == handover.id]:
            self.ledger.write([Draft(Kind.PRINT_WAIVED, job.id)])
            del self.ledger.state.jobs[job.id]
        self.ledger.state.receipts[handover.id] = "waived"

    def reprint(self, handover_id: str) -> None:
        """A wanted repeat: an action of its own, marked as a copy if anything came out before."""
        place = self.ledger.state.place
        here = place.handover or place.receipt_of
        wanted = handover_id or here or self.ledger.state.last_receipt
        facts = printing.receipt_facts(self.ledger.journal, wanted) if wanted else []
        if not facts or printing.receipt_job(wanted) in self.ledger.state.jobs:
            self.ledger.notice(Code.NO_RECEIPT)
            return
        # The same job again: its facts tell whether anything of it ever came out.
        job = replace(replay_job(facts), code="")
        self.ledger.write([printing.queued(job)])
        self.ledger.enqueue(job)
