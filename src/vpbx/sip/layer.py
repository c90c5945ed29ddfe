"""The transaction layer on its transports: the floor all user agents stand on (RFC 3261 §17, §18).

What comes in is parsed (`arrivals`), judged (`validate`), matched to a transaction or made one,
and told to the user agents; looping, merged or unwelcome messages are answered or dropped here.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from vpbx.clock import Clock
from vpbx.sip.arrivals import Arrivals, Takers
from vpbx.sip.budget import Budgets, Standing
from vpbx.sip.client_transaction import Nobody
from vpbx.sip.config import LayerConfig
from vpbx.sip.departures import Departures
from vpbx.sip.message import (
    MalformedMessage,
    Request,
    Response,
    is_our_branch,
    make_response,
    new_branch,
)
from vpbx.sip.stateless import Replies
from vpbx.sip.timers import Timers
from vpbx.sip.transaction import (
    ClientListener,
    ClientTransaction,
    ServerTransaction,
    Transaction,
    TransactionState,
)
from vpbx.sip.transport import (
    Connection,
    Hop,
    Listen,
    Message,
    Receive,
    Receiver,
    Send,
    Transports,
)
from vpbx.sip.validate import is_ack_for_dialog, judge
from vpbx.sip.via import make_via, merged_by, note_source, our_branches, reply_hop, transaction_keys

__all__ = ["LayerConfig", "TransactionLayer"]

log = structlog.get_logger("vpbx.sip")

_RETRY_AFTER_S = 5
_UNANSWERED = frozenset((TransactionState.CALLING, TransactionState.TRYING))


class TransactionLayer:
    """Sends requests and takes them; sees to retransmission, matching and broken messages.

    `on_request` is told of each new request but ACK and CANCEL, `on_ack` of each ACK that is
    not for a final response of 300-699, `on_stray_response` of a 2xx to an INVITE of ours that
    has no transaction any more. An INVITE that `on_request` does not answer at once gets a 100.

    `screen` may answer a request before there is a transaction; `standing` says who is at a
    hop, and `has_call` whether a Call-ID is that of a dialog: what has one is always read.
    """

    def __init__(
        self,
        config: LayerConfig,
        *,
        clock: Clock,
        on_request: Callable[[ServerTransaction], None],
        on_ack: Callable[[Request, Hop], None],
        on_stray_response: Callable[[Response, Hop], None],
        screen: Callable[[Request, Hop], Response | None] | None = None,
        standing: Callable[[Hop], Standing] | None = None,
        has_call: Callable[[str], bool] | None = None,
    ) -> None:
        self.timers = Timers(clock, config.timers)
        self.budgets = _budgets(config, clock, standing)
        """What sources may take; None when that is not counted."""
        self._screen = screen
        self._config = config
        self._on_request = on_request
        self._on_ack = on_ack
        self._on_stray_response = on_stray_response
        self._transports = _transports(config, self, clock)
        self._departures = Departures(self._transports)
        self._replies = Replies(self._transports)
        takers = Takers(self._take_request, self._take_response)
        self._arrivals = arrivals = Arrivals(
            config,
            clock,
            takers,
            replies=self._replies,
            budgets=self.budgets,
            has_call=has_call,
        )
        self.receive, self.receive_broken = arrivals.receive, arrivals.receive_broken
        """For transports (transport.Receiver): take a message, or one whose end is not found."""
        self.local_address = self._transports.local_address
        """Return host and port to write into Via and Contact towards a hop."""
        self._clients: dict[str, ClientTransaction] = {}
        self._servers: dict[str, ServerTransaction] = {}
        self._merged: dict[str, ServerTransaction] = {}

    # For the user agents.

    def why_unreachable(self, hop: Hop) -> str:
        """Say why nothing can ever be sent to a hop; empty when it can."""
        return self._transports.why_unreachable(hop)

    def proved(self, hop: Hop, account: str) -> None:
        """Hear that `account` has proved its password at `hop`."""
        if self.budgets is not None:
            self.budgets.changed(hop)
        self._transports.pool.proved(hop, account)

    @property
    def listens(self) -> tuple[Listen, ...]:
        """The places it listens at, with the ports it got."""
        return self._transports.listens

    @property
    def transactions(self) -> int:
        """How many transactions there are, those that only absorb retransmissions included."""
        return len(self._clients) + len(self._servers)

    async def start(self) -> None:
        """Open all listening sockets; `OSError` when one cannot be."""
        await self._transports.start()

    async def stop(self) -> None:
        """Close all sockets and forget all transactions, telling nobody."""
        await self._departures.stop()
        for tx in (*self._clients.values(), *self._servers.values()):
            tx.abandon()
        self.timers.clear()
        self._clients.clear()
        self._servers.clear()
        self._merged.clear()
        await self._transports.stop()

    def request(self, request: Request, hop: Hop, listener: ClientListener) -> ClientTransaction:
        """Send a request in a new client transaction; the listener is never called before
        this returns.

        Via is added here, Max-Forwards if there is none. A name in `hop` is resolved first. A
        request over 1300 bytes goes by TCP if the target of a UDP hop answers there.
        """
        if "Max-Forwards" not in request.headers:
            request.headers.set("Max-Forwards", "70")
        branch = new_branch()
        tx = ClientTransaction(self, request, hop, branch + request.method, listener)
        self._clients[tx.key] = tx
        self._departures.start(tx, branch)
        return tx

    def send(self, message: Request | Response, hop: Hop) -> None:
        """Send outside of transactions, nobody is told of failure: an ACK of a 2xx, a 2xx again.

        A request without Via gets one, so that the same ACK can be sent again.
        """
        if isinstance(message, Request):
            if "Via" not in message.headers:
                message.headers.push("Via", make_via(hop, self.local_address(hop), new_branch()))
        else:
            hop = self._replies.destination(message, hop)
        self._transports.send(bytes(message), hop)

    def ping(self, hop: Hop) -> bool:
        """Send two line ends to `hop` (RFC 5626 §3.5.1); False when its connection is gone."""
        if hop.transport != "udp" and self._transports.connection(hop) is None:
            return False
        self._transports.send(b"\r\n\r\n", hop)
        return True

    def reaches(self, hop: Hop) -> bool:
        """Say whether a message to `hop` has a way: by UDP always, else an open connection."""
        return hop.transport == "udp" or self._transports.connection(hop) is not None

    async def can_connect(self, hop: Hop) -> bool:
        """Try for half a second to open a connection to `hop`, for later messages to use."""
        return await self._transports.can_connect(hop)

    async def serve_websocket(self, scope: Message, receive: Receive, send: Send) -> None:
        """Carry SIP over a WebSocket that an HTTP server has taken (see `transport.ws`)."""
        await self._transports.serve_websocket(scope, receive, send)

    # For transactions (transaction.Outlet).

    def transmit(self, tx: Transaction, data: bytes) -> None:
        """Send what a transaction has to send."""
        hop = tx.destination
        if hop.connection and hop.transport != "udp" and isinstance(tx, ServerTransaction):
            tx.destination = hop = self._replies.destination(tx.request, hop)
        self._transports.send(data, hop, tx.transport_failed)

    def forget(self, tx: Transaction) -> None:
        """Let go of a transaction that has ended."""
        if isinstance(tx, ServerTransaction):
            self._servers.pop(tx.key, None)
            if tx.merge_key and self._merged.get(tx.merge_key) is tx:
                del self._merged[tx.merge_key]
        else:
            self._clients.pop(tx.key, None)

    def send_cancel(self, tx: Transaction, cancel: Request) -> None:
        """Send a CANCEL, in a transaction of its own, the way its INVITE went."""
        key = tx.key.removesuffix("INVITE") + "CANCEL"
        own = self._clients[key] = ClientTransaction(self, cancel, tx.hop, key, Nobody())
        own.start(tx.hop, bytes(cancel))

    def take_ack(self, ack: Request, hop: Hop) -> None:
        """Pass on an ACK that came with the branch of an accepted INVITE."""
        self._on_ack(ack, hop)

    # For transports (transport.Receiver).

    def wait_s(self, hop: Hop, data: bytes) -> float:
        """Say how long a connection's next message has to wait."""
        return self.budgets.wait_s(hop, data) if self.budgets is not None else 0.0

    def connection_lost(self, connection: Connection) -> None:
        """Tell the requests that wait for an answer by this connection."""
        for tx in list(self._clients.values()):
            if tx.reliable and connection.leads_to(tx.hop):
                try:
                    tx.transport_failed("the connection was lost")
                except Exception:
                    log.exception("A lost SIP connection could not be dealt with")

    def unreachable(self, hop: Hop, reason: str) -> None:
        """Tell the requests outside of dialogs that nobody there has answered yet.

        ICMP says that nobody listens, so there is nothing to wait for. A dialog outlives a
        phone that is out of reach for a second; there silence has the last word.
        """
        at = hop.host, hop.port
        for tx in list(self._clients.values()):
            there = not tx.reliable and (tx.hop.host, tx.hop.port) == at
            if there and tx.state in _UNANSWERED and not tx.request.to_tag:
                tx.transport_failed(f"nobody listens at {hop.host}:{hop.port} ({reason})")

    # Responses coming in.

    def _take_response(self, response: Response, hop: Hop) -> None:
        try:
            branch = response.branch
            tx = self._clients.get(branch + response.cseq_method)
            same = tx is None or tx.asked_for(response)
        except ValueError as error:
            raise MalformedMessage(None, str(error)) from error
        if not same or response.headers.count("Via") != 1:
            # Two Via values: it is not for us but through us (RFC 3261 §8.1.3.3).
            return
        if tx is not None:
            tx.receive(response)
        elif (
            response.cseq_method == "INVITE"
            and 200 <= response.code < 300
            and is_our_branch(branch)
        ):
            self._on_stray_response(response, hop)

    # Requests coming in.

    def _take_request(self, request: Request, hop: Hop) -> None:
        try:
            via = request.top_via
            key, invite_key = transaction_keys(request, via)
        except ValueError as error:
            raise MalformedMessage(400, str(error), request) from error
        note_source(request, via, hop)
        if request.method == "ACK":
            self._take_ack(request, hop, invite_key)
        elif (again := self._servers.get(key)) is not None:
            again.receive_again()
        elif request.method == "CANCEL":
            self._take_cancel(request, hop, invite_key)
        else:
            self._take_new_request(request, hop, key, reply_hop(via, hop))

    def _take_ack(self, ack: Request, hop: Hop, invite_key: str) -> None:
        invite = self._servers.get(invite_key)
        if invite is not None:
            invite.receive_ack(ack)
        elif is_ack_for_dialog(ack):
            self._on_ack(ack, hop)
        else:
            self._arrivals.complain(hop, "an ACK that can be for no dialog")

    def _take_cancel(self, cancel: Request, hop: Hop, invite_key: str) -> None:
        # Answered without a transaction: a CANCEL sent again gets the same answer anyhow.
        refusal = judge(cancel, self._config.abilities)
        if refusal is not None:
            self._replies.refuse(cancel, hop, refusal.code, refusal.headers)
            return
        invite = self._servers.get(invite_key)
        if invite is None:
            self._replies.refuse(cancel, hop, 481)
            return
        response = make_response(cancel, 200, to_tag=invite.to_tag or None)
        self._transports.send(bytes(response), self._replies.destination(response, hop))
        invite.receive_cancel()

    def _take_new_request(self, request: Request, hop: Hop, key: str, destination: Hop) -> None:
        outside = not request.to_tag
        # Requests in dialogs get more room: most of them make an end of something.
        if self.transactions >= self._config.max_transactions * (1 if outside else 2):
            self._replies.refuse(request, hop, 503, (("Retry-After", str(_RETRY_AFTER_S)),))
            return
        refusal = judge(request, self._config.abilities)
        if refusal is not None:
            if refusal.malformed:
                self._arrivals.complain(hop, refusal.reason)
            self._replies.refuse(request, hop, refusal.code, refusal.headers)
            return
        if self._screen is not None and (answer := self._screen(request, hop)) is not None:
            self._replies.send(answer, hop)
            return
        merge_key = merged_by(request) if outside else ""
        if (merge_key and merge_key in self._merged) or (outside and self._is_loop(request)):
            self._replies.refuse(request, hop, 482)
            return
        tx = ServerTransaction(self, request, hop, key)
        tx.destination = destination
        self._servers[key] = tx
        if merge_key:
            tx.merge_key = merge_key
            self._merged[merge_key] = tx
        self._tell_request(tx)

    def _tell_request(self, tx: ServerTransaction) -> None:
        try:
            self._on_request(tx)
        except Exception:
            log.exception("A SIP request could not be processed", method=tx.request.method)
            tx.respond(make_response(tx.request, 500))
        if tx.request.method == "INVITE" and not tx.answered:
            tx.respond(make_response(tx.request, 100))

    def _is_loop(self, request: Request) -> bool:
        """Say whether a request of ours came back unchanged (a spiral changes its target).

        Asked outside of dialogs: what is in one ends here in any case.
        """
        for branch in our_branches(request):
            own = self._clients.get(branch + request.method)
            if own is not None and own.request.raw_uri == request.raw_uri:
                return not own.hairpin
        return False


def _budgets(
    config: LayerConfig, clock: Clock, standing: Callable[[Hop], Standing] | None
) -> Budgets | None:
    if config.budgets is None or standing is None:
        return None
    return Budgets(clock, config.budgets, standing)


def _transports(config: LayerConfig, receiver: Receiver, clock: Clock) -> Transports:
    return Transports(
        config.listens,
        receiver,
        clock,
        limits=config.limits,
        advertise=config.advertise,
        tls_client=config.tls_client,
        tap=config.tap,
    )
