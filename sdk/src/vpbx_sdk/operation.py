"""An operation: what is to be asked, and how the answer is read. A value; nothing is sent here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter

__all__ = ["OPERATIONS", "Listing", "Operation", "nothing", "operation"]

T = TypeVar("T")

OPERATIONS: set[tuple[str, str]] = set()
"""Every (method, path template) that this package knows: held against the server's own list."""


@dataclass(frozen=True)
class Operation(Generic[T]):
    """One request. `safe`: it may be sent again when no answer came."""

    method: str
    path: str
    read: Callable[[Any], T] = field(repr=False)
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    safe: bool = False


@dataclass(frozen=True)
class Listing(Operation[Any], Generic[T]):
    """A list that comes in pages (`paged`) or as one array; a client's `each` gives its items."""

    item: Callable[[Any], T] = field(default=lambda value: value, repr=False)
    paged: bool = False


def nothing(_: Any) -> None:
    """Read an answer without a body."""


class operation(Generic[T]):
    """Declare an operation of the API by its method, path template and answer's type."""

    def __init__(self, method: str, template: str, answer: type[T] | Any = None) -> None:
        OPERATIONS.add((method, template))
        self._method, self._template = method, template
        adapter = TypeAdapter(answer) if answer is not None else None
        self._read: Callable[[Any], Any] = nothing if adapter is None else adapter.validate_python

    def _path(self, names: Mapping[str, str]) -> str:
        quoted = {name: quote(value, safe="") for name, value in names.items()}
        return self._template.format(**quoted)

    def __call__(
        self,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        **names: str,
    ) -> Operation[T]:
        """Return the operation on the objects that `names` fill into the path."""
        safe = self._method in ("GET", "PUT", "DELETE")
        return Operation(
            self._method, self._path(names), self._read, _plain(params or {}), body, safe
        )

    def listing(
        self,
        item: Any,
        *,
        params: Mapping[str, Any] | None = None,
        paged: bool = False,
        **names: str,
    ) -> Listing[Any]:
        """Return it as a list whose items are `item`."""
        return Listing(
            self._method,
            self._path(names),
            self._read,
            _plain(params or {}),
            None,
            True,
            TypeAdapter(item).validate_python,
            paged,
        )


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as they are sent: times in UTC, switches as words, nothing for None."""
    sent: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, datetime):
            aware = value if value.tzinfo is not None else value.astimezone()
            sent[name] = f"{aware.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}"
        elif isinstance(value, bool):
            sent[name] = "true" if value else "false"
        elif value is not None:
            sent[name] = list(value) if isinstance(value, (list, tuple)) else value
    return sent
