"""kassa.toml: what is read, and that every mistake is named with its line and its cure."""

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.counter import config_schema as schema
from appliance.counter.config_rules import NOWHERE, Address, Secret
from appliance.domain.errors import ConfigTrouble
from appliance.domain.money import Money
from tests.counter.config_texts import SMALLEST, TOKEN, mistakes, read, with_line


def test_the_smallest_configuration_has_defaults_for_the_rest():
    config = read()
    assert config.shop.url == "https://shop.example"
    assert config.shop.token.reveal() == TOKEN
    assert config.counter.offline is None
    assert config.counter.currency.code == "EUR"
    assert config.counter.journal == Path("/var/lib/kassa/journal.sqlite3")
    assert config.terminal.address == Address("serial", path="/dev/kassa/terminal")
    assert config.terminal.completion_timeout_s == 180.0
    assert config.scanner.address == Address("evdev", path="/dev/kassa/scanner")
    assert config.printer.code_page == ""


@pytest.mark.parametrize(
    ("section", "line", "expected"),
    [
        ("counter", 'currency = "JPY"', lambda c: c.counter.currency.exponent == 0),
        ("counter", 'language = "ru"', lambda c: c.counter.language == "ru"),
        (
            "counter",
            'timezone = "Europe/Riga"',
            lambda c: c.counter.timezone == ZoneInfo("Europe/Riga"),
        ),
        ("counter", "require_seller = true", lambda c: c.counter.require_seller is True),
        ("counter", "sign_out_after_s = 0", lambda c: c.counter.sign_out_after_s == 0),
        (
            "counter",
            'receipt_heading = ["a", "Ж"]',
            lambda c: c.counter.receipt_heading == ("a", "Ж"),
        ),
        ("counter", 'data_dir = "/x/y/"', lambda c: c.counter.data_dir == Path("/x/y")),
        ("counter", 'offline = "refuse"', lambda c: c.counter.offline is None),
        (
            "counter",
            'offline = "allow-below 50.5"',
            lambda c: c.counter.offline == Money.of(5050, "EUR"),
        ),
        ("web", 'host = "::1"', lambda c: c.web.host == "::1"),
        (
            "web",
            'frame_ancestors = ["https://a.example:8443", "http://[::1]"]',
            lambda c: len(c.web.frame_ancestors) == 2,
        ),
        ("shop", 'url = "http://127.0.0.1:8101/api/"', lambda c: c.shop.url.endswith("8101/api")),
        (
            "display",
            'resolution = "1280x720@59.94"',
            lambda c: c.display.resolution == "1280x720@59.94",
        ),
        (
            "shop",
            'proxy = "http://proxy.shop.example:3128"',
            lambda c: c.shop.proxy == "http://proxy.shop.example:3128",
        ),
        ("shop", "answer_timeout_s = 3", lambda c: c.shop.answer_timeout_s == 3.0),
        ("terminal", "baud = 115200", lambda c: c.terminal.baud == 115200),
        ("terminal", 'password = "123456"', lambda c: c.terminal.password == Secret("123456")),
        (
            "terminal",
            'address = "tcp:192.0.2.1:20007"',
            lambda c: (c.terminal.address.host, c.terminal.address.port) == ("192.0.2.1", 20007),
        ),
        (
            "printer",
            'address = "tcp:[2001:db8::1]:9100"',
            lambda c: (
                str(c.printer.address) == "tcp:[2001:db8::1]:9100"
                and c.printer.address.host == "2001:db8::1"
            ),
        ),
        ("printer", 'address = "file:/tmp/x"', lambda c: str(c.printer.address) == "file:/tmp/x"),
        ("printer", 'code_page = "CP437"', lambda c: c.printer.code_page == "CP437"),
        ("scanner", 'kind = "none"', lambda c: c.scanner.address == NOWHERE),
        (
            "scanner",
            'kind = "serial"',
            lambda c: str(c.scanner.address) == "serial:/dev/kassa/scanner",
        ),
        ("log", 'format = "text"', lambda c: c.log.format == "text"),
        ("journal", "keep_days = 30", lambda c: c.journal.keep_days == 30),
    ],
)
def test_what_is_written_is_what_is_read(section, line, expected):
    assert expected(read(with_line(section, line)))


