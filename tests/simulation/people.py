"""The seller at a counter and the customers before it. They see the screen and the terminal, no
more, and do what such people do: mostly the right thing, sometimes at the wrong moment."""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from appliance.counter.commands import Answer, Command
from appliance.counter.screen import Action, Page, Receipt, Screen
from appliance.domain.errors import Code
from tests.simulation.plan import Quirk, Visit
from tests.simulation.primitives import Event

if TYPE_CHECKING:
    from tests.simulation.town import Counterpart

PATIENCE_S: Final = 900.0  # of a customer whose order does not come about
RETRY_S: Final = 20.0
TRIES: Final = 3
LATE: Final = 0.2  # of taps come after a while
BADGE: Final = "KS-1001-7XQ2"
LOOKS_EVERY_S: Final = 0.8
_AGAIN_LATER: Final = (
    Code.SHOP_UNREACHABLE, Code.SHOP_BUSY, Code.SHOP_NONSENSE, Code.OFFLINE_NO_CHARGE,
    Code.ORDER_CLAIMED,
)  # fmt: skip


class Seller:
    """One at each counter; serves one customer after the other, and settles what is left."""

    def __init__(self, at: Counterpart, seed: str) -> None:
        self._at = at
        self._kernel = at.kernel
        self._seed = seed
        self._dice = random.Random(f"{seed} seller {at.name}")
        self.waiting: deque[Visit] = deque()
        self._news = Event(at.kernel)
        self._count = 0
        self.is_tidying = False
        self.is_idle = True

    def come(self, visit: Visit) -> None:
        self.waiting.append(visit)
        self._news.set()

    def tidy(self) -> None:
        """It is evening: settle what is on the attention list."""
        self.is_tidying = True
        self._news.set()

    def run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            self.is_idle = False
            while self.waiting:
                visit = self.waiting.popleft()
                self._dice = random.Random(f"{self._seed} {visit.lot}")
                _Serving(self, visit).run()
            if self.is_tidying:
                self._dice = random.Random(f"{self._seed} evening {self._at.name}")
                self._tidy()
                self.is_tidying = False
            self.is_idle = True

    # --- what a seller can do -------------------------------------------------------------------

    def look(self) -> Screen | None:
        """The screen, after a moment; None while there is none."""
        self._kernel.sleep(LOOKS_EVERY_S * self._dice.uniform(0.5, 1.5))
        counter = self._at.counter
        return None if counter is None else counter.screen()

    def press(
        self, screen: Screen, action: Action, argument: str = "", twice: bool = False
    ) -> bool:
        """A button of this screen; whether the counter did it. twice: the tap counts twice."""
        counter = self._at.counter
        if counter is None or action not in screen.actions:
            return False
        self._count += 1
        command = Command(f"{self._at.name}-{self._count}", action, argument, screen.seq)
        self._at.tell("the seller", f"presses {action}")
        body: Any = screen.body
        if (action, screen.page) == (Action.CONFIRM, Page.ORDER):
            self._at.agrees(body.order)
        if (action, screen.page) == (Action.CONFIRM, Page.HAND_OVER):
            self._at.gives(body.order)
        if self._dice.random() < LATE:
            # A finger on its way: the screen may be another one when it arrives.
            self._kernel.sleep(self._dice.uniform(0.1, 1.5))
        answer = counter.command(command).answer
        if twice:
            self._kernel.sleep(self._dice.choice((0.0, 0.1, 0.3)))
        if twice and self._at.counter is counter:
            counter.command(command)
            self._count += 1
            other = Command(f"{self._at.name}-{self._count}", action, argument, screen.seq)
            counter.command(other)
        return answer is Answer.DONE

    def scan(self, text: str, *, twice: bool = False) -> None:
        self._at.tell("the seller", f"scans {text}")
        for _ in range(2 if twice else 1):
            self._at.scan(text)
            self._kernel.sleep(self._dice.uniform(0.1, 0.6))

    def type(self, screen: Screen, text: str) -> None:
        self.press(screen, Action.SCAN, text)

    # --- the evening ----------------------------------------------------------------------------

    def _tidy(self) -> None:
        """Open each item of the list, look at what it is about, and settle it."""
        until = self._kernel.now + PATIENCE_S * 2
        while self._kernel.now < until:
            screen = self.look()
            if screen is None:
                continue
            match screen.page:
                case Page.IDLE if not screen.attention:
                    return
                case Page.IDLE if screen.seller_required and screen.seller is None:
                    self.sign_in()
                case Page.IDLE:
                    self.press(screen, Action.ATTENTION)
                case Page.ATTENTION:
                    self.press(screen, Action.CONFIRM if screen.attention else Action.CANCEL)
                case Page.ATTENTION_ITEM:
                    self.settle(screen)
                case Page.HAND_OVER:
                    if screen.seller_required and screen.seller is None:
                        self.press(screen, Action.NEXT)  # signed out meanwhile
                    self.hand_over(screen)
                case _:
                    self.leave(screen)

    def settle(self, screen: Screen) -> None:
        """What only a person can: look at the terminal's own journal, and say."""
        body: Any = screen.body
        if body.needs_seller and self._dice.random() < 0.7:
            # Nobody has signed in: then this must have no effect.
            self.press(screen, Action.DECIDE_NOT_PAID)
        if body.needs_seller or (screen.seller is None and Action.DECIDE_PAID in screen.actions):
            self.press(screen, Action.CANCEL)
            self.press_again(Action.CANCEL)
            self.sign_in()
        elif body.may_decide and self._at.is_terminal_at_rest():
            is_paid = self._at.holds(body.item.handover)
            self.press(screen, Action.DECIDE_PAID if is_paid else Action.DECIDE_NOT_PAID)
        else:
            self.press(screen, Action.CONFIRM)

    def sign_in(self) -> None:
        self.scan(BADGE)
        self._kernel.sleep(2)

    def press_again(self, action: Action) -> None:
        if (screen := self.look()) is not None:
            self.press(screen, action)

    def leave(self, screen: Screen) -> None:
        """Back to where one can begin anew, as far as this screen lets one."""
        for action in (Action.CANCEL, Action.CONFIRM):
            # A payment that runs is left alone: it ends by itself.
            if action in screen.actions and screen.page not in (Page.CHARGING, Page.UNKNOWN):
                self.press(screen, action)
                return

    def hand_over(self, screen: Screen, visit: Visit | None = None) -> None:
        """Goods against what the screen says."""
        body: Any = screen.body
        if body.open_checks:
            self.press(screen, Action.CHECK)
            return
        if body.receipt in (Receipt.QUEUED, Receipt.PRINTING) and self._dice.random() < 0.8:
            return  # it is about to come
        is_wanted = visit is not None and Quirk.REPRINT in visit.quirks and body.may_reprint
        if is_wanted and self._dice.random() < 0.5:
            self.press(screen, Action.REPRINT)
            return
        twice = visit is not None and Quirk.TAPPED_TWICE in visit.quirks
        if self.press(screen, Action.CONFIRM, twice=twice):
            after = self.look()
            shown = getattr(after.body, "order", None) if after is not None else None
            if after is not None and getattr(shown, "id", None) != body.order.id:
                self._at.hand(body.order)


