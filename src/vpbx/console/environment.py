"""What templates know in each language: of pages and of letters."""

from __future__ import annotations

from typing import cast
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, nodes
from jinja2.ext import InternationalizationExtension
from jinja2.parser import Parser

from vpbx.console.agents import browser_of
from vpbx.console.reasons import explained
from vpbx.console.texts import LANGUAGES, Texts, duration, phone, texts

__all__ = ["ROLE_WORDS", "UTC_ZONE", "environment"]

UTC_ZONE = ZoneInfo("UTC")

ROLE_WORDS = {
    "admin": "Administrator",
    "group_head": "Head of department",
    "user": "Employee",
    "restricted_user": "Employee, own calls only",
}


class _Translated(InternationalizationExtension):
    """`{% trans %}` as Jinja has it, translated as a template is compiled where it has no values
    to be filled in: an environment speaks one language. That halves what rendering takes."""

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        line = parser.stream.current.lineno
        found = super().parse(parser)
        text = _constant(found)
        if text is None:
            return found
        said = cast(Texts, self.environment.globals["t"])(text) % {}
        return nodes.Output([nodes.TemplateData(said)], lineno=line)


def _constant(node: nodes.Node | list[nodes.Node]) -> str | None:
    match node:
        case nodes.Output(nodes=[nodes.Call(args=[nodes.Const(value=str(text))], kwargs=[])]):
            return text
    return None


def environment(language: str) -> Environment:
    """Return templates in a language."""
    made = Environment(
        loader=PackageLoader("vpbx.console"),
        extensions=[_Translated],
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
