"""Reading a domain's snapshot from the database: every table once, joined in memory."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from vpbx.directory import documents, tables
from vpbx.directory import policy as p
from vpbx.directory.directions import location_of
from vpbx.directory.documents import Words
from vpbx.directory.kept import Kept
from vpbx.directory.loading import ROWS_A_SLICE, Source
from vpbx.directory.loading_settings import (
    load_branches,
    load_lists,
    load_media,
    load_other_operators,
    load_settings,
)
from vpbx.directory.model import (
    Advanced,
    CallOrder,
    Commands,
    Department,
    DomainConfig,
    Employee,
    Format,
    Ha1Pair,
    Integration,
    Limits,
    Member,
    MobileRedirect,
    Number,
    NumberType,
    Origin,
    Role,
    Services,
    Timeout,
    TimeoutTarget,
)


async def load(
    connection: AsyncConnection, domain_id: int, kept: Kept | None = None
) -> tuple[DomainConfig, Kept] | None:
    """Return the snapshot of a domain and the rows it is made of; None: no such domain.

    Tables whose rows are `kept` for the domain's current revision are not read again.
    """
    row = (
        await connection.execute(select(tables.domains).where(tables.domains.c.id == domain_id))
    ).one_or_none()
    if row is None:
        return None
    known = dict(kept.rows) if kept is not None and kept.revision == row.revision else {}
    source = Source(connection, row, known)
    return await _domain(source), Kept(row.revision, source.known)


async def _domain(source: Source) -> DomainConfig:
    """Read section after section, each of which knows the names of those before."""
    media = await load_media(source)
    group_rows = _by_ext(await source.rows(tables.groups, "id"))
    user_rows = _by_ext(await source.rows(tables.users, "id"))
    source.gids = {row.id: row.gid for row in group_rows}
    source.logins = {row.id: row.login for row in user_rows}
    registrations, transfers, outgoing = await load_other_operators(source)
    numbers = await _numbers(source, outgoing)
    employees = await _employees(source, user_rows, numbers)
    branches, branch_users = await load_branches(source)
    departments = await _departments(source, group_rows, employees, branch_users)
    by_ext: dict[str, Employee | Department] = {e.ext: e for e in employees.values()}
    by_ext.update({department.ext: department for department in departments.values()})
    lists = await load_lists(source)
    settings = await load_settings(
        source,
        media=media,
        lists=lists,
        registrations=registrations,
        transfers=transfers,
        branches=branches,
        by_ext=by_ext,
    )
    main = await source.rows(tables.main_numbers, "domain_id")
    return replace(
        _own(source.domain),
        employees=MappingProxyType(employees),
        by_ext=MappingProxyType(by_ext),
        departments=MappingProxyType(departments),
        numbers=MappingProxyType(numbers),
        integration=await _integration(source),
        record_exceptions=frozenset(lists["record"]),
        main_telnum=source.telnums[main[0].number_id] if main else "",
        settings=settings,
    )


def _own(domain: Row[Any]) -> DomainConfig:
    """Return what a domain's own row says; nobody and nothing is in it yet."""
    return DomainConfig(
        id=domain.id,
        name=domain.name,
        timezone=domain.timezone,
        zone=ZoneInfo(domain.timezone),
        country=domain.country,
        language=domain.language,
        enabled=domain.enabled,
        revision=domain.revision,
        employees={},
        by_ext={},
        departments={},
        numbers={},
        limits=Limits(domain.limit_users, domain.limit_groups, domain.limit_local_gw),
        services=Services(domain.service_record, domain.service_local_gw, domain.service_branch),
        record_external=domain.record_external,
        record_inner=domain.record_inner,
        ring_timeout_s=domain.ring_timeout_s,
        contact_timeout_s=domain.contact_timeout_s,
        crm_card_url=domain.crm_card_url,
        widget_origins=tuple(domain.widget_origins.split()),
    )


async def _employees(
    source: Source, rows: Sequence[Row[Any]], numbers: dict[str, Number]
) -> dict[str, Employee]:
    direct: dict[str, str] = {}
    for number in numbers.values():
        if number.type is NumberType.USER and number.user:
            direct.setdefault(number.user, number.telnum)
    employees = {}
    for index, row in enumerate(rows):
        if index % ROWS_A_SLICE == ROWS_A_SLICE - 1:
            await asyncio.sleep(0)
        employees[row.login] = Employee(
            row.id,
            row.login,
            row.ext,
            row.name,
            row.position,
            row.email,
            Role(row.role),
            row.mobile,
            MobileRedirect(row.redirect_enabled, row.redirect_forward, row.redirect_delay),
            row.receives_calls,
            direct.get(row.login, ""),
            Ha1Pair(row.ha1_login_md5, row.ha1_login_sha256),
            Ha1Pair(row.ha1_ext_md5, row.ha1_ext_sha256),
            row.call_waiting,
            row.since_ms,
        )
    return employees


