"""A CRM that means ill, or is broken in a way that looks like it: bounded, and only it suffers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tests.crm.world import integration
from tests.support.effort import loop_effort
from vpbx.crm import CrmClient, Formats
from vpbx.crm.commands import Fields
from vpbx.crm.post import MAX_ANSWER, MAX_HEAD

FIELDS: Fields = {"cmd": "event", "callid": "1"}
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\n"


@asynccontextmanager
async def peer(answer: Answer) -> AsyncIterator[tuple[str, list[float]]]:
    """Run a server that lets `answer` loose on each request; gives its URL and when they came."""
    came: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                came.append(time.monotonic())
                await answer(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", came
    # the handlers end with their connections, which the client has closed


@pytest.fixture
async def client(request: pytest.FixtureRequest) -> AsyncIterator[CrmClient]:
    made = CrmClient(Formats(), timeout_s=getattr(request, "param", 3))
    await made.start()
    yield made
    await made.close()


def forever(*pieces: bytes) -> Answer:
    """Say the first piece, then the others over and over."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(pieces[0])
        while True:
            writer.write(b"".join(pieces[1:]))
            await writer.drain()

    return answer


ENDLESS = {
    "100 Continue": forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500),
    "interim answers with headers": forever(
        b"", (b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 500 + b"\r\n\r\n") * 20
    ),
    "headers": forever(OK, b"X-Header: y\r\n" * 500),
    "one header": forever(OK + b"X: ", b"y" * 8192),
    "folded header": forever(OK + b"X: ", b"y\r\n " * 2000),
    "a status line": forever(b"HTTP/1.1 200 ", b"O" * 8192),
    "blank lines": forever(b"", b"\r\n" * 4096),
    "body": forever(OK + b"\r\n", b"x" * 8192),
    "body of crumbs": forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;x=y\r\na\r\n" * 1000),
    "a chunk's size": forever(OK + b"Transfer-Encoding: chunked\r\n\r\n1", b"0" * 8192),
    "a chunk's extension": forever(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 8192),
    "trailers": forever(
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", b"X-Trailer: y\r\n" * 500
    ),
    "answers": forever(b"", (OK + b"Content-Length: 0\r\n\r\n") * 500),
}


@pytest.mark.parametrize("client", [90], indirect=True)
@pytest.mark.parametrize("what", ENDLESS)
async def test_an_answer_without_end_ends_at_a_bound_and_holds_up_nobody(
    client: CrmClient, what: str
) -> None:
    async with peer(ENDLESS[what]) as (url, came):
        began = time.monotonic()
        async with loop_effort() as spent:
            answers = await asyncio.gather(
                *(client.send(1, integration(url), FIELDS) for _ in "abc")
            )
        took = time.monotonic() - began
    assert took < 60, "the bound ended it, not the time"
    assert all(len(answer.body) <= MAX_ANSWER for answer in answers)
    has_head = what in ("body", "body of crumbs")
    if has_head or not any(answer.taken for answer in answers):
        assert [answer.taken for answer in answers] == [has_head] * 3
    assert spent.longest_s < 0.5
    assert len(came) <= 3


async def test_heads_as_big_as_real_ones_are_taken(client: CrmClient) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        cookies = b"".join(b"Set-Cookie: c%d=%s\r\n" % (n, b"v" * 200) for n in range(60))
        assert 10_000 < len(cookies) < MAX_HEAD
        length = b"Content-Length: 2\r\n\r\n{}"
        for piece in (b"HTTP/1.1 100 Continue\r\n\r\n", OK, cookies, length):
            writer.write(piece)
            await writer.drain()

    async with peer(answer) as (url, came):
        for _ in range(3):
            reply = await client.send(1, integration(url), FIELDS)
            assert (reply.taken, reply.body) == (True, b"{}")
        assert len(came) == 3


async def test_a_page_of_html_after_a_200_is_a_success(client: CrmClient) -> None:
    page = b"<p>" * 100_000

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: %d\r\n\r\n" % len(page) + page)
        await writer.drain()

    async with peer(answer) as (url, _):
        reply = await client.send(1, integration(url), FIELDS)
    assert reply.taken
    assert reply.body == page[:MAX_ANSWER]


async def test_a_drip_is_left_after_the_time_there_is(client: CrmClient) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        for byte in OK + b"X: " + b"y" * 1000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)

    async with peer(answer) as (url, _):
        began = time.monotonic()
        reply = await client.send(1, integration(url), FIELDS)
    assert reply.reason == "no answer in time"
    assert time.monotonic() - began < 15  # the drip goes on for 20 s


async def test_what_comes_unasked_is_no_answer_to_the_next_command(client: CrmClient) -> None:
    """Else a CRM (or who stands between) could answer commands before they are sent."""
    answers = 0

    async def answer(writer: asyncio.StreamWriter) -> None:
        nonlocal answers
        answers += 1
        if answers == 1:
            writer.write(OK + b"Content-Length: 0\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.write(OK + b"Content-Length: 7\r\n\r\nunasked")
        else:
            writer.write(OK + b"Content-Length: 5\r\n\r\nasked")
        await writer.drain()

    async with peer(answer) as (url, _):
        assert (await client.send(1, integration(url), FIELDS)).taken
        await asyncio.sleep(0.2)
        assert (await client.send(1, integration(url), FIELDS)).body == b"asked"
