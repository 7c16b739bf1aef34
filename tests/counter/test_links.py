"""Links at the counter: from a request to its one result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.counter.link_facts import Asked
from appliance.counter.link_gate import LONGEST_LIFE_S
from appliance.counter.links import OPEN_MOST, WAIT_S, Source
from appliance.counter.screen import Action, Page
from appliance.counter.settings import LinkSettings, Settings
from appliance.domain.errors import Code, JournalTrouble, OrderTrouble, ShopTrouble
from appliance.domain.facts import Kind
from appliance.domain.money import Money
from appliance.domain.order import Order, OrderStatus
from appliance.ports import Claimed, ClaimRefused, Declined, OrderRequest, Snapshot, Unknown
from appliance.protocols.links import kassa
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import Act, Callbacks, Link, LinkError, Outcome, Reason
from appliance.protocols.links.signing import Algorithm, Key, Stamp
from tests.counter.harness import AGE, BASELINE, EUR, Bench, approved, bench, kinds, order

SHOP = Key("shop", Algorithm.HMAC_SHA256, b"s" * 32, can_sign=True)
KIOSK = Key("kiosk", Algorithm.HMAC_SHA256, b"k" * 32, can_sign=True)
STRANGER = Key("shop", Algorithm.HMAC_SHA256, b"x" * 32, can_sign=True)
BACK = "https://shop.example/paid?{response}"
LINKS = LinkSettings(
    "confirmed", return_to=("https://shop.example",), keys={"shop": SHOP}, sign_with=KIOSK
)
SETTINGS = Settings("Counter 1", "Nevsky 20", "PP1", EUR, links=LINKS)
DUE = Money(128450, EUR)


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, SETTINGS) as found:
        found.orders(order())
        yield found


def link(
    counter: Bench,
    nonce: str = "n" * 22,
    *,
    key: Key | None = SHOP,
    life_s: int = 600,
    **changes: object,
) -> str:
    """One of our own format. key: None for an unsigned one."""
    base = Link(Name.KASSA, Act.SELL, "1042", "", callbacks=Callbacks(BACK, BACK, BACK))
    now = int(counter.clock.now().timestamp())
    stamp = Stamp(key, nonce, now + life_s) if key else None
    return kassa.build(replace(base, **changes), stamp)  # type: ignore[arg-type]


def take(counter: Bench, text: str, source: Source = Source.DEVICE) -> Asked:
    return counter.core.links.take(text, source)


def state(counter: Bench, asked: Asked) -> Asked:
    """After the loop has turned."""
    counter.core.links.follow()
    found = counter.core.links.find(asked.id)
    assert found is not None
    return found


def ended(counter: Bench, asked: Asked) -> tuple[Outcome, Reason]:
    result = state(counter, asked).result
    assert result is not None, "no result yet"
    return result.outcome, result.reason


def go_on(counter: Bench, wanted: Order | None = None) -> None:
    """The shop grants the claim and the terminal is there."""
    counter.claim_answer(Claimed(wanted or order(), 600))
    counter.prepared(BASELINE)


# --- one sale -------------------------------------------------------------------------------------


def test_a_signed_link_charges_by_itself_and_its_result_is_the_payments(counter: Bench) -> None:
    asked = take(counter, link(counter))
    assert counter.page() is Page.ASKING
    assert state(counter, asked).result is None
    go_on(counter)
    assert counter.page() is Page.CHARGING
    payment = counter.payment
    counter.approve()
    assert ended(counter, asked) == (Outcome.PAID, Reason.NONE)
    result = state(counter, asked).result
    assert result is not None
    assert (result.amount, result.payment, result.pan) == (DUE, payment, "************4711")
    assert counter.page() is Page.HAND_OVER, "the goods are still the seller's to hand over"
    address = counter.core.links.address(state(counter, asked))
    assert address is not None
    said, ref, seal = kassa.parse_result("kassa-api://paymentResult?" + address.partition("?")[2])
    assert (said.outcome, said.amount, ref) == (Outcome.PAID, DUE, "n" * 22)
    assert seal is not None
    assert seal.key_id == "kiosk"


def test_an_unsigned_link_waits_for_the_sellers_tap(counter: Bench) -> None:
    asked = take(counter, link(counter, key=None))
    assert counter.page() is Page.ORDER
    assert counter.hands.names() == []
    counter.do(Action.CONFIRM)
    go_on(counter)
    counter.approve()
    assert ended(counter, asked) == (Outcome.PAID, Reason.NONE)


@pytest.mark.parametrize(
    "settings",
    [replace(LINKS, start_by_themselves=False), LINKS],
    ids=["as configured", "with something to be checked"],
)
def test_a_signed_link_charges_not_by_itself_where_a_person_is_needed(
    tmp_path: Path, settings: LinkSettings
) -> None:
    wanted = order(checks=AGE) if settings is LINKS else order()
    with bench(tmp_path, replace(SETTINGS, links=settings)) as counter:
        counter.orders(wanted)
        take(counter, link(counter))
        assert counter.page() is Page.ORDER


def test_no_link_is_taken_where_they_are_off(tmp_path: Path) -> None:
    with bench(tmp_path) as counter, pytest.raises(LinkError) as refused:
        take(counter, link(counter))
    assert refused.value.reason is Reason.SEAL


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("kassa-api://payNow?order=1042&callback=https%3A%2F%2Fshop.example%2Fpaid", True),
        ("kassa-api://payNow?order=1042&callback=https%3A%2F%2Fevil.example%2Fpaid", False),
        ("kassa-api://payNow?order=1042", False),
        ("kassa-api://payNow?callback=https%3A%2F%2Fshop.example%2Fpaid", True),
        ("kassa-api://elsewhere", False),
    ],
)
def test_a_refusal_is_told_where_that_is_allowed_and_never_sealed(
    tmp_path: Path, text: str, address: bool
) -> None:
    """Whoever knows the nonce of a payment that is under way must not have us sign that it came to
    nothing."""
    with bench(tmp_path, replace(SETTINGS, links=replace(LINKS, accept="signed"))) as counter:
        with pytest.raises(LinkError) as refused:
            take(counter, text)
        found = counter.core.links.refusal(refused.value)
        assert (found is not None) == address
        if found is not None:
            said, _, seal = kassa.parse_result("kassa-api://paymentResult?" + found.split("?")[1])
            assert (said.outcome, said.reason) == (Outcome.REFUSED, refused.value.reason)
            assert said.code == "K-LNK-01"
            assert seal is None


# --- whom to believe ------------------------------------------------------------------------------


def test_what_is_not_believed(counter: Bench) -> None:
    texts = {
        "a stranger's signature": link(counter, key=STRANGER),
        "an unknown key": link(counter, key=replace(SHOP, id="other")),
        "expired": link(counter, life_s=0),
        "for longer than a day": link(counter, life_s=24 * 3600 + 1),
        "a cash desk's ids unsigned": link(counter, key=None, act=Act.PAY, payment="P-1"),
        "our own payment": link(counter, act=Act.PAY, payment=f"H-{counter.core.journal.name}-1-1"),
    }
    for what, text in texts.items():
        with pytest.raises(LinkError) as refused:
            take(counter, text)
        assert refused.value.reason is Reason.SEAL, what
    for address in ("https://evil.example/?{response}", "intent://x", "https://shop.example.evil/"):
        with pytest.raises(LinkError) as refused:
            take(counter, link(counter, callbacks=Callbacks(address, address, address)))
        assert refused.value.reason in (Reason.CALLBACK, Reason.MALFORMED), address
    assert kinds(counter) == []


def test_where_signatures_are_demanded_none_is_no_link(tmp_path: Path) -> None:
    settings = replace(SETTINGS, links=replace(LINKS, accept="signed"))
    with bench(tmp_path, settings) as counter:
        with pytest.raises(LinkError) as refused:
            take(counter, link(counter, key=None))
        counter.orders(order())
        assert take(counter, link(counter)).signed_by == "shop"
    assert refused.value.reason is Reason.SEAL


# --- again and again ------------------------------------------------------------------------------


def test_five_clicks_are_one_charge_and_one_result(counter: Bench) -> None:
    text = link(counter)
    first = take(counter, text)
    assert [take(counter, text).id for _ in range(4)] == [first.id] * 4
    go_on(counter)
    counter.approve()
    assert take(counter, text).id == first.id
    assert ended(counter, first) == (Outcome.PAID, Reason.NONE)
    counter.clock.pass_(3600)  # the seal has expired: it can be a repeat still
    assert take(counter, text).result == state(counter, first).result
    assert len(counter.hands.charges) == 1


def test_a_signed_link_that_came_to_nothing_is_used_up(counter: Bench) -> None:
    text = link(counter)
    asked = take(counter, text)
    counter.claim_answer(ClaimRefused(Code.ORDER_CLAIMED))
    counter.do(Action.CANCEL)
    assert ended(counter, asked)[0] is Outcome.CANCELLED
    assert take(counter, text).result == state(counter, asked).result
    assert counter.page() is Page.IDLE


def test_an_unsigned_one_may_be_tried_again_until_it_is_paid(counter: Bench) -> None:
    text = link(counter, key=None)
    first = take(counter, text)
    counter.do(Action.CANCEL)
    assert ended(counter, first) == (Outcome.CANCELLED, Reason.BY_SELLER)
    second = take(counter, text)
    assert second.id != first.id
    counter.do(Action.CONFIRM)
    go_on(counter)
    counter.approve()
    assert ended(counter, second)[0] is Outcome.PAID
    assert take(counter, text).id == second.id
    assert len(counter.hands.charges) == 1


def test_a_nonce_is_for_one_request(counter: Bench) -> None:
    take(counter, link(counter))
    with pytest.raises(LinkError) as refused:
        take(counter, link(counter, order="1043"))
    assert refused.value.reason is Reason.SEAL


def test_a_restart_loses_no_request_and_no_result(counter: Bench) -> None:
    text = link(counter)
    asked = take(counter, text)
    go_on(counter)
    counter.restart()
    assert counter.page() is Page.UNKNOWN
    assert state(counter, asked).result is None
    counter.end(Unknown(Code.PAYMENT_UNRESOLVED, "the terminal has no word on it"))
    assert state(counter, asked).result is None, "nobody knows yet"
    counter.do(Action.DECIDE_NOT_PAID)
    counter.do(Action.CANCEL)
    assert ended(counter, asked)[0] is Outcome.CANCELLED
    counter.restart()
    assert take(counter, text).result == state(counter, asked).result


def test_a_request_whose_order_was_not_begun_at_a_restart(counter: Bench) -> None:
    asked = take(counter, link(counter))
    counter.restart()
    assert ended(counter, asked)[0] is Outcome.CANCELLED


# --- what comes of it -------------------------------------------------------------------------


def test_a_declined_card_is_said_when_the_seller_gives_up(counter: Bench) -> None:
    asked = take(counter, link(counter))
    go_on(counter)
    counter.end(Declined(Code.PAYMENT_DECLINED, "no cover"))
    assert state(counter, asked).result is None, "the seller may try another card"
    counter.do(Action.CANCEL)
    assert ended(counter, asked) == (Outcome.DECLINED, Reason.CARD_DECLINED)


def test_an_order_left_alone_has_timed_out(counter: Bench) -> None:
    asked = take(counter, link(counter, key=None))
    counter.clock.pass_(SETTINGS.lease_s)
    counter.core.tick()
    assert ended(counter, asked) == (Outcome.CANCELLED, Reason.TIMED_OUT)


def test_an_order_that_cannot_be_served(counter: Bench) -> None:
    counter.orders(order(status=OrderStatus.CANCELLED))
    asked = take(counter, link(counter))
    assert ended(counter, asked) == (Outcome.REFUSED, Reason.ORDER_NOT_HERE)
    assert counter.page() is Page.REFUSED, "the seller sees why as well"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (OrderTrouble(Code.ORDER_UNKNOWN, "1077"), (Outcome.REFUSED, Reason.ORDER_UNKNOWN)),
        (ShopTrouble(Code.SHOP_UNREACHABLE), (Outcome.REFUSED, Reason.SHOP)),
        (order("1077"), None),
    ],
)
def test_an_order_that_the_shop_is_asked_for(
    counter: Bench, answer: Order | OrderTrouble | ShopTrouble, said: tuple[Outcome, Reason] | None
) -> None:
    asked = take(counter, link(counter, order="1077", key=None))
    assert counter.page() is Page.ASKING
    assert state(counter, asked).result is None
    counter.core.opening.looked_up("1077", answer)
    if said:
        assert ended(counter, asked) == said
    else:
        assert state(counter, asked).handover == counter.handover


def test_a_seller_who_goes_on_has_cancelled_it(counter: Bench) -> None:
    asked = take(counter, link(counter, order="1077", key=None))
    counter.do(Action.CANCEL)
    assert ended(counter, asked) == (Outcome.CANCELLED, Reason.BY_SELLER)


@pytest.mark.parametrize("amount", [Money(1, EUR), Money(128451, EUR), Money.of(128450, "USD")])
def test_an_amount_that_is_not_what_is_due(counter: Bench, amount: Money) -> None:
    asked = take(counter, link(counter, amount=amount))
    is_same = amount.currency == EUR
    reason = Reason.AMOUNT_DIFFERS if is_same else Reason.CURRENCY_DIFFERS
    assert ended(counter, asked) == (Outcome.REFUSED, reason)
    assert counter.screen().page is Page.REFUSED
    assert counter.hands.names() == []
    assert Kind.PUT_BACK in kinds(counter)


def test_an_amount_that_is_due(counter: Bench) -> None:
    take(counter, link(counter, amount=DUE))
    assert counter.page() is Page.ASKING


def test_an_order_that_was_paid_before(counter: Bench) -> None:
    paid = order(due=0)
    counter.orders(paid)
    asked = take(counter, link(counter))
    counter.claim_answer(Claimed(paid, 600))
    assert ended(counter, asked) == (Outcome.PAID, Reason.NONE)
    result = state(counter, asked).result
    assert result is not None
    assert result.amount == Money(0, EUR)


# --- turns --------------------------------------------------------------------------------------


def test_a_request_waits_while_somebody_is_served(counter: Bench) -> None:
    counter.orders(order(), order("1043"))
    counter.to_charging(order("1043"))
    counter.orders(order(), order("1043"))
    asked = take(counter, link(counter, key=None))
    assert counter.page() is Page.CHARGING
    counter.approve()
    counter.core.links.follow()
    assert counter.page() is Page.HAND_OVER
    counter.do(Action.CONFIRM)
    counter.core.links.follow()
    assert counter.page() is Page.ORDER
    assert state(counter, asked).handover == counter.handover


def test_a_request_that_waits_too_long(counter: Bench) -> None:
    counter.to_charging(order())
    asked = take(counter, link(counter, order="1043"))
    counter.clock.pass_(WAIT_S)
    counter.core.tick()
    assert ended(counter, asked) == (Outcome.CANCELLED, Reason.TIMED_OUT)


def test_a_request_waits_for_a_seller_where_one_is_needed(tmp_path: Path) -> None:
    with bench(tmp_path, replace(SETTINGS, require_seller=True)) as counter:
        counter.orders(order())
        asked = take(counter, link(counter, key=None))
        assert counter.page() is Page.IDLE
        counter.sign_in()
        assert state(counter, asked).handover
        assert counter.page() is Page.ORDER


def test_only_so_many_wait(counter: Bench) -> None:
    counter.to_charging(order())
    for number in range(OPEN_MOST):
        take(counter, link(counter, f"nonce-{number:017d}", order=f"2{number:03d}"))
    with pytest.raises(LinkError) as refused:
        take(counter, link(counter, "z" * 22, order="3000"))
    assert refused.value.reason is Reason.BUSY


# --- another cash desk ----------------------------------------------------------------------------


def pay_link(counter: Bench, nonce: str = "p" * 22, **changes: object) -> str:
    return link(counter, nonce, **({"act": Act.PAY, "claim": "H-a", "payment": "H-a-1"} | changes))  # type: ignore[arg-type]


def test_a_payment_for_another_cash_desk_is_its_own(counter: Bench) -> None:
    """Its claim, its payment's id, its receipt and its goods."""
    asked = take(counter, pay_link(counter))
    assert ("read_fresh", counter.handover, "1042") in counter.hands.asked
    assert "claim" not in counter.hands.names()
    go_on(counter)
    assert counter.payment == "H-a-1"
    counter.approve()
    assert ended(counter, asked) == (Outcome.PAID, Reason.NONE)
    assert counter.page() is Page.IDLE
    assert counter.hands.jobs == []
    assert counter.core.state.handovers == {}
    printed = take(counter, link(counter, "q" * 22, act=Act.PRINT))
    assert state(counter, printed).result is None
    counter.print_all()
    assert ended(counter, printed) == (Outcome.PRINTED, Reason.NONE)
    assert [job.what for job in counter.hands.jobs] == ["receipt"]


