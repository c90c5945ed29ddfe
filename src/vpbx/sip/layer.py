"""The transaction layer on its transports: the floor all user agents stand on (RFC 3261 §17, §18).

What comes in is parsed, judged (`validate`), matched to a transaction or made one, and told to
the user agents; broken, looping, merged or unwelcome messages are answered or dropped here.
Nothing that arrives raises out of it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import structlog

from vpbx.clock import Clock
from vpbx.sip.budget import Budgets, Standing
from vpbx.sip.client_transaction import Nobody
from vpbx.sip.config import LayerConfig
from vpbx.sip.identifiers import OUR_BRANCH
from vpbx.sip.message import (
    MalformedMessage,
    Request,
    Response,
    is_our_branch,
    make_response,
    new_branch,
    parse_message,
    serialize,
)
from vpbx.sip.stateless import fitted
from vpbx.sip.throttle import OncePer
from vpbx.sip.timers import Timers
from vpbx.sip.transaction import (
    ClientListener,
    ClientTransaction,
    ServerTransaction,
    Transaction,
    TransactionState,
)
from vpbx.sip.transport import Connection, Hop, Listen, Message, Receive, Send, Transports
from vpbx.sip.validate import is_ack_for_dialog, judge
from vpbx.sip.via import make_via, note_source, reopened_hop, reply_hop, transaction_keys
from vpbx.sparing import Sparing
from vpbx.tasks import watched

__all__ = ["LayerConfig", "TransactionLayer"]

log = structlog.get_logger("vpbx.sip")
_nonsense = Sparing("vpbx.sip")

_MAX_UDP_BYTES = 1300
"""Larger requests should not go by UDP (RFC 3261 §18.1.1)."""
_RETRY_AFTER_S = 5
_UNANSWERED = frozenset((TransactionState.CALLING, TransactionState.TRYING))
_COMPLAIN_S = 60.0
_AMPLIFIES = 2
"""An answer to a stranger's datagram is at most so many times its size: whoever forged the
source must gain nothing by us."""
_LEAST_BYTES = 20
"""Nothing shorter can be a message: keep-alives of phones, like `jaK` or NULs."""
_FIRST_BYTE = 0x0A
"""What begins with less is no message, nor line ends before one."""
_PEEK_BYTES = 4096
_CALL_ID = re.compile(rb"\r\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)


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
        self._budgets = (
            Budgets(clock, config.budgets, standing) if config.budgets and standing else None
        )
        self._screen = screen
        self._has_call = has_call
        self._complaints = OncePer(clock, _COMPLAIN_S)
        self._room = 0
        """How long an answer to what is being taken may be, 0: as it is."""
        self._config = config
        self._clock = clock
        self._on_request = on_request
        self._on_ack = on_ack
        self._on_stray_response = on_stray_response
        self._transports = Transports(
            config.listens,
            self,
            clock,
            limits=config.limits,
            advertise=config.advertise,
            tls_client=config.tls_client,
            tap=config.tap,
        )
        self._clients: dict[str, ClientTransaction] = {}
        self._servers: dict[str, ServerTransaction] = {}
        self._merged: dict[str, ServerTransaction] = {}
        self._preparing: set[asyncio.Task[None]] = set()

    # For the user agents.

    @property
    def budgets(self) -> Budgets | None:
        """What sources may take; None when that is not counted."""
        return self._budgets

    def why_unreachable(self, hop: Hop) -> str:
        """Say why nothing can ever be sent to a hop; empty when it can."""
        return self._transports.why_unreachable(hop)

    def proved(self, hop: Hop, account: str) -> None:
        """Hear that `account` has proved its password at `hop`."""
        if self._budgets is not None:
            self._budgets.changed(hop)
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
        for task in list(self._preparing):
            task.cancel()
        await asyncio.gather(*self._preparing, return_exceptions=True)
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
        if self._transports.is_direct(hop):
            request.headers.push("Via", make_via(hop, self.local_address(hop), branch))
            data = serialize(request)
            if hop.transport != "udp" or len(data) <= _MAX_UDP_BYTES:
                tx.start(hop, data)
                return tx
            request.headers.setlist("Via", request.headers.getlist("Via")[1:])
        task = watched(asyncio.get_running_loop().create_task(self._start_later(tx, branch)))
        self._preparing.add(task)
        task.add_done_callback(self._preparing.discard)
        return tx

    def send(self, message: Request | Response, hop: Hop) -> None:
        """Send outside of transactions, nobody is told of failure: an ACK of a 2xx, a 2xx again.

        A request without Via gets one, so that the same ACK can be sent again.
        """
        if isinstance(message, Request):
            if "Via" not in message.headers:
                message.headers.push("Via", make_via(hop, self.local_address(hop), new_branch()))
        else:
            hop = self._destination(message, hop)
        self._transports.send(serialize(message), hop)

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

    def local_address(self, hop: Hop) -> tuple[str, int]:
        """Return host and port to write into Via and Contact towards `hop`."""
        return self._transports.local_address(hop)

    # For transactions (transaction.Outlet).

    def transmit(self, tx: Transaction, data: bytes) -> None:
        """Send what a transaction has to send."""
        hop = tx.destination
        if hop.connection and hop.transport != "udp" and isinstance(tx, ServerTransaction):
            tx.destination = hop = self._destination(tx.request, hop)
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
        own.start(tx.hop, serialize(cancel))

    def take_ack(self, ack: Request, hop: Hop) -> None:
        """Pass on an ACK that came with the branch of an accepted INVITE."""
        self._on_ack(ack, hop)

    # For transports (transport.Receiver).

    def wait_s(self, hop: Hop, data: bytes) -> float:
        """Say how long a connection's next message has to wait."""
        return self._budgets.wait_s(hop, data) if self._budgets is not None else 0.0

    def receive(self, data: bytes, hop: Hop) -> None:
        """Take a message; nothing it holds makes this raise."""
        if len(data) < _LEAST_BYTES or data[0] < _FIRST_BYTE:
            return  # keep-alives, STUN and RTP gone astray: nobody's time
        self._room = 0
        if hop.transport == "udp" and (budgets := self._budgets) is not None:
            if not budgets.admit(hop, data, lambda: self._is_ours(data)):
                return
            if budgets.is_stranger(hop):
                self._room = _AMPLIFIES * len(data)
        if not 0x21 <= data[0] <= 0x7E:
            # Keep-alives, STUN and RTP gone astray are no SIP, and no reason to complain.
            data = data.lstrip(b"\r\n")
            if not data or not 0x21 <= data[0] <= 0x7E:
                return
        if self._config.tap is not None:
            self._config.tap(False, data, hop)
        try:
            message = parse_message(
                data,
                max_bytes=self._config.limits.message_bytes,
                max_headers=self._config.max_headers,
            )
            if isinstance(message, Request):
                self._take_request(message, hop)
            else:
                self._take_response(message, hop)
        except MalformedMessage as error:
            self._take_malformed(error, hop)
        except Exception:
            self._complain(hop, "it made the stack fail")
            log.exception("A SIP message could not be processed", source=hop.host)

    def _is_ours(self, data: bytes) -> bool:
        """Say, without parsing, whether a message belongs to a request or a dialog of ours."""
        head = data[:_PEEK_BYTES]
        if head[:4] == b"SIP/":
            return OUR_BRANCH in head
        found = _CALL_ID.search(head)
        if found is None or self._has_call is None:
            return False
        return self._has_call(found[1].strip().decode("utf-8", "replace"))

    def _complain(self, hop: Hop, reason: str) -> None:
        """Charge a source for nonsense, and say so once in a while."""
        if self._budgets is not None:
            self._budgets.malformed(hop)
        if self._complaints.first(hop.host):
            _nonsense.warning("A source sends malformed SIP", source=hop.host, reason=reason)

    def receive_broken(self, head: bytes, hop: Hop, code: int, reason: str) -> None:
        """Answer a message whose end cannot be found."""
        message: Request | Response | None
        try:
            message = parse_message(head, max_headers=self._config.max_headers)
        except MalformedMessage as error:
            message = error.message
        answer = code if isinstance(message, Request) else None
        self._take_malformed(MalformedMessage(answer, reason, message), hop)

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

    # Requests going out.

    async def _start_later(self, tx: ClientTransaction, branch: str) -> None:
        """Start a request whose way must be found out first: a name, or a large message."""
        try:
            hop = await self._transports.resolve(tx.hop)
        except OSError as error:
            tx.transport_failed(f"cannot resolve {tx.hop.host}: {error}")
            return
        data = self._with_via(tx.request, hop, branch)
        if hop.transport == "udp" and len(data) > _MAX_UDP_BYTES:
            tcp = Hop("tcp", hop.host, hop.port)
            if await self._transports.can_connect(tcp):
                hop = tcp
                data = self._with_via(tx.request, hop, branch)
        if tx.state is not TransactionState.TERMINATED:
            tx.start(hop, data)

    def _with_via(self, request: Request, hop: Hop, branch: str) -> bytes:
        request.headers.remove("Via")
        request.headers.push("Via", make_via(hop, self.local_address(hop), branch))
        return serialize(request)

    # Responses coming in.

    def _take_response(self, response: Response, hop: Hop) -> None:
        try:
            branch = response.branch
            tx = self._clients.get(branch + response.cseq_method)
            same = tx is None or (
                response.cseq_number == tx.request.cseq_number
                and response.headers.get("Call-ID") == tx.request.headers.get("Call-ID")
                and response.from_tag == tx.request.from_tag
            )
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
            self._complain(hop, "an ACK that can be for no dialog")

    def _take_cancel(self, cancel: Request, hop: Hop, invite_key: str) -> None:
        # Answered without a transaction: a CANCEL sent again gets the same answer anyhow.
        refusal = judge(cancel, self._config.abilities)
        if refusal is not None:
            self._refuse(cancel, hop, refusal.code, refusal.headers)
            return
        invite = self._servers.get(invite_key)
        if invite is None:
            self._refuse(cancel, hop, 481)
            return
        response = make_response(cancel, 200, to_tag=invite.to_tag or None)
        self._transports.send(serialize(response), self._destination(response, hop))
        invite.receive_cancel()

    def _take_new_request(self, request: Request, hop: Hop, key: str, destination: Hop) -> None:
        outside = not request.to_tag
        # Requests in dialogs get more room: most of them make an end of something.
        if self.transactions >= self._config.max_transactions * (1 if outside else 2):
            self._refuse(request, hop, 503, (("Retry-After", str(_RETRY_AFTER_S)),))
            return
        refusal = judge(request, self._config.abilities)
        if refusal is not None:
            if refusal.malformed:
                self._complain(hop, refusal.reason)
            self._refuse(request, hop, refusal.code, refusal.headers)
            return
        if self._screen is not None and (answer := self._screen(request, hop)) is not None:
            self._send_stateless(answer, hop)
            return
        merge_key = ""
        if outside:
            headers = request.headers
            merge_key = f"{headers['Call-ID']}\n{request.from_tag}\n{headers['CSeq']}"
        if (merge_key and merge_key in self._merged) or (outside and self._is_loop(request)):
            self._refuse(request, hop, 482)
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
        for value in request.headers.getlist("Via"):
            at = value.find("branch=")
            branch = value[at + 7 :].partition(";")[0].strip() if at >= 0 else ""
            if is_our_branch(branch):
                own = self._clients.get(branch + request.method)
                if own is not None and own.request.raw_uri == request.raw_uri:
                    return not own.hairpin
        return False

    # Answers without a transaction.

    def _take_malformed(self, error: MalformedMessage, hop: Hop) -> None:
        message = error.message
        if message is None and error.code is None:
            return  # no SIP at all: a keep-alive of some maker, or an accident
        self._complain(hop, error.reason)
        if error.code is None or not isinstance(message, Request) or message.method == "ACK":
            return
        if "Via" not in message.headers:
            return
        try:
            note_source(message, message.top_via, hop)
        except ValueError:
            # Its Via is what is broken; the answer goes to where it came from.
            pass
        self._refuse(message, hop, error.code)

    def _refuse(
        self, request: Request, hop: Hop, code: int, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        if hop.transport != "udp" and self._transports.connection(hop) is None:
            return
        self._send_stateless(make_response(request, code, headers=headers), hop)

    def _send_stateless(self, response: Response, hop: Hop) -> None:
        """Answer without a transaction, as shortly as a stranger's datagram asks for."""
        destination = self._destination(response, hop)
        data = fitted(response, self._room) if self._room else serialize(response)
        if data:
            self._transports.send(data, destination)

    def _destination(self, message: Request | Response, hop: Hop) -> Hop:
        """Say where a response goes: `message` is it, or its request; `hop` the source."""
        try:
            via = message.top_via
        except ValueError:
            return hop
        if hop.transport != "udp" and self._transports.connection(hop) is None:
            return reopened_hop(via, hop)
        return reply_hop(via, hop)
