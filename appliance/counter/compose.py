"""From the counter's memory to the screen: which page it is, what stands on it, what one may do."""

from __future__ import annotations

from typing import Final

from appliance.counter import adopt_rows
from appliance.counter.clock import MOMENT, Clock, local
from appliance.counter.journal import Journal
from appliance.counter.screen import (
    ROWS,
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
    HandOver,
    Idle,
    LogLine,
    NoReceipt,
    OrderPage,
    OrderRow,
    OutOfOrder,
    Page,
    Paid,
    Receipt,
    Refused,
    Screen,
    UnknownPage,
)
from appliance.counter.settings import Settings
from appliance.counter.state import State
from appliance.domain import handover as ho
from appliance.domain import payment as pay
from appliance.domain.errors import Bug, Code
from appliance.domain.facts import Fact, Json
from appliance.domain.money import Money
from appliance.domain.order import Order, OrderStatus

DEVICES: Final = ("terminal", "printer", "scanner", "shop", "machine")
OPENABLE: Final = frozenset(
    {
        Page.IDLE,
        Page.ORDER,
        Page.REFUSED,
        Page.ATTENTION,
        Page.ATTENTION_ITEM,
        Page.DAY,
        Page.PAIRING,
        Page.DEVICES,
        Page.ASKING,
    }
)
"""The pages on which an order may be opened; elsewhere a scan is answered with a notice."""
PASSING: Final = frozenset(
    {Page.REFUSED, Page.ATTENTION, Page.ATTENTION_ITEM, Page.DAY, Page.PAIRING, Page.DEVICES}
)
"""Pages that give way to the idle screen when nobody does anything."""

_S, _P = ho.State, Page
_PAGE_OF: Final = {
    _S.OPEN: _P.ORDER,
    _S.CLAIMING: _P.ASKING,
    _S.CLAIMED: _P.ASKING,
    _S.PAYING: _P.CHARGING,
    _S.TO_HAND_OVER: _P.HAND_OVER,
    _S.SET_ASIDE: _P.ATTENTION_ITEM,
    _S.ATTENTION: _P.ATTENTION_ITEM,
    _S.DONE: _P.ATTENTION_ITEM,  # over, but for a payment that needs a person
    _S.SERVED: _P.ATTENTION_ITEM,
    _S.CLOSED: _P.ATTENTION_ITEM,
}
_DECIDABLE: Final = frozenset(
    {Code.PAYMENT_UNRESOLVED, Code.PAYMENT_LATE, Code.TERMINAL_OTHER_AMOUNT}
)


def page(state: State) -> Page:
    """Which page it is. A running payment is shown whatever else is wrong."""
    focus = state.focus
    if focus and focus.state is _S.PAYING:
        payment = focus.payment
        is_doubtful = payment is not None and payment.state is pay.State.DOUBTFUL
        return _P.UNKNOWN if is_doubtful else _P.CHARGING
    if state.fault or state.damaged_journal:
        return _P.OUT_OF_ORDER
    if focus is None or state.place.page in (_P.ATTENTION_ITEM, _P.ATTENTION, _P.DAY):
        is_gone = state.place.page is _P.ATTENTION_ITEM and _chosen_item(state) is None
        return _P.ATTENTION if is_gone else state.place.page
    found = _PAGE_OF[focus.state]
    if found is _P.ATTENTION_ITEM and _chosen_item(state) is None:
        return _P.ATTENTION
    if found is _P.HAND_OVER and _waiting_receipt(state, focus) is not None:
        return _P.NO_RECEIPT
    return found


def _waiting_receipt(state: State, handover: ho.Handover) -> Code | None:
    """Why the handover's receipt does not print, if it does not."""
    for job in state.jobs.values():
        if job.handover == handover.id and job.what == "receipt" and job.code:
            return Code(job.code)
    return None


def is_serving(state: State) -> bool:
    """A claim or a payment is under way: it stays in the name of who began it, and alone."""
    return state.focus is not None and state.focus.state in (_S.CLAIMING, _S.CLAIMED, _S.PAYING)


def is_busy(state: State) -> bool:
    """Somebody is being served, or a paper is on its way: no moment to stop the counter. What waits
    for a person or for a printer's cure may wait until tomorrow, and survives a restart."""
    serving = (_S.OPEN, _S.CLAIMING, _S.CLAIMED, _S.PAYING, _S.TO_HAND_OVER)
    return (
        page(state) is _P.ASKING
        or any(handover.state in serving for handover in state.handovers.values())
        or any(not job.code for job in state.jobs.values())
    )


