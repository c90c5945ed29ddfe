"""Refusals beyond RFC 4475's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vpbx.sip.message import Request, parse_message
from vpbx.sip.validate import Abilities, judge


@pytest.fixture
def verdict(make_request: Callable[..., bytes]) -> Callable[..., int]:
    def judged(method: str = "INVITE", *, body: bytes = b"", **changes: str | None) -> int:
        changes.setdefault("Content-Length", str(len(body)))
        request = parse_message(make_request(method, **changes) + body)
        assert isinstance(request, Request)
        refusal = judge(request, Abilities(methods=frozenset(("INVITE", "BYE", "OPTIONS"))))
        return refusal.code if refusal else 0

    return judged


def test_a_fair_request_goes_through(verdict: Callable[..., int]) -> None:
    assert verdict() == 0
    assert verdict(Max_Forwards=None, Contact=None, From="<sip:a@b>") == 0
    assert verdict(Require="100rel, TIMER") == 0


@pytest.mark.parametrize("name", ["To", "From", "Call_ID", "CSeq"])
def test_a_missing_header(verdict: Callable[..., int], name: str) -> None:
    assert verdict(**{name: None}) == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"From": "<sip:a@b>;tag="},
        {"From": "<sip:a@b>;tag"},
        {"To": ""},
        {"To": "<sip:a@b"},
        {"CSeq": "1 BYE"},
        {"CSeq": "4294967296 INVITE"},
        {"Max_Forwards": "256"},
        {"Max_Forwards": "x"},
        {"Contact": "*"},
        {"Contact": "<sip:a@b>, <"},
        {"Via": "SIP/2.0/UDP h;branch=z9hG4bKx, SIP/2.0/UDP"},
        {"Route": "<sip:a;lr>, x"},
        {"Record-Route": ","},
    ],
)
def test_broken_headers(verdict: Callable[..., int], changes: dict[str, str]) -> None:
    assert verdict(**changes) == 400


def test_max_forwards_ran_out(verdict: Callable[..., int]) -> None:
    assert verdict(Max_Forwards="0") == 483
    assert verdict("OPTIONS", Max_Forwards="0") == 0
    assert verdict("BYE", Max_Forwards="0", To="<sip:a@b>;tag=x") == 0


def test_methods(make_request: Callable[..., bytes], verdict: Callable[..., int]) -> None:
    assert verdict("MESSAGE") == 405
    assert verdict("DANCE") == 501
    request = parse_message(make_request("MESSAGE"))
    assert isinstance(request, Request)
    refusal = judge(request, Abilities(methods=frozenset(("INVITE", "BYE"))))
    assert refusal is not None
    assert refusal.headers == (("Allow", "BYE, INVITE"),)


def test_bodies_of_an_invite(verdict: Callable[..., int]) -> None:
    def of(kind: str, **more: str) -> int:
        return verdict(body=b"x", **{"Content-Type": kind}, **more)

    assert of("application/SDP; charset=utf-8") == 0
    assert of("multipart/mixed;boundary=x") == 0
    assert of("text/plain") == 415
    assert of("text/plain", **{"Content-Disposition": "render;handling=optional"}) == 0
    assert of("application/sdp", **{"Content-Encoding": "gzip"}) == 415
    assert of("application/sdp", **{"Content-Encoding": "identity"}) == 0


def test_accept_of_an_invite(verdict: Callable[..., int]) -> None:
    assert verdict(Accept="text/plain, application/sdp;level=1") == 0
    assert verdict(Accept="*/*") == 0
    assert verdict(Accept="text/plain") == 406
    assert verdict("OPTIONS", Accept="text/plain") == 0


def test_star_contact_is_for_register() -> None:
    data = (
        b"REGISTER sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nTo: <sip:a@b>\r\n"
        b"From: <sip:a@b>;tag=1\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nContact: *\r\n\r\n"
    )
    request = parse_message(data)
    assert isinstance(request, Request)
    assert judge(request, Abilities()) is None
