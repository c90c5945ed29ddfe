"""Asking a running server: a socket in its data directory, one JSON object a line each way.

Who may open the socket may do anything, so it lies in a directory that is the server's user's
alone. What a command can learn from the database it reads there; only what lives in the
process (calls in progress, a trace as it happens) is asked for here.

    → {"do": "calls", "domain": "acme.example"}
    ← {"value": [...]}                      the answer, and the end
    ← {"fault": "there is no call 123"}     or why there is none, and the end
    ← {"item": {...}}                       before it, any number of times: what goes on
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import structlog

from vpbx.app.fault import StartError

__all__ = ["Answers", "Control", "ControlFault", "Follows", "Question", "ask", "follow"]

log = structlog.get_logger("vpbx.app")

_SOCKET = "control.sock"
_LINE = 64 * 1024
"""Bytes of a question at most; its sender is the administrator, but a slip costs nothing."""
_ANSWER_S = 15.0
_QUESTIONS = 32
"""Connections at a time."""

Question: TypeAlias = Mapping[str, Any]
Answers: TypeAlias = Callable[[Question], Awaitable[Any]]
Follows: TypeAlias = Callable[[Question], AsyncIterator[Any]]


class ControlFault(Exception):
    """A question that cannot be answered. `str()` says why, for the person who asked."""


class Control:
    """The server's side. `answers` and `follows` name what may be asked, by verb."""

    def __init__(
        self,
        directory: Path,
        answers: Mapping[str, Answers],
        follows: Mapping[str, Follows] | None = None,
    ) -> None:
        self._directory = directory
        self._answers = answers
        self._follows = follows or {}
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self) -> None:
        """Listen; `StartError` when that is impossible."""
        try:
            with _short_path(self._directory) as path:
                path.unlink(missing_ok=True)  # of a server that was killed: we hold the lock
                made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                made.bind(str(path))
                path.chmod(0o600)
            self._server = await asyncio.start_unix_server(self._serve, sock=made, limit=_LINE)
        except OSError as error:
            raise StartError(
                f"The control socket in {self._directory} cannot be made: {error.strerror}."
            ) from error

    async def stop(self) -> None:
        """Listen no longer, and leave no socket behind."""
        if self._server is not None:
            self._server.close()
            (self._directory / _SOCKET).unlink(missing_ok=True)
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open > _QUESTIONS:
                await _tell(writer, fault="the server is being asked too much at once")
            else:
                await self._answer(await _question(reader), reader, writer)
        except (ConnectionError, TimeoutError):
            pass  # whoever asked is gone
        except Exception as error:
            log.exception("a command could not be answered")
            with contextlib.suppress(ConnectionError):
                await _tell(writer, fault=f"the server failed: {error!r}")
        finally:
            self._open -= 1
            writer.close()

    async def _answer(
        self, question: Question, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        verb = str(question.get("do", ""))
        try:
            if verb in self._follows:
                await self._follow(self._follows[verb](question), reader, writer)
                await _tell(writer, value=None)
            elif verb in self._answers:
                await _tell(writer, value=await self._answers[verb](question))
            else:
                known = ", ".join(sorted([*self._answers, *self._follows]))
                await _tell(writer, fault=f"unknown verb '{verb}'; known: {known}")
        except ControlFault as fault:
            await _tell(writer, fault=str(fault))

    async def _follow(
        self, items: AsyncIterator[Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Pass on what `items` gives until it ends or whoever asked has gone."""

        async def passing() -> None:
            async for item in items:
                await _tell(writer, item=item)

        tasks = [asyncio.ensure_future(passing()), asyncio.ensure_future(reader.read(1))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _question(reader: asyncio.StreamReader) -> Question:
    try:
        async with asyncio.timeout(_ANSWER_S):
            found = json.loads(await reader.readline())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


async def _tell(writer: asyncio.StreamWriter, **answer: Any) -> None:
    writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
    await writer.drain()


def ask(directory: Path, verb: str, **question: Any) -> Any:
    """Ask the server that runs on a data directory; `ControlFault` says why there is no answer."""
    for kind, value in _lines(directory, {"do": verb, **question}, _ANSWER_S):
        if kind == "value":
            return value
    raise ControlFault("the server ended while it was asked")


def follow(directory: Path, verb: str, **question: Any) -> Iterator[Any]:
    """Give each thing the server tells, until it has no more; as `ask`."""
    for kind, value in _lines(directory, {"do": verb, **question}, None):
        if kind == "value":
            return
        yield value


def _lines(
    directory: Path, question: Question, timeout_s: float | None
) -> Iterator[tuple[str, Any]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_ANSWER_S)
        try:
            with _short_path(directory) as path:
                connection.connect(str(path))
        except OSError as error:
            raise ControlFault(
                f"no server of this user runs on {directory} (vpbx serve --data {directory})"
            ) from error
        connection.settimeout(timeout_s)
        connection.sendall(json.dumps(question).encode() + b"\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                answer = json.loads(line)
                if "fault" in answer:
                    raise ControlFault(str(answer["fault"]))
                yield next(iter(answer.items()))


@contextlib.contextmanager
def _short_path(directory: Path) -> Iterator[Path]:
    """Give the socket's path in few letters: the kernel takes 107, directories may have more."""
    opened = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{opened}") / _SOCKET
    finally:
        os.close(opened)
