"""The words of the pages for paired devices."""

from __future__ import annotations

from typing import Final

from web.wording import N_

WORDS: Final = {
    "pair": N_("Pair this device"),
    "pair_why": N_("It may then send links to this counter."),
    "paired": N_("This device is paired."),
    "not_paired": N_("This device is not paired. Scan the code on the counter's screen."),
    "code_refused": N_("The code counts no longer."),
    "handler": N_("Open links with this counter"),
    "open": N_("Open at the counter"),
    "open_why": N_("Nobody has signed this link. Go on only if you have just asked for it."),
    "waiting": N_("The counter has other work first."),
    "going": N_("The counter is at it."),
    "unknown": N_("The counter does not answer. It is asked again."),
    "paid": N_("Paid."),
    "printed": N_("Printed."),
    "cancelled": N_("Cancelled. Nothing was charged."),
    "declined": N_("Declined. Nothing was charged."),
    "refused": N_("Refused. Nothing was begun."),
}