def actions(state: State, settings: Settings) -> frozenset[Action]:
    """What a person may do on this page; everything else is refused."""
    a, focus = Action, state.focus
    here: set[Action] = {a.SCAN}
    if state.seller is not None and not is_serving(state):
        here.add(a.SIGN_OUT)
    match page(state):
        case _P.IDLE:
            here |= {a.OPEN, a.ATTENTION, a.DAY, a.LANGUAGE}
            here |= {a.REPRINT} if state.last_receipt else set()
            here |= {a.PAIR} if state.may_pair else set()
            here |= {a.DEVICES} if adopt_rows.rows(state, settings.devices) else set()
        case _P.ORDER if focus:
            here |= {a.CANCEL}
            here |= {a.CONFIRM} if focus.may_be_charged or focus.order.is_prepaid else set()
            here |= {a.CHECK} if focus.open_checks else set()
        case _P.ASKING:
            here |= {a.CANCEL} if focus is None else set()
        case _P.CHARGING if focus and focus.payment:
            here |= {a.CANCEL} if focus.payment.state is pay.State.AUTHORISING else set()
        case _P.HAND_OVER if focus:
            here |= {a.CONFIRM, a.NEXT, a.TICK}
            here |= {a.CHECK} if focus.open_checks else set()
            here |= {a.REPRINT} if _may_reprint(state, focus) else set()
            waiting = any(job.handover == focus.id for job in state.jobs.values())
            here |= {a.WAIVE_RECEIPT} if waiting else set()
        case _P.NO_RECEIPT:
            here |= {a.CONFIRM, a.WAIVE_RECEIPT}
        case _P.REFUSED:
            here |= {a.CONFIRM, a.CANCEL, a.ATTENTION, a.DAY}
            here |= {a.REPRINT} if state.place.receipt_of else set()
        case _P.ATTENTION:
            here |= {a.CANCEL, a.NEXT, a.DAY}
            here |= {a.CONFIRM, a.OPEN} if attention_items(state) else set()
        case _P.ATTENTION_ITEM:
            here |= {a.CANCEL, a.ATTENTION}
            code = _detail_item(state).code
            unsettled = _unsettled(focus) if focus else None
            if unsettled is not None and unsettled.id in state.asking:
                pass  # the terminal is being asked: its word comes before a person's
            elif code in _DECIDABLE:
                here |= {a.DECIDE_PAID, a.DECIDE_NOT_PAID}
            else:
                here |= {a.CONFIRM}
        case _P.DAY:
            here |= {a.CANCEL, a.NEXT, a.REPRINT, a.ATTENTION}
        case _P.PAIRING:
            here |= {a.CANCEL}
        case _P.DEVICES:
            rows = adopt_rows.rows(state, settings.devices)
            marked = next((row for row in rows if row.id == state.place.about), None)
            here |= {a.CANCEL} | ({a.OPEN} if rows else set())
            here |= {a.NEXT} if len(rows) > (1 if marked else 0) else set()
            here |= {a.CONFIRM} if marked and marked.may_adopt else set()
            here |= {a.RELEASE} if marked and marked.may_release else set()
        case _P.OUT_OF_ORDER:
            here = {a.CONFIRM} if state.damaged_journal and not state.fault else set()
        case _:
            pass
    if settings.require_seller and state.seller is None:
        here -= {a.REPRINT, a.PAIR}
    return frozenset(here)


def _may_reprint(state: State, handover: ho.Handover) -> bool:
    done = state.receipts.get(handover.id) in ("printed", "waived")
    return handover.is_charged_here and done


def screen(
    state: State,
    settings: Settings,
    journal: Journal,
    clock: Clock,
    midnight: str,
    seq: int,
    *,
    needs_seller: bool,
) -> Screen:
    """The whole screen as data."""
    shown = page(state)
    return Screen(
        seq=seq,
        page=shown,
        body=_body(shown, state, settings, journal, midnight, needs_seller=needs_seller),
        actions=actions(state, settings),
        at=clock.now().astimezone().isoformat(timespec="seconds"),
        counter=settings.counter,
        place=settings.place,
        devices=tuple(
            Device(name, state.devices[name]) for name in DEVICES if name in state.devices
        ),
        seller=state.seller,
        seller_required=settings.require_seller,
        notice=state.notice,
        attention=len(attention_items(state)),
        handed_over_today=state.handed_over_today,
        undelivered=state.undelivered,
        language_turns=state.language_turns,
        leave=state.leave[0] if state.leave and shown is _P.IDLE else None,
    )


