"""What is kept of legs and causes comes back as it was, and what it means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vpbx.causes import (
    CAUSES,
    Cause,
    dump_causes,
    load_causes,
    of_legs,
    of_phone,
    of_reason,
    of_trunk,
)
from vpbx.legs import CallLeg, Grade, Sound, dump_legs, grade, load_legs, way_name, worst

GOOD, POOR = Sound(900, 0, 1.5, 4.38), Sound(700, 300, 80.0, 2.1)
LEGS = (
    CallLeg("Анна", "ann", "", "PCMA", GOOD, None, None),
    CallLeg("79101234567", "", "trunk first", "opus", POOR, Sound(10, 0, None, 4.4), 82.3),
    CallLeg(""),
)


def test_legs_come_back_as_they_were() -> None:
    assert load_legs(dump_legs(LEGS)) == LEGS
    assert load_legs(dump_legs(())) == load_legs(None) == ()
    assert len(load_legs(dump_legs(LEGS * 100))) == 24


def test_a_call_is_as_good_as_its_worst_direction() -> None:
    assert worst(LEGS) == 210
    assert worst((LEGS[0],)) == 438
    assert worst((LEGS[2],)) is None


def test_a_mos_has_a_word() -> None:
    assert [grade(value) for value in (4.0, 3.99, 3.1, 3.09)] == [
        Grade.GOOD,
        Grade.FAIR,
        Grade.FAIR,
        Grade.POOR,
    ]


def test_causes_come_back_as_they_were() -> None:
    causes = (Cause("trunk_name", "sipnet", 0, "нет такого"), Cause("gave_up"))
    assert load_causes(dump_causes(causes)) == causes
    assert load_causes(dump_causes(())) == load_causes(None) == ()
    kept = load_causes(dump_causes([Cause("busy", "x" * 9000, 486, "y" * 9000)] * 500))
    assert len(kept) == 16
    assert len(kept[0].who) == len(kept[0].detail) == 160


def test_half_a_character_in_a_name_keeps_no_row_from_being_written() -> None:
    legs = dump_legs([replace(LEGS[0], who="Ann\ud83d")])
    causes = dump_causes([Cause("busy", "Ann\ud83d", 486)])
    assert legs.encode()
    assert causes.encode()
    assert load_causes(causes)[0].who.startswith("Ann")
    assert load_legs(legs)[0].who.startswith("Ann")


def test_one_way_and_poor_sound_are_told_of_talks() -> None:
    kinds = [(cause.kind, cause.who) for cause in of_legs(LEGS, 60)]
    assert kinds == [("poor_from", "79101234567"), ("one_way", "")]
    assert of_legs(LEGS, 1) == [], "nobody had time to say anything"


@pytest.mark.parametrize(
    ("reason", "kind", "code"),
    [
        ("401 Unauthorized", "trunk_password", 401),
        ("403 Forbidden", "trunk_forbids", 403),
        ("404 Not Found", "trunk_account", 404),
        ("486 Busy Here", "trunk_refused", 486),
        ("500 Server Internal Error", "trunk_fails", 500),
        ("503 Service Unavailable", "trunk_down", 503),
        ("it does not answer", "trunk_silent", 0),
        ("it cannot be reached", "trunk_down", 503),
        ("sip.example: there is no sip.example", "trunk_name", 0),
        ("sip.example: the name servers do not answer", "trunk_name", 0),
        ("sip.example: does not resolve", "trunk_name", 0),
        ("10.0.0.1: leads to a private network, see --allow-private-crm", "trunk_private", 0),
        ("it has not registered here", "trunk_unregistered", 0),
    ],
)
def test_why_a_registration_fails_is_explained(reason: str, kind: str, code: int) -> None:
    cause = of_reason("sipnet", reason)
    assert cause is not None
    assert (cause.kind, cause.who, cause.code) == (kind, "sipnet", code)
    assert kind in CAUSES


def test_a_reason_that_is_not_known_is_not_explained() -> None:
    assert of_reason("sipnet", "failed several times, tried again in 12 s") is None
    assert of_reason("sipnet", "") is None


def test_silence_is_something_else_than_an_answer_that_says_so() -> None:
    assert of_phone("Ann", 408, heard=False).kind == "phone_silent"
    assert of_phone("Ann", 408, heard=True).kind == "no_answer"
    assert of_phone("Ann", 503, heard=False).kind == "phone_gone"
    assert of_trunk("trunk sipnet", 408, heard=False) == Cause("trunk_silent", "sipnet", 408)
    assert of_trunk("trunk sipnet", 408, heard=True).kind == "far_away"
    assert of_trunk("trunk sipnet", 503, heard=False).kind == "trunk_down"
    assert of_trunk("trunk sipnet", 503, heard=True).kind == "trunk_fails"


def test_every_status_has_a_cause_with_words() -> None:
    for code in range(300, 700):
        for heard in (True, False):
            assert of_phone("x", code, heard=heard).kind in CAUSES
            assert of_trunk("trunk x", code, heard=heard).kind in CAUSES
            reason = of_reason("x", f"{code} Whatever")
            assert reason is not None
            assert reason.kind in CAUSES


def test_a_way_is_named_as_people_know_it() -> None:
    assert way_name("trunk sip net of x") == "sip net of x"
    assert way_name("registration 74951234567 of 3") == "74951234567"
    assert way_name("branch other.example of acme.example") == "other.example"
