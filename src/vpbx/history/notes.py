"""What people write to calls that are over: a note and tags to find them by."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from vpbx.db import Database, upsert
from vpbx.frozen import dataclass
from vpbx.history.browse import Seen, visible
from vpbx.history.tables import call_history, call_notes, call_tags

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

    def fields(self, uid: str) -> dict[str, Any]:
        """Return it as programs are shown the note to the call `uid`: by the API, by commands."""
        at = datetime.fromtimestamp(self.at, UTC)
        return {
            "uid": uid,
            "note": self.text,
            "tags": list(self.tags),
            "author": self.author,
            "time": f"{at:%Y-%m-%dT%H:%M:%SZ}" if self else "",
        }


class Notes:
    """Reads and writes them. Who may see a call is asked before (`Browser.get`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, domain_id: int, callids: Sequence[str]) -> dict[str, Note]:
        """Return the notes to these calls of a company, by callid; of calls without one, none."""
        if not callids:
            return {}
        async with self._database.connect() as connection:
            return await _read(connection, domain_id, callids)

    async def change(
        self,
        domain_id: int,
        callid: str,
        author: str,
        *,
        text: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> tuple[Note, Note]:
        """Write to a call; what is None stays. Return what was there before, and what is now.

        Two who write at once, one a text and one tags, lose nothing of each other. Raises
        InvalidNote; then nothing changed.
        """
        if text is not None:
            text = _checked("\n".join(line.rstrip() for line in text.strip().splitlines()))
        if tags is not None:
            tags = _checked_tags(tags)
        async with self._database.begin() as connection:
            await connection.execute(_HOLD, _row(domain_id, callid, Note()))
            before = (await _read(connection, domain_id, [callid])).get(callid, Note())
            after = Note(
                before.text if text is None else text,
                before.tags if tags is None else tuple(tags),
                author,
                time.time(),
            )
            if text is None and tags is None:
                after = before
            after = after if after else Note()
            await _write(connection, domain_id, callid, after)
        return (before if before else Note()), after

    async def tags(self, domain_id: int, seen: Seen | None = None) -> list[str]:
        """Return the tags of a company's calls that may be seen (None: all), those of most calls
        first: what somebody wrote to a call is told to nobody who may not see it."""
        t, c = call_tags.c, call_history.c
        statement = select(t.tag).where(t.domain_id == domain_id)
        if seen is not None:
            statement = statement.join(call_history, c.callid == t.callid).where(*visible(seen))
        statement = (
            statement.group_by(t.tag).order_by(func.count().desc(), t.tag).limit(_MOST_LISTED)
        )
        async with self._database.connect() as connection:
            return list((await connection.execute(statement)).scalars())


_HOLD = upsert(call_notes, ["callid"], ["callid"])
"""Makes a row where there is none, and changes nothing in one that is there: from here on to the
end of the transaction it is ours."""
_KEEP = upsert(call_notes, ["callid"])


async def _read(
    connection: AsyncConnection, domain_id: int, callids: Sequence[str]
) -> dict[str, Note]:
    n, t, numbers = call_notes.c, call_tags.c, [int(each) for each in callids]
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


async def _write(connection: AsyncConnection, domain_id: int, callid: str, note: Note) -> None:
    number = int(callid)
    await connection.execute(delete(call_tags).where(call_tags.c.callid == number))
    if not note:
        await connection.execute(delete(call_notes).where(call_notes.c.callid == number))
        return
    await connection.execute(_KEEP, _row(domain_id, callid, note))
    if note.tags:
        rows = [{"domain_id": domain_id, "tag": tag, "callid": number} for tag in note.tags]
        await connection.execute(insert(call_tags), rows)


def _row(domain_id: int, callid: str, note: Note) -> dict[str, Any]:
    return {
        "callid": int(callid),
        "domain_id": domain_id,
        "note": note.text,
        "author": note.author,
        "at_ms": round(note.at * 1000),
    }


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