def _body(
    shown: Page,
    state: State,
    settings: Settings,
    journal: Journal,
    midnight: str,
    *,
    needs_seller: bool,
) -> Body:
    focus, place = state.focus, state.place
    match shown:
        case _P.IDLE:
            return _idle(state, adopt_rows.new(adopt_rows.rows(state, settings.devices)))
        case _P.ORDER if focus:
            return _order(state, focus)
        case _P.ASKING:
            return Asking(focus.order.number if focus else place.about)
        case _P.CHARGING | _P.UNKNOWN if focus and focus.payment:
            return _paying(state, focus, focus.payment)
        case _P.HAND_OVER if focus:
            return _hand_over(state, focus)
        case _P.NO_RECEIPT if focus:
            return NoReceipt(focus.order, _waiting_receipt(state, focus) or Code.PRINTER_GONE)
        case _P.REFUSED if place.code:
            return Refused(place.code, place.about, place.detail, place.order)
        case _P.ATTENTION:
            items = attention_items(state)
            return Attention(items[:ROWS], place.selected % len(items[:ROWS]) if items else 0)
        case _P.ATTENTION_ITEM:
            return _detail(state, needs_seller=needs_seller)
        case _P.DAY:
            handed, total = day(state, journal, midnight)
            return Day(handed, place.selected % len(handed) if handed else 0, total)
        case _P.PAIRING if state.pairing:
            return state.pairing
        case _P.DEVICES:
            rows = adopt_rows.rows(state, settings.devices)
            names = [row.id for row in rows]
            at = names.index(place.about) if place.about in names else -1
            is_list = bool(settings.devices.sellers) and state.seller is None
            return DeviceList(rows, at, needs_seller or is_list)
        case _P.OUT_OF_ORDER:
            if state.fault:
                return OutOfOrder(*state.fault)
            file = state.damaged_journal[1] if state.damaged_journal else ""
            return OutOfOrder(Code.JOURNAL_DAMAGED, file)
        case _:
            raise Bug(f"no body for {shown}")


def _idle(state: State, new: tuple[str, ...]) -> Idle:
    shown = {OrderStatus.READY, OrderStatus.NOT_READY}
    waiting = [order for order in state.orders.values() if order.status in shown]
    waiting.sort(key=_urgency)
    return Idle(
        tuple(_row(order) for order in waiting[:ROWS]),
        len(waiting),
        max(len(waiting) - ROWS, 0),
        state.is_fetched,
        new,
    )


def _urgency(order: Order) -> tuple[bool, bool, str, str]:
    """Ready before not ready, the last day first, then who waits longest. ISO texts of one shop
    in one zone sort by time well enough for a list; nothing else depends on it."""
    return (order.status is not OrderStatus.READY, not order.last_day, order.ready_at, order.number)


def _row(order: Order) -> OrderRow:
    return OrderRow(
        order.id,
        order.number,
        order.customer.name,
        order.cell,
        order.due,
        order.status is OrderStatus.READY,
        order.ready_at,
        tuple(check.kind for check in order.checks),
        order.last_day,
    )


def _order(state: State, handover: ho.Handover) -> OrderPage:
    code, reason = handover.code, handover.reason
    return OrderPage(
        handover.order,
        Code(code) if code else None,
        reason,
        handover.may_be_charged or handover.order.is_prepaid,
        handover.open_checks,
        tuple(sorted(handover.confirmed)),
        handover.id in state.is_offline,
    )


def _paying(state: State, handover: ho.Handover, payment: pay.Payment) -> Charging | UnknownPage:
    dialogue = state.dialogue
    if payment.state is pay.State.DOUBTFUL:
        return UnknownPage(
            handover.order,
            payment.amount,
            Code(payment.code or Code.PAYMENT_UNKNOWN),
            payment.reason,
            tuple(dialogue.log),
            dialogue.ask_until,
        )
    is_stopping = payment.state is pay.State.STOPPING
    return Charging(handover.order, payment.amount, dialogue.prompt, dialogue.words, is_stopping)


def paid_how(handover: ho.Handover) -> tuple[Paid, Money, str]:
    """How the order was paid, what was charged here, and the card in words."""
    for payment in handover.payments:
        if payment.state is pay.State.APPROVED:
            if payment.card is None:
                return Paid.DECIDED, payment.amount, ""
            card = payment.card
            return Paid.CARD, payment.amount, f"{card.scheme} {card.pan}".strip()
    return Paid.ONLINE, Money(0, handover.order.total.currency), ""


