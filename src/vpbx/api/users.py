"""Employees (crm-api §6)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from starlette.responses import Response

from vpbx.api.answer import answer, no_content
from vpbx.api.fields import Flag, Name, Number, Request, Text
from vpbx.api.models import Model, State, only_if
from vpbx.api.operation import Call, Section
from vpbx.api.paging import Info, ListQuery, envelope
from vpbx.directory import Employee

__all__ = ["section"]

section = Section("Employees", "Employees; a `{login}` is a username or an internal number.")

Role = Literal["admin", "group_head", "user", "restricted_user"]
ADDITION = {
    "name": "User",
    "mobile": "79008004455",
    "mobile_redirect": {"enabled": True, "forward": False, "delay": 15},
}
CHANGE = {"name": "Ivan", "role": "admin", "ext": "708"}
USER = {
    "login": "u704",
    "name": "User",
    "position": "Manager",
    "email": "",
    "ext": "704",
    "telnum": "",
    "role": "user",
    "mobile": "79008004455",
    "mobile_redirect": {"enabled": True, "forward": False, "delay": 15},
}
PAGE = {"items": [USER], "info": {"search": "", "total": 1, "start": 0, "limit": 1}}
GROUPS = [{"id": "sales", "name": "Sales department", "ext": "700"}]
STATE = {"state": True}
STATUS = "Registration status of their devices; only with `with=status`."


class Redirect(Model):
    """Redirect to the mobile; `forward` and `delay` only if enabled."""

    enabled: bool
    forward: bool = only_if("Only if enabled: only the mobile rings.")
    delay: int = only_if("Only if enabled: seconds before the mobile rings too.")


class User(Model):
    """An employee."""

    login: str
    name: str
    position: str
    email: str
    ext: str
    telnum: str = Field(description="Direct number.")
    role: Role
    mobile: str
    mobile_redirect: Redirect
    status: Literal["online", "offline"] = only_if(STATUS)


class NewUser(User):
    """An employee just added."""

    password: str = only_if("Only if it was generated: shown this once.")


class UserPage(Model):
    """Employees."""

    items: list[User]
    info: Info


class GroupRef(Model):
    """A department an employee is a member of."""

    id: str
    name: str
    ext: str


class WithStatus(Request):
    """What to add."""

    extra: Literal["status"] | None = Field(None, alias="with", description=STATUS)


class UserListQuery(ListQuery, WithStatus):
    """Search in login, name, position, email, ext, telnum, mobile."""


class RedirectSetting(Request):
    """Redirect to the mobile."""

    enabled: Flag
    forward: Flag = Field(False, description="true: only the mobile rings; false: all devices.")
    delay: Number = Field(0, description="0, 5, 10 or 15 seconds before the mobile rings too.")


class UserChange(Request):
    """Only what is sent changes."""

    name: Name = ""
    password: Text = ""
    position: Text = ""
    email: Text = ""
    ext: Text = ""
    role: Role = "user"
    mobile: Text = ""
    mobile_redirect: RedirectSetting | None = Field(None, description="Enabling needs `mobile`.")


class UserAddition(UserChange):
    """A new employee."""

    name: Name
    login: Text = Field("", description="Default: `u` and the internal number.")
    password: Text = Field("", description="Default: generated, and then answered once.")
    position: Text = "Manager"
    ext: Text = Field("", description="Default: the lowest free one.")


class SubscriptionQuery(Request):
    """Which department."""

    group_id: Text = Field("", description="A department's id; without it, all of theirs.")


def show_user(call: Call, employee: Employee, *, status: bool = False) -> dict[str, Any]:
    """Return an employee as User."""
    redirect = employee.mobile_redirect
    shown: dict[str, Any] = {
        "login": employee.login,
        "name": employee.name,
        "position": employee.position,
        "email": employee.email,
        "ext": employee.ext,
        "telnum": employee.telnum,
        "role": employee.role.value,
        "mobile": employee.mobile,
        "mobile_redirect": {"enabled": False},
    }
    if redirect.enabled:
        shown["mobile_redirect"] = {
            "enabled": True,
            "forward": redirect.forward,
            "delay": redirect.delay,
        }
    if status:
        users = call.services.directory.users
        is_online = users.is_online(call.domain, employee.login)
        shown["status"] = "online" if is_online else "offline"
    return shown


@section.get(
    "/users", query=UserListQuery, answer=UserPage, shows=PAGE, summary="List of employees"
)
async def list_users(call: Call, params: UserListQuery) -> Response:
    """Search in login, name, position, email, ext, telnum, mobile."""
    page = await call.services.directory.users.list(
        call.domain, search=params.search, start=params.start, limit=params.limit
    )
    status = params.extra is not None
    return answer(envelope(page, lambda employee: show_user(call, employee, status=status)))


@section.get(
    "/users/{login}", query=WithStatus, answer=User, shows=USER, summary="Receiving an employee"
)
async def get_user(call: Call, params: WithStatus) -> Response:
    """One employee."""
    employee = await call.services.directory.users.get(call.domain, call.path["login"])
    return answer(show_user(call, employee, status=params.extra is not None))


@section.post(
    "/users",
    body=UserAddition,
    answer=NewUser,
    shows={**USER, "password": "generated-password"},
    right=("Employees", "Creating"),
    example=ADDITION,
    summary="Adding an employee",
)
async def add_user(call: Call, params: UserAddition) -> Response:
    """The answer bears `password` only if it was generated: it is shown this once."""
    made = await call.services.directory.users.add(call.domain, params.sent())
    shown = show_user(call, made.employee)
    if made.password:
        shown["password"] = made.password
    return answer(shown)


@section.put(
    "/users/{login}",
    body=UserChange,
    answer=User,
    shows=USER,
    right=("Employees", "Editing"),
    example=CHANGE,
    summary="Editing an employee",
)
async def edit_user(call: Call, params: UserChange) -> Response:
    """Only what is sent changes."""
    users = call.services.directory.users
    employee = await users.edit(call.domain, call.path["login"], params.sent())
    return answer(show_user(call, employee))


@section.delete("/users/{login}", right=("Employees", "Deleting"), summary="Deleting an employee")
async def delete_user(call: Call) -> Response:
    """Their calls in progress go on and their history stays; whatever named them is cleaned."""
    await call.services.directory.users.delete(call.domain, call.path["login"])
    return no_content()


@section.get(
    "/users/{login}/groups", answer=list[GroupRef], shows=GROUPS, summary="Employee department list"
)
async def list_groups_of_user(call: Call) -> Response:
    """The departments an employee is a member of."""
    groups = await call.services.directory.users.groups(call.domain, call.path["login"])
    return answer([{"id": group.id, "name": group.name, "ext": group.ext} for group in groups])


@section.get(
    "/users/{login}/subscription",
    query=SubscriptionQuery,
    answer=State,
    shows=STATE,
    summary="Status of receiving calls in a department",
)
async def get_subscription(call: Call, params: SubscriptionQuery) -> Response:
    """Whether the employee receives calls in a department; without `group_id`: in all of theirs."""
    users = call.services.directory.users
    state = await users.subscription(call.domain, call.path["login"], params.group_id)
    return answer({"state": state})


@section.post(
    "/users/{login}/subscription",
    query=SubscriptionQuery,
    summary="Enabling call reception in a department",
)
async def enable_subscription(call: Call, params: SubscriptionQuery) -> Response:
    """In one department; without `group_id`: in all of theirs."""
    return await _subscribe(call, params, True)


@section.delete(
    "/users/{login}/subscription",
    query=SubscriptionQuery,
    summary="Disabling call reception in a department",
)
async def disable_subscription(call: Call, params: SubscriptionQuery) -> Response:
    """In one department; without `group_id`: in all of theirs."""
    return await _subscribe(call, params, False)


async def _subscribe(call: Call, params: SubscriptionQuery, state: bool) -> Response:
    users = call.services.directory.users
    await users.set_subscription(call.domain, call.path["login"], state, params.group_id)
    return no_content()


@section.get("/users/{login}/dnd", answer=State, shows=STATE, summary="Call receiving status")
async def get_dnd(call: Call) -> Response:
    """`true`: the employee receives calls (inverted against the name)."""
    users = call.services.directory.users
    return answer({"state": await users.dnd(call.domain, call.path["login"])})


@section.post("/users/{login}/dnd", summary="Enable receiving calls")
async def enable_calls(call: Call) -> Response:
    """The employee receives calls again."""
    await call.services.directory.users.set_dnd(call.domain, call.path["login"], True)
    return no_content()


@section.delete("/users/{login}/dnd", summary="Disable receiving calls")
async def disable_calls(call: Call) -> Response:
    """Do not disturb."""
    await call.services.directory.users.set_dnd(call.domain, call.path["login"], False)
    return no_content()
