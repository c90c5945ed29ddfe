"""Black list: callers that are refused, and how often they were."""

from __future__ import annotations

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.visit import Visit

BLACKLIST = "/blacklist"


async def show(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, errors: dict[str, str] | None = None) -> Response:
    entries = await visit.services.directory.blacklist.list(visit.company, statistics=True)
    search = visit.asked("search").casefold()
    shown = [e for e in entries if search in e.telnum or search in e.comment.casefold()]
    return visit.page(
        "blacklist.html",
        status=400 if errors else 200,
        errors={name.rpartition(".")[2]: text for name, text in (errors or {}).items()},
        entries=shown[:500],
        total=len(entries),
        search=visit.asked("search"),
        telnum=visit.value("telnum") or visit.asked("telnum")[:40],
        comment=visit.value("comment"),
        anonymous=visit.company.settings.blacklist.block_anonymous,
    )


async def add(visit: Visit) -> Response:
    entry = {"telnum": visit.value("telnum"), "comment": visit.value("comment")}
    try:
        await visit.services.directory.blacklist.add(visit.company, [entry])
    except Wrong as error:
        return await _show(visit, errors_of(error, visit.texts))
    return visit.go(BLACKLIST, visit.texts("Saved."))


async def delete(visit: Visit) -> Response:
    await visit.services.directory.blacklist.delete(visit.company, [visit.value("telnum")])
    return visit.go(BLACKLIST, visit.texts("Removed."))


async def anonymous(visit: Visit) -> Response:
    blacklist = visit.services.directory.blacklist
    await blacklist.set_block_anonymous(visit.company, "anonymous" in visit.form)
    return visit.go(BLACKLIST, visit.texts("Saved."))


pages = (
    Page(BLACKLIST, Area.COMPANY, get=show, post=add, label="Black list", icon="block"),
    Page(f"{BLACKLIST}/delete", Area.COMPANY, post=delete),
    Page(f"{BLACKLIST}/anonymous", Area.COMPANY, post=anonymous),
)
