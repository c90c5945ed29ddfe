"""One request of ours and its final response, with credentials when they are asked for.

`ClientAuth` keeps what a peer's challenges taught, so that later requests of a dialog carry
credentials at once. `Exchange` is the `ClientListener` of everything but INVITE.
"""

from __future__ import annotations

from collections.abc import Callable

from vpbx.sip.core import Core
from vpbx.sip.digest import Challenge, Credentials, DigestAnswer
from vpbx.sip.message import Request, Response, make_response
from vpbx.sip.status import REASONS
from vpbx.sip.transaction import ClientTransaction
from vpbx.sip.transport import Hop

_CHALLENGES = (("WWW-Authenticate", False), ("Proxy-Authenticate", True))
_MAX_TRIES = 3


class NoResponse(Response):
    """A response nobody sent: 408 for silence, 503 for a transport that failed."""


def _made_up(request: Request, code: int) -> Response:
    made, response = make_response(request, code), NoResponse(code, REASONS[code])
    response.headers = made.headers
    return response


class ClientAuth:
    """Credentials, and the challenges they have to answer."""

    __slots__ = ("_answers", "_credentials")

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._answers: dict[tuple[bool, str], DigestAnswer] = {}

    def apply(self, request: Request) -> None:
        """Add credentials for each challenge known."""
        for answer in self._answers.values():
            request.headers.add(answer.header, answer.value(request.method, request.raw_uri))

    def learn(self, response: Response, tried: set[tuple[bool, str]]) -> bool:
        """Take the challenges of a 401 or 407; True when it is worth trying again.

        `tried` holds those this request has answered already: once more only when the peer
        says the nonce was just too old (RFC 7616 §3.3).
        """
        worth = False
        for name, proxy in _CHALLENGES:
            challenge = Challenge.choose(response.headers.getlist(name), proxy=proxy)
            if challenge is None:
                continue
            key = (proxy, challenge.realm)
            if key in tried and not challenge.stale:
                return False
            tried.add(key)
            self._answers[key] = DigestAnswer(challenge, self._credentials)
            worth = True
        return worth


class Tries:
    """How often a request was tried with credentials."""

    __slots__ = ("_count", "_tried")

    def __init__(self) -> None:
        self._count = 0
        self._tried: set[tuple[bool, str]] = set()

    def again(self, auth: ClientAuth | None, response: Response) -> bool:
        """Whether to send the request again, now that `response` (401, 407) has come."""
        self._count += 1
        if auth is None or self._count >= _MAX_TRIES:
            return False
        return auth.learn(response, self._tried)


class Exchange:
    """A non-INVITE request under way.

    `make` builds the request (again, with a new CSeq, for another try); `done` hears the final
    response, or a made-up 408 (no answer) or 503 (could not be sent).
    """

    __slots__ = ("_auth", "_done", "_hop", "_make", "_stack", "_tries")

    def __init__(
        self,
        stack: Core,
        hop: Hop,
        make: Callable[[], Request],
        done: Callable[[Response], None] | None,
        auth: ClientAuth | None = None,
    ) -> None:
        self._stack = stack
        self._hop = hop
        self._make = make
        self._done = done
        self._auth = auth
        self._tries: Tries | None = None
        stack.begun()
        self._send()

    def _send(self) -> None:
        request = self._make()
        if self._auth is not None:
            self._auth.apply(request)
        self._stack.layer.request(request, self._hop, self)

    def on_response(self, tx: ClientTransaction, response: Response) -> None:
        if response.code < 200:
            return
        if response.code in (401, 407) and self._auth is not None:
            self._tries = self._tries or Tries()
            if self._tries.again(self._auth, response):
                self._send()
                return
        self._finish(response)

    def on_timeout(self, tx: ClientTransaction) -> None:
        self._finish(_made_up(tx.request, 408))

    def on_transport_error(self, tx: ClientTransaction, reason: str) -> None:
        self._finish(_made_up(tx.request, 503))

    def _finish(self, response: Response) -> None:
        self._stack.finished()
        if self._done is not None:
            self._stack.guard(self._done, response)
