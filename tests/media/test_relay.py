import asyncio
import socket

import pytest

from tests.support.ports import free_range
from vpbx.media import MediaEngine, MediaError, MediaSession, RtpEndpoint, RtpPeer, Side
from vpbx.media.rtp import Packet, tone_frames

from .conftest import Engines, Phones, connect, peer_of

ELSEWHERE = RtpPeer("192.0.2.7", 4000, (8,), 101, signalled="127.0.0.1", behind_nat=True)
"""What the SDP of a phone behind NAT says: an address nothing ever comes from."""


async def test_two_sides_hear_each_other(session: MediaSession, phone: Phones) -> None:
    a, b = await phone(), await phone()
    await connect(session, a, b)
    a.send_tone(425)
    b.send_tone(700)
    await a.hear(30)
    await b.hear(30)
    assert abs(a.frequency() - 700) < 3
    assert abs(b.frequency() - 425) < 3
    stats = await session.stats()
    assert stats.packets_a >= 25
    assert stats.packets_b >= 25


async def test_each_side_keeps_its_address_and_they_differ(
    engine: MediaEngine, session: MediaSession, phone
) -> None:
    before = session.local(Side.A), session.local(Side.B)
    assert before[0] != before[1]
    for host, port in before:
        assert host == "127.0.0.1"
        assert engine.config.port_min <= port < engine.config.port_max
        assert port % 2 == 0
    await connect(session, await phone(), await phone())
    assert (session.local(Side.A), session.local(Side.B)) == before


async def test_the_caller_hears_early_media_of_a_phone_behind_nat(
    session: MediaSession, phone: Phones
) -> None:
    a, b = await phone(), await phone()
    await session.set_remote(Side.A, peer_of(a))
    b.connect(*session.local(Side.B))
    await session.set_remote(Side.B, ELSEWHERE)
    b.send_tone(425)
    await a.hear(30)
    assert abs(a.frequency() - 425) < 3
    a.connect(*session.local(Side.A))
    a.send_tone(700)
    await b.hear(5)


async def test_what_comes_before_the_sdp_does_not_take_the_port_for_good(
    session: MediaSession, phone: Phones
) -> None:
    """A fork's early RTP overtakes its answer; another fork wins, behind NAT."""
    a, early, winner = await phone(), await phone(), await phone()
    await session.set_remote(Side.A, peer_of(a))
    a.connect(*session.local(Side.A))
    a.send_tone(425)
    early.connect(*session.local(Side.B))
    early.send_tone(1000)
    await asyncio.sleep(0.2)
    early.stop()
    await session.set_remote(Side.B, ELSEWHERE)
    winner.connect(*session.local(Side.B))
    winner.send_tone(700)
    await winner.hear(20)
    await a.hear(20)
    assert abs(a.frequency(0.3) - 700) < 3
    assert abs(winner.frequency(0.3) - 425) < 3


async def test_a_stranger_cannot_take_over_before_the_answer(
    session: MediaSession, phone: Phones
) -> None:
    a, stranger = await phone(), await phone()
    await session.set_remote(Side.A, peer_of(a))
    stranger.connect(*session.local(Side.B))
    stranger.send_tone(1000)
    await asyncio.sleep(0.3)
    assert a.payloads[8] == 0
    assert (await session.stats()).packets_b == 0


async def test_media_follows_a_new_address_of_either_side(
    session: MediaSession, phone: Phones
) -> None:
    """Re-INVITE or transfer, with phones whose SDP is true and ones behind NAT."""
    a, b, c, d = [await phone() for _ in range(4)]
    await connect(session, a, b)
    a.send_tone(425)
    b.send_tone(700)
    await a.hear(5)
    b.stop()
    await session.set_remote(Side.B, peer_of(c))
    await c.hear(5)  # before it has said a word
    c.connect(*session.local(Side.B))
    c.send_tone(1000)
    await a.hear(20)
    assert abs(a.frequency(0.3) - 1000) < 3
    c.stop()
    await session.set_remote(Side.B, ELSEWHERE)
    d.connect(*session.local(Side.B))
    d.send_tone(1300)
    await a.hear(20)
    assert abs(a.frequency(0.3) - 1300) < 3
    await d.hear(5)


async def test_a_side_that_speaks_late_is_learned_all_the_same(
    session: MediaSession, phone: Phones
) -> None:
    a, b = await phone(), await phone()
    await session.set_remote(Side.A, peer_of(a))
    a.connect(*session.local(Side.A))
    await session.set_remote(Side.B, ELSEWHERE)
    await asyncio.sleep(0.7)
    b.connect(*session.local(Side.B))
    b.send_tone(425)
    await a.hear(25)


async def test_hold_leaves_the_address_as_it_was(session: MediaSession, phone: Phones) -> None:
    a, b = await phone(), await phone()
    await connect(session, a, b)
    a.send_tone(425)
    await b.hear(5)
    await session.set_remote(Side.B, RtpPeer("0.0.0.0", 0, (8,)))
    await b.hear(5)


async def test_g722_and_opus_pass_as_they_are(session: MediaSession, phone: Phones) -> None:
    a, b = await phone(9), await phone(111)
    await connect(session, a, b)
    a.send_frames([bytes([n]) * 160 for n in range(50)])
    b.send_frames([bytes([7]) * 61], timestamp_step=960)
    await b.hear(10)
    await a.hear(10)
    assert b.payloads[9] >= 10
    assert {packet.payload for packet in a.heard if packet.payload_type == 111} == {b"\7" * 61}


