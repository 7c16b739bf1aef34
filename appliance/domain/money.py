"""Money as integer minor units of an ISO 4217 currency. No float ever."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Final


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency of ISO 4217: its code, its number, and the digits after the point."""

    code: str
    numeric: int
    exponent: int


def _table(*rows: tuple[str, int, int]) -> dict[str, Currency]:
    return {code: Currency(code, numeric, exponent) for code, numeric, exponent in rows}


CURRENCIES: Final = _table(
    ("BYN", 933, 2),
    ("CHF", 756, 2),
    ("CZK", 203, 2),
    ("DKK", 208, 2),
    ("EUR", 978, 2),
    ("GBP", 826, 2),
    ("JPY", 392, 0),
    ("KWD", 414, 3),
    ("KZT", 398, 2),
    ("NOK", 578, 2),
    ("PLN", 985, 2),
    ("RUB", 643, 2),
    ("SEK", 752, 2),
    ("USD", 840, 2),
)
# The widest amount field of the protocols we speak: 6 BCD bytes (ZVT, BMP 04).
LARGEST_AMOUNT: Final = 999_999_999_999
_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?\Z")


class MoneyError(ValueError):
    """An amount or a currency that cannot be money."""


def currency(code: str) -> Currency:
    """The currency with this ISO 4217 code. Raises MoneyError for one that Kassa does not know."""
    try:
        return CURRENCIES[code]
    except KeyError:
        raise MoneyError(f"unknown currency {code!r}") from None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents, kopecks, yen), signed, within ±999 999 999 999."""

    amount: int
    currency: Currency

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise MoneyError(f"amount must be an integer, not {type(self.amount).__name__}")
        if abs(self.amount) > LARGEST_AMOUNT:
            raise MoneyError(f"amount {self.amount} is out of range")

    @classmethod
    def of(cls, amount: int, code: str) -> Money:
        """Money from minor units and an ISO 4217 code. Raises MoneyError."""
        return cls(amount, currency(code))

    @classmethod
    def parse(cls, text: str, code: str) -> Money:
        """Money from a plain decimal such as "12.34". Raises MoneyError, also for more digits than
        the currency has."""
        unit = currency(code)
        if not _DECIMAL.match(text):
            raise MoneyError(f"not an amount: {text[:40]!r}")
        scaled = Decimal(text).scaleb(unit.exponent)
        if scaled != scaled.to_integral_value():
            raise MoneyError(f"{text!r} has more digits than {code} has")
        return cls(int(scaled), unit)

    def decimal(self) -> Decimal:
        """The amount in major units, exactly."""
        return Decimal(self.amount).scaleb(-self.currency.exponent)

    def __str__(self) -> str:
        return f"{self.decimal():f} {self.currency.code}"

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __bool__(self) -> bool:
        return self.amount != 0

    def _same(self, other: Money) -> int:
        if self.currency != other.currency:
            raise MoneyError(f"{self.currency.code} and {other.currency.code} do not mix")
        return other.amount


@dataclass(frozen=True, slots=True)
class Quantity:
    """How much of a thing, in thousandths of its unit: Quantity(350, "kg") is 0.350 kg.

    Never negative: a return is not an order line. At most one billion units.
    """

    thousandths: int
    unit: str = "pc"

    def __post_init__(self) -> None:
        if type(self.thousandths) is not int or not 0 < self.thousandths <= 10**12:
            raise MoneyError(f"quantity {self.thousandths!r} is out of range")

    @classmethod
    def parse(cls, text: str, unit: str = "pc") -> Quantity:
        """A quantity from a plain decimal with at most three digits after the point."""
        if not _DECIMAL.match(text):
            raise MoneyError(f"not a quantity: {text[:40]!r}")
        scaled = Decimal(text).scaleb(3)
        if scaled != scaled.to_integral_value():
            raise MoneyError(f"quantity {text!r} has more than three digits after the point")
        return cls(int(scaled), unit)

    @property
    def is_whole(self) -> bool:
        return self.thousandths % 1000 == 0

    def __str__(self) -> str:
        """Without unit: "2", or "0.350" where it is not whole."""
        if self.is_whole:
            return str(self.thousandths // 1000)
        return f"{Decimal(self.thousandths).scaleb(-3):f}"


def times(quantity: Quantity, price: Money) -> tuple[Money, Money]:
    """quantity x price rounded down and rounded up to minor units.

    Both, because shops round in different ways; either is a figure that agrees.
    """
    exact = Decimal(quantity.thousandths) * price.amount / 1000
    low = int(exact.to_integral_value(ROUND_FLOOR))
    high = int(exact.to_integral_value(ROUND_CEILING))
    return Money(low, price.currency), Money(high, price.currency)


def percent(basis_points: int) -> str:
    """A rate in basis points (1/100 %) as people write it: 2000 -> "20", 550 -> "5.5"."""
    text = f"{Decimal(basis_points).scaleb(-2).quantize(Decimal('0.01'), ROUND_HALF_UP):f}"
    return text.rstrip("0").rstrip(".")