async def _departments(
    source: Source,
    rows: Sequence[Row[Any]],
    employees: dict[str, Employee],
    branch_users: dict[int, tuple[p.BranchUser, str]],
) -> dict[str, Department]:
    members: dict[int, list[Member]] = defaultdict(list)
    for row in await source.rows(tables.group_members, "position", "id"):
        if row.user_id is not None:
            employee = employees[source.logins[row.user_id]]
            head = employee.role is Role.GROUP_HEAD
            member = Member(employee.login, row.calls_enable, head, employee.name)
        else:
            user, domain = branch_users[row.branch_user_id]
            member = Member(user.login, row.calls_enable, False, user.name, "branch", domain)
        members[row.group_id].append(member)
    return {
        row.gid: Department(
            row.id,
            row.gid,
            row.name,
            row.ext,
            CallOrder(row.call_order),
            0 if row.call_order == "ALL" else row.call_duration,
            tuple(members[row.id]),
            Timeout(
                row.timeout_time,
                TimeoutTarget(row.timeout_target),
                source.logins.get(row.timeout_user_id, ""),
                source.gids.get(row.timeout_group_id, ""),
                row.timeout_telnum,
            ),
            Advanced(row.advanced),
            row.queue_position,
        )
        for row in rows
    }


async def _numbers(source: Source, outgoing: dict[int, bool]) -> dict[str, Number]:
    trunks = {row.id: row.name for row in await source.rows(tables.trunks, "id")}
    words = Words(source.logins, source.gids, source.media)
    numbers = {}
    for index, row in enumerate(await source.rows(tables.numbers, "telnum")):
        if index % 100 == 99:
            await asyncio.sleep(0)
        source.telnums[row.id] = row.telnum
        greeting_file = source.media.get(row.greeting_media_id, "")
        numbers[row.telnum] = Number(
            telnum=row.telnum,
            name=row.name,
            type=NumberType(row.type),
            user=source.logins.get(row.user_id, ""),
            group=source.gids.get(row.group_id, ""),
            greeting=row.greeting,
            greeting_custom=bool(greeting_file),
            greeting_file=greeting_file,
            enabled=row.enabled,
            trunk=trunks.get(row.trunk_id, ""),
            responsible_first=row.responsible_first,
            rating=row.rating,
            crm=source.logins.get(row.crm_user_id, "") or source.gids.get(row.crm_group_id, ""),
            calltracking=row.calltracking,
            origin=Origin(row.origin),
            outgoing=outgoing.get(row.id, row.origin == Origin.OPERATOR and row.outgoing),
            ivr=documents.menu(row.route.get("ivr"), words),
            work=documents.route(row.route.get("work"), words),
            other=documents.route(row.route.get("other"), words),
            custom_routes=documents.custom_routes(row.route, words),
            schedule=MappingProxyType(documents.schedule(row.route.get("schedule"))),
            location=location_of(row.telnum),
            row_id=row.id,
        )
    return numbers


async def _integration(source: Source) -> Integration | None:
    rows = await source.rows(tables.integrations, "domain_id")
    if not rows:
        return None
    row = rows[0]
    return replace(
        _address(row),
        networks=tuple(ip_network(each) for each in row.networks),
        origins=tuple(row.origins),
        others=tuple(
            replace(_address(each), name=each.name)
            for each in await source.rows(tables.crm_addresses, "name")
        ),
    )


def _address(row: Row[Any]) -> Integration:
    return Integration(
        row.url,
        row.token,
        Format(row.format),
        Format(row.learned_format),
        row.enabled,
        commands=Commands(row.send_history, row.send_event, row.send_contact, row.send_rating),
        late_events=row.late_events,
        signing_secret=row.signing_secret,
    )


def _by_ext(rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Return employees or departments in the order lists show them: 99, 701, 702, 1000."""
    return sorted(rows, key=lambda row: (len(row.ext), row.ext))
