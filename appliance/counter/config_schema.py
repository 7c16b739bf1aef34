"""Every section and key of kassa.toml: its type, its rule, its default. docs/configuration.md
tells what each means; a test holds the two together.

A key without default must be given, but for those that config.py works out (WORKED_OUT). Names
carry their unit last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints
from zoneinfo import ZoneInfo

from appliance.counter import config_rules as rules
from appliance.counter.config_rules import Address, Rule, Secret
from appliance.domain.money import CURRENCIES, Currency, Money
from appliance.protocols.links import signing

EURO: Final = CURRENCIES["EUR"]
TERMINAL: Final = Address("serial", path="/dev/kassa/terminal")
PRINTER: Final = Address("usb", path="/dev/kassa/printer")
FACTORY_PASSWORD: Final = Secret("000000")

_NAMED: Final = rules.matching(
    r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", "write a name: letters, digits, - and _"
)
_BAUD: Final = rules.choice(1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, what="a baud rate")
# ZVT knows two rates; another kind of terminal would bring a rule of its own.
_ZVT_BAUD: Final = rules.choice(9600, 115200, what="a baud rate of a terminal")
_OFFLINE: Final = rules.matching(
    r"refuse|allow-below +[0-9]{1,10}(\.[0-9]{1,6})?", 'write "refuse" or "allow-below 50.00"'
)
_CODE_PAGE: Final = rules.matching(r"[A-Za-z0-9_-]{0,20}", 'write a name like "CP866"')
_PASSWORD: Final = rules.matching(r"[0-9]{6}", "write six digits in quotes", secret=True)
_LAYOUT: Final = rules.matching(r"[a-z]{2,8}", 'write an XKB layout, such as "us" or "de"')
_TIME: Final = rules.matching(r"(([01][0-9]|2[0-3]):[0-5][0-9])?", 'write a time as "22:00"')
_RESOLUTION: Final = rules.matching(
    r"([1-9][0-9]{2,4}x[1-9][0-9]{2,4}(@[1-9][0-9]{1,2}(\.[0-9]{1,3})?)?)?",
    'write "1280x720" or "1280x720@60"',
)
_PICKUP_BY: Final = rules.matching(
    r"shipping-method|field:[A-Za-z][A-Za-z0-9_]{0,40}",
    'write "shipping-method" or "field:" and the name of a custom field of the order',
)
_LISTEN: Final = rules.matching(
    r"(([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9a-f:]+\]):[0-9]{1,5})?", 'write "0.0.0.0:8143"'
)
_LISTEN_METRICS: Final = rules.matching(
    r"(([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9a-f:]+\]):[0-9]{1,5})?", 'write "0.0.0.0:9101"'
)
_PUBLIC: Final = rules.matching(
    r"(https://[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?(:[0-9]{1,5})?)?",
    'write "https://counter-1.shop.example:8143" in lower case',
)
_TOKEN: Final = rules.matching(r"[!-~]{1,4096}", "use printable ASCII, no blanks", secret=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """offline: below which amount an order may be charged while the shop cannot be asked; None:
    never. sign_out_after_s: 0 is never. timezone: None is the system's. unknown_ask_s: how long
    the terminal is asked what became of a payment before a person is."""

    name: Annotated[str, rules.text(40)]
    place: Annotated[str, rules.text(60, may_be_empty=True)] = ""
    currency: Annotated[Currency, rules.currency()] = EURO
    language: Annotated[
        str, rules.choice("en", "ru", "de", "fr", what="a language of the kiosk")
    ] = "en"
    timezone: Annotated[ZoneInfo | None, rules.timezone()] = None
    require_seller: Annotated[bool, rules.boolean()] = False
    sign_out_after_s: Annotated[int, rules.pause("never", 30, 86_400)] = 900
    receipt_heading: Annotated[tuple[str, ...], rules.texts(6, rules.text(48))] = ()
    data_dir: Annotated[Path, rules.path()] = Path("/var/lib/kassa")
    offline: Annotated[Money | None, _OFFLINE] = None
    lease_s: Annotated[int, rules.integer(120, 7_200, "seconds")] = 600
    unknown_ask_s: Annotated[int, rules.integer(30, 1_800, "seconds")] = 180

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.data_dir / "journal.sqlite3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """The kiosk's own pages. They have no password: host is always this machine."""

    host: Annotated[
        str,
        rules.choice("127.0.0.1", "::1", "localhost", what="an address of this machine alone"),
    ] = "127.0.0.1"
    port: Annotated[int, rules.integer(1, 65_535)] = 8100
    frame_ancestors: Annotated[tuple[str, ...], rules.texts(8, rules.origin())] = ()
    theme: Annotated[str, rules.choice("auto", "light", "dark", what="a theme")] = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """What the kiosk's session makes of the screen. blank_from, blank_until: local times between
    which an idle screen is black; both "" for never. keyboard: an XKB layout. resolution:
    "1280x720" or "1280x720@60" (Hz), "" for the display's own."""

    rotation: Annotated[int, rules.choice(0, 90, 180, 270, what="a rotation")] = 0
    resolution: Annotated[str, _RESOLUTION] = ""
    keyboard: Annotated[str, _LAYOUT] = "us"
    blank_from: Annotated[str, _TIME] = ""
    blank_until: Annotated[str, _TIME] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """token: from wherever the file says; exactly one of the three keys is given.
    ca_file: certificates to trust besides the system's. proxy: the HTTP proxy that the shop is
    reached by, "" for none. poll_s, ready_statuses, sellers_file: of a shop that neither waits
    with its answers nor knows sellers, such as WooCommerce. pickup_by, channel: for Vendure alone,
    see its page."""

    kind: Annotated[str, _NAMED] = "kassa"
    url: Annotated[str, rules.url()]
    pickup_point: Annotated[str, rules.text(80)]
    token_file: Annotated[Path | None, rules.path()] = None
    token_credential: Annotated[str | None, _NAMED] = None
    token: Annotated[Secret, _TOKEN]
    pickup_by: Annotated[str, _PICKUP_BY] = "field:pickupPoint"
    channel: Annotated[str, rules.matching(r"[!-~]{0,200}", "use printable ASCII, no blanks")] = ""
    ca_file: Annotated[Path | None, rules.path()] = None
    proxy: Annotated[str, rules.proxy()] = ""
    connect_timeout_s: Annotated[float, rules.seconds(0.1, 60)] = 5.0
    answer_timeout_s: Annotated[float, rules.seconds(0.1, 120)] = 10.0
    poll_s: Annotated[float, rules.seconds(2, 300)] = 10.0
    ready_statuses: Annotated[tuple[str, ...], rules.texts(10, _NAMED)] = ("processing", "on-hold")
    sellers_file: Annotated[Path | None, rules.path()] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """response_timeout_s: from a command to the terminal's response (ZVT: T3).
    completion_timeout_s: from there to the end, begun anew by each sign of life (ZVT: T4).
    password: from wherever the file says; one of the two keys is given, or neither.
    trace: every message goes to a file in data_dir, free of card numbers and passwords.

    Of kind "pay-api": answer_key, the id of the key that its answers are signed with.
    accept_unsigned: an answer that nobody signed is put before the seller. knows_status: the
    application can be asked what became of a payment."""

    kind: Annotated[str, _NAMED] = "zvt"
    address: Annotated[Address, rules.address("serial", "tcp")] = TERMINAL
    baud: Annotated[int, _ZVT_BAUD] = 9600
    password: Annotated[Secret, _PASSWORD] = FACTORY_PASSWORD
    password_credential: Annotated[str | None, _NAMED] = None
    connect_timeout_s: Annotated[float, rules.seconds(0.1, 60)] = 5.0
    response_timeout_s: Annotated[float, rules.seconds(0.1, 60)] = 5.0
    completion_timeout_s: Annotated[float, rules.seconds(1, 600)] = 180.0
    trace: Annotated[bool, rules.boolean()] = False
    answer_key: Annotated[str, rules.text(64, may_be_empty=True)] = ""
    accept_unsigned: Annotated[bool, rules.boolean()] = False
    knows_status: Annotated[bool, rules.boolean()] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Printer:
    """profile: a row of the encoder's table of printers. code_page: the preferred one, "" the
    profile's first. flow: of a serial line. status: "none" is for a printer that never answers.
    answer_timeout_s: how long it may keep silent when asked; then it counts as gone.

    Of kind "print-api": answer_key, the id of the key that its answers are signed with.
    accept_unsigned: answers that nobody signed count as well."""

    kind: Annotated[str, _NAMED] = "escpos"
    address: Annotated[Address, rules.address("usb", "serial", "tcp", "file")] = PRINTER
    baud: Annotated[int, _BAUD] = 9600
    flow: Annotated[str, rules.choice("rts-cts", "none", what="a flow control")] = "rts-cts"
    profile: Annotated[str, _NAMED] = "generic-80"
    code_page: Annotated[str, _CODE_PAGE] = ""
    status: Annotated[str, rules.choice("full", "none", what="a way to ask")] = "full"
    answer_timeout_s: Annotated[float, rules.seconds(0.1, 60)] = 2.0
    open_drawer: Annotated[bool, rules.boolean()] = False
    print_merchant_slip: Annotated[bool, rules.boolean()] = True
    print_declines: Annotated[bool, rules.boolean()] = True
    answer_key: Annotated[str, rules.text(64, may_be_empty=True)] = ""
    accept_unsigned: Annotated[bool, rules.boolean()] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner:
    """layout: the keyboard layout that a scanner of kind "evdev" types in."""

    kind: Annotated[str, _NAMED] = "evdev"
    address: Annotated[Address, rules.address("evdev", "serial")]
    baud: Annotated[int, _BAUD] = 9600
    layout: Annotated[str, _NAMED] = "us"


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """adopt: whether devices that are plugged in are offered at the screen, and whether one of the
    same model goes on for one that is gone. sellers: the ids of those who may confirm, () for
    everyone."""

    adopt: Annotated[str, rules.choice("ask", "replace", "off", what="a policy for devices")] = (
        "ask"
    )
    sellers: Annotated[tuple[str, ...], rules.texts(64, rules.text(64))] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    level: Annotated[str, rules.choice("debug", "info", "warning", "error", what="a level")] = (
        "info"
    )
    format: Annotated[str, rules.choice("json", "text", what="a format")] = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """keep_days: how long what is closed and delivered is kept."""

    keep_days: Annotated[int, rules.integer(30, 36_500, "days")] = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """accept: which links are taken. start: whether a signed one charges by itself. return_to:
    origins, or schemes with their colon, that results may go to. sign_with: the id of the key that
    signs results, "" for none. keys: those that stand here and in the file or credential. pages:
    the shop's own, which the kiosk's browser may show. listen: where paired devices are served, ""
    for nowhere; public_url: what they call it; cert_file, key_file: in PEM, None for our own."""

    accept: Annotated[
        str, rules.choice("none", "signed", "confirmed", what="a policy for links")
    ] = "none"
    start: Annotated[str, rules.choice("by-itself", "seller", what="a way to start")] = "by-itself"
    return_to: Annotated[tuple[str, ...], rules.texts(32, rules.target())] = ()
    keys_credential: Annotated[str | None, _NAMED] = None
    keys_file: Annotated[Path | None, rules.path()] = None
    keys: Annotated[Mapping[str, signing.Key], rules.keys()] = field(default_factory=dict)
    sign_with: Annotated[str, rules.text(64, may_be_empty=True)] = ""
    pages: Annotated[tuple[str, ...], rules.texts(8, rules.origin())] = ()
    listen: Annotated[str, _LISTEN] = ""
    public_url: Annotated[str, _PUBLIC] = ""
    cert_file: Annotated[Path | None, rules.path()] = None
    key_file: Annotated[Path | None, rules.path()] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """listen: where a Prometheus server is answered, "" for nowhere. token_credential: what holds
    the token that it has to show, None for none. cert_file, key_file: in PEM, None for plain HTTP.
    """

    listen: Annotated[str, _LISTEN_METRICS] = ""
    token_credential: Annotated[str | None, _NAMED] = None
    cert_file: Annotated[Path | None, rules.path()] = None
    key_file: Annotated[Path | None, rules.path()] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All of kassa.toml, checked. No secret is in its repr."""

    counter: Counter
    web: Web
    display: Display
    shop: Shop
    terminal: Terminal
    printer: Printer
    scanner: Scanner
    devices: Devices
    log: Log
    journal: Journal
    links: Links
    metrics: Metrics


SECTIONS: Final[dict[str, type[Any]]] = {
    "counter": Counter,
    "web": Web,
    "display": Display,
    "shop": Shop,
    "terminal": Terminal,
    "printer": Printer,
    "scanner": Scanner,
    "devices": Devices,
    "log": Log,
    "journal": Journal,
    "links": Links,
    "metrics": Metrics,
}
WORKED_OUT: Final = frozenset({("shop", "token"), ("scanner", "address")})
"""What may be left out, although it has no default of its own: config.py works it out."""

KIND_OF_SHOP: Final = {"pickup_by": "vendure", "channel": "vendure"}
"""Keys of [shop] that one kind of shop has, and no other."""

NO_DEVICE: Final = "none"
"""The kind of a scanner that is not there; no driver has it."""
BY_LINK: Final = {"terminal": "pay-api", "printer": "print-api"}
"""The kinds that are applications, reached by links: they have no address."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of one section. default is MISSING where there is none."""

    name: str
    rule: Rule
    default: Any
    is_required: bool


@cache
def keys(section: str) -> dict[str, Key]:
    """The keys of a section, in the order of the documentation."""
    hints = get_type_hints(SECTIONS[section], include_extras=True)
    return {
        found.name: Key(
            found.name,
            hints[found.name].__metadata__[0],
            found.default if found.default_factory is MISSING else found.default_factory(),
            found.default is MISSING
            and found.default_factory is MISSING
            and (section, found.name) not in WORKED_OUT,
        )
        for found in fields(SECTIONS[section])
    }
