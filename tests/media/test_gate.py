"""Strangers at a media port: heard by nobody, hearing nothing (real sockets, tones measured)."""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from vpbx.media import MediaEngine, MediaSession, RtpEndpoint, RtpPeer, Side, kernel
from vpbx.media.rtp import Packet, event_payloads

from .conftest import Engines, Phones, close, connect, peer_of
from .test_digits import Digits

PRIVATE = ("10.99.0.7", 4000)
"""What a phone behind NAT writes into its SDP."""


@pytest.fixture
def digits() -> Digits:
    return Digits()


@pytest_asyncio.fixture(loop_scope="session")
async def session(engine: MediaEngine, callid: str, digits: Digits) -> AsyncIterator[MediaSession]:
    session = await engine.open(callid, on_digit=digits)
    yield session
    await close(session)


def natted(port: int = PRIVATE[1], host: str = PRIVATE[0]) -> RtpPeer:
    return RtpPeer(host, port, (8,), 101, signalled="127.0.0.1", behind_nat=True)


async def quiet(*endpoints: RtpEndpoint, seconds: float = 0.3) -> None:
    """Let what is under way arrive, then count from zero."""
    await asyncio.sleep(0.1)
    for endpoint in endpoints:
        endpoint.forget()
    await asyncio.sleep(seconds)


async def test_a_stranger_at_a_silent_side_hears_nothing_and_is_not_heard(
    session: MediaSession, phone: Phones, digits: Digits
) -> None:
    """Muted from the start, or a phone that sends nothing in silence."""
    a, b, stranger = await phone(), await phone(), await phone()
    await connect(session, a, b)
    assert await session.start_recording()
    a.send_tone(425)
    await b.hear(5)
    stranger.connect(*session.local(Side.B))
    stranger.send_tone(1000)
    stranger.send_digits("5")
    await quiet(a, b, stranger, seconds=0.5)
    assert stranger.received == 0
    assert a.received == 0
    assert b.received > 15
    assert digits.heard == []
    assert (await session.stats()).packets_b == 0
    b.send_tone(700)
    await a.hear(25)
    assert abs(a.frequency(0.3) - 700) < 3
    assert stranger.received == 0


async def test_both_hear_each_other_at_whichever_address_of_the_machine_they_send_to(
    new_engine: Engines, callid: str, phone: Phones
) -> None:
    """The address in our SDP need not be the one that packets to the peer go out from."""
    engine = await new_engine(listen_host="0.0.0.0", advertise="127.0.0.2")
    for n, host in enumerate(("127.0.0.2", "127.0.0.1", "127.0.0.2")):
        session = await engine.open(f"{callid}{n}")
        a, b, stranger = await phone(), await phone(), await phone()
        for side, endpoint in ((Side.A, a), (Side.B, b)):
            await session.set_remote(side, peer_of(endpoint))
            endpoint.connect(host, session.local(side)[1])
        stranger.connect(host, session.local(Side.B)[1])
        stranger.send_tone(1000)
        await asyncio.sleep(0.1)
        a.send_tone(425)
        b.send_tone(700)
        await a.hear(25)
        await b.hear(25)
        assert abs(a.frequency(0.3) - 700) < 3
        assert abs(b.frequency(0.3) - 425) < 3
        assert {packet.ssrc for packet in a.heard} == {b._ssrc}
        assert stranger.received == 0
        await close(session)


async def test_one_who_sprays_before_the_answer_gains_nothing_by_it(
    session: MediaSession, phone: Phones
) -> None:
    a, b, stranger = await phone(), await phone(), await phone()
    for side in Side:
        stranger.connect(*session.local(side))
        stranger.send_tone(1000)
        await asyncio.sleep(0.1)
    await connect(session, a, b)
    a.send_tone(425)
    b.send_tone(700)
    await a.hear(25)
    await b.hear(25)
    assert abs(a.frequency(0.3) - 700) < 3
    assert abs(b.frequency(0.3) - 425) < 3
    assert stranger.received == 0


