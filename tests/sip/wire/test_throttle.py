"""Guessing passwords is slowed, by source and account; nobody else notices."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from vpbx.clock import ManualClock
from vpbx.sip.budget import Rate
from vpbx.sip.throttle import OncePer, Recent, Throttle, ThrottleLimits
from vpbx.sip.transport import Hop

LIMITS = ThrottleLimits(
    window_s=60, block_s=90, failures=2, account=Rate(0.5, 4), source=Rate(2, 10), remembered=50
)
A, B = Hop("udp", "192.0.2.1", 5060), Hop("udp", "192.0.2.2", 5060)


@pytest.fixture
def throttle(clock: ManualClock) -> Throttle:
    return Throttle(clock, LIMITS)


def fail(throttle: Throttle, hop: Hop, account: str = "1/ann", times: int = 1) -> None:
    for _ in range(times):
        throttle.failed(hop, account, login="ann", domain="acme.example")


def turn(throttle: Throttle, hop: Hop, account: str = "1/ann") -> float | None:
    return throttle.turn_s(hop, account, login="ann", domain="acme.example")


def test_a_source_is_shut_out_of_the_account_it_guesses_and_of_no_other(
    throttle: Throttle, clock: ManualClock
) -> None:
    fail(throttle, A, times=2)
    assert not throttle.shut_out(A, "1/ann")
    fail(throttle, Hop("tcp", A.host, 40000))
    assert throttle.shut_out(A, "1/ann")
    assert not throttle.shut_out(A, "1/bob"), "a colleague behind the same address"
    assert not throttle.shut_out(B, "1/ann"), "the owner elsewhere"
    clock.advance(89)
    assert throttle.shut_out(A, "1/ann")
    clock.advance(1)
    assert not throttle.shut_out(A, "1/ann")


def test_counts_start_again_with_the_next_window(throttle: Throttle, clock: ManualClock) -> None:
    for _ in range(10):
        fail(throttle, A)
        clock.advance(31)
    assert not throttle.shut_out(A, "1/ann")


def test_many_sources_share_the_tries_of_one_account(
    throttle: Throttle, clock: ManualClock
) -> None:
    hops = [Hop("udp", f"198.51.100.{n}", 5060) for n in range(30)]
    waits = [turn(throttle, hop) for hop in hops]
    assert waits[:4] == [0, 0, 0, 0]
    queued = [wait for wait in waits[4:] if wait is not None]
    assert queued == [2.0 * n for n in range(1, 6)], "one try every other second, in order"
    assert None in waits, "whoever would wait longer than a phone does is sent away"
    assert turn(throttle, hops[0], "1/bob") == 0, "another account is not touched"
    assert throttle.guessed_accounts == ["ann@acme.example"]
    clock.advance(61)
    assert turn(throttle, B) == 0
    assert throttle.guessed_accounts == []


def test_a_source_waits_for_one_turn_at_a_time(throttle: Throttle) -> None:
    for last in range(4):
        turn(throttle, Hop("udp", f"198.51.100.{last}", 5060))
    assert turn(throttle, A) == 2.0
    assert turn(throttle, A) is None
    throttle.waited(A, "1/ann")
    assert turn(throttle, A) is not None


def test_who_was_wrong_before_does_not_hold_up_who_comes_new(throttle: Throttle) -> None:
    for last in range(4):
        hop = Hop("udp", f"198.51.100.{last}", 5060)
        turn(throttle, hop)
        fail(throttle, hop)
    assert turn(throttle, Hop("udp", "198.51.100.0", 5061)) is None
    assert turn(throttle, A) == 2.0


def test_a_right_password_costs_no_try(throttle: Throttle) -> None:
    for last in range(100):
        hop = Hop("udp", f"198.51.100.{last}", 5060)
        assert turn(throttle, hop) == 0
        throttle.give_back(hop, "1/ann")


def test_one_source_that_tries_many_accounts_is_slowed_too(throttle: Throttle) -> None:
    waits = [turn(throttle, A, f"1/user{n}") for n in range(20)]
    assert waits[:10] == [0] * 10
    assert all(wait is None or wait > 0 for wait in waits[10:])
    assert turn(throttle, B, "1/user15") is not None


def test_an_account_is_named_once_a_minute(throttle: Throttle, clock: ManualClock) -> None:
    with capture_logs() as logs:
        for last in range(50):
            fail(throttle, Hop("udp", f"198.51.100.{last}", 5060))
    assert [(log["event"], log["login"], log["domain"]) for log in logs] == [
        ("Wrong password", "ann", "acme.example")
    ]
    clock.advance(61)
    with capture_logs() as logs:
        fail(throttle, A, times=3)
    assert [log["event"] for log in logs] == [
        "Wrong password",
        "A source is shut out of an account: too many wrong passwords",
    ]
    assert throttle.failures == 53
    assert throttle.shut == 1


def test_an_ipv6_network_is_one_source(throttle: Throttle) -> None:
    for last in range(3):
        fail(throttle, Hop("udp", f"2001:db8:0:1::{last}", 5060))
    assert throttle.shut_out(Hop("udp", "2001:db8:0:1:ffff::9", 5060), "1/ann")
    assert not throttle.shut_out(Hop("udp", "2001:db8:0:2::1", 5060), "1/ann")
    fail(throttle, Hop("udp", "not:an:address", 1))


def test_memory_is_bounded(throttle: Throttle) -> None:
    for number in range(500):
        hop = Hop("udp", f"198.51.{number // 250}.{number % 250}", 5060)
        fail(throttle, hop, f"1/user{number}")
        turn(throttle, hop, f"1/user{number}")
    kept = (throttle._failures, throttle._accounts, throttle._sources, throttle._guessed)
    assert all(len(one) <= 50 for one in kept)


def test_what_was_not_used_for_longest_is_forgotten() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)
    recent.drop("a")
    recent.drop("a")
    assert recent.values() == [3]


def test_once_per_time(clock: ManualClock) -> None:
    once = OncePer(clock, 60)
    assert once.first("a")
    assert not once.first("a")
    assert once.first("b")
    clock.advance(60)
    assert once.first("a")
