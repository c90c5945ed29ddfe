"""Staying registered: targets that back each other up, pauses, Retry-After, keep-alive."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from vpbx.clock import ManualClock
from vpbx.sip import (
    Hop,
    Listen,
    Registration,
    RegistrationState,
    ServerTransaction,
    Session,
    SipStack,
    StackConfig,
    Target,
    make_response,
)

AOR = "sip:100200@operator.example"


class Registrar:
    """Answers REGISTER by `code`, with `headers`."""

    def __init__(self) -> None:
        self.code = 200
        self.headers: list[tuple[str, str]] = []
        self.requests: list[str] = []

    def on_invite(self, session: Session) -> None:
        session.reject(486)

    def on_request(self, tx: ServerTransaction) -> None:
        self.requests.append(tx.request.headers["Expires"])
        headers = [("Contact", value) for value in tx.request.headers.getlist("Contact")]
        extra = headers if self.code == 200 else []
        tx.respond(make_response(tx.request, self.code, headers=[*extra, *self.headers]))


class World:
    """Our stack and two registrars on one clock that stands still."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.apps = [Registrar(), Registrar(), Registrar()]
        self.stacks: list[SipStack] = []

    async def start(self) -> None:
        listens = (Listen("udp", "127.0.0.1", 0), Listen("tcp", "127.0.0.1", 0))
        for app in self.apps:
            stack = SipStack(StackConfig(listens=listens), app, clock=self.clock)
            await stack.start()
            self.stacks.append(stack)

    async def stop(self) -> None:
        for stack in self.stacks:
            await stack.stop(0)

    def target(self, number: int, transport: str = "udp") -> Target:
        listen = next(x for x in self.stacks[number].listens if x.transport == transport)
        return Target("sip:operator.example", Hop(transport, "127.0.0.1", listen.port))

    def registration(self, *targets: Target, **options: float) -> Registration:
        order: Callable[[], list[Target]] = lambda: list(targets)  # noqa: E731
        return Registration(self.stacks[0], order, AOR, **options)  # type: ignore[arg-type]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.start()
    yield made
    await made.stop()


def nowhere() -> Target:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    return Target("sip:operator.example", Hop("udp", "127.0.0.1", port))


async def settled(world: World, registration: Registration) -> RegistrationState:
    """Wait for the outcome; what is due at once on the clock happens."""
    async with asyncio.timeout(30):
        waiting = asyncio.ensure_future(registration.settled())
        while not waiting.done():
            world.clock.advance(0)
            await asyncio.sleep(0.005)
    return waiting.result()


async def test_the_next_target_is_tried_when_one_is_not_there_or_has_no_room(
    world: World,
) -> None:
    world.apps[1].code = 503
    registration = world.registration(nowhere(), world.target(1), world.target(2))
    registration.start()
    assert await settled(world, registration) is RegistrationState.REGISTERED
    assert registration.hop == world.target(2).hop
    assert len(world.apps[1].requests) == 1
    registration.refresh()  # the one that knows us comes first now
    assert await settled(world, registration) is RegistrationState.REGISTERED
    assert len(world.apps[1].requests) == 1
    registration.stop()
    assert await settled(world, registration) is RegistrationState.IDLE
    assert world.apps[2].requests[-1] == "0"


async def test_pauses_grow_and_a_success_makes_them_short_again(world: World) -> None:
    app = world.apps[1]
    app.code = 500
    registration = world.registration(world.target(1))
    registration.start()
    pauses = []
    for _ in range(4):
        assert await settled(world, registration) is RegistrationState.FAILED
        assert "500" in registration.reason
        waited, before = 0.0, len(app.requests)
        while registration.state is RegistrationState.FAILED:
            world.clock.advance(0.5)
            waited += 0.5
        pauses.append(waited)
        assert len(app.requests) == before  # it is on its way
    assert 3.5 < pauses[0] < 6.6
    assert pauses == sorted(pauses)
    assert 30 < pauses[3] < 50
    app.code = 200
    await settled(world, registration)
    registration.refresh()
    app.code = 500
    assert await settled(world, registration) is RegistrationState.FAILED
    world.clock.advance(6.1)
    assert registration.state is RegistrationState.REGISTERING
    await settled(world, registration)


