"""What is read from files of the counter's own, and what its screen's server is sent."""

from __future__ import annotations

import struct
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from flask import Flask

from appliance.counter import journal_log
from appliance.counter.chain import canonical
from appliance.counter.config import parse
from appliance.counter.config_lines import find_lines
from appliance.counter.config_rules import url
from appliance.counter.journal import _fact
from appliance.counter.kinds import names
from appliance.domain.errors import ConfigTrouble
from appliance.domain.facts import Kind
from appliance.domain.money import CURRENCIES, Money, MoneyError, Quantity
from appliance.drivers.shop_http import address_mistakes
from tests.fuzz.http_text import answered, parsed
from tests.fuzz.target import demand
from tests.web.fake import FakeCounter
from web import WebSettings, create_app

# --- configuration ----------------------------------------------------------------------------

_FILE: Final = "kassa.toml"
_SECRET: Final = "tok-3fb2-do-not-show"


@cache
def _names() -> Any:
    return names()


def config(data: bytes) -> None:
    """kassa.toml. A token of ours in it is in no message."""
    text = data.decode("utf-8", "replace")
    if "token_" in text and "dev" in text:
        return  # reading a device of this machine might never end
    _lines(text)
    is_secret = text.count(_SECRET) == text.count(f'token = "{_SECRET}"')
    try:
        found = parse(text, _FILE, names=_names(), environ={})
    except ConfigTrouble as trouble:
        demand(trouble.mistakes, "refused without a reason")
        most = text.count("\n") + 1
        for mistake in trouble.mistakes:
            _, number, what = mistake.split(":", 2)
            demand(1 <= int(number) <= most and what.strip(), f"a mistake nowhere: {number}")
            demand(not is_secret or _SECRET not in mistake, "the token is in a message")
        raise
    demand(not is_secret or _SECRET not in repr(found), "the token is in a repr")
    demand(found.counter.lease_s > found.terminal.completion_timeout_s, "a lease that is too short")
    demand(
        not address_mistakes(found.shop.url, allow_http=False), "an address that is refused later"
    )


def _lines(text: str) -> None:
    """For a text that TOML accepts, the lines are right."""
    lines = find_lines(text)
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    written = text.replace("\r\n", "\n").split("\n")
    demand(not lines.duplicates, "given once, said to be given twice")
    for name in content:
        demand(lines.has(name), "a key without a line")
        line = written[lines.of(name) - 1]
        demand(name in line or '"' in line or "'" in line, "a key on another line")


def shop_url(data: bytes) -> None:
    """An address that the configuration takes, the driver takes as well."""
    text = data.decode("utf-8", "replace")
    mistakes = address_mistakes(text, allow_http=False)
    demand("\n" not in "".join(mistakes), "a message of two lines")
    taken = url()(text)
    demand(not mistakes or taken != text, f"the driver says {mistakes}")


def amount(data: bytes) -> None:
    """The first byte chooses the currency; the rest is an amount, and a quantity."""
    if not data:
        return
    text = data[1:].decode("utf-8", "replace")
    code = sorted(CURRENCIES)[data[0] % len(CURRENCIES)]
    try:
        found = Money.parse(text, code)
        demand(Money.parse(str(found).split()[0], code) == found, "written, it is another amount")
    except MoneyError:
        pass
    quantity = Quantity.parse(text)
    demand(Quantity.parse(str(quantity)) == quantity, "written, it is another quantity")


# --- the journal ------------------------------------------------------------------------------

_KINDS: Final = (*Kind, "goods.weighed")


def journal_fact(data: bytes) -> None:
    """A row of the journal: the first byte chooses its kind, the rest is its body."""
    if not data:
        return
    body = data[1:].decode("utf-8", "replace")
    row = (1, str(_KINDS[data[0] % len(_KINDS)]), "H-1", "2026-11-23T14:33:07Z", "", body, b"hash")
    fact = _fact("journal", row)
    demand(isinstance(fact.body, dict), "a body that is no object")
    canonical(fact.body)


class _Log:
    """Stands for a file."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def exists(self) -> bool:
        return True

    def read_bytes(self) -> bytes:
        return self._content


def journal_log_file(data: bytes) -> None:
    """The journal's log as SQLite left it. A header of ours gets its right checksum, which chance
    would never find; so do frames, as far as a first byte says."""
    if len(data) < 25:
        return
    count, content = data[0] % 4, bytearray(data[1:])
    content[:4] = struct.pack(">I", 0x377F0682 | data[1] & 1)
    order = ">" if data[1] & 1 else "<"
    checksum = _sum(order, bytes(content[:24]), (0, 0))
    content[24:32] = struct.pack(">II", *checksum)
    size = struct.unpack_from(">I", content, 8)[0]
    for at in range(32, 32 + count * (24 + size), 24 + size):
        if size % 8 or len(content) < at + 24 + size:
            break
        content[at + 8 : at + 16] = content[16:24]
        frame = bytes(content[at : at + 8] + content[at + 24 : at + 24 + size])
        checksum = _sum(order, frame, checksum)
        content[at + 16 : at + 24] = struct.pack(">II", *checksum)
    said = journal_log.flaw(cast(Path, _Log(bytes(content))))
    demand(len(said) < 100 and said.isprintable(), "not fit for a log")


def _sum(order: str, data: bytes, start: tuple[int, int]) -> tuple[int, int]:
    first, second = start
    for even, odd in struct.iter_unpack(f"{order}II", data):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


# --- the screen's server ----------------------------------------------------------------------

_HOST: Final = "localhost"


@cache
def _web() -> tuple[Flask, FakeCounter]:
    counter = FakeCounter()
    counter.stopping.set()  # no stream stays open
    return create_app(counter, WebSettings(hosts=(_HOST,))), counter


_KNOWN: Final = frozenset(
    {200, 204, 206, 304, 308, 400, 403, 404, 405, 409, 412, 413, 415, 416, 421}
)


def web_request(data: bytes) -> None:
    """ "METHOD path", header lines, an empty line, the body: as a browser may be made to send."""
    asked = parsed(data)
    app, counter = _web()
    counter.commands.clear()
    counter.beats.clear()
    environ = asked.environ()
    given = answered(app, environ)
    is_stream = environ["PATH_INFO"] == "/events" and given.status == 503
    demand(given.status in _KNOWN or is_stream, f"HTTP {given.status}")
    demand("script-src 'self'" in given.headers["content-security-policy"], "no policy")
    if counter.commands or counter.beats:
        origin, site = environ.get("HTTP_ORIGIN"), environ.get("HTTP_SEC_FETCH_SITE")
        ours = origin in (f"http://{_HOST}", f"https://{_HOST}")
        demand(environ["HTTP_HOST"] == _HOST, "a foreign name was served")
        demand(ours or (origin is None and site == "same-origin"), "a foreign page was obeyed")
