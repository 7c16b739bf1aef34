"""What the doctor says of links: what is set, and what a shop would stumble over."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.counter.config_schema import BY_LINK, Config, Links
from appliance.counter.doctor_findings import Finding

NAME = "links"


def links(settings: Links) -> Finding:
    """One line. Nothing in [links] keeps a counter from working, so nothing here fails: the keys
    were read before (see doctor_config.py)."""
    if settings.accept == "none":
        return Finding(NAME, True, "off")
    what = f"accept is {settings.accept}; {len(settings.keys)} keys"
    if not settings.return_to:
        fix = "add the shop's origin to [links] return_to, or no link with a callback is taken"
        return Finding(NAME, True, f"{what}; results may go nowhere", fix)
    what = f"{what}; results may go to {', '.join(settings.return_to)}"
    if not settings.sign_with:
        fix = "name a key in [links] sign_with, or a shop cannot tell a result from a forged one"
        return Finding(NAME, True, f"{what}, unsigned", fix)
    return Finding(NAME, True, what)


def by_link(section: str, config: Config) -> Iterator[Finding]:
    """A terminal or printer that is an application: only a payment or a paper shows whether it is
    there, so all that can be said is what its links and answers are worth."""
    device = config.terminal if section == "terminal" else config.printer
    what = f"{BY_LINK[section]}: an application, reached through the kiosk's page"
    if device.accept_unsigned:
        fix = "name the key of its answers in answer_key and remove accept_unsigned, if it can sign"
        said = "each answer goes to the seller" if section == "terminal" else "anybody can answer"
        yield Finding(section, True, f"{what}; {said}, as it may be unsigned", fix)
    else:
        yield Finding(section, True, what, is_checked=False)
    if section == "terminal" and config.terminal.knows_status:
        yield Finding("recovery", True, "the application tells what became of a payment")
    elif section == "terminal":
        fix = (
            "set [terminal] knows_status if it answers paymentStatus; else each doubt is a person's"
        )
        yield Finding(
            "recovery", True, "the application is not asked what became of a payment", fix
        )
    else:
        yield Finding("paper", True, "it prints receipts only: no slips of the terminal's")