def test_a_payment_of_a_cash_desk_is_asked_for_once_whatever_the_nonce(counter: Bench) -> None:
    first = take(counter, pay_link(counter))
    go_on(counter)
    counter.approve()
    counter.core.links.follow()
    assert take(counter, pay_link(counter, "r" * 22)).id == first.id
    with pytest.raises(LinkError):
        take(counter, pay_link(counter, "s" * 22, order="1043"))
    assert len(counter.hands.charges) == 1


def test_a_declined_payment_of_a_cash_desk_ends_at_once(counter: Bench) -> None:
    """The next attempt has another id, which is the cash desk's to give."""
    asked = take(counter, pay_link(counter))
    go_on(counter)
    counter.end(Declined(Code.PAYMENT_DECLINED, ""))
    assert ended(counter, asked) == (Outcome.DECLINED, Reason.CARD_DECLINED)
    assert counter.page() is Page.IDLE
    assert Kind.PUT_BACK not in kinds(counter), "the claim is not ours to end"


def test_money_that_comes_after_the_cash_desk_was_told_no_is_a_persons_case(counter: Bench) -> None:
    """The cash desk believes that nothing was taken; nobody else can know better than the seller
    here. Until it is settled the payment is in sight."""
    asked = take(counter, pay_link(counter))
    go_on(counter)
    handover, payment = counter.handover, counter.payment
    counter.end(Declined(Code.PAYMENT_DECLINED, ""))
    said = state(counter, asked).result
    counter.core.charging.charged(handover, payment, approved(DUE))
    assert counter.screen().attention == 1
    assert state(counter, asked).result == said
    counter.restart()
    assert counter.screen().attention == 1
    counter.do(Action.ATTENTION)
    counter.do(Action.CONFIRM)
    counter.do(Action.DECIDE_PAID)
    assert counter.screen().attention == 0
    assert counter.core.state.handovers == {}


