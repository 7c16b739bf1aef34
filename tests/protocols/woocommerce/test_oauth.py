"""OAuth 1.0a by RFC 5849's own example of a normalised request, and by a reckoning of our own."""

from __future__ import annotations

import base64
import hashlib
import hmac

from appliance.protocols.woocommerce import oauth


def test_parameters_are_encoded_then_sorted() -> None:
    """RFC 5849, 3.4.1.3.2, has this query: what is equal in name is sorted by value."""
    query = [("b5", "=%3D"), ("a3", "a"), ("c@", ""), ("a2", "r b"), ("a3", "2 q"), ("c2", "")]
    normal = "a2=r%20b&a3=2%20q&a3=a&b5=%3D%253D&c%40=&c2="
    base = "GET&http%3A%2F%2Fexample.com%2Frequest&" + normal.replace("%", "%25").replace(
        "=", "%3D"
    ).replace("&", "%26")
    digest = hmac.new(b"secret&", base.encode(), hashlib.sha256).digest()
    found = oauth.signature("get", "http://example.com/request", query, "secret")
    assert found == base64.b64encode(digest).decode()


def test_all_five_parameters_are_there_and_the_secret_is_not() -> None:
    signed = oauth.signed(
        "GET", "http://h/x", [("a", "~")], key="ck_1", secret="cs_1", nonce="n", at_s=5
    )
    assert {name for name, _ in signed} == {"a", *oauth.NAMES}
    assert dict(signed)["oauth_timestamp"] == "5"
    assert "cs_1" not in str(signed)
    rest = [pair for pair in signed if pair[0] != "oauth_signature"]
    assert dict(signed)["oauth_signature"] == oauth.signature("GET", "http://h/x", rest, "cs_1")
