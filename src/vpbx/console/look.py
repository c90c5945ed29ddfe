"""How pages are rendered: templates, the menu, and the headers that go with every page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jinja2 import Environment
from starlette.requests import Request

from vpbx.console.areas import Area
from vpbx.console.assets import Assets
from vpbx.console.environment import environment
from vpbx.console.texts import LANGUAGES, Texts
from vpbx.console.turns import by_turns
from vpbx.directory import DomainConfig

__all__ = ["HEADERS", "Entry", "Look"]

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; media-src 'self' blob:; font-src 'self'; manifest-src 'self'; "
        "worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
    "X-Frame-Options": "DENY",
}


_GROUP_WORDS: dict[Area | None, str] = {
    Area.COMPANY: "Company",
    Area.MINE: "Mine",
    None: "Mine",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the menu."""

    path: str
    label: str
    icon: str
    area: Area | None

    @property
    def group(self) -> str:
        """The words above the first entry of its kind; the calls, first of all, need none."""
        return _GROUP_WORDS.get(self.area, "")


class Visitor(Protocol):
    """Who looks at a page, as far as its frame depends on them (`vpbx.console.visit.Visit`)."""

    @property
    def request(self) -> Request: ...

    @property
    def texts(self) -> Texts: ...

    @property
    def domain(self) -> DomainConfig | None: ...

    def may(self, area: Area | None) -> bool: ...


class Look:
    """Renders templates in the language of a visit."""

    def __init__(self, menu: Sequence[Entry]) -> None:
        self.assets = Assets()
        self._menu = tuple(menu)
        self._environments = {language: self._environment(language) for language in LANGUAGES}

    def _environment(self, language: str) -> Environment:
        made = environment(language)
        made.globals.update(asset=self.assets.url, has_asset=self.assets.has)
        return made

    def fragment(self, template: str, language: str, **values: Any) -> str:
        """Return a piece of a page that is the same for several viewers."""
        return self._environments[language].get_template(template).render(**values)

    async def long_fragment(self, template: str, language: str, **values: Any) -> str:
        """Return a piece that may be long, rendered a little in a turn of the loop; what `values`
        hold must not change meanwhile."""
        found = self._environments[language].get_template(template)
        return "".join([piece async for piece in by_turns(found.generate(**values))])

    def first(self, visit: Visitor) -> str:
        """Return the first page of the menu that somebody may use."""
        return next(entry.path for entry in self._menu if visit.may(entry.area))

    def render(self, template: str, visit: Visitor, **values: Any) -> str:
        """Return a template as text."""
        found = self._environments[visit.texts.language].get_template(template)
        return found.render(
            visit=visit,
            domain=visit.domain,
            zone=visit.domain.zone if visit.domain is not None else None,
            menu=[entry for entry in self._menu if visit.domain and visit.may(entry.area)],
            here=visit.request.url.path,
            **values,
        )
