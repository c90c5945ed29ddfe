"""Legs whose packets are encrypted (SDES keys), with phones of pylibsrtp's."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from pylibsrtp import Error, Policy, Session

from vpbx.media import (
    MediaEngine,
    MediaSession,
    RecordingWorker,
    RtpEndpoint,
    RtpPeer,
    Side,
    SrtpKeys,
)
from vpbx.media.rtp import Packet, dominant_frequency

from .conftest import Phones, peer_of
from .pcaps import channels
from .test_digits import Digits

SUITES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
BEST = next(iter(SUITES))


class SecurePhone(RtpEndpoint):
    """A phone that encrypts; `wire` is what it saw before decrypting."""

    suite = BEST

    def begin(self, suite: str) -> None:
        self.suite = suite
        self.key, self.peer_key = os.urandom(30), os.urandom(30)
        profile = SUITES[suite]
        self.tx = Session(
            Policy(key=self.key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
        )
        self.rx = Session(
            Policy(key=self.peer_key, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=profile)
        )
        self.wire: list[bytes] = []

    @property
    def srtp(self) -> SrtpKeys:
        return SrtpKeys(self.suite, receive=self.key, send=self.peer_key)

    def _send(self, payload_type: int, timestamp: int, payload: bytes) -> None:
        assert self.remote is not None
        packet = Packet(payload_type, self._sequence, timestamp, self._ssrc, payload, self._marker)
        self._marker = False
        self._sequence = (self._sequence + 1) & 0xFFFF
        assert self._transport is not None
        self._transport.sendto(self.tx.protect(bytes(packet)), self.remote)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.wire.append(data)
        try:
            plain = self.rx.unprotect(data)
        except Error:
            return
        super().datagram_received(plain, addr)


SecurePhones = Callable[..., Awaitable[SecurePhone]]


@pytest_asyncio.fixture(loop_scope="session")
async def secure() -> AsyncIterator[SecurePhones]:
    made: list[SecurePhone] = []

    async def make(suite: str = BEST) -> SecurePhone:
        phone = SecurePhone(8, 101)
        await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: phone, local_addr=("127.0.0.1", 0)
        )
        phone.begin(suite)
        made.append(phone)
        return phone

    yield make
    for phone in made:
        phone.close()


def secure_peer(phone: SecurePhone, host: str = "") -> RtpPeer:
    own, port = phone.local
    return RtpPeer(host or own, port, (8,), 101, srtp=phone.srtp)


async def join(session: MediaSession, a: SecurePhone, b: RtpEndpoint) -> None:
    a.connect(*session.secure_local(Side.A))
    await session.set_remote(Side.A, secure_peer(a))
    if isinstance(b, SecurePhone):
        b.connect(*session.secure_local(Side.B))
        await session.set_remote(Side.B, secure_peer(b))
    else:
        b.connect(*session.local(Side.B))
        await session.set_remote(Side.B, peer_of(b))


@pytest.mark.parametrize("suite", SUITES)
async def test_an_encrypted_and_a_plain_side_hear_each_other(
    session: MediaSession, phone: Phones, secure: SecurePhones, suite: str
) -> None:
    a, b = await secure(suite), await phone()
    await join(session, a, b)
    a.send_tone(425)
    b.send_tone(700)
    await b.hear(30)
    await a.hear(30)
    assert abs(a.frequency(0.3) - 700) < 3
    assert abs(b.frequency(0.3) - 425) < 3
    sent = {packet.payload for packet in b.heard}
    assert not any(payload in wire for wire in a.wire for payload in sent)
    assert len(a.wire[0]) == 172 + (10 if suite.endswith("80") else 4)


async def test_two_encrypted_sides_have_keys_of_their_own(
    session: MediaSession, secure: SecurePhones
) -> None:
    a, b = await secure(), await secure("AES_CM_128_HMAC_SHA1_32")
    await join(session, a, b)
    a.send_tone(425)
    b.send_tone(700)
    await a.hear(25)
    await b.hear(25)
    assert abs(a.frequency(0.3) - 700) < 3
    assert abs(b.frequency(0.3) - 425) < 3


async def test_what_is_not_encrypted_with_the_key_is_not_heard(
    session: MediaSession, phone: Phones, secure: SecurePhones
) -> None:
    """Nor does a stranger who sends it get what is said."""
    a, b = await secure(), await phone()
    plain, wrong = await phone(), await secure()
    await join(session, a, b)
    for stranger in (plain, wrong):
        stranger.connect(*session.secure_local(Side.A))
        stranger.send_tone(1000)
    inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with inside:
        for packet in range(20):
            inside.sendto(
                bytes(Packet(8, packet, 160 * packet, 5, bytes([42]) * 160)), session.local(Side.A)
            )
    b.send_tone(700)
    await a.hear(20)
    assert b.received == 0
    assert plain.received == 0
    assert wrong.wire == []


async def test_the_phone_is_followed_where_its_packets_prove_to_come_from(
    session: MediaSession, phone: Phones, secure: SecurePhones
) -> None:
    """Behind a NAT: the address in its SDP leads nowhere."""
    a, b = await secure(), await phone()
    a.connect(*session.secure_local(Side.A))
    await session.set_remote(Side.A, secure_peer(a, "192.0.2.7"))
    b.connect(*session.local(Side.B))
    await session.set_remote(Side.B, peer_of(b))
    a.send_tone(425)
    await b.hear(5)
    b.send_tone(700)
    await a.hear(10)


async def test_a_phone_that_answers_without_encryption_is_heard_at_that_address_too(
    session: MediaSession, phone: Phones
) -> None:
    """Offered RTP/SAVP it says RTP/AVP; strangers stay strangers."""
    a, b, stranger = await phone(), await phone(), await phone()
    for one in (a, stranger):
        one.connect(*session.secure_local(Side.A))
    await session.set_remote(Side.A, replace(peer_of(a), relayed=True))
    b.connect(*session.local(Side.B))
    await session.set_remote(Side.B, peer_of(b))
    stranger.send_tone(1000)
    b.send_tone(700)
    await a.hear(10)
    assert (b.received, stranger.received) == (0, 0)
    a.send_tone(425)
    await b.hear(20)
    assert abs(b.frequency(0.3) - 425) < 3


async def test_new_keys_in_a_reinvite_are_used(
    session: MediaSession, phone: Phones, secure: SecurePhones
) -> None:
    a, b = await secure(), await phone()
    await join(session, a, b)
    a.send_tone(425)
    b.send_tone(700)
    await a.hear(5)
    a.begin("AES_CM_128_HMAC_SHA1_32")
    await session.set_remote(Side.A, secure_peer(a), anew=True)
    b.forget()
    await a.hear(20)
    await b.hear(20)


async def test_a_phone_that_is_passed_on_to_another_call_goes_on_with_its_keys(
    engine: MediaEngine, session: MediaSession, callid: str, phone: Phones, secure: SecurePhones
) -> None:
    """Its numbers have begun anew meanwhile (after 22 minutes): who does not know how often
    takes none of its packets (RFC 3711 §3.3.1)."""
    a, b, c = await secure(), await phone(), await phone()
    a._sequence = 0xFFF8
    await join(session, a, b)
    a.send_tone(425)
    await b.hear(20)
    there = await engine.open(f"{callid}1")
    try:
        await join(there, a, c)
        await session.close()
        c.send_tone(700)
        a.forget()
        await a.hear(10)
        await c.hear(10)
    finally:
        await there.close()


async def test_prompts_digits_and_hold_work_as_for_any_phone(
    engine: MediaEngine, callid: str, phone: Phones, secure: SecurePhones
) -> None:
    digits = Digits()
    session = await engine.open(callid, on_digit=digits)
    a, b = await secure(), await phone()
    try:
        await join(session, a, b)
        await session.play(Side.A, "beep", repeat=0)
        await a.hear(10)
        await session.stop_playing(Side.A)
        a.send_digits("5")
        await digits.wait_for(1)
        assert digits.heard == [(Side.A, "5")]
        assert session.press(Side.A, "9")
        async with asyncio.timeout(30):
            while a.digits != "9":
                await asyncio.sleep(0.02)
    finally:
        await session.close()


async def test_sockets_are_freed_and_the_process_serves_on(
    engine: MediaEngine, callid: str, phone: Phones, secure: SecurePhones
) -> None:
    a, b = await secure(), await phone()
    before = 0
    for n in range(12):
        session = await engine.open(f"{callid}{n}")
        a.begin(BEST)
        await join(session, a, b)
        a.send_tone(425)
        await b.hear(3)
        a.stop()
        port = session.secure_local(Side.A)[1]
        await session.close()
        process = engine.srtp._process
        assert process is not None
        if n == 3:
            before = len(os.listdir(f"/proc/{process.pid}/fd"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        async with asyncio.timeout(30):
            while True:
                try:
                    probe.bind(("127.0.0.1", port))
                    break
                except OSError:
                    await asyncio.sleep(0.02)
    assert len(os.listdir(f"/proc/{process.pid}/fd")) <= before


async def test_rtcp_is_encrypted_too(session: MediaSession, secure: SecurePhones) -> None:
    a, b = await secure(), await secure()
    await join(session, a, b)
    a.send_tone(425)
    b.send_tone(700)
    await a.hear(3)
    await b.hear(3)
    report = b"\x81\xc9\x00\x07" + bytes(28)
    host, port = session.secure_local(Side.A)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear,
    ):
        mouth.bind(("127.0.0.1", 0))
        ear.setblocking(False)
        ear.bind((b.local[0], b.local[1] + 1))
        mouth.sendto(a.tx.protect_rtcp(report), (host, port + 1))
        loop = asyncio.get_running_loop()
        got = await asyncio.wait_for(loop.sock_recv(ear, 200), 30)
    told = b.rx.unprotect_rtcp(got)
    (heard,) = {packet.ssrc for packet in b.heard}
    assert told[:32] == report[:4] + heard.to_bytes(4, "big") + report[8:], "of whom it hears"
    assert report not in got


async def test_recordings_stay_plain(
    engine: MediaEngine, callid: str, phone: Phones, secure: SecurePhones, tmp_path: Path
) -> None:
    session = await engine.open(callid)
    a, b = await secure(), await phone()
    await join(session, a, b)
    a.send_tone(425)
    b.send_tone(700)
    await a.hear(3)
    await session.start_recording()
    await a.hear(60)
    recording = await session.close()
    assert recording is not None
    worker = RecordingWorker()
    target = tmp_path / "call.mp3"
    try:
        result = await worker.encode(recording, target, left=Side.A)
    finally:
        await worker.stop()
    assert result.ok
    left, right = (dominant_frequency(sound[4000:]) for sound in channels(target))
    assert abs(left - 425) < 5
    assert abs(right - 700) < 5
