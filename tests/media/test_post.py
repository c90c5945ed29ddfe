"""Who of two sockets at a port hears what: one of ours in front of RTPProxy's, and a filter."""

import asyncio
import select
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator

import pytest
import uvloop

from vpbx.media.kernel import Sockets
from vpbx.media.listeners import Address, Listeners, read
from vpbx.media.packet_filter import udp_filter
from vpbx.media.post import Post

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")


_SPRAY = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    sock.sendto(b"stranger", ("127.0.0.1", int(sys.argv[1])))
"""


def udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


@pytest.fixture
def behind() -> Iterator[socket.socket]:
    """What RTPProxy has opened."""
    with udp() as sock:
        yield sock


@pytest.fixture
def friend() -> Iterator[socket.socket]:
    with udp() as sock:
        yield sock


Work = Callable[[Post], Awaitable[None]]


def run(behind: socket.socket, work: Work) -> None:
    async def limited() -> None:
        listeners = Listeners()
        host, port = behind.getsockname()
        post = Post(behind.fileno(), host, port, Sockets(), listeners)
        try:
            async with asyncio.timeout(20):
                await work(post)
        finally:
            post.leave()
            listeners.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(limited())


def come(sock: socket.socket | None) -> list[bytes]:
    assert sock is not None
    return [packet for packet, _ in read(sock)[0]]


def test_no_stranger_slips_in_while_sockets_come_and_go_in_front(
    behind: socket.socket, friend: socket.socket
) -> None:
    """Through every step of a gate, over and over, while a stranger sends without a pause."""
    to: Address = behind.getsockname()

    async def work(post: Post) -> None:
        all_here = udp_filter((("127.0.0.1", None),))
        allowed = udp_filter((friend.getsockname(),))
        post.stand(None)
        command = (sys.executable, "-c", _SPRAY, str(to[1]))
        stranger = await asyncio.create_subprocess_exec(*command)
        try:
            for step in range(300):
                heard = asyncio.Event()
                assert post.stand(heard.set) is not None
                await asyncio.wait_for(heard.wait(), 5)  # so the stranger is at it
                post.let_in(lambda: all_here)
                post.ready()
                if step % 2:
                    post.sift(allowed)
                assert post.stand(heard.set) is not None  # another SDP
                post.let_in(lambda: allowed)
                post.aside()
                friend.sendto(b"friend", to)
                assert select.select([behind], [], [], 5)[0]
                assert come(behind) == [b"friend"]
        finally:
            stranger.kill()
            await stranger.wait()

    run(behind, work)


def test_what_comes_before_it_is_awaited_is_dropped_and_wakes_nobody(
    behind: socket.socket, friend: socket.socket
) -> None:
    async def work(post: Post) -> None:
        heard = asyncio.Event()
        post.stand(None)
        for _ in range(100):
            friend.sendto(b"early", behind.getsockname())
        assert come(behind) == []
        front = post.stand(heard.set)
        assert come(front) == []
        for number in range(20):
            friend.sendto(b"%d" % number, behind.getsockname())
        await heard.wait()
        assert come(front) == [b"%d" % number for number in range(20)]
        assert come(behind) == []

    run(behind, work)


def test_one_in_front_that_hears_nothing_more_still_keeps_all_away(
    behind: socket.socket, friend: socket.socket
) -> None:
    async def work(post: Post) -> None:
        heard = asyncio.Event()
        post.stand(heard.set)
        post.deafen()
        for _ in range(2):
            friend.sendto(b"late", behind.getsockname())
            await asyncio.sleep(0.02)
        assert not heard.is_set()
        assert come(behind) == []
        post.stand(heard.set)
        friend.sendto(b"in time", behind.getsockname())
        await heard.wait()
        assert come(post.front) == [b"in time"]

    run(behind, work)


def test_a_filter_that_waits_is_on_before_nobody_is_in_front(
    behind: socket.socket, friend: socket.socket
) -> None:
    async def work(post: Post) -> None:
        post.stand(None)
        post.let_in(lambda: udp_filter((friend.getsockname(),)))
        post.let_in(lambda: udp_filter(()))
        post.aside()
        friend.sendto(b"hello", behind.getsockname())
        assert come(behind) == []
        post.let_in(lambda: udp_filter((friend.getsockname(),)))
        friend.sendto(b"hello", behind.getsockname())
        assert select.select([behind], [], [], 5)[0]
        assert come(behind) == [b"hello"]

    run(behind, work)
