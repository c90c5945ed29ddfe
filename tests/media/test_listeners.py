"""Sockets that listen beside RTPProxy's, on the event loop that the server runs on."""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from tests.support.ports import free_port
from vpbx.media.listeners import Listeners, Packets, read

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(10):
            await work()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(limited())


def opened(listeners: Listeners, port: int) -> tuple[socket.socket, asyncio.Queue[Packets]]:
    queue: asyncio.Queue[Packets] = asyncio.Queue()

    def heard() -> None:
        packets, refused = read(sock)
        if packets or refused:
            queue.put_nowait(packets)

    sock = listeners.open("127.0.0.1", port, heard)
    assert sock is not None
    return sock, queue


def say(words: bytes, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker:
        speaker.sendto(words, ("127.0.0.1", port))


def test_a_socket_that_heard_of_an_error_goes_on_listening() -> None:
    async def work() -> None:
        listeners, port = Listeners(), free_port()
        sock, queue = opened(listeners, port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
            closed.bind(("127.0.0.1", 0))
            nobody = closed.getsockname()
        sock.sendto(b"is anybody there?", nobody)
        assert await queue.get() == []  # the host has said that nobody is
        say(b"hello", port)
        assert [packet for packet, _ in await queue.get()] == [b"hello"]
        listeners.drop(sock)
        listeners.close()

    run(work)


def test_of_two_sockets_that_can_be_read_one_may_close_the_other() -> None:
    async def work() -> None:
        listeners = Listeners()
        ports = [free_port(), free_port()]
        socks: dict[int, socket.socket] = {}
        heard: list[int] = []

        def close_the_other(port: int) -> None:
            read(socks[port])
            heard.append(port)
            for other in set(socks) - {port}:
                listeners.drop(socks.pop(other))

        for port in ports:
            sock = listeners.open("127.0.0.1", port, lambda port=port: close_the_other(port))  # type: ignore[misc]
            assert sock is not None
            socks[port] = sock
            say(b"hello", port)
        while not heard:
            await asyncio.sleep(0)
        assert len(heard) == 1
        (left,) = socks
        say(b"hello again", left)
        while len(heard) < 2:
            await asyncio.sleep(0)
        assert heard == [left, left]
        listeners.close()

    run(work)


def test_a_connected_socket_hears_no_stranger() -> None:
    async def work() -> None:
        listeners, port = Listeners(), free_port()
        queue: asyncio.Queue[Packets] = asyncio.Queue()
        speaker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        speaker.bind(("127.0.0.1", 0))
        sock = listeners.open(
            "127.0.0.1",
            port,
            lambda: queue.put_nowait(read(sock)[0]),  # type: ignore[arg-type]
            connected=speaker.getsockname(),
        )
        assert sock is not None
        say(b"from a stranger", port)
        speaker.sendto(b"from who it is connected to", ("127.0.0.1", port))
        assert [packet for packet, _ in await queue.get()] == [b"from who it is connected to"]
        speaker.close()
        listeners.drop(sock)
        listeners.close()

    run(work)
