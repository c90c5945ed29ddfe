"""Black list (crm-api §10)."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field
from starlette.responses import Response

from vpbx.api.answer import answer, no_content
from vpbx.api.fields import Name, Request, Text, Texts
from vpbx.api.models import Model, State, only_if
from vpbx.api.operation import Call, Section

__all__ = ["section"]

section = Section("Black list", "Callers that are refused.")

VIEW = ("Black list", "View")
CREATING = ("Black list", "Creating")
EDITING = ("Black list", "Editing")
DELETING = ("Black list", "Deleting")
STATISTICS = "Blocked calls; only with `with=statistics`."


class Blocked(Model):
    """A number, or a range that ends in `*`."""

    telnum: str
    comment: str
    week: int = only_if(f"This week. {STATISTICS}")
    year: int = only_if(f"This year. {STATISTICS}")


class StatisticsQuery(Request):
    """What to add."""

    extra: Literal["statistics"] | None = Field(None, alias="with", description=STATISTICS)


class Blocking(Request):
    """A number to refuse."""

    telnum: Name = Field(description="A number, or a range that ends in `*`: `7900800*`.")
    comment: Text = ""


Blockings: TypeAlias = list[Blocking]


class BlockedQuery(Request):
    """Which."""

    telnum: Texts = Field(description="A number or range; repeat it for several.")


@section.get(
    "/blacklist/telnums",
    query=StatisticsQuery,
    answer=list[Blocked],
    right=VIEW,
    shows=[{"telnum": "7900800*", "comment": "Spam", "week": 0, "year": 11}],
    summary="Getting a list of numbers",
)
async def list_blocked(call: Call, params: StatisticsQuery) -> Response:
    """All numbers and ranges of the black list."""
    statistics = params.extra is not None
    entries = await call.services.directory.blacklist.list(call.domain, statistics=statistics)
    shown = []
    for entry in entries:
        item: dict[str, str | int] = {"telnum": entry.telnum, "comment": entry.comment}
        if statistics:
            item.update(week=entry.week, year=entry.year)
        shown.append(item)
    return answer(shown)


@section.post(
    "/blacklist/telnums",
    body=Blockings,
    right=CREATING,
    example=[{"telnum": "79988871221", "comment": "text"}, {"telnum": "79068889*"}],
    summary="Adding numbers",
)
async def add_blocked(call: Call, params: list[Blocking]) -> Response:
    """One that is there already gets the new comment."""
    entries = [item.sent() for item in params]
    await call.services.directory.blacklist.add(call.domain, entries)
    return no_content()


@section.delete(
    "/blacklist/telnums", query=BlockedQuery, right=DELETING, summary="Deleting numbers"
)
async def delete_blocked(call: Call, params: BlockedQuery) -> Response:
    """Nothing is deleted when one of them is not in the list."""
    await call.services.directory.blacklist.delete(call.domain, params.telnum)
    return no_content()


@section.get(
    "/blacklist/block-anonymous",
    answer=State,
    right=VIEW,
    shows={"state": True},
    summary="Whether calls from unknown numbers are blocked",
)
async def get_block_anonymous(call: Call) -> Response:
    """`true`: callers that hide their number are refused."""
    domain = await call.services.directory.current(call.domain)
    return answer({"state": domain.settings.blacklist.block_anonymous})


@section.post(
    "/blacklist/block-anonymous", right=EDITING, summary="Block calls from unknown numbers"
)
async def block_anonymous(call: Call) -> Response:
    """Refuse callers that hide their number."""
    await call.services.directory.blacklist.set_block_anonymous(call.domain, True)
    return no_content()


@section.delete(
    "/blacklist/block-anonymous", right=EDITING, summary="Do not block calls from unknown numbers"
)
async def allow_anonymous(call: Call) -> Response:
    """Let callers pass that hide their number."""
    await call.services.directory.blacklist.set_block_anonymous(call.domain, False)
    return no_content()
