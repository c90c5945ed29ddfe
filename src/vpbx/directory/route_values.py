"""Reading a number's route as a client sends it (crm-api §9) into its document.

What a client sends names employees by login or ext, departments by id, files by id; the document
names rows (`documents.py`). Times of the day are rounded to the minute.
"""

from __future__ import annotations

import copy
import itertools
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from vpbx.directory import tables
from vpbx.directory.documents import Document, menus_in, tops_in
from vpbx.directory.names import group_row, user_row
from vpbx.directory.routes import DAY_S, DAYS, Subtype
from vpbx.directory.scope import Tx
from vpbx.directory.values import Values

BUTTONS = (*"0123456789*#", "timeout")
ITEM_TYPES = ("user", "group", "ivr")
MAX_DEPTH = 5
MAX_MENUS = 200
_LOST_PLUS = re.compile(r"T.*\d \d\d:?\d\d\Z")
MAX_CUSTOM = 100
MAX_SPANS = 400


@dataclass(slots=True)
class RouteReader:
    """Reads the parts of one number's route; `before` is its document so far."""

    tx: Tx
    before: Document
    menu_files: dict[str, int] = field(default_factory=dict)
    """Name of a menu of `before` → its prompt's row id."""
    _named: list[tuple[Values, Document]] = field(default_factory=list)
    """Where a menu was given by its name alone: the reader of it, and the document it is in."""

    def __post_init__(self) -> None:
        for menu in menus_in(self.before):
            if menu.get("media"):
                self.menu_files[menu["name"]] = menu["media"]

    async def user(self, values: Values) -> int | None:
        """Read field `user`: a login or ext."""
        row = await user_row(self.tx, values.text("user", required=True))
        if row is None and values.has("user"):
            values.wrong("user", "must be the login or internal number of an employee")
        return row.id if row is not None else None

    async def group(self, values: Values) -> int | None:
        """Read field `group`: the id (or ext) of a department."""
        row = await group_row(self.tx, values.text("group", required=True))
        if row is None and values.has("group"):
            values.wrong("group", "must be the id of a department")
        return row.id if row is not None else None

    async def media(self, values: Values, kind: str) -> int | None:
        """Read field `greeting_file`: the id of an uploaded file of this kind, "" for none."""
        file_id = values.text("greeting_file")
        if not file_id:
            return None
        files = tables.media_files
        row = await self.tx.first(files, files.c.file_id == file_id, files.c.type == kind)
        if row is None:
            values.wrong("greeting_file", f"must be the id of a {kind} file of the media catalogue")
            return None
        return int(row.id)

    async def menu(self, values: Values, depth: int = 1) -> Document:
        """Read a menu; one without buttons is a menu of this number, by name: see `link`."""
        name = values.text("name")
        if name and not values.raw("items"):
            named: Document = {"name": name}
            if values.has("greeting"):
                named["greeting"] = values.boolean("greeting")
            self._named.append((values, named))
            return named
        document: Document = {
            "name": name,
            "greeting": values.boolean("greeting"),
            "media": await self._prompt(values, name),
            "items": [],
        }
        buttons: set[str] = set()
        items = values.objects("items", max_items=len(BUTTONS))
        if not items:
            values.wrong("items", "must have at least one button")
        for item in items:
            button = item.choice("button", BUTTONS, "", required=True)
            if button in buttons:
                item.wrong("button", f"{button} is there twice")
            buttons.add(button)
            document["items"].append(await self._item(item, button, depth))
        return document

    def link(self, document: Document) -> None:
        """Put in place the menus that were given by name, once all of `document` was read.

        A menu that leads back to one it lies in keeps the name alone; another becomes a copy of
        its own. Menus of the number as it was count where the new document has none of the name.
        """
        known: dict[str, Document] = {}
        for each in (*menus_in(self.before), *menus_in(document)):
            if each.get("items"):
                known[each["name"]] = each
        for values, named in self._named:
            if named["name"] not in known:
                values.wrong("items", "must have at least one button: no menu here has this name")
                return
        if self._named:
            linker = _Linker(copy.deepcopy(known))
            for top in tops_in(document):
                linker.link(top, ())
            if linker.fault:
                self._named[0][0].wrong("name", linker.fault)

    async def route(self, values: Values) -> Document:
        """Read an attendant route."""
        subtype = values.choice("subtype", Subtype, Subtype.MESSAGE, required=True)
        document: Document = {"subtype": subtype.value, "greeting": values.boolean("greeting")}
        if subtype is Subtype.USER:
            document["user"] = await self.user(values)
        elif subtype is Subtype.GROUP:
            document["group"] = await self.group(values)
        elif subtype is Subtype.TELNUM:
            document["telnum"] = values.phone("telnum", required=True)
        elif subtype is Subtype.IVR:
            menu = values.object("ivr", required=True)
            document["ivr"] = await self.menu(menu) if menu is not None else None
        return document

    async def custom_routes(self, values: Values) -> list[Document]:
        """Read `custom_routes`, the whole list; ids the number knows are kept."""
        known = {each["id"] for each in self.before.get("custom", ())}
        known |= {
            each["id"]
            for custom in self.before.get("custom", ())
            for each in (*custom["intervals"], *custom["calendar"])
        }
        result: list[Document] = []
        for item in values.objects("custom_routes", max_items=MAX_CUSTOM):
            name = item.text("name", required=True)
            if any(name == other["name"] for other in result):
                item.wrong("name", f"{name} is there twice")
            intervals = item.objects("interval_schedule", max_items=MAX_SPANS)
            calendar = item.objects("calendar_schedule", max_items=MAX_SPANS)
            result.append(
                {
                    "id": _kept_id(item, known),
                    "name": name,
                    "route": await self.route(item),
                    "intervals": [
                        {"id": _kept_id(each, known), **read_interval(each)} for each in intervals
                    ],
                    "calendar": [
                        {"id": _kept_id(each, known), **self.special_day(each)} for each in calendar
                    ],
                }
            )
        return result

    def special_day(self, values: Values) -> Document:
        """Read start and end, or calendar_predefined."""
        if values.boolean("calendar_predefined"):
            return {"start": "", "end": "", "predefined": True}
        start = self._moment(values, "start", "00:00")
        end = self._moment(values, "end", "23:59")
        if start and end and end < start:
            values.wrong("end", "must not be before start")
        return {
            "start": start.isoformat() if start else "",
            "end": end.isoformat() if end else "",
            "predefined": False,
        }

    def _moment(self, values: Values, field: str, of_day: str) -> datetime | None:
        text = values.text(field, required=True)
        if not text:
            return None
        if _LOST_PLUS.search(text):  # a query or form turned the plus into a space
            text = "+".join(text.rsplit(" ", 1))
        try:
            moment = datetime.fromisoformat(f"{text}T{of_day}" if len(text) <= 10 else text)
            if moment.tzinfo is not None:
                moment = moment.astimezone(ZoneInfo(self.tx.domain.timezone)).replace(tzinfo=None)
        except (ValueError, OverflowError):
            values.wrong(field, "must be a local date and time like 2024-01-07T23:59:00")
            return None
        if not 2000 <= moment.year < 2200:
            values.wrong(field, "must be in this century or the next")
            return None
        return moment.replace(second=0, microsecond=0)

    async def _item(self, item: Values, button: str, depth: int) -> Document:
        kind = item.choice("type", ITEM_TYPES, "", required=True)
        document: Document = {"button": button, "type": kind}
        if kind == "user":
            document["user"] = await self.user(item)
        elif kind == "group":
            document["group"] = await self.group(item)
        elif kind == "ivr":
            nested = item.object("ivr", required=True)
            if nested is not None and depth >= MAX_DEPTH:
                item.wrong("ivr", f"menus may be nested {MAX_DEPTH} deep")
            elif nested is not None:
                document["ivr"] = await self.menu(nested, depth + 1)
        return document

    async def _prompt(self, values: Values, name: str) -> int | None:
        """Return the row id of a menu's own prompt.

        `greeting_custom` without `greeting_file` keeps the prompt a menu of this name had, or
        takes the uploaded `ivr` file that is called like the menu.
        """
        if values.has("greeting_file"):
            return await self.media(values, "ivr")
        if not values.boolean("greeting_custom"):
            return None
        if name in self.menu_files:
            return self.menu_files[name]
        files = tables.media_files
        for row in await self.tx.all(files, files.c.type == "ivr"):
            if (name and row.name.rpartition(".")[0] == name) or row.name == name:
                return int(row.id)
        values.wrong("greeting_custom", "needs an uploaded ivr file named like the menu")
        return None


