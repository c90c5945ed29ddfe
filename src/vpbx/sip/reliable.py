"""Reliable provisional responses, RFC 3262 §3: sent until the peer's PRACK comes, one at a time.

idle     send   -> waiting   (first copy goes out, then T1, 2*T1, 4*T1…)
waiting  send   -> waiting   (queued)
waiting  PRACK  -> idle, or waiting for the next of the queue
waiting  64*T1  -> given up
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable

from vpbx.clock import Clock, Timer
from vpbx.sip.message import Response

T1_S = 0.5
T2_S = 4.0
GIVE_UP_S = 64 * T1_S
_MAX_QUEUE = 16


class ReliableResponses:
    """Those of one INVITE that we answer; pure but for the clock and `send`."""

    __slots__ = (
        "_clock",
        "_give_up",
        "_interval_s",
        "_queue",
        "_rseq",
        "_send",
        "_timer",
        "_until",
    )

    def __init__(
        self, clock: Clock, send: Callable[[Response], None], give_up: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._send = send
        self._give_up = give_up
        self._queue: deque[Response] = deque()
        self._rseq = secrets.randbelow(2**31 - 1) + 1
        self._timer: Timer | None = None
        self._interval_s = T1_S
        self._until = 0.0

    @property
    def waiting(self) -> bool:
        """Whether a response is still without its PRACK."""
        return bool(self._queue)

    @property
    def waiting_for_sdp(self) -> bool:
        """Whether one of those describes a session: no 2xx before its PRACK (§3)."""
        return any(response.body for response in self._queue)

    def send(self, response: Response) -> None:
        """Send now, or when those before it are acknowledged; too many are dropped."""
        if len(self._queue) >= _MAX_QUEUE:
            return
        self._queue.append(response)
        if len(self._queue) == 1:
            self._first()

    def acknowledge(self, rack: str, cseq: int) -> bool:
        """Take the RAck of a PRACK; False when it is not for what we wait for (481)."""
        fields = rack.split()
        if not self._queue or fields != [str(self._rseq), str(cseq), "INVITE"]:
            return False
        self._cancel()
        self._queue.popleft()
        self._rseq += 1
        if self._queue:
            self._first()
        return True

    def stop(self) -> None:
        """A final response goes out: nothing is repeated, or sent, any more.

        The PRACK of the one that was sent may still come, and is a good one then.
        """
        self._cancel()
        while len(self._queue) > 1:
            self._queue.pop()

    def _first(self) -> None:
        response = self._queue[0]
        response.headers.set("RSeq", str(self._rseq))
        self._interval_s = T1_S
        self._until = self._clock.now() + GIVE_UP_S
        self._send(response)
        self._timer = self._clock.call_later(self._interval_s, self._again)

    def _again(self) -> None:
        if self._until - self._clock.now() <= 0.001:
            self.stop()
            self._give_up()
            return
        self._send(self._queue[0])
        self._interval_s *= 2
        delay_s = min(self._interval_s, self._until - self._clock.now())
        self._timer = self._clock.call_later(delay_s, self._again)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class AckWait:
    """Repeats a 2xx to an INVITE until its ACK comes (RFC 3261 §13.3.1.4)."""

    __slots__ = ("_clock", "_give_up", "_interval_s", "_send", "_timer", "_until", "cseq")

    def __init__(
        self, clock: Clock, cseq: int, send: Callable[[], None], give_up: Callable[[], None]
    ) -> None:
        self._clock = clock
        self.cseq = cseq
        self._send = send
        self._give_up = give_up
        self._interval_s = T1_S
        self._until = clock.now() + GIVE_UP_S
        self._timer: Timer | None = clock.call_later(T1_S, self._again)

    def stop(self) -> None:
        """The ACK came, or need not come any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _again(self) -> None:
        left = self._until - self._clock.now()
        if left <= 0.001:
            self._timer = None
            self._give_up()
            return
        self._send()
        self._interval_s = min(2 * self._interval_s, T2_S)
        self._timer = self._clock.call_later(min(self._interval_s, left), self._again)
