"""Numbers and their routes (crm-api §9)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from vpbx.api.fields import Flag, Request, Text
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
from vpbx.api.operation import Section
from vpbx.api.paging import Info, ListQuery
from vpbx.directory import DomainConfig, Number, NumberType

__all__ = ["section", "show_number"]

section = Section("Numbers", "Numbers, and what answers them.")

Type = Literal["user", "group", "ivr", "scheduler", "fax"]
SCHEDULER = "Only with type scheduler"
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


class TelnumRoute(Request):
    """What answers the number."""

    type: Type
    greeting: Flag
    name: Text = ""
    user: Text = Field(
        "", description="Login or internal number; with type user, and fax (gets the pages)."
    )
    group: Text = Field("", description="A department's id, with type group.")
    ivr: IvrSetting | None = Field(None, description="The menu, with type ivr.")
    work: RouteSetting | None = Field(None, description="Business hours, with type scheduler.")
    other: RouteSetting | None = Field(None, description="Closed hours, with type scheduler.")
    custom_routes: list[CustomRouteSetting] = Field(
        [], max_length=100, description="Extra routes, with type scheduler."
    )
    schedule: ScheduleSetting | None = Field(None, description="With type scheduler.")
    greeting_file: Text = Field("", description="Id of a file of the media catalogue.")


class IntervalAddition(Request):
    """Extra hours of an extra route: an existing one (`route_id`), or a new one."""

    days: list[Weekday]
    start: int = Field(description="Seconds of the day.")
    end: int = Field(description="Seconds of the day.")
    route_id: Text = ""
    route_name: Text = ""


class SpecialDayAddition(Request):
    """A special day of an extra route: an existing one (`route_id`), or a new one."""

    start: Text = Field("", description="Local time, ISO 8601; not with the production calendar.")
    end: Text = Field("", description="Local time, ISO 8601; not with the production calendar.")
    calendar_predefined: Flag = Field(
        False, description="The production calendar of the domain's country."
    )
    route_id: Text = ""
    route_name: Text = ""


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
        shown["ivr"] = show_menu(number.ivr)
    elif number.type is NumberType.SCHEDULER and number.work and number.other:
        shown["work"] = show_route(number.work)
        shown["other"] = show_route(number.other)
        shown["custom_routes"] = [show_custom_route(item) for item in number.custom_routes]
        shown["schedule"] = show_schedule(number.schedule)
    return shown
