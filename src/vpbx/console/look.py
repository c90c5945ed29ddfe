"""How pages are rendered: templates, the menu, and the headers that go with every page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from vpbx.console.areas import Area
from vpbx.console.assets import Assets
from vpbx.console.texts import LANGUAGES, duration, phone, texts

if TYPE_CHECKING:
    from vpbx.console.visit import Visit

UTC_ZONE = ZoneInfo("UTC")

ROLE_WORDS = {
    "admin": "Administrator",
    "group_head": "Head of department",
    "user": "Employee",
    "restricted_user": "Employee, own calls only",
}

__all__ = ["HEADERS", "Entry", "Look", "environment"]

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


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the menu."""

    path: str
    label: str
    icon: str
    area: Area | None


def environment(language: str) -> Environment:
    """Return templates in a language."""
    made = Environment(
        loader=PackageLoader("vpbx.console"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    spoken = texts(language)
    made.install_gettext_translations(spoken.translations, newstyle=True)  # type: ignore[attr-defined]
    made.globals.update(
        t=spoken,
        languages=LANGUAGES,
        phone=phone,
        duration=duration,
        utc=UTC_ZONE,
        role_words=ROLE_WORDS,
        translated=lambda words: [(key, spoken(text)) for key, text in words.items()],
    )
    return made


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

    def first(self, visit: Visit) -> str:
        """Return the first page of the menu that somebody may use."""
        return next(entry.path for entry in self._menu if visit.may(entry.area))

    def render(self, template: str, visit: Visit, **values: Any) -> str:
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
