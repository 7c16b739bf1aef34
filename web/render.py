"""Screens as HTML. One fragment per screen; the page around it is sent once."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final

from jinja2 import Environment, Template

from appliance.counter.commands import COMMAND_CODES
from appliance.counter.screen import Screen
from web import code128, labels, qr, view
from web.settings import WebSettings
from web.view import Language

# Which language is being rendered, for the macros too: they do not see a template's variables.
_spoken: ContextVar[Language] = ContextVar("spoken")

# The letters stand in alphabetical order: whoever types one a day looks for it there.
KEYPAD_DIGITS: Final = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "-", "0", "/")
KEYPAD_LETTERS: Final = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
# Beside the Latin ones, where order numbers may have others.
KEYPAD_MORE_LETTERS: Final = {"ru": tuple("АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ")}


class Renderer:
    """Turns screens into HTML in any of the languages.

    app: changes with every start of the program; a page that meets another one loads itself anew.
    asset: the address of a static file. now: the wall time.
    """

    def __init__(
        self,
        environment: Environment,
        settings: WebSettings,
        *,
        app: str,
        asset: Callable[[str], str],
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._now = now
        environment.add_extension("jinja2.ext.i18n")
        environment.install_gettext_callables(  # type: ignore[attr-defined]
            lambda text: _spoken.get().text(text),
            lambda one, many, number: _spoken.get().plural(one, many, number),
            newstyle=True,
        )
        environment.trim_blocks = True
        environment.lstrip_blocks = True
        environment.filters |= {
            "money": lambda money: _spoken.get().money(money),
            "quantity": lambda quantity: _spoken.get().quantity(quantity),
            "moment": lambda at, today: _spoken.get().moment(at, today),
            "worded": lambda code: _spoken.get().worded(code),
            "said": lambda text: _spoken.get().text(text) if text else "",
            "qr": qr.svg,
            "fit": view.fit,
            "headline": view.headline,
            "slug": view.slug,
            "dots": view.join,
        }
        environment.globals |= {"labels": labels, "view": view, "asset": asset, "app_id": app}
        self._fragment = environment.get_template("screen.html")
        self._shell = environment.get_template("shell.html")
        self._commands = environment.get_template("commands.html")

    def fragment(self, screen: Screen, language: Language) -> str:
        """The screen, as what GET /screen answers."""
        return self._render(self._fragment, self._of(screen, language))

    def shell(self, screen: Screen, language: Language) -> str:
        """The whole page with the screen in it."""
        values = self._of(screen, language)
        more = KEYPAD_MORE_LETTERS.get(language.code)
        alphabets = (KEYPAD_LETTERS, more) if more else (KEYPAD_LETTERS,)
        values |= {"settings": self._settings, "digits": KEYPAD_DIGITS, "alphabets": alphabets}
        return self._render(self._shell, values)

    def commands(self, language: Language) -> str:
        """The sheet of command barcodes, to be printed."""
        rows = [
            (code, labels.COMMANDS[action], code128.svg(code))
            for code, (action, _) in COMMAND_CODES.items()
        ]
        return self._render(self._commands, {"language": language, "rows": rows})

    def _of(self, screen: Screen, language: Language) -> dict[str, Any]:
        return {
            "screen": screen,
            "body": screen.body,
            "language": language,
            "languages": self._settings.languages,
            "tone": view.tone(screen),
            "clock": view.clock(self._now(), screen.at),
            "shop_page": next(iter(self._settings.pages), ""),
        }

    @staticmethod
    def _render(template: Template, values: dict[str, Any]) -> str:
        token = _spoken.set(values["language"])
        try:
            return template.render(values)
        finally:
            _spoken.reset(token)
