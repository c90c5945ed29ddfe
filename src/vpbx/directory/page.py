"""Searching and paging a list (crm-api §3), over a snapshot's values.

Search runs in memory, casefolded, so that it finds any script alike on every database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from vpbx.directory.errors import FieldError, Invalid
from vpbx.directory.text import folded

T = TypeVar("T")
U = TypeVar("U")
MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list. `limit` is the client's, or how many are shown; `next` where more start."""

    items: tuple[T, ...]
    search: str
    total: int
    start: int
    limit: int
    next: int | None = None

    def map(self, change: Callable[[T], U]) -> Page[U]:
        """Return the same page of changed items."""
        items = tuple(change(item) for item in self.items)
        return Page(items, self.search, self.total, self.start, self.limit, self.next)


def page(
    items: Iterable[T],
    words: Callable[[T], Iterable[str]],
    *,
    search: str = "",
    start: int = 0,
    limit: int | None = None,
) -> Page[T]:
    """Return the items any of whose `words` contains `search`, from `start` on.

    Without a limit, and at most, 1000 are returned. Raises Invalid for negative numbers.
    """
    errors = []
    if start < 0:
        errors.append(FieldError("start", "must be at least 0"))
    if limit is not None and limit < 0:
        errors.append(FieldError("limit", "must be at least 0"))
    if errors:
        raise Invalid(errors)
    needle = folded(search.strip())
    found = (
        [item for item in items if any(needle in folded(word) for word in words(item))]
        if needle
        else list(items)
    )
    size = MAX_LIMIT if limit is None else min(limit, MAX_LIMIT)
    shown = tuple(found[start : start + size])
    more = bool(shown) and start + len(shown) < len(found)
    return Page(
        shown,
        search,
        len(found),
        start,
        len(shown) if limit is None else size,
        start + len(shown) if more else None,
    )
