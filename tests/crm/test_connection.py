"""Kept connections to CRMs: whose answer is whose, for how long, and what ends one."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
from yarl import URL

from tests.crm.world import integration
from vpbx.crm import CrmClient, Formats
from vpbx.crm.commands import Fields
from vpbx.crm.post import Connections, Reply, Target

FIELDS: Fields = {"cmd": "event", "callid": "1"}
OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server whose n-th request is answered by the n-th of `answers`, the last one again.

    `came` counts the requests of each connection, `ended` connections that the client ended.
    """

    def __init__(self, answers: Sequence[Answer | bytes]) -> None:
        self.came: list[int] = []
        self.ended = asyncio.Semaphore(0)
        self.url = ""
        self._answers = answers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(self.came)
        self.came.append(0)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                (length,) = re.findall(r"Content-Length: (\d+)\r\n", head)
                await reader.readexactly(int(length))
                answer = self._answers[min(sum(self.came), len(self._answers) - 1)]
                self.came[place] += 1
                if isinstance(answer, bytes):
                    writer.write(answer)
                else:
                    await answer(writer)
        except (OSError, asyncio.IncompleteReadError):
            self.ended.release()
        finally:
            writer.close()


@asynccontextmanager
async def peer(*answers: Answer | bytes) -> AsyncIterator[Peer]:
    made = Peer(answers)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    async with server, asyncio.timeout(30):
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        yield made


@pytest.fixture
async def client() -> AsyncIterator[CrmClient]:
    made = CrmClient(Formats(), timeout_s=20)
    await made.start()
    yield made
    await made.close()


def post(made: Connections, target: Target, timeout_s: float = 20) -> Awaitable[Reply]:
    deadline = asyncio.get_running_loop().time() + timeout_s
    return made.post(target, b"", deadline=deadline)


@asynccontextmanager
async def connections(keep_s: float = 15) -> AsyncIterator[Connections]:
    made = Connections(aiohttp.DefaultResolver(), keep_s)
    try:
        yield made
    finally:
        await made.close()


async def test_an_answer_that_comes_too_late_is_nobodys() -> None:
    late = asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        await late.wait()
        writer.write(OK + b"Content-Length: 4\r\n\r\nlate")

    async with peer(slow, OK + b"Content-Length: 4\r\n\r\nmine") as crm, connections() as made:
        target = Target(URL(crm.url), {})
        while not sum(crm.came):  # on a busy machine the first may not get as far
            with pytest.raises(TimeoutError):
                await post(made, target, 0.05)
        late.set()
        assert (await post(made, target)).body == b"mine"
        assert len(crm.came) > 1
        assert crm.came[-1] == 1, "a connection of its own"


async def test_each_request_has_a_time_of_its_own() -> None:
    """One that comes after a hasty one may take longer, and the other way round."""
    loop = asyncio.get_running_loop()
    answers_at = 0.0

    async def answer(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(answers_at - loop.time())
        writer.write(EMPTY)

    async with peer(answer) as crm, connections() as made:
        target = Target(URL(crm.url), {})
        while True:
            with contextlib.suppress(TimeoutError):  # a machine may be busy
                await post(made, target, 0.2)
                break
        answers_at = loop.time() + 0.25
        assert (await post(made, target)).status == 200
        answers_at = loop.time() + 20
        with pytest.raises(TimeoutError):
            await post(made, target, 0.05)
        assert loop.time() < answers_at


async def test_an_answer_to_somebody_who_has_gone_is_nobodys(client: CrmClient) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        asked.set()
        await go_on.wait()
        writer.write(OK + b"Content-Length: 6\r\n\r\ntheirs")

    async with peer(slow, OK + b"Content-Length: 4\r\n\r\nmine") as crm:
        gone = asyncio.create_task(client.send(1, integration(crm.url), FIELDS))
        await asked.wait()
        gone.cancel()
        await asyncio.wait((gone,))
        go_on.set()
        assert (await client.send(1, integration(crm.url), FIELDS)).body == b"mine"
        assert crm.came == [1, 1]


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 2\r\nContent-Type: a/b; charset=koi8-r\r\n\r\n{}" + EMPTY,
        OK + b"Content-Length: 2\r\nContent-Type: a/b; charset=koi8-r\r\n\r\n{}HTTP/1.1 200",
    ],
)
async def test_two_answers_at_once_are_one_and_the_connections_end(
    client: CrmClient, answer: bytes
) -> None:
    async with peer(answer) as crm:
        for _ in range(2):
            reply = await client.send(1, integration(crm.url), FIELDS)
            assert (reply.taken, reply.body, reply.charset) == (True, b"{}", "koi8-r")
        assert crm.came == [1, 1]


async def test_a_body_longer_than_it_says_is_no_answer(client: CrmClient) -> None:
    async with peer(OK + b"Content-Length: 1\r\n\r\n{}") as crm:
        for _ in range(2):
            reply = await client.send(1, integration(crm.url), FIELDS)
            assert reply.reason == "the CRM's answer is not HTTP"
        assert crm.came == [1, 1]


async def test_a_length_of_an_interim_answer_says_nothing_of_the_answer(client: CrmClient) -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nContent-Type: a/b; charset=koi8-r\r\n\r\n"

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(hint + OK + b"\r\nto the end")
        writer.close()

    async with peer(answer) as crm:
        reply = await client.send(1, integration(crm.url), FIELDS)
        assert (reply.taken, reply.body, reply.charset) == (True, b"to the end", "")


async def test_chunks_that_end_with_the_connection_are_not_whole(client: CrmClient) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        writer.close()

    async with peer(answer) as crm:
        assert not (await client.send(1, integration(crm.url), FIELDS)).taken


async def test_a_connection_that_nobody_uses_is_closed_after_a_while() -> None:
    async with peer(EMPTY) as crm, connections(keep_s=0.05) as made:
        await post(made, Target(URL(crm.url), {}))
        await crm.ended.acquire()


async def test_connections_end_with_the_client(client: CrmClient) -> None:
    """Those that are free, and those on which an answer is waited for."""
    asked = asyncio.Event()

    async def never(writer: asyncio.StreamWriter) -> None:
        asked.set()

    async with peer(EMPTY, never) as crm:
        settings = integration(crm.url)
        await client.send(1, settings, FIELDS)
        waits = asyncio.create_task(client.send(1, settings, FIELDS))
        await asked.wait()
        asked.clear()
        also_waits = asyncio.create_task(client.send(1, settings, FIELDS))
        await asked.wait()
        await client.close()
        assert [(await each).taken for each in (waits, also_waits)] == [False, False]
        for _ in crm.came:
            await crm.ended.acquire()
        assert (await client.send(1, settings, FIELDS)).reason == "not started"


async def test_commands_at_the_same_time_get_each_its_own_answer(client: CrmClient) -> None:
    """Ten together, over and over, on connections that are taken and given back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                (length,) = re.findall(r"Content-Length: (\d+)\r\n", head)
                body = await reader.readexactly(int(length))
                writer.write(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, asyncio.timeout(30):
        settings = integration(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

        async def send(callid: str) -> bool:
            answer = await client.send(1, settings, {**FIELDS, "callid": callid})
            return f"callid={callid}&".encode() in answer.body

        for round_ in range(5):
            assert all(await asyncio.gather(*(send(f"{round_}7{n}") for n in range(10))))
        await client.close()
