"""The uri of credentials must be the Request-URI's, as phones write both."""

from __future__ import annotations

import pytest

from vpbx.sip.equal_uri import same_for_digest


@pytest.mark.parametrize(
    ("request_uri", "given"),
    [
        ("sip:702@acme.example", "sip:702@acme.example"),
        ("sip:acme.example", "sip:acme.example:5060"),
        ("sip:acme.example:5060", "sip:acme.example"),
        ("sips:acme.example:5061", "sips:acme.example"),
        ("sip:702@acme.example;transport=tcp", "sip:702@acme.example"),
        ("sip:702@acme.example", "sip:702@acme.example;transport=UDP"),
        ("sip:702@acme.example;transport=tcp", "sip:702@acme.example;transport=TCP"),
        ("sip:+74951112233@acme.example;user=phone", "sip:+74951112233@acme.example"),
        ("sip:702@ACME.Example", "sip:702@acme.example"),
        ("sip:702@acme.example.", "sip:702@acme.example"),
        ("sip:%3702@acme.example", "sip:702@acme.example"),
        ("sip:*98%2301@acme.example", "sip:*98#01@acme.example"),
        ("sip:702@acme.example;a=1;b", "sip:702@acme.example;b;a=1"),
        ("sip:702@[2001:DB8::1]", "sip:702@[2001:db8::1]:5060"),
        ("tel:+7-495-111-22-33", "tel:+74951112233"),
        ("tel:4951112233;phone-context=+7", "tel:495-111-2233;phone-context=+7"),
        ("sip:702@acme.example", "sip:192.0.2.1:5060"),
        ("sip:702@acme.example", "sip:127.0.0.1"),
        ("sip:702@acme.example?x=y", "sip:702@acme.example?x=y"),
        ("no uri at all", "no uri at all"),
    ],
)
def test_same(request_uri: str, given: str) -> None:
    assert same_for_digest(given, request_uri)


@pytest.mark.parametrize(
    ("request_uri", "given"),
    [
        ("sip:79035550000@acme.example", "sip:702@acme.example"),
        ("sip:79035550000@acme.example", "sip:acme.example"),
        ("sip:702@acme.example", "sip:702@other.example"),
        ("sip:702@acme.example", "sip:702@192.0.2.1"),
        ("sip:702@acme.example", "sips:702@acme.example"),
        ("sip:702@acme.example", "sip:702@acme.example:5070"),
        ("sip:702@acme.example", "sip:702@acme.example;method=BYE"),
        ("sip:702@acme.example;maddr=192.0.2.1", "sip:702@acme.example"),
        ("sip:702@acme.example;user=ip", "sip:702@acme.example;user=phone"),
        ("sip:Ann@acme.example", "sip:ann@acme.example"),
        ("sip:702@acme.example", ""),
        ("sip:702@acme.example", "*"),
        ("sip:702@acme.example", "sip:702@acme.example?Subject=x"),
        ("tel:+74951112233", "tel:+74951112234"),
        ("tel:+74951112233", "sip:+74951112233@acme.example"),
        ("tel:112;phone-context=a.example", "tel:112;phone-context=b.example"),
        ("mailto:a@b", "mailto:a@c"),
    ],
)
def test_not_the_same(request_uri: str, given: str) -> None:
    assert not same_for_digest(given, request_uri)
