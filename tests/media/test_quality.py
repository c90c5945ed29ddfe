"""What is measured of real RTP and RTCP, whose faults are known."""

import asyncio
import socket
import time
from collections.abc import Iterable
from dataclasses import replace

import pytest

from tests.support.rtcp import build_report
from vpbx.media import LegQuality, MediaSession, RtpPeer, Side
from vpbx.media.quality import Counted, Heard, Stream, quality_of, received_of
from vpbx.media.rtcp import Block, Reports, parse
from vpbx.media.rtp import Packet

FRAME = b"\xd5" * 160
NTP_1900 = 2_208_988_800


class Device:
    """A phone's two sockets, RTP and RTCP, that send what they are told."""

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        while True:
            self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.rtp.bind(("127.0.0.1", 0))
            self.rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self.rtcp.bind(("127.0.0.1", self.rtp.getsockname()[1] + 1))
                break
            except OSError:
                self.close()
        self.rtp.setblocking(False)
        self.rtcp.setblocking(False)
        self.to: tuple[str, int] = ("", 0)

    @property
    def peer(self) -> RtpPeer:
        return RtpPeer("127.0.0.1", self.rtp.getsockname()[1], (8,), 101)

    async def speak(
        self, numbers: Iterable[int], *, pause_s: float = 0.002, late: int = 0, ssrc: int = 0
    ) -> None:
        """Send packets by their numbers, which count on beyond 65,535; every other one `late`
        by so many ticks of its clock."""
        for at, number in enumerate(numbers):
            stamp = (160 * number + (late if at % 2 else 0)) & 0xFFFFFFFF
            packet = Packet(8, number & 0xFFFF, stamp, ssrc or self.ssrc, FRAME)
            self.rtp.sendto(bytes(packet), self.to)
            await asyncio.sleep(pause_s)

    def report(self, *blocks: Block, ntp: float | None = None) -> None:
        host, port = self.to
        self.rtcp.sendto(build_report(self.ssrc, blocks, ntp=ntp), (host, port + 1))

    async def hear_rtcp(self) -> bytes:
        async with asyncio.timeout(5):
            return await asyncio.get_running_loop().sock_recv(self.rtcp, 1500)

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


@pytest.fixture
def devices() -> Iterable[tuple[Device, Device]]:
    both = Device(0xAAAA), Device(0xBBBB)
    yield both
    for device in both:
        device.close()


async def connect(session: MediaSession, a: Device, b: Device) -> None:
    for side, device in ((Side.A, a), (Side.B, b)):
        device.to = session.local(side)
        await session.set_remote(side, device.peer)
    await session.stats()


async def counted(session: MediaSession, packets: int) -> None:
    """Wait until RTPProxy has seen so many packets of A."""
    async with asyncio.timeout(5):
        while (await session.stats()).packets_a < packets:
            await asyncio.sleep(0.01)


async def measured(session: MediaSession, side: Side) -> LegQuality:
    return await session.part(side).quality()


async def received(session: MediaSession, side: Side) -> Stream:
    found = (await measured(session, side)).received
    assert found is not None
    return found


async def test_lost_packets_are_counted(
    session: MediaSession, devices: tuple[Device, Device]
) -> None:
    a, b = devices
    await connect(session, a, b)
    lost = {7, 20, 21, 22, 80}
    await a.speak(number for number in range(1, 101) if number not in lost)
    await counted(session, 94)  # the first one may have been passed on by the gate
    found = await received(session, Side.A)
    assert found.lost == len(lost)
    assert 94 <= found.packets <= 95
    assert found.loss == pytest.approx(0.05, abs=0.002)
    assert (await measured(session, Side.B)).received is None


