"""One request to the console, with everything a page asks for: who, where, in which language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from vpbx.accounts import Session, Site
from vpbx.accounts.store import hashed
from vpbx.api.gate import AUTHORITY, CLIENT, SECURE
from vpbx.console.areas import Area, Reach, may, reach
from vpbx.console.look import Look
from vpbx.console.services import ConsoleServices
from vpbx.console.texts import Texts
from vpbx.directory import DomainConfig, Employee, Role, composed
from vpbx.history import Seen

__all__ = ["Note", "Visit"]

_NOTE = "vpbx-note"
_DONE, _FAILED = "+", "-"
THEMES = ("light", "dark")
_NOTE_S = 60
_LONGEST_NOTE = 600
_LONGEST_TEXT = 20_000


@dataclass(frozen=True, slots=True)
class Note:
    """What became of the form that was just sent, told once."""

    text: str
    is_bad: bool = False


@dataclass(slots=True)
class Visit:
    """A request. `domain` and `employee` are the newest there are; None on open pages."""

    request: Request
    services: ConsoleServices
    look: Look
    texts: Texts
    token: str = field(default="", repr=False)
    session: Session | None = None
    domain: DomainConfig | None = None
    employee: Employee | None = None
    form: FormData = field(default_factory=FormData)

    # Who and where

    @property
    def company(self) -> DomainConfig:
        """The company this is about; only on pages that are within one."""
        assert self.domain is not None
        return self.domain

    @property
    def mine_employee(self) -> Employee:
        """Who is logged in as themselves; only on pages of `Area.MINE`."""
        assert self.employee is not None
        return self.employee

    @property
    def mine(self) -> Session:
        """The session; only on pages for who is logged in."""
        assert self.session is not None
        return self.session

    @property
    def source(self) -> str:
        """The address the request came from."""
        client: str = self.request.scope[CLIENT]
        return client

    @property
    def secure(self) -> bool:
        """Whether it came by HTTPS."""
        return bool(self.request.scope[SECURE])

    @property
    def authority(self) -> str:
        """Host and port it was sent to."""
        found: str = self.request.scope[AUTHORITY]
        return found

    @property
    def site(self) -> Site:
        """Where the browser believes to be."""
        scheme = "https" if self.secure else "http"
        host = urlsplit(f"//{self.authority}").hostname or ""
        return Site(host, f"{scheme}://{self.authority}")

    @property
    def role(self) -> Role | None:
        """The role of who is logged in; operators are administrators of the company they enter."""
        if self.employee is not None:
            return self.employee.role
        return Role.ADMIN if self.domain is not None and self.is_operator else None

    @property
    def is_operator(self) -> bool:
        return self.session is not None and self.session.account.is_operator

    def may(self, area: Area | None) -> bool:
        """Say whether who is logged in may use an area."""
        if area is None:
            return True
        return self.role is not None and may(self.role, area, own=self.employee is not None)

    @property
    def reach(self) -> Reach:
        """Whose calls they may see."""
        if self.employee is None:
            return Reach(self.role is Role.ADMIN, (), ())
        return reach(self.company, self.employee)

    @property
    def seen(self) -> Seen | None:
        """What history may show them."""
        found = self.reach
        return None if found.everybody else self._seen(found.logins, found.groups)

    @property
    def own(self) -> Seen:
        """What history has of who is logged in as themselves, whatever else they may see."""
        return self._seen((self.mine_employee.login,), ())

    def _seen(self, logins: tuple[str, ...], groups: tuple[str, ...]) -> Seen:
        """Return what is of these employees, and nothing of who had their logins before."""
        people = self.company.employees
        since = {login: people[login].since_ms for login in logins if login in people}
        return Seen(logins, groups, {who: at for who, at in since.items() if at})

    @property
    def csrf(self) -> str:
        """What every form must bring back."""
        return hashed("csrf:" + self.token) if self.token else ""

    # What was sent

    def value(self, name: str, default: str = "") -> str:
        """Return a field of the form as text, trimmed."""
        found = self.form.get(name, default)
        return _text(found) if isinstance(found, str) else default

    def values(self, name: str) -> list[str]:
        """Return all values of a field."""
        return [_text(value) for value in self.form.getlist(name) if isinstance(value, str)]

    def asked(self, name: str, default: str = "") -> str:
        """Return a parameter of the address, trimmed."""
        return _text(self.request.query_params.get(name, default))

    def number(self, name: str) -> int | None:
        """Return a parameter of the address as a number that a database takes; None for others."""
        found = self.asked(name)
        return int(found) if found.isascii() and found.isdecimal() and len(found) < 10 else None

    def path(self, name: str) -> str:
        """Return a part of the path."""
        found: str = self.request.path_params[name]
        return found.replace("\0", "")

    @property
    def theme(self) -> str:
        """light, dark, or "" for what the device wants."""
        chosen = self.request.cookies.get("vpbx-theme", "")
        return chosen if chosen in THEMES else ""

    # Answers

    def page(
        self,
        template: str,
        *,
        status: int = 200,
        errors: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """Return a page; `errors`: what is wrong, by field."""
        note = unquote(self.request.cookies.get(_NOTE, ""))[:_LONGEST_NOTE]
        told = Note(note[1:], note[:1] != _DONE) if note else None
        body = self.look.render(template, self, note=told, errors=errors or {}, **values)
        answer = Response(body, status_code=status, media_type="text/html")
        if note:
            answer.delete_cookie(_NOTE)
        return answer

    def fragment(self, template: str, **values: Any) -> Response:
        """Return a piece of a page, for a script of ours that asked for it."""
        body = self.look.fragment(template, self.texts.language, **values)
        return Response(body, media_type="text/html")

    def go(self, path: str, note: str = "", *, failed: bool = False) -> Response:
        """Send the browser to another page of ours, where `note` is shown once; `failed`: it
        says why something was not done."""
        assert path.startswith("/")
        assert not path.startswith("//")
        answer = RedirectResponse(path, status_code=303)
        if note:
            answer.set_cookie(
                _NOTE,
                quote((_FAILED if failed else _DONE) + note[:300]),
                max_age=_NOTE_S,
                httponly=True,
                samesite="strict",
                secure=self.secure,
            )
        return answer


def _text(found: str) -> str:
    """Return what was sent, trimmed, as text is kept: composed, without characters nobody sees,
    and without NUL, which PostgreSQL takes in no text."""
    plain = found.replace("\0", "").strip()
    return composed(plain).strip() if len(plain) <= _LONGEST_TEXT else plain
