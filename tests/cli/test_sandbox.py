"""`vpbx sandbox`: a company at work whose API, history and commands are those of the real PBX."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import aiohttp
import av
import pytest

from tests.support.command import VPBX, run_vpbx
from vpbx.app.control import ControlFault, follow
from vpbx.sandbox import PLAY
from vpbx.sandbox.company import DEPARTMENTS, STAFF
from vpbx.sandbox.past import Past, Row
from vpbx.sim import Crm

TODAY = date(2026, 11, 20)
GOOD = "[[call]]\nfrom = '79101234567'\nto = '74951234568'\n"


def past(seed: int = 1, calls: int = 5000) -> Past:
    groups = {name: f"g_{name}" for name in DEPARTMENTS}
    return Past(seed, calls, 1, groups, ZoneInfo("Europe/Moscow"))


@pytest.fixture(scope="module")
def year() -> list[Row]:
    return past().rows(TODAY)


def test_same_seed_makes_the_same_year_and_another_seed_another(year: list[Row]) -> None:
    assert past().rows(TODAY) == year
    assert past(seed=2).rows(TODAY) != year


def test_days_that_are_made_later_are_as_they_would_have_been(year: list[Row]) -> None:
    """A sandbox that is started again after a week has the days between."""
    since = TODAY - timedelta(days=7)
    late = past().rows(TODAY, since)
    assert late
    assert [row["callid"] for row in late] == [row["callid"] for row in year][-len(late) :]


def test_year_has_as_many_calls_as_wanted_and_all_ids_are_the_servers_kind(
    year: list[Row],
) -> None:
    external = [row for row in year if not row["is_inner"]]
    assert len(external) == 5000
    assert len(year) > 5000
    ids = [row["callid"] for row in year]
    assert ids == sorted(set(ids))
    assert max(ids) < 10**15
    assert all(row["started_ms"] <= row["ended_ms"] for row in year)
    midnight = datetime.combine(TODAY, time(), ZoneInfo("Europe/Moscow"))
    assert max(row["started_ms"] for row in year) < midnight.timestamp() * 1000


def test_calls_are_of_likely_kinds(year: list[Row]) -> None:
    external = [row for row in year if not row["is_inner"]]
    incoming = [row for row in external if row["direction"] == "in"]
    answered = [row for row in incoming if row["status"] == "success"]
    assert 0.5 < len(incoming) / len(external) < 0.85
    assert 0.6 < len(answered) / len(incoming) < 0.95
    days = [date.fromtimestamp(row["started_ms"] / 1000).weekday() for row in external]
    assert days.count(1) > 3 * days.count(6)
    assert {row["user_login"] for row in answered} >= {p.login for p in STAFF if p.department}
    clients = [row["client"] for row in external]
    assert len(set(clients)) < len(clients) / 2
    assert {row["rating"] for row in answered} == {None, 1, 2, 3, 4, 5}
    assert {row["destination"] for row in incoming} >= {"user", "group", "ivr", "vm", "am"}


def test_what_became_of_missed_calls_is_what_the_calls_after_them_say(year: list[Row]) -> None:
    missed = [row for row in year if row["missed_status"]]
    assert {row["missed_status"] for row in missed} == {1, 2, 3, 4}
    for row in missed[:300]:
        later = [
            each
            for each in year
            if each["client"] == row["client"] and each["started_ms"] > row["started_ms"]
        ]
        reached = [each for each in later if each["status"] == "success"]
        if reached:
            expected = 2 if reached[0]["direction"] == "out" else 1
        else:
            expected = 4 if any(each["direction"] == "out" for each in later) else 3
        assert row["missed_status"] == expected


async def vpbx(data: Path, *words: str) -> tuple[int, str]:
    """Run `vpbx sandbox …` on a directory; return the status and what was said."""
    done = await asyncio.to_thread(run_vpbx, "sandbox", *words, "--data", data)
    return done.returncode, done.stdout + done.stderr


class Sandbox:
    """A running `vpbx sandbox`."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self.process = subprocess.Popen(
            [VPBX, "sandbox", "--data", str(data), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    async def ready(self) -> None:
        assert self.process.stdout is not None
        said = ""
        while not said.endswith("\nready\n"):
            line = await asyncio.to_thread(self.process.stdout.readline)
            assert line, said
            said += line
        self.rest = asyncio.create_task(asyncio.to_thread(self.process.stdout.read))
        self.info = json.loads((await self.vpbx("info", "--json"))[1])

    async def vpbx(self, *words: str) -> tuple[int, str]:
        return await vpbx(self.data, *words)

    async def get(self, path: str, **query: str) -> Any:
        headers = {"X-API-KEY": self.info["key"]}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.get(self.info["api"] + path, params=query) as got,
        ):
            assert got.status == 200, await got.text()
            return await got.json()

    async def stop(self) -> str:
        self.process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(self.process.wait, 20) == 0
        return await self.rest


@asynccontextmanager
async def sandbox(data: Path, *options: str) -> AsyncIterator[Sandbox]:
    made = Sandbox(data, *options)
    try:
        await made.ready()
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
            made.process.wait()


