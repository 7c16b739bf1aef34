"""The receipt printer: any ESC/POS printer of the profiles' table, on any line.

A print counts when the printer has taken all of it and says that it is still well; where its
profile has process ids (GS ( H), when it says that all of it is on the paper. Silence is trouble.
"""

from __future__ import annotations

import codecs
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import structlog

from appliance.domain.errors import Code, ConfigTrouble, PrinterTrouble
from appliance.domain.receipt import Document
from appliance.drivers import python_escpos
from appliance.drivers.printer_lines import LineBroken, PrinterLine, open_line
from appliance.ports import WELL, Health
from appliance.protocols.escpos import (
    CLEAR_BUFFERS,
    PROFILES,
    Cleared,
    Encoder,
    EscposError,
    Flag,
    ProcessDone,
    Profile,
    Query,
    Responses,
    StatusByte,
    diagnosis,
    ending,
    parse_status,
    request,
)

log = structlog.get_logger()
T = TypeVar("T")

# So much is sent at a time before the printer is asked whether it is still online. Small enough
# for the smallest receive buffer (4 KiB) to keep room for the question.
_CHUNK_BYTES: Final = 512
# And so many lines: many printers answer a question only when all before it is on the paper. A
# slow one takes so long for a line (50 mm/s; a line is 4 mm), which its answer is given on top.
_CHUNK_LINES: Final = 24
_LINE_S: Final = 0.1
_POLL_S: Final = 0.1
_ADDRESS: Final = re.compile(r"(usb|serial|file):/.+|tcp:[^/]+:[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class EscposOptions:
    """How the printer is reached and what it is.

    address: "usb:/path", "serial:/path", "tcp:host:port" or "file:/path" (says nothing back).
    profile: a row of PROFILES. code_page: the preferred page, in Python's or the maker's spelling
    ("cp866", "CP866"); "" is the profile's first. baud, flow: of a serial line.
    status: "full" asks the printer (DLE EOT); "none" is for those that never answer, where only a
    failing write tells that something is wrong.
    process_id: overrides what the profile says. open_drawer: before each document.
    status_timeout_s: until an answer must come. write_timeout_s: how long the printer may take no
    byte at all. print_timeout_s: until it has taken the whole document. finish_timeout_s: how long
    printing may last after the last byte. settle_s: how long a printer without process id must
    stay well after the last byte.
    Raises ConfigTrouble for what cannot be.
    """

    address: str
    profile: str = "generic-80"
    code_page: str = ""
    baud: int = 9600
    flow: Literal["rts-cts", "none"] = "rts-cts"
    status: Literal["full", "none"] = "full"
    process_id: bool | None = None
    open_drawer: bool = False
    status_timeout_s: float = 2.0
    write_timeout_s: float = 5.0
    print_timeout_s: float = 120.0
    finish_timeout_s: float = 15.0
    settle_s: float = 1.0

    def __post_init__(self) -> None:
        mistakes = []
        port = self.address.rpartition(":")[2] if self.address.startswith("tcp:") else "9100"
        if not _ADDRESS.fullmatch(self.address) or not 0 < int(port) <= 0xFFFF:
            mistakes.append(f"{self.address!r} is no address of a printer")
        if self.profile not in PROFILES:
            mistakes.append(f"unknown profile {self.profile!r}; known: {', '.join(PROFILES)}")
        if self.code_page and not _is_known(self.code_page):
            mistakes.append(f"unknown code page {self.code_page!r}")
        if mistakes:
            raise ConfigTrouble(mistakes)


def _is_known(code_page: str) -> bool:
    try:
        codecs.lookup(code_page)
    except LookupError:
        return False
    return True


class EscposPrinter:
    """One printer; see ports.Printer. All calls from one thread.

    clock: seconds that only grow. Opens its line when it is needed, and again after a break.
    """

    def __init__(self, options: EscposOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._profile: Profile = PROFILES[options.profile]
        self._clock = clock
        self._encoder: Encoder | None = None
        self._line: PrinterLine | None = None
        self._responses = Responses()
        self._statuses: list[int] = []
        self._done: bytes = b""
        self._was_cleared = False
        # At random: a printer may still answer for a job of the program's last run.
        self._last_identity = secrets.randbelow(0x10000)
        self._until = 0.0
        # Who spoke on this line before may have stopped in the middle of a command.
        self._is_fresh = True
        # A paper that broke off in the middle still hangs there: the next one is cut free of it.
        self._is_torn = False
        self._is_sent = False  # all of the last document, its cut included
        self._lines_ahead = 0  # sent since the printer's last answer
        wanted = options.process_id
        self._uses_process_id = self._profile.process_id if wanted is None else wanted

    def check(self) -> Health:
        try:
            self._ready_encoder()
            flags = self._on_line(self._look)
        except PrinterTrouble as trouble:
            self._after(trouble)
            return Health(trouble.code, trouble.detail)
        if found := diagnosis(flags):
            return Health(*found)
        if Flag.NEAR_END in flags:
            return Health(None, Flag.NEAR_END.value, is_paper_low=True)
        return WELL

    def print(self, document: Document, began: Callable[[], None]) -> None:
        try:
            line = self._on_line(self._prepared)
            identity = self._next_identity(line)
            segments = self._ready_encoder().encode(
                document,
                process_id=identity,
                drawer=self._options.open_drawer,
                cut_first=self._is_torn,
            )
        except PrinterTrouble as trouble:
            self._after(trouble)
            raise
        began()
        self._is_torn = True
        try:
            self._send_all(line, segments)
            self._finish(line, identity)
        except PrinterTrouble as trouble:
            log.warning("print_broken_off", code=trouble.code, detail=trouble.detail)
            self._give_up(line, trouble)
            # Where paper ran out, the new roll begins clean,
            # unless the printer goes on by itself there, with what it had received.
            goes_on = not (self._profile.clears or self._is_sent)
            self._is_torn = trouble.code is not Code.NO_PAPER or goes_on
            self.close()
            raise
        self._is_torn = False

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    # --- the line --------------------------------------------------------------------------

    def _opened(self) -> PrinterLine:
        if self._line is None:
            self._line = open_line(
                self._options.address,
                self._clock,
                baud=self._options.baud,
                rts_cts=self._options.flow == "rts-cts",
            )
            self._is_fresh = True
            log.info("printer_opened", address=self._options.address)
        return self._line

    def _on_line(self, work: Callable[[PrinterLine], T]) -> T:
        """What comes before a document. A line that was open since the last time may have ended
        meanwhile (network printers hang up when idle; a plug was out and in): that is told by
        opening it anew, and no trouble when that works. So is a name that leads elsewhere now."""
        if self._line is not None and self._line.has_moved():
            log.info("printer_moved", address=self._options.address)
            self.close()
        was_open = self._line is not None
        try:
            return work(self._opened())
        except LineBroken:
            self.close()
            if not was_open:
                raise
        return work(self._opened())

    def _look(self, line: PrinterLine) -> frozenset[Flag]:
        if not self._asks(line):
            line.receive(self._clock())  # tells when the line has broken
            return frozenset()
        self._forget(line)
        try:
            return self._ask_all(line)
        except LineBroken:
            raise
        except PrinterTrouble as trouble:
            if trouble.code is not Code.PRINTER_GONE or not self._may_hold_half(line):
                raise
        # It may take the question for the rest of a command that was cut short.
        self._end_command(line)
        self._forget(line)
        return self._ask_all(line)

    def _may_hold_half(self, line: PrinterLine) -> bool:
        """Whether what came last on this line may have broken off inside of a command, with
        nothing that clears it."""
        can_clear = self._profile.clears and self._asks(line)
        return self._is_fresh and line.can_answer and not can_clear

    def _end_command(self, line: PrinterLine) -> None:
        """Or the next document would be taken for the rest of an image, and count as printed."""
        data = ending(self._profile)
        line.send(data, self._clock() + self._patience(line, len(data)))

    def _prepared(self, line: PrinterLine) -> PrinterLine:
        """The line, with a printer on it that is well and holds nothing of an earlier document."""
        if found := diagnosis(self._look(line)):
            raise PrinterTrouble(*found)
        if self._may_hold_half(line):
            self._end_command(line)
        elif self._is_fresh and self._asks(line):
            self._clear(line)
        self._is_fresh = False
        return line

    def _after(self, trouble: PrinterTrouble) -> None:
        """A line that is gone, or out of step with us, is opened anew next time."""
        if trouble.code is Code.PRINTER_GONE:
            self.close()

    def _asks(self, line: PrinterLine) -> bool:
        return self._options.status == "full" and line.can_answer

    def _ready_encoder(self) -> Encoder:
        """Made here and not at start: python-escpos takes its time, and this is the printer's own
        thread."""
        if self._encoder is None:
            page = self._options.code_page.lower()
            if page and page not in self._profile.pages:
                log.warning("code_page_not_in_profile", page=page, profile=self._profile.name)
                page = ""
            python_escpos.load()
            self._encoder = Encoder(self._profile, page)
        return self._encoder

    def _next_identity(self, line: PrinterLine) -> bytes | None:
        if not (self._uses_process_id and self._asks(line)):
            return None
        self._last_identity = (self._last_identity + 1) % 0x10000
        return f"{self._last_identity:04X}".encode("ascii")

    # --- questions -------------------------------------------------------------------------

    def _forget(self, line: PrinterLine) -> None:
        """Late answers to earlier questions must not pass for answers to the next ones."""
        line.discard_input()
        self._responses = Responses()

    def _ask_all(self, line: PrinterLine) -> frozenset[Flag]:
        """All that the printer says of itself. Raises PrinterTrouble."""
        flags = self._ask(line, Query.PRINTER)
        flags |= self._ask(line, Query.OFFLINE_CAUSE)
        if Flag.ERROR in flags:
            flags |= self._ask(line, Query.ERROR_CAUSE)
        return flags | self._ask(line, Query.PAPER)

    def _ask(self, line: PrinterLine, query: Query, ahead_s: float = 0) -> frozenset[Flag]:
        """The answer to one DLE EOT. ahead_s: how long the printer may be busy before it reads
        this. Raises PrinterTrouble: gone when there is none."""
        self._statuses.clear()
        until = self._clock() + self._options.status_timeout_s + ahead_s
        data = request(query)
        if line.send(data, until) < len(data):
            raise PrinterTrouble(Code.PRINTER_GONE, "it takes no data")
        while not self._statuses:
            if self._clock() >= until:
                raise PrinterTrouble(Code.PRINTER_GONE, f"no answer to DLE EOT {int(query)}")
            self._listen(line, until)
        return parse_status(query, self._statuses[0])

    def _listen(self, line: PrinterLine, until: float) -> None:
        """Take in what the printer says until then, or one portion of it. Raises PrinterTrouble."""
        for byte in line.receive(until):
            try:
                response = self._responses.feed(byte)
            except EscposError as error:
                raise PrinterTrouble(
                    Code.PRINTER_FAULT, f"it answers nonsense: {error}; is the baud rate right?"
                ) from error
            match response:
                case StatusByte(value):
                    self._statuses.append(value)
                case ProcessDone(identity):
                    self._done = identity
                case Cleared():
                    self._was_cleared = True

    # --- a job -----------------------------------------------------------------------------

    def _send_all(self, line: PrinterLine, segments: tuple[bytes, ...]) -> None:
        """Every segment; between chunks, never inside of a command, the printer is asked whether
        it is online. Raises PrinterTrouble."""
        self._done = b""
        self._is_sent = False
        self._lines_ahead = 0
        self._until = self._clock() + self._options.print_timeout_s
        chunk = b""
        for segment in segments:
            chunk += segment
            if len(chunk) >= _CHUNK_BYTES or chunk.count(b"\n") >= _CHUNK_LINES:
                self._send(line, chunk)
                chunk = b""
                is_offline = self._asks(line) and Flag.OFFLINE in self._ask_in_job(
                    line, Query.PRINTER
                )
                if is_offline and (found := self._trouble_in_job(line)):
                    raise PrinterTrouble(*found)
        self._send(line, chunk)
        self._is_sent = True

    def _send(self, line: PrinterLine, data: bytes) -> None:
        """All of it. A printer that is slow may take its time as long as it takes something."""
        self._lines_ahead += data.count(b"\n")
        size_bytes = max(len(data), _CHUNK_BYTES)
        while data:
            sent = line.send(data, self._clock() + self._patience(line, len(data)))
            if not sent or self._clock() > self._until:
                raise self._blocked(line)
            data = data[sent:]
        # The kernel may still hold all of it.
        if not line.drain(self._clock() + self._patience(line, size_bytes)):
            raise self._blocked(line)

    def _patience(self, line: PrinterLine, size_bytes: int) -> float:
        speed = line.bytes_per_s()
        return self._options.write_timeout_s + (2 * size_bytes / speed if speed else 0)

    def _ask_in_job(self, line: PrinterLine, *queries: Query) -> frozenset[Flag]:
        """Like _ask, but a silent printer may be one whose full buffer keeps the question out."""
        flags: frozenset[Flag] = frozenset()
        try:
            for query in queries:
                flags |= self._ask(line, query, self._lines_ahead * _LINE_S)
                self._lines_ahead = 0
        except PrinterTrouble as trouble:
            if trouble.code is not Code.PRINTER_GONE:
                raise
            raise self._blocked(line) from trouble
        return flags

    def _trouble_in_job(self, line: PrinterLine) -> tuple[Code, str] | None:
        """What is wrong, if anything; somebody's finger on the feed button is waited for: the
        printer goes on by itself, and a paper that is broken off for it comes out twice."""
        until = self._clock() + self._options.finish_timeout_s
        while True:
            found = diagnosis(self._ask_in_job(line, *Query))
            if found is not None and found[0] is Code.NO_PAPER:
                # The answers are moments apart: so does a cover look that opens between two.
                found = diagnosis(self._ask_in_job(line, *Query)) or found
            if found is None or found[1] != Flag.FEEDING.value or self._clock() >= until:
                return found
            self._listen(line, self._clock() + _POLL_S)

    def _blocked(self, line: PrinterLine) -> PrinterTrouble:
        """Why the printer takes no more. It is asked; what waits before the question is dropped,
        and the job with it."""
        if not self._asks(line):
            return PrinterTrouble(Code.PRINTER_GONE, "it takes no more data")
        try:
            line.discard_output()
            found = self._diagnosis_again(line)
        except PrinterTrouble as trouble:
            # Its buffer is full, so it cannot hear us; on USB the port itself still answers.
            if line.is_out_of_paper():
                return PrinterTrouble(Code.NO_PAPER, "the port says so; the printer is silent")
            return trouble
        return PrinterTrouble(*(found or (Code.PRINTER_FAULT, "it takes no more data")))

    def _diagnosis_again(self, line: PrinterLine) -> tuple[Code, str] | None:
        """Asks twice where need be: the first question may have gone with what was dropped."""
        self._forget(line)
        try:
            return diagnosis(self._ask_all(line))
        except PrinterTrouble as trouble:
            if trouble.code is not Code.PRINTER_GONE:
                raise
        self._forget(line)
        return diagnosis(self._ask_all(line))

    def _finish(self, line: PrinterLine, identity: bytes | None) -> None:
        """Wait until the paper is out, as far as this printer can tell. Raises PrinterTrouble."""
        if not self._asks(line):
            if not line.arrived(self._clock() + self._options.write_timeout_s):
                raise PrinterTrouble(Code.PRINTER_GONE, "it takes no more data")
            line.receive(self._clock())  # tells when the line has broken
            return
        settle_s = self._options.settle_s
        if identity is not None:
            until = self._clock() + self._options.finish_timeout_s
            while self._clock() < until:
                self._listen(line, min(until, self._clock() + _POLL_S))
                if self._done == identity:
                    return
                found = self._trouble_in_job(line)
                # Its word that the paper is out counts, even where that paper was the last.
                if found and self._done != identity:
                    raise PrinterTrouble(*found)
            # It has taken everything and is well, which is all that other printers ever tell.
            # Not asked again: each receipt would wait so long.
            log.warning("printer_has_no_process_id", profile=self._profile.name)
            self._uses_process_id = False
            settle_s = 0
        until = self._clock() + settle_s
        while True:
            if found := self._trouble_in_job(line):
                raise PrinterTrouble(*found)
            if self._clock() >= until:
                return
            self._listen(line, min(until, self._clock() + _POLL_S))

    def _give_up(self, line: PrinterLine, trouble: PrinterTrouble) -> None:
        """The rest of a broken job is dropped, here and where possible in the printer: it would
        come out after the cause is gone, beside the whole one that is printed then."""
        if trouble.code is Code.PRINTER_GONE or not self._asks(line):
            return
        try:
            self._clear(line)
        except PrinterTrouble as error:
            log.warning("printer_not_cleared", detail=error.detail)

    def _clear(self, line: PrinterLine) -> None:
        """Have the printer forget what it has and did not print. Raises PrinterTrouble."""
        if not self._profile.clears:
            return
        self._was_cleared = False
        until = self._clock() + self._options.status_timeout_s
        line.send(CLEAR_BUFFERS, until)
        while not self._was_cleared:
            if self._clock() >= until:
                log.warning("printer_not_cleared", detail="no answer")
                return
            self._listen(line, until)
