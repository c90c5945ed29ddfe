"""Who is acting: known where a request or command begins, asked where a change is written down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["Actor", "acting", "actor"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who changes settings. `via`: console, api or command; `address`: theirs."""

    name: str
    via: str
    address: str = ""


_now: ContextVar[Actor | None] = ContextVar("vpbx_actor", default=None)


@contextmanager
def acting(who: Actor) -> Iterator[None]:
    """Let what is changed within be theirs."""
    token = _now.set(who)
    try:
        yield
    finally:
        _now.reset(token)


def actor() -> Actor | None:
    """Return who acts; None: the server itself."""
    return _now.get()
