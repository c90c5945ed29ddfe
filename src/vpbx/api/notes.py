"""Notes and tags on calls that are over, the same that the console shows (ours, beyond crm-api)."""

from __future__ import annotations

from pydantic import Field
from starlette.responses import Response

from vpbx.api.answer import answer, no_content
from vpbx.api.errors import not_found, refuse_fields
from vpbx.api.fields import Request, Text, Texts, is_uid
from vpbx.api.models import Model
from vpbx.api.operation import Call, Section
from vpbx.directory import FieldError
from vpbx.history import InvalidNote

__all__ = ["section"]

section = Section(
    "Notes on calls (ours)",
    "A note and tags on a call that is over, the same that the console shows.",
)

EDIT = ("Main settings", "Editing")
MAX_CALLS = 1000
AUTHOR = "API"
_UID = "Of these calls; repeat it for several."


class CallNote(Model):
    """What is written to a call."""

    uid: str = Field(description="The call's, as history has it.")
    note: str
    tags: list[str]
    author: str = Field(description="`login@domain`, or `API`.")
    time: str = Field(description="When it was written: UTC, YYYY-MM-DDTHH:MM:SSZ.")


class NotesQuery(Request):
    """Which calls."""

    uid: Texts = Field(description=_UID)


class Written(Request):
    """What to write, in place of what is there. What is left out stays; empty takes it away."""

    note: Text | None = Field(None, description="At most 2000 characters.")
    tags: Texts | None = Field(None, description="At most 10 of at most 40 characters.")


SHOWN = {
    "uid": "1755936870",
    "note": "Wants an offer by Friday",
    "tags": ["offer", "vip"],
    "author": "olga@acme.vpbx.example",
    "time": "2026-11-26T08:58:42Z",
}


@section.get(
    "/history/notes",
    query=NotesQuery,
    answer=list[CallNote],
    shows=[SHOWN],
    summary="Notes on calls",
)
async def list_notes(call: Call, params: NotesQuery) -> Response:
    """Of the calls named, those that have one."""
    if len(params.uid) > MAX_CALLS:
        raise refuse_fields(FieldError("uid", f"may have at most {MAX_CALLS} items"))
    for uid in params.uid:
        if not is_uid(uid):
            raise refuse_fields(FieldError("uid", "must be digits"))
    found = await call.services.history.notes.of(call.domain.id, params.uid)
    return answer([found[uid].fields(uid) for uid in dict.fromkeys(params.uid) if uid in found])


@section.put(
    "/history/notes/{uid}",
    body=Written,
    example={"note": "Wants an offer by Friday", "tags": ["offer", "vip"]},
    answer=CallNote,
    shows=SHOWN,
    right=EDIT,
    summary="Writing to a call",
)
async def write_note(call: Call, params: Written) -> Response:
    """The call has to be over. 404 where there is none of that uid."""
    uid = await _over(call)
    notes = call.services.history.notes
    try:
        _, written = await notes.change(
            call.domain.id, uid, AUTHOR, text=params.note, tags=params.tags
        )
    except InvalidNote as wrong:
        raise refuse_fields(FieldError(wrong.field, wrong.message)) from None
    return answer(written.fields(uid))


@section.delete("/history/notes/{uid}", right=EDIT, summary="Taking a note off a call")
async def delete_note(call: Call) -> Response:
    """With its tags."""
    uid = await _over(call)
    await call.services.history.notes.change(call.domain.id, uid, AUTHOR, text="", tags=())
    return no_content()


@section.get("/history/tags", answer=list[str], shows=["offer", "vip"], summary="Tags in use")
async def list_tags(call: Call) -> Response:
    """The tags of the company's calls, those of most calls first."""
    return answer(await call.services.history.notes.tags(call.domain.id))


async def _over(call: Call) -> str:
    uid = call.path["uid"]
    if not is_uid(uid) or not await call.services.history.has(call.domain.id, uid):
        raise not_found()
    return str(int(uid))