def test_without_a_claim_the_order_is_claimed_here(counter: Bench) -> None:
    take(counter, pay_link(counter, claim="", payment=""))
    assert "claim" in counter.hands.names()


def test_what_is_served_already_is_not_paid_for_another_desk(counter: Bench) -> None:
    counter.to_charging(order())
    counter.approve()
    counter.do(Action.NEXT)
    asked = take(counter, pay_link(counter))
    assert ended(counter, asked) == (Outcome.REFUSED, Reason.ORDER_NOT_HERE)
    assert len(counter.core.state.handovers) == 1


# --- what became of a payment ---------------------------------------------------------------------


def status_link(counter: Bench, nonce: str = "t" * 22, **changes: object) -> str:
    return link(counter, nonce, **({"act": Act.STATUS, "payment": "H-a-1"} | changes))  # type: ignore[arg-type]


def test_who_lost_the_result_of_a_payment_is_told_it_again(counter: Bench) -> None:
    take(counter, pay_link(counter))
    go_on(counter)
    counter.approve()
    counter.core.links.follow()
    counter.clock.pass_(60)
    asked = take(counter, status_link(counter))
    assert ended(counter, asked) == (Outcome.PAID, Reason.NONE)
    result = state(counter, asked).result
    assert result is not None
    assert (result.payment, result.amount, result.pan) == ("H-a-1", DUE, "************4711")
    assert result.at == int(counter.clock.now().timestamp()), "the time at which this was said"
    assert len(counter.hands.charges) == 1


