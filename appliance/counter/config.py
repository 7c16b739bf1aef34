"""Reads kassa.toml. All mistakes are found in one go, each with its line and its cure.

What may be written is in config_schema.py; docs/configuration.md explains it to people.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any, Final

from appliance.counter import config_schema as schema
from appliance.counter import config_secrets as secrets
from appliance.counter.config_lines import Lines, crowded_line, find_lines
from appliance.counter.config_rules import (
    NOWHERE,
    Address,
    Rule,
    Secret,
    Wrong,
    known,
    listed,
    near,
    shown,
)
from appliance.counter.config_schema import SECTIONS, Config
from appliance.counter.config_secrets import CREDENTIALS
from appliance.domain.errors import ConfigTrouble
from appliance.domain.money import Money, MoneyError

__all__ = ["CREDENTIALS", "DEFAULT_FILE", "Config", "Secret", "SecretsMissing", "load", "parse"]

DEFAULT_FILE: Final = Path("/etc/kassa/kassa.toml")
LARGEST_FILE: Final = 64 * 1024
"""Bytes. A configuration has about 2 KiB; what is larger is some other file."""

_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)\Z")
_AT_END = " (at end of document)"
_SECRET_SOURCES = ("token", "token_file", "token_credential")


class SecretsMissing(ConfigTrouble):
    """Nothing is wrong with the settings but that secrets are not to be had. config: with
    stand-ins in their places. missing: "key: what is wrong; its cure", by section."""

    def __init__(self, mistakes: list[str], config: Config, missing: Mapping[str, str]) -> None:
        super().__init__(mistakes)
        self.config, self.missing = config, missing


def load(
    file: Path, *, names: Mapping[str, Collection[str]], environ: Mapping[str, str] = os.environ
) -> Config:
    """The configuration in this file.

    names: what the program has under a name, by "section.key": {"terminal.kind": {"zvt"}, …};
    the value of each key named so must be among them. environ: where systemd's credentials are
    looked up. Raises ConfigTrouble with every mistake that was found, SecretsMissing where all of
    them are secrets.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigTrouble([f"{file}: {_unreadable(error)}"]) from None
    if len(content) > LARGEST_FILE:
        raise ConfigTrouble([f"{file}: is larger than 64 KiB; name a kassa.toml"])
    try:
        text = content.decode("utf-8-sig")  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigTrouble([f"{file}:{line}: is not UTF-8; save the file as UTF-8"]) from None
    return parse(text, str(file), names=names, environ=environ)


