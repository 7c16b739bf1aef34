from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.errors import Code, ProtocolError
from appliance.protocols.escpos.status import (
    Cleared,
    EscposError,
    Flag,
    ProcessDone,
    Query,
    Responses,
    StatusByte,
    diagnosis,
    parse_status,
    process_id_request,
    request,
)

F = Flag


@pytest.mark.parametrize(
    ("query", "byte", "flags"),
    [
        (Query.PRINTER, 0x12, set()),
        (Query.PRINTER, 0x16, {F.DRAWER_PIN}),
        (Query.PRINTER, 0x1A, {F.OFFLINE}),
        (Query.PRINTER, 0x7E, {F.DRAWER_PIN, F.OFFLINE, F.WAITING, F.FEED_BUTTON}),
        (Query.OFFLINE_CAUSE, 0x16, {F.COVER_OPEN}),
        (Query.OFFLINE_CAUSE, 0x1A, {F.FEEDING}),
        (Query.OFFLINE_CAUSE, 0x32, {F.PAPER_STOP}),
        (Query.OFFLINE_CAUSE, 0x52, {F.ERROR}),
        (Query.ERROR_CAUSE, 0x16, {F.RECOVERABLE}),
        (Query.ERROR_CAUSE, 0x1A, {F.CUTTER}),
        (Query.ERROR_CAUSE, 0x32, {F.UNRECOVERABLE}),
        (Query.ERROR_CAUSE, 0x52, {F.OVERHEATED}),
        (Query.PAPER, 0x12, set()),
        (Query.PAPER, 0x1E, {F.NEAR_END}),
        (Query.PAPER, 0x7E, {F.NEAR_END, F.PAPER_END}),
        (Query.PAPER, 0x72, {F.PAPER_END}),
        (Query.PAPER, 0x32, {F.PAPER_END}),  # one bit of the pair will do
    ],
)
def test_status_bytes(query, byte, flags):
    assert parse_status(query, byte) == flags


@given(query=st.sampled_from(Query), byte=st.integers(0, 255))
def test_the_fixed_bits_are_checked(query, byte):
    if byte & 0b10010011 == 0b00010010:
        parse_status(query, byte)
    else:
        with pytest.raises(EscposError):
            parse_status(query, byte)


def test_the_error_is_a_protocol_error():
    assert issubclass(EscposError, ProtocolError)


@pytest.mark.parametrize("byte", [-1, 256, 0x112])
def test_only_bytes_are_status_bytes(byte):
    with pytest.raises(EscposError):
        parse_status(Query.PAPER, byte)


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (set(), None),
        ({F.NEAR_END, F.DRAWER_PIN}, None),
        ({F.OFFLINE, F.COVER_OPEN, F.PAPER_END, F.PAPER_STOP}, Code.COVER_OPEN),
        ({F.OFFLINE, F.PAPER_STOP}, Code.NO_PAPER),
        ({F.PAPER_END}, Code.NO_PAPER),
        ({F.OFFLINE, F.ERROR, F.CUTTER}, Code.PRINTER_FAULT),
        ({F.OFFLINE, F.ERROR, F.UNRECOVERABLE}, Code.PRINTER_FAULT),
        ({F.OFFLINE, F.ERROR, F.OVERHEATED}, Code.PRINTER_FAULT),
        ({F.OFFLINE}, Code.PRINTER_FAULT),
    ],
)
def test_diagnosis(flags, code):
    found = diagnosis(frozenset(flags))
    assert (found and found[0]) == code


def test_the_named_cause_is_told_rather_than_the_general_one():
    assert diagnosis(frozenset({F.OFFLINE, F.ERROR, F.CUTTER})) == (
        Code.PRINTER_FAULT,
        "cutter error",
    )


def test_requests():
    assert [request(query) for query in Query] == [
        b"\x10\x04\x01",
        b"\x10\x04\x02",
        b"\x10\x04\x03",
        b"\x10\x04\x04",
    ]
    assert process_id_request(b"00AF") == bytes.fromhex("1d 28 48 06 00 30 30") + b"00AF"


@pytest.mark.parametrize("identity", [b"", b"123", b"12345", b"12\x1f4", b"123\x7f"])
def test_process_ids_are_four_printable_characters(identity):
    with pytest.raises(ValueError, match="four"):
        process_id_request(identity)


def fed(data: bytes) -> list[object]:
    """Responses, and EscposError where one was raised."""
    responses = Responses()
    found: list[object] = []
    for byte in data:
        try:
            found.append(responses.feed(byte))
        except EscposError:
            found.append(EscposError)
    return [response for response in found if response is not None]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x12", [StatusByte(0x12)]),
        (b"\x11\x13\x16", [StatusByte(0x16)]),  # XON and XOFF are no answers
        (b"\x37\x22ABCD\x00\x12", [ProcessDone(b"ABCD"), StatusByte(0x12)]),
        (b"\x37\x22\x12\x12\x12\x12\x00", [ProcessDone(b"\x12" * 4)]),
        (b"\x37\x25\x00", [Cleared()]),
        (b"\x14\x00\x00\x0f\x12", [StatusByte(0x12)]),  # automatic status, switched off or not
        (b"\x14\x00\x90\x12", [EscposError, StatusByte(0x12)]),
        (b"\x37\x22ABCD\x01\x12", [EscposError, StatusByte(0x12)]),
        (b"\x37\x25\x01\x12", [EscposError, StatusByte(0x12)]),
        (b"\x37\x70\x12", [EscposError, StatusByte(0x12)]),
        (b"\xff\x12", [EscposError, StatusByte(0x12)]),
        (b"A", [EscposError]),
    ],
)
def test_responses(data, expected):
    assert fed(data) == expected


@given(data=st.binary(max_size=200))
def test_any_bytes_are_answers_or_escpos_errors_and_the_next_answer_is_heard(data):
    responses = Responses()
    for byte in data:
        with suppress(EscposError):  # and nothing else, whatever the bytes
            responses.feed(byte)
    # The longest block is seven bytes: after so many good ones the reader is in step again.
    heard = []
    for byte in b"\x12" * 8:
        try:
            heard.append(responses.feed(byte))
        except EscposError:
            heard.append(None)
    assert heard[-1] == StatusByte(0x12)
