"""What can go wrong with a terminal, as knobs."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Final, Self

ENDLESS_BYTES: Final = 1_000_000


class AnswerFault(StrEnum):
    """What becomes of a payment's result (04 0F), after the bank has booked it."""

    NONE = auto()
    LOST = auto()  # it is never sent
    CUT = auto()  # the line goes dead instead, and comes back
    CUT_IN_PRINT = auto()  # the line goes dead after the result was acknowledged
    GARBAGE = auto()
    HALF = auto()
    BAD_CRC = auto()  # three times, then the terminal gives up (serial only)
    BAD_CRC_ONCE = auto()  # serial only
    ENDLESS = auto()  # a megabyte without an end
    OTHER_AMOUNT = auto()
    OTHER_CURRENCY = auto()
    DUPLICATE = auto()
    UNMASKED = auto()  # with a whole card number
    NO_STATUS = auto()  # slips and completion without a result
    ABORT_AFTER = auto()  # all acknowledged, and then 06 1E in place of 06 0F


@dataclass(frozen=True, slots=True)
class Faults:
    """Times in seconds. refusal: 84 xx in answer to 06 01. nak_first: so many frames are refused
    before one is taken (serial only). busy_after_loss_s: so long it is busy after a payment that
    nobody acknowledged. silent: powered, and deaf. ignore_abort: it acknowledges an abort and goes
    on. timeout_min: with each 04 FF."""

    answer: AnswerFault = AnswerFault.NONE
    host_delay_s: float = 0.0
    refusal: int | None = None
    nak_first: int = 0
    busy_after_loss_s: float = 0.0
    silent: bool = False
    ignore_abort: bool = False
    timeout_min: int | None = None
    seed: int = 0

    @classmethod
    def from_seed(cls, seed: int) -> Self:
        """A fault by lot; the same seed gives the same."""
        lot = random.Random(seed)
        return cls(
            answer=lot.choice(list(AnswerFault)),
            nak_first=lot.choice((0, 0, 1, 2)),
            busy_after_loss_s=lot.choice((0.0, 0.0, 0.2)),
            seed=seed,
        )


NO_FAULTS: Final = Faults()


def garbage(seed: int) -> bytes:
    """Noise that is neither an APDU nor a frame."""
    return b"\xe7" + random.Random(seed).randbytes(200)


def endless(*, is_serial: bool) -> bytes:
    """The start of a message, and no end."""
    if is_serial:
        return b"\x10\x02\x04\x0f" + b"\x41" * ENDLESS_BYTES
    return b"\x04\x0f\xff\xff\xff" + b"\x41" * ENDLESS_BYTES
