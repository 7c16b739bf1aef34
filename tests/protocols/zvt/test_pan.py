"""No card number passes the decoder: not in objects, not in repr, not in traces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols.zvt import answers, bmp, messages, tlv
from appliance.protocols.zvt.apdu import Apdu
from appliance.protocols.zvt.pan import (
    mask_packed,
    mask_pan,
    mask_pan_field,
    mask_text,
    pan_text,
    passes_luhn,
)
from tests.protocols.zvt.strategies import MESSAGES, PANS

CARRIERS = 22
WORDS = st.text(st.sampled_from("AbcX :.#\n"), max_size=12)


def packed(pan: str) -> bytes:
    return bytes.fromhex(pan + "f" * (len(pan) % 2))


def all_texts(value) -> str:
    """Everything that an object holds, repr or not."""
    if hasattr(value, "__slots__"):
        return " ".join(all_texts(getattr(value, name)) for name in value.__slots__)
    if isinstance(value, bytes):
        return value.hex() + " " + value.decode("latin-1")
    if isinstance(value, tuple):
        return " ".join(map(all_texts, value))
    return str(value)


@given(PANS, WORDS, WORDS)
def test_texts_are_masked(pan, before, after):
    assert pan not in mask_text(before + pan + after)
    masked = mask_text(before + pan + after)
    assert masked == before + pan[:6] + "*" * (len(pan) - 10) + pan[-4:] + after


@given(PANS, st.sampled_from((" ", "-", "  ", "- ")), st.integers(1, 5))
def test_groups_are_masked(pan, separator, size):
    grouped = separator.join(pan[at : at + size] for at in range(0, len(pan), size))
    masked = mask_text(f"Card {grouped}  082")
    assert sum(sign.isdigit() for sign in masked) <= 10 + 3
    assert len(masked) == len(grouped) + 10


@given(PANS)
def test_a_number_beside_it_does_not_hide_it(pan):
    assert pan not in mask_text(f"{pan} 082")
    assert pan not in mask_text(f"12 {pan}")


@pytest.mark.parametrize("zeros", ["0", "000", "0000", "00 00 "])
def test_zeros_before_it_do_not_hide_it(zeros):
    assert mask_text(f"Card {zeros}4111111111111111") == f"Card {zeros}411111******1111"


@pytest.mark.parametrize(
    "text",
    [
        "Terminal-ID 28004869",
        "TA-Nr 000470  Beleg 0470",
        "4111111111111112",  # the check digit is wrong
        "000000000000000000",
        "12345678901234567890123456789",  # too long for a card
        "541333******4771",
        "06.10.2026 22:39:53",
    ],
)
def test_other_numbers_stay(text):
    assert mask_text(text) == text


def test_luhn():
    assert passes_luhn("4111111111111111")
    assert not passes_luhn("4111111111111112")
    assert not passes_luhn("0" * 16)


@given(st.from_regex(r"[0-9]{11,19}", fullmatch=True))
def test_the_pan_field_is_masked_whatever_its_check_digit(pan):
    masked = pan_text(packed(pan))
    assert masked == mask_pan(pan) == pan[:6] + "*" * (len(pan) - 10) + pan[-4:]
    field = mask_pan_field(packed(pan))
    assert pan_text(field) == masked
    assert len(field) == len(packed(pan))


@pytest.mark.parametrize("pan", ["", "4771", "1234567890", "************4771", "541333******4771"])
def test_a_masked_pan_stays(pan):
    assert mask_pan(pan) == pan


@given(PANS, st.binary(max_size=4), st.binary(max_size=4))
def test_packed_numbers_are_masked(pan, before, after):
    value = before + packed(pan) + after
    assert len(mask_packed(value)) == len(value)
    assert pan not in mask_packed(value).hex()


def carriers(pan: str) -> list[bytes]:
    """The same card number wherever a terminal could put it."""
    text = pan.encode()
    inner = tlv.constructed(0x60, (tlv.Tlv(0x43, packed(pan)), tlv.Tlv(0x44, b"L " + text)))
    fields = [
        (bmp.PAN, packed(pan)),
        (0x23, packed(pan) + b"\xd2\x51\x22"),
        (0x24, packed(pan)),
        (0x2D, text),
        (bmp.TEXT, b"PAN " + text),
        (bmp.CARD_NAME, text),
        (bmp.CONTAINER, tlv.encode((inner, tlv.Tlv(0x1F22, packed(pan)), tlv.Tlv(0x07, text)))),
    ]
    container = bmp.encode(
        ((bmp.CONTAINER, tlv.encode((tlv.constructed(0x25, (tlv.Tlv(0x07, text),)),))),)
    )
    texts = tlv.encode((tlv.constructed(0x24, (tlv.Tlv(0x07, text),)),))
    return [
        *(Apdu(0x04, 0x0F, b"\x27\x00" + bmp.encode((field,))).encode() for field in fields),
        Apdu(
            0x04, 0x0F, b"\x27\x00\x77" + text + b"\xff" + packed(pan)
        ).encode(),  # an unknown field
        Apdu(0x04, 0x0F, b"\x77" + text + b"\xff" + packed(pan)).encode(),
        Apdu(0x04, 0xFF, b"\x0a\x00" + bmp.encode(((bmp.CONTAINER, texts),))).encode(),
        Apdu(0x06, 0xD1, b"\x00" + text).encode(),
        Apdu(0x06, 0xD1, b"\x31" + text).encode(),  # an attribute that looks like a digit
        Apdu(0x06, 0xD1, b"\xff" + text).encode(),
        Apdu(0x06, 0xD3, container).encode(),
        Apdu(0x06, 0x0F, bmp.encode(((bmp.PAN, packed(pan)),))).encode(),
        Apdu(0x06, 0x0F, b"\x04" + text + b"\xff" + packed(pan)).encode(),
        Apdu(0x06, 0x0F, b"\xf0\xf2\xf0" + text.ljust(20) + b"\x00").encode(),
        Apdu(0x06, 0x1E, b"\x6c" + text).encode(),
        Apdu(0x80, 0x00, packed(pan)).encode(),
        Apdu(0x84, 0x1E, packed(pan) + b"\x6f").encode(),
        Apdu(0x06, 0xE4, text + b"\xff" + packed(pan)).encode(),
        Apdu(0x06, 0xC0, text + b"\xff" + packed(pan)).encode(),
    ]


@given(PANS, st.integers(0, CARRIERS - 1))
def test_no_message_holds_a_card_number(pan, which):
    raw = carriers(pan)[which]
    message = messages.decode(raw)
    held = all_texts(message) + repr(message)
    assert pan not in held
    assert packed(pan).hex()[: len(pan)] not in held.replace(" ", "")


@given(PANS, st.integers(0, CARRIERS - 1))
def test_no_trace_holds_a_card_number(pan, which):
    raw = carriers(pan)[which]
    redacted = messages.redact(raw)
    assert len(redacted) == len(raw)
    assert pan not in redacted.hex()
    assert pan.encode() not in redacted


def test_there_are_as_many_carriers_as_are_tested():
    assert len(carriers("4111111111111111")) == CARRIERS


@given(MESSAGES)
def test_a_redacted_answer_reads_the_same(message):
    """A trace can be replayed: only passwords and card numbers differ."""
    raw = message.encode()
    redacted = messages.redact(raw)
    assert len(redacted) == len(raw)
    if isinstance(message, answers.Answer) and not isinstance(
        message, answers.StatusInformation | answers.Completion
    ):
        assert messages.decode(redacted) == message


@given(st.binary(max_size=80))
def test_redacting_never_fails(raw):
    assert len(messages.redact(raw)) in (0, len(raw))
