"""What every code says to the seller: a title, the reason, and what to do about it.

English here is the source; the other languages are in translations/. The words are for someone
who sells, not for someone who repairs: no protocol, no abbreviation, nothing to look up. A
reason never says whether money moved, as the same code can come before, during and after a
payment: the page says that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from appliance.domain.errors import Code


def N_(text: str) -> str:
    """Marks a text for gettext's tools; it is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Wording:
    """title: a few words, to be read from two metres. cure: one to three steps, in order."""

    title: str
    reason: str
    cure: tuple[str, ...]


_OFFICE = N_("Tell the office this code and the order's number.")
_SETUP = N_("Call whoever set up this counter and give this code.")
_SUPPORT = N_("Call support and give this code.")
_MINUTE = N_("Try again in a minute.")

WORDING: Final[dict[Code, Wording]] = {
    Code.SECOND_INSTANCE: Wording(
        N_("Already running"),
        N_("The program of this counter was started twice. Only one may speak to the terminal."),
        (
            N_("Wait until the other one has ended."),
            N_("If it stays like this, restart the kiosk."),
        ),
    ),
    Code.INTERNAL: Wording(
        N_("Program error"),
        N_("The program stopped before it could do something wrong. What was paid is recorded."),
        (
            N_("Do not charge anything again."),
            N_("Wait a minute: the program starts again by itself."),
            N_("If it happens again, call support and give this code."),
        ),
    ),
    Code.DEVICE_HUNG: Wording(
        N_("A device hangs"),
        N_("A device has stopped answering in the middle of its work."),
        (
            N_("Switch the device that is marked above off and on again."),
            N_("If it stays like this, restart the kiosk."),
        ),
    ),
    Code.STARTING: Wording(
        N_("Starting"),
        N_("The counter reads its journal and looks for its devices."),
        (N_("Wait a moment."), N_("If it stays like this, restart the kiosk.")),
    ),
    Code.STORAGE: Wording(
        N_("Kiosk not protected"),
        N_("The kiosk's own disk is not set up as it should be. A power cut could harm it."),
        (N_("Go on working."), _SUPPORT),
    ),
    Code.UPDATE: Wording(
        N_("Update taken back"),
        N_("The kiosk's new version did not work here. It works on with the version before it."),
        (N_("Go on working."), _SUPPORT),
    ),
    Code.CONFIGURATION: Wording(
        N_("Not set up"),
        N_("The settings of this counter contain a mistake."),
        (_SETUP,),
    ),
    Code.ENROL_WAITING: Wording(
        N_("Scan the enrolment code"),
        N_("This kiosk is new: it belongs to no counter yet."),
        (
            N_("Get an enrolment code from the shop's office, on paper or on a screen."),
            N_("Scan it with this counter's scanner."),
        ),
    ),
    Code.ENROL_UNREADABLE: Wording(
        N_("No enrolment code"),
        N_("What was scanned is no enrolment code, or was read only in part."),
        (
            N_("Smooth the code out and scan it again."),
            N_("If it stays like this, get a new code."),
        ),
    ),
    Code.ENROL_EXPIRED: Wording(
        N_("Code expired"),
        N_("The code counts no longer: its time is over, or it was withdrawn."),
        (N_("Get a new code from the shop's office and scan it."),),
    ),
    Code.ENROL_USED: Wording(
        N_("Code used"),
        N_("The code was used by another kiosk, or nobody knows it where it leads to."),
        (
            N_("Tell the office, if you do not know which kiosk that was."),
            N_("Get a new code from the shop's office and scan it."),
        ),
    ),
    Code.ENROL_UNREACHABLE: Wording(
        N_("No answer from the office"),
        N_("The place that the code leads to does not answer. The kiosk goes on asking."),
        (N_("Check the network cable of this kiosk."), N_("Tell the office this code.")),
    ),
    Code.ENROL_STRANGER: Wording(
        N_("Not the right office"),
        N_("Somebody else answers than the code says, or the code is not of this shop."),
        (N_("Do not try other codes."), _SETUP),
    ),
    Code.ENROL_CLOCK: Wording(
        N_("Clock not set"),
        N_("The kiosk does not know the time yet. It goes on by itself once it does."),
        (N_("Wait a few minutes."), _SETUP),
    ),
    Code.ENROL_SETTINGS: Wording(
        N_("Settings not usable"),
        N_("The office has answered with settings that this kiosk cannot use."),
        (N_("Tell the office this code."),),
    ),
    Code.JOURNAL_DAMAGED: Wording(
        N_("Record damaged"),
        N_("The record of payments was damaged. It is kept aside, and a new one was begun."),
        (
            N_("Payments of today may be missing in it: look for a slip before you charge."),
            _SUPPORT,
        ),
    ),
    Code.DISK_FULL: Wording(
        N_("Memory full"),
        N_("The record of payments cannot be written. Until it can, nothing is charged."),
        (_SUPPORT,),
    ),
    Code.JOURNAL_NEWER: Wording(
        N_("Program too old"),
        N_("The record of payments was written by a newer version of this program."),
        (N_("Do not reset or reinstall anything."), _SUPPORT),
    ),
    Code.SCAN_UNREADABLE: Wording(
        N_("Code not readable"),
        N_("The scanner read something that is not a code."),
        (
            N_("Smooth the code out and scan it again."),
            N_("Or type the number printed below the code."),
        ),
    ),
    Code.SCANNER_GONE: Wording(
        N_("No scanner"),
        N_("The scanner does not answer."),
        (
            N_("Check the scanner's cable or put it into its cradle."),
            N_("Until then, tap the order or type its number."),
        ),
    ),
    Code.SCAN_NOT_NOW: Wording(
        N_("Not now"),
        N_("What was scanned does not belong to what is on the screen."),
        (N_("Finish or cancel what is on the screen, then scan again."),),
    ),
    Code.BADGE_UNKNOWN: Wording(
        N_("Badge not known"),
        N_("The shop has nobody with this badge."),
        (N_("Scan your own badge."), N_("If it is new, ask the office to register it.")),
    ),
    Code.SIGN_IN_FIRST: Wording(
        N_("Sign in first"),
        N_("Only someone who is signed in can do this."),
        (N_("Scan your badge."),),
    ),
    Code.BADGES_MISSING: Wording(
        N_("Nobody can sign in"),
        N_("The shop has not sent its list of badges yet."),
        (
            N_("Wait: the list comes by itself as soon as the shop answers."),
            N_("If it does not, call the office and give this code."),
        ),
    ),
    Code.NOT_ALLOWED: Wording(
        N_("Not with this badge"),
        N_("Only some of the sellers may do this."),
        (N_("Ask somebody who may, or the office."),),
    ),
    Code.ORDER_UNKNOWN: Wording(
        N_("Order not found"),
        N_("The shop has no open order with this code."),
        (
            N_("Compare the number with the customer's message."),
            N_("Make sure that the message is from this shop."),
            N_("Ask the office if you both see the same number."),
        ),
    ),
    Code.ORDER_ELSEWHERE: Wording(
        N_("Other pickup point"),
        N_("This order is waiting at another pickup point."),
        (N_("The shop's message tells the customer where it is."),),
    ),
    Code.ORDER_CANCELLED: Wording(
        N_("Order cancelled"),
        N_("The shop has cancelled this order."),
        (
            N_("Do not hand the goods over."),
            N_("If the customer disagrees, ask the office."),
        ),
    ),
    Code.ORDER_EXPIRED: Wording(
        N_("Pickup time over"),
        N_("The time for picking up this order has passed."),
        (
            N_("Do not hand the goods over."),
            N_("Ask the office whether the time can be extended."),
        ),
    ),
    Code.ORDER_HANDED_OVER: Wording(
        N_("Already handed over"),
        N_("This order has already been handed over."),
        (
            N_("Look it up under Today."),
            N_("If the customer disagrees, ask the office."),
        ),
    ),
    Code.ORDER_SUMS: Wording(
        N_("Amounts do not add up"),
        N_("The shop's figures for this order contradict each other, so nothing may be charged."),
        (_OFFICE,),
    ),
    Code.ORDER_CURRENCY: Wording(
        N_("Wrong currency"),
        N_("The order is in a currency that this counter does not take."),
        (_OFFICE,),
    ),
    Code.ORDER_CHANGED: Wording(
        N_("Order has changed"),
        N_("The shop changed the order while it was open here."),
        (N_("Go through the order again with the customer, then continue."),),
    ),
    Code.ORDER_CLAIMED: Wording(
        N_("At another counter"),
        N_("Another counter is serving this order right now."),
        (
            N_("Ask at the other counter."),
            N_("If nobody is serving it there, try again in a few minutes."),
        ),
    ),
    Code.ORDER_NOT_READY: Wording(
        N_("Not ready yet"),
        N_("The order is not on its shelf yet."),
        (N_("Ask the customer to wait for the shop's message."),),
    ),
    Code.ORDER_MALFORMED: Wording(
        N_("Order not readable"),
        N_("The shop sent this order in a form that cannot be understood."),
        (_OFFICE,),
    ),
    Code.CHECKS_OPEN: Wording(
        N_("Check first"),
        N_("Something about the customer has to be checked before it goes on."),
        (N_("Check what is marked, tap it, then go on."),),
    ),
    Code.ORDER_PAID_HERE: Wording(
        N_("Already paid here"),
        N_("This counter has charged the order before, but the shop does not know of it."),
        (N_("Do not charge again, not even on the terminal itself."), _OFFICE),
    ),
    Code.SHOP_UNREACHABLE: Wording(
        N_("Shop not reachable"),
        N_("The shop does not answer. What is shown here may be out of date."),
        (
            N_("Check the network cable or the Wi-Fi."),
            N_("Nothing is lost: the shop is told as soon as it answers."),
        ),
    ),
    Code.SHOP_NONSENSE: Wording(
        N_("Shop not understood"),
        N_("The shop answered something that cannot be understood."),
        (_MINUTE, N_("If it stays like this, tell the office this code.")),
    ),
    Code.SHOP_TOKEN: Wording(
        N_("No access to the shop"),
        N_("The shop does not accept this counter's key."),
        (_SETUP,),
    ),
    Code.SHOP_MOVED: Wording(
        N_("Shop has moved"),
        N_("The shop sends this counter to another address. It does not go there unasked."),
        (_SETUP,),
    ),
    Code.SHOP_REFUSES_FACT: Wording(
        N_("Shop refuses a report"),
        N_("The shop does not accept what this counter reports about an order."),
        (_OFFICE, N_("Nothing is lost: the report is kept here.")),
    ),
    Code.OFFLINE_NO_CHARGE: Wording(
        N_("Shop cannot be asked"),
        N_("Without the shop's answer this order may not be charged here."),
        (
            N_("Check the network cable or the Wi-Fi."),
            N_("Ask the customer to wait, or to come back later."),
        ),
    ),
    Code.SHOP_BUSY: Wording(
        N_("Shop is busy"),
        N_("The shop asks to wait a little."),
        (_MINUTE,),
    ),
    Code.PAYMENT_DECLINED: Wording(
        N_("Declined"),
        N_("The payment was declined."),
        (N_("Try again, or ask for another card."),),
    ),
    Code.TERMINAL_GONE: Wording(
        N_("No card terminal"),
        N_("The card terminal does not answer."),
        (
            N_("Check that the terminal is on and its cable is plugged in."),
            N_("If it stays like this, switch it off and on again."),
        ),
    ),
    Code.TERMINAL_BUSY: Wording(
        N_("Terminal is busy"),
        N_("The card terminal is doing something else."),
        (N_("Finish or cancel what the terminal shows, then try again."),),
    ),
    Code.PAYMENT_STOPPED: Wording(
        N_("Payment stopped"),
        N_("The payment was stopped before it was made."),
        (N_("Charge again when the customer is ready."),),
    ),
    Code.TERMINAL_CURRENCY: Wording(
        N_("Terminal: wrong currency"),
        N_("The card terminal does not take the currency of this order."),
        (_SETUP,),
    ),
    Code.TERMINAL_OTHER_AMOUNT: Wording(
        N_("Different amount"),
        N_("The terminal reports a payment of another amount than this order's."),
        (
            N_("Do not hand over, do not charge again."),
            N_("Compare the terminal's slip with the amount shown here."),
            N_("If they differ, call the office before you choose."),
        ),
    ),
    Code.PAYMENT_UNKNOWN: Wording(
        N_("Please wait."),
        N_("The terminal fell silent after it was sent the amount."),
        (
            N_("Do not hand over, do not charge again."),
            N_("Wait until the terminal has answered."),
        ),
    ),
    Code.PAYMENT_UNRESOLVED: Wording(
        N_("Paid or not?"),
        N_("The terminal cannot say whether the money was taken. You can see it on its slip."),
        (
            N_("Take the terminal's slip, or let it print its last one again."),
            N_("Look for this payment on it."),
            N_("Choose what the slip says. If you are not sure, call the office."),
        ),
    ),
    Code.PAYMENT_LATE: Wording(
        N_("Paid after all?"),
        N_("The terminal reports a payment that had counted as not made."),
        (
            N_("Do not charge again."),
            N_("Look for this payment on the terminal's slip."),
            N_("Choose what the slip says. If you are not sure, call the office."),
        ),
    ),
    Code.TERMINAL_SETUP: Wording(
        N_("Terminal not ready"),
        N_("The card terminal wants something done before it takes payments."),
        (
            N_("Do what the terminal shows."),
            N_("If that does not help, call the terminal's service."),
        ),
    ),
    Code.TERMINAL_NONSENSE: Wording(
        N_("Terminal not understood"),
        N_("The card terminal sent something that cannot be understood."),
        (
            N_("Switch the terminal off and on again."),
            N_("If it happens again, call support and give this code."),
        ),
    ),
    Code.PAYMENT_REVERSED: Wording(
        N_("Payment taken back"),
        N_("The terminal took the payment back by itself."),
        (N_("Charge again when the customer is ready."),),
    ),
    Code.PAID_NOT_HANDED: Wording(
        N_("Paid, still here"),
        N_("The order is paid, but its goods have not been handed over."),
        (
            N_("If the customer is here, hand the goods over now."),
            N_("If not, leave them in their cell."),
        ),
    ),
    Code.PRINTER_GONE: Wording(
        N_("No printer"),
        N_("The receipt printer does not answer."),
        (
            N_("Check that the printer is on and its cable is plugged in."),
            N_("Receipts wait and print by themselves afterwards."),
        ),
    ),
    Code.NO_PAPER: Wording(
        N_("No paper"),
        N_("The receipt printer has run out of paper."),
        (
            N_("Open the printer's lid."),
            N_("Put in a new roll so that the paper comes from below."),
            N_("Leave a hand's width out and close the lid."),
        ),
    ),
    Code.COVER_OPEN: Wording(
        N_("Printer is open"),
        N_("The lid of the receipt printer is open."),
        (N_("Close the lid until it clicks."),),
    ),
    Code.PRINTER_FAULT: Wording(
        N_("Printer fault"),
        N_("The receipt printer reports a fault."),
        (
            N_("Open the lid, take out any jammed paper, close the lid."),
            N_("If it stays like this, switch the printer off and on again."),
        ),
    ),
    Code.NO_RECEIPT: Wording(
        N_("No receipt to print"),
        N_("There is no receipt that could be printed again, or it is about to be printed."),
        (N_("Choose the handover in the day's list."),),
    ),
    Code.TERMINAL_STAYS: Wording(
        N_("The terminal stays for now"),
        N_("A payment is not settled yet, and only this terminal can tell of it."),
        (N_("Finish the payment, or settle the open questions, then come back here."),),
    ),
    Code.TERMINAL_CHANGES: Wording(
        N_("The terminal is changed"),
        N_("Another card terminal is just going into service."),
        (
            N_("Charge again in a few seconds."),
            N_("If it stays like this, open the devices and take the terminal out of service."),
        ),
    ),
    Code.LINK_REFUSED: Wording(
        N_("Link refused"),
        N_("The link is not signed by the shop, is too old, was used before, or is no link."),
        (
            N_("Scan the order's own code, or type its number."),
            N_("Or open a new link in the shop."),
            N_("If it happens again, tell the office this code."),
        ),
    ),
    Code.LINK_AMOUNT: Wording(
        N_("Link: other amount"),
        N_("The link asks for another amount than the shop's order says."),
        (
            N_("Open a new link in the shop, or scan the order's own code."),
            N_("Go through the order with the customer before you charge."),
            N_("If it happens again, tell the office this code."),
        ),
    ),
}
