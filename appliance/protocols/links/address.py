"""Addresses: those that come in as requests, and those that a caller wants opened in return.

Browsers read addresses by the WHATWG URL standard, most libraries by RFC 3986. Whatever the two
read differently is refused, as the address that we allow must be the one that the browser opens:
backslashes, tabs, line ends and other characters that one of them drops or changes, user-info,
empty hosts, empty and padded ports, IPv4 in any but four plain decimals, IPv4 inside IPv6, dot
segments, letters outside ASCII (a name in another script must come in its xn-- form).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, unquote_to_bytes

from appliance.protocols.links.messages import LONGEST_LINK, NONE, LinkError, Reason

Pairs = tuple[tuple[str, str], ...]
"""Parameters in their order: names and values, decoded."""

MOST_PARAMETERS: Final = 64
MOST_PLACEHOLDERS: Final = 16
"""Of one template; each may be replaced by a whole response."""
RESPONSE: Final = "response"
"""The placeholder for all parameters of the response."""

# --- requests ---------------------------------------------------------------------------------

# No host has a port and no path is empty between slashes in any format that we know. A slash at
# the end is none of theirs: libraries add one, and some shops write one.
_REQUEST: Final = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]{0,31})://"
    r"([A-Za-z0-9_~-][A-Za-z0-9._~-]*(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)/?"
    r"(?:\?(.*))?\Z"
)
# What RFC 3986 has in a query, and what browsers leave there as it is, with no meaning to either.
_QUERY: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%{}\[\]|^`]*\Z")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Address:
    """A request: scheme://target?parameters. scheme, target: in lower case, as what passes an
    address on may make its host lower-case; target has no slash at its end. params: no name
    twice."""

    scheme: str
    target: str
    params: Pairs


def read(text: str, *, plus_is_space: bool = False) -> Address:
    """A request as it came in: at most LONGEST_LINK printable ASCII characters, of which none is a
    space, without user-info, port and fragment; values are UTF-8 without control characters.

    plus_is_space: "+" in a value is a space, as HTML forms write one (only square_ios.py needs it).
    Raises LinkError."""
    if len(text) > LONGEST_LINK:
        raise _malformed(f"a link longer than {LONGEST_LINK} characters")
    found = _REQUEST.match(text)
    if not found:
        raise _malformed("no scheme://action?parameters")
    scheme, target, query = found.groups()
    return Address(scheme.lower(), target.lower(), parameters(query or "", plus_is_space))


def parameters(query: str, plus_is_space: bool = False) -> Pairs:
    """The parameters of a query without its "?". Raises LinkError."""
    if not query:
        return ()
    if not _QUERY.match(query):
        raise _malformed("a character that must be percent-encoded")
    pieces = query.split("&")
    if len(pieces) > MOST_PARAMETERS:
        raise _malformed(f"more than {MOST_PARAMETERS} parameters")
    found: dict[str, str] = {}
    for piece in pieces:
        name, equals, value = piece.partition("=")
        if not equals or not _NAME.match(name):
            raise _malformed("a parameter without a proper name and =")
        if name in found:
            raise _malformed(f"{name}: given twice")
        found[name] = decoded(value.replace("+", " ") if plus_is_space else value, name)
    return tuple(found.items())


def decoded(value: str, name: str) -> str:
    """A percent-encoded value. name: of its parameter, for the message. Raises LinkError."""
    if _BAD_PERCENT.search(value):
        raise _malformed(f"{name}: a % that begins no percent-encoding")
    try:
        text = unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise _malformed(f"{name}: not UTF-8") from None
    if _CONTROL.search(text):
        raise _malformed(f"{name}: a control character")
    return text


def encoded(text: str) -> str:
    """Percent-encoded but for the unreserved characters of RFC 3986, section 2.3."""
    return quote(text, safe="")


def query_of(params: Iterable[tuple[str, str]]) -> str:
    """The parameters as a query without its "?"."""
    return "&".join(f"{encoded(name)}={encoded(value)}" for name, value in params)


def build(scheme: str, target: str, params: Iterable[tuple[str, str]]) -> str:
    """A request that `read` reads again. target: as people write it, such as "payNow"."""
    return f"{scheme}://{target}?{query_of(params)}"


def _malformed(text: str) -> LinkError:
    return LinkError(Reason.MALFORMED, text)


# --- addresses to open in return --------------------------------------------------------------

_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_NEVER: Final = frozenset(
    {
        *("about", "blob", "data", "file", "filesystem", "ftp", "intent", "javascript"),
        *("vbscript", "view-source", "ws", "wss"),
    }
)
"""Schemes that run something, read this machine, are read by rules of their own, or open no page:
not even an allow-list makes them harmless."""

_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z][A-Za-z0-9]{0,31})\}")
_WHOLE_QUERY: Final = re.compile(r"(?:(?<=\A\?)|(?<=&))\{response\}(?=&|\Z)")
_WHOLE_FRAGMENT: Final = re.compile(r"(?<=[#?&])\{response\}(?=&|\Z)")
_PLAIN: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*\Z")
_TEMPLATE: Final = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]{0,31})://([^/?#]*)([^?#]*)(\?[^#]*)?(#[^#]*)?\Z"
)
_ENCODED_CONTROL: Final = re.compile(r"%(?:[01][0-9A-Fa-f]|7[Ff])")
_DOT_SEGMENT: Final = re.compile(r"/(?:\.|%2[Ee]){1,2}(?=/|\Z)")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}\Z")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_NUMBER: Final = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_BYTE: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4: Final = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}\Z")
_OPAQUE_HOST: Final = re.compile(r"[a-z0-9._~-]{1,253}\Z")


def origin(address: str) -> str:
    """What an allow-list compares: scheme://host or scheme://host:port, in lower case, without the
    scheme's own port. address: absolute, and possibly a template for `fill`.

    Raises LinkError for what browsers and RFC 3986 read differently, see above."""
    return _split(address)[0]


def fill(template: str, response: Pairs, values: Mapping[str, str] = NONE) -> str:
    """The address to open: the template with its placeholders replaced. Its origin stays.

    {response} becomes all parameters of the response where a parameter of the query or of the
    fragment begins, else one value. {name} becomes values[name]. Every value is percent-encoded. A
    placeholder of another name stays, percent-encoded as a browser would. Where none is replaced,
    the response is appended to the query, before the fragment.

    Raises LinkError for a template that `origin` refuses."""
    _, path, query, fragment = _split(template)
    head = template[: len(template) - len(path + query + fragment)]
    whole = query_of(response)
    known = {**values, RESPONSE: whole}
    if not any(name in known for name in _PLACEHOLDER.findall(path + query + fragment)):
        glue = "" if query[-1:] in ("?", "&") else "&"
        query = query + glue + whole if query else f"?{whole}"

    def filled(part: str) -> str:
        return _PLACEHOLDER.sub(lambda found: encoded(known.get(found[1], found[0])), part)

    query = _WHOLE_QUERY.sub(lambda _: whole, query)
    fragment = _WHOLE_FRAGMENT.sub(lambda _: whole, fragment)
    return head + filled(path) + filled(query) + filled(fragment)


def refuse_names(template: str, names: Iterable[str], where: str) -> None:
    """Refuses a template that has a parameter of the response already: receivers differ in which
    of two they believe, so a link could bring its own result along. A parameter whose value is a
    placeholder is the response's own. where: the parameter that the template came in.

    Names are compared as loosely as the loosest receiver does: case, and signs that PHP turns into
    "_" or cuts off, make no difference. Raises LinkError."""
    _, _, query, fragment = _split(template)
    reserved = {_loose(name) for name in names}
    for piece in re.split(r"[?&;#]", query + fragment):
        name, _, value = piece.partition("=")
        if _loose(unquote(name)) in reserved and not _PLACEHOLDER.fullmatch(value):
            raise LinkError(Reason.CALLBACK, f"{where}: has a parameter of the response already")


def _loose(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name.partition("[")[0].lower()).strip("_")


def _split(address: str) -> tuple[str, str, str, str]:
    """Origin, path, query with its ?, fragment with its #. Raises LinkError."""
    if len(address) > LONGEST_LINK:
        raise _not_allowed("too long")
    found = _TEMPLATE.match(address)
    if not found:
        raise _not_allowed("no absolute address with a host")
    scheme, authority, path = found[1].lower(), found[2], found[3]
    query, fragment = found[4] or "", found[5] or ""
    if scheme in _NEVER:
        raise _not_allowed("a scheme that is never opened")
    bare, placeholders = _PLACEHOLDER.subn("", path + query + fragment[1:])
    if placeholders > MOST_PLACEHOLDERS:
        raise _not_allowed("too many placeholders")
    if not _PLAIN.match(bare) or _BAD_PERCENT.search(bare):
        raise _not_allowed("a character that must be percent-encoded")
    if _ENCODED_CONTROL.search(bare):
        raise _not_allowed("a control character")
    if _DOT_SEGMENT.search(path):
        raise _not_allowed("a dot segment")
    return f"{scheme}://{_host(scheme, authority)}", path, query, fragment


