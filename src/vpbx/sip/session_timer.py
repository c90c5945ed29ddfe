"""Session timers, RFC 4028: a session that nobody refreshes ends.

Who refreshes sends a re-INVITE or UPDATE at half the interval; the other side gives up
shortly before the interval is over. We refresh too towards peers that do not know timers,
because an unanswered refresh is how we learn that they are gone (§4).

Pure: messages' values in, header values and two callbacks out.
"""

from __future__ import annotations

from collections.abc import Callable

from vpbx.clock import Clock, Timer
from vpbx.sip.message import Request, Response

Headers = list[tuple[str, str]]
_LONGEST_S = 86_400


def delta_seconds(message: Request | Response, name: str) -> int | None:
    """Read Session-Expires or Min-SE: its seconds; None when absent or not a number."""
    value = message.headers.get(name)
    if value is None:
        return None
    number = value.partition(";")[0].strip()
    if not (number.isascii() and number.isdigit()):
        return None
    return min(int(number[:10]), _LONGEST_S)


def refresher(message: Request | Response) -> str:
    """Read the refresher parameter of Session-Expires: "uac", "uas" or ""."""
    value = (message.headers.get("Session-Expires") or "").lower().replace(" ", "")
    for who in ("uac", "uas"):
        if f";refresher={who}" in value:
            return who
    return ""


def knows_timers(message: Request | Response) -> bool:
    """Whether the sender of a message lists `timer`."""
    get = message.headers.getlist
    return "timer" in map(str.lower, (*get("Supported"), *get("Require")))


def _nothing() -> None:
    """What an ended session does about its timer."""


class SessionTimer:
    """The timer of one session. `interval_s` 0: none runs."""

    __slots__ = (
        "_clock",
        "_deadline",
        "_expired",
        "_min_se_s",
        "_refresh",
        "_timer",
        "_wish_s",
        "interval_s",
        "peer_knows",
        "we_refresh",
    )

    def __init__(
        self,
        clock: Clock,
        wish_s: int,
        min_se_s: int,
        refresh: Callable[[], None],
        expired: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._wish_s = max(wish_s, min_se_s) if wish_s else 0
        self._min_se_s = min_se_s
        self._refresh = refresh
        self._expired = expired
        self._timer: Timer | None = None
        self._deadline = 0.0
        self.interval_s = 0
        self.we_refresh = False
        self.peer_knows = False

    def too_small(self, request: Request) -> bool:
        """Whether to answer 422 with our Min-SE (§9); only a peer that knows timers can be."""
        asked = delta_seconds(request, "Session-Expires")
        return asked is not None and asked < self._min_se_s and knows_timers(request)

    def request_headers(self) -> Headers:
        """What our INVITE or UPDATE says (§7.1, §7.4): roles stay as they are."""
        if not self._wish_s:
            return []
        value = str(self.interval_s or self._wish_s)
        if self.interval_s and self.peer_knows:
            value += ";refresher=uac" if self.we_refresh else ";refresher=uas"
        return [("Session-Expires", value), ("Min-SE", str(self._min_se_s))]

    def raise_to(self, response: Response) -> bool:
        """Take the Min-SE of a 422 (§7.3); False when it says nothing we can follow."""
        asked = delta_seconds(response, "Min-SE")
        if asked is None or asked <= (self.interval_s or self._wish_s) or not self._wish_s:
            return False
        self._wish_s = self._min_se_s = asked
        if self.interval_s:
            self.interval_s = asked
        return True

    def answer(self, request: Request) -> Headers:
        """Settle the interval for a request we accept; return what our 2xx says (§9)."""
        asked = delta_seconds(request, "Session-Expires")
        self.peer_knows = knows_timers(request)
        floor = max(self._min_se_s, delta_seconds(request, "Min-SE") or 0)
        if asked is None and not self._wish_s:
            self._start(0, we_refresh=False)
            return []
        interval = max(floor, min(asked or self._wish_s, self._wish_s or _LONGEST_S))
        who = refresher(request) if self.peer_knows and asked is not None else ""
        if not who:
            # They refresh when they can: it costs us less.
            who = "uac" if self.peer_knows else "uas"
        self._start(interval, we_refresh=who == "uas")
        headers = [("Session-Expires", f"{interval};refresher={who}")]
        if who == "uac":
            headers.append(("Require", "timer"))
        return headers

    def accepted(self, response: Response) -> None:
        """A 2xx to our INVITE or UPDATE came (§7.2)."""
        interval = delta_seconds(response, "Session-Expires")
        self.peer_knows = interval is not None or knows_timers(response)
        if interval is None:
            self._start(self._wish_s, we_refresh=True)
        elif interval > 0:
            self._start(max(interval, 1), we_refresh=refresher(response) != "uas")

    def refresh_failed(self, *, answered: bool = True) -> None:
        """Our refresh was refused, but not in a way that ends the session: try once more in
        half the time that is left, or give up when it has all but run out.

        A peer that keeps no timer itself is not cut for it: its answer shows that it is there.
        """
        if answered and not self.peer_knows:
            self._start(self.interval_s, we_refresh=True)
            return
        left = self._deadline - self._clock.now()
        if left <= self._margin_s():
            self.stop()
            self._expired()
        elif left / 2 <= self._margin_s():
            self._set(left - self._margin_s(), self._expired)
        else:
            self._set(left / 2, self._refresh_due)

    def stop(self) -> None:
        """Let nothing happen until the next 2xx."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """The session is over; let go of it."""
        self.stop()
        self._refresh = self._expired = _nothing

    def _margin_s(self) -> float:
        """How long before its end a session is given up (§10)."""
        return min(32.0, self.interval_s / 3)

    def _start(self, interval_s: int, *, we_refresh: bool) -> None:
        self.interval_s, self.we_refresh = interval_s, we_refresh
        if not interval_s:
            self.stop()
            return
        self._deadline = self._clock.now() + interval_s
        if we_refresh:
            self._set(interval_s / 2, self._refresh_due)
        else:
            self._set(interval_s - self._margin_s(), self._expired)

    def _refresh_due(self) -> None:
        # Whatever becomes of the refresh: without its success the session ends in time.
        self._set(self._deadline - self._clock.now() - self._margin_s(), self._expired)
        self._refresh()

    def _set(self, delay_s: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_later(delay_s, callback)
