"""Addresses: what comes in, what is opened in return, and what nobody may slip in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocols.links.address import (
    MOST_PARAMETERS,
    MOST_PLACEHOLDERS,
    Address,
    build,
    fill,
    origin,
    read,
    refuse_names,
)
from appliance.protocols.links.messages import LONGEST_LINK, LinkError, Reason
from tests.protocols.links.strategies import TEMPLATES

RESPONSE = (("status", "paid"), ("order", "a&b=c"))
WHOLE = "status=paid&order=a%26b%3Dc"
VALUES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=20)
NAMES = st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True)
PARAMS = st.dictionaries(NAMES, VALUES, max_size=5).map(lambda found: tuple(found.items()))


# --- requests ---------------------------------------------------------------------------------


@given(params=PARAMS)
def test_what_is_built_is_read(params):
    text = build("kassa-api", "payNow", params)
    assert read(text) == Address("kassa-api", "paynow", params)
    assert text.isascii()
    assert text.isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kassa-api://payNow", ("kassa-api", "paynow", ())),
        ("KASSA-API://PAYNOW/?", ("kassa-api", "paynow", ())),
        ("kassa://x-callback-url/pay/?a=", ("kassa", "x-callback-url/pay", (("a", ""),))),
        ("a://b?x=1=2", ("a", "b", (("x", "1=2"),))),
        ("a://b?x=%C3%A4%26", ("a", "b", (("x", "ä&"),))),
        ("a://b?x={y}[z]|^`", ("a", "b", (("x", "{y}[z]|^`"),))),
        ("a://b?x=1+2", ("a", "b", (("x", "1+2"),))),
    ],
)
def test_a_request_is_read(text, expected):
    found = read(text)
    assert (found.scheme, found.target, found.params) == expected


def test_a_plus_is_a_space_only_where_a_format_needs_it():
    assert read("a://b?x=1+2%2B", plus_is_space=True).params == (("x", "1 2+"),)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no scheme"),
        ("a:b", "no scheme"),
        ("a://", "no scheme"),
        ("a:///b", "no scheme"),
        ("a://b//c", "no scheme"),
        ("a://b/../c", "no scheme"),
        ("a://./c", "no scheme"),
        ("a://user@b?x=1", "no scheme"),
        ("a://b:1?x=1", "no scheme"),
        ("a://b#c", "no scheme"),
        (r"a:\\b?x=1", "no scheme"),
        ("a://%70ay?x=1", "no scheme"),
        (" a://b", "no scheme"),
        ("a://b\n", "no scheme"),
        ("1a://b", "no scheme"),
        ("a://b?x=1#c", "must be percent-encoded"),
        ("a://b?x=\\", "must be percent-encoded"),
        ("a://b?x= ", "must be percent-encoded"),
        ("a://b?x=\t", "must be percent-encoded"),
        ("a://b?x=ä", "must be percent-encoded"),
        ('a://b?x="', "must be percent-encoded"),
        ("a://b?x=<", "must be percent-encoded"),
        ("a://b?x", "without a proper name"),
        ("a://b?=1", "without a proper name"),
        ("a://b?x=1&", "without a proper name"),
        ("a://b?%78=1", "without a proper name"),
        ("a://b?" + "x" * 65 + "=1", "without a proper name"),
        ("a://b?x=1&y=2&x=1", "x: given twice"),
        ("a://b?x=%", "x: a % that begins"),
        ("a://b?x=%4", "x: a % that begins"),
        ("a://b?x=%zz", "x: a % that begins"),
        ("a://b?x=%FF", "x: not UTF-8"),
        ("a://b?x=%C0%AF", "x: not UTF-8"),
        ("a://b?x=%ED%A0%80", "x: not UTF-8"),
        ("a://b?x=%00", "x: a control character"),
        ("a://b?x=%0D%0A", "x: a control character"),
        ("a://b?x=%C2%85", "x: a control character"),
        ("a://b?x=%E2%80%A8", "x: a control character"),
        ("a://b?x=" + "1" * LONGEST_LINK, "longer than"),
    ],
)
def test_a_request_that_means_nothing_certain_is_refused(text, why):
    with pytest.raises(LinkError, match=why) as caught:
        read(text)
    assert caught.value.reason is Reason.MALFORMED


def test_parameters_are_bounded():
    params = tuple((f"p{number}", "") for number in range(MOST_PARAMETERS + 1))
    assert read(build("a", "b", params[:-1])).params == params[:-1]
    with pytest.raises(LinkError, match="more than"):
        read(build("a", "b", params))


# --- origins ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://Shop.Example/ret?x=1#y", "https://shop.example"),
        ("HTTPS://shop.example:443", "https://shop.example"),
        ("http://shop.example:80/", "http://shop.example"),
        ("http://shop.example:443/", "http://shop.example:443"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("https://1.2.3.4/", "https://1.2.3.4"),
        ("https://[2001:db8::1]:443/", "https://[2001:db8::1]"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example"),
        ("https://r3---sn.example", "https://r3---sn.example"),
        ("https://shop.example//deep", "https://shop.example"),
        ("https://shop.example/@user:1", "https://shop.example"),
        ("https://shop.example/..a/.b", "https://shop.example"),
        ("https://shop.example?to=https://evil.example", "https://shop.example"),
        ("https://shop.example/{response}?{Type}#{x}", "https://shop.example"),
        ("kassa-api://paymentResult?{response}", "kassa-api://paymentresult"),
        ("myapp://my_handler:5?x", "myapp://my_handler:5"),
        ("app://1", "app://1"),
        ("app://[::1]", "app://[::1]"),
    ],
)
def test_an_origin_is_what_an_allow_list_compares(address, expected):
    assert origin(address) == expected


REFUSED = [
    "",
    "shop.example",
    "//shop.example",
    "/ret",
    "https:shop.example",
    "https:/shop.example",
    "https:///shop.example",
    "https://",
    "https://?x",
    "myapp://",
    "my_app://x",
    r"https:\\shop.example",
    r"https://shop.example\@evil.example",
    r"https://shop.example/a\b",
    "https://shop.example@evil.example",
    "https://user:pass@shop.example",
    "https://@shop.example",
    "https://shop.example:",
    "https://shop.example:0443",
    "https://shop.example:0",
    "https://shop.example:65536",
    "https://shop.example:4 43",
    "https://shop.example:443:443",
    "https://shop.example.",
    "https://shop..example",
    "https://-shop.example",
    "https://shop_1.example",
    "https://shop%2eexample",
    "https://shop.example%00.evil.example",
    "https://{response}.example",
    "https://shop.example:{response}",
    "{response}://shop.example",
    "https://" + "a" * 64 + ".example",
    "https://" + ".".join(["a" * 60] * 5),
    "https://1",
    "https://1.2.3",
    "https://01.2.3.4",
    "https://256.2.3.4",
    "https://1.2.3.4.5",
    "https://0x7f000001",
    "https://127.0x1",
    "https://a.0x",
    "https://xn--.example",
    "https://xn--shop-.example",
    "https://xn--BCHER-KVA-.example",
    "https://xn--a.example",
    "https://xn--99999999.example",
    "https://[::1",
    "https://::1",
    "https://[]",
    "https://[0:0:0:0:0:0:0:1]",
    "https://[::ffff:1.2.3.4]",
    "https://[::ffff:102:304]",
    "https://[::1.2.3.4]",
    "https://[fe80::1%25eth0]",
    "https://[::1]x",
    "https://bücher.example",
    "https://shоp.example",  # Cyrillic о
    "https://shop.example/ä",
    "https://shop.example/ ",
    "https://shop.example/\t",
    "https://shop.example/\n",
    "\x00https://shop.example",
    "https://shop.example/%0a",
    "https://shop.example/?x=%00",
    "https://shop.example/%7F",
    "https://shop.example/%",
    "https://shop.example/%4{response}",
    "https://shop.example/<b>",
    'https://shop.example/"',
    "https://shop.example/?a[]=1",
    "https://shop.example/{",
    "https://shop.example/{a b}",
    "https://shop.example/{{response}}",
    "https://shop.example/#a#b",
    "https://shop.example/./a",
    "https://shop.example/a/..",
    "https://shop.example/a/%2E%2e/b",
    "https://shop.example/.%2e",
    "javascript://shop.example/%61lert(1)",
    "JavaScript://shop.example/alert(1)",
    "data://text/html,x",
    "file://shop.example/etc/passwd",
    "intent://shop.example/#Intent;end",
    "view-source://shop.example",
    "ws://shop.example",
    "https://shop.example/" + "a" * LONGEST_LINK,
    "https://shop.example/" + "{response}" * (MOST_PLACEHOLDERS + 1),
]


@pytest.mark.parametrize("address", REFUSED)
def test_what_two_readers_read_differently_is_never_opened(address):
    with pytest.raises(LinkError) as caught:
        origin(address)
    assert caught.value.reason is Reason.CALLBACK
    with pytest.raises(LinkError):
        fill(address, RESPONSE)


# --- templates --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("https://s.example", f"https://s.example?{WHOLE}"),
        ("https://s.example/r?", f"https://s.example/r?{WHOLE}"),
        ("https://s.example/r?a=1", f"https://s.example/r?a=1&{WHOLE}"),
        ("https://s.example/r?a=1&", f"https://s.example/r?a=1&{WHOLE}"),
        ("https://s.example/r?a=1#top", f"https://s.example/r?a=1&{WHOLE}#top"),
        ("https://s.example/r#top", f"https://s.example/r?{WHOLE}#top"),
        ("https://s.example/r?{response}", f"https://s.example/r?{WHOLE}"),
        ("https://s.example/r?a=1&{response}&b", f"https://s.example/r?a=1&{WHOLE}&b"),
        ("https://s.example/#/r?{response}", f"https://s.example/#/r?{WHOLE}"),
        ("https://s.example/#{response}", f"https://s.example/#{WHOLE}"),
        ("kassa-api://paymentResult?{response}", f"kassa-api://paymentResult?{WHOLE}"),
        (
            "https://s.example/r?data={response}",
            "https://s.example/r?data=status%3Dpaid%26order%3Da%2526b%253Dc",
        ),
        (
            "https://s.example/{response}",
            "https://s.example/status%3Dpaid%26order%3Da%2526b%253Dc",
        ),
        (
            "https://s.example/r?to=/x?{response}",
            "https://s.example/r?to=/x?status%3Dpaid%26order%3Da%2526b%253Dc",
        ),
        ("https://s.example/r?{Type}=x&t={Type}", "https://s.example/r?a%2Fb%23=x&t=a%2Fb%23"),
        ("https://s.example/{Type}/y#{Type}", "https://s.example/a%2Fb%23/y#a%2Fb%23"),
        ("https://s.example/r?{Type}&{other}", "https://s.example/r?a%2Fb%23&%7Bother%7D"),
        ("https://s.example/r?{other}", f"https://s.example/r?%7Bother%7D&{WHOLE}"),
    ],
)
def test_a_template_is_filled(template, expected):
    assert fill(template, RESPONSE, {"Type": "a/b#"}) == expected


@given(template=TEMPLATES, response=PARAMS, value=VALUES)
def test_no_response_changes_the_origin(template, response, value):
    filled = fill(template, response, {"Type": value, "Number": value})
    assert origin(filled) == origin(template)
    assert filled.isascii()
    assert filled.isprintable()
    assert not set(filled) & set(" {}\\<>\"'^`|") - set(template)


@given(response=PARAMS)
def test_an_appended_response_is_read_again(response):
    expected = (("a", "1"), *response) if response else (("a", "1"),)
    if "a" in dict(response):
        return
    text = fill("app://handler?a=1", response)
    assert read(text.rstrip("&")).params == expected


NAMES_OF_OURS = ("status", "com.squareup.pos.ERROR_CODE")


@pytest.mark.parametrize(
    "query",
    [
        "?status=paid",
        "?Status=paid",
        "?status",
        "?x=1&status%5B%5D=paid",
        "?%73tatus=paid",
        "?.status=paid",
        "?status%20=paid",
        "?x=1;status=paid",
        "?x?status=paid",
        "?{response}&status=paid",
        "#/r?status=paid",
        "#status={response}x",
        "?com_squareup_pos_ERROR_CODE=",
    ],
)
def test_a_link_brings_no_result_of_its_own(query):
    with pytest.raises(LinkError, match=r"^callback: has a parameter of the response") as caught:
        refuse_names(f"https://s.example/r{query}", NAMES_OF_OURS, "callback")
    assert caught.value.reason is Reason.CALLBACK


@pytest.mark.parametrize(
    "rest", ["", "/status?x=1", "?x=status", "?status={Type}", "?{response}", "?statuses=1"]
)
def test_other_parameters_are_the_callers_own(rest):
    refuse_names(f"https://s.example{rest}", NAMES_OF_OURS, "callback")