async def test_rtcp_is_passed(session: MediaSession, phone: Phones) -> None:
    loop = asyncio.get_running_loop()
    ends = []
    for _ in Side:
        while True:  # RTP on an even port, RTCP on the next
            low, _ = free_range(4)
            rtp, rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in "12")
            try:
                rtp.bind(("127.0.0.1", low))
                rtcp.bind(("127.0.0.1", low + 1))
            except OSError:
                continue
            break
        for sock in (rtp, rtcp):
            sock.setblocking(False)
        ends.append((low, rtp, rtcp))
    try:
        for side, (port, _, _) in zip(Side, ends, strict=True):
            await session.set_remote(side, RtpPeer("127.0.0.1", port, (8,)))
        await session.stats()  # answered after the addresses, which are not waited for
        report = b"\x81\xc9\x00\x07" + bytes(28)
        host, port = session.local(Side.A)
        ends[0][2].sendto(report, (host, port + 1))
        assert await asyncio.wait_for(loop.sock_recv(ends[1][2], 100), 30) == report
    finally:
        for _, rtp, rtcp in ends:
            rtp.close()
            rtcp.close()


async def test_a_host_name_is_looked_up(session: MediaSession, phone: Phones) -> None:
    """And hears before it has said a word."""
    a, b = await phone(), await phone()
    await session.set_remote(Side.A, peer_of(a))
    await session.set_remote(Side.B, RtpPeer("localhost", b.local[1], (8,)))
    a.connect(*session.local(Side.A))
    a.send_tone(425)
    await b.hear(10)


async def test_a_name_that_cannot_be_found_is_learned_from_packets(
    session: MediaSession, phone: Phones
) -> None:
    a, b = await phone(), await phone()
    await session.set_remote(Side.A, peer_of(a))
    await session.set_remote(
        Side.B, RtpPeer("no-such-host.invalid", b.local[1], (8,), signalled="127.0.0.1")
    )
    b.connect(*session.local(Side.B))
    b.send_tone(700)
    await a.hear(10)


async def test_a_hostile_address_gets_no_further(session: MediaSession, phone: Phones) -> None:
    b = await phone()
    await session.set_remote(Side.A, RtpPeer("1.1.1.1 5 a b\nX", 4000, (8,)))
    await session.set_remote(Side.B, peer_of(b))
    assert (await session.stats()).packets_a == 0


async def test_a_closed_session_frees_its_ports_and_says_so(
    new_engine: Engines, callid: str
) -> None:
    low, _ = free_range(40)
    engine = await new_engine(port_min=low, port_max=low + 39)
    for _ in range(30):
        session = await engine.open(callid)
        await session.close()
    await session.close()
    with pytest.raises(MediaError, match="closed"):
        await session.set_remote(Side.A, ELSEWHERE)
    assert engine.sessions == 0
    opened = await asyncio.gather(*(engine.open(callid) for _ in range(11)), return_exceptions=True)
    assert any(isinstance(result, MediaError) for result in opened)


async def test_sessions_are_limited(new_engine: Engines) -> None:
    engine = await new_engine(max_sessions=2)
    for callid in "12":
        await engine.open(callid)
    with pytest.raises(MediaError, match="2 media sessions"):
        await engine.open("3")
    await engine.stop()
    assert engine.sessions == 0
    with pytest.raises(MediaError, match="not running"):
        await engine.open("1")


@pytest.mark.parametrize("callid", ["", "a b", "../x", "x" * 65, "a\nX"])
async def test_a_callid_that_is_none_is_refused(engine: MediaEngine, callid: str) -> None:
    with pytest.raises(MediaError, match="callid"):
        await engine.open(callid)


async def test_many_sessions_at_once_lose_no_answer(engine: MediaEngine) -> None:
    sessions = await asyncio.gather(*(engine.open(f"c{n}") for n in range(90)))
    ports = {session.local(side)[1] for session in sessions for side in Side}
    assert len(ports) == 180
    stats = await asyncio.gather(*(s.stats() for s in sessions for _ in range(10)))
    assert len(stats) == 900
    await asyncio.gather(*(session.close() for session in sessions))
    assert engine.sessions == 0


async def test_junk_on_the_ports_harms_nobody(session: MediaSession, phone: Phones) -> None:
    a, b = await phone(), await phone()
    await connect(session, a, b)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for side in Side:
            for junk in (b"", b"\0", b"\x80" * 3, b"GET / HTTP/1.1\r\n\r\n", bytes(1500)):
                stranger.sendto(junk, session.local(side))
    a.send_tone(425)
    await b.hear(10)


async def test_loss_and_disorder_pass_unchanged(session: MediaSession, phone: Phones) -> None:
    a, b = await phone(), await phone()
    await connect(session, a, b)
    a.send_tone(425)
    await b.hear(3)
    a.stop()
    await asyncio.sleep(0.05)
    b.forget()
    frame = tone_frames(425)[0]
    assert a._transport is not None
    for sequence in (10, 12, 11, 15):
        packet = Packet(8, sequence, sequence * 160, a._ssrc, frame)
        a._transport.sendto(bytes(packet), session.local(Side.A))
    await b.hear(4)
    assert [packet.sequence for packet in b.heard] == [10, 12, 11, 15]


async def test_an_endpoint_waits_in_vain_no_longer_than_told() -> None:
    endpoint = await RtpEndpoint.open()
    with pytest.raises(TimeoutError):
        await endpoint.hear(1, timeout_s=0.05)
    endpoint.close()