# section, line, and what the mistake must say: what is wrong, and the cure
WRONG = [
    ("counter", 'name = ""', "is empty; write a text"),
    ("counter", f'name = "{"n" * 41}"', "has 41 characters; use at most 40"),
    ("counter", 'name = "a\\nb"', "control characters or line breaks; use printable"),
    ("counter", "name = 1", "a whole number where a text must be; put it in quotes"),
    ("counter", 'currency = "EURO"', '"EURO" is not known; did you mean "EUR"?'),
    ("counter", 'currency = "XXX"', '"XXX" is not known; use BYN, CHF'),
    ("counter", 'language = "es"', '"es" is not a language of the kiosk; use en, ru, de or fr'),
    ("counter", "language = true", "true or false where a text must be; use en, ru, de or fr"),
    ("counter", 'timezone = "Europe/Berln"', "is not a time zone; write one like Europe/Berlin"),
    ("counter", 'timezone = "/etc/passwd"', "is not a time zone"),
    (
        "counter",
        'require_seller = "yes"',
        "a text where true or false must be; write true or false",
    ),
    ("counter", "sign_out_after_s = 5", "5 is out of range; use 30 to 86400 seconds, or 0: never"),
    ("counter", "sign_out_after_s = false", "true or false where a whole number must be"),
    ("counter", 'receipt_heading = "x"', 'a text where a list must be; write it as ["…", "…"]'),
    ("counter", f"receipt_heading = {['x'] * 7}", "has 7 entries; use at most 6"),
    ("counter", 'receipt_heading = ["x", ""]', "entry 2: is empty; write a text"),
    ("counter", 'data_dir = "kassa"', '"kassa" is not an absolute path; begin it with /'),
    ("counter", 'data_dir = "/a/../b"', "is not an absolute path"),
    (
        "counter",
        'offline = "allow"',
        '"allow" cannot be used; write "refuse" or "allow-below 50.00"',
    ),
    (
        "counter",
        'offline = "allow-below 1.234"',
        "more digits than EUR has; write an amount in EUR",
    ),
    ("counter", "lease_s = 100", "100 is out of range; use 120 to 7200 seconds"),
    ("counter", "lease_s = 180", "180 would end while the customer still pays; use more than"),
    ("counter", "unknown_ask_s = 2024-01-01", "a date or time where a whole number must be"),
    ("web", 'host = "0.0.0.0"', '"0.0.0.0" is not an address of this machine alone; use 127.0.0.1'),
    ("web", "port = 0", "0 is out of range; use 1 to 65535"),
    ("web", 'port = "8100"', "a text where a whole number must be; write one from 1 to 65535"),
    ("web", "port = 8100.0", "a number where a whole number must be"),
    ("web", 'frame_ancestors = ["*"]', 'entry 1: "*" cannot be used; write an origin'),
    ("web", 'frame_ancestors = ["https://a.example; x"]', "entry 1:"),
    ("web", 'theme = "blue"', '"blue" is not a theme; use auto, light or dark'),
    ("shop", 'pickup_by = "shipping-method"', 'is for kind "vendure" alone; delete it'),
    ("shop", 'channel = "de"', 'is for kind "vendure" alone; delete it'),
    ("shop", 'channel = "d e"', "cannot be used; use printable ASCII, no blanks"),
    ("shop", 'pickup_by = "field:"', 'write "shipping-method" or "field:" and the name'),
    ("shop", 'kind = "kasa"', '"kasa" is not known; did you mean "kassa"?'),
    ("shop", 'url = "http://shop.example"', "would send the token in the clear; write https://"),
    ("shop", 'url = "https://me:pw@shop.example"', "has a user or password in it"),
    ("shop", 'url = "shop.example"', 'is not an address; write "https://shop.example"'),
    ("shop", 'url = "https://[shop"', "is not an address"),
    ("shop", 'url = "https://shop.example:99999"', "is not an address"),
    ("shop", 'url = "https://shop.example/?a=b"', "has blanks, ?, # or special characters"),
    ("display", 'resolution = "1280"', 'write "1280x720" or "1280x720@60"'),
    ("display", 'resolution = "1280x720@60Hz"', 'write "1280x720" or "1280x720@60"'),
    ("display", 'resolution = "0x720"', 'write "1280x720" or "1280x720@60"'),
    ("shop", 'proxy = "http://me:pw@proxy.example:3128"', "has a user or password in it"),
    ("shop", 'proxy = "http://proxy.example"', 'is not a proxy; write "http://proxy.example:3128"'),
    ("shop", 'proxy = "http://proxy.example:3128/"', "is not a proxy"),
    ("shop", 'proxy = "https://proxy.example:3128"', "is not a proxy"),
    ("shop", 'proxy = "http://proxy.example:0"', "is not a proxy"),
    ("shop", 'proxy = "http://proxy.example:65536"', "is not a proxy"),
    ("shop", "proxy = 3128", "a whole number where a text must be"),
    ("shop", 'token = "two words"', "the value cannot be used; use printable ASCII, no blanks"),
    ("shop", 'token_file = "/x"', "only one of token and token_file may be given"),
    ("shop", "connect_timeout_s = nan", "is out of range; use 0.1 to 60 seconds"),
    ("shop", 'connect_timeout_s = "5"', "a text where a number must be; write seconds from 0.1"),
    ("terminal", 'kind = "visa"', '"visa" is not known; use pay-api or zvt'),
    ("terminal", 'address = "usb:/dev/x"', 'write "serial:/path" or "tcp:host:port"'),
    ("terminal", 'address = "serial:x"', 'after serial: "x" is not an absolute path'),
    ("terminal", 'address = "tcp:host"', "lacks host or port; write tcp:host:port"),
    ("terminal", 'address = "tcp:host:70000"', "70000 is not a port; use 1 to 65535"),
    ("terminal", "baud = 9601", "9601 is not a baud rate of a terminal; use 9600 or 115200"),
    (
        "terminal",
        'baud = "9600"',
        "a text where a whole number must be; use 9600 or 115200, no quotes",
    ),
    ("terminal", "password = 123456", "a whole number where a text must be; put it in quotes"),
    ("terminal", 'password = "98765"', "the value cannot be used; write six digits in quotes"),
    ("terminal", 'trace = "on"', "write true or false, without quotes"),
    ("printer", "flow = 1", "a whole number where a text must be; use rts-cts or none, in quotes"),
    ("printer", "baud = 9601", "9601 is not a baud rate; use 1200, 2400"),
    ("printer", 'code_page = "CP 858"', "cannot be used; write a name"),
    ("scanner", 'address = "serial:/dev/x"', 'does not fit kind "evdev"; write "evdev:/dev/x"'),
    ("scanner", 'kind = "usb"', '"usb" is not known; use evdev, none or serial'),
    ("log", 'level = "loud"', '"loud" is not a level; use debug, info, warning or error'),
    ("journal", "keep_days = 0", "0 is out of range; use 30 to 36500 days"),
    ("terminal", 'adress = "x"', "no such key; did you mean address?"),
    ("web", 'currency = "EUR"', "no such key; it belongs to [counter]"),
    ("log", "frobnicate = 1", "no such key; [log] has level and format"),
]


