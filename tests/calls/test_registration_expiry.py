"""A registration that runs out is noticed, told, and kept no longer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from vpbx.calls.registration import Expiry
from vpbx.clock import ManualClock
from vpbx.db import Database
from vpbx.directory import Directory, LocationRow


async def test_registration_that_runs_out_is_told_once_and_its_row_goes(
    sqlite_database: Database, tmp_path: Path
) -> None:
    clock = ManualClock()
    directory = Directory(sqlite_database, clock=clock)
    await directory.start()
    domain = (await directory.companies.add("acme.example", password="Secret-pass-1")).domain
    row = LocationRow(
        contact="sip:ann@192.0.2.7:5062",
        transport="udp",
        host="192.0.2.7",
        port=5062,
        connection=0,
        path="",
        call_id="1",
        cseq=1,
        expires_at=clock.time() + 100,
        user_agent="Desk 7",
    )
    longer = replace(row, contact="sip:ann@192.0.2.8", host="192.0.2.8", expires_at=2**31)
    directory.locations.save(domain.id, "admin", [row, longer])
    switch: Any = SimpleNamespace(directory=directory, clock=clock)
    expiry = Expiry(switch)
    expiry.start()
    with capture_logs() as logs:
        clock.advance(99)
        assert logs == []
        clock.advance(60)
    expiry.stop()
    (line,) = logs
    assert line["event"] == "a registration ends"
    assert (line["domain"], line["login"], line["source"]) == (
        "acme.example",
        "admin",
        "udp:192.0.2.7:5062",
    )
    assert line["why"] == "it ran out"
    assert [kept.host for _, _, kept in directory.locations.all()] == ["192.0.2.8"]
    await directory.stop()
    again = Directory(sqlite_database, clock=ManualClock(0))
    await again.start()
    assert [kept.host for _, _, kept in again.locations.all()] == ["192.0.2.8"]
    await again.stop()


DEVICE = LocationRow(
    contact="sip:ann@192.0.2.7:5062",
    transport="udp",
    host="192.0.2.7",
    port=5062,
    connection=0,
    path="",
    call_id="1",
    cseq=1,
    expires_at=0,
)


@pytest.mark.parametrize("by_s", [7200, -7200, 400 * 86_400])
async def test_a_clock_that_is_set_ends_no_registration_and_prolongs_none(
    sqlite_database: Database, by_s: float
) -> None:
    """Neither while the server runs, nor when it starts again after that."""
    clock = ManualClock()
    directory = Directory(sqlite_database, clock=clock)
    await directory.start()
    domain = (await directory.companies.add("acme.example", password="Secret-pass-1")).domain
    locations = directory.locations
    locations.save(domain.id, "admin", [replace(DEVICE, expires_at=clock.now() + 600)])
    clock.set_wall(by_s)
    assert locations.expire() == []
    assert locations.online(domain.id, "admin")
    later = replace(DEVICE, host="192.0.2.8", expires_at=clock.now() + 900)
    locations.save(domain.id, "admin", [*locations.bindings(domain.id, "admin"), later])
    clock.advance(590)
    assert locations.expire() == []
    await directory.stop()

    clock_after = ManualClock(77)  # another boot
    clock_after.set_wall(clock.time() - 77)
    again = Directory(sqlite_database, clock=clock_after)
    await again.start()
    assert len(again.locations.bindings(domain.id, "admin")) == 2
    clock_after.advance(11)
    assert [row.host for row in again.locations.bindings(domain.id, "admin")] == ["192.0.2.8"]
    clock_after.set_wall(by_s)
    assert [row.host for *_, row in again.locations.expire()] == ["192.0.2.7"]
    clock_after.advance(300)
    assert not again.locations.online(domain.id, "admin")
    await again.stop()


async def test_after_a_start_with_a_clock_far_behind_no_registration_lasts_for_days(
    sqlite_database: Database,
) -> None:
    clock = ManualClock()
    directory = Directory(sqlite_database, clock=clock)
    await directory.start()
    domain = (await directory.companies.add("acme.example", password="Secret-pass-1")).domain
    row = replace(DEVICE, expires_at=clock.now() + 600)
    directory.locations.save(domain.id, "admin", [row])
    await directory.stop()
    behind = ManualClock(1000)
    again = Directory(sqlite_database, clock=behind)
    await again.start()
    assert again.locations.online(domain.id, "admin")
    behind.advance(3601)
    assert not again.locations.online(domain.id, "admin")
    await again.stop()
