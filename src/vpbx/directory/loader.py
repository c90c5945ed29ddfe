"""Reading a domain's snapshot from the database: every table once, joined in memory."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import ip_network
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from vpbx.directory import documents, tables
from vpbx.directory import policy as p
from vpbx.directory.directions import location_of
from vpbx.directory.documents import Words
from vpbx.directory.kept import Kept, Rows
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
from vpbx.directory.sounds import BUILT_IN_MUSIC, PROMPT

_ROWS_A_SLICE = 200
"""So many rows are turned into values before the loop may do something else."""


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
    loading = _Loading(connection, row, known)
    return await loading.run(), Kept(row.revision, loading.known)


class _Loading:
    """One loading of one domain; the attributes are what later steps need of earlier ones."""

    def __init__(self, connection: AsyncConnection, domain: Row[Any], known: Rows) -> None:
        self._connection = connection
        self._domain = domain
        self.known = known
        self.users: dict[int, Employee] = {}
        self.logins: dict[int, str] = {}
        self.gids: dict[int, str] = {}
        self.media: dict[int, str] = {}
        self.telnums: dict[int, str] = {}

    async def _rows(self, table: Table, *order: str) -> Sequence[Row[Any]]:
        if table.name not in self.known:
            statement = select(table)
            if table is not tables.trunks:
                statement = statement.where(table.c.domain_id == self._domain.id)
            ordered = statement.order_by(*(table.c[name] for name in order))
            self.known[table.name] = (await self._connection.execute(ordered)).all()
        return self.known[table.name]

    async def run(self) -> DomainConfig:
        domain = self._domain
        media = await self._media()
        group_rows = _by_ext(await self._rows(tables.groups, "id"))
        user_rows = _by_ext(await self._rows(tables.users, "id"))
        self.gids = {row.id: row.gid for row in group_rows}
        self.logins = {row.id: row.login for row in user_rows}
        registrations, transfers, outgoing = await self._other_operators()
        numbers = await self._numbers(outgoing)
        employees = await self._employees(user_rows, numbers)
        branches, branch_users = await self._branches()
        departments = await self._departments(group_rows, employees, branch_users)
        lists = await self._lists()
        main = await self._rows(tables.main_numbers, "domain_id")
        by_ext: dict[str, Employee | Department] = {e.ext: e for e in employees.values()}
        by_ext.update({department.ext: department for department in departments.values()})
        return DomainConfig(
            id=domain.id,
            name=domain.name,
            timezone=domain.timezone,
            zone=ZoneInfo(domain.timezone),
            country=domain.country,
            language=domain.language,
            enabled=domain.enabled,
            revision=domain.revision,
            employees=MappingProxyType(employees),
            by_ext=MappingProxyType(by_ext),
            departments=MappingProxyType(departments),
            numbers=MappingProxyType(numbers),
            integration=await self._integration(),
            limits=Limits(domain.limit_users, domain.limit_groups, domain.limit_local_gw),
            services=Services(
                domain.service_record, domain.service_local_gw, domain.service_branch
            ),
            record_external=domain.record_external,
            record_inner=domain.record_inner,
            record_exceptions=frozenset(lists["record"]),
            ring_timeout_s=domain.ring_timeout_s,
            contact_timeout_s=domain.contact_timeout_s,
            crm_card_url=domain.crm_card_url,
            widget_origins=tuple(domain.widget_origins.split()),
            main_telnum=self.telnums[main[0].number_id] if main else "",
            settings=p.Settings(
                blacklist=await self._blacklist(),
                caller_ids=await self._caller_ids(),
                restrictions=await self._restrictions(),
                **await self._music(media),
                blf_users=frozenset(lists["blf"]),
                voicemail=p.VoicemailCopies(
                    domain.am_all,
                    tuple(lists["am"]),
                    tuple(await self._group_list("am")),
                    domain.am_email,
                ),
                sip_registrations=MappingProxyType(registrations),
                sipuri_transfers=MappingProxyType(transfers),
                branches=MappingProxyType(_with_counts(branches, by_ext)),
                webhooks=tuple(
                    p.Webhook(row.id, row.type, row.url)
                    for row in await self._rows(tables.webhooks, "url", "id")
                ),
                media=MappingProxyType(media),
                prompts=MappingProxyType(
                    {file.name: file for file in media.values() if file.type == PROMPT}
                ),
            ),
        )

    async def _media(self) -> dict[str, p.MediaFile]:
        rows = await self._rows(tables.media_files, "name", "id")
        self.media = {row.id: row.file_id for row in rows}
        return {
            row.file_id: p.MediaFile(
                row.file_id,
                row.type,
                row.name,
                row.path,
                row.duration_s,
                row.size_bytes,
                row.spoken_text,
                row.spoken_language,
            )
            for row in rows
        }

    async def _employees(
        self, rows: Sequence[Row[Any]], numbers: dict[str, Number]
    ) -> dict[str, Employee]:
        direct: dict[str, str] = {}
        for number in numbers.values():
            if number.type is NumberType.USER and number.user:
                direct.setdefault(number.user, number.telnum)
        employees = {}
        for index, row in enumerate(rows):
            if index % _ROWS_A_SLICE == _ROWS_A_SLICE - 1:
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
        self,
        rows: Sequence[Row[Any]],
        employees: dict[str, Employee],
        branch_users: dict[int, tuple[p.BranchUser, str]],
    ) -> dict[str, Department]:
        members: dict[int, list[Member]] = defaultdict(list)
        for row in await self._rows(tables.group_members, "position", "id"):
            if row.user_id is not None:
                employee = employees[self.logins[row.user_id]]
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
                    self.logins.get(row.timeout_user_id, ""),
                    self.gids.get(row.timeout_group_id, ""),
                    row.timeout_telnum,
                ),
                Advanced(row.advanced),
                row.queue_position,
            )
            for row in rows
        }

    async def _numbers(self, outgoing: dict[int, bool]) -> dict[str, Number]:
        trunks = {row.id: row.name for row in await self._rows(tables.trunks, "id")}
        words = Words(self.logins, self.gids, self.media)
        numbers = {}
        for index, row in enumerate(await self._rows(tables.numbers, "telnum")):
            if index % 100 == 99:
                await asyncio.sleep(0)
            self.telnums[row.id] = row.telnum
            greeting_file = self.media.get(row.greeting_media_id, "")
            numbers[row.telnum] = Number(
                telnum=row.telnum,
                name=row.name,
                type=NumberType(row.type),
                user=self.logins.get(row.user_id, ""),
                group=self.gids.get(row.group_id, ""),
                greeting=row.greeting,
                greeting_custom=bool(greeting_file),
                greeting_file=greeting_file,
                enabled=row.enabled,
                trunk=trunks.get(row.trunk_id, ""),
                responsible_first=row.responsible_first,
                rating=row.rating,
                crm=self.logins.get(row.crm_user_id, "") or self.gids.get(row.crm_group_id, ""),
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

    async def _integration(self) -> Integration | None:
        rows = await self._rows(tables.integrations, "domain_id")
        if not rows:
            return None
        row = rows[0]
        return replace(
            _address(row),
            networks=tuple(ip_network(each) for each in row.networks),
            origins=tuple(row.origins),
            others=tuple(
                replace(_address(each), name=each.name)
                for each in await self._rows(tables.crm_addresses, "name")
            ),
        )

    async def _lists(self) -> dict[str, list[str]]:
        lists: dict[str, list[str]] = defaultdict(list)
        for row in await self._rows(tables.user_lists, "list", "user_id"):
            lists[row.list].append(self.logins[row.user_id])
        return lists

    async def _group_list(self, name: str) -> Iterable[str]:
        rows = await self._rows(tables.group_lists, "group_id")
        return [self.gids[row.group_id] for row in rows if row.list == name]

    async def _blacklist(self) -> p.BlackList:
        rows = await self._rows(tables.blacklist, "telnum")
        entries = {row.telnum: row.comment for row in rows}
        return p.BlackList(MappingProxyType(entries), self._domain.block_anonymous)

    async def _caller_ids(self) -> p.CallerIds:
        users, groups, regions = {}, {}, {}
        for row in await self._rows(tables.caller_ids, "id"):
            telnum = self.telnums[row.number_id]
            if row.user_id is not None:
                users[self.logins[row.user_id]] = telnum
            elif row.group_id is not None:
                groups[self.gids[row.group_id]] = telnum
            else:
                regions[row.region_id] = telnum
        return p.CallerIds(
            MappingProxyType(users), MappingProxyType(groups), MappingProxyType(regions)
        )

    async def _restrictions(self) -> p.Restrictions:
        users, groups = {}, {}
        for row in await self._rows(tables.call_rules, "id"):
            if row.user_id is not None:
                users[self.logins[row.user_id]] = frozenset(row.allowed)
            else:
                groups[self.gids[row.group_id]] = frozenset(row.allowed)
        return p.Restrictions(
            frozenset(self._domain.allowed), MappingProxyType(users), MappingProxyType(groups)
        )

    async def _music(self, media: dict[str, p.MediaFile]) -> dict[str, p.Music]:
        chosen = {}
        for row in await self._rows(tables.music, "kind"):
            if row.media_id is not None:
                file = media[self.media[row.media_id]]
                chosen[row.kind] = p.Music(file.id, file.name, True)
            elif row.builtin in BUILT_IN_MUSIC:
                chosen[row.kind] = p.Music(row.builtin, BUILT_IN_MUSIC[row.builtin])
        return chosen

    async def _other_operators(
        self,
    ) -> tuple[dict[str, p.SipRegistration], dict[str, p.SipuriTransfer], dict[int, bool]]:
        telnums = {row.id: row.telnum for row in await self._rows(tables.numbers, "telnum")}
        outgoing: dict[int, bool] = {}
        registrations = {}
        for row in await self._rows(tables.sip_registrations, "id"):
            telnum = telnums[row.number_id]
            outgoing[row.number_id] = row.active and row.outgoing
            registrations[telnum] = p.registration_of(row, telnum)
        transfers = {}
        for row in await self._rows(tables.sipuri_transfers, "id"):
            telnum = telnums[row.number_id]
            uri = f"{row.user}@{self._domain.name}"
            transfers[telnum] = p.SipuriTransfer(telnum, uri, row.active)
        return registrations, transfers, outgoing

    async def _branches(
        self,
    ) -> tuple[dict[str, p.Branch], dict[int, tuple[p.BranchUser, str]]]:
        rows = await self._rows(tables.branches, "id")
        domains = {row.id: row.domain for row in rows}
        members: dict[int, list[p.BranchUser]] = defaultdict(list)
        by_id = {}
        for row in await self._rows(tables.branch_users, "id"):
            user = p.BranchUser(row.login, row.name, row.ext, row.kind)
            members[row.branch_id].append(user)
            by_id[row.id] = (user, domains[row.branch_id])
        branches = {
            row.domain: p.Branch(
                row.name,
                row.domain,
                p.BranchStatus(row.status),
                key=row.sealed_key,
                members=tuple(members[row.id]),
                id=row.id,
                reason=row.reason,
                url=row.url,
                sip=row.sip,
                sip_told=row.sip_told,
                ca=row.ca,
            )
            for row in rows
        }
        return branches, by_id


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


def _with_counts(
    branches: dict[str, p.Branch], by_ext: dict[str, Employee | Department]
) -> dict[str, p.Branch]:
    counted = {}
    for domain, branch in branches.items():
        exts = [member.ext for member in branch.members if member.ext]
        users = sum(member.kind == "user" for member in branch.members)
        counted[domain] = replace(
            branch,
            users_count=users,
            groups_count=len(branch.members) - users,
            exts_count=len(exts),
            collisions_count=sum(ext in by_ext for ext in exts),
        )
    return counted
