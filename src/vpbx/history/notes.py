"""What people write to calls that are over: a note and tags to find them by."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select

from vpbx.db import Database, upsert
from vpbx.history.tables import call_notes, call_tags

__all__ = ["InvalidNote", "Note", "Notes"]

_LONGEST = 2000
_MOST_TAGS = 10
_LONGEST_TAG = 40
_MOST_LISTED = 200


class InvalidNote(ValueError):
    """A note that is not kept: `field` (note or tags) is wrong because of `message`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Note:
    """What is written to a call, by whom and when (epoch seconds); empty: nothing ever was."""

    text: str = ""
    tags: tuple[str, ...] = ()
    author: str = ""
    at: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.text or self.tags)

    @property
    def told(self) -> str:
        """Return it in a line, as the log of changes shows it."""
        return " ".join([self.text, *(f"#{tag}" for tag in self.tags)]).strip()


class Notes:
    """Reads and writes them. Who may see a call is asked before (`Browser.get`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, domain_id: int, callids: Sequence[str]) -> dict[str, Note]:
        """Return the notes to these calls of a company, by callid; of calls without one, none."""
        if not callids:
            return {}
        n, t, numbers = call_notes.c, call_tags.c, [int(each) for each in callids]
        async with self._database.connect() as connection:
            noted = select(call_notes).where(n.domain_id == domain_id, n.callid.in_(numbers))
            rows = (await connection.execute(noted)).all()
            tagged = select(t.callid, t.tag).where(t.domain_id == domain_id, t.callid.in_(numbers))
            tags: dict[int, list[str]] = {}
            for callid, tag in (await connection.execute(tagged.order_by(t.tag))).all():
                tags.setdefault(callid, []).append(tag)
        return {
            str(row.callid): Note(
                row.note, tuple(tags.get(row.callid, ())), row.author, row.at_ms / 1000
            )
            for row in rows
        }

    async def set(
        self, domain_id: int, callid: str, text: str, tags: Sequence[str], author: str
    ) -> Note:
        """Write to a call instead of what was there. Raises InvalidNote; then nothing changed."""
        text = "\n".join(line.rstrip() for line in text.strip().splitlines())
        note = Note(_checked(text), _checked_tags(tags), author, time.time())
        number = int(callid)
        values = {
            "callid": number,
            "domain_id": domain_id,
            "note": note.text,
            "author": author,
            "at_ms": round(note.at * 1000),
        }
        async with self._database.begin() as connection:
            await connection.execute(delete(call_tags).where(call_tags.c.callid == number))
            if not note:
                await connection.execute(delete(call_notes).where(call_notes.c.callid == number))
                return Note()
            await connection.execute(upsert(call_notes, ["callid"]), values)
            if note.tags:
                await connection.execute(
                    insert(call_tags),
                    [{"domain_id": domain_id, "tag": t, "callid": number} for t in note.tags],
                )
        return note

    async def tags(self, domain_id: int) -> list[str]:
        """Return the tags a company uses, those of most calls first."""
        t = call_tags.c
        statement = (
            select(t.tag)
            .where(t.domain_id == domain_id)
            .group_by(t.tag)
            .order_by(func.count().desc(), t.tag)
            .limit(_MOST_LISTED)
        )
        async with self._database.connect() as connection:
            return list((await connection.execute(statement)).scalars())


def _checked(text: str) -> str:
    if len(text) > _LONGEST:
        raise InvalidNote("note", f"must be at most {_LONGEST} characters long")
    if not _is_storable(text):
        raise InvalidNote("note", "must be plain text")
    return text


def _checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return tags as they are kept: without spaces around or double ones, each once."""
    found = sorted(
        {tag.casefold(): tag for each in tags if (tag := " ".join(each.split()))}.values()
    )
    if len(found) > _MOST_TAGS:
        raise InvalidNote("tags", f"must be at most {_MOST_TAGS} tags")
    for tag in found:
        if len(tag) > _LONGEST_TAG:
            raise InvalidNote("tags", f"each tag must be at most {_LONGEST_TAG} characters long")
        if "," in tag or not _is_storable(tag):
            raise InvalidNote("tags", "must be plain words, separated by commas")
    return tuple(found)


def _is_storable(text: str) -> bool:
    """Say whether every database takes a text: no NUL, no half characters."""
    return "\0" not in text and text == text.encode("utf-8", "replace").decode()
