"""Where a sound is used is found wherever a number keeps it."""

from __future__ import annotations

from pathlib import Path

from vpbx.console.media_uses import uses
from vpbx.console.texts import texts
from vpbx.db import Database
from vpbx.directory import Directory


async def test_a_greeting_is_found_at_its_number_and_in_menus(sqlite_database: Database) -> None:
    directory = Directory(sqlite_database)
    await directory.refresh()
    company = (await directory.companies.add("acme.example")).domain
    ids = {}
    for name, kind in (("hello", "greeting"), ("menu", "ivr"), ("idle", "greeting")):
        path = Path(f"{company.id}/{name}")
        made = await directory.media.add(
            company, file_id=name, media_type=kind, name=name, path=str(path),
            duration_s=1.0, size_bytes=1,
        )  # fmt: skip
        ids[name] = made.id
    await directory.telnums.add(company, "74951234567")
    inner = {"name": "Welcome", "greeting_file": ids["menu"], "items": [
        {"button": "1", "type": "user", "user": "admin"},
    ]}  # fmt: skip
    route = {"subtype": "ivr", "ivr": inner}
    hours = {"monday": {"start": 9 * 3600, "end": 18 * 3600}}
    values = {"type": "scheduler", "greeting": True, "greeting_file": ids["hello"], "work": route}
    await directory.telnums.edit(
        company, "74951234567", {**values, "other": {"subtype": "message"}, "schedule": hours}
    )
    found = uses(await directory.current(company), texts("en"))
    number = ("+7 495 123-45-67", "/numbers/74951234567")
    assert found == {ids["hello"]: [number], ids["menu"]: [number], ids["idle"]: []}