async def length_of(link: str, api: str) -> float:
    """Return the seconds that a recording lasts, fetched where this sandbox answers."""
    base = "{0.scheme}://{0.netloc}".format(urlsplit(api))
    async with (
        aiohttp.ClientSession() as http,
        http.get(base + urlsplit(link).path) as got,
    ):
        assert (got.status, got.content_type) == (200, "audio/mpeg")
        sound = await got.read()
    with av.open(io.BytesIO(sound)) as container:
        stream = container.streams.audio[0]
        return sum(frame.samples for frame in container.decode(stream)) / stream.rate


async def test_company_and_its_history_are_there_and_stay(tmp_path: Path) -> None:
    options = ("--history", "600", "--calls-per-minute", "0", "--seed", "7")
    kept: list[Any] = []
    for _ in range(2):
        async with sandbox(tmp_path / "box", *options) as box:
            users = (await box.get("/users", **{"with": "status"}))["items"]
            assert len(users) == 12
            assert {user["status"] for user in users} == {"online"}
            assert len((await box.get("/groups"))["items"]) == 3
            menus = [n for n in (await box.get("/telnums"))["items"] if n["type"] == "ivr"]
            assert len(menus) == 1
            rows = await box.get("/history/json", start="20250101T000000Z")
            assert len(rows) == 600
            recorded = [row for row in rows if row["record"]]
            assert recorded
            assert all(row["status"] == "success" for row in recorded)
            lasts = await length_of(recorded[0]["record"], box.info["api"])
            assert abs(lasts - recorded[0]["duration"]) < 1.2
            for row in rows:  # a port may be another one the next time
                row["record"] = urlsplit(row["record"]).path
            kept.append((box.info["key"], rows))
            await box.stop()
    assert kept[0] == kept[1]
    clash = Sandbox(tmp_path / "box", "--seed", "8")
    assert clash.process.stdout is not None
    assert "was made with --seed 7" in clash.process.stdout.read()
    assert clash.process.wait(10) == 1


async def test_busy_company_calls_and_is_called_and_ends_at_once(tmp_path: Path) -> None:
    async with Crm(token="mine") as crm:
        options = ("--history", "0", "--crm-url", crm.url, "--crm-token", "mine")
        async with sandbox(tmp_path / "box", *options, "--calls-per-minute", "120") as box:
            for direction in ("in", "out"):
                await crm.received("history", type=direction, timeout_s=60)
            for kind in ("INCOMING", "ACCEPTED", "OUTGOING", "COMPLETED"):
                await crm.received("event", type=kind, timeout_s=60)
            assert "CRM <- event" in await box.stop()


def refusal(data: Path, *acts: dict[str, Any]) -> str:
    """Return what a running sandbox has against acts."""
    with pytest.raises(ControlFault) as fault:
        list(follow(data, PLAY, acts=acts))
    return str(fault.value)


async def test_act_that_cannot_be_is_refused_and_one_that_fails_is_told(tmp_path: Path) -> None:
    status, said = await vpbx(tmp_path / "nowhere", "call", "--from", "7", "--to", "8")
    assert (status, "no sandbox runs on" in said) == (1, True)
    options = ("--history", "0", "--calls-per-minute", "0")
    async with sandbox(tmp_path / "box", *options) as box:
        good = {"from": "79101234567", "to": "74951234568"}
        for wrong, told in (
            ({**good, "to": "74950000000"}, "to: '74950000000' is no number of the company"),
            ({**good, "to": ""}, "to: is needed, one of 74951234565"),
            ({**good, "answered_by": "bob"}, "answered_by: there is no employee 'bob'; there are"),
            ({**good, "talk": "soon"}, "talk: 'soon' is no length of time, like 20s or 1m30s"),
            ({**good, "talk": "2h"}, "talk: "),
            ({**good, "after": "99m"}, "after: '99m' is longer than an hour"),
            ({**good, "then": "dance"}, "then: 'dance' is neither transfer:WHOM"),
            ({**good, "then": "transfer:nobody"}, "then: 'nobody' is neither"),
            ({**good, "to": "74951234567", "then": "rate:5"}, "calls to 74951234567 are not rated"),
            ({**good, "kind": "miss", "talk": "3s"}, "talk: goes with kind call only"),
            ({**good, "kind": "fax"}, "kind: 'fax' is not one of call, miss, voicemail"),
            ({**good, "customer": "busy"}, "customer: is for calls from an employee"),
            ({**good, "form": "x"}, "form: is not known; there are at, kind, from"),
            ({"from": "olga", "to": "olga"}, "to: olga cannot call themselves"),
            ({"from": "olga", "to": "79101234567", "kind": "voicemail"}, "kind: voicemail is for"),
            ({"to": "74951234568"}, "from: is needed"),
        ):
            assert told in await asyncio.to_thread(refusal, box.data, wrong)
        told = await asyncio.to_thread(refusal, box.data, good, {})
        assert told.startswith("call 2: from: is needed")
        scenario = tmp_path / "scenario.toml"
        scenario.write_text("[[calls]]\n")
        status, said = await box.vpbx("play", str(scenario))
        assert (status, "one or more [[call]]" in said) == (2, True), said
        assert await box.get("/history/json") == []
        scenario.write_text(f"{GOOD}answered_by = 'nina'\npatience = '2s'\n")
        status, said = await box.vpbx("play", str(scenario), "--json")
        found = json.loads(said)
        assert (status, found["problem"], found["answered_by"]) == (1, "nina was not rung", [])
        assert found["history"][0]["status"] == "missed"
        await box.stop()
