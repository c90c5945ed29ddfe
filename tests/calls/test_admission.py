"""Who has proved nothing costs nothing and learns nothing; who is right is never kept out."""

from __future__ import annotations

import asyncio
import re
import socket

import pytest

from tests.calls.world import ANN, BOB, CUSTOMER, DOMAIN, World
from vpbx.directory import Employee
from vpbx.sip import Hop
from vpbx.sip.digest import Challenge, Credentials, DigestAnswer
from vpbx.sip.message import Response, parse_message

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'


class Stranger:
    """A socket at an address of our own that sends requests and reads what comes back."""

    def __init__(self, to: Hop, host: str = "127.0.0.1") -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind((host, 0))
        self.host, self.port = self.sock.getsockname()
        self.to = (to.host, to.port)
        self.cseq = 0

    def request(self, method: str, user: str = ANN, *, uri: str = "", more: str = "") -> bytes:
        self.cseq += 1
        return (
            f"{method} {uri or f'sip:{DOMAIN}'} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{self.port}x{self.cseq};rport"
            f"\r\nFrom: <sip:{user}@{DOMAIN}>;tag=1\r\nTo: <sip:{user}@{DOMAIN}>\r\n"
            f"Call-ID: {self.port}x\r\nCSeq: {self.cseq} {method}\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:{user}@{self.host}:{self.port}>\r\n{more}Content-Length: 0\r\n\r\n"
        ).encode()

    def send(self, data: bytes) -> None:
        self.sock.sendto(data, self.to)

    async def read(self, timeout_s: float = 20) -> bytes:
        loop = asyncio.get_running_loop()
        return await asyncio.wait_for(loop.sock_recv(self.sock, 65535), timeout_s)

    async def ask(self, data: bytes) -> Response:
        self.send(data)
        answer = parse_message(await self.read())
        assert isinstance(answer, Response)
        return answer

    async def try_password(self, user: str, password: str) -> Response:
        """Register: ask for a challenge and answer it."""
        first = await self.ask(self.request("REGISTER", user))
        challenge = Challenge.choose(first.headers.getlist("WWW-Authenticate"))
        assert challenge is not None
        value = DigestAnswer(challenge, Credentials(user, password)).value(
            "REGISTER", f"sip:{DOMAIN}"
        )
        return await self.ask(
            self.request("REGISTER", user, more=f"Authorization: {value}\r\nExpires: 300\r\n")
        )


@pytest.fixture
def at(world: World):  # type: ignore[no-untyped-def]
    made: list[Stranger] = []

    def make(host: str = "127.0.0.1") -> Stranger:
        made.append(Stranger(world.hop(), host))
        return made[-1]

    yield make
    for one in made:
        one.sock.close()


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "BYE"])
async def test_a_stranger_gets_one_answer_and_leaves_nothing_behind(
    world: World, at, method: str
) -> None:
    stranger = at()
    before = world.stack.layer.transactions
    answer = await stranger.ask(stranger.request(method))
    assert answer.code == {"OPTIONS": 200, "BYE": 481}.get(method, 401)
    assert world.stack.layer.transactions == before
    assert world.stack.sessions == 0
    again = await at().ask(stranger.request("OPTIONS"))
    assert again.code == 200, "the next thing that comes is this one: nothing was sent again"


async def test_an_unknown_company_looks_like_a_known_one(world: World, at) -> None:
    await world.directory.companies.add("b.example", "Europe/Moscow", "other password 1")
    shapes = []
    for domain, user in ((DOMAIN, ANN), (DOMAIN, "nobody"), ("nowhere.example", "nobody")):
        stranger = at()
        data = stranger.request("REGISTER", user).replace(DOMAIN.encode(), domain.encode())
        first = await stranger.ask(data)
        challenge = Challenge.choose(first.headers.getlist("WWW-Authenticate"))
        assert challenge is not None
        value = DigestAnswer(challenge, Credentials(user, "guess")).value(
            "REGISTER", f"sip:{domain}"
        )
        data = stranger.request("REGISTER", user, more=f"Authorization: {value}\r\n")
        second = await stranger.ask(data.replace(DOMAIN.encode(), domain.encode()))
        shapes.append([shape(answer, domain) for answer in (first, second)])
    assert shapes[0] == shapes[1] == shapes[2]


