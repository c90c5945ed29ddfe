"""Session timers by a hand-turned clock (RFC 4028)."""

from __future__ import annotations

import pytest

from vpbx.clock import ManualClock
from vpbx.sip.session_timer import SessionTimer

from .messages import request, response


class Watched:
    """A timer and what it did."""

    def __init__(self, wish_s: int = 1800, min_se_s: int = 90) -> None:
        self.clock = ManualClock()
        self.refreshes = 0
        self.expired = 0
        self.timer = SessionTimer(self.clock, wish_s, min_se_s, self._refresh, self._expire)

    def _refresh(self) -> None:
        self.refreshes += 1

    def _expire(self) -> None:
        self.expired += 1

    def after(self, seconds: float) -> tuple[int, int]:
        self.clock.advance(seconds)
        return self.refreshes, self.expired


def value(headers: list[tuple[str, str]]) -> str:
    return dict(headers).get("Session-Expires", "")


def test_request_says_what_we_wish() -> None:
    assert Watched().timer.request_headers() == [("Session-Expires", "1800"), ("Min-SE", "90")]
    assert Watched(0).timer.request_headers() == []


def test_caller_that_knows_timers_refreshes() -> None:
    watched = Watched()
    invite = request("INVITE", headers=["Supported: timer", "Session-Expires: 600"])
    assert watched.timer.answer(invite) == [
        ("Session-Expires", "600;refresher=uac"),
        ("Require", "timer"),
    ]
    assert watched.after(567.9) == (0, 0)
    assert watched.after(0.2) == (0, 1)  # 600 - min(32, 600 / 3)


def test_caller_may_leave_the_refreshing_to_us() -> None:
    watched = Watched()
    invite = request("INVITE", headers=["Supported: timer", "Session-Expires: 600; refresher=uas"])
    assert watched.timer.answer(invite) == [("Session-Expires", "600;refresher=uas")]
    assert watched.after(300) == (1, 0)


def test_caller_without_timers_is_refreshed_by_us() -> None:
    watched = Watched(600)
    assert watched.timer.answer(request("INVITE")) == [("Session-Expires", "600;refresher=uas")]
    assert watched.after(300) == (1, 0)
    assert watched.after(267) == (1, 0)
    assert watched.after(1) == (1, 1)  # the refresh brought nothing


@pytest.mark.parametrize(
    ("headers", "interval"),
    [
        (("Session-Expires: 7200",), 1800),
        (("Session-Expires: 600", "Min-SE: 700"), 700),
        (("Session-Expires: junk",), 1800),
        (("Session-Expires: 99999999999999999999",), 1800),
        (("Session-Expires: 10",), 90),
    ],
)
def test_interval_is_the_smaller_of_both_but_not_below_any_floor(
    headers: tuple[str, ...], interval: int
) -> None:
    watched = Watched()
    watched.timer.answer(request("INVITE", headers=headers))
    assert watched.timer.interval_s == interval


def test_only_a_caller_that_knows_timers_can_be_too_short() -> None:
    timer = Watched().timer
    assert not timer.too_small(request("INVITE", headers=["Supported: timer", "x: 90"]))
    assert timer.too_small(request("INVITE", headers=["Supported: timer", "x: 89"]))
    assert not timer.too_small(request("INVITE", headers=["Session-Expires: 89"]))


def test_answer_makes_us_or_them_refresh() -> None:
    ours, theirs = Watched(), Watched()
    ours.timer.accepted(response(headers=["Session-Expires: 200;refresher=uac"]))
    assert ours.after(100) == (1, 0)
    theirs.timer.accepted(response(headers=["Session-Expires: 200; refresher = UAS"]))
    assert theirs.after(167) == (0, 0)
    assert theirs.after(2) == (0, 1)
    assert theirs.timer.request_headers()[0] == ("Session-Expires", "200;refresher=uas")


def test_peer_without_timers_is_probed_at_half_our_wish() -> None:
    watched = Watched(1000)
    watched.timer.accepted(response())
    assert watched.after(500) == (1, 0)
    watched.timer.accepted(response())
    assert watched.after(499) == (1, 0)
    assert watched.after(1) == (2, 0)


def test_too_small_interval_is_raised_and_tried_again() -> None:
    watched = Watched(300)
    assert watched.timer.raise_to(response(422, headers=["Min-SE: 500"]))
    assert watched.timer.request_headers() == [("Session-Expires", "500"), ("Min-SE", "500")]
    assert not watched.timer.raise_to(response(422, headers=["Min-SE: 400"]))
    assert not watched.timer.raise_to(response(422))


def test_refused_refresh_is_tried_again_until_time_has_run_out() -> None:
    watched = Watched(800)
    watched.timer.accepted(response(headers=["Session-Expires: 800;refresher=uac"]))
    assert watched.after(400) == (1, 0)
    watched.timer.refresh_failed()
    assert watched.after(200) == (2, 0)
    watched.timer.refresh_failed()
    assert watched.after(100) == (3, 0)
    watched.timer.refresh_failed()  # 100 s are left: one more try
    assert watched.after(50) == (4, 0)
    watched.timer.refresh_failed()
    assert watched.after(17.9) == (4, 0)
    assert watched.after(0.2) == (4, 1)


def test_a_peer_without_timers_is_not_cut_for_refusing_a_refresh() -> None:
    """Its answer shows that it is there; silence does not."""
    watched = Watched(800)
    watched.timer.accepted(response())
    for refreshes in (1, 2, 3):
        assert watched.after(400) == (refreshes, 0)
        watched.timer.refresh_failed()
    assert watched.after(400) == (4, 0)
    watched.timer.refresh_failed(answered=False)
    assert watched.after(400) == (5, 1)


def test_ended_session_does_nothing_more() -> None:
    watched = Watched()
    watched.timer.accepted(response())
    watched.timer.end()
    assert watched.after(10_000) == (0, 0)
    off = Watched(0)
    assert off.timer.answer(request("INVITE")) == []
    off.timer.accepted(response())
    assert off.after(100_000) == (0, 0)
