"""What a value in kassa.toml may be: each rule turns what TOML has into what the counter uses.

A rule raises Wrong with what is wrong and with the cure. It knows neither file nor line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from appliance.counter.link_keys import MOST_KEYS, read_keys
from appliance.domain.money import CURRENCIES, Currency
from appliance.protocols.links.signing import Key

Rule: TypeAlias = Callable[[object], Any]


class Wrong(ValueError):
    """A value that cannot be used: its text says what is wrong and how it is put right."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that must not be seen: in no repr, no log, no message. `reveal` is for its one use."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Address:
    """Where a device is. scheme "tcp" has host and port; every other one has an absolute path."""

    scheme: str
    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        if self.scheme == "tcp":
            host = f"[{self.host}]" if ":" in self.host else self.host
            return f"tcp:{host}:{self.port}"
        return f"{self.scheme}:{self.path}" if self.path else self.scheme


NOWHERE: Final = Address("none")
"""The address of a device of kind "none"."""


def listed(words: Iterable[object], last: str = "or") -> str:
    """ "a", "a or b", "a, b or c" """
    *rest, end = [str(word) for word in words]
    return f"{', '.join(rest)} {last} {end}" if rest else end


def near(word: str, words: Iterable[str]) -> str:
    """The word that was probably meant, or ""."""
    return next(iter(get_close_matches(word, list(words), n=1, cutoff=0.7)), "")


_LARGEST_SHOWN: Final = 10**50


def shown(value: object) -> str:
    """A value as TOML writes it, cut short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = f'"{value}"'
        return text if len(text) <= 60 else f'{text[:56]}…"'
    if isinstance(value, int) and abs(value) > _LARGEST_SHOWN:
        return "the number"  # Python refuses to write one of thousands of digits
    return str(value)[:60]


_TYPES: Final[dict[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a section",
}


def _mistyped(value: object, wanted: str, cure: str) -> Wrong:
    return Wrong(f"{_TYPES.get(type(value), 'a date or time')} where {wanted} must be; {cure}")


def boolean() -> Rule:
    def rule(value: object) -> bool:
        if not isinstance(value, bool):
            raise _mistyped(value, "true or false", "write true or false, without quotes")
        return value

    return rule


def integer(low: int, high: int, unit: str = "") -> Rule:
    """A whole number in low … high, both allowed."""

    def rule(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise _mistyped(value, "a whole number", f"write one from {low} to {high}, no quotes")
        if not low <= value <= high:
            raise Wrong(f"{shown(value)} is out of range; use {low} to {high}{unit and ' ' + unit}")
        return value

    return rule


def pause(zero: str, low: int, high: int) -> Rule:
    """Seconds in low … high, or 0, which means what `zero` says."""

    def rule(value: object) -> int:
        if value == 0 and type(value) is int:
            return 0
        try:
            return int(integer(low, high, "seconds")(value))
        except Wrong as wrong:
            raise Wrong(f"{wrong}, or 0: {zero}") from None

    return rule


def seconds(low: float, high: float) -> Rule:
    """A time in seconds, whole or not, in low … high."""

    def rule(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _mistyped(value, "a number", f"write seconds from {low:g} to {high:g}, no quotes")
        if not low <= value <= high:  # nor is it in there when it is no number (nan)
            raise Wrong(f"{shown(value)} is out of range; use {low:g} to {high:g} seconds")
        return float(value)

    return rule


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _mistyped(value, "a text", "put it in quotes")
    return value


def text(longest: int, *, may_be_empty: bool = False) -> Rule:
    """One line of printable characters, at most `longest` of them."""

    def rule(value: object) -> str:
        line = _text(value)
        if not line.strip() and not may_be_empty:
            raise Wrong("is empty; write a text")
        if len(line) > longest:
            raise Wrong(f"has {len(line)} characters; use at most {longest}")
        if not line.isprintable():
            raise Wrong("has control characters or line breaks; use printable ones only")
        return line

    return rule


def matching(pattern: str, cure: str, *, secret: bool = False) -> Rule:
    """A text that all of `pattern` matches. A secret one is not quoted in the message."""

    def rule(value: object) -> str | Secret:
        word = _text(value)
        if not re.fullmatch(pattern, word):
            raise Wrong(f"{'the value' if secret else shown(word)} cannot be used; {cure}")
        return Secret(word) if secret else word

    return rule


def choice(*words: str | int, what: str) -> Rule:
    """One of these. what: "a language", to be read as "… is not a language"."""

    def rule(value: object) -> str | int:
        if isinstance(value, bool) or value not in words:
            if type(value) is not type(words[0]):
                cure = "no quotes" if isinstance(words[0], int) else "in quotes"
                raise _mistyped(value, _TYPES[type(words[0])], f"use {listed(words)}, {cure}")
            raise Wrong(f"{shown(value)} is not {what}; use {listed(words)}")
        return words[words.index(value)]

    return rule


def known(words: Collection[str], value: object) -> str:
    """One of the names that the program has, such as the kinds of drivers."""
    word = _text(value)
    if word not in words:
        if meant := near(word, words):
            raise Wrong(f"{shown(word)} is not known; did you mean {shown(meant)}?")
        raise Wrong(f"{shown(word)} is not known; use {listed(sorted(words))}")
    return word


def texts(most: int, rule_of_each: Rule) -> Rule:
    """A list of at most `most` texts, as a tuple."""

    def rule(value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise _mistyped(value, "a list", 'write it as ["…", "…"]')
        if len(value) > most:
            raise Wrong(f"has {len(value)} entries; use at most {most}")
        found: list[str] = []
        for number, entry in enumerate(value, 1):
            try:
                found.append(rule_of_each(entry))
            except Wrong as wrong:
                raise Wrong(f"entry {number}: {wrong}") from None
        return tuple(found)

    return rule


def path() -> Rule:
    """An absolute path without ".."."""

    def rule(value: object) -> Path:
        word = _text(value)
        if not word.startswith("/") or not word.isprintable() or ".." in Path(word).parts:
            raise Wrong(f"{shown(word)} is not an absolute path; begin it with /")
        return Path(word)

    return rule


def currency() -> Rule:
    def rule(value: object) -> Currency:
        return CURRENCIES[known(CURRENCIES, value)]

    return rule


def timezone() -> Rule:
    """A zone of the IANA database."""

    def rule(value: object) -> ZoneInfo:
        word = _text(value)
        try:
            return ZoneInfo(word)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            meant = near(word, available_timezones()) or "Europe/Berlin"
            raise Wrong(f"{shown(word)} is not a time zone; write one like {meant}") from None

    return rule


def is_loopback(host: str) -> bool:
    """Whether this names the machine itself, without asking any server."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def url() -> Rule:
    """The shop's base address: https, or http on this very machine. No trailing slash."""

    def rule(value: object) -> str:
        word = _text(value)
        try:
            parts = urlsplit(word)
            host, port_is_good = parts.hostname or "", parts.port != 0
        except ValueError:
            host, port_is_good = "", False
            parts = urlsplit("")
        # Before anything is quoted: what stands before the @ may be a password.
        if "@" in word:
            raise Wrong("has a user or password in it; the token belongs in token_file")
        if parts.scheme not in ("http", "https") or not host or not port_is_good:
            raise Wrong(f'{shown(word)} is not an address; write "https://shop.example"')
        if re.search(r"[\s?#]", word) or not word.isascii() or not word.isprintable():
            raise Wrong("has blanks, ?, # or special characters; write the base address only")
        if parts.scheme == "http" and not is_loopback(host):
            raise Wrong("would send the token in the clear; write https://")
        return word.rstrip("/")

    return rule


