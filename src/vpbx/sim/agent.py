"""What a simulated phone and a simulated carrier have in common: a SIP user agent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from vpbx.sim.behaviours import Behaviour
from vpbx.sim.bell import Bell
from vpbx.sim.call import G711, Call
from vpbx.sip import (
    AudioCodec,
    Credentials,
    Hop,
    Listen,
    ServerTransaction,
    Session,
    SipStack,
    StackConfig,
    Target,
    make_response,
)

__all__ = ["UserAgent", "trusting_context"]


def trusting_context() -> ssl.SSLContext:
    """Return a TLS client context that takes any certificate: for tests and demos only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class UserAgent:
    """Places and takes calls with sound. `async with` it.

    `behaviour` is run for each call that comes in, which rings by then; without one, calls
    ring until somebody takes them by `incoming`.
    """

    def __init__(
        self,
        *,
        listens: Sequence[Listen],
        user_agent: str,
        media_host: str = "127.0.0.1",
        codecs: Sequence[AudioCodec] = G711,
        behaviour: Behaviour | None = None,
    ) -> None:
        self.behaviour = behaviour
        self.calls: list[Call] = []
        """Every call, in and out, oldest first."""
        self._media_host = media_host
        self._codecs = codecs
        self._untaken: list[Call] = []
        self._bell = Bell()
        self._tasks: set[asyncio.Task[None]] = set()
        self._config = StackConfig(
            listens=tuple(listens), user_agent=user_agent, tls_client=trusting_context()
        )
        self.stack: SipStack

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; `OSError` when the port cannot be had."""
        self.stack = SipStack(self._config, self)
        await self.stack.start()

    async def stop(self) -> None:
        """Hang up whatever goes on, and close the sockets."""
        for task in self._tasks:
            task.cancel()
        for call in self.calls:
            call.hangup()
        await self.stack.stop(1.0)

    def listen(self, transport: str = "udp") -> Listen:
        """Return where this agent listens, with the real port."""
        return next(bound for bound in self.stack.listens if bound.transport == transport)

    async def incoming(self, timeout_s: float = 20.0) -> Call:
        """Wait for the next call that comes in; each is returned once."""
        return await self._bell.until(
            lambda: self._untaken.pop(0) if self._untaken else None,
            timeout_s,
            lambda: "no call came in",
        )

    async def nth_call(self, index: int, timeout_s: float = 20.0) -> Call:
        """Wait until there have been more than `index` calls; return that one of `calls`."""
        return await self._bell.until(
            lambda: self.calls[index] if len(self.calls) > index else None,
            timeout_s,
            lambda: "no call came in",
        )

    def forget(self, call: Call) -> None:
        """Keep nothing of a call that is over: for agents that call for days."""
        for calls in (self.calls, self._untaken):
            if call in calls:
                calls.remove(call)

    async def invite(
        self,
        uri: str,
        hop: Hop,
        *,
        from_: str,
        tone_hz: float | None = None,
        credentials: Credentials | None = None,
        offer: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Call:
        """Call `uri` by way of `hop`, saying a tone from the answer on; returns at once.

        `offer` false sends the INVITE without a description (delayed offer, RFC 3261 13.2.1).
        """
        call = Call(media_host=self._media_host, codecs=self._codecs)
        await call.open_sound()
        if tone_hz is not None:
            call.say(tone_hz)
        self.calls.append(call)
        call.session = self.stack.invite(
            Target(uri, hop),
            from_=from_,
            to=f"<{uri}>",
            sdp=call.offer() if offer else None,
            listener=call,
            credentials=credentials,
            headers=headers,
        )
        return call

    # --- what the stack tells -------------------------------------------------------------

    def on_invite(self, session: Session) -> None:
        call = Call(media_host=self._media_host, codecs=self._codecs)
        call.session = session
        session.listener = call
        self.calls.append(call)
        self._untaken.append(call)
        call.ring()
        if self.behaviour is not None:
            task = asyncio.create_task(self.behaviour(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._bell.ring()

    def on_request(self, transaction: ServerTransaction) -> None:
        code = 200 if transaction.request.method == "OPTIONS" else 405
        transaction.respond(make_response(transaction.request, code))