async def test_wraps_doubles_and_another_order_are_no_losses(
    session: MediaSession, devices: tuple[Device, Device]
) -> None:
    a, b = devices
    await connect(session, a, b)
    numbers = list(range(65_480, 65_600))
    numbers[30], numbers[33] = numbers[33], numbers[30]  # before the wrap
    numbers[55], numbers[57] = numbers[57], numbers[55]  # over it
    del numbers[70]
    numbers[20:20] = [numbers[19]] * 5
    await a.speak(numbers)
    await counted(session, len(numbers) - 1)
    found = await received(session, Side.A)
    assert found.lost == 1
    assert 118 <= found.packets <= 119


async def test_jitter_is_that_of_rfc_3550(
    session: MediaSession, devices: tuple[Device, Device]
) -> None:
    """Every other packet is 105 ms late by its own clock, so the estimator goes to that."""
    a, b = devices
    await connect(session, a, b)
    await a.speak(range(1, 21), pause_s=0.02)
    await counted(session, 19)
    calm = await received(session, Side.A)
    await a.speak(range(21, 101), pause_s=0.02, late=840)
    await counted(session, 99)
    shaky = await received(session, Side.A)
    assert calm.jitter_ms is not None
    assert shaky.jitter_ms is not None
    assert 60 < shaky.jitter_ms < 160
    assert calm.jitter_ms < shaky.jitter_ms / 2
    assert calm.lost == shaky.lost == 0


async def test_what_is_kept_from_rtpproxy_is_no_loss(
    session: MediaSession, devices: tuple[Device, Device]
) -> None:
    """A seat on hold is told nothing of what the other one goes on to say."""
    a, b = devices
    await connect(session, a, b)
    await a.speak(range(1, 31))
    await counted(session, 29)
    await session.set_remote(Side.B, replace(b.peer, listens=False))
    await a.speak(range(31, 131))
    await session.set_remote(Side.B, b.peer)
    await a.speak(range(131, 161))
    await counted(session, 59)
    assert session.overhear(Side.A)
    await a.speak(range(161, 201))
    session.overhear_no_more(Side.A)
    await a.speak(range(202, 231))  # one is lost for good
    await counted(session, 88)
    found = await received(session, Side.A)
    assert found.lost == 1
    assert 228 <= found.packets <= 229


async def test_a_leg_that_follows_begins_anew(
    session: MediaSession, devices: tuple[Device, Device]
) -> None:
    a, b = devices
    await connect(session, a, b)
    await a.speak([*range(1, 31), *range(41, 51)])
    await counted(session, 39)
    first = await received(session, Side.A)
    await a.speak(range(51, 91))
    await counted(session, 79)
    second = await received(session, Side.A)
    assert first.lost == 10
    assert (second.lost, second.packets) == (0, 40)


async def heard_by_us(session: MediaSession, *sides: Side) -> None:
    """Wait until RTCP comes to us."""
    async with asyncio.timeout(5):
        while not set(sides) <= session.meter.hearing:
            await asyncio.sleep(0.02)


async def test_what_a_device_reports_is_what_was_lost_on_its_own_leg(
    session: MediaSession, devices: tuple[Device, Device]
) -> None:
    """B reports 15 of 100 lost; 5 of them had not come from A. Reports and the answers to them
    go on to the other side as they are."""
    a, b = devices
    await connect(session, a, b)
    await b.speak(range(1, 3))
    await a.speak(number for number in range(1, 101) if number % 20 != 10)
    await counted(session, 94)
    await heard_by_us(session, Side.A, Side.B)
    a.report(ntp=time.time() + NTP_1900)
    told = await b.hear_rtcp()
    stamp = parse(told)
    assert stamp is not None
    assert stamp.stamp
    await asyncio.sleep(0.1)
    first = Block(a.ssrc, 51, 8, 40, 240, stamp.stamp, int(0.02 * 65536))
    b.report(first)
    assert parse(await a.hear_rtcp()) == Reports(b.ssrc, 0, (first,))
    b.report(Block(a.ssrc, 20, 15, 100, 240, 0, 0))
    await a.hear_rtcp()
    quality = await measured(session, Side.B)
    assert quality.sent is not None
    assert quality.rtt_ms is not None
    assert quality.sent.lost == 10
    assert quality.sent.packets == 85
    assert 79 <= quality.rtt_ms < 1000
    assert (await measured(session, Side.A)).sent is None


