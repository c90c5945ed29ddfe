"""Numbers and who answers them (crm-api §9)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from vpbx.directory import tables
from vpbx.directory.consistency import free_number, keep_document
from vpbx.directory.directions import is_emergency
from vpbx.directory.documents import Document
from vpbx.directory.errors import Invalid, NotFound
from vpbx.directory.model import DomainConfig, Number, NumberType, Origin
from vpbx.directory.names import first_admin_row, group_row, user_row
from vpbx.directory.numbering import E164_DIGITS, SHORT_DIGITS, read_number
from vpbx.directory.page import Page, page
from vpbx.directory.route_values import (
    MAX_CUSTOM,
    RouteReader,
    check_overlaps,
    find_span,
    new_id,
    read_interval,
    read_schedule,
)
from vpbx.directory.scope import Tx
from vpbx.directory.store import Store
from vpbx.directory.values import Values


class Telnums:
    """Operations on a domain's numbers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(
        self, domain: DomainConfig, *, search: str = "", start: int = 0, limit: int | None = None
    ) -> Page[Number]:
        """Search in telnum, name, user, user_name, group, group_name; by telnum."""
        current = await self._store.current(domain)

        def words(number: Number) -> tuple[str, ...]:
            user = current.employees.get(number.user)
            group = current.departments.get(number.group)
            return (
                number.telnum,
                number.name,
                number.user,
                user.name if user else "",
                number.group,
                group.name if group else "",
            )

        return page(current.numbers.values(), words, search=search, start=start, limit=limit)

    async def get(self, domain: DomainConfig, telnum: str) -> Number:
        """Return one number, in any spelling; raises NotFound."""
        return find_number(await self._store.current(domain), telnum)

    async def add(
        self,
        domain: DomainConfig,
        telnum: str,
        *,
        trunk: str = "",
        user: str = "",
        group: str = "",
        name: str = "",
        short: bool = False,
    ) -> Number:
        """Give the domain a number (for the operator), routed to an employee or department.

        Without either it is routed to the first administrator. The first number of a domain
        becomes its main one. It is E.164; `short`: the carrier hands calls over under a short
        number (900 of a bank), which is an internal number typed by mistake more often.
        """
        reader = Values({"telnum": telnum, "name": name, "trunk": trunk}, country=domain.country)
        digits = _own_number(reader, domain.country, short)
        label = reader.text("name")
        async with self._store.edit(domain) as tx:
            values = await _destination(tx, reader, user, group)
            values["trunk_id"] = self._trunk_id(reader, domain)
            reader.done()
            await add_number(tx, digits, name=label, **values)
        return await self.get(domain, digits)

    async def delete(self, domain: DomainConfig, telnum: str) -> None:
        """Take a number from the domain, with every mention of it (docs/consistency.md)."""
        async with self._store.edit(domain) as tx:
            row = await number_row(tx, telnum)
            await free_number(tx, row.id)
            await tx.delete(tables.numbers, tables.numbers.c.id == row.id)

    async def set_enabled(self, domain: DomainConfig, telnum: str, enabled: bool) -> None:
        """Receive calls on the number, or not."""
        async with self._store.edit(domain) as tx:
            row = await number_row(tx, telnum)
            await tx.update(tables.numbers, tables.numbers.c.id == row.id, enabled=enabled)

    async def configure(
        self, domain: DomainConfig, telnum: str, values: Mapping[str, Any]
    ) -> Number:
        """Change what the operator sets for a number.

        trunk (name; "" for the default), outgoing (whether calls may leave with it; of an
        operator's number, §14 has a switch of its own), rating, enabled, name, calltracking.
        """
        async with self._store.edit(domain) as tx:
            row = await number_row(tx, telnum)
            reader = Values(values)
            changes: dict[str, Any] = {
                field: reader.boolean(field)
                for field in ("enabled", "outgoing", "rating")
                if reader.has(field)
            }
            for field in ("name", "calltracking"):
                if reader.has(field):
                    changes[field] = reader.text(field)
            if reader.has("trunk"):
                changes["trunk_id"] = self._trunk_id(reader, domain)
            if "outgoing" in changes and row.origin != Origin.OPERATOR:
                reader.wrong("outgoing", "is set at the registration this number came with")
            reader.done()
            await tx.update(tables.numbers, tables.numbers.c.id == row.id, **changes)
        return await self.get(domain, row.telnum)

    def _trunk_id(self, reader: Values, domain: DomainConfig) -> int | None:
        name = reader.text("trunk")
        found = self._store.trunk(name, domain) if name else None
        if name and found is None:
            reader.wrong("trunk", f"there is no trunk {name}")
        return found.id if found is not None else None

    async def set_main(self, domain: DomainConfig, telnum: str) -> None:
        """Make it the company's main number."""
        async with self._store.edit(domain) as tx:
            row = await number_row(tx, telnum)
            await tx.delete(tables.main_numbers)
            await tx.insert(tables.main_numbers, number_id=row.id)

    async def edit(self, domain: DomainConfig, telnum: str, values: Mapping[str, Any]) -> Number:
        """Set who answers a number.

        type, greeting, name, greeting_file, calltracking, and what a new type needs: user →
        user; group → group; ivr → ivr; scheduler → work, other, schedule, custom_routes; fax →
        user. Only what is sent changes.
        """
        async with self._store.edit(domain) as tx:
            row = await number_row(tx, telnum)
            reader = Values(values, country=tx.domain.country)
            kind = reader.choice("type", NumberType, NumberType(row.type))
            changes: dict[str, Any] = {
                "type": kind.value,
                "greeting": reader.boolean("greeting", row.greeting),
            }
            for field in ("name", "calltracking"):
                if reader.has(field):
                    changes[field] = reader.text(field)
            routes = RouteReader(tx, row.route)
            if reader.has("greeting_file"):
                changes["greeting_media_id"] = await routes.media(reader, "greeting")
            document: Document = {}
            same = row.type == kind
            if kind in (NumberType.USER, NumberType.FAX):
                if not same or reader.has("user"):
                    changes["user_id"] = await routes.user(reader)
                changes["group_id"] = None
            elif kind is NumberType.GROUP:
                if not same or reader.has("group"):
                    changes["group_id"] = await routes.group(reader)
                changes["user_id"] = None
            else:
                changes.update(user_id=None, group_id=None)
                document = copy.deepcopy(row.route) if same else {}
                await _read_document(reader, routes, kind, document)
                routes.link(document)
            reader.done()
            await tx.update(tables.numbers, tables.numbers.c.id == row.id, **changes)
            await keep_document(tx, row.id, document)
        return await self.get(domain, row.telnum)

    async def add_interval(
        self, domain: DomainConfig, telnum: str, values: Mapping[str, Any]
    ) -> Number:
        """Add extra hours: days*, start*, end*, and route_id of an extra route or route_name."""
        return await self._change_span(domain, telnum, "intervals", values)

    async def edit_interval(
        self, domain: DomainConfig, telnum: str, interval_id: str, values: Mapping[str, Any]
    ) -> Number:
        """Change extra hours; what is not sent stays."""
        return await self._change_span(domain, telnum, "intervals", values, interval_id)

    async def delete_interval(self, domain: DomainConfig, telnum: str, interval_id: str) -> None:
        """Delete extra hours; their route stays."""
        await self._delete_span(domain, telnum, "intervals", interval_id)

    async def add_special_day(
        self, domain: DomainConfig, telnum: str, values: Mapping[str, Any]
    ) -> Number:
        """Add a special day: start* and end*, or calendar_predefined; route as above."""
        return await self._change_span(domain, telnum, "calendar", values)

    async def edit_special_day(
        self, domain: DomainConfig, telnum: str, day_id: str, values: Mapping[str, Any]
    ) -> Number:
        """Change a special day; what is not sent stays."""
        return await self._change_span(domain, telnum, "calendar", values, day_id)

    async def delete_special_day(self, domain: DomainConfig, telnum: str, day_id: str) -> None:
        """Delete a special day; its route stays."""
        await self._delete_span(domain, telnum, "calendar", day_id)

    async def _change_span(
        self,
        domain: DomainConfig,
        telnum: str,
        kind: str,
        values: Mapping[str, Any],
        span_id: str = "",
    ) -> Number:
        async with self._store.edit(domain) as tx:
            row, document = await _scheduler(tx, telnum)
            home: Document | None = None
            before: Mapping[str, Any] = {}
            if span_id:
                home, before = _span(document, kind, span_id)
                home[kind] = [span for span in home[kind] if span["id"] != span_id]
                before = {**before, "calendar_predefined": before.get("predefined")}
            sent = {name: value for name, value in values.items() if value is not None}
            reader = Values({**before, **sent}, country=tx.domain.country)
            routes = RouteReader(tx, row.route)
            span = read_interval(reader) if kind == "intervals" else routes.special_day(reader)
            home = _extra_route(reader, document, kind, home)
            if home is not None:
                home[kind] = [*home[kind], {"id": span_id or new_id(), **span}]
                check_overlaps(reader, document["custom"])
            reader.done()
            await keep_document(tx, row.id, document)
        return await self.get(domain, row.telnum)

    async def _delete_span(
        self, domain: DomainConfig, telnum: str, kind: str, span_id: str
    ) -> None:
        async with self._store.edit(domain) as tx:
            row, document = await _scheduler(tx, telnum)
            home, _ = _span(document, kind, span_id)
            home[kind] = [span for span in home[kind] if span["id"] != span_id]
            await keep_document(tx, row.id, document)


