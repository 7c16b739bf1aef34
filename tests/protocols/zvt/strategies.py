"""Random messages, for the properties of the protocol."""

import itertools

from hypothesis import strategies as st

from appliance.protocols.zvt import answers, commands, tlv
from appliance.protocols.zvt.pan import mask_text

TEXTS = (
    st.text(st.sampled_from("AbcZß äÜé.:-*# 0123456789"), max_size=40)
    .map(str.strip)
    .filter(lambda text: mask_text(text) == text)
)
PASSWORDS = st.from_regex(r"[0-9]{6}", fullmatch=True)
AMOUNTS = st.integers(0, 999_999_999_999)
CURRENCIES = st.integers(0, 9999)
BYTES = st.integers(0, 255)
LEAVES = st.builds(
    tlv.Tlv,
    st.sampled_from((0x07, 0x41, 0x1F10, 0x1F07, 0x1F1F, 0x1F73, 0x5F8101)),
    st.binary(max_size=6),
)
CONTAINERS = st.lists(
    LEAVES
    | st.builds(tlv.constructed, st.sampled_from((0x24, 0x2F, 0x60)), st.lists(LEAVES, max_size=3)),
    max_size=4,
).map(tuple)


def maybe(strategy):
    return st.none() | strategy


STATUS = st.builds(
    answers.StatusInformation,
    result=maybe(BYTES),
    amount=maybe(AMOUNTS),
    currency=maybe(CURRENCIES),
    receipt_no=maybe(st.integers(1, 9999)),
    trace_no=maybe(st.integers(1, 999_999)),
    original_trace_no=maybe(st.integers(1, 999_999)),
    turnover_no=maybe(st.integers(0, 999_999)),
    terminal_id=st.just("") | st.from_regex(r"[0-9]{8}", fullmatch=True),
    vu_number=st.just("") | st.from_regex(r"[0-9A-Z]{1,10}", fullmatch=True),
    pan=st.just("") | st.from_regex(r"[0-9]{6}\*{3,9}[0-9]{4}", fullmatch=True),
    card_name=TEXTS,
    card_type=maybe(BYTES),
    authorisation=st.just("") | st.from_regex(r"[0-9A-Z]{1,8}", fullmatch=True),
    text=TEXTS,
    time=st.just("") | st.from_regex(r"[0-9]{6}", fullmatch=True),
    date=st.just("") | st.from_regex(r"[0-9]{4}", fullmatch=True),
    payment_type=maybe(BYTES),
    totals=st.binary(max_size=60),
    tlv=CONTAINERS,
)
SERVICES = st.builds(commands.RepeatService, st.integers(0, 3))
LINES = st.lists(TEXTS, max_size=6).map(tuple)
COMMANDS = st.one_of(
    st.builds(
        commands.Registration,
        PASSWORDS,
        st.builds(commands.Config, BYTES),
        CURRENCIES,
        maybe(BYTES),
        st.just(()) | st.just(commands.TEXT_BLOCKS),
    ),
    st.builds(commands.Registration, PASSWORDS, st.builds(commands.Config, BYTES)),
    st.builds(commands.Authorization, AMOUNTS, CURRENCIES, maybe(BYTES), CONTAINERS),
    st.builds(
        commands.Reversal, PASSWORDS, st.integers(0, 9999), maybe(AMOUNTS), maybe(CURRENCIES)
    ),
    st.builds(commands.Refund, PASSWORDS, AMOUNTS, CURRENCIES),
    st.builds(commands.EndOfDay, PASSWORDS),
    st.builds(
        commands.RepeatReceipt,
        PASSWORDS,
        maybe(st.builds(commands.RepeatService, st.integers(0, 3))),
    ),
    st.builds(commands.StatusEnquiry, maybe(PASSWORDS)),
    st.just(commands.LogOff()),
    st.just(commands.AbortCommand()),
    st.builds(
        commands.DisplayText,
        st.lists(TEXTS.filter(bool), max_size=8).map(tuple),
        maybe(BYTES),
        maybe(BYTES),
    ),
)
PRINTS = st.one_of(
    st.builds(answers.PrintLine, st.sampled_from((0x00, 0x40, 0x80, 0x81, 0xC1)), TEXTS),
    st.builds(answers.PrintLine, st.just(0xFF), st.sampled_from(("", "\x01", "\x05"))),
    st.builds(
        answers.PrintTextBlock, LINES, maybe(st.sampled_from(answers.Receipt)), st.booleans()
    ),
)
ANSWERS = st.one_of(
    st.just(answers.Accepted()),
    st.builds(answers.Refusal, st.integers(1, 255)),
    STATUS,
    st.builds(answers.IntermediateStatus, BYTES, st.integers(0, 99), LINES),
    st.builds(answers.IntermediateStatus, BYTES),
    PRINTS,
    st.builds(answers.Completion),
    st.builds(
        answers.Completion.of_registration,
        BYTES,
        st.from_regex(r"[0-9]{8}", fullmatch=True),
        CURRENCIES,
    ),
    st.builds(answers.Completion.of_status, BYTES, TEXTS),
    st.builds(answers.Failure, BYTES),
)
MESSAGES = COMMANDS | ANSWERS


@st.composite
def chunks(draw, data: bytes):
    """The same bytes in arbitrary pieces."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    edges = [0, *cuts, len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def _with_check_digit(body: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 - place % 2)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


PANS = st.builds(
    lambda size, digits: _with_check_digit(str(digits)[:size]),
    st.integers(12, 18),
    st.integers(3 * 10**17, 7 * 10**17 - 1),
)
"""Card numbers: 13 to 19 digits that pass the Luhn check."""
