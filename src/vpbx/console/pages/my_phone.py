"""My phone: what a desk phone or an app is set up with, by hand, by a QR code or by a file.

Everybody for themselves, and administrators for every employee.
"""

from __future__ import annotations

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.page import Door, Page
from vpbx.console.provisioning import FILES, LIFE_S, Line, Server
from vpbx.console.qr import qr_svg
from vpbx.console.visit import Visit
from vpbx.directory import Employee, NotFound
from vpbx.directory.names import new_password

MINE = "/my-phone"
THEIRS = "/employees/{login}/phone"
GIVEN = "/provision"


def _mine(visit: Visit) -> tuple[Employee, str]:
    assert visit.employee is not None
    return visit.employee, MINE


async def _theirs(visit: Visit) -> tuple[Employee, str]:
    employee = await visit.services.directory.users.get(visit.company, visit.path("login"))
    return employee, THEIRS.replace("{login}", employee.login)


async def show(visit: Visit) -> Response:
    return _show(visit, *_mine(visit))


async def show_theirs(visit: Visit) -> Response:
    return _show(visit, *await _theirs(visit))


def _show(visit: Visit, employee: Employee, path: str, *, line: Line | None = None) -> Response:
    servers = _servers(visit)
    link = ""
    if line is not None:
        scheme = "https" if visit.secure else "http"
        link = f"{scheme}://{visit.authority}{GIVEN}/{visit.services.provisioning.give(line)}"
    directory = visit.services.directory
    phones = directory.locations.bindings(visit.company.id, employee.login)
    return visit.page(
        "phone/mine.html",
        employee=employee,
        path=path,
        is_mine=path == MINE,
        servers=servers,
        chosen=line.server if line is not None else servers[0] if servers else None,
        password=line.password if line is not None else "",
        link=link,
        picture=qr_svg(f"{link}/linphone.xml") if link else "",
        files=[
            n for n, (_, needs, _make) in FILES.items() if line and (line.password or not needs)
        ],
        minutes=int(LIFE_S // 60),
        phones=phones,
    )


def _servers(visit: Visit) -> list[Server]:
    """Return where phones may register, the plainest first."""
    found = []
    for uri in visit.services.sip_addresses().split():
        scheme, _, rest = uri.partition(":")
        host, _, port = rest.rpartition(":")
        for transport in ("tls",) if scheme == "sips" else ("udp", "tcp"):
            found.append(Server(transport, host.strip("[]"), int(port)))
    return sorted(found, key=lambda server: ("udp", "tcp", "tls").index(server.transport))


async def make(visit: Visit) -> Response:
    return await _make(visit, *_mine(visit))


async def make_theirs(visit: Visit) -> Response:
    return await _make(visit, *await _theirs(visit))


async def _make(visit: Visit, employee: Employee, path: str) -> Response:
    """Make a link; with `new`, a new password first, which is shown this once."""
    servers = _servers(visit)
    if not servers:
        return visit.go(path)
    server = next((s for s in servers if s.transport == visit.value("transport")), servers[0])
    password = new_password() if visit.value("new") == "1" else ""
    company, users = visit.company, visit.services.directory.users
    if password:
        employee = await users.edit(company, employee.login, {"password": password})
    await visit.services.audit.note(
        company.id, f"employees.{employee.login}.phone", "", "a link that sets up a phone"
    )
    return _show(visit, employee, path, line=Line(company, employee, server, password))


async def give(visit: Visit) -> Response:
    """Answer a phone that follows a link."""
    token, name = visit.path("token"), visit.path("file")
    services = visit.services
    company = await services.directory.domain_by_id(services.provisioning.company_of(token))
    line = services.provisioning.line(token, company) if company is not None else None
    if line is None or name not in FILES:
        raise NotFound("no such link")
    media_type, needs_password, made = FILES[name]
    if needs_password and not line.password:
        raise NotFound("no such link")
    return Response(made(line), media_type=f"{media_type}; charset=utf-8")


pages = (
    Page(MINE, Area.MINE, get=show, post=make, label="My phone", icon="phone", weighty=True),
    Page(THEIRS, Area.COMPANY, get=show_theirs, post=make_theirs, weighty=True),
    Page(f"{GIVEN}/{{token}}/{{file}}", None, get=give, door=Door.OPEN),
)
