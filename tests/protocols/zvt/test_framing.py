"""The transport layer: vectors, chunking, noise, repeats, and both ends joined in memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.errors import Bug
from appliance.protocols.zvt.errors import NotTakenError, ZvtError
from appliance.protocols.zvt.framing import LARGEST_QUEUE, SerialLink, TcpLink, crc16, frame
from tests.protocols.zvt.strategies import MESSAGES, chunks

ACK, NAK = b"\x06", b"\x15"
OK = bytes.fromhex("800000")
APDUS = MESSAGES.map(lambda message: message.encode())


@pytest.mark.parametrize(
    ("apdu", "wire"),
    [
        ("80 00 00", "10 02 80 00 00 10 03 F5 1F"),
        ("06 00 04 12 34 56 8E", "10 02 06 00 04 12 34 56 8E 10 03 B6 E0"),
        ("06 00 06 12 34 56 BA 09 78", "10 02 06 00 06 12 34 56 BA 09 78 10 03 24 C3"),
        (
            "06 01 0A 04 00 00 00 01 10 00 49 09 78",
            "10 02 06 01 0A 04 00 00 00 01 10 10 00 49 09 78 10 03 F2 FF",
        ),
        ("05 01 03 12 34 56", "10 02 05 01 03 12 34 56 10 03 E0 43"),
        ("84 9C 00", "10 02 84 9C 00 10 03 C3 41"),
    ],
)
def test_frames_are_those_of_real_terminals(apdu, wire):
    assert frame(bytes.fromhex(apdu)) == bytes.fromhex(wire)
    link = SerialLink()
    assert link.receive(bytes.fromhex(wire), 0.0) == [bytes.fromhex(apdu)]
    assert link.take_output() == ACK


def test_crc_is_kermit():
    assert crc16(b"123456789") == 0x2189


@given(st.lists(APDUS, min_size=1, max_size=4), st.data())
def test_any_chunking_gives_the_same_apdus(apdus, data):
    for link, wire in (
        (SerialLink(), b"".join(frame(apdu) for apdu in apdus)),
        (TcpLink(), b"".join(apdus)),
    ):
        found = []
        for piece in data.draw(chunks(wire)):
            found += link.receive(piece, 0.0)
        link.tick(0.0)
        assert found == apdus
        assert link.is_clear


@given(st.binary(max_size=400), st.data())
def test_noise_raises_nothing_but_zvt_errors_and_is_chunked_alike(noise, data):
    for kind in (SerialLink, TcpLink):
        results = []
        for pieces in ([noise], data.draw(chunks(noise))):
            link = kind()
            found = [apdu for piece in pieces for apdu in link.receive(piece, 0.0)]
            try:
                link.tick(99.0)
                error = ""
            except ZvtError as caught:
                error = str(caught)
            results.append((found, error))
        assert results[0] == results[1]


@given(st.binary(max_size=60).filter(lambda noise: b"\x10" not in noise), APDUS)
def test_a_frame_behind_noise_is_found(noise, apdu):
    assert SerialLink().receive(noise + frame(apdu), 0.0) == [apdu]


def test_a_lone_dle_is_noise():
    link = SerialLink()
    link.receive(b"\x10", 0.0)
    link.tick(0.2)
    assert link.is_clear
    assert link.take_output() == b""
    link.send(OK, 1.0)
    link.receive(b"\x10\x06", 1.0)  # an ACK behind a stray DLE
    assert link.is_clear
    assert link.receive(b"\x10" + frame(OK), 1.0) == [OK]


@given(APDUS, st.data())
def test_a_flipped_bit_gets_one_nak_and_the_repeat_is_taken(apdu, data):
    wire = bytearray(frame(apdu))
    at = data.draw(st.integers(len(wire) - 2, len(wire) - 1))
    wire[at] ^= data.draw(st.sampled_from((1, 2, 64, 128)))
    link = SerialLink()
    assert link.receive(bytes(wire), 0.0) == []
    assert link.take_output() == NAK
    assert link.receive(frame(apdu), 0.1) == [apdu]
    assert link.take_output() == ACK


@given(APDUS, st.data())
def test_half_a_frame_gets_a_nak_after_t1_and_not_before(apdu, data):
    wire = frame(apdu)
    half = wire[: data.draw(st.integers(2, len(wire) - 1))]
    link = SerialLink()
    assert link.receive(half, 10.0) == []
    assert link.deadline() == pytest.approx(10.2)
    link.tick(10.1)
    assert (link.take_output(), link.is_clear) == (b"", False)
    link.tick(10.2)
    assert (link.take_output(), link.is_clear) == (NAK, True)
    assert link.receive(wire, 10.3) == [apdu]


def test_a_broken_frame_gets_its_nak_when_it_ends():
    link = SerialLink()
    assert link.receive(b"\x10\x02\x04\x0f\x10\x07 rest", 0.0) == []  # DLE and neither DLE nor ETX
    assert link.take_output() == b""
    assert link.receive(b"\x10\x10 \x10\x03\xaa", 0.0) == []
    assert link.take_output() == b""
    assert link.receive(b"\xbb" + frame(OK), 0.0) == [OK]
    assert link.take_output() == NAK + ACK


@pytest.mark.parametrize("start", [b"\x10\x02\x04", b"\x10\x02\x04\x10\x07"])
def test_a_sender_that_begins_anew_is_followed(start):
    link = SerialLink()
    assert link.receive(start + frame(OK), 0.0) == [OK]


def test_a_frame_without_end_is_cut_off_in_bounded_memory():
    link = SerialLink(largest_apdu=1000)
    for _ in range(100):
        assert (
            link.receive(b"A" * 1000 if not link.is_clear else b"\x10\x02" + b"A" * 998, 0.0) == []
        )
        assert len(link._body) <= 1000
    link.tick(0.2)
    assert link.take_output() == NAK
    assert link.receive(frame(OK), 1.0) == [OK]


def test_a_tcp_stream_without_end_is_cut_off_in_bounded_memory():
    link = TcpLink()
    assert link.receive(b"\x04\x0f\xff\xff\xff", 0.0) == []
    assert not link.is_clear
    found = [apdu for _ in range(1000) for apdu in link.receive(b"A" * 1000, 0.0)]
    assert [len(apdu) for apdu in found] == [5 + 0xFFFF]
    assert link.has_failed
    assert link.deadline() == 0.0
    assert len(link._reader._buffer) == 0
    with pytest.raises(ZvtError, match="no APDU starts with 41"):
        link.tick(0.0)


# --- sending


def test_a_nak_repeats_twice_and_then_fails():
    link = SerialLink()
    link.send(OK, 0.0)
    for copies in (1, 2, 3):
        assert link.take_output() == frame(OK)
        assert link.copies == copies
        link.tick(1.0)
        link.receive(NAK, 1.0)
    assert link.take_output() == b""
    assert link.deadline() == 0.0
    with pytest.raises(NotTakenError):
        link.tick(1.0)


def test_silence_repeats_twice_and_then_fails():
    link = SerialLink()
    link.send(OK, 0.0)
    for now in (5.0, 10.0):
        assert link.take_output() == frame(OK)
        assert link.deadline() == now
        link.tick(now - 0.1)
        assert link.take_output() == b""
        link.tick(now)
    assert link.take_output() == frame(OK)
    with pytest.raises(NotTakenError):
        link.tick(15.0)


def test_silence_never_repeats_what_must_not_run_twice():
    link = SerialLink()
    link.send(OK, 0.0, after_silence=False)
    link.take_output()
    with pytest.raises(NotTakenError):
        link.tick(5.0)
    assert link.take_output() == b""


def test_a_nak_repeats_even_what_must_not_run_twice():
    link = SerialLink()
    link.send(OK, 0.0, after_silence=False)
    link.take_output()
    link.receive(NAK, 0.0)
    assert link.take_output() == frame(OK)


def test_an_empty_read_is_no_ack():
    link = SerialLink()
    link.send(OK, 0.0)
    assert link.receive(b"", 0.0) == []
    assert not link.is_taken


def test_ack_and_nak_without_a_frame_are_noise():
    link = SerialLink()
    assert link.receive(ACK + NAK, 0.0) == []
    assert link.is_clear
    assert link.take_output() == b""


def test_a_whole_frame_counts_as_ack():
    link = SerialLink()
    link.send(OK, 0.0)
    link.take_output()
    assert link.receive(frame(OK), 1.0) == [OK]
    assert link.is_taken
    link.tick(60.0)
    assert link.take_output() == ACK


def test_messages_go_one_at_a_time():
    link = SerialLink()
    second = bytes.fromhex("060200")
    link.send(OK, 0.0)
    link.send(second, 0.0)
    assert link.take_output() == frame(OK)
    link.receive(ACK, 0.0)
    assert link.take_output() == frame(second)


def test_what_nobody_takes_is_bounded():
    serial, tcp = SerialLink(), TcpLink()
    for _ in range(LARGEST_QUEUE + 1):
        serial.send(OK, 0.0)
        tcp.send(b"\x04\x0f\xff\xff\xff" + bytes(0xFFFF), 0.0)
    for link in (serial, tcp):
        with pytest.raises(Bug):
            link.send(OK, 0.0)


def test_tcp_sends_bare_apdus():
    link = TcpLink()
    link.send(OK, 0.0)
    assert (link.is_taken, link.take_output()) == (False, OK)
    assert (link.is_taken, link.take_output()) == (True, b"")
    assert link.deadline() is None
    assert link.copies == 1


# --- both ends


@given(st.data(), st.lists(st.tuples(st.booleans(), APDUS), max_size=6))
def test_two_ends_agree_over_a_line_that_breaks_frames(data, transfers):
    """Each frame may be broken, twice in a row: all arrives, in order, and once."""
    ends = (SerialLink(), SerialLink())
    got: tuple[list[bytes], list[bytes]] = ([], [])
    for to_right, apdu in transfers:
        sender, receiver = ends if to_right else ends[::-1]
        breaks = data.draw(st.integers(0, 2))
        sender.send(apdu, 0.0)
        while wire := sender.take_output():
            if breaks:
                breaks -= 1
                wire = wire[:-1] + bytes((wire[-1] ^ 1,))
            for piece in data.draw(chunks(wire)):
                got[to_right].extend(receiver.receive(piece, 0.0))
            sender.receive(receiver.take_output(), 0.0)
        assert sender.is_clear
    assert got[1] == [apdu for to_right, apdu in transfers if to_right]
    assert got[0] == [apdu for to_right, apdu in transfers if not to_right]