class _Linker:
    """Fills in menus that have only a name, within bounds: what names others may multiply."""

    def __init__(self, known: Mapping[str, Document]) -> None:
        self._known = known
        self._count = 0
        self.fault = ""

    def link(self, menu: Document, above: tuple[str, ...]) -> None:
        """Complete `menu` and all below it; `above` are the names of those it lies in."""
        if not menu.get("items"):
            menu.update({**copy.deepcopy(self._known[menu["name"]]), **menu})
        above = (*above, menu["name"])
        self._count += 1
        if len(above) > MAX_DEPTH:
            self.fault = f"menus may be nested {MAX_DEPTH} deep"
        elif self._count > MAX_MENUS:
            self.fault = f"a number has at most {MAX_MENUS} menus"
        for item in menu["items"]:
            inner = item.get("ivr")
            if self.fault or not inner:
                continue
            if inner.get("items") or inner["name"] not in above:
                self.link(inner, above)


def read_schedule(values: Values) -> Document:
    """Read business hours: a day left out, or with `holiday`, is a day off."""
    document: Document = {}
    for day in DAYS:
        hours = values.object(day)
        if hours is None or hours.boolean("holiday"):
            continue
        start, end = _times(hours)
        if end < start and hours.has("end"):
            hours.wrong("end", "must not be before start")
        elif end > start:
            document[day] = [start, end]
    return document


