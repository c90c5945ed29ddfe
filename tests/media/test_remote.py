"""The same engine with an RTPProxy reached over a socket: here one of `rtp.io`'s again."""

import asyncio
import itertools
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from pylibsrtp import Policy, Session
from rtp.io import rtpproxy

from tests.support.ports import free_range
from vpbx.media import DtlsPeer, MediaEngine, MediaError, RtpPeer, Side
from vpbx.media.control import WINDOW, StreamControl, UdpControl, checked
from vpbx.media.proxy import _never_free
from vpbx.media.rtp import Packet

from .conftest import Engines, Phones, connect, media_config, peer_of
from .test_digits import Digits
from .test_dtls import End
from .test_srtp import SecurePhones, join, secure

__all__ = ["secure"]


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An RTPProxy and the addresses it is reached at."""
    folder = tmp_path_factory.mktemp("remote")
    short = Path(tempfile.mkdtemp(prefix="vpbx"))  # unix paths are short
    low, high = free_range()
    addresses = {
        "udp": f"udp:127.0.0.1:{free_port(socket.SOCK_DGRAM)}",
        "tcp": f"tcp:127.0.0.1:{free_port()}",
        "unix": f"unix:{short}/control",
        "notify": f"tcp:127.0.0.1:{free_port()}",
        "record": str(folder),
    }
    proxy = rtpproxy(
        modules=("catch_dtmf",),
        extra_args=(
            *("-F", "-R", "-P", "-l", "127.0.0.1", "-m", str(low), "-M", str(high)),
            *("-r", str(folder), "-S", str(folder), "-T", "86400", "-d", "crit"),
            *("-s", addresses["udp"], "-s", addresses["tcp"], "-s", f"c{addresses['unix']}"),
            *("-n", addresses["notify"]),
        ),
    )
    yield addresses
    _never_free(proxy)


@pytest_asyncio.fixture(loop_scope="session", params=["udp", "tcp", "unix"])
async def engine(
    request: pytest.FixtureRequest, remote: dict[str, str], new_engine: Engines
) -> AsyncIterator[MediaEngine]:
    yield await new_engine(
        remote=remote[request.param],
        notify=remote["notify"],
        record_dir=Path(remote["record"]),
    )


async def test_a_remote_proxy_relays_plays_records_and_tells_digits(
    engine: MediaEngine, phone: Phones
) -> None:
    digits = Digits()
    session = await engine.open("77", on_digit=digits)
    try:
        a, b = await phone(), await phone()
        await connect(session, a, b)
        assert await session.start_recording()
        a.send_tone(425)
        b.send_tone(700)
        await a.hear(20)
        await b.hear(10)
        # RTPProxy notices only by the first one that is lost that we were started anew.
        a.send_digits("4444")
        await digits.wait_for(2)
        assert set(digits.heard) == {(Side.A, "4")}
        assert await session.stop_recording() is not None
        assert (await engine.health()).version == "20040107"
    finally:
        await session.close()


async def test_an_encrypted_phone_talks_by_an_rtpproxy_of_this_machine(
    remote: dict[str, str], new_engine: Engines, phone: Phones, secure: SecurePhones
) -> None:
    engine = await new_engine(remote=remote["unix"])
    session = await engine.open("78")
    a, b = await secure(), await phone()
    try:
        await join(session, a, b)
        a.send_tone(425)
        b.send_tone(700)
        await b.hear(20)
        await a.hear(20)
        assert abs(a.frequency(0.2) - 700) < 5
        assert abs(b.frequency(0.2) - 425) < 5
    finally:
        await session.close()


async def test_a_phone_with_keys_by_dtls_is_heard_by_an_rtpproxy_of_this_machine(
    remote: dict[str, str], new_engine: Engines, phone: Phones
) -> None:
    engine = await new_engine(remote=remote["unix"])
    session = await engine.open("79")
    loop, end, b = asyncio.get_running_loop(), End(), await phone()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a:
        a.bind(("127.0.0.1", 0))
        a.setblocking(False)
        try:
            there = session.secure_local(Side.A)
            dtls = DtlsPeer(end.own.fingerprint, active=True, name="79")
            await session.set_remote(Side.A, RtpPeer(*a.getsockname(), (8,), dtls=dtls))
            await session.set_remote(Side.B, peer_of(b))
            association = end.begin(session.fingerprint, active=False)
            association.step()
            async with asyncio.timeout(20):
                while not end.keys:
                    while end.sent:
                        a.sendto(end.sent.pop(0), there)
                    association.receive(await loop.sock_recv(a, 2048))
                key = end.keys[0].send
                tx = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND))
                for n in itertools.count():
                    if b.received >= 5:
                        break
                    a.sendto(tx.protect(bytes(Packet(8, n, 160 * n, 9, bytes(160)))), there)
                    await asyncio.sleep(0.02)
        finally:
            await session.close()


async def test_a_connection_that_breaks_is_made_again(
    remote: dict[str, str], new_engine: Engines
) -> None:
    engine = await new_engine(remote=remote["tcp"])
    control = engine.proxy.control
    assert isinstance(control, StreamControl)
    assert control._transport is not None
    control._transport.abort()
    await asyncio.sleep(0.01)
    with pytest.raises(MediaError):
        await engine.open("1")
    assert not (await engine.health()).ok
    async with asyncio.timeout(30):
        while engine.proxy.control is None:
            await asyncio.sleep(0.02)
    await (await engine.open("1")).close()


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("unix:/run/rtpproxy", True),
        ("udp:127.0.0.1:22222", True),
        ("tcp:[::1]:22222", True),
        ("tcp:localhost:22222", True),
        ("udp:192.0.2.7:22222", False),
        ("tcp:media.example:22222", False),
    ],
)
async def test_sound_is_encrypted_only_where_the_proxy_is_on_this_machine(
    tmp_path: Path, address: str, here: bool
) -> None:
    """The relay that does it and RTPProxy speak by ports of one machine."""
    engine = MediaEngine(media_config(tmp_path, remote=address))
    assert engine.knows_sdes == here


@pytest.mark.parametrize("address", ["tcp:127.0.0.1:1", "http://x", "tcp:nowhere", "udp:"])
async def test_a_proxy_that_is_not_there_is_said_so(tmp_path: Path, address: str) -> None:
    with pytest.raises(MediaError):
        await MediaEngine(media_config(tmp_path, remote=address)).start()


async def test_a_player_is_stopped_before_its_session_goes(
    new_engine: Engines, phone: Phones
) -> None:
    """RTPProxy hangs when a session goes while its player takes a step, once in some thousand."""
    seen: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for line in reader:
            seen.append(line.decode().strip())
            writer.write(
                {"U": b"40000\n", "L": b"40002\n", "Q": b"9 1 1 0 0\n"}.get(seen[-1][0], b"0\n")
            )
        writer.close()

    folder = Path(tempfile.mkdtemp(prefix="vpbx"))  # unix paths are short
    server = await asyncio.start_unix_server(answer, folder / "control")
    engine = await new_engine(remote=f"unix:{folder}/control")
    listener = await phone(8)
    for played in ("stopped", "at its end", "for ever"):
        session = await engine.open("1")
        for side in Side:
            await session.set_remote(side, RtpPeer(*listener.local, (8,)))
        await session.play(Side.B, "beep", repeat=0 if played == "for ever" else 1)
        if played == "stopped":
            await session.stop_playing(Side.B)
        elif played == "at its end":
            await session.play(Side.B, "beep", wait=True)
        seen.clear()
        await session.close()
        verbs = [line.split()[0] for line in seen if line[0] in "SD"]
        assert verbs == (["D"] if played == "stopped" else ["S", "D"]), played
    server.close()


class Deaf(asyncio.DatagramProtocol):
    """Answers a command only when it is repeated."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        cookie = data.split()[0]
        if cookie in self.seen:
            self.transport.sendto(cookie + b" 42\n", addr)  # type: ignore[attr-defined]
        self.seen.add(cookie)


