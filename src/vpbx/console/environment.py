"""What templates know in each language: of pages and of letters."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from vpbx.console.agents import browser_of
from vpbx.console.reasons import explained
from vpbx.console.texts import LANGUAGES, duration, phone, texts

__all__ = ["ROLE_WORDS", "UTC_ZONE", "environment"]

UTC_ZONE = ZoneInfo("UTC")

ROLE_WORDS = {
    "admin": "Administrator",
    "group_head": "Head of department",
    "user": "Employee",
    "restricted_user": "Employee, own calls only",
}


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
        browser_of=browser_of,
        explained=lambda reason: explained(reason, spoken),
        utc=UTC_ZONE,
        role_words=ROLE_WORDS,
        translated=lambda words: [(key, spoken(text)) for key, text in words.items()],
    )
    return made
