"""Sockets of ours that are given up while they are being opened (the server's loop is uvloop)."""

import asyncio
import gc
from contextlib import suppress
from pathlib import Path

import uvloop

from vpbx.media import Datagrams

HOST, AS_LISTED = "127.0.0.77", "4D00007F:"


def still_open() -> int:
    """How many UDP sockets of this machine are bound to the address."""
    return Path("/proc/net/udp").read_text().count(f" {AS_LISTED}")


def test_whoever_opens_a_socket_and_is_cancelled_leaves_none() -> None:
    """At each moment; not even until garbage is collected."""

    async def opened_and_given_up() -> None:
        for turns in range(6):
            opened = Datagrams()
            opening = asyncio.get_running_loop().create_task(opened.listen(HOST))
            for _ in range(turns):
                await asyncio.sleep(0)
            opening.cancel()
            with suppress(asyncio.CancelledError):
                await opening
                opened.close()
        for _ in range(5):
            await asyncio.sleep(0)
        assert still_open() == 0

    gc.disable()
    try:
        uvloop.run(opened_and_given_up())
    finally:
        gc.enable()


async def test_it_says_where_it_listens_and_sends_from_there() -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    class Listener(Datagrams):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            heard.set_result(data + str(addr[1]).encode())

    listener, sender = Listener(), Datagrams()
    await asyncio.gather(listener.listen(HOST), sender.listen(HOST))
    sender.send(b"hello ", listener.address)
    assert await asyncio.wait_for(heard, 20) == b"hello " + str(sender.address[1]).encode()
    listener.close()
    sender.close()
