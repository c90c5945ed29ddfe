"""Numbers and their routes (crm-api §9)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from starlette.responses import Response

from vpbx.api.answer import answer, no_content
from vpbx.api.fields import Flag, Request, Text, as_list, one_or_more
from vpbx.api.fields import Number as Whole
from vpbx.api.models import Model, only_if
from vpbx.api.number_routes import (
    CustomRouteSetting,
    CustomRouteView,
    DaySetting,
    DayView,
    IvrSetting,
    IvrView,
    RouteSetting,
    RouteView,
    Weekday,
    show_custom_route,
    show_menu,
    show_route,
    show_schedule,
)
from vpbx.api.operation import Call, Section
from vpbx.api.paging import Info, ListQuery, envelope
from vpbx.api.plain import Act, done
from vpbx.directory import DomainConfig, Number, NumberType

__all__ = ["section", "show_number"]

section = Section("Numbers", "Numbers, and what answers them.")

Type = Literal["user", "group", "ivr", "scheduler", "fax"]
TELNUM = {
    "telnum": "79007775555",
    "name": "",
    "type": "group",
    "greeting": False,
    "is_main_phone": True,
    "location": "",
    "disabled": False,
    "crm": "",
    "calltracking": "",
    "greeting_custom": False,
    "greeting_file": "",
    "user": "",
    "user_name": "",
    "group": "sales",
    "group_name": "Sales department",
    "route_group_id": "",
    "route_group_name": "",
}
PAGE = {"items": [TELNUM], "info": {"search": "", "total": 1, "start": 0, "limit": 1}}
INTERVAL = {
    "days": ["monday", "tuesday", "wednesday"],
    "route_name": "Third shift",
    "start": 68400,
    "end": 82800,
}
SPECIAL_DAY = {
    "route_name": "New Year",
    "start": "2023-12-31T00:00:00",
    "end": "2024-01-07T23:59:00",
}
_OF_A_ROUTE = "Of an existing extra route (`route_id`), or of a new one (`route_name`)."
SCHEDULER = "Only with type scheduler"
FAX = "`fax` receives pages, by sound or T.38, as a PDF: by e-mail and in history."
VIEW = ("Numbers", "View")
EDITING = ("Numbers", "Editing")


class Schedule(Model):
    """Business hours; all seven days, or none: then it is always business hours."""

    monday: DayView = only_if("Only when a schedule is set.")
    tuesday: DayView = only_if("Only when a schedule is set.")
    wednesday: DayView = only_if("Only when a schedule is set.")
    thursday: DayView = only_if("Only when a schedule is set.")
    friday: DayView = only_if("Only when a schedule is set.")
    saturday: DayView = only_if("Only when a schedule is set.")
    sunday: DayView = only_if("Only when a schedule is set.")


class Telnum(Model):
    """A number and its route."""

    telnum: str
    name: str
    type: Type
    greeting: bool
    is_main_phone: bool
    location: str = Field(description="Region.")
    disabled: bool = Field(description="Receives no calls.")
    crm: str = Field(
        description="Login or department id that gets the call if the responsible employee "
        "does not answer."
    )
    calltracking: str
    greeting_custom: bool
    greeting_file: str
    user: str
    user_name: str
    group: str
    group_name: str
    route_group_id: str
    route_group_name: str
    ivr: IvrView = only_if("Only with type ivr.")
    work: RouteView = only_if(f"{SCHEDULER}: business hours.")
    other: RouteView = only_if(f"{SCHEDULER}: closed hours.")
    custom_routes: list[CustomRouteView] = only_if(f"{SCHEDULER}: extra routes.")
    schedule: Schedule = only_if(f"{SCHEDULER}: business hours.")


class TelnumPage(Model):
    """Numbers."""

    items: list[Telnum]
    info: Info


class TelnumListQuery(ListQuery):
    """Search in telnum, name, user, user_name, group, group_name."""


class ScheduleSetting(Request):
    """Business hours; a day left out is a day off; times are rounded to the minute."""

    monday: DaySetting | None = None
    tuesday: DaySetting | None = None
    wednesday: DaySetting | None = None
    thursday: DaySetting | None = None
    friday: DaySetting | None = None
    saturday: DaySetting | None = None
    sunday: DaySetting | None = None


class TelnumChange(Request):
    """What answers the number; only what is sent changes."""

    type: Type = Field("user", description=FAX)
    greeting: Flag = False
    name: Text = ""
    user: Text = Field(
        "", description="Login or internal number; with type user, and fax (gets the pages)."
    )
    group: Text = Field("", description="A department's id, with type group.")
    ivr: IvrSetting | None = Field(None, description="The menu, with type ivr.")
    work: RouteSetting | None = Field(None, description="Business hours, with type scheduler.")
    other: RouteSetting | None = Field(None, description="Closed hours, with type scheduler.")
    custom_routes: Annotated[
        list[CustomRouteSetting], BeforeValidator(one_or_more), Field(max_length=100)
    ] = Field([], description="Extra routes, with type scheduler.")
    schedule: ScheduleSetting | None = Field(None, description="With type scheduler.")
    greeting_file: Text = Field("", description="Id of a file of the media catalogue.")
    calltracking: Text = Field("", description="Kept as given.")


class TelnumRoute(TelnumChange):
    """What answers the number."""

    type: Type = Field(description=FAX)
    greeting: Flag


class IntervalChange(Request):
    """Only what is sent changes."""

    days: Annotated[list[Weekday], BeforeValidator(as_list)] = Field([])
    start: Whole = Field(0, description="Seconds of the day.")
    end: Whole = Field(0, description="Seconds of the day.")
    route_id: Text = Field("", description="An existing extra route.")
    route_name: Text = Field("", description="A new extra route.")


class IntervalAddition(IntervalChange):
    """Extra hours of an extra route: an existing one (`route_id`), or a new one."""

    days: Annotated[list[Weekday], BeforeValidator(as_list)]
    start: Whole = Field(description="Seconds of the day.")
    end: Whole = Field(description="Seconds of the day.")


class SpecialDayChange(Request):
    """Only what is sent changes."""

    start: Text = Field("", description="Local time, ISO 8601; not with the production calendar.")
    end: Text = Field("", description="Local time, ISO 8601; not with the production calendar.")
    calendar_predefined: Flag = Field(
        False, description="The production calendar of the domain's country."
    )
    route_id: Text = Field("", description="An existing extra route.")
    route_name: Text = Field("", description="A new extra route.")


class SpecialDayAddition(SpecialDayChange):
    """A special day of an extra route: an existing one (`route_id`), or a new one.

    start and end are needed, unless the production calendar is asked for.
    """


def show_number(domain: DomainConfig, number: Number) -> dict[str, Any]:
    """Return a number as Telnum."""
    employee = domain.employees.get(number.user)
    department = domain.departments.get(number.group)
    shown: dict[str, Any] = {
        "telnum": number.telnum,
        "name": number.name,
        "type": number.type.value,
        "greeting": number.greeting,
        "is_main_phone": number.telnum == domain.main_telnum,
        "location": number.location,
        "disabled": not number.enabled,
        "crm": number.crm,
        "calltracking": number.calltracking,
        "greeting_custom": number.greeting_custom,
        "greeting_file": number.greeting_file,
        "user": number.user,
        "user_name": employee.name if employee is not None else "",
        "group": number.group,
        "group_name": department.name if department is not None else "",
        "route_group_id": "",
        "route_group_name": "",
    }
    if number.type is NumberType.IVR and number.ivr is not None:
        shown["ivr"] = show_menu(domain, number.ivr)
    elif number.type is NumberType.SCHEDULER and number.work and number.other:
        shown["work"] = show_route(domain, number.work)
        shown["other"] = show_route(domain, number.other)
        shown["custom_routes"] = [show_custom_route(domain, item) for item in number.custom_routes]
        shown["schedule"] = show_schedule(number.schedule)
    return shown


async def _answer(call: Call, number: Number) -> Response:
    domain = await call.services.directory.current(call.domain)
    return answer(show_number(domain, number))


@section.get(
    "/telnums",
    query=TelnumListQuery,
    answer=TelnumPage,
    right=VIEW,
    shows=PAGE,
    summary="Number list",
)
async def list_telnums(call: Call, params: TelnumListQuery) -> Response:
    """Search in telnum, name, user, user_name, group, group_name."""
    directory = call.services.directory
    page = await directory.telnums.list(
        call.domain, search=params.search, start=params.start, limit=params.limit
    )
    domain = await directory.current(call.domain)
    return answer(envelope(page, lambda number: show_number(domain, number)))


@section.get(
    "/telnums/{telnum}", answer=Telnum, right=VIEW, shows=TELNUM, summary="Getting a number"
)
async def get_telnum(call: Call) -> Response:
    """One number and its route."""
    telnums = call.services.directory.telnums
    return await _answer(call, await telnums.get(call.domain, call.path["telnum"]))


@section.post("/telnums/{telnum}/enabled", right=EDITING, summary="Enable receiving calls")
async def enable_telnum(call: Call) -> Response:
    """Receive calls on the number."""
    await call.services.directory.telnums.set_enabled(call.domain, call.path["telnum"], True)
    return no_content()


@section.delete("/telnums/{telnum}/enabled", right=EDITING, summary="Disable receiving calls")
async def disable_telnum(call: Call) -> Response:
    """Receive no calls on the number."""
    await call.services.directory.telnums.set_enabled(call.domain, call.path["telnum"], False)
    return no_content()


_ROUTE = {
    "answer": Telnum,
    "right": EDITING,
    "example": {"type": "group", "group": "sales", "greeting": False},
    "shows": TELNUM,
    "summary": "Editing the number route",
}


@section.post("/telnums/{telnum}", body=TelnumRoute, **_ROUTE)
@section.put("/telnums/{telnum}", body=TelnumChange, **_ROUTE)
async def edit_telnum(call: Call, params: TelnumChange) -> Response:
    """What each type needs: user → user; group → group; ivr → ivr; scheduler → work, other,
    schedule, optionally custom_routes; fax → user. POST and PUT do the same; PUT asks for no
    more than what changes.
    """
    telnums = call.services.directory.telnums
    number = await telnums.edit(call.domain, call.path["telnum"], params.sent())
    return await _answer(call, number)


def _extra(
    path: str,
    what: str,
    bodies: tuple[type[Request], type[Request]],
    example: dict[str, Any],
    acts: tuple[Act, Act, Act],
) -> None:
    """Declare how `what` of an extra route is added, edited and deleted: what is sent for the
    first two, and the operations of the directory, in this order."""
    addition, change = bodies
    add, edit, delete = acts
    one = f"{path}/{{id}}"
    shown: dict[str, Any] = {"answer": Telnum, "example": example, "shows": TELNUM}
    section.post(path, body=addition, right=EDITING, summary=f"Adding {what}", **shown)(
        done(add, _OF_A_ROUTE, path=("telnum",), show=_answer)
    )
    section.put(one, body=change, right=EDITING, summary=f"Editing {what}", **shown)(
        done(edit, "Only what is sent changes.", path=("telnum", "id"), show=_answer)
    )
    section.delete(one, right=EDITING, summary=f"Deleting {what}")(
        done(delete, "Its extra route stays.", path=("telnum", "id"))
    )


_extra(
    "/telnums/{telnum}/interval-schedule",
    "an extra interval",
    (IntervalAddition, IntervalChange),
    INTERVAL,
    (
        lambda directory: directory.telnums.add_interval,
        lambda directory: directory.telnums.edit_interval,
        lambda directory: directory.telnums.delete_interval,
    ),
)
_extra(
    "/telnums/{telnum}/calendar-schedule",
    "a special day",
    (SpecialDayAddition, SpecialDayChange),
    SPECIAL_DAY,
    (
        lambda directory: directory.telnums.add_special_day,
        lambda directory: directory.telnums.edit_special_day,
        lambda directory: directory.telnums.delete_special_day,
    ),
)
