"""A registration that runs out is noticed, told, and kept no longer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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