def shape(answer: Response, domain: str) -> str:
    """The text of an answer without what is its request's, or random."""
    kept = [
        line
        for line in bytes(answer).decode().split("\r\n")
        if not line.startswith(("Via", "From", "To", "Call-ID", "CSeq"))
    ]
    return re.sub(r'nonce="[^"]*"', "", "\n".join(kept).replace(domain, "DOMAIN"))


async def test_a_nonce_is_worth_nothing_at_another_address(world: World, at) -> None:
    here, there = at(), at("127.0.0.2")
    first = await here.ask(here.request("REGISTER"))
    challenge = Challenge.choose(first.headers.getlist("WWW-Authenticate"))
    assert challenge is not None
    answer = DigestAnswer(challenge, world.credentials(ANN))
    more = f"Authorization: {answer.value('REGISTER', f'sip:{DOMAIN}')}\r\n"
    refused = await there.ask(there.request("REGISTER", more=more))
    assert refused.code == 401
    assert "stale=true" in refused.headers["WWW-Authenticate"]
    assert not world.directory.locations.online((await world.domain()).id, ANN)


async def test_forged_guesses_shut_nobody_out(world: World, at) -> None:
    """Nothing is counted of who does not receive our challenges."""
    forger = at()
    for number in range(60):
        nonce = f"{number:028d}"
        more = (
            f'Authorization: Digest username="{ANN}", realm="{DOMAIN}", nonce="{nonce}", '
            f'uri="sip:{DOMAIN}", response="{0:032x}", qop=auth, nc=00000001, cnonce="c"\r\n'
        )
        answer = await forger.ask(forger.request("REGISTER", more=more))
        assert answer.code == 401
    assert (await at().try_password(ANN, world.credentials(ANN).password)).code == 200


async def test_guessing_from_many_addresses_is_slowed_and_the_owner_gets_in(
    world: World, at, employee_ann: Employee
) -> None:
    phone = await world.phone(ANN)
    codes = []
    for last in range(10, 40):
        stranger = at(f"127.0.0.{last}")
        try:
            async with asyncio.timeout(0.3):
                codes.append((await stranger.try_password(ANN, "guess")).code)
        except TimeoutError:
            codes.append(0)
    assert codes[:19] == [401] * 19
    assert set(codes[21:]) <= {0, 503}, "they wait for their turn, or are sent away"
    assert world.service.guessing.guessed_accounts == [f"{ANN}@{DOMAIN}"]
    assert (await world.register(phone)).code == 200, "a registered phone notices nothing"
    other = await world.agent(ANN)
    assert (await world.register(other)).code == 200, "nor another one behind its address"
    call = await world.phone_calls(phone, "703")
    assert (await call.ended()).code == 480
    bob = at("127.0.0.50")
    assert (await bob.try_password(BOB, world.credentials(BOB).password)).code == 200


@pytest.fixture
async def employee_ann(world: World) -> Employee:
    found = (await world.domain()).find_employee(ANN)
    assert found is not None
    return found


@pytest.mark.parametrize("sender", [ANONYMOUS, f'"Anonymous" <sip:anonymous@{DOMAIN}>'])
async def test_a_phones_anonymous_call_leaves_with_privacy(world: World, sender: str) -> None:
    phone = await world.phone(ANN)
    call = await phone.invite(
        f"sip:{CUSTOMER}@{DOMAIN}",
        world.hop(),
        from_=sender,
        headers=[
            ("P-Preferred-Identity", f"<sip:{ANN}@{DOMAIN}>"),
            ("Privacy", "id"),
        ],
        credentials=world.credentials(ANN),
    )
    carried = await world.carrier.incoming()
    request = carried.session.request
    assert str(request.from_address.uri) == "sip:anonymous@anonymous.invalid"
    assert request.headers["Privacy"] == "id"
    assert "P-Asserted-Identity" in request.headers, "the carrier knows who pays"
    assert ANN not in bytes(request).decode().split("\r\n\r\n")[0]
    call.hangup()
    await world.ended()