def parse(
    text: str,
    file: str,
    *,
    names: Mapping[str, Collection[str]],
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """The configuration in this text; `file` is what mistakes are said to be in. As `load`."""
    if number := crowded_line(text):
        raise ConfigTrouble([f"{file}:{number}: has too many dots; a key has one name only"])
    lines = find_lines(text)
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise ConfigTrouble(
            [f"{file}:1: is nested too deeply; kassa.toml has sections only"]
        ) from None
    except ValueError as error:  # TOMLDecodeError is one; a number of 5,000 digits is another
        raise ConfigTrouble(_syntax(str(error), text, file, lines)) from None
    return _Reader(file, content, lines, names, environ).config()


def _syntax(message: str, text: str, file: str, lines: Lines) -> list[str]:
    """What tomllib stumbled over. It stops at the first; keys given twice are all named."""
    twice = [
        f"{file}:{found.line}: {_named(found.path)}: is given twice, first in line {found.first}; "
        "delete one of the two"
        for found in lines.duplicates
    ]
    line = text.count("\n") + (not text.endswith("\n"))
    if at := _AT_LINE.search(message):
        line = int(at[1])
        message = message[: at.start()]
    message = message.removesuffix(_AT_END)
    if twice and message.startswith("Cannot "):  # overwrite a value, declare a table twice
        return twice
    what = message[:1].lower() + message[1:]
    cure = "correct this line: texts stand in quotes, one key = value per line"
    return [*twice, f"{file}:{line}: is not TOML: {what}; {cure}"]


def _named(path: tuple[str, ...]) -> str:
    section, *rest = path
    return f"[{section}] {'.'.join(rest)}".rstrip()


def _unreadable(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "is not there; copy docs/kassa.example.toml to it and edit it"
        case PermissionError():
            return "may not be read by this user; chgrp it to the group kassa, chmod 640"
    return f"cannot be read ({error.strerror}); name a kassa.toml"


class _Reader:
    """One reading of one file: collects values and mistakes."""

    def __init__(
        self,
        file: str,
        content: dict[str, Any],
        lines: Lines,
        names: Mapping[str, Collection[str]],
        environ: Mapping[str, str],
    ) -> None:
        self._file = file
        self._content = content
        self._lines = lines
        self._names = names
        self._environ = environ
        self._mistakes: list[tuple[int, str]] = []
        self._missing: dict[str, tuple[int, str, str]] = {}

    def config(self) -> Config:
        self._strangers()
        values = {section: self._section(section) for section in SECTIONS}
        self._offline(values["counter"])
        self._blank(values["display"])
        self._lease(values["counter"], values["terminal"])
        self._token(values["shop"])
        self._password(values["terminal"])
        self._proxy(values["shop"])
        self._kind_of_shop(values["shop"])
        self._scanner(values["scanner"])
        self._links(values)
        self._pair(values["metrics"], "metrics")
        for section in schema.BY_LINK:
            self._by_link(section, values[section], values["links"])
        lacking = [(line, text) for line, text, _ in self._missing.values()]
        mistakes = [text for _, text in sorted([*self._mistakes, *lacking])]
        if self._mistakes:
            raise ConfigTrouble(mistakes)
        found = Config(**{name: kind(**values[name]) for name, kind in SECTIONS.items()})
        if lacking:
            said = {section: what for section, (_, _, what) in self._missing.items()}
            raise SecretsMissing(mistakes, found, said)
        return found

    def _mistake(self, what: object, section: str, key: str) -> tuple[int, str]:
        line = self._lines.of(section, key) if key else self._lines.of(section)
        label = f"[{section}] {key}".rstrip()
        return line, f"{self._file}:{line}: {label}: {what}"

    def _wrong(self, what: object, section: str, key: str = "") -> None:
        self._mistakes.append(self._mistake(what, section, key))

    def _lacks(self, what: Wrong, section: str, key: str) -> None:
        """The section's secret is not to be had; a stand-in is in its place."""
        self._missing[section] = (*self._mistake(what, section, key), f"{key}: {what}")

    def _strangers(self) -> None:
        """What stands at the top level and is no section of ours."""
        for name, value in self._content.items():
            if name in SECTIONS and isinstance(value, dict):
                continue
            line = self._lines.of(name)
            owners = list(_owners(name))
            if name in SECTIONS:
                what = f"{name}: must be a section; write [{name}] on a line of its own"
            elif not isinstance(value, dict):
                cure = f"move it to {listed(owners)}" if owners else "delete it"
                what = f"{name}: stands outside any section; {cure}"
            elif meant := near(name, SECTIONS):
                what = f"[{name}]: no such section; did you mean [{meant}]?"
            else:
                what = f"[{name}]: no such section; there are {listed(SECTIONS, 'and')}"
            self._mistakes.append((line, f"{self._file}:{line}: {what}"))

    def _section(self, section: str) -> dict[str, Any]:
        """The section's values, with defaults; what is wrong or missing is left out."""
        given = self._content.get(section, {})
        if not isinstance(given, dict):
            return {}  # named by _strangers; all its keys would only be named again
        expected = schema.keys(section)
        for name in given:
            if name not in expected:
                self._wrong(_unknown(name, section), section, name)
        values: dict[str, Any] = {}
        for name, key in expected.items():
            if name in given:
                try:
                    values[name] = self._value(given[name], section, name, key.rule)
                except Wrong as wrong:
                    self._wrong(wrong, section, name)
            elif key.is_required:
                meant = [stranger for stranger in given if near(stranger, [name])]
                if not meant:  # a misspelt one has been named already
                    self._wrong(f'is missing; add {name} = "…"', section, name)
            elif key.default is not MISSING:
                values[name] = key.default
        return values

    def _value(self, value: object, section: str, name: str, rule: Rule) -> Any:
        if (words := self._names.get(f"{section}.{name}")) is not None:
            if (section, name) == ("scanner", "kind"):
                words = {*words, schema.NO_DEVICE}
            return known(words, value)
        return rule(value)

    def _offline(self, counter: dict[str, Any]) -> None:
        policy, currency = counter.get("offline"), counter.get("currency")
        if policy is None or policy == "refuse":
            counter["offline"] = None
        elif currency is not None:
            amount = policy.removeprefix("allow-below").strip()
            try:
                counter["offline"] = Money.parse(amount, currency.code)
            except MoneyError as error:
                self._wrong(f"{error}; write an amount in {currency.code}", "counter", "offline")

    def _blank(self, display: dict[str, Any]) -> None:
        times = [name for name in ("blank_from", "blank_until") if display.get(name, "")]
        if len(times) == 1:
            self._wrong("is given alone; give blank_from and blank_until", "display", times[0])

    def _lease(self, counter: dict[str, Any], terminal: dict[str, Any]) -> None:
        # A claim that ends while the customer still pays would let another counter charge too.
        longest = terminal.get("completion_timeout_s", 0)
        if counter.get("lease_s", longest + 1) <= longest:
            self._wrong(
                f"{counter['lease_s']} would end while the customer still pays; use more than "
                f"[terminal] completion_timeout_s, which is {longest:g}",
                "counter",
                "lease_s",
            )

    def _token(self, shop: dict[str, Any]) -> None:
        section = self._content.get("shop")
        if not isinstance(section, dict):
            section = {}
        given = [name for name in _SECRET_SOURCES if name in section]
        if len(given) > 1:
            self._wrong(
                f"only one of {listed(given, 'and')} may be given; delete the others",
                "shop",
                given[1],
            )
            return
        if not given:
            if not any(near(name, _SECRET_SOURCES) for name in section):
                self._wrong('the token is missing; give token_file = "/path"', "shop")
            return
        source = given[0]
        if source == "token" or shop.get(source) is None:
            return
        try:
            shop["token"] = secrets.token(source, shop[source], self._environ)
        except Wrong as wrong:
            self._lacks(wrong, "shop", source)
            shop["token"] = secrets.STAND_IN_TOKEN

    def _password(self, terminal: dict[str, Any]) -> None:
        source = "password_credential"
        if terminal.get(source) is None:
            return
        if "password" in self._content["terminal"]:
            self._wrong(
                f"only one of password and {source} may be given; delete the other",
                "terminal",
                source,
            )
            return
        try:
            terminal["password"] = secrets.password(source, terminal[source], self._environ)
        except Wrong as wrong:
            self._lacks(wrong, "terminal", source)

    def _proxy(self, shop: dict[str, Any]) -> None:
        # Only a tunnel is asked of a proxy; without TLS it would read the token.
        if shop.get("proxy") and not shop.get("url", "https:").startswith("https:"):
            self._wrong("is for https alone; delete it, or write url with https", "shop", "proxy")

    def _links(self, values: dict[str, dict[str, Any]]) -> None:
        """The keys of the file beside those that stand in kassa.toml; and what needs them."""
        links = values["links"]
        if links.get("listen") and not links.get("public_url"):
            self._wrong("needs public_url, what devices call this counter", "links", "listen")
        self._pair(links, "links")
        sources = [name for name in ("keys_file", "keys_credential") if links.get(name) is not None]
        if len(sources) > 1:
            self._wrong("only one of keys_file and keys_credential", "links", sources[1])
            return
        name = links.get("sign_with", "")
        keys = dict(links.get("keys", {}))
        for source in sources:
            try:
                keys |= secrets.keys(source, links[source], self._environ)
            except Wrong as wrong:
                self._lacks(wrong, "links", source)
                needed = {name, *(values[each].get("answer_key", "") for each in schema.BY_LINK)}
                keys |= secrets.stand_in_keys(needed - {""} or {"none"})
        links["keys"] = keys
        if name and (name not in keys or not keys[name].can_sign):
            self._wrong("is no key that can sign; add it to the keys", "links", "sign_with")
        if links.get("accept") == "signed" and not keys:
            self._wrong('needs keys; give keys_credential = "link-keys"', "links", "accept")

    def _pair(self, values: dict[str, Any], section: str) -> None:
        if (values.get("cert_file") is None) != (values.get("key_file") is None):
            self._wrong(
                "one is given alone; give cert_file and key_file, or neither", section, "cert_file"
            )

    def _by_link(self, section: str, device: dict[str, Any], links: dict[str, Any]) -> None:
        """What an application needs that is reached by links."""
        kind = schema.BY_LINK[section]
        if device.get("kind") != kind:
            return
        device["address"] = NOWHERE
        if not links.get("sign_with"):
            self._wrong(f'"{kind}" signs its links; give [links] sign_with', section, "kind")
        name = device.get("answer_key", "")
        if not name and not device.get("accept_unsigned"):
            self._wrong(
                "is missing; name the key that answers are signed with", section, "answer_key"
            )
        elif name and name not in links.get("keys", {name}):
            self._wrong("is none of [links] keys; add it there", section, "answer_key")
        for key in ("print_merchant_slip", "print_declines"):
            if device.get(key):
                self._wrong(f'"{kind}" prints receipts only; write {key} = false', section, key)

    def _kind_of_shop(self, shop: dict[str, Any]) -> None:
        given, kind, token = self._content.get("shop", {}), shop.get("kind"), shop.get("token")
        for name, owner in schema.KIND_OF_SHOP.items():
            default = schema.keys("shop")[name].default
            if kind is not None and kind != owner and shop.get(name, default) != default:
                self._wrong(f'is for kind "{owner}" alone; delete it', "shop", name)
        if kind == "vendure" and token is not None and ":" not in token.reveal():
            source = next(name for name in _SECRET_SOURCES if name in given)
            self._wrong('is not of the form "name:password"; see docs/shops', "shop", source)

    def _scanner(self, scanner: dict[str, Any]) -> None:
        kind, address = scanner.get("kind"), scanner.get("address")
        if kind is None:
            return
        if kind == schema.NO_DEVICE:
            scanner["address"] = NOWHERE
        elif address is None:
            scanner["address"] = Address(kind, path="/dev/kassa/scanner")
        elif address.scheme != kind:
            self._wrong(
                f"{shown(str(address))} does not fit kind {shown(kind)}; "
                f"write {shown(f'{kind}:{address.path}')}",
                "scanner",
                "address",
            )


def _owners(name: str) -> Iterator[str]:
    for section in SECTIONS:
        if name in schema.keys(section):
            yield f"[{section}]"


def _unknown(name: str, section: str) -> str:
    expected = schema.keys(section)
    if meant := near(name, expected):
        return f"no such key; did you mean {meant}?"
    if owners := list(_owners(name)):
        return f"no such key; it belongs to {listed(owners)}"
    return f"no such key; [{section}] has {listed(expected, 'and')}"