class _Serving:
    """One customer's time at the counter."""

    def __init__(self, seller: Seller, visit: Visit) -> None:
        self._seller, self._visit = seller, visit
        self._at, self._kernel = seller._at, seller._kernel
        self._dice = seller._dice
        self._order = self._at.order_of(visit)
        self._tries = 0
        self._scanned_at = float("-inf")
        self._presented: set[str] = set()

    def run(self) -> None:
        until = self._kernel.now + PATIENCE_S
        while self._kernel.now < until:
            screen = self._seller.look()
            if screen is not None and self._is_over(screen):
                return
        self._at.tell("the customer", f"of order {self._order.number} gives up and leaves")

    def _is_over(self, screen: Screen) -> bool:
        body: Any = screen.body
        order = getattr(body, "order", None)
        is_ours = order is not None and getattr(order, "id", order) in (
            self._order.id, self._order.number,
        )  # fmt: skip
        match screen.page:
            case Page.IDLE | Page.ATTENTION | Page.DAY:
                return self._begin(screen)
            case Page.ORDER if is_ours:
                return self._order_page(screen)
            case Page.CHARGING:
                self._charging(screen)
            case Page.HAND_OVER if is_ours and Quirk.ASIDE in self._visit.quirks:
                return self._seller.press(screen, Action.NEXT)
            case Page.HAND_OVER if is_ours:
                self._seller.hand_over(screen, self._visit)
                return self._order.id in self._at.gone
            case Page.HAND_OVER:
                self._seller.press(screen, Action.NEXT)
            case Page.NO_RECEIPT if self._dice.random() < 0.1:
                self._seller.press(screen, Action.CONFIRM)
            case Page.REFUSED:
                return self._refused(screen)
            case Page.ATTENTION_ITEM:
                self._seller.press(screen, Action.CANCEL)
                return self._at.is_in_attention(self._order.id)
            case Page.ORDER | Page.OUT_OF_ORDER:
                self._seller.leave(screen)
            case _:
                pass  # asked, or in doubt: one waits
        return False

    def _begin(self, screen: Screen) -> bool:
        if self._order.id in self._at.gone and not self._visit.comes_again:
            return True
        if screen.seller_required and screen.seller is None:
            self._seller.sign_in()
            return False
        if self._kernel.now - self._scanned_at < RETRY_S:
            return False  # it may still come up
        self._scanned_at = self._kernel.now
        self._tries += 1
        if self._tries > TRIES:
            self._at.tell("the customer", f"of order {self._order.number} comes back another day")
            return True
        code = self._dice.choice((*self._order.codes, self._order.number))
        if Quirk.TYPED in self._visit.quirks or self._tries > 1:
            self._seller.type(screen, code)
        else:
            self._seller.scan(code, twice=Quirk.SCANNED_TWICE in self._visit.quirks)
        return False

    def _order_page(self, screen: Screen) -> bool:
        body: Any = screen.body
        if Quirk.CHANGES_MIND in self._visit.quirks and self._dice.random() < 0.5:
            return self._seller.press(screen, Action.CANCEL)
        if body.open_checks:
            self._seller.press(screen, Action.CHECK)
            return False
        if not body.may_charge:
            self._seller.press(screen, Action.CANCEL)
            return True
        if self._tries >= TRIES + 2:
            return self._seller.press(screen, Action.CANCEL)
        self._tries += 1 if body.code else 0
        self._seller.press(screen, Action.CONFIRM, twice=Quirk.TAPPED_TWICE in self._visit.quirks)
        return False

    def _charging(self, screen: Screen) -> None:
        """The customer is at the terminal, once for each charge."""
        payment = self._at.charging
        if payment in self._presented or not self._at.wants_card:
            return
        self._presented.add(payment)
        quirks, dice = self._visit.quirks, self._dice
        if Quirk.WALKS_AWAY in quirks and len(self._presented) == 1:
            return
        wait_s = dice.uniform(0.5, 6.0)
        if Quirk.TAPS_LATE in quirks:
            wait_s = dice.uniform(40.0, 70.0)
        act = "tap" if dice.random() < 0.7 else "insert"
        if len(self._presented) == 1:
            act = "decline" if Quirk.DECLINED_FIRST in quirks else act
            act = "cancel_key" if Quirk.RED_KEY in quirks else act
        self._at.present(act, self._kernel.now + wait_s)
        if Quirk.SELLER_STOPS in quirks and len(self._presented) == 1:
            self._kernel.sleep(max(0.0, wait_s - dice.uniform(-0.3, 0.6)))
            self._seller.press_again(Action.CANCEL)

    def _refused(self, screen: Screen) -> bool:
        body: Any = screen.body
        self._seller.press(screen, Action.CONFIRM)
        if body.code is Code.ORDER_HANDED_OVER and self._order.id not in self._at.gone:
            # The counter says that it was handed over; the customer stands here without it. So the
            # tap was the one that counted, whatever the screen did next.
            self._at.hand(self._order)
        return body.code not in _AGAIN_LATER
