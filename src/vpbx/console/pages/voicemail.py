"""Voicemail: messages left, heard and removed; who has a mailbox, and who gets copies."""

from __future__ import annotations

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.lists import list_pages
from vpbx.console.page import Page
from vpbx.console.pages.call import recording
from vpbx.console.services import Message
from vpbx.console.visit import Visit
from vpbx.directory import NotFound

VOICEMAIL = "/voicemail"


async def show(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, errors: dict[str, str] | None = None) -> Response:
    domain, directory = visit.company, visit.services.directory
    own = visit.employee.login if visit.employee is not None else ""
    tallies = await visit.services.boxes.tallies(domain.id)
    copies = domain.settings.voicemail
    email = visit.value("email") if "email" in visit.form else copies.email
    return visit.page(
        "voicemail/page.html",
        status=400 if errors else 200,
        errors=errors,
        own=own,
        messages=await visit.services.boxes.messages(domain.id, own) if own else (),
        may_remove=True,
        boxes=[
            (employee, *tallies[login])
            for login, employee in domain.employees.items()
            if login != own and login in tallies and visit.reach.sees(login=login)
        ],
        may_set=visit.may(Area.COMPANY),
        everybody="all" in visit.form if visit.form else copies.all,
        email=email,
        users=await directory.am_users.list(domain),
        groups=await directory.am_groups.list(domain),
    )


def _login(visit: Visit) -> str:
    """Return whose box the path names; NotFound for one that may not be looked into."""
    login = visit.path("login")
    if login not in visit.company.employees or not visit.reach.sees(login=login):
        raise NotFound("no such mailbox")
    return login


def _may_remove(visit: Visit, login: str) -> bool:
    """Whose box it is takes messages out, and administrators; a head of department listens."""
    own = visit.employee is not None and visit.employee.login == login
    return own or visit.may(Area.COMPANY)


async def show_box(visit: Visit) -> Response:
    login = _login(visit)
    return visit.page(
        "voicemail/box.html",
        employee=visit.company.employees[login],
        own=login,
        messages=await visit.services.boxes.messages(visit.company.id, login),
        may_remove=_may_remove(visit, login),
    )


async def _message(visit: Visit, login: str) -> Message:
    for message in await visit.services.boxes.messages(visit.company.id, login):
        if str(message.id) == visit.path("message"):
            return message
    raise NotFound("no such message")


async def play(visit: Visit) -> Response:
    """Answer with the sound; where its owner listens, the message is a heard one from then on."""
    login = _login(visit)
    message = await _message(visit, login)
    answer = await recording(visit, message.callid)
    own = visit.employee is not None and visit.employee.login == login
    if own and not message.heard and visit.request.method == "GET":
        visit.services.boxes.hear(visit.company.id, login, message.id)
        await visit.services.boxes.settled()
    return answer


async def delete(visit: Visit) -> Response:
    login = _login(visit)
    if not _may_remove(visit, login):
        raise NotFound("no such message")
    message = await _message(visit, login)
    boxes = visit.services.boxes
    boxes.delete(visit.company.id, login, message.id)
    await boxes.settled()
    told = f"{message.client} {visit.texts.moment(message.left_at, visit.company.zone)}"
    await visit.services.audit.note(visit.company.id, f"voicemail {login}", told.strip())
    own = visit.employee is not None and visit.employee.login == login
    return visit.go(VOICEMAIL if own else f"{VOICEMAIL}/of/{login}", visit.texts("Removed."))


async def save(visit: Visit) -> Response:
    values = {"am_all": "all" in visit.form, "am_email": visit.value("email")}
    try:
        await visit.services.directory.companies.edit(visit.company, values)
    except Wrong as error:
        wrong = errors_of(error, visit.texts)
        return await _show(visit, {n.removeprefix("am_"): text for n, text in wrong.items()})
    return visit.go(VOICEMAIL, visit.texts("Saved."))


pages = (
    Page(VOICEMAIL, Area.CALLS, get=show, label="Voicemail", icon="mail"),
    Page(f"{VOICEMAIL}/settings", Area.COMPANY, post=save, weighty=True),
    *list_pages(f"{VOICEMAIL}/users", VOICEMAIL, lambda directory: directory.am_users),
    *list_pages(f"{VOICEMAIL}/groups", VOICEMAIL, lambda directory: directory.am_groups),
    Page(f"{VOICEMAIL}/of/{{login}}", Area.CALLS, get=show_box),
    Page(f"{VOICEMAIL}/of/{{login}}/{{message}}/sound", Area.CALLS, get=play),
    Page(f"{VOICEMAIL}/of/{{login}}/{{message}}/delete", Area.CALLS, post=delete),
)