async def test_a_blind_sprayer_takes_none_of_a_hundred_calls(
    engine: MediaEngine, callid: str, phone: Phones
) -> None:
    a, b = await phone(), await phone()
    socket_ = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    packet = struct.pack("!BBHII", 0x80, 8, 1, 160, 666) + bytes([0x2A]) * 160
    taken = 0
    with socket_:
        socket_.bind(("127.0.0.1", 0))
        socket_.setblocking(False)

        def spray(ports: list[int]) -> None:
            for port in ports:
                for _ in range(3):
                    socket_.sendto(packet, ("127.0.0.1", port))

        every = list(range(engine.config.port_min, engine.config.port_max, 2))
        for n in range(100):
            spray(every)
            session = await engine.open(f"{callid}{n}")
            ports = [session.local(side)[1] for side in Side]
            spray(ports)
            await connect(session, a, b)
            spray(ports)
            a.send_tone(425)  # and b is silent
            await b.hear(2)
            spray(ports)
            a.forget()
            await b.hear(1)
            try:
                socket_.recv(2000)
                taken += 1
            except BlockingIOError:
                pass
            taken += a.received > 0
            a.stop()
            await session.close()
    assert taken == 0


async def test_behind_nat_only_the_signalled_address_is_learned(
    session: MediaSession, phone: Phones
) -> None:
    a = await phone()
    elsewhere = await RtpEndpoint.open("127.0.0.2")
    b = await phone()
    try:
        await session.set_remote(Side.A, peer_of(a))
        await session.set_remote(Side.B, natted())
        elsewhere.connect(*session.local(Side.B))
        elsewhere.send_tone(1000)
        a.connect(*session.local(Side.A))
        a.send_tone(425)
        await quiet(a)
        assert a.received == 0
        b.connect(*session.local(Side.B))
        b.send_tone(700)
        await b.hear(20)
        await a.hear(20)
        assert abs(a.frequency(0.3) - 700) < 3
        assert elsewhere.received == 0
    finally:
        elsewhere.close()


@pytest.mark.parametrize("again", [False, True])
async def test_a_source_that_was_heard_is_not_displaced(
    session: MediaSession, phone: Phones, again: bool
) -> None:
    """By a colleague behind the same NAT; and not at a re-INVITE either while it speaks."""
    a, b, colleague = await phone(), await phone(), await phone()
    await session.set_remote(Side.A, peer_of(a))
    await session.set_remote(Side.B, natted())
    b.connect(*session.local(Side.B))
    b.send_tone(700)
    await a.hear(5)
    colleague.connect(*session.local(Side.B))
    colleague.send_tone(1000)
    if again:
        await session.set_remote(Side.B, natted(4002))
    a.connect(*session.local(Side.A))
    a.send_tone(425)
    await quiet(a, b, colleague, seconds=0.6)
    assert colleague.received == 0
    assert b.received > 20
    assert abs(a.frequency(0.3) - 700) < 3


async def test_after_a_reinvite_another_port_of_the_nat_is_learned(
    session: MediaSession, phone: Phones
) -> None:
    a, b, moved = await phone(), await phone(), await phone()
    await session.set_remote(Side.A, peer_of(a))
    await session.set_remote(Side.B, natted())
    b.connect(*session.local(Side.B))
    b.send_tone(700)
    await a.hear(5)
    b.stop()
    moved.connect(*session.local(Side.B))
    moved.send_tone(1000)
    await quiet(a)
    assert a.received == 0
    await session.set_remote(Side.B, natted(4002))
    await a.hear(25)
    assert abs(a.frequency(0.3) - 1000) < 3


async def test_the_address_of_the_sdp_wins_over_one_that_was_learned(
    session: MediaSession, phone: Phones
) -> None:
    a, b, colleague = await phone(), await phone(), await phone()
    await session.set_remote(Side.A, peer_of(a))
    a.connect(*session.local(Side.A))
    await session.set_remote(Side.B, natted(b.local[1], "127.0.0.1"))
    colleague.connect(*session.local(Side.B))
    colleague.send_tone(1000)
    await a.hear(3)
    b.connect(*session.local(Side.B))
    b.send_tone(700)
    a.send_tone(425)
    await b.hear(10)
    await quiet(a, colleague)
    assert colleague.received == 0
    assert abs(a.frequency(0.2) - 700) < 3


