"""The wording of receipts in the counter's languages, and the documents built with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from appliance.counter.clock import local
from appliance.domain.errors import Bug, Code
from appliance.domain.money import Money, Quantity, percent
from appliance.domain.receipt import LABELS, Words

_WORDING: Final[dict[str, tuple[str, ...]]] = {
    # key: en, ru, de, fr
    "order": ("Order", "Заказ", "Bestellung", "Commande"),
    "total": ("Total", "Итого", "Summe", "Total"),
    "paid_before": ("Paid before", "Оплачено ранее", "Bereits bezahlt", "Déjà payé"),
    "paid_by_card": ("Paid by card", "Оплачено картой", "Mit Karte bezahlt", "Payé par carte"),
    "paid_by_slip": (
        "Paid, see the terminal's slip",
        "Оплачено, см. чек терминала",
        "Bezahlt, siehe Terminalbeleg",
        "Payé, voir ticket CB",
    ),
    "vat_included": ("incl. VAT", "в т. ч. НДС", "inkl. MwSt.", "dont TVA"),
    # With its colon, as French has a space before it, which must not break.
    "seller": ("Seller:", "Продавец:", "Es bediente Sie:", "Vendeur\u00a0:"),
    "card": ("Card", "Карта", "Karte", "Carte"),
    "terminal": ("Terminal", "Терминал", "Terminal-ID", "Terminal"),
    "receipt_no": ("Receipt no.", "Чек терминала №", "Beleg-Nr.", "N° de ticket CB"),
    "trace_no": ("Trace no.", "Номер операции", "Trace-Nr.", "N° de trace"),
    "authorisation": ("Authorisation", "Код авторизации", "Genehmigung", "Autorisation"),
    "copy": ("COPY", "КОПИЯ", "KOPIE", "COPIE"),
    "declined": ("Payment declined", "Оплата отклонена", "Zahlung abgelehnt", "Paiement refusé"),
    "not_charged": (
        "Your card was not charged.",
        "Деньги с карты не списаны.",
        "Ihre Karte wurde nicht belastet.",
        "Votre carte n'a pas été débitée.",
    ),
    "merchant_copy": (
        "Merchant copy",
        "Экземпляр магазина",
        "Händlerbeleg",
        "Ticket CB commerçant",
    ),
    "not_fiscal": (
        "This is not a fiscal receipt.",
        "Не является кассовым чеком.",
        "Kein steuerlicher Beleg.",
        "Ceci n'est pas un ticket fiscal.",
    ),
    "thanks": ("Thank you!", "Спасибо за покупку!", "Vielen Dank!", "Merci de votre visite !"),
}
# What the slip of a payment that was not made says instead of "declined", by the reason's code.
# What was stopped or taken back is called so on the screen too.
_NOT_MADE: Final[dict[str, tuple[str, ...]]] = {
    Code.PAYMENT_STOPPED: (
        "Payment stopped",
        "Оплата остановлена",
        "Zahlung gestoppt",
        "Paiement arrêté",
    ),
    Code.PAYMENT_REVERSED: (
        "Payment taken back",
        "Оплата отменена",
        "Zahlung zurückgenommen",
        "Paiement annulé",
    ),
}
_OTHERWISE: Final = (
    "Payment not made",
    "Оплата не прошла",
    "Keine Zahlung",
    "Paiement non effectué",
)
LANGUAGES: Final = ("en", "ru", "de", "fr")
# Where a unit is written otherwise than the shop writes it.
_UNITS: Final = {
    "kg": {"ru": "кг"},
    "g": {"ru": "г"},
    "l": {"ru": "л"},
    "ml": {"ru": "мл"},
    "m": {"ru": "м"},
    "cm": {"ru": "см"},
    "m2": {"en": "m²", "ru": "м²", "de": "m²", "fr": "m²"},
    "h": {"ru": "ч", "de": "Std."},
}
# The day as people there write it; in English with the month's name, as 7/10 is two days.
_MOMENTS: Final = {
    "en": "%d %b %Y, %H:%M",
    "ru": "%d.%m.%Y %H:%M",
    "de": "%d.%m.%Y %H:%M",
    "fr": "%d/%m/%Y %H:%M",
}
_NBSP = "\u00a0"
# Grouping and decimal mark by language; a receipt is monospaced, so the sign stays the ISO code.
_MARKS: Final = {"en": (",", "."), "ru": (_NBSP, ","), "de": (".", ","), "fr": (_NBSP, ",")}


def words(language: str) -> Words:
    """The wording for receipts in this language. Raises Bug for one that Kassa does not have."""
    if language not in LANGUAGES:
        raise Bug(f"no receipts in {language!r}")
    column = LANGUAGES.index(language)
    group, point = _MARKS[language]

    def money(value: Money) -> str:
        text = f"{abs(value.decimal()):,f}"
        text = text.replace(",", "\0").replace(".", point).replace("\0", group)
        sign = "-" if value.amount < 0 else ""
        return f"{sign}{text}{_NBSP}{value.currency.code}"

    def quantity(value: Quantity) -> str:
        number = str(value).replace(".", point)
        unit = "" if value.unit == "pc" else _UNITS.get(value.unit, {}).get(language, value.unit)
        return f"{number}{_NBSP}{unit}".rstrip(_NBSP)

    def rate(basis_points: int) -> str:
        return f"{percent(basis_points).replace('.', point)}{_NBSP}%"

    return Words({key: _WORDING[key][column] for key in LABELS}, money, quantity, rate)


def words_without_payment(language: str, code: str) -> Words:
    """The wording of the slip for a payment that was not made, for the reason that this code says:
    the customer must not read "declined" where the screen said "stopped"."""
    wording = words(language)
    if code == Code.PAYMENT_DECLINED:
        return wording
    said = _NOT_MADE.get(code, _OTHERWISE)[LANGUAGES.index(language)]
    return replace(wording, labels={**wording.labels, "declined": said})


def moment(at: datetime, language: str) -> str:
    """Day and time of a receipt, by the counter's own clock."""
    return local(at, _MOMENTS[language])