@pytest.mark.parametrize(("section", "line", "said"), WRONG)
def test_a_mistake_says_where_what_and_the_cure(section, line, said):
    text = with_line(section, line)
    (mistake,) = mistakes(text)
    number = text.splitlines().index(line) + 1
    if "only one of" in said:
        assert mistake.startswith("kassa.toml:")
    else:
        key = line.split("=", maxsplit=1)[0].strip()
        assert mistake.startswith(f"kassa.toml:{number}: [{section}] {key}: ")
    assert said in mistake


def test_all_mistakes_are_found_in_one_go_in_the_order_of_the_file():
    wrong = [row for row in WRONG if row[0] in ("terminal", "log", "journal", "printer")]
    sections: dict[str, dict[str, str]] = {}
    for section, line, _ in wrong:
        sections.setdefault(section, {})[line.split("=", maxsplit=1)[0]] = line
    text = SMALLEST
    for section, lines in sections.items():
        text += f"[{section}]\n" + "\n".join(lines.values()) + "\n"
    found = mistakes(text)
    assert len(found) == sum(len(lines) for lines in sections.values())
    numbers = [int(mistake.split(":")[1]) for mistake in found]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["kassa.toml:1: [counter] name: is missing; add name = "]),
        (SMALLEST.replace('name = "C"\n', ""), ["kassa.toml:1: [counter] name: is missing"]),
        (
            SMALLEST.replace('name = "C"', 'nmae = "C"'),
            ["kassa.toml:2: [counter] nmae: no such key"],
        ),
        (SMALLEST.replace("token = ", "tokn = "), ["kassa.toml:6: [shop] tokn: no such key"]),
        (
            re.sub("(?m)^token.*\n", "", SMALLEST),
            ['kassa.toml:3: [shop]: the token is missing; give token_file = "/path"'],
        ),
        (
            SMALLEST.replace("pickup_point", "# pickup_point"),
            ["kassa.toml:3: [shop] pickup_point: is missing"],
        ),
        (
            "port = 1\n" + SMALLEST,
            ["kassa.toml:1: port: stands outside any section; move it to [web]"],
        ),
        ("nonsense = 1\n" + SMALLEST, ["kassa.toml:1: nonsense: stands outside any section"]),
        (
            SMALLEST + "[terminl]\n",
            ["kassa.toml:7: [terminl]: no such section; did you mean [terminal]?"],
        ),
        (SMALLEST + "[x]\n", ["kassa.toml:7: [x]: no such section; there are counter, web,"]),
        ("web = 3\n" + SMALLEST, ["kassa.toml:1: web: must be a section; write [web] on a line"]),
        ("[[web]]\n" + SMALLEST, ["kassa.toml:1: web: must be a section"]),
        # TOML itself
        (SMALLEST + "[log]\nlevel = debug\n", ["kassa.toml:8: is not TOML: invalid value"]),
        (SMALLEST + 'x = "abc', ["kassa.toml:7: is not TOML: unterminated string"]),
        (SMALLEST + "=\n", ["kassa.toml:7: is not TOML: invalid statement"]),
        ("x = " + "[" * 5000, ["kassa.toml:1: is nested too deeply"]),
        ("x = " + "1" * 5000, ["kassa.toml:1: is not TOML: "]),
        (SMALLEST + "a." * 30_000 + "a = 1", ["kassa.toml:7: has too many dots"]),
        (f"# {'.' * 900}\nx = 1\n{SMALLEST}", ["kassa.toml:2: x: stands outside any section"]),
        (
            SMALLEST + 'url = "https://b.example"\n[web]\nport = 1\nport = 2\n[web]\n',
            [
                "kassa.toml:7: [shop] url: is given twice, first in line 4; delete one",
                "kassa.toml:10: [web] port: is given twice, first in line 9; delete one",
                "kassa.toml:11: [web]: is given twice, first in line 8; delete one",
            ],
        ),
        (
            SMALLEST + '= 1\nurl = "https://b.example"\n',
            ["kassa.toml:8: [shop] url: is given twice", "kassa.toml:7: is not TOML"],
        ),
    ],
)
def test_the_structure_of_the_file(text, said):
    found = mistakes(text)
    if text == "":
        found = found[:1]
    for mistake, start in zip(found, said, strict=True):
        assert mistake.startswith(start)


