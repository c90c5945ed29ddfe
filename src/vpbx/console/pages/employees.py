"""Employees: the list, one's form, their invitation to the console."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.letters import invitation_letter
from vpbx.console.page import Page
from vpbx.console.visit import Visit
from vpbx.directory import Employee, NewEmployee, NotFound
from vpbx.directory import mentions as depends

LIST = "/employees"
_PAGE = 100
_PLAIN = ("name", "position", "email", "ext", "role", "mobile")


async def list_(visit: Visit) -> Response:
    directory, search = visit.services.directory, visit.asked("search")
    start = visit.number("start") or 0
    found = await directory.users.list(visit.company, search=search, start=start, limit=_PAGE)
    return visit.page(
        "employees/list.html",
        found=found,
        search=search,
        accounts=await visit.services.accounts.of_domain(visit.company),
        is_online=lambda employee: directory.users.is_online(visit.company, employee.login),
    )


async def new(visit: Visit) -> Response:
    return _form(visit, None, {"role": "user"})


async def add(visit: Visit) -> Response:
    users = visit.services.directory.users
    values = {name: visit.value(name) for name in (*_PLAIN, "login") if visit.value(name)}
    try:
        made = await users.add(visit.company, values)
    except Wrong as error:
        return _form(visit, None, dict(visit.form), errors_of(error, visit.texts))
    return _made(visit, made)


def _made(visit: Visit, made: NewEmployee) -> Response:
    """Show the password of their phones, this once."""
    return visit.page("employees/made.html", employee=made.employee, password=made.password)


async def show(visit: Visit) -> Response:
    employee = await visit.services.directory.users.get(visit.company, visit.path("login"))
    return await _card(visit, employee)


async def _card(
    visit: Visit,
    employee: Employee,
    sent: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    accounts = await visit.services.accounts.of_domain(visit.company)
    redirect = employee.mobile_redirect
    kind = "only" if redirect.forward else "too"
    values = sent or {
        **{name: str(getattr(employee, name)) for name in _PLAIN},
        "redirect": kind if redirect.enabled else "off",
        "delay": str(redirect.delay),
        "receives_calls": employee.receives_calls,
        "call_waiting": employee.call_waiting,
    }
    return _form(
        visit,
        employee,
        values,
        errors,
        account=accounts.get(employee.login),
        groups=visit.company.departments_of(employee.login),
        depends=depends.of_employee(visit.company, employee),
        online=visit.services.directory.users.is_online(visit.company, employee.login),
    )


def _form(
    visit: Visit,
    employee: Employee | None,
    values: dict[str, Any],
    errors: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    return visit.page(
        "employees/form.html",
        status=400 if errors else 200,
        errors=errors,
        employee=employee,
        values=values,
        **more,
    )


async def save(visit: Visit) -> Response:
    users, domain = visit.services.directory.users, visit.company
    employee = await users.get(domain, visit.path("login"))
    redirect = visit.value("redirect", "off")
    values: dict[str, Any] = {name: visit.value(name) for name in _PLAIN}
    values["mobile_redirect"] = {
        "enabled": redirect != "off",
        "forward": redirect == "only",
        "delay": visit.value("delay", "0") if redirect == "too" else 0,
    }
    try:
        await users.edit(domain, employee.login, values)
    except Wrong as error:
        sent = {**dict(visit.form), "receives_calls": "receives_calls" in visit.form}
        sent["call_waiting"] = "call_waiting" in visit.form
        return await _card(visit, employee, sent, errors_of(error, visit.texts))
    receives, waiting = "receives_calls" in visit.form, "call_waiting" in visit.form
    if receives != employee.receives_calls:
        await users.set_dnd(domain, employee.login, receives)
    if waiting != employee.call_waiting:
        await users.set_call_waiting(domain, employee.login, waiting)
    return visit.go(LIST, visit.texts("{name} is saved.", name=values["name"]))


async def gives_more(visit: Visit) -> bool:
    """Say whether the form gives an employee other rights, or sends what they get elsewhere."""
    employee = await visit.services.directory.users.get(visit.company, visit.path("login"))
    return visit.value("role") != employee.role or visit.value("email") != employee.email


async def delete(visit: Visit) -> Response:
    users = visit.services.directory.users
    employee = await users.get(visit.company, visit.path("login"))
    await users.delete(visit.company, employee.login)
    return visit.go(LIST, visit.texts("{name} is removed.", name=employee.name))


async def new_password(visit: Visit) -> Response:
    """Give their phones another password."""
    from vpbx.directory.names import new_password as random_password

    users = visit.services.directory.users
    employee = await users.get(visit.company, visit.path("login"))
    password = random_password()
    await users.edit(visit.company, employee.login, {"password": password})
    return _made(visit, NewEmployee(employee, password))


async def invite(visit: Visit) -> Response:
    accounts = visit.services.accounts
    employee = await visit.services.directory.users.get(visit.company, visit.path("login"))
    by_mail = "mail" in visit.form
    if by_mail and not (employee.email and visit.services.sends_mail):
        raise NotFound("no address to send it to")
    made = await accounts.invite(visit.company, employee.login)
    told = f"invited {employee.login}" + (f" by mail to {employee.email}" if by_mail else "")
    await visit.services.audit.note(visit.company.id, "console", "", told)
    link = f"{visit.services.link_base(visit.company.name)}/invite/{made.token}"
    if by_mail:
        letter = invitation_letter(visit.company, employee.name, link, made.expires_at)
        await visit.services.send_mail(visit.company.id, employee.email, letter)
        said = visit.texts("The invitation is on its way to {to}.", to=employee.email)
        return visit.go(f"{LIST}/{quote(employee.login)}", said)
    return visit.page("employees/invited.html", employee=employee, link=link, until=made.expires_at)


async def revoke(visit: Visit) -> Response:
    """Take the console away from an employee."""
    accounts = visit.services.accounts
    employee = await visit.services.directory.users.get(visit.company, visit.path("login"))
    account = (await accounts.of_domain(visit.company)).get(employee.login)
    if account is not None:
        await accounts.remove(account)
        await visit.services.audit.note(visit.company.id, "console", employee.login, "")
    note = visit.texts("{name} can no longer use the console.", name=employee.name)
    return visit.go(f"{LIST}/{employee.login}", note)


pages = (
    Page(LIST, Area.COMPANY, get=list_, label="Employees", icon="people"),
    Page(f"{LIST}/new", Area.COMPANY, get=new, post=add, weighty=True),
    Page(f"{LIST}/{{login}}", Area.COMPANY, get=show, post=save, weighty=gives_more),
    Page(f"{LIST}/{{login}}/delete", Area.COMPANY, post=delete, weighty=True),
    Page(f"{LIST}/{{login}}/password", Area.COMPANY, post=new_password, weighty=True),
    Page(f"{LIST}/{{login}}/invite", Area.COMPANY, post=invite, weighty=True),
    Page(f"{LIST}/{{login}}/revoke", Area.COMPANY, post=revoke, weighty=True),
)
