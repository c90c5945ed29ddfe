"""A number's `route` document: how menus, attendant routes and schedules are kept in its row.

The document names employees, departments and files by row id, so that it is one place to clean
when one of them goes; `number_refs` repeats those ids as foreign keys. Here documents become the
values of `routes.py` (with logins and ids in clients' words) and are walked for cleaning.

    {"ivr": MENU, "work": ROUTE, "other": ROUTE, "schedule": {"monday": [32400, 64800], …},
     "custom": [{"id", "name", "route": ROUTE,
                 "intervals": [{"id", "days", "start", "end"}],
                 "calendar": [{"id", "start", "end", "predefined"}]}]}
    ROUTE = {"subtype", "user": id, "group": id, "telnum", "ivr": MENU, "greeting"}
    MENU = {"name", "greeting", "media": id, "items": [{"button", "type", "user"|"group"|"ivr"}]}
           or {"name"}: back to the menu of this name that it lies in
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from vpbx.directory.routes import (
    DAYS,
    CustomRoute,
    Day,
    Interval,
    Menu,
    MenuItem,
    Route,
    SpecialDay,
    Subtype,
)

Document: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    """What clients call the rows a document names: row id → login, department id, file id."""

    users: Mapping[int, str]
    groups: Mapping[int, str]
    media: Mapping[int, str]


def menu(document: Document | None, words: Words) -> Menu | None:
    """Return the menu kept in `document`."""
    if document is None:
        return None
    if "items" not in document:
        return Menu(document["name"])
    media = words.media.get(document.get("media") or 0, "")
    return Menu(
        document["name"],
        document["greeting"],
        bool(media),
        media,
        tuple(
            MenuItem(
                item["button"],
                item["type"],
                words.users.get(item.get("user") or 0, ""),
                words.groups.get(item.get("group") or 0, ""),
                menu(item.get("ivr"), words),
            )
            for item in document["items"]
        ),
    )


def route(document: Document | None, words: Words) -> Route | None:
    """Return the attendant route kept in `document`."""
    if document is None:
        return None
    return Route(
        Subtype(document["subtype"]),
        words.users.get(document.get("user") or 0, ""),
        words.groups.get(document.get("group") or 0, ""),
        document.get("telnum", ""),
        menu(document.get("ivr"), words),
        document.get("greeting", False),
    )


def schedule(document: Mapping[str, Any] | None) -> dict[str, Day]:
    """Return business hours: every day when any are set, none when not."""
    if document is None:
        return {}
    days = {}
    for day in DAYS:
        start, end = document.get(day, (0, 0))
        days[day] = Day(start, end, start >= end)
    return days


def custom_routes(document: Document, words: Words) -> tuple[CustomRoute, ...]:
    """Return the extra routes of a number's document."""
    result = []
    for custom in document.get("custom", ()):
        found = route(custom["route"], words)
        if found is None:
            continue
        result.append(
            CustomRoute(
                custom["id"],
                custom["name"],
                found,
                tuple(
                    Interval(each["id"], tuple(each["days"]), each["start"], each["end"])
                    for each in custom["intervals"]
                ),
                tuple(_special_day(each) for each in custom["calendar"]),
            )
        )
    return tuple(result)


def _special_day(document: Document) -> SpecialDay:
    if document["predefined"]:
        return SpecialDay(document["id"], calendar_predefined=True)
    return SpecialDay(
        document["id"],
        datetime.fromisoformat(document["start"]),
        datetime.fromisoformat(document["end"]),
    )


def routes_in(document: Document) -> Iterator[Document]:
    """Give every attendant route of a number's document."""
    for name in ("work", "other"):
        if document.get(name):
            yield document[name]
    for custom in document.get("custom", ()):
        yield custom["route"]


def tops_in(document: Document) -> list[Document]:
    """Return the menus of a number's document that lie in no other."""
    tops = [document.get("ivr"), *(each.get("ivr") for each in routes_in(document))]
    return [top for top in tops if top]


def menus_in(document: Document) -> Iterator[Document]:
    """Give every menu of a number's document, nested ones too."""
    waiting = tops_in(document)
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(item["ivr"] for item in found.get("items", ()) if item.get("ivr"))


def references(document: Document) -> set[tuple[str, int]]:
    """Return whom a document names: ("user" | "group" | "media", row id)."""
    found: set[tuple[str, int]] = set()
    for holder in routes_in(document):
        found.update((kind, holder[kind]) for kind in ("user", "group") if holder.get(kind))
    for each in menus_in(document):
        if each.get("media"):
            found.add(("media", each["media"]))
        for item in each.get("items", ()):
            found.update((kind, item[kind]) for kind in ("user", "group") if item.get(kind))
    return found
