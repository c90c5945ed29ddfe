"""Who sends rubbish or guesses passwords is shut out, for a while, and logged once."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from vpbx.clock import ManualClock
from vpbx.sip.throttle import Throttle, ThrottleLimits
from vpbx.sip.transport import Hop

LIMITS = ThrottleLimits(window_s=60, block_s=90, malformed=3, failures=2, sources=4)
A, B = Hop("udp", "192.0.2.1", 5060), Hop("udp", "192.0.2.2", 5060)


@pytest.fixture
def throttle(clock: ManualClock) -> Throttle:
    return Throttle(clock, LIMITS, lambda host: host == "192.0.2.99")


def test_failures_block_new_requests_and_nothing_else(
    throttle: Throttle, clock: ManualClock
) -> None:
    for _ in range(2):
        throttle.failed(A)
    assert not throttle.blocked(A)
    throttle.failed(Hop("tcp", A.host, 40000))
    assert throttle.blocked(A)
    assert not throttle.muted(A)
    assert not throttle.blocked(B)
    clock.advance(89)
    assert throttle.blocked(A)
    clock.advance(1)
    assert not throttle.blocked(A)


def test_rubbish_mutes(throttle: Throttle, clock: ManualClock) -> None:
    for _ in range(4):
        throttle.malformed(A, "rubbish")
    assert throttle.muted(A)
    assert throttle.blocked(A)
    clock.advance(90)
    assert not throttle.muted(A)


def test_counts_start_again_with_the_next_window(throttle: Throttle, clock: ManualClock) -> None:
    for _ in range(10):
        throttle.failed(A)
        clock.advance(31)
    assert not throttle.blocked(A)


def test_each_is_logged_once_a_window(throttle: Throttle, clock: ManualClock) -> None:
    with capture_logs() as logs:
        for _ in range(50):
            throttle.failed(A)
            throttle.malformed(B, "rubbish")
    assert [(log["event"], log["source"]) for log in logs] == [
        ("A source sends malformed SIP", B.host),
        ("A source is shut out: too many failed requests", A.host),
    ]
    clock.advance(91)
    with capture_logs() as logs:
        for _ in range(50):
            throttle.failed(A)
    assert len(logs) == 1


def test_trusted_hosts_are_never_shut_out(throttle: Throttle) -> None:
    carrier = Hop("udp", "192.0.2.99", 5060)
    for _ in range(50):
        throttle.failed(carrier)
        throttle.malformed(carrier, "forged")
    assert not throttle.blocked(carrier)
    assert not throttle.muted(carrier)


def test_an_ipv6_network_is_one_source(throttle: Throttle) -> None:
    for last in range(3):
        throttle.failed(Hop("udp", f"2001:db8:0:1::{last}", 5060))
    assert throttle.blocked(Hop("udp", "2001:db8:0:1:ffff::9", 5060))
    assert not throttle.blocked(Hop("udp", "2001:db8:0:2::1", 5060))
    throttle.failed(Hop("udp", "not:an:address", 1))


def test_memory_is_bounded(throttle: Throttle) -> None:
    for last in range(100):
        throttle.failed(Hop("udp", f"198.51.100.{last}", 5060))
    assert len(throttle._sources) == 4
