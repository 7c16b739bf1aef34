"""ZVT: both kinds of line, messages and their fields, and card numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Final

from appliance.domain.errors import Bug
from appliance.protocols.zvt import answers, bmp, commands, messages, pan, tlv
from appliance.protocols.zvt.apdu import Apdu, apdu_size
from appliance.protocols.zvt.errors import ZvtError
from appliance.protocols.zvt.framing import NAK, Link, SerialLink, SerialTimes, TcpLink, frame
from tests.fuzz.target import demand, pieces

# --- lines ------------------------------------------------------------------------------------


def serial(data: bytes) -> None:
    """The first byte says in what pieces the rest arrives: they change nothing."""
    size, line = 1 + (data[0] if data else 0) % 16, data[1:]
    found, output = _received(SerialLink(), line, len(line))
    demand((found, output) == _received(SerialLink(), line, size), "pieces change what arrives")
    demand(sum(map(len, found)) <= len(line), "more came out than went in")
    # Each frame and each broken frame gets one byte of answer, and takes more than one.
    demand(len(output) <= len(line) // 2, "more answers than frames")
    demand(_received(SerialLink(), frame(line), size) == ([line], b"\x06"), "a frame is not read")


def tcp(data: bytes) -> None:
    size, line = 1 + (data[0] if data else 0) % 16, data[1:]
    found, _ = _received(TcpLink(), line, len(line))
    in_pieces, _ = _received(TcpLink(), line, size)
    demand(found == in_pieces, "pieces change what arrives")
    demand(line.startswith(b"".join(found)), "the stream came out changed")
    demand(all(apdu_size(raw) == len(raw) for raw in found), "an APDU of another size")


def _received(link: Link, line: bytes, size: int) -> tuple[list[bytes], bytes]:
    found = [raw for piece in pieces(line, size or 1) for raw in link.receive(piece, 0.0)]
    return found, link.take_output()


_COMMAND: Final = commands.Authorization(1234, 978).encode()
_TIMES: Final = SerialTimes()


def serial_times(data: bytes) -> None:
    """While a command is on its way: a first byte of options, then again and again how much time
    passes, how many bytes come, and those. In the end it is silent."""
    is_repeatable, is_tcp = bool(data[:1] and data[0] & 1), bool(data[:1] and data[0] & 2)
    link: Link = TcpLink() if is_tcp else SerialLink(_TIMES)
    link.send(_COMMAND, 0.0, after_silence=is_repeatable)
    now, output = 0.0, link.take_output()
    try:
        for gap_s, piece in _script(data[1:]):
            now += gap_s
            if (due := link.deadline()) is not None and due <= now:
                link.tick(now)
            link.receive(piece, now)
            output += link.take_output()
        for _ in range(20):
            if (due := link.deadline()) is None:
                break
            now = max(now, due)
            link.tick(now)
            output += link.take_output()
        else:
            demand(False, "it never comes to rest")
    except ZvtError:
        demand(link.has_failed, "an error that the line forgot")
    copies = output.count(_COMMAND if is_tcp else frame(_COMMAND))
    demand(1 <= copies <= 1 + _TIMES.repeats, f"{copies} copies of one command")
    demand(copies == 1 or is_repeatable or NAK in data, "sent again, and nobody asked for it")


def _script(data: bytes) -> Iterator[tuple[float, bytes]]:
    at = 0
    while at + 1 < len(data):
        end = at + 2 + data[at + 1] % 32
        yield data[at] / 40, data[at + 2 : end]
        at = end


# --- messages and fields ----------------------------------------------------------------------

_HEADS: Final = (
    (0x04, 0x0F), (0x04, 0xFF), (0x05, 0x01), (0x06, 0x00), (0x06, 0x01), (0x06, 0x02),
    (0x06, 0x0F), (0x06, 0x1E), (0x06, 0x20), (0x06, 0x30), (0x06, 0x31), (0x06, 0x50),
    (0x06, 0xB0), (0x06, 0xD1), (0x06, 0xD3), (0x06, 0xE0), (0x80, 0x00), (0x84, 0x1E),
)  # fmt: skip


def message(data: bytes) -> None:
    """The first byte chooses a class and instruction, the rest is the data; or, from E0 on, all
    that follows is the APDU itself."""
    if not data:
        return
    raw = data[1:]
    if data[0] < 0xE0:
        raw = Apdu(*_HEADS[data[0] % len(_HEADS)], raw).encode()
    traced = messages.redact(raw)
    demand(len(traced) in (0, len(raw)), "a trace of another length")
    with suppress(ZvtError):
        _no_card_number(messages.decode(traced))
    found = messages.decode(raw)
    _no_card_number(found)
    if isinstance(found, commands.Command):
        again = messages.decode(_encoded(found))
        demand(again == found, f"{again} is not {found}")
    if isinstance(found, answers.Completion):
        found.result()
        with suppress(ZvtError):
            demand(is_clear(found.state()[1]), "a card number in a version")
        found.registered()


def _encoded(command: commands.Command) -> bytes:
    # A display's lines may be longer in a vendor's coding than our own encoder makes them; a
    # registration without its currency has no fields.
    try:
        return command.encode()
    except Bug:
        raise ZvtError("nothing that we would send") from None


def _no_card_number(value: object) -> None:
    if isinstance(value, str):
        demand(is_clear(value), "a card number in clear")
    elif isinstance(value, tuple):
        for item in value:
            _no_card_number(item)
    elif is_dataclass(value):
        for field in fields(value):
            _no_card_number(getattr(value, field.name))


def fields_of(data: bytes) -> None:
    """BMPs, as they stand in a message."""
    demand(len(bmp.mask(data)) == len(data), "a masked field of another length")
    found = bmp.decode(data)
    size = sum(map(len, found.values.values())) + found.undecoded
    demand(size <= len(data), "more came out than went in")
    again = bmp.decode(bmp.encode(found.values.items()))
    demand(again.values.keys() == found.values.keys(), "encoded, they are others")
    for number in found.values:
        with suppress(ZvtError):
            found.decimal(number)
        demand(is_clear(found.text(number)), "a card number in a text")


def container(data: bytes) -> None:
    """TLV objects, as they stand in BMP 06."""
    demand(len(tlv.mask(data)) == len(data), "a masked object of another length")
    found = tlv.decode(data)
    demand(tlv.decode(tlv.encode(found)) == found, "encoded, they are others")
    for item in found:
        with suppress(ZvtError):
            item.children()


# --- card numbers -----------------------------------------------------------------------------

_RUN: Final = re.compile(r"(?<![0-9*])[0-9]+(?:[ -]{1,2}[0-9]+)*(?![0-9*])")


def is_clear(text: str) -> bool:
    """Whether no card number stands in the text: the rule of pan.mask_text, told the plain way.
    What touches a masked digit is a rest of a number, and no number."""
    for run in _RUN.finditer(text):
        groups = re.findall("[0-9]+", run.group())
        for first in range(len(groups)):
            for end in range(first + 1, len(groups) + 1):
                digits = "".join(groups[first:end]).lstrip("0")
                if groups[first].strip("0") and 13 <= len(digits) <= 19 and _luhn(digits) == 0:
                    return False
    return True


def _luhn(digits: str) -> int:
    doubled = "0246813579"
    return sum(int(doubled[int(d)] if at % 2 else d) for at, d in enumerate(digits[::-1])) % 10


def card_number(data: bytes) -> None:
    """A number is made of the first ten bytes, and hidden where a terminal may state one; the
    rest is what stands around it."""
    if len(data) < 12:
        return
    size = 13 + data[0] % 7
    body = str(3 + data[1] % 4) + "".join(str(byte % 10) for byte in data * 2)[: size - 2]
    number = body + str(-_luhn(body + "0") % 10)
    beside = data[10:34].decode("cp437")
    shown = [number, " ".join(number[at : at + 4] for at in range(0, size, 4))]
    packed = bytes.fromhex(number + "f" * (size % 2))
    for text in shown:
        line = f"{beside}:{text}:{beside}"
        demand(is_clear(pan.mask_text(line)), "masked, it is still there")
        characters = bmp.to_characters(line)
        carriers = (
            bmp.encode(((bmp.TEXT, characters),)),
            bmp.encode(((bmp.CONTAINER, tlv.encode((_nested(characters, data[10] % 4),))),)),
            bmp.encode(((bmp.PAN, packed), (bmp.CARD_NAME, characters[-90:]))),
        )
        for carrier in carriers:
            raw = Apdu(0x04, 0x0F, carrier).encode()
            for seen in (messages.redact(raw), bmp.mask(carrier)):
                _hides(seen, number)
            found = messages.decode(raw)
            _no_card_number(found)
            _hides(repr(found).encode(), number)
        line_apdu = answers.PrintLine(0, line).encode()
        _hides(messages.redact(line_apdu), number)
        _no_card_number(messages.decode(line_apdu))
    _hides(pan.mask_packed(data[10:12] + packed), number)


def _nested(characters: bytes, depth: int) -> tlv.Tlv:
    item = tlv.Tlv(tlv.TEXT_LINE, characters)
    for _ in range(depth):
        item = tlv.constructed(tlv.PRINT_TEXTS, (item,))
    return item


def _hides(seen: bytes, number: str) -> None:
    plain = re.sub(rb"[ -]", b"", seen)
    demand(number.encode() not in plain, "the card number is to be read")
    demand(number not in seen.hex(), "the card number is to be read, packed")
