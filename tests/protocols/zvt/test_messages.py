"""Messages: round trips, vectors from real terminals, and nothing but ZvtError for nonsense."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.errors import Bug, Code
from appliance.protocols.zvt import answers, commands, messages, results
from appliance.protocols.zvt.apdu import Apdu
from appliance.protocols.zvt.errors import ZvtError
from tests.protocols.zvt.strategies import ANSWERS, MESSAGES


def decode(text):
    return messages.decode(bytes.fromhex(text.replace("-", "").replace(" ", "")))


@given(MESSAGES)
def test_round_trip(message):
    assert messages.decode(message.encode()) == message


@given(st.binary(max_size=200))
def test_noise_raises_zvt_error_only(raw):
    with contextlib.suppress(ZvtError):
        messages.decode(raw)


@given(
    st.sampled_from(sorted(messages._DECODERS)),
    st.binary(max_size=120) | ANSWERS.map(lambda message: message.encode()[3:]),
)
def test_noise_behind_a_sound_header(head, data):
    raw = Apdu(head[0], head[1], data).encode()
    assert len(messages.redact(raw)) == len(raw)
    with contextlib.suppress(ZvtError):
        message = messages.decode(raw)
        if isinstance(message, answers.Completion):
            message.state()
            message.registered()


def test_registration_is_the_standards_example():
    command = commands.Registration(
        "123456", commands.Config(0x8E), 978, None, commands.TEXT_BLOCKS
    )
    assert command.encode() == bytes.fromhex("06000E1234568E0978060626040A0206D3")


def test_authorization_is_what_terminals_know():
    command = commands.Authorization(11000, 978)
    assert command.encode() == bytes.fromhex("06010A0400000001100049 0978".replace(" ", ""))


@pytest.mark.parametrize(
    "message",
    [
        commands.Authorization(1, 978, 0x40, commands.TEXT_BLOCKS),
        commands.Registration("123456", commands.Config(0x8E), 978, 3, commands.TEXT_BLOCKS),
        commands.Registration("123456", commands.Config(0x86)),
        commands.Reversal("123456", 7),
        commands.Reversal("123456", 7, 5, 978),
        commands.RepeatReceipt("123456", commands.RepeatService(3)),
        commands.RepeatReceipt("123456"),
        commands.DisplayText(("a", "b"), 5, 1),
        commands.DisplayText(()),
        answers.IntermediateStatus(0x0A, None, ()),
        answers.IntermediateStatus(0x0A, 5, ("a",)),
        answers.PrintTextBlock(("a",), None, ends=False),
        answers.PrintTextBlock(("a",), answers.Receipt.ADMIN),
        answers.Completion.of_status(0x00),
        answers.Completion.of_status(0x51, "1.2"),
    ],
)
def test_round_trip_of_each_option(message):
    assert messages.decode(message.encode()) == message


def test_a_customers_abort():
    status = decode(
        "04-0F-1E-27-6C-29-28-00-48-69-3C-F0-F1-F9-41-62-62-72-75-63-68-20-64-75-72-63-68-20-4B-75-6E"
        "-64-65"
    )
    assert status == answers.StatusInformation(
        result=0x6C, terminal_id="28004869", text="Abbruch durch Kunde"
    )


def test_an_approval():
    status = decode(
        "04-0F-77-27-00-04-00-00-00-00-20-40-0B-00-04-70-0C-22-39-53-0D-10-06-0E-25-12-17-00-01-19-70"
        "-22-F0-F8-EE-EE-EE-EE-EE-EE-47-71-29-28-00-48-69-2A-31-30-30-34-36-31-37-36-33-20-20-20-20-20"
        "-20-3B-36-31-31-38-30-34-00-00-3C-F0-F1-F4-47-45-4E-2E-4E-52-2E-3A-36-31-31-38-30-34-49-09-78"
        "-87-04-70-88-00-04-70-8A-2E-8B-F1-F7-44-65-62-69-74-20-4D-61-73-74-65-72-63-61-72-64-00"
    )
    assert status == answers.StatusInformation(
        result=0,
        amount=2040,
        currency=978,
        receipt_no=470,
        trace_no=470,
        turnover_no=470,
        terminal_id="28004869",
        vu_number="100461763",
        pan="************4771",
        card_name="Debit Mastercard",
        card_type=0x2E,
        authorisation="611804",
        text="GEN.NR.:611804",
        time="223953",
        date="1006",
        payment_type=0x70,
    )


def test_an_approval_without_amount_and_with_a_trace_number_of_zero():
    status = decode(
        "04-0F-65-27-00-0C-23-13-55-0D-10-29-0E-99-99-22-F0-F8-EE-EE-EE-EE-EE-EE-47-71-A0-01-29-00-00"
        "-00-06-87-00-08-0B-00-00-00-8A-06-8B-F1-F1-4D-41-53-54-45-52-43-41-52-44-00-06-2E-2F-08-1F-12"
        "-01-02-1F-10-01-00-60-1B-43-07-A0-00-00-00-04-10-10-44-10-44-65-62-69-74-20-4D-61-73-74-65-72"
        "-63-61-72-64-1F-2B-04-10-01-50-08"
    )
    assert (status.amount, status.receipt_no, status.trace_no) == (None, 8, None)
    assert [item.tag for item in status.tlv] == [0x2F, 0x60, 0x1F2B]
    assert status.tlv[1].children()[1].value == b"Debit Mastercard"


@pytest.mark.parametrize("container", ["1F", "41 05 31", "5F 81", "45 80", "41 01 00 DF"])
def test_a_result_with_a_container_that_cannot_be_read(container):
    """The result itself is sound; a card number in the rest is blanked with it."""
    data = bytes.fromhex(container) + b"4111111111111111"
    raw = Apdu(0x04, 0x0F, b"\x27\x00\x06" + bytes((len(data),)) + data + b"\x87\x00\x08").encode()
    status = decode(raw.hex())
    assert (status.result, status.receipt_no, status.tlv) == (0, 8, ())
    assert b"4111111111111111" not in messages.redact(raw)


def test_an_authorisation_attribute_that_is_binary():
    status = decode("04 0F 0B 27 00 3B 00 01 02 03 04 05 06 07")
    assert status.authorisation == "0001020304050607"


def test_a_text_block():
    block = decode(
        "06-D3-19-06-17-1F-07-01-02-25-11-07-07-66-81-72-20-6D-69-63-07-01-20-08-00-09-01-81"
    )
    assert block == answers.PrintTextBlock(("für mic", " "), answers.Receipt.CUSTOMER, True)


def test_a_text_block_of_an_unknown_kind():
    assert decode("06-D3-08-06-06-1F-07-01-07-25-00").receipt is None
    assert decode("06-D3-07-06-05-1F-07-00-25-00").receipt is None


@pytest.mark.parametrize(
    ("attribute", "text", "is_last", "blank_lines"),
    [
        (0x00, "a", False, 0),
        (0x40, "centred", False, 0),
        (0x80, "", False, 0),
        (0x81, "", True, 0),
        (0xC5, "end", True, 0),
        (0xFF, "\x03", False, 3),
        (0xFF, "", False, 0),
    ],
)
def test_lines_to_print(attribute, text, is_last, blank_lines):
    line = answers.PrintLine(attribute, text)
    assert (line.is_last, line.blank_lines) == (is_last, blank_lines)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("80 00 00", answers.Accepted()),
        ("84 00 00", answers.Accepted()),
        ("84 9C 00", answers.Refusal(0x9C)),
        ("84 1E 01 6F", answers.Refusal(0x6F)),
        ("84 1E 00", answers.Refusal(0x1E)),
        ("06 1E 01 6C", answers.Failure(0x6C)),
        ("06 0F 00", answers.Completion()),
        ("04 FF 01 0A", answers.IntermediateStatus(0x0A)),
        ("04 FF 02 0A 03", answers.IntermediateStatus(0x0A, 3)),
        ("04 FF 02 0A FF", answers.IntermediateStatus(0x0A)),
        ("04 FF 04 0A 05 06 01", answers.IntermediateStatus(0x0A, 5)),
        ("04 01 00", answers.Unhandled(0x04, 0x01)),
        ("06 E4 00", answers.Unhandled(0x06, 0xE4)),
        ("05 01 00", commands.StatusEnquiry()),
    ],
)
def test_short_messages(raw, message):
    assert decode(raw) == message


@pytest.mark.parametrize(
    "raw",
    [
        "80 01 00",
        "06 1E 00",
        "04 FF 00",
        "06 D1 00",
        "06 D3 00",
        "06 00 00",
        "06 00 03 123456",
        "06 00 03 12345E",
        "06 01 00",
        "06 01 07 04 000000000001",
        "06 30 03 123456",
        "06 31 03 123456",
        "06 20 02 1234",
        "06 50 00",
    ],
)
def test_messages_that_lack_something(raw):
    with pytest.raises(ZvtError):
        decode(raw)


# --- completions


@pytest.mark.parametrize(
    ("data", "state"),
    [
        ("00", (0, "")),
        ("9C", (0x9C, "")),
        ("F0 F0 F3 31 2E 32 51", (0x51, "1.2")),
        ("62 06 00", (0x62, "")),
        ("F0 F0 F1 31 DC 06 03 1F 10 00", (0xDC, "1")),
    ],
)
def test_the_terminals_state(data, state):
    raw = bytes.fromhex(data)
    assert decode(f"06 0F {len(raw):02X} {data}").state() == state


@pytest.mark.parametrize(
    "data", ["", "F0 F0 F3 31 2E 32", "19 00 29 28 00 48 69", "06 03 1F 10 00"]
)
def test_another_commands_completion_is_no_state(data):
    raw = bytes.fromhex(data)
    with pytest.raises(ZvtError):
        decode(f"06 0F {len(raw):02X} {data}").state()


def test_a_registrations_completion():
    done = decode("06 0F 0A 19 00 29 52 52 31 21 49 09 78")
    assert done.registered() == (0, "52523121", 978)
    assert decode("06 0F 00").registered() == (0, "", None)
    # Its status byte may look like a status enquiry's with a container behind it.
    assert decode("06 0F 07 19 06 29 52 52 31 21").registered() == (6, "52523121", None)


@pytest.mark.parametrize(
    ("data", "result"), [("", None), ("27 6C", 0x6C), ("06 03 41 01 00 27 00", 0), ("04 00", None)]
)
def test_the_result_that_a_completion_may_state(data, result):
    raw = bytes.fromhex(data)
    assert decode(f"06 0F {len(raw):02X} {data}").result() == result
    assert answers.Completion(raw).result() == result


def test_a_completion_that_cannot_be_read_is_still_one():
    assert decode("06 0F 02 04 00") == answers.Completion()


# --- what cannot be sent


@pytest.mark.parametrize(
    "command",
    [
        commands.EndOfDay("12345"),
        commands.EndOfDay("12345a"),
        commands.EndOfDay("1234567"),
        commands.Registration("123456", commands.Config(0), None, 3),
        commands.DisplayText(("x",) * 9),
        commands.Authorization(10**12, 978),
    ],
)
def test_what_cannot_be_sent_is_our_bug(command):
    with pytest.raises(Bug):
        command.encode()


def test_secrets_stay_out_of_repr_and_trace():
    for command in (
        commands.Registration("987654", commands.Config(0x8E), 978),
        commands.Reversal("987654", 1),
        commands.Refund("987654", 1, 978),
        commands.EndOfDay("987654"),
        commands.RepeatReceipt("987654"),
        commands.StatusEnquiry("987654"),
    ):
        assert "987654" not in repr(command)
        assert "987654" not in messages.redact(command.encode()).hex()
    for short in ("06 00 01 98", "06 20 01 98", "06 50 02 98 76"):
        assert "98" not in messages.redact(bytes.fromhex(short)).hex()


def test_a_progress_message_that_cannot_be_read_keeps_its_status_in_the_trace():
    raw = bytes.fromhex("04FF070A053CF0F53431")
    assert messages.redact(raw) == bytes.fromhex("04FF070A05EEEEEEEEEE")


def test_what_is_no_apdu_leaves_no_trace():
    assert messages.redact(b"") == b""
    assert messages.redact(b"GET /") == b""


# --- results


def test_every_result_has_words_and_a_code():
    for code in range(1, 256):
        assert results.result_text(code)
        assert results.result_code(code) in Code
    assert results.result_text(0x05) == "host: 05"
    assert results.result_text(0xAB) == "code AB"


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (0x05, Code.PAYMENT_DECLINED),
        (0x64, Code.PAYMENT_DECLINED),
        (0x6C, Code.PAYMENT_STOPPED),
        (0x6F, Code.TERMINAL_CURRENCY),
        (0x9C, Code.TERMINAL_BUSY),
        (0xB4, Code.PAYMENT_REVERSED),
        (0x6B, Code.TERMINAL_SETUP),
        (0xFF, Code.PAYMENT_DECLINED),
    ],
)
def test_codes(result, code):
    assert results.result_code(result) is code


def test_states_and_progress_have_words():
    assert results.state_text(0x51) == "initialisation needed"
    assert results.state_text(0x77) == "state 77"
    assert results.intermediate_text(0x0A) == "insert card"
    assert results.intermediate_text(0x44) == "waiting for the host"
    assert results.intermediate_text(0xEE) == ""