def proxy() -> Rule:
    """ "http://host:port" of an HTTP proxy, or "" for none. It is one without a password: one in
    this file would be for everybody who may read the settings."""
    pattern = r"http://(\[[0-9a-f:]+\]|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?):([0-9]{1,5})"

    def rule(value: object) -> str:
        word = _text(value)
        if "@" in word:  # before anything is quoted
            raise Wrong("has a user or password in it; name a proxy that asks for none")
        found = re.fullmatch(pattern, word)
        if word and (found is None or not 1 <= int(found[3]) <= 65535):
            raise Wrong(f'{shown(word)} is not a proxy; write "http://proxy.example:3128"')
        return word

    return rule


def origin() -> Rule:
    """One entry of the content security policy's frame-ancestors, without path."""
    return matching(
        r"https?://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?",
        'write an origin: "https://host"',
    )


def target() -> Rule:
    """Where results of links may go: "https://host", or an application's scheme, "kassa-api:"."""
    return matching(
        r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|[a-z][a-z0-9+.-]{1,40}:",
        'write "https://host" in lower case, or a scheme and its colon',
    )


def keys() -> Rule:
    """A list of keys of links, each as a line of link_keys.py; by their ids."""

    def rule(value: object) -> Mapping[str, Key]:
        lines = texts(MOST_KEYS, text(2_000))(value)
        try:
            return read_keys("\n".join(lines))
        except ValueError as error:
            raise Wrong(f"{error}; an entry is one key") from None

    return rule


def address(*schemes: str) -> Rule:
    """ "scheme:/path" or "tcp:host:port", of one of these schemes."""
    forms = listed([f'"{s}:host:port"' if s == "tcp" else f'"{s}:/path"' for s in schemes])

    def rule(value: object) -> Address:
        word = _text(value)
        scheme, _, rest = word.partition(":")
        if scheme not in schemes or not word.isprintable():
            raise Wrong(f"{shown(word)} is not an address of this device; write {forms}")
        if scheme != "tcp":
            try:
                return Address(scheme, path=str(path()(rest)))
            except Wrong as wrong:
                raise Wrong(f"after {scheme}: {wrong}") from None
        host, _, port = rest.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not re.fullmatch(r"[A-Za-z0-9._:-]+", host) or not re.fullmatch(r"[0-9]{1,5}", port):
            raise Wrong(f"{shown(word)} lacks host or port; write tcp:host:port")
        if not 1 <= int(port) <= 65535:
            raise Wrong(f"{port} is not a port; use 1 to 65535")
        return Address(scheme, host=host, port=int(port))

    return rule