def test_a_status_waits_while_the_payment_runs(counter: Bench) -> None:
    take(counter, pay_link(counter))
    asked = take(counter, status_link(counter))
    again = take(counter, status_link(counter, "u" * 22))
    assert again.id == asked.id, "one for each payment that is open"
    go_on(counter)
    counter.clock.pass_(3600)
    counter.core.tick()
    assert state(counter, asked).result is None
    counter.restart()
    assert state(counter, asked).result is None
    counter.end(Declined(Code.PAYMENT_DECLINED, ""))
    assert ended(counter, asked) == (Outcome.DECLINED, Reason.CARD_DECLINED)
    result = state(counter, asked).result
    assert result is not None
    assert (result.payment, result.amount) == ("H-a-1", DUE)


def test_a_payment_that_was_never_asked_for_never_will_be(counter: Bench) -> None:
    """Its link was slower than the question about it."""
    late = pay_link(counter)
    asked = take(counter, status_link(counter, amount=DUE))
    assert ended(counter, asked) == (Outcome.REFUSED, Reason.NEVER_ASKED)
    result = state(counter, asked).result
    assert result is not None
    assert (result.payment, result.order, result.amount) == ("H-a-1", "1042", DUE)
    counter.restart()
    counter.orders(order())
    found = take(counter, late)
    assert found.result is not None
    assert found.result.reason is Reason.NEVER_ASKED
    again = take(counter, status_link(counter, "u" * 22))
    assert ended(counter, again) == (Outcome.REFUSED, Reason.NEVER_ASKED)
    assert counter.page() is Page.IDLE
    assert counter.hands.names() == []


