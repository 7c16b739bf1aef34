"""What is raised for bytes that are no ZVT."""

from __future__ import annotations

from appliance.domain.errors import ProtocolError


class ZvtError(ProtocolError):
    """The far end sent what ZVT does not allow, or did not take what it was sent.

    The text never quotes received bytes: they may hold a card number.
    """


class NotTakenError(ZvtError):
    """The far end acknowledges no frame: it is off, or the line is cut."""