# --- whatever is written --------------------------------------------------------------------------

ANY_VALUE = st.sampled_from(
    [
        "0", "-1", "1", "600", "1e400", "nan", "true", '""', '"x"', '"/x"', '"tcp:a:1"', "[]",
        '"refuse"', '["x"]', "[[1]]", "{a = 1}", "2024-01-01", "12:00:00", '"évdev:/x"',
        '"serial:/x"', '"\\u0000"', f"0x{'f' * 5000}", f"1{'0' * 400}",
        '"allow-below 999999999999"', f'"{"9" * 300}"', "[1, true, {}]",
    ]
)  # fmt: skip
KEYS = [(section, key) for section in schema.SECTIONS for key in schema.keys(section)]


@given(st.dictionaries(st.sampled_from(KEYS), ANY_VALUE, max_size=8))
def test_any_values_are_read_or_refused_with_lines(written):
    text = ""
    for section in schema.SECTIONS:
        text += f"[{section}]\n"
        for (owner, key), value in written.items():
            if owner == section:
                text += f"{key} = {value}\n"
    count = text.count("\n")
    try:
        config = read(text)
    except ConfigTrouble as trouble:
        assert trouble.mistakes  # noqa: PT017 - either is right
        for mistake in trouble.mistakes:
            found = re.match(r"kassa\.toml:(\d+): \[\w+\]( \w+)?: .+[;?]", mistake)
            assert found, mistake
            assert 1 <= int(found[1]) <= count
            assert "\n" not in mistake
    else:
        assert config.counter.name