async def test_a_colleague_is_not_told_who_calls_anonymously(world: World) -> None:
    phone, colleague = await world.phone(ANN), await world.phone(BOB)
    call = await phone.invite(
        f"sip:703@{DOMAIN}",
        world.hop(),
        from_=f"<sip:{ANN}@{DOMAIN}>",
        headers=[("Privacy", "id")],
        credentials=world.credentials(ANN),
    )
    rung = await colleague.incoming()
    assert str(rung.session.request.from_address.uri) == "sip:anonymous@anonymous.invalid"
    call.hangup()
    await world.ended()


async def test_anonymous_with_a_wrong_password_stays_outside(world: World) -> None:
    stranger = await world.agent("stranger")
    call = await stranger.invite(
        f"sip:{CUSTOMER}@{DOMAIN}",
        world.hop(),
        from_=ANONYMOUS,
        credentials=world.credentials(ANN, "guess"),
    )
    assert (await call.ended()).code == 401
    assert not world.carrier.calls


async def test_credentials_for_another_number_are_refused(world: World, at) -> None:
    phone = at()
    first = await phone.ask(phone.request("INVITE", uri=f"sip:702@{DOMAIN}"))
    challenge = Challenge.choose(first.headers.getlist("WWW-Authenticate"))
    assert challenge is not None
    value = DigestAnswer(challenge, world.credentials(ANN)).value("INVITE", f"sip:702@{DOMAIN}")
    uri = f"sip:79035550000@{DOMAIN}"
    answer = await phone.ask(phone.request("INVITE", uri=uri, more=f"Authorization: {value}\r\n"))
    assert (answer.code, answer.phrase) == (400, "Digest uri is not the Request-URI")
    assert not world.carrier.calls


@pytest.mark.parametrize("called", ["705", "799", "000"])
async def test_a_mistyped_ext_is_not_sent_to_the_carrier(world: World, called: str) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, called)
    ending = await call.ended()
    assert (ending.code, ending.cause) == (404, "No such extension")
    assert not world.carrier.calls
    assert world.events == []


@pytest.mark.parametrize("called", ["112", "101", "103"])
async def test_service_numbers_as_long_as_an_ext_go_out(world: World, called: str) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, called)
    carried = await world.carrier.incoming()
    assert carried.session.request.uri.user == called
    call.hangup()
    await world.ended()


@pytest.mark.parametrize(
    ("contact", "why"),
    [
        ("sip:ann@224.0.0.1", "not the address of one device"),
        ("sip:ann@[2001:db8::1]:5060", "no UDP over IPv6 here"),
        ("sip:ann@198.51.100.1:5060;transport=ws", "a WebSocket is reached by its own connection"),
        ("sip:ann@127.0.0.1:{own}", "this server's own address"),
    ],
)
async def test_a_device_that_could_never_ring_is_told_why(
    world: World, contact: str, why: str
) -> None:
    phone = await world.agent(ANN)
    contact = contact.format(own=world.hop().port)
    answer = await world.register(phone, headers=[("Contact", f"<{contact}>")])
    assert answer.code == 400
    assert why in answer.phrase
    assert why in answer.headers["Warning"]
    assert not world.directory.locations.online((await world.domain()).id, ANN)


async def test_both_flows_of_a_phone_ring_and_survive_a_restart(world: World) -> None:
    """Two registrations of one instance (RFC 5626): Contact alike, ports of their own."""
    flows = [await world.agent(ANN) for _ in range(2)]
    for number, flow in enumerate(flows, 1):
        contact = f'<sip:{ANN}@127.0.0.1:{flow.port}>;+sip.instance="<urn:x>";reg-id={number}'
        answer = await world.register(flow, headers=[("Contact", contact), ("Expires", "300")])
        assert answer.code == 200
    await world.directory.writer.flush()
    await world.directory.locations.load()
    customer = await world.customer_calls()
    rung = [await flow.incoming() for flow in flows]
    await rung[1].answer()
    await customer.answered()
    customer.hangup()
    await world.ended()
