"""Labels for picked orders: what a counter's scanner reads, on a sheet (PDF) or on the receipt
printer. Code 128 where the code fits, and a QR code in any case."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

import segno

from appliance.counter.config_schema import BY_LINK, Config
from appliance.counter.instance import lock
from appliance.counter.kinds import PRINTERS, SHOPS
from appliance.counter.link_out import LinkOut
from appliance.domain.errors import Code, ConfigTrouble, OrderTrouble, ShopTrouble
from appliance.domain.order import Order
from appliance.domain.receipt import Align, Barcode, Document, Qr, Text
from appliance.protocols import pdf
from appliance.protocols.escpos import code128

COLUMNS: Final = 3
ROWS: Final = 8
"""A sheet of 24 labels of 70 x 37 mm, as stationers sell them."""
_WIDTH_MM: Final = pdf.A4_MM[0] / COLUMNS
_HEIGHT_MM: Final = pdf.A4_MM[1] / ROWS
_EDGE_MM: Final = 5.0
_QR_MM: Final = 20.0
_BARS_MM: Final = 9.0
_WIDEST_BARS_MM: Final = _WIDTH_MM - _QR_MM - 3 * _EDGE_MM
_THINNEST_BAR_MM: Final = 0.25
"""Ordinary scanners read it; a thinner one a cheap printer smears."""
_LONGEST_BARCODE: Final = 20


def orders_of(config: Config, numbers: Sequence[str]) -> list[Order]:
    """These orders, or all open ones of the pickup point. Raises OrderTrouble, ShopTrouble."""
    shop = SHOPS[config.shop.kind](config)
    try:
        if numbers:
            return [shop.order(number) for number in numbers]
        snapshot = shop.snapshot("", 0)
        if snapshot is None:
            raise ShopTrouble(Code.SHOP_NONSENSE, "no orders were asked for anew, and none came")
        return list(snapshot.orders)
    finally:
        shop.close()


def code_of(order: Order) -> str:
    """What the label's codes say: what scanners read, else what people say."""
    return order.codes[0] if order.codes else order.number


# --- on a sheet -------------------------------------------------------------------------------


def sheet(orders: Sequence[Order]) -> bytes:
    """A PDF of as many sheets as it takes. Raises OrderTrouble where there is none to print."""
    if not orders:
        raise OrderTrouble(Code.ORDER_UNKNOWN, "there is no open order to label")
    pages: list[pdf.Page] = []
    for number, order in enumerate(orders):
        place = number % (COLUMNS * ROWS)
        if place == 0:
            pages.append(pdf.Page())
        left, top = place % COLUMNS * _WIDTH_MM, place // COLUMNS * _HEIGHT_MM
        _draw(pages[-1], left, top, order)
    return pdf.document(pages)


def _draw(page: pdf.Page, left: float, top: float, order: Order) -> None:
    x, code = left + _EDGE_MM, code_of(order)
    page.text(x, top + 9.5, order.number[:18], size=15, bold=True)
    for row, text in enumerate(_below(order)):
        page.text(x, top + 13.5 + 3.5 * row, text[:32], size=8)
    draw_qr(page, left + _WIDTH_MM - _EDGE_MM - _QR_MM, top + 6, code, _QR_MM)
    bars = _bars(code)
    each = min(0.4, _WIDEST_BARS_MM / len(bars)) if bars else 0.0
    for place, width in _strokes(bars if each >= _THINNEST_BAR_MM else []):
        page.box(x + place * each, top + _HEIGHT_MM - _EDGE_MM - _BARS_MM, width * each, _BARS_MM)


def _below(order: Order) -> list[str]:
    """Under the number: who, how much, where."""
    count = len(order.lines)
    much = f"{count} position{'s' if count != 1 else ''}, {order.total}"
    words = [order.customer.name, much, order.cell]
    return [word for word in words if word][:3]


def _bars(code: str) -> list[bool]:
    try:
        return code128.modules(code128.values(code128.runs(code)))
    except ValueError:
        return []  # not ASCII: the QR code has it


def draw_qr(page: pdf.Page, left: float, top: float, code: str, size_mm: float) -> None:
    """The symbol without its quiet zone, its upper left corner at left, top."""
    matrix = segno.make_qr(code, error="m").matrix
    each = size_mm / len(matrix)
    for row, modules in enumerate(matrix):
        for place, width in _strokes([bool(module) for module in modules]):
            page.box(left + place * each, top + row * each, width * each, each)


def _strokes(modules: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Runs of dark modules: place and width."""
    start = None
    for place, is_dark in enumerate([*modules, False]):
        if is_dark and start is None:
            start = place
        elif not is_dark and start is not None:
            yield start, place - start
            start = None


# --- on the receipt printer -------------------------------------------------------------------


def label(order: Order) -> Document:
    """One order's label as the receipt printer prints it."""
    code = code_of(order)
    elements: list[Text | Barcode | Qr] = [Text(order.number, Align.CENTER, bold=True, size=2)]
    elements += [Text(text, Align.CENTER) for text in _below(order)]
    if len(code) <= _LONGEST_BARCODE and _bars(code):
        elements.append(Barcode(code))
    elements.append(Qr(code))
    return Document(tuple(elements))


def print_on(config: Config, orders: Collection[Order]) -> None:
    """On the configured printer; the kiosk must not run, whose printer it is. Raises
    PrinterTrouble, JournalTrouble(SECOND_INSTANCE), and ConfigTrouble for an application that
    prints receipts and nothing else."""
    from appliance.counter.clock import SystemClock

    if config.printer.kind == BY_LINK["printer"]:
        raise ConfigTrouble(["[printer] kind: prints receipts only; use --pdf or --escpos"])
    clock = SystemClock()
    with lock(config):
        printer = PRINTERS[config.printer.kind](config, clock, LinkOut(clock))
        try:
            for order in orders:
                printer.print(label(order), lambda: None)
        finally:
            printer.close()


def escpos(config: Config, orders: Collection[Order]) -> bytes:
    """The bytes for a printer of the configured profile, to be sent to it by other means."""
    from appliance.protocols.escpos.encode import Encoder
    from appliance.protocols.escpos.profiles import PROFILES

    encoder = Encoder(PROFILES[config.printer.profile], config.printer.code_page)
    return b"".join(b"".join(encoder.encode(label(order))) for order in orders)


def write(config: Config, numbers: Sequence[str], *, sheet_to: str, escpos_to: str) -> int:
    """Labels for these orders, or for all: to a PDF, to a file for a printer, or to the printer
    itself where neither is named. How many. Raises Trouble."""
    orders = orders_of(config, numbers)
    if not orders:
        raise OrderTrouble(Code.ORDER_UNKNOWN, "there is no open order to label")
    if sheet_to:
        Path(sheet_to).write_bytes(sheet(orders))
    if escpos_to:
        Path(escpos_to).write_bytes(escpos(config, orders))
    if not (sheet_to or escpos_to):
        print_on(config, orders)
    return len(orders)
