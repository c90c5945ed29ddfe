"""One call that is over: its recording, how it went, what people wrote to it."""

from __future__ import annotations

from starlette.responses import FileResponse, Response

from vpbx.causes import Cause, explain
from vpbx.console.areas import Area
from vpbx.console.forms import errors_of
from vpbx.console.journey import journey
from vpbx.console.page import Page
from vpbx.console.pages.history import DESTINATION_WORDS, HISTORY, words
from vpbx.console.texts import phone
from vpbx.console.visit import Visit
from vpbx.directory import NotFound
from vpbx.history import Asked, CallRow, InvalidNote, Note
from vpbx.legs import way_name

_WAIT_S = 5.0
GRADE_WORDS = {"good": "good", "fair": "fair", "poor": "poor"}
_BADGES = {"good": "good", "fair": "warn", "poor": "bad"}


async def _call(visit: Visit) -> CallRow:
    found = await visit.services.browser.get(visit.company.id, visit.path("callid"), visit.seen)
    if found is None:
        raise NotFound("no such call")
    return found


async def show(visit: Visit) -> Response:
    return await _show(visit, await _call(visit))


async def _show(visit: Visit, call: CallRow, errors: dict[str, str] | None = None) -> Response:
    company, services = visit.company, visit.services
    sent = []
    if visit.may(Area.COMPANY) and services.commands is not None:
        sent = await services.commands.events(
            company.id,
            after=None,
            limit=50,
            callid=call.callid,
            cmd="",
            state="",
            address="all",
        )
    others = await _others(visit, call)
    notes = await services.notes.of(company.id, [call.callid, *(c.callid for c in others)])
    note = notes.get(call.callid, Note())
    return visit.page(
        "history/call.html",
        status=400 if errors else 200,
        errors=errors,
        call=call,
        sent=sent,
        others=others,
        notes=notes,
        journey=journey(call.path, call.wait + call.duration, DESTINATION_WORDS, visit.texts),
        sip_shown=visit.may(Area.COMPANY),
        why=[explained(visit, cause) for cause in call.causes],
        grade_words=GRADE_WORDS,
        grade_badges=_BADGES,
        way_name=way_name,
        written=note,
        text=visit.value("note", note.text) if errors else note.text,
        tags=visit.value("tags") if errors else ", ".join(note.tags),
        known_tags=await services.notes.tags(company.id, visit.seen),
        **words(),
    )


def explained(visit: Visit, cause: Cause) -> tuple[str, str]:
    """Return a sentence and advice for who looks at the page."""

    def say(text: str, **values: object) -> str:
        if "who" in values:
            values["who"] = phone(str(values["who"]))
        return visit.texts(text, **values)

    return explain(cause, say)


async def _others(visit: Visit, call: CallRow) -> list[CallRow]:
    """Return the calls before with the same customer, as far as they may be seen."""
    if not call.client:
        return []
    asked = Asked(
        domain_id=visit.company.id,
        since_ms=0,
        until_ms=call.started_ms,
        seen=visit.seen,
        client=call.client,
        limit=5,
    )
    return [c for c in await visit.services.browser.find(asked) if c.client == call.client]


async def show_sip(visit: Visit) -> Response:
    """Show the SIP messages of a call, for who looks after phones and trunks."""
    call = await _call(visit)
    messages = await visit.services.sip_messages(call.callid)
    begun = messages[0]["time"] if messages else 0.0
    rows = []
    for each in messages:
        first, _, rest = each["message"].rstrip().partition("\r\n")
        rows.append(
            {**each, "after_ms": round((each["time"] - begun) * 1000), "first": first, "rest": rest}
        )
    return visit.page("history/sip.html", call=call, rows=rows)


async def save_note(visit: Visit) -> Response:
    call = await _call(visit)
    company, notes = visit.company, visit.services.notes
    try:
        before, after = await notes.change(
            company.id,
            call.callid,
            str(visit.mine.account),
            text=visit.value("note"),
            tags=visit.value("tags").split(","),
        )
    except InvalidNote as error:
        return await _show(visit, call, errors_of(error, visit.texts))
    if before.told != after.told:
        what = f"calls.{call.callid}.note"
        await visit.services.audit.note(company.id, what, before.told, after.told)
    return visit.go(f"{HISTORY}/{call.callid}", visit.texts("Saved."))


async def play(visit: Visit) -> Response:
    """Answer with the recording, or parts of it as players ask for them (RFC 9110 §14)."""
    call = await _call(visit)
    return await recording(visit, call.callid)


async def recording(visit: Visit, callid: str) -> Response:
    """Answer with the recording of a call that may be heard; NotFound where there is none."""
    found = await visit.services.history.recording(callid, wait_s=_WAIT_S)
    if found is None or not found.ready or found.domain_id != visit.company.id:
        raise NotFound("no recording")
    if not found.path.exists():
        raise NotFound("no recording")
    is_document = found.path.suffix == ".pdf"
    return FileResponse(
        found.path,
        media_type="application/pdf" if is_document else "audio/mpeg",
        filename=f"{callid}{found.path.suffix}",
        content_disposition_type="attachment" if visit.asked("save") else "inline",
        headers={"Cache-Control": "private, max-age=3600"},
    )


pages = (
    Page(f"{HISTORY}/{{callid}}", Area.CALLS, get=show),
    Page(f"{HISTORY}/{{callid}}/note", Area.CALLS, post=save_note),
    Page(f"{HISTORY}/{{callid}}/sip", Area.COMPANY, get=show_sip),
    Page(f"{HISTORY}/{{callid}}/sound", Area.CALLS, get=play),
)
