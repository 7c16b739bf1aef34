"""An open line to a ZVT terminal, and one command's dialogue on it."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from appliance.drivers.lines import Clock, Line, LineLost
from appliance.drivers.zvt_trace import Trace
from appliance.protocols.zvt import answers, commands, messages, results
from appliance.protocols.zvt.errors import ZvtError
from appliance.protocols.zvt.framing import Link

Sendable = commands.Command | answers.Accepted | answers.Refusal


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds; the defaults are the standard's (PA00P015 chapter 1, PA00P016).

    t1: between the bytes of a frame. t2: for the ACK of a frame. t3: from a command to its
    response. t4: between the messages of a running command, restarted by each 04 FF and 04 0F.
    connect: for opening the line. query: between the messages of a command in which no customer
    takes part; all of it takes no longer than query and t4 together.
    charge: the whole of one in which one does, however often the terminal asks for more time.
    """

    t1_s: float = 0.2
    t2_s: float = 5.0
    t3_s: float = 5.0
    t4_s: float = 180.0
    connect_s: float = 5.0
    query_s: float = 30.0
    charge_s: float = 1800.0


class Session:
    """Messages instead of bytes. Each method may raise LineLost and ZvtError."""

    def __init__(self, line: Line, link: Link, times: Times, clock: Clock, trace: Trace) -> None:
        self.terminal_id = ""
        self._line = line
        self._link = link
        self._times = times
        self._clock = clock
        self._trace = trace
        self._inbox: deque[bytes] = deque()
        trace.write("open", clock())

    def send(self, message: Sendable, *, after_silence: bool = True) -> None:
        now = self._clock()
        raw = message.encode()
        self._trace.write("tx", now, raw)
        self._link.send(raw, now, after_silence=after_silence)
        self._flush()

    def receive(
        self, until: float, interrupted: Callable[[], bool] | None = None
    ) -> messages.Message | None:
        """The next message; None at the deadline, or as soon as `interrupted` says so."""
        while not self._inbox:
            if interrupted is not None and interrupted():
                return None
            if self._take(until) >= until and not self._inbox:
                return None
        return messages.decode(self._inbox.popleft())

    def drain(self) -> None:
        """Throw away what came in unasked, and wait (bounded) until the far end has taken what it
        was sent. Raises LineLost where the line is gone meanwhile."""
        until = self._clock() + self._times.t2_s
        self._take(self._clock())
        while self._inbox or not self._link.is_clear:
            self._inbox.clear()
            # On a clear line nothing more is due: only what is there already is thrown away.
            if self._take(self._clock() if self._link.is_clear else until) >= until:
                raise ZvtError("the terminal does not come to rest")

    def _take(self, until: float) -> float:
        """Read once; returns the time afterwards."""
        due = self._link.deadline()
        data = self._line.read(until if due is None else min(until, due))
        now = self._clock()
        for raw in self._link.receive(data, now):
            self._trace.write("rx", now, raw)
            self._inbox.append(raw)
        if not data or (self._link.has_failed and not self._inbox):
            self._link.tick(now)
        self._flush()
        return now

    @property
    def is_taken(self) -> bool:
        return self._link.is_taken

    @property
    def is_clear(self) -> bool:
        return self._link.is_clear

    @property
    def copies(self) -> int:
        """How often the last message has left."""
        return self._link.copies

    def has_moved(self) -> bool:
        """Whether the terminal's address leads to another one now, or to none."""
        return self._line.has_moved()

    def wake(self) -> None:
        """Any thread; never raises."""
        self._line.wake()

    def close(self) -> None:
        self._line.close()
        self._trace.write("close", self._clock())

    def _flush(self) -> None:
        output = self._link.take_output()
        if output:
            self._line.write(output, self._clock() + self._times.t2_s)


