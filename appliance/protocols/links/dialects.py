"""The one table of all link formats. A new one is a module with `parse` and `respond`, and a row.

Every dialect has `build` beside them, for tests, the bench and links that we send; what it takes
depends on the format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from appliance.protocols.links import (
    kassa,
    paypal_here,
    square_android,
    square_ios,
    sumup,
    x_callback,
)
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import Link, LinkError, Reason, Result
from appliance.protocols.links.signing import Stamp

Parse = Callable[[str], Link]
Respond = Callable[[Link, Result, Stamp | None], str | None]

SCHEMES: Final[Mapping[str, Parse]] = MappingProxyType(
    {
        **dict.fromkeys(kassa.SCHEMES, kassa.parse),
        x_callback.SCHEME: x_callback.parse,
        paypal_here.SCHEME: paypal_here.parse,
        square_ios.SCHEME: square_ios.parse,
        square_android.SCHEME: square_android.parse,
        sumup.SCHEME: sumup.parse,
    }
)

DIALECTS: Final[Mapping[Name, Respond]] = MappingProxyType(
    {
        Name.KASSA: kassa.respond,
        Name.X_CALLBACK: x_callback.respond,
        Name.PAYPAL_HERE: paypal_here.respond,
        Name.SQUARE_IOS: square_ios.respond,
        Name.SQUARE_ANDROID: square_android.respond,
        Name.SUMUP_IOS: sumup.respond,
        Name.SUMUP_ANDROID: sumup.respond,
    }
)


def parse(text: str) -> Link:
    """A link of any format. Nothing in it is believed yet. Raises LinkError, and nothing else
    whatever the text."""
    reader = SCHEMES.get(text.partition(":")[0].lower())
    if reader is None:
        raise LinkError(Reason.MALFORMED, "no scheme that we know")
    return reader(text)


def respond(link: Link, result: Result, stamp: Stamp | None = None) -> str | None:
    """The address that tells the caller in its own format, or None where it named none for this
    outcome. stamp: what our own formats are sealed with; the others have no seal.

    Raises KeyUnfit for a key that cannot sign."""
    return DIALECTS[Name(link.dialect)](link, result, stamp)
