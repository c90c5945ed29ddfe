"""Every example of docs/api.md, run against a real server, says what the page shows.

A call is made first, so that there is history and a recording; the page's own receiver is the
CRM. A `json` block after an example shows what it prints: the same fields with the same kinds of
values, though other values.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.conftest import open_directory
from tests.support.pbx import Pbx, free_port
from vpbx.sim import Carrier, Phone, answering
from vpbx.sip import Hop

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
DOMAIN, NUMBER, PASSWORD, TOKEN = "acme.example", "74951234567", "s3cret-pass", "crm-token"
CURLRC = 'silent\nshow-error\nfail\nwrite-out = "%{stderr}%{http_code}"\n'


@dataclass(frozen=True)
class Example:
    """A fenced block that is run, and what it prints according to the page."""

    line: int
    kind: str
    code: str
    shown: str = ""

    @property
    def file(self) -> str:
        """The name it is kept under, when others import it or it runs for long."""
        named = re.match(r"# (\w+\.py)\n", self.code)
        return named[1] if named else f"line{self.line}.py"


def examples(text: str) -> list[Example]:
    """Return all examples of the page, in its order."""
    found: list[Example] = []
    for block in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        kind, code = block.groups()
        line = text.count("\n", 0, block.start()) + 1
        if kind == "json" and found:
            last = found.pop()
            found.append(Example(last.line, last.kind, last.code, code))
        elif kind in ("sh", "python"):
            found.append(Example(line, kind, code))
    return found


@dataclass
class Place:
    """Where examples run: a folder, and a server with one company."""

    folder: Path
    environment: dict[str, str]
    way: Hop
    """Where the server takes SIP."""
    trunk_port: int

    async def run(self, example: Example) -> str:
        """Run an example in a process of its own and return what it printed."""
        if example.kind == "sh":
            command = ["sh", "-e", "-c", example.code]
        else:
            (self.folder / example.file).write_text(example.code)
            command = [sys.executable, example.file]
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = (text.decode() for text in await process.communicate())
        assert process.returncode == 0, f"docs/api.md:{example.line}: {errors}{output}"
        if example.kind == "sh":
            assert re.fullmatch(r"(200|204)+", errors), f"docs/api.md:{example.line}: {errors}"
        return output

    async def lines_of(self, example: Example, ready: asyncio.Event) -> AsyncIterator[str]:
        """Run an example that does not end, and yield its lines."""
        (self.folder / example.file).write_text(example.code)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, example.file),
            cwd=self.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        try:
            await _listening(int(self.environment["CRM_PORT"]))
            ready.set()
            while line := await process.stdout.readline():
                yield line.decode()
        finally:
            process.kill()
            await process.wait()


@asynccontextmanager
async def place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """Start a server with the company that the page speaks of."""
    port = free_port()
    # Links to recordings shall lead to the plain port of loopback.
    monkeypatch.setenv("VPBX_PUBLIC_URL", f"http://127.0.0.1:{port}")
    pbx = Pbx(folder / "data", http=f"127.0.0.1:{port}")
    await asyncio.to_thread(pbx.start)
    crm_port, trunk_port = free_port(), free_port()
    try:
        async with open_directory(pbx) as directory:
            domain = (await directory.companies.add(DOMAIN, "Europe/Moscow", PASSWORD)).domain
            crm = {"url": f"http://127.0.0.1:{crm_port}/", "token": TOKEN, "enabled": True}
            await directory.integrations.set(domain, crm)
            olga = {"name": "Olga Ivanova", "login": "olga", "ext": "702", "password": PASSWORD}
            await directory.users.add(domain, olga)
            members = [{"login": "olga", "calls_enable": True}]
            sales = await directory.groups.add(domain, {"name": "Sales", "users": members})
            await directory.trunk_rules.add("carrier", f"127.0.0.1:{trunk_port}")
            await directory.telnums.add(domain, NUMBER, trunk="carrier", group=sales.id)
            key = (await directory.keys.add(domain)).key
        await _known(f"{pbx.api}/telnums/{NUMBER}", key)
        (folder / ".curlrc").write_text(CURLRC)
        environment = {
            "PATH": os.environ["PATH"],
            "CURL_HOME": str(folder),
            "VPBX_URL": pbx.api,
            "VPBX_KEY": key,
            "CRM_TOKEN": TOKEN,
            "CRM_PORT": str(crm_port),
        }
        host, sip_port = pbx.sip.split(":")
        yield Place(folder, environment, Hop("udp", host, int(sip_port)), trunk_port)
    finally:
        pbx.kill()


async def _known(url: str, key: str) -> None:
    async with asyncio.timeout(30), aiohttp.ClientSession() as http:
        while True:
            async with http.get(url, headers={"X-API-KEY": key}) as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.05)


async def _listening(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


async def call_olga(carrier: Carrier) -> None:
    """A customer calls, Olga answers and speaks, the customer hangs up."""
    call = await carrier.call(NUMBER, caller="79101112233", tone_hz=440)
    await call.answered()
    await call.heard(1000)
    call.hangup()


def like(shown: Any, said: Any, where: str = "") -> list[str]:
    """Return where `said` has not the shape of `shown`."""
    if isinstance(shown, dict) and isinstance(said, dict):
        faults = [f"{where}.{name} is on one side only" for name in shown.keys() ^ said.keys()]
        for name in shown.keys() & said.keys():
            faults += like(shown[name], said[name], f"{where}.{name}")
        return faults
    if isinstance(shown, list) and isinstance(said, list):
        if bool(shown) != bool(said):
            return [f"{where} has {len(said)} items"]
        return [
            fault
            for index, (one, other) in enumerate(zip(shown, said, strict=False))
            for fault in like(one, other, f"{where}[{index}]")
        ]
    return [] if type(shown) is type(said) else [f"{where}: {said!r} is not like {shown!r}"]


async def commands_of_the_first_call(lines: AsyncIterator[str]) -> list[dict[str, Any]]:
    """Return what the receiver printed, up to the call's history."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        async for line in lines:
            found.append(json.loads(line))
            if found[-1]["cmd"] == "history":
                break
    return found


