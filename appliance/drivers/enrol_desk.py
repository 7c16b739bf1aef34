"""Asks the desk that an enrolment code names for this kiosk's settings: one request over HTTPS.

Whom we speak to is settled before anything is sent: a desk in the middle could otherwise pass our
proof on, and keep the answer.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from contextlib import closing
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.domain.errors import Code, EnrolTrouble
from appliance.protocols.enrolment import EnrolCode, Settings, Trust, asked_message, settings_from
from appliance.protocols.links.signing import Key
from appliance.protocols.shopapi import JSON_TYPE, ShopApiError

PATH: Final = "/v1/enrolments/redeem"
CONNECT_S: Final = 5.0
ANSWER_S: Final = 20.0
"""For the whole answer; one silence is at most CONNECT_S."""
LARGEST_ANSWER: Final = 1024 * 1024
_CHUNK: Final = 16_384
_NOT_YET_VALID: Final = 9  # X509_V_ERR_CERT_NOT_YET_VALID (OpenSSL, x509_vfy.h)
_ERRORS: Final = {404: Code.ENROL_USED, 409: Code.ENROL_USED, 410: Code.ENROL_EXPIRED}


def redeem(code: EnrolCode, kiosk: Key, model: str, serial: str) -> Settings:
    """What the desk has for this kiosk. kiosk: its private key. model, serial: for the desk's book.
    Raises EnrolTrouble: ENROL_UNREACHABLE and ENROL_CLOCK may pass by themselves, the others do
    not."""
    body = asked_message(code, kiosk, model, serial)
    try:
        with closing(_connected(code)) as line:
            path = urlsplit(code.url).path + PATH
            line.request("POST", path, body, {"Content-Type": JSON_TYPE, "Connection": "close"})
            with line.getresponse() as answer:
                content = _content(answer)
    except ssl.SSLCertVerificationError as error:
        is_early = error.verify_code == _NOT_YET_VALID
        which = Code.ENROL_CLOCK if is_early else Code.ENROL_STRANGER
        raise EnrolTrouble(which, error.verify_message) from None
    except (OSError, http.client.HTTPException) as error:
        raise EnrolTrouble(Code.ENROL_UNREACHABLE, _one_line(error)) from None
    if answer.status != 200:
        which = _ERRORS.get(answer.status, Code.ENROL_UNREACHABLE)
        raise EnrolTrouble(which, f"the desk answers {answer.status}")
    try:
        return settings_from(content)
    except ShopApiError as error:
        raise EnrolTrouble(Code.ENROL_SETTINGS, str(error)) from None


def _connected(code: EnrolCode) -> http.client.HTTPConnection:
    """A line to this desk and no other. Raises OSError, EnrolTrouble."""
    address = urlsplit(code.url)
    host = address.hostname or ""
    if code.trust is Trust.LOOPBACK:
        return http.client.HTTPConnection(host, address.port, timeout=CONNECT_S)
    context = ssl.create_default_context()
    if code.trust is Trust.PINNED:
        # The key is what counts: neither its name, nor who signed it, nor what the clock says.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    line = http.client.HTTPSConnection(host, address.port, timeout=CONNECT_S, context=context)
    line.connect()
    if code.trust is Trust.PINNED and _key_of(line.sock) != code.key:
        line.close()
        raise EnrolTrouble(Code.ENROL_STRANGER, "the certificate has another key than the code")
    return line


def _key_of(line: socket.socket) -> bytes:
    assert isinstance(line, ssl.SSLSocket)
    try:
        shown = x509.load_der_x509_certificate(line.getpeercert(binary_form=True) or b"")
        return shown.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    except (ValueError, TypeError):
        return b""  # no certificate, or a key of another kind


def _content(answer: http.client.HTTPResponse) -> bytes:
    until = time.monotonic() + ANSWER_S
    content = b""
    while chunk := answer.read1(_CHUNK):
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise http.client.HTTPException("the answer is too large")
        if time.monotonic() > until:
            raise TimeoutError("the answer takes too long")
    return content


def _one_line(error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) else None
    return (why or str(error) or type(error).__name__)[:200]