def summary(handover: ho.Handover) -> dict[str, Json]:
    """What the day's list shows of a handover, kept in its last fact."""
    paid, amount, _ = paid_how(handover)
    return {
        "number": handover.order.number,
        "customer": handover.order.customer.name,
        "amount": amount.amount,
        "currency": amount.currency.code,
        "paid": str(paid),
    }


def _hand_over(state: State, handover: ho.Handover) -> HandOver:
    paid, amount, card = paid_how(handover)
    receipt = Receipt(state.receipts.get(handover.id, "none"))
    return HandOver(
        handover.order,
        paid,
        amount,
        card,
        receipt,
        handover.ticked,
        handover.open_checks,
        tuple(sorted(handover.confirmed)),
        _may_reprint(state, handover),
    )


def attention_items(state: State) -> tuple[AttentionItem, ...]:
    """Everything that only a person can settle: money in doubt first, as its customer may still
    be here; of each sort the oldest first."""
    items = [
        _item(state, handover)
        for handover in state.handovers.values()
        if handover.state in ho.NEEDS_A_PERSON or _unsettled(handover)
    ]
    items += [
        AttentionItem(
            f.subject, f.order, "", None, Code.SHOP_REFUSES_FACT, f.reason, local(f.at, MOMENT)
        )
        for f in state.refused_facts.values()
    ]
    return tuple(sorted(items, key=lambda item: item.code not in _DECIDABLE))


def _unsettled(handover: ho.Handover) -> pay.Payment | None:
    for payment in handover.payments:
        if payment.state is pay.State.ATTENTION:
            return payment
    return None


def _item(state: State, handover: ho.Handover) -> AttentionItem:
    payment = _unsettled(handover)
    if payment is None:
        code, amount = Code.PAID_NOT_HANDED, paid_how(handover)[1]
    else:
        stated = Code(payment.code) if payment.code else Code.PAYMENT_UNRESOLVED
        code = stated if stated in _DECIDABLE else Code.PAYMENT_UNRESOLVED
        amount = payment.amount
    since = state.opened_at.get(handover.id, "")
    return AttentionItem(
        handover.id,
        handover.order.number,
        handover.order.customer.name,
        amount,
        code,
        "",  # the driver words its reasons for the journal, with devices and error numbers
        local(since, MOMENT) if since else "",
    )


def _chosen_item(state: State) -> AttentionItem | None:
    """The attention item that the place is about; None once it is settled."""
    for item in attention_items(state):
        if item.handover == state.place.handover:
            return item
    return None


def _detail_item(state: State) -> AttentionItem:
    item = _chosen_item(state)
    if item is None:
        raise Bug("an attention item that is gone")
    return item


def _detail(state: State, *, needs_seller: bool) -> AttentionDetail:
    item = _detail_item(state)
    focus = state.focus
    payment = _unsettled(focus) if focus else None
    baseline = payment.baseline if payment else pay.Baseline()
    log: tuple[LogLine, ...] = tuple(state.dialogue.log) if payment else ()
    return AttentionDetail(
        item,
        baseline.terminal_id,
        baseline.receipt_no,
        log,
        item.code in _DECIDABLE,
        needs_seller,
    )


def day(state: State, journal: Journal, midnight: str) -> tuple[tuple[DayRow, ...], int]:
    """Today's handovers, newest first, and how many there are."""
    facts, total = journal.handed_over_since(midnight, ROWS)
    return tuple(_day_row(state, fact) for fact in facts), total


def _day_row(state: State, fact: Fact) -> DayRow:
    body = fact.body
    amount = body["amount"]
    if type(amount) is not int:
        raise Bug("a hand-over without its amount")
    paid = Paid(str(body["paid"]))
    names = state.sellers.by_hash.values() if state.sellers else ()
    seller = next((s.name for s in names if s.id == fact.seller), fact.seller)
    return DayRow(
        fact.subject,
        str(body["number"]),
        str(body["customer"]),
        Money.of(amount, str(body["currency"])),
        paid,
        local(fact.at),
        seller,
        paid is not Paid.ONLINE,
    )


def selected_of_day(state: State, journal: Journal, midnight: str) -> str:
    """The handover that is selected in the day's list, or ""."""
    rows, _ = day(state, journal, midnight)
    return rows[state.place.selected % len(rows)].handover if rows else ""
