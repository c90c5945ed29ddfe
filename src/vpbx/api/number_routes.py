"""The parts of a number's route (crm-api §9): menus, attendant routes, schedules."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from vpbx.api.fields import Flag, Number, Request, Text, as_list, as_text, one_or_more
from vpbx.api.models import Model, only_if
from vpbx.directory import (
    CustomRoute,
    Day,
    DomainConfig,
    Interval,
    Menu,
    MenuItem,
    Route,
    SpecialDay,
)

__all__ = [
    "CustomRouteSetting",
    "CustomRouteView",
    "DaySetting",
    "DayView",
    "IvrSetting",
    "IvrView",
    "RouteSetting",
    "RouteView",
    "Weekday",
    "show_custom_route",
    "show_menu",
    "show_route",
    "show_schedule",
]

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Subtype = Literal["user", "group", "ivr", "telnum", "voicemail", "message"]
Button = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#", "timeout"]
ItemType = Literal["user", "group", "ivr"]
_BUTTON = {
    "anyOf": [
        {"type": "string", "enum": list(get_args(Button))},
        {"type": "integer", "minimum": 0, "maximum": 9},
    ]
}
"""A button as clients write it: a digit also as a number."""
SECONDS = "Seconds of the day, local time."


class IvrItemView(Model):
    """A button of a menu."""

    button: Button
    type: ItemType
    user: str = only_if("Only with type user.")
    user_name: str = only_if("Only with type user.")
    group: str = only_if("Only with type group.")
    group_name: str = only_if("Only with type group.")
    ivr: IvrView = only_if(
        "Only with type ivr: the menu inside; without items, back to the menu of this name."
    )


class IvrView(Model):
    """A self-service menu."""

    name: str
    greeting: bool
    greeting_custom: bool
    items: list[IvrItemView]


class RouteView(Model):
    """An attendant route."""

    subtype: Subtype
    user: str = only_if("Only with subtype user.")
    group: str = only_if("Only with subtype group.")
    telnum: str = only_if("Only with subtype telnum.")
    ivr: IvrView = only_if("Only with subtype ivr.")
    greeting: bool


class IntervalView(Model):
    """Extra hours."""

    id: str
    days: list[Weekday]
    start: int = Field(description=SECONDS)
    end: int = Field(description=SECONDS)


class SpecialDayView(Model):
    """A special day."""

    id: str
    start: str = Field(description="Local time, ISO 8601; empty with the production calendar.")
    end: str = Field(description="Local time, ISO 8601; empty with the production calendar.")
    calendar_predefined: bool = Field(description="The days of the production calendar.")


class CustomRouteView(RouteView):
    """An extra route, and when it holds."""

    id: str
    name: str
    interval_schedule: list[IntervalView]
    calendar_schedule: list[SpecialDayView]


class DayView(Model):
    """Business hours of a day."""

    start: int = Field(description=SECONDS)
    end: int = Field(description=SECONDS)
    holiday: bool


class IvrItemSetting(Request):
    """A button of a menu."""

    button: Annotated[Button, BeforeValidator(as_text), WithJsonSchema(_BUTTON)]
    type: ItemType
    user: Text = Field("", description="Login or internal number, with type user.")
    group: Text = Field("", description="A department's id, with type group.")
    ivr: IvrSetting | None = Field(
        None, description="A menu inside, with type ivr; or the name of a menu of this number."
    )


class IvrSetting(Request):
    """A self-service menu; a mere text is the name of a menu that the number has."""

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str) else data

    name: Text = ""
    greeting: Flag = False
    greeting_custom: Flag = False
    greeting_file: Text = Field("", description="Id of an `ivr` file of the media catalogue.")
    items: Annotated[list[IvrItemSetting], BeforeValidator(one_or_more)] = Field([])


class RouteSetting(Request):
    """An attendant route."""

    subtype: Subtype
    user: Text = Field("", description="Login or internal number, with subtype user.")
    group: Text = Field("", description="A department's id, with subtype group.")
    telnum: Text = Field("", description="An outside number, with subtype telnum.")
    ivr: IvrSetting | None = Field(None, description="With subtype ivr.")
    greeting: Flag = False


class IntervalSetting(Request):
    """Extra hours."""

    id: Text = ""
    days: Annotated[list[Weekday], BeforeValidator(as_list)]
    start: Number = Field(description=SECONDS)
    end: Number = Field(description=SECONDS)


class SpecialDaySetting(Request):
    """A special day: from start to end, or the production calendar."""

    id: Text = ""
    start: Text = Field("", description="Local time, ISO 8601: 2023-12-31T00:00:00")
    end: Text = Field("", description="Local time, ISO 8601: 2024-01-07T23:59:00")
    calendar_predefined: Flag = Field(False, description="The production calendar's days.")


class CustomRouteSetting(RouteSetting):
    """An extra route, and when it holds."""

    id: Text = ""
    name: Text = ""
    interval_schedule: Annotated[list[IntervalSetting], BeforeValidator(one_or_more)] = Field([])
    calendar_schedule: Annotated[list[SpecialDaySetting], BeforeValidator(one_or_more)] = Field([])


class DaySetting(Request):
    """Business hours of a day; rounded to the minute."""

    start: Number = Field(description=SECONDS)
    end: Number = Field(description=SECONDS)
    holiday: Flag = Field(False, description="A day off.")


def show_menu(domain: DomainConfig, menu: Menu) -> dict[str, Any]:
    """Return a menu as IvrView."""
    return {
        "name": menu.name,
        "greeting": menu.greeting,
        "greeting_custom": menu.greeting_custom,
        "items": [_show_item(domain, item) for item in menu.items],
    }


def _show_item(domain: DomainConfig, item: MenuItem) -> dict[str, Any]:
    shown: dict[str, Any] = {"button": item.button, "type": str(item.type)}
    if item.type == "user":
        employee = domain.employees.get(item.user)
        shown.update(user=item.user, user_name=employee.name if employee else "")
    elif item.type == "group":
        department = domain.departments.get(item.group)
        shown.update(group=item.group, group_name=department.name if department else "")
    elif item.ivr is not None:
        shown["ivr"] = show_menu(domain, item.ivr)
    return shown


def show_route(domain: DomainConfig, route: Route) -> dict[str, Any]:
    """Return an attendant route as RouteView."""
    shown: dict[str, Any] = {"subtype": route.subtype.value, "greeting": route.greeting}
    if route.subtype in ("user", "group", "telnum"):
        shown[route.subtype.value] = getattr(route, route.subtype.value)
    elif route.ivr is not None:
        shown["ivr"] = show_menu(domain, route.ivr)
    return shown


def show_custom_route(domain: DomainConfig, custom: CustomRoute) -> dict[str, Any]:
    """Return an extra route as CustomRouteView."""
    return {
        "id": custom.id,
        "name": custom.name,
        **show_route(domain, custom.route),
        "interval_schedule": [_show_interval(item) for item in custom.interval_schedule],
        "calendar_schedule": [_show_special_day(item) for item in custom.calendar_schedule],
    }


def _show_interval(item: Interval) -> dict[str, Any]:
    return {"id": item.id, "days": list(item.days), "start": item.start, "end": item.end}


def _show_special_day(item: SpecialDay) -> dict[str, Any]:
    return {
        "id": item.id,
        "start": item.start.isoformat() if item.start else "",
        "end": item.end.isoformat() if item.end else "",
        "calendar_predefined": item.calendar_predefined,
    }


def show_schedule(schedule: Any) -> dict[str, Any]:
    """Return business hours: all seven days, or nothing when there is no schedule."""
    return {name: _show_day(day) for name, day in schedule.items()}


def _show_day(day: Day) -> dict[str, Any]:
    return {"start": day.start, "end": day.end, "holiday": day.holiday}
