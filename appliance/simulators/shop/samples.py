"""The orders, goods and people of "Nordlicht", a small shop with two pickup points.

Every sample has a case of its own that a counter must get right. Prices are made up in euro
cents and carried over to the chosen currency, so that sums stay exact in each.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from appliance.domain.money import Currency, Money, Quantity, currency, times
from appliance.domain.order import Check, CheckKind, Customer, Line, Order, OrderStatus, Reduction

SHOP_NAME: Final = "Nordlicht"


@dataclass(frozen=True, slots=True)
class Place:
    id: str
    name: str
    first_number: int  # of its sample orders


@dataclass(frozen=True, slots=True)
class Kiosk:
    id: str
    pickup_point: str
    token: str


@dataclass(frozen=True, slots=True)
class Staff:
    id: str
    name: str
    badge: str  # what the badge's barcode says
    pickup_points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """cents: the price in euro. per_kg: sold by weight. reduced: food and books' VAT rate."""

    sku: str
    name: str
    cents: int
    ean: str = ""
    per_kg: bool = False
    reduced: bool = False


PLACES: Final = (
    Place("mitte", "Nordlicht Mitte", 10_000),
    Place("hafen", "Nordlicht Hafen", 20_000),
)
KIOSKS: Final = (
    Kiosk("mitte-1", "mitte", "demo-token-mitte-1"),
    Kiosk("mitte-2", "mitte", "demo-token-mitte-2"),
    Kiosk("hafen-1", "hafen", "demo-token-hafen-1"),
)
STAFF: Final = (
    Staff("s-1001", "Anna K.", "KS-1001-7XQ2", ("mitte", "hafen")),
    Staff("s-1002", "Борис М.", "KS-1002-M4TD", ("mitte",)),
    Staff("s-1003", "Chloé D.", "KS-1003-9RWB", ("mitte", "hafen")),
    Staff("s-1004", "Łukasz W.", "KS-1004-K2HV", ("hafen",)),
)
BADGE_SALT: Final = "nordlicht-demo-salt"
BADGE_ITERATIONS: Final = 20_000

MUG: Final = Item("MUG-02", "Becher Nordlicht 0,3 l", 1290, "4006381333931")
LAMP: Final = Item("LMP-11", "Leselampe Öse, Messing", 5990, "4012345678901")
TEA: Final = Item("TEE-40", "Чай чёрный «Северный», 250 г", 749, "4600682000105", reduced=True)
CHEESE: Final = Item("KAE-07", "Comté 18 mois", 2890, per_kg=True, reduced=True)
APPLES: Final = Item("OBS-01", "Äpfel Boskoop", 349, per_kg=True, reduced=True)
WINE: Final = Item("VIN-21", "Côtes du Rhône 2022, 0,75 l", 1150, "3185370000335")
BOOK: Final = Item(
    "BCH-88", "“The Lighthouse Keeper”, hardcover", 2200, "9780141036144", reduced=True
)
PHONE: Final = Item("TEL-05", "Telefon Polar 5, 128 GB", 39900, "8806094000009")
SCARF: Final = Item("SCH-13", "Шарф шерстяной, синий", 3450, "4607001234560")
LENS: Final = Item("OPT-30", "Kontaktlinsen, 30 Stück", 2495, "4049500000013")
HONEY: Final = Item("MIE-03", "Miel de lavande, 500 g", 1080, "3276550000012", reduced=True)
SOCKS: Final = Item("SOC-09", "Merino socks, 41–43", 1495, "5012345678900")
ITEMS: Final = (MUG, LAMP, TEA, CHEESE, APPLES, WINE, BOOK, PHONE, SCARF, LENS, HONEY, SOCKS)

CUSTOMERS: Final = (
    Customer("Jana Petersen", "+49 30 5550 1401", "jana@example.org"),
    Customer("Сергей Орлов", "+7 495 555-01-42", "orlov@example.org"),
    Customer("Amélie Dubois", "+33 1 55 50 14 03", "amelie@example.org"),
    Customer("Thomas O'Neill", "+44 20 5550 1404"),
    Customer("Ayşe Yılmaz", "+49 30 5550 1405"),
    Customer("Мария Кузнецова", "+7 495 555-01-46"),
    Customer("Jürgen Großmann", "+49 30 5550 1407"),
    Customer("Zofia Wójcik", "+48 22 555 01 48", "zofia@example.org"),
    Customer("François Lefèvre", "+33 1 55 50 14 09"),
    Customer("Emily Carter", "+1 212 555 0110"),
    Customer("Hanako Yamada", "+81 3 5555 0111"),
    Customer("Дмитрий Белов", "+7 495 555-01-52"),
)

# Minor units per euro cent, and the standard and reduced VAT rate in basis points.
_TRADE: Final[dict[str, tuple[int, int | None, int | None]]] = {
    "EUR": (1, 1900, 700),
    "RUB": (100, 2200, 1000),
    "USD": (1, None, None),  # sales tax is none of the counter's business
    "JPY": (2, 1000, 800),
}


def price_of(item: Item, unit: Currency) -> Money:
    factor, _, _ = _TRADE.get(unit.code, (1, None, None))
    return Money(item.cents * factor, unit)


def line_of(item: Item, unit: Currency, quantity: str = "1", cell: str = "") -> Line:
    """quantity: a decimal, in kilograms where the item is sold by weight."""
    _, standard, reduced = _TRADE.get(unit.code, (1, None, None))
    amount = Quantity.parse(quantity, "kg" if item.per_kg else "pc")
    price = price_of(item, unit)
    _, total = times(amount, price)
    rate = reduced if item.reduced else standard
    return Line(item.sku, item.name, amount, price, total, rate, item.ean, cell)


