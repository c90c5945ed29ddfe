"""Lists with an envelope (crm-api §3): search, start, limit, and `info`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import Field

from vpbx.api.fields import Natural, Positive, Request, Text
from vpbx.api.models import Model, only_if
from vpbx.directory import Page

__all__ = ["Info", "ListQuery", "envelope"]

T = TypeVar("T")
CAP = 1000


class ListQuery(Request):
    """Which part of a list."""

    search: Text = Field("", description="Part of any of the searched fields, any case.")
    start: Natural = Field(0, description="How many to skip (0-based position).")
    limit: Positive | None = Field(
        None, description=f"How many to return at most; default and cap: {CAP}."
    )


class Info(Model):
    """Which part of a list this is."""

    search: str = Field(description="What was searched for.")
    total: int = Field(description="How many there are after the search.")
    start: int = Field(description="Position of the first one returned.")
    limit: int = Field(description="The limit asked for; else how many are returned.")
    next: int = only_if("Position of the next ones; only if more follow.")


def envelope(page: Page[T], show: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    """Return `{items, info}`."""
    info: dict[str, Any] = {
        "search": page.search,
        "total": page.total,
        "start": page.start,
        "limit": page.limit,
    }
    if page.next is not None:
        info["next"] = page.next
    return {"items": [show(item) for item in page.items], "info": info}
