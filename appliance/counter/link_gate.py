"""Whom to believe, and whom to answer: what a link must show before anything is done about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from appliance.counter.link_facts import Asked
from appliance.counter.settings import LinkSettings
from appliance.domain.errors import Code
from appliance.protocols.links import address, dialects, signing
from appliance.protocols.links.messages import Link, LinkError, Outcome, Reason, Result

LONGEST_LIFE_S: Final = 24 * 3600
"""How far ahead a seal may expire. Nonces are remembered for longer: the journal keeps facts for at
least thirty days."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A link that may be asked for. signed_by: the id of the key, "" for none. is_late: its seal
    has expired, so that it can only be a repeat."""

    link: Link
    signed_by: str = ""
    is_late: bool = False


class Gate:
    """now: seconds since 1970, UTC."""

    def __init__(self, settings: LinkSettings, now: Callable[[], int]) -> None:
        self._settings, self._now = settings, now

    def admit(self, text: str) -> Admitted:
        """Read a link and judge it. Raises LinkError."""
        if self._settings.accept == "none":
            raise LinkError(Reason.SEAL, "this counter takes no links")
        link = dialects.parse(text)
        for template in link.callbacks.all:
            self._check_target(template, link)
        if link.seal is None:
            if self._settings.accept != "confirmed":
                raise LinkError(Reason.SEAL, "the link is not signed", link)
            if link.claim or link.payment:
                raise LinkError(Reason.SEAL, "ids of a cash desk need a signature", link)
            return Admitted(link)
        seal, now = link.seal, self._now()
        key = self._settings.keys.get(seal.key_id)
        # One answer for both: who guesses learns nothing of which keys there are.
        if key is None or not signing.verify(key, seal.text, seal.signature):
            raise LinkError(Reason.SEAL, "the signature is not right", link)
        if seal.expires_at > now + LONGEST_LIFE_S:
            raise LinkError(Reason.SEAL, "it expires too late", link)
        return Admitted(link, key.id, is_late=seal.expires_at <= now)

    def address(self, asked: Asked) -> str | None:
        """Where the caller hears of the result; None where it named no address, or where the
        settings have changed and forbid it now."""
        if asked.result is None:
            return None
        stamp = None
        if (key := self._settings.sign_with) is not None:
            # The same result has the same seal however often it is asked for.
            nonce, until = asked.id.removeprefix("L-"), asked.result.at + LONGEST_LIFE_S
            stamp = signing.Stamp(key, nonce, until)
        found = dialects.respond(asked.link, asked.result, stamp)
        if found is None:
            return None
        try:
            self._check_target(found, asked.link)
        except LinkError:
            return None
        return found

    def refusal(self, error: LinkError) -> str | None:
        """Where the caller hears that its link is refused, without a seal: nobody was believed, and
        whoever knows the nonce of a request that is under way could otherwise have it sealed that
        nothing came of it. None where no address is known or allowed."""
        link = error.link
        if link is None:
            return None
        code, text = str(Code.LINK_REFUSED), str(error)
        result = Result(
            Outcome.REFUSED, error.reason, link.order, self._now(), code=code, text=text
        )
        found = dialects.respond(link, result)
        try:
            if found is not None:
                self._check_target(found, link)
        except LinkError:
            return None
        return found

    def _check_target(self, template: str, link: Link) -> None:
        origin = address.origin(template)
        scheme = origin.partition("//")[0]  # of an application, which has no host to tell apart
        is_allowed = origin in self._settings.return_to or (
            scheme not in ("http:", "https:") and scheme in self._settings.return_to
        )
        if not is_allowed:
            raise LinkError(Reason.CALLBACK, "the callback's address is not allowed here", link)
