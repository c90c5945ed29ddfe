"""What client and server transactions share: the walk along the tables of `machines`.

No I/O here: bytes leave through an `Outlet`, timers come from it, and the layer feeds in what
arrives. A transaction belongs to one hop and keeps what it sent last, to send it again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from vpbx.sip.machines import Event, State, Table
from vpbx.sip.message import Request
from vpbx.sip.timers import Delayed, Timers
from vpbx.sip.transport import Hop

Steps: TypeAlias = dict[
    tuple[State, Event], tuple[State, "tuple[Callable[[Transaction], None], ...]"]
]
"""A table with methods in the place of actions."""


class Outlet(Protocol):
    """What a transaction needs of the layer around it.

    `transmit` reports a failure by `Transaction.transport_failed`, always later, never while it
    is being called.
    """

    @property
    def timers(self) -> Timers: ...

    def transmit(self, tx: Transaction, data: bytes) -> None: ...

    def forget(self, tx: Transaction) -> None: ...

    def send_cancel(self, tx: Transaction, cancel: Request) -> None: ...

    def take_ack(self, ack: Request, hop: Hop) -> None: ...


class Transaction:
    """What clients and servers share: the walk, the timers, the last bytes."""

    __slots__ = (
        *("_interval_s", "_last", "_outlet", "_reason", "_running", "_steps"),
        *("destination", "hop", "key", "reliable", "request", "state"),
    )
    _steps: Steps

    def __init__(self, outlet: Outlet, request: Request, hop: Hop, key: str) -> None:
        self.request = request
        self.hop = hop
        self.destination = hop
        """Where what is sent goes: of a server, by the rules for responses (see `via`)."""
        self.key = key
        self.state = State.TERMINATED
        self.reliable = hop.transport != "udp"
        self._outlet = outlet
        self._last = b""
        self._running: Delayed | None = None
        """The newest of its timers; the others are beside it."""
        self._interval_s = 0.0
        self._reason = ""

    @property
    def terminated(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.state is State.TERMINATED

    def feed(self, event: Event) -> None:
        """Let an event happen."""
        step = self._steps.get((self.state, event))
        if step is not None:
            self.state = step[0]
            for action in step[1]:
                action(self)
            if self.state is State.TERMINATED:
                self._let_go()

    def transport_failed(self, reason: str) -> None:
        """Hear that what was sent could not be."""
        self._reason = reason
        self.feed(Event.TRANSPORT_ERROR)

    def abandon(self) -> None:
        """End at once, telling nobody."""
        self.state = State.TERMINATED
        self._stop_timers()

    def _let_go(self) -> None:
        """It has ended, and whoever had to be told was."""

    # Actions; each is named as in machines.Action.

    def _send_again(self) -> None:
        if self._last:
            self._outlet.transmit(self, self._last)

    def _stop_timers(self) -> None:
        delayed, self._running = self._running, None
        while delayed is not None:
            delayed.cancel()
            delayed = delayed.beside

    def _end(self) -> None:
        self._stop_timers()
        self._outlet.forget(self)

    def _set(self, event: Event, delay_s: float) -> None:
        delayed = self._outlet.timers.feed_later(delay_s, self, event)
        delayed.beside, self._running = self._running, delayed

    def _set_doubling(self, event: Event, most_s: float) -> None:
        if self.reliable:
            return
        t1_s = self._outlet.timers.values.t1_s
        self._interval_s = min(2 * self._interval_s, most_s) if self._interval_s else t1_s
        self._set(event, self._interval_s)

    def _set_if_unreliable(self, event: Event, delay_s: float) -> None:
        if self.reliable:
            self.feed(event)
        else:
            self._set(event, delay_s)

    def _set_a(self) -> None:
        self._set_doubling(Event.A, self._outlet.timers.patience_s)

    def _set_b(self) -> None:
        self._set(Event.B, self._outlet.timers.patience_s)

    def _set_c(self) -> None:
        self._set(Event.C, self._outlet.timers.patience_s)

    def _set_d(self) -> None:
        self._set_if_unreliable(Event.D, self._outlet.timers.values.d_s)

    def _set_e(self) -> None:
        self._set_doubling(Event.E, self._outlet.timers.values.t2_s)

    def _set_e_t2(self) -> None:
        self._interval_s = self._outlet.timers.values.t2_s
        self._set_e()

    def _set_f(self) -> None:
        self._set(Event.F, self._outlet.timers.patience_s)

    def _set_g(self) -> None:
        self._set_doubling(Event.G, self._outlet.timers.values.t2_s)

    def _set_h(self) -> None:
        self._set(Event.H, self._outlet.timers.patience_s)

    def _set_i(self) -> None:
        self._set_if_unreliable(Event.I, self._outlet.timers.values.t4_s)

    def _set_j(self) -> None:
        self._set_if_unreliable(Event.J, self._outlet.timers.patience_s)

    def _set_k(self) -> None:
        self._set_if_unreliable(Event.K, self._outlet.timers.values.t4_s)

    def _set_l(self) -> None:
        self._set(Event.L, self._outlet.timers.patience_s)

    def _set_m(self) -> None:
        self._set(Event.M, self._outlet.timers.patience_s)


RESPONSE_EVENTS = (Event.PROVISIONAL, Event.SUCCESS, *(Event.FAILURE,) * 4)
"""What a response is to a transaction, by the first digit of its code less one."""


def bind(table: Table, cls: type[Transaction]) -> Steps:
    """Put the methods of `cls` in the place of the actions they are named after."""
    return {
        at: (state, tuple(getattr(cls, f"_{action.name.lower()}") for action in actions))
        for at, (state, actions) in table.items()
    }
