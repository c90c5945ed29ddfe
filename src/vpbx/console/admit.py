"""Who gets to a page: sessions, second factors, roles, and that a form is one of ours."""

from __future__ import annotations

import hmac
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from vpbx.accounts import Session
from vpbx.api.gate import AUTHORITY, SECURE, asked_domain
from vpbx.console.look import Look
from vpbx.console.page import Door, Page
from vpbx.console.services import ConsoleServices
from vpbx.console.texts import LANGUAGES, texts
from vpbx.console.visit import Visit
from vpbx.console.widget import COOKIE, WIDGET
from vpbx.directory import DomainConfig

__all__ = [
    "Turned",
    "admit",
    "check_form",
    "company_of_host",
    "is_own",
    "safe_path",
    "set_session",
]

LOGIN = "/login"
ENROL = "/me/second-factor"


class Turned(Exception):
    """The request does not get to the page; this is the answer instead."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


def cookie_name(secure: bool) -> str:
    """Return the session's cookie; over HTTPS no other host or path can set it (RFC 6265bis)."""
    return "__Host-vpbx" if secure else "vpbx"


def set_session(answer: Response, token: str, *, secure: bool) -> Response:
    """Give the browser a session, or take it away (token "")."""
    name = cookie_name(secure)
    if token:
        answer.set_cookie(name, token, httponly=True, samesite="lax", secure=secure, path="/")
    else:
        answer.delete_cookie(name, httponly=True, samesite="lax", secure=secure, path="/")
    return answer


def safe_path(path: str) -> str:
    """Return where to go after logging in: a path of ours, never another site."""
    parts = urlsplit(path)
    is_path = path.startswith("/") and not path.startswith(("//", "/\\"))
    if not is_path or parts.scheme or parts.netloc or not path.isprintable() or "\\" in path:
        return "/"
    return path


async def admit(page: Page, request: Request, services: ConsoleServices, look: Look) -> Visit:
    """Return the visit to a page; raises `Turned`."""
    token = request.cookies.get(cookie_name(request.scope[SECURE]), "")
    session = await services.accounts.session(token) if token else None
    if session is None and page.framed:
        token = request.cookies.get(COOKIE, "")
        session = await services.accounts.session(token) if token else None
    if session is not None and session.agent.startswith(WIDGET) and not page.framed:
        session = None  # it counts for the phone alone
    visit = Visit(
        request, services, look, texts(_language(request)), token if session else "", session
    )
    if request.method not in ("GET", "HEAD") and not is_own(request):
        raise Turned(_refused(visit, "This form was not sent from this console."))
    if session is not None:
        await _place(visit, session)
    if page.door is Door.OPEN:
        return visit
    if session is None or (visit.domain is None and not visit.is_operator):
        raise Turned(_to_login(request))
    if session.pending != (page.door is Door.PENDING) and page.path != "/logout":
        raise Turned(RedirectResponse("/login/code" if session.pending else "/", 303))
    if not session.pending and page.path != "/logout":
        await _check_place(page, visit, session)
    return visit


async def _place(visit: Visit, session: Session) -> None:
    """Find the company and the employee of a session, and their language."""
    account = session.account
    company_id = session.company_id if account.is_operator else account.domain_id
    domain = await visit.services.directory.domain_by_id(company_id) if company_id else None
    if domain is not None and not account.is_operator:
        employee = domain.employees.get(account.login)
        asked = asked_domain(visit.request.scope)
        other = asked not in (None, domain.name) and visit.services.directory.knows(asked or "")
        if employee is None or not domain.enabled or other:
            domain = None
        visit.employee = employee if domain is not None else None
    visit.domain = domain
    language = account.language or (domain.language if domain is not None else "")
    if language:
        visit.texts = texts(language)


async def _check_place(page: Page, visit: Visit, session: Session) -> None:
    if page.door is Door.OPERATOR and not visit.is_operator:
        raise Turned(visit.page("error.html", status=403, title="Not for you", text=FORBIDDEN))
    if page.door is Door.COMPANY and visit.domain is None:
        raise Turned(RedirectResponse("/operator", 303))
    if not visit.may(page.area) and page.path == "/":
        raise Turned(RedirectResponse(visit.look.first(visit), 303))
    if not visit.may(page.area):
        raise Turned(visit.page("error.html", status=403, title="Not for you", text=FORBIDDEN))
    if (
        not page.path.startswith(ENROL)
        and visit.employee is not None
        and not session.account.has_second
    ):
        wanted = await visit.services.accounts.settings.get(session.account.domain_id)
        if visit.employee.role in wanted.second_factor and page.path != "/logout":
            raise Turned(RedirectResponse(ENROL, 303))


FORBIDDEN = (
    "Your role does not include this page. An administrator of your company can change that."
)


def check_form(visit: Visit) -> None:
    """Raise `Turned` unless the form bears the session's own token."""
    if not visit.token:
        return
    sent = visit.request.headers.get("x-csrf", "") or visit.value("csrf")
    if not hmac.compare_digest(sent.encode(), visit.csrf.encode()):
        raise Turned(_refused(visit, "This form is too old. Go back, reload the page, try again."))


def is_own(request: Request) -> bool:
    """Say whether a request that changes something comes from a page of this very console.

    Browsers say so in Sec-Fetch-Site or Origin; what says neither is no browser's form.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    host = request.headers.get("host", "")
    forwarded = request.scope[AUTHORITY]
    return bool(origin) and urlsplit(origin).netloc.lower() in (host.lower(), forwarded)


def _refused(visit: Visit, text: str) -> Response:
    return visit.page("error.html", status=403, title="Not sent", text=text)


def _to_login(request: Request) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    after = f"?next={quote(wanted)}" if request.method == "GET" and wanted != "/" else ""
    answer = RedirectResponse(LOGIN + after, 303)
    if request.headers.get("hx-request"):
        # a piece of a page was asked for: the whole browser has to go
        answer = RedirectResponse(LOGIN, 303)
        answer.headers["HX-Redirect"] = LOGIN
        answer.status_code = 200
    return answer


def _language(request: Request) -> str:
    chosen = request.cookies.get("vpbx-lang", "")
    if chosen in LANGUAGES:
        return chosen
    for part in request.headers.get("accept-language", "").split(","):
        code = part.partition(";")[0].strip()[:2].lower()
        if code in LANGUAGES:
            return code
    return "en"


async def company_of_host(visit: Visit) -> DomainConfig | None:
    """Return the company whose console the request's host names, or the only one there is."""
    directory = visit.services.directory
    asked = asked_domain(visit.request.scope)
    if asked is not None and directory.knows(asked):
        return await directory.domain(asked)
    names = directory.domain_names()
    return await directory.domain(names[0]) if len(names) == 1 else None
