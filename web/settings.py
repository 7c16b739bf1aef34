"""What can be set about the screen. The counter's configuration is where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from appliance.domain.errors import ConfigTrouble

LANGUAGES: Final = ("en", "ru", "de", "fr")
"""The languages that Kassa has words in. English is what the sources are written in."""


class Theme(StrEnum):
    AUTO = "auto"  # as the browser's system says
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class Display:
    """The screen as the kiosk's session and page are to treat it. rotation: degrees clockwise.
    resolution: "1280x720" or "1280x720@60", "" for its own. keyboard: an XKB layout.
    blank_from, blank_until: HH:MM, or both "" for never."""

    rotation: int = 0
    resolution: str = ""
    keyboard: str = "us"
    blank_from: str = ""
    blank_until: str = ""


@dataclass(frozen=True, slots=True)
class Listener:
    """How paired devices are served, for the process that does it. listen: "" for not at all.
    cert_file, key_file: "" for one of its own."""

    listen: str = ""
    public_url: str = ""
    cert_file: str = ""
    key_file: str = ""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """hosts: the values of the Host header that are served, port included, as in
    "127.0.0.1:8100". frame_ancestors: origins that may show the kiosk in a frame; none by
    default. heartbeat_s: how often a browser tells that it draws, 1 to 600. pages: origins that the
    browser may show; the idle page leads to the first. listener: None while nobody knows.

    Raises ConfigTrouble for what cannot be.
    """

    hosts: tuple[str, ...]
    languages: tuple[str, ...] = LANGUAGES
    language: str = "en"
    frame_ancestors: tuple[str, ...] = ()
    theme: Theme = Theme.AUTO
    heartbeat_s: int = 10
    display: Display = Display()
    pages: tuple[str, ...] = ()
    listener: Listener | None = None

    def __post_init__(self) -> None:
        mistakes = [
            f"language {language!r}: Kassa has {', '.join(LANGUAGES)}"
            for language in self.languages
            if language not in LANGUAGES
        ]
        if self.language not in self.languages:
            mistakes.append(f"language {self.language!r} is not among the languages offered")
        if not self.hosts:
            mistakes.append("no host: the screen could not be reached")
        if self.theme not in tuple(Theme):
            mistakes.append(f"theme {self.theme!r}: it is auto, light or dark")
        if not 1 <= self.heartbeat_s <= 600:
            mistakes.append("heartbeat: 1 to 600 seconds")
        # They go into a header: one token each, nothing that could end it.
        for origin in self.frame_ancestors:
            if not origin.isascii() or any(character in origin for character in " ;,\r\n'\""):
                mistakes.append(f"frame ancestor {origin!r} is not an origin")
        if mistakes:
            raise ConfigTrouble(mistakes)
