"""APDUs, BMPs and TLV: round trips, nonsense, bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.errors import Bug
from appliance.protocols.zvt import bmp, tlv
from appliance.protocols.zvt.apdu import LARGEST_DATA, Apdu, ApduReader, apdu_size
from appliance.protocols.zvt.errors import ZvtError
from tests.protocols.zvt.strategies import CONTAINERS


@pytest.mark.parametrize("size", [0, 1, 253, 254, 255, 256, 1000, LARGEST_DATA])
def test_lengths(size):
    apdu = Apdu(0x04, 0x0F, bytes(size))
    raw = apdu.encode()
    assert len(raw) == size + (3 if size <= 254 else 5)
    assert Apdu.decode(raw) == apdu
    assert ApduReader().feed(raw) == [raw]


def test_an_extended_length_may_be_short():
    assert Apdu.decode(b"\x04\x0f\xff\x01\x00\x27") == Apdu(0x04, 0x0F, b"\x27")


def test_an_apdu_too_long():
    with pytest.raises(Bug):
        Apdu(0x04, 0x0F, bytes(LARGEST_DATA + 1)).encode()


@pytest.mark.parametrize("raw", ["", "04", "040F", "040F01", "040F0000", "040FFF", "040FFF0100"])
def test_what_is_not_one_apdu(raw):
    with pytest.raises(ZvtError):
        Apdu.decode(bytes.fromhex(raw))


def test_size_needs_its_header():
    headers = ("0601", "060101", "0601FF01", "0601FF0102")
    sizes = [None, 4, None, 5 + 0x201]
    assert [apdu_size(bytes.fromhex(raw)) for raw in headers] == sizes


def test_a_reader_stays_in_error():
    reader = ApduReader()
    assert reader.feed(b"\x80\x00\x00GET / HTTP/1.0") == [b"\x80\x00\x00"]
    assert str(reader.error) == "no APDU starts with 47"
    assert reader.feed(b"\x80\x00\x00") == []


# --- TLV


@given(CONTAINERS)
def test_tlv_round_trip(objects):
    assert tlv.decode(tlv.encode(objects)) == objects


@pytest.mark.parametrize("size", [0, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF])
def test_tlv_lengths(size):
    item = tlv.Tlv(0x41, bytes(size))
    assert tlv.decode(tlv.encode((item,))) == (item,)


def test_tlv_too_long():
    with pytest.raises(Bug):
        tlv.encode((tlv.Tlv(0x41, bytes(0x10000)),))


@pytest.mark.parametrize(
    "data",
    ["41", "4101", "4180", "4183000001", "418201", "1F", "1F81", "1F8181", "1F818181", "410200"],
)
def test_tlv_nonsense(data):
    with pytest.raises(ZvtError):
        tlv.decode(bytes.fromhex(data))


def test_unknown_tags_are_kept_and_unfold():
    objects = tlv.decode(bytes.fromhex("1F7303000001 6F04 5F810100 2F03 1F1000".replace(" ", "")))
    assert [item.tag for item in objects] == [0x1F73, 0x6F, 0x2F]
    assert objects[1].children() == (tlv.Tlv(0x5F8101, b""),)
    assert tlv.find(objects, 0x1F73) == tlv.Tlv(0x1F73, b"\0\0\1")
    assert tlv.find(objects, 0x01) is None


def test_padding_between_objects():
    assert tlv.decode(bytes.fromhex("0000 410107 00 420000")) == (
        tlv.Tlv(0x41, b"\x07"),
        tlv.Tlv(0x42, b""),
    )


def test_a_tag_that_only_looks_constructed_is_masked_as_a_value():
    data = tlv.encode((tlv.Tlv(0x2F, b"\xff4111111111111111"),))
    assert tlv.mask(data) == tlv.encode((tlv.Tlv(0x2F, b"\xff411111******1111"),))


def test_nesting_is_bounded():
    data = b""
    for _ in range(200):
        data = tlv.encode((tlv.Tlv(0x2F, data),))
    assert len(tlv.mask(data)) == len(data)


# --- BMP

LENGTHS = {number: size for number, size in bmp._TABLE.items() if isinstance(size, int)}
HARMLESS = sorted(set(LENGTHS) - bmp._SECRET)


@given(st.data())
def test_bmp_round_trip(data):
    numbers = data.draw(st.lists(st.sampled_from(HARMLESS), unique=True, max_size=10))
    fields = [(n, data.draw(st.binary(min_size=LENGTHS[n], max_size=LENGTHS[n]))) for n in numbers]
    decoded = bmp.decode(bmp.encode(fields))
    assert decoded.values == dict(fields)
    assert decoded.undecoded == 0


@given(st.text(st.characters(min_codepoint=65, max_codepoint=90), max_size=99))
def test_variable_lengths(text):
    raw = text.encode()
    decoded = bmp.decode(
        bmp.encode(((bmp.TEXT, raw), (bmp.CARD_NAME, raw), (bmp.AMOUNT, bytes(6))))
    )
    assert decoded.text(bmp.TEXT) == decoded.text(bmp.CARD_NAME) == text
    assert decoded.decimal(bmp.AMOUNT) == 0


@pytest.mark.parametrize(
    "data",
    [
        "04 00 00",  # cut short
        "8B F0",
        "8B F0 F5 41",
        "8B 10 F1 41",  # no decimal length
        "8B F0 FA 41",
        "3C F0 F0",
        "06 05 41",
        "27 00 27 6C",  # a contradiction
    ],
)
def test_bmp_nonsense(data):
    with pytest.raises(ZvtError):
        bmp.decode(bytes.fromhex(data))


def test_the_same_field_twice_is_harmless():
    assert bmp.decode(bytes.fromhex("27002700")).byte(bmp.RESULT) == 0


def test_what_stands_before_an_unknown_field_is_certain():
    fields = bmp.decode(bytes.fromhex("2700 0401020304050677 4711".replace(" ", "")))
    assert fields.byte(bmp.RESULT) == 0
    assert fields.decimal(bmp.AMOUNT) == 10203040506
    assert fields.undecoded == 3
    assert fields.byte(bmp.CARD_TYPE) is None


@pytest.mark.parametrize("field", ["92 F0 F0 F2 AA BB", "70 00000001", "75 03"])
def test_fields_that_a_till_has_no_use_for_hide_none_behind_them(field):
    fields = bmp.decode(bytes.fromhex(f"27 00 {field} 04 00 00 00 00 12 34"))
    assert fields.decimal(bmp.AMOUNT) == 1234
    assert b"\xaa\xbb" not in fields.values.values()


def test_numbers():
    fields = bmp.decode(bytes.fromhex("0B0000EE 29280048 69".replace(" ", "")))
    assert fields.digits(bmp.TERMINAL_ID) == "28004869"
    assert fields.digits(bmp.TIME) == ""
    assert fields.decimal(bmp.AMOUNT) is None
    with pytest.raises(ZvtError):
        fields.decimal(bmp.TRACE)
    with pytest.raises(ZvtError):
        bmp.from_bcd(b"")


@pytest.mark.parametrize(
    "fields", [[(bmp.AMOUNT, b"")], [(bmp.CARD_NAME, bytes(100))], [(bmp.TEXT, bytes(1000))]]
)
def test_fields_that_do_not_fit(fields):
    with pytest.raises(Bug):
        bmp.encode(fields)


@pytest.mark.parametrize(("value", "size"), [(100, 1), (-1, 2)])
def test_numbers_that_do_not_fit(value, size):
    with pytest.raises(Bug):
        bmp.bcd(value, size)


def test_characters_are_code_page_437_without_controls():
    assert bmp.characters(b"f\x81r \x8eB\x00\x1b\x7f") == "für ÄB"
    assert bmp.to_characters("Ä€") == b"\x8e?"
