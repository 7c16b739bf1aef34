"""ESC/POS receipt printers: documents to bytes, and what printers answer.

profiles       one visible table of printers
transliterate  any text to characters that a profile has
layout         paragraphs and amounts to lines of columns
code128        bar patterns and code sets (ISO/IEC 15417)
encode         a document to bytes
status         real-time status, process ids (bytes to messages)
"""

from appliance.protocols.escpos.encode import Encoder, ending
from appliance.protocols.escpos.profiles import PROFILES, Profile
from appliance.protocols.escpos.status import (
    CLEAR_BUFFERS,
    Cleared,
    EscposError,
    Flag,
    ProcessDone,
    Query,
    Responses,
    StatusByte,
    diagnosis,
    parse_status,
    request,
)

__all__ = [
    "CLEAR_BUFFERS",
    "PROFILES",
    "Cleared",
    "Encoder",
    "EscposError",
    "Flag",
    "ProcessDone",
    "Profile",
    "Query",
    "Responses",
    "StatusByte",
    "diagnosis",
    "ending",
    "parse_status",
    "request",
]
