"""Clients of TCP and TLS are let in a few at a time; TLS costs no more than a stranger's share."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from vpbx.sip.transport import Limits
from vpbx.sip.transport.door import Door


class Entered(asyncio.Protocol):
    """Counts who has come in."""

    def __init__(self, came: list[asyncio.BaseTransport]) -> None:
        self._came = came

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._came.append(transport)


@pytest.fixture
async def opened(
    tls_pair: tuple[ssl.SSLContext, ssl.SSLContext],
) -> AsyncIterator[Callable[..., Any]]:
    doors: list[Door] = []

    async def make(*, secure: bool = True, **limits: Any) -> tuple[Door, list[Any]]:
        came: list[asyncio.BaseTransport] = []
        tls = tls_pair[0] if secure else None
        door = await Door.open("127.0.0.1", 0, lambda: Entered(came), tls, Limits(**limits))
        doors.append(door)
        return door, came

    yield make
    for door in doors:
        door.close()


async def agrees(door: Door, host: str, client: ssl.SSLContext) -> bool:
    """Say whether a client at `host` gets its handshake."""
    place, port = door.address
    try:
        async with asyncio.timeout(30):
            _, writer = await asyncio.open_connection(
                place, port, ssl=client, server_hostname="localhost", local_addr=(host, 0)
            )
    except (OSError, ssl.SSLError):
        return False
    writer.transport.abort()
    return True


async def half(door: Door, host: str) -> socket.socket:
    """Connect, and say nothing."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.bind((host, 0))
    await asyncio.get_running_loop().sock_connect(sock, door.address)
    return sock


async def closed(sock: socket.socket) -> bool:
    """Wait until the other side closes; False when it does not."""
    try:
        async with asyncio.timeout(3):
            return await asyncio.get_running_loop().sock_recv(sock, 1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


async def test_one_source_gets_its_share_of_handshakes_and_others_theirs(
    opened: Callable[..., Any], tls_pair: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    door, _ = await opened(handshakes_per_source_s=0.01, handshakes_of_source_at_once=3)
    flood = [await agrees(door, "127.0.0.5", tls_pair[1]) for _ in range(8)]
    assert flood == [True] * 3 + [False] * 5
    assert await agrees(door, "127.0.0.6", tls_pair[1])


async def test_handshakes_that_stop_half_way_are_bounded_and_end(
    opened: Callable[..., Any], tls_pair: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    door, _ = await opened(handshakes_at_once=10, handshakes_of_source_at_once=4, connect_s=6.0)
    socks = [await half(door, f"127.0.0.{5 + number // 6}") for number in range(12)]
    shut = [await closed(sock) for sock in socks[4:6] + socks[10:12]]
    assert shut == [True] * 4, "each source may have four"
    assert await agrees(door, "127.0.0.7", tls_pair[1])
    more = [await half(door, f"127.0.1.{number + 1}") for number in range(4)]
    assert [await closed(sock) for sock in more[2:]] == [True, True], "all together ten"
    async with asyncio.timeout(30):
        while not await closed(socks[0]):
            pass
    assert await agrees(door, "127.0.0.5", tls_pair[1])
    for sock in socks + more:
        sock.close()


async def test_over_the_budget_of_all_clients_wait_in_the_kernel(
    opened: Callable[..., Any], tls_pair: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    door, _ = await opened(handshakes_per_s=5)
    found = await asyncio.gather(
        *(agrees(door, f"127.0.0.{number + 1}", tls_pair[1]) for number in range(9))
    )
    assert found == [True] * 9


async def test_a_crowd_of_clients_without_tls_leaves_turns_to_others(
    opened: Callable[..., Any],
) -> None:
    """While two hundred come in, whoever else waits for the loop has many turns."""
    door, came = await opened(secure=False)
    socks = []
    for number in range(200):
        sock = socket.socket()
        sock.bind((f"127.0.0.{number % 250 + 1}", 0))
        sock.connect(door.address)  # the loop does not run meanwhile: all of them wait
        socks.append(sock)
    turns = 0
    while len(came) < 200:
        await asyncio.sleep(0)
        turns += 1
        assert turns < 100_000
    assert turns >= 200 / 8
    for sock in socks:
        sock.close()