# --- applications that are reached by links -------------------------------------------------------

KEY = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE"
KEYED = f"""\
[links]
keys = ["ours hmac-sha256 {KEY}", "app hmac-sha256 {KEY}"]
sign_with = "ours"
"""
PAY = "[terminal]\nkind = 'pay-api'\n"
PRINT = "[printer]\nkind = 'print-api'\n"
RECEIPTS = "print_merchant_slip = false\nprint_declines = false\n"


def test_an_application_has_a_key_and_no_address():
    found = read(
        SMALLEST + PAY + "answer_key = 'app'\n" + PRINT + RECEIPTS + "answer_key = 'app'\n" + KEYED
    )
    assert (found.terminal.address.scheme, found.printer.address.scheme) == ("none", "none")
    assert not found.terminal.accept_unsigned
    found = read(SMALLEST + PAY + "accept_unsigned = true\n" + KEYED)
    assert found.terminal.accept_unsigned


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (PAY + "answer_key = 'app'\n", ["[terminal] answer_key: is none of", "[terminal] kind: "]),
        (PAY + KEYED, ["[terminal] answer_key: is missing"]),
        (
            PAY + "answer_key = 'other'\n" + KEYED,
            ["[terminal] answer_key: is none of [links] keys"],
        ),
        (
            PRINT + "answer_key = 'app'\n" + KEYED,
            ["[printer] print_declines: ", "[printer] print_merchant_slip: "],
        ),
    ],
)
def test_what_an_application_lacks(text, wrong):
    found = sorted(mistake.split(": ", 1)[1] for mistake in mistakes(SMALLEST + text))
    assert len(found) == len(wrong)
    for said, expected in zip(found, wrong, strict=True):
        assert said.startswith(expected)


def test_keys_that_cannot_be_read_are_the_only_mistake():
    text = SMALLEST + PAY + "answer_key = 'app'\n[links]\nkeys_file = '/none'\nsign_with = 'ours'\n"
    (mistake,) = mistakes(text)
    assert "[links] keys_file: /none cannot be read" in mistake


def test_a_proxy_is_told_no_token():
    text = SMALLEST.replace("https://shop.example", "http://127.0.0.1:8101")
    assert text != SMALLEST
    (mistake,) = mistakes(text + 'proxy = "http://proxy.example:3128"\n')
    assert "[shop] proxy: is for https alone; delete it, or write url with https" in mistake


def test_a_vendure_shop():
    text = SMALLEST.replace(TOKEN, "mitte-1:pw") + (
        'kind = "vendure"\npickup_by = "shipping-method"\nchannel = "de"\n'
    )
    shop = read(text).shop
    assert (shop.kind, shop.pickup_by, shop.channel) == ("vendure", "shipping-method", "de")


def test_a_vendure_administrator_has_a_name_and_a_password():
    text = with_line("shop", 'kind = "vendure"')
    (mistake,) = mistakes(text)
    assert '[shop] token: is not of the form "name:password"' in mistake
    assert TOKEN not in mistake
