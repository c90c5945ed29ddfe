"""Taking up an invitation: choosing a password."""

from __future__ import annotations

from starlette.responses import Response

from vpbx.accounts import Account
from vpbx.acting import Actor, acting
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Door, Page
from vpbx.console.pages.login import begin
from vpbx.console.texts import texts
from vpbx.console.visit import Visit


async def show(visit: Visit) -> Response:
    account = await visit.services.accounts.invited(visit.path("token"))
    if account is None:
        return _worthless(visit)
    await _speak(visit, account)
    return visit.page("invitation.html", account=account)


async def accept(visit: Visit) -> Response:
    accounts = visit.services.accounts
    account = await accounts.invited(visit.path("token"))
    if account is None:
        return _worthless(visit)
    await _speak(visit, account)
    password = visit.form.get("password")
    again = visit.form.get("again")
    if not isinstance(password, str) or password != again:
        wrong = {"again": visit.texts("The two are not the same.")}
        return visit.page("invitation.html", status=400, errors=wrong, account=account)
    try:
        account = await accounts.accept(visit.path("token"), password)
    except Wrong as error:
        wrong = errors_of(error, visit.texts)
        return visit.page("invitation.html", status=400, errors=wrong, account=account)
    with acting(Actor(str(account), "console", visit.source)):
        what = "password of the console"
        await visit.services.audit.note(account.domain_id, what, "invited", "•••")
    if visit.session is not None:
        await accounts.end(visit.session.account, visit.session.id)
    return await begin(visit, account, pending=account.has_second)


async def _speak(visit: Visit, account: Account) -> None:
    """Speak the language of the company somebody is invited to."""
    domain = await visit.services.directory.domain_by_id(account.domain_id)
    if domain is not None and "vpbx-lang" not in visit.request.cookies:
        visit.texts = texts(account.language or domain.language)


def _worthless(visit: Visit) -> Response:
    return visit.page(
        "error.html",
        status=404,
        title="This invitation is over",
        text="It was used, replaced by a newer one, or is too old. Ask for another.",
    )


pages = (Page("/invite/{token}", None, get=show, post=accept, door=Door.OPEN),)
