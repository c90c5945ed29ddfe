"""A place where nobody listens says so by ICMP, or by refusing TCP: no waiting (RFC 3261 §18.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.ports import free_port
from vpbx.clock import LoopClock
from vpbx.sip import Hop, Listen, Request, Response, SipStack, StackConfig, Target
from vpbx.sip.message import make_response
from vpbx.sip.session import Session
from vpbx.sip.transaction import ServerTransaction


class Silent:
    """Answers 200 to what it is asked, and takes no calls."""

    def on_invite(self, session: Session) -> None:
        session.reject(486)

    def on_request(self, tx: ServerTransaction) -> None:
        tx.respond(make_response(tx.request, 200))


async def stack(transport: str = "udp") -> SipStack:
    listens = (Listen("udp", "127.0.0.1", 0), Listen("tcp", "127.0.0.1", 0))
    made = SipStack(StackConfig(listens=listens), Silent(), clock=LoopClock())
    await made.start()
    return made


@pytest.fixture
async def ours() -> AsyncIterator[SipStack]:
    made = await stack()
    yield made
    await made.stop(0.2)


def ask(ours: SipStack, hop: Hop, method: str = "OPTIONS") -> asyncio.Future[Response]:
    done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    target = Target(f"sip:{hop.host}:{hop.port}", hop)
    own = "<sip:us@example.com>"
    ours.request(method, target, from_=own, to=own, on_response=done.set_result)
    return done


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_closed_port_is_told_at_once(ours: SipStack, transport: str) -> None:
    hop = Hop(transport, "127.0.0.1", free_port())
    response = await asyncio.wait_for(ask(ours, hop), 30)
    assert response.code == 503


async def test_others_are_not_disturbed_by_somebody_elses_closed_port(ours: SipStack) -> None:
    """An ICMP error shows up at the next datagram, whoever that is for."""
    there = await stack()
    good = Hop("udp", "127.0.0.1", there.listens[0].port)
    bad = Hop("udp", "127.0.0.1", free_port())
    asked = [ask(ours, bad if number % 2 else good) for number in range(60)]
    answers = await asyncio.wait_for(asyncio.gather(*asked), 30)
    assert [answer.code for answer in answers] == [200, 503] * 30
    await there.stop(0.2)


async def test_one_invite_after_another_to_a_closed_port(ours: SipStack) -> None:
    hop = Hop("udp", "127.0.0.1", free_port())
    heard: asyncio.Queue[int] = asyncio.Queue()

    class Listener:
        def on_failure(self, session: object, code: int, reason: str, response: object) -> None:
            heard.put_nowait(code)

        def on_progress(self, *_: object) -> None:
            raise AssertionError("nobody is there")

    for _ in range(3):
        ours.invite(
            Target(f"sip:x@127.0.0.1:{hop.port}", hop),
            from_="<sip:us@example.com>",
            to="<sip:x@example.com>",
            sdp="v=0\r\n",
            listener=Listener(),  # type: ignore[arg-type]
        )
        assert await asyncio.wait_for(heard.get(), 30) == 503


async def test_a_dialog_outlives_a_port_that_is_closed_for_a_moment(ours: SipStack) -> None:
    """A phone that roams is out of reach for a second; that is no end of a call."""
    hop = Hop("udp", "127.0.0.1", free_port())
    told: list[str] = []

    class Listener:
        def on_response(self, tx: object, response: Response) -> None:
            told.append("response")

        def on_timeout(self, tx: object) -> None:
            told.append("timeout")

        def on_transport_error(self, tx: object, reason: str) -> None:
            told.append("error")

    for tag in (";tag=theirs", ""):
        request = Request("INFO", "sip:x@127.0.0.1")
        for name, value in (
            ("From", "<sip:us@example.com>;tag=ours"),
            ("To", f"<sip:x@example.com>{tag}"),
            ("Call-ID", "roaming"),
            ("CSeq", "2 INFO"),
        ):
            request.headers.set(name, value)
        ours.layer.request(request, hop, Listener())
        async with asyncio.timeout(30):
            while not tag and not told:
                await asyncio.sleep(0.01)
    assert told == ["error"]  # that of the second, which is in no dialog
