"""Lists of employees or departments in a company's settings (crm-api §11), as pages have them:
somebody is put on, somebody is taken off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.page import Page
from vpbx.console.visit import Visit
from vpbx.directory import Directory, DomainConfig

__all__ = ["list_pages"]


class _List(Protocol):
    async def add(self, domain: DomainConfig, names: Iterable[str]) -> None: ...

    async def delete(self, domain: DomainConfig, names: Iterable[str]) -> None: ...


def list_pages(path: str, back: str, pick: Callable[[Directory], _List]) -> tuple[Page, ...]:
    """Return what puts on a list and takes off it; `back` is the page the list is seen on."""

    async def add(visit: Visit) -> Response:
        await pick(visit.services.directory).add(visit.company, [visit.value("name")])
        return visit.go(back, visit.texts("Saved."))

    async def delete(visit: Visit) -> Response:
        await pick(visit.services.directory).delete(visit.company, [visit.value("name")])
        return visit.go(back, visit.texts("Removed."))

    return (
        Page(path, Area.COMPANY, post=add),
        Page(f"{path}/delete", Area.COMPANY, post=delete),
    )