async def test_a_port_that_is_closed_is_taken_for_one_changed_by_a_nat(
    session: MediaSession, phone: Phones
) -> None:
    a, b, gone = await phone(), await phone(), await phone()
    port = gone.local[1]
    gone.close()
    await asyncio.sleep(0.05)
    await session.set_remote(Side.A, peer_of(a))
    a.connect(*session.local(Side.A))
    await session.set_remote(Side.B, RtpPeer("127.0.0.1", port, (8,), 101, signalled="127.0.0.1"))
    b.connect(*session.local(Side.B))
    b.send_tone(700)
    await quiet(a)
    assert a.received == 0
    a.send_tone(425)
    await b.hear(10)
    await a.hear(10)


@pytest.fixture
def packets() -> list[bytes]:
    """RTP of another SSRC."""
    payload = bytes([0x2A]) * 160
    return [struct.pack("!BBHII", 0x80, 8, n, n * 160, 0xBAD) + payload for n in range(20)]


async def test_another_ssrc_from_the_same_address_is_dropped_while_the_first_speaks(
    session: MediaSession, phone: Phones, packets: list[bytes]
) -> None:
    a, b = await phone(), await phone()
    await connect(session, a, b)
    b.send_tone(700)
    await a.hear(5)
    assert b._transport is not None
    for packet in packets:
        b._transport.sendto(packet, session.local(Side.B))
        await asyncio.sleep(0.02)
    await a.hear(5)
    assert {packet.ssrc for packet in a.heard} == {b._ssrc}


async def test_a_peer_that_changes_its_ssrc_is_heard_again(
    session: MediaSession, phone: Phones
) -> None:
    """A carrier that joins its announcement with somebody else says nothing of it."""
    a, b = await phone(), await phone()
    await connect(session, a, b)
    b.send_tone(700)
    await a.hear(10)
    b._ssrc ^= 1
    b.send_tone(1000)
    await quiet(a, seconds=0.8)
    assert a.received > 15
    assert abs(a.frequency(0.2) - 1000) < 3


async def test_who_speaks_is_heard_though_the_event_loop_has_forgotten_the_socket(
    new_engine: Engines, phone: Phones
) -> None:
    """The loop waits for the sockets that listen by one epoll, which it is made to forget."""
    others = epolls()
    session = await (await new_engine()).open("1")
    a, b = await phone(), await phone()
    await connect(session, a, b)
    loop = asyncio.get_running_loop()
    removed = [loop.remove_reader(number) for number in epolls() if number not in others]
    assert any(removed), "one of them listens"
    a.send_tone(425)
    await b.hear(25)
    assert abs(b.frequency(0.3) - 425) < 3
    await session.close()