async def run_all(page: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """Run every example of the page; return what each printed, by its line."""
    said: dict[int, str] = {}
    todo = examples(page)
    receiver = next(example for example in todo if example.file == "receiver.py")
    async with place(folder, monkeypatch) as there:
        ready = asyncio.Event()
        lines = there.lines_of(receiver, ready)
        first = asyncio.create_task(commands_of_the_first_call(lines))
        await asyncio.wait_for(ready.wait(), 30)
        phone = Phone("olga", PASSWORD, DOMAIN, there.way, behaviour=answering(1000))
        carrier = Carrier(there.way, port=there.trunk_port, behaviour=answering(440))
        async with carrier, phone:
            await call_olga(carrier)
            commands = await first
            said[receiver.line] = json.dumps(commands[-1])
            events = [c["type"] for c in commands if c["cmd"] == "event"]
            assert commands[0]["cmd"] == "contact"
            assert events == ["INCOMING", "ACCEPTED", "COMPLETED"]
            for example in todo:
                if example is not receiver:
                    said[example.line] = await there.run(example)
    return said


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_every_example_works_and_says_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = PAGE.read_text()
    said = await run_all(page, tmp_path, monkeypatch)
    for example in examples(page):
        if example.shown:
            faults = like(json.loads(example.shown), json.loads(said[example.line]))
            assert faults == [], f"docs/api.md:{example.line}: {faults}"
    assert "saved" in "".join(said.values())


def test_every_section_has_examples_in_curl_and_python() -> None:
    parts = re.split(r"^## §(\d+) .*$", PAGE.read_text(), flags=re.M)
    sections = dict(zip(map(int, parts[1::2]), parts[2::2], strict=True))
    assert sorted(sections) == [*range(2, 7), *range(8, 18)]
    for number, text in sections.items():
        kinds = {example.kind for example in examples(text)}
        # Of §2 the CRM is the server; §3 is about refusals.
        assert kinds == ({"python"} if number in (2, 3) else {"python", "sh"}), f"§{number}"
