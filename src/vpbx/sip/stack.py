"""The user agent: sessions over transactions over transports."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Protocol

import structlog

from vpbx.clock import Clock, LoopClock
from vpbx.sip.body import BadBody
from vpbx.sip.budget import Standing
from vpbx.sip.config import LayerConfig, StackConfig
from vpbx.sip.dialog import Dialog, along
from vpbx.sip.dialogs import Dialogs
from vpbx.sip.digest import Credentials
from vpbx.sip.doorkeeper import Doorkeeper
from vpbx.sip.exchange import ClientAuth, Exchange
from vpbx.sip.incoming import IncomingSession
from vpbx.sip.layer import TransactionLayer
from vpbx.sip.message import (
    Request,
    Response,
    make_request,
    make_response,
    new_call_id,
    new_tag,
)
from vpbx.sip.outgoing import OutgoingSession
from vpbx.sip.session import Session, SessionListener
from vpbx.sip.subscription import Subscriptions
from vpbx.sip.target import Target
from vpbx.sip.transaction import ServerTransaction
from vpbx.sip.transport import Hop, Limits, Listen, Message, Receive, Send
from vpbx.sip.usage import Usage

log = structlog.get_logger("vpbx.sip")

_COME_AGAIN_S = (10, 30)
"""When those who were subscribed may come again after a stop, not all at once."""
_IN_DIALOG_ONLY = frozenset(("BYE", "PRACK", "UPDATE", "INFO"))


class Application(Protocol):
    """Takes what comes from outside of dialogs."""

    def on_invite(self, session: Session) -> None:
        """A new call: set `session.listener`, then ring, accept, reject or challenge it."""

    def on_request(self, tx: ServerTransaction) -> None:
        """REGISTER, OPTIONS, SUBSCRIBE, MESSAGE…: answer with `tx.respond`."""


class SipStack:
    """Everything SIP of a process (or of a simulated phone). Make it on a running loop."""

    def __init__(
        self, config: StackConfig, app: Application, *, clock: Clock | None = None
    ) -> None:
        self.config = config
        self.clock: Clock = clock or LoopClock()
        self.app = app
        self.doorkeeper: Doorkeeper | None = None
        """Who is asked before anything is done for a stranger; None lets everybody in."""
        self.dialogs: Dialogs[Session] = Dialogs()
        self.subscriptions = Subscriptions(self)
        self.layer = TransactionLayer(
            LayerConfig(
                listens=config.listens,
                advertise=config.advertise,
                tls_client=config.tls_client,
                limits=Limits(
                    message_bytes=config.max_message_bytes,
                    connections_per_source=config.connections_per_source,
                ),
                budgets=config.budgets,
                tap=config.tap,
            ),
            clock=self.clock,
            on_request=self._on_request,
            on_ack=self._on_ack,
            on_stray_response=self._on_stray_response,
            screen=self._screen,
            standing=self._standing,
            has_call=self._has_call,
        )
        self._live: set[Usage] = set()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._stopping = False

    @property
    def listens(self) -> tuple[Listen, ...]:
        """Where it listens, as bound."""
        return self.layer.listens

    @property
    def sessions(self) -> int:
        """How many sessions are alive."""
        return len(self._live)

    @property
    def under_way(self) -> int:
        """How many requests of ours (and BYEs to come) wait for their final response."""
        return self._under_way

    async def start(self) -> None:
        """Open the listening sockets; OSError when one cannot be."""
        await self.layer.start()

    async def serve_websocket(self, scope: Message, receive: Receive, send: Send) -> None:
        """Be a browser's peer on a WebSocket (RFC 7118): an ASGI application for one connection.

        The HTTP server has checked the origin; a WebSocket that does not ask for the
        subprotocol `sip` is refused.
        """
        await self.layer.serve_websocket(scope, receive, send)

    async def stop(self, timeout_s: float = 4.0) -> None:
        """Hang up every session, wait for the answers at most `timeout_s`, close.

        New calls are answered 503 meanwhile.
        """
        self._stopping = True
        self.subscriptions.stop(lambda: random.randint(*_COME_AGAIN_S))
        for session in list(self._live):
            session.hangup(503, "")
        if self._under_way:
            self._idle.clear()
            try:
                await asyncio.wait_for(self._idle.wait(), timeout_s)
            except TimeoutError:
                log.info("Stopped before all calls were told", left=self._under_way)
        for session in {*self._live, *self.dialogs.owners()}:
            session.abandon()
        self.dialogs.clear()
        await self.layer.stop()
        self._under_way = 0

    def local_uri(self, hop: Hop, user: str = "") -> str:
        """Our Contact URI towards `hop`."""
        host, port = self.layer.local_address(hop)
        host = f"[{host}]" if ":" in host else host
        at = f"{user}@" if user else ""
        # "ws" with TLS as well (RFC 7118 §5.2).
        name = "ws" if hop.transport == "wss" else hop.transport
        transport = "" if name == "udp" else f";transport={name}"
        return f"sip:{at}{host}:{port}{transport}"

    def contact(self, hop: Hop) -> str:
        """The value of our Contact header towards `hop`."""
        return f"<{self.local_uri(hop)}>"

    def invite(
        self,
        target: Target,
        *,
        from_: str,
        to: str,
        sdp: str | None,
        otherwise: Sequence[str] = (),
        listener: SessionListener,
        credentials: Credentials | None = None,
        headers: Sequence[tuple[str, str]] = (),
        timeout_s: float | None = None,
        hairpin: bool = False,
    ) -> Session:
        """Call somebody. `from_` and `to` are header values without tags (name-addr).

        `otherwise` is what is offered, one after the other, when `sdp` is refused for what it
        describes (488, 606, 415).
        A 401 or 407 is answered once with `credentials`. When nobody has answered after
        `timeout_s` the call is cancelled and `on_failure` told 408. A Max-Forwards in
        `headers` takes the place of the usual 70. The listener is never called before this
        returns. `hairpin`: that it comes back to this very stack is meant, and no loop.
        """
        session = OutgoingSession(
            self,
            target,
            from_=from_,
            to=to,
            sdp=sdp,
            otherwise=otherwise,
            listener=listener,
            auth=ClientAuth(credentials) if credentials else None,
            headers=headers,
        )
        self._live.add(session)
        session.hairpin = hairpin
        session.start(timeout_s)
        return session

    def request(
        self,
        method: str,
        target: Target,
        *,
        from_: str,
        to: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
        credentials: Credentials | None = None,
        on_response: Callable[[Response], None],
        call_id: str | None = None,
        cseq: Iterator[int] | None = None,
    ) -> None:
        """Send a request outside of dialogs. `on_response` hears the final response, or a
        made-up 408 (no answer) or 503 (could not be sent). `call_id` and `cseq` (the numbers to
        use, one for each try) continue a series (registration)."""
        numbers = cseq or count(1)
        sender = f"{from_};tag={new_tag()}"
        call_id = call_id or new_call_id()
        more = headers if content_type is None else (*headers, ("Content-Type", content_type))

        def make() -> Request:
            uri, route = along(target.route, target.uri)
            request = make_request(
                method,
                uri,
                route=route,
                from_=sender,
                to=to,
                call_id=call_id,
                cseq=next(numbers),
                body=body,
            )
            put = request.headers.add
            put("User-Agent", self.config.user_agent)
            for name, value in more:
                put(name, value)
            return request

        auth = ClientAuth(credentials) if credentials else None
        Exchange(self, target.hop, make, on_response, auth)

    # For this part's modules

    def begun(self) -> None:
        """A request of ours is under way: `stop` waits for it."""
        self._under_way += 1

    def finished(self) -> None:
        """It has come to its end."""
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()

    def take_in(self, session: Session, dialog: Dialog) -> None:
        """A dialog is a session's from now on: what comes in it goes there."""
        self.dialogs.add(session, dialog)

    def let_go(self, dialog: Dialog) -> None:
        """A dialog is no more; harmless when it is not there."""
        self.dialogs.remove(dialog)

    def ended(self, session: Usage) -> None:
        """A session is alive no more."""
        self._live.discard(session)

    def guard(self, function: Callable[..., None], *arguments: object) -> bool:
        """Call what the application gave us; an error there is logged and stays there."""
        try:
            function(*arguments)
        except Exception:
            log.exception("The application failed at a SIP event")
            return False
        return True

    # From the transaction layer

    def _standing(self, hop: Hop) -> Standing:
        return Standing.CARRIER if self.doorkeeper is None else self.doorkeeper.standing(hop)

    def _has_call(self, call_id: str) -> bool:
        return self.dialogs.has_call(call_id) or self.subscriptions.has_call(call_id)

    def _screen(self, request: Request, hop: Hop) -> Response | None:
        """Answer at once what needs no transaction: requests in no dialog of ours, strangers."""
        tag = request.to_tag
        if tag:
            dialog = request.call_id, tag, request.from_tag
            found = self.dialogs.find(*dialog) or self.subscriptions.find(*dialog)
            return None if found is not None else make_response(request, 481)
        return None if self.doorkeeper is None else self.doorkeeper.screen(request, hop)

    def _on_request(self, tx: ServerTransaction) -> None:
        request = tx.request
        tag = request.to_tag
        if tag:
            dialog = request.call_id, tag, request.from_tag
            if (found := self.dialogs.find(*dialog)) is not None:
                found[0].on_request(found[1], tx)
            elif (subscription := self.subscriptions.find(*dialog)) is not None:
                subscription.on_request(tx)
            else:
                tx.respond(make_response(request, 481))
        elif request.method == "INVITE":
            self._on_invite(tx)
        elif request.method in _IN_DIALOG_ONLY:
            tx.respond(make_response(request, 481))
        elif not self.guard(self.app.on_request, tx):
            tx.respond(make_response(request, 500))

    def _on_invite(self, tx: ServerTransaction) -> None:
        request = tx.request
        if self._stopping or len(self._live) >= self.config.max_sessions:
            tx.respond(make_response(request, 503, headers=(("Retry-After", "10"),)))
            return
        try:
            session = IncomingSession(self, tx)
        except BadBody as error:
            tx.respond(make_response(request, error.code, error.reason, headers=error.headers))
            return
        if session.timer.too_small(request):
            session.reject(422, headers=(("Min-SE", str(self.config.min_se_s)),))
            return
        self._live.add(session)
        if not self.guard(self.app.on_invite, session):
            session.hangup(500)

    def _on_ack(self, request: Request, hop: Hop) -> None:
        found = self.dialogs.find(request.call_id, request.to_tag, request.from_tag)
        if found is not None:
            found[0].on_ack(found[1], request)

    def _on_stray_response(self, response: Response, hop: Hop) -> None:
        """A 2xx may outlive its transaction: its sender missed our ACK (RFC 3261 §13.2.2.4)."""
        if not 200 <= response.code < 300 or response.cseq_method != "INVITE":
            return
        found = self.dialogs.find(response.call_id, response.from_tag, response.to_tag)
        if found is not None:
            found[0].on_late_answer(found[1], response)
