"""What a till asks a terminal outside of payments: its state, its last transaction, to register."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from appliance.domain.errors import Bug, Code, TerminalTrouble
from appliance.drivers.lines import Clock, LineLost
from appliance.drivers.zvt_payment import Nothing, Slips
from appliance.drivers.zvt_session import (
    Dialogue,
    Ending,
    Handler,
    Refused,
    Session,
    Silence,
    Times,
)
from appliance.protocols.zvt import answers, commands, results

log = structlog.get_logger()

CONFIG: Final = (
    commands.Config.TILL_PRINTS_PAYMENTS
    | commands.Config.TILL_PRINTS_ADMIN
    | commands.Config.INTERMEDIATE_STATUS
    | commands.Config.NO_AMOUNT_ENTRY  # nobody charges at the terminal behind the till's back
    | commands.Config.PRINT_LINES
)
_LAST_STATUS: Final = commands.RepeatService.SEND_STATUS | commands.RepeatService.DO_NOT_PRINT
_EVENTS: Final = frozenset({0x05, 0x06, 0x0F, 0x45, 0x46, 0x4F})
"""Intermediate states: it reverses, it sends stored bookings, it makes an end of day."""
_NOT_REGISTERED: Final = 0x6B
_UNKNOWN_COMMAND: Final = frozenset({0x83, 0x9A, 0xA5})


class CannotTell(TerminalTrouble):
    """The terminal does not know the question whether it is idle; asking again cannot help."""


class Idle(Handler):
    """Listens to a terminal that nobody pays at. It may use a status enquiry for what it has to
    do by itself, an end of day for example (PA00P015, 2.55). Slips of that are acknowledged, or
    it would wait for ever; nobody here prints them."""

    def __init__(self) -> None:
        self.has_done_something = False
        """Its last transaction and its numbers may be others now."""

    def status(self, status: answers.StatusInformation) -> None:
        self.has_done_something = True

    def progress(self, status: answers.IntermediateStatus) -> None:
        if status.status in _EVENTS:
            self.has_done_something = True

    def print(self, part: answers.PrintLine | answers.PrintTextBlock) -> bool:
        if not self.has_done_something:
            log.warning("zvt.slip_of_its_own")
        self.has_done_something = True
        return True


class _Query(Handler):
    """Takes what a query brings; slips only where someone wants them."""

    def __init__(self, slips: Slips | None = None) -> None:
        self.answer: answers.StatusInformation | None = None
        self._slips = slips

    def status(self, status: answers.StatusInformation) -> answers.Accepted:
        self.answer = status
        return answers.Accepted()

    def print(self, part: answers.PrintLine | answers.PrintTextBlock) -> bool:
        if self._slips is not None:
            self._slips.add(part)
        return True

    def ending(self, end: answers.Completion | answers.Failure) -> None:
        if self._slips is not None:
            self._slips.end()


@dataclass(frozen=True, slots=True)
class Questions:
    """Each raises LineLost, ZvtError and TerminalTrouble. currency: ISO 4217 number."""

    password: str = field(repr=False)
    currency: int
    times: Times
    clock: Clock

    def _ask(self, session: Session, command: commands.Command, handler: Handler) -> Ending:
        times = replace(self.times, t4_s=min(self.times.t4_s, self.times.query_s))
        dialogue = Dialogue(session, times, self.clock, handler, is_harmless=True)
        ending = dialogue.run(command, self.clock() + self.times.query_s + self.times.t4_s)
        if isinstance(ending, Silence):
            raise LineLost("the terminal does not answer")
        return ending

    def state(self, session: Session, idle: Idle | None = None) -> int:
        """The terminal's state byte, or the busy code that it refuses to tell it with."""
        ending = self._ask(session, commands.StatusEnquiry(self.password), idle or Idle())
        if isinstance(ending, answers.Completion):
            return ending.state()[0]
        code = _code(ending)
        if code in results.BUSY_STATES:
            return code
        if isinstance(ending, Refused) and code == _NOT_REGISTERED:
            return results.READY  # a busy one refuses the registration that follows
        detail = f"status enquiry: {results.result_text(code)}"
        if isinstance(ending, Refused) and code in _UNKNOWN_COMMAND:
            raise CannotTell(Code.TERMINAL_SETUP, detail)
        raise TerminalTrouble(Code.TERMINAL_SETUP, detail)

    def register(self, session: Session) -> None:
        """Tell the terminal how the till works; it tells its TID, for the session."""
        command = commands.Registration(
            self.password, CONFIG, self.currency, tlv=commands.TEXT_BLOCKS
        )
        ending = self._ask(session, command, Idle())
        if not isinstance(ending, answers.Completion):
            raise _refused("registration", _code(ending))
        _, session.terminal_id, currency = ending.registered()
        if currency not in (None, self.currency):
            raise TerminalTrouble(Code.TERMINAL_CURRENCY, f"the terminal has currency {currency}")

    def last(self, session: Session) -> answers.StatusInformation | Nothing:
        """The last transaction."""
        handler = _Query()
        command = commands.RepeatReceipt(self.password, _LAST_STATUS)
        ending = self._ask(session, command, handler)
        if isinstance(ending, answers.Completion):
            # Without it, the terminal takes 06 20 for no more than a wish for paper.
            return handler.answer or Nothing()
        code = _code(ending)
        if code in results.BUSY_STATES:
            raise _refused("repeat receipt", code)
        return Nothing()

    def print_again(self, session: Session, slips: Slips) -> None:
        """The last transaction's slips."""
        command = commands.RepeatReceipt(self.password, commands.RepeatService(0))
        ending = self._ask(session, command, _Query(slips))
        if not isinstance(ending, answers.Completion):
            raise _refused("repeat receipt", _code(ending))


def _code(ending: Ending) -> int:
    """Why the terminal did not do it."""
    if isinstance(ending, Refused | answers.Failure):
        return ending.code
    raise Bug(f"{type(ending).__name__} is no refusal")


def _refused(what: str, code: int) -> TerminalTrouble:
    reason = results.result_code(code)
    if reason not in (Code.TERMINAL_BUSY, Code.TERMINAL_CURRENCY):
        reason = Code.TERMINAL_SETUP
    return TerminalTrouble(reason, f"{what}: {results.result_text(code)}")