async def test_reports_of_who_says_nothing_are_passed_on(
    session: MediaSession, devices: tuple[Device, Device]
) -> None:
    """On hold a device sends reports and no sound (RFC 3264 §8.4)."""
    a, b = devices
    await connect(session, a, b)
    await heard_by_us(session, Side.A, Side.B)
    stranger = Device(b.ssrc)
    try:
        stranger.to = b.to
        stranger.report()
        for _ in range(2):  # with strangers kept off by now
            b.report()
            assert parse(await a.hear_rtcp()) == Reports(b.ssrc, 0, ())
            stranger.report()
            await asyncio.sleep(0.05)
    finally:
        stranger.close()
    b.report(Block(a.ssrc, 1, 0, 1, 0, 0, 0))
    assert (parse(await a.hear_rtcp()) or Reports(0, 0, ())).blocks


async def test_a_strangers_reports_count_for_nothing_and_go_nowhere(
    session: MediaSession, devices: tuple[Device, Device]
) -> None:
    a, b = devices
    await connect(session, a, b)
    await a.speak(range(1, 11))
    await b.speak(range(1, 11))
    await heard_by_us(session, Side.A, Side.B)
    stranger = Device(b.ssrc)
    try:
        stranger.to = b.to
        for _ in range(5):
            stranger.report(Block(a.ssrc, 255, 900, 1000, 80_000, 0, 0))
        b.report(Block(a.ssrc, 0, 0, 10, 8, 0, 0))
        assert parse(await a.hear_rtcp()) == Reports(b.ssrc, 0, (Block(a.ssrc, 0, 0, 10, 8, 0, 0),))
    finally:
        stranger.close()
    quality = await measured(session, Side.B)
    assert quality.sent is not None
    assert quality.sent.lost == 0


async def test_behind_a_nat_reports_come_from_any_port_and_prove_themselves_by_their_ssrc(
    session: MediaSession, devices: tuple[Device, Device]
) -> None:
    a, b = devices
    behind = replace(b.peer, host="192.0.2.7", port=4000, signalled="127.0.0.1", behind_nat=True)
    a.to, b.to = session.local(Side.A), session.local(Side.B)
    await session.set_remote(Side.A, a.peer)
    await session.set_remote(Side.B, behind)
    await a.speak(range(1, 11))
    await b.speak(range(1, 11))
    await heard_by_us(session, Side.A, Side.B)
    mapped, neighbour = Device(b.ssrc), Device(0xCCCC)
    try:
        mapped.to = neighbour.to = b.to
        neighbour.report(Block(a.ssrc, 255, 9, 10, 8, 0, 0))
        mapped.report(Block(a.ssrc, 0, 0, 10, 8, 0, 0))
        assert (parse(await a.hear_rtcp()) or Reports(0, 0, ())).ssrc == b.ssrc
        a.report(ntp=1.0)
        assert (parse(await mapped.hear_rtcp()) or Reports(0, 0, ())).ssrc == a.ssrc
    finally:
        mapped.close()
        neighbour.close()
    quality = await measured(session, Side.B)
    assert quality.sent is not None
    assert quality.sent.lost == 0


async def test_who_floods_with_reports_is_passed_on_unread(
    session: MediaSession, devices: tuple[Device, Device]
) -> None:
    a, b = devices
    await connect(session, a, b)
    await a.speak(range(1, 5))
    await b.speak(range(1, 5))
    await heard_by_us(session, Side.A, Side.B)
    for _ in range(100):
        b.report()
    async with asyncio.timeout(5):
        while Side.B in session.meter.hearing:
            await asyncio.sleep(0.02)
    b.report(Block(a.ssrc, 1, 1, 4, 0, 0, 0))
    async with asyncio.timeout(5):
        while (await a.hear_rtcp())[:2] != b"\x81\xc9":
            pass
    assert (await measured(session, Side.B)).sent is None