def epolls() -> list[int]:
    names = [(int(name), f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    return [n for n, path in names if os.path.exists(path) and "[eventpoll]" in os.readlink(path)]


async def test_a_payload_type_nobody_agreed_to_is_dropped(
    session: MediaSession, phone: Phones
) -> None:
    a, b = await phone(), await phone()
    await connect(session, a, b)
    b.send_tone(700)
    await a.hear(5)
    b.payload_type = 18
    await quiet(a)
    assert a.received == 0


async def test_what_a_side_was_told_to_send_is_taken_besides_what_it_takes(
    session: MediaSession, phone: Phones, digits: Digits
) -> None:
    a, b = await phone(), await phone()
    await session.set_remote(Side.A, peer_of(a))
    a.connect(*session.local(Side.A))
    b.connect(*session.local(Side.B))
    await session.set_remote(Side.B, replace(peer_of(b), sends=(8, 96), sends_dtmf=96))
    b.dtmf_payload = 96
    b.send_digits("7")
    await digits.wait_for(1)
    assert digits.heard == [(Side.B, "7")]


async def test_digits_with_an_ssrc_of_their_own_are_taken(
    session: MediaSession, phone: Phones, digits: Digits
) -> None:
    """Some gateways send telephone-events as another stream; the voice stays what it was."""
    a, b = await phone(), await phone()
    await connect(session, a, b)
    b.send_digits("1")
    await digits.wait_for(1)
    b.send_tone(700)
    await a.hear(10)
    keys = await phone()
    assert b._transport is not None
    for event in event_payloads("5", 100):
        packet = Packet(101, 7, 160, keys._ssrc, event)
        b._transport.sendto(bytes(packet), session.local(Side.B))
    await digits.wait_for(2)
    assert digits.heard == [(Side.B, "1"), (Side.B, "5")]
    async with asyncio.timeout(20):  # RTPProxy may have told of it first
        while a.digits != "15":
            await asyncio.sleep(0.01)
    await a.hear(10)
    assert {packet.ssrc for packet in a.heard} == {b._ssrc}


async def test_rtcp_from_elsewhere_is_ignored(session: MediaSession, phone: Phones) -> None:
    a, b = await phone(), await phone()
    await connect(session, a, b)
    b.send_tone(700)
    await a.hear(3)
    report = b"\x81\xc9\x00\x07" + bytes(28)
    host, port = session.local(Side.B)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth,
    ):
        ear.setblocking(False)
        ear.bind(("127.0.0.1", a.local[1] + 1))
        mouth.bind(("127.0.0.1", b.local[1] + 1))
        for _ in range(5):
            stranger.sendto(report, (host, port + 1))
        await asyncio.sleep(0.1)
        with pytest.raises(BlockingIOError):
            ear.recv(100)
        mouth.sendto(report, (host, port + 1))
        loop = asyncio.get_running_loop()
        assert await asyncio.wait_for(loop.sock_recv(ear, 100), 30) == report


async def test_each_side_has_one_filter_in_a_call_and_no_other_when_nothing_changes(
    session: MediaSession, phone: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel compiles each: nothing else that a call asks of it costs as much."""
    put_on: list[int] = []
    attach = kernel.attach_filter

    def counted(number: int, program: bytes) -> bool:
        put_on.append(number)
        return attach(number, program)

    monkeypatch.setattr(kernel, "attach_filter", counted)
    a, b = await phone(), await phone()
    await connect(session, a, b)
    assert await session.start_recording()
    assert put_on == []
    for _ in range(3):
        a.send_tone(425)
        b.send_tone(700)
        a.forget()
        b.forget()
        await a.hear(5)
        await b.hear(5)
        assert len(put_on) == len(set(put_on)) == 2
        for side, endpoint in ((Side.A, a), (Side.B, b)):  # a re-INVITE that says the same
            await session.set_remote(side, peer_of(endpoint), anew=True)


async def test_who_does_not_listen_is_sent_nothing(session: MediaSession, phone: Phones) -> None:
    """After sendonly or inactive; and hears the other again when it listens."""
    a, b = await phone(), await phone()
    await connect(session, a, b)
    a.send_tone(425)
    b.send_tone(700)
    await a.hear(5)
    await b.hear(5)
    await session.set_remote(Side.A, replace(peer_of(a), listens=False))
    await quiet(a, b)
    assert a.received == 0
    assert b.received > 5
    await session.set_remote(Side.A, peer_of(a))
    await a.hear(10)


async def test_no_socket_is_left_when_calls_end_in_any_state(
    engine: MediaEngine, callid: str, phone: Phones
) -> None:
    a, b = await phone(), await phone()

    async def some() -> None:
        for n in range(10):
            session = await engine.open(f"{callid}{n}")
            if n % 3:
                await connect(session, a, b)
            if n % 3 == 2:
                await session.set_remote(Side.B, natted())
            await session.close()

    await some()
    await asyncio.sleep(0.3)
    before = len(os.listdir("/proc/self/fd"))
    await some()
    async with asyncio.timeout(30):
        while len(os.listdir("/proc/self/fd")) > before + 8:
            await asyncio.sleep(0.05)
