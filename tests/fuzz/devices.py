"""Printers and scanners: what they say to us, and what our simulated printer reads from us."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

from appliance.counter.commands import match
from appliance.domain.receipt import Align, Barcode, Document, Element, Feed, Pair, Qr, Rule, Text
from appliance.protocols.escpos import PROFILES, Encoder, Query, Responses, diagnosis, parse_status
from appliance.protocols.escpos.status import EscposError, ProcessDone
from appliance.protocols.linescan import Ends, LineScan
from appliance.protocols.scans import LONGEST_CODE, Refused, Scan, Scanned
from appliance.protocols.wedge import LAYOUTS, Wedge
from appliance.simulators.escpos_interpreter import Interpreter
from appliance.simulators.escpos_printer import papers_of
from appliance.simulators.paper import Raster
from tests.fuzz.target import demand, pieces

# --- printers ---------------------------------------------------------------------------------


def escpos_status(data: bytes) -> None:
    """What a printer answers, byte for byte; a byte that is none does not spoil the next."""
    reader, identities = Responses(), 0
    for byte in data:
        try:
            answer = reader.feed(byte)
        except EscposError:
            continue
        if isinstance(answer, ProcessDone):
            demand(answer.identity in data, "an identity that the printer did not say")
            identities += 1
        for query in Query:
            _flags(query, byte)
    demand(7 * identities <= len(data), "more answers than bytes for them")


def _flags(query: Query, byte: int) -> None:
    try:
        flags = parse_status(query, byte)
    except EscposError:
        return
    diagnosis(flags)


_PROFILES: Final = tuple(PROFILES.values())
_KILOBYTE: Final = 1024


def escpos_paper(data: bytes) -> None:
    """The simulated printer: the first byte chooses its profile, the rest is printed."""
    if not data:
        return
    printer = Interpreter(_PROFILES[data[0] % len(_PROFILES)])
    rest = data[1:]
    while (command := printer.command(rest)) is not None:
        demand(command and rest.startswith(command), "a command that was not there")
        printer.feeds(command)
        printer.execute(command)
        rest = rest[len(command) :]
    papers = [*printer.finished, printer.hanging()]
    rows = sum(len(m.rows) for paper in papers for m in paper.marks if isinstance(m, Raster))
    marks = sum(len(paper.marks) for paper in papers)
    demand(marks + rows <= 2 * len(data), "more paper than bytes")
    demand(len(printer.defects) <= 100, "a list without end")


@cache
def _encoder(name: str) -> Encoder:
    return Encoder(PROFILES[name])


def receipt(data: bytes) -> None:
    """A receipt with any text on it: what we send to a printer has no defect. The first byte
    chooses the printer; each line of the rest is an element, by its first character."""
    if not data:
        return
    profile = _PROFILES[data[0] % len(_PROFILES)]
    lines = data[1:].decode("utf-8", "replace").split("\n")
    document = Document(tuple(map(_element, lines)))
    sent = b"".join(_encoder(profile.name).encode(document))
    _, defects = papers_of(sent, profile.name)
    demand(not defects, f"defects: {defects}")


def _element(line: str) -> Element:
    kind, text = line[:1], line[1:]
    match kind:
        case "+":
            left, _, right = text.partition("|")
            return Pair(left, right, bold=text.isupper(), size=1 + len(text) % 2)
        case "-":
            return Rule()
        case "^":
            return Feed(1 + len(text) % 9)
        case "#":
            return Qr(text[:200] or "0")
        case "=":
            return Barcode("".join(sign for sign in text if " " <= sign < "\x7f")[:40] or "0")
        case _:
            sides = tuple(Align)
            return Text(line, sides[len(line) % 3], bold=kind == "!", size=1 + len(line) % 2)


# --- scanners ---------------------------------------------------------------------------------


def scanner_line(data: bytes) -> None:
    """A serial scanner: the first byte has the options; then again and again how much time
    passes, how many bytes come, and those."""
    if not data:
        return
    ends: Ends = "gap" if data[0] & 1 else "line"
    size = 1 + data[0] // 2 % 16
    whole, cut = LineScan(ends=ends), LineScan(ends=ends)
    now, most = 1.0, 1
    for gap_s, piece in _script(data[1:]):
        now += gap_s
        most += len(piece) + 1
        found, in_pieces = whole.idle(now), cut.idle(now)
        if piece:
            found += whole.feed(piece, now)
        for part in pieces(piece, size):
            in_pieces += cut.feed(part, now)
        demand(found == in_pieces, "pieces change what was scanned")
        most -= len(found)
        _sound(found)
    _sound(whole.idle(now + 1.0))
    demand(whole.deadline is None, "it waits for nothing")
    demand(most >= 0, "more scans than bytes")


def _script(data: bytes) -> Iterator[tuple[float, bytes]]:
    at = 0
    while at + 1 < len(data):
        end = at + 2 + data[at + 1]
        yield (data[at] % 32) / 25, data[at + 2 : end]
        at = end


def scanner_keys(data: bytes) -> None:
    """A keyboard scanner: the first byte chooses the layout, then each three are a key, whether
    it goes up or down, and how much time passes."""
    if not data:
        return
    layout = tuple(LAYOUTS)[data[0] % len(LAYOUTS)]
    signs = {sign for pair in LAYOUTS[layout].values() for sign in pair} - {"\0"}
    wedge, now, count = Wedge(layout), 1.0, 0
    for event in pieces(data[1:], 3):
        if len(event) < 3:
            break
        key, value, gap = event
        now += (gap % 16) / 20
        found = wedge.lost(now) if value == 0xFF else wedge.key(key, value % 4, now)
        count += len(found)
        _sound(found)
        codes = [scan.text for scan in found if isinstance(scan, Scanned)]
        demand(all(signs.issuperset(code) for code in codes), "a sign that no key types")
    _sound(wedge.idle(now + 1.0))
    demand(wedge.deadline is None, "it waits for nothing")
    demand(count <= len(data), "more scans than keys")


def _sound(scans: Iterable[Scan]) -> None:
    for scan in scans:
        if isinstance(scan, Refused):
            demand(scan.why.isascii(), "a reason that quotes what was read")
            continue
        demand(1 <= len(scan.text) <= LONGEST_CODE, "a code that is empty or too long")
        demand(scan.text.isprintable(), "a code with control characters")
        match(scan.text)