def priced(order: Order) -> Order:
    """The order with total, due and contained VAT as its lines, reductions and `paid` say."""
    unit = order.total.currency
    gross = sum(line.total.amount for line in order.lines)
    less = sum(r.amount.amount for r in (*order.discounts, *order.loyalty))
    total = gross + less
    vat: Money | None = None
    if gross and any(line.vat_basis_points for line in order.lines):
        # A reduction of the whole order lowers each line's share alike.
        contained = sum(
            line.total.amount * total * rate // (gross * (10_000 + rate))
            for line in order.lines
            if (rate := line.vat_basis_points)
        )
        vat = Money(contained, unit)
    money = Money(total, unit)
    return replace(order, total=money, due=money - order.paid, vat=vat)


def new_order(
    place: Place,
    number: int,
    items: Iterable[Line],
    unit: Currency,
    now: datetime,
    customer: Customer,
    *,
    cell: str = "",
) -> Order:
    zero = Money(0, unit)
    return priced(
        Order(
            id=f"ord-{number}",
            number=str(number),
            version="1",
            status=OrderStatus.READY,
            pickup_point=place.id,
            lines=tuple(items),
            total=zero,
            paid=zero,
            due=zero,
            codes=(f"NL-{number}",),
            customer=customer,
            cell=cell,
            placed_at=_at(now - timedelta(days=2, hours=number % 9)),
            ready_at=_at(now - timedelta(hours=20 + number % 3)),
            pickup_until=(now + timedelta(days=5)).date().isoformat(),
        )
    )


def random_order(
    place: Place, number: int, unit: Currency, now: datetime, chance: random.Random
) -> Order:
    """An order such as the staff page's button makes."""
    chosen = chance.sample(ITEMS, chance.randint(1, 4))
    lines = [
        line_of(i, unit, f"0.{chance.randint(150, 990)}" if i.per_kg else str(chance.randint(1, 3)))
        for i in chosen
    ]
    customer = chance.choice(CUSTOMERS)
    cell = f"{chance.choice('ABCD')}-{chance.randint(1, 30)}"
    return new_order(place, number, lines, unit, now, customer, cell=cell)


def sample_orders(
    code: str, seed: int, now: datetime, places: Iterable[Place] = PLACES
) -> list[Order]:
    """The samples of these pickup points, in the currency `code`. Their numbers are the same with
    every seed: `first_number` + 1 … 15; customers and cells differ."""
    unit = currency(code)
    chance = random.Random(seed)
    return [order for place in places for order in _of_place(place, unit, now, chance)]


def _of_place(place: Place, unit: Currency, now: datetime, chance: random.Random) -> list[Order]:
    people = chance.sample(CUSTOMERS, len(CUSTOMERS))

    def make(number: int, *lines: Line) -> Order:
        who = people[number % len(people)]
        cell = f"{'ABCD'[number % 4]}-{chance.randint(1, 30)}"
        return new_order(place, place.first_number + number, lines, unit, now, who, cell=cell)

    def of(item: Item, quantity: str = "1", cell: str = "") -> Line:
        return line_of(item, unit, quantity, cell)

    promotion = make(3, of(SCARF), of(SOCKS, "3"))
    three_for_two = Reduction("3 für 2: Merino socks", -price_of(SOCKS, unit))
    points = Reduction("Bonuspunkte", Money(-price_of(SCARF, unit).amount // 10, unit))
    online = make(4, of(BOOK), of(HONEY))
    partly = make(5, of(LAMP))
    passport = Check(CheckKind.IDENTITY, "Personalausweis / паспорт")
    today = now.date().isoformat()
    yesterday = (now - timedelta(days=1)).date().isoformat()
    noted = make(9, of(TEA, "2", "K-3"), of(MUG, "2"), of(LENS, "1", "T-1"))
    broken = make(13, of(MUG, "2"), of(TEA))
    other = currency("USD" if unit.code != "USD" else "EUR")
    foreign = line_of(SOCKS, other, "2")
    zero = Money(0, other)
    return [
        make(1, of(MUG, "2"), of(LAMP), of(TEA, "3")),
        make(2, of(CHEESE, "0.350"), of(APPLES, "1.240")),
        priced(replace(promotion, discounts=(three_for_two,), loyalty=(points,))),
        priced(replace(online, paid=online.total)),
        priced(replace(partly, paid=Money(partly.total.amount // 3, unit))),
        replace(make(6, of(WINE, "2"), of(CHEESE, "0.185")), checks=(Check(CheckKind.AGE, "18+"),)),
        replace(make(7, of(PHONE)), checks=(passport,)),
        replace(make(8, of(BOOK), of(TEA)), last_day=True, pickup_until=today),
        replace(
            noted,
            notes=("Bitte als Geschenk einpacken.", "Кружки проверить при покупателе: хрупкое."),
        ),
        replace(make(10, of(SOCKS)), status=OrderStatus.CANCELLED),
        replace(make(11, of(HONEY)), status=OrderStatus.EXPIRED, pickup_until=yesterday),
        replace(make(12, of(LENS, "2")), status=OrderStatus.NOT_READY, ready_at=""),
        # A shop's mistake, planted: the total is one euro more than the lines come to.
        replace(
            broken,
            total=broken.total + Money(100, unit),
            due=broken.due + Money(100, unit),
        ),
        priced(replace(make(14, foreign), total=zero, paid=zero, due=zero)),
        _collected(make(15, of(MUG))),
    ]


def _at(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")


def _collected(order: Order) -> Order:
    return priced(replace(order, status=OrderStatus.HANDED_OVER, paid=order.total))


def with_line(order: Order, line: Line) -> Order:
    return replace(order, lines=(*order.lines, line))
