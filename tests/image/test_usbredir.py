"""Packets and bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.image.usbredir import (
    MOST_DATA_BYTES,
    Bulk,
    Control,
    Endpoint,
    Interface,
    Kind,
    Packet,
    RedirError,
    Status,
    Stream,
    announcement,
)

BYTE, SHORT = st.integers(0, 0xFF), st.integers(0, 0xFFFF)
NUMBERS = st.integers(0, 2**64 - 1)
DATA = st.binary(max_size=200)
MESSAGES = st.one_of(
    st.builds(Packet, st.integers(1, 99), NUMBERS, DATA),
    st.builds(Control, NUMBERS, BYTE, BYTE, BYTE, BYTE, SHORT, SHORT, SHORT, DATA),
    st.builds(Bulk, NUMBERS, BYTE, BYTE, st.integers(0, 2**32 - 1), SHORT, DATA),
)


def two():
    one, other = Stream(), Stream()
    one.receive(other.hello())
    other.receive(one.hello())
    return one, other


@given(st.lists(MESSAGES, max_size=5), st.integers(1, 40))
def test_what_one_end_says_the_other_understands_in_any_pieces(messages, size):
    one, other = Stream(), Stream()
    one.receive(other.hello())
    data = one.hello() + b"".join(one.encode(message) for message in messages)
    heard = []
    for at in range(0, len(data), size):
        heard += other.receive(data[at : at + size])
    assert heard == messages


def test_by_hand():
    one, other = two()
    assert one.encode(Bulk(7, 0x82, 1, 0x12345, 0, b"abc")) == bytes.fromhex(
        "65000000 0d000000 0700000000000000 82 01 4523 00000000 0100 616263"
    )
    data = bytes.fromhex("64000000 0a000000 0200000000000000 80 06 80 a5 0001 0000 1200")
    assert other.receive(data) == [Control(2, 0x80, 6, 0x80, 0xA5, 0x100, 0, 0x12)]


def test_a_control_transfer_that_reads_is_cut_to_what_was_asked():
    asked = Control(1, 0x80, 6, 0x80, 0xA5, 0, 0, 4)
    assert asked.answered(Status.SUCCESS, b"abcdef").data == b"abcd"
    assert asked.answered(Status.STALL).length == 0
    told = Control(1, 0, 9, 0x21, 0xA5, 0, 0, 4, b"abcd")
    assert (told.answered(Status.SUCCESS).length, told.answered(Status.SUCCESS).data) == (4, b"")


def test_the_tables_of_a_device():
    interface, endpoints, device = announcement(
        Interface(7, 1, 2, (Endpoint(0x01, 2, 512), Endpoint(0x82, 2, 512))), 0x04B8, 0x0E28, 0x100
    )
    assert (len(interface.body), len(endpoints.body), len(device.body)) == (132, 160, 10)
    used = {slot: kind for slot, kind in enumerate(endpoints.body[:32]) if kind != 255}
    assert used == {0: 0, 16: 0, 1: 2, 18: 2}
    sizes = struct.unpack("<32H", endpoints.body[96:])
    assert (sizes[0], sizes[1], sizes[16], sizes[18], sum(sizes)) == (64, 512, 64, 512, 1152)


@pytest.mark.parametrize(
    "data",
    [
        b"\1\0\0\0" + bytes(8),  # something before the hello
        b"\0\0\0\0\4\0\0\0" + bytes(8),  # a hello that is too short
        Stream().hello()[:-4] + b"\x12\0\0\0",  # without 64-bit numbers
        Stream().hello() + struct.pack("<IIQ", 0, 68, 0) + bytes(68),  # a second one
        Stream().hello() + struct.pack("<IIQ", Kind.BULK, 4, 0) + bytes(4),
        Stream().hello() + struct.pack("<IIQ", 1, MOST_DATA_BYTES * 2, 0),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_nonsense_is_refused(data):
    with pytest.raises(RedirError):
        Stream().receive(data)
