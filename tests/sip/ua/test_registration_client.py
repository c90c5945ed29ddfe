"""Staying registered: targets that back each other up, pauses, Retry-After, keep-alive."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from vpbx.clock import ManualClock
from vpbx.sip import (
    Credentials,
    Hop,
    Listen,
    Registration,
    RegistrationState,
    Request,
    ServerTransaction,
    Session,
    SessionAdapter,
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
        self.echoes = True
        """Whether a 200 lists the Contacts as they came."""
        self.requests: list[str] = []
        self.calls: list[Request] = []

    def on_invite(self, session: Session) -> None:
        self.calls.append(session.request)
        session.reject(486)

    def on_request(self, tx: ServerTransaction) -> None:
        self.requests.append(tx.request.headers["Expires"])
        headers = [("Contact", value) for value in tx.request.headers.getlist("Contact")]
        extra = headers if self.code == 200 and self.echoes else []
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

    def registration(self, *targets: Target, **options: object) -> Registration:
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


@pytest.mark.parametrize(
    ("routes", "uri", "sent"),
    [
        (["<sip:a;lr>", "<sip:b;lr>"], "sip:1@op.example", ["<sip:a;lr>", "<sip:b;lr>"]),
        (["<sip:a>", "<sip:b;lr>"], "sip:a", ["<sip:b;lr>", "<sip:1@op.example>"]),
        (["<sip:a>"], "sip:a", ["<sip:1@op.example>"]),
        ([], "sip:1@op.example", []),
    ],
)
async def test_a_strict_router_on_the_way_is_asked_as_it_wants(
    world: World, routes: list[str], uri: str, sent: list[str]
) -> None:
    """RFC 3261 §12.2.1.1, also for a Service-Route of a registrar that is old-fashioned."""
    target = Target("sip:1@op.example", world.target(1).hop, tuple(routes))
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    class Ended(SessionAdapter):
        def on_failure(self, session: Session, code: int, *more: object) -> None:
            done.set_result(code)

    world.stacks[0].invite(
        target, from_="<sip:2@op.example>", to="<sip:1@op.example>", sdp=None, listener=Ended()
    )
    async with asyncio.timeout(30):
        assert await done == 486  # acknowledged the same way: it does not come again
    [invite] = world.apps[1].calls
    assert (invite.raw_uri, invite.headers.getlist("Route")) == (uri, sent)


OTHERS = ("<sip:somebody@192.0.2.7>;expires=40", "<sip:other@192.0.2.8>;expires=50")


@pytest.mark.parametrize(
    ("contacts", "granted_s"),
    [
        (["<sip:100200@203.0.113.9:61000>;expires=90"], 90),  # a border controller's address
        ([OTHERS[0], "<sip:100200@203.0.113.9;ob>;expires=90", OTHERS[1]], 90),
        (["<sip:renamed@203.0.113.9>;expires=90"], 90),  # by another name, but the only one
        ([*OTHERS], 300),  # none of them is ours: what Expires says
        (["<sip:100200@203.0.113.9>"], 300),
        (["rubbish", "<sip:100200@203.0.113.9>;expires=soon"], 300),
        (["<sip:100200@203.0.113.9>;expires=999999999"], 86_400),
        (["<sip:100200@203.0.113.9>;expires=0"], 1),
    ],
)
async def test_how_long_we_are_kept_however_the_contact_is_written(
    world: World, contacts: list[str], granted_s: int
) -> None:
    app = world.apps[1]
    app.echoes = False
    app.headers = [("Expires", "300"), *(("Contact", value) for value in contacts)]
    registration = world.registration(world.target(1), expires_s=600)
    registration.start()
    assert await settled(world, registration) is RegistrationState.REGISTERED
    assert registration.expires_at - world.clock.now() == granted_s
    again_s = max(5, granted_s / 2, granted_s - 60)
    world.clock.advance(again_s - 0.1)
    assert registration.state is RegistrationState.REGISTERED  # a registrar is not hammered
    world.clock.advance(0.2)
    assert registration.state is RegistrationState.REGISTERING
    await settled(world, registration)


@pytest.mark.parametrize("least", ["100000000", "0", "60", "x", ""])
async def test_an_interval_that_cannot_be_wanted_is_a_failure(world: World, least: str) -> None:
    """423 with more than a day, or less than was asked for, would be asked for for ever."""
    app = world.apps[1]
    app.code, app.headers = 423, [("Min-Expires", least)] if least else []
    registration = world.registration(world.target(1), expires_s=600)
    registration.start()
    assert await settled(world, registration) is RegistrationState.FAILED
    assert len(app.requests) <= 2
    assert "423" in registration.reason


@pytest.mark.parametrize("code", [302, 401])
async def test_a_redirection_and_a_stale_nonce_without_end_are_failures(
    world: World, code: int
) -> None:
    app = world.apps[1]
    app.code = code
    challenge = 'Digest realm="r", nonce="n", stale=true, algorithm=MD5'
    app.headers = [("Contact", "<sip:elsewhere.example>"), ("WWW-Authenticate", challenge)]
    registration = world.registration(world.target(1), credentials=Credentials("u", "p"))
    registration.start()
    assert await settled(world, registration) is RegistrationState.FAILED
    assert str(code) in registration.reason
    assert len(app.requests) <= 3


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