def test_a_status_takes_nobodys_place(counter: Bench) -> None:
    counter.to_charging(order())
    for number in range(OPEN_MOST):
        link_ = pay_link(
            counter, f"nonce-{number:017d}", order=f"2{number:03d}", payment=f"P-{number}"
        )
        take(counter, link_)
    asked = take(counter, status_link(counter, payment="P-0"))
    assert state(counter, asked).result is None
    assert counter.page() is Page.CHARGING


def test_only_who_signed_a_payment_hears_of_it(counter: Bench) -> None:
    take(counter, pay_link(counter))
    for key in (None, STRANGER):
        with pytest.raises(LinkError) as refused:
            take(counter, status_link(counter, key=key))
        assert refused.value.reason is Reason.SEAL


def test_a_new_key_is_not_told_that_the_old_ones_payment_was_never_asked_for(
    tmp_path: Path,
) -> None:
    new = replace(SHOP, id="shop-2")
    settings = replace(LINKS, keys={"shop": SHOP, "shop-2": new})
    with bench(tmp_path, replace(SETTINGS, links=settings)) as counter:
        counter.orders(order())
        take(counter, pay_link(counter))
        with pytest.raises(LinkError) as refused:
            take(counter, status_link(counter, key=new))
        assert refused.value.reason is Reason.SEAL


