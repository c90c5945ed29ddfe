"""Every command of docs/sandbox.md, run beside the sandbox that its first one starts."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.command import put_vpbx
from vpbx.sim import Crm

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S)
SCENARIO = re.search(r"^```toml\n# (?P<name>\S+)\n(?P<text>.*?)^```$", PAGE, re.M | re.S)
READY_S = 120


async def run(command: str, folder: Path, programs: Path) -> asyncio.subprocess.Process:
    path = f"{programs}:{os.environ['PATH']}"
    return await asyncio.create_subprocess_exec(
        *("sh", "-e", "-c", f"exec {command}"),
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )


@asynccontextmanager
async def sandbox(command: str, folder: Path) -> AsyncIterator[str]:
    """Start it, give what it says until it is ready, end it as Ctrl-C does."""
    process = await run(command, folder, Path(sys.executable).parent)
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(READY_S):
            while not said.endswith("\nready\n"):
                line = (await process.stdout.readline()).decode()
                assert line, said
                said += line
        drain = asyncio.create_task(process.stdout.read())
        yield said
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            await drain
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def all_of(lines: list[str], folder: Path) -> list[str]:
    """Run commands beside each other; return what each said. None may fail."""

    programs = put_vpbx(folder / "bin")

    async def one(line: str) -> str:
        process = await run(line, folder, programs)
        said = (await process.communicate())[0].decode()
        assert process.returncode == 0, f"{line}\n{said}"
        return said

    return await asyncio.gather(*map(one, lines))


@pytest.mark.timeout(300)
async def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    start, single, scenario, looking = (block.splitlines() for block in BLOCKS)
    assert SCENARIO is not None
    (tmp_path / SCENARIO["name"]).write_text(SCENARIO["text"])
    async with Crm() as crm:
        [command] = start
        command = command.replace("http://127.0.0.1:9000/pbx", crm.url)
        assert crm.url in command
        async with sandbox(f"{command} --calls-per-minute 0", tmp_path) as said:
            for told in ("/crmapi/v1/docs", "X-API-KEY", "74951234567", "olga", "crm_token"):
                assert told in said
            await all_of(single, tmp_path)
            for phone, status, user in (
                ("79101234567", "Success", "olga"),
                ("79101234568", "Success", "anna"),
                ("79101234569", "Missed", ""),
                ("79101234560", "Missed", ""),
                ("79107654321", "Success", "ivan"),
                ("79107654322", "Busy", "petr"),
            ):
                wanted = {"user": user} if user else {}
                await crm.received("history", phone=phone, status=status, **wanted)
            passed_on = await crm.received("event", type="TRANSFERRED", phone="79101234567")
            await crm.received("history", callid=passed_on["second_callid"], status="Success")
            await crm.received("rating", phone="79101234568", rating="5", user="anna")
            await all_of(scenario, tmp_path)
            await crm.received("rating", phone="79101234567", rating="4", user="olga")
            log, _ = await all_of(looking, tmp_path)
            assert "history in" in log
            assert {command.token for command in crm.commands} == {
                found[1] for found in re.finditer(r"crm_token +(\S+)", said)
            }