def _own_number(reader: Values, country: str, short: bool) -> str:
    """Read `telnum` as a number that calls can come in by."""
    digits = reader.phone("telnum", required=True)
    if digits and is_emergency(digits, country):
        reader.wrong("telnum", f"{digits} is an emergency number")
    elif digits and len(digits) <= SHORT_DIGITS and not short:
        reader.wrong(
            "telnum",
            f"{digits} is a short number; a number of a company has country code and all digits "
            "(E.164), unless a carrier calls under a short one: vpbx number add --short",
        )
    elif len(digits) > E164_DIGITS:
        reader.wrong("telnum", f"must have at most {E164_DIGITS} digits (E.164)")
    return digits


async def _read_document(
    reader: Values, routes: RouteReader, kind: NumberType, document: Document
) -> None:
    """Read what a menu or scheduler number needs into `document`, which holds what stays."""
    if kind is NumberType.IVR:
        menu = reader.object("ivr", required=not document)
        if menu is not None:
            document["ivr"] = await routes.menu(menu)
        return
    for name in ("work", "other"):
        route = reader.object(name, required=name not in document)
        if route is not None:
            document[name] = await routes.route(route)
    schedule = reader.object("schedule", required="schedule" not in document)
    if schedule is not None:
        document["schedule"] = read_schedule(schedule)
    if reader.has("custom_routes"):
        document["custom"] = await routes.custom_routes(reader)
        check_overlaps(reader, document["custom"])
    document.setdefault("custom", [])


