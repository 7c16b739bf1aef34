"""Orders as shops have them: the plain, the prepaid, the endless, in euros, roubles and yen."""

from __future__ import annotations

from dataclasses import replace

from appliance.domain.money import Money, Quantity
from appliance.domain.order import Check, CheckKind, Customer, Line, Order, OrderStatus, Reduction


def money(text: str, code: str = "EUR") -> Money:
    return Money.parse(text, code)


def line(
    name: str,
    price: str,
    quantity: str = "1",
    unit: str = "pc",
    total: str = "",
    cell: str = "",
    code: str = "EUR",
) -> Line:
    return Line(
        sku=name[:8],
        name=name,
        quantity=Quantity.parse(quantity, unit),
        unit_price=money(price, code),
        total=money(total or price, code),
        cell=cell,
    )


COFFEE = Order(
    id="o-1042",
    number="1042",
    version="7",
    status=OrderStatus.READY,
    pickup_point="nevsky-20",
    lines=(
        line("Coffee machine Aurora 2", "1299.00"),
        line("Beans, Ethiopia, 0.350 kg", "30.00", "0.350", "kg", "10.50"),
    ),
    total=money("1284.50"),
    paid=money("0"),
    due=money("1284.50"),
    codes=("4006381333931",),
    discounts=(Reduction("Promotion “Autumn”", money("-15.00")),),
    loyalty=(Reduction("Bonus points used: 100", money("-10.00")),),
    vat=money("205.10"),
    customer=Customer("Maria S."),
    cell="A 3",
    placed_at="2025-10-06T18:02:00+02:00",
)

WINE = replace(
    COFFEE,
    id="o-1047",
    number="1047",
    lines=(line("Riesling trocken 2023, 0,75 l", "12.30", "3", total="36.90"),),
    total=money("36.90"),
    due=money("36.90"),
    discounts=(),
    loyalty=(),
    vat=money("5.89"),
    customer=Customer("Lea M."),
    cell="C 7",
    notes=("Two bottles are in the cool room.",),
    checks=(Check(CheckKind.AGE, "18+"), Check(CheckKind.IDENTITY, "passport")),
)

PREPAID = replace(
    COFFEE,
    id="o-1043",
    number="1043",
    paid=money("1284.50"),
    due=money("0"),
    customer=Customer("Ivan P."),
    cell="B 1",
)

PARTLY = replace(
    WINE, id="o-1048", number="1048", paid=money("16.90"), due=money("20.00"), checks=()
)

LONG = replace(
    COFFEE,
    id="o-long",
    number="DE-2025-10-0001042-B",
    lines=(
        line(
            "Vollautomatische Kaffeemaschinenentkalkungsvorrichtung „Donaudampfschifffahrt“ mit "
            "Edelstahlgehäuse und Wassertankbeleuchtung, anthrazitgrau",
            "4199.00",
            "12",
            total="50388.00",
            cell="Kühlraum 12",
        ),
        *(
            line(f"Ersatzfilterpatrone Größe {n}, Zehnerpackung", "19.99", "2", total="39.98")
            for n in range(2, 41)
        ),
    ),
    total=money("51912.22"),
    due=money("51912.22"),
    discounts=(
        Reduction("Mengenrabatt für Geschäftskundinnen und Geschäftskunden", money("-35.00")),
    ),
    loyalty=(),
    vat=money("8288.51"),
    customer=Customer("Maximiliane Freifrau von Hohenstein-Wolkenburg"),
    notes=("Bitte den Personalausweis der bevollmächtigten Person zeigen lassen.",),
)

RUBLES = replace(
    COFFEE,
    id="o-ru",
    number="МСК-20417",
    lines=(
        line("Кофемашина «Аврора 2»", "128450.00", code="RUB"),
        line("Кофе в зёрнах, Эфиопия", "1900.00", "0.350", "kg", "665.00", code="RUB"),
    ),
    total=money("128000.00", "RUB"),
    paid=money("0", "RUB"),
    due=money("128000.00", "RUB"),
    discounts=(Reduction("Акция «Осень»", money("-1000.00", "RUB")),),
    loyalty=(Reduction("Списано баллов: 115", money("-115.00", "RUB")),),
    vat=money("21333.33", "RUB"),
    customer=Customer("Мария С."),
    cell="А 3",
)

YEN = replace(
    COFFEE,
    id="o-jp",
    number="5521",
    lines=(line("Teapot", "12800", code="JPY"),),
    total=money("12800", "JPY"),
    paid=money("0", "JPY"),
    due=money("12800", "JPY"),
    discounts=(),
    loyalty=(),
    vat=None,
    customer=Customer(),
    placed_at="",
)