class Handler:
    """What a command's dialogue is for. This one acknowledges nothing but progress and the end."""

    may_abort = False

    def status(
        self, status: answers.StatusInformation
    ) -> answers.Accepted | answers.Refusal | None:
        """A 04 0F; returns what to answer, None for nothing."""
        return None

    def progress(self, status: answers.IntermediateStatus) -> None:
        """A 04 FF."""

    def print(self, part: answers.PrintLine | answers.PrintTextBlock) -> bool:
        """A 06 D1 or 06 D3; True when it is to be acknowledged."""
        return False

    def ending(self, end: answers.Completion | answers.Failure) -> None:
        """The command's last message, before it is acknowledged."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The terminal did not start the command. is_certain: the answer can only be to the one
    copy that left, and to nothing before it."""

    code: int
    is_certain: bool


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing came in time; was_accepted: the terminal had begun."""

    was_accepted: bool


Ending = answers.Completion | answers.Failure | Refused | Silence
_FromWithin = (
    answers.StatusInformation
    | answers.IntermediateStatus
    | answers.PrintLine
    | answers.PrintTextBlock
    | answers.Completion
    | answers.Failure
)
"""What a terminal says only while it is at a command, after 80 00."""


class Dialogue:
    """One command, from its first byte to its completion."""

    def __init__(
        self,
        session: Session,
        times: Times,
        clock: Clock,
        handler: Handler,
        abort_wanted: Callable[[], bool] | None = None,
        *,
        is_harmless: bool = False,
    ) -> None:
        """is_harmless: the command may reach the terminal twice."""
        self.has_left = False
        """The whole command has left. Before that, LineLost tells whether a part has."""
        self._session = session
        self._times = times
        self._clock = clock
        self._handler = handler
        self._abort_wanted = abort_wanted
        self._is_harmless = is_harmless
        self.is_abort_unanswered = False
        """An answer is still due, and may come at any time."""
        self._abort_sent = False
        self._accepted = False
        self._heard_another = False

    def run(self, command: commands.Command, end_at: float) -> Ending:
        """Raises LineLost, ZvtError, and whatever the handler raises.

        end_at: the whole takes no longer, however often the terminal asks for more time.
        """
        self._session.send(command, after_silence=self._is_harmless)
        self.has_left = True
        t4_s = self._times.t4_s
        until = self._clock() + self._times.t3_s
        while True:
            message = self._session.receive(min(until, end_at), self._abort_is_due)
            if self._is_anothers(message):
                self._pass_over(message)
                continue
            match message:
                case None:
                    if self._abort_is_due():
                        self._abort_sent = self.is_abort_unanswered = True
                        self._session.send(commands.AbortCommand())
                    elif not self._session.is_taken and self._clock() < end_at:
                        until = self._clock() + self._times.t3_s  # it runs from the ACK on
                    elif self._clock() >= min(until, end_at):
                        return Silence(self._accepted)
                case answers.Accepted() | answers.Refusal() if self._accepted:
                    self.is_abort_unanswered = False
                case answers.Accepted():
                    self._accepted = True
                    until = self._clock() + t4_s
                case answers.Refusal():
                    is_certain = self._session.copies == 1 and not self._heard_another
                    return Refused(message.code, is_certain)
                case answers.IntermediateStatus():
                    if message.timeout_min:
                        t4_s = message.timeout_min * 60.0
                    self._handler.progress(message)
                    self._session.send(answers.Accepted())
                    until = self._clock() + t4_s
                case answers.StatusInformation():
                    answer = self._handler.status(message)
                    if answer is not None:
                        self._session.send(answer)
                    until = self._clock() + t4_s
                case answers.PrintLine() | answers.PrintTextBlock():
                    if self._handler.print(message):
                        self._session.send(answers.Accepted())
                    until = self._clock() + t4_s
                case answers.Completion() | answers.Failure():
                    self._handler.ending(message)
                    # It is over, whether or not this last acknowledgement arrives.
                    with contextlib.suppress(LineLost, ZvtError):
                        self._session.send(answers.Accepted())
                    return message
                case _:
                    # What it asks for is not offered; it may go on without.
                    self._session.send(answers.Refusal(results.NOT_POSSIBLE))

    def _is_anothers(self, message: messages.Message | None) -> bool:
        """The terminal has not accepted this command yet, so this is the rest of another one's
        dialogue, or is repeated because an acknowledgement got lost: it proves nothing here.
        Where no money moves, a failure may stand in place of a refusal."""
        if self._accepted or not isinstance(message, _FromWithin):
            return False
        return not (self._is_harmless and isinstance(message, answers.Failure))

    def _pass_over(self, message: messages.Message | None) -> None:
        """A result or a slip of that other dialogue is not for us to acknowledge."""
        self._heard_another = True
        if isinstance(message, answers.IntermediateStatus | answers.Completion | answers.Failure):
            self._session.send(answers.Accepted())

    def _abort_is_due(self) -> bool:
        return (
            self._abort_wanted is not None
            and not self._abort_sent
            and self._accepted
            and self._handler.may_abort
            and self._session.is_clear
            and self._abort_wanted()
        )
