"""Notes and tags: who writes one of them takes nothing of what somebody else wrote."""

from __future__ import annotations

import asyncio

import pytest

from vpbx.db import Database
from vpbx.history import InvalidNote, Note, Notes

ACME, OTHER = 1, 2


async def read(notes: Notes, callid: str, company: int = ACME) -> Note:
    return (await notes.of(company, [callid])).get(callid, Note())


async def test_a_text_and_tags_written_at_once_are_both_there(database: Database) -> None:
    notes, others = Notes(database), Notes(database)
    for callid in map(str, range(1, 21)):
        await asyncio.gather(
            notes.change(ACME, callid, "olga", text="an offer"),
            others.change(ACME, callid, "API", tags=["vip"]),
        )
        found = await read(notes, callid)
        assert (found.text, found.tags) == ("an offer", ("vip",)), callid


async def test_what_is_taken_off_while_tags_are_written_leaves_the_tags(
    database: Database,
) -> None:
    notes, others = Notes(database), Notes(database)
    for callid in map(str, range(1, 11)):
        await notes.change(ACME, callid, "olga", text="an offer")
        await asyncio.gather(
            notes.change(ACME, callid, "olga", text=""),
            others.change(ACME, callid, "API", tags=["vip"]),
        )
        found = await read(notes, callid)
        assert (found.text, found.tags) == ("", ("vip",)), callid


async def test_each_change_tells_what_was_there_before(database: Database) -> None:
    notes = Notes(database)
    assert (await notes.change(ACME, "5", "olga", text="one"))[0] == Note()
    before, after = await notes.change(ACME, "5", "bob", tags=["b", "a"])
    assert (before.text, before.author) == ("one", "olga")
    assert (after.text, after.tags, after.author) == ("one", ("a", "b"), "bob")
    assert await read(notes, "5", OTHER) == Note()
    before, after = await notes.change(ACME, "5", "bob", text="", tags=())
    assert (before.told, after) == ("one #a #b", Note())
    assert await notes.of(ACME, ["5"]) == {}


async def test_who_changes_nothing_is_not_its_author(database: Database) -> None:
    notes = Notes(database)
    await notes.change(ACME, "5", "olga", text="one")
    before, after = await notes.change(ACME, "5", "bob")
    assert after == before
    assert (await read(notes, "5")).author == "olga"
    assert await notes.change(ACME, "6", "bob") == (Note(), Note())
    assert await notes.of(ACME, ["6"]) == {}


async def test_what_is_refused_leaves_what_was_there(database: Database) -> None:
    notes = Notes(database)
    await notes.change(ACME, "5", "olga", text="one", tags=["a"])
    with pytest.raises(InvalidNote):
        await notes.change(ACME, "5", "bob", text="two", tags=["x" * 41])
    assert (await read(notes, "5")).told == "one #a"
