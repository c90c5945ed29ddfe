"""Letters that the console writes: subject, plain text and HTML, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment

from vpbx.console.environment import UTC_ZONE, environment
from vpbx.console.texts import texts
from vpbx.directory import DomainConfig

__all__ = ["Letter", "invitation_letter", "rendered"]


@dataclass(frozen=True, slots=True)
class Letter:
    """What goes to somebody."""

    subject: str
    body: str
    html: str


def invitation_letter(company: DomainConfig | None, name: str, link: str, until: float) -> Letter:
    """Return the invitation to choose a password; `company` None: of an operator."""
    say = texts(company.language if company is not None else "en")
    zone = company.zone if company is not None else UTC_ZONE
    about = company.name if company is not None else "VPBX"
    values = {"name": name, "about": about, "link": link, "until": say.moment(until, zone)}
    body, html = rendered(say.language, "invitation", values)
    return Letter(" ".join(say("Invitation to {about}", about=about).split()), body, html)


def rendered(language: str, name: str, values: dict[str, Any]) -> tuple[str, str]:
    """Return a letter's bodies, plain and HTML, from the templates of its name."""
    made = _environment(language)
    plain, rich = (made.get_template(f"letters/{name}.{kind}") for kind in ("txt", "html"))
    return plain.render(values), rich.render(values)


@cache
def _environment(language: str) -> Environment:
    return environment(language)
