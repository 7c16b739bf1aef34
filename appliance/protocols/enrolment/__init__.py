"""Enrolment: how a kiosk without settings gets them from a desk, by a code that it scans once.

See docs/enrolment.md and docs/decisions/0015-enrolment.md.
"""

from appliance.protocols.enrolment.codes import (
    LONGEST,
    EnrolCode,
    EnrolmentError,
    Trust,
    grouped,
    read,
    write,
)
from appliance.protocols.enrolment.messages import (
    REPEAT_S,
    Asked,
    Entry,
    Settings,
    Verdict,
    asked_from,
    asked_message,
    judge,
    settings_from,
    settings_message,
)

__all__ = [
    "LONGEST",
    "REPEAT_S",
    "Asked",
    "EnrolCode",
    "EnrolmentError",
    "Entry",
    "Settings",
    "Trust",
    "Verdict",
    "asked_from",
    "asked_message",
    "grouped",
    "judge",
    "read",
    "settings_from",
    "settings_message",
    "write",
]
