"""Screens of every kind, as a counter may have them: the plain, the crowded and the odd."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from appliance.counter.screen import (
    Action,
    Asking,
    Attention,
    AttentionDetail,
    AttentionItem,
    Body,
    Charging,
    Day,
    DayRow,
    Device,
    DeviceList,
    DeviceRow,
    DeviceState,
    Enrol,
    HandOver,
    Idle,
    LogLine,
    NoReceipt,
    Notice,
    OrderPage,
    OrderRow,
    OutOfOrder,
    Page,
    Paid,
    Pairing,
    Receipt,
    Refused,
    Screen,
    UnknownPage,
)
from appliance.domain.errors import Code
from appliance.domain.order import Order
from appliance.ports import WELL, Health, Prompt, Seller
from tests.web.orders import COFFEE, LONG, PARTLY, PREPAID, RUBLES, WINE, YEN, money

AT: Final = "2025-10-07T14:36:20+02:00"
A = Action

ANNA = Seller("s-1", "Anna K.")
DEVICES = tuple(Device(name, WELL) for name in ("terminal", "printer", "scanner", "shop"))
NO_PAPER = tuple(
    replace(device, health=Health(Code.NO_PAPER)) if device.name == "printer" else device
    for device in DEVICES
)
ALL_BAD = tuple(
    Device(name, Health(code, "technical words"))
    for name, code in (
        ("terminal", Code.TERMINAL_GONE),
        ("printer", Code.PRINTER_GONE),
        ("scanner", Code.SCANNER_GONE),
        ("shop", Code.SHOP_UNREACHABLE),
    )
)

ROWS = (
    OrderRow(
        "o-1042",
        "1042",
        "Maria S.",
        "A 3",
        money("1284.50"),
        True,
        "2025-10-07T09:10:00+02:00",
        (),
        False,
    ),
    OrderRow(
        "o-1051",
        "1051",
        "Oleg T.",
        "A 9",
        money("210.00"),
        True,
        "2025-10-02T09:10:00+02:00",
        (),
        True,
    ),
    OrderRow(
        "o-1043", "1043", "Ivan P.", "B 1", money("0"), True, "2025-10-06T19:30:00+02:00", (), False
    ),
    OrderRow(
        "o-1047",
        "1047",
        "Lea M.",
        "C 7",
        money("36.90"),
        True,
        "2025-10-07T08:00:00+02:00",
        ("age",),
        False,
    ),
    OrderRow("o-1060", "1060", "Kim N.", "", money("12.00"), False, "", (), False),
)
MANY_ROWS = ROWS + tuple(
    OrderRow(
        f"o-{n}",
        f"DE-2025-10-{n:07}",
        "Maximiliane Freifrau von Hohenstein-Wolkenburg",
        "Kühlraum 12",
        money("51912.22"),
        True,
        "2025-10-05T09:10:00+02:00",
        ("age", "identity"),
        False,
    )
    for n in range(45)
)

LOG = (
    LogLine("14:37:02", "sent", "1284.50 EUR"),
    LogLine("14:37:04", "terminal", "card"),
    LogLine("14:37:06", "terminal", "Bitte Karte einstecken"),
    LogLine("14:37:09", "lost", "no answer for 60 s"),
    LogLine("14:37:21", "asked"),
    LogLine("14:37:26", "no_answer", "the line is closed"),
)

UNRESOLVED = AttentionItem(
    "H-1",
    "1042",
    "Maria S.",
    money("1284.50"),
    Code.PAYMENT_UNRESOLVED,
    "",
    "2025-10-07T14:37:00+02:00",
)
ITEMS = (
    UNRESOLVED,
    AttentionItem(
        "H-2",
        "1038",
        "Oleg T.",
        money("210.00"),
        Code.PAID_NOT_HANDED,
        "",
        "2025-10-06T11:02:00+02:00",
    ),
    AttentionItem(
        "H-3",
        "1031",
        "",
        None,
        Code.SHOP_REFUSES_FACT,
        "409 order is closed",
        "2025-10-07T10:40:00+02:00",
    ),
)

DAY_ROWS = tuple(
    DayRow(
        f"H-{n}",
        str(1000 + n),
        ("Maria S.", "Maximiliane Freifrau von Hohenstein-Wolkenburg")[n % 2],
        money("0") if n % 3 == 0 else money(f"{n * 37}.50"),
        (Paid.ONLINE, Paid.CARD, Paid.DECIDED)[n % 3],
        f"{14 - n // 6:02}:{59 - n:02}",
        "Anna K.",
        n % 3 != 0,
    )
    for n in range(37)
)

TWINS: Final = tuple(
    DeviceRow(
        f"A-printer-{n}", "printer", "Epson TM-T20III", f"1.{n}", DeviceState.OFFERED,
        profile="epson-tm-80", may_adopt=True,
    )
    for n in (2, 4)
)  # fmt: skip
TERMINAL_ROW: Final = DeviceRow(
    "A-terminal-1", "terminal", "CH340 (USB Serial)", "1.1:1.0-port2", DeviceState.OFFERED,
    "Verifone V400m", "1.3", may_adopt=True,
)  # fmt: skip
IN_SERVICE: Final = (
    DeviceRow(
        "A-terminal-2", "terminal", "Verifone V400m", "1.3", DeviceState.SERVES, may_release=True
    ),
    DeviceRow("A-scanner-1", "scanner", "Honeywell 1450g", "2", DeviceState.SERVES),
)
ODD_ROWS: Final = (
    IN_SERVICE[0],
    TERMINAL_ROW,
    DeviceRow("A-printer-3", "printer", "Epson TM-T20III", "1.4", DeviceState.COMING,
              may_release=True),
    DeviceRow("A-printer-4", "printer", "W" * 40, "platform-xhci-hcd.1-usb-0:1.3:1.0",
              DeviceState.OFFERED, may_adopt=True),
    DeviceRow("A-scanner-2", "scanner", "Datalogic Gryphon", "1.1.1", DeviceState.NAMED),
    DeviceRow("A-scanner-3", "scanner", "Zebra", "", DeviceState.AWAY, may_release=True),
)  # fmt: skip

CROWD: Final = tuple(replace(row, id=f"{row.id}-{n}") for n in range(3) for row in ODD_ROWS)

BOX: Final = "Raspberry Pi 4 Model B Rev 1.5 · 10000000abcdef01 · 0123 4567 89ab cdef"

LONG_CODE = "0123456789ABCDEF" * 8  # the longest that the counter takes


def screen(page: Page, body: Body, *actions: Action, **changes: object) -> Screen:
    """A screen of the plain kind; `changes` replace what it is not about."""
    plain = Screen(
        seq=1,
        page=page,
        body=body,
        actions=frozenset({A.SCAN, *actions}),
        at=AT,
        counter="Counter 1",
        place="Nevsky 20",
        devices=DEVICES,
        seller=ANNA,
        seller_required=True,
        notice=None,
        attention=0,
        handed_over_today=37,
        undelivered=0,
    )
    if plain.seller and "seller" not in changes:
        plain = replace(plain, actions=plain.actions | {A.SIGN_OUT})
    return replace(plain, **changes)  # type: ignore[arg-type]


def order_page(order: Order, code: Code | None = None, **changes: object) -> OrderPage:
    kinds = tuple(check.kind.value for check in order.checks)
    page = OrderPage(order, code, "", True, kinds, (), False)
    return replace(page, **changes)  # type: ignore[arg-type]


def hand_over(order: Order, **changes: object) -> HandOver:
    page = HandOver(
        order,
        Paid.CARD,
        order.due,
        "Visa **** 4711",
        Receipt.PRINTED,
        frozenset(),
        (),
        tuple(check.kind.value for check in order.checks),
        True,
    )
    return replace(page, **changes)  # type: ignore[arg-type]


IDLE = (A.OPEN, A.ATTENTION, A.DAY, A.REPRINT, A.LANGUAGE)
ORDER = (A.CONFIRM, A.CANCEL)
GOODS = (A.CONFIRM, A.NEXT, A.TICK, A.REPRINT)
PLUGGED = (A.CANCEL, A.NEXT, A.OPEN)
DECIDE = (A.CANCEL, A.ATTENTION, A.DECIDE_PAID, A.DECIDE_NOT_PAID)

SAMPLES: Final[dict[str, Screen]] = {
    "idle": screen(Page.IDLE, Idle(ROWS, 5, 0, True), *IDLE),
    "idle-many": screen(
        Page.IDLE, Idle(MANY_ROWS, 58, 8, True), *IDLE, attention=2, undelivered=3, devices=NO_PAPER
    ),
    "idle-troubles": screen(
        Page.IDLE, Idle(ROWS, 5, 0, True), *IDLE, devices=ALL_BAD, attention=1, undelivered=1204
    ),
    "idle-empty": screen(Page.IDLE, Idle((), 0, 0, True), *IDLE, handed_over_today=1),
    "idle-first": screen(Page.IDLE, Idle((), 0, 0, False), A.DAY, devices=ALL_BAD[3:]),
    "idle-sign-in": screen(
        Page.IDLE,
        Idle(ROWS, 5, 0, True),
        A.OPEN,
        A.DAY,
        seller=None,
        notice=Notice(Code.SIGN_IN_FIRST),
    ),
    "idle-notice": screen(
        Page.IDLE, Idle(ROWS, 5, 0, True), *IDLE, notice=Notice(Code.SCAN_UNREADABLE, "too slow")
    ),
    "idle-new-device": screen(
        Page.IDLE, Idle(ROWS, 5, 0, True, ("printer",)), *IDLE, A.DEVICES, attention=1
    ),
    "idle-new-devices": screen(
        Page.IDLE,
        Idle(MANY_ROWS, 58, 8, True, ("terminal", "printer")),
        *IDLE,
        A.DEVICES,
        A.PAIR,
        attention=2,
        devices=ALL_BAD,
    ),
    "idle-devices": screen(Page.IDLE, Idle(ROWS, 5, 0, True), *IDLE, A.DEVICES, A.PAIR),
    "order": screen(Page.ORDER, order_page(COFFEE), *ORDER),
    "order-checks": screen(
        Page.ORDER, order_page(WINE, open_checks=("identity",), confirmed=("age",)), *ORDER, A.CHECK
    ),
    "order-declined": screen(
        Page.ORDER, order_page(COFFEE, Code.PAYMENT_DECLINED, reason="Karte ungültig"), *ORDER
    ),
    "order-changed": screen(
        Page.ORDER, order_page(PARTLY, Code.ORDER_CHANGED, is_offline=True), *ORDER
    ),
    "order-shut": screen(
        Page.ORDER, order_page(COFFEE, Code.ORDER_CANCELLED, may_charge=False), A.CANCEL
    ),
    "order-prepaid": screen(Page.ORDER, order_page(PREPAID, Code.ORDER_CLAIMED), *ORDER),
    "order-long": screen(Page.ORDER, order_page(LONG), *ORDER),
    "order-rubles": screen(Page.ORDER, order_page(RUBLES), *ORDER),
    "order-yen": screen(Page.ORDER, order_page(YEN), *ORDER, seller=None, seller_required=False),
    "asking": screen(Page.ASKING, Asking("4006381333931"), A.CANCEL),
    "asking-long": screen(Page.ASKING, Asking(LONG_CODE), A.CANCEL),
    "charging": screen(
        Page.CHARGING,
        Charging(COFFEE, COFFEE.due, Prompt.CARD, "Bitte Karte einstecken", False),
        A.CANCEL,
    ),
    "charging-pin": screen(
        Page.CHARGING, Charging(RUBLES, RUBLES.due, Prompt.PIN, "", False), A.CANCEL
    ),
    "charging-stop": screen(Page.CHARGING, Charging(LONG, LONG.due, Prompt.HOST, "", True)),
    "unknown": screen(
        Page.UNKNOWN,
        UnknownPage(COFFEE, COFFEE.due, Code.PAYMENT_UNKNOWN, "no answer for 60 s", LOG, "14:40"),
        devices=ALL_BAD[:1] + DEVICES[1:],
    ),
    "hand-over": screen(
        Page.HAND_OVER, hand_over(COFFEE, ticked=frozenset({0}), receipt=Receipt.PRINTING), *GOODS
    ),
    "hand-over-online": screen(
        Page.HAND_OVER,
        hand_over(PREPAID, paid=Paid.ONLINE, amount=money("0"), card="", receipt=Receipt.NONE),
        A.CONFIRM,
        A.NEXT,
        A.TICK,
    ),
    "hand-over-checks": screen(
        Page.HAND_OVER,
        hand_over(WINE, paid=Paid.ONLINE, card="", open_checks=("age",), confirmed=("identity",)),
        *GOODS,
        A.CHECK,
    ),
    "hand-over-slip": screen(
        Page.HAND_OVER,
        hand_over(WINE, paid=Paid.DECIDED, card="", receipt=Receipt.FAILED),
        *GOODS,
        A.WAIVE_RECEIPT,
    ),
    "hand-over-badge": screen(Page.HAND_OVER, hand_over(COFFEE), *GOODS, seller=None),
    "hand-over-long": screen(Page.HAND_OVER, hand_over(LONG, ticked=frozenset({1})), *GOODS),
    "refused-elsewhere": screen(
        Page.REFUSED,
        Refused(Code.ORDER_ELSEWHERE, "1042", "Ligovsky 45, until 21:00", COFFEE),
        A.CONFIRM,
        A.CANCEL,
        A.DAY,
    ),
    "refused-elsewhere-unnamed": screen(
        Page.REFUSED,
        Refused(Code.ORDER_ELSEWHERE, "1042", "hafen", replace(COFFEE, pickup_point="hafen")),
        A.CONFIRM,
        A.CANCEL,
        A.DAY,
    ),
    "refused-handed-over": screen(
        Page.REFUSED,
        Refused(Code.ORDER_HANDED_OVER, "1042", "2025-10-06T18:02:11+0200", COFFEE),
        A.CONFIRM,
        A.CANCEL,
        A.DAY,
        A.REPRINT,
    ),
    "refused-unknown": screen(
        Page.REFUSED, Refused(Code.ORDER_UNKNOWN, "4006381333931", "", None), A.CANCEL, A.DAY
    ),
    "refused-unknown-long": screen(
        Page.REFUSED,
        Refused(Code.ORDER_UNKNOWN, LONG_CODE, LONG_CODE[:80], None),
        A.CONFIRM,
        A.CANCEL,
        A.DAY,
    ),
    "no-receipt": screen(
        Page.NO_RECEIPT,
        NoReceipt(COFFEE, Code.NO_PAPER),
        A.CONFIRM,
        A.WAIVE_RECEIPT,
        devices=NO_PAPER,
    ),
    "attention": screen(
        Page.ATTENTION, Attention(ITEMS, 0), A.CANCEL, A.NEXT, A.DAY, A.CONFIRM, A.OPEN, attention=3
    ),
    "attention-none": screen(Page.ATTENTION, Attention((), 0), A.CANCEL, A.NEXT, A.DAY),
    "attention-payment": screen(
        Page.ATTENTION_ITEM,
        AttentionDetail(UNRESOLVED, "52011234", 417, LOG, True, False),
        *DECIDE,
        attention=3,
    ),
    "attention-badge": screen(
        Page.ATTENTION_ITEM,
        AttentionDetail(
            replace(UNRESOLVED, code=Code.TERMINAL_OTHER_AMOUNT), "52011234", None, (), True, True
        ),
        *DECIDE,
        seller=None,
    ),
    "attention-handover": screen(
        Page.ATTENTION_ITEM,
        AttentionDetail(ITEMS[1], "", None, (), False, False),
        A.CANCEL,
        A.CONFIRM,
        A.ATTENTION,
        attention=3,
    ),
    "attention-office": screen(
        Page.ATTENTION_ITEM,
        AttentionDetail(ITEMS[2], "", None, (), False, False),
        A.CANCEL,
        A.CONFIRM,
        A.ATTENTION,
        attention=3,
    ),
    "day": screen(Page.DAY, Day(DAY_ROWS, 1, 52), A.CANCEL, A.NEXT, A.REPRINT, A.ATTENTION),
    "pairing": screen(
        Page.PAIRING,
        Pairing("https://counter-1.shop.example:8143/pair#0123456789abcdefABCDEF", ""),
        A.CANCEL,
    ),
    "pairing-done": screen(Page.PAIRING, Pairing("", "Anna's phone"), A.CANCEL),
    "pairing-late": screen(Page.PAIRING, Pairing("", ""), A.CANCEL),
    "devices": screen(Page.DEVICES, DeviceList(TWINS + IN_SERVICE, 0, False), *PLUGGED, A.CONFIRM),
    "devices-instead": screen(
        Page.DEVICES, DeviceList(ODD_ROWS, 1, True), *PLUGGED, A.CONFIRM, seller=None
    ),
    "devices-locked": screen(
        Page.DEVICES,
        DeviceList(
            (
                replace(IN_SERVICE[0], may_release=False, is_locked=True),
                replace(TERMINAL_ROW, may_adopt=False, is_locked=True),
                *TWINS,
            ),
            1,
            False,
        ),
        *PLUGGED,
        attention=1,
        notice=Notice(Code.TERMINAL_STAYS),
    ),
    "devices-coming": screen(Page.DEVICES, DeviceList(ODD_ROWS, 2, False), *PLUGGED, A.RELEASE),
    "devices-long": screen(Page.DEVICES, DeviceList(CROWD, 3, False), *PLUGGED, A.CONFIRM),
    "devices-named": screen(Page.DEVICES, DeviceList(ODD_ROWS, 4, False), *PLUGGED),
    "devices-away": screen(Page.DEVICES, DeviceList(ODD_ROWS, 5, False), *PLUGGED, A.RELEASE),
    "devices-gone": screen(Page.DEVICES, DeviceList(IN_SERVICE, -1, False), *PLUGGED),
    "devices-none": screen(Page.DEVICES, DeviceList((), -1, False), A.CANCEL),
    "enrol": screen(
        Page.ENROL,
        Enrol(Code.ENROL_WAITING, "", BOX, True),
        seller=None,
        seller_required=False,
        actions=frozenset(),
        devices=(),
        counter="Kassa",
        place="",
    ),
    "enrol-no-scanner": screen(
        Page.ENROL,
        Enrol(Code.ENROL_UNREACHABLE, "Connection refused", BOX, False),
        seller=None,
        seller_required=False,
        actions=frozenset(),
        devices=(),
        counter="Kassa",
        place="",
    ),
    "enrol-setting-up": screen(
        Page.ENROL,
        Enrol(None, "", BOX, True),
        seller=None,
        seller_required=False,
        actions=frozenset(),
        devices=(),
        counter="Kassa",
        place="",
    ),
    "out-of-order": screen(
        Page.OUT_OF_ORDER, OutOfOrder(Code.JOURNAL_DAMAGED, "journal.2025-10-07.db"), A.CONFIRM
    ),
    "out-of-order-settings": screen(
        Page.OUT_OF_ORDER,
        OutOfOrder(
            Code.CONFIGURATION,
            "line 12: terminal.port: there is no such device\nline 20: shop.url: https is needed",
        ),
        devices=(),
        seller=None,
        seller_required=False,
        actions=frozenset(),
    ),
    "starting": screen(
        Page.OUT_OF_ORDER,
        OutOfOrder(Code.STARTING, "starting"),
        seq=0,
        devices=(),
        seller=None,
        seller_required=False,
        actions=frozenset(),
    ),
}

ONE_OF_EACH: Final = tuple(
    sorted({sample.page: name for name, sample in reversed(SAMPLES.items())}.values())
)
"""The name of the first sample of each page."""
