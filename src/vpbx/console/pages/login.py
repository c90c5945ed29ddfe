"""Logging in and out: password, then the second factor where there is one."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from vpbx.accounts import Account, Busy, Refused, TooMany
from vpbx.acting import Actor, acting
from vpbx.addresses import is_address
from vpbx.console.admit import company_of_host, safe_path, set_session
from vpbx.console.forms import errors_of
from vpbx.console.page import Door, Page
from vpbx.console.texts import LANGUAGES, texts
from vpbx.console.visit import Visit
from vpbx.directory import DomainConfig

_NEXT = "vpbx-next"
OPERATOR = "operator"
"""Value of `as` in the form of those who look after the server."""


async def show(visit: Visit) -> Response:
    if visit.session is not None and (visit.domain is not None or visit.is_operator):
        return visit.go("/")
    language = visit.asked("lang")
    if language in LANGUAGES:
        visit.texts = texts(language)
    answer = await _form(visit)
    if language in LANGUAGES:
        answer.set_cookie("vpbx-lang", language, max_age=31536000, samesite="lax")
    return answer


async def _form(visit: Visit, status: int = 200, **wrong: str) -> Response:
    company = await company_of_host(visit)
    return visit.page(
        "login.html",
        status=status,
        errors=wrong,
        company=company,
        is_empty=not visit.services.directory.domain_names(),
        login=visit.value("login"),
        as_operator=(visit.value("as") or visit.asked("as")) == OPERATOR,
        next=visit.value("next") or visit.asked("next"),
    )


async def log_in(visit: Visit) -> Response:
    accounts, login = visit.services.accounts, visit.value("login")
    password = visit.form.get("password")
    domain, name = await _whose(visit, login)
    try:
        account = await accounts.log_in(
            domain,
            name,
            password if isinstance(password, str) else "",
            visit.source,
            operator=visit.value("as") == OPERATOR,
        )
    except Refused as refused:
        return await _form(visit, 403, password=visit.texts.error(refused.message))
    except TooMany as many:
        minutes = -(-many.wait_s // 60)
        text = visit.texts.count(
            "Too many tries. Wait {n} minute.", "Too many tries. Wait {n} minutes.", minutes
        )
        return await _form(visit, 429, password=text)
    except Busy:
        text = visit.texts("Many log in right now. Try again in a moment.")
        return await _form(visit, 503, password=text)
    if visit.session is not None:  # never go on in a session that was there before
        await accounts.end(visit.session.account, visit.session.id)
    answer = await begin(visit, account, pending=account.has_second)
    if account.has_second:
        answer.set_cookie(
            _NEXT,
            safe_path(visit.value("next")),
            httponly=True,
            samesite="lax",
            secure=visit.secure,
            max_age=600,
        )
    return answer


async def begin(visit: Visit, account: Account, *, pending: bool) -> Response:
    """Open a session for an account and go where its owner wanted to."""
    token = await visit.services.accounts.open(
        account,
        pending=pending,
        address=visit.source,
        agent=visit.request.headers.get("user-agent", ""),
    )
    if not pending:
        with acting(Actor(str(account), "console", visit.source)):
            await visit.services.audit.note(account.domain_id, "log in", "", account.login)
    wanted = visit.value("next") or visit.request.cookies.get(_NEXT, "/")
    to = "/login/code" if pending else safe_path(wanted)
    answer = RedirectResponse(to, 303)
    if not pending:
        answer.delete_cookie(_NEXT)
    return set_session(answer, token, secure=visit.secure)


async def _whose(visit: Visit, login: str) -> tuple[DomainConfig | None, str]:
    """Return whose login this is: `ann` of the company that the host names, or `ann@company`."""
    company = await company_of_host(visit)
    name, at, of = login.rpartition("@")
    if not at:
        return company, login
    named = await visit.services.directory.domain(of.strip().lower())
    return (named if company is None or named is None or named.id == company.id else None), name


async def show_code(visit: Visit) -> Response:
    return await _code(visit)


async def _code(visit: Visit, status: int = 200, errors: dict[str, str] | None = None) -> Response:
    account, options = visit.mine.account, ""
    if account.has_passkey and not is_address(visit.site.host):
        options = await visit.services.accounts.passkeys.to_check(visit.mine, visit.site)
    return visit.page("code.html", status=status, errors=errors, account=account, options=options)


async def check_code(visit: Visit) -> Response:
    session, accounts = visit.mine, visit.services.accounts
    try:
        if visit.value("credential"):
            await accounts.passkeys.check(
                session, visit.site, visit.value("credential"), visit.source
            )
        else:
            await accounts.check_code(session.account, visit.value("code"), visit.source)
    except Refused as refused:
        return await _code(visit, 403, errors_of(refused, visit.texts))
    await accounts.end(session.account, session.id)
    return await begin(visit, session.account, pending=False)


async def log_out(visit: Visit) -> Response:
    session = visit.mine
    await visit.services.accounts.end(session.account, session.id)
    return set_session(RedirectResponse("/login", 303), "", secure=visit.secure)


pages = (
    Page("/login", None, get=show, post=log_in, door=Door.OPEN),
    Page("/login/code", None, get=show_code, post=check_code, door=Door.PENDING),
    Page("/logout", None, post=log_out, door=Door.ANYBODY),
)
