"""Asking a running server by its socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from vpbx.app.control import Control, ControlFault, Question, ask, follow


async def echo(question: Question) -> Any:
    if question.get("bad"):
        raise ControlFault("that cannot be")
    return dict(question)


async def broken(question: Question) -> Any:
    raise RuntimeError("a fault of ours")


class Endless:
    """Counts for ever, and knows when whoever listened has gone."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    async def items(self, question: Question) -> AsyncIterator[Any]:
        try:
            for number in range(10**9):
                yield number
                await asyncio.sleep(0.001)
        finally:
            self.gone.set()


async def served(directory: Path, endless: Endless | None = None) -> Control:
    directory.mkdir(parents=True, exist_ok=True)
    follows = {"count": (endless or Endless()).items}
    control = Control(directory, {"echo": echo, "broken": broken}, follows)
    await control.start()
    return control


async def test_question_is_answered_in_any_script_and_only_by_the_owner(tmp_path: Path) -> None:
    control = await served(tmp_path)
    answer = await asyncio.to_thread(ask, tmp_path, "echo", name="Ольга")
    assert answer == {"do": "echo", "name": "Ольга"}
    assert stat.S_IMODE((tmp_path / "control.sock").stat().st_mode) == 0o600
    await control.stop()
    assert not (tmp_path / "control.sock").exists()


async def test_directory_with_a_long_name_has_a_socket_too(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    control = await served(deep)
    assert await asyncio.to_thread(ask, deep, "echo") == {"do": "echo"}
    await control.stop()


async def test_what_cannot_be_done_is_told_in_words(tmp_path: Path) -> None:
    control = await served(tmp_path)
    for verb, more, told in (
        ("echo", {"bad": 1}, "that cannot be"),
        ("dance", {}, "unknown verb 'dance'; known: broken, count, echo"),
        ("broken", {}, "a fault of ours"),
    ):
        with pytest.raises(ControlFault, match=told):
            await asyncio.to_thread(ask, tmp_path, verb, **more)
    assert await asyncio.to_thread(ask, tmp_path, "echo") == {"do": "echo"}
    await control.stop()


async def test_no_server_is_said_with_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ControlFault, match=f"no server of this user runs on {tmp_path}"):
        await asyncio.to_thread(ask, tmp_path, "echo")
    with pytest.raises(ControlFault, match="nowhere"):
        await asyncio.to_thread(ask, tmp_path / "nowhere", "echo")


async def test_socket_of_a_killed_server_is_taken_over(tmp_path: Path) -> None:
    await served(tmp_path)  # its control is lost without a stop, as by kill -9
    second = await served(tmp_path)
    assert await asyncio.to_thread(ask, tmp_path, "echo") == {"do": "echo"}
    await second.stop()


async def test_stream_ends_when_whoever_listened_goes(tmp_path: Path) -> None:
    endless = Endless()
    control = await served(tmp_path, endless)

    def first_three() -> list[Any]:
        stream = follow(tmp_path, "count")
        return [next(stream) for _ in range(3)]

    assert await asyncio.to_thread(first_three) == [0, 1, 2]
    async with asyncio.timeout(30):
        await endless.gone.wait()
    await control.stop()


async def test_nonsense_and_endless_lines_end_only_their_own_connection(tmp_path: Path) -> None:
    control = await served(tmp_path)
    for sent in (b"{nonsense\n", b"[1]\n", b"\xff\xfe\n", b"x" * 300_000, b""):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
        writer.write(sent)
        writer.write_eof()
        with contextlib.suppress(ConnectionResetError):  # what was not read is thrown away
            answer = await reader.read()
            assert not answer or "fault" in json.loads(answer)
        writer.close()
    assert await asyncio.to_thread(ask, tmp_path, "echo") == {"do": "echo"}
    await control.stop()
