"""Phones that stumble over SHA-256 are offered MD5 alone; all others keep the choice."""

from __future__ import annotations

from vpbx.calls.challenges import Challenges
from vpbx.sip import Hop, Request
from vpbx.sip.message import parse_message

HOP = Hop("udp", "192.0.2.7", 5060)


def register(*headers: str, user: str = "ann", method: str = "REGISTER") -> Request:
    lines = [
        f"{method} sip:acme.example SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1",
        f"From: <sip:{user}@acme.example>;tag=1",
        f"To: <sip:{user}@acme.example>",
        "Call-ID: 1",
        f"CSeq: 1 {method}",
        "Max-Forwards: 70",
        *headers,
    ]
    message = parse_message("\r\n".join([*lines, "", ""]).encode(), max_bytes=65535)
    assert isinstance(message, Request)
    return message


def test_a_phone_that_answers_keeps_both_algorithms() -> None:
    challenges = Challenges()
    for _ in range(3):  # each refresh begins without credentials
        assert not challenges.md5_only(register(), HOP)
        challenges.answered(register("Authorization: Digest x"), HOP)


def test_a_phone_that_comes_back_with_nothing_is_offered_md5_alone_also_for_calls() -> None:
    challenges = Challenges()
    assert not challenges.md5_only(register(), HOP)
    assert challenges.md5_only(register(), HOP)
    challenges.answered(register("Authorization: Digest x"), HOP)
    assert challenges.md5_only(register(method="INVITE"), HOP)


def test_a_wrong_password_is_not_taken_for_a_stumble() -> None:
    challenges = Challenges()
    assert not challenges.md5_only(register(), HOP)
    assert not challenges.md5_only(register("Authorization: Digest x"), HOP)


def test_a_phone_known_to_stumble_is_offered_md5_alone_at_once() -> None:
    agent = "User-Agent: baresip v1.0.0 (x86_64/Linux)"
    assert Challenges().md5_only(register(agent), HOP)
    assert not Challenges().md5_only(register("User-Agent: baresip v3.1.0"), HOP)


def test_only_so_many_devices_are_remembered() -> None:
    challenges = Challenges(max_devices=2)
    for user in ("ann", "bob", "eve"):
        challenges.md5_only(register(user=user), HOP)
    assert not challenges.md5_only(register(user="ann"), HOP), "the oldest was forgotten"
