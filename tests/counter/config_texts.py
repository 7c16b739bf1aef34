"""The smallest kassa.toml, and reading one with a mistake in it."""

import re

import pytest

from appliance.counter.config import parse
from appliance.domain.errors import Code, ConfigTrouble

NAMES = {
    "terminal.kind": {"zvt", "pay-api"},
    "printer.kind": {"escpos", "print-api"},
    "scanner.kind": {"evdev", "serial"},
    "shop.kind": {"kassa", "vendure"},
}
TOKEN = "tok-3fb2-do-not-show"
SMALLEST = f"""\
[counter]
name = "C"
[shop]
url = "https://shop.example/"
pickup_point = "p"
token = "{TOKEN}"
"""


def read(text=SMALLEST, **environ):
    return parse(text, "kassa.toml", names=NAMES, environ=environ)


def mistakes(text, **environ):
    with pytest.raises(ConfigTrouble) as caught:
        read(text, **environ)
    assert caught.value.code is Code.CONFIGURATION
    return caught.value.mistakes


def with_line(section, line):
    """The smallest configuration with this line under this section."""
    if f"[{section}]" not in SMALLEST:
        return f"{SMALLEST}[{section}]\n{line}\n"
    key = line.split("=", maxsplit=1)[0].strip()
    rest = re.sub(rf"(?m)^{re.escape(key)} = .*\n", "", SMALLEST)
    return rest.replace(f"[{section}]\n", f"[{section}]\n{line}\n")
