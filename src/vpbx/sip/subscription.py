"""Subscriptions of peers to what we know: the notifier's side of RFC 6665.

state    event                    becomes
ACTIVE   SUBSCRIBE                ACTIVE   200; the whole state is told
ACTIVE   SUBSCRIBE, Expires 0     ENDING   200; the whole state is told for the last time
ACTIVE   its time is up           ENDING   the same, without being asked
ACTIVE   the owner ends it        ENDING   the reason is told, and no state
ACTIVE   a NOTIFY is not taken    OVER     whatever was answered but a 2xx, or nothing
ENDING   its last NOTIFY is done  OVER

One NOTIFY of a subscription is under way at a time, so none overtakes another; what changes
meanwhile is told in the next one, as it is then. All of them take turns (`Subscriptions`), a
few in each turn of the loop, so that a change that many watch keeps no call waiting.

A NOTIFY goes the way the SUBSCRIBE came: by its connection, and by UDP to the host it came
from, whatever its Contact says. So nobody can have others notified, and a NAT lets it through.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from itertools import islice
from math import ceil
from typing import Protocol

from vpbx.clock import Timer
from vpbx.frozen import dataclass
from vpbx.sip.core import Core
from vpbx.sip.dialog import Dialog
from vpbx.sip.dialogs import Dialogs
from vpbx.sip.exchange import Exchange
from vpbx.sip.message import Request, Response, make_response, new_tag
from vpbx.sip.offer_answer import OfferAnswer
from vpbx.sip.parameters import is_token, parse_parameters
from vpbx.sip.session_timer import delta_seconds
from vpbx.sip.transaction import ServerTransaction
from vpbx.sip.transport import Hop

__all__ = [
    "EventType",
    "Subscriber",
    "Subscription",
    "Subscriptions",
    "View",
    "accepts",
    "wanted_s",
]

_PER_TURN = 4
"""NOTIFYs in one turn of the loop: they take less than a millisecond together."""
_MAX_ID = 128


@dataclass(frozen=True, slots=True)
class EventType:
    """What a SUBSCRIBE asks for: an event package, and which of several subscriptions to it."""

    package: str
    id: str = ""

    @classmethod
    def of(cls, request: Request) -> EventType | None:
        """Read the Event header; None when there is none that can be read."""
        name, semicolon, rest = (request.headers.get("Event") or "").partition(";")
        try:
            told = parse_parameters(semicolon + rest).get("id") or ""
        except ValueError:
            return None
        package = name.strip()
        if not is_token(package) or len(told) > _MAX_ID or (told and not is_token(told)):
            return None
        return cls(package, told)

    def __str__(self) -> str:
        return f"{self.package};id={self.id}" if self.id else self.package


def accepts(request: Request, content_type: str) -> bool:
    """Say whether who subscribes can read what is told; without Accept they can."""
    if "Accept" not in request.headers:
        return True
    ranges = ",".join(request.headers.getlist("Accept")).lower().split(",")
    kinds = {one.partition(";")[0].strip() for one in ranges}
    return bool(kinds & {content_type, f"{content_type.partition('/')[0]}/*", "*/*"})


class View(Protocol):
    """What one subscription tells."""

    @property
    def content_type(self) -> str:
        """Of its documents."""

    def document(self, *, full: bool) -> bytes | None:
        """Return the state as it is now: all of it, or what is new since the last document.

        None: nothing is new (never when it is to be `full`).
        """


class Subscriber(Protocol):
    """Who decides about subscriptions, and hears of them."""

    def on_subscribe(self, subscription: Subscription, tx: ServerTransaction) -> None:
        """A SUBSCRIBE in the dialog: answer it by `renew`, or refuse it by `tx.respond`."""

    def on_over(self, subscription: Subscription, code: int) -> None:
        """It is no more; `code` is the answer to a NOTIFY that ended it, 0: it was ended."""


class _State(Enum):
    ACTIVE = auto()
    ENDING = auto()
    OVER = auto()


class Subscription:
    """One subscription of a peer, made by `Subscriptions.open`."""

    __slots__ = (
        "_ends_at",
        "_final",
        "_full",
        "_new",
        "_others",
        "_reason",
        "_subscriber",
        "_timer",
        "_under_way",
        "dialog",
        "event",
        "state",
        "view",
    )

    def __init__(
        self,
        others: Subscriptions,
        dialog: Dialog,
        event: EventType,
        view: View,
        subscriber: Subscriber,
    ) -> None:
        self.dialog = dialog
        self.event = event
        self.view = view
        self.state = _State.ACTIVE
        self._others = others
        self._subscriber = subscriber
        self._timer: Timer | None = None
        self._ends_at = 0.0
        self._reason = ""
        self._full = self._new = self._under_way = self._final = False

    @property
    def begun(self) -> tuple[str, str, EventType]:
        """What the peer chose when it began: Call-ID and tag, and what it asks for."""
        return self.dialog.call_id, self.dialog.remote_tag, self.event

    @property
    def active(self) -> bool:
        """Whether it is told of changes."""
        return self.state is _State.ACTIVE

    def renew(self, tx: ServerTransaction, expires_s: int) -> None:
        """Answer a SUBSCRIBE: it lasts so long from now on, 0: it ends with the next NOTIFY."""
        core = self._others.core
        if not self.active:
            tx.respond(make_response(tx.request, 481))
            return
        self.dialog.refresh(tx.request, tx.hop)
        headers = [
            ("Contact", core.contact(tx.hop)),
            ("Expires", str(expires_s)),
            ("Allow-Events", self._others.packages),
        ]
        tag = None if tx.request.to_tag else self.dialog.local_tag
        tx.respond(make_response(tx.request, 200, to_tag=tag, headers=headers))
        self._stop_timer()
        self._full = True
        if expires_s:
            self._ends_at = core.clock.now() + expires_s
            self._timer = core.clock.call_later(expires_s, self._expired)
            self._others.queue(self)
        else:
            self._end("timeout")

    def changed(self) -> None:
        """What it watches is not as it was: tell, as soon as it is its turn."""
        if self.active:
            self._new = True
            self._others.queue(self)

    def end(self, reason: str) -> None:
        """End it, for one of the reasons of RFC 6665 §4.1.3; harmless twice."""
        if self.active:
            self._full = self._new = False
            self._end(reason)

    def on_request(self, tx: ServerTransaction) -> None:
        """Take a request in its dialog."""
        request = tx.request
        if not self.dialog.in_order(request):
            tx.respond(make_response(request, 500, "CSeq Out Of Order"))
        elif request.method != "SUBSCRIBE":
            tx.respond(make_response(request, 405, headers=[("Allow", "SUBSCRIBE")]))
        elif not self.active or EventType.of(request) != self.event:
            tx.respond(make_response(request, 481))
        elif not self._others.core.guard(self._subscriber.on_subscribe, self, tx):
            tx.respond(make_response(request, 500))

    def take_turn(self) -> None:
        """Send a NOTIFY if there is something to tell, and none is under way."""
        if self._under_way or self.state is _State.OVER:
            return
        body = None
        if self._full or self._new:
            body = self.view.document(full=self._full)
        if body is None and self.active:
            self._new = False
            return
        self._full = self._new = False
        self._under_way, self._final = True, not self.active
        core, hop, request = self._others.core, self._hop, self._notify(body)
        Exchange(core, hop, lambda: request, self._answered)

    def farewell(self, retry_after_s: int) -> None:
        """The server stops: say so, once, and wait for nothing."""
        if self.active and self._others.core.layer.reaches(self._hop):
            self._reason = f"probation;retry-after={retry_after_s}"
            self.state = _State.ENDING
            self._others.core.layer.send(self._notify(None), self._hop)
        self.forget()

    def forget(self) -> None:
        """It is over, and nobody is told."""
        self._stop_timer()
        self.state = _State.OVER

    def _end(self, reason: str) -> None:
        self._stop_timer()
        self._reason = reason
        self.state = _State.ENDING
        self._others.queue(self)

    def _expired(self) -> None:
        self._timer = None
        self._full = True
        self._end("timeout")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _hop(self) -> Hop:
        """Where a NOTIFY goes: back where the SUBSCRIBE came from.

        A connection that is gone cannot be gone back; then a host that listens where its
        Contact says is reached there.
        """
        source, dialog = self.dialog.source, self.dialog
        if dialog.route:
            return dialog.hop
        hop = dialog.hop
        if source.transport != "udp":
            if self._others.core.layer.reaches(source):
                return source
            hop = Hop(hop.transport, hop.host, hop.port)
        return hop if hop.host == source.host else source

    def _notify(self, body: bytes | None) -> Request:
        others = self._others
        state = f"terminated;reason={self._reason}"
        if self.active:
            left_s = max(0, ceil(self._ends_at - others.core.clock.now()))
            state = f"active;expires={left_s}"
        return self.dialog.request(
            "NOTIFY",
            headers=[
                ("Contact", others.core.contact(self._hop)),
                ("Event", str(self.event)),
                ("Subscription-State", state),
                ("Allow-Events", others.packages),
            ],
            body=body or b"",
            content_type=self.view.content_type if body is not None else None,
        )

    def _answered(self, response: Response) -> None:
        self._under_way = False
        refused = response.code >= 300
        if self.state is _State.OVER:
            return
        if refused or self._final:
            self._stop_timer()
            self.state = _State.OVER
            self._others.forget(self)
            self._subscriber.on_over(self, response.code if refused else 0)
        elif self._full or self._new or not self.active:
            self._others.queue(self)


class Subscriptions:
    """All subscriptions of a stack: found by their dialogs, and served in turns."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.packages = ""
        """The event packages there are, as Allow-Events names them."""
        self._dialogs: Dialogs[Subscription] = Dialogs()
        self._begun: dict[tuple[str, str, EventType], Subscription] = {}
        self._waiting: dict[Subscription, None] = {}
        self._due: Timer | None = None

    def __len__(self) -> int:
        return len(self._dialogs)

    def open(
        self, tx: ServerTransaction, event: EventType, view: View, subscriber: Subscriber
    ) -> Subscription:
        """Begin a subscription by a SUBSCRIBE outside of dialogs; `renew` answers that.

        A peer that begins once more with the same Call-ID and tag has lost our answer, or its
        memory: that one takes the place of the one before.
        """
        dialog = Dialog.of_request(tx.request, tx.hop, new_tag(), OfferAnswer())
        subscription = Subscription(self, dialog, event, view, subscriber)
        older = self._begun.get(subscription.begun)
        if older is not None:
            older.forget()
            self.forget(older)
            subscriber.on_over(older, 0)
        self._begun[subscription.begun] = subscription
        self._dialogs.add(subscription, dialog)
        return subscription

    def find(self, call_id: str, local_tag: str, remote_tag: str) -> Subscription | None:
        """Return the subscription of a dialog."""
        found = self._dialogs.find(call_id, local_tag, remote_tag)
        return found[0] if found is not None else None

    def has_call(self, call_id: str) -> bool:
        """Say whether any subscription has this Call-ID."""
        return self._dialogs.has_call(call_id)

    def queue(self, subscription: Subscription) -> None:
        """Let a subscription tell what it has to, when it is its turn."""
        self._waiting[subscription] = None
        self._soon()

    def forget(self, subscription: Subscription) -> None:
        """A subscription is over."""
        self._waiting.pop(subscription, None)
        if self._begun.get(subscription.begun) is subscription:
            del self._begun[subscription.begun]
        self._dialogs.remove(subscription.dialog)

    def stop(self, retry_after_s: Callable[[], int]) -> None:
        """End all of them: each is told when to come again."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        for subscription in list(self._dialogs.owners()):
            subscription.farewell(retry_after_s())
        self._waiting.clear()
        self._begun.clear()
        self._dialogs.clear()

    def _soon(self) -> None:
        if self._due is None:
            self._due = self.core.clock.call_later(0, self._take_turns)

    def _take_turns(self) -> None:
        self._due = None
        for subscription in list(islice(self._waiting, _PER_TURN)):
            del self._waiting[subscription]
            self.core.guard(subscription.take_turn)
        if self._waiting:
            self._soon()


def wanted_s(request: Request, default_s: int) -> int:
    """Return how long a SUBSCRIBE asks for; `default_s` when it does not say."""
    told = delta_seconds(request, "Expires")
    return default_s if told is None else told
