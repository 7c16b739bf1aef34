"""What a device at USB calls itself, and what that says: its name, what it may be, what suits it.

Which role a model has is udev's to say (udev/60-kassa.hwdb): it names the nodes, and there must be
one table of that. Here are the names that people know the models by, for the screen; a test holds
both together. Nothing here is sent to a device: all of it was read when it was plugged in.

Sources: [usb.ids], the USB ID repository as in systemd's 20-usb-vendor-model.hwdb, for vendors and
models; [linux], the drivers' own lists in drivers/usb/serial, for adapters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PRINTER_CLASS: Final = "usbmisc"
SERIAL: Final = "tty"
KEYS: Final = "input"
"""The sorts of node that can have a role: a printer's, a serial port, what types."""

LONGEST_NAME: Final = 40

_MODELS: Final[dict[tuple[int, int], str]] = {
    # [usb.ids], but for those of 60-kassa.hwdb that are known from their owners' lsusb
    (0x04B8, 0x0202): "Epson TM",
    (0x04B8, 0x0E03): "Epson TM-T20",
    (0x04B8, 0x0E15): "Epson TM-T20II",
    (0x04B8, 0x0E28): "Epson TM-T20III",
    (0x04B8, 0x0E31): "Epson TM-L100",
    (0x1D90, 0x20F0): "Citizen CT-E351",
    (0x2730, 0x2002): "Citizen CT-S2000",
    (0x1D90, 0x201E): "Citizen PPU-700",
    (0x2730, 0x1004): "Citizen PPU-700",
    (0x0DD4, 0x0237): "Custom K80",
    (0x0404, 0x0311): "NCR 7167",
    (0x0404, 0x0312): "NCR 7197",
    (0x0AA7, 0x0300): "Wincor Nixdorf TH210",
    (0x0AA7, 0x0302): "Wincor Nixdorf TH220",
    (0x0AA7, 0x0304): "Wincor Nixdorf TH230",
    (0x0AA7, 0x0306): "Wincor Nixdorf TH320",
    (0x0AA7, 0x0308): "Wincor Nixdorf TH420",
    (0x0C2E, 0x0700): "Metrologic",
    (0x0C2E, 0x0720): "Metrologic",
    (0x05F9, 0x4204): "Datalogic Gryphon",
    (0x05E0, 0x1701): "Zebra",
    (0x065A, 0x0001): "Opticon OPR-2001",
    (0x065A, 0x0009): "Opticon NLV-1001",
    (0x079B, 0x0028): "Ingenico Telium",
    (0x2912, 0x0005): "Atol",
}

_MAKERS: Final[dict[int, str]] = {
    # [usb.ids]
    0x04B8: "Epson",
    0x0519: "Star",
    0x1504: "Bixolon",
    0x1D90: "Citizen",
    0x2730: "Citizen",
    0x0C2E: "Honeywell",
    0x05F9: "Datalogic",
    0x080C: "Datalogic",
    0x05E0: "Zebra",
    0x1EAB: "Newland",
    0x065A: "Opticon",
    0x067E: "Intermec",
    0x0B00: "Ingenico",
    0x11CA: "Verifone",
    # as their owners' lsusb shows
    0x2FB8: "PAX",
}

_ADAPTERS: Final = {
    # [linux]: the driver that has bound to the port
    "ftdi_sio": "FTDI",
    "cp210x": "CP210x",
    "ch341": "CH340",
    "pl2303": "PL2303",
}

# The names of printers' models, as in the makers' IEEE 1284 ids, and the profile of
# protocols/escpos/profiles.py that says so in its comment. The longest that fits counts.
_PROFILES: Final = {
    "TM-T88": "epson-tm-t88",
    "TM-T20": "epson-tm-80",
    "TM-T82": "epson-tm-80",
    "TM-m30": "epson-tm-80",
    "TM-P20": "epson-tm-58",
    "TM-m10": "epson-tm-58",
    "POS-58": "generic-58",
    "POS58": "generic-58",
    "POS-80": "generic-80",
    "POS80": "generic-80",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What the kernel knows of one node of a device.

    sort: of the node. driver: the kernel's for its interface. maker, product: the device's own
    words. ieee1284: a printer's id, "" for none."""

    vendor: int
    model: int
    sort: str
    driver: str = ""
    maker: str = ""
    product: str = ""
    ieee1284: str = ""


def is_adapter(said: Said) -> bool:
    """It has a serial port of its own and says nothing of what hangs on that."""
    return said.driver in _ADAPTERS


def name(said: Said) -> str:
    """What people call the device, at most 40 characters, none of them unprintable. The printer's
    own id is the most exact, as makers use one USB id for several models."""
    printer = ieee1284(said.ieee1284)
    known = _MODELS.get((said.vendor, said.model), "")
    maker = _MAKERS.get(said.vendor, "") or said.maker
    candidates = (
        _joined(_MAKERS.get(said.vendor, "") or printer.get("MFG", ""), printer.get("MDL", ""))
        if printer.get("MDL")
        else "",
        known,
        f"{_ADAPTERS[said.driver]} ({said.product})" if is_adapter(said) and said.product else "",
        _ADAPTERS.get(said.driver, ""),
        _joined(maker, said.product),
    )
    shown = (_clean(each) for each in candidates)
    return next(filter(None, shown), f"{said.vendor:04x}:{said.model:04x}")


def ieee1284(text: str) -> dict[str, str]:
    """The keys of a printer's id, by their short names: IEEE 1284-2000, 7.6, "key: value;"."""
    short = {"MANUFACTURER": "MFG", "MODEL": "MDL", "COMMAND SET": "CMD", "DESCRIPTION": "DES"}
    found: dict[str, str] = {}
    for part in text.split(";"):
        key, colon, value = part.partition(":")
        key = key.strip().upper()
        if colon and value.strip():
            found.setdefault(short.get(key, key), value.strip())
    return found


def profile(said: Said) -> str:
    """The printer profile that suits the model, "" where none is known to."""
    model = ieee1284(said.ieee1284).get("MDL", "") or _MODELS.get((said.vendor, said.model), "")
    fitting = [mark for mark in _PROFILES if mark.lower() in model.lower()]
    return _PROFILES[max(fitting, key=len)] if fitting else ""


def tells_apart(serial: str) -> bool:
    """Whether this serial number is one of a single device, and not one that a whole make shares:
    such as 0001, 123456789 or none."""
    counted = "0123456789" * 2 + "ABCDEF"
    return len(set(serial)) > 3 and serial.upper() not in counted


def _joined(maker: str, product: str) -> str:
    """Without the maker twice: many say it again in the product."""
    if not maker or product.upper().startswith(maker.upper()):
        return product
    return f"{maker} {product}"


def _clean(text: str) -> str:
    printable = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(printable.split())[:LONGEST_NAME].strip()