async def test_a_registrar_that_refuses_is_asked_less_often_than_one_in_trouble(
    world: World,
) -> None:
    app = world.apps[1]
    app.code = 403
    registration = world.registration(world.target(1))
    registration.start()
    await settled(world, registration)
    world.clock.advance(6.1)
    await settled(world, registration)
    world.clock.advance(15)
    assert registration.state is RegistrationState.FAILED
    world.clock.advance(10)
    assert registration.state is RegistrationState.REGISTERING
    await settled(world, registration)


async def test_retry_after_is_heeded_within_reason(world: World) -> None:
    app = world.apps[1]
    app.code, app.headers = 503, [("Retry-After", "120")]
    registration = world.registration(world.target(1))
    registration.start()
    await settled(world, registration)
    world.clock.advance(119)
    assert registration.state is RegistrationState.FAILED
    world.clock.advance(2)
    assert registration.state is RegistrationState.REGISTERING
    await settled(world, registration)


async def test_a_name_that_leads_nowhere_is_a_failure_that_ends_when_it_leads_somewhere(
    world: World,
) -> None:
    targets: list[Target] = []
    registration = Registration(world.stacks[0], lambda: targets, AOR)
    registration.start()
    assert await settled(world, registration) is RegistrationState.FAILED
    assert (registration.code, registration.reason) == (0, "the name does not resolve")
    targets.append(world.target(1))
    registration.refresh()
    assert await settled(world, registration) is RegistrationState.REGISTERED


async def test_service_route_and_path_are_kept_and_renewed(world: World) -> None:
    app = world.apps[1]
    app.headers = [("Service-Route", "<sip:a;lr>, <sip:b;lr>"), ("Path", "<sip:p;lr>")]
    registration = world.registration(world.target(1))
    registration.start()
    await settled(world, registration)
    assert registration.service_route == ("<sip:a;lr>", "<sip:b;lr>")
    assert registration.path == ("<sip:p;lr>",)
    app.headers = []
    registration.refresh()
    await settled(world, registration)
    assert registration.service_route == ()


async def test_a_way_through_nat_is_kept_open(world: World) -> None:
    """What is sent is heard by the socket and is no SIP message."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        hop = Hop("udp", "127.0.0.1", peer.getsockname()[1])
        registration = world.registration(Target("sip:operator.example", hop), keep_alive_s=20)
        registration.start()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(30):
            data, address = await loop.sock_recvfrom(peer, 4096)
        kept = [
            line
            for line in data.decode().split("\r\n")
            if line.partition(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq", "Contact")
        ]
        answer = "\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""])
        await loop.sock_sendto(peer, answer.encode(), address)
        assert await settled(world, registration) is RegistrationState.REGISTERED
        world.clock.advance(20)
        async with asyncio.timeout(30):
            data, _ = await loop.sock_recvfrom(peer, 4096)
        assert data == b"\r\n\r\n"
        registration.abandon()


async def test_a_connection_that_is_gone_is_made_anew_by_registering(world: World) -> None:
    app = world.apps[1]
    registration = world.registration(world.target(1, "tcp"), keep_alive_s=20)
    registration.start()
    assert await settled(world, registration) is RegistrationState.REGISTERED
    before = len(app.requests)
    world.stacks[1].layer._transports.pool.abort_all()
    await asyncio.sleep(0.05)
    world.clock.advance(20)
    assert registration.state is RegistrationState.REGISTERING
    assert await settled(world, registration) is RegistrationState.REGISTERED
    assert len(app.requests) == before + 1
    registration.stop()
    await settled(world, registration)
