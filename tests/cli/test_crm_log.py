"""The log of the integration as its users have it: command line, API, a terminal that listens."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from vpbx.sim import Carrier, Crm
from vpbx.sip import Hop

from .conftest import VPBX, Cli, Server

DOMAIN = "acme.example"
_numbers = itertools.count(1)


@dataclass
class Company:
    """A company on a running server, with a carrier that calls it; nobody has a phone."""

    cli: Cli
    server: Server
    carrier: Carrier
    key: str

    async def missed_call(self) -> None:
        await (await self.carrier.call("74951234567")).ended()

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        headers = {"X-API-KEY": self.key, **more.pop("headers", {})}
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, self.server.api + path, headers=headers, **more) as response,
        ):
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def taken(self) -> None:
        """Wait until the server knows what commands have changed: one more change shows."""
        name = f"Change {next(_numbers)}"
        self.cli.json("number", "set", DOMAIN, "74951234567", "--name", name)
        async with asyncio.timeout(30):
            while (await self.ask("GET", "/telnums/74951234567"))[1]["name"] != name:
                await asyncio.sleep(0.05)

    async def events(
        self, count: int, query: str = "after=0", *, state: str = ""
    ) -> list[dict[str, Any]]:
        """Wait for so many commands, and until all of them are in the state."""
        async with asyncio.timeout(30):
            while True:
                status, found = await self.ask("GET", f"/events?{query}")
                assert status == 200, found
                if len(found) >= count and all(not state or e["state"] == state for e in found):
                    return list(found)
                await asyncio.sleep(0.05)


@pytest.fixture
async def company(cli: Cli) -> AsyncIterator[Company]:
    cli.json("domain", "add", DOMAIN)
    key = cli.json("key", "add", DOMAIN)["key"]
    server = cli.serve()
    async with Carrier(Hop("udp", "127.0.0.1", server.sip_port)) as carrier:
        cli.json("trunk", "add", "main", "--address", carrier.address)
        cli.json("number", "add", DOMAIN, "74951234567", "--trunk", "main")
        made = Company(cli, server, carrier, key)
        async with asyncio.timeout(30):
            while (await made.ask("GET", "/telnums/74951234567"))[0] != 200:
                await asyncio.sleep(0.4)
        yield made


async def test_what_was_refused_is_seen_and_sent_once_more(company: Company) -> None:
    run = company.cli.json
    async with Crm(token="t") as crm:
        run("crm", "set", DOMAIN, "--url", crm.url, "--token", "t")
        await company.taken()
        await company.missed_call()
        contact, history = await company.events(2)
        assert (contact["cmd"], history["cmd"]) == ("contact", "history")
        assert history["command"]["status"] == "Missed"
        assert "crm_token" not in history["command"]

        listed = run("crm", "log", DOMAIN)
        assert [row["cmd"] for row in listed] == ["contact", "history"]
        assert run("crm", "log", DOMAIN, "--cmd", "history", "--since", "1h") == listed[1:]
        assert run("crm", "log", DOMAIN, "--failed") == []
        for_people = company.cli.run("crm", "log", DOMAIN)
        assert "history in" in for_people.stdout

        assert run("crm", "replay", DOMAIN, "--callid", history["callid"]) == {"commands": 1}
        again = (await company.events(3))[2]
        assert (again["replay_of"], again["command"]) == (history["id"], history["command"])
        status, _ = await company.ask("POST", f"/events/{history['id']}/replay")
        assert status == 204
        await company.events(4)
        async with asyncio.timeout(30):
            while len([c for c in crm.commands if c.cmd == "history"]) < 3:
                await asyncio.sleep(0.05)
        assert (await company.ask("POST", "/events/5/replay"))[0] == 404
        assert (await company.ask("POST", "/events/x/replay"))[0] == 400
        assert (await company.ask("GET", "/events?after=x"))[0] == 400
        assert (await company.events(1, "cmd=history&limit=1"))[0]["replay_of"] == history["id"]


async def test_several_addresses_each_with_its_log_and_its_replay(company: Company) -> None:
    run = company.cli.json
    async with Crm(token="t") as crm, Crm(token="b") as bi, Crm(token="n") as new:
        run("crm", "set", DOMAIN, "--url", crm.url, "--token", "t")
        added = run(
            *("crm", "address", "add", DOMAIN, "bi", "--url", bi.url, "--token", "b"),
            *("--send", "history", "--send", "rating", "--format", "json"),
        )
        assert (added["sends"], added["asked"]) == (["history", "rating"], False)
        run("crm", "address", "add", DOMAIN, "new", "--url", new.url, "--token", "n", "--off")
        listed = run("crm", "address", "list", DOMAIN)
        assert [each["name"] for each in listed] == ["main", "bi", "new"]
        assert [each["asked"] for each in listed] == [True, False, False]
        await company.taken()
        await company.missed_call()
        both = await company.events(3, "after=0&address=all")
        assert [each["cmd"] for each in both] == ["contact", "history", "history"]
        assert len(await company.events(2)) == 2
        callid = both[-1]["callid"]
        async with asyncio.timeout(30):
            while not (bi.commands and len(crm.commands) == 2):
                await asyncio.sleep(0.02)
        assert (await asyncio.to_thread(run, "crm", "test", DOMAIN, "--address", "bi"))["taken"]
        await company.events(1, "after=0&address=bi", state="taken")
        (row,) = run("crm", "log", DOMAIN, "--address", "bi")
        assert (row["callid"], row["format"], row["state"]) == (callid, "json", "taken")

        once = ("crm", "replay", DOMAIN, "--callid", callid)
        refused = company.cli.run(*once, "--to", "new")
        assert (refused.returncode, "new" in refused.stderr) == (1, True)
        assert run(*once, "--address", "bi") == {"commands": 1}
        run("crm", "address", "set", DOMAIN, "new", "--on")
        await company.taken()
        moved = run("crm", "replay", DOMAIN, "--since", "1h", "--address", "main", "--to", "new")
        assert moved == {"commands": 1}
        async with asyncio.timeout(30):
            while not (new.commands and len(bi.commands) == 3):
                await asyncio.sleep(0.02)
        assert [each.cmd for each in new.commands] == ["history"]
        assert len(crm.commands) == 2
        assert company.cli.run("crm", "address", "remove", DOMAIN, "bi").returncode == 0
        assert company.cli.run("crm", "address", "remove", DOMAIN, "bi").returncode == 2


async def test_a_crm_that_cannot_be_reached_fetches_and_follows(company: Company) -> None:
    """No address at all: commands are kept, one after another, and the stream goes on."""
    company.cli.json("crm", "set", DOMAIN, "--poll")
    await company.taken()
    await company.missed_call()
    (first,) = await company.events(1, state="kept")
    assert first["cmd"] == "history"
    headers = {"X-API-KEY": company.key, "Last-Event-ID": "0"}
    async with (
        aiohttp.ClientSession() as http,
        http.get(company.server.api + "/events/stream", headers=headers) as stream,
        asyncio.timeout(30),
    ):
        assert stream.content_type == "text/event-stream"

        async def next_event() -> tuple[str, dict[str, Any]]:
            number = ""
            async for line in stream.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    number = value
                elif name == "data":
                    return number, json.loads(value)
            raise AssertionError("the stream ended")

        assert await next_event() == (first["id"], first)
        calling = asyncio.create_task(company.missed_call())
        number, second = await next_event()
        await calling
        assert int(number) > int(first["id"])
        assert second["callid"] != first["callid"]
    status, _ = await company.ask("GET", "/history/json?uid=" + second["callid"])
    assert status == 200


async def test_only_who_may_see_the_settings_sees_what_is_sent(company: Company) -> None:
    weak = company.cli.json("key", "add", DOMAIN, "--right", "Employees:Editing")["key"]
    company.cli.json("domain", "add", "other.example")
    other = company.cli.json("key", "add", "other.example")["key"]
    company.cli.json("crm", "set", DOMAIN, "--poll")
    await company.taken()
    await company.missed_call()
    (event,) = await company.events(1)
    company.key = weak
    assert (await company.ask("GET", "/events"))[0] == 403
    assert (await company.ask("GET", "/events/stream"))[0] == 403
    assert (await company.ask("POST", f"/events/{event['id']}/replay"))[0] == 403
    company.key = other
    assert await company.ask("GET", "/events?after=0") == (200, [])
    assert (await company.ask("POST", f"/events/{event['id']}/replay"))[0] == 404


async def test_a_test_command_shows_the_exchange_and_is_marked(company: Company) -> None:
    async with Crm(token="t") as crm:
        company.cli.json("crm", "set", DOMAIN, "--url", crm.url, "--token", "t", "--sign")
        for cmd in ("event", "history", "contact", "rating"):
            said = await asyncio.to_thread(company.cli.json, "crm", "test", DOMAIN, "--cmd", cmd)
            assert (said["taken"], said["status"], said["format"]) == (True, 200, "form")
            assert crm.attempts[-1].cmd == cmd
            assert crm.attempts[-1]["test"] == "1"
        crm.answer_with(500)
        done = await asyncio.to_thread(company.cli.run, "crm", "test", DOMAIN)
        assert done.returncode == 1
        assert "HTTP 500" in done.stdout
    nonsense = company.cli.run("crm", "test", DOMAIN, "--cmd", "x")
    assert nonsense.returncode == 2
    assert "--cmd is one of" in nonsense.stderr


async def test_a_terminal_hears_commands_though_no_crm_is_set_and_forwards_them(
    company: Company,
) -> None:
    async with Crm(token="dev") as crm:
        words = ["crm", "listen", DOMAIN, "--forward", crm.url, "--token", "dev", "--json"]
        listener = await asyncio.create_subprocess_exec(
            VPBX, *words, "--data", str(company.cli.data), stdout=subprocess.PIPE
        )
        assert listener.stdout is not None
        try:
            heard = asyncio.create_task(listener.stdout.readline())
            async with asyncio.timeout(60):
                while not heard.done():  # calls from before it listens are not for it
                    await company.missed_call()
                    await asyncio.wait({heard}, timeout=2)
            assert json.loads(await heard)["cmd"] == "history"
            assert {command.cmd for command in crm.commands} == {"history"}
        finally:
            listener.terminate()
            await listener.wait()
    assert (await company.ask("GET", "/events?after=0"))[1] == [], "nothing is kept of it"