def heard(*blocks: Block, seconds: float = 10.0) -> Heard:
    """What a device has reported, a second between two reports."""
    found = Heard(0.0)
    for at, block in enumerate(blocks):
        found.reported(Reports(1, 0, (block,)), seconds + at, 8000)
    return found


def sent(found: Heard, other: Stream | None = None) -> Stream | None:
    return quality_of(None, found, other).sent


def test_values_that_cannot_be_are_dropped() -> None:
    good = Block(5, 0, 0, 500, 80, 0, 0)
    absurd = [
        replace(good, jitter=2**32 - 1),
        replace(good, highest=400),  # goes back
        replace(good, highest=2**31),  # a million packets a second
        replace(good, highest=510, lost=400),  # more lost than sent
    ]
    plain = sent(heard(good))
    assert plain is not None
    for block in absurd:
        assert sent(heard(good, block)) == plain
    assert sent(heard(replace(good, lost=2**22))) is None
    negative = sent(heard(good, replace(good, highest=550, lost=-20)))
    assert negative is not None
    assert negative.lost == 0


def test_a_round_trip_that_cannot_be_is_dropped() -> None:
    found = Heard(0.0)
    found.told(0xABCD, 100.0)
    for dlsr_s, now in ((50.0, 100.1), (0.0, 200.0)):
        found.reported(
            Reports(1, 0, (Block(5, 0, 0, 9, 0, 0xABCD, int(dlsr_s * 65536)),)), now, 8000
        )
    assert found.trips == []
    found.reported(Reports(1, 0, (Block(5, 0, 0, 10, 0, 0xABCD, 6554),)), 100.25, 8000)
    assert found.trips == [pytest.approx(0.15, abs=0.001)]


def test_what_is_kept_of_reports_is_bounded() -> None:
    found = Heard(0.0)
    for number in range(5000):
        found.told(number + 1, float(number))
        block = Block(number % 100, 0, 0, 1000 + number, 1, 0, 0)
        found.reported(Reports(1, 0, (block,)), 10.0 + number, 8000)
    assert len(found.stamps) <= 8
    assert len(found.sources) <= 8
    assert len(found.jitters) <= 720


def test_who_hears_one_stream_counts_its_losses_on_whoever_speaks() -> None:
    found = Heard(0.0, is_one_stream=True)
    for at, block in (
        (10.0, Block(5, 0, 4, 600, 8, 0, 0)),
        (15.0, Block(6, 0, 6, 9000, 8, 0, 0)),  # music
        (20.0, Block(5, 0, 7, 850, 8, 0, 0)),
    ):
        found.reported(Reports(1, 0, (block,)), at, 8000)
    expected, lost = found.totals()
    assert lost == 7
    assert 950 <= expected <= 1050


def test_jitter_of_the_other_leg_is_taken_off() -> None:
    found = heard(Block(5, 0, 0, 500, 400, 0, 0))  # 50 ms
    other = Stream(500, 0, 30.0)
    alone, behind = sent(found), sent(found, other)
    assert alone is not None
    assert behind is not None
    assert alone.jitter_ms == pytest.approx(50)
    assert behind.jitter_ms == pytest.approx(40)


def test_counters_that_are_missing_are_no_measurement() -> None:
    assert received_of(Counted(), 0, 8000, timed=True) is None
    assert quality_of(None, Heard(), None) == LegQuality()


def test_a_codec_whose_clock_is_not_known_has_no_jitter() -> None:
    found = received_of(Counted(100, 99, 0, 0.0), 0, 48000, timed=False)
    assert found == Stream(99, 1, None)