def test_an_application_is_told_by_its_scheme(tmp_path: Path) -> None:
    back = kassa.RESULT_CALLBACK
    allowed = replace(LINKS, return_to=("kassa-api:", "https:"))
    with bench(tmp_path, replace(SETTINGS, links=allowed)) as counter:
        counter.orders(order())
        asked = take(counter, status_link(counter, callbacks=Callbacks(back, back, back)))
        address = counter.core.links.address(state(counter, asked))
        assert address is not None
        assert kassa.is_result(address)
        with pytest.raises(LinkError):
            take(counter, link(counter))


# --- paper ----------------------------------------------------------------------------------------


def test_a_receipt_is_printed_again_as_a_copy(counter: Bench) -> None:
    counter.to_charging(order())
    counter.approve()
    counter.print_all()
    counter.do(Action.CONFIRM)
    asked = take(counter, link(counter, act=Act.PRINT))
    assert state(counter, asked).result is None
    counter.print_all()
    assert ended(counter, asked) == (Outcome.PRINTED, Reason.NONE)


def test_a_receipt_of_what_was_not_paid(counter: Bench) -> None:
    asked = take(counter, link(counter, act=Act.PRINT))
    assert ended(counter, asked) == (Outcome.REFUSED, Reason.NOT_PAID)


def test_a_printer_that_cannot(counter: Bench) -> None:
    counter.to_charging(order())
    counter.approve()
    asked = take(counter, link(counter, act=Act.PRINT))
    counter.core.papers.failed(counter.hands.jobs[0].id, Code.NO_PAPER)
    counter.clock.pass_(WAIT_S)
    counter.core.tick()
    assert ended(counter, asked) == (Outcome.REFUSED, Reason.PRINTER)


def test_a_receipt_that_the_seller_waives(counter: Bench) -> None:
    counter.to_charging(order())
    counter.approve()
    asked = take(counter, link(counter, act=Act.PRINT))
    counter.do(Action.WAIVE_RECEIPT)
    assert ended(counter, asked) == (Outcome.CANCELLED, Reason.BY_SELLER)


# --- where it comes from --------------------------------------------------------------------------


def test_the_kiosks_page_goes_to_the_caller_when_the_goods_have_left(counter: Bench) -> None:
    take(counter, link(counter), Source.KIOSK)
    go_on(counter)
    counter.approve()
    counter.core.links.follow()
    assert counter.screen().leave is None, "there are goods to hand over"
    counter.clock.pass_(300)  # however long that takes
    counter.core.tick()
    counter.do(Action.CONFIRM)
    counter.core.tick()
    leave = counter.screen().leave
    assert leave is not None
    assert leave.address.startswith("https://shop.example/paid?status=paid")
    counter.clock.pass_(60)
    counter.core.tick()
    assert counter.screen().leave is None


