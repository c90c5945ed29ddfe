"""The clock of the machine is set, forward and back by hours: nothing lasts longer or shorter."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import av
import pytest

from tests.hostile.test_full_disk import DOMAIN, PASSWORD, found_company
from tests.support.crm import Receiver
from tests.support.pbx import Pbx, free_port
from vpbx.sim import Carrier, Phone, answering
from vpbx.sip import Hop

LIBRARIES = list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
TALK_S = 1.5
A_DAY_S = 86_400
SETTINGS = (7200, -10_800, 5 * A_DAY_S, 0)

pytestmark = pytest.mark.skipif(not LIBRARIES, reason="needs libfaketime (Debian: faketime)")


class Machine:
    """A server whose time of day a test sets; the monotonic clock goes on as always."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "time"
        self.set(0)
        self.pbx = Pbx(
            folder / "data",
            under=(
                "env",
                f"LD_PRELOAD={LIBRARIES[0]}",
                f"FAKETIME_TIMESTAMP_FILE={self._file}",
                "FAKETIME_CACHE_DURATION=1",
                "FAKETIME_DONT_FAKE_MONOTONIC=1",
                "FAKETIME_DONT_RESET=1",
            ),
        )

    def set(self, ahead_s: int) -> None:
        """Let the clock be ahead of the right time, within a second."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead_s:+d}\n")
        new.replace(self._file)

    def start(self) -> None:
        self.pbx.start(timeout_s=90)

    @property
    def sip(self) -> Hop:
        host, _, port = self.pbx.sip.rpartition(":")
        return Hop("udp", host, int(port))

    def rows(self) -> list[tuple[int, int, int, str]]:
        """Return (started_ms, answered_ms, ended_ms, ended_by) of each call."""
        with closing(sqlite3.connect(self.pbx.data / "vpbx.sqlite3")) as connection:
            return connection.execute(
                "SELECT started_ms, answered_ms, ended_ms, ended_by FROM call_history"
                " ORDER BY callid"
            ).fetchall()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.pbx.kill()


def lengths_s(data: Path) -> list[float]:
    """Return how long each recording is."""
    found = []
    for file in sorted(data.glob("records/**/*.mp3")):
        with av.open(str(file)) as sound:
            assert sound.duration is not None
            found.append(sound.duration / av.time_base)
    return found


async def test_calls_last_as_long_as_they_last_and_phones_stay_registered(
    machine: Machine,
) -> None:
    """The clock is set in the middle of a call, four times; each phone has registered once."""
    carrier_port = free_port()
    loop = asyncio.get_running_loop()
    took = []
    async with Receiver() as crm:
        await found_company(machine.pbx.data, crm.url, carrier_port)
        await asyncio.to_thread(machine.start)
        sip = machine.sip
        phone = Phone("user0", PASSWORD, DOMAIN, sip, behaviour=answering(1000))
        async with Carrier(sip, port=carrier_port) as carrier, phone:
            for ahead_s in SETTINGS:
                began = loop.time()
                call = await carrier.call("74950000000")
                await call.answered(30)
                call.say(440)
                theirs = await phone.rings(30)
                await asyncio.sleep(TALK_S)
                machine.set(ahead_s)
                await theirs.heard(440, timeout_s=20)
                await call.heard(1000, timeout_s=20)
                await asyncio.sleep(TALK_S)
                call.hangup()
                assert (await theirs.ended()).cause == "bye"
                took.append(loop.time() - began)
            await crm.until(lambda: len(crm.of("history")) == len(SETTINGS), timeout_s=30)
            async with asyncio.timeout(30):
                while len(lengths_s(machine.pbx.data)) < len(SETTINGS):
                    await asyncio.sleep(0.2)
    rows = machine.rows()
    assert len(rows) == len(SETTINGS)
    for (started, answered, ended, _), most_s in zip(rows, took, strict=True):
        assert 0 <= answered - started <= most_s * 1000
        assert 2000 * TALK_S <= ended - answered <= most_s * 1000
    for told, most_s in zip(crm.of("history"), took, strict=True):
        assert 2 * TALK_S <= int(told["duration"]) <= most_s + 1
    for length_s, most_s in zip(lengths_s(machine.pbx.data), took, strict=True):
        assert 2 * TALK_S - 0.5 <= length_s <= most_s + 0.5


async def test_a_call_that_a_crash_cut_off_lasted_as_long_as_the_server_did(
    machine: Machine,
) -> None:
    """The machine comes up again two days later, or with a clock that says so."""
    carrier_port = free_port()
    loop = asyncio.get_running_loop()
    async with Receiver() as crm:
        await found_company(machine.pbx.data, crm.url, carrier_port)
        await asyncio.to_thread(machine.start)
        phone = Phone("user0", PASSWORD, DOMAIN, machine.sip, behaviour=answering(1000))
        async with Carrier(machine.sip, port=carrier_port) as carrier, phone:
            began = loop.time()
            call = await carrier.call("74950000000")
            await call.answered(30)
            await crm.gets("event", type="ACCEPTED", timeout_s=30)
            pulse = (machine.pbx.data / "pulse").read_text()
            async with asyncio.timeout(30):
                while (machine.pbx.data / "pulse").read_text() == pulse:
                    await asyncio.sleep(0.05)
            machine.pbx.kill()
            took = loop.time() - began
        machine.set(2 * A_DAY_S)
        await asyncio.to_thread(machine.start)
        told = await crm.gets("history", timeout_s=30)
    [(started, answered, ended, ended_by)] = machine.rows()
    assert ended_by == "restart"
    assert 0 <= ended - answered <= ended - started <= took * 1000
    assert int(told["duration"]) <= took + 1