async def test_a_lost_datagram_is_repeated() -> None:
    loop = asyncio.get_running_loop()
    server, deaf = await loop.create_datagram_endpoint(Deaf, local_addr=("127.0.0.1", 0))
    transport, control = await loop.create_datagram_endpoint(
        UdpControl, remote_addr=server.get_extra_info("sockname")
    )
    try:
        answers = await asyncio.gather(*(control.send("V") for _ in range(20)))
        assert answers == ["42"] * 20
        assert len(deaf.seen) == 20
        waiting = control.send("V")
        transport.close()
        with pytest.raises(MediaError):
            await waiting
    finally:
        server.close()


async def test_no_more_commands_are_under_way_than_the_proxy_can_answer() -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    lost: list[bool] = []
    _, control = await loop.create_unix_connection(
        lambda: StreamControl(lambda: lost.append(True)), sock=ours
    )
    answers = [control.send(f"V {n}") for n in range(3 * WINDOW)]
    seen = 0
    while seen < 3 * WINDOW:
        commands = (await loop.sock_recv(theirs, 100_000)).splitlines()
        assert len(commands) <= WINDOW
        for command in commands:
            assert command == b"V %d" % seen
            seen += 1
            await loop.sock_sendall(theirs, b"%d\n" % seen)
    assert await asyncio.gather(*answers) == [str(n + 1) for n in range(3 * WINDOW)]
    waiting = control.send("V")
    await asyncio.sleep(0.01)
    control.expire(loop.time() + 1)
    control.expire(loop.time() + 1)
    assert not waiting.done()  # the process may have stood still, and the answer be there
    control.expire(loop.time() + 1)
    with pytest.raises(MediaError):
        await waiting
    with pytest.raises(MediaError):
        await control.send("V")
    assert lost == [True]
    theirs.close()


@pytest.mark.parametrize("answer", ["E50", "E72", "E999"])
def test_an_error_answer_is_an_error(answer: str) -> None:
    with pytest.raises(MediaError, match=answer):
        checked(answer)
    assert checked("0") == "0"