def test_a_scanned_link_is_taken_like_a_scanned_order(counter: Bench) -> None:
    counter.orders(order(), order("1043"))
    counter.core.scanned("KO-1043")
    counter.core.scanned(link(counter, key=None, callbacks=Callbacks()))
    focus = counter.core.state.focus
    assert focus is not None
    assert focus.order.number == "1042"
    counter.core.scanned("kassa-api://payNow?order=1042&sig=forged")
    notice = counter.core.state.notice
    assert notice is not None
    assert notice.code is Code.LINK_REFUSED


def test_the_shop_opens_an_order_once(counter: Bench) -> None:
    now = int(counter.clock.now().timestamp())
    wanted = OrderRequest("r-1", "1042", "Counter 1", now + 60)
    others = (
        OrderRequest("r-2", "1042", "Counter 2", now + 60),
        OrderRequest("r-3", "1042", "", now),
    )
    snapshot = Snapshot("e", (order(),), requests=(*others, wanted))
    counter.core.snapshot(snapshot)
    assert counter.page() is Page.ORDER
    assert counter.hands.names() == [], "it opens, and charges nothing"
    counter.do(Action.CANCEL)
    counter.core.snapshot(snapshot)
    assert counter.page() is Page.IDLE
    counter.restart()
    counter.core.snapshot(snapshot)
    assert counter.page() is Page.IDLE


def asked_for(counter: Bench, *numbers: str, life_s: int = 60) -> tuple[OrderRequest, ...]:
    now = int(counter.clock.now().timestamp())
    return tuple(OrderRequest(f"r-{number}", number, "", now + life_s) for number in numbers)


def test_what_the_shop_asks_for_waits_for_room(counter: Bench) -> None:
    """The snapshot does not come again: the poll is answered 304 until something changes."""
    numbers = [str(2000 + number) for number in range(OPEN_MOST + 2)]
    orders = tuple(order(number) for number in numbers)
    counter.core.snapshot(Snapshot("e", orders, requests=asked_for(counter, *numbers)))
    assert len(counter.core.state.links) == OPEN_MOST
    opened = []
    while counter.page() is Page.ORDER:
        assert counter.core.state.focus is not None
        opened.append(counter.core.state.focus.order.number)
        counter.do(Action.CANCEL)
        counter.core.tick()
    assert opened == numbers
    assert counter.core.state.links == {}
    assert counter.core.links._wanted == (), "nothing is kept of what has been opened"


def test_what_the_shop_asks_for_waits_for_the_disk(
    counter: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise JournalTrouble(Code.DISK_FULL, "full")

    requests = asked_for(counter, "1042")
    with monkeypatch.context() as disk:
        disk.setattr(counter.core.journal, "append", full)
        with pytest.raises(JournalTrouble):
            counter.core.snapshot(Snapshot("e", (order(),), requests=requests))
    counter.core.tick()
    assert counter.page() is Page.ORDER


@pytest.mark.parametrize("life_s", [-1, 0, LONGEST_LIFE_S + 1, 10**11])
def test_the_shop_asks_for_now_and_not_for_some_day(counter: Bench, life_s: int) -> None:
    counter.core.snapshot(
        Snapshot("e", (order(),), requests=asked_for(counter, "1042", life_s=life_s))
    )
    assert counter.page() is Page.IDLE
    assert counter.core.state.links == {}
    assert counter.core.links._wanted == ()


def test_what_the_shop_does_not_ask_for_any_more_is_forgotten(counter: Bench) -> None:
    numbers = [str(2000 + number) for number in range(OPEN_MOST + 2)]
    counter.core.snapshot(Snapshot("e", (), requests=asked_for(counter, *numbers)))
    waiting = [request.order for request in counter.core.links._wanted]
    assert waiting == numbers[OPEN_MOST:]
    counter.core.snapshot(Snapshot("f", ()))
    assert not counter.core.links._wanted


def test_who_signs_in_is_asked_for_by_nobody_else(counter: Bench) -> None:
    """A link is no badge: it signs nobody in."""
    take(counter, link(counter))
    assert counter.core.state.seller is None