def read_interval(values: Values) -> Document:
    """Read days, start and end of extra hours."""
    days = values.texts("days", required=True, max_items=70)
    for day in days:
        if day not in DAYS:
            values.wrong("days", f"must be of: {', '.join(DAYS)}")
            break
    if values.has("days") and not days:
        values.wrong("days", "must name at least one day")
    start, end = _times(values)
    if end <= start and values.has("start") and values.has("end"):
        values.wrong("end", "must be after start")
    return {"days": [day for day in DAYS if day in days], "start": start, "end": end}


def check_overlaps(values: Values, custom_routes: list[Document]) -> None:
    """Note when extra hours or special days of one number contradict each other.

    Extra hours may not share a moment of a weekday, nor special days a minute, and the
    production calendar may decide for one route only. Touching is not sharing; extra hours may
    lie inside business hours, and dated days on holidays: they are what wins.
    """
    intervals = [each for custom in custom_routes for each in custom["intervals"]]
    for index, one in enumerate(intervals):
        for two in intervals[index + 1 :]:
            if set(one["days"]) & set(two["days"]) and (
                one["start"] < two["end"] and two["start"] < one["end"]
            ):
                values.wrong("interval_schedule", "extra intervals must not overlap")
                break
        else:
            continue
        break
    special = [each for custom in custom_routes for each in custom["calendar"]]
    dated = sorted((e["start"], e["end"]) for e in special if not e["predefined"])
    if any(later[0] <= earlier[1] for earlier, later in itertools.pairwise(dated)):
        values.wrong("calendar_schedule", "special days must not overlap")
    if sum(each["predefined"] for each in special) > 1:
        values.wrong("calendar_predefined", "the production calendar is set already")


def _times(values: Values) -> tuple[int, int]:
    start = values.integer("start", required=True, low=0, high=DAY_S)
    end = values.integer("end", required=True, low=0, high=DAY_S)
    return _to_minute(start), _to_minute(end)


def _to_minute(second: int) -> int:
    return (second + 30) // 60 * 60


def _kept_id(values: Values, known: set[str]) -> str:
    given = values.text("id")
    return given if given in known else str(uuid.uuid4())


def new_id() -> str:
    """Return an id for an extra route, interval or special day."""
    return str(uuid.uuid4())


def find_span(document: Document, kind: str, span_id: str) -> tuple[Document, Mapping[str, Any]]:
    """Return (extra route, span) of the `intervals` or `calendar` entry with this id.

    Raises KeyError when there is none.
    """
    for custom in document.get("custom", ()):
        for span in custom[kind]:
            if span["id"] == span_id:
                return custom, span
    raise KeyError(span_id)