async def _scheduler(tx: Tx, telnum: str) -> tuple[Row[Any], Document]:
    """Return a scheduler number's row and a copy of its document."""
    row = await number_row(tx, telnum)
    if row.type != NumberType.SCHEDULER:
        raise Invalid.one("type", "only a number of type scheduler has extra routes")
    return row, copy.deepcopy(row.route)


def _span(document: Document, kind: str, span_id: str) -> tuple[Document, Mapping[str, Any]]:
    try:
        return find_span(document, kind, span_id)
    except KeyError:
        raise NotFound("no such entry of the schedule") from None


def _extra_route(
    reader: Values, document: Document, kind: str, home: Document | None
) -> Document | None:
    """Return the extra route a span belongs to: route_id's, route_name's (made when there is
    none of this name), else `home`, where it was.

    A new route does what the number does in business hours (for extra hours) or in closed hours
    (for special days), until it is set.
    """
    customs: list[Document] = document.setdefault("custom", [])
    route_id, name = reader.text("route_id"), reader.text("route_name")
    if route_id:
        found = next((each for each in customs if each["id"] == route_id), None)
        if found is None:
            reader.wrong("route_id", "must be the id of an extra route of this number")
        return found
    if not name:
        if home is None:
            reader.wrong("route_id", "is needed, or route_name for a new route")
        return home
    for each in customs:
        if each["name"] == name:
            return each
    if len(customs) >= MAX_CUSTOM:
        reader.wrong("route_name", f"a number has at most {MAX_CUSTOM} extra routes")
        return None
    base = document["work"] if kind == "intervals" else document["other"]
    made = {
        "id": new_id(),
        "name": name,
        "route": copy.deepcopy(base),
        "intervals": [],
        "calendar": [],
    }
    customs.append(made)
    return made


def _spell(telnum: str, country: str) -> str:
    try:
        return read_number(telnum, country).digits
    except Invalid:
        return ""


def find_number(domain: DomainConfig, telnum: str) -> Number:
    """Return a number of a snapshot, in any spelling; raises NotFound."""
    found = domain.numbers.get(telnum) or domain.numbers.get(_spell(telnum, domain.country))
    if found is None:
        raise NotFound("no such number")
    return found


async def number_row(tx: Tx, telnum: str) -> Row[Any]:
    """Return the row of a number of the domain, in any spelling; raises NotFound."""
    numbers = tables.numbers
    spelled = _spell(telnum, tx.domain.country)
    row = await tx.first(numbers, numbers.c.telnum == telnum) or await tx.first(
        numbers, numbers.c.telnum == spelled
    )
    if row is None:
        raise NotFound("no such number")
    return row


async def add_number(tx: Tx, telnum: str, **values: Any) -> int:
    """Insert a number and return its row id; the domain's first becomes the main one.

    That another company has it is told by the unique constraint (Invalid at `telnum`).
    """
    if await tx.first(tables.numbers, tables.numbers.c.telnum == telnum) is not None:
        raise Invalid.one("telnum", "this number is taken")
    number_id = await tx.insert(tables.numbers, telnum=telnum, **{"route": {}, **values})
    if await tx.first(tables.main_numbers) is None:
        await tx.insert(tables.main_numbers, number_id=number_id)
    return number_id


async def _destination(tx: Tx, reader: Values, user: str, group: str) -> dict[str, Any]:
    if user and group:
        reader.wrong("user", "cannot go together with group")
    if group:
        found = await group_row(tx, group)
        if found is None:
            reader.wrong("group", f"there is no department {group}")
            return {}
        return {"type": "group", "group_id": found.id}
    row = await user_row(tx, user) if user else await first_admin_row(tx)
    if row is None:
        reader.wrong("user", f"there is no employee {user}")
        return {}
    return {"type": "user", "user_id": row.id}
