"""The SDK's examples, each a process of its own, with a real call: a company of three addresses."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.sdk.conftest import DOMAIN, PASSWORD, Cloud
from tests.support.ports import free_port
from vpbx.sim import Carrier, Phone
from vpbx.sip import Hop

SDK = Path(__file__).parents[2] / "sdk"
CUSTOMER, NUMBER, TOKEN = "79101112233", "74951234567", "crm-token"
RUN_CELLS = """
import json, sys
cells = json.load(open(sys.argv[1]))["cells"]
names = {}
for cell in cells:
    if cell["cell_type"] == "code":
        exec("".join(cell["source"]), names)
print(names["by_employee"].to_csv(), names["by_hour"].to_csv())
"""


@asynccontextmanager
async def example(
    *command: str, folder: Path, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SDK / "src"), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(*command: str, folder: Path, **environment: str) -> tuple[int, str]:
    """Run an example that ends; return its status and what it said."""
    async with example(*command, folder=folder, **environment) as process:
        out, error = await process.communicate()
    return process.returncode or 0, (out + error).decode()


async def until(port: int, path: str, wanted: Any) -> None:
    """Ask an example until it says what is wanted of it (a value, or a test of one)."""
    answer: Any = None
    async with aiohttp.ClientSession() as http:
        try:
            async with asyncio.timeout(40):
                while True:
                    try:
                        async with http.get(f"http://127.0.0.1:{port}{path}") as got:
                            answer = await got.json()
                    except aiohttp.ClientConnectionError:
                        answer = "nothing yet"
                    if wanted(answer) if callable(wanted) else answer == wanted:
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{path}: {answer}") from None


async def test_each_example_does_what_it_says(cloud: Cloud, tmp_path: Path) -> None:
    pbx = {"VPBX_URL": cloud.url, "VPBX_KEY": cloud.key}
    names = ("flask_popup", "fastapi_crm", "django_crm")
    ports = {name: free_port() for name in names}
    directory, config = cloud.app.directory, cloud.app.config
    domain = await directory.domain(DOMAIN)
    assert domain is not None
    assert config.sip is not None
    hop = Hop("udp", "127.0.0.1", config.sip.port)
    answer_now, rings = asyncio.Event(), asyncio.Event()

    async def when_told(call: Any) -> None:
        rings.set()
        await answer_now.wait()
        if not call.is_over:
            await call.answer(440)

    async with AsyncExitStack() as stack:
        for name in names:
            environment = {"CRM_TOKEN": TOKEN, "PORT": str(ports[name])}
            script = str(SDK / "examples" / f"{name}.py")
            await stack.enter_async_context(example(script, folder=tmp_path, **environment))
        script = str(SDK / "examples" / "poll.py")
        polling = await stack.enter_async_context(example(script, folder=tmp_path, **pbx))
        await until(ports["flask_popup"], "/popup/olga", [])
        await until(ports["fastapi_crm"], "/missed", [])
        await until(ports["django_crm"], "/calls", [])
        async with asyncio.timeout(40):
            while not (tmp_path / "vpbx.cursor").exists():
                await asyncio.sleep(0.05)

        def at(name: str, path: str) -> dict[str, str]:
            return {"url": f"http://127.0.0.1:{ports[name]}{path}", "token": TOKEN}

        await directory.integrations.set(domain, at("flask_popup", "/pbx"))
        for name, path in (("fastapi_crm", "/pbx/"), ("django_crm", "/pbx")):
            await directory.integrations.add_address(domain, name, at(name, path))
        carrier = await stack.enter_async_context(Carrier(hop))
        await stack.enter_async_context(Phone("olga", PASSWORD, DOMAIN, hop, behaviour=when_told))
        await directory.trunk_rules.add("main", carrier.address)

        missed = await carrier.call(NUMBER, caller="79105555555")
        async with asyncio.timeout(30):
            await rings.wait()
        missed.hangup()
        await until(ports["fastapi_crm"], "/missed", ["79105555555"])
        call = await carrier.call(NUMBER, caller=CUSTOMER)
        shown = {"phone": CUSTOMER, "name": "Ivan Petrov, Furniture & Co", "passed_on": False}
        await until(ports["flask_popup"], "/popup/olga", [{"state": "ringing", **shown}])
        await until(
            ports["fastapi_crm"], "/now", [{"phone": CUSTOMER, "state": "ringing", "user": ""}]
        )
        answer_now.set()
        await call.answered()
        await until(ports["flask_popup"], "/popup/olga", [{"state": "talking", **shown}])
        call.hangup()
        await until(ports["flask_popup"], "/popup/olga", [])
        await until(
            ports["django_crm"],
            "/calls",
            lambda rows: [row["status"] for row in rows if row["phone"] == CUSTOMER] == ["Success"],
        )

        lines: list[str] = []
        assert polling.stdout is not None
        async with asyncio.timeout(20):
            while not any(line.startswith(f"Success {CUSTOMER}") for line in lines):
                lines.append((await polling.stdout.readline()).decode())
        assert f"INCOMING {CUSTOMER} olga\n" in lines

        rings.clear()
        click = str(SDK / "examples" / "click_to_call.py")
        status, text = await said(click, "olga", "+7 910 111-22-33", folder=tmp_path, **pbx)
        assert (status, "under way" in text) == (0, True), text
        async with asyncio.timeout(30):
            await rings.wait()
        status, text = await said(click, "nobody", "+7 910 111-22-33", folder=tmp_path, **pbx)
        assert (status, "user" in text) == (1, True), text

    notebook = str(SDK / "examples" / "history.ipynb")
    status, text = await said("-c", RUN_CELLS, notebook, folder=tmp_path, **pbx)
    assert status == 0, text
    assert "olga,1," in text


def test_the_short_one_is_short() -> None:
    lines = (SDK / "examples" / "click_to_call.py").read_text().splitlines()
    assert len(lines) <= 20
