"""Who is shown how, and which trunks rest: pure (call-handling.md, "An outgoing call")."""

from __future__ import annotations

import pytest

from vpbx.calls.ways import Resting, Way, identity_headers, preferred
from vpbx.clock import ManualClock
from vpbx.directory import Identity
from vpbx.sip import Hop

HOP = Hop("udp", "192.0.2.1", 5060)
NUMBER = "<sip:74950000001@acme.example>"


@pytest.mark.parametrize(
    ("identity", "headers"),
    [
        (Identity.FROM, []),
        (Identity.PAI, [("P-Asserted-Identity", NUMBER)]),
        (
            Identity.RPID,
            [("Remote-Party-ID", f"{NUMBER};party=calling;screen=yes;privacy=off")],
        ),
    ],
)
def test_our_number_stands_where_the_trunk_looks_for_it(
    identity: Identity, headers: list[tuple[str, str]]
) -> None:
    way = Way("trunk a", "carrier.example", (HOP,), identity=identity)
    assert identity_headers(way, "74950000001", "acme.example") == (NUMBER, headers)


def test_from_may_be_the_account_and_the_number_is_asserted() -> None:
    way = Way("a", "carrier.example", (HOP,), from_user="100200", from_domain="carrier.example")
    from_, headers = identity_headers(way, "74950000001", "acme.example")
    assert from_ == '"74950000001" <sip:100200@carrier.example>'
    assert headers == [("P-Asserted-Identity", "<sip:74950000001@carrier.example>")]


def test_a_hidden_number_is_told_to_the_carrier_alone() -> None:
    way = Way("a", "carrier.example", (HOP,))
    from_, headers = identity_headers(way, "74950000001", "acme.example", private=True)
    assert from_ == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert headers == [("P-Asserted-Identity", NUMBER), ("Privacy", "id")]


def test_the_request_uri_names_what_was_set() -> None:
    assert Way("a", "carrier.example", (HOP,)).target("791", HOP).uri == "sip:791@carrier.example"
    way = Way("a", "2001:db8::1", (HOP,), port=5070, transport="tcp")
    assert way.target("791", HOP).uri == "sip:791@[2001:db8::1]:5070;transport=tcp"


def test_three_failures_in_a_row_rest_for_thirty_seconds() -> None:
    clock = ManualClock()
    resting = Resting(clock)
    assert [resting.failed("a") for _ in range(2)] == [False, False]
    resting.served("a")
    assert [resting.failed("a") for _ in range(3)] == [False, False, True]
    assert resting.rests("a")
    assert not resting.rests("b")
    clock.advance(29.9)
    assert resting.rests("a")
    clock.advance(0.2)
    assert not resting.rests("a")
    assert resting.failed("a")  # one call was tried, and it rests again at once
    clock.advance(31)
    assert resting.served("a")
    assert not resting.failed("a")


def test_what_rests_is_used_only_when_nothing_else_is_there() -> None:
    a, b = Way("a", "a", (HOP,)), Way("b", "b", (HOP,))
    assert preferred([a, b], [False, True]) == [b]
    assert preferred([a, b], [False, False]) == [a, b]
    assert preferred([], []) == []
