"""Hypothesis strategies for what the domain is made of. Whatever they draw is valid."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from appliance.domain.facts import Draft, Fact, Json, Kind
from appliance.domain.money import CURRENCIES, LARGEST_AMOUNT, Currency, Money, Quantity, times
from appliance.domain.order import Check, CheckKind, Customer, Line, Order, OrderStatus, Reduction
from appliance.domain.payment import Baseline, Card

NO_SURROGATES: Final = st.characters(exclude_categories=["Cs"])
texts: Final = st.text(NO_SURROGATES, max_size=30)
names: Final = st.text(NO_SURROGATES, min_size=1, max_size=60)
ids: Final = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=16)
currencies: Final = st.sampled_from(sorted(CURRENCIES.values(), key=lambda c: c.code))
quantities: Final = st.builds(
    Quantity,
    # Whole pieces and weights; rarely the largest that there can be.
    st.one_of(
        st.integers(1, 99).map(lambda pieces: pieces * 1000),
        st.integers(1, 99_999),
        st.integers(1, 10**12),
    ),
    st.sampled_from(["pc", "kg", "m", "l"]),
)


def money(
    currency: Currency | None = None, low: int = -LARGEST_AMOUNT, high: int = LARGEST_AMOUNT
) -> st.SearchStrategy[Money]:
    """Money of this currency, or of any, from low to high minor units."""
    return st.builds(
        Money, st.integers(low, high), currencies if currency is None else st.just(currency)
    )


@st.composite
def lines(draw: st.DrawFn, currency: Currency) -> Line:
    """A position whose total the shop rounded up or down."""
    quantity = Quantity(draw(st.integers(1, 99_999)), draw(st.sampled_from(["pc", "kg"])))
    price = draw(money(currency, 0, 10_000_000))
    return Line(
        sku=draw(ids),
        name=draw(names),
        quantity=quantity,
        unit_price=price,
        total=draw(st.sampled_from(times(quantity, price))),
        vat_basis_points=draw(st.sampled_from([None, 0, 550, 700, 2000, 10_000])),
        ean=draw(st.sampled_from(["", "4006381333931"])),
        cell=draw(st.sampled_from(["", "B-7"])),
    )


@st.composite
def reductions(draw: st.DrawFn, currency: Currency, most: int) -> tuple[Reduction, ...]:
    """Up to three reductions that take at most `most` minor units."""
    found: list[Reduction] = []
    for _ in range(draw(st.integers(0, 3))):
        amount = draw(st.integers(0, most))
        most -= amount
        found.append(Reduction(draw(names), Money(-amount, currency)))
    return tuple(found)


@st.composite
def orders(draw: st.DrawFn, currency: Currency | None = None) -> Order:
    """An order that is ready and whose figures agree, paid not at all, in part or in full."""
    unit = currency or draw(currencies)
    found = tuple(draw(st.lists(lines(unit), min_size=1, max_size=5)))
    total = sum(line.total.amount for line in found)
    discounts = draw(reductions(unit, total))
    total += sum(reduction.amount.amount for reduction in discounts)
    loyalty = draw(reductions(unit, total))
    total += sum(reduction.amount.amount for reduction in loyalty)
    paid = draw(st.one_of(st.just(0), st.just(total), st.integers(0, total)))
    vat = draw(st.one_of(st.none(), st.integers(0, total)))
    return Order(
        id=draw(ids),
        number=draw(ids),
        version=draw(ids),
        status=OrderStatus.READY,
        pickup_point="pp-1",
        lines=found,
        total=Money(total, unit),
        paid=Money(paid, unit),
        due=Money(total - paid, unit),
        codes=tuple(draw(st.lists(ids, max_size=3))),
        discounts=discounts,
        loyalty=loyalty,
        vat=None if vat is None else Money(vat, unit),
        customer=Customer(draw(texts), draw(texts), draw(texts)),
        cell=draw(st.sampled_from(["", "A-1"])),
        notes=tuple(draw(st.lists(texts, max_size=2))),
        checks=tuple(
            Check(kind, draw(texts)) for kind in draw(st.sets(st.sampled_from(CheckKind)))
        ),
    )


masked_pans: Final = st.one_of(
    st.just(""),
    st.from_regex(r"[0-9]{0,6}\*{3,9}[0-9]{0,4}", fullmatch=True),
)
numbers: Final = st.one_of(st.none(), st.integers(0, 999_999))
baselines: Final = st.builds(Baseline, ids, numbers, numbers)
cards: Final = st.builds(
    Card,
    amount=st.integers(0, LARGEST_AMOUNT),
    currency=st.sampled_from(sorted(CURRENCIES)),
    terminal_id=ids,
    receipt_no=numbers,
    trace_no=numbers,
    authorisation=texts,
    pan=masked_pans,
    scheme=texts,
    vu_number=texts,
    turnover_no=numbers,
    at=texts,
)

json_values: Final[st.SearchStrategy[Json]] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
bodies: Final = st.dictionaries(texts, json_values, max_size=4)
kinds: Final = st.sampled_from(Kind)
drafts: Final = st.builds(Draft, kinds, texts, bodies)
facts: Final = st.builds(
    Fact, ids, kinds, texts, st.just("2026-01-01T00:00:00.000Z"), texts, bodies
)
