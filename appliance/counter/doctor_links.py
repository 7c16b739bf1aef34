"""What the doctor says of links: what is set, and what a shop would stumble over."""

from __future__ import annotations

from appliance.counter.config_schema import Links
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