def _host(scheme: str, authority: str) -> str:
    host, colon, port = authority.lower().rpartition(":")
    if not colon or port.endswith("]"):  # the colons are an IPv6 address's own
        host, colon, port = authority.lower(), "", ""
    if colon and (not _PORT.match(port) or int(port) > 65535):
        raise _not_allowed("an odd port")
    if host.startswith("["):
        _check_ipv6(host)
    elif scheme in _DEFAULT_PORTS:
        _check_name(host)
    elif not _OPAQUE_HOST.match(host):
        raise _not_allowed("an odd host")
    if not colon or port == _DEFAULT_PORTS.get(scheme):
        return host
    return f"{host}:{port}"


def _check_name(host: str) -> None:
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.match(label) for label in labels):
        raise _not_allowed("an odd host")
    # Browsers take any name that ends in a number for an IPv4 address: 1, 0x7f.1, 017700000001.
    if _NUMBER.match(labels[-1]) and not _IPV4.match(host):
        raise _not_allowed("an odd IPv4 address")
    for label in labels:
        if label.startswith("xn--") and not _is_punycode(label[4:]):
            raise _not_allowed("an odd international name")


def _is_punycode(text: str) -> bool:
    """Whether it stands for something outside ASCII, and only in this one way (RFC 3492)."""
    try:
        name = text.encode().decode("punycode")
        is_only_way = name.encode("punycode").decode() == text
        return is_only_way and name.isprintable() and not name.isascii()
    except UnicodeError:
        return False


def _check_ipv6(host: str) -> None:
    try:
        address = ipaddress.IPv6Address(host[1:-1] if host.endswith("]") else "")
    except ValueError:
        raise _not_allowed("an odd IPv6 address") from None
    # Dotted forms are written in two ways, and a zone is written in two ways.
    if "." in host or "%" in host or address.ipv4_mapped or host[1:-1] != address.compressed:
        raise _not_allowed("an odd IPv6 address")


def _not_allowed(text: str) -> LinkError:
    return LinkError(Reason.CALLBACK, f"an address to open: {text}")
