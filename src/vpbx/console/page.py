"""What a page of the console is: a path, who may use it, and what answers GET and POST."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.shares import Share
from vpbx.console.visit import Visit

__all__ = ["Door", "Handler", "Page"]

Handler: TypeAlias = Callable[[Visit], Awaitable[Response]]


class Door(Enum):
    """Who gets to a page at all, before roles are asked."""

    OPEN = auto()
    """Anybody: to log in, to take up an invitation."""
    PENDING = auto()
    """Whose password was right, and whose second factor is still to come."""
    COMPANY = auto()
    """Employees, and operators who have entered a company."""
    ANYBODY = auto()
    """Whoever is logged in, as themselves."""
    OPERATOR = auto()


@dataclass(frozen=True, slots=True)
class Page:
    """One path. `label` and `icon`: its entry in the menu, if it has one."""

    path: str
    area: Area | None
    get: Handler | None = None
    post: Handler | None = None
    label: str = ""
    icon: str = ""
    door: Door = Door.COMPANY
    framed: bool = False
    """Whether the phone in another site's page, and its session, may come here."""
    max_body: int = 256 * 1024
    share: Share | None = None
    """How many answers of this kind an account may have going on; None: as many as come."""
    weighty: bool | Callable[[Visit], Awaitable[bool]] = False
    """Whether what is sent here, or this form of it, outlives the session: ways in, rights,
    passwords, where a company's data goes. It asks for the password again (`confirm`)."""
